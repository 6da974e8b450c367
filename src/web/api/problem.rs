//! From a failure to a problem document (RFC 9457): the same failures as the pages', each under a word that programs can act on.

use std::fmt;

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Denied;
use crate::gateway::{Failure, Trouble};
use crate::web::trouble::{PageError, words};
use crate::web::unfit::Unfit;

/// How long a program should wait before it asks again for what may pass by itself, in seconds.
const RETRY_SECONDS: u64 = 5;

/// What went wrong, in one word that never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::web) enum Code {
    /// The request cannot be read: something is missing, there twice, or makes no sense.
    InvalidRequest,
    /// Nothing in the request says who asks.
    NotSignedIn,
    /// The session that the request shows is over, or never was.
    SessionEnded,
    /// The workload's token is not believed, or was used as often as it may be.
    TokenRefused,
    /// The rules do not give this role for this purpose.
    NotGranted,
    /// The role is had on request, and none is granted; `request_url` is where one asks for it.
    RequestNeeded,
    /// The role, or what it is wanted for, is for emergencies, and `break_glass` did not say that this is one.
    BreakGlassNeeded,
    /// The role wants another sign-in than this session's; `sign_in_url` is where it begins.
    FreshSignInNeeded,
    /// A request with a cookie does not come from a page of the gateway's own.
    CrossSiteRequest,
    /// There is nothing of that name.
    NotFound,
    /// The address does not answer to this method; the header `Allow` lists those that it answers to.
    MethodNotAllowed,
    /// The request did not arrive, or was not answered, in time.
    RequestTimeout,
    /// The body is larger than the gateway reads.
    RequestTooLarge,
    /// The body is not of the type that the address reads.
    UnsupportedMediaType,
    /// The wanted page is not one of the AWS console of the role's partition.
    DestinationNotAllowed,
    /// The session may not last as long as was asked for, or not as short.
    DurationNotAllowed,
    /// A reason must be said, in the form that the role wants.
    ReasonNeeded,
    /// Six digits of an MFA device must be sent as `mfa_code`.
    MfaCodeNeeded,
    /// Too many requests; the header `Retry-After` says how many seconds to wait.
    TooManyRequests,
    /// The gateway could not do it, through no fault of the request's.
    InternalError,
    /// AWS said no.
    AwsRefused,
    /// AWS does not answer, or asks to slow down; it may pass.
    AwsUnavailable,
    /// The gateway cannot look sessions up or record what it does, and hands nothing out meanwhile; it may pass.
    Unavailable,
}

