//! The rules are decided twice, by the product and by a deliberately naive evaluator, for random policies and people. Both must agree in
//! every detail, and what the documentation promises must hold.
//!
//! `RULES_PAIRS` says how many pairs of a policy and a person (CONTRIBUTING.md has the command of the full run), `RULES_SEED` which.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout, reason = "a failed step is a failed test")]

mod conditions;
mod generate;
mod naive;
#[path = "../support/random.rs"]
mod random;
mod somebody;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use generate::Case;
use naive::{Decision, Naive, Session};
use random::Random;
use rolegate::access::{Effect, Entitlement, GatewayGrant, GatewayRole, Person, Policy, Purpose};
use rolegate::arn::RoleArn;
use somebody::{GROUPS, Somebody};

/// How many people each policy is asked about.
const PEOPLE: usize = 20;

fn decision(entitlement: &Entitlement) -> (String, Decision) {
    let purposes = Purpose::ALL.into_iter().filter(|purpose| entitlement.purposes.has(*purpose));
    let session = Session {
        operation: entitlement.operation,
        hub: entitlement.hub.as_ref().map(|hub| (hub.role.to_string(), hub.operation)),
        external_id: entitlement.external_id.as_ref().map(|id| id.expose().to_owned()),
        console: entitlement.console,
        reuse: entitlement.reuse,
        carry_tags: entitlement.carry_tags,
        carry_source_identity: entitlement.carry_source_identity,
        tags: entitlement.tags.iter().map(|tag| (tag.key.clone(), (tag.value.clone(), tag.transitive))).collect(),
    };
    let decision = Decision {
        purposes: purposes.collect(),
        max_session: entitlement.max_session,
        offered: entitlement.longest_offered(),
        grants: entitlement.elevations().map(|grant| grant.id.clone()).collect(),
        break_glass: entitlement.break_glass,
        emergency: entitlement.emergency.as_deref().map(|way| Box::new(decision(way).1)),
        evidence: entitlement.evidence.iter().map(|evidence| (evidence.rule.to_string(), evidence.group.clone())).collect(),
        session: entitlement.obstacle.is_none().then_some(session),
    };
    (entitlement.target.to_string(), decision)
}

fn granted(policy: &Policy, who: &Somebody) -> Vec<Entitlement> {
    policy.granted(&who.with_grants(&who.identity()), &who.context())
}

/// What went wrong for one policy and one person.
type Outcome = Result<(), String>;

