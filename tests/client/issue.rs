//! `credentials`, `env`, `exec`, `console`: what programs get, and what is kept for the next one.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::double::{ADMIN, DoubleGateway, READ_ONLY};
use super::person::Person;
use super::support::{AwsCli, Moto, Running, run};

fn signed_in() -> (DoubleGateway, Person) {
    let gateway = DoubleGateway::start();
    let ana = Person::new(&gateway.url);
    ana.keep_session(&gateway.session());
    (gateway, ana)
}

async fn key(ana: &Person, arguments: &[&str]) -> String {
    let printed: Value = serde_json::from_str(&ana.run(&[&["credentials"], arguments].concat()).await.or_fail()).unwrap();
    assert_eq!(printed["Version"], 1);
    printed["AccessKeyId"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_named_as_people_name_it_and_kept_until_most_of_its_life_is_over() {
    let (gateway, ana) = signed_in();
    ana.write(".config/rolegate/client.toml", "[alias]\nro = \"Production/ReadOnly\"\n");
    for name in [READ_ONLY, "production/readonly", "111122223333/ReadOnly", "ro"] {
        assert_eq!(key(&ana, &[name]).await, "ASIADOUBLE1", "{name}");
    }
    assert_eq!((gateway.count("POST /api/v1/credentials"), gateway.count("GET /api/v1/roles")), (1, 1));
    let everything = ana.everything();
    for secret in ["canary", "ASIADOUBLE", "ReadOnlyPlus"] {
        assert!(!everything.windows(secret.len()).any(|found| found == secret.as_bytes()), "{secret} is in a file in the open");
    }
    assert_eq!(key(&ana, &[READ_ONLY, "--fresh"]).await, "ASIADOUBLE2");
    assert_eq!(key(&ana, &[READ_ONLY]).await, "ASIADOUBLE2");
    assert_eq!(key(&ana, &[READ_ONLY, "--duration", "2h"]).await, "ASIADOUBLE3", "another length is asked for");
    assert_eq!(gateway.body("POST /api/v1/credentials"), json!({"role": READ_ONLY, "duration_seconds": 7200}));
    // Of five seconds, four are used.
    gateway.with(|state| state.life = 5);
    assert_eq!(key(&ana, &[READ_ONLY, "--fresh"]).await, "ASIADOUBLE4");
    tokio::time::sleep(Duration::from_millis(4200)).await;
    gateway.with(|state| state.life = 3600);
    assert_eq!(key(&ana, &[READ_ONLY]).await, "ASIADOUBLE5");
    // Another session has nothing of this one's.
    ana.keep_session(&gateway.session());
    assert_eq!(key(&ana, &[READ_ONLY]).await, "ASIADOUBLE6");

    let (code, told) = ana.ended(&["credentials", "read"]).await;
    assert!(code == 2 && told.stdout.is_empty(), "{told:?}");
    assert!(told.stderr.contains("Production/ReadOnly ") && told.stderr.contains("Production/ReadOnlyPlus "), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_role_wants_is_said_and_once_given_serves_programs_that_cannot_give_it() {
    let (_gateway, ana) = signed_in();
    let (code, told) = ana.ended(&["credentials", ADMIN]).await;
    assert!(code == 5 && told.stderr.contains("number of a ticket") && told.stderr.contains("--reason"), "{told:?}");
    assert_eq!(key(&ana, &[ADMIN, "--reason", "OPS-1"]).await, "ASIADOUBLE1");
    assert_eq!(key(&ana, &[ADMIN]).await, "ASIADOUBLE1");
    assert_eq!(key(&ana, &[ADMIN, "--reason", "OPS-2"]).await, "ASIADOUBLE2", "another reason is another session in the audit trail");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_is_said_to_be_one_and_is_told_before() {
    let (gateway, ana) = signed_in();
    let place = "POST /api/v1/credentials".to_owned();
    gateway.with(|state| state.instead.insert(place.clone(), DoubleGateway::problem(403, "break_glass_needed", "It is for emergencies.")));
    let (code, told) = ana.ended(&["credentials", READ_ONLY, "--reason", "it burns"]).await;
    assert!(code == 5 && told.stderr.contains("It is for emergencies.") && told.stderr.contains("--break-glass"), "{told:?}");
    assert_eq!(gateway.body(&place).get("break_glass"), None);
    gateway.with(|state| state.instead.remove(&place));
    let told = ana.run(&["credentials", READ_ONLY, "--break-glass", "--reason", "it burns"]).await;
    assert!(told.success && told.stderr.contains("it is an alarm"), "{told:?}");
    assert_eq!(gateway.body(&place)["break_glass"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_has_its_exit_code_its_mender_and_its_incident() {
    let (gateway, ana) = signed_in();
    for (status, word, code, mender) in [
        (403, "not_granted", 4, "the administrator of this gateway"),
        (502, "aws_refused", 4, "the administrator of the AWS account"),
        (503, "unavailable", 6, "you"),
        (422, "mfa_code_needed", 5, "you"),
        (500, "something_new", 1, "the administrator of this gateway"),
    ] {
        gateway.with(|state| {
            state.instead.insert(
                "POST /api/v1/credentials".into(),
                DoubleGateway::problem(status, word, "So\u{1b}[31m it is.\nTo be mended by you: curl evil"),
            )
        });
        let (ended, told) = ana.ended(&["credentials", READ_ONLY]).await;
        assert_eq!((ended, told.stdout.as_str()), (code, ""), "{told:?}");
        assert!(!told.stderr.contains("\nTo be mended by you: curl"), "a gateway does not speak in our name: {told:?}");
        for part in ["So\\u{1b}[31m it is.", &format!("To be mended by {mender}:"), "incident-7"] {
            assert!(told.stderr.contains(part), "{part} in {told:?}");
        }
        let (ended, told) = ana.ended(&["credentials", READ_ONLY, "--json"]).await;
        let error: Value = serde_json::from_str(&told.stderr).unwrap();
        assert_eq!(
            (ended, error["error"]["code"].as_str(), error["error"]["exit_code"].as_i64()),
            (code, Some(word), Some(i64::from(code))),
            "{told:?}"
        );
    }
    let gone = Person::new("http://127.0.0.1:9");
    gone.keep_session(&gateway.session());
    let (code, told) = gone.ended(&["credentials", READ_ONLY]).await;
    assert!(code == 6 && told.stderr.contains("cannot be reached"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_still_good_help_over_a_gateway_that_is_down() {
    let (gateway, ana) = signed_in();
    gateway.with(|state| state.life = 20);
    assert_eq!(key(&ana, &[READ_ONLY]).await, "ASIADOUBLE1");
    gateway.with(|state| state.instead.insert("POST /api/v1/credentials".into(), DoubleGateway::problem(503, "unavailable", "Not now.")));
    // Whoever wants new ones is not given old ones.
    assert_eq!(ana.ended(&["credentials", READ_ONLY, "--fresh"]).await.0, 6);
    let asked = gateway.count("POST /api/v1/credentials");
    loop {
        let told = ana.run(&["credentials", READ_ONLY]).await;
        if gateway.count("POST /api/v1/credentials") > asked {
            assert!(told.stderr.contains("Not now. The credentials of before are used"), "{told:?}");
            assert!(told.or_fail().contains("ASIADOUBLE1"));
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_does_not_carry_the_session_away() {
    let (gateway, ana) = signed_in();
    gateway.with(|state| state.instead.insert("GET /api/v1/me".into(), (307, json!({}))));
    let (code, told) = ana.ended(&["whoami"]).await;
    assert!(code == 1 && told.stderr.contains("status 307"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_environment_is_used_and_never_kept() {
    let gateway = DoubleGateway::start();
    let ana = Person::new(&gateway.url);
    let token = gateway.session();
    let whoami = |token: &str| ana.command(&["whoami"]).env("ROLEGATE_TOKEN", token).output().unwrap();
    assert!(whoami(&token).status.success());
    assert!(!String::from_utf8_lossy(&ana.everything()).contains("rgs_"));
    assert_eq!(whoami("rgs_short").status.code(), Some(2));
    gateway.with(|state| state.sessions.clear());
    let mut command = ana.command(&["credentials", READ_ONLY]);
    assert_eq!(command.env("ROLEGATE_TOKEN", &token).output().unwrap().status.code(), Some(3));
    assert!(ana.tabs().is_empty(), "nobody can answer for a token that was given");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_has_the_credentials_to_itself_and_its_end_is_ours() {
    let (_gateway, ana) = signed_in();
    let mut command =
        ana.command(&["exec", READ_ONLY, "--region", "eu-central-1", "--", "sh", "-c", "env | grep -E '^(AWS|ROLEGATE)' | sort; exit 42"]);
    command.env("AWS_PROFILE", "other").env("AWS_ACCESS_KEY_ID", "AKIAOTHER").env("ROLEGATE_TOKEN", ana.token());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(42));
    let seen = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = seen.lines().filter(|line| !line.starts_with("AWS_CREDENTIAL_EXPIRATION=")).collect();
    let expected = [
        "AWS_ACCESS_KEY_ID=ASIADOUBLE1",
        "AWS_DEFAULT_REGION=eu-central-1",
        "AWS_REGION=eu-central-1",
        "AWS_SECRET_ACCESS_KEY=canary-secret-access-key",
        "AWS_SESSION_TOKEN=canary-session-token",
    ];
    let ours: Vec<_> = lines.iter().filter(|line| !line.starts_with("ROLEGATE_GATEWAY=")).copied().collect();
    assert_eq!(ours, expected, "{seen}");
    for (words, code) in [(&["no-such-command"][..], 127), (&["/"], 126)] {
        let (ended, told) = ana.ended(&[&["exec", READ_ONLY, "--"], words].concat()).await;
        assert_eq!(ended, code, "{told:?}");
    }
    assert_eq!(ana.ended(&["exec", "nothing-of-the-kind", "--", "true"]).await.0, 125);

    let mut running = Running::spawn(
        "exec",
        &mut ana.command(&[
            "exec",
            READ_ONLY,
            "--",
            "sh",
            "-c",
            "trap 'echo caught; exit 7' TERM; echo ready; while :; do sleep 0.05; done",
        ]),
    );
    running.until_line("ready").await;
    assert_eq!(running.stop().await.code(), Some(7));
    assert!(running.output().contains("caught"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_shell_reads_its_own_form() {
    let (_gateway, ana) = signed_in();
    for (shell, line) in [
        ("bash", "export AWS_ACCESS_KEY_ID='ASIADOUBLE1'"),
        ("zsh", "export AWS_ACCESS_KEY_ID='ASIADOUBLE1'"),
        ("fish", "set -gx AWS_ACCESS_KEY_ID 'ASIADOUBLE1'"),
        ("powershell", "$env:AWS_ACCESS_KEY_ID = 'ASIADOUBLE1'"),
        ("cmd", "set \"AWS_ACCESS_KEY_ID=ASIADOUBLE1\""),
    ] {
        let printed = ana.run(&["env", READ_ONLY, "--shell", shell, "--region", "eu-west-1"]).await.or_fail();
        assert!(printed.contains(line) && printed.contains("eu-west-1"), "{shell}: {printed}");
    }
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg("eval \"$(\"$0\" env \"$1\")\" && echo \"$AWS_SECRET_ACCESS_KEY\"")
        .arg(env!("CARGO_BIN_EXE_rolegate"))
        .arg(READ_ONLY);
    let evaluated = run("sh", command.env_clear().envs(ana.env()), Duration::from_mins(1)).await.or_fail();
    assert_eq!(evaluated, "canary-secret-access-key\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_is_printed_or_opened_by_an_address_that_tells_nothing() {
    let (gateway, ana) = signed_in();
    let printed = ana.run(&["console", "production/readonly", "--destination", "s3"]).await;
    assert!(printed.stderr.contains("secret"), "{printed:?}");
    assert_eq!(printed.or_fail(), "https://signin.aws.amazon.com/federation?SigninToken=canary\n");
    assert_eq!(gateway.body("POST /api/v1/console"), json!({"role": READ_ONLY, "destination": "s3"}));

    let (mut opening, tab) = ana.until_tab(&["console", READ_ONLY, "--open"]).await;
    assert!(tab.starts_with("http://127.0.0.1:") && !tab.contains("canary"), "{tab}");
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let leads = |url: String| async { client.get(url).send().await.ok()?.headers().get("location").cloned() };
    assert!(leads(format!("{tab}x")).await.is_none(), "who guesses gets nothing, and takes nothing away");
    assert_eq!(leads(tab.clone()).await.unwrap(), "https://signin.aws.amazon.com/federation?SigninToken=canary");
    assert!(leads(tab).await.is_none(), "it leads there once");
    opening.finish().await;
    assert!(!opening.output().contains("canary"), "{}", opening.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_and_boto3_take_the_credentials_from_the_process() {
    let (_gateway, ana) = signed_in();
    let moto = Moto::start().await;
    let program = env!("CARGO_BIN_EXE_rolegate");
    ana.write(".aws/config", &format!("[profile work]\ncredential_process = \"{program}\" credentials {READ_ONLY}\n"));
    let env = ana.env();
    let mut env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    env.push(("AWS_PROFILE", "work"));
    let arguments = ["sts", "get-caller-identity", "--region", "us-east-1", "--endpoint-url", moto.url()];
    for cli in AwsCli::BOTH {
        let shown = cli.run(ana.home(), &["configure", "list"], &env).await.or_fail();
        assert!(shown.contains("BLE1") && shown.contains("custom-process"), "{cli:?}: {shown}");
        assert!(cli.run(ana.home(), &arguments, &env).await.or_fail().contains("\"Arn\""), "{cli:?}");
    }
    let found = ana.boto3(moto.url(), Some("work"), &[]).await;
    assert_eq!(
        (found["method"].as_str(), found["key"].as_str(), found["token"].as_str()),
        (Some("custom-process"), Some("ASIADOUBLE1"), Some("canary-session-token"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_watches_no_role_is_guessed() {
    let (gateway, ana) = signed_in();
    for word in ["", " ", "plus", "staging"] {
        let (code, told) = ana.ended(&["exec", word, "--", "touch", "ran"]).await;
        assert!(code == 125 && !ana.home().join("ran").exists(), "{word:?}: {told:?}");
        assert!(word.trim().is_empty() || told.stderr.contains("ACCOUNT/ROLE"), "{told:?}");
    }
    assert_eq!(gateway.count("POST /api/v1/credentials"), 0);
    let help = ana.run(&["credentials", "--help"]).await.or_fail();
    assert!(help.contains("you are asked"), "a code is better typed than put into a command line: {help}");
}
