//! What lists sessions: each person's own list, and administrators' search by name.

use std::collections::HashSet;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use chrono::TimeDelta;
use data_encoding::BASE64URL_NOPAD;

use super::ids::SessionId;
use super::vault::{Session, Vault};
use super::{Kept, Key, Purpose, StoreUnavailable};
use crate::clock::Moment;
use crate::identity::Identity;

/// How many characters of a username find its sessions: enough that few people share them, and so few that people type them.
pub const BEGINNING: usize = 3;
/// How many living sessions are looked at for one search, which brings them all here.
const MOST_LOOKED_AT: usize = 2000;
/// How many are looked for in one round trip, and in all: what idled out stays listed until its longest life is over.
const BATCH: usize = 500;
const MOST_LOOKED_FOR: usize = 20_000;

/// Names a session to the person whose it is: no secret, and of no use to anybody else. 22 characters of base64url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionHandle(String);

impl SessionHandle {
    /// Bytes of the digest that are kept: two of a person's sessions never meet.
    const BYTES: usize = 16;

    /// A handle as somebody writes it; it names a session only if one has it.
    #[must_use]
    pub fn named(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The handle as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// From the key, which is a hash of the id already, and the person, so that a handle which got into wrong hands finds nothing there.
    fn of(person: &str, key: &Key) -> Self {
        let mut context = Context::new(&SHA256);
        for part in ["rolegate session handle", person, key.as_str()] {
            context.update(part.as_bytes());
            context.update(b"\0");
        }
        let digest = context.finish();
        Self(BASE64URL_NOPAD.encode(digest.as_ref().get(..Self::BYTES).unwrap_or_default()))
    }
}

/// One of a person's sessions, as lists of them show it.
#[derive(Debug, Clone)]
pub struct LiveSession {
    /// What it is called.
    pub handle: SessionHandle,
    /// The session.
    pub session: Session,
    /// When it was last used, to the second or so: by what the store would still keep it.
    pub last_used: Moment,
}

/// Sessions that were looked for by their person.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Those that live, the newest first.
    pub sessions: Vec<LiveSession>,
    /// Whether there are more whose usernames begin alike and that were not looked at. All of a whole username, and of a stable key, were.
    pub more: bool,
}

impl Vault {
    /// What a session is called in its person's list.
    #[must_use]
    pub fn handle(&self, id: &SessionId, person: &str) -> SessionHandle {
        SessionHandle::of(person, &id.key())
    }

