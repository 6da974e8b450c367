//! A store in this process: for one instance, and gone with it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use moka::Expiry;
use moka::ops::compute::{CompResult, Op};
use moka::sync::Cache;

use super::{Kept, Key, Placed, Store, StoreUnavailable, millis};

/// What an entry costs beside its value: key, bookkeeping, timer.
const OVERHEAD: u32 = 256;
/// How far the cache's own count may lag behind what was just put in (its write queue), in entries.
const LAG: u64 = 1024;

/// The room that a session should find, in bytes, for the store to count as good.
const SESSION_ROOM: usize = 16 * 1024;

/// A bounded store in memory. When it is full it refuses: to evict would sign people out, or let a used mark be used again.
///
/// Values, marks and indexes have each their own room: who is not signed in can cause marks, and must not take the room of sessions by it.
pub struct MemoryStore {
    values: Cache<Key, Arc<Entry>>,
    marks: Cache<Key, Arc<Entry>>,
    indexes: Mutex<Indexes>,
    epoch: Epoch,
    max_bytes: u64,
}

struct Entry {
    value: Box<[u8]>,
    /// When it expires, in milliseconds of the store's [`Epoch`]. A touch moves it without putting the entry in anew, so that a
    /// touch and a deletion at the same time can only end in a deletion.
    deadline: AtomicU64,
}

/// Milliseconds since the store began.
#[derive(Clone, Copy)]
struct Epoch(Instant);

impl Epoch {
    fn at(self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.0).as_millis()).unwrap_or(u64::MAX)
    }

    fn now(self) -> u64 {
        self.at(Instant::now())
    }
}

/// Tells the cache that an entry lives until its own deadline, whatever was done to it.
impl Expiry<Key, Arc<Entry>> for Epoch {
    fn expire_after_create(&self, _: &Key, entry: &Arc<Entry>, created: Instant) -> Option<Duration> {
        Some(self.left(entry, created))
    }

    fn expire_after_read(&self, _: &Key, entry: &Arc<Entry>, read: Instant, _: Option<Duration>, _: Instant) -> Option<Duration> {
        Some(self.left(entry, read))
    }

    fn expire_after_update(&self, _: &Key, entry: &Arc<Entry>, updated: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(self.left(entry, updated))
    }
}

impl Epoch {
    fn left(self, entry: &Entry, at: Instant) -> Duration {
        Duration::from_millis(entry.deadline.load(Ordering::Acquire).saturating_sub(self.at(at)))
    }
}

impl MemoryStore {
    /// An empty store that holds at most about this many bytes of values, and a quarter of them again for marks, and for the index.
    #[must_use]
    pub fn new(max_bytes: u64) -> Self {
        let epoch = Epoch(Instant::now());
        let cache = || {
            Cache::builder()
                .weigher(|_: &Key, entry: &Arc<Entry>| u32::try_from(entry.value.len()).unwrap_or(u32::MAX).saturating_add(OVERHEAD))
                .expire_after(epoch)
                .build()
        };
        Self { values: cache(), marks: cache(), indexes: Mutex::default(), epoch, max_bytes }
    }

    fn entry(&self, value: Vec<u8>, ttl: Duration) -> Arc<Entry> {
        Arc::new(Entry { value: value.into(), deadline: AtomicU64::new(self.epoch.now().saturating_add(millis(ttl))) })
    }

    /// Refuses when there is no place for another member of an index.
    fn index_room(&self, indexes: &mut Indexes) -> Result<(), StoreUnavailable> {
        let max = self.max_bytes / 4 / u64::from(OVERHEAD);
        indexes.sweep_when_due(self.epoch.now(), max);
        if indexes.members as u64 >= max { Err(full("indexes")) } else { Ok(()) }
    }

    fn list(&self, index: &Key, member: &Key, ttl: Duration) -> Result<(), StoreUnavailable> {
        let mut indexes = self.indexes();
        self.index_room(&mut indexes)?;
        indexes.add(index, member, self.epoch.now().saturating_add(millis(ttl)));
        Ok(())
    }

    fn live(&self, key: &Key) -> Option<Arc<Entry>> {
        self.values.get(key).filter(|entry| self.is_live(entry))
    }

    fn is_live(&self, entry: &Entry) -> bool {
        entry.deadline.load(Ordering::Acquire) > self.epoch.now()
    }

