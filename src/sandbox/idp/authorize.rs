//! The authorization endpoint and the page of people (OpenID Connect Core section 3.1.2).

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::TimeDelta;
use data_encoding::BASE64URL_NOPAD;
use url::Url;

use super::token::{Grant, MFA};
use super::{CODE, COOKIE, Idp, PENDING, SESSION, Session};
use crate::sandbox::http::{self, BadParams, Params};
use crate::sandbox::people::{self, PEOPLE, Person};
use crate::sandbox::shelf::random;

/// A checked authorization request.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) client: String,
    pub(super) redirect_uri: Url,
    pub(super) registered_uri: String,
    pub(super) nonce: Option<String>,
    pub(super) challenge: String,
    state: Option<String>,
    login_hint: Option<String>,
    prompt: Prompt,
    max_age: Option<TimeDelta>,
    /// Whether the class of a second factor is asked for. Other classes the sandbox does not have, and it answers with what it has, as
    /// OpenID Connect leaves to a provider.
    wants_factor: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Prompt {
    IfNeeded,
    Always,
    Never,
}

/// Why a request is refused: said on a page while nobody knows where the browser may be sent, by a redirect to a ready address afterwards.
#[derive(Debug)]
pub(super) enum Refused {
    OnPage(String),
    ByRedirect(String),
}

pub(super) async fn by_query(idp: web::Data<Idp>, request: HttpRequest) -> HttpResponse {
    idp.authorize(&request, Params::of_query(&request))
}

pub(super) async fn by_form(idp: web::Data<Idp>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    idp.authorize(&request, Params::of_form(&request, &body))
}

pub(super) async fn sign_in(idp: web::Data<Idp>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let Ok(params) = Params::of_form(&request, &body) else {
        return idp.problem("The form cannot be read.");
    };
    if !http::is_from_own_page(&request, &idp.origin) {
        return idp.problem("The form was not posted from this provider's own page.");
    }
    let now = idp.clock.now();
    let Some(asked) = params.get("request").and_then(|name| idp.pending.take(now, name)) else {
        return idp.problem("This sign-in page was used already or is older than ten minutes. Start again at the gateway.");
    };
    if params.get("cancel").is_some() {
        return idp.refuse(&idp.refusal(&asked.redirect_uri, asked.state.as_deref(), ("access_denied", "the person cancelled")));
    }
    let Some(person) = params.get("person").and_then(people::find) else {
        return idp.problem("There is nobody of that name in the sandbox.");
    };
    let (session, cookie) = idp.open_session(&request, person, asked.wants_factor);
    let mut response = idp.grant(asked, session);
    if response.add_cookie(&cookie).is_err() {
        return idp.problem("The session cookie cannot be set.");
    }
    response
}

impl Idp {
    /// Signs a person in at the provider, in place of who was signed in there in this browser.
    pub(super) fn open_session(&self, request: &HttpRequest, person: &'static Person, factor: bool) -> (Session, Cookie<'static>) {
        let now = self.clock.now();
        if let Some((old, _)) = self.session(request) {
            self.sessions.take(now, &old);
        }
        let session = Session { person, since: now, sid: BASE64URL_NOPAD.encode(&random::<16>()), mfa: person.mfa || factor };
        let name = self.sessions.put(now, SESSION, session.clone());
        (session, http::cookie(COOKIE, name))
    }

    fn authorize(&self, request: &HttpRequest, params: Result<Params, BadParams>) -> HttpResponse {
        let asked = match params.map_err(|error| Refused::OnPage(error.to_string())).and_then(|params| self.check(&params)) {
            Ok(asked) => asked,
            Err(refused) => return self.refuse(&refused),
        };
        let now = self.clock.now();
        let session = self.session(request).map(|(_, session)| session);
        let fresh = session.filter(|session| asked.max_age.is_none_or(|age| now - session.since < age));
        let fresh = fresh.filter(|session| session.mfa || !asked.wants_factor);
        match (asked.prompt, fresh) {
            (Prompt::Never | Prompt::IfNeeded, Some(session)) => self.grant(asked, session),
            (Prompt::Never, None) => {
                let reason = ("login_required", "nobody is signed in, or too long ago");
                self.refuse(&self.refusal(&asked.redirect_uri, asked.state.as_deref(), reason))
            }
            (Prompt::Always, _) | (Prompt::IfNeeded, None) => self.ask_who(asked),
        }
    }

    /// The checks of a request: first whether the browser may be sent back at all, then everything that can be told by sending it back.
    pub(super) fn check(&self, params: &Params) -> Result<Request, Refused> {
        let on_page = |message: &str| Refused::OnPage(message.to_owned());
        let client =
            params.filled("client_id").filter(|id| self.knows_client(id)).ok_or_else(|| on_page("The client is not known here."))?;
        let registered_uri = params
            .filled("redirect_uri")
            .filter(|uri| self.redirect_uris.iter().any(|known| known == uri))
            .ok_or_else(|| on_page("The redirect_uri is not one that is registered for this client. It must be equal to the letter."))?;
        let redirect_uri = Url::parse(registered_uri).map_err(|_| on_page("The registered redirect_uri is not a URL."))?;
        let state = params.filled("state").map(str::to_owned);
        let (challenge, prompt, max_age) =
            check_protocol(params).map_err(|reason| self.refusal(&redirect_uri, state.as_deref(), reason))?;
        Ok(Request {
            client: client.to_owned(),
            registered_uri: registered_uri.to_owned(),
            nonce: params.filled("nonce").map(str::to_owned),
            wants_factor: params.filled("acr_values").is_some_and(|classes| classes.split(' ').any(|class| class == MFA)),
            login_hint: params.filled("login_hint").map(str::to_owned),
            redirect_uri,
            challenge,
            state,
            prompt,
            max_age,
        })
    }

