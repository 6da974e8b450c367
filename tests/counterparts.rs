//! The counterparts themselves: each starts, does what the other tests rely on, and refuses what it must refuse.

mod support;

use std::time::Duration;

use support::{Moto, OidcOptions, OidcProvider, Redis, Scratch, node, python};

#[tokio::test]
async fn redis_answers_shows_what_it_holds_and_ends_when_asked() {
    let mut redis = Redis::start().await;
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let () = redis::cmd("SET").arg("a-key").arg("a-value-that-is-found").query_async(&mut connection).await.unwrap();
    let everything = redis.everything();
    let found = |needle: &str| everything.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(found("a-key") && found("a-value-that-is-found") && !found("another-value"));
    drop(connection);
    assert!(redis.process().stop().await.success());
}

#[tokio::test]
async fn the_identity_provider_serves_its_discovery_document() {
    let provider =
        OidcProvider::start(&OidcOptions { redirect_uris: vec!["http://127.0.0.1:9/callback/main".into()], ..OidcOptions::default() })
            .await;
    let document = reqwest::get(format!("{}/.well-known/openid-configuration", provider.issuer())).await.unwrap().text().await.unwrap();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["issuer"], provider.issuer());
    assert_eq!(document["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert!(document["end_session_endpoint"].is_string());
}

#[tokio::test]
async fn moto_takes_anything_for_a_token_which_is_why_it_proves_the_wire_format_only() {
    let moto = Moto::start().await;
    let body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2FX&RoleSessionName=ana\
                &WebIdentityToken=not-a-jwt";
    let request = reqwest::Client::new().post(moto.url()).timeout(Duration::from_secs(20)).body(body);
    let answer = request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("<AssumeRoleWithWebIdentityResult>"));
}

/// A key pair and tokens made by npm's jose, so that these verifiers are shown to tell good from bad before they judge ours.
#[tokio::test]
async fn the_foreign_verifiers_accept_a_good_token_and_refuse_bad_ones() {
    let folder = Scratch::new();
    let place = folder.path().to_str().unwrap();
    node("tests/counterparts/make_tokens.mjs", &[place], &[]).await.or_fail();
    let keys = format!("{place}/keys.json");
    for (token, good) in
        [("good", true), ("expired", false), ("tampered", false), ("other_audience", false), ("other_key", false), ("none", false)]
    {
        let token_file = format!("{place}/{token}.jwt");
        let args = [keys.as_str(), token_file.as_str(), "sts.amazonaws.com"];
        let by_python = python("tests/counterparts/verify_pyjwt.py", &args).await;
        let by_jose = node("tests/counterparts/verify_jose.mjs", &args, &[]).await;
        for verdict in [by_python, by_jose] {
            assert_eq!(verdict.success, good, "{token}: {verdict:?}");
            assert_eq!(verdict.stdout.contains("\"sub\""), good, "{token}: {verdict:?}");
            assert!(good || verdict.stderr.contains("refuses"), "{token}: {verdict:?}");
        }
    }
}
