//! O3, O4, O6, O16, O17, W1: attacks on the way in.

use crate::world::{Browser, World};

const NO_LONGER: &str = "This sign-in is no longer valid";

#[actix_web::test]
async fn o04_a_state_serves_once() {
    let world = World::new().await;
    let mut ana = Browser::new(&world);
    let callback = ana.up_to_callback("/login/sandbox?next=/", "ana").await;
    let before = ana.clone();
    assert!(before.cookies.contains_key("rolegate-login-1"), "{:?}", before.cookies);
    let answer = ana.get(&callback).await;
    assert_eq!(answer.status, 303);
    assert!(!ana.cookies.contains_key("rolegate-login-1"), "the answer takes the pending login away");
    ana.get(&callback).await.assert_page(403, NO_LONGER);
    let events = world.audit().len();
    // Who keeps the pending login has no more of it, whether the session still lives or not.
    for mut keeper in [before.clone(), before] {
        keeper.get(&callback).await.assert_page(403, NO_LONGER);
        assert_eq!(keeper.session(), "");
    }
    assert_eq!(world.audit().len(), events, "what is tried again and again fills no trail");
}

#[actix_web::test]
async fn o04_a_pending_login_that_was_tampered_with_or_is_missing_is_none() {
    let world = World::new().await;
    let mut ana = Browser::new(&world);
    let callback = ana.up_to_callback("/login/sandbox?next=/", "ana").await;
    let honest = ana.cookies["rolegate-login-1"].clone();
    let (begun, sealed) = honest.split_once('.').unwrap();
    let turned = sealed.chars().rev().collect::<String>();
    let mut stranger = Browser::new(&world);
    stranger.get("/login/sandbox").await;
    let other = stranger.cookies["rolegate-login-1"].clone();
    for forged in ["", "1.AAAA", begun, &format!("{begun}.{turned}"), &format!("{begun}.{}", &sealed[4..]), &other] {
        let mut forger = ana.clone();
        forger.cookies.insert("rolegate-login-1".into(), forged.into());
        forger.get(&callback).await.assert_page(403, NO_LONGER);
        assert_eq!(forger.session(), "");
    }
    // Counted, and not recorded: anybody can send any number of them, and must not fill the disk.
    assert_eq!(world.site.gateway.unsolicited.load(std::sync::atomic::Ordering::Relaxed), 6);
    assert_eq!(world.audit().len(), 0);
    // The moment in the clear is for finding the oldest alone; a place is as good as another.
    ana.cookies.remove("rolegate-login-1");
    ana.cookies.insert("rolegate-login-4".into(), format!("1.{sealed}"));
    assert_eq!(ana.get(&callback).await.status, 303, "the honest one still works");
}

#[actix_web::test]
async fn several_tabs_may_sign_in_at_once() {
    let world = World::new().await;
    let mut ana = Browser::new(&world);
    let mut callbacks = Vec::new();
    for _ in 0..5 {
        // The provider's own session is not what this is about.
        ana.cookies.retain(|name, _| name.starts_with("rolegate-"));
        callbacks.push(ana.up_to_callback("/login/sandbox?next=/", "ana").await);
        world.advance(1);
    }
    assert_eq!(ana.cookies.keys().filter(|name| name.starts_with("rolegate-login-")).count(), 4);
    ana.get(&callbacks[0]).await.assert_page(403, NO_LONGER);
    for callback in callbacks[1..].iter().rev() {
        assert_eq!(ana.get(callback).await.status, 303);
    }
    assert!(!ana.cookies.keys().any(|name| name.starts_with("rolegate-login-")));
}

#[actix_web::test]
async fn o04_a_state_that_is_missing_foreign_or_malformed_is_refused() {
    let world = World::new().await;
    let mut ana = Browser::new(&world);
    let callback = ana.up_to_callback("/login/sandbox?next=/", "ana").await;
    let (before, rest) = callback.split_once("state=").unwrap();
    let after = rest.split_once('&').map(|(_, after)| after).unwrap_or_default();
    for state in ["", "AAAA", &"A".repeat(43), &"A".repeat(4000), "%00", "..%2F.."] {
        ana.get(&format!("{before}state={state}&{after}")).await.assert_page(403, NO_LONGER);
    }
    ana.get(&format!("{before}{after}")).await.assert_page(403, NO_LONGER);
    assert_eq!(ana.get(&callback).await.status, 303, "the honest answer still works");
}

#[actix_web::test]
async fn o03_o04_an_answer_is_bound_to_the_browser_that_began() {
    let world = World::new().await;
    for cookie in [None, Some("A".repeat(43))] {
        let mut victim = Browser::new(&world);
        let callback = victim.up_to_callback("/login/sandbox?next=/", "ana").await;
        let mut thief = Browser::new(&world);
        thief.get(&callback).await.assert_page(403, NO_LONGER);
        // Not even with the victim's pending login, but without its name for the browser.
        thief.cookies.extend(cookie.map(|value| ("rolegate-browser".to_owned(), value)));
        thief.cookies.insert("rolegate-login-1".into(), victim.cookies["rolegate-login-1"].clone());
        thief.get(&callback).await.assert_page(403, NO_LONGER);
        assert_eq!(thief.session(), "");
        assert_eq!(victim.get(&callback).await.status, 303, "the attempt did not use it up");
    }
}

