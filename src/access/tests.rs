//! The rules' language, by example. Attack ids (A…) are those of docs/attacks.md.

mod chain;
mod elevation;
mod gateway_roles;
mod groups;
mod growing;
mod iam_user;
mod meter;
mod reason;
mod reuse;
mod session_policy;
mod step_up;

use std::time::Duration;

use chrono::DateTime;

use super::*;
use crate::identity::Identity;
use crate::settings::Problem;

const ACCOUNTS: &str = r#"
[[account]]
id = "111122223333"
name = "Production"
tags = { env = "prod" }

[[account]]
id = "444455556666"
name = "Staging"
tags = { env = "staging" }

[[account]]
id = "012345678901"
name = "Gov"
partition = "aws-us-gov"
"#;

#[derive(serde::Deserialize)]
struct File {
    #[serde(default)]
    account: Vec<AccountSettings>,
    #[serde(default)]
    rule: Vec<RuleSettings>,
    #[serde(default)]
    naming: NamingSettings,
}

fn compile(rules: &str) -> Result<Policy, Vec<Problem>> {
    let file: File = toml::from_str(&format!("{ACCOUNTS}\n{rules}")).unwrap();
    Policy::compile(&file.account, &file.rule, &file.naming, &["okta".parse().unwrap(), "entra".parse().unwrap()])
}

pub(super) fn entitled(rules: &str, groups: &[&str]) -> Entitlements {
    let context = Context { now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(), ip: None };
    compile(rules).unwrap().entitlements(&Identity::for_tests("u1", groups), &context)
}

fn roles(rules: &str, groups: &[&str]) -> Vec<String> {
    entitled(rules, groups).roles().iter().map(|entitlement| entitlement.target.to_string()).collect()
}

fn wish(role: &str) -> Wish {
    Wish { role: role.into(), duration: None, purpose: Purpose::Console, reason: None, mfa_code: None, break_glass: false }
}

/// Asserts that the rules have just this problem: at a key, with these words.
#[track_caller]
fn refused(rules: &str, path: &str, words: &str) {
    let problems = compile(rules).unwrap_err();
    assert!(problems.iter().any(|p| p.path == path && p.message.contains(words)), "no `{words}` at {path} in {problems:#?}");
}

const ADMINS: &str = r#"
[[rule]]
id = "admins"
groups = ["aws-admins"]
accounts = ["*"]
roles = ["Admin"]
max_session = "2h"
"#;

#[test]
fn a_group_gives_its_roles_in_the_selected_accounts() {
    assert_eq!(
        roles(ADMINS, &["aws-admins"]),
        ["arn:aws-us-gov:iam::012345678901:role/Admin", "arn:aws:iam::111122223333:role/Admin", "arn:aws:iam::444455556666:role/Admin"]
    );
    let by_tag = ADMINS.replace("[\"*\"]", "[\"tag:env=prod\", \"444455556666\"]");
    assert_eq!(roles(&by_tag, &["aws-admins"]), ["arn:aws:iam::111122223333:role/Admin", "arn:aws:iam::444455556666:role/Admin"]);
    let by_name = ADMINS.replace("[\"*\"]", "[\"Staging\"]");
    assert_eq!(roles(&by_name, &["aws-admins"]), ["arn:aws:iam::444455556666:role/Admin"]);
}

#[test]
fn a06_no_match_means_no_role_and_a_provider_can_be_demanded() {
    assert_eq!(roles(ADMINS, &[]).len(), 0);
    assert_eq!(roles(&format!("{ADMINS}providers = [\"okta\"]"), &["aws-admins"]).len(), 3);
    assert_eq!(roles(&format!("{ADMINS}providers = [\"entra\"]"), &["aws-admins"]).len(), 0);
}

#[test]
fn a07_group_names_are_compared_byte_for_byte() {
    assert_eq!(roles(ADMINS, &["aws-admins"]).len(), 3);
    for look_alike in ["AWS-admins", "aws-admins ", "aws-аdmins", "aws\u{2010}admins", "aws-admins\n"] {
        assert_eq!(roles(ADMINS, &[look_alike]).len(), 0, "{look_alike:?}");
    }
}

const CONVENTION: &str = r#"
[[rule]]
id = "convention"
group_pattern = 'aws-(?<account>\d{12})-(?<role>.+)'
roles = ["arn:aws:iam::${account}:role/${role}"]
"#;

