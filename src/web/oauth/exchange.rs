//! Token exchange (RFC 8693): a workload's ID token becomes AWS credentials. The standard face of `POST /api/v1/credentials`.

use std::time::Duration;

use actix_web::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{OAuthError, Parameters};
use crate::access::{Purpose, Target, Wish};
use crate::aws::formats::Format;
use crate::gateway::{Caller, Issued};
use crate::web::api::{Code, code, detail};
use crate::web::issue::to_the_end;
use crate::web::trouble::PageError;
use crate::web::visitor::Visitor;
use crate::web::workload;

/// The grant.
pub(super) const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// What a workload may bring (RFC 8693 section 3).
const SUBJECT_TYPES: [&str; 2] = ["urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:jwt"];
/// What is handed out: AWS credentials, written as AWS's own tools read them from a `credential_process`.
const ISSUED_TYPE: &str = "urn:rolegate:token-type:aws-credentials";
/// How long a client should wait for what may pass by itself, in seconds.
const RETRY_SECONDS: u64 = 5;

/// `grant_type=urn:ietf:params:oauth:grant-type:token-exchange`.
pub(super) async fn exchange(visitor: &Visitor, parameters: &Parameters) -> Result<Value, OAuthError> {
    if !SUBJECT_TYPES.contains(&parameters.required("subject_token_type")?) {
        return Err(OAuthError::invalid_request("subject_token_type must be that of an ID token"));
    }
    if parameters.optional("actor_token").or(parameters.optional("actor_token_type")).is_some() {
        return Err(OAuthError::invalid_request("nobody acts for another here: actor_token is not understood"));
    }
    // Left unread, it would look as if what is issued were for that audience alone.
    if parameters.optional("audience").is_some() {
        return Err(OAuthError::new("invalid_target", "audience is not understood: name the role by its ARN in resource"));
    }
    if parameters.optional("requested_token_type").is_some_and(|wanted| wanted != ISSUED_TYPE) {
        return Err(OAuthError::invalid_request("requested_token_type can only be urn:rolegate:token-type:aws-credentials"));
    }
    let token = SecretString::from(parameters.required("subject_token")?);
    let duration = parameters.optional("duration_seconds").map(str::parse).transpose();
    let duration = duration.map_err(|_| OAuthError::invalid_request("duration_seconds is not a number of seconds"))?;
    let wish = Wish {
        role: role(parameters)?.to_string(),
        duration: duration.map(Duration::from_secs),
        purpose: Purpose::Workload,
        reason: parameters.optional("reason").map(str::to_owned),
        mfa_code: None,
        break_glass: false,
    };
    let (site, caller): (_, Caller) = (visitor.site.clone(), visitor.caller.clone());
    let issued = to_the_end(async move { workload::issue(&site, &caller, &token, &wish).await }).await;
    let issued = issued.map_err(|error| refused(&error))?;
    let seconds = (issued.credentials.expires - visitor.site.gateway.now()).num_seconds().max(0);
    let credentials = written(&issued)?;
    Ok(json!({
        "access_token": credentials.expose_secret(),
        "issued_token_type": ISSUED_TYPE,
        "token_type": "N_A",
        "expires_in": seconds,
    }))
}

/// The role: an ARN is a URI, so it may be the `resource`; who can only set a `scope` puts it there. Of two that differ neither counts.
fn role(parameters: &Parameters) -> Result<Target, OAuthError> {
    let named = match (parameters.optional("resource"), parameters.optional("scope")) {
        (Some(resource), Some(scope)) if resource != scope => {
            return Err(OAuthError::invalid_request("resource and scope name different roles"));
        }
        (resource, scope) => resource.or(scope).ok_or_else(|| OAuthError::invalid_request("resource must name a role by its ARN"))?,
    };
    named.parse().map_err(|_| OAuthError::new("invalid_target", "resource is not the ARN of a role"))
}

fn written(issued: &Issued) -> Result<SecretString, OAuthError> {
    // The profile's name has no place in this format.
    Format::ProcessJson.render(issued.credentials.keys(), "", None).map_err(|error| refused(&PageError::broken(&error)))
}

/// The same failures as the API's, in the standards' words: RFC 8693 section 2.2.2 wants `invalid_request` for a token that is not good,
/// and `invalid_target` for what it is not good for.
fn refused(error: &PageError) -> OAuthError {
    let problem = code(error);
    let (word, retry_after) = match problem {
        Code::NotGranted | Code::FreshSignInNeeded => ("invalid_target", None),
        Code::TooManyRequests => (
            "temporarily_unavailable",
            match error {
                PageError::TooMany(seconds) | PageError::TooOften(seconds) => Some(*seconds),
                _ => None,
            },
        ),
        Code::AwsUnavailable | Code::Unavailable => ("temporarily_unavailable", Some(RETRY_SECONDS)),
        Code::AwsRefused | Code::InternalError => ("server_error", None),
        _ => ("invalid_request", None),
    };
    let status = match problem {
        Code::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        Code::AwsUnavailable | Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::AwsRefused => StatusCode::BAD_GATEWAY,
        Code::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut description = printable(&detail(error));
    if let PageError::Failure(failure) = error {
        description = format!("{description} (incident {})", failure.incident);
    }
    OAuthError { status, retry_after, ..OAuthError::new(word, &description) }
}

/// What RFC 6749 section 5.2 lets a description have: printable ASCII without quotes and backslashes.
fn printable(text: &str) -> String {
    text.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_has_the_characters_that_the_standard_allows() {
        assert_eq!(printable("Ana’s \"role\" \\ is `x`\n"), "Anas role  is `x`");
    }
}
