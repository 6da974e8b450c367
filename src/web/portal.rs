//! `/` and `/go`: the roles that a person may have.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::issue::kind;
use super::trouble::{PageError, denial, html};
use super::views::{Account, Go, NoRoles, Portal, Role, StepUp, Target};
use super::visitor::{SignedInVisitor, Visitor};
use crate::access::{self, Entitlement};
use crate::arn::AccountId;

/// How many groups the page for people without roles lists.
const MOST_GROUPS: usize = 50;

/// `GET /`: every role, by account.
pub(super) async fn home(visitor: Visitor) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    let site = &me.visitor.site;
    let entitlements = site.gateway.entitlements(&me.session, &me.visitor.caller);
    let shell = site.shell(me.csrf(), Some(&me.session));
    if entitlements.roles().is_empty() {
        let identity = &me.session.identity;
        let groups = identity.groups();
        return Ok(html(&NoRoles {
            shell,
            provider: site.gateway.provider_name(identity.provider()).into(),
            groups: groups.iter().take(MOST_GROUPS).map(|group| group.as_str().into()).collect(),
            total: groups.len(),
        }));
    }
    Ok(site.leading_to_console(html(&Portal { shell, notice: None, accounts: accounts(entitlements.roles()) })))
}

/// Entitlements as the page shows them: they arrive ordered by account.
fn accounts(roles: &[Entitlement]) -> Vec<Account<'_>> {
    let chunks = roles.chunk_by(|one, other| one.account.id == other.account.id);
    chunks.filter_map(|chunk| chunk.first().map(|first| account(&first.account, chunk))).collect()
}

fn account<'a>(account: &'a access::Account, roles: &'a [Entitlement]) -> Account<'a> {
    let (env, tags): (Vec<_>, Vec<_>) = account.tags.iter().partition(|(key, _)| key == "env");
    Account {
        id: account.id.as_str().into(),
        name: account.name.as_str().into(),
        env: env.first().map(|(_, value)| value.as_str().into()),
        tags: tags.into_iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect(),
        roles: roles.iter().map(role).collect(),
    }
}

fn role(entitlement: &Entitlement) -> Role<'_> {
    Role {
        name: entitlement.target.title().into(),
        link: entitlement.target.path_and_name().into(),
        kind: kind(&entitlement.target).map(Into::into),
        arn: entitlement.target.as_str().into(),
        mfa_code: entitlement.needs_mfa_code(),
        console: entitlement.purposes.has(access::Purpose::Console),
        credentials: entitlement.purposes.has(access::Purpose::Credentials),
        longest: entitlement.longest_offered(),
        chained: entitlement.chained,
        step_up: entitlement.step_up.as_deref().map(|step_up| StepUp {
            fresh: step_up.is_only_stale(),
            wanted: step_up.wanted.to_string().into(),
            came: step_up.came().into(),
        }),
        reason: entitlement.wanted_reason().map(Into::into),
        obstacle: entitlement.obstacle.as_ref().map(|denied| denial(denied).into()),
    }
}

/// A deep link: `account` by id or name, `role` by name, `destination` a page of the console.
#[derive(Deserialize)]
pub(super) struct Link {
    account: String,
    role: Option<String>,
    destination: Option<String>,
    /// Set when the person comes from their provider, which was asked for another sign-in.
    after: Option<String>,
}

/// `GET /go`: a deep link, which waits for a click. It survives the sign-in, because [`Visitor::signed_in`] remembers where one wanted to go.
pub(super) async fn go(visitor: Visitor, link: web::Query<Link>) -> Result<HttpResponse, PageError> {
    let me = visitor.signed_in().await?;
    let site = &me.visitor.site;
    let entitlements = site.gateway.entitlements(&me.session, &me.visitor.caller);
    let by_id = link.account.parse::<AccountId>().ok();
    let in_account: Vec<_> = entitlements
        .roles()
        .iter()
        .filter(|entitlement| by_id.map_or_else(|| entitlement.account.name == link.account, |id| entitlement.account.id == id))
        .cloned()
        .collect();
    let partition = in_account.first().map(|entitlement| entitlement.target.partition()).unwrap_or_default();
    // A bad destination is told at once, before anybody clicks.
    me.destination(partition, link.destination.as_deref())?;
    let target = target(&link, &in_account);
    let (shell, tried) = (site.shell(me.csrf(), Some(&me.session)), link.after.is_some());
    let page = Go { shell, target, destination: link.destination.as_deref().map(Into::into), tried };
    Ok(site.leading_to_console(html(&page)))
}

fn target<'a>(link: &'a Link, in_account: &'a [Entitlement]) -> Target<'a> {
    let missing = || Target::Missing { account: link.account.as_str().into(), role: link.role.as_deref().map(Into::into) };
    let Some(first) = in_account.first() else { return missing() };
    match &link.role {
        None => Target::Account { account: account(&first.account, in_account) },
        Some(name) => {
            let named = |entitlement: &&Entitlement| entitlement.target.path_and_name() == name || entitlement.target.name() == name;
            in_account
                .iter()
                .find(named)
                .map_or_else(missing, |entitlement| Target::Role { account: account(&entitlement.account, &[]), role: role(entitlement) })
        }
    }
}

impl SignedInVisitor {
    fn destination(&self, partition: crate::arn::Partition, destination: Option<&str>) -> Result<(), PageError> {
        let checked = self.visitor.site.gateway.console.destination(partition, destination);
        checked.map(|_| ()).map_err(|error| PageError::bad_destination(&error))
    }
}
