//! What a provider announces about itself (OpenID Connect Discovery 1.0), and what of it is believed.

use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{AdditionalProviderMetadata, AuthUrl, IssuerUrl, LogoutProviderMetadata, ProviderMetadata, TokenUrl};
use serde::{Deserialize, Serialize};
use url::Url;

use super::issuer::Issuer;
use crate::identity::http::{Http, Reach};

/// What RFC 9207 adds to a discovery document.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct ResponseIssuer {
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for ResponseIssuer {}

type Document = ProviderMetadata<
    LogoutProviderMetadata<ResponseIssuer>,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// The checked announcements: every URL may be visited.
#[derive(Debug, Clone)]
pub(super) struct Metadata {
    pub(super) issuer: IssuerUrl,
    pub(super) authorization: AuthUrl,
    pub(super) token: TokenUrl,
    pub(super) jwks: Url,
    pub(super) userinfo: Option<Url>,
    pub(super) end_session: Option<Url>,
    /// Whether answers always carry `iss` (RFC 9207).
    pub(super) names_itself: bool,
}

/// Fetches and checks the discovery document.
///
/// # Errors
/// A sentence about what is unreachable, missing or not to be believed.
pub(super) async fn discover(http: &Http, issuer: &Issuer, reach: Reach) -> Result<Metadata, String> {
    let url = issuer.discovery_url().map_err(|error| format!("the issuer is not a URL: {error}"))?;
    let body = http.get(&url, None).await?;
    let document: Document = serde_json::from_slice(&body).map_err(|error| format!("{url} is not a discovery document: {error}"))?;
    if document.issuer().as_str() != issuer.announced() {
        let (found, wanted) = (document.issuer().as_str(), issuer.announced());
        return Err(format!("{url} is the document of the issuer `{found}`, not of `{wanted}`"));
    }
    let metadata = Metadata {
        issuer: document.issuer().clone(),
        authorization: document.authorization_endpoint().clone(),
        token: document.token_endpoint().cloned().ok_or_else(|| format!("{url} names no token_endpoint"))?,
        jwks: document.jwks_uri().url().clone(),
        userinfo: document.userinfo_endpoint().map(|endpoint| endpoint.url().clone()),
        end_session: document.additional_metadata().end_session_endpoint.as_ref().map(|endpoint| endpoint.url().clone()),
        names_itself: document.additional_metadata().additional_metadata.authorization_response_iss_parameter_supported,
    };
    for asked in [Some(metadata.token.url()), Some(&metadata.jwks), metadata.userinfo.as_ref()].into_iter().flatten() {
        reach.check(asked).map_err(|error| format!("{url} names a URL that is refused: {error}"))?;
    }
    // Browsers go to these two, so only the scheme matters to us.
    for visited in [Some(metadata.authorization.url()), metadata.end_session.as_ref()].into_iter().flatten() {
        reach.check_scheme(visited).map_err(|error| format!("{url} names a URL that is refused: {error}"))?;
    }
    Ok(metadata)
}
