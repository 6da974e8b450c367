use super::*;
use crate::access::{AccountSettings, Context, Entitlement, NamingSettings, RuleSettings};
use crate::identity::Identity;

const LIMITED: &str = r#"
[[rule]]
id = "r"
groups = ["g"]
accounts = ["Production"]
roles = ["Admin"]
purposes = ["credentials"]
until = "2027-06-01T00:00:00Z"
max_session = "1h"
require_mfa = true
max_auth_age = "15m"
require_acr = ["gold"]
reason = { pattern = "OPS-[0-9]+" }
policy_arns = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
"#;

#[derive(serde::Deserialize)]
struct File {
    #[serde(default)]
    rule: Vec<RuleSettings>,
}

fn policy(rules: &str) -> Policy {
    let file: File = toml::from_str(rules).unwrap();
    let accounts = [("111122223333", "Production"), ("444455556666", "Staging")];
    let accounts = accounts.map(|(id, name)| AccountSettings { id: id.into(), name: name.into(), ..AccountSettings::default() });
    Policy::compile(&accounts, &file.rule, &NamingSettings::default(), &["okta".parse().unwrap()]).unwrap()
}

fn admin(rules: &str) -> Entitlement {
    let context = Context { now: "2027-01-15T08:00:00Z".parse().unwrap(), ip: None };
    policy(rules).granted(&Person::from(&Identity::for_tests("u1", &["g"])), &context).remove(0)
}

fn changed(from: &str, to: &str) -> String {
    assert!(LIMITED.contains(from), "{from}");
    LIMITED.replace(from, to)
}

#[test]
fn each_limit_that_is_lifted_is_seen_and_none_that_is_tightened() {
    for (from, to, words) in [
        ("purposes = [\"credentials\"]\n", "", "for the console too"),
        ("2027-06-01", "2027-07-01", "until 2027-07-01 00:00 UTC instead of 2027-06-01 00:00 UTC"),
        ("until = \"2027-06-01T00:00:00Z\"\n", "", "without an end, which was 2027-06-01 00:00 UTC"),
        ("\"1h\"", "\"12h\"", "sessions of 12h instead of 1h"),
        ("require_mfa = true\n", "", "without a second factor"),
        ("\"15m\"", "\"1h\"", "with a sign-in up to 1h old instead of 15m"),
        ("max_auth_age = \"15m\"\n", "", "with a sign-in of any age instead of 15m"),
        ("[\"gold\"]", "[\"gold\", \"silver\"]", "with a sign-in of the class gold or silver instead of gold"),
        ("require_acr = [\"gold\"]\n", "", "with a sign-in of any class instead of gold"),
        ("reason = { pattern = \"OPS-[0-9]+\" }\n", "", "without a reason"),
        ("OPS-[0-9]+", ".*", "with a reason that need not match the pattern it had to"),
        ("policy_arns = [\"arn:aws:iam::aws:policy/ReadOnlyAccess\"]\n", "", "without a session policy"),
        ("ReadOnlyAccess", "PowerUserAccess", "with another session policy (compare the two by hand)"),
    ] {
        let (before, after) = (admin(LIMITED), admin(&changed(from, to)));
        let wider: Vec<_> = after.wider_than(&before).iter().map(ToString::to_string).collect();
        assert_eq!(wider, [words], "{from} to {to}");
        let back: Vec<_> = before.wider_than(&after).iter().map(ToString::to_string).collect();
        // Of two session policies or patterns neither is known to be the narrower one.
        let either = words.contains("another session policy") || words.contains("need not match");
        assert_eq!(back.is_empty(), !either, "back from {to}: {back:?}");
        assert!(after.wider_than(&after).is_empty());
    }
}

