//! `GET /metrics` on a listener of its own: what a monitor may know, in OpenMetrics text.
//!
//! It shares nothing with the pages: no cookie, no session, no limit, and no address. Labels come from small closed sets, so that no number is about a
//! person: `http` counts requests as they are answered, `sheet` reads all else when it is asked for, from where the administrators' room reads it and
//! from what the audit trail counted.

mod http;
mod process;
mod sheet;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::KeepAlive;
use actix_web::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use actix_web::{App, HttpResponse, HttpServer, web};
use prometheus_client::encoding::text::encode;
use tokio::sync::Mutex;
use tokio::time::Instant;

pub(super) use http::HttpMetrics;

use super::server::Running;
use super::site::Site;
use crate::clock::Moment;
use crate::gateway::Readiness;

/// The media type of OpenMetrics 1.0.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How long one answer of store and trail serves, so that who scrapes often asks them no more often.
const KEPT: Duration = Duration::from_secs(1);
/// How long each of them is waited for: below the ten seconds after which Prometheus gives a scrape up, which would tell nobody what is wrong.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a client may take to send a request's head.
const HEAD: Duration = Duration::from_secs(5);
/// How many connections there may be at a time.
const MOST_CONNECTIONS: usize = 64;

/// What is kept between two scrapes.
struct Metrics {
    site: Arc<Site>,
    /// When the process began to serve.
    started: Moment,
    readiness: Mutex<Option<(Instant, Readiness)>>,
}

impl Metrics {
    /// How store and trail do, by the code of `/readyz`.
    async fn readiness(&self) -> Readiness {
        // Who comes meanwhile waits for this answer instead of asking for another one.
        let mut kept = self.readiness.lock().await;
        if let Some((at, readiness)) = *kept
            && at.elapsed() < KEPT
        {
            return readiness;
        }
        let readiness = self.site.gateway.readiness_within(PATIENCE).await;
        *kept = Some((Instant::now(), readiness));
        readiness
    }
}

/// Serves a site's metrics on a listener that is not the site's.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve_metrics(site: Arc<Site>, listener: TcpListener) -> io::Result<Running> {
    let address = listener.local_addr()?;
    let started = site.gateway.now();
    let metrics = web::Data::new(Metrics { site, started, readiness: Mutex::new(None) });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(metrics.clone())
            .service(web::resource("/metrics").route(web::get().to(scrape)).default_service(web::to(HttpResponse::NotFound)))
            .default_service(web::to(HttpResponse::NotFound))
    })
    .workers(1)
    .max_connections(MOST_CONNECTIONS)
    .client_request_timeout(HEAD)
    // Nobody can stall on a connection that ends with its answer.
    .keep_alive(KeepAlive::Disabled)
    .shutdown_timeout(1)
    .disable_signals();
    Ok(Running::start(server.listen(listener)?.run(), address))
}

/// `GET /metrics`.
async fn scrape(metrics: web::Data<Metrics>) -> HttpResponse {
    let Metrics { site, started, .. } = &**metrics;
    let status = site.gateway.status_with(metrics.readiness().await);
    let registry = sheet::fill(site, &status, *started);
    let mut text = String::new();
    if let Err(error) = encode(&mut text, &registry) {
        tracing::error!(%error, "the metrics cannot be written");
        return HttpResponse::InternalServerError().finish();
    }
    HttpResponse::Ok()
        .content_type(OPENMETRICS)
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(text)
}
