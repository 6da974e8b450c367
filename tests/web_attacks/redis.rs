//! Gateways with their sessions in a Redis.

use super::ports::free_port;
use super::world::{Browser, World};

/// A Redis that ends with its guard.
pub(crate) struct Redis {
    pub(crate) process: std::process::Child,
    pub(crate) port: u16,
    pub(crate) folder: tempfile::TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let port = free_port();
        Self { process: start_redis(port), port, folder: tempfile::tempdir().unwrap() }
    }

    /// A gateway with its sessions here.
    pub(crate) async fn world(&self, change: impl FnOnce(String) -> String) -> World {
        let store = redis_store(self.port, self.folder.path());
        let world = World::with(|config| format!("{}\n{store}", change(config))).await;
        until_ready(&world).await;
        world
    }

    pub(crate) fn cli(&self, arguments: &[&str]) {
        let done = std::process::Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(arguments).output().unwrap();
        assert!(done.status.success() && done.stdout.starts_with(b"OK"), "{done:?}");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

pub(crate) fn start_redis(port: u16) -> std::process::Child {
    std::process::Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("redis-server ({error}): `make test` installs it"))
}

/// A configuration's section for a Redis at this port, whose key is in the folder.
pub(crate) fn redis_store(port: u16, folder: &std::path::Path) -> String {
    let key = folder.join("seal");
    std::fs::write(&key, "ab".repeat(32)).unwrap();
    format!("[store]\nurl = \"redis://127.0.0.1:{port}\"\nseal_keys = [{{ file = \"{}\" }}]\n", key.display())
}

/// Waits until the gateway has found its store.
pub(crate) async fn until_ready(world: &World) {
    let mut monitor = Browser::new(world);
    for _ in 0..100 {
        if monitor.get("/readyz").await.status == 200 {
            return;
        }
        actix_web::rt::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the gateway has not found its store");
}

pub(crate) async fn with_redis() -> (Redis, World) {
    let redis = Redis::start();
    let world = redis.world(|config| config).await;
    (redis, world)
}
