//! The roles that rules name outright, each kept once: a rule holds numbers, and many rules give the same role.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::accounts::Accounts;
use super::{Account, Target};

/// A role, where it lives, and where its account stands among all when they are ordered by name.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) target: Target,
    pub(super) account: Arc<Account>,
    pub(super) order: u32,
}

impl Place {
    fn cmp(&self, order: u32, target: &Target) -> Ordering {
        (self.order, &self.target).cmp(&(order, target))
    }
}

/// A role's number in [`KnownRoles`].
pub(super) type RoleNumber = u32;

/// Every role that a rule names without captures, in the order in which people see roles: what somebody gets is put in order by numbers alone.
#[derive(Debug, Default)]
pub(super) struct KnownRoles(Box<[Place]>);

/// Where a role stands among all. Two of the same rank are the same role, if it is a known one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(u64);

impl Rank {
    /// Of a role that a rule names without captures.
    pub(super) fn of_known(number: RoleNumber) -> Self {
        Self(u64::from(number) * 2 + 1)
    }

    /// Whether it is a known role's, so that no other role has it.
    pub(super) const fn is_known(self) -> bool {
        self.0 % 2 == 1
    }
}

impl KnownRoles {
    pub(super) fn get(&self, number: RoleNumber) -> Option<&Place> {
        self.0.get(usize::try_from(number).ok()?)
    }

    /// Where a role stands, which a rule may name without captures too.
    pub(super) fn rank(&self, order: u32, target: &Target) -> Rank {
        match self.0.binary_search_by(|place| place.cmp(order, target)) {
            Ok(number) => Rank(number as u64 * 2 + 1),
            Err(before) => Rank(before as u64 * 2),
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Place> {
        self.0.iter()
    }

    /// The roles of these numbers.
    pub(super) fn of<'a>(&'a self, numbers: &'a [RoleNumber]) -> impl Iterator<Item = &'a Place> {
        numbers.iter().filter_map(|number| self.get(*number))
    }

    /// Whether one of these numbers is the role's.
    pub(super) fn is_among(&self, role: &Target, numbers: &[RoleNumber]) -> bool {
        self.of(numbers).any(|place| place.target == *role)
    }
}

/// Numbers the roles while rules are compiled.
#[derive(Debug, Default)]
pub(super) struct RoleNumbers {
    numbers: HashMap<Target, RoleNumber>,
    places: Vec<Place>,
}

impl RoleNumbers {
    /// The role's number, a new one if it has none yet. None where there are more roles than numbers.
    pub(super) fn number(&mut self, target: Target, account: &Arc<Account>, accounts: &Accounts) -> Option<RoleNumber> {
        if let Some(number) = self.numbers.get(&target) {
            return Some(*number);
        }
        let number = RoleNumber::try_from(self.places.len()).ok()?;
        let order = accounts.order_of(account.id);
        self.places.push(Place { target: target.clone(), account: Arc::clone(account), order });
        self.numbers.insert(target, number);
        Some(number)
    }

    pub(super) fn get(&self, number: RoleNumber) -> Option<&Place> {
        self.places.get(usize::try_from(number).ok()?)
    }

    /// Numbers the roles of a part of the rules too, in its order, and tells their numbers here.
    pub(super) fn take_in(&mut self, part: Self, accounts: &Accounts) -> Renumbered {
        drop(part.numbers);
        Renumbered(part.places.into_iter().map(|place| self.number(place.target, &place.account, accounts)).collect())
    }

    /// All roles in order, and their numbers by those that they had before.
    pub(super) fn finish(self) -> (KnownRoles, Renumbered) {
        drop(self.numbers);
        let mut before: Vec<_> = (0..self.places.len()).collect();
        before.sort_unstable_by(|a, b| match (self.places.get(*a), self.places.get(*b)) {
            (Some(a), Some(b)) => a.cmp(b.order, &b.target),
            _ => Ordering::Equal,
        });
        let mut numbers = vec![None; before.len()];
        for (number, before) in (0..).zip(&before) {
            if let Some(place) = numbers.get_mut(*before) {
                *place = Some(number);
            }
        }
        let mut places: Vec<_> = self.places.into_iter().zip(&numbers).collect();
        places.sort_unstable_by_key(|(_, number)| **number);
        (KnownRoles(places.into_iter().map(|(place, _)| place).collect()), Renumbered(numbers))
    }
}

/// The numbers of roles, by those that they had before: in a part of the rules, or while not all were known.
pub(super) struct Renumbered(Vec<Option<RoleNumber>>);

impl Renumbered {
    /// The numbers of these roles, in order.
    pub(super) fn of(&self, before: &[RoleNumber]) -> Box<[RoleNumber]> {
        let number = |number: &RoleNumber| *self.0.get(usize::try_from(*number).ok()?)?;
        let mut numbers: Vec<_> = before.iter().filter_map(number).collect();
        numbers.sort_unstable();
        numbers.into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::entitled;

    #[test]
    fn roles_stand_by_account_and_name_whatever_names_them_and_the_same_one_once() {
        // Rules in no order, and captures that build roles that are known, that lie between them, and that come first and last.
        let rules = r#"
            [[rule]]
            id = "late"
            groups = ["g"]
            accounts = ["Staging"]
            roles = ["Zeta", "Beta"]
            [[rule]]
            id = "early"
            groups = ["g"]
            accounts = ["Production"]
            roles = ["Delta", "Beta"]
            [[rule]]
            id = "built"
            group_pattern = 'aws-(?<account>[^-]+)-(?<role>.+)'
            accounts = ["${account}"]
            roles = ["${role}"]
        "#;
        let built = [
            "Staging-Zeta",
            "Production-Alpha",
            "Staging-Omega",
            "Gov-Any",
            "Production-Beta",
            "Staging-Zz",
            "Production-Charlie",
            "Production-Alpha",
        ];
        let groups: Vec<_> = built.iter().map(|name| format!("aws-{name}")).chain(["g".to_owned()]).collect();
        let groups: Vec<_> = groups.iter().map(String::as_str).collect();
        let found = entitled(rules, &groups);
        let shown: Vec<_> =
            found.roles().iter().map(|role| format!("{}/{} {}", role.account.name, role.target.name(), role.evidence.len())).collect();
        assert_eq!(
            shown,
            [
                "Gov/Any 1",
                "Production/Alpha 1",
                "Production/Beta 2",
                "Production/Charlie 1",
                "Production/Delta 1",
                "Staging/Beta 1",
                "Staging/Omega 1",
                "Staging/Zeta 2",
                "Staging/Zz 1",
            ]
        );
    }
}
