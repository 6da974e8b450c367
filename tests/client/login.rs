//! `login`, `logout`, `whoami`, `roles`: sessions, and how few tabs they take.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use super::double::{ADMIN, DoubleGateway, READ_ONLY};
use super::person::Person;
use super::support::Running;

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_has_a_session_in_a_file_of_their_own_and_who_signs_out_has_none() {
    let gateway = DoubleGateway::start();
    let ana = Person::new(&gateway.url);
    let (code, before) = ana.ended(&["whoami"]).await;
    assert!(code == 3 && before.stderr.contains("not signed in") && before.stderr.contains("rolegate login"), "{code} {before:?}");

    let mut login = ana.sign_in().await;
    let told = login.until_line("ana at ").await;
    assert_eq!(told, gateway.url);
    assert!(login.output().contains("there is no keyring here"), "{}", login.output());
    assert!(!login.output().contains("rgs_"), "{}", login.output());
    let state = std::fs::read_dir(ana.home().join(".local/state/rolegate")).unwrap().flatten();
    let session = state.map(|file| file.path()).find(|path| path.display().to_string().contains("session-")).unwrap();
    assert_eq!(std::fs::metadata(&session).unwrap().mode() & 0o777, 0o600);

    let me: serde_json::Value = serde_json::from_str(&ana.run(&["whoami", "--json"]).await.or_fail()).unwrap();
    assert_eq!((me["username"].as_str(), me["gateway"].as_str()), (Some("ana"), Some(gateway.url.as_str())));
    assert!(ana.run(&["logout"]).await.or_fail().is_empty());
    assert!(!session.exists() && gateway.with(|state| state.sessions.is_empty()), "here and there");
    assert_eq!(ana.ended(&["whoami"]).await.0, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_is_remembered_and_two_gateways_are_two_sessions() {
    let (one, other) = (DoubleGateway::start(), DoubleGateway::start());
    let mut ana = Person::new(&one.url);
    ana.keep_session(&one.session());
    let mut login = Running::spawn("rolegate", ana.command(&["login", "--gateway", &one.url]).env_remove("ROLEGATE_GATEWAY"));
    let tab = login.until(async |_| ana.tabs().first().cloned()).await;
    reqwest::get(tab).await.unwrap();
    login.until_line("ana at ").await;
    assert_eq!(ana.read(".config/rolegate/client.toml"), format!("gateway = \"{}\"\n", one.url));
    let status = ana.command(&["whoami"]).env_remove("ROLEGATE_GATEWAY").output().unwrap();
    assert!(String::from_utf8(status.stdout).unwrap().contains(&one.url), "the one that was remembered");
    assert_eq!(ana.ended(&["whoami", "--gateway", &other.url]).await.0, 3, "a session is one gateway's");
    assert_eq!(one.with(|state| state.sessions.len()), 1, "the session of before was ended");
    ana.gateway = "http://roles.example.org".into();
    let (code, refused) = ana.ended(&["whoami"]).await;
    assert!(code == 2 && refused.stderr.contains("in the open"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_signs_in_where_there_is_no_browser() {
    let gateway = DoubleGateway::start();
    gateway.with(|state| state.pending = Some(1));
    let ana = Person::new(&gateway.url);
    let told = ana.run(&["login", "--device"]).await;
    assert!(told.stderr.contains("WDJB-MJHT") && told.stderr.contains(&format!("{}/device", gateway.url)), "{told:?}");
    assert!(told.or_fail().contains("ana at"));
    assert_eq!((gateway.count("POST /oauth2/token"), ana.tabs().len()), (2, 0));

    gateway.with(|state| state.pending = None);
    let (code, refused) = ana.ended(&["login", "--device"]).await;
    assert!(code == 3 && refused.stderr.contains("refused"), "{refused:?}");
    assert!(ana.run(&["whoami"]).await.success, "the session of before is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_programs_that_find_no_session_open_one_tab_and_share_what_it_brings() {
    let gateway = DoubleGateway::start();
    let ana = Person::new(&gateway.url);
    let start = || Running::spawn("rolegate", &mut ana.command(&["credentials", READ_ONLY]));
    let mut programs: Vec<Running> = (0..10).map(|_| start()).collect();
    let tab = programs[0].until(async |_| ana.tabs().first().cloned()).await;
    // Time for a second one to open a tab too, if it were to.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    reqwest::get(tab).await.unwrap();
    for program in &mut programs {
        assert!(program.finish().await.success(), "{}", program.output());
        assert!(program.output().contains("\"AccessKeyId\": \"ASIADOUBLE1\""), "{}", program.output());
    }
    assert_eq!(ana.tabs().len(), 1);
    assert_eq!(gateway.count("POST /oauth2/token"), 1);
    assert_eq!(gateway.count("POST /api/v1/credentials"), 1, "what the first one got is all others'");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_that_nobody_answered_is_not_opened_again_by_programs() {
    let gateway = DoubleGateway::start();
    let ana = Person::new(&gateway.url);
    ana.keep_session(&gateway.session());
    gateway.with(|state| state.sessions.clear());
    // The gateway refuses, which is no answer either, and quicker than to wait five minutes.
    let denied = (400, serde_json::json!({ "error": "invalid_grant" }));
    gateway.with(|state| state.instead.insert("POST /oauth2/token".into(), denied));
    let (mut first, tab) = ana.until_tab(&["credentials", READ_ONLY]).await;
    reqwest::get(tab).await.unwrap();
    first.until_line("The gateway does not complete the sign-in").await;
    for _ in 0..3 {
        let (code, told) = ana.ended(&["credentials", READ_ONLY]).await;
        assert!(code == 3 && told.stderr.contains("without an answer") && told.stderr.contains("rolegate login"), "{told:?}");
    }
    assert_eq!(ana.tabs().len(), 1);
    gateway.with(|state| state.instead.clear());
    let _login = ana.sign_in().await;
    assert!(ana.run(&["credentials", READ_ONLY]).await.success);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_calls_at_the_way_back_ends_nothing() {
    let gateway = DoubleGateway::start();
    let ana = Person::new(&gateway.url);
    let (mut login, tab) = ana.until_tab(&["login"]).await;
    assert!(tab.starts_with("http://127.0.0.1:") && tab.len() < 80, "other users of the machine see it: {tab}");
    let tab = url::Url::parse(&ana.led(&tab).await).unwrap();
    let redirect = tab.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
    for query in ["code=evil&state=guessed", "error=access_denied&state=", "code=evil", ""] {
        let answer = reqwest::get(format!("{redirect}?{query}&iss={}", gateway.url)).await.unwrap();
        assert_eq!(answer.status(), 400, "{query}");
    }
    let rebound = reqwest::Client::new().get(&redirect).header("Host", "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), 421);
    let page = reqwest::get(tab).await.unwrap();
    assert!(page.text().await.unwrap().contains("Back to the command line"));
    login.until_line("ana at ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_names_addresses_of_others_is_not_believed() {
    let gateway = DoubleGateway::start();
    let ana = Person::new(&gateway.url);
    let own = |issuer: &str, token: &str| {
        serde_json::json!({
            "issuer": issuer, "authorization_endpoint": format!("{}/oauth2/authorize", gateway.url), "token_endpoint": token,
            "device_authorization_endpoint": format!("{}/oauth2/device_authorization", gateway.url), "revocation_endpoint": format!("{}/oauth2/revoke", gateway.url),
        })
    };
    for (issuer, token) in
        [("https://evil.example", &*format!("{}/oauth2/token", gateway.url)), (&gateway.url, "https://evil.example/token")]
    {
        gateway.with(|state| state.instead.insert("GET /.well-known/oauth-authorization-server".into(), (200, own(issuer, token))));
        let (code, told) = ana.ended(&["login"]).await;
        assert!(code == 1 && told.stderr.contains("says that it is"), "{told:?}");
    }
    assert!(ana.tabs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_listed_filtered_and_printed_for_programs() {
    let gateway = DoubleGateway::start();
    let ana = Person::new(&gateway.url);
    ana.keep_session(&gateway.session());
    let table = ana.run(&["roles"]).await.or_fail();
    assert!(table.starts_with("ACCOUNT ") && table.lines().count() == 4, "{table}");
    let line = table.lines().find(|line| line.contains("ops/Admin")).unwrap();
    assert!(line.starts_with("Staging EU") && line.ends_with("reason"), "{line}");
    let filtered = ana.run(&["roles", "staging", "ENV=PROD"]).await.or_fail();
    assert_eq!(filtered.lines().count(), 2, "{filtered}");
    let json: serde_json::Value = serde_json::from_str(&ana.run(&["roles", "admin", "--json"]).await.or_fail()).unwrap();
    assert_eq!((json["roles"][0]["arn"].as_str(), json["roles"].as_array().unwrap().len()), (Some(ADMIN), 1));
    let none = ana.run(&["roles", "nowhere"]).await;
    assert!(none.success && none.stdout.is_empty() && none.stderr.contains("None of your 3 roles"), "{none:?}");
    assert!(ana.run(&["roles", "nowhere", "--quiet"]).await.stderr.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn names_from_elsewhere_do_not_steer_the_terminal() {
    let gateway = DoubleGateway::start();
    let ana = Person::new(&gateway.url);
    ana.keep_session(&gateway.session());
    let evil = "\u{1b}]0;owned\u{7}Prod\n\u{9b}2J\u{202e}x";
    let role = |arn: &str| serde_json::json!({ "arn": arn, "account": { "id": "111122223333", "name": evil, "tags": { "e": evil } } });
    let me = serde_json::json!({ "username": evil, "groups": [evil], "session": { "ends": "2026-11-24T12:00:00Z" } });
    gateway.with(|state| {
        let roles = serde_json::json!({ "roles": [role(READ_ONLY), role("arn:aws:iam::111122223333:role/Other")] });
        state.instead.insert("GET /api/v1/roles".into(), (200, roles));
        state.instead.insert("GET /api/v1/me".into(), (200, me));
    });
    for (arguments, code) in [
        (&["roles"][..], 0),
        (&["roles", "--json"], 0),
        (&["whoami"], 0),
        (&["whoami", "--json"], 0),
        (&["credentials", "prod"], 2),
        (&["credentials", "prod", "--json"], 2),
        (&["configure"], 5),
        (&["configure", "--json"], 5),
    ] {
        let (ended, told) = ana.ended(arguments).await;
        let written = told.stdout + &told.stderr;
        assert!(ended == code && written.contains("owned"), "{arguments:?}: {ended} {written:?}");
        assert!(!written.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{arguments:?}: {written:?}");
        assert!(!written.lines().any(|line| line.starts_with("\\u{9b}")), "{arguments:?}: {written:?}");
    }
}

/// The keyring of GNOME, started for this test on a bus of its own.
#[tokio::test(flavor = "multi_thread")]
async fn with_a_keyring_the_session_is_in_it_and_in_no_file() {
    let gateway = DoubleGateway::start();
    gateway.with(|state| state.pending = Some(0));
    let ana = Person::new(&gateway.url);
    let script = "set -e\n\
        printf test | gnome-keyring-daemon --unlock --components=secrets > daemon 2>&1\n\
        \"$0\" login --device > login 2> login.errors\n\
        \"$0\" whoami > whoami\n\
        cp -r .local/state/rolegate state\n\
        \"$0\" credentials \"$1\" > credentials\n\
        \"$0\" logout\n\
        ! \"$0\" whoami 2> after\n";
    let mut command = Command::new("dbus-run-session");
    command.args(["--", "sh", "-c", script, env!("CARGO_BIN_EXE_rolegate"), READ_ONLY]).current_dir(ana.home()).env_clear();
    command.envs(ana.env()).env_remove("DBUS_SESSION_BUS_ADDRESS").env("XDG_RUNTIME_DIR", ana.home());
    let ended = super::support::run("dbus-run-session", &mut command, std::time::Duration::from_mins(2)).await;
    let told = format!("{ended:?}\n{}\n{}", ana.read("daemon"), ana.read("login.errors"));
    assert!(ended.success, "{told}");
    assert!(ana.read("whoami").starts_with("ana at ") && !ana.read("login.errors").contains("kept in"), "{told}");
    let files: Vec<_> = std::fs::read_dir(ana.home().join("state")).unwrap().flatten().map(|file| file.file_name()).collect();
    assert!(!files.iter().any(|name| name.to_string_lossy().starts_with("session-")), "{files:?}");
    assert!(ana.read("credentials").contains("canary-secret-access-key"));
    assert!(ana.read("after").contains("not signed in"));
    assert!(!String::from_utf8_lossy(&ana.everything()).contains("rgs_"), "no session in any file, the keyring's own included");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_not_asked_has_not_left_it_unanswered() {
    let gateway = DoubleGateway::start();
    let ana = Person::new(&gateway.url);
    gateway.with(|state| state.instead.insert("GET /.well-known/oauth-authorization-server".into(), (503, serde_json::json!({}))));
    assert_ne!(ana.ended(&["credentials", READ_ONLY]).await.0, 0);
    assert!(ana.tabs().is_empty());
    gateway.with(|state| state.instead.clear());
    let (mut program, tab) = ana.until_tab(&["credentials", READ_ONLY]).await;
    reqwest::get(tab).await.unwrap();
    assert!(program.finish().await.success(), "{}", program.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_with_a_token_of_the_environment_leaves_no_session_behind() {
    let gateway = DoubleGateway::start();
    let ana = Person::new(&gateway.url);
    let _other = gateway.session();
    ana.keep_session(&gateway.session());
    let given = gateway.session();
    let output = ana.command(&["logout"]).env("ROLEGATE_TOKEN", given).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(gateway.with(|state| state.sessions.len()), 1, "the one that is not ours");
}
