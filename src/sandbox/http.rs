//! What both servers of the sandbox do alike: read parameters, dress pages, and refuse who comes under another name.

use std::collections::HashMap;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use url::{Url, form_urlencoded};

/// Bodies above this are refused: room for the longest SAML response that STS takes, every character escaped.
pub(super) const BODY_LIMIT: usize = 320 * 1024;

/// Parameters of a query or a posted form, each at most once.
pub(super) struct Params(HashMap<String, String>);

/// Why a request has no usable parameters.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadParams {
    #[error("the body is not application/x-www-form-urlencoded")]
    NotAForm,
    #[error("the parameter {0} is given more than once")]
    Repeated(String),
}

impl Params {
    pub(super) fn of_query(request: &HttpRequest) -> Result<Self, BadParams> {
        Self::parse(request.query_string().as_bytes())
    }

    pub(super) fn of_form(request: &HttpRequest, body: &[u8]) -> Result<Self, BadParams> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") { Self::parse(body) } else { Err(BadParams::NotAForm) }
    }

    pub(super) fn parse(encoded: &[u8]) -> Result<Self, BadParams> {
        let mut params = HashMap::new();
        for (name, value) in form_urlencoded::parse(encoded) {
            if params.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(BadParams::Repeated(name.into_owned()));
            }
        }
        Ok(Self(params))
    }

    /// The value as it was sent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value, where an empty one counts as absent (RFC 6749 section 3.1).
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// A page that says what went wrong and where to go.
#[derive(Template)]
#[template(path = "sandbox/problem.html")]
pub(super) struct Problem<'a> {
    pub(super) title: &'a str,
    pub(super) message: &'a str,
    pub(super) gateway: &'a str,
}

impl Problem<'_> {
    pub(super) fn respond(&self, status: StatusCode) -> HttpResponse {
        page(status, self, &[])
    }
}

/// A page under a policy that allows no script, nothing foreign and no frame. Browsers hold redirects after a form post to `form-action`
/// too, so a form that ends in a redirect must name the redirect's target.
pub(super) fn page(status: StatusCode, template: &impl Template, form_targets: &[String]) -> HttpResponse {
    dress(status, template, form_targets, "")
}

/// A page that may run the sandbox's own script.
pub(super) fn page_with_script(template: &impl Template, form_targets: &[String]) -> HttpResponse {
    dress(StatusCode::OK, template, form_targets, "script-src 'self'; ")
}

fn dress(status: StatusCode, template: &impl Template, form_targets: &[String], script: &str) -> HttpResponse {
    let Ok(body) = template.render() else {
        return HttpResponse::InternalServerError().finish();
    };
    let policy = format!(
        "default-src 'none'; style-src 'self'; {script}base-uri 'none'; frame-ancestors 'none'; form-action 'self' {}",
        form_targets.join(" ")
    );
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body)
}

/// The browser goes on by GET. Such addresses carry codes, so nobody may keep them.
pub(super) fn see_other(to: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, to)).insert_header((header::CACHE_CONTROL, "no-store")).finish()
}

/// A session cookie. Browsers share cookies between all ports of 127.0.0.1, so each name must be unlike every other program's.
pub(super) fn cookie(name: &'static str, value: String) -> Cookie<'static> {
    Cookie::build(name, value).path("/").http_only(true).same_site(SameSite::Lax).finish()
}

/// Whether a form was posted from one of this server's own pages, as far as the browser says.
pub(super) fn is_from_own_page(request: &HttpRequest, origin: &Url) -> bool {
    let sent = request.headers().get(header::ORIGIN).and_then(|sent| sent.to_str().ok());
    sent.is_none_or(|sent| sent == origin.origin().ascii_serialization())
}

/// Where a server stands: the only names that it answers to.
pub(super) struct Names(Vec<String>);

impl Names {
    pub(super) fn of(origin: &Url) -> Self {
        let port = origin.port_or_known_default().unwrap_or_default();
        Self(vec![format!("{}:{port}", origin.host_str().unwrap_or_default()), format!("localhost:{port}")])
    }
}

/// Refuses requests for another host name (a page elsewhere could have its own name resolve to loopback), and adds what every answer needs.
pub(super) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let known = request.app_data::<web::Data<Names>>().is_some_and(|names| names.0.iter().any(|name| name.eq_ignore_ascii_case(host)));
    let mut response = if known {
        next.call(request).await?.map_into_boxed_body()
    } else {
        let refusal = HttpResponse::MisdirectedRequest().body("Sandbox: this server answers to its loopback address only.");
        request.into_response(refusal)
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    // Not `no-referrer`: with that browsers send `Origin: null` with our own forms.
    headers.insert(header::REFERRER_POLICY, header::HeaderValue::from_static("same-origin"));
    headers.insert(header::HeaderName::from_static("x-sandbox"), header::HeaderValue::from_static("nothing here is real"));
    Ok(response)
}

/// The one script, of the one page that has any.
pub(super) async fn script() -> HttpResponse {
    HttpResponse::Ok().content_type("text/javascript; charset=utf-8").body(include_str!("../../static/sandbox.js"))
}

/// The one stylesheet of all sandbox pages.
pub(super) async fn stylesheet() -> HttpResponse {
    HttpResponse::Ok().content_type("text/css; charset=utf-8").body(include_str!("../../static/sandbox.css"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_parameter_is_refused() {
        assert_eq!(Params::parse(b"a=1&b=2&a=1").err(), Some(BadParams::Repeated("a".into())));
        let params = Params::parse(b"a=1+2&b=").unwrap();
        assert_eq!((params.get("a"), params.get("b"), params.filled("b")), (Some("1 2"), Some(""), None));
    }
}
