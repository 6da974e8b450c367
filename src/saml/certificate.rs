//! Certificates that carry an identity provider's public keys.

use std::fmt;

use aws_lc_rs::rsa::PublicEncryptingKey;
use chrono::DateTime;
use thiserror::Error;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};

use crate::clock::Moment;

const EC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// Why a certificate is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CertificateRefused {
    /// Not an X.509 certificate in DER.
    #[error("it is not an X.509 certificate")]
    Form,
    /// An RSA key under 2048 or over 8192 bits.
    #[error("its RSA key is not between 2048 and 8192 bits")]
    Size,
    /// Neither RSA nor ECDSA over P-256 or P-384.
    #[error("its key is neither RSA nor P-256 nor P-384")]
    Kind,
}

/// A certificate whose key is strong enough to be trusted. Only the key counts for SAML: metadata vouches for it, not a chain.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    not_after: Moment,
}

impl Certificate {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// [`CertificateRefused`].
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateRefused> {
        let parsed = x509_cert::Certificate::from_der(der).map_err(|_| CertificateRefused::Form)?;
        let key = &parsed.tbs_certificate.subject_public_key_info;
        match key.algorithm.oid {
            RSA_KEY => {
                let spki = key.to_der().map_err(|_| CertificateRefused::Form)?;
                let bits = PublicEncryptingKey::from_der(&spki).map(|key| key.key_size_bits()).map_err(|_| CertificateRefused::Size)?;
                if !(2048..=8192).contains(&bits) {
                    return Err(CertificateRefused::Size);
                }
            }
            EC_KEY => {
                let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok());
                if !curve.is_some_and(|curve| curve == P256 || curve == P384) {
                    return Err(CertificateRefused::Kind);
                }
            }
            _ => return Err(CertificateRefused::Kind),
        }
        let end = parsed.tbs_certificate.validity.not_after.to_unix_duration().as_secs();
        let not_after = i64::try_from(end).ok().and_then(|end| DateTime::from_timestamp(end, 0)).ok_or(CertificateRefused::Form)?;
        Ok(Self { der: der.to_vec(), not_after })
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// When it ends. Signatures count after that too, as metadata says; the operator should be warned.
    #[must_use]
    pub const fn not_after(&self) -> Moment {
        self.not_after
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}
