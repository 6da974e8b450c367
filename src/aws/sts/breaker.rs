//! A circuit breaker: whether an endpoint is worth asking. It rests after failures in a row, and is then probed by one call at a time.
//!
//! The SDK has none: its retries know a budget and a pause, and ask the same endpoint for ever.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row after which an endpoint rests.
const FAILURES: u32 = 3;
/// The first rest; each that follows without a success between is twice as long.
const FIRST_REST: Duration = Duration::from_secs(5);
/// The longest rest.
const LONGEST_REST: Duration = Duration::from_mins(1);
/// A call that tries a resting endpoint and never says how it went, because it was given up, keeps others away for no longer.
const PROBE: Duration = Duration::from_secs(10);

/// The state of one endpoint, shared by all calls.
#[derive(Debug)]
pub(super) struct Breaker {
    state: Mutex<State>,
    answered: AtomicU64,
    failed: AtomicU64,
}

/// How an endpoint of STS does, as far as calls showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointState {
    /// It answers, or was not asked yet.
    Well,
    /// So many calls in a row were not answered.
    Failing(u32),
    /// It is left alone for so long.
    Resting(Duration),
    /// One call finds out whether it answers again.
    Probed,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Calls pass; so many failed in a row.
    Closed { failures: u32 },
    /// No call passes before `until`.
    Open { until: Instant, rest: Duration },
    /// One call is on its way to find out.
    HalfOpen { since: Instant, rest: Duration },
}

impl Breaker {
    pub(super) const fn new() -> Self {
        Self { state: Mutex::new(State::Closed { failures: 0 }), answered: AtomicU64::new(0), failed: AtomicU64::new(0) }
    }

    /// Whether a call may pass now. After a rest one caller is told yes, and is the probe.
    pub(super) fn admits(&self, now: Instant) -> bool {
        self.change(|state| match state {
            State::Closed { .. } => (state, true),
            State::Open { until, rest } if now >= until => (State::HalfOpen { since: now, rest }, true),
            State::HalfOpen { since, rest } if now >= since + PROBE => (State::HalfOpen { since: now, rest }, true),
            State::Open { .. } | State::HalfOpen { .. } => (state, false),
        })
    }

    /// A call was answered; what it was answered does not matter. Says whether the endpoint had been resting.
    pub(super) fn answered(&self) -> bool {
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.change(|state| (State::Closed { failures: 0 }, !matches!(state, State::Closed { .. })))
    }

    /// A call was not answered, or by an error of the server's. Says whether this begins the endpoint's rest; later rests are not news.
    pub(super) fn failed(&self, now: Instant) -> bool {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.change(|state| {
            let next = match state {
                State::Closed { failures } if failures + 1 < FAILURES => State::Closed { failures: failures + 1 },
                State::Closed { .. } => State::Open { until: now + FIRST_REST, rest: FIRST_REST },
                State::HalfOpen { rest, .. } => {
                    let rest = (rest * 2).min(LONGEST_REST);
                    State::Open { until: now + rest, rest }
                }
                // A call that passed before: nothing new.
                State::Open { .. } => state,
            };
            (next, matches!((state, next), (State::Closed { .. }, State::Open { .. })))
        })
    }

    /// How the endpoint does. Asking admits nobody.
    pub(super) fn state(&self, now: Instant) -> EndpointState {
        self.change(|state| {
            let shown = match state {
                State::Closed { failures: 0 } => EndpointState::Well,
                State::Closed { failures } => EndpointState::Failing(failures),
                State::Open { until, .. } => EndpointState::Resting(until.saturating_duration_since(now)),
                State::HalfOpen { .. } => EndpointState::Probed,
            };
            (state, shown)
        })
    }

    /// How many calls were answered since the start, and how many were not.
    pub(super) fn calls(&self) -> (u64, u64) {
        (self.answered.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }

    fn change<T>(&self, step: impl FnOnce(State) -> (State, T)) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, said) = step(*state);
        *state = next;
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resting(now: Instant) -> Breaker {
        let (breaker, mut began) = (Breaker::new(), Vec::new());
        for _ in 0..FAILURES {
            assert!(breaker.admits(now));
            began.push(breaker.failed(now));
        }
        assert_eq!(began, [false, false, true]);
        breaker
    }

    #[test]
    fn an_endpoint_rests_after_failures_in_a_row_and_not_before() {
        let now = Instant::now();
        let breaker = Breaker::new();
        for _ in 0..10 {
            assert!(!breaker.failed(now) && !breaker.failed(now));
            breaker.answered();
        }
        assert!(breaker.admits(now) && !breaker.answered());
        assert!(!resting(now).admits(now + FIRST_REST.checked_sub(Duration::from_millis(1)).unwrap()));
    }

    #[test]
    fn one_call_finds_out_whether_it_is_back() {
        let now = Instant::now();
        let breaker = resting(now);
        let later = now + FIRST_REST;
        assert!(breaker.admits(later));
        assert!(!breaker.admits(later), "others wait for what the first one finds");
        assert!(breaker.answered(), "it is news");
        assert!(breaker.admits(later) && breaker.admits(later));
        assert_eq!(breaker.calls(), (1, u64::from(FAILURES)));
    }

    #[test]
    fn each_rest_is_longer_up_to_a_minute() {
        let mut now = Instant::now();
        let breaker = resting(now);
        for rest in [5, 10, 20, 40, 60, 60].map(Duration::from_secs) {
            assert!(!breaker.admits(now + rest.checked_sub(Duration::from_millis(1)).unwrap()));
            now += rest;
            assert!(breaker.admits(now));
            assert!(!breaker.failed(now), "it was known");
        }
    }

    #[test]
    fn a_probe_that_was_given_up_does_not_keep_others_away_for_ever() {
        let now = Instant::now();
        let breaker = resting(now);
        let later = now + FIRST_REST;
        assert!(breaker.admits(later));
        assert!(!breaker.admits(later + PROBE.checked_sub(Duration::from_millis(1)).unwrap()));
        assert!(breaker.admits(later + PROBE));
    }
}
