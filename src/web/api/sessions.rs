//! A person's own sessions.

use actix_web::web;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::describe::{Answer, Done};
use super::person::SessionKind;
use super::who::Client;
use crate::clock::Moment;
use crate::gateway::LogoutScope;
use crate::store::SessionHandle;
use crate::web::trouble::PageError;

/// A person's living sessions.
#[derive(Serialize, JsonSchema)]
pub(in crate::web) struct Sessions {
    /// The newest first.
    sessions: Vec<Session>,
}

/// One of a person's sessions.
#[derive(Serialize, JsonSchema)]
struct Session {
    /// What it is called here. No secret: it ends the session, in its person's own name, and does nothing else.
    id: String,
    /// When the person signed in.
    began: Moment,
    /// When it was last used.
    last_used: Moment,
    /// When it ends however much it is used.
    ends: Moment,
    /// How it was begun.
    kind: SessionKind,
    /// What the machine calls itself that it was begun for; none for a browser's.
    name: Option<String>,
    /// Whether this request came in it.
    current: bool,
}

/// `GET /api/v1/sessions`.
pub(super) async fn list(client: Client) -> Result<Answer<Sessions>, PageError> {
    let me = client.signed_in().await?;
    let gateway = &me.client.site.gateway;
    let own = gateway.vault.handle(&me.id, &me.session.identity.person());
    let sessions = gateway.sessions(&me.session).await?.into_iter().map(|live| Session {
        id: live.handle.as_str().to_owned(),
        began: live.session.created,
        last_used: live.last_used,
        ends: live.session.expires,
        kind: (&live.session.kind).into(),
        name: live.session.kind.name().map(ToString::to_string),
        current: live.handle == own,
    });
    Ok(Answer(Sessions { sessions: sessions.collect() }))
}

/// `DELETE /api/v1/sessions`.
pub(super) async fn end_all(client: Client) -> Result<Done, PageError> {
    let me = client.signed_in().await?;
    me.client.site.gateway.log_out(&me.id, &me.session, LogoutScope::Everywhere, &me.client.caller).await?;
    Ok(Done)
}

/// Which session is meant.
#[derive(Deserialize, JsonSchema)]
pub(in crate::web) struct Which {
    /// What the list calls it.
    id: String,
}

/// `DELETE /api/v1/sessions/{id}`.
pub(super) async fn end(client: Client, which: web::Path<Which>) -> Result<Done, PageError> {
    let me = client.signed_in().await?;
    let ended = me.client.site.gateway.end_session(&me.session, &SessionHandle::named(&which.id), &me.client.caller).await?;
    if ended { Ok(Done) } else { Err(PageError::NotFound) }
}
