//! What ends a person's sessions, run as it is printed.

use std::os::unix::fs::symlink;
use std::process::Command;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::moto::iam;
use crate::support::{Moto, repository};
use crate::{ACCOUNT, CONFIG, rolegate, rolegate_with, text, told, world};

/// A trail with a living session of two people, and one of ana's that has ended.
fn trail() -> String {
    #[expect(clippy::disallowed_methods, reason = "the command asks the machine's clock, so its test must too")]
    let now = Utc::now();
    let event = |subject: &str, role: &str, ends: i64, more: Value| {
        let mut event = json!({ "time": now - TimeDelta::minutes(30), "incident": "i", "kind": "issue", "outcome": "ok",
            "person": { "provider": "okta", "subject": subject, "username": format!("{subject}@example.org") },
            "role": role, "session_name": format!("{subject}@example.org"), "expires": now + TimeDelta::minutes(ends) });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event.to_string()
    };
    let role = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
    [
        event("ana", &role("PlatformAdmin"), 30, json!({ "source_identity": "okta+ana" })),
        event("ana", &role("team/Developer+1"), 30, json!({})),
        event("ana", &role("Analyst"), -1, json!({})),
        event("ana", "arn:aws-cn:iam::444455556666:role/PlatformAdmin", 30, json!({ "source_identity": "okta+ana" })),
        event("ben", &role("Support"), 30, json!({ "source_identity": "okta+ben" })),
    ]
    .join("\n")
}

