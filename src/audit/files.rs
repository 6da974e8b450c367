//! The files of one trail: the one that is written, and those that rotations left beside it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file of the trail.
pub(super) struct Listed {
    pub(super) path: PathBuf,
    /// Its number on the disk, which it keeps when it is renamed.
    pub(super) number: u64,
    /// Its length in bytes, packed as it is.
    pub(super) length: u64,
    pub(super) packed: Packed,
    /// When it was last written to; packing keeps that.
    pub(super) modified: SystemTime,
}

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packed {
    No,
    Gzip,
    /// In a way that is not read here.
    Other,
}

impl Packed {
    /// By the end of its name.
    pub(super) fn of(path: &Path) -> Self {
        match path.extension().and_then(OsStr::to_str) {
            Some("gz") => Self::Gzip,
            Some("xz" | "zst" | "bz2") => Self::Other,
            _ => Self::No,
        }
    }
}

/// The trail's files, the newest first: the trail itself, and those whose names begin with its own and a dot or a hyphen.
///
/// # Errors
/// The trail is not there, or its folder cannot be read.
pub(super) fn files(path: &Path) -> io::Result<Vec<Listed>> {
    let own = std::fs::metadata(path)?;
    let mut older = rotated(path, own.ino())?;
    let modified = own.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    older.insert(0, Listed { path: path.to_owned(), number: own.ino(), length: own.len(), packed: Packed::No, modified });
    Ok(older)
}

/// Whether a file of one name is what a rotation leaves of one of the other: it begins with that, and a dot or a hyphen.
pub(super) fn is_rotation(name: &str, of: &str) -> bool {
    name.strip_prefix(of).is_some_and(|rest| rest.starts_with(['.', '-']))
}

/// The files beside the trail that rotations left, the newest first. `own` is the trail's number on the disk.
pub(super) fn rotated(path: &Path, own: u64) -> io::Result<Vec<Listed>> {
    let mut older = Vec::new();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (found, metadata) = (entry.file_name().to_string_lossy().into_owned(), entry.metadata());
        let Ok(metadata) = metadata else { continue };
        if !is_rotation(&found, &name) || !metadata.is_file() || metadata.ino() == own {
            continue;
        }
        let packed = Packed::of(Path::new(&found));
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        older.push(Listed { path: entry.path(), number: metadata.ino(), length: metadata.len(), packed, modified });
    }
    older.sort_by(|one, other| other.modified.cmp(&one.modified).then_with(|| one.path.cmp(&other.path)));
    Ok(older)
}
