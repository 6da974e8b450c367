//! The OAuth face: how a command line comes to a session, and a workload to credentials. Requests and answers in the words of RFC 6749, 7009,
//! 8414, 8628 and 8693; what they mean is [`Gateway`](crate::gateway::Gateway)'s.
//!
//! | file | addresses |
//! | --- | --- |
//! | `authorize` | `/oauth2/authorize`: the page that asks, beside the command line |
//! | `device` | `/device`: the page that asks, for another machine; `/oauth2/device_authorization` |
//! | `token`; `grants`, `exchange` | `/oauth2/token` |
//! | `revoke` | `/oauth2/revoke` |
//! | `metadata` | `/.well-known/oauth-authorization-server` |

pub(super) mod application;
pub(super) mod authorize;
pub(super) mod device;
mod exchange;
mod grants;
pub(super) mod metadata;
pub(super) mod revoke;
pub(super) mod token;

use std::collections::HashMap;

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::limit;
use super::visitor::Visitor;
use crate::gateway::{CLIENT_ID, Failure, Trouble};

/// An error as a program reads it (RFC 6749 section 5.2).
#[derive(Debug)]
pub(super) struct OAuthError {
    pub(super) code: &'static str,
    status: StatusCode,
    description: String,
    /// In seconds.
    retry_after: Option<u64>,
}

impl OAuthError {
    /// A request that is refused: 400, with one of the standards' codes. The description is ours, in ASCII and without quotes.
    pub(super) fn new(code: &'static str, description: &str) -> Self {
        Self { code, status: StatusCode::BAD_REQUEST, description: description.to_owned(), retry_after: None }
    }

    pub(super) fn invalid_request(description: &str) -> Self {
        Self::new("invalid_request", description)
    }

    /// Somebody asks too often.
    pub(super) fn too_many(description: &str, retry_after: u64) -> Self {
        Self { status: StatusCode::TOO_MANY_REQUESTS, retry_after: Some(retry_after), ..Self::new("temporarily_unavailable", description) }
    }
}

impl From<Failure> for OAuthError {
    fn from(failure: Failure) -> Self {
        let why = match failure.trouble {
            Trouble::Store => "the store cannot be reached",
            Trouble::Audit => "the audit trail cannot be written",
            _ => "the gateway failed",
        };
        let description = format!("{why}; incident {}", failure.incident);
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self { status, retry_after: Some(5), ..Self::new("temporarily_unavailable", &description) }
    }
}

impl From<OAuthError> for HttpResponse {
    fn from(error: OAuthError) -> Self {
        let mut response = Self::build(error.status);
        if let Some(seconds) = error.retry_after {
            response.insert_header((RETRY_AFTER, seconds));
        }
        response.json(json!({ "error": error.code, "error_description": error.description }))
    }
}

/// Puts an error in the standard's form into the bare answer of one that arose around the handlers: another method, another site's page, a time
/// that ran out.
pub(super) fn with_error(mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || (response.headers().contains_key(CONTENT_TYPE) && response.response().error().is_none()) {
        return response;
    }
    let why = match status {
        StatusCode::METHOD_NOT_ALLOWED => "this address answers to POST",
        StatusCode::FORBIDDEN => "programs ask here, never a page in a browser",
        StatusCode::REQUEST_TIMEOUT => "the request took too long to arrive",
        StatusCode::TOO_MANY_REQUESTS => "too many requests: ask again later",
        _ => "the request cannot be read or answered",
    };
    let code =
        if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS { "invalid_request" } else { "temporarily_unavailable" };
    let body = json!({ "error": code, "error_description": why }).to_string();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.map_body(|_, _| BoxBody::new(body))
}

/// A good answer, or an error, both as JSON that nobody keeps.
pub(super) fn answer(result: Result<serde_json::Value, OAuthError>) -> HttpResponse {
    match result {
        Ok(value) => HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(value),
        Err(error) => error.into(),
    }
}

/// The form of a program.
pub(super) type ProgramForm = Result<web::Form<Vec<(String, String)>>, actix_web::Error>;

/// The parameters of a program's request.
pub(super) struct Parameters(HashMap<String, String>);

impl Parameters {
    /// Reads them: all in the body, each once (RFC 6749 section 3.2), so that no secret stands in an address.
    pub(super) fn read(request: &HttpRequest, form: ProgramForm) -> Result<Self, OAuthError> {
        if !request.query_string().is_empty() {
            return Err(OAuthError::invalid_request("parameters belong into the body, never into the address"));
        }
        let unread = |_| {
            OAuthError::invalid_request("the body is not a form that is read here: application/x-www-form-urlencoded, of ordinary size")
        };
        let mut parameters = HashMap::new();
        for (name, value) in form.map_err(unread)?.into_inner() {
            if parameters.insert(name, value).is_some() {
                return Err(OAuthError::invalid_request("a parameter stands there twice"));
            }
        }
        Ok(Self(parameters))
    }

    /// A parameter that may be left out; an empty one counts as left out (RFC 6749 section 3.2).
    pub(super) fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn required(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.optional(name).ok_or_else(|| OAuthError::invalid_request(&format!("the parameter {name} is missing")))
    }

    /// Insists on the one client that there is. It has no secret: its name says what asks, and proves nothing.
    pub(super) fn of_our_client(&self) -> Result<(), OAuthError> {
        if self.required("client_id")? == CLIENT_ID {
            Ok(())
        } else {
            Err(OAuthError::new("invalid_client", "the client is not known here"))
        }
    }
}

/// Counts a program's request as a sign-in of its address.
pub(super) async fn within_limit(visitor: &Visitor) -> Result<(), OAuthError> {
    match limit::wait_to_verify(visitor).await {
        None => Ok(()),
        Some(seconds) => Err(OAuthError::too_many("very many requests came from this network within a short time", seconds)),
    }
}
