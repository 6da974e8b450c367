//! Values with `${…}` in them: captures of a group pattern, and what is known about the person.

use std::borrow::Cow;

use serde_json::Value;

use super::{Denied, Person};

/// A text with placeholders, parsed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Box<[Part]>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Placeholder(Placeholder),
}

/// What a `${…}` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Placeholder {
    /// `${NAME}`: a named capture of the rule's group pattern.
    Capture(String),
    /// `${claims.NAME}`: a claim by name or JSON pointer.
    Claim(String),
    /// `${username}`.
    Username,
    /// `${subject}`.
    Subject,
    /// `${provider}`.
    Provider,
}

/// Named captures of one match, in the pattern's order.
pub(super) type Captures<'a> = [(&'a str, &'a str)];

impl Template {
    /// Parses a text with placeholders.
    ///
    /// # Errors
    /// A sentence about the placeholder that cannot be read.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let (name, behind) = after.split_once('}').ok_or_else(|| format!("`{text}` has a `${{` without its `}}`"))?;
            parts.push(Part::Placeholder(Placeholder::parse(name)?));
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts.into()))
    }

    /// The placeholders in it.
    pub(super) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.0.iter().filter_map(|part| match part {
            Part::Placeholder(placeholder) => Some(placeholder),
            Part::Text(_) => None,
        })
    }

    /// The text itself, if nothing is to be filled in.
    pub(super) fn literal(&self) -> Option<&str> {
        match &*self.0 {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// What stands in it beside the placeholders.
    pub(super) fn texts(&self) -> String {
        self.0.iter().filter_map(|part| if let Part::Text(text) = part { Some(text.as_str()) } else { None }).collect()
    }

    /// The text with `*` for each placeholder.
    pub(super) fn mask(&self) -> String {
        self.0.iter().map(|part| if let Part::Text(text) = part { text.as_str() } else { "*" }).collect()
    }

    /// Whether the text begins so, whatever is filled in.
    pub(super) fn begins_with(&self, prefix: &str) -> bool {
        matches!(self.0.first(), Some(Part::Text(text)) if text.starts_with(prefix))
    }

    /// Fills in captures alone; none if one is missing or anything else is asked for.
    pub(super) fn fill_captures(&self, captures: &Captures<'_>) -> Option<Cow<'_, str>> {
        if let Some(text) = self.literal() {
            return Some(Cow::Borrowed(text));
        }
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Placeholder(Placeholder::Capture(name)) => filled.push_str(find_capture(captures, name)?),
                Part::Placeholder(_) => return None,
            }
        }
        Some(Cow::Owned(filled))
    }

    /// Fills in everything.
    ///
    /// # Errors
    /// [`Denied::MissingClaim`] when the sign-in brought no such claim, or one that is not a single value: a list joined to one text
    /// could be mistaken for another.
    pub(super) fn fill(&self, who: &Person<'_>, captures: &Captures<'_>) -> Result<String, Denied> {
        let mut filled = String::with_capacity(32);
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Placeholder(Placeholder::Capture(name)) => {
                    filled.push_str(find_capture(captures, name).ok_or_else(|| Denied::MissingClaim(name.clone()))?);
                }
                Part::Placeholder(Placeholder::Claim(name)) => match who.claims.find(name) {
                    Some(Value::String(text)) => filled.push_str(text),
                    Some(Value::Number(number)) => filled.push_str(&number.to_string()),
                    Some(Value::Bool(flag)) => filled.push_str(if *flag { "true" } else { "false" }),
                    _ => return Err(Denied::MissingClaim(name.clone())),
                },
                Part::Placeholder(Placeholder::Username) => filled.push_str(who.username),
                Part::Placeholder(Placeholder::Subject) => filled.push_str(who.subject),
                Part::Placeholder(Placeholder::Provider) => filled.push_str(who.provider.as_str()),
            }
        }
        Ok(filled)
    }
}

fn find_capture<'a>(captures: &Captures<'a>, name: &str) -> Option<&'a str> {
    captures.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
}

impl Placeholder {
    fn parse(name: &str) -> Result<Self, String> {
        match name {
            "username" => Ok(Self::Username),
            "subject" => Ok(Self::Subject),
            "provider" => Ok(Self::Provider),
            _ => match name.strip_prefix("claims.") {
                Some("") => Err("`${claims.}` names no claim".into()),
                Some(claim) => Ok(Self::Claim(claim.to_owned())),
                None if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => {
                    Ok(Self::Capture(name.to_owned()))
                }
                None => Err(format!("`${{{name}}}` is none of ${{claims.NAME}}, ${{username}}, ${{subject}}, ${{provider}} or a capture")),
            },
        }
    }
}