    /// Every living session of a person, the newest first. Being listed is no use: none is prolonged. Two round trips.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn sessions(&self, person: &str, now: Moment, idle: Duration) -> Result<Vec<LiveSession>, StoreUnavailable> {
        let keys = self.store.index_members(&person_key(person)).await?;
        let mut sessions = self.living(self.store.get_all(&keys).await?, now, idle, |_| true);
        newest_first(&mut sessions);
        Ok(sessions)
    }

    /// Every living session of those whose username begins so, in any case of letters, or whose [`Identity::person`] it is; the newest first.
    /// What is shorter than [`BEGINNING`] finds usernames that are no longer. Six round trips, and more where thousands begin alike.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn find_sessions(&self, who: &str, now: Moment, idle: Duration) -> Result<Found, StoreUnavailable> {
        let mut found = Found { sessions: self.sessions(who, now, idle).await?, more: false };
        let wanted = who.to_lowercase();
        let is_meant = |identity: &Identity| identity.username().to_lowercase().starts_with(&wanted);
        let [beginning, whole] = name_keys(who);
        let (named, alike) = (self.store.index_members(&whole).await?, self.store.index_members(&beginning).await?);
        found.take_in(self.living(self.store.get_all(&named).await?, now, idle, is_meant));
        let mut looked_at = 0;
        for (number, batch) in alike.chunks(BATCH).enumerate() {
            if looked_at >= MOST_LOOKED_AT || number * BATCH >= MOST_LOOKED_FOR {
                found.more = true;
                break;
            }
            let there = self.store.get_all(batch).await?;
            looked_at += there.len();
            found.take_in(self.living(there, now, idle, is_meant));
        }
        newest_first(&mut found.sessions);
        Ok(found)
    }

    /// Those of some sessions that live and whose person is meant.
    fn living(&self, there: Vec<Kept>, now: Moment, idle: Duration, is_meant: impl Fn(&Identity) -> bool) -> Vec<LiveSession> {
        let mut sessions = Vec::new();
        for Kept { key, value, left } in there {
            let Some(session) = self.reveal::<Session>(&key, value) else { continue };
            if session.expires <= now || !is_meant(&session.identity) {
                continue;
            }
            // Each use gives it the whole idle time again. One that was opened with less than that, and not used since, was used when it began.
            let unused = TimeDelta::from_std(idle.saturating_sub(left)).unwrap_or_default();
            let last_used = (now - unused).max(session.created);
            sessions.push(LiveSession { handle: SessionHandle::of(&session.identity.person(), &key), session, last_used });
        }
        sessions
    }

    /// Ends the session of a person's that is called so; says whether there was one. A handle of anybody else's finds nothing.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: the session may still be alive.
    pub async fn close_called(&self, handle: &SessionHandle, person: &str) -> Result<bool, StoreUnavailable> {
        let members = self.store.index_members(&person_key(person)).await?;
        let Some(key) = members.into_iter().find(|key| SessionHandle::of(person, key) == *handle) else { return Ok(false) };
        Ok(self.end(&[key]).await? > 0)
    }

    /// Ends sessions; says how many were alive. Three round trips.
    ///
    /// Those that were there are taken out of all that lists them. The others stay: one of them may just be opened, which is listed before it is
    /// there, and must be found then.
    pub(super) async fn end(&self, keys: &[Key]) -> Result<usize, StoreUnavailable> {
        let there = self.store.get_all(keys).await?;
        let ended = self.store.delete(keys).await?;
        let mut listed = Vec::new();
        for Kept { key, value, .. } in there {
            self.forget(&key);
            let Some(session) = self.reveal::<Session>(&key, value) else { continue };
            listed.extend(indexes_of(&session.identity).into_iter().map(|index| (index, key.clone())));
        }
        self.strike_off(listed).await;
        Ok(ended)
    }

    /// Takes ended sessions out of what lists them. Where that fails they are listed until they would have ended, and looked for in vain.
    pub(super) async fn strike_off(&self, listed: Vec<(Key, Key)>) {
        if let Err(error) = self.store.index_remove(&listed).await {
            tracing::warn!(reason = %error, "ended sessions stay listed for a while");
        }
    }
}

/// All that lists a session, whoever opened it: by its person, by the beginning of the username and the whole, by what the provider calls it.
pub(super) fn indexes_of(identity: &Identity) -> Vec<Key> {
    let mut indexes = vec![person_key(&identity.person())];
    indexes.extend(name_keys(identity.username()));
    indexes.extend(identity.handles().iter().map(|handle| upstream_key(handle)));
    indexes
}

/// By the first characters of a username, and by all of it, in lower case. Like all names they are hashed. The whole one has a mark that no
/// beginning is long enough for, so that a short name is not listed twice in one place.
fn name_keys(username: &str) -> [Key; 2] {
    let name = username.to_lowercase();
    let beginning: String = name.chars().take(BEGINNING).collect();
    [beginning, format!("{name} is the whole name")].map(|text| Key::of(Purpose::Beginning, text.as_bytes()))
}

fn newest_first(sessions: &mut [LiveSession]) {
    sessions.sort_by(|a, b| b.session.created.cmp(&a.session.created).then_with(|| a.handle.0.cmp(&b.handle.0)));
}

impl Found {
    /// Adds sessions that are not among them yet.
    fn take_in(&mut self, sessions: Vec<LiveSession>) {
        let known: HashSet<_> = self.sessions.iter().map(|live| live.handle.0.clone()).collect();
        self.sessions.extend(sessions.into_iter().filter(|live| !known.contains(&live.handle.0)));
    }
}

pub(super) fn upstream_key(handle: &str) -> Key {
    Key::of(Purpose::Upstream, handle.as_bytes())
}

pub(super) fn person_key(person: &str) -> Key {
    Key::of(Purpose::Person, person.as_bytes())
}
