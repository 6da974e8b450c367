//! The way to the provider and back: requests, answers, codes, client authentication, signing out.

use rolegate::identity::{Authentication, Demand};

use super::*;

#[tokio::test]
async fn o04_an_answer_counts_for_a_young_login_with_this_provider() {
    let scene = scene();
    let begun = scene.begin().await;
    assert!(begun.url.query_pairs().any(|pair| pair == ("state".into(), "state".into())));
    scene.idp.set_id_token(&RSA.sign(&scene.claims(&begun.nonce)));
    let old =
        |minutes, seconds| PendingLogin { begun: now() - TimeDelta::minutes(minutes) - TimeDelta::seconds(seconds), ..pending(&begun) };
    let other = PendingLogin { provider: "other".parse().unwrap(), ..pending(&begun) };
    let results = [
        scene_complete(&scene.provider, &old(10, 0)).await.map(|_| ()),
        scene_complete(&scene.provider, &old(10, 1)).await.map(|_| ()),
        scene_complete(&scene.provider, &other).await.map(|_| ()),
    ];
    assert_eq!(results, [Ok(()), Err(Rejected::Stale), Err(Rejected::OtherProvider)]);
}

#[tokio::test]
async fn o05_a_code_serves_only_the_login_that_it_was_issued_for() {
    let scene = scene();
    scene.accepts_the_untampered().await;
    let (victim, attacker) = (scene.begin().await, scene.begin().await);
    // The code is now bound to the attacker's request; it is injected into the victim's login.
    scene.idp.set_id_token(&RSA.sign(&scene.claims(&victim.nonce)));
    let injected = scene_complete(&scene.provider, &pending(&victim)).await.unwrap_err();
    assert!(matches!(&injected, Rejected::CodeRefused(why) if why.starts_with("invalid_grant")), "{injected:?}");
    assert_ne!(victim.verifier, attacker.verifier);
    let sent = &scene.idp.arrived("/token").pop().unwrap().form;
    assert_eq!(
        (sent["code_verifier"].as_str(), sent["redirect_uri"].as_str()),
        (&*victim.verifier, "https://gate.example/callback/forged")
    );
}

#[tokio::test]
async fn o06_an_answer_names_this_provider_and_comes_to_its_own_address() {
    let scene = scene();
    let announced = changed(scene.idp.discovery(), &json!({ "authorization_response_iss_parameter_supported": true }));
    let with = |iss: Option<&str>| Callback { iss: iss.map(str::to_owned), ..answer_with_code() };
    let (honest, evil) = (scene.idp.base.clone(), "https://evil.example".to_owned());
    let begun = scene.begin().await;
    scene.idp.set_id_token(&RSA.sign(&scene.claims(&begun.nonce)));
    let complete = async |provider: &Provider, iss| provider.complete(&with(iss), &pending(&begun), now()).await.map(|_| ());
    assert_eq!(complete(&scene.provider, None).await, Ok(()));
    assert_eq!(complete(&scene.provider, Some(&honest)).await, Ok(()));
    assert_eq!(complete(&scene.provider, Some(&evil)).await, Err(Rejected::WrongIssuerParameter));
    assert_eq!(complete(&scene.provider, Some("")).await, Err(Rejected::WrongIssuerParameter));
    scene.idp.set("/.well-known/openid-configuration", Answer::json(&announced));
    let strict = provider_of(&settings(&scene.idp, &json!({})));
    assert_eq!(complete(&strict, Some(&honest)).await, Ok(()));
    assert_eq!(complete(&strict, None).await, Err(Rejected::WrongIssuerParameter));
    // One redirect URI for each provider.
    let second = provider_of(&settings(&scene.idp, &json!({ "id": "second" })));
    let url = second.begin("state", None, now()).await.unwrap().url;
    assert!(url.query_pairs().any(|pair| pair == ("redirect_uri".into(), "https://gate.example/callback/second".into())));
}

