//! How a session was begun, and what the machine calls itself that it was begun for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a session was begun. What it may do is the same; a browser's session travels in a cookie, a command line's as a bearer token, and
/// neither is taken for the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// By signing in with a browser.
    #[default]
    Browser,
    /// By a command line that the person let act for them in a browser's session.
    CommandLine {
        /// What its machine calls itself.
        name: DeviceName,
    },
}

impl SessionKind {
    /// The word that stands for it in answers.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::CommandLine { .. } => "command_line",
        }
    }

    /// The machine's name of itself, for a command line.
    #[must_use]
    pub const fn name(&self) -> Option<&DeviceName> {
        match self {
            Self::Browser => None,
            Self::CommandLine { name } => Some(name),
        }
    }
}

/// What a machine calls itself, such as its host name. Anybody may claim any name: pages say so, and nothing is decided by it.
///
/// Letters, digits, single spaces and `-_.@'’`, at most [`DeviceName::LONGEST`] characters: nothing that could pass for a sentence of ours, or
/// turn the direction of the text around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceName(String);

impl DeviceName {
    /// The most characters that are kept.
    pub const LONGEST: usize = 64;

    /// What is left of a text as a name. A text of which nothing is left, or none at all, is a machine without a name.
    #[must_use]
    pub fn clean(text: &str) -> Self {
        let may_stay = |c: &char| c.is_alphanumeric() || c.is_whitespace() || "-_.@'’".contains(*c);
        let kept: String = text.chars().filter(may_stay).collect();
        let words = kept.split_whitespace().collect::<Vec<_>>().join(" ");
        let name: String = words.chars().take(Self::LONGEST).collect();
        let name = name.trim_end();
        Self(if name.is_empty() { "a machine without a name".to_owned() } else { name.to_owned() })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w10_a_machines_name_is_short_and_plain() {
        for (text, name) in [
            ("build-host.example.org", "build-host.example.org"),
            ("  Ana’s\t MacBook \n Pro ", "Ana’s MacBook Pro"),
            ("<b>laptop</b> (verified by IT)!", "blaptopb verified by IT"),
            ("host\u{202e}txet\u{200b}\u{0007}", "hosttxet"),
            ("日本のマシン", "日本のマシン"),
            ("\u{202e}<>", "a machine without a name"),
            ("", "a machine without a name"),
        ] {
            assert_eq!(DeviceName::clean(text).as_str(), name, "{text:?}");
        }
        assert_eq!(DeviceName::clean(&"x y".repeat(1000)).as_str().chars().count(), DeviceName::LONGEST);
    }

    #[test]
    fn a_session_without_a_kind_is_a_browsers() {
        #[derive(Deserialize)]
        struct Old {
            #[serde(default)]
            kind: SessionKind,
        }
        assert_eq!(serde_json::from_str::<Old>("{}").unwrap().kind, SessionKind::Browser);
        let kind = SessionKind::CommandLine { name: DeviceName::clean("host") };
        let text = serde_json::to_string(&kind).unwrap();
        assert_eq!(text, r#"{"command_line":{"name":"host"}}"#);
        assert_eq!(serde_json::from_str::<SessionKind>(&text).unwrap(), kind);
    }
}