#[test]
fn a_role_that_was_an_alarm_and_is_none_is_wider() {
    let rule =
        |id: &str, keys: &str| format!("[[rule]]\nid = '{id}'\ngroups = ['g']\naccounts = ['Production']\nroles = ['Admin']\n{keys}\n");
    let wider = |old: &str, new: &str| admin(new).wider_than(&admin(old)).iter().map(ToString::to_string).collect::<Vec<_>>();
    let (usual, emergency) = (rule("r", "max_session = '1h'"), rule("r", "max_session = '1h'\nbreak_glass = true"));
    // Of an emergency a reason is wanted in any case.
    assert_eq!(wider(&emergency, &usual), ["without an alarm, which it was to take it", "without a reason"]);
    assert_eq!(wider(&usual, &emergency), [""; 0]);
    let longer = emergency.replace("1h", "2h");
    assert_eq!(wider(&emergency, &longer), ["in an emergency: sessions of 2h instead of 1h"]);
    let strict = rule("s", "require_mfa = true");
    assert_eq!(wider(&strict, &[strict.as_str(), &emergency].concat()), ["in an emergency too, without what the usual way wants"]);
    assert_eq!(wider(&[strict.as_str(), &emergency].concat(), &strict), [""; 0]);
    assert_eq!(wider(&strict, &emergency), ["in an emergency: without a second factor"], "which is an alarm now, and wants less");
}

#[test]
fn what_may_be_asked_for_besides_is_told() {
    const ASKED: &str = "[[rule]]\nid = 'r'\ngroups = ['g']\naccounts = ['Production']\nroles = ['Admin']\npurposes = ['console']\n\
        reason = { pattern = 'OPS-[0-9]+' }\nproviders = ['okta']\nrequire_mfa = true\nmax_auth_age = '1h'\nuntil = '2030-01-01T00:00:00Z'\nmax_session = '1h'\nrequestable = { approvers = ['leads'], max_duration = '2h' }\n";
    let told = |old: &str, new: &str| {
        let (old, new) = (policy(old), policy(new));
        let by_hand = new.difference_from(&old).to_judge_by_hand();
        assert!(by_hand.iter().all(|rule| rule.on_request && rule.may_touch(|role| role.ends_with("/Admin"))));
        by_hand.into_iter().flat_map(|rule| rule.asked).map(|asked| asked.to_string()).collect::<Vec<_>>()
    };
    for (from, to, words) in [
        ("groups = ['g']", "groups = ['g', 'h']", "other people may ask"),
        ("groups = ['g']", "everyone = true", "other people may ask"),
        ("['Production']", "['Production', 'Staging']", "other roles may be asked for"),
        ("purposes = ['console']\n", "", "they may be asked for another purpose"),
        ("'2h'", "'4h'", "they may be asked for 4h instead of 2h"),
        ("reason = { pattern = 'OPS-[0-9]+' }\n", "", "a request need not say what it had to"),
        ("['leads']", "['leads', 'g']", "the group g decides too"),
        ("['leads']", "['others']", "the group others decides too"),
        ("providers = ['okta']\n", "", "approvers of other providers decide too"),
        ("require_mfa = true\n", "", "what is granted is wider: without a second factor"),
        ("max_auth_age = '1h'\n", "max_auth_age = '2h'\n", "what is granted is wider: with a sign-in up to 2h old instead of 1h"),
        ("until = '2030-01-01T00:00:00Z'\n", "", "what is granted is wider: without an end, which was 2030-01-01 00:00 UTC"),
        ("max_session = '1h'\n", "max_session = '2h'\n", "what is granted is wider: sessions of 2h instead of 1h"),
    ] {
        let changed = ASKED.replace(from, to);
        assert_eq!(told(ASKED, &changed), [words], "{from} to {to}");
    }
    assert_eq!(told("", ASKED), ["its roles may be asked for, and could not be"]);
    let deny = |roles: &str| format!("{ASKED}[[rule]]\nid = 'no'\neffect = 'deny'\ngroups = ['x']\nroles = {roles}\n");
    assert_eq!(told(&deny("['Admin']"), ASKED), ["it kept some of them from being asked for"]);
    assert_eq!(told(&deny("['Admin']"), &deny("['Nobody']")), ["it kept some of them from being asked for"]);
    assert_eq!(told(&deny("['Nobody']"), ASKED), [""; 0], "a deny of other roles");
    let two_decide = ASKED.replace("['leads']", "['leads', 'g']");
    for (from, to) in [(ASKED, ASKED.replace("'2h'", "'1h'")), (&two_decide, ASKED.to_owned())] {
        assert_eq!(told(from, &to), [""; 0], "{from} to {to}");
    }
}

