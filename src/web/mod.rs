//! HTTP in, HTTP out. A handler reads the request, makes one call to the [`Gateway`](crate::gateway::Gateway), and answers: no rule
//! and no protocol lives here.
//!
//! | file | pages |
//! | --- | --- |
//! | `login` | `/login`, `/login/initiate`, `/login/{provider}`, `/callback/{provider}` |
//! | `saml` | `/saml/{provider}/acs`, `/saml/{provider}/slo`, `/saml/{provider}/metadata`, `/switch` |
//! | `portal` | `/`, `/go` |
//! | `choices` | `/choices` |
//! | `explain` | `/explain` |
//! | `issue` | `/console`, `/credentials`, `/credentials/{handover}`, `/credentials/download` |
//! | `requests` | `/requests`, `/requests/decide`, `/requests/withdraw` |
//! | `several` | `/several`, `/several/{handover}`, `/several/download` |
//! | `rooms` | `/audit`, `/audit/chart`, `/audit/export`, `/audit/event/{incident}`, `/admin`, `/admin/sessions`, `/admin/requests`, `/admin/playground` |
//! | `step_up` | `/step-up` |
//! | `oauth` | `/oauth2/…`, `/device`, `/.well-known/oauth-authorization-server` |
//! | `logout` | `/logout`, `/signed-out`, `/logout/backchannel/{provider}`, `/logout/frontchannel/{provider}` |
//! | `api` | `/api/v1/…`: the same for programs, in JSON |
//! | `plain` | `/healthz`, `/readyz`, `/static/{file}`, the issuer's documents, `/saml/idp/metadata` |
//!
//! `metrics` serves `/metrics`, on a listener of its own.
//!
//! Around all of them stands `guard`: it checks where a POST comes from, turns failures into pages, and sets the headers. What reaches no
//! handler is in `unfit`; `connection` ends a connection whose next request does not come.

mod api;
mod brand;
mod choices;
mod compression;
mod connection;
mod cookies;
mod depart;
mod explain;
mod guard;
mod issue;
mod limit;
mod listing;
mod login;
mod logout;
mod metrics;
mod oauth;
mod plain;
mod portal;
mod refusal;
mod requests;
mod rooms;
mod saml;
mod server;
mod several;
mod site;
mod step_up;
mod tls;
mod trouble;
mod unfit;
mod visitor;
mod workload;

pub mod assets;
pub mod views;

use actix_web::guard::{Any, Get, Head};
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Resource, Route};

pub use brand::BrandSettings;
pub use metrics::serve_metrics;
pub use server::{Running, ServerOptions, serve};
pub use site::{Site, SiteSettings};
pub use tls::{Tls, TlsSettings};

use trouble::PageError;
use unfit::Unfit;

