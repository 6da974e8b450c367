//! A real Redis for tests.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rolegate::store::{Store, StoreSettings, Vault};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ports::free_port;

/// A redis-server of the test's own, on a free port of loopback, with nothing on disk. Ends with the value.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    arguments: Vec<String>,
    folder: TempDir,
}

impl Redis {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("seal"), "5e".repeat(32)).unwrap();
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let child = Self::spawn(port, &arguments);
        let redis = Self { child, port, arguments, folder };
        redis.wait();
        redis
    }

    fn spawn(port: u16, arguments: &[String]) -> Child {
        Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--loglevel", "warning"])
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .expect("this test needs `redis-server`: install it (Debian: apt-get install redis-server)")
    }

    fn wait(&self) {
        let end = Instant::now() + Duration::from_secs(10);
        while !String::from_utf8_lossy(&self.cli(&["PING"])).contains("PONG") {
            assert!(Instant::now() < end, "redis-server on port {} does not come up", self.port);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }

    pub(crate) fn kill(&mut self) {
        drop(self.child.kill());
        self.child.wait().unwrap();
    }

    pub(crate) fn restart(&mut self) {
        self.child = Self::spawn(self.port, &self.arguments);
        self.wait();
    }

    pub(crate) fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string()]).stderr(Stdio::null());
        if let Some(at) = self.arguments.iter().position(|argument| argument == "--requirepass") {
            command.env("REDISCLI_AUTH", &self.arguments[at + 1]);
        }
        command
    }

    pub(crate) fn cli(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.command().args(arguments).output();
        output.expect("this test needs `redis-cli`: install it (Debian: apt-get install redis-tools)").stdout
    }

    fn settings(&self, more: &Value) -> StoreSettings {
        let mut settings = json!({ "url": format!("redis://127.0.0.1:{}", self.port), "seal_keys": [{ "file": "seal" }] });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(settings).unwrap()
    }

    pub(crate) fn base(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn store(&self, more: &Value) -> Arc<dyn Store> {
        self.settings(more).open(self.base()).unwrap()
    }

    pub(crate) async fn vault(&self) -> Vault {
        self.settings(&json!({})).connect(self.base()).await.unwrap()
    }

    /// Every key with its remaining life and its content, raw.
    pub(crate) fn dump(&self) -> Vec<u8> {
        let mut everything = Vec::new();
        let keys = String::from_utf8(self.cli(&["KEYS", "*"])).unwrap();
        for key in keys.lines() {
            let life: i64 = String::from_utf8(self.cli(&["PTTL", key])).unwrap().trim().parse().unwrap();
            // -2: it has expired since its name was listed. -1: it would never.
            if life == -2 {
                continue;
            }
            assert!(life >= 0, "{key} never expires");
            everything.extend_from_slice(key.as_bytes());
            let kind = String::from_utf8(self.cli(&["TYPE", key])).unwrap();
            everything.extend(match kind.trim() {
                "string" => self.cli(&["GET", key]),
                "zset" => self.cli(&["ZRANGE", key, "0", "-1", "WITHSCORES"]),
                other => panic!("a record of type {other}"),
            });
        }
        everything
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
