//! What a provider's own session with the person is known by, kept for forwarding and for signing out.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::ProviderId;

/// What proved an identity, as far as it is needed later.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Upstream {
    /// An ID token, kept for forwarding to AWS and as the hint at logout.
    IdToken(UpstreamToken),
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

/// What a SAML logout request calls sessions by: all of a person's, or those of one `SessionIndex`. XML has no NUL, so no two names meet.
#[must_use]
pub fn saml_handle(provider: &ProviderId, name: &str, session_index: Option<&str>) -> String {
    match session_index {
        None => format!("{provider}\0name\0{name}"),
        Some(index) => format!("{provider}\0index\0{name}\0{index}"),
    }
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
