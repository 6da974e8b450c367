//! Encrypted assertions, both ways.

use rolegate::saml::encryption::{DecryptionKey, DecryptionRefused, EncryptionKey, Policy, decrypt, write_encrypted};
use rolegate::saml::xml::{Document, Limits};
use rolegate::trust::SigningAlgorithm;
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::support::{node, python};
use crate::world::{AUDIENCE, ISSUER, Keys, NASTY, RECIPIENT, program, response, text_of, xmlsec1_verifies};

const PLAINTEXT: &str =
    "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_a\">text, more than one block of it</saml:Assertion>";

fn opened(text: &str, keys: &Keys, policy: Policy) -> Result<String, DecryptionRefused> {
    let document = Document::parse(text.as_bytes(), &Limits::RESPONSE).unwrap();
    let bytes = decrypt(&document.root, &[DecryptionKey::from_pem(&keys.private).unwrap()], policy)?;
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

/// What `xmlsec1 --encrypt` makes of an assertion, in an `EncryptedAssertion`.
async fn encrypted_by_xmlsec1(keys: &Keys, cipher: &str, session_key: &str, transport: &str) -> String {
    let template = format!(
        "<xenc:EncryptedData xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\" Type=\"http://www.w3.org/2001/04/xmlenc#Element\">\
         <xenc:EncryptionMethod Algorithm=\"{cipher}\"/><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><xenc:EncryptedKey>\
         <xenc:EncryptionMethod Algorithm=\"{transport}\"/><ds:KeyInfo><ds:KeyName/></ds:KeyInfo>\
         <xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>\
         <xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedData>"
    );
    let wrapper =
        format!("<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">{PLAINTEXT}</saml:EncryptedAssertion>");
    let (template, data) = (keys.write("template.xml", template), keys.write("data.xml", wrapper));
    let certificate = text_of(&keys.path("cert.pem"));
    let select = "urn:oasis:names:tc:SAML:2.0:assertion:Assertion";
    let args = [
        "--encrypt",
        "--pubkey-cert-pem",
        &certificate,
        "--session-key",
        session_key,
        "--xml-data",
        &data,
        "--node-name",
        select,
        &template,
    ];
    program("xmlsec1", &args).await.or_fail()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_xmlsec1_encrypts_is_decrypted_where_the_policy_allows_it() {
    const OAEP: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
    let (keys, others) = (Keys::new(SigningAlgorithm::Rs256), Keys::new(SigningAlgorithm::Rs256));
    let (strict, lax) = (Policy::default(), Policy { allow_cbc: true });
    for (cipher, session_key, allowed) in [
        ("http://www.w3.org/2009/xmlenc11#aes128-gcm", "aes-128", true),
        ("http://www.w3.org/2009/xmlenc11#aes256-gcm", "aes-256", true),
        ("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "aes-128", false),
        ("http://www.w3.org/2001/04/xmlenc#aes256-cbc", "aes-256", false),
    ] {
        let text = encrypted_by_xmlsec1(&keys, cipher, session_key, OAEP).await;
        assert_eq!(opened(&text, &keys, lax).as_deref(), Ok(PLAINTEXT), "{cipher}");
        assert_eq!(opened(&text, &keys, strict).is_ok(), allowed, "{cipher}");
        assert_eq!(opened(&text, &others, lax), Err(DecryptionRefused), "{cipher}");
    }
    let old =
        encrypted_by_xmlsec1(&keys, "http://www.w3.org/2009/xmlenc11#aes128-gcm", "aes-128", "http://www.w3.org/2001/04/xmlenc#rsa-1_5")
            .await;
    assert_eq!(opened(&old, &keys, lax), Err(DecryptionRefused));
}

#[tokio::test(flavor = "multi_thread")]
async fn oaep_with_sha_256_is_decrypted() {
    let keys = Keys::new(SigningAlgorithm::Rs256);
    let args = [keys.write("plaintext", PLAINTEXT), text_of(&keys.path("cert.pem"))];
    let text = python("tests/counterparts/encrypt_saml.py", &[&args[0], &args[1]]).await.or_fail();
    assert_eq!(opened(&text, &keys, Policy::default()).as_deref(), Ok(PLAINTEXT));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_encrypt_is_decrypted_by_xmlsec1_and_node_saml() {
    let (ours, theirs) = (Keys::new(SigningAlgorithm::Rs256), Keys::new(SigningAlgorithm::Rs256));
    let text = write_encrypted(&response(), &ours.signer, &EncryptionKey::new(theirs.certificate()).unwrap()).unwrap();
    let file = ours.write("encrypted.xml", text.expose_secret());
    python("tests/counterparts/verify_signxml.py", &[&file, "-"]).await.or_fail();

    let key = text_of(&theirs.path("key.pem"));
    let decrypted = program("xmlsec1", &["--decrypt", "--privkey-pem", &key, &file]).await.or_fail();
    let decrypted = ours.write("decrypted.xml", decrypted);
    assert!(xmlsec1_verifies("urn:oasis:names:tc:SAML:2.0:assertion:Assertion", &ours.path("cert.pem"), &decrypted).await);
    let wrong = text_of(&ours.path("key.pem"));
    assert!(!program("xmlsec1", &["--decrypt", "--privkey-pem", &wrong, &file]).await.success);

    let certificate = text_of(&ours.path("cert.pem"));
    let args = ["response", &file, &certificate, ISSUER, RECIPIENT, AUDIENCE, &key];
    let profile: Value = serde_json::from_str(&node("tests/counterparts/verify_saml.mjs", &args, &[]).await.or_fail()).unwrap();
    assert_eq!(profile["nameID"], NASTY);
}
