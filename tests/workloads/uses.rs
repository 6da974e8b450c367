//! How often a token serves, and how often a workload may ask.

use serde_json::json;

use crate::platform::{Platform, RSA, changed, good, problem};
use crate::world::READER;

#[actix_web::test]
async fn w12_a_token_serves_as_often_as_it_may_and_no_more() {
    let platform = Platform::new().await;
    let token = platform.token(&json!({}));
    good(&platform.ask_role(&token).await);
    // A refusal by the rules is a use, too: nobody tries roles without end.
    problem(&platform.ask(&token, &json!({ "role": "arn:aws:iam::111122223333:role/Other" })).await, 403, "not_granted");
    good(&platform.ask_role(&token).await);
    let issued = platform.world.issued();
    for _ in 0..3 {
        let detail = problem(&platform.ask_role(&token).await, 401, "token_refused");
        assert!(detail.contains("as often as it may be"), "{detail}");
    }
    let event = platform.world.audit().last().unwrap().clone();
    assert_eq!((&event["outcome"], &event["token_id"]), (&json!("refused"), &json!("jti:run-1")), "a replay is recorded: {event}");
    assert!(event["reason"].as_str().unwrap().contains("3 times"), "{event}");
    assert_eq!(platform.world.issued(), issued);
    // Its like with another id is another token; the same id of another workload is, too.
    good(&platform.ask_role(&platform.token(&json!({ "jti": "run-2" }))).await);
    good(&platform.ask_role(&platform.token(&json!({ "sub": "repo:example/web:environment:staging" }))).await);
}

#[actix_web::test]
async fn w12_of_many_uses_at_once_no_more_count_than_may() {
    let platform = Platform::new().await;
    let token = platform.token(&json!({ "jti": null }));
    let answers = futures(&platform, &token, 20).await;
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 3, "{answers:?}");
    assert_eq!(platform.world.issued(), 3);
    let event = platform.world.audit().last().unwrap().clone();
    assert!(event["token_id"].as_str().unwrap().starts_with("sha256:"), "without an id it is known by its digest: {event}");
    // The same words signed anew are the same token: what is signed counts, not how.
    let again = RSA.sign(&changed(platform.claims(), &json!({ "jti": null })));
    problem(&platform.ask_role(&again).await, 401, "token_refused");
}

/// So many requests at the same time; their statuses.
async fn futures(platform: &Platform, token: &str, number: usize) -> Vec<u16> {
    let tasks: Vec<_> = (0..number)
        .map(|_| {
            let (url, token) = (format!("{}/api/v1/credentials", platform.world.base), token.to_owned());
            actix_web::rt::spawn(async move {
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                let request =
                    client.post(url).header("authorization", format!("Bearer {token}")).header("content-type", "application/json");
                request.body(json!({ "role": READER }).to_string()).send().await.unwrap().status().as_u16()
            })
        })
        .collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    statuses
}

#[actix_web::test]
async fn w12_where_uses_cannot_be_counted_nothing_is_issued() {
    let seal = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(seal.path(), "5".repeat(64)).unwrap();
    // Nobody listens at this port, so whatever touches the store fails.
    let store = format!("[store]\nurl = \"redis://127.0.0.1:9\"\nseal_keys = [{{ file = \"{}\" }}]\n[audit]", seal.path().display());
    let platform = Platform::with("", |config| config.replace("[audit]", &store)).await;
    problem(&platform.ask_role(&platform.token(&json!({}))).await, 503, "unavailable");
    assert_eq!(platform.world.issued(), 0);
    let event = platform.world.audit().last().unwrap().clone();
    assert_eq!((&event["outcome"], &event["token_id"]), (&json!("failed"), &json!("jti:run-1")));
}

#[actix_web::test]
async fn w09_a_workload_that_asks_too_often_waits_and_others_do_not() {
    let limited = |config: String| config.replace("workers = 1", "workers = 1\nworkload_rate = 1\nworkload_burst = 2");
    let platform = Platform::with("", limited).await;
    let token = |run: u32, sub: &str| platform.token(&json!({ "jti": format!("run-{run}"), "sub": sub }));
    for run in 0..2 {
        good(&platform.ask_role(&token(run, "one")).await);
    }
    let answer = platform.ask_role(&token(3, "one")).await;
    problem(&answer, 429, "too_many_requests");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    good(&platform.ask_role(&token(4, "another")).await);
    // And an address that sends what nobody believes is counted before anything is verified.
    let limited = |config: String| config.replace("workers = 1", "workers = 1\nsign_in_rate = 1\nsign_in_burst = 3");
    let platform = Platform::with("", limited).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(platform.ask_role("a.b.c").await.status.as_u16());
    }
    assert_eq!(statuses[..3], [401, 401, 401]);
    assert_eq!(statuses[4], 429, "{statuses:?}");
}
