//! What is kept, by its meaning: sessions and hand-overs in the store, pending logins at their browsers. Everything is sealed on its way.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::ids::{HandoverId, SessionId, State};
use super::kind::SessionKind;
use super::lately::Lately;
use super::lists::{indexes_of, person_key, upstream_key};
use super::seal::{SealKeys, Unsealed};
use super::ticket::LoginTicket;
use super::{Allowance, AuthorizationCode, Choices, Key, Purpose, Request, Store, StoreUnavailable};
use crate::clock::Moment;
use crate::identity::{Identity, PendingLogin};

/// How much longer than its login a mark that it was used lives, because instances' clocks may differ.
const CLOCKS_APART: Duration = Duration::from_mins(1);
/// How many bytes of sealed sessions, and of sealed choices, are kept opened for the next page.
const SESSIONS: u64 = 8 << 20;
const CHOICES: u64 = 2 << 20;
/// How long something may be on its way from the click to the page.
pub const HANDOVER_LIFE: Duration = Duration::from_mins(1);

/// A signed-in person, for a time. Never changes while it lives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// Who signed in.
    pub identity: Arc<Identity>,
    /// When.
    pub created: Moment,
    /// When it ends, however much it is used.
    pub expires: Moment,
    /// How it was begun.
    #[serde(default)]
    pub kind: SessionKind,
    /// What its person asked to be granted, as it was read for the request at hand. It is kept by itself, and never with the session: what is
    /// revoked counts at once, in all sessions.
    #[serde(skip)]
    pub requests: Vec<Request>,
}

/// Leads to a session without being its id: who has one can tell whether the session lives, and cannot use it.
#[derive(Clone, Serialize, Deserialize)]
pub struct SessionRef(String);

/// The store with its keys. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    pub(super) store: Arc<dyn Store>,
    pub(super) keys: Arc<SealKeys>,
    sessions: Lately<Session>,
    pub(super) choices: Lately<Choices>,
}

