//! What a role may want of the sign-in itself, beyond who signs in: freshness, a context class, a second factor (step-up).

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::Authentication;
use crate::clock::Moment;

/// What a sign-in must bring. The empty one wants nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Demand {
    /// How long ago the person may have proved themselves to the provider.
    pub max_age: Option<Duration>,
    /// Authentication context classes one of which it must be; none for any.
    pub classes: Vec<String>,
    /// Whether a second factor must have been used.
    pub mfa: bool,
}

/// A demand that a sign-in does not meet: what was wanted, and what came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepUp {
    /// All that is wanted.
    pub wanted: Demand,
    /// How long ago the person proved themselves; none where the provider did not tell.
    pub age: Option<Duration>,
    /// The class that came.
    pub class: Option<String>,
    /// Whether a second factor was used.
    pub mfa: bool,
}

impl Demand {
    /// Whether nothing is wanted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.max_age.is_none() && self.classes.is_empty() && !self.mfa
    }

    /// Both demands as one. Where both name classes, those of this one count: no provider could be asked for one of each.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let max_age = match (self.max_age, other.max_age) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let classes = if self.classes.is_empty() { &other.classes } else { &self.classes };
        Self { max_age, classes: classes.clone(), mfa: self.mfa || other.mfa }
    }

    /// What is missing for it, if something is. A provider that does not say when somebody proved themselves, or how, proves neither.
    #[must_use]
    pub fn missing(&self, came: &Authentication, now: Moment) -> Option<StepUp> {
        if self.is_empty() {
            return None;
        }
        // A provider's clock that is a little ahead makes nobody's sign-in old.
        let age = came.time.map(|time| (now - time).to_std().unwrap_or_default());
        let step_up = StepUp { wanted: self.clone(), age, class: came.acr.clone(), mfa: came.mfa };
        (step_up.is_stale() || step_up.is_of_other_class() || step_up.lacks_factor()).then_some(step_up)
    }
}

impl StepUp {
    /// Whether the person proved themselves too long ago.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.wanted.max_age.is_some_and(|most| self.age.is_none_or(|age| age > most))
    }

    /// Whether another class was wanted.
    #[must_use]
    pub fn is_of_other_class(&self) -> bool {
        !self.wanted.classes.is_empty() && !self.class.as_ref().is_some_and(|class| self.wanted.classes.contains(class))
    }

    /// Whether a second factor is missing.
    #[must_use]
    pub const fn lacks_factor(&self) -> bool {
        self.wanted.mfa && !self.mfa
    }

    /// Whether a fresh sign-in alone would do.
    #[must_use]
    pub fn is_only_stale(&self) -> bool {
        self.is_stale() && !self.is_of_other_class() && !self.lacks_factor()
    }

    /// What came, in the terms of what was wanted.
    #[must_use]
    pub fn came(&self) -> String {
        let age = self.age.map_or_else(|| "of an age that the provider did not tell".to_owned(), |age| format!("{} old", spoken(age)));
        let class = match (&self.class, self.wanted.classes.is_empty()) {
            (_, true) => String::new(),
            (Some(class), false) => format!(", of the class {class}"),
            (None, false) => ", of no class".to_owned(),
        };
        let factor = if self.mfa { "with" } else { "without" };
        let factor = if self.wanted.mfa { format!(", {factor} a second factor") } else { String::new() };
        format!("a sign-in {age}{class}{factor}")
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sign-in")?;
        let mut between = "";
        if let Some(most) = self.max_age {
            write!(f, " at most {} old", spoken(most))?;
            between = ",";
        }
        if !self.classes.is_empty() {
            write!(f, "{between} of the class {}", self.classes.join(" or "))?;
            between = ",";
        }
        if self.mfa { write!(f, "{between} with a second factor") } else { Ok(()) }
    }
}

impl fmt::Display for StepUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wanted: {}; came: {}", self.wanted, self.came())
    }
}

/// A span without fractions of a second.
fn spoken(span: Duration) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(span.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn what_is_wanted_must_have_come() {
        let came = Authentication { time: Some(at(0)), mfa: false, acr: Some("silver".into()), ..Authentication::default() };
        let silent = Authentication::default();
        let class = |name: &str| Demand { classes: vec![name.into(), "platinum".into()], ..Demand::default() };
        let fresh = Demand { max_age: Some(Duration::from_mins(15)), ..Demand::default() };
        let factor = Demand { mfa: true, ..Demand::default() };
        let missing = |demand: &Demand, came, after| demand.missing(came, at(after)).is_some();
        assert!(!missing(&Demand::default(), &silent, 0), "nothing is wanted");
        assert!(!missing(&fresh, &came, 900) && missing(&fresh, &came, 901));
        assert!(!missing(&fresh, &came, -30), "the provider's clock is ahead");
        assert!(missing(&fresh, &silent, 0), "what is not told is not proven");
        assert!(!missing(&class("silver"), &came, 0) && missing(&class("gold"), &came, 0) && missing(&class("silver"), &silent, 0));
        assert!(missing(&factor, &came, 0) && !missing(&factor, &Authentication { mfa: true, ..silent.clone() }, 0));
        assert!(fresh.missing(&came, at(901)).unwrap().is_only_stale());
        assert!(!Demand { mfa: true, ..fresh.clone() }.missing(&came, at(901)).unwrap().is_only_stale());
    }

    #[test]
    fn two_demands_are_one() {
        let demand = |age: Option<u64>, class: &[&str], mfa| Demand {
            max_age: age.map(Duration::from_secs),
            classes: class.iter().map(|class| (*class).to_owned()).collect(),
            mfa,
        };
        let none = Demand::default();
        assert_eq!(none.and(&none), none);
        assert_eq!(none.and(&demand(Some(9), &["gold"], false)), demand(Some(9), &["gold"], false));
        assert_eq!(demand(Some(9), &["gold"], true).and(&demand(Some(5), &["silver"], false)), demand(Some(5), &["gold"], true));
    }

    #[test]
    fn it_is_told_what_was_wanted_and_what_came() {
        let all = Demand { max_age: Some(Duration::from_mins(15)), classes: vec!["gold".into(), "platinum".into()], mfa: true };
        let came = Authentication { time: Some(at(0)), mfa: false, acr: Some("silver".into()), ..Authentication::default() };
        let told = all.missing(&came, at(3600)).unwrap().to_string();
        let wanted = "wanted: a sign-in at most 15m old, of the class gold or platinum, with a second factor; ";
        assert_eq!(told, format!("{wanted}came: a sign-in 1h old, of the class silver, without a second factor"));
        let silent = all.missing(&Authentication::default(), at(0)).unwrap();
        assert_eq!(silent.came(), "a sign-in of an age that the provider did not tell, of no class, without a second factor");
        let factor = Demand { mfa: true, ..Demand::default() };
        assert_eq!(factor.to_string(), "a sign-in with a second factor");
    }
}
