//! What goes wrong at the command line: what happened, whose it is to mend, and how; and the exit code that says so to scripts.

use std::fmt;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::aws::Mender;

/// What an exit code says. docs/command-line.md lists them; they do not change between versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something else: 1.
    Other = 1,
    /// What was asked for is not there, or is several: 2, as for arguments that are wrong.
    Usage = 2,
    /// Somebody has to sign in: 3.
    SignIn = 3,
    /// The gateway or AWS says no: 4.
    Refused = 4,
    /// Something is missing that the person can give: a reason, a code, a fresh sign-in: 5.
    MoreNeeded = 5,
    /// The gateway or AWS cannot be reached, or has too much to do: 6. Another attempt may help.
    Unavailable = 6,
    /// The command that was to be run cannot be started: 126, as shells say it.
    NotRunnable = 126,
    /// The command that was to be run is not there: 127, as shells say it.
    NotFound = 127,
}

/// A failure of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) kind: Kind,
    /// What happened, in one sentence.
    pub(super) happened: String,
    pub(super) mender: Mender,
    /// What they do about it.
    pub(super) advice: String,
    /// The gateway's word for it, if it came from there.
    pub(super) code: Option<String>,
    /// The gateway's incident id, for its administrator.
    pub(super) incident: Option<String>,
}

impl Trouble {
    pub(super) fn new(kind: Kind, mender: Mender, happened: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { kind, happened: happened.into(), mender, advice: advice.into(), code: None, incident: None }
    }

    /// Something that the person can mend.
    pub(super) fn yours(kind: Kind, happened: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(kind, Mender::Person, happened, advice)
    }

    /// A file or a folder of the person's that cannot be used.
    pub(super) fn file(what: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::yours(
            Kind::Other,
            format!("{} cannot be {what}: {error}.", path.display()),
            "check the path, who owns it and the space on the disk",
        )
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "error": {
                "exit_code": self.kind as u8,
                "code": self.code,
                "happened": self.happened,
                "mender": self.mender.to_string(),
                "advice": self.advice,
                "incident": self.incident,
            }
        })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nTo be mended by {}: {}", self.happened, self.mender, self.advice)?;
        match &self.incident {
            Some(incident) => write!(f, "\nIncident {incident}: the administrator of the gateway finds it in the log by this id."),
            None => Ok(()),
        }
    }
}
