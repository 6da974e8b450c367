//! `/admin/requests`: what waits and what is granted, and the end of what is granted.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use crate::store::BookRef;
use crate::web::issue::to_the_end;
use crate::web::requests::row;
use crate::web::trouble::{PageError, html, redirect};
use crate::web::views::{AllRequests, Room, Text};
use crate::web::visitor::Visitor;

#[derive(Deserialize)]
pub(super) struct Done {
    done: Option<String>,
}

/// `GET /admin/requests`.
pub(super) async fn list(visitor: Visitor, done: web::Query<Done>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    let site = &me.visitor.site;
    let administrator = site.gateway.administrator(&me.session, &me.visitor.caller).await?;
    let living = site.gateway.living_requests(administrator).await?;
    let now = site.gateway.now();
    let (granted, waiting): (Vec<_>, Vec<_>) = living.iter().partition(|asked| asked.request.granted_until(now).is_some());
    let page = AllRequests {
        shell: me.shell().of(Room::Gateway),
        done: done.done.as_deref().filter(|done| *done == "revoked").map(|_| Text::from("The grant was revoked.")),
        granted: granted.into_iter().map(|asked| row(site, asked, now)).collect(),
        waiting: waiting.into_iter().map(|asked| row(site, asked, now)).collect(),
    };
    Ok(html(&page))
}

#[derive(Deserialize)]
pub(super) struct Revoke {
    csrf: String,
    of: String,
    id: String,
}

/// `POST /admin/requests/revoke`.
pub(super) async fn revoke(visitor: Visitor, form: web::Form<Revoke>) -> Result<HttpResponse, PageError> {
    to_the_end(async move {
        let me = visitor.signed_in().await?;
        me.check(&form.csrf)?;
        let site = &me.visitor.site;
        let administrator = site.gateway.administrator(&me.session, &me.visitor.caller).await?;
        let of = BookRef::parse(&form.of).ok_or(PageError::Unreadable)?;
        site.gateway.revoke_grant(administrator, &of, &form.id).await?;
        Ok(redirect("/admin/requests?done=revoked").finish())
    })
    .await
}
