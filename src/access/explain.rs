//! Why somebody has a role, or what is missing.

mod oneself;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::accounts::{AccountSelector, roles_named};
use super::compile::Policy;
use super::condition::Facts;
use super::decide::Match;
use super::deny::Scope;
use super::elevation::{OnRequest, Standing};
use super::roles::KnownRoles;
use super::rule::{Body, Roles, Rule};
use super::{
    Account, ConditionFailed, Context, Elevation, Entitlement, Evidence, Operation, Person, Purpose, Purposes, SessionPolicy, Target,
};
use crate::arn::RoleArn;
use crate::clock::Moment;
use crate::identity::{Demand, StepUp};

pub use oneself::{Disclosure, Lack, NearMiss, NotARole, OwnExplanation, OwnGrant, Refusal, Way};

/// What the rules say of one person and one role.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The role.
    pub role: Target,
    /// What is granted, if the role is.
    pub granted: Option<Grant>,
    /// Deny rules that match the person and take the role.
    pub denied_by: Vec<String>,
    /// Rules that give the role and do not match, each with all that is missing; the nearest first.
    pub missed: Vec<Miss>,
}

/// A role that is granted, as explanations show it.
#[derive(Debug, Serialize)]
pub struct Grant {
    /// The role.
    pub role: Target,
    /// The account's name.
    pub account: String,
    /// The longest session, in seconds.
    pub max_session: u64,
    /// How AWS is asked for it.
    pub operation: Operation,
    /// The role on the way to it.
    pub via: Option<RoleArn>,
    /// What it may be taken for.
    pub purposes: Vec<Purpose>,
    /// What limits the session below what the role may do.
    pub session_policy: Option<Arc<SessionPolicy>>,
    /// What is wanted of the sign-in.
    pub demand: Demand,
    /// What this sign-in lacks of it.
    pub step_up: Option<Box<StepUp>>,
    /// What must be said before it is handed out.
    pub reason: Option<String>,
    /// What was granted on request and makes it held.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub elevations: Vec<Elevation>,
    /// Whether it is for emergencies, so that to take it is an alarm.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// The way to it in an emergency, where this one does not lead there, or not at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emergency: Option<Box<Grant>>,
    /// The rules that grant it, with the groups that matched.
    pub evidence: Vec<Because>,
    /// Why it cannot be taken although it is granted.
    pub obstacle: Option<String>,
}

/// A rule that grants, and the groups that made it match.
#[derive(Debug, Serialize)]
pub struct Because {
    /// The rule's id.
    pub rule: String,
    /// The groups; none for a rule that is about everyone.
    pub groups: Vec<Called>,
    /// From when on the rule gives nothing any more.
    pub until: Option<Moment>,
}

/// A group, as it was sent and as people call it.
#[derive(Debug, Serialize)]
pub struct Called {
    /// The name or id that is compared.
    pub group: String,
    /// Its alias, if `[groups]` has one.
    pub alias: Option<String>,
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.alias {
            Some(alias) => write!(f, "{alias} ({})", self.group),
            None => f.write_str(&self.group),
        }
    }
}

/// A rule that would give the role and does not match.
#[derive(Debug, Serialize)]
pub struct Miss {
    /// The rule.
    pub rule: String,
    /// All that is missing.
    pub missing: Vec<Missing>,
}

