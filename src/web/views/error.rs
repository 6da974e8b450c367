//! The one page for everything that goes wrong.

use std::fmt;

use askama::Template;

use super::{Shell, Text};

/// What went wrong, whose it is to mend, and what to do now.
#[derive(Debug, Template)]
#[template(path = "error.html", whitespace = "minimize")]
pub struct ErrorPage<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// The headline.
    pub title: Text<'a>,
    /// What happened, in plain words.
    pub happened: Text<'a>,
    /// Whose it is to mend.
    pub mender: Mender<'a>,
    /// What to do next.
    pub next: Text<'a>,
    /// The id that finds the log line.
    pub incident: Option<Text<'a>>,
    /// The way on.
    pub action: Option<Link<'a>>,
}

/// Whose it is to mend.
#[derive(Debug, Clone)]
pub enum Mender<'a> {
    /// The person who sees the page.
    You,
    /// The administrator of Rolegate or of the organisation's AWS accounts.
    Administrator,
    /// The people who run an identity provider, by its name.
    Provider(Text<'a>),
    /// AWS.
    Aws,
}

impl fmt::Display for Mender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::You => f.write_str("You, right here."),
            Self::Administrator => f.write_str("Your administrator. It is nothing that you did."),
            Self::Provider(name) => write!(f, "The people who run {}, the identity provider.", &**name),
            Self::Aws => f.write_str("AWS. It usually passes by itself."),
        }
    }
}

/// A link that looks like a button.
#[derive(Debug, Clone)]
pub struct Link<'a> {
    /// Its text.
    pub label: Text<'a>,
    /// A local path.
    pub href: Text<'a>,
}
