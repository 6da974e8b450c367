//! How far a stream is: the head up to which it was delivered, in a file of one line that is written over in place.
//!
//! It is written by a thread of its own, so that a disk that hangs holds up no stream. Written in place, it needs no room on a disk that is full.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;

use super::super::chain::Head;

/// How long the disk is waited for, where nothing hangs in it yet.
const PATIENCE: Duration = Duration::from_millis(200);
/// What a position takes, in bytes.
const LENGTH: u64 = 86;

/// The file for a trail and a stream. Its name begins with a dot and has no `.jsonl` in it: it is nothing that a rotation left, and no trail.
pub(in super::super) fn position_of(trail: &Path, stream: &str) -> PathBuf {
    let name = trail.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let hash = digest::digest(&digest::SHA256, format!("{name}\n{stream}").as_bytes());
    let hash = HEXLOWER.encode(hash.as_ref().get(..8).unwrap_or_default());
    let kind = stream.split([' ', ':']).next().unwrap_or_default();
    trail.with_file_name(format!(".{}.{kind}-{hash}.position", name.replace('.', "_")))
}

/// The file, from the side of who delivers.
pub(super) struct Position(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The newest head, until it is written: of older ones nobody wants to know.
    wanted: Option<Head>,
    is_writing: bool,
    is_over: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next head to write; none when no other will come.
    fn next(&self) -> Option<Head> {
        let waits = |state: &mut State| state.wanted.is_none() && !state.is_over;
        let mut state = self.changed.wait_while(self.state(), waits).unwrap_or_else(PoisonError::into_inner);
        state.is_writing = state.wanted.is_some();
        state.wanted.take()
    }

    fn is_written(&self) {
        self.state().is_writing = false;
        self.changed.notify_all();
    }
}

impl Position {
    /// Opens the file, or makes it, readable by its owner alone; and what stands in it.
    pub(super) fn open(path: PathBuf) -> io::Result<(Self, Option<Head>)> {
        let file = open(&path)?;
        let head = read(&file)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            // The name must survive a power failure as well.
            File::open(folder)?.sync_all()?;
        }
        let shared = Arc::<Shared>::default();
        let writes = Arc::clone(&shared);
        std::thread::Builder::new().name("audit-position".into()).spawn(move || note_all(&path, file, &writes))?;
        Ok((Self(shared), head))
    }

    /// Has a head noted. Waits until it is on the disk, but not for a disk that hangs or fails: what is delivered is delivered, and is sent again
    /// where the note is missing.
    pub(super) fn note(&self, head: Head) {
        let mut state = self.0.state();
        state.wanted = Some(head);
        self.0.changed.notify_all();
        if !state.is_writing {
            let is_open = |state: &mut State| state.wanted.is_some() || state.is_writing;
            drop(self.0.changed.wait_timeout_while(state, PATIENCE, is_open));
        }
    }
}

impl Drop for Position {
    fn drop(&mut self) {
        self.0.state().is_over = true;
        self.0.changed.notify_all();
    }
}

/// Notes the newest head, again and again, until nobody gives any.
fn note_all(path: &Path, mut file: File, shared: &Shared) {
    let mut is_well = true;
    while let Some(head) = shared.next() {
        let written = write(path, &mut file, head);
        match &written {
            Err(error) if is_well => {
                tracing::error!(file = %path.display(), %error, "how far a stream of the audit trail is cannot be noted: it may get events twice");
            }
            Ok(()) if !is_well => tracing::warn!(file = %path.display(), "how far a stream of the audit trail is can be noted again"),
            _ => {}
        }
        is_well = written.is_ok();
        shared.is_written();
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn read(mut file: &File) -> io::Result<Option<Head>> {
    let mut text = String::new();
    Read::by_ref(&mut file).take(LENGTH + 1).read_to_string(&mut text)?;
    if text.is_empty() {
        return Ok(None);
    }
    let whole = text.ends_with('\n') && text.len() as u64 == LENGTH;
    let head = if whole { text.parse().ok() } else { None };
    let wrong =
        || io::Error::new(io::ErrorKind::InvalidData, "this is no position of a stream: without the file it begins where the trail is");
    head.map(Some).ok_or_else(wrong)
}

fn write(path: &Path, file: &mut File, head: Head) -> io::Result<()> {
    if file.metadata()?.nlink() == 0 {
        *file = open(path)?;
    }
    // One length, so that there is nothing to cut off; less than a sector, so that it is there whole or not at all.
    file.write_all_at(format!("{:0>20}:{}\n", head.seq, HEXLOWER.encode(&head.digest)).as_bytes(), 0)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::super::files::is_rotation;
    use super::*;

    fn head(seq: u64) -> Head {
        Head { seq, digest: [u8::try_from(seq % 256).unwrap(); 32] }
    }

    #[test]
    fn a_position_is_there_when_it_was_noted_and_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = position_of(&folder.path().join("audit.jsonl"), "syslog tcp://h:1");
        let (position, before) = Position::open(path.clone()).unwrap();
        assert_eq!(before, None);
        for seq in [0, 1, 77, u64::MAX] {
            position.note(head(seq));
            assert_eq!(Position::open(path.clone()).unwrap().1, Some(head(seq)));
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(path.metadata().unwrap().len(), LENGTH);
        std::fs::remove_file(&path).unwrap();
        position.note(head(5));
        assert_eq!(Position::open(path.clone()).unwrap().1, Some(head(5)));
    }

    #[test]
    fn what_is_no_position_is_not_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        let whole = format!("{:0>20}:{}\n", 7, "a".repeat(64));
        for wrong in ["x", &whole[1..], &whole[..85], &whole.replace(':', ";"), &format!("{whole}\n"), "\0"] {
            std::fs::write(&path, wrong).unwrap();
            assert_eq!(Position::open(path.clone()).map(|_| ()).unwrap_err().kind(), io::ErrorKind::InvalidData, "{wrong:?}");
        }
        std::fs::write(&path, whole).unwrap();
        assert_eq!(Position::open(path).unwrap().1.unwrap().seq, 7);
    }

    #[test]
    fn its_name_is_its_own_and_nothing_that_a_rotation_left() {
        let (one, other) = (Path::new("/t/audit.jsonl"), Path::new("/t/audit_jsonl"));
        let names = [(one, "stdout"), (one, "syslog tcp://h:1"), (one, "syslog tcp://h:2"), (other, "stdout")].map(|(trail, stream)| {
            let path = position_of(trail, stream);
            assert_eq!(path.parent(), trail.parent());
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(!is_rotation(&name, "audit.jsonl") && !name.contains(".jsonl") && name.starts_with(".audit_jsonl."), "{name}");
            name
        });
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }
}
