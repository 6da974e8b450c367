//! What a change of the rules makes wider: the limits of a role that somebody has before and after it, and the rules whose change no single
//! moment can judge.

mod asked;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

pub use asked::Asking;

use super::accounts::AccountSelector;
use super::condition::Concern;
use super::roles::{Place, RoleNumber};
use super::rule::{Body, Roles, Rule};
use super::template::Template;
use super::{Effect, Entitlement, Person, Policy, Purpose, SessionPolicy, Target, elevation};
use crate::clock::Moment;
use crate::cores;
use crate::identity::Demand;

/// Something that a role's holder may do after a change and might not before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Widening {
    /// It may be taken for a purpose more.
    Purpose {
        /// The purpose.
        purpose: Purpose,
    },
    /// It ends later, or not at all.
    Until {
        /// When it ended.
        from: Moment,
        /// When it ends now, if it does.
        to: Option<Moment>,
    },
    /// Sessions last longer. In seconds.
    MaxSession {
        /// The longest session before.
        from: u64,
        /// The longest session now.
        to: u64,
    },
    /// No second factor is wanted any more.
    RequireMfa,
    /// The sign-in may be older. In seconds.
    MaxAuthAge {
        /// The oldest sign-in before.
        from: u64,
        /// The oldest sign-in now; none for any.
        to: Option<u64>,
    },
    /// Context classes will do that would not before.
    RequireAcr {
        /// The classes before.
        from: Vec<String>,
        /// The classes now; none for any.
        to: Vec<String>,
    },
    /// No reason must be given any more, or one that need not match what it had to.
    Reason {
        /// Whether one must be given at all.
        wanted: bool,
    },
    /// Nothing limits the session any more, or another session policy does.
    SessionPolicy {
        /// Whether one does.
        limited: bool,
    },
    /// The same is wanted of the sign-in, and this one does now: another one counts as a second factor.
    SignIn,
    /// It can be taken, and an obstacle kept it from being taken before.
    Obstacle,
    /// To take it was an alarm, and is none any more.
    Alarm,
    /// It can be taken in an emergency, beside the usual way and without what that wants.
    BreakGlass,
    /// As it is taken in an emergency, it is wider.
    InEmergency {
        /// In what.
        limit: Box<Widening>,
    },
}

impl fmt::Display for Widening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = |seconds: u64| humantime::format_duration(Duration::from_secs(seconds));
        let day = |moment: &Moment| moment.format("%Y-%m-%d %H:%M UTC").to_string();
        match self {
            Self::Purpose { purpose: Purpose::Console } => f.write_str("for the console too"),
            Self::Purpose { purpose: Purpose::Credentials } => f.write_str("for credentials too"),
            Self::Purpose { purpose: Purpose::Workload } => f.write_str("for workloads too"),
            Self::Until { from, to: Some(to) } => write!(f, "until {} instead of {}", day(to), day(from)),
            Self::Until { from, to: None } => write!(f, "without an end, which was {}", day(from)),
            Self::MaxSession { from, to } => write!(f, "sessions of {} instead of {}", span(*to), span(*from)),
            Self::RequireMfa => f.write_str("without a second factor"),
            Self::MaxAuthAge { from, to: Some(to) } => write!(f, "with a sign-in up to {} old instead of {}", span(*to), span(*from)),
            Self::MaxAuthAge { from, to: None } => write!(f, "with a sign-in of any age instead of {}", span(*from)),
            Self::RequireAcr { from, to } if to.is_empty() => write!(f, "with a sign-in of any class instead of {}", from.join(" or ")),
            Self::RequireAcr { from, to } => write!(f, "with a sign-in of the class {} instead of {}", to.join(" or "), from.join(" or ")),
            Self::Reason { wanted: false } => f.write_str("without a reason"),
            Self::Reason { wanted: true } => f.write_str("with a reason that need not match the pattern it had to"),
            Self::SessionPolicy { limited: false } => f.write_str("without a session policy"),
            Self::SessionPolicy { limited: true } => f.write_str("with another session policy (compare the two by hand)"),
            Self::SignIn => f.write_str("with a sign-in that did not do before"),
            Self::Obstacle => f.write_str("can be taken, and could not"),
            Self::Alarm => f.write_str("without an alarm, which it was to take it"),
            Self::BreakGlass => f.write_str("in an emergency too, without what the usual way wants"),
            Self::InEmergency { limit } => write!(f, "in an emergency: {limit}"),
        }
    }
}

