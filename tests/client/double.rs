//! A double of the gateway's API and OAuth face: it has what the tests put into it and checks what a client must send. It is no gateway.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{SecondsFormat, TimeDelta};
use data_encoding::BASE64URL_NOPAD;
use rolegate::clock::{Clock, SystemClock};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

/// What the double has, and what it was asked.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Sessions that live, by token.
    pub(crate) sessions: Vec<String>,
    /// How many sessions it has ever given.
    given: u8,
    /// Requests as `METHOD path`, in their order.
    pub(crate) asked: Vec<String>,
    /// The last body of each of them.
    bodies: BTreeMap<String, String>,
    /// An answer in place of its own: `METHOD path` to status and body.
    pub(crate) instead: BTreeMap<String, (u16, Value)>,
    /// Roles that it has besides its own.
    pub(crate) more_roles: Vec<Value>,
    /// A code's challenge.
    challenge: String,
    /// How often the device code is to be asked for before it is good; none: refused.
    pub(crate) pending: Option<u32>,
    /// How long credentials live, in seconds.
    pub(crate) life: i64,
    issued: u32,
}

/// The double, as long as the test lives.
pub(crate) struct DoubleGateway {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

/// The role that most tests use.
pub(crate) const READ_ONLY: &str = "arn:aws:iam::111122223333:role/ReadOnly";
/// One whose name begins as that of the other does.
pub(crate) const READ_ONLY_PLUS: &str = "arn:aws:iam::111122223333:role/ReadOnlyPlus";
/// One that wants a reason.
pub(crate) const ADMIN: &str = "arn:aws:iam::444455556666:role/ops/Admin";

impl DoubleGateway {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { life: 3600, ..State::default() }));
        let double = Self { url: url.clone(), state: Arc::clone(&state) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (url, state) = (url.clone(), Arc::clone(&state));
                std::thread::spawn(move || serve(&url, &state, stream));
            }
        });
        double
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    /// How often a request was made.
    pub(crate) fn count(&self, request: &str) -> usize {
        self.with(|state| state.asked.iter().filter(|asked| *asked == request).count())
    }

    /// A session, as if somebody had signed in.
    pub(crate) fn session(&self) -> String {
        self.with(State::new_session)
    }

    /// The last body that was sent with a request.
    pub(crate) fn body(&self, request: &str) -> Value {
        serde_json::from_str(&self.with(|state| state.bodies[request].clone())).unwrap()
    }

    pub(crate) fn problem(status: u16, code: &str, detail: &str) -> (u16, Value) {
        (
            status,
            json!({ "type": "about:blank", "title": "No", "status": status, "detail": detail, "code": code, "incident": "incident-7" }),
        )
    }
}

impl State {
    fn new_session(&mut self) -> String {
        self.given += 1;
        let token = format!("rgs_{}", BASE64URL_NOPAD.encode(&[self.given; 32]));
        self.sessions.push(token.clone());
        token
    }
}

/// A request, whoever it is for.
pub(crate) struct Request {
    /// `METHOD path`.
    pub(crate) what: String,
    query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

pub(crate) fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let url = Url::parse("http://double").ok()?.join(&target).ok()?;
    let query = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    Some(Request { what: format!("{method} {}", url.path()), query, headers, body: String::from_utf8(body).ok()? })
}

fn serve(url: &str, state: &Mutex<State>, mut stream: TcpStream) {
    let Some(request) = read(&stream) else { return };
    let (status, location, body) = answer(url, &mut state.lock().unwrap(), &request);
    let kind = if status < 400 { "application/json" } else { "application/problem+json" };
    let location = location.map(|to| format!("Location: {to}\r\n")).unwrap_or_default();
    let body = body.to_string();
    let head =
        format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{location}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    drop(stream.write_all(format!("{head}{body}").as_bytes()));
}

