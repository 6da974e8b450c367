//! One trail in several sinks, each written by a thread of its own: one that fails or hangs holds up none of the others.
//!
//! All have the same lines. What a sink missed it reads from a file that has it, in order, before it takes anything new: so nothing is kept in memory
//! however long it fails, a restart in between loses nothing, and afterwards there is no gap. Where no file takes the lines and a stream does, which
//! cannot be read again, they are kept until a file has them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::chain::Head;
use super::hand::{At, Hand, Task};
use super::kept::{Batch, Kept};
use super::missed::one_chain;
use super::settings::Require;
use super::sink::Sink;

/// How long the others are waited for when one sink has the lines and one is enough.
const GRACE: Duration = Duration::from_secs(1);
/// How long for those that failed the last time.
const SHORT_GRACE: Duration = Duration::from_millis(100);
/// How often sinks that are behind get time to catch up, without a new line, at most.
const BETWEEN: Duration = Duration::from_secs(1);

/// The sinks, and where the chain is.
pub(super) struct Several {
    hands: Vec<Hand>,
    require: Require,
    /// How long a sink may take for what it is given.
    patience: Duration,
    head: Head,
    /// Lines of which it is not known whether a sink has them: they come first, as they are.
    undecided: Option<Arc<Batch>>,
    /// Lines that a stream has and no file.
    kept: Kept,
    /// When sinks that are behind were last given time to catch up, without a new line.
    caught_up: Option<Instant>,
}

impl Several {
    /// Starts a thread for each sink. The chain goes on behind the furthest one, and all the others must lie on it.
    pub(super) fn start(mut sinks: Vec<Box<dyn Sink>>, require: Require, patience: Duration) -> io::Result<Self> {
        let head = one_chain(&mut sinks)?;
        let mut hands = Vec::new();
        for mut sink in sinks.drain(..) {
            if sink.is_new() {
                // A new one begins where the others are.
                sink.begin_behind(head);
            }
            hands.push(Hand::start(sink)?);
        }
        Ok(Self { hands, require, patience, head, undecided: None, kept: Kept::new(), caught_up: None })
    }

    /// The same, with a bound of its own for what is kept in memory.
    #[cfg(test)]
    pub(super) fn keeping(self, kept: Kept) -> Self {
        Self { kept, ..self }
    }

    /// The end of the chain.
    pub(super) const fn head(&self) -> Head {
        self.head
    }

    /// Chains events and writes them; returns when so many sinks have them as must.
    pub(super) fn write(&mut self, events: &[Vec<u8>]) -> io::Result<()> {
        if let Some(undecided) = self.undecided.take() {
            self.give(&undecided);
            if self.count(undecided.after) == 0 {
                self.undecided = Some(undecided);
                return Err(self.why());
            }
            self.is_at(&undecided);
        }
        self.make_room(events.iter().map(Vec::len).sum())?;
        let (before, mut after, mut lines) = (self.head, self.head, Vec::new());
        for event in events {
            after.chain(event, &mut lines);
        }
        let batch = Arc::new(Batch { before, lines, after });
        self.give(&batch);
        let had = self.count(after);
        if had > 0 {
            self.is_at(&batch);
        } else if self.hands.iter().any(|hand| hand.at != At::Rest || hand.is_torn) {
            self.undecided = Some(batch);
        }
        let enough = match self.require {
            Require::All => self.hands.len(),
            Require::Any => 1,
        };
        if had >= enough { Ok(()) } else { Err(self.why()) }
    }

