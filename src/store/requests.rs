//! What people asked to be granted, and what became of it: one record for each person, which is a small book of requests.
//!
//! A book changes as a whole, in place of exactly what was read ([`Store::swap`](super::Store::swap)): of two approvers at once one decides, and a
//! revocation is not lost to a request that came at the same time. It is sealed as all records are. Who can write to the store can put an *older*
//! book of the same person back, or take one away; a grant that was revoked could come back so, until its own end, which is in the seal.

use std::time::Duration;

use chrono::TimeDelta;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::ids::random;
use super::{Key, Purpose, Session, StoreUnavailable, Vault};
use crate::access::Elevation;
use crate::clock::Moment;
use crate::identity::{Identity, ProviderId};

/// How long a request waits for somebody to decide.
pub const WAITS: TimeDelta = TimeDelta::hours(24);
/// How long what became of a request is shown.
const REMEMBERED: TimeDelta = TimeDelta::days(7);
/// How many requests of one person may wait at the same time.
const MOST_WAITING: usize = 5;
/// How many a person may make within [`AN_HOUR`], whatever became of them: each is an event, and may be an alarm.
const MOST_AN_HOUR: usize = 10;
const AN_HOUR: TimeDelta = TimeDelta::hours(1);
/// How many a person may have waiting and granted.
const MOST_LIVING: usize = 20;
/// How many a book holds: the oldest that is over goes first.
const MOST: usize = 40;
/// How many people may have something waiting or granted at the same time; those who decide look into all of their books.
const MOST_BOOKS: usize = 2000;
/// The bytes of a request's id. It is no secret.
const ID: usize = 12;

/// Somebody who asked, or did something about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The provider that vouches.
    pub provider: ProviderId,
    /// The provider's own, stable name for the person.
    pub subject: String,
    /// The name that people recognise.
    pub username: String,
}

impl Actor {
    /// The stable key: [`Identity::person`].
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}+{}", self.provider, self.subject)
    }

    /// Whether it is the same person: by the stable key, or by the name that another provider has for them too.
    #[must_use]
    pub fn is(&self, who: &Identity) -> bool {
        self.key() == who.person() || self.username.to_lowercase() == who.username().to_lowercase()
    }
}

impl From<&Identity> for Actor {
    fn from(who: &Identity) -> Self {
        Self { provider: who.provider().clone(), subject: who.subject().to_owned(), username: who.username().to_owned() }
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What names it, on pages and in the audit trail: 16 characters of base64url.
    pub id: String,
    /// The rule that made the role requestable.
    pub rule: String,
    /// The role's ARN, or the text of another [`Target`](crate::access::Target).
    pub role: String,
    /// What it is wanted for.
    pub reason: String,
    /// How long it is wanted, in seconds.
    pub seconds: u64,
    /// When it was asked for.
    pub asked: Moment,
    /// What became of it.
    pub state: RequestState,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// Nobody has decided; it lapses with [`WAITS`].
    Waiting,
    /// It was granted.
    Granted {
        /// By whom.
        by: Actor,
        /// When.
        at: Moment,
        /// From when on it gives nothing any more.
        until: Moment,
    },
    /// It was refused.
    Refused {
        /// By whom.
        by: Actor,
        /// When.
        at: Moment,
    },
    /// Who asked took it back, or gave back what was granted.
    Withdrawn {
        /// When.
        at: Moment,
    },
    /// An administrator ended what was granted.
    Revoked {
        /// Who.
        by: Actor,
        /// When.
        at: Moment,
    },
}

impl Request {
    /// A new one.
    #[must_use]
    pub fn new(rule: &str, role: &str, reason: &str, duration: Duration, now: Moment) -> Self {
        let id = BASE64URL_NOPAD.encode(&random::<ID>());
        let (rule, role, reason) = (rule.to_owned(), role.to_owned(), reason.to_owned());
        Self { id, rule, role, reason, seconds: duration.as_secs(), asked: now, state: RequestState::Waiting }
    }

    /// Whether it still waits for somebody to decide.
    #[must_use]
    pub fn is_waiting(&self, now: Moment) -> bool {
        self.state == RequestState::Waiting && now < self.asked + WAITS
    }

