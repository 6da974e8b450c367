//! Sign-in by SAML at Debian's SimpleSAMLphp, over HTTP: begun here and begun there, in each form that responses come in, and through a
//! change of the provider's key.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod support;

use support::{Gateway, Page, Plan, SamlOptions, Scratch, SimpleSaml, Visitor, make_key};

/// A gateway before SimpleSAMLphp.
struct Case {
    plan: Plan,
    idp: SimpleSaml,
    gateway: Gateway,
}

/// What stands in the provider's table when the gateway has a key.
const KEYS: &str = "signing_key = { file = \"gate.key\" }\nsigning_certificate = \"gate.crt\"\n\
    encryption_keys = [{ key = { file = \"gate.key\" }, certificate = \"gate.crt\" }]\n";

impl Case {
    /// `more` stands in the provider's table; `env` is SimpleSAMLphp's.
    async fn start(more: &str, env: &[(&'static str, &str)]) -> Self {
        let (plan, folder) = (Plan::new(), Scratch::new());
        let (_, certificate) = make_key(&folder.path().join("gate"), "gate");
        let mut env: Vec<_> = env.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        env.push(("SP_CERTIFICATE", certificate.to_str().unwrap().to_owned()));
        let idp = SimpleSaml::start(&SamlOptions { gateway: plan.url(), env }).await;
        let config = plan.config_with(&idp.table(&format!("{KEYS}{more}")), "http://127.0.0.1:9");
        let gateway = Gateway::start_in(folder, &config, &Plan::env()).await;
        Self { plan, idp, gateway }
    }

    /// Signs in at the provider's form and follows the response home.
    async fn at_provider(&self, visitor: &mut Visitor, page: Page, person: &str) -> Page {
        let page = if page.body.contains("name=\"password\"") {
            visitor.submit(&page, &[("username", person), ("password", &format!("{person}pass"))]).await
        } else {
            page
        };
        visitor.onward(page).await
    }

    async fn sign_in(&self, visitor: &mut Visitor, person: &str) -> Page {
        let page = visitor.open(&format!("{}/login/corp?next=%2F", self.gateway.url())).await;
        let page = visitor.onward(page).await;
        self.at_provider(visitor, page, person).await
    }

    async fn tile(&self, visitor: &mut Visitor, relay_state: &str, person: &str) -> Page {
        let page = visitor.open(&self.idp.tile(&self.plan.url(), relay_state)).await;
        self.at_provider(visitor, page, person).await
    }

    #[track_caller]
    fn is_ana(&self, page: &Page) {
        let good = page.status.is_success() && page.body.contains("PlatformAdmin") && page.body.contains("ana@example.org");
        assert!(
            good,
            "{} {}\n{}\n--- the gateway ---\n{}\n--- the provider ---\n{}",
            page.status,
            page.url,
            page.body,
            self.log(),
            self.idp.output()
        );
    }

    /// What the gateway said, but for libraries' own details.
    fn log(&self) -> String {
        let output = self.gateway.output();
        output.lines().filter(|line| !line.contains("TRACE") && !line.contains("DEBUG")).collect::<Vec<_>>().join("\n")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_is_begun_here_by_redirect_and_by_post() {
    for more in ["", "binding = \"post\"\n"] {
        let case = Case::start(more, &[("VALIDATE", "true")]).await;
        let page = case.sign_in(&mut Visitor::new(), "ana").await;
        case.is_ana(&page);
        assert_eq!(page.url.path(), "/");
        let bob = case.sign_in(&mut Visitor::new(), "bob").await;
        assert!(bob.body.contains("Developer") && !bob.body.contains("PlatformAdmin"), "{}", bob.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_sign_and_to_encrypt_that_the_provider_knows() {
    // With a public key it knows AES-CBC alone.
    for (response, assertion, encrypt, more) in [
        ("true", "false", "false", ""),
        ("false", "true", "false", ""),
        ("true", "true", "true", "allow_cbc = true\nwant_encrypted = true\n"),
        ("true", "false", "true", "allow_cbc = true\n"),
    ] {
        let env = [("SIGN_RESPONSE", response), ("SIGN_ASSERTION", assertion), ("ENCRYPT", encrypt)];
        let case = Case::start(more, &env).await;
        let page = case.sign_in(&mut Visitor::new(), "ana").await;
        case.is_ana(&page);
    }
    // AES-CBC where nobody allowed it or nothing signed is around it, and no encryption where it is demanded.
    for (response, encrypt, more, reason) in [
        ("true", "true", "", "cannot be read"),
        ("false", "true", "allow_cbc = true\n", "cannot be read"),
        ("true", "false", "want_encrypted = true\n", "not encrypted"),
    ] {
        let case = Case::start(more, &[("SIGN_RESPONSE", response), ("ENCRYPT", encrypt)]).await;
        let page = case.sign_in(&mut Visitor::new(), "ana").await;
        assert!(page.status == 403 && page.body.contains("You were not signed in"), "{}", page.body);
        assert!(case.log().contains(reason), "{}", case.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_is_begun_there_leads_to_places_of_ours_alone() {
    let case = Case::start("idp_initiated = true\n", &[]).await;
    let gateway = case.plan.url();
    let inside = format!("{gateway}/go?account=Production&role=PlatformAdmin");
    for (relay_state, lands) in [
        ("", "/"),
        ("/go?account=Production&role=PlatformAdmin", "/go?account=Production&role=PlatformAdmin"),
        (inside.as_str(), "/go?account=Production&role=PlatformAdmin"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("javascript:alert(1)", "/"),
    ] {
        let page = case.tile(&mut Visitor::new(), relay_state, "ana").await;
        assert!(page.status.is_success(), "{}\n{}", page.body, case.log());
        let query = page.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        assert_eq!(format!("{}{query}", page.url.path()), lands, "{relay_state}");
        assert_eq!(page.url.origin().ascii_serialization(), gateway, "{relay_state}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s17_a_sign_in_that_is_begun_there_is_refused_where_it_is_off() {
    let case = Case::start("", &[]).await;
    let page = case.tile(&mut Visitor::new(), "/", "ana").await;
    assert!(page.status == 403 && page.body.contains("no longer valid"), "{}", page.body);
    case.is_ana(&case.sign_in(&mut Visitor::new(), "ana").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_providers_next_key_is_taken_from_its_metadata_when_a_response_needs_it() {
    let case = Case::start("", &[]).await;
    case.is_ana(&case.sign_in(&mut Visitor::new(), "ana").await);
    case.idp.roll_key();
    case.is_ana(&case.sign_in(&mut Visitor::new(), "ana").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_groups_and_a_transient_name() {
    let case = Case::start("", &[]).await;
    let page = case.sign_in(&mut Visitor::new(), "carol").await;
    assert!(page.status.is_success() && page.body.contains("200"), "{}\n{}", page.body, case.log());
    let transient = Case::start("", &[("NAME_ID_FORMAT", "transient")]).await;
    let page = transient.sign_in(&mut Visitor::new(), "ana").await;
    assert_eq!(page.status, 403, "{}", page.body);
    assert!(transient.log().contains("NameID is transient"), "{}", transient.log());
    let named = Case::start("subject_attribute = \"uid\"\n", &[("NAME_ID_FORMAT", "transient")]).await;
    named.is_ana(&named.sign_in(&mut Visitor::new(), "ana").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_there_ends_the_session_here_and_the_other_way_round() {
    let case = Case::start("", &[("VALIDATE", "true")]).await;
    let gateway = case.plan.url();
    // Two browsers of the same person: each is another session at the provider.
    let (mut here, mut elsewhere) = (Visitor::new(), Visitor::new());
    case.is_ana(&case.sign_in(&mut here, "ana").await);
    case.is_ana(&case.sign_in(&mut elsewhere, "ana").await);

    let there = here.open(&format!("{}/saml2/idp/initSLO.php?RelayState={gateway}/static/none", case.idp.url())).await;
    let log = case.log();
    assert!(log.contains("\"path\":\"/saml/{provider}/slo\",\"status\":303"), "{}\n{log}\n{}", there.body, case.idp.output());
    let gone = here.open(&format!("{gateway}/")).await;
    assert_eq!(gone.url.path(), "/login", "the provider ended it");
    case.is_ana(&elsewhere.open(&format!("{gateway}/")).await);

    let portal = elsewhere.open(&format!("{gateway}/")).await;
    let done = elsewhere.post(&portal, "/logout", &[("scope", "provider")]).await;
    let message = format!("{}\n{}\n{}\n{}", done.url, done.body, case.log(), case.idp.output());
    assert!(done.url.path() == "/saml/corp/slo" && done.body.contains("You are signed out"), "{message}");
    assert!(!done.body.contains("still be signed in"), "{message}");
    let again = elsewhere.open(&format!("{gateway}/login/corp?next=%2F")).await;
    assert!(again.body.contains("name=\"password\""), "the provider asks for the password again: {}", again.body);
}
