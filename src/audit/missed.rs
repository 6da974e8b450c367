//! What one sink of the trail missed and a file of it has.

use std::io;
use std::path::{Path, PathBuf};

use super::chain::{Digest, Head, Link, Running};
use super::files::{Packed, files};
use super::lines::{Line, Lines};
use super::sink::Sink;

/// How many bytes are caught up with at a time.
pub(super) const PIECE: usize = 1 << 20;
/// How near to a line its place is found before it is read up to there, in bytes.
const NEAR: u64 = 256 * 1024;

/// Copies the lines that are missing up to a head from a file of the same trail, and from what rotations left of it.
pub(super) fn fill(sink: &mut dyn Sink, source: &Path, upto: Head) -> io::Result<()> {
    let mut gap = None;
    // A rotation while the files are looked for looks like a gap: it is one if it is there the second time too.
    while let Some(behind) = copy(sink, source, upto, gap)? {
        gap = Some(behind);
    }
    if sink.head().seq != upto.seq {
        tracing::error!(sink = %sink.name(), wanted = %upto, had = %sink.head(), "not all that the sink missed could be copied: it has a gap");
    }
    sink.begin_behind(upto);
    Ok(())
}

/// Copies as far as there is no gap but the one behind `accepted`; tells behind which line there is another.
fn copy(sink: &mut dyn Sink, source: &Path, upto: Head, accepted: Option<u64>) -> io::Result<Option<u64>> {
    let wanted = sink.head().seq + 1;
    // Where a gap was seen, what was passed over is looked at as well.
    let from = |path: &Path| if accepted.is_none() { near(path, wanted) } else { Ok(0) };
    let opened = holding(source, wanted)?;
    let opened: Vec<_> = opened.iter().map(|path| Lines::open_at(path, from(path)?)).collect::<io::Result<_>>()?;
    let (mut piece, mut head) = (Vec::new(), sink.head());
    for mut lines in opened {
        while let Some(line) = lines.next_line()? {
            let Line::Text(line) = line else { continue };
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let Some(link) = Link::of(text).filter(|link| link.seq > head.seq && link.seq <= upto.seq) else { continue };
            if link.seq == head.seq + 1 {
                if link.prev != head.digest && accepted != Some(head.seq) {
                    return Err(parted(&sink.name(), &source.display().to_string(), head.seq));
                }
            } else if accepted == Some(head.seq) {
                tracing::error!(from = head.seq + 1, to = link.seq - 1, sink = %sink.name(), "events are missing where they are copied from");
            } else {
                if !piece.is_empty() {
                    sink.append(&piece, head)?;
                }
                return Ok(Some(head.seq));
            }
            piece.extend_from_slice(text);
            piece.push(b'\n');
            head = Head { seq: link.seq, digest: Running::of(text).digest() };
            if piece.len() >= PIECE {
                sink.append(&std::mem::take(&mut piece), head)?;
            }
        }
    }
    if !piece.is_empty() {
        sink.append(&piece, head)?;
    }
    Ok(None)
}

/// An offset in a file before the line of a number, and not far before it where it can be found by halving: who is away for hours is tried often.
fn near(path: &Path, seq: u64) -> io::Result<u64> {
    let (mut before, mut behind) = (0, if Packed::of(path) == Packed::No { std::fs::metadata(path)?.len() } else { 0 });
    while behind - before > NEAR {
        let middle = before + (behind - before) / 2;
        let mut lines = Lines::open_at(path, middle)?;
        if next_number(&mut lines)?.is_some_and(|number| number <= seq) { before = middle } else { behind = middle }
    }
    Ok(before)
}

/// The number of the next line that is one of a chain.
fn next_number(lines: &mut Lines) -> io::Result<Option<u64>> {
    while let Some(line) = lines.next_line()? {
        if let Line::Text(line) = line
            && let Some(link) = Link::of(line.strip_suffix(b"\n").unwrap_or(line))
        {
            return Ok(Some(link.seq));
        }
    }
    Ok(None)
}

/// The end of the one chain on which all sinks lie: that of the file that goes on longest, or of a stream that had lines which no file got before
/// the last end of the process. Those are lost to the files, which go on behind them: one chain, and a gap that is told of.
///
/// Sinks that each went on alone, as when one was left out of the configuration for a while and the other afterwards, are not joined: events would be
/// missing in either, and nobody could tell.
pub(super) fn one_chain(sinks: &mut [Box<dyn Sink>]) -> io::Result<Head> {
    // Of files without a line of the chain one may have lines of an earlier version, for which the first line vouches.
    let rank = |head: &Head| (head.seq, head.digest != Head::default().digest);
    let files = sinks.iter().rev().filter_map(|sink| Some((sink.file()?.to_owned(), sink.head())));
    let (longest, head) = files.max_by_key(|(_, head)| rank(head)).unwrap_or_default();
    for sink in sinks.iter().filter(|sink| !sink.is_new() && sink.head().seq <= head.seq) {
        let own = sink.head();
        let follows = if own.seq == head.seq { Some(head.digest) } else { following(&longest, own.seq)? };
        match follows {
            Some(digest) if digest != own.digest => return Err(parted(&sink.name(), &longest.display().to_string(), own.seq)),
            Some(_) => {}
            None => {
                tracing::error!(sink = %sink.name(), behind = %own, "what the sink missed is not to be had any more: it will have a gap");
            }
        }
    }
    let ahead = sinks.iter().filter(|sink| !sink.is_new() && sink.head().seq > head.seq);
    let Some((name, furthest)) = ahead.map(|sink| (sink.name(), sink.head())).max_by_key(|(_, head)| head.seq) else { return Ok(head) };
    if let Some(other) = sinks.iter().find(|sink| sink.head().seq == furthest.seq && sink.head() != furthest) {
        return Err(parted(&other.name(), &name, furthest.seq));
    }
    let (from, to) = (head.seq + 1, furthest.seq);
    tracing::error!(from, to, sink = %name, "no file of the audit trail has these events, which a stream had: the trail goes on behind them");
    for sink in sinks.iter_mut().filter(|sink| sink.file().is_some() && sink.head() == head) {
        sink.begin_behind(furthest);
    }
    Ok(furthest)
}

/// What the line behind a number says of the one before it, if the trail has it still.
fn following(path: &Path, seq: u64) -> io::Result<Option<Digest>> {
    for path in holding(path, seq + 1)? {
        let mut lines = Lines::open(&path)?;
        while let Some(line) = lines.next_line()? {
            let Line::Text(line) = line else { continue };
            match Link::of(line.strip_suffix(b"\n").unwrap_or(line)) {
                Some(link) if link.seq == seq + 1 => return Ok(Some(link.prev)),
                _ => {}
            }
        }
    }
    Ok(None)
}

fn parted(one: &str, other: &str, seq: u64) -> io::Error {
    let message = format!("{one} and {other} are not one trail: behind event {seq} each went on alone");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// The files of a trail that may have a line or one behind it, the oldest first.
fn holding(path: &Path, seq: u64) -> io::Result<Vec<PathBuf>> {
    let mut holding = Vec::new();
    for listed in files(path)?.into_iter().filter(|listed| listed.packed != Packed::Other) {
        let first = super::verify::first_number(&listed.path)?;
        holding.insert(0, listed.path);
        if first.is_some_and(|first| first <= seq) {
            break;
        }
    }
    Ok(holding)
}

#[cfg(test)]
mod tests;
