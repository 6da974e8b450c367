//! The same question to three engines, on the same organisation and for the same people: which roles does this person have?
//!
//! The organisation and its people are those of the other benches (`benches/rules/organisation.rs`), with the rules that every language
//! can say alike: a group, roles of an account, allow or deny. What the peers are given is made from the settings that Rolegate compiles, and
//! how each is written stands at the head of its module. All answers are compared before anything is timed.

#[path = "../../../rules/organisation.rs"]
mod organisation;

mod cedar;
mod rego;
mod table;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use cedar::{Cedar, Somebody};
use cedar_policy::EntityUid;
use criterion::{Criterion, SamplingMode};
use mimalloc::MiMalloc;
use organisation::{Kind, Organisation, person};
use rego::Rego;
use rolegate::access::{Context, Effect, Entitlements};
use rolegate::clock::{Clock, SystemClock};

/// The allocator of the product, for all three.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// A rule as all three languages can say it.
pub(crate) struct Rule {
    pub(crate) allow: bool,
    pub(crate) group: String,
    /// ARNs.
    pub(crate) roles: Vec<String>,
}

/// The rules as Rolegate's settings have them, for the peers. A rule that says more than a [`Rule`] can stops the bench.
fn plain(organisation: &Organisation) -> Vec<Rule> {
    let ids: HashMap<_, _> = organisation.accounts.iter().map(|account| (&account.name, &account.id)).collect();
    let rule = |rule: &rolegate::access::RuleSettings| {
        let ([group], [account]) = (rule.groups.as_slice(), rule.accounts.as_slice()) else { panic!("{rule:?} is not plain") };
        assert!(!rule.everyone && rule.when.is_none() && rule.group_pattern.is_none() && !rule.roles.is_empty(), "{rule:?} is not plain");
        let roles = rule.roles.iter().map(|role| format!("arn:aws:iam::{}:role/{role}", ids[account])).collect();
        Rule { allow: rule.effect == Effect::Allow, group: group.clone(), roles }
    };
    organisation.rules.iter().map(rule).collect()
}

/// ARNs in order: what the answers are compared as.
type Answer = BTreeSet<String>;

fn of_rolegate(entitlements: &Entitlements) -> Answer {
    entitlements.roles().iter().map(|entitlement| entitlement.target.to_string()).collect()
}

fn of_cedar(roles: Vec<EntityUid>) -> Answer {
    roles.into_iter().map(|role| role.id().unescaped().to_owned()).collect()
}

fn of_rego(roles: &regorus::Value) -> Answer {
    roles.as_set().unwrap().iter().map(|role| role.as_string().unwrap().to_string()).collect()
}

/// Rules, and groups of the person.
const SIZES: [(usize, usize); 2] = [(1_000, 200), (10_000, 200)];
/// Cedar's own ways to a list.
type Way = (&'static str, fn(&Cedar, &Somebody) -> Vec<EntityUid>);
const CEDAR_FOR_ALL: [Way; 3] =
    [("cedar-type-aware", Cedar::type_aware), ("cedar-query-resource", Cedar::query_resource), ("cedar-every-role", Cedar::every_role)];
/// With more rules than this, asking about every role takes minutes.
const MOST_FOR_EVERY_ROLE: usize = 1_000;
/// How many people the fast ways are compared for; the slow ones are for one of them.
const PEOPLE: usize = 20;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/peers/criterion");
    let mut criterion = Criterion::default().configure_from_args().output_directory(&folder);
    for (rules, groups) in SIZES {
        let name = format!("peers-{rules}-rules-{groups}-groups");
        compare(&mut criterion, &name, rules, groups);
        table::print(&folder.join(&name));
    }
    criterion.final_summary();
}

fn compare(criterion: &mut Criterion, name: &str, rules: usize, groups: usize) {
    let organisation = Organisation::of(Kind::Plain, rules);
    let plain = plain(&organisation);
    let (policy, cedar, mut rego) = (organisation.compile(), Cedar::of(&plain), Rego::of(&plain));
    let context = Context { now: SystemClock.now(), ip: None };

    let takes = plain.iter().filter(|rule| !rule.allow).flat_map(|rule| &rule.roles).count();
    println!("{name}: {} policies in Cedar, {} roles that rules name, {takes} taken by denies", cedar.policies(), cedar.roles());
    for number in 0..PEOPLE {
        let identity = person(Kind::Plain, rules, groups, number);
        let expected = of_rolegate(&policy.entitlements(&identity, &context));
        let input = rego::somebody(identity.groups());
        assert_eq!(of_rego(&rego.interpreted(&input)), expected, "person {number}");
        assert_eq!(of_rego(&rego.on_machine(&input)), expected, "person {number}");
        // A role that a deny takes was given.
        let mine = |rule: &&Rule| identity.groups().contains(&rule.group);
        let given: Answer = plain.iter().filter(mine).filter(|rule| rule.allow).flat_map(|rule| rule.roles.iter().cloned()).collect();
        assert!(expected.is_subset(&given) && expected.len() < given.len(), "no deny takes anything from person {number}");
        let who = cedar.somebody(identity.subject(), identity.groups());
        assert_eq!(of_cedar(cedar.sliced(&who)), expected, "person {number}");
    }

    let ana = person(Kind::Plain, rules, groups, 0);
    let (who, input) = (cedar.somebody(ana.subject(), ana.groups()), rego::somebody(ana.groups()));
    let expected = of_rolegate(&policy.entitlements(&ana, &context));
    let for_all = if rules > MOST_FOR_EVERY_ROLE { CEDAR_FOR_ALL.split_last().unwrap().1 } else { &CEDAR_FOR_ALL };
    for (way, list) in for_all {
        assert_eq!(of_cedar(list(&cedar, &who)), expected, "{way}");
    }
    println!("{name}: all agree, {} roles", expected.len());

    let mut group = criterion.benchmark_group(name);
    group.bench_function("rolegate", |bencher| bencher.iter(|| policy.entitlements(&ana, &context)));
    group.bench_function("rego-interpreter", |bencher| bencher.iter(|| rego.interpreted(&input)));
    group.bench_function("rego-machine", |bencher| bencher.iter(|| rego.on_machine(&input)));
    group.bench_function("cedar-sliced-by-the-application", |bencher| bencher.iter(|| cedar.sliced(&who)));
    // Some of these take seconds: ten questions each.
    group
        .sample_size(10)
        .sampling_mode(SamplingMode::Flat)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_millis(1));
    for (way, list) in for_all {
        group.bench_function(*way, |bencher| bencher.iter(|| list(&cedar, &who)));
    }
    group.finish();
}
