//! Who signed in before, read from the trail: people to try a change of the rules with.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::lines::{Line, each_line};
use super::{HowSignedIn, Person};
use crate::clock::Moment;
use crate::identity::{Authentication, ProviderId, Reading, Supposed};

/// Somebody's sign-in, as the trail has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// When it was.
    pub time: Moment,
    /// Who it was.
    pub person: Person,
    /// The groups that it brought.
    pub groups: Vec<String>,
    /// The claims that the rules of that time looked at; null for those that it did not bring.
    pub claims: Map<String, Value>,
    /// How and when they proved themselves.
    pub authentication: HowSignedIn,
}

impl SignIn {
    /// The person as if they signed in now as they did then: as fresh as it was, by the same claims, and by what the provider's settings are now.
    #[must_use]
    pub fn as_now(&self, (provider, reading): &(ProviderId, Reading), now: Moment) -> Supposed {
        let Self { time, person, groups, claims, authentication: came } = self;
        let who = (person.subject.clone(), person.username.clone());
        // A claim that a rule looked at and that was not there is null.
        let there = claims.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone()));
        let age = came.time.map(|proved| (*time - proved).max(TimeDelta::zero()));
        let authentication = Authentication {
            time: age.and_then(|age| now.checked_sub_signed(age)),
            mfa: came.mfa,
            acr: came.acr.clone(),
            amr: came.amr.clone(),
            sid: None,
        };
        Supposed::recorded((provider.clone(), reading), who, groups.clone(), there.collect(), authentication)
    }
}

/// What a trail tells of sign-ins.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// The latest sign-in of each person, ordered by provider and subject.
    pub latest: Vec<SignIn>,
    /// How many sign-ins were read.
    pub events: usize,
    /// How many more there were without groups: an earlier version wrote them.
    pub without_groups: usize,
    /// How many lines are no events: a crash may leave half a one.
    pub unreadable: usize,
    /// The files that were read.
    pub files: Vec<PathBuf>,
}

/// What is read of an event. What it does not have to be a sign-in is looked at last.
#[derive(Deserialize)]
struct Event {
    time: Moment,
    kind: String,
    outcome: String,
    person: Option<Person>,
    /// A command line's session is by a sign-in that has a line of its own.
    command_line: Option<IgnoredAny>,
    groups: Option<Vec<String>>,
    #[serde(default)]
    claims: Map<String, Value>,
    #[serde(default)]
    authentication: HowSignedIn,
}

/// Reads the sign-ins that went well, from a moment on: of one file, or of every file of a folder with `.jsonl` in its name, rotated and
/// compressed (`.gz`) ones too.
///
/// # Errors
/// A file cannot be read or is no regular one, or the folder has no such file.
pub fn sign_ins(path: &Path, since: Moment) -> io::Result<Past> {
    let (mut past, mut latest) = (Past::default(), BTreeMap::new());
    let files = each_line(path, |line| match line {
        Line::Text(text) => note(text, since, &mut past, &mut latest),
        Line::TooLong => past.unreadable += 1,
    })?;
    past.latest = latest.into_values().collect();
    past.files = files;
    Ok(past)
}

/// The sign-in that an event tells of, if it is one that went well and says by what groups.
#[must_use]
pub fn sign_in_of(event: &Map<String, Value>) -> Option<SignIn> {
    let event = Event::deserialize(Value::Object(event.clone())).ok()?;
    if event.kind != "sign_in" || event.outcome != "ok" || event.command_line.is_some() {
        return None;
    }
    let (person, groups) = (event.person?, event.groups?);
    Some(SignIn { time: event.time, person, groups, claims: event.claims, authentication: event.authentication })
}

type Latest = BTreeMap<(String, String), SignIn>;

