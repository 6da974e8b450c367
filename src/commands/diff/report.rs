//! What a comparison found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write;

use rolegate::access::{Account, ByHand, Widening, listed};
use serde::Serialize;

use super::people::Trail;

/// How many people the table names for each role; JSON names all.
const NAMED: usize = 5;

/// What changes for one role.
#[derive(Debug, Default, Serialize)]
pub(super) struct Change {
    pub(super) account: String,
    pub(super) gains: Vec<String>,
    pub(super) loses: Vec<String>,
    pub(super) widened: Vec<Widened>,
    pub(super) protected: bool,
}

/// In what a role that people keep is wider, and for whom.
#[derive(Debug, Serialize)]
pub(super) struct Widened {
    #[serde(flatten)]
    what: Widening,
    people: Vec<String>,
}

impl Change {
    pub(super) fn widen(&mut self, what: Widening, people: Vec<String>) {
        match self.widened.iter_mut().find(|known| known.what == what) {
            Some(known) => known.people.extend(people),
            None => self.widened.push(Widened { what, people }),
        }
    }

    /// Whether somebody may more than before.
    pub(super) const fn gives(&self) -> bool {
        !self.gains.is_empty() || !self.widened.is_empty()
    }
}

/// A rule that people must judge, and whether it may be about a protected role.
#[derive(Debug, Serialize)]
pub(super) struct Judge {
    #[serde(flatten)]
    pub(super) rule: ByHand,
    pub(super) protected: bool,
}

/// Rules, by id, that could not be judged for some people, and for how many.
#[derive(Debug, Default, Serialize)]
pub(super) struct Unjudged {
    pub(super) old: BTreeMap<String, usize>,
    pub(super) new: BTreeMap<String, usize>,
}

impl Change {
    pub(super) fn in_account(account: &Account) -> Self {
        Self { account: account.name.clone(), ..Self::default() }
    }

    /// Of a role that is in no account.
    pub(super) fn in_gateway() -> Self {
        Self { account: "the gateway itself".to_owned(), ..Self::default() }
    }
}

impl Unjudged {
    /// Counts one person.
    pub(super) fn add(&mut self, old: Vec<String>, new: Vec<String>) {
        for (whole, rules) in [(&mut self.old, old), (&mut self.new, new)] {
            for rule in rules {
                *whole.entry(rule).or_default() += 1;
            }
        }
    }
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) people: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) audit: Option<Trail>,
    pub(super) roles: BTreeMap<String, Change>,
    pub(super) judge_by_hand: Vec<Judge>,
    pub(super) unjudged: Unjudged,
}

impl Report {
    /// Adds what another share of the people brought.
    pub(super) fn add(&mut self, part: Self) {
        for (role, change) in part.roles {
            let whole = self.roles.entry(role).or_default();
            whole.account = change.account;
            whole.gains.extend(change.gains);
            whole.loses.extend(change.loses);
            for Widened { what, people } in change.widened {
                whole.widen(what, people);
            }
        }
        for (whole, part) in [(&mut self.unjudged.old, part.unjudged.old), (&mut self.unjudged.new, part.unjudged.new)] {
            for (rule, people) in part {
                *whole.entry(rule).or_default() += people;
            }
        }
    }

    pub(super) fn in_words(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        for (role, change) in &self.roles {
            let mark = if change.protected { "  (protected)" } else { "" };
            let _ = writeln!(text, "{role}  in {}{mark}", change.account);
            if !change.gains.is_empty() {
                let _ = writeln!(text, "  + {:>6}  {}", change.gains.len(), listed(&change.gains, NAMED));
            }
            if !change.loses.is_empty() {
                let _ = writeln!(text, "  - {:>6}  {}", change.loses.len(), listed(&change.loses, NAMED));
            }
            for Widened { what, people: who } in &change.widened {
                let _ = writeln!(text, "  ~ {:>6}  widened: {what}: {}", who.len(), listed(who, NAMED));
            }
        }
        self.by_hand_in_words(&mut text);
        self.unjudged_in_words(&mut text);
        let gains: usize = self.roles.values().map(|change| change.gains.len()).sum();
        let losses: usize = self.roles.values().map(|change| change.loses.len()).sum();
        if let Some(trail) = &self.audit {
            let _ = writeln!(text, "{}", trail.in_words());
        }
        let widened: usize = self.roles.values().flat_map(|change| &change.widened).map(|widened| widened.people.len()).sum();
        let widened = if widened > 0 { format!("; {widened} widening(s) of what people keep") } else { String::new() };
        let roles = self.roles.len();
        let _ = writeln!(text, "{} people: {gains} role(s) gained, {losses} lost, in {roles} role(s){widened}", self.people);
        text
    }

    fn by_hand_in_words(&self, text: &mut String) {
        for Judge { rule, protected } in &self.judge_by_hand {
            let mark = if *protected { "  (protected)" } else { "" };
            let _ = writeln!(text, "{rule}{mark}");
        }
    }

    fn unjudged_in_words(&self, text: &mut String) {
        for (which, rules) in [("old", &self.unjudged.old), ("new", &self.unjudged.new)] {
            for (rule, people) in rules {
                let _ = writeln!(
                    text,
                    "the rule {rule} of the {which} configuration could not be judged for {people} people: it looks at claims that the audit trail \
                     does not have of them"
                );
            }
        }
    }
}

impl Trail {
    fn in_words(&self) -> String {
        let mut text = format!("{} sign-in(s) of {} people were read", self.events, self.people);
        if self.without_groups > 0 {
            let _ = write!(text, ", and {} that an earlier version wrote without groups were left out", self.without_groups);
        }
        if self.unreadable_lines > 0 {
            let _ = write!(text, ", and {} line(s) are no events", self.unreadable_lines);
        }
        text
    }
}
