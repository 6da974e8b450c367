use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::KeySize;
use chrono::{TimeDelta, TimeZone, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::*;

/// A key of these tests and of nothing else: fixed, so that the exact bytes of what it signs can be.
pub(in crate::saml) fn fixed_signer() -> SamlSigner {
    let key = SecretString::from(include_str!("testdata/rsa.key.pem"));
    SamlSigner::from_pem(&key, include_str!("testdata/rsa.cert.pem")).unwrap()
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::saml) enum SigningAlgorithm {
    Rs256,
    Es256,
}

fn generate(algorithm: SigningAlgorithm) -> SecretString {
    let der = match algorithm {
        SigningAlgorithm::Es256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap().as_ref().to_vec()
        }
        SigningAlgorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap().as_ref().to_vec(),
    };
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(&der)).into()
}

pub(in crate::saml) fn new_pair(algorithm: SigningAlgorithm) -> (SecretString, String) {
    let key = generate(algorithm);
    let now = Utc.with_ymd_and_hms(2026, 11, 24, 12, 0, 0).unwrap();
    let certificate = self_signed(&key, "rolegate saml", now, TimeDelta::days(3650)).unwrap();
    (key, certificate)
}

pub(in crate::saml) fn new_signer(algorithm: SigningAlgorithm) -> SamlSigner {
    let (key, certificate) = new_pair(algorithm);
    SamlSigner::from_pem(&key, &certificate).unwrap()
}

#[test]
fn a_new_certificate_fits_its_key_and_lasts_as_long_as_asked() {
    for (algorithm, kind) in [(SigningAlgorithm::Rs256, KeyKind::Rsa(2048)), (SigningAlgorithm::Es256, KeyKind::P256)] {
        let signer = new_signer(algorithm);
        let certificate = signer.certificate();
        assert_eq!(certificate.kind(), kind);
        assert_eq!(certificate.not_before().to_rfc3339(), "2026-11-23T00:00:00+00:00");
        assert_eq!(certificate.not_after().to_rfc3339(), "2036-11-21T00:00:00+00:00");
        assert_eq!(Certificate::from_pem(&certificate.to_pem()).unwrap(), *certificate);
        let (_, rest) = x509_parser::parse_x509_certificate(certificate.der()).unwrap();
        assert_eq!(rest.subject().to_string(), "CN=rolegate saml");
        assert!(rest.extensions().is_empty());
    }
}

#[test]
fn what_is_signed_verifies_and_nothing_else_does() {
    for (keys, algorithm) in
        [(SigningAlgorithm::Rs256, SignatureAlgorithm::RsaSha256), (SigningAlgorithm::Es256, SignatureAlgorithm::EcdsaSha256)]
    {
        let signer = new_signer(keys);
        assert_eq!(signer.algorithm(), algorithm);
        let signature = signer.sign(b"message").unwrap();
        assert!(signer.certificate().verifies(algorithm, b"message", &signature));
        assert!(!signer.certificate().verifies(algorithm, b"massage", &signature));
        assert!(!new_signer(keys).certificate().verifies(algorithm, b"message", &signature));
        for other in [SignatureAlgorithm::RsaSha384, SignatureAlgorithm::RsaSha512, SignatureAlgorithm::EcdsaSha384] {
            assert!(!signer.certificate().verifies(other, b"message", &signature));
        }
    }
}

#[test]
fn a_certificate_of_another_key_is_refused() {
    let (key, _) = new_pair(SigningAlgorithm::Rs256);
    for other in [SigningAlgorithm::Rs256, SigningAlgorithm::Es256] {
        let (_, certificate) = new_pair(other);
        assert_eq!(SamlSigner::from_pem(&key, &certificate).unwrap_err(), "the certificate belongs to another key");
    }
    assert!(SamlSigner::from_pem(&"x".into(), include_str!("testdata/rsa.cert.pem")).is_err());
    assert!(SamlSigner::from_pem(&key, "x").is_err());
    assert!(SamlSigner::from_pem(&key, key.expose_secret()).is_err());
}

#[test]
fn broken_certificates_are_refused() {
    let certificate = fixed_signer().certificate().clone();
    let mut der = certificate.der().to_vec();
    der.push(0);
    assert_eq!(Certificate::from_der(&der), Err("more stands behind the certificate"));
    for length in [0, 1, 20, der.len() - 2] {
        assert!(Certificate::from_der(&der[..length]).is_err());
    }
    assert!(Certificate::from_base64("****").is_err());
    let spaced = BASE64.encode(certificate.der()).replace('M', " \r\n\tM");
    assert_eq!(Certificate::from_base64(&spaced).unwrap(), certificate);
}

#[test]
fn debug_shows_no_key() {
    let (key, certificate) = new_pair(SigningAlgorithm::Es256);
    let shown = format!("{:?}", SamlSigner::from_pem(&key, &certificate).unwrap());
    assert!(shown.len() < 120, "{shown}");
    assert!(shown.contains(&Certificate::from_pem(&certificate).unwrap().fingerprint()));
}
