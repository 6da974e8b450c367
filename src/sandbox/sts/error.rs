//! STS's refusals, under the codes and statuses of its service model.

use actix_web::http::StatusCode;

/// A refusal as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) struct StsError {
    pub(in crate::sandbox) status: StatusCode,
    pub(in crate::sandbox) code: &'static str,
    pub(in crate::sandbox) message: String,
}

impl StsError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// The action or version is not served.
    pub(super) fn invalid_action(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidAction", message)
    }

    /// A parameter misses its pattern or limit.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValidationError", message)
    }

    /// As [`Self::validation`], in the words that the real STS uses for a parameter's constraint.
    pub(super) fn constraint(parameter: &str, constraint: &str) -> Self {
        Self::validation(format!("1 validation error detected: Value at '{parameter}' failed to satisfy constraint: {constraint}"))
    }

    /// The token is not one that the provider's rules allow.
    pub(super) fn invalid_token(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidIdentityToken", message)
    }

    /// The token's time is over.
    pub(super) fn expired_token(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ExpiredTokenException", message)
    }

    /// The provider cannot be reached; worth another try although the status is 400.
    pub(super) fn idp_communication(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "IDPCommunicationError", message)
    }

    /// The role does not exist, or its trust policy does not allow this.
    pub(super) fn access_denied(action: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", format!("Not authorized to perform {action}"))
    }

    /// The session policy is not a policy.
    pub(super) fn malformed_policy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MalformedPolicyDocument", message)
    }

    /// Policies and tags together are too large.
    pub(super) fn packed_too_large(percent: usize) -> Self {
        let message = format!("Packed size of session tags and policies consumes {percent}% of allotted space.");
        Self::new(StatusCode::BAD_REQUEST, "PackedPolicyTooLarge", message)
    }

    /// The request is not signed by anybody.
    pub(super) fn unsigned() -> Self {
        Self::new(StatusCode::FORBIDDEN, "MissingAuthenticationToken", "Request is missing Authentication Token")
    }

    /// The signature lacks a part.
    pub(super) fn incomplete_signature(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "IncompleteSignature", message)
    }

    /// The signature is not that of the access key's secret.
    pub(super) fn bad_signature(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message)
    }

    /// Who calls may not do this, in words.
    pub(super) fn denied(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }

    /// The credentials are none that this STS issued.
    pub(super) fn unknown_credentials() -> Self {
        Self::new(StatusCode::FORBIDDEN, "InvalidClientTokenId", "The security token included in the request is invalid.")
    }

    /// The credentials' time is over.
    pub(super) fn expired_credentials() -> Self {
        Self::new(StatusCode::FORBIDDEN, "ExpiredToken", "The security token included in the request is expired")
    }
}
