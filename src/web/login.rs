//! `/login`, `/login/{provider}`, `/callback/{provider}`: from nobody to somebody.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::cookies::{Kind, Slot};
use super::depart::{Way, depart};
use super::limit;
use super::trouble::{PageError, html, redirect};
use super::views::{EmailForm, Notice, Provider, SignIn};
use super::visitor::{Visitor, check};
use crate::gateway::{Begun, Failure, LocalPath, Returning, SignedIn};
use crate::identity::oidc::Callback;
use crate::store::LoginTicket;

/// The longest query that a form of another site becomes, in bytes.
const LONGEST_QUERY: usize = 4096;

#[derive(Deserialize)]
pub(super) struct ChooseQuery {
    next: Option<String>,
    /// Set when a session was there and is over.
    ended: Option<String>,
}

/// `GET /login`: the choice of a provider.
pub(super) async fn choose(visitor: Visitor, query: web::Query<ChooseQuery>) -> Result<HttpResponse, PageError> {
    let next = LocalPath::parse_or_home(query.next.as_deref());
    if visitor.session().await?.is_some() {
        return Ok(redirect(next.as_str()).finish());
    }
    let notice = query.ended.is_some().then(|| Notice { warning: false, text: "Your session has ended. Sign in again to go on.".into() });
    Ok(sign_in(&visitor, &next, notice, EmailForm::default()))
}

fn sign_in(visitor: &Visitor, next: &LocalPath, notice: Option<Notice<'_>>, email: EmailForm<'_>) -> HttpResponse {
    let gateway = &visitor.site.gateway;
    let last_used = |id: &str| visitor.jar.last_provider.as_deref() == Some(id);
    let mut providers: Vec<_> = gateway
        .providers
        .iter()
        .map(|provider| Provider {
            id: provider.id().as_str().into(),
            name: provider.name().into(),
            last_used: last_used(provider.id().as_str()),
            unavailable: provider.health().is_down(),
        })
        .collect();
    providers.sort_by_key(|provider| !provider.last_used);
    let page = SignIn {
        shell: visitor.site.shell(visitor.csrf(), None),
        notice,
        providers,
        email: gateway.providers.iter().any(crate::identity::Provider::has_domains).then_some(email),
        next: next.as_str().into(),
    };
    let mut response = html(&page);
    remember_browser(visitor, &mut response);
    response
}

/// The browser's id is set once and stays: two tabs that sign in at the same time must not undo each other.
fn remember_browser(visitor: &Visitor, response: &mut HttpResponse) {
    if visitor.browser_is_new {
        let _ = response.add_cookie(&visitor.site.cookies.write(Kind::Browser, visitor.browser.expose()));
    }
}

#[derive(Deserialize)]
pub(super) struct EmailQuery {
    email: String,
    csrf: String,
    next: Option<String>,
}

/// `POST /login`: finds the provider by the domain of an e-mail address. The address travels to nobody but that provider.
pub(super) async fn by_email(visitor: Visitor, form: web::Form<EmailQuery>) -> Result<HttpResponse, PageError> {
    if let Some(refusal) = limit::refusal_to_begin(&visitor) {
        return Ok(refusal);
    }
    check(&visitor.browser.expose(), &form.csrf)?;
    let next = LocalPath::parse_or_home(form.next.as_deref());
    let email: String = form.email.trim().chars().take(254).collect();
    let Some(provider) = visitor.site.gateway.provider_for_email(&email) else {
        let problem = "No identity provider serves this domain. Check the address, or choose a provider above.";
        return Ok(sign_in(&visitor, &next, None, EmailForm { value: email.into(), problem: Some(problem.into()) }));
    };
    let (id, name) = (provider.id().to_string(), provider.name().to_owned());
    let Begun { departure, ticket } = visitor.site.gateway.begin(&id, &visitor.browser, &next, Some(&email)).await?;
    let mut response = depart(&visitor, &name, &departure, Way::Form);
    started(&visitor, &id, &ticket, &mut response);
    Ok(response)
}

#[derive(Deserialize)]
pub(super) struct BeginQuery {
    next: Option<String>,
}

/// `GET /login/{provider}`: on to the provider.
pub(super) async fn begin(visitor: Visitor, provider: web::Path<String>, query: web::Query<BeginQuery>) -> Result<HttpResponse, PageError> {
    if let Some(refusal) = limit::refusal_to_begin(&visitor) {
        return Ok(refusal);
    }
    let next = LocalPath::parse_or_home(query.next.as_deref());
    leave(&visitor, &provider, &next, None).await
}

#[derive(Deserialize)]
pub(super) struct InitiateQuery {
    #[serde(default)]
    iss: String,
    login_hint: Option<String>,
    target_link_uri: Option<String>,
}

