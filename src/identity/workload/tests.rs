use std::path::Path;

use serde_json::{Value, json};

use super::*;

fn settings(more: &Value) -> WorkloadProviderSettings {
    let mut settings = json!({ "id": "ci", "issuer": "https://ci.example.org", "audience": "https://roles.example.org" });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(settings).unwrap()
}

#[test]
fn settings_are_checked_all_at_once() {
    let provider = Provider::new(&settings(&json!({})), "workload_provider[0]", Path::new(".")).unwrap();
    assert_eq!((provider.id().as_str(), provider.audience()), ("ci", "https://roles.example.org"));
    assert!(provider.is_named_by("https://ci.example.org") && !provider.is_named_by("https://ci.example.org/"));
    let bad = json!({
        "id": "C I", "issuer": "http://ci.example.org/?x", "audience": " ", "algorithms": ["none", "HS256", "RS256"], "uses": 0, "max_age": "25h",
        "groups_claim": "", "required_claims": { "/": "x" },
    });
    let problems = Provider::new(&settings(&bad), "workload_provider[0]", Path::new(".")).unwrap_err();
    let places: Vec<_> = problems.iter().map(|problem| problem.path.trim_start_matches("workload_provider[0].")).collect();
    let expected =
        ["id", "issuer", "issuer", "audience", "groups_claim", "required_claims", "algorithms[0]", "algorithms[1]", "uses", "max_age"];
    assert_eq!(places, expected, "{problems:#?}");
}

#[test]
fn a_token_is_called_by_its_id_or_by_what_is_signed() {
    let claims = |jti: Value| serde_json::from_value::<Claims>(json!({ "jti": jti })).unwrap();
    assert_eq!(token_id(&claims(json!("run-1")), "a.b"), "jti:run-1");
    let digest = token_id(&claims(Value::Null), "a.b");
    assert!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");
    for odd in [json!(""), json!(7), json!("a b"), json!("x".repeat(256)), json!("a\nb")] {
        assert_eq!(token_id(&claims(odd), "a.b"), digest);
    }
    assert_ne!(token_id(&claims(Value::Null), "a.c"), digest);
}

#[test]
fn the_issuer_of_a_token_is_read_before_anybody_vouches_for_it() {
    let part = |value: Value| data_encoding::BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let token = |claims: Value| format!("{}.{}.", part(json!({ "alg": "none" })), part(claims));
    assert_eq!(unverified_issuer(&token(json!({ "iss": "https://ci.example.org" }))).unwrap(), "https://ci.example.org");
    assert_eq!(unverified_issuer(&token(json!({ "iss": 7 }))).unwrap_err(), Rejected::MissingClaim("iss"));
    assert_eq!(unverified_issuer(&token(json!({}))).unwrap_err(), Rejected::MissingClaim("iss"));
    assert!(unverified_issuer("a.b.c").is_err() && unverified_issuer("").is_err());
}
