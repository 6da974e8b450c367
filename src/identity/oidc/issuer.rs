//! Who a token must be from: one issuer, or any of the listed tenants behind Entra ID's common endpoint.

use url::Url;

use crate::identity::Rejected;
use crate::identity::jwt::Signed;

/// Stands for the tenant in the issuer that Entra ID's common endpoints announce.
pub(super) const TENANT: &str = "{tenantid}";

/// A provider's issuer, as the settings have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Issuer {
    /// One issuer, compared byte for byte.
    One(String),
    /// An issuer for each tenant: the template with `{tenantid}` in it, and the tenants that may sign in.
    Tenants {
        /// The issuer with `{tenantid}` in it, as discovery writes it.
        template: String,
        /// Tenant ids, in lower case.
        allowed: Vec<String>,
    },
}

impl Issuer {
    /// The issuer as the discovery document must write it.
    pub(super) fn announced(&self) -> &str {
        match self {
            Self::One(issuer) => issuer,
            Self::Tenants { template, .. } => template,
        }
    }

    /// Where the discovery document is (OpenID Connect Discovery 4): for tenants, at the endpoint for people of any organisation.
    pub(super) fn discovery_url(&self) -> Result<Url, url::ParseError> {
        let base = self.announced().replace(TENANT, "organizations");
        Url::parse(&format!("{}/.well-known/openid-configuration", base.trim_end_matches('/')))
    }

    /// Whether the `iss` parameter of an answer (RFC 9207) names this issuer.
    pub(super) fn is_named_by(&self, parameter: &str) -> bool {
        match self {
            Self::One(issuer) => issuer == parameter,
            Self::Tenants { template, allowed } => allowed.iter().any(|tenant| template.replace(TENANT, tenant) == parameter),
        }
    }

    /// The exact issuer that a signed token must carry. Of tenants, the one that its `tid` names, if that one is allowed and the key is
    /// not confined to another.
    ///
    /// # Errors
    /// [`Rejected::MissingClaim`], [`Rejected::Tenant`] or [`Rejected::Issuer`].
    pub(super) fn expected_of(&self, token: &Signed) -> Result<String, Rejected> {
        let (template, allowed) = match self {
            Self::One(issuer) => return Ok(issuer.clone()),
            Self::Tenants { template, allowed } => (template, allowed),
        };
        let tenant = token.text("tid").ok_or(Rejected::MissingClaim("tid"))?;
        if !allowed.iter().any(|known| known == tenant) {
            return Err(Rejected::Tenant);
        }
        let expected = template.replace(TENANT, tenant);
        match token.key_issuer() {
            Some(confined) if confined.replace(TENANT, tenant) != expected => Err(Rejected::Issuer),
            _ => Ok(expected),
        }
    }

    /// Whether the issuer stands for several tenants.
    pub(super) const fn has_tenants(&self) -> bool {
        matches!(self, Self::Tenants { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discovery_stands_below_the_issuer() {
        let url = |issuer: &str| Issuer::One(issuer.into()).discovery_url().unwrap().to_string();
        assert_eq!(url("https://idp.example/realms/r"), "https://idp.example/realms/r/.well-known/openid-configuration");
        assert_eq!(url("https://idp.example/"), "https://idp.example/.well-known/openid-configuration");
        let template = "https://login.microsoftonline.com/{tenantid}/v2.0".to_owned();
        let tenants = Issuer::Tenants { template, allowed: vec!["t1".into()] };
        let expected = "https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration";
        assert_eq!(tenants.discovery_url().unwrap().as_str(), expected);
        assert!(tenants.is_named_by("https://login.microsoftonline.com/t1/v2.0"));
        assert!(!tenants.is_named_by("https://login.microsoftonline.com/t2/v2.0"));
    }
}
