//! HTTP in, HTTP out. A handler reads the request, makes one call to the [`Gateway`](crate::gateway::Gateway), and answers: no rule
//! and no protocol lives here.
//!
//! | file | pages |
//! | --- | --- |
//! | `login` | `/login`, `/login/{provider}`, `/callback/{provider}` |
//! | `portal` | `/`, `/go` |
//! | `issue` | `/console`, `/credentials`, `/credentials/{handover}`, `/credentials/download` |
//! | `logout` | `/logout`, `/signed-out` |
//! | `plain` | `/healthz`, `/readyz`, `/static/{file}`, the issuer's documents |
//!
//! Around all of them stands `guard`: it checks where a POST comes from, turns failures into pages, and sets the headers.

mod cookies;
mod guard;
mod issue;
mod login;
mod logout;
mod plain;
mod portal;
mod server;
mod site;
mod trouble;
mod visitor;

pub mod assets;
pub mod views;

use actix_web::web::{self, ServiceConfig};

pub use server::{Running, ServerOptions, serve};
pub use site::{Site, SiteSettings};

/// Every route there is, in one list.
fn routes(config: &mut ServiceConfig, site: &Site) {
    let issuer_path = site.issuer_path();
    config
        .route("/", web::get().to(portal::home))
        .route("/go", web::get().to(portal::go))
        .route("/login", web::get().to(login::choose))
        .route("/login", web::post().to(login::by_email))
        .route("/login/{provider}", web::get().to(login::begin))
        .route("/callback/{provider}", web::get().to(login::callback))
        .route("/console", web::post().to(issue::console))
        .route("/credentials", web::post().to(issue::credentials))
        .route("/credentials/download", web::post().to(issue::download))
        .route("/credentials/{handover}", web::get().to(issue::show))
        .route("/logout", web::post().to(logout::log_out))
        .route("/signed-out", web::get().to(logout::signed_out))
        .route("/healthz", web::get().to(plain::health))
        .route("/readyz", web::get().to(plain::ready))
        .route("/static/{file}", web::get().to(plain::asset))
        .route(&format!("{issuer_path}/.well-known/openid-configuration"), web::get().to(plain::discovery))
        .route(&format!("{issuer_path}/.well-known/jwks.json"), web::get().to(plain::key_set))
        .default_service(web::to(plain::not_found));
}
