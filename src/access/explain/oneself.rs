//! Why somebody has a role or lacks it, told to themselves.
//!
//! Anybody who can sign in may ask about any role, as often as they like. So the answer is about the person and never about the rules: no
//! rule's id, no condition, no pattern, no claim's name. What it may tell beyond that is what an administrator chose ([`Disclosure`]);
//! docs/rules.md says what each choice discloses.

mod nearest;
mod words;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use nearest::NearMiss;

use super::{Case, example};
use crate::access::condition::Concern;
use crate::access::draft::narrower;
use crate::access::rule::Rule;
use crate::access::{Context, Entitlement, Person, Policy, Target};
use crate::arn::{AccountId, Partition};
use crate::clock::Moment;
use crate::identity::ProviderId;

/// How many ways to a role are told, the nearest first.
const MOST_WAYS: usize = 5;

/// What people are told who ask why they do not have a role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Disclosure {
    /// Nothing: there is no page to ask on.
    Off,
    /// What about themselves is missing. A group that they are not in is never named, and a role that another group would give looks like
    /// one that does not exist.
    #[default]
    Reasons,
    /// The groups that would give the role too, and whether anybody can have it.
    Groups,
}

/// What the rules say to one person about one role.
#[derive(Debug, Clone)]
pub enum OwnExplanation {
    /// They have it.
    Granted(Box<OwnGrant>),
    /// They do not.
    Refused(Refusal),
}

/// A role that the person has, and by what about them.
#[derive(Debug, Clone)]
pub struct OwnGrant {
    /// The role, with its limits.
    pub entitlement: Entitlement,
    /// Each of the ways in which they have it.
    pub ways: Vec<Way>,
}

/// What about a person gives them a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Their groups; none where it is given to everyone.
    pub groups: Vec<String>,
    /// What was looked at beside them.
    pub beside: BTreeSet<Concern>,
    /// Who granted it, where it is had on request.
    pub granted_by: Option<String>,
    /// From when on it gives nothing any more.
    pub until: Option<Moment>,
}

/// Why a person does not have a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A deny takes it away, whatever would give it.
    Denied,
    /// What is missing, for each way to the role: all of a way's entries. The nearest first.
    Missing(Vec<Vec<Lack>>),
    /// None of their groups gives it. Whether anything else would is not told, or cannot be.
    NoGroup,
    /// Nothing gives it to anybody.
    Nobody,
}

/// Something about a person that keeps a role from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// They signed in with another provider than these.
    Provider(Vec<ProviderId>),
    /// They are in none of these groups, one at least. Told by [`Disclosure::Groups`] alone.
    Group(Vec<String>),
    /// They are in groups that are not admitted.
    Barred(Vec<String>),
    /// A condition does not hold.
    Condition {
        /// What it looks at.
        about: BTreeSet<Concern>,
        /// Whether something that it looks at is not known.
        unknown: bool,
    },
    /// It is had on request, and was not granted.
    Grant,
    /// What gave the role has ended.
    Ended(Moment),
}

/// A text that can be no role's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no role's name: write ACCOUNT/ROLE, such as Production/ReadOnly, or the role's whole ARN")]
pub struct NotARole;

impl Policy {
    /// Tells a person why they have a role, or what about them is missing. The role is named by its ARN or as `Account/Role`. It reads every
    /// rule and asks nobody.
    ///
    /// # Errors
    /// [`NotARole`] for a text that could name no role at all. A role of an unknown account is one that the person does not have: whether
    /// there is such an account is not told.
    pub fn explain_to_oneself(
        &self,
        who: &Person<'_>,
        context: &Context,
        asked: &str,
        tell: Disclosure,
    ) -> Result<OwnExplanation, NotARole> {
        let unknown = if tell == Disclosure::Groups { Refusal::Nobody } else { Refusal::NoGroup };
        let Some(role) = self.role_asked(asked)? else { return Ok(OwnExplanation::Refused(unknown)) };
        let granted = self.granted(who, context).into_iter().find(|entitlement| entitlement.target == role);
        Ok(match granted {
            Some(entitlement) => {
                let ways = self.ways(&entitlement, tell);
                OwnExplanation::Granted(Box::new(OwnGrant { entitlement, ways }))
            }
            None => OwnExplanation::Refused(self.refusal(who, context, &role, tell)),
        })
    }

    /// The role that a text names; none where its account is not known.
    fn role_asked(&self, asked: &str) -> Result<Option<Target>, NotARole> {
        if asked.chars().any(char::is_control) {
            return Err(NotARole);
        }
        if asked.starts_with("arn:") || asked.matches(':').count() == 3 {
            let target: Target = asked.parse().map_err(|_| NotARole)?;
            return Ok(self.accounts.of_target(&target).map(|_| target.clone()));
        }
        let (account, name) = asked.split_once('/').ok_or(NotARole)?;
        // The name is judged alike whether the account is known or not.
        Target::in_account(Partition::Aws, AccountId::default(), name).map_err(|_| NotARole)?;
        let known = || self.accounts.all.iter().find(|known| known.is_called(account));
        Ok(self.accounts.find(account).or_else(known).and_then(|account| Target::in_account(account.partition, account.id, name).ok()))
    }

