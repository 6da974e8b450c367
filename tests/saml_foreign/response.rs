//! The response that signs a person in to AWS.

use rolegate::saml::write::aws::AwsResponse;
use rolegate::trust::SigningAlgorithm;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::support::{node, python};
use crate::world::{AUDIENCE, ISSUER, Keys, LINE_ENDS_OF_XML_1_1, NASTY, RECIPIENT, response, text_of, xmlsec1_verifies};

const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion:Assertion";

async fn accepted(algorithm: SigningAlgorithm) {
    let (keys, others) = (Keys::new(algorithm), Keys::new(algorithm));
    let name_id = format!("{NASTY}{LINE_ENDS_OF_XML_1_1}");
    let text = AwsResponse { name_id: &name_id, ..response() }.write(&keys.signer).unwrap();
    let file = keys.write("response.xml", text.expose_secret());
    let changed = keys.write("changed.xml", text.expose_secret().replace("role/team/Reader", "role/team/Writer"));
    let certificate = text_of(&keys.path("cert.pem"));

    assert!(xmlsec1_verifies(ASSERTION, &keys.path("cert.pem"), &file).await);
    assert!(!xmlsec1_verifies(ASSERTION, &others.path("cert.pem"), &file).await, "the certificate inside is not trusted");
    assert!(!xmlsec1_verifies(ASSERTION, &keys.path("cert.pem"), &changed).await);

    let signed = python("tests/counterparts/verify_signxml.py", &[&file, &certificate]).await.or_fail();
    assert_eq!(signed.trim(), "{urn:oasis:names:tc:SAML:2.0:assertion}Assertion");
    for (file, certificate) in [(&changed, &certificate), (&file, &text_of(&others.path("cert.pem")))] {
        let refused = python("tests/counterparts/verify_signxml.py", &[file, certificate]).await;
        assert!(!refused.success && refused.stderr.contains("refused: Invalid"), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn xmlsec1_and_signxml_accept_it_signed_by_rsa() {
    accepted(SigningAlgorithm::Rs256).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn xmlsec1_and_signxml_accept_it_signed_by_ecdsa() {
    accepted(SigningAlgorithm::Es256).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_provider_reads_what_was_meant() {
    let keys = Keys::new(SigningAlgorithm::Rs256);
    let text = response().write(&keys.signer).unwrap();
    let file = keys.write("response.xml", text.expose_secret());
    let certificate = text_of(&keys.path("cert.pem"));
    let verify = async |file: &str, audience| {
        node("tests/counterparts/verify_saml.mjs", &["response", file, &certificate, ISSUER, RECIPIENT, audience], &[]).await
    };
    let profile: Value = serde_json::from_str(&verify(&file, AUDIENCE).await.or_fail()).unwrap();
    assert_eq!(profile["nameID"], NASTY);
    assert_eq!(profile["nameIDFormat"], "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent");
    assert_eq!(profile["sessionIndex"], "_s0001");
    let attributes = json!({
        "Role": "arn:aws:iam::111122223333:role/team/Reader,arn:aws:iam::111122223333:saml-provider/rolegate",
        "RoleSessionName": "ana@example.org",
        "SessionDuration": "3600",
        "PrincipalTag:Department": "R+D / Süd",
        "PrincipalTag:Cost Center": "4711",
        "TransitiveTagKeys": "Department",
        "SourceIdentity": "main+ana",
    });
    for (name, value) in attributes.as_object().unwrap() {
        assert_eq!(profile["attributes"][format!("https://aws.amazon.com/SAML/Attributes/{name}")], *value, "{name}");
    }
    assert_eq!(profile["attributes"].as_object().unwrap().len(), attributes.as_object().unwrap().len());
    assert!(!verify(&file, "urn:another").await.success);
    let changed = keys.write("changed.xml", text.expose_secret().replace("role/team/Reader", "role/team/Writer"));
    assert!(!verify(&changed, AUDIENCE).await.success);
}
