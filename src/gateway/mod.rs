//! The product in a few verbs: [`Gateway::begin`], [`Gateway::complete`], [`Gateway::session`], [`Gateway::entitlements`],
//! [`Gateway::explain`], [`Gateway::assume`], [`Gateway::log_out`].
//!
//! It knows no HTTP. Every decision is recorded before its outcome leaves, and every failure is a [`Failure`] that was logged once and
//! carries the incident id that finds the line.

mod choices;
mod command_line;
mod explain;
mod failure;
mod issue;
mod lengths;
mod local_path;
mod logout;
mod people;
mod policy;
mod replace;
mod requests;
mod reuse;
mod rooms;
mod saml;
mod sessions;
mod several;
mod sign_in;
mod status;
mod trail;
mod trying;
mod turns;
mod workload;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::timeout;
use url::Url;

pub use command_line::{
    CLIENT_ID, Challenge, CodeRequest, CommandLineSettings, DeviceAsked, DeviceGrant, GrantRefused, Granted, LoopbackUri, POLL_INTERVAL,
    Redemption,
};
pub use explain::{Explained, WithoutRoles};
pub use failure::{Failure, Trouble};
pub use issue::{ConsoleEntry, ConsolePost, Entrance, Issued, LaidDown};
pub use lengths::Lengths;
pub use local_path::LocalPath;
pub use people::Ending;
pub use policy::{Newer, Refusal, Reloads, Vetted};
pub use replace::{Arrival, Question};
pub use requests::{Asked, Changing, RequestRefused, Verdict};
pub use reuse::Flights;
pub use rooms::{Administrator, Auditor, Rooms, TryRules};
pub use saml::LogoutTaken;
pub use several::{MOST_AT_ONCE, Missed, Several};
pub use sign_in::{Begun, LogoutScope, Returning, SignedIn, SignedOut};
pub use status::{OwnCertificate, ProviderStatus, Status, Towards};
pub use trail::{Counted, Export, OneEvent, Search};
pub use trying::{Changes, MOST_CHANGES, MOST_ROLES, RoleChange, TIME_TO_TRY, Tried, Trying, Wanted};
pub use turns::Engaged;

use crate::access::{Context, Disclosure, Elevation, Entitlements, Person, Policy};
use crate::alarm::Alarms;
use crate::audit::{AuditLog, Kind, Outcome};
use crate::aws::console::Console;
use crate::aws::sts::Sts;
use crate::clock::{Clock, Moment};
use crate::identity::workload as workload_identity;
use crate::identity::{Identity, Provider, ProviderId};
use crate::store::{BookRef, Request, Session, SessionId, SessionSettings, Vault};
use crate::trust::Issuer;

/// Everything that the gateway works with. Made once, shared by all workers.
pub struct Gateway {
    /// The identity providers, in the order of the configuration.
    pub providers: Vec<Provider>,
    /// The platforms whose workloads are served.
    pub workload_providers: Vec<workload_identity::Provider>,
    /// Accounts and rules in force.
    pub policy: ArcSwap<Policy>,
    /// What people are told who ask why they do not have a role.
    pub disclosure: Disclosure,
    /// What became of the attempts to put other ones in force.
    pub reloads: ArcSwap<Reloads>,
    /// Sessions and hand-overs, and the seal on pending logins.
    pub vault: Vault,
    /// What the rooms for administrators and auditors need.
    pub rooms: Rooms,
    /// Whose requests are changed just now.
    pub changing: Changing,
    /// What makes AWS believe who asks.
    pub issuer: Issuer,
    /// The way to STS.
    pub sts: Sts,
    /// Who asks STS on behalf of whom just now, where credentials are handed out again.
    pub flights: Flights,
    /// Which lengths of sessions AWS refused of late.
    pub lengths: Lengths,
    /// The way into the console.
    pub console: Console,
    /// The record of every decision.
    pub audit: AuditLog,
    /// Who is told of some of them at once.
    pub alarms: Alarms,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long sessions last.
    pub limits: SessionSettings,
    /// Whether and for how long command lines may act for people.
    pub command_line: CommandLineSettings,
    /// The gateway's own public URL, without a trailing slash in its path.
    pub public_url: Url,
    /// How many answers belonged to no login that was begun in their browser.
    pub unsolicited: AtomicU64,
}

/// Who is on the wire, for the record and for conditions; but for the certificate, never a proof of anything.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The address, told by the connection or by a trusted proxy.
    pub ip: Option<IpAddr>,
    /// What the browser calls itself.
    pub user_agent: String,
    /// The SHA-256 fingerprint of the certificate by which the client proved itself in TLS.
    pub certificate: Option<String>,
}

/// What people can be served with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    /// The store answers.
    pub store: bool,
    /// The audit trail can be written.
    pub audit: bool,
    /// How many of its files do not have all events.
    pub audit_behind: usize,
}

