//! What deny rules take away.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use super::accounts::AccountSelector;
use super::compile::Policy;
use super::condition::Facts;
use super::decide::{Faults, Match};
use super::groups::GroupNames;
use super::rule::Rule;
use super::template::Template;
use super::{Account, Purposes, Target};
use crate::arn::AccountId;

/// A deny rule that matched.
pub(super) struct Deny<'a> {
    rule: &'a Rule,
    scope: Scope<'a>,
    /// What it takes, where that is the same for all roles.
    once: OnceCell<Purposes>,
}

impl<'a> Deny<'a> {
    pub(super) fn of(rule: &'a Rule, scope: Scope<'a>) -> Self {
        Self { rule, scope, once: OnceCell::new() }
    }

    /// What it takes of a role that is given.
    pub(super) fn takes(&self, (role, account): (&Target, &Account), facts: &Facts<'_>, faults: &mut Faults) -> Purposes {
        if !self.scope.covers(role) {
            return Purposes::NONE;
        }
        let mut ask = |role| self.rule.purposes(facts, role).unwrap_or_else(|why| faults.note(self.rule, why, self.rule.purposes));
        if self.rule.is_about_role() { ask(Some((role, account))) } else { *self.once.get_or_init(|| ask(None)) }
    }
}

/// What a matched deny rule takes away. None is everything: a deny that cannot be evaluated must not let through.
pub(super) struct Scope<'a> {
    accounts: Option<Vec<DeniedAccounts<'a>>>,
    roles: Option<Vec<Cow<'a, str>>>,
    /// How captures are compared with names: as they were compared with groups.
    names: GroupNames,
}

enum DeniedAccounts<'a> {
    /// Ordered by id.
    These(&'a [Arc<Account>]),
    Captured(Vec<AccountId>),
}

impl<'a> Scope<'a> {
    pub(super) fn of(
        policy: &'a Policy,
        matched: &Match<'a>,
        accounts: Option<&'a [AccountSelector]>,
        roles: Option<&'a [Template]>,
    ) -> Self {
        let Some(captures) = matched.captures.as_deref() else {
            return Self { accounts: None, roles: None, names: GroupNames::Exact };
        };
        let names = policy.groups.names;
        // A capture that took no part in the match makes it all accounts; one that names no account makes it none.
        let denied = |selector: &'a AccountSelector| match selector {
            AccountSelector::These(accounts) => Some(DeniedAccounts::These(accounts)),
            AccountSelector::Captured(template) => {
                let name = template.fill_captures(captures)?;
                let is_meant = |account: &&Arc<Account>| account.id.as_str() == name || names.normal(&account.name) == names.normal(&name);
                Some(DeniedAccounts::Captured(policy.accounts.all.iter().filter(is_meant).map(|account| account.id).collect()))
            }
        };
        let accounts = accounts.and_then(|selectors| selectors.iter().map(denied).collect::<Option<Vec<_>>>());
        Self { accounts, names, roles: roles.and_then(|roles| roles.iter().map(|role| role.fill_captures(captures)).collect()) }
    }

    pub(super) fn covers(&self, role: &Target) -> bool {
        let is_in = |accounts: &DeniedAccounts<'_>| match accounts {
            DeniedAccounts::These(accounts) => accounts.binary_search_by_key(&role.account(), |account| account.id).is_ok(),
            DeniedAccounts::Captured(accounts) => accounts.contains(&role.account()),
        };
        let in_accounts = self.accounts.as_ref().is_none_or(|accounts| accounts.iter().any(is_in));
        let in_roles = self.roles.as_ref().is_none_or(|roles| {
            roles.iter().any(|name| [role.path_and_name(), role.name(), role.as_str()].into_iter().any(|own| self.is_same(name, own)))
        });
        in_accounts && in_roles
    }

    fn is_same(&self, name: &str, own: &str) -> bool {
        if self.names == GroupNames::Exact { name == own } else { self.names.normal(name) == self.names.normal(own) }
    }
}
