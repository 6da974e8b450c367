//! The OpenAPI document against what runs: every operation of one is in the other, and every answer is as its schema says.

use std::collections::BTreeSet;

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Program, good};
use crate::world::{ADMIN, Answer, World};

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

async fn document(world: &World) -> Value {
    good(&Program::nobody(world).get("/api/v1/openapi.json").await)
}

fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, operations): (&String, &Value)| {
        operations.as_object().unwrap().keys().map(|method| (path.clone(), method.to_uppercase())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).collect()
}

#[actix_web::test]
async fn every_route_is_in_the_document_and_the_other_way_round() {
    let world = World::new().await;
    let document = document(&world).await;
    assert_eq!(document["openapi"], "3.1.1");
    let listed = operations(&document);
    // The manual's list, written by hand: what is missing from both routes and document would be missed by nobody.
    let manual = include_str!("../../docs/api.md");
    let in_manual: BTreeSet<(String, String)> = manual
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next()?.split_once(' '))
        .filter(|(_, path)| path.starts_with("/api/"))
        .map(|(method, path)| (path.split('?').next().unwrap_or(path).to_owned(), method.to_owned()))
        .collect();
    assert_eq!(listed, in_manual, "the document's operations, and those of docs/api.md");
    let mut program = Program::nobody(&world);
    for path in listed.iter().map(|(path, _)| path).collect::<BTreeSet<_>>() {
        for method in METHODS {
            let answer = program.send(method.parse().unwrap(), &path.replace("{id}", "x"), None).await;
            let is_listed = listed.contains(&(path.clone(), method.to_owned()));
            assert_ne!(answer.status, 404, "{method} {path}");
            assert_eq!(answer.status != 405, is_listed, "{method} {path}: {}", answer.status);
            if !is_listed {
                let allowed: BTreeSet<_> = answer.header("allow").split(", ").map(str::to_owned).collect();
                let expected: BTreeSet<_> = listed.iter().filter(|(known, _)| known == path).map(|(_, method)| method.clone()).collect();
                assert_eq!(allowed, expected, "{path}");
            }
        }
    }
    let ids = document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let names: BTreeSet<_> = ids.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.len(), listed.len(), "operation ids differ");
}

/// The schema of an operation's answer, with the definitions that it refers to.
fn validator(document: &Value, path: &str, method: &str, status: u16) -> Validator {
    let response = &document["paths"][path][method]["responses"][status.to_string()];
    assert!(response.is_object(), "{method} {path} {status} is not in the document");
    let kind = if status < 400 { "application/json" } else { "application/problem+json" };
    let schema = json!({ "allOf": [response["content"][kind]["schema"]], "components": document["components"] });
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema).unwrap()
}

#[actix_web::test]
async fn every_answer_is_as_the_document_says() {
    let world = World::new().await;
    let document = document(&world).await;
    let (mut ana, mut nobody) = (Program::of(&world, "ana").await, Program::nobody(&world));
    let other = "arn:aws:iam::111122223333:role/Other";
    let explain = |role: &str| format!("/api/v1/explain?role={role}");
    let answers: Vec<(&str, &str, Answer)> = vec![
        ("/api/v1/me", "get", ana.get("/api/v1/me").await),
        ("/api/v1/me", "get", nobody.get("/api/v1/me").await),
        ("/api/v1/roles", "get", ana.get("/api/v1/roles").await),
        ("/api/v1/explain", "get", ana.get(&explain(ADMIN)).await),
        ("/api/v1/explain", "get", ana.get(&explain(other)).await),
        ("/api/v1/explain", "get", ana.get(&explain("x")).await),
        ("/api/v1/credentials", "post", ana.post("/api/v1/credentials", &json!({ "role": ADMIN })).await),
        ("/api/v1/credentials", "post", ana.post("/api/v1/credentials", &json!({ "role": other })).await),
        ("/api/v1/credentials", "post", ana.post("/api/v1/credentials", &json!({ "role": ADMIN, "duration_seconds": 1 })).await),
        ("/api/v1/console", "post", ana.post("/api/v1/console", &json!({ "role": ADMIN })).await),
        ("/api/v1/sessions", "get", ana.get("/api/v1/sessions").await),
        ("/api/v1/sessions/{id}", "delete", ana.delete("/api/v1/sessions/x").await),
        ("/api/v1/openapi.json", "get", nobody.get("/api/v1/openapi.json").await),
    ];
    for (path, method, answer) in answers {
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let wrong: Vec<_> =
            validator(&document, path, method, answer.status.as_u16()).iter_errors(&body).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{method} {path} {}: {wrong:?}\n{body}", answer.status);
    }
    // A validator that takes everything would pass, too.
    assert!(!validator(&document, "/api/v1/me", "get", 200).is_valid(&json!({})));
    assert!(!validator(&document, "/api/v1/me", "get", 401).is_valid(&json!({ "code": "nonsense" })));
    let gone = Method::DELETE;
    assert_eq!(ana.send(gone, "/api/v1/sessions", None).await.status, 204);
}
