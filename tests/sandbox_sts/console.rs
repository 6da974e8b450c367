//! The federation endpoint and the console.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::world::{DEVELOPER, World, form, with, world};

async fn signin_token(world: &World, session: &Value, duration: Option<&str>) -> Result<String, u16> {
    let session = session.to_string();
    let pairs =
        [("Action", "getSigninToken"), ("Session", session.as_str())].into_iter().chain(duration.map(|text| ("SessionDuration", text)));
    let request = world.http.post(world.sandbox.signin.clone()).header("content-type", "application/x-www-form-urlencoded");
    let response = request.body(form(pairs)).send().await.unwrap();
    if response.status() != 200 {
        return Err(response.status().as_u16());
    }
    let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    Ok(answer["SigninToken"].as_str().unwrap().to_owned())
}

async fn enter(world: &World, token: &str, destination: &str) -> reqwest::Response {
    let mut url = world.sandbox.signin.clone();
    url.query_pairs_mut().extend_pairs([
        ("Action", "login"),
        ("Issuer", "http://127.0.0.1:8700/"),
        ("Destination", destination),
        ("SigninToken", token),
    ]);
    world.http.get(url).send().await.unwrap()
}

#[tokio::test]
async fn issued_credentials_open_the_console_once() {
    let world = world().await;
    let (id, key, token) = world.session().await;
    let session = json!({"sessionId": id, "sessionKey": key, "sessionToken": token});
    for name in ["sessionId", "sessionKey", "sessionToken"] {
        assert_eq!(signin_token(&world, &with(session.clone(), name, json!("wrong")), None).await, Err(400), "{name}");
        assert_eq!(signin_token(&world, &with(session.clone(), name, Value::Null), None).await, Err(400), "{name}");
    }
    for duration in ["899", "43201", "1h"] {
        assert_eq!(signin_token(&world, &session, Some(duration)).await, Err(400), "{duration}");
    }
    let signin = signin_token(&world, &session, Some("900")).await.unwrap();
    let console = world.sandbox.console.join("s3/home?region=eu-central-1&x=<b>").unwrap();
    let federation = world.sandbox.signin.as_str();
    for elsewhere in ["https://console.aws.amazon.com/", "//evil.example/", "/console/", "javascript:alert(1)", federation] {
        assert_eq!(enter(&world, &signin, elsewhere).await.status(), 400, "{elsewhere}");
    }
    let entered = enter(&world, &signin, console.as_str()).await;
    assert_eq!((entered.status().as_u16(), entered.headers()["location"].to_str().unwrap()), (302, console.as_str()));
    let cookie = entered.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("sandbox_console_session=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    assert_eq!(enter(&world, &signin, console.as_str()).await.status(), 400);

    let visit = async || world.http.get(console.clone()).header("cookie", &cookie).send().await.unwrap();
    let page = visit().await;
    assert_eq!(page.status(), 200);
    let html = page.text().await.unwrap();
    for shown in [
        "Sandbox: nothing here is real",
        DEVELOPER,
        "ana@example.com",
        "okta+ana",
        "CC-100",
        &id,
        "s3/home?region=eu-central-1",
        "2027-01-15 08:15:00",
    ] {
        assert!(html.contains(shown), "{shown}");
    }
    assert!(!html.contains(&key) && !html.contains(&token));
    world.clock.advance(TimeDelta::seconds(900));
    assert_eq!(visit().await.status(), 401);
    world.sandbox.stop().await;
}

#[tokio::test]
async fn a_sign_in_url_lives_fifteen_minutes_and_sign_out_ends_the_console() {
    let world = world().await;
    let (id, key, token) = world.session().await;
    let session = json!({"sessionId": id, "sessionKey": key, "sessionToken": token});
    let console = world.sandbox.console.clone();
    let late = signin_token(&world, &session, None).await.unwrap();
    world.clock.advance(TimeDelta::seconds(900));
    assert_eq!(enter(&world, &late, console.as_str()).await.status(), 400);

    let signin = signin_token(&world, &session, None).await.unwrap();
    let entered = enter(&world, &signin, console.as_str()).await;
    let cookie = entered.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let visit = async || world.http.get(console.clone()).header("cookie", &cookie).send().await.unwrap().status().as_u16();
    let leave = async |origin: &'static str| {
        let request = world.http.post(console.join("/console/sign-out").unwrap()).header("cookie", &cookie).header("origin", origin);
        request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap().status().as_u16()
    };
    assert_eq!(visit().await, 200);
    assert_eq!(leave("http://127.0.0.1:8700").await, 400);
    assert_eq!(visit().await, 200);
    let own: &'static str = world.sandbox.sts.as_str().trim_end_matches('/').to_owned().leak();
    assert_eq!(leave(own).await, 200);
    assert_eq!(visit().await, 401);

    world.clock.advance(TimeDelta::seconds(2700));
    assert_eq!(signin_token(&world, &session, None).await, Err(400));
    world.sandbox.stop().await;
}
