//! The person's own files: where they are, and that nobody else reads them.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use etcetera::BaseStrategy;

use super::trouble::{Kind, Trouble};
use crate::settings::read_file;

/// The most that a file of ours holds, in bytes: a list of roles of a very large organisation.
const LARGEST: u64 = 16 * 1024 * 1024;
/// How long another process may hold a lock: a sign-in in the browser has five minutes.
const LONGEST_WAIT: Duration = Duration::from_mins(7);
/// How often a lock is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Folders of one person's, by the XDG Base Directory Specification.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Settings, written by people.
    pub(super) settings: PathBuf,
    /// What must survive, but is no setting: locks, and the session where there is no keyring.
    pub(super) state: PathBuf,
    /// What may be lost.
    pub(super) cache: PathBuf,
    /// The person's home.
    pub(super) home: PathBuf,
}

impl Places {
    pub(super) fn find() -> Result<Self, Trouble> {
        let base = etcetera::base_strategy::Xdg::new()
            .map_err(|_| Trouble::yours(Kind::Other, "There is no home folder.", "set the environment variable HOME"))?;
        let state = base.state_dir().unwrap_or_else(|| base.cache_dir());
        Ok(Self {
            settings: base.config_dir().join("rolegate/client.toml"),
            state: state.join("rolegate"),
            cache: base.cache_dir().join("rolegate"),
            home: base.home_dir().to_owned(),
        })
    }
}

/// What stands in a file of the person's; nothing if there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Trouble> {
    match read_file(path, LARGEST) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Trouble::file("read", path, &error)),
    }
}

/// The same for a file that holds a secret: others must not be able to read it.
pub(super) fn read_secret(path: &Path) -> Result<Option<Vec<u8>>, Trouble> {
    if let Ok(metadata) = fs::metadata(path)
        && metadata.mode() & 0o077 != 0
    {
        let advice = format!("chmod 600 {0}; if others use this machine, also `rolegate logout` and sign in again", path.display());
        return Err(Trouble::yours(Kind::Other, format!("{} holds your session, and others may read it.", path.display()), advice));
    }
    read(path)
}

/// Replaces a file as a whole. It and its folder are for the person alone.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    let written = folder_of(path).and_then(|folder| {
        // Made with mode 0600, and renamed when it is complete.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    });
    written.map_err(|error| Trouble::file("written", path, &error))
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), Trouble> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Trouble::file("removed", path, &error)),
        _ => Ok(()),
    }
}

/// Holds a lock that one process has at a time, until it is dropped. `waiting` is called when another one has it, and after some minutes that is
/// an error.
pub(super) fn lock(path: &Path, waiting: impl FnOnce()) -> Result<File, Trouble> {
    lock_within(path, LONGEST_WAIT, waiting)
}

fn lock_within(path: &Path, longest: Duration, waiting: impl FnOnce()) -> Result<File, Trouble> {
    let locked = folder_of(path).and_then(|_| {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                waiting();
                wait(&file, longest)?;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(file)
    });
    locked.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => Trouble::yours(
            Kind::Unavailable,
            format!("Another rolegate has held {} for {} seconds.", path.display(), longest.as_secs()),
            "see what it waits for, or end it; then ask again",
        ),
        _ => Trouble::file("locked", path, &error),
    })
}

fn wait(file: &File, longest: Duration) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if begun.elapsed() < longest => std::thread::sleep(LOOK_AGAIN),
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::TimedOut.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn folder_of(path: &Path) -> io::Result<&Path> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_written_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/session");
        assert_eq!(read(&path).unwrap(), None);
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read_secret(&path).unwrap().unwrap(), b"two");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(&folder.path().join("a/b")), mode(&folder.path().join("a"))), (0o600, 0o700, 0o700));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read_secret(&path).unwrap_err().advice.contains("chmod 600"));
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(fs::read_dir(folder.path().join("a/b")).unwrap().count(), 0, "nothing is left over");
    }

    #[test]
    fn one_at_a_time_has_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = lock(&path, || panic!("nobody has it")).unwrap();
        let (told, waits) = std::sync::mpsc::channel();
        let second = std::thread::spawn({
            let path = path.clone();
            move || lock(&path, || told.send(()).unwrap()).map(drop)
        });
        waits.recv().unwrap();
        assert!(!second.is_finished());
        drop(first);
        second.join().unwrap().unwrap();
        let _held = lock(&path, || ()).unwrap();
        let trouble = lock_within(&path, Duration::from_millis(200), || ()).unwrap_err();
        assert_eq!(trouble.kind, Kind::Unavailable, "{trouble}");
    }
}
