//! How the rules that grant one role are combined.

use std::sync::Arc;
use std::time::Duration;

use super::decide::Grant;
use super::elevation::{GrantedFor, Standing};
use super::rule::{MOST_TAGS, is_tag_text};
use super::settings::{Carry, ConsoleWay, Operation};
use super::{
    Account, CHAINED_SESSION, Denied, Entitlement, Evidence, Person, Purpose, Purposes, SessionTag, Target, USUAL_SESSION, chain, demands,
};
use crate::clock::Moment;
use crate::identity::Demand;

/// An entitlement while the rules that grant it are combined. The narrower limit wins, and a contradiction is an obstacle rather than a
/// choice: nobody could say later why one of the two was taken.
pub(super) struct Draft {
    entitlement: Entitlement,
    max_session: Option<Duration>,
    operation: Option<Operation>,
    console: Option<ConsoleWay>,
    carry_tags: Option<Carry>,
    carry_source_identity: Option<Carry>,
    problems: Vec<(Carry, Denied)>,
}

impl Draft {
    /// Of a role that so many rules give at most.
    pub(super) fn new(target: &Target, account: &Arc<Account>, purposes: Purposes, rules: usize) -> Self {
        Self {
            entitlement: Entitlement {
                target: target.clone(),
                account: Arc::clone(account),
                purposes,
                max_session: USUAL_SESSION,
                learnt: None,
                until: None,
                session_policy: None,
                demand: Demand::default(),
                step_up: None,
                reasons: Vec::new(),
                operation: Operation::default(),
                hub: None,
                external_id: None,
                iam_user: None,
                chained: false,
                console: ConsoleWay::default(),
                reuse: true,
                tags: Vec::new(),
                carry_tags: Carry::default(),
                carry_source_identity: Carry::default(),
                evidence: Vec::with_capacity(rules),
                break_glass: false,
                emergency: None,
                held_anyway: Purposes::NONE,
                granted_for: Vec::new(),
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

    pub(super) fn combine(&mut self, who: &Person<'_>, grant: &Grant<'_>) {
        let Grant { matched, captures, terms, .. } = grant;
        let evidence = Evidence { rule: Arc::clone(&matched.rule.id), group: matched.group.map(str::to_owned), also: matched.also.clone() };
        if self.entitlement.evidence.contains(&evidence) {
            return;
        }
        // The end of a role is the last one of the rules that give it.
        let is_first = self.entitlement.evidence.is_empty();
        let later =
            |so_far: Option<Moment>, own: Option<Moment>| if is_first { own } else { so_far.zip(own).map(|(one, other)| one.max(other)) };
        let ends = grant.standing.elevation().map(|granted| granted.until);
        self.entitlement.until = later(self.entitlement.until, narrower(matched.rule.until, ends));
        self.entitlement.break_glass |= grant.standing == Standing::BreakGlass;
        match grant.standing {
            Standing::Held(None) => self.entitlement.held_anyway = self.entitlement.held_anyway.with(grant.purposes),
            Standing::Held(Some(granted)) => GrantedFor::add(&mut self.entitlement.granted_for, grant.purposes, granted),
            Standing::BreakGlass | Standing::Open => {}
        }
        self.entitlement.evidence.push(evidence);
        self.max_session = narrower(self.max_session, terms.max_session);
        self.entitlement.reuse &= terms.reuse;
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
        self.combine_hops(who, grant);
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

    /// The role on the way and the external id: two different ones contradict each other.
    fn combine_hops(&mut self, who: &Person<'_>, grant: &Grant<'_>) {
        if let Some(hub) = &grant.terms.hub {
            // What contradicts is not used, but pages show it: it must not depend on the order of rules.
            let kept = self.entitlement.hub.replace(Arc::clone(hub)).filter(|kept| kept != hub);
            if let Some(kept) = kept {
                self.contradiction("via");
                if (&kept.role, kept.operation) < (&hub.role, hub.operation) {
                    self.entitlement.hub = Some(kept);
                }
            }
        }
        let external_id = grant.terms.external_id.as_ref().map(|template| chain::filled(template, who, grant.captures));
        if let Some(user) = &grant.terms.iam_user {
            let kept = self.entitlement.iam_user.replace(Arc::clone(user)).filter(|kept| kept != user);
            if let Some(kept) = kept {
                self.contradiction("iam_user");
                if kept.id < user.id {
                    self.entitlement.iam_user = Some(kept);
                }
            }
        }
        match (&self.entitlement.external_id, external_id) {
            (_, Some(Err(denied))) => self.problems.push((Carry::Required, denied)),
            (Some(one), Some(Ok(other))) if *one != other => self.contradiction("external_id"),
            (None, Some(Ok(only))) => self.entitlement.external_id = Some(only),
            _ => {}
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

    pub(super) fn finish(mut self, who: &Person<'_>, now: Moment) -> Entitlement {
        self.combine_tags();
        let entitlement = &mut self.entitlement;
        GrantedFor::finish(&mut entitlement.granted_for, now);
        entitlement.step_up = entitlement.demand.missing(who.authentication, now).map(Box::new);
        entitlement.max_session = self.max_session.unwrap_or(USUAL_SESSION);
        entitlement.operation = match &entitlement.target {
            Target::Role(_) => self.operation.unwrap_or_default(),
            Target::Federated(_) => Operation::FederationToken,
            Target::IamUser(_) => Operation::SessionToken,
        };
        entitlement.reuse &= entitlement.operation.may_be_reused();
        if let Some(hub) = &entitlement.hub {
            entitlement.chained = true;
            entitlement.max_session = entitlement.max_session.min(CHAINED_SESSION);
            if hub.role.partition() != entitlement.target.partition() {
                let contradiction = Denied::Contradiction("via a role of another partition".into());
                self.problems.push((Carry::Required, contradiction));
            }
        }
        entitlement.carry_tags = self.carry_tags.unwrap_or_default();
        entitlement.carry_source_identity = self.carry_source_identity.unwrap_or_default();
        entitlement.reasons.sort_by(|a, b| a.hint.cmp(&b.hint));
        entitlement.evidence.sort_by(|a, b| (&a.rule, &a.group).cmp(&(&b.rule, &b.group)));
        // A workload has no token that could be passed on, and no device that shows a code.
        let operation = self.entitlement.operation;
        let wants_a_person = matches!(operation, Operation::ForwardedWebIdentity | Operation::ForwardedSaml | Operation::SessionToken);
        if who.workload && wants_a_person {
            self.contradiction("workload and operation");
        }
        self.find_the_way_into_the_console();
        self.check_tags();
        // A tag that travels only where it may is left out when its claim is missing; one that is switched off does not matter.
        self.problems.retain(|(carry, _)| *carry == Carry::Required);
        self.problems.sort_by_key(|(_, denied)| denied.to_string());
        self.entitlement.obstacle = self.problems.into_iter().next().map(|(_, denied)| denied);
        self.entitlement
    }

    fn find_the_way_into_the_console(&mut self) {
        // AWS's sign-in page takes no session policy: what has one goes by STS, or not at all.
        let limited = self.entitlement.session_policy.clone();
        // What a browser posts there buys credentials too: who may have the console alone never gets it into their hands.
        let purposes = self.entitlement.purposes;
        let console_alone = purposes.has(Purpose::Console) && !purposes.has(Purpose::Credentials);
        let posts = self.entitlement.operation == Operation::Saml && limited.is_none() && !console_alone;
        let way = self.console.unwrap_or(if posts { ConsoleWay::Post } else { ConsoleWay::Federation });
        self.entitlement.console = way;
        if console_alone && way == ConsoleWay::Post {
            self.contradiction("purposes and console");
        }
        if limited.is_some() && way == ConsoleWay::Post {
            self.contradiction("session policy and console");
        }
        if limited.is_some_and(|policy| !policy.fits(&self.entitlement.target)) {
            self.contradiction("a session policy of another account or partition");
        }
    }

    /// The tags, with those that carry a reason beside them. STS compares their keys without case.
    fn check_tags(&mut self) {
        let entitlement = &self.entitlement;
        let mut keys: Vec<(String, &str)> = entitlement.tags.iter().map(|tag| (tag.key.to_lowercase(), tag.key.as_str())).collect();
        let set_by_rules = keys.len();
        let mut contradictions = Vec::new();
        for key in entitlement.reasons.iter().filter_map(|reason| reason.tag.as_deref()) {
            let lower = key.to_lowercase();
            match keys.iter().position(|(known, _)| *known == lower) {
                None => keys.push((lower, key)),
                // Of two rules that want the reason in one tag, it carries it once.
                Some(at) if at >= set_by_rules && keys.get(at).is_some_and(|(_, known)| *known == key) => {}
                Some(_) => contradictions.push(format!("tag {key}")),
            }
        }
        if !keys.is_empty() && !entitlement.operation.carries_tags() {
            contradictions.push("tags for an operation that carries none".into());
        }
        if keys.len() > MOST_TAGS {
            contradictions.push(format!("more than {MOST_TAGS} tags"));
        }
        for contradiction in contradictions {
            self.contradiction(&contradiction);
        }
    }
}

/// The narrower of two opinions, where none is no opinion.
pub(super) fn narrower<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
