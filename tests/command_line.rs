//! The built binary, as an administrator types it: results on stdout, complaints on stderr, and an exit code that means something.

#![expect(clippy::unwrap_used, reason = "the helpers stand outside of test functions")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn rolegate(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rolegate")).args(arguments).current_dir(folder).env_remove("ROLEGATE_CONFIG").output().unwrap()
}

fn demo_with(changes: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut text = include_str!("../demo/rolegate.toml").to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "the demonstration's file has `{from}`");
        text = text.replace(from, to);
    }
    std::fs::write(folder.path().join("rolegate.toml"), text).unwrap();
    folder
}

#[test]
fn check_accepts_a_good_file_by_its_bare_name() {
    let folder = demo_with(&[]);
    let checked = rolegate(folder.path(), &["check", "--config", "rolegate.toml"]);
    assert!(checked.status.success(), "{checked:?}");
    assert!(String::from_utf8(checked.stdout).unwrap().contains("good: 1 provider(s), 3 account(s)"));
}

#[test]
fn check_tells_everything_at_once_with_lines_and_hints_and_ends_with_two() {
    let folder = demo_with(&[
        ("absolute = \"8h\"", "absolute = 8"),
        ("client_auth = \"none\"", "client_auth = \"post\""),
        ("accounts = [\"Production\"]", "accounts = [\"Producton\"]"),
        ("max_session = \"4h\"", "max_sesion = \"4h\""),
    ]);
    let checked = rolegate(folder.path(), &["check", "--config", "rolegate.toml"]);
    assert_eq!(checked.status.code(), Some(2), "{checked:?}");
    let told = String::from_utf8(checked.stderr).unwrap();
    for part in [
        "`absolute` must be a span of time",
        "`client_secret` is missing, and client_auth = \"post\" needs it",
        "there is no account `Producton`",
        "did you mean `max_session`?",
    ] {
        assert!(told.contains(part), "{part} in\n{told}");
    }
    for line in told.lines().filter(|line| line.contains(": error: ")) {
        let (place, _) = line.split_once(": error: ").unwrap();
        let number = place.strip_prefix("rolegate.toml:").and_then(|number| number.parse::<usize>().ok());
        assert!(number.is_some_and(|number| number > 0), "{line}");
    }
}

#[test]
fn serve_refuses_what_check_refuses() {
    let folder = demo_with(&[("max_session = \"4h\"", "max_session = \"13h\"")]);
    let served = rolegate(folder.path(), &["serve", "--config", "rolegate.toml"]);
    assert_eq!(served.status.code(), Some(2), "{served:?}");
    assert!(String::from_utf8(served.stderr).unwrap().contains("15 minutes to 12 hours"));
}

#[test]
fn a_new_key_is_one_that_the_gateway_takes() {
    for algorithm in ["ES256", "RS256"] {
        let folder = demo_with(&[("#signing_key", "signing_key"), ("secrets/signing-key.pem", "key.pem")]);
        let made = rolegate(folder.path(), &["keys", "new", "--algorithm", algorithm]);
        std::fs::write(folder.path().join("key.pem"), &made.stdout).unwrap();
        let checked = rolegate(folder.path(), &["check", "--config", "rolegate.toml"]);
        assert!(checked.status.success(), "{algorithm}: {checked:?}");
        std::fs::write(folder.path().join("key.pem"), "no key").unwrap();
        let checked = rolegate(folder.path(), &["check", "--config", "rolegate.toml"]);
        assert_eq!(checked.status.code(), Some(2), "{checked:?}");
    }
}

#[test]
fn the_schema_is_json_and_survives_a_reader_that_leaves() {
    let schema = rolegate(Path::new("."), &["schema"]);
    assert!(serde_json::from_slice::<serde_json::Value>(&schema.stdout).unwrap()["properties"]["provider"].is_object());
    let mut child =
        Command::new(env!("CARGO_BIN_EXE_rolegate")).arg("schema").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert!(!String::from_utf8_lossy(&ended.stderr).contains("panicked"), "{ended:?}");
}
