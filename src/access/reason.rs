//! What somebody must say before a role is handed out: a reason in words, or a ticket.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::patterns::{self, LARGEST_PROGRAM, last_line};
use super::rule::{RuleCompiler, is_tag_key, is_tag_text};
use super::{Denied, Entitlement, Purpose, SessionTag};

/// The longest reason, in characters: what a session tag's value holds (STS `Tag`).
const LONGEST: usize = 256;
/// The longest hint, in characters: it stands beside a field.
const LONGEST_HINT: usize = 200;
/// What people are told where the rule says nothing.
const USUAL_HINT: &str = "what you need it for";

/// What people must say before the rule's roles are handed out.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonSettings {
    /// A pattern that the whole text must match; without it any text does.
    #[serde(default)]
    pub pattern: Option<String>,
    /// What to write, as people see it beside the field.
    #[serde(default)]
    pub hint: Option<String>,
    /// A session tag that carries the text into the AWS session.
    #[serde(default)]
    pub tag: Option<String>,
}

/// A compiled [`ReasonSettings`].
#[derive(Debug)]
pub struct Reason {
    pattern: Option<Regex>,
    /// The pattern, as the rule writes it.
    written: Option<String>,
    /// What to write, as people see it.
    pub hint: String,
    /// The session tag that carries the text.
    pub tag: Option<String>,
}

impl Reason {
    /// Any text.
    pub(super) fn any() -> Arc<Self> {
        Arc::new(Self { pattern: None, written: None, hint: USUAL_HINT.to_owned(), tag: None })
    }

    /// Two rules may ask for the same.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (&self.written, &self.hint, &self.tag) == (&other.written, &other.hint, &other.tag)
    }

    /// Whether who gives this reason has given the other one too, as far as its pattern goes.
    pub(super) fn asks_for_all_of(&self, other: &Self) -> bool {
        let pattern = |reason: &Self| reason.pattern.as_ref().map(|pattern| pattern.as_str().to_owned());
        other.pattern.is_none() || pattern(self) == pattern(other)
    }

    /// Whether it must match a pattern, so that not everybody has one at hand.
    pub(super) const fn is_of_a_form(&self) -> bool {
        self.pattern.is_some()
    }

    pub(super) fn takes(&self, text: &str) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(text)) && (self.tag.is_none() || is_tag_text(text, 1, LONGEST))
    }
}

impl RuleCompiler<'_, '_> {
    /// What the rule wants to be told, if it wants something.
    pub(super) fn reason(&mut self) -> Option<Arc<Reason>> {
        let settings = self.settings;
        let wanted = settings.reason.as_ref()?;
        let hint = wanted.hint.as_deref().unwrap_or(USUAL_HINT).trim();
        if hint.is_empty() || hint.chars().count() > LONGEST_HINT || hint.chars().any(char::is_control) {
            self.problem(
                "reason.hint",
                format!("a hint has 1 to {LONGEST_HINT} characters in one line"),
                "for example \"the ticket, such as OPS-123\"",
            );
        }
        if let Some(tag) = &wanted.tag {
            if !is_tag_key(tag) {
                let hint = "use 1 to 128 letters, digits, spaces and _.:/=+-@, without the prefix aws:";
                self.problem("reason.tag", format!("`{tag}` is not a key for a session tag"), hint);
            }
            if settings.tags.keys().any(|key| key.to_lowercase() == tag.to_lowercase()) {
                self.problem("reason.tag", format!("`{tag}` is a key of `tags` too"), "give it another name");
            }
        }
        let pattern = match wanted.pattern.as_deref().map(read) {
            None => None,
            Some(Ok(pattern)) => Some(pattern),
            Some(Err(wrong)) => {
                self.problem("reason.pattern", wrong, "the pattern is anchored by itself and must match the whole text");
                None
            }
        };
        let written = wanted.pattern.clone();
        Some(Arc::new(Reason { pattern, written, hint: hint.to_owned(), tag: wanted.tag.clone() }))
    }
}

/// Reads a pattern, alone first: a stray parenthesis must not slip out of the anchors that go around it.
fn read(text: &str) -> Result<Regex, String> {
    if text.len() > patterns::LONGEST {
        return Err(format!("the pattern is longer than {} bytes", patterns::LONGEST));
    }
    let compile = |text: &str| RegexBuilder::new(text).size_limit(LARGEST_PROGRAM).nest_limit(32).build();
    let built = compile(text).and_then(|_| compile(&format!(r"\A(?:{text})\z")));
    built.map_err(|error| format!("the pattern cannot be read: {}", last_line(&error.to_string())))
}

/// Whether a character controls how others are shown, or is not shown itself: auditors read what was said.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Whether a text says something, and no more than a tag can carry.
pub(super) fn is_said(text: &str) -> bool {
    (1..=LONGEST).contains(&text.chars().count()) && !text.chars().any(is_unseen) && text.chars().any(char::is_alphanumeric)
}

impl Entitlement {
    /// What people must say before they get the role, as they are told it; none if they need not say anything, or said it when they asked for
    /// the role.
    #[must_use]
    pub fn wanted_reason(&self) -> Option<String> {
        self.hints().filter(|_| self.purposes.list().into_iter().any(|purpose| self.said_before(purpose).is_none()))
    }

    /// What was said in a request for what it is wanted for, if it is all that the rules want to be told.
    pub(super) fn said_before(&self, purpose: Purpose) -> Option<&str> {
        let mut said = self.elevations_for(purpose).map(|granted| granted.reason.as_str());
        said.find(|said| self.reasons.iter().all(|reason| reason.takes(said)))
    }

    fn hints(&self) -> Option<String> {
        let hints: Vec<_> = self.reasons.iter().map(|reason| reason.hint.as_str()).collect();
        (!hints.is_empty()).then(|| hints.join("; "))
    }

    /// The pattern that the whole reason must match, as its rule writes it, for those who want to check before they ask. None if there is
    /// none, or more than one: then the hints say it.
    #[must_use]
    pub fn reason_pattern(&self) -> Option<&str> {
        let mut patterns = self.reasons.iter().filter_map(|reason| reason.written.as_deref());
        let first = patterns.next()?;
        patterns.all(|other| other == first).then_some(first)
    }

    /// What somebody says, if the rules want to be told something: all of them, where several do.
    ///
    /// # Errors
    /// [`Denied::Reason`] if it is missing, or not what they want.
    pub(super) fn heard(&self, said: Option<&str>, purpose: Purpose) -> Result<Option<String>, Denied> {
        let Some(hint) = self.hints() else { return Ok(None) };
        let said = said.map(str::trim).filter(|said| !said.is_empty()).or_else(|| self.said_before(purpose)).unwrap_or_default();
        if is_said(said) && self.reasons.iter().all(|reason| reason.takes(said)) {
            Ok(Some(said.to_owned()))
        } else {
            Err(Denied::Reason(hint))
        }
    }

    /// The session tags that carry what was said.
    pub(super) fn reason_tags(&self, said: Option<&String>) -> Vec<SessionTag> {
        let mut tags: Vec<SessionTag> = Vec::new();
        for key in self.reasons.iter().filter_map(|reason| reason.tag.as_ref()) {
            if let Some(value) = said.filter(|_| !tags.iter().any(|tag| tag.key == *key)) {
                tags.push(SessionTag { key: key.clone(), value: value.clone(), transitive: false });
            }
        }
        tags
    }
}