    fn indexes(&self) -> std::sync::MutexGuard<'_, Indexes> {
        // A panic while the lock is held leaves plain maps behind, whole ones: they can be used on.
        self.indexes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn put(&self, key: &Key, value: Vec<u8>, ttl: Duration) -> Result<(), StoreUnavailable> {
        room(&self.values, self.max_bytes, value.len()).ok_or_else(|| full("sessions"))?;
        self.values.insert(key.clone(), self.entry(value, ttl));
        Ok(())
    }

    async fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        Ok(self.live(key).map(|entry| entry.value.to_vec()))
    }

    async fn get_all(&self, keys: &[Key]) -> Result<Vec<Kept>, StoreUnavailable> {
        let now = Instant::now();
        let kept = |key: &Key| {
            self.live(key).map(|entry| Kept { key: key.clone(), left: self.epoch.left(&entry, now), value: entry.value.to_vec() })
        };
        Ok(keys.iter().filter_map(kept).collect())
    }

    async fn get_and_touch(&self, key: &Key, ttl: Duration) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        let Some(entry) = self.live(key) else { return Ok(None) };
        entry.deadline.store(self.epoch.now().saturating_add(millis(ttl)), Ordering::Release);
        // The second read moves the cache's own timer to the new deadline.
        Ok(self.live(key).map(|entry| entry.value.to_vec()))
    }

    async fn get_and_touch_with(
        &self,
        key: &Key,
        ttl: Duration,
        beside: &[Key],
    ) -> Result<(Option<Vec<u8>>, Vec<Option<Vec<u8>>>), StoreUnavailable> {
        let touched = self.get_and_touch(key, ttl).await?;
        Ok((touched, beside.iter().map(|key| self.live(key).map(|entry| entry.value.to_vec())).collect()))
    }

    async fn swap(&self, key: &Key, was: Option<&[u8]>, value: Vec<u8>, ttl: Duration) -> Result<bool, StoreUnavailable> {
        room(&self.values, self.max_bytes, value.len()).ok_or_else(|| full("sessions"))?;
        let entry = self.entry(value, ttl);
        let done = self.values.entry_by_ref(key).and_compute_with(|old| {
            let old = old.map(moka::Entry::into_value).filter(|old| self.is_live(old));
            if old.as_ref().map(|old| &*old.value) == was { Op::Put(entry) } else { Op::Nop }
        });
        Ok(matches!(done, CompResult::Inserted(_) | CompResult::ReplacedWith(_)))
    }

    async fn take(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        Ok(self.values.remove(key).filter(|entry| self.is_live(entry)).map(|entry| entry.value.to_vec()))
    }

    async fn claim(&self, key: &Key, ttl: Duration) -> Result<bool, StoreUnavailable> {
        room(&self.marks, self.max_bytes / 4, 0).ok_or_else(|| full("marks"))?;
        Ok(self.marks.entry_by_ref(key).or_insert_with(|| self.entry(Vec::new(), ttl)).is_fresh())
    }

    async fn is_claimed(&self, key: &Key) -> Result<bool, StoreUnavailable> {
        Ok(self.marks.get(key).is_some_and(|mark| self.is_live(&mark)))
    }

    async fn count(&self, key: &Key, ttl: Duration) -> Result<u64, StoreUnavailable> {
        room(&self.marks, self.max_bytes / 4, 0).ok_or_else(|| full("marks"))?;
        let counted = self.marks.entry_by_ref(key).and_upsert_with(|before| {
            let before = before.map(moka::Entry::into_value).filter(|entry| self.is_live(entry));
            let count = before.as_ref().map_or(0, |entry| number(&entry.value)).saturating_add(1);
            let deadline =
                before.map_or_else(|| self.epoch.now().saturating_add(millis(ttl)), |entry| entry.deadline.load(Ordering::Acquire));
            Arc::new(Entry { value: count.to_be_bytes().into(), deadline: AtomicU64::new(deadline) })
        });
        Ok(number(&counted.value().value))
    }

    async fn delete(&self, keys: &[Key]) -> Result<usize, StoreUnavailable> {
        Ok(keys.iter().filter_map(|key| self.values.remove(key)).filter(|entry| self.is_live(entry)).count())
    }

    async fn put_listed(
        &self,
        key: &Key,
        value: Vec<u8>,
        ttl: Duration,
        indexes: &[Key],
        listed: Duration,
    ) -> Result<(), StoreUnavailable> {
        for index in indexes {
            self.list(index, key, listed)?;
        }
        self.put(key, value, ttl).await
    }

    async fn put_within(&self, key: &Key, value: Vec<u8>, ttl: Duration, budgets: &[(Key, usize)]) -> Result<Placed, StoreUnavailable> {
        room(&self.values, self.max_bytes, value.len()).ok_or_else(|| full("sessions"))?;
        let now = self.epoch.now();
        let mut indexes = self.indexes();
        self.index_room(&mut indexes)?;
        if let Some(full) = budgets.iter().position(|(index, most)| indexes.living(index, now) >= *most) {
            return Ok(Placed::Full(full));
        }
        let entry = self.entry(value, ttl);
        let fresh = self.values.entry_by_ref(key).or_insert_with_if(|| Arc::clone(&entry), |old| !self.is_live(old));
        if !Arc::ptr_eq(fresh.value(), &entry) {
            return Ok(Placed::Taken);
        }
        let deadline = now.saturating_add(millis(ttl));
        for (index, _) in budgets {
            indexes.add(index, key, deadline);
        }
        Ok(Placed::Stored)
    }

    async fn take_and_claim(&self, key: &Key, mark: &Key, ttl: Duration) -> Result<(Option<Vec<u8>>, bool), StoreUnavailable> {
        // The mark first: what is taken and cannot be answered is lost.
        let free = self.claim(mark, ttl).await?;
        Ok((self.take(key).await?, free))
    }

    async fn index_members(&self, index: &Key) -> Result<Vec<Key>, StoreUnavailable> {
        let now = self.epoch.now();
        let indexes = self.indexes();
        let members = indexes.by_key.get(index).into_iter().flatten();
        let mut living: Vec<_> =
            members.filter(|(_, deadline)| **deadline > now).map(|(member, deadline)| (*deadline, member.clone())).collect();
        drop(indexes);
        living.sort_unstable_by(|one, other| other.cmp(one));
        Ok(living.into_iter().map(|(_, member)| member).collect())
    }

    async fn index_add_within(&self, index: &Key, member: &Key, ttl: Duration, most: usize) -> Result<bool, StoreUnavailable> {
        let now = self.epoch.now();
        let mut indexes = self.indexes();
        self.index_room(&mut indexes)?;
        if !indexes.has(index, member, now) && indexes.living(index, now) >= most {
            return Ok(false);
        }
        indexes.add(index, member, now.saturating_add(millis(ttl)));
        Ok(true)
    }

    async fn index_remove(&self, listed: &[(Key, Key)]) -> Result<(), StoreUnavailable> {
        let mut indexes = self.indexes();
        for (index, member) in listed {
            indexes.remove(index, member);
        }
        Ok(())
    }

    async fn ping(&self) -> Result<(), StoreUnavailable> {
        room(&self.values, self.max_bytes, SESSION_ROOM).ok_or_else(|| full("sessions"))?;
        self.index_room(&mut self.indexes())
    }
}

