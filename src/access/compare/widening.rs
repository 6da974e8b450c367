//! In what a role is wider for somebody who had it before.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::access::{Entitlement, Purpose, SessionPolicy};
use crate::clock::Moment;
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

pub(super) fn wider_until(before: Option<Moment>, after: Option<Moment>) -> Option<Widening> {
    let from = before.filter(|from| after.is_none_or(|to| to > *from))?;
    Some(Widening::Until { from, to: after })
}

pub(super) fn wider_demand(old: &Demand, new: &Demand) -> Vec<Widening> {
    let mfa = (old.mfa && !new.mfa).then_some(Widening::RequireMfa);
    let older = old.max_age.filter(|from| new.max_age.is_none_or(|to| to > *from));
    let age = older.map(|from| Widening::MaxAuthAge { from: from.as_secs(), to: new.max_age.map(|to| to.as_secs()) });
    let is_more = new.classes.is_empty() || new.classes.iter().any(|class| !old.classes.contains(class));
    let class = !old.classes.is_empty() && is_more;
    let class = class.then(|| Widening::RequireAcr { from: old.classes.clone(), to: new.classes.clone() });
    mfa.into_iter().chain(age).chain(class).collect()
}

/// Which of two session policies lets more be done is not decided here: another one counts as wider.
pub(super) fn wider_policy(before: Option<&SessionPolicy>, after: Option<&SessionPolicy>) -> Option<Widening> {
    (before.is_some() && before != after).then_some(Widening::SessionPolicy { limited: after.is_some() })
}
