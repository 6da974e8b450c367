//! `/` and `/go`: the roles that a person may have.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::listing;
use super::trouble::{PageError, html};
use super::views::{AskRow, Go, Group, Head, NoRoles, Portal, Role, Room, Target};
use super::visitor::{Chooser, SignedInVisitor, Visitor};
use crate::access::{self, Entitlement};

/// How many groups the page for people without roles lists.
const MOST_GROUPS: usize = 50;

/// The longest filter that is looked for, in bytes.
const LONGEST_FILTER: usize = 256;

#[derive(Deserialize)]
pub(super) struct Filter {
    /// Words of a filter, from browsers without JavaScript and from links.
    #[serde(default)]
    q: String,
}

impl Filter {
    /// The words.
    pub(super) fn words(&self) -> &str {
        self.q.get(..self.q.floor_char_boundary(LONGEST_FILTER)).unwrap_or_default().trim()
    }
}

/// `GET /`: every role.
pub(super) async fn home(visitor: Visitor, filter: web::Query<Filter>) -> Result<HttpResponse, PageError> {
    let chooser = visitor.chooser().await?;
    let Chooser { me, choices, .. } = &chooser;
    let site = &me.visitor.site;
    let entitlements = site.gateway.entitlements(&me.session, &me.visitor.caller);
    let roles = entitlements.roles();
    let shell = me.shell_by(&entitlements).of(Room::Roles);
    if roles.is_empty() && entitlements.requestable().is_empty() {
        let identity = &me.session.identity;
        let groups = identity.groups();
        let told = site.gateway.without_roles(&me.session, &me.visitor.caller);
        return Ok(html(&NoRoles {
            shell,
            nearest: told.nearest.into_iter().map(Into::into).collect(),
            report: told.report.into(),
            provider: site.gateway.provider_name(identity.provider()).into(),
            groups: groups.iter().take(MOST_GROUPS).map(|group| group.as_str().into()).collect(),
            total: groups.len(),
        }));
    }
    let filter = filter.words();
    let found = listing::filtered(roles, filter);
    let emergency = listing::emergency(&found);
    let roles_found = found.len();
    let shown: Vec<_> = found.into_iter().filter(|entitlement| !entitlement.break_glass).collect();
    let picks = || listing::picks(roles, choices, site.gateway.now());
    let (favourites, recents) = if filter.is_empty() { picks() } else { Default::default() };
    let grouping = choices.grouping.into();
    let page = Portal {
        shell,
        notice: None,
        filter: filter.into(),
        tools: listing::tools(roles, choices),
        grouping,
        has_units: roles.iter().any(|entitlement| entitlement.account.ou.is_some()),
        favourites,
        recents,
        requestable: listing::asks(entitlements.requestable(), &me.session.requests, filter, site.gateway.now()),
        emergency,
        groups: listing::groups(&shown, grouping),
        roles: roles_found,
        accounts: shown.chunk_by(|one, other| one.account.id == other.account.id).count(),
    };
    // What the address says stands on the page, so it is not compressed then.
    let answer = if filter.is_empty() { me.visitor.compressed(&page) } else { html(&page) };
    Ok(chooser.remembered(site.leading_to_console(answer)))
}

/// A deep link: `account` by id or name, `role` by name, `destination` a page of the console.
#[derive(Deserialize)]
pub(super) struct Link {
    account: String,
    role: Option<String>,
    destination: Option<String>,
    /// Set where the role is wanted as in an emergency.
    break_glass: Option<String>,
    /// Set when the person comes from their provider, which was asked for another sign-in.
    after: Option<String>,
}

/// `GET /go`: a deep link, which waits for a click. It survives the sign-in, because [`Visitor::signed_in`] remembers where one wanted to go.
pub(super) async fn go(visitor: Visitor, link: web::Query<Link>) -> Result<HttpResponse, PageError> {
    let chooser = visitor.chooser().await?;
    let Chooser { me, choices, .. } = &chooser;
    let site = &me.visitor.site;
    let entitlements = site.gateway.entitlements(&me.session, &me.visitor.caller);
    let in_account: Vec<_> = entitlements.roles().iter().filter(|entitlement| link.is_in(&entitlement.account)).cloned().collect();
    let partition = in_account.first().map(|entitlement| entitlement.target.partition()).unwrap_or_default();
    // A bad destination is told at once, before anybody clicks.
    me.destination(partition, link.destination.as_deref())?;
    let (requests, now) = (me.session.requests.as_slice(), site.gateway.now());
    let asks = entitlements.requestable().iter().filter(|it| link.is_in(&it.account) && link.names(&it.target));
    let asks = asks.map(|it| listing::ask(it, requests, now)).collect();
    let page = Go {
        shell: me.shell_by(&entitlements),
        target: target(&link, &in_account, asks, |role| choices.is_favourite(role)),
        destination: link.destination.as_deref().map(Into::into),
        tools: listing::tools(&in_account, choices),
        tried: link.after.is_some(),
    };
    Ok(chooser.remembered(site.leading_to_console(html(&page))))
}

impl Link {
    fn is_in(&self, account: &access::Account) -> bool {
        account.is_called(&self.account)
    }

    /// Whether it is about a role; without one it is about all of the account's.
    fn names(&self, target: &access::Target) -> bool {
        self.role.as_deref().is_none_or(|name| target.path_and_name() == name || target.name() == name)
    }
}

/// What a link leads to: what the person has, and what they may ask for.
fn target<'a>(link: &'a Link, in_account: &'a [Entitlement], mut asks: Vec<AskRow<'a>>, is_favourite: impl Fn(&str) -> bool) -> Target<'a> {
    let missing = || Target::Missing { account: link.account.as_str().into(), role: link.role.as_deref().map(Into::into) };
    if link.role.is_some() {
        let Some(entitlement) = in_account.iter().find(|entitlement| link.names(&entitlement.target)) else {
            return if asks.is_empty() { missing() } else { Target::OnRequest(asks.swap_remove(0)) };
        };
        let way = entitlement.way(link.break_glass.is_some());
        return Target::Role {
            account: listing::account(&entitlement.account),
            role: Role { emergency: entitlement.emergency.is_some(), ..listing::role(way) },
            favourite: is_favourite(entitlement.target.as_str()),
            ask: asks.into_iter().find(|ask| *ask.arn == *entitlement.target.as_str()).map(Box::new),
        };
    }
    match (in_account.first(), asks.first()) {
        (Some(first), _) => {
            Target::Account { group: listing::in_account(&first.account, None, &in_account.iter().collect::<Vec<_>>()), asks }
        }
        (None, Some(first)) => {
            let head = Head::Account { account: first.account.clone(), unit: None };
            Target::Account { group: Group { head, rows: Vec::new() }, asks }
        }
        (None, None) => missing(),
    }
}

impl SignedInVisitor {
    fn destination(&self, partition: crate::arn::Partition, destination: Option<&str>) -> Result<(), PageError> {
        let checked = self.visitor.site.gateway.console.destination(partition, destination);
        checked.map(|_| ()).map_err(|error| PageError::bad_destination(&error))
    }
}
