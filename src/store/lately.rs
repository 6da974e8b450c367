//! Records that were opened lately, so that the next page of the same person does not open them again.
//!
//! The store is asked all the same: it decides whether a record lives, and which bytes it is. What it answers with, byte for byte as a moment
//! ago, means what it meant then, because a record's seal is bound to its key. So nothing here keeps alive what was ended, or brings back what
//! was changed.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use super::Key;

/// How long at most: who was here once should not stay in memory for the day.
const LATELY: Duration = Duration::from_mins(5);

/// What records of one kind were opened to, by their keys.
#[derive(Clone)]
pub(super) struct Lately<T>(Cache<Key, Arc<Opened<T>>>);

struct Opened<T> {
    sealed: Box<[u8]>,
    value: T,
}

impl<T: Clone + Send + Sync + 'static> Lately<T> {
    /// Room for so many bytes of sealed records; opened they take two or three times as many.
    pub(super) fn new(most: u64) -> Self {
        let weigh = |_: &Key, known: &Arc<Opened<T>>| u32::try_from(known.sealed.len()).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(most).time_to_live(LATELY).weigher(weigh).build())
    }

    /// What these very bytes were opened to, or what `open` makes of them now.
    pub(super) fn open(&self, key: &Key, sealed: Vec<u8>, open: impl FnOnce(Vec<u8>) -> Option<T>) -> Option<T> {
        if let Some(known) = self.0.get(key).filter(|known| *known.sealed == *sealed) {
            return Some(known.value.clone());
        }
        let value = open(sealed.clone())?;
        self.0.insert(key.clone(), Arc::new(Opened { sealed: sealed.into(), value: value.clone() }));
        Some(value)
    }

    /// Lets go of what was not used for long: the cache does nothing by itself.
    pub(super) fn tidy(&self) {
        self.0.run_pending_tasks();
    }

    /// Forgets what ended here.
    pub(super) fn forget(&self, key: &Key) {
        self.0.invalidate(key);
    }
}
