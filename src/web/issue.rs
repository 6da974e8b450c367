//! `/console`, `/credentials`, `/credentials/{handover}`, `/credentials/download`: what the product is for.

use std::time::Duration;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY};
use actix_web::{HttpResponse, web};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tracing::Instrument;

use super::limit;
use super::listing;
use super::step_up::{Onward, leave_instead, role_link};
use super::trouble::{PageError, html, redirect};
use super::views::{ConsolePost as ConsolePostPage, Continue, Credentials, CredentialsGone, Format as FormatView, Value};
use super::visitor::{Chooser, SignedInVisitor, Visitor};
use crate::access::{Account, Denied, Purpose, Target, Wish};
use crate::arn::Region;
use crate::aws::console as palette;
use crate::aws::formats::{Format, profile_name};
use crate::clock::Moment;
use crate::gateway::{ConsoleEntry, ConsolePost, Entrance, Failure, Trouble};
use crate::request_id::RequestId;
use crate::store::HandoverId;

/// What lengths are chosen in, in seconds.
const QUARTER: u64 = 15 * 60;

/// Goes on when the browser hangs up or the time is over: what AWS has issued by then is recorded all the same, and handed to nobody.
pub(super) async fn to_the_end<T: 'static>(work: impl Future<Output = Result<T, PageError>> + 'static) -> Result<T, PageError> {
    actix_web::rt::spawn(RequestId::carried(RequestId::current(), work).in_current_span())
        .await
        .unwrap_or_else(|error| Err(PageError::broken(&error)))
}

#[derive(Deserialize)]
pub(super) struct ConsoleForm {
    csrf: String,
    role: String,
    /// Exactly how long, in seconds.
    duration: Option<u64>,
    /// How long at most: a role that allows less is had for less. What the person chose last, where neither is said.
    at_most: Option<u64>,
    reason: Option<String>,
    destination: Option<String>,
    /// Set where it is wanted as in an emergency.
    break_glass: Option<String>,
    /// Where in the console, as chosen from two lists; a destination goes before.
    #[serde(default)]
    service: String,
    region: Option<String>,
    attempt: Option<usize>,
}

/// `POST /console`: into the console, by a redirect that carries the secret URL, or by a page whose form goes to AWS's sign-in page.
pub(super) async fn console(visitor: Visitor, form: web::Form<ConsoleForm>) -> Result<HttpResponse, PageError> {
    to_the_end(async move {
        let mut chooser = visitor.chooser().await?;
        chooser.me.check(&form.csrf)?;
        limit::of_person(&chooser.me.visitor.site, &chooser.me.session.identity, 1).await?;
        let form = form.into_inner();
        let chosen = || palette::chosen(form.role.parse::<Target>().ok()?.partition(), &form.service, form.region.as_deref()?);
        let destination = form.destination.clone().filter(|text| !text.is_empty()).or_else(chosen);
        let destination = destination.as_deref();
        let onward = Onward { destination, break_glass: form.break_glass.is_some() };
        let (duration, chosen_length) = length(&chooser, (&form.role, onward.break_glass), form.duration, form.at_most);
        let wish = Wish { reason: form.reason, break_glass: onward.break_glass, ..wish(form.role, duration, Purpose::Console) };
        let entrance = Entrance { destination, attempt: form.attempt.unwrap_or_default(), by_program: false };
        let me = &chooser.me;
        let entry = me.visitor.site.gateway.enter_console(&me.session, &wish, entrance, &me.visitor.caller).await;
        let ends = match &entry {
            Ok(ConsoleEntry::Redirect { ends, .. }) => Some(*ends),
            Ok(ConsoleEntry::Post(post)) => Some(me.visitor.site.gateway.now() + post.request.duration()),
            _ => None,
        };
        if let Some(ends) = ends {
            remember(&mut chooser, (&wish.role, ends), chosen_length, form.region).await;
        }
        let me = &chooser.me;
        match entry {
            Err(failure) if matches!(failure.trouble, Trouble::SignInAgain) => go_round(me, &wish.role, onward, failure),
            Err(failure) if wants_step_up(&failure) => leave_instead(me, &wish.role, onward, failure).await,
            Err(failure) => Err(failure.into()),
            Ok(ConsoleEntry::Redirect { url, .. }) => {
                let mut response = HttpResponse::Found();
                Ok(response.insert_header(("Location", url.expose())).insert_header((REFERRER_POLICY, "no-referrer")).finish())
            }
            Ok(ConsoleEntry::Post(entry)) => post_to_aws(me, &entry, destination),
            Ok(ConsoleEntry::ByBrowser) => Err(PageError::broken(&"a page was taken for a program")),
        }
    })
    .await
}