impl Entitlement {
    /// What is wider than in an entitlement of the same person to the same role before. Tags, operations and ways into the console are not
    /// compared: no one of them is wider than another.
    #[must_use]
    pub fn wider_than(&self, before: &Self) -> Vec<Widening> {
        let usually = match (self.break_glass, before.break_glass) {
            (false, false) => self.limits_wider_than(before),
            (false, true) => [Widening::Alarm].into_iter().chain(self.limits_wider_than(before)).collect(),
            (true, _) => Vec::new(),
        };
        let (is, was) = (self.way(true), before.way(true));
        let in_emergency = match (is.break_glass, was.break_glass) {
            (false, _) => Vec::new(),
            // What is an alarm now was none: its limits alone can be wider.
            (true, false) if !self.break_glass => vec![Widening::BreakGlass],
            (true, _) => is.limits_wider_than(was).into_iter().map(|limit| Widening::InEmergency { limit: Box::new(limit) }).collect(),
        };
        usually.into_iter().chain(in_emergency).collect()
    }

    fn limits_wider_than(&self, before: &Self) -> Vec<Widening> {
        let mut wider = Vec::new();
        let purposes = self.purposes.without(before.purposes).list();
        wider.extend(purposes.into_iter().map(|purpose| Widening::Purpose { purpose }));
        wider.extend(wider_until(before.until, self.until));
        if self.max_session > before.max_session {
            wider.push(Widening::MaxSession { from: before.max_session.as_secs(), to: self.max_session.as_secs() });
        }
        let (old, new) = (&before.demand, &self.demand);
        wider.extend(wider_demand(old, new));
        if old == new && before.step_up.is_some() && self.step_up.is_none() {
            wider.push(Widening::SignIn);
        }
        let dropped = before.reasons.iter().any(|reason| !self.reasons.iter().any(|other| other.asks_for_all_of(reason)));
        if dropped {
            wider.push(Widening::Reason { wanted: !self.reasons.is_empty() });
        }
        wider.extend(wider_policy(before.session_policy.as_deref(), self.session_policy.as_deref()));
        if before.obstacle.is_some() && self.obstacle.is_none() {
            wider.push(Widening::Obstacle);
        }
        wider
    }
}

fn wider_until(before: Option<Moment>, after: Option<Moment>) -> Option<Widening> {
    let from = before.filter(|from| after.is_none_or(|to| to > *from))?;
    Some(Widening::Until { from, to: after })
}

fn wider_demand(old: &Demand, new: &Demand) -> Vec<Widening> {
    let mfa = (old.mfa && !new.mfa).then_some(Widening::RequireMfa);
    let older = old.max_age.filter(|from| new.max_age.is_none_or(|to| to > *from));
    let age = older.map(|from| Widening::MaxAuthAge { from: from.as_secs(), to: new.max_age.map(|to| to.as_secs()) });
    let is_more = new.classes.is_empty() || new.classes.iter().any(|class| !old.classes.contains(class));
    let class = !old.classes.is_empty() && is_more;
    let class = class.then(|| Widening::RequireAcr { from: old.classes.clone(), to: new.classes.clone() });
    mfa.into_iter().chain(age).chain(class).collect()
}

/// Which of two session policies lets more be done is not decided here: another one counts as wider.
fn wider_policy(before: Option<&SessionPolicy>, after: Option<&SessionPolicy>) -> Option<Widening> {
    (before.is_some() && before != after).then_some(Widening::SessionPolicy { limited: after.is_some() })
}

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    /// It is new.
    Added,
    /// It says something else.
    Changed,
    /// It is gone.
    Removed,
}

/// A rule whose change may let somebody have more, under circumstances that one moment does not show, or somebody who is no person.
#[derive(Debug, Clone, Serialize)]
pub struct ByHand {
    /// The rule.
    pub rule: String,
    /// Whether it allows or denies, in the newer policy that has it.
    pub effect: Effect,
    /// What became of it.
    pub became: Became,
    /// The circumstances that it looks at, before or after.
    pub looks_at: BTreeSet<Concern>,
    /// Whether it decides about workloads: they sign in nowhere, so no list of people has them.
    pub workloads: bool,
    /// Whether it gives its roles on request: nobody holds them by it alone.
    pub on_request: bool,
    /// In what more may be asked for by it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asking>,
    /// Whether it is for emergencies: who has its roles by another rule may see that way at other moments alone.
    pub break_glass: bool,
    /// The roles that it speaks of, as far as they are known; none for roles that nobody can list.
    #[serde(skip)]
    roles: Option<Vec<Target>>,
}

