//! Processes, ports and folders of one test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Long enough for a loaded machine with two cores; a counterpart that starts at all does so within two seconds.
const PATIENCE: Duration = Duration::from_mins(1);
const BETWEEN_LOOKS: Duration = Duration::from_millis(25);

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A name in the tests' own folder that no other test has.
fn own_path(kind: &str, name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(kind);
    fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{} cannot be made: {error}", folder.display()));
    folder.join(format!("{}-{}-{name}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
}

/// A folder that goes when its test succeeds and stays for a look when it fails.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        let path = own_path("scratch", "d");
        // What an earlier run left under the same process id.
        drop(fs::remove_dir_all(&path));
        fs::create_dir(&path).unwrap_or_else(|error| panic!("{} cannot be made: {error}", path.display()));
        Self(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into it and tells where that is.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            drop(fs::remove_dir_all(&self.0));
        }
    }
}

/// A process that ends with its guard. Its output goes to a file, which stays when the test fails.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts a program; its standard input stays open as long as the guard lives.
    pub(crate) fn spawn(name: &str, command: &mut Command) -> Self {
        let log = own_path("logs", &format!("{name}.log"));
        let output = File::create(&log).unwrap_or_else(|error| panic!("{} cannot be written: {error}", log.display()));
        let errors = output.try_clone().expect("a file handle can be doubled");
        let child = command.stdin(Stdio::piped()).stdout(output).stderr(errors).spawn();
        let child = child.unwrap_or_else(|error| missing(name, command, &error));
        Self { name: name.to_owned(), child, log }
    }

    /// Everything it has written so far, standard output and standard error.
    pub(crate) fn output(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Waits until `ready` yields something.
    ///
    /// # Panics
    /// With the end of its output and the path to all of it, when the process ends before or time runs out.
    pub(crate) async fn until<T>(&mut self, mut ready: impl AsyncFnMut(&Self) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = ready(self).await {
                return found;
            }
            if let Some(status) = self.ended() {
                panic!("{} ended before it was ready: {status}\n{}", self.name, self.last_words());
            }
            assert!(start.elapsed() < PATIENCE, "{} is not ready after {PATIENCE:?}\n{}", self.name, self.last_words());
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Waits for a line that starts with `word`, and tells the rest of that line.
    pub(crate) async fn until_line(&mut self, word: &str) -> String {
        self.until(async |running| {
            let output = running.output();
            // Only lines that are finished: a process may be in the midst of writing one.
            let (finished, _) = output.rsplit_once('\n')?;
            finished.lines().find_map(|line| line.strip_prefix(word)).map(|rest| rest.trim().to_owned())
        })
        .await
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap_or_else(|error| panic!("{} cannot be waited for: {error}", self.name))
    }

    /// Asks it to stop (SIGTERM) and waits for that.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.finish().await
    }

    /// Waits until it has ended.
    pub(crate) async fn finish(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "{} did not end\n{}", self.name, self.last_words());
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Sends it a signal by name: `TERM`, `KILL`, `STOP`, `CONT`, `HUP`.
    pub(crate) fn signal(&mut self, signal: &str) {
        // The number is only ours as long as the process was not waited for.
        if self.ended().is_none() {
            let sent = Command::new("sh").arg("-c").arg(format!("kill -{signal} {}", self.child.id())).status();
            assert!(sent.is_ok_and(|status| status.success()), "{} cannot be sent {signal}", self.name);
        }
    }

    fn last_words(&self) -> String {
        let output = self.output();
        let lines: Vec<_> = output.lines().collect();
        let last = lines.iter().skip(lines.len().saturating_sub(30)).copied().collect::<Vec<_>>().join("\n");
        format!("--- the end of {} ---\n{last}", self.log.display())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if !std::thread::panicking() {
            drop(fs::remove_file(&self.log));
        }
    }
}

fn missing(name: &str, command: &Command, error: &std::io::Error) -> ! {
    panic!("{name} cannot be started ({}: {error}): run `make test`, which installs it", command.get_program().display())
}

/// What a program that ran to its end left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Whether it ended with 0.
    pub(crate) success: bool,
    /// What it wrote to standard output.
    pub(crate) stdout: String,
    /// What it wrote to standard error.
    pub(crate) stderr: String,
}

impl Finished {
    /// Its standard output.
    ///
    /// # Panics
    /// With all that it wrote, if it failed.
    #[track_caller]
    pub(crate) fn or_fail(self) -> String {
        assert!(self.success, "the program failed\n--- stdout ---\n{}\n--- stderr ---\n{}", self.stdout, self.stderr);
        self.stdout
    }
}

/// Runs a program to its end, without standing in the way of what runs on this thread meanwhile.
pub(crate) async fn run(name: &str, command: &mut Command, limit: Duration) -> Finished {
    let outlet = own_path("logs", &format!("{name}.stdout"));
    let errors = own_path("logs", &format!("{name}.stderr"));
    let file = |path: &Path| File::create(path).unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
    let child = command.stdin(Stdio::null()).stdout(file(&outlet)).stderr(file(&errors)).spawn();
    let child = child.unwrap_or_else(|error| missing(name, command, &error));
    let mut running = Running { name: name.to_owned(), child, log: errors.clone() };
    let start = Instant::now();
    let status = loop {
        if let Some(status) = running.ended() {
            break status;
        }
        assert!(start.elapsed() < limit, "{name} has not finished after {limit:?}\n{}", running.last_words());
        tokio::time::sleep(BETWEEN_LOOKS).await;
    };
    let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let finished = Finished { success: status.success(), stdout: text(&outlet), stderr: text(&errors) };
    drop(fs::remove_file(&outlet));
    finished
}
