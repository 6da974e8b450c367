//! Encrypts an assertion towards AWS: AES-256-GCM under a fresh key, which travels by RSA-OAEP.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPublicEncryptingKey, PublicEncryptingKey};
use data_encoding::BASE64;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::{AES256_GCM, CONTENT, OAEP_MGF1P, SHA1};
use crate::saml::sign::{Certificate, KeyKind, SamlSigner};
use crate::saml::write::aws::AwsResponse;
use crate::saml::write::{Element, Ns, Unwritable};

/// The public half of the key that an IAM provider decrypts with.
pub struct EncryptionKey {
    key: OaepPublicEncryptingKey,
    certificate: Certificate,
}

impl EncryptionKey {
    /// Takes the key of a certificate: RSA of 2048 bits and more.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn new(certificate: Certificate) -> Result<Self, &'static str> {
        const KIND: &str = "the encryption certificate needs an RSA key of 2048 to 8192 bits";
        if !matches!(certificate.kind(), KeyKind::Rsa(2048..=8192)) {
            return Err(KIND);
        }
        let key = PublicEncryptingKey::from_der(certificate.public_key_info()).map_err(|_| KIND)?;
        Ok(Self { key: OaepPublicEncryptingKey::new(key).map_err(|_| KIND)?, certificate })
    }

    /// Its certificate.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptionKey").field("certificate", &self.certificate.fingerprint()).finish_non_exhaustive()
    }
}

/// Writes the response for AWS with its assertion signed and then encrypted.
///
/// # Errors
/// [`Unwritable`].
pub fn write_encrypted(response: &AwsResponse<'_>, signer: &SamlSigner, key: &EncryptionKey) -> Result<SecretString, Unwritable> {
    let assertion = Zeroizing::new(response.signed_assertion(signer)?);
    let encrypted = Element::new(Ns::Saml, "EncryptedAssertion").child(encrypt(assertion.as_bytes(), key)?);
    Ok(response.response().child(encrypted).to_canonical()?.into())
}

/// An `EncryptedData` of some bytes.
fn encrypt(plaintext: &[u8], key: &EncryptionKey) -> Result<Element<'static>, Unwritable> {
    let mut content_key = Zeroizing::new([0; 32]);
    let mut nonce = [0; 12];
    aws_lc_rs::rand::fill(content_key.as_mut()).map_err(|_| Unwritable::Key)?;
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| Unwritable::Key)?;
    let mut wrapped = vec![0; key.key.ciphertext_size()];
    key.key.encrypt(&OAEP_SHA1_MGF1SHA1, content_key.as_ref(), &mut wrapped, None).map_err(|_| Unwritable::Key)?;
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, content_key.as_ref()).map_err(|_| Unwritable::Key)?);
    let mut sealed = plaintext.to_vec();
    cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).map_err(|_| Unwritable::Key)?;

    let xenc = |local| Element::new(Ns::Xenc, local);
    let value = |bytes: &[u8]| xenc("CipherData").child(xenc("CipherValue").text(BASE64.encode(bytes)));
    // The older name of OAEP, with SHA-1: what every receiver knows. OAEP does not rest on its hash being free of collisions.
    let transport = xenc("EncryptionMethod")
        .attribute("Algorithm", OAEP_MGF1P)
        .child(Element::new(Ns::Ds, "DigestMethod").attribute("Algorithm", SHA1));
    let encrypted_key = xenc("EncryptedKey").child(transport).child(key.certificate.key_info()).child(value(&wrapped));
    Ok(xenc("EncryptedData")
        .attribute("Type", CONTENT)
        .child(xenc("EncryptionMethod").attribute("Algorithm", AES256_GCM))
        .child(Element::new(Ns::Ds, "KeyInfo").child(encrypted_key))
        .child(value(&[nonce.as_slice(), &sealed].concat())))
}
