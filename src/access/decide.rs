//! The decision: which roles a person has, and what AWS is to be asked for one of them.

use std::cell::LazyCell;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;

use super::accounts::roles_named;
use super::compile::Policy;
use super::condition::Facts;
use super::deny::{Deny, Scope};
use super::roles::Place;
use super::rule::{Body, MOST_TAGS, Roles, Rule, Terms, is_tag_text};
use super::settings::{Carry, ConsoleWay, Operation};
use super::template::{Captures, Template};
use super::{
    Account, AssumeRequest, ConditionFailed, Context, Denied, Entitlement, Entitlements, Evidence, Fault, Names, Person, Purpose, Purposes,
    SHORTEST_SESSION, SessionTag, USUAL_SESSION, Wish, demands, encode_name,
};
use crate::arn::{RoleArn, is_name_byte};
use crate::clock::Moment;
use crate::identity::{Demand, Identity};

/// A longer group name is no name that a pattern is about.
const LONGEST_GROUP: usize = 256;

/// A rule that matched, and by what.
pub(super) struct Match<'a> {
    pub(super) rule: &'a Rule,
    group: Option<&'a str>,
    /// The groups that fulfilled `groups_all`.
    also: Vec<Arc<str>>,
    /// None when a capture has characters that AWS's names do not have: an allow then grants nothing, a deny takes everything.
    pub(super) captures: Option<Vec<(&'a str, &'a str)>>,
}

impl Policy {
    /// Every role that the person may have now, with its limits and its reasons. Deny wins over every allow; the order of rules does
    /// not matter; no match means no role.
    #[must_use]
    pub fn entitlements(&self, who: &Identity, context: &Context) -> Entitlements {
        let who = &Person::from(who);
        let (roles, faults) = self.decide(who, context);
        let name = |template: &Template| template.fill(who, &[]).map(|text| encode_name(&text));
        Entitlements {
            roles,
            names: Names { session_name: name(&self.session_name), source_identity: name(&self.source_identity), subject: who.key() },
            policy: Arc::clone(&self.digest),
            faults,
        }
    }

    /// The roles that somebody would have, who need not exist: for tests, explanations and comparisons. Nothing can be asked for with it.
    #[must_use]
    pub fn granted(&self, who: &Person<'_>, context: &Context) -> Vec<Entitlement> {
        self.decide(who, context).0
    }

    fn decide(&self, who: &Person<'_>, context: &Context) -> (Vec<Entitlement>, Vec<Fault>) {
        let normal = self.groups.names.all(who.groups);
        let who = &who.with_groups(normal.as_deref());
        let (matches, facts) = (self.matches(who), Facts::of(who, context));
        let mut faults = Faults::default();
        let (mut grants, mut denies) = (Vec::new(), Vec::new());
        for matched in &matches {
            let in_time = matched.rule.until.is_none_or(|until| context.now < until);
            match (&matched.rule.body, &matched.captures) {
                (Body::Allow { roles, terms }, Some(captures)) if in_time => {
                    self.grant(&Asked { facts: &facts, matched, captures, terms }, roles, &mut grants, &mut faults);
                }
                (Body::Allow { .. }, _) => {}
                (Body::Deny { accounts, roles }, _) => {
                    denies.push(Deny::of(matched.rule, Scope::of(self, matched, accounts.as_deref(), roles.as_deref())));
                }
            }
        }
        grants.sort_unstable_by(|a, b| a.place().cmp(&b.place()));
        let mut roles = Vec::with_capacity(grants.len());
        for grants in grants.chunk_by(|a, b| a.place() == b.place()) {
            let Some(first) = grants.first() else { continue };
            let given = grants.iter().fold(Purposes::NONE, |given, grant| given.with(grant.purposes));
            let left = denies.iter().fold(given, |left, deny| left.without(deny.takes((&first.role, first.account), &facts, &mut faults)));
            if !left.is_empty() {
                let mut draft = Draft::new(&first.role, first.account, left);
                for grant in grants {
                    draft.combine(who, grant);
                }
                roles.push(draft.finish(who, context.now));
            }
        }
        (roles, faults.finish())
    }

