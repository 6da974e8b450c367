//! The make-believe identity provider, by OIDC and by SAML: strict in protocol, and anybody may be anybody.
//!
//! OpenID Connect Core (code flow), PKCE S256 (RFC 7636), issuer in the response (RFC 9207), RP-initiated logout. Every claim is in the
//! ID token whatever scopes are asked for. Signing in is a click on a person; a second factor is claimed, never shown.

mod authorize;
mod logout;
mod saml;
mod signer;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::TimeDelta;
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

pub(super) use signer::{Signer, SigningUnavailable};

use super::http::Problem;
use super::people::Person;
use super::settings::{CONFIDENTIAL_CLIENT, PUBLIC_CLIENT, SamlPartner, SandboxSettings};
use super::shelf::Shelf;
use crate::clock::{Clock, Moment};
use crate::saml::sign::SamlSigner;

/// The name of the provider's session cookie.
const COOKIE: &str = "sandbox_idp_session";
/// How long somebody stays signed in at the provider.
const SESSION: TimeDelta = TimeDelta::hours(8);
/// How long a sign-in page may lie open.
const PENDING: TimeDelta = TimeDelta::minutes(10);
/// How long a code is good (RFC 6749 section 4.1.2 allows ten minutes).
const CODE: TimeDelta = TimeDelta::seconds(60);
/// How long an ID token and an access token are good.
const TOKENS: TimeDelta = TimeDelta::minutes(5);

/// The provider: what it knows and what it remembers.
pub(super) struct Idp {
    issuer: String,
    origin: Url,
    gateway: Url,
    redirect_uris: Vec<String>,
    post_logout_uris: Vec<String>,
    client_secret: Option<SecretString>,
    clock: Arc<dyn Clock>,
    signer: Signer,
    pending: Shelf<authorize::Request>,
    codes: Shelf<token::Grant>,
    access: Shelf<&'static Person>,
    sessions: Shelf<Session>,
    departures: Shelf<logout::Departure>,
    partners: Vec<SamlPartner>,
    tiles: Vec<saml::Tile>,
    saml_signer: SamlSigner,
    saml_pending: Shelf<saml::Asked>,
}

/// Somebody signed in at the provider.
#[derive(Clone)]
struct Session {
    person: &'static Person,
    since: Moment,
    sid: String,
    /// Whether the sign-in pretends that a second factor was used: the person's habit, or on demand.
    mfa: bool,
}

impl Idp {
    pub(super) fn new(settings: &SandboxSettings, origin: &Url, clock: Arc<dyn Clock>, signer: Signer) -> Result<Self, SigningUnavailable> {
        let saml_signer = signer.for_saml(clock.now())?;
        Ok(Self {
            issuer: origin.as_str().trim_end_matches('/').to_owned(),
            origin: origin.clone(),
            gateway: settings.gateway.clone(),
            redirect_uris: settings.redirect_uris.clone(),
            post_logout_uris: settings.post_logout_uris.clone(),
            client_secret: settings.client_secret.clone(),
            clock,
            signer,
            pending: Shelf::new(),
            codes: Shelf::new(),
            access: Shelf::new(),
            sessions: Shelf::new(),
            departures: Shelf::new(),
            partners: settings.saml_partners.clone(),
            tiles: saml::Tile::of(&settings.saml_partners),
            saml_signer,
            saml_pending: Shelf::new(),
        })
    }

    fn knows_client(&self, id: &str) -> bool {
        id == PUBLIC_CLIENT || (id == CONFIDENTIAL_CLIENT && self.client_secret.is_some())
    }

    fn session(&self, request: &HttpRequest) -> Option<(String, Session)> {
        let name = request.cookie(COOKIE)?.value().to_owned();
        let session = self.sessions.get(self.clock.now(), &name)?;
        Some((name, session))
    }

    fn problem(&self, message: &str) -> HttpResponse {
        let page = Problem { title: "This request cannot be answered", message, gateway: self.gateway.as_str() };
        page.respond(StatusCode::BAD_REQUEST)
    }

    fn discovery(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "userinfo_endpoint": at("/userinfo"),
            "jwks_uri": at("/jwks.json"),
            "end_session_endpoint": at("/logout"),
            "scopes_supported": ["openid", "profile", "email", "groups"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "prompt_values_supported": ["none", "login", "select_account", "consent"],
            "acr_values_supported": ["urn:rolegate:sandbox:mfa", "urn:rolegate:sandbox:password"],
            "claims_supported": [
                "sub", "name", "given_name", "preferred_username", "email", "email_verified", "groups", "cost_center", "auth_time",
                "acr", "amr", "nonce", "sid"
            ],
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        })
    }
}

/// What the provider says about a person, beside the protocol's own claims.
fn claims_of(person: &Person) -> Value {
    json!({
        "sub": person.id,
        "name": person.name,
        "given_name": person.name,
        "preferred_username": person.id,
        "email": person.email(),
        "email_verified": true,
        "groups": person.groups,
        "cost_center": person.cost_center,
    })
}

/// The provider's addresses.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/", web::get().to(home))
        .route("/.well-known/openid-configuration", web::get().to(|idp: web::Data<Idp>| async move { web::Json(idp.discovery()) }))
        .route("/jwks.json", web::get().to(|idp: web::Data<Idp>| async move { web::Json(idp.signer.public_keys()) }))
        .route("/authorize", web::get().to(authorize::by_query))
        .route("/authorize", web::post().to(authorize::by_form))
        .route("/sign-in", web::post().to(authorize::sign_in))
        .route("/token", web::post().to(token::token))
        .route("/userinfo", web::get().to(token::userinfo))
        .route("/userinfo", web::post().to(token::userinfo))
        .route("/logout", web::get().to(logout::by_query))
        .route("/logout", web::post().to(logout::by_form))
        .route("/logout/confirm", web::post().to(logout::confirm))
        .configure(saml::routes);
}

async fn home(idp: web::Data<Idp>) -> HttpResponse {
    let message = "This is the sandbox's identity provider. Sign-in starts at the gateway, which sends you here.";
    Problem { title: "Sandbox identity provider", message, gateway: idp.gateway.as_str() }.respond(StatusCode::OK)
}
