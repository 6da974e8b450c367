//! Why STS did not hand out credentials, in AWS's words, for the log.

use std::fmt;

use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::RequestId;

use super::retry::Refusal;

/// The longest piece of AWS's own words that is kept, in characters.
const LONGEST_MESSAGE: usize = 400;

/// What STS answered. Its message is for the log alone and shows in `Debug` only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// AWS's error code, for example `AccessDenied`.
    pub code: Option<String>,
    /// AWS's id of the request.
    pub request_id: Option<String>,
    /// AWS's message, capped, without control characters and without the token.
    message: String,
}

impl Answer {
    pub(super) fn without_code(request_id: Option<String>, message: &str) -> Self {
        Self { code: None, request_id, message: message.to_owned() }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, id) = (self.code.as_deref().unwrap_or("none"), self.request_id.as_deref().unwrap_or("none"));
        write!(f, "code {code}, request {id}")
    }
}

/// Why STS did not hand out credentials: one variant per meaning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StsError {
    /// The token was older than AWS accepts.
    #[error("the token has expired ({0})")]
    ExpiredToken(Answer),
    /// The account has no identity provider for the token's issuer.
    #[error("the account has no identity provider for the issuer ({0})")]
    NoIdentityProvider(Answer),
    /// The account's identity provider does not list the token's audience.
    #[error("the account's identity provider does not list the audience ({0})")]
    WrongAudience(Answer),
    /// AWS does not accept the token for another reason: signature, form, claims, or a role that it does not name.
    #[error("the token is not accepted ({0})")]
    InvalidToken(Answer),
    /// AWS could not fetch the issuer's keys, also after more tries.
    #[error("AWS could not fetch the issuer's keys ({0})")]
    KeysUnreachable(Answer),
    /// AWS reports that the issuer rejected a claim.
    #[error("a claim was rejected ({0})")]
    RejectedClaim(Answer),
    /// AWS does not know the access key that a call was signed with, or the secret is another one.
    #[error("AWS does not know the keys that signed the call ({0})")]
    UnknownKeys(Answer),
    /// The code of the MFA device is wrong, was used already, or is too old.
    #[error("the code of the MFA device is not accepted ({0})")]
    WrongMfaCode(Answer),
    /// The IAM user has no such MFA device.
    #[error("the IAM user has no such MFA device ({0})")]
    UnknownMfaDevice(Answer),
    /// The gateway has no AWS identity of its own.
    #[error("the gateway has no AWS identity of its own: {0}")]
    NoIdentity(String),
    /// The role's trust policy does not accept the call, or there is no such role.
    #[error("the role's trust policy does not accept the call ({0})")]
    AccessDenied(Answer),
    /// The session would last longer than the role allows.
    #[error("the role allows shorter sessions only ({0})")]
    SessionTooLong(Answer),
    /// STS does not accept a parameter of the call.
    #[error("STS does not accept the call's parameters ({0})")]
    InvalidRequest(Answer),
    /// The session tags do not fit into AWS's packed form.
    #[error("the session tags are too large ({0})")]
    PackedPolicyTooLarge(Answer),
    /// A session policy is not valid.
    #[error("the session policy is malformed ({0})")]
    MalformedPolicy(Answer),
    /// STS is switched off in this region for the account.
    #[error("STS is not active in the region ({0})")]
    RegionDisabled(Answer),
    /// AWS asked to slow down, until the tries or the time ran out.
    #[error("STS throttles ({0})")]
    Throttled(Answer),
    /// STS answered with a server error each time.
    #[error("STS is unavailable ({0})")]
    Unavailable(Answer),
    /// A refusal that is not known here.
    #[error("STS refused ({0})")]
    Other(Answer),
    /// The answer is not one that STS gives.
    #[error("the answer is not one that STS gives ({0})")]
    Garbled(Answer),
    /// The configured deadline passed.
    #[error("STS did not answer in time")]
    TimedOut,
    /// No connection to STS came about, or it broke.
    #[error("STS cannot be reached: {0}")]
    Unreachable(String),
}

/// Whether AWS says that it could not fetch the issuer's keys just now.
pub(super) fn is_key_fetch_failure(code: &str, message: &str) -> bool {
    code == "IDPCommunicationError" || (code == "InvalidIdentityToken" && message.contains("retrieve verification key"))
}

/// Whether AWS says that the account has asked too much.
pub(super) fn is_throttling(code: &str) -> bool {
    const CODES: [&str; 9] = [
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "SlowDown",
        "TooManyRequests",
        "TooManyRequestsException",
    ];
    CODES.contains(&code)
}

impl StsError {
    /// `earlier` is a refusal that an earlier try of the call met: it tells more than that the last one heard nothing.
    pub(super) fn new<E>(error: SdkError<E, HttpResponse>, earlier: Option<Refusal>, secrets: &[&str]) -> Self
    where
        E: ProvideErrorMetadata + RequestId + std::error::Error + Send + Sync + 'static,
    {
        let words = clean(&DisplayErrorContext(&error).to_string(), secrets);
        let heard_nothing = matches!(error, SdkError::TimeoutError(_) | SdkError::DispatchFailure(_));
        if let Some(Refusal { status, answer, .. }) = earlier.filter(|_| heard_nothing) {
            return Self::classified(status, cleaned(&answer, answer.message().unwrap_or_default(), secrets));
        }
        match error {
            SdkError::TimeoutError(_) => Self::TimedOut,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => Self::TimedOut,
            SdkError::DispatchFailure(_) => Self::Unreachable(words),
            SdkError::ServiceError(context) => {
                let answer = context.err();
                Self::classified(context.raw().status().as_u16(), cleaned(answer, answer.message().unwrap_or(&words), secrets))
            }
            other => Self::Garbled(Answer::without_code(other.request_id().map(str::to_owned), &words)),
        }
    }

