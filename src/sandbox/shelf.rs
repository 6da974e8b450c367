//! Things that the sandbox remembers for a while, in memory: codes, sessions, one-time tokens.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use data_encoding::BASE64URL_NOPAD;

use crate::clock::Moment;

/// More than this many living things mean that somebody floods the sandbox; the one that dies first gives way.
const CAPACITY: usize = 2_000;

/// Values under unguessable names, each gone when its time is over.
pub(super) struct Shelf<V>(Mutex<HashMap<String, (Moment, V)>>);

impl<V: Clone> Shelf<V> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// Puts a value down for a time and tells the name it can be had back under: 256 random bits.
    pub(super) fn put(&self, now: Moment, life: TimeDelta, value: V) -> String {
        let name = BASE64URL_NOPAD.encode(&random::<32>());
        self.put_as(name.clone(), now, now + life, value);
        name
    }

    /// Puts a value down under a name of the caller's.
    pub(super) fn put_as(&self, name: String, now: Moment, until: Moment, value: V) {
        let mut kept = self.lock();
        kept.retain(|_, (end, _)| *end > now);
        if kept.len() >= CAPACITY {
            let first = kept.iter().min_by_key(|(_, (end, _))| *end).map(|(name, _)| name.clone());
            first.map(|name| kept.remove(&name));
        }
        kept.insert(name, (until, value));
    }

    /// The value, left where it is.
    pub(super) fn get(&self, now: Moment, name: &str) -> Option<V> {
        self.lock().get(name).filter(|(end, _)| *end > now).map(|(_, value)| value.clone())
    }

    /// The value, which nobody can have a second time.
    pub(super) fn take(&self, now: Moment, name: &str) -> Option<V> {
        self.lock().remove(name).filter(|(end, _)| *end > now).map(|(_, value)| value)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Moment, V)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Random bytes from the system's generator.
#[expect(clippy::expect_used, reason = "without randomness every secret of the sandbox could be guessed: better no answer")]
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn a_value_can_be_taken_once_and_only_in_time() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let shelf = Shelf::new();
        let name = shelf.put(now, TimeDelta::seconds(60), 7);
        assert_eq!(shelf.get(now, &name), Some(7));
        assert_eq!(shelf.take(now + TimeDelta::seconds(59), &name), Some(7));
        assert_eq!(shelf.take(now, &name), None);
        let late = shelf.put(now, TimeDelta::seconds(60), 8);
        assert_eq!(shelf.take(now + TimeDelta::seconds(60), &late), None);
    }

    #[test]
    fn a_full_shelf_lets_go_of_what_dies_first() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let shelf = Shelf::new();
        let first = shelf.put(now, TimeDelta::seconds(60), 0);
        for value in 1..=CAPACITY {
            shelf.put(now, TimeDelta::seconds(61), value);
        }
        assert_eq!(shelf.get(now, &first), None);
        assert_eq!(shelf.lock().len(), CAPACITY);
    }
}
