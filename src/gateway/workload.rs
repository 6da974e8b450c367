//! Workloads: a platform's token for a role's credentials, in one request and without a session.

use std::sync::atomic::Ordering;

use super::issue::wished;
use super::{Caller, Failure, Gateway, Issued, Trouble};
use crate::access::{Purpose, Wish};
use crate::audit::{Event, Kind, Outcome};
use crate::identity::workload::{self, Workload};
use crate::identity::{ProviderId, Rejected};

impl Gateway {
    /// Verifies a workload's token. One that is not believed is logged and counted, and not recorded: anybody can send any number of them.
    ///
    /// # Errors
    /// [`Trouble::TokenRefused`], [`Trouble::ProviderUnavailable`].
    pub async fn identify(&self, token: &str) -> Result<Workload, Failure> {
        let found = workload::unverified_issuer(token).and_then(|issuer| {
            let platform = self.workload_providers.iter().find(|platform| platform.is_named_by(&issuer));
            platform.ok_or(Rejected::Issuer)
        });
        let platform = found.map_err(|rejected| self.unbelieved(None, &rejected))?;
        platform.verify(token, self.now()).await.map_err(|rejected| self.unbelieved(Some(platform.id()), &rejected))
    }

    fn unbelieved(&self, platform: Option<&ProviderId>, rejected: &Rejected) -> Failure {
        let total = self.unsolicited.fetch_add(1, Ordering::Relaxed) + 1;
        let name = platform.map_or("none", ProviderId::as_str);
        tracing::info!(total, provider = name, reason = %rejected, "a workload's token that is not believed");
        let trouble = match rejected {
            Rejected::Unavailable(_) => Trouble::ProviderUnavailable(name.to_owned()),
            _ => Trouble::TokenRefused(rejected.clone()),
        };
        Failure::logged(trouble, rejected)
    }

    /// Issues credentials to a workload, by the same rules as to people and recorded in the same way, in one event with the name of its
    /// token. Each token serves so often and no more: a use counts before the rules are asked, and where it cannot be counted nothing is
    /// issued.
    ///
    /// # Errors
    /// [`Trouble::TokenRefused`] for a token that was used up, [`Trouble::Store`], and as [`Gateway::assume`].
    pub async fn assume_for(&self, workload: &Workload, wish: &Wish, caller: &Caller) -> Result<Issued, Failure> {
        let wish = &Wish { purpose: Purpose::Workload, ..wish.clone() };
        let who = &workload.identity;
        let entitlements = self.entitlements_of(who, &[], caller);
        let event = wished(self.event(Kind::Issue, Outcome::Ok, caller).about(who), wish, &entitlements);
        let event = Event { token_id: Some(workload.token_id.clone()), ..event };
        let counted = self.vault.count_use(&workload.mark, workload.remember).await;
        let (trouble, outcome, reason) = match counted {
            Ok(uses) if uses <= workload.uses.into() => {
                return self.issue(who, entitlements.choose(wish), event).await.map(|(issued, _)| issued);
            }
            Ok(_) => {
                let rejected = Rejected::TokenUsedUp(workload.uses);
                (Trouble::TokenRefused(rejected.clone()), Outcome::Refused, rejected.to_string())
            }
            Err(error) => (Trouble::Store, Outcome::Failed, error.to_string()),
        };
        let failure = Failure::logged_under(event.incident.clone(), trouble, &reason);
        self.record(&Event { outcome, ..event.because(reason) }).await?;
        Err(failure)
    }
}
