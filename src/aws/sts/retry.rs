//! Which refusals of STS are worth another try.
//!
//! The SDK retries throttling, 5xx and time-outs by itself. These rules add what the STS API reference says about the two answers that
//! mean "AWS could not fetch the gateway's keys just now", bound them, and forbid every retry of an answer that cannot change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_sts::config::interceptors::{BeforeTransmitInterceptorContextRef, InterceptorContext};
use aws_sdk_sts::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::{BoxError, ErrorMetadata, ProvideErrorMetadata};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_saml::AssumeRoleWithSAMLError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;

use aws_sdk_sts::operation::get_federation_token::GetFederationTokenError;
use aws_sdk_sts::operation::get_session_token::GetSessionTokenError;

use super::error::is_key_fetch_failure;

/// How many tries AWS gets that cannot reach the issuer's keys: it advises to repeat "a limited number of times".
const KEY_FETCH_TRIES: u32 = 3;

/// The rules, with the count of one call's tries. The SDK classifies one answer more than once, so the tries are counted where each
/// begins, not where they are judged.
#[derive(Debug, Clone, Default)]
pub(super) struct RetryRules {
    tries: Arc<AtomicU32>,
}

impl Intercept for RetryRules {
    fn name(&self) -> &'static str {
        "Rolegate's count of tries"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.tries.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl ClassifyRetry for RetryRules {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else { return RetryAction::NoActionIndicated };
        if context.response().is_some_and(|response| response.status().as_u16() == 429) {
            return RetryAction::throttling_error();
        }
        let answer: Option<&ErrorMetadata> = error.as_operation_error().and_then(|error| {
            let web_identity = error.downcast_ref::<AssumeRoleWithWebIdentityError>().map(ProvideErrorMetadata::meta);
            let saml = || error.downcast_ref::<AssumeRoleWithSAMLError>().map(ProvideErrorMetadata::meta);
            let role = || error.downcast_ref::<AssumeRoleError>().map(ProvideErrorMetadata::meta);
            let federation = || error.downcast_ref::<GetFederationTokenError>().map(ProvideErrorMetadata::meta);
            let session = || error.downcast_ref::<GetSessionTokenError>().map(ProvideErrorMetadata::meta);
            web_identity.or_else(saml).or_else(role).or_else(federation).or_else(session)
        });
        let Some(answer) = answer else { return RetryAction::NoActionIndicated };
        let code = answer.code().unwrap_or_default();
        if is_key_fetch_failure(code, answer.message().unwrap_or_default()) {
            let again = self.tries.load(Ordering::Relaxed) < KEY_FETCH_TRIES;
            return if again { RetryAction::transient_error() } else { RetryAction::RetryForbidden };
        }
        match code {
            "TooManyRequests" => RetryAction::throttling_error(),
            "ExpiredTokenException"
            | "ExpiredToken"
            | "InvalidClientTokenId"
            | "SignatureDoesNotMatch"
            | "InvalidIdentityToken"
            | "IDPRejectedClaim"
            | "AccessDenied"
            | "AccessDeniedException"
            | "ValidationError"
            | "PackedPolicyTooLarge"
            | "MalformedPolicyDocument"
            | "RegionDisabledException" => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "Rolegate's rules for STS"
    }
}
