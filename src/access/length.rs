//! How long a session may last, as far as AWS let it be known: a role's `MaxSessionDuration` is told to nobody who takes the role.

use std::time::Duration;

use super::{Entitlement, Entitlements, OwnExplanation, USUAL_SESSION};
use crate::arn::RoleArn;

/// The lengths that are tried one after the other: those that IAM's console offers for a role's maximum.
const STEPS: [Duration; 4] = [Duration::from_hours(8), Duration::from_hours(4), Duration::from_hours(2), USUAL_SESSION];

/// What to offer after AWS refused a length: the next shorter one of 8, 4, 2 and 1 hours. Every role allows the last.
#[must_use]
pub fn next_shorter(refused: Duration) -> Duration {
    STEPS.into_iter().find(|step| *step < refused).unwrap_or(USUAL_SESSION)
}

impl Entitlements {
    /// The same, with what is known of the roles' own limits.
    #[must_use]
    pub fn as_learnt(mut self, longest: impl Fn(&RoleArn) -> Option<Duration>) -> Self {
        self.roles.iter_mut().for_each(|entitlement| entitlement.learn(&longest));
        self
    }
}

impl OwnExplanation {
    /// As [`Entitlements::as_learnt`].
    #[must_use]
    pub fn as_learnt(mut self, longest: impl Fn(&RoleArn) -> Option<Duration>) -> Self {
        if let Self::Granted(grant) = &mut self {
            grant.entitlement.learn(&longest);
        }
        self
    }
}

impl Entitlement {
    fn learn(&mut self, longest: &impl Fn(&RoleArn) -> Option<Duration>) {
        self.learnt = self.target.role().and_then(longest);
        if let Some(way) = &mut self.emergency {
            way.learnt = self.learnt;
        }
    }

    /// The longest session to offer: what the rules allow, and a grant leaves, and no more than AWS is known to allow. A longer one within the rules may be asked
    /// for all the same, as AWS may allow more by now.
    #[must_use]
    pub fn longest_offered(&self) -> Duration {
        self.within_grants(self.learnt.map_or(self.max_session, |learnt| learnt.min(self.max_session)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_followed_by_the_next_shorter_length() {
        let hours = |hours| Duration::from_hours(hours);
        for (refused, next) in [(12, 8), (9, 8), (8, 4), (5, 4), (4, 2), (3, 2), (2, 1), (1, 1)] {
            assert_eq!(next_shorter(hours(refused)), hours(next), "{refused} h");
        }
        assert_eq!(next_shorter(hours(8) + Duration::from_secs(1)), hours(8));
        assert_eq!(next_shorter(Duration::from_mins(15)), hours(1));
    }
}
