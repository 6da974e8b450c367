//! Which answers of STS are worth another try, where it goes, and when.
//!
//! Pauses (exponential, each a random part of its full length), the number of tries, the budget that all calls share and the deadline are the
//! SDK's. It judges by what holds for all services of AWS. These rules add what it does not know: what the STS API reference says of single
//! answers (two of them mean "AWS could not fetch the gateway's keys just now"), that some can never change, HTTP's `Retry-After` (the SDK reads
//! AWS's own header alone), and that there are other endpoints. Its adaptive mode, which slows all calls down when one is throttled, is not
//! used: STS throttles account by account, and one busy account would keep people waiting for all others.

use std::time::Duration;

use aws_sdk_sts::config::interceptors::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef, InterceptorContext};
use aws_sdk_sts::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::{BoxError, ErrorMetadata, ProvideErrorMetadata};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_saml::AssumeRoleWithSAMLError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_sdk_sts::operation::get_federation_token::GetFederationTokenError;
use aws_sdk_sts::operation::get_session_token::GetSessionTokenError;
use aws_smithy_runtime_api::client::interceptors::context::Error;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::retries::classifiers::RetryClassifierPriority;
use aws_smithy_types::retry::ErrorKind;
use tokio::time::Instant;

use super::error::{is_key_fetch_failure, is_throttling};
use super::route::{Route, Wait};

/// How many tries AWS gets that cannot reach the issuer's keys: it advises to repeat "a limited number of times".
pub(super) const KEY_FETCH_TRIES: u32 = 4;

/// What became of one try.
#[derive(Debug, Clone)]
pub(super) enum Heard {
    /// Nothing, or nothing that an STS would say.
    Nothing,
    /// Credentials.
    Credentials,
    /// A refusal, or an error of the server's.
    Refusal(Refusal),
}

impl Heard {
    /// Whether the endpoint does its work, be it by refusing. Who throttles is well: the account asked too much of it.
    pub(super) fn is_of_a_well_endpoint(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Credentials => true,
            Self::Refusal(refusal) => refusal.meaning() != Meaning::Unwell,
        }
    }
}

/// A refusal in AWS's words, which may repeat secrets: for [`super::StsError`] to clean.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) status: u16,
    /// Code, message and the request's id.
    pub(super) answer: ErrorMetadata,
    /// How long the endpoint asked to be left alone.
    pub(super) retry_after: Option<Duration>,
}

/// What a refusal means for another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// AWS could not fetch the issuer's keys just now.
    KeysUnreachable,
    /// The account has asked too much.
    Throttled,
    /// The account has switched STS off in this region, and may not have in others.
    RegionDisabled,
    /// It would be the same again, in all regions.
    Final,
    /// The server cannot do its work just now; or who answered is no STS.
    Unwell,
    /// It is for the SDK to judge.
    Other,
}

impl Refusal {
    #[cfg(test)]
    pub(super) fn for_tests(code: &str, retry_after: Option<Duration>) -> Self {
        let status = if code == "InternalFailure" { 500 } else { 400 };
        Self { status, answer: ErrorMetadata::builder().code(code).build(), retry_after }
    }

    pub(super) fn meaning(&self) -> Meaning {
        let code = self.answer.code().unwrap_or_default();
        match code {
            _ if is_key_fetch_failure(code, self.answer.message().unwrap_or_default()) => Meaning::KeysUnreachable,
            _ if self.status == 429 || is_throttling(code) => Meaning::Throttled,
            "RegionDisabledException" => Meaning::RegionDisabled,
            "ExpiredTokenException"
            | "ExpiredToken"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "InvalidIdentityToken"
            | "IDPRejectedClaim"
            | "AccessDenied"
            | "AccessDeniedException"
            | "ValidationError"
            | "PackedPolicyTooLarge"
            | "MalformedPolicyDocument" => Meaning::Final,
            "" => Meaning::Unwell,
            _ if self.status >= 500 => Meaning::Unwell,
            _ => Meaning::Other,
        }
    }
}

/// The rules for one call.
#[derive(Debug, Clone)]
pub(super) struct RetryRules {
    route: Route,
}

impl RetryRules {
    pub(super) const fn new(route: Route) -> Self {
        Self { route }
    }
}

impl Intercept for RetryRules {
    fn name(&self) -> &'static str {
        "Rolegate's way through the endpoints"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.route.begin(Instant::now());
        Ok(())
    }

    /// Runs for each try, also for one that was cut off.
    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let heard = match (context.output_or_error(), context.response()) {
            (Some(Ok(_)), _) => Heard::Credentials,
            (Some(Err(error)), Some(response)) => match error.as_operation_error().and_then(metadata) {
                Some(answer) => Heard::Refusal(Refusal {
                    status: response.status().as_u16(),
                    answer: answer.clone(),
                    retry_after: retry_after(response),
                }),
                None => Heard::Nothing,
            },
            _ => Heard::Nothing,
        };
        self.route.heard(Instant::now(), heard);
        Ok(())
    }
}

impl ClassifyRetry for RetryRules {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        self.classify_retry_v2(context, &RetryAction::NoActionIndicated)
    }

    /// The SDK asks more than once about one answer, so nothing is counted here.
    fn classify_retry_v2(&self, _: &InterceptorContext, previous: &RetryAction) -> RetryAction {
        let (heard, key_fetches) = self.route.latest();
        let Heard::Refusal(refusal) = heard else { return RetryAction::NoActionIndicated };
        let kind = match refusal.meaning() {
            Meaning::Final => return RetryAction::RetryForbidden,
            Meaning::KeysUnreachable if key_fetches >= KEY_FETCH_TRIES => return RetryAction::RetryForbidden,
            Meaning::Throttled => ErrorKind::ThrottlingError,
            Meaning::Other if !previous.should_retry() => return RetryAction::NoActionIndicated,
            Meaning::KeysUnreachable | Meaning::RegionDisabled | Meaning::Unwell | Meaning::Other => ErrorKind::TransientError,
        };
        match self.route.wait(Instant::now()) {
            Wait::Usual => RetryAction::retryable_error(kind),
            Wait::For(wait) => RetryAction::retryable_error_with_explicit_delay(kind, wait),
            Wait::InVain => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "Rolegate's rules for STS"
    }

    /// After the SDK's own, which know less.
    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

/// AWS's words in an error of any operation.
fn metadata(error: &Error) -> Option<&ErrorMetadata> {
    let web_identity = error.downcast_ref::<AssumeRoleWithWebIdentityError>().map(ProvideErrorMetadata::meta);
    let saml = || error.downcast_ref::<AssumeRoleWithSAMLError>().map(ProvideErrorMetadata::meta);
    let role = || error.downcast_ref::<AssumeRoleError>().map(ProvideErrorMetadata::meta);
    let federation = || error.downcast_ref::<GetFederationTokenError>().map(ProvideErrorMetadata::meta);
    let session = || error.downcast_ref::<GetSessionTokenError>().map(ProvideErrorMetadata::meta);
    web_identity.or_else(saml).or_else(role).or_else(federation).or_else(session)
}

/// How long the endpoint asks to be left alone: AWS's own header, in milliseconds, or HTTP's, in seconds. A date is not looked at.
fn retry_after(response: &HttpResponse) -> Option<Duration> {
    let number = |name| response.headers().get(name)?.trim().parse::<u32>().ok().map(u64::from);
    number("x-amz-retry-after").map(Duration::from_millis).or_else(|| number("retry-after").map(Duration::from_secs))
}
