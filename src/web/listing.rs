//! Roles as the pages list them: grouped, with what the person marked and took last before the rest.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::issue::kind;
use super::trouble::denial;
use super::views::{Account, AskRow, Group, Grouping, Head, Role, Row, StepUp, Tools};
use crate::access::{self, Entitlement, Purpose, Requestable, Target};
use crate::clock::Moment;
use crate::store::{self, Choices, Request};

/// How many rows have their form for a request in place: each is a form of its own.
const ASKED_IN_PLACE: usize = 100;

/// The roles in which every word of a filter is found: in the account's name, id, unit or tags, or in the role's name. As the script does it.
pub(super) fn filtered<'a>(roles: &'a [Entitlement], filter: &str) -> Vec<&'a Entitlement> {
    let words: Vec<_> = filter.split_whitespace().map(str::to_lowercase).collect();
    if words.is_empty() {
        return roles.iter().collect();
    }
    roles.iter().filter(|entitlement| is_found(&entitlement.account, &entitlement.target, &words)).collect()
}

fn is_found(account: &access::Account, target: &Target, words: &[String]) -> bool {
    let tags = account.tags.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
    let named = [account.name.as_str(), account.id.as_str(), account.alias.as_deref().unwrap_or_default()];
    let fixed = [account.ou.as_deref().unwrap_or_default(), target.title()];
    let text = named.into_iter().chain(fixed).chain(tags).collect::<Vec<_>>().join(" ").to_lowercase();
    words.iter().all(|word| text.contains(word))
}

/// What may be asked for, as far as a filter finds it.
pub(super) fn asks<'a>(requestable: &'a [Requestable], requests: &[Request], filter: &str, now: Moment) -> Vec<AskRow<'a>> {
    let words: Vec<_> = filter.split_whitespace().map(str::to_lowercase).collect();
    let found = requestable.iter().filter(|requestable| is_found(&requestable.account, &requestable.target, &words));
    found.enumerate().map(|(number, it)| AskRow { in_place: number < ASKED_IN_PLACE, ..ask(it, requests, now) }).collect()
}

pub(super) fn ask<'a>(requestable: &'a Requestable, requests: &[Request], now: Moment) -> AskRow<'a> {
    let role = requestable.target.as_str();
    AskRow {
        account: account(&requestable.account),
        name: requestable.target.title().into(),
        link: requestable.target.path_and_name().into(),
        arn: role.into(),
        hint: requestable.hint().into(),
        purpose: only_for(requestable.purposes),
        longest: requestable.max_duration,
        in_place: true,
        waits: requests.iter().any(|request| request.role == role && *request.rule == *requestable.rule && request.is_waiting(now)),
    }
}

/// The one thing that a role is for, in words.
pub(super) fn only_for(purposes: access::Purposes) -> Option<&'static str> {
    match (purposes.has(Purpose::Console), purposes.has(Purpose::Credentials)) {
        (true, false) => Some("for the console"),
        (false, true) => Some("for credentials"),
        _ => None,
    }
}

/// What is for emergencies, which stands apart: roles, and ways to roles that are there as well.
pub(super) fn emergency<'a>(roles: &[&'a Entitlement]) -> Vec<Row<'a>> {
    let ways = roles.iter().map(|entitlement| entitlement.way(true));
    ways.filter(|way| way.break_glass).map(|way| row(way, None)).collect()
}

/// The roles under their headings. They arrive ordered by account.
pub(super) fn groups<'a>(roles: &[&'a Entitlement], grouping: Grouping) -> Vec<Group<'a>> {
    if grouping == Grouping::Role {
        return by_role(roles);
    }
    let mut accounts: Vec<&[&'a Entitlement]> = roles.chunk_by(|one, other| one.account.id == other.account.id).collect();
    if grouping == Grouping::Unit {
        // Accounts whose unit is not known come last. The order within a unit stays.
        accounts.sort_by_key(|chunk| chunk.first().map(|first| (first.account.ou.is_none(), first.account.ou.as_deref())));
    }
    let mut groups = Vec::with_capacity(accounts.len());
    let mut before = None::<&str>;
    for chunk in accounts {
        let Some(account) = chunk.first().map(|first| &*first.account) else { continue };
        let unit = account.ou.as_deref().unwrap_or_default();
        let begins = grouping == Grouping::Unit && before != Some(unit);
        before = Some(unit);
        groups.push(in_account(account, begins.then_some(unit), chunk));
    }
    groups
}

/// The roles of one account under its heading.
pub(super) fn in_account<'a>(account: &'a access::Account, unit: Option<&'a str>, roles: &[&'a Entitlement]) -> Group<'a> {
    let rows = roles.iter().map(|entitlement| Row { role: role(entitlement), account: None, until: None }).collect();
    Group { head: Head::Account { account: self::account(account), unit: unit.map(Into::into) }, rows }
}

