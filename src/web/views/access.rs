//! The portal, and the pages of deep links.

use std::fmt;
use std::time::Duration;

use askama::Template;

use super::palette::{Options, regions};
use super::quick::{write_number, written_quickly};
use super::{AskRow, At, Query, Shell, Text};
use crate::arn::Partition;

/// The session lengths that are offered, in seconds, up to the longest one.
const STEPS: [u64; 6] = [900, 3600, 7200, 14_400, 28_800, 43_200];
/// The length that is chosen until the person says otherwise: every role allows it.
const USUAL: u64 = 3600;

/// How many rows a piece of a long list has.
const PIECE: usize = 50;

/// For rows whose heading is no account.
const NO_ACCOUNT: Option<&Account<'static>> = None;

/// An account, as rows and headings name it.
#[derive(Debug, Clone)]
pub struct Account<'a> {
    /// Its twelve digits.
    pub id: Text<'a>,
    /// The name that people use.
    pub name: Text<'a>,
    /// Its alias in IAM, if it is known.
    pub alias: Option<Text<'a>>,
    /// Its `env` tag.
    pub env: Option<Text<'a>>,
    /// Its other tags.
    pub tags: Vec<(Text<'a>, Text<'a>)>,
    /// The path of its organizational unit, if it is known.
    pub unit: Option<Text<'a>>,
}

impl Account<'_> {
    /// The deep link to a role of this account.
    fn link<'s>(&'s self, role: &'s Role<'_>) -> DeepLink<'s> {
        DeepLink { break_glass: role.break_glass, ..self.link_to(&role.link) }
    }

    /// The deep link to a role of this account as it is taken usually.
    fn usual_link<'s>(&'s self, role: &'s Role<'_>) -> DeepLink<'s> {
        self.link_to(&role.link)
    }

    /// The deep link to a role of this account as it is taken in an emergency.
    fn emergency_link<'s>(&'s self, role: &'s Role<'_>) -> DeepLink<'s> {
        DeepLink { break_glass: true, ..self.link_to(&role.link) }
    }

    /// The deep link to a role by its name in links.
    fn link_to<'s>(&'s self, role: &'s str) -> DeepLink<'s> {
        DeepLink { account: &self.id, role: Some(role), break_glass: false }
    }

    /// The deep link to this account, whatever role it is entered with.
    fn own_link(&self) -> DeepLink<'_> {
        DeepLink { account: &self.id, role: None, break_glass: false }
    }
}

/// `/go?account=…&role=…`, as it stands in an attribute.
struct DeepLink<'a> {
    account: &'a str,
    role: Option<&'a str>,
    break_glass: bool,
}

impl DeepLink<'_> {
    fn write(&self, to: &mut dyn fmt::Write) -> fmt::Result {
        to.write_str("/go?account=")?;
        Query(self.account).write(to)?;
        let Some(role) = self.role else { return Ok(()) };
        to.write_str("&amp;role=")?;
        Query(role).write(to)?;
        if self.break_glass { to.write_str("&amp;break_glass=1") } else { Ok(()) }
    }
}

written_quickly!(DeepLink<'_>);

/// The id of an element of a list, by which others point to it: each is written several times.
#[derive(Debug, Clone)]
struct Key(String);

impl Key {
    fn of_group(number: usize) -> Self {
        Self::new('a', number)
    }

    fn of_row(group: usize, row: usize) -> Self {
        let Self(mut text) = Self::new('r', group);
        text.push('-');
        // Writing to a String cannot fail.
        let _ = write_number(&mut text, row);
        Self(text)
    }

    fn of_favourite(number: usize) -> Self {
        Self::new('f', number)
    }

    fn of_emergency(number: usize) -> Self {
        Self::new('e', number)
    }

    fn of_recent(number: usize) -> Self {
        Self::new('l', number)
    }

    fn new(list: char, number: usize) -> Self {
        let mut text = String::with_capacity(16);
        text.push(list);
        let _ = write_number(&mut text, number);
        Self(text)
    }

    fn write(&self, to: &mut dyn fmt::Write) -> fmt::Result {
        to.write_str(&self.0)
    }
}

written_quickly!(Key);

/// Roles under one heading.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// What they have in common.
    pub head: Head<'a>,
    /// The roles, in the order to show them.
    pub rows: Vec<Row<'a>>,
}

