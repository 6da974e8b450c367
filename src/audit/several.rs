//! One trail in several files, each written by a thread of its own: one that fails or hangs holds up none of the others.
//!
//! All files have the same lines. What a file missed it reads from another one that has it, in order, before it takes anything new: so nothing is kept
//! in memory however long it fails, a restart in between loses nothing, and afterwards there is no gap.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::chain::Head;
use super::missed::{fill, one_chain};
use super::settings::Require;
use super::sink::FileSink;

/// How long the others are waited for when one file has the lines and one is enough.
const GRACE: Duration = Duration::from_secs(1);
/// How often files that are behind get time to catch up, without a new line, at most.
const BETWEEN: Duration = Duration::from_secs(1);

/// Lines that are to be written everywhere, and the chain's head before and after them.
struct Batch {
    before: Head,
    lines: Vec<u8>,
    after: Head,
}

enum Task {
    /// What is missing before it is read from the other file. The file is opened anew before, if that is due.
    Write {
        batch: Arc<Batch>,
        source: Option<PathBuf>,
        reopen: bool,
    },
    Reopen,
}

/// How a task ended.
struct Done {
    /// How far the file's chain is then.
    head: Head,
    /// Whether it may have more than that.
    is_torn: bool,
    failed: Option<io::Error>,
}

/// One file, from the side of who gives the tasks.
struct Hand {
    path: PathBuf,
    tasks: Sender<Task>,
    done: Receiver<Done>,
    at: At,
    is_torn: bool,
    head: Head,
    /// Whether it is to be opened anew, and was at something when that was asked for.
    reopen_due: bool,
    /// Whether it took the last lines that it was given, in time.
    is_well: bool,
    /// Why not.
    trouble: Option<Arc<io::Error>>,
}

/// What a file is at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Rest,
    /// A task that it was given just now, and that is waited for.
    Work,
    /// One that lasts: nobody waits for it, and it gets no other before.
    LateWork,
}

/// The files, and where the chain is.
pub(super) struct Several {
    hands: Vec<Hand>,
    require: Require,
    /// How long a file may take for what it is given.
    patience: Duration,
    head: Head,
    /// Lines of which it is not known whether a file has them: they come first, as they are.
    undecided: Option<Arc<Batch>>,
    /// When files that are behind were last given time to catch up, without a new line.
    caught_up: Option<Instant>,
}

impl Several {
    /// Starts a thread for each file. The chain goes on behind the longest one, on which all the others must lie.
    pub(super) fn start(mut sinks: Vec<FileSink>, require: Require, patience: Duration) -> io::Result<Self> {
        let head = one_chain(&sinks)?;
        let mut hands = Vec::new();
        for mut sink in sinks.drain(..) {
            if sink.head().seq == 0 {
                // A new file begins where the others are.
                sink.begin_behind(head);
            }
            let (tasks, waiting) = channel();
            let (finished, done) = channel();
            let hand = Hand {
                path: sink.path().to_owned(),
                tasks,
                done,
                at: At::Rest,
                is_torn: false,
                head: sink.head(),
                reopen_due: false,
                is_well: true,
                trouble: None,
            };
            hands.push(hand);
            std::thread::Builder::new().name("audit-file".into()).spawn(move || {
                while let Ok(task) = waiting.recv() {
                    if finished.send(done_by(&mut sink, task)).is_err() {
                        return;
                    }
                }
            })?;
        }
        Ok(Self { hands, require, patience, head, undecided: None, caught_up: None })
    }

    /// The end of the chain.
    pub(super) const fn head(&self) -> Head {
        self.head
    }

    /// Chains events and writes them; returns when so many files have them as must.
    pub(super) fn write(&mut self, events: &[Vec<u8>]) -> io::Result<()> {
        if let Some(undecided) = self.undecided.take() {
            self.give(&undecided);
            if self.count(undecided.after) == 0 {
                self.undecided = Some(undecided);
                return Err(self.why());
            }
            self.head = undecided.after;
        }
        let (before, mut after, mut lines) = (self.head, self.head, Vec::new());
        for event in events {
            after.chain(event, &mut lines);
        }
        let batch = Arc::new(Batch { before, lines, after });
        self.give(&batch);
        let had = self.count(after);
        if had > 0 {
            self.head = after;
        } else if self.hands.iter().any(|hand| hand.at != At::Rest || hand.is_torn) {
            self.undecided = Some(batch);
        }
        let enough = match self.require {
            Require::All => self.hands.len(),
            Require::Any => 1,
        };
        if had >= enough { Ok(()) } else { Err(self.why()) }
    }

    /// Lets files that are behind catch up, without a new line; not all the time, because anybody can ask how the gateway does, and events wait
    /// meanwhile.
    pub(super) fn catch_up(&mut self) {
        if self.caught_up.is_some_and(|at| at.elapsed() < BETWEEN) {
            return;
        }
        // What comes of it is seen in how far they are.
        drop(self.write(&[]));
        self.caught_up = Some(Instant::now());
    }

