//! What goes wrong, as problem documents.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::client::{Program, problem};
use crate::world::{ADMIN, Browser, FORWARDED, READER, World};

#[actix_web::test]
async fn nobody_gets_nothing() {
    let world = World::new().await;
    let mut nobody = Program::nobody(&world);
    for (method, path) in [
        (Method::GET, "/api/v1/me"),
        (Method::GET, "/api/v1/roles"),
        (Method::GET, "/api/v1/explain?role=arn:aws:iam::111122223333:role/x"),
        (Method::POST, "/api/v1/credentials"),
        (Method::POST, "/api/v1/console"),
        (Method::GET, "/api/v1/sessions"),
        (Method::DELETE, "/api/v1/sessions"),
        (Method::DELETE, "/api/v1/sessions/x"),
    ] {
        let body = (method == Method::POST).then(|| json!({ "role": ADMIN }));
        let answer = nobody.send(method.clone(), path, body.as_ref()).await;
        problem(&answer, 401, "not_signed_in");
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"rolegate\"", "{path}");
        let mut ended = Program::nobody(&world);
        ended.token = format!("rgs_{}", "A".repeat(43));
        problem(&ended.send(method, path, body.as_ref()).await, 401, "session_ended");
    }
    assert_eq!(world.issued(), 0);
}

