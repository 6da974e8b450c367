//! The decision for a person of a large organisation: 20 groups against 100 rules over 50 accounts. Nothing is looked up and nothing kept.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a bench that cannot be set up must stop")]

use criterion::{Criterion, criterion_group, criterion_main};
use rolegate::access::{Context, NamingSettings, Policy, Purpose, Wish};
use rolegate::clock::{Clock, SystemClock};
use rolegate::identity::Identity;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}"))
}

fn department(index: usize) -> String {
    format!("department-{index:02}-engineering")
}

/// Rules 0 to 59 name a group, the others a pattern; 10 of the named and 10 of the patterns are about the person.
fn policy() -> Policy {
    let accounts = (0..50).map(|n| json!({ "id": format!("{:012}", n + 1), "name": format!("Account {n:02}"), "tags": { "env": "prod" } }));
    let rules = (0..100).map(|n| {
        let mut rule = json!({
            "id": format!("rule-{n}"),
            "accounts": [format!("Account {:02}", n / 2)],
            "roles": [format!("Engineer{n:02}"), "ReadOnly"],
            "tags": { "Person": "${username}" },
        });
        if n < 60 {
            rule["groups"] = json!([department(n)]);
        } else {
            rule["group_pattern"] = json!(format!("team-{n}-(?<kind>[a-z]+)"));
        }
        rule
    });
    let (accounts, rules) = (accounts.collect(), rules.collect());
    Policy::compile(&read::<Vec<_>>(accounts), &read::<Vec<_>>(rules), &NamingSettings::default(), &["okta".parse().unwrap()])
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// As a person comes back out of their session.
fn person() -> Identity {
    let groups: Vec<String> = (0..10).map(department).chain((60..70).map(|n| format!("team-{n}-staff"))).collect();
    read(json!({
        "provider": "okta",
        "subject": "00u1a2b3c4d5e6f7g8h9",
        "username": "ana@example.org",
        "groups": groups,
        "claims": { "sub": "00u1a2b3c4d5e6f7g8h9", "email": "ana@example.org", "groups": groups },
        "authentication": { "time": null, "mfa": true, "acr": null, "amr": ["pwd", "mfa"], "sid": null },
        "upstream": { "id_token": "e30.e30.e30" },
    }))
}

fn rules(criterion: &mut Criterion) {
    let (policy, person) = (policy(), person());
    let context = Context { now: SystemClock.now(), ip: None };
    let entitlements = policy.entitlements(&person, &context);
    // Two rules share an account, and so its ReadOnly.
    assert_eq!(entitlements.roles().len(), 30);
    criterion.bench_function("rules/entitlements-20-groups-100-rules", |bencher| bencher.iter(|| policy.entitlements(&person, &context)));
    let wish =
        Wish { role: "arn:aws:iam::000000000005:role/Engineer09".into(), duration: None, purpose: Purpose::Credentials, reason: None };
    criterion.bench_function("rules/choose", |bencher| bencher.iter(|| entitlements.choose(&wish).unwrap()));
}

criterion_group!(benches, rules);
criterion_main!(benches);
