//! In and out: a login is begun, comes back, opens a session, and ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use url::Url;

use super::command_line::of_session;
use super::failure::incident_id;
use super::{Caller, Failure, Gateway, LocalPath, Trouble};
use crate::access::{Denied, Target};
use crate::audit::{self, Event, Kind, Outcome};
use crate::clock::Moment;
use crate::identity::oidc::Callback;
use crate::identity::{Departure, Identity, PendingLogin, Provider, ProviderId, Rejected, StepUp};
use crate::store::{BrowserId, LoginTicket, Session, SessionId, SessionKind, State};

/// A login that was begun.
#[derive(Debug)]
pub struct Begun {
    /// How the browser leaves for the provider.
    pub departure: Departure,
    /// What the browser must bring along when it comes back, at most [`PendingLogin::LIFE`] later.
    pub ticket: LoginTicket,
}

/// A login that came back well.
#[derive(Debug)]
pub struct SignedIn {
    /// The new session, for the cookie.
    pub session: SessionId,
    /// When the session ends at the latest, counted from now.
    pub life: Duration,
    /// Where the person wanted to go.
    pub return_to: LocalPath,
}

/// What a sign-out ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogoutScope {
    /// This session.
    Here,
    /// Every session of the person at this gateway.
    Everywhere,
    /// This session, and the one at the identity provider.
    Provider,
}

/// What is left to do after a sign-out.
#[derive(Debug)]
pub struct SignedOut {
    /// How the browser leaves to end the provider's own session, if that was asked for and the provider offers it.
    pub at_provider: Option<Departure>,
}

/// What a browser brings along to finish a login. All of it was given to it earlier, and none of it is believed before it was checked.
#[derive(Debug, Clone, Copy)]
pub struct Returning<'a> {
    /// The browser's own id, if it has one.
    pub browser: Option<&'a BrowserId>,
    /// The logins that were begun in it.
    pub tickets: &'a [LoginTicket],
    /// The session that it has now, which the new one replaces.
    pub session: Option<&'a SessionId>,
}

/// Somebody who is proven, on the way to a session.
pub(super) struct Arrived {
    pub(super) identity: Identity,
    /// Where the person wants to go.
    pub(super) return_to: LocalPath,
    /// When the provider wants the session to end at the latest.
    pub(super) ends_by: Option<Moment>,
    /// Whether the provider began it.
    pub(super) unasked: bool,
}

impl Gateway {
    /// Begins a login: says where to send the browser, and what it must bring along when it comes back. The store is not asked, so that
    /// logins which nobody finishes fill nothing.
    ///
    /// # Errors
    /// [`Trouble::UnknownProvider`], [`Trouble::ProviderUnavailable`], [`Trouble::Signing`].
    pub async fn begin(&self, provider: &str, browser: &BrowserId, return_to: &LocalPath, hint: Option<&str>) -> Result<Begun, Failure> {
        self.begin_for(self.known(provider)?, browser, return_to, hint, None).await
    }

    /// Begins another login of somebody who is signed in, with what a role wants of it and this one lacks, as usual or in an emergency;
    /// none if it lacks nothing any more.
    ///
    /// # Errors
    /// [`Trouble::Denied`] for a role that is not granted or that no sign-in could give, and as [`Gateway::begin`].
    pub async fn step_up(
        &self,
        session: &Session,
        (target, break_glass): (&Target, bool),
        browser: &BrowserId,
        return_to: &LocalPath,
        caller: &Caller,
    ) -> Result<Option<Begun>, Failure> {
        let entitlements = self.entitlements(session, caller);
        let granted = entitlements.roles().iter().find(|entitlement| entitlement.target == *target);
        let denied = |denied: Denied| Failure::logged(Trouble::Denied(denied.clone()), &denied);
        let granted = granted.ok_or_else(|| denied(Denied::NotGranted))?.way(break_glass);
        if let Some(obstacle) = &granted.obstacle {
            return Err(denied(obstacle.clone()));
        }
        let Some(step_up) = &granted.step_up else { return Ok(None) };
        let provider = self.known(session.identity.provider().as_str())?;
        self.begin_for(provider, browser, return_to, None, Some(step_up)).await.map(Some)
    }

