//! Forged, borrowed and badly made tokens.

use data_encoding::BASE64URL_NOPAD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::forging_idp::{Answer as Scripted, ForgingIdp, Signer};
use crate::platform::{P256, Platform, RSA, changed, good, problem};
use crate::world::{ADMIN, Browser, READER};

fn b64(text: &str) -> String {
    BASE64URL_NOPAD.encode(text.as_bytes())
}

#[actix_web::test]
async fn a_workload_gets_its_role_and_leaves_one_event() {
    let platform = Platform::new().await;
    let token = platform.token(&json!({}));
    let credentials = good(&platform.ask(&token, &json!({ "role": READER, "duration_seconds": 7200 })).await);
    assert_eq!(credentials["role_arn"], READER);
    assert_eq!(credentials["expiration"], "2027-01-15T10:00:00Z");
    let events = platform.world.audit();
    let event = &events[0];
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((&event["kind"], &event["outcome"], &event["purpose"]), (&json!("issue"), &json!("ok"), &json!("workload")));
    assert_eq!((&event["person"]["provider"], &event["person"]["subject"]), (&json!("ci"), &json!("repo:example/web:ref:refs/heads/main")));
    assert_eq!((&event["token_id"], &event["rules"]), (&json!("jti:run-1"), &json!(["deploy"])));
    assert!(!event.to_string().contains(&token[token.len() - 20..]), "the token itself is nowhere");
    // STS was shown a token of ours, about the workload.
    assert_eq!(event["session_name"], "repo=3Aexample=2Fweb=3Aref=3Arefs=2Fheads=2Fmain");
}

