//! `/admin`: how the gateway runs.

use actix_web::HttpResponse;
use chrono::TimeDelta;

use crate::aws::sts::EndpointState;
use crate::clock::Moment;
use crate::gateway::{ProviderStatus, Status, Towards};
use crate::identity::KeptDocument;
use crate::trust::keys::KeyAge;
use crate::web::trouble::{PageError, html};
use crate::web::views::{Admin, CertificateRow, ProviderRow, Room, Text};
use crate::web::visitor::Visitor;

/// How many findings a page lists.
const MOST_FINDINGS: usize = 200;
/// How many days ahead the end of a certificate is a trouble.
const SOON: i64 = 30;

/// `GET /admin`.
pub(super) async fn status(visitor: Visitor) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    let site = &me.visitor.site;
    let administrator = site.gateway.administrator(&me.session, &me.visitor.caller).await?;
    let status = site.gateway.status(administrator).await;
    let some = |texts: &[String]| -> Vec<Text<'_>> {
        let mut shown: Vec<Text<'_>> = texts.iter().take(MOST_FINDINGS).cloned().map(Text::from).collect();
        if texts.len() > MOST_FINDINGS {
            shown.push(format!("and {} more", texts.len() - MOST_FINDINGS).into());
        }
        shown
    };
    let reloads = &status.reloads;
    let of_tls = site.tls_certificate();
    let certificates = status.certificates.iter().chain(&of_tls).map(|certificate| CertificateRow {
        fingerprint: certificate.fingerprint.as_str().into(),
        towards: match &certificate.towards {
            Towards::Aws => "AWS".into(),
            Towards::Provider(_, name) => name.as_str().into(),
            Towards::Browsers => "browsers".into(),
        },
        protocol: if certificate.towards == Towards::Browsers { "TLS" } else { "SAML" },
        age: age(certificate.age),
        ends: certificate.ends.into(),
        days: (certificate.ends - status.now).num_days() - i64::from(certificate.ends < status.now),
    });
    let certificates: Vec<_> = certificates.collect();
    let page = Admin {
        shell: me.shell().of(Room::Gateway),
        troubles: troubles(&status, &certificates),
        digest: status.policy.to_string().into(),
        since: reloads.since.into(),
        facts: facts(&status),
        findings: some(&reloads.vetted.findings),
        waiting: some(&reloads.waiting),
        refusal: reloads.refusal.as_ref().map(|refusal| (refusal.at.into(), some(&refusal.findings))),
        providers: status.providers.iter().map(|known| provider(known, status.now)).collect(),
        keys: status.keys.iter().map(|key| (key.id.as_str().into(), key.algorithm, age(key.age))).collect(),
        certificates,
        endpoints: status
            .endpoints
            .iter()
            .map(|endpoint| {
                let (state, good) = endpoint_state(endpoint.state);
                let (partition, region) = (endpoint.partition.to_string(), endpoint.region.to_string());
                (partition.into(), region.into(), endpoint.url.as_str().into(), state, good)
            })
            .collect(),
    };
    Ok(html(&page))
}

fn facts(status: &Status) -> Vec<(&'static str, Text<'static>)> {
    let (rules, accounts) = status.sizes;
    let reloads = &status.reloads;
    let tests = match reloads.vetted.tests {
        0 => "none: the rules have no [[test]]".to_owned(),
        tests => format!("{tests}, all passed: rules whose tests fail are not taken"),
    };
    vec![
        ("Rules", rules.to_string().into()),
        ("Accounts", accounts.to_string().into()),
        ("Tests of the rules", tests.into()),
        ("Changes taken since the start", reloads.taken.to_string().into()),
        ("Changes refused since the start", reloads.refused.to_string().into()),
        ("Answers to no sign-in of ours", status.unsolicited.to_string().into()),
    ]
}