    pub(super) async fn begin_for(
        &self,
        provider: &Provider,
        browser: &BrowserId,
        return_to: &LocalPath,
        hint: Option<&str>,
        step_up: Option<&StepUp>,
    ) -> Result<Begun, Failure> {
        let now = self.now();
        let state = State::random();
        let begun = provider.begin_for(&state.expose(), hint, step_up, now).await.map_err(|rejected| refusal(provider, &rejected))?;
        let pending = PendingLogin {
            provider: provider.id().clone(),
            browser: browser.digest(),
            return_to: return_to.to_string(),
            begun: now,
            secrets: begun.secrets,
        };
        let ticket = self.vault.ticket(&state, &pending).map_err(|error| Failure::logged(Trouble::Signing, &error))?;
        Ok(Begun { departure: begun.departure, ticket })
    }

    /// Which of a browser's tickets a state belongs to, if any: that one is used up by the answer, however it ends.
    #[must_use]
    pub fn ticket_of(&self, state: &str, tickets: &[LoginTicket]) -> Option<usize> {
        let state = State::parse(state)?;
        tickets.iter().position(|ticket| self.vault.pending(&state, ticket).is_some())
    }

    /// Finishes a login: finds the pending one, uses it up, verifies the answer, records it, and opens a session under a new id. A
    /// session that the browser had before is closed.
    ///
    /// An answer to nothing that was begun in this browser is logged and counted, and not recorded: anybody can send any number of them.
    ///
    /// # Errors
    /// [`Trouble::SignInExpired`], [`Trouble::SignInRefused`], [`Trouble::ProviderUnavailable`], [`Trouble::Store`], [`Trouble::Audit`].
    pub async fn complete(
        &self,
        provider: &str,
        callback: &Callback,
        returning: Returning<'_>,
        caller: &Caller,
    ) -> Result<SignedIn, Failure> {
        let provider = self.known(provider)?;
        let Some(oidc) = provider.as_oidc() else { return Err(refusal(provider, &Rejected::OtherProvider)) };
        let Some((state, pending)) = self.pending(&callback.state, returning.tickets) else {
            return Err(self.unasked(provider, &Rejected::UnknownState));
        };
        let verified = match self.use_up(provider, &state, &pending, returning.browser).await? {
            Ok(()) => oidc.complete(callback, &pending, self.now()).await,
            Err(rejected) => Err(rejected),
        };
        match verified {
            Ok(identity) => {
                let arrived = Arrived { identity, return_to: local(&pending), ends_by: None, unasked: false };
                self.welcome(arrived, returning.session, caller).await
            }
            Err(rejected) => Err(self.refuse(provider, rejected, caller).await?),
        }
    }

    /// An answer that nobody here asked for: logged and counted.
    pub(super) fn unasked(&self, provider: &Provider, rejected: &Rejected) -> Failure {
        let total = self.unsolicited.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::info!(total, provider = %provider.id(), reason = %rejected, "an answer to no login that waits in its browser");
        refusal(provider, rejected)
    }

    /// Records an answer that is refused. One that used no pending login up is logged and counted instead: a login that was begun once and
    /// kept could be answered any number of times, each with a line in the trail.
    pub(super) async fn refuse(&self, provider: &Provider, rejected: Rejected, caller: &Caller) -> Result<Failure, Failure> {
        if matches!(rejected, Rejected::OtherBrowser | Rejected::OtherProvider | Rejected::Replayed | Rejected::Stale) {
            return Ok(self.unasked(provider, &rejected));
        }
        let failure = refusal(provider, &rejected);
        let event = self.event(Kind::SignIn, Outcome::Refused, caller).at_provider(provider.id()).because(rejected);
        self.record(&Event { incident: failure.incident.clone(), ..event }).await?;
        Ok(failure)
    }

