//! What an administrator says about a SAML identity provider.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{SecretRef, Span};

/// One identity provider that people sign in with by SAML 2.0.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own in the file")]
pub struct SamlProviderSettings {
    /// A short name for URLs, rules and the audit trail: a-z, 0-9 and -. Responses go to `{public_url}/saml/{id}/acs`.
    pub id: String,
    /// The name that people see on the sign-in page.
    pub name: String,
    /// Where the provider's metadata is: `{ url = "https://…" }` or `{ file = "…" }`.
    pub metadata: MetadataSource,
    /// A file with the certificate (PEM) that signs the metadata. With it, metadata that it did not sign is refused.
    #[serde(default)]
    pub metadata_certificate: Option<PathBuf>,
    /// The provider's entity ID. Needed where the metadata describes several providers.
    #[serde(default)]
    pub entity_id: Option<String>,
    /// Our entity ID at this provider. Without it `{public_url}/saml/{id}`.
    #[serde(default)]
    pub sp_entity_id: Option<String>,
    /// How the browser carries our requests to the provider.
    #[serde(default)]
    pub binding: RequestBinding,
    /// Where the key is that signs our messages (PKCS#8 PEM, RSA of 2048 bits and more or P-256).
    #[serde(default)]
    pub signing_key: Option<SecretRef>,
    /// A file with the certificate (PEM) of `signing_key`.
    #[serde(default)]
    pub signing_certificate: Option<PathBuf>,
    /// A file with the certificate (PEM) of the key that will sign next. Our metadata shows both.
    #[serde(default)]
    pub next_signing_certificate: Option<PathBuf>,
    /// Whether requests are signed. Without it they are if there is a `signing_key`.
    #[serde(default)]
    pub sign_requests: Option<bool>,
    /// Keys that decrypt assertions, the one to use first. In a change of keys, both.
    #[serde(default)]
    pub encryption_keys: Vec<EncryptionKeySettings>,
    /// Whether assertions must be encrypted.
    #[serde(default)]
    pub want_encrypted: bool,
    /// Whether AES-CBC is decrypted too, inside signed responses. Only for providers that cannot do AES-GCM.
    #[serde(default)]
    pub allow_cbc: bool,
    /// Whether people must prove themselves anew at each sign-in (`ForceAuthn`).
    #[serde(default)]
    pub force_authn: bool,
    /// Authentication context classes to demand (`RequestedAuthnContext`); the assertion must name one of them.
    #[serde(default)]
    pub authn_context: Vec<String>,
    /// The `NameID` format to ask for, as a URI.
    #[serde(default)]
    pub name_id_format: Option<String>,
    /// The attribute that names the person, instead of the `NameID`.
    #[serde(default)]
    pub subject_attribute: Option<String>,
    /// The attribute that lists the groups.
    #[serde(default = "default_groups_attribute")]
    pub groups_attribute: String,
    /// The attribute that people recognise themselves by; falls back to the subject. Never used to decide.
    #[serde(default)]
    pub username_attribute: Option<String>,
    /// E-mail domains whose people this provider serves: who types such an address on the sign-in page is sent here.
    #[serde(default)]
    pub email_domains: Vec<String>,
    /// Authentication context classes that prove a second factor.
    #[serde(default = "default_mfa")]
    pub mfa: Vec<String>,
    /// Where the provider addresses its assertions to AWS although it posts them here: their Recipient, such as
    /// `https://signin.aws.amazon.com/saml`. They sign people in like others, and rules with `operation = "forwarded_saml"` pass them on.
    #[serde(default)]
    pub aws_recipient: Option<String>,
    /// Whether the provider may start sign-ins (an app tile). Such a response answers no request, so anybody may play it to somebody else's
    /// browser once.
    #[serde(default)]
    pub idp_initiated: bool,
    /// How far the provider's clock may be off ours: at most `"3m"`.
    #[serde(default = "default_clock_skew")]
    pub clock_skew: Span,
    /// Whether logout messages are exchanged.
    #[serde(default = "default_single_logout")]
    pub single_logout: bool,
    /// Whether the provider stands at a private or loopback address; plain http is then accepted from loopback.
    #[serde(default)]
    pub private_network: bool,
    /// A file with the certificate authority (PEM) that signed the TLS certificate of the metadata's server, if it is not a public one.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// Where a provider's metadata is: one of the two.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetadataSource {
    /// An address, asked at the start and again as often as the metadata says, or once a day.
    #[serde(default)]
    pub url: Option<String>,
    /// A file, read as often.
    #[serde(default)]
    pub file: Option<PathBuf>,
}

/// A key that decrypts assertions.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EncryptionKeySettings {
    /// Where the key is (PKCS#8 PEM, RSA of 2048 bits and more).
    pub key: SecretRef,
    /// A file with its certificate (PEM), for our metadata. A key without one still decrypts.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
}

/// How a request travels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestBinding {
    /// In an address (HTTP-Redirect).
    #[default]
    Redirect,
    /// In a form (HTTP-POST).
    Post,
}

fn default_groups_attribute() -> String {
    "groups".into()
}

fn default_mfa() -> Vec<String> {
    ["https://refeds.org/profile/mfa", "http://schemas.microsoft.com/claims/multipleauthn"].map(str::to_owned).into()
}

const fn default_clock_skew() -> Span {
    Span::seconds(60)
}

const fn default_single_logout() -> bool {
    true
}
