//! W10: whoever wants a command line's session without the person's yes, or with a yes that was meant for something else.

use reqwest::Method;
use rolegate::store::{SessionId, SessionKind};
use serde_json::Value;

use crate::cli::{Cli, VERIFIER, application, assert_error, challenge, code, decide, hidden, session, token, told};
use crate::world::{Browser, World, form};

#[actix_web::test]
async fn a_command_line_gets_a_session_of_its_own_person() {
    let world = World::new().await;
    let (mut ana, cli) = (Browser::signed_in(&world, "ana").await, Cli::new(&world));
    let page = ana.get(&application(&[])).await;
    page.assert_page(200, "Let a command line act for you?");
    for words in ["ana", "The sandbox provider", "build-host", "anybody can choose any name", "only if you have just run", "refuse"] {
        assert!(page.body.contains(words), "no `{words}` in\n{}", page.body);
    }
    let policy = page.header("content-security-policy");
    assert!(policy.contains("form-action 'self' http://127.0.0.1:49152;") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let answer = decide(&mut ana, &page, "/oauth2/authorize", "allow").await;
    assert_eq!((answer.status.as_u16(), told(&answer, "state").unwrap().as_str()), (303, "s & t"));
    assert_eq!(told(&answer, "iss").unwrap(), world.base);
    let answer = cli.redeem(&told(&answer, "code").unwrap(), &[]).await;
    let token = token(&answer);
    assert!(token.starts_with("rgs_"), "{token}");
    assert_eq!(answer.1["expires_in"], 8 * 3600);
    let opened = session(&world, &token).await.unwrap();
    assert_eq!((opened.identity.username(), opened.kind.name().unwrap().as_str()), ("ana@example.com", "build-host"));
    assert_ne!(SessionId::parse_bearer(&token).unwrap().expose(), ana.session());
    let events: Vec<_> = world.audit().into_iter().skip(1).collect();
    let brief = |event: &Value| format!("{} {} {}", event["kind"], event["outcome"], event["command_line"]).replace('"', "");
    assert_eq!(events.iter().map(brief).collect::<Vec<_>>(), ["command_line ok build-host", "sign_in ok build-host"]);
    assert!(events.iter().all(|event| event["person"]["username"] == "ana@example.com"), "{events:?}");
}

#[actix_web::test]
async fn w10_a_second_use_of_a_code_ends_what_the_first_one_opened() {
    let world = World::new().await;
    let (mut ana, cli) = (Browser::signed_in(&world, "ana").await, Cli::new(&world));
    // Whoever comes second: with all that is needed, with a wrong verifier, or when the code is no good any more.
    for (changed, later) in
        [(&[][..], 0), (&[("code_verifier", &VERIFIER[..43]), ("redirect_uri", "http://127.0.0.1:1/callback")], 0), (&[], 61)]
    {
        let code = code(&mut ana).await;
        let token = token(&cli.redeem(&code, &[]).await);
        let other = self::token(&cli.redeem(&self::code(&mut ana).await, &[]).await);
        assert!(session(&world, &token).await.is_some());
        world.advance(later);
        let opened = || world.audit().iter().filter(|event| event["kind"] == "sign_in" && event["outcome"] == "ok").count();
        let before = opened();
        assert_error(&cli.redeem(&code, changed).await, 400, "invalid_grant");
        assert_eq!(opened(), before, "nobody signed in");
        assert!(session(&world, &token).await.is_none(), "{changed:?} after {later}");
        assert!(session(&world, &other).await.is_some(), "what another code opened lives on");
        let event = world.audit().last().unwrap().clone();
        assert_eq!((event["kind"].as_str(), event["command_line"].as_str()), (Some("sign_out"), Some("build-host")), "{event}");
        assert!(event["reason"].as_str().unwrap().contains("used again"), "{event}");
    }
    ana.get("/").await.assert_page(200, "Your AWS roles");
}

#[actix_web::test]
async fn w10_of_two_who_redeem_a_code_at_once_nobody_keeps_a_session() {
    let world = World::new().await;
    let (mut ana, cli) = (Browser::signed_in(&world, "ana").await, Cli::new(&world));
    for _ in 0..10 {
        let code = code(&mut ana).await;
        let (one, other) = tokio::join!(cli.redeem(&code, &[]), cli.redeem(&code, &[]));
        let good: Vec<_> = [one, other].into_iter().filter(|answer| answer.0 == 200).collect();
        assert_eq!(good.len(), 1);
        assert!(session(&world, &token(&good[0])).await.is_none());
    }
}

#[actix_web::test]
async fn w10_a_code_is_good_for_its_own_client_address_verifier_and_minute() {
    let world = World::new().await;
    let (mut ana, cli) = (Browser::signed_in(&world, "ana").await, Cli::new(&world));
    let other = "B".repeat(43);
    for (changed, error) in [
        (&[("client_id", "another")][..], "invalid_client"),
        (&[("client_id", "")], "invalid_request"),
        (&[("redirect_uri", "http://127.0.0.1:49153/callback")], "invalid_grant"),
        (&[("redirect_uri", "http://[::1]:49152/callback")], "invalid_grant"),
        (&[("redirect_uri", "")], "invalid_request"),
        (&[("code_verifier", &other)], "invalid_grant"),
        (&[("code_verifier", &challenge(VERIFIER))], "invalid_grant"),
        (&[("code_verifier", "")], "invalid_request"),
        (&[("grant_type", "password")], "unsupported_grant_type"),
        (&[("grant_type", "")], "invalid_request"),
    ] {
        let code = code(&mut ana).await;
        assert_error(&cli.redeem(&code, changed).await, 400, error);
        // Whoever tried in earnest has used it up; who did not even name the client or the code has not.
        let honest = cli.redeem(&code, &[]).await;
        if error == "invalid_grant" { assert_error(&honest, 400, error) } else { drop(token(&honest)) }
    }
    let code = code(&mut ana).await;
    for bad in [String::new(), "A".repeat(43), format!("{code}A"), code[1..].to_owned(), ana.session().to_owned()] {
        let error = if bad.is_empty() { "invalid_request" } else { "invalid_grant" };
        assert_error(&cli.redeem(&bad, &[]).await, 400, error);
    }
    world.advance(60);
    assert_error(&cli.redeem(&code, &[]).await, 400, "invalid_grant");
}

#[actix_web::test]
async fn w10_a_request_that_is_not_ours_leads_nowhere_and_one_without_pkce_is_told_so() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    for (name, value) in [
        ("client_id", "another"),
        ("client_id", ""),
        ("redirect_uri", ""),
        ("redirect_uri", "https://evil.example/callback"),
        ("redirect_uri", "http://127.0.0.1:49152@evil.example/callback"),
        ("redirect_uri", "http://ana@127.0.0.1:49152/callback"),
        ("redirect_uri", "http://localhost:49152/callback"),
        ("redirect_uri", "http://localhost.evil:49152/callback"),
        ("redirect_uri", "http://127.0.0.1.evil.example:49152/callback"),
        ("redirect_uri", "http://127.0.0.1:49152/elsewhere"),
    ] {
        let page = ana.get(&application(&[(name, value)])).await;
        page.assert_page(400, "This is not a command line that can be let in");
        assert_eq!(page.location(), "", "{value}");
        let nobody = Browser::new(&world).get(&application(&[(name, value)])).await;
        assert_eq!(nobody.status, 400, "who is not signed in is told the same");
    }
    let twice = format!("{}&redirect_uri=https%3A%2F%2Fevil.example", application(&[]));
    ana.get(&twice).await.assert_page(400, "The request cannot be read");
    for (changed, error) in [
        (&[("code_challenge_method", "plain"), ("code_challenge", VERIFIER)][..], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("prompt", "none")], "interaction_required"),
    ] {
        let answer = ana.get(&application(changed)).await;
        assert_eq!((answer.status.as_u16(), told(&answer, "error").as_deref()), (303, Some(error)), "{changed:?}");
        assert!(told(&answer, "code").is_none() && told(&answer, "iss").is_some());
    }
    // The form is checked as the address is.
    let page = ana.get(&application(&[])).await;
    for (name, value) in [("redirect_uri", "https://evil.example/callback"), ("code_challenge_method", "plain"), ("client_id", "another")] {
        let mut fields = hidden(&page.body, "/oauth2/authorize");
        fields.iter_mut().filter(|(field, _)| field == name).for_each(|(_, old)| value.clone_into(old));
        let mut fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.push(("decision", "allow"));
        ana.post("/oauth2/authorize", &fields).await.assert_page(400, "This is not a command line");
    }
    assert_eq!(world.audit().len(), 1, "nothing but the sign-in happened");
}

