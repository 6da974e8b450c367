//! The ways by which an administrator's texts come into the rules, each a plain function: fuzzers call it without end, a test calls it on the
//! seeds in `corpus/`. What must hold for any text is asserted.

use std::path::Path;
use std::sync::LazyLock;

use rolegate::access::{AccountSettings, Context, NamingSettings, Person, Policy, RuleSettings};
use rolegate::clock::Moment;
use rolegate::identity::Identity;
use rolegate::{config, startup};
use serde_json::{Value, json};

/// What a configuration needs beside rules.
const HEAD: &str = r#"
public_url = "https://roles.example.org"

[[provider]]
id = "okta"
name = "Okta"
issuer = "https://idp.example.org"
client_id = "rolegate"
client_auth = "none"

[[account]]
id = "111122223333"
name = "Production"
tags = { env = "prod" }

[[account]]
id = "012345678901"
name = "Gov"
partition = "aws-us-gov"

"#;

/// Somebody with many groups and every kind of claim.
static SOMEBODY: LazyLock<Identity> = LazyLock::new(|| {
    let mut groups: Vec<String> =
        ["admins", "aws-111122223333-Dev", "Production.Dev", "team-bl\u{fc}e", "a\nb", "((((((((", ""].map(Into::into).into();
    groups.extend((0..500).map(|n| format!("group-{n:03}-{}", "a".repeat(n % 200))));
    let identity = json!({
        "provider": "okta",
        "subject": "u1",
        "username": "ana@example.org",
        "groups": groups,
        "claims": { "sub": "u1", "level": 3, "share": 0.5, "cost": "4711", "flag": true, "list": groups, "deep": { "a": { "b": [1, "x"] } }, "none": null },
        "authentication": { "time": "2026-01-14T11:30:00Z", "mfa": true, "acr": "gold", "amr": ["pwd", "otp"], "sid": null },
        "upstream": { "id_token": "e30.e30.e30" },
    });
    serde_json::from_value(identity).unwrap()
});

fn context() -> Context {
    Context { now: Moment::from_timestamp(1_768_392_000, 0).unwrap(), ip: Some([10, 1, 2, 3].into()) }
}

/// Decides and explains; whatever comes out is a role of a known account, and both agree.
fn ask(policy: &Policy) {
    let person = Person::from(&*SOMEBODY);
    let granted = policy.granted(&person, &context());
    for entitlement in &granted {
        let known = policy.accounts().iter().find(|account| account.id == entitlement.target.account());
        assert!(known.is_some_and(|account| account.partition == entitlement.target.partition()), "{}", entitlement.target);
    }
    for entitlement in granted.iter().take(3) {
        assert!(policy.explain(&person, &context(), &entitlement.target).granted.is_some());
    }
    if let Ok(role) = policy.role_named("Production/Dev") {
        let has = granted.iter().any(|entitlement| entitlement.target == role);
        assert_eq!(policy.explain(&person, &context(), &role).granted.is_some(), has);
    }
}

/// A file of rules: read, checked, compiled, its tests run. Whether it is a good one.
pub(crate) fn rule_file(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(config) = config::parse(&format!("{HEAD}{text}"), "rolegate.toml", Path::new(".")) else { return false };
    let policy = startup::policy(&config);
    if let Ok(policy) = &policy {
        ask(policy);
    }
    policy.is_ok()
}

fn compiled(rule: Value) -> Option<Policy> {
    let accounts = [
        json!({ "id": "111122223333", "name": "Production", "tags": { "env": "prod" } }),
        json!({ "id": "012345678901", "name": "Gov", "partition": "aws-us-gov" }),
    ];
    let accounts = accounts.map(|account| serde_json::from_value::<AccountSettings>(account).unwrap());
    let rule: RuleSettings = serde_json::from_value(rule).unwrap();
    Policy::compile(&accounts, &[rule], &NamingSettings::default(), &["okta".parse().unwrap()]).ok()
}

/// A group pattern, with captures named `account` and `role` where it has them. Whether it is one.
pub(crate) fn group_pattern(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let plain = compiled(json!({ "id": "r", "group_pattern": text, "accounts": ["*"], "roles": ["Dev"] }));
    let captured = [json!({ "accounts": ["${account}"], "roles": ["${role}"] }), json!({ "effect": "deny", "roles": ["${role}"] })];
    for mut rule in captured {
        rule["id"] = json!("r");
        rule["group_pattern"] = json!(text);
        if let Some(policy) = compiled(rule) {
            ask(&policy);
        }
    }
    if let Some(policy) = &plain {
        ask(policy);
    }
    plain.is_some()
}

/// A condition. Whether it is one.
pub(crate) fn condition(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let policy = compiled(json!({ "id": "r", "everyone": true, "when": text, "accounts": ["*"], "roles": ["Dev"] }));
    if let Some(policy) = &policy {
        ask(policy);
    }
    policy.is_some()
}
