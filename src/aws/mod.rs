//! AWS itself: the STS operations, the organization's accounts, the console sign-in, and the formats that credentials are handed over in.

pub mod console;
mod explanation;
pub mod formats;
pub mod organization;
#[cfg(test)]
mod scripted_http;
mod settings;
pub mod sts;

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

pub use explanation::{Explanation, Mender};
pub use settings::AwsSettings;

use crate::arn::RoleArn;
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
    /// The role they are for.
    pub role: RoleArn,
    /// The assumed-role ARN, as `sts get-caller-identity` shows it.
    pub assumed_role: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires", &self.expires)
            .field("role", &self.role)
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
    role: RoleArn,
    assumed_role: String,
}

impl From<&Credentials> for SealableCredentials {
    fn from(from: &Credentials) -> Self {
        Self {
            access_key_id: from.access_key_id.clone(),
            secret_access_key: from.secret_access_key.expose_secret().to_owned(),
            session_token: from.session_token.expose_secret().to_owned(),
            expires: from.expires,
            role: from.role.clone(),
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
            role: from.role,
            assumed_role: from.assumed_role,
        }
    }
}
