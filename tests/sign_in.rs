//! Sign-in at npm's certified `oidc-provider`, in every way that a client may prove itself, and what becomes of the groups.

#[path = "sign_in/metrics.rs"]
mod metrics;
mod support;
#[cfg(feature = "otlp")]
#[path = "sign_in/traces.rs"]
mod traces;

use rolegate::trust::SigningAlgorithm;
use rolegate::trust::keys::{SigningKey, generate};
use secrecy::ExposeSecret;
use support::{Gateway, OidcOptions, OidcProvider, Page, Plan, Scratch, Visitor};

/// A gateway before a provider, and what stands in the provider's table instead of the client secret.
struct Case<'a> {
    env: Vec<(&'static str, String)>,
    proof: &'a str,
    more: &'a str,
    files: Vec<(&'static str, String)>,
}

impl Case<'_> {
    const SECRET: &'static str = "client_secret = { env = \"ROLEGATE_TEST_CLIENT_SECRET\" }";

    fn with_secret(more: &str) -> Case<'_> {
        Case { env: Vec::new(), proof: Self::SECRET, more, files: Vec::new() }
    }

    /// Signs in and says where that ends.
    async fn sign_in(self) -> (Page, String) {
        let plan = Plan::new();
        let provider = OidcProvider::start(&OidcOptions { auto: true, env: self.env, ..plan.provider() }).await;
        let config = plan.config(&provider, "http://127.0.0.1:9").replace(Case::SECRET, self.proof);
        let config = config.replace("private_network = true", &format!("private_network = true\n{}", self.more));
        let folder = Scratch::new();
        for (name, content) in self.files {
            folder.write(name, content);
        }
        let gateway = Gateway::start_in(folder, &config, &Plan::env()).await;
        let page = Visitor::new().open(&format!("{}/login/main?next=%2F", gateway.url())).await;
        (page, format!("{}\n{}", gateway.output(), provider.output()))
    }

    #[track_caller]
    fn is_ana((page, log): (Page, String)) {
        assert!(page.status.is_success() && page.body.contains("PlatformAdmin"), "{}\n{log}", page.body);
        assert!(page.body.contains("ana@example.org") || page.body.contains("ana"), "{}", page.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_that_is_logged_for_a_request_has_its_id_and_so_has_the_answer() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&OidcOptions { auto: true, ..plan.provider() }).await;
    let mut gateway =
        Gateway::start(&plan.config(&provider, "http://127.0.0.1:9"), &[("ROLEGATE_TEST_CLIENT_SECRET", OidcProvider::CLIENT_SECRET)])
            .await;
    // A code that nobody gave: the answer, the reason and the request's own line belong together.
    let asked = reqwest::get(format!("{}/callback/main?code=c&state=s", gateway.url())).await.unwrap();
    let id = asked.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    let other = reqwest::get(format!("{}/", gateway.url())).await.unwrap();
    assert_ne!(other.headers()["x-request-id"], *id);
    gateway.stop().await;
    let lines: Vec<serde_json::Value> = gateway.output().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let said: Vec<_> = lines.iter().filter(|line| line["request"] == *id).map(|line| line["fields"]["message"].as_str().unwrap()).collect();
    assert_eq!(said, ["an answer to no login that waits in its browser", "refused or failed", "answered"], "{lines:#?}");
    assert!(lines.iter().any(|line| line["fields"]["message"] == "listening" && line["request"].is_null()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_proves_itself_by_basic_post_none_or_its_own_key() {
    Case::is_ana(Case::with_secret("").sign_in().await);
    let post = Case { env: vec![("CLIENT_AUTH", "client_secret_post".into())], ..Case::with_secret("client_auth = \"post\"") };
    Case::is_ana(post.sign_in().await);
    let none = Case { env: vec![("CLIENT_AUTH", "none".into())], proof: "", ..Case::with_secret("client_auth = \"none\"") };
    Case::is_ana(none.sign_in().await);
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
        let pem = generate(algorithm).unwrap();
        let jwk = SigningKey::from_pem(&pem).unwrap().jwk().clone();
        let own_key = Case {
            env: vec![("CLIENT_AUTH", "private_key_jwt".into()), ("CLIENT_JWKS", serde_json::json!({ "keys": [jwk] }).to_string())],
            proof: "client_key = { file = \"client-key.pem\" }",
            more: "client_auth = \"private_key_jwt\"",
            files: vec![("client-key.pem", pem.expose_secret().to_owned())],
        };
        Case::is_ana(own_key.sign_in().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_refused_by_the_provider_and_told_to_the_person() {
    let wrong = Case { env: vec![("CLIENT_SECRET", "another-secret".into())], ..Case::with_secret("") };
    let (page, log) = wrong.sign_in().await;
    assert_eq!(page.status, 403, "{}", page.body);
    assert!(page.body.contains("You were not signed in"), "{}", page.body);
    assert!(log.contains("invalid_client"), "the log names the provider's reason: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn es256_and_ps256_are_accepted_when_the_list_has_them_and_refused_when_not() {
    for algorithm in ["ES256", "PS256"] {
        let env = || vec![("ALG", algorithm.to_owned())];
        let listed = format!("algorithms = [\"{algorithm}\"]");
        Case::is_ana(Case { env: env(), ..Case::with_secret(&listed) }.sign_in().await);
        let (page, log) = Case { env: env(), ..Case::with_secret("algorithms = [\"RS256\"]") }.sign_in().await;
        assert_eq!(page.status, 403, "{}", page.body);
        assert!(log.contains("algorithm is not allowed"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_only_userinfo_has_come_when_it_is_asked() {
    let env = || vec![("GROUPS_IN", "userinfo".to_owned())];
    Case::is_ana(Case { env: env(), ..Case::with_secret("userinfo = true") }.sign_in().await);
    let (page, _) = Case { env: env(), ..Case::with_secret("") }.sign_in().await;
    assert!(page.status.is_success() && page.body.contains("have no roles yet"), "{}", page.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_groups_come_through() {
    let (page, log) = Case { env: vec![("AUTO_USER", "many".into())], ..Case::with_secret("") }.sign_in().await;
    assert!(page.status.is_success() && page.body.contains("200"), "{}\n{log}", page.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn o15_the_providers_own_sign_out_ends_the_session_here_behind_the_browsers_back() {
    let plan = Plan::new();
    let announce = format!("{}/logout/backchannel/main", plan.url());
    let options = OidcOptions { auto: true, env: vec![("BACKCHANNEL_URI", announce.clone())], ..plan.provider() };
    let provider = OidcProvider::start(&options).await;
    let gateway = Gateway::start(&plan.config(&provider, "http://127.0.0.1:9"), &Plan::env()).await;
    let (mut ana, mut elsewhere) = (Visitor::new(), Visitor::new());
    for visitor in [&mut ana, &mut elsewhere] {
        let page = visitor.open(&format!("{}/login/main?next=%2F", gateway.url())).await;
        assert!(page.body.contains("PlatformAdmin"), "{}\n{}", page.body, gateway.output());
    }
    // She signs out at the provider, without a word to the gateway.
    let page = ana.open(&format!("{}/session/end", provider.issuer())).await;
    let page = if page.form().is_some() { ana.submit(&page, &[("logout", "yes")]).await } else { page };
    let home = ana.open(&format!("{}/", gateway.url())).await;
    assert_eq!(home.url.path(), "/login", "{}\n{}\n{}", page.body, gateway.output(), provider.output());
    assert_eq!(elsewhere.open(&format!("{}/", gateway.url())).await.url.path(), "/", "another session of hers lives on");

    // A forged announcement is refused.
    let answer = reqwest::Client::new()
        .post(&announce)
        .header("content-type", "application/x-www-form-urlencoded")
        .body("logout_token=e30.e30.e30")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 400);
    // By the front channel only the session of that id, from that issuer.
    for (issuer, status) in [("https://evil.example", 400), (provider.issuer(), 200)] {
        let notice = format!("{}/logout/frontchannel/main?sid=unknown&iss={issuer}", gateway.url());
        assert_eq!(reqwest::get(&notice).await.unwrap().status(), status);
    }
    assert_eq!(elsewhere.open(&format!("{}/", gateway.url())).await.url.path(), "/");
}
