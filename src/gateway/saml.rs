//! What providers post and send by SAML: responses that sign people in, and messages that sign them out.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::replace::Arrival;
use super::sign_in::{Arrived, local, refusal};
use super::{Caller, Failure, Gateway, LocalPath, Returning, Trouble};
use crate::identity::saml::{Accepted, Asked, LogoutAnswer, LogoutDemand, Posted, Travelled};
use crate::identity::{Departure, LoginSecrets, PendingLogin, Provider, Rejected, saml, saml_handle};
use crate::saml::Refused;
use crate::store::{Purpose, Session};

/// What became of a logout message.
#[derive(Debug)]
pub enum LogoutTaken {
    /// The provider wanted sessions ended, and they are. The browser carries the answer back, if the provider takes one.
    Ended {
        /// How the browser leaves.
        answer: Option<Departure>,
    },
    /// The provider wanted sessions ended, and that failed: the browser carries that back.
    NotEnded {
        /// How the browser leaves.
        answer: Departure,
    },
    /// The answer's body to a message that the provider sent itself: it says whether the sessions ended.
    EndedBehind {
        /// A SOAP envelope.
        answer: String,
    },
    /// The provider answers our own request: whether it ended everything.
    Answered {
        /// Whether it did.
        everywhere: bool,
    },
}

impl Gateway {
    /// A provider that speaks SAML.
    ///
    /// # Errors
    /// [`Trouble::UnknownProvider`].
    pub fn saml_provider(&self, id: &str) -> Result<&saml::Provider, Failure> {
        self.known(id)?.as_saml().ok_or_else(|| Failure::logged(Trouble::UnknownProvider, &"this provider does not speak SAML"))
    }

    /// Finishes a login with a posted response: one that answers a request of this browser, or, where the provider may start sign-ins, one
    /// that answers none. Each assertion opens one session; one that nobody asked for never takes the place of another person's unasked.
    ///
    /// # Errors
    /// As [`Gateway::complete`].
    pub async fn complete_saml(
        &self,
        provider: &str,
        posted: &Posted,
        returning: Returning<'_>,
        caller: &Caller,
    ) -> Result<Arrival, Failure> {
        let saml = self.saml_provider(provider)?;
        let provider = self.known(provider)?;
        let Some((state, pending)) = self.pending(&posted.relay_state, returning.tickets) else {
            return self.complete_unasked(provider, saml, posted, returning, caller).await;
        };
        let verified = match self.use_up(provider, &state, &pending, returning.browser).await? {
            Ok(()) => self.answered(saml, posted, &pending).await?,
            Err(rejected) => Err(rejected),
        };
        match verified {
            Ok(accepted) => {
                let Accepted { identity, session_end, .. } = accepted;
                let arrived = Arrived { identity, return_to: local(&pending), ends_by: session_end, unasked: false };
                self.welcome(arrived, returning.session, caller).await.map(Arrival::SignedIn)
            }
            Err(rejected) => Err(self.refuse(provider, rejected, caller).await?),
        }
    }

    /// The outer error is the store's; the inner one is the response's.
    async fn answered(
        &self,
        saml: &saml::Provider,
        posted: &Posted,
        pending: &PendingLogin,
    ) -> Result<Result<Accepted, Rejected>, Failure> {
        let LoginSecrets::Saml { request } = &pending.secrets else { return Ok(Err(Rejected::OtherProvider)) };
        let asked = Asked { request, at: pending.begun };
        match saml.complete(posted, Some(asked), self.now()).await {
            Ok(accepted) => self.claim(accepted).await,
            Err(rejected) => Ok(Err(rejected)),
        }
    }

    /// A response that nobody asked for. What is refused of them is logged and counted, and only recorded where somebody must have had a
    /// genuine assertion, or our verifiers disagree: anybody can post any number of others.
    async fn complete_unasked(
        &self,
        provider: &Provider,
        saml: &saml::Provider,
        posted: &Posted,
        returning: Returning<'_>,
        caller: &Caller,
    ) -> Result<Arrival, Failure> {
        if !saml.may_start() {
            return Err(self.unasked(provider, &Rejected::UnknownState));
        }
        let verified = match saml.complete(posted, None, self.now()).await {
            Ok(accepted) => self.claim(accepted).await?,
            Err(rejected) => Err(rejected),
        };
        match verified {
            Ok(Accepted { identity, session_end, .. }) => {
                let return_to = self.own_place(&posted.relay_state).unwrap_or_else(LocalPath::home);
                let arrived = Arrived { identity, return_to, ends_by: session_end, unasked: true };
                self.welcome_unasked(arrived, returning.session, caller).await
            }
            Err(rejected @ (Rejected::AssertionUsed | Rejected::Saml(Refused::Disagreement))) => {
                Err(self.refuse(provider, rejected, caller).await?)
            }
            Err(rejected) => Err(self.unasked(provider, &rejected)),
        }
    }

