use std::time::{Duration, Instant};

use chrono::DateTime;

use super::*;
use crate::access::{Context, Person};
use crate::identity::Identity;

/// What is wrong with a condition.
#[track_caller]
fn refused(text: &str, column: usize, words: &str) {
    let refused = Condition::parse(text).expect_err(text);
    assert!(refused.message.contains(words), "{text}: no `{words}` in `{}`", refused.message);
    assert_eq!(refused.column, column, "{text}: {}", refused.message);
}

#[test]
fn a_word_that_does_not_exist_is_found_before_anybody_signs_in() {
    refused("auht.mfa", 1, "there is no word `auht`: did you mean `auth`?");
    refused("auth.mfe", 5, "did you mean `mfa`?");
    refused("auth.mfa && user == 'x'", 13, "there is no word `user`");
    refused("groups.exists(g, h == 'x')", 18, "there is no word `h`");
    refused("provider.isOkta()", 16, "there is no function `isOkta`");
    refused("auth.mfa &&", 12, "it is not CEL");
}

#[test]
fn a_comparison_of_unlike_things_is_found_too() {
    refused("auth.mfa == 'yes'", 10, "stands between a truth value and a text");
    refused("provider", 1, "a condition is true or false, and this is a text");
    refused("auth.age < 3600", 10, "stands between a span of time and a number");
    refused("'admins' in provider", 10, "stands between a text and a text");
    refused("size(auth)", 6, "`auth` does not stand alone");
    refused("!provider", 1, "does not take a text");
    refused("now > auth.age", 5, "stands between a moment and a span of time");
    refused("groups.exists(g, g == 7)", 20, "stands between a text and a number");
    refused("provider.name == 'x'", 9, "a text has no parts");
    refused("{'a': 1}['a'] == 1", 1, "maps and structures");
}

#[test]
fn constants_are_checked_where_they_stand() {
    refused("request.ip.within('10.0.0.0/33')", 18, "takes a network");
    refused("request.ip.within(provider)", 18, "takes a network");
    refused("auth.age < duration('8 hours')", 20, "is no span of time");
    refused("now < timestamp('tomorrow')", 16, "is no moment");
    refused("now.getHours('Europe/Berlni') < 18", 13, "takes a time zone");
    refused("username.matches('(')", 17, "has a pattern that cannot be read");
    refused("username.matches(claims.pattern)", 17, "takes a pattern in quotation marks");
}

#[test]
fn nothing_that_could_take_long_is_taken() {
    refused(&format!("provider == '{}'", "x".repeat(1100)), 1, "longer than 1024 bytes");
    let many = vec!["true"; 150].join("||");
    assert!(Condition::parse(&many).is_err_and(|refused| refused.message.contains("more than 256 parts")));
    let nested = Condition::parse("['a'].exists(g, ['b'].exists(h, g == h))").unwrap_err();
    assert!(nested.message.contains("one loop may not stand in another"), "{}", nested.message);
    refused("username.matches('(a{1,200}){1,200}')", 17, "too large");
    refused("['a'].map(x, x + x + x) == ['']", 10, "`map` has no place in a condition");
    refused("claims.l.all(x, x in claims.l)", 22, "`claims` has no place inside a loop");
    refused("groups.exists(g, groups == groups)", 18, "`groups` has no place inside a loop");
    refused("groups.exists(g, g + g == 'aa')", 20, "nothing can be put together inside a loop");
    for deep in [format!("{}true{}", "!(".repeat(52), ")".repeat(52)), format!("{}1{}", "claims[".repeat(75), "]".repeat(75))] {
        refused(&deep, 1, "nest deeper than 12");
    }
    refused(&format!("{}true", "!".repeat(200)), 1, "nest deeper than 12");
    refused(&format!("{}true", "auth.mfa ? false : ".repeat(40)), 1, "nest deeper than 12");
    let chain = format!("claims{} == 'x'", ".a".repeat(100));
    assert!(Condition::parse(&chain).is_err_and(|refused| refused.message.contains("deep in each other")));
}

#[test]
fn a_purpose_cannot_hide_from_the_check() {
    refused("[claims.sub, request][1].purpose == 'console'", 14, "`request` does not stand alone: write request.ip, request.purpose");
    refused("request['purpose'] == 'console'", 1, "`request` does not stand alone");
    refused("(auth.mfa ? request : request).purpose == 'x'", 13, "`request` does not stand alone");
    assert!(Condition::parse("has(request.ip) && request.purpose == 'console'").unwrap().about_purpose);
}