#[tokio::test]
async fn o17_an_error_is_named_by_its_code_alone() {
    let scene = scene();
    let begun = scene.begin().await;
    scene.idp.set_id_token(&RSA.sign(&scene.claims(&begun.nonce)));
    assert!(scene_complete(&scene.provider, &pending(&begun)).await.is_ok());
    let answer = |error: &str| Callback {
        error: Some(error.into()),
        error_description: Some("<script>call 0800-EVIL</script>".into()),
        ..answer_with_code()
    };
    for (error, shown) in [("access_denied", "access_denied"), ("<b>\n", "an unreadable error code")] {
        let refused = scene.provider.complete(&answer(error), &pending(&begun), now()).await.unwrap_err();
        assert_eq!(refused, Rejected::ProviderError(shown.into()));
    }
    for code in [None, Some(String::new()), Some("x".repeat(5000))] {
        let answer = Callback { code, ..Callback::default() };
        assert_eq!(scene.provider.complete(&answer, &pending(&begun), now()).await.unwrap_err(), Rejected::NoCode);
    }
}

#[tokio::test]
async fn the_authorization_request_asks_for_what_the_settings_say() {
    let more = json!({ "max_age": "1h", "acr_values": ["gold"], "scopes": ["openid", "email", "groups"], "authorize_parameters": { "prompt": "select_account" } });
    let scene = scene_with(&more);
    let url = scene.provider.begin("the-state", Some("ana@example.org"), now()).await.unwrap().url;
    let pairs: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
    let expected = [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("state", "the-state"),
        ("scope", "openid email groups"),
        ("max_age", "3600"),
        ("acr_values", "gold"),
        ("prompt", "select_account"),
        ("login_hint", "ana@example.org"),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in expected {
        assert_eq!(pairs.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!((pairs["nonce"].len(), pairs["code_challenge"].len()), (43, 43));
    assert_eq!(scene.provider.authorization_origin(), Some(scene.idp.base.clone()));
    let crooked = scene.provider.begin("s", Some("a\r\nb"), now()).await.unwrap().url;
    assert!(!crooked.query_pairs().any(|(name, _)| name == "login_hint"));
}

#[tokio::test]
async fn a_step_up_asks_for_what_the_role_wants() {
    let asked = async |more: Value, wanted: Demand, came: Authentication| {
        let scene = scene_with(&more);
        let step_up = wanted.missing(&came, now()).unwrap();
        let url = scene.provider.begin_for("the-state", None, Some(&step_up), now()).await.unwrap().url;
        let pairs: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
        ["max_age", "acr_values", "prompt"].map(|name| pairs.get(name).cloned().unwrap_or_default())
    };
    let old = || Authentication { time: Some(now() - TimeDelta::hours(1)), ..Authentication::default() };
    let fresh = || Demand { max_age: Some(std::time::Duration::from_mins(15)), ..Demand::default() };
    let class = |name: &str| Demand { classes: vec![name.into()], ..Demand::default() };
    let factor = || Demand { mfa: true, ..Demand::default() };
    let settings = json!({ "max_age": "1h", "authorize_parameters": { "prompt": "select_account" } });
    assert_eq!(asked(settings.clone(), fresh(), old()).await, ["900", "", "login"], "prompt is ours now");
    assert_eq!(asked(settings, class("gold"), old()).await, ["3600", "gold", "select_account"]);
    let named = json!({ "mfa": { "acr": ["gold", "silver"] } });
    assert_eq!(asked(named, factor(), old()).await, ["", "gold silver", ""]);
    assert_eq!(asked(json!({}), factor(), old()).await, ["", "", "login"], "a factor without a class: once more, all of it");
    let strict = json!({ "acr_values": ["gold"], "mfa": { "acr": ["gold", "silver"] } });
    assert_eq!(asked(strict.clone(), factor(), old()).await, ["", "gold", ""], "a class that the settings refuse is not asked for");
    assert_eq!(asked(strict, class("silver"), old()).await, ["", "gold", ""]);
}

#[tokio::test]
async fn a_client_proves_itself_as_configured() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "s:e+c r").unwrap();
    let secret = json!({ "file": folder.path().join("secret") });
    let sent = async |more: Value| {
        let scene = scene_with(&more);
        scene.accepts_the_untampered().await;
        (scene.idp.arrived("/token").pop().unwrap(), scene.idp.base.clone())
    };
    let (basic, _) = sent(json!({ "client_auth": "basic", "client_secret": secret })).await;
    let expected = data_encoding::BASE64.encode(format!("{CLIENT}:s%3Ae%2Bc+r").as_bytes());
    assert_eq!(basic.authorization, Some(format!("Basic {expected}")));
    assert!(!basic.form.contains_key("client_secret"));
    let (post, _) = sent(json!({ "client_auth": "post", "client_secret": secret })).await;
    assert_eq!((post.authorization, post.form["client_secret"].as_str()), (None, "s:e+c r"));
    let (none, _) = sent(json!({ "client_auth": "none" })).await;
    assert_eq!((none.authorization, none.form["client_id"].as_str()), (None, CLIENT));
    assert!(!none.form.contains_key("client_secret") && !none.form.contains_key("client_assertion"));
}

#[tokio::test]
async fn a_client_proves_itself_with_its_own_key() {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};
    let folder = tempfile::tempdir().unwrap();
    let pkcs8 = aws_lc_rs::signature::EcdsaKeyPair::generate_pkcs8(
        &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        &aws_lc_rs::rand::SystemRandom::new(),
    )
    .unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", data_encoding::BASE64.encode(pkcs8.as_ref()));
    std::fs::write(folder.path().join("key.pem"), pem).unwrap();
    let scene = scene_with(
        &json!({ "client_auth": "private_key_jwt", "client_key": { "file": folder.path().join("key.pem") }, "client_key_id": "k1" }),
    );
    scene.accepts_the_untampered().await;
    scene.accepts_the_untampered().await;
    let sent = scene.idp.arrived("/token");
    let form = &sent[0].form;
    assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let pair =
        aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    let public = aws_lc_rs::signature::KeyPair::public_key(&pair).as_ref().to_vec();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[format!("{}/token", scene.idp.base)]);
    validation.set_issuer(&[CLIENT]);
    validation.validate_exp = false;
    let read = |form: &std::collections::HashMap<String, String>| {
        jsonwebtoken::decode::<Value>(&form["client_assertion"], &DecodingKey::from_ec_der(&public), &validation).unwrap()
    };
    let assertion = read(form);
    assert_eq!((assertion.header.kid.as_deref(), &assertion.claims["sub"]), (Some("k1"), &json!(CLIENT)));
    assert_eq!(assertion.claims["exp"].as_i64().unwrap() - assertion.claims["iat"].as_i64().unwrap(), 60);
    assert_ne!(assertion.claims["jti"], read(&sent[1].form).claims["jti"]);
}

#[tokio::test]
async fn signing_out_leads_to_the_provider_with_the_token_as_hint() {
    let scene = scene();
    let identity = scene.with(json!({})).await.unwrap();
    let home = "https://gate.example/signed-out".parse().unwrap();
    let url = scene.provider.logout_url(&identity, &home, now()).await.unwrap();
    assert_eq!(url.path(), "/logout");
    let pairs: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(pairs["id_token_hint"], identity.token().unwrap().expose());
    assert_eq!((pairs["post_logout_redirect_uri"].as_str(), pairs["client_id"].as_str()), ("https://gate.example/signed-out", CLIENT));
    let other = provider_of(&settings(&scene.idp, &json!({ "id": "other" })));
    assert!(other.logout_url(&identity, &home, now()).await.is_none());
}
