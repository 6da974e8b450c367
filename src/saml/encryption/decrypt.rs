//! Decrypts an `EncryptedAssertion`.

use std::fmt;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::rsa::{OaepAlgorithm, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Cipher, DS, SAML, XENC, XENC11, cipher, transport};
use crate::saml::xml::Element;

/// An assertion could not be decrypted. There is nothing more to know: a reason would tell an attacker who asks again and again what the
/// plaintext is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the encrypted assertion cannot be decrypted")]
pub struct DecryptionRefused;

/// What is decrypted beyond AES-GCM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// AES-CBC too, for a provider that can do nothing better. Only bearable where the Response around it is signed and was verified first.
    pub allow_cbc: bool,
}

/// A private RSA key that decrypts. Prints nothing of itself.
pub struct DecryptionKey(OaepPrivateDecryptingKey);

impl DecryptionKey {
    /// Reads a key in PKCS#8 PEM: RSA of 2048 bits and more.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn from_pem(pem: &SecretString) -> Result<Self, &'static str> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.expose_secret().as_bytes())
            .map_err(|_| "the key is not a PKCS#8 PEM (BEGIN PRIVATE KEY)")?;
        let key = PrivateDecryptingKey::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| "the key is not RSA of 2048 to 8192 bits")?;
        OaepPrivateDecryptingKey::new(key).map(Self).map_err(|_| "the key is not for RSA-OAEP")
    }

    fn unwrap(&self, algorithm: &'static OaepAlgorithm, wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut output = Zeroizing::new(vec![0; self.0.min_output_size()]);
        let length = self.0.decrypt(algorithm, wrapped, &mut output, None).ok()?.len();
        output.truncate(length);
        Some(output)
    }
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecryptionKey").finish_non_exhaustive()
    }
}

/// What an `EncryptedAssertion` says of itself.
struct Parts<'x> {
    cipher: &'x str,
    method: &'x str,
    digest: Option<&'x str>,
    mask: Option<&'x str>,
    labelled: bool,
    wrapped: &'x Element<'x>,
    content: &'x Element<'x>,
}

impl<'x> Parts<'x> {
    /// Finds the one `EncryptedData` and the one `EncryptedKey`, in its `KeyInfo` or beside it (SAML core section 2.2.4 allows both).
    fn of(assertion: &'x Element<'x>) -> Option<Self> {
        if !assertion.is(SAML, "EncryptedAssertion") {
            return None;
        }
        let data = assertion.only_child(XENC, "EncryptedData").ok()?;
        let inside = data.children(DS, "KeyInfo").flat_map(|info| info.children(XENC, "EncryptedKey"));
        let mut keys = inside.chain(assertion.children(XENC, "EncryptedKey"));
        let key = keys.next()?;
        if keys.next().is_some() {
            return None;
        }
        let method = key.only_child(XENC, "EncryptionMethod").ok()?;
        let algorithm = |child: Option<&'x Element<'x>>| child.map(|child| child.attribute("Algorithm").unwrap_or_default());
        Some(Self {
            cipher: data.only_child(XENC, "EncryptionMethod").ok()?.attribute("Algorithm")?,
            method: method.attribute("Algorithm")?,
            digest: algorithm(method.optional_child(DS, "DigestMethod").ok()?),
            mask: algorithm(method.optional_child(XENC11, "MGF").ok()?),
            labelled: method.optional_child(XENC, "OAEPparams").ok()?.is_some(),
            wrapped: key,
            content: data,
        })
    }
}

/// The algorithms that an `EncryptedAssertion` names, of the key and of the content: for the log. They are no secret, anybody on the way
/// can read them.
#[must_use]
pub fn algorithms(assertion: &Element<'_>) -> Option<(String, String)> {
    Parts::of(assertion).map(|parts| (parts.method.to_owned(), parts.cipher.to_owned()))
}

/// Decrypts an `EncryptedAssertion` with the first of our keys that fits. What comes out is as untrusted as what went in: it must be
/// screened and its signature verified.
///
/// # Errors
/// [`DecryptionRefused`], whatever the reason.
pub fn decrypt(assertion: &Element<'_>, keys: &[DecryptionKey], policy: Policy) -> Result<Zeroizing<Vec<u8>>, DecryptionRefused> {
    attempt(assertion, keys, policy).ok_or(DecryptionRefused)
}

fn attempt(assertion: &Element<'_>, keys: &[DecryptionKey], policy: Policy) -> Option<Zeroizing<Vec<u8>>> {
    let parts = Parts::of(assertion)?;
    let (cipher, key_length) = cipher(parts.cipher).filter(|(cipher, _)| *cipher == Cipher::Gcm || policy.allow_cbc)?;
    let algorithm = transport(parts.method, parts.digest, parts.mask).filter(|_| !parts.labelled)?;
    let wrapped = cipher_value(parts.wrapped)?;
    let content = cipher_value(parts.content)?;
    // A content key that does not come out is replaced by a random one, so that this failure takes the time of the others.
    let mut substitute = Zeroizing::new(vec![0; key_length]);
    aws_lc_rs::rand::fill(&mut substitute).ok()?;
    let mut plaintext = None;
    for key in keys {
        let content_key = key.unwrap(algorithm, &wrapped).filter(|found| found.len() == key_length);
        let opened = open(cipher, content_key.as_ref().unwrap_or(&substitute), content.clone());
        plaintext = plaintext.or(opened.filter(|_| content_key.is_some()));
    }
    plaintext
}

/// The bytes of an `EncryptedData` or `EncryptedKey`. They must be here: a `CipherReference` would point elsewhere.
fn cipher_value(element: &Element<'_>) -> Option<Vec<u8>> {
    let value = element.only_child(XENC, "CipherData").ok()?.only_child(XENC, "CipherValue").ok()?;
    crate::saml::base64::decode(value.text().ok()?)
}

fn open(cipher: Cipher, key: &[u8], content: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
    match cipher {
        Cipher::Gcm => open_gcm(key, content),
        Cipher::Cbc => open_cbc(key, content),
    }
}

/// Nonce of 12 bytes, ciphertext, tag of 16 bytes (XML Encryption 1.1 section 5.2.4).
fn open_gcm(key: &[u8], content: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
    let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
    let mut content = Zeroizing::new(content);
    let (nonce, sealed) = content.split_first_chunk_mut::<12>()?;
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let length = key.open_in_place(nonce, Aad::empty(), sealed).ok()?.len();
    content.drain(..12);
    content.truncate(length);
    Some(content)
}

/// IV of 16 bytes, blocks; the last byte of the plaintext counts the padding (XML Encryption 1.1 section 5.2.1).
fn open_cbc(key: &[u8], content: Vec<u8>) -> Option<Zeroizing<Vec<u8>>> {
    let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
    let key = PaddedBlockDecryptingKey::cbc_iso10126(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
    let mut content = Zeroizing::new(content);
    let (iv, blocks) = content.split_first_chunk_mut::<16>()?;
    let start = DecryptionContext::Iv128((*iv).into());
    let length = key.decrypt(blocks, start).ok()?.len();
    content.drain(..16);
    content.truncate(length);
    Some(content)
}