fn note(line: &[u8], since: Moment, past: &mut Past, latest: &mut Latest) {
    let Ok(event) = serde_json::from_slice::<Event>(line) else {
        past.unreadable += 1;
        return;
    };
    if event.kind != "sign_in" || event.outcome != "ok" || event.time < since || event.command_line.is_some() {
        return;
    }
    let (Some(person), Some(groups)) = (event.person, event.groups) else {
        past.without_groups += 1;
        return;
    };
    past.events += 1;
    let key = (person.provider.to_string(), person.subject.clone());
    let sign_in = SignIn { time: event.time, person, groups, claims: event.claims, authentication: event.authentication };
    let known = latest.entry(key).or_insert_with(|| sign_in.clone());
    if known.time < sign_in.time {
        *known = sign_in;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;

    use super::super::lines::LONGEST_LINE;
    use super::*;

    fn event(time: &str, subject: &str, groups: &[&str]) -> String {
        let person = json!({ "provider": "okta", "subject": subject, "username": format!("{subject}@example.org") });
        json!({ "time": time, "incident": "i", "kind": "sign_in", "outcome": "ok", "person": person, "groups": groups }).to_string()
    }

    fn groups(past: &Past) -> Vec<String> {
        past.latest.iter().map(|sign_in| format!("{}: {}", sign_in.person.subject, sign_in.groups.join(" "))).collect()
    }

    #[test]
    fn the_latest_sign_in_of_each_person_is_found_over_all_files() {
        let folder = tempfile::tempdir().unwrap();
        let since = "2026-01-10T00:00:00Z".parse().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let old = [event("2026-01-09T00:00:00Z", "cory", &["gone"]), event("2026-01-11T00:00:00Z", "ana", &["a"])].join("\n");
        write(
            "audit.jsonl",
            &format!("{}\n{}\n", event("2026-01-12T00:00:00Z", "ana", &["a", "b"]), event("2026-01-11T00:00:00Z", "ben", &[])),
        );
        write("audit.jsonl.1", &old);
        let mut compressed = GzEncoder::new(Vec::new(), Compression::default());
        compressed.write_all(event("2026-01-10T00:00:00Z", "dora", &["d"]).as_bytes()).unwrap();
        std::fs::write(folder.path().join("audit.jsonl.2.gz"), compressed.finish().unwrap()).unwrap();
        write("notes.txt", "not a trail");
        let past = sign_ins(folder.path(), since).unwrap();
        assert_eq!(groups(&past), ["ana: a b", "ben: ", "dora: d"]);
        assert_eq!((past.events, past.without_groups, past.unreadable, past.files.len()), (4, 0, 0, 3));
        let one = sign_ins(&folder.path().join("audit.jsonl.1"), since).unwrap();
        assert_eq!(groups(&one), ["ana: a"]);
    }

    #[test]
    fn what_is_no_sign_in_with_groups_is_counted_and_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let earlier = r#"{"time":"2026-01-11T00:00:00Z","incident":"i","kind":"sign_in","outcome":"ok","person":{"provider":"okta","subject":"a","username":"a"}}"#;
        let refused = r#"{"time":"2026-01-11T00:00:00Z","incident":"i","kind":"sign_in","outcome":"refused","provider":"okta"}"#;
        let issued = event("2026-01-11T00:00:00Z", "ana", &["a"]).replace("sign_in", "issue");
        let command_line = event("2026-01-12T00:00:00Z", "ana", &["z"]).replace("\"incident\"", "\"command_line\":\"laptop\",\"incident\"");
        let good = event("2026-01-11T00:00:00Z", "ana", &["a"]);
        let endless = "x".repeat(usize::try_from(LONGEST_LINE).unwrap() + 10);
        std::fs::write(&path, [earlier, refused, "{\"inci", "", &issued, &command_line, &endless, &good].join("\n")).unwrap();
        let past = sign_ins(&path, Moment::default()).unwrap();
        assert_eq!(groups(&past), ["ana: a"]);
        assert_eq!((past.events, past.without_groups, past.unreadable), (1, 1, 2));
        let empty = tempfile::tempdir().unwrap();
        assert!(sign_ins(empty.path(), Moment::default()).unwrap_err().to_string().contains("no file in it has .jsonl"));
        assert!(sign_ins(&empty.path().join("none.jsonl"), Moment::default()).is_err());
        assert!(sign_ins(Path::new("/dev/null"), Moment::default()).unwrap_err().to_string().contains("no regular file"));
    }
}
