//! `/step-up`: a role wants another sign-in than this one. On to the person's own provider with what is wanted, and back to the role.
//!
//! Each way round is one click. Whether the new sign-in meets the demand, the rules say at the next click: nothing here goes round by itself.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::depart::{Way, depart};
use super::limit;
use super::login::started;
use super::trouble::{PageError, redirect};
use super::visitor::{SignedInVisitor, Visitor};
use crate::access::Target;
use crate::gateway::{Failure, LocalPath};

#[derive(Deserialize)]
pub(super) struct StepUpForm {
    csrf: String,
    role: String,
    destination: Option<String>,
}

/// `POST /step-up`.
pub(super) async fn step_up(visitor: Visitor, form: web::Form<StepUpForm>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    me.check(&form.csrf)?;
    let role = form.role.parse::<Target>().map_err(|_| PageError::Unreadable)?;
    leave(&me, &role, form.destination.as_deref().filter(|text| !text.is_empty())).await
}

/// A click on a role whose sign-in has become too old since the page was made.
pub(super) async fn leave_instead(
    me: &SignedInVisitor,
    role: &str,
    destination: Option<&str>,
    failure: Failure,
) -> Result<HttpResponse, PageError> {
    match role.parse::<Target>() {
        Ok(role) => leave(me, &role, destination).await,
        Err(_) => Err(failure.into()),
    }
}

async fn leave(me: &SignedInVisitor, role: &Target, destination: Option<&str>) -> Result<HttpResponse, PageError> {
    let visitor = &me.visitor;
    if let Some(refusal) = limit::refusal(visitor) {
        return Ok(refusal);
    }
    // A destination that makes the way back too long is left out: the role is what the person came for.
    let back = |destination| LocalPath::parse(&format!("{}&after=step-up", role_link(role, destination)));
    let next = back(destination).or_else(|| back(None)).unwrap_or_else(LocalPath::home);
    let gateway = &visitor.site.gateway;
    let Some(begun) = gateway.step_up(&me.session, role, &visitor.browser, &next, &visitor.caller).await? else {
        return Ok(redirect(&role_link(role, destination)).finish());
    };
    let provider = me.session.identity.provider();
    let mut response = depart(visitor, gateway.provider_name(provider), &begun.departure, Way::Form);
    started(visitor, provider.as_str(), &begun.ticket, &mut response);
    Ok(response)
}

/// The page that waits for a click on a role.
pub(super) fn role_link(role: &Target, destination: Option<&str>) -> String {
    let account = role.account();
    let mut link = url::form_urlencoded::Serializer::new(String::new());
    link.append_pair("account", account.as_str()).append_pair("role", role.path_and_name());
    if let Some(destination) = destination {
        link.append_pair("destination", destination);
    }
    format!("/go?{}", link.finish())
}