#[actix_web::test]
async fn w10_nobody_is_let_in_without_being_asked_about_and_a_no_is_a_no() {
    let world = World::new().await;
    let (mut ana, cli) = (Browser::signed_in(&world, "ana").await, Cli::new(&world));
    drop(token(&cli.redeem(&code(&mut ana).await, &[]).await));
    // Who said yes once is asked again.
    let page = ana.get(&application(&[("device_name", "<b>laptop</b>\u{202e} (verified by IT)")])).await;
    page.assert_page(200, "Let a command line act for you?");
    assert!(page.body.contains("blaptopb verified by IT") && !page.body.contains('\u{202e}'), "{}", page.body);
    let answer = decide(&mut ana, &page, "/oauth2/authorize", "refuse").await;
    assert_eq!((told(&answer, "error").as_deref(), told(&answer, "code")), (Some("access_denied"), None));
    let event = world.audit().last().unwrap().clone();
    assert_eq!((event["kind"].as_str(), event["outcome"].as_str()), (Some("command_line"), Some("refused")), "{event}");
    let neither = decide(&mut ana, &page, "/oauth2/authorize", "perhaps").await;
    assert_eq!(neither.status, 400);
    // Another person's form, and that of another session of the same person.
    let mut other = Browser::signed_in(&world, "ana").await;
    decide(&mut other, &page, "/oauth2/authorize", "allow").await.assert_page(403, "This form has expired");
    // Where no policy can name the address, a page goes on.
    let page = ana.get(&application(&[("redirect_uri", "http://[::1]:49152/callback")])).await;
    let answer = decide(&mut ana, &page, "/oauth2/authorize", "allow").await;
    answer.assert_page(200, "url=http://[::1]:49152/callback?code=");
}

