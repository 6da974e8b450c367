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

    /// The process.
    pub(crate) fn process(&mut self) -> &mut Running {
        &mut self.running
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.running.stop().await
    }
}
