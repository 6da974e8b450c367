//! The file behind the audit trail, and the one thread that writes to it.
//!
//! The thread makes the chain too: it alone knows the order. A line that was not written is not in the chain.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::Event;
use super::chain::Head;
use super::resume::resume;

/// How many events may wait to be written; the next one waits for a place.
const QUEUE: usize = 1024;
/// How many bytes are gathered for one write.
const BATCH: usize = 1 << 20;
/// After so many events the log says where the chain is: whoever keeps the log elsewhere can tell later whether the trail is still that one.
const HEADS: u64 = 1000;

/// An event is not on disk. Nothing may be handed over.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the audit trail {file} cannot be written")]
pub struct AuditUnavailable {
    file: Arc<str>,
    #[source]
    cause: Arc<io::Error>,
}

/// The audit trail. Cheap to clone; the file closes with the last clone, after what waits is written.
#[derive(Debug, Clone)]
pub struct AuditLog {
    jobs: mpsc::Sender<Job>,
    file: Arc<str>,
    /// Whether the last event reached the disk.
    healthy: Arc<AtomicBool>,
}

type Answer = Result<(), Arc<io::Error>>;

enum Job {
    /// An event as JSON, without its place in the chain.
    Write(Vec<u8>, oneshot::Sender<Answer>),
    Reopen(oneshot::Sender<Answer>),
}

impl AuditLog {
    /// Opens a trail to append to; makes the file, readable by its owner alone, if it is not there.
    ///
    /// # Errors
    /// The file cannot be opened for appending, or another process holds it.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let name: Arc<str> = path.display().to_string().into();
        let file = open(&path)?;
        let head = resume(&path, &file)?.unwrap_or_default();
        tracing::info!(file = %name, %head, "the audit trail goes on behind this head");
        let mut trail = Trail { file, path, head, torn: false };
        let (jobs, mut waiting) = mpsc::channel(QUEUE);
        // A thread of its own, because waiting for a disk would hold up a worker that serves others.
        std::thread::Builder::new().name("audit".into()).spawn(move || {
            while let Some(job) = waiting.blocking_recv() {
                trail.work(job, &mut waiting);
            }
        })?;
        Ok(Self { jobs, file: name, healthy: Arc::new(AtomicBool::new(true)) })
    }

    /// Writes an event and returns when it is on disk. Events that wait at the same time share one write.
    ///
    /// # Errors
    /// [`AuditUnavailable`]: no part of it is in the file, and nothing may be handed over. Later events may fare better.
    pub async fn record(&self, event: &Event) -> Result<(), AuditUnavailable> {
        let line = serde_json::to_vec(event).map_err(|error| self.unavailable(Arc::new(error.into())))?;
        let written = self.ask(|answer| Job::Write(line, answer)).await;
        self.healthy.store(written.is_ok(), Ordering::Relaxed);
        written
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        Path::new(&*self.file)
    }

    /// Whether the last event reached the disk.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// Opens the file anew by its name, after it was moved away. What waits is written to the old one first.
    ///
    /// # Errors
    /// [`AuditUnavailable`]: it cannot be opened; the old one stays in use.
    pub async fn reopen(&self) -> Result<(), AuditUnavailable> {
        self.ask(Job::Reopen).await
    }

    async fn ask(&self, job: impl FnOnce(oneshot::Sender<Answer>) -> Job) -> Result<(), AuditUnavailable> {
        let (answer, answered) = oneshot::channel();
        let gone = || self.unavailable(Arc::new(io::Error::other("the audit thread has ended")));
        self.jobs.send(job(answer)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?.map_err(|cause| self.unavailable(cause))
    }

    fn unavailable(&self, cause: Arc<io::Error>) -> AuditUnavailable {
        AuditUnavailable { file: self.file.clone(), cause }
    }
}

struct Trail {
    file: File,
    path: PathBuf,
    /// The end of the chain.
    head: Head,
    /// Whether a failed write could not be undone, so that the file may end in half a line.
    torn: bool,
}

