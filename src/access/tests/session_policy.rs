//! What limits a session below its role.

use super::*;
use crate::arn::ManagedPolicyArn;

const READ: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [{ "Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*" }]
}"#;

fn rule(id: &str, group: &str, keys: &str) -> String {
    format!("[[rule]]\nid = \"{id}\"\ngroups = [\"{group}\"]\naccounts = [\"Production\"]\nroles = [\"Dev\"]\n{keys}\n")
}

/// The policy with these files beside it.
fn with_files(files: &[(&str, &str)], rules: &str) -> Result<Policy, Vec<Problem>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let file: File = toml::from_str(&format!("{ACCOUNTS}\n{rules}")).unwrap();
    let policies = read_policies(&file.rule, folder.path());
    let groups = GroupSettings::default();
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

fn chosen(policy: &Policy, groups: &[&str]) -> Result<AssumeRequest, Denied> {
    let context = Context { now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(), ip: None };
    let wish = wish("arn:aws:iam::111122223333:role/Dev");
    policy.entitlements(&Identity::for_tests("u1", groups), &context).choose(&wish)
}

#[test]
fn a_policy_travels_without_its_blanks_and_managed_ones_beside_it() {
    let keys = "session_policy = \"read.json\"\npolicy_arns = [\"arn:aws:iam::aws:policy/ReadOnlyAccess\", \"arn:aws:iam::111122223333:policy/P\"]";
    let policy = with_files(&[("read.json", READ)], &rule("r", "g", keys)).unwrap();
    let request = chosen(&policy, &["g"]).unwrap();
    let limit = request.session_policy().unwrap();
    let expected = r#"{"Statement":[{"Action":["s3:Get*","s3:List*"],"Effect":"Allow","Resource":"*"}],"Version":"2012-10-17"}"#;
    assert_eq!(limit.document.as_deref(), Some(expected));
    let arns: Vec<_> = limit.arns.iter().map(ManagedPolicyArn::as_str).collect();
    assert_eq!(arns, ["arn:aws:iam::111122223333:policy/P", "arn:aws:iam::aws:policy/ReadOnlyAccess"]);
    assert_eq!(chosen(&with_files(&[], &rule("r", "g", "")).unwrap(), &["g"]).unwrap().session_policy(), None);
}

#[test]
fn session_policies_of_two_rules_are_never_united() {
    let arn = |name: &str| format!("policy_arns = [\"arn:aws:iam::aws:policy/{name}\"]");
    let rules = [
        rule("free", "free", ""),
        rule("one", "one", &arn("ReadOnlyAccess")),
        rule("same", "same", &arn("ReadOnlyAccess")),
        rule("other", "other", &arn("Billing")),
        rule("inline", "inline", "session_policy = \"read.json\""),
    ];
    let policy = with_files(&[("read.json", READ)], &rules.concat()).unwrap();
    let limits = |groups: &[&str]| chosen(&policy, groups).map(|request| request.session_policy().map_or(0, |limit| limit.arns.len()));
    assert_eq!(limits(&["free"]), Ok(0));
    assert_eq!(limits(&["free", "one"]), Ok(1), "the narrower limit wins");
    assert_eq!(limits(&["one", "free"]), Ok(1), "in any order");
    assert_eq!(limits(&["one", "same"]), Ok(1));
    let contradiction = Err(Denied::Contradiction("session policy".into()));
    assert_eq!(limits(&["one", "other"]), contradiction);
    assert_eq!(limits(&["one", "inline"]), contradiction);
    assert_eq!(limits(&["other", "free", "inline"]), contradiction);
}

