use std::collections::BTreeMap;

use super::*;
use crate::access::{AccountSettings, GroupIds, GroupSettings, NamingSettings, PolicyFiles, RuleSettings, Sources};
use crate::identity::Identity;

/// What belongs to the rules alone: it must reach nobody who asks about themselves, whatever is disclosed.
const CANARY: &str = "Canary";
/// What names a group that others are in.
const THEIRS: &str = "their-";

const RULES: &str = r#"
[[account]]
id = "111122223333"
name = "Production"
[[account]]
id = "444455556666"
name = "Staging"
[[rule]]
id = "Canary-admins"
groups = ["their-admins", "admins"]
accounts = ["Production"]
roles = ["Admin"]
max_session = "2h"
[[rule]]
id = "Canary-when"
groups = ["staff"]
accounts = ["Production"]
roles = ["Conditioned"]
when = 'claims.CanaryClaim == "CanaryValue" && request.ip.within("10.99.0.0/16")'
[[rule]]
id = "Canary-known"
groups = ["staff"]
accounts = ["Production"]
roles = ["Known"]
when = 'claims.cost_center != "4711"'
tags = { CanaryTag = "CanaryTagValue" }
[[rule]]
id = "Canary-pattern"
group_pattern = 'their-(?<account>[0-9]{12})-(?<role>Canary[A-Za-z]*|Auditor)'
roles = ["arn:aws:iam::${account}:role/${role}"]
[[rule]]
id = "Canary-both"
groups = ["staff"]
groups_all = ["their-second"]
accounts = ["Production"]
roles = ["Both"]
[[rule]]
id = "Canary-loop"
everyone = true
when = 'groups.exists(g, g == "their-CanaryLoop")'
accounts = ["Production"]
roles = ["Loop"]
[[rule]]
id = "Canary-ended"
groups = ["staff"]
accounts = ["Production"]
roles = ["Ended"]
until = "2026-06-01T00:00:00Z"
[[rule]]
id = "Canary-elsewhere"
everyone = true
providers = ["entra"]
accounts = ["Production"]
roles = ["Elsewhere"]
[[rule]]
id = "Canary-barred"
groups = ["staff"]
groups_none = ["contractors"]
accounts = ["*"]
roles = ["Permanent"]
[[rule]]
id = "Canary-denied"
groups = ["staff", "their-deployers"]
accounts = ["Staging"]
roles = ["Denied"]
[[rule]]
id = "Canary-denied-too"
groups = ["their-deployers"]
accounts = ["Staging"]
roles = ["Deployer"]
[[rule]]
id = "Canary-deny"
effect = "deny"
groups = ["staff"]
accounts = ["Staging"]
when = 'username != "CanaryName"'
[[rule]]
id = "Canary-built"
everyone = true
accounts = ["Production"]
roles = ["Built"]
purposes = ["workload"]
[[rule]]
id = "Canary-built-when"
groups = ["staff"]
accounts = ["Production"]
roles = ["BuiltWhen"]
purposes = ["workload"]
when = 'claims.CanaryClaim == "CanaryValue"'
[[rule]]
id = "Canary-limits"
groups = ["staff"]
groups_all = ["tools"]
accounts = ["Production"]
roles = ["Limited"]
when = 'claims.cost_center == "4711"'
purposes = ["console"]
until = "2027-06-01T00:00:00Z"
max_session = "4h"
max_auth_age = "15m"
reason = { hint = "the ticket", pattern = "Canary-[0-9]+" }
policy_arns = ["arn:aws:iam::aws:policy/CanaryPolicy"]
"#;

#[derive(serde::Deserialize)]
struct File {
    account: Vec<AccountSettings>,
    rule: Vec<RuleSettings>,
}

fn policy() -> Policy {
    let file: File = toml::from_str(RULES).unwrap();
    let aliases = BTreeMap::from([
        ("admins".to_owned(), GroupIds::One("their-00g1".into())),
        ("tool people".to_owned(), GroupIds::One("tools".into())),
    ]);
    let groups = GroupSettings { names: crate::access::GroupNames::Exact, aliases: Some(&aliases) };
    let (naming, policies) = (&NamingSettings::default(), &PolicyFiles::default());
    let sources =
        Sources { accounts: &file.account, accounts_may_grow: false, iam_users: &[], rules: &file.rule, naming, groups, policies };
    Policy::of(&sources, &["okta".parse().unwrap(), "entra".parse().unwrap()]).unwrap()
}

