//! A copy of the organization's accounts on disk, of those that the rules were last in force with: a start must not need AWS.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::access::AccountSettings;
use crate::clock::Moment;
use crate::settings::read_file;

/// The most that a copy may hold, in bytes: a hundred thousand accounts with tags.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What AWS said, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// When AWS said it.
    pub at: Moment,
    /// The accounts, ordered by id.
    pub accounts: Vec<AccountSettings>,
}

impl Copy {
    /// Reads a copy; none if there is no file.
    ///
    /// # Errors
    /// It cannot be read, or is no copy.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        match read_file(path, LARGEST) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts the copy in the file's place, whole or not at all, readable by its owner alone.
    ///
    /// # Errors
    /// It cannot be written; the old one is still there.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let mut file =
            tempfile::Builder::new().prefix(".organization-").permissions(std::fs::Permissions::from_mode(0o600)).tempfile_in(folder)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        std::fs::File::open(folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_comes_back_and_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("organization.json");
        assert_eq!(Copy::read(&path).unwrap(), None);
        let account = AccountSettings { id: "111122223333".into(), ou: Some("/A".into()), ..AccountSettings::default() };
        for accounts in [vec![account], Vec::new()] {
            let copy = Copy { at: "2026-06-01T00:00:00Z".parse().unwrap(), accounts };
            copy.write(&path).unwrap();
            assert_eq!(Copy::read(&path).unwrap(), Some(copy));
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing stays behind");
        std::fs::write(&path, "{\"at\": ").unwrap();
        assert!(Copy::read(&path).is_err());
    }
}
