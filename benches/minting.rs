//! A proof for AWS: claims or a SAML response, encoded, and one signature with the kept key. No network.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot be set up must stop")]

mod common;

use std::path::Path;
use std::time::Duration;

use common::Scene;
use criterion::{Criterion, criterion_group, criterion_main};
use rolegate::access::{Operation, Purpose, Wish};
use rolegate::gateway::Caller;
use rolegate::trust::keys::KeyRing;
use rolegate::trust::{Issuer, SamlIssuer, SamlPlace, SamlTrustSettings, SigningAlgorithm, TrustSettings};

/// A role that is taken by SAML, with as many tags as a rule may reasonably set.
const BY_SAML: &str = r#"
[[rule]]
id = "operators"
groups = ["aws-platform-admins"]
accounts = ["Sandbox"]
roles = ["Operator"]
tags = { Mail = "${username}", Team = "platform", CostCenter = "CC-100" }
transitive_tags = ["CostCenter"]
operation = "saml"
"#;

fn minting(criterion: &mut Criterion) {
    let scene = Scene::with(false, BY_SAML);
    let gateway = &scene.site.gateway;
    let session = scene.runtime.block_on(gateway.session(&scene.session)).unwrap().unwrap();
    let wish = Wish {
        role: "arn:aws:iam::111122223333:role/Developer".into(),
        duration: Some(Duration::from_hours(1)),
        purpose: Purpose::Console,
        reason: None,
        mfa_code: None,
        break_glass: false,
    };
    let request = gateway.entitlements(&session, &Caller::default()).choose(&wish).unwrap_or_else(|denied| panic!("{denied}"));
    for (name, algorithm) in [("minting/es256", SigningAlgorithm::Es256), ("minting/rs256", SigningAlgorithm::Rs256)] {
        let settings = TrustSettings { algorithm, ..TrustSettings::default() };
        let issuer =
            Issuer::new("https://roles.example.org", "sts.amazonaws.com", KeyRing::load(&settings, Path::new("."), "trust").unwrap());
        let now = gateway.now();
        criterion.bench_function(name, |bencher| bencher.iter(|| issuer.prove(&request, &session.identity, now).unwrap()));
    }

    let wish = Wish { role: "arn:aws:iam::777788889999:role/Operator".into(), ..wish };
    let request = gateway.entitlements(&session, &Caller::default()).choose(&wish).unwrap_or_else(|denied| panic!("{denied}"));
    assert_eq!(request.operation(), Operation::Saml);
    let place = SamlPlace { public_url: "https://roles.example.org", signin_endpoint: None };
    let saml = SamlIssuer::load(&SamlTrustSettings::default(), &place, Path::new("."), "trust.saml", gateway.now()).unwrap();
    let keys = KeyRing::load(&TrustSettings::default(), Path::new("."), "trust").unwrap();
    let issuer = Issuer::new("https://roles.example.org", "sts.amazonaws.com", keys).with_saml(Some(saml));
    let now = gateway.now();
    criterion.bench_function("minting/saml-rsa2048", |bencher| bencher.iter(|| issuer.prove(&request, &session.identity, now).unwrap()));
}

criterion_group!(benches, minting);
criterion_main!(benches);
