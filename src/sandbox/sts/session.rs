//! Sessions that STS issued, and the ledger of them.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE32_NOPAD, BASE64};
use secrecy::{ExposeSecret, SecretString};

use super::tags::SessionTag;
use crate::arn::RoleArn;
use crate::clock::Moment;
use crate::sandbox::shelf::random;

/// One line of the ledger: what STS issued, without the secret parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// When.
    pub at: Moment,
    /// The role.
    pub role: RoleArn,
    /// The role session's name.
    pub session_name: String,
    /// The source identity, if the token had one.
    pub source_identity: Option<String>,
    /// The session tags, ordered by key.
    pub tags: Vec<SessionTag>,
    /// The token's or the assertion's issuer.
    pub issuer: String,
    /// The token's or the assertion's subject.
    pub subject: String,
    /// The token's `jti`, if it had one, or the assertion's ID.
    pub jti: Option<String>,
    /// The access key id.
    pub access_key_id: String,
    /// When the credentials expire.
    pub expires: Moment,
}

impl Issued {
    /// A line about a session, with nothing yet of what proved it.
    pub(super) fn of(session: &AssumedRole, at: Moment) -> Self {
        Self {
            at,
            role: session.role.clone(),
            session_name: session.session_name.clone(),
            source_identity: session.source_identity.clone(),
            tags: session.tags.clone(),
            issuer: String::new(),
            subject: String::new(),
            jti: None,
            access_key_id: session.access_key_id.clone(),
            expires: session.expires,
        }
    }
}

/// An assumed role, with the credentials for it. They look like AWS's own and are good for nothing outside the sandbox.
pub(in crate::sandbox) struct AssumedRole {
    pub(in crate::sandbox) role: RoleArn,
    pub(in crate::sandbox) session_name: String,
    pub(in crate::sandbox) source_identity: Option<String>,
    pub(in crate::sandbox) tags: Vec<SessionTag>,
    pub(in crate::sandbox) access_key_id: String,
    pub(in crate::sandbox) secret_access_key: SecretString,
    pub(in crate::sandbox) session_token: SecretString,
    pub(in crate::sandbox) expires: Moment,
}

impl AssumedRole {
    pub(super) fn issue(
        role: RoleArn,
        session_name: &str,
        source_identity: Option<String>,
        tags: Vec<SessionTag>,
        expires: Moment,
    ) -> Arc<Self> {
        Arc::new(Self {
            role,
            session_name: session_name.to_owned(),
            source_identity,
            tags,
            access_key_id: format!("ASIA{}", BASE32_NOPAD.encode(&random::<10>())),
            secret_access_key: BASE64.encode(&random::<30>()).into(),
            session_token: format!("SandboxSessionToken/{}", BASE64.encode(&random::<480>())).into(),
            expires,
        })
    }

    /// The session's ARN, as CloudTrail and `sts get-caller-identity` show it.
    pub(in crate::sandbox) fn assumed_role_arn(&self) -> String {
        format!("arn:{}:sts::{}:assumed-role/{}/{}", self.role.partition(), self.role.account(), self.role.name(), self.session_name)
    }

    /// The role's unique id and the session's name. The same role always has the same id.
    pub(in crate::sandbox) fn assumed_role_id(&self) -> String {
        let hash: Vec<u8> = digest(&SHA256, self.role.as_str().as_bytes()).as_ref().iter().take(10).copied().collect();
        format!("AROA{}:{}", BASE32_NOPAD.encode(&hash), self.session_name)
    }

    pub(in crate::sandbox) fn has_token(&self, token: &str) -> bool {
        same(&self.session_token, token)
    }

    pub(in crate::sandbox) fn has_secret(&self, secret: &str) -> bool {
        same(&self.secret_access_key, secret)
    }
}

fn same(known: &SecretString, shown: &str) -> bool {
    verify_slices_are_equal(known.expose_secret().as_bytes(), shown.as_bytes()).is_ok()
}

/// A request id in the form that AWS uses.
pub(super) fn request_id() -> String {
    let digits = data_encoding::HEXLOWER.encode(&random::<16>());
    let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn credentials_have_the_form_of_awss() {
        let role: RoleArn = "arn:aws-cn:iam::111122223333:role/team/Developer".parse().unwrap();
        let session = AssumedRole::issue(role, "ana", None, Vec::new(), DateTime::from_timestamp(0, 0).unwrap());
        assert_eq!((session.access_key_id.len(), session.secret_access_key.expose_secret().len()), (20, 40));
        assert!(session.session_token.expose_secret().len() > 600);
        assert_eq!(session.assumed_role_arn(), "arn:aws-cn:sts::111122223333:assumed-role/Developer/ana");
        assert!(session.assumed_role_id().starts_with("AROA") && session.assumed_role_id().len() == 24);
        assert!(!session.has_secret("") && !session.has_token("x"));
        assert_eq!(request_id().len(), 36);
    }
}