/// Something that keeps a rule from matching.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The rule is about other providers' people.
    Provider {
        /// Whose people it is about.
        wanted: Vec<String>,
    },
    /// The person has none of these groups.
    AnyGroup {
        /// The groups; one would do.
        of: Vec<String>,
    },
    /// The person has groups that the rule does not admit.
    Without {
        /// The groups.
        barred: Vec<String>,
    },
    /// No group of the person's matches this pattern with what the role needs.
    GroupPattern {
        /// The pattern.
        pattern: String,
        /// The group that would match, where that can be told.
        example: Option<String>,
    },
    /// The condition does not hold.
    Condition {
        /// The condition.
        text: String,
        /// Why it could not even be evaluated, if that is so.
        failed: Option<String>,
    },
    /// The rule gives its roles for other purposes than such as these have.
    Purpose {
        /// What it would have to list.
        wanted: Vec<Purpose>,
    },
    /// The rule gives the role on request, and nothing living was granted.
    Grant {
        /// The groups whose members decide; one would do.
        approvers: Vec<String>,
    },
    /// The rule has run out.
    Time {
        /// When.
        until: Moment,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider { wanted } => write!(f, "a sign-in with {}", wanted.join(" or ")),
            Self::Purpose { wanted } => {
                let words: Vec<_> = wanted.iter().map(|purpose| purpose.as_str()).collect();
                write!(f, "{} among the rule's purposes", words.join(" or "))
            }
            Self::AnyGroup { of } if of.len() == 1 => write!(f, "the group {}", of.concat()),
            Self::AnyGroup { of } => write!(f, "one of the groups {}", of.join(", ")),
            Self::Without { barred } => write!(f, "not being in the group {}", barred.join(", nor in ")),
            Self::GroupPattern { pattern, example: None } => write!(f, "a group that matches {pattern} and names this role"),
            Self::Condition { text, failed: None } => write!(f, "the condition does not hold: {text}"),
            Self::Condition { text, failed: Some(why) } => write!(f, "the condition cannot be evaluated ({why}): {text}"),
            Self::Grant { approvers } => write!(f, "a grant: it is had on request, about which {} decides", approvers.join(" or ")),
            Self::Time { until } => write!(f, "the rule has ended, on {}", until.format("%Y-%m-%d %H:%M UTC")),
            Self::GroupPattern { pattern, example: Some(example) } => write!(f, "a group such as {example} (pattern {pattern})"),
        }
    }
}

impl Policy {
    /// A granted role as explanations show it.
    #[must_use]
    pub fn grant_of(&self, entitlement: &Entitlement) -> Grant {
        let called = |group: &str| Called { group: group.to_owned(), alias: self.groups.alias(group).map(str::to_owned) };
        let because = |evidence: &Evidence| {
            let mut groups: Vec<_> = evidence.group.iter().map(String::as_str).chain(evidence.also.iter().map(|group| &**group)).collect();
            groups.dedup();
            let until = self.rules.iter().find(|rule| rule.id == evidence.rule).and_then(|rule| rule.until);
            Because { rule: evidence.rule.to_string(), until, groups: groups.into_iter().map(called).collect() }
        };
        Grant {
            role: entitlement.target.clone(),
            account: entitlement.account.name.clone(),
            max_session: entitlement.max_session.as_secs(),
            operation: entitlement.operation,
            via: entitlement.hub.as_ref().map(|hub| hub.role.clone()),
            purposes: entitlement.purposes.list(),
            session_policy: entitlement.session_policy.clone(),
            demand: entitlement.demand.clone(),
            step_up: entitlement.step_up.clone(),
            reason: entitlement.wanted_reason(),
            elevations: entitlement.elevations().cloned().collect(),
            break_glass: entitlement.break_glass,
            emergency: entitlement.emergency.as_deref().map(|way| Box::new(self.grant_of(way))),
            evidence: entitlement.evidence.iter().map(because).collect(),
            obstacle: entitlement.obstacle.as_ref().map(ToString::to_string),
        }
    }

    /// Why a person has a role, or what is missing.
    #[must_use]
    pub fn explain(&self, who: &Person<'_>, context: &Context, role: &Target) -> Explanation {
        let granted = self.granted(who, context);
        let normal = self.groups.names.all(who.groups);
        let who = &who.with_groups(normal.as_deref());
        let case = Case::new(self, who, context, role);
        let denied_by: BTreeSet<_> = case.denies().filter(|(_, takes)| !takes.is_empty()).map(|(rule, _)| rule.id.to_string()).collect();
        let unmet = |rule: &Rule| {
            let failed = case.unmet(rule)?;
            let text = rule.condition.as_ref()?.text().to_string();
            Some(Missing::Condition { text, failed: failed.error().map(ToString::to_string) })
        };
        let all = |rule: &Rule| {
            let groups = if case.has_group(rule) { Vec::new() } else { self.missing(rule, who, role) };
            let other_purpose = (!case.is_for_such(rule)).then(|| Missing::Purpose { wanted: who.purposes().list() });
            groups
                .into_iter()
                .chain(other_purpose)
                .chain(unmet(rule))
                .chain(case.wants_grant(rule).map(|terms| Missing::Grant { approvers: self.shown(terms.approvers()) }))
                .chain(case.ended(rule).map(|until| Missing::Time { until }))
                .collect::<Vec<_>>()
        };
        let misses = case.candidates().map(|rule| Miss { rule: rule.id.to_string(), missing: all(rule) });
        let mut nearest: Vec<_> = misses.filter(|miss| !miss.missing.is_empty()).collect();
        nearest.sort_by_key(|miss| miss.missing.len());
        Explanation {
            granted: granted.iter().find(|entitlement| entitlement.target == *role).map(|entitlement| self.grant_of(entitlement)),
            role: role.clone(),
            denied_by: denied_by.into_iter().collect(),
            missed: nearest,
        }
    }

