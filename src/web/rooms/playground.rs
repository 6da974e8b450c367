//! `/admin/playground`: rules, tried.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::audit::extent;
use super::is_too_large;
use crate::access::{Grant, Miss, Purpose, Requestable, listed};
use crate::audit::Found;
use crate::gateway::{Changes, MOST_CHANGES, MOST_ROLES, TIME_TO_TRY, Tried, Trying, Wanted};
use crate::web::listing::only_for;
use crate::web::trouble::{PageError, html};
use crate::web::views::{Playground, Room, RuleChanges, Text, TriedRules};
use crate::web::visitor::{SignedInVisitor, Visitor};

/// What stands in the field before anything was pasted.
const EXAMPLE: &str = "{\n  \"sub\": \"00u1\",\n  \"email\": \"ana@example.com\",\n  \"groups\": [\"developers\"]\n}";
/// What is said of a text that is larger.
const TOO_LARGE: &str = "This is more than 1 MiB of text: rolegate explain and rolegate diff read larger files.";
/// How many names a cell lists.
const NAMED: usize = 10;
/// How many roles, rules or findings a list has.
const LISTED: usize = 200;

#[derive(Deserialize)]
pub(super) struct Open {
    recent: Option<String>,
}

/// `GET /admin/playground`.
pub(super) async fn open(visitor: Visitor, open: web::Query<Open>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    let gateway = &me.visitor.site.gateway;
    let administrator = gateway.administrator(&me.session, &me.visitor.caller).await?;
    let found = match open.recent {
        Some(_) => Some(gateway.recent_sign_ins(administrator).await?),
        None => None,
    };
    let recent = found.as_ref().map(|found| found.iter().map(recent).collect());
    Ok(html(&Playground { recent, ..empty(&me, None) }))
}

fn recent(found: &Found) -> (Text<'_>, Text<'_>, crate::web::views::At) {
    (found.place.to_string().into(), found.text("person.username").into(), found.time().into())
}

fn empty<'a>(me: &'a SignedInVisitor, provider: Option<&str>) -> Playground<'a> {
    let gateway = &me.visitor.site.gateway;
    let known = gateway.rooms.readings.iter().enumerate().map(|(at, (id, _))| {
        let chosen = provider.map_or(at == 0, |chosen| chosen == id.as_str());
        (Text::from(id.as_str()), Text::from(gateway.provider_name(id)), chosen)
    });
    Playground {
        shell: me.shell().of(Room::Gateway),
        providers: known.collect(),
        claims: EXAMPLE.into(),
        role: "".into(),
        ip: "".into(),
        problem: None,
        recent: None,
        tried: None,
        candidate: "".into(),
        candidate_problems: Vec::new(),
        changes: None,
    }
}

#[derive(Deserialize)]
pub(super) struct ClaimsForm {
    csrf: String,
    provider: String,
    claims: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    ip: String,
}

/// `POST /admin/playground`: somebody with the claims of the form.
pub(super) async fn claims(visitor: Visitor, form: web::Form<ClaimsForm>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    me.check(&form.csrf)?;
    let gateway = &me.visitor.site.gateway;
    let administrator = gateway.administrator(&me.session, &me.visitor.caller).await?;
    let page = Playground {
        claims: form.claims.as_str().into(),
        role: form.role.as_str().into(),
        ip: form.ip.as_str().into(),
        ..empty(&me, Some(&form.provider))
    };
    let Ok(ip) = Some(form.ip.trim()).filter(|ip| !ip.is_empty()).map(str::parse).transpose() else {
        return Ok(html(&Playground { problem: Some("This is no IP address.".into()), ..page }));
    };
    if is_too_large(&form.claims) {
        return Ok(html(&Playground { problem: Some(TOO_LARGE.into()), ..page }));
    }
    let wanted = Wanted::Claims { provider: Some(form.provider.clone()), claims: form.claims.clone() };
    let tried = gateway.try_person(administrator, Trying { wanted, role: Some(form.role.clone()), ip }).await?;
    Ok(html(&answered(page, &me, tried)))
}

#[derive(Deserialize)]
pub(super) struct SignInForm {
    csrf: String,
    place: String,
    #[serde(default)]
    role: String,
}