#[test]
fn a_pattern_builds_roles_from_its_captures() {
    assert_eq!(roles(CONVENTION, &["aws-111122223333-Dev", "other"]), ["arn:aws:iam::111122223333:role/Dev"]);
    let by_name = r#"
        [[rule]]
        id = "by-name"
        group_pattern = '(?<account>[A-Za-z]+)\.(?<role>[A-Za-z]+)'
        accounts = ["${account}"]
        roles = ["team/${role}"]
    "#;
    assert_eq!(roles(by_name, &["Staging.Dev", "Nowhere.Dev"]), ["arn:aws:iam::444455556666:role/team/Dev"]);
}

#[test]
fn a04_a_capture_cannot_build_what_the_rule_does_not_mean() {
    assert_eq!(roles(CONVENTION, &["aws-111122223333-Dev"]).len(), 1);
    for group in [
        "aws-999999999999-Dev",
        "aws-012345678901-Dev",
        "aws-111122223333-path/Dev",
        "aws-111122223333-*",
        "aws-111122223333-Dev\n",
        "aws-١١١١٢٢٢٢٣٣٣٣-Dev",
        "x-aws-111122223333-Dev",
        "aws-111122223333-",
        "aws-111122223333-a:b",
        "aws-111122223333-ünï",
    ] {
        assert_eq!(roles(CONVENTION, &[group]).len(), 0, "{group:?}");
    }
    let long = format!("aws-111122223333-{}", "x".repeat(65));
    assert_eq!(roles(CONVENTION, &[&long]).len(), 0);
}

#[test]
fn a04_a_pattern_cannot_slip_out_of_its_anchors() {
    let alternation = CONVENTION.replace(r"aws-(?<account>\d{12})-(?<role>.+)", "(?<account>111122223333)x(?<role>a)|evil");
    assert_eq!(roles(&alternation, &["evil-suffix"]).len(), 0);
    refused(&CONVENTION.replace("-(?<role>.+)", "-(?<role>.+))|(.*"), "rule[0].group_pattern", "cannot be read");
    refused(&CONVENTION.replace("-(?<role>.+)", "-(?<role>(?x).+ #)"), "rule[0].group_pattern", "cannot be read");
}

#[test]
fn a06_deny_wins_whatever_the_order() {
    let deny = r#"
        [[rule]]
        id = "never"
        effect = "deny"
        groups = ["contractors"]
        accounts = ["Production"]
    "#;
    for rules in [format!("{ADMINS}{deny}"), format!("{deny}{ADMINS}")] {
        assert_eq!(
            roles(&rules, &["contractors", "aws-admins"]),
            ["arn:aws-us-gov:iam::012345678901:role/Admin", "arn:aws:iam::444455556666:role/Admin"]
        );
        assert_eq!(roles(&rules, &["aws-admins"]).len(), 3, "the sibling without the denied group");
    }
    let all = "[[rule]]\nid = \"all\"\neffect = \"deny\"\neveryone = true\n";
    assert_eq!(roles(&format!("{ADMINS}{all}"), &["aws-admins"]).len(), 0);
}

#[test]
fn a06_a_deny_that_cannot_be_evaluated_takes_everything() {
    let deny = "[[rule]]\nid = \"d\"\neffect = \"deny\"\ngroup_pattern = 'no-(?<account>.+)'\naccounts = [\"${account}\"]\n";
    let rules = format!("{ADMINS}{deny}");
    assert_eq!(roles(&rules, &["aws-admins", "no-Staging"]).len(), 2);
    assert_eq!(roles(&rules, &["aws-admins", "no-Stag ing"]).len(), 0);
    let long = format!("no-{}", "x".repeat(300));
    assert_eq!(roles(&rules, &["aws-admins", &long]).len(), 0);
}

#[test]
fn several_rules_combine_to_the_narrower_limit() {
    let rules = format!("{ADMINS}{}", ADMINS.replace("\"admins\"", "\"short\"").replace("aws-admins", "g").replace("2h", "30m"));
    let both = entitled(&rules, &["aws-admins", "g"]);
    assert_eq!(both.roles()[0].max_session, Duration::from_mins(30));
    assert_eq!(both.roles()[0].evidence.len(), 2);
    assert_eq!(entitled(&rules, &["aws-admins"]).roles()[0].max_session, Duration::from_hours(2));
}

