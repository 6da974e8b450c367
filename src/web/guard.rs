//! What stands around every request: where a POST comes from, the page for a failure, the headers, one line in the log.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};
use askama::Template;

use super::site::Site;
use super::trouble::{PageError, page};

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// The middleware.
pub(super) async fn guard<B: MessageBody + 'static>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(site) = request.app_data::<web::Data<Site>>().cloned() else {
        return Ok(request.into_response(HttpResponse::InternalServerError().finish()));
    };
    let method = request.method().clone();
    let path = request.path().to_owned();
    let answered = if comes_from_us(&site, &request) {
        next.call(request).await?.map_into_boxed_body()
    } else {
        let (request, _) = request.into_parts();
        ServiceResponse::from_err(PageError::Forged, request)
    };
    let mut response = with_page(&site, answered);
    set_headers(&site, &mut response);
    // Neither the query nor a handover's id belongs in a log.
    let place = if path.starts_with("/credentials/") { "/credentials/…" } else { path.as_str() };
    tracing::info!(%method, path = place, status = response.status().as_u16(), "answered");
    Ok(response)
}

/// Limits the time from a request's head to its answer. It stands behind the routing, where a second handle on the request may exist.
pub(super) async fn limit<B: MessageBody + 'static>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<BoxBody>, Error> {
    let allowed = request.app_data::<web::Data<Site>>().map(|site| site.settings.request_timeout).unwrap_or_default();
    let handle = request.request().clone();
    match tokio::time::timeout(allowed, next.call(request)).await {
        Ok(answered) => Ok(answered?.map_into_boxed_body()),
        Err(_) => Ok(ServiceResponse::from_err(PageError::TooSlow, handle)),
    }
}

/// Whether a request that changes something comes from a page of ours. Browsers say so in `Sec-Fetch-Site`; older ones in `Origin`; who says
/// neither is no browser, and only a browser can be tricked.
fn comes_from_us(site: &Site, request: &ServiceRequest) -> bool {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return true;
    }
    if is_for_others(request.path()) {
        return true;
    }
    let text = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    match (text(SEC_FETCH_SITE), text("origin")) {
        (Some(from), _) if from != "same-origin" => false,
        // A page with the referrer policy `no-referrer` sends its forms with `Origin: null`.
        (Some(_), None | Some("null")) => true,
        (_, Some(origin)) => origin == site.origin,
        (None, None) => false,
    }
}

/// The addresses that other sites post to: what is posted there is signed, and serves once or ends sessions that it names.
fn is_for_others(path: &str) -> bool {
    let steps: Vec<_> = path.split('/').collect();
    matches!(steps.as_slice(), ["", "saml", _, "acs" | "slo"] | ["", "logout", "backchannel", _])
}

/// Puts the page into the bare answer of an error, ours or the framework's.
fn with_page(site: &Site, mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let framework_error;
    let error = if let Some(error) = response.response().error().and_then(Error::as_error::<PageError>) {
        error
    } else if response.headers().contains_key(header::CONTENT_TYPE) && response.response().error().is_none() {
        // A handler's own page.
        return response;
    } else {
        framework_error = if status == StatusCode::NOT_FOUND { PageError::NotFound } else { PageError::Unreadable };
        &framework_error
    };
    let Ok(body) = page(site, error).render() else { return response };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response.map_body(|_, _| BoxBody::new(body))
}

fn set_headers(site: &Site, response: &mut ServiceResponse<BoxBody>) {
    const FIXED: [(&str, &str); 6] = [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ("server", "rolegate"),
    ];
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY)
        && let Ok(policy) = HeaderValue::from_str(&site.content_security_policy)
    {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if site.is_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if !headers.contains_key(header::REFERRER_POLICY) {
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    }
    // What does not say that it may be kept is not kept: every page here is about one person.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