impl Code {
    /// The word, as it stands in `code`.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::NotSignedIn => "not_signed_in",
            Self::SessionEnded => "session_ended",
            Self::TokenRefused => "token_refused",
            Self::NotGranted => "not_granted",
            Self::RequestNeeded => "request_needed",
            Self::BreakGlassNeeded => "break_glass_needed",
            Self::FreshSignInNeeded => "fresh_sign_in_needed",
            Self::CrossSiteRequest => "cross_site_request",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::RequestTooLarge => "request_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::DestinationNotAllowed => "destination_not_allowed",
            Self::DurationNotAllowed => "duration_not_allowed",
            Self::ReasonNeeded => "reason_needed",
            Self::MfaCodeNeeded => "mfa_code_needed",
            Self::TooManyRequests => "too_many_requests",
            Self::InternalError => "internal_error",
            Self::AwsRefused => "aws_refused",
            Self::AwsUnavailable => "aws_unavailable",
            Self::Unavailable => "unavailable",
        }
    }

    /// The status that it always comes with.
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::NotSignedIn | Self::SessionEnded | Self::TokenRefused => StatusCode::UNAUTHORIZED,
            Self::NotGranted | Self::RequestNeeded | Self::BreakGlassNeeded | Self::FreshSignInNeeded | Self::CrossSiteRequest => {
                StatusCode::FORBIDDEN
            }
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::DestinationNotAllowed | Self::DurationNotAllowed | Self::ReasonNeeded | Self::MfaCodeNeeded => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::AwsRefused => StatusCode::BAD_GATEWAY,
            Self::AwsUnavailable | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// One line for people, the same at each occurrence.
    const fn title(self) -> &'static str {
        match self {
            Self::InvalidRequest => "The request cannot be read",
            Self::NotSignedIn => "Nobody is signed in",
            Self::SessionEnded => "The session has ended",
            Self::TokenRefused => "The workload's token is refused",
            Self::NotGranted => "The role is not granted",
            Self::RequestNeeded => "The role is had on request",
            Self::BreakGlassNeeded => "The role is for emergencies",
            Self::FreshSignInNeeded => "The role wants another sign-in",
            Self::CrossSiteRequest => "The request comes from another site",
            Self::NotFound => "There is no such thing",
            Self::MethodNotAllowed => "The address does not answer to this method",
            Self::RequestTimeout => "The request took too long",
            Self::RequestTooLarge => "The request is too large",
            Self::UnsupportedMediaType => "The body is of a type that is not read here",
            Self::DestinationNotAllowed => "The console page is not allowed",
            Self::DurationNotAllowed => "This session length cannot be had",
            Self::ReasonNeeded => "The role wants a reason",
            Self::MfaCodeNeeded => "AWS wants the code of an MFA device",
            Self::TooManyRequests => "Too many requests",
            Self::InternalError => "The gateway could not do it",
            Self::AwsRefused => "AWS refused",
            Self::AwsUnavailable => "AWS does not answer",
            Self::Unavailable => "The gateway cannot serve anybody right now",
        }
    }

    const fn may_pass(self) -> bool {
        matches!(self, Self::AwsUnavailable | Self::Unavailable)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong (RFC 9457).
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(in crate::web) struct Problem {
    /// `urn:rolegate:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// The kind of problem in one line, for people.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What happened, and what to do about it, for people.
    detail: String,
    /// The kind of problem in one word, for programs.
    pub(super) code: Code,
    /// The id that finds the gateway's log line and its audit event. It helps administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<String>,
    /// Where one asks for the role, in a browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_url: Option<String>,
    /// Where the sign-in that is wanted begins, in a browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_in_url: Option<String>,
}

impl Problem {
    /// The one way from a failure to a problem.
    fn of(error: &PageError) -> Self {
        let code = code(error);
        let incident = match error {
            PageError::Failure(failure) | PageError::SignInElsewhere { failure, .. } | PageError::AskElsewhere { failure, .. } => {
                Some(failure.incident.clone())
            }
            _ => None,
        };
        let sign_in_url = if let PageError::SignInElsewhere { url, .. } = error { Some(url.clone()) } else { None };
        let request_url = if let PageError::AskElsewhere { url, .. } = error { Some(url.clone()) } else { None };
        let kind = format!("urn:rolegate:problem:{code}");
        Self { kind, title: code.title(), status: code.status().as_u16(), detail: detail(error), code, incident, request_url, sign_in_url }
    }
}

pub(in crate::web) fn code(error: &PageError) -> Code {
    match error {
        PageError::SignInFirst { had_session: false, .. } | PageError::NotSignedIn { had_session: false } => Code::NotSignedIn,
        PageError::SignInFirst { had_session: true, .. } | PageError::NotSignedIn { had_session: true } => Code::SessionEnded,
        PageError::SignInElsewhere { .. } => Code::FreshSignInNeeded,
        PageError::AskElsewhere { .. } => Code::RequestNeeded,
        PageError::Forged => Code::CrossSiteRequest,
        PageError::NotFound => Code::NotFound,
        PageError::Unreadable | PageError::UnreadableBody(_) | PageError::Unfit(Unfit::CommandLine) => Code::InvalidRequest,
        PageError::Unfit(Unfit::Method(_)) => Code::MethodNotAllowed,
        PageError::Unfit(Unfit::Size) => Code::RequestTooLarge,
        PageError::Unfit(Unfit::Format) => Code::UnsupportedMediaType,
        PageError::TooSlow => Code::RequestTimeout,
        PageError::TooMany(_) | PageError::TooOften(_) => Code::TooManyRequests,
        PageError::Failure(failure) => failed(failure),
    }
}

fn failed(failure: &Failure) -> Code {
    match &failure.trouble {
        Trouble::Denied(Denied::Duration(_) | Denied::RequestLength(_)) => Code::DurationNotAllowed,
        Trouble::Denied(Denied::Reason(_)) => Code::ReasonNeeded,
        Trouble::Denied(Denied::MfaCode) => Code::MfaCodeNeeded,
        Trouble::Denied(Denied::OnRequest) => Code::RequestNeeded,
        Trouble::Denied(Denied::BreakGlass) => Code::BreakGlassNeeded,
        // Requests are made and decided about on pages alone.
        Trouble::Denied(_) | Trouble::NotForYou(_) | Trouble::CertificateWanted | Trouble::Request(_) => Code::NotGranted,
        Trouble::SignInAgain => Code::FreshSignInNeeded,
        Trouble::BadDestination => Code::DestinationNotAllowed,
        Trouble::Aws(explanation) if explanation.may_pass => Code::AwsUnavailable,
        Trouble::Aws(_) => Code::AwsRefused,
        Trouble::TokenRefused(_) => Code::TokenRefused,
        Trouble::UnknownProvider | Trouble::TrailMoved => Code::NotFound,
        Trouble::SignInRefused(..) | Trouble::SignOutRefused(_) | Trouble::SignInExpired => Code::NotSignedIn,
        Trouble::Signing | Trouble::TrailUnreadable | Trouble::Broken => Code::InternalError,
        Trouble::Busy(_) => Code::TooManyRequests,
        Trouble::Store | Trouble::Undelivered | Trouble::Audit | Trouble::Unrecorded | Trouble::ProviderUnavailable(_) => Code::Unavailable,
    }
}

/// What happened in the pages' words, and what to do about it in words for those who have no page before them.
pub(in crate::web) fn detail(error: &PageError) -> String {
    let happened = words(error).happened.into_plain();
    match error {
        PageError::UnreadableBody(why) => format!("The body is not what the address reads: {why}."),
        PageError::Unreadable | PageError::Unfit(Unfit::CommandLine) => {
            "A parameter is missing, stands there twice, or is not what the address reads.".into()
        }
        PageError::NotSignedIn { had_session: false } | PageError::SignInFirst { had_session: false, .. } => {
            "The request shows neither a bearer token of a session nor the cookie of one.".into()
        }
        PageError::NotSignedIn { .. } | PageError::SignInFirst { .. } => {
            "The session has ended, or there never was one. Sign in again.".into()
        }
        PageError::AskElsewhere { .. } => format!("{happened} Ask for it at request_url, and again here once it is granted."),
        PageError::SignInElsewhere { .. } => format!("{happened} Sign in once more at sign_in_url, then ask again."),
        PageError::Forged => {
            "A request with a cookie that changes something needs the header X-Requested-With: rolegate, and must come from \
                              a page of the gateway's own."
                .into()
        }
        PageError::NotFound => "The address, or what it names, is not there.".into(),
        PageError::Unfit(Unfit::Method(allowed)) => format!("It answers to {allowed}."),
        PageError::Unfit(Unfit::Size) => "More was sent than the gateway reads.".into(),
        PageError::Unfit(Unfit::Format) => "Bodies are read as application/json.".into(),
        PageError::TooSlow => format!("{happened} Try again."),
        PageError::TooMany(seconds) | PageError::TooOften(seconds) => format!("Wait {seconds} s, then ask again."),
        PageError::Failure(failure) => match &failure.trouble {
            Trouble::Aws(explanation) => explanation.to_string(),
            Trouble::Store | Trouble::Undelivered | Trouble::Audit => format!("{happened} Try again in a few seconds."),
            _ => happened,
        },
    }
}

/// Whether an address belongs to the API.
pub(in crate::web) fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

/// Puts the problem into the bare answer of an error, ours or the framework's.
pub(in crate::web) fn with_problem(mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let ours = response.response().error().and_then(|error| error.as_error::<PageError>()).map(Problem::of);
    let problem =
        ours.unwrap_or_else(|| Problem::of(&if status == StatusCode::NOT_FOUND { PageError::NotFound } else { PageError::Unreadable }));
    let Ok(body) = serde_json::to_vec(&problem) else { return response };
    *response.response_mut().status_mut() = problem.code.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    match problem.code {
        Code::NotSignedIn => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"rolegate\""));
        }
        Code::SessionEnded | Code::TokenRefused => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"rolegate\", error=\"invalid_token\""));
        }
        code if code.may_pass() => {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
        }
        _ => {}
    }
    response.map_body(|_, _| BoxBody::new(body))
}
