//! What came nearest for somebody who has no role at all: told to themselves, so about them and never about the rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Concern, Disclosure, Lack, MOST_WAYS, Policy, concerns, words};
use crate::access::condition::Facts;
use crate::access::decide::Match;
use crate::access::rule::{Body, Roles, Rule};
use crate::access::{Context, Person};
use crate::identity::ProviderId;

/// Something about a person that would give roles, and what keeps it from doing so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// The rule, for the log alone.
    pub rule: Arc<str>,
    /// Their groups that would give roles; none where everyone would have them.
    groups: Vec<String>,
    /// What is missing; nothing where a deny takes what they give.
    lacks: Vec<Lack>,
}

impl Policy {
    /// What about a person who has no role would give them some if one thing more were so, the nearest first. It tells no more than [`Policy::explain_to_oneself`]
    /// does, and nothing where that tells nothing: which groups would give roles to others stays untold.
    #[must_use]
    pub fn near_misses(&self, who: &Person<'_>, context: &Context, tell: Disclosure) -> Vec<NearMiss> {
        if tell == Disclosure::Off {
            return Vec::new();
        }
        let normal = self.groups.names.all(who.groups);
        let who = &who.with_groups(normal.as_deref());
        let facts = Facts::of(who, context);
        let mut found: Vec<NearMiss> = Vec::new();
        let mut add = |matched: &Match<'_>, provider: Option<Lack>| {
            let rule = matched.rule;
            let Body::Allow { roles, .. } = &rule.body else { return };
            if rule.purposes.and(facts.purposes()).is_empty() {
                return;
            }
            let Ok(condition) = unmet(rule, &facts, tell) else { return };
            let ended = rule.until.filter(|until| context.now >= *until).map(Lack::Ended);
            let lacks: Vec<_> = provider.into_iter().chain(condition).chain(ended).collect();
            let own = matched.group.into_iter().chain(matched.also.iter().map(|group| &**group));
            let mut groups: Vec<_> = own.map(|group| self.called(group, tell)).collect();
            groups.dedup();
            let miss = NearMiss { rule: Arc::clone(&rule.id), groups, lacks };
            let is_new = !found.iter().any(|known| known.groups == miss.groups && known.lacks == miss.lacks);
            // Where nothing is missing and no role is had, a deny is between; or a group's name makes up a role that there is not.
            let is_one = !miss.lacks.is_empty() || matches!(roles, Roles::Fixed(_));
            if is_one && is_new {
                found.push(miss);
            }
        };
        self.matches(who).iter().for_each(|matched| add(matched, None));
        let others: BTreeSet<&ProviderId> =
            self.rules.iter().flat_map(|rule| &rule.providers).filter(|other| *other != who.provider).collect();
        for other in others {
            let elsewhere = Person { provider: other, ..*who };
            let matches = self.matches(&elsewhere);
            let bound =
                matches.iter().filter(|matched| !matched.rule.providers.is_empty() && !matched.rule.providers.contains(who.provider));
            bound.for_each(|matched| add(matched, Some(Lack::Provider(vec![other.clone()]))));
        }
        found.sort_by_key(|miss| miss.lacks.len());
        found.truncate(MOST_WAYS);
        found
    }
}

/// It may not be told that there is such a rule.
struct Untold;

/// What of a rule's condition does not hold: nothing, or something that may be told.
fn unmet(rule: &Rule, facts: &Facts<'_>, tell: Disclosure) -> Result<Option<Lack>, Untold> {
    // What is about a role cannot be asked without one.
    if rule.is_about_role() {
        return Err(Untold);
    }
    let unknown = match rule.purposes(facts, None) {
        Ok(purposes) if !purposes.is_empty() => return Ok(None),
        Ok(_) => false,
        Err(_) => true,
    };
    let about = concerns(rule);
    let is_told = !about.is_empty() && (tell == Disclosure::Groups || !about.contains(&Concern::Groups));
    if is_told { Ok(Some(Lack::Condition { about, unknown })) } else { Err(Untold) }
}

impl NearMiss {
    /// The sentence for people. `provider` says how they call a provider.
    #[must_use]
    pub fn in_words<'p>(&'p self, provider: impl Fn(&'p ProviderId) -> &'p str) -> String {
        let missing = if self.lacks.is_empty() {
            "But a rule says no to you, and a no always wins.".to_owned()
        } else {
            words::missing(&self.lacks, &provider)
        };
        match self.groups.as_slice() {
            [] => format!("Everyone would have roles. {missing}"),
            [group] => format!("Your group {group} would give you roles. {missing}"),
            groups => format!("Your groups {} together would give you roles. {missing}", words::listed(groups, "and")),
        }
    }
}
