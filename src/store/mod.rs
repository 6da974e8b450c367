//! Remembers sessions and hand-overs, and what was used up, sealed; pending logins it seals for their browsers to keep.
//!
//! Two levels. A [`Store`] is dumb: bytes under a [`Key`], each with an expiry, each operation one round trip. The [`Vault`] above it
//! knows what the bytes mean and seals them ([`seal`]): who reads the store, or writes to it, learns nothing and forges nothing.

mod choices;
mod codes;
mod ids;
mod kept;
mod kind;
mod lately;
mod lists;
mod memory;
mod redis;
mod requests;
pub mod seal;
mod settings;
mod ticket;
mod vault;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;

pub use choices::{Choices, ChoicesRef, Grouping, Known, Recent};
pub use codes::{AuthorizationCode, DeviceCode, Polled, UserCode};
pub use ids::{BrowserId, GrantId, HandoverId, SessionId, State};
pub use kept::KeptId;
pub use kind::{DeviceName, SessionKind};
pub use lists::{BEGINNING, Found, LiveSession, SessionHandle};
pub use memory::MemoryStore;
pub use redis::{RedisSettings, RedisStore};
pub use requests::{Actor, Book, BookRef, Books, Kept as BookKept, Opened, Request, RequestState, Unfit, WAITS};
pub use settings::{SessionSettings, StoreSettings};
pub use ticket::LoginTicket;
pub use vault::{HANDOVER_LIFE, Session, SessionRef, Vault};

/// What a record is for. Part of its key and of what its seal is bound to, so that none can stand in for another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A login that was begun. Its browser keeps it, sealed; the store learns of it when its one answer has come.
    Login,
    /// A signed-in session.
    Session,
    /// Something on its short way from the click to the page.
    Handover,
    /// A verified sign-in that waits for an answer.
    Question,
    /// The index of one person's sessions.
    Person,
    /// The index of the sessions of those whose usernames begin alike, for administrators.
    Beginning,
    /// The index of the sessions that a provider's logout messages call by one name.
    Upstream,
    /// A mark that something which may be used once was used.
    Used,
    /// An authorization code of a command line. Its client keeps it, sealed; the store learns of it when it is used.
    Code,
    /// The index of the sessions that one authorization code opened: more than one is a theft.
    Opened,
    /// A device code. Its device keeps it, sealed; the store marks that it was asked about.
    Device,
    /// A device grant that waits for a person, under the code that the person types.
    UserCode,
    /// What the person said to a device grant, until the device asks.
    Verdict,
    /// The index of the device grants that were asked for lately, by everybody or from one address.
    Asked,
    /// How often something was used that may be used several times.
    Uses,
    /// Issued credentials that may be handed out again within their session.
    Kept,
    /// The index of what one session keeps.
    KeptBy,
    /// That AWS is being asked for what will be kept.
    Call,
    /// What a person chose on the pages.
    Choices,
    /// What a person asked to be granted, and what became of it.
    Requests,
    /// The index of the people who have asked for something.
    Askers,
    /// How much of an allowance somebody has used.
    Allowance,
}

impl Purpose {
    /// The word that stands for it in keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Session => "session",
            Self::Handover => "handover",
            Self::Question => "question",
            Self::Person => "person",
            Self::Beginning => "beginning",
            Self::Upstream => "upstream",
            Self::Used => "used",
            Self::Code => "code",
            Self::Opened => "opened",
            Self::Device => "device",
            Self::UserCode => "user-code",
            Self::Verdict => "verdict",
            Self::Asked => "asked",
            Self::Uses => "uses",
            Self::Kept => "kept",
            Self::KeptBy => "kept-by",
            Self::Call => "call",
            Self::Choices => "choices",
            Self::Requests => "requests",
            Self::Askers => "askers",
            Self::Allowance => "allowance",
        }
    }
}

/// The name of a record: `rolegate:{purpose}:{SHA-256 of what names it, base64url}`. The id itself never reaches the store.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

const KEY_PREFIX: &str = "rolegate:";

impl Key {
    /// The key of what a secret id or a name stands for.
    #[must_use]
    pub fn of(purpose: Purpose, secret_or_name: &[u8]) -> Self {
        let hash = BASE64URL_NOPAD.encode(digest(&SHA256, secret_or_name).as_ref());
        Self(format!("{KEY_PREFIX}{}:{hash}", purpose.as_str()).into())
    }

    /// The key of what is named by its hash alone, as a browser may keep it.
    fn named(purpose: Purpose, hash: &str) -> Self {
        Self(format!("{KEY_PREFIX}{}:{hash}", purpose.as_str()).into())
    }

    /// A key that comes back out of an index.
    fn stored(text: &str) -> Option<Self> {
        text.starts_with(KEY_PREFIX).then(|| Self(text.into()))
    }

    /// The key as the store sees it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The store did not do what it was asked, and nothing may be taken for done. Names the cause, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store is unavailable: {0}")]
pub struct StoreUnavailable(Cow<'static, str>);

impl StoreUnavailable {
    pub(crate) fn new(cause: impl Into<Cow<'static, str>>) -> Self {
        Self(cause.into())
    }
}

/// How a store answers to a value that may be put only where there is room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It is there.
    Stored,
    /// Something else is there already.
    Taken,
    /// One of the budgets is used up: its place in the list.
    Full(usize),
}

/// How much of something there is for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// How long it takes until there is one more.
    pub each: Duration,
    /// How many there are at once, after a pause.
    pub burst: u32,
}

