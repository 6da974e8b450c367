//! Sinks that cannot be read again: standard output, a syslog collector, an HTTP receiver.
//!
//! A stream gets the same lines as the files, in the same order. How far it is stands in a small file, so that what it missed is read from a file of
//! the trail and sent, over restarts too. Between the sending and that note the process may end: a line may be sent twice, and its `seq` tells.

mod format;
mod net;
mod position;
mod stdout;
mod syslog;
mod target;
mod webhook;

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::chain::{Head, Link, Running};
use super::sink::Sink;
use position::Position;
pub(super) use position::position_of;
use stdout::Stdout;
use syslog::Syslog;
pub use target::Target;
use target::Way;
use webhook::Webhook;

/// How many bytes are sent at a time, but for a line that is longer.
const MOST: usize = 1 << 20;
/// Who fails within this time may be tried again at once.
const QUICK: Duration = Duration::from_millis(100);
/// How long one rests at most that does not.
const LONGEST_REST: Duration = Duration::from_secs(10);

/// What carries lines away.
trait Medium: Send {
    /// Sends whole lines; returns when they were taken. After a failure some of them may have been.
    fn send(&mut self, lines: &[u8]) -> io::Result<()>;
}

/// A stream, and how far it is.
pub(super) struct Stream {
    name: String,
    medium: Box<dyn Medium>,
    position: Position,
    head: Head,
    is_new: bool,
    /// Whether the last sending failed, so that more than is known may have gone out.
    torn: bool,
    rest: Rest,
}

/// Who fails slowly rests for a while: to find what it missed, and to wait for it, must not be all that is done.
struct Rest {
    begun: Instant,
    until: Instant,
    why: Option<(io::ErrorKind, String)>,
}

impl Rest {
    /// As one that never failed.
    fn none() -> Self {
        let now = Instant::now();
        Self { begun: now, until: now, why: None }
    }

    /// Begins a try, if it is time for one.
    fn over(&mut self) -> io::Result<()> {
        let now = Instant::now();
        match &self.why {
            Some((kind, why)) if now < self.until => Err(io::Error::new(*kind, why.clone())),
            _ => {
                self.begun = now;
                Ok(())
            }
        }
    }

    /// The try failed: the next one is due after three times as long, but that is not long.
    fn after(&mut self, error: &io::Error) {
        let now = Instant::now();
        let took = now.duration_since(self.begun);
        self.until = now + if took < QUICK { Duration::ZERO } else { (took * 3).min(LONGEST_REST) };
        self.why = Some((error.kind(), error.to_string()));
    }
}

impl Stream {
    /// Where it was left, as noted beside a trail's first file. Nothing is connected to: whoever is down at the start gets everything later.
    pub(super) fn open(target: Target, trail: &Path, patience: Duration) -> io::Result<Self> {
        let name = target.name();
        let path = position_of(trail, &target.identity());
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let (position, head) = Position::open(path.clone()).map_err(named)?;
        let medium: Box<dyn Medium> = match target.way {
            Way::Stdout => Box::new(Stdout::new()?),
            Way::Syslog(place) => Box::new(Syslog::new(place, patience)),
            Way::Webhook(post) => Box::new(Webhook::new(post, patience)?),
        };
        Ok(Self { name, medium, position, head: head.unwrap_or_default(), is_new: head.is_none(), torn: false, rest: Rest::none() })
    }

    /// The same with another medium: tests make it fail.
    #[cfg(test)]
    pub(super) fn with(medium: impl FnMut(&[u8]) -> io::Result<()> + Send + 'static, trail: &Path) -> io::Result<Self> {
        struct Played<F>(F);
        impl<F: FnMut(&[u8]) -> io::Result<()> + Send> Medium for Played<F> {
            fn send(&mut self, lines: &[u8]) -> io::Result<()> {
                (self.0)(lines)
            }
        }
        let (position, head) = Position::open(position_of(trail, "played"))?;
        let (medium, is_new) = (Box::new(Played(medium)), head.is_none());
        Ok(Self { name: "played".to_owned(), medium, position, head: head.unwrap_or_default(), is_new, torn: false, rest: Rest::none() })
    }

    fn is_at(&mut self, head: Head) {
        self.head = head;
        self.is_new = false;
        self.position.note(head);
    }
}

impl Sink for Stream {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn file(&self) -> Option<&Path> {
        None
    }

    fn head(&self) -> Head {
        self.head
    }

    fn is_new(&self) -> bool {
        self.is_new
    }

    fn is_torn(&self) -> bool {
        self.torn
    }

    fn begin_behind(&mut self, head: Head) {
        self.is_at(head);
    }

    fn mend(&mut self) -> io::Result<()> {
        // What went out cannot be looked at: it is sent again.
        self.rest.over()
    }

    fn append(&mut self, lines: &[u8], after: Head) -> io::Result<()> {
        let mut rest = lines;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(first_lines(rest, MOST));
            if let Err(error) = self.medium.send(piece) {
                self.torn = true;
                self.rest.after(&error);
                return Err(error);
            }
            self.is_at(if behind.is_empty() { after } else { head_of(piece).unwrap_or(self.head) });
            rest = behind;
        }
        self.torn = false;
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many bytes the whole lines have that are so many bytes together, or the first one if it is longer.
fn first_lines(lines: &[u8], most: usize) -> usize {
    if lines.len() <= most {
        return lines.len();
    }
    let end_of = |part: &[u8]| part.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
    let first = || lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |at| at + 1);
    lines.get(..most).and_then(end_of).unwrap_or_else(first)
}

/// The head behind the last one of whole lines.
fn head_of(lines: &[u8]) -> Option<Head> {
    let last = lines.strip_suffix(b"\n")?.rsplit(|byte| *byte == b'\n').next()?;
    Some(Head { seq: Link::of(last)?.seq, digest: Running::of(last).digest() })
}

#[cfg(test)]
mod tests;
