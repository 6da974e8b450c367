//! Forged, borrowed and badly made ID tokens.

use super::*;

#[tokio::test]
async fn o01_only_algorithms_of_our_own_list_with_keys_that_fit() {
    let scene = scene();
    scene.accepts_the_untampered().await;
    scene.login(|claims| P256.sign(&claims)).await.unwrap();
    for none in ["none", "None", "NONE"] {
        let forged = scene.login(|claims| format!("{}.{}.", b64(&json!({ "alg": none }).to_string()), b64(&claims.to_string()))).await;
        assert_eq!(forged.unwrap_err(), Rejected::Algorithm, "{none}");
    }
    // The public key as an HMAC secret, as the discovery document (which lists HS256) invites to.
    let hmac = |claims: Value, secret: &[u8]| {
        let message = format!("{}.{}", b64(&json!({ "alg": "HS256", "kid": "rsa-1" }).to_string()), b64(&claims.to_string()));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
        let tag = aws_lc_rs::hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", BASE64URL_NOPAD.encode(tag.as_ref()))
    };
    let public = RSA.jwk()["n"].as_str().unwrap().to_owned();
    assert_eq!(scene.login(|claims| hmac(claims, public.as_bytes())).await.unwrap_err(), Rejected::Algorithm);
    assert_eq!(scene.login(|claims| hmac(claims, b"")).await.unwrap_err(), Rejected::Algorithm);
    // A sound signature of a sound key, by an algorithm that the settings do not list.
    let header = r#"{"alg":"PS256","kid":"rsa-1"}"#;
    assert_eq!(scene.login(|claims| RSA.sign_raw(header, &claims.to_string(), "PS256")).await.unwrap_err(), Rejected::Algorithm);
    // A listed algorithm over a key of another kind.
    let header = r#"{"alg":"RS256","kid":"p256-1"}"#;
    assert_eq!(scene.login(|claims| RSA.sign_raw(header, &claims.to_string(), "RS256")).await.unwrap_err(), Rejected::Algorithm);
}

#[tokio::test]
async fn o01_every_algorithm_of_the_list_works_and_no_other_takes_its_place() {
    let keys = [Signer::rsa("r"), Signer::p256("p2"), Signer::p384("p3"), Signer::ed25519("ed")];
    let cases =
        [(0, "RS256"), (0, "RS384"), (0, "RS512"), (0, "PS256"), (0, "PS384"), (0, "PS512"), (1, "ES256"), (2, "ES384"), (3, "EdDSA")];
    for (key, algorithm) in cases {
        let key = &keys[key];
        let scene = scene_with(&json!({ "algorithms": [algorithm] }));
        scene.idp.set_keys(&keys.iter().collect::<Vec<_>>());
        let header = json!({ "alg": algorithm, "kid": key.kid }).to_string();
        scene.login(|claims| key.sign_raw(&header, &claims.to_string(), algorithm)).await.unwrap();
        for (_, other) in cases.into_iter().filter(|(_, other)| *other != algorithm) {
            let header = json!({ "alg": other, "kid": key.kid }).to_string();
            let forged = scene.login(|claims| key.sign_raw(&header, &claims.to_string(), algorithm)).await;
            assert_eq!(forged.unwrap_err(), Rejected::Algorithm, "{other} for {algorithm}");
        }
    }
}

#[tokio::test]
async fn o01_a_changed_or_foreign_signature_is_refused() {
    let scene = scene();
    scene.accepts_the_untampered().await;
    let attacker = Signer::rsa("rsa-1");
    assert_eq!(scene.login(|claims| attacker.sign(&claims)).await.unwrap_err(), Rejected::Signature);
    let swapped = |claims: Value| {
        let signed = RSA.sign(&claims);
        let parts: Vec<&str> = signed.split('.').collect();
        format!("{}.{}.{}", parts[0], b64(&changed(claims, &json!({ "sub": "root" })).to_string()), parts[2])
    };
    assert_eq!(scene.login(swapped).await.unwrap_err(), Rejected::Signature);
    let stripped = |claims: Value| format!("{}.", RSA.sign(&claims).rsplit_once('.').unwrap().0);
    assert_eq!(scene.login(stripped).await.unwrap_err(), Rejected::Signature);
}

