//! The portal, and the pages of deep links.

use std::fmt;
use std::time::Duration;

use askama::Template;

use super::{Query, Shell, Text};

/// The session lengths that are offered, in seconds, up to the longest one.
const STEPS: [u64; 6] = [900, 3600, 7200, 14_400, 28_800, 43_200];
/// The length that is chosen until the person says otherwise: every role allows it.
const USUAL: u64 = 3600;

/// An account with the person's roles in it.
#[derive(Debug, Clone)]
pub struct Account<'a> {
    /// Its twelve digits.
    pub id: Text<'a>,
    /// The name that people use.
    pub name: Text<'a>,
    /// Its `env` tag.
    pub env: Option<Text<'a>>,
    /// Its other tags.
    pub tags: Vec<(Text<'a>, Text<'a>)>,
    /// The person's roles, in the order to show them.
    pub roles: Vec<Role<'a>>,
}

impl Account<'_> {
    /// The deep link to a role of this account.
    fn link<'s>(&'s self, role: &'s Role<'_>) -> impl fmt::Display + 's {
        DeepLink { account: &self.id, role: &role.link }
    }
}

/// `/go?account=…&role=…`.
struct DeepLink<'a> {
    account: &'a str,
    role: &'a str,
}

impl fmt::Display for DeepLink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/go?account={}&role={}", Query(self.account), Query(self.role))
    }
}

/// A role that the person may have.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing of its own that the row shows or does not")]
pub struct Role<'a> {
    /// Its name, with its path if it has one.
    pub name: Text<'a>,
    /// Its name in links: the same, or one that tells it from roles.
    pub link: Text<'a>,
    /// What it is, where it is no role.
    pub kind: Option<Text<'a>>,
    /// Its ARN, which the forms post as `role`.
    pub arn: Text<'a>,
    /// Whether the code of an MFA device must come along.
    pub mfa_code: bool,
    /// Whether it may be taken into the console.
    pub console: bool,
    /// Whether its credentials may be taken.
    pub credentials: bool,
    /// The longest session to offer: that the rules allow, and AWS as far as is known.
    pub longest: Duration,
    /// Whether AWS ends its sessions after an hour, because it is taken with another role's credentials.
    pub chained: bool,
    /// What is wanted of another sign-in before it can be had.
    pub step_up: Option<StepUp<'a>>,
    /// What must be said before it is handed out, as people are told it.
    pub reason: Option<Text<'a>>,
    /// Why it cannot be taken although it is granted, as a sentence.
    pub obstacle: Option<Text<'a>>,
}

/// Another sign-in that a role wants.
#[derive(Debug, Clone)]
pub struct StepUp<'a> {
    /// Whether proving oneself once more is all.
    pub fresh: bool,
    /// What is wanted, as in "a sign-in at most 15m old".
    pub wanted: Text<'a>,
    /// What came, in the same terms.
    pub came: Text<'a>,
}

impl Role<'_> {
    /// The session lengths to choose from, shortest first; the longest allowed is always among them.
    pub fn lengths(&self) -> impl Iterator<Item = Offer> {
        let longest = self.longest.as_secs();
        let chosen = longest.min(USUAL);
        let steps = STEPS.into_iter().filter(move |step| *step < longest);
        steps.chain([longest]).map(move |seconds| Offer { seconds, usual: seconds == chosen })
    }
}

/// A session length in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The length, in seconds.
    pub seconds: u64,
    /// Whether it is the one that is chosen at first.
    pub usual: bool,
}

impl Offer {
    /// The length as people say it.
    #[must_use]
    pub fn label(self) -> Text<'static> {
        match (self.seconds / 3600, self.seconds % 3600 / 60) {
            (1, 0) => "1 h".into(),
            (2, 0) => "2 h".into(),
            (4, 0) => "4 h".into(),
            (8, 0) => "8 h".into(),
            (12, 0) => "12 h".into(),
            (0, 15) => "15 min".into(),
            (0, minutes) => format!("{minutes} min").into(),
            (hours, 0) => format!("{hours} h").into(),
            (hours, minutes) => format!("{hours} h {minutes} min").into(),
        }
    }
}

/// The accounts and roles of somebody who has some.
#[derive(Debug, Template)]
#[template(path = "portal.html", whitespace = "minimize")]
pub struct Portal<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// A line above the list, such as that roles changed.
    pub notice: Option<Text<'a>>,
    /// The accounts, in the order to show them.
    pub accounts: Vec<Account<'a>>,
}

impl Portal<'_> {
    pub(super) fn roles(&self) -> usize {
        self.accounts.iter().map(|account| account.roles.len()).sum()
    }
}

/// Somebody is signed in and has no role. It names the groups that arrived and nothing about the rules.
#[derive(Debug, Template)]
#[template(path = "no_roles.html", whitespace = "minimize")]
pub struct NoRoles<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// The display name of the provider.
    pub provider: Text<'a>,
    /// The groups that arrived, capped by the handler.
    pub groups: Vec<Text<'a>>,
    /// How many arrived in all.
    pub total: usize,
}

/// Where a deep link leads.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, on its way into a page")]
pub enum Target<'a> {
    /// The link names a role that the person has.
    Role {
        /// The account; its list of roles is not shown.
        account: Account<'a>,
        /// The role.
        role: Role<'a>,
    },
    /// The link names an account only: its roles to pick from.
    Account {
        /// The account with the person's roles.
        account: Account<'a>,
    },
    /// The person has no such role. The page does not say whether it exists.
    Missing {
        /// The account, as the link names it.
        account: Text<'a>,
        /// The role, as the link names it.
        role: Option<Text<'a>>,
    },
}

/// A deep link, which waits for a click: a GET alone must enter nothing.
#[derive(Debug, Template)]
#[template(path = "go.html", whitespace = "minimize")]
pub struct Go<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// What the link leads to.
    pub target: Target<'a>,
    /// The page of the console to open, already checked by the handler.
    pub destination: Option<Text<'a>>,
    /// Whether the person comes from their provider, which was asked for what the role wants.
    pub tried: bool,
}