    /// Until when it is granted; none if it is not, or not any more.
    #[must_use]
    pub fn granted_until(&self, now: Moment) -> Option<Moment> {
        if let RequestState::Granted { until, .. } = self.state { Some(until).filter(|until| now < *until) } else { None }
    }

    /// What decisions make of it.
    #[must_use]
    pub fn elevation(&self) -> Option<Elevation> {
        let RequestState::Granted { by, until, .. } = &self.state else { return None };
        Some(Elevation {
            id: self.id.clone(),
            rule: self.rule.clone(),
            role: self.role.clone(),
            reason: self.reason.clone(),
            approver: (by.key(), by.username.clone()),
            until: *until,
        })
    }

    /// Until when it matters, or what became of it is shown.
    fn remembered_until(&self) -> Moment {
        self.over() + REMEMBERED
    }

    /// From when on nothing can become of it any more.
    fn over(&self) -> Moment {
        match self.state {
            RequestState::Waiting => self.asked + WAITS,
            RequestState::Granted { until, .. } => until,
            RequestState::Refused { at, .. } | RequestState::Withdrawn { at } | RequestState::Revoked { at, .. } => at,
        }
    }

    fn is_living(&self, now: Moment) -> bool {
        now < self.over()
    }
}

impl Session {
    /// What its person was granted on request, as it was read for the request at hand. What ended of it gives nothing.
    #[must_use]
    pub fn elevations(&self) -> Vec<Elevation> {
        self.requests.iter().filter_map(Request::elevation).collect()
    }
}

/// Why a book does not change as it was meant to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Too many of the person's requests wait, are granted or were made within the hour.
    #[error("too many requests of the person wait, are granted or were made within the hour")]
    TooMany,
    /// The same is asked for already, or granted.
    #[error("the same is waiting or granted already")]
    Twice,
    /// There is no such request, or it is not in the state for that any more.
    #[error("there is no such request, or somebody decided before")]
    NoSuch,
}

/// All that one person asked for, as far as it is remembered; the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// Whose it is.
    pub owner: Actor,
    /// The requests.
    pub requests: Vec<Request>,
}

impl Book {
    /// Adds a request.
    ///
    /// # Errors
    /// [`Unfit::TooMany`] and [`Unfit::Twice`].
    pub fn ask(&mut self, request: Request, now: Moment) -> Result<(), Unfit> {
        let living = || self.requests.iter().filter(|known| known.is_living(now));
        if living().any(|known| known.rule == request.rule && known.role == request.role) {
            return Err(Unfit::Twice);
        }
        let of_late = self.requests.iter().filter(|known| now < known.asked + AN_HOUR).count();
        if of_late >= MOST_AN_HOUR
            || living().count() >= MOST_LIVING
            || living().filter(|known| known.is_waiting(now)).count() >= MOST_WAITING
        {
            return Err(Unfit::TooMany);
        }
        self.requests.push(request);
        Ok(())
    }

    /// Moves a request on that waits.
    ///
    /// # Errors
    /// [`Unfit::NoSuch`].
    pub fn decide(&mut self, id: &str, state: RequestState, now: Moment) -> Result<&Request, Unfit> {
        self.change(id, state, |request| request.is_waiting(now))
    }

    /// Moves a request on that is granted.
    ///
    /// # Errors
    /// [`Unfit::NoSuch`].
    pub fn end(&mut self, id: &str, state: RequestState, now: Moment) -> Result<&Request, Unfit> {
        self.change(id, state, |request| request.granted_until(now).is_some())
    }

