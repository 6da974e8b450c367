//! `agent`: who may ask it, what it hands out, and that it renews.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::Value;

use super::double::{ADMIN, DoubleGateway, READ_ONLY};
use super::person::Person;
use super::support::{AwsCli, Moto, Running, repository};

struct World {
    gateway: DoubleGateway,
    ana: Person,
    client: Client,
}

impl World {
    fn new() -> Self {
        let gateway = DoubleGateway::start();
        let ana = Person::new(&gateway.url);
        ana.keep_session(&gateway.session());
        Self { gateway, ana, client: Client::builder().no_proxy().build().unwrap() }
    }

    /// An agent, its address and its token.
    async fn agent(&self, arguments: &[&str]) -> (Running, String, String) {
        let mut agent = Running::spawn("agent", &mut self.ana.command(&[&["agent", READ_ONLY, "--shell", "bash"], arguments].concat()));
        let uri = agent.until_line("export AWS_CONTAINER_CREDENTIALS_FULL_URI=").await.trim_matches('\'').to_owned();
        let token = agent.until_line("export AWS_CONTAINER_AUTHORIZATION_TOKEN").await;
        let token = token.split_once('=').unwrap().1.trim_matches('\'').to_owned();
        (agent, uri, token)
    }

    async fn ask(&self, uri: &str, token: &str) -> (StatusCode, Value) {
        let answer = self.client.get(uri).header("Authorization", token).send().await.unwrap();
        (answer.status(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_knows_the_token_and_names_the_address_itself_gets_credentials() {
    let world = World::new();
    let (mut agent, uri, token) = world.agent(&[]).await;
    let (status, credentials) = world.ask(&uri, &token).await;
    assert_eq!(
        (status, credentials["AccessKeyId"].as_str(), credentials["Token"].as_str()),
        (StatusCode::OK, Some("ASIADOUBLE1"), Some("canary-session-token"))
    );
    assert_eq!(credentials["RoleArn"], READ_ONLY);
    for wrong in ["", "x", &format!("Bearer {token}"), &token[1..], &format!("{token}x")] {
        let (status, told) = world.ask(&uri, wrong).await;
        assert_eq!((status, told["code"].as_str()), (StatusCode::UNAUTHORIZED, Some("Unauthorized")), "{wrong}");
    }
    let without = world.client.get(&uri).send().await.unwrap();
    assert_eq!(without.status(), StatusCode::UNAUTHORIZED);
    // A page of evil.example, whose name leads here.
    let rebound = world.client.get(&uri).header("Authorization", &token).header("Host", "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(world.client.post(&uri).header("Authorization", &token).send().await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(world.ask(&uri.replace("/credentials", "/"), &token).await.0, StatusCode::NOT_FOUND);
    for open in ["0.0.0.0:0", "[::]:0", "192.0.2.1:80", "127.0.0.2:0"] {
        let (code, told) = world.ana.ended(&["agent", READ_ONLY, "--listen", open]).await;
        assert!(code == 2 && told.stderr.contains("other machines"), "{told:?}");
    }
    assert!(agent.stop().await.success());
    assert!(!agent.output().contains("canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_and_boto3_take_credentials_from_it_by_token_and_by_file() {
    let world = World::new();
    let moto = Moto::start().await;
    let (_agent, uri, token) = world.agent(&[]).await;
    let by_token = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", token)];
    let (mut filed, uri, file) = world.agent(&["--token-file", "agent-token", "--listen", "[::1]:0"]).await;
    assert!(uri.starts_with("http://[::1]:") && file.starts_with('/'), "{uri} {file}");
    let by_file = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri), ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.clone())];
    for more in [by_token, by_file] {
        let found = world.ana.boto3(moto.url(), None, &more).await;
        assert_eq!((found["method"].as_str(), found["key"].as_str()), (Some("container-role"), Some("ASIADOUBLE1")), "{found}");
        let env: Vec<(&str, &str)> = more.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let by_file = more[1].0.ends_with("_FILE");
        // Version 2.9 reads no token files, and lets no agent be at IPv6's loopback.
        for cli in AwsCli::BOTH.into_iter().filter(|cli| !by_file || *cli == AwsCli::V1) {
            let shown = cli.run(world.ana.home(), &["configure", "list"], &env).await.or_fail();
            assert!(shown.contains("container-role"), "{cli:?}: {shown}");
            let identity = ["sts", "get-caller-identity", "--region", "us-east-1", "--endpoint-url", moto.url()];
            assert!(cli.run(world.ana.home(), &identity, &env).await.or_fail().contains("\"Arn\""), "{cli:?}");
        }
    }
    assert!(filed.stop().await.success());
    assert!(!std::path::Path::new(&file).exists(), "its token goes with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_renews_after_three_quarters_and_nobody_waits_for_that() {
    let world = World::new();
    world.gateway.with(|state| state.life = 20);
    let (_agent, uri, token) = world.agent(&[]).await;
    let key = async || world.ask(&uri, &token).await.1["AccessKeyId"].as_str().unwrap().to_owned();
    let issued = || world.gateway.count("POST /api/v1/credentials");
    // Whoever asks when the time has come is still given what was there, and the next one what is new.
    while issued() == 1 {
        assert_eq!(key().await, "ASIADOUBLE1");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    world.gateway.with(|state| state.life = 3);
    let (_second, uri, token) = world.agent(&["--fresh"]).await;
    let key = async || world.ask(&uri, &token).await.1["AccessKeyId"].as_str().unwrap().to_owned();
    let first = key().await;
    // Too old for anybody: who asks waits for others.
    tokio::time::sleep(Duration::from_millis(3100)).await;
    assert_ne!(key().await, first);
    world
        .gateway
        .with(|state| state.instead.insert("POST /api/v1/credentials".into(), DoubleGateway::problem(403, "not_granted", "No more.")));
    tokio::time::sleep(Duration::from_millis(3100)).await;
    let (status, told) = world.ask(&uri, &token).await;
    assert!(status == StatusCode::FORBIDDEN && told["message"].as_str().unwrap().contains("No more."), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_with_an_agent_that_ends_with_it() {
    let world = World::new();
    let curl = "env | grep -E '^AWS_' | cut -d= -f1 | sort; exit 9";
    let mut command = world.ana.command(&["agent", READ_ONLY, "--", "sh", "-c", curl]);
    let output = command.env("AWS_SESSION_TOKEN", "of another").output().unwrap();
    assert_eq!(output.status.code(), Some(9), "{output:?}");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "AWS_CONFIG_FILE\nAWS_CONTAINER_AUTHORIZATION_TOKEN\nAWS_CONTAINER_CREDENTIALS_FULL_URI\nAWS_SHARED_CREDENTIALS_FILE\n"
    );

    let script = "trap 'echo caught; exit 7' TERM; echo \"at $AWS_CONTAINER_CREDENTIALS_FULL_URI\"; while :; do sleep 0.05; done";
    let mut running = Running::spawn("agent", &mut world.ana.command(&["agent", READ_ONLY, "--", "sh", "-c", script]));
    let uri = running.until_line("at ").await;
    assert_eq!(world.client.get(&uri).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(running.stop().await.code(), Some(7));
    assert!(running.output().contains("caught"));
    assert!(world.client.get(&uri).send().await.is_err(), "nobody listens any more");
    assert_eq!(world.ana.ended(&["agent", READ_ONLY, "--", "sh", "-c", "kill -KILL $$"]).await.0, 137);
    assert_eq!(world.ana.ended(&["agent", READ_ONLY, "--", "no-such-command"]).await.0, 127);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_under_it_finds_no_other_credentials() {
    let world = World::new();
    let moto = Moto::start().await;
    world.ana.write(".aws/credentials", "[default]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = other\n");
    world.ana.write(".aws/config", "[default]\nregion = eu-west-3\naws_access_key_id = AKIAOTHER\naws_secret_access_key = other\n");
    world.ana.write(".boto", "[Credentials]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = other\n");
    let web_identity = world.ana.write("web-identity", "e30.e30.x").display().to_string();
    let others = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", web_identity.as_str()),
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/Other"),
        ("AWS_ROLE_SESSION_NAME", "other"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/other"),
        ("AWS_PROFILE", "default"),
    ];
    let python = repository().join("target/counterparts/venv/bin/python").display().to_string();
    let script = repository().join("tests/counterparts/boto3_credentials.py").display().to_string();
    let mut command = world.ana.command(&["agent", READ_ONLY, "--", &python, &script, moto.url()]);
    let output = command.envs(others).env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!((found["method"].as_str(), found["key"].as_str()), (Some("container-role"), Some("ASIADOUBLE1")), "{found}");

    let seen = |arguments: &[&str]| {
        let command = [&["agent", READ_ONLY], arguments, &["--", "sh", "-c", "env | grep ^AWS_ | sort"]].concat();
        String::from_utf8(world.ana.command(&command).envs(others).output().unwrap().stdout).unwrap()
    };
    assert!(seen(&[]).contains("AWS_DEFAULT_REGION=eu-west-3\nAWS_REGION=eu-west-3\n"), "the region of the default profile goes with it");
    let seen = seen(&["--region", "eu-north-1"]);
    assert!(seen.contains("AWS_REGION=eu-north-1\n") && !seen.contains("eu-west-3"), "{seen}");
    for (name, _) in others {
        assert!(!seen.contains(name), "{name} in {seen}");
    }
}

/// The terminal is that of `script`, which passes on what is typed.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_for_a_command_is_that_commands_and_the_reason_of_the_start_is_kept() {
    let world = World::new();
    world.gateway.with(|state| state.life = 3);
    let ask = "curl -s -H \"Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN\" \"$AWS_CONTAINER_CREDENTIALS_FULL_URI\"";
    let child = format!("sleep 4\n{ask} > first\ntouch asked\nsleep 6\n{ask} > second\nread -r line\necho \"$line\" > line\n");
    world.ana.write("child.sh", &child);
    let typed = "(sleep 2; echo OPS-9; sleep 20; echo typed-for-the-command; sleep 3) | script -qec \"$0 agent $1 -- sh child.sh\" screen";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", typed, env!("CARGO_BIN_EXE_rolegate"), ADMIN]).current_dir(world.ana.home()).env_clear().envs(world.ana.env());
    let mut running = Running::spawn("script", &mut command);
    running.until(async |_| world.ana.home().join("asked").exists().then_some(())).await;
    assert!(world.ana.read("first").contains("ASIADOUBLE2"), "{}", world.ana.read("first"));
    assert_eq!(world.gateway.body("POST /api/v1/credentials")["reason"], "OPS-9");
    let code = DoubleGateway::problem(422, "mfa_code_needed", "A code is wanted.");
    world.gateway.with(|state| state.instead.insert("POST /api/v1/credentials".into(), code));
    running.finish().await;
    assert!(world.ana.read("second").contains("A code is wanted"), "{}", world.ana.read("second"));
    assert_eq!(world.ana.read("line"), "typed-for-the-command\n", "{}", world.ana.read("screen"));
    assert_eq!(world.gateway.body("POST /api/v1/credentials").get("mfa_code"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_there_already_is_no_place_for_its_token() {
    let world = World::new();
    world.ana.write("notes", "mine");
    let (code, told) = world.ana.ended(&["agent", READ_ONLY, "--token-file", "notes"]).await;
    assert!(code == 2 && told.stderr.contains("is there already"), "{told:?}");
    assert_eq!(world.ana.read("notes"), "mine");
    // What an agent left that was killed.
    world.ana.write("left", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let (_agent, uri, _) = world.agent(&["--token-file", "left"]).await;
    assert_eq!(world.ask(&uri, &world.ana.read("left")).await.0, StatusCode::OK);
}
