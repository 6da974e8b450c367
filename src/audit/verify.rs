//! Whether a trail is what was written: its chain, followed over all its files in constant memory.
//!
//! What a chain cannot tell: whether lines are missing at its end, whether its last line is what it was, and whether somebody wrote all of it anew. For
//! these there are heads that were noted elsewhere (`expect`).

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::chain::{Digest, Head, Link, Running, is_event};
use super::files::{Packed, files};
use super::lines::{Line, Lines, of_file};
use super::look::Place;

/// How many findings are told one by one.
const MOST: usize = 100;

/// Where the lines must begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With the first line of the chain, and with what stood before it in its file.
    Start,
    /// Behind a head.
    Head(Head),
    /// Anywhere: what was before was removed on purpose, or is not looked at.
    Anywhere,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// In which file; none where a line is nowhere.
    pub file: Option<PathBuf>,
    /// Which line of it, from 1.
    pub line: Option<u64>,
    /// What is wrong, in words.
    pub what: String,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifiedFile {
    /// Which.
    pub file: PathBuf,
    /// How many lines it has.
    pub lines: u64,
    /// The number of its first line in the chain.
    pub first: Option<u64>,
    /// The number of the last one.
    pub last: Option<u64>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The files, the oldest first.
    pub files: Vec<VerifiedFile>,
    /// The number of the first line in the chain.
    pub first: Option<u64>,
    /// The end of the chain as it was read.
    pub head: Option<Head>,
    /// How many lines are in the chain.
    pub chained: u64,
    /// How many events of an earlier version stand before it, in no chain.
    pub before_the_chain: u64,
    /// How many lines are no events: a crash may leave half a one. The line behind them vouches for them.
    pub no_events: u64,
    /// Whether the last line is half a one: it is just being written, or a crash left it.
    pub half_at_the_end: bool,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// How much more is wrong, which is not told one by one.
    pub more_findings: u64,
    /// Whether it was not read to its end, because that was enough.
    pub stopped: bool,
}

impl Verdict {
    /// Whether a chain was there and nothing is wrong with it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty() && self.head.is_some()
    }
}

/// The files of one trail, the oldest first, as rotations left them; and those beside it that are packed in a way that is not read here.
///
/// # Errors
/// The trail is not there, or its folder cannot be read.
pub fn rotated_files(path: &Path) -> io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (read, other): (Vec<_>, Vec<_>) = files(path)?.into_iter().rev().partition(|listed| listed.packed != Packed::Other);
    let paths = |listed: Vec<super::files::Listed>| listed.into_iter().map(|listed| listed.path).collect();
    Ok((paths(read), paths(other)))
}

/// Follows the chain over the files of one trail, packed (`.gz`) ones too. They are put into the order of their numbers; what has none stays behind
/// what it was given behind. `progress` is told how many bytes more were read.
///
/// # Errors
/// A file cannot be read, is no regular one, or cannot be unpacked.
pub fn verify(paths: &[PathBuf], from: Begin, expect: &[Head], progress: &dyn Fn(u64)) -> io::Result<Verdict> {
    let mut walk = Walk::new(from, expect);
    let mut paths = in_order(paths)?.into_iter().peekable();
    while let Some(path) = paths.next() {
        let is_last = paths.peek().is_none();
        walk.file(&path, 0, is_last, progress, &mut |_| false).map_err(|error| of_file(&path, &error))?;
    }
    walk.end();
    Ok(walk.verdict)
}

/// Follows the chain of the trail that lies at `path` around an event: from `before` bytes before it on, over the newer files, until `most` bytes are
/// read. None where the file of the place is gone.
///
/// # Errors
/// A file cannot be read, or nobody waits for it any more ([`io::ErrorKind::Interrupted`]).
pub fn verify_around(path: &Path, place: Place, (before, most): (u64, u64), is_wanted: &dyn Fn() -> bool) -> io::Result<Option<Verdict>> {
    let mut walk = Walk::new(Begin::Anywhere, &[]);
    let mut newer = files(path)?;
    let Some(at) = newer.iter().position(|listed| listed.number == place.file) else { return Ok(None) };
    newer.truncate(at + 1);
    let mut read = 0;
    while let Some(listed) = newer.pop() {
        if listed.packed == Packed::Other {
            walk.verdict.stopped = true;
            break;
        }
        let offset = if listed.number == place.file { place.offset.saturating_sub(before) } else { 0 };
        let mut enough = |more: u64| {
            read += more;
            read >= most || !is_wanted()
        };
        walk.file(&listed.path, offset, newer.is_empty(), &|_| (), &mut enough)?;
        if !is_wanted() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "nobody waits for it any more"));
        }
        if walk.verdict.stopped {
            break;
        }
    }
    walk.end();
    Ok(Some(walk.verdict))
}

