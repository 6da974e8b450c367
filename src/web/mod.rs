//! HTTP in, HTTP out. A handler reads the request, makes one call to the [`Gateway`](crate::gateway::Gateway), and answers: no rule
//! and no protocol lives here.
//!
//! | file | pages |
//! | --- | --- |
//! | `login` | `/login`, `/login/initiate`, `/login/{provider}`, `/callback/{provider}` |
//! | `saml` | `/saml/{provider}/acs`, `/saml/{provider}/slo`, `/saml/{provider}/metadata` |
//! | `portal` | `/`, `/go` |
//! | `issue` | `/console`, `/credentials`, `/credentials/{handover}`, `/credentials/download` |
//! | `logout` | `/logout`, `/signed-out`, `/logout/backchannel/{provider}`, `/logout/frontchannel/{provider}` |
//! | `plain` | `/healthz`, `/readyz`, `/static/{file}`, the issuer's documents |
//!
//! Around all of them stands `guard`: it checks where a POST comes from, turns failures into pages, and sets the headers.

mod cookies;
mod depart;
mod guard;
mod issue;
mod limit;
mod login;
mod logout;
mod plain;
mod portal;
mod saml;
mod server;
mod site;
mod trouble;
mod visitor;

pub mod assets;
pub mod views;

use actix_web::guard::{Any, Get, Head};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{Resource, Route};

pub use server::{Running, ServerOptions, serve};
pub use site::{Site, SiteSettings};

/// Every route there is, in one list.
fn routes(config: &mut ServiceConfig, site: &Site) {
    let issuer_path = site.issuer_path();
    let documents = format!("{issuer_path}/.well-known");
    let pages = [
        page("/", web::get().to(portal::home)),
        page("/go", web::get().to(portal::go)),
        page("/login", web::get().to(login::choose)).route(web::post().to(login::by_email)),
        page("/login/initiate", web::get().to(login::initiate)),
        page("/login/{provider}", web::get().to(login::begin)),
        page("/callback/{provider}", web::get().to(login::callback)),
        of_others("/saml/{provider}/acs", web::post().to(saml::consume)),
        of_others("/saml/{provider}/slo", web::post().to(saml::slo_post)).route(web::get().to(saml::slo_query)),
        of_others("/logout/backchannel/{provider}", web::post().to(logout::back_channel)),
        page("/logout/frontchannel/{provider}", web::get().to(logout::front_channel)),
        page("/saml/{provider}/metadata", get_or_head().to(saml::metadata)),
        page("/console", web::post().to(issue::console)),
        page("/credentials", web::post().to(issue::credentials)),
        page("/credentials/download", web::post().to(issue::download)),
        page("/credentials/{handover}", web::get().to(issue::show)),
        page("/logout", web::post().to(logout::log_out)),
        page("/signed-out", web::get().to(logout::signed_out)),
        page("/healthz", get_or_head().to(plain::health)),
        page("/readyz", get_or_head().to(plain::ready)),
        page("/static/{file}", get_or_head().to(plain::asset)),
        page(&format!("{documents}/openid-configuration"), get_or_head().to(plain::discovery)),
        page(&format!("{documents}/jwks.json"), get_or_head().to(plain::key_set)),
    ];
    for page in pages {
        config.service(page.wrap(from_fn(guard::limit)));
    }
    config.default_service(web::to(plain::not_found));
}

/// Monitors and caches ask by HEAD. Pages about people are not asked for so: one of them shows what it shows only once.
fn get_or_head() -> Route {
    web::route().guard(Any(Get()).or(Head()))
}

/// An address that other sites and programs post to, as `guard` knows: SAML messages are larger than any form of ours.
fn of_others(path: &str, route: Route) -> Resource {
    let form = web::FormConfig::default().limit(saml::LARGEST_FORM).error_handler(|_, _| trouble::PageError::Unreadable.into());
    page(path, route).app_data(form).app_data(web::PayloadConfig::new(saml::LARGEST_FORM))
}

/// One address; what it does not answer to is refused with 405.
fn page(path: &str, route: Route) -> Resource {
    web::resource(path).route(route)
}
