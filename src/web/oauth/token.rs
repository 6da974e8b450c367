//! `/oauth2/token`: what a client brings becomes a token (RFC 6749 section 3.2).

use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::exchange::{self, TOKEN_EXCHANGE};
use super::{OAuthError, Parameters, ProgramForm, answer, grants, within_limit};
use crate::web::visitor::Visitor;

/// The grants by which people let command lines in.
pub(super) const GRANTS: [&str; 2] = [AUTHORIZATION_CODE, DEVICE_CODE];
const AUTHORIZATION_CODE: &str = "authorization_code";
/// RFC 8628 section 3.4.
pub(super) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// `POST /oauth2/token`.
pub(in crate::web) async fn token(visitor: Visitor, request: HttpRequest, form: ProgramForm) -> HttpResponse {
    answer(grant(&visitor, &request, form).await)
}

async fn grant(visitor: &Visitor, request: &HttpRequest, form: ProgramForm) -> Result<Value, OAuthError> {
    within_limit(visitor).await?;
    let parameters = Parameters::read(request, form)?;
    match parameters.required("grant_type")? {
        AUTHORIZATION_CODE => grants::code(visitor, &parameters).await,
        DEVICE_CODE => grants::device(visitor, &parameters).await,
        TOKEN_EXCHANGE => exchange::exchange(visitor, &parameters).await,
        _ => Err(OAuthError::new("unsupported_grant_type", "this grant is not understood here")),
    }
}
