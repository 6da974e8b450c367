//! What an administrator says about the tokens that AWS is shown.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::arn::{AccountId, Partition, Region, SamlProviderArn};
use crate::settings::{Problem, SecretRef};

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
    /// How AWS is made to believe by SAML. Without it no rule can have the operation `saml`.
    pub saml: Option<SamlTrustSettings>,
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
            saml: None,
        }
    }
}

/// Rolegate as a SAML identity provider of IAM. All keys may be left out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SamlTrustSettings {
    /// The entity ID, which IAM reads from the metadata and trust policies see as `saml:iss`. Without it, `{public_url}/saml/idp`.
    pub entity_id: Option<String>,
    /// The name of IAM's SAML provider, the same in every account that does not say otherwise.
    pub provider_name: String,
    /// Where the signing key is (PKCS#8 PEM, RSA of 2048 bits and more). Without it a key and a certificate are made at each start, which is
    /// good for a trial and for nothing else.
    pub signing_key: Option<SecretRef>,
    /// Where the signing key's certificate is (PEM).
    pub certificate: Option<SecretRef>,
    /// Certificates of keys that will sign next. They are published now, so that IAM knows them when their time comes.
    pub next_certificates: Vec<SecretRef>,
    /// Certificates of keys that signed before. They stay published.
    pub retiring_certificates: Vec<SecretRef>,
    /// Regions whose sign-in page takes people into the console, in this order. Without one of the role's partition, the partition's own page.
    pub regions: Vec<String>,
    /// The certificate for the private key that IAM's SAML providers decrypt with. With it every assertion is encrypted.
    pub encryption_certificate: Option<SecretRef>,
}

impl Default for SamlTrustSettings {
    fn default() -> Self {
        Self {
            entity_id: None,
            provider_name: "Rolegate".into(),
            signing_key: None,
            certificate: None,
            next_certificates: Vec::new(),
            retiring_certificates: Vec::new(),
            regions: Vec::new(),
            encryption_certificate: None,
        }
    }
}

impl SamlTrustSettings {
    /// Adds everything that must be mended and can be told without reading a key.
    pub(super) fn check(&self, entity_id: &str, path: &str, problems: &mut Vec<Problem>) {
        let is_plain =
            (1..=1024).contains(&entity_id.len()) && entity_id.contains(':') && entity_id.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_plain {
            let message = format!("`{entity_id}` is not an entity ID");
            problems.push(Problem::new(format!("{path}.entity_id"), message, "write a URI of at most 1024 characters, or leave it out"));
        }
        if let Err(error) = SamlProviderArn::new(Partition::Aws, AccountId::default(), &self.provider_name) {
            problems.push(Problem::new(
                format!("{path}.provider_name"),
                error.to_string(),
                "write the provider's name in IAM, without its ARN",
            ));
        }
        for (index, name) in self.regions.iter().enumerate() {
            if let Err(error) = name.parse::<Region>() {
                problems.push(Problem::new(format!("{path}.regions[{index}]"), error.to_string(), "write it as in the AWS console"));
            }
        }
    }

    /// Every reference to a secret or a certificate, with its key.
    #[must_use]
    pub fn references(&self) -> Vec<(String, &SecretRef)> {
        let single = [
            ("signing_key", &self.signing_key),
            ("certificate", &self.certificate),
            ("encryption_certificate", &self.encryption_certificate),
        ];
        let mut all: Vec<_> = single.into_iter().filter_map(|(key, reference)| Some((key.to_owned(), reference.as_ref()?))).collect();
        for (key, list) in [("next_certificates", &self.next_certificates), ("retiring_certificates", &self.retiring_certificates)] {
            all.extend(list.iter().enumerate().map(|(index, reference)| (format!("{key}[{index}]"), reference)));
        }
        all
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
