//! The gateway under test: the built binary, as people run it.

use std::path::Path;
use std::process::{Command, ExitStatus};

use super::process::{Running, Scratch};

/// A running `rolegate serve`.
#[derive(Debug)]
pub(crate) struct Gateway {
    running: Running,
    folder: Scratch,
    url: String,
}

impl Gateway {
    /// Starts `rolegate serve` with a configuration, in a folder of its own (where relative paths of the configuration start), and waits
    /// until it listens. It sees no environment but what is given here.
    pub(crate) async fn start(config: &str, env: &[(&str, &str)]) -> Self {
        Self::start_in(Scratch::new(), config, env).await
    }

    /// The same in a folder that already holds something, such as keys.
    pub(crate) async fn start_in(folder: Scratch, config: &str, env: &[(&str, &str)]) -> Self {
        let file = folder.write("rolegate.toml", config);
        let mut command = Command::new(env!("CARGO_BIN_EXE_rolegate"));
        command.arg("serve").arg("--config").arg(file).current_dir(folder.path()).env_clear().envs(env.iter().copied());
        let mut running = Running::spawn("rolegate", &mut command);
        let url = running.until_line("ready ").await;
        Self { running, folder, url }
    }

    /// Where it listens, without a slash at the end.
    pub(crate) fn url(&self) -> &str {
        self.url.trim_end_matches('/')
    }

    /// Everything it has written so far, standard output and standard error: what a canary must not be found in.
    pub(crate) fn output(&self) -> String {
        self.running.output()
    }

    /// The folder it runs in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes its configuration anew, as an editor does that replaces the file.
    pub(crate) fn configure(&self, config: &str) {
        let written = self.folder.write("rolegate.toml.new", config);
        std::fs::rename(written, self.folder().join("rolegate.toml")).expect("a file can be renamed");
    }

    /// The events of its audit trail of one kind.
    pub(crate) fn events(&self, kind: &str) -> Vec<serde_json::Value> {
        let trail = std::fs::read_to_string(self.folder().join("audit.jsonl")).unwrap_or_default();
        let events = trail.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an event is JSON"));
        events.filter(|event| event.get("kind").is_some_and(|found| found == kind)).collect()
    }

    /// The process.
    pub(crate) fn process(&mut self) -> &mut Running {
        &mut self.running
    }

    /// Asks it to stop, as who sits before it does, and waits until it has.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.running.signal("INT");
        self.running.finish().await
    }
}
