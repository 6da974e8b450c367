//! The pages of requests, and what may be asked for on the pages of roles.

use askama::Template;

use super::access::{Account, Offer, lengths};
use super::{At, Shell, Text};

/// A request, as pages show it.
#[derive(Debug, Clone)]
pub struct RequestRow<'a> {
    /// Names whose it is, for forms.
    pub of: Text<'a>,
    /// Names the request.
    pub id: Text<'a>,
    /// Who asks.
    pub who: Text<'a>,
    /// The display name of the provider that vouches for them.
    pub provider: Text<'a>,
    /// The role's name.
    pub role: Text<'a>,
    /// The account's name, or its digits where it is not known any more.
    pub account: Text<'a>,
    /// The rule. Shown to administrators and to those who decide.
    pub rule: Text<'a>,
    /// For what it is wanted, where that is not both the console and credentials.
    pub purpose: Option<&'static str>,
    /// Whether it gives nothing, granted or not, by the rules in force.
    pub idle: bool,
    /// What is wanted of the sign-in of who grants it, and is lacking.
    pub lacks: Option<Text<'a>>,
    /// What it is wanted for.
    pub reason: Text<'a>,
    /// How long it is wanted.
    pub length: Text<'a>,
    /// When it was asked for.
    pub at: At,
    /// What became of it, in a word or two.
    pub state: &'static str,
    /// How that is coloured: `ok`, `refused` or nothing.
    pub tone: &'static str,
    /// Who decided, where somebody else did.
    pub by: Option<Text<'a>>,
    /// Until when it is granted.
    pub until: Option<At>,
    /// Where the role is taken, if it is granted.
    pub link: Option<Text<'a>>,
    /// What who asked may do with it now.
    pub verb: Option<&'static str>,
}

/// `/requests`.
#[derive(Debug, Template)]
#[template(path = "requests.html", whitespace = "minimize")]
pub struct Requests<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// What was just done.
    pub done: Option<Text<'a>>,
    /// What the person may decide about; none for those who are no approvers.
    pub waiting: Option<Vec<RequestRow<'a>>>,
    /// What the person asked for.
    pub own: Vec<RequestRow<'a>>,
}

/// `/admin/requests`.
#[derive(Debug, Template)]
#[template(path = "rooms/requests.html", whitespace = "minimize")]
pub struct AllRequests<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// What was just done.
    pub done: Option<Text<'a>>,
    /// What is granted now.
    pub granted: Vec<RequestRow<'a>>,
    /// What waits for a decision.
    pub waiting: Vec<RequestRow<'a>>,
}

/// A role that the person does not hold and may ask for.
#[derive(Debug, Clone)]
pub struct AskRow<'a> {
    /// The account.
    pub account: Account<'a>,
    /// The role's name.
    pub name: Text<'a>,
    /// Its name in links.
    pub link: Text<'a>,
    /// Its ARN, which the form posts as `role`.
    pub arn: Text<'a>,
    /// What must be said, as people are told it.
    pub hint: Text<'a>,
    /// For what it could be taken, where that is not both the console and credentials.
    pub purpose: Option<&'static str>,
    /// The longest time that may be asked for.
    pub longest: std::time::Duration,
    /// Whether the row has the form in place; without it, it leads to the role's page, which has it.
    pub in_place: bool,
    /// Whether a request for it waits.
    pub waits: bool,
}

impl AskRow<'_> {
    pub(super) fn lengths(&self) -> impl Iterator<Item = Offer> {
        lengths(self.longest, None)
    }
}
