//! The rooms for administrators and auditors.

use askama::Template;

use super::{At, Shell, Text};
use crate::access::{Entitlements, GatewayRole};

/// What somebody may do with the gateway itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offices {
    /// Whether they are an administrator of the gateway.
    pub administrator: bool,
    /// Whether they are an auditor.
    pub auditor: bool,
}

impl From<&Entitlements> for Offices {
    fn from(entitlements: &Entitlements) -> Self {
        Self {
            administrator: entitlements.has_gateway_role(GatewayRole::Administrator),
            auditor: entitlements.has_gateway_role(GatewayRole::Auditor),
        }
    }
}

/// The search form of the trail, as it was filled in.
#[derive(Debug, Clone, Default)]
pub struct SearchForm<'a> {
    /// A person.
    pub person: Text<'a>,
    /// An account.
    pub account: Text<'a>,
    /// A role.
    pub role: Text<'a>,
    /// A rule's id.
    pub rule: Text<'a>,
    /// An id of CloudTrail's.
    pub id: Text<'a>,
    /// What was decided.
    pub kind: Text<'a>,
    /// How it went.
    pub outcome: Text<'a>,
    /// From when on.
    pub since: Text<'a>,
    /// Until when.
    pub until: Text<'a>,
    /// What is wrong with it, as a sentence.
    pub problem: Option<Text<'a>>,
}

impl SearchForm<'_> {
    /// Whether this kind is chosen.
    #[must_use]
    pub fn is_kind(&self, word: &str) -> bool {
        *self.kind == *word
    }

    /// Whether this outcome is chosen.
    #[must_use]
    pub fn is_outcome(&self, word: &str) -> bool {
        *self.outcome == *word
    }
}

/// What was decided, as forms offer it: the trail's word and ours.
pub const KINDS: [(&str, &str); 15] = [
    ("issue", "Issuance"),
    ("sign_in", "Sign-in"),
    ("sign_out", "Sign-out"),
    ("command_line", "Command line"),
    ("request.made", "Role requested"),
    ("request.approved", "Request approved"),
    ("request.refused", "Request refused"),
    ("request.withdrawn", "Request withdrawn"),
    ("grant.revoked", "Grant revoked"),
    ("policy.reloaded", "Rules changed"),
    ("policy.refused", "Rules refused"),
    ("audit.read", "Look into the trail"),
    ("administration", "Administration"),
    ("audit.degraded", "A sink of the trail fails"),
    ("recovery", "Recovery"),
];

/// The word of ours for a kind.
#[must_use]
pub fn kind_in_words(kind: &str) -> &str {
    KINDS.iter().find(|(word, _)| *word == kind).map_or(kind, |(_, words)| words)
}

/// The audit trail, searched.
#[derive(Debug, Template)]
#[template(path = "rooms/audit.html", whitespace = "minimize")]
pub struct Audit<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// The form.
    pub form: SearchForm<'a>,
    /// What was found, the newest first.
    pub rows: Vec<AuditRow<'a>>,
    /// How far was looked, in sentences.
    pub extent: Vec<Text<'a>>,
    /// The path on which the search goes on.
    pub older: Option<Text<'a>>,
    /// The form's content as a query, for the links to exports and chart.
    pub query: Text<'a>,
}

/// One event in a list.
#[derive(Debug, Clone)]
pub struct AuditRow<'a> {
    /// When.
    pub time: At,
    /// Whether a role for emergencies was taken.
    pub break_glass: bool,
    /// What was decided.
    pub kind: Text<'a>,
    /// How it went.
    pub outcome: Text<'a>,
    /// Who it is about.
    pub who: Text<'a>,
    /// What it is about.
    pub what: Text<'a>,
    /// The id of the event.
    pub incident: Text<'a>,
    /// The path of its page.
    pub link: Text<'a>,
}

