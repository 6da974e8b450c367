//! AWS names that are parsed once and valid ever after.
//!
//! Every AWS host name follows from a [`Partition`], and the partition follows from the role's ARN: nothing else in the crate may
//! spell an AWS host. Limits are those of the IAM and STS service models (role name 1–64 characters, ARN 20–2048).

/// Lets a type show itself as the ARN that it holds.
macro_rules! shown_as_arn {
    ($arn:ty) => {
        impl std::fmt::Display for $arn {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.arn)
            }
        }

        impl std::fmt::Debug for $arn {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.arn)
            }
        }

        impl serde::Serialize for $arn {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.arn)
            }
        }
    };
}

mod managed_policy;
mod saml_provider;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use managed_policy::ManagedPolicyArn;
pub use saml_provider::SamlProviderArn;

/// A separate AWS cloud with accounts, hosts and an ARN prefix of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
pub enum Partition {
    /// The commercial cloud.
    #[default]
    #[serde(rename = "aws")]
    Aws,
    /// China (Beijing and Ningxia).
    #[serde(rename = "aws-cn")]
    AwsCn,
    /// GovCloud (US).
    #[serde(rename = "aws-us-gov")]
    AwsUsGov,
    /// The European Sovereign Cloud.
    #[serde(rename = "aws-eusc")]
    AwsEusc,
}

impl Partition {
    /// Every partition that Rolegate serves.
    pub const ALL: [Self; 4] = [Self::Aws, Self::AwsCn, Self::AwsUsGov, Self::AwsEusc];

    /// The partition as it stands in an ARN.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
            Self::AwsEusc => "aws-eusc",
        }
    }

    /// The domain under which the partition's service endpoints stand.
    #[must_use]
    pub const fn dns_suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::AwsUsGov => "amazonaws.com",
            Self::AwsCn => "amazonaws.com.cn",
            Self::AwsEusc => "amazonaws.eu",
        }
    }

    /// The domain under which sign-in and console pages stand; console hosts carry prefixes of AWS's choice before it.
    #[must_use]
    pub const fn console_domain(self) -> &'static str {
        match self {
            Self::Aws => "aws.amazon.com",
            Self::AwsCn => "amazonaws.cn",
            Self::AwsUsGov => "amazonaws-us-gov.com",
            Self::AwsEusc => "amazonaws-eusc.eu",
        }
    }

    /// The host of the console federation endpoint. The Sovereign Cloud has a regional one only.
    #[must_use]
    pub const fn signin_host(self) -> &'static str {
        match self {
            Self::Aws => "signin.aws.amazon.com",
            Self::AwsCn => "signin.amazonaws.cn",
            Self::AwsUsGov => "signin.amazonaws-us-gov.com",
            Self::AwsEusc => "eusc-de-east-1.signin.amazonaws-eusc.eu",
        }
    }

    /// The sign-in endpoint that takes SAML responses: a region's own, or the partition's, which is that of its default region.
    #[must_use]
    pub fn saml_endpoint(self, region: Option<&Region>) -> String {
        let host = self.signin_host();
        let default = format!("{}.", self.default_region());
        match region.filter(|region| region.as_str() != self.default_region()) {
            None => format!("https://{host}/saml"),
            Some(region) => format!("https://{region}.{}/saml", host.strip_prefix(&default).unwrap_or(host)),
        }
    }

    /// The host of the console itself.
    #[must_use]
    pub const fn console_host(self) -> &'static str {
        match self {
            Self::Aws => "console.aws.amazon.com",
            Self::AwsCn => "console.amazonaws.cn",
            Self::AwsUsGov => "console.amazonaws-us-gov.com",
            Self::AwsEusc => "console.amazonaws-eusc.eu",
        }
    }

    /// The region whose STS is asked when the configuration names none for this partition.
    #[must_use]
    pub const fn default_region(self) -> &'static str {
        match self {
            Self::Aws => "us-east-1",
            Self::AwsCn => "cn-north-1",
            Self::AwsUsGov => "us-gov-west-1",
            Self::AwsEusc => "eusc-de-east-1",
        }
    }

    /// Whether a region belongs to this partition, told by the region's prefix.
    #[must_use]
    pub fn has_region(self, region: &Region) -> bool {
        let name = region.as_str();
        let of = if name.starts_with("cn-") {
            Self::AwsCn
        } else if name.starts_with("us-gov-") {
            Self::AwsUsGov
        } else if name.starts_with("eusc-") {
            Self::AwsEusc
        } else {
            Self::Aws
        };
        of == self
    }

    /// The regional STS endpoint of this partition.
    #[must_use]
    pub fn sts_endpoint(self, region: &Region) -> String {
        format!("https://sts.{region}.{}", self.dns_suffix())
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Partition {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, InvalidArn> {
        Self::ALL.into_iter().find(|partition| partition.as_str() == text).ok_or(InvalidArn::UnknownPartition)
    }
}

/// Why a text is not the AWS name it was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidArn {
    /// Not six fields of the form `arn:partition:iam::account:role/name`.
    #[error("not of the form arn:PARTITION:iam::ACCOUNT:role/NAME")]
    NotARole,
    /// The partition is none that Rolegate serves.
    #[error("the partition is not one of aws, aws-cn, aws-us-gov, aws-eusc")]
    UnknownPartition,
    /// The account is not twelve ASCII digits.
    #[error("an account id is exactly twelve digits")]
    Account,
    /// The role's name or path has a character or length that IAM does not allow.
    #[error("a role name has 1 to 64 characters of A-Z a-z 0-9 _ + = , . @ - (a path before it ends each part with /)")]
    RoleName,
    /// Not six fields of the form `arn:partition:iam::account:saml-provider/name`.
    #[error("not of the form arn:PARTITION:iam::ACCOUNT:saml-provider/NAME")]
    NotASamlProvider,
    /// The SAML provider's name has a character or length that IAM does not allow.
    #[error("a SAML provider's name has 1 to 128 characters of A-Z a-z 0-9 . _ -")]
    SamlProviderName,
    /// Not six fields of the form `arn:partition:iam::account:policy/name`.
    #[error("not of the form arn:PARTITION:iam::ACCOUNT:policy/NAME, or with aws for the account")]
    NotAPolicy,
    /// The policy's name or path has a character or length that IAM does not allow.
    #[error("a policy's name has 1 to 128 characters of A-Z a-z 0-9 _ + = , . @ - (a path before it ends each part with /)")]
    PolicyName,
    /// The region is not of the form `xx-name-1`.
    #[error("a region looks like eu-central-1")]
    Region,
}

