//! What a monitor is told, against the trail of the same gateway and by the eyes of Prometheus' own reader.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "the helpers stand outside of test functions")]
#![expect(clippy::float_cmp, reason = "OpenMetrics has floats alone, and these are whole numbers")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use regex::Regex;
use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::support::{
    Gateway, OidcOptions, OidcProvider, PRODUCTION, Plan, Redis, STAGING, SandboxAws, Scratch, Visitor, free_port, python, repository,
};

const ALERTS: &str = "packaging/prometheus/alerts.yml";
const DASHBOARD: &str = "packaging/grafana/rolegate.json";

#[derive(Debug, Deserialize)]
struct Read {
    families: BTreeMap<String, String>,
    samples: Vec<Sample>,
    alerts: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Read {
    /// The value of one sample.
    #[track_caller]
    fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let is_it = |sample: &&Sample| {
            sample.name == name && sample.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).eq(labels.iter().copied())
        };
        let found = self.samples.iter().find(is_it);
        found.unwrap_or_else(|| panic!("{name}{labels:?} is not served: {:#?}", self.samples)).value
    }

    /// All samples of a counter that are not zero, by the values of these labels.
    fn counted(&self, name: &str, labels: &[&str]) -> BTreeMap<Vec<String>, f64> {
        let of_it = self.samples.iter().filter(|sample| sample.name == name && sample.value > 0.0);
        of_it.map(|sample| (labels.iter().map(|label| sample.labels[*label].clone()).collect(), sample.value)).collect()
    }
}

/// A gateway with metrics before the real counterparts.
struct World {
    gateway: Gateway,
    config: String,
    metrics: String,
    aws: SandboxAws,
    _provider: OidcProvider,
}

impl World {
    async fn start() -> Self {
        let plan = Plan::new();
        let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
        let aws = SandboxAws::start(&plan.url()).await;
        let port = free_port();
        let tables = format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n[trust.saml]\nregions = [\"eu-central-1\"]\n[audit]");
        let config = plan.config(&provider, aws.url()).replace("[audit]", &tables);
        let gateway = Gateway::start(&config, &Plan::env()).await;
        Self { gateway, config, metrics: format!("http://127.0.0.1:{port}"), aws, _provider: provider }
    }

    async fn ask(&self, method: Method, path: &str) -> (StatusCode, reqwest::header::HeaderMap, String) {
        let answer = Client::new().request(method, format!("{}{path}", self.metrics)).send().await.unwrap();
        (answer.status(), answer.headers().clone(), answer.text().await.unwrap())
    }