impl Gateway {
    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// A provider by its id.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.id().as_str() == id)
    }

    /// The provider that serves an e-mail address's domain (home-realm discovery).
    #[must_use]
    pub fn provider_for_email(&self, email: &str) -> Option<&Provider> {
        let (_, domain) = email.trim().rsplit_once('@')?;
        self.providers.iter().find(|provider| provider.serves_domain(domain))
    }

    /// The OpenID Connect provider with this issuer.
    ///
    /// # Errors
    /// [`Trouble::UnknownProvider`].
    pub fn provider_by_issuer(&self, issuer: &str) -> Result<&Provider, Failure> {
        let is_it = |provider: &&Provider| provider.as_oidc().is_some_and(|oidc| oidc.is_named_by(issuer));
        let found = self.providers.iter().find(is_it);
        found.ok_or_else(|| Failure::logged(Trouble::UnknownProvider, &"there is no provider with this issuer"))
    }

    /// A provider's name for people.
    #[must_use]
    pub fn provider_name<'a>(&'a self, id: &'a ProviderId) -> &'a str {
        self.provider(id.as_str()).map_or(id.as_str(), Provider::name)
    }

    /// A place of ours that somebody else names: a local path, or a whole address with our own origin. None for anything else.
    #[must_use]
    pub fn own_place(&self, text: &str) -> Option<LocalPath> {
        let origin = self.public_url.origin().ascii_serialization();
        match text.strip_prefix(&origin) {
            Some("") => Some(LocalPath::home()),
            Some(rest) => LocalPath::parse(rest),
            None => LocalPath::parse(text),
        }
    }

    /// The session of an id, if it lives, with what its person was granted; being used keeps it from idling out. One round trip to the store, and
    /// one more for those who may ask for roles.
    ///
    /// # Errors
    /// [`Trouble::Store`], when the store cannot be asked.
    pub async fn session(&self, id: &SessionId) -> Result<Option<Session>, Failure> {
        let found = self.vault.session(id, self.now(), self.limits.idle.0).await;
        let session = found.map_err(|error| Failure::logged(Trouble::Store, &error))?;
        let Some(mut session) = session.filter(|session| self.is_vouched_for(session)) else { return Ok(None) };
        session.requests = self.requests_of(&session.identity).await?;
        Ok(Some(session))
    }

    /// What somebody asked to be granted, if the rules let them ask for something: the others are not looked up.
    async fn requests_of(&self, who: &Identity) -> Result<Vec<Request>, Failure> {
        if !self.policy.load().may_request(&Person::from(who)) {
            return Ok(Vec::new());
        }
        let opened = self.vault.book(&BookRef::of(&who.person())).await;
        let opened = opened.map_err(|error| Failure::logged(Trouble::Store, &error))?;
        Ok(opened.book.map(|book| book.requests).unwrap_or_default())
    }

    /// Whether people can be served: the store answers, and the audit trail can be written.
    ///
    /// A trail that failed is tried with an event that says so: a gateway that is out of rotation would never learn of its recovery. Sinks of it that
    /// are behind may catch up.
    pub async fn readiness(&self) -> Readiness {
        self.readiness_within(Duration::MAX).await
    }

    /// [`Self::readiness`] for who cannot wait: what does not answer in time does not answer.
    pub async fn readiness_within(&self, patience: Duration) -> Readiness {
        let audit = timeout(patience, self.trail_answers()).await.unwrap_or(false);
        let store = timeout(patience, self.vault.ping()).await.is_ok_and(|answered| answered.is_ok());
        Readiness { store, audit, audit_behind: self.audit.behind() }
    }

    async fn trail_answers(&self) -> bool {
        let recovery = || self.event(Kind::Recovery, Outcome::Ok, &Caller::default());
        if self.audit.behind() > 0 {
            self.audit.catch_up().await;
        }
        // Where every sink must have it and one is behind, an event could not be recorded: an attempt would stand in the others for nothing.
        let answers = self.audit.is_healthy() || (!self.audit.lacks_a_sink() && self.audit.record(&recovery()).await.is_ok());
        self.tell_of_trail(answers).await;
        answers
    }

    /// The roles that the session's person may have now, by the policy in force. A request asks once and goes by what it got: the next answer
    /// may be another policy's.
    #[must_use]
    pub fn entitlements(&self, session: &Session, caller: &Caller) -> Entitlements {
        self.entitlements_of(&session.identity, &session.elevations(), caller)
    }

    fn entitlements_of(&self, who: &Identity, granted: &[Elevation], caller: &Caller) -> Entitlements {
        let now = self.now();
        let entitlements = self.policy.load().entitlements_with(who, granted, &Context { now, ip: caller.ip });
        for fault in entitlements.faults() {
            // Often a claim that this person does not have: the administrator decides whether the rule or the claims should be mended.
            tracing::warn!(rule = %fault.rule, reason = %fault.why, "a condition cannot be evaluated: it counts against the person");
        }
        let entitlements = entitlements.as_learnt(|role| self.lengths.longest(role, now));
        if self.sts.knows_own_session() { entitlements.chained_by_own_identity() } else { entitlements }
    }
}
