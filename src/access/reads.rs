//! Which claims the rules look at: what must be known of somebody beside their groups to judge them later.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::rule::{Body, Rule};
use super::template::Placeholder;
use super::{Person, Policy};
use crate::identity::Claims;

/// The largest value of a claim that is kept of a sign-in, in bytes of JSON: more is no word that a rule compares.
const LARGEST_VALUE: usize = 4096;

impl Policy {
    /// The claims of a sign-in that the rules look at, by name; null for those that it did not bring. What no rule looks at, what only a
    /// condition on all claims at once would see, and values of more than 4 KiB are not among them.
    #[must_use]
    pub fn claims_looked_at(&self, claims: &Claims) -> Map<String, Value> {
        let of = |name: &String| {
            let value = claims.get(name).cloned().unwrap_or(Value::Null);
            let is_small = serde_json::to_vec(&value).is_ok_and(|text| text.len() <= LARGEST_VALUE);
            is_small.then(|| (name.clone(), value))
        };
        self.reads.iter().filter_map(of).collect()
    }

    /// The rules that match a person by their groups and whose conditions look at claims that are not known of them: neither allow nor deny
    /// can be told from them. `known` are the names of the claims that are.
    #[must_use]
    pub fn unjudged(&self, who: &Person<'_>, known: &BTreeSet<&str>) -> BTreeSet<&str> {
        let normal = self.groups.names.all(who.groups);
        let who = &who.with_groups(normal.as_deref());
        let is_unknown = |rule: &Rule| {
            let Some(condition) = &rule.condition else { return false };
            let (named, all) = condition.claims_read();
            all || named.iter().any(|claim| !known.contains(claim.as_str()))
        };
        let rules = self.matches(who).into_iter().map(|matched| matched.rule).filter(|rule| is_unknown(rule));
        // The matches borrow the person, the rules do not.
        let ids: BTreeSet<_> = rules.map(|rule| rule.id.clone()).collect();
        self.rules.iter().filter(|rule| ids.contains(&rule.id)).map(|rule| &*rule.id).collect()
    }
}

impl Rule {
    /// The claims that its condition and its tags name, by their first name.
    pub(super) fn claims_read(&self) -> impl Iterator<Item = String> {
        let conditions = self.condition.iter().flat_map(|condition| condition.claims_read().0).cloned();
        let tags = match &self.body {
            Body::Allow { terms, .. } => &*terms.tags,
            Body::Deny { .. } | Body::Gateway { .. } => &[],
        };
        let in_tags = tags.iter().flat_map(|(_, template, _)| template.placeholders()).filter_map(|placeholder| match placeholder {
            Placeholder::Claim(name) => name.trim_start_matches('/').split('/').next().map(str::to_owned),
            _ => None,
        });
        conditions.chain(in_tags)
    }
}
