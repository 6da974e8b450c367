//! Credentials that are handed out again: of all who ask the same within a session, one asks AWS.
//!
//! The rules are asked each time before anything is looked up here, and each hand-over is recorded by itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::issue::Ended;
use super::{Failure, Gateway, Issued, Trouble};
use crate::access::{AssumeRequest, Fingerprint};
use crate::audit::Event;
use crate::aws::{Credentials, SealableCredentials};
use crate::clock::Moment;
use crate::store::{KeptId, Session, SessionId, StoreUnavailable};

/// How much of their life credentials are handed out for, in percent: who gets them last still has a fifth of it.
const SHARE: i32 = 80;
/// How often it is looked whether another instance has got what it is asking AWS for, and the pause between two looks: five seconds in all, as
/// STS answers within one. Then this one asks too.
const LOOKS: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);
/// How long an instance has the turn at most, if it ends in the middle of it. Longer than anybody waits.
const TURN: Duration = Duration::from_secs(30);

/// Who asks AWS on behalf of whom in this process.
///
/// A map of cells is all that is needed: whoever comes first fills the cell, the others wait for it and take what is in it, good or bad, and the
/// next one finds no cell any more. A cache (`moka`) would keep what came in memory, in the clear.
#[derive(Default)]
pub struct Flights(Mutex<HashMap<KeptId, Arc<OnceCell<Landed>>>>);

/// One of those who wait for the same; the cell goes with the first who got what is in it.
struct Seat<'a> {
    flights: &'a Flights,
    at: &'a KeptId,
    cell: Arc<OnceCell<Landed>>,
}

/// What comes out of a flight, for all who waited.
#[derive(Clone)]
enum Landed {
    /// Credentials, whose issuance is in the audit trail.
    Kept(Arc<Kept>),
    /// A refusal or a failure. It is not kept: who asks later asks AWS again.
    Ended(Ended),
    /// AWS issued something, and that could not be recorded.
    Unrecorded,
}

/// Credentials, until when they are handed out, and what became of the request on the way to them.
struct Kept {
    credentials: Credentials,
    until: Moment,
    became: Became,
}

/// [`Kept`] as it is sealed.
#[derive(Serialize, Deserialize)]
struct Sealable {
    credentials: SealableCredentials,
    until: Moment,
    became: Became,
}

/// In what AWS was asked for less than the rules meant. The same request would come to the same again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Became {
    /// The gateway's own AWS identity is a session, so that the last call is role chaining.
    chained: bool,
    /// The role does not allow tags or source identity, and the rules do without.
    lesser: bool,
}

/// What is to be done for a request.
enum Turn {
    /// It is there.
    Kept(Arc<Kept>),
    /// AWS is to be asked; whether other instances wait meanwhile.
    Ask { others_wait: bool },
}

impl Flights {
    fn seat<'a>(&'a self, at: &'a KeptId) -> Seat<'a> {
        let cell = Arc::clone(self.cells().entry(at.clone()).or_default());
        Seat { flights: self, at, cell }
    }

    fn cells(&self) -> MutexGuard<'_, HashMap<KeptId, Arc<OnceCell<Landed>>>> {
        // A panic while the lock is held leaves a whole map behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut cells = self.flights.cells();
        let is_ours = cells.get(self.at).is_some_and(|cell| Arc::ptr_eq(cell, &self.cell));
        // The map and this seat have one each: where nobody got anything, the last one cleans up.
        if is_ours && (self.cell.initialized() || Arc::strong_count(&self.cell) <= 2) {
            cells.remove(self.at);
        }
    }
}

impl Became {
    fn of(asked: &AssumeRequest, issued: &AssumeRequest) -> Self {
        let sent = |request: &AssumeRequest| (request.tags().len(), request.source_identity().is_some());
        Self { chained: issued.is_chained() && !asked.is_chained(), lesser: sent(asked) != sent(issued) }
    }

