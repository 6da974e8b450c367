//! Roles that are had on request: asking, deciding, taking back, revoking.
//!
//! What gives rights is recorded before it counts, and so is what is done to others. What somebody gives back counts before it is recorded, and
//! also where it cannot be. A grant opens nothing by itself: the rules are asked at each use (see `access::elevation`).

use std::time::Duration;

use super::rooms::Administrator;
use super::turns::Turns;
use super::{Caller, Failure, Gateway, Trouble};
use crate::access::{Asking, Denied, Person, Purposes, Target};
use crate::audit::{self, Event, GrantNote, Kind, Outcome};
use crate::identity::{Identity, StepUp};
use crate::store::{Actor, Book, BookKept, BookRef, Opened, Request, RequestState, Session, Unfit};

/// How often a change is tried again that others came before.
const TRIES: usize = 4;

/// What is decided about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is granted.
    Grant,
    /// It is refused.
    Refuse,
}

/// A request with who asks.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Names the book that it is in.
    pub of: BookRef,
    /// Who asks.
    pub owner: Actor,
    /// The request.
    pub request: Request,
}

/// Why something about a request is not done. All of it may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestRefused {
    /// It does not fit what the person has asked for, or what became of it.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// So many people wait for a decision that nobody else may ask.
    #[error("so many people wait that nobody else may ask")]
    Full,
    /// Nobody decides about themselves.
    #[error("nobody decides about themselves")]
    Own,
    /// The rule in force does not let the person decide.
    #[error("no rule in force lets the person decide about it")]
    NotApprover,
}

/// Whose requests this gateway changes just now: those of one person one after the other, from the look into the book to the change. So of several
/// who decide at once here, one alone is recorded as having decided.
pub struct Changing(Turns);

impl Default for Changing {
    fn default() -> Self {
        Self(Turns::new(tokio::sync::Semaphore::MAX_PERMITS))
    }
}

/// Why a book was not changed.
enum Unchanged {
    Refused(RequestRefused),
    Unavailable(Failure),
}

impl Gateway {
    /// Whether any rule makes roles requestable.
    #[must_use]
    pub fn has_requests(&self) -> bool {
        self.policy.load().has_requests()
    }

    /// Whether the session's person decides about requests, by the rules in force.
    #[must_use]
    pub fn decides(&self, session: &Session) -> bool {
        self.policy.load().is_approver(&Person::from(&*session.identity))
    }

    /// Asks for a role.
    ///
    /// # Errors
    /// [`Trouble::Denied`] for what the rules do not make requestable, [`Trouble::Request`], [`Trouble::Store`], [`Trouble::Audit`].
    pub async fn ask_for(&self, session: &Session, asking: &Asking, caller: &Caller) -> Result<Request, Failure> {
        let event = self.event(Kind::RequestMade, Outcome::Ok, caller).about(&session.identity).wished(&asking.role);
        let asked = match self.entitlements(session, caller).ask(asking) {
            Ok(asked) => asked,
            Err(denied) => return Err(self.decline(event, Trouble::Denied(denied.clone()), &denied).await),
        };
        let now = self.now();
        let request = Request::new(&asked.rule, asked.target.as_str(), &asked.reason, asked.duration, now);
        let owner = Actor::from(&*session.identity);
        let of = BookRef::of(&owner.key());
        let event = noted(event, &request);
        let new = || Book { owner: owner.clone(), requests: Vec::new() };
        let add = |book: Option<Book>| {
            let mut book = book.unwrap_or_else(new);
            // By the name that they have now: approvers see it, and nobody decides about a namesake.
            book.owner = owner.clone();
            book.ask(request.clone(), now)?;
            Ok((book, request.clone()))
        };
        self.record_and_change(&of, (event, Trouble::Audit), add).await
    }

