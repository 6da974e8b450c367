//! Counts what is on record since the start, for monitors: where a line is written it is counted, so that the numbers and the trail tell the same
//! story. Nothing that is counted names a person, an account, a role or a rule.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Event, Kind, Outcome};
use crate::access::Purpose;
use crate::identity::ProviderId;

/// What events are counted by. All of it comes from small closed sets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sort {
    /// What was decided.
    pub kind: Kind,
    /// How it went.
    pub outcome: Outcome,
    /// The provider of whom it is about, or whose answer was refused.
    pub provider: Option<ProviderId>,
    /// The STS operation, by the name that CloudTrail has for it.
    pub operation: Option<&'static str>,
    /// What credentials are for.
    pub purpose: Option<Purpose>,
}

impl From<&Event> for Sort {
    fn from(event: &Event) -> Self {
        let provider = event.person.as_ref().map(|person| &person.provider).or(event.provider.as_ref()).cloned();
        Self { kind: event.kind, outcome: event.outcome, provider, operation: event.operation, purpose: event.purpose }
    }
}

/// The numbers, shared by the thread that writes and whoever asks.
#[derive(Debug, Default)]
pub(super) struct Counts {
    on_record: Mutex<HashMap<Sort, u64>>,
    missed: AtomicU64,
}

impl Counts {
    /// These events are on record.
    pub(super) fn add(&self, sorts: impl IntoIterator<Item = Sort>) {
        let mut on_record = self.on_record.lock().unwrap_or_else(PoisonError::into_inner);
        for sort in sorts {
            *on_record.entry(sort).or_default() += 1;
        }
    }

    /// One was not on record when its outcome had to wait no longer.
    pub(super) fn miss(&self) {
        self.missed.fetch_add(1, Ordering::Relaxed);
    }

    /// All numbers that are not zero.
    pub(super) fn on_record(&self) -> Vec<(Sort, u64)> {
        let on_record = self.on_record.lock().unwrap_or_else(PoisonError::into_inner);
        on_record.iter().map(|(sort, count)| (sort.clone(), *count)).collect()
    }

    /// How many were missed.
    pub(super) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}
