//! Administrators find people's living sessions, and end them.

use super::rooms::Administrator;
use super::{Failure, Gateway, Trouble};
use crate::audit::{Event, Kind, Outcome};
use crate::identity::Identity;
use crate::store::{Found, LiveSession, SessionHandle};

/// What an administrator ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// One session, by what lists call it.
    One(SessionHandle),
    /// Every session of the person.
    All,
}

impl Gateway {
    /// The living sessions of those whose username begins so, in any case of letters, or whose stable key it is; the newest first. Whom an
    /// administrator looks for is recorded.
    ///
    /// # Errors
    /// [`Trouble::Audit`], [`Trouble::Store`].
    pub async fn sessions_of(&self, administrator: Administrator<'_>, who: &str) -> Result<Found, Failure> {
        let event = self.event(Kind::Administration, Outcome::Ok, administrator.caller).about(&administrator.session.identity);
        self.record(&event.looking_for(&format!("living sessions of {who:?}"))).await?;
        let found = self.vault.find_sessions(who, self.now(), self.limits.idle.0).await;
        found.map_err(|error| Failure::logged(Trouble::Store, &error))
    }

    /// Ends one session of a person's, or all; `person` is the stable key. Says how many were alive. Roles that were taken live on in AWS.
    ///
    /// It is on record before it is done, as what is handed out is: nobody ends another's session without a trace.
    ///
    /// # Errors
    /// [`Trouble::Store`]: sessions may still live; [`Trouble::Unrecorded`]: all of them do.
    pub async fn end_sessions_of(&self, administrator: Administrator<'_>, person: &str, ending: &Ending) -> Result<usize, Failure> {
        let unavailable = |error| Failure::logged(Trouble::Store, &error);
        let living = self.vault.sessions(person, self.now(), self.limits.idle.0).await.map_err(unavailable)?;
        // Who it is about stands in their own session.
        let meant = |live: &&LiveSession| matches!(ending, Ending::All) || matches!(ending, Ending::One(handle) if live.handle == *handle);
        let Some(live) = living.iter().find(meant) else { return Ok(0) };
        let event = self.ended_by(administrator, &live.session.identity);
        let what = match ending {
            Ending::One(handle) => format!("an administrator ends the session {}", handle.as_str()),
            Ending::All => format!("an administrator ends every session of the person: {} are alive", living.len()),
        };
        let event = event.because(&what);
        if let Err(error) = self.audit.record(&event).await {
            let by = administrator.session.identity.person();
            let failure = Failure::logged_under(event.incident, Trouble::Unrecorded, &error);
            tracing::warn!(incident = %failure.incident, person, by, what, "not done, because it cannot be recorded");
            return Err(failure);
        }
        let ended = match ending {
            Ending::One(handle) => self.vault.close_called(handle, person).await.map(usize::from),
            Ending::All => self.vault.close_all(person).await,
        };
        match ended {
            Ok(ended) => Ok(ended),
            Err(error) => {
                let failure = Failure::logged_under(event.incident.clone(), Trouble::Store, &error);
                let what = format!("the sessions may live on: {error}");
                self.record_done(&Event { time: self.now(), outcome: Outcome::Failed, ..event.because(what) }).await;
                Err(failure)
            }
        }
    }

    fn ended_by(&self, administrator: Administrator<'_>, identity: &Identity) -> Event {
        let event = self.event(Kind::SignOut, Outcome::Ok, administrator.caller);
        event.about(identity).done_by(&administrator.session.identity)
    }
}
