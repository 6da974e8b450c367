//! The decision for people of a large organisation, and what its rules cost to compile. Nothing is looked up and nothing kept.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a bench that cannot be set up must stop")]

mod organisation;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mimalloc::MiMalloc;
use organisation::{Kind, Organisation, person};
use rolegate::access::{Context, Purpose, Wish};
use rolegate::clock::{Clock, SystemClock};
use rolegate::startup;
use serde_json::{Value, json};

/// The allocator of the product.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn decisions(criterion: &mut Criterion) {
    let context = Context { now: SystemClock.now(), ip: None };
    for rules in [1_000, 10_000, 100_000] {
        let policy = Organisation::of(Kind::Mixed, rules).compile();
        for groups in [20, 200, 500] {
            let ana = person(Kind::Mixed, rules, groups, 0);
            let entitlements = policy.entitlements(&ana, &context);
            assert!(entitlements.roles().len() >= 20, "{} roles", entitlements.roles().len());
            let name = format!("rules/entitlements-{rules}-rules-{groups}-groups-{}-roles", entitlements.roles().len());
            criterion.bench_function(&name, |bencher| bencher.iter(|| policy.entitlements(&ana, &context)));
        }
        // Nobody's rules are in the processor's caches when a thousand people take turns.
        let people: Vec<_> = (0..1000).map(|number| person(Kind::Mixed, rules, 200, number)).collect();
        let mut turns = people.iter().cycle();
        criterion.bench_function(&format!("rules/entitlements-{rules}-rules-200-groups-by-turns"), |bencher| {
            bencher.iter(|| policy.entitlements(turns.next().unwrap(), &context));
        });
    }
    let policy = Organisation::of(Kind::Mixed, 10_000).compile();
    let entitlements = policy.entitlements(&person(Kind::Mixed, 10_000, 200, 0), &context);
    let role = entitlements.roles().last().unwrap().target.to_string();
    let wish = Wish { role, duration: None, purpose: Purpose::Credentials, reason: None, mfa_code: None, break_glass: false };
    criterion.bench_function("rules/choose", |bencher| bencher.iter(|| entitlements.choose(&wish).unwrap()));
}

fn compiling(criterion: &mut Criterion) {
    let organisation = Organisation::of(Kind::Mixed, 100_000);
    let mut group = criterion.benchmark_group("rules");
    group.sample_size(10);
    group.bench_function("compile-100000-rules", |bencher| bencher.iter(|| black_box(organisation.compile())));
    group.finish();
}

/// From the file to a policy that may be put in force, with every check and second look: what `serve` and `check` do.
fn loading(criterion: &mut Criterion) {
    let organisation = Organisation::of(Kind::Mixed, 100_000);
    let provider = json!({ "name": "Example", "issuer": "https://idp.example.org", "client_id": "rolegate", "client_auth": "none" });
    let providers = ["okta", "partner"].map(|id| {
        let mut provider = provider.clone();
        provider["id"] = json!(id);
        provider
    });
    let lists = json!({ "provider": providers, "account": organisation.accounts, "rule": organisation.rules });
    let text = format!("public_url = \"https://roles.example.org\"\n{}", toml::to_string(&without_nulls(lists)).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rolegate.toml");
    let mut group = criterion.benchmark_group("rules");
    group.sample_size(10);
    // `check` warns of tags that people may be able to choose themselves.
    for (name, text) in [("", text.replace("${username}", "${subject}")), ("-each-with-a-warning", text)] {
        std::fs::write(&path, &text).unwrap();
        let name = format!("load-and-compile-100000-rules-of-{}-MB{name}", text.len() / 1_000_000);
        group.bench_function(&name, |bencher| {
            bencher.iter(|| {
                let config = startup::load(&path).unwrap_or_else(|findings| panic!("{findings}"));
                (startup::policy(&config).unwrap(), config)
            });
        });
    }
}

/// TOML has no word for nothing.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            map.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key, without_nulls(value))).collect()
        }
        Value::Array(list) => list.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

criterion_group!(benches, decisions, compiling, loading);
criterion_main!(benches);