    /// Opens each file anew by its name.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let mut failed = None;
        self.collect();
        for hand in &mut self.hands {
            // A file that hangs is opened anew when it does not any more, before it is given anything else.
            hand.reopen_due = hand.at != At::Rest;
            hand.take_on(|| Task::Reopen);
        }
        self.wait(|_| false, &mut |error| failed = Some(error));
        let hangs = self.hands.iter().find(|hand| hand.at != At::Rest);
        let late = hangs.map(|hand| io::Error::new(io::ErrorKind::TimedOut, format!("{} hangs", hand.path.display())));
        failed.or(late).map_or(Ok(()), Err)
    }

    /// The files that do not have all lines.
    pub(super) fn behind(&self) -> Vec<(PathBuf, String)> {
        let behind = self.hands.iter().filter(|hand| !hand.is_well || hand.head.seq < self.head.seq);
        let why = |hand: &Hand| hand.trouble.as_ref().map_or_else(|| "it does not answer".to_owned(), ToString::to_string);
        behind.map(|hand| (hand.path.clone(), why(hand))).collect()
    }

    /// How many files have all up to a head.
    fn count(&self, head: Head) -> usize {
        self.hands.iter().filter(|hand| hand.head == head && hand.at == At::Rest).count()
    }

    fn why(&self) -> io::Error {
        let trouble = self.hands.iter().find_map(|hand| hand.trouble.as_ref().map(|error| (hand, error)));
        match trouble {
            Some((hand, error)) => io::Error::new(error.kind(), format!("{}: {error}", hand.path.display())),
            None => io::Error::new(io::ErrorKind::TimedOut, "its disk does not answer in time"),
        }
    }

    /// Gives lines to every file that is free, and waits so long as is worth it.
    fn give(&mut self, batch: &Arc<Batch>) {
        self.collect();
        let sources: Vec<_> = self.hands.iter().filter(|hand| hand.at == At::Rest).map(|hand| (hand.path.clone(), hand.head.seq)).collect();
        for hand in &mut self.hands {
            let has_it = |(path, seq): &&(PathBuf, u64)| *path != hand.path && *seq >= batch.before.seq;
            let source = sources.iter().find(has_it).map(|(path, _)| path.clone());
            let reopen = hand.at == At::Rest && std::mem::take(&mut hand.reopen_due);
            hand.take_on(|| Task::Write { batch: Arc::clone(batch), source, reopen });
        }
        let (any, after) = (self.require == Require::Any, batch.after);
        self.wait(|hand| any && hand.head == after, &mut |_| ());
        for hand in &mut self.hands {
            hand.judge(after);
        }
    }

    /// Takes what is done already.
    fn collect(&mut self) {
        for hand in self.hands.iter_mut().filter(|hand| hand.at != At::Rest) {
            if let Ok(done) = hand.done.try_recv() {
                hand.is_done(done, &mut |_| ());
            }
        }
    }

    /// Waits for all who are at a task, and not for ever; less long for the others once one of them is `enough`.
    fn wait(&mut self, enough: impl Fn(&Hand) -> bool, failed: &mut dyn FnMut(io::Error)) {
        let mut until = Instant::now() + self.patience;
        // One that hangs must not keep the answers of the others from being seen: short looks at each by turns.
        let mut look = Duration::from_micros(50);
        let mut is_enough = false;
        while self.hands.iter().any(|hand| hand.at == At::Work) && Instant::now() < until {
            for hand in self.hands.iter_mut().filter(|hand| hand.at == At::Work) {
                match hand.done.recv_timeout(look) {
                    Ok(done) => hand.is_done(done, failed),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => {
                        hand.trouble = Some(Arc::new(io::Error::other("its thread has ended")));
                        hand.at = At::LateWork;
                    }
                }
            }
            look = (look * 2).min(Duration::from_millis(5));
            if !is_enough && self.hands.iter().any(|hand| hand.at == At::Rest && enough(hand)) {
                is_enough = true;
                until = until.min(Instant::now() + GRACE);
            }
        }
    }
}

impl Hand {
    /// Gives it a task, if it is at none.
    fn take_on(&mut self, task: impl FnOnce() -> Task) {
        self.at = match self.at {
            At::Rest if self.tasks.send(task()).is_ok() => At::Work,
            At::Rest => At::Rest,
            At::Work | At::LateWork => At::LateWork,
        };
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
    fn judge(&mut self, after: Head) {
        let is_well = self.at == At::Rest && self.head == after;
        if is_well {
            self.trouble = None;
        }
        if self.is_well && !is_well {
            let reason = self.trouble.as_ref().map_or_else(|| "it does not answer in time".to_owned(), ToString::to_string);
            tracing::error!(file = %self.path.display(), %reason, "a file of the audit trail does not take events");
        } else if !self.is_well && is_well {
            tracing::warn!(file = %self.path.display(), head = %self.head, "the file of the audit trail takes events again, and has what it missed");
        }
        self.is_well = is_well;
    }
}

/// Does a task, in the thread of its file.
fn done_by(sink: &mut FileSink, task: Task) -> Done {
    let outcome = match task {
        Task::Reopen => sink.reopen(),
        Task::Write { batch, source, reopen } => {
            let reopened = if reopen { sink.reopen() } else { Ok(()) };
            reopened.and_then(|()| take(sink, &batch, source.as_deref()))
        }
    };
    Done { head: sink.head(), is_torn: sink.is_torn(), failed: outcome.err() }
}

/// What is missing first, then the lines, or what the file does not have of them already.
fn take(sink: &mut FileSink, batch: &Batch, source: Option<&Path>) -> io::Result<()> {
    sink.mend()?;
    if sink.head().seq < batch.before.seq {
        let source = source.ok_or_else(|| io::Error::other("it is behind, and no other file has what it missed"))?;
        fill(sink, source, batch.before)?;
    }
    let had = usize::try_from(sink.head().seq.saturating_sub(batch.before.seq)).unwrap_or(usize::MAX);
    let rest = batch.lines.split_inclusive(|byte| *byte == b'\n').skip(had).map(<[u8]>::len).sum::<usize>();
    if rest == 0 {
        return Ok(());
    }
    let rest = batch.lines.get(batch.lines.len() - rest..).unwrap_or_default();
    sink.append(rest, batch.after)
}
