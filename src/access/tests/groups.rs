//! Which groups a rule asks for: any, all, none; by name, by id, by alias; however the letters are put together.

use super::*;

const DEV: &str = "accounts = [\"Staging\"]\nroles = [\"Dev\"]\n";

/// The policy of a whole file with these parts, aliases and comparison included.
fn named(names: GroupNames, aliases: &str, rules: &str) -> Result<Policy, Vec<Problem>> {
    let file: File = toml::from_str(&format!("{ACCOUNTS}\n{rules}")).unwrap();
    let aliases = toml::from_str(aliases).unwrap();
    let groups = GroupSettings { names, aliases: Some(&aliases) };
    let policies = PolicyFiles::default();
    let sources = Sources {
        accounts: &file.account,
        accounts_may_grow: false,
        iam_users: &[],
        rules: &file.rule,
        naming: &file.naming,
        groups,
        policies: &policies,
    };
    Policy::of(&sources, &["okta".parse().unwrap()])
}

fn granted(policy: &Policy, groups: &[&str]) -> Vec<Entitlement> {
    let context = Context { now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(), ip: None };
    policy.granted(&Person::from(&Identity::for_tests("u1", groups)), &context)
}

fn rule(matchers: &str) -> String {
    format!("[[rule]]\nid = \"r\"\n{matchers}\n{DEV}")
}

#[test]
fn all_narrows_the_other_matchers_and_matches_alone() {
    let alone = rule("groups_all = [\"a\", \"b\"]");
    let beside = rule("groups = [\"x\", \"y\"]\ngroups_all = [\"a\", \"b\"]");
    let pattern = rule("group_pattern = 'x-(?<n>[a-z]+)'\ngroups_all = [\"a\", \"b\"]");
    for (groups, by_alone, by_beside, by_pattern) in [
        (&["a"][..], 0, 0, 0),
        (&["b"], 0, 0, 0),
        (&["b", "a"], 1, 0, 0),
        (&["x", "a"], 0, 0, 0),
        (&["x", "b", "a"], 1, 1, 0),
        (&["x-z", "b", "a"], 1, 0, 1),
    ] {
        assert_eq!(roles(&alone, groups).len(), by_alone, "{groups:?}");
        assert_eq!(roles(&beside, groups).len(), by_beside, "{groups:?}");
        assert_eq!(roles(&pattern, groups).len(), by_pattern, "{groups:?}");
    }
    let evidence = entitled(&beside, &["b", "x", "a"]).roles()[0].evidence.clone();
    assert_eq!((evidence[0].group.as_deref(), evidence[0].also.len()), (Some("x"), 2));
}

#[test]
fn none_only_narrows() {
    let rules = rule("everyone = true\ngroups_none = [\"contractors\", \"guests\"]");
    assert_eq!(roles(&rules, &[]).len(), 1);
    assert_eq!(roles(&rules, &["staff"]).len(), 1);
    assert_eq!(roles(&rules, &["staff", "guests"]).len(), 0);
    let deny = "[[rule]]\nid = \"d\"\neffect = \"deny\"\neveryone = true\ngroups_none = [\"staff\"]\n";
    let rules = format!("{}{deny}", rule("groups = [\"g\"]"));
    assert_eq!(roles(&rules, &["g"]).len(), 0, "a deny for all but some");
    assert_eq!(roles(&rules, &["g", "staff"]).len(), 1);
    refused(&rule("groups_none = [\"x\"]"), "rule[0]", "matches nobody");
    refused(&rule("groups = [\"a\"]\ngroups_none = [\"a\"]"), "rule[0].groups_none", "every group of `groups`");
    refused(&rule("groups_all = [\"a\", \"b\"]\ngroups_none = [\"b\"]"), "rule[0].groups_none", "`groups_none` forbids");
    refused(&rule("groups_all = [\"\"]"), "rule[0].groups_all", "1 to 256 bytes");
    assert!(compile(&rule("groups = [\"a\", \"b\"]\ngroups_none = [\"a\"]")).is_ok());
}

