//! What is granted with an IAM user's keys: sessions without a role, and the user's own.

use secrecy::SecretString;

use super::*;

const USERS: &str = r#"
[[iam_user]]
id = "broker"
account = "Production"
access_key_id = "AKIABROKER0000000000"
secret_access_key = { env = "BROKER" }

[[iam_user]]
id = "ana"
account = "012345678901"
access_key_id = "AKIAANA0000000000000"
secret_access_key = { env = "ANA" }
mfa_serial = "arn:aws-us-gov:iam::012345678901:mfa/ana"
"#;

#[derive(serde::Deserialize)]
struct WithUsers {
    iam_user: Vec<IamUserSettings>,
}

fn compile(users: &str, rules: &str) -> Result<Policy, Vec<Problem>> {
    let file: File = toml::from_str(&format!("{ACCOUNTS}\n{rules}")).unwrap();
    let users: WithUsers = toml::from_str(users).unwrap();
    let (groups, policies) = (GroupSettings::default(), PolicyFiles::default());
    let (accounts, iam_users) = (&file.account, &users.iam_user);
    let sources =
        Sources { accounts, accounts_may_grow: false, iam_users, rules: &file.rule, naming: &file.naming, groups, policies: &policies };
    Policy::of(&sources, &["okta".parse().unwrap()])
}

fn rule(id: &str, keys: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\ngroups = [\"g\"]\n{keys}\n")
}

const LIMIT: &str = "policy_arns = [\"arn:aws:iam::aws:policy/ReadOnlyAccess\"]\n";

fn federated(keys: &str) -> String {
    rule("f", &format!("operation = \"federation_token\"\niam_user = \"broker\"\nfederated = \"billing-reader\"\n{LIMIT}{keys}"))
}

fn own(keys: &str) -> String {
    rule("o", &format!("operation = \"session_token\"\niam_user = \"ana\"\n{keys}"))
}

fn entitled(rules: &str, who: &Identity) -> Entitlements {
    let context = Context { now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(), ip: None };
    compile(USERS, rules).unwrap().entitlements(who, &context)
}

const BILLING: &str = "federated:aws:111122223333:billing-reader";
const ANA: &str = "iam-user:aws-us-gov:012345678901:ana";

#[test]
fn a_federated_session_has_a_short_name_tags_and_always_a_limit() {
    let who = Identity::for_tests("u1", &["g"]);
    let entitlements = entitled(&federated("max_session = \"36h\"\ntags = { Team = \"blue\" }"), &who);
    let [only] = entitlements.roles() else { panic!("{entitlements:?}") };
    assert_eq!((only.target.as_str(), only.target.title(), only.account.name.as_str()), (BILLING, "billing-reader", "Production"));
    assert_eq!((only.operation, only.max_session, only.needs_mfa_code()), (Operation::FederationToken, LONGEST_USER_SESSION, false));
    let request = entitlements.choose(&Wish { duration: Some(LONGEST_USER_SESSION), ..wish(BILLING) }).unwrap();
    assert_eq!((request.role(), request.iam_user().unwrap().id.as_str()), (None, "broker"));
    assert_eq!((request.source_identity(), request.tags().len()), (None, 1), "AWS has no source identity for it");
    assert!(request.session_policy().is_some() && request.first_hop().is_none());
    assert_eq!(request.session_name(), "ana@example.org");
    // Thirty-two characters are room for fewer names as they are; the others stay apart.
    let named = |username: &str| {
        let mut who = Identity::for_tests("u1", &["g"]);
        who.username = username.to_owned();
        entitled(&federated(""), &who).choose(&wish(BILLING)).unwrap().session_name().to_owned()
    };
    let (one, other) = (named("a.very.long.name.of.somebody@example.org"), named("a.very.long.name.of.somebody@example.com"));
    assert!(one != other && one.len() <= 32 && other.len() <= 32, "{one} {other}");
}

