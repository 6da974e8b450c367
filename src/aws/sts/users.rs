//! The access keys of the IAM users that the gateway holds.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use aws_sdk_sts::config::Credentials;
use secrecy::{ExposeSecret, SecretString};

use super::{Sts, StsError};
use crate::access::{AssumeRequest, IamUserSettings};
use crate::settings::Problem;

/// Access keys by the ids of their users. They print nothing.
#[derive(Default)]
pub(super) struct UserKeys(BTreeMap<String, (String, SecretString)>);

impl fmt::Debug for UserKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl UserKeys {
    /// The keys that a request is signed with.
    pub(super) fn keys(&self, request: &AssumeRequest) -> Result<Credentials, StsError> {
        let held = request.iam_user().and_then(|user| self.0.get(&user.id));
        let (id, secret) = held.ok_or_else(|| StsError::NoIdentity("the keys of the rule's IAM user are not held".into()))?;
        Ok(Credentials::new(id, secret.expose_secret(), None, None, "iam_user"))
    }
}

impl Sts {
    /// The same, with the keys of these users. Secrets are read now; relative paths start at `base`.
    ///
    /// # Errors
    /// Every secret that cannot be read, with paths that start at `path`.
    pub fn with_users(mut self, users: &[IamUserSettings], base: &Path, path: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        for (index, user) in users.iter().enumerate() {
            match user.secret_access_key.read(base, &format!("{path}[{index}].secret_access_key")) {
                Ok(secret) => {
                    self.users.0.insert(user.id.clone(), (user.access_key_id.clone(), secret));
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(self) } else { Err(problems) }
    }
}
