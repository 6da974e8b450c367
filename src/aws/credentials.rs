//! Temporary credentials as the gateway has them.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::formats::Keys;
use crate::access::Target;
use crate::clock::Moment;

/// Temporary credentials for one role, as STS issued them. The secret parts print nothing.
#[derive(Clone)]
pub struct Credentials {
    /// The access key id: no secret, and CloudTrail's name for the session.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: SecretString,
    /// The session token.
    pub session_token: SecretString,
    /// When AWS stops accepting them.
    pub expires: Moment,
    /// What they are for.
    pub target: Target,
    /// The ARN of the assumed role or of the federated user, as `sts get-caller-identity` shows it; AWS tells none of a user's own session.
    pub assumed_role: Option<String>,
}

impl Credentials {
    /// What formats write of them.
    #[must_use]
    pub fn keys(&self) -> Keys<'_> {
        Keys {
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            session_token: &self.session_token,
            expires: self.expires,
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires", &self.expires)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// [`Credentials`] as they are sealed for the short way from the click to the page.
#[derive(Serialize, Deserialize)]
pub(crate) struct SealableCredentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expires: Moment,
    target: Target,
    assumed_role: Option<String>,
}

impl From<&Credentials> for SealableCredentials {
    fn from(from: &Credentials) -> Self {
        Self {
            access_key_id: from.access_key_id.clone(),
            secret_access_key: from.secret_access_key.expose_secret().to_owned(),
            session_token: from.session_token.expose_secret().to_owned(),
            expires: from.expires,
            target: from.target.clone(),
            assumed_role: from.assumed_role.clone(),
        }
    }
}

impl From<SealableCredentials> for Credentials {
    fn from(from: SealableCredentials) -> Self {
        Self {
            access_key_id: from.access_key_id,
            secret_access_key: from.secret_access_key.into(),
            session_token: from.session_token.into(),
            expires: from.expires,
            target: from.target,
            assumed_role: from.assumed_role,
        }
    }
}
