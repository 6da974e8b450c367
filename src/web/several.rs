//! `/several`: credentials for several roles in one file.

use std::fmt::Write as _;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_DISPOSITION, HeaderValue, REFERRER_POLICY};
use actix_web::{HttpResponse, web};
use secrecy::{ExposeSecret, SecretString};

use super::issue::{naming, to_the_end};
use super::limit;
use super::listing;
use super::portal::Filter;
use super::trouble::{PageError, html, redirect, words};
use super::views::{CredentialsGone, Had, Missed, Room, Several, SeveralTaken};
use super::visitor::{Chooser, SignedInVisitor, Visitor};
use crate::access::{Entitlement, Purpose, Target, Wish};
use crate::aws::Credentials;
use crate::aws::formats::Format;
use crate::gateway::{self, Failure, MOST_AT_ONCE};
use crate::store::HandoverId;

/// Whether a role can be had together with others: nothing is to be done for it alone first.
fn is_for_several(entitlement: &Entitlement) -> bool {
    let in_the_way = entitlement.obstacle.is_some() || entitlement.step_up.is_some() || entitlement.needs_mfa_code();
    // Nobody breaks glass by the dozen.
    entitlement.purposes.has(Purpose::Credentials) && !in_the_way && !entitlement.break_glass
}

/// `GET /several`: the roles to tick.
pub(super) async fn choose(visitor: Visitor, filter: web::Query<Filter>) -> Result<HttpResponse, PageError> {
    let chooser = visitor.chooser().await?;
    let page = page(&chooser, filter.words(), &[], None);
    Ok(chooser.remembered(page))
}

fn page(chooser: &Chooser, filter: &str, ticked: &[&str], problem: Option<String>) -> HttpResponse {
    let Chooser { me, choices, .. } = chooser;
    let site = &me.visitor.site;
    let entitlements = site.gateway.entitlements(&me.session, &me.visitor.caller);
    let suitable = entitlements.roles().iter().filter(|entitlement| is_for_several(entitlement)).count();
    let shown: Vec<_> =
        listing::filtered(entitlements.roles(), filter).into_iter().filter(|entitlement| is_for_several(entitlement)).collect();
    let page = Several {
        shell: me.shell_by(&entitlements).of(Room::Several),
        problem: problem.map(Into::into),
        filter: filter.into(),
        tools: listing::tools(entitlements.roles(), choices),
        groups: listing::groups(&shown, super::views::Grouping::Account),
        ticked: ticked.iter().map(|role| (*role).into()).collect(),
        reason: shown.iter().find_map(|entitlement| entitlement.wanted_reason()).map(Into::into),
        roles: shown.len(),
        accounts: shown.chunk_by(|one, other| one.account.id == other.account.id).count(),
        others: entitlements.roles().len() - suitable,
        most: MOST_AT_ONCE,
        command: format!("rolegate configure --gateway {}", site.gateway.public_url.as_str().trim_end_matches('/')).into(),
    };
    // What the request says stands on the page then, so it is not compressed.
    if filter.is_empty() && ticked.is_empty() { me.visitor.compressed(&page) } else { html(&page) }
}

/// What the forms post: `role` once for each that was ticked.
struct Ticked {
    csrf: String,
    roles: Vec<String>,
    at_most: Option<u64>,
    reason: Option<String>,
}

impl Ticked {
    /// Reads the fields; one that may stand there once and stands there twice makes no sense.
    fn read(fields: Vec<(String, String)>) -> Result<Self, PageError> {
        let (mut csrf, mut roles, mut at_most, mut reason) = (None, Vec::new(), None, None);
        for (name, value) in fields {
            let known = match name.as_str() {
                "role" => {
                    if !roles.contains(&value) {
                        roles.push(value);
                    }
                    continue;
                }
                "csrf" => csrf.replace(value),
                "at_most" => at_most.replace(value),
                "reason" => reason.replace(value),
                _ => continue,
            };
            if known.is_some() {
                return Err(PageError::Unreadable);
            }
        }
        let at_most = at_most.map(|seconds| seconds.parse().map_err(|_| PageError::Unreadable)).transpose()?;
        Ok(Self { csrf: csrf.ok_or(PageError::Unreadable)?, roles, at_most, reason: reason.filter(|reason| !reason.trim().is_empty()) })
    }

