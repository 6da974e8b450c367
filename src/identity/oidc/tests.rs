use std::path::Path;

use serde_json::{Value, json};

use super::*;

/// Tries settings that are good but for the changes; null takes one away.
fn try_with(changes: &Value) -> Result<Provider, Vec<Problem>> {
    let mut settings = json!({
        "id": "okta",
        "name": "Okta",
        "issuer": "https://login.example.org/oauth2/default",
        "client_id": "rolegate",
        "client_auth": "none",
    });
    for (name, value) in changes.as_object().unwrap() {
        settings[name] = value.clone();
    }
    let settings: ProviderSettings = serde_json::from_value(settings).unwrap();
    Provider::new(&settings, "provider[0]", "https://gate.example/callback/okta".parse().unwrap(), Path::new("/nonexistent"))
}

fn places(changes: &Value) -> Vec<String> {
    let problems = try_with(changes).err().unwrap_or_default();
    assert!(problems.iter().all(|problem| !problem.message.is_empty() && !problem.hint.is_empty()), "{problems:?}");
    problems.into_iter().map(|problem| problem.path.strip_prefix("provider[0].").unwrap().to_owned()).collect()
}

#[test]
fn good_settings_make_a_provider_that_prints_nothing_secret() {
    let provider = try_with(&json!({ "email_domains": ["Example.org"] })).unwrap();
    assert_eq!((provider.id().as_str(), provider.name()), ("okta", "Okta"));
    assert!(provider.serves_domain("EXAMPLE.ORG") && !provider.serves_domain("sub.example.org"));
    assert_eq!(format!("{provider:?}"), "Provider(okta)");
    assert_eq!((provider.authorization_origin(), provider.health()), (None, ProviderHealth::default()));
}

#[test]
fn each_finding_has_its_place() {
    let cases = [
        (json!({ "id": "Okta" }), "id"),
        (json!({ "name": " " }), "name"),
        (json!({ "client_id": "" }), "client_id"),
        (json!({ "username_claim": "" }), "username_claim"),
        (json!({ "issuer": "login.example.org" }), "issuer"),
        (json!({ "issuer": "http://login.example.org" }), "issuer"),
        (json!({ "issuer": "http://10.0.0.1" }), "issuer"),
        (json!({ "issuer": "https://10.0.0.1" }), "issuer"),
        (json!({ "issuer": "https://login.example.org?x=1" }), "issuer"),
        (json!({ "issuer": "https://login.example.org/ " }), "issuer"),
        (json!({ "issuer": "https://user:pw@login.example.org" }), "issuer"),
        (json!({ "issuer": "https://login.example.org/.well-known/openid-configuration" }), "issuer"),
        (json!({ "issuer": "https://login.microsoftonline.com/common/v2.0" }), "issuer"),
        (json!({ "issuer": "https://login.microsoftonline.com/{tenant}/v2.0" }), "issuer"),
        (json!({ "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0" }), "tenants"),
        (json!({ "tenants": ["3b1f8a2c-0000-4000-8000-000000000000"] }), "tenants"),
        (json!({ "issuer": "https://login.example.org/{tenantid}", "tenants": ["contoso.com"] }), "tenants[0]"),
        (json!({ "algorithms": [] }), "algorithms"),
        (json!({ "algorithms": ["RS256", "HS256"] }), "algorithms[1]"),
        (json!({ "algorithms": ["none"] }), "algorithms[0]"),
        (json!({ "algorithms": ["RS257"] }), "algorithms[0]"),
        (json!({ "client_auth": "basic" }), "client_secret"),
        (json!({ "client_auth": "post" }), "client_secret"),
        (json!({ "client_auth": "private_key_jwt" }), "client_key"),
        (json!({ "client_auth": "none", "client_secret": { "env": "PATH" } }), "client_secret"),
        (json!({ "client_auth": "none", "client_key_id": "k" }), "client_key_id"),
        (json!({ "client_auth": "basic", "client_secret": { "env": "ROLEGATE_TEST_NOT_SET" } }), "client_secret"),
        (json!({ "client_auth": "private_key_jwt", "client_key": { "env": "PATH" } }), "client_key"),
        (json!({ "groups_claim": "" }), "groups_claim"),
        (json!({ "groups_claim": "/" }), "groups_claim"),
        (json!({ "groups_claim": "/a~2b" }), "groups_claim"),
        (json!({ "scopes": ["email", "two words"] }), "scopes[1]"),
        (json!({ "acr_values": ["gold silver"] }), "acr_values[0]"),
        (json!({ "email_domains": ["ana@example.org"] }), "email_domains[0]"),
        (json!({ "email_domains": ["example.org", "-x.org"] }), "email_domains[1]"),
        (json!({ "ca_file": "missing.pem" }), "ca_file"),
        (json!({ "authorize_parameters": { "state": "x" } }), "authorize_parameters.state"),
        (json!({ "authorize_parameters": { "code_challenge_method": "plain" } }), "authorize_parameters.code_challenge_method"),
    ];
    for (changes, place) in cases {
        assert_eq!(places(&changes), [place], "{changes}");
    }
}

#[test]
fn what_looks_odd_but_is_right_is_accepted() {
    for fine in [
        json!({ "issuer": "https://tenant.auth0.example/" }),
        json!({ "issuer": "http://127.0.0.1:8080/realms/r" }),
        json!({ "issuer": "http://localhost:8080" }),
        json!({ "issuer": "http://[::1]:8080" }),
        json!({ "issuer": "https://10.0.0.1", "private_network": true }),
        json!({ "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0", "tenants": ["3B1F8A2C-0000-4000-8000-000000000000"] }),
        json!({ "groups_claim": "https://example.org/groups" }),
        json!({ "groups_claim": "/realm_access/a~1b" }),
        json!({ "authorize_parameters": { "prompt": "select_account" } }),
    ] {
        assert_eq!(places(&fine), Vec::<String>::new(), "{fine}");
    }
}

#[test]
fn all_findings_come_at_once() {
    let changes =
        json!({ "id": "", "issuer": "x", "algorithms": ["none"], "client_auth": "basic", "email_domains": ["x"], "groups_claim": "" });
    assert_eq!(places(&changes), ["id", "issuer", "algorithms[0]", "client_secret", "email_domains[0]", "groups_claim"]);
}

#[test]
fn a_file_of_authorities_without_a_certificate_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "nothing here").unwrap();
    assert_eq!(places(&json!({ "ca_file": file })), ["ca_file"]);
}
