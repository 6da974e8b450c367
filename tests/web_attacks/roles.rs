//! A5, A6, A9, and what happens when the record or the store fails: nothing is handed out that should not be.

use rolegate::access::{NamingSettings, Policy};

use crate::ports::free_port;
use crate::redis::{Redis, redis_store, start_redis, until_ready, with_redis};
use crate::world::{ADMIN, Browser, FORWARDED, READER, World};

#[actix_web::test]
async fn a05_only_what_rules_grant_is_handed_out() {
    let world = World::new().await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    let csrf = dev.csrf().await;
    let honest = dev.post("/credentials", &[("role", READER), ("csrf", &csrf)]).await;
    assert_eq!(honest.status, 303, "{}", honest.body);
    let issued = world.issued();
    assert_eq!(issued, 1);
    let lower = READER.to_lowercase();
    let elsewhere = READER.replace("111122223333", "999999999999");
    for role in [ADMIN, &lower, &elsewhere, "ReadOnly", "", "arn:aws:iam::111122223333:role/*"] {
        for path in ["/credentials", "/console"] {
            dev.post(path, &[("role", role), ("csrf", &csrf)]).await.assert_page(403, "No rule gives you this role");
            assert_eq!(world.last_reason(), "no rule grants this role");
        }
        let file = dev.post("/credentials/download", &[("role", role), ("csrf", &csrf), ("format", "bash")]).await;
        file.assert_page(403, "No rule gives you this role");
    }
    for duration in ["899", "3601", "99999999999"] {
        let answer = dev.post("/credentials", &[("role", READER), ("csrf", &csrf), ("duration", duration)]).await;
        answer.assert_page(400, "may last from 15 minutes to 1h");
    }
    let unreadable = dev.post("/credentials", &[("role", READER), ("csrf", &csrf), ("duration", "-1")]).await;
    unreadable.assert_page(400, "The request cannot be read");
    assert_eq!(world.issued(), issued, "STS was not asked once");
}

#[actix_web::test]
async fn o18_a_persons_own_token_is_forwarded_while_it_lives() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    assert_eq!(ana.post("/credentials", &[("role", FORWARDED), ("csrf", &csrf)]).await.status, 303);
    let event = world.audit().last().unwrap().clone();
    assert!(event["proof_id"].as_str().unwrap().starts_with("sha256:"), "{event}");
    assert_eq!(event["outcome"], "ok");
    assert_eq!(world.issued(), 1, "STS took the provider's token for what it is");
    world.advance(3600);
    let late = ana.post("/credentials", &[("role", FORWARDED), ("csrf", &csrf)]).await;
    late.assert_page(200, "Continuing to");
    assert!(late.body.contains("/login/sandbox?next=%2Fgo%3Faccount"), "round by the provider, and back to the role");
    assert_eq!(world.issued(), 1, "a token that has expired is shown to nobody");
    assert_eq!(ana.post("/credentials", &[("role", ADMIN), ("csrf", &csrf)]).await.status, 303, "a minted one still serves");
}

#[actix_web::test]
async fn a06_a09_rules_are_asked_anew_at_every_use() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    assert_eq!(ana.post("/credentials", &[("role", ADMIN), ("csrf", &csrf)]).await.status, 303);
    let before = world.audit().last().unwrap()["policy"].clone();
    let nothing = Policy::compile(&[], &[], &NamingSettings::default(), &[]).unwrap();
    world.site.gateway.policy.store(nothing.into());
    ana.post("/credentials", &[("role", ADMIN), ("csrf", &csrf)]).await.assert_page(403, "No rule gives you this role");
    ana.get("/").await.assert_page(200, "have no roles yet");
    assert!(before.as_str().unwrap().len() == 64, "each decision names the policy that made it: {before}");
}

