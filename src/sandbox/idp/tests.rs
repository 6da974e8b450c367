//! The provider as a browser and a client meet it, over HTTP.

use std::net::TcpListener;
use std::sync::Arc;

use chrono::DateTime;
use reqwest::{Client, Response, redirect::Policy};
use url::form_urlencoded::Serializer;

use super::*;
use crate::clock::ManualClock;
use crate::sandbox::Sandbox;

const REDIRECT: &str = "http://127.0.0.1:8700/callback/demo";
const AFTER: &str = "http://127.0.0.1:8700/signed-out";
/// The example pair of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

struct World {
    sandbox: Sandbox,
    clock: Arc<ManualClock>,
    http: Client,
}

async fn world() -> World {
    let settings = SandboxSettings {
        gateway: "http://127.0.0.1:8700/".parse().unwrap(),
        redirect_uris: vec![REDIRECT.into()],
        post_logout_uris: vec![AFTER.into()],
        client_secret: Some("a secret: with %/colon".to_owned().into()),
        saml_partners: Vec::new(),
        issuers: Vec::new(),
        saml_providers: Vec::new(),
        users: Vec::new(),
        roles: Vec::new(),
    };
    let clock = Arc::new(ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap()));
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let shared: Arc<dyn Clock> = clock.clone();
    let sandbox = Sandbox::start(settings, listen(), listen(), shared).await.unwrap();
    World { sandbox, clock, http: Client::builder().no_proxy().redirect(Policy::none()).build().unwrap() }
}

fn form(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn changed<'a>(pairs: &[(&'a str, &'a str)], name: &'a str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    pairs.iter().copied().filter(|(known, _)| *known != name).chain(value.map(|value| (name, value))).collect()
}

const ASKED: [(&str, &str); 8] = [
    ("client_id", PUBLIC_CLIENT),
    ("redirect_uri", REDIRECT),
    ("response_type", "code"),
    ("scope", "openid profile"),
    ("state", "s1"),
    ("nonce", "n1"),
    ("code_challenge", CHALLENGE),
    ("code_challenge_method", "S256"),
];

impl World {
    async fn authorize(&self, pairs: &[(&str, &str)], cookie: &str) -> Response {
        let url = format!("{}/authorize?{}", self.sandbox.issuer, form(pairs));
        self.http.get(url).header("cookie", cookie).send().await.unwrap()
    }

