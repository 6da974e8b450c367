//! A rule with `operation = "saml"`, from a click to AWS: against moto (the wire format) and against the sandbox, which is as strict as AWS.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod support;

use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpResponse, HttpServer, web};
use reqwest::{Client, redirect};
use serde_json::Value;
use support::{
    Finished, Gateway, Moto, OidcOptions, OidcProvider, PRODUCTION, Page, Plan, SandboxAws, Scratch, Visitor, aws_cli, chromium, node,
};

const TABLE: &str = "[trust.saml]\nregions = [\"eu-central-1\", \"eu-west-1\"]\n";

/// The plan's configuration, with SAML for `PlatformAdmin`.
fn by_saml(plan: &Plan, provider: &OidcProvider, aws: &str, table: &str) -> String {
    let config = plan.config(provider, aws);
    let rule = "roles = [\"PlatformAdmin\"]\n";
    assert!(config.contains(rule));
    let tags = "tags = { Mail = \"${username}\" }\ntransitive_tags = [\"Mail\"]\n";
    config.replace(rule, &format!("{rule}operation = \"saml\"\n{tags}")).replace("[audit]", &format!("{table}\n[audit]"))
}

async fn signed_in(gateway: &Gateway) -> (Visitor, Page) {
    let mut ana = Visitor::new();
    let portal = ana.open(&format!("{}/login/main?next=%2F", gateway.url())).await.or_fail();
    (ana, portal)
}

fn role() -> String {
    format!("arn:aws:iam::{PRODUCTION}:role/PlatformAdmin")
}

