//! Which rules for emergencies nobody ever needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::Policy;
use super::super::rule::{Body, Roles, Rule, Terms};

impl Policy {
    /// A rule that gives all people of a rule for emergencies the same roles, always and at once: then there is never an emergency.
    pub(super) fn makes_needless(&self, emergency: &Rule) -> Option<Arc<str>> {
        let (roles, terms) = for_emergencies(emergency)?;
        let first = emergency.wanted.any.first().or_else(|| emergency.wanted.all.first().and_then(|choice| choice.first()));
        // Only what is about one of its groups, or everyone, can be about all of its people.
        let by_group = first.and_then(|group| self.exact.get(group)).into_iter().flatten();
        let candidates = by_group.chain(&self.everyone).filter_map(|number| self.rules.get(*number as usize));
        let gives = |rule: &Rule| {
            let Body::Allow { roles: Roles::Fixed(given), terms: own } = &rule.body else { return false };
            let is_usual = own.on_request.is_none() && !own.break_glass && rule.until.is_none();
            is_usual && own.is_at_hand_beside(terms) && rule.is_about_all_of(emergency) && {
                let given: BTreeSet<_> = given.iter().collect();
                roles.iter().all(|role| given.contains(role))
            }
        };
        candidates.into_iter().find(|rule| gives(rule)).map(|rule| Arc::clone(&rule.id))
    }
}

fn for_emergencies(rule: &Rule) -> Option<(&[super::super::roles::RoleNumber], &Terms)> {
    match &rule.body {
        Body::Allow { roles: Roles::Fixed(roles), terms } if terms.break_glass && !roles.is_empty() => Some((roles, terms)),
        _ => None,
    }
}

impl Terms {
    /// Whether what it gives can be had wherever what others give can: it wants no other sign-in, and no reason of another form.
    fn is_at_hand_beside(&self, emergency: &Self) -> bool {
        let asked = |reason: &super::super::Reason| emergency.reason.as_ref().is_some_and(|own| own.asks_for_all_of(reason));
        let says_no_more = self.reason.as_ref().is_none_or(|reason| !reason.is_of_a_form() || asked(reason));
        (self.demand.is_empty() || self.demand == emergency.demand) && says_no_more
    }
}

impl Rule {
    /// Whether it holds for everybody for whom another one does, and for the same purposes.
    fn is_about_all_of(&self, other: &Self) -> bool {
        let set = |groups: &[Arc<str>]| groups.iter().cloned().collect::<BTreeSet<_>>();
        let opens = self.everyone
            || match (&self.pattern, &other.pattern) {
                _ if self.wanted.any.is_empty() && self.pattern.is_none() => true,
                (_, None) if !other.everyone && !other.wanted.any.is_empty() => set(&other.wanted.any).is_subset(&set(&self.wanted.any)),
                _ => false,
            };
        let all = self.wanted.all.iter().all(|choice| other.wanted.all.iter().any(|own| set(own).is_subset(&set(choice))));
        let none = set(&self.wanted.none).is_subset(&set(&other.wanted.none));
        let providers =
            self.providers.is_empty() || !other.providers.is_empty() && other.providers.iter().all(|id| self.providers.contains(id));
        let text = |rule: &Self| rule.condition.as_ref().map(|condition| Arc::clone(condition.text()));
        let condition = self.condition.is_none() || text(self) == text(other);
        opens && all && none && providers && condition && other.purposes.without(self.purposes).is_empty()
    }
}