#[tokio::test]
async fn o02_a_kid_is_looked_up_and_nothing_else() {
    let scene = scene();
    scene.accepts_the_untampered().await;
    for kid in ["../../../../dev/null", "rsa-1' OR '1'='1", "rsa-1\u{0}", "http://169.254.169.254/", "", "RSA-1"] {
        let header = json!({ "alg": "RS256", "kid": kid }).to_string();
        let forged = scene.login(|claims| RSA.sign_raw(&header, &claims.to_string(), "RS256")).await;
        assert_eq!(forged.unwrap_err(), Rejected::UnknownKey, "{kid}");
    }
    for kid in [json!(1), json!(null), json!(["rsa-1"])] {
        let header = json!({ "alg": "RS256", "kid": kid }).to_string();
        let forged = scene.login(|claims| RSA.sign_raw(&header, &claims.to_string(), "RS256")).await;
        assert_eq!(forged.unwrap_err(), Rejected::Malformed("kid is not a string"), "{kid}");
    }
}

#[tokio::test]
async fn o02_keys_that_the_token_brings_along_are_ignored() {
    let scene = scene();
    scene.accepts_the_untampered().await;
    let attacker = Signer::rsa("rsa-1");
    scene.idp.set("/attacker-keys", Answer::json(&json!({ "keys": [attacker.jwk()] })));
    let url = format!("{}/attacker-keys", scene.idp.base);
    for (name, value) in [("jwk", attacker.jwk()), ("jku", json!(url)), ("x5u", json!(url)), ("x5c", json!(["MIIB"]))] {
        let mut header = json!({ "alg": "RS256", "kid": "rsa-1" });
        header[name] = value;
        let header = header.to_string();
        scene.login(|claims| RSA.sign_raw(&header, &claims.to_string(), "RS256")).await.unwrap();
        let forged = scene.login(|claims| attacker.sign_raw(&header, &claims.to_string(), "RS256")).await;
        assert_eq!(forged.unwrap_err(), Rejected::Signature, "{name}");
    }
    assert_eq!(scene.idp.count("/attacker-keys"), 0);
    let header = r#"{"alg":"RS256","kid":"rsa-1","crit":["b64"],"b64":false}"#;
    let forged = scene.login(|claims| RSA.sign_raw(header, &claims.to_string(), "RS256")).await;
    assert_eq!(forged.unwrap_err(), Rejected::Malformed("the header demands extensions"));
}

#[tokio::test]
async fn o03_the_nonce_is_the_one_of_this_login() {
    let scene = scene();
    scene.accepts_the_untampered().await;
    assert_eq!(scene.with(json!({ "nonce": null })).await.unwrap_err(), Rejected::MissingClaim("nonce"));
    assert_eq!(scene.with(json!({ "nonce": ["n"] })).await.unwrap_err(), Rejected::MissingClaim("nonce"));
    for wrong in ["", "guess"] {
        assert_eq!(scene.with(json!({ "nonce": wrong })).await.unwrap_err(), Rejected::Nonce);
    }
    // A genuine token of an earlier login, played into a new one.
    let earlier = scene.begin().await;
    let token = RSA.sign(&scene.claims(&earlier.nonce));
    assert_eq!(scene.login(|_| token).await.unwrap_err(), Rejected::Nonce);
}

#[tokio::test]
async fn o07_issuer_audience_and_authorised_party_are_exact() {
    let scene = scene();
    scene.accepts_the_untampered().await;
    for issuer in [format!("{}/", scene.idp.base), scene.idp.base.replace("127.0.0.1", "localhost"), "https://evil.example".into()] {
        assert_eq!(scene.with(json!({ "iss": issuer })).await.unwrap_err(), Rejected::Issuer, "{issuer}");
    }
    assert_eq!(scene.with(json!({ "iss": null })).await.unwrap_err(), Rejected::MissingClaim("iss"));
    scene.with(json!({ "aud": [CLIENT] })).await.unwrap();
    scene.with(json!({ "azp": CLIENT })).await.unwrap();
    scene.with(json!({ "aud": [CLIENT, "api"], "azp": CLIENT })).await.unwrap();
    let wrong = [
        json!({ "aud": "other" }),
        json!({ "aud": [] }),
        json!({ "aud": CLIENT.to_uppercase() }),
        json!({ "aud": [CLIENT, "api"] }),
        json!({ "aud": [CLIENT, "api"], "azp": "api" }),
        json!({ "aud": ["api"], "azp": CLIENT }),
        json!({ "azp": "other" }),
    ];
    for changes in wrong {
        assert_eq!(scene.with(changes.clone()).await.unwrap_err(), Rejected::Audience, "{changes}");
    }
    assert_eq!(scene.with(json!({ "aud": null })).await.unwrap_err(), Rejected::MissingClaim("aud"));
    assert_eq!(scene.with(json!({ "aud": [CLIENT, 1] })).await.unwrap_err(), Rejected::MissingClaim("aud"));
    assert_eq!(scene.with(json!({ "azp": [CLIENT] })).await.unwrap_err(), Rejected::MissingClaim("azp"));
}

