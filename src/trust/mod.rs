//! Makes AWS believe it: web identity tokens, the keys behind them, and what IAM must be told.

mod issuer;
pub mod keys;
mod settings;

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

pub use issuer::{Issuer, SigningFailed};
pub use settings::{SigningAlgorithm, TrustSettings};

/// What AWS is shown so that it believes who asks. Redeemable for minutes, never kept, prints nothing.
pub struct Proof {
    token: SecretString,
    id: String,
}

impl Proof {
    pub(crate) fn new(token: String, id: String) -> Self {
        Self { token: SecretString::from(token), id }
    }

    /// The token, for the one call to STS.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.token.expose_secret()
    }

    /// The `jti` of a minted token, or the digest of a forwarded one: joins the audit event with CloudTrail.
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
