//! Looks into the trail, the newest event first: what auditors search, page by page.
//!
//! A trail may have gigabytes, so each look reads a bounded number of bytes, from the end backwards, and says how far it came. Where it stopped is
//! a [`Place`], from which the next look goes on. Events stand nearly in the order of their time: a look that begins at a moment finds its place
//! by halving the file.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;
use std::str::FromStr;

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::backwards::{BLOCK, Backwards};
use super::files::{Listed, Packed, files};
use super::lines::LONGEST_LINE;
use super::unpack::{Unpacked, unpack};
use crate::clock::Moment;

/// How much of packed files is unpacked in one look, for each byte that it may read.
const UNPACKED: u64 = 8;
/// How far the order of the lines may differ from that of their times.
const APART: TimeDelta = TimeDelta::minutes(5);

/// Where a line begins: the file by its number on the disk, which it keeps when it is renamed, and the offset in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub(super) file: u64,
    pub(super) offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.file, self.offset)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (file, offset) = text.split_once('-').ok_or(())?;
        Ok(Self { file: file.parse().map_err(|_| ())?, offset: offset.parse().map_err(|_| ())? })
    }
}

/// An event as it stands in the trail, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Where.
    pub place: Place,
    /// Its fields.
    pub event: Map<String, Value>,
}

impl Found {
    /// A field that is a text; a dot leads into an object (`person.username`). Empty where there is none.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
        let value = self.event.get(first).and_then(|value| rest.map_or(Some(value), |rest| value.get(rest)));
        value.and_then(Value::as_str).unwrap_or_default()
    }

    /// The texts of a field that is a list of them.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.event.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// Whether it is about a request, or a grant, of an id.
    fn has_grant(&self, id: &str) -> bool {
        let grants = self.event.get("grants").and_then(Value::as_array).into_iter().flatten();
        grants.filter_map(|grant| grant.get("id")?.as_str()).any(|own| own == id)
    }

    /// When it was.
    #[must_use]
    pub fn time(&self) -> Moment {
        self.text("time").parse().unwrap_or_default()
    }

    /// The stable key of the person whom it is about: provider and subject, with a `+` between. Empty where nobody is named.
    #[must_use]
    pub fn person(&self) -> String {
        let subject = self.text("person.subject");
        if subject.is_empty() { String::new() } else { format!("{}+{subject}", self.text("person.provider")) }
    }
}

/// The ids by which CloudTrail, a page or a log line leads to an event.
const IDS: [&str; 8] =
    ["access_key_id", "hub_access_key_id", "source_identity", "session_name", "assumed_role", "sts_request_id", "proof_id", "incident"];

/// What is looked for. What is not said is no matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// A part of a username, or a subject, or the stable key, in any case of letters.
    pub person: Option<String>,
    /// The digits of an account.
    pub account: Option<String>,
    /// A part of a role's ARN.
    pub role: Option<String>,
    /// The id of a rule that granted.
    pub rule: Option<String>,
    /// An id that CloudTrail has of a session, a request id of STS, a grant, or an incident.
    pub id: Option<String>,
    /// What was decided.
    pub kind: Option<String>,
    /// How it went.
    pub outcome: Option<String>,
    /// From when on.
    pub since: Option<Moment>,
    /// Before when.
    pub until: Option<Moment>,
}

impl Query {
    /// Whether an event is meant.
    #[must_use]
    pub fn matches(&self, found: &Found) -> bool {
        let is = |wanted: &Option<String>, field: &str| wanted.as_ref().is_none_or(|wanted| found.text(field) == wanted);
        let time = found.time();
        is(&self.kind, "kind")
            && is(&self.outcome, "outcome")
            && is(&self.account, "account")
            && self.since.is_none_or(|since| time >= since)
            && self.until.is_none_or(|until| time < until)
            && self.rule.as_ref().is_none_or(|rule| found.texts("rules").any(|id| id == rule))
            && self.id.as_ref().is_none_or(|id| IDS.iter().any(|field| found.text(field) == id) || found.has_grant(id))
            && self.role.as_ref().is_none_or(|role| contains(found.text("role"), role))
            && self.person.as_ref().is_none_or(|person| names(found, person))
    }

