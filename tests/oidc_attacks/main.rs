//! Attacks on OpenID Connect sign-in, by their ids. Each test first lets the untampered sibling in, then names the refusal.
//!
//! Of O3 and O4, that a state serves once and in one browser only is the gateway's part and is tested there.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's helpers fail loudly")]

#[path = "../support/forging_idp.rs"]
mod forging_idp;

mod flow;
mod logout;
mod people;
mod provider;
mod tokens;

use std::path::Path;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta};
use data_encoding::BASE64URL_NOPAD;
use forging_idp::{Answer, ForgingIdp, Signer};
use rolegate::clock::Moment;
use rolegate::identity::oidc::{Begun, Callback, Provider};
use rolegate::identity::{Identity, LoginSecrets, PendingLogin, ProviderSettings, Rejected};
use serde_json::{Value, json};

static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::rsa("rsa-1"));
static P256: LazyLock<Signer> = LazyLock::new(|| Signer::p256("p256-1"));

const CLIENT: &str = "rolegate-client";

fn now() -> Moment {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// The provider's double and the gateway's view of it.
struct Scene {
    idp: ForgingIdp,
    provider: Provider,
}

fn settings(idp: &ForgingIdp, more: &Value) -> ProviderSettings {
    let mut settings = json!({ "id": "forged", "name": "Forged", "issuer": idp.base, "client_id": CLIENT, "client_auth": "none" });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(settings).unwrap()
}

fn provider_of(settings: &ProviderSettings) -> Provider {
    let redirect = format!("https://gate.example/callback/{}", settings.id).parse().unwrap();
    Provider::new(settings, "provider[0]", redirect, Path::new(".")).unwrap()
}

fn scene_with(more: &Value) -> Scene {
    let idp = ForgingIdp::start(&[&RSA, &P256]);
    let provider = provider_of(&settings(&idp, more));
    Scene { idp, provider }
}

fn scene() -> Scene {
    scene_with(&json!({}))
}

fn pending(begun: &Begun) -> PendingLogin {
    PendingLogin {
        provider: "forged".parse().unwrap(),
        browser: "browser".into(),
        return_to: "/".into(),
        begun: now(),
        secrets: LoginSecrets::Oidc { nonce: begun.nonce.clone(), verifier: begun.verifier.clone() },
    }
}

fn answer_with_code() -> Callback {
    Callback { state: "state".into(), code: Some("code-1".into()), ..Callback::default() }
}

impl Scene {
    async fn begin(&self) -> Begun {
        let begun = self.provider.begin("state", None, now()).await.unwrap();
        self.idp.issue("code-1", &begun.url);
        begun
    }

    fn claims(&self, nonce: &str) -> Value {
        let now = now().timestamp();
        json!({ "iss": self.idp.base, "sub": "ana", "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": nonce, "groups": ["g1", "g2"] })
    }

    /// A whole login; `forge` makes the ID token from honest claims.
    async fn login(&self, forge: impl FnOnce(Value) -> String) -> Result<Identity, Rejected> {
        self.login_at(now(), forge).await
    }

    async fn login_at(&self, at: Moment, forge: impl FnOnce(Value) -> String) -> Result<Identity, Rejected> {
        let begun = self.provider.begin("state", None, at).await?;
        self.idp.issue("code-1", &begun.url);
        self.idp.set_id_token(&forge(self.claims(&begun.nonce)));
        self.provider.complete(&answer_with_code(), &PendingLogin { begun: at, ..pending(&begun) }, at).await
    }

    /// A login whose claims are changed and then signed properly.
    async fn with(&self, changes: Value) -> Result<Identity, Rejected> {
        self.login(|claims| RSA.sign(&changed(claims, &changes))).await
    }

    async fn accepts_the_untampered(&self) {
        let identity = self.with(json!({})).await.unwrap();
        assert_eq!((identity.subject(), identity.groups()), ("ana", &["g1".to_owned(), "g2".to_owned()][..]));
    }
}

/// Sets members; null takes one away.
fn changed(mut claims: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn b64(text: &str) -> String {
    BASE64URL_NOPAD.encode(text.as_bytes())
}

async fn scene_complete(provider: &Provider, pending: &PendingLogin) -> Result<Identity, Rejected> {
    provider.complete(&answer_with_code(), pending, now()).await
}
