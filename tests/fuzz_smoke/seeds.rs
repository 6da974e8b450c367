//! Writes the seeds anew. They are committed; this says how they came to be.

use std::io::Write;

use chrono::TimeDelta;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use rolegate::saml::encryption::{EncryptionKey, write_encrypted};
use rolegate::saml::response::moment;
use rolegate::saml::sign::Position;
use rolegate::saml::write::aws::{AwsResponse, UNSPECIFIED_CONTEXT};
use rolegate::saml::write::messages::{Envelope, LogoutRequest, LogoutResponse, LogoutStatus, NameId};
use rolegate::saml::write::metadata::{IdpMetadata, SpMetadata};
use rolegate::saml::write::{Element, Ns};
use secrecy::ExposeSecret;

use crate::doors::{ACS, IDP, NOW, PERSON, SP, WORLD, envelope};
use crate::folder;

#[test]
#[ignore = "it changes the committed seeds"]
fn write_the_seeds() {
    responses();
    metadata();
    queries();
}

fn write(door: &str, name: &str, bytes: impl AsRef<[u8]>) {
    std::fs::create_dir_all(folder(door)).unwrap();
    std::fs::write(folder(door).join(name), bytes).unwrap();
}

/// What we write for AWS, addressed to ourselves.
fn minted() -> AwsResponse<'static> {
    let issued = moment(NOW).unwrap();
    AwsResponse {
        response_id: "_r1",
        assertion_id: "_a1",
        issuer: IDP,
        name_id: PERSON,
        recipient: ACS,
        audience: SP,
        issued,
        expires: issued + TimeDelta::minutes(5),
        authenticated: issued,
        authn_context: UNSPECIFIED_CONTEXT,
        session_index: "_s1",
        session_expires: issued + TimeDelta::hours(8),
        role_arn: "arn:aws:iam::111122223333:role/Reader",
        provider_arn: "arn:aws:iam::111122223333:saml-provider/rolegate",
        role_session_name: "alice",
        session_duration: 3600,
        tags: &[],
        source_identity: None,
    }
}

fn piece<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let start = text.find(from).unwrap();
    &text[start..start + text[start..].find(to).unwrap() + to.len()]
}

fn responses() {
    let signer = &WORLD.signer;
    let plain = minted().write(signer).unwrap();
    let plain = plain.expose_secret();
    write("response", "good_assertion_signed.xml", plain);
    let assertion = piece(plain, "<saml:Assertion", "</saml:Assertion>");
    let signature = piece(assertion, "<ds:Signature", "</ds:Signature>");
    let evil = assertion.replace(signature, "").replace(PERSON, "mallory@example.org").replace("_a1", "_evil");
    write("response", "assertion_alone.xml", assertion.replace(signature, ""));
    write("response", "wrapped.xml", plain.replace(assertion, &evil.replace("<saml:Subject>", &format!("{assertion}<saml:Subject>"))));
    let mark = envelope(Element::new(Ns::Saml, "EncryptedAssertion"));
    write("response", "envelope_signed.xml", signer.write_signed(mark, "_r1", Position::AfterIssuer).unwrap());
    let key = EncryptionKey::new(signer.certificate().clone()).unwrap();
    let encrypted = write_encrypted(&minted(), signer, &key).unwrap();
    let encrypted = encrypted.expose_secret();
    write("response", "good_encrypted.xml", encrypted);
    let element = piece(encrypted, "<saml:EncryptedAssertion", "</saml:EncryptedAssertion>");
    let declared = "xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"";
    let element = if element.contains(declared) {
        element.to_owned()
    } else {
        element.replacen("<saml:EncryptedAssertion", &format!("<saml:EncryptedAssertion {declared}"), 1)
    };
    write("decryption", "good_gcm.xml", &element);
    write("decryption", "cbc.xml", element.replace("2009/xmlenc11#aes256-gcm", "2001/04/xmlenc#aes256-cbc"));
    write("decryption", "pkcs1.xml", element.replace("rsa-oaep-mgf1p", "rsa-1_5"));
}

fn metadata() {
    let signing = [WORLD.signer.certificate().clone()];
    let sso = "https://idp.example/sso";
    let idp = IdpMetadata { entity_id: IDP, signing: &signing, single_sign_on_service: sso }.write().unwrap();
    write("metadata", "good_idp.xml", &idp);
    let sp = SpMetadata {
        id: "_m1",
        entity_id: SP,
        valid_until: None,
        cache_duration: Some(TimeDelta::hours(6)),
        signing: &signing,
        encryption: &signing,
        signs_requests: true,
        assertion_consumer_service: ACS,
        single_logout_services: &[],
        name_id_formats: &[],
    };
    write("metadata", "signed_sp.xml", sp.write(Some(&WORLD.signer)).unwrap());
    let role = "<md:RoleDescriptor xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"x\"/>";
    let group = format!(
        "<!-- a --><md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" validUntil=\"2030-02-01T00:00:00Z\" \
         cacheDuration=\"PT1H\">{}</md:EntitiesDescriptor>",
        idp.replace("<md:IDPSSODescriptor", &format!("<!-- b -->{role}<md:IDPSSODescriptor"))
    );
    write("metadata", "good_group.xml", group);
}

fn deflate(text: &str) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn queries() {
    let issued = moment(NOW).unwrap();
    let envelope = Envelope { id: "_l1", issuer: IDP, destination: ACS, issued };
    let name_id = NameId { value: PERSON, format: None, name_qualifier: Some("urn:q"), sp_name_qualifier: None };
    let request = LogoutRequest { envelope, expires: issued + TimeDelta::minutes(5), name_id, session_indexes: &["_s1"] };
    let request = request.write(None).unwrap();
    let response = LogoutResponse { envelope, in_response_to: "_q1", status: LogoutStatus::Partial }.write(None).unwrap();
    write("redirect", "good_request.deflate", deflate(&request));
    // It comes as a request.
    write("redirect", "response.deflate", deflate(&response));
    write("redirect", "bomb.deflate", deflate(&" ".repeat(1 << 20)));
    write(
        "redirect",
        "query.txt",
        "SAMLRequest=fZ%2B=&RelayState=a%2fb+c&SigAlg=http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256&Signature=AA%3D%3D",
    );
}
