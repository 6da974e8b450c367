//! What a role may be taken for.

use super::condition::{Facts, Failed};
use super::rule::Rule;
use super::settings::Effect;
use super::{Account, Purpose, Target};

/// A set of purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purposes(u8);

const fn bit(purpose: Purpose) -> u8 {
    match purpose {
        Purpose::Console => 1,
        Purpose::Credentials => 2,
        Purpose::Workload => 4,
    }
}

impl Purposes {
    /// No purpose: the role cannot be taken.
    pub const NONE: Self = Self(0);
    /// To enter the console, and nothing else.
    pub(super) const CONSOLE: Self = Self(bit(Purpose::Console));
    /// What people take roles for.
    pub const OF_PEOPLE: Self = Self(bit(Purpose::Console) | bit(Purpose::Credentials));
    /// What workloads take roles for.
    pub const OF_WORKLOADS: Self = Self(bit(Purpose::Workload));
    /// Every purpose.
    pub const ALL: Self = Self(Self::OF_PEOPLE.0 | Self::OF_WORKLOADS.0);

    /// Those that a rule lists. Without a list an allow gives its roles to people alone, because what was written for people must not reach
    /// workloads unsaid; a deny takes them from everybody.
    pub(super) fn listed(purposes: &[Purpose], effect: Effect) -> Self {
        match (purposes, effect) {
            ([], Effect::Allow) => Self::OF_PEOPLE,
            ([], Effect::Deny) => Self::ALL,
            (listed, _) => listed.iter().fold(Self::NONE, |set, purpose| set.with(Self(bit(*purpose)))),
        }
    }

    /// Whether a purpose is among them.
    #[must_use]
    pub const fn has(self, purpose: Purpose) -> bool {
        self.0 & bit(purpose) != 0
    }

    /// They, one by one.
    #[must_use]
    pub fn list(self) -> Vec<Purpose> {
        Purpose::ALL.into_iter().filter(|purpose| self.has(*purpose)).collect()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl From<Purpose> for Purposes {
    fn from(purpose: Purpose) -> Self {
        Self(bit(purpose))
    }
}

impl Rule {
    /// Whether the rule's condition must be asked for each role.
    pub(super) fn is_about_role(&self) -> bool {
        self.condition.as_ref().is_some_and(|condition| condition.about_role)
    }

    /// What the rule's condition lets it speak of, beyond its groups, for somebody of this kind. The condition of a rule that is not about
    /// such is not asked: it may look at claims that they do not have.
    ///
    /// # Errors
    /// [`Failed`] if it cannot be evaluated for this person: an allow gives nothing then, a deny takes all.
    pub(super) fn purposes(&self, facts: &Facts<'_>, role: Option<(&Target, &Account)>) -> Result<Purposes, Failed> {
        let own = self.purposes.and(facts.purposes());
        let Some(condition) = self.condition.as_ref().filter(|_| !own.is_empty()) else { return Ok(own) };
        let asked = own.list();
        if !condition.about_purpose {
            let any = asked.first().copied().unwrap_or(Purpose::Console);
            return Ok(if condition.holds(facts, any, role)? { own } else { Purposes::NONE });
        }
        let mut held = Purposes::NONE;
        for purpose in asked {
            if condition.holds(facts, purpose, role)? {
                held = held.with(Purposes(bit(purpose)));
            }
        }
        Ok(held)
    }
}
