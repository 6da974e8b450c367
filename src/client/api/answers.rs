//! What the API answers. Members that are not known here are passed over, so that an older command line works with a newer gateway.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::super::target::Target;
use crate::arn::AccountId;
use crate::aws::formats::Keys;
use crate::clock::Moment;

/// `GET /api/v1/me`.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::client) struct Me {
    pub(in crate::client) username: String,
    #[serde(default)]
    pub(in crate::client) subject: String,
    #[serde(default)]
    pub(in crate::client) provider: String,
    #[serde(default)]
    pub(in crate::client) groups: Vec<String>,
    pub(in crate::client) session: SessionInfo,
}

/// The session of `GET /api/v1/me`.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::client) struct SessionInfo {
    #[serde(default)]
    pub(in crate::client) began: Option<Moment>,
    #[serde(default)]
    pub(in crate::client) idle_ends: Option<Moment>,
    pub(in crate::client) ends: Moment,
    #[serde(default)]
    pub(in crate::client) kind: String,
    #[serde(default)]
    pub(in crate::client) name: Option<String>,
}

/// `GET /api/v1/roles`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Listed")]
pub(in crate::client) struct RoleList {
    pub(in crate::client) roles: Vec<Role>,
    /// What the list has besides, as it is written there: names that are not safe in a command line.
    #[serde(skip)]
    pub(in crate::client) left_out: Vec<String>,
}

/// The list as it comes: one role that cannot be used must not take the others with it.
#[derive(Deserialize)]
struct Listed {
    roles: Vec<MaybeRole>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum MaybeRole {
    Role(Box<Role>),
    Named { arn: String },
}

impl From<Listed> for RoleList {
    fn from(listed: Listed) -> Self {
        let (mut roles, mut left_out) = (Vec::new(), Vec::new());
        for role in listed.roles {
            match role {
                MaybeRole::Role(role) => roles.push(*role),
                MaybeRole::Named { arn } => left_out.push(arn),
            }
        }
        Self { roles, left_out }
    }
}

/// A role that somebody has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::client) struct Role {
    pub(in crate::client) arn: Target,
    pub(in crate::client) account: Account,
    #[serde(flatten)]
    pub(in crate::client) way: Way,
    /// Whether it is for emergencies.
    #[serde(default)]
    pub(in crate::client) break_glass: bool,
    /// How it can be had in an emergency, beside the usual way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::client) emergency: Option<Way>,
}

/// A way to have a role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::client) struct Way {
    #[serde(default)]
    pub(in crate::client) purposes: Vec<String>,
    #[serde(default)]
    pub(in crate::client) max_session_seconds: Option<u64>,
    #[serde(default)]
    pub(in crate::client) needs: Needs,
    /// Why it cannot be taken although it is granted; an administrator must mend that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::client) obstacle: Option<String>,
}

/// The account of a role.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::client) struct Account {
    pub(in crate::client) id: AccountId,
    pub(in crate::client) name: String,
    #[serde(default)]
    pub(in crate::client) alias: Option<String>,
    #[serde(default)]
    pub(in crate::client) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(in crate::client) ou: Option<String>,
}

/// What must be given before a role is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in crate::client) struct Needs {
    #[serde(default)]
    pub(in crate::client) reason: Option<serde_json::Value>,
    #[serde(default)]
    pub(in crate::client) fresh_sign_in: bool,
    #[serde(default)]
    pub(in crate::client) mfa_code: bool,
}

impl Role {
    /// Whether the role may be had for a purpose.
    pub(in crate::client) fn is_for(&self, purpose: &str) -> bool {
        let in_emergency = self.emergency.iter().flat_map(|way| &way.purposes);
        self.way.purposes.is_empty() || self.way.purposes.iter().chain(in_emergency).any(|known| known == purpose)
    }
}

/// `POST /api/v1/credentials`. Secrets; [`Credentials`] are made of it.
#[derive(Serialize, Deserialize)]
pub(in crate::client) struct CredentialsAnswer {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: Moment,
}

/// Temporary credentials. The secret parts print nothing.
pub(in crate::client) struct Credentials {
    pub(in crate::client) access_key_id: String,
    pub(in crate::client) secret_access_key: SecretString,
    pub(in crate::client) session_token: SecretString,
    /// When AWS stops accepting them.
    pub(in crate::client) expires: Moment,
}

impl Credentials {
    /// What formats write of them.
    pub(in crate::client) fn keys(&self) -> Keys<'_> {
        Keys {
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            session_token: &self.session_token,
            expires: self.expires,
        }
    }
}

impl CredentialsAnswer {
    /// When AWS stops accepting them.
    pub(in crate::client) const fn expires(&self) -> Moment {
        self.expiration
    }
}

impl From<CredentialsAnswer> for Credentials {
    fn from(answer: CredentialsAnswer) -> Self {
        Self {
            access_key_id: answer.access_key_id,
            secret_access_key: answer.secret_access_key.into(),
            session_token: answer.session_token.into(),
            expires: answer.expiration,
        }
    }
}

/// `POST /api/v1/console`. The address is a secret: who opens it is signed in.
#[derive(Deserialize)]
pub(in crate::client) struct ConsoleAnswer {
    url: String,
}

impl ConsoleAnswer {
    /// The address, if it looks like one.
    pub(in crate::client) fn into_url(self) -> Option<SecretString> {
        let is_one =
            self.url.bytes().all(|byte| byte.is_ascii_graphic()) && (self.url.starts_with("https://") || self.url.starts_with("http://"));
        is_one.then(|| SecretString::from(self.url))
    }
}