/// An AWS account's twelve digits. A string, because leading zeros count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId([u8; 12]);

impl AccountId {
    /// The twelve digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Default for AccountId {
    /// Twelve zeros: no account of anybody's.
    fn default() -> Self {
        Self(*b"000000000000")
    }
}

impl FromStr for AccountId {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, InvalidArn> {
        let digits: [u8; 12] = text.as_bytes().try_into().map_err(|_| InvalidArn::Account)?;
        if digits.iter().all(u8::is_ascii_digit) { Ok(Self(digits)) } else { Err(InvalidArn::Account) }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for AccountId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for AccountId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An AWS region's name, for example `eu-central-1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Region(Arc<str>);

impl Region {
    /// The region's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, InvalidArn> {
        let parts: Vec<&str> = text.split('-').collect();
        let words = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        let number = parts.last().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        if text.len() <= 32 && parts.len() >= 3 && words && number { Ok(Self(text.into())) } else { Err(InvalidArn::Region) }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ARN of an IAM role, path included: `arn:aws:iam::111122223333:role/team/Name`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleArn {
    arn: Arc<str>,
    partition: Partition,
    account: AccountId,
    // An ARN has 2,048 bytes at most, and a large organisation has many.
    path_start: u16,
    name_start: u16,
}

impl RoleArn {
    /// The role of that name (a path may stand before it) in an account.
    ///
    /// # Errors
    /// [`InvalidArn::RoleName`] when IAM would not allow the name.
    pub fn new(partition: Partition, account: AccountId, name: &str) -> Result<Self, InvalidArn> {
        format!("arn:{partition}:iam::{account}:role/{name}").parse()
    }

    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.arn
    }

    /// The partition that the role lives in.
    #[must_use]
    pub const fn partition(&self) -> Partition {
        self.partition
    }

    /// The account that the role lives in.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// The role's name without its path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.arn.get(usize::from(self.name_start)..).unwrap_or_default()
    }

    /// The role's name with its path, as it stands after `role/`.
    #[must_use]
    pub fn path_and_name(&self) -> &str {
        self.arn.get(usize::from(self.path_start)..).unwrap_or_default()
    }
}

/// Whether IAM and STS allow this character in names: `[A-Za-z0-9_+=,.@-]`, ASCII only.
#[must_use]
pub const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'=' | b',' | b'.' | b'@' | b'-')
}

/// The partition, the account and the resource of an ARN of IAM's: `arn:{partition}:iam::{account}:{resource}` (IAM User Guide, "IAM
/// identifiers"), at most 2,048 bytes.
fn iam_fields(text: &str) -> Option<(&str, &str, &str)> {
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = fields[..] else { return None };
    (text.len() <= 2048).then_some((partition, account, resource))
}

impl FromStr for RoleArn {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, InvalidArn> {
        let (partition, account, resource) = iam_fields(text).ok_or(InvalidArn::NotARole)?;
        let partition = partition.parse()?;
        let account = account.parse()?;
        let path_and_name = resource.strip_prefix("role/").ok_or(InvalidArn::NotARole)?;
        let (path, name) = path_and_name.rsplit_once('/').unwrap_or(("", path_and_name));
        let name_is_valid = (1..=64).contains(&name.len()) && name.bytes().all(is_name_byte);
        let path_is_valid = path.len() <= 510
            && (path.is_empty() != path_and_name.contains('/'))
            && path.split('/').all(|part| path.is_empty() || (!part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic() && b != b':')));
        if !name_is_valid || !path_is_valid {
            return Err(InvalidArn::RoleName);
        }
        let start = |of: &str| u16::try_from(text.len() - of.len()).map_err(|_| InvalidArn::NotARole);
        Ok(Self { arn: text.into(), partition, account, path_start: start(path_and_name)?, name_start: start(name)? })
    }
}