    /// Opens a session for somebody who is proven, in place of the one that their browser had before.
    pub(super) async fn welcome(&self, arrived: Arrived, before: Option<&SessionId>, caller: &Caller) -> Result<SignedIn, Failure> {
        let event = self.event(Kind::SignIn, Outcome::Ok, caller).begun_by_provider(arrived.unasked);
        let event = event.about(&arrived.identity).judged_by(&self.policy.load(), &arrived.identity);
        self.record(&event).await?;
        self.end_previous(before).await;
        self.open(arrived, caller).await
    }

    /// The pending login of a state, out of the tickets that the browser brought along.
    pub(super) fn pending(&self, state: &str, tickets: &[LoginTicket]) -> Option<(State, PendingLogin)> {
        let state = State::parse(state)?;
        let pending = tickets.iter().find_map(|ticket| self.vault.pending(&state, ticket))?;
        Some((state, pending))
    }

    /// Uses a pending login up, for the one answer that may have it. An answer that is refused before leaves it to the honest one. The
    /// outer error is the store's; the inner one is the answer's.
    pub(super) async fn use_up(
        &self,
        provider: &Provider,
        state: &State,
        pending: &PendingLogin,
        browser: Option<&BrowserId>,
    ) -> Result<Result<(), Rejected>, Failure> {
        if browser.is_none_or(|browser| browser.digest() != pending.browser) {
            return Ok(Err(Rejected::OtherBrowser));
        }
        if pending.provider != *provider.id() {
            return Ok(Err(Rejected::OtherProvider));
        }
        let Some(left) = pending.left(self.now()) else { return Ok(Err(Rejected::Stale)) };
        let claimed = self.vault.claim_login(state, left).await.map_err(|error| Failure::logged(Trouble::Store, &error))?;
        Ok(if claimed { Ok(()) } else { Err(Rejected::Replayed) })
    }

    /// Closes the session that a login replaces. If the store cannot do it now, opening the new one fails too.
    async fn end_previous(&self, before: Option<&SessionId>) {
        let Some(id) = before else { return };
        if let Ok(Some(session)) = self.session(id).await
            && let Err(error) = self.vault.close_session(id, &session.identity).await
        {
            tracing::warn!(reason = %error, "the previous session was not closed");
        }
    }

    async fn open(&self, arrived: Arrived, caller: &Caller) -> Result<SignedIn, Failure> {
        let Arrived { identity, return_to, ends_by, unasked } = arrived;
        let created: Moment = self.now();
        let latest = created + self.limits.absolute.0;
        let expires = ends_by.map_or(latest, |end| end.min(latest));
        let life = (expires - created).to_std().unwrap_or_default();
        let session = Session { identity: Arc::new(identity), created, expires, kind: SessionKind::Browser, requests: Vec::new() };
        match self.vault.open_session(&session, self.limits.idle.0).await {
            Ok(id) => Ok(SignedIn { session: id, life, return_to }),
            Err(error) => {
                let failure = Failure::logged(Trouble::Store, &error);
                let event = self.event(Kind::SignIn, Outcome::Failed, caller).begun_by_provider(unasked);
                let event = event.about(&session.identity).because(error);
                self.record(&Event { incident: failure.incident.clone(), ..event }).await?;
                Err(failure)
            }
        }
    }

    /// Ends a session, or all of the person's. They want out, so it is done before it is recorded, and also where it cannot be: a session that
    /// lives on because a disk is full helps whoever finds the browser.
    ///
    /// # Errors
    /// [`Trouble::Store`]: the person is told that the session may still live.
    pub async fn log_out(&self, id: &SessionId, session: &Session, scope: LogoutScope, caller: &Caller) -> Result<SignedOut, Failure> {
        let event = of_session(self.event(Kind::SignOut, Outcome::Ok, caller), session);
        let closed = match scope {
            LogoutScope::Everywhere => self.vault.close_all(&session.identity.person()).await.map(|_| ()),
            LogoutScope::Here | LogoutScope::Provider => self.vault.close_session(id, &session.identity).await,
        };
        if let Err(error) = closed {
            let failure = Failure::logged(Trouble::Store, &error);
            self.record_done(&Event { outcome: Outcome::Failed, incident: failure.incident.clone(), ..event.because(error) }).await;
            return Err(failure);
        }
        let event = if scope == LogoutScope::Everywhere { event.because("every session of the person was ended") } else { event };
        self.record_done(&event).await;
        let at_provider = match (scope, self.provider(session.identity.provider().as_str())) {
            (LogoutScope::Provider, Some(provider)) => provider.logout(&session.identity, &self.signed_out_url(), self.now()).await,
            _ => None,
        };
        Ok(SignedOut { at_provider })
    }