#[actix_web::test]
async fn a09_a_session_ends_by_idleness_age_and_sign_out_everywhere() {
    let world = World::with(|config| format!("{config}\n[session]\nidle = \"1h\"\nabsolute = \"2h\"\n")).await;
    let mut here = Browser::signed_in(&world, "ana").await;
    let mut there = Browser::signed_in(&world, "ana").await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    let csrf = here.csrf().await;
    assert_eq!(there.get("/").await.status, 200);
    assert_eq!(here.post("/logout", &[("scope", "everywhere"), ("csrf", &csrf)]).await.location(), "/signed-out?everywhere=1");
    assert_eq!(there.get("/").await.status, 303, "the other session of the same person ended");
    assert_eq!(dev.get("/").await.status, 200, "another person's did not");
    world.advance(7201);
    let ended = dev.get("/").await;
    assert_eq!(ended.location(), "/login?next=%2F&ended=1");
    dev.get("/login?next=%2F&ended=1").await.assert_page(200, "Your session has ended");
}

#[actix_web::test]
async fn what_cannot_be_recorded_is_not_handed_out() {
    // A device that takes nothing stands in for a full disk.
    let world = World::with(|config| config.replace("file = \"audit.jsonl\"", "file = \"/dev/full\"")).await;
    let mut ana = Browser::new(&world);
    let callback = ana.up_to_callback("/login/sandbox?next=/", "ana").await;
    let answer = ana.get(&callback).await;
    answer.assert_page(503, "The audit trail cannot be written");
    assert_eq!(answer.header("retry-after"), "5");
    assert_eq!(ana.session(), "", "no session without its record");
    ana.get("/readyz").await.assert_page(503, "audit: unavailable");
    ana.get("/healthz").await.assert_page(200, "ok");
}

/// The last two events: what was issued, and that it did not arrive, under the one id that the page shows.
#[track_caller]
fn assert_undelivered(world: &World, page: &str) {
    let audit = world.audit();
    let [.., issued, failed] = &audit[..] else { panic!("two events are missing: {audit:?}") };
    assert_eq!((issued["outcome"].as_str(), failed["outcome"].as_str()), (Some("ok"), Some("failed")));
    assert_eq!((&issued["incident"], &issued["access_key_id"]), (&failed["incident"], &failed["access_key_id"]));
    assert!(failed["reason"].is_string() && issued["access_key_id"].is_string(), "{failed}");
    assert!(page.contains(failed["incident"].as_str().unwrap()), "the page names the event: {page}");
}

#[actix_web::test]
async fn what_was_issued_and_did_not_arrive_is_recorded_under_the_id_that_the_page_shows() {
    let dead = "signin_endpoint = \"http://127.0.0.1:9\" #";
    let world = World::with(|config| config.replace("signin_endpoint =", dead)).await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    let answer = ana.post("/console", &[("role", ADMIN), ("csrf", &csrf)]).await;
    answer.assert_page(502, "AWS did not do it");
    assert_undelivered(&world, &answer.body);

    let (redis, world) = with_redis().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let answer = ana.post("/credentials", &[("role", ADMIN), ("csrf", &csrf)]).await;
    answer.assert_page(503, "could not be handed over");
    assert_undelivered(&world, &answer.body);
}

#[actix_web::test]
async fn without_its_store_the_gateway_says_so_and_hands_out_nothing() {
    let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
    let store = redis_store(port, folder.path());
    let world = World::with(|config| format!("{config}\n{store}")).await;
    let mut ana = Browser::new(&world);
    let callback = ana.up_to_callback("/login/sandbox?next=/", "ana").await;
    let answer = ana.get(&callback).await;
    answer.assert_page(503, "memory does not answer");
    assert_eq!(ana.session(), "", "whoever comes back is let in by nothing but the store");
    assert_eq!(answer.header("retry-after"), "5");
    ana.cookies.insert("rolegate-session".into(), "A".repeat(43));
    ana.get("/").await.assert_page(503, "memory does not answer");
    ana.get("/readyz").await.assert_page(503, "store: unavailable");

    let _redis = Redis { process: start_redis(port), port, folder };
    until_ready(&world).await;
    Browser::signed_in(&world, "ana").await;
}
