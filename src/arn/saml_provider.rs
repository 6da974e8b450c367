//! The ARN of a SAML provider in IAM.

use std::sync::Arc;

use super::{AccountId, InvalidArn, Partition, iam_fields};

/// The ARN of a SAML provider in IAM: `arn:aws:iam::111122223333:saml-provider/Name`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SamlProviderArn {
    arn: Arc<str>,
    partition: Partition,
    account: AccountId,
    name_start: usize,
}

impl SamlProviderArn {
    /// The provider of that name in an account.
    ///
    /// # Errors
    /// [`InvalidArn::SamlProviderName`] when IAM would not allow the name.
    pub fn new(partition: Partition, account: AccountId, name: &str) -> Result<Self, InvalidArn> {
        format!("arn:{partition}:iam::{account}:saml-provider/{name}").parse()
    }

    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.arn
    }

    /// The partition that it lives in.
    #[must_use]
    pub const fn partition(&self) -> Partition {
        self.partition
    }

    /// The account that it lives in.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// Its name: 1 to 128 of `A-Z a-z 0-9 . _ -` (IAM API reference, `CreateSAMLProvider`).
    #[must_use]
    pub fn name(&self) -> &str {
        self.arn.get(self.name_start..).unwrap_or_default()
    }
}

impl std::str::FromStr for SamlProviderArn {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, InvalidArn> {
        let (partition, account, resource) = iam_fields(text).ok_or(InvalidArn::NotASamlProvider)?;
        let name = resource.strip_prefix("saml-provider/").ok_or(InvalidArn::NotASamlProvider)?;
        let (partition, account) = (partition.parse()?, account.parse()?);
        let fits = (1..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !fits {
            return Err(InvalidArn::SamlProviderName);
        }
        Ok(Self { arn: text.into(), partition, account, name_start: text.len() - name.len() })
    }
}

shown_as_arn!(SamlProviderArn);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_knows_its_parts() {
        let arn: SamlProviderArn = "arn:aws-us-gov:iam::012345678901:saml-provider/Role.gate-2".parse().unwrap();
        assert_eq!((arn.partition(), arn.account().as_str(), arn.name()), (Partition::AwsUsGov, "012345678901", "Role.gate-2"));
        assert_eq!(SamlProviderArn::new(arn.partition(), arn.account(), "Role.gate-2"), Ok(arn));
    }

    #[test]
    fn what_is_not_a_saml_providers_arn_is_refused() {
        for (text, reason) in [
            ("arn:aws:iam::111122223333:oidc-provider/x", InvalidArn::NotASamlProvider),
            ("arn:aws:iam::111122223333:role/x", InvalidArn::NotASamlProvider),
            ("Rolegate", InvalidArn::NotASamlProvider),
            ("arn:aws-mars:iam::111122223333:saml-provider/x", InvalidArn::UnknownPartition),
            ("arn:aws:iam::1111:saml-provider/x", InvalidArn::Account),
            ("arn:aws:iam::111122223333:saml-provider/", InvalidArn::SamlProviderName),
            ("arn:aws:iam::111122223333:saml-provider/a,b", InvalidArn::SamlProviderName),
            ("arn:aws:iam::111122223333:saml-provider/a/b", InvalidArn::SamlProviderName),
            ("arn:aws:iam::111122223333:saml-provider/a<b", InvalidArn::SamlProviderName),
        ] {
            assert_eq!(text.parse::<SamlProviderArn>(), Err(reason), "{text}");
        }
        let long = format!("arn:aws:iam::111122223333:saml-provider/{}", "a".repeat(129));
        assert_eq!(long.parse::<SamlProviderArn>(), Err(InvalidArn::SamlProviderName));
    }
}
