//! The make-believe provider's SAML side: what an identity provider does for a service provider (SAML profiles section 4.1), and a page of app tiles.
//!
//! It knows its partners' addresses as they were configured, and answers nowhere else. Requests need no signature here, as with most
//! products out of the box; what it signs is the assertion. Signing in is a click on a person, as on its OIDC side.

mod request;
mod response;
#[cfg(test)]
mod tests;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::authorize::{SignInPage, origins};
use super::{Idp, PENDING, Session};
use crate::saml::write::Binding;
use crate::sandbox::http::{self, BadParams, Params};
use crate::sandbox::people::{self, PEOPLE, Person};
use crate::sandbox::settings::SamlPartner;
use request::AuthnRequest;

/// What is to be answered once it is known who is there.
#[derive(Clone)]
pub(super) struct Asked {
    /// The partner's place in the settings.
    partner: usize,
    /// The request; none when the person clicked a tile.
    request: Option<AuthnRequest>,
    relay_state: Option<String>,
}

impl Asked {
    /// Whether the class of a second factor is asked for. To other classes the sandbox answers with what it has.
    fn wants_factor(&self) -> bool {
        self.request.as_ref().is_some_and(|request| request.classes.iter().any(|class| class == response::MFA))
    }
}

/// The addresses of the SAML side.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/saml/metadata", web::get().to(metadata))
        .route("/saml/sso", web::get().to(by_redirect))
        .route("/saml/sso", web::post().to(by_post))
        .route("/saml/sign-in", web::post().to(sign_in))
        .route("/apps", web::get().to(apps))
        .route("/apps", web::post().to(open));
}

async fn metadata(idp: web::Data<Idp>) -> HttpResponse {
    match idp.saml_metadata() {
        Ok(text) => HttpResponse::Ok().content_type("application/samlmetadata+xml").body(text),
        Err(error) => idp.problem(&error.to_string()),
    }
}

async fn by_redirect(idp: web::Data<Idp>, request: HttpRequest) -> HttpResponse {
    idp.sso(&request, Params::of_query(&request), Binding::Redirect)
}

async fn by_post(idp: web::Data<Idp>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    idp.sso(&request, Params::of_form(&request, &body), Binding::Post)
}

async fn sign_in(idp: web::Data<Idp>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let (now, params) = (idp.clock.now(), Params::of_form(&request, &body).ok());
    let Some(params) = params.filter(|_| http::is_from_own_page(&request, &idp.origin)) else {
        return idp.problem("The form was not posted from this provider's own page.");
    };
    let Some(asked) = params.get("request").and_then(|name| idp.saml_pending.take(now, name)) else {
        return idp.problem("This sign-in page was used already or is older than ten minutes. Start again.");
    };
    if params.get("cancel").is_some() {
        return idp.cancelled(&asked);
    }
    let Some(person) = params.get("person").and_then(people::find) else {
        return idp.problem("There is nobody of that name in the sandbox.");
    };
    let factor = asked.wants_factor();
    let (session, cookie) = idp.open_session(&request, person, factor);
    let mut response = idp.answer(&asked, &session);
    if response.add_cookie(&cookie).is_err() {
        return idp.problem("The session cookie cannot be set.");
    }
    response
}

async fn apps(idp: web::Data<Idp>, request: HttpRequest) -> HttpResponse {
    let who = idp.session(&request).map(|(_, session)| session.person.name);
    let page = AppsPage { who, tiles: &idp.tiles, gateway: idp.gateway.as_str() };
    http::page(StatusCode::OK, &page, &[])
}

/// A click on a tile: what Okta, Entra ID and others call IdP-initiated sign-in (SAML profiles section 4.1.5).
async fn open(idp: web::Data<Idp>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let params = Params::of_form(&request, &body).ok().filter(|_| http::is_from_own_page(&request, &idp.origin));
    let number = params.as_ref().and_then(|params| params.get("tile")).and_then(|number| number.parse::<usize>().ok());
    let Some(tile) = number.and_then(|number| idp.tiles.get(number)) else {
        return idp.problem("There is no such tile.");
    };
    idp.ask_or_answer(&request, Asked { partner: tile.partner, request: None, relay_state: tile.relay_state.clone() })
}

/// A tile on the page of apps.
#[derive(Debug, Clone)]
pub(super) struct Tile {
    pub(super) title: String,
    pub(super) about: &'static str,
    pub(super) partner: usize,
    pub(super) relay_state: Option<String>,
}

impl Tile {
    /// Two for each partner: its start page, and a deep link.
    pub(super) fn of(partners: &[SamlPartner]) -> Vec<Self> {
        let tiles = partners.iter().enumerate().flat_map(|(number, partner)| {
            let tile = |title: String, about, relay_state| Self { title, about, partner: number, relay_state };
            let plain = tile(partner.name.clone(), "Every role that you may have.", None);
            let link = partner
                .deep_link
                .clone()
                .map(|(title, path)| tile(title, "A deep link (RelayState): on to one account at once.", Some(path)));
            [Some(plain), link]
        });
        tiles.flatten().collect()
    }

