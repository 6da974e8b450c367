//! Random policies: every one compiles, so that none is lost, and they are small and about few things, so that rules meet.

use std::collections::HashMap;

use rolegate::access::{AccountSettings, NamingSettings, Policy, RuleSettings};
use serde_json::{Map, Value, json};

use crate::conditions::Condition;
use crate::random::Random;
use crate::somebody::GROUPS;

/// Patterns, and whether their captures name an account and a role; `team` may fill tags.
const PATTERNS: [(&str, bool, bool); 8] = [
    ("aws-(?<account>[0-9]{12})-(?<role>.+)", true, true),
    (r"(?<account>[A-Za-z]+)\.(?<role>[A-Z][a-z]*)", true, true),
    ("(?<role>Dev|Ops)(@(?<account>.+))?", true, true),
    ("team-(?<team>.*)-(?<role>[A-Za-z]+)", false, true),
    ("team-(?<team>[a-z]+)-.*", false, false),
    ("(?i)ADMINS|staff", false, false),
    ("(admins|contractors)", false, false),
    (".*s", false, false),
];
const ROLES: [&str; 4] = ["Dev", "Admin", "team/Ops", "team/Dev"];

/// A policy as settings, and what its conditions mean.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) accounts: Vec<AccountSettings>,
    pub(crate) rules: Vec<RuleSettings>,
    pub(crate) conditions: HashMap<String, Condition>,
}

impl Case {
    pub(crate) fn random(random: &mut Random) -> Self {
        let accounts = accounts(random);
        let mut conditions = HashMap::new();
        let number = random.one_of(&[1, 3, 6, 12]);
        let rules = (0..number).map(|n| rule(random, n, &accounts, &mut conditions)).collect();
        let accounts = accounts.into_iter().map(|(id, name, partition, tags)| {
            let tags: Map<String, Value> = tags.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
            serde_json::from_value(json!({ "id": id, "name": name, "partition": partition, "tags": tags })).unwrap()
        });
        Self { accounts: accounts.collect(), rules, conditions }
    }

    pub(crate) fn compile(&self) -> Policy {
        let providers = ["okta", "entra"].map(|id| id.parse().unwrap());
        Policy::compile(&self.accounts, &self.rules, &NamingSettings::default(), &providers)
            .unwrap_or_else(|problems| panic!("the generator wrote what does not compile: {problems:#?}\n{self}"))
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |value: Value| match value {
            Value::Object(map) => Value::Object(map.into_iter().filter(|(_, value)| !value.is_null() && *value != json!([])).collect()),
            other => other,
        };
        for account in &self.accounts {
            writeln!(f, "account {}", serde_json::to_value(account).unwrap())?;
        }
        for rule in &self.rules {
            writeln!(f, "rule {}", shown(serde_json::to_value(rule).unwrap()))?;
        }
        Ok(())
    }
}

type Known = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

fn accounts(random: &mut Random) -> Vec<Known> {
    const ALL: [Known; 5] = [
        ("111122223333", "Production", "aws", &[("env", "prod")]),
        ("444455556666", "Staging", "aws", &[("env", "dev"), ("team", "blue")]),
        ("012345678901", "Gov", "aws-us-gov", &[("env", "prod")]),
        ("222233334444", "Dev Box", "aws", &[("team", "blue")]),
        ("000000000007", "Archive", "aws", &[]),
    ];
    let mut accounts = random.some_of(&ALL, 70);
    if accounts.is_empty() {
        accounts.push(ALL[0]);
    }
    random.shuffle(&mut accounts);
    accounts
}