/// `POST /admin/playground/sign-in`: somebody who signed in of late.
pub(super) async fn sign_in(visitor: Visitor, form: web::Form<SignInForm>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    me.check(&form.csrf)?;
    let gateway = &me.visitor.site.gateway;
    let administrator = gateway.administrator(&me.session, &me.visitor.caller).await?;
    let place = form.place.parse().map_err(|()| PageError::Unreadable)?;
    let trying = Trying { wanted: Wanted::SignIn(place), role: Some(form.role.clone()), ip: me.visitor.caller.ip };
    let tried = gateway.try_person(administrator, trying).await?;
    let page = Playground { role: form.role.as_str().into(), ..empty(&me, None) };
    Ok(html(&answered(page, &me, tried)))
}

fn answered<'a>(page: Playground<'a>, me: &SignedInVisitor, tried: Result<Tried, String>) -> Playground<'a> {
    match tried {
        Err(problem) => Playground { problem: Some(problem.into()), ..page },
        Ok(tried) => Playground { tried: Some(told(tried, me)), ..page },
    }
}

fn told(tried: Tried, me: &SignedInVisitor) -> TriedRules<'static> {
    let gateway = &me.visitor.site.gateway;
    let known = gateway.rooms.readings.iter().find(|(id, _)| id.as_str() == tried.provider);
    let provider = known.map_or_else(|| tried.provider.clone(), |(id, _)| gateway.provider_name(id).to_owned());
    let in_aws = tried.granted.iter().map(|grant| (grant.role.to_string().into(), grant.account.clone().into(), why(grant)));
    let in_gateway = tried.in_gateway.iter().map(|grant| {
        let why = grant.evidence.iter().map(|evidence| {
            let group = evidence.group.as_ref().map(|group| format!(", by the group {group}")).unwrap_or_default();
            Text::from(format!("by the rule {}{group}", evidence.rule))
        });
        (grant.role.to_string().into(), "the gateway itself".into(), why.collect())
    });
    let missed = tried.explanation.iter().filter(|explanation| explanation.granted.is_none()).flat_map(|explanation| &explanation.missed);
    let missed = missed
        .take(LISTED)
        .map(|Miss { rule, missing }| (rule.clone().into(), missing.iter().map(|missing| Text::from(missing.to_string())).collect()));
    let asked_for = |it: &Requestable| {
        let only = only_for(it.purposes).map(Text::from);
        let by = format!("by the rule {}, for up to {}", it.rule, humantime::format_duration(it.max_duration));
        let says = format!("wants to be told: {}", it.hint());
        (it.target.to_string().into(), it.account.name.clone().into(), [by.into(), says.into()].into_iter().chain(only).collect())
    };
    TriedRules {
        requestable: tried.requestable.iter().map(asked_for).collect(),
        granted: in_aws.chain(in_gateway).collect(),
        asked: tried.explanation.as_ref().map(|asked| (asked.role.to_string().into(), asked.granted.is_some())),
        denied_by: tried.explanation.iter().flat_map(|asked| &asked.denied_by).map(|rule| rule.clone().into()).collect(),
        missed: missed.collect(),
        more: tried.more,
        groups: tried.groups.iter().map(|group| group.clone().into()).collect(),
        who: (tried.username.into(), provider.into()),
    }
}

/// What gives a role and what limits it, a sentence each.
fn why(grant: &Grant) -> Vec<Text<'static>> {
    let mut sentences: Vec<String> = Vec::new();
    for because in &grant.evidence {
        let groups: Vec<_> = because.groups.iter().map(ToString::to_string).collect();
        let by = if groups.is_empty() { ", which is about everyone".to_owned() } else { format!(", by {}", groups.join(" with ")) };
        let until = because.until.map(|until| format!(", until {}", until.format("%Y-%m-%d %H:%M UTC"))).unwrap_or_default();
        sentences.push(format!("the rule {}{by}{until}", because.rule));
    }
    match grant.purposes.as_slice() {
        [Purpose::Console] => sentences.push("for the console alone".into()),
        [Purpose::Credentials] => sentences.push("for credentials alone".into()),
        [Purpose::Workload] => sentences.push("as a workload".into()),
        _ => {}
    }
    sentences.extend(grant.via.as_ref().map(|hub| format!("by way of {hub}")));
    if grant.session_policy.is_some() {
        sentences.push("limited by a session policy".into());
    }
    if !grant.demand.is_empty() {
        sentences.push(format!("wants {}", grant.demand));
    }
    sentences.extend(grant.step_up.as_ref().map(|step_up| format!("this sign-in does not do: it is {}", step_up.came())));
    sentences.extend(grant.reason.as_ref().map(|hint| format!("wants to be told: {hint}")));
    if grant.break_glass {
        sentences.push("for emergencies: to take it is an alarm".into());
    }
    sentences.extend(grant.obstacle.as_ref().map(|why| format!("cannot be taken: {why}")));
    if let Some(way) = &grant.emergency {
        sentences.extend(why(way).iter().map(|sentence| format!("in an emergency: {}", &**sentence)));
    }
    sentences.into_iter().map(Text::from).collect()
}

