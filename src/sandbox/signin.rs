//! The make-believe sign-in and console: `getSigninToken`, `login`, the endpoint for SAML responses, and a page that shows what AWS would know.

use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::http::{self, Params, Problem};
use super::settings::{SandboxRole, SandboxUser};
use super::shelf::Shelf;
use super::sts::{self, Holder, Sts, StsSession};
use crate::arn::RoleArn;
use crate::clock::{Clock, Moment};

/// The name of the console's session cookie.
const COOKIE: &str = "sandbox_console_session";
/// How long a sign-in URL is good.
const SIGNIN_TOKEN: TimeDelta = TimeDelta::minutes(15);

/// The sign-in service: what it knows and what it remembers.
pub(super) struct SignIn {
    origin: Url,
    gateway: Url,
    clock: Arc<dyn Clock>,
    tokens: Shelf<Entry>,
    sessions: Shelf<Visit>,
}

/// What a sign-in token opens.
#[derive(Clone)]
struct Entry {
    session: Arc<StsSession>,
    /// The length of the console session; without one it ends with the credentials.
    length: Option<TimeDelta>,
}

/// Somebody in the console.
#[derive(Clone)]
struct Visit {
    session: Arc<StsSession>,
    expires: Moment,
}

/// The credentials as `getSigninToken` takes them; gone when they have been compared.
#[derive(Deserialize)]
struct SessionJson {
    #[serde(rename = "sessionId")]
    access_key_id: String,
    #[serde(rename = "sessionKey")]
    secret: String,
    #[serde(rename = "sessionToken")]
    token: String,
}

impl SignIn {
    pub(super) fn new(gateway: &Url, origin: &Url, clock: Arc<dyn Clock>) -> Self {
        Self { origin: origin.clone(), gateway: gateway.clone(), clock, tokens: Shelf::new(), sessions: Shelf::new() }
    }

    fn problem(&self, title: &str, message: &str) -> HttpResponse {
        Problem { title, message, gateway: self.gateway.as_str() }.respond(StatusCode::BAD_REQUEST)
    }

    fn signin_token(&self, sts: &Sts, params: &Params) -> Result<String, &'static str> {
        let json = params.get("Session").ok_or("Session is missing.")?;
        let shown: SessionJson =
            serde_json::from_str(json).map_err(|_| "Session is not JSON with sessionId, sessionKey and sessionToken.")?;
        let length = match params.get("SessionDuration").map(str::parse::<i64>) {
            None => None,
            Some(Ok(seconds @ 900..=43_200)) => Some(TimeDelta::seconds(seconds)),
            Some(_) => return Err("SessionDuration is not a number from 900 to 43200."),
        };
        let session = sts.session(&shown.access_key_id, &shown.token).ok().filter(|session| session.has_secret(&shown.secret));
        let session = session.ok_or("The credentials are not ones that this STS issued, or they are expired.")?;
        match &session.holder {
            Holder::User { .. } => return Err("Credentials of GetSessionToken cannot enter the console."),
            Holder::Federated(..) if length.is_some() => return Err("SessionDuration does not go with credentials of GetFederationToken."),
            Holder::Role(_) if length.is_some() && session.chained => return Err("SessionDuration does not go with role chaining."),
            Holder::Role(_) | Holder::Federated(..) => {}
        }
        Ok(self.tokens.put(self.clock.now(), SIGNIN_TOKEN, Entry { session, length }))
    }

    fn log_in(&self, params: &Params) -> HttpResponse {
        let Some(destination) = params.get("Destination").and_then(|text| self.destination(text)) else {
            let message = "The Destination is missing or does not lead into this sandbox's own console.";
            return self.problem("This sign-in URL leads elsewhere", message);
        };
        let now = self.clock.now();
        let Some(entry) = params.get("SigninToken").and_then(|token| self.tokens.take(now, token)) else {
            let message =
                "The sign-in token is unknown, was used already, or is older than 15 minutes. Choose the role again at the gateway.";
            return self.problem("This sign-in URL is no longer good", message);
        };
        let life = entry.length.unwrap_or(entry.session.expires - now);
        self.admit(entry.session, life, &destination)
    }

    /// Opens a console session and goes to a page of the console.
    fn admit(&self, session: Arc<StsSession>, life: TimeDelta, destination: &Url) -> HttpResponse {
        let now = self.clock.now();
        let name = self.sessions.put(now, life, Visit { session, expires: now + life });
        let mut response = HttpResponse::Found();
        response.insert_header((header::LOCATION, destination.as_str())).insert_header((header::CACHE_CONTROL, "no-store"));
        response.cookie(http::cookie(COOKIE, name)).finish()
    }

    /// What `POST /saml` does: the response is checked as STS checks it, and must be for this very address.
    async fn enter_by_saml(&self, sts: &Sts, path: &str, params: &Params) -> HttpResponse {
        const TITLE: &str = "Your request included an invalid SAML response";
        let home = self.origin.join("/console/").ok();
        let destination = match params.filled("RelayState") {
            None => home,
            Some(text) => self.destination(text),
        };
        let Some(destination) = destination else {
            return self.problem(TITLE, "The RelayState does not lead into this sandbox's own console.");
        };
        let Some(response) = params.get("SAMLResponse").filter(|text| text.len() <= 100_000) else {
            return self.problem(TITLE, "There is no SAMLResponse, or it is longer than 100000 characters.");
        };
        let address = format!("{}{path}", self.origin.origin().ascii_serialization());
        match sts.enter_by_saml(response, &address).await {
            Ok(session) => {
                let life = session.expires - self.clock.now();
                self.admit(session, life, &destination)
            }
            Err(error) => self.problem(TITLE, &format!("{}: {}", error.code, error.message)),
        }
    }

    /// The destination, if it is an address of the console: this origin, and not the federation endpoint itself.
    fn destination(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok()?;
        let within = url.origin() == self.origin.origin() && url.username().is_empty() && url.password().is_none();
        let is_endpoint = url.path() == "/federation" || url.path().split('/').any(|part| part == "saml");
        (within && !is_endpoint).then_some(url)
    }
}