#[test]
fn a_users_own_session_wants_a_code_and_enters_no_console() {
    let who = Identity::for_tests("u1", &["g"]);
    let entitlements = entitled(&own(""), &who);
    let [only] = entitlements.roles() else { panic!("{entitlements:?}") };
    assert_eq!((only.target.as_str(), only.operation, only.needs_mfa_code()), (ANA, Operation::SessionToken, true));
    assert_eq!(only.purposes.list(), [Purpose::Credentials]);
    let ask = |purpose, code: Option<&str>| entitlements.choose(&Wish { purpose, mfa_code: code.map(SecretString::from), ..wish(ANA) });
    assert_eq!(ask(Purpose::Console, Some("998877")).unwrap_err(), Denied::Purpose(Purpose::Console));
    for bad in [None, Some(""), Some("12345"), Some("1234567"), Some("12345a"), Some("١٢٣٤٥٦")] {
        assert_eq!(ask(Purpose::Credentials, bad).unwrap_err(), Denied::MfaCode, "{bad:?}");
    }
    let request = ask(Purpose::Credentials, Some(" 998 877\n")).unwrap();
    assert_eq!(request.mfa_code().unwrap().expose(), "998877");
    assert!(!format!("{request:?}").contains("998877"), "a code prints nothing");
    assert!(request.tags().is_empty() && request.source_identity().is_none() && request.session_policy().is_none());
}

