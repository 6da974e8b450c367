//! Lets a command line act for somebody: a session of its own, derived from the browser's session in which the person said yes.
//!
//! Two ways in. By [`code`]: the browser is on the same machine, and carries an authorization code to a loopback address (RFC 6749, 7636 and
//! 8252). By [`device`]: it is on another one, and the person types a code (RFC 8628). Nobody is let in without a click on a page of ours.

mod code;
mod device;
mod request;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

pub use code::{CodeRequest, Redemption};
pub use device::{DeviceAsked, DeviceGrant, POLL_INTERVAL};
pub use request::{CLIENT_ID, Challenge, LoopbackUri};

use super::{Begun, Caller, Failure, Gateway, LocalPath, LogoutScope, Trouble};
use crate::access::Target;
use crate::audit::{Event, Kind, Outcome};
use crate::identity::{Demand, StepUp};
use crate::settings::{Problem, Span};
use crate::store::{AuthorizationCode, BrowserId, DeviceName, Session, SessionId, SessionKind, SessionRef};

/// Whether and for how long command lines may act for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CommandLineSettings {
    /// Whether people can let a command line act for them.
    pub enabled: bool,
    /// Whether they can do so with a code that they type, for machines without a browser. Such codes can be phished.
    pub device_codes: bool,
    /// How long a command line's session lives at most, 1 minute at least. It never outlives the browser's session that it comes from.
    pub absolute: Option<Span>,
}

impl Default for CommandLineSettings {
    fn default() -> Self {
        Self { enabled: true, device_codes: true, absolute: None }
    }
}

impl CommandLineSettings {
    const SHORTEST: Span = Span(Duration::from_mins(1));

    /// Finds what makes no sense. `path` is where the settings stand, `longest` how long a browser's session lives at most.
    pub fn check(&self, path: &str, longest: Span, problems: &mut Vec<Problem>) {
        let Some(absolute) = self.absolute else { return };
        let path = format!("{path}.absolute");
        if absolute < Self::SHORTEST {
            problems.push(Problem::new(
                path,
                format!("shorter than {}", Self::SHORTEST),
                "1h to 8h is usual; leave it out for session.absolute",
            ));
        } else if absolute > longest {
            let message = format!("{absolute} is longer than session.absolute ({longest}), and would never be reached");
            problems.push(Problem::new(path, message, "choose a shorter one, or leave it out"));
        }
    }
}

/// What a command line was given: a session of its own.
#[derive(Debug)]
pub struct Granted {
    /// The new session, for the access token.
    pub session: SessionId,
    /// When it ends at the latest, counted from now.
    pub life: Duration,
}

/// Why a command line was not let in.
#[derive(Debug)]
pub enum GrantRefused {
    /// The code is none, or not for this: why, in words without secrets.
    Invalid(&'static str),
    /// The person has not said anything yet.
    Pending,
    /// The same, and the device asks too often.
    TooSoon,
    /// The person said no.
    Denied,
    /// The person said nothing for too long.
    Expired,
    /// Too many devices wait, here or at that address.
    TooMany,
    /// The gateway failed, and logged why.
    Failed(Failure),
}

impl GrantRefused {
    /// Logs why a code is refused, without recording it: anybody can send any number of them.
    fn invalid(why: &'static str) -> Self {
        tracing::info!(reason = why, "a command line was not let in");
        Self::Invalid(why)
    }

    fn store(error: &dyn std::fmt::Display) -> Self {
        Self::Failed(Failure::logged(Trouble::Store, error))
    }
}

impl From<Failure> for GrantRefused {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Gateway {
    /// Records that somebody refused a command line.
    ///
    /// # Errors
    /// [`Trouble::Audit`].
    pub async fn refuse_command_line(&self, session: &Session, name: &DeviceName, caller: &Caller) -> Result<(), Failure> {
        self.record(&self.consent(Outcome::Refused, session, name, caller)).await
    }

    /// What a role wants of the sign-in, as far as this one lacks it; none if the role is not the person's, or no sign-in could give it.
    #[must_use]
    pub fn wanted_for(&self, session: &Session, target: &Target, caller: &Caller) -> Option<Demand> {
        let entitlements = self.entitlements(session, caller);
        let granted = entitlements.roles().iter().find(|entitlement| entitlement.target == *target && entitlement.obstacle.is_none())?;
        Some(granted.step_up.as_ref().map(|step_up| step_up.wanted.clone()).unwrap_or_default())
    }

