//! From a click to credentials or the console: decide, prove, exchange, record, hand over.

use std::fmt::Display;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::command_line::of_session;
use super::{Caller, Failure, Gateway, Trouble};
use crate::access::{AssumeRequest, ConsoleWay, Denied, Entitlements, Operation, Purpose, Target, Wish};
use crate::audit::{Event, Kind, Outcome};
use crate::aws::console::{ConsoleUrl, Destination};
use crate::aws::sts::{self, Deadline, Hop, StsError};
use crate::aws::{Credentials, SealableCredentials};
use crate::clock::Moment;
use crate::identity::Identity;
use crate::store::{HandoverId, Session, SessionId};
use crate::trust::{SignInPost, SigningFailed};

/// Credentials that were issued, recorded, and may be handed over.
#[derive(Debug)]
pub struct Issued {
    /// The credentials.
    pub credentials: Credentials,
    /// What they were issued for.
    pub request: AssumeRequest,
}

/// The way into the console.
#[derive(Debug)]
pub enum ConsoleEntry {
    /// By a sign-in URL.
    Redirect {
        /// Valid for minutes and secret, for the redirect alone.
        url: ConsoleUrl,
        /// When the session ends.
        ends: Moment,
    },
    /// A SAML response that the browser posts to AWS's sign-in page.
    Post(Box<ConsolePost>),
    /// By such a response, and whoever asked is no page that could have it posted. Nothing was issued.
    ByBrowser,
}

/// What the browser posts to AWS's sign-in page.
#[derive(Debug)]
pub struct ConsolePost {
    /// The response, where it goes, and where the next try would go.
    pub post: SignInPost,
    /// Where in the console it leads.
    pub destination: Destination,
    /// What it was made for.
    pub request: AssumeRequest,
}

/// Where somebody wants to enter the console, and by which door.
#[derive(Debug, Clone, Copy, Default)]
pub struct Entrance<'a> {
    /// A page of the console; none for the front page.
    pub destination: Option<&'a str>,
    /// Which of AWS's sign-in pages: 0 for the preferred one, 1 for the next. It counts only where the browser posts.
    pub attempt: usize,
    /// Whether whoever asks is a program, which can open an address and post nothing.
    pub by_program: bool,
}

/// Credentials on their short way from the click to the page.
pub struct LaidDown {
    /// The credentials.
    pub credentials: Credentials,
    /// The session length that was asked for, in seconds.
    pub duration: u64,
    /// What the person said that they need the role for.
    pub reason: Option<String>,
    /// Whether it was an emergency.
    pub break_glass: bool,
}

/// [`LaidDown`] as it is sealed.
#[derive(Serialize, Deserialize)]
struct Sealable {
    credentials: SealableCredentials,
    duration: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    break_glass: bool,
}

/// What all calls of one issuance have in common.
#[derive(Clone, Copy)]
struct Walk<'a> {
    who: &'a Identity,
    deadline: Deadline,
}

/// Why an issuance ended before it handed out anything.
#[derive(Debug, Clone)]
pub(super) enum Ended {
    Denied(Denied),
    Signing(SigningFailed),
    Sts(StsError, Hop),
    /// The role does not allow so long a session; which one is offered now.
    TooLong(StsError, Duration),
}

impl Gateway {
    /// Hands out credentials for a role: the rules are asked anew, and nothing leaves before the record is on disk. Where the rules allow it,
    /// they are those that the session got before for the same request.
    ///
    /// # Errors
    /// [`Trouble::Denied`], [`Trouble::SignInAgain`], [`Trouble::Signing`], [`Trouble::Aws`], [`Trouble::Audit`].
    pub async fn assume(&self, id: &SessionId, session: &Session, wish: &Wish, caller: &Caller) -> Result<Issued, Failure> {
        self.hand_out(id, session, wish, caller).await.map(|(issued, _)| issued)
    }

    /// [`Self::assume`], with the event that was recorded of it.
    pub(super) async fn hand_out(
        &self,
        id: &SessionId,
        session: &Session,
        wish: &Wish,
        caller: &Caller,
    ) -> Result<(Issued, Event), Failure> {
        let entitlements = self.entitlements(session, caller);
        let event = self.wish_event(session, wish, &entitlements, caller);
        let decided = entitlements.choose(wish);
        match decided.as_ref().ok().and_then(AssumeRequest::fingerprint).zip(decided.as_ref().ok()) {
            Some((fingerprint, request)) => Box::pin(self.share((id, session), request.clone(), fingerprint, event)).await,
            None => self.issue(&session.identity, decided, event).await,
        }
    }

