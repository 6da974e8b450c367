//! One sink of several, in a thread of its own: what it is given to do, and how it does, from the side of who gives it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::chain::Head;
use super::kept::Batch;
use super::missed::{PIECE, fill};
use super::sink::Sink;

pub(super) enum Task {
    /// What is missing before the first of the lines is read from a file. A file is opened anew before, if that is due.
    Write {
        /// What no file has, and then what is new; one at least.
        batches: Vec<Arc<Batch>>,
        source: Option<PathBuf>,
        reopen: bool,
    },
    Reopen,
}

/// How a task ended.
struct Done {
    /// How far the sink's chain is then.
    head: Head,
    /// Whether it may have more than that.
    is_torn: bool,
    failed: Option<io::Error>,
}

/// One sink, from the side of who gives the tasks.
pub(super) struct Hand {
    pub(super) name: String,
    /// Where others can read what they missed, if it is a file.
    pub(super) file: Option<PathBuf>,
    tasks: Sender<Task>,
    done: Receiver<Done>,
    pub(super) at: At,
    pub(super) is_torn: bool,
    pub(super) head: Head,
    /// Whether it is to be opened anew, and was at something when that was asked for.
    pub(super) reopen_due: bool,
    /// Whether it took the last lines that it was given, in time.
    pub(super) is_well: bool,
    /// Why not.
    pub(super) trouble: Option<Arc<io::Error>>,
}

/// What a sink is at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Rest,
    /// A task that it was given just now, and that is waited for.
    Work,
    /// One that lasts: nobody waits for it, and it gets no other before.
    LateWork,
}

impl Hand {
    /// Starts a thread for a sink, which ends with this.
    pub(super) fn start(mut sink: Box<dyn Sink>) -> io::Result<Self> {
        let (tasks, waiting) = channel();
        let (finished, done) = channel();
        let hand = Self {
            name: sink.name(),
            file: sink.file().map(Path::to_owned),
            tasks,
            done,
            at: At::Rest,
            is_torn: false,
            head: sink.head(),
            reopen_due: false,
            is_well: true,
            trouble: None,
        };
        std::thread::Builder::new().name("audit-sink".into()).spawn(move || {
            while let Ok(task) = waiting.recv() {
                if finished.send(done_by(&mut *sink, task)).is_err() {
                    return;
                }
            }
        })?;
        Ok(hand)
    }

    /// Gives it a task, if it is at none.
    pub(super) fn take_on(&mut self, task: impl FnOnce() -> Task) {
        self.at = match self.at {
            At::Rest if self.tasks.send(task()).is_ok() => At::Work,
            At::Rest => At::Rest,
            At::Work | At::LateWork => At::LateWork,
        };
    }

    /// Takes note of what it has done, and waits for it no longer than that.
    pub(super) fn look(&mut self, patience: Duration, failed: &mut dyn FnMut(io::Error)) {
        match self.done.recv_timeout(patience) {
            Ok(done) => self.is_done(done, failed),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                self.trouble = Some(Arc::new(io::Error::other("its thread has ended")));
                self.at = At::LateWork;
            }
        }
    }

    /// Takes note of what it has done already.
    pub(super) fn collect(&mut self) {
        if self.at != At::Rest
            && let Ok(done) = self.done.try_recv()
        {
            self.is_done(done, &mut |_| ());
        }
    }

    fn is_done(&mut self, done: Done, failed: &mut dyn FnMut(io::Error)) {
        self.at = At::Rest;
        self.is_torn = done.is_torn;
        self.head = done.head;
        if let Some(error) = done.failed {
            let kind = error.kind();
            self.trouble = Some(Arc::new(io::Error::new(kind, error.to_string())));
            failed(error);
        }
    }

    /// Says once that it fails, and once that it does not any more.
    pub(super) fn judge(&mut self, after: Head) {
        let is_well = self.at == At::Rest && self.head == after;
        if is_well {
            self.trouble = None;
        }
        if self.is_well && !is_well {
            let reason = self.trouble.as_ref().map_or_else(|| "it does not answer in time".to_owned(), ToString::to_string);
            tracing::error!(sink = %self.name, %reason, "a sink of the audit trail does not take events");
        } else if !self.is_well && is_well {
            tracing::warn!(sink = %self.name, head = %self.head, "the sink of the audit trail takes events again, and has what it missed");
        }
        self.is_well = is_well;
    }
}

/// Does a task, in the thread of its sink.
fn done_by(sink: &mut dyn Sink, task: Task) -> Done {
    let outcome = match task {
        Task::Reopen => sink.reopen(),
        Task::Write { batches, source, reopen } => {
            let reopened = if reopen { sink.reopen() } else { Ok(()) };
            reopened.and_then(|()| take(sink, &batches, source.as_deref()))
        }
    };
    Done { head: sink.head(), is_torn: sink.is_torn(), failed: outcome.err() }
}

/// What is missing first, then the lines, or what the sink does not have of them already.
fn take(sink: &mut dyn Sink, batches: &[Arc<Batch>], source: Option<&Path>) -> io::Result<()> {
    sink.mend()?;
    let before = batches.first().map(|batch| batch.before).unwrap_or_default();
    if sink.head().seq < before.seq {
        let source = source.ok_or_else(|| io::Error::other("it is behind, and no file that can be read has what it missed"))?;
        fill(sink, source, before)?;
    }
    // Many small writes would wait for the disk each.
    let mut piece = Vec::new();
    let had = sink.head().seq;
    for (at, batch) in batches.iter().enumerate() {
        piece.extend_from_slice(batch.behind(had));
        if !piece.is_empty() && (piece.len() >= PIECE || at + 1 == batches.len()) {
            sink.append(&piece, batch.after)?;
            piece.clear();
        }
    }
    Ok(())
}