    fn ask_who(&self, asked: Request) -> HttpResponse {
        let mut people: Vec<&Person> = PEOPLE.iter().collect();
        if let Some(hint) = &asked.login_hint {
            people.sort_by_key(|person| person.id != hint && person.email() != *hint);
        }
        let client = asked.client.clone();
        let request = self.pending.put(self.clock.now(), PENDING, asked);
        let gateway = self.gateway.as_str();
        let page = SignInPage { action: "/sign-in", request: &request, client: &client, gateway, people: &people };
        http::page(StatusCode::OK, &page, &self.redirect_origins())
    }

    fn grant(&self, asked: Request, session: Session) -> HttpResponse {
        let (to, state) = (asked.redirect_uri.clone(), asked.state.clone());
        let code = self.codes.put(self.clock.now(), CODE, Grant { asked, session });
        http::see_other(&self.back(&to, &[("code", &code)], state.as_deref()))
    }

    fn refuse(&self, refused: &Refused) -> HttpResponse {
        match refused {
            Refused::OnPage(message) => self.problem(message),
            Refused::ByRedirect(to) => http::see_other(to),
        }
    }

    fn refusal(&self, to: &Url, state: Option<&str>, (error, description): (&str, &str)) -> Refused {
        Refused::ByRedirect(self.back(to, &[("error", error), ("error_description", description)], state))
    }

    /// The way back to the client, with the issuer in it (RFC 9207).
    fn back(&self, to: &Url, params: &[(&str, &str)], state: Option<&str>) -> String {
        let mut to = to.clone();
        to.query_pairs_mut().extend_pairs(params).extend_pairs(state.map(|state| ("state", state))).append_pair("iss", &self.issuer);
        to.into()
    }

    fn redirect_origins(&self) -> Vec<String> {
        origins(self.redirect_uris.iter().map(String::as_str).chain([self.gateway.as_str()]))
    }
}

/// The PKCE challenge and how insistently the client wants a fresh sign-in, or the error to send back.
fn check_protocol(params: &Params) -> Result<(String, Prompt, Option<TimeDelta>), (&'static str, &'static str)> {
    if params.filled("request").is_some() {
        return Err(("request_not_supported", "request objects are not supported"));
    }
    if params.filled("request_uri").is_some() {
        return Err(("request_uri_not_supported", "request objects are not supported"));
    }
    if params.filled("response_type") != Some("code") {
        return Err(("unsupported_response_type", "response_type must be code"));
    }
    if params.filled("response_mode").is_some_and(|mode| mode != "query") {
        return Err(("invalid_request", "response_mode must be query"));
    }
    if !params.filled("scope").is_some_and(|scope| scope.split(' ').any(|word| word == "openid")) {
        return Err(("invalid_scope", "scope must contain openid"));
    }
    let challenge =
        params.filled("code_challenge").filter(|text| BASE64URL_NOPAD.decode(text.as_bytes()).is_ok_and(|hash| hash.len() == 32));
    let (Some(challenge), Some("S256")) = (challenge, params.filled("code_challenge_method")) else {
        return Err(("invalid_request", "PKCE is required: code_challenge with code_challenge_method S256"));
    };
    let (prompt, max_age) = wishes(params).map_err(|description| ("invalid_request", description))?;
    Ok((challenge.to_owned(), prompt, max_age))
}

/// How insistently the client wants a fresh sign-in.
fn wishes(params: &Params) -> Result<(Prompt, Option<TimeDelta>), &'static str> {
    let words: Vec<&str> = params.filled("prompt").unwrap_or_default().split_ascii_whitespace().collect();
    let max_age = match params.filled("max_age").map(str::parse::<u32>) {
        None => None,
        Some(Ok(seconds)) => Some(TimeDelta::seconds(seconds.into())),
        Some(Err(_)) => return Err("max_age must be a number of seconds"),
    };
    let prompt = match words[..] {
        [] | ["consent"] => Prompt::IfNeeded,
        ["none"] => Prompt::Never,
        _ if words.iter().all(|word| ["login", "select_account", "consent"].contains(word)) => Prompt::Always,
        _ => return Err("prompt must be none alone, or of login, select_account and consent"),
    };
    Ok((prompt, max_age))
}

/// The distinct origins of some URLs, for a page's `form-action`.
pub(super) fn origins<'a>(urls: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut origins: Vec<String> = urls.filter_map(|url| Url::parse(url).ok()).map(|url| url.origin().ascii_serialization()).collect();
    origins.sort();
    origins.dedup();
    origins
}

#[derive(Template)]
#[template(path = "sandbox/sign_in.html")]
pub(super) struct SignInPage<'a> {
    pub(super) action: &'a str,
    pub(super) request: &'a str,
    pub(super) client: &'a str,
    pub(super) gateway: &'a str,
    pub(super) people: &'a [&'static Person],
}
