//! The decision: which roles a person has, and what AWS is to be asked for one of them.

use std::cell::LazyCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;

use super::accounts::{AccountSelector, roles_named, selected};
use super::compile::Policy;
use super::condition::Facts;
use super::rule::{Body, MOST_TAGS, Roles, Rule, Terms, is_tag_text};
use super::settings::{Carry, ConsoleWay, Operation};
use super::template::{Captures, Template};
use super::{
    Account, AssumeRequest, ConditionFailed, Context, Denied, Entitlement, Entitlements, Evidence, Fault, Names, Person, Purposes,
    SHORTEST_SESSION, SessionTag, USUAL_SESSION, Wish, encode_name,
};
use crate::arn::{RoleArn, is_name_byte};
use crate::identity::Identity;

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
        let (mut granted, mut faults) = (BTreeMap::new(), Faults::default());
        for matched in &matches {
            let in_time = matched.rule.until.is_none_or(|until| context.now < until);
            if let (true, Body::Allow { roles, terms }, Some(captures)) = (in_time, &matched.rule.body, &matched.captures) {
                let asked = Asked { who, facts: &facts, matched, captures, terms };
                self.grant(&asked, roles, &mut granted, &mut faults);
            }
        }
        for matched in &matches {
            if let Body::Deny { accounts, roles } = &matched.rule.body {
                let scope = Scope::of(self, matched, accounts.as_deref(), roles.as_deref());
                granted.retain(|role, draft: &mut Draft| {
                    if scope.covers(role) {
                        let taken = matched.rule.purposes(&facts, Some((role, &draft.entitlement.account)));
                        let taken = taken.unwrap_or_else(|why| faults.note(matched.rule, why, Purposes::ALL));
                        draft.entitlement.purposes = draft.entitlement.purposes.without(taken);
                    }
                    !draft.entitlement.purposes.is_empty()
                });
            }
        }
        let mut roles: Vec<_> = granted.into_values().map(Draft::finish).collect();
        roles.sort_by(|a, b| (&a.account.name, &a.role).cmp(&(&b.account.name, &b.role)));
        (roles, faults.0)
    }

    /// The cost grows with the person's groups, not with the rules: exact names are looked up, patterns are matched as one set.
    pub(super) fn matches<'a>(&'a self, who: &Person<'a>) -> Vec<Match<'a>> {
        let mut matches = Vec::new();
        let groups = LazyCell::new(|| who.groups.iter().map(String::as_str).collect::<HashSet<_>>());
        let has = |group: &str| groups.contains(group);
        let mut add = |index: usize, group, captures| {
            if let Some(rule) = self.rules.get(index)
                && (rule.providers.is_empty() || rule.providers.contains(who.provider))
                && rule.wanted.holds(has)
            {
                matches.push(Match { rule, group, captures, also: rule.wanted.fulfilled_by(has) });
            }
        };
        for index in &self.everyone {
            add(*index, None, Some(Vec::new()));
        }
        for group in who.groups {
            for index in self.exact.get(group.as_str()).into_iter().flatten() {
                add(*index, Some(group.as_str()), Some(Vec::new()));
            }
            for (pattern, index) in self.patterns.matches(group.as_bytes()).into_iter().filter_map(|i| self.pattern_rules.get(i)) {
                let captures = if group.len() > LONGEST_GROUP { None } else { captures(pattern, group) };
                add(*index, Some(group.as_str()), captures);
            }
        }
        matches
    }

    fn grant(&self, asked: &Asked<'_>, roles: &Roles, granted: &mut BTreeMap<RoleArn, Draft>, faults: &mut Faults) {
        let rule = asked.matched.rule;
        let mut purposes = |role: Option<(&RoleArn, &Account)>| {
            rule.purposes(asked.facts, role).unwrap_or_else(|why| faults.note(rule, why, Purposes::NONE))
        };
        // Most conditions are about the person alone: one answer serves all of the rule's roles.
        let once = if rule.is_about_role() { None } else { Some(purposes(None)) };
        if once.is_some_and(Purposes::is_empty) {
            return;
        }
        let mut add = |role: RoleArn, account: &Arc<Account>| {
            let purposes = once.unwrap_or_else(|| purposes(Some((&role, account))));
            if purposes.is_empty() {
                return;
            }
            match granted.entry(role) {
                Entry::Occupied(mut entry) => entry.get_mut().combine(asked, purposes),
                Entry::Vacant(entry) => {
                    let draft = Draft::new(entry.key(), account);
                    entry.insert(draft).combine(asked, purposes);
                }
            }
        };
        match roles {
            Roles::Fixed(fixed) => {
                for (role, account) in fixed {
                    add(role.clone(), account);
                }
            }
            Roles::Captured { accounts, roles } => {
                for role in roles.iter().filter_map(|role| role.fill_captures(asked.captures)) {
                    // What a capture builds may be no role of a known account: then it grants nothing.
                    for (role, account) in roles_named(&self.accounts, accounts, &role, asked.captures).into_iter().flatten() {
                        add(role, &account);
                    }
                }
            }
        }
    }
}

/// An allowing rule that matched, and all that it needs to say what it gives.
struct Asked<'a> {
    who: &'a Person<'a>,
    facts: &'a Facts<'a>,
    matched: &'a Match<'a>,
    captures: &'a Captures<'a>,
    terms: &'a Terms,
}