const fn wants_step_up(failure: &Failure) -> bool {
    matches!(failure.trouble, Trouble::Denied(Denied::StepUp(_)))
}

/// A role that needs a fresh answer of the person's own provider: on to the provider, which often asks nothing, and back to the role.
fn go_round(me: &SignedInVisitor, role: &str, onward: Onward<'_>, failure: Failure) -> Result<HttpResponse, PageError> {
    let Ok(role) = role.parse::<Target>() else { return Err(failure.into()) };
    let provider = me.session.identity.provider();
    let site = &me.visitor.site;
    let next = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &role_link(&role, onward)).finish();
    let url = format!("{}/login/{provider}?{next}", site.origin);
    let destination = site.gateway.provider_name(provider);
    Ok(html(&Continue { shell: me.shell(), destination: destination.into(), url: url.into() }))
}

/// The page that leads to AWS's sign-in page. Nothing of it is kept: what is not said to be kept never is.
fn post_to_aws(me: &SignedInVisitor, entry: &ConsolePost, destination: Option<&str>) -> Result<HttpResponse, PageError> {
    let (request, endpoint, next) = (&entry.request, &entry.post.endpoint, &entry.post.next);
    let region = endpoint.region.as_ref().map(Region::as_str);
    let next_region = next.endpoint.region.as_ref().map(Region::as_str).filter(|next| Some(*next) != region);
    let policy = me.visitor.site.policy_towards(request.target().partition(), &endpoint.url);
    let policy = HeaderValue::try_from(policy).map_err(|error| PageError::broken(&error))?;
    let mut response = html(&ConsolePostPage {
        shell: me.shell(),
        account: request.account().name.as_str().into(),
        role: request.target().path_and_name().into(),
        role_arn: request.target().as_str().into(),
        duration: request.duration().as_secs(),
        reason: request.reason().map(Into::into),
        break_glass: request.is_break_glass(),
        destination: destination.map(Into::into),
        endpoint: endpoint.url.as_str().into(),
        region: region.map(Into::into),
        response: entry.post.proof.expose().into(),
        relay_state: entry.destination.as_str().into(),
        next_attempt: next.attempt,
        next_region: next_region.map(Into::into),
    });
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

#[derive(Deserialize)]
pub(super) struct CredentialsForm {
    csrf: String,
    role: String,
    /// As in the form for the console.
    duration: Option<u64>,
    at_most: Option<u64>,
    reason: Option<String>,
    mfa_code: Option<String>,
    /// As in the form for the console.
    break_glass: Option<String>,
}

/// How long a session is wanted, in seconds: exactly so long, or at most so long, or as the person chose last. And the choice, if it is a new one:
/// what the page offers for a role that allows less than what was chosen last is none, and neither is what a grant leaves to the second.
fn length(chooser: &Chooser, role: (&str, bool), exactly: Option<u64>, at_most: Option<u64>) -> (Option<Duration>, Option<u64>) {
    let (me, choices) = (&chooser.me, &chooser.choices);
    let entitlements = me.visitor.site.gateway.entitlements(&me.session, &me.visitor.caller);
    let offered = listing::length(entitlements.roles(), role, None, choices);
    let wanted = exactly.map(Duration::from_secs).or_else(|| listing::length(entitlements.roles(), role, at_most, choices));
    let is_choice = |seconds: &u64| seconds.is_multiple_of(QUARTER) && Some(Duration::from_secs(*seconds)) != offered;
    (wanted, exactly.or(at_most).filter(is_choice))
}

/// Remembers what was taken, until when it is good, and how. That it could not be is in the log, and keeps nobody from what was issued.
async fn remember(chooser: &mut Chooser, (role, ends): (&str, Moment), length: Option<u64>, region: Option<String>) {
    let gateway = &chooser.me.visitor.site.gateway;
    let choices = &mut chooser.choices;
    if let Some(seconds) = length {
        choices.choose_length(seconds);
    }
    if let Some(region) = region {
        choices.region = region.parse::<Region>().ok().map(|region| region.as_str().to_owned());
    }
    choices.took(role, Some(ends));
    let _ = gateway.keep_choices(&chooser.me.session.identity, choices).await;
}

/// What the forms ask for.
const fn wish(role: String, duration: Option<Duration>, purpose: Purpose) -> Wish {
    Wish { role, duration, purpose, reason: None, mfa_code: None, break_glass: false }
}

/// `POST /credentials`: issues them and goes to the page that shows them once. A reload or the back button finds nothing there.
pub(super) async fn credentials(visitor: Visitor, form: web::Form<CredentialsForm>) -> Result<HttpResponse, PageError> {
    to_the_end(async move {
        let mut chooser = visitor.chooser().await?;
        chooser.me.check(&form.csrf)?;
        limit::of_person(&chooser.me.visitor.site, &chooser.me.session.identity, 1).await?;
        let form = form.into_inner();
        let onward = Onward { destination: None, break_glass: form.break_glass.is_some() };
        let (duration, chosen_length) = length(&chooser, (&form.role, onward.break_glass), form.duration, form.at_most);
        let mfa_code = form.mfa_code.map(SecretString::from);
        let wish =
            Wish { reason: form.reason, mfa_code, break_glass: onward.break_glass, ..wish(form.role, duration, Purpose::Credentials) };
        let me = &chooser.me;
        match me.visitor.site.gateway.lay_down(&me.id, &me.session, &wish, &me.visitor.caller).await {
            Err(failure) if matches!(failure.trouble, Trouble::SignInAgain) => go_round(me, &wish.role, onward, failure),
            Err(failure) if wants_step_up(&failure) => leave_instead(me, &wish.role, onward, failure).await,
            Err(failure) => Err(failure.into()),
            Ok((handover, ends)) => {
                remember(&mut chooser, (&wish.role, ends), chosen_length, None).await;
                Ok(redirect(&format!("/credentials/{}", handover.expose())).finish())
            }
        }
    })
    .await
}

/// `GET /credentials/{handover}`: shows them, and takes them out of the store by that.
pub(super) async fn show(visitor: Visitor, handover: web::Path<String>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    let gateway = &me.visitor.site.gateway;
    let taken = match HandoverId::parse(&handover) {
        Some(id) => gateway.pick_up(&me.id, &id).await?,
        None => None,
    };
    let Some(laid_down) = taken else {
        let gone = CredentialsGone { shell: me.shell() };
        let mut response = html(&gone);
        *response.status_mut() = actix_web::http::StatusCode::GONE;
        return Ok(response);
    };
    let credentials = laid_down.credentials;
    let rendered = Rendered::of(&me, &credentials)?;
    let expires = credentials.expires;
    let target = &credentials.target;
    let values = [
        ("Access key ID", credentials.access_key_id.as_str()),
        ("Secret access key", credentials.secret_access_key.expose_secret()),
        ("Session token", credentials.session_token.expose_secret()),
    ];
    let page = Credentials {
        shell: me.shell(),
        role: target.title().into(),
        role_arn: target.as_str().into(),
        kind: kind(target).map(Into::into),
        needs_mfa_code: matches!(target, Target::IamUser(_)),
        account_id: rendered.account.id.as_str().into(),
        account_name: rendered.account.name.as_str().into(),
        env: rendered.account.tags.iter().find(|(key, _)| key == "env").map(|(_, value)| value.as_str().into()),
        expires: expires.into(),
        duration: laid_down.duration,
        reason: laid_down.reason.as_deref().map(Into::into),
        break_glass: laid_down.break_glass,
        formats: rendered.formats.iter().map(|(format, text)| view(*format, text)).collect(),
        values: values.into_iter().map(|(label, text)| Value { label: label.into(), text: text.into() }).collect(),
    };
    let mut response = html(&page);
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

/// The credentials in every format that can hold them.
struct Rendered {
    account: Account,
    formats: Vec<(Format, SecretString)>,
}

impl Rendered {
    fn of(me: &SignedInVisitor, credentials: &crate::aws::Credentials) -> Result<Self, PageError> {
        let (account, profile, region) = naming(me, &credentials.target)?;
        let rendered = Format::ALL.into_iter().filter_map(|format| match format.render(credentials.keys(), &profile, Some(&region)) {
            Ok(text) => Some((format, text)),
            Err(error) => {
                tracing::warn!(format = format.id(), reason = %error, "a format was left out");
                None
            }
        });
        Ok(Self { formats: rendered.collect(), account })
    }
}

/// What it is, where it is no role.
pub(super) const fn kind(target: &Target) -> Option<&'static str> {
    match target {
        Target::Role(_) => None,
        Target::Federated(_) => Some("federated session"),
        Target::IamUser(_) => Some("IAM user"),
    }
}

/// The account, the profile's name and the default region for a role.
pub(super) fn naming(me: &SignedInVisitor, role: &Target) -> Result<(Account, String, Region), PageError> {
    let gateway = &me.visitor.site.gateway;
    let account = gateway.policy.load().account(role.account().as_str()).cloned().ok_or(PageError::NotFound)?;
    let profile = profile_name(&account.name, account.id, role.name());
    Ok((account, profile, gateway.sts.region(role.partition()).clone()))
}

fn view(format: Format, text: &SecretString) -> FormatView<'_> {
    FormatView {
        key: format.id(),
        label: format.label().into(),
        hint: hint(format).into(),
        file: format.file_name().into(),
        text: text.expose_secret().into(),
    }
}

