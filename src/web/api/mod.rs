//! The JSON API: all that the pages do, for programs. `docs/api.md` is its manual.
//!
//! | file | addresses |
//! | --- | --- |
//! | `person` | `/api/v1/me`, `/api/v1/roles`, `/api/v1/explain` |
//! | `issue` | `/api/v1/credentials`, `/api/v1/console` |
//! | `sessions` | `/api/v1/sessions`, `/api/v1/sessions/{id}` |
//! | `document` | `/api/v1/openapi.json` |
//!
//! [`places`] is the one list that both the routes and the OpenAPI document are made from, and what the document says of an operation is
//! taken from the types of its handler (`describe`). Every failure is a problem document (`problem`). Who asks is told by `who`.

mod describe;
mod document;
mod issue;
mod person;
mod problem;
mod sessions;
mod who;

use actix_web::error::{JsonPayloadError, PayloadError};
use actix_web::{HttpResponse, Resource, web};

pub(super) use problem::{Code, code, detail, is_api, with_problem};

use self::describe::{Operation, Verb};
use super::site::Site;
use super::trouble::PageError;
use super::unfit::Unfit;

/// Where the addresses of this version begin.
const BASE: &str = "/api/v1";

/// The longest explanation of a body that cannot be read, in bytes.
const LONGEST_WHY: usize = 200;

/// One address with its operations.
struct Place {
    path: &'static str,
    /// The methods of the operations, as the header `Allow` lists them.
    allowed: &'static str,
    operations: Vec<Operation>,
}

/// What may go wrong with an issuance.
const ISSUING: &[Code] = &[
    Code::TokenRefused,
    Code::NotGranted,
    Code::RequestNeeded,
    Code::FreshSignInNeeded,
    Code::DurationNotAllowed,
    Code::ReasonNeeded,
    Code::MfaCodeNeeded,
    Code::AwsRefused,
    Code::AwsUnavailable,
    Code::TooManyRequests,
];
/// What may go wrong on the way into the console.
const ENTERING: &[Code] = &[
    Code::NotGranted,
    Code::RequestNeeded,
    Code::FreshSignInNeeded,
    Code::DurationNotAllowed,
    Code::ReasonNeeded,
    Code::DestinationNotAllowed,
    Code::AwsRefused,
    Code::AwsUnavailable,
    Code::TooManyRequests,
];

/// Every address of the API, in the order of the document.
fn places() -> [Place; 8] {
    use Verb::{Delete, Get, Post};
    let place = |path, allowed, operations| Place { path, allowed, operations };
    [
        place("/me", "GET", vec![Operation::new(Get, "getMe", "Who is signed in, and until when", &[], person::me)]),
        place("/roles", "GET", vec![Operation::new(Get, "listRoles", "The roles that you may have now", &[], person::roles)]),
        place(
            "/explain",
            "GET",
            vec![Operation::new(Get, "explain", "Why you have a role, or what is missing", &[Code::NotFound], person::explain)],
        ),
        place(
            "/credentials",
            "POST",
            vec![Operation::new(Post, "issueCredentials", "Temporary AWS credentials for a role", ISSUING, issue::credentials)],
        ),
        place(
            "/console",
            "POST",
            vec![Operation::new(Post, "enterConsole", "An address that opens the AWS console with a role", ENTERING, issue::console)],
        ),
        place(
            "/sessions",
            "GET, DELETE",
            vec![
                Operation::new(Get, "listSessions", "Your living sessions, the newest first", &[], sessions::list),
                Operation::new(Delete, "endSessions", "Ends all of your sessions, this one too", &[], sessions::end_all),
            ],
        ),
        place("/sessions/{id}", "DELETE", vec![Operation::new(Delete, "endSession", "Ends one of your sessions", &[], sessions::end)]),
        place("/openapi.json", "GET", vec![Operation::new(Get, "getDocument", "This document (OpenAPI 3.1)", &[], document::document)]),
    ]
}

/// The routes of the API.
pub(super) fn resources(site: &Site) -> Vec<Resource> {
    let json = web::JsonConfig::default().limit(site.settings.body_limit).error_handler(|error, _| unread(&error).into());
    let resource = |place: Place| {
        let allowed = place.allowed;
        let refuse = move || async move { Err::<HttpResponse, _>(PageError::Unfit(Unfit::Method(allowed))) };
        let resource = web::resource(format!("{BASE}{}", place.path)).app_data(json.clone()).default_service(web::to(refuse));
        place.operations.into_iter().fold(resource, |resource, operation| resource.route(operation.route))
    };
    places().into_iter().map(resource).collect()
}

/// Why a body was not read. Of serde's reasons those are told that name a member: they help, and repeat no value.
fn unread(error: &JsonPayloadError) -> PageError {
    match error {
        JsonPayloadError::Overflow { .. }
        | JsonPayloadError::OverflowKnownLength { .. }
        | JsonPayloadError::Payload(PayloadError::Overflow) => PageError::Unfit(Unfit::Size),
        JsonPayloadError::ContentType => PageError::Unfit(Unfit::Format),
        JsonPayloadError::Deserialize(error) => PageError::UnreadableBody(why(error)),
        _ => PageError::Unreadable,
    }
}

fn why(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let names_a_member = ["missing field", "unknown field", "duplicate field"].iter().any(|start| text.starts_with(start));
    let mut why = if names_a_member {
        text
    } else if error.is_data() {
        format!("a member is not of its type at line {} column {}", error.line(), error.column())
    } else {
        format!("it is no JSON at line {} column {}", error.line(), error.column())
    };
    why.truncate(why.floor_char_boundary(LONGEST_WHY));
    why
}
