//! What the sandbox is told at its start: whom it serves, and what its make-believe IAM holds.

use std::time::Duration;

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::arn::{AccountId, Partition, RoleArn};
use crate::clock::Moment;
use crate::settings;

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
    /// IAM's users.
    pub users: Vec<SandboxUser>,
}

/// An IAM user with an access key. What its own policies allow is not modelled: it may ask STS for everything.
#[derive(Debug, Clone)]
pub struct SandboxUser {
    /// Its name.
    pub name: String,
    /// The partition of its account.
    pub partition: Partition,
    /// The account it lives in.
    pub account: AccountId,
    /// The access key's id.
    pub access_key_id: String,
    /// The access key's secret.
    pub secret_access_key: SecretString,
    /// Its virtual MFA device, if it has one.
    pub mfa: Option<SandboxMfa>,
}

impl SandboxUser {
    /// The user's ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:{}:iam::{}:user/{}", self.partition, self.account, self.name)
    }
}

/// A virtual MFA device.
#[derive(Debug, Clone)]
pub struct SandboxMfa {
    /// Its serial number: for a virtual device, an ARN.
    pub serial: String,
    /// What it shares with IAM.
    pub seed: SecretString,
}

impl SandboxMfa {
    /// How long a code is shown, in seconds.
    pub(super) const STEP: i64 = 30;

    /// The code that the device shows (RFC 6238: HMAC-SHA-1, 30 seconds, six digits, as IAM's virtual devices).
    #[must_use]
    pub fn code(&self, now: Moment) -> String {
        self.code_of(now.timestamp() / Self::STEP)
    }

    /// The code of one step of time (RFC 4226 section 5.3).
    pub(super) fn code_of(&self, step: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.seed.expose_secret().as_bytes());
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let offset = usize::from(tag.as_ref().last().copied().unwrap_or_default() & 0x0f);
        let bytes = tag.as_ref().get(offset..offset + 4).and_then(|four| four.try_into().ok()).unwrap_or_default();
        format!("{:06}", (u32::from_be_bytes(bytes) & 0x7fff_ffff) % 1_000_000)
    }
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
    /// Who may call `AssumeRole`: ARNs of users and of roles, as a trust policy names principals.
    pub assumed_by: Vec<String>,
    /// The `sts:ExternalId` that the trust policy demands of them.
    pub external_id: Option<String>,
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
            assumed_by: Vec::new(),
            external_id: None,
        }
    }

    /// The same role, which lets a user or another role call `AssumeRole`.
    #[must_use]
    pub fn assumed_by(mut self, principal: &str) -> Self {
        self.assumed_by.push(principal.to_owned());
        self
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
    url.scheme() == "http" && settings::is_loopback(url) && url.username().is_empty() && url.password().is_none()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn a_device_shows_the_codes_of_rfc_6238() {
        // Appendix B, the last six digits of its eight.
        let device = SandboxMfa { serial: String::new(), seed: "12345678901234567890".into() };
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (2_000_000_000, "279037")] {
            assert_eq!(device.code(DateTime::from_timestamp(seconds, 0).unwrap()), code);
        }
    }
}
