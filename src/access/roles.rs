//! The roles that rules name outright, each kept once: a rule holds numbers, and many rules give the same role.

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

/// A role's number in [`KnownRoles`].
pub(super) type RoleNumber = u32;

/// Every role that a rule names without captures.
#[derive(Debug, Default)]
pub(super) struct KnownRoles(Box<[Place]>);

impl KnownRoles {
    pub(super) fn get(&self, number: RoleNumber) -> Option<&Place> {
        self.0.get(usize::try_from(number).ok()?)
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

    pub(super) fn finish(self) -> KnownRoles {
        KnownRoles(self.places.into())
    }
}

/// The numbers of a part's roles among all, by their numbers in the part.
pub(super) struct Renumbered(Vec<Option<RoleNumber>>);

impl Renumbered {
    /// The numbers of these roles among all, in order.
    pub(super) fn of(&self, part: &[RoleNumber]) -> Box<[RoleNumber]> {
        let number = |number: &RoleNumber| *self.0.get(usize::try_from(*number).ok()?)?;
        let mut numbers: Vec<_> = part.iter().filter_map(number).collect();
        numbers.sort_unstable();
        numbers.into()
    }
}