    /// The letter that stands for a picture.
    fn initial(&self) -> &str {
        self.title.get(..1).unwrap_or_default()
    }
}

impl Idp {
    fn sso(&self, request: &HttpRequest, params: Result<Params, BadParams>, binding: Binding) -> HttpResponse {
        match params.map_err(|error| error.to_string()).and_then(|params| self.check_request(&params, binding)) {
            Ok(asked) => self.ask_or_answer(request, asked),
            Err(message) => self.problem(&message),
        }
    }

    fn check_request(&self, params: &Params, binding: Binding) -> Result<Asked, String> {
        let message = params.filled("SAMLRequest").ok_or("There is no SAMLRequest.")?;
        let read = AuthnRequest::read(message, binding).map_err(str::to_owned)?;
        let known = self.partners.iter().position(|partner| partner.entity_id == read.issuer);
        let number = known.ok_or_else(|| format!("No service provider with the entity ID {} is known here.", read.issuer))?;
        let partner = self.partners.get(number).ok_or("There is no such partner.")?;
        if read.consumer.as_ref().is_some_and(|consumer| *consumer != partner.consumer) {
            return Err("The AssertionConsumerServiceURL is not the one that is registered. It must be equal to the letter.".into());
        }
        if read.destination.as_ref().is_some_and(|to| *to != self.saml_sso()) {
            return Err("The request's Destination is not this provider's address.".into());
        }
        let relay_state = params.filled("RelayState").map(str::to_owned);
        if relay_state.as_ref().is_some_and(|state| state.len() > 80) {
            return Err("RelayState has more than the 80 bytes that the bindings allow.".into());
        }
        Ok(Asked { partner: number, request: Some(read), relay_state })
    }

    fn ask_or_answer(&self, request: &HttpRequest, asked: Asked) -> HttpResponse {
        let insists = asked.request.as_ref().is_some_and(|request| request.force);
        match self.session(request).filter(|(_, session)| !insists && (session.mfa || !asked.wants_factor())) {
            Some((_, session)) => self.answer(&asked, &session),
            None => self.ask_who_for_saml(asked),
        }
    }

    fn ask_who_for_saml(&self, asked: Asked) -> HttpResponse {
        let people: Vec<&Person> = PEOPLE.iter().collect();
        let client = self.partners.get(asked.partner).map(|partner| partner.entity_id.clone()).unwrap_or_default();
        let request = self.saml_pending.put(self.clock.now(), PENDING, asked);
        let gateway = self.gateway.as_str();
        let page = SignInPage { action: "/saml/sign-in", request: &request, client: &client, gateway, people: &people };
        http::page(StatusCode::OK, &page, &self.consumers())
    }

    /// The signed response, on a page that posts it.
    fn answer(&self, asked: &Asked, session: &Session) -> HttpResponse {
        match self.write_response(asked, Some(session)) {
            Ok(response) => self.post(asked, &response),
            Err(error) => self.problem(&error.to_string()),
        }
    }

    fn cancelled(&self, asked: &Asked) -> HttpResponse {
        if asked.request.is_none() {
            return http::see_other("/apps");
        }
        match self.write_response(asked, None) {
            Ok(response) => self.post(asked, &response),
            Err(error) => self.problem(&error.to_string()),
        }
    }

    fn post(&self, asked: &Asked, response: &str) -> HttpResponse {
        let to = self.partners.get(asked.partner).map(|partner| partner.consumer.as_str()).unwrap_or_default();
        let page = PostPage { to, response, relay_state: asked.relay_state.as_deref(), gateway: self.gateway.as_str() };
        let mut answer = http::page_with_script(&page, &self.consumers());
        // The gateway must see where the form comes from, and nothing of this address.
        answer.headers_mut().insert(header::REFERRER_POLICY, header::HeaderValue::from_static("origin"));
        answer
    }

    fn consumers(&self) -> Vec<String> {
        origins(self.partners.iter().map(|partner| partner.consumer.as_str()))
    }

    fn saml_sso(&self) -> String {
        format!("{}/saml/sso", self.issuer)
    }
}

#[derive(Template)]
#[template(path = "sandbox/saml_post.html")]
struct PostPage<'a> {
    to: &'a str,
    response: &'a str,
    relay_state: Option<&'a str>,
    gateway: &'a str,
}

#[derive(Template)]
#[template(path = "sandbox/apps.html")]
struct AppsPage<'a> {
    who: Option<&'a str>,
    tiles: &'a [Tile],
    gateway: &'a str,
}