fn rule(random: &mut Random, number: usize, accounts: &[Known], conditions: &mut HashMap<String, Condition>) -> RuleSettings {
    let deny = random.chance(25);
    let mut rule = json!({ "id": format!("rule-{number}"), "effect": if deny { "deny" } else { "allow" } });
    let pattern = random.chance(50).then(|| random.one_of(&PATTERNS));
    let uses_captures = pattern.is_some_and(|(_, account, role)| account || role) && random.chance(80);
    if let Some((text, ..)) = pattern {
        rule["group_pattern"] = json!(text);
    }
    // A rule that uses captures has no other way to match.
    if !uses_captures && (pattern.is_none() || random.chance(30)) {
        if random.chance(15) {
            rule["everyone"] = json!(true);
        }
        if rule["everyone"].is_null() || random.chance(30) {
            let key = if pattern.is_none() && random.chance(15) { "groups_all" } else { "groups" };
            rule[key] = json!((0..=random.below(2)).map(|_| group(random)).collect::<Vec<_>>());
        }
    }
    narrow(random, &mut rule);
    if random.chance(20) {
        rule["providers"] = json!([random.one_of(&["okta", "entra"])]);
    }
    if random.chance(10) {
        return gateway(random, rule, deny, conditions);
    }
    if random.chance(30) {
        let purposes: [&[&str]; 5] =
            [&["console"], &["credentials"], &["console", "credentials"], &["workload"], &["credentials", "workload"]];
        rule["purposes"] = json!(random.one_of(&purposes));
    }
    if random.chance(25) {
        let condition = Condition::random(random, 2);
        rule["when"] = json!(condition.to_string());
        conditions.insert(condition.to_string(), condition);
    }
    let (account, role) = pattern.map_or((false, false), |(_, account, role)| (account && uses_captures, role && uses_captures));
    scope(random, &mut rule, deny, accounts, (account, role));
    if !deny {
        terms(random, &mut rule, accounts, pattern.is_some_and(|(text, ..)| text.contains("<team>")) && uses_captures);
    }
    serde_json::from_value(rule).unwrap()
}

/// A rule about roles of the gateway itself.
fn gateway(random: &mut Random, mut rule: Value, deny: bool, conditions: &mut HashMap<String, Condition>) -> RuleSettings {
    let roles: [&[&str]; 3] = [&["administrator"], &["auditor"], &["auditor", "administrator"]];
    rule["gateway"] = json!(random.one_of(&roles));
    if !deny && random.chance(30) {
        rule["until"] = json!(random.one_of(&["2026-06-02T23:59:59Z", "2026-06-03T00:00:00Z", "2026-06-03T00:00:01Z"]));
    }
    if random.chance(40) {
        let condition = Condition::random(random, 2);
        // One that looks at what only a role in AWS has is refused beforehand.
        if !["role.", "account.", "request.purpose"].iter().any(|word| condition.to_string().contains(word)) {
            rule["when"] = json!(condition.to_string());
            conditions.insert(condition.to_string(), condition);
        }
    }
    serde_json::from_value(rule).unwrap()
}

/// A group's name that a rule may write.
fn group(random: &mut Random) -> &'static str {
    let writable: Vec<&str> = GROUPS.into_iter().filter(|name| !name.is_empty() && !name.contains(char::is_control)).collect();
    random.one_of(&writable)
}

/// What else is asked of the groups.
fn narrow(random: &mut Random, rule: &mut Value) {
    let named: Vec<Value> = ["groups", "groups_all"].iter().filter_map(|key| rule[key].as_array()).flatten().cloned().collect();
    if rule["groups_all"].is_null() && random.chance(8) {
        rule["groups_all"] = json!([group(random)]);
    }
    let barred = group(random);
    let wanted = named.iter().chain(rule["groups_all"].as_array().into_iter().flatten()).any(|name| *name == barred);
    if !wanted && random.chance(12) {
        rule["groups_none"] = json!([barred]);
    }
}

/// Where, and which roles.
fn scope(random: &mut Random, rule: &mut Value, deny: bool, accounts: &[Known], (account, role): (bool, bool)) {
    let known = |random: &mut Random| accounts[random.below(accounts.len())];
    let mut roles: Vec<String> = Vec::new();
    let mut selectors: Vec<String> = Vec::new();
    if !(deny && random.chance(40)) {
        for _ in 0..=random.below(2) {
            let (id, _, partition, _) = known(random);
            roles.push(match random.below(4) {
                0 => format!("arn:{partition}:iam::{id}:role/{}", random.one_of(&ROLES)),
                1 if role => "${role}".into(),
                2 if role && account => format!("arn:{partition}:iam::${{account}}:role/team/${{role}}"),
                _ => random.one_of(&ROLES).into(),
            });
        }
    }
    let needs_accounts = !deny && roles.iter().any(|role| !role.starts_with("arn:"));
    if needs_accounts || random.chance(50) {
        for _ in 0..=random.below(2) {
            let (id, name, _, tags) = known(random);
            selectors.push(match random.below(6) {
                0 => "*".into(),
                1 => id.into(),
                2 if !tags.is_empty() => format!("tag:{}={}", tags[0].0, tags[0].1),
                3 | 4 if account => "${account}".into(),
                _ => name.into(),
            });
        }
    }
    rule["roles"] = json!(roles);
    rule["accounts"] = json!(selectors);
}

