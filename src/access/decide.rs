//! The decision: which roles a person has. How the rules that grant one role are combined is in `draft`, what AWS is asked for in `choose`.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use regex::bytes::Regex;

use super::accounts::roles_named;
use super::compile::Policy;
use super::condition::Facts;
use super::deny::{Deny, Scope};
use super::draft::Draft;
use super::elevation::{Requestable, Standing, requestable};
use super::roles::{Place, Rank};
use super::rule::{Body, Roles, Rule, Terms};
use super::template::{Captures, Template};
use super::{
    Account, ConditionFailed, Context, Elevation, Entitlement, Entitlements, Fault, GatewayGrant, Meter, Names, Operation, Person,
    Purposes, Stopped, Target, encode_federated_name, encode_name, gateway_roles,
};
use crate::arn::is_name_byte;
use crate::clock::Moment;
use crate::identity::Identity;

/// A longer group name is no name that a pattern is about.
const LONGEST_GROUP: usize = 256;

/// How somebody is named in AWS sessions, as far as their claims tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionNames {
    /// The stable key: provider and subject.
    pub key: String,
    /// The name as the rules fill it in.
    session_name: Option<String>,
    /// The source identity.
    pub source_identity: Option<String>,
}

impl SessionNames {
    /// The session's name, in the length that an operation has for it; none where the session has none.
    #[must_use]
    pub fn session_name_for(&self, operation: Operation) -> Option<String> {
        let name = self.session_name.as_deref()?;
        match operation {
            Operation::SessionToken => None,
            Operation::FederationToken => Some(encode_federated_name(name)),
            _ => Some(encode_name(name)),
        }
    }
}

/// A rule that matched, and by what.
pub(super) struct Match<'a> {
    pub(super) rule: &'a Rule,
    pub(super) group: Option<&'a str>,
    /// The groups that fulfilled `groups_all`.
    pub(super) also: Vec<Arc<str>>,
    /// None when a capture has characters that AWS's names do not have: an allow then grants nothing, a deny takes everything.
    pub(super) captures: Option<Vec<(&'a str, &'a str)>>,
}

impl Policy {
    /// Every role that the person may have now, with its limits and its reasons. Deny wins over every allow; the order of rules does
    /// not matter; no match means no role.
    #[must_use]
    pub fn entitlements(&self, who: &Identity, context: &Context) -> Entitlements {
        self.entitlements_with(who, &[], context)
    }

    /// [`Self::entitlements`] of somebody who was granted roles on request.
    #[must_use]
    pub fn entitlements_with(&self, who: &Identity, elevations: &[Elevation], context: &Context) -> Entitlements {
        let who = &Person::from(who).with_elevations(elevations);
        let Decided { roles, requestable, gateway, faults } = self.decide(who, context, None);
        let name = |template: &Template| template.fill(who, &[]);
        Entitlements {
            roles,
            names: Names {
                session_name: name(&self.session_name),
                source_identity: name(&self.source_identity).map(|text| encode_name(&text)),
                subject: who.key(),
            },
            policy: Arc::clone(&self.digest),
            faults,
            gateway,
            requestable,
        }
    }

    /// How somebody, who need not exist, is named in AWS sessions.
    #[must_use]
    pub fn session_names(&self, who: &Person<'_>) -> SessionNames {
        let name = |template: &Template| template.fill(who, &[]).ok();
        SessionNames {
            key: who.key(),
            session_name: name(&self.session_name),
            source_identity: name(&self.source_identity).map(|text| encode_name(&text)),
        }
    }

    /// The roles that somebody would have, who need not exist: for tests, explanations and comparisons. Nothing can be asked for with it.
    #[must_use]
    pub fn granted(&self, who: &Person<'_>, context: &Context) -> Vec<Entitlement> {
        self.decide(who, context, None).roles
    }

