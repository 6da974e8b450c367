//! Credentials that are handed out again: one call to STS for any number of tools, and never for anybody or anything else.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::{Program, good, problem};
use crate::support::{Redis, Scratch};
use crate::world::{ADMIN, READER, World};

const ROLE: &str = "max_session = \"2h\"\n";

/// The rule of the administrators' role lets credentials be reused. One process plays all parts here, and one thread of it the gateway's: no try of
/// a call is given up because a thousand others are read first.
fn reusing(config: &str) -> String {
    assert!(config.contains(ROLE) && config.contains("[aws]\n") && config.contains("workers = 1"));
    // A thousand at once are more than one person usually may ask for.
    let config = config.replace("workers = 1", "workers = 1\nperson_burst = 5000");
    config.replace(ROLE, &format!("{ROLE}reuse_credentials = true\n")).replace("[aws]\n", "[aws]\ndeadline = \"30s\"\n")
}

/// The same with its store in Redis. The seal key is good as long as the folder is there.
fn in_redis(redis: &Redis, folder: &Scratch) -> impl FnOnce(String) -> String {
    let seal = folder.write("seal", "5".repeat(64));
    let store = format!("[store]\nurl = \"{}\"\nseal_keys = [{{ file = {:?} }}]\n[audit]\n", redis.url(), seal.display().to_string());
    move |config| reusing(&config).replace("[audit]\n", &store)
}

async fn ask(program: &mut Program, wish: &Value) -> Value {
    good(&program.post("/api/v1/credentials", wish).await)
}

fn key(credentials: &Value) -> String {
    credentials["access_key_id"].as_str().unwrap().to_owned()
}

fn issuances(world: &World) -> Vec<Value> {
    world.audit().into_iter().filter(|event| event["kind"] == "issue").collect()
}

/// A thousand at once, over connections of their own.
async fn a_thousand_at_once(world: &World) {
    let ana = Program::of(world, "ana").await;
    let wish = json!({ "role": ADMIN });
    let asked = (0..1000).map(|_| {
        let (mut ana, wish) = (ana.clone(), wish.clone());
        actix_web::rt::spawn(async move { key(&ask(&mut ana, &wish).await) })
    });
    let mut keys = Vec::new();
    for asked in asked.collect::<Vec<_>>() {
        keys.push(asked.await.unwrap());
    }
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 1, "all have the same credentials");
    assert_eq!(world.issued(), 1, "of one call to STS");
    let events = issuances(world);
    assert_eq!(events.len(), 1000, "each hand-over is in the trail");
    let first: Vec<_> = events.iter().filter(|event| event.get("reused").is_none()).collect();
    assert_eq!(first.len(), 1);
    assert!(first[0]["sts_request_id"].is_string() && first[0]["proof_id"].is_string());
    for event in &events {
        assert_eq!((event["outcome"].as_str(), event["access_key_id"].as_str()), (Some("ok"), Some(keys[0].as_str())), "{event}");
        assert_eq!((&event["expires"], &event["rules"]), (&first[0]["expires"], &first[0]["rules"]));
        assert!(event.get("reused").is_none_or(|reused| reused == true && event.get("sts_request_id").is_none()), "{event}");
    }
    assert_eq!(events.iter().map(|event| event["incident"].as_str().unwrap()).collect::<BTreeSet<_>>().len(), 1000);
}

#[actix_web::test]
async fn a_thousand_who_ask_the_same_at_once_cost_one_call_with_the_store_in_memory_and_with_redis() {
    a_thousand_at_once(&World::with(|config| reusing(&config)).await).await;
    let (redis, folder) = (Redis::start().await, Scratch::new());
    a_thousand_at_once(&World::with(in_redis(&redis, &folder)).await).await;
}

#[actix_web::test]
async fn two_gateways_with_one_store_make_one_call_between_them() {
    let (redis, folder) = (Redis::start().await, Scratch::new());
    let one = World::with(in_redis(&redis, &folder)).await;
    let other = World::with(in_redis(&redis, &folder)).await;
    let ana = Program::of(&one, "ana").await;
    let there = ana.at(&other);
    let asked = (0..200).map(|n| {
        let mut program = if n % 2 == 0 { ana.clone() } else { there.clone() };
        actix_web::rt::spawn(async move { key(&ask(&mut program, &json!({ "role": ADMIN })).await) })
    });
    let mut keys = BTreeSet::new();
    for asked in asked.collect::<Vec<_>>() {
        keys.insert(asked.await.unwrap());
    }
    assert_eq!((keys.len(), one.issued() + other.issued()), (1, 1), "whichever was first made the call");
    assert_eq!((issuances(&one).len(), issuances(&other).len()), (100, 100), "each records what it handed out");
}

