//! What a gateway grants, as it calls it: a role by its ARN, and two things that are none.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::arn::{AccountId, InvalidArn, Partition, RoleArn, is_name_byte};

/// What is no role: `federated:PARTITION:ACCOUNT:NAME` (a session without a role) and `iam-user:PARTITION:ACCOUNT:NAME`.
const KINDS: [&str; 2] = ["federated", "iam-user"];

/// A role, or what stands in its place. It is one word of letters, digits and `_+=,.@:/-`: it is written into command lines that shells run, and
/// IAM lets a role's path have any printable character.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    text: String,
    /// The name within its account, with a role's path: `team/Dev`, `federated:billing`.
    label: String,
}

impl Target {
    /// The whole text, which the gateway understands.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The name within its account, with a role's path.
    pub(super) fn path_and_name(&self) -> &str {
        &self.label
    }

    /// The name within its account.
    pub(super) fn name(&self) -> &str {
        self.label.rsplit('/').next().unwrap_or_default()
    }
}

impl FromStr for Target {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, InvalidArn> {
        let [kind, partition, account, name] = text.split(':').collect::<Vec<_>>()[..] else {
            let role: RoleArn = text.parse()?;
            let is_a_word = text.bytes().all(|byte| is_name_byte(byte) || matches!(byte, b':' | b'/'));
            return if is_a_word {
                Ok(Self { text: text.to_owned(), label: role.path_and_name().to_owned() })
            } else {
                Err(InvalidArn::RoleName)
            };
        };
        partition.parse::<Partition>()?;
        account.parse::<AccountId>()?;
        let is_one = KINDS.contains(&kind) && !name.is_empty() && name.len() <= 64 && name.bytes().all(is_name_byte);
        if is_one { Ok(Self { text: text.to_owned(), label: format!("{kind}:{name}") }) } else { Err(InvalidArn::NotARole) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_role_or_what_stands_in_its_place_and_goes_into_a_command_line_as_it_is() {
        for (text, name, label) in [
            ("arn:aws:iam::111122223333:role/team/Dev", "Dev", "team/Dev"),
            ("federated:aws:111122223333:billing-reader", "federated:billing-reader", "federated:billing-reader"),
            ("iam-user:aws-cn:111122223333:ana.legacy", "iam-user:ana.legacy", "iam-user:ana.legacy"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!((target.as_str(), target.name(), target.path_and_name()), (text, name, label));
        }
        for bad in [
            "Production/Dev",
            "federated:aws:111122223333:",
            "federated:aws:1111:x",
            "federated:aws:111122223333:a b",
            "group:aws:111122223333:x",
            "arn:aws:iam::111122223333:role/$(id)/x",
            "arn:aws:iam::111122223333:role/a\"b/x",
        ] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
        for byte in (b'!'..=b'~').filter(|byte| !is_name_byte(*byte) && *byte != b'/') {
            let path = char::from(byte);
            assert!(format!("arn:aws:iam::111122223333:role/a{path}b/Dev").parse::<Target>().is_err(), "{path} means something to a shell");
        }
    }
}
