//! The audit trail, and the one thread that writes it.
//!
//! The thread makes the chain too: it alone knows the order. A line that was not written is not in the chain.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::Instrument;

use super::Event;
use super::chain::Head;
use super::counts::{Counts, Sort};
use super::settings::Require;
use super::several::Several;
use super::sink::{FileSink, Half, Sink};
use super::stream::{Stream, Target};
use crate::spans;

/// How many events may wait to be written; the next one waits for a place.
const QUEUE: usize = 1024;
/// How many bytes are gathered for one write.
const BATCH: usize = 1 << 20;
/// After so many events the log says where the chain is: whoever keeps the log elsewhere can tell later whether the trail is still that one.
const HEADS: u64 = 1000;

/// An event is not on record. Nothing may be handed over.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the audit trail {file} cannot be written")]
pub struct AuditUnavailable {
    file: Arc<str>,
    #[source]
    cause: Arc<io::Error>,
}

/// The audit trail. Cheap to clone; its sinks close with the last clone, after what waits is written.
#[derive(Debug, Clone)]
pub struct AuditLog {
    jobs: mpsc::Sender<Job>,
    file: Arc<str>,
    /// How long an event is waited for.
    deadline: Duration,
    /// Whether the last event was recorded.
    healthy: Arc<AtomicBool>,
    /// In how many of several sinks an event must be.
    require: Require,
    behind: Arc<Mutex<Behind>>,
    counts: Arc<Counts>,
}

/// The sinks that do not have all events, and why.
#[derive(Debug, Default)]
struct Behind {
    sinks: Vec<(String, String)>,
    /// Why one of them fell behind of which nobody was told yet.
    news: Option<String>,
}

type Answer = Result<(), Arc<io::Error>>;

enum Job {
    /// An event as JSON, without its place in the chain, and what it is counted by.
    Write(Vec<u8>, Sort, oneshot::Sender<Answer>),
    CatchUp(oneshot::Sender<Answer>),
    Reopen(oneshot::Sender<Answer>),
}

/// Where the lines go.
enum Writer {
    /// Into one file.
    One(FileSink),
    /// Into several sinks, by threads of their own.
    Several(Several),
}

impl AuditLog {
    /// How long an event is waited for, where nothing else is said.
    pub const DEADLINE: Duration = Duration::from_secs(10);

