//! In what more may be asked for by a rule than before.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::Difference;
use super::widening::{Widening, wider_demand, wider_policy, wider_until};
use crate::access::elevation::{OnRequest, on_request};
use crate::access::rule::{Body, Rule, Terms};
use crate::access::{Effect, Policy, USUAL_SESSION};

/// In what more may be asked for by a rule than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum MoreAsked {
    /// It makes roles requestable, and did not before.
    Requestable,
    /// Other people may ask.
    People,
    /// Other roles may be asked for.
    Roles,
    /// They may be asked for a purpose more.
    Purposes,
    /// They may be asked for a longer time. In seconds.
    Length {
        /// The longest before.
        from: u64,
        /// The longest now.
        to: u64,
    },
    /// A request need not say what it had to.
    Reason,
    /// Others decide. A group that decides no more takes nothing from anybody who does.
    Approvers {
        /// The groups that did not.
        added: Vec<String>,
    },
    /// Approvers of other providers decide too.
    Providers,
    /// What is granted has a limit less, which is also what is wanted of whoever grants it.
    Limit {
        /// In what it is wider.
        limit: Widening,
    },
    /// A deny that kept roles from being asked for is gone, or says something else.
    Undenied,
}

impl fmt::Display for MoreAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = |seconds: u64| humantime::format_duration(Duration::from_secs(seconds));
        match self {
            Self::Requestable => f.write_str("its roles may be asked for, and could not be"),
            Self::People => f.write_str("other people may ask"),
            Self::Roles => f.write_str("other roles may be asked for"),
            Self::Purposes => f.write_str("they may be asked for another purpose"),
            Self::Length { from, to } => write!(f, "they may be asked for {} instead of {}", span(*to), span(*from)),
            Self::Reason => f.write_str("a request need not say what it had to"),
            Self::Approvers { added } => write!(f, "the group {} decides too", added.join(" and ")),
            Self::Providers => f.write_str("approvers of other providers decide too"),
            Self::Limit { limit } => write!(f, "what is granted is wider: {limit}"),
            Self::Undenied => f.write_str("it kept some of them from being asked for"),
        }
    }
}

impl Difference<'_> {
    /// In what more may be asked for because of a rule that is not as it was; none where it says nothing of requests. What becomes of a role that was
    /// had on request and is held now is seen in those who gain it.
    pub(super) fn about_requests(&self, was: Option<&Rule>, is: Option<&Rule>) -> Option<Vec<MoreAsked>> {
        match is.filter(|is| on_request(is).is_some()) {
            Some(is) => Some(self.asked(was, is)),
            None => self.took_what_may_be_asked_for(was).then(|| vec![MoreAsked::Undenied]),
        }
    }

    /// In what more may be asked for by a rule than by what it was.
    fn asked(&self, was: Option<&Rule>, is: &Rule) -> Vec<MoreAsked> {
        let Some(now) = on_request(is) else { return Vec::new() };
        let Some((was, before)) = was.and_then(|was| Some((was, on_request(was)?))) else { return vec![MoreAsked::Requestable] };
        let text = |rule: &Rule| rule.condition.as_ref().map(|condition| Arc::clone(condition.text()));
        let of_groups = |rule: &Rule| (rule.pattern.clone(), rule.everyone, text(rule));
        let gives = |policy: &Policy, rule: &Rule, other| policy.roles_spoken_of(rule, other).map(BTreeSet::from_iter);
        let (roles, old_roles) = (gives(self.new, is, self.old), gives(self.old, was, self.new));
        let has_more_roles = roles.zip(old_roles).is_none_or(|(new, old)| !new.is_subset(&old));
        let is_everywhere = is.providers.is_empty() && !was.providers.is_empty();
        let is_elsewhere = !was.providers.is_empty() && is.providers.iter().any(|provider| !was.providers.contains(provider));
        let found = [
            (!is.wanted.is_like(&was.wanted) || of_groups(is) != of_groups(was)).then_some(MoreAsked::People),
            has_more_roles.then_some(MoreAsked::Roles),
            (!is.purposes.without(was.purposes).is_empty()).then_some(MoreAsked::Purposes),
            (is_everywhere || is_elsewhere).then_some(MoreAsked::Providers),
        ];
        let limits = wider_limits(was, is).into_iter().map(|limit| MoreAsked::Limit { limit });
        found.into_iter().flatten().chain(now.more_than(before)).chain(limits).collect()
    }

    /// Whether it is a deny of roles that may be asked for: nobody holds those, so that nobody is seen to gain them.
    fn took_what_may_be_asked_for(&self, was: Option<&Rule>) -> bool {
        let Some(was) = was.filter(|was| was.effect() == Effect::Deny) else { return false };
        let taken = self.old.roles_spoken_of(was, self.new);
        let may_be_taken = |rule: &Rule| match (&taken, self.new.roles_spoken_of(rule, self.old)) {
            (Some(taken), Some(given)) => given.iter().any(|role| taken.contains(role)),
            // What cannot be listed may be any.
            _ => true,
        };
        self.new.rules.iter().any(|rule| on_request(rule).is_some() && may_be_taken(rule))
    }
}

/// The limits of a rule's roles that are wider than they were.
fn wider_limits(was: &Rule, is: &Rule) -> Vec<Widening> {
    let until = wider_until(was.until, is.until);
    let (Body::Allow { terms: before, .. }, Body::Allow { terms: after, .. }) = (&was.body, &is.body) else { return Vec::new() };
    let longest = |terms: &Terms| terms.max_session.unwrap_or(USUAL_SESSION).as_secs();
    let (from, to) = (longest(before), longest(after));
    let length = (to > from).then_some(Widening::MaxSession { from, to });
    let policy = wider_policy(before.session_policy.as_deref(), after.session_policy.as_deref());
    until.into_iter().chain(length).chain(wider_demand(&before.demand, &after.demand)).chain(policy).collect()
}

impl OnRequest {
    /// In what it lets more be asked for than another one.
    fn more_than(&self, before: &Self) -> Vec<MoreAsked> {
        let (from, to) = (before.max_duration.as_secs(), self.max_duration.as_secs());
        let added: Vec<_> = self.approvers.iter().filter(|group| !before.approvers.contains(group)).map(ToString::to_string).collect();
        let found = [
            (to > from).then_some(MoreAsked::Length { from, to }),
            (!self.reason.asks_for_all_of(&before.reason)).then_some(MoreAsked::Reason),
            (!added.is_empty()).then_some(MoreAsked::Approvers { added }),
        ];
        found.into_iter().flatten().collect()
    }
}
