//! X.509 certificates as SAML uses them: a way to carry a public key. No chain is built and no authority asked; trust comes from where the
//! certificate was found (configuration, metadata).

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};
use chrono::{DateTime, Datelike, TimeDelta};
use data_encoding::{BASE64, HEXLOWER};
use rcgen::{CertificateParams, DnType, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SerialNumber, date_time_ymd};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use secrecy::{ExposeSecret, SecretString};
use x509_parser::oid_registry::{OID_EC_P256, OID_NIST_EC_P384};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::clock::Moment;
use crate::saml::base64;
use crate::saml::write::{Element, Ns};

/// A signature algorithm that is accepted or used (RFC 9231 section 2.3). SHA-1 is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// RSA PKCS #1 v1.5 with SHA-256.
    RsaSha256,
    /// RSA PKCS #1 v1.5 with SHA-384.
    RsaSha384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    RsaSha512,
    /// ECDSA on P-256 with SHA-256.
    EcdsaSha256,
    /// ECDSA on P-384 with SHA-384.
    EcdsaSha384,
}

impl SignatureAlgorithm {
    const ALL: [Self; 5] = [Self::RsaSha256, Self::RsaSha384, Self::RsaSha512, Self::EcdsaSha256, Self::EcdsaSha384];

    /// Its name on the wire.
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::RsaSha256 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            Self::RsaSha384 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
            Self::RsaSha512 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
            Self::EcdsaSha256 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
            Self::EcdsaSha384 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
        }
    }

    /// The algorithm of that name, if it is accepted.
    #[must_use]
    pub fn of_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.uri() == uri)
    }
}

/// What kind of public key a certificate carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA, with the bits of its modulus.
    Rsa(usize),
    /// The curve P-256.
    P256,
    /// The curve P-384.
    P384,
    /// Another kind, which verifies nothing here.
    Other,
}

impl KeyKind {
    fn of(info: &SubjectPublicKeyInfo<'_>) -> Self {
        // Other curves have points of the same length.
        let curve = info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        match info.parsed() {
            Ok(PublicKey::RSA(key)) => Self::Rsa(bits(key.modulus)),
            Ok(PublicKey::EC(_)) if curve == Some(OID_EC_P256) => Self::P256,
            Ok(PublicKey::EC(_)) if curve == Some(OID_NIST_EC_P384) => Self::P384,
            _ => Self::Other,
        }
    }

    /// Whether a signature by such a key may be believed: RSA of 2048 to 8192 bits, P-256, P-384.
    #[must_use]
    pub const fn is_strong(self) -> bool {
        matches!(self, Self::Rsa(2048..=8192) | Self::P256 | Self::P384)
    }
}

/// The length of a positive number without its leading zeros.
fn bits(number: &[u8]) -> usize {
    let mut bytes = number.iter().skip_while(|byte| **byte == 0);
    bytes.next().map_or(0, |first| 8 - first.leading_zeros() as usize + 8 * bytes.count())
}

/// A certificate and the public key in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    public_key: Vec<u8>,
    public_key_info: Vec<u8>,
    kind: KeyKind,
    not_before: Moment,
    not_after: Moment,
}

