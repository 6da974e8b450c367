//! What stands around every request: where a POST comes from, the page for a failure, the headers, one line in the log.

use std::borrow::Cow;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};
use askama::Template;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument, Level, Span};

use super::api;
use super::connection::Connection;
use super::oauth;
use super::site::Site;
use super::trouble::{PageError, page};
use crate::request_id::RequestId;
use crate::spans;

/// What answers have their request's id in.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SEC_FETCH_SITE: &str = "sec-fetch-site";
/// The longest method that the log repeats: the registered ones are shorter.
const LONGEST_METHOD: usize = 20;
/// The most of a path that the log repeats, in bytes.
const LONGEST_PLACE: usize = 200;
/// From this length on a word in a path may be an id that is a secret, or a part of one. They have 43 characters.
const SHORTEST_ID: usize = 16;

/// The middleware.
pub(super) async fn guard<B: MessageBody + 'static>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = RequestId::next();
    id.within(guarded(request, next, id)).await
}

async fn guarded<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
    id: RequestId,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(site) = request.app_data::<web::Data<Site>>().cloned() else {
        return Ok(request.into_response(HttpResponse::InternalServerError().finish()));
    };
    if let Some(connection) = request.conn_data::<Connection>() {
        connection.asked();
    }
    let counted = site.http.as_ref().map(|http| (http, Instant::now()));
    let span = span(&request);
    let answered = if comes_from_us(&site, &request) {
        next.call(request).instrument(span.clone()).await?.map_into_boxed_body()
    } else {
        let (request, _) = request.into_parts();
        ServiceResponse::from_err(PageError::Forged, request)
    };
    let path = answered.request().path();
    let mut response = if api::is_api(path) {
        api::with_problem(answered)
    } else if is_for_programs(path) {
        oauth::with_error(answered)
    } else {
        with_page(&site, answered)
    };
    set_headers(&site, &mut response);
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    match response.request().conn_data::<Connection>() {
        Some(connection) => connection.answered(response.status().is_client_error()),
        // Nobody watches this one, so it ends here.
        None => response.response_mut().head_mut().set_connection_type(ConnectionType::Close),
    }
    let pattern = response.request().match_pattern();
    tell(&span, response.status());
    log(&response, pattern.as_deref());
    if let Some((http, began)) = counted {
        http.answered(pattern, response.request().method(), response.status(), began.elapsed());
    }
    Ok(response)
}

/// What traces have of a request. Whoever asks is not believed about what belongs to it: anybody could.
fn span(request: &ServiceRequest) -> Span {
    if !tracing::enabled!(target: spans::TARGET, Level::TRACE) {
        return Span::none();
    }
    let (method, pattern) = (known_method(request.method()), request.match_pattern());
    tracing::trace_span!(
        target: spans::TARGET,
        "request",
        otel.kind = "server",
        otel.name = pattern.as_deref().map(|pattern| format!("{method} {pattern}")).as_deref().unwrap_or(method),
        http.request.method = method,
        http.route = pattern,
        http.response.status_code = Empty,
        otel.status_code = Empty,
    )
}

/// How it ended, for traces.
fn tell(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

/// Anybody may make up a method, of any length.
fn known_method(method: &Method) -> &str {
    Some(method.as_str()).filter(|method| method.len() <= LONGEST_METHOD).unwrap_or("…")
}

fn log(response: &ServiceResponse<BoxBody>, pattern: Option<&str>) {
    let request = response.request();
    let method = known_method(request.method());
    let place = pattern.map_or_else(|| Cow::Owned(unknown_place(request.path())), Cow::Borrowed);
    tracing::info!(method, path = %place, status = response.status().as_u16(), "answered");
}

/// A path that is none of ours, as it may stand in the log: short, and with nothing that could be an id, in whatever spelling of an address
/// it came. The query never gets here.
fn unknown_place(path: &str) -> String {
    let may_be_of_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '%' | '=');
    let mut place = String::new();
    for piece in path.split_inclusive(|c| !may_be_of_id(c)) {
        let word = piece.trim_end_matches(|c| !may_be_of_id(c));
        let end = piece.get(word.len()..).unwrap_or_default();
        place.extend([if word.len() < SHORTEST_ID { word } else { "…" }, end]);
        if place.len() > LONGEST_PLACE {
            place.truncate(place.floor_char_boundary(LONGEST_PLACE));
            place.push('…');
            break;
        }
    }
    place
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
    // No route takes another method: `routes` answers those with 405, and has nothing to be tricked into.
    if *request.method() != Method::POST {
        return true;
    }
    // The API looks by itself, at whether a cookie is what opens it: a bearer token is sent by nobody's browser of itself.
    if is_for_others(request.path()) || api::is_api(request.path()) {
        return true;
    }
    if is_for_programs(request.path()) {
        return is_no_browser(request.headers());
    }
    is_own_form(site, request.headers())
}

/// The addresses that programs post to, with nothing but what they say: a browser has no business there, so no site can use one for it.
fn is_for_programs(path: &str) -> bool {
    matches!(path, "/oauth2/token" | "/oauth2/revoke" | "/oauth2/device_authorization")
}

/// Whether a POST comes from something that is no browser: those say where it comes from, in one header at least.
fn is_no_browser(headers: &HeaderMap) -> bool {
    !headers.contains_key(SEC_FETCH_SITE) && !headers.contains_key(header::ORIGIN)
}

/// Whether the headers of a POST say that a page of ours sent it.
pub(super) fn is_own_form(site: &Site, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    match (text(SEC_FETCH_SITE), text("origin")) {
        (Some(from), _) if from != "same-origin" => false,
        // A page with the referrer policy `no-referrer` sends its forms with `Origin: null`.
        (Some(_), None | Some("null")) => true,
        (_, Some(origin)) => origin == site.origin,
        (None, None) => false,
    }
}

/// The addresses that other sites post to: what is posted there is signed, and serves once or ends sessions that it names; or it begins a
/// sign-in, as a link could.
fn is_for_others(path: &str) -> bool {
    let steps: Vec<_> = path.split('/').collect();
    matches!(steps.as_slice(), ["", "saml", _, "acs" | "slo"] | ["", "logout", "backchannel", _] | ["", "login", "initiate"])
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
    // The pages whose forms lead to AWS say where to.
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, site.content_security_policy.clone());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c1_a_place_in_the_log_holds_no_id_and_is_short() {
        let id = "q3Zr_-k".repeat(6) + "A";
        for (path, place) in [
            ("/wp-login.php".to_owned(), "/wp-login.php"),
            (format!("//credentials/{id}"), "//credentials/…"),
            (format!("/Credentials/{id}/"), "/Credentials/…/"),
            (format!("/credentials%2F{id}"), "/…"),
            (format!("/credentials;{id}.html?"), "/credentials;….html?"),
            (id.replace('q', "%2571").replace("Zr", "%255A%2572"), "…"),
            (String::new(), ""),
        ] {
            assert_eq!(unknown_place(&path), place, "{path}");
        }
        for long in ["/é".repeat(30_000), "/a".repeat(30_000), "/".to_owned() + &"é".repeat(30_000)] {
            let place = unknown_place(&long);
            assert!(place.len() <= LONGEST_PLACE + '…'.len_utf8() && place.ends_with('…'), "{place}");
        }
    }
}