/// An external id, and a role on the way.
fn hops(random: &mut Random, rule: &mut Value, accounts: &[Known]) {
    if random.chance(50) {
        rule["external_id"] = json!(random.one_of(&["tenant-1", "tenant:2", "t-${claims.cost}", "${subject}/x"]));
    }
    // No role is taken from another partition, and rules that try are refused beforehand.
    let one_partition = accounts.iter().all(|(_, _, partition, _)| *partition == accounts[0].2);
    if one_partition && random.chance(50) {
        let (id, _, partition, _) = accounts[random.below(accounts.len())];
        rule["via"] = json!(format!("arn:{partition}:iam::{id}:role/{}", random.one_of(&["Hub", "Hub2"])));
        if random.chance(50) {
            rule["via_operation"] = json!(random.one_of(&["web_identity", "saml", "assume_role"]));
        }
        // More than an hour is refused beforehand.
        rule["max_session"] = json!(random.one_of(&["15m", "1h"]));
    }
}

/// What an allowing rule says about the session.
fn terms(random: &mut Random, rule: &mut Value, accounts: &[Known], team: bool) {
    if random.chance(40) {
        rule["max_session"] = json!(random.one_of(&["15m", "1h", "4h", "12h"]));
    }
    if random.chance(15) {
        rule["until"] = json!(random.one_of(&["2026-06-02T23:59:59Z", "2026-06-03T00:00:00Z", "2026-06-03T00:00:01Z"]));
    }
    // Of people alone, and never handed out again: other such rules are refused.
    let for_workloads = rule["purposes"].as_array().is_some_and(|purposes| purposes.contains(&json!("workload")));
    match random.below(20) {
        0..=2 if !for_workloads => {
            rule["requestable"] = json!({ "approvers": ["admins"], "max_duration": random.one_of(&["15m", "1h", "4h"]) });
        }
        3 if !for_workloads => rule["break_glass"] = json!(true),
        _ => {}
    }
    let operation = random
        .chance(20)
        .then(|| random.one_of(&["web_identity", "saml", "forwarded_web_identity", "forwarded_saml", "assume_role", "assume_role"]));
    if let Some(operation) = operation {
        rule["operation"] = json!(operation);
    }
    if operation == Some("saml") && random.chance(50) || operation != Some("saml") && random.chance(10) {
        rule["console"] = json!(if operation == Some("saml") && random.chance(50) { "post" } else { "federation" });
    }
    if operation.is_some_and(|operation| operation.starts_with("forwarded")) {
        return;
    }
    // A rule without credentials for people has nothing to hand out again, and is refused.
    let for_people = rule["purposes"].as_array().is_none_or(|purposes| purposes.contains(&json!("credentials")));
    let is_usual = rule["requestable"].is_null() && rule["break_glass"].is_null();
    if for_people && is_usual && random.chance(40) {
        rule["reuse_credentials"] = json!(true);
    }
    if operation == Some("assume_role") {
        hops(random, rule, accounts);
    }
    let values = ["blue", "${claims.cost}", "${username}", "${provider}/${subject}", "${team}"];
    let mut tags = Map::new();
    for key in random.some_of(&["Cost", "Team", "team"], 20) {
        if !tags.contains_key("Team") {
            tags.insert(key.into(), json!(values[random.below(if team { 5 } else { 4 })]));
        }
    }
    let keys: Vec<&str> = tags.keys().map(String::as_str).collect();
    rule["transitive_tags"] = json!(random.some_of(&keys, 30));
    rule["tags"] = Value::Object(tags);
    for key in ["carry_tags", "carry_source_identity"] {
        if random.chance(20) {
            rule[key] = json!(random.one_of(&["required", "if-allowed", "off"]));
        }
    }
}