#[test]
fn a05_only_what_rules_grant_can_be_chosen() {
    let mine = entitled(ADMINS, &["aws-admins"]);
    let request = mine.choose(&wish("arn:aws:iam::111122223333:role/Admin")).unwrap();
    assert_eq!(request.duration(), Duration::from_hours(1));
    assert_eq!(request.session_name(), "ana@example.org");
    assert_eq!(request.source_identity(), Some("okta+u1"));
    assert_eq!(request.evidence()[0].rule.as_ref(), "admins");
    assert_eq!(request.policy(), mine.policy());
    for tampered in ["arn:aws:iam::111122223333:role/Root", "arn:aws:iam::111122223333:role/admin", "Admin", ""] {
        assert_eq!(mine.choose(&wish(tampered)).unwrap_err(), Denied::NotGranted, "{tampered}");
    }
}

#[test]
fn a_session_length_outside_the_limits_is_refused_not_clipped() {
    let mine = entitled(ADMINS, &["aws-admins"]);
    let ask = |seconds| mine.choose(&Wish { duration: Some(Duration::from_secs(seconds)), ..wish("arn:aws:iam::111122223333:role/Admin") });
    assert_eq!(ask(7200).unwrap().duration(), Duration::from_hours(2));
    assert_eq!(ask(899).unwrap_err(), Denied::Duration(Duration::from_hours(2)));
    assert_eq!(ask(7201).unwrap_err(), Denied::Duration(Duration::from_hours(2)));
}

const TAGGED: &str = r#"
[[rule]]
id = "tagged"
groups = ["g"]
accounts = ["Staging"]
roles = ["Dev"]
tags = { CostCenter = "${claims.cost_center}", Who = "${provider}/${username}" }
transitive_tags = ["CostCenter"]
"#;

#[test]
fn session_tags_come_from_claims_that_a_rule_names() {
    let request = entitled(TAGGED, &["g"]).choose(&wish("arn:aws:iam::444455556666:role/Dev")).unwrap();
    assert_eq!(
        request.tags(),
        [
            SessionTag { key: "CostCenter".into(), value: "4711".into(), transitive: true },
            SessionTag { key: "Who".into(), value: "okta/ana@example.org".into(), transitive: false }
        ]
    );
}

#[test]
fn a03_a_tag_has_one_clean_value_or_the_role_is_not_handed_out() {
    let dev = wish("arn:aws:iam::444455556666:role/Dev");
    for (claim, reason) in [("list", Denied::MissingClaim("list".into())), ("absent", Denied::MissingClaim("absent".into()))] {
        let rules = TAGGED.replace("claims.cost_center", &format!("claims.{claim}"));
        assert_eq!(entitled(&rules, &["g"]).choose(&dev).unwrap_err(), reason);
        let lenient = format!("{rules}carry_tags = \"if-allowed\"");
        assert_eq!(entitled(&lenient, &["g"]).choose(&dev).unwrap().tags().len(), 1);
    }
    let rules = TAGGED.replace("${claims.cost_center}", "a;b ${username}");
    assert_eq!(entitled(&rules, &["g"]).choose(&dev).unwrap_err(), Denied::TagValue("CostCenter".into()));
    refused(&TAGGED.replace("Who =", "COSTCENTER ="), "rule[0].tags.CostCenter", "only in case");
    refused(&TAGGED.replace("Who =", "\"aws:who\" ="), "rule[0].tags.aws:who", "not a key");
}

#[test]
fn rules_that_contradict_each_other_are_an_obstacle_not_a_choice() {
    let other = TAGGED.replace("\"tagged\"", "\"other\"").replace("${provider}/", "").replace("[\"g\"]", "[\"h\"]");
    let rules = format!("{TAGGED}{other}");
    let dev = wish("arn:aws:iam::444455556666:role/Dev");
    assert!(entitled(&rules, &["g"]).choose(&dev).is_ok());
    assert_eq!(entitled(&rules, &["g", "h"]).choose(&dev).unwrap_err(), Denied::Contradiction("tag Who".into()));
}