const REVOKE: [&str; 4] = ["aws", "revoke", "--config", "rolegate.toml"];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_runs_and_puts_a_deny_on_each_role_that_the_person_holds() {
    let folder = world(CONFIG);
    folder.write("audit.jsonl", trail());
    let script = told(folder.path(), &[&REVOKE[..], &["--person", "ana@example.org", "--account", ACCOUNT]].concat());
    assert!(!script.contains("Analyst") && !script.contains("okta+ben") && !script.contains("444455556666"), "{script}");
    let file = folder.write("revoke.sh", &script);

    let moto = Moto::start().await;
    let plan = ["aws", "plan", "--config", "rolegate.toml", "--account", ACCOUNT, "--format", "cloudformation"];
    let template = folder.write("template.json", told(folder.path(), &plan));
    let own = "RolegateIdentity=arn:aws:iam::111122223333:role/Rolegate";
    crate::support::python("tests/counterparts/make_stack.py", &[template.to_str().unwrap(), moto.url(), own]).await.or_fail();
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    symlink(repository().join("target/counterparts/venv/bin/aws"), bin.join("aws")).unwrap();
    let mut shell = Command::new("/bin/sh");
    shell.arg("-eu").arg(&file).env_clear().env("PATH", format!("{}:/usr/bin:/bin", bin.display())).env("HOME", folder.path());
    shell.envs([
        ("AWS_ENDPOINT_URL", moto.url()),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_PAGER", ""),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]);
    let output = shell.envs([("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "testing")]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));

    for (role, operator, key, value) in [
        ("PlatformAdmin", "StringEquals", "aws:SourceIdentity", "okta+ana"),
        ("Developer+1", "StringLike", "aws:userid", "*:ana@example.org"),
    ] {
        let words = ["get-role-policy", "--role-name", role, "--policy-name", "RolegateRevoke-okta+ana"];
        let policy = iam(&moto, &folder, &words).await["PolicyDocument"].clone();
        let statement = &policy["Statement"][0];
        assert_eq!((&statement["Effect"], &statement["Action"], &statement["Resource"]), (&json!("Deny"), &json!("*"), &json!("*")));
        assert_eq!(statement["Condition"][operator][key], value);
        assert!(statement["Condition"]["DateLessThan"]["aws:TokenIssueTime"].as_str().unwrap().ends_with('Z'));
    }
    let untouched = iam(&moto, &folder, &["list-role-policies", "--role-name", "Support"]).await;
    assert_eq!(untouched["PolicyNames"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn applied_it_is_on_the_roles_of_the_account_whose_credentials_are_at_hand() {
    let folder = world(CONFIG);
    folder.write("audit.jsonl", trail());
    let moto = Moto::start().await;
    let apply = |person: &str| rolegate_with(&moto, folder.path(), &[&REVOKE[..], &["--person", person, "--apply"]].concat());
    let refused = apply("okta+ana");
    assert_eq!(refused.status.code(), Some(1), "there are no such roles yet: {refused:?}");
    assert!(text(&refused.stdout).contains("NOT denied: arn:aws:iam::123456789012:role/PlatformAdmin"), "{refused:?}");
    assert!(text(&refused.stderr).contains("2 of 2 were not denied"), "{refused:?}");

    let plan = ["aws", "plan", "--config", "rolegate.toml", "--account", ACCOUNT, "--format", "cloudformation"];
    let template = folder.write("template.json", told(folder.path(), &plan));
    let own = "RolegateIdentity=arn:aws:iam::111122223333:role/Rolegate";
    crate::support::python("tests/counterparts/make_stack.py", &[template.to_str().unwrap(), moto.url(), own]).await.or_fail();
    let applied = apply("okta+ana");
    assert_eq!(applied.status.code(), Some(0), "{applied:?}");
    assert_eq!(text(&applied.stdout).lines().filter(|line| line.starts_with("denied: ")).count(), 2, "{applied:?}");
    assert!(text(&applied.stderr).contains("run this again with credentials of 444455556666"), "{applied:?}");
    let words = ["get-role-policy", "--role-name", "PlatformAdmin", "--policy-name", "RolegateRevoke-okta+ana"];
    let policy = iam(&moto, &folder, &words).await["PolicyDocument"].clone();
    assert_eq!(policy["Statement"][0]["Condition"]["StringEquals"]["aws:SourceIdentity"], "okta+ana");
    let untouched = iam(&moto, &folder, &["list-role-policies", "--role-name", "Support"]).await;
    assert_eq!(untouched["PolicyNames"], json!([]));

    let elsewhere = [&REVOKE[..], &["--person", "okta+ana", "--account", "China", "--apply"]].concat();
    let elsewhere = rolegate_with(&moto, folder.path(), &elsewhere);
    assert_eq!(elsewhere.status.code(), Some(2), "{elsewhere:?}");
}

#[test]
fn a_person_whom_the_trail_does_not_know_is_revoked_by_the_rules() {
    let folder = world(CONFIG);
    folder.write("audit.jsonl", format!("{}\n{{\"half", trail()));
    let unknown = rolegate(folder.path(), &[&REVOKE[..], &["--person", "eva@example.org"]].concat(), "");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        text(&unknown.stderr).contains("no AWS session of `eva@example.org`") && text(&unknown.stderr).contains("1 line(s)"),
        "{unknown:?}"
    );
    folder.write("ana.json", r#"{"sub": "ana", "email": "ana@example.org", "cost": "7", "groups": ["admins", "data", "finance"]}"#);
    let arguments = ["--claims", "ana.json", "--account", ACCOUNT, "--before", "2026-01-14T12:00:00Z", "--json"];
    let report: Value = serde_json::from_str(&told(folder.path(), &[&REVOKE[..], &arguments].concat())).unwrap();
    assert_eq!((&report["person"], &report["before"]), (&json!("okta+ana"), &json!("2026-01-14T12:00:00Z")));
    let made = report["revocations"].as_array().unwrap();
    let targets: Vec<_> = made.iter().map(|made| made["target"].as_str().unwrap()).collect();
    let role = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
    assert_eq!(targets, [role("Analyst"), role("PlatformAdmin"), format!("federated:aws:{ACCOUNT}:billing-reader")]);
    let condition = |index: usize| &made[index]["policy"]["Statement"][0]["Condition"];
    assert_eq!(condition(0)["StringLike"]["aws:userid"], "*:ana@example.org", "a forwarded token carries no source identity of ours");
    assert_eq!(condition(1)["StringEquals"]["aws:SourceIdentity"], "okta+ana");
    assert_eq!(condition(2)["StringEquals"]["aws:userid"], format!("{ACCOUNT}:ana@example.org"));
    assert_eq!(condition(1)["DateLessThan"]["aws:TokenIssueTime"], "2026-01-14T12:00:00Z");
    assert!(made[2]["command"].as_str().unwrap().contains("put-user-policy"));
}

#[test]
fn one_name_of_two_people_is_not_guessed() {
    let folder = world(CONFIG);
    let other = trail().replace("\"provider\":\"okta\"", "\"provider\":\"entra\"");
    folder.write("audit.jsonl", format!("{}\n{other}", trail()));
    let refused = rolegate(folder.path(), &[&REVOKE[..], &["--person", "ana@example.org"]].concat(), "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("entra+ana, or okta+ana"), "{refused:?}");
    let script = told(folder.path(), &[&REVOKE[..], &["--person", "okta+ana"]].concat());
    assert!(script.contains("444455556666") && script.contains("RolegateRevoke-okta+ana"), "{script}");
}

#[test]
fn a_name_never_becomes_a_command() {
    let folder = world(CONFIG);
    folder.write("ana.json", r#"{"sub": "x\ntouch pwned", "groups": ["admins"]}"#);
    let refused = rolegate(folder.path(), &[&REVOKE[..], &["--claims", "ana.json"]].concat(), "");
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(text(&refused.stderr).contains("the sign-in itself would be refused"), "{refused:?}");
    // A trail that somebody else wrote.
    folder.write("audit.jsonl", trail().replace("\"subject\":\"ana\"", "\"subject\":\"ana\\ntouch pwned\""));
    let script = told(folder.path(), &[&REVOKE[..], &["--person", "ana@example.org"]].concat());
    let is_command = |line: &&str| !line.is_empty() && !line.starts_with("# ") && !line.starts_with("aws iam put-role-policy ");
    assert_eq!(script.lines().filter(is_command).collect::<Vec<_>>(), [""; 0], "{script}");
    // Somebody whose name looks like another person's key is not taken for them.
    folder.write("audit.jsonl", trail().replace("ben@example.org", "okta+eva"));
    let other = rolegate(folder.path(), &[&REVOKE[..], &["--person", "okta+eva"]].concat(), "");
    assert_eq!(other.status.code(), Some(2), "{other:?}");
    assert!(text(&other.stderr).contains("say --person okta+ben"), "{other:?}");
}
