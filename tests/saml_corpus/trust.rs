//! Which keys count, and what must be signed when the assertion is encrypted.

use data_encoding::BASE64;
use rolegate::saml::Refused;
use rolegate::saml::prescreen::{Over, prescreen};
use rolegate::saml::response::read;
use rolegate::saml::verify::{Verified, Verifier};
use rolegate::saml::xml::Element;

use crate::cases::{assertion_of, swap, valid};
use crate::keys::Keys;
use crate::sibling::{ALL, Algorithms, RSA_SHA256, Sign, assertion, response, signed, template, unsigned};

fn verify(verifier: &Verifier, document: &str) -> Result<Verified, Refused> {
    verifier.verify(&prescreen(document.as_bytes())?)
}

#[test]
fn each_key_of_a_rollover_counts_and_only_those() {
    let keys = Keys::make();
    let verifier = Verifier::new(&[&keys.ec, &keys.next, &keys.idp].map(crate::keys::Pair::parsed)).unwrap();
    for sign in ALL {
        for pair in [&keys.idp, &keys.next] {
            assert!(verify(&verifier, &signed(&keys, pair, sign, &unsigned(sign, RSA_SHA256))).is_ok());
        }
        let strange = signed(&keys, &keys.stranger, sign, &unsigned(sign, RSA_SHA256));
        assert_eq!(verify(&verifier, &strange), Err(Refused::Signature));
    }
    let one = Verifier::new(&[keys.next.parsed()]).unwrap();
    assert_eq!(verify(&one, &valid(&keys, Sign::Both)), Err(Refused::Signature));
}

#[test]
fn both_signatures_must_hold() {
    let keys = Keys::make();
    let verifier = Verifier::new(&[keys.idp.parsed()]).unwrap();
    let plain = unsigned(Sign::Both, RSA_SHA256);
    let [good, strange] = [&keys.idp, &keys.stranger].map(|pair| format!("{},{}", pair.key.display(), pair.certificate.display()));
    let by = |inner: &str, outer: &str| {
        let document = keys.sign(&["--privkey-pem", inner], "Assertion", &plain);
        verify(&verifier, &keys.sign(&["--privkey-pem", outer], "Response", &document)).map(|verified| verified.over())
    };
    assert_eq!(by(&good, &good), Ok(Over::Response));
    assert_eq!(by(&strange, &good), Err(Refused::Signature));
    assert_eq!(by(&good, &strange), Err(Refused::Signature));
}

#[test]
fn where_the_verifiers_differ_nothing_is_accepted() {
    // xmlsec, as it is driven here, gives up at a key of another kind; the other verifier goes on to the next.
    let keys = Keys::make();
    let verifier = Verifier::new(&[keys.idp.parsed(), keys.ec.parsed()]).unwrap();
    let ecdsa = Algorithms { signature: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", digest: RSA_SHA256.digest };
    let document = response(&template("_r1", RSA_SHA256), &assertion("_a1", "alice", &template("_a1", ecdsa)));
    let document = signed(&keys, &keys.ec, Sign::Assertion, &document);
    let document = signed(&keys, &keys.idp, Sign::Response, &document);
    assert_eq!(verify(&verifier, &document), Err(Refused::Disagreement));
}

/// Stands in for encryption: base64.
fn hidden(assertion: &str) -> String {
    format!("<saml:EncryptedAssertion><x>{}</x></saml:EncryptedAssertion>", BASE64.encode(assertion.as_bytes()))
}

fn reveal(element: &Element<'_>) -> Option<Vec<u8>> {
    BASE64.decode(element.only_child("", "x").ok()?.text().ok()?.as_bytes()).ok()
}

#[test]
fn an_encrypted_assertion_must_be_signed_inside_or_outside() {
    let keys = Keys::make();
    let verifier = Verifier::new(&[keys.idp.parsed()]).unwrap();
    let judge = |document: &str| {
        let screened = prescreen(document.as_bytes())?;
        verifier.verify_encrypted(&screened, reveal).and_then(|bytes| read(&bytes)).map(|found| found.subject.value)
    };
    let inner_signed = assertion_of(&valid(&keys, Sign::Assertion));
    let plain = assertion("_a1", "alice@example.org", "");
    let inside = |what: &str| response("", &hidden(what));
    let outside = |what: &str| signed(&keys, &keys.idp, Sign::Response, &response(&template("_r1", RSA_SHA256), &hidden(what)));
    let alice = Ok("alice@example.org".to_owned());
    assert_eq!(judge(&inside(&inner_signed)), alice);
    assert_eq!(judge(&outside(&plain)), alice);
    assert_eq!(judge(&outside(&inner_signed)), alice);
    assert_eq!(judge(&valid(&keys, Sign::Both)), alice);
    let forged = swap(&inner_signed, "alice@", "mallory@");
    for (what, document) in [
        ("signed nowhere", inside(&plain)),
        ("changed inside", inside(&forged)),
        ("changed inside a signed response", outside(&forged)),
        ("two", inside(&format!("{inner_signed}{inner_signed}"))),
        ("a response", inside(&valid(&keys, Sign::Both))),
        ("nothing", inside("")),
        ("a comment", outside(&swap(&plain, "alice", "alice<!-- -->"))),
        (
            "one inside another",
            inside(&swap(&plain, "</saml:Subject>", &format!("</saml:Subject><saml:Advice>{inner_signed}</saml:Advice>"))),
        ),
        ("no ciphertext", response("", "<saml:EncryptedAssertion/>")),
    ] {
        assert_eq!(judge(&document), Err(Refused::Decryption), "{what}");
    }
    let swapped = swap(&outside(&plain), &hidden(&plain), &hidden(&plain.replace("alice", "mallory")));
    assert_eq!(judge(&swapped), Err(Refused::Signature));
    assert_eq!(verify(&verifier, &inside(&inner_signed)), Err(Refused::Encrypted));
    let screened_twice = inside(&inner_signed).replace("</samlp:Response>", &format!("{inner_signed}</samlp:Response>"));
    assert_eq!(judge(&screened_twice), Err(Refused::SeveralAssertions));
}
