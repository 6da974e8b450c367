//! What a provider's own session with the person is known by, kept for forwarding and for signing out.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::ProviderId;

/// The format of a name that says nothing of itself (SAML Core section 8.3.1).
const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";

/// What proved an identity, as far as it is needed later.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Upstream {
    /// An ID token, kept for forwarding to AWS and as the hint at logout.
    IdToken(UpstreamToken),
    /// A workload's token, which is not kept: a workload has no session, and nothing to sign out of.
    Workload,
    /// The `NameID` of an assertion, which logout messages repeat. The assertion itself is not kept.
    Saml(SamlName),
}

/// A `NameID` exactly as it was received (SAML Core section 2.2.3): logout messages must repeat all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamlName {
    /// The name.
    pub value: String,
    /// Its format.
    pub format: Option<String>,
    /// Who names the person so.
    pub name_qualifier: Option<String>,
    /// For which service.
    pub sp_name_qualifier: Option<String>,
}

impl SamlName {
    /// Whether a logout request that says `self` means the person whom an assertion called `kept` (SAML Core sections 3.3.4 and 3.7.3: the
    /// names must match strongly). A qualifier that is left out means its default (section 8.3.7): the provider `idp`, and us,
    /// `sp`. A format that is left out or `unspecified` says nothing.
    #[must_use]
    pub fn means(&self, kept: &Self, idp: &str, sp: &str) -> bool {
        let said = |word: &Option<String>| word.as_deref().filter(|word| !word.is_empty()).map(str::to_owned);
        let by = |name: &Self| said(&name.name_qualifier).unwrap_or_else(|| idp.to_owned());
        let format = |name: &Self| said(&name.format).filter(|format| format != UNSPECIFIED);
        // A session has no name that was made for another service: that was checked when it was opened.
        let for_us = said(&self.sp_name_qualifier).is_none_or(|whom| whom == said(&kept.sp_name_qualifier).as_deref().unwrap_or(sp));
        let same_if_said = |one: Option<String>, other: Option<String>| one.is_none() || other.is_none() || one == other;
        self.value == kept.value && by(self) == by(kept) && for_us && same_if_said(format(self), format(kept))
    }
}

/// What a SAML logout request calls a person's sessions by. Which of them it means is told by the sessions themselves. XML has no NUL, so no
/// two names meet.
#[must_use]
pub fn saml_handle(provider: &ProviderId, name: &str) -> String {
    format!("{provider}\0name\0{name}")
}

/// What an OpenID Connect logout message calls a session by (`sid`).
#[must_use]
pub fn sid_handle(provider: &ProviderId, sid: &str) -> String {
    format!("{provider}\0sid\0{sid}")
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
