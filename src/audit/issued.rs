//! What somebody was handed of late, read from the trail: AWS sessions that may still live.

use std::io;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use serde::Deserialize;

use super::Person;
use super::lines::{Line, each_line};
use crate::access::{LONGEST_USER_SESSION, Target};
use crate::clock::Moment;

/// An AWS session that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// When.
    pub time: Moment,
    /// The person's stable key: provider and subject, with a `+` between.
    pub person: String,
    /// The name that people recognise them by.
    pub username: String,
    /// What it acts as.
    pub target: Target,
    /// Its name in AWS.
    pub session_name: Option<String>,
    /// The source identity that it carries.
    pub source_identity: Option<String>,
    /// When it ends.
    pub ends: Moment,
    /// The IAM user whose keys asked, by the id under which Rolegate holds them.
    pub iam_user: Option<String>,
}

/// What a trail tells of sessions that were handed over.
#[derive(Debug, Default)]
pub struct AllIssued {
    /// Those that live at the moment that was asked about, in the order of the trail.
    pub living: Vec<Issued>,
    /// How many lines are no events: a crash may leave half a one.
    pub unreadable: usize,
    /// The files that were read.
    pub files: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Event {
    time: Moment,
    kind: String,
    outcome: String,
    person: Option<Person>,
    role: Option<String>,
    session_name: Option<String>,
    source_identity: Option<String>,
    assumed_role: Option<String>,
    expires: Option<Moment>,
    duration_seconds: Option<u32>,
    iam_user: Option<String>,
}

/// Reads which AWS sessions live at a moment: from one file, or from every file of a folder with `.jsonl` in its name, compressed (`.gz`)
/// ones too.
///
/// # Errors
/// A file cannot be read or is no regular one, or the folder has no such file.
pub fn issued(path: &Path, now: Moment) -> io::Result<AllIssued> {
    let mut all = AllIssued::default();
    let files = each_line(path, |line| {
        let event = if let Line::Text(line) = line { serde_json::from_slice::<Event>(line).ok() } else { None };
        match event {
            Some(event) => all.living.extend(event.issued().filter(|issued| issued.ends > now)),
            None => all.unreadable += 1,
        }
    })?;
    all.files = files;
    Ok(all)
}

impl Event {
    /// What was handed over, if something was.
    fn issued(self) -> Option<Issued> {
        if self.kind != "issue" || self.outcome != "ok" {
            return None;
        }
        let person = self.person?;
        // A browser that posts a SAML response gets a session whose end nobody told us.
        let longest =
            self.duration_seconds.map_or(TimeDelta::from_std(LONGEST_USER_SESSION).ok()?, |seconds| TimeDelta::seconds(seconds.into()));
        let ends = self.expires.or_else(|| self.time.checked_add_signed(longest))?;
        // A forwarded SAML response names the session itself.
        let named_by_aws = self.assumed_role.as_deref().and_then(|arn| arn.split_once(":assumed-role/")?.1.rsplit_once('/'));
        Some(Issued {
            time: self.time,
            person: format!("{}+{}", person.provider, person.subject),
            username: person.username,
            target: self.role?.parse().ok()?,
            session_name: named_by_aws.map(|(_, name)| name.to_owned()).or(self.session_name),
            source_identity: self.source_identity,
            ends,
            iam_user: self.iam_user,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;

    use super::*;

    fn moment(text: &str) -> Moment {
        text.parse().unwrap()
    }

    #[test]
    fn sessions_that_live_are_found_and_those_that_ended_are_not() {
        let event = |kind: &str, outcome: &str, more: serde_json::Value| {
            let mut event = json!({ "time": "2026-01-14T12:00:00Z", "incident": "i", "kind": kind, "outcome": outcome,
                "person": { "provider": "okta", "subject": "00u1", "username": "ana@example.org" },
                "role": "arn:aws:iam::111122223333:role/Dev", "session_name": "ana@example.org", "source_identity": "okta+00u1" });
            event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            event.to_string()
        };
        let living = [
            event("issue", "ok", json!({ "expires": "2026-01-14T13:00:01Z" })),
            event("issue", "ok", json!({ "duration_seconds": 7200, "role": "federated:aws:111122223333:billing" })),
            event(
                "issue",
                "ok",
                json!({ "expires": "2026-01-14T14:00:00Z",
                "assumed_role": "arn:aws:sts::111122223333:assumed-role/Dev/named.by.the.provider" }),
            ),
        ];
        let others = [
            event("issue", "ok", json!({ "expires": "2026-01-14T13:00:00Z" })),
            event("issue", "refused", json!({ "expires": "2026-01-14T14:00:00Z" })),
            event("sign_in", "ok", json!({ "expires": "2026-01-14T14:00:00Z" })),
            "{\"time\":\"2026-".to_owned(),
        ];
        let folder = tempfile::tempdir().unwrap();
        let mut zipped = GzEncoder::new(std::fs::File::create(folder.path().join("audit.jsonl.1.gz")).unwrap(), Compression::fast());
        zipped.write_all(format!("{}\n", living[0]).as_bytes()).unwrap();
        zipped.finish().unwrap();
        std::fs::write(folder.path().join("audit.jsonl"), [&living[1..], &others[..]].concat().join("\n")).unwrap();
        let found = issued(folder.path(), moment("2026-01-14T13:00:00Z")).unwrap();
        assert_eq!((found.living.len(), found.unreadable, found.files.len()), (3, 1, 2));
        let names: Vec<_> = found.living.iter().map(|issued| issued.session_name.as_deref().unwrap()).collect();
        assert_eq!(names.iter().filter(|name| **name == "named.by.the.provider").count(), 1);
        assert!(found.living.iter().all(|issued| issued.person == "okta+00u1" && issued.ends > moment("2026-01-14T13:00:00Z")));
    }
}
