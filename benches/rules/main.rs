//! The decision for people of a large organisation, and what its rules cost to compile. Nothing is looked up and nothing kept.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a bench that cannot be set up must stop")]

mod organisation;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mimalloc::MiMalloc;
use organisation::{Kind, Organisation, person};
use rolegate::access::{Context, Purpose, Wish};
use rolegate::clock::{Clock, SystemClock};

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
    let role = entitlements.roles().last().unwrap().role.to_string();
    let wish = Wish { role, duration: None, purpose: Purpose::Credentials, reason: None };
    criterion.bench_function("rules/choose", |bencher| bencher.iter(|| entitlements.choose(&wish).unwrap()));
}

fn compiling(criterion: &mut Criterion) {
    let organisation = Organisation::of(Kind::Mixed, 100_000);
    let mut group = criterion.benchmark_group("rules");
    group.sample_size(10);
    group.bench_function("compile-100000-rules", |bencher| bencher.iter(|| black_box(organisation.compile())));
}

criterion_group!(benches, decisions, compiling);
criterion_main!(benches);