    /// The cost grows with the person's groups, not with the rules: exact names are looked up, patterns by their beginning.
    pub(super) fn matches<'a>(&'a self, who: &Person<'a>) -> Vec<Match<'a>> {
        let mut matches = Vec::new();
        let groups = LazyCell::new(|| who.groups.iter().map(String::as_str).collect::<HashSet<_>>());
        let has = |group: &str| groups.contains(group);
        let mut add = |number: u32, group, captures| {
            if let Some(rule) = self.rules.get(number as usize)
                && (rule.providers.is_empty() || rule.providers.contains(who.provider))
                && rule.wanted.holds(has)
            {
                matches.push(Match { rule, group, captures, also: rule.wanted.fulfilled_by(has) });
            }
        };
        for number in &self.everyone {
            add(*number, None, Some(Vec::new()));
        }
        for group in who.groups {
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
        let mut purposes = |role: Option<(&RoleArn, &Account)>| {
            rule.purposes(asked.facts, role).unwrap_or_else(|why| faults.note(rule, why, Purposes::NONE))
        };
        // Most conditions are about the person alone: one answer serves all of the rule's roles.
        let once = if rule.is_about_role() { None } else { Some(purposes(None)) };
        if once.is_some_and(Purposes::is_empty) {
            return;
        }
        let Asked { matched, captures, terms, .. } = *asked;
        let mut add = |order: u32, role: &RoleArn, account: &'a Arc<Account>| {
            let purposes = once.unwrap_or_else(|| purposes(Some((role, account))));
            if !purposes.is_empty() {
                grants.push(Grant { order, role: role.clone(), account, purposes, matched, captures, terms });
            }
        };
        match roles {
            Roles::Fixed(numbers) => {
                for Place { role, account, order } in numbers.iter().filter_map(|number| self.roles.get(*number)) {
                    add(*order, role, account);
                }
            }
            Roles::Captured { accounts, roles } => {
                for role in roles.iter().filter_map(|role| role.fill_captures(captures)) {
                    // What a capture builds may be no role of a known account: then it grants nothing.
                    for (role, account) in roles_named(&self.accounts, accounts, &role, captures).into_iter().flatten() {
                        add(self.accounts.order_of(account.id), &role, account);
                    }
                }
            }
        }
    }
}

/// An allowing rule that matched, and all that it needs to say what it gives.
struct Asked<'a> {
    facts: &'a Facts<'a>,
    matched: &'a Match<'a>,
    captures: &'a Captures<'a>,
    terms: &'a Terms,
}

/// One role that one rule gives.
struct Grant<'a> {
    /// Where the account stands among all by its name.
    order: u32,
    role: RoleArn,
    account: &'a Arc<Account>,
    purposes: Purposes,
    matched: &'a Match<'a>,
    captures: &'a Captures<'a>,
    terms: &'a Terms,
}

