//! What AWS was found to allow: the roles' own limits on the length of sessions, from its answers.

use std::collections::HashMap;
use std::time::Duration;

use arc_swap::ArcSwap;
use chrono::TimeDelta;

use crate::access::{USUAL_SESSION, next_shorter};
use crate::arn::RoleArn;
use crate::clock::Moment;

/// How many roles are remembered. When there are more, all are forgotten, and learnt again.
const MOST: usize = 10_000;
/// How long what was learnt is offered: a limit that was raised in IAM shows after that at the latest.
const REMEMBERED: TimeDelta = TimeDelta::days(1);

/// The lengths that AWS refused, by role. In this process alone: each instance learns by itself, at the cost of one refusal.
///
/// A page reads it for each of its roles, and AWS refuses a length once a day and role at most: so reading takes no lock and writes nothing.
#[derive(Default)]
pub struct Lengths(ArcSwap<HashMap<RoleArn, Seen>>);

/// What was seen of a role.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// The shortest length that was refused.
    refused: Duration,
    /// The longest one that was granted since.
    granted: Duration,
    /// Until when that counts.
    until: Moment,
}

impl Lengths {
    /// AWS refused a session of a role for its length. Says which one is offered now.
    pub(super) fn refused(&self, role: &RoleArn, length: Duration, now: Moment) -> Duration {
        let before = self.seen(role, now);
        let refused = before.map_or(length, |seen| seen.refused.min(length));
        // What was granted before and is refused now was lowered.
        let granted = before.map(|seen| seen.granted).filter(|granted| *granted < refused).unwrap_or(USUAL_SESSION);
        let seen = Seen { refused, granted, until: now + REMEMBERED };
        self.learn(role, seen, now);
        seen.longest()
    }

    /// AWS granted a session of a role in this length: one that it refused before means that the limit was raised.
    pub(super) fn granted(&self, role: &RoleArn, length: Duration, now: Moment) {
        match self.seen(role, now) {
            Some(seen) if length >= seen.refused => self.forget(role),
            Some(seen) if length > seen.granted => self.learn(role, Seen { granted: length, ..seen }, now),
            _ => {}
        }
    }

    /// The longest session that is known to be allowed, or to be worth the next try. None if nothing was refused of late.
    pub(super) fn longest(&self, role: &RoleArn, now: Moment) -> Option<Duration> {
        self.seen(role, now).map(Seen::longest)
    }

    fn seen(&self, role: &RoleArn, now: Moment) -> Option<Seen> {
        self.0.load().get(role).filter(|seen| now < seen.until).copied()
    }

    fn learn(&self, role: &RoleArn, seen: Seen, now: Moment) {
        self.0.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.retain(|_, seen| now < seen.until);
            if known.len() >= MOST {
                known.clear();
            }
            known.insert(role.clone(), seen);
            known
        });
    }

    fn forget(&self, role: &RoleArn) {
        self.0.rcu(|known| {
            let mut known = HashMap::clone(known);
            known.remove(role);
            known
        });
    }
}

impl Seen {
    fn longest(self) -> Duration {
        next_shorter(self.refused).max(self.granted)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn hours(hours: u64) -> Duration {
        Duration::from_hours(hours)
    }

    fn now() -> Moment {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    #[test]
    fn each_refusal_leads_to_the_next_shorter_length_for_its_role_alone() {
        let (lengths, one, other) = (
            Lengths::default(),
            "arn:aws:iam::111122223333:role/Dev".parse::<RoleArn>().unwrap(),
            "arn:aws:iam::111122223333:role/Ops".parse::<RoleArn>().unwrap(),
        );
        assert_eq!(lengths.longest(&one, now()), None);
        assert_eq!(lengths.refused(&one, hours(12), now()), hours(8));
        assert_eq!(lengths.longest(&one, now()), Some(hours(8)));
        assert_eq!(lengths.refused(&one, hours(8), now()), hours(4));
        assert_eq!(lengths.refused(&one, hours(12), now()), hours(4), "a longer one says nothing new");
        assert_eq!(lengths.longest(&other, now()), None);
    }

    #[test]
    fn what_is_granted_is_known_better_and_a_raised_limit_is_seen() {
        let (lengths, role) = (Lengths::default(), "arn:aws:iam::111122223333:role/Dev".parse::<RoleArn>().unwrap());
        lengths.granted(&role, hours(12), now());
        assert_eq!(lengths.longest(&role, now()), None, "nothing was refused");
        lengths.refused(&role, hours(12), now());
        lengths.granted(&role, hours(10), now());
        assert_eq!(lengths.longest(&role, now()), Some(hours(10)));
        lengths.granted(&role, hours(1), now());
        assert_eq!(lengths.longest(&role, now()), Some(hours(10)));
        assert_eq!(lengths.refused(&role, hours(10), now()), hours(8), "it was lowered meanwhile");
        lengths.granted(&role, hours(11), now());
        assert_eq!(lengths.longest(&role, now()), None, "it was raised");
    }

    #[test]
    fn no_more_roles_are_remembered_than_there_is_room_for() {
        let lengths = Lengths::default();
        let role = |number: usize| format!("arn:aws:iam::111122223333:role/{number}").parse::<RoleArn>().unwrap();
        let full = (0..MOST).map(|number| (role(number), Seen { refused: hours(12), granted: hours(1), until: now() + REMEMBERED }));
        lengths.0.store(std::sync::Arc::new(full.collect()));
        assert_eq!(lengths.refused(&role(MOST), hours(12), now()), hours(8));
        assert_eq!((lengths.0.load().len(), lengths.longest(&role(0), now())), (1, None));
    }

    #[test]
    fn what_was_learnt_is_forgotten_after_a_day() {
        let (lengths, role) = (Lengths::default(), "arn:aws:iam::111122223333:role/Dev".parse::<RoleArn>().unwrap());
        lengths.refused(&role, hours(12), now());
        assert_eq!(lengths.longest(&role, now() + REMEMBERED - TimeDelta::seconds(1)), Some(hours(8)));
        assert_eq!(lengths.longest(&role, now() + REMEMBERED), None);
    }
}