impl ByHand {
    /// Whether it may be about one of the roles that `is_one` picks by their ARNs. What cannot be listed may be about any.
    #[must_use]
    pub fn may_touch(&self, is_one: impl Fn(&str) -> bool) -> bool {
        self.roles.as_ref().is_none_or(|roles| roles.iter().any(|role| is_one(role.as_str())))
    }
}

impl fmt::Display for ByHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let became = match self.became {
            Became::Added => "is new",
            Became::Changed => "is changed",
            Became::Removed => "is gone",
        };
        let effect = if self.effect == Effect::Deny { "deny" } else { "rule" };
        let looks_at = self.looks_at.iter().map(|concern| circumstance(*concern)).collect::<Vec<_>>().join(" and ");
        let looks_at = (!self.looks_at.is_empty()).then(|| format!("its condition looks at {looks_at}"));
        let workloads = self.workloads.then(|| "it decides about workloads, who are not among these people".to_owned());
        let on_request = self.on_request.then(|| {
            let asked: Vec<_> = self.asked.iter().map(ToString::to_string).collect();
            let more = if asked.is_empty() { String::new() } else { format!(" ({})", asked.join("; ")) };
            format!("it is about roles that are had on request, which nobody holds by it alone{more}")
        });
        let emergency =
            "it is about roles for emergencies, and who has them otherwise sees that way where the other one does not do at once";
        let break_glass = self.break_glass.then(|| emergency.to_owned());
        let why = looks_at.into_iter().chain(workloads).chain(on_request).chain(break_glass).collect::<Vec<_>>().join(", and ");
        write!(f, "the {effect} {} {became}, and {why}: judge it by hand", self.rule)
    }
}

const fn circumstance(concern: Concern) -> &'static str {
    match concern {
        Concern::SignIn => "the sign-in",
        Concern::Address => "the address",
        Concern::Time => "the time",
        _ => "other things",
    }
}

/// What is not the same at every moment for one person.
const CIRCUMSTANCES: [Concern; 3] = [Concern::SignIn, Concern::Address, Concern::Time];

/// In what the rules of one policy differ from those of an older one. Found once, asked for many people.
#[derive(Debug)]
pub struct Difference<'p> {
    old: &'p Policy,
    new: &'p Policy,
    /// The rules that only one of the two has, or that say something else in the other, by id and in the order of the newer policy.
    rules: Vec<(Arc<str>, Option<&'p Rule>, Option<&'p Rule>)>,
    ids: HashSet<Arc<str>>,
    /// Whether names of groups are compared in another way: then nobody's groups can be told to mean the same.
    everything: bool,
}

