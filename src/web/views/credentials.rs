//! The page that shows temporary credentials, and the one that no longer does.
//!
//! The types that hold secrets have no `Debug`.

use askama::Template;

use super::{At, Shell, Text};

/// Temporary credentials, shown once.
#[derive(Template)]
#[template(path = "credentials.html", whitespace = "minimize")]
pub struct Credentials<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// The role's name.
    pub role: Text<'a>,
    /// The role's ARN, for the download form.
    pub role_arn: Text<'a>,
    /// What it is, where it is no role.
    pub kind: Option<Text<'a>>,
    /// Whether more of them could be had with another code of the MFA device alone.
    pub needs_mfa_code: bool,
    /// The account's twelve digits.
    pub account_id: Text<'a>,
    /// The account's name.
    pub account_name: Text<'a>,
    /// The account's `env` tag.
    pub env: Option<Text<'a>>,
    /// When AWS stops accepting the credentials.
    pub expires: At,
    /// The length that was asked for, in seconds, for the download form.
    pub duration: u64,
    /// What the person said that they need the role for, for the download form.
    pub reason: Option<Text<'a>>,
    /// Whether it was an emergency, for the download form.
    pub break_glass: bool,
    /// The credentials in every format, in the order to show them.
    pub formats: Vec<Format<'a>>,
    /// The credentials one by one.
    pub values: Vec<Value<'a>>,
}

/// The credentials in one format.
pub struct Format<'a> {
    /// The format's name in the download form: `[a-z-]+`.
    pub key: &'static str,
    /// Its name for people.
    pub label: Text<'a>,
    /// What to do with it, as a sentence.
    pub hint: Text<'a>,
    /// The name of the file that a download makes.
    pub file: Text<'a>,
    /// The credentials themselves. Secret.
    pub text: Text<'a>,
}

/// One of the values that make up the credentials.
pub struct Value<'a> {
    /// Its name for people.
    pub label: Text<'a>,
    /// The value. Secret.
    pub text: Text<'a>,
}

/// The credentials' page was opened again.
#[derive(Debug, Template)]
#[template(path = "credentials_gone.html", whitespace = "minimize")]
pub struct CredentialsGone<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
}