    /// Proves, exchanges and records what was decided, whoever it is for. `event` says what is known of it beforehand.
    pub(super) async fn issue(
        &self,
        who: &Identity,
        decided: Result<AssumeRequest, Denied>,
        event: Event,
    ) -> Result<(Issued, Event), Failure> {
        let (event, exchanged) = Box::pin(self.exchange(who, decided, event)).await;
        self.settle(event, exchanged).await
    }

    /// Records how an exchange ended, and only then gives its outcome.
    pub(super) async fn settle(
        &self,
        event: Event,
        exchanged: Result<(sts::Issued, AssumeRequest), Ended>,
    ) -> Result<(Issued, Event), Failure> {
        match exchanged {
            Ok((issued, request)) => {
                let event = Event { sts_request_id: issued.request_id, ..event.issued(&issued.credentials) };
                self.record(&event).await?;
                Ok((Issued { credentials: issued.credentials, request }, event))
            }
            Err(ended) => Err(self.not_issued(event, ended).await?),
        }
    }

    /// Records why nothing was issued, and makes the failure of it.
    pub(super) async fn not_issued(&self, event: Event, ended: Ended) -> Result<Failure, Failure> {
        let event = event.because(&ended);
        let (failure, outcome) = ended.into_failure();
        self.record(&Event { outcome, incident: failure.incident.clone(), ..event }).await?;
        Ok(failure)
    }

    /// What is known of an issuance before it is decided.
    fn wish_event(&self, session: &Session, wish: &Wish, entitlements: &Entitlements, caller: &Caller) -> Event {
        wished(of_session(self.event(Kind::Issue, Outcome::Ok, caller), session), wish, entitlements)
    }

    /// Records that what was issued did not reach the person, under the incident of the issuance: who looks for the page's id finds both.
    pub(super) async fn undelivered(&self, issued: Event, trouble: Trouble, reason: impl Display) -> Failure {
        let failure = Failure::logged_under(issued.incident.clone(), trouble, &reason);
        let event = Event { time: self.now(), outcome: Outcome::Failed, ..issued.because(reason) };
        self.record(&event).await.err().unwrap_or(failure)
    }

    /// Proves what was decided and asks STS; the event comes back with all that became known on the way, however it ended.
    pub(super) async fn exchange(
        &self,
        who: &Identity,
        decided: Result<AssumeRequest, Denied>,
        event: Event,
    ) -> (Event, Result<(sts::Issued, AssumeRequest), Ended>) {
        let mut request = match decided {
            Ok(request) => request,
            Err(denied) => return (event, Err(Ended::Denied(denied))),
        };
        // One deadline for all of it: a role on the way, what is asked once more, and every try.
        let walk = Walk { who, deadline: self.sts.deadline() };
        if let Err(ended) = self.know_own_identity(&mut request, walk.deadline).await {
            return (event.asked(&request), Err(ended));
        }
        let (mut event, mut answer) = self.ask(walk, &request, event).await;
        // The role's trust policy may lack sts:TagSession or sts:SetSourceIdentity: where the rules say so, it goes without.
        if let Err(Ended::Sts(StsError::AccessDenied(_), _)) = &answer
            && let Some(lesser) = request.without_optional_attributes()
        {
            request = lesser;
            (event, answer) = self.ask(walk, &request, event).await;
        }
        let answer = self.learn(&request, answer);
        (event, answer.map(|issued| (issued, request)))
    }

    /// Learns from AWS's answer how long the role's sessions may last. A role that is taken from another one has its hour, whatever it allows.
    fn learn(&self, request: &AssumeRequest, answer: Result<sts::Issued, Ended>) -> Result<sts::Issued, Ended> {
        let Some(role) = request.role().filter(|_| !request.is_chained()) else { return answer };
        match answer {
            Err(Ended::Sts(error @ StsError::SessionTooLong(_), _)) => {
                Err(Ended::TooLong(error, self.lengths.refused(role, request.duration(), self.now())))
            }
            Ok(issued) => {
                self.lengths.granted(role, request.duration(), self.now());
                Ok(issued)
            }
            answer => answer,
        }
    }

