//! What an administrator says about an identity provider.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{SecretRef, Span};

/// One identity provider that people sign in with.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    /// A short name for URLs, rules and the audit trail: a-z, 0-9 and -. The redirect URI is `{public_url}/callback/{id}`.
    pub id: String,
    /// The name that people see on the sign-in page.
    pub name: String,
    /// The issuer, exactly as the provider writes it in its discovery document. For several Entra ID tenants:
    /// `https://login.microsoftonline.com/{tenantid}/v2.0`, and `tenants` lists those that may sign in.
    pub issuer: String,
    /// The client id that the provider gave to this gateway.
    pub client_id: String,
    /// Where the client secret is, for `client_auth` `"basic"` and `"post"`.
    #[serde(default)]
    pub client_secret: Option<SecretRef>,
    /// Where the client's private key is (PKCS#8 PEM, RSA or P-256), for `client_auth = "private_key_jwt"`.
    #[serde(default)]
    pub client_key: Option<SecretRef>,
    /// The `kid` under which the provider knows `client_key`. Without it the key's thumbprint (RFC 7638).
    #[serde(default)]
    pub client_key_id: Option<String>,
    /// How the gateway proves itself to the provider.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Scopes to ask for beside `openid`.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// The claim that lists the groups: a name, or a JSON pointer such as `/realm_access/roles`.
    #[serde(default = "default_groups_claim")]
    pub groups_claim: String,
    /// The claim that people recognise themselves by; falls back to `sub`. Shown, and part of the AWS session name; never used to decide.
    #[serde(default = "default_username_claim")]
    pub username_claim: String,
    /// Whether the `email` claim counts although the provider does not say that it verified it (`email_verified`, Entra ID's `xms_edov`).
    /// Only for providers whose people cannot choose their own address; otherwise an unverified address is left out of the claims.
    #[serde(default)]
    pub trust_unverified_email: bool,
    /// E-mail domains whose people this provider serves: who types such an address on the sign-in page is sent here.
    #[serde(default)]
    pub email_domains: Vec<String>,
    /// Signature algorithms accepted from this provider. Asymmetric ones only.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<String>,
    /// What counts as a second factor.
    #[serde(default)]
    pub mfa: MfaSettings,
    /// How long ago the person may have proved themselves to the provider. Sent as `max_age`, checked against `auth_time`.
    #[serde(default)]
    pub max_age: Option<Span>,
    /// Authentication context classes to demand (`acr_values`); the token must carry one of them.
    #[serde(default)]
    pub acr_values: Vec<String>,
    /// Whether to ask the userinfo endpoint too, for claims that the ID token leaves out. Costs a request at each sign-in.
    #[serde(default)]
    pub userinfo: bool,
    /// Whether the provider stands at a private or loopback address. Without it such addresses are refused, whatever discovery says; only
    /// an issuer that is itself written as `http://localhost:…` or `http://127.0.0.1:…` needs no leave for loopback.
    #[serde(default)]
    pub private_network: bool,
    /// A file with the certificate authority (PEM) that signed the provider's TLS certificate, if it is not a public one. With it no other
    /// authority is trusted for this provider.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Entra ID tenants that may sign in, when the issuer has `{tenantid}` in it.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// Extra parameters for the authorization request, for example `{ prompt = "select_account" }`.
    #[serde(default)]
    pub authorize_parameters: BTreeMap<String, String>,
}

/// How the gateway proves itself to a provider's token endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// The client secret in the Authorization header.
    #[default]
    Basic,
    /// The client secret in the body.
    Post,
    /// No secret: PKCE alone.
    None,
    /// A JWT signed with the client's own key (RFC 7523).
    PrivateKeyJwt,
}

impl ClientAuth {
    /// The word for it in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Post => "post",
            Self::None => "none",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }
}

/// What counts as a second factor: one of these methods in `amr`, or one of these classes as `acr`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MfaSettings {
    /// Values of `amr` (RFC 8176).
    pub amr: Vec<String>,
    /// Values of `acr`.
    pub acr: Vec<String>,
}

impl Default for MfaSettings {
    fn default() -> Self {
        Self { amr: vec!["mfa".into()], acr: Vec::new() }
    }
}

fn default_scopes() -> Vec<String> {
    ["profile", "email"].map(str::to_owned).into()
}

fn default_groups_claim() -> String {
    "groups".into()
}

fn default_username_claim() -> String {
    "email".into()
}

fn default_algorithms() -> Vec<String> {
    ["RS256", "ES256"].map(str::to_owned).into()
}