    /// [`Self::granted`] with the roles of the gateway itself and what may be asked for, for rules or people that nobody vetted.
    ///
    /// # Errors
    /// [`Stopped`]: it was not decided to its end, and nothing of it is told.
    pub fn granted_within(&self, who: &Person<'_>, context: &Context, meter: &Meter<'_>) -> Result<Given, Stopped> {
        let Decided { roles, requestable, gateway, .. } = self.decide(who, context, Some(meter));
        meter.finished().map(|()| Given { roles, requestable, gateway })
    }

    /// All that the rules say of somebody at a moment. Where a meter stops it, what it came to is not all.
    pub(super) fn decide(&self, who: &Person<'_>, context: &Context, meter: Option<&Meter<'_>>) -> Decided {
        let normal = self.groups.names.all(who.groups);
        let who = &who.with_groups(normal.as_deref());
        let (matches, facts) = (self.matches_within(who, meter), Facts::of(who, context));
        let goes_on = || meter.is_none_or(Meter::goes_on);
        let (mut faults, mut gateway) = (Faults::default(), gateway_roles::Draft::default());
        let (mut grants, mut denies) = (Vec::new(), Vec::new());
        for matched in matches.iter().take_while(|_| goes_on()) {
            let in_time = matched.rule.until.is_none_or(|until| context.now < until);
            match (&matched.rule.body, &matched.captures) {
                (Body::Allow { roles, terms }, Some(captures)) if in_time => {
                    let asked = Asked { who, facts: &facts, now: context.now, matched, captures, terms, meter };
                    self.grant(&asked, roles, &mut grants, &mut faults);
                }
                (Body::Allow { .. }, _) => {}
                (Body::Gateway { effect, roles }, _) => gateway.add(matched, (*effect, roles), in_time, &facts, &mut faults),
                (Body::Deny { accounts, roles }, _) => {
                    denies.push(Deny::of(matched.rule, Scope::of(self, matched, accounts.as_deref(), roles.as_deref())));
                }
            }
        }
        // Rules have their roles in order: what is sorted are as many runs as rules matched.
        grants.sort_by(|a, b| a.by_place(b).then_with(|| a.standing.rank().cmp(&b.standing.rank())));
        let (mut roles, mut open) = (Vec::with_capacity(grants.len()), Vec::new());
        for grants in grants.chunk_by(|a, b| a.by_place(b).is_eq()) {
            let Some(first) = grants.first() else { continue };
            let left = denies
                .iter()
                .take_while(|_| goes_on())
                .fold(given_of(grants), |left, deny| left.without(deny.takes((&first.target, first.account), &facts, &mut faults)));
            if !goes_on() {
                break;
            }
            let parted = Parted::of(grants);
            let combined = |grants: &[Grant<'_>], purposes: Purposes| {
                (!purposes.is_empty()).then(|| {
                    let mut draft = Draft::new(&first.target, first.account, purposes, grants.len());
                    for grant in grants {
                        draft.combine(who, grant);
                    }
                    draft.finish(who, context.now)
                })
            };
            let usual = combined(parted.usual, given_of(parted.usual).and(left));
            let in_emergency = |purposes| combined(parted.emergency, purposes);
            let emergency = in_emergency(given_of(parted.emergency).and(left));
            // Nobody breaks glass for what they hold anyway: its terms, and its alarm, would be for nothing.
            let emergency = match &usual {
                Some(usual) => emergency.map(|all| usual.left_to(&all)).and_then(in_emergency),
                None => emergency,
            };
            match (usual, emergency) {
                (Some(mut usual), Some(emergency)) => {
                    usual.emergency = Some(Box::new(emergency));
                    roles.push(usual);
                }
                (Some(only), None) | (None, Some(only)) => roles.push(only),
                (None, None) => {}
            }
            open.extend(requestable(parted.open, parted.askable().and(left)).filter(|it| !it.purposes.is_empty()));
        }
        Decided { roles, requestable: open, gateway: gateway.finish(), faults: faults.finish() }
    }

