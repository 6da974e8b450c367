//! Who gets into the rooms for administrators and auditors, and what is kept for these rooms.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Caller, Failure, Gateway, Trouble};
use crate::access::{GatewayRole, Policy};
use crate::audit::{Event, Kind, Outcome};
use crate::identity::{ProviderId, Reading};
use crate::store::Session;

/// How many looks into the trail go on at the same time; the next one waits. Each holds a thread and reads the disk.
const LOOKS: usize = 2;
/// How many exports do, apart from looks: one lasts as long as its reader takes.
const EXPORTS: usize = 2;

/// Compiles the rules of a text that somebody pasted, with what runs: nothing of it is kept, and no file that it names is read but those that the
/// configuration in force names too. What is wrong is told as it would be of a file.
pub type TryRules = dyn Fn(&str) -> Result<Arc<Policy>, Vec<String>> + Send + Sync;

/// What the rooms need beside the gateway.
pub struct Rooms {
    /// Where each provider has a person's groups and name, for people who are only supposed to exist.
    pub readings: Vec<(ProviderId, Reading)>,
    /// Compiles rules that are not in force.
    pub try_rules: Arc<TryRules>,
    looks: Arc<Semaphore>,
    exports: Arc<Semaphore>,
}

impl Rooms {
    /// Rooms that nobody is in.
    #[must_use]
    pub fn new(readings: Vec<(ProviderId, Reading)>, try_rules: Arc<TryRules>) -> Self {
        Self { readings, try_rules, looks: Arc::new(Semaphore::new(LOOKS)), exports: Arc::new(Semaphore::new(EXPORTS)) }
    }

    pub(super) async fn turn_to_look(&self) -> Option<OwnedSemaphorePermit> {
        // They are never closed.
        Arc::clone(&self.looks).acquire_owned().await.ok()
    }

    pub(super) async fn turn_to_export(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.exports).acquire_owned().await.ok()
    }
}

/// Somebody who is an administrator of the gateway by the rules in force. [`Gateway::administrator`] alone makes one.
#[derive(Clone, Copy)]
pub struct Administrator<'a> {
    pub(super) session: &'a Session,
    pub(super) caller: &'a Caller,
}

/// Somebody who is an auditor by the rules in force. [`Gateway::auditor`] alone makes one.
#[derive(Clone, Copy)]
pub struct Auditor<'a> {
    pub(super) session: &'a Session,
    pub(super) caller: &'a Caller,
}

impl Gateway {
    /// Lets an administrator in.
    ///
    /// # Errors
    /// [`Trouble::NotForYou`] for everybody else, which is recorded; [`Trouble::Audit`].
    pub async fn administrator<'a>(&self, session: &'a Session, caller: &'a Caller) -> Result<Administrator<'a>, Failure> {
        self.admit(session, caller, GatewayRole::Administrator).await?;
        Ok(Administrator { session, caller })
    }

    /// Lets an auditor in.
    ///
    /// # Errors
    /// As [`Self::administrator`].
    pub async fn auditor<'a>(&self, session: &'a Session, caller: &'a Caller) -> Result<Auditor<'a>, Failure> {
        self.admit(session, caller, GatewayRole::Auditor).await?;
        Ok(Auditor { session, caller })
    }

    async fn admit(&self, session: &Session, caller: &Caller, role: GatewayRole) -> Result<(), Failure> {
        if self.entitlements(session, caller).has_gateway_role(role) {
            return Ok(());
        }
        let kind = match role {
            GatewayRole::Administrator => Kind::Administration,
            GatewayRole::Auditor => Kind::AuditRead,
        };
        let why = format!("no rule makes the person {role} of the gateway");
        let failure = Failure::logged(Trouble::NotForYou(role), &why);
        let event = self.event(kind, Outcome::Refused, caller).about(&session.identity).because(why);
        self.record(&Event { incident: failure.incident.clone(), ..event }).await?;
        Err(failure)
    }
}