impl Policy {
    /// In what this policy's rules differ from those of an older one.
    #[must_use]
    pub fn difference_from<'p>(&'p self, old: &'p Self) -> Difference<'p> {
        let before: HashMap<_, _> = old.rules.iter().map(|rule| (&rule.id, rule)).collect();
        let accounts = self.accounts.all == old.accounts.all;
        let differing = |rule: &&'p Rule| {
            let was = before.get(&rule.id).copied();
            let is_same = was.is_some_and(|was| self.says_the_same(rule, (old, was), accounts));
            (!is_same).then(|| (Arc::clone(&rule.id), was, Some(*rule)))
        };
        let all: Vec<_> = self.rules.iter().collect();
        let mut rules: Vec<_> = cores::map(&all, differing).into_iter().flatten().collect();
        let now: HashSet<_> = self.rules.iter().map(|rule| &rule.id).collect();
        rules.extend(old.rules.iter().filter(|rule| !now.contains(&rule.id)).map(|rule| (Arc::clone(&rule.id), Some(rule), None)));
        let ids = rules.iter().map(|(id, ..)| Arc::clone(id)).collect();
        Difference { old, new: self, rules, ids, everything: self.groups.names != old.groups.names }
    }

    /// Whether a rule says the same as one of another policy, with aliases and selectors resolved. `accounts` says whether the two know the
    /// same accounts: what captures build depends on them.
    fn says_the_same(&self, rule: &Rule, (other, was): (&Self, &Rule), accounts: bool) -> bool {
        let text = |rule: &Rule| rule.condition.as_ref().map(|condition| Arc::clone(condition.text()));
        let of_groups = |rule: &Rule| (rule.providers.clone(), rule.pattern.clone(), rule.everyone);
        let matches = rule.wanted.is_like(&was.wanted) && of_groups(rule) == of_groups(was) && text(rule) == text(was);
        matches && rule.purposes == was.purposes && rule.until == was.until && self.does_the_same(rule, (other, was), accounts)
    }

    fn does_the_same(&self, rule: &Rule, (other, was): (&Self, &Rule), accounts: bool) -> bool {
        match (&rule.body, &was.body) {
            (Body::Allow { roles, terms }, Body::Allow { roles: old_roles, terms: old_terms }) => {
                // A condition may look at the account.
                let looks = rule.condition.is_some();
                let gives = match (roles, old_roles) {
                    (Roles::Fixed(here), Roles::Fixed(there)) => {
                        let place = |Place { target, account, .. }: &Place| (target.clone(), looks.then(|| Arc::clone(account)));
                        let of = |policy: &Self, numbers: &[RoleNumber]| {
                            let mut places: Vec<_> = policy.roles.of(numbers).map(place).collect();
                            places.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
                            places
                        };
                        here.len() == there.len() && of(self, here) == of(other, there)
                    }
                    (Roles::Captured { accounts: here, roles }, Roles::Captured { accounts: there, roles: old_roles }) => {
                        accounts && roles == old_roles && same_accounts(here, there)
                    }
                    _ => false,
                };
                // Of the terms everything counts, and all of it is written.
                gives && format!("{terms:?}") == format!("{old_terms:?}")
            }
            (Body::Deny { accounts: here, roles }, Body::Deny { accounts: there, roles: old_roles }) => {
                let in_the_same = match (here, there) {
                    (None, None) => true,
                    (Some(here), Some(there)) => same_accounts(here, there),
                    _ => false,
                };
                // Captures may name any account.
                let names = here.iter().flatten().any(|selector| matches!(selector, AccountSelector::Captured(_)));
                (accounts || !names) && roles == old_roles && in_the_same
            }
            (Body::Gateway { effect, roles }, Body::Gateway { effect: old_effect, roles: old_roles }) => {
                effect == old_effect && roles == old_roles
            }
            _ => false,
        }
    }

    /// The roles that a rule of this policy speaks of, among those that it and another policy name; none where they cannot be listed.
    fn roles_spoken_of(&self, rule: &Rule, other: &Self) -> Option<Vec<Target>> {
        let (accounts, names) = match &rule.body {
            Body::Allow { roles: Roles::Fixed(fixed), .. } => {
                return Some(self.roles.of(fixed).map(|place| place.target.clone()).collect());
            }
            Body::Allow { roles: Roles::Captured { .. }, .. } | Body::Gateway { .. } => return None,
            Body::Deny { accounts, roles } => (accounts.as_deref(), roles.as_deref()),
        };
        let builds = |rule: &Rule| matches!(&rule.body, Body::Allow { roles: Roles::Captured { .. }, .. });
        let is_open = |selector: &AccountSelector| matches!(selector, AccountSelector::Captured(_));
        if self.rules.iter().chain(&other.rules).any(builds) || accounts.is_some_and(|selectors| selectors.iter().any(is_open)) {
            return None;
        }
        let names = match names {
            Some(templates) => Some(templates.iter().map(Template::literal).collect::<Option<Vec<_>>>()?),
            None => None,
        };
        let in_accounts = |role: &Target| {
            accounts.is_none_or(|selectors| {
                selectors
                    .iter()
                    .any(|selector| matches!(selector, AccountSelector::These(these) if these.iter().any(|one| one.id == role.account())))
            })
        };
        let normal = |name: &str| self.groups.names.normal(name).into_owned();
        let is_named = |role: &Target| {
            let own = [role.path_and_name(), role.name(), role.as_str()].map(normal);
            names.as_ref().is_none_or(|names| names.iter().any(|name| own.contains(&normal(name))))
        };
        let known: BTreeSet<_> = self.roles.all().chain(other.roles.all()).map(|place| &place.target).collect();
        Some(known.into_iter().filter(|role| in_accounts(role) && is_named(role)).cloned().collect())
    }
}

impl Rule {
    const fn effect(&self) -> Effect {
        match self.body {
            Body::Allow { .. } => Effect::Allow,
            Body::Deny { .. } => Effect::Deny,
            Body::Gateway { effect, .. } => effect,
        }
    }

    const fn is_for_emergencies(&self) -> bool {
        matches!(&self.body, Body::Allow { terms, .. } if terms.break_glass)
    }