fn by_role<'a>(roles: &[&'a Entitlement]) -> Vec<Group<'a>> {
    let mut named: BTreeMap<&str, Vec<Row<'a>>> = BTreeMap::new();
    for entitlement in roles {
        named.entry(entitlement.target.title()).or_default().push(row(entitlement, None));
    }
    named.into_iter().map(|(name, rows)| Group { head: Head::Role(name.into()), rows }).collect()
}

/// The roles that the person marked, and those that they took last and did not mark: what they have of them now.
pub(super) fn picks<'a>(roles: &'a [Entitlement], choices: &Choices, now: Moment) -> (Vec<Row<'a>>, Vec<Row<'a>>) {
    if choices.favourites().is_empty() && choices.recents().is_empty() {
        return Default::default();
    }
    let wanted = choices.favourites().iter().chain(choices.recents().iter().map(|recent| &recent.role));
    let mut found: HashMap<&str, Option<&Entitlement>> = wanted.map(|role| (role.as_str(), None)).collect();
    for entitlement in roles {
        if let Some(place) = found.get_mut(entitlement.target.as_str()) {
            *place = Some(entitlement);
        }
    }
    let find = |role: &str| found.get(role).copied().flatten();
    let favourites = choices.favourites().iter().filter_map(|role| Some(row(find(role)?, None))).collect();
    let recents = choices.recents().iter().filter(|recent| !choices.is_favourite(&recent.role));
    let recents = recents.filter_map(|recent| Some(row(find(&recent.role)?, recent.until.filter(|until| *until > now)))).collect();
    (favourites, recents)
}

fn row(entitlement: &Entitlement, until: Option<Moment>) -> Row<'_> {
    Row { role: role(entitlement), account: Some(Box::new(account(&entitlement.account))), until: until.map(Into::into) }
}

pub(super) fn account(account: &access::Account) -> Account<'_> {
    let (env, tags): (Vec<_>, Vec<_>) = account.tags.iter().partition(|(key, _)| key == "env");
    Account {
        id: account.id.as_str().into(),
        name: account.name.as_str().into(),
        alias: account.alias.as_deref().map(Into::into),
        env: env.first().map(|(_, value)| value.as_str().into()),
        tags: tags.into_iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect(),
        unit: account.ou.as_deref().map(Into::into),
    }
}

pub(super) fn role(entitlement: &Entitlement) -> Role<'_> {
    Role {
        name: entitlement.target.title().into(),
        link: entitlement.target.path_and_name().into(),
        kind: kind(&entitlement.target),
        arn: entitlement.target.as_str().into(),
        mfa_code: entitlement.needs_mfa_code(),
        console: entitlement.purposes.has(Purpose::Console),
        credentials: entitlement.purposes.has(Purpose::Credentials),
        longest: entitlement.longest_offered(),
        chained: entitlement.chained,
        step_up: entitlement.step_up.as_deref().map(|step_up| {
            let (wanted, came) = (step_up.wanted.to_string().into(), step_up.came().into());
            Box::new(StepUp { fresh: step_up.is_only_stale(), wanted, came })
        }),
        reason: entitlement.wanted_reason().map(Into::into),
        obstacle: entitlement.obstacle.as_ref().map(|denied| denial(denied).into()),
        break_glass: entitlement.break_glass,
        emergency: entitlement.emergency.is_some(),
    }
}

/// What the buttons of a list have in common.
pub(super) fn tools<'a>(roles: &[Entitlement], choices: &'a Choices) -> Tools<'a> {
    let mut partitions = Vec::new();
    for entitlement in roles {
        let partition = entitlement.target.partition();
        if !partitions.contains(&partition) {
            partitions.push(partition);
        }
    }
    Tools {
        longest: roles.iter().map(Entitlement::longest_offered).max().unwrap_or(access::USUAL_SESSION),
        length: choices.length(),
        region: choices.region.as_deref().map(Into::into),
        partitions,
    }
}

/// The session length for a role, where the page says at most how long, or nothing: what the person chose last, as far as the role allows it.
pub(super) fn length(
    roles: &[Entitlement],
    (role, break_glass): (&str, bool),
    at_most: Option<u64>,
    choices: &Choices,
) -> Option<Duration> {
    let wanted = Duration::from_secs(at_most.or(choices.length())?);
    let entitlement = roles.iter().find(|entitlement| entitlement.target.as_str() == role)?.way(break_glass);
    Some(wanted.min(entitlement.longest_offered()))
}

impl From<store::Grouping> for Grouping {
    fn from(grouping: store::Grouping) -> Self {
        match grouping {
            store::Grouping::Account => Self::Account,
            store::Grouping::Unit => Self::Unit,
            store::Grouping::Role => Self::Role,
        }
    }
}