/// By the number of each file's first line in the chain.
fn in_order(paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let (mut numbered, mut last) = (Vec::new(), 0);
    for path in paths {
        last = first_number(path).map_err(|error| of_file(path, &error))?.unwrap_or(last);
        numbered.push((last, path));
    }
    numbered.sort_by_key(|(number, _)| *number);
    Ok(numbered.into_iter().map(|(_, path)| path.clone()).collect())
}

pub(super) fn first_number(path: &Path) -> io::Result<Option<u64>> {
    let mut lines = Lines::open(path)?;
    while let Some(line) = lines.next_line()? {
        if let Line::Text(line) = line
            && let Some(link) = Link::of(without_end(line))
        {
            return Ok(Some(link.seq));
        }
    }
    Ok(None)
}

fn without_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

/// A walk along the chain.
struct Walk {
    from: Begin,
    /// Heads that are still to be seen.
    expect: Vec<Head>,
    /// The heads whose line was seen and was another one by itself: what stands behind it may belong to it.
    doubtful: Vec<Head>,
    /// The last line of the chain: its number, and where it stands.
    last: Option<(u64, Spot)>,
    /// That line and what stands behind it; before the chain, what the file has.
    running: Running,
    /// Before the chain, what the file before this one has.
    file_before: Option<Digest>,
    /// Whether something that was not read stands before the next line of the chain.
    is_blind: bool,
    verdict: Verdict,
}

/// A line of a file: the file's place in the list, and the line's number.
#[derive(Clone, Copy)]
struct Spot {
    file: usize,
    line: u64,
}

impl Walk {
    fn new(from: Begin, expect: &[Head]) -> Self {
        Self {
            from,
            expect: expect.to_vec(),
            doubtful: Vec::new(),
            last: None,
            running: Running::new(),
            file_before: None,
            is_blind: false,
            verdict: Verdict::default(),
        }
    }

    /// One file, from the first line on that begins behind an offset. `enough` is told how many bytes each line has, and stops it.
    fn file(
        &mut self,
        path: &Path,
        offset: u64,
        is_last: bool,
        progress: &dyn Fn(u64),
        enough: &mut dyn FnMut(u64) -> bool,
    ) -> io::Result<()> {
        if self.last.is_none() {
            self.file_before = (!self.running.is_empty()).then(|| self.running.digest());
            self.running = Running::new();
        }
        self.verdict.files.push(VerifiedFile { file: path.to_owned(), lines: 0, first: None, last: None });
        let mut lines = Lines::open_at(path, offset)?;
        self.is_blind |= offset > 0;
        let mut told = 0;
        loop {
            let read = lines.read();
            progress(read - told);
            told = read;
            let Some(line) = lines.next_line()? else { return Ok(()) };
            let spot = self.next_spot();
            let length = match line {
                Line::TooLong => {
                    self.found(Some(spot), "it is longer than any event, and was not read".to_owned());
                    self.is_blind = true;
                    0
                }
                Line::Text(line) => {
                    self.line(spot, line, is_last);
                    line.len()
                }
            };
            if enough(length as u64) {
                self.verdict.stopped = true;
                return Ok(());
            }
        }
    }

    fn next_spot(&mut self) -> Spot {
        let file = self.verdict.files.len().saturating_sub(1);
        let line = self.verdict.files.last_mut().map(|file| {
            file.lines += 1;
            file.lines
        });
        Spot { file, line: line.unwrap_or_default() }
    }

    fn line(&mut self, spot: Spot, line: &[u8], is_last: bool) {
        let text = without_end(line);
        let Some(link) = Link::of(text) else {
            if text.len() == line.len() && is_last && !is_event(text) {
                self.verdict.half_at_the_end = true;
                return;
            }
            return self.outside(spot, text);
        };
        if !self.follows(spot, &link) {
            return;
        }
        self.close();
        self.running = Running::of(text);
        self.is_blind = false;
        self.last = Some((link.seq, spot));
        self.verdict.chained += 1;
        self.verdict.first.get_or_insert(link.seq);
        if let Some(file) = self.verdict.files.last_mut() {
            file.first.get_or_insert(link.seq);
            file.last = Some(link.seq);
        }
        let digest = self.running.digest();
        let (here, others) = std::mem::take(&mut self.expect).into_iter().partition(|head| head.seq == link.seq);
        self.expect = others;
        self.doubtful = here;
        self.doubtful.retain(|head: &Head| head.digest != digest);
    }

