//! W2: forms that another site, another session or no page of ours sends.

use std::collections::BTreeSet;

use reqwest::Method;

use crate::world::{ADMIN, Browser, World, form};

/// Every address that changes something, with a form that works. `every_route_is_here` holds the list complete.
const FORMS: [(&str, &[(&str, &str)]); 11] = [
    ("/login", &[("email", "ana@example.com")]),
    ("/console", &[("role", ADMIN)]),
    ("/credentials", &[("role", ADMIN)]),
    ("/credentials/download", &[("role", ADMIN), ("format", "bash")]),
    ("/choices", &[("role", ADMIN), ("favourite", "yes")]),
    ("/several", &[("role", ADMIN)]),
    ("/several/download", &[("role", ADMIN)]),
    ("/step-up", &[("role", ADMIN)]),
    ("/logout", &[("scope", "here")]),
    ("/oauth2/authorize", &APPLICATION),
    ("/device", &[("user_code", "BCDF-GHJK"), ("decision", "allow")]),
];
const APPLICATION: [(&str, &str); 7] = [
    ("client_id", "rolegate-cli"),
    ("response_type", "code"),
    ("redirect_uri", "http://127.0.0.1:49152/callback"),
    ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
    ("code_challenge_method", "S256"),
    ("device_name", "build-host"),
    ("decision", "allow"),
];
const EXPIRED: &str = "This form has expired";

#[test]
fn w02_every_route_is_here() {
    let routes = include_str!("../../src/web/mod.rs");
    let posts = |made_by: &str| -> Vec<&str> {
        let lines = routes.lines().filter(|line| line.contains("web::post()"));
        lines.filter_map(|line| Some(line.trim().strip_prefix(made_by)?.split_once('"')?.0)).collect()
    };
    // One more waits for a sign-in that only a SAML provider can begin: see the attacks on SAML.
    // Those about requests need rules and people of their own: see the attacks on grants.
    let elsewhere = ["/switch", "/requests", "/requests/decide", "/requests/withdraw"];
    let all = FORMS.map(|(path, _)| path).into_iter().chain(elsewhere).collect::<BTreeSet<_>>();
    assert_eq!(posts("page(\"").into_iter().collect::<BTreeSet<_>>(), all);
    // What other sites post is signed, or does nothing: see the attacks on SAML and on logout tokens.
    let of_others = ["/login/initiate", "/saml/{provider}/acs", "/saml/{provider}/slo", "/logout/backchannel/{provider}"];
    assert_eq!(posts("of_others(\""), of_others);
    // What programs post names its own secret, and comes from no browser: see the attacks on command lines.
    let of_programs = ["/oauth2/token", "/oauth2/revoke", "/oauth2/device_authorization"];
    assert_eq!(posts("of_programs(\""), of_programs);
    assert_eq!(routes.matches("web::post()").count(), all.len() + of_others.len() + of_programs.len());
    assert!(!routes.contains("web::put()") && !routes.contains("web::delete()") && !routes.contains("web::patch()"));
}

fn with<'a>(fields: &[(&'a str, &'a str)], csrf: &'a str) -> Vec<(&'a str, &'a str)> {
    [fields, &[("csrf", csrf)]].concat()
}

/// The token that a form at an address needs: that of the picker for people who are not signed in, or the portal's.
async fn token(browser: &mut Browser, path: &str) -> String {
    browser.get(if path == "/login" { "/login" } else { "/" }).await.csrf()
}

async fn at_the_form(world: &World, path: &str) -> Browser {
    if path == "/login" { Browser::new(world) } else { Browser::signed_in(world, "ana").await }
}

#[actix_web::test]
async fn w02_a_form_without_its_own_token_does_nothing() {
    let world = World::new().await;
    for (path, fields) in FORMS {
        let mut ana = at_the_form(&world, path).await;
        let mine = token(&mut ana, path).await;
        let others = token(&mut at_the_form(&world, path).await, path).await;
        let (issued, events) = (world.issued(), world.audit().len());
        for forged in ["", "x", &others, &mine[1..], &format!("{mine}A")] {
            ana.post(path, &with(fields, forged)).await.assert_page(403, EXPIRED);
        }
        ana.post(path, fields).await.assert_page(400, "The request cannot be read");
        assert_eq!((world.issued(), world.audit().len()), (issued, events), "{path}: something happened");
        let honest = ana.post(path, &with(fields, &mine)).await;
        assert!(honest.status.as_u16() < 400, "{path}: {}", honest.body);
    }
}

#[actix_web::test]
async fn w02_a_form_from_another_site_does_nothing_even_with_the_right_token() {
    let world = World::new().await;
    let base = world.base.clone();
    let foreign: [&[(&str, &str)]; 7] = [
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        &[("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:1")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[],
    ];
    for (path, fields) in FORMS {
        let mut ana = at_the_form(&world, path).await;
        let mine = token(&mut ana, path).await;
        let (issued, events) = (world.issued(), world.audit().len());
        for headers in foreign {
            let mut request = ana.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            ana.send(request.body(form(&with(fields, &mine)))).await.assert_page(403, EXPIRED);
        }
        assert_eq!((world.issued(), world.audit().len()), (issued, events), "{path}: something happened");
        // An older browser, which says only where the form stands.
        let request = ana.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded").header("origin", &base);
        let honest = ana.send(request.body(form(&with(fields, &mine)))).await;
        assert!(honest.status.as_u16() < 400, "{path}: {}", honest.body);
    }
}

#[actix_web::test]
async fn w02_nothing_changes_by_get() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    for (path, fields) in FORMS.into_iter().filter(|(path, _)| *path != "/login") {
        let answer = ana.get(&format!("{path}?{}", form(&with(fields, &csrf)))).await;
        // Three have a page by GET, which asks.
        let asks = ["/oauth2/authorize", "/device", "/several"].contains(&path);
        assert!(if asks { answer.status == 200 } else { answer.status.is_client_error() }, "{path}: {}", answer.status);
    }
    assert_eq!(world.audit().len(), 1, "nothing but the sign-in happened");
    ana.get("/go?account=Production&role=PlatformAdmin").await.assert_page(200, "Open the console");
    assert_eq!(world.issued(), 0, "a deep link waits for a click");
    ana.get("/").await.assert_page(200, "PlatformAdmin");
}
