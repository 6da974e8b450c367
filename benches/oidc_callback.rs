//! What a callback costs beside the network and the disk: the ID token parsed strictly, its RSA signature verified, every claim checked.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench that cannot be set up must stop")]

mod common;

use common::Scene;
use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::Algorithm;
use rolegate::identity::jwt::{Expected, KeySet, Unverified};

fn callback(criterion: &mut Criterion) {
    let scene = Scene::new(false);
    let gateway = &scene.site.gateway;
    let session = scene.runtime.block_on(gateway.session(&scene.session)).unwrap().unwrap();
    let token = session.identity.token().expose().to_owned();
    let fetch = |url: String| scene.runtime.block_on(async { reqwest::get(url).await.unwrap().bytes().await.unwrap() });
    let discovery: serde_json::Value = serde_json::from_slice(&fetch(format!("{}/.well-known/openid-configuration", scene.idp))).unwrap();
    let keys = KeySet::read(&fetch(discovery["jwks_uri"].as_str().unwrap().to_owned())).unwrap();
    let expected = Expected { issuer: &scene.idp, audience: "rolegate-demo" };
    let now = gateway.now();
    criterion.bench_function("oidc-callback/id-token-rs256", |bencher| {
        bencher.iter(|| Unverified::parse(&token).unwrap().verify(&keys, &[Algorithm::RS256]).unwrap().accept(&expected, now).unwrap());
    });
}

criterion_group!(benches, callback);
criterion_main!(benches);
