//! `/oauth2/revoke`: a command line signs out (RFC 7009).

use actix_web::{HttpRequest, HttpResponse};

use super::{OAuthError, Parameters, ProgramForm, within_limit};
use crate::web::visitor::Visitor;

/// `POST /oauth2/revoke`: the token's session ends. That it was none is no error: what is wanted is so (section 2.2).
pub(in crate::web) async fn revoke(visitor: Visitor, request: HttpRequest, form: ProgramForm) -> HttpResponse {
    match end(&visitor, &request, form).await {
        Ok(()) => HttpResponse::Ok().finish(),
        Err(error) => error.into(),
    }
}

async fn end(visitor: &Visitor, request: &HttpRequest, form: ProgramForm) -> Result<(), OAuthError> {
    within_limit(visitor).await?;
    let parameters = Parameters::read(request, form)?;
    // Whoever has the token may end it: a client that names itself is the right one, and one that does not is none the worse.
    if parameters.optional("client_id").is_some() {
        parameters.of_our_client()?;
    }
    Ok(visitor.site.gateway.revoke(parameters.required("token")?, &visitor.caller).await?)
}
