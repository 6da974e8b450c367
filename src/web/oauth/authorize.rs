//! `/oauth2/authorize`: somebody is asked whether a command line on their own machine may act for them (RFC 6749 section 4.1, RFC 8252).
//!
//! Every request is asked about, however often the answer was yes: any program can send the browser here.

use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use actix_web::{HttpResponse, web};

use super::application::{Application, Back, Flaw, Parameters};
use crate::gateway::{Failure, Trouble};
use crate::identity::Demand;
use crate::web::depart::{Way, depart};
use crate::web::limit;
use crate::web::login::started;
use crate::web::site::policy;
use crate::web::trouble::{PageError, html, redirect};
use crate::web::unfit::Unfit;
use crate::web::views::{Consent, Continue};
use crate::web::visitor::{SignedInVisitor, Visitor};

/// `GET /oauth2/authorize`: the question.
pub(in crate::web) async fn ask(visitor: Visitor, query: web::Query<Parameters>) -> Result<HttpResponse, PageError> {
    let application = match Application::read(&query) {
        Ok(application) => application,
        Err(flaw) => return tell(&visitor, flaw, Way::Link),
    };
    let me = signed_in(visitor, &application).await?;
    if let Some(elsewhere) = renewal(&me, &application, Way::Link).await? {
        return Ok(elsewhere);
    }
    let page = Consent {
        shell: me.shell(),
        device: application.request.name.as_str().into(),
        ends: me.session.expires.into(),
        fields: application.fields().into_iter().map(|(name, value)| (name, value.into())).collect(),
    };
    let mut response = html(&page);
    // The answer leads to the command line, and browsers hold what follows a form to this list.
    if let Some(source) = application.back.redirect.policy_source()
        && let Ok(policy) = HeaderValue::from_str(&policy(&[source.to_owned()]))
    {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

/// `POST /oauth2/authorize`: the answer.
pub(in crate::web) async fn decide(visitor: Visitor, form: web::Form<Parameters>) -> Result<HttpResponse, PageError> {
    let csrf = form.csrf.as_deref().ok_or(PageError::Unreadable)?;
    let allowed = match form.decision.as_deref() {
        Some("allow") => true,
        Some("refuse") => false,
        _ => return Err(PageError::Unreadable),
    };
    // Whom to answer is for a person's own form to say: until its token is known, nobody is sent anywhere.
    let application = match Application::read(&form) {
        Ok(application) => application,
        Err(Flaw::Nowhere | Flaw::Told(..)) => return Err(PageError::Unfit(Unfit::CommandLine)),
    };
    let me = signed_in(visitor, &application).await?;
    me.check(csrf)?;
    let (gateway, caller) = (&me.visitor.site.gateway, &me.visitor.caller);
    if !allowed {
        gateway.refuse_command_line(&me.session, &application.request.name, caller).await?;
        return leave(&me.visitor, &application.back, &[("error", "access_denied")], Way::Form);
    }
    if let Some(elsewhere) = renewal(&me, &application, Way::Form).await? {
        return Ok(elsewhere);
    }
    let code = gateway.allow_by_code(&me.id, &me.session, application.request.clone(), caller).await?;
    leave(&me.visitor, &application.back, &[("code", &code.expose())], Way::Form)
}

/// Insists on a living session; after a sign-in, the person comes back to the request.
async fn signed_in(visitor: Visitor, application: &Application) -> Result<SignedInVisitor, PageError> {
    match visitor.signed_in().await {
        Err(PageError::SignInFirst { next, had_session }) => {
            Err(PageError::SignInFirst { next: application.place().unwrap_or(next), had_session })
        }
        other => other,
    }
}

/// The way to another sign-in, if the request wants one that is fresher or stronger than the session's; none if it will do. A provider that
/// did not bring what was wanted is not asked again: the command line hears of it.
async fn renewal(me: &SignedInVisitor, application: &Application, way: Way) -> Result<Option<HttpResponse>, PageError> {
    let (visitor, gateway) = (&me.visitor, &me.visitor.site.gateway);
    let anew = application.wants_another(&me.session);
    let came = me.session.identity.authentication();
    let role = application.role.as_ref().map(|role| gateway.wanted_for(&me.session, role, &visitor.caller));
    let Some(wanted) = role.map_or(Some(Demand::default()), |wanted| wanted) else {
        return leave(visitor, &application.back, &[("error", "invalid_target")], way).map(Some);
    };
    let wanted = wanted.and(&application.wanted);
    if !anew && wanted.missing(came, gateway.now()).is_none() {
        return Ok(None);
    }
    if !anew && application.renewed {
        let error = ("error", "unmet_authentication_requirements");
        return leave(visitor, &application.back, &[error], way).map(Some);
    }
    if let Some(refusal) = limit::refusal_to_begin(visitor) {
        return Ok(Some(refusal));
    }
    let next = application.after_sign_in(gateway.now()).place().ok_or(PageError::Unreadable)?;
    let Some(begun) = gateway.sign_in_anew(&me.session, &wanted, anew, &visitor.browser, &next).await? else { return Ok(None) };
    let provider = me.session.identity.provider();
    let mut response = depart(visitor, gateway.provider_name(provider), &begun.departure, way);
    started(visitor, provider.as_str(), &begun.ticket, &mut response);
    Ok(Some(response))
}

fn tell(visitor: &Visitor, flaw: Flaw, way: Way) -> Result<HttpResponse, PageError> {
    match flaw {
        Flaw::Nowhere => Err(PageError::Unfit(Unfit::CommandLine)),
        Flaw::Told(back, code, why) => {
            tracing::info!(code, why, "an authorization request was refused");
            leave(visitor, &back, &[("error", code), ("error_description", why)], way)
        }
    }
}

/// Sends the browser to the command line with an answer.
fn leave(visitor: &Visitor, back: &Back, answer: &[(&str, &str)], way: Way) -> Result<HttpResponse, PageError> {
    let no_url = || Failure::logged(Trouble::Signing, &"the command line's address is no URL");
    let url = back.with(&visitor.site.origin, answer).ok_or_else(no_url)?;
    if way == Way::Link || back.redirect.policy_source().is_some() {
        return Ok(redirect(url.as_str()).finish());
    }
    // No policy can name this address, so a page in between goes on by itself.
    let shell = visitor.site.shell(visitor.csrf(), None);
    Ok(html(&Continue { shell, destination: "your command line".into(), url: url.as_str().into() }))
}
