//! Proves who is there, by any protocol, and afterwards speaks only [`Identity`].
//!
//! This module is the only maker of [`Identity`]: what has one has seen a verified signature. The protocols' own words (tokens,
//! claims, nonces) end here.

mod cache;
mod check;
pub mod claims;
mod demand;
mod forwardable;
mod health;
mod http;
pub mod jwt;
pub mod oidc;
mod pending;
mod provider;
mod rejected;
pub mod saml;
mod settings;
mod supposed;
mod upstream;
mod words;
pub mod workload;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use claims::Claims;
pub use demand::{Demand, StepUp};
pub use forwardable::Forwardable;
pub use health::{KeptDocument, ProviderHealth};
pub use pending::{LoginSecrets, PendingLogin};
pub use provider::{Begun, Departure, PostForm, Provider};
pub use rejected::Rejected;
pub use saml::SamlProviderSettings;
pub use settings::{ClientAuth, MfaSettings, ProviderSettings};
pub use supposed::{Reading, Supposed};
pub use upstream::{SamlName, Upstream, UpstreamToken, saml_handle, sid_handle};
pub use workload::WorkloadProviderSettings;

use crate::clock::Moment;

/// The short name of a configured identity provider, as it stands in URLs and audit events: `[a-z0-9-]`, 1–32 characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ProviderId(Arc<str>);

impl ProviderId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A provider's id has a character or length that it may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to 32 characters of a-z 0-9 and -")]
pub struct InvalidProviderId;

impl FromStr for ProviderId {
    type Err = InvalidProviderId;

    fn from_str(text: &str) -> Result<Self, InvalidProviderId> {
        let valid = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if valid { Ok(Self(text.into())) } else { Err(InvalidProviderId) }
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ProviderId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Who somebody is, proven by a provider's signature.
///
/// Deserialising is how a sealed session comes back from the store; what is unsealed was sealed by us, so it was verified once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Identity {
    /// The provider that vouches.
    pub(crate) provider: ProviderId,
    /// The provider's own, never re-assigned name for the person: `sub`, or `tid` and `oid` for Entra ID's multi-tenant issuers.
    pub(crate) subject: String,
    /// A name that people recognise, for pages and session names; never used to decide.
    pub(crate) username: String,
    /// The groups, exactly as they arrived.
    pub(crate) groups: Vec<String>,
    /// Every verified claim.
    pub(crate) claims: Claims,
    /// How and when the person signed in.
    pub(crate) authentication: Authentication,
    /// What proved it, as far as it is needed later.
    pub(crate) upstream: Upstream,
    /// The response that proved it, where it is addressed to AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) forwardable: Option<Box<Forwardable>>,
}

impl Identity {
    /// The provider that vouches.
    #[must_use]
    pub const fn provider(&self) -> &ProviderId {
        &self.provider
    }

    /// The provider's own name for the person.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// A name that people recognise; for display, never to decide.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The groups, exactly as they arrived.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// Every verified claim.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// How and when the person signed in.
    #[must_use]
    pub const fn authentication(&self) -> &Authentication {
        &self.authentication
    }

    /// What proved it, as far as it is needed later.
    #[must_use]
    pub const fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// The response that proved it, if it is one that AWS takes.
    #[must_use]
    pub fn forwardable(&self) -> Option<&Forwardable> {
        self.forwardable.as_deref()
    }

    /// The ID token that proved it, if one did.
    #[must_use]
    pub const fn token(&self) -> Option<&UpstreamToken> {
        match &self.upstream {
            Upstream::IdToken(token) => Some(token),
            Upstream::Saml(_) | Upstream::Workload => None,
        }
    }

    /// What the provider's logout messages may call this session by, beside the person.
    #[must_use]
    pub fn handles(&self) -> Vec<String> {
        let sid = self.authentication.sid.as_deref();
        match &self.upstream {
            Upstream::Saml(name) => vec![saml_handle(&self.provider, &name.value)],
            Upstream::Workload => Vec::new(),
            Upstream::IdToken(_) => sid.map(|sid| sid_handle(&self.provider, sid)).into_iter().collect(),
        }
    }

    /// Whether it is a workload and no person.
    #[must_use]
    pub const fn is_workload(&self) -> bool {
        matches!(self.upstream, Upstream::Workload)
    }

    /// The stable key of the person over all sessions: provider and subject. A provider's id has no `+`, so the two never blur.
    #[must_use]
    pub fn person(&self) -> String {
        format!("{}+{}", self.provider, self.subject)
    }
}

/// How and when somebody signed in, as their provider tells it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Authentication {
    /// When the person last proved themselves to the provider (`auth_time`, `AuthnInstant`), if it says.
    pub time: Option<Moment>,
    /// Whether a second factor was used, by the provider's settings for `amr` and `acr`.
    pub mfa: bool,
    /// The authentication context class (`acr`, `AuthnContextClassRef`).
    pub acr: Option<String>,
    /// The methods used (`amr`, RFC 8176).
    pub amr: Vec<String>,
    /// The provider's own session id (`sid`, `SessionIndex`), which its logout messages name.
    pub sid: Option<String>,
}

#[cfg(test)]
impl Identity {
    /// Somebody whom no provider vouched for, for the tests of what comes after a sign-in.
    pub(crate) fn for_tests(subject: &str, groups: &[&str]) -> Self {
        let claims = serde_json::json!({ "sub": subject, "cost_center": "4711", "list": ["a", "b"], "email": "ana@example.org" });
        Self {
            provider: "okta".parse().unwrap(),
            subject: subject.into(),
            username: "ana@example.org".into(),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            claims: serde_json::from_value(claims).unwrap(),
            authentication: Authentication::default(),
            upstream: Upstream::IdToken(UpstreamToken::new("e30.e30.e30".into())),
            forwardable: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_id_is_a_short_plain_word() {
        assert!("entra-id-2".parse::<ProviderId>().is_ok());
        for bad in ["", "Okta", "a/b", "a+b", "ä", &"x".repeat(33)] {
            assert_eq!(bad.parse::<ProviderId>(), Err(InvalidProviderId), "{bad}");
        }
    }

    #[test]
    fn c3_a_kept_token_prints_nothing() {
        assert!(!format!("{:?}", UpstreamToken::new("eyJ.hush".into())).contains("hush"));
    }
}
