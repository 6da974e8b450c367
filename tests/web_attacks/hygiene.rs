//! W9: limits, floods, odd requests, and an orderly end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::Method;

use crate::world::{ADMIN, Browser, READER, World, form};

#[actix_web::test]
async fn w09_a_body_over_the_limit_is_refused_with_a_page() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    let large = "x".repeat(70_000);
    let answer = ana.post("/credentials", &[("role", ADMIN), ("csrf", &csrf), ("padding", &large)]).await;
    answer.assert_page(413, "The request is too large");
    assert_eq!(world.issued(), 0);
}

#[actix_web::test]
async fn w09_a_slow_request_is_cut_off() {
    let world = World::with(|config| config.replace("workers = 1", "workers = 1\nrequest_timeout = \"1s\"")).await;
    let address = world.base.trim_start_matches("http://").to_owned();
    let cut_off = actix_web::rt::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(b"GET / HT").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map(|_| String::from_utf8_lossy(&answer).into_owned())
    });
    let answer = cut_off.await.unwrap().unwrap();
    assert!(answer.is_empty() || answer.contains("408"), "{answer}");
    assert_eq!(Browser::new(&world).get("/healthz").await.status, 200);
}

#[actix_web::test]
async fn w09_a_login_that_is_begun_costs_the_store_nothing_and_is_finished_only_with_it() {
    let seal = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(seal.path(), "5".repeat(64)).unwrap();
    // Nobody listens at this port, so whatever touches the store fails.
    let store = format!("[store]\nurl = \"redis://127.0.0.1:9\"\nseal_keys = [{{ file = \"{}\" }}]\n[audit]", seal.path().display());
    let world = World::with(|config| config.replace("[audit]", &store)).await;
    let mut ana = Browser::new(&world);
    let callback = ana.up_to_callback("/login/sandbox?next=/", "ana").await;
    assert!(callback.contains("code="), "{callback}");
    ana.get(&callback).await.assert_page(503, "memory does not answer");
    assert_eq!(ana.session(), "");
    // A path too long to be carried is not carried.
    let mut long = Browser::new(&world);
    assert_eq!(long.get(&format!("/login/sandbox?next=/{}", "x".repeat(2000))).await.status, 303);
    assert!(long.cookies["rolegate-login-1"].len() < 600, "{:?}", long.cookies);
}

#[actix_web::test]
async fn w09_who_signs_in_too_often_from_one_address_waits_and_others_do_not() {
    let limited = "workers = 1\nsign_in_rate = 1\nsign_in_burst = 6\ntrusted_proxies = [\"127.0.0.0/8\"]";
    let world = World::with(|config| config.replace("workers = 1", limited)).await;
    let mut ana = Browser::new(&world);
    let from = |browser: &Browser, method: Method, to: &str, ip: &str| browser.request(method, to).header("x-forwarded-for", ip);
    let csrf = ana.get("/login").await.csrf();
    let mut refused = Vec::new();
    for (method, path, body) in [
        (Method::GET, "/login/sandbox", String::new()),
        (Method::GET, "/callback/sandbox?state=x", String::new()),
        (Method::POST, "/login", form(&[("csrf", &csrf), ("email", "ana@example.com")])),
    ] {
        for _ in 0..3 {
            let request = from(&ana, method.clone(), path, "203.0.113.9").header("sec-fetch-site", "same-origin");
            let answer = ana.send(request.header("content-type", "application/x-www-form-urlencoded").body(body.clone())).await;
            refused.push(answer.status == 429);
            if answer.status == 429 {
                answer.assert_page(429, "Too many sign-ins at once");
                assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
                assert_eq!(answer.header("cache-control"), "no-store");
            }
        }
    }
    // The clock of the machine runs: at least the last one is one too many.
    assert!(refused[..6].iter().all(|refused| !refused) && refused[8], "{refused:?}");
    assert_eq!(ana.send(from(&ana, Method::GET, "/login/sandbox", "203.0.113.10")).await.status, 303);
    assert_eq!(ana.get("/healthz").await.status, 200);
}

#[actix_web::test]
async fn w09_addresses_that_verify_signatures_are_limited_all_alike() {
    let limited = "workers = 1\nsign_in_rate = 1\nsign_in_burst = 2\ntrusted_proxies = [\"127.0.0.0/8\"]";
    let world = World::with(|config| config.replace("workers = 1", limited)).await;
    let provider = Browser::new(&world);
    for (last, path) in [(1, "/saml/sandbox/acs"), (2, "/saml/sandbox/slo"), (3, "/logout/backchannel/sandbox")] {
        let mut refused = Vec::new();
        for _ in 0..5 {
            let request = provider.request(Method::POST, path).header("x-forwarded-for", format!("203.0.113.{last}"));
            let body = form(&[("SAMLResponse", "PHgvPg=="), ("logout_token", "x"), ("bounced", "1")]);
            let request = request.header("content-type", "application/x-www-form-urlencoded").header("sec-fetch-site", "same-origin");
            refused.push(provider.clone().send(request.body(body)).await.status == 429);
        }
        assert!(!refused[0] && !refused[1] && refused[4], "{path}: {refused:?}");
    }
}

