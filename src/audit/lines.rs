//! The trail's files, line by line: one file, or a folder with rotated and compressed ones.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use super::files::Packed;

/// The longest line that is read, in bytes: five thousand groups, with every character escaped.
pub(super) const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// How much is read at a time, in bytes.
const BUFFER: usize = 64 * 1024;

/// One line, or that there was one which is too long to be an event.
pub(super) enum Line<'a> {
    /// With its end, if it has one.
    Text(&'a [u8]),
    TooLong,
}

/// Gives each line that is not empty to `each`: of one file, or of every file of a folder with `.jsonl` in its name, rotated and compressed
/// (`.gz`) ones too. Says which files were read.
///
/// # Errors
/// A file cannot be read or is no regular one, or the folder has no such file.
pub(super) fn each_line(path: &Path, mut each: impl FnMut(Line<'_>)) -> io::Result<Vec<PathBuf>> {
    let files = if path.is_dir() { trails_in(path)? } else { vec![path.to_owned()] };
    for file in &files {
        read_file(file, &mut each).map_err(|error| of_file(file, &error))?;
    }
    Ok(files)
}

/// An error that names its file.
pub(super) fn of_file(file: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", file.display()))
}

fn trails_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && path.file_name().is_some_and(|name| name.to_string_lossy().contains(".jsonl")) {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() { Err(io::Error::new(io::ErrorKind::NotFound, "no file in it has .jsonl in its name")) } else { Ok(files) }
}

fn read_file(path: &Path, each: &mut impl FnMut(Line<'_>)) -> io::Result<()> {
    let mut lines = Lines::open(path)?;
    while let Some(line) = lines.next_line()? {
        if !matches!(line, Line::Text(text) if text.trim_ascii().is_empty()) {
            each(line);
        }
    }
    Ok(())
}

/// The lines of one file from its beginning on, unpacked where it is packed.
pub(super) struct Lines {
    reader: BufReader<Box<dyn Read>>,
    line: Vec<u8>,
    read: Arc<AtomicU64>,
}

impl Lines {
    /// # Errors
    /// It cannot be opened, is no regular file, or is packed in another way than by gzip.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::open_at(path, 0)
    }

    /// From the first line on that begins at an offset of the content or behind it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn open_at(path: &Path, offset: u64) -> io::Result<Self> {
        // Asked before it is opened: opening a pipe would wait for its other end.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        let read = Arc::new(AtomicU64::new(0));
        let mut file = Counted { file: File::open(path)?, read: Arc::clone(&read) };
        // The byte before it tells whether a line begins there.
        let before = offset.saturating_sub(1);
        let content: Box<dyn Read> = match Packed::of(path) {
            Packed::No => {
                file.file.seek(SeekFrom::Start(before))?;
                Box::new(file)
            }
            Packed::Gzip => {
                let mut content = MultiGzDecoder::new(file);
                io::copy(&mut content.by_ref().take(before), &mut io::sink())?;
                Box::new(content)
            }
            Packed::Other => {
                let message = "it is packed in a way that is not read here: unpack it first";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
        };
        let mut reader = BufReader::with_capacity(BUFFER, content);
        if offset > 0 {
            reader.skip_until(b'\n')?;
        }
        Ok(Self { reader, line: Vec::new(), read })
    }

    /// The next line, empty ones too; none at the end.
    ///
    /// # Errors
    /// It cannot be read, or not be unpacked.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        if self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        if self.line.len() as u64 == LONGEST_LINE && self.line.last() != Some(&b'\n') {
            // The rest of it must not pass for a line of its own.
            self.reader.skip_until(b'\n')?;
            return Ok(Some(Line::TooLong));
        }
        Ok(Some(Line::Text(&self.line)))
    }

    /// How many bytes of the file were read, packed as they are.
    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
