//! What a change of the rules makes wider: the limits of a role that somebody has before and after it, and the rules whose change no single
//! moment can judge.

mod asked;
mod by_hand;
mod widening;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

pub use asked::MoreAsked;
pub use by_hand::{Became, ByHand};
pub use widening::Widening;

use super::accounts::AccountSelector;
use super::roles::{Place, RoleNumber};
use super::rule::{Body, Roles, Rule};
use super::template::Template;
use super::{Effect, Person, Policy, Target};
use crate::cores;

/// In what the rules of one policy differ from those of an older one. Found once, asked for many people.
#[derive(Debug)]
pub struct Difference<'p> {
    old: &'p Policy,
    new: &'p Policy,
    /// The rules that only one of the two has, or that say something else in the other, by id and in the order of the newer policy.
    rules: Vec<(Arc<str>, Option<&'p Rule>, Option<&'p Rule>)>,
    ids: HashSet<Arc<str>>,
    /// Whether names of groups are compared in another way: then nobody's groups can be told to mean the same.
    everything: bool,
}

impl Policy {
    /// In what this policy's rules differ from those of an older one.
    #[must_use]
    pub fn difference_from<'p>(&'p self, old: &'p Self) -> Difference<'p> {
        let before: HashMap<_, _> = old.rules.iter().map(|rule| (&rule.id, rule)).collect();
        let accounts = self.accounts.all == old.accounts.all;
        let differing = |rule: &&'p Rule| {
            let was = before.get(&rule.id).copied();
            let is_same = was.is_some_and(|was| self.says_the_same(rule, (old, was), accounts));
            (!is_same).then(|| (Arc::clone(&rule.id), was, Some(*rule)))
        };
        let all: Vec<_> = self.rules.iter().collect();
        let mut rules: Vec<_> = cores::map(&all, differing).into_iter().flatten().collect();
        let now: HashSet<_> = self.rules.iter().map(|rule| &rule.id).collect();
        rules.extend(old.rules.iter().filter(|rule| !now.contains(&rule.id)).map(|rule| (Arc::clone(&rule.id), Some(rule), None)));
        let ids = rules.iter().map(|(id, ..)| Arc::clone(id)).collect();
        Difference { old, new: self, rules, ids, everything: self.groups.names != old.groups.names }
    }

    /// Whether a rule says the same as one of another policy, with aliases and selectors resolved. `accounts` says whether the two know the
    /// same accounts: what captures build depends on them.
    fn says_the_same(&self, rule: &Rule, (other, was): (&Self, &Rule), accounts: bool) -> bool {
        let text = |rule: &Rule| rule.condition.as_ref().map(|condition| Arc::clone(condition.text()));
        let of_groups = |rule: &Rule| (rule.providers.clone(), rule.pattern.clone(), rule.everyone);
        let matches = rule.wanted.is_like(&was.wanted) && of_groups(rule) == of_groups(was) && text(rule) == text(was);
        matches && rule.purposes == was.purposes && rule.until == was.until && self.does_the_same(rule, (other, was), accounts)
    }

    fn does_the_same(&self, rule: &Rule, (other, was): (&Self, &Rule), accounts: bool) -> bool {
        match (&rule.body, &was.body) {
            (Body::Allow { roles, terms }, Body::Allow { roles: old_roles, terms: old_terms }) => {
                // A condition may look at the account.
                let looks = rule.condition.is_some();
                let gives = match (roles, old_roles) {
                    (Roles::Fixed(here), Roles::Fixed(there)) => {
                        let place = |Place { target, account, .. }: &Place| (target.clone(), looks.then(|| Arc::clone(account)));
                        let of = |policy: &Self, numbers: &[RoleNumber]| {
                            let mut places: Vec<_> = policy.roles.of(numbers).map(place).collect();
                            places.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
                            places
                        };
                        here.len() == there.len() && of(self, here) == of(other, there)
                    }
                    (Roles::Captured { accounts: here, roles }, Roles::Captured { accounts: there, roles: old_roles }) => {
                        accounts && roles == old_roles && same_accounts(here, there)
                    }
                    _ => false,
                };
                // Of the terms everything counts, and all of it is written.
                gives && format!("{terms:?}") == format!("{old_terms:?}")
            }
            (Body::Deny { accounts: here, roles }, Body::Deny { accounts: there, roles: old_roles }) => {
                let in_the_same = match (here, there) {
                    (None, None) => true,
                    (Some(here), Some(there)) => same_accounts(here, there),
                    _ => false,
                };
                // Captures may name any account.
                let names = here.iter().flatten().any(|selector| matches!(selector, AccountSelector::Captured(_)));
                (accounts || !names) && roles == old_roles && in_the_same
            }
            (Body::Gateway { effect, roles }, Body::Gateway { effect: old_effect, roles: old_roles }) => {
                effect == old_effect && roles == old_roles
            }
            _ => false,
        }
    }

    /// The roles that a rule of this policy speaks of, among those that it and another policy name; none where they cannot be listed.
    fn roles_spoken_of(&self, rule: &Rule, other: &Self) -> Option<Vec<Target>> {
        let (accounts, names) = match &rule.body {
            Body::Allow { roles: Roles::Fixed(fixed), .. } => {
                return Some(self.roles.of(fixed).map(|place| place.target.clone()).collect());
            }
            Body::Allow { roles: Roles::Captured { .. }, .. } | Body::Gateway { .. } => return None,
            Body::Deny { accounts, roles } => (accounts.as_deref(), roles.as_deref()),
        };
        let builds = |rule: &Rule| matches!(&rule.body, Body::Allow { roles: Roles::Captured { .. }, .. });
        let is_open = |selector: &AccountSelector| matches!(selector, AccountSelector::Captured(_));
        if self.rules.iter().chain(&other.rules).any(builds) || accounts.is_some_and(|selectors| selectors.iter().any(is_open)) {
            return None;
        }
        let names = match names {
            Some(templates) => Some(templates.iter().map(Template::literal).collect::<Option<Vec<_>>>()?),
            None => None,
        };
        let in_accounts = |role: &Target| {
            accounts.is_none_or(|selectors| {
                selectors
                    .iter()
                    .any(|selector| matches!(selector, AccountSelector::These(these) if these.iter().any(|one| one.id == role.account())))
            })
        };
        let normal = |name: &str| self.groups.names.normal(name).into_owned();
        let is_named = |role: &Target| {
            let own = [role.path_and_name(), role.name(), role.as_str()].map(normal);
            names.as_ref().is_none_or(|names| names.iter().any(|name| own.contains(&normal(name))))
        };
        let known: BTreeSet<_> = self.roles.all().chain(other.roles.all()).map(|place| &place.target).collect();
        Some(known.into_iter().filter(|role| in_accounts(role) && is_named(role)).cloned().collect())
    }
}

