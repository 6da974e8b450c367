//! Which allows are taken away as a whole by denies.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::super::accounts::AccountSelector;
use super::super::roles::Place;
use super::super::rule::{Body, Roles, Rule};
use super::super::{Account, Policy, Target};
use crate::arn::AccountId;

/// The denies whose reach is known beforehand, findable by whom and what they are about: organisations have thousands of both.
pub(super) struct Denies<'a> {
    policy: &'a Policy,
    all: Vec<Deny<'a>>,
    /// By the group that they match, which is none for those about everyone, and by what they reach. Numbers are in the order of the rules.
    index: HashMap<(Option<&'a str>, Reach<'a>), Vec<usize>>,
}

struct Deny<'a> {
    rule: &'a Rule,
    /// None for all.
    accounts: Option<&'a [AccountSelector]>,
    /// None for all.
    roles: Option<Vec<&'a str>>,
}

/// What of a deny it is found by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Reach<'a> {
    Account(AccountId),
    Role(&'a str),
    /// Many accounts and many roles.
    Wide,
}

/// A deny is found by its accounts, or else by its roles, if there are no more of them than this.
const FEW: usize = 16;

impl<'a> Denies<'a> {
    pub(super) fn of(policy: &'a Policy) -> Self {
        let mut denies = Self { policy, all: Vec::new(), index: HashMap::new() };
        for rule in &policy.rules {
            // One that asks for more groups than one, or for none of some, leaves somebody out.
            if !rule.wanted.all.is_empty() || !rule.wanted.none.is_empty() {
                continue;
            }
            let Some(deny) = Deny::of(rule) else { continue };
            let everyone = rule.everyone.then_some(None);
            for group in rule.wanted.any.iter().map(|group| Some(&**group)).chain(everyone) {
                for reach in deny.reaches() {
                    denies.index.entry((group, reach)).or_default().push(denies.all.len());
                }
            }
            denies.all.push(deny);
        }
        denies
    }

    /// The rules that together take away all that an allow grants, whoever it grants it to; none if anything is left.
    pub(super) fn shadow(&self, allow: &Rule) -> Option<Vec<String>> {
        let Body::Allow { roles, .. } = &allow.body else { return None };
        let needed = allow.wanted.all.iter().filter_map(|choice| if let [group] = choice.as_slice() { Some(&**group) } else { None });
        let always: Vec<Option<&str>> = needed.map(Some).chain([None]).collect();
        let (mut by, mut ways) = (BTreeSet::new(), Vec::new());
        // Each way to match must be shadowed: everybody who matches has the groups of `always`, and this one.
        ways.extend(allow.wanted.any.iter().map(|group| Some(&**group)));
        if allow.everyone || allow.pattern.is_some() || ways.is_empty() {
            ways.push(None);
        }
        for way in ways {
            let groups = || always.iter().copied().chain([way]);
            match roles {
                Roles::Fixed(fixed) if !fixed.is_empty() => {
                    for place in self.policy.roles.of(fixed) {
                        let deny = groups()
                            .find_map(|group| self.first(group, &reaches_of(place), |deny| deny.is_about(allow) && deny.covers(place)))?;
                        by.insert(deny.rule.id.to_string());
                    }
                }
                Roles::Fixed(_) => return None,
                Roles::Captured { .. } => {
                    let takes_all = |deny: &Deny<'_>| deny.is_about(allow) && deny.accounts.is_none() && deny.roles.is_none();
                    let deny = groups().find_map(|group| self.first(group, &[Reach::Wide], takes_all))?;
                    by.insert(deny.rule.id.to_string());
                }
            }
        }
        Some(by.into_iter().map(|id| format!("`{id}`")).collect())
    }

    /// The first deny of a group that is found by one of these and fits.
    fn first(&self, group: Option<&str>, reaches: &[Reach<'_>], fits: impl Fn(&Deny<'a>) -> bool) -> Option<&Deny<'a>> {
        let numbers = reaches.iter().filter_map(|reach| self.index.get(&(group, *reach)));
        let first = numbers.filter_map(|numbers| numbers.iter().copied().find(|number| self.all.get(*number).is_some_and(&fits))).min()?;
        self.all.get(first)
    }
}

/// What a deny that covers a role is found by.
fn reaches_of(place: &Place) -> [Reach<'_>; 5] {
    let [path_and_name, name, arn] = names(&place.target).map(Reach::Role);
    [Reach::Account(place.account.id), path_and_name, name, arn, Reach::Wide]
}

/// How a deny may name a role.
fn names(role: &Target) -> [&str; 3] {
    [role.path_and_name(), role.name(), role.as_str()]
}

impl<'a> Deny<'a> {
    /// None for what is no deny, and for one whose reach depends on captures.
    fn of(rule: &'a Rule) -> Option<Self> {
        let Body::Deny { accounts, roles } = &rule.body else { return None };
        if accounts.iter().flatten().any(|selector| matches!(selector, AccountSelector::Captured(_))) {
            return None;
        }
        let roles = match roles {
            None => None,
            Some(templates) => Some(templates.iter().map(super::Template::literal).collect::<Option<Vec<_>>>()?),
        };
        Some(Self { rule, accounts: accounts.as_deref(), roles })
    }

    fn these(selector: &AccountSelector) -> &[Arc<Account>] {
        if let AccountSelector::These(these) = selector { these } else { &[] }
    }

    fn reaches(&self) -> Vec<Reach<'a>> {
        let accounts = self.accounts.map(|selectors| selectors.iter().flat_map(Self::these));
        if let Some(accounts) = accounts.filter(|accounts| accounts.clone().count() <= FEW) {
            return accounts.map(|account| Reach::Account(account.id)).collect::<HashSet<_>>().into_iter().collect();
        }
        match &self.roles {
            Some(roles) if roles.len() <= FEW => roles.iter().copied().collect::<HashSet<_>>().into_iter().map(Reach::Role).collect(),
            _ => vec![Reach::Wide],
        }
    }

    /// Whether it speaks of everybody and every circumstance that the allow speaks of, groups aside.
    fn is_about(&self, allow: &Rule) -> bool {
        let same_condition = match (&self.rule.condition, &allow.condition) {
            (None, _) => true,
            (Some(deny), Some(allow)) => deny.text() == allow.text(),
            (Some(_), None) => false,
        };
        let providers = &self.rule.providers;
        let all_providers =
            providers.is_empty() || (!allow.providers.is_empty() && allow.providers.iter().all(|provider| providers.contains(provider)));
        let all_purposes = allow.purposes.without(self.rule.purposes).is_empty();
        same_condition && all_providers && all_purposes
    }

    fn covers(&self, Place { target: role, account, .. }: &Place) -> bool {
        // A selector's accounts are ordered by id.
        let has = |selector| Self::these(selector).binary_search_by_key(&account.id, |account| account.id).is_ok();
        self.accounts.is_none_or(|selectors| selectors.iter().any(has))
            && self.roles.as_ref().is_none_or(|roles| roles.iter().any(|denied| names(role).contains(denied)))
    }
}
