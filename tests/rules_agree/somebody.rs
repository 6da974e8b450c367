//! Random people.

use chrono::TimeDelta;
use rolegate::access::{Context, Elevation, Person};
use rolegate::clock::Moment;
use rolegate::identity::Identity;
use serde_json::{Map, Value, json};

use crate::random::Random;

/// The moments that time conditions and expiries are about.
pub(crate) const THIRD_OF_JUNE: Moment = moment(1_780_444_800);
const DAY: i64 = 86_400;

const fn moment(seconds: i64) -> Moment {
    match Moment::from_timestamp(seconds, 0) {
        Some(moment) => moment,
        None => panic!("a moment"),
    }
}

/// Groups that rules name, that patterns match, that look like those, and that have captures which build nothing.
pub(crate) const GROUPS: [&str; 24] = [
    "admins",
    "developers",
    "contractors",
    "staff",
    "Admins",
    "admins ",
    "team-blue-Dev",
    "team-blue-Ops",
    "team-red-Admin",
    "team-red-",
    "team--Dev",
    "team-bl\u{fc}e-Dev",
    "team-blue-Dev\n",
    "aws-111122223333-Dev",
    "aws-444455556666-team/Ops",
    "aws-999999999999-Dev",
    "aws-012345678901-Admin",
    "Production.Dev",
    "Staging.Ops",
    "Nowhere.Dev",
    "Dev",
    "Dev@444455556666",
    "Dev@Gov",
    "",
];

/// A person in a context.
#[derive(Debug, Clone)]
pub(crate) struct Somebody {
    pub(crate) provider: &'static str,
    /// Whether it is a workload and no person.
    pub(crate) workload: bool,
    pub(crate) groups: Vec<String>,
    pub(crate) claims: Map<String, Value>,
    pub(crate) mfa: bool,
    pub(crate) ip: Option<[u8; 4]>,
    pub(crate) now: Moment,
    /// What they were granted on request: of rules and roles that there may be.
    pub(crate) elevations: Vec<Elevation>,
}

impl Somebody {
    pub(crate) const SUBJECT: &str = "u1";
    pub(crate) const USERNAME: &str = "ana@example.org";

    pub(crate) fn random(random: &mut Random) -> Self {
        let percent = random.one_of(&[5, 20, 60]);
        let mut groups: Vec<String> = random.some_of(&GROUPS, percent).into_iter().map(str::to_owned).collect();
        random.shuffle(&mut groups);
        if random.chance(10) {
            groups.extend(groups.first().cloned());
        }
        if random.chance(5) {
            groups.push(format!("team-blue-{}", "x".repeat(random.one_of(&[60, 64, 65, 246, 247]))));
        }
        let mut claims = Map::new();
        if random.chance(70) {
            let cost = [json!("4711"), json!("blue"), json!(4711), json!(true), json!(["4711"]), json!("a|b"), json!("x".repeat(257))];
            let usual = random.chance(70);
            claims.insert("cost".into(), cost[if usual { random.below(2) } else { random.below(cost.len()) }].clone());
        }
        if random.chance(70) {
            claims.insert("level".into(), if random.chance(90) { json!(random.below(6)) } else { json!("high") });
        }
        let now = moment(THIRD_OF_JUNE.timestamp() + random.one_of(&[-DAY, -1, 0, 1, DAY]));
        let elevations = if random.chance(50) { (0..random.below(120)).map(|n| elevation(random, n, now)).collect() } else { Vec::new() };
        Self {
            elevations,
            provider: random.one_of(&["okta", "okta", "entra"]),
            workload: random.chance(25),
            groups,
            claims,
            mfa: random.chance(50),
            ip: random.one_of(&[None, Some([10, 1, 2, 3]), Some([10, 1, 2, 99]), Some([192, 0, 2, 1])]),
            now,
        }
    }

    /// As the product knows them after a sign-in.
    pub(crate) fn identity(&self) -> Identity {
        let identity = json!({
            "provider": self.provider,
            "subject": Self::SUBJECT,
            "username": Self::USERNAME,
            "groups": self.groups,
            "claims": self.claims,
            "authentication": { "time": null, "mfa": self.mfa, "acr": null, "amr": [], "sid": null },
            "upstream": if self.workload { json!("workload") } else { json!({ "id_token": "e30.e30.e30" }) },
        });
        serde_json::from_value(identity).unwrap()
    }

    /// As rules see them.
    pub(crate) fn with_grants<'a>(&'a self, identity: &'a Identity) -> Person<'a> {
        Person::from(identity).with_elevations(&self.elevations)
    }

    pub(crate) fn context(&self) -> Context {
        Context { now: self.now, ip: self.ip.map(Into::into) }
    }
}

fn elevation(random: &mut Random, number: usize, now: Moment) -> Elevation {
    let (account, partition) = random.one_of(&[("111122223333", "aws"), ("444455556666", "aws"), ("012345678901", "aws-us-gov")]);
    Elevation {
        id: format!("grant-{number}"),
        rule: format!("rule-{}", random.below(4)),
        role: format!("arn:{partition}:iam::{account}:role/{}", random.one_of(&["Dev", "Dev", "Admin", "team/Ops"])),
        reason: "because".into(),
        approver: ("okta+u2".into(), "ben@example.org".into()),
        until: now + TimeDelta::seconds(random.one_of(&[-60, 0, 1, 300, 1800, 100_000, 100_000])),
    }
}
