//! The sandbox's STS and console refuse what AWS refuses, each for its own reason, and accept the untampered sibling.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may stop a test as tests themselves do")]

mod console;
mod saml;
mod signed;
mod world;

use chrono::TimeDelta;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use world::{AUDIENCE, DEVELOPER, FOREIGN, Key, NOW, PLAIN, ROLES, SOURCE_IDENTITY, TAGS, element, form, with, world};

#[tokio::test]
async fn a_valid_token_buys_credentials_and_the_ledger_shows_it() {
    let world = world().await;
    let answer = world.assume_claims(DEVELOPER, &world.claims()).await;
    assert_eq!(answer.status, 200, "{}", answer.xml);
    let text = |name: &str| element(&answer.xml, name).unwrap_or_else(|| panic!("no {name} in {}", answer.xml));
    assert!(text("AccessKeyId").starts_with("ASIA") && text("AccessKeyId").len() == 20);
    assert_eq!(text("SecretAccessKey").len(), 40);
    assert_eq!(text("Arn"), "arn:aws:sts::111122223333:assumed-role/Developer/ana@example.com");
    assert_eq!(text("Expiration"), "2027-01-15T09:00:00Z");
    assert_eq!(text("SubjectFromWebIdentityToken"), "okta+ana");
    assert_eq!(text("Audience"), AUDIENCE);
    assert_eq!(text("SourceIdentity"), "okta+ana");
    assert!(text("Provider").starts_with("arn:aws:iam::111122223333:oidc-provider/127.0.0.1:"));
    assert!((1..=100).contains(&text("PackedPolicySize").parse::<u8>().unwrap()));
    let ledger = world.sandbox.ledger();
    let [issued] = &ledger[..] else { panic!("{ledger:?}") };
    assert_eq!(issued.role.as_ref().unwrap().as_str(), DEVELOPER);
    assert_eq!(issued.jti.as_deref(), Some("j-1"));
    assert_eq!(issued.access_key_id, text("AccessKeyId"));
    assert_eq!(issued.source_identity.as_deref(), Some("okta+ana"));
    let tags: Vec<_> = issued.tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str(), tag.transitive)).collect();
    assert_eq!(tags, [("CostCenter", "CC-100", false), ("Team", "blue + green", true)]);

    let plain = world.assume_claims(PLAIN, &world.plain_claims()).await;
    assert_eq!(plain.status, 200, "{}", plain.xml);
    assert!(plain.xml.contains("assumed-role/Plain/"));
    assert_eq!(element(&plain.xml, "PackedPolicySize"), None);
    world.sandbox.stop().await;
}

