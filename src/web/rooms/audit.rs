//! `/audit`: the trail, searched, one event, and exports.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use chrono::{Datelike, Days, NaiveDate};
use serde::Deserialize;
use serde_json::Value;

use super::chain::chained;
use crate::audit::{ExportFormat, Found, Looked, Place, Query};
use crate::clock::Moment;
use crate::gateway::{Export, OneEvent};
use crate::web::site::Site;
use crate::web::trouble::{PageError, html};
use crate::web::views::{self, Audit, AuditEvent, AuditRow, Room, SearchForm, SignedInBy, Text, kind_in_words};
use crate::web::visitor::Visitor;

/// The most of a text that is looked for, in bytes.
const LONGEST: usize = 512;
/// How many groups of a sign-in a page lists.
const MOST_GROUPS: usize = 50;

/// What is looked for, as the form sends it; empty is not said.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Search {
    person: String,
    account: String,
    role: String,
    rule: String,
    id: String,
    kind: String,
    outcome: String,
    since: String,
    until: String,
    /// Where the search goes on.
    from: String,
}

impl Search {
    /// The query, or what is wrong with it.
    pub(super) fn query(&self, site: &Site) -> Result<Query, &'static str> {
        let said = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        if self.fields().iter().any(|(_, text)| text.len() > LONGEST) {
            return Err("That is longer than anything in the trail.");
        }
        let account = said(&self.account);
        let policy = site.gateway.policy.load();
        // An account that is not known any more is looked for by its digits.
        let account = account.map(|text| policy.account(&text).map_or(text, |account| account.id.to_string()));
        Ok(Query {
            person: said(&self.person),
            account,
            role: said(&self.role),
            rule: said(&self.rule),
            id: said(&self.id),
            kind: said(&self.kind),
            outcome: said(&self.outcome),
            since: said(&self.since).map(|text| moment(&text, 0)).transpose()?,
            until: said(&self.until).map(|text| moment(&text, 1)).transpose()?,
        })
    }

    pub(super) fn form<'a>(&'a self, problem: Option<&'a str>) -> SearchForm<'a> {
        // A date field shows days alone.
        let day = |text: &'a str| -> Text<'a> { text.get(..10).unwrap_or(text).into() };
        SearchForm {
            person: self.person.as_str().into(),
            account: self.account.as_str().into(),
            role: self.role.as_str().into(),
            rule: self.rule.as_str().into(),
            id: self.id.as_str().into(),
            kind: self.kind.as_str().into(),
            outcome: self.outcome.as_str().into(),
            since: day(&self.since),
            until: day(&self.until),
            problem: problem.map(Text::from),
        }
    }

    /// What the form has, by the fields' names.
    fn fields(&self) -> [(&'static str, &str); 9] {
        let Self { person, account, role, rule, id, kind, outcome, since, until, from: _ } = self;
        [
            ("person", person),
            ("account", account),
            ("role", role),
            ("rule", rule),
            ("id", id),
            ("kind", kind),
            ("outcome", outcome),
            ("since", since),
            ("until", until),
        ]
    }

    /// All that is said as pairs of a query, each behind an ampersand.
    pub(super) fn pairs(&self) -> String {
        let said = self.fields().into_iter().filter(|(_, value)| !value.is_empty());
        said.fold(String::new(), |query, (name, value)| query + &format!("&{name}={}", views::Query(value)))
    }
}

/// The years that are looked for: what lies far outside cannot be calculated with.
const YEARS: std::ops::RangeInclusive<i32> = 2000..=9999;

/// A day, or a moment; of a day its beginning, so many days later.
fn moment(text: &str, later: u64) -> Result<Moment, &'static str> {
    let of_day = || {
        let day: NaiveDate = text.parse().ok().filter(|day: &NaiveDate| YEARS.contains(&day.year()))?;
        Some(day.checked_add_days(Days::new(later))?.and_hms_opt(0, 0, 0)?.and_utc())
    };
    let moment = text.parse::<Moment>().ok().filter(|moment| YEARS.contains(&moment.year()));
    let wrong = "Write a day as 2026-01-14, or a moment as 2026-01-14T12:00:00Z, of the years 2000 to 9999.";
    moment.or_else(of_day).ok_or(wrong)
}