fn told(groups: &[&str], asked: &str, tell: Disclosure) -> OwnExplanation {
    let context = Context { now: "2027-01-15T08:00:00Z".parse().unwrap(), ip: None };
    policy().explain_to_oneself(&Person::from(&Identity::for_tests("u1", groups)), &context, asked, tell).unwrap()
}

fn missing(groups: &[&str], asked: &str, tell: Disclosure) -> Vec<String> {
    told(groups, asked, tell).missing(ProviderId::as_str)
}

const STAFF: &[&str] = &["staff", "contractors", "tools"];

/// Every role of the rules, some that are in none, and some in accounts that are not there.
const ASKED: [&str; 18] = [
    "Production/Built",
    "Production/BuiltWhen",
    "Production/Admin",
    "Production/Conditioned",
    "Production/Known",
    "Production/Auditor",
    "Production/Both",
    "Production/Loop",
    "Production/Ended",
    "Production/Elsewhere",
    "Production/Permanent",
    "Staging/Denied",
    "Staging/Deployer",
    "Staging/NoSuchRole",
    "Production/Limited",
    "Production/NoSuchRole",
    "Nowhere/Admin",
    "arn:aws:iam::999999999999:role/Admin",
];

#[test]
fn a11_whatever_is_asked_no_rule_is_told_of() {
    for tell in [Disclosure::Reasons, Disclosure::Groups] {
        for groups in [STAFF, &["staff"], &["tools"], &["their-admins"], &[]] {
            for asked in ASKED {
                let told = told(groups, asked, tell);
                let words = [told.by(), told.limits(), told.missing(ProviderId::as_str)].concat().join("\n");
                let leak = [CANARY, "10.99", "cost_center", "[0-9]", "4711"].iter().find(|word| words.contains(**word));
                assert!(leak.is_none(), "{leak:?} in the answer about {asked}: {words}");
                assert!(!words.is_empty(), "{asked}");
                let theirs = words.contains(THEIRS) && groups.iter().all(|group| !group.starts_with(THEIRS));
                assert!(tell == Disclosure::Groups || !theirs, "a group of others in the answer about {asked}: {words}");
            }
        }
    }
    // The sibling that may know it all: the command's explanation names each of them.
    let role = policy().role_named("Production/Conditioned").unwrap();
    let context = Context { now: Moment::default(), ip: None };
    let whole = policy().explain(&Person::from(&Identity::for_tests("u1", STAFF)), &context, &role);
    assert!(serde_json::to_string(&whole).unwrap().contains("CanaryValue"));
}

#[test]
fn a11_a_role_that_another_group_gives_looks_like_one_that_is_not_there() {
    let absent = missing(STAFF, "Production/NoSuchRole", Disclosure::Reasons);
    assert!(absent[0].starts_with("None of your groups gives you this role."), "{absent:?}");
    for asked in ["Production/Admin", "Production/Auditor", "Production/Both", "Production/Loop", "Staging/Deployer", "Nowhere/Admin"] {
        assert_eq!(missing(STAFF, asked, Disclosure::Reasons), absent, "{asked}");
    }
    // What is for workloads alone is no person's, whatever their groups.
    for asked in ["Production/Built", "Production/BuiltWhen"] {
        assert_eq!(missing(STAFF, asked, Disclosure::Reasons), absent, "{asked}");
    }
    // A deny of a whole account is told of where it takes something alone.
    assert_eq!(missing(STAFF, "Staging/NoSuchRole", Disclosure::Reasons), absent);
    assert!(missing(STAFF, "Staging/Denied", Disclosure::Reasons)[0].starts_with("A rule says no"));
}

#[test]
fn what_is_missing_about_the_person_is_said() {
    let reasons = |asked| missing(STAFF, asked, Disclosure::Reasons).join(" ");
    assert_eq!(
        reasons("Production/Conditioned"),
        "What is missing: something that is not known about you or this sign-in; it is looked for in what your identity provider says about \
         you and in the address that you come from."
    );
    assert_eq!(
        reasons("Production/Known"),
        "What is missing: a condition that does not hold now; it looks at what your identity provider says about you."
    );
    assert_eq!(reasons("Production/Ended"), "What is missing: more time: what gave you the role ended on 2026-06-01 00:00 UTC.");
    assert_eq!(reasons("Production/Elsewhere"), "What is missing: a sign-in with entra.");
    assert_eq!(reasons("Production/Permanent"), "What is missing: not being in your group contractors.");
}