#[actix_web::test]
async fn w11_only_a_token_of_the_platform_for_this_gateway_alone_counts() {
    let platform = Platform::new().await;
    good(&platform.ask_role(&platform.token(&json!({}))).await);
    good(&platform.ask_role(&P256.sign(&platform.claims())).await);
    let (issued, events) = (platform.world.issued(), platform.world.audit().len());
    let now = platform.claims()["iat"].as_i64().unwrap();
    let claims = platform.claims().to_string();
    let header = |text: &str| RSA.sign_raw(text, &claims, "RS256");
    let hmac = |secret: &[u8]| {
        let message = format!("{}.{}", b64(&json!({ "alg": "HS256", "kid": "rsa-1" }).to_string()), b64(&claims));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
        format!("{message}.{}", BASE64URL_NOPAD.encode(aws_lc_rs::hmac::sign(&key, message.as_bytes()).as_ref()))
    };
    let public = RSA.jwk()["n"].as_str().unwrap().to_owned();
    let (issuer, audience, age, signature) = ("issuer", "audience", "too old", "not signed by a key");
    let with = |changes: Value| platform.token(&changes);
    for (name, token, words) in [
        ("alg none", format!("{}.{}.", b64(r#"{"alg":"none"}"#), b64(&claims)), signature),
        ("the public key as a secret", hmac(public.as_bytes()), signature),
        ("an empty secret", hmac(b""), signature),
        ("an algorithm that is not listed", RSA.sign_raw(r#"{"alg":"PS256","kid":"rsa-1"}"#, &claims, "PS256"), signature),
        ("another's key of that id", Signer::rsa("rsa-1").sign(&platform.claims()), signature),
        ("a key of no id that is known", Signer::rsa("rsa-9").sign(&platform.claims()), signature),
        (
            "a key that the token brings along",
            {
                let own = Signer::p256("own");
                own.sign_raw(&json!({ "alg": "ES256", "kid": "own", "jwk": own.jwk() }).to_string(), &claims, "ES256")
            },
            signature,
        ),
        ("an access token", header(r#"{"alg":"RS256","kid":"rsa-1","typ":"at+jwt"}"#), "not the ID token"),
        ("a header that demands", header(r#"{"alg":"RS256","kid":"rsa-1","crit":["b64"]}"#), "not the ID token"),
        (
            "a claim that stands twice",
            RSA.sign_raw(r#"{"alg":"RS256","kid":"rsa-1"}"#, &claims.replacen('{', r#"{"sub":"other","#, 1), "RS256"),
            issuer,
        ),
        ("another audience", with(json!({ "aud": "somebody-else" })), audience),
        ("two audiences", with(json!({ "aud": ["the-gateway", "somebody-else"] })), audience),
        ("no audience", with(json!({ "aud": null })), audience),
        ("issued to another party", with(json!({ "azp": "somebody-else" })), audience),
        ("another issuer", with(json!({ "iss": "https://token.actions.githubusercontent.com" })), issuer),
        ("an issuer that is nearly right", with(json!({ "iss": format!("{}/", platform.idp.base) })), issuer),
        ("no issuer", with(json!({ "iss": null })), issuer),
        ("expired", with(json!({ "exp": now - 61 })), age),
        ("without an end", with(json!({ "exp": null })), "not the ID token"),
        ("without a beginning", with(json!({ "iat": null })), "not the ID token"),
        ("not yet valid", with(json!({ "nbf": now + 61 })), "not valid yet"),
        ("issued in the future", with(json!({ "iat": now + 61 })), "not valid yet"),
        ("of long ago, with a late end", with(json!({ "iat": now - 24 * 3600 - 61, "exp": now + 3600 })), age),
        ("of a person's sign-in", with(json!({ "nonce": "n-1" })), "not the ID token"),
        ("without a subject", with(json!({ "sub": null })), "not the ID token"),
        ("of another owner", with(json!({ "repository_owner": "mallory" })), "lacks a claim"),
        ("of no owner", with(json!({ "repository_owner": null })), "lacks a claim"),
        ("no token", "a.b.c".to_owned(), "not the ID token"),
        ("a word with a dot", ".".to_owned(), "not the ID token"),
    ] {
        let answer = platform.ask_role(&token).await;
        let detail = problem(&answer, 401, "token_refused");
        assert!(detail.contains(words), "{name}: {detail}");
        assert!(answer.header("www-authenticate").contains("invalid_token"), "{name}");
    }
    assert_eq!((platform.world.issued(), platform.world.audit().len()), (issued, events), "nothing came of them, and nothing is recorded");
    good(&platform.ask_role(&platform.token(&json!({ "jti": "run-2" }))).await);
}

#[actix_web::test]
async fn w11_w12_a_workload_of_the_same_name_on_another_platform_is_somebody_else() {
    let strangers = Signer::rsa("rsa-1");
    let other = ForgingIdp::start(&[&strangers]);
    let second = format!("[[workload_provider]]\nid = \"strangers\"\nissuer = \"{}\"\naudience = \"the-gateway\"\nuses = 3", other.base);
    let limited = |config: String| config.replace("workers = 1", "workers = 1\nworkload_rate = 1\nworkload_burst = 5");
    let platform = Platform::with(&second, limited).await;
    good(&platform.ask_role(&platform.token(&json!({}))).await);
    let issued = platform.world.issued();
    // Its own token is believed, and says the same but for the issuer: subject, claims, id. The rule is about the first platform.
    let claims = changed(platform.claims(), &json!({ "iss": other.base }));
    for _ in 0..3 {
        problem(&platform.ask_role(&strangers.sign(&claims)).await, 403, "not_granted");
    }
    let event = platform.world.audit().last().unwrap().clone();
    assert_eq!((&event["person"]["provider"], &event["token_id"]), (&json!("strangers"), &json!("jti:run-1")));
    problem(&platform.ask_role(&strangers.sign(&claims)).await, 401, "token_refused");
    // With the key of one platform nobody speaks for the other.
    for token in [strangers.sign(&platform.claims()), RSA.sign(&claims)] {
        assert!(problem(&platform.ask_role(&token).await, 401, "token_refused").contains("not signed by a key"));
    }
    assert_eq!(platform.world.issued(), issued);
    // All that took nothing from the first one's workload: neither uses of its token nor its allowance.
    good(&platform.ask_role(&platform.token(&json!({}))).await);
    good(&platform.ask_role(&platform.token(&json!({}))).await);
}

#[actix_web::test]
async fn w11_new_keys_are_found_withdrawn_ones_leave_and_a_flood_costs_one_request() {
    let platform = Platform::new().await;
    good(&platform.ask_role(&platform.token(&json!({}))).await);
    let next = Signer::p256("next");
    platform.idp.set_keys(&[&next]);
    good(&platform.ask_role(&next.sign(&changed(platform.claims(), &json!({ "jti": "run-2" })))).await);
    problem(&platform.ask_role(&platform.token(&json!({ "jti": "run-3" }))).await, 401, "token_refused");
    let before = platform.idp.count("/jwks");
    for number in 0..20 {
        let unknown = Signer::p256(&format!("unknown-{number}")).sign(&platform.claims());
        problem(&platform.ask_role(&unknown).await, 401, "token_refused");
    }
    assert!(platform.idp.count("/jwks") - before <= 1, "{}", platform.idp.count("/jwks") - before);
}

#[actix_web::test]
async fn w11_a_platform_that_does_not_answer_vouches_for_nobody() {
    let platform = Platform::new().await;
    platform.idp.set("/jwks", Scripted::status(500));
    problem(&platform.ask_role(&platform.token(&json!({}))).await, 503, "unavailable");
    for (member, value) in
        [("jwks_uri", "http://169.254.169.254/keys"), ("issuer", "https://other.example"), ("jwks_uri", "file:///etc/passwd")]
    {
        let platform = Platform::new().await;
        let mut document = platform.idp.discovery();
        document[member] = json!(value);
        platform.idp.set("/.well-known/openid-configuration", Scripted::json(&document));
        problem(&platform.ask_role(&platform.token(&json!({}))).await, 503, "unavailable");
        platform.world.advance(10);
        platform.idp.set("/.well-known/openid-configuration", Scripted::json(&platform.idp.discovery()));
        good(&platform.ask_role(&platform.token(&json!({}))).await);
    }
}

#[actix_web::test]
async fn w13_a_workloads_token_is_no_session_and_a_session_no_workloads_token() {
    let platform = Platform::new().await;
    let token = platform.token(&json!({}));
    good(&platform.ask_role(&token).await);
    let (issued, events) = (platform.world.issued(), platform.world.audit().len());
    let body = json!({ "role": READER });
    for shown in [token.clone(), format!("rgs_{token}"), "rgs_".to_owned() + &"A".repeat(43)] {
        for (method, path, body) in [
            (Method::GET, "/api/v1/me", None),
            (Method::GET, "/api/v1/roles", None),
            (Method::GET, "/api/v1/explain?role=arn:aws:iam::111122223333:role/ReadOnly", None),
            (Method::GET, "/api/v1/sessions", None),
            (Method::DELETE, "/api/v1/sessions", None),
            (Method::POST, "/api/v1/console", Some(&body)),
        ] {
            assert_eq!(platform.send(method.clone(), path, &shown, body).await.status, 401, "{method} {path}");
        }
    }
    let mut browser = Browser::new(&platform.world);
    browser.cookies.insert("rolegate-session".into(), token.clone());
    assert_eq!(browser.get("/").await.status, 303, "as a cookie it is nobody's");
    // The other way round: who has a session brings no token of a platform.
    let ana = Browser::signed_in(&platform.world, "ana").await;
    let session = format!("rgs_{}", ana.session());
    let exchange = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
        ("resource", READER),
        ("subject_token", session.as_str()),
    ];
    assert_eq!(platform.exchange(&exchange).await.status, 400);
    assert_eq!((platform.world.issued(), platform.world.audit().len()), (issued, events + 1), "only ana's sign-in is new");
}

#[actix_web::test]
async fn w13_rules_for_people_give_workloads_nothing_and_the_other_way_round() {
    let wide = "[[rule]]\nid = \"for-people\"\neveryone = true\naccounts = [\"*\"]\nroles = [\"ForPeople\"]\n\
        [[rule]]\nid = \"for-workloads\"\neveryone = true\npurposes = [\"workload\"]\nwhen = 'request.purpose == \"workload\"'\naccounts = [\"*\"]\nroles = [\"Other\"]\n";
    let platform = Platform::with("", |config| config + wide).await;
    let admin = platform.token(&json!({ "groups": ["aws-platform-admins", "developers"], "jti": "run-1" }));
    good(&platform.ask_role(&admin).await);
    for role in [ADMIN, "arn:aws:iam::111122223333:role/ForPeople"] {
        problem(
            &platform.ask(&platform.token(&json!({ "groups": ["aws-platform-admins"], "jti": role })), &json!({ "role": role })).await,
            403,
            "not_granted",
        );
    }
    let other = platform.token(&json!({ "repository": "example/api", "jti": "run-2" }));
    problem(&platform.ask_role(&other).await, 403, "not_granted");
    let event = platform.world.audit().last().unwrap().clone();
    assert_eq!((&event["outcome"], &event["token_id"], &event["role"]), (&json!("refused"), &json!("jti:run-2"), &json!(READER)));
    let mut ana = Browser::signed_in(&platform.world, "ana").await;
    let page = ana.get("/").await;
    page.assert_page(200, "ForPeople");
    assert!(!page.body.contains("role/Other"), "what is for workloads is on nobody's page");
}

#[actix_web::test]
async fn a_role_that_wants_a_person_is_not_a_workloads() {
    for demand in ["require_mfa = true", "max_auth_age = \"1h\"", "operation = \"forwarded_web_identity\""] {
        let platform = Platform::with("", |config| config.replace("id = \"deploy\"\n", &format!("id = \"deploy\"\n{demand}\n"))).await;
        let token = platform.token(&json!({ "amr": ["mfa"], "auth_time": platform.claims()["iat"] }));
        problem(&platform.ask_role(&token).await, 403, "not_granted");
        assert_eq!(platform.world.issued(), 0, "{demand}");
    }
    let reason = "reason = { pattern = 'OPS-[0-9]+', hint = \"the ticket\" }";
    let platform = Platform::with("", |config| config.replace("id = \"deploy\"\n", &format!("id = \"deploy\"\n{reason}\n"))).await;
    let token = platform.token(&json!({}));
    problem(&platform.ask_role(&token).await, 422, "reason_needed");
    good(&platform.ask(&token, &json!({ "role": READER, "reason": "OPS-7" })).await);
}
