//! `/saml/{provider}/…`: what SAML providers post, send and read. The only addresses that take forms of other sites: what makes them
//! harmless is a signature, bound to what we asked or good for once.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::cookies::Kind;
use super::depart::{Way, depart};
use super::guard::is_own_form;
use super::limit;
use super::login::{land, returning};
use super::trouble::{PageError, html};
use super::views::{HandOn, OtherPerson, SignedOut};
use super::visitor::{Visitor, csrf};
use crate::gateway::{Arrival, Failure, LogoutTaken, Question};
use crate::identity::saml::{Posted, Travelled};
use crate::saml::redirect::MessageKind;
use crate::store::HandoverId;

/// The largest form that is read, in bytes: a response of 256 KiB in base64, percent-encoded. Ordinary forms are far smaller.
pub(super) const LARGEST_FORM: usize = 512 * 1024;

/// What a browser posts to the assertion consumer service.
#[derive(Deserialize)]
pub(super) struct ResponseForm {
    #[serde(rename = "SAMLResponse")]
    response: String,
    #[serde(rename = "RelayState", default)]
    relay_state: String,
    /// There when the form comes from our own page in between.
    bounced: Option<String>,
}

/// `POST /saml/{provider}/acs`: the provider's response.
///
/// It comes from another site, so browsers leave our cookies out. Then the form goes to the browser and back once, from our own page.
pub(super) async fn consume(
    visitor: Visitor,
    request: HttpRequest,
    provider: web::Path<String>,
    form: web::Form<ResponseForm>,
) -> Result<HttpResponse, PageError> {
    let ResponseForm { response, relay_state, bounced } = form.into_inner();
    if let Some(refusal) = limit::refusal_to_verify(&visitor, response.len()).await {
        return Ok(refusal);
    }
    let gateway = &visitor.site.gateway;
    // Another site that wrote the mark itself would pass for a browser in which nobody is signed in.
    if bounced.is_some() && !is_own_form(&visitor.site, request.headers()) {
        return Err(PageError::Forged);
    }
    if visitor.browser_is_new && bounced.is_none() {
        // An address that is no provider's gives nothing back.
        gateway.saml_provider(&provider)?;
        let fields = vec![("SAMLResponse", response.into()), ("RelayState", relay_state.into()), ("bounced", "1".into())];
        let (shell, action) = (visitor.site.shell(visitor.csrf(), None), format!("/saml/{provider}/acs"));
        return Ok(html(&HandOn { shell, destination: "Rolegate".into(), action: action.into(), fields }));
    }
    let (slots, tickets) = visitor.jar.logins();
    let posted = Posted { response, relay_state };
    let finished = match gateway.complete_saml(&provider, &posted, returning(&visitor, &tickets), &visitor.caller).await {
        Ok(Arrival::Asks(question)) => return Ok(ask(&visitor, &question)),
        Ok(Arrival::SignedIn(signed_in)) => Ok(signed_in),
        Err(failure) => Err(failure),
    };
    Ok(land(&visitor, finished, &posted.relay_state, &slots, &tickets))
}

/// Asks whether the person who is signed in wants to be another one.
fn ask(visitor: &Visitor, question: &Question) -> HttpResponse {
    let Question { session, username, provider, waiting } = question;
    let csrf = visitor.session_id.as_ref().map(|id| csrf(&id.expose())).unwrap_or_default();
    let site = &visitor.site;
    html(&OtherPerson {
        shell: site.shell(csrf, Some(session)),
        present: (session.identity.username().into(), site.gateway.provider_name(session.identity.provider()).into()),
        other: (username.into(), site.gateway.provider_name(provider).into()),
        waiting: waiting.expose().into(),
    })
}

#[derive(Deserialize)]
pub(super) struct SwitchForm {
    csrf: String,
    waiting: String,
}

/// `POST /switch`: the person who is signed in wants to be the one of an unasked sign-in.
pub(super) async fn switch(visitor: Visitor, form: web::Form<SwitchForm>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    me.check(&form.csrf)?;
    let waiting = HandoverId::parse(&form.waiting).ok_or(PageError::Unreadable)?;
    let signed_in = me.visitor.site.gateway.replace(&me.id, &waiting, &me.visitor.caller).await;
    Ok(land(&me.visitor, signed_in, "", &[], &[]))
}

/// `GET /saml/{provider}/metadata`: who we are, for the provider's administrator.
pub(super) async fn metadata(visitor: Visitor, provider: web::Path<String>) -> Result<HttpResponse, PageError> {
    let metadata = visitor.site.gateway.saml_provider(&provider)?.sp_metadata();
    let metadata = metadata.map_err(|error| PageError::broken(&error))?;
    Ok(HttpResponse::Ok().content_type("application/samlmetadata+xml").body(metadata))
}