#[actix_web::test]
async fn c4_what_is_kept_in_redis_is_sealed_and_ends_with_its_session() {
    let (redis, folder) = (Redis::start().await, Scratch::new());
    let world = World::with(in_redis(&redis, &folder)).await;
    let mut ana = Program::of(&world, "ana").await;
    let credentials = ask(&mut ana, &json!({ "role": ADMIN })).await;
    let everything = redis.everything();
    let holds = |text: &str| everything.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("rolegate:kept:") && holds("rolegate:kept-by:"), "it is kept");
    for secret in ["access_key_id", "secret_access_key", "session_token"] {
        assert!(!holds(credentials[secret].as_str().unwrap()), "{secret} is in the clear");
    }
    assert!(!holds(ADMIN) && !holds("ana@example.com") && !holds(ana.token.trim_start_matches("rgs_")));
    assert!(!holds("rolegate:call:"), "the turn was given back");
    assert_eq!(key(&ask(&mut ana, &json!({ "role": ADMIN })).await), key(&credentials));
    assert_eq!(ana.delete("/api/v1/sessions").await.status, 204);
    problem(&ana.post("/api/v1/credentials", &json!({ "role": ADMIN })).await, 401, "session_ended");
    let mut again = Program::of(&world, "ana").await;
    assert_ne!(key(&ask(&mut again, &json!({ "role": ADMIN })).await), key(&credentials), "another session has its own");
    assert_eq!(world.issued(), 2);
}

#[actix_web::test]
async fn another_request_another_session_and_another_person_get_their_own() {
    let world = World::with(|config| {
        reusing(&config).replace(
            "roles = [\"ReadOnly\"]\n",
            "roles = [\"ReadOnly\", \"PlatformAdmin\"]\nreuse_credentials = true\nmax_session = \"2h\"\n",
        )
    })
    .await;
    let (mut ana, mut other, mut dev) =
        (Program::of(&world, "ana").await, Program::of(&world, "ana").await, Program::of(&world, "dev").await);
    let wishes =
        [json!({ "role": ADMIN }), json!({ "role": ADMIN, "duration_seconds": 900 }), json!({ "role": ADMIN, "duration_seconds": 7200 })];
    let mut keys = BTreeSet::new();
    for program in [&mut ana, &mut other, &mut dev] {
        for wish in &wishes {
            let first = key(&ask(program, wish).await);
            assert_eq!(key(&ask(program, wish).await), first, "{wish}");
            assert!(keys.insert(first), "{wish}");
        }
    }
    // An hour is what is meant where nothing is said.
    assert!(keys.contains(&key(&ask(&mut ana, &json!({ "role": ADMIN, "duration_seconds": 3600 })).await)));
    assert_eq!((keys.len(), world.issued()), (9, 9));
}

#[actix_web::test]
async fn they_are_handed_out_until_80_percent_of_their_life_and_no_longer() {
    let world = World::with(|config| reusing(&config)).await;
    let mut ana = Program::of(&world, "ana").await;
    let first = key(&ask(&mut ana, &json!({ "role": ADMIN })).await);
    world.advance(3600 * 80 / 100 - 1);
    assert_eq!(key(&ask(&mut ana, &json!({ "role": ADMIN })).await), first);
    world.advance(1);
    assert_ne!(key(&ask(&mut ana, &json!({ "role": ADMIN })).await), first);
    assert_eq!(world.issued(), 2);
}

#[actix_web::test]
async fn without_the_key_each_asks_for_itself_and_so_does_the_console() {
    let world =
        World::with(|config| config.replace("roles = [\"ReadOnly\"]\n", "roles = [\"ReadOnly\"]\nreuse_credentials = true\n")).await;
    let (mut ana, mut dev) = (Program::of(&world, "ana").await, Program::of(&world, "dev").await);
    assert_ne!(key(&ask(&mut ana, &json!({ "role": ADMIN })).await), key(&ask(&mut ana, &json!({ "role": ADMIN })).await));
    assert_eq!(key(&ask(&mut dev, &json!({ "role": READER })).await), key(&ask(&mut dev, &json!({ "role": READER })).await));
    let before = world.issued();
    for _ in 0..2 {
        good(&dev.post("/api/v1/console", &json!({ "role": READER })).await);
    }
    assert_eq!(world.issued(), before + 2, "the console gets the whole life of credentials of its own");
    assert_eq!(issuances(&world).iter().filter(|event| event["reused"] == true).count(), 1);
}

#[actix_web::test]
async fn the_rules_are_asked_before_anything_is_handed_out_again() {
    let world = World::with(|config| reusing(&config).replace(ROLE, &format!("{ROLE}until = \"2027-01-15T08:10:00Z\"\n"))).await;
    let mut ana = Program::of(&world, "ana").await;
    let first = key(&ask(&mut ana, &json!({ "role": ADMIN })).await);
    world.advance(599);
    assert_eq!(key(&ask(&mut ana, &json!({ "role": ADMIN })).await), first);
    world.advance(1);
    problem(&ana.post("/api/v1/credentials", &json!({ "role": ADMIN })).await, 403, "not_granted");
    assert_eq!(world.issued(), 1);
}
