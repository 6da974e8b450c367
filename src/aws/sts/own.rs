//! The AWS identity that the gateway itself runs under, for the calls that are signed with it.
//!
//! It comes from the SDK's usual chain (environment, profile, web identity, container, instance) and is looked for when the first call needs
//! it. It is kept here and not by the SDK, because two things must be known of it: whether it is itself a session, which makes every role that
//! is taken with it a chained one, and when AWS has stopped accepting it.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use aws_config::BehaviorVersion;
use aws_config::meta::region::RegionProviderChain;
use aws_sdk_sts::config::{Credentials, ProvideCredentials, Region, SharedCredentialsProvider};
use aws_sdk_sts::error::DisplayErrorContext;
use chrono::TimeDelta;
use tokio::sync::OnceCell;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

use super::{Deadline, StsError};
use crate::clock::{Clock, Moment, SystemClock};
use crate::lasting::Lasting;

/// Credentials with less life than this are fetched anew.
const SHORTEST_LIFE: TimeDelta = TimeDelta::minutes(5);

/// The gateway's own AWS identity.
pub(super) struct OwnIdentity {
    profile: Option<String>,
    region: Option<String>,
    lasting: Lasting,
    /// Where the chain calls STS itself, if nothing names a region.
    fallback_region: String,
    chain: OnceCell<Option<SharedCredentialsProvider>>,
    current: Mutex<Option<Credentials>>,
}

impl fmt::Debug for OwnIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnIdentity").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl OwnIdentity {
    /// An identity that is looked for later.
    pub(super) fn new(profile: Option<String>, region: Option<String>, fallback_region: String) -> Self {
        Self { profile, region, lasting: Lasting::here(), fallback_region, chain: OnceCell::new(), current: Mutex::default() }
    }

    #[cfg(test)]
    pub(super) fn of_keys(keys: Credentials) -> Self {
        let mut identity = Self::new(None, None, "us-east-1".into());
        identity.chain = OnceCell::new_with(Some(Some(SharedCredentialsProvider::new(keys))));
        identity
    }

    #[cfg(test)]
    pub(super) fn of_nobody() -> Self {
        let mut identity = Self::new(None, None, "us-east-1".into());
        identity.chain = OnceCell::new_with(Some(None));
        identity
    }

    /// Credentials that live for some minutes more.
    pub(super) async fn credentials(&self, deadline: Deadline) -> Result<Credentials, StsError> {
        let kept = self.current();
        if let Some(kept) = kept.filter(|kept| kept.expiry().is_none_or(is_far)) {
            return Ok(kept);
        }
        // Secrets stand in what the SDK logs.
        let found = tokio::time::timeout_at(deadline.0, self.find().with_subscriber(Dispatch::none()));
        let found = found.await.map_err(|_| StsError::NoIdentity("no AWS credentials came within the deadline".into()))??;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone());
        Ok(found)
    }

    /// Lets go of credentials that AWS no longer accepts.
    pub(super) fn forget(&self) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether the identity is known to be a session, of a role or of a user: AWS calls what it assumes chained.
    pub(super) fn is_session(&self) -> bool {
        self.current().is_some_and(|keys| keys.session_token().is_some())
    }

    fn current(&self) -> Option<Credentials> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn find(&self) -> Result<Credentials, StsError> {
        let chain = self.chain.get_or_init(|| self.chain()).await;
        let none = || StsError::NoIdentity("the SDK's chain has no provider of credentials".into());
        let provider = chain.as_ref().ok_or_else(none)?;
        let provider = provider.clone();
        self.lasting
            .run(async move { provider.provide_credentials().await })
            .await
            .map_err(|error| StsError::NoIdentity(super::error::clean_words(&DisplayErrorContext(&error).to_string())))
    }

    async fn chain(&self) -> Option<SharedCredentialsProvider> {
        let region = RegionProviderChain::first_try(self.region.clone().map(Region::new))
            .or_default_provider()
            .or_else(Region::new(self.fallback_region.clone()));
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(region);
        if let Some(profile) = &self.profile {
            // What names a profile means that profile, whatever else the environment holds.
            let named = aws_config::profile::ProfileFileCredentialsProvider::builder().profile_name(profile).build();
            loader = loader.profile_name(profile).credentials_provider(named);
        }
        loader.load().await.credentials_provider()
    }
}

/// The end of credentials is by the clock that the SDK and AWS go by.
fn is_far(end: SystemTime) -> bool {
    Moment::from(end) - SystemClock.now() > SHORTEST_LIFE
}
