//! Workloads with tokens of the certified `oidc-provider`, before the built binary.

use data_encoding::BASE64URL_NOPAD;
use reqwest::Url;
use serde_json::{Value, json};

use crate::support::{Gateway, OidcOptions, OidcProvider, PRODUCTION, Plan, SandboxAws, Visitor};

const BACK: &str = "http://127.0.0.1:9/back";

/// The ID token that a client of the provider gets for somebody, by the code flow and without a nonce.
async fn id_token(provider: &OidcProvider, client: &str) -> String {
    let verifier = "v".repeat(43);
    let challenge = BASE64URL_NOPAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()).as_ref());
    let mut url = Url::parse(&format!("{}/auth", provider.issuer())).unwrap();
    url.query_pairs_mut()
        .append_pair("client_id", client)
        .append_pair("response_type", "code")
        .append_pair("scope", "openid groups")
        .append_pair("redirect_uri", BACK)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    let back = Visitor::new().until_address(url.as_str(), BACK).await;
    let code = back.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned()).unwrap();
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", BACK), ("code_verifier", &verifier)];
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{}/token", provider.issuer())).header("content-type", "application/x-www-form-urlencoded");
    let basic = data_encoding::BASE64.encode(format!("{}:{}", form(client), OidcProvider::CLIENT_SECRET).as_bytes());
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let answer = request.header("authorization", format!("Basic {basic}")).body(body).send().await.unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["id_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn form(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn ask(gateway: &Gateway, token: &str) -> (u16, Value) {
    let role = format!("arn:aws:iam::{PRODUCTION}:role/Developer");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{}/api/v1/credentials", gateway.url())).header("authorization", format!("Bearer {token}"));
    let answer = request.header("content-type", "application/json").body(json!({ "role": role }).to_string()).send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

#[tokio::test]
async fn w11_tokens_of_a_certified_provider_count_for_their_own_audience_and_those_of_peoples_clients_never() {
    let plan = Plan::new();
    let options = |client: &str| {
        let options = plan.provider();
        let redirect_uris = [options.redirect_uris, vec![BACK.into()]].concat();
        OidcOptions { auto: true, redirect_uris, env: vec![("CLIENT_ID", client.to_owned())], ..OidcOptions::default() }
    };
    // One vouches for people and, by another audience, for workloads; the other for workloads alone.
    let (people, platform) = (OidcProvider::start(&options("rolegate")).await, OidcProvider::start(&options("the-gateway")).await);
    let aws = SandboxAws::start(&plan.url()).await;
    let table = |id: &str, provider: &OidcProvider| {
        format!("[[workload_provider]]\nid = \"{id}\"\nissuer = \"{}\"\naudience = \"the-gateway\"\n", provider.issuer())
    };
    let rule = format!(
        "[[rule]]\nid = \"workloads\"\ngroups = [\"developers\"]\nproviders = [\"ci\", \"people-too\"]\npurposes = [\"workload\"]\n\
         roles = [\"arn:aws:iam::{PRODUCTION}:role/Developer\"]\n"
    );
    let config = plan.config(&people, aws.url()) + &table("ci", &platform) + &table("people-too", &people) + &rule;
    let gateway = Gateway::start(&config, &Plan::env()).await;

    let good = id_token(&platform, "the-gateway").await;
    let (status, answer) = ask(&gateway, &good).await;
    assert_eq!((status, answer["session_name"].as_str()), (200, Some("ana")), "{answer}");
    assert_eq!(aws.sandbox().ledger().len(), 1);

    // The token of the portal's own client at the very issuer that a [[workload_provider]] trusts.
    let borrowed = id_token(&people, "rolegate").await;
    let (status, answer) = ask(&gateway, &borrowed).await;
    assert_eq!((status, answer["code"].as_str()), (401, Some("token_refused")), "{answer}");
    assert!(answer["detail"].as_str().unwrap().contains("audience"), "{answer}");
    assert_eq!(aws.sandbox().ledger().len(), 1);

    let events = gateway.events("issue");
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["person"]["provider"], "ci");
    let trail = std::fs::read_to_string(gateway.folder().join("audit.jsonl")).unwrap();
    for token in [&good, &borrowed] {
        let signature = token.rsplit('.').next().unwrap();
        assert!(!gateway.output().contains(signature) && !trail.contains(signature), "no token is in the log or the trail");
    }
}
