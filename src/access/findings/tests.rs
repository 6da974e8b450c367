use super::super::settings::{AccountSettings, NamingSettings};
use super::*;

const ACCOUNTS: &str = "[[account]]\nid = '111122223333'\nname = 'Production'\ntags = { env = 'prod' }\n\
    [[account]]\nid = '444455556666'\nname = 'Staging'\ntags = { env = 'dev' }\n";

#[derive(serde::Deserialize)]
struct File {
    account: Vec<AccountSettings>,
    rule: Vec<RuleSettings>,
}

/// What is found in rules, as `path: message`.
#[track_caller]
fn looks(rules: &str) -> Vec<String> {
    let file: File = toml::from_str(&format!("{ACCOUNTS}{rules}")).unwrap();
    let providers: Vec<ProviderId> = ["okta", "entra"].iter().map(|id| id.parse().unwrap()).collect();
    let policy = Policy::compile(&file.account, &file.rule, &NamingSettings::default(), &providers).unwrap();
    let looks = policy.second_looks(&file.rule, &providers, "2026-06-01T00:00:00Z".parse().unwrap());
    looks.into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
}

/// An allow for developers in all accounts, with more keys.
fn allow(more: &str) -> String {
    format!("[[rule]]\nid = 'a'\ngroups = ['dev', 'ops']\naccounts = ['*']\nroles = ['Developer']\n{more}\n")
}

fn deny(keys: &str) -> String {
    format!("[[rule]]\nid = 'd'\neffect = 'deny'\n{keys}\n")
}

#[track_caller]
fn is_found(rules: &str, path: &str, words: &str) {
    let found = looks(rules);
    assert!(found.len() == 1 && found[0].starts_with(&format!("{path}: ")) && found[0].contains(words), "{rules}\n{found:?}");
}

#[track_caller]
fn is_quiet(rules: &str) {
    assert_eq!(looks(rules), [""; 0], "{rules}");
}

#[test]
fn rules_that_can_never_hold_are_found() {
    is_found(&allow("until = '2026-05-31T00:00:00Z'"), "rule[0].until", "ran out on 2026-05-31");
    is_quiet(&allow("until = '2026-06-02T00:00:00Z'"));
    for when in [
        "provider == \"okat\"",
        "account.tags.env == \"staging\"",
        "account.tags.team == \"blue\"",
        "role.name == \"Develper\"",
        "account.name == \"Prodution\" || account.id == \"1\"",
        "now < timestamp(\"2025-01-01T00:00:00Z\")",
    ] {
        is_found(&allow(&format!("when = '{when}'")), "rule[0].when", "can never hold");
    }
    is_found(&allow("providers = ['okta']\nwhen = 'provider == \"entra\"'"), "rule[0].when", "can never hold");
    is_found(&allow("purposes = ['console']\nwhen = 'request.purpose == \"credentials\"'"), "rule[0].when", "can never hold");
    is_found(&format!("{}{}", allow(""), deny("everyone = true\nwhen = 'provider == \"okat\"'")), "rule[1].when", "can never hold");
    for when in ["provider == \"entra\"", "account.tags.env == \"dev\"", "claims.team == \"blue\"", "account.name == \"Staging\""] {
        is_quiet(&allow(&format!("when = '{when}'")));
    }
}