impl Vault {
    /// A vault over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, keys: SealKeys) -> Self {
        Self { store, keys: Arc::new(keys), sessions: Lately::new(SESSIONS), choices: Lately::new(CHOICES) }
    }

    /// Seals a login for its browser to keep until the answer comes. The store is not asked.
    ///
    /// # Errors
    /// [`Unsealed`]: the login cannot be begun.
    pub fn ticket(&self, state: &State, login: &PendingLogin) -> Result<LoginTicket, Unsealed> {
        let plain = serde_json::to_vec(login).map(Zeroizing::new).map_err(|_| Unsealed)?;
        Ok(LoginTicket::new(login.begun.timestamp(), self.keys.seal(&state.key(), &plain)?))
    }

    /// The login of a ticket, if the ticket was made for this state: no other opens.
    #[must_use]
    pub fn pending(&self, state: &State, ticket: &LoginTicket) -> Option<PendingLogin> {
        let plain = self.keys.open(&state.key(), ticket.sealed()).ok()?;
        serde_json::from_slice(&plain).ok()
    }

    /// Uses a login up: true for exactly one answer. `left` is how long the login could still wait.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: the answer must be refused.
    pub async fn claim_login(&self, state: &State, left: TimeDelta) -> Result<bool, StoreUnavailable> {
        let left = left.to_std().unwrap_or_default();
        self.store.claim(&state.key(), left + CLOCKS_APART).await
    }

    /// Opens a session under a new id. It ends after `idle` without use, and at `session.expires` in any case.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: nobody is signed in.
    pub async fn open_session(&self, session: &Session, idle: Duration) -> Result<SessionId, StoreUnavailable> {
        self.open_session_by(session, idle, None).await
    }

    /// [`Self::open_session`], and remembers which authorization code opened it.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: nobody is signed in.
    pub async fn open_session_by(
        &self,
        session: &Session,
        idle: Duration,
        code: Option<&AuthorizationCode>,
    ) -> Result<SessionId, StoreUnavailable> {
        let id = SessionId::random();
        let key = id.key();
        let life = (session.expires - session.created).to_std().unwrap_or_default();
        let mut indexes = indexes_of(&session.identity);
        indexes.extend(code.map(AuthorizationCode::opened_key));
        // A session that "sign out everywhere" cannot find must never be anybody's: if any part fails, nobody gets its id.
        self.store.put_listed(&key, self.conceal(&key, session)?, idle.min(life), &indexes, life).await?;
        Ok(id)
    }

    /// The session of that id, if it is alive; reading it counts as use. One round trip.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: nobody is signed in.
    pub async fn session(&self, id: &SessionId, now: Moment, idle: Duration) -> Result<Option<Session>, StoreUnavailable> {
        let key = id.key();
        let sealed = self.store.get_and_touch(&key, idle).await?;
        self.alive(key, sealed, now).await
    }

    /// The session that was found under a key, if it is alive.
    pub(super) async fn alive(&self, key: Key, sealed: Option<Vec<u8>>, now: Moment) -> Result<Option<Session>, StoreUnavailable> {
        let Some(sealed) = sealed else {
            self.forget(&key);
            return Ok(None);
        };
        let Some(session) = self.sessions.open(&key, sealed, |sealed| self.reveal(&key, sealed)) else { return Ok(None) };
        if session.expires <= now {
            self.forget(&key);
            // The touch prolonged what is over. (What does not open stays: another instance may have a newer key.)
            self.store.delete(&[key]).await?;
            return Ok(None);
        }
        Ok(Some(session))
    }

    /// Lets go of what was opened and not used for long. To be called now and then.
    pub fn tidy(&self) {
        self.sessions.tidy();
        self.choices.tidy();
    }

    /// Keeps nothing of a session that ended.
    pub(super) fn forget(&self, key: &Key) {
        self.sessions.forget(key);
    }

    /// The session that a reference leads to, if it is alive. Looking at it is no use of it.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: it must count as over.
    pub async fn session_behind(&self, reference: &SessionRef, now: Moment) -> Result<Option<Session>, StoreUnavailable> {
        let Some(key) = Key::stored(&reference.0) else { return Ok(None) };
        let session = self.store.get(&key).await?.and_then(|sealed| self.reveal::<Session>(&key, sealed));
        Ok(session.filter(|session| now < session.expires))
    }

    /// Ends one session, which is of who is signed in. Two round trips.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: the session may still be alive.
    pub async fn close_session(&self, id: &SessionId, identity: &Identity) -> Result<(), StoreUnavailable> {
        let key = id.key();
        self.forget(&key);
        self.store.delete(std::slice::from_ref(&key)).await?;
        self.strike_off(indexes_of(identity).into_iter().map(|index| (index, key.clone())).collect()).await;
        Ok(())
    }

    /// Ends every session of a person; says how many were alive.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: sessions may still be alive.
    pub async fn close_all(&self, person: &str) -> Result<usize, StoreUnavailable> {
        let sessions = self.store.index_members(&person_key(person)).await?;
        self.end(&sessions).await
    }

    /// Ends every session that goes by one of these names: see [`Identity::handles`]. Says how many were alive.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: sessions may still be alive.
    pub async fn close_named(&self, handles: &[String]) -> Result<usize, StoreUnavailable> {
        let mut ended = 0;
        for handle in handles {
            let sessions = self.store.index_members(&upstream_key(handle)).await?;
            ended += self.end(&sessions).await?;
        }
        Ok(ended)
    }

    /// Lays something down for [`HANDOVER_LIFE`], to be taken once, by the same session.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: nothing was laid down.
    pub async fn hand_over<T: Serialize + Sync>(&self, session: &SessionId, value: &T) -> Result<HandoverId, StoreUnavailable> {
        self.lay_down(Purpose::Handover, session, value, HANDOVER_LIFE).await
    }

    /// Lays down a question's other half for so long, to be taken once, by the same session.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: nothing was laid down.
    pub async fn ask<T>(&self, session: &SessionId, value: &T, life: Duration) -> Result<HandoverId, StoreUnavailable>
    where
        T: Serialize + Sync,
    {
        self.lay_down(Purpose::Question, session, value, life).await
    }

    async fn lay_down<T>(&self, purpose: Purpose, session: &SessionId, value: &T, life: Duration) -> Result<HandoverId, StoreUnavailable>
    where
        T: Serialize + Sync,
    {
        let id = HandoverId::random();
        self.put(&session.laid_down_key(purpose, &id), value, life).await?;
        Ok(id)
    }

    /// Takes what was laid down for this session under this id. None: taken, expired, or another session's.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: nothing is handed over.
    pub async fn take_handover<T: DeserializeOwned>(&self, session: &SessionId, id: &HandoverId) -> Result<Option<T>, StoreUnavailable> {
        self.take(&session.laid_down_key(Purpose::Handover, id)).await
    }

    /// Takes what [`Self::ask`] laid down for this session under this id. None: taken, expired, or another session's.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: the question stays open.
    pub async fn answer<T: DeserializeOwned>(&self, session: &SessionId, id: &HandoverId) -> Result<Option<T>, StoreUnavailable> {
        self.take(&session.laid_down_key(Purpose::Question, id)).await
    }

    /// Whether this is the first use of what may be used once. `name` must tell it from everything else of that purpose.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: it must count as used.
    pub async fn claim_once(&self, purpose: Purpose, name: &[u8], ttl: Duration) -> Result<bool, StoreUnavailable> {
        self.store.claim(&Key::of(purpose, name), ttl).await
    }

    /// Counts a use of what may be used several times, and tells how many there were, this one among them. `name` must tell it from everything
    /// else that is counted; the count is forgotten `ttl` after the first use.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: it must count as used up.
    pub async fn count_use(&self, name: &[u8], ttl: Duration) -> Result<u64, StoreUnavailable> {
        self.store.count(&Key::of(Purpose::Uses, name), ttl).await
    }

    /// Whether what may be used once was used: [`Self::claim_once`] without using it.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: it must count as used.
    pub async fn was_used(&self, purpose: Purpose, name: &[u8]) -> Result<bool, StoreUnavailable> {
        self.store.is_claimed(&Key::of(purpose, name)).await
    }

    /// Ends those sessions of a name for which `meant` says so: see [`Identity::handles`]. One that does not open is ended too, because
    /// whom it is of cannot be told. Says how many were alive.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: sessions may still be alive.
    pub async fn close_meant(&self, handle: &str, meant: impl Fn(&Session) -> bool) -> Result<usize, StoreUnavailable> {
        let mut ending = Vec::new();
        for key in self.store.index_members(&upstream_key(handle)).await? {
            let Some(sealed) = self.store.get(&key).await? else { continue };
            if self.reveal::<Session>(&key, sealed).is_none_or(|session| meant(&session)) {
                ending.push(key);
            }
        }
        self.end(&ending).await
    }

    /// Takes so many out of an allowance of somebody, which all processes with the same store share; says how long to wait where there are too few.
    /// `what` is what the allowance is of.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: nothing was counted.
    pub async fn spend(&self, what: &str, who: &str, count: u32, of: Allowance) -> Result<Option<Duration>, StoreUnavailable> {
        self.store.spend(&Key::of(Purpose::Allowance, format!("{what} {who}").as_bytes()), count, of).await
    }

    /// Whether the store answers, and takes sessions.
    ///
    /// # Errors
    /// [`StoreUnavailable`] with the cause.
    pub async fn ping(&self) -> Result<(), StoreUnavailable> {
        self.store.ping().await
    }

    pub(super) async fn put<T: Serialize + Sync>(&self, key: &Key, value: &T, ttl: Duration) -> Result<(), StoreUnavailable> {
        self.store.put(key, self.conceal(key, value)?, ttl).await
    }

    pub(super) fn conceal<T: Serialize>(&self, key: &Key, value: &T) -> Result<Vec<u8>, StoreUnavailable> {
        let plain = serde_json::to_vec(value).map(Zeroizing::new).map_err(|_| StoreUnavailable::new("the value cannot be encoded"))?;
        self.keys.seal(key, &plain).map_err(|_| StoreUnavailable::new("the value cannot be sealed"))
    }

    pub(super) async fn take<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, StoreUnavailable> {
        Ok(self.store.take(key).await?.and_then(|sealed| self.reveal(key, sealed)))
    }

    /// What does not open, or was written by another version in another shape, counts as absent; the log knows.
    pub(super) fn reveal<T: DeserializeOwned>(&self, key: &Key, sealed: Vec<u8>) -> Option<T> {
        let plain = self.keys.open(key, sealed).inspect_err(|error| tracing::warn!(?key, %error, "a record is ignored")).ok()?;
        // As text that is looked through once: of bytes the decoder would look at each string anew. Its own message may repeat parts of the value.
        let value = std::str::from_utf8(&plain).ok().and_then(|text| serde_json::from_str(text).ok());
        if value.is_none() {
            tracing::warn!(?key, "a record is ignored: it has another version's shape");
        }
        value
    }
}

impl SessionId {
    /// What leads to the session of this id.
    #[must_use]
    pub fn reference(&self) -> SessionRef {
        SessionRef(self.key().as_str().to_owned())
    }
}

impl std::fmt::Debug for SessionRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionRef(…)")
    }
}

#[cfg(test)]
#[path = "vault_tests.rs"]
pub(super) mod tests;