#[tokio::test]
async fn claims_that_aws_refuses_are_refused() {
    let world = world().await;
    let invalid = "InvalidIdentityToken";
    let cases = [
        ("iss", json!("http://127.0.0.1:1"), invalid),
        ("iss", Value::Null, invalid),
        ("iss", json!(format!("{}/", world.issuer)), invalid),
        ("sub", Value::Null, invalid),
        ("sub", json!(""), invalid),
        ("sub", json!("s".repeat(256)), invalid),
        ("aud", Value::Null, invalid),
        ("aud", json!("another"), invalid),
        ("aud", json!([]), invalid),
        ("aud", json!([AUDIENCE, "another"]), invalid),
        ("azp", json!("another"), invalid),
        ("iat", Value::Null, invalid),
        ("iat", json!(NOW + 301), invalid),
        ("iat", json!(1_800_000_000.5), invalid),
        ("nbf", json!(NOW + 301), invalid),
        ("exp", Value::Null, invalid),
        ("exp", json!("1800000300"), invalid),
        ("exp", json!(NOW), "ExpiredTokenException"),
        ("exp", json!(NOW - 1), "ExpiredTokenException"),
        (ROLES, json!(PLAIN), invalid),
        (ROLES, json!([]), invalid),
        (ROLES, json!(["arn:aws:iam::111122223333:role/*"]), invalid),
        (ROLES, json!({"role": DEVELOPER}), invalid),
        (ROLES, Value::Null, "AccessDenied"),
        (SOURCE_IDENTITY, json!("a"), invalid),
        (SOURCE_IDENTITY, json!("a b"), invalid),
        (SOURCE_IDENTITY, json!("s".repeat(65)), invalid),
        (SOURCE_IDENTITY, json!(["okta+ana"]), invalid),
        (TAGS, json!({"principal_tags": {"Team": "blue"}}), invalid),
        (TAGS, json!({"principal_tags": {"Team": ["a", "b"]}}), invalid),
        (TAGS, json!({"principal_tags": {"Team": ["a"], "TEAM": ["b"]}}), invalid),
        (TAGS, json!({"principal_tags": {"aws:Team": ["a"]}}), invalid),
        (TAGS, json!({"principal_tags": {"Team": ["a;b"]}}), invalid),
        (TAGS, json!({"principal_tags": {}, "transitive_tag_keys": ["Team"]}), invalid),
        (
            TAGS,
            json!({"principal_tags": (0..10).map(|n| (format!("k{n}"), json!(["v".repeat(256)]))).collect::<serde_json::Map<_, _>>()}),
            "PackedPolicyTooLarge",
        ),
    ];
    world.refuses(DEVELOPER, &world.claims(), &cases).await;
    let plain =
        [(TAGS, json!({"principal_tags": {"Team": ["blue"]}}), "AccessDenied"), (SOURCE_IDENTITY, json!("okta+ana"), "AccessDenied")];
    world.refuses(PLAIN, &world.plain_claims(), &plain).await;
    for (name, value) in
        [("aud", json!([AUDIENCE])), ("iat", json!(NOW + 300)), ("nbf", json!(NOW + 300)), (ROLES, json!([PLAIN, DEVELOPER]))]
    {
        let answer = world.assume_claims(DEVELOPER, &with(world.claims(), name, value)).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.xml);
    }
    let several = with(with(world.claims(), "aud", json!(["another", AUDIENCE])), "azp", json!(AUDIENCE));
    assert_eq!(world.assume_claims(DEVELOPER, &several).await.status, 200);
    world.sandbox.stop().await;
}

#[tokio::test]
async fn roles_that_do_not_exist_or_do_not_trust_the_issuer_are_denied() {
    let world = world().await;
    for role in ["arn:aws:iam::111122223333:role/Nobody", FOREIGN, "arn:aws:iam::444455556666:role/Developer"] {
        let claims = with(world.claims(), ROLES, json!(role));
        assert_eq!(world.assume_claims(role, &claims).await.code(), (403, "AccessDenied"), "{role}");
    }
    world.sandbox.stop().await;
}

