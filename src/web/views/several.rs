//! The pages on which several roles are taken at once. The types that hold secrets have no `Debug`.

use askama::Template;

use super::{At, Group, Head, Row, Shell, Text, Tools};

/// The roles to tick.
#[derive(Debug, Template)]
#[template(path = "several.html", whitespace = "minimize")]
pub struct Several<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// What is wrong with what was ticked, as a sentence.
    pub problem: Option<Text<'a>>,
    /// The filter by which the list was narrowed on its way here.
    pub filter: Text<'a>,
    /// What the buttons have in common.
    pub tools: Tools<'a>,
    /// The roles that can be taken so, by account.
    pub groups: Vec<Group<'a>>,
    /// The roles that were ticked before.
    pub ticked: Vec<Text<'a>>,
    /// What must be said before some of the roles are handed out, as people are told it.
    pub reason: Option<Text<'a>>,
    /// How many roles there are to tick.
    pub roles: usize,
    /// In how many accounts.
    pub accounts: usize,
    /// How many roles the person has beside these.
    pub others: usize,
    /// How many can be ticked at once.
    pub most: usize,
    /// The command that sets all of them up on a computer.
    pub command: Text<'a>,
}

impl Several<'_> {
    fn is_ticked(&self, row: &Row<'_>) -> bool {
        self.ticked.contains(&row.role.arn)
    }
}

/// Credentials of several roles, shown once.
#[derive(Template)]
#[template(path = "several_taken.html", whitespace = "minimize")]
pub struct SeveralTaken<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// The roles that were had.
    pub had: Vec<Had<'a>>,
    /// The roles that were not.
    pub missed: Vec<Missed<'a>>,
    /// The profiles of all that were had. Secret.
    pub text: Text<'a>,
    /// The fields of the form that takes the same once more, as a file.
    pub fields: Vec<(&'static str, Text<'a>)>,
}

/// A role that was had.
pub struct Had<'a> {
    /// The account's name.
    pub account: Text<'a>,
    /// The role's name.
    pub role: Text<'a>,
    /// The name of its profile.
    pub profile: Text<'a>,
    /// When AWS stops accepting its credentials.
    pub expires: At,
}

/// A role that was not had.
#[derive(Debug)]
pub struct Missed<'a> {
    /// The role, by its account's name where that is known.
    pub role: Text<'a>,
    /// Why, as a sentence.
    pub why: Text<'a>,
    /// What finds it in the log.
    pub incident: Text<'a>,
}
