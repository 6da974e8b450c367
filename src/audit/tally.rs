//! Counts issuances over time, by account and outcome.

use std::collections::BTreeMap;

use chrono::{DurationRound, TimeDelta};

use super::Found;
use crate::clock::Moment;

/// How wide the steps of time are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An hour.
    Hour,
    /// A day (UTC).
    Day,
}

impl Step {
    /// Its length.
    #[must_use]
    pub const fn length(self) -> TimeDelta {
        match self {
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
        }
    }

    /// Where the step begins that a moment is in.
    #[must_use]
    pub fn of(self, moment: Moment) -> Moment {
        moment.duration_trunc(self.length()).unwrap_or(moment)
    }
}

/// How an issuance went, in the order in which charts have them.
pub const OUTCOMES: [&str; 3] = ["ok", "refused", "failed"];

/// How many there were in each step of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// By beginning of the step and account; a number for each of [`OUTCOMES`]. What has no account, as a role that nobody may have, is under
    /// an empty one.
    pub counts: BTreeMap<(Moment, String), [u64; 3]>,
}

impl Tally {
    /// Counts one event; what is no issuance does not count.
    pub fn add(&mut self, step: Step, found: &Found) {
        let Some(outcome) = OUTCOMES.iter().position(|outcome| *outcome == found.text("outcome")) else { return };
        if found.text("kind") != "issue" {
            return;
        }
        let counts = self.counts.entry((step.of(found.time()), found.text("account").to_owned())).or_default();
        if let Some(count) = counts.get_mut(outcome) {
            *count += 1;
        }
    }

    /// The accounts, those with the most issuances first.
    #[must_use]
    pub fn accounts(&self) -> Vec<(String, u64)> {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for ((_, account), counts) in &self.counts {
            *sums.entry(account).or_default() += counts.iter().sum::<u64>();
        }
        let mut sums: Vec<_> = sums.into_iter().map(|(account, sum)| (account.to_owned(), sum)).collect();
        sums.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        sums
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn issuances_are_counted_by_step_account_and_outcome() {
        let mut tally = Tally::default();
        for (time, kind, outcome, account) in [
            ("2026-01-14T12:00:00Z", "issue", "ok", "111122223333"),
            ("2026-01-14T12:59:59.9Z", "issue", "ok", "111122223333"),
            ("2026-01-14T13:00:00Z", "issue", "refused", "444455556666"),
            ("2026-01-14T13:00:00Z", "issue", "failed", "111122223333"),
            ("2026-01-14T13:00:00Z", "sign_in", "ok", "111122223333"),
        ] {
            let event = json!({ "time": time, "kind": kind, "outcome": outcome, "account": account });
            let found = Found { place: "1-0".parse().unwrap(), event: event.as_object().unwrap().clone() };
            tally.add(Step::Hour, &found);
        }
        let counts: Vec<_> =
            tally.counts.iter().map(|((time, account), counts)| (time.format("%H").to_string(), account.as_str(), *counts)).collect();
        assert_eq!(
            counts,
            [("12".into(), "111122223333", [2, 0, 0]), ("13".into(), "111122223333", [0, 0, 1]), ("13".into(), "444455556666", [0, 1, 0])]
        );
        assert_eq!(tally.accounts(), [("111122223333".to_owned(), 3), ("444455556666".to_owned(), 1)]);
        assert_eq!(Step::Day.of("2026-01-14T12:59:59Z".parse().unwrap()), "2026-01-14T00:00:00Z".parse::<Moment>().unwrap());
    }
}
