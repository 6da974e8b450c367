//! What is not a page for people: health, files, and the issuer's documents.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use actix_web::{HttpRequest, HttpResponse, web};

use super::site::Site;
use super::trouble::PageError;
use super::{assets, compression};
use crate::gateway::Readiness;

/// How long AWS and others may keep the issuer's documents, in seconds. Keys are published ahead of their use by far longer.
const DOCUMENT_SECONDS: u32 = 300;

/// `GET /healthz`: the process answers.
pub(super) async fn health() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// `GET /readyz`: the store answers and the record can be written, so people can be served; and they will be for a while.
pub(super) async fn ready(site: web::Data<Site>) -> HttpResponse {
    let Readiness { store, audit, audit_behind } = site.gateway.readiness().await;
    let word = |good| if good { "ok" } else { "unavailable" };
    let behind = if audit_behind > 0 { format!(", {audit_behind} of its sinks behind") } else { String::new() };
    let leaving = site.is_leaving();
    let last = if leaving { "this gateway is stopping\n" } else { "" };
    let body = format!("store: {}\naudit: {}{behind}\n{last}", word(store), word(audit));
    let mut response = if store && audit && !leaving { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.content_type("text/plain; charset=utf-8").body(body)
}

/// `GET /static/{file}`: a built-in file, or one of the brand's. Its name has the digest of its bytes in it, so it may be kept for ever.
pub(super) async fn asset(request: HttpRequest, site: web::Data<Site>, file: web::Path<String>) -> Result<HttpResponse, PageError> {
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"));
    let Some(file) = assets::find(&file) else {
        let (bytes, mime) = site.brand.find(&file).ok_or(PageError::NotFound)?;
        return Ok(response.insert_header((CONTENT_TYPE, mime)).body(bytes));
    };
    response.insert_header((CONTENT_TYPE, file.mime)).insert_header((VARY, "accept-encoding"));
    if compression::takes_gzip(request.headers()) {
        return Ok(response.insert_header((CONTENT_ENCODING, "gzip")).body(file.compressed));
    }
    Ok(response.body(file.bytes))
}

/// The discovery document that AWS reads.
pub(super) async fn discovery(site: web::Data<Site>) -> HttpResponse {
    document(site.gateway.issuer.discovery())
}

/// The key set that AWS reads.
pub(super) async fn key_set(site: web::Data<Site>) -> HttpResponse {
    document(site.gateway.issuer.key_set())
}

/// `GET /saml/idp/metadata`: Rolegate as the SAML identity provider that IAM trusts.
pub(super) async fn saml_metadata(site: web::Data<Site>) -> Result<HttpResponse, PageError> {
    let saml = site.gateway.issuer.saml().ok_or(PageError::NotFound)?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, format!("public, max-age={DOCUMENT_SECONDS}")))
        .content_type("application/samlmetadata+xml")
        .body(saml.metadata().to_owned()))
}

fn document(json: &str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, format!("public, max-age={DOCUMENT_SECONDS}")))
        .content_type("application/json")
        .body(json.to_owned())
}

/// Everything else.
pub(super) async fn not_found() -> Result<HttpResponse, PageError> {
    Err(PageError::NotFound)
}
