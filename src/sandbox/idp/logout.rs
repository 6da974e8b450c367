//! Sign-out at the provider (OpenID Connect RP-Initiated Logout 1.0).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde_json::Value;
use url::Url;

use super::authorize::origins;
use super::{COOKIE, Idp, PENDING};
use crate::sandbox::http::{self, BadParams, Params, Problem};

/// Where the browser goes when somebody has signed out; nowhere means a page that says so.
#[derive(Clone)]
pub(super) struct Departure(Option<Url>);

pub(super) async fn by_query(idp: web::Data<Idp>, request: HttpRequest) -> HttpResponse {
    idp.log_out(&request, Params::of_query(&request))
}

pub(super) async fn by_form(idp: web::Data<Idp>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    idp.log_out(&request, Params::of_form(&request, &body))
}

pub(super) async fn confirm(idp: web::Data<Idp>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let params = Params::of_form(&request, &body).ok().filter(|_| http::is_from_own_page(&request, &idp.origin));
    let departure = params.as_ref().and_then(|params| params.get("departure")).and_then(|name| idp.departures.take(idp.clock.now(), name));
    match departure {
        Some(departure) => idp.depart(&request, &departure),
        None => idp.problem("This sign-out page was used already or is older than ten minutes."),
    }
}

impl Idp {
    fn log_out(&self, request: &HttpRequest, params: Result<Params, BadParams>) -> HttpResponse {
        let params = match params {
            Ok(params) => params,
            Err(error) => return self.problem(&error.to_string()),
        };
        let (subject, departure) = match self.check_logout(&params) {
            Ok(checked) => checked,
            Err(message) => return self.problem(message),
        };
        match self.session(request) {
            // Without a token of the very person who is signed in, any page could sign people out: ask first.
            Some((_, session)) if subject.as_deref() != Some(session.person.id) => {
                let name = self.departures.put(self.clock.now(), PENDING, departure);
                let page = ConfirmPage { departure: &name, name: session.person.name, gateway: self.gateway.as_str() };
                let targets = origins(self.post_logout_uris.iter().map(String::as_str).chain([self.gateway.as_str()]));
                http::page(StatusCode::OK, &page, &targets)
            }
            _ => self.depart(request, &departure),
        }
    }

    /// The person that the hint names, and where to go afterwards.
    pub(super) fn check_logout(&self, params: &Params) -> Result<(Option<String>, Departure), &'static str> {
        let hint = match params.filled("id_token_hint") {
            None => None,
            Some(token) => Some(self.signer.recognise(token).ok_or("The id_token_hint was not issued by this provider.")?),
        };
        let text = |name: &str| hint.as_ref().and_then(|hint| hint.get(name)).and_then(Value::as_str).map(str::to_owned);
        let client = match (text("aud"), params.filled("client_id")) {
            (Some(audience), Some(client)) if audience != client => return Err("client_id is not the client of the id_token_hint."),
            (Some(audience), _) => Some(audience),
            (None, client) => client.filter(|id| self.knows_client(id)).map(str::to_owned),
        };
        let Some(uri) = params.filled("post_logout_redirect_uri") else {
            return Ok((text("sub"), Departure(None)));
        };
        if client.is_none() || !self.post_logout_uris.iter().any(|known| known == uri) {
            return Err("The post_logout_redirect_uri is not one that is registered, or the request names no client.");
        }
        let mut to = Url::parse(uri).map_err(|_| "The registered post_logout_redirect_uri is not a URL.")?;
        if let Some(state) = params.filled("state") {
            to.query_pairs_mut().append_pair("state", state);
        }
        Ok((text("sub"), Departure(Some(to))))
    }

    fn depart(&self, request: &HttpRequest, departure: &Departure) -> HttpResponse {
        if let Some((name, _)) = self.session(request) {
            self.sessions.take(self.clock.now(), &name);
        }
        let mut response = if let Some(to) = &departure.0 {
            http::see_other(to.as_str())
        } else {
            let message = "The sandbox's identity provider has forgotten you. AWS credentials that were issued live on until they expire.";
            Problem { title: "Signed out", message, gateway: self.gateway.as_str() }.respond(StatusCode::OK)
        };
        // A removal of a cookie that cannot be written leaves a name behind that no session answers to any more.
        let _ = response.add_removal_cookie(&http::cookie(COOKIE, String::new()));
        response
    }
}

#[derive(Template)]
#[template(path = "sandbox/sign_out.html")]
struct ConfirmPage<'a> {
    departure: &'a str,
    name: &'a str,
    gateway: &'a str,
}
