//! The ways by which bytes of strangers come into the SAML code, each a plain function: fuzzers call it without end, a test calls it on the
//! seeds in `corpus/`. What must hold for any input is asserted.

use std::sync::LazyLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use chrono::TimeDelta;
use data_encoding::BASE64;
use rolegate::clock::Moment;
use rolegate::saml::encryption::{DecryptionKey, Policy, decrypt};
use rolegate::saml::logout::{self, LogoutMessage};
use rolegate::saml::metadata::{IdpDescription, verify_signed};
use rolegate::saml::prescreen::prescreen;
use rolegate::saml::redirect::{LONGEST_MESSAGE, Unverified};
use rolegate::saml::response::{Assertion, Expected, UnverifiedEnvelope, moment, read};
use rolegate::saml::sign::{Position, SamlSigner, self_signed};
use rolegate::saml::verify::Verifier;
use rolegate::saml::write::{Element, Ns};
use rolegate::saml::xml::{Document, Limits};
use rolegate::saml::{Certificate, Refused, decode_posted};
use secrecy::SecretString;

/// The time at which the seeds are good.
pub(crate) const NOW: &str = "2030-01-01T12:00:00Z";
pub(crate) const IDP: &str = "https://idp.example/metadata";
pub(crate) const SP: &str = "https://gate.example/saml/metadata";
pub(crate) const ACS: &str = "https://gate.example/saml/acs";
/// The one person that anybody signed for.
pub(crate) const PERSON: &str = "alice@example.org";

pub(crate) struct World {
    pub(crate) signer: SamlSigner,
    verifier: Verifier,
    decryption: [DecryptionKey; 1],
    /// A signed response around an assertion that is encrypted: whatever comes out counts as signed, and is read.
    around: String,
    /// Made anew by each run: it signs queries.
    curve: EcdsaKeyPair,
    curve_certificate: Certificate,
}

pub(crate) static WORLD: LazyLock<World> = LazyLock::new(|| {
    let key = SecretString::from(include_str!("../src/saml/sign/testdata/rsa.key.pem"));
    let signer = SamlSigner::from_pem(&key, include_str!("../src/saml/sign/testdata/rsa.cert.pem")).unwrap();
    let verifier = Verifier::new(&[signer.certificate().clone()]).unwrap();
    let decryption = [DecryptionKey::from_pem(&key).unwrap()];
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let curve = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(pkcs8.as_ref()));
    let certificate = self_signed(&pem.into(), "fuzz", now(), TimeDelta::days(1)).unwrap();
    let curve_certificate = Certificate::from_pem(&certificate).unwrap();
    let around = signer.write_signed(envelope(Element::new(Ns::Saml, "EncryptedAssertion")), "_r1", Position::AfterIssuer).unwrap();
    World { signer, verifier, decryption, around, curve, curve_certificate }
});

/// A response around an assertion.
pub(crate) fn envelope(assertion: Element<'static>) -> Element<'static> {
    let code = Element::new(Ns::Samlp, "StatusCode").attribute("Value", "urn:oasis:names:tc:SAML:2.0:status:Success");
    Element::new(Ns::Samlp, "Response")
        .attribute("ID", "_r1")
        .attribute("Version", "2.0")
        .attribute("IssueInstant", NOW)
        .attribute("Destination", ACS)
        .child(Element::new(Ns::Saml, "Issuer").text(IDP))
        .child(Element::new(Ns::Samlp, "Status").child(code))
        .child(assertion)
}

fn now() -> Moment {
    moment(NOW).unwrap()
}

fn check(assertion: &Assertion, outer: &UnverifiedEnvelope) -> Result<(), Refused> {
    let expected = Expected {
        idp_entity_id: IDP,
        sp_entity_id: SP,
        acs_url: ACS,
        aws_recipient: None,
        request_id: None,
        max_age: TimeDelta::minutes(10),
    };
    assertion.check(outer, &expected, now(), TimeDelta::seconds(60))
}

/// A response, and an assertion that a good response brought encrypted. Whether the former was accepted.
pub(crate) fn response(bytes: &[u8]) -> bool {
    let accepted = posted(bytes).is_ok();
    let screened = prescreen(WORLD.around.as_bytes()).unwrap();
    // The reader and all checks, for any bytes: the response around them is signed.
    let _ = WORLD.verifier.verify_encrypted(&screened, |_| Some(bytes.to_vec())).and_then(|verified| {
        let assertion = read(&verified)?;
        let _ = assertion.replayable_until(TimeDelta::minutes(10), TimeDelta::seconds(60));
        check(&assertion, &UnverifiedEnvelope::read(&screened)?)
    });
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = decode_posted(text);
    }
    accepted
}

