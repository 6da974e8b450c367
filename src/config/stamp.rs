//! How one tells that a file has changed without reading it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What files look like from outside: one that is written, replaced, linked elsewhere or made readable looks different.
///
/// Links are followed, so that a Kubernetes `ConfigMap`, which swaps a link two folders up, looks different as well. Times alone would not
/// do: tools that copy keep them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stamp(Vec<Option<Look>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    /// The time of the last change of content, owner or mode: no tool can set it.
    changed: (i64, i64),
}

impl Stamp {
    /// These files, and others behind them.
    #[must_use]
    pub fn with(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// How these files look now; one that is not there has no look.
    pub fn of<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self(paths.into_iter().map(|path| look(path.as_ref())).collect())
    }
}

fn look(path: &Path) -> Option<Look> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Look {
        device: metadata.dev(),
        inode: metadata.ino(),
        length: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

/// Looks at files again and again, and tells when a change is complete.
#[derive(Debug)]
pub struct Watch {
    paths: Vec<PathBuf>,
    /// How the files looked when somebody last read them.
    known: Stamp,
    /// How they looked last.
    last: Stamp,
}

impl Watch {
    /// A watch over files that looked like this when they were read.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>, known: Stamp) -> Self {
        Self { paths, last: known.clone(), known }
    }

    /// Whether the files have changed since they were read. Only what looks alike at two calls in a row counts: who writes a file in place
    /// empties it first, and who replaces one may leave none for a moment.
    pub fn has_changed(&mut self) -> bool {
        let now = Stamp::of(&self.paths);
        let settled = now == self.last;
        self.last = now;
        settled && self.last != self.known && {
            self.known = self.last.clone();
            true
        }
    }

    /// Takes these files for read, as they look now, and watches them from now on. To be called before they are read.
    pub fn about_to_read(&mut self, paths: Vec<PathBuf>) {
        self.paths = paths;
        self.last = Stamp::of(&self.paths);
        self.known = self.last.clone();
    }

    /// How the files look now.
    #[must_use]
    pub fn look(&self) -> Stamp {
        Stamp::of(&self.paths)
    }

    /// Lets the next settled look count as a change, however it is: the last one could not be dealt with.
    pub fn try_again(&mut self) {
        self.known = Stamp::default();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn watch(path: &Path) -> Watch {
        Watch::new(vec![path.to_owned()], Stamp::of([path]))
    }

    #[track_caller]
    fn changes_once(watch: &mut Watch, how: &str) {
        assert!(!watch.has_changed(), "{how}: it may not be complete yet");
        assert!(watch.has_changed(), "{how}");
        assert!(!watch.has_changed(), "{how}: it was told");
    }

    #[test]
    fn every_way_to_change_a_file_is_noticed_once_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        fs::write(&path, "one").unwrap();
        let mut watch = watch(&path);
        assert!(!watch.has_changed() && !watch.has_changed());
        fs::write(&path, "other").unwrap();
        changes_once(&mut watch, "written in place");
        // An editor that keeps a copy, and one that writes beside and renames.
        fs::rename(&path, folder.path().join("c.toml~")).unwrap();
        fs::write(&path, "third").unwrap();
        changes_once(&mut watch, "moved away and written anew");
        fs::write(folder.path().join("new"), "third").unwrap();
        fs::rename(folder.path().join("new"), &path).unwrap();
        changes_once(&mut watch, "replaced");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        changes_once(&mut watch, "made readable");
        fs::remove_file(&path).unwrap();
        changes_once(&mut watch, "gone");
        fs::write(&path, "third").unwrap();
        changes_once(&mut watch, "back");
    }

    #[test]
    fn a_config_map_that_swaps_a_link_above_the_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["..v1", "..v2"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("c.toml"), "same").unwrap();
        }
        symlink("..v1", at("..data")).unwrap();
        symlink("..data/c.toml", at("c.toml")).unwrap();
        let mut watch = watch(&at("c.toml"));
        symlink("..v2", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        changes_once(&mut watch, "swapped");
    }

    #[test]
    fn what_is_still_being_written_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        fs::write(&path, "one").unwrap();
        let mut watch = watch(&path);
        for text in ["", "o", "oth", "other"] {
            fs::write(&path, text).unwrap();
            assert!(!watch.has_changed(), "`{text}` may not be all");
        }
        assert!(watch.has_changed());
        watch.try_again();
        assert!(watch.has_changed());
        fs::write(&path, "last").unwrap();
        watch.about_to_read(vec![path]);
        assert!(!watch.has_changed() && !watch.has_changed());
    }
}
