//! What every page begins with: the session of a cookie (looked up, unsealed, decoded), and the roles that the rules give. And the whole
//! portal page over loopback, client included, for scale: the server's own share is measured by `scripts/measure.py`.

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up must stop")]

mod common;

use common::Scene;
use criterion::{Criterion, criterion_group, criterion_main};
use rolegate::gateway::Caller;

fn session(criterion: &mut Criterion) {
    for (store, in_redis) in [("memory", false), ("redis", true)] {
        let scene = Scene::new(in_redis);
        let gateway = &scene.site.gateway;
        criterion.bench_function(&format!("session/check/{store}"), |bencher| {
            bencher.to_async(&scene.runtime).iter(|| async { gateway.session(&scene.session).await.unwrap().unwrap() });
        });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let cookie = format!("rolegate-session={}", scene.session.expose());
        criterion.bench_function(&format!("session/portal-round-trip/{store}"), |bencher| {
            bencher.to_async(&scene.runtime).iter(|| async {
                let page = client.get(format!("{}/", scene.base)).header("cookie", &cookie).send().await.unwrap();
                assert_eq!(page.status(), 200);
                page.bytes().await.unwrap()
            });
        });
        if !in_redis {
            let session = scene.runtime.block_on(gateway.session(&scene.session)).unwrap().unwrap();
            let caller = Caller::default();
            criterion.bench_function("session/entitlements", |bencher| bencher.iter(|| gateway.entitlements(&session, &caller)));
        }
    }
}

criterion_group!(benches, session);
criterion_main!(benches);
