//! `/choices`: what people choose on the pages and want to find again. Without JavaScript the forms come back to a page; with it, the pages ask
//! for no answer.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::step_up::{Onward, role_link};
use super::trouble::{PageError, redirect};
use super::visitor::Visitor;
use crate::access::Target;
use crate::store::Grouping;

#[derive(Deserialize)]
pub(super) struct ChoicesForm {
    csrf: String,
    /// How roles are grouped.
    group: Option<Grouping>,
    /// A role to mark, or to take the mark from.
    role: Option<String>,
    /// `yes` or `no`: whether it is to be marked.
    favourite: Option<Answer>,
    /// Whether the roles that were taken last are to be forgotten.
    forget: Option<String>,
    /// Set by scripts, which want no page.
    quiet: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Yes,
    No,
}

/// `POST /choices`.
pub(super) async fn choose(visitor: Visitor, form: web::Form<ChoicesForm>) -> Result<HttpResponse, PageError> {
    let mut chooser = visitor.chooser().await?;
    chooser.me.check(&form.csrf)?;
    let before = chooser.choices.clone();
    let mut next = "/".to_owned();
    if let Some(grouping) = form.group {
        chooser.choices.grouping = grouping;
    }
    if form.forget.is_some() {
        chooser.choices.forget_recents();
    }
    if let (Some(role), Some(answer)) = (&form.role, form.favourite) {
        let target = role.parse::<Target>().map_err(|_| PageError::Unreadable)?;
        chooser.choices.mark(target.as_str(), answer == Answer::Yes);
        next = role_link(&target, Onward::default());
    }
    if chooser.choices != before {
        chooser.me.visitor.site.gateway.keep_choices(&chooser.me.session.identity, &chooser.choices).await?;
    }
    let response = if form.quiet.is_some() { HttpResponse::NoContent().finish() } else { redirect(&next).finish() };
    Ok(chooser.remembered(response))
}