#[tokio::test]
async fn o08_times_are_there_and_right_to_the_minute() {
    let scene = scene();
    scene.accepts_the_untampered().await;
    let now = now().timestamp();
    for fine in [json!({ "exp": now - 59 }), json!({ "iat": now + 60 }), json!({ "nbf": now + 60 }), json!({ "exp": 1_800_000_300.5 })] {
        assert!(scene.with(fine.clone()).await.is_ok(), "{fine}");
    }
    for (changes, reason) in [
        (json!({ "exp": now - 60 }), Rejected::Expired(60)),
        (json!({ "iat": now + 61 }), Rejected::NotYetValid(61)),
        (json!({ "nbf": now + 61 }), Rejected::NotYetValid(61)),
        (json!({ "exp": null }), Rejected::MissingClaim("exp")),
        (json!({ "iat": null }), Rejected::MissingClaim("iat")),
        (json!({ "exp": format!("{}", now + 300) }), Rejected::MissingClaim("exp")),
        (json!({ "exp": 1e300 }), Rejected::MissingClaim("exp")),
        (json!({ "exp": u64::MAX }), Rejected::MissingClaim("exp")),
        (json!({ "iat": -1 }), Rejected::MissingClaim("iat")),
        (json!({ "nbf": "soon" }), Rejected::MissingClaim("nbf")),
    ] {
        assert_eq!(scene.with(changes.clone()).await.unwrap_err(), reason, "{changes}");
    }
}

#[tokio::test]
async fn o08_a_member_that_stands_twice_is_refused_wherever_it_stands() {
    let scene = scene();
    scene.accepts_the_untampered().await;
    let good = r#"{"alg":"RS256","kid":"rsa-1"}"#;
    let insert = |claims: &Value, text: &str| claims.to_string().replacen('{', &format!("{{{text},"), 1);
    scene.login(|claims| RSA.sign_raw(good, &insert(&claims, r#""x":{"a":1}"#), "RS256")).await.unwrap();
    for twice in [r#""sub":"root""#, r#""s\u0075b":"root""#, r#""x":{"a":1,"a":2}"#, r#""x":[{"y":{"a":1,"a":1}}]"#] {
        let forged = scene.login(|claims| RSA.sign_raw(good, &insert(&claims, twice), "RS256")).await;
        assert_eq!(forged.unwrap_err(), Rejected::Malformed("the payload is not strict JSON"), "{twice}");
    }
    let header = r#"{"alg":"none","alg":"RS256","kid":"rsa-1"}"#;
    let forged = scene.login(|claims| RSA.sign_raw(header, &claims.to_string(), "RS256")).await;
    assert_eq!(forged.unwrap_err(), Rejected::Malformed("the header is not strict JSON"));
}

#[tokio::test]
async fn o18_a_token_that_is_no_id_token_is_refused() {
    let scene = scene();
    for (kind, accepted) in [("JWT", true), ("jwt", true), ("at+jwt", false), ("application/at+JWT", false), ("logout+jwt", false)] {
        let header = json!({ "alg": "RS256", "kid": "rsa-1", "typ": kind }).to_string();
        let result = scene.login(|claims| RSA.sign_raw(&header, &claims.to_string(), "RS256")).await.map(|_| ());
        let expected = if accepted { Ok(()) } else { Err(Rejected::Malformed("it is a token of another type")) };
        assert_eq!(result, expected, "{kind}");
    }
    scene.begin().await;
    let begun = scene.begin().await;
    scene.idp.set("/token", Answer::json(&json!({ "access_token": RSA.sign(&scene.claims(&begun.nonce)), "token_type": "Bearer" })));
    assert!(matches!(scene_complete(&scene.provider, &pending(&begun)).await.unwrap_err(), Rejected::Malformed(_)));
    for garbage in ["", "a.b", "a.b.c.d", "....", "eyJhbGciOiJSUzI1NiJ9.e30", &"x".repeat(70_000)] {
        assert!(matches!(scene.login(|_| garbage.into()).await.unwrap_err(), Rejected::Malformed(_)), "{garbage:.20}");
    }
}
