//! `rolegate test`, `explain`, `diff` and `audit`, as an administrator types them.

#![expect(clippy::unwrap_used, reason = "the helpers stand outside of test functions")]

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use rolegate::audit::{AuditLog, Event, Kind, Outcome};
use serde_json::{Value, json};

const DEMO: &str = include_str!("../demo/rolegate.toml");

fn rolegate(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_rolegate"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("ROLEGATE_CONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its configuration reads nothing.
    let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
    process.wait_with_output().unwrap()
}

fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The demonstration's file with something else in it.
fn changed(from: &str, to: &str) -> String {
    assert!(DEMO.contains(from), "the demonstration's file has `{from}`");
    DEMO.replace(from, to)
}

#[test]
fn the_tests_of_a_file_pass_or_say_what_differs_and_by_which_rule() {
    let broken = changed("effect = \"deny\"\ngroups = [\"contractors\"]", "effect = \"deny\"\ngroups = [\"contractor\"]");
    let folder = folder_with(&[("good.toml", DEMO), ("broken.toml", &broken)]);
    let good = rolegate(folder.path(), &["test", "--config", "good.toml"], "");
    assert!(good.status.success(), "{good:?}");
    assert!(text(&good.stdout).contains("3 test(s) of the rules passed"));
    for command in ["test", "check"] {
        let told = rolegate(folder.path(), &[command, "--config", "broken.toml"], "");
        assert_eq!(told.status.code(), Some(2));
        let told = text(&told.stderr).to_owned();
        let line = broken.lines().position(|line| line.starts_with("expect = [\"Staging")).unwrap() + 1;
        assert!(told.contains(&format!("broken.toml:{line}: error: the test `contractors stay out")), "{told}");
        assert!(told.contains("arn:aws:iam::111122223333:role/Developer (by naming-convention)"), "{told}");
    }
}

#[test]
fn a_gateway_does_not_start_on_rules_that_fail_their_tests() {
    let broken = changed("excludes = [\"Production/Auditor\"]", "excludes = [\"Production/ReadOnly\"]");
    let folder = folder_with(&[("broken.toml", &broken)]);
    let refused = rolegate(folder.path(), &["serve", "--config", "broken.toml"], "");
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("role/ReadOnly is granted, by platform-admins"), "{refused:?}");
}

#[test]
fn tests_that_cannot_fail_or_name_nothing_are_findings() {
    let cases = [
        ("groups = [\"a\"]", "the test expects nothing"),
        ("groups = [\"a\"]\nexpect = [\"Producton/Dev\"]", "there is no account `Producton`"),
        ("groups = [\"a\"]\nexcludes = [\"arn:aws:iam::999999999999:role/X\"]", "is in no known account"),
        ("provider = \"nobody\"\nexpect = []", "there is no such provider"),
        ("claims = { groups = 7 }\nexpect = []", "the sign-in itself would be refused"),
        ("claims = { groups = [\"a\"] }\ngroups = [\"b\"]\nexpect = []", "the groups are given twice"),
    ];
    for (test, words) in cases {
        let folder = folder_with(&[("c.toml", &format!("{DEMO}\n[[test]]\n{test}\n"))]);
        let told = rolegate(folder.path(), &["check", "--config", "c.toml"], "");
        assert_eq!(told.status.code(), Some(2), "{test}");
        assert!(text(&told.stderr).contains(words), "{words} in {told:?}");
    }
}

const CORY: &str = r#"{ "sub": "cory", "groups": ["contractors", "developers", "aws-777788889999-Auditor"] }"#;

fn explain(claims: &str, more: &[&str]) -> Output {
    let folder = folder_with(&[("c.toml", DEMO)]);
    rolegate(folder.path(), &[&["explain", "--config", "c.toml", "--claims", "-"], more].concat(), claims)
}

