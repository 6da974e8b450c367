//! What each page shows, as plain data, and its rendering.
//!
//! A view decides nothing and looks nothing up: the handlers fill it. Every text is escaped by the templates; there is no way around
//! that in them. Every form carries the csrf token of [`Shell`].

mod access;
mod command_line;
mod console_post;
mod credentials;
mod entry;
mod error;
mod explain;
mod palette;
mod quick;
mod requests;
mod rooms;
#[cfg(test)]
mod samples;
mod several;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;

use chrono::{DateTime, Datelike, Timelike, Utc};
use quick::{Bytes, write_number, write_two, written_quickly};

pub use access::{Account, Go, Group, Grouping, Head, NoRoles, Offer, Portal, Role, Row, StepUp, Target, Tools, lengths};
pub use command_line::{Consent, DeviceAnswered, DeviceConsent, DeviceEntry};
pub use console_post::ConsolePost;
pub use credentials::{Credentials, CredentialsGone, Format, Value};
pub use entry::{Continue, EmailForm, HandOn, Notice, OtherPerson, Provider, SignIn, SignedOut};
pub use error::{ErrorPage, Link, Mender};
pub use explain::{Explain, Told};
pub use requests::{AllRequests, AskRow, RequestRow, Requests};
pub use rooms::{
    Admin, Audit, AuditChart, AuditEvent, AuditRow, Bar, CertificateRow, Chained, KINDS, Offices, PersonSessions, Playground, Plot,
    ProviderRow, RuleChanges, SearchForm, SessionRow, Sessions, SignedInBy, TriedRules, kind_in_words,
};
pub use several::{Had, Missed, Several, SeveralTaken};
pub use text::Text;

/// What surrounds every page.
#[derive(Debug, Clone)]
pub struct Shell<'a> {
    /// The product's name in the header and in the window's title.
    pub brand: Text<'a>,
    /// The path of the logo.
    pub logo: Text<'a>,
    /// The path of a style sheet with the brand's colours.
    pub colours: Option<Text<'a>>,
    /// Where help is had: an https or mailto address, as it was checked.
    pub help_link: Option<Text<'a>>,
    /// A line above everything, such as that this is a demonstration.
    pub banner: Option<Text<'a>>,
    /// Who to ask for help, as the administrator wrote it.
    pub contact: Option<Text<'a>>,
    /// The token that every form of the page sends back as `csrf`.
    pub csrf: Text<'a>,
    /// Whether there is a page that tells people why they do not have a role.
    pub explains: bool,
    /// Whether the rules make roles requestable.
    pub requests: bool,
    /// Who is signed in, if somebody is.
    pub who: Option<Who<'a>>,
    /// Which of the rooms the page is, if it is one.
    pub room: Option<Room>,
    /// What the person may do with the gateway itself.
    pub offices: Offices,
}

impl Shell<'_> {
    /// Whether the navigation has a room.
    fn has(&self, room: Room) -> bool {
        match room {
            Room::Roles | Room::Several => true,
            Room::Requests => self.requests,
            Room::Explain => self.explains,
            Room::Audit => self.offices.auditor,
            Room::Gateway => self.offices.administrator,
        }
    }

    /// The same around the page of a room.
    #[must_use]
    pub fn of(self, room: Room) -> Self {
        Self { room: Some(room), ..self }
    }
}

/// A page that the navigation leads to. A new one is a variant, its place in `ALL`, and what the compiler then asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// The roles, one click each.
    Roles,
    /// The roles, to take several at once.
    Several,
    /// What was asked for, and what waits for a decision.
    Requests,
    /// The question why a role is missing.
    Explain,
    /// The audit trail, for auditors.
    Audit,
    /// How the gateway runs, for its administrators.
    Gateway,
}

impl Room {
    /// Every room, in the order of the navigation.
    pub const ALL: [Self; 6] = [Self::Roles, Self::Several, Self::Requests, Self::Explain, Self::Audit, Self::Gateway];

