//! What rules grant: mostly a role, and two things that are none.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::arn::{AccountId, Partition, RoleArn};

/// What the session acts as.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// A role.
    Role(RoleArn),
    /// A federated session without a role, by the name that rules give it (`GetFederationToken`): `federated:aws:111122223333:billing-reader`.
    Federated(Named),
    /// An IAM user, by the id under which the gateway holds its keys (`GetSessionToken`): `iam-user:aws:111122223333:ana-legacy`.
    IamUser(Named),
}

/// A name in an account, for what has no ARN before it is had.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Named {
    /// `KIND:PARTITION:ACCOUNT:NAME`.
    text: Arc<str>,
    /// `KIND:NAME`, which no role's name can be: it has no colon.
    label: Arc<str>,
    partition: Partition,
    account: AccountId,
}

const FEDERATED: &str = "federated";
const IAM_USER: &str = "iam-user";

/// Why a text names nothing that rules could grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no role's ARN, and none of federated:PARTITION:ACCOUNT:NAME and iam-user:PARTITION:ACCOUNT:NAME")]
pub struct NoTarget;

/// Whether a federated session or a held user can be called so: 1 to 32 of `[A-Za-z0-9._-]`.
pub(super) fn is_name(name: &str) -> bool {
    (1..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl Named {
    fn new(kind: &str, partition: Partition, account: AccountId, name: &str) -> Option<Self> {
        let text = format!("{kind}:{partition}:{account}:{name}").into();
        is_name(name).then(|| Self { text, label: format!("{kind}:{name}").into(), partition, account })
    }

    fn name(&self) -> &str {
        self.label.split_once(':').map_or(&*self.label, |(_, name)| name)
    }
}

impl Target {
    /// A federated session of that name in an account; none for a name that cannot be one.
    pub(super) fn federated(partition: Partition, account: AccountId, name: &str) -> Option<Self> {
        Named::new(FEDERATED, partition, account, name).map(Self::Federated)
    }

    /// An IAM user that the gateway holds under that id in an account; none for an id that cannot be one.
    pub(super) fn iam_user(partition: Partition, account: AccountId, id: &str) -> Option<Self> {
        Named::new(IAM_USER, partition, account, id).map(Self::IamUser)
    }

    /// What an account has under the name that rules and links use: a role's name with its path, `federated:NAME` or `iam-user:NAME`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the name.
    pub(super) fn in_account(partition: Partition, account: AccountId, label: &str) -> Result<Self, String> {
        let found = match label.split_once(':') {
            Some((FEDERATED, name)) => Self::federated(partition, account, name),
            Some((IAM_USER, name)) => Self::iam_user(partition, account, name),
            _ => return RoleArn::new(partition, account, label).map(Self::Role).map_err(|error| error.to_string()),
        };
        found.ok_or_else(|| "a name has 1 to 32 of A-Z a-z 0-9 . _ -".to_owned())
    }

    /// The role, if it is one.
    #[must_use]
    pub const fn role(&self) -> Option<&RoleArn> {
        if let Self::Role(role) = self { Some(role) } else { None }
    }

    /// The whole text: what forms post and the audit trail shows.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Role(role) => role.as_str(),
            Self::Federated(named) | Self::IamUser(named) => &named.text,
        }
    }

    /// The partition it lives in.
    #[must_use]
    pub const fn partition(&self) -> Partition {
        match self {
            Self::Role(role) => role.partition(),
            Self::Federated(named) | Self::IamUser(named) => named.partition,
        }
    }

    /// The account it lives in.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        match self {
            Self::Role(role) => role.account(),
            Self::Federated(named) | Self::IamUser(named) => named.account,
        }
    }

    /// The name within its account, with a role's path: what rules and links use.
    #[must_use]
    pub fn path_and_name(&self) -> &str {
        match self {
            Self::Role(role) => role.path_and_name(),
            Self::Federated(named) | Self::IamUser(named) => &named.label,
        }
    }

    /// The name within its account, without a role's path.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Role(role) => role.name(),
            Self::Federated(named) | Self::IamUser(named) => &named.label,
        }
    }

    /// The name as people see it, beside which its kind must stand.
    #[must_use]
    pub fn title(&self) -> &str {
        match self {
            Self::Role(role) => role.path_and_name(),
            Self::Federated(named) | Self::IamUser(named) => named.name(),
        }
    }
}

