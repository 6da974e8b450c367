//! What an administrator says about the audit trail.

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
        let folder = file.parent().unwrap_or(base);
        if file.is_dir() || self.file.as_os_str().is_empty() {
            problem(format!("{} is a folder", file.display()), "name a file in it");
        } else if !folder.is_dir() {
            problem(format!("the folder {} is not there", folder.display()), "make it, writable for the gateway's user");
        } else if file.exists() && std::fs::OpenOptions::new().append(true).open(&file).is_err() {
            problem(format!("the file {} cannot be written to", file.display()), "let the gateway's user write to it");
        }
    }

    /// Opens the trail.
    ///
    /// # Errors
    /// As [`AuditLog::open`].
    pub fn open(&self, base: &Path) -> std::io::Result<AuditLog> {
        AuditLog::open(base.join(&self.file))
    }
}