    /// What is served, read by Prometheus' own reader.
    async fn read(&self) -> (Read, String) {
        let (status, headers, text) = self.ask(Method::GET, "/metrics").await;
        assert_eq!(status, 200, "{text}");
        assert_eq!(headers["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
        assert!(!headers.contains_key("set-cookie"));
        let file = self.gateway.folder().join("metrics.txt");
        std::fs::write(&file, &text).unwrap();
        let alerts = repository().join(ALERTS);
        let read = python("tests/counterparts/read_metrics.py", &[file.to_str().unwrap(), alerts.to_str().unwrap()]).await.or_fail();
        (serde_json::from_str(&read).unwrap(), text)
    }

    /// How many events of the trail have these members.
    fn in_trail(&self, kind: &str, members: &[&str]) -> BTreeMap<Vec<String>, f64> {
        let mut counted = BTreeMap::new();
        for event in self.gateway.events(kind) {
            let member = |name: &&str| match *name {
                "provider" => event["person"]["provider"].as_str().or(event["provider"].as_str()),
                name => event[name].as_str(),
            };
            let key: Vec<_> = members.iter().map(|name| member(name).unwrap_or_default().to_owned()).collect();
            *counted.entry(key).or_insert(0.0) += 1.0;
        }
        counted
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w14_metrics_say_what_the_trail_says_of_nobody_and_where_nobody_else_looks() {
    let mut world = World::start().await;
    let gateway = world.gateway.url().to_owned();
    let mut ana = Visitor::new();
    let portal = ana.open(&format!("{gateway}/login/main?next=%2F")).await.or_fail();
    let [granted, refused] = ["PlatformAdmin", "Auditor"].map(|name| format!("arn:aws:iam::{PRODUCTION}:role/{name}"));
    for _ in 0..2 {
        ana.post(&portal, "/credentials", &[("role", &granted), ("duration", "3600")]).await.or_fail();
    }
    let no = ana.post(&portal, "/credentials", &[("role", &refused), ("duration", "3600")]).await;
    assert_eq!(no.status, 403, "{}", no.body);
    let forged = ana.open(&format!("{gateway}/callback/main?state={}&code=x", "A".repeat(43))).await;
    assert!(forged.status.is_client_error());
    ana.open(&format!("{gateway}/ana/{PRODUCTION}")).await;
    let (read, text) = world.read().await;

    // The trail is another process's file, and says the same.
    let signed_in = world.in_trail("sign_in", &["provider", "outcome"]);
    assert_eq!(signed_in, [(vec!["main".into(), "ok".into()], 1.0)].into());
    assert_eq!(read.counted("rolegate_sign_ins_total", &["provider", "outcome"]), signed_in);
    let sort = ["operation", "purpose", "outcome"];
    let issued = world.in_trail("issue", &sort);
    assert_eq!(issued.get(["AssumeRoleWithWebIdentity", "credentials", "ok"].map(str::to_owned).as_slice()), Some(&2.0), "{issued:?}");
    assert_eq!(issued.values().sum::<f64>(), 3.0);
    assert_eq!(read.counted("rolegate_issuances_total", &sort), issued);
    let kinds = ["sign_in", "issue"].map(|kind| world.in_trail(kind, &["kind", "outcome"]));
    assert_eq!(read.counted("rolegate_audit_events_total", &["kind", "outcome"]), kinds.into_iter().flatten().collect());
    assert_eq!(read.value("rolegate_audit_failures_total", &[]), 0.0);
    assert_eq!(read.value("rolegate_unsolicited_answers_total", &[]), 1.0);

    // No label tells of whom, where or why.
    let trail = std::fs::read_to_string(world.gateway.folder().join("audit.jsonl")).unwrap();
    let events: Vec<Value> = trail.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let incidents = events.iter().map(|event| event["incident"].as_str().unwrap());
    let secrets = ["ana", PRODUCTION, STAGING, "Production", "PlatformAdmin", "Auditor", "platform-admins", "127.0.0.1\""];
    let told: BTreeSet<_> = read.samples.iter().flat_map(|sample| sample.labels.values()).collect();
    for secret in secrets.into_iter().chain(incidents) {
        assert!(told.iter().all(|label| !label.contains(secret)), "{secret} is in {told:?}");
    }

    // Requests by their routes, and what is no route of ours together.
    let posted = [("method", "POST"), ("route", "/credentials"), ("status", "3xx")];
    assert_eq!(read.value("rolegate_http_requests_total", &posted), 2.0);
    let unknown = [("method", "GET"), ("route", "other"), ("status", "4xx")];
    assert_eq!(read.value("rolegate_http_requests_total", &unknown), 1.0);
    assert_eq!(read.value("rolegate_http_request_duration_seconds_count", &[("route", "/login/{provider}")]), 1.0);
    // How it does.
    for up in ["rolegate_ready", "rolegate_store_up", "rolegate_audit_up", "rolegate_policy_up_to_date"] {
        assert_eq!(read.value(up, &[]), 1.0, "{up}");
    }
    assert_eq!((read.value("rolegate_policy_rules", &[]), read.value("rolegate_policy_accounts", &[])), (3.0, 2.0));
    assert_eq!(read.value("rolegate_provider_up", &[("provider", "main")]), 1.0);
    let endpoint = world.aws.url().trim_start_matches("http://");
    let answered = [("endpoint", endpoint), ("outcome", "answered"), ("partition", "aws")];
    assert_eq!(read.value("rolegate_sts_requests_total", &answered), 2.0);
    assert_eq!(read.value("rolegate_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    names_are_served_and_documented(&read);

    // Its listener has nothing else, and the public one has not even this.
    for (method, path) in
        [(Method::GET, "/"), (Method::GET, "/readyz"), (Method::GET, "/metrics/"), (Method::GET, "/login"), (Method::POST, "/metrics")]
    {
        let (status, headers, body) = world.ask(method.clone(), path).await;
        assert_eq!((status.as_u16(), body.as_str()), (404, ""), "{method} {path}");
        assert!(!headers.contains_key("set-cookie") && !headers.contains_key("location"));
    }
    let public = reqwest::get(format!("{gateway}/metrics")).await.unwrap();
    assert_eq!(public.status(), 404);
    assert!(!public.text().await.unwrap().contains("rolegate_") && text.ends_with("# EOF\n"));

    // Newer rules that are refused are seen, and with the gateway the listener ends.
    world.gateway.configure(&world.config.replace("accounts = [\"*\"]", "accounts = [\"Nowhere\"]"));
    world.gateway.process().signal("HUP");
    let refused_rules = async {
        while !world.ask(Method::GET, "/metrics").await.2.contains("\nrolegate_policy_reload_failures_total 1\n") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), refused_rules).await.expect("the refused rules are counted");
    assert!(world.ask(Method::GET, "/metrics").await.2.contains("\nrolegate_policy_up_to_date 0.0\n"));
    assert!(world.gateway.stop().await.success());
    assert!(Client::new().get(format!("{}/metrics", world.metrics)).send().await.unwrap_err().is_connect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_is_told_of_and_not_waited_for() {
    let (mut redis, port, folder) = (Redis::start().await, free_port(), Scratch::new());
    folder.write("seal-key", "ab".repeat(32));
    let store = format!("[store]\nurl = \"{}\"\nseal_keys = [{{ file = \"seal-key\" }}]\n", redis.url());
    let mut plan = Plan::new();
    plan.store = format!("{store}[metrics]\nlisten = \"127.0.0.1:{port}\"");
    let provider =
        "[[provider]]\nid = \"main\"\nname = \"Main\"\nissuer = \"https://idp.example\"\nclient_id = \"a\"\nclient_auth = \"none\"\n";
    let _gateway = Gateway::start_in(folder, &plan.config_with(provider, "http://127.0.0.1:9"), &Plan::env()).await;
    let ask = async || reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await.unwrap().text().await.unwrap();
    let says = |text: &str, ready: u8, store: u8| {
        ["rolegate_audit_up 1.0".into(), format!("rolegate_ready {ready}.0"), format!("rolegate_store_up {store}.0")]
            .iter()
            .all(|line: &String| text.lines().any(|found| found == line))
    };
    let text = ask().await;
    assert!(says(&text, 1, 1), "{text}");
    redis.process().signal("STOP");
    // An answer serves for a second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let began = Instant::now();
    let text = ask().await;
    assert!(says(&text, 0, 0) && began.elapsed() < Duration::from_secs(5), "{:?}\n{text}", began.elapsed());
    redis.process().signal("CONT");
    let recovered = async {
        while !says(&ask().await, 1, 1) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), recovered).await.expect("the store answers again");
}

/// What alerts and dashboard ask for is served, and what is served is in the documentation.
fn names_are_served_and_documented(read: &Read) {
    let served: BTreeSet<_> = read.samples.iter().map(|sample| sample.name.as_str()).collect();
    let names = Regex::new(r"\b(?:rolegate|process)_[a-z_]+").unwrap();
    let dashboard = std::fs::read_to_string(repository().join(DASHBOARD)).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap()).map(|target| target["expr"].as_str().unwrap());
    let asked: Vec<_> = targets.chain(read.alerts.values().map(String::as_str)).collect();
    assert!(read.alerts.len() >= 7 && asked.len() >= 18, "{asked:?}");
    for expression in asked {
        let mut found = names.find_iter(expression).peekable();
        assert!(found.peek().is_some(), "{expression} asks for nothing of ours");
        for name in found {
            assert!(served.contains(name.as_str()), "{expression}: {} is not served: {served:?}", name.as_str());
        }
    }
    let page = std::fs::read_to_string(repository().join("docs/operations.md")).unwrap();
    for (family, kind) in &read.families {
        let name = match kind.as_str() {
            "counter" => format!("{family}_total"),
            "info" => format!("{family}_info"),
            _ => family.clone(),
        };
        assert!(page.contains(&format!("| `{name}` |")), "docs/operations.md does not have {name}");
    }
}
