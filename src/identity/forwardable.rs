//! A SAML response that is addressed to AWS, kept to be passed on.

use serde::{Deserialize, Serialize};

use super::UpstreamToken;
use crate::arn::{RoleArn, SamlProviderArn};
use crate::clock::Moment;

/// A response that the provider addressed to AWS and not to us. The sign-in verified all that it says; AWS takes it for five minutes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Forwardable {
    /// The whole response in base64. Worth credentials: it prints nothing.
    pub(crate) response: UpstreamToken,
    /// The assertion's ID.
    pub(crate) assertion_id: String,
    /// When the assertion was issued.
    pub(crate) issued: Moment,
    /// From when on AWS does not take it: the earliest `NotOnOrAfter` of the assertion.
    pub(crate) expires: Moment,
    /// The `Role` values: roles, each with the SAML provider that vouches for it.
    pub(crate) roles: Vec<(String, String)>,
}

/// AWS's attribute with the roles (IAM User Guide, "Configure SAML assertions for the authentication response").
const ROLE: &str = "https://aws.amazon.com/SAML/Attributes/Role";

impl Forwardable {
    /// The pairs of a `Role` attribute; AWS takes both orders. What is no such pair offers nothing.
    pub(super) fn pairs<'a>(attributes: impl Iterator<Item = (&'a str, &'a [String])>) -> Vec<(String, String)> {
        let values = attributes.filter(|(name, _)| *name == ROLE).flat_map(|(_, values)| values);
        let pair = |value: &String| {
            let (one, other) = value.split_once(',')?;
            let (one, other) = (one.trim(), other.trim());
            let is_pair = |role: &str, provider: &str| role.parse::<RoleArn>().is_ok() && provider.parse::<SamlProviderArn>().is_ok();
            if is_pair(one, other) {
                Some((one.to_owned(), other.to_owned()))
            } else {
                is_pair(other, one).then(|| (other.to_owned(), one.to_owned()))
            }
        };
        values.filter_map(pair).collect()
    }

    /// The provider that vouches for a role, if the response offers it with one of the role's own account.
    pub(crate) fn provider_of(&self, role: &RoleArn) -> Option<SamlProviderArn> {
        let fits = |provider: &SamlProviderArn| provider.account() == role.account() && provider.partition() == role.partition();
        let offered = self.roles.iter().filter(|(offered, _)| offered == role.as_str());
        offered.filter_map(|(_, provider)| provider.parse().ok()).find(fits)
    }
}
