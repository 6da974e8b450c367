//! The keys behind minted tokens: parsed once, kept, and published without their private halves.

use std::fmt;
use std::path::Path;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use data_encoding::BASE64;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};

use super::{SigningAlgorithm, SigningFailed, TrustSettings};
use crate::settings::{Problem, SecretRef};

const HINT: &str = "write a new one: rolegate keys new > signing-key.pem";

/// A private key that signs minted tokens. Prints its id alone.
pub struct SigningKey {
    pair: Pair,
    jwk: Jwk,
    id: String,
}

enum Pair {
    P256(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl SigningKey {
    /// Reads a key in PKCS#8 PEM: P-256, or RSA of 2048 bits and more.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn from_pem(pem: &SecretString) -> Result<Self, &'static str> {
        const FORM: &str = "the key is not a PKCS#8 PEM (BEGIN PRIVATE KEY)";
        let text = pem.expose_secret().as_bytes();
        let der = PrivatePkcs8KeyDer::from_pem_slice(text).map_err(|_| FORM)?;
        let der = der.secret_pkcs8_der();
        if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            let public = EncodingKey::from_ec_pem(text).map_err(|_| FORM)?;
            return Self::new(Pair::P256(pair), &public, Algorithm::ES256);
        }
        let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| "the key is neither P-256 nor RSA")?;
        if pair.public_modulus_len() < 256 {
            return Err("an RSA key needs 2048 bits or more");
        }
        let public = EncodingKey::from_rsa_pem(text).map_err(|_| FORM)?;
        Self::new(Pair::Rsa(Box::new(pair)), &public, Algorithm::RS256)
    }

    fn new(pair: Pair, public: &EncodingKey, algorithm: Algorithm) -> Result<Self, &'static str> {
        const PUBLIC: &str = "the key's public half cannot be told";
        let mut jwk = Jwk::from_encoding_key(public, algorithm).map_err(|_| PUBLIC)?;
        let id = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| PUBLIC)?;
        // `use` but never `key_ops`: AWS refuses a key that has the latter.
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        jwk.common.key_id = Some(id.clone());
        Ok(Self { pair, jwk, id })
    }

    /// The key's id: its RFC 7638 thumbprint.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The `alg` of what it signs.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::P256(_) => "ES256",
            Pair::Rsa(_) => "RS256",
        }
    }

    /// The public half, as it is published.
    #[must_use]
    pub const fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// Signs as JWS wants it (RFC 7518 sections 3.3 and 3.4).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::P256(pair) => pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()).map_err(|_| SigningFailed::Key),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|_| SigningFailed::Key)?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Makes a new private key, as PKCS#8 PEM.
///
/// # Errors
/// [`SigningFailed::Key`] if the machine's cryptography fails.
pub fn generate(algorithm: SigningAlgorithm) -> Result<SecretString, SigningFailed> {
    let der = match algorithm {
        SigningAlgorithm::Es256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).map(|document| document.as_ref().to_vec())
        }
        SigningAlgorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048).and_then(|pair| pair.as_der().map(|der| der.as_ref().to_vec())),
    };
    let base64 = BASE64.encode(&der.map_err(|_| SigningFailed::Key)?);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line)).collect();
    Ok(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n")).into())
}

/// The age of a key that is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAge {
    /// It signs.
    Active,
    /// It will sign: AWS and providers can learn of it before.
    Next,
    /// It signed: what it signed is still on its way.
    Retiring,
}

/// A key that is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedKey {
    /// Its id.
    pub id: String,
    /// The `alg` of what it signs.
    pub algorithm: &'static str,
    /// Its age.
    pub age: KeyAge,
}

/// The keys in their three ages. All are published; one signs.
#[derive(Debug)]
pub struct KeyRing {
    pub(super) signing: SigningKey,
    pub(super) published: Vec<Jwk>,
    /// In the order of `published`.
    pub(super) ages: Vec<PublishedKey>,
    /// Whether the signing key is made at each start, which only a trial may do.
    pub ephemeral: bool,
}

impl KeyRing {
    /// Reads the keys that the settings refer to, or makes one for a trial.
    ///
    /// # Errors
    /// Every [`Problem`] with a key.
    pub fn load(settings: &TrustSettings, base: &Path, path: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut read = |reference: &SecretRef, key: String| {
            let found = reference
                .read(base, &key)
                .and_then(|pem| SigningKey::from_pem(&pem).map_err(|message| Problem::new(key.clone(), message, HINT)));
            found.map_err(|problem| problems.push(problem)).ok()
        };
        let signing = settings.signing_key.as_ref().map(|reference| read(reference, format!("{path}.signing_key")));
        let next = settings.next_key.as_ref().and_then(|reference| read(reference, format!("{path}.next_key")));
        let retiring = settings.retiring_keys.iter().enumerate();
        let retiring: Vec<_> =
            retiring.filter_map(|(index, reference)| read(reference, format!("{path}.retiring_keys[{index}]"))).collect();
        let ephemeral = signing.is_none();
        let signing = match signing {
            Some(signing) => signing,
            None => generate(settings.algorithm).ok().and_then(|pem| SigningKey::from_pem(&pem).ok()),
        };
        let Some(signing) = signing else {
            if problems.is_empty() {
                problems.push(Problem::new(path, "no key could be made", HINT));
            }
            return Err(problems);
        };
        let mut published = vec![signing.jwk.clone()];
        let aged = |key: &SigningKey, age| PublishedKey { id: key.id.clone(), algorithm: key.algorithm(), age };
        let mut ages = vec![aged(&signing, KeyAge::Active)];
        ages.extend(next.iter().map(|key| aged(key, KeyAge::Next)));
        ages.extend(retiring.iter().map(|key| aged(key, KeyAge::Retiring)));
        for key in next.iter().chain(&retiring) {
            if published.contains(&key.jwk) {
                problems.push(Problem::new(path, format!("the key {} stands here twice", key.id), "each age needs a key of its own"));
            }
            published.push(key.jwk.clone());
        }
        if problems.is_empty() { Ok(Self { signing, published, ages, ephemeral }) } else { Err(problems) }
    }
}
