//! What a role may be taken for.

use super::condition::{Facts, Failed};
use super::rule::Rule;
use super::{Account, Purpose, Target};

/// A set of purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purposes {
    console: bool,
    credentials: bool,
}

impl Purposes {
    /// No purpose: the role cannot be taken.
    pub const NONE: Self = Self { console: false, credentials: false };
    /// Every purpose.
    pub const ALL: Self = Self { console: true, credentials: true };

    /// Those that a rule lists; all where it lists none.
    pub(super) fn listed(purposes: &[Purpose]) -> Self {
        if purposes.is_empty() { Self::ALL } else { Self::of(|purpose| purposes.contains(&purpose)) }
    }

    pub(super) fn of(is_in: impl Fn(Purpose) -> bool) -> Self {
        Self { console: is_in(Purpose::Console), credentials: is_in(Purpose::Credentials) }
    }

    /// Whether a purpose is among them.
    #[must_use]
    pub const fn has(self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Console => self.console,
            Purpose::Credentials => self.credentials,
        }
    }

    /// They, one by one.
    #[must_use]
    pub fn list(self) -> Vec<Purpose> {
        [Purpose::Console, Purpose::Credentials].into_iter().filter(|purpose| self.has(*purpose)).collect()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        !self.console && !self.credentials
    }

    pub(super) const fn with(self, other: Self) -> Self {
        Self { console: self.console || other.console, credentials: self.credentials || other.credentials }
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self { console: self.console && !other.console, credentials: self.credentials && !other.credentials }
    }
}

impl Rule {
    /// Whether the rule's condition must be asked for each role.
    pub(super) fn is_about_role(&self) -> bool {
        self.condition.as_ref().is_some_and(|condition| condition.about_role)
    }

    /// What the rule's condition lets it speak of, beyond its groups.
    ///
    /// # Errors
    /// [`Failed`] if it cannot be evaluated for this person: an allow gives nothing then, a deny takes all.
    pub(super) fn purposes(&self, facts: &Facts<'_>, role: Option<(&Target, &Account)>) -> Result<Purposes, Failed> {
        let Some(condition) = &self.condition else { return Ok(self.purposes) };
        if !condition.about_purpose {
            return Ok(if condition.holds(facts, Purpose::Console, role)? { self.purposes } else { Purposes::NONE });
        }
        let mut held = Purposes::NONE;
        for purpose in self.purposes.list() {
            if condition.holds(facts, purpose, role)? {
                held = held.with(Purposes::of(|other| other == purpose));
            }
        }
        Ok(held)
    }
}
