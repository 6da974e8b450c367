//! The pages around signing in and out.

use std::fmt;

use askama::Template;

use super::{Query, Shell, Text};

/// The choice of an identity provider.
#[derive(Debug, Template)]
#[template(path = "sign_in.html", whitespace = "minimize")]
pub struct SignIn<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// Something to say first, such as that the session has expired.
    pub notice: Option<Notice<'a>>,
    /// The providers, last used first.
    pub providers: Vec<Provider<'a>>,
    /// The form that finds a provider by e-mail domain, if any provider has domains.
    pub email: Option<EmailForm<'a>>,
    /// The local path to come back to after sign-in, already checked by the handler.
    pub next: Text<'a>,
}

impl SignIn<'_> {
    fn login<'s>(&'s self, provider: &'s Provider<'_>) -> impl fmt::Display + 's {
        LoginLink { provider: &provider.id, next: &self.next }
    }
}

/// `/login/{id}?next=…`.
struct LoginLink<'a> {
    provider: &'a str,
    next: &'a str,
}

impl fmt::Display for LoginLink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/login/{}?next={}", Query(self.provider), Query(self.next))
    }
}

/// A line above a page's content.
#[derive(Debug, Clone)]
pub struct Notice<'a> {
    /// Whether it is about trouble.
    pub warning: bool,
    /// The line.
    pub text: Text<'a>,
}

/// An identity provider to choose.
#[derive(Debug, Clone)]
pub struct Provider<'a> {
    /// Its id in the URL.
    pub id: Text<'a>,
    /// Its name for people.
    pub name: Text<'a>,
    /// Whether this browser used it last.
    pub last_used: bool,
    /// Whether it did not answer when it was last asked.
    pub unavailable: bool,
}

/// The form that finds a provider by e-mail domain.
#[derive(Debug, Clone, Default)]
pub struct EmailForm<'a> {
    /// What was typed before.
    pub value: Text<'a>,
    /// What is wrong with it, as a sentence.
    pub problem: Option<Text<'a>>,
}

/// A stop on the way to another site: a form's redirect may not leave our origin (CSP `form-action 'self'`), so this page goes on.
#[derive(Debug, Template)]
#[template(path = "continue.html", whitespace = "minimize")]
pub struct Continue<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// The name of the place for people.
    pub destination: Text<'a>,
    /// The absolute URL, as a URL parser wrote it.
    pub url: Text<'a>,
}

impl Continue<'_> {
    /// Whether the URL may be opened: an address may come from a provider's discovery document, and `javascript:` is an address too.
    fn opens(&self) -> bool {
        ["https://", "http://"].iter().any(|scheme| self.url.starts_with(scheme))
    }
}

/// A stop on the way to where a form goes that nobody filled in: it sends itself, or waits for the button where there is no script.
#[derive(Debug, Template)]
#[template(path = "hand_on.html", whitespace = "minimize")]
pub struct HandOn<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// The name of the place for people.
    pub destination: Text<'a>,
    /// Where the form goes: a local path, or an absolute URL as a URL parser wrote it.
    pub action: Text<'a>,
    /// Its hidden fields.
    pub fields: Vec<(&'static str, Text<'a>)>,
}

impl HandOn<'_> {
    /// Whether the form may be sent: an address may come from a provider's metadata, and `javascript:` is an address too.
    fn opens(&self) -> bool {
        ["https://", "http://", "/"].iter().any(|start| self.action.starts_with(start)) && !self.action.starts_with("//")
    }
}

/// Somebody is signed in, and a provider says unasked that it is somebody else.
#[derive(Debug, Template)]
#[template(path = "other_person.html", whitespace = "minimize")]
pub struct OtherPerson<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// The name and the provider of who is signed in.
    pub present: (Text<'a>, Text<'a>),
    /// The name and the provider of who would be.
    pub other: (Text<'a>, Text<'a>),
    /// What the answer names.
    pub waiting: Text<'a>,
}

/// The session has ended.
#[derive(Debug, Template)]
#[template(path = "signed_out.html", whitespace = "minimize")]
pub struct SignedOut<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// Whether every session of the person was ended.
    pub everywhere: bool,
    /// The provider at which the person may still be signed in.
    pub still_at: Option<Text<'a>>,
}
