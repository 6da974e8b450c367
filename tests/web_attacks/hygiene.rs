//! W9 in part: limits, odd requests, and an orderly end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::Method;

use crate::world::{ADMIN, Browser, World, form};

#[actix_web::test]
async fn w09_a_body_over_the_limit_is_refused_with_a_page() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    let large = "x".repeat(70_000);
    let answer = ana.post("/credentials", &[("role", ADMIN), ("csrf", &csrf), ("padding", &large)]).await;
    answer.assert_page(400, "The request cannot be read");
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
async fn odd_requests_have_pages_too() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    ana.get("/nowhere").await.assert_page(404, "There is no such page");
    ana.get("/static/app.css").await.assert_page(404, "There is no such page");
    ana.get("/go").await.assert_page(400, "The request cannot be read");
    let answer = ana.send(ana.request(Method::DELETE, "/go").header("sec-fetch-site", "same-origin")).await;
    answer.assert_page(405, "<h1");
    let json = ana.request(Method::POST, "/credentials").header("sec-fetch-site", "same-origin").header("content-type", "application/json");
    ana.send(json.body("{}")).await.assert_page(400, "The request cannot be read");
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