#[actix_web::test]
async fn w02_w09_odd_requests_to_the_api_are_refused_as_problems_and_reflect_nothing() {
    let world = World::new().await;
    let mut ana = Program::of(&world, "ana").await;
    for path in ["/api", "/api/", "/api/v1", "/api/v1/nowhere", "/api/v2/me", "/api/v1/me/", "/api/v1/sessions/a/b"] {
        problem(&ana.get(path).await, 404, "not_found");
    }
    for (path, allowed) in [("/api/v1/me", "GET"), ("/api/v1/credentials", "POST"), ("/api/v1/sessions", "GET, DELETE")] {
        for method in ["PUT", "PATCH", "OPTIONS", "TRACE", "PROPFIND"] {
            let answer = ana.send(method.parse().unwrap(), path, None).await;
            problem(&answer, 405, "method_not_allowed");
            assert_eq!(answer.header("allow"), allowed, "{method} {path}");
        }
    }
    for path in ["/api/v1/me", "/api/v1/credentials", "/api/v1/nowhere"] {
        let answer = ana.send(Method::HEAD, path, None).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (if path.ends_with("nowhere") { 404 } else { 405 }, ""), "{path}");
    }
    problem(&ana.post("/api/v1/credentials", &json!({ "role": ADMIN, "reason": "x".repeat(70_000) })).await, 413, "request_too_large");
    let deep = "[".repeat(30_000);
    let body = format!(r#"{{"role":"{ADMIN}","reason":{deep}"#);
    let request = Browser::new(&world).request(Method::POST, "/api/v1/credentials").header("content-type", "application/json").body(body);
    problem(&Browser::new(&world).send(request.header("authorization", format!("Bearer {}", ana.token))).await, 400, "invalid_request");
    let browser = Browser::new(&world);
    for (content_type, body, status, code, words) in [
        ("application/x-www-form-urlencoded", "role=x", 415, "unsupported_media_type", "application/json"),
        ("", "{}", 415, "unsupported_media_type", "application/json"),
        ("application/json", "", 400, "invalid_request", "no JSON"),
        ("application/json", "{", 400, "invalid_request", "no JSON"),
        ("application/json", "[]", 400, "invalid_request", ""),
        ("application/json", "{}", 400, "invalid_request", "missing field `role`"),
        ("application/json", r#"{"role":1}"#, 400, "invalid_request", "not of its type"),
        ("application/json", r#"{"role":"canary-text"}"#, 400, "invalid_request", "not of its type"),
        ("application/json", r#"{"role":"a","role":"b"}"#, 400, "invalid_request", ""),
        (
            "application/json",
            r#"{"role":"arn:aws:iam::111122223333:role/x","role":"arn:aws:iam::111122223333:role/x"}"#,
            400,
            "invalid_request",
            "duplicate field",
        ),
        ("application/json", r#"{"duration":900}"#, 400, "invalid_request", "unknown field `duration`"),
        (
            "application/json",
            r#"{"role":"arn:aws:iam::111122223333:role/x","duration_seconds":-1}"#,
            400,
            "invalid_request",
            "not of its type",
        ),
        ("application/json", "\u{feff}{}", 400, "invalid_request", "no JSON"),
    ] {
        let mut request = browser.request(Method::POST, "/api/v1/credentials").header("authorization", format!("Bearer {}", ana.token));
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        let answer = browser.clone().send(request.body(body)).await;
        let problem = problem(&answer, status, code);
        assert!(problem["detail"].as_str().unwrap().contains(words), "{body}: {problem}");
        assert!(!answer.body.contains("canary"), "no value is repeated: {problem}");
    }
    assert_eq!(world.issued(), 0);
}

#[actix_web::test]
async fn w09_a_body_in_chunks_without_end_is_read_no_further_than_the_limit() {
    let world = World::new().await;
    let ana = Program::of(&world, "ana").await;
    let address = world.base.trim_start_matches("http://").to_owned();
    for token in [ana.token.as_str(), "a.b.c", ""] {
        let head = format!(
            "POST /api/v1/credentials HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             transfer-encoding: chunked\r\n\r\n1\r\n{{\r\n"
        );
        let address = address.clone();
        let talk = move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
            // A little more than the limit, and never an end.
            stream.write_all(chunk.repeat(20).as_bytes()).unwrap();
            let (begun, mut answer) = (Instant::now(), Vec::new());
            stream.read_to_end(&mut answer).unwrap();
            (begun.elapsed(), String::from_utf8_lossy(&answer).into_owned())
        };
        let (took, answer) = actix_web::rt::task::spawn_blocking(talk).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("request_too_large"), "{token}: {answer}");
        assert!(took < Duration::from_secs(9), "{token}: the connection was kept for {took:?}");
    }
    assert_eq!(world.issued(), 0);
}

const ON_REQUEST: &str = "arn:aws:iam::111122223333:role/Deployer";

#[actix_web::test]
async fn a05_what_the_rules_refuse_is_refused_by_its_reason_and_recorded() {
    let reason = "reason = { pattern = 'OPS-[0-9]+', hint = \"the ticket\" }";
    let rule = |id: &str, key: &str| format!("id = \"{id}\"\n{key}\n");
    let world = World::with(|config| {
        config
            .replace("id = \"admins\"\n", &rule("admins", reason))
            .replace("id = \"readers\"\n", &rule("readers", "max_auth_age = \"5m\"\npurposes = [\"credentials\"]"))
            + "[[rule]]\nid = \"on-request\"\ngroups = [\"developers\"]\naccounts = [\"*\"]\nroles = [\"Deployer\"]\nrequestable = { approvers = [\"leads\"] }\n"
            + "[[rule]]\nid = \"emergency\"\ngroups = [\"developers\"]\naccounts = [\"*\"]\nroles = [\"Rescuer\"]\nbreak_glass = true\n"
    })
    .await;
    let mut ana = Program::of(&world, "ana").await;
    let ask = |role: &str| json!({ "role": role });
    for (path, body, status, code, words) in [
        ("credentials", json!({ "role": ADMIN }), 422, "reason_needed", "the ticket"),
        ("credentials", json!({ "role": ADMIN, "reason": "because" }), 422, "reason_needed", "the ticket"),
        (
            "credentials",
            json!({ "role": ADMIN, "reason": "OPS-1", "duration_seconds": 899 }),
            422,
            "duration_not_allowed",
            "15 minutes to 2h",
        ),
        (
            "credentials",
            json!({ "role": ADMIN, "reason": "OPS-1", "duration_seconds": 7201 }),
            422,
            "duration_not_allowed",
            "15 minutes to 2h",
        ),
        ("credentials", ask("arn:aws:iam::111122223333:role/Other"), 403, "not_granted", "No rule gives you"),
        ("credentials", ask("arn:aws:iam::999999999999:role/PlatformAdmin"), 403, "not_granted", "No rule gives you"),
        ("console", ask(READER), 403, "not_granted", "not enter the console"),
    ] {
        let events = world.audit().len();
        let problem = problem(&ana.post(&format!("/api/v1/{path}"), &body).await, status, code);
        assert!(problem["detail"].as_str().unwrap().contains(words), "{problem}");
        assert!(problem.get("sign_in_url").is_none());
        let event = world.audit().last().unwrap().clone();
        assert_eq!((world.audit().len(), &event["outcome"], &event["incident"]), (events + 1, &json!("refused"), &problem["incident"]));
    }
    assert_eq!(ana.post("/api/v1/credentials", &ask(READER)).await.status, 200);
    // A role that is had on request: where one asks for it.
    let needed = problem(&ana.post("/api/v1/credentials", &ask(ON_REQUEST)).await, 403, "request_needed");
    assert_eq!(needed["request_url"], format!("{}/go?account=111122223333&role=Deployer", world.base));
    // What is for emergencies: who does not say that this is one gets nothing, whatever else is said.
    let rescuer = "arn:aws:iam::111122223333:role/Rescuer";
    for path in ["credentials", "console"] {
        let body = json!({ "role": rescuer, "reason": "the site is down" });
        let needed = problem(&ana.post(&format!("/api/v1/{path}"), &body).await, 403, "break_glass_needed");
        assert!(needed["detail"].as_str().unwrap().contains("in an emergency"), "{needed}");
    }
    let silent = json!({ "role": rescuer, "break_glass": true });
    problem(&ana.post("/api/v1/credentials", &silent).await, 422, "reason_needed");
    assert_eq!(world.issued(), 1);
    let said = json!({ "role": rescuer, "break_glass": true, "reason": "the site is down" });
    // The rules let it pass, and the sandbox has no such role.
    problem(&ana.post("/api/v1/credentials", &said).await, 502, "aws_refused");
    assert_eq!(world.audit().last().unwrap()["break_glass"], true);
    world.advance(600);
    let stale = problem(&ana.post("/api/v1/credentials", &ask(READER)).await, 403, "fresh_sign_in_needed");
    assert_eq!(stale["sign_in_url"], format!("{}/go?account=111122223333&role=ReadOnly", world.base));
    assert_eq!(world.issued(), 1);
}

#[actix_web::test]
async fn a_token_too_old_to_be_passed_on_leads_to_the_provider() {
    let world = World::new().await;
    let mut ana = Program::of(&world, "ana").await;
    assert_eq!(ana.post("/api/v1/credentials", &json!({ "role": FORWARDED })).await.status, 200);
    world.advance(3000);
    ana.get("/api/v1/me").await;
    world.advance(3000);
    let stale = problem(&ana.post("/api/v1/credentials", &json!({ "role": FORWARDED })).await, 403, "fresh_sign_in_needed");
    let url = format!("{}/login/sandbox?next=%2Fgo%3Faccount%3D111122223333%26role%3DForwarded", world.base);
    assert_eq!(stale["sign_in_url"], url);
}

#[actix_web::test]
async fn what_aws_refuses_is_told_in_its_sentence_and_what_may_pass_says_when() {
    let unknown = "[[rule]]\nid = \"unknown\"\ngroups = [\"developers\"]\naccounts = [\"*\"]\nroles = [\"NotThere\"]\n";
    let world = World::with(|config| config + unknown).await;
    let mut dev = Program::of(&world, "dev").await;
    let refused = dev.post("/api/v1/credentials", &json!({ "role": "arn:aws:iam::111122223333:role/NotThere" })).await;
    let refused = problem(&refused, 502, "aws_refused");
    assert!(refused["detail"].as_str().unwrap().contains("trust policy"), "{refused}");

    let config = |config: String| {
        let at = config.find("sts_endpoint = \"").unwrap() + "sts_endpoint = \"".len();
        let end = config[at..].find('"').unwrap() + at;
        format!("{}http://127.0.0.1:9{}", &config[..at], &config[end..])
    };
    let world = World::with(config).await;
    let mut dev = Program::of(&world, "dev").await;
    let answer = dev.post("/api/v1/credentials", &json!({ "role": READER })).await;
    problem(&answer, 503, "aws_unavailable");
    assert_eq!(answer.header("retry-after"), "5");
}

#[actix_web::test]
async fn without_a_store_nobody_is_anybody() {
    let seal = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(seal.path(), "5".repeat(64)).unwrap();
    // Nobody listens at this port, so whatever touches the store fails.
    let store = format!("[store]\nurl = \"redis://127.0.0.1:9\"\nseal_keys = [{{ file = \"{}\" }}]\n[audit]", seal.path().display());
    let world = World::with(|config| config.replace("[audit]", &store)).await;
    let mut program = Program::nobody(&world);
    program.token = format!("rgs_{}", "A".repeat(43));
    let answer = program.get("/api/v1/me").await;
    let problem = problem(&answer, 503, "unavailable");
    assert_eq!(answer.header("retry-after"), "5");
    assert!(problem["incident"].as_str().is_some_and(|incident| incident.len() == 10), "{problem}");
}

#[actix_web::test]
async fn w09_a_program_that_takes_too_much_for_its_person_is_told_when_to_come_back() {
    let limited = |config: String| config.replace("workers = 1", "workers = 1\nperson_rate = 1\nperson_burst = 1");
    let world = World::with(limited).await;
    let mut program = Program::of(&world, "ana").await;
    for path in ["/api/v1/credentials", "/api/v1/console"] {
        let mut tries = 0;
        let refused = loop {
            let answer = program.post(path, &json!({ "role": ADMIN })).await;
            tries += 1;
            if answer.status == 429 {
                break answer;
            }
            assert!(answer.status == 200 && tries < 20, "{path}: {} {}", answer.status, answer.body);
        };
        assert!(problem(&refused, 429, "too_many_requests")["detail"].as_str().unwrap().starts_with("Wait "));
        assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    }
}