#[test]
fn an_allow_that_denies_take_away_as_a_whole_is_found() {
    for keys in [
        "everyone = true",
        "groups = ['ops', 'dev', 'more']",
        "everyone = true\naccounts = ['*']\nroles = ['Developer', 'Other']",
        "everyone = true\nroles = ['arn:aws:iam::111122223333:role/Developer', 'arn:aws:iam::444455556666:role/Developer']",
    ] {
        is_found(&format!("{}{}", allow(""), deny(keys)), "rule[0]", "taken away by `d`");
    }
    let other = deny("groups = ['ops']").replace("'d'", "'e'");
    is_found(&format!("{}{}{other}", allow(""), deny("groups = ['dev']")), "rule[0]", "taken away by `d` and `e`");
    let [production, staging] = ["Production", "Staging"].map(|name| deny(&format!("everyone = true\naccounts = ['{name}']")));
    is_found(&format!("{}{production}{}", allow(""), staging.replace("'d'", "'e'")), "rule[0]", "taken away by `d` and `e`");
    let many: String = (0..20).fold(String::new(), |many, number| many + &format!("'Role{number}', "));
    is_found(&format!("{}{}", allow(""), deny(&format!("everyone = true\nroles = [{many}'Developer']"))), "rule[0]", "`d`");
    is_quiet(&format!("{}{}", allow(""), deny(&format!("everyone = true\nroles = [{many}]"))));
    // The first of several that would do is named, however they are found.
    let first = deny("everyone = true").replace("'d'", "'c'");
    is_found(&format!("{}{first}{}", allow(""), deny("everyone = true\nroles = ['Developer']")), "rule[0]", "taken away by `c`");
    is_found(&format!("{}{}{first}", allow(""), deny("everyone = true\nroles = ['Developer']")), "rule[0]", "taken away by `d`");
    is_found(&format!("{}{}", allow("groups_all = ['staff']"), deny("groups = ['staff']")), "rule[0]", "`d`");
    is_found(&format!("{}{}", allow("when = 'auth.mfa'"), deny("everyone = true\nwhen = 'auth.mfa'")), "rule[0]", "`d`");
    is_found(&format!("{}{}", allow("providers = ['okta']"), deny("everyone = true\nproviders = ['okta']")), "rule[0]", "`d`");
    for keys in [
        "groups = ['dev']",
        "everyone = true\naccounts = ['Production']",
        "everyone = true\nroles = ['Admin']",
        "everyone = true\nproviders = ['okta']",
        "everyone = true\npurposes = ['console']",
        "everyone = true\nwhen = 'auth.mfa'",
        "everyone = true\ngroups_none = ['trusted']",
        "groups = ['dev', 'ops']\ngroups_all = ['contractors']",
        "group_pattern = '.*'",
    ] {
        is_quiet(&format!("{}{}", allow(""), deny(keys)));
    }
    let captured = "[[rule]]\nid = 'c'\ngroup_pattern = 'aws-(?<role>[a-z]+)'\naccounts = ['*']\nroles = ['${role}']\n";
    is_found(&format!("{captured}{}", deny("everyone = true")), "rule[0]", "`d`");
    is_quiet(&format!("{captured}{}", deny("everyone = true\nroles = ['admin']")));
}

#[test]
fn claims_that_people_can_edit_and_that_widen_a_grant_are_found() {
    for claim in EDITABLE_CLAIMS.iter().filter(|claim| **claim != "username") {
        let rule = allow(&format!("when = 'claims.{claim} == \"x\"'"));
        is_found(&rule, "rule[0].when", &format!("edit `{claim}` at their provider"));
        is_quiet(&format!("{rule}trusted_claims = ['{claim}']\n"));
        is_found(&allow(&format!("tags = {{ T = '${{claims.{claim}}}' }}")), "rule[0].tags.T", "ABAC");
    }
    is_found(&allow("when = 'username == \"ana\"'"), "rule[0].when", "`username`");
    is_found(&allow("tags = { T = '${username}' }"), "rule[0].tags.T", "`username`");
    is_found(&allow("tags = { T = '${claims./address/country}' }"), "rule[0].tags.T", "`address`");
    is_found(&format!("{}{}", allow(""), deny("everyone = true\nwhen = 'claims.locale != \"de\"'")), "rule[1].when", "get around the deny");
    is_found(&allow("when = 'claims.email.endsWith(\"@example.org\") || claims.email_verified'"), "rule[0].when", "`email`");
    is_quiet(&allow("when = 'claims.email.endsWith(\"@example.org\") && claims.email_verified'"));
    is_quiet(&allow("when = 'claims.cost_center == \"1\"'\ntags = { C = '${claims.cost_center}', S = '${subject}' }"));
    is_found(&allow("when = 'claims.name == \"x\"'\ntrusted_claims = ['email']"), "rule[0].when", "`name`");
}

#[test]
fn tags_that_aws_would_refuse_and_too_many_of_them_are_found() {
    is_found(&allow("tags = { T = 'a*b' }"), "rule[0].tags.T", "AWS does not take this value");
    is_found(&allow(&format!("tags = {{ T = '{}' }}", "x".repeat(257))), "rule[0].tags.T", "AWS does not take this value");
    let tags = |count: usize| (0..count).map(|n| format!("key{n:02} = '${{claims.number}}'")).collect::<Vec<_>>().join(", ");
    is_found(&allow(&format!("tags = {{ {} }}", tags(25))), "rule[0].tags", "about 92%");
    is_quiet(&allow(&format!("tags = {{ {} }}", tags(10))));
    let arns = |count: usize| (0..count).map(|n| format!("'arn:aws:iam::aws:policy/{n}{}'", "x".repeat(90))).collect::<Vec<_>>().join(", ");
    is_found(&allow(&format!("policy_arns = [{}]", arns(8))), "rule[0]", "the session policy may take");
    is_found(&allow(&format!("policy_arns = [{}]\ntags = {{ {} }}", arns(4), tags(12))), "rule[0]", "the session policy and the tags");
    is_quiet(&allow(&format!("policy_arns = [{}]", arns(4))));
}

