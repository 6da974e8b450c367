//! `/logout`, `/signed-out`, and what OpenID Connect providers say about the end of their own sessions.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::cookies::Kind;
use super::depart::{Way, depart};
use super::limit;
use super::trouble::{PageError, html, redirect};
use super::views::SignedOut;
use super::visitor::Visitor;
use crate::gateway::LogoutScope;

#[derive(Deserialize)]
pub(super) struct LogoutForm {
    csrf: String,
    scope: Scope,
}

/// What the form ends.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Scope {
    Here,
    Everywhere,
    Provider,
}

/// `POST /logout`: ends sessions, and tells that AWS credentials already taken live on.
pub(super) async fn log_out(visitor: Visitor, form: web::Form<LogoutForm>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    me.check(&form.csrf)?;
    let site = &me.visitor.site;
    let scope = match form.scope {
        Scope::Here => LogoutScope::Here,
        Scope::Everywhere => LogoutScope::Everywhere,
        Scope::Provider => LogoutScope::Provider,
    };
    let signed_out = site.gateway.log_out(&me.id, &me.session, scope, &me.visitor.caller).await?;
    let mut response = match signed_out.at_provider {
        Some(departure) => depart(&me.visitor, site.gateway.provider_name(me.session.identity.provider()), &departure, Way::Form),
        None if scope == LogoutScope::Everywhere => redirect("/signed-out?everywhere=1").finish(),
        None => redirect("/signed-out").finish(),
    };
    let _ = response.add_cookie(&site.cookies.clear(Kind::Session));
    let _ = response.add_cookie(&site.cookies.clear(Kind::Choices));
    Ok(response)
}

#[derive(Deserialize)]
pub(super) struct SignedOutQuery {
    everywhere: Option<String>,
}

/// `GET /signed-out`: also where a provider sends people after it signed them out.
pub(super) async fn signed_out(visitor: Visitor, query: web::Query<SignedOutQuery>) -> HttpResponse {
    let page = SignedOut { shell: visitor.site.shell(visitor.csrf(), None), everywhere: query.everywhere.is_some(), still_at: None };
    html(&page)
}

#[derive(Deserialize)]
pub(super) struct LogoutTokenForm {
    logout_token: String,
}

/// `POST /logout/backchannel/{provider}`: the provider itself says that its session with somebody has ended.
pub(super) async fn back_channel(
    visitor: Visitor,
    provider: web::Path<String>,
    form: web::Form<LogoutTokenForm>,
) -> Result<HttpResponse, PageError> {
    // As at the SAML addresses: whoever may have signatures verified without end would take the workers.
    if let Some(refusal) = limit::refusal_to_verify(&visitor, form.logout_token.len()).await {
        return Ok(refusal);
    }
    visitor.site.gateway.take_logout_token(&provider, &form.logout_token, &visitor.caller).await?;
    Ok(HttpResponse::Ok().finish())
}

#[derive(Deserialize)]
pub(super) struct NoticeQuery {
    #[serde(default)]
    iss: String,
    #[serde(default)]
    sid: String,
}

/// `GET /logout/frontchannel/{provider}`: the provider's sign-out page opens this in a frame. Browsers do not show it, which is as well:
/// asking is enough.
pub(super) async fn front_channel(
    visitor: Visitor,
    provider: web::Path<String>,
    query: web::Query<NoticeQuery>,
) -> Result<HttpResponse, PageError> {
    if let Some(refusal) = limit::refusal_to_begin(&visitor) {
        return Ok(refusal);
    }
    visitor.site.gateway.take_logout_notice(&provider, &query.iss, &query.sid, &visitor.caller).await?;
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("signed out\n"))
}