    async fn post(&self, path: &str, pairs: &[(&str, &str)], headers: &[(&'static str, &str)]) -> Response {
        let mut request =
            self.http.post(format!("{}{path}", self.sandbox.issuer)).header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(form(pairs)).send().await.unwrap()
    }

    /// The one-time handle in a page's form.
    async fn handle(&self, page: Response, field: &str) -> String {
        assert_eq!(page.status(), 200);
        let html = page.text().await.unwrap();
        assert!(html.contains("Sandbox: nothing here is real"));
        let (_, rest) = html.split_once(&format!("name=\"{field}\" value=\"")).expect("the form has the field");
        rest.split_once('"').unwrap().0.to_owned()
    }

    /// Signs a person in: where the browser goes next, and the session cookie.
    async fn sign_in(&self, pairs: &[(&str, &str)], person: &str) -> (Url, String) {
        let handle = self.handle(self.authorize(pairs, "").await, "request").await;
        let done = self.post("/sign-in", &[("request", &handle), ("person", person)], &[]).await;
        let cookie = done.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        (location(&done), cookie)
    }

    async fn exchange(&self, pairs: &[(&str, &str)], headers: &[(&'static str, &str)]) -> (u16, Value) {
        let response = self.post("/token", pairs, headers).await;
        assert_eq!(response.headers()["cache-control"], "no-store");
        (response.status().as_u16(), serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }
}

fn location(response: &Response) -> Url {
    assert_eq!(response.status(), 303);
    response.headers()["location"].to_str().unwrap().parse().unwrap()
}

fn param(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

fn exchange_of(code: &str) -> [(&str, &str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", PUBLIC_CLIENT),
        ("redirect_uri", REDIRECT),
        ("code", code),
        ("code_verifier", VERIFIER),
    ]
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_person_signs_in_and_the_client_gets_their_claims() {
    let world = world().await;
    let (back, _) = world.sign_in(&ASKED, "ana").await;
    assert!(back.as_str().starts_with(REDIRECT));
    assert_eq!(param(&back, "state").as_deref(), Some("s1"));
    assert_eq!(param(&back, "iss").as_ref(), Some(&world.sandbox.issuer));
    let code = param(&back, "code").unwrap();
    let (status, tokens) = world.exchange(&exchange_of(&code), &[]).await;
    assert_eq!(status, 200, "{tokens}");

    let jwks = world.http.get(format!("{}/jwks.json", world.sandbox.issuer)).send().await.unwrap().text().await.unwrap();
    let jwks: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&jwks).unwrap();
    let token = tokens["id_token"].as_str().unwrap();
    let key = jwks.find(&jsonwebtoken::decode_header(token).unwrap().kid.unwrap()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_audience(&[PUBLIC_CLIENT]);
    validation.set_issuer(&[&world.sandbox.issuer]);
    // The sandbox lives in the virtual time of its clock.
    validation.validate_exp = false;
    let claims: Value = jsonwebtoken::decode(token, &jsonwebtoken::DecodingKey::from_jwk(key).unwrap(), &validation).unwrap().claims;
    assert_eq!(claims["sub"], "ana");
    assert_eq!(claims["nonce"], "n1");
    assert_eq!(claims["amr"], json!(["pwd", "otp", "mfa"]));
    assert_eq!(claims["acr"], "urn:rolegate:sandbox:mfa");
    assert_eq!(claims["auth_time"], 1_800_000_000);
    assert_eq!(claims["exp"], 1_800_000_300);
    assert!(claims["groups"].as_array().unwrap().contains(&json!("aws-platform-admins")));

    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let ask = |bearer: String| world.http.get(format!("{}/userinfo", world.sandbox.issuer)).header("authorization", bearer).send();
    let info = ask(bearer.clone()).await.unwrap().text().await.unwrap();
    assert!(info.contains("\"sub\":\"ana\""));
    assert_eq!(ask("Bearer no".into()).await.unwrap().status(), 401);
    world.clock.advance(TOKENS);
    assert_eq!(ask(bearer).await.unwrap().status(), 401);
    world.sandbox.stop().await;
}

#[tokio::test]
async fn discovery_announces_what_is_there() {
    let world = world().await;
    let document = world.http.get(format!("{}/.well-known/openid-configuration", world.sandbox.issuer)).send().await.unwrap();
    let document: Value = serde_json::from_str(&document.text().await.unwrap()).unwrap();
    assert_eq!(document["issuer"], world.sandbox.issuer);
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    for name in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "end_session_endpoint"] {
        let status = world.http.get(document[name].as_str().unwrap()).send().await.unwrap().status();
        assert_ne!(status, 421, "{name}");
        // The token endpoint takes POST only; actix answers 404 to another method on a lone route.
        assert!(status != 404 || name == "token_endpoint", "{name}");
    }
    world.sandbox.stop().await;
}

#[tokio::test]
async fn a_code_is_good_once_for_a_minute_and_for_its_own_request_only() {
    let world = world().await;
    let code = async || param(&world.sign_in(&ASKED, "dev").await.0, "code").unwrap();
    let good = code().await;
    for (name, value, status, error) in [
        ("code_verifier", Some("e".repeat(43)), 400, "invalid_grant"),
        ("code_verifier", Some("short".into()), 400, "invalid_grant"),
        ("code_verifier", None, 400, "invalid_request"),
        ("redirect_uri", Some(format!("{REDIRECT}/")), 400, "invalid_grant"),
        ("redirect_uri", None, 400, "invalid_grant"),
        ("grant_type", Some("refresh_token".into()), 400, "unsupported_grant_type"),
        ("client_id", Some("stranger".into()), 401, "invalid_client"),
        ("client_secret", Some("x".into()), 401, "invalid_client"),
        ("code", Some("guess".into()), 400, "invalid_grant"),
    ] {
        let fresh = code().await;
        let got = world.exchange(&changed(&exchange_of(&fresh), name, value.as_deref()), &[]).await;
        assert_eq!((got.0, got.1["error"].as_str()), (status, Some(error)), "{name} {value:?}");
    }
    assert_eq!(world.exchange(&exchange_of(&good), &[]).await.0, 200);
    assert_eq!(world.exchange(&exchange_of(&good), &[]).await.1["error"], "invalid_grant");
    let late = code().await;
    world.clock.advance(CODE);
    assert_eq!(world.exchange(&exchange_of(&late), &[]).await.1["error"], "invalid_grant");
    world.sandbox.stop().await;
}

#[tokio::test]
async fn the_confidential_client_proves_itself_by_basic_or_post() {
    let world = world().await;
    let asked = changed(&ASKED, "client_id", Some(CONFIDENTIAL_CLIENT));
    let code = async || param(&world.sign_in(&asked, "dev").await.0, "code").unwrap();
    let basic = |secret: &str| {
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encode(CONFIDENTIAL_CLIENT), encode(secret));
        format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes()))
    };
    let secret = "a secret: with %/colon";
    let fresh = code().await;
    let nameless = changed(&exchange_of(&fresh), "client_id", None);
    assert_eq!(world.exchange(&nameless, &[("authorization", &basic(secret))]).await.0, 200);
    let fresh = code().await;
    let named = changed(&exchange_of(&fresh), "client_id", Some(CONFIDENTIAL_CLIENT));
    assert_eq!(world.exchange(&named, &[]).await.0, 401);
    assert_eq!(world.exchange(&changed(&named, "client_secret", Some("wrong")), &[]).await.0, 401);
    assert_eq!(world.exchange(&nameless, &[("authorization", &basic("wrong"))]).await.0, 401);
    let both = changed(&named, "client_secret", Some(secret));
    assert_eq!(world.exchange(&both, &[("authorization", &basic(secret))]).await.1["error"], "invalid_request");
    // Another client's code, then its own.
    assert_eq!(world.exchange(&exchange_of(&fresh), &[]).await.1["error"], "invalid_grant");
    let fresh = code().await;
    let named = changed(&exchange_of(&fresh), "client_id", Some(CONFIDENTIAL_CLIENT));
    assert_eq!(world.exchange(&changed(&named, "client_secret", Some(secret)), &[]).await.0, 200);
    world.sandbox.stop().await;
}

#[tokio::test]
async fn a_request_that_cannot_be_trusted_is_refused_on_a_page() {
    let world = world().await;
    for (name, value) in [
        ("client_id", Some("stranger")),
        ("redirect_uri", Some("http://127.0.0.1:8700/callback/demo/")),
        ("redirect_uri", Some("http://127.0.0.1:8700/callback/demo?x=1")),
        ("redirect_uri", None),
    ] {
        let answer = world.authorize(&changed(&ASKED, name, value), "").await;
        assert_eq!(answer.status(), 400, "{name} {value:?}");
        assert!(answer.headers().get("location").is_none());
    }
    let mut twice = ASKED.to_vec();
    twice.push(("state", "s2"));
    assert_eq!(world.authorize(&twice, "").await.status(), 400);
    world.sandbox.stop().await;
}

#[tokio::test]
async fn any_other_fault_is_told_to_the_client() {
    let world = world().await;
    for (name, value, error) in [
        ("response_type", Some("token"), "unsupported_response_type"),
        ("response_mode", Some("fragment"), "invalid_request"),
        ("scope", Some("profile"), "invalid_scope"),
        ("code_challenge", None, "invalid_request"),
        ("code_challenge", Some("short"), "invalid_request"),
        ("code_challenge_method", None, "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("request", Some("e30"), "request_not_supported"),
        ("max_age", Some("soon"), "invalid_request"),
        ("prompt", Some("none login"), "invalid_request"),
        ("prompt", Some("none"), "login_required"),
    ] {
        let back = location(&world.authorize(&changed(&ASKED, name, value), "").await);
        assert_eq!(param(&back, "error").as_deref(), Some(error), "{name} {value:?}");
        assert_eq!(param(&back, "state").as_deref(), Some("s1"));
        assert_eq!(param(&back, "iss").as_ref(), Some(&world.sandbox.issuer));
    }
    world.sandbox.stop().await;
}

#[tokio::test]
async fn a_session_spares_the_page_unless_the_client_wants_it() {
    let world = world().await;
    let (_, cookie) = world.sign_in(&ASKED, "dev").await;
    assert!(cookie.starts_with("sandbox_idp_session="));
    let back = location(&world.authorize(&ASKED, &cookie).await);
    assert!(param(&back, "code").is_some());
    let silent = location(&world.authorize(&changed(&ASKED, "prompt", Some("none")), &cookie).await);
    assert!(param(&silent, "code").is_some());
    assert_eq!(world.authorize(&changed(&ASKED, "prompt", Some("login")), &cookie).await.status(), 200);
    assert_eq!(world.authorize(&changed(&ASKED, "max_age", Some("0")), &cookie).await.status(), 200);
    let hour = changed(&ASKED, "max_age", Some("3600"));
    world.clock.advance(TimeDelta::seconds(3599));
    let (_, tokens) = {
        let back = location(&world.authorize(&hour, &cookie).await);
        world.exchange(&exchange_of(&param(&back, "code").unwrap()), &[]).await
    };
    assert_eq!(claims(tokens["id_token"].as_str().unwrap())["auth_time"], 1_800_000_000);
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(world.authorize(&hour, &cookie).await.status(), 200);
    world.sandbox.stop().await;
}

#[tokio::test]
async fn the_sign_in_page_is_good_once_and_from_here_only() {
    let world = world().await;
    let page = world.authorize(&ASKED, "").await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("form-action 'self' http://127.0.0.1:8700") && policy.contains("default-src 'none'"), "{policy}");
    let handle = world.handle(page, "request").await;
    let chosen = [("request", handle.as_str()), ("person", "nora")];
    assert_eq!(world.post("/sign-in", &chosen, &[("origin", "http://127.0.0.1:1")]).await.status(), 400);
    assert_eq!(world.post("/sign-in", &chosen, &[("origin", "null")]).await.status(), 400);
    assert_eq!(world.post("/sign-in", &chosen, &[("origin", &world.sandbox.issuer)]).await.status(), 303);
    assert_eq!(world.post("/sign-in", &chosen, &[]).await.status(), 400);
    let handle = world.handle(world.authorize(&ASKED, "").await, "request").await;
    let back = location(&world.post("/sign-in", &[("request", &handle), ("cancel", "1")], &[]).await);
    assert_eq!(param(&back, "error").as_deref(), Some("access_denied"));
    let handle = world.handle(world.authorize(&ASKED, "").await, "request").await;
    world.clock.advance(PENDING);
    assert_eq!(world.post("/sign-in", &[("request", &handle), ("person", "ana")], &[]).await.status(), 400);
    world.sandbox.stop().await;
}

#[tokio::test]
async fn sign_out_needs_a_proof_or_a_click_and_goes_to_registered_places_only() {
    let world = world().await;
    let (back, cookie) = world.sign_in(&ASKED, "ana").await;
    let tokens = world.exchange(&exchange_of(&param(&back, "code").unwrap()), &[]).await.1;
    let token = tokens["id_token"].as_str().unwrap();
    let leave = async |pairs: &[(&str, &str)]| {
        let url = format!("{}/logout?{}", world.sandbox.issuer, form(pairs));
        world.http.get(url).header("cookie", &cookie).send().await.unwrap()
    };
    let good = [("id_token_hint", token), ("post_logout_redirect_uri", AFTER), ("state", "bye")];
    let elsewhere = leave(&changed(&good, "post_logout_redirect_uri", Some("http://127.0.0.1:8700/"))).await;
    assert_eq!(elsewhere.status(), 400);
    let (head, _) = token.rsplit_once('.').unwrap();
    assert_eq!(leave(&changed(&good, "id_token_hint", Some(&format!("{head}.AAAA")))).await.status(), 400);
    assert_eq!(leave(&changed(&good, "id_token_hint", None)).await.status(), 400);

    // Named by its client alone: the person is asked, and is still signed in until the click.
    let mut unproved = changed(&good, "id_token_hint", None);
    unproved.push(("client_id", PUBLIC_CLIENT));
    let handle = world.handle(leave(&unproved).await, "departure").await;
    assert_eq!(world.authorize(&ASKED, &cookie).await.status(), 303);
    let done = world.post("/logout/confirm", &[("departure", &handle)], &[]).await;
    assert_eq!(location(&done).as_str(), format!("{AFTER}?state=bye"));

    world.clock.advance(TimeDelta::hours(1));
    let done = location(&leave(&good).await);
    assert_eq!(done.as_str(), format!("{AFTER}?state=bye"));
    assert_eq!(world.authorize(&ASKED, &cookie).await.status(), 200);
    world.sandbox.stop().await;
}
