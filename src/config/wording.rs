//! Turns the complaints of the TOML parser and of serde into plain sentences with a hint.
//!
//! A value is never repeated unless its type is right and it is no secret: people paste passwords into the wrong places.

use std::net::IpAddr;

use super::document::Step;
use super::schema::{Entry, Kind};

/// A complaint of serde, taken apart. Its texts are stable: derived code has written them the same way for years, and tests hold them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Complaint<'m> {
    /// A key that the table does not have, and those that it has.
    UnknownKey { key: &'m str, known: Vec<&'m str> },
    /// A key that the table must have.
    Missing(&'m str),
    /// A value that is not what it should be.
    Value(Wrong<'m>),
}

/// What is wrong with a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong<'m> {
    /// A word that is none of the allowed ones.
    Word { found: &'m str, allowed: Vec<&'m str> },
    /// A value of another type than the one that is named.
    Type(&'m str),
    /// A number outside the type's range.
    Range,
    /// Anything else: what the type itself says.
    Other(&'m str),
}

impl<'m> Complaint<'m> {
    pub(super) fn of(message: &'m str) -> Self {
        if let Some((key, known)) = named(message, "unknown field `") {
            return Self::UnknownKey { key, known };
        }
        if let Some((key, _)) = named(message, "missing field `") {
            return Self::Missing(key);
        }
        if let Some((found, allowed)) = named(message, "unknown variant `") {
            return Self::Value(Wrong::Word { found, allowed });
        }
        if message.starts_with("invalid value: integer") || message.contains("number overflowed") {
            return Self::Value(Wrong::Range);
        }
        if message.starts_with("invalid type: ") {
            return Self::Value(Wrong::Type(message.rsplit_once(", expected ").map_or("", |(_, wanted)| wanted)));
        }
        if message == "wanted string or table" {
            return Self::Value(Wrong::Type("a string"));
        }
        Self::Value(Wrong::Other(message))
    }
}

/// The name in backticks after the prefix, and the names in backticks behind it. The first name may itself have backticks in it.
fn named<'m>(message: &'m str, prefix: &str) -> Option<(&'m str, Vec<&'m str>)> {
    let rest = message.strip_prefix(prefix)?;
    let (name, others) =
        rest.rsplit_once("`, expected ").or_else(|| rest.rsplit_once("`, there are no")).or_else(|| rest.rsplit_once('`'))?;
    Some((name, others.split('`').skip(1).step_by(2).collect()))
}

/// A value that is wrong, as it is spoken of.
pub(super) struct Culprit<'a> {
    /// The way to it.
    pub(super) steps: &'a [Step],
    /// What the schema says about it.
    pub(super) entry: Option<&'a Entry>,
    /// TOML's name for the type of what stands there.
    pub(super) found: &'a str,
    /// The text that stands there.
    pub(super) raw: &'a str,
}

impl Culprit<'_> {
    /// The sentence and the hint.
    pub(super) fn explain(&self, wrong: &Wrong<'_>) -> (String, String) {
        if self.is(Kind::Secret) {
            return self.secret();
        }
        let name = self.name();
        match wrong {
            Wrong::Type(wanted) => self.wrong_type(wanted),
            Wrong::Range => (format!("{name} is a number out of range"), self.about()),
            Wrong::Word { found, allowed } => (format!("{name} cannot be `{found}`"), choices(found, allowed)),
            Wrong::Other(text) if text.starts_with("invalid socket address") && !self.bare().is_empty() && !self.has_port() => {
                (format!("{name} has no port"), format!("write {} = \"{}\"", self.key(), with_port(self.bare())))
            }
            Wrong::Other(text) => (format!("{name}: {text}"), self.about()),
        }
    }

    fn wrong_type(&self, wanted: &str) -> (String, String) {
        let (wanted, hint) = self.wanted(wanted);
        let found = match self.found {
            "integer" | "float" => "a number",
            "boolean" => "true or false",
            "datetime" => "a date",
            "array" => "a list",
            "table" => "a section",
            _ => "text",
        };
        (format!("{} must be {wanted}, not {found}", self.name()), hint)
    }

    /// What serde wanted, in plain words, and how to write it.
    fn wanted<'w>(&self, wanted: &'w str) -> (&'w str, String) {
        let (key, way, raw) = (self.key(), path(self.steps), self.raw);
        let is_scalar = matches!(self.found, "integer" | "float" | "boolean" | "datetime");
        match wanted {
            "a sequence" if raw.starts_with('[') && self.found == "table" => {
                ("a list of sections", format!("write [[{way}]] with two brackets: there can be several"))
            }
            "a sequence" => ("a list", format!("write {key} = [\"…\"]")),
            "a map" => ("a section", format!("write [{way}] once, with its keys below it")),
            section if section.starts_with("struct ") => ("a section", format!("write [{way}] once, with its keys below it")),
            "a boolean" => ("true or false", "write true or false, without quotes".to_owned()),
            "u8" | "u16" | "u32" | "u64" | "usize" | "i64" => ("a whole number", "write the number without quotes".to_owned()),
            _ if self.is(Kind::Span) => ("a span of time in quotes", format!("write {key} = \"15m\"")),
            "a string" if is_scalar => ("text in quotes", format!("put it in quotes: {key} = \"{raw}\"")),
            "a string" => ("text in quotes", self.about()),
            _ if self.is(Kind::Text) => ("text in quotes", self.about()),
            other => (other, self.about()),
        }
    }

    fn is(&self, kind: Kind) -> bool {
        self.entry.is_some_and(|entry| entry.kind == kind)
    }

    fn secret(&self) -> (String, String) {
        let name = self.name();
        let way = format!("write {} = {{ env = \"NAME\" }} or {{ file = \"PATH\" }}", self.key());
        if self.found == "table" {
            return (format!("{name} must say in one way where the secret is"), way);
        }
        let hint = format!("{way}; if this is the real secret, replace it at its issuer: whoever reads this file knows it");
        (format!("{name} is written into the file, where no secret may stand"), hint)
    }

    /// The text without its quotes.
    fn bare(&self) -> &str {
        self.raw.trim_matches(['"', '\''])
    }

    fn has_port(&self) -> bool {
        self.bare().parse::<IpAddr>().is_err()
    }

    fn about(&self) -> String {
        self.entry.and_then(|entry| entry.about.clone()).unwrap_or_default()
    }

    fn key(&self) -> &str {
        self.steps.iter().rev().find_map(Step::key).unwrap_or("the file")
    }

    fn name(&self) -> String {
        match self.steps.last() {
            Some(Step::Index(index)) => format!("item {} of `{}`", index + 1, self.key()),
            _ => format!("`{}`", self.key()),
        }
    }
}