#[actix_web::test]
async fn odd_requests_have_pages_too() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    ana.get("/nowhere").await.assert_page(404, "There is no such page");
    ana.get("/static/app.css").await.assert_page(404, "There is no such page");
    ana.get("/go").await.assert_page(400, "The request cannot be read");
    let answer = ana.send(ana.request(Method::DELETE, "/go").header("sec-fetch-site", "same-origin")).await;
    answer.assert_page(405, "<h1");
    let json = ana.request(Method::POST, "/credentials").header("sec-fetch-site", "same-origin").header("content-type", "application/json");
    ana.send(json.body("{}")).await.assert_page(415, "not read here");
}

#[actix_web::test]
async fn a_monitor_may_ask_by_head_and_credentials_may_not_be_spent_so() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    for path in ["/healthz", "/readyz", "/.well-known/jwks.json", "/.well-known/openid-configuration"] {
        let answer = ana.send(ana.request(Method::HEAD, path)).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""), "{path}");
    }
    let csrf = ana.csrf().await;
    let place = ana.post("/credentials", &[("role", ADMIN), ("csrf", &csrf)]).await.location().to_owned();
    assert_eq!(ana.send(ana.request(Method::HEAD, &place)).await.status, 405);
    ana.get(&place).await.assert_page(200, "ASIA");
}

#[actix_web::test]
async fn a_form_after_the_session_has_ended_leads_to_the_roles_and_not_nowhere() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    ana.cookies.remove("rolegate-session");
    let answer = ana.post("/credentials", &[("role", ADMIN), ("csrf", &csrf)]).await;
    assert_eq!(answer.location(), "/login?next=%2F");
    assert_eq!(ana.get("/go?account=Production").await.location(), "/login?next=%2Fgo%3Faccount%3DProduction");
}

#[actix_web::test]
async fn a_stop_lets_a_request_in_flight_finish() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    let request = ana.request(Method::POST, "/credentials/download").header("sec-fetch-site", "same-origin");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let body = form(&[("role", ADMIN), ("csrf", &csrf), ("format", "bash")]);
    let flight = actix_web::rt::spawn(async move { ana.send(request.body(body)).await.body });
    // The request is on its way before the stop is: it must be answered in full.
    while world.issued() == 0 {
        actix_web::rt::time::sleep(Duration::from_millis(1)).await;
    }
    world.stop().await.unwrap();
    assert!(flight.await.unwrap().contains("AWS_SECRET_ACCESS_KEY"));
}

#[actix_web::test]
async fn w09_a_person_who_takes_too_much_waits_and_others_do_not() {
    let limited = "workers = 1\nperson_rate = 1\nperson_burst = 2";
    let world = World::with(|config| config.replace("workers = 1", limited)).await;
    let (mut ana, mut dev) = (Browser::signed_in(&world, "ana").await, Browser::signed_in(&world, "dev").await);
    // In whatever session: it is the person who is counted.
    let mut elsewhere = Browser::signed_in(&world, "ana").await;
    let (csrf, again) = (ana.csrf().await, elsewhere.csrf().await);
    let (one, two) = ([("role", READER), ("csrf", &csrf), ("format", "bash")], [("role", ADMIN), ("role", READER), ("csrf", &again)]);
    assert_eq!(ana.post("/credentials/download", &one).await.status, 200);
    for path in ["/credentials", "/console", "/credentials/download", "/several", "/several/download"] {
        // The clock of the machine runs: one a second comes back, so that a few go through.
        let mut tries = 0;
        let refused = loop {
            let (visitor, form) = if path.starts_with("/several") { (&mut elsewhere, &two[..]) } else { (&mut ana, &one[..]) };
            let answer = visitor.post(path, form).await;
            tries += 1;
            if answer.status == 429 {
                break answer;
            }
            assert!(tries < 20, "{path}: {}", answer.status);
        };
        refused.assert_page(429, "Too many credentials at once");
        assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    }
    let csrf = dev.csrf().await;
    assert_eq!(dev.post("/credentials", &[("role", READER), ("csrf", &csrf)]).await.status, 303);
}
