//! What rules want of the sign-in itself.

use super::*;
use crate::identity::Authentication;

fn rule(id: &str, group: &str, keys: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\ngroups = [\"{group}\"]\naccounts = [\"Production\"]\nroles = [\"Dev\"]\n{keys}\n")
}

fn at(seconds: i64) -> Moment {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn chosen(rules: &str, groups: &[&str], came: Authentication, after: i64) -> Result<AssumeRequest, Denied> {
    let mut who = Identity::for_tests("u1", groups);
    who.authentication = came;
    let wish = wish("arn:aws:iam::111122223333:role/Dev");
    compile(rules).unwrap().entitlements(&who, &Context { now: at(after), ip: None }).choose(&wish)
}

fn came(mfa: bool, acr: &str) -> Authentication {
    Authentication { time: Some(at(0)), mfa, acr: Some(acr.into()), ..Authentication::default() }
}

#[track_caller]
fn lacks(result: Result<AssumeRequest, Denied>) -> StepUp {
    match result.unwrap_err() {
        Denied::StepUp(step_up) => *step_up,
        other => panic!("{other}"),
    }
}

#[test]
fn the_role_stays_granted_and_waits_for_another_sign_in() {
    let rules = rule("r", "g", "max_auth_age = \"15m\"\nrequire_acr = [\"gold\"]\nrequire_mfa = true");
    assert!(chosen(&rules, &["g"], came(true, "gold"), 900).is_ok());
    assert!(lacks(chosen(&rules, &["g"], came(true, "gold"), 901)).is_only_stale());
    assert!(lacks(chosen(&rules, &["g"], came(true, "silver"), 0)).is_of_other_class());
    assert!(lacks(chosen(&rules, &["g"], came(false, "gold"), 0)).lacks_factor());
    let unknown = lacks(chosen(&rules, &["g"], Authentication { time: None, ..came(true, "gold") }, 0));
    assert!(unknown.is_stale(), "an age that is not told is no age");
    assert_eq!(entitled(&rules, &["g"]).roles().len(), 1);
    assert_eq!(chosen(&rules, &["h"], came(true, "gold"), 0).unwrap_err(), Denied::NotGranted);
}

#[test]
fn demands_add_up() {
    let rules = [
        rule("free", "free", ""),
        rule("hour", "hour", "max_auth_age = \"1h\"\nrequire_acr = [\"gold\", \"silver\"]"),
        rule("minutes", "minutes", "max_auth_age = \"5m\"\nrequire_acr = [\"silver\", \"bronze\"]"),
        rule("factor", "factor", "require_mfa = true"),
        rule("bronze", "bronze", "require_acr = [\"bronze\"]"),
    ]
    .concat();
    let wanted = |groups: &[&str]| lacks(chosen(&rules, groups, Authentication::default(), 0)).wanted.to_string();
    assert!(chosen(&rules, &["free"], Authentication::default(), 0).is_ok());
    assert_eq!(wanted(&["free", "factor"]), "a sign-in with a second factor", "who wants nothing lets nobody past who wants something");
    assert_eq!(wanted(&["hour", "minutes"]), "a sign-in at most 5m old, of the class silver");
    assert_eq!(wanted(&["minutes", "hour", "factor"]), "a sign-in at most 5m old, of the class silver, with a second factor");
    for groups in [&["hour", "bronze"][..], &["bronze", "hour"], &["hour", "minutes", "bronze"]] {
        let denied = chosen(&rules, groups, came(true, "bronze"), 0).unwrap_err();
        assert_eq!(denied, Denied::Contradiction("require_acr".into()), "{groups:?}");
    }
}

#[test]
fn a_demand_that_nobody_could_meet_is_a_finding() {
    refused(&rule("r", "g", "max_auth_age = \"59s\""), "rule[0].max_auth_age", "clicks within that time");
    refused(&rule("r", "g", "require_acr = [\"a b\"]"), "rule[0].require_acr[0]", "one word");
    refused("[[rule]]\nid = \"d\"\neffect = \"deny\"\neveryone = true\nrequire_mfa = true", "rule[0]", "grants no session");
}
