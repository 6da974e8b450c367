//! Several roles at once: each is issued and recorded as it would be alone, and what was had goes to the page in one hand-over.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use serde::{Deserialize, Serialize};

use super::issue::Issued;
use super::{Caller, Failure, Gateway, Trouble};
use crate::access::Wish;
use crate::audit::Event;
use crate::aws::{Credentials, SealableCredentials};
use crate::store::{HandoverId, Session, SessionId};

/// How many roles can be had at once.
pub const MOST_AT_ONCE: usize = 25;
/// How many of them AWS is asked for at the same time.
const ABREAST: usize = 5;

/// Credentials for several roles on their way from the click to the page.
pub struct Several {
    /// What was issued.
    pub issued: Vec<Credentials>,
    /// What was not.
    pub missed: Vec<Missed>,
    /// The session length that was wanted, in seconds, if one was.
    pub length: Option<u64>,
    /// What the person said that they need the roles for.
    pub reason: Option<String>,
}

/// A role that was not had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// The role, as it was asked for.
    pub role: String,
    /// Why, in a sentence for people.
    pub why: String,
    /// What finds it in the log and in the audit trail.
    pub incident: String,
}

/// [`Several`] as it is sealed.
#[derive(Serialize, Deserialize)]
struct Sealable {
    issued: Vec<SealableCredentials>,
    missed: Vec<Missed>,
    length: Option<u64>,
    reason: Option<String>,
}

type Outcome = Result<(Issued, Event), Failure>;

impl Gateway {
    /// Issues credentials for several roles, [`MOST_AT_ONCE`] at most: what lies beyond is not asked for. One that fails keeps none of the others.
    /// `say` makes the sentence that people read of a failure.
    pub async fn assume_several(
        &self,
        id: &SessionId,
        session: &Session,
        wishes: &[Wish],
        caller: &Caller,
        say: impl Fn(&Failure) -> String,
    ) -> (Vec<Issued>, Vec<Missed>) {
        let (issued, missed) = self.issue_several((id, session), wishes, caller, say).await;
        (issued.into_iter().map(|(issued, _)| issued).collect(), missed)
    }

    /// [`Self::assume_several`], and lays what was issued down, sealed, for the page that shows it once.
    ///
    /// # Errors
    /// [`Trouble::Undelivered`], [`Trouble::Store`] where nothing was issued anyway, and [`Trouble::Audit`] when not even that could be
    /// recorded: nothing is handed over.
    pub async fn lay_down_several(
        &self,
        id: &SessionId,
        session: &Session,
        wishes: &[Wish],
        caller: &Caller,
        say: impl Fn(&Failure) -> String,
    ) -> Result<HandoverId, Failure> {
        let (issued, missed) = self.issue_several((id, session), wishes, caller, say).await;
        let first = wishes.first();
        let sealable = Sealable {
            issued: issued.iter().map(|(issued, _)| SealableCredentials::from(&issued.credentials)).collect(),
            missed,
            length: first.and_then(|wish| wish.duration).map(|length| length.as_secs()),
            reason: first.and_then(|wish| wish.reason.clone()),
        };
        match self.vault.hand_over(id, &sealable).await {
            Ok(handover) => Ok(handover),
            Err(error) => {
                let mut failure = None;
                for (_, event) in issued {
                    failure = Some(self.undelivered(event, Trouble::Undelivered, &error).await);
                }
                Err(failure.unwrap_or_else(|| Failure::logged(Trouble::Store, &error)))
            }
        }
    }

    /// Takes what [`Self::lay_down_several`] laid down for this session. None: shown before, expired, or another session's.
    ///
    /// # Errors
    /// [`Trouble::Store`].
    pub async fn pick_up_several(&self, id: &SessionId, handover: &HandoverId) -> Result<Option<Several>, Failure> {
        let taken = self.vault.take_handover::<Sealable>(id, handover).await;
        let taken = taken.map_err(|error| Failure::logged(Trouble::Store, &error))?;
        Ok(taken.map(|taken| Several {
            issued: taken.issued.into_iter().map(Credentials::from).filter(|credentials| credentials.expires > self.now()).collect(),
            missed: taken.missed,
            length: taken.length,
            reason: taken.reason,
        }))
    }

    async fn issue_several(
        &self,
        (id, session): (&SessionId, &Session),
        wishes: &[Wish],
        caller: &Caller,
        say: impl Fn(&Failure) -> String,
    ) -> (Vec<(Issued, Event)>, Vec<Missed>) {
        let wishes = wishes.get(..MOST_AT_ONCE).unwrap_or(wishes);
        let (mut had, mut missed) = (Vec::new(), Vec::new());
        for some in wishes.chunks(ABREAST) {
            let issuances = some.iter().map(|wish| Box::pin(self.hand_out(id, session, wish, caller)) as Pin<Box<_>>);
            for (wish, outcome) in some.iter().zip(all(issuances.collect()).await) {
                match outcome {
                    Ok(issued) => had.push(issued),
                    Err(failure) => missed.push(Missed { role: wish.role.clone(), why: say(&failure), incident: failure.incident }),
                }
            }
        }
        (had, missed)
    }
}

/// What becomes of a few things that go on at the same time, in their order.
async fn all(mut going: Vec<Pin<Box<dyn Future<Output = Outcome> + '_>>>) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = going.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, outcome) in going.iter_mut().zip(&mut outcomes).filter(|(_, outcome)| outcome.is_none()) {
            if let Poll::Ready(ready) = future.as_mut().poll(context) {
                *outcome = Some(ready);
            }
        }
        if outcomes.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outcomes.into_iter().flatten().collect()
}