    fn problem(&self) -> Option<String> {
        match self.roles.len() {
            0 => Some("Tick the roles first.".into()),
            ticked if ticked > MOST_AT_ONCE => {
                Some(format!("You ticked {ticked} roles: {MOST_AT_ONCE} can be had at once. Nothing was issued."))
            }
            _ => None,
        }
    }

    /// Why a role that is held cannot be had together with others. What is not held is told when it is refused.
    fn unsuitable(&self, chooser: &Chooser) -> Option<String> {
        let me = &chooser.me;
        let entitlements = me.visitor.site.gateway.entitlements(&me.session, &me.visitor.caller);
        let alone = entitlements.roles().iter().filter(|entitlement| !is_for_several(entitlement));
        let found = alone.map(|entitlement| entitlement.target.as_str()).find(|alone| self.roles.iter().any(|role| role == alone))?;
        Some(format!("{found} is taken alone, from the page with your roles. Nothing was issued."))
    }

    fn wishes(&self, chooser: &Chooser) -> Vec<Wish> {
        let me = &chooser.me;
        let entitlements = me.visitor.site.gateway.entitlements(&me.session, &me.visitor.caller);
        let wish = |role: &String| Wish {
            role: role.clone(),
            duration: listing::length(entitlements.roles(), (role, false), self.at_most, &chooser.choices),
            purpose: Purpose::Credentials,
            reason: self.reason.clone(),
            mfa_code: None,
            break_glass: false,
        };
        self.roles.iter().map(wish).collect()
    }
}

fn say(failure: &Failure) -> String {
    words(&failure.clone().into()).happened.into_plain()
}

/// `POST /several`: issues them and goes to the page that shows them once.
pub(super) async fn take(visitor: Visitor, form: web::Form<Vec<(String, String)>>) -> Result<HttpResponse, PageError> {
    to_the_end(async move {
        let mut chooser = visitor.chooser().await?;
        let ticked = Ticked::read(form.into_inner())?;
        chooser.me.check(&ticked.csrf)?;
        if let Some(problem) = ticked.problem().or_else(|| ticked.unsuitable(&chooser)) {
            let roles: Vec<_> = ticked.roles.iter().map(String::as_str).collect();
            let mut response = page(&chooser, "", &roles, Some(problem));
            *response.status_mut() = StatusCode::BAD_REQUEST;
            return Ok(response);
        }
        let (me, wishes) = (&chooser.me, ticked.wishes(&chooser));
        limit::of_person(&me.visitor.site, &me.session.identity, wishes.len()).await?;
        let gateway = &me.visitor.site.gateway;
        let handover = gateway.lay_down_several(&me.id, &me.session, &wishes, &me.visitor.caller, say).await?;
        let before = chooser.choices.length();
        if let Some(seconds) = ticked.at_most {
            chooser.choices.choose_length(seconds);
        }
        if chooser.choices.length() != before {
            // That it is not remembered is in the log, and keeps nobody from what was issued.
            let _ = gateway.keep_choices(&chooser.me.session.identity, &chooser.choices).await;
        }
        Ok(redirect(&format!("/several/{}", handover.expose())).finish())
    })
    .await
}

