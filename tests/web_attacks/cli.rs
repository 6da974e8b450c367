//! A command line as the attacks play it: what it posts, and how a person answers for it in the browser.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use reqwest::{Client, redirect};
use rolegate::store::{Session, SessionId};
use serde_json::Value;
use url::Url;

use crate::world::{Answer, Browser, World, form};

pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CALLBACK: &str = "http://127.0.0.1:49152/callback";
const FORM: &str = "application/x-www-form-urlencoded";

/// A command line: a program without cookies.
pub(crate) struct Cli {
    http: Client,
    base: String,
}

impl Cli {
    pub(crate) fn new(world: &World) -> Self {
        let http = Client::builder().redirect(redirect::Policy::none()).no_proxy().build().unwrap();
        Self { http, base: world.base.clone() }
    }

    /// Posts a form, with headers; the status and the body, which is JSON or nothing.
    pub(crate) async fn post_with(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> (u16, Value) {
        let mut request = self.http.post(format!("{}{path}", self.base)).header("content-type", FORM).body(form(fields));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["cache-control"], "no-store", "{path}");
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        self.post_with(path, fields, &[]).await
    }

    pub(crate) async fn redeem(&self, code: &str, changed: &[(&str, &str)]) -> (u16, Value) {
        let honest = [
            ("grant_type", "authorization_code"),
            ("client_id", "rolegate-cli"),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
            ("code", code),
        ];
        let value = |name: &str, usual| changed.iter().find(|(changed, _)| *changed == name).map_or(usual, |(_, value)| *value);
        self.post("/oauth2/token", &honest.map(|(name, usual)| (name, value(name, usual)))).await
    }
}

pub(crate) fn challenge(verifier: &str) -> String {
    BASE64URL_NOPAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref())
}

/// The address that a command line opens, with some parameters changed, added, or, where they are empty, left out.
pub(crate) fn application(changed: &[(&str, &str)]) -> String {
    let challenge = challenge(VERIFIER);
    let mut fields = vec![
        ("response_type", "code"),
        ("client_id", "rolegate-cli"),
        ("redirect_uri", CALLBACK),
        ("state", "s & t"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
        ("device_name", "build-host"),
    ];
    fields.retain(|(name, _)| !changed.iter().any(|(changed, _)| changed == name));
    fields.extend(changed.iter().filter(|(_, value)| !value.is_empty()));
    format!("/oauth2/authorize?{}", form(&fields))
}

/// The hidden fields of the page's form that goes to an address.
pub(crate) fn hidden(page: &str, action: &str) -> Vec<(String, String)> {
    let (_, form) = page.split_once(&format!("action=\"{action}\"")).unwrap_or_else(|| panic!("no form to {action} in\n{page}"));
    let form = form.split_once("</form>").unwrap().0;
    let text = |escaped: &str| escaped.replace("&#38;", "&").replace("&#34;", "\"");
    let inputs = form.split("<input type=\"hidden\" name=\"").skip(1);
    let pair = |input: &str| {
        let (name, rest) = input.split_once("\" value=\"").unwrap();
        (name.to_owned(), text(rest.split_once('"').unwrap().0))
    };
    inputs.map(pair).collect()
}

/// Answers a page's question.
pub(crate) async fn decide(browser: &mut Browser, page: &Answer, action: &str, decision: &str) -> Answer {
    let mut fields = hidden(&page.body, action);
    fields.push(("decision".to_owned(), decision.to_owned()));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post(action, &fields).await
}

/// What stands in the query of a redirect to the command line.
pub(crate) fn told(answer: &Answer, name: &str) -> Option<String> {
    let url = Url::parse(answer.location()).unwrap_or_else(|_| panic!("{}: no way on in\n{}", answer.status, answer.body));
    assert!(url.as_str().starts_with(CALLBACK), "{url}");
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

/// A code that somebody let a command line have.
pub(crate) async fn code(browser: &mut Browser) -> String {
    let page = browser.get(&application(&[])).await;
    page.assert_page(200, "Let a command line act for you?");
    let answer = decide(browser, &page, "/oauth2/authorize", "allow").await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    told(&answer, "code").unwrap()
}

/// The living session of an access token.
pub(crate) async fn session(world: &World, token: &str) -> Option<Session> {
    world.site.gateway.session(&SessionId::parse_bearer(token).unwrap()).await.unwrap()
}

pub(crate) fn token(answer: &(u16, Value)) -> String {
    assert_eq!(answer.0, 200, "{}", answer.1);
    assert_eq!(answer.1["token_type"], "Bearer");
    answer.1["access_token"].as_str().unwrap().to_owned()
}

#[track_caller]
pub(crate) fn assert_error(answer: &(u16, Value), status: u16, error: &str) {
    assert_eq!((answer.0, answer.1["error"].as_str()), (status, Some(error)), "{}", answer.1);
    let description = answer.1["error_description"].as_str().unwrap();
    assert!(description.is_ascii() && !description.contains(['"', '\\']), "{description}");
}
