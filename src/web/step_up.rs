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
use crate::gateway::{Begun, Failure, LocalPath};
use crate::identity::Demand;

#[derive(Deserialize)]
pub(super) struct StepUpForm {
    csrf: String,
    role: String,
    destination: Option<String>,
    /// Set where the role is wanted as in an emergency.
    break_glass: Option<String>,
}

/// `POST /step-up`.
pub(super) async fn step_up(visitor: Visitor, form: web::Form<StepUpForm>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    me.check(&form.csrf)?;
    let role = form.role.parse::<Target>().map_err(|_| PageError::Unreadable)?;
    let destination = form.destination.as_deref().filter(|text| !text.is_empty());
    leave(&me, &role, Onward { destination, break_glass: form.break_glass.is_some() }).await
}

/// A click on a role whose sign-in has become too old since the page was made.
pub(super) async fn leave_instead(
    me: &SignedInVisitor,
    role: &str,
    onward: Onward<'_>,
    failure: Failure,
) -> Result<HttpResponse, PageError> {
    match role.parse::<Target>() {
        Ok(role) => leave(me, &role, onward).await,
        Err(_) => Err(failure.into()),
    }
}

async fn leave(me: &SignedInVisitor, role: &Target, onward: Onward<'_>) -> Result<HttpResponse, PageError> {
    let visitor = &me.visitor;
    if let Some(refusal) = limit::refusal_to_begin(visitor) {
        return Ok(refusal);
    }
    // A destination that makes the way back too long is left out: the role is what the person came for.
    let back = |onward| LocalPath::parse(&format!("{}&after=step-up", role_link(role, onward)));
    let next = back(onward).or_else(|| back(Onward { destination: None, ..onward })).unwrap_or_else(LocalPath::home);
    let gateway = &visitor.site.gateway;
    let wanted = (role, onward.break_glass);
    let Some(begun) = gateway.step_up(&me.session, wanted, &visitor.browser, &next, &visitor.caller).await? else {
        return Ok(redirect(&role_link(role, onward)).finish());
    };
    Ok(to_own_provider(me, &begun))
}

/// Who wants to grant a request and lacks something of what its rule wants: on to their provider, and back to the requests.
pub(super) async fn leave_to_decide(me: &SignedInVisitor, wanted: &Demand) -> Result<HttpResponse, PageError> {
    const BACK: &str = "/requests?done=signed-in";
    let visitor = &me.visitor;
    if let Some(refusal) = limit::refusal_to_begin(visitor) {
        return Ok(refusal);
    }
    let next = LocalPath::parse(BACK).unwrap_or_else(LocalPath::home);
    let begun = visitor.site.gateway.sign_in_anew(&me.session, wanted, false, &visitor.browser, &next).await?;
    Ok(begun.map_or_else(|| redirect(BACK).finish(), |begun| to_own_provider(me, &begun)))
}

fn to_own_provider(me: &SignedInVisitor, begun: &Begun) -> HttpResponse {
    let (visitor, provider) = (&me.visitor, me.session.identity.provider());
    let mut response = depart(visitor, visitor.site.gateway.provider_name(provider), &begun.departure, Way::Form);
    started(visitor, provider.as_str(), &begun.ticket, &mut response);
    response
}

/// What a link to a role says beside the role.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Onward<'a> {
    /// A page of the console.
    pub(super) destination: Option<&'a str>,
    /// Whether the role is wanted as in an emergency.
    pub(super) break_glass: bool,
}

/// The page that waits for a click on a role.
pub(super) fn role_link(role: &Target, onward: Onward<'_>) -> String {
    let account = role.account();
    let mut link = url::form_urlencoded::Serializer::new(String::new());
    link.append_pair("account", account.as_str()).append_pair("role", role.path_and_name());
    if onward.break_glass {
        link.append_pair("break_glass", "1");
    }
    if let Some(destination) = onward.destination {
        link.append_pair("destination", destination);
    }
    format!("/go?{}", link.finish())
}
