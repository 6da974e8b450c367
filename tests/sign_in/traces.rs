//! What a collector gets, read by OpenTelemetry's own definitions.

#![expect(clippy::unwrap_used, reason = "the helper stands outside of test functions")]

use std::process::Command;

use serde_json::Value;

use crate::support::{
    Gateway, OidcOptions, OidcProvider, PRODUCTION, Plan, Running, SandboxAws, Visitor, free_port, installed, repository,
};

/// Somebody signs in and gets credentials before a gateway whose traces a collector takes, and the gateway is stopped.
async fn spans_of_a_day(sample: &str) -> (Vec<Value>, String) {
    let port = free_port();
    let mut command = Command::new(installed("venv/bin/python"));
    command.arg(repository().join("tests/counterparts/otlp_collector.py")).arg(port.to_string());
    let mut collector = Running::spawn("otlp_collector", &mut command);
    collector.until(async |running| running.output().contains("ready").then_some(())).await;
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let aws = SandboxAws::start(&plan.url()).await;
    let key = "headers = { x-key = { env = \"ROLEGATE_TEST_COLLECTOR\" } }";
    let table = format!("[traces]\nendpoint = \"http://127.0.0.1:{port}\"\nsample = {sample}\n{key}\n[audit]");
    let config = plan.config(&provider, aws.url()).replace("[audit]", &table);
    let env: Vec<_> = Plan::env().into_iter().chain([("ROLEGATE_TEST_COLLECTOR", "collectors-key")]).collect();
    let mut gateway = Gateway::start(&config, &env).await;
    let mut ana = Visitor::new();
    let portal = ana.open(&format!("{}/login/main?next=%2F", gateway.url())).await.or_fail();
    let role = format!("arn:aws:iam::{PRODUCTION}:role/PlatformAdmin");
    ana.post(&portal, "/credentials", &[("role", &role)]).await.or_fail();
    gateway.stop().await;
    let log = gateway.output();
    let output = collector.output();
    let spans = output.lines().filter_map(|line| line.strip_prefix("span ")).map(|line| serde_json::from_str(line).unwrap()).collect();
    (spans, log)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_each_request_with_what_it_waited_for() {
    let (spans, log) = spans_of_a_day("1.0").await;
    let named = |name: &str| spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("no span {name}: {spans:#?}\n{log}"));
    let callback = named("GET /callback/{provider}");
    assert_eq!(callback["resource"]["service.name"], "rolegate");
    assert_eq!(callback["kind"], 2, "a server's");
    assert_eq!(callback["attributes"]["http.route"], "/callback/{provider}");
    assert_eq!(callback["attributes"]["http.response.status_code"], 303);
    let below = |parent: &Value, name: &str| {
        let is_it = |span: &&Value| span["name"] == name && span["parent"] == parent["id"] && span["trace"] == parent["trace"];
        assert!(spans.iter().any(|span| is_it(&span)), "no span {name} below {parent:#}: {spans:#?}");
    };
    below(callback, "POST");
    below(callback, "audit trail");
    let issued = named("POST /credentials");
    below(issued, "STS");
    below(issued, "audit trail");
    // Nothing in it is of a person or a secret, though all of it was sent.
    let all = format!("{spans:?}");
    for private in ["ana", "PlatformAdmin", PRODUCTION, "code=", "state=", "eyJ", "collectors-key"] {
        assert!(!all.contains(private), "{private} is in the traces: {all}");
    }
    assert!(all.contains("127.0.0.1"), "the provider's address is where it would be found");
    assert!(!log.contains("collectors-key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_none_sends_nothing() {
    let (spans, log) = spans_of_a_day("0.0").await;
    assert!(spans.is_empty(), "{spans:#?}");
    assert!(log.contains("\"stopping: requests in flight may finish\""), "{log}");
}
