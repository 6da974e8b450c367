//! The one place that reads the time.
//!
//! Everything pure takes `now` as an argument; the shell asks a [`Clock`]. Tests set theirs by hand.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// A moment, in UTC.
pub type Moment = DateTime<Utc>;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Moment;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that may read the time")]
    fn now(&self) -> Moment {
        Utc::now()
    }
}

/// A clock that stands still until it is moved: virtual time for tests.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `moment`, to the second.
    #[must_use]
    pub const fn at(moment: Moment) -> Self {
        Self(AtomicI64::new(moment.timestamp()))
    }

    /// Moves the clock forward (or back, with a negative span).
    pub fn advance(&self, by: TimeDelta) {
        self.0.fetch_add(by.num_seconds(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        DateTime::from_timestamp(self.0.load(Ordering::SeqCst), 0).unwrap_or_default()
    }
}