    /// Where the gateway's own AWS identity signs the last call, and is itself a session, AWS allows an hour and refuses more.
    async fn know_own_identity(&self, request: &mut AssumeRequest, deadline: Deadline) -> Result<(), Ended> {
        if request.operation() != Operation::AssumeRole || request.hub().is_some() {
            return Ok(());
        }
        match self.sts.own_identity_is_session(deadline).await {
            Ok(true) => *request = request.clone().chained_by_own_identity(),
            Ok(false) => {}
            Err(error) => return Err(Ended::Sts(error, Hop::of(request))),
        }
        Ok(())
    }

    async fn ask(&self, walk: Walk<'_>, request: &AssumeRequest, event: Event) -> (Event, Result<sts::Issued, Ended>) {
        let event = event.asked(request);
        // On the heap: the tries of a call would make every future around it large.
        let (event, answer) = Box::pin(self.ask_once(walk, request, event)).await;
        match answer {
            // It was on its way for minutes, or the clocks differ a little, or the gateway's own credentials have just ended: fresh ones may
            // still pass.
            Err(Ended::Sts(StsError::ExpiredToken(_), _)) if request.operation().carries_attributes() => {
                Box::pin(self.ask_once(walk, request, event)).await
            }
            answer => (event, answer),
        }
    }

    /// One walk to the role: by way of another one, if the rules say so.
    async fn ask_once(&self, walk: Walk<'_>, request: &AssumeRequest, event: Event) -> (Event, Result<sts::Issued, Ended>) {
        let Some(first) = request.first_hop() else {
            return self.step(walk, request, Hop::of(request), None, event).await;
        };
        let (event, reached) = self.step(walk, &first, Hop::ToHub(first.operation()), None, event).await;
        match reached {
            Ok(hub) => {
                let event = event.reached(&hub.credentials);
                self.step(walk, request, Hop::FromHub, Some(&hub.credentials), event).await
            }
            Err(ended) => (event, Err(ended)),
        }
    }

    /// One call to STS, with the proof that it needs.
    async fn step(
        &self,
        walk: Walk<'_>,
        request: &AssumeRequest,
        hop: Hop,
        hub: Option<&Credentials>,
        event: Event,
    ) -> (Event, Result<sts::Issued, Ended>) {
        if !request.operation().needs_proof() {
            let answer = match request.operation() {
                Operation::FederationToken => self.sts.federation_token(request, walk.deadline).await,
                Operation::SessionToken => self.sts.session_token(request, walk.deadline).await,
                _ => self.sts.assume_role(request, hub, walk.deadline).await,
            };
            return (event, answer.map_err(|error| Ended::Sts(error, hop)));
        }
        let proof = match self.issuer.prove(request, walk.who, self.now()) {
            Ok(proof) => proof,
            Err(failed) => return (event, Err(Ended::Signing(failed))),
        };
        let answer = self.sts.assume(request, &proof, walk.deadline).await;
        (event.proven_by(&proof), answer.map_err(|error| Ended::Sts(error, hop)))
    }

    /// Leads into the console: by a sign-in URL for credentials that are issued now, or by a SAML response that the browser posts, as the
    /// rules say.
    ///
    /// # Errors
    /// As [`Gateway::assume`], and [`Trouble::BadDestination`] before anything is issued.
    pub async fn enter_console(
        &self,
        session: &Session,
        wish: &Wish,
        entrance: Entrance<'_>,
        caller: &Caller,
    ) -> Result<ConsoleEntry, Failure> {
        let partition = wish.role.parse::<Target>().map(|target| target.partition()).unwrap_or_default();
        let wish = &Wish { purpose: Purpose::Console, ..wish.clone() };
        let entitlements = self.entitlements(session, caller);
        let destination = match self.console.destination(partition, entrance.destination) {
            Ok(destination) => destination,
            Err(error) => {
                let event = self.wish_event(session, wish, &entitlements, caller);
                let failure = Failure::logged_under(event.incident.clone(), Trouble::BadDestination, &error);
                self.record(&Event { outcome: Outcome::Refused, ..event.because(error) }).await?;
                return Err(failure);
            }
        };
        // What the rules refuse goes on to be refused, and recorded, as any other wish.
        let posted = entitlements.choose(wish).ok().filter(|request| request.console() == ConsoleWay::Post);
        if let Some(request) = posted {
            if entrance.by_program {
                return Ok(ConsoleEntry::ByBrowser);
            }
            let event = self.wish_event(session, wish, &entitlements, caller);
            return self.post_into_console(session, request, entrance.attempt, destination, event).await;
        }
        // The console session gets the whole life of credentials of its own: what is handed out again has less of it.
        let event = self.wish_event(session, wish, &entitlements, caller);
        let (issued, event) = self.issue(&session.identity, entitlements.choose(wish), event).await?;
        // The console session lasts as long as the credentials: AWS refuses a length of its own where the call to STS already named one.
        match self.console.sign_in_url(&issued.credentials, &destination, None).await {
            Ok(url) => Ok(ConsoleEntry::Redirect { url, ends: issued.credentials.expires }),
            Err(error) => Err(self.undelivered(event, Trouble::Aws(error.explain()), error).await),
        }
    }

