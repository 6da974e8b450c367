//! What OpenID Connect providers tell when their own session with somebody has ended.

use std::time::Duration;

use super::{Caller, Failure, Gateway, Trouble};
use crate::audit::{Event, Kind, Outcome};
use crate::identity::{ProviderId, Rejected, oidc, sid_handle};
use crate::store::{Purpose, StoreUnavailable};

impl Gateway {
    /// Takes a logout token (OpenID Connect Back-Channel Logout 1.0): ends the session that it names, or all of the person's. Each token
    /// serves once. Says how many sessions were alive.
    ///
    /// # Errors
    /// [`Trouble::SignOutRefused`] for a token that is not believed, [`Trouble::Store`].
    pub async fn take_logout_token(&self, id: &str, token: &str, caller: &Caller) -> Result<usize, Failure> {
        let provider = self.oidc_provider(id)?;
        let refuse = |rejected: &Rejected| Failure::logged(Trouble::SignOutRefused(provider.name().to_owned()), rejected);
        let token = provider.read_logout_token(token, self.now()).await.map_err(|rejected| refuse(&rejected))?;
        let used = self.vault.was_used(Purpose::Used, &token.mark).await;
        if used.map_err(|error| Failure::logged(Trouble::Store, &error))? {
            return Err(refuse(&Rejected::LogoutUsed));
        }
        let closed = match (&token.sid, &token.sub) {
            (Some(sid), _) => self.vault.close_named(&[sid_handle(provider.id(), sid)]).await,
            (None, sub) => self.vault.close_all(&format!("{}+{}", provider.id(), sub.as_deref().unwrap_or_default())).await,
        };
        let closed = self.used_up(&token.mark, token.remember, closed).await;
        self.ended(provider.id(), closed, "", caller).await
    }

    /// Remembers that a message was used, once its sessions are over: after a failure in between, the provider can send it again. Two of the
    /// same at the same time end the same sessions, so that it need not be known which of them was first.
    pub(super) async fn used_up(
        &self,
        mark: &[u8],
        remember: Duration,
        closed: Result<usize, StoreUnavailable>,
    ) -> Result<usize, StoreUnavailable> {
        let sessions = closed?;
        self.vault.claim_once(Purpose::Used, mark, remember).await?;
        Ok(sessions)
    }

    /// Takes a notice of OpenID Connect Front-Channel Logout 1.0. Nobody signs it, so it ends nothing but the session whose `sid` the
    /// provider chose, which is as hard to guess as that is; a notice that ends none is not recorded.
    ///
    /// # Errors
    /// [`Trouble::SignOutRefused`] for another issuer, [`Trouble::Store`].
    pub async fn take_logout_notice(&self, id: &str, issuer: &str, sid: &str, caller: &Caller) -> Result<usize, Failure> {
        let provider = self.oidc_provider(id)?;
        if sid.is_empty() || !provider.is_named_by(issuer) {
            return Err(Failure::logged(Trouble::SignOutRefused(provider.name().to_owned()), &Rejected::Issuer));
        }
        match self.vault.close_named(&[sid_handle(provider.id(), sid)]).await {
            Ok(0) => Ok(0),
            closed => self.ended(provider.id(), closed, "", caller).await,
        }
    }

    fn oidc_provider(&self, id: &str) -> Result<&oidc::Provider, Failure> {
        self.known(id)?.as_oidc().ok_or_else(|| Failure::logged(Trouble::UnknownProvider, &"this provider does not speak OpenID Connect"))
    }

    /// Records that a provider ended sessions, with a note on which, or that this failed.
    ///
    /// It is done before it is recorded, and also where it cannot be: the person signed out, or somebody took their account away, and neither
    /// must wait for our disk. A provider that heard of a failure would send the message again, which serves once.
    pub(super) async fn ended(
        &self,
        provider: &ProviderId,
        closed: Result<usize, StoreUnavailable>,
        note: &str,
        caller: &Caller,
    ) -> Result<usize, Failure> {
        let event = self.event(Kind::SignOut, Outcome::Ok, caller).at_provider(provider);
        match closed {
            Ok(sessions) => {
                self.record_done(&event.because(format!("the provider ended its session: {sessions} of ours were alive{note}"))).await;
                Ok(sessions)
            }
            Err(error) => {
                let failure = Failure::logged_under(event.incident.clone(), Trouble::Store, &error);
                self.record_done(&Event { outcome: Outcome::Failed, ..event.because(error) }).await;
                Err(failure)
            }
        }
    }
}
