//! Encrypted assertions (XML Encryption 1.1): decrypts what identity providers send, encrypts what AWS gets.
//!
//! Keys travel by RSA-OAEP only. RSA PKCS #1 v1.5 is never decrypted (Bleichenbacher), AES-CBC only where the caller's policy names it: it
//! has no integrity, and its padding errors tell the plaintext to whoever can ask often enough. Whatever goes wrong, the caller learns one
//! thing: it did. Digest and mask function of OAEP must be the same hash, SHA-1 or SHA-256; aws-lc-rs has no mixed form, and no product
//! that we know sends one by default.

mod decrypt;
mod encrypt;

use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm};

pub use decrypt::{DecryptionKey, DecryptionRefused, Policy, algorithms, decrypt};
pub use encrypt::{EncryptionKey, write_encrypted};

const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";

const AES128_GCM: &str = "http://www.w3.org/2009/xmlenc11#aes128-gcm";
const AES256_GCM: &str = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
const AES128_CBC: &str = "http://www.w3.org/2001/04/xmlenc#aes128-cbc";
const AES256_CBC: &str = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
const OAEP_MGF1P: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
const OAEP_11: &str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";
const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
const MGF1_SHA1: &str = "http://www.w3.org/2009/xmlenc11#mgf1sha1";
const MGF1_SHA256: &str = "http://www.w3.org/2009/xmlenc11#mgf1sha256";
const CONTENT: &str = "http://www.w3.org/2001/04/xmlenc#Element";

/// What our metadata says that we decrypt, the preferred one first.
pub(super) const PUBLISHED: [&str; 4] = [AES256_GCM, AES128_GCM, OAEP_MGF1P, OAEP_11];

/// The cipher of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cipher {
    Gcm,
    Cbc,
}

/// A cipher by its name on the wire, with the length of its key in bytes.
fn cipher(uri: &str) -> Option<(Cipher, usize)> {
    match uri {
        AES128_GCM => Some((Cipher::Gcm, 16)),
        AES256_GCM => Some((Cipher::Gcm, 32)),
        AES128_CBC => Some((Cipher::Cbc, 16)),
        AES256_CBC => Some((Cipher::Cbc, 32)),
        _ => None,
    }
}

/// The key transport by its names on the wire. `digest` and `mask` default to SHA-1 (XML Encryption 1.1 section 5.5.2).
fn transport(method: &str, digest: Option<&str>, mask: Option<&str>) -> Option<&'static OaepAlgorithm> {
    match (method, digest.unwrap_or(SHA1), mask.unwrap_or(MGF1_SHA1)) {
        (OAEP_MGF1P | OAEP_11, SHA1, MGF1_SHA1) => Some(&OAEP_SHA1_MGF1SHA1),
        (OAEP_11, SHA256, MGF1_SHA256) => Some(&OAEP_SHA256_MGF1SHA256),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
