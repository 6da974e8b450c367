//! The authorization request and the redemption of its code (RFC 6749 section 4.1, RFC 7636), through the `openidconnect` crate.

use chrono::TimeDelta;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AccessToken, AuthType, AuthenticationContextClass, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EmptyAdditionalClaims,
    EndpointNotSet, EndpointSet, HttpRequest, IdToken, JsonWebKeySet, LoginHint, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardErrorResponse, TokenResponse,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use super::checked::{Checked, ClientProof};
use super::metadata::Metadata;
use super::wishes::Wishes;
use crate::clock::Moment;
use crate::identity::http::{Http, HttpError};
use crate::identity::words::oauth_error;
use crate::identity::{Rejected, UpstreamToken};

/// How long a client assertion (RFC 7523) is valid.
const ASSERTION_LIFE: TimeDelta = TimeDelta::seconds(60);

/// What the token endpoint answers, as far as it matters. The ID token is kept as the raw text: its claims are read after its
/// signature, and an odd one among them fails nothing here.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Tokens {
    pub(super) access_token: AccessToken,
    #[serde(default)]
    pub(super) id_token: Option<UpstreamToken>,
    #[serde(skip, default = "bearer")]
    token_type: CoreTokenType,
}

const fn bearer() -> CoreTokenType {
    CoreTokenType::Bearer
}

impl OAuth2TokenResponse for Tokens {
    type TokenType = CoreTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &CoreTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<std::time::Duration> {
        None
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        None
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

impl TokenResponse<EmptyAdditionalClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm> for Tokens {
    fn id_token(
        &self,
    ) -> Option<&IdToken<EmptyAdditionalClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>> {
        None
    }
}

type Client = openidconnect::Client<
    EmptyAdditionalClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
    EndpointNotSet,
>;

fn client(checked: &Checked, metadata: &Metadata) -> Client {
    let client_id = ClientId::new(checked.client_id.clone());
    let client = openidconnect::Client::new(client_id, metadata.issuer.clone(), JsonWebKeySet::new(Vec::new()))
        .set_auth_uri(metadata.authorization.clone())
        .set_token_uri(metadata.token.clone())
        .set_redirect_uri(RedirectUrl::from_url(checked.redirect_uri.clone()));
    let secret = |secret: &SecretString| ClientSecret::new(secret.expose_secret().to_owned());
    match &checked.proof {
        ClientProof::Basic(text) => client.set_auth_type(AuthType::BasicAuth).set_client_secret(secret(text)),
        ClientProof::Post(text) => client.set_auth_type(AuthType::RequestBody).set_client_secret(secret(text)),
        ClientProof::None | ClientProof::Key(_) => client.set_auth_type(AuthType::RequestBody),
    }
}

/// The URL that the browser is sent to.
pub(super) fn authorization_url(
    checked: &Checked,
    metadata: &Metadata,
    state: &str,
    nonce: &str,
    verifier: &str,
    hint: Option<&str>,
    wishes: &Wishes,
) -> Url {
    let client = client(checked, metadata);
    let (state, nonce) = (CsrfToken::new(state.to_owned()), Nonce::new(nonce.to_owned()));
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.to_owned()));
    let mut request = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state, move || nonce)
        .set_pkce_challenge(challenge)
        .add_scopes(checked.scopes.iter().cloned().map(Scope::new));
    for class in &wishes.classes {
        request = request.add_auth_context_value(AuthenticationContextClass::new(class.clone()));
    }
    if let Some(age) = wishes.max_age {
        request = request.set_max_age(age);
    }
    if wishes.login {
        request = request.add_prompt(CoreAuthPrompt::Login);
    }
    if let Some(hint) = hint {
        request = request.set_login_hint(LoginHint::new(hint.to_owned()));
    }
    let set_here = |name: &str| wishes.login && name == "prompt";
    for (name, value) in checked.authorize_parameters.iter().filter(|(name, _)| !set_here(name)) {
        request = request.add_extra_param(name.clone(), value.clone());
    }
    request.url().0
}