    /// The requests that the session's person may decide about, by the rules in force; the oldest first. No round trip for those who may decide
    /// about none, and two for the others.
    ///
    /// # Errors
    /// [`Trouble::Store`].
    pub async fn to_decide(&self, session: &Session) -> Result<Vec<Asked>, Failure> {
        let (policy, who, now) = (self.policy.load_full(), Person::from(&*session.identity), self.now());
        if !policy.is_approver(&who) {
            return Ok(Vec::new());
        }
        let may = |asked: &Asked| {
            asked.request.is_waiting(now) && !asked.owner.is(&session.identity) && policy.approves(&who, &asked.request.rule)
        };
        let mut all = self.all_asked().await?;
        all.retain(may);
        Ok(all)
    }

    /// Grants or refuses a request of somebody else's. A grant lasts as long as was asked for, and no longer than the rule in force allows.
    ///
    /// # Errors
    /// [`Trouble::Request`], [`Trouble::Store`], [`Trouble::Audit`].
    pub async fn decide_request(
        &self,
        session: &Session,
        (of, id): (&BookRef, &str),
        verdict: Verdict,
        caller: &Caller,
    ) -> Result<Request, Failure> {
        let kind = if verdict == Verdict::Grant { Kind::RequestApproved } else { Kind::RequestRefused };
        let event = self.event(kind, Outcome::Ok, caller).done_by(&session.identity);
        let now = self.now();
        let opened = self.open_book(of).await?;
        let found = opened.book.as_ref().and_then(|book| Some((book.owner.clone(), book.find(id)?.clone())));
        let Some((owner, request)) = found else {
            return Err(self.refuse_request(event, Unfit::NoSuch.into()).await);
        };
        let event = noted(Event { person: Some(person(&owner)), ..event }, &request);
        if let Err(refused) = self.may_decide(&session.identity, &owner, &request) {
            return Err(self.refuse_request(event, refused).await);
        }
        if let Some(step_up) = self.lacks_to_grant(session, &request).filter(|_| verdict == Verdict::Grant) {
            let denied = Denied::StepUp(Box::new(step_up));
            return Err(self.decline(event, Trouble::Denied(denied.clone()), &denied).await);
        }
        let by = Actor::from(&*session.identity);
        let longest = self.policy.load().longest_elevation(&request.rule).unwrap_or_default();
        let until = now + longest.min(Duration::from_secs(request.seconds));
        let (event, state) = match verdict {
            Verdict::Grant => (Event { expires: Some(until), ..event }, RequestState::Granted { by, at: now, until }),
            Verdict::Refuse => (event, RequestState::Refused { by, at: now }),
        };
        let change = |book: Option<Book>| {
            let mut book = book.ok_or(Unfit::NoSuch)?;
            let request = book.decide(id, state.clone(), now)?.clone();
            Ok((book, request))
        };
        self.record_and_change(of, (event, Trouble::Audit), change).await
    }

    /// What the sign-in of somebody who decides lacks to grant a request: the rule wants of them what it wants of who holds the role.
    #[must_use]
    pub fn lacks_to_grant(&self, session: &Session, request: &Request) -> Option<StepUp> {
        self.policy.load().lacks_to_grant(&Person::from(&*session.identity), &request.rule, self.now())
    }

    /// For what a grant of a request would give the role, by the rule in force; none where that gives nothing any more, whoever asks.
    #[must_use]
    pub fn gives(&self, request: &Request) -> Option<Purposes> {
        self.policy.load().elevates(&request.rule, &request.role, self.now())
    }

    /// Nobody decides about themselves, and others only where the rule in force says so.
    fn may_decide(&self, who: &Identity, owner: &Actor, request: &Request) -> Result<(), RequestRefused> {
        if owner.is(who) {
            return Err(RequestRefused::Own);
        }
        let approves = self.policy.load().approves(&Person::from(who), &request.rule);
        if approves { Ok(()) } else { Err(RequestRefused::NotApprover) }
    }