#[test]
fn explain_lists_what_is_granted_by_which_rule_and_group() {
    let told = explain(CORY, &[]);
    assert!(told.status.success(), "{told:?}");
    let told = text(&told.stdout).to_owned();
    assert!(told.contains("cory, with 3 group(s), has 3 role(s)"), "{told}");
    assert!(told.contains("arn:aws:iam::777788889999:role/Auditor in Sandbox"), "{told}");
    assert!(told.contains("by naming-convention (group aws-777788889999-Auditor)"), "{told}");
    let told = explain(CORY, &["--json"]);
    let grants: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(grants.as_array().unwrap().len(), 3);
}

#[test]
fn explain_says_which_deny_takes_a_role_and_what_is_missing_for_one() {
    let denied = explain(CORY, &["--role", "Production/ReadOnly"]);
    assert_eq!(denied.status.code(), Some(1));
    let told = text(&denied.stdout).to_owned();
    assert!(told.contains("not granted") && told.contains("the rule contractors-never-in-production denies it"), "{told}");
    let missed = explain(CORY, &["--role", "Staging/Auditor"]);
    let told = text(&missed.stdout).to_owned();
    assert!(told.contains("the rule auditors would grant it; missing: the group auditors"), "{told}");
    assert!(told.contains("a group such as aws-444455556666-Auditor"), "{told}");
    let nobody = explain(CORY, &["--role", "Staging/PlatformAdmin", "--json"]);
    let told: Value = serde_json::from_slice(&nobody.stdout).unwrap();
    assert_eq!(told["granted"], Value::Null);
    assert_eq!(told["missed"][0]["missing"][0], json!({ "any_group": { "of": ["aws-platform-admins"] } }));
    let unknown = explain(CORY, &["--role", "Nowhere/Auditor"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("there is no account `Nowhere`"));
}

#[test]
fn diff_says_who_gains_and_who_loses_and_guards_what_is_protected() {
    let new = changed("groups = [\"auditors\"]", "groups = [\"auditors\", \"book-club\"]");
    let new = new.replace("accounts = [\"tag:env=staging\", \"tag:env=dev\"]", "accounts = [\"tag:env=dev\"]");
    let new = new.replace("expect = [\"Staging/Developer\", \"Sandbox/Developer\"]", "expect = [\"Sandbox/Developer\"]");
    let mut people = String::new();
    for n in 0..200 {
        let group = ["book-club", "developers", "auditors", "nothing"][n % 4];
        // Both forms of a line are read.
        let claims = json!({ "sub": format!("p{n}"), "groups": [group] });
        let line = if n % 3 == 0 { json!({ "provider": "sandbox", "claims": claims }) } else { claims };
        writeln!(people, "{line}").unwrap();
    }
    let folder = folder_with(&[("old.toml", DEMO), ("new.toml", &new), ("people.jsonl", &people)]);
    let run = |more: &[&str]| rolegate(folder.path(), &[&["diff", "old.toml", "new.toml", "--people", "people.jsonl"], more].concat(), "");
    let told = run(&[]);
    assert!(told.status.success(), "{told:?}");
    let words = text(&told.stdout).to_owned();
    assert!(words.contains("200 people: 200 role(s) gained, 50 lost, in 5 role(s)"), "{words}");
    assert!(words.contains("+     50  p0, p4, p8, p12, p16 and 45 more"), "{words}");
    // The same group opens a room of the gateway itself.
    assert!(words.contains("gateway:auditor  in the gateway itself"), "{words}");
    let guarded = run(&["--protect", ":111122223333:role/Auditor$", "--json"]);
    assert_eq!(guarded.status.code(), Some(1));
    assert!(text(&guarded.stderr).contains("somebody gains a protected role: arn:aws:iam::111122223333:role/Auditor"));
    let report: Value = serde_json::from_slice(&guarded.stdout).unwrap();
    assert_eq!(report["roles"]["arn:aws:iam::444455556666:role/Developer"]["loses"].as_array().unwrap().len(), 50);
    assert_eq!(report["roles"]["arn:aws:iam::111122223333:role/Auditor"]["protected"], true);
    let harmless = run(&["--protect", "PlatformAdmin"]);
    assert!(harmless.status.success());
}

#[test]
fn a_line_that_is_no_person_is_named() {
    let folder = folder_with(&[("c.toml", DEMO), ("people.jsonl", "{\"sub\":\"a\"}\n\nnonsense\n")]);
    let told = rolegate(folder.path(), &["diff", "c.toml", "c.toml", "--people", "people.jsonl"], "");
    assert_eq!(told.status.code(), Some(2));
    assert!(text(&told.stderr).contains("line 3: not a JSON object of claims"), "{told:?}");
}

#[test]
fn diff_sees_what_people_keep_and_have_more_of() {
    let old = LIMITED.replace("2026-06-01", "2126-06-01");
    let new = old.replace("purposes = [\"console\"]\n", "max_session = \"8h\"\n").replace("max_auth_age = \"15m\"\n", "");
    let people = "{ \"sub\": \"ana\", \"groups\": [\"00g1\"] }\n{ \"sub\": \"ben\", \"groups\": [\"00g1\"] }\n{ \"sub\": \"cory\", \"groups\": [] }\n";
    let folder = folder_with(&[("old.toml", &old), ("new.toml", &new), ("people.jsonl", people)]);
    let run = |from: &str, to: &str, more: &[&str]| {
        rolegate(folder.path(), &[&["diff", from, to, "--people", "people.jsonl"], more].concat(), "")
    };
    let told = run("old.toml", "new.toml", &[]);
    assert!(told.status.success(), "{told:?}");
    for words in [
        "  ~      2  widened: for credentials too: ana, ben",
        "  ~      2  widened: sessions of 8h instead of 1h: ana, ben",
        "  ~      2  widened: with a sign-in of any age instead of 15m: ana, ben",
        "3 people: 0 role(s) gained, 0 lost, in 1 role(s); 6 widening(s) of what people keep",
    ] {
        assert!(text(&told.stdout).contains(words), "no `{words}` in\n{}", text(&told.stdout));
    }
    let guarded = run("old.toml", "new.toml", &["--protect", ":role/Admin$", "--json"]);
    assert_eq!(guarded.status.code(), Some(1));
    assert!(text(&guarded.stderr).contains("a protected role is widened: arn:aws:iam::111122223333:role/Admin"), "{guarded:?}");
    let report: Value = serde_json::from_slice(&guarded.stdout).unwrap();
    let change = &report["roles"]["arn:aws:iam::111122223333:role/Admin"];
    assert_eq!(change["widened"][1], json!({ "what": "max_session", "from": 3600, "to": 28_800, "people": ["ana", "ben"] }));
    assert_eq!((&change["protected"], &change["gains"]), (&json!(true), &json!([])));
    // The other way round it is narrowed, which is no gain; and a role that is not protected may widen.
    assert!(run("new.toml", "old.toml", &["--protect", ":role/Admin$"]).status.success());
    assert!(run("old.toml", "new.toml", &["--protect", ":role/Other$"]).status.success());
}

#[test]
fn diff_sees_that_more_counts_as_a_second_factor() {
    let old = LIMITED.replace("2026-06-01", "2126-06-01").replace("max_auth_age = \"15m\"", "require_mfa = true");
    let new = old.replace("client_auth = \"none\"", "client_auth = \"none\"\nmfa = { amr = [\"mfa\", \"pwd\"] }");
    let came = json!({ "groups": ["00g1"], "authentication": { "mfa": false, "amr": ["pwd"] } });
    let trail = signed_in("2026-01-14T11:00:00Z", "ana", &came).replace("sandbox", "okta");
    let folder = folder_with(&[("old.toml", &old), ("new.toml", &new), ("audit.jsonl", &trail)]);
    let arguments = ["diff", "old.toml", "new.toml", "--audit", "audit.jsonl", "--at", "2026-01-14T12:00:00Z"];
    let told = rolegate(folder.path(), &arguments, "");
    let words = text(&told.stdout);
    assert!(words.contains("  ~      1  widened: with a sign-in that did not do before: ana@example.com"), "{told:?}");
}

#[test]
fn diff_guards_what_it_cannot_judge() {
    let night = "[[rule]]\nid = \"night\"\ngroups = [\"developers\"]\naccounts = [\"Production\"]\nroles = [\"PlatformAdmin\"]\n\
        when = 'now.getHours() < 5 && auth.mfa'\n";
    let new = format!("{DEMO}\n{night}");
    let claimed = new.replace("now.getHours() < 5 && auth.mfa", "claims.seat == \"4b\"");
    let trail = signed_in("2026-01-14T11:00:00Z", "ana", &json!({ "groups": ["developers"] }));
    let files = [("old.toml", DEMO), ("new.toml", &new), ("claimed.toml", &claimed), ("audit.jsonl", &trail)];
    let folder = folder_with(&files);
    let run = |new: &str, protect: &str| {
        let arguments = ["diff", "old.toml", new, "--audit", "audit.jsonl", "--at", "2026-01-14T12:00:00Z", "--protect", protect];
        rolegate(folder.path(), &arguments, "")
    };
    let told = run("new.toml", "PlatformAdmin");
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let words = "the rule night is new, and its condition looks at the sign-in and the time: judge it by hand  (protected)";
    assert!(text(&told.stdout).contains(words) && text(&told.stdout).contains("0 role(s) gained"), "{told:?}");
    assert!(text(&told.stderr).contains("must be judged by hand: night"), "{told:?}");
    assert!(run("new.toml", "ReadOnly").status.success(), "another role is protected");
    let hidden = run("claimed.toml", "PlatformAdmin");
    assert_eq!(hidden.status.code(), Some(1));
    assert!(text(&hidden.stderr).contains("a rule about a protected role could not be judged: night"), "{hidden:?}");
    assert!(run("claimed.toml", "ReadOnly").status.success());
    assert!(run("old.toml", "PlatformAdmin").status.success());
}

/// A sign-in as the gateway records it.
fn signed_in(time: &str, subject: &str, more: &Value) -> String {
    let mut event = json!({
        "time": time, "incident": "i", "kind": "sign_in", "outcome": "ok", "policy": "p",
        "person": { "provider": "sandbox", "subject": subject, "username": format!("{subject}@example.com") },
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event.to_string()
}

#[test]
fn diff_takes_who_signed_in_of_late_from_the_audit_trail() {
    let fresh = "[[rule]]\nid = \"fresh\"\ngroups = [\"developers\"]\naccounts = [\"Sandbox\"]\nroles = [\"Fresh\"]\n\
        when = 'auth.mfa && auth.age < duration(\"10m\")'\n";
    let claimed = "[[rule]]\nid = \"claimed\"\ngroups = [\"developers\"]\naccounts = [\"Sandbox\"]\nroles = [\"Claimed\"]\n\
        when = 'claims.department == \"x\"'\n[[rule]]\nid = \"read-before\"\ngroups = [\"developers\"]\naccounts = [\"Sandbox\"]\n\
        roles = [\"Read\"]\nwhen = '!has(claims.seat)'\n";
    let demo = changed("expect = [\"Staging/Developer\", \"Sandbox/Developer\"]", "includes = [\"Sandbox/Developer\"]");
    let new = format!("{demo}\n{fresh}\n{claimed}");
    let strong = json!({ "time": "2026-01-13T11:55:00Z", "mfa": true, "amr": ["mfa"] });
    let trail = [
        // The later one counts, wherever it stands; who came too long ago does not.
        signed_in(
            "2026-01-13T12:00:00Z",
            "ana",
            &json!({ "groups": ["developers"], "claims": { "seat": null }, "authentication": strong }),
        ),
        signed_in("2026-01-10T12:00:00Z", "ana", &json!({ "groups": [] })),
        signed_in("2025-12-01T12:00:00Z", "cory", &json!({ "groups": ["developers"], "authentication": strong })),
        signed_in(
            "2026-01-13T12:00:00Z",
            "dora",
            &json!({ "groups": ["developers"], "claims": { "seat": "4b" }, "authentication": { "mfa": false } }),
        ),
        signed_in("2026-01-13T12:00:00Z", "early", &json!({})),
        "{\"time\": \"2026-01-1".to_owned(),
    ];
    let folder = folder_with(&[("old.toml", DEMO), ("new.toml", &new), ("audit.jsonl", &trail.join("\n"))]);
    let run = |more: &[&str]| {
        let at = ["diff", "old.toml", "new.toml", "--audit", "audit.jsonl", "--at", "2026-01-14T12:00:00Z"];
        rolegate(folder.path(), &[&at, more].concat(), "")
    };
    let told = run(&["--json"]);
    assert!(told.status.success(), "{told:?}");
    let report: Value = serde_json::from_slice(&told.stdout).unwrap();
    let gains = |role: &str| report["roles"][format!("arn:aws:iam::777788889999:role/{role}")]["gains"].clone();
    assert_eq!(gains("Fresh"), json!(["ana@example.com"]), "as fresh as the sign-in was then");
    assert_eq!(gains("Read"), json!(["ana@example.com"]), "a claim that is known not to have come");
    assert_eq!(gains("Claimed"), Value::Null);
    assert_eq!(report["unjudged"], json!({ "old": {}, "new": { "claimed": 2 } }));
    assert_eq!((&report["people"], &report["audit"]["events"]), (&json!(2), &json!(3)));
    assert_eq!((&report["audit"]["without_groups"], &report["audit"]["unreadable_lines"]), (&json!(1), &json!(1)));

    let words = run(&[]);
    let words = text(&words.stdout);
    assert!(words.contains("the rule claimed of the new configuration could not be judged for 2 people"), "{words}");
    assert!(words.contains("3 sign-in(s) of 2 people were read, and 1 that an earlier version wrote without groups"), "{words}");
    let more: Value = serde_json::from_slice(&run(&["--days", "60", "--json"]).stdout).unwrap();
    assert_eq!(more["people"], 3);
    let none = run(&["--since", "2026-01-14T00:00:00Z"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(text(&none.stderr).contains("no sign-in since 2026-01-14"), "{none:?}");
    let both = run(&["--people", "-"]);
    assert_eq!(both.status.code(), Some(2), "people come from one place: {both:?}");
}

/// What two rules of a small file give to somebody.
const LIMITED: &str = r#"
public_url = "http://127.0.0.1:8700"
[groups]
admins = "00g1"
[[provider]]
id = "okta"
name = "Okta"
issuer = "https://example.okta.com"
client_id = "abc"
client_auth = "none"
[[account]]
id = "111122223333"
name = "Production"
[[rule]]
id = "limited"
groups = ["admins"]
accounts = ["*"]
roles = ["Admin"]
purposes = ["console"]
until = "2026-06-01T00:00:00Z"
max_auth_age = "15m"
policy_arns = ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
reason = { hint = "the ticket" }
"#;

#[test]
fn explain_shows_what_limits_a_role_and_that_a_rule_has_ended() {
    let folder = folder_with(&[("r.toml", LIMITED)]);
    let ask = |more: &[&str]| {
        let arguments = [&["explain", "--config", "r.toml", "--claims", "-", "--role", "Production/Admin"], more].concat();
        rolegate(folder.path(), &arguments, r#"{ "sub": "ana", "groups": ["00g1"] }"#)
    };
    let granted = ask(&["--at", "2026-05-31T23:00:00Z", "--auth-age", "1h"]);
    assert!(granted.status.success(), "{granted:?}");
    for words in [
        "by limited (group admins (00g1))",
        "for the console only",
        "limited ends on 2026-06-01 00:00 UTC",
        "limited by arn:aws:iam::aws:policy/ReadOnlyAccess",
        "wants a sign-in at most 15m old",
        "and needs another one first: this is a sign-in 1h old",
        "wants to be told: the ticket",
    ] {
        assert!(text(&granted.stdout).contains(words), "no `{words}` in\n{}", text(&granted.stdout));
    }
    assert!(!text(&ask(&["--at", "2026-05-31T23:00:00Z", "--auth-age", "14m"]).stdout).contains("needs another one"));
    let json = ask(&["--at", "2026-05-31T23:00:00Z", "--auth-age", "1h", "--json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["granted"]["purposes"], json!(["console"]));
    assert_eq!(json["granted"]["evidence"][0]["groups"][0], json!({ "group": "00g1", "alias": "admins" }));
    let ended = ask(&["--at", "2026-06-01T00:00:00Z"]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(text(&ended.stdout).contains("the rule has ended, on 2026-06-01 00:00 UTC"), "{ended:?}");
}

#[test]
fn a_test_that_fails_says_what_is_missing() {
    let case = |test: &str| {
        let folder = folder_with(&[("r.toml", &format!("{LIMITED}\n[[test]]\ngroups = [\"admins\"]\n{test}\n"))]);
        let told = rolegate(folder.path(), &["check", "--config", "r.toml"], "");
        (told.status.success(), text(&told.stderr).to_owned())
    };
    let late = case("at = \"2026-07-01T00:00:00Z\"\nincludes = [\"Production/Admin\"]").1;
    assert!(late.contains("is not granted: the rule limited would grant it; missing: the rule has ended, on 2026-06-01"), "{late}");
    let fresh = case("auth_age = \"5m\"\nstep_up = [\"Production/Admin\"]").1;
    assert!(fresh.contains("role/Admin can be had with this sign-in"), "{fresh}");
    let stale = case("auth_age = \"1h\"\nstep_up = []").1;
    assert!(stale.contains("another sign-in is needed") && stale.contains("came: a sign-in 1h old"), "{stale}");
    for good in ["auth_age = \"5m\"\nstep_up = []", "auth_age = \"1h\"\nstep_up = [\"Production/Admin\"]"] {
        assert!(case(good).0, "{}", case(good).1);
    }
}

#[test]
fn commands_read_regular_files_alone_and_steer_no_terminal() {
    let folder = folder_with(&[("r.toml", DEMO)]);
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for odd in [pipe.to_str().unwrap(), "/dev/zero", "."] {
        for arguments in [&["explain", "--config", "r.toml", "--claims", odd][..], &["diff", "r.toml", "r.toml", "--people", odd]] {
            let refused = rolegate(folder.path(), arguments, "");
            assert_eq!(refused.status.code(), Some(2));
            assert!(text(&refused.stderr).contains("no regular file"), "{refused:?}");
        }
    }
    // ESC, the single byte that opens a control sequence too, and a character that turns a line around.
    let claims = json!({ "sub": "x", "groups": ["aws-platform-admins"], "email": "a\u{1b}[2J\u{9b}2J\u{202e}z@example.org" }).to_string();
    let outputs = [
        rolegate(folder.path(), &["explain", "--config", "r.toml", "--claims", "-"], &claims),
        rolegate(folder.path(), &["explain", "--config", "r.toml", "--claims", "-", "--role", "\u{1b}[2J/x"], &claims),
        rolegate(folder.path(), &["explain", "--config", "r.toml", "--claims", "-", "--json"], &claims),
    ];
    for output in outputs {
        let shown = [text(&output.stdout), text(&output.stderr)].concat();
        assert!(!shown.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{shown:?}");
    }
    let people = format!("{claims}\n");
    std::fs::write(folder.path().join("people.jsonl"), people).unwrap();
    let less = changed("groups = [\"aws-platform-admins\"]", "groups = [\"others\"]");
    std::fs::write(folder.path().join("less.toml"), less).unwrap();
    for json in [&[][..], &["--json"]] {
        let arguments = [&["diff", "r.toml", "less.toml", "--people", "people.jsonl"], json].concat();
        let output = rolegate(folder.path(), &arguments, "");
        let shown = text(&output.stdout);
        assert!(shown.contains("PlatformAdmin") && !shown.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{shown:?}");
        assert!(json.is_empty() || serde_json::from_str::<Value>(shown).is_ok(), "{shown}");
    }
}

/// A trail of so many events, and the name of its file in the folder.
fn trail_of(folder: &Path, events: usize) -> &'static str {
    let time = "2027-01-15T08:00:00Z".parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let log = AuditLog::open(folder.join("audit.jsonl")).unwrap();
    for n in 1..=events {
        let event = Event::new(time, format!("incident-{n}"), Kind::Issue, Outcome::Ok);
        runtime.block_on(log.record(&event)).unwrap();
    }
    "audit.jsonl"
}

#[test]
fn a_trail_is_verified_over_its_files_and_what_was_done_to_it_is_named_by_line() {
    let folder = folder_with(&[("r.toml", DEMO)]);
    let path = folder.path().join(trail_of(folder.path(), 6));
    let whole = rolegate(folder.path(), &["audit", "verify", "audit.jsonl", "--json"], "");
    assert!(whole.status.success(), "{whole:?}");
    let verdict: Value = serde_json::from_str(text(&whole.stdout)).unwrap();
    let (head, trail) = (verdict["trail"]["head"].as_str().unwrap().to_owned(), &verdict["trail"]);
    assert_eq!((&verdict["whole"], &trail["chained"], head.split(':').next()), (&json!(true), &json!(6), Some("6")));
    // As rotations leave it: by the configuration, which names the trail, and by name.
    let lines: Vec<_> = std::fs::read_to_string(&path).unwrap().lines().map(|line| format!("{line}\n")).collect();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(lines[..2].concat().as_bytes()).unwrap();
    std::fs::write(folder.path().join("audit.jsonl.2.gz"), packed.finish().unwrap()).unwrap();
    std::fs::write(folder.path().join("audit.jsonl.1"), lines[2..4].concat()).unwrap();
    std::fs::write(&path, lines[4..].concat()).unwrap();
    for files in [&["--config", "r.toml"][..], &["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2.gz"]] {
        let output = rolegate(folder.path(), &[&["audit", "verify", "--expect", &head], files].concat(), "");
        assert!(output.status.success(), "{output:?}");
        let shown = text(&output.stdout);
        assert!(
            shown.contains("audit.jsonl.1: 2 lines, events 3 to 4")
                && shown.contains(&format!("whole: 6 event(s) in the chain, head {head}")),
            "{shown}"
        );
    }
    // Where the oldest file was removed, on purpose or not.
    let rest = ["audit", "verify", "audit.jsonl", "audit.jsonl.1"];
    let cut = rolegate(folder.path(), &rest, "");
    assert_eq!(cut.status.code(), Some(1));
    assert!(text(&cut.stdout).contains("audit.jsonl.1:1: the trail begins with the event 3: what was before is missing"), "{cut:?}");
    assert!(rolegate(folder.path(), &[&rest[..], &["--from", "any"]].concat(), "").status.success());
    // A changed event, by file and line.
    std::fs::write(folder.path().join("audit.jsonl.1"), lines[2..4].concat().replace("incident-4", "incident-5")).unwrap();
    let changed = rolegate(folder.path(), &["audit", "verify", "--config", "r.toml"], "");
    assert_eq!(changed.status.code(), Some(1));
    assert!(
        text(&changed.stdout).contains("audit.jsonl.1:2: it is the event 4, and not what it was") && changed.stderr.is_empty(),
        "{changed:?}"
    );
    // What is not usable.
    for (arguments, words) in [
        (&["audit", "verify"][..], "name the trail's files"),
        (&["audit", "verify", "none.jsonl"], "none.jsonl"),
        (&["audit", "verify", "audit.jsonl", "--expect", "7"], "a number, a colon"),
        (&["audit", "verify", "audit.jsonl", "--from", "x"], "a number, a colon"),
        (&["audit", "verify", "/dev/null"], "no regular file"),
    ] {
        let refused = rolegate(folder.path(), arguments, "");
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(text(&refused.stderr).contains(words), "{refused:?}");
    }
}
