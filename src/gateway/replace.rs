//! Unasked sign-ins in a browser where somebody else is signed in: nobody becomes another person without saying so.
//!
//! Anybody can make a browser post a genuine response about themselves. Were it to replace the session silently, the person in front of
//! the browser would go on working under somebody else's name (login CSRF).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::sign_in::Arrived;
use super::{Caller, Failure, Gateway, LocalPath, SignedIn, Trouble};
use crate::clock::Moment;
use crate::identity::{Identity, ProviderId};
use crate::store::{HandoverId, Session, SessionId};

/// How long the question may stay open.
const QUESTION_LIFE: Duration = Duration::from_mins(5);

/// How a posted response ends well.
#[derive(Debug)]
pub enum Arrival {
    /// In a session.
    SignedIn(SignedIn),
    /// In a question: somebody else is signed in.
    Asks(Box<Question>),
}

/// Whether one person's session should give way to another's.
#[derive(Debug)]
pub struct Question {
    /// The living session.
    pub session: Session,
    /// Who else would be signed in: a name that people recognise.
    pub username: String,
    /// The provider that says so.
    pub provider: ProviderId,
    /// What the answer names, once, together with the living session.
    pub waiting: HandoverId,
}

/// A verified sign-in that waits for the answer, sealed in the store. Its assertion is used up: it opens this one session or none.
#[derive(Serialize, Deserialize)]
struct Waiting {
    identity: Identity,
    return_to: String,
    ends_by: Option<Moment>,
    asked: Moment,
}

impl Gateway {
    /// Opens the session of an unasked sign-in, or asks first.
    pub(super) async fn welcome_unasked(&self, arrived: Arrived, before: Option<&SessionId>, caller: &Caller) -> Result<Arrival, Failure> {
        let living = match before {
            Some(id) => self.session(id).await?.map(|session| (id, session)),
            None => None,
        };
        match living {
            Some((id, session)) if session.identity.person() != arrived.identity.person() => self.ask_first(arrived, id, session).await,
            _ => self.welcome(arrived, before, caller).await.map(Arrival::SignedIn),
        }
    }

    async fn ask_first(&self, arrived: Arrived, id: &SessionId, session: Session) -> Result<Arrival, Failure> {
        let Arrived { identity, return_to, ends_by, .. } = arrived;
        let waiting = Waiting { identity, return_to: return_to.to_string(), ends_by, asked: self.now() };
        let laid_down = self.vault.ask(id, &waiting, QUESTION_LIFE).await;
        let waiting_id = laid_down.map_err(|error| Failure::logged(Trouble::Store, &error))?;
        let (username, provider) = (waiting.identity.username().to_owned(), waiting.identity.provider().clone());
        tracing::info!(%provider, "an unasked sign-in met another person's session: the browser is asked");
        Ok(Arrival::Asks(Box::new(Question { session, username, provider, waiting: waiting_id })))
    }

    /// Answers a [`Question`] with yes: the waiting sign-in opens its session, and the one before ends. It can be answered once, and only by
    /// the session that was asked.
    ///
    /// # Errors
    /// [`Trouble::SignInExpired`] when nothing waits, [`Trouble::Store`], [`Trouble::Audit`].
    pub async fn replace(&self, before: &SessionId, waiting: &HandoverId, caller: &Caller) -> Result<SignedIn, Failure> {
        let taken = self.vault.answer::<Waiting>(before, waiting).await;
        let waiting = taken.map_err(|error| Failure::logged(Trouble::Store, &error))?;
        let now = self.now();
        let counts = |waiting: &Waiting| now < waiting.asked + QUESTION_LIFE && waiting.ends_by.is_none_or(|end| now < end);
        let Some(Waiting { identity, return_to, ends_by, .. }) = waiting.filter(counts) else {
            return Err(Failure::logged(Trouble::SignInExpired, &"no sign-in waits for this answer"));
        };
        let return_to = LocalPath::parse_or_home(Some(&return_to));
        self.welcome(Arrived { identity, return_to, ends_by, unasked: true }, Some(before), caller).await
    }
}