impl<'a> Group<'a> {
    /// The rows in pieces, each with how many stand before it: a browser lays out those that are seen.
    fn pieces(&self) -> impl Iterator<Item = (usize, &[Row<'a>])> {
        self.rows.chunks(PIECE).enumerate().map(|(number, rows)| (number * PIECE, rows))
    }
}

/// What the roles of a group have in common.
#[derive(Debug, Clone)]
pub enum Head<'a> {
    /// Their account, and before it the unit that begins with it, where accounts are grouped by unit.
    Account {
        /// The account.
        account: Account<'a>,
        /// The unit that begins here: its path, or nothing for accounts whose unit is not known.
        unit: Option<Text<'a>>,
    },
    /// Their name.
    Role(Text<'a>),
}

/// A role under a heading, with what the heading does not say of it.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// The role.
    pub role: Role<'a>,
    /// Its account, where that is not the heading.
    pub account: Option<Box<Account<'a>>>,
    /// Until when what was issued of it last is good, where that is shown.
    pub until: Option<At>,
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
    pub kind: Option<&'static str>,
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
    pub step_up: Option<Box<StepUp<'a>>>,
    /// What must be said before it is handed out, as people are told it.
    pub reason: Option<Text<'a>>,
    /// Why it cannot be taken although it is granted, as a sentence.
    pub obstacle: Option<Text<'a>>,
    /// Whether it is for emergencies.
    pub break_glass: bool,
    /// Whether there are two ways to it, of which one is for emergencies.
    pub emergency: bool,
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
    /// Whether a click is enough: nothing is to be typed first, and nothing stands in the way.
    fn is_plain(&self) -> bool {
        self.obstacle.is_none() && self.step_up.is_none() && self.reason.is_none() && !self.mfa_code
    }

    /// The longest session, as people say it.
    pub(super) fn limit(&self) -> Text<'static> {
        Offer { seconds: self.longest.as_secs(), usual: false }.label()
    }
}

/// The session lengths to choose from, shortest first, with the one that was chosen last marked; the longest allowed is always among them.
pub fn lengths(longest: Duration, chosen: Option<u64>) -> impl Iterator<Item = Offer> {
    let longest = longest.as_secs();
    let chosen = chosen.unwrap_or(USUAL).min(longest);
    // What was chosen once, and is none of the steps, was another role's limit.
    let chosen = if chosen == longest { longest } else { STEPS.into_iter().rfind(|step| *step <= chosen).unwrap_or(chosen) };
    let steps = STEPS.into_iter().filter(move |step| *step < longest);
    steps.chain([longest]).map(move |seconds| Offer { seconds, usual: seconds == chosen })
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

/// How the roles of the start page are grouped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Grouping {
    /// By account, ordered by name.
    #[default]
    Account,
    /// By account, ordered by organizational unit.
    Unit,
    /// By the role's name.
    Role,
}

impl Grouping {
    /// Every grouping, with its name in forms and its name for people.
    pub const ALL: [(Self, &'static str, &'static str); 3] =
        [(Self::Account, "account", "Account"), (Self::Unit, "unit", "OU"), (Self::Role, "role", "Role")];
}

/// What all buttons of a list of roles have in common: one form, which the page has once.
#[derive(Debug, Clone)]
pub struct Tools<'a> {
    /// The longest session that any of the roles allows.
    pub longest: Duration,
    /// The session length that the person chose last, in seconds.
    pub length: Option<u64>,
    /// The region that the person chose last.
    pub region: Option<Text<'a>>,
    /// The partitions whose regions there are to choose from.
    pub partitions: Vec<Partition>,
}

impl Tools<'_> {
    pub(super) fn lengths(&self) -> impl Iterator<Item = Offer> {
        lengths(self.longest, self.length)
    }

    pub(super) fn regions(&self) -> impl Iterator<Item = &'static Options> {
        self.partitions.iter().map(|partition| regions(*partition))
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
    /// The filter by which the list was narrowed on its way here.
    pub filter: Text<'a>,
    /// What the buttons have in common.
    pub tools: Tools<'a>,
    /// How the roles are grouped.
    pub grouping: Grouping,
    /// Whether grouping by unit says anything: the unit of some account is known.
    pub has_units: bool,
    /// The roles that the person marked.
    pub favourites: Vec<Row<'a>>,
    /// The roles that the person took last.
    pub recents: Vec<Row<'a>>,
    /// The roles for emergencies, which stand apart from all others.
    pub emergency: Vec<Row<'a>>,
    /// What may be asked for.
    pub requestable: Vec<AskRow<'a>>,
    /// All roles, in the order to show them.
    pub groups: Vec<Group<'a>>,
    /// How many roles there are.
    pub roles: usize,
    /// In how many accounts.
    pub accounts: usize,
}

/// Somebody is signed in and has no role. It names the groups that arrived, and of the rules no more than the person may know.
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
    /// What came nearest to a role, a sentence each.
    pub nearest: Vec<Text<'a>>,
    /// All of it as a text, for whoever helps.
    pub report: Text<'a>,
}

/// Where a deep link leads.
#[derive(Debug)]
pub enum Target<'a> {
    /// The link names a role that the person has.
    Role {
        /// The account.
        account: Account<'a>,
        /// The role.
        role: Role<'a>,
        /// Whether the person marked it.
        favourite: bool,
        /// For what else it may be asked for.
        ask: Option<Box<AskRow<'a>>>,
    },
    /// The link names a role that the person may ask for.
    OnRequest(AskRow<'a>),
    /// The link names an account only: its roles to pick from.
    Account {
        /// The account with the person's roles, which may be none.
        group: Group<'a>,
        /// What may be asked for in it.
        asks: Vec<AskRow<'a>>,
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
    /// What the buttons have in common.
    pub tools: Tools<'a>,
    /// Whether the person comes from their provider, which was asked for what the role wants.
    pub tried: bool,
}