    /// Takes a request of the person's own back, or gives back what was granted: done first, and where the trail cannot be written the log says who
    /// and what. Roles that were taken live on in AWS.
    ///
    /// # Errors
    /// [`Trouble::Request`]; [`Trouble::Store`]: it may still count.
    pub async fn withdraw_request(&self, session: &Session, id: &str, caller: &Caller) -> Result<Request, Failure> {
        let event = self.event(Kind::RequestWithdrawn, Outcome::Ok, caller).about(&session.identity);
        let (of, now) = (BookRef::of(&session.identity.person()), self.now());
        let state = RequestState::Withdrawn { at: now };
        let change = |book: Option<Book>| {
            let mut book = book.ok_or(Unfit::NoSuch)?;
            let waits = book.find(id).is_some_and(|request| request.is_waiting(now));
            let request = if waits { book.decide(id, state.clone(), now) } else { book.end(id, state.clone(), now) }?.clone();
            Ok((book, request))
        };
        match self.change(&of, change).await {
            Ok(request) => {
                let what = format!("took back the request {} for {}", request.id, request.role);
                self.record_done(&noted(event, &request).because(what)).await;
                Ok(request)
            }
            Err(Unchanged::Refused(refused)) => Err(self.refuse_request(event, refused).await),
            Err(Unchanged::Unavailable(failure)) => Err(self.failed(event, failure).await),
        }
    }

    /// All that waits or is granted, the oldest first. Two round trips.
    ///
    /// # Errors
    /// [`Trouble::Store`].
    pub async fn living_requests(&self, _: Administrator<'_>) -> Result<Vec<Asked>, Failure> {
        let now = self.now();
        let mut all = self.all_asked().await?;
        all.retain(|asked| asked.request.is_waiting(now) || asked.request.granted_until(now).is_some());
        Ok(all)
    }

    /// Ends what somebody was granted. It is on record before it is done, as all that is done to others. Roles that were taken live on in AWS.
    ///
    /// # Errors
    /// [`Trouble::Request`]; [`Trouble::Store`]: it may still count; [`Trouble::Unrecorded`]: it does.
    pub async fn revoke_grant(&self, administrator: Administrator<'_>, of: &BookRef, id: &str) -> Result<Request, Failure> {
        let identity = &*administrator.session.identity;
        let now = self.now();
        let event = self.event(Kind::GrantRevoked, Outcome::Ok, administrator.caller).done_by(identity);
        let found = self.open_book(of).await?.book;
        let found = found.and_then(|book| Some((person(&book.owner), book.find(id)?.clone())));
        let Some((owner, request)) = found else {
            return Err(self.refuse_request(event, Unfit::NoSuch.into()).await);
        };
        let event = noted(Event { person: Some(owner), ..event }, &request);
        let state = RequestState::Revoked { by: identity.into(), at: now };
        let change = |book: Option<Book>| {
            let mut book = book.ok_or(Unfit::NoSuch)?;
            let request = book.end(id, state.clone(), now)?.clone();
            Ok((book, request))
        };
        self.record_and_change(of, (event, Trouble::Unrecorded), change).await
    }

    async fn all_asked(&self) -> Result<Vec<Asked>, Failure> {
        let books = self.vault.books().await.map_err(|error| Failure::logged(Trouble::Store, &error))?;
        let of_one = |(of, book): (BookRef, Book)| {
            let owner = book.owner;
            book.requests.into_iter().map(move |request| Asked { of: of.clone(), owner: owner.clone(), request })
        };
        let mut all: Vec<_> = books.books.into_iter().flat_map(of_one).collect();
        all.sort_by(|one, other| (one.request.asked, &one.request.id).cmp(&(other.request.asked, &other.request.id)));
        Ok(all)
    }

    async fn open_book(&self, of: &BookRef) -> Result<Opened, Failure> {
        self.vault.book(of).await.map_err(|error| Failure::logged(Trouble::Store, &error))
    }