fn answer(url: &str, state: &mut State, request: &Request) -> (u16, Option<String>, Value) {
    state.asked.push(request.what.clone());
    state.bodies.insert(request.what.clone(), request.body.clone());
    if let Some((status, body)) = state.instead.get(&request.what) {
        return (*status, None, body.clone());
    }
    let form: BTreeMap<_, _> = form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
    match request.what.as_str() {
        "GET /.well-known/oauth-authorization-server" => (200, None, metadata(url)),
        "GET /oauth2/authorize" => authorize(url, state, &request.query),
        "POST /oauth2/token" => token(state, &form),
        "POST /oauth2/device_authorization" => (200, None, device(url, &form)),
        "POST /oauth2/revoke" => {
            state.sessions.retain(|session| *session != form["token"]);
            (200, None, json!({}))
        }
        what if what.contains(" /api/") => {
            let bearer = request.headers.get("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
            if !state.sessions.iter().any(|session| session == bearer) {
                let (status, body) = DoubleGateway::problem(401, "session_ended", "Your session has ended.");
                return (status, None, body);
            }
            let (status, body) = api(state, what, &request.body);
            (status, None, body)
        }
        _ => (404, None, json!({})),
    }
}

fn metadata(url: &str) -> Value {
    let at = |path: &str| format!("{url}/oauth2/{path}");
    json!({
        "issuer": url, "authorization_endpoint": at("authorize"), "token_endpoint": at("token"),
        "device_authorization_endpoint": at("device_authorization"), "revocation_endpoint": at("revoke"),
    })
}

/// A person who agrees to everything at once.
fn authorize(url: &str, state: &mut State, query: &BTreeMap<String, String>) -> (u16, Option<String>, Value) {
    assert_eq!(
        (query["response_type"].as_str(), query["client_id"].as_str(), query["code_challenge_method"].as_str()),
        ("code", "rolegate-cli", "S256")
    );
    assert!(!query["device_name"].is_empty());
    state.challenge.clone_from(&query["code_challenge"]);
    let mut back = Url::parse(&query["redirect_uri"]).unwrap();
    assert_eq!((back.host_str(), back.path()), (Some("127.0.0.1"), "/callback"));
    back.query_pairs_mut().append_pair("code", "the-code").append_pair("state", &query["state"]).append_pair("iss", url);
    (302, Some(back.to_string()), json!({}))
}

fn token(state: &mut State, form: &BTreeMap<String, String>) -> (u16, Option<String>, Value) {
    assert_eq!(form["client_id"], "rolegate-cli");
    if form["grant_type"] == "authorization_code" {
        assert_eq!(form["code"], "the-code");
        assert_eq!(BASE64URL_NOPAD.encode(digest(&SHA256, form["code_verifier"].as_bytes()).as_ref()), state.challenge);
    } else {
        assert_eq!(
            (form["grant_type"].as_str(), form["device_code"].as_str()),
            ("urn:ietf:params:oauth:grant-type:device_code", "the-device-code")
        );
        match &mut state.pending {
            None => return (400, None, json!({ "error": "access_denied" })),
            Some(0) => {}
            Some(left) => {
                *left -= 1;
                return (400, None, json!({ "error": "authorization_pending" }));
            }
        }
    }
    (200, None, json!({ "access_token": state.new_session(), "token_type": "Bearer", "expires_in": 28800 }))
}

fn device(url: &str, form: &BTreeMap<String, String>) -> Value {
    assert_eq!(form["client_id"], "rolegate-cli");
    json!({
        "device_code": "the-device-code", "user_code": "WDJB-MJHT", "verification_uri": format!("{url}/device"),
        "verification_uri_complete": format!("{url}/device?user_code=WDJB-MJHT"), "expires_in": 60, "interval": 1,
    })
}

fn api(state: &mut State, what: &str, body: &str) -> (u16, Value) {
    let now = SystemClock.now();
    let written = |seconds| (now + TimeDelta::seconds(seconds)).to_rfc3339_opts(SecondsFormat::Secs, true);
    match what {
        "GET /api/v1/me" => {
            let session =
                json!({ "began": written(0), "idle_ends": written(3600), "ends": written(28800), "kind": "command_line", "name": "x" });
            (200, json!({ "username": "ana", "subject": "s", "provider": "main", "groups": ["developers"], "session": session, "news": 1 }))
        }
        "GET /api/v1/roles" => {
            let mut list = roles();
            list["roles"].as_array_mut().unwrap().extend(state.more_roles.iter().cloned());
            (200, list)
        }
        "POST /api/v1/credentials" => {
            let asked: Value = serde_json::from_str(body).unwrap();
            if asked["role"] == ADMIN && asked.get("reason").is_none() {
                return DoubleGateway::problem(422, "reason_needed", "This role wants the number of a ticket.");
            }
            state.issued += 1;
            let credentials = json!({
                "role_arn": asked["role"], "session_name": "ana", "access_key_id": format!("ASIADOUBLE{}", state.issued),
                "secret_access_key": "canary-secret-access-key", "session_token": "canary-session-token", "expiration": written(state.life),
            });
            (200, credentials)
        }
        "POST /api/v1/console" => {
            (200, json!({ "url": "https://signin.aws.amazon.com/federation?SigninToken=canary", "expires": written(900) }))
        }
        _ => (404, json!({})),
    }
}

fn roles() -> Value {
    let role = |arn: &str, account: &str, needs: Value| {
        let id = arn.split(':').nth(4).unwrap();
        json!({
            "arn": arn, "account": { "id": id, "name": account, "tags": { "env": "prod" }, "ou": null }, "role": arn.rsplit('/').next().unwrap(),
            "purposes": ["console", "credentials"], "operation": "web_identity", "max_session_seconds": 3600, "needs": needs,
        })
    };
    let nothing = || json!({ "reason": null, "fresh_sign_in": false, "mfa_code": false });
    let ticket = json!({ "reason": { "kind": "text", "hint": "OPS-123" }, "fresh_sign_in": false, "mfa_code": false });
    json!({ "roles": [role(READ_ONLY, "Production", nothing()), role(READ_ONLY_PLUS, "Production", nothing()), role(ADMIN, "Staging EU", ticket)] })
}