fn posted(bytes: &[u8]) -> Result<(), Refused> {
    let screened = prescreen(bytes)?;
    let open = |element: &rolegate::saml::xml::Element<'_>| {
        decrypt(element, &WORLD.decryption, Policy::default()).ok().map(|bytes| bytes.to_vec())
    };
    let assertion = read(&WORLD.verifier.verify_encrypted(&screened, open)?)?;
    assert_eq!(assertion.subject.value, PERSON, "nobody signed for anybody else");
    check(&assertion, &UnverifiedEnvelope::read(&screened)?)
}

/// Metadata, believed for its place or for its signature. Whether the former gives a provider.
pub(crate) fn metadata(bytes: &[u8]) -> bool {
    if let Ok(signed) = verify_signed(bytes, std::slice::from_ref(WORLD.signer.certificate())) {
        assert!(signed.bytes().contains("https://gate.example"), "nobody signed anything else");
        let _ = signed.describe(None);
    }
    let found = IdpDescription::parse(bytes, None);
    if let Ok(found) = &found {
        assert!(!found.entity_id.is_empty());
        let addresses = found.single_sign_on.iter().chain(&found.single_logout).map(|endpoint| &endpoint.location);
        assert!(addresses.into_iter().all(|address| address.starts_with("http")));
        if let Ok(keys) = found.signing(now()) {
            assert!(keys.iter().all(|key| key.kind().is_strong()) && !keys.is_empty());
        }
    }
    let _ = IdpDescription::parse(bytes, Some("https://idp.example/metadata"));
    found.is_ok()
}

/// A query, and a deflated message in a query that is well signed. Whether the latter is a logout message.
pub(crate) fn redirect(bytes: &[u8]) -> bool {
    let certificates = std::slice::from_ref(&WORLD.curve_certificate);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(query) = Unverified::parse(text)
    {
        assert!(query.verify(certificates).is_err(), "nobody signed it");
    }
    let message = BASE64.encode(bytes).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let algorithm = "http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23ecdsa-sha256";
    let signed = format!("SAMLRequest={message}&SigAlg={algorithm}");
    let signature = WORLD.curve.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    let signature = BASE64.encode(signature.as_ref()).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let query = format!("{signed}&Signature={signature}");
    let Ok(query) = Unverified::parse(&query) else { return false };
    if let Ok(verified) = query.verify(certificates) {
        assert!(verified.xml.len() <= LONGEST_MESSAGE);
    }
    let Ok((message, _)) = logout::redirected(&query, certificates) else { return false };
    let expected = logout::Expected { issuer: IDP, sp_entity_id: SP, destination: ACS, now: now(), skew: TimeDelta::seconds(60) };
    let _ = match message {
        LogoutMessage::Request(request) => request.check(&expected),
        LogoutMessage::Response(response) => response.check(&expected, "_q1"),
    };
    true
}

/// An `EncryptedAssertion`. Whether it decrypts.
pub(crate) fn decryption(bytes: &[u8]) -> bool {
    let Ok(document) = Document::parse(bytes, &Limits::RESPONSE) else { return false };
    let strict = decrypt(&document.root, &WORLD.decryption, Policy::default());
    let lax = decrypt(&document.root, &WORLD.decryption, Policy { allow_cbc: true });
    if let Ok(plain) = &strict {
        assert_eq!(lax.as_ref().map(|plain| plain.as_slice()), Ok(plain.as_slice()));
    }
    lax.is_ok()
}
