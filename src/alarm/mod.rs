//! Tells others of events at once: webhooks, for emergencies and for requests that wait.
//!
//! An alarm follows from an event that is on disk already, so the audit trail has whatever a webhook missed. Nothing waits for a webhook: alarms
//! lie in a bounded queue of their own for each, are tried a few times, and what is given up is an error in the log and a number for
//! administrators. Nobody is kept from a role because a webhook does not answer: in an emergency that would be the second one.

mod sender;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;
use url::Url;

pub use settings::{Checked, WebhookEvent, WebhookSettings};

use crate::audit::{Event, Kind, Outcome, Person};
use crate::clock::Clock;
use sender::Sender;

/// How many alarms wait for one webhook. What comes when so many wait is given up.
const QUEUE: usize = 256;
/// How often it is looked whether all is sent, when the gateway stops.
const LOOK: Duration = Duration::from_millis(50);

/// All webhooks.
#[derive(Default)]
pub struct Alarms {
    webhooks: Vec<Webhook>,
    /// Where auditors find the event.
    portal: String,
}

/// One webhook, whose alarms two tasks send one after the other.
struct Webhook {
    events: Vec<WebhookEvent>,
    queue: mpsc::Sender<Arc<Message>>,
    /// Of its own for emergencies: they never stand behind what anybody may ask for.
    urgent: mpsc::Sender<Arc<Message>>,
    state: Arc<State>,
}

/// How a webhook does.
struct State {
    /// Scheme and host, for people: the path of many is a secret.
    origin: String,
    waiting: AtomicUsize,
    sent: AtomicU64,
    given_up: AtomicU64,
}

/// How a webhook does, for administrators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookHealth {
    /// Scheme and host.
    pub origin: String,
    /// How many alarms it took.
    pub sent: u64,
    /// How many were given up.
    pub given_up: u64,
    /// How many wait.
    pub waiting: usize,
}

/// An alarm as it is sent.
struct Message {
    event: WebhookEvent,
    /// What finds the event in the audit trail; several events may have it in common.
    incident: String,
    /// Names this event alone, at each try and for each webhook.
    delivery: String,
    body: String,
}

/// What an alarm says. docs/requests.md lists it: a member more is a promise more.
#[derive(Serialize)]
struct Body<'a> {
    event: WebhookEvent,
    /// One sentence for people.
    text: String,
    time: String,
    incident: &'a str,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<&'a Person>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a Person>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    link: String,
}

impl Alarms {
    /// Starts a task for each webhook. Must be called within a runtime, with which they end.
    #[must_use]
    pub fn start(webhooks: Vec<Checked>, public_url: &Url, clock: &Arc<dyn Clock>) -> Self {
        let start = |checked: Checked| {
            let (queue, waiting) = mpsc::channel(QUEUE);
            let (urgent, urgently_waiting) = mpsc::channel(QUEUE);
            let state = Arc::new(State {
                origin: checked.url.origin().ascii_serialization(),
                waiting: AtomicUsize::new(0),
                sent: AtomicU64::new(0),
                given_up: AtomicU64::new(0),
            });
            let events = checked.events.clone();
            let sender = |checked| Sender::new(checked, Arc::clone(&state), Arc::clone(clock));
            tokio::spawn(sender(checked.clone()).run(waiting));
            tokio::spawn(sender(checked).run(urgently_waiting));
            Webhook { events, queue, urgent, state }
        };
        let portal = public_url.as_str().trim_end_matches('/').to_owned();
        Self { webhooks: webhooks.into_iter().map(start).collect(), portal }
    }

    /// Raises what alarm an event is, if it is one. The event is on disk; nothing is waited for.
    pub fn follow(&self, event: &Event) {
        let Some(kind) = WebhookEvent::of(event) else { return };
        let mut wanting = self.webhooks.iter().filter(|webhook| webhook.events.contains(&kind)).peekable();
        if wanting.peek().is_none() {
            return;
        }
        let message = Arc::new(self.message(kind, event));
        for webhook in wanting {
            webhook.state.waiting.fetch_add(1, Ordering::AcqRel);
            let queue = if kind == WebhookEvent::BreakGlass { &webhook.urgent } else { &webhook.queue };
            if queue.try_send(Arc::clone(&message)).is_err() {
                webhook.state.waiting.fetch_sub(1, Ordering::AcqRel);
                webhook.state.given_up.fetch_add(1, Ordering::Relaxed);
                tracing::error!(
                    incident = %message.incident,
                    webhook = %webhook.state.origin,
                    "an alarm was given up: so many wait for the webhook already"
                );
            }
        }
    }

