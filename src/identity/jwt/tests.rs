use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::*;

fn token(header: &str, payload: &str) -> String {
    format!("{}.{}.c2ln", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(payload.as_bytes()))
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn rsa(bytes: usize) -> Value {
    json!({ "kty": "RSA", "kid": "r", "n": BASE64URL_NOPAD.encode(&vec![0xff; bytes]), "e": "AQAB" })
}

fn with(mut key: Value, name: &str, value: Value) -> Value {
    key[name] = value;
    key
}

#[test]
fn a_token_is_taken_apart_without_being_believed() {
    let token = token(r#"{"alg":"RS256","kid":"k","typ":"JWT"}"#, "{}");
    assert_eq!(Unverified::parse(&token).unwrap().unverified_type(), Some("JWT"));
}

#[test]
fn what_is_no_signed_token_is_malformed() {
    let good = r#"{"alg":"RS256"}"#;
    assert!(Unverified::parse(&token(good, "{}")).is_ok());
    let long = token(good, &"x".repeat(MAX_TOKEN));
    // Five parts are an encrypted token (JWE); padding and the other alphabet are not base64url.
    let others = ["", ".", "..", "a.b", "e30.e30.e30.e30.e30", "eyJhbGciOiJSUzI1NiJ9=.e30.c2ln", "+yJ9.e30.", " e30.e30.e30", &long];
    for other in others {
        assert!(matches!(Unverified::parse(other), Err(Rejected::Malformed(_))), "{other:.40}");
    }
    for header in ["[]", "{}", r#"{"alg":1}"#, r#"{"alg":"RS256","crit":[]}"#, r#"{"alg":"RS256","kid":null}"#, r#"{"alg":"RS256"} {}"#] {
        assert!(matches!(Unverified::parse(&token(header, "{}")), Err(Rejected::Malformed(_))), "{header}");
    }
}

#[test]
fn a_key_set_is_read_past_the_keys_that_are_of_no_use() {
    let ec =
        json!({ "kty": "EC", "crv": "P-256", "kid": "e", "x": BASE64URL_NOPAD.encode(&[1; 32]), "y": BASE64URL_NOPAD.encode(&[2; 32]) });
    assert_eq!(set(&[rsa(256), ec.clone()]).len(), 2);
    let useless = [
        rsa(128),
        rsa(255),
        rsa(1025),
        with(rsa(256), "use", json!("enc")),
        with(rsa(256), "key_ops", json!(["encrypt"])),
        with(rsa(256), "alg", json!("RSA-OAEP")),
        with(rsa(256), "n", json!("not base64!")),
        with(ec.clone(), "crv", json!("secp256k1")),
        with(ec.clone(), "x", json!("AQ")),
        json!({ "kty": "oct", "k": "c2VjcmV0" }),
        json!({ "kty": "AKP", "alg": "ML-DSA-44" }),
        json!("key"),
        json!(null),
    ];
    for key in useless {
        assert!(set(std::slice::from_ref(&key)).is_empty(), "{key}");
        assert_eq!(set(&[key, rsa(256)]).len(), 1);
    }
    assert_eq!(set(&[with(rsa(256), "key_ops", json!(["sign", "verify"]))]).len(), 1);
    for nothing in ["", "[]", "{}", r#"{"keys":{}}"#] {
        assert!(KeySet::read(nothing.as_bytes()).is_err(), "{nothing}");
    }
}

#[test]
fn a_modulus_counts_by_its_bits_not_by_its_bytes() {
    let padded = |bytes: usize| [vec![0; 256 - bytes], vec![0xff; bytes]].concat();
    let key = |n: &[u8]| json!({ "kty": "RSA", "n": BASE64URL_NOPAD.encode(n), "e": "AQAB" });
    assert!(set(&[key(&padded(128))]).is_empty());
    assert_eq!(set(&[key(&padded(256))]).len(), 1);
    assert!(set(&[key(&[])]).is_empty());
}

#[test]
fn the_algorithm_must_be_one_for_the_key() {
    let keys = set(&[rsa(256)]);
    assert_eq!(keys.choose(Some("r"), Algorithm::RS256).unwrap().len(), 1);
    assert_eq!(keys.choose(Some("r"), Algorithm::ES256).unwrap_err(), NoKey::Misfit);
    assert_eq!(keys.choose(Some("x"), Algorithm::RS256).unwrap_err(), NoKey::Unknown);
    assert_eq!(keys.choose(None, Algorithm::RS256).unwrap().len(), 1);
    let reserved = set(&[with(rsa(256), "alg", json!("PS256"))]);
    assert_eq!(reserved.choose(Some("r"), Algorithm::RS256).unwrap_err(), NoKey::Misfit);
    let two = set(&[rsa(256), with(rsa(256), "kid", json!("s"))]);
    assert_eq!(two.choose(None, Algorithm::RS256).unwrap_err(), NoKey::Unknown);
    let unnamed = with(rsa(256), "kid", json!(null));
    assert_eq!(set(&[unnamed]).choose(Some("r"), Algorithm::RS256).unwrap_err(), NoKey::Unknown);
}

#[test]
fn names_of_algorithms_that_prove_nothing_are_no_names() {
    for name in ["none", "HS256", "HS512", "ES256K", "rs256", "RS1", ""] {
        assert_eq!(asymmetric(name), None, "{name}");
    }
}