/// Every route there is, in one list.
fn routes(config: &mut ServiceConfig, site: &Site) {
    let issuer_path = site.issuer_path();
    let documents = format!("{issuer_path}/.well-known");
    let read_only = "GET, HEAD";
    let pages = [
        page("/", read_only, get_or_head().to(portal::home)),
        page("/go", read_only, get_or_head().to(portal::go)),
        page("/choices", "POST", web::post().to(choices::choose)),
        page("/explain", read_only, get_or_head().to(explain::explain)),
        page("/login", "GET, HEAD, POST", get_or_head().to(login::choose)).route(web::post().to(login::by_email)),
        of_others("/login/initiate", "GET, POST", web::post().to(login::initiate_by_form)).route(web::get().to(login::initiate)),
        page("/login/{provider}", "GET", web::get().to(login::begin)),
        page("/callback/{provider}", "GET", web::get().to(login::callback)),
        of_others("/saml/{provider}/acs", "POST", web::post().to(saml::consume)),
        of_others("/saml/{provider}/slo", "GET, POST", web::post().to(saml::slo_post)).route(web::get().to(saml::slo_query)),
        of_others("/logout/backchannel/{provider}", "POST", web::post().to(logout::back_channel)),
        page("/logout/frontchannel/{provider}", "GET", web::get().to(logout::front_channel)),
        page("/saml/idp/metadata", read_only, get_or_head().to(plain::saml_metadata)),
        page("/saml/{provider}/metadata", read_only, get_or_head().to(saml::metadata)),
        page("/console", "POST", web::post().to(issue::console)),
        page("/credentials", "POST", web::post().to(issue::credentials)),
        page("/credentials/download", "POST", web::post().to(issue::download)),
        page("/credentials/{handover}", "GET", web::get().to(issue::show)),
        page("/several", "GET, HEAD, POST", web::post().to(several::take)).route(get_or_head().to(several::choose)),
        page("/several/download", "POST", web::post().to(several::download)),
        page("/several/{handover}", "GET", web::get().to(several::show)),
        page("/requests", "GET, HEAD, POST", web::post().to(requests::ask)).route(get_or_head().to(requests::list)),
        page("/requests/decide", "POST", web::post().to(requests::decide)),
        page("/requests/withdraw", "POST", web::post().to(requests::withdraw)),
        page("/step-up", "POST", web::post().to(step_up::step_up)),
        page("/logout", "POST", web::post().to(logout::log_out)),
        page("/switch", "POST", web::post().to(saml::switch)),
        page("/signed-out", read_only, get_or_head().to(logout::signed_out)),
        page("/healthz", read_only, get_or_head().to(plain::health)),
        page("/readyz", read_only, get_or_head().to(plain::ready)),
        page("/static/{file}", read_only, get_or_head().to(plain::asset)),
        page(&format!("{documents}/openid-configuration"), read_only, get_or_head().to(plain::discovery)),
        page(&format!("{documents}/jwks.json"), read_only, get_or_head().to(plain::key_set)),
    ];
    for page in pages.into_iter().chain(rooms::resources()).chain(oauth_addresses(site)).chain(api::resources(site)) {
        config.service(page.wrap(from_fn(guard::limit)));
    }
    config.default_service(web::to(plain::not_found));
}

/// The addresses by which command lines are let in, and workloads get credentials, as far as the configuration lets them.
fn oauth_addresses(site: &Site) -> Vec<Resource> {
    let settings = &site.gateway.command_line;
    let mut pages = vec![
        of_programs("/oauth2/token", web::post().to(oauth::token::token)),
        of_programs("/oauth2/revoke", web::post().to(oauth::revoke::revoke)),
    ];
    let metadata = || page("/.well-known/oauth-authorization-server", "GET, HEAD", get_or_head().to(oauth::metadata::metadata));
    if settings.enabled {
        pages.extend([
            metadata(),
            page("/oauth2/authorize", "GET, POST", web::post().to(oauth::authorize::decide)).route(web::get().to(oauth::authorize::ask)),
        ]);
    } else if !site.gateway.workload_providers.is_empty() {
        pages.push(metadata());
    }
    if settings.enabled && settings.device_codes {
        pages.extend([
            of_programs("/oauth2/device_authorization", web::post().to(oauth::device::authorization)),
            page("/device", "GET, POST", web::post().to(oauth::device::decide)).route(web::get().to(oauth::device::ask)),
        ]);
    }
    pages
}

/// An address that programs post to, as `guard` knows. What cannot be read there is told in their words.
fn of_programs(path: &str, route: Route) -> Resource {
    page(path, "POST", route)
}

/// Monitors, caches and checkers of links ask by HEAD. Where a GET uses something up, as a login's state or credentials that are shown once,
/// HEAD is not answered: who asks so gets nothing for it.
fn get_or_head() -> Route {
    web::route().guard(Any(Get()).or(Head()))
}

/// An address that other sites and programs post to, as `guard` knows: SAML messages are larger than any form of ours.
fn of_others(path: &str, allowed: &'static str, route: Route) -> Resource {
    let form = web::FormConfig::default().limit(saml::LARGEST_FORM).error_handler(|error, _| unfit::unread(&error).into());
    page(path, allowed, route).app_data(form).app_data(web::PayloadConfig::new(saml::LARGEST_FORM))
}

/// One address with the methods that it answers to, as its routes have them; every other method is refused with this list.
fn page(path: &str, allowed: &'static str, route: Route) -> Resource {
    let refuse = move || async move { Err::<HttpResponse, _>(PageError::Unfit(Unfit::Method(allowed))) };
    web::resource(path).route(route).default_service(web::to(refuse))
}