    /// How each webhook does.
    #[must_use]
    pub fn health(&self) -> Vec<WebhookHealth> {
        let health = |Webhook { state, .. }: &Webhook| WebhookHealth {
            origin: state.origin.clone(),
            sent: state.sent.load(Ordering::Relaxed),
            given_up: state.given_up.load(Ordering::Relaxed),
            waiting: state.waiting.load(Ordering::Relaxed),
        };
        self.webhooks.iter().map(health).collect()
    }

    /// Waits until nothing waits any more, and no longer than that.
    pub async fn drain(&self, at_most: Duration) {
        let is_empty = || self.webhooks.iter().all(|webhook| webhook.state.waiting.load(Ordering::Acquire) == 0);
        let emptied = async {
            while !is_empty() {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(at_most, emptied).await.is_err() {
            tracing::error!("the gateway stops while alarms wait for a webhook: the audit trail has their events");
        }
    }

    fn message(&self, kind: WebhookEvent, event: &Event) -> Message {
        let account = event.account.map(|account| account.to_string());
        let moment = |moment: crate::clock::Moment| moment.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let of_request = kind != WebhookEvent::BreakGlass;
        let link = match kind {
            WebhookEvent::BreakGlass | WebhookEvent::AuditDegraded => format!("{}/audit/event/{}", self.portal, event.incident),
            _ => format!("{}/requests", self.portal),
        };
        let body = Body {
            event: kind,
            text: kind.sentence(event),
            time: moment(event.time),
            incident: &event.incident,
            outcome: event.outcome,
            person: event.person.as_ref(),
            by: event.by.as_ref(),
            role: event.role.as_deref(),
            account: account.as_deref(),
            reason: event.stated_reason.as_deref(),
            grant: event.grants.first().map(|grant| grant.id.as_str()).filter(|_| of_request),
            seconds: event.duration,
            until: event.expires.map(moment),
            link,
        };
        // What is in it are texts and numbers: JSON can say them all. Whoever shows it in a page of HTML gets no tags by that.
        let body = serde_json::to_string(&body).unwrap_or_else(|_| Value::Null.to_string());
        let body = body.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
        Message { event: kind, incident: event.incident.clone(), delivery: format!("{}-{}", event.incident, suffix()), body }
    }
}

/// Random, so that no two events have it: 50 bits.
fn suffix() -> String {
    let mut random = [0; 7];
    // Without randomness nothing else of the gateway works either, and an alarm is told all the same.
    let _ = aws_lc_rs::rand::fill(&mut random);
    let mut suffix = data_encoding::BASE32_NOPAD.encode(&random);
    suffix.truncate(10);
    suffix
}

impl WebhookEvent {
    /// What alarm an event is. A request that was refused by the rules is none; an emergency is one however it went.
    fn of(event: &Event) -> Option<Self> {
        if event.kind == Kind::Issue && event.break_glass {
            return Some(Self::BreakGlass);
        }
        let followed = Self::ALL.into_iter().find(|one| one.kind() == Some(event.kind));
        followed.filter(|_| event.kind == Kind::AuditDegraded || event.outcome == Outcome::Ok)
    }

    /// The kind of event that it follows from, and whose word is its own; none for an emergency, which is an issuance that stands out.
    const fn kind(self) -> Option<Kind> {
        match self {
            Self::BreakGlass => None,
            Self::RequestMade => Some(Kind::RequestMade),
            Self::RequestApproved => Some(Kind::RequestApproved),
            Self::RequestRefused => Some(Kind::RequestRefused),
            Self::RequestWithdrawn => Some(Kind::RequestWithdrawn),
            Self::GrantRevoked => Some(Kind::GrantRevoked),
            Self::AuditDegraded => Some(Kind::AuditDegraded),
        }
    }

    fn sentence(self, event: &Event) -> String {
        let name = |person: &Option<Person>| person.as_ref().map_or_else(|| "somebody".to_owned(), |person| person.username.clone());
        let (who, by, role) = (name(&event.person), name(&event.by), event.role.as_deref().unwrap_or("a role"));
        match (self, event.outcome) {
            (Self::BreakGlass, Outcome::Ok) => format!("Break-glass: {who} took {role}"),
            (Self::BreakGlass, _) => format!("Break-glass: {who} tried to take {role}, and did not get it"),
            (Self::RequestMade, _) => format!("{who} asks for {role}"),
            (Self::RequestApproved, _) => format!("{by} granted {role} to {who}"),
            (Self::RequestRefused, _) => format!("{by} refused {role} to {who}"),
            (Self::RequestWithdrawn, _) => format!("{who} took back the request for {role}"),
            (Self::GrantRevoked, _) => format!("{by} revoked {role} from {who}"),
            (Self::AuditDegraded, _) => "A sink of the audit trail does not take events".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
