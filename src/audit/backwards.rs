//! A file's lines from its end to its beginning.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::lines::LONGEST_LINE;

/// How many bytes are read at once.
pub(super) const BLOCK: u64 = 64 * 1024;

/// The lines of a file from an end on backwards.
pub(super) struct Backwards {
    file: File,
    /// What is before the buffer.
    before: u64,
    /// What was read and not given yet.
    buffer: Vec<u8>,
    /// How many bytes were read and not counted yet.
    pub(super) read: u64,
    /// Whether the end has been looked at: half a line there is one that is just being written.
    begun: bool,
}

impl Backwards {
    pub(super) const fn new(file: File, end: u64) -> Self {
        Self { file, before: end, buffer: Vec::new(), read: 0, begun: false }
    }

    /// The line before those that were given, and where it begins; none at the beginning of the file.
    pub(super) fn next_line(&mut self, is_wanted: &dyn Fn() -> bool) -> io::Result<Option<(u64, Vec<u8>)>> {
        loop {
            let body = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
            let newline = body.iter().rposition(|byte| *byte == b'\n');
            if newline.is_none() && self.before > 0 {
                if !is_wanted() {
                    return Err(io::Error::new(io::ErrorKind::Interrupted, "nobody waits for it any more"));
                }
                self.read_more()?;
                continue;
            }
            let whole = self.begun || self.buffer.ends_with(b"\n");
            let line = self.buffer.split_off(newline.map_or(0, |at| at + 1));
            self.begun = true;
            if line.is_empty() {
                return Ok(None);
            }
            if whole && !line.trim_ascii().is_empty() {
                return Ok(Some((self.before + self.buffer.len() as u64, line)));
            }
        }
    }

    /// Twice as much each time, so that a long line is not moved again and again.
    fn read_more(&mut self) -> io::Result<()> {
        let more = BLOCK.max(self.buffer.len() as u64).min(self.before);
        if self.buffer.len() as u64 > LONGEST_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than any event"));
        }
        let start = self.before - more;
        self.file.seek(SeekFrom::Start(start))?;
        let mut buffer = Vec::new();
        self.file.by_ref().take(more).read_to_end(&mut buffer)?;
        if buffer.len() as u64 != more {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read"));
        }
        buffer.append(&mut self.buffer);
        (self.buffer, self.before) = (buffer, start);
        self.read += more;
        Ok(())
    }
}