    fn again(self, asked: AssumeRequest) -> AssumeRequest {
        let asked = if self.chained { asked.chained_by_own_identity() } else { asked };
        if self.lesser { asked.without_optional_attributes().unwrap_or(asked) } else { asked }
    }
}

impl From<&Kept> for Sealable {
    fn from(from: &Kept) -> Self {
        Self { credentials: (&from.credentials).into(), until: from.until, became: from.became }
    }
}

impl From<Sealable> for Kept {
    fn from(from: Sealable) -> Self {
        Self { credentials: from.credentials.into(), until: from.until, became: from.became }
    }
}

impl Gateway {
    /// Hands out what this session keeps for the request, or what comes of the one call to AWS that everybody waits for who asks the same.
    pub(super) async fn share(
        &self,
        (id, session): (&SessionId, &Session),
        request: AssumeRequest,
        fingerprint: Fingerprint,
        event: Event,
    ) -> Result<(Issued, Event), Failure> {
        let at = id.keeping(fingerprint.as_bytes());
        let seat = self.flights.seat(&at);
        let mut own = None;
        let flight = async {
            let (landed, asked_itself) = Box::pin(self.fly(&at, session, &request, event.clone())).await;
            own = asked_itself;
            landed
        };
        let landed = seat.cell.get_or_init(|| flight).await.clone();
        drop(seat);
        if let Some(own) = own {
            return own;
        }
        match landed {
            Landed::Kept(kept) => self.hand_out_again(request, &kept, event).await,
            Landed::Ended(ended) => Err(self.not_issued(event.asked(&request), ended).await?),
            Landed::Unrecorded => Err(Failure::logged(Trouble::Audit, &"what was issued for several could not be recorded")),
        }
    }

    /// Looks, or asks AWS. Who asks has a result of their own, which is recorded already.
    async fn fly(
        &self,
        at: &KeptId,
        session: &Session,
        request: &AssumeRequest,
        event: Event,
    ) -> (Landed, Option<Result<(Issued, Event), Failure>>) {
        let others_wait = match self.turn(at).await {
            Turn::Kept(kept) => return (Landed::Kept(kept), None),
            Turn::Ask { others_wait } => others_wait,
        };
        let (event, exchanged) = Box::pin(self.exchange(&session.identity, Ok(request.clone()), event)).await;
        let landed = match &exchanged {
            Ok((issued, became)) => {
                let credentials = issued.credentials.clone();
                let until = self.handed_out_until(credentials.expires).min(session.expires);
                Landed::Kept(Arc::new(Kept { credentials, until, became: Became::of(request, became) }))
            }
            Err(ended) => Landed::Ended(ended.clone()),
        };
        let own = self.settle(event, exchanged).await;
        let landed = match landed {
            // Nobody gets what no record tells of.
            Landed::Kept(_) if own.is_err() => Landed::Unrecorded,
            landed => landed,
        };
        if let Landed::Kept(kept) = &landed {
            self.keep(at, kept).await;
        }
        if others_wait && let Err(error) = self.vault.give_turn_back(at).await {
            tracing::warn!(reason = %error, "other instances wait longer than they need to");
        }
        (landed, Some(own))
    }

    /// When credentials that end at a moment are not handed out again any more.
    fn handed_out_until(&self, expires: Moment) -> Moment {
        let now = self.now();
        now + (expires - now) / 100 * SHARE
    }

    /// What is kept, or the turn to ask for it. A store that does not answer keeps nobody from asking AWS.
    async fn turn(&self, at: &KeptId) -> Turn {
        self.look(at).await.unwrap_or_else(|error| {
            tracing::warn!(reason = %error, "what could be handed out again cannot be looked up: AWS is asked");
            Turn::Ask { others_wait: false }
        })
    }

