//! What the sandbox is told at its start: whom it serves, and what its make-believe IAM holds.

use std::time::Duration;

use secrecy::SecretString;
use url::{Host, Url};

use crate::arn::RoleArn;

/// The public client that the sandbox's identity provider knows (authentication method `none`, PKCE alone).
pub const PUBLIC_CLIENT: &str = "rolegate-demo";
/// The confidential client (authentication method basic or post), known only if [`SandboxSettings::client_secret`] is set.
pub const CONFIDENTIAL_CLIENT: &str = "rolegate-demo-confidential";

/// Everything that one sandbox serves.
#[derive(Debug, Clone)]
pub struct SandboxSettings {
    /// The gateway's public URL: where the sandbox's pages lead back to.
    pub gateway: Url,
    /// Redirect URIs of both clients, compared exactly.
    pub redirect_uris: Vec<String>,
    /// Where a browser may be sent after sign-out at the identity provider, compared exactly.
    pub post_logout_uris: Vec<String>,
    /// The secret of [`CONFIDENTIAL_CLIENT`]; without one that client does not exist.
    pub client_secret: Option<SecretString>,
    /// Service providers that sign people in by SAML.
    pub saml_partners: Vec<SamlPartner>,
    /// IAM's OIDC identity providers, the same ones in every account.
    pub issuers: Vec<TrustedIssuer>,
    /// IAM's SAML providers, the same ones in every account.
    pub saml_providers: Vec<TrustedSamlProvider>,
    /// IAM's roles.
    pub roles: Vec<SandboxRole>,
}

/// A service provider as the sandbox's identity provider knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamlPartner {
    /// Its name on the app tile.
    pub name: String,
    /// Its entity ID.
    pub entity_id: String,
    /// Its assertion consumer service: the one address that responses go to.
    pub consumer: String,
    /// A second tile: its title, and the local path that goes along as `RelayState`.
    pub deep_link: Option<(String, String)>,
}

/// A SAML provider as IAM knows it.
#[derive(Debug, Clone)]
pub struct TrustedSamlProvider {
    /// Its name: the end of its ARN.
    pub name: String,
    /// The identity provider's metadata.
    pub metadata: SamlMetadata,
    /// The private key for encrypted assertions (PKCS#8 PEM, RSA). IAM's `AddPrivateKey`.
    pub decryption_key: Option<SecretString>,
    /// Whether assertions in the clear are refused. IAM's `AssertionEncryptionMode` `Required`.
    pub requires_encryption: bool,
}

impl TrustedSamlProvider {
    /// A provider by the metadata that a gateway publishes.
    #[must_use]
    pub fn published(name: &str, metadata: Url) -> Self {
        Self { name: name.to_owned(), metadata: SamlMetadata::At(metadata), decryption_key: None, requires_encryption: false }
    }
}

/// Where metadata comes from.
#[derive(Debug, Clone)]
pub enum SamlMetadata {
    /// Fetched, over http from loopback, and again after a minute. Real IAM is given a document and keeps it.
    At(Url),
    /// The document, as IAM is given it.
    Document(String),
}

/// What a role's trust policy says about SAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamlTrust {
    /// The name of the provider that is the principal.
    pub provider: String,
    /// The values of `saml:aud` that are accepted: Recipients of responses. Without one the policy has no such condition.
    pub audiences: Vec<String>,
    /// The value of `saml:iss` that is accepted. Without one the policy has no such condition.
    pub issuer: Option<String>,
}

/// An OIDC identity provider as IAM knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// The issuer. Real IAM demands public https without a port; the sandbox demands the opposite: http on loopback.
    pub issuer: String,
    /// The audiences (client ids) that IAM lists for it.
    pub audiences: Vec<String>,
}

/// An IAM role: its own limits, and what its trust policy says.
#[derive(Debug, Clone)]
pub struct SandboxRole {
    /// The role.
    pub arn: RoleArn,
    /// `MaxSessionDuration`: 1 to 12 hours.
    pub max_session: Duration,
    /// The issuers whose tokens the trust policy accepts.
    pub issuers: Vec<String>,
    /// Whether the trust policy allows `sts:TagSession`.
    pub allows_tags: bool,
    /// Whether the trust policy allows `sts:SetSourceIdentity`.
    pub allows_source_identity: bool,
    /// Whether the trust policy demands `sts:RoleAuthorizedByIdp`: the token must name the role.
    pub requires_pinning: bool,
    /// Whose SAML responses the trust policy accepts.
    pub saml: Option<SamlTrust>,
}

impl SandboxRole {
    /// A role with the usual hour that trusts one issuer's tokens when they name it, tags and source identity allowed: what a gateway that
    /// mints its own tokens wants.
    #[must_use]
    pub fn pinned(arn: RoleArn, issuer: &str) -> Self {
        Self {
            arn,
            max_session: Duration::from_hours(1),
            issuers: vec![issuer.to_owned()],
            allows_tags: true,
            allows_source_identity: true,
            requires_pinning: true,
            saml: None,
        }
    }

    /// The same role, which trusts SAML responses too.
    #[must_use]
    pub fn trusting_saml(self, trust: SamlTrust) -> Self {
        Self { saml: Some(trust), ..self }
    }
}

impl SandboxSettings {
    /// What is wrong with the settings, in one sentence, if anything is.
    pub(super) fn fault(&self) -> Option<String> {
        let limits = Duration::from_hours(1)..=Duration::from_hours(12);
        for role in &self.roles {
            if !limits.contains(&role.max_session) {
                return Some(format!("{}: a role's longest session is between 1 and 12 hours", role.arn));
            }
            if let Some(unknown) = role.issuers.iter().find(|name| !self.issuers.iter().any(|known| known.issuer == **name)) {
                return Some(format!("{}: its trust policy names {unknown}, which IAM does not know", role.arn));
            }
        }
        let unknown = self.roles.iter().find(|role| {
            role.saml.as_ref().is_some_and(|trust| !self.saml_providers.iter().any(|provider| provider.name == trust.provider))
        });
        if let Some(role) = unknown {
            return Some(format!("{}: its trust policy names a SAML provider that IAM does not know", role.arn));
        }
        for provider in &self.saml_providers {
            if matches!(&provider.metadata, SamlMetadata::At(url) if !is_loopback(url)) {
                return Some(format!("{}: the sandbox fetches metadata over loopback http only", provider.name));
            }
        }
        let remote = self.issuers.iter().find(|known| !known.issuer.parse().is_ok_and(|url| is_loopback(&url)));
        remote.map(|known| format!("{}: the sandbox trusts issuers on loopback http only", known.issuer))
    }
}

/// Whether a URL leads to this machine over plain http: the only place that the sandbox ever calls.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host_is_ours = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && host_is_ours && url.username().is_empty() && url.password().is_none()
}