    /// Opens a trail of one file to append to; makes it, readable by its owner alone, if it is not there.
    ///
    /// # Errors
    /// The file cannot be opened for appending, or another process holds it.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        Self::of_files(vec![path.into()], Require::All, Self::DEADLINE)
    }

    /// Opens a trail that all of these files have, the first one for those who look into it.
    ///
    /// # Errors
    /// As [`Self::open`], for any of them.
    pub fn of_files(files: Vec<PathBuf>, require: Require, deadline: Duration) -> io::Result<Self> {
        Self::of_sinks(files, Vec::new(), require, deadline)
    }

    /// Opens a trail that all of these files have, and streams, how far each of which is stands beside the first file.
    pub(super) fn of_sinks(files: Vec<PathBuf>, streams: Vec<Target>, require: Require, deadline: Duration) -> io::Result<Self> {
        let named = |path: PathBuf, half| {
            FileSink::open(path.clone(), half).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        };
        let path = files.first().cloned().unwrap_or_default();
        if files.len() < 2 && streams.is_empty() {
            return Self::start(&path, Writer::One(named(path.clone(), Half::Keep)?), require, deadline);
        }
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        for file in files {
            sinks.push(Box::new(named(file, Half::Cut)?));
        }
        // Half of the time is for the sink, the other one for what waits before it.
        let patience = deadline / 2;
        for target in streams {
            // After the files: who holds them has the positions, too.
            sinks.push(Box::new(Stream::open(target, &path, patience)?));
        }
        Self::start(&path, Writer::Several(Several::start(sinks, require, patience)?), require, deadline)
    }

    fn start(path: &Path, mut writer: Writer, require: Require, deadline: Duration) -> io::Result<Self> {
        let name: Arc<str> = path.display().to_string().into();
        tracing::info!(file = %name, head = %writer.head(), "the audit trail goes on behind this head");
        let behind = Arc::new(Mutex::new(Behind::default()));
        let (jobs, mut waiting) = mpsc::channel(QUEUE);
        let counts = Arc::new(Counts::default());
        let shared = Shared { file: Arc::clone(&name), behind: Arc::clone(&behind), counts: Arc::clone(&counts) };
        // A thread of its own, because waiting for a disk would hold up a worker that serves others.
        std::thread::Builder::new().name("audit".into()).spawn(move || {
            writer.catch_up_at_start(&shared.behind);
            while let Some(job) = waiting.blocking_recv() {
                work(&mut writer, job, &mut waiting, &shared);
            }
        })?;
        Ok(Self { jobs, file: name, deadline, healthy: Arc::new(AtomicBool::new(true)), require, behind, counts })
    }

    /// Writes an event and returns when it is on record. Events that wait at the same time share one write.
    ///
    /// # Errors
    /// [`AuditUnavailable`]: nothing may be handed over. Later events may fare better. Where a disk did not answer in time, or one sink of several did
    /// not take it, it may be in the trail yet.
    pub async fn record(&self, event: &Event) -> Result<(), AuditUnavailable> {
        let line = serde_json::to_vec(event).map_err(|error| self.unavailable(Arc::new(error.into())))?;
        let span = tracing::trace_span!(target: spans::TARGET, "audit", otel.name = "audit trail");
        let written = self.ask(|answer| Job::Write(line, event.into(), answer)).instrument(span).await;
        if written.is_err() {
            self.counts.miss();
        }
        self.healthy.store(written.is_ok(), Ordering::Relaxed);
        written
    }

    /// The file, of several the first one.
    #[must_use]
    pub fn path(&self) -> &Path {
        Path::new(&*self.file)
    }

    /// Whether the last event was recorded.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// How many of several sinks do not have all events.
    #[must_use]
    pub fn behind(&self) -> usize {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner).sinks.len()
    }

    /// Whether a sink is behind that must have every event: no event can be recorded then.
    #[must_use]
    pub fn lacks_a_sink(&self) -> bool {
        self.require == Require::All && self.behind() > 0
    }

    /// How many events of each sort are on record since the start; none where there were none.
    #[must_use]
    pub fn counts(&self) -> Vec<(Sort, u64)> {
        self.counts.on_record()
    }

    /// How many events were not on record when they had to be, since the start. A disk that hung may have written some of them later: those are among
    /// the counts as well.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.counts.missed()
    }

    /// Which sink fell behind and why, if one did and this was not asked since.
    #[must_use]
    pub fn take_news(&self) -> Option<String> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner).news.take()
    }

    /// Lets sinks that are behind have what they missed, if they can be written again.
    pub async fn catch_up(&self) {
        // How it went is in `behind`.
        drop(self.ask(Job::CatchUp).await);
    }

    /// Opens the files anew by their names, after they were moved away. What waits is written to the old ones first.
    ///
    /// # Errors
    /// [`AuditUnavailable`]: one cannot be opened; the old one stays in use.
    pub async fn reopen(&self) -> Result<(), AuditUnavailable> {
        self.ask(Job::Reopen).await
    }

    async fn ask(&self, job: impl FnOnce(oneshot::Sender<Answer>) -> Job) -> Result<(), AuditUnavailable> {
        let (answer, answered) = oneshot::channel();
        let gone = || self.unavailable(Arc::new(io::Error::other("the audit thread has ended")));
        let asked = async {
            self.jobs.send(job(answer)).await.map_err(|_| gone())?;
            answered.await.map_err(|_| gone())?.map_err(|cause| self.unavailable(cause))
        };
        // What waits in a hanging disk may be written yet: an event too many is no harm, and nobody was handed anything.
        let late = || io::Error::new(io::ErrorKind::TimedOut, format!("it does not answer within {:?}", self.deadline));
        timeout(self.deadline, asked).await.unwrap_or_else(|_| Err(self.unavailable(Arc::new(late()))))
    }

    fn unavailable(&self, cause: Arc<io::Error>) -> AuditUnavailable {
        AuditUnavailable { file: self.file.clone(), cause }
    }
}