/// The issuances in the audit trail.
fn issuances(gateway: &Gateway) -> Vec<Value> {
    let audit = std::fs::read_to_string(gateway.folder().join("audit.jsonl")).unwrap();
    let events = audit.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.filter(|event| event["kind"] == "issue").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_reads_the_response_and_the_aws_cli_uses_what_it_bought() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let moto = Moto::start().await;
    let gateway = Gateway::start(&by_saml(&plan, &provider, moto.url(), TABLE), &Plan::env()).await;
    let (mut ana, portal) = signed_in(&gateway).await;
    let (role, format) = (role(), "profile");
    let fields = [("role", role.as_str()), ("duration", "900"), ("format", format)];
    let profile = ana.post(&portal, "/credentials/download", &fields).await.or_fail().body;
    let home = Scratch::new();
    let file = home.write("credentials", &profile);
    let name = profile.lines().find_map(|line| line.strip_prefix('[')?.strip_suffix(']')).unwrap();
    let env = [("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap()), ("AWS_PROFILE", name)];
    let args = ["sts", "get-caller-identity", "--output", "json", "--region", "us-east-1", "--endpoint-url", moto.url()];
    let answer: Finished = aws_cli(home.path(), &args, &env).await;
    let identity: Value = serde_json::from_str(&answer.or_fail()).unwrap();
    // moto looks for sessions in another account than the one that it put a SAML session into, and knows the key's account all the same.
    assert_eq!(identity["Account"], PRODUCTION, "{identity}");
    let events = issuances(&gateway);
    assert_eq!((&events[0]["operation"], &events[0]["outcome"]), (&"AssumeRoleWithSAML".into(), &"ok".into()));
    assert!(events[0]["proof_id"].as_str().unwrap().starts_with('_'));
    let assumed = events[0]["assumed_role"].as_str().unwrap();
    assert!(
        assumed.starts_with(&format!("arn:aws:sts::{PRODUCTION}:assumed-role/PlatformAdmin/ana")),
        "{assumed}: the name is the assertion's"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn s27_each_response_that_is_minted_is_recorded() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let aws = SandboxAws::start(&plan.url()).await;
    let gateway = Gateway::start(&by_saml(&plan, &provider, aws.url(), TABLE), &Plan::env()).await;
    let (mut ana, portal) = signed_in(&gateway).await;
    let role = role();
    let shown = ana.post(&portal, "/credentials", &[("role", &role), ("duration", "3600")]).await.or_fail();
    let ledger = aws.sandbox().ledger();
    assert!(shown.body.contains(&ledger[0].access_key_id));
    assert_eq!(ledger[0].source_identity.as_deref(), Some("main+ana"));
    assert_eq!((ledger[0].tags[0].key.as_str(), ledger[0].tags[0].transitive), ("Mail", true));
    assert!(!ledger[0].subject.contains("ana"));

    // The console: a page whose form goes to AWS, and nothing from us to AWS.
    let destination = format!("{}/console/s3?region=eu-central-1", aws.url());
    let fields = [("role", role.as_str()), ("duration", "1800"), ("destination", &destination)];
    let page = ana.post(&portal, "/console", &fields).await.or_fail();
    assert_eq!(aws.sandbox().ledger().len(), 1);
    let (entered, address) = post_to_aws(&page).await;
    assert_eq!(address, format!("{}/eu-central-1/saml", aws.url()));
    assert_eq!((entered.status().as_u16(), entered.headers()["location"].to_str().unwrap()), (302, destination.as_str()));
    assert!(entered.headers().contains_key("set-cookie"));

    // AWS does not answer: the next region, with a response of its own.
    assert!(page.body.contains("Try eu-west-1"), "{}", page.body);
    let fields = [("role", role.as_str()), ("duration", "1800"), ("attempt", "1")];
    let next = ana.post(&page, "/console", &fields).await.or_fail();
    assert_ne!(next.hidden("SAMLResponse"), page.hidden("SAMLResponse"));
    let (entered, address) = post_to_aws(&next).await;
    assert_eq!((entered.status().as_u16(), address), (302, format!("{}/eu-west-1/saml", aws.url())));
    assert!(next.body.contains("Try eu-central-1"));

    let (events, ledger) = (issuances(&gateway), aws.sandbox().ledger());
    assert_eq!((events.len(), ledger.len()), (3, 3), "each minted response is recorded");
    for (event, issued) in events.iter().zip(&ledger) {
        assert_eq!(event["proof_id"].as_str(), issued.jti.as_deref(), "the audit event joins with AWS's record");
        assert_eq!(event["operation"], "AssumeRoleWithSAML");
    }
    assert_eq!(events[1]["purpose"], "console");
    assert_eq!(ledger[1].expires.signed_duration_since(ledger[1].at).num_seconds(), 1800);
    // What is worth credentials is in no log, at no level.
    for secret in [page.hidden("SAMLResponse").unwrap(), ledger[0].access_key_id.replace("ASIA", "PHNhbWxw")] {
        assert!(!gateway.output().contains(&secret));
    }
    assert!(!gateway.output().contains("PHNhbWxw"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_goes_into_the_console_with_scripts_and_without() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let aws = SandboxAws::start(&plan.url()).await;
    let gateway = Gateway::start(&by_saml(&plan, &provider, aws.url(), TABLE), &Plan::env()).await;
    let chromium = chromium();
    let env = [("ROLEGATE_TEST_CHROMIUM", chromium.to_str().unwrap())];
    node("tests/browser/console_post.mjs", &[gateway.url(), provider.issuer(), aws.url()], &env).await.or_fail();
    let entered: Vec<_> = aws.sandbox().ledger().iter().map(|issued| issued.role.as_ref().unwrap().name().to_owned()).collect();
    assert_eq!(entered, ["PlatformAdmin", "PlatformAdmin"], "one session for each way");
    assert_eq!(issuances(&gateway).len(), 3, "the response that was not used is recorded too");
}

/// Answers the first call as AWS answers a response that came too late, and passes the others on.
fn late_once(sts: &str, seen: Arc<Mutex<Vec<String>>>) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (url, sts) = (format!("http://{}", listener.local_addr().unwrap()), sts.to_owned());
    let app = move || {
        let (seen, sts) = (Arc::clone(&seen), sts.clone());
        let answer = move |body: web::Bytes| {
            let (seen, sts) = (Arc::clone(&seen), sts.clone());
            async move {
                let fields = url::form_urlencoded::parse(&body);
                let response = fields.filter(|(name, _)| name == "SAMLAssertion").map(|(_, text)| text.into_owned()).collect();
                let is_first = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(response);
                    seen.len() == 1
                };
                if is_first {
                    let error = "<Code>ExpiredTokenException</Code><Message>Token must be redeemed within 5 minutes of issuance</Message>";
                    let xml = format!("<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>r</RequestId></ErrorResponse>");
                    return HttpResponse::BadRequest().content_type("text/xml").body(xml);
                }
                let request = Client::new().post(sts).header("content-type", "application/x-www-form-urlencoded");
                let answer = request.body(body.to_vec()).send().await.unwrap();
                HttpResponse::Ok().content_type("text/xml").body(answer.bytes().await.unwrap())
            }
        };
        App::new().default_service(web::to(answer))
    };
    tokio::spawn(HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run());
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_came_too_late_is_minted_once_more() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let aws = SandboxAws::start(&plan.url()).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let proxy = late_once(aws.url(), Arc::clone(&seen));
    let config = by_saml(&plan, &provider, aws.url(), TABLE);
    let config = config.replace(&format!("sts_endpoint = \"{}\"", aws.url()), &format!("sts_endpoint = \"{proxy}\""));
    let gateway = Gateway::start(&config, &Plan::env()).await;
    let (mut ana, portal) = signed_in(&gateway).await;
    ana.post(&portal, "/credentials", &[("role", &role()), ("duration", "3600")]).await.or_fail();
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 2);
    assert_ne!(seen[0], seen[1], "a fresh one, not the same again");
    let ledger = aws.sandbox().ledger();
    assert_eq!(issuances(&gateway)[0]["proof_id"].as_str(), ledger[0].jti.as_deref(), "the one that counted is recorded");
}

/// Does what the page's form does; the answer, and where it went.
async fn post_to_aws(page: &Page) -> (reqwest::Response, String) {
    let (_, rest) = page.body.split_once("<form method=\"post\" action=\"http").unwrap();
    let address = format!("http{}", rest.split_once('"').unwrap().0);
    let fields = ["SAMLResponse", "RelayState"].map(|name| (name, page.hidden(name).unwrap()));
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().build().unwrap();
    let request = client.post(&address).header("content-type", "application/x-www-form-urlencoded").header("sec-fetch-site", "cross-site");
    (request.body(body).send().await.unwrap(), address)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_page_that_leads_to_aws_may_lead_there_and_nobody_keeps_it() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    // No stand-in for the sign-in page, so that the addresses are AWS's own.
    let config = by_saml(&plan, &provider, "http://127.0.0.1:9", TABLE);
    let config: String = config
        .lines()
        .filter(|line| !line.starts_with("signin_endpoint") && !line.starts_with("console_endpoint"))
        .collect::<Vec<_>>()
        .join("\n");
    let gateway = Gateway::start(&config, &Plan::env()).await;
    let (ana, portal) = signed_in(&gateway).await;
    let session: Vec<_> = ana.cookie_values();
    assert!(!session.is_empty());
    let csrf = portal.hidden("csrf").unwrap();
    let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().build().unwrap();
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs([("csrf", csrf.as_str()), ("role", &role())]).finish();
    let request = client
        .post(format!("{}/console", gateway.url()))
        .header("origin", gateway.url())
        .header("cookie", ana.cookie_header(gateway.url()));
    let answer = request.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let sources: Vec<_> = policy.split("form-action ").nth(1).unwrap().split(';').next().unwrap().split(' ').collect();
    assert!(sources.contains(&"https://eu-central-1.signin.aws.amazon.com") && sources.contains(&"'self'"), "{policy}");
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    let page = answer.text().await.unwrap();
    assert!(page.contains("action=\"https://eu-central-1.signin.aws.amazon.com/saml\" data-onward"), "{page}");
    assert!(
        page.contains("name=\"RelayState\" value=\"https:&#x2F;&#x2F;console.aws.amazon.com")
            || page.contains("name=\"RelayState\" value=\"https://console.aws.amazon.com"),
        "{page}"
    );
    let portal = client.get(gateway.url()).header("cookie", ana.cookie_header(gateway.url())).send().await.unwrap();
    let others = portal.headers()["content-security-policy"].to_str().unwrap();
    assert!(!others.contains("eu-central-1"), "{others}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_is_at_its_address_and_by_command() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let metadata = |folder: &std::path::Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rolegate"));
        command.args(["metadata", "idp", "--config", "rolegate.toml"]).current_dir(folder).envs(Plan::env()).output().unwrap()
    };
    let folder = Scratch::new();
    for name in ["now", "next"] {
        let (key, certificate) = (folder.path().join(format!("{name}.key")), folder.path().join(format!("{name}.crt")));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=Rolegate", "-keyout"])
            .arg(key)
            .arg("-out")
            .arg(certificate)
            .output();
        assert!(made.unwrap().status.success());
    }
    let table = "[trust.saml]\nsigning_key = { file = \"now.key\" }\ncertificate = { file = \"now.crt\" }\nnext_certificates = [{ file = \"next.crt\" }]\n";
    let gateway = Gateway::start_in(folder, &by_saml(&plan, &provider, "http://127.0.0.1:9", table), &Plan::env()).await;
    let answer = reqwest::get(format!("{}/saml/idp/metadata", gateway.url())).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/samlmetadata+xml");
    assert_eq!(answer.headers()["cache-control"], "public, max-age=300");
    let text = answer.text().await.unwrap();
    assert_eq!(text.matches("<ds:X509Certificate>").count(), 2, "both ages: {text}");
    assert!(text.contains(&format!("entityID=\"{}/saml/idp\"", plan.url())));
    let printed = metadata(gateway.folder());
    assert_eq!(String::from_utf8(printed.stdout).unwrap().trim_end(), text);

    let trial = Scratch::new();
    trial.write("rolegate.toml", by_saml(&plan, &provider, "http://127.0.0.1:9", TABLE));
    let refused = metadata(trial.path());
    assert_eq!((refused.status.code(), refused.stdout.is_empty()), (Some(2), true));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("still sign tomorrow"));
}
