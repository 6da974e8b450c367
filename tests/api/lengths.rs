//! How long a role's sessions may last is learnt from AWS's refusals, and offered.

use serde_json::{Value, json};

use crate::client::{Program, good, problem};
use crate::world::{ADMIN, Browser, READER, World};

fn whole_days(config: &str) -> String {
    assert!(config.contains("max_session = \"2h\""));
    config.replace("max_session = \"2h\"", "max_session = \"12h\"")
}

async fn offered(program: &mut Program, role: &str) -> Value {
    let roles = good(&program.get("/api/v1/roles").await);
    roles["roles"].as_array().unwrap().iter().find(|known| known["arn"] == role).unwrap()["max_session_seconds"].clone()
}

async fn ask(program: &mut Program, hours: u64) -> Result<Value, String> {
    let answer = program.post("/api/v1/credentials", &json!({ "role": ADMIN, "duration_seconds": hours * 3600 })).await;
    if answer.status == 200 {
        return Ok(good(&answer)["expiration"].clone());
    }
    Err(problem(&answer, 502, "aws_refused")["detail"].as_str().unwrap().to_owned())
}

/// The sandbox's roles allow four hours, and its STS says no as AWS does.
#[actix_web::test]
async fn a_roles_own_limit_is_learnt_offered_and_forgotten_after_a_day() {
    let world = World::with(|config| whole_days(&config)).await;
    let (mut ana, mut dev) = (Program::of(&world, "ana").await, Program::of(&world, "dev").await);
    assert_eq!(offered(&mut ana, ADMIN).await, 43_200);
    let told = ask(&mut ana, 12).await.unwrap_err();
    assert!(told.contains("8 hours or less"), "{told}");
    assert_eq!(offered(&mut ana, ADMIN).await, 28_800);
    assert!(ask(&mut ana, 8).await.unwrap_err().contains("4 hours or less"));
    assert_eq!(offered(&mut ana, ADMIN).await, 14_400);
    assert_eq!(ask(&mut ana, 4).await.unwrap(), "2027-01-15T12:00:00Z");
    assert_eq!(offered(&mut ana, ADMIN).await, 14_400);
    // The page offers the same, and who says nothing gets an hour as ever.
    let page = Browser::signed_in(&world, "ana").await.get("/").await;
    assert!(page.body.contains("value=14400>") && !page.body.contains("value=28800"), "{}", page.body);
    assert_eq!(good(&ana.post("/api/v1/credentials", &json!({ "role": ADMIN })).await)["expiration"], "2027-01-15T09:00:00Z");
    // More than is offered can be asked for: AWS may allow it by now. Here it does not.
    assert!(ask(&mut ana, 12).await.unwrap_err().contains("4 hours or less"));
    let failed = world.audit().into_iter().filter(|event| event["outcome"] == "failed").count();
    assert_eq!(failed, 3, "each refusal is in the trail");
    assert_eq!(offered(&mut dev, READER).await, 3600, "another role has its own");
    let answer = ana.post("/api/v1/credentials", &json!({ "role": ADMIN, "duration_seconds": 43_201 })).await;
    problem(&answer, 422, "duration_not_allowed");

    world.advance(24 * 3600);
    let mut ana = Program::of(&world, "ana").await;
    assert_eq!(offered(&mut ana, ADMIN).await, 43_200);
}