/// `GET /saml/{provider}/slo`: a logout message by Redirect.
pub(super) async fn slo_query(visitor: Visitor, request: HttpRequest, provider: web::Path<String>) -> Result<HttpResponse, PageError> {
    // Verifying costs more than any page: a stranger's forgeries must not take the workers.
    if let Some(refusal) = limit::refusal_to_verify(&visitor, request.query_string().len()).await {
        return Ok(refusal);
    }
    let taken = visitor.site.gateway.take_logout(&provider, Travelled::Query(request.query_string()), &visitor.caller).await;
    signed_out(&visitor, &provider, taken).await
}

/// `POST /saml/{provider}/slo`: a logout message in a form, or in an envelope from the provider itself.
pub(super) async fn slo_post(
    visitor: Visitor,
    request: HttpRequest,
    provider: web::Path<String>,
    body: web::Bytes,
) -> Result<HttpResponse, PageError> {
    // Verifying costs more than any page: a stranger's forgeries must not take the workers.
    if let Some(refusal) = limit::refusal_to_verify(&visitor, body.len()).await {
        return Ok(refusal);
    }
    let gateway = &visitor.site.gateway;
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("text/xml") || kind.starts_with("application/soap+xml") {
        return Ok(match gateway.take_logout(&provider, Travelled::Envelope(&body), &visitor.caller).await {
            Ok(LogoutTaken::EndedBehind { answer }) => HttpResponse::Ok().content_type("text/xml; charset=utf-8").body(answer),
            Ok(_) | Err(_) => fault(),
        });
    }
    let form = Form::read(&body).ok_or(PageError::Unreadable)?;
    let travelled = Travelled::Form { kind: form.kind, message: &form.message, relay_state: form.relay_state.as_deref() };
    let taken = gateway.take_logout(&provider, travelled, &visitor.caller).await;
    signed_out(&visitor, &provider, taken).await
}

/// A SOAP 1.1 fault: what a provider's program understands. Why, stands in our log.
fn fault() -> HttpResponse {
    const FAULT: &str = "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><soap:Fault>\
        <faultcode>soap:Client</faultcode><faultstring>the request is not believed</faultstring></soap:Fault></soap:Body></soap:Envelope>";
    HttpResponse::build(StatusCode::INTERNAL_SERVER_ERROR).content_type("text/xml; charset=utf-8").body(FAULT)
}

struct Form<'b> {
    kind: MessageKind,
    message: Cow<'b, str>,
    relay_state: Option<Cow<'b, str>>,
}

impl<'b> Form<'b> {
    /// One message, and each field once.
    fn read(body: &'b [u8]) -> Option<Self> {
        let (mut message, mut relay_state) = (None, None);
        for (name, value) in url::form_urlencoded::parse(body) {
            let before = match &*name {
                "SAMLRequest" => message.replace((MessageKind::Request, value)).is_some(),
                "SAMLResponse" => message.replace((MessageKind::Response, value)).is_some(),
                "RelayState" => relay_state.replace(value).is_some(),
                _ => false,
            };
            if before {
                return None;
            }
        }
        let (kind, message) = message?;
        Some(Self { kind, message, relay_state })
    }
}

async fn signed_out(visitor: &Visitor, provider: &str, taken: Result<LogoutTaken, Failure>) -> Result<HttpResponse, PageError> {
    let gateway = &visitor.site.gateway;
    let name = gateway.provider(provider).map_or(provider, crate::identity::Provider::name);
    let page = |still_at: Option<&str>| {
        let still_at = still_at.map(|name| name.to_owned().into());
        html(&SignedOut { shell: visitor.site.shell(visitor.csrf(), None), everywhere: false, still_at })
    };
    match taken? {
        LogoutTaken::Answered { everywhere } => Ok(page((!everywhere).then_some(name))),
        LogoutTaken::EndedBehind { .. } => Ok(page(None)),
        LogoutTaken::NotEnded { answer } => Ok(depart(visitor, name, &answer, Way::Link)),
        LogoutTaken::Ended { answer } => {
            // The browser came by a link or by a form of the provider's; either way our policy does not hold its redirects.
            let mut response = answer.map_or_else(|| page(None), |answer| depart(visitor, name, &answer, Way::Link));
            // Somebody else may sit here by now: they stay signed in.
            if visitor.session_id.is_some() && visitor.session().await?.is_none() {
                let _ = response.add_cookie(&visitor.site.cookies.clear(Kind::Session));
            }
            Ok(response)
        }
    }
}
