//! A person's own sessions, listed and ended.

use serde_json::Value;

use crate::client::{Program, good, problem};
use crate::world::World;

fn ids(list: &Value) -> Vec<String> {
    list["sessions"].as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn somebody_sees_and_ends_their_own_sessions_alone() {
    let world = World::new().await;
    let mut first = Program::of(&world, "ana").await;
    world.advance(60);
    let mut second = Program::of(&world, "ana").await;
    let mut dev = Program::of(&world, "dev").await;
    let list = good(&first.get("/api/v1/sessions").await);
    assert_eq!(ids(&list).len(), 2, "{list}");
    let currents: Vec<_> = list["sessions"].as_array().unwrap().iter().map(|session| session["current"].as_bool().unwrap()).collect();
    assert_eq!(currents, [false, true], "the newest first: {list}");
    assert_eq!(list["sessions"][1]["began"], "2027-01-15T08:00:00Z");
    for token in [&first.token, &second.token] {
        let secret = token.trim_start_matches("rgs_");
        assert!(!list.to_string().contains(&secret[..10]), "no part of a session's id is in the list");
    }
    let others = ids(&good(&dev.get("/api/v1/sessions").await));
    assert_eq!(others.len(), 1);
    let newest = ids(&list)[0].clone();

    let events = world.audit().len();
    problem(&first.delete(&format!("/api/v1/sessions/{}", others[0])).await, 404, "not_found");
    problem(&dev.delete(&format!("/api/v1/sessions/{newest}")).await, 404, "not_found");
    problem(&first.delete("/api/v1/sessions/nonsense").await, 404, "not_found");
    assert_eq!(world.audit().len(), events, "nothing ended, nothing is recorded");
    good(&second.get("/api/v1/me").await);

    let ended = first.delete(&format!("/api/v1/sessions/{newest}")).await;
    assert_eq!((ended.status.as_u16(), ended.body.as_str()), (204, ""));
    assert_eq!(ended.header("cache-control"), "no-store");
    problem(&second.get("/api/v1/me").await, 401, "session_ended");
    assert_eq!(ids(&good(&first.get("/api/v1/sessions").await)).len(), 1);
    let event = world.audit().last().unwrap().clone();
    assert_eq!(event["kind"], "sign_out");
    assert!(event["reason"].as_str().unwrap().contains(&newest), "{event}");
}

#[actix_web::test]
async fn all_sessions_of_somebody_end_at_once() {
    let world = World::new().await;
    let (mut first, mut second, mut dev) =
        (Program::of(&world, "ana").await, Program::of(&world, "ana").await, Program::of(&world, "dev").await);
    assert_eq!(first.delete("/api/v1/sessions").await.status, 204);
    for ended in [&mut first, &mut second] {
        let answer = ended.get("/api/v1/me").await;
        problem(&answer, 401, "session_ended");
        assert!(answer.header("www-authenticate").contains("invalid_token"));
    }
    good(&dev.get("/api/v1/me").await);
}