    /// The cost grows with the person's groups, not with the rules: exact names are looked up, patterns by their beginning.
    pub(super) fn matches<'a>(&'a self, who: &Person<'a>) -> Vec<Match<'a>> {
        self.matches_within(who, None)
    }

    fn matches_within<'a>(&'a self, who: &Person<'a>, meter: Option<&Meter<'_>>) -> Vec<Match<'a>> {
        let mut matches = Vec::new();
        let groups = LazyCell::new(|| who.groups.iter().map(String::as_str).collect::<HashSet<_>>());
        let has = |group: &str| groups.contains(group);
        let mut add = |number: u32, group, captures| {
            if let Some(rule) = self.rules.get(number as usize)
                && (rule.providers.is_empty() || rule.providers.contains(who.provider))
                && rule.wanted.holds(has)
                && meter.is_none_or(Meter::adds)
            {
                matches.push(Match { rule, group, captures, also: rule.wanted.fulfilled_by(has) });
            }
        };
        for number in &self.everyone {
            add(*number, None, Some(Vec::new()));
        }
        for group in who.groups.iter().take_while(|_| meter.is_none_or(Meter::goes_on)) {
            for number in self.exact.get(group.as_str()).into_iter().flatten() {
                add(*number, Some(group.as_str()), Some(Vec::new()));
            }
            self.patterns.matches(group, |pattern, number| {
                let captures = if group.len() > LONGEST_GROUP { None } else { captures(pattern, group) };
                add(number, Some(group.as_str()), captures);
            });
        }
        matches
    }

    fn grant<'a>(&'a self, asked: &Asked<'a>, roles: &'a Roles, grants: &mut Vec<Grant<'a>>, faults: &mut Faults) {
        let rule = asked.matched.rule;
        let mut purposes = |role: Option<(&Target, &Account)>| {
            rule.purposes(asked.facts, role).unwrap_or_else(|why| faults.note(rule, why, Purposes::NONE))
        };
        // Most conditions are about the person alone: one answer serves all of the rule's roles.
        let once = if rule.is_about_role() { None } else { Some(purposes(None)) };
        if once.is_some_and(Purposes::is_empty) {
            return;
        }
        let Asked { who, now, matched, captures, terms, meter, .. } = *asked;
        let goes_on = || meter.is_none_or(Meter::goes_on);
        let mut add = |rank: Rank, target: Cow<'a, Target>, account: &'a Arc<Account>| {
            if !meter.is_none_or(Meter::adds) {
                return;
            }
            let purposes = once.unwrap_or_else(|| purposes(Some((&target, account))));
            if !purposes.is_empty() {
                let standing = terms.standing(rule, &target, who, now);
                grants.push(Grant { rank, target, account, purposes, standing, matched, captures, terms });
            }
        };
        match roles {
            Roles::Fixed(numbers) => {
                for number in numbers.iter().take_while(|_| goes_on()) {
                    let Some(Place { target, account, .. }) = self.roles.get(*number) else { continue };
                    add(Rank::of_known(*number), Cow::Borrowed(target), account);
                }
            }
            Roles::Captured { accounts, roles } => {
                for role in roles.iter().take_while(|_| goes_on()).filter_map(|role| role.fill_captures(captures)) {
                    // What a capture builds may be no role of a known account: then it grants nothing.
                    for (role, account) in roles_named(&self.accounts, accounts, &role, captures).into_iter().flatten() {
                        let target = Target::Role(role);
                        add(self.roles.rank(self.accounts.order_of(account.id), &target), Cow::Owned(target), account);
                    }
                }
            }
        }
    }
}

/// All that rules give somebody who need not exist.
#[derive(Debug)]
pub struct Given {
    /// Roles that are held.
    pub roles: Vec<Entitlement>,
    /// Roles that may be asked for.
    pub requestable: Vec<Requestable>,
    /// Roles of the gateway itself.
    pub gateway: Vec<GatewayGrant>,
}