impl Certificate {
    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn from_pem(pem: &str) -> Result<Self, &'static str> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| "the certificate is not a PEM (BEGIN CERTIFICATE)")?;
        Self::from_der(&der)
    }

    /// Reads what stands in `ds:X509Certificate`: base64, with white space anywhere.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn from_base64(text: &str) -> Result<Self, &'static str> {
        Self::from_der(&base64::decode(text).ok_or("the certificate is not base64")?)
    }

    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn from_der(der: &[u8]) -> Result<Self, &'static str> {
        const BROKEN: &str = "the certificate is not X.509";
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| BROKEN)?;
        if !rest.is_empty() {
            return Err("more stands behind the certificate");
        }
        let moment = |time: i64| DateTime::from_timestamp(time, 0).ok_or(BROKEN);
        let info = parsed.public_key();
        let kind = KeyKind::of(info);
        Ok(Self {
            der: der.to_vec(),
            public_key: info.subject_public_key.data.to_vec(),
            public_key_info: info.raw.to_vec(),
            kind,
            not_before: moment(parsed.validity().not_before.timestamp())?,
            not_after: moment(parsed.validity().not_after.timestamp())?,
        })
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }

    /// The bare public key, as the certificate holds it: `RSAPublicKey` in DER, or the point of the curve.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The public key with its algorithm: `SubjectPublicKeyInfo` in DER (RFC 5280 section 4.1).
    #[must_use]
    pub fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    /// What kind of key it is.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// From when on the certificate says it is good. Informs people; a key is trusted for where it was found.
    #[must_use]
    pub const fn not_before(&self) -> Moment {
        self.not_before
    }

    /// Until when the certificate says it is good. Informs people; a key is trusted for where it was found.
    #[must_use]
    pub const fn not_after(&self) -> Moment {
        self.not_after
    }

    /// Its SHA-256 in lower-case hex: names it in logs and configuration.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        HEXLOWER.encode(digest(&SHA256, &self.der).as_ref())
    }

    /// Whether it may sign other certificates (RFC 5280 section 4.2.1.9).
    #[must_use]
    pub fn is_authority(&self) -> bool {
        X509Certificate::from_der(&self.der).is_ok_and(|(_, certificate)| certificate.is_ca())
    }

    /// Whether the key signed these bytes by this algorithm. False for a key of another kind and for RSA below 2048 bits.
    #[must_use]
    pub fn verifies(&self, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        use SignatureAlgorithm::{EcdsaSha256, EcdsaSha384, RsaSha256, RsaSha384, RsaSha512};
        let verifier: &'static dyn VerificationAlgorithm = match (algorithm, self.kind) {
            (RsaSha256, KeyKind::Rsa(_)) => &RSA_PKCS1_2048_8192_SHA256,
            (RsaSha384, KeyKind::Rsa(_)) => &RSA_PKCS1_2048_8192_SHA384,
            (RsaSha512, KeyKind::Rsa(_)) => &RSA_PKCS1_2048_8192_SHA512,
            (EcdsaSha256, KeyKind::P256) => &ECDSA_P256_SHA256_FIXED,
            (EcdsaSha384, KeyKind::P384) => &ECDSA_P384_SHA384_FIXED,
            _ => return false,
        };
        UnparsedPublicKey::new(verifier, &self.public_key).verify(message, signature).is_ok()
    }

    /// The certificate as `ds:KeyInfo`.
    pub(crate) fn key_info(&self) -> Element<'static> {
        let certificate = Element::new(Ns::Ds, "X509Certificate").text(BASE64.encode(&self.der));
        Element::new(Ns::Ds, "KeyInfo").child(Element::new(Ns::Ds, "X509Data").child(certificate))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = f.debug_struct("Certificate");
        lines.field("sha256", &self.fingerprint()).field("kind", &self.kind).field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = BASE64.encode(der);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Makes a self-signed certificate, in PEM, for a key in PKCS#8 PEM (RSA or P-256): good from the day before `now` for `lifetime`, to
/// the day. It carries no extension: AWS refuses repeated ones, and nobody reads others in SAML.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn self_signed(key: &SecretString, common_name: &str, now: Moment, lifetime: TimeDelta) -> Result<String, &'static str> {
    const KEY: &str = "the key is neither RSA nor P-256 in PKCS#8 PEM (BEGIN PRIVATE KEY)";
    let der = PrivatePkcs8KeyDer::from_pem_slice(key.expose_secret().as_bytes()).map_err(|_| KEY)?;
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_RSA_SHA256)
        .or_else(|_| rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ECDSA_P256_SHA256))
        .map_err(|_| KEY)?;
    let day = |moment: Moment| {
        let part = |number: u32| u8::try_from(number).map_err(|_| "the calendar has no such day");
        // Beyond 9999 X.509 cannot write a year.
        if moment.year() > 9999 {
            return Err("a certificate cannot last beyond the year 9999");
        }
        Ok(date_time_ymd(moment.year(), part(moment.month())?, part(moment.day())?))
    };
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.remove(DnType::CommonName);
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters.not_before = day(now - TimeDelta::days(1))?;
    parameters.not_after = day(now.checked_add_signed(lifetime).ok_or("the lifetime is too long")?)?;
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| "the machine gives no random bytes")?;
    // A serial number is positive and, as rcgen writes it, has no leading zero byte.
    serial[0] = serial[0] & 0x3f | 0x40;
    parameters.serial_number = Some(SerialNumber::from_slice(&serial));
    let certificate = parameters.self_signed(&pair).map_err(|_| "the certificate cannot be made")?;
    Ok(pem("CERTIFICATE", certificate.der()))
}