#[actix_web::test]
async fn o04_a_login_that_waited_too_long_is_refused() {
    let world = World::new().await;
    let mut ana = Browser::new(&world);
    let slow = ana.up_to_callback("/login/sandbox?next=/", "ana").await;
    world.advance(601);
    ana.get(&slow).await.assert_page(403, NO_LONGER);
    assert!(world.audit().is_empty(), "it used nothing up: it is logged and counted");
    assert!(!ana.cookies.contains_key("rolegate-login-1"), "a refusal takes it away as well");
}

#[actix_web::test]
async fn o04_of_two_hundred_parallel_replays_one_opens_a_session() {
    // None of them may be turned away for being one too many.
    let world = World::with(|config| config.replace("workers = 1", "workers = 1\nsign_in_burst = 1000")).await;
    let mut ana = Browser::new(&world);
    let callback = ana.up_to_callback("/login/sandbox?next=/", "ana").await;
    let replays = (0..200).map(|_| {
        let (mut one, callback) = (ana.clone(), callback.clone());
        async move { one.get(&callback).await.status.as_u16() }
    });
    let mut tasks: Vec<_> = replays.map(actix_web::rt::spawn).collect();
    let mut opened = 0;
    for task in tasks.drain(..) {
        opened += usize::from(task.await.unwrap() == 303);
    }
    assert_eq!(opened, 1);
    assert_eq!(world.audit().iter().filter(|event| event["kind"] == "sign_in" && event["outcome"] == "ok").count(), 1);
}

#[actix_web::test]
async fn o06_an_answer_for_one_provider_is_not_taken_at_anothers_address() {
    let world = World::new().await;
    let mut ana = Browser::new(&world);
    let honest = ana.up_to_callback("/login/other?next=/", "ana").await;
    assert_eq!(ana.get(&honest).await.status, 303);
    let mut ana = Browser::new(&world);
    let callback = ana.up_to_callback("/login/sandbox?next=/", "ana").await;
    let moved = callback.replace("/callback/sandbox", "/callback/other");
    ana.get(&moved).await.assert_page(403, "You were not signed in");
    assert_eq!(ana.session(), "");
    ana.get(&callback.replace("/callback/sandbox", "/callback/nobody")).await.assert_page(404, "no such identity provider");
}

#[actix_web::test]
async fn o16_w04_a_sign_in_leads_back_to_local_places_alone() {
    let world = World::new().await;
    for (next, lands) in [
        ("/go?account=Production", "/go?account=Production"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("/..//evil.example", "/"),
    ] {
        let mut ana = Browser::new(&world);
        let query = crate::world::form(&[("next", next)]);
        let callback = ana.up_to_callback(&format!("/login/sandbox?{query}"), "ana").await;
        assert_eq!(ana.get(&callback).await.location(), lands, "{next:?}");
        let picker = Browser::new(&world).get(&format!("/login?{query}")).await;
        assert!(!picker.body.contains("evil.example"), "{next:?} stands on the page");
    }
}

#[actix_web::test]
async fn o17_a_providers_error_is_never_shown_raw() {
    let world = World::new().await;
    let hostile = "%3Cscript%3Ealert(1)%3C/script%3E";
    for error in [hostile, "access_denied", "%00%0d%0aSet-Cookie:%20a=b"] {
        let mut ana = Browser::new(&world);
        let callback = ana.up_to_callback("/login/sandbox?next=/", "ana").await;
        let state = callback.split_once("state=").unwrap().1.split('&').next().unwrap();
        let iss = callback.split_once("iss=").map(|(_, rest)| rest.split('&').next().unwrap()).unwrap_or_default();
        let answer = ana.get(&format!("/callback/sandbox?state={state}&iss={iss}&error={error}&error_description={hostile}")).await;
        answer.assert_page(403, "You were not signed in");
        assert!(!answer.body.contains("alert(1)"), "{}", answer.body);
        assert!(!world.last_reason().contains("alert(1)"), "{}", world.last_reason());
    }
}

#[actix_web::test]
async fn w01_a_planted_session_id_is_worth_nothing_and_each_login_has_its_own() {
    let world = World::new().await;
    let mut ana = Browser::new(&world);
    let planted = "B".repeat(42) + "A";
    ana.cookies.insert("rolegate-session".into(), planted.clone());
    let callback = ana.up_to_callback("/login/sandbox?next=/", "ana").await;
    ana.get(&callback).await;
    assert_ne!(ana.session(), planted);
    ana.get("/").await.assert_page(200, "PlatformAdmin");
    let mut thief = Browser::new(&world);
    thief.cookies.insert("rolegate-session".into(), planted);
    assert_eq!(thief.get("/").await.status, 303, "the planted id opens nothing");

    let mut old = ana.clone();
    ana.cookies.remove("sandbox_idp_session");
    let callback = ana.up_to_callback("/login/sandbox?next=/", "ana").await;
    ana.get(&callback).await;
    assert_ne!(ana.session(), old.session());
    assert_eq!(old.get("/").await.status, 303, "the session before was closed");
}

#[actix_web::test]
async fn a_provider_that_is_down_says_so_and_the_others_go_on() {
    let world = World::new().await;
    let mut ana = Browser::new(&world);
    ana.get("/login").await.assert_page(200, "The down provider");
    ana.get("/login/down").await.assert_page(502, "The down provider could not be reached");
    assert!(ana.get("/login").await.body.contains("Not answering right now"), "the picker says which provider is down");
    Browser::signed_in(&world, "ana").await;
}
