use std::sync::LazyLock;

use data_encoding::BASE64;
use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;
use crate::saml::sign::Certificate;
use crate::saml::sign::tests::{SigningAlgorithm, fixed_signer, new_pair};
use crate::saml::write::tests::sample;
use crate::saml::xml::{Document, Limits};

fn pair() -> (DecryptionKey, EncryptionKey) {
    let (key, certificate) = new_pair(SigningAlgorithm::Rs256);
    (DecryptionKey::from_pem(&key).unwrap(), EncryptionKey::new(Certificate::from_pem(&certificate).unwrap()).unwrap())
}

fn open(text: &str, keys: &[DecryptionKey], policy: Policy) -> Result<String, DecryptionRefused> {
    let document = Document::parse(text.as_bytes(), &Limits::RESPONSE).unwrap();
    let encrypted = document.root.only_child(SAML, "EncryptedAssertion").unwrap();
    decrypt(encrypted, keys, policy).map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

#[test]
fn what_is_encrypted_for_aws_is_the_signed_assertion() {
    let (private, public) = pair();
    let (other, _) = pair();
    let text = write_encrypted(&sample(), &fixed_signer(), &public).unwrap();
    assert!(!text.expose_secret().contains("role/team/Reader"));
    let keys = [other, private];
    let opened = open(text.expose_secret(), &keys, Policy::default()).unwrap();
    assert_eq!(opened, sample().signed_assertion(&fixed_signer()).unwrap());
    assert_eq!(open(text.expose_secret(), &keys[..1], Policy::default()), Err(DecryptionRefused));
    assert_eq!(open(text.expose_secret(), &[], Policy::default()), Err(DecryptionRefused));
}

#[test]
fn every_change_is_refused_alike() {
    let (private, public) = pair();
    let text = write_encrypted(&sample(), &fixed_signer(), &public).unwrap();
    let text = text.expose_secret();
    let keys = [private];
    assert!(open(text, &keys, Policy::default()).is_ok());
    let refused = |change: &dyn Fn(&str) -> String| {
        let changed = change(text);
        assert_ne!(changed, text, "the test changes something");
        assert_eq!(open(&changed, &keys, Policy { allow_cbc: true }), Err(DecryptionRefused), "{changed}");
    };
    for (from, to) in [
        (AES256_GCM, AES128_GCM),
        (AES256_GCM, AES256_CBC),
        (AES256_GCM, "http://www.w3.org/2001/04/xmlenc#tripledes-cbc"),
        (AES256_GCM, ""),
        (OAEP_MGF1P, "http://www.w3.org/2001/04/xmlenc#rsa-1_5"),
        (OAEP_MGF1P, ""),
        (SHA1, SHA256),
        ("xenc:EncryptedKey", "xenc:Encryptedkey"),
        ("xenc:CipherValue", "xenc:CipherReference"),
    ] {
        refused(&|text| text.replace(from, to));
    }
    let label = "</ds:DigestMethod><xenc:OAEPparams>eA==</xenc:OAEPparams>";
    refused(&|text| text.replacen("</ds:DigestMethod>", label, 1));
    // One bit of each ciphertext, and nearly nothing left of it.
    for index in [1, 2] {
        let start = text.match_indices("<xenc:CipherValue>").nth(index - 1).unwrap().0 + "<xenc:CipherValue>".len();
        let end = start + text[start..].find('<').unwrap();
        let bytes = BASE64.decode(&text.as_bytes()[start..end]).unwrap();
        for at in [0, 5, 12, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            refused(&|text| format!("{}{}{}", &text[..start], BASE64.encode(&changed), &text[end..]));
        }
        for length in [0, 1, 3, 11, 12, 13, 16, 27, 28, bytes.len() - 1] {
            refused(&|text| format!("{}{}{}", &text[..start], BASE64.encode(&bytes[..length]), &text[end..]));
        }
        refused(&|text| format!("{}!{}", &text[..start], &text[end..]));
    }
    let key = &text[text.find("<xenc:EncryptedKey>").unwrap()..text.find("</xenc:EncryptedKey>").unwrap() + "</xenc:EncryptedKey>".len()];
    refused(&|text| text.replacen(key, &format!("{key}{key}"), 1));
    refused(&|text| text.replacen(key, "", 1));
}

#[test]
fn the_key_may_stand_beside_the_data() {
    let (private, public) = pair();
    let text = write_encrypted(&sample(), &fixed_signer(), &public).unwrap();
    let text = text.expose_secret();
    let start = text.find("<xenc:EncryptedKey>").unwrap();
    let end = text.find("</xenc:EncryptedKey>").unwrap() + "</xenc:EncryptedKey>".len();
    let key = text[start..end].replace(
        "<xenc:EncryptedKey>",
        "<xenc:EncryptedKey xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">",
    );
    let moved = format!("{}{}", &text[..start], &text[end..]);
    let moved = moved.replace("</saml:EncryptedAssertion>", &format!("{key}</saml:EncryptedAssertion>"));
    assert!(open(&moved, &[private], Policy::default()).is_ok());
}

#[test]
fn oaep_needs_one_hash_and_pkcs1_is_never_taken() {
    assert!(transport(OAEP_MGF1P, None, None).is_some());
    assert!(transport(OAEP_MGF1P, Some(SHA1), None).is_some());
    assert!(transport(OAEP_11, Some(SHA256), Some(MGF1_SHA256)).is_some());
    for (method, digest, mask) in [
        ("http://www.w3.org/2001/04/xmlenc#rsa-1_5", None, None),
        (OAEP_MGF1P, Some(SHA256), None),
        (OAEP_11, Some(SHA256), None),
        (OAEP_11, Some(""), None),
        (OAEP_MGF1P, Some(SHA256), Some(MGF1_SHA256)),
    ] {
        assert!(transport(method, digest, mask).is_none(), "{method}");
    }
}

#[test]
fn only_rsa_keys_of_2048_bits_encrypt_and_decrypt() {
    let (key, certificate) = new_pair(SigningAlgorithm::Es256);
    assert!(DecryptionKey::from_pem(&key).is_err());
    assert!(EncryptionKey::new(Certificate::from_pem(&certificate).unwrap()).is_err());
    let short = Certificate::from_pem(include_str!("../metadata/testdata/rsa1024.cert.pem")).unwrap();
    assert!(EncryptionKey::new(short).is_err());
}

proptest! {
    #[test]
    fn no_ciphertext_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), key in prop::collection::vec(any::<u8>(), 0..300), which in 0..4_usize) {
        let cipher = [AES128_GCM, AES256_GCM, AES128_CBC, AES256_CBC][which];
        let text = format!(
            "<r><EncryptedAssertion xmlns='{SAML}'><EncryptedData xmlns='{XENC}'><EncryptionMethod Algorithm='{cipher}'/><k:KeyInfo xmlns:k='{DS}'>\
             <EncryptedKey><EncryptionMethod Algorithm='{OAEP_MGF1P}'/><CipherData><CipherValue>{}</CipherValue></CipherData></EncryptedKey></k:KeyInfo>\
             <CipherData><CipherValue>{}</CipherValue></CipherData></EncryptedData></EncryptedAssertion></r>",
            BASE64.encode(&key), BASE64.encode(&bytes),
        );
        prop_assert_eq!(open(&text, KEYS.as_slice(), Policy { allow_cbc: true }), Err(DecryptionRefused));
    }
}

/// One key for all cases: making one takes long.
static KEYS: LazyLock<[DecryptionKey; 1]> = LazyLock::new(|| [pair().0]);