    /// Changes a book, again where others came before.
    async fn change(
        &self,
        of: &BookRef,
        change: impl Fn(Option<Book>) -> Result<(Book, Request), RequestRefused>,
    ) -> Result<Request, Unchanged> {
        let unavailable = |error| Unchanged::Unavailable(Failure::logged(Trouble::Store, &error));
        for _ in 0..TRIES {
            let mut opened = self.vault.book(of).await.map_err(unavailable)?;
            let (book, request) = change(opened.book.take()).map_err(Unchanged::Refused)?;
            match self.vault.keep_book(&opened, book, self.now()).await.map_err(unavailable)? {
                BookKept::Yes => return Ok(request),
                BookKept::Full => return Err(Unchanged::Refused(RequestRefused::Full)),
                BookKept::Changed => {}
            }
        }
        Err(Unchanged::Unavailable(Failure::logged(Trouble::Store, &"others changed the same requests again and again")))
    }

    /// For what gives rights, or takes them from others: nothing counts that is not on disk. Where it does not come to it, a second event says so:
    /// another gateway decided in between, or the store fails.
    async fn record_and_change(
        &self,
        of: &BookRef,
        (event, unrecorded): (Event, Trouble),
        change: impl Fn(Option<Book>) -> Result<(Book, Request), RequestRefused>,
    ) -> Result<Request, Failure> {
        let _turn = self.changing.0.take(of.as_str()).await;
        // What can be known beforehand is not recorded as done.
        if let Err(refused) = change(self.open_book(of).await?.book) {
            return Err(self.refuse_request(event, refused).await);
        }
        if let Err(error) = self.audit.record(&event).await {
            let failure = Failure::logged_under(event.incident.clone(), unrecorded, &error);
            let who =
                |person: &Option<audit::Person>| person.as_ref().map(|it| format!("{}+{}", it.provider, it.subject)).unwrap_or_default();
            let (person, by, role) = (who(&event.person), who(&event.by), event.role.as_deref().unwrap_or_default());
            tracing::warn!(incident = %failure.incident, kind = ?event.kind, person, by, role, "not done, because it cannot be recorded");
            return Err(failure);
        }
        match self.change(of, change).await {
            Ok(request) => {
                // Others hear of what came to be alone: nobody would take back what they were told.
                self.alarms.follow(&event);
                Ok(request)
            }
            Err(Unchanged::Refused(refused)) => Err(self.refuse_request(event, refused).await),
            Err(Unchanged::Unavailable(failure)) => Err(self.failed(event, failure).await),
        }
    }

    async fn refuse_request(&self, event: Event, refused: RequestRefused) -> Failure {
        self.decline(event, Trouble::Request(refused), &refused).await
    }

    async fn decline(&self, event: Event, trouble: Trouble, why: &(dyn std::fmt::Display + Sync)) -> Failure {
        let failure = Failure::logged_under(event.incident.clone(), trouble, why);
        let event = Event { outcome: Outcome::Refused, expires: None, ..event.because(why) };
        self.record(&event).await.err().unwrap_or(failure)
    }

    async fn failed(&self, event: Event, failure: Failure) -> Failure {
        let failure = Failure { incident: event.incident.clone(), ..failure };
        let event = Event { outcome: Outcome::Failed, expires: None, ..event.because("the store did not take it, or it cannot be told") };
        self.record(&event).await.err().unwrap_or(failure)
    }
}

/// An event with what is asked for.
fn noted(event: Event, request: &Request) -> Event {
    let target = request.role.parse::<Target>().ok();
    let note = GrantNote { id: request.id.clone(), rule: request.rule.clone(), approver: None, until: None };
    Event {
        account: target.map(|target| target.account()),
        stated_reason: Some(request.reason.clone()),
        rules: vec![request.rule.clone()],
        grants: vec![note],
        duration: Some(request.seconds),
        ..event.wished(&request.role)
    }
}

fn person(of: &Actor) -> audit::Person {
    audit::Person { provider: of.provider.clone(), subject: of.subject.clone(), username: of.username.clone() }
}
