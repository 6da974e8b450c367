//! Packed files of the trail, unpacked for who reads them from their end: into a file without a name, which is gone with its handle.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;

/// How much is unpacked between two questions whether somebody still waits for it, in bytes.
const PIECE: usize = 256 * 1024;

/// What became of a packed file.
pub(super) enum Unpacked {
    /// Its content, and how many bytes that is.
    Whole(File, u64),
    /// It is more than it may be.
    TooMuch,
    /// It is damaged, or not packed at all.
    Damaged,
}

/// Unpacks a file, so many bytes of content at most.
///
/// # Errors
/// It cannot be read, there is no room for its content, or nobody waits for it any more ([`io::ErrorKind::Interrupted`]).
pub(super) fn unpack(path: &Path, most: u64, is_wanted: &dyn Fn() -> bool) -> io::Result<Unpacked> {
    let mut packed = MultiGzDecoder::new(File::open(path)?);
    let (mut content, mut length, mut piece) = (tempfile::tempfile()?, 0, vec![0; PIECE]);
    loop {
        if !is_wanted() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "nobody waits for it any more"));
        }
        let read = match packed.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error)
                if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                return Ok(Unpacked::Damaged);
            }
            Err(error) => return Err(error),
        };
        length += read as u64;
        if length > most {
            return Ok(Unpacked::TooMuch);
        }
        content.write_all(piece.get(..read).unwrap_or_default())?;
    }
    content.seek(SeekFrom::Start(0))?;
    Ok(Unpacked::Whole(content, length))
}
