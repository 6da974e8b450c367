//! What an administrator says about the tokens that AWS is shown.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::SecretRef;

/// How AWS is made to believe who asks.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrustSettings {
    /// The issuer of minted tokens: an https URL that AWS can reach from the internet, without a port or a query. Without it, `public_url`.
    pub issuer: Option<String>,
    /// The audience of minted tokens: the client id that the IAM identity provider lists.
    pub audience: String,
    /// The signature algorithm for keys that are made here.
    pub algorithm: SigningAlgorithm,
    /// Where the signing key is (PKCS#8 PEM: P-256, or RSA of 2048 bits and more; `rolegate keys new` writes one). Without it a key is made
    /// at each start, which is good for a trial on one machine and for nothing else.
    pub signing_key: Option<SecretRef>,
    /// The key that will sign next. It is published now, so that every copy of the key set has it when its time comes.
    pub next_key: Option<SecretRef>,
    /// Keys that signed before. They stay published until what they signed has expired.
    pub retiring_keys: Vec<SecretRef>,
}

impl Default for TrustSettings {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: "sts.amazonaws.com".into(),
            algorithm: SigningAlgorithm::Es256,
            signing_key: None,
            next_key: None,
            retiring_keys: Vec::new(),
        }
    }
}

/// A signature algorithm for minted tokens; AWS accepts both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema, clap::ValueEnum)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256: short tokens, quick to sign.
    #[default]
    #[serde(rename = "ES256")]
    #[value(name = "ES256")]
    Es256,
    /// RSA with SHA-256, for who must have it.
    #[serde(rename = "RS256")]
    #[value(name = "RS256")]
    Rs256,
}