    /// What is looked for in words, for the record of the look. Values are quoted, so that none reads like another field.
    #[must_use]
    pub fn in_words(&self) -> String {
        let moment = |moment: &Option<Moment>| moment.map(|moment| moment.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        let (since, until) = (moment(&self.since), moment(&self.until));
        let all = [
            ("person", &self.person),
            ("account", &self.account),
            ("role", &self.role),
            ("rule", &self.rule),
            ("id", &self.id),
            ("kind", &self.kind),
            ("outcome", &self.outcome),
            ("since", &since),
            ("until", &until),
        ];
        let said: Vec<_> = all.into_iter().filter_map(|(name, value)| Some(format!("{name}={:?}", value.as_ref()?))).collect();
        if said.is_empty() { "everything".to_owned() } else { said.join(" ") }
    }
}

fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}

fn names(found: &Found, person: &str) -> bool {
    // What somebody did about others is theirs too.
    let is = |username: &str, subject: &str| !subject.is_empty() && (contains(username, person) || subject == person);
    let by = || is(found.text("by.username"), found.text("by.subject"));
    is(found.text("person.username"), found.text("person.subject")) || found.person() == person || by()
}

/// How far a look came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Looked {
    /// How many bytes were read.
    pub bytes: u64,
    /// How many lines are no events: a crash may leave half a one.
    pub unreadable: usize,
    /// The time of the oldest event that was read.
    pub oldest: Option<Moment>,
    /// Where the next look goes on; none where all was read that was asked for.
    pub next: Option<Place>,
    /// How many files were not read: packed in another way than by gzip, damaged, or too large for a look.
    pub unread: usize,
}

/// How far a look goes.
#[derive(Clone, Copy)]
pub struct Reach<'a> {
    /// After how many bytes it stops.
    pub bytes: u64,
    /// Whether somebody still waits for it: asked for each block that is read.
    pub is_wanted: &'a dyn Fn() -> bool,
}

/// Gives what is looked for to `each`, the newest first, until it has enough, so many bytes are read, or all is. It begins before `from`, or at
/// the end. Beside the trail itself, files are read whose names begin with its own, as rotations leave them, packed ones (`.gz`) too: so many times
/// the bytes that may be read are unpacked for one look.
///
/// # Errors
/// A file cannot be read, the file of `from` is not there any more ([`io::ErrorKind::NotFound`]), or nobody waits for it any more
/// ([`io::ErrorKind::Interrupted`]).
pub fn look(
    path: &Path,
    from: Option<Place>,
    query: &Query,
    reach: Reach<'_>,
    mut each: impl FnMut(Found) -> ControlFlow<()>,
) -> io::Result<Looked> {
    let mut files = files(path)?;
    let all = files.len();
    files.retain(|file| file.packed != Packed::Other);
    let mut looked = Looked { unread: all - files.len(), ..Looked::default() };
    if let Some(from) = from {
        let at = files.iter().position(|file| file.number == from.file);
        let at = at.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the file of this place is gone"))?;
        files.drain(..at);
    }
    let all_to_unpack = reach.bytes.saturating_mul(UNPACKED);
    let mut to_unpack = all_to_unpack;
    for (index, listed) in files.iter().enumerate() {
        // What is older than the file's last line need not be unpacked.
        let written = Moment::from(listed.modified);
        if listed.packed == Packed::Gzip
            && query.since.is_some_and(|since| since.checked_sub_signed(APART).is_some_and(|since| written < since))
        {
            return Ok(looked);
        }
        let (file, length) = match opened(listed, to_unpack, reach.is_wanted)? {
            Unpacked::Whole(file, length) => (file, length),
            // A look of its own may have room for it.
            Unpacked::TooMuch if to_unpack < all_to_unpack => {
                looked.next = Some(Place { file: listed.number, offset: u64::MAX });
                return Ok(looked);
            }
            Unpacked::TooMuch | Unpacked::Damaged => {
                looked.unread += 1;
                continue;
            }
        };
        if listed.packed == Packed::Gzip {
            to_unpack -= length;
        }
        let start = from.filter(|_| index == 0).map(|from| from.offset);
        let content = Content { file, length, number: listed.number };
        if one_file(content, start, query, reach, &mut looked, &mut each)?.is_break() {
            return Ok(looked);
        }
    }
    Ok(looked)
}