/// What to do with a format.
const fn hint(format: Format) -> &'static str {
    match format {
        Format::Bash => "Paste into a bash or zsh terminal.",
        Format::Fish => "Paste into a fish terminal.",
        Format::PowerShell => "Paste into a PowerShell window.",
        Format::Cmd => "Paste into a Windows command prompt.",
        Format::Profile => "Append to the file ~/.aws/credentials, then use the profile's name.",
        Format::ProcessJson => "For a program that reads what a credential_process prints.",
    }
}

#[derive(Deserialize)]
pub(super) struct DownloadForm {
    csrf: String,
    role: String,
    duration: Option<u64>,
    reason: Option<String>,
    mfa_code: Option<String>,
    break_glass: Option<String>,
    format: String,
}

/// `POST /credentials/download`: issues new credentials as a file, for browsers without JavaScript. With it, the page makes the file itself.
pub(super) async fn download(visitor: Visitor, form: web::Form<DownloadForm>) -> Result<HttpResponse, PageError> {
    to_the_end(async move {
        let me = visitor.signed_in().await?;
        me.check(&form.csrf)?;
        let format = Format::from_id(&form.format).ok_or(PageError::NotFound)?;
        limit::of_person(&me.visitor.site, &me.session.identity, 1).await?;
        let form = form.into_inner();
        let duration = form.duration.map(Duration::from_secs);
        let (mfa_code, break_glass) = (form.mfa_code.map(SecretString::from), form.break_glass.is_some());
        let wish = Wish { reason: form.reason, mfa_code, break_glass, ..wish(form.role, duration, Purpose::Credentials) };
        let issued = me.visitor.site.gateway.assume(&me.id, &me.session, &wish, &me.visitor.caller).await?;
        let (_, profile, region) = naming(&me, &issued.credentials.target)?;
        let text = format.render(issued.credentials.keys(), &profile, Some(&region)).map_err(|error| PageError::broken(&error))?;
        Ok(HttpResponse::Ok()
            .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", format.file_name())))
            .content_type(format.media_type())
            .body(text.expose_secret().to_owned()))
    })
    .await
}
