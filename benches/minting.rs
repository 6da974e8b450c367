//! A proof for AWS: claims, JSON, base64url and one signature with the kept key. No network.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot be set up must stop")]

mod common;

use std::path::Path;
use std::time::Duration;

use common::Scene;
use criterion::{Criterion, criterion_group, criterion_main};
use rolegate::access::{Purpose, Wish};
use rolegate::gateway::Caller;
use rolegate::trust::keys::KeyRing;
use rolegate::trust::{Issuer, SigningAlgorithm, TrustSettings};

fn minting(criterion: &mut Criterion) {
    let scene = Scene::new(false);
    let gateway = &scene.site.gateway;
    let session = scene.runtime.block_on(gateway.session(&scene.session)).unwrap().unwrap();
    let wish = Wish {
        role: "arn:aws:iam::111122223333:role/Developer".into(),
        duration: Some(Duration::from_hours(1)),
        purpose: Purpose::Console,
    };
    let request = gateway.entitlements(&session, &Caller::default()).choose(&wish).unwrap_or_else(|denied| panic!("{denied}"));
    for (name, algorithm) in [("minting/es256", SigningAlgorithm::Es256), ("minting/rs256", SigningAlgorithm::Rs256)] {
        let settings = TrustSettings { algorithm, ..TrustSettings::default() };
        let issuer =
            Issuer::new("https://roles.example.org", "sts.amazonaws.com", KeyRing::load(&settings, Path::new("."), "trust").unwrap());
        let now = gateway.now();
        criterion.bench_function(name, |bencher| bencher.iter(|| issuer.prove(&request, &session.identity, now).unwrap()));
    }
}

criterion_group!(benches, minting);
criterion_main!(benches);