/// Conditions that could not be evaluated, each once.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn note(&mut self, rule: &Rule, why: ConditionFailed, instead: Purposes) -> Purposes {
        let fault = Fault { rule: Arc::clone(&rule.id), why };
        if !self.0.contains(&fault) {
            self.0.push(fault);
        }
        instead
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

/// The accounts of a deny; none, which means all, when a capture that it needs did not take part in the match.
fn deny_accounts<'a>(policy: &'a Policy, selectors: &'a [AccountSelector], captures: &Captures<'_>) -> Option<Vec<&'a Arc<Account>>> {
    let complete = selectors.iter().all(|selector| match selector {
        AccountSelector::These(_) => true,
        AccountSelector::Captured(template) => template.fill_captures(captures).is_some(),
    });
    complete.then(|| selected(&policy.accounts, selectors, captures))
}

/// What a matched deny rule takes away. None is everything: a deny that cannot be evaluated must not let through.
pub(super) struct Scope<'a> {
    accounts: Option<Vec<&'a Arc<Account>>>,
    roles: Option<Vec<String>>,
}

impl<'a> Scope<'a> {
    pub(super) fn of(
        policy: &'a Policy,
        matched: &Match<'a>,
        accounts: Option<&'a [AccountSelector]>,
        roles: Option<&'a [Template]>,
    ) -> Self {
        let Some(captures) = matched.captures.as_deref() else {
            return Self { accounts: None, roles: None };
        };
        Self {
            accounts: accounts.and_then(|selectors| deny_accounts(policy, selectors, captures)),
            roles: roles.and_then(|roles| roles.iter().map(|role| role.fill_captures(captures)).collect()),
        }
    }

    pub(super) fn covers(&self, role: &RoleArn) -> bool {
        let in_accounts = self.accounts.as_ref().is_none_or(|accounts| accounts.iter().any(|account| account.id == role.account()));
        let in_roles = self
            .roles
            .as_ref()
            .is_none_or(|roles| roles.iter().any(|name| name == role.path_and_name() || name == role.name() || name == role.as_str()));
        in_accounts && in_roles
    }
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
    fn new(role: &RoleArn, account: &Arc<Account>) -> Self {
        Self {
            entitlement: Entitlement {
                role: role.clone(),
                account: Arc::clone(account),
                purposes: Purposes::NONE,
                max_session: USUAL_SESSION,
                session_policy: None,
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

    fn combine(&mut self, asked: &Asked<'_>, purposes: Purposes) {
        let Asked { who, matched, captures, terms, .. } = asked;
        self.entitlement.purposes = self.entitlement.purposes.with(purposes);
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
        if let Some(reason) = terms.reason.as_ref().filter(|reason| !self.entitlement.reasons.iter().any(|other| other.is_like(reason))) {
            self.entitlement.reasons.push(Arc::clone(reason));
        }
        match (self.operation, terms.operation) {
            (Some(one), Some(other)) if one != other => self.contradiction("operation"),
            (_, other) => self.operation = self.operation.or(other),
        }
        match (self.console, terms.console) {
            (Some(one), Some(other)) if one != other => self.contradiction("console"),
            (_, other) => self.console = self.console.or(other),
        }
        let carry = terms.carry_tags.unwrap_or_default();
        for (key, template, transitive) in &terms.tags {
            match template.fill(who, captures) {
                Ok(value) if is_tag_text(&value, 0, 256) => self.tag(key, value, *transitive),
                Ok(_) => self.problems.push((carry, Denied::TagValue(key.clone()))),
                Err(denied) => self.problems.push((carry, denied)),
            }
        }
    }

    fn tag(&mut self, key: &str, value: String, transitive: bool) {
        // STS compares tag keys without case.
        match self.entitlement.tags.iter_mut().find(|tag| tag.key.to_lowercase() == key.to_lowercase()) {
            Some(tag) if tag.key == key && tag.value == value => tag.transitive |= transitive,
            Some(_) => self.contradiction(&format!("tag {key}")),
            None => self.entitlement.tags.push(SessionTag { key: key.to_owned(), value, transitive }),
        }
    }

    fn contradiction(&mut self, what: &str) {
        self.problems.push((Carry::Required, Denied::Contradiction(what.to_owned())));
    }

    fn finish(mut self) -> Entitlement {
        let mut entitlement = self.entitlement;
        entitlement.max_session = self.max_session.unwrap_or(USUAL_SESSION);
        entitlement.operation = self.operation.unwrap_or_default();
        // AWS's sign-in page takes no session policy: what has one goes by STS, or not at all.
        let limited = entitlement.session_policy.as_deref();
        let posts = entitlement.operation == Operation::Saml && limited.is_none();
        entitlement.console = self.console.unwrap_or(if posts { ConsoleWay::Post } else { ConsoleWay::Federation });
        if limited.is_some() && entitlement.console == ConsoleWay::Post {
            self.problems.push((Carry::Required, Denied::Contradiction("session policy and console".into())));
        }
        if limited.is_some_and(|policy| !policy.fits(&entitlement.role)) {
            self.problems.push((Carry::Required, Denied::Contradiction("a session policy of another account or partition".into())));
        }
        entitlement.carry_tags = self.carry_tags.unwrap_or_default();
        entitlement.carry_source_identity = self.carry_source_identity.unwrap_or_default();
        entitlement.tags.sort_by(|a, b| a.key.cmp(&b.key));
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
fn narrower<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
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
