//! Sessions that STS issued, and the ledger of them.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE32_NOPAD, BASE64};
use secrecy::{ExposeSecret, SecretString};

use super::tags::SessionTag;
use crate::arn::{AccountId, Partition, RoleArn};
use crate::clock::Moment;
use crate::sandbox::shelf::random;

/// One line of the ledger: what STS issued, without the secret parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// When.
    pub at: Moment,
    /// The operation.
    pub operation: &'static str,
    /// The role; none for a session that is none of a role.
    pub role: Option<RoleArn>,
    /// The session's ARN, as `GetCallerIdentity` shows it.
    pub arn: String,
    /// The session's name: the role session's, or that of the federated user.
    pub session_name: String,
    /// The source identity, if it has one.
    pub source_identity: Option<String>,
    /// The session tags, ordered by key.
    pub tags: Vec<SessionTag>,
    /// The token's or the assertion's issuer, or who signed the call.
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
    pub(super) fn of(session: &StsSession, operation: &'static str, at: Moment) -> Self {
        Self {
            at,
            operation,
            role: session.role().cloned(),
            arn: session.arn(),
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

/// Whose session it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) enum Holder {
    /// A role's.
    Role(RoleArn),
    /// A federated user's (`GetFederationToken`), who acts for an IAM user of this account.
    Federated(Partition, AccountId),
    /// An IAM user's own (`GetSessionToken`).
    User { arn: String, account: AccountId },
}

/// A session, with the credentials for it. They look like AWS's own and are good for nothing outside the sandbox.
pub(in crate::sandbox) struct StsSession {
    pub(in crate::sandbox) holder: Holder,
    pub(in crate::sandbox) session_name: String,
    pub(in crate::sandbox) source_identity: Option<String>,
    pub(in crate::sandbox) tags: Vec<SessionTag>,
    /// Whether another session asked for it (role chaining).
    pub(in crate::sandbox) chained: bool,
    pub(in crate::sandbox) access_key_id: String,
    pub(in crate::sandbox) secret_access_key: SecretString,
    pub(in crate::sandbox) session_token: SecretString,
    pub(in crate::sandbox) expires: Moment,
}

impl StsSession {
    /// A session under this name, and nothing else said of it.
    pub(super) fn new(holder: Holder, session_name: &str, expires: Moment) -> Self {
        Self {
            holder,
            session_name: session_name.to_owned(),
            source_identity: None,
            tags: Vec::new(),
            chained: false,
            access_key_id: format!("ASIA{}", BASE32_NOPAD.encode(&random::<10>())),
            secret_access_key: BASE64.encode(&random::<30>()).into(),
            session_token: format!("SandboxSessionToken/{}", BASE64.encode(&random::<480>())).into(),
            expires,
        }
    }

    /// The role, if it is a role's session.
    pub(in crate::sandbox) const fn role(&self) -> Option<&RoleArn> {
        if let Holder::Role(role) = &self.holder { Some(role) } else { None }
    }

    /// The account it acts in.
    pub(in crate::sandbox) const fn account(&self) -> AccountId {
        match &self.holder {
            Holder::Role(role) => role.account(),
            Holder::Federated(_, account) | Holder::User { account, .. } => *account,
        }
    }

    /// The session's ARN, as CloudTrail and `sts get-caller-identity` show it.
    pub(in crate::sandbox) fn arn(&self) -> String {
        match &self.holder {
            Holder::Role(role) => {
                format!("arn:{}:sts::{}:assumed-role/{}/{}", role.partition(), role.account(), role.name(), self.session_name)
            }
            Holder::Federated(partition, account) => format!("arn:{partition}:sts::{account}:federated-user/{}", self.session_name),
            Holder::User { arn, .. } => arn.clone(),
        }
    }

    /// The holder's unique id, and the session's name. The same role or user always has the same id.
    pub(in crate::sandbox) fn id(&self) -> String {
        match &self.holder {
            Holder::Role(role) => format!("{}:{}", unique_id("AROA", role.as_str()), self.session_name),
            Holder::Federated(_, account) => format!("{account}:{}", self.session_name),
            Holder::User { arn, .. } => unique_id("AIDA", arn),
        }
    }

    /// What a trust policy names as principal to let this session in.
    pub(super) fn principal(&self) -> String {
        self.role().map_or_else(|| self.arn(), ToString::to_string)
    }

    pub(in crate::sandbox) fn has_token(&self, token: &str) -> bool {
        same(&self.session_token, token)
    }

    pub(in crate::sandbox) fn has_secret(&self, secret: &str) -> bool {
        same(&self.secret_access_key, secret)
    }
}

/// The unique id that IAM gives to a role or a user.
pub(super) fn unique_id(prefix: &str, arn: &str) -> String {
    let hash: Vec<u8> = digest(&SHA256, arn.as_bytes()).as_ref().iter().take(10).copied().collect();
    format!("{prefix}{}", BASE32_NOPAD.encode(&hash))
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
        let session = StsSession::new(Holder::Role(role), "ana", DateTime::from_timestamp(0, 0).unwrap());
        assert_eq!((session.access_key_id.len(), session.secret_access_key.expose_secret().len()), (20, 40));
        assert!(session.session_token.expose_secret().len() > 600);
        assert_eq!(session.arn(), "arn:aws-cn:sts::111122223333:assumed-role/Developer/ana");
        assert!(session.id().starts_with("AROA") && session.id().len() == 24);
        assert!(!session.has_secret("") && !session.has_token("x"));
        assert_eq!(request_id().len(), 36);
    }
}