#[test]
fn what_no_session_policy_can_be_is_a_finding() {
    let statement = |text: &str| format!("{{\"Version\": \"2012-10-17\", \"Statement\": {text}}}");
    let long = statement(&format!("[{{\"Effect\":\"Allow\",\"Action\":\"{}\",\"Resource\":\"*\"}}]", "a".repeat(2000)));
    let blanks = READ.replace('\n', &"\n".repeat(4000));
    assert!(with_files(&[("p", &blanks)], &rule("r", "g", "session_policy = \"p\"")).is_ok(), "blanks do not count");
    for (text, words) in [
        ("[]", "not one JSON object"),
        ("{\"Version\": \"2012-10-17\", \"Version\": \"2012-10-17\"}", "repeats a member"),
        ("{\"Statement\": []}", "no `Version`"),
        (&statement("[]"), "no `Statement`"),
        (&statement("[1]"), "statement 1 of the policy is no object"),
        (&statement("{\"Action\": \"*\", \"Resource\": \"*\"}"), "no `Effect`"),
        (&statement("{\"Effect\": \"Allow\", \"Resource\": \"*\"}"), "`NotAction`"),
        (&statement("{\"Effect\": \"Allow\", \"Action\": \"*\"}"), "`NotResource`"),
        (&statement("{\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\", \"Principal\": \"*\"}"), "`Principal`"),
        (&statement("{\"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"\u{20ac}\"}"), "up to U+00FF"),
        (&long, "AWS takes 2048"),
    ] {
        let problems = with_files(&[("p", text)], &rule("r", "g", "session_policy = \"p\"")).unwrap_err();
        assert_eq!(problems[0].path, "rule[0].session_policy");
        assert!(problems[0].message.contains(words), "no `{words}` in {problems:?}");
    }
    for file in ["missing", "/dev/zero"] {
        let problems = with_files(&[], &rule("r", "g", &format!("session_policy = \"{file}\""))).unwrap_err();
        assert!(problems[0].message.contains("cannot be read"), "{problems:?}");
    }
}

#[test]
fn managed_policies_are_of_the_roles_account_or_awss_own() {
    let arns = |list: &str| rule("r", "g", &format!("policy_arns = [{list}]"));
    refused(&arns("\"ReadOnlyAccess\""), "rule[0].policy_arns[0]", "not a managed policy");
    refused(&arns("\"arn:aws:iam::444455556666:policy/P\""), "rule[0].policy_arns", "another account");
    refused(&arns("\"arn:aws-cn:iam::aws:policy/P\""), "rule[0].policy_arns", "another account or partition");
    let eleven: Vec<_> = (0..11).map(|n| format!("\"arn:aws:iam::aws:policy/P{n}\"")).collect();
    refused(&arns(&eleven.join(",")), "rule[0].policy_arns", "10 managed policies");
    refused("[[rule]]\nid = \"d\"\neffect = \"deny\"\neveryone = true\npolicy_arns = [\"x\"]", "rule[0]", "grants no session");
    // What a capture builds is known at the click only.
    let captured = "[[rule]]\nid = \"c\"\ngroup_pattern = 'in-(?<account>[0-9]+)'\naccounts = [\"${account}\"]\nroles = [\"Dev\"]\n\
        policy_arns = [\"arn:aws:iam::444455556666:policy/P\"]\n";
    let policy = compile(captured).unwrap();
    let why = "a session policy of another account or partition".into();
    assert_eq!(chosen(&policy, &["in-111122223333"]).unwrap_err(), Denied::Contradiction(why));
    let there =
        policy.granted(&Person::from(&Identity::for_tests("u", &["in-444455556666"])), &Context { now: Moment::default(), ip: None });
    assert_eq!(there[0].obstacle, None);
}

#[test]
fn what_has_a_limit_never_goes_past_it_into_the_console() {
    let limit = "operation = \"saml\"\npolicy_arns = [\"arn:aws:iam::aws:policy/ReadOnlyAccess\"]";
    let console = |rules: &str, groups: &[&str]| chosen(&compile(rules).unwrap(), groups).map(|request| request.console());
    assert_eq!(console(&rule("r", "g", limit), &["g"]), Ok(ConsoleWay::Federation), "the usual way for SAML takes no session policy");
    refused(&rule("r", "g", &format!("{limit}\nconsole = \"post\"")), "rule[0].console", "takes no session policy");
    let two = format!("{}{}", rule("r", "g", limit), rule("p", "h", "operation = \"saml\"\nconsole = \"post\""));
    assert_eq!(console(&two, &["h"]), Ok(ConsoleWay::Post));
    assert_eq!(console(&two, &["g", "h"]), Err(Denied::Contradiction("session policy and console".into())));
}

#[test]
fn the_digest_follows_the_file() {
    let digest = |text: &str| with_files(&[("p", text)], &rule("r", "g", "session_policy = \"p\"")).unwrap().digest().to_owned();
    assert_ne!(digest(READ), digest(&READ.replace("s3:List*", "s3:ListBucket")));
}
