//! The page that takes a SAML response from here to AWS's sign-in page, through the browser.

use askama::Template;

use super::{Shell, Text};

/// A form that leads into the console. It sends itself where scripts run, and has a button for where they do not. It holds a secret: no
/// `Debug`.
#[derive(Template)]
#[template(path = "console_post.html", whitespace = "minimize")]
pub struct ConsolePost<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// The account's name.
    pub account: Text<'a>,
    /// The role's name.
    pub role: Text<'a>,
    /// The role's ARN, for the next try.
    pub role_arn: Text<'a>,
    /// The session's length in seconds, for the next try.
    pub duration: u64,
    /// What the person said that they need the role for, for the next try.
    pub reason: Option<Text<'a>>,
    /// Whether it is an emergency, for the next try.
    pub break_glass: bool,
    /// The page of the console that was asked for, for the next try.
    pub destination: Option<Text<'a>>,
    /// AWS's sign-in page.
    pub endpoint: Text<'a>,
    /// Its region, if it is a region's own.
    pub region: Option<Text<'a>>,
    /// The SAML response in base64: worth a session while it is fresh.
    pub response: Text<'a>,
    /// The console's page.
    pub relay_state: Text<'a>,
    /// Which endpoint the next try takes.
    pub next_attempt: usize,
    /// Its region, if it is another one than this.
    pub next_region: Option<Text<'a>>,
}