/// `GET /several/{handover}`: shows them, and takes them out of the store by that.
pub(super) async fn show(visitor: Visitor, handover: web::Path<String>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    let site = &me.visitor.site;
    let taken = match HandoverId::parse(&handover) {
        Some(id) => site.gateway.pick_up_several(&me.id, &id).await?,
        None => None,
    };
    let Some(taken) = taken else {
        let mut response = html(&CredentialsGone { shell: me.shell() });
        *response.status_mut() = StatusCode::GONE;
        return Ok(response);
    };
    let (text, had) = profiles(&me, &taken.issued)?;
    let mut fields: Vec<_> = taken.issued.iter().map(|credentials| ("role", credentials.target.as_str().into())).collect();
    fields.extend(taken.length.map(|length| ("at_most", length.to_string().into())));
    fields.extend(taken.reason.as_deref().map(|reason| ("reason", reason.into())));
    let page = SeveralTaken {
        shell: me.shell(),
        had,
        missed: taken.missed.iter().map(|missed| view(&me, missed)).collect(),
        text: text.expose_secret().into(),
        fields,
    };
    let mut response = html(&page);
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

/// The profiles as one text, and what is said of each.
fn profiles(me: &SignedInVisitor, issued: &[Credentials]) -> Result<(SecretString, Vec<Had<'static>>), PageError> {
    let (mut text, mut had) = (String::new(), Vec::new());
    for credentials in issued {
        let (account, profile, region) = naming(me, &credentials.target)?;
        let rendered = Format::Profile.render(credentials.keys(), &profile, Some(&region)).map_err(|error| PageError::broken(&error))?;
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(rendered.expose_secret());
        let role = credentials.target.title().to_owned();
        had.push(Had { account: account.name.into(), role: role.into(), profile: profile.into(), expires: credentials.expires.into() });
    }
    Ok((text.into(), had))
}

/// A role that was not had, by its account's name where that is known.
fn view(me: &SignedInVisitor, missed: &gateway::Missed) -> Missed<'static> {
    let named = missed.role.parse::<Target>().ok().and_then(|target| {
        let account = me.visitor.site.gateway.policy.load().account(target.account().as_str()).cloned()?;
        Some(format!("{}/{}", account.name, target.title()))
    });
    let role = named.unwrap_or_else(|| missed.role.chars().take(200).collect());
    Missed { role: role.into(), why: missed.why.clone().into(), incident: missed.incident.clone().into() }
}

/// `POST /several/download`: issues new ones as a file, for browsers without JavaScript. What was not had stands in it as comments.
pub(super) async fn download(visitor: Visitor, form: web::Form<Vec<(String, String)>>) -> Result<HttpResponse, PageError> {
    to_the_end(async move {
        let chooser = visitor.chooser().await?;
        let ticked = Ticked::read(form.into_inner())?;
        chooser.me.check(&ticked.csrf)?;
        if ticked.problem().is_some() {
            return Err(PageError::Unreadable);
        }
        let me = &chooser.me;
        let wishes = ticked.wishes(&chooser);
        limit::of_person(&me.visitor.site, &me.session.identity, wishes.len()).await?;
        let (issued, missed) = me.visitor.site.gateway.assume_several(&me.id, &me.session, &wishes, &me.visitor.caller, say).await;
        let issued: Vec<_> = issued.into_iter().map(|issued| issued.credentials).collect();
        let (text, _) = profiles(me, &issued)?;
        let mut file = text.expose_secret().to_owned();
        for missed in &missed {
            let Missed { role, why, incident } = view(me, missed);
            // Writing to a String cannot fail.
            let _ = write!(file, "\n# not had: {}: {} (incident {})", one_line(&role), one_line(&why), &*incident);
        }
        Ok(HttpResponse::Ok()
            .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"credentials\""))
            .content_type(Format::Profile.media_type())
            .body(file))
    })
    .await
}

/// A text that stays in its comment.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_role_counts_once_and_nothing_else_may_stand_twice() {
        let ticked =
            Ticked::read(fields(&[("role", "a"), ("csrf", "x"), ("role", "b"), ("role", "a"), ("at_most", "900"), ("reason", " ")]))
                .unwrap();
        assert_eq!(
            (ticked.roles.as_slice(), ticked.at_most, ticked.reason.as_deref()),
            (&["a".to_owned(), "b".to_owned()][..], Some(900), None)
        );
        for bad in [
            &[("role", "a")][..],
            &[("csrf", "x"), ("csrf", "x")],
            &[("csrf", "x"), ("at_most", "-1")],
            &[("csrf", "x"), ("reason", "a"), ("reason", "b")],
        ] {
            assert!(Ticked::read(fields(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn none_and_too_many_are_told() {
        let of =
            |count: usize| Ticked { csrf: String::new(), roles: (0..count).map(|n| n.to_string()).collect(), at_most: None, reason: None };
        assert!(of(0).problem().is_some() && of(MOST_AT_ONCE + 1).problem().is_some());
        assert!(of(1).problem().is_none() && of(MOST_AT_ONCE).problem().is_none());
    }
}