impl Grant<'_> {
    /// What roles are ordered by; the same for grants of the same role.
    fn place(&self) -> (u32, &RoleArn) {
        (self.order, &self.role)
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

/// An entitlement while the rules that grant it are combined. The narrower limit wins, and a contradiction is an obstacle rather than a
/// choice: nobody could say later why one of the two was taken.
struct Draft {
    entitlement: Entitlement,
    max_session: Option<Duration>,
    operation: Option<Operation>,
    console: Option<ConsoleWay>,
    carry_tags: Option<Carry>,
    carry_source_identity: Option<Carry>,
    problems: Vec<(Carry, Denied)>,
}

impl Draft {
    fn new(role: &RoleArn, account: &Arc<Account>, purposes: Purposes) -> Self {
        Self {
            entitlement: Entitlement {
                role: role.clone(),
                account: Arc::clone(account),
                purposes,
                max_session: USUAL_SESSION,
                session_policy: None,
                demand: Demand::default(),
                step_up: None,
                reasons: Vec::new(),
                operation: Operation::default(),
                console: ConsoleWay::default(),
                tags: Vec::new(),
                carry_tags: Carry::default(),
                carry_source_identity: Carry::default(),
                evidence: Vec::new(),
                obstacle: None,
            },
            max_session: None,
            operation: None,
            console: None,
            carry_tags: None,
            carry_source_identity: None,
            problems: Vec::new(),
        }
    }

    fn combine(&mut self, who: &Person<'_>, grant: &Grant<'_>) {
        let Grant { matched, captures, terms, .. } = grant;
        let evidence = Evidence { rule: Arc::clone(&matched.rule.id), group: matched.group.map(str::to_owned), also: matched.also.clone() };
        if self.entitlement.evidence.contains(&evidence) {
            return;
        }
        self.entitlement.evidence.push(evidence);
        self.max_session = narrower(self.max_session, terms.max_session);
        self.carry_tags = narrower(self.carry_tags, terms.carry_tags);
        self.carry_source_identity = narrower(self.carry_source_identity, terms.carry_source_identity);
        match (&self.entitlement.session_policy, &terms.session_policy) {
            // AWS would unite them, and each was meant to be the limit.
            (Some(one), Some(other)) if one != other => self.contradiction("session policy"),
            (None, Some(only)) => self.entitlement.session_policy = Some(Arc::clone(only)),
            _ => {}
        }
        if demands::add(&mut self.entitlement.demand, &terms.demand).is_err() {
            self.contradiction("require_acr");
        }
        if let Some(reason) = terms.reason.as_ref().filter(|reason| !self.entitlement.reasons.iter().any(|other| other.is_like(reason))) {
            self.entitlement.reasons.push(Arc::clone(reason));
        }
        if self.operation.zip(terms.operation).is_some_and(|(one, other)| one != other) {
            self.contradiction("operation");
        }
        if self.console.zip(terms.console).is_some_and(|(one, other)| one != other) {
            self.contradiction("console");
        }
        // What contradicts is not used, but pages show it: it must not depend on the order of rules.
        self.operation = narrower(self.operation, terms.operation);
        self.console = narrower(self.console, terms.console);
        let carry = terms.carry_tags.unwrap_or_default();
        for (key, template, transitive) in terms.tags.iter() {
            match template.fill(who, captures) {
                Ok(value) if is_tag_text(&value, 0, 256) => {
                    self.entitlement.tags.push(SessionTag { key: key.clone(), value, transitive: *transitive });
                }
                Ok(_) => self.problems.push((carry, Denied::TagValue(key.clone()))),
                Err(denied) => self.problems.push((carry, denied)),
            }
        }
    }

    /// Tags that several rules give become one. STS compares their keys without case.
    fn combine_tags(&mut self) {
        let mut tags = std::mem::take(&mut self.entitlement.tags);
        tags.sort_unstable_by(|a, b| (&a.key, &a.value).cmp(&(&b.key, &b.value)));
        for tag in tags {
            let same = |known: &&mut SessionTag| known.key == tag.key || known.key.to_lowercase() == tag.key.to_lowercase();
            match self.entitlement.tags.iter_mut().find(same) {
                Some(known) if known.key == tag.key && known.value == tag.value => known.transitive |= tag.transitive,
                Some(known) => {
                    let key = known.key.clone();
                    self.contradiction(&format!("tag {key}"));
                }
                None => self.entitlement.tags.push(tag),
            }
        }
    }

    fn contradiction(&mut self, what: &str) {
        self.problems.push((Carry::Required, Denied::Contradiction(what.to_owned())));
    }

    fn finish(mut self, who: &Person<'_>, now: Moment) -> Entitlement {
        self.combine_tags();
        let mut entitlement = self.entitlement;
        entitlement.step_up = entitlement.demand.missing(who.authentication, now).map(Box::new);
        entitlement.max_session = self.max_session.unwrap_or(USUAL_SESSION);
        entitlement.operation = self.operation.unwrap_or_default();
        // AWS's sign-in page takes no session policy: what has one goes by STS, or not at all.
        let limited = entitlement.session_policy.as_deref();
        // What a browser posts there buys credentials too: who may have the console alone never gets it into their hands.
        let console_alone = !entitlement.purposes.has(Purpose::Credentials);
        let posts = entitlement.operation == Operation::Saml && limited.is_none() && !console_alone;
        entitlement.console = self.console.unwrap_or(if posts { ConsoleWay::Post } else { ConsoleWay::Federation });
        if console_alone && entitlement.console == ConsoleWay::Post {
            self.problems.push((Carry::Required, Denied::Contradiction("purposes and console".into())));
        }
        if limited.is_some() && entitlement.console == ConsoleWay::Post {
            self.problems.push((Carry::Required, Denied::Contradiction("session policy and console".into())));
        }
        if limited.is_some_and(|policy| !policy.fits(&entitlement.role)) {
            self.problems.push((Carry::Required, Denied::Contradiction("a session policy of another account or partition".into())));
        }
        entitlement.carry_tags = self.carry_tags.unwrap_or_default();
        entitlement.carry_source_identity = self.carry_source_identity.unwrap_or_default();
        entitlement.reasons.sort_by(|a, b| a.hint.cmp(&b.hint));
        let lower: Vec<String> = entitlement.tags.iter().map(|tag| tag.key.to_lowercase()).collect();
        for key in entitlement.reasons.iter().filter_map(|reason| reason.tag.as_ref()).filter(|key| lower.contains(&key.to_lowercase())) {
            self.problems.push((Carry::Required, Denied::Contradiction(format!("tag {key}"))));
        }
        entitlement.evidence.sort_by(|a, b| (&a.rule, &a.group).cmp(&(&b.rule, &b.group)));
        let has_tags = !entitlement.tags.is_empty() || entitlement.reasons.iter().any(|reason| reason.tag.is_some());
        if has_tags && !entitlement.operation.carries_attributes() {
            self.problems.push((Carry::Required, Denied::Contradiction("tags for a forwarded token".into())));
        }
        if entitlement.tags.len() > MOST_TAGS {
            self.problems.push((Carry::Required, Denied::Contradiction(format!("more than {MOST_TAGS} tags"))));
        }
        // A tag that travels only where it may is left out when its claim is missing; one that is switched off does not matter.
        self.problems.retain(|(carry, _)| *carry == Carry::Required);
        self.problems.sort_by_key(|(_, denied)| denied.to_string());
        entitlement.obstacle = self.problems.into_iter().next().map(|(_, denied)| denied);
        entitlement
    }
}

/// The narrower of two opinions, where none is no opinion.
pub(super) fn narrower<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl Entitlements {
    /// Every role, ordered by account name and role.
    #[must_use]
    pub fn roles(&self) -> &[Entitlement] {
        &self.roles
    }

    /// Conditions that could not be evaluated for this person.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The digest of the policy that was asked.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// Compares a wish with what the rules grant, and makes the request that AWS is asked with.
    ///
    /// # Errors
    /// [`Denied`], when no rule grants the role, the length is outside the limits, or the rules cannot be fulfilled.
    pub fn choose(&self, wish: &Wish) -> Result<AssumeRequest, Denied> {
        let entitlement = self.roles.iter().find(|entitlement| entitlement.role.as_str() == wish.role).ok_or(Denied::NotGranted)?;
        if let Some(obstacle) = &entitlement.obstacle {
            return Err(obstacle.clone());
        }
        if !entitlement.purposes.has(wish.purpose) {
            return Err(Denied::Purpose(wish.purpose));
        }
        if let Some(step_up) = &entitlement.step_up {
            return Err(Denied::StepUp(step_up.clone()));
        }
        let longest = entitlement.max_session;
        let duration = wish.duration.unwrap_or_else(|| USUAL_SESSION.min(longest));
        if !(SHORTEST_SESSION..=longest).contains(&duration) {
            return Err(Denied::Duration(longest));
        }
        let attributes = entitlement.operation.carries_attributes();
        let source_identity = match entitlement.carry_source_identity {
            carry if carry != Carry::Off && attributes => Some((self.names.source_identity.clone()?, carry)),
            _ => None,
        };
        let reason = entitlement.heard(wish.reason.as_deref())?;
        let mut tags = Vec::new();
        if entitlement.carry_tags != Carry::Off && attributes {
            tags.extend(entitlement.tags.iter().cloned().chain(entitlement.reason_tags(reason.as_ref())));
            tags.sort_by(|a, b| a.key.cmp(&b.key));
        }
        Ok(AssumeRequest {
            role: entitlement.role.clone(),
            account: Arc::clone(&entitlement.account),
            session_policy: entitlement.session_policy.clone(),
            operation: entitlement.operation,
            console: entitlement.console,
            duration,
            purpose: wish.purpose,
            reason,
            session_name: self.names.session_name.clone()?,
            subject: self.names.subject.clone(),
            source_identity,
            tags,
            carry_tags: entitlement.carry_tags,
            evidence: entitlement.evidence.clone(),
            policy: Arc::clone(&self.policy),
        })
    }
}
