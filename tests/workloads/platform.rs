//! A platform that forges tokens, before the running product.

use std::sync::LazyLock;

use reqwest::{Client, Method, redirect};
use serde_json::{Value, json};

use crate::forging_idp::{ForgingIdp, Signer};
use crate::world::{Answer, READER, World};

pub(crate) static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::rsa("rsa-1"));
pub(crate) static P256: LazyLock<Signer> = LazyLock::new(|| Signer::p256("p256-1"));

pub(crate) struct Platform {
    pub(crate) idp: ForgingIdp,
    pub(crate) world: World,
    client: Client,
}

/// The rule by which the honest workload gets its role.
const RULE: &str = "[[rule]]\nid = \"deploy\"\neveryone = true\nproviders = [\"ci\"]\npurposes = [\"workload\"]\n\
    when = 'claims.repository == \"example/web\"'\naccounts = [\"*\"]\nroles = [\"ReadOnly\"]\nmax_session = \"2h\"\n";

impl Platform {
    pub(crate) async fn new() -> Self {
        Self::with("", |config| config).await
    }

    /// A platform with more settings, and a gateway whose configuration is changed.
    pub(crate) async fn with(settings: &str, change: impl FnOnce(String) -> String) -> Self {
        let idp = ForgingIdp::start(&[&RSA, &P256]);
        let table = format!(
            "[[workload_provider]]\nid = \"ci\"\nissuer = \"{}\"\naudience = \"the-gateway\"\nuses = 3\n\
             required_claims = {{ repository_owner = \"example\" }}\n{settings}\n{RULE}",
            idp.base
        );
        let world = World::with(|config| change(config + &table)).await;
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().build().unwrap();
        Self { idp, world, client }
    }

    /// The claims of an honest token, as GitHub Actions would write them.
    pub(crate) fn claims(&self) -> Value {
        use rolegate::clock::Clock;
        let now = self.world.clock.now().timestamp();
        json!({
            "iss": self.idp.base, "aud": "the-gateway", "sub": "repo:example/web:ref:refs/heads/main", "jti": "run-1",
            "iat": now, "nbf": now - 300, "exp": now + 300, "repository": "example/web", "repository_owner": "example",
        })
    }

    /// An honest token but for these claims; null takes one away.
    pub(crate) fn token(&self, changes: &Value) -> String {
        RSA.sign(&changed(self.claims(), changes))
    }

    /// Asks for credentials with a bearer token.
    pub(crate) async fn ask(&self, token: &str, body: &Value) -> Answer {
        self.send(Method::POST, "/api/v1/credentials", token, Some(body)).await
    }

    /// Asks for the honest workload's role.
    pub(crate) async fn ask_role(&self, token: &str) -> Answer {
        self.ask(token, &json!({ "role": READER })).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, token: &str, body: Option<&Value>) -> Answer {
        let mut request =
            self.client.request(method, format!("{}{path}", self.world.base)).header("authorization", format!("Bearer {token}"));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        self.answer(request).await
    }

    /// Posts a form to the token endpoint, as a program does.
    pub(crate) async fn exchange(&self, fields: &[(&str, &str)]) -> Answer {
        let request = self.client.post(format!("{}/oauth2/token", self.world.base));
        self.answer(request.header("content-type", "application/x-www-form-urlencoded").body(crate::world::form(fields))).await
    }

    pub(crate) async fn answer(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }
}

/// Sets members; null takes one away.
pub(crate) fn changed(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

/// A problem of that status and code; its detail.
#[track_caller]
pub(crate) fn problem(answer: &Answer, status: u16, code: &str) -> String {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(problem["code"], code, "{problem}");
    problem["detail"].as_str().unwrap().to_owned()
}

#[track_caller]
pub(crate) fn good(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    serde_json::from_str(&answer.body).unwrap()
}
