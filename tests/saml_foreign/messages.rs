//! Requests, logout messages and metadata; signed queries.

use chrono::TimeDelta;
use data_encoding::BASE64;
use rolegate::saml::redirect::{MessageKind, Unverified, write_url};
use rolegate::saml::write::messages::{AuthnRequest, Comparison, Envelope, LogoutRequest, LogoutResponse, LogoutStatus, NameId};
use rolegate::saml::write::metadata::{IdpMetadata, SpMetadata};
use rolegate::saml::write::{Binding, name_id_format};
use rolegate::trust::SigningAlgorithm;
use serde_json::Value;

use crate::support::{node, python};
use crate::world::{ISSUER, Keys, NASTY, now, program, text_of, xmlsec1_verifies};

const SLO: &str = "https://idp.example.org/slo";

fn envelope() -> Envelope<'static> {
    Envelope { id: "_m0001", issuer: ISSUER, destination: SLO, issued: now() }
}

fn logout_request() -> LogoutRequest<'static> {
    let name_id =
        NameId { value: NASTY, format: Some(name_id_format::TRANSIENT), name_qualifier: Some("urn:idp"), sp_name_qualifier: Some(ISSUER) };
    LogoutRequest { envelope: envelope(), expires: now() + TimeDelta::minutes(5), name_id, session_indexes: &["s1", NASTY] }
}

