//! A person's own sessions: what lives, and how one of them is ended from another.

use super::command_line::of_session;
use super::{Caller, Failure, Gateway, Trouble};
use crate::audit::{Event, Kind, Outcome};
use crate::store::{LiveSession, Session, SessionHandle};

impl Gateway {
    /// Every living session of the session's person, the newest first. Two round trips to the store.
    ///
    /// # Errors
    /// [`Trouble::Store`].
    pub async fn sessions(&self, session: &Session) -> Result<Vec<LiveSession>, Failure> {
        let found = self.vault.sessions(&session.identity.person(), self.now(), self.limits.idle.0).await;
        found.map_err(|error| Failure::logged(Trouble::Store, &error))
    }

    /// Ends one of the person's sessions by what their list calls it; says whether there was one. Nobody else's is found. It is done before it is
    /// recorded, as in [`Gateway::log_out`].
    ///
    /// # Errors
    /// [`Trouble::Store`]: the person is told that the session may still live.
    pub async fn end_session(&self, session: &Session, handle: &SessionHandle, caller: &Caller) -> Result<bool, Failure> {
        let event = of_session(self.event(Kind::SignOut, Outcome::Ok, caller), session);
        match self.vault.close_called(handle, &session.identity.person()).await {
            Ok(false) => Ok(false),
            Ok(true) => {
                self.record_done(&event.because(format!("the person ended the session {} from their list", handle.as_str()))).await;
                Ok(true)
            }
            Err(error) => {
                let failure = Failure::logged_under(event.incident.clone(), Trouble::Store, &error);
                self.record_done(&Event { outcome: Outcome::Failed, ..event.because(error) }).await;
                Err(failure)
            }
        }
    }
}
