use proptest::prelude::*;

use super::*;
use crate::saml::sign::tests::{SigningAlgorithm, fixed_signer, new_signer};

const XML: &str = "<samlp:LogoutRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\"></samlp:LogoutRequest>";

fn query(kind: MessageKind, xml: &str, state: Option<&str>) -> String {
    let url = write_url("https://idp.example.org/slo", kind, xml, state, Some(&fixed_signer())).unwrap();
    url.strip_prefix("https://idp.example.org/slo?").unwrap().to_owned()
}

fn verify(raw: &str) -> Result<Verified, RedirectRefused> {
    Unverified::parse(raw)?.verify(&[fixed_signer().certificate().clone()])
}

/// Signs a query of the test's own spelling.
fn signed(query: &str) -> String {
    let signature = fixed_signer().sign(query.as_bytes()).unwrap();
    format!("{query}&Signature={}", escape(&BASE64.encode(&signature)))
}

fn message(xml: &[u8]) -> String {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(xml).unwrap();
    escape(&BASE64.encode(&encoder.finish().unwrap()))
}

const RSA_SHA256: &str = "http%3a%2f%2fwww.w3.org%2f2001%2f04%2fxmldsig-more%23rsa-sha256";

#[test]
fn a_message_goes_there_and_back() {
    for kind in [MessageKind::Request, MessageKind::Response] {
        for state in [None, Some(""), Some("a b&c=d+ü%")] {
            let raw = query(kind, XML, state);
            let expected = Verified { kind, xml: XML.as_bytes().to_vec(), relay_state: state.map(str::to_owned) };
            assert_eq!(verify(&raw).unwrap(), expected);
        }
    }
}

#[test]
fn ecdsa_works_and_a_certificate_among_several_is_found() {
    let signer = new_signer(SigningAlgorithm::Es256);
    let url = write_url("https://x/?a=b", MessageKind::Request, XML, None, Some(&signer)).unwrap();
    let raw = url.strip_prefix("https://x/?").unwrap();
    assert!(raw.starts_with("a=b&SAMLRequest="));
    let certificates = [fixed_signer().certificate().clone(), signer.certificate().clone()];
    assert_eq!(Unverified::parse(raw).unwrap().verify(&certificates).unwrap().xml, XML.as_bytes());
    assert_eq!(Unverified::parse(raw).unwrap().verify(&certificates[..1]), Err(RedirectRefused::Signature));
    assert_eq!(Unverified::parse(raw).unwrap().verify(&[]), Err(RedirectRefused::Signature));
}

#[test]
fn the_bytes_are_verified_as_they_came() {
    // Lower-case escapes, as .NET writes them, and parameters in another order than the signed one.
    let raw = signed(&format!("SAMLRequest={}&RelayState=a%2fb&SigAlg={RSA_SHA256}", message(XML.as_bytes())));
    assert_eq!(verify(&raw).unwrap().relay_state.as_deref(), Some("a/b"));
    let mut parts: Vec<_> = raw.split('&').collect();
    parts.reverse();
    assert_eq!(verify(&format!("utm=1&{}", parts.join("&"))).unwrap().relay_state.as_deref(), Some("a/b"));
    // The same text in another spelling is another message.
    assert_eq!(verify(&raw.replace("a%2fb", "a%2Fb")), Err(RedirectRefused::Signature));
}

#[test]
fn whatever_is_changed_is_noticed() {
    let raw = query(MessageKind::Request, XML, Some("here"));
    let without = |name: &str| raw.split('&').filter(|pair| !pair.starts_with(name)).collect::<Vec<_>>().join("&");
    assert_eq!(verify(&raw.replace("=here", "=there")), Err(RedirectRefused::Signature));
    assert_eq!(verify(&without("RelayState")), Err(RedirectRefused::Signature));
    assert_eq!(verify(&without("Signature")), Err(RedirectRefused::Unsigned));
    assert_eq!(verify(&without("SigAlg")), Err(RedirectRefused::Unsigned));
    assert_eq!(verify(&without("SAMLRequest")), Err(RedirectRefused::NotOneMessage));
    assert_eq!(verify(&raw.replace("SAMLRequest", "SAMLResponse")), Err(RedirectRefused::Signature));
    assert_eq!(verify(&format!("{raw}&SAMLResponse=x")), Err(RedirectRefused::NotOneMessage));
    assert_eq!(verify(&format!("{raw}&SAMLRequest=x")), Err(RedirectRefused::Repeated("SAMLRequest")));
    assert_eq!(verify(&format!("{raw}&RelayState=x")), Err(RedirectRefused::Repeated("RelayState")));
    assert_eq!(verify(&format!("{raw}&Relay%53tate=x")), Err(RedirectRefused::HiddenName));
    assert_eq!(verify(&format!("{raw}&SAMLEncoding=urn%3Ax")), Err(RedirectRefused::Encoding));
    assert_eq!(verify(""), Err(RedirectRefused::NotOneMessage));
    let end = raw.len();
    assert!(verify(&raw[..end - 4]).is_err());
}