    /// A request by its id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Request> {
        self.requests.iter().find(|request| request.id == id)
    }

    fn change(&mut self, id: &str, state: RequestState, may: impl Fn(&Request) -> bool) -> Result<&Request, Unfit> {
        let found = self.requests.iter_mut().find(|request| request.id == id && may(request)).ok_or(Unfit::NoSuch)?;
        found.state = state;
        Ok(found)
    }

    /// Forgets what is over for long, and says how long the rest has to be kept, and how long something in it waits or is granted.
    fn tidy(&mut self, now: Moment) -> (Duration, Duration) {
        self.requests.retain(|request| now < request.remembered_until());
        while self.requests.len() > MOST
            && let Some(oldest) = self.requests.iter().position(|request| !request.is_living(now))
        {
            self.requests.remove(oldest);
        }
        let left = |until: fn(&Request) -> Moment| {
            let last = self.requests.iter().map(until).max();
            last.and_then(|last| (last - now).to_std().ok()).unwrap_or_default()
        };
        (left(Request::remembered_until), left(Request::over))
    }
}

/// Names a person's book: a hash, which pages may carry. Nothing is believed for it: it only says where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookRef(Key);

impl BookRef {
    /// That of a person: [`Identity::person`].
    #[must_use]
    pub fn of(person: &str) -> Self {
        Self(Key::of(Purpose::Requests, person.as_bytes()))
    }

    /// One that a form brought, if it has the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hash = text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        is_hash.then(|| Self(Key::named(Purpose::Requests, text)))
    }

    /// As forms carry it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str().rsplit_once(':').map_or("", |(_, hash)| hash)
    }

    pub(super) const fn key(&self) -> &Key {
        &self.0
    }
}

/// A book as it was read, to be changed in place of exactly that.
#[derive(Debug)]
pub struct Opened {
    key: Key,
    /// The bytes that were read; none where there was no book.
    sealed: Option<Vec<u8>>,
    /// The book; none where there is none, or none that opens.
    pub book: Option<Book>,
}

/// Whether a changed book was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is there.
    Yes,
    /// Somebody else changed it meanwhile: it must be read anew.
    Changed,
    /// So many people have something waiting or granted that nobody else may ask.
    Full,
}

/// The books of all people.
#[derive(Debug, Default)]
pub struct Books {
    /// Each with what names it, in no order.
    pub books: Vec<(BookRef, Book)>,
}

impl Vault {
    /// The book that a reference names. One round trip.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn book(&self, of: &BookRef) -> Result<Opened, StoreUnavailable> {
        let sealed = self.store.get(of.key()).await?;
        let book = sealed.clone().and_then(|sealed| self.reveal(of.key(), sealed));
        Ok(Opened { key: of.key().clone(), sealed, book })
    }

    /// The requests in a book that was read beside a session.
    pub(super) fn requests_in(&self, of: &BookRef, sealed: Option<Vec<u8>>) -> Vec<Request> {
        sealed.and_then(|sealed| self.reveal::<Book>(of.key(), sealed)).map(|book| book.requests).unwrap_or_default()
    }

    /// Keeps a book in place of the one that was read. Two round trips at most.
    ///
    /// # Errors
    /// [`StoreUnavailable`]: it may not be kept.
    pub async fn keep_book(&self, was: &Opened, mut book: Book, now: Moment) -> Result<Kept, StoreUnavailable> {
        let (life, lives) = book.tidy(now);
        // Listed first: a book that nobody finds would be worse than a name in the list without one.
        if !lives.is_zero() && !self.store.index_add_within(&askers(), &was.key, lives, MOST_BOOKS).await? {
            return Ok(Kept::Full);
        }
        let sealed = self.conceal(&was.key, &book)?;
        let swapped = self.store.swap(&was.key, was.sealed.as_deref(), sealed, life).await?;
        Ok(if swapped { Kept::Yes } else { Kept::Changed })
    }

    /// The books of all who have something waiting or granted. Two round trips.
    ///
    /// # Errors
    /// [`StoreUnavailable`].
    pub async fn books(&self) -> Result<Books, StoreUnavailable> {
        let keys = self.store.index_members(&askers()).await?;
        let kept = self.store.get_all(&keys).await?;
        let books = kept.into_iter().filter_map(|kept| Some((BookRef(kept.key.clone()), self.reveal(&kept.key, kept.value)?)));
        Ok(Books { books: books.collect() })
    }
}

fn askers() -> Key {
    Key::of(Purpose::Askers, b"all")
}

#[cfg(test)]
#[path = "requests_tests.rs"]
mod tests;
