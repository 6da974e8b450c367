//! The tokens that the gateway mints, before verifiers of other people's making: `PyJWT`, `jwcrypto` and npm's `jose`. A recording proxy of the
//! test's own stands before the sandbox's STS, because a token that is never kept can be had nowhere else.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step is a failed test")]

mod support;

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpResponse, HttpServer, web};
use rolegate::trust::SigningAlgorithm;
use rolegate::trust::keys::generate;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use support::{Gateway, OidcOptions, OidcProvider, PRODUCTION, Plan, SandboxAws, Scratch, Visitor, node, python};

/// Passes every call on to an STS and keeps the tokens.
struct RecordingProxy {
    url: String,
    tokens: Arc<Mutex<Vec<String>>>,
}

impl RecordingProxy {
    fn start(sts: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let tokens = Arc::new(Mutex::new(Vec::new()));
        let (kept, sts) = (Arc::clone(&tokens), sts.to_owned());
        let app = move || {
            let (kept, sts) = (Arc::clone(&kept), sts.clone());
            let pass_on = move |body: web::Bytes| {
                let (kept, sts) = (Arc::clone(&kept), sts.clone());
                async move {
                    let fields = url::form_urlencoded::parse(&body);
                    kept.lock().unwrap().extend(fields.filter(|(name, _)| name == "WebIdentityToken").map(|(_, token)| token.into_owned()));
                    let request = reqwest::Client::new().post(sts).header("content-type", "application/x-www-form-urlencoded");
                    let answer = request.body(body.to_vec()).send().await.unwrap();
                    let status = actix_web::http::StatusCode::from_u16(answer.status().as_u16()).unwrap();
                    HttpResponse::build(status).content_type("text/xml").body(answer.bytes().await.unwrap())
                }
            };
            App::new().default_service(web::to(pass_on))
        };
        tokio::spawn(HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run());
        Self { url, tokens }
    }
}

async fn minted(algorithm: SigningAlgorithm) {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let aws = SandboxAws::start(&plan.url()).await;
    let proxy = RecordingProxy::start(aws.url());
    let folder = Scratch::new();
    folder.write("key.pem", generate(algorithm).unwrap().expose_secret());
    folder.write("next.pem", generate(SigningAlgorithm::Es256).unwrap().expose_secret());
    let config = plan
        .config(&provider, aws.url())
        .replace(&format!("sts_endpoint = \"{}\"", aws.url()), &format!("sts_endpoint = \"{}\"", proxy.url));
    let config = config.replace("[audit]", "[trust]\nsigning_key = { file = \"key.pem\" }\nnext_key = { file = \"next.pem\" }\n\n[audit]");
    let gateway = Gateway::start_in(folder, &config, &Plan::env()).await;

    let mut ana = Visitor::new();
    let portal = ana.open(&format!("{}/login/main?next=%2F", gateway.url())).await.or_fail();
    let role = format!("arn:aws:iam::{PRODUCTION}:role/PlatformAdmin");
    ana.post(&portal, "/credentials", &[("role", &role), ("duration", "3600")]).await.or_fail();
    let tokens = proxy.tokens.lock().unwrap().clone();
    assert_eq!(tokens.len(), 1, "one click, one token");

    let file = Scratch::new();
    let token = file.write("token.jwt", &tokens[0]);
    let args = [gateway.url(), token.to_str().unwrap(), "sts.amazonaws.com"];
    for verdict in [python("tests/counterparts/verify_pyjwt.py", &args).await, node("tests/counterparts/verify_jose.mjs", &args, &[]).await]
    {
        let claims: Value = serde_json::from_str(verdict.or_fail().lines().last().unwrap()).unwrap();
        assert_eq!(claims["https://aws.amazon.com/roles"], json!([role]), "one role is pinned");
        assert_eq!(claims["https://aws.amazon.com/source_identity"], "main+ana");
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
        let audit = std::fs::read_to_string(gateway.folder().join("audit.jsonl")).unwrap();
        assert!(audit.contains(claims["jti"].as_str().unwrap()), "the audit event names the token's id");
    }
    let issued = aws.sandbox().ledger();
    assert_eq!(issued.len(), 1, "the sandbox's STS accepted it");
    let keys: Value =
        reqwest::get(format!("{}/.well-known/jwks.json", gateway.url())).await.unwrap().text().await.unwrap().parse().unwrap();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2, "the next key is published ahead");
}

#[tokio::test(flavor = "multi_thread")]
async fn es256_tokens_are_accepted_by_everybody() {
    minted(SigningAlgorithm::Es256).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rs256_tokens_are_accepted_by_everybody() {
    minted(SigningAlgorithm::Rs256).await;
}
