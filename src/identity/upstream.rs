//! What a provider's own session with the person is known by, kept for forwarding and for signing out.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

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
