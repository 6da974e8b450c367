//! A program with the token of somebody's session.

use std::time::Duration;

use reqwest::Method;
use rolegate::store::{DeviceName, Session, SessionId, SessionKind};
use serde_json::Value;

use crate::world::{Answer, Browser, World};

#[derive(Clone)]
pub(crate) struct Program {
    browser: Browser,
    pub(crate) token: String,
}

impl Program {
    /// A program that somebody let in, and whose browser is closed: how that goes is tested with the command line.
    pub(crate) async fn of(world: &World, person: &str) -> Self {
        let gateway = &world.site.gateway;
        let browser = Browser::signed_in(world, person).await;
        let own = SessionId::parse(browser.session()).unwrap();
        let session = gateway.session(&own).await.unwrap().unwrap();
        gateway.vault.close_session(&own, &session.identity).await.unwrap();
        let kind = SessionKind::CommandLine { name: DeviceName::clean("build-host") };
        let id = gateway.vault.open_session(&Session { kind, ..session }, Duration::from_hours(1)).await.unwrap();
        Self { browser: Browser::new(world), token: id.expose_bearer() }
    }

    /// The same program, at another gateway.
    pub(crate) fn at(&self, world: &World) -> Self {
        Self { browser: Browser::new(world), token: self.token.clone() }
    }

    /// A program that shows nothing.
    pub(crate) fn nobody(world: &World) -> Self {
        Self { browser: Browser::new(world), token: String::new() }
    }

    pub(crate) async fn send(&mut self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.browser.request(method, path);
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        self.browser.send(request).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn delete(&mut self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }
}

/// A good answer's body.
#[track_caller]
pub(crate) fn good(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    serde_json::from_str(&answer.body).unwrap()
}

/// A problem of that status and code.
#[track_caller]
pub(crate) fn problem(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let problem: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((problem["code"].as_str(), problem["status"].as_u64()), (Some(code), Some(status.into())), "{problem}");
    assert_eq!(problem["type"], format!("urn:rolegate:problem:{code}"));
    for member in ["title", "detail"] {
        assert!(!problem[member].as_str().unwrap().is_empty(), "{problem}");
    }
    problem
}