    fn ways(&self, entitlement: &Entitlement, tell: Disclosure) -> Vec<Way> {
        let mut ways: Vec<Way> = Vec::new();
        for evidence in &entitlement.evidence {
            let Some(rule) = self.rules.iter().find(|rule| rule.id == evidence.rule) else { continue };
            let own = evidence.group.iter().map(String::as_str).chain(evidence.also.iter().map(|group| &**group));
            let mut groups: Vec<_> = own.map(|group| self.called(group, tell)).collect();
            groups.dedup();
            let granted = entitlement.elevations().find(|granted| granted.rule == *rule.id);
            let until = narrower(rule.until, granted.map(|granted| granted.until));
            let way = Way { groups, beside: concerns(rule), granted_by: granted.map(|granted| granted.approver.1.clone()), until };
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        ways
    }

    /// A group of the person's own: as it arrived, and by its alias only where the words of the file may be told.
    fn called(&self, group: &str, tell: Disclosure) -> String {
        if tell == Disclosure::Groups { self.groups.shown(group) } else { group.to_owned() }
    }

    /// Why a role that is not granted is not.
    fn refusal(&self, who: &Person<'_>, context: &Context, role: &Target, tell: Disclosure) -> Refusal {
        let normal = self.groups.names.all(who.groups);
        let who = &who.with_groups(normal.as_deref());
        let case = Case::new(self, who, context, role);
        let mut ways: Vec<Vec<Lack>> = Vec::new();
        // What is for workloads alone is no way for a person.
        let candidates = || case.candidates().filter(|rule| case.is_for_such(rule));
        let may_ask = self.requestable(who, context).iter().any(|requestable| requestable.target == *role);
        for rule in candidates() {
            let lacks = Lacks { policy: self, who, case: &case, rule, tell }.all();
            let Some(mut lacks) = lacks else { continue };
            if case.wants_grant(rule).is_some() && (may_ask || !lacks.is_empty()) {
                lacks.push(Lack::Grant);
            }
            if lacks.is_empty() {
                // Something gives it, and it is not granted: only a deny can be between.
                return Refusal::Denied;
            }
            if !ways.contains(&lacks) {
                ways.push(lacks);
            }
        }
        // To tell of a deny where nothing gives the role would tell which of an account's roles somebody can have.
        let left = case.denies().fold(who.purposes(), |left, (_, takes)| left.without(takes));
        if tell == Disclosure::Groups && !ways.is_empty() && left.is_empty() {
            return Refusal::Denied;
        }
        if ways.is_empty() {
            let nobody = tell == Disclosure::Groups && candidates().next().is_none();
            return if nobody { Refusal::Nobody } else { Refusal::NoGroup };
        }
        ways.sort_by_key(Vec::len);
        ways.truncate(MOST_WAYS);
        Refusal::Missing(ways)
    }
}

/// What a rule's condition looks at about the person and the moment; the role and its account are the same for everybody.
fn concerns(rule: &Rule) -> BTreeSet<Concern> {
    let mut concerns = rule.condition.as_ref().map(|condition| condition.concerns()).unwrap_or_default();
    concerns.remove(&Concern::Role);
    concerns
}

/// One rule that could give the role, and what the person lacks for it.
struct Lacks<'a> {
    policy: &'a Policy,
    who: &'a Person<'a>,
    case: &'a Case<'a>,
    rule: &'a Rule,
    tell: Disclosure,
}

impl Lacks<'_> {
    /// All that is missing; none where it may not be told that there is such a rule.
    fn all(&self) -> Option<Vec<Lack>> {
        let mut lacks = if self.case.has_group(self.rule) { Vec::new() } else { self.before_the_condition() };
        let names_groups = self.tell == Disclosure::Groups;
        // What groups a pattern wants cannot always be told from a role.
        if lacks.iter().any(|lack| matches!(lack, Lack::Group(names) if !names_groups || names.is_empty())) {
            return None;
        }
        if let Some(failed) = self.case.unmet(self.rule) {
            let about = concerns(self.rule);
            // No person could mend what is about the role alone; and a group is a group, whether a matcher or a condition asks for it.
            if about.is_empty() || !names_groups && about.contains(&Concern::Groups) {
                return None;
            }
            lacks.push(Lack::Condition { about, unknown: failed.error().is_some() });
        }
        lacks.extend(self.case.ended(self.rule).map(Lack::Ended));
        Some(lacks)
    }

    /// What is wrong with provider and groups, one thing at least.
    fn before_the_condition(&self) -> Vec<Lack> {
        let Self { policy, rule, tell, .. } = *self;
        let (wanted, has) = (&rule.wanted, |group: &str| self.who.groups.iter().any(|own| own == group));
        let mut lacks = Vec::new();
        if !rule.providers.is_empty() && !rule.providers.contains(self.who.provider) {
            lacks.push(Lack::Provider(rule.providers.to_vec()));
        }
        let opens = rule.everyone || wanted.any.iter().any(|group| has(group));
        let asks_for_one = !wanted.any.is_empty() || rule.pattern.is_some();
        if asks_for_one && !opens {
            lacks.push(self.any_of_its_groups());
        }
        let missing = wanted.all.iter().filter(|choice| !choice.iter().any(|group| has(group)));
        lacks.extend(missing.map(|choice| self.named(choice.iter().map(|group| &**group))));
        let barred: Vec<_> = wanted.none.iter().filter(|group| has(group)).map(|group| policy.called(group, tell)).collect();
        if !barred.is_empty() {
            lacks.push(Lack::Barred(barred));
        }
        lacks
    }

    /// One of the groups that open the rule, by name, or a name that would match its pattern.
    fn any_of_its_groups(&self) -> Lack {
        let pattern = self.rule.pattern.as_deref().and_then(|pattern| example(pattern, self.case.role));
        self.named(self.rule.wanted.any.iter().map(|group| &**group).chain(pattern.as_deref()))
    }

    fn named<'n>(&self, groups: impl Iterator<Item = &'n str>) -> Lack {
        let mut names: Vec<_> = groups.map(|group| self.policy.groups.alias(group).unwrap_or(group).to_owned()).collect();
        names.dedup();
        Lack::Group(names)
    }
}

#[cfg(test)]
mod tests;