/// Each message's expanded name, as xmlsec1 wants it, and its text.
fn messages(keys: &Keys) -> Vec<(&'static str, String)> {
    let request = AuthnRequest {
        envelope: envelope(),
        assertion_consumer_service: "https://sp.example.org/acs",
        force_authn: true,
        name_id_format: Some(name_id_format::PERSISTENT),
        authn_context: Some((Comparison::Minimum, &["urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"])),
    };
    let response = LogoutResponse { envelope: envelope(), in_response_to: "_x", status: LogoutStatus::Partial };
    let certificates = [keys.certificate()];
    let metadata = SpMetadata {
        id: "_m0001",
        entity_id: ISSUER,
        valid_until: Some(now() + TimeDelta::days(7)),
        cache_duration: Some(TimeDelta::hours(6)),
        signing: &certificates,
        encryption: &certificates,
        signs_requests: true,
        assertion_consumer_service: "https://sp.example.org/acs",
        single_logout_services: &[(Binding::Redirect, "https://sp.example.org/slo"), (Binding::Soap, "https://sp.example.org/soap")],
        name_id_formats: &[name_id_format::PERSISTENT, name_id_format::EMAIL],
    };
    vec![
        ("urn:oasis:names:tc:SAML:2.0:protocol:AuthnRequest", request.write(Some(&keys.signer)).unwrap()),
        ("urn:oasis:names:tc:SAML:2.0:protocol:LogoutRequest", logout_request().write(Some(&keys.signer)).unwrap()),
        ("urn:oasis:names:tc:SAML:2.0:protocol:LogoutResponse", response.write(Some(&keys.signer)).unwrap()),
        ("urn:oasis:names:tc:SAML:2.0:metadata:EntityDescriptor", metadata.write(Some(&keys.signer)).unwrap()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_metadata_follow_the_schemas_and_their_signatures_verify() {
    let keys = Keys::new(SigningAlgorithm::Rs256);
    let certificate = text_of(&keys.path("cert.pem"));
    for (element, text) in messages(&keys) {
        let file = keys.write("message.xml", &text);
        let signed = python("tests/counterparts/verify_signxml.py", &[&file, &certificate]).await.or_fail();
        assert!(element.ends_with(signed.trim().rsplit('}').next().unwrap()), "{element}: {signed}");
        assert!(xmlsec1_verifies(element, &keys.path("cert.pem"), &file).await, "{element}");
        let changed = keys.write("message.xml", text.replace("example.org", "example.net"));
        assert!(!xmlsec1_verifies(element, &keys.path("cert.pem"), &changed).await, "{element}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_for_iam_follows_the_schema() {
    let (old, new) = (Keys::new(SigningAlgorithm::Rs256), Keys::new(SigningAlgorithm::Rs256));
    let signing = [old.certificate(), new.certificate()];
    let text = IdpMetadata { entity_id: ISSUER, signing: &signing, single_sign_on_service: "https://rolegate.example.org/saml/sso" }
        .write()
        .unwrap();
    python("tests/counterparts/verify_signxml.py", &[&old.write("idp.xml", &text), "-"]).await.or_fail();
    // The schema check can fail: this has its children in the wrong order.
    let format = "<md:NameIDFormat>urn:oasis:names:tc:SAML:2.0:nameid-format:persistent</md:NameIDFormat>";
    let wrong = text.replace(format, "").replace("</md:IDPSSODescriptor>", &format!("{format}</md:IDPSSODescriptor>"));
    assert!(!python("tests/counterparts/verify_signxml.py", &[&old.write("wrong.xml", wrong), "-"]).await.success);
}

fn query(keys: &Keys) -> String {
    let xml = logout_request().write(None).unwrap();
    let url = write_url(SLO, MessageKind::Request, &xml, Some("state & more"), Some(&keys.signer)).unwrap();
    url.strip_prefix(SLO).unwrap().strip_prefix('?').unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_and_node_saml_verify_a_signed_query() {
    let keys = Keys::new(SigningAlgorithm::Rs256);
    let query = query(&keys);
    let (signed, signature) = query.split_once("&Signature=").unwrap();
    let signature = url::form_urlencoded::parse(format!("s={signature}").as_bytes()).next().unwrap().1.into_owned();
    let signature = keys.write("signature", BASE64.decode(signature.as_bytes()).unwrap());
    let certificate = text_of(&keys.path("cert.pem"));
    let public = program("openssl", &["x509", "-in", &certificate, "-pubkey", "-noout"]).await.or_fail();
    let public = keys.write("public.pem", public);
    for (text, good) in [(signed.to_owned(), true), (signed.replace("state", "State"), false)] {
        let file = keys.write("signed", text);
        let verdict = program("openssl", &["dgst", "-sha256", "-verify", &public, "-signature", &signature, &file]).await;
        assert_eq!(verdict.success, good, "{verdict:?}");
    }

    let file = keys.write("query", &query);
    let profile = node("tests/counterparts/verify_saml.mjs", &["redirect", &file, &certificate, ISSUER], &[]).await.or_fail();
    let profile: Value = serde_json::from_str(&profile).unwrap();
    assert_eq!(profile["nameID"], NASTY);
    let changed = keys.write("query", query.replace("state", "State"));
    assert!(!node("tests/counterparts/verify_saml.mjs", &["redirect", &changed, &certificate, ISSUER], &[]).await.success);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_openssl_signed_is_verified() {
    let keys = Keys::new(SigningAlgorithm::Rs256);
    let ours = query(&keys);
    let message = ours.split('&').next().unwrap();
    // Lower-case escapes and an escaped space: not how we would spell it.
    let signed = format!("{message}&RelayState=a%2fb+c&SigAlg=http%3a%2f%2fwww.w3.org%2f2001%2f04%2fxmldsig-more%23rsa-sha512");
    let file = keys.write("signed", &signed);
    let (key, out) = (text_of(&keys.path("key.pem")), text_of(&keys.path("signature")));
    program("openssl", &["dgst", "-sha512", "-sign", &key, "-out", &out, &file]).await.or_fail();
    let signature = BASE64.encode(&std::fs::read(out).unwrap()).replace('+', "%2b").replace('/', "%2f").replace('=', "%3d");
    let raw = format!("{signed}&Signature={signature}");
    let verified = Unverified::parse(&raw).unwrap().verify(&[keys.certificate()]).unwrap();
    assert_eq!(verified.relay_state.as_deref(), Some("a/b c"));
    assert!(Unverified::parse(&raw.replace("a%2fb", "a%2Fb")).unwrap().verify(&[keys.certificate()]).is_err());
}
