//! What people chose on the pages, remembered for the next time.

use super::{Failure, Gateway, Trouble};
use crate::identity::Identity;
use crate::store::{Choices, ChoicesRef, Known, Session, SessionId};

impl Gateway {
    /// [`Gateway::session`], with what the person chose, and what they were granted in the same round trip. One round trip to the store where `hint` is right.
    ///
    /// # Errors
    /// [`Trouble::Store`], when the store cannot be asked.
    pub async fn session_with_choices(&self, id: &SessionId, hint: Option<&ChoicesRef>) -> Result<Option<Known>, Failure> {
        // Whose groups it is about is known only when the session is there: to ask along costs nothing.
        let requests = self.policy.load().has_requests();
        let found = self.vault.session_with_choices(id, hint, requests, (self.now(), self.limits.idle.0)).await;
        let known = found.map_err(|error| Failure::logged(Trouble::Store, &error))?;
        Ok(known.filter(|known| self.is_vouched_for(&known.session)))
    }

    /// Remembers what a person chose.
    ///
    /// # Errors
    /// [`Trouble::Store`].
    pub async fn keep_choices(&self, who: &Identity, choices: &Choices) -> Result<(), Failure> {
        let kept = self.vault.keep_choices(&who.person(), choices).await;
        kept.map_err(|error| Failure::logged(Trouble::Store, &error))
    }

    /// A provider that was taken out of the configuration vouches for nobody any more.
    pub(super) fn is_vouched_for(&self, session: &Session) -> bool {
        self.provider(session.identity.provider().as_str()).is_some()
    }
}