/// One event, with all that leads from CloudTrail to the rules and back.
#[derive(Debug, Template)]
#[template(path = "rooms/audit_event.html", whitespace = "minimize")]
pub struct AuditEvent<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// The event, as in a list.
    pub row: AuditRow<'a>,
    /// How CloudTrail shows it: its field, the value, and the path that searches for it.
    pub cloudtrail: Vec<(&'static str, Text<'a>, Text<'a>)>,
    /// The command that finds the session in CloudTrail.
    pub command: Option<Text<'a>>,
    /// The rules that granted: id, and the path that searches for it.
    pub rules: Vec<(Text<'a>, Text<'a>)>,
    /// The digest of the rules that decided, and whether they are in force now.
    pub policy: Option<(Text<'a>, bool)>,
    /// The sign-in that the rules went by.
    pub signed_in: Option<SignedInBy<'a>>,
    /// The chain of the trail around it.
    pub chain: Chained<'a>,
    /// Other ways on: label and path.
    pub links: Vec<(Text<'a>, Text<'a>)>,
    /// Every field as it is recorded.
    pub fields: Vec<(Text<'a>, Text<'a>)>,
}

/// Whether the chain of the trail is whole where an event stands.
#[derive(Debug, Clone)]
pub struct Chained<'a> {
    /// In a word or two.
    pub state: &'static str,
    /// The outcome whose look it has.
    pub outcome: &'static str,
    /// How far it was followed, or what is wrong.
    pub says: Vec<Text<'a>>,
}

/// The sign-in behind an event.
#[derive(Debug, Clone)]
pub struct SignedInBy<'a> {
    /// When.
    pub time: At,
    /// The path of its page.
    pub link: Text<'a>,
    /// The groups that it brought.
    pub groups: Vec<Text<'a>>,
    /// How many there are beyond those.
    pub more: usize,
}

/// The audit trail as a chart.
#[derive(Debug, Template)]
#[template(path = "rooms/audit_chart.html", whitespace = "minimize")]
pub struct AuditChart<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// The form.
    pub form: SearchForm<'a>,
    /// Whether the steps are hours.
    pub hourly: bool,
    /// By account, and by outcome.
    pub plots: Vec<Plot<'a>>,
    /// The same as a table: step, account, and how many went how.
    pub rows: Vec<(At, Text<'a>, [u64; 3])>,
    /// How many rows were left out.
    pub left_out: usize,
    /// How far was looked, in sentences.
    pub extent: Vec<Text<'a>>,
    /// The form's content as a query.
    pub query: Text<'a>,
}

/// One chart of stacked bars. Coordinates are those of a drawing of 720 by 240.
#[derive(Debug, Clone)]
pub struct Plot<'a> {
    /// An id for its heading.
    pub key: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// The parts of the bars.
    pub bars: Vec<Bar>,
    /// Lines across, with their numbers: height and label.
    pub lines: Vec<(f64, u64)>,
    /// Labels below: place and text.
    pub labels: Vec<(f64, Text<'a>)>,
    /// What the series are: number, name and sum.
    pub series: Vec<(usize, Text<'a>, u64)>,
}

/// A part of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// The series that it is of.
    pub series: usize,
    /// Its left edge.
    pub x: f64,
    /// Its upper edge.
    pub y: f64,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
}

/// How the gateway runs.
#[derive(Debug, Template)]
#[template(path = "rooms/admin.html", whitespace = "minimize")]
pub struct Admin<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// What does not work as it should, a sentence each.
    pub troubles: Vec<Text<'a>>,
    /// The digest of the policy in force.
    pub digest: Text<'a>,
    /// Since when it is.
    pub since: At,
    /// Facts about it: label and value.
    pub facts: Vec<(&'static str, Text<'a>)>,
    /// What deserves a second look.
    pub findings: Vec<Text<'a>>,
    /// Keys that wait for a restart.
    pub waiting: Vec<Text<'a>>,
    /// The last rules that were refused: when and why.
    pub refusal: Option<(At, Vec<Text<'a>>)>,
    /// The providers.
    pub providers: Vec<ProviderRow<'a>>,
    /// The keys of minted tokens: id, algorithm, age.
    pub keys: Vec<(Text<'a>, &'static str, &'static str)>,
    /// Certificates of ours.
    pub certificates: Vec<CertificateRow<'a>>,
    /// Endpoints of STS: partition, region, address, state, and whether that is good.
    pub endpoints: Vec<(Text<'a>, Text<'a>, Text<'a>, Text<'a>, bool)>,
}

/// One provider.
#[derive(Debug, Clone)]
pub struct ProviderRow<'a> {
    /// Its name.
    pub name: Text<'a>,
    /// Its id.
    pub id: Text<'a>,
    /// What it speaks.
    pub protocol: &'static str,
    /// When it last answered.
    pub answered: Option<At>,
    /// What last went wrong, and when; gone when it answered since.
    pub failure: Option<(At, Text<'a>)>,
    /// Its documents: what, and how old or until when.
    pub documents: Vec<(&'static str, Text<'a>)>,
    /// What somebody should know of them.
    pub warnings: Vec<Text<'a>>,
}

/// One certificate.
#[derive(Debug, Clone)]
pub struct CertificateRow<'a> {
    /// Its digest.
    pub fingerprint: Text<'a>,
    /// Whom it is shown to.
    pub towards: Text<'a>,
    /// By what.
    pub protocol: &'static str,
    /// Its age.
    pub age: &'static str,
    /// When it ends.
    pub ends: At,
    /// How many days are left; less than none when it has ended.
    pub days: i64,
}

