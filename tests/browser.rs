//! A person's whole way, in Debian's Chromium: picker, the identity provider's own pages, portal, console, credentials, sign-out; once with
//! the sessions in memory and once in Redis. `tests/browser/flow.mjs` walks it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step is a failed test")]

mod support;

use std::fs;

use tokio::sync::Semaphore;

use support::{
    Finished, Gateway, OidcProvider, PRODUCTION, Plan, Redis, SamlOptions, SandboxAws, Scratch, SimpleSaml, chromium, make_key, node,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_way_with_sessions_in_memory() {
    walk(Plan::new(), None, ("way", 14)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_found_with_sessions_in_memory() {
    walk(Plan::new(), None, ("roles", 5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_way_with_sessions_in_redis() {
    // The one walk where it matters: how lists are drawn and filtered is the same over each store, and stores are held against each other elsewhere.
    let redis = Redis::start().await;
    let mut plan = Plan::new();
    plan.store = format!("[store]\nurl = \"{}\"\nseal_keys = [{{ file = \"seal-key\" }}]", redis.url());
    walk(plan, Some(redis), ("way", 14)).await;
}

/// What the walk through requests and rooms needs beside the plan's rules.
const ON_REQUEST: &str = r#"
[[rule]]
id = "admin-on-request"
groups = ["developers"]
accounts = ["Production"]
roles = ["PlatformAdmin"]
requestable = { approvers = ["aws-platform-admins"], max_duration = "2h" }
reason = { pattern = 'OPS-[0-9]+', hint = "the ticket, such as OPS-123" }

[[rule]]
id = "emergency"
groups = ["developers"]
accounts = ["Staging"]
roles = ["PlatformAdmin"]
break_glass = true

[[rule]]
id = "gateway"
groups = ["aws-platform-admins"]
gateway = ["administrator", "auditor"]
"#;

/// Roles on request and for emergencies, and the rooms: `tests/browser/rooms.mjs` walks them.
#[tokio::test(flavor = "multi_thread")]
async fn requests_and_rooms_with_sessions_in_memory() {
    let (plan, folder) = (Plan::new(), Scratch::new());
    let provider = OidcProvider::start(&plan.provider()).await;
    let aws = SandboxAws::start(&plan.url()).await;
    let config = plan.config(&provider, aws.url()) + ON_REQUEST;
    let gateway = Gateway::start_in(folder, &config, &Plan::env()).await;
    let chromium = chromium();
    let (pictures, which) = pictures("rooms");
    let env = [("ROLEGATE_TEST_CHROMIUM", chromium.to_str().unwrap()), ("SCREENSHOTS", pictures.as_str()), ("PICTURES", which)];
    let walked = browse("rooms.mjs", &[gateway.url(), provider.issuer(), aws.url()], &env).await;
    assert!(walked.success, "{}\n{}\n--- the gateway ---\n{}", walked.stdout, walked.stderr, gateway.output());
    let report: serde_json::Value = serde_json::from_str(walked.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(report["steps"], 8, "{}", walked.stdout);
    let secrets: Vec<String> = serde_json::from_value(report["secrets"].clone()).unwrap();
    assert!(secrets.len() >= 6, "the walk saw session cookies and credentials: {} secrets", secrets.len());
    c1_nothing_is_kept(&secrets, &gateway, None);
    let emergencies: Vec<_> = gateway.events("issue").into_iter().map(|event| event["break_glass"] == true).collect();
    assert_eq!(emergencies, [false, true]);
}

/// By SAML, at SimpleSAMLphp on another site: `tests/browser/saml.mjs` walks it.
#[tokio::test(flavor = "multi_thread")]
async fn the_way_in_and_out_by_saml() {
    for binding in ["redirect", "post"] {
        let (plan, folder) = (Plan::new(), Scratch::new());
        let (_, certificate) = make_key(&folder.path().join("gate"), "gate");
        let env = vec![("SP_CERTIFICATE", certificate.to_str().unwrap().to_owned()), ("VALIDATE", "true".to_owned())];
        let idp = SimpleSaml::start(&SamlOptions { gateway: plan.url(), env }).await;
        let more = format!(
            "binding = \"{binding}\"\nidp_initiated = true\nsigning_key = {{ file = \"gate.key\" }}\nsigning_certificate = \"gate.crt\"\n"
        );
        let config = plan.config_with(&idp.table(&more), "http://127.0.0.1:9");
        let gateway = Gateway::start_in(folder, &config, &Plan::env()).await;
        let tile = idp.tile(&plan.url(), "/go?account=Production&role=PlatformAdmin");
        let chromium = chromium();
        let (pictures, which) = pictures(&format!("saml-{binding}"));
        let env = [("ROLEGATE_TEST_CHROMIUM", chromium.to_str().unwrap()), ("SCREENSHOTS", pictures.as_str()), ("PICTURES", which)];
        let walked = browse("saml.mjs", &[gateway.url(), idp.url(), &tile], &env).await;
        assert!(walked.success, "{binding}: {}\n{}\n--- the gateway ---\n{}", walked.stdout, walked.stderr, gateway.output());
        let report: serde_json::Value = serde_json::from_str(walked.stdout.lines().last().unwrap()).unwrap();
        assert_eq!(report["steps"], 4, "{}", walked.stdout);
    }
}

/// A command line by another's OAuth library, with sessions in memory and in Redis: `tests/browser/command_line.mjs` walks it.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_line_is_let_in() {
    for redis in [None, Some(Redis::start().await)] {
        let mut plan = Plan::new();
        if let Some(redis) = &redis {
            plan.store = format!("[store]\nurl = \"{}\"\nseal_keys = [{{ file = \"seal-key\" }}]", redis.url());
        }
        let provider = OidcProvider::start(&plan.provider()).await;
        let folder = Scratch::new();
        folder.write("seal-key", "ab".repeat(32));
        let gateway = Gateway::start_in(folder, &plan.config(&provider, "http://127.0.0.1:9"), &Plan::env()).await;
        let chromium = chromium();
        let (pictures, which) = pictures(&format!("command-line-{}", if redis.is_some() { "redis" } else { "memory" }));
        let env = [("ROLEGATE_TEST_CHROMIUM", chromium.to_str().unwrap()), ("SCREENSHOTS", pictures.as_str()), ("PICTURES", which)];
        let walked = browse("command_line.mjs", &[gateway.url(), provider.issuer()], &env).await;
        assert!(walked.success, "{}\n{}\n--- the gateway ---\n{}", walked.stdout, walked.stderr, gateway.output());
        let report: serde_json::Value = serde_json::from_str(walked.stdout.lines().last().unwrap()).unwrap();
        assert_eq!(report["steps"], 8, "{}", walked.stdout);
        let secrets: Vec<String> = serde_json::from_value(report["secrets"].clone()).unwrap();
        assert!(secrets.len() >= 10, "the walk saw codes, verifiers and tokens: {} secrets", secrets.len());
        c1_nothing_is_kept(&secrets, &gateway, redis.as_ref());
        let consents = gateway.events("command_line");
        let outcomes: Vec<_> = consents.iter().map(|event| event["outcome"].as_str().unwrap()).collect();
        assert_eq!(outcomes, ["ok", "refused", "ok", "ok", "refused", "ok"]);
    }
}

/// Walks by a script of `tests/browser`, with a browser of its own. No more than two browsers run at once: a machine with two cores
/// gives each what a person's browser has, and none waits so long that a page seems not to come.
async fn browse(script: &str, args: &[&str], env: &[(&str, &str)]) -> Finished {
    static BROWSERS: Semaphore = Semaphore::const_new(2);
    let _own = BROWSERS.acquire().await.unwrap();
    node(&format!("tests/browser/{script}"), args, env).await
}

/// Where a walk's pictures go, and which it takes: of every page where somebody asks for them, which takes longer than all the rest, or of the page
/// that it failed at.
fn pictures(walk: &str) -> (String, &'static str) {
    let asked = std::env::var("SCREENSHOTS").ok();
    let folder = asked.as_deref().unwrap_or(concat!(env!("CARGO_TARGET_TMPDIR"), "/screenshots"));
    (format!("{folder}/{walk}"), if asked.is_some() { "every" } else { "failed" })
}

async fn walk(plan: Plan, redis: Option<Redis>, (part, steps): (&str, u64)) {
    let provider = OidcProvider::start(&plan.provider()).await;
    let aws = SandboxAws::start(&plan.url()).await;
    let folder = Scratch::new();
    folder.write("seal-key", "ab".repeat(32));
    let gateway = Gateway::start_in(folder, &plan.config(&provider, aws.url()), &Plan::env()).await;
    assert_eq!(gateway.url(), plan.url());

    let downloads = Scratch::new();
    let expect = format!(
        r#"{{"account":"{PRODUCTION}","accountName":"Production","role":"PlatformAdmin","alsoShown":["Developer"],"neverShown":["Auditor"]}}"#
    );
    let chromium = chromium();
    let mut env = vec![
        ("EXPECT", expect.as_str()),
        ("DOWNLOADS", downloads.path().to_str().unwrap()),
        ("ROLEGATE_TEST_CHROMIUM", chromium.to_str().unwrap()),
        ("PART", part),
    ];
    // Two walks at a time must not write one picture.
    let (pictures, which) = pictures(&format!("{part}-{}", if redis.is_some() { "redis" } else { "memory" }));
    env.push(("PICTURES", which));
    env.push(("SCREENSHOTS", &pictures));
    // The pages do not differ by the store: in every scheme and width they are looked at once.
    env.push(("LOOKS", if redis.is_some() { "one" } else { "every" }));
    let walked = browse("flow.mjs", &[gateway.url(), provider.issuer(), aws.url()], &env).await;
    assert!(walked.success, "{}\n{}\n--- the gateway ---\n{}", walked.stdout, walked.stderr, gateway.output());

    let report: serde_json::Value = serde_json::from_str(walked.stdout.lines().last().unwrap()).unwrap();
    assert!(report["steps"].as_u64().unwrap() >= steps, "steps are missing:\n{}", walked.stdout);
    let mut secrets: Vec<String> = serde_json::from_value(report["secrets"].clone()).unwrap();
    assert!(secrets.len() >= 5, "the walk saw session cookies, codes, sign-in tokens and credentials: {} secrets", secrets.len());
    secrets.push(OidcProvider::CLIENT_SECRET.to_owned());
    c1_nothing_is_kept(&secrets, &gateway, redis.as_ref());
}

/// The canary: no secret of the walk stands in the gateway's log (at its most talkative), in its audit trail or in Redis, in no spelling.
fn c1_nothing_is_kept(secrets: &[String], gateway: &Gateway, redis: Option<&Redis>) {
    let audit = fs::read(gateway.folder().join("audit.jsonl")).unwrap();
    let log = gateway.output().into_bytes();
    // The search finds what is there: who signed in, and what was asked.
    assert!(holds(&audit, "ana@example.org"), "the audit trail names ana");
    assert!(holds(&log, "answered") && holds(&log, "TRACE"), "the log is at its most talkative");
    let mut places = vec![("the gateway's log", log), ("the audit trail", audit)];
    if let Some(redis) = redis {
        let everything = redis.everything();
        assert!(holds(&everything, "rolegate:session:"), "Redis holds a session");
        places.push(("Redis", everything));
    }
    for (place, content) in places {
        for secret in secrets {
            let spellings = [
                secret.clone(),
                url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
                data_encoding::BASE64_NOPAD.encode(secret.as_bytes()),
                data_encoding::HEXLOWER.encode(secret.as_bytes()),
            ];
            let found = spellings.iter().any(|spelling| holds(&content, spelling));
            assert!(!found, "{place} holds a secret of the walk: {}…", secret.chars().take(6).collect::<String>());
        }
    }
}

fn holds(content: &[u8], needle: &str) -> bool {
    content.windows(needle.len()).any(|window| window == needle.as_bytes())
}
