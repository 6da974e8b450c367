//! How a provider did lately.

use std::sync::{Mutex, PoisonError};

use super::words::cut;
use crate::clock::Moment;

/// The most of a failure that is kept, in bytes.
const LONGEST: usize = 500;

/// How a provider did lately, as far as sign-ins showed it. Asking costs no request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderHealth {
    /// When it last answered as it should.
    pub answered: Option<Moment>,
    /// What last went wrong, and when; gone when it answers again.
    pub failure: Option<(Moment, String)>,
}

impl ProviderHealth {
    /// Whether it did not answer when it was last asked.
    #[must_use]
    pub const fn is_down(&self) -> bool {
        self.failure.is_some()
    }
}

/// A document of a provider's, as it is kept here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDocument {
    /// What it is, for people.
    pub what: &'static str,
    /// When it was fetched or read; none before it was needed.
    pub fetched: Option<Moment>,
    /// Until when it says that it is good.
    pub ends: Option<Moment>,
    /// What somebody should know about it.
    pub warnings: Vec<String>,
}

impl KeptDocument {
    /// One that says nothing of an end.
    pub(super) const fn new(what: &'static str, fetched: Option<Moment>) -> Self {
        Self { what, fetched, ends: None, warnings: Vec::new() }
    }
}

/// The health of one provider, written down as it shows.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<ProviderHealth>);

impl Health {
    pub(super) fn read(&self) -> ProviderHealth {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes down how a request went; the failure comes back shortened.
    pub(super) fn noting<T>(&self, result: Result<T, String>, now: Moment) -> Result<T, String> {
        self.note(result.as_ref().err(), now);
        result.map_err(|failure| cut(failure, LONGEST))
    }

    pub(super) fn note(&self, failure: Option<&String>, now: Moment) {
        let mut health = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match failure {
            Some(failure) => health.failure = Some((now, cut(failure.clone(), LONGEST))),
            None => *health = ProviderHealth { answered: Some(now), failure: None },
        }
    }
}