fn must(holds: bool, otherwise: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// One policy, compiled, and the same with its rules in another order.
struct Subject {
    case: Case,
    policy: Policy,
    shuffled: Policy,
}

impl Subject {
    fn new(case: Case, random: &mut Random) -> Self {
        let mut other = case.clone();
        random.shuffle(&mut other.rules);
        Self { policy: case.compile(), shuffled: other.compile(), case }
    }

    fn check(&self, who: &Somebody, random: &mut Random) -> Outcome {
        let found = granted(&self.policy, who);
        let decided: BTreeMap<_, _> = found.iter().map(decision).collect();
        let expected = Naive { case: &self.case, who }.decide();
        must(decided == expected, || format!("decided {decided:#?}\nexpected {expected:#?}"))?;
        self.gateway_roles_agree(who)?;
        self.requests_agree(who)?;
        self.order_does_not_matter(who, &found)?;
        self.every_role_is_of_a_known_account(&found)?;
        self.deny_wins_and_explanations_agree(who, &decided, random)?;
        self.a_group_takes_nothing_away(who, &decided, random)
    }

    fn gateway_roles_agree(&self, who: &Somebody) -> Outcome {
        let identity = who.identity();
        let asked = |policy: &Policy| policy.gateway_roles(&Person::from(&identity), &who.context());
        let evidence = |grant: &GatewayGrant| grant.evidence.iter().map(|why| (why.rule.to_string(), why.group.clone())).collect();
        let found: BTreeMap<GatewayRole, BTreeSet<_>> = asked(&self.policy).iter().map(|grant| (grant.role, evidence(grant))).collect();
        let expected = Naive { case: &self.case, who }.in_gateway();
        must(found == expected, || format!("of the gateway {found:#?}\nexpected {expected:#?}"))?;
        must(asked(&self.policy) == asked(&self.shuffled), || "the order of rules matters to roles of the gateway".to_owned())
    }

    fn requests_agree(&self, who: &Somebody) -> Outcome {
        let identity = who.identity();
        let asked = |policy: &Policy| policy.requestable(&who.with_grants(&identity), &who.context());
        let found: BTreeMap<_, _> =
            asked(&self.policy).iter().map(|it| (it.target.to_string(), (it.purposes.list(), it.max_duration))).collect();
        let expected = Naive { case: &self.case, who }.requestable();
        must(found == expected, || format!("requestable {found:#?}\nexpected {expected:#?}"))?;
        let again = asked(&self.shuffled);
        must(format!("{:?}", asked(&self.policy)) == format!("{again:?}"), || format!("requestable in another order {again:#?}"))
    }

    fn order_does_not_matter(&self, who: &Somebody, found: &[Entitlement]) -> Outcome {
        let again = granted(&self.shuffled, who);
        must(format!("{found:?}") == format!("{again:?}"), || format!("in another order {again:#?}\ninstead of {found:#?}"))
    }

    fn every_role_is_of_a_known_account(&self, found: &[Entitlement]) -> Outcome {
        let is_known = |entitlement: &Entitlement| {
            let known = self.case.accounts.iter().find(|account| account.id == entitlement.target.account().as_str());
            known.is_some_and(|account| account.partition == entitlement.target.partition() && account.name == entitlement.account.name)
        };
        must(found.iter().all(is_known), || format!("a role of no known account: {found:?}"))?;
        must(found.is_sorted_by_key(|entitlement| (&entitlement.account.name, &entitlement.target)), || format!("no order: {found:?}"))
    }

    /// About a role that somebody has, and about one that they may not have.
    fn deny_wins_and_explanations_agree(&self, who: &Somebody, decided: &BTreeMap<String, Decision>, random: &mut Random) -> Outcome {
        let account = &self.case.accounts[random.below(self.case.accounts.len())];
        let any = format!("arn:{}:iam::{}:role/{}", account.partition, account.id, random.one_of(&["Dev", "Admin", "team/Ops"]));
        let had = decided.keys().nth(random.below(decided.len().max(1)));
        for role in had.into_iter().chain([&any]) {
            let arn: RoleArn = role.parse().unwrap();
            let denies = Naive { case: &self.case, who }.denies(&arn);
            let takes = |purpose: &Purpose| denies.iter().any(|(_, taken)| taken.contains(purpose));
            let decision = decided.get(role);
            must(!decision.is_some_and(|decision| decision.all_purposes().any(takes)), || format!("{role} in spite of a deny"))?;
            let told = self.policy.explain(&who.with_grants(&who.identity()), &who.context(), &arn.clone().into());
            let about = || format!("{role}: {decision:?}, denied by {denies:?}, explained as {told:#?}");
            must(told.granted.is_some() == decision.is_some(), about)?;
            let by: BTreeSet<&str> = told.denied_by.iter().map(String::as_str).collect();
            must(by == denies.iter().map(|(rule, _)| rule.as_str()).collect() && by.len() == told.denied_by.len(), about)?;
            let gives = |rule: &str| decision.is_some_and(|decision| decision.all_evidence().any(|id| id == rule));
            must(!told.missed.iter().any(|miss| gives(&miss.rule) || miss.missing.is_empty()), about)?;
            let nearest = told.missed.is_sorted_by_key(|miss| miss.missing.len());
            must(nearest && told.missed.iter().all(|miss| self.rule(&miss.rule).effect == Effect::Allow), about)?;
            // Who lacks a role without a deny lacks something of every rule that could give it.
            let names = |text: &String| text == role || text.contains("${") || role.ends_with(&format!(":role/{text}"));
            let selects = |text: &String| text == &account.id || text == "*" || text.contains("${") || text == &account.name;
            let could = self.case.rules.iter().filter(|rule| {
                rule.effect == Effect::Allow && rule.roles.iter().any(|text| text == role)
                    || rule.effect == Effect::Allow && rule.roles.iter().any(names) && rule.accounts.iter().any(selects) && role == &any
            });
            let silent = |rule: &str| !told.missed.iter().any(|miss| miss.rule == rule);
            let lacks = decision.is_none() && denies.is_empty();
            must(!lacks || could.into_iter().all(|rule| !silent(&rule.id)), about)?;
        }
        Ok(())
    }

    fn rule(&self, id: &str) -> &rolegate::access::RuleSettings {
        self.case.rules.iter().find(|rule| rule.id == id).unwrap()
    }

    fn a_group_takes_nothing_away(&self, who: &Somebody, decided: &BTreeMap<String, Decision>, random: &mut Random) -> Outcome {
        if self.case.conditions.values().any(conditions::Condition::is_about_groups) {
            return Ok(());
        }
        let mut more = who.clone();
        let added = random.one_of(&GROUPS);
        if self.case.rules.iter().any(|rule| rule.groups_none.iter().any(|barred| barred == added)) {
            return Ok(());
        }
        more.groups.insert(random.below(who.groups.len() + 1), added.into());
        let kept: BTreeMap<_, _> = granted(&self.policy, &more).iter().map(decision).collect();
        for (role, before) in decided {
            let denies = Naive { case: &self.case, who: &more }.denies(&role.parse().unwrap());
            let taken = |purpose: &Purpose| denies.iter().any(|(_, taken)| taken.contains(purpose));
            let has = |purpose: &Purpose| kept.get(role).is_some_and(|decision| decision.all_purposes().any(|own| own == purpose));
            must(before.all_purposes().all(|purpose| has(purpose) || taken(purpose)), || format!("{:?} lost {role}", more.groups))?;
        }
        Ok(())
    }
}

/// Fewer rules and groups with which it still goes wrong, to be read by people.
fn smaller(case: &Case, who: &Somebody, seed: u64) -> (Case, Somebody, String) {
    let fails = |case: &Case, who: &Somebody| {
        let random = &mut Random(seed);
        (0..20).find_map(|_| Subject::new(case.clone(), random).check(who, random).err())
    };
    let (mut case, mut who) = (case.clone(), who.clone());
    let mut why = fails(&case, &who).unwrap_or_else(|| "it does not go wrong again".into());
    loop {
        let fewer_rules = (0..case.rules.len()).map(|index| {
            let mut fewer = case.clone();
            fewer.rules.remove(index);
            (fewer, who.clone())
        });
        let fewer_groups = (0..who.groups.len()).map(|index| {
            let mut fewer = who.clone();
            fewer.groups.remove(index);
            (case.clone(), fewer)
        });
        let found = fewer_rules.chain(fewer_groups).find_map(|(case, who)| fails(&case, &who).map(|why| (case, who, why)));
        let Some(found) = found else { return (case, who, why) };
        (case, who, why) = found;
    }
}

/// Policies by their seeds. How many pairs gave at least one role, and how many of them one by a grant.
fn check(seeds: impl Iterator<Item = u64>) -> (usize, usize) {
    let (mut with_roles, mut with_grants) = (0, 0);
    for seed in seeds {
        let random = &mut Random(seed);
        let subject = Subject::new(Case::random(random), random);
        for _ in 0..PEOPLE {
            let who = Somebody::random(random);
            if let Err(first) = subject.check(&who, random) {
                let (case, who, why) = smaller(&subject.case, &who, seed);
                panic!("RULES_SEED={seed}\n{case}{who:?}\n{why}\n(at first: {first})");
            }
            let found = granted(&subject.policy, &who);
            with_roles += usize::from(!found.is_empty());
            with_grants += usize::from(found.iter().any(|entitlement| entitlement.elevations().next().is_some()));
        }
    }
    (with_roles, with_grants)
}

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

#[test]
fn both_agree_and_what_is_promised_holds() {
    let (first, policies) = (setting("RULES_SEED", 1), setting("RULES_PAIRS", 4_000).div_ceil(PEOPLE as u64));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let (with_roles, with_grants) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for worker in 0..workers {
            let (seeds, with_roles, with_grants) = ((first..first + policies).skip(worker).step_by(workers), &with_roles, &with_grants);
            scope.spawn(move || {
                let (roles, grants) = check(seeds);
                with_roles.fetch_add(roles, Ordering::Relaxed);
                with_grants.fetch_add(grants, Ordering::Relaxed);
            });
        }
    });
    let (pairs, with_roles, with_grants) = (usize::try_from(policies).unwrap() * PEOPLE, with_roles.into_inner(), with_grants.into_inner());
    // On people who have nothing, anybody agrees.
    assert!(with_roles * 3 > pairs, "only {with_roles} of {pairs} have a role");
    assert!(with_grants * 200 > pairs, "only {with_grants} of {pairs} have a role by a grant");
    println!("{pairs} pairs of a policy and a person agree; {with_roles} have roles, {with_grants} by a grant");
}