/// A file's content, unpacked where it is packed, so many bytes at most.
fn opened(listed: &Listed, most: u64, is_wanted: &dyn Fn() -> bool) -> io::Result<Unpacked> {
    if listed.packed == Packed::Gzip {
        return unpack(&listed.path, most, is_wanted);
    }
    let file = File::open(&listed.path)?;
    let length = file.metadata()?.len();
    Ok(Unpacked::Whole(file, length))
}

/// What is read of a file of the trail.
struct Content {
    file: File,
    length: u64,
    number: u64,
}

/// The one event that begins at a place; none if there is none, or not any more.
///
/// # Errors
/// The file cannot be read, or nobody waits for it any more ([`io::ErrorKind::Interrupted`]).
pub fn event_at(path: &Path, place: Place, reach: Reach<'_>) -> io::Result<Option<Found>> {
    let files = files(path)?;
    let Some(listed) = files.iter().find(|file| file.number == place.file && file.packed != Packed::Other) else { return Ok(None) };
    let Unpacked::Whole(mut file, _) = opened(listed, reach.bytes.saturating_mul(UNPACKED), reach.is_wanted)? else { return Ok(None) };
    // It must be the beginning of a line.
    if place.offset > 0 {
        let mut before = [0];
        file.seek(SeekFrom::Start(place.offset - 1))?;
        if file.read(&mut before)? == 0 || before != *b"\n" {
            return Ok(None);
        }
    }
    let mut line = Vec::new();
    file.seek(SeekFrom::Start(place.offset))?;
    BufReader::new(file).take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    Ok(serde_json::from_slice(&line).ok().map(|event| Found { place, event }))
}

fn one_file(
    content: Content,
    start: Option<u64>,
    query: &Query,
    reach: Reach<'_>,
    looked: &mut Looked,
    each: &mut impl FnMut(Found) -> ControlFlow<()>,
) -> io::Result<ControlFlow<()>> {
    let Content { mut file, length, number } = content;
    let end = match (start, query.until) {
        (Some(start), _) => start.min(length),
        (None, Some(until)) => end_for(&mut file, length, until.checked_add_signed(APART).unwrap_or(until))?,
        (None, None) => length,
    };
    let mut lines = Backwards::new(file, end);
    loop {
        let Some((offset, line)) = lines.next_line(reach.is_wanted)? else { return Ok(ControlFlow::Continue(())) };
        looked.bytes += std::mem::take(&mut lines.read);
        let place = Place { file: number, offset };
        match serde_json::from_slice(&line) {
            Ok(event) => {
                let found = Found { place, event };
                let time = found.time();
                if query.since.is_some_and(|since| time.checked_add_signed(APART).is_some_and(|latest| latest < since)) {
                    return Ok(ControlFlow::Break(()));
                }
                looked.oldest = Some(looked.oldest.map_or(time, |oldest| oldest.min(time)));
                if query.matches(&found) && each(found).is_break() {
                    looked.next = Some(place);
                    return Ok(ControlFlow::Break(()));
                }
            }
            Err(_) => looked.unreadable += 1,
        }
        if looked.bytes >= reach.bytes && offset > 0 {
            looked.next = Some(place);
            return Ok(ControlFlow::Break(()));
        }
    }
}

/// The end of the last line that may be from before a moment: behind it, all is later.
fn end_for(file: &mut File, length: u64, until: Moment) -> io::Result<u64> {
    let (mut low, mut high) = (0, length);
    while high - low > BLOCK {
        let middle = low + (high - low) / 2;
        match next_time(file, middle, high)? {
            Some((offset, time)) if time > until => high = offset,
            Some(_) => low = middle,
            None => break,
        }
    }
    Ok(high)
}

/// The first event that begins behind an offset and before another one.
fn next_time(file: &mut File, from: u64, to: u64) -> io::Result<Option<(u64, Moment)>> {
    #[derive(Deserialize)]
    struct Timed {
        time: Moment,
    }
    file.seek(SeekFrom::Start(from))?;
    let mut reader = BufReader::new(&mut *file);
    let mut offset = from + reader.skip_until(b'\n')? as u64;
    let mut line = Vec::new();
    while offset < to {
        line.clear();
        let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        if let Ok(event) = serde_json::from_slice::<Timed>(&line) {
            return Ok(Some((offset, event.time)));
        }
        offset += read as u64;
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
