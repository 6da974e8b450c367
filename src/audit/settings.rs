//! What an administrator says about the audit trail.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::log::AuditLog;
use crate::settings::Problem;

/// Where the audit trail is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// The file that gets one JSON line for each sign-in, sign-out and issuance. A relative path starts at the configuration file's
    /// folder. Made with mode 0600 if it is not there; every instance needs its own. After a rotation send SIGHUP.
    pub file: PathBuf,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self { file: PathBuf::from("audit.jsonl") }
    }
}

impl AuditSettings {
    /// Finds what would hinder the writing. `path` is where the settings stand, `base` the folder of the configuration file.
    pub fn check(&self, path: &str, base: &Path, problems: &mut Vec<Problem>) {
        let file = base.join(&self.file);
        let mut problem = |message: String, hint: &str| problems.push(Problem::new(format!("{path}.file"), message, hint));
        if file.is_dir() || self.file.as_os_str().is_empty() {
            return problem(format!("{} is a folder", file.display()), "name a file in it");
        }
        // Opened as the trail opens it, but neither made nor locked: the gateway may be running on it.
        let opened = OpenOptions::new().read(true).append(true).open(&file);
        let missing = opened.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        if !missing {
            if let Err(error) = opened {
                problem(format!("the file {} cannot be opened: {error}", file.display()), "let the gateway's user read and write it");
            }
            return;
        }
        // A link to a file that is to be made.
        let target = std::fs::read_link(&file).map_or_else(|_| file.clone(), |to| file.parent().unwrap_or(base).join(to));
        let folder = target.parent().unwrap_or(base);
        if !folder.is_dir() {
            problem(format!("the folder {} is not there", folder.display()), "make it, writable for the gateway's user");
        } else if let Err(error) = tempfile::Builder::new().prefix(".rolegate-check-").tempfile_in(folder) {
            let message = format!("no file can be made in the folder {}: {error}", folder.display());
            problem(message, "let the gateway's user write to the folder");
        }
    }

    /// Opens the trail.
    ///
    /// # Errors
    /// As [`AuditLog::open`].
    pub fn open(&self, base: &Path) -> io::Result<AuditLog> {
        AuditLog::open(base.join(&self.file))
    }
}
