//! Which allows are taken away as a whole by denies.

use std::collections::{BTreeSet, HashMap};

use super::super::accounts::AccountSelector;
use super::super::rule::{Body, Roles, Rule};
use super::super::{Account, Policy, Purpose};
use crate::arn::{AccountId, RoleArn};

/// The denies whose reach is known beforehand, by the group that they match; those about everyone under no group.
pub(super) struct Denies<'a> {
    policy: &'a Policy,
    by_group: HashMap<Option<&'a str>, Vec<Deny<'a>>>,
}

#[derive(Clone)]
struct Deny<'a> {
    rule: &'a Rule,
    /// None for all.
    accounts: Option<BTreeSet<AccountId>>,
    /// None for all.
    roles: Option<Vec<&'a str>>,
}

impl<'a> Denies<'a> {
    pub(super) fn of(policy: &'a Policy) -> Self {
        let mut denies: HashMap<Option<&str>, Vec<Deny<'_>>> = HashMap::new();
        for rule in &policy.rules {
            // One that asks for more groups than one, or for none of some, leaves somebody out.
            if !rule.wanted.all.is_empty() || !rule.wanted.none.is_empty() {
                continue;
            }
            let Some(deny) = Deny::of(rule) else { continue };
            for group in &rule.wanted.any {
                denies.entry(Some(group)).or_default().push(deny.clone());
            }
            if rule.everyone {
                denies.entry(None).or_default().push(deny);
            }
        }
        Self { policy, by_group: denies }
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
            let candidates = always.iter().chain([&way]).filter_map(|key| self.by_group.get(key)).flatten();
            let candidates: Vec<_> = candidates.filter(|deny| deny.is_about(allow)).collect();
            match roles {
                Roles::Fixed(fixed) if !fixed.is_empty() => {
                    for place in self.policy.roles.of(fixed) {
                        by.insert(candidates.iter().find(|deny| deny.covers(&place.role, &place.account))?.rule.id.to_string());
                    }
                }
                Roles::Fixed(_) => return None,
                Roles::Captured { .. } => {
                    by.insert(candidates.iter().find(|deny| deny.accounts.is_none() && deny.roles.is_none())?.rule.id.to_string());
                }
            }
        }
        Some(by.into_iter().map(|id| format!("`{id}`")).collect())
    }
}

impl<'a> Deny<'a> {
    /// None for what is no deny, and for one whose reach depends on captures.
    fn of(rule: &'a Rule) -> Option<Self> {
        let Body::Deny { accounts, roles } = &rule.body else { return None };
        let accounts = match accounts {
            None => None,
            Some(selectors) => {
                let mut ids = BTreeSet::new();
                for selector in selectors {
                    let AccountSelector::These(these) = selector else { return None };
                    ids.extend(these.iter().map(|account| account.id));
                }
                Some(ids)
            }
        };
        let roles = match roles {
            None => None,
            Some(templates) => Some(templates.iter().map(super::Template::literal).collect::<Option<Vec<_>>>()?),
        };
        Some(Self { rule, accounts, roles })
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
        let all_purposes = [Purpose::Console, Purpose::Credentials]
            .iter()
            .all(|purpose| self.rule.purposes.has(*purpose) || !allow.purposes.has(*purpose));
        same_condition && all_providers && all_purposes
    }

    fn covers(&self, role: &RoleArn, account: &Account) -> bool {
        let names = [role.path_and_name(), role.name(), role.as_str()];
        self.accounts.as_ref().is_none_or(|ids| ids.contains(&account.id))
            && self.roles.as_ref().is_none_or(|roles| roles.iter().any(|denied| names.contains(denied)))
    }
}
