//! `/oauth2/device_authorization` and `/device`: a machine without a browser asks, and somebody answers on another one (RFC 8628).

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{OAuthError, Parameters, ProgramForm, answer, grants, within_limit};
use crate::gateway::{DeviceAsked, DeviceGrant, POLL_INTERVAL};
use crate::store::{DeviceName, UserCode};
use crate::web::limit;
use crate::web::trouble::{PageError, html};
use crate::web::views::{DeviceAnswered, DeviceConsent, DeviceEntry};
use crate::web::visitor::{SignedInVisitor, Visitor};

/// The longest text that is shown again in the field for the code, in characters.
const LONGEST_TYPED: usize = 20;

/// `POST /oauth2/device_authorization`: the codes of a device (RFC 8628 section 3.1).
pub(in crate::web) async fn authorization(visitor: Visitor, request: HttpRequest, form: ProgramForm) -> HttpResponse {
    answer(codes(&visitor, &request, form).await)
}

async fn codes(visitor: &Visitor, request: &HttpRequest, form: ProgramForm) -> Result<Value, OAuthError> {
    within_limit(visitor).await?;
    let parameters = Parameters::read(request, form)?;
    parameters.of_our_client()?;
    let name = DeviceName::clean(parameters.optional("device_name").unwrap_or_default());
    let asked = visitor.site.gateway.ask_by_device(name, &visitor.caller).await;
    let DeviceAsked { device_code, user_code, life } = asked.map_err(grants::refused)?;
    let page = format!("{}/device", visitor.site.origin);
    Ok(json!({
        "device_code": device_code.expose(),
        "user_code": user_code.to_string(),
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": life.as_secs(),
        "interval": POLL_INTERVAL.as_secs(),
    }))
}

#[derive(Deserialize)]
pub(in crate::web) struct DeviceQuery {
    user_code: Option<String>,
}

/// `GET /device`: asks for the code, and with one, who asks for what.
pub(in crate::web) async fn ask(visitor: Visitor, query: web::Query<DeviceQuery>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    let Some(typed) = query.user_code.as_deref().filter(|typed| !typed.trim().is_empty()) else { return Ok(entry(&me, None)) };
    let Some(code) = UserCode::parse(typed) else { return Ok(entry(&me, Some(typed))) };
    if let Some(refusal) = limit::code_refusal(&me).await {
        return Ok(refusal);
    }
    match me.visitor.site.gateway.device_grant(&code).await? {
        Some(grant) => Ok(consent(&me, &code, &grant)),
        None => Ok(entry(&me, Some(typed))),
    }
}

#[derive(Deserialize)]
pub(in crate::web) struct DeviceForm {
    csrf: String,
    user_code: String,
    decision: Decision,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Allow,
    Refuse,
}

/// `POST /device`: the answer.
pub(in crate::web) async fn decide(visitor: Visitor, form: web::Form<DeviceForm>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    me.check(&form.csrf)?;
    let Some(code) = UserCode::parse(&form.user_code) else { return Ok(entry(&me, Some(&form.user_code))) };
    // Here, too, a code can be guessed.
    if let Some(refusal) = limit::code_refusal(&me).await {
        return Ok(refusal);
    }
    let allowed = form.decision == Decision::Allow;
    let gateway = &me.visitor.site.gateway;
    let Some(grant) = gateway.answer_device(&me.id, &me.session, &code, allowed, &me.visitor.caller).await? else {
        return Ok(entry(&me, Some(&form.user_code)));
    };
    let shell = me.shell();
    Ok(html(&DeviceAnswered { shell, device: grant.name.as_str().into(), allowed }))
}

/// The field for the code; with what was typed and leads to nothing.
fn entry(me: &SignedInVisitor, typed: Option<&str>) -> HttpResponse {
    let shell = me.shell();
    let value = typed.unwrap_or_default().chars().take(LONGEST_TYPED).collect::<String>();
    html(&DeviceEntry { shell, value: value.into(), wrong: typed.is_some() })
}

fn consent(me: &SignedInVisitor, code: &UserCode, grant: &DeviceGrant) -> HttpResponse {
    let shell = me.shell();
    let here = me.visitor.caller.ip;
    let page = DeviceConsent {
        shell,
        code: code.to_string().into(),
        device: grant.name.as_str().into(),
        address: grant.ip.map(|ip| ip.to_string().into()),
        elsewhere: grant.ip != here,
        asked: grant.asked.into(),
        ends: me.session.expires.into(),
    };
    html(&page)
}
