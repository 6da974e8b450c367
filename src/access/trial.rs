//! The rules' own tests: somebody who is only supposed to exist, and the roles that they must have, or must not.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::listed::listed;
use super::{Context, Entitlement, GatewayGrant, GatewayRole, Given, Meter, Miss, Person, Policy, Requestable, Stopped};
use crate::clock::Moment;
use crate::identity::{ProviderId, Reading, Supposed};
use crate::settings::{Problem, Span};

/// When a test takes place that names no time: a Wednesday at noon.
const USUAL_TIME: i64 = 1_768_392_000;

/// How many roles a finding names.
const READABLE: usize = 10;

/// A test of the rules. It is run whenever the file is checked; one that fails keeps the file from being used.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestSettings {
    /// What the test shows, in a few words.
    #[serde(default)]
    pub name: Option<String>,
    /// The provider that the person signs in with; the first one without it.
    #[serde(default)]
    pub provider: Option<String>,
    /// The claims that the provider sends. Groups, name and second factor are read from them as at a sign-in.
    #[serde(default)]
    pub claims: Map<String, Value>,
    /// The person's groups, by name or alias, for tests that need nothing else of the claims.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether a second factor was used; without it, what the claims say.
    #[serde(default)]
    pub mfa: Option<bool>,
    /// How long ago the person proved themselves to the provider; without it, since `auth_time` in the claims.
    #[serde(default)]
    pub auth_age: Option<Span>,
    /// The address that the request comes from.
    #[serde(default)]
    pub ip: Option<IpAddr>,
    /// When, as `2026-01-14T12:00:00Z`; without it a Wednesday at noon (UTC).
    #[serde(default)]
    pub at: Option<Moment>,
    /// All roles that the person must have, and no others, as ARNs or as `Account/Role`. An empty list: none.
    #[serde(default)]
    pub expect: Option<Vec<String>>,
    /// Roles that the person must have; others are no matter.
    #[serde(default)]
    pub includes: Vec<String>,
    /// Roles that the person must not have.
    #[serde(default)]
    pub excludes: Vec<String>,
    /// All roles among those granted that need another sign-in than this one, and no others. An empty list: none.
    #[serde(default)]
    pub step_up: Option<Vec<String>>,
    /// All roles that the person must not have and must be able to ask for, and no others. An empty list: none.
    #[serde(default)]
    pub requestable: Option<Vec<String>>,
    /// All roles of the gateway itself that the person must have, and no others. An empty list: none.
    #[serde(default)]
    pub gateway: Option<Vec<GatewayRole>>,
}

/// Runs tests. Everything that does not come out as expected is a problem at its place.
#[must_use]
pub fn run_tests(policy: &Policy, providers: &[(ProviderId, Reading)], tests: &[TestSettings]) -> Vec<Problem> {
    run_tests_within(policy, providers, tests, usize::MAX, &|| true)
}

/// [`run_tests`] for rules that nobody vetted: people for whom a [`Meter`] of so much stops are problems too, and so are tests that are left when
/// `goes_on` says no.
#[must_use]
pub fn run_tests_within(
    policy: &Policy,
    providers: &[(ProviderId, Reading)],
    tests: &[TestSettings],
    most: usize,
    goes_on: &dyn Fn() -> bool,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, test) in tests.iter().enumerate() {
        let mut trial = Trial { at: format!("test[{index}]"), policy, test, goes_on, problems: &mut problems };
        if !goes_on() {
            trial.late();
            break;
        }
        trial.run(providers, most);
    }
    problems
}

struct Trial<'a> {
    at: String,
    policy: &'a Policy,
    test: &'a TestSettings,
    goes_on: &'a dyn Fn() -> bool,
    problems: &'a mut Vec<Problem>,
}