#[actix_web::test]
async fn who_is_not_signed_in_comes_back_to_the_question() {
    let world = World::new().await;
    let mut nobody = Browser::new(&world);
    let asked = nobody.get(&application(&[])).await;
    assert_eq!(asked.status, 303);
    let login = asked.location().replacen("/login?", "/login/sandbox?", 1);
    let callback = nobody.up_to_callback(&login, "ana").await;
    let back = nobody.get(&callback).await.location().to_owned();
    assert!(back.starts_with("/oauth2/authorize?"), "{back}");
    let page = nobody.get(&back).await;
    let answer = decide(&mut nobody, &page, "/oauth2/authorize", "allow").await;
    assert_eq!(told(&answer, "state").as_deref(), Some("s & t"));
    drop(token(&Cli::new(&world).redeem(&told(&answer, "code").unwrap(), &[]).await));
}

#[actix_web::test]
async fn a09_w10_a_command_line_ends_with_its_person_and_with_the_session_that_it_comes_from() {
    let world = World::with(|config| format!("{config}\n[command_line]\nabsolute = \"2h\"\n")).await;
    let cli = Cli::new(&world);
    let mut ana = Browser::signed_in(&world, "ana").await;
    let first = token(&cli.redeem(&code(&mut ana).await, &[]).await);
    let waiting = code(&mut ana).await;
    let csrf = ana.csrf().await;
    assert_eq!(ana.post("/logout", &[("scope", "everywhere"), ("csrf", &csrf)]).await.status, 303);
    assert!(session(&world, &first).await.is_none(), "signed out everywhere");
    assert_error(&cli.redeem(&waiting, &[]).await, 400, "invalid_grant");
    // Its own limit, or the browser's session's end, whichever is first.
    let mut ana = Browser::signed_in(&world, "ana").await;
    let answer = cli.redeem(&code(&mut ana).await, &[]).await;
    assert_eq!(answer.1["expires_in"], 2 * 3600);
    let token = token(&answer);
    for _ in 0..7 {
        world.advance(3600 - 1);
        ana.get("/").await.assert_page(200, "Your AWS roles");
    }
    assert!(session(&world, &token).await.is_none(), "two hours are over");
    let answer = cli.redeem(&code(&mut ana).await, &[]).await;
    assert_eq!(answer.1["expires_in"], 3600 + 7);
}

#[actix_web::test]
async fn w10_a_token_is_no_cookie_a_cookie_is_no_token_and_neither_stands_in_an_address() {
    let world = World::new().await;
    let (mut ana, cli) = (Browser::signed_in(&world, "ana").await, Cli::new(&world));
    let token = token(&cli.redeem(&code(&mut ana).await, &[]).await);
    let id = SessionId::parse_bearer(&token).unwrap().expose();
    for (name, value) in [("rolegate-session", id.as_str()), ("rolegate-session", token.as_str())] {
        let mut thief = Browser::new(&world);
        thief.cookies.insert(name.into(), value.to_owned());
        assert!(thief.get("/").await.location().starts_with("/login?next=%2F"), "{value}");
    }
    let mut nobody = Browser::new(&world);
    for name in ["access_token", "token", "bearer"] {
        assert!(nobody.get(&format!("/?{name}={token}")).await.location().starts_with("/login?"), "{name}");
        let (status, answer) = cli.post(&format!("/oauth2/revoke?{name}={token}"), &[("token", &token)]).await;
        assert_error(&(status, answer), 400, "invalid_request");
    }
    let in_address = format!("/oauth2/token?code={}&{}", "x", form(&[("code_verifier", VERIFIER)]));
    assert_error(&cli.post(&in_address, &[("grant_type", "authorization_code")]).await, 400, "invalid_request");
    let twice = [("grant_type", "authorization_code"), ("code", "x"), ("code", "y")];
    assert_error(&cli.post("/oauth2/token", &twice).await, 400, "invalid_request");
    // A browser's session is not ended by who signs out a command line.
    let cookie = format!("rgs_{}", ana.session());
    for harmless in [cookie.as_str(), ana.session(), "nonsense"] {
        assert_eq!(cli.post("/oauth2/revoke", &[("token", harmless)]).await.0, 200, "RFC 7009: what is no token is as good as ended");
    }
    ana.get("/").await.assert_page(200, "Your AWS roles");
    assert!(session(&world, &token).await.is_some());
    assert_error(&cli.post("/oauth2/revoke", &[("token", &token), ("client_id", "another")]).await, 400, "invalid_client");
    assert_error(&cli.post("/oauth2/revoke", &[]).await, 400, "invalid_request");
    let revoked =
        cli.post("/oauth2/revoke", &[("token", &token), ("token_type_hint", "access_token"), ("client_id", "rolegate-cli")]).await;
    assert_eq!(revoked.0, 200);
    assert!(session(&world, &token).await.is_none());
    let event = world.audit().last().unwrap().clone();
    assert_eq!((event["kind"].as_str(), event["command_line"].as_str()), (Some("sign_out"), Some("build-host")), "{event}");
}