/// An address as it stands before a port.
fn with_port(address: &str) -> String {
    if address.contains(':') { format!("[{address}]:8700") } else { format!("{address}:8700") }
}

/// How people call the table that the steps lead to.
pub(super) fn section(steps: &[Step]) -> String {
    match steps.last() {
        None => "at the top of the file".to_owned(),
        Some(Step::Index(_)) => format!("in [[{}]]", path(steps)),
        Some(Step::Key(_)) => format!("in [{}]", path(steps)),
    }
}

/// The keys on the way, as they stand in a section's heading.
fn path(steps: &[Step]) -> String {
    steps.iter().filter_map(Step::key).collect::<Vec<_>>().join(".")
}

/// The hint for a word that is not one of those known.
pub(super) fn choices(found: &str, known: &[&str]) -> String {
    match closest(found, known) {
        Some(best) => format!("did you mean `{best}`?"),
        None => format!("known are: {}", known.join(", ")),
    }
}

/// The known word that was probably meant.
pub(super) fn closest<'k>(found: &str, known: &[&'k str]) -> Option<&'k str> {
    let found = found.to_lowercase().replace('-', "_");
    let likeness = |word: &str| strsim::jaro_winkler(&found, &word.to_lowercase().replace('-', "_"));
    known.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|best| likeness(best) >= 0.82)
}

/// The sentence and the hint for text that is no TOML.
pub(super) fn syntax(message: &str) -> (String, String) {
    let hint = match message {
        text if text.starts_with("duplicate key") => return ("the key or section is there twice".into(), "keep one of the two".into()),
        text if text.starts_with("string values must be quoted") => "put text in quotes: key = \"value\"",
        text if text.starts_with("unexpected leading zero") => "an account id is text: put it in quotes",
        text if text.contains("escape") => "in double quotes a backslash begins an escape: put patterns in 'single quotes'",
        text if text.starts_with("key with no value") => "write key = value",
        text if text.contains("array") => "a list is [\"one\", \"two\"]: look for a missing comma or bracket",
        text if text.contains("literal string") || text.contains("basic string") => "look for the quote that is missing",
        _ => "a line is key = value, [section], [[list of sections]] or # comment",
    };
    (format!("this is not TOML: {message}"), hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_taken_apart() {
        let known = vec!["a", "b"];
        assert_eq!(Complaint::of("unknown field `x`y`, expected `a` or `b`"), Complaint::UnknownKey { key: "x`y", known: known.clone() });
        assert_eq!(Complaint::of("unknown field `x`, expected one of `a`, `b`"), Complaint::UnknownKey { key: "x", known: known.clone() });
        assert_eq!(Complaint::of("unknown variant `x`, expected `a` or `b`"), Complaint::Value(Wrong::Word { found: "x", allowed: known }));
        assert_eq!(Complaint::of("missing field `id`"), Complaint::Missing("id"));
        assert_eq!(
            Complaint::of("invalid type: string \"p, expected q\", expected a sequence"),
            Complaint::Value(Wrong::Type("a sequence"))
        );
        assert_eq!(Complaint::of("invalid value: integer `70000`, expected u16"), Complaint::Value(Wrong::Range));
        assert_eq!(Complaint::of("not a network"), Complaint::Value(Wrong::Other("not a network")));
    }

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        let known = ["issuer", "client_id", "client_secret", "name"];
        assert_eq!(closest("isuer", &known), Some("issuer"));
        assert_eq!(closest("client-id", &known), Some("client_id"));
        assert_eq!(closest("Client_Secrets", &known), Some("client_secret"));
        assert_eq!(closest("colour", &known), None);
    }
}