impl Trail {
    /// Does one job, and with it all writes that wait behind it.
    fn work(&mut self, first: Job, waiting: &mut mpsc::Receiver<Job>) {
        let mut lines = Vec::new();
        let mut answers = Vec::new();
        if self.torn
            && let Err(error) = self.mend()
        {
            tracing::error!(%error, file = %self.path.display(), "the audit trail's last line cannot be mended");
        }
        let before = self.head;
        let mut next = Some(first);
        let reopen = loop {
            match next {
                Some(Job::Write(line, answer)) => {
                    self.head.chain(&line, &mut lines);
                    answers.push(answer);
                }
                Some(Job::Reopen(answer)) => break Some(answer),
                None => break None,
            }
            next = if lines.len() < BATCH { waiting.try_recv().ok() } else { None };
        };
        if !answers.is_empty() {
            let written = self.append(&lines).map_err(Arc::new);
            if written.is_err() {
                self.head = before;
            } else if self.head.seq / HEADS > before.seq / HEADS {
                tracing::info!(file = %self.path.display(), head = %self.head, "the audit trail's head");
            }
            for answer in answers {
                // Who does not wait any more has got nothing, and an event too many is no harm.
                drop(answer.send(written.clone()));
            }
        }
        if let Some(answer) = reopen {
            drop(answer.send(self.reopen().map_err(Arc::new)));
        }
    }

    /// Appends and waits for the disk. On failure the file is cut back to where it was.
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.torn {
            return Err(io::Error::other("its last line could not be mended"));
        }
        // Asked anew each time: a rotation may have emptied the file in place.
        let mut before = self.file.metadata()?;
        if before.nlink() == 0 {
            // What is written to a file without a name is gone when this process ends.
            tracing::error!(file = %self.path.display(), "the audit trail was deleted, and what was in it is lost; a new one is begun");
            self.reopen()?;
            before = self.file.metadata()?;
        }
        let written = self.file.write_all(lines).and_then(|()| self.file.sync_data());
        written.inspect_err(|error| {
            tracing::error!(%error, file = %self.path.display(), "the audit trail cannot be written; nothing is handed over until it can");
            self.torn = self.file.set_len(before.len()).is_err();
        })
    }

    /// What a failed write left stays: the chain goes on behind it, as behind what a crash leaves.
    fn mend(&mut self) -> io::Result<()> {
        end_last_line(&mut self.file)?;
        self.head = resume(&self.path, &self.file)?.unwrap_or(self.head);
        self.torn = false;
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        let (there, held) = (std::fs::metadata(&self.path), self.file.metadata()?);
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino())) {
            return Ok(());
        }
        self.file = open(&self.path)?;
        self.torn = false;
        tracing::info!(file = %self.path.display(), head = %self.head, "the audit trail goes on in a new file, behind this head");
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    // Two writers would cut each other's lines off after a failure.
    file.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => io::Error::new(io::ErrorKind::ResourceBusy, "another process writes to it"),
        std::fs::TryLockError::Error(error) => error,
    })?;
    end_last_line(&mut file)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        // The file's name must survive a power failure as well as its content.
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

/// A crash may have left half a line, which nobody was told is there: it must not swallow the next one.
fn end_last_line(file: &mut File) -> io::Result<()> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

#[cfg(test)]
mod tests {
    use super::super::{Begin, verify};
    use super::*;

    /// A failed write whose rest could not be cut off, as on a disk that is failing: whole lines of it, and half a one.
    #[test]
    fn what_a_failed_write_left_behind_stays_and_the_chain_goes_on_behind_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut trail = Trail { file: open(&path).unwrap(), path: path.clone(), head: Head::default(), torn: false };
        let (_jobs, mut none) = mpsc::channel(1);
        let mut write = |trail: &mut Trail, line: &str| {
            let (answer, mut answered) = oneshot::channel();
            trail.work(Job::Write(line.into(), answer), &mut none);
            answered.try_recv().unwrap()
        };
        write(&mut trail, r#"{"incident":"1"}"#).unwrap();
        let (mut unknown, mut left) = (trail.head, Vec::new());
        unknown.chain(br#"{"incident":"2"}"#, &mut left);
        left.extend_from_slice(b"{\"seq\":3,");
        trail.file.write_all(&left).unwrap();
        trail.torn = true;
        write(&mut trail, r#"{"incident":"3"}"#).unwrap();
        write(&mut trail, r#"{"incident":"4"}"#).unwrap();
        let verdict = verify(&[path], Begin::Start, &[], &|_| ()).unwrap();
        assert!(verdict.is_whole(), "{:?}", verdict.findings);
        assert_eq!((verdict.chained, verdict.no_events, verdict.head), (4, 1, Some(trail.head)));
    }
}
