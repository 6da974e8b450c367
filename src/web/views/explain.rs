//! The page on which people ask why they do not have a role.

use askama::Template;

use super::{Shell, Text};

/// A question about a role, and the answer about the person who asks.
#[derive(Debug, Template)]
#[template(path = "explain.html", whitespace = "minimize")]
pub struct Explain<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// The role as it was asked for; empty before anything was.
    pub asked: Text<'a>,
    /// What is wrong with the text that was asked for, as a sentence.
    pub problem: Option<Text<'a>>,
    /// The answer, once something was asked that can be answered.
    pub told: Option<Told<'a>>,
}

/// What somebody is told about a role and themselves.
#[derive(Debug)]
pub struct Told<'a> {
    /// The role, as it was asked for or by its ARN.
    pub role: Text<'a>,
    /// The local path that leads to the role, where the person has it.
    pub link: Option<Text<'a>>,
    /// What gives it, a sentence each.
    pub by: Vec<Text<'a>>,
    /// What limits it, a sentence each.
    pub limits: Vec<Text<'a>>,
    /// What is missing, a sentence for each way to it.
    pub missing: Vec<Text<'a>>,
    /// All of it as a text, for whoever helps.
    pub report: Text<'a>,
}
