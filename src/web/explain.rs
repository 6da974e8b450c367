//! `/explain`: why a person has a role or lacks it, told to themselves.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::trouble::{PageError, html};
use super::views::{Explain, Query, Room, Text, Told};
use super::visitor::Visitor;
use crate::gateway::Explained;

#[derive(Deserialize)]
pub(super) struct Question {
    role: Option<String>,
}

/// `GET /explain`: the question, and the answer once a role is named. It changes nothing, so it is a plain form that works by GET, and a link
/// to a question can be sent to whoever has it.
pub(super) async fn explain(visitor: Visitor, question: web::Query<Question>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    let site = &me.visitor.site;
    if !site.gateway.explains() {
        return Err(PageError::NotFound);
    }
    let asked = question.role.as_deref().unwrap_or_default().trim();
    let answer = if asked.is_empty() { None } else { site.gateway.explain(&me.session, &me.visitor.caller, asked) };
    let (told, problem) = match answer {
        Some(Ok(explained)) => (Some(told(explained)), None),
        Some(Err(_)) => (None, Some("This is no role\u{2019}s name.")),
        None => (None, None),
    };
    let shell = me.shell().of(Room::Explain);
    let page = Explain { shell, asked: asked.into(), problem: problem.map(Text::from), told };
    Ok(html(&page))
}

fn told(explained: Explained) -> Told<'static> {
    let texts = |sentences: &[String]| sentences.iter().map(|sentence| sentence.clone().into()).collect();
    let link = explained.granted.as_ref().map(|role| format!("/go?account={}&role={}", role.account(), Query(role.path_and_name())).into());
    Told {
        by: texts(&explained.by),
        limits: texts(&explained.limits),
        missing: texts(&explained.missing),
        report: explained.report().into(),
        link,
        role: explained.granted.map_or(explained.asked, |role| role.to_string()).into(),
    }
}
