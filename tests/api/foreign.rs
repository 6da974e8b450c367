//! The API before tools of other people's making, which know of it only what its document says.

use crate::client::{Program, problem};
use crate::support::python;
use crate::world::World;

/// How long the requests go on, in seconds. One that is cut short has shown less, and nothing wrong.
const SECONDS: &str = "60";

#[actix_web::test]
async fn schemathesis_finds_no_answer_that_the_document_does_not_tell_of() {
    let world = World::new().await;
    let mut ana = Program::of(&world, "ana").await;
    let document = format!("{}/api/v1/openapi.json", world.base);
    let told = python("tests/counterparts/check_api.py", &[&document, &ana.token, SECONDS]).await.or_fail();
    assert!(world.issued() > 0, "the examples of the document are good: some requests must have brought credentials\n{told}");
    problem(&ana.get("/api/v1/me").await, 401, "session_ended");
}
