//! What takes the lines of a trail, and the one that can be read again: a file, to which lines are appended and flushed, or none of them is in it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::chain::Head;
use super::resume::resume;

/// What takes the lines of a trail: a file, or a stream that cannot be read back.
pub(super) trait Sink: Send {
    /// What it is called in the log and in alarms. Nothing secret is in it.
    fn name(&self) -> String;

    /// The file that others can read what they missed from, if it is one.
    fn file(&self) -> Option<&Path>;

    /// The last line that it has for certain.
    fn head(&self) -> Head;

    /// Whether it never had a line: it begins where the others are.
    fn is_new(&self) -> bool;

    /// Whether it may have more than that, after a failure.
    fn is_torn(&self) -> bool;

    /// Takes a head for its own, where the chain's lines up to there are not to be had any more, or are not for it.
    fn begin_behind(&mut self, head: Head);

    /// Looks what a failure left, if there was one and it can be seen.
    fn mend(&mut self) -> io::Result<()>;

    /// Takes whole lines, after which the chain is at `after`. On failure it may have the first of them, as its head says.
    fn append(&mut self, lines: &[u8], after: Head) -> io::Result<()>;

    /// Begins a new file of the same name, if the old one was moved away.
    fn reopen(&mut self) -> io::Result<()>;
}

/// How a file is flushed to its disk.
pub(super) type Flush = Box<dyn FnMut(&File) -> io::Result<()> + Send>;

/// What is done with half a line, which a crash or a failed write left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    /// It stays, and the next line vouches for it.
    Keep,
    /// It is cut off: the next line must be the same in several files.
    Cut,
}

/// The file, and how far its chain is.
pub(super) struct FileSink {
    file: File,
    path: PathBuf,
    half: Half,
    head: Head,
    /// Whether a failed write could not be undone, so that the file may end in half a line, or have whole ones that count for nobody.
    torn: bool,
    flush: Flush,
}

impl FileSink {
    /// Opens a file to append to; makes it, readable by its owner alone, if it is not there.
    pub(super) fn open(path: PathBuf, half: Half) -> io::Result<Self> {
        let file = open(&path, half)?;
        let head = resume(&path, &file)?.unwrap_or_default();
        Ok(Self { file, path, half, head, torn: false, flush: Box::new(File::sync_data) })
    }

    /// The same, with another way of flushing: tests make it fail, or last.
    #[cfg(test)]
    pub(super) fn flushed_by(mut self, flush: Flush) -> Self {
        self.flush = flush;
        self
    }

    /// As a failed write leaves it that could not be undone.
    #[cfg(test)]
    pub(super) fn tear(&mut self, left: &[u8]) {
        self.file.write_all(left).unwrap();
        self.torn = true;
    }
}

impl Sink for FileSink {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn file(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn head(&self) -> Head {
        self.head
    }

    fn is_new(&self) -> bool {
        self.head.seq == 0
    }

    fn is_torn(&self) -> bool {
        self.torn
    }

    fn begin_behind(&mut self, head: Head) {
        self.head = head;
    }

    /// Looks what a failed write left, if one did. The chain goes on behind it, as behind what a crash leaves.
    fn mend(&mut self) -> io::Result<()> {
        if !self.torn {
            return Ok(());
        }
        end_last_line(&mut self.file, self.half)?;
        self.head = resume(&self.path, &self.file)?.unwrap_or(self.head);
        self.torn = false;
        Ok(())
    }

    /// Appends lines, after which the chain is at `after`, and waits for the disk. On failure the file is cut back to where it was.
    fn append(&mut self, lines: &[u8], after: Head) -> io::Result<()> {
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
        let written = self.file.write_all(lines).and_then(|()| (self.flush)(&self.file));
        match &written {
            Ok(()) => self.head = after,
            Err(_) => self.torn = self.file.set_len(before.len()).is_err(),
        }
        written
    }

    /// Opens the file anew by its name, after it was moved away.
    fn reopen(&mut self) -> io::Result<()> {
        let (there, held) = (std::fs::metadata(&self.path), self.file.metadata()?);
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino())) {
            return Ok(());
        }
        if held.nlink() > 0 {
            // What a failed write left in the old file counts or does not, before the chain goes on in the new one.
            self.mend()?;
        }
        self.file = open(&self.path, self.half)?;
        self.torn = false;
        tracing::info!(file = %self.path.display(), head = %self.head, "the audit trail goes on in a new file, behind this head");
        Ok(())
    }
}

fn open(path: &Path, half: Half) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    // Two writers would cut each other's lines off after a failure.
    file.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => io::Error::new(io::ErrorKind::ResourceBusy, "another process writes to it"),
        std::fs::TryLockError::Error(error) => error,
    })?;
    end_last_line(&mut file, half)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        // The file's name must survive a power failure as well as its content.
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

/// A crash may have left half a line, which nobody was told is there: it must not swallow the next one.
fn end_last_line(file: &mut File, half: Half) -> io::Result<()> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    match half {
        _ if last == *b"\n" => Ok(()),
        Half::Keep => file.write_all(b"\n"),
        Half::Cut => {
            let end = end_of_whole_lines(file, metadata.len())?;
            file.set_len(end)
        }
    }
}

/// Where the last whole line ends.
fn end_of_whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    const BLOCK: u64 = 64 * 1024;
    let (mut end, mut block) = (length, Vec::new());
    while end > 0 {
        let begin = end.saturating_sub(BLOCK);
        block.clear();
        file.seek(SeekFrom::Start(begin))?;
        Read::by_ref(file).take(end - begin).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + at as u64 + 1);
        }
        end = begin;
    }
    Ok(0)
}