#[test]
fn an_alias_means_its_ids_and_nothing_else() {
    let aliases = "admins = \"00g1\"\nleads = [\"00g2\", \"00g3\"]";
    let of = |matchers: &str| named(GroupNames::Exact, aliases, &rule(matchers)).unwrap();
    for (matchers, has, has_not) in [
        ("groups = [\"admins\"]", &["00g1"][..], &["admins"][..]),
        ("groups = [\"leads\"]", &["00g3"], &["leads", "00g1"]),
        ("groups_all = [\"admins\", \"leads\"]", &["00g3", "00g1"], &["00g2", "00g3"]),
        ("everyone = true\ngroups_none = [\"leads\"]", &["00g1"], &["00g3"]),
    ] {
        let policy = of(matchers);
        assert_eq!(granted(&policy, has).len(), 1, "{matchers} with {has:?}");
        assert_eq!(granted(&policy, has_not).len(), 0, "{matchers} with {has_not:?}");
    }
    let policy = of("groups = [\"admins\"]");
    let grant = policy.grant_of(&granted(&policy, &["00g1"])[0]);
    assert_eq!(grant.evidence[0].groups[0].to_string(), "admins (00g1)");
    let role = policy.role_named("Staging/Dev").unwrap();
    let context = Context { now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(), ip: None };
    let missed = policy.explain(&Person::from(&Identity::for_tests("u1", &["admins"])), &context, &role).missed;
    assert_eq!(missed[0].missing[0].to_string(), "the group admins (00g1)");
}

#[test]
fn an_alias_that_could_mean_two_things_is_a_finding() {
    let problem = |names, aliases: &str| {
        let problems = named(names, aliases, &rule("everyone = true")).unwrap_err();
        format!("{}: {}", problems[0].path, problems[0].message)
    };
    let both = problem(GroupNames::Exact, "admins = \"00g1\"\nstaff = [\"00g2\", \"admins\"]");
    assert!(both.starts_with("groups.staff: `admins` is an alias, and here it is the id"), "{both}");
    assert!(problem(GroupNames::Exact, "admins = \"admins\"").contains("could mean either"));
    assert!(problem(GroupNames::Exact, "admins = []").contains("stands for nothing"));
    assert!(problem(GroupNames::Exact, "admins = \"\"").contains("stands for nothing"));
    assert!(problem(GroupNames::NfcCasefold, "Admins = \"1\"\nadmins = \"2\"").contains("compared like"));
    assert!(named(GroupNames::Exact, "Admins = \"1\"\nadmins = \"2\"", &rule("everyone = true")).is_ok());
}

#[test]
fn names_are_compared_as_the_file_says() {
    let (composed, apart) = ("Caf\u{e9}", "Cafe\u{301}");
    for (names, rule_says, person_has, count) in [
        (GroupNames::Exact, composed, composed, 1),
        (GroupNames::Exact, composed, apart, 0),
        (GroupNames::Nfc, composed, apart, 1),
        (GroupNames::Nfc, apart, composed, 1),
        (GroupNames::Nfc, "Admins", "admins", 0),
        (GroupNames::NfcCasefold, "Admins", "aDMINS", 1),
        (GroupNames::NfcCasefold, "STRASSE", "stra\u{df}e", 1),
        (GroupNames::NfcCasefold, apart, "CAF\u{c9}", 1),
        // A letter that only looks the same stays another one.
        (GroupNames::NfcCasefold, "admins", "\u{430}dmins", 0),
        (GroupNames::Nfc, "ffi", "\u{fb03}", 0),
    ] {
        let allow = named(names, "", &rule(&format!("groups = [\"{rule_says}\"]"))).unwrap();
        assert_eq!(granted(&allow, &[person_has]).len(), count, "{names:?} {rule_says} {person_has}");
        let unless = named(names, "", &rule(&format!("everyone = true\ngroups_none = [\"{rule_says}\"]"))).unwrap();
        assert_eq!(granted(&unless, &[person_has]).len(), 1 - count, "{names:?} {rule_says} {person_has}");
    }
}