    async fn look(&self, at: &KeptId) -> Result<Turn, StoreUnavailable> {
        for _ in 0..LOOKS {
            if let Some(kept) = self.kept(at).await? {
                return Ok(Turn::Kept(kept));
            }
            if self.vault.take_turn(at, TURN).await? {
                // Another instance may have got it between the two.
                let Some(kept) = self.kept(at).await? else { return Ok(Turn::Ask { others_wait: true }) };
                self.vault.give_turn_back(at).await?;
                return Ok(Turn::Kept(kept));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(Turn::Ask { others_wait: false })
    }

    async fn kept(&self, at: &KeptId) -> Result<Option<Arc<Kept>>, StoreUnavailable> {
        let kept = self.vault.kept::<Sealable>(at).await?.map(Kept::from);
        Ok(kept.filter(|kept| self.now() < kept.until).map(Arc::new))
    }

    /// Who got the credentials has them: that they cannot be kept is no reason to take them away.
    async fn keep(&self, at: &KeptId, kept: &Kept) {
        let Some(ttl) = (kept.until - self.now()).to_std().ok().filter(|ttl| !ttl.is_zero()) else { return };
        match self.vault.keep(at, &Sealable::from(kept), ttl).await {
            Ok(true) => {}
            Ok(false) => tracing::info!("a session keeps so many credentials already that these are not kept"),
            Err(error) => tracing::warn!(reason = %error, "credentials are not kept for another hand-over"),
        }
    }

    async fn hand_out_again(&self, asked: AssumeRequest, kept: &Kept, event: Event) -> Result<(Issued, Event), Failure> {
        let request = kept.became.again(asked);
        let event = Event { reused: true, ..event.asked(&request).issued(&kept.credentials) };
        self.record(&event).await?;
        Ok((Issued { credentials: kept.credentials.clone(), request }, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> AssumeRequest {
        AssumeRequest::for_tests("arn:aws:iam::111122223333:role/Dev", Duration::from_hours(4))
    }

    #[test]
    fn what_became_of_a_request_becomes_of_it_again() {
        let asked = request();
        let (chained, lesser) = (asked.clone().chained_by_own_identity(), asked.without_optional_attributes().unwrap());
        let both = chained.without_optional_attributes().unwrap();
        for issued in [&asked, &chained, &lesser, &both] {
            let again = Became::of(&asked, issued).again(asked.clone());
            assert_eq!(format!("{again:?}"), format!("{issued:?}"));
        }
        assert_eq!(Became::of(&asked, &asked), Became::default());
    }

    #[tokio::test]
    async fn who_waits_gets_what_the_first_one_got_and_who_comes_later_begins_anew() {
        let flights = Flights::default();
        let at = SessionId::random().keeping(&[1; 32]);
        let calls = std::sync::atomic::AtomicUsize::new(0);
        let ask = || async {
            let seat = flights.seat(&at);
            let fly = || async {
                calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                tokio::task::yield_now().await;
                Landed::Unrecorded
            };
            matches!(seat.cell.get_or_init(fly).await, Landed::Unrecorded)
        };
        assert_eq!(tokio::join!(ask(), ask(), ask()), (true, true, true));
        assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), 1);
        assert!(flights.cells().is_empty());
        assert!(ask().await, "a failure is not kept");
        assert_eq!(calls.load(std::sync::atomic::Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_turn_to_the_next() {
        let flights = Flights::default();
        let at = SessionId::random().keeping(&[1; 32]);
        let (first, second) = (flights.seat(&at), flights.seat(&at));
        let endless = first.cell.get_or_init(std::future::pending);
        assert!(tokio::time::timeout(Duration::from_millis(10), endless).await.is_err());
        drop(first);
        assert!(matches!(second.cell.get_or_init(|| async { Landed::Unrecorded }).await, Landed::Unrecorded));
        drop(second);
        let alone = flights.seat(&at);
        drop(alone);
        assert!(flights.cells().is_empty(), "nothing stays behind");
    }
}