    fn shown(&self, groups: &[Arc<str>]) -> Vec<String> {
        groups.iter().map(|group| self.groups.shown(group)).collect()
    }

    /// What a person's groups lack for a rule.
    fn missing(&self, rule: &Rule, who: &Person<'_>, wanted: &Target) -> Vec<Missing> {
        let mut missing = Vec::new();
        if !rule.providers.is_empty() && !rule.providers.contains(who.provider) {
            missing.push(Missing::Provider { wanted: rule.providers.iter().map(ToString::to_string).collect() });
        }
        let has = |group: &Arc<str>| who.groups.iter().any(|has| **has == **group);
        let shown = |groups: &[Arc<str>]| self.shown(groups);
        if !rule.everyone && !rule.wanted.any.iter().any(has) {
            match &rule.pattern {
                Some(pattern) => missing.push(Missing::GroupPattern { pattern: pattern.to_string(), example: example(pattern, wanted) }),
                None if rule.wanted.any.is_empty() => {}
                None => missing.push(Missing::AnyGroup { of: shown(&rule.wanted.any) }),
            }
        }
        for choice in rule.wanted.all.iter().filter(|choice| !choice.iter().any(has)) {
            missing.push(Missing::AnyGroup { of: shown(choice) });
        }
        let barred: Vec<_> = rule.wanted.none.iter().filter(|group| has(group)).cloned().collect();
        if !barred.is_empty() {
            missing.push(Missing::Without { barred: shown(&barred) });
        }
        missing
    }

    /// A role by its ARN, or by account and name: `Production/ReadOnly`. It need not be granted by any rule.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the name.
    pub fn role_named(&self, text: &str) -> Result<Target, String> {
        if text.starts_with("arn:") || text.matches(':').count() == 3 {
            let target: Target = text.parse().map_err(|error| format!("`{text}` is not a role's ARN: {error}"))?;
            return self.accounts.of_target(&target).map(|_| target.clone()).ok_or_else(|| format!("`{text}` is in no known account"));
        }
        let (account, role) = text.split_once('/').ok_or_else(|| format!("`{text}` does not name an account and a role"))?;
        let account = self.accounts.find(account).ok_or_else(|| format!("there is no account `{account}`"))?;
        Target::in_account(account.partition, account.id, role).map_err(|error| format!("`{role}` is not a role's name: {error}"))
    }
}

/// One person and one role, and what the rules say of the two.
struct Case<'a> {
    policy: &'a Policy,
    who: &'a Person<'a>,
    facts: Facts<'a>,
    matches: Vec<Match<'a>>,
    role: &'a Target,
    now: Moment,
}

impl<'a> Case<'a> {
    /// The person's groups are in the form in which they are compared.
    fn new(policy: &'a Policy, who: &'a Person<'a>, context: &'a Context, role: &'a Target) -> Self {
        Self { policy, who, facts: Facts::of(who, context), matches: policy.matches(who), role, now: context.now }
    }

    fn place(&self) -> Option<(&Target, &Account)> {
        self.policy.accounts.of_target(self.role).map(|account| (self.role, account.as_ref()))
    }

