//! Where the chain of a trail goes on when its file is opened: behind the last line of it, wherever that is.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::backwards::Backwards;
use super::chain::{Head, Link, Running};
use super::files::{Packed, rotated};
use super::lines::{Line, Lines};

/// The end of the chain that is in a trail's file, or, where there is none in it, in the newest of those that rotations left beside it. None for what
/// cannot be read again, as a pipe.
///
/// An older file that cannot be read hinders nobody: a new chain is begun, which whoever verifies the trail is told.
///
/// # Errors
/// The file itself cannot be read.
pub(super) fn resume(path: &Path, file: &File) -> io::Result<Option<Head>> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let mut file = file.try_clone()?;
    if let Some((seq, offset)) = last_link(&file, metadata.len())? {
        let mut running = Running::new();
        add_from(&mut file, offset, &mut running)?;
        return Ok(Some(Head { seq, digest: running.digest() }));
    }
    let before = in_older_file(path, metadata.ino()).unwrap_or_else(|error| {
        tracing::warn!(%error, "the trail's newest older file cannot be read: a new chain is begun");
        None
    });
    let (seq, mut running) = before.unwrap_or_else(|| (0, Running::new()));
    // What an earlier version left, or half a line. The first line of the chain, or the next one, is about it too.
    add_from(&mut file, 0, &mut running)?;
    Ok(Some(Head { seq, digest: running.digest() }))
}

/// The last line of a file that is one of a chain: its number, and where it begins.
fn last_link(file: &File, length: u64) -> io::Result<Option<(u64, u64)>> {
    let mut lines = Backwards::new(file.try_clone()?, length);
    while let Some((offset, line)) = lines.next_line(&|| true)? {
        if let Some(link) = Link::of(line.strip_suffix(b"\n").unwrap_or(&line)) {
            return Ok(Some((link.seq, offset)));
        }
    }
    Ok(None)
}

/// All that a file has from an offset on, line by line.
fn add_from(file: &mut File, offset: u64, running: &mut Running) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    let (mut reader, mut line) = (BufReader::new(file), Vec::new());
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        running.add_line(line.strip_suffix(b"\n").unwrap_or(&line));
    }
}

/// What the chain of the newest file that has anything ends with, if it has one.
fn in_older_file(path: &Path, own: u64) -> io::Result<Option<(u64, Running)>> {
    let Some(newest) = rotated(path, own)?.into_iter().find(|listed| listed.length > 0) else { return Ok(None) };
    match newest.packed {
        Packed::Other => {
            let message = format!("{} is packed in a way that is not read here", newest.path.display());
            Err(io::Error::new(io::ErrorKind::Unsupported, message))
        }
        Packed::Gzip => {
            let (mut found, mut lines) = (None, Lines::open(&newest.path)?);
            while let Some(line) = lines.next_line()? {
                let Line::Text(line) = line else {
                    found = None;
                    continue;
                };
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                match (Link::of(line), &mut found) {
                    (Some(link), _) => found = Some((link.seq, Running::of(line))),
                    (None, Some((_, running))) => running.add_line(line),
                    (None, None) => {}
                }
            }
            Ok(found)
        }
        Packed::No => {
            let mut file = File::open(&newest.path)?;
            let length = file.metadata()?.len();
            let Some((seq, offset)) = last_link(&file, length)? else {
                // One of an earlier version, or something that somebody put there.
                tracing::warn!(file = %newest.path.display(), "the newest file beside the audit trail has no chain: a new one is begun");
                return Ok(None);
            };
            let mut running = Running::new();
            add_from(&mut file, offset, &mut running)?;
            Ok(Some((seq, running)))
        }
    }
}
