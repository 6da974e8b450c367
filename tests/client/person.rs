//! Somebody at a command line: a home folder of their own, no keyring, and a browser that only notes which tabs were opened.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::support::{Finished, Running, Scratch, repository, run};

/// Longer than any command that waits for nobody.
const LIMIT: Duration = Duration::from_mins(2);

pub(crate) struct Person {
    home: Scratch,
    pub(crate) gateway: String,
}

impl Person {
    pub(crate) fn new(gateway: &str) -> Self {
        let home = Scratch::new();
        let browser = home.write("browser", "#!/bin/sh\nprintf '%s\\n' \"$1\" >> \"$HOME/tabs\"\n");
        std::fs::set_permissions(browser, PermissionsExt::from_mode(0o755)).unwrap();
        Self { home, gateway: gateway.to_owned() }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.home().join(name)).unwrap_or_default()
    }

    /// The environment of every program that the person starts.
    pub(crate) fn env(&self) -> Vec<(&'static str, String)> {
        let browser = self.home().join("browser").display().to_string();
        let mut env = vec![("PATH", "/usr/bin:/bin".to_owned()), ("HOME", self.home().display().to_string()), ("BROWSER", browser)];
        env.push(("ROLEGATE_GATEWAY", self.gateway.clone()));
        // The keyring of whoever runs the tests is no part of them.
        env.push(("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere".to_owned()));
        env
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rolegate"));
        command.args(arguments).current_dir(self.home()).env_clear().envs(self.env());
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        run("rolegate", &mut self.command(arguments), LIMIT).await
    }

    /// The same, with its exit code.
    pub(crate) async fn ended(&self, arguments: &[&str]) -> (i32, Finished) {
        let script = format!("\"$0\" \"$@\"; echo $? > '{}'", self.home().join("code").display());
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_rolegate")).args(arguments);
        command.current_dir(self.home()).env_clear().envs(self.env());
        let finished = run("rolegate", &mut command, LIMIT).await;
        (self.read("code").trim().parse().unwrap(), finished)
    }

    /// The tabs that were opened in the browser, each by its address.
    pub(crate) fn tabs(&self) -> Vec<String> {
        self.read("tabs").lines().map(str::to_owned).collect()
    }

    /// Starts a command and waits until it has opened one more tab.
    pub(crate) async fn until_tab(&self, arguments: &[&str]) -> (Running, String) {
        let before = self.tabs().len();
        let mut running = Running::spawn("rolegate", &mut self.command(arguments));
        let tab = running.until(async |_| self.tabs().get(before).cloned()).await;
        (running, tab)
    }

    /// Where a tab leads: the browser is started with an address that tells nothing.
    pub(crate) async fn led(&self, tab: &str) -> String {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let answer = client.get(tab).send().await.unwrap();
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    /// Signs in at a gateway that agrees at once, as the double does.
    pub(crate) async fn sign_in(&self) -> Running {
        let (mut login, tab) = self.until_tab(&["login"]).await;
        let page = reqwest::Client::builder().no_proxy().build().unwrap().get(tab).send().await.unwrap();
        assert!(page.status().is_success(), "{page:?}");
        login.until(async |_| self.has_session().then_some(())).await;
        login
    }

    fn has_session(&self) -> bool {
        let state = std::fs::read_dir(self.home().join(".local/state/rolegate"));
        state.into_iter().flatten().flatten().any(|file| file.file_name().to_string_lossy().starts_with("session-"))
    }

    /// Puts a session where the command line keeps one.
    pub(crate) fn keep_session(&self, token: &str) {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.gateway.as_bytes());
        let name = data_encoding::HEXLOWER.encode(&hash.as_ref()[..16]);
        let path = self.write(&format!(".local/state/rolegate/session-{name}"), token);
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// What boto3 finds in the person's environment, with some more variables: see `tests/counterparts/boto3_credentials.py`.
    pub(crate) async fn boto3(&self, aws: &str, profile: Option<&str>, more: &[(&str, String)]) -> serde_json::Value {
        let arguments: Vec<_> = std::iter::once(aws).chain(profile).collect();
        serde_json::from_str(&self.python("boto3_credentials.py", &arguments, more).await).unwrap()
    }

    /// What a program of `tests/counterparts` prints that the person runs, with some more variables.
    pub(crate) async fn python(&self, script: &str, arguments: &[&str], more: &[(&str, String)]) -> String {
        let mut command = Command::new(repository().join("target/counterparts/venv/bin/python"));
        command.arg(repository().join("tests/counterparts").join(script)).args(arguments).env_clear().envs(self.env());
        command.env("AWS_EC2_METADATA_DISABLED", "true").envs(more.iter().map(|(name, value)| (name, value)));
        run(script, &mut command, LIMIT).await.or_fail()
    }

    /// The token of the session.
    pub(crate) fn token(&self) -> String {
        let state = std::fs::read_dir(self.home().join(".local/state/rolegate")).unwrap().flatten().map(|file| file.path());
        let session = state.into_iter().find(|path| path.file_name().unwrap().to_string_lossy().starts_with("session-")).unwrap();
        std::fs::read_to_string(session).unwrap()
    }

    /// Every file in the home folder, for searching. What programs of the desktop leave beside files, such as a keyring's socket, holds nothing to read.
    pub(crate) fn everything(&self) -> Vec<u8> {
        let (mut folders, mut all) = (vec![self.home().to_owned()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.is_file() {
                    all.extend(std::fs::read(path).unwrap());
                }
            }
        }
        all
    }
}