/// A count, as it is kept.
fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(u64::MAX, u64::from_be_bytes)
}

/// Nothing, when a value of this length has no place any more.
fn room(cache: &Cache<Key, Arc<Entry>>, max: u64, length: usize) -> Option<()> {
    let wanted = u64::try_from(length).unwrap_or(u64::MAX).saturating_add(OVERHEAD.into());
    let lag = LAG.saturating_mul(wanted);
    if cache.weighted_size().saturating_add(lag) > max {
        // Near the bound the count must be exact, and what has expired must go first.
        cache.run_pending_tasks();
        return (cache.weighted_size().saturating_add(wanted) <= max).then_some(());
    }
    Some(())
}

fn full(of: &str) -> StoreUnavailable {
    StoreUnavailable::new(format!("the memory store has no room for more {of}"))
}

/// Members and their deadlines, by index.
#[derive(Default)]
struct Indexes {
    by_key: HashMap<Key, HashMap<Key, u64>>,
    members: usize,
    added_since_sweep: usize,
}

impl Indexes {
    fn add(&mut self, index: &Key, member: &Key, deadline: u64) {
        let known = self.by_key.entry(index.clone()).or_default().insert(member.clone(), deadline).is_some();
        self.members += usize::from(!known);
        self.added_since_sweep += 1;
    }

    /// How many members of an index have not expired; the others are dropped.
    fn living(&mut self, index: &Key, now: u64) -> usize {
        let Some(members) = self.by_key.get_mut(index) else { return 0 };
        let before = members.len();
        members.retain(|_, deadline| *deadline > now);
        self.members -= before - members.len();
        members.len()
    }