/// A value that is there, with how long it would stay if nothing were done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its key.
    pub key: Key,
    /// The value.
    pub value: Vec<u8>,
    /// How long it has left.
    pub left: Duration,
}

/// A store of bytes that expire.
///
/// Every operation is one round trip, and each of its commands concerns one key, so that a cluster can spread the keys. A span shorter than
/// a millisecond counts as one. Whatever fails is [`StoreUnavailable`].
#[async_trait]
pub trait Store: Send + Sync {
    /// Stores a value, in place of what is there.
    async fn put(&self, key: &Key, value: Vec<u8>, ttl: Duration) -> Result<(), StoreUnavailable>;

    /// Reads a value.
    async fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreUnavailable>;

    /// Reads those of several values that are there, in the order of their keys, and touches none. Not atomic.
    async fn get_all(&self, keys: &[Key]) -> Result<Vec<Kept>, StoreUnavailable>;

    /// Reads a value and lets it live for `ttl` from now, atomically: what was deleted meanwhile does not come back.
    async fn get_and_touch(&self, key: &Key, ttl: Duration) -> Result<Option<Vec<u8>>, StoreUnavailable>;

    /// [`Self::get_and_touch`], and reads other values beside it, in the same round trip: as many as there are keys, in their order.
    async fn get_and_touch_with(
        &self,
        key: &Key,
        ttl: Duration,
        beside: &[Key],
    ) -> Result<(Option<Vec<u8>>, Vec<Option<Vec<u8>>>), StoreUnavailable>;

    /// Stores a value for `ttl` in place of exactly that which was read before; none for nothing. Of any number of callers at once who read the
    /// same, exactly one is told that it is there.
    async fn swap(&self, key: &Key, was: Option<&[u8]>, value: Vec<u8>, ttl: Duration) -> Result<bool, StoreUnavailable>;

    /// Takes a value out. Of any number of callers at once, exactly one gets it.
    async fn take(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreUnavailable>;

    /// Marks a key as used. True for exactly one caller until the mark expires. Keys of marks hold nothing else.
    async fn claim(&self, key: &Key, ttl: Duration) -> Result<bool, StoreUnavailable>;

    /// Whether a key is marked as used.
    async fn is_claimed(&self, key: &Key) -> Result<bool, StoreUnavailable>;

    /// Counts a use and tells how many there were, this one among them. The count is forgotten `ttl` after the first. Keys of counts hold
    /// nothing else.
    async fn count(&self, key: &Key, ttl: Duration) -> Result<u64, StoreUnavailable>;

    /// Takes so many out of an allowance that all processes with this store share; where there are too few, it takes none and says how long to
    /// wait. What is worth more than a whole allowance takes a whole one. Keys of allowances hold nothing else. A store of one process keeps none:
    /// who asks has counted already.
    async fn spend(&self, _key: &Key, _count: u32, _of: Allowance) -> Result<Option<Duration>, StoreUnavailable> {
        Ok(None)
    }

    /// Deletes records, not atomically; says how many were there.
    async fn delete(&self, keys: &[Key]) -> Result<usize, StoreUnavailable>;

    /// The members of an index that have not expired, those first that would stay longest.
    async fn index_members(&self, index: &Key) -> Result<Vec<Key>, StoreUnavailable>;

    /// Stores a value for `ttl`, and adds its key to indexes for `listed`; an index lives as long as its longest-lived member. A failure may
    /// leave any part of it done, so nobody may be given the key then.
    async fn put_listed(&self, key: &Key, value: Vec<u8>, ttl: Duration, indexes: &[Key], listed: Duration)
    -> Result<(), StoreUnavailable>;

    /// Stores a value for `ttl` under a key that is free, if each of these indexes has fewer members than its number; the key becomes a member
    /// of all of them for as long. Nothing of it stays when it is refused.
    async fn put_within(&self, key: &Key, value: Vec<u8>, ttl: Duration, budgets: &[(Key, usize)]) -> Result<Placed, StoreUnavailable>;

    /// Takes a value out, as [`Self::take`], and claims a mark, as [`Self::claim`]: what was taken, and whether the mark was free.
    async fn take_and_claim(&self, key: &Key, mark: &Key, ttl: Duration) -> Result<(Option<Vec<u8>>, bool), StoreUnavailable>;

    /// Adds a member to an index for `ttl`, or lets it stay for as long, if the index has fewer members than `most` without it: says whether it is
    /// one now.
    async fn index_add_within(&self, index: &Key, member: &Key, ttl: Duration, most: usize) -> Result<bool, StoreUnavailable>;

    /// Takes members out of indexes, each pair's second out of its first; not atomically.
    async fn index_remove(&self, listed: &[(Key, Key)]) -> Result<(), StoreUnavailable>;

    /// Whether the store answers, and takes sessions.
    async fn ping(&self) -> Result<(), StoreUnavailable>;
}

/// A span in whole milliseconds, at least one, for stores that refuse zero.
fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).clamp(1, MAX_TTL_MILLIS)
}

/// Ten years: far beyond any limit of ours, far below where a store's arithmetic would overflow.
const MAX_TTL_MILLIS: u64 = 10 * 366 * 86_400 * 1000;
