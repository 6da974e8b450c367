//! What a person is told about themselves and a role, in sentences: the page, its report and the API say the same.

use std::fmt;

use super::{Lack, OwnExplanation, Refusal, Way};
use crate::access::{Denied, Entitlement, Purpose};
use crate::clock::Moment;
use crate::identity::ProviderId;

/// Words as a list: `a, b and c`.
pub(super) fn listed<T: fmt::Display>(words: impl IntoIterator<Item = T>, and: &str) -> String {
    let mut words: Vec<_> = words.into_iter().map(|word| word.to_string()).collect();
    match words.pop() {
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} {and} {last}", words.join(", ")),
        None => String::new(),
    }
}

fn day(moment: Moment) -> impl fmt::Display {
    moment.format("%Y-%m-%d %H:%M UTC")
}

impl OwnExplanation {
    /// What gives the role, a sentence each; none if it is refused.
    #[must_use]
    pub fn by(&self) -> Vec<String> {
        match self {
            Self::Granted(grant) => grant.ways.iter().map(ToString::to_string).collect(),
            Self::Refused(_) => Vec::new(),
        }
    }

    /// What limits a role that is granted, a sentence each.
    #[must_use]
    pub fn limits(&self) -> Vec<String> {
        match self {
            Self::Granted(grant) => limits(&grant.entitlement),
            Self::Refused(_) => Vec::new(),
        }
    }

    /// What is missing, a sentence for each way to the role, the nearest first; none if it is granted. `provider` says how people call a
    /// provider.
    #[must_use]
    pub fn missing<'p>(&'p self, provider: impl Fn(&'p ProviderId) -> &'p str) -> Vec<String> {
        match self {
            Self::Granted(_) => Vec::new(),
            Self::Refused(Refusal::Denied) => {
                vec!["A rule says no to this role for you, and a no always wins. Another group would not change that.".into()]
            }
            Self::Refused(Refusal::NoGroup) => {
                vec!["None of your groups gives you this role. Either another group does, or nobody has it here: check its name.".into()]
            }
            Self::Refused(Refusal::Nobody) => vec!["Nothing gives this role to anybody here: check its name.".into()],
            Self::Refused(Refusal::Missing(ways)) => ways.iter().map(|lacks| missing(lacks, &provider)).collect(),
        }
    }
}

pub(super) fn missing<'p>(lacks: &'p [Lack], provider: &impl Fn(&'p ProviderId) -> &'p str) -> String {
    let lacks: Vec<_> = lacks.iter().map(|lack| lack.in_words(provider)).collect();
    format!("What is missing: {}.", lacks.join("; and "))
}

impl Lack {
    fn in_words<'p>(&'p self, provider: &impl Fn(&'p ProviderId) -> &'p str) -> String {
        match self {
            Self::Provider(wanted) => format!("a sign-in with {}", listed(wanted.iter().map(provider), "or")),
            Self::Group(names) if names.len() == 1 => format!("the group {}", names.concat()),
            Self::Group(names) => format!("one of the groups {}", listed(names, "or")),
            Self::Barred(groups) => format!("not being in your group {}", listed(groups, "nor in")),
            Self::Condition { about, unknown: false } => {
                format!("a condition that does not hold now; it looks at {}", listed(about, "and at"))
            }
            Self::Condition { about, unknown: true } => {
                format!("something that is not known about you or this sign-in; it is looked for in {}", listed(about, "and in"))
            }
            Self::Grant => "a grant: it is had on request, and you may ask for it once nothing else is missing".to_owned(),
            Self::Ended(until) => format!("more time: what gave you the role ended on {}", day(*until)),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.groups.as_slice() {
            [] => f.write_str("It is given to everyone who signs in as you did")?,
            [group] => write!(f, "Your group {group} gives it")?,
            groups => write!(f, "Your groups {} together give it", listed(groups, "and"))?,
        }
        if !self.beside.is_empty() {
            write!(f, ", by {}", listed(&self.beside, "and by"))?;
        }
        if let Some(approver) = &self.granted_by {
            write!(f, ", granted on your request by {approver}")?;
        }
        match self.until {
            Some(until) => write!(f, ", until {}.", day(until)),
            None => f.write_str("."),
        }
    }
}

/// What limits a role that somebody has, a sentence each.
fn limits(entitlement: &Entitlement) -> Vec<String> {
    let mut limits = vec![match entitlement.purposes.list().as_slice() {
        [Purpose::Console] => "It is for the console only, not for credentials.".to_owned(),
        [Purpose::Credentials] => "It is for credentials only, not for the console.".to_owned(),
        _ => "It is for the console and for credentials.".to_owned(),
    }];
    limits.push(format!("A session lasts at most {}.", humantime::format_duration(entitlement.longest_offered())));
    if entitlement.break_glass {
        limits.push("It is for emergencies: to take it is an alarm.".into());
    }
    if let Some(way) = &entitlement.emergency {
        let purpose = match way.purposes.list().as_slice() {
            [Purpose::Console] => "for the console",
            [Purpose::Credentials] => "for credentials",
            _ => "without what is said here",
        };
        limits.push(format!("In an emergency it can be had {purpose}: to take it so is an alarm."));
    }
    if entitlement.session_policy.is_some() {
        limits.push("A session may do less than the role itself: a session policy limits it.".into());
    }
    if !entitlement.demand.is_empty() {
        let came =
            entitlement.step_up.as_ref().map(|step_up| format!(" Yours is {}, so you are sent to sign in again first.", step_up.came()));
        limits.push(format!("It wants {}.{}", entitlement.demand, came.unwrap_or_default()));
    }
    limits.extend(entitlement.wanted_reason().map(|hint| format!("Before it is handed out you say: {hint}.")));
    if entitlement.needs_mfa_code() {
        limits.push("Before it is handed out you give the code of its MFA device.".into());
    }
    limits.extend(entitlement.obstacle.as_ref().map(|denied| match denied {
        Denied::MissingClaim(_) | Denied::TagValue(_) | Denied::ExternalId => {
            "It cannot be taken now: your sign-in did not bring something that it needs. Your administrator can see what.".into()
        }
        _ => "It cannot be taken now: the rules that give it contradict each other. Your administrator must settle that.".to_owned(),
    }));
    limits
}