    /// Lets sinks that are behind catch up, without a new line; not all the time, because anybody can ask how the gateway does, and events wait
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
        for hand in self.hands.iter_mut().filter(|hand| hand.file.is_some()) {
            // A file that hangs is opened anew when it does not any more, before it is given anything else.
            hand.reopen_due = hand.at != At::Rest;
            hand.take_on(|| Task::Reopen);
        }
        self.wait(|_| false, &mut |error| failed = Some(error));
        let hangs = self.hands.iter().find(|hand| hand.file.is_some() && hand.at != At::Rest);
        let late = hangs.map(|hand| io::Error::new(io::ErrorKind::TimedOut, format!("{} hangs", hand.name)));
        failed.or(late).map_or(Ok(()), Err)
    }

    /// The sinks that do not have all lines, and why.
    pub(super) fn behind(&self) -> Vec<(String, String)> {
        let behind = self.hands.iter().filter(|hand| !hand.is_well || hand.head.seq < self.head.seq);
        let why = |hand: &Hand| hand.trouble.as_ref().map_or_else(|| "it does not answer".to_owned(), ToString::to_string);
        behind.map(|hand| (hand.name.clone(), why(hand))).collect()
    }

    /// How many sinks have all up to a head.
    fn count(&self, head: Head) -> usize {
        self.hands.iter().filter(|hand| hand.head == head && hand.at == At::Rest).count()
    }

    fn why(&self) -> io::Error {
        let trouble = self.hands.iter().find_map(|hand| hand.trouble.as_ref().map(|error| (hand, error)));
        match trouble {
            Some((hand, error)) => io::Error::new(error.kind(), format!("{}: {error}", hand.name)),
            None => io::Error::new(io::ErrorKind::TimedOut, "it does not answer in time"),
        }
    }

    /// The chain is at the end of lines that a sink has. They are kept where no file has them.
    fn is_at(&mut self, batch: &Arc<Batch>) {
        self.head = batch.after;
        let furthest = self.furthest_file();
        self.kept.keep(Some(batch), furthest);
    }

    /// The number of the last line that is in a file for certain.
    fn furthest_file(&self) -> u64 {
        self.hands.iter().filter(|hand| hand.file.is_some()).map(|hand| hand.head.seq).max().unwrap_or_default()
    }

    /// Sees that there is a place in memory for lines that no file may take. If there is none, the files are tried with what waits for them.
    fn make_room(&mut self, bytes: usize) -> io::Result<()> {
        if !self.kept.is_full_with(bytes) {
            return Ok(());
        }
        self.give(&Arc::new(Batch { before: self.head, lines: Vec::new(), after: self.head }));
        let furthest = self.furthest_file();
        self.kept.keep(None, furthest);
        if self.kept.is_full_with(bytes) { Err(self.kept.full()) } else { Ok(()) }
    }

    /// Gives lines to every sink that is free, and waits so long as is worth it.
    fn give(&mut self, batch: &Arc<Batch>) {
        self.collect();
        let resting = self.hands.iter().filter(|hand| hand.at == At::Rest);
        let files: Vec<_> = resting.filter_map(|hand| Some((hand.file.clone()?, hand.head.seq))).collect();
        for hand in &mut self.hands {
            let mut batches = if hand.at == At::Rest { self.kept.behind(hand.head.seq) } else { Vec::new() };
            batches.push(Arc::clone(batch));
            let first = batches.first().map(|first| first.before.seq).unwrap_or_default();
            let has_it = |(file, seq): &&(PathBuf, u64)| hand.file.as_ref() != Some(file) && *seq >= first;
            let source = files.iter().find(has_it).map(|(file, _)| file.clone());
            let reopen = hand.at == At::Rest && std::mem::take(&mut hand.reopen_due);
            hand.take_on(|| Task::Write { batches, source, reopen });
        }
        let (any, after) = (self.require == Require::Any, batch.after);
        self.wait(|hand| any && hand.head == after, &mut |_| ());
        for hand in &mut self.hands {
            hand.judge(after);
        }
    }

    /// Takes what is done already.
    fn collect(&mut self) {
        self.hands.iter_mut().for_each(Hand::collect);
    }

    /// Waits for all who are at a task, and not for ever; less long for the others once one of them is `enough`.
    fn wait(&mut self, enough: impl Fn(&Hand) -> bool, failed: &mut dyn FnMut(io::Error)) {
        let now = Instant::now();
        let (mut until, mut until_for_failed) = (now + self.patience, now + self.patience);
        // One that hangs must not keep the answers of the others from being seen: short looks at each by turns.
        let mut look = Duration::from_micros(50);
        let mut is_enough = false;
        loop {
            let now = Instant::now();
            let is_waited_for = |hand: &Hand| hand.at == At::Work && now < if hand.is_well { until } else { until_for_failed };
            if !self.hands.iter().any(is_waited_for) {
                return;
            }
            for hand in self.hands.iter_mut().filter(|hand| hand.at == At::Work) {
                hand.look(look, failed);
            }
            look = (look * 2).min(Duration::from_millis(5));
            if !is_enough && self.hands.iter().any(|hand| hand.at == At::Rest && enough(hand)) {
                is_enough = true;
                until = until.min(Instant::now() + GRACE);
                until_for_failed = until.min(Instant::now() + SHORT_GRACE);
            }
        }
    }
}
