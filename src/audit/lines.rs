//! The trail's files, line by line: one file, or a folder with rotated and compressed ones.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

/// The longest line that is read, in bytes: five thousand groups, with every character escaped.
pub(super) const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// One line, or that there was one which is too long to be an event.
pub(super) enum Line<'a> {
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
        read_file(file, &mut each).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))?;
    }
    Ok(files)
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
    // Asked before it is opened: opening a pipe would wait for its other end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let file = File::open(path)?;
    let is_compressed = path.extension().is_some_and(|extension| extension == "gz");
    let content: Box<dyn Read> = if is_compressed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let (mut reader, mut line) = (BufReader::new(content), Vec::new());
    loop {
        line.clear();
        if reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.len() as u64 == LONGEST_LINE && line.last() != Some(&b'\n') {
            // The rest of it must not pass for a line of its own.
            reader.skip_until(b'\n')?;
            each(Line::TooLong);
        } else if !line.trim_ascii().is_empty() {
            each(Line::Text(&line));
        }
    }
}
