//! The pages that ask whether a command line may act for somebody.

use askama::Template;

use super::{At, Shell, Text};

/// A command line on the same machine asks.
#[derive(Debug, Template)]
#[template(path = "consent.html", whitespace = "minimize")]
pub struct Consent<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// What the machine calls itself.
    pub device: Text<'a>,
    /// When what it is given ends at the latest.
    pub ends: At,
    /// The request, as it comes back with the answer.
    pub fields: Vec<(&'static str, Text<'a>)>,
}

/// Asks for the code that another machine shows.
#[derive(Debug, Template)]
#[template(path = "device.html", whitespace = "minimize")]
pub struct DeviceEntry<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// What was typed before.
    pub value: Text<'a>,
    /// Whether that leads to nothing.
    pub wrong: bool,
}

/// A command line on another machine asks.
#[derive(Debug, Template)]
#[template(path = "device_consent.html", whitespace = "minimize")]
pub struct DeviceConsent<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// The code, to be compared with what the machine shows.
    pub code: Text<'a>,
    /// What the machine calls itself.
    pub device: Text<'a>,
    /// The address that it asked from, where it is known.
    pub address: Option<Text<'a>>,
    /// Whether that is another address than the browser's.
    pub elsewhere: bool,
    /// When it asked.
    pub asked: At,
    /// When what it is given ends at the latest.
    pub ends: At,
}

/// The command line on the other machine was answered.
#[derive(Debug, Template)]
#[template(path = "device_answered.html", whitespace = "minimize")]
pub struct DeviceAnswered<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// What the machine calls itself.
    pub device: Text<'a>,
    /// Whether it was let in.
    pub allowed: bool,
}
