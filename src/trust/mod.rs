//! Makes AWS believe it: web identity tokens, SAML responses, the keys behind them, and what IAM must be told.

mod forwarded;
mod issuer;
pub mod keys;
mod saml;
mod settings;

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

pub use issuer::{Issuer, SigningFailed};
pub use saml::{NextEndpoint, SamlIssuer, SamlPlace, SignInEndpoint, SignInPost};
pub use settings::{SamlTrustSettings, SigningAlgorithm, TrustSettings};

use crate::arn::SamlProviderArn;

/// What AWS is shown so that it believes who asks. Redeemable for minutes, never kept, prints nothing.
pub struct Proof {
    token: SecretString,
    id: String,
    provider: Option<SamlProviderArn>,
}

impl Proof {
    pub(crate) fn new(token: String, id: String) -> Self {
        Self { token: SecretString::from(token), id, provider: None }
    }

    pub(crate) fn of_saml(response: String, id: String, provider: SamlProviderArn) -> Self {
        Self { token: SecretString::from(response), id, provider: Some(provider) }
    }

    /// The token, or the SAML response in base64, for the one call to STS or the one form.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.token.expose_secret()
    }

    /// The SAML provider that vouches in IAM; none for a web identity token.
    #[must_use]
    pub const fn provider(&self) -> Option<&SamlProviderArn> {
        self.provider.as_ref()
    }

    /// The `jti` of a minted token, the digest of a forwarded one, or the assertion's ID: joins the audit event with CloudTrail.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proof").field("id", &self.id).finish_non_exhaustive()
    }
}