    /// Begins another sign-in of somebody who is signed in, because a command line wants a fresher or stronger one: what `wanted` lacks, or,
    /// with `anew`, a new one in any case. None if nothing is lacking.
    ///
    /// # Errors
    /// As [`Gateway::begin`].
    pub async fn sign_in_anew(
        &self,
        session: &Session,
        wanted: &Demand,
        anew: bool,
        browser: &BrowserId,
        return_to: &LocalPath,
    ) -> Result<Option<Begun>, Failure> {
        let came = session.identity.authentication();
        let any = || {
            let wanted = Demand { max_age: Some(Duration::ZERO), ..wanted.clone() };
            StepUp { wanted, age: None, class: came.acr.clone(), mfa: came.mfa }
        };
        let step_up = if anew { Some(any()) } else { wanted.missing(came, self.now()) };
        let Some(step_up) = step_up else { return Ok(None) };
        let provider = self.known(session.identity.provider().as_str())?;
        self.begin_for(provider, browser, return_to, None, Some(&step_up)).await.map(Some)
    }

    /// Ends the session of an access token (RFC 7009). One that is none, or over already, is as good as ended.
    ///
    /// # Errors
    /// [`Trouble::Store`] and [`Trouble::Audit`]: the session may still live.
    pub async fn revoke(&self, token: &str, caller: &Caller) -> Result<(), Failure> {
        let Some(id) = SessionId::parse_bearer(token) else { return Ok(()) };
        match self.session(&id).await? {
            Some(session) if session.kind != SessionKind::Browser => self.log_out(&id, &session, LogoutScope::Here, caller).await.map(drop),
            _ => Ok(()),
        }
    }

    /// The session in which the person said yes, if it lives.
    async fn approver(&self, reference: &SessionRef) -> Result<Session, GrantRefused> {
        let found = self.vault.session_behind(reference, self.now()).await.map_err(|error| GrantRefused::store(&error))?;
        let found = found.filter(|session| self.provider(session.identity.provider().as_str()).is_some());
        found.ok_or_else(|| GrantRefused::invalid("the session in which it was allowed has ended"))
    }

    /// Opens a command line's session: the same person by the same sign-in, and over with the browser's session at the latest.
    async fn open_command_line(
        &self,
        approver: Session,
        name: DeviceName,
        code: Option<&AuthorizationCode>,
        caller: &Caller,
    ) -> Result<Granted, GrantRefused> {
        let created = self.now();
        let own = self.command_line.absolute.map(|most| created + most.0);
        let expires = own.map_or(approver.expires, |own| own.min(approver.expires));
        let session =
            Session { identity: approver.identity, created, expires, kind: SessionKind::CommandLine { name }, requests: Vec::new() };
        let event = of_session(self.event(Kind::SignIn, Outcome::Ok, caller), &session);
        self.record(&Event { expires: Some(expires), ..event.clone() }).await?;
        match self.vault.open_session_by(&session, self.limits.idle.0, code).await {
            Ok(id) => Ok(Granted { session: id, life: (expires - created).to_std().unwrap_or_default() }),
            Err(error) => {
                let failure = Failure::logged(Trouble::Store, &error);
                let event = Event { outcome: Outcome::Failed, incident: failure.incident.clone(), ..event.because(error) };
                self.record(&event).await?;
                Err(failure.into())
            }
        }
    }

    fn consent(&self, outcome: Outcome, session: &Session, name: &DeviceName, caller: &Caller) -> Event {
        self.event(Kind::CommandLine, outcome, caller).about(&session.identity).by_command_line(name.as_str())
    }
}

/// An event about what is done in a session.
pub(super) fn of_session(event: Event, session: &Session) -> Event {
    let event = event.about(&session.identity);
    match session.kind.name() {
        Some(name) => event.by_command_line(name.as_str()),
        None => event,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_may_live_as_long_as_a_browser_and_no_longer() {
        let paths = |absolute: Option<Span>| {
            let mut problems = Vec::new();
            CommandLineSettings { absolute, ..CommandLineSettings::default() }.check("command_line", Span::seconds(3600), &mut problems);
            problems.into_iter().map(|problem| problem.path).collect::<Vec<_>>()
        };
        assert_eq!(paths(None), [""; 0]);
        assert_eq!(paths(Some(Span::seconds(3600))), [""; 0]);
        assert_eq!(paths(Some(Span::seconds(3601))), ["command_line.absolute"]);
        assert_eq!(paths(Some(Span::seconds(59))), ["command_line.absolute"]);
    }
}