#[test]
fn accounts_that_are_to_come_are_warned_of_where_they_may_and_errors_elsewhere() {
    let rules = "[[rule]]\nid = 'a'\ngroups = ['dev']\naccounts = ['Prodution', 'ou:/Nowhere', 'Staging']\n\
        roles = ['Developer', 'arn:aws:iam::999988887777:role/X']\n";
    let file: File = toml::from_str(&format!("{ACCOUNTS}{rules}")).unwrap();
    let (naming, policies) = (NamingSettings::default(), super::super::PolicyFiles::default());
    let compile = |accounts_may_grow| {
        let (accounts, rules, naming, groups) = (&file.account, &file.rule, &naming, super::super::GroupSettings::default());
        Policy::of(&super::super::Sources { accounts, accounts_may_grow, iam_users: &[], rules, naming, groups, policies: &policies }, &[])
    };
    let places = |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.path).collect::<Vec<_>>();
    let expected = ["rule[0].accounts[0]", "rule[0].accounts[1]", "rule[0].roles[1]"];
    assert_eq!(places(compile(false).unwrap_err()), expected);
    let policy = compile(true).unwrap();
    assert_eq!(places(policy.second_looks(&file.rule, &[], "2026-06-01T00:00:00Z".parse().unwrap())), expected);
}

#[test]
fn a_role_of_the_gateway_for_everybody_is_found() {
    let gateway = |role: &str, more: &str| format!("[[rule]]\nid = 'g'\ngateway = ['{role}']\n{more}\n");
    for role in ["administrator", "auditor"] {
        is_found(&gateway(role, "everyone = true"), "rule[0].everyone", &format!("everybody who can sign in becomes {role}"));
        is_found(&gateway(role, "everyone = true\nwhen = 'auth.mfa'"), "rule[0].everyone", role);
        is_found(&gateway(role, "everyone = true\ngroups_none = ['guests']"), "rule[0].everyone", role);
        is_quiet(&gateway(role, "groups = ['ops']"));
        is_quiet(&gateway(role, "everyone = true\ngroups_all = ['ops']"));
        is_quiet(&gateway(role, "everyone = true\nwhen = 'claims.team == \"audit\"'"));
        is_quiet(&gateway(role, "effect = 'deny'\neveryone = true"));
    }
}

#[test]
fn an_emergency_that_can_never_be_is_found() {
    let usual = |keys: &str| format!("[[rule]]\nid = 'u'\naccounts = ['Production']\nroles = ['Developer']\n{keys}\n");
    let emergency = |keys: &str| usual(&format!("break_glass = true\n{keys}")).replace("'u'", "'e'");
    let both = |one: &str, other: &str| [emergency(one), usual(other)].concat();
    let dev = "groups = ['dev']";
    for (one, other) in [
        (dev, dev),
        (dev, "groups = ['ops', 'dev']"),
        (dev, "everyone = true"),
        ("groups = ['dev']\nwhen = 'auth.mfa'", dev),
        ("groups = ['dev']\npurposes = ['console']", dev),
        ("groups = ['dev']\nrequire_mfa = true", "groups = ['dev']\nrequire_mfa = true"),
        ("groups = ['dev']\ngroups_none = ['guests']", dev),
        (dev, "groups = ['dev']\nreason = {}"),
    ] {
        is_found(&both(one, other), "rule[0].break_glass", "the rule u gives the same people");
    }
    for (one, other) in [
        (dev, "groups = ['dev']\nrequire_mfa = true"),
        (dev, "groups = ['dev']\nmax_auth_age = '1h'"),
        (dev, "groups = ['dev']\nreason = { pattern = 'OPS-[0-9]+' }"),
        (dev, "groups = ['dev']\nwhen = 'auth.mfa'"),
        (dev, "groups = ['dev']\npurposes = ['console']"),
        (dev, "groups = ['dev']\ngroups_none = ['guests']"),
        (dev, "groups = ['dev']\nproviders = ['okta']"),
        (dev, "groups = ['dev']\nuntil = '2027-06-02T00:00:00Z'"),
        (dev, "groups = ['dev']\nrequestable = { approvers = ['leads'] }"),
        ("groups = ['dev', 'ops']", dev),
        ("everyone = true", dev),
    ] {
        is_quiet(&both(one, other));
    }
    is_quiet(&both(dev, dev).replace("['Developer']\nbreak", "['Developer', 'Admin']\nbreak"));
}

#[test]
fn approvers_who_ask_themselves_are_found() {
    let asks = |approvers: &str| allow(&format!("requestable = {{ approvers = {approvers} }}"));
    is_found(&asks("['dev']"), "rule[0].requestable.approvers", "grant each other");
    is_found(&asks("['ops', 'dev']"), "rule[0].requestable.approvers", "grant each other");
    is_found(&asks("['leads', 'dev']"), "rule[0].requestable.approvers", "grant each other");
    let everyone = |approvers: &str| asks(approvers).replace("groups = ['dev', 'ops']", "everyone = true");
    is_found(&everyone("['leads']"), "rule[0].requestable.approvers", "grant each other");
    is_quiet(&asks("['leads']"));
}