#[test]
fn a06_a_deny_takes_what_is_no_role_as_well() {
    let who = Identity::for_tests("u1", &["g"]);
    let both = federated("") + &own("");
    let left = |deny: &str| {
        let rules = format!("{both}{}", rule("d", &format!("effect = \"deny\"\n{deny}")));
        entitled(&rules, &who).roles().iter().map(|entitlement| entitlement.target.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(left("accounts = [\"Staging\"]").len(), 2);
    assert_eq!(left("accounts = [\"Production\"]"), [ANA]);
    assert_eq!(left(""), Vec::<String>::new(), "everything");
    assert_eq!(left("roles = [\"federated:billing-reader\"]"), [ANA]);
    assert_eq!(left(&format!("roles = [\"{ANA}\"]")), [BILLING]);
    assert_eq!(left("roles = [\"billing-reader\"]").len(), 2, "a role of that name is another thing");
    assert_eq!(left("when = 'role.name == \"iam-user:ana\"'"), [BILLING]);
}

#[test]
fn they_are_tested_and_explained_by_their_names() {
    let policy = compile(USERS, &(federated("") + &own(""))).unwrap();
    for (name, text) in [("Production/federated:billing-reader", BILLING), (BILLING, BILLING), ("Gov/iam-user:ana", ANA)] {
        assert_eq!(policy.role_named(name).unwrap().as_str(), text);
    }
    assert!(policy.role_named("Production/federated:a b").is_err());
    assert!(policy.role_named("federated:aws-cn:111122223333:billing-reader").is_err(), "another partition");
    let (who, context) = (Identity::for_tests("u1", &[]), Context { now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(), ip: None });
    let explained = policy.explain(&Person::from(&who), &context, &BILLING.parse().unwrap());
    assert_eq!((explained.granted.is_none(), explained.missed[0].rule.as_str()), (true, "f"));
}

#[track_caller]
fn refused(users: &str, rules: &str, path: &str, words: &str) {
    let problems = compile(users, rules).unwrap_err();
    assert!(problems.iter().any(|p| p.path == path && p.message.contains(words)), "no `{words}` at {path} in {problems:#?}");
}

#[test]
fn what_each_operation_cannot_do_is_refused_when_the_rules_are_checked() {
    let in_federated = |keys: &str, key: &str, words: &str| refused(USERS, &federated(keys), &format!("rule[0].{key}"), words);
    in_federated("roles = [\"Dev\"]", "roles", "reaches no role");
    in_federated("accounts = [\"*\"]", "accounts", "reaches no role");
    in_federated("max_session = \"37h\"", "max_session", "36 hours");
    in_federated("max_session = \"14m\"", "max_session", "36 hours");
    in_federated("tags = { Team = \"blue\" }\ntransitive_tags = [\"Team\"]", "transitive_tags", "no tag can stay");
    in_federated("carry_source_identity = \"required\"", "operation", "no source identity");
    in_federated("external_id = \"abc\"", "external_id", "only AssumeRole");
    in_federated("console = \"post\"", "console", "only a SAML response");
    let bare = federated("").replace(LIMIT, "");
    refused(USERS, &bare, "rule[0].operation", "without a session policy");
    refused(USERS, &federated("").replace("billing-reader", "a b"), "rule[0].federated", "needs a name");
    refused(USERS, &federated("").replace("federated = \"billing-reader\"\n", ""), "rule[0].operation", "needs a name");
    refused(USERS, &federated("").replace("\"broker\"", "\"nobody\""), "rule[0].iam_user", "no user `nobody`");
    refused(USERS, &federated("").replace("iam_user = \"broker\"\n", ""), "rule[0].operation", "keys of an IAM user");

    let in_own = |keys: &str, key: &str, words: &str| refused(USERS, &own(keys), &format!("rule[0].{key}"), words);
    in_own("purposes = [\"console\"]", "purposes", "no session of GetSessionToken into the console");
    in_own("purposes = [\"console\", \"credentials\"]", "purposes", "into the console");
    in_own("console = \"federation\"", "console", "into the console");
    in_own("policy_arns = [\"arn:aws:iam::aws:policy/ReadOnlyAccess\"]", "policy_arns", "no session policy");
    in_own("tags = { Team = \"blue\" }", "operation", "no tags");
    in_own("reason = { tag = \"Why\" }", "operation", "no tags");
    in_own("carry_source_identity = \"off\"", "operation", "no source identity");
    in_own("federated = \"x\"", "federated", "only GetFederationToken");
    in_own("via = \"arn:aws:iam::111122223333:role/Hub\"", "via", "by AssumeRole alone");
    refused(USERS, &own("").replace("\"ana\"", "\"broker\""), "rule[0].iam_user", "no MFA device");

    let role = |keys: &str| rule("r", &format!("accounts = [\"Production\"]\nroles = [\"Dev\"]\n{keys}"));
    refused(USERS, &role("iam_user = \"broker\""), "rule[0].iam_user", "no other operation");
    refused(USERS, &role("federated = \"x\""), "rule[0].federated", "only GetFederationToken");
    refused(USERS, &role("operation = \"assume_role\"\nmax_session = \"13h\""), "rule[0].max_session", "12 hours");
    refused(USERS, &rule("d", "effect = \"deny\"\nfederated = \"x\""), "rule[0]", "grants no session");
    refused(USERS, &rule("d", "effect = \"deny\"\nroles = [\"federated:a b\"]"), "rule[0].roles[0]", "not a role's name");
}

#[test]
fn users_that_aws_would_not_know_are_refused() {
    let change = |from: &str, to: &str| USERS.replacen(from, to, 1);
    for (from, to, key, words) in [
        ("\"broker\"", "\"a b\"", "iam_user[0].id", "good id"),
        ("\"Production\"", "\"Nowhere\"", "iam_user[0].account", "no account"),
        ("\"AKIABROKER0000000000\"", "\"ASIABROKER0000000000\"", "iam_user[0].access_key_id", "belongs to a session"),
        ("\"AKIABROKER0000000000\"", "\"akia\"", "iam_user[0].access_key_id", "no id of an access key"),
        ("012345678901:mfa", "111122223333:mfa", "iam_user[1].mfa_serial", "another account"),
        ("arn:aws-us-gov:iam::012345678901:mfa/ana", "short", "iam_user[1].mfa_serial", "serial number"),
    ] {
        let problems = compile(&change(from, to), "").unwrap_err();
        assert!(problems.iter().any(|p| p.path == key && p.message.contains(words)), "no `{words}` at {key} in {problems:#?}");
    }
    assert!(compile(&change("arn:aws-us-gov:iam::012345678901:mfa/ana", "GAHT12345678"), "").is_ok(), "a hardware device");
}

#[test]
fn two_rules_that_ask_by_different_users_contradict_each_other() {
    let users = USERS.to_owned() + USERS.replace("\"broker\"", "\"broker-2\"").split("[[iam_user]]\nid = \"ana\"").next().unwrap();
    let rules = federated("") + &federated("").replace("id = \"f\"", "id = \"f2\"").replace("\"broker\"", "\"broker-2\"");
    let context = Context { now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(), ip: None };
    let policy = compile(&users, &rules).unwrap();
    let denied = policy.entitlements(&Identity::for_tests("u1", &["g"]), &context).choose(&wish(BILLING)).unwrap_err();
    assert_eq!(denied, Denied::Contradiction("iam_user".into()));
}