#[derive(Deserialize)]
pub(super) struct CandidateForm {
    csrf: String,
    rules: String,
}

/// `POST /admin/playground/candidate`: other rules, with those who signed in of late.
pub(super) async fn candidate(visitor: Visitor, form: web::Form<CandidateForm>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    me.check(&form.csrf)?;
    let gateway = &me.visitor.site.gateway;
    let administrator = gateway.administrator(&me.session, &me.visitor.caller).await?;
    let tried = if is_too_large(&form.rules) {
        Err(vec![TOO_LARGE.to_owned()])
    } else {
        gateway.try_candidate(administrator, form.rules.clone()).await?
    };
    let page = Playground { candidate: form.rules.as_str().into(), ..empty(&me, None) };
    let page = match &tried {
        Err(problems) => {
            let more = problems.len().saturating_sub(LISTED);
            let problems = problems.iter().take(LISTED).map(|problem| Text::from(problem.as_str()));
            let problems = problems.chain((more > 0).then(|| format!("and {more} more").into()));
            Playground { candidate_problems: problems.collect(), ..page }
        }
        Ok(changes) => Playground { changes: Some(changed(changes)), ..page },
    };
    Ok(html(&page))
}

fn changed(changes: &Changes) -> RuleChanges<'_> {
    let mut sentences = vec![format!("Tried with {} people, as if each signed in now as at their latest sign-in.", changes.people).into()];
    if changes.left_out > 0 {
        let (who, them) =
            if changes.left_out == 1 { ("One was".to_owned(), "them") } else { (format!("{} were", changes.left_out), "all") };
        sentences.push(
            format!(
                "{who} left out: the rules match them, or give them roles, more than {MOST_ROLES} times. rolegate diff tries {them}, and takes its time."
            )
            .into(),
        );
    }
    if changes.not_reached > 0 {
        let (seconds, rest) = (TIME_TO_TRY.as_secs(), changes.not_reached);
        sentences.push(
            format!(
                "The rest, {rest}, were not tried: it was broken off after {seconds} seconds or {MOST_CHANGES} changes. rolegate diff tries everybody."
            )
            .into(),
        );
    }
    sentences.extend(extent(&changes.looked));
    let (digest, rules) = &changes.policy;
    sentences.push(format!("The other policy has {rules} rules and the digest {digest}.").into());
    if changes.roles.len() > LISTED {
        sentences.push(format!("Of {} roles that change the first {LISTED} are listed.", changes.roles.len()).into());
    }
    let roles = changes.roles.iter().take(LISTED).map(|(role, change)| {
        let widened = change.widened.iter().map(|(what, who)| Text::from(format!("{what}: {}", listed(who, NAMED))));
        (
            role.as_str().into(),
            change.account.as_str().into(),
            listed(&change.gains, NAMED).into(),
            listed(&change.loses, NAMED).into(),
            widened.collect(),
        )
    });
    let unjudged = changes.unjudged.iter().map(|rule| {
        Text::from(format!("the rule {rule} could not be judged for some: it looks at claims that the audit trail does not have of them"))
    });
    let mut by_hand: Vec<Text<'_>> = changes.by_hand.iter().map(|sentence| sentence.as_str().into()).chain(unjudged).collect();
    let more = by_hand.len().saturating_sub(LISTED);
    by_hand.truncate(LISTED);
    by_hand.extend((more > 0).then(|| format!("and {more} more").into()));
    RuleChanges {
        title: match (changes.people, changes.roles.is_empty()) {
            (0, _) => "Nobody was tried",
            (_, true) => "Nothing changes for these people",
            (_, false) => "What would change",
        },
        extent: sentences,
        roles: roles.collect(),
        by_hand,
    }
}