/// `GET /audit`.
pub(super) async fn search(visitor: Visitor, search: web::Query<Search>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    let site = &me.visitor.site;
    let auditor = site.gateway.auditor(&me.session, &me.visitor.caller).await?;
    let pairs = search.pairs();
    let page =
        |form, rows, extent, older| Audit { shell: me.shell().of(Room::Audit), form, rows, extent, older, query: pairs.clone().into() };
    let query = match search.query(site) {
        Ok(query) => query,
        Err(problem) => return Ok(html(&page(search.form(Some(problem)), Vec::new(), Vec::new(), None))),
    };
    let from = search.from.parse::<Place>().ok();
    let found = site.gateway.search_trail(auditor, query, from).await?;
    let older = found.looked.next.map(|place| Text::from(format!("/audit?from={place}{pairs}")));
    let rows = found.found.iter().map(row).collect();
    Ok(html(&page(search.form(None), rows, extent(&found.looked), older)))
}

/// One event in a list.
pub(super) fn row(found: &Found) -> AuditRow<'_> {
    let who = if found.person().is_empty() { found.text("provider") } else { found.text("person.username") };
    let about = ["role", "looked_for", "reason"].into_iter().map(|field| found.text(field)).find(|text| !text.is_empty());
    AuditRow {
        time: found.time().into(),
        break_glass: found.event.get("break_glass").and_then(Value::as_bool).unwrap_or_default(),
        kind: kind_in_words(found.text("kind")).into(),
        outcome: found.text("outcome").into(),
        who: who.into(),
        what: about.unwrap_or_default().into(),
        incident: found.text("incident").into(),
        link: format!("/audit/event/{}?place={}", views::Query(found.text("incident")), found.place).into(),
    }
}

/// How far was looked, in sentences.
pub(super) fn extent(looked: &Looked) -> Vec<Text<'static>> {
    let mut sentences = Vec::new();
    let mebibytes = looked.bytes.div_ceil(1024 * 1024);
    let back = looked.oldest.map(|oldest| format!(", back to {}", views::At::from(oldest))).unwrap_or_default();
    let rest = if looked.next.is_some() { " There is older, which was not looked at." } else { "" };
    sentences.push(format!("{mebibytes} MiB of this instance’s trail were read{back}.{rest}").into());
    if looked.unread > 0 {
        let why = "packed in another way than by gzip, damaged, or too large for a look";
        sentences.push(format!("{} files beside it were not looked into: {why}.", looked.unread).into());
    }
    if looked.unreadable > 0 {
        sentences.push(format!("{} lines are no events: a crash may leave half a one.", looked.unreadable).into());
    }
    sentences
}

#[derive(Deserialize)]
pub(super) struct At {
    place: Option<String>,
}

/// `GET /audit/event/{incident}`.
pub(super) async fn event(visitor: Visitor, incident: web::Path<String>, at: web::Query<At>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    let site = &me.visitor.site;
    let auditor = site.gateway.auditor(&me.session, &me.visitor.caller).await?;
    let place = at.place.as_deref().and_then(|place| place.parse().ok());
    let found = site.gateway.event_of_trail(auditor, incident.into_inner(), place).await?;
    let Some(OneEvent { found, signed_in, chain }) = found else { return Err(PageError::NotFound) };
    let of = |field: &str| Some(found.text(field)).filter(|text| !text.is_empty());
    let search = |field: &str, value: &str| Text::from(format!("/audit?{field}={}", views::Query(value)));
    let cloudtrail = CLOUDTRAIL.into_iter().filter_map(|(field, name)| of(field).map(|value| (name, value.into(), search("id", value))));
    let command = of("access_key_id").filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let command =
        command.map(|id| format!("aws cloudtrail lookup-events --lookup-attributes AttributeKey=AccessKeyId,AttributeValue={id}").into());
    let in_force = |digest: &str| digest == site.gateway.policy.load().digest();
    let person = found.person();
    let mut links = Vec::new();
    if !person.is_empty() {
        links.push(("All of this person".into(), search("person", &person)));
    }
    links.extend(of("role").map(|role| ("All of this role".into(), search("role", role))));
    links.push(("All of this incident".into(), search("id", found.text("incident"))));
    let page = AuditEvent {
        shell: me.shell().of(Room::Audit),
        row: row(&found),
        cloudtrail: cloudtrail.collect(),
        command,
        rules: found.texts("rules").map(|rule| (rule.into(), search("rule", rule))).collect(),
        policy: of("policy").map(|digest| (digest.into(), in_force(digest))),
        signed_in: signed_in.as_ref().map(signed_in_by),
        chain: chained(&found, chain.as_ref()),
        links,
        fields: found.event.iter().map(|(name, value)| (name.as_str().into(), shown(value))).collect(),
    };
    Ok(html(&page))
}