impl Behind {
    fn learn(&mut self, sinks: Vec<(String, String)>) {
        if let Some((name, why)) = sinks.iter().find(|(name, _)| !self.sinks.iter().any(|(known, _)| known == name)) {
            self.news = Some(format!("{name}: {why}"));
        }
        self.sinks = sinks;
    }
}

/// What the thread tells whoever asks.
struct Shared {
    file: Arc<str>,
    behind: Arc<Mutex<Behind>>,
    counts: Arc<Counts>,
}

/// Does one job, and with it all writes that wait behind it.
fn work(writer: &mut Writer, first: Job, waiting: &mut mpsc::Receiver<Job>, shared: &Shared) {
    let Shared { file, behind, counts } = shared;
    let (mut events, mut sorts, mut size, mut answers) = (Vec::new(), Vec::new(), 0, Vec::new());
    let mut next = Some(first);
    let other = loop {
        match next {
            Some(Job::Write(event, sort, answer)) => {
                size += event.len();
                events.push(event);
                sorts.push(sort);
                answers.push(answer);
            }
            other => break other,
        }
        next = if size < BATCH { waiting.try_recv().ok() } else { None };
    };
    if !answers.is_empty() {
        let before = writer.head();
        let written = writer.write(&events).map_err(Arc::new);
        writer.tell(behind);
        if written.is_ok() {
            counts.add(sorts);
        }
        match &written {
            Err(error) => tracing::error!(%error, %file, "the audit trail cannot be written; nothing is handed over until it can"),
            Ok(()) if writer.head().seq / HEADS > before.seq / HEADS => {
                tracing::info!(%file, head = %writer.head(), "the audit trail's head");
            }
            Ok(()) => {}
        }
        for answer in answers {
            // Who does not wait any more has got nothing, and an event too many is no harm.
            drop(answer.send(written.clone()));
        }
    }
    match other {
        Some(Job::Reopen(answer)) => drop(answer.send(writer.reopen().map_err(Arc::new))),
        Some(Job::CatchUp(answer)) => {
            writer.catch_up();
            writer.tell(behind);
            drop(answer.send(Ok(())));
        }
        Some(Job::Write(..)) | None => {}
    }
}

impl Writer {
    fn head(&self) -> Head {
        match self {
            Self::One(sink) => sink.head(),
            Self::Several(several) => several.head(),
        }
    }

    fn write(&mut self, events: &[Vec<u8>]) -> io::Result<()> {
        match self {
            Self::One(sink) => {
                sink.mend()?;
                let (mut after, mut lines) = (sink.head(), Vec::new());
                for event in events {
                    after.chain(event, &mut lines);
                }
                sink.append(&lines, after)
            }
            Self::Several(several) => several.write(events),
        }
    }

    /// Which sinks are behind, before anybody is answered: who is may ask at once.
    fn tell(&self, behind: &Mutex<Behind>) {
        if let Self::Several(several) = self {
            behind.lock().unwrap_or_else(PoisonError::into_inner).learn(several.behind());
        }
    }

    fn catch_up(&mut self) {
        if let Self::Several(several) = self {
            several.catch_up();
        }
    }

    /// What a sink missed before the start it has without an event.
    fn catch_up_at_start(&mut self, behind: &Mutex<Behind>) {
        if matches!(self, Self::Several(several) if !several.behind().is_empty()) {
            self.catch_up();
            self.tell(behind);
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        match self {
            Self::One(sink) => {
                // What a failed write left is vouched for by the first line of the new file, if it can be looked at.
                drop(sink.mend());
                sink.reopen()
            }
            Self::Several(several) => several.reopen(),
        }
    }
}

#[cfg(test)]
mod tests;