    /// A line that is none of the chain.
    fn outside(&mut self, spot: Spot, text: &[u8]) {
        self.running.add_line(text);
        if !is_event(text) {
            self.verdict.no_events += 1;
        } else if self.last.is_none() {
            self.verdict.before_the_chain += 1;
        } else {
            let what =
                "it has no place in the chain, which has begun before: it was put in or changed, or an earlier version wrote it".to_owned();
            self.found(Some(spot), what);
        }
    }

    /// Whether a line of the chain takes its place in it, right or wrong; what does not belong here at all is passed over.
    fn follows(&mut self, spot: Spot, link: &Link) -> bool {
        let Some((last, before)) = self.last else {
            self.begins(spot, link);
            return true;
        };
        if link.seq == 1 {
            self.found(Some(spot), format!("a chain begins anew here: nothing links it to the event {last} before it"));
        } else if link.seq <= last {
            let what = format!("it is the event {}, and {last} has been before: it was put in, doubled or moved", link.seq);
            self.found(Some(spot), what);
            return false;
        } else if link.seq > last + 1 {
            let missing = if link.seq == last + 2 {
                format!("the event {} is", last + 1)
            } else {
                format!("the events {} to {} are", last + 1, link.seq - 1)
            };
            self.found(Some(spot), format!("{missing} missing before it: taken out, or moved"));
        } else if !self.is_blind && link.prev != self.running.digest() {
            let what = format!(
                "it is the event {last}, and not what it was when the next one was written: it was changed, or something behind it was"
            );
            self.found(Some(before), what);
        }
        true
    }

    /// The first line of the chain that is there.
    fn begins(&mut self, spot: Spot, link: &Link) {
        let what = match self.from {
            Begin::Head(head) if (link.seq, link.prev) == (head.seq + 1, head.digest) => return,
            Begin::Head(head) => format!("it is the event {}, and does not follow on the head {head}", link.seq),
            Begin::Start | Begin::Anywhere if link.seq == 1 && !self.is_blind => {
                let before = if self.running.is_empty() { self.file_before } else { Some(self.running.digest()) };
                let may_lack = self.from == Begin::Anywhere && before.is_none();
                if link.prev == before.unwrap_or_default() || may_lack {
                    return;
                }
                "it is the first event of the chain, and what stands before it is not what it was: changed, put in, or taken out".to_owned()
            }
            Begin::Start => format!("the trail begins with the event {}: what was before is missing", link.seq),
            Begin::Anywhere => return,
        };
        self.found(Some(spot), what);
    }

    /// Judges the heads whose event was the last one, now that it is known what stands behind it.
    fn close(&mut self) {
        let digest = self.running.digest();
        for head in std::mem::take(&mut self.doubtful) {
            if head.digest != digest {
                let spot = self.last.map(|(_, spot)| spot);
                self.found(spot, format!("it is the event {}, and not the one that was noted as {head}", head.seq));
            }
        }
    }

    fn end(&mut self) {
        self.close();
        self.verdict.head = self.last.map(|(seq, _)| Head { seq, digest: self.running.digest() });
        let last = self.last.map_or(0, |(seq, _)| seq);
        for head in std::mem::take(&mut self.expect) {
            let what = if head.seq > last {
                format!("the event {} was noted as {head}, and the trail ends with {last}: what was behind is missing", head.seq)
            } else {
                format!("the event {} was noted as {head}, and is not in these files", head.seq)
            };
            self.found(None, what);
        }
        if self.last.is_none() {
            self.found(None, "no line is in a chain: there is nothing that could be verified".to_owned());
        }
    }

    fn found(&mut self, spot: Option<Spot>, what: String) {
        if self.verdict.findings.len() >= MOST {
            self.verdict.more_findings += 1;
            return;
        }
        let file = spot.and_then(|spot| self.verdict.files.get(spot.file)).map(|file| file.file.clone());
        self.verdict.findings.push(Finding { file, line: spot.map(|spot| spot.line), what });
    }
}

#[cfg(test)]
mod tests;
