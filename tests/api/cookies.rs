//! W2 at the API: a cookie is sent along by browsers of themselves.

use reqwest::Method;
use serde_json::json;

use crate::client::{Program, good, problem};
use crate::world::{ADMIN, Answer, Browser, World};

/// A request that a browser sends with its cookies and these headers.
async fn ask(browser: &mut Browser, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = browser.request(method.clone(), path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if method == Method::POST {
        request = request.header("content-type", "application/json").body(json!({ "role": ADMIN }).to_string());
    }
    browser.send(request).await
}

const OWN: (&str, &str) = ("x-requested-with", "rolegate");

#[actix_web::test]
async fn w02_a_cookie_changes_something_at_the_api_for_a_page_of_ours_alone() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let base = world.base.clone();
    for honest in [
        &[OWN, ("sec-fetch-site", "same-origin")][..],
        &[OWN, ("origin", &base)],
        &[OWN, ("origin", &base), ("sec-fetch-site", "same-origin")],
    ] {
        good(&ask(&mut ana, Method::POST, "/api/v1/credentials", honest).await);
    }
    let issued = world.issued();
    for forged in [
        &[][..],
        &[OWN],
        &[("sec-fetch-site", "same-origin")],
        &[("origin", &base)],
        &[OWN, ("sec-fetch-site", "cross-site")],
        &[OWN, ("sec-fetch-site", "same-site")],
        &[OWN, ("sec-fetch-site", "none")],
        &[OWN, ("origin", "https://evil.example")],
        &[OWN, ("origin", "null")],
        &[("x-requested-with", "XMLHttpRequest"), ("sec-fetch-site", "same-origin")],
        // Another scheme is no token, and takes nothing from the cookie's rules.
        &[("authorization", "Basic cmdzOng="), ("sec-fetch-site", "same-origin")],
    ] {
        for (method, path) in [
            (Method::POST, "/api/v1/credentials"),
            (Method::POST, "/api/v1/console"),
            (Method::DELETE, "/api/v1/sessions"),
            (Method::DELETE, "/api/v1/sessions/x"),
        ] {
            problem(&ask(&mut ana, method, path, forged).await, 403, "cross_site_request");
        }
    }
    assert_eq!(world.issued(), issued);
    good(&ask(&mut ana, Method::GET, "/api/v1/me", &[]).await);
}

#[actix_web::test]
async fn w02_no_spelling_of_an_address_leads_around_the_check() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    good(&ask(&mut ana, Method::POST, "/api/v1/credentials", &[OWN, ("sec-fetch-site", "same-origin")]).await);
    let (issued, events) = (world.issued(), world.audit().len());
    for path in [
        "/%61pi/v1/credentials",
        "/api/v1/%63redentials",
        "/api%2Fv1/credentials",
        &format!("{}//api/v1/credentials", world.base),
        "/api//v1/credentials",
        "/api/v1/credentials/",
        "/api/v1/credentials;x",
        "/API/v1/credentials",
        "/api/v1/x/%2e%2e/credentials",
        "/api/%2e%2e/credentials",
        "/api/v1/credentials?access_token=x",
    ] {
        for headers in [&[("sec-fetch-site", "cross-site")][..], &[OWN, ("origin", "https://evil.example")], &[]] {
            let answer = ask(&mut ana, Method::POST, path, headers).await;
            assert!(matches!(answer.status.as_u16(), 403 | 404), "{path}: {}", answer.status);
        }
        // Not even one that looks like our own form's goes through without the header.
        let answer = ask(&mut ana, Method::POST, path, &[("sec-fetch-site", "same-origin")]).await;
        assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
    }
    for preflight in ["/api/v1/credentials", "/api/v1/me", "/oauth2/token"] {
        let asked = [("origin", "https://evil.example"), ("access-control-request-method", "POST")];
        let answer = ask(&mut ana, Method::OPTIONS, preflight, &asked).await;
        assert_eq!(answer.status, 405, "{preflight}");
        assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control-")), "{preflight}: {:?}", answer.headers);
    }
    assert_eq!((world.issued(), world.audit().len()), (issued, events));
}

#[actix_web::test]
async fn w02_a_cookie_does_not_count_beside_a_token() {
    let world = World::new().await;
    let (mut ana, dev) = (Browser::signed_in(&world, "ana").await, Program::of(&world, "dev").await);
    let token = format!("Bearer {}", dev.token);
    let me = good(&ask(&mut ana, Method::GET, "/api/v1/me", &[("authorization", &token)]).await);
    assert_eq!(me["username"], "dev@example.com");
    problem(&ask(&mut ana, Method::POST, "/api/v1/credentials", &[("authorization", &token)]).await, 403, "not_granted");
    // A token that is nobody's does not fall back to the cookie.
    let own = format!("Bearer {}", ana.session());
    for unknown in ["Bearer rgs_nonsense", "bearer ", "Bearer eyJhbGciOiJub25lIn0.e30.", own.as_str()] {
        let answer = ask(&mut ana, Method::GET, "/api/v1/me", &[("authorization", unknown)]).await;
        assert_eq!(answer.status, 401, "{unknown}: {}", answer.body);
    }
    let two = [("authorization", token.as_str()), ("authorization", "Bearer rgs_x")];
    problem(&ask(&mut ana, Method::GET, "/api/v1/me", &two).await, 400, "invalid_request");
}

#[actix_web::test]
async fn w02_a_token_opens_no_page() {
    let world = World::new().await;
    let (ana, program) = (Browser::signed_in(&world, "ana").await, Program::of(&world, "ana").await);
    let mut browser = Browser::new(&world);
    let token = format!("Bearer {}", program.token);
    good(&ask(&mut browser, Method::GET, "/api/v1/me", &[("authorization", &token)]).await);
    let answer = ask(&mut browser, Method::GET, "/", &[("authorization", &token)]).await;
    assert_eq!(answer.status, 303, "the start page sends to the sign-in");
    assert!(answer.location().starts_with("/login"), "{}", answer.location());
    // Neither is a browser's session a token, nor a command line's a cookie.
    let of_browser = format!("Bearer rgs_{}", ana.session());
    problem(&ask(&mut browser, Method::GET, "/api/v1/me", &[("authorization", &of_browser)]).await, 401, "session_ended");
    browser.cookies.insert("rolegate-session".into(), program.token.trim_start_matches("rgs_").to_owned());
    problem(&ask(&mut browser, Method::GET, "/api/v1/me", &[]).await, 401, "session_ended");
    assert_eq!(browser.get("/").await.status, 303);
}
