//! What a callback costs beside the disk.
//!
//! `id-token-rs256`: the ID token parsed strictly, its RSA signature verified, every claim checked; no network at all.
//! `complete-over-loopback`: all that a provider's answer sets off, to the finished identity, with the code redeemed at a server on loopback.
//! `loopback-alone`: a request of the same size to the same server, so that the difference is what the gateway itself costs.

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up must stop")]

#[path = "../tests/support/forging_idp.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod forging_idp;

use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use forging_idp::{ForgingIdp, Signer};
use jsonwebtoken::Algorithm;
use rolegate::clock::{Clock, Moment, SystemClock};
use rolegate::identity::jwt::{Expected, KeySet, Unverified};
use rolegate::identity::oidc::{Callback, Provider};
use rolegate::identity::{LoginSecrets, PendingLogin};
use serde_json::json;

const CLIENT: &str = "rolegate";

/// An ID token as Okta or Keycloak would write it, for a person with 20 groups.
fn id_token(signer: &Signer, issuer: &str, nonce: &str, now: Moment) -> String {
    let (now, groups) = (now.timestamp(), (0..20).map(|n| format!("department-{n:02}-engineering")).collect::<Vec<_>>());
    signer.sign(&json!({
        "iss": issuer, "aud": CLIENT, "sub": "00u1a2b3c4d5e6f7g8h9", "exp": now + 3600, "iat": now, "auth_time": now, "nonce": nonce,
        "sid": "9f0c1b2a-3d4e-5f60-7182-93a4b5c6d7e8", "acr": "urn:example:loa:2", "amr": ["pwd", "otp", "mfa"],
        "name": "Ana", "preferred_username": "ana@example.org", "email": "ana@example.org", "email_verified": true, "groups": groups,
    }))
}

fn callback(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (signer, now) = (Signer::rsa("key-1"), SystemClock.now());
    let idp = ForgingIdp::start(&[&signer]);
    let settings =
        json!({ "id": "okta", "name": "Okta", "issuer": idp.base, "client_id": CLIENT, "client_auth": "none", "private_network": true });
    let redirect = "https://roles.example.org/callback/okta".parse().unwrap();
    let provider = Provider::new(&serde_json::from_value(settings).unwrap(), "provider", redirect, Path::new(".")).unwrap();
    let begun = runtime.block_on(provider.begin("state", None, now)).unwrap();
    idp.issue("code-1", &begun.url);
    let token = id_token(&signer, &idp.base, &begun.nonce, now);
    idp.set_id_token(&token);

    let keys = KeySet::read(json!({ "keys": [signer.jwk()] }).to_string().as_bytes()).unwrap();
    let expected = Expected { issuer: &idp.base, audience: CLIENT };
    criterion.bench_function("oidc-callback/id-token-rs256", |bencher| {
        bencher.iter(|| Unverified::parse(&token).unwrap().verify(&keys, &[Algorithm::RS256]).unwrap().accept(&expected, now).unwrap());
    });

    let pending = PendingLogin {
        provider: provider.id().clone(),
        browser: String::new(),
        return_to: "/".into(),
        begun: now,
        secrets: LoginSecrets::Oidc { nonce: begun.nonce, verifier: begun.verifier.clone() },
    };
    let answer = Callback { state: "state".into(), code: Some("code-1".into()), ..Callback::default() };
    criterion.bench_function("oidc-callback/complete-over-loopback", |bencher| {
        bencher.to_async(&runtime).iter(|| async { provider.complete(&answer, &pending, now).await.unwrap() });
    });

    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let form = format!("grant_type=authorization_code&code=code-1&code_verifier={}", begun.verifier);
    let alone = || async { client.post(format!("{}/token", idp.base)).body(form.clone()).send().await.unwrap().bytes().await.unwrap() };
    criterion.bench_function("oidc-callback/loopback-alone", |bencher| bencher.to_async(&runtime).iter(alone));
}

criterion_group!(benches, callback);
criterion_main!(benches);