impl Trial<'_> {
    fn fail(&mut self, key: &str, message: impl Into<String>, hint: &str) {
        let path = if key.is_empty() { self.at.clone() } else { format!("{}.{key}", self.at) };
        let name = self.test.name.as_ref().map(|name| format!("the test `{name}`: ")).unwrap_or_default();
        self.problems.push(Problem::new(path, format!("{name}{}", message.into()), hint));
    }

    fn late(&mut self) {
        self.fail("", "there was no time left for this test, nor for those behind it", "`rolegate check` runs all of them");
    }

    fn run(&mut self, providers: &[(ProviderId, Reading)], most: usize) {
        let test = self.test;
        let expects_roles = test.expect.is_some() || !test.includes.is_empty() || !test.excludes.is_empty() || test.step_up.is_some();
        if !expects_roles && test.requestable.is_none() && test.gateway.is_none() {
            let hint = "give it `expect`, `includes`, `excludes`, `step_up`, `requestable` or `gateway`";
            self.fail("", "the test expects nothing", hint);
            return;
        }
        let now = self.test.at.or_else(|| Moment::from_timestamp(USUAL_TIME, 0)).unwrap_or_default();
        let Some(person) = self.person(providers, now) else { return };
        let (context, who) = (Context { now, ip: self.test.ip }, Person::from(&person));
        let Given { roles: granted, requestable, gateway: in_gateway } =
            match self.policy.granted_within(&who, &context, &Meter::new(most, self.goes_on)) {
                Ok(decided) => decided,
                Err(Stopped::Late) => return self.late(),
                Err(Stopped::TooMuch) => {
                    let message =
                        format!("the rules match this person, or give them roles, more than {most} times: too often to be tried here");
                    return self.fail("", message, "`rolegate check` runs the test whatever it takes");
                }
            };
        let granted: BTreeMap<String, &Entitlement> =
            granted.iter().map(|entitlement| (entitlement.target.to_string(), entitlement)).collect();
        if let Some(expected) = &self.test.expect {
            self.compare_all(expected, &granted);
        }
        if let Some(expected) = &self.test.step_up {
            self.compare_step_up(expected, &granted);
        }
        if let Some(expected) = &self.test.requestable {
            self.compare_requestable(expected, &requestable);
        }
        if let Some(expected) = &self.test.gateway {
            self.compare_gateway(expected, &in_gateway);
        }
        for (index, role) in self.test.includes.iter().enumerate() {
            let key = format!("includes[{index}]");
            if let Some(arn) = self.arn(&key, role)
                && !granted.contains_key(&arn)
            {
                let why = self.why_not(&arn, &who, &context);
                self.fail(&key, format!("{arn} is not granted{why}"), "`rolegate explain --role` says all that is missing");
            }
        }
        for (index, role) in self.test.excludes.iter().enumerate() {
            let key = format!("excludes[{index}]");
            if let Some(arn) = self.arn(&key, role)
                && let Some(entitlement) = granted.get(&arn)
            {
                self.fail(&key, format!("{arn} is granted, by {}", rules(entitlement)), "mend the rule, or the test");
            }
        }
    }

    /// What keeps the person from a role: the deny, or the nearest rule. A rule that has ended says so.
    fn why_not(&self, role: &str, who: &Person<'_>, context: &Context) -> String {
        let Some(arn) = role.parse().ok().filter(|_| (self.goes_on)()) else { return String::new() };
        let explanation = self.policy.explain(who, context, &arn);
        match (explanation.denied_by.first(), explanation.missed.first()) {
            (Some(deny), _) => format!(": the rule {deny} denies it"),
            (None, Some(Miss { rule: nearest, missing })) => {
                let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
                format!(": the rule {nearest} would grant it; missing: {}", missing.join("; and "))
            }
            (None, None) => ": no rule grants it to anybody".into(),
        }
    }

    fn compare_step_up(&mut self, expected: &[String], granted: &BTreeMap<String, &Entitlement>) {
        let mut wanted = HashSet::new();
        for (index, role) in expected.iter().enumerate() {
            let key = format!("step_up[{index}]");
            let Some(arn) = self.arn(&key, role) else { continue };
            match granted.get(&arn) {
                None => self.fail(&key, format!("{arn} is not granted"), "`rolegate explain --role` says what is missing"),
                Some(entitlement) if entitlement.step_up.is_none() => {
                    self.fail(&key, format!("{arn} can be had with this sign-in"), "mend the rule, or the test");
                }
                Some(_) => {}
            }
            wanted.insert(arn);
        }
        let surplus = granted.iter().filter(|(arn, _)| !wanted.contains(*arn));
        let surplus: Vec<_> = surplus.filter_map(|(arn, granted)| Some(format!("{arn} ({})", granted.step_up.as_ref()?))).collect();
        if !surplus.is_empty() {
            let message = format!("another sign-in is needed beyond what is expected: {}", listed(surplus, READABLE));
            self.fail("step_up", message, "mend the rule, or the test");
        }
    }

    fn compare_requestable(&mut self, expected: &[String], found: &[Requestable]) {
        let mut wanted = Vec::new();
        for (index, role) in expected.iter().enumerate() {
            let key = format!("requestable[{index}]");
            let Some(arn) = self.arn(&key, role) else { continue };
            if !found.iter().any(|requestable| requestable.target.as_str() == arn) {
                self.fail(&key, format!("{arn} cannot be asked for"), "`rolegate explain --role` says what is missing");
            }
            wanted.push(arn);
        }
        let surplus = found.iter().filter(|requestable| !wanted.iter().any(|arn| arn == requestable.target.as_str()));
        let surplus: Vec<_> = surplus.map(|requestable| format!("{} ({})", requestable.target, requestable.rule)).collect();
        if !surplus.is_empty() {
            let message = format!("more can be asked for than is expected: {}", listed(surplus, READABLE));
            self.fail("requestable", message, "mend the rule, or the test");
        }
    }

    fn compare_all(&mut self, expected: &[String], granted: &BTreeMap<String, &Entitlement>) {
        let mut wanted = Vec::new();
        for (index, role) in expected.iter().enumerate() {
            wanted.extend(self.arn(&format!("expect[{index}]"), role));
        }
        let missing: Vec<_> = wanted.iter().filter(|arn| !granted.contains_key(*arn)).cloned().collect();
        let wanted: HashSet<_> = wanted.iter().collect();
        let surplus: Vec<_> = granted.iter().filter(|(arn, _)| !wanted.contains(arn)).collect();
        if !missing.is_empty() {
            self.fail("expect", format!("not granted: {}", listed(missing, READABLE)), "`rolegate explain --role` says what is missing");
        }
        if !surplus.is_empty() {
            let surplus = surplus.into_iter().map(|(arn, entitlement)| format!("{arn} (by {})", rules(entitlement)));
            self.fail("expect", format!("granted beyond what is expected: {}", listed(surplus, READABLE)), "mend the rule, or the test");
        }
    }

    fn compare_gateway(&mut self, expected: &[GatewayRole], has: &[GatewayGrant]) {
        for role in GatewayRole::ALL {
            let grant = has.iter().find(|grant| grant.role == role);
            match (grant, expected.contains(&role)) {
                (None, true) => self.fail("gateway", format!("{role} is not granted"), "mend the rule, or the test"),
                (Some(grant), false) => {
                    let by: BTreeSet<_> = grant.evidence.iter().map(|evidence| evidence.rule.as_ref()).collect();
                    let by = by.into_iter().collect::<Vec<_>>().join(", ");
                    self.fail("gateway", format!("{role} is granted beyond what is expected (by {by})"), "mend the rule, or the test");
                }
                (None, false) | (Some(_), true) => {}
            }
        }
    }

    fn person(&mut self, providers: &[(ProviderId, Reading)], now: Moment) -> Option<Supposed> {
        let found = match &self.test.provider {
            None => providers.first(),
            Some(name) => providers.iter().find(|(id, _)| id.as_str() == name),
        };
        let Some((id, reading)) = found else {
            self.fail("provider", "there is no such provider", "use the id of a [[provider]]");
            return None;
        };
        let mut claims = self.test.claims.clone();
        if !self.test.groups.is_empty() {
            let plain = reading.groups().trim_start_matches('/');
            if plain.contains('/') || claims.contains_key(plain) {
                self.fail("groups", "the groups are given twice, or stand deep in the claims", "give them in `claims` alone");
                return None;
            }
            // An alias of several groups stands for somebody who has the first of them.
            let named = self.test.groups.iter().filter_map(|name| self.policy.groups.meant(name).first().map(ToString::to_string));
            claims.insert(plain.to_owned(), Value::from(named.collect::<Vec<_>>()));
        }
        match Supposed::new(id.clone(), reading, claims) {
            Ok(person) => {
                let since = self.test.auth_age.and_then(|age| now.checked_sub_signed(TimeDelta::from_std(age.0).ok()?));
                Some(person.under(self.test.mfa, since))
            }
            Err(rejected) => {
                self.fail("claims", format!("the sign-in itself would be refused: {rejected}"), "mend the claims");
                None
            }
        }
    }

    /// A role as the test writes it, as an ARN of a known account.
    fn arn(&mut self, key: &str, role: &str) -> Option<String> {
        match self.policy.role_named(role) {
            Ok(arn) => Some(arn.to_string()),
            Err(message) => {
                self.fail(key, message, "write an ARN, or the account's name or id, a slash and the role");
                None
            }
        }
    }
}

fn rules(entitlement: &Entitlement) -> String {
    let mut rules: Vec<&str> = entitlement.evidence.iter().map(|evidence| evidence.rule.as_ref()).collect();
    rules.dedup();
    rules.join(", ")
}