impl JsonSchema for Target {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let partitions = Partition::ALL.map(Partition::as_str).join("|");
        let role = format!("arn:({partitions}):iam::[0-9]{{12}}:role/([!-.0-9;-~]+/)*[A-Za-z0-9_+=,.@-]{{1,64}}");
        let named = format!("({FEDERATED}|{IAM_USER}):({partitions}):[0-9]{{12}}:[A-Za-z0-9._-]{{1,32}}");
        json_schema!({
            "type": "string",
            "pattern": format!("^({role}|{named})$"),
            "maxLength": 2048,
            "description": "The ARN of an IAM role; or federated:PARTITION:ACCOUNT:NAME or iam-user:PARTITION:ACCOUNT:NAME, for what is no role.",
            "examples": ["arn:aws:iam::111122223333:role/ReadOnly"]
        })
    }
}

impl From<RoleArn> for Target {
    fn from(role: RoleArn) -> Self {
        Self::Role(role)
    }
}

impl PartialEq<RoleArn> for Target {
    fn eq(&self, role: &RoleArn) -> bool {
        self.role() == Some(role)
    }
}

impl FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, NoTarget> {
        if text.starts_with("arn:") {
            return text.parse().map(Self::Role).map_err(|_| NoTarget);
        }
        let fields: Vec<&str> = text.split(':').collect();
        let [kind, partition, account, name] = fields[..] else { return Err(NoTarget) };
        let (partition, account) = (partition.parse().map_err(|_| NoTarget)?, account.parse().map_err(|_| NoTarget)?);
        match kind {
            FEDERATED => Self::federated(partition, account, name),
            IAM_USER => Self::iam_user(partition, account, name),
            _ => None,
        }
        .ok_or(NoTarget)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Target {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_role_has_a_text_and_a_name_of_its_own() {
        for (text, label, title) in [
            ("arn:aws-cn:iam::111122223333:role/team/Dev", "team/Dev", "team/Dev"),
            ("federated:aws-cn:111122223333:billing-reader", "federated:billing-reader", "billing-reader"),
            ("iam-user:aws-cn:111122223333:ana.legacy", "iam-user:ana.legacy", "ana.legacy"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!((target.as_str(), target.path_and_name(), target.title()), (text, label, title));
            assert_eq!((target.partition(), target.account().as_str()), (Partition::AwsCn, "111122223333"));
            assert_eq!(Target::in_account(Partition::AwsCn, target.account(), label).as_ref(), Ok(&target));
            assert_eq!(target.role().is_some(), text.starts_with("arn:"));
            let again: Target = serde_json::from_str(&serde_json::to_string(&target).unwrap()).unwrap();
            assert_eq!(again, target);
        }
    }

    #[test]
    fn the_schema_takes_what_the_parser_takes() {
        let schema = SchemaGenerator::default().into_root_schema_for::<Target>();
        let pattern = regex::Regex::new(schema.get("pattern").unwrap().as_str().unwrap()).unwrap();
        for text in [
            "arn:aws:iam::111122223333:role/x",
            "arn:aws-cn:iam::012345678901:role/team/a!b/Deploy@x",
            "federated:aws:111122223333:billing-reader",
            "iam-user:aws-eusc:111122223333:ana.legacy",
        ] {
            assert!(pattern.is_match(text) && text.parse::<Target>().is_ok(), "{text}");
        }
        for text in [
            "arn:aws-mars:iam::111122223333:role/x",
            "arn:aws:iam::111122223333:role//x",
            "arn:aws:iam::111122223333:role/a:b/x",
            "arn:aws-eusc:iam::1",
            "federated:aws:111122223333:a b",
            "other:aws:111122223333:a",
        ] {
            assert!(!pattern.is_match(text) && text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn a05_what_names_nothing_is_no_target() {
        for text in [
            "",
            "federated:aws:111122223333:",
            "federated:aws:111122223333:a b",
            "federated:aws:111122223333:a:b",
            "federated:aws:1:a",
            "federated:moon:111122223333:a",
            "other:aws:111122223333:a",
            "federated:billing-reader",
            "arn:aws:iam::111122223333:user/ana",
            "arn:aws:sts::111122223333:federated-user/ana",
        ] {
            assert_eq!(text.parse::<Target>(), Err(NoTarget), "{text}");
        }
        let long = format!("federated:aws:111122223333:{}", "x".repeat(33));
        assert!(long.parse::<Target>().is_err());
    }
}