#[actix_web::test]
async fn w10_a_browser_has_no_business_where_programs_post() {
    let world = World::new().await;
    let cli = Cli::new(&world);
    let fields = [("client_id", "rolegate-cli"), ("device_name", "x")];
    assert_eq!(cli.post("/oauth2/device_authorization", &fields).await.0, 200);
    for path in ["/oauth2/device_authorization", "/oauth2/token", "/oauth2/revoke"] {
        let base = world.base.clone();
        for header in [("origin", "https://evil.example"), ("origin", "null"), ("origin", &base), ("sec-fetch-site", "cross-site")] {
            assert_eq!(cli.post_with(path, &fields, &[header]).await.0, 403, "{path} {header:?}");
        }
    }
}

#[actix_web::test]
async fn what_is_switched_off_is_not_there() {
    let world = World::new().await;
    let metadata = Browser::new(&world).get("/.well-known/oauth-authorization-server").await;
    let metadata: Value = serde_json::from_str(&metadata.body).unwrap();
    assert_eq!(metadata["issuer"], world.base);
    assert_eq!(metadata["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(metadata["device_authorization_endpoint"], format!("{}/oauth2/device_authorization", world.base));
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    for (setting, authorize) in [("device_codes = false", 200), ("enabled = false", 404)] {
        let world = World::with(|config| format!("{config}\n[command_line]\n{setting}\n")).await;
        let (mut ana, cli) = (Browser::signed_in(&world, "ana").await, Cli::new(&world));
        assert_eq!(ana.get("/device").await.status, 404, "{setting}");
        assert_eq!(ana.get(&application(&[])).await.status.as_u16(), authorize, "{setting}");
        let asked = cli.post("/oauth2/device_authorization", &[("client_id", "rolegate-cli")]).await;
        assert!(matches!(asked.0, 403 | 404), "{setting}: {}", asked.0);
        let polled = [("grant_type", device), ("client_id", "rolegate-cli"), ("device_code", "x")];
        assert_error(&cli.post("/oauth2/token", &polled).await, 400, "unauthorized_client");
        let metadata = ana.get("/.well-known/oauth-authorization-server").await;
        assert_eq!(metadata.status.as_u16(), authorize, "{setting}");
        assert!(authorize == 404 || !metadata.body.contains("device"), "{setting}: {}", metadata.body);
        if authorize == 404 {
            assert_error(&cli.redeem("x", &[]).await, 400, "unauthorized_client");
        }
    }
    assert_eq!(SessionKind::default(), SessionKind::Browser);
}

#[actix_web::test]
async fn w10_c1_no_code_and_no_token_is_in_the_audit_trail() {
    let world = World::new().await;
    let (mut ana, cli) = (Browser::signed_in(&world, "ana").await, Cli::new(&world));
    let code = code(&mut ana).await;
    let token = token(&cli.redeem(&code, &[]).await);
    let _ = cli.redeem(&code, &[]).await;
    let trail = serde_json::to_string(&world.audit()).unwrap();
    assert!(trail.contains("build-host"));
    for secret in [&code, &token, &token["rgs_".len()..].to_owned(), &VERIFIER.to_owned()] {
        assert!(!trail.contains(secret), "{trail}");
    }
    let answer = ana.send(ana.request(Method::GET, "/oauth2/token")).await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "POST"));
    let told: Value = serde_json::from_str(&answer.body).expect("programs are answered in their words");
    assert_eq!(told["error"], "invalid_request");
}