#[tokio::test]
async fn signatures_and_keys_are_checked() {
    let world = world().await;
    let invalid = (400, "InvalidIdentityToken");
    let claims = world.claims();
    let good = world.ec.sign(Some("ec"), &claims);
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = head.split_once('.').unwrap();
    let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let hmac = jsonwebtoken::encode(
        &Header { kid: Some("ec".into()), ..Header::new(Algorithm::HS256) },
        &claims,
        &EncodingKey::from_secret(world.ec.public["x"].as_str().unwrap().as_bytes()),
    );
    let foreign = Key::ec("ec");
    for (what, token) in [
        ("no signature", format!("{head}.")),
        ("another payload", format!("{header}.{}.{signature}", encode(&with(claims.clone(), "sub", json!("mallory"))))),
        ("alg none", format!("{}.{payload}.", encode(&json!({"alg": "none", "kid": "ec"})))),
        ("HMAC with the public key", hmac.unwrap()),
        ("another key under the same kid", foreign.sign(Some("ec"), &claims)),
        ("no kid", world.ec.sign(None, &claims)),
        ("an unknown kid", world.ec.sign(Some("other"), &claims)),
        ("crit", format!("{}.{payload}.{signature}", encode(&json!({"alg": "ES256", "kid": "ec", "crit": ["x"]})))),
        ("no JWT", "abcd".to_owned()),
    ] {
        assert_eq!(world.assume(DEVELOPER, &token, &[]).await.code(), invalid, "{what}");
    }
    assert_eq!(world.assume(DEVELOPER, &good, &[]).await.status, 200);

    // Rotation: a kid that is not known yet makes STS look again.
    let rsa = Key::rsa("rsa");
    let token = rsa.sign(Some("rsa"), &claims);
    assert_eq!(world.assume(DEVELOPER, &token, &[]).await.code(), invalid);
    let discovery = json!({"issuer": world.issuer, "jwks_uri": format!("{}/keys", world.issuer)});
    world.published.set(discovery.clone(), json!({"keys": [world.ec.public, rsa.public]}));
    assert_eq!(world.assume(DEVELOPER, &token, &[]).await.status, 200);

    // Keys kept for a minute, then a discovery document that speaks for somebody else, or leads off this machine.
    for wrong in [
        json!({"issuer": "http://127.0.0.1:1", "jwks_uri": discovery["jwks_uri"]}),
        json!({"issuer": world.issuer, "jwks_uri": "http://192.0.2.1/keys"}),
    ] {
        world.published.set(wrong, json!({"keys": [world.ec.public]}));
        assert_eq!(world.assume(DEVELOPER, &good, &[]).await.status, 200);
        world.clock.advance(TimeDelta::seconds(60));
        assert_eq!(world.assume(DEVELOPER, &good, &[]).await.code(), invalid);
        world.published.set(discovery.clone(), json!({"keys": [world.ec.public]}));
        assert_eq!(world.assume(DEVELOPER, &good, &[]).await.status, 200);
    }
    world.sandbox.stop().await;
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_a_communication_error() {
    let world = world().await;
    let claims = with(with(world.claims(), "iss", json!(world.unreachable)), ROLES, json!(FOREIGN));
    assert_eq!(world.assume_claims(FOREIGN, &claims).await.code(), (400, "IDPCommunicationError"));
    world.sandbox.stop().await;
}

#[tokio::test]
async fn parameters_have_their_limits() {
    let world = world().await;
    let token = world.ec.sign(Some("ec"), &world.claims());
    let plain = world.ec.sign(Some("ec"), &world.plain_claims());
    for (name, value, code) in [
        ("Action", "DecodeAuthorizationMessage", "InvalidAction"),
        ("Version", "2010-01-01", "InvalidAction"),
        ("RoleArn", "arn:aws:iam::111122223333:user/ana", "ValidationError"),
        ("RoleSessionName", "a", "ValidationError"),
        ("RoleSessionName", "ana ana", "ValidationError"),
        ("WebIdentityToken", "abc", "ValidationError"),
        ("DurationSeconds", "899", "ValidationError"),
        ("DurationSeconds", "3601", "ValidationError"),
        ("ProviderId", "example.com", "ValidationError"),
        ("Policy", "{", "MalformedPolicyDocument"),
    ] {
        assert_eq!(world.assume(DEVELOPER, &token, &[(name, value)]).await.code(), (400, code), "{name}={value}");
    }
    let longest = world.assume(PLAIN, &plain, &[("DurationSeconds", "43200")]).await;
    assert_eq!(element(&longest.xml, "Expiration"), Some("2027-01-15T20:00:00Z"));
    assert_eq!(world.assume(PLAIN, &plain, &[("DurationSeconds", "43201")]).await.code(), (400, "ValidationError"));
    let twice = form([("Action", "GetCallerIdentity"), ("Action", "GetCallerIdentity")]);
    assert_eq!(world.post(twice, &[]).await.code(), (400, "ValidationError"));
    world.sandbox.stop().await;
}
