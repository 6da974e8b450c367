//! The provider's signing key: made at each start, never written down.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use chrono::TimeDelta;
use data_encoding::BASE64;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::SecretString;
use serde_json::Value;

use crate::clock::Moment;
use crate::saml::sign::{SamlSigner, self_signed};

/// The key cannot be made or used.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox's signing key cannot be made or used")]
pub(in crate::sandbox) struct SigningUnavailable;

/// An RSA-2048 key that signs ID tokens, its `kid` being its thumbprint (RFC 7638).
pub(in crate::sandbox) struct Signer {
    key: EncodingKey,
    public: Jwk,
    check: DecodingKey,
    kid: String,
    pem: SecretString,
}

impl Signer {
    /// A new key. Takes a tenth of a second or several.
    pub(in crate::sandbox) fn generate() -> Result<Self, SigningUnavailable> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| SigningUnavailable)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| SigningUnavailable)?;
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(der.as_ref()));
        let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| SigningUnavailable)?;
        let mut public = Jwk::from_encoding_key(&key, Algorithm::RS256).map_err(|_| SigningUnavailable)?;
        let kid = public.thumbprint(ThumbprintHash::SHA256).map_err(|_| SigningUnavailable)?;
        public.common.key_id = Some(kid.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        let check = DecodingKey::from_jwk(&public).map_err(|_| SigningUnavailable)?;
        Ok(Self { key, public, check, kid, pem: pem.into() })
    }

    /// The same key with a certificate, for SAML.
    pub(super) fn for_saml(&self, now: Moment) -> Result<SamlSigner, SigningUnavailable> {
        let certificate = self_signed(&self.pem, "Sandbox: nothing here is real", now, TimeDelta::days(365));
        SamlSigner::from_pem(&self.pem, &certificate.map_err(|_| SigningUnavailable)?).map_err(|_| SigningUnavailable)
    }

    pub(super) fn public_keys(&self) -> JwkSet {
        JwkSet { keys: vec![self.public.clone()] }
    }

    pub(super) fn sign(&self, claims: &Value) -> Result<String, SigningUnavailable> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, claims, &self.key).map_err(|_| SigningUnavailable)
    }

    /// The claims of a token that this key signed, however old it is: hints at sign-out may have expired.
    pub(super) fn recognise(&self, token: &str) -> Option<Value> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        jsonwebtoken::decode(token, &self.check, &validation).ok().map(|token| token.claims)
    }
}
