//! Public keys of somebody who signs tokens: a JWK set (RFC 7517), read leniently, chosen from strictly.

use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

/// More keys than any provider publishes; what comes after them is not read.
const MOST_KEYS: usize = 200;
/// Smaller RSA keys are refused (NIST SP 800-131A), larger ones cost too much to be asked for by a stranger.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The algorithms that a token may be signed with at all: asymmetric ones. Which of them count for one provider is its setting.
pub const ASYMMETRIC: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// The asymmetric algorithm of a name; none for `none`, HMAC and everything unknown.
#[must_use]
pub fn asymmetric(name: &str) -> Option<Algorithm> {
    ASYMMETRIC.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
}

/// What kind of key it is; it decides which algorithms fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Kind {
    const fn fits(self, algorithm: Algorithm) -> bool {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        match self {
            Self::Rsa => matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512),
            Self::P256 => matches!(algorithm, ES256),
            Self::P384 => matches!(algorithm, ES384),
            Self::Ed25519 => matches!(algorithm, EdDSA),
        }
    }
}

/// One public key that may verify signatures.
#[derive(Debug, Clone)]
pub struct Key {
    kid: Option<String>,
    kind: Kind,
    algorithm: Option<Algorithm>,
    issuer: Option<String>,
    pub(super) public: DecodingKey,
}

impl Key {
    /// The issuer that the key is confined to. Not in RFC 7517: Entra ID writes it into its shared key set.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Whether the algorithm is one for this kind of key, and the key is not set aside for another.
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.kind.fits(algorithm) && self.algorithm.is_none_or(|own| own == algorithm)
    }

    fn read(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let may_verify = |ops: &Value| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify"));
        if jwk.get("key_ops").is_some_and(|ops| !may_verify(ops)) {
            return None;
        }
        let algorithm = match jwk.get("alg") {
            None => None,
            Some(name) => Some(asymmetric(name.as_str()?)?),
        };
        let (kind, key) = match (text("kty")?, text("crv")) {
            ("RSA", _) => (Kind::Rsa, rsa(text("n")?, text("e")?)?),
            ("EC", Some("P-256")) => (Kind::P256, point(text("x")?, text("y")?, 32)?),
            ("EC", Some("P-384")) => (Kind::P384, point(text("x")?, text("y")?, 48)?),
            ("OKP", Some("Ed25519")) => (Kind::Ed25519, DecodingKey::from_ed_der(&bytes(text("x")?, 32)?)),
            _ => return None,
        };
        Some(Self { kid: text("kid").map(str::to_owned), kind, algorithm, issuer: text("issuer").map(str::to_owned), public: key })
    }
}

fn rsa(modulus: &str, exponent: &str) -> Option<DecodingKey> {
    let (n, e) = (BASE64URL_NOPAD.decode(modulus.as_bytes()).ok()?, BASE64URL_NOPAD.decode(exponent.as_bytes()).ok()?);
    let leading = n.iter().take_while(|byte| **byte == 0).count();
    let n = n.get(leading..)?;
    let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
    RSA_BITS.contains(&bits).then(|| DecodingKey::from_rsa_raw_components(n, &e))
}

fn point(x: &str, y: &str, length: usize) -> Option<DecodingKey> {
    let uncompressed = [vec![4], bytes(x, length)?, bytes(y, length)?].concat();
    Some(DecodingKey::from_ec_der(&uncompressed))
}

fn bytes(text: &str, length: usize) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok().filter(|bytes| bytes.len() == length)
}

/// A provider's public keys.
#[derive(Debug, Clone, Default)]
pub struct KeySet(Vec<Key>);

/// Why no key can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoKey {
    /// None has the key id, or the token has none and more than one key would fit.
    Unknown,
    /// The key of that id is of a kind that the algorithm is not for.
    Misfit,
}

impl KeySet {
    /// Reads a JWK set. Keys that are unknown, too weak, broken or not for signatures are left out: one odd key must not keep everybody out.
    ///
    /// # Errors
    /// When the text is not a JWK set at all.
    pub fn read(text: &[u8]) -> Result<Self, &'static str> {
        let set: Value = serde_json::from_slice(text).map_err(|_| "the key set is not JSON")?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or("the key set has no `keys` list")?;
        Ok(Self(keys.iter().take(MOST_KEYS).filter_map(Key::read).collect()))
    }

    /// The number of usable keys.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no key is usable.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys that may have signed: those of the id, or without an id the only one that fits. The id is compared, nothing else.
    ///
    /// # Errors
    /// Tells an unknown id, which a fresh key set may cure, from a key of another kind, which nothing cures.
    pub fn choose(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Vec<&Key>, NoKey> {
        let named = |key: &&Key| kid.is_none() || key.kid.as_deref() == kid;
        let fitting: Vec<&Key> = self.0.iter().filter(named).filter(|key| key.fits(algorithm)).collect();
        match (fitting.len(), kid) {
            (0, Some(_)) if self.0.iter().any(|key| named(&key)) => Err(NoKey::Misfit),
            (0, _) | (2.., None) => Err(NoKey::Unknown),
            _ => Ok(fitting),
        }
    }
}