#[test]
fn the_end_of_a_role_is_the_last_one_of_the_rules_that_give_it() {
    let second =
        |until: &str| format!("{LIMITED}\n[[rule]]\nid = 's'\ngroups = ['g']\naccounts = ['Production']\nroles = ['Admin']\n{until}\n");
    let until = |rules: &str| admin(rules).until.map(|until| until.to_rfc3339());
    assert_eq!(until(LIMITED).as_deref(), Some("2027-06-01T00:00:00+00:00"));
    assert_eq!(until(&second("until = '2027-02-01T00:00:00Z'")).as_deref(), Some("2027-06-01T00:00:00+00:00"));
    assert_eq!(until(&second("until = '2028-02-01T00:00:00Z'")).as_deref(), Some("2028-02-01T00:00:00+00:00"));
    assert_eq!(until(&second("")), None);
    let both = admin(&second("tags = { A = 'x', a = 'y' }\n").replace("A = 'x', a = 'y'", "A = '${claims.none}'"));
    assert!(both.obstacle.is_some());
    assert_eq!(admin(&second("")).wider_than(&both), [Widening::Obstacle]);
}

const OLD: &str = r#"
[[rule]]
id = "night"
groups = ["g"]
accounts = ["Production"]
roles = ["Admin"]
when = "auth.mfa && claims.a == 'x'"
[[rule]]
id = "known"
groups = ["g"]
accounts = ["Production"]
roles = ["Known"]
when = "claims.a == 'x'"
[[rule]]
id = "outside"
effect = "deny"
everyone = true
accounts = ["Production"]
when = "!request.ip.within('10.0.0.0/8')"
"#;

fn by_hand(old: &str, new: &str) -> Vec<String> {
    let (old, new) = (policy(old), policy(new));
    let found = new.difference_from(&old).to_judge_by_hand();
    found
        .iter()
        .map(|one| {
            let touches = if one.may_touch(|role| role.ends_with("/Admin")) { "!" } else { "" };
            let workloads = if one.workloads { " workloads" } else { "" };
            format!("{} {:?} {:?} {:?}{workloads}{touches}", one.rule, one.effect, one.became, one.looks_at.iter().collect::<Vec<_>>())
        })
        .collect()
}

#[test]
fn rules_that_one_moment_cannot_judge_are_named_when_they_change() {
    assert!(by_hand(OLD, OLD).is_empty());
    for (from, to, found) in [
        // A condition that is dropped grants at this moment what it granted before.
        ("when = \"auth.mfa && claims.a == 'x'\"\n", "", "night Allow Changed [SignIn]!"),
        ("auth.mfa &&", "now.getHours() < 8 &&", "night Allow Changed [SignIn, Time]!"),
        // The condition stays, and more people come to it.
        ("id = \"night\"\ngroups = [\"g\"]", "id = \"night\"\ngroups = [\"g\", \"h\"]", "night Allow Changed [SignIn]!"),
        ("roles = [\"Admin\"]", "roles = [\"Other\", \"Admin\"]", "night Allow Changed [SignIn]!"),
        ("10.0.0.0/8", "0.0.0.0/0", "outside Deny Changed [Address]!"),
        (
            "accounts = [\"Production\"]\nwhen = \"!request",
            "accounts = [\"Staging\"]\nwhen = \"!request",
            "outside Deny Changed [Address]!",
        ),
        ("id = \"outside\"", "id = \"renamed\"", "outside Deny Removed [Address]!"),
    ] {
        assert!(OLD.contains(from), "{from}");
        assert_eq!(by_hand(OLD, &OLD.replace(from, to)), [found], "{from} to {to}");
    }
    // What is the same at every moment is judged by trying people.
    assert!(
        by_hand(OLD, &OLD.replace("claims.a == 'x'\"\n[[rule]]\nid = \"outside", "claims.a == 'y'\"\n[[rule]]\nid = \"outside")).is_empty()
    );
    // What only takes away is no gain.
    assert!(by_hand(OLD, "[[rule]]\nid = 'outside'\neffect = 'deny'\neveryone = true\naccounts = ['Production']\nwhen = \"!request.ip.within('10.0.0.0/8')\"").is_empty());
    let added = format!("{OLD}\n[[rule]]\nid = 'new'\ngroups = ['g']\naccounts = ['Staging']\nroles = ['Reader']\nwhen = 'auth.mfa'\n");
    assert_eq!(by_hand(OLD, &added), ["new Allow Added [SignIn]"], "and not about the role that is asked for");
    let builds = added.replace(
        "groups = ['g']\naccounts = ['Staging']\nroles = ['Reader']",
        "group_pattern = 'x-(?<r>.*)'\naccounts = ['Staging']\nroles = ['${r}']",
    );
    assert_eq!(by_hand(OLD, &builds), ["new Allow Added [SignIn]!"], "what captures build may be any role");
}