    /// The rules that could give the role to somebody.
    fn candidates(&self) -> impl Iterator<Item = &'a Rule> {
        let (known, role) = (&self.policy.roles, self.role);
        self.policy.rules.iter().filter(move |rule| could_give(known, rule, role))
    }

    /// The denies that match the person and speak of the role, with what they take of it.
    fn denies(&self) -> impl Iterator<Item = (&'a Rule, Purposes)> {
        let covering = self.matches.iter().filter(|matched| self.takes(matched));
        covering.map(|matched| (matched.rule, matched.rule.purposes(&self.facts, self.place()).unwrap_or(matched.rule.purposes)))
    }

    /// Whether the person's groups make the rule give the role.
    fn has_group(&self, rule: &Rule) -> bool {
        self.matches.iter().any(|matched| matched.rule.id == rule.id && self.gives(matched))
    }

    /// Whether the rule gives people roles, or workloads, as the one at hand is.
    fn is_for_such(&self, rule: &Rule) -> bool {
        !rule.purposes.and(self.facts.purposes()).is_empty()
    }

    /// How the rule's condition fails, if it does. That of a rule for others is not asked.
    fn unmet(&self, rule: &Rule) -> Option<Unmet> {
        if !self.is_for_such(rule) {
            return None;
        }
        match rule.purposes(&self.facts, self.place()) {
            Ok(purposes) if purposes.is_empty() => Some(Unmet::False),
            Ok(_) => None,
            Err(why) => Some(Unmet::Failed(why)),
        }
    }

    /// When the rule has ended, if it has.
    fn ended(&self, rule: &Rule) -> Option<Moment> {
        rule.until.filter(|until| self.now >= *until)
    }

    /// What the rule says of requests, if it gives the role on request and that was not granted.
    fn wants_grant(&self, rule: &'a Rule) -> Option<&'a OnRequest> {
        let Body::Allow { terms, .. } = &rule.body else { return None };
        let is_open = terms.standing(rule, self.role, self.who, self.now) == Standing::Open;
        terms.on_request.as_deref().filter(|_| is_open)
    }

    fn takes(&self, matched: &Match<'_>) -> bool {
        match &matched.rule.body {
            Body::Deny { accounts, roles } => Scope::of(self.policy, matched, accounts.as_deref(), roles.as_deref()).covers(self.role),
            Body::Allow { .. } | Body::Gateway { .. } => false,
        }
    }

    fn gives(&self, matched: &Match<'_>) -> bool {
        let (Body::Allow { roles, .. }, Some(captures)) = (&matched.rule.body, &matched.captures) else { return false };
        let (policy, role) = (self.policy, self.role);
        match roles {
            Roles::Fixed(fixed) => policy.roles.is_among(role, fixed),
            Roles::Captured { accounts, roles } => roles.iter().filter_map(|template| template.fill_captures(captures)).any(|name| {
                let named = roles_named(&policy.accounts, accounts, &name, captures);
                named.into_iter().flatten().any(|(arn, _)| *role == arn)
            }),
        }
    }
}

/// How a condition does not hold.
enum Unmet {
    /// It says no.
    False,
    /// It cannot be evaluated.
    Failed(ConditionFailed),
}

impl Unmet {
    fn error(&self) -> Option<&ConditionFailed> {
        match self {
            Self::False => None,
            Self::Failed(why) => Some(why),
        }
    }
}

/// Whether the rule could give the role to anybody. Captures can be anything, so a rule with some is only ruled out by its accounts.
fn could_give(known: &KnownRoles, rule: &Rule, arn: &Target) -> bool {
    let Body::Allow { roles, .. } = &rule.body else { return false };
    match roles {
        Roles::Fixed(fixed) => known.is_among(arn, fixed),
        Roles::Captured { accounts, roles } => {
            let in_account = |selector: &AccountSelector| match selector {
                AccountSelector::These(these) => these.iter().any(|account| account.id == arn.account()),
                AccountSelector::Captured(_) => true,
            };
            let reaches = accounts.is_empty() || accounts.iter().any(in_account);
            let names = |name: Option<&str>| name.is_none_or(|name| name == arn.path_and_name() || name == arn.as_str());
            // A whole ARN needs no account beside it.
            roles.iter().any(|template| (reaches || template.begins_with("arn:")) && names(template.literal()))
        }
    }
}

/// The name of a group that would match, for patterns of the usual kind: plain text around captures of an account and a role.
fn example(pattern: &str, role: &Target) -> Option<String> {
    let mut example = String::new();
    let mut rest = pattern;
    while let Some((before, capture)) = rest.split_once("(?<") {
        example.push_str(before);
        let (name, body) = capture.split_once('>')?;
        let (_, after) = body.split_once(')')?;
        match name {
            "account" => example.push_str(role.account().as_str()),
            "role" => example.push_str(role.name()),
            _ => return None,
        }
        rest = after;
    }
    example.push_str(rest);
    let matches = regex::Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(&example));
    matches.then_some(example)
}