/// Redeems the code.
///
/// # Errors
/// [`Rejected::CodeRefused`] with the provider's own error code, or [`Rejected::Unavailable`]. Never anything of the answer's body.
pub(super) async fn redeem(
    http: &Http,
    checked: &Checked,
    metadata: &Metadata,
    code: &str,
    verifier: &str,
    now: Moment,
) -> Result<Tokens, Rejected> {
    let client = client(checked, metadata);
    let mut request =
        client.exchange_code(AuthorizationCode::new(code.to_owned())).set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()));
    if let ClientProof::Key(key) = &checked.proof {
        let assertion = key.assertion(&checked.client_id, metadata.token.as_str(), now)?;
        request = request
            .add_extra_param("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            .add_extra_param("client_assertion", assertion);
    }
    // An owned client for each call: a borrowed one would make the future one that cannot move between threads.
    let send = |request: HttpRequest| {
        let http = http.clone();
        async move { http.send(request).await }
    };
    request.request_async(&send).await.map_err(|error| refusal(&error))
}

fn refusal(error: &RequestTokenError<HttpError, StandardErrorResponse<CoreErrorResponseType>>) -> Rejected {
    match error {
        RequestTokenError::ServerResponse(answer) => Rejected::CodeRefused(match answer.error() {
            CoreErrorResponseType::InvalidClient => {
                "invalid_client: the provider does not know this client id with this secret or key".into()
            }
            CoreErrorResponseType::UnauthorizedClient => {
                "unauthorized_client: the provider does not allow this client the code flow".into()
            }
            CoreErrorResponseType::InvalidGrant => "invalid_grant: the code is used, expired, or from another login".into(),
            other => oauth_error(other.as_ref()),
        }),
        RequestTokenError::Request(error) => Rejected::Unavailable(format!("token endpoint: {error}")),
        RequestTokenError::Parse(..) => Rejected::Unavailable("the token endpoint's answer is not a token response".into()),
        RequestTokenError::Other(_) => Rejected::Unavailable("the token endpoint's answer is not JSON".into()),
    }
}

/// The client's own key, for `private_key_jwt`.
#[derive(Debug)]
pub(super) struct ClientKey {
    algorithm: Algorithm,
    kid: String,
    key: EncodingKey,
}

impl ClientKey {
    /// Reads a PKCS#8 PEM key, RSA (RS256) or P-256 (ES256). Without a `kid` its thumbprint (RFC 7638) is one.
    pub(super) fn read(pem: &SecretString, kid: Option<&str>) -> Option<Self> {
        let pem = pem.expose_secret().as_bytes();
        let with = |algorithm, key: EncodingKey| {
            let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, algorithm).ok()?;
            let thumbprint = jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).ok()?;
            let ready = Self { algorithm, kid: kid.map_or(thumbprint, str::to_owned), key };
            jsonwebtoken::crypto::sign(b"trial", &ready.key, algorithm).is_ok().then_some(ready)
        };
        EncodingKey::from_ec_pem(pem)
            .ok()
            .and_then(|key| with(Algorithm::ES256, key))
            .or_else(|| EncodingKey::from_rsa_pem(pem).ok().and_then(|key| with(Algorithm::RS256, key)))
    }

    fn assertion(&self, client_id: &str, audience: &str, now: Moment) -> Result<String, Rejected> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(self.algorithm) };
        let claims = json!({
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "jti": random_word()?,
            "iat": now.timestamp(),
            "exp": (now + ASSERTION_LIFE).timestamp(),
        });
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(|_| Rejected::Unavailable("the client key does not sign".into()))
    }
}

/// 256 random bits as text: a nonce, a PKCE verifier, a token id.
///
/// # Errors
/// When the system has no randomness to give.
pub(super) fn random_word() -> Result<String, Rejected> {
    let mut bytes = [0_u8; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Rejected::Unavailable("the system has no randomness".into()))?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}