#[test]
fn the_groups_that_would_give_a_role_are_named_where_that_is_allowed() {
    let groups = |asked| missing(STAFF, asked, Disclosure::Groups).join(" ");
    assert_eq!(groups("Production/Admin"), "What is missing: one of the groups their-admins or admins.");
    assert_eq!(groups("Production/Auditor"), "What is missing: the group their-111122223333-Auditor.");
    assert_eq!(groups("Production/Both"), "What is missing: the group their-second.");
    assert!(
        groups("Production/NoSuchRole").starts_with("None of your groups"),
        "a pattern may build it: {}",
        groups("Production/NoSuchRole")
    );
    // A deny makes the group useless.
    assert!(groups("Staging/Deployer").starts_with("A rule says no"), "{}", groups("Staging/Deployer"));
    assert_eq!(missing(&[], "Staging/Deployer", Disclosure::Groups), ["What is missing: the group their-deployers."]);
    assert_eq!(
        told(STAFF, "Production/Limited", Disclosure::Groups).by()[0].split(" together").next(),
        Some("Your groups staff and tool people (tools)")
    );
    assert!(missing(&[], "Nowhere/Admin", Disclosure::Groups)[0].starts_with("Nothing gives this role to anybody"));
}

#[test]
fn what_is_granted_is_told_with_what_gave_it_and_its_limits() {
    let told = told(STAFF, "Production/Limited", Disclosure::Reasons);
    let by = "Your groups staff and tools together give it, by what your identity provider says about you, until 2027-06-01 00:00 UTC.";
    assert_eq!(told.by(), [by]);
    assert_eq!(
        told.limits(),
        [
            "It is for the console only, not for credentials.",
            "A session lasts at most 4h.",
            "A session may do less than the role itself: a session policy limits it.",
            "It wants a sign-in at most 15m old. Yours is a sign-in of an age that the provider did not tell, so you are sent to sign in \
             again first.",
            "Before it is handed out you say: the ticket.",
        ]
    );
    assert!(told.missing(ProviderId::as_str).is_empty());
    let by_arn = self::told(STAFF, "arn:aws:iam::111122223333:role/Limited", Disclosure::Reasons);
    assert_eq!(by_arn.by(), [by]);
}

#[test]
fn a_text_that_names_no_role_is_told_from_one_that_names_an_unknown_one() {
    let (policy, context) = (policy(), Context { now: Moment::default(), ip: None });
    let who = Identity::for_tests("u1", STAFF);
    let ask = |asked: &str| policy.explain_to_oneself(&Person::from(&who), &context, asked, Disclosure::Reasons).map(|_| ());
    for asked in
        ["", "Admin", "/", "Production/", "arn:aws:iam::1:role/x", "arn:aws:s3:::bucket", "Production/a b", "Nowhere/a b", "Now\nhere/a"]
    {
        assert_eq!(ask(asked), Err(NotARole), "{asked}");
    }
    for asked in ["Nowhere/Admin", "Production/team/Admin", "999999999999/Admin"] {
        assert_eq!(ask(asked), Ok(()), "{asked}");
    }
}

fn nearest(groups: &[&str], tell: Disclosure) -> Vec<String> {
    let context = Context { now: "2027-01-15T08:00:00Z".parse().unwrap(), ip: None };
    let misses = policy().near_misses(&Person::from(&Identity::for_tests("u1", groups)), &context, tell);
    misses.iter().map(|miss| miss.in_words(ProviderId::as_str)).collect()
}

#[test]
fn a11_what_came_nearest_is_told_of_oneself_alone() {
    for tell in [Disclosure::Off, Disclosure::Reasons, Disclosure::Groups] {
        for groups in [STAFF, &["staff"], &["tools"], &["their-deployers"], &["nothing"], &[]] {
            let words = nearest(groups, tell).join("\n");
            let leak = [CANARY, "10.99", "cost_center", "[0-9]", "4711"].iter().find(|word| words.contains(**word));
            assert!(leak.is_none(), "{leak:?} in what came nearest: {words}");
            let theirs = words.contains(THEIRS) && groups.iter().all(|group| !group.starts_with(THEIRS));
            assert!(!theirs, "a group of others in what came nearest: {words}");
            assert_eq!(words.is_empty(), tell == Disclosure::Off, "{groups:?}: {words}");
        }
    }
    let staff = nearest(&["staff"], Disclosure::Reasons).join("\n");
    for part in [
        "Your group staff would give you roles. What is missing: more time: what gave you the role ended on 2026-06-01",
        "Everyone would have roles. What is missing: a sign-in with entra.",
        "Your group staff would give you roles. But a rule says no to you",
    ] {
        assert!(staff.contains(part), "{part} in\n{staff}");
    }
}
