//! The ARN of a managed policy in IAM.

use std::sync::Arc;

use super::{AccountId, InvalidArn, Partition, iam_fields, is_name_byte};

/// The ARN of a managed policy: AWS's own (`arn:aws:iam::aws:policy/ReadOnlyAccess`) or an account's (`arn:aws:iam::111122223333:policy/team/P`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ManagedPolicyArn {
    arn: Arc<str>,
    partition: Partition,
    /// None for AWS's own.
    account: Option<AccountId>,
}

impl ManagedPolicyArn {
    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.arn
    }

    /// Whether STS takes it as a session policy in an account: one of AWS's own in the account's partition, or one of the account.
    #[must_use]
    pub fn fits(&self, partition: Partition, account: AccountId) -> bool {
        self.partition == partition && self.account.is_none_or(|own| own == account)
    }
}

impl std::str::FromStr for ManagedPolicyArn {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, InvalidArn> {
        let (partition, account, resource) = iam_fields(text).ok_or(InvalidArn::NotAPolicy)?;
        let path_and_name = resource.strip_prefix("policy/").ok_or(InvalidArn::NotAPolicy)?;
        let partition = partition.parse()?;
        let account = if account == "aws" { None } else { Some(account.parse()?) };
        let (path, name) = path_and_name.rsplit_once('/').unwrap_or(("", path_and_name));
        let path_is_valid = path.len() <= 510 && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        let name_is_valid = (1..=128).contains(&name.len()) && name.bytes().all(is_name_byte);
        if !path_is_valid || !name_is_valid {
            return Err(InvalidArn::PolicyName);
        }
        Ok(Self { arn: text.into(), partition, account })
    }
}

shown_as_arn!(ManagedPolicyArn);

#[cfg(test)]
mod tests {
    use super::super::RoleArn;
    use super::*;

    #[test]
    fn a_policy_fits_a_role_of_its_account_and_partition() {
        let role = |text: &str| text.parse::<RoleArn>().unwrap();
        let (here, there) = (role("arn:aws:iam::111122223333:role/x"), role("arn:aws:iam::444455556666:role/x"));
        let gov = role("arn:aws-us-gov:iam::111122223333:role/x");
        for (policy, fits) in [
            ("arn:aws:iam::aws:policy/ReadOnlyAccess", [true, true, false]),
            ("arn:aws:iam::aws:policy/job-function/Billing", [true, true, false]),
            ("arn:aws:iam::111122223333:policy/team/P", [true, false, false]),
            ("arn:aws-us-gov:iam::aws:policy/ReadOnlyAccess", [false, false, true]),
        ] {
            let policy: ManagedPolicyArn = policy.parse().unwrap();
            assert_eq!([&here, &there, &gov].map(|role| policy.fits(role.partition(), role.account())), fits, "{policy}");
        }
    }

    #[test]
    fn what_is_not_a_policys_arn_is_refused() {
        for (text, reason) in [
            ("arn:aws:iam::111122223333:role/x", InvalidArn::NotAPolicy),
            ("ReadOnlyAccess", InvalidArn::NotAPolicy),
            ("arn:aws-mars:iam::aws:policy/x", InvalidArn::UnknownPartition),
            ("arn:aws:iam::AWS:policy/x", InvalidArn::Account),
            ("arn:aws:iam::aws:policy/", InvalidArn::PolicyName),
            ("arn:aws:iam::aws:policy/a b", InvalidArn::PolicyName),
            ("arn:aws:iam::aws:policy/a:b/c", InvalidArn::PolicyName),
        ] {
            assert_eq!(text.parse::<ManagedPolicyArn>(), Err(reason), "{text}");
        }
    }
}
