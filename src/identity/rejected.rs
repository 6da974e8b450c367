//! Why a login is refused.

use crate::saml::Refused;
use crate::saml::redirect::RedirectRefused;

/// Why a login was refused. For the log and the audit trail; the page shows a plain sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The provider answered with an OAuth error (RFC 6749 section 4.1.2.1), for example because the person cancelled.
    #[error("the provider answered with the error `{0}`")]
    ProviderError(String),
    /// A workload's token was used as often as it may be.
    #[error("the token was used {0} times before, which is as often as it may be")]
    TokenUsedUp(u32),
    /// A workload's token does not say what the platform's settings demand of every token.
    #[error("the claim `{0}` is not what the settings demand")]
    UnmetClaim(String),
    /// No code in the answer.
    #[error("the answer has no code")]
    NoCode,
    /// The browser brought no login of that state along: expired, finished, begun elsewhere, or never ours.
    #[error("no login with this state is pending")]
    UnknownState,
    /// The login of that state was finished before: the answer is played again.
    #[error("the login was finished before")]
    Replayed,
    /// The logout message was used before: it is played again.
    #[error("the logout message was used before")]
    LogoutUsed,
    /// The login was begun in another browser.
    #[error("the login was begun in another browser")]
    OtherBrowser,
    /// The login was begun with another provider (mix-up).
    #[error("the login was begun with another provider")]
    OtherProvider,
    /// The login was begun longer ago than a pending login lives.
    #[error("the login was begun more than ten minutes ago")]
    Stale,
    /// The `iss` parameter of the answer (RFC 9207) is missing though announced, or is not the provider's.
    #[error("the `iss` parameter of the answer is missing or not the provider's")]
    WrongIssuerParameter,
    /// The provider refused to redeem the code.
    #[error("the code was not redeemed: {0}")]
    CodeRefused(String),
    /// The token's form or header is unacceptable.
    #[error("the ID token is malformed: {0}")]
    Malformed(&'static str),
    /// The signature algorithm is not on our list for this provider, or does not fit the key.
    #[error("the ID token's algorithm is not allowed")]
    Algorithm,
    /// No key of the provider has the token's `kid`.
    #[error("no key of the provider has the token's kid")]
    UnknownKey,
    /// The signature does not verify.
    #[error("the ID token's signature is not valid")]
    Signature,
    /// A claim that must be there is missing or of the wrong type.
    #[error("the claim `{0}` is missing or of the wrong type")]
    MissingClaim(&'static str),
    /// `iss` is not the provider's issuer.
    #[error("the ID token is from another issuer")]
    Issuer,
    /// `aud` or `azp` does not name us.
    #[error("the ID token is meant for another client")]
    Audience,
    /// `exp` has passed, so many seconds ago.
    #[error("the ID token expired {0} s ago by our clock")]
    Expired(i64),
    /// `nbf` or `iat` lies so many seconds in the future, beyond the leeway.
    #[error("the ID token is not valid yet, for another {0} s by our clock: check both clocks")]
    NotYetValid(i64),
    /// The nonce is not the one that was sent.
    #[error("the nonce is not the one that was sent")]
    Nonce,
    /// The sign-in is older than the provider's `max_age` allows.
    #[error("the sign-in at the provider is too old")]
    TooOld,
    /// The `acr` is none of those that were demanded.
    #[error("the authentication context is not one that is demanded")]
    Acr,
    /// The tenant is not on the provider's list.
    #[error("the tenant is not on the list")]
    Tenant,
    /// Userinfo speaks of somebody else (OpenID Connect Core 5.3.2).
    #[error("userinfo speaks of another subject than the ID token")]
    UserinfoSubject,
    /// The provider left the groups out because there are too many (Entra ID's overage).
    #[error("the provider left the groups out because the person has too many")]
    GroupsOverage,
    /// The groups claim is there but is neither a string nor a list of strings.
    #[error("the groups claim is neither a string nor a list of strings")]
    GroupsMalformed,
    /// The provider cannot be reached or answers garbage.
    #[error("the provider is unavailable: {0}")]
    Unavailable(String),
    /// A SAML response is refused, for the first reason that was met.
    #[error("the response is refused: {0}")]
    Saml(#[from] Refused),
    /// The assertion is not encrypted although the provider's must be.
    #[error("the assertion is not encrypted, and `want_encrypted` is set for this provider")]
    NotEncrypted,
    /// The subject has a new name at each sign-in, so nobody could be told apart by it.
    #[error("the NameID is transient: have the provider send a persistent one, or name a `subject_attribute`")]
    TransientSubject,
    /// The attribute that names the subject is missing or has not exactly one value.
    #[error("the attribute `{0}` names nobody: it must have exactly one value")]
    SubjectAttribute(String),
    /// The assertion was used already.
    #[error("the assertion was used before")]
    AssertionUsed,
    /// The query that carries a SAML message is refused.
    #[error("the query is refused: {0}")]
    Query(RedirectRefused),
    /// A logout message, and the provider's settings exchange none.
    #[error("`single_logout` is off for this provider")]
    LogoutOff,
}