    fn classified(status: u16, answer: Answer) -> Self {
        let message = answer.message.as_str();
        match answer.code.as_deref().unwrap_or_default() {
            "ExpiredTokenException" | "ExpiredToken" => Self::ExpiredToken(answer),
            "InvalidClientTokenId" | "SignatureDoesNotMatch" | "UnrecognizedClientException" => Self::UnknownKeys(answer),
            code if is_key_fetch_failure(code, message) => Self::KeysUnreachable(answer),
            // AWS's texts for the two slips that every first set-up makes; the code is the same for all.
            "InvalidIdentityToken" if message.contains("No OpenIDConnect provider found") => Self::NoIdentityProvider(answer),
            "InvalidIdentityToken" if message.contains("Incorrect token audience") => Self::WrongAudience(answer),
            // The same slips by SAML: no such provider in the account, or one that was made from another's metadata.
            "InvalidIdentityToken"
                if ["provider doesn't exist", "Issuer not present in specified provider"].iter().any(|words| message.contains(words)) =>
            {
                Self::NoIdentityProvider(answer)
            }
            "InvalidIdentityToken" => Self::InvalidToken(answer),
            "IDPRejectedClaim" => Self::RejectedClaim(answer),
            "AccessDenied" if message.contains("invalid MFA one time pass code") => Self::WrongMfaCode(answer),
            "AccessDenied" if message.contains("MultiFactorAuthentication failed") => Self::UnknownMfaDevice(answer),
            "AccessDenied" | "AccessDeniedException" => Self::AccessDenied(answer),
            "ValidationError" if ["MaxSessionDuration", "role chaining"].iter().any(|words| message.contains(words)) => {
                Self::SessionTooLong(answer)
            }
            "ValidationError" => Self::InvalidRequest(answer),
            "PackedPolicyTooLarge" => Self::PackedPolicyTooLarge(answer),
            "MalformedPolicyDocument" => Self::MalformedPolicy(answer),
            "RegionDisabledException" => Self::RegionDisabled(answer),
            code if is_throttling(code) => Self::Throttled(answer),
            _ if status == 429 => Self::Throttled(answer),
            _ if status >= 500 => Self::Unavailable(answer),
            "" => Self::Garbled(answer),
            _ => Self::Other(answer),
        }
    }

    /// What STS answered, if it did.
    #[must_use]
    pub const fn answer(&self) -> Option<&Answer> {
        match self {
            Self::ExpiredToken(answer)
            | Self::NoIdentityProvider(answer)
            | Self::WrongAudience(answer)
            | Self::InvalidToken(answer)
            | Self::KeysUnreachable(answer)
            | Self::RejectedClaim(answer)
            | Self::UnknownKeys(answer)
            | Self::WrongMfaCode(answer)
            | Self::UnknownMfaDevice(answer)
            | Self::AccessDenied(answer)
            | Self::SessionTooLong(answer)
            | Self::InvalidRequest(answer)
            | Self::PackedPolicyTooLarge(answer)
            | Self::MalformedPolicy(answer)
            | Self::RegionDisabled(answer)
            | Self::Throttled(answer)
            | Self::Unavailable(answer)
            | Self::Other(answer)
            | Self::Garbled(answer) => Some(answer),
            Self::TimedOut | Self::Unreachable(_) | Self::NoIdentity(_) => None,
        }
    }

    /// AWS's error code, if it gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.answer()?.code.as_deref()
    }

    /// AWS's id of the request, if it gave one.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.answer()?.request_id.as_deref()
    }
}

/// What the SDK says of the gateway's own identity, fit for the log.
pub(super) fn clean_words(text: &str) -> String {
    clean(text, &[])
}

/// What AWS answered, without what must not be kept.
fn cleaned(answer: &(impl ProvideErrorMetadata + RequestId), message: &str, secrets: &[&str]) -> Answer {
    let code = answer.code().map(|code| clean(code, secrets).chars().filter(char::is_ascii_graphic).take(64).collect());
    Answer { code, request_id: answer.request_id().map(|id| clean(id, secrets)), message: clean(message, secrets) }
}

/// AWS echoes parameters in its messages, the token too: it is cut out before anything is kept.
fn clean(text: &str, secrets: &[&str]) -> String {
    let cut = |text: String, secret: &&str| if secret.is_empty() { text } else { text.replace(secret, "…") };
    let without = secrets.iter().fold(text.to_owned(), cut);
    let mut kept = String::new();
    let mut rest = without.as_str();
    // A piece of a token (AWS may shorten what it echoes) starts as every JWT does, or as every response of ours does in base64.
    while let Some(at) = [rest.find("eyJ"), rest.find("PHNhbWxw")].into_iter().flatten().min() {
        let (before, after) = rest.split_at(at);
        kept.push_str(before);
        kept.push('…');
        rest = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '/' | '='));
    }
    kept.push_str(rest);
    kept.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_MESSAGE).collect()
}
