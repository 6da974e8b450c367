//! The rules' own tests: somebody who is only supposed to exist, and the roles that they must have, or must not.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Context, Entitlement, Policy};
use crate::clock::Moment;
use crate::identity::{ProviderId, Reading, Supposed};
use crate::settings::Problem;

/// When a test takes place that names no time: a Wednesday at noon.
const USUAL_TIME: i64 = 1_768_392_000;

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
}

/// Runs tests. Everything that does not come out as expected is a problem at its place.
#[must_use]
pub fn run_tests(policy: &Policy, providers: &[(ProviderId, Reading)], tests: &[TestSettings]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, test) in tests.iter().enumerate() {
        Trial { at: format!("test[{index}]"), policy, test, problems: &mut problems }.run(providers);
    }
    problems
}

struct Trial<'a> {
    at: String,
    policy: &'a Policy,
    test: &'a TestSettings,
    problems: &'a mut Vec<Problem>,
}

impl Trial<'_> {
    fn fail(&mut self, key: &str, message: impl Into<String>, hint: &str) {
        let path = if key.is_empty() { self.at.clone() } else { format!("{}.{key}", self.at) };
        let name = self.test.name.as_ref().map(|name| format!("the test `{name}`: ")).unwrap_or_default();
        self.problems.push(Problem::new(path, format!("{name}{}", message.into()), hint));
    }

    fn run(&mut self, providers: &[(ProviderId, Reading)]) {
        if self.test.expect.is_none() && self.test.includes.is_empty() && self.test.excludes.is_empty() {
            self.fail("", "the test expects nothing", "give it `expect`, `includes` or `excludes`");
            return;
        }
        let Some(person) = self.person(providers) else { return };
        let now = self.test.at.or_else(|| Moment::from_timestamp(USUAL_TIME, 0)).unwrap_or_default();
        let context = Context { now, ip: self.test.ip };
        let granted = self.policy.granted(&(&person).into(), &context);
        let granted: BTreeMap<String, &Entitlement> =
            granted.iter().map(|entitlement| (entitlement.role.to_string(), entitlement)).collect();
        if let Some(expected) = &self.test.expect {
            self.compare_all(expected, &granted);
        }
        for (index, role) in self.test.includes.iter().enumerate() {
            let key = format!("includes[{index}]");
            if let Some(arn) = self.arn(&key, role)
                && !granted.contains_key(&arn)
            {
                self.fail(&key, format!("{arn} is not granted"), "`rolegate explain --role` says what is missing");
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

    fn compare_all(&mut self, expected: &[String], granted: &BTreeMap<String, &Entitlement>) {
        let mut wanted = Vec::new();
        for (index, role) in expected.iter().enumerate() {
            wanted.extend(self.arn(&format!("expect[{index}]"), role));
        }
        let missing: Vec<_> = wanted.iter().filter(|arn| !granted.contains_key(*arn)).cloned().collect();
        let surplus: Vec<_> = granted.iter().filter(|(arn, _)| !wanted.contains(arn)).collect();
        if !missing.is_empty() {
            self.fail("expect", format!("not granted: {}", missing.join(", ")), "`rolegate explain --role` says what is missing");
        }
        if !surplus.is_empty() {
            let listed: Vec<_> = surplus.iter().map(|(arn, entitlement)| format!("{arn} (by {})", rules(entitlement))).collect();
            self.fail("expect", format!("granted beyond what is expected: {}", listed.join(", ")), "mend the rule, or the test");
        }
    }

    fn person(&mut self, providers: &[(ProviderId, Reading)]) -> Option<Supposed> {
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
            Ok(person) => Some(match self.test.mfa {
                Some(mfa) => person.with_mfa(mfa),
                None => person,
            }),
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