fn asked(text: &str, ip: Option<&str>, change: impl FnOnce(&mut Identity)) -> Result<bool, String> {
    let now = DateTime::parse_from_rfc3339("2026-07-15T16:30:00Z").unwrap().to_utc();
    let mut who = Identity::for_tests("u1", &["admins", "developers"]);
    who.authentication.time = Some(now - chrono::TimeDelta::minutes(30));
    change(&mut who);
    let (person, context) = (Person::from(&who), Context { now, ip: ip.map(|ip| ip.parse().unwrap()) });
    let facts = Facts::of(&person, &context);
    let role: Target = "arn:aws:iam::111122223333:role/Admin".parse().unwrap();
    let account = Account {
        id: role.account(),
        name: "Production".into(),
        partition: role.partition(),
        tags: vec![("env".into(), "prod".into())],
        alias: None,
        ou: None,
        saml_provider: None,
        saml_acs_id: None,
    };
    let condition = Condition::parse(text).unwrap_or_else(|refused| panic!("{text}: {}", refused.message));
    condition.holds(&facts, Purpose::Console, Some((&role, &account))).map_err(|failed| failed.to_string())
}

#[test]
fn every_word_of_the_vocabulary_means_what_the_documentation_says() {
    for text in [
        "claims.cost_center == '4711'",
        "claims['cost_center'].startsWith('47')",
        "'a' in claims.list && size(claims.list) == 2",
        "has(claims.cost_center) && !has(claims.nothing)",
        "'admins' in groups && groups.size() == 2",
        "groups.exists(g, g.endsWith('ers')) && groups.all(g, g.matches('^[a-z]+$'))",
        "provider == 'okta' && username.contains('@')",
        "!auth.mfa && size(auth.amr) == 0 && !has(auth.acr)",
        "auth.age <= duration('30m') && auth.time + duration('1h') > now",
        "request.ip.within('10.0.0.0/8') && !request.ip.within('10.2.0.0/16') && request.purpose == 'console'",
        "now.getDayOfWeek('Europe/Berlin') == 3 && now.getHours('Europe/Berlin') == 18 && now.getHours() == 16",
        "now < timestamp('2027-01-01T00:00:00Z')",
        "role.name == 'Admin' && role.arn.startsWith('arn:aws:iam::')",
        "account.id == '111122223333' && account.name == 'Production' && account.tags.env == 'prod' && account.partition == 'aws'",
        "('x' in groups ? false : true) && groups.filter(g, g != 'admins') == ['developers']",
    ] {
        assert_eq!(asked(text, Some("10.1.2.3"), |_| {}), Ok(true), "{text}");
    }
    assert_eq!(asked("auth.mfa", None, |who| who.authentication.mfa = true), Ok(true));
    assert_eq!(asked("request.ip.within('10.0.0.0/8')", Some("::ffff:10.1.2.3"), |_| {}), Ok(true), "an IPv4 address in IPv6 clothes");
    assert_eq!(asked("request.ip.within('2001:db8::/32')", Some("2001:db8::1"), |_| {}), Ok(true));
}

#[test]
fn what_is_not_there_fails_and_says_so_without_a_value() {
    let why = |text: &str| asked(text, None, |_| {}).unwrap_err();
    assert_eq!(why("claims.nothing == 'x'"), "there is no `nothing`");
    assert_eq!(why("request.ip.within('10.0.0.0/8')"), "there is no `ip`");
    assert_eq!(asked("auth.age < duration('1h')", None, |who| who.authentication.time = None).unwrap_err(), "there is no `age`");
    let told = why("claims.email < 7");
    assert!(!told.contains("ana"), "{told}");
    assert!(why("claims.cost_center + 1 > 0").len() < 120);
    assert_eq!(why("claims.list"), "it is neither true nor false");
}

#[test]
fn a_loop_over_thousands_ends_soon() {
    let many: Vec<String> = (0..5000).map(|n| format!("group-{n}")).collect();
    assert_eq!(asked("groups.exists(g, g == 'group-4999')", None, |who| who.groups = many.clone()), Ok(true));
    // A pattern is read once, not for each of them: that took ten times as long.
    let start = Instant::now();
    assert_eq!(asked("groups.all(g, g.matches('^group-[0-9]{1,40}$'))", None, |who| who.groups = many), Ok(true));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn a_condition_sees_what_it_names_and_everything_where_it_names_nothing() {
    let needs = |text: &str| Condition::parse(text).unwrap_or_else(|refused| panic!("{text}: {}", refused.message)).needs;
    let one = needs("has(claims.email) && claims['cost_center'] == '4711' && auth.mfa");
    assert_eq!((one.groups, one.all_claims, one.claims), (false, false, vec!["email".into(), "cost_center".into()]));
    assert!(needs("size(groups) > 1").groups && needs("'a' in groups").groups);
    for all in ["'email' in claims", "claims[username] == 'x'", "claims.exists(claims, claims == 'email')", "size(claims) == 4"] {
        assert!(needs(all).all_claims, "{all}");
        let _ = asked(all, None, |_| {}).unwrap_or_default();
    }
    assert_eq!(asked("size(claims) == 4 && claims.exists(claim, claim == 'email')", None, |_| {}), Ok(true));
    assert_eq!(asked("groups.exists(claims, claims == 'admins')", None, |_| {}), Ok(true));
    assert_eq!(asked("claims['list'].exists(groups, groups == 'b') && groups[0] == 'admins'", None, |_| {}), Ok(true));
}