/// What does not work as it should, a sentence each.
fn troubles(status: &Status, certificates: &[CertificateRow<'_>]) -> Vec<Text<'static>> {
    let mut troubles: Vec<Text<'static>> = Vec::new();
    if !status.readiness.store {
        troubles.push("The store does not answer.".into());
    }
    if status.readiness.audit_behind > 0 {
        troubles.push("A sink of the audit trail does not take events: the log says which and why.".into());
    }
    if !status.readiness.audit {
        troubles.push("The audit trail cannot be written, so nothing is handed out.".into());
    }
    if status.reloads.refusal.is_some() {
        troubles.push("Newer rules were refused: those before them stay in force.".into());
    }
    for provider in status.providers.iter().filter(|provider| provider.health.is_down()) {
        troubles.push(format!("{} does not answer as it should.", provider.name).into());
    }
    for endpoint in status.endpoints.iter().filter(|endpoint| !endpoint_state(endpoint.state).1) {
        troubles.push(format!("STS at {} does not answer as it should.", endpoint.url).into());
    }
    for certificate in certificates.iter().filter(|certificate| certificate.days < SOON) {
        let verb = if certificate.days < 0 { "has ended" } else { "ends soon" };
        troubles.push(format!("The certificate {} towards {} {verb}.", &*certificate.fingerprint, &*certificate.towards).into());
    }
    for webhook in status.webhooks.iter().filter(|webhook| webhook.given_up > 0) {
        let (given_up, sent, origin) = (webhook.given_up, webhook.sent, &webhook.origin);
        troubles.push(
            format!("The webhook at {origin} did not take {given_up} alarms, and took {sent}: the audit trail has their events.").into(),
        );
    }
    if status.ephemeral {
        troubles.push("The signing key is made at each start: good for a trial, useless behind IAM and with several replicas.".into());
    }
    troubles
}

fn provider(known: &ProviderStatus, now: Moment) -> ProviderRow<'_> {
    ProviderRow {
        name: known.name.as_str().into(),
        id: known.id.as_str().into(),
        protocol: known.protocol,
        answered: known.health.answered.map(Into::into),
        failure: known.health.failure.as_ref().map(|(at, why)| ((*at).into(), why.as_str().into())),
        documents: known.documents.iter().map(|document| (document.what, kept(document, now))).collect(),
        warnings: known.documents.iter().flat_map(|document| &document.warnings).map(|warning| warning.as_str().into()).collect(),
    }
}

fn kept(document: &KeptDocument, now: Moment) -> Text<'static> {
    let Some(fetched) = document.fetched else { return "not fetched yet".into() };
    let age = format!("{} old", spoken(now - fetched));
    match document.ends {
        None => age.into(),
        Some(ends) if ends <= now => format!("{age}, ended").into(),
        Some(ends) => format!("{age}, good for {}", spoken(ends - now)).into(),
    }
}

/// A span in its largest unit.
fn spoken(span: TimeDelta) -> String {
    let of = |number: i64, unit: &str| format!("{number} {unit}{}", if number == 1 { "" } else { "s" });
    match span {
        span if span >= TimeDelta::days(2) => of(span.num_days(), "day"),
        span if span >= TimeDelta::hours(2) => of(span.num_hours(), "hour"),
        span if span >= TimeDelta::minutes(2) => of(span.num_minutes(), "minute"),
        span => of(span.num_seconds().max(0), "second"),
    }
}

const fn age(age: KeyAge) -> &'static str {
    match age {
        KeyAge::Active => "active",
        KeyAge::Next => "next",
        KeyAge::Retiring => "retiring",
    }
}

fn endpoint_state(state: EndpointState) -> (Text<'static>, bool) {
    match state {
        EndpointState::Well => ("answers, or was not asked yet".into(), true),
        EndpointState::Failing(1) => ("the last call failed".into(), false),
        EndpointState::Failing(calls) => (format!("the last {calls} calls failed").into(), false),
        EndpointState::Resting(rest) => (format!("rests for {} s more after failures", rest.as_secs()).into(), false),
        EndpointState::Probed => ("is tried again".into(), false),
    }
}