/// What a decision comes to.
pub(super) struct Decided {
    pub(super) roles: Vec<Entitlement>,
    /// Roles that are not held and may be asked for.
    pub(super) requestable: Vec<Requestable>,
    /// Roles of the gateway itself.
    pub(super) gateway: Vec<GatewayGrant>,
    /// Conditions that could not be evaluated.
    faults: Vec<Fault>,
}

/// The grants of one role, by the manner in which they give it.
struct Parted<'g, 'a> {
    /// Those that give it now.
    usual: &'g [Grant<'a>],
    /// Those that give it in an emergency.
    emergency: &'g [Grant<'a>],
    /// Those that would give it on request.
    open: &'g [Grant<'a>],
}

impl<'g, 'a> Parted<'g, 'a> {
    /// The grants are ordered by their standing.
    fn of(grants: &'g [Grant<'a>]) -> Self {
        let (held, open) = grants.split_at(grants.partition_point(|grant| grant.standing != Standing::Open));
        let (usual, emergency) = held.split_at(held.partition_point(|grant| grant.standing != Standing::BreakGlass));
        Self { usual, emergency, open }
    }

    /// What may be asked for: beyond what is held without an emergency.
    fn askable(&self) -> Purposes {
        given_of(self.open).without(given_of(self.usual))
    }
}

fn given_of(grants: &[Grant<'_>]) -> Purposes {
    grants.iter().fold(Purposes::NONE, |given, grant| given.with(grant.purposes))
}

/// An allowing rule that matched, and all that it needs to say what it gives.
struct Asked<'a> {
    who: &'a Person<'a>,
    facts: &'a Facts<'a>,
    now: Moment,
    matched: &'a Match<'a>,
    captures: &'a Captures<'a>,
    terms: &'a Terms,
    meter: Option<&'a Meter<'a>>,
}

/// One role that one rule gives.
pub(super) struct Grant<'a> {
    /// Where the role stands among all.
    rank: Rank,
    pub(super) target: Cow<'a, Target>,
    pub(super) account: &'a Arc<Account>,
    pub(super) purposes: Purposes,
    /// In what manner it gives the role.
    pub(super) standing: Standing<'a>,
    pub(super) matched: &'a Match<'a>,
    pub(super) captures: &'a Captures<'a>,
    pub(super) terms: &'a Terms,
}

impl Grant<'_> {
    /// The order of roles; equal for grants of the same role.
    fn by_place(&self, other: &Self) -> Ordering {
        let by_name = || (&self.account.name, &self.target).cmp(&(&other.account.name, &other.target));
        self.rank.cmp(&other.rank).then_with(|| if self.rank.is_known() { Ordering::Equal } else { by_name() })
    }
}

/// Conditions that could not be evaluated, each once.
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn note(&mut self, rule: &Rule, why: ConditionFailed, instead: Purposes) -> Purposes {
        let fault = Fault { rule: Arc::clone(&rule.id), why };
        if !self.0.contains(&fault) {
            self.0.push(fault);
        }
        instead
    }

    /// In an order that is not that of the rules.
    fn finish(mut self) -> Vec<Fault> {
        self.0.sort_by(|a, b| (&a.rule, a.why.to_string()).cmp(&(&b.rule, b.why.to_string())));
        self.0
    }
}

/// The captures of a pattern in a group's name. A capture of other characters than AWS's names have makes no match: it could only be an
/// attempt to build something that the rule does not mean.
fn captures<'a>(pattern: &'a Regex, group: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let found = pattern.captures(group.as_bytes())?;
    let mut captures = Vec::new();
    for name in pattern.capture_names().flatten() {
        let Some(value) = found.name(name) else { continue };
        let value = std::str::from_utf8(value.as_bytes()).ok()?;
        if value.is_empty() || !value.bytes().all(is_name_byte) {
            return None;
        }
        captures.push((name, value));
    }
    Some(captures)
}
