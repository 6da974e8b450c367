//! Proves who is there, by any protocol, and afterwards speaks only [`Identity`].
//!
//! This module is the only maker of [`Identity`]: what has one has seen a verified signature. The protocols' own words (tokens,
//! claims, nonces) end here.

pub mod claims;
mod http;
pub mod jwt;
pub mod oidc;
mod settings;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

pub use claims::Claims;
pub use settings::{ClientAuth, MfaSettings, ProviderSettings};

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
    /// The token that proved it, kept for forwarding to AWS and as the hint at logout.
    pub(crate) token: UpstreamToken,
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

    /// The token that proved it.
    #[must_use]
    pub const fn token(&self) -> &UpstreamToken {
        &self.token
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
    /// When the person last proved themselves to the provider (`auth_time`), if it says.
    pub time: Option<Moment>,
    /// Whether a second factor was used, by the provider's settings for `amr` and `acr`.
    pub mfa: bool,
    /// The authentication context class (`acr`).
    pub acr: Option<String>,
    /// The methods used (`amr`, RFC 8176).
    pub amr: Vec<String>,
    /// The provider's own session id (`sid`), which its logout messages name.
    pub sid: Option<String>,
}

/// The compact ID token as it arrived: byte for byte what STS may be shown. Prints nothing.
#[derive(Clone)]
pub struct UpstreamToken(SecretString);

impl UpstreamToken {
    pub(crate) fn new(token: String) -> Self {
        Self(SecretString::from(token))
    }

    /// The token itself, for the one call that forwards it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for UpstreamToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpstreamToken(…)")
    }
}

impl Serialize for UpstreamToken {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for UpstreamToken {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// A login that was begun and waits for the provider's answer. Single use, bound to one browser, [`PendingLogin::LIFE`] old at most.
#[derive(Serialize, Deserialize)]
pub struct PendingLogin {
    /// The provider that was asked; an answer by any other is refused.
    pub provider: ProviderId,
    /// The hash of the browser's own cookie: another browser cannot finish this login.
    pub browser: String,
    /// Where in the gateway the person wanted to go: a local path, checked.
    pub return_to: String,
    /// When it was begun.
    pub begun: Moment,
    /// What the answer must match, by the protocol that was spoken.
    pub secrets: LoginSecrets,
}

/// What a login's answer must match. An answer of one protocol is never held against the secrets of another.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginSecrets {
    /// OpenID Connect.
    Oidc {
        /// The nonce that the ID token must carry (OpenID Connect Core 3.1.2.1).
        nonce: String,
        /// The PKCE verifier (RFC 7636) that redeems the code.
        verifier: String,
    },
}

impl PendingLogin {
    /// How long a login may wait for its answer.
    pub const LIFE: TimeDelta = TimeDelta::minutes(10);

    /// How long the login may still wait; none if it has waited too long.
    #[must_use]
    pub fn left(&self, now: Moment) -> Option<TimeDelta> {
        let left = Self::LIFE - (now - self.begun);
        (left >= TimeDelta::zero()).then_some(left)
    }
}

impl fmt::Debug for PendingLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its secrets are what an attacker who saw the code still lacks.
        f.debug_struct("PendingLogin").field("provider", &self.provider).field("begun", &self.begun).finish_non_exhaustive()
    }
}

/// Why a login was refused. For the log and the audit trail; the page shows a plain sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The provider answered with an OAuth error (RFC 6749 section 4.1.2.1), for example because the person cancelled.
    #[error("the provider answered with the error `{0}`")]
    ProviderError(String),
    /// No code in the answer.
    #[error("the answer has no code")]
    NoCode,
    /// The browser brought no login of that state along: expired, finished, begun elsewhere, or never ours.
    #[error("no login with this state is pending")]
    UnknownState,
    /// The login of that state was finished before: the answer is played again.
    #[error("the login was finished before")]
    Replayed,
    /// The login was begun in another browser.
    #[error("the login was begun in another browser")]
    OtherBrowser,
    /// The login was begun with another provider (mix-up).
    #[error("the login was begun with another provider")]
    OtherProvider,
    /// The login was begun longer ago than a pending login lives.
    #[error("the login was begun more than ten minutes ago")]
    Stale,
    /// The `iss` parameter of the answer (RFC 9207) is missing though announced, or is not the provider's.
    #[error("the `iss` parameter of the answer is missing or not the provider's")]
    WrongIssuerParameter,
    /// The provider refused to redeem the code.
    #[error("the code was not redeemed: {0}")]
    CodeRefused(String),
    /// The token's form or header is unacceptable.
    #[error("the ID token is malformed: {0}")]
    Malformed(&'static str),
    /// The signature algorithm is not on our list for this provider, or does not fit the key.
    #[error("the ID token's algorithm is not allowed")]
    Algorithm,
    /// No key of the provider has the token's `kid`.
    #[error("no key of the provider has the token's kid")]
    UnknownKey,
    /// The signature does not verify.
    #[error("the ID token's signature is not valid")]
    Signature,
    /// A claim that must be there is missing or of the wrong type.
    #[error("the claim `{0}` is missing or of the wrong type")]
    MissingClaim(&'static str),
    /// `iss` is not the provider's issuer.
    #[error("the ID token is from another issuer")]
    Issuer,
    /// `aud` or `azp` does not name us.
    #[error("the ID token is meant for another client")]
    Audience,
    /// `exp` has passed.
    #[error("the ID token has expired")]
    Expired,
    /// `nbf` or `iat` lies in the future, beyond the leeway.
    #[error("the ID token is not valid yet: check both clocks")]
    NotYetValid,
    /// The nonce is not the one that was sent.
    #[error("the nonce is not the one that was sent")]
    Nonce,
    /// The sign-in is older than the provider's `max_age` allows.
    #[error("the sign-in at the provider is too old")]
    TooOld,
    /// The `acr` is none of those that were demanded.
    #[error("the authentication context is not one that is demanded")]
    Acr,
    /// The tenant is not on the provider's list.
    #[error("the tenant is not on the list")]
    Tenant,
    /// Userinfo speaks of somebody else (OpenID Connect Core 5.3.2).
    #[error("userinfo speaks of another subject than the ID token")]
    UserinfoSubject,
    /// The provider left the groups out because there are too many (Entra ID's overage).
    #[error("the provider left the groups out because the person has too many")]
    GroupsOverage,
    /// The groups claim is there but is neither a string nor a list of strings.
    #[error("the groups claim is neither a string nor a list of strings")]
    GroupsMalformed,
    /// The provider cannot be reached or answers garbage.
    #[error("the provider is unavailable: {0}")]
    Unavailable(String),
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
            token: UpstreamToken::new("e30.e30.e30".into()),
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
