//! What a session keeps to hand out again: issued credentials, until 80 % of their life or the session's end.
//!
//! A record lies under one hash of the session's id, and is sealed for another one that stands nowhere. So who has the store and the keys of its
//! seals, and not the session's cookie or token, opens none; and when a session is over and its id forgotten, nobody does.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ids::SessionId;
use super::vault::Vault;
use super::{Key, Placed, Purpose, StoreUnavailable};

/// The most records that one session keeps, so that asking for ever other credentials does not fill the store.
const MOST: usize = 64;

/// Where a session keeps something.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeptId {
    /// Where the record lies.
    place: Key,
    /// What it is sealed for.
    seal: Key,
    /// What lists the records of the session.
    listed: Key,
    /// What says that AWS is being asked for it.
    call: Key,
}

impl SessionId {
    /// Where this session keeps what a digest names.
    #[must_use]
    pub fn keeping(&self, what: &[u8; 32]) -> KeptId {
        KeptId {
            place: self.keeping_key(Purpose::Kept, &[what]),
            // Keys tell their hash: this one must have another.
            seal: self.keeping_key(Purpose::Kept, &[what, b"seal"]),
            listed: self.keeping_key(Purpose::KeptBy, &[]),
            call: self.keeping_key(Purpose::Call, &[what]),
        }
    }
}

impl Vault {
    /// What is kept there.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn kept<T: DeserializeOwned>(&self, at: &KeptId) -> Result<Option<T>, StoreUnavailable> {
        Ok(self.store.get(&at.place).await?.and_then(|sealed| self.reveal(&at.seal, sealed)))
    }

    /// Keeps something for so long; says whether the session had room for it.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: it is not kept.
    pub async fn keep<T: Serialize + Sync>(&self, at: &KeptId, value: &T, ttl: Duration) -> Result<bool, StoreUnavailable> {
        let sealed = self.conceal(&at.seal, value)?;
        let placed = self.store.put_within(&at.place, sealed, ttl, &[(at.listed.clone(), MOST)]).await?;
        Ok(!matches!(placed, Placed::Full(_)))
    }

    /// Takes the turn to ask AWS for what will be kept there: true for one instance, until it gives the turn back or `ttl` is over.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn take_turn(&self, at: &KeptId, ttl: Duration) -> Result<bool, StoreUnavailable> {
        Ok(self.store.put_within(&at.call, b"1".to_vec(), ttl, &[]).await? == Placed::Stored)
    }

    /// Gives the turn back.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: it is over when its time is.
    pub async fn give_turn_back(&self, at: &KeptId) -> Result<(), StoreUnavailable> {
        self.store.delete(std::slice::from_ref(&at.call)).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::seal::SealKeys;
    use super::super::{MemoryStore, Store};
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn vault() -> (Arc<MemoryStore>, Vault) {
        let store = Arc::new(MemoryStore::new(1 << 24));
        (Arc::clone(&store), Vault::new(store, SealKeys::random()))
    }

    #[tokio::test]
    async fn what_one_session_keeps_is_found_by_it_alone_and_by_its_own_name_alone() {
        let (_, vault) = vault();
        let (session, other) = (SessionId::random(), SessionId::random());
        let at = session.keeping(&[1; 32]);
        assert!(vault.keep(&at, &"canary", HOUR).await.unwrap());
        assert_eq!(vault.kept::<String>(&session.keeping(&[1; 32])).await.unwrap().as_deref(), Some("canary"));
        for elsewhere in [session.keeping(&[2; 32]), other.keeping(&[1; 32])] {
            assert_eq!(vault.kept::<String>(&elsewhere).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn c4_the_store_and_its_seal_keys_open_nothing_without_the_sessions_id() {
        let (store, vault) = vault();
        let at = SessionId::random().keeping(&[1; 32]);
        vault.keep(&at, &"canary", HOUR).await.unwrap();
        let sealed = store.get(&at.place).await.unwrap().unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"canary"));
        // All keys that the store ever sees.
        for seen in [&at.place, &at.listed, &at.call] {
            assert!(vault.keys.open(seen, sealed.clone()).is_err(), "{seen:?}");
        }
        assert!(vault.keys.open(&at.seal, sealed).is_ok());
        let hash = |key: &Key| key.as_str().rsplit_once(':').unwrap().1.to_owned();
        assert_ne!(hash(&at.place), hash(&at.seal), "one cannot be told from the other");
    }

    #[tokio::test]
    async fn w09_a_session_keeps_so_much_and_no_more() {
        let (_, vault) = vault();
        let session = SessionId::random();
        let at = |n: usize| session.keeping(&[u8::try_from(n).unwrap(); 32]);
        for n in 0..MOST {
            assert!(vault.keep(&at(n), &"x", HOUR).await.unwrap(), "{n}");
        }
        assert!(!vault.keep(&at(MOST), &"x", HOUR).await.unwrap());
        assert_eq!(vault.kept::<String>(&at(MOST)).await.unwrap(), None);
        assert!(vault.keep(&SessionId::random().keeping(&[1; 32]), &"x", HOUR).await.unwrap(), "each has its own room");
    }

    #[tokio::test]
    async fn one_has_the_turn_until_it_is_given_back() {
        let (_, vault) = vault();
        let at = SessionId::random().keeping(&[1; 32]);
        assert!(vault.take_turn(&at, HOUR).await.unwrap());
        assert!(!vault.take_turn(&at, HOUR).await.unwrap());
        vault.give_turn_back(&at).await.unwrap();
        assert!(vault.take_turn(&at, HOUR).await.unwrap());
        assert!(vault.take_turn(&SessionId::random().keeping(&[1; 32]), HOUR).await.unwrap());
    }
}
