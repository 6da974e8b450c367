//! Sign-in at npm's certified `oidc-provider`, in every way that a client may prove itself, and what becomes of the groups.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a failed step is a failed test")]

mod support;

use rolegate::trust::SigningAlgorithm;
use rolegate::trust::keys::{SigningKey, generate};
use secrecy::ExposeSecret;
use support::{Gateway, OidcOptions, OidcProvider, Page, Plan, SandboxAws, Scratch, Visitor};

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

/// How large a core dump of a process may be, by now and by its own will: C3.
fn core_limit(process: u32) -> Vec<String> {
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    line.split_whitespace().take(2).map(str::to_owned).collect()
}

/// A supervisor's signal closes nothing at once: whoever sends people here must find out first.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_told_to_stop_says_so_and_serves_on_until_it_is_told_again() {
    let plan = Plan::new();
    let provider = "[[provider]]\nid = 'main'\nname = 'Main'\nissuer = 'http://127.0.0.1:9'\nclient_id = 'x'\nclient_auth = 'none'\n";
    let config = plan.config_with(provider, "http://127.0.0.1:9").replace("workers = 1", "workers = 1\nshutdown_delay = \"2m\"");
    let mut gateway = Gateway::start(&config, &Plan::env()).await;
    let ready = async |url: &str| {
        let answer = reqwest::get(format!("{url}/readyz")).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let url = gateway.url().to_owned();
    assert_eq!(core_limit(gateway.process().id()), ["0", "0"], "what crashes writes no secrets down");
    assert_eq!(ready(&url).await, (200, "store: ok\naudit: ok\n".into()));
    gateway.process().signal("TERM");
    let told = async || Some(ready(&url).await).filter(|(status, _)| *status != 200);
    let (status, text) = gateway.process().until(async |_| told().await).await;
    assert_eq!((status, text.as_str()), (503, "store: ok\naudit: ok\nthis gateway is stopping\n"));
    assert_eq!(reqwest::get(format!("{url}/healthz")).await.unwrap().status(), 200);
    gateway.process().signal("TERM");
    assert!(gateway.process().finish().await.success());
}

/// What `rolegate doctor` finds in the folder of a gateway, by part, and its exit code.
fn examined(gateway: &Gateway) -> (std::collections::BTreeMap<String, (String, String)>, Option<i32>) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rolegate"));
    let said =
        command.args(["doctor", "--json", "--config", "rolegate.toml"]).current_dir(gateway.folder()).envs(Plan::env()).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let parts = report["examined"].as_array().unwrap().iter();
    let parts = parts.map(|part| (text(&part["part"]), (text(&part["verdict"]), text(&part["seen"])))).collect();
    assert_eq!(report["good"] == true, said.status.success(), "{report}");
    (parts, said.status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_what_is_well_and_what_is_not() {
    let plan = Plan::new();
    let provider = OidcProvider::start(&plan.provider()).await;
    let aws = SandboxAws::start(&plan.url()).await;
    let mut gateway = Gateway::start(&plan.config(&provider, aws.url()), &Plan::env()).await;
    let (found, code) = examined(&gateway);
    for (part, seen) in [
        ("provider main", "key(s)"),
        ("STS in us-east-1", aws.url()),
        ("console sign-in", "/federation: status"),
        ("store", "memory takes sessions"),
        ("audit trail", "audit.jsonl can be written"),
        ("public URL", "a gateway answers"),
        ("clock", "right within"),
    ] {
        let (verdict, said) = found.get(part).unwrap_or_else(|| panic!("{part}: {found:?}"));
        assert!(verdict == "good" && said.contains(seen), "{part}: {found:?}");
    }
    assert_eq!(code, Some(0), "{found:?}");

    gateway.stop().await;
    gateway.configure(&plan.config(&provider, "http://127.0.0.1:9"));
    drop(provider);
    let (found, code) = examined(&gateway);
    let verdict = |part: &str| found.get(part).map(|(verdict, _)| verdict.as_str());
    for (part, expected) in
        [("provider main", "bad"), ("STS in us-east-1", "bad"), ("public URL", "unsure"), ("clock", "unsure"), ("store", "good")]
    {
        assert_eq!(verdict(part), Some(expected), "{part}: {found:?}");
    }
    assert_eq!(code, Some(1));
}
