//! `/admin/sessions`: people's living sessions, found and ended.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use crate::gateway::Ending;
use crate::store::{BEGINNING, LiveSession, SessionHandle};
use crate::web::issue::to_the_end;
use crate::web::site::Site;
use crate::web::trouble::{PageError, html, redirect};
use crate::web::views::{PersonSessions, Query, Room, SessionRow, Sessions, Text};
use crate::web::visitor::Visitor;

/// The longest name that is looked for, in bytes.
const LONGEST: usize = 512;

#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    who: String,
    ended: Option<usize>,
}

/// `GET /admin/sessions`.
pub(super) async fn find(visitor: Visitor, asked: web::Query<Asked>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    let site = &me.visitor.site;
    let administrator = site.gateway.administrator(&me.session, &me.visitor.caller).await?;
    let who = asked.who.trim();
    if who.len() > LONGEST {
        return Err(PageError::Unreadable);
    }
    let found = if who.is_empty() { crate::store::Found::default() } else { site.gateway.sessions_of(administrator, who).await? };
    let done = asked.ended.map(|ended| match ended {
        0 => Text::from("There was no such session any more."),
        1 => "One session was ended.".into(),
        ended => format!("{ended} sessions were ended.").into(),
    });
    let nobody = match (found.more, who.chars().count()) {
        _ if who.is_empty() || !found.sessions.is_empty() => None,
        (true, _) => Some("None was found among the sessions that were looked at, and not all were."),
        (false, ..BEGINNING) => {
            Some("Nobody of just that username has a living session. Write three characters at least to find longer names.")
        }
        (false, _) => Some("Nobody has a living session whose username begins so, or whose stable key it is."),
    };
    let page = Sessions {
        shell: me.shell().of(Room::Gateway),
        asked: who.into(),
        done,
        nobody,
        people: people(site, &found.sessions),
        more: found.more,
    };
    Ok(html(&page))
}

/// The sessions of each person together, in the order in which people come up.
fn people<'a>(site: &'a Site, sessions: &'a [LiveSession]) -> Vec<PersonSessions<'a>> {
    let mut people: Vec<PersonSessions<'a>> = Vec::new();
    for live in sessions {
        let identity = &live.session.identity;
        let kind = match live.session.kind.name() {
            None => Text::from("Browser"),
            Some(name) => format!("Command line on {name}").into(),
        };
        let row = SessionRow {
            handle: live.handle.as_str().into(),
            kind,
            began: live.session.created.into(),
            last_used: live.last_used.into(),
            ends: live.session.expires.into(),
        };
        let key = identity.person();
        match people.iter_mut().find(|known| *known.key == *key) {
            Some(known) => known.sessions.push(row),
            None => people.push(PersonSessions {
                key: key.into(),
                username: identity.username().into(),
                provider: site.gateway.provider_name(identity.provider()).into(),
                sessions: vec![row],
            }),
        }
    }
    people
}

#[derive(Deserialize)]
pub(super) struct End {
    csrf: String,
    person: String,
    /// None for all of the person's.
    session: Option<String>,
    #[serde(default)]
    who: String,
}

/// `POST /admin/sessions/end`.
pub(super) async fn end(visitor: Visitor, form: web::Form<End>) -> Result<HttpResponse, PageError> {
    to_the_end(async move {
        let me = visitor.signed_in().await?;
        me.check(&form.csrf)?;
        let site = &me.visitor.site;
        let administrator = site.gateway.administrator(&me.session, &me.visitor.caller).await?;
        let ending = form.session.as_deref().map_or(Ending::All, |handle| Ending::One(SessionHandle::named(handle)));
        let ended = site.gateway.end_sessions_of(administrator, &form.person, &ending).await?;
        Ok(redirect(&format!("/admin/sessions?who={}&ended={ended}", Query(&form.who))).finish())
    })
    .await
}