    /// Whether a member has not expired.
    fn has(&self, index: &Key, member: &Key, now: u64) -> bool {
        self.by_key.get(index).and_then(|members| members.get(member)).is_some_and(|deadline| *deadline > now)
    }

    fn remove(&mut self, index: &Key, member: &Key) {
        let Some(members) = self.by_key.get_mut(index) else { return };
        self.members -= usize::from(members.remove(member).is_some());
        if members.is_empty() {
            self.by_key.remove(index);
        }
    }

    /// Drops what has expired, once for as many additions as there are members: constant time for each addition.
    fn sweep_when_due(&mut self, now: u64, max: u64) {
        if self.added_since_sweep <= self.members / 2 && (self.members as u64) < max {
            return;
        }
        self.by_key.retain(|_, members| {
            members.retain(|_, deadline| *deadline > now);
            !members.is_empty()
        });
        self.members = self.by_key.values().map(HashMap::len).sum();
        self.added_since_sweep = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Purpose;
    use super::*;

    fn key(n: u32) -> Key {
        Key::of(Purpose::Session, &n.to_be_bytes())
    }

    #[tokio::test]
    async fn a_full_store_refuses_and_keeps_what_it_has() {
        let store = MemoryStore::new(10 * (1000 + u64::from(OVERHEAD)));
        let hour = Duration::from_hours(1);
        for n in 0..10 {
            store.put(&key(n), vec![7; 1000], hour).await.unwrap();
        }
        assert_eq!(store.put(&key(10), vec![7; 1000], hour).await, Err(full("sessions")));
        assert!(store.claim(&key(11), hour).await.unwrap(), "marks have room of their own");
        for n in 0..10 {
            assert!(store.get_and_touch(&key(n), hour).await.unwrap().is_some(), "{n}");
        }
        assert_eq!(store.delete(&[key(3)]).await, Ok(1));
        store.put(&key(10), vec![7; 1000], hour).await.unwrap();
    }

    #[tokio::test]
    async fn w09_marks_never_take_the_room_of_sessions() {
        let store = MemoryStore::new(1 << 20);
        let hour = Duration::from_hours(1);
        let mut marks = 0;
        while store.claim(&key(marks), hour).await.is_ok() {
            marks += 1;
            assert!(marks < 1 << 20, "marks have no bound");
        }
        assert_eq!(u64::from(marks), (1 << 20) / 4 / u64::from(OVERHEAD));
        assert!(!store.claim(&key(0), hour).await.unwrap_or_default(), "what is marked stays marked");
        store.ping().await.unwrap();
        store.put(&key(0), vec![7; 900_000], hour).await.unwrap();
        store.list(&key(0), &key(0), hour).unwrap();
    }

    #[tokio::test]
    async fn a_store_that_has_no_room_for_sessions_says_so_when_it_is_asked() {
        let hour = Duration::from_hours(1);
        let store = MemoryStore::new(1 << 20);
        store.ping().await.unwrap();
        store.put(&key(0), vec![7; 1_035_000], hour).await.unwrap();
        assert_eq!(store.ping().await, Err(full("sessions")));
        store.delete(&[key(0)]).await.unwrap();
        store.ping().await.unwrap();
        for n in 0..(1 << 20) / 4 / OVERHEAD {
            store.list(&key(0), &key(n), hour).unwrap();
        }
        assert_eq!(store.ping().await, Err(full("indexes")));
    }

    #[tokio::test]
    async fn what_has_expired_makes_room() {
        let store = MemoryStore::new(10 * (1000 + u64::from(OVERHEAD)));
        for n in 0..10 {
            store.put(&key(n), vec![7; 1000], Duration::from_millis(50)).await.unwrap();
        }
        // The cache's timers tick about once a second.
        tokio::time::sleep(Duration::from_millis(2500)).await;
        store.put(&key(10), vec![7; 1000], Duration::from_mins(1)).await.unwrap();
    }

    #[tokio::test]
    async fn expired_members_do_not_pile_up_and_a_full_index_refuses() {
        let store = MemoryStore::new(4 * u64::from(OVERHEAD) * 100);
        for n in 0..1000 {
            store.list(&key(n), &key(n), Duration::from_millis(1)).unwrap();
            if n % 50 == 0 {
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        }
        assert!(store.indexes().members <= 100);
        tokio::time::sleep(Duration::from_millis(3)).await;
        let mut refused = 0;
        for n in 0..200 {
            refused += usize::from(store.list(&key(0), &key(n), Duration::from_mins(1)).is_err());
        }
        assert_eq!(refused, 100);
    }
}