    /// Mints the response for the browser. It is an issuance, and recorded as one: who holds it gets a session, and STS is not asked by us.
    async fn post_into_console(
        &self,
        session: &Session,
        request: AssumeRequest,
        attempt: usize,
        destination: Destination,
        event: Event,
    ) -> Result<ConsoleEntry, Failure> {
        // AWS answers the browser, so nobody could try once more without them: what is only sent where it may be stays out.
        let request = request.without_optional_attributes().unwrap_or(request);
        let event = event.asked(&request);
        match self.issuer.sign_in(&request, &session.identity, attempt, self.now()) {
            Ok(post) => {
                self.record(&event.proven_by(&post.proof)).await?;
                Ok(ConsoleEntry::Post(Box::new(ConsolePost { post, destination, request })))
            }
            Err(failed) => Err(self.not_issued(event, Ended::Signing(failed)).await?),
        }
    }

    /// Issues credentials and lays them down, sealed, for the page that shows them once. Says when they end.
    ///
    /// # Errors
    /// As [`Gateway::assume`], and [`Trouble::Undelivered`].
    pub async fn lay_down(&self, id: &SessionId, session: &Session, wish: &Wish, caller: &Caller) -> Result<(HandoverId, Moment), Failure> {
        let (issued, event) = self.hand_out(id, session, wish, caller).await?;
        let (credentials, request) = (SealableCredentials::from(&issued.credentials), &issued.request);
        let (duration, reason) = (request.duration().as_secs(), request.reason().map(str::to_owned));
        let sealable = Sealable { credentials, duration, reason, break_glass: request.is_break_glass() };
        match self.vault.hand_over(id, &sealable).await {
            Ok(handover) => Ok((handover, issued.credentials.expires)),
            Err(error) => Err(self.undelivered(event, Trouble::Undelivered, error).await),
        }
    }

    /// Takes credentials that were laid down for this session. None: shown before, expired, or another session's.
    ///
    /// # Errors
    /// [`Trouble::Store`].
    pub async fn pick_up(&self, id: &SessionId, handover: &HandoverId) -> Result<Option<LaidDown>, Failure> {
        let taken = self.vault.take_handover::<Sealable>(id, handover).await;
        let taken = taken.map_err(|error| Failure::logged(Trouble::Store, &error))?;
        let laid_down = taken.map(|Sealable { credentials, duration, reason, break_glass }| LaidDown {
            credentials: credentials.into(),
            duration,
            reason,
            break_glass,
        });
        Ok(laid_down.filter(|laid_down| laid_down.credentials.expires > self.now()))
    }
}

/// An event about somebody, with what they wish for.
pub(super) fn wished(event: Event, wish: &Wish, entitlements: &Entitlements) -> Event {
    Event { purpose: Some(wish.purpose), policy: Some(entitlements.policy().to_owned()), ..event.wished(&wish.role) }
}

impl Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Denied(denied) => denied.fmt(f),
            Self::Signing(failed) => failed.fmt(f),
            Self::Sts(error, _) | Self::TooLong(error, _) => error.fmt(f),
        }
    }
}

impl Ended {
    fn into_failure(self) -> (Failure, Outcome) {
        let outcome = if matches!(self, Self::Denied(_)) { Outcome::Refused } else { Outcome::Failed };
        let trouble = match &self {
            Self::Denied(denied) => Trouble::Denied(denied.clone()),
            Self::Signing(SigningFailed::UpstreamExpired) => Trouble::SignInAgain,
            Self::Signing(SigningFailed::TooLarge) => Trouble::Aws(sts::RESPONSE_TOO_LARGE),
            Self::Signing(SigningFailed::NotOffered) => Trouble::Aws(sts::NOT_OFFERED),
            Self::Signing(_) => Trouble::Signing,
            Self::Sts(error, hop) => Trouble::Aws(error.explain(*hop)),
            Self::TooLong(_, offered) => Trouble::Aws(sts::session_too_long(*offered)),
        };
        (Failure::logged(trouble, &self), outcome)
    }
}
