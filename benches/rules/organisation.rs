//! A large organisation and one of its people, as settings: the same for every engine that is measured.

#![allow(dead_code, reason = "each bench uses its own part")]

use rolegate::access::{AccountSettings, NamingSettings, Policy, RuleSettings};
use rolegate::identity::Identity;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// How many accounts the rules are about.
pub(crate) const ACCOUNTS: usize = 1000;
/// How many of a person's groups have a rule.
pub(crate) const MATCHING: usize = 20;

/// Accounts and rules.
pub(crate) struct Organisation {
    pub(crate) accounts: Vec<AccountSettings>,
    pub(crate) rules: Vec<RuleSettings>,
}

/// What rules an organisation has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Groups, accounts and roles by name, and denies of what others allow: what every policy language can say.
    Plain,
    /// The same, with two patterns, two selections by tag and two conditions among each hundred, session tags in every allow, and three
    /// rules about everyone.
    Mixed,
}

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}"))
}

fn account_name(n: usize) -> String {
    format!("Account {n:04}")
}

/// The group that a rule with a name is about.
pub(crate) fn group(n: usize) -> String {
    format!("department-{n:06}-engineering")
}

impl Organisation {
    pub(crate) fn of(kind: Kind, rules: usize) -> Self {
        let account = |n: usize| {
            let env = ["prod", "staging", "dev"].get(n % 3).copied();
            json!({ "id": format!("{:012}", n + 1), "name": account_name(n), "tags": { "env": env, "team": format!("t{}", n / 5) } })
        };
        let everyone = [
            json!({ "id": "everyone", "everyone": true, "accounts": ["Account 0000"], "roles": ["Directory"] }),
            json!({ "id": "no-partners", "effect": "deny", "everyone": true, "providers": ["partner"] }),
            json!({ "id": "no-root", "effect": "deny", "everyone": true, "when": "!auth.mfa", "roles": ["BreakGlass"] }),
        ];
        let everyone = everyone.into_iter().filter(|_| kind == Kind::Mixed);
        let numbered = (0..rules).map(|n| rule(kind, n));
        Self { accounts: (0..ACCOUNTS).map(account).map(read).collect(), rules: everyone.chain(numbered).take(rules).map(read).collect() }
    }

    pub(crate) fn compile(&self) -> Policy {
        let providers = ["okta", "partner"].map(|id| id.parse().unwrap());
        Policy::compile(&self.accounts, &self.rules, &NamingSettings::default(), &providers)
            .unwrap_or_else(|problems| panic!("{problems:?}"))
    }
}

fn rule(kind: Kind, n: usize) -> Value {
    let mut rule = json!({
        "id": format!("rule-{n}"),
        "groups": [group(n)],
        "accounts": [account_name(n % ACCOUNTS)],
        "roles": [format!("Engineer{:03}", n / ACCOUNTS), "ReadOnly"],
    });
    if n % 100 == 99 {
        rule["effect"] = json!("deny");
        if kind == Kind::Plain {
            // What a rule gave that the same people have: every deny takes something.
            rule["accounts"] = json!([account_name((n - 19) % ACCOUNTS)]);
            rule["roles"] = json!(["ReadOnly"]);
        }
        return rule;
    }
    if kind == Kind::Mixed {
        rule["tags"] = json!({ "Person": "${username}", "CostCenter": "${claims.cost_center}" });
        match n % 100 {
            10 | 60 => {
                rule["groups"] = json!([]);
                rule["group_pattern"] = json!(format!("team-{n}-(?<kind>[a-z]+)"));
            }
            20 | 70 => rule["accounts"] = json!([format!("tag:team=t{}", n % (ACCOUNTS / 5))]),
            30 => rule["when"] = json!("auth.mfa"),
            80 => rule["when"] = json!("claims.cost_center.startsWith(\"47\")"),
            _ => {}
        }
    }
    rule
}

/// Somebody with that many groups, of which [`MATCHING`] have a rule: as they come back out of their session. Different people of one
/// organisation differ by their number.
pub(crate) fn person(kind: Kind, rules: usize, groups: usize, number: usize) -> Identity {
    // Two blocks of a hundred rules, and of each every tenth: patterns, tags, conditions and a deny are among them.
    let blocks = rules / 100;
    let numbers = (0..MATCHING).map(|i| {
        let block = (number * 7 + i / 10 * 13) % blocks;
        block * 100 + if i % 10 == 9 { 99 } else { i % 10 * 10 }
    });
    let matching = numbers.map(|n| match (kind, n % 100) {
        (Kind::Mixed, 10 | 60) => format!("team-{n}-staff"),
        _ => group(n),
    });
    let others = (MATCHING..groups).map(|n| match n % 3 {
        0 => format!("mailing-list-{:05}", n * 31 + number),
        1 => format!("{:08x}-97b1-4d2c-8f00-{:012x}", n * 7919 + number, n * 104_729),
        _ => format!("team-{}-guests", n * 20 + 1),
    });
    let groups: Vec<String> = matching.chain(others).collect();
    read(json!({
        "provider": "okta",
        "subject": format!("00u1a2b3c4d5e6f7{number:04}"),
        "username": format!("ana{number}@example.org"),
        "groups": groups,
        "claims": { "sub": "00u1a2b3c4d5e6f7g8h9", "email": "ana@example.org", "cost_center": "4711", "groups": groups },
        "authentication": { "time": null, "mfa": true, "acr": null, "amr": ["pwd", "mfa"], "sid": null },
        "upstream": { "id_token": "e30.e30.e30" },
    }))
}
