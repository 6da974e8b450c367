//! What an administrator says about a platform that workloads run on.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::Span;

/// A platform whose workloads prove who they are by ID tokens of its own: GitHub Actions, GitLab CI, Kubernetes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkloadProviderSettings {
    /// A short name for rules and the audit trail: a-z, 0-9 and -. Unique over the providers of people, too.
    pub id: String,
    /// The issuer, exactly as it stands in the tokens.
    pub issuer: String,
    /// The audience that tokens must be made for, and for nothing else. The gateway's public URL is a good one; the client id of a provider
    /// that people sign in with is none.
    pub audience: String,
    /// Signature algorithms accepted. Asymmetric ones only.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<String>,
    /// Claims that every token must have with exactly this text, whatever the rules say: on a platform that many share, such as GitHub's, the
    /// organization's own, `{ repository_owner = "example" }`.
    #[serde(default)]
    pub required_claims: BTreeMap<String, String>,
    /// The claim that lists the workload's groups: a name, or a JSON pointer. One text is a list of one, so that `sub` can be it.
    #[serde(default = "default_groups_claim")]
    pub groups_claim: String,
    /// The claim that people recognise the workload by; falls back to `sub`. Part of the AWS session name; never used to decide.
    #[serde(default = "default_username_claim")]
    pub username_claim: String,
    /// How often one token may be used, 1 to 1000. A role's credentials, or the refusal of one, is a use.
    #[serde(default = "default_uses")]
    pub uses: u32,
    /// How long ago a token may have been issued, up to 24 hours, whatever its own end.
    #[serde(default = "default_max_age")]
    pub max_age: Span,
    /// Whether the issuer stands at a private or loopback address. Without it such addresses are refused; only an issuer that is itself
    /// written as `http://localhost:…` or `http://127.0.0.1:…` needs no leave for loopback.
    #[serde(default)]
    pub private_network: bool,
    /// A file with the certificate authority (PEM) that signed the issuer's TLS certificate, if it is not a public one. With it no other
    /// authority is trusted for this issuer.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

fn default_algorithms() -> Vec<String> {
    ["RS256", "ES256"].map(str::to_owned).into()
}

fn default_groups_claim() -> String {
    "groups".into()
}

fn default_username_claim() -> String {
    "sub".into()
}

const fn default_uses() -> u32 {
    10
}

const fn default_max_age() -> Span {
    Span::seconds(24 * 3600)
}