#[test]
fn only_the_listed_algorithms_are_taken() {
    for uri in [
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256 ",
        "",
    ] {
        let raw = signed(&format!("SAMLRequest={}&SigAlg={}", message(XML.as_bytes()), escape(uri)));
        assert_eq!(verify(&raw), Err(RedirectRefused::Algorithm), "{uri}");
    }
    // One that is known, but not of this key.
    let raw = signed(&format!("SAMLRequest={}&SigAlg={}", message(XML.as_bytes()), escape(SignatureAlgorithm::EcdsaSha256.uri())));
    assert_eq!(verify(&raw), Err(RedirectRefused::Signature));
}

#[test]
fn inflation_stops_at_the_cap() {
    let with = |length: usize| verify(&signed(&format!("SAMLRequest={}&SigAlg={RSA_SHA256}", message(&vec![b'x'; length]))));
    assert_eq!(with(LONGEST_MESSAGE).unwrap().xml.len(), LONGEST_MESSAGE);
    assert_eq!(with(LONGEST_MESSAGE + 1), Err(RedirectRefused::MessageTooLong));
    assert_eq!(with(30 * 1024 * 1024), Err(RedirectRefused::MessageTooLong));
    assert_eq!(Unverified::parse(&"x".repeat(LONGEST_QUERY + 1)).unwrap_err(), RedirectRefused::QueryTooLong);
}

#[test]
fn what_is_signed_but_broken_is_refused() {
    let with = |value: &str| verify(&signed(&format!("SAMLRequest={value}&SigAlg={RSA_SHA256}")));
    assert_eq!(with("%zz"), Err(RedirectRefused::Broken("SAMLRequest")));
    assert_eq!(with("%4"), Err(RedirectRefused::Broken("SAMLRequest")));
    assert_eq!(with("****"), Err(RedirectRefused::Broken("SAMLRequest")));
    assert_eq!(with(""), Err(RedirectRefused::Inflate));
    assert_eq!(with(&escape(&BASE64.encode(XML.as_bytes()))), Err(RedirectRefused::Inflate));
    let deflated = deflate(XML).unwrap();
    assert_eq!(with(&escape(&BASE64.encode(&deflated[..deflated.len() - 3]))), Err(RedirectRefused::Inflate));
    assert_eq!(with(&escape(&BASE64.encode(&[deflated.as_slice(), b"more"].concat()))), Err(RedirectRefused::Inflate));
    let state = |state: &str| verify(&signed(&format!("SAMLRequest={}&RelayState={state}&SigAlg={RSA_SHA256}", message(b"<x/>"))));
    assert!(state(&"x".repeat(80)).is_ok());
    assert_eq!(state(&"x".repeat(81)), Err(RedirectRefused::RelayState));
    assert_eq!(state("%ff"), Err(RedirectRefused::Broken("RelayState")));
}

#[test]
fn what_would_not_be_taken_is_not_written() {
    let long = "x".repeat(81);
    let write = |destination, state| write_url(destination, MessageKind::Request, XML, state, None);
    assert!(write("https://x/", Some(&*long)).is_err());
    assert!(write("https://x/#f", None).is_err());
}

proptest! {
    #[test]
    fn no_query_makes_it_panic(raw in "(SAMLRequest|SAMLResponse|RelayState|SigAlg|Signature|[=&%+a-f0-9]|\\PC){0,40}") {
        prop_assert!(verify(&raw).is_err());
    }

    #[test]
    fn any_state_comes_back(state in "\\PC{0,20}") {
        let raw = query(MessageKind::Response, XML, Some(&state));
        prop_assert_eq!(verify(&raw).unwrap().relay_state, Some(state));
    }
}
