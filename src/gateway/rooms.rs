//! Who gets into the rooms for administrators and auditors, and what is kept for these rooms.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::turns::Turns;
use super::{Caller, Failure, Gateway, Trouble};
use crate::access::{GatewayRole, Policy};
use crate::audit::{Event, Kind, Outcome};
use crate::identity::{ProviderId, Reading};
use crate::store::Session;

/// How many people look into the trail at the same time; the next one waits. Each holds a thread and reads the disk.
const LOOKS: usize = 2;
/// How many exports go on, apart from looks: one lasts as long as its reader takes.
const EXPORTS: usize = 2;
/// How many administrators try rules at the same time: it takes a core, and memory for what comes of it.
const TRIES: usize = 1;

/// Compiles the rules of a text that somebody pasted, with what runs: nothing of it is kept, and no file that it names is read but those that the
/// configuration in force names too. What is wrong is told as it would be of a file.
pub struct TryRules(Box<Compiles>);

type Compiles = dyn Fn(&str, &dyn Fn() -> bool) -> Result<Arc<Policy>, Vec<String>> + Send + Sync;

impl TryRules {
    /// With what compiles a text; it is told whether there is time left.
    #[must_use]
    pub fn new(compiles: impl Fn(&str, &dyn Fn() -> bool) -> Result<Arc<Policy>, Vec<String>> + Send + Sync + 'static) -> Self {
        Self(Box::new(compiles))
    }

    /// The policy of a text.
    ///
    /// # Errors
    /// What is wrong with it, a sentence each.
    pub(super) fn compile(&self, text: &str, goes_on: &dyn Fn() -> bool) -> Result<Arc<Policy>, Vec<String>> {
        (self.0)(text, goes_on)
    }
}

/// What the rooms need beside the gateway.
pub struct Rooms {
    /// Where each provider has a person's groups and name, for people who are only supposed to exist.
    pub readings: Vec<(ProviderId, Reading)>,
    /// Whether administrators must have proved themselves by a certificate too.
    wants_certificate: bool,
    /// Compiles rules that are not in force.
    pub(super) try_rules: ArcSwap<TryRules>,
    pub(super) looks: Turns,
    pub(super) exports: Turns,
    pub(super) tries: Turns,
}

impl Rooms {
    /// Rooms that nobody is in.
    #[must_use]
    pub fn new(readings: Vec<(ProviderId, Reading)>, wants_certificate: bool, try_rules: TryRules) -> Self {
        let try_rules = ArcSwap::from_pointee(try_rules);
        Self { readings, wants_certificate, try_rules, looks: Turns::new(LOOKS), exports: Turns::new(EXPORTS), tries: Turns::new(TRIES) }
    }
}

/// Somebody who is an administrator of the gateway by the rules in force, with a certificate where one is wanted. [`Gateway::administrator`] alone makes one.
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
    /// [`Trouble::NotForYou`] for everybody else, [`Trouble::CertificateWanted`]; both are recorded. [`Trouble::Audit`].
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
        let (trouble, why) = if !self.entitlements(session, caller).has_gateway_role(role) {
            (Trouble::NotForYou(role), format!("no rule makes the person {role} of the gateway"))
        } else if role == GatewayRole::Administrator && self.rooms.wants_certificate && caller.certificate.is_none() {
            (Trouble::CertificateWanted, "the connection came without a client certificate".to_owned())
        } else {
            return Ok(());
        };
        let kind = match role {
            GatewayRole::Administrator => Kind::Administration,
            GatewayRole::Auditor => Kind::AuditRead,
        };
        let failure = Failure::logged(trouble, &why);
        let event = self.event(kind, Outcome::Refused, caller).about(&session.identity).because(why);
        self.record(&Event { incident: failure.incident.clone(), ..event }).await?;
        Err(failure)
    }
}
