//! What people must say before they get a role.

use super::*;

fn rule(id: &str, group: &str, keys: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\ngroups = [\"{group}\"]\naccounts = [\"Production\"]\nroles = [\"Dev\"]\n{keys}\n")
}

fn saying(rules: &str, groups: &[&str], reason: Option<&str>) -> Result<AssumeRequest, Denied> {
    let wish = Wish { reason: reason.map(str::to_owned), ..wish("arn:aws:iam::111122223333:role/Dev") };
    entitled(rules, groups).choose(&wish)
}

const TICKET: &str = "reason = { pattern = 'OPS-[0-9]+', hint = \"the ticket\", tag = \"Ticket\" }";

#[test]
fn the_whole_text_must_be_what_the_rule_wants() {
    let rules = rule("r", "g", TICKET);
    let said = saying(&rules, &["g"], Some("  OPS-42 ")).unwrap();
    assert_eq!(said.reason(), Some("OPS-42"));
    assert_eq!(said.tags(), [SessionTag { key: "Ticket".into(), value: "OPS-42".into(), transitive: false }]);
    let denied = || Denied::Reason("the ticket".into());
    let (long, lines) = (format!("OPS-{}", "1".repeat(253)), "OPS-1\nOPS-2");
    for wrong in [None, Some(""), Some("  "), Some("OPS-"), Some("xOPS-1"), Some("OPS-1 because"), Some(lines), Some(&long)] {
        assert_eq!(saying(&rules, &["g"], wrong).unwrap_err(), denied(), "{wrong:?}");
    }
    let loose = rule("r", "g", &TICKET.replace("OPS-[0-9]+", "OPS-1|X"));
    assert_eq!(saying(&loose, &["g"], Some("OPS-12")).unwrap_err(), denied(), "an alternation stays within the anchors");
}

#[test]
fn a_rule_may_want_any_text_and_most_want_none() {
    let any = rule("r", "g", "reason = {}");
    assert_eq!(entitled(&any, &["g"]).roles()[0].wanted_reason().as_deref(), Some("what you need it for"));
    assert_eq!(saying(&any, &["g"], Some("täglich € ‑ [sic]")).unwrap().reason(), Some("täglich € ‑ [sic]"));
    for unseen in [" ", "\u{200b}", "--", "OPS-1\u{202e}2", "a\u{2028}b"] {
        assert!(saying(&any, &["g"], Some(unseen)).is_err(), "{unseen:?}");
    }
    let tagged = rule("r", "g", "reason = { tag = \"Why\" }");
    assert!(saying(&tagged, &["g"], Some("not in a tag: ;")).is_err(), "what AWS would refuse is refused here");
    let none = saying(&rule("r", "g", ""), &["g"], Some("chatter")).unwrap();
    assert_eq!(none.reason(), None, "what nobody asked for is not recorded");
}

#[test]
fn what_several_rules_want_adds_up() {
    let digits = "reason = { pattern = '.*[0-9]', hint = \"a number at the end\" }";
    let rules = [rule("a", "a", TICKET), rule("b", "b", digits), rule("c", "c", ""), rule("d", "d", TICKET)].concat();
    assert!(saying(&rules, &["c"], None).is_ok());
    assert!(saying(&rules, &["a", "c"], None).is_err(), "a rule that wants nothing does not let past one that does");
    let both = entitled(&rules, &["a", "b", "d"]).roles()[0].wanted_reason();
    assert_eq!(both.as_deref(), Some("a number at the end; the ticket"));
    let pattern = |groups: &[&str]| entitled(&rules, groups).roles()[0].reason_pattern().map(str::to_owned);
    assert_eq!(pattern(&["a", "d"]).as_deref(), Some("OPS-[0-9]+"));
    assert_eq!((pattern(&["a", "b"]), pattern(&["c"])), (None, None), "of two none is told as if it were enough");
    assert!(saying(&rules, &["a", "b"], Some("x 1")).is_err());
    assert!(saying(&rules, &["a", "b"], Some("OPS-1")).is_ok());
    let same = [rule("a", "a", TICKET), rule("t", "t", "tags = { ticket = \"none\" }")].concat();
    assert_eq!(saying(&same, &["a", "t"], Some("OPS-1")).unwrap_err(), Denied::Contradiction("tag Ticket".into()));
}

#[test]
fn a_reasons_tag_is_one_tag_and_no_others() {
    let want = |id: &str, key: &str| rule(id, "g", &format!("reason = {{ tag = \"{key}\" }}"));
    let obstacle = |rules: &str| entitled(rules, &["g"]).roles()[0].obstacle.clone();
    assert_eq!(obstacle(&(want("a", "Ticket") + &want("b", "Ticket"))), None);
    assert_eq!(obstacle(&(want("a", "Ticket") + &want("b", "Why"))), None);
    assert!(obstacle(&(want("a", "Ticket") + &want("b", "ticket"))).is_some(), "STS compares keys without case");
}

#[test]
fn a_reason_that_nobody_could_give_is_a_finding() {
    let reason = |keys: &str| rule("r", "g", &format!("reason = {{ {keys} }}"));
    refused(&reason("pattern = '('"), "rule[0].reason.pattern", "cannot be read");
    refused(&reason("pattern = 'a)(b'"), "rule[0].reason.pattern", "cannot be read");
    refused(&reason(&format!("pattern = '{}'", "a".repeat(513))), "rule[0].reason.pattern", "longer than");
    refused(&reason("pattern = '(a{1000}){1000}'"), "rule[0].reason.pattern", "cannot be read");
    refused(&reason("hint = \"\""), "rule[0].reason.hint", "1 to 200");
    refused(&reason("tag = \"aws:why\""), "rule[0].reason.tag", "not a key");
    refused(&format!("{}tags = {{ WHY = \"x\" }}", reason("tag = \"why\"")), "rule[0].reason.tag", "is a key of `tags` too");
    refused(&format!("{}operation = \"forwarded_web_identity\"", reason("tag = \"why\"")), "rule[0].operation", "carries no tags");
    assert!(compile(&format!("{}operation = \"forwarded_web_identity\"", reason("hint = \"why\""))).is_ok());
    refused("[[rule]]\nid = \"d\"\neffect = \"deny\"\neveryone = true\nreason = {}", "rule[0]", "grants no session");
}