#[test]
fn the_way_into_the_console_follows_from_the_operation_unless_a_rule_says_otherwise() {
    let way = |keys: &str| {
        let entitled = entitled(&format!("{ADMINS}\n{keys}"), &["aws-admins"]);
        entitled.choose(&wish("arn:aws:iam::111122223333:role/Admin")).map(|request| (request.operation(), request.console()))
    };
    assert_eq!(way(""), Ok((Operation::WebIdentity, ConsoleWay::Federation)));
    assert_eq!(way("operation = 'saml'"), Ok((Operation::Saml, ConsoleWay::Post)));
    assert_eq!(way("operation = 'saml'\nconsole = 'federation'"), Ok((Operation::Saml, ConsoleWay::Federation)));
    // What a browser posts could buy credentials.
    let console_alone = |keys: &str| entitled(&format!("{ADMINS}\npurposes = ['console']\n{keys}"), &["aws-admins"]);
    assert_eq!(console_alone("operation = 'saml'").roles()[0].console, ConsoleWay::Federation);
    let posted = console_alone("operation = 'saml'\nconsole = 'post'").roles()[0].obstacle.clone();
    assert_eq!(posted, Some(Denied::Contradiction("purposes and console".into())));
    let second = ADMINS.replace("id = \"admins\"", "id = \"more\"");
    let other = |keys: &str| way(&format!("operation = 'saml'\nconsole = 'federation'\n{second}\n{keys}"));
    assert_eq!(other(""), Ok((Operation::Saml, ConsoleWay::Federation)));
    assert_eq!(other("operation = 'saml'\nconsole = 'post'"), Err(Denied::Contradiction("console".into())));
    assert_eq!(other("operation = 'web_identity'"), Err(Denied::Contradiction("operation".into())));
    refused(&format!("{ADMINS}\nconsole = 'post'"), "rule[0].console", "only a SAML response");
    refused("[[rule]]\nid = 'd'\neffect = 'deny'\neveryone = true\nconsole = 'post'", "rule[0]", "grants no session");
}

#[test]
fn an_account_has_its_own_saml_provider_in_its_own_account_and_partition() {
    let compiled = |keys: &str| {
        let text = format!("[[account]]\nid = '111122223333'\nname = 'Production'\n{keys}");
        let file: File = toml::from_str(&text).unwrap();
        Policy::compile(&file.account, &[], &file.naming, &[])
    };
    for text in ["Other", "arn:aws:iam::111122223333:saml-provider/Other"] {
        let policy = compiled(&format!("saml_provider = '{text}'\nsaml_acs_id = 'SAMLX1'")).unwrap();
        let account = policy.account("Production").unwrap();
        assert_eq!(account.saml_provider.as_ref().unwrap().as_str(), "arn:aws:iam::111122223333:saml-provider/Other");
        assert_eq!(account.saml_acs_id.as_deref(), Some("SAMLX1"));
    }
    for (keys, path) in [
        ("saml_provider = 'a/b'", "account[0].saml_provider"),
        ("saml_provider = 'arn:aws:iam::444455556666:saml-provider/Other'", "account[0].saml_provider"),
        ("saml_provider = 'arn:aws-cn:iam::111122223333:saml-provider/Other'", "account[0].saml_provider"),
        ("saml_acs_id = 'a/../b'", "account[0].saml_acs_id"),
        ("saml_acs_id = ''", "account[0].saml_acs_id"),
    ] {
        assert_eq!(compiled(keys).unwrap_err()[0].path, path, "{keys}");
    }
}

#[test]
fn what_is_sent_only_where_allowed_can_be_left_out() {
    let dev = wish("arn:aws:iam::444455556666:role/Dev");
    let strict = entitled(TAGGED, &["g"]).choose(&dev).unwrap();
    assert!(strict.without_optional_attributes().is_none());
    let rules = format!("{TAGGED}carry_tags = \"if-allowed\"\ncarry_source_identity = \"off\"");
    let lenient = entitled(&rules, &["g"]).choose(&dev).unwrap();
    assert_eq!(lenient.source_identity(), None);
    assert_eq!(lenient.without_optional_attributes().unwrap().tags(), []);
}

#[test]
fn the_digest_follows_the_rules() {
    assert_eq!(compile(ADMINS).unwrap().digest(), compile(&format!("# a comment\n{ADMINS}")).unwrap().digest());
    assert_ne!(compile(ADMINS).unwrap().digest(), compile(TAGGED).unwrap().digest());
}

