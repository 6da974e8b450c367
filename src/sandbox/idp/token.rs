//! The token endpoint and userinfo (OpenID Connect Core sections 3.1.3 and 5.3, RFC 6749 section 5).

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::authorize::Request;
use super::{Idp, Session, TOKENS, claims_of};
use crate::sandbox::http::Params;
use crate::sandbox::settings::{CONFIDENTIAL_CLIENT, PUBLIC_CLIENT};

/// The authentication context class of a sign-in with a second factor.
pub(super) const MFA: &str = "urn:rolegate:sandbox:mfa";
/// And of one without.
const PASSWORD: &str = "urn:rolegate:sandbox:password";

/// What a code stands for.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) asked: Request,
    pub(super) session: Session,
}

/// A refusal in the words of RFC 6749 section 5.2.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TokenError {
    pub(super) code: &'static str,
    description: &'static str,
}

const fn error(code: &'static str, description: &'static str) -> TokenError {
    TokenError { code, description }
}

pub(super) async fn token(idp: web::Data<Idp>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let basic = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let outcome = Params::of_form(&request, &body)
        .map_err(|_| error("invalid_request", "the body must be a form without repeated parameters"))
        .and_then(|params| idp.exchange(basic, &params));
    let (mut response, body) = match outcome {
        Ok(tokens) => (HttpResponse::Ok(), tokens),
        Err(error) => {
            let mut response = HttpResponse::BadRequest();
            if error.code == "invalid_client" {
                response.status(StatusCode::UNAUTHORIZED).insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"sandbox\""));
            }
            (response, json!({ "error": error.code, "error_description": error.description }))
        }
    };
    response.insert_header((header::CACHE_CONTROL, "no-store")).json(body)
}

pub(super) async fn userinfo(idp: web::Data<Idp>, request: HttpRequest) -> HttpResponse {
    let bearer =
        request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
    match bearer.and_then(|token| idp.access.get(idp.clock.now(), token)) {
        Some(person) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(claims_of(person)),
        None => HttpResponse::Unauthorized().insert_header((header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")).finish(),
    }
}

impl Idp {
    /// A code, taken once whatever comes of it, for tokens.
    pub(super) fn exchange(&self, basic: Option<&str>, params: &Params) -> Result<Value, TokenError> {
        let client = self.client(basic, params)?;
        if params.filled("grant_type") != Some("authorization_code") {
            return Err(error("unsupported_grant_type", "grant_type must be authorization_code"));
        }
        let code = params.filled("code").ok_or(error("invalid_request", "code is missing"))?;
        let grant =
            self.codes.take(self.clock.now(), code).ok_or(error("invalid_grant", "the code is unknown, used, or older than 60 seconds"))?;
        if grant.asked.client != client {
            return Err(error("invalid_grant", "the code was issued to another client"));
        }
        if params.filled("redirect_uri") != Some(&grant.asked.registered_uri) {
            return Err(error("invalid_grant", "redirect_uri is not that of the authorization request"));
        }
        let verifier = params.filled("code_verifier").ok_or(error("invalid_request", "code_verifier is missing"))?;
        if !is_verifier(verifier) || BASE64URL_NOPAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref()) != grant.asked.challenge {
            return Err(error("invalid_grant", "code_verifier does not fit the code_challenge"));
        }
        self.tokens(&grant)
    }

    fn tokens(&self, grant: &Grant) -> Result<Value, TokenError> {
        let now = self.clock.now();
        let access_token = self.access.put(now, TOKENS, grant.session.person);
        let half: Vec<u8> = digest(&SHA256, access_token.as_bytes()).as_ref().iter().take(16).copied().collect();
        let mut claims = claims_of(grant.session.person);
        let protocol = json!({
            "iss": self.issuer,
            "aud": grant.asked.client,
            "iat": now.timestamp(),
            "exp": (now + TOKENS).timestamp(),
            "auth_time": grant.session.since.timestamp(),
            "acr": if grant.session.mfa { MFA } else { PASSWORD },
            "amr": if grant.session.mfa { &["pwd", "otp", "mfa"][..] } else { &["pwd"] },
            "sid": grant.session.sid,
            "at_hash": BASE64URL_NOPAD.encode(&half),
        });
        if let (Value::Object(claims), Value::Object(protocol)) = (&mut claims, protocol) {
            claims.extend(protocol);
            claims.extend(grant.asked.nonce.as_ref().map(|nonce| ("nonce".to_owned(), nonce.clone().into())));
        }
        let id_token = self.signer.sign(&claims).map_err(|_| error("server_error", "the ID token cannot be signed"))?;
        Ok(json!({ "access_token": access_token, "token_type": "Bearer", "expires_in": TOKENS.num_seconds(), "id_token": id_token }))
    }

    /// Which client asks, proved in the one way that is registered for it.
    fn client(&self, basic: Option<&str>, params: &Params) -> Result<&'static str, TokenError> {
        const NOT_PROVED: TokenError = error("invalid_client", "the client is unknown or did not prove itself as it must");
        let (id, secret) = match basic {
            Some(header) => {
                if params.get("client_secret").is_some() {
                    return Err(error("invalid_request", "the client proves itself in two ways at once"));
                }
                let (id, secret) = basic_credentials(header).ok_or(NOT_PROVED)?;
                if params.filled("client_id").is_some_and(|also| also != id) {
                    return Err(error("invalid_request", "client_id is not the one in the Authorization header"));
                }
                (id, Some(secret))
            }
            None => (params.filled("client_id").unwrap_or_default().to_owned(), params.get("client_secret").map(str::to_owned)),
        };
        match (id.as_str(), secret, &self.client_secret) {
            (PUBLIC_CLIENT, None, _) => Ok(PUBLIC_CLIENT),
            (CONFIDENTIAL_CLIENT, Some(secret), Some(known)) => {
                let same = verify_slices_are_equal(secret.as_bytes(), known.expose_secret().as_bytes());
                same.map(|()| CONFIDENTIAL_CLIENT).map_err(|_| NOT_PROVED)
            }
            _ => Err(NOT_PROVED),
        }
    }
}

/// Client id and secret from the header, each of them form-encoded first (RFC 6749 section 2.3.1).
fn basic_credentials(header: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(BASE64.decode(header.strip_prefix("Basic ")?.as_bytes()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let plain = |part: &str| form_urlencoded::parse(part.as_bytes()).next().map(|(name, _)| name.into_owned());
    Some((plain(id)?, plain(secret)?))
}

/// RFC 7636 section 4.1.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}
