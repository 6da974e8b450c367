//! Logout tokens (OpenID Connect Back-Channel Logout 1.0 section 2.6).

use super::*;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

fn token(scene: &Scene, changes: &Value) -> Value {
    let now = now().timestamp();
    let honest = json!({ "iss": scene.idp.base, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": "j-1", "sub": "ana", "sid": "s-1",
        "events": { EVENT: {} } });
    changed(honest, changes)
}

async fn read(scene: &Scene, token: &str) -> Result<(Option<String>, Option<String>), Rejected> {
    scene.provider.read_logout_token(token, now()).await.map(|token| (token.sid, token.sub))
}

#[tokio::test]
async fn o15_a_logout_token_is_genuine_of_now_and_no_other_token() {
    let scene = scene();
    let good = RSA.sign(&token(&scene, &json!({})));
    assert_eq!(read(&scene, &good).await, Ok((Some("s-1".into()), Some("ana".into()))));
    for fine in [json!({ "sid": null }), json!({ "sub": null })] {
        assert!(read(&scene, &RSA.sign(&token(&scene, &fine))).await.is_ok(), "{fine}");
    }
    let seconds = |offset: i64| now().timestamp() + offset;
    for (changes, refused) in [
        (json!({ "iss": "https://evil.example" }), Rejected::Issuer),
        (json!({ "iss": null }), Rejected::MissingClaim("iss")),
        (json!({ "aud": "another" }), Rejected::Audience),
        (json!({ "aud": [CLIENT, "another"] }), Rejected::Audience),
        (json!({ "iat": null }), Rejected::MissingClaim("iat")),
        (json!({ "iat": seconds(61) }), Rejected::NotYetValid(61)),
        (json!({ "iat": seconds(-601) }), Rejected::Expired(1)),
        (json!({ "exp": seconds(-60) }), Rejected::Expired(60)),
        (json!({ "exp": null }), Rejected::MissingClaim("exp")),
        (json!({ "nonce": "n" }), Rejected::Malformed("a logout token has no nonce")),
        (json!({ "events": null }), Rejected::MissingClaim("events")),
        (json!({ "events": { "http://schemas.openid.net/event/other": {} } }), Rejected::MissingClaim("events")),
        (json!({ "events": { EVENT: true } }), Rejected::MissingClaim("events")),
        (json!({ "events": [EVENT] }), Rejected::MissingClaim("events")),
        (json!({ "jti": null }), Rejected::MissingClaim("jti")),
        (json!({ "jti": "" }), Rejected::MissingClaim("jti")),
        (json!({ "jti": ["j-1"] }), Rejected::MissingClaim("jti")),
        (json!({ "sid": null, "sub": null }), Rejected::MissingClaim("sid")),
        (json!({ "sid": 7 }), Rejected::MissingClaim("sid")),
    ] {
        assert_eq!(read(&scene, &RSA.sign(&token(&scene, &changes))).await, Err(refused), "{changes}");
    }
}

#[tokio::test]
async fn o15_a_logout_token_of_a_stranger_or_of_another_kind_is_refused() {
    let scene = scene();
    let honest = token(&scene, &json!({}));
    let stranger = Signer::rsa("rsa-1");
    assert_eq!(read(&scene, &stranger.sign(&honest)).await, Err(Rejected::Signature));
    let none = format!("{}.{}.", b64(r#"{"alg":"none"}"#), b64(&honest.to_string()));
    assert_eq!(read(&scene, &none).await, Err(Rejected::Algorithm));
    for (kind, accepted) in [("JWT", true), ("logout+jwt", true), ("at+jwt", false), ("secevent+jwt", false)] {
        let header = format!(r#"{{"alg":"RS256","kid":"rsa-1","typ":"{kind}"}}"#);
        let found = read(&scene, &RSA.sign_raw(&header, &honest.to_string(), "RS256")).await;
        assert_eq!(found.is_ok(), accepted, "{kind}: {found:?}");
    }
    // And none of them signs anybody in.
    let header = r#"{"alg":"RS256","kid":"rsa-1","typ":"logout+jwt"}"#;
    let as_id_token = scene.login(|claims| RSA.sign_raw(header, &claims.to_string(), "RS256")).await;
    assert_eq!(as_id_token.unwrap_err(), Rejected::Malformed("it is a token of another type"));
}

#[tokio::test]
async fn o15_the_same_token_has_the_same_mark_and_is_remembered_longer_than_it_counts() {
    let scene = scene();
    let read = async |changes: &Value| scene.provider.read_logout_token(&RSA.sign(&token(&scene, changes)), now()).await.unwrap();
    let (one, other) = (read(&json!({})).await, read(&json!({ "jti": "j-2" })).await);
    assert_ne!(one.mark, other.mark);
    assert_eq!(one.mark, read(&json!({ "sid": "s-2" })).await.mark);
    let last = now() + TimeDelta::from_std(one.remember).unwrap();
    let forever = token(&scene, &json!({ "exp": last.timestamp() + 3600, "iat": now().timestamp() + 60 }));
    assert_eq!(scene.provider.read_logout_token(&RSA.sign(&forever), last).await.unwrap_err(), Rejected::Expired(120));
}