impl Rule {
    const fn effect(&self) -> Effect {
        match self.body {
            Body::Allow { .. } => Effect::Allow,
            Body::Deny { .. } => Effect::Deny,
            Body::Gateway { effect, .. } => effect,
        }
    }
}

/// Whether selectors stand for the same accounts.
fn same_accounts(here: &[AccountSelector], there: &[AccountSelector]) -> bool {
    let is_same = |(one, other): (&AccountSelector, &AccountSelector)| match (one, other) {
        (AccountSelector::These(here), AccountSelector::These(there)) => here == there,
        (AccountSelector::Captured(one), AccountSelector::Captured(other)) => one == other,
        _ => false,
    };
    here.len() == there.len() && here.iter().zip(there).all(is_same)
}

impl Difference<'_> {
    /// Whether a rule that differs is about the person's groups. Whom none is about has what they had, under the same limits.
    #[must_use]
    pub fn touches(&self, who: &Person<'_>) -> bool {
        let is_matched = |policy: &Policy| {
            let normal = policy.groups.names.all(who.groups);
            let who = &who.with_groups(normal.as_deref());
            policy.matches(who).iter().any(|matched| self.ids.contains(&matched.rule.id))
        };
        self.everything || (!self.ids.is_empty() && (is_matched(self.old) || is_matched(self.new)))
    }

    /// Whether a rule of the newer policy that could not be judged for somebody may hide that they gain a role that `is_one` picks by its ARN:
    /// an allow that is not as it was, or a deny.
    #[must_use]
    pub fn may_hide_a_gain(&self, id: &str, is_one: impl Fn(&str) -> bool) -> bool {
        let Some(rule) = self.new.rules.iter().find(|rule| *rule.id == *id) else { return false };
        let spoken_of = || self.new.roles_spoken_of(rule, self.old);
        let may_touch = || spoken_of().is_none_or(|roles| roles.iter().any(|role| is_one(role.as_str())));
        (rule.effect() == Effect::Deny || self.ids.contains(&rule.id)) && may_touch()
    }
}

#[cfg(test)]
mod tests;
