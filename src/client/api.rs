//! The gateway's HTTP interface as the command line uses it: the JSON API, and the token endpoint of its OAuth face (`oauth`).

mod answers;
mod problem;

use std::io::Read;
use std::time::Duration;

use reqwest::blocking::{Client, ClientBuilder, Response};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, StatusCode, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::{Url, form_urlencoded};

pub(super) use answers::{ConsoleAnswer, Credentials, CredentialsAnswer, Me, Role, RoleList};
pub(super) use problem::Refusal;

use super::gateway_url::GatewayUrl;
use super::keeper::Token;
use super::target::Target;
use super::trouble::{Kind, Trouble};
use crate::aws::Mender;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take: behind one for credentials stands AWS.
const ANSWER: Duration = Duration::from_mins(1);
/// The most that is read of an answer, in bytes: the roles of a very large organisation.
const LARGEST: u64 = 16 * 1024 * 1024;

/// A gateway that can be asked.
pub(super) struct Api {
    gateway: GatewayUrl,
    client: Client,
}

/// What is asked for: `POST /api/v1/credentials` and `POST /api/v1/console`.
#[derive(Debug, Serialize)]
pub(super) struct Asked {
    pub(super) role: Target,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mfa_code: Option<String>,
    /// Whether this is an emergency.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) break_glass: bool,
    /// Where in the console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) destination: Option<String>,
}

/// An answer whose body was read.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<u64>,
    pub(super) body: Vec<u8>,
}

impl Api {
    pub(super) fn new(gateway: &GatewayUrl) -> Result<Self, Trouble> {
        Self::with_patience(gateway, ANSWER)
    }

    fn with_patience(gateway: &GatewayUrl, answer: Duration) -> Result<Self, Trouble> {
        let agent = concat!("rolegate/", env!("CARGO_PKG_VERSION"));
        // A redirect would carry a token, or what it is exchanged for, to another address.
        let mut builder = reqwest::Client::builder().user_agent(agent).connect_timeout(CONNECT).redirect(redirect::Policy::none());
        if gateway.is_loopback() {
            builder = builder.no_proxy();
        }
        // The blocking client counts each read anew, and a byte now and then would hold it for ever: the one inside counts from the first to the
        // last.
        let client = ClientBuilder::from(builder.timeout(answer)).timeout(answer).build().map_err(|error| {
            Trouble::yours(
                Kind::Other,
                format!("TLS cannot be set up: {}.", innermost(&error)),
                "see to it that the system has a list of certificate authorities",
            )
        })?;
        Ok(Self { gateway: gateway.clone(), client })
    }

    pub(super) fn gateway(&self) -> &GatewayUrl {
        &self.gateway
    }

    pub(super) fn me(&self, token: &Token) -> Result<Me, Refusal> {
        self.json(Method::GET, "/api/v1/me", token, None)
    }

    pub(super) fn roles(&self, token: &Token) -> Result<RoleList, Refusal> {
        self.json(Method::GET, "/api/v1/roles", token, None)
    }

    pub(super) fn credentials(&self, token: &Token, asked: &Asked) -> Result<CredentialsAnswer, Refusal> {
        self.json(Method::POST, "/api/v1/credentials", token, Some(asked))
    }

    pub(super) fn console(&self, token: &Token, asked: &Asked) -> Result<ConsoleAnswer, Refusal> {
        self.json(Method::POST, "/api/v1/console", token, Some(asked))
    }

    /// Sends a form without a token, as OAuth's endpoints want it.
    pub(super) fn form(&self, url: Url, fields: &[(&str, &str)]) -> Result<Answer, Trouble> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        self.read(request.header(ACCEPT, "application/json").send())
    }

    /// Gets a document that needs no token.
    pub(super) fn document(&self, path: &str) -> Result<Answer, Trouble> {
        self.read(self.client.get(self.gateway.at(path)).header(ACCEPT, "application/json").send())
    }

    fn json<T: DeserializeOwned>(&self, method: Method, path: &str, token: &Token, body: Option<&Asked>) -> Result<T, Refusal> {
        let Ok(mut bearer) = HeaderValue::try_from(format!("Bearer {}", token.expose())) else { return Err(self.odd("a token").into()) };
        bearer.set_sensitive(true);
        let mut request =
            self.client.request(method, self.gateway.at(path)).header(AUTHORIZATION, bearer).header(ACCEPT, "application/json");
        if let Some(body) = body {
            let body = serde_json::to_vec(body).map_err(|_| self.odd("a request"))?;
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let answer = self.read(request.send())?;
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body).map_err(|_| self.odd("an answer").into());
        }
        Err(problem::refusal(&self.gateway, &answer))
    }

    fn read(&self, response: reqwest::Result<Response>) -> Result<Answer, Trouble> {
        let response = response.map_err(|error| self.unreachable(&innermost(&error)))?;
        let status = response.status();
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        response.take(LARGEST).read_to_end(&mut body).map_err(|error| self.unreachable(&innermost(&error)))?;
        Ok(Answer { status, retry_after, body })
    }

    fn unreachable(&self, why: &str) -> Trouble {
        let happened = format!("The gateway {} cannot be reached: {why}.", self.gateway);
        Trouble::yours(
            Kind::Unavailable,
            happened,
            "check the address and the network; if others cannot reach it either, tell its administrator",
        )
    }

    /// An answer that is none of a gateway's.
    pub(super) fn odd(&self, what: &str) -> Trouble {
        let happened = format!("{} gave {what} that this version of the command line does not understand.", self.gateway);
        let advice = "check that a Rolegate gateway is at this address, and that it is as new as the command line";
        Trouble::new(Kind::Other, Mender::GatewayAdministrator, happened, advice)
    }
}

/// The cause at the end of the chain: what comes before only says that sending failed. Addresses are left out: what was asked for may be in them.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;

    #[test]
    fn an_answer_that_comes_drop_by_drop_is_not_waited_for() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let gateway = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").unwrap();
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let begun = Instant::now();
        let api = Api::with_patience(&gateway, Duration::from_secs(1)).unwrap();
        let Err(trouble) = api.document("/") else { panic!("an answer that was not complete") };
        assert_eq!(trouble.kind, Kind::Unavailable, "{trouble}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }
}