/// `GET /login/initiate`: another site, such as the provider's own portal, starts a sign-in (OpenID Connect Core section 4). It can choose
/// among the configured providers and places of ours, and nothing else.
pub(super) async fn initiate(visitor: Visitor, query: web::Query<InitiateQuery>) -> Result<HttpResponse, PageError> {
    if let Some(refusal) = limit::refusal_to_begin(&visitor) {
        return Ok(refusal);
    }
    let gateway = &visitor.site.gateway;
    let provider = gateway.provider_by_issuer(&query.iss)?.id().to_string();
    let next = query.target_link_uri.as_deref().and_then(|target| gateway.own_place(target)).unwrap_or_else(LocalPath::home);
    leave(&visitor, &provider, &next, query.login_hint.as_deref()).await
}

/// `POST /login/initiate`: the same by a form (the section allows both). Browsers leave our cookies out of other sites' forms, so it goes on
/// by GET, where they are: else the sign-in would be begun in the name of a new browser, and those that are under way be lost.
pub(super) async fn initiate_by_form(form: web::Form<InitiateQuery>) -> Result<HttpResponse, PageError> {
    let InitiateQuery { iss, login_hint, target_link_uri } = form.into_inner();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("iss", &iss);
    let optional = [("login_hint", login_hint), ("target_link_uri", target_link_uri)];
    query.extend_pairs(optional.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))));
    let query = query.finish();
    if query.len() > LONGEST_QUERY { Err(PageError::Unreadable) } else { Ok(redirect(&format!("/login/initiate?{query}")).finish()) }
}

async fn leave(visitor: &Visitor, provider: &str, next: &LocalPath, hint: Option<&str>) -> Result<HttpResponse, PageError> {
    let gateway = &visitor.site.gateway;
    let Begun { departure, ticket } = gateway.begin(provider, &visitor.browser, next, hint).await?;
    let name = gateway.provider(provider).map_or(provider, crate::identity::Provider::name);
    let mut response = depart(visitor, name, &departure, Way::Link);
    remember_browser(visitor, &mut response);
    started(visitor, provider, &ticket, &mut response);
    Ok(response)
}

/// What the browser keeps of a login that was begun.
pub(super) fn started(visitor: &Visitor, provider: &str, ticket: &LoginTicket, response: &mut HttpResponse) {
    let cookies = visitor.site.cookies;
    let _ = response.add_cookie(&cookies.write(Kind::LastProvider, provider.to_owned()));
    let _ = response.add_cookie(&cookies.write(Kind::Login(visitor.jar.slot()), ticket.expose()));
}

/// `GET /callback/{provider}`: the provider's answer. It takes its pending login from the browser, however it ends.
pub(super) async fn callback(visitor: Visitor, provider: web::Path<String>, query: web::Query<Callback>) -> HttpResponse {
    let (slots, tickets) = visitor.jar.logins();
    // Where no login was begun nothing is verified, and the store hears nothing of it.
    let refusal = if tickets.is_empty() { limit::refusal_to_begin(&visitor) } else { limit::refusal_to_verify(&visitor, 0).await };
    if let Some(refusal) = refusal {
        return refusal;
    }
    let gateway = &visitor.site.gateway;
    let finished = gateway.complete(&provider, &query, returning(&visitor, &tickets), &visitor.caller).await;
    land(&visitor, finished, &query.state, &slots, &tickets)
}

/// What the browser brings along.
pub(super) fn returning<'v>(visitor: &'v Visitor, tickets: &'v [LoginTicket]) -> Returning<'v> {
    let browser = (!visitor.browser_is_new).then_some(&visitor.browser);
    Returning { browser, tickets, session: visitor.session_id.as_ref() }
}

/// The end of a sign-in: its pending login leaves the browser, and a session or a page with what went wrong comes.
pub(super) fn land(
    visitor: &Visitor,
    finished: Result<SignedIn, Failure>,
    state: &str,
    slots: &[Slot],
    tickets: &[LoginTicket],
) -> HttpResponse {
    let cookies = visitor.site.cookies;
    let mut response = match finished {
        Ok(signed_in) => {
            let mut response = redirect(signed_in.return_to.as_str()).finish();
            let _ = response.add_cookie(&cookies.write(Kind::Session, signed_in.session.expose()));
            response
        }
        Err(failure) => HttpResponse::from_error(PageError::from(failure)),
    };
    if let Some(slot) = visitor.site.gateway.ticket_of(state, tickets).and_then(|used| slots.get(used)) {
        let _ = response.add_cookie(&cookies.clear(Kind::Login(*slot)));
    }
    response
}
