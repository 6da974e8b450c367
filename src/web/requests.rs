//! `/requests`: roles that are had on request; what one asked for, and what one decides about.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::issue::to_the_end;
use super::listing::only_for;
use super::site::Site;
use super::step_up::{Onward, leave_to_decide, role_link};
use super::trouble::{PageError, html, redirect};
use super::views::{Offer, RequestRow, Requests, Room, Text};
use super::visitor::{Chooser, Visitor};
use crate::access::{Asking, Denied, Target};
use crate::clock::Moment;
use crate::gateway::{Asked, Failure, Trouble, Verdict};
use crate::store::{BookRef, Request, RequestState};

#[derive(Deserialize)]
pub(super) struct Done {
    done: Option<String>,
}

/// `GET /requests`.
pub(super) async fn list(visitor: Visitor, done: web::Query<Done>) -> Result<HttpResponse, PageError> {
    let chooser = visitor.chooser().await?;
    let Chooser { me, .. } = &chooser;
    let gateway = &me.visitor.site.gateway;
    if !gateway.has_requests() {
        return Err(PageError::NotFound);
    }
    let waiting = gateway.to_decide(&me.session).await?;
    let now = gateway.now();
    let decides = gateway.decides(&me.session);
    let mut to_decide: Vec<_> = waiting.iter().map(|asked| row(&me.visitor.site, asked, now)).collect();
    for (row, asked) in to_decide.iter_mut().zip(&waiting) {
        row.lacks = gateway.lacks_to_grant(&me.session, &asked.request).map(|step_up| step_up.wanted.to_string().into());
    }
    let own = me.session.requests.iter().rev().map(|request| row_of(&me.visitor.site, request, now));
    let page = Requests {
        shell: me.shell().of(Room::Requests),
        done: done.done.as_deref().and_then(in_words).map(Text::from),
        waiting: decides.then_some(to_decide),
        own: own.collect(),
    };
    Ok(chooser.remembered(html(&page)))
}

/// What the page says after a form, by the word in the address: fixed sentences alone.
fn in_words(done: &str) -> Option<&'static str> {
    Some(match done {
        "asked" => "Your request was made. It waits for somebody to decide.",
        "granted" => "It is granted.",
        "refused" => "It is refused.",
        "withdrawn" => "It was taken back.",
        "signed-in" => "You come from your identity provider. Where it did not bring what a rule wants, that stands below.",
        _ => return None,
    })
}

/// A request with who asks.
pub(super) fn row<'a>(site: &'a Site, asked: &'a Asked, now: Moment) -> RequestRow<'a> {
    RequestRow {
        of: asked.of.as_str().into(),
        who: asked.owner.username.as_str().into(),
        provider: site.gateway.provider_name(&asked.owner.provider).into(),
        ..row_of(site, &asked.request, now)
    }
}

fn row_of<'a>(site: &'a Site, request: &'a Request, now: Moment) -> RequestRow<'a> {
    let target = request.role.parse::<Target>().ok();
    let account = target.as_ref().map(Target::account);
    let known = account.and_then(|account| site.gateway.policy.load().account(account.as_str()).map(|known| known.name.clone()));
    let (state, tone, by) = match &request.state {
        RequestState::Waiting if request.is_waiting(now) => ("waits", "", None),
        RequestState::Waiting => ("nobody decided", "", None),
        RequestState::Granted { by, .. } if request.granted_until(now).is_some() => ("granted", "ok", Some(by)),
        RequestState::Granted { by, .. } => ("over", "", Some(by)),
        RequestState::Refused { by, .. } => ("refused", "refused", Some(by)),
        RequestState::Withdrawn { .. } => ("taken back", "", None),
        RequestState::Revoked { by, .. } => ("revoked", "refused", Some(by)),
    };
    let until = request.granted_until(now);
    let gives = site.gateway.gives(request);
    let verb = if request.is_waiting(now) { Some("Take back") } else { until.map(|_| "Give back") };
    RequestRow {
        of: Text::default(),
        id: request.id.as_str().into(),
        who: Text::default(),
        provider: Text::default(),
        role: target.as_ref().map_or_else(|| request.role.clone(), |target| target.title().to_owned()).into(),
        account: known.or_else(|| account.map(|account| account.to_string())).unwrap_or_default().into(),
        rule: request.rule.as_str().into(),
        purpose: gives.and_then(only_for),
        idle: gives.is_none() && (until.is_some() || request.is_waiting(now)),
        lacks: None,
        reason: request.reason.as_str().into(),
        length: Offer { seconds: request.seconds, usual: false }.label(),
        at: request.asked.into(),
        state,
        tone,
        by: by.map(|by| by.username.as_str().into()),
        until: until.map(Into::into),
        link: until.and(gives).and(target.as_ref()).map(|target| role_link(target, Onward::default()).into()),
        verb,
    }
}

#[derive(Deserialize)]
pub(super) struct AskForm {
    csrf: String,
    role: String,
    reason: String,
    /// In seconds.
    duration: Option<u64>,
}

/// `POST /requests`.
pub(super) async fn ask(visitor: Visitor, form: web::Form<AskForm>) -> Result<HttpResponse, PageError> {
    to_the_end(async move {
        let me = visitor.chooser().await?.me;
        me.check(&form.csrf)?;
        let AskForm { role, reason, duration, .. } = form.into_inner();
        let asking = Asking { role, reason, duration: duration.map(Duration::from_secs) };
        me.visitor.site.gateway.ask_for(&me.session, &asking, &me.visitor.caller).await?;
        Ok(redirect("/requests?done=asked").finish())
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct DecideForm {
    csrf: String,
    of: String,
    id: String,
    verdict: VerdictWord,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum VerdictWord {
    Grant,
    Refuse,
}

/// `POST /requests/decide`.
pub(super) async fn decide(visitor: Visitor, form: web::Form<DecideForm>) -> Result<HttpResponse, PageError> {
    to_the_end(async move {
        let me = visitor.chooser().await?.me;
        me.check(&form.csrf)?;
        let of = BookRef::parse(&form.of).ok_or(PageError::Unreadable)?;
        let (verdict, done) = match form.verdict {
            VerdictWord::Grant => (Verdict::Grant, "granted"),
            VerdictWord::Refuse => (Verdict::Refuse, "refused"),
        };
        let decided = me.visitor.site.gateway.decide_request(&me.session, (&of, &form.id), verdict, &me.visitor.caller).await;
        match decided {
            Ok(_) => Ok(redirect(&format!("/requests?done={done}")).finish()),
            Err(Failure { trouble: Trouble::Denied(Denied::StepUp(step_up)), .. }) => leave_to_decide(&me, &step_up.wanted).await,
            Err(failure) => Err(failure.into()),
        }
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct WithdrawForm {
    csrf: String,
    id: String,
}

/// `POST /requests/withdraw`.
pub(super) async fn withdraw(visitor: Visitor, form: web::Form<WithdrawForm>) -> Result<HttpResponse, PageError> {
    to_the_end(async move {
        let me = visitor.chooser().await?.me;
        me.check(&form.csrf)?;
        me.visitor.site.gateway.withdraw_request(&me.session, &form.id, &me.visitor.caller).await?;
        Ok(redirect("/requests?done=withdrawn").finish())
    })
    .await
}
