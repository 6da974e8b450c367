//! Enveloped XML signatures (XML Signature 1.1) over what [`write`](super::write) renders, with a key that is parsed once.
//!
//! Exclusive canonicalisation, SHA-256, RSA (PKCS #1 v1.5) or ECDSA on P-256. The certificate goes along in `X509Data` for receivers that
//! pick a key by it; nobody should trust it for that.

mod certificate;

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use data_encoding::BASE64;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};

pub use certificate::{Certificate, KeyKind, SignatureAlgorithm, self_signed};

use super::write::{Element, Ns, Unwritable};

const EXCLUSIVE_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const DIGEST_SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";

/// Where the signature stands among an element's children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Before all others: in metadata.
    First,
    /// Behind the Issuer: in assertions and protocol messages.
    AfterIssuer,
}

/// A private key with its certificate, which signs SAML messages. Prints the certificate's fingerprint alone.
pub struct SamlSigner {
    pair: Pair,
    certificate: Certificate,
}

enum Pair {
    P256(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl SamlSigner {
    /// Reads a key in PKCS#8 PEM (RSA of 2048 bits and more, or P-256) and the certificate that goes with it, in PEM.
    ///
    /// # Errors
    /// A sentence that says what is wrong with them.
    pub fn from_pem(key: &SecretString, certificate: &str) -> Result<Self, &'static str> {
        let certificate = Certificate::from_pem(certificate)?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(key.expose_secret().as_bytes())
            .map_err(|_| "the key is not a PKCS#8 PEM (BEGIN PRIVATE KEY)")?;
        let der = der.secret_pkcs8_der();
        let pair = match EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
            Ok(pair) => Pair::P256(pair),
            Err(_) => Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(der).map_err(|_| "the key is neither P-256 nor RSA")?)),
        };
        let public = match &pair {
            Pair::P256(pair) => pair.public_key().as_ref(),
            Pair::Rsa(pair) if pair.public_modulus_len() < 256 => return Err("an RSA key needs 2048 bits or more"),
            Pair::Rsa(pair) => pair.public_key().as_ref(),
        };
        // Both are the bare public key: RFC 8017 A.1.1 for RSA, the uncompressed point for P-256, as they stand in the certificate.
        if certificate.public_key() != public {
            return Err("the certificate belongs to another key");
        }
        Ok(Self { pair, certificate })
    }

    /// The certificate.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// How it signs.
    #[must_use]
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        match self.pair {
            Pair::P256(_) => SignatureAlgorithm::EcdsaSha256,
            Pair::Rsa(_) => SignatureAlgorithm::RsaSha256,
        }
    }

    /// The bare signature over some bytes, in the form that XML Signature wants (for ECDSA: r and s side by side).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unwritable> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::P256(pair) => pair.sign(&random, message).map(|signature| signature.as_ref().to_vec()).map_err(|_| Unwritable::Key),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|_| Unwritable::Key)?;
                Ok(signature)
            }
        }
    }

    /// Writes an element with its signature in it. `id` is the value of its `ID` attribute.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub fn write_signed(&self, mut element: Element<'_>, id: &str, position: Position) -> Result<String, Unwritable> {
        // The enveloped-signature transform takes the signature out again: what is digested is the element without it.
        let bytes = element.to_canonical()?;
        let signature = self.signature(bytes.as_bytes(), id)?;
        element.insert(position as usize, signature);
        element.to_canonical()
    }

    fn signature(&self, content: &[u8], id: &str) -> Result<Element<'static>, Unwritable> {
        let ds = |local| Element::new(Ns::Ds, local);
        let method = |local, algorithm: &'static str| ds(local).attribute("Algorithm", algorithm);
        let transforms = ds("Transforms").child(method("Transform", ENVELOPED)).child(method("Transform", EXCLUSIVE_C14N));
        let reference = ds("Reference")
            .attribute("URI", format!("#{id}"))
            .child(transforms)
            .child(method("DigestMethod", DIGEST_SHA256))
            .child(ds("DigestValue").text(BASE64.encode(digest(&SHA256, content).as_ref())));
        let signed_info = ds("SignedInfo")
            .child(method("CanonicalizationMethod", EXCLUSIVE_C14N))
            .child(method("SignatureMethod", self.algorithm().uri()))
            .child(reference);
        let value = self.sign(signed_info.to_canonical()?.as_bytes())?;
        Ok(ds("Signature").child(signed_info).child(ds("SignatureValue").text(BASE64.encode(&value))).child(self.certificate.key_info()))
    }
}

impl fmt::Debug for SamlSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SamlSigner").field("certificate", &self.certificate.fingerprint()).finish_non_exhaustive()
    }
}

/// Writes an element, signed if there is somebody to sign it.
///
/// # Errors
/// [`Unwritable`].
pub(super) fn write(element: Element<'_>, id: &str, signer: Option<&SamlSigner>, position: Position) -> Result<String, Unwritable> {
    match signer {
        Some(signer) => signer.write_signed(element, id, position),
        None => element.to_canonical(),
    }
}

#[cfg(test)]
pub(super) mod tests;