#[test]
fn a_rule_that_cannot_mean_anything_is_refused_with_its_place() {
    refused(&ADMINS.replace("groups = [\"aws-admins\"]", ""), "rule[0]", "matches nobody");
    refused(&ADMINS.replace("roles = [\"Admin\"]", ""), "rule[0]", "grants no role");
    refused(&ADMINS.replace("accounts = [\"*\"]", ""), "rule[0].roles", "without an account");
    refused(&ADMINS.replace("\"*\"", "\"Elsewhere\""), "rule[0].accounts[0]", "no account `Elsewhere`");
    refused(&ADMINS.replace("\"*\"", "\"tag:env=moon\""), "rule[0].accounts[0]", "no account has the tag");
    refused(&ADMINS.replace("\"Admin\"", "\"a b\""), "rule[0].roles[0]", "not a role's name");
    refused(&ADMINS.replace("\"Admin\"", "\"arn:aws:iam::012345678901:role/x\""), "rule[0].roles[0]", "no known account of its partition");
    refused(&ADMINS.replace("\"Admin\"", "\"${claims.role}\""), "rule[0].roles[0]", "only captures");
    refused(&ADMINS.replace("\"Admin\"", "\"${role}\""), "rule[0].roles[0]", "no capture `role`");
    refused(&ADMINS.replace("2h", "13h"), "rule[0].max_session", "15 minutes to 12 hours");
    refused(&format!("{ADMINS}{ADMINS}"), "rule[1].id", "two rules");
    refused(&format!("{ADMINS}providers = [\"moon\"]"), "rule[0].providers[0]", "no provider `moon`");
    refused(&format!("{ADMINS}effect = \"deny\""), "rule[0]", "grants no session");
    let deny = "[[rule]]\nid = \"d\"\neffect = \"deny\"\ngroups = [\"a\"]\n";
    assert!(compile(&format!("{deny}roles = [\"team/Admin\", \"arn:aws:iam::111122223333:role/x\"]")).is_ok());
    for name in ["*", "", "Ré", "arn:aws:iam::1:role/x"] {
        refused(&format!("{deny}roles = [\"{name}\"]"), "rule[0].roles[0]", "is not a role's name");
    }
    refused(&format!("{CONVENTION}groups = [\"x\"]"), "rule[0].roles[0]", "empty when the rule matches without");
    refused("[naming]\nsession_name = \"everyone\"", "naming.session_name", "does not name a person");
}

/// The roles that somebody with a second factor, or without one, has at an address and a time.
fn under(rules: &str, groups: &[&str], mfa: bool, ip: &str, now: &str) -> Vec<Entitlement> {
    let mut who = Identity::for_tests("u1", groups);
    who.authentication.mfa = mfa;
    let now = DateTime::parse_from_rfc3339(now).unwrap().to_utc();
    compile(rules).unwrap().entitlements(&who, &Context { now, ip: Some(ip.parse().unwrap()) }).roles
}

const NOON: &str = "2026-07-15T12:00:00Z";

#[test]
fn a_condition_narrows_a_rule() {
    let rules = format!("{ADMINS}when = 'auth.mfa && request.ip.within(\"10.0.0.0/8\")'");
    assert_eq!(under(&rules, &["aws-admins"], true, "10.1.1.1", NOON).len(), 3);
    assert_eq!(under(&rules, &["aws-admins"], false, "10.1.1.1", NOON).len(), 0);
    assert_eq!(under(&rules, &["aws-admins"], true, "11.1.1.1", NOON).len(), 0);
    assert_eq!(under(&rules, &["others"], true, "10.1.1.1", NOON).len(), 0, "a condition replaces no group");
}

#[test]
fn a_condition_can_be_about_each_account() {
    let rules = format!("{ADMINS}when = 'auth.mfa || account.tags.env != \"prod\"'");
    let names = |mfa| under(&rules, &["aws-admins"], mfa, "10.1.1.1", NOON).into_iter().map(|e| e.account.name.clone()).collect::<Vec<_>>();
    // Gov has no tag `env`: what cannot be evaluated gives nothing, though a second factor settles it before the tag is asked for.
    assert_eq!(names(false), ["Staging"]);
    assert_eq!(names(true), ["Gov", "Production", "Staging"]);
}

