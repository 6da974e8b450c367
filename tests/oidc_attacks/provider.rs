//! What a provider publishes: keys, discovery, outages.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn o09_a_flood_of_unknown_keys_costs_one_request() {
    let scene = scene();
    scene.accepts_the_untampered().await;
    assert_eq!(scene.idp.count("/jwks"), 1);
    let stranger = Signer::rsa("nobody-knows");
    let begun = scene.begin().await;
    scene.idp.set_id_token(&stranger.sign(&scene.claims(&begun.nonce)));
    let flood: Vec<_> = (0..100)
        .map(|_| {
            let (provider, pending) = (scene.provider.clone(), pending(&begun));
            tokio::spawn(async move { provider.complete(&answer_with_code(), &pending, now()).await.unwrap_err() })
        })
        .collect();
    for refused in flood {
        assert_eq!(refused.await.unwrap(), Rejected::UnknownKey);
    }
    assert_eq!(scene.idp.count("/jwks"), 2);
    let later = |seconds| now() + TimeDelta::seconds(seconds);
    assert_eq!(scene.login_at(later(29), |claims| stranger.sign(&claims)).await.unwrap_err(), Rejected::UnknownKey);
    assert_eq!(scene.idp.count("/jwks"), 2, "in the cool-down");
    assert_eq!(scene.login_at(later(30), |claims| stranger.sign(&claims)).await.unwrap_err(), Rejected::UnknownKey);
    assert_eq!(scene.idp.count("/jwks"), 3);
}

#[tokio::test]
async fn o09_rotated_keys_are_found_and_withdrawn_ones_leave() {
    let scene = scene();
    scene.accepts_the_untampered().await;
    let next = Signer::rsa("rsa-2");
    scene.idp.set_keys(&[&next, &P256]);
    scene.login(|claims| next.sign(&claims)).await.unwrap();
    assert_eq!(scene.idp.count("/jwks"), 2);
    assert_eq!(scene.login(|claims| RSA.sign(&claims)).await.unwrap_err(), Rejected::UnknownKey);
    // Without a key id there is no telling between keys; with one key that fits there is no need to.
    let header = r#"{"alg":"RS256"}"#;
    scene.login(|claims| next.sign_raw(header, &claims.to_string(), "RS256")).await.unwrap();
    scene.idp.set_keys(&[&next, &RSA]);
    let at = now() + TimeDelta::hours(1);
    let sign = |claims| next.sign_raw(header, &changed(claims, &json!({ "exp": at.timestamp() })).to_string(), "RS256");
    assert_eq!(scene.login_at(at, sign).await.unwrap_err(), Rejected::UnknownKey);
}

#[tokio::test]
async fn o09_old_keys_bridge_an_outage_of_a_day() {
    let scene = scene();
    scene.accepts_the_untampered().await;
    scene.idp.set("/jwks", Answer::status(503));
    scene.idp.set("/.well-known/openid-configuration", Answer::status(503));
    let sign = |at: Moment| move |claims| RSA.sign(&changed(claims, &json!({ "exp": at.timestamp(), "iat": at.timestamp() })));
    let at = now() + TimeDelta::hours(24) - TimeDelta::seconds(1);
    scene.login_at(at, sign(at)).await.unwrap();
    assert!(scene.provider.health().failure.is_some_and(|(_, why)| why.contains("503")));
    let at = now() + TimeDelta::hours(25);
    let refused = scene.login_at(at, sign(at)).await.unwrap_err();
    assert!(matches!(&refused, Rejected::Unavailable(why) if why.contains("503")), "{refused}");
}

#[tokio::test]
async fn o10_a_discovery_document_cannot_lead_elsewhere() {
    let scene = scene();
    scene.accepts_the_untampered().await;
    let cases = [
        (json!({ "issuer": "https://evil.example" }), "not of"),
        (json!({ "issuer": format!("{}/", scene.idp.base) }), "not of"),
        (json!({ "token_endpoint": "http://idp.example/token" }), "not https"),
        (json!({ "jwks_uri": "http://10.0.0.1/jwks" }), "not https"),
        (json!({ "jwks_uri": "https://10.0.0.1/jwks" }), "not public"),
        (json!({ "token_endpoint": "https://169.254.169.254/latest/meta-data" }), "not public"),
        (json!({ "userinfo_endpoint": "https://[fd00:ec2::254]/" }), "not public"),
        (json!({ "userinfo_endpoint": "https://[::ffff:192.168.0.1]/" }), "not public"),
        (json!({ "jwks_uri": "file:///etc/passwd" }), "not https"),
        (json!({ "authorization_endpoint": "javascript:alert(1)" }), "not https"),
        (json!({ "end_session_endpoint": "http://idp.example/" }), "not https"),
    ];
    for (changes, why) in cases {
        scene.idp.set("/.well-known/openid-configuration", Answer::json(&changed(scene.idp.discovery(), &changes)));
        let fresh = provider_of(&settings(&scene.idp, &json!({})));
        let refused = fresh.begin("state", None, now()).await.unwrap_err();
        assert!(matches!(&refused, Rejected::Unavailable(text) if text.contains(why)), "{changes}: {refused}");
    }
}

