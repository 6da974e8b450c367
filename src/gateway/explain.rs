//! Why somebody does not see a role, told to themselves, with a report for whoever helps them.

use std::fmt::Write;

use super::failure::incident_id;
use super::{Caller, Gateway};
use crate::access::{Context, Disclosure, NotARole, OwnExplanation, Person, Target};
use crate::clock::Moment;
use crate::store::Session;

/// How many groups a report lists.
const MOST_GROUPS: usize = 200;
/// How reports write a moment.
const TIME: &str = "%Y-%m-%d %H:%M:%S UTC";
/// The longest text that is taken for the name of a role, in characters: an ARN's path has 512 at most.
const LONGEST_ASKED: usize = 1024;

/// What somebody is told who asked about a role. All of it may be shown to them.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The role as it was asked for.
    pub asked: String,
    /// The role, where they have it.
    pub granted: Option<Target>,
    /// What gives it, a sentence each.
    pub by: Vec<String>,
    /// What limits it, a sentence each.
    pub limits: Vec<String>,
    /// What is missing, a sentence for each way to it, the nearest first.
    pub missing: Vec<String>,
    /// The id under which the log names the rules, for administrators.
    pub incident: String,
    /// When it was asked.
    pub at: Moment,
    /// The name that people recognise.
    pub username: String,
    /// The provider: its id, and its name for people.
    pub provider: (String, String),
    /// The groups that arrived.
    pub groups: Vec<String>,
}

impl Explained {
    /// All of it as a plain text, to be sent to whoever helps.
    #[must_use]
    pub fn report(&self) -> String {
        let mut report = Report::default();
        report.line("Report", &self.incident);
        report.line("Time", &self.at.format(TIME).to_string());
        report.line("Person", &self.username);
        report.line("Provider", &format!("{} ({})", self.provider.1, self.provider.0));
        report.line("Role", self.granted.as_ref().map_or(self.asked.as_str(), Target::as_str));
        report.line("Answer", if self.granted.is_some() { "granted" } else { "not granted" });
        for sentence in self.by.iter().chain(&self.limits).chain(&self.missing) {
            report.item(sentence);
        }
        report.groups(&self.groups);
        report.0
    }
}

/// What somebody is told who has no role at all. All of it may be shown to them.
#[derive(Debug, Clone)]
pub struct WithoutRoles {
    /// What came nearest, a sentence each, the nearest first.
    pub nearest: Vec<String>,
    /// All of it as a plain text, to be sent to whoever helps.
    pub report: String,
}

/// Lines of a report, each `label: value`.
#[derive(Default)]
struct Report(String);

impl Report {
    fn line(&mut self, label: &str, value: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{label}: {}", one_line(value));
    }

    fn item(&mut self, value: &str) {
        let _ = writeln!(self.0, "  - {}", one_line(value));
    }

    fn groups(&mut self, groups: &[String]) {
        self.line("Groups that arrived", &groups.len().to_string());
        for group in groups.iter().take(MOST_GROUPS) {
            self.item(group);
        }
        if groups.len() > MOST_GROUPS {
            self.item(&format!("and {} more", groups.len() - MOST_GROUPS));
        }
    }
}

/// A text that stays on its line and in its direction: a report is pasted into tickets.
fn one_line(text: &str) -> String {
    let is_odd = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}');
    text.chars().map(|c| if is_odd(c) { '\u{fffd}' } else { c }).collect()
}

impl Gateway {
    /// Whether people may ask why they do not have a role.
    #[must_use]
    pub fn explains(&self) -> bool {
        self.disclosure != Disclosure::Off
    }

    /// Tells the session's person why they have a role, or what about them is missing, as far as the configuration lets people know; none
    /// where it lets them know nothing. `asked` is the role's ARN, or `Account/Role`. Nothing is recorded and nobody is asked; the log gets
    /// a line with the rules, under an incident id that the report has.
    ///
    /// # Errors
    /// [`NotARole`] for a text that can name no role.
    pub fn explain(&self, session: &Session, caller: &Caller, asked: &str) -> Option<Result<Explained, NotARole>> {
        if !self.explains() {
            return None;
        }
        let asked = asked.trim();
        if asked.chars().count() > LONGEST_ASKED {
            return Some(Err(NotARole));
        }
        let (identity, policy) = (&*session.identity, self.policy.load());
        let granted = session.elevations();
        let (who, context) = (Person::from(identity).with_elevations(&granted), Context { now: self.now(), ip: caller.ip });
        let told = policy.explain_to_oneself(&who, &context, asked, self.disclosure);
        let told = match told.map(|told| told.as_learnt(|role| self.lengths.longest(role, context.now))) {
            Ok(told) if self.sts.knows_own_session() => told.chained_by_own_identity(),
            Ok(told) => told,
            Err(unreadable) => return Some(Err(unreadable)),
        };
        let incident = incident_id();
        let granted = match &told {
            OwnExplanation::Granted(grant) => Some(grant.entitlement.target.clone()),
            OwnExplanation::Refused(_) => None,
        };
        if let Ok(role) = policy.role_named(asked) {
            let whole = policy.explain(&who, &context, &role);
            let missed: Vec<_> = whole.missed.iter().map(|miss| miss.rule.as_str()).collect();
            let granted_by: Vec<_> = whole.granted.iter().flat_map(|grant| &grant.evidence).map(|because| because.rule.as_str()).collect();
            tracing::info!(
                incident,
                %role,
                granted_by = granted_by.join(" "),
                denied_by = whole.denied_by.join(" "),
                missed = missed.join(" "),
                "somebody asked why they have or lack a role: `rolegate explain` says what each rule misses"
            );
        }
        Some(Ok(Explained {
            asked: asked.to_owned(),
            granted,
            by: told.by(),
            limits: told.limits(),
            missing: told.missing(|id| self.provider_name(id)),
            incident,
            at: context.now,
            username: identity.username().to_owned(),
            provider: (identity.provider().to_string(), self.provider_name(identity.provider()).to_owned()),
            groups: identity.groups().to_vec(),
        }))
    }

    /// Tells the session's person, who has no role, what came nearest, as far as the configuration lets people know. Nothing is recorded and nobody is
    /// asked; the log gets a line with the rules, under an incident id that the report has.
    #[must_use]
    pub fn without_roles(&self, session: &Session, caller: &Caller) -> WithoutRoles {
        let identity = &*session.identity;
        let context = Context { now: self.now(), ip: caller.ip };
        let policy = self.policy.load();
        let misses = policy.near_misses(&Person::from(identity), &context, self.disclosure);
        let incident = incident_id();
        let rules: Vec<_> = misses.iter().map(|miss| &*miss.rule).collect();
        tracing::info!(
            incident,
            provider = %identity.provider(),
            groups = identity.groups().len(),
            nearest = rules.join(" "),
            "somebody has no roles: `rolegate explain` says what each rule misses"
        );
        let nearest: Vec<_> = misses.iter().map(|miss| miss.in_words(|id| self.provider_name(id))).collect();
        let mut report = Report::default();
        report.line("Report", &incident);
        report.line("Time", &context.now.format(TIME).to_string());
        report.line("Person", identity.username());
        report.line("Provider", &format!("{} ({})", self.provider_name(identity.provider()), identity.provider()));
        report.line("Answer", "no roles at all");
        for sentence in &nearest {
            report.item(sentence);
        }
        report.groups(identity.groups());
        WithoutRoles { nearest, report: report.0 }
    }
}