    /// Where a provider sends the browser after it signed the person out; registered there beforehand.
    fn signed_out_url(&self) -> Url {
        let mut url = self.public_url.clone();
        url.set_path("/signed-out");
        url
    }

    pub(super) fn known(&self, id: &str) -> Result<&Provider, Failure> {
        self.provider(id).ok_or_else(|| Failure::logged(Trouble::UnknownProvider, &"there is no provider with this id"))
    }

    /// An event under a new incident, with what is known of the caller, and the policy in force.
    pub(super) fn event(&self, kind: Kind, outcome: Outcome, caller: &Caller) -> Event {
        let user_agent = (!caller.user_agent.is_empty()).then_some(caller.user_agent.as_str());
        let event = Event::new(self.now(), incident_id(), kind, outcome).from_browser(caller.ip, user_agent);
        Event { policy: Some(self.policy.load().digest().to_owned()), client_certificate: caller.certificate.clone(), ..event }
    }

    /// Records an event; what alarm it is follows once it is on disk.
    pub(super) async fn record(&self, event: &Event) -> Result<(), Failure> {
        let recorded = self.audit.record(event).await;
        if recorded.is_ok() {
            self.alarms.follow(event);
        }
        self.tell_of_trail(recorded.is_ok()).await;
        recorded.map_err(|error| Failure::logged(Trouble::Audit, &error))
    }

    /// Records, and raises as an alarm, that one of several sinks of the trail does not take events, once. Where nothing can be recorded it is an
    /// alarm all the same: somebody must come.
    pub(super) async fn tell_of_trail(&self, can_record: bool) {
        let Some(why) = self.audit.take_news() else { return };
        let event = self.event(Kind::AuditDegraded, Outcome::Failed, &Caller::default()).because(why);
        // The log has it already.
        if can_record {
            let _ = self.audit.record(&event).await;
        }
        self.alarms.follow(&event);
    }

    /// Records what is done already and must not wait for the trail: that somebody's session ended who wanted that, or a grant that they gave back.
    /// Where the trail fails, the log has who and what, and there is no alarm.
    pub(super) async fn record_done(&self, event: &Event) {
        let Err(error) = self.audit.record(event).await else { return self.alarms.follow(event) };
        let person = |who: &Option<audit::Person>| who.as_ref().map(|who| format!("{}+{}", who.provider, who.subject)).unwrap_or_default();
        tracing::error!(
            incident = %event.incident,
            kind = ?event.kind,
            outcome = ?event.outcome,
            person = %person(&event.person),
            by = %person(&event.by),
            provider = event.provider.as_ref().map(ProviderId::as_str).unwrap_or_default(),
            what = event.reason.as_deref().unwrap_or_default(),
            reason = %error,
            "done, and not in the audit trail, which cannot be written"
        );
    }
}

/// The trouble that a refusal by or about a provider is for the person.
pub(super) fn refusal(provider: &Provider, rejected: &Rejected) -> Failure {
    let name = provider.name().to_owned();
    let trouble = match rejected {
        Rejected::UnknownState | Rejected::Replayed | Rejected::AssertionUsed | Rejected::OtherBrowser | Rejected::Stale => {
            Trouble::SignInExpired
        }
        Rejected::Unavailable(_) => Trouble::ProviderUnavailable(name),
        _ => Trouble::SignInRefused(name, rejected.clone()),
    };
    Failure::logged(trouble, rejected)
}

/// Where a pending login wanted to go.
pub(super) fn local(pending: &PendingLogin) -> LocalPath {
    LocalPath::parse_or_home(Some(&pending.return_to))
}