    /// Uses an assertion up: of any number of posts of it, on all replicas, one goes on.
    async fn claim(&self, accepted: Accepted) -> Result<Result<Accepted, Rejected>, Failure> {
        let first = self.vault.claim_once(Purpose::Used, &accepted.assertion, accepted.remember).await;
        let first = first.map_err(|error| Failure::logged(Trouble::Store, &error))?;
        Ok(if first { Ok(accepted) } else { Err(Rejected::AssertionUsed) })
    }

    /// Takes a logout message. One that is not believed ends nothing.
    ///
    /// # Errors
    /// [`Trouble::SignOutRefused`], [`Trouble::ProviderUnavailable`]; [`Trouble::Store`] and [`Trouble::Audit`], if the provider takes no
    /// answer that would tell it.
    pub async fn take_logout(&self, id: &str, travelled: Travelled<'_>, caller: &Caller) -> Result<LogoutTaken, Failure> {
        let saml = self.saml_provider(id)?;
        let behind = matches!(travelled, Travelled::Envelope(_));
        let answer = saml.read_logout(travelled, self.now()).await.map_err(|rejected| match rejected {
            Rejected::Unavailable(_) => self.known(id).map_or_else(|failure| failure, |provider| refusal(provider, &rejected)),
            _ => Failure::logged(Trouble::SignOutRefused(saml.name().to_owned()), &rejected),
        })?;
        let demand = match answer {
            LogoutAnswer::Done { everywhere } => return Ok(LogoutTaken::Answered { everywhere }),
            LogoutAnswer::Demand(demand) => demand,
        };
        let ended = match self.vault.was_used(Purpose::Used, &demand.mark).await {
            // It was genuine once, and would end sessions that were opened since.
            Ok(true) => return Err(Failure::logged(Trouble::SignOutRefused(saml.name().to_owned()), &Rejected::LogoutUsed)),
            Ok(false) => self.end_demanded(saml, &demand, caller).await,
            Err(error) => self.ended(saml.id(), Err(error), "", caller).await,
        };
        // Success is said of sessions that are over, and of nothing else: where the store failed, the provider hears that we failed.
        let is_over = ended.is_ok();
        if behind {
            let answer = saml.answer_envelope(&demand, is_over, self.now()).await;
            let answer = answer.ok_or_else(|| Failure::logged(Trouble::Signing, &"the logout response cannot be written"))?;
            return Ok(LogoutTaken::EndedBehind { answer });
        }
        match (ended, saml.answer_logout(&demand, is_over, self.now()).await) {
            (Ok(_), answer) => Ok(LogoutTaken::Ended { answer }),
            (Err(_), Some(answer)) => Ok(LogoutTaken::NotEnded { answer }),
            (Err(failure), None) => Err(failure),
        }
    }

    /// Ends exactly the sessions that a demand means, and records it.
    async fn end_demanded(&self, saml: &saml::Provider, demand: &LogoutDemand, caller: &Caller) -> Result<usize, Failure> {
        let unindexed = AtomicUsize::new(0);
        let meant = |session: &Session| {
            let meant = demand.means(&session.identity);
            if meant && session.identity.authentication().sid.is_none() {
                unindexed.fetch_add(1, Ordering::Relaxed);
            }
            meant
        };
        let closed = self.vault.close_meant(&saml_handle(saml.id(), &demand.name.value), meant).await;
        let closed = self.used_up(&demand.mark, demand.remember, closed).await;
        let unindexed = unindexed.into_inner();
        let note = match (unindexed, demand.session_indexes.is_empty()) {
            (0, _) | (_, true) => String::new(),
            _ => format!(", {unindexed} of them opened without a SessionIndex"),
        };
        self.ended(saml.id(), closed, &note, caller).await
    }
}