/// Living sessions.
#[derive(Debug, Template)]
#[template(path = "rooms/sessions.html", whitespace = "minimize")]
pub struct Sessions<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// Who was looked for.
    pub asked: Text<'a>,
    /// What was done just now, as a sentence.
    pub done: Option<Text<'a>>,
    /// What is said where nobody was found.
    pub nobody: Option<&'static str>,
    /// Whose sessions there are.
    pub people: Vec<PersonSessions<'a>>,
    /// Whether there are more that were not looked at.
    pub more: bool,
}

/// One person's sessions.
#[derive(Debug, Clone)]
pub struct PersonSessions<'a> {
    /// The stable key.
    pub key: Text<'a>,
    /// The name that people recognise.
    pub username: Text<'a>,
    /// The provider's name.
    pub provider: Text<'a>,
    /// The sessions.
    pub sessions: Vec<SessionRow<'a>>,
}

/// One session.
#[derive(Debug, Clone)]
pub struct SessionRow<'a> {
    /// What lists call it.
    pub handle: Text<'a>,
    /// How it was begun.
    pub kind: Text<'a>,
    /// When.
    pub began: At,
    /// When it was last used.
    pub last_used: At,
    /// When it ends.
    pub ends: At,
}

/// Where rules are tried.
#[derive(Debug, Template)]
#[template(path = "rooms/playground.html", whitespace = "minimize")]
pub struct Playground<'a> {
    /// What surrounds the page.
    pub shell: Shell<'a>,
    /// Providers: id, name, and whether it is chosen.
    pub providers: Vec<(Text<'a>, Text<'a>, bool)>,
    /// The claims, as they were pasted.
    pub claims: Text<'a>,
    /// The role, as it was asked for.
    pub role: Text<'a>,
    /// The address, as it was given.
    pub ip: Text<'a>,
    /// What is wrong with what was asked, as a sentence.
    pub problem: Option<Text<'a>>,
    /// Those who signed in of late: place, name, and when; none before they were asked for.
    pub recent: Option<Vec<(Text<'a>, Text<'a>, At)>>,
    /// The answer.
    pub tried: Option<TriedRules<'a>>,
    /// The rules that were pasted.
    pub candidate: Text<'a>,
    /// What is wrong with them.
    pub candidate_problems: Vec<Text<'a>>,
    /// What they change.
    pub changes: Option<RuleChanges<'a>>,
}

/// What the rules say of somebody.
#[derive(Debug, Clone)]
pub struct TriedRules<'a> {
    /// Who: name and provider.
    pub who: (Text<'a>, Text<'a>),
    /// Their groups.
    pub groups: Vec<Text<'a>>,
    /// Roles: what, where, why, and what limits them, a sentence each.
    pub granted: Vec<(Text<'a>, Text<'a>, Vec<Text<'a>>)>,
    /// Roles that may be asked for, in the same way.
    pub requestable: Vec<(Text<'a>, Text<'a>, Vec<Text<'a>>)>,
    /// How many there are beyond those.
    pub more: usize,
    /// The role that was asked about, and whether it is granted.
    pub asked: Option<(Text<'a>, bool)>,
    /// Rules that deny it.
    pub denied_by: Vec<Text<'a>>,
    /// Rules that would give it, the nearest first, each with what is missing.
    pub missed: Vec<(Text<'a>, Vec<Text<'a>>)>,
}

/// What other rules change.
#[derive(Debug, Clone)]
pub struct RuleChanges<'a> {
    /// What came of it, in a few words.
    pub title: &'static str,
    /// How it was tried, in sentences.
    pub extent: Vec<Text<'a>>,
    /// Roles: what, where, who gains it, who loses it, and in what it is wider for whom.
    pub roles: Vec<(Text<'a>, Text<'a>, Text<'a>, Text<'a>, Vec<Text<'a>>)>,
    /// What must be judged by hand.
    pub by_hand: Vec<Text<'a>>,
}
