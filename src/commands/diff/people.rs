//! Whom two configurations are compared by: an export of a directory, or those who signed in of late.

use std::collections::BTreeSet;
use std::path::Path;

use rolegate::access::{Person, Policy};
use rolegate::audit::{self, SignIn};
use rolegate::clock::Moment;
use rolegate::identity::{ProviderId, Reading, Supposed};
use serde::Serialize;

use super::super::line::Line;
use super::super::{Circumstances, Stopped, read};

/// All of them, as they were read.
pub(super) enum People {
    /// The text of a file with one in each line.
    Lines(String),
    /// The latest sign-in of each.
    SignIns(Vec<SignIn>),
}

/// One of them, not looked at yet: a hundred thousand lines are read on all cores.
#[derive(Clone, Copy)]
pub(super) enum Entry<'a> {
    /// A line, and its number.
    Line(usize, &'a str),
    /// A sign-in of the audit trail.
    SignIn(&'a SignIn),
}

/// One of them.
pub(super) enum Somebody<'a> {
    Line(Line),
    SignIn(&'a SignIn),
}

/// What was read of the audit trail.
#[derive(Debug, Serialize)]
pub(super) struct Trail {
    files: usize,
    /// From when on.
    since: Moment,
    pub(super) events: usize,
    pub(super) people: usize,
    /// Sign-ins without groups, which an earlier version wrote.
    pub(super) without_groups: usize,
    pub(super) unreadable_lines: usize,
}

impl People {
    /// Reads an export of a directory.
    pub(super) fn of_file(path: &Path) -> Result<Self, Stopped> {
        read(path).map(Self::Lines)
    }

    /// Reads the latest sign-in of each person from the audit trail.
    pub(super) fn of_trail(path: &Path, since: Moment) -> Result<(Self, Trail), Stopped> {
        let past = audit::sign_ins(path, since);
        let past = past.map_err(|error| Stopped::Unusable(format!("{} cannot be read: {error}", path.display())))?;
        if past.latest.is_empty() {
            let earlier = if past.without_groups > 0 { ", only some that an earlier version wrote without groups" } else { "" };
            let message = format!("{} has no sign-in since {}{earlier}", path.display(), since.format("%Y-%m-%d %H:%M UTC"));
            return Err(Stopped::Unusable(message));
        }
        let trail = Trail {
            files: past.files.len(),
            since,
            events: past.events,
            people: past.latest.len(),
            without_groups: past.without_groups,
            unreadable_lines: past.unreadable,
        };
        Ok((Self::SignIns(past.latest), trail))
    }

    pub(super) fn entries(&self) -> Vec<Entry<'_>> {
        match self {
            Self::Lines(text) => {
                let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
                lines.map(|(number, line)| Entry::Line(number, line)).collect()
            }
            Self::SignIns(sign_ins) => sign_ins.iter().map(Entry::SignIn).collect(),
        }
    }
}

impl<'a> Entry<'a> {
    pub(super) fn read(self) -> Result<Somebody<'a>, Stopped> {
        match self {
            Self::Line(number, text) => Line::of(text, number).map(Somebody::Line),
            Self::SignIn(sign_in) => Ok(Somebody::SignIn(sign_in)),
        }
    }
}

impl Somebody<'_> {
    /// The provider that they sign in with; none where it is not said.
    pub(super) fn provider(&self) -> Option<&str> {
        match self {
            Self::Line(line) => line.provider.as_deref(),
            Self::SignIn(sign_in) => Some(sign_in.person.provider.as_str()),
        }
    }

    /// What they are called where no configuration knows their provider.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Line(line) => format!("line {}", line.number),
            Self::SignIn(sign_in) => sign_in.person.username.clone(),
        }
    }

    /// The person as a sign-in would make them, or as one did make them.
    pub(super) fn person(&self, reading: &(ProviderId, Reading), circumstances: &Circumstances) -> Result<Supposed, Stopped> {
        match self {
            Self::Line(line) => line.person(reading, circumstances),
            Self::SignIn(sign_in) => Ok(circumstances.change(sign_in.as_now(reading, circumstances.context().now))),
        }
    }

    /// The rules that cannot be judged for them, because they look at claims that nobody recorded.
    pub(super) fn unjudged(&self, policy: &Policy, person: &Supposed) -> Vec<String> {
        let Self::SignIn(sign_in) = self else { return Vec::new() };
        let known: BTreeSet<_> = sign_in.claims.keys().map(String::as_str).collect();
        policy.unjudged(&Person::from(person), &known).into_iter().map(str::to_owned).collect()
    }
}