shown_as_arn!(RoleArn);

impl<'de> Deserialize<'de> for RoleArn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_arn_knows_its_parts() {
        let role: RoleArn = "arn:aws-us-gov:iam::012345678901:role/team/a/Deploy@x".parse().unwrap();
        assert_eq!(role.partition(), Partition::AwsUsGov);
        assert_eq!(role.account().as_str(), "012345678901");
        assert_eq!(role.name(), "Deploy@x");
        assert_eq!(role.path_and_name(), "team/a/Deploy@x");
    }

    #[test]
    fn what_is_not_a_role_arn_is_refused() {
        for (text, reason) in [
            ("arn:aws:iam::111122223333:user/x", InvalidArn::NotARole),
            ("arn:aws:sts::111122223333:role/x", InvalidArn::NotARole),
            ("arn:aws:iam:eu-west-1:111122223333:role/x", InvalidArn::NotARole),
            ("arn:aws-mars:iam::111122223333:role/x", InvalidArn::UnknownPartition),
            ("arn:aws:iam::11112222333:role/x", InvalidArn::Account),
            ("arn:aws:iam::١١١١٢٢٢٢٣٣٣٣:role/x", InvalidArn::Account),
            ("arn:aws:iam::111122223333:role/", InvalidArn::RoleName),
            ("arn:aws:iam::111122223333:role/x\n", InvalidArn::RoleName),
            ("arn:aws:iam::111122223333:role/*", InvalidArn::RoleName),
            ("arn:aws:iam::111122223333:role//x", InvalidArn::RoleName),
            ("arn:aws:iam::111122223333:role/a//x", InvalidArn::RoleName),
            ("arn:aws:iam::111122223333:role/ünï", InvalidArn::RoleName),
        ] {
            assert_eq!(text.parse::<RoleArn>(), Err(reason), "{text}");
        }
        let long = format!("arn:aws:iam::111122223333:role/{}", "a".repeat(65));
        assert_eq!(long.parse::<RoleArn>(), Err(InvalidArn::RoleName));
    }

    #[test]
    fn every_partition_has_hosts_of_its_own() {
        for partition in Partition::ALL {
            let region: Region = partition.default_region().parse().unwrap();
            assert!(partition.has_region(&region), "{partition}");
            assert!(Partition::ALL.into_iter().filter(|other| other.has_region(&region)).count() == 1);
            assert!(partition.signin_host().ends_with(partition.console_domain()));
            assert!(partition.console_host().ends_with(partition.console_domain()));
            assert_eq!(partition.to_string().parse::<Partition>(), Ok(partition));
        }
        let eusc: Region = "eusc-de-east-1".parse().unwrap();
        assert_eq!(Partition::AwsEusc.sts_endpoint(&eusc), "https://sts.eusc-de-east-1.amazonaws.eu");
    }

    #[test]
    fn the_saml_endpoint_follows_from_partition_and_region() {
        let endpoint =
            |partition: Partition, region: Option<&str>| partition.saml_endpoint(region.map(|name| name.parse().unwrap()).as_ref());
        assert_eq!(endpoint(Partition::Aws, None), "https://signin.aws.amazon.com/saml");
        assert_eq!(endpoint(Partition::Aws, Some("eu-central-1")), "https://eu-central-1.signin.aws.amazon.com/saml");
        assert_eq!(endpoint(Partition::Aws, Some("us-east-1")), "https://signin.aws.amazon.com/saml");
        assert_eq!(endpoint(Partition::AwsCn, None), "https://signin.amazonaws.cn/saml");
        assert_eq!(endpoint(Partition::AwsUsGov, Some("us-gov-east-1")), "https://us-gov-east-1.signin.amazonaws-us-gov.com/saml");
        for region in [None, Some("eusc-de-east-1")] {
            assert_eq!(endpoint(Partition::AwsEusc, region), "https://eusc-de-east-1.signin.amazonaws-eusc.eu/saml");
        }
    }

    #[test]
    fn a_region_is_checked() {
        for good in ["eu-central-1", "us-gov-west-1", "cn-northwest-1"] {
            assert!(good.parse::<Region>().is_ok(), "{good}");
        }
        for bad in ["", "eu-central", "eu_central_1", "EU-central-1", "eu--1", "a.b-c-1", "evil.example/-x-1"] {
            assert_eq!(bad.parse::<Region>(), Err(InvalidArn::Region), "{bad}");
        }
    }
}