#[test]
fn aliases_patterns_and_conditions_see_names_as_they_are_compared() {
    let policy = named(GroupNames::NfcCasefold, "Admins = \"OU=Ops\"", &rule("groups = [\"ADMINS\"]")).unwrap();
    assert_eq!(granted(&policy, &["ou=OPS"]).len(), 1);
    let by_pattern = |pattern: &str| named(GroupNames::NfcCasefold, "", &rule(&format!("group_pattern = '{pattern}'"))).unwrap();
    assert_eq!(granted(&by_pattern("team-[a-z]+"), &["Team-BLUE"]).len(), 1);
    assert_eq!(granted(&by_pattern("Team-[A-Z]+"), &["Team-BLUE"]).len(), 1);
    let condition = rule("everyone = true\nwhen = '\"team-blue\" in groups'");
    assert_eq!(granted(&named(GroupNames::NfcCasefold, "", &condition).unwrap(), &["Team-BLUE"]).len(), 1);
    assert_eq!(granted(&named(GroupNames::Exact, "", &condition).unwrap(), &["Team-BLUE"]).len(), 0);
}

#[test]
fn a06_a_deny_by_pattern_denies_where_case_does_not_count() {
    let allow = rule("groups = [\"g\"]");
    for deny in [
        "group_pattern = 'Contractor-.*'",
        "group_pattern = 'frozen-(?<account>.+)'\naccounts = [\"${account}\"]",
        "group_pattern = 'without-(?<role>.+)'\nroles = [\"${role}\"]",
    ] {
        let rules = format!("{allow}[[rule]]\nid = \"d\"\neffect = \"deny\"\n{deny}\n");
        for names in [GroupNames::Exact, GroupNames::Nfc, GroupNames::NfcCasefold] {
            let policy = named(names, "", &rules).unwrap();
            for group in ["Contractor-x", "frozen-Staging", "without-Dev"] {
                let hit = deny.contains(&format!("'{}", &group[..5]));
                assert_eq!(granted(&policy, &["g", group]).len(), usize::from(!hit), "{names:?} {deny} {group}");
            }
        }
    }
}

#[test]
fn a_test_may_name_groups_by_alias() {
    let policy = named(GroupNames::Exact, "admins = \"00g1\"", &rule("groups = [\"admins\"]")).unwrap();
    let settings: TestSettings = toml::from_str("groups = [\"admins\"]\nexpect = [\"Staging/Dev\"]").unwrap();
    let provider: crate::identity::ProviderSettings =
        toml::from_str("id = \"okta\"\nname = \"Okta\"\nissuer = \"https://okta.example\"\nclient_id = \"c\"").unwrap();
    let readings = [("okta".parse().unwrap(), crate::identity::Reading::from(&provider))];
    assert_eq!(run_tests(&policy, &readings, std::slice::from_ref(&settings)), []);
    let nobody = TestSettings { groups: vec!["others".into()], ..settings };
    assert_eq!(run_tests(&policy, &readings, &[nobody]).len(), 1);
}

#[test]
fn an_explanation_names_what_all_and_none_want() {
    let policy = compile(&rule("groups = [\"x\"]\ngroups_all = [\"a\", \"b\"]\ngroups_none = [\"n\"]")).unwrap();
    let role = policy.role_named("Staging/Dev").unwrap();
    let context = Context { now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(), ip: None };
    for (groups, missing) in [
        (&["x", "a", "b"][..], ""),
        (&["x", "a"], "the group b"),
        (&["x", "a", "b", "n"], "not being in the group n"),
        (&["n"], "the group x; the group a; the group b; not being in the group n"),
    ] {
        let explanation = policy.explain(&Person::from(&Identity::for_tests("u1", groups)), &context, &role);
        let words = explanation.missed.iter().flat_map(|miss| &miss.missing).map(ToString::to_string).collect::<Vec<_>>().join("; ");
        assert_eq!(words, missing, "{groups:?}");
        assert_eq!(explanation.granted.is_some(), missing.is_empty(), "{groups:?}");
    }
}