#[test]
fn rules_that_decide_about_workloads_are_named_when_they_change() {
    let rule = |id: &str, keys: &str| format!("[[rule]]\nid = '{id}'\ngroups = ['g']\naccounts = ['Production']\n{keys}\n");
    let (people, build) = ("roles = ['Admin']", "roles = ['Admin']\npurposes = ['workload']");
    let both = "roles = ['Admin']\npurposes = ['credentials', 'workload']";
    let deny = rule("no", "effect = 'deny'");
    for (old, new, found) in [
        (String::new(), rule("r", build), &["r Allow Added [] workloads!"][..]),
        (rule("r", "roles = ['Admin']\npurposes = ['credentials']"), rule("r", both), &["r Allow Changed [] workloads!"]),
        (String::new(), rule("r", people), &[]),
        (rule("r", build), rule("r", people), &[]),
        // A deny of everything keeps workloads out as well, where something would let them in.
        (rule("r", build) + &deny, rule("r", build), &["no Deny Removed [] workloads!"]),
        (rule("r", people) + &deny, rule("r", people), &[]),
        (rule("r", build) + &rule("no", "effect = 'deny'\npurposes = ['console']"), rule("r", build), &[]),
    ] {
        assert_eq!(by_hand(&old, &new), found, "{old} to {new}");
    }
}

#[test]
fn what_could_not_be_judged_may_hide_a_gain_where_it_denies_or_is_not_as_before() {
    let (old, admin) = (policy(OLD), |role: &str| role.ends_with("/Admin"));
    let hides = |new: &str, rule: &str| policy(new).difference_from(&old).may_hide_a_gain(rule, admin);
    assert!(!hides(OLD, "night"), "it gave as little before");
    assert!(hides(&OLD.replace("'x'", "'y'"), "night"));
    assert!(!hides(&OLD.replace("'x'", "'y'"), "known"), "another role");
    assert!(hides(OLD, "outside"), "it may take what another rule gives now");
    assert!(!hides(OLD, "no-such-rule"));
}

#[test]
fn whom_no_differing_rule_is_about_is_left_alone() {
    let touches = |new: &str, groups: &[&str]| {
        let (old, new) = (policy(OLD), policy(new));
        new.difference_from(&old).touches(&Person::from(&Identity::for_tests("u1", groups)))
    };
    let quiet = OLD.replace(
        "[[rule]]\nid = \"outside\"\neffect = \"deny\"\neveryone = true",
        "[[rule]]\nid = \"outside\"\neffect = \"deny\"\ngroups = [\"o\"]",
    );
    assert!(!touches(OLD, &["g", "h"]));
    assert!(touches(&quiet, &[]), "the deny was about everyone");
    let wider = OLD.replace("id = \"known\"\ngroups = [\"g\"]", "id = \"known\"\ngroups = [\"h\"]");
    assert!(touches(&wider, &["g"]) && touches(&wider, &["h"]) && !touches(&wider, &["other"]));
    let terms = OLD.replace("roles = [\"Known\"]", "roles = [\"Known\"]\nrequire_mfa = true");
    assert!(touches(&terms, &["g"]) && !touches(&terms, &["h"]));
    // Order of rules, of roles and of groups is no difference.
    let [first, second, third] = OLD.trim().split("[[rule]]").skip(1).collect::<Vec<_>>().try_into().unwrap();
    assert!(!touches(&format!("[[rule]]{third}\n[[rule]]{second}\n[[rule]]{first}"), &["g"]));
}