#[tokio::test]
async fn o10_a_public_name_that_resolves_to_an_inner_address_is_not_asked() {
    let scene = scene();
    scene.accepts_the_untampered().await;
    let issuer = scene.idp.base.replace("http://127.0.0.1", "https://localhost");
    let refused = provider_of(&settings(&scene.idp, &json!({ "issuer": issuer }))).begin("state", None, now()).await.unwrap_err();
    assert!(matches!(&refused, Rejected::Unavailable(text) if text.contains("not public")), "{refused}");
    // With leave it is asked, and fails only for speaking no TLS.
    let allowed = settings(&scene.idp, &json!({ "issuer": issuer, "private_network": true }));
    let refused = provider_of(&allowed).begin("state", None, now()).await.unwrap_err();
    assert!(matches!(&refused, Rejected::Unavailable(text) if !text.contains("not public")), "{refused}");
}

#[tokio::test]
async fn o10_redirects_and_endless_answers_are_not_followed() {
    let scene = scene();
    scene.accepts_the_untampered().await;
    let honest = scene.idp.discovery();
    scene.idp.set("/elsewhere", Answer::json(&honest));
    let redirect = Answer { headers: vec![("location", format!("{}/elsewhere", scene.idp.base))], ..Answer::status(302) };
    let padded = changed(honest, &json!({ "padding": "x".repeat(1024 * 1024) }));
    for (answer, why) in
        [(redirect, "redirect"), (Answer::json(&padded), "longer than 1 MiB"), (Answer::status(200), "not a discovery document")]
    {
        scene.idp.set("/.well-known/openid-configuration", answer);
        let refused = provider_of(&settings(&scene.idp, &json!({}))).begin("state", None, now()).await.unwrap_err();
        assert!(matches!(&refused, Rejected::Unavailable(text) if text.contains(why)), "{refused}");
    }
    assert_eq!(scene.idp.count("/elsewhere"), 0);
}

#[tokio::test]
async fn a_provider_that_is_down_says_so_and_the_others_go_on() {
    let (down, up) = (scene(), scene());
    down.idp.set("/.well-known/openid-configuration", Answer::status(500));
    assert!(matches!(down.provider.begin("state", None, now()).await.unwrap_err(), Rejected::Unavailable(_)));
    let (at, why) = down.provider.health().failure.unwrap();
    assert_eq!(at, now());
    assert!(why.contains("status 500"), "{why}");
    up.accepts_the_untampered().await;
    assert_eq!(up.provider.health().answered, Some(now()));
    // It comes back by itself.
    down.idp.set("/.well-known/openid-configuration", Answer::json(&down.idp.discovery()));
    let at = now() + TimeDelta::seconds(5);
    assert!(down.provider.begin("state", None, at).await.is_ok());
    assert_eq!(down.provider.health().failure, None);
    // Nobody listens at all.
    let closed = provider_of(&settings(&up.idp, &json!({ "issuer": "http://127.0.0.1:1" })));
    assert!(matches!(closed.begin("state", None, now()).await.unwrap_err(), Rejected::Unavailable(_)));
    // The token endpoint alone is down, or answers garbage.
    for answer in [Answer::status(502), Answer { body: b"<html>".to_vec(), ..Answer::status(502) }, Answer::json(&json!([]))] {
        let begun = up.begin().await;
        up.idp.set("/token", answer);
        assert!(matches!(scene_complete(&up.provider, &pending(&begun)).await.unwrap_err(), Rejected::Unavailable(_)));
    }
    let begun = up.begin().await;
    up.idp.set("/token", Answer { status: 401, ..Answer::json(&json!({ "error": "invalid_client" })) });
    let refused = scene_complete(&up.provider, &pending(&begun)).await.unwrap_err();
    assert!(matches!(&refused, Rejected::CodeRefused(why) if why.starts_with("invalid_client: ")), "{refused}");
}
