//! The policy in force: how another one takes its place, and what became of the attempts.

use std::sync::Arc;

use super::{Caller, Failure, Gateway, TryRules};
use crate::access::Policy;
use crate::audit::{Event, Kind, Outcome};
use crate::clock::Moment;

/// What became of the attempts to put another policy in force, since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloads {
    /// Since when the policy in force is.
    pub since: Moment,
    /// How many times another policy took over.
    pub taken: u64,
    /// How many times one was refused.
    pub refused: u64,
    /// Why the newest rules are not in force; none when they are.
    pub refusal: Option<Refusal>,
    /// Keys of the configuration file that differ from what runs, and need a restart.
    pub waiting: Vec<String>,
    /// How the rules in force were looked over.
    pub vetted: Vetted,
}

/// Rules that can take over from those in force, with what goes with them.
pub struct Newer {
    /// The policy.
    pub policy: Arc<Policy>,
    /// What compiles other rules beside it, with its accounts and files.
    pub try_rules: TryRules,
    /// Keys of the configuration file that differ from what runs, and need a restart.
    pub waiting: Vec<String>,
    /// How the rules were looked over.
    pub vetted: Vetted,
}

/// What came of looking over rules that are good enough to be in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vetted {
    /// How many of their own tests they passed: all that they have.
    pub tests: usize,
    /// What deserves a second look, each with its file and line.
    pub findings: Vec<String>,
}

/// A policy that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// When.
    pub at: Moment,
    /// Everything that was wrong, each with its file and line.
    pub findings: Vec<String>,
}

impl Reloads {
    /// The start: nothing was attempted.
    #[must_use]
    pub const fn none(since: Moment, vetted: Vetted) -> Self {
        Self { since, taken: 0, refused: 0, refusal: None, waiting: Vec::new(), vetted }
    }
}

impl Gateway {
    /// Puts another policy in force, for every decision from now on; who is being served finishes on the old one. Says whether the policy is
    /// another one than before.
    ///
    /// # Errors
    /// [`super::Trouble::Audit`]: a change that cannot be recorded is not made.
    pub async fn put_in_force(&self, newer: Newer) -> Result<bool, Failure> {
        let Newer { policy, try_rules, waiting, vetted } = newer;
        let (old, new) = (Arc::clone(self.policy.load().shared_digest()), Arc::clone(policy.shared_digest()));
        let before = self.reloads.load();
        if old == new {
            // Files, though, may have other names than before.
            self.rooms.try_rules.store(Arc::new(try_rules));
            self.reloads.store(Arc::new(Reloads { refusal: None, waiting, vetted, ..Reloads::clone(&before) }));
            return Ok(false);
        }
        let event = self.event(Kind::PolicyReloaded, Outcome::Ok, &Caller::default());
        self.record(&Event { policy: Some(new.to_string()), previous_policy: Some(old.to_string()), ..event }).await?;
        self.policy.store(policy);
        self.rooms.try_rules.store(Arc::new(try_rules));
        self.reloads.store(Arc::new(Reloads {
            since: self.now(),
            taken: before.taken + 1,
            refused: before.refused,
            refusal: None,
            waiting,
            vetted,
        }));
        tracing::info!(policy = %new, previous = %old, "another policy is in force");
        Ok(true)
    }

    /// Records that a policy was refused; the one in force stays.
    ///
    /// # Errors
    /// [`super::Trouble::Audit`]: it stands in the log and in [`Gateway::reloads`] nevertheless.
    pub async fn refuse_policy(&self, findings: Vec<String>) -> Result<(), Failure> {
        let event = self.event(Kind::PolicyRefused, Outcome::Refused, &Caller::default());
        for finding in &findings {
            tracing::error!(incident = %event.incident, "{finding}");
        }
        let in_force = self.policy.load().shared_digest().to_string();
        tracing::error!(incident = %event.incident, policy = %in_force, findings = findings.len(), "the policy in force stays");
        let event = event.because(findings.join("\n"));
        let before = self.reloads.load();
        let refusal = Some(Refusal { at: event.time, findings });
        self.reloads.store(Arc::new(Reloads { refused: before.refused + 1, refusal, ..Reloads::clone(&before) }));
        self.record(&event).await
    }
}