/// STS, federation endpoint and console stand on one server, as one stand-in for AWS.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/", web::post().to(sts::query))
        .route("/", web::get().to(home))
        .route("/federation", web::get().to(by_query))
        .route("/federation", web::post().to(by_form))
        // AWS has a host for each region; here the region is the beginning of the path.
        .route("/saml", web::post().to(by_saml))
        .route("/saml/acs/{id}", web::post().to(by_saml))
        .route("/{region}/saml", web::post().to(by_saml))
        .route("/{region}/saml/acs/{id}", web::post().to(by_saml))
        .route("/sandbox/ledger", web::get().to(sts::show))
        .route("/console/sign-out", web::post().to(sign_out))
        .default_service(web::get().to(console));
}

async fn by_query(signin: web::Data<SignIn>, sts: web::Data<Sts>, request: HttpRequest) -> HttpResponse {
    match Params::of_query(&request) {
        Ok(params) => federation(&signin, &sts, &params),
        Err(error) => signin.problem("This request cannot be read", &error.to_string()),
    }
}

async fn by_form(signin: web::Data<SignIn>, sts: web::Data<Sts>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    match Params::of_form(&request, &body) {
        Ok(params) => federation(&signin, &sts, &params),
        Err(error) => signin.problem("This request cannot be read", &error.to_string()),
    }
}

async fn by_saml(signin: web::Data<SignIn>, sts: web::Data<Sts>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    match Params::of_form(&request, &body) {
        Ok(params) => signin.enter_by_saml(&sts, request.path(), &params).await,
        Err(error) => signin.problem("This request cannot be read", &error.to_string()),
    }
}

fn federation(signin: &SignIn, sts: &Sts, params: &Params) -> HttpResponse {
    match params.get("Action") {
        Some("getSigninToken") => match signin.signin_token(sts, params) {
            Ok(token) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(json!({ "SigninToken": token })),
            Err(message) => signin.problem("No sign-in token for these credentials", message),
        },
        Some("login") => signin.log_in(params),
        _ => signin.problem("This request cannot be answered", "Action must be getSigninToken or login."),
    }
}

async fn home(signin: web::Data<SignIn>, sts: web::Data<Sts>) -> HttpResponse {
    http::page(
        StatusCode::OK,
        &HomePage { gateway: signin.gateway.as_str(), roles: &sts.roles, users: &sts.users, now: signin.clock.now() },
        &[],
    )
}

async fn console(signin: web::Data<SignIn>, request: HttpRequest) -> HttpResponse {
    let visit = request.cookie(COOKIE).and_then(|cookie| signin.sessions.get(signin.clock.now(), cookie.value()));
    let Some(visit) = visit else {
        let message = "Nobody is signed in to the sandbox console, or the session has ended. Choose a role at the gateway to enter.";
        return Problem { title: "Not signed in", message, gateway: signin.gateway.as_str() }.respond(StatusCode::UNAUTHORIZED);
    };
    let place = request.uri().path_and_query().map_or("/", |place| place.as_str());
    let (name, account) = (visit.session.role().map_or(visit.session.session_name.as_str(), RoleArn::name), visit.session.account());
    let (session, gateway) = (&visit.session, signin.gateway.as_str());
    http::page(StatusCode::OK, &ConsolePage { name, account: account.as_str(), place, session, expires: visit.expires, gateway }, &[])
}

async fn sign_out(signin: web::Data<SignIn>, request: HttpRequest) -> HttpResponse {
    if !http::is_from_own_page(&request, &signin.origin) {
        return signin.problem("Not signed out", "The form was not posted from the console's own page.");
    }
    if let Some(cookie) = request.cookie(COOKIE) {
        signin.sessions.take(signin.clock.now(), cookie.value());
    }
    let message = "You have left the sandbox console. The credentials behind it live on until they expire, as in AWS.";
    let mut response = Problem { title: "Signed out", message, gateway: signin.gateway.as_str() }.respond(StatusCode::OK);
    // The session is gone; a cookie that stays behind opens nothing.
    let _ = response.add_removal_cookie(&http::cookie(COOKIE, String::new()));
    response
}

#[derive(Template)]
#[template(path = "sandbox/console.html")]
struct ConsolePage<'a> {
    name: &'a str,
    account: &'a str,
    place: &'a str,
    session: &'a StsSession,
    expires: Moment,
    gateway: &'a str,
}

#[derive(Template)]
#[template(path = "sandbox/aws_home.html")]
struct HomePage<'a> {
    gateway: &'a str,
    roles: &'a [SandboxRole],
    users: &'a [SandboxUser],
    now: Moment,
}
