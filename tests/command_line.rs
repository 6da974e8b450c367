//! The built binary, as an administrator types it: results on stdout, complaints on stderr, and an exit code that means something.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "the helpers stand outside of test functions")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::{Gateway, OidcProvider, Plan, SandboxAws};

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
    assert!(String::from_utf8(checked.stdout).unwrap().contains("good: 2 provider(s), 3 account(s)"));
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
fn check_denies_warnings_where_asked_and_prints_findings_for_programs() {
    let folder = demo_with(&[("max_session = \"4h\"", "max_session = \"4h\"\nwhen = '!has(claims.locale) || claims.locale == \"de\"'")]);
    let check = |more: &[&str]| rolegate(folder.path(), &[&["check", "--config", "rolegate.toml"], more].concat());
    let lenient = check(&[]);
    assert!(lenient.status.success(), "{lenient:?}");
    assert!(String::from_utf8(lenient.stderr).unwrap().contains("warning: people can often edit `locale`"));
    let strict = check(&["--deny-warnings"]);
    assert_eq!((strict.status.code(), strict.stdout.len()), (Some(2), 0), "{strict:?}");
    assert!(String::from_utf8(strict.stderr).unwrap().contains("trusted_claims = [\"locale\"]"));
    let text = std::fs::read_to_string(folder.path().join("rolegate.toml")).unwrap();
    let line = text.lines().position(|line| line.starts_with("when = '!has(claims.locale")).unwrap() + 1;
    for (more, code, good) in [(&["--json"][..], 0, true), (&["--json", "--deny-warnings"], 2, false)] {
        let checked = check(more);
        let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert_eq!((checked.status.code(), report["good"].as_bool()), (Some(code), Some(good)), "{report}");
        let finding = &report["findings"][0];
        assert_eq!((finding["line"].as_u64(), finding["severity"].as_str()), (Some(line as u64), Some("warning")), "{report}");
        assert_eq!(finding["file"], "rolegate.toml");
    }
    let broken = demo_with(&[("max_session = \"4h\"", "max_session = 4")]);
    let checked = rolegate(broken.path(), &["check", "--config", "rolegate.toml", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!((checked.status.code(), report["findings"][0]["severity"].as_str()), (Some(2), Some("error")), "{report}");
    let good = demo_with(&[]);
    assert!(rolegate(good.path(), &["check", "--config", "rolegate.toml", "--deny-warnings"]).status.success());
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

#[test]
fn serve_says_which_address_it_cannot_have_and_where_that_stands() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = demo_with(&[("listen = \"127.0.0.1:8700\"", &format!("listen = \"{address}\""))]);
    let served = rolegate(folder.path(), &["serve", "--config", "rolegate.toml"]);
    assert_eq!(served.status.code(), Some(2), "{served:?}");
    let told = String::from_utf8(served.stderr).unwrap();
    let text = std::fs::read_to_string(folder.path().join("rolegate.toml")).unwrap();
    let line = text.lines().position(|line| line.starts_with("listen")).unwrap() + 1;
    assert!(told.contains(&format!("rolegate.toml:{line}: error: {address} cannot be listened on")), "{told}");
    assert!(told.contains("hint: another process listens there"), "{told}");
}

#[test]
fn check_finds_a_trail_that_cannot_be_opened_and_warns_of_an_open_key() {
    // Nobody can make a file there, root included.
    let folder = demo_with(&[("file = \"audit.jsonl\"", "file = \"/proc/audit.jsonl\"")]);
    let checked = rolegate(folder.path(), &["check", "--config", "rolegate.toml"]);
    assert_eq!(checked.status.code(), Some(2), "{checked:?}");
    assert!(String::from_utf8(checked.stderr).unwrap().contains("no file can be made in the folder /proc"));

    let folder = demo_with(&[("#signing_key", "signing_key"), ("secrets/signing-key.pem", "key.pem")]);
    let made = rolegate(folder.path(), &["keys", "new"]);
    std::fs::write(folder.path().join("key.pem"), &made.stdout).unwrap();
    std::fs::set_permissions(folder.path().join("key.pem"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let checked = rolegate(folder.path(), &["check", "--config", "rolegate.toml"]);
    assert!(checked.status.success(), "{checked:?}");
    let told = String::from_utf8(checked.stderr).unwrap();
    assert!(told.contains("warning: the file") && told.contains("chmod 600"), "{told}");
    assert!(!folder.path().join("audit.jsonl").exists(), "a check makes nothing");
}

#[test]
fn certificates_of_ours_that_end_soon_are_warned_of_at_the_check_and_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    for (name, days) in [("soon", "10"), ("later", "40")] {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=us", "-days", days, "-keyout"]);
        openssl.arg(folder.path().join(format!("{name}.key"))).arg("-out").arg(folder.path().join(format!("{name}.crt")));
        assert!(openssl.output().unwrap().status.success());
    }
    let text = "public_url = \"http://127.0.0.1:1\"\n[server]\nlisten = \"127.0.0.1:0\"\n[aws]\nsts_endpoint = \"http://127.0.0.1:9\"\n\
                [trust.saml]\nsigning_key = { file = \"PAIR.key\" }\ncertificate = { file = \"PAIR.crt\" }\n\
                [[saml_provider]]\nid = \"corp\"\nname = \"Corp\"\nmetadata = { url = \"https://127.0.0.1:9/\" }\nprivate_network = true\n\
                signing_key = { file = \"PAIR.key\" }\nsigning_certificate = \"PAIR.crt\"\nnext_signing_certificate = \"later.crt\"\n";
    let check = |pair: &str| {
        std::fs::write(folder.path().join("rolegate.toml"), text.replace("PAIR", pair)).unwrap();
        let checked = rolegate(folder.path(), &["check", "--config", "rolegate.toml"]);
        assert!(checked.status.success(), "{checked:?}");
        String::from_utf8(checked.stderr).unwrap()
    };
    assert!(!check("later").contains("of ours"));
    let told = check("soon");
    for line in [8, 15] {
        assert!(told.contains(&format!("rolegate.toml:{line}: warning: the certificate ")), "{told}");
    }
    assert_eq!(told.matches(" of ours ends on ").count(), 2, "the next one has its time: {told}");
    let mut serve = Command::new(env!("CARGO_BIN_EXE_rolegate"));
    serve.args(["serve", "--config", "rolegate.toml"]).current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut serve = serve.spawn().unwrap();
    let (sender, lines) = std::sync::mpsc::channel();
    let stderr = serve.stderr.take().unwrap();
    std::thread::spawn(move || BufReader::new(stderr).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let next = || lines.recv_timeout(std::time::Duration::from_secs(20)).ok();
    let told = |line: String| line.contains("of ours ends on") && line.contains("trust.saml.certificate");
    let found = std::iter::from_fn(next).any(told);
    serve.kill().unwrap();
    serve.wait().unwrap();
    assert!(found, "nothing in the log");
}

#[test]
fn the_help_says_what_there_is() {
    let help = String::from_utf8(rolegate(Path::new("."), &["--help"]).stdout).unwrap();
    assert!(help.starts_with("A federation gateway for AWS") && help.contains("OpenID Connect"), "{help}");
    // What the reference does not know yet, the help does not promise.
    assert_eq!(help.contains("SAML"), include_str!("../docs/configuration.md").contains("SAML"), "{help}");
}

/// Reads on until the command waits for a change, and tells what it said until then.
fn until_it_waits(output: &mut impl BufRead) -> String {
    let mut said = String::new();
    while !said.ends_with("Ctrl-C ends\n") {
        assert_ne!(output.read_line(&mut said).unwrap(), 0, "it ended:\n{said}");
    }
    said
}

#[test]
fn tests_are_run_again_however_an_editor_saves() {
    let folder = demo_with(&[]);
    let path = folder.path().join("rolegate.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    let bad = format!("{good}\n[[test]]\nname = 'nobody is anybody'\ngroups = ['none']\nincludes = ['Production/ReadOnly']\n");
    let mut child = Command::new(env!("CARGO_BIN_EXE_rolegate"))
        .args(["test", "--watch", "--config", "rolegate.toml"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    assert!(until_it_waits(&mut output).contains("passed"));
    // Written beside and renamed over it.
    std::fs::write(folder.path().join("new"), &bad).unwrap();
    std::fs::rename(folder.path().join("new"), &path).unwrap();
    assert!(until_it_waits(&mut output).contains("nobody is anybody"));
    // Moved away as a copy, and written anew.
    std::fs::rename(&path, folder.path().join("rolegate.toml~")).unwrap();
    std::fs::write(&path, &good).unwrap();
    assert!(until_it_waits(&mut output).contains("passed"));
    // Gone for a while.
    std::fs::remove_file(&path).unwrap();
    assert!(until_it_waits(&mut output).contains("cannot be read"));
    std::fs::write(&path, &bad).unwrap();
    assert!(until_it_waits(&mut output).contains("nobody is anybody"));
    // In place.
    std::fs::write(&path, &good).unwrap();
    assert!(until_it_waits(&mut output).contains("passed"));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// How large a core dump of a process may be, by now and by its own will: C3.
fn core_limit(process: u32) -> Vec<String> {
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    line.split_whitespace().take(2).map(str::to_owned).collect()
}

/// A supervisor's signal closes nothing at once: whoever sends people here must find out first.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_told_to_stop_says_so_and_serves_on_until_it_is_told_again() {
    let plan = Plan::new();
    let provider = "[[provider]]\nid = 'main'\nname = 'Main'\nissuer = 'http://127.0.0.1:9'\nclient_id = 'x'\nclient_auth = 'none'\n";
    let config = plan.config_with(provider, "http://127.0.0.1:9").replace("workers = 1", "workers = 1\nshutdown_delay = \"2m\"");
    let mut gateway = Gateway::start(&config, &Plan::env()).await;
    let ready = async |url: &str| {
        let answer = reqwest::get(format!("{url}/readyz")).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let url = gateway.url().to_owned();
    assert_eq!(core_limit(gateway.process().id()), ["0", "0"], "what crashes writes no secrets down");
    assert_eq!(ready(&url).await, (200, "store: ok\naudit: ok\n".into()));
    gateway.process().signal("TERM");
    let told = async || Some(ready(&url).await).filter(|(status, _)| *status != 200);
    let (status, text) = gateway.process().until(async |_| told().await).await;
    assert_eq!((status, text.as_str()), (503, "store: ok\naudit: ok\nthis gateway is stopping\n"));
    assert_eq!(reqwest::get(format!("{url}/healthz")).await.unwrap().status(), 200);
    gateway.process().signal("TERM");
    assert!(gateway.process().finish().await.success());
}

/// What `rolegate doctor` finds in the folder of a gateway, by part, and its exit code.
fn examined(gateway: &Gateway) -> (BTreeMap<String, (String, String)>, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rolegate"));
    command.args(["doctor", "--json", "--config", "rolegate.toml"]).current_dir(gateway.folder()).envs(Plan::env());
    let said = command.output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let parts = report["examined"].as_array().unwrap().iter();
    let parts = parts.map(|part| (text(&part["part"]), (text(&part["verdict"]), text(&part["seen"])))).collect();
    assert_eq!(report["good"] == true, said.status.success(), "{report}");
    (parts, said.status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_what_is_well_and_what_is_not() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&plan.provider()).await;
    let aws = SandboxAws::start(&plan.url()).await;
    let mut gateway = Gateway::start(&plan.config(&provider, aws.url()), &Plan::env()).await;
    let (found, code) = examined(&gateway);
    for (part, seen) in [
        ("provider main", "key(s)"),
        ("STS in us-east-1", aws.url()),
        ("console sign-in", "/federation: status"),
        ("store", "memory takes sessions"),
        ("audit trail", "audit.jsonl can be opened, and its disk takes more"),
        ("public URL", "a gateway answers"),
        ("clock", "right within"),
    ] {
        let (verdict, said) = found.get(part).unwrap_or_else(|| panic!("{part}: {found:?}"));
        assert!(verdict == "good" && said.contains(seen), "{part}: {found:?}");
    }
    assert_eq!(code, Some(0), "{found:?}");

    gateway.stop().await;
    gateway.configure(&plan.config(&provider, "http://127.0.0.1:9"));
    drop(provider);
    let (found, code) = examined(&gateway);
    let verdict = |part: &str| found.get(part).map(|(verdict, _)| verdict.as_str());
    for (part, expected) in
        [("provider main", "bad"), ("STS in us-east-1", "bad"), ("public URL", "unsure"), ("clock", "unsure"), ("store", "good")]
    {
        assert_eq!(verdict(part), Some(expected), "{part}: {found:?}");
    }
    assert_eq!(code, Some(1));
}