    /// The circumstances that its condition looks at.
    fn circumstances(&self) -> BTreeSet<Concern> {
        let mut looks_at = self.condition.as_ref().map(|condition| condition.concerns()).unwrap_or_default();
        looks_at.retain(|concern| CIRCUMSTANCES.contains(concern));
        looks_at
    }
}

/// Whether selectors stand for the same accounts.
fn same_accounts(here: &[AccountSelector], there: &[AccountSelector]) -> bool {
    let is_same = |(one, other): (&AccountSelector, &AccountSelector)| match (one, other) {
        (AccountSelector::These(here), AccountSelector::These(there)) => here == there,
        (AccountSelector::Captured(one), AccountSelector::Captured(other)) => one == other,
        _ => false,
    };
    here.len() == there.len() && here.iter().zip(there).all(is_same)
}

impl Difference<'_> {
    /// Whether a rule that differs is about the person's groups. Whom none is about has what they had, under the same limits.
    #[must_use]
    pub fn touches(&self, who: &Person<'_>) -> bool {
        let is_matched = |policy: &Policy| {
            let normal = policy.groups.names.all(who.groups);
            let who = &who.with_groups(normal.as_deref());
            policy.matches(who).iter().any(|matched| self.ids.contains(&matched.rule.id))
        };
        self.everything || (!self.ids.is_empty() && (is_matched(self.old) || is_matched(self.new)))
    }

    /// The rules that differ, and whose conditions look at circumstances: how somebody signed in, from where, when. To try people at one moment
    /// judges them at that moment alone. And those that decide about workloads, who are not among people. Allows that are gone and denies that are new only take away.
    #[must_use]
    pub fn to_judge_by_hand(&self) -> Vec<ByHand> {
        self.rules.iter().filter_map(|(_, was, is)| self.by_hand(*was, *is)).collect()
    }

    fn by_hand(&self, was: Option<&Rule>, is: Option<&Rule>) -> Option<ByHand> {
        let (rule, became) = match (was, is) {
            (None, Some(is)) if is.effect() == Effect::Allow => (is, Became::Added),
            (Some(_), Some(is)) => (is, Became::Changed),
            (Some(was), None) if was.effect() == Effect::Deny => (was, Became::Removed),
            _ => return None,
        };
        let looks_at: BTreeSet<_> = was.iter().chain(&is).flat_map(|rule| rule.circumstances()).collect();
        let of = |policy: &Policy, rule: Option<&Rule>, other| rule.map_or(Some(Vec::new()), |rule| policy.roles_spoken_of(rule, other));
        let roles = || of(self.old, was, self.new).zip(of(self.new, is, self.old)).map(|(one, other)| [one, other].concat());
        let is_for_workloads = |rule: &Rule| rule.purposes.has(Purpose::Workload);
        // A deny is about them unless it says otherwise, and matters where something gives them roles.
        let gives_them = || self.new.rules.iter().any(|rule| rule.effect() == Effect::Allow && is_for_workloads(rule));
        let workloads = was.into_iter().chain(is).any(is_for_workloads) && gives_them();
        // What becomes of a role that was had on request and is held now is seen in those who gain it.
        let on_request = is.is_some_and(|is| elevation::on_request(is).is_some());
        let break_glass = is.is_some_and(Rule::is_for_emergencies);
        let of_request = on_request || self.may_be_asked_for_without(was);
        let is_one = workloads || of_request || break_glass || !looks_at.is_empty();
        let by_hand = || ByHand {
            rule: rule.id.to_string(),
            effect: rule.effect(),
            became,
            looks_at,
            workloads,
            on_request: of_request,
            asked: if of_request && !on_request { vec![Asking::Undenied] } else { is.map(|is| self.asked(was, is)).unwrap_or_default() },
            break_glass,
            roles: roles(),
        };
        is_one.then(by_hand)
    }

    /// Whether a rule of the newer policy that could not be judged for somebody may hide that they gain a role that `is_one` picks by its ARN:
    /// an allow that is not as it was, or a deny.
    #[must_use]
    pub fn may_hide_a_gain(&self, id: &str, is_one: impl Fn(&str) -> bool) -> bool {
        let Some(rule) = self.new.rules.iter().find(|rule| *rule.id == *id) else { return false };
        let spoken_of = || self.new.roles_spoken_of(rule, self.old);
        let may_touch = || spoken_of().is_none_or(|roles| roles.iter().any(|role| is_one(role.as_str())));
        (rule.effect() == Effect::Deny || self.ids.contains(&rule.id)) && may_touch()
    }
}

#[cfg(test)]
mod tests;