    /// The local path of its page.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Roles => "/",
            Self::Several => "/several",
            Self::Requests => "/requests",
            Self::Explain => "/explain",
            Self::Audit => "/audit",
            Self::Gateway => "/admin",
        }
    }

    /// Its name in the navigation.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Roles => "Roles",
            Self::Several => "Several at once",
            Self::Requests => "Requests",
            Self::Explain => "A role is missing?",
            Self::Audit => "Audit trail",
            Self::Gateway => "Gateway",
        }
    }
}

/// The person in the header.
#[derive(Debug, Clone)]
pub struct Who<'a> {
    /// The name that people recognise.
    pub username: Text<'a>,
    /// The display name of the provider that vouches.
    pub provider: Text<'a>,
    /// Whether the provider can be asked to sign the person out too.
    pub provider_logout: bool,
    /// When the session here ends at the latest.
    pub ends: At,
}

/// A moment as pages show it: UTC in the text, which the script turns into local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At(pub DateTime<Utc>);

impl At {
    /// The moment for a `datetime` attribute, to the second.
    #[must_use]
    pub const fn iso(self) -> Iso {
        Iso(self.0)
    }

    fn write(self, to: &mut dyn fmt::Write) -> fmt::Result {
        let (date, time) = (self.0.date_naive(), self.0.time());
        write_number(to, date.day() as usize)?;
        to.write_char(' ')?;
        to.write_str(MONTHS.get(date.month0() as usize).copied().unwrap_or_default())?;
        to.write_char(' ')?;
        write_number(to, usize::try_from(date.year()).unwrap_or_default())?;
        to.write_str(", ")?;
        write_two(to, time.hour())?;
        to.write_char(':')?;
        write_two(to, time.minute())?;
        to.write_str(" UTC")
    }
}

written_quickly!(At);

/// A moment for machines, to the second (RFC 3339).
#[derive(Debug, Clone, Copy)]
pub struct Iso(DateTime<Utc>);

impl Iso {
    fn write(self, to: &mut dyn fmt::Write) -> fmt::Result {
        let (date, time) = (self.0.date_naive(), self.0.time());
        let year = u32::try_from(date.year()).unwrap_or_default();
        write_two(to, year / 100)?;
        write_two(to, year % 100)?;
        for (before, part) in [('-', date.month()), ('-', date.day()), ('T', time.hour()), (':', time.minute()), (':', time.second())] {
            to.write_char(before)?;
            write_two(to, part)?;
        }
        to.write_char('Z')
    }
}

written_quickly!(Iso);

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl From<DateTime<Utc>> for At {
    fn from(moment: DateTime<Utc>) -> Self {
        Self(moment)
    }
}

/// A text as a value in a URL's query.
pub(crate) struct Query<'a>(pub(crate) &'a str);

impl Query<'_> {
    fn write(&self, to: &mut dyn fmt::Write) -> fmt::Result {
        static OTHER: Bytes = Bytes::but(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-._");
        // Most names need no other spelling.
        if OTHER.has_none_of(self.0) {
            return to.write_str(self.0);
        }
        url::form_urlencoded::byte_serialize(self.0.as_bytes()).try_for_each(|piece| to.write_str(piece))
    }
}

// Letters, digits, `*-._%+`: nothing that means something to a page.
written_quickly!(Query<'_>);

/// The style class for an account's `env` tag. Colour only: the label is always there as text.
#[must_use]
pub fn tone(env: &str) -> &'static str {
    const TONES: [(&str, &[&str]); 3] = [
        ("prod", &["prod", "production", "prd", "live"]),
        ("staging", &["staging", "stage", "stg", "preprod", "pre-prod", "preproduction", "uat", "qa"]),
        ("dev", &["dev", "development", "test", "testing", "tst", "sandbox", "sbx", "playground"]),
    ];
    let known = TONES.iter().find(|(_, labels)| labels.iter().any(|label| label.eq_ignore_ascii_case(env)));
    known.map_or("other", |(class, _)| class)
}
