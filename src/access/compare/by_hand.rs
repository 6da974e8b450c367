//! The rules whose change no single moment can judge.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::{Difference, MoreAsked};
use crate::access::condition::Concern;
use crate::access::rule::{Body, Rule};
use crate::access::{Effect, Policy, Purpose, Target};

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// It is new.
    Added,
    /// It says something else.
    Changed,
    /// It is gone.
    Removed,
}

/// A rule whose change may let somebody have more, under circumstances that one moment does not show, or somebody who is no person.
#[derive(Debug, Clone, Serialize)]
pub struct ByHand {
    /// The rule.
    pub rule: String,
    /// Whether it allows or denies, in the newer policy that has it.
    pub effect: Effect,
    /// What became of it.
    pub became: Became,
    /// The circumstances that it looks at, before or after.
    pub looks_at: BTreeSet<Concern>,
    /// Whether it decides about workloads: they sign in nowhere, so no list of people has them.
    pub workloads: bool,
    /// Whether it gives its roles on request: nobody holds them by it alone.
    pub on_request: bool,
    /// In what more may be asked for by it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<MoreAsked>,
    /// Whether it is for emergencies: who has its roles by another rule may see that way at other moments alone.
    pub break_glass: bool,
    /// The roles that it speaks of, as far as they are known; none for roles that nobody can list.
    #[serde(skip)]
    roles: Option<Vec<Target>>,
}

impl ByHand {
    /// Whether it may be about one of the roles that `is_one` picks by their ARNs. What cannot be listed may be about any.
    #[must_use]
    pub fn may_touch(&self, is_one: impl Fn(&str) -> bool) -> bool {
        self.roles.as_ref().is_none_or(|roles| roles.iter().any(|role| is_one(role.as_str())))
    }
}

impl fmt::Display for ByHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let became = match self.became {
            Became::Added => "is new",
            Became::Changed => "is changed",
            Became::Removed => "is gone",
        };
        let effect = if self.effect == Effect::Deny { "deny" } else { "rule" };
        let looks_at = self.looks_at.iter().map(|concern| circumstance(*concern)).collect::<Vec<_>>().join(" and ");
        let looks_at = (!self.looks_at.is_empty()).then(|| format!("its condition looks at {looks_at}"));
        let workloads = self.workloads.then(|| "it decides about workloads, who are not among these people".to_owned());
        let on_request = self.on_request.then(|| {
            let asked: Vec<_> = self.asked.iter().map(ToString::to_string).collect();
            let more = if asked.is_empty() { String::new() } else { format!(" ({})", asked.join("; ")) };
            format!("it is about roles that are had on request, which nobody holds by it alone{more}")
        });
        let emergency =
            "it is about roles for emergencies, and who has them otherwise sees that way where the other one does not do at once";
        let break_glass = self.break_glass.then(|| emergency.to_owned());
        let why = looks_at.into_iter().chain(workloads).chain(on_request).chain(break_glass).collect::<Vec<_>>().join(", and ");
        write!(f, "the {effect} {} {became}, and {why}: judge it by hand", self.rule)
    }
}

const fn circumstance(concern: Concern) -> &'static str {
    match concern {
        Concern::SignIn => "the sign-in",
        Concern::Address => "the address",
        Concern::Time => "the time",
        _ => "other things",
    }
}

/// What is not the same at every moment for one person.
const CIRCUMSTANCES: [Concern; 3] = [Concern::SignIn, Concern::Address, Concern::Time];

impl Difference<'_> {
    /// The rules that differ, and whose conditions look at circumstances: how somebody signed in, from where, when. To try people at one moment
    /// judges them at that moment alone. And those that decide about workloads, who are not among people. Allows that are gone and denies that are new only take away.
    #[must_use]
    pub fn to_judge_by_hand(&self) -> Vec<ByHand> {
        self.rules.iter().filter_map(|(_, was, is)| self.by_hand(*was, *is)).collect()
    }

    fn by_hand(&self, was: Option<&Rule>, is: Option<&Rule>) -> Option<ByHand> {
        let (rule, became) = match (was, is) {
            (None, Some(is)) if is.effect() == Effect::Allow => (is, Became::Added),
            (Some(_), Some(is)) => (is, Became::Changed),
            (Some(was), None) if was.effect() == Effect::Deny => (was, Became::Removed),
            _ => return None,
        };
        let looks_at: BTreeSet<_> = was.iter().chain(&is).flat_map(|rule| rule.circumstances()).collect();
        let of = |policy: &Policy, rule: Option<&Rule>, other| rule.map_or(Some(Vec::new()), |rule| policy.roles_spoken_of(rule, other));
        let roles = || of(self.old, was, self.new).zip(of(self.new, is, self.old)).map(|(one, other)| [one, other].concat());
        let is_for_workloads = |rule: &Rule| rule.purposes.has(Purpose::Workload);
        // A deny is about them unless it says otherwise, and matters where something gives them roles.
        let gives_them = || self.new.rules.iter().any(|rule| rule.effect() == Effect::Allow && is_for_workloads(rule));
        let workloads = was.into_iter().chain(is).any(is_for_workloads) && gives_them();
        let break_glass = is.is_some_and(Rule::is_for_emergencies);
        let asked = self.about_requests(was, is);
        let is_one = workloads || asked.is_some() || break_glass || !looks_at.is_empty();
        let by_hand = || ByHand {
            rule: rule.id.to_string(),
            effect: rule.effect(),
            became,
            looks_at,
            workloads,
            on_request: asked.is_some(),
            asked: asked.unwrap_or_default(),
            break_glass,
            roles: roles(),
        };
        is_one.then(by_hand)
    }
}

impl Rule {
    const fn is_for_emergencies(&self) -> bool {
        matches!(&self.body, Body::Allow { terms, .. } if terms.break_glass)
    }

    /// The circumstances that its condition looks at.
    fn circumstances(&self) -> BTreeSet<Concern> {
        let mut looks_at = self.condition.as_ref().map(|condition| condition.concerns()).unwrap_or_default();
        looks_at.retain(|concern| CIRCUMSTANCES.contains(concern));
        looks_at
    }
}
