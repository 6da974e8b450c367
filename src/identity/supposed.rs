//! Somebody who is only supposed to exist, to try rules with.

use serde_json::{Map, Value};

use super::oidc::{groups_of, is_presentable};
use super::{Authentication, Claims, ProviderId, ProviderSettings, Rejected};
use crate::clock::Moment;

/// A person whom no signature vouches for: rules can be tried with them, and nothing can be handed to them. Never becomes an
/// [`Identity`](super::Identity).
#[derive(Debug, Clone)]
pub struct Supposed {
    pub(crate) provider: ProviderId,
    pub(crate) subject: String,
    pub(crate) username: String,
    pub(crate) groups: Vec<String>,
    pub(crate) claims: Claims,
    pub(crate) authentication: Authentication,
}

impl Supposed {
    /// Reads claims as a sign-in at the provider would: subject, name, groups and second factor by the provider's settings. Without `sub`
    /// the subject is `somebody`.
    ///
    /// # Errors
    /// [`Rejected`] where the sign-in itself would be refused: too many groups, groups of a wrong type.
    pub fn new(provider: ProviderId, settings: &ProviderSettings, claims: Map<String, Value>) -> Result<Self, Rejected> {
        let claims = Claims::new(claims);
        let groups = groups_of(&settings.groups_claim, &claims)?;
        let subject = claims.text("sub").unwrap_or("somebody").to_owned();
        let username = claims.text(&settings.username_claim).filter(|name| is_presentable(name)).unwrap_or(&subject).to_owned();
        let acr = claims.text("acr").map(str::to_owned);
        let amr = claims.strings("amr").unwrap_or_default();
        let strong = |list: &[String], value: &String| list.contains(value);
        let mfa =
            amr.iter().any(|method| strong(&settings.mfa.amr, method)) || acr.as_ref().is_some_and(|acr| strong(&settings.mfa.acr, acr));
        let time = claims.find("auth_time").and_then(Value::as_i64).and_then(|time| Moment::from_timestamp(time, 0));
        let authentication = Authentication { time, mfa, acr, amr, sid: None };
        Ok(Self { provider, subject, username, groups, claims, authentication })
    }

    /// The same person with a second factor, or without one.
    #[must_use]
    pub const fn with_mfa(mut self, mfa: bool) -> Self {
        self.authentication.mfa = mfa;
        self
    }

    /// The name that people recognise.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The groups.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.groups
    }
}