/// What CloudTrail calls what the trail knows.
const CLOUDTRAIL: [(&str, &str); 7] = [
    ("access_key_id", "userIdentity.accessKeyId"),
    ("assumed_role", "userIdentity.arn"),
    ("session_name", "the session’s name, at the end of userIdentity.arn"),
    ("source_identity", "userIdentity.sessionContext.sourceIdentity"),
    ("sts_request_id", "requestID of the STS event"),
    ("proof_id", "the proof, in additionalEventData of the STS event"),
    ("hub_access_key_id", "userIdentity.accessKeyId of the STS event"),
];

fn signed_in_by(found: &Found) -> SignedInBy<'_> {
    let total = found.texts("groups").count();
    SignedInBy {
        time: found.time().into(),
        link: row(found).link,
        groups: found.texts("groups").take(MOST_GROUPS).map(Text::from).collect(),
        more: total.saturating_sub(MOST_GROUPS),
    }
}

fn shown(value: &Value) -> Text<'_> {
    match value {
        Value::String(text) => text.as_str().into(),
        other => other.to_string().into(),
    }
}

#[derive(Deserialize)]
pub(super) struct Form {
    format: String,
}

/// `GET /audit/export`: all that is looked for, piece by piece.
pub(super) async fn export(visitor: Visitor, search: web::Query<Search>, form: web::Query<Form>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    let site = &me.visitor.site;
    let auditor = site.gateway.auditor(&me.session, &me.visitor.caller).await?;
    let format = ExportFormat::named(&form.format).ok_or(PageError::Unreadable)?;
    let query = search.query(site).map_err(|_| PageError::Unreadable)?;
    let pieces = site.gateway.export_trail(auditor, query, format).await?;
    let name = format!("rolegate-audit-{}.{}", site.gateway.now().format("%Y%m%dT%H%M%SZ"), format.extension());
    let mut response = HttpResponse::Ok();
    response.content_type(format.media_type()).insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")));
    Ok(response.body(Pieces(pieces)))
}

/// A body that comes piece by piece from a thread that reads a disk. An error breaks the answer off, so that nobody takes a part for the whole.
struct Pieces(Export);

impl MessageBody for Pieces {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.0.poll_piece(context).map(|piece| piece.map(|piece| piece.map(Bytes::from)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w20_moments_are_of_years_that_can_be_calculated_with() {
        for (text, later, moment_of) in [
            ("2026-01-14", 0, "2026-01-14T00:00:00Z"),
            ("2026-01-14", 1, "2026-01-15T00:00:00Z"),
            ("2026-01-14T12:00:00Z", 1, "2026-01-14T12:00:00Z"),
            ("2000-01-01", 0, "2000-01-01T00:00:00Z"),
            ("9999-12-30", 1, "9999-12-31T00:00:00Z"),
        ] {
            assert_eq!(moment(text, later), Ok(moment_of.parse().unwrap()), "{text}");
        }
        assert!(moment("9999-12-31", 1).is_ok());
        for wrong in ["1999-12-31", "+10000-01-01", "-262143-01-01T00:00:00Z", "+262142-12-31T23:59:59Z", "yesterday", "2026-02-30", ""] {
            assert!(moment(wrong, 1).is_err(), "{wrong}");
        }
    }
}