#[test]
fn a06_a_condition_that_fails_gives_nothing_and_takes_all() {
    let allow = format!("{ADMINS}when = 'claims.level > 3'");
    let entitled = entitled(&allow, &["aws-admins"]);
    assert!(entitled.roles().is_empty());
    assert_eq!(entitled.faults().len(), 1, "each fault once, however many roles");
    assert_eq!(entitled.faults()[0].why.to_string(), "there is no `level`");
    let deny = "[[rule]]\nid = \"d\"\neffect = \"deny\"\neveryone = true\naccounts = [\"Production\"]\n";
    let left = |when: &str| under(&format!("{ADMINS}{deny}when = '{when}'"), &["aws-admins"], false, "10.1.1.1", NOON).len();
    assert_eq!(left("claims.level > 3"), 2, "a deny that cannot be evaluated takes");
    assert_eq!(left("false"), 3);
    assert_eq!(left("!auth.mfa"), 2);
}

#[test]
fn a_rule_gives_for_its_purposes_and_a_deny_takes_for_its_own() {
    let of = |rules: &str| {
        let roles = under(rules, &["aws-admins"], false, "10.1.1.1", NOON);
        let purposes = roles[0].purposes;
        (purposes.has(Purpose::Console), purposes.has(Purpose::Credentials))
    };
    assert_eq!(of(ADMINS), (true, true));
    let console = format!("{ADMINS}purposes = [\"console\"]");
    assert_eq!(of(&console), (true, false));
    assert_eq!(of(&format!("{ADMINS}when = 'request.purpose == \"credentials\"'")), (false, true));
    let deny = "[[rule]]\nid = \"d\"\neffect = \"deny\"\neveryone = true\npurposes = [\"console\"]\n";
    assert_eq!(of(&format!("{ADMINS}{deny}")), (false, true));
    assert!(under(&format!("{console}\n{deny}"), &["aws-admins"], false, "10.1.1.1", NOON).is_empty(), "nothing is left of it");
    let role = "arn:aws:iam::111122223333:role/Admin";
    let wish = |purpose| Wish { role: role.into(), duration: None, purpose, reason: None, mfa_code: None, break_glass: false };
    let entitled = entitled(&console, &["aws-admins"]);
    assert!(entitled.choose(&wish(Purpose::Console)).is_ok());
    assert_eq!(entitled.choose(&wish(Purpose::Credentials)).unwrap_err(), Denied::Purpose(Purpose::Credentials));
}

#[test]
fn a_rule_runs_out_and_a_deny_does_not() {
    let rules = format!("{ADMINS}until = \"2026-07-15T12:00:00Z\"");
    assert_eq!(under(&rules, &["aws-admins"], false, "10.1.1.1", "2026-07-15T11:59:59Z").len(), 3);
    assert_eq!(under(&rules, &["aws-admins"], false, "10.1.1.1", NOON).len(), 0);
    refused(
        "[[rule]]\nid = \"d\"\neffect = \"deny\"\neveryone = true\nuntil = \"2026-07-15T12:00:00Z\"",
        "rule[0].until",
        "does not run out",
    );
}

#[test]
fn a_bad_condition_is_a_problem_with_its_column() {
    refused(&format!("{ADMINS}when = 'auth.mfa && auth.agee < duration(\"1h\")'"), "rule[0].when", "column 17 of the condition");
}

#[test]
fn an_explanation_agrees_with_the_decision() {
    let rules = format!("{ADMINS}when = 'auth.mfa'\nuntil = \"2026-07-15T12:00:00Z\"");
    let policy = compile(&rules).unwrap();
    let role = policy.role_named("Staging/Admin").unwrap();
    for (group, mfa, now, missing) in [
        ("aws-admins", true, "2026-07-15T11:00:00Z", 0),
        ("aws-admins", false, "2026-07-15T11:00:00Z", 1),
        ("others", true, "2026-07-15T11:00:00Z", 1),
        ("others", false, NOON, 3),
    ] {
        let mut who = Identity::for_tests("u1", &[group]);
        who.authentication.mfa = mfa;
        let context = Context { now: DateTime::parse_from_rfc3339(now).unwrap().to_utc(), ip: None };
        let explanation = policy.explain(&Person::from(&who), &context, &role);
        let granted = policy.granted(&Person::from(&who), &context).iter().any(|entitlement| entitlement.target == role);
        assert_eq!(explanation.granted.is_some(), granted);
        assert_eq!(granted, missing == 0);
        assert_eq!(explanation.missed.iter().map(|miss| miss.missing.len()).sum::<usize>(), missing, "{explanation:?}");
    }
}
