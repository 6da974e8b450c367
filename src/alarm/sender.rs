//! Sends alarms to one webhook, one after the other.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_lc_rs::hmac;
use reqwest::Client;
use secrecy::ExposeSecret;
use tokio::sync::mpsc;

use super::settings::Checked;
use super::{Message, State};
use crate::clock::Clock;
use crate::posting;
use crate::settings::with_causes;

const TOTAL: Duration = Duration::from_secs(10);
/// How long is waited before each further try.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(25)];

/// What sends.
pub(super) struct Sender {
    client: Option<Client>,
    webhook: Checked,
    key: hmac::Key,
    state: Arc<State>,
    clock: Arc<dyn Clock>,
}

impl Sender {
    pub(super) fn new(webhook: Checked, state: Arc<State>, clock: Arc<dyn Clock>) -> Self {
        let client = posting::client(&webhook.url, None, TOTAL);
        let client = client.inspect_err(|error| tracing::error!(%error, "there is no way to the webhook")).ok();
        let key = hmac::Key::new(hmac::HMAC_SHA256, webhook.secret.expose_secret().as_bytes());
        Self { client, webhook, key, state, clock }
    }

    pub(super) async fn run(self, mut waiting: mpsc::Receiver<Arc<Message>>) {
        while let Some(message) = waiting.recv().await {
            let sent = self.deliver(&message).await;
            let count = if sent { &self.state.sent } else { &self.state.given_up };
            count.fetch_add(1, Ordering::Relaxed);
            self.state.waiting.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Tries until it is taken, and not for ever.
    async fn deliver(&self, message: &Message) -> bool {
        let mut pauses = PAUSES.iter();
        loop {
            let Err(why) = self.attempt(message).await else { return true };
            let (incident, webhook) = (&message.incident, &self.state.origin);
            let Some(pause) = pauses.next() else {
                tracing::error!(%incident, %webhook, reason = why, "an alarm was given up: the audit trail has the event");
                return false;
            };
            tracing::warn!(%incident, %webhook, reason = why, "the webhook did not take an alarm, and is tried again");
            tokio::time::sleep(*pause).await;
        }
    }

    async fn attempt(&self, message: &Message) -> Result<(), String> {
        let client = self.client.as_ref().ok_or("there is no client")?;
        // Signed at each try: receivers refuse what is old.
        let timestamp = self.clock.now().timestamp().to_string();
        let request = client
            .post(self.webhook.url.clone())
            .header("content-type", "application/json")
            .header("x-rolegate-event", message.event.as_str())
            .header("x-rolegate-delivery", &message.delivery)
            .header("x-rolegate-timestamp", &timestamp)
            .header("x-rolegate-signature", self.signature(&timestamp, &message.body))
            .body(message.body.clone());
        // An error's own text may have the address in it, whose path may be a secret.
        let answer = request.send().await.map_err(|error| with_causes(&error.without_url()))?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(format!("it answered with status {}", status.as_u16())) }
    }

    /// `v1=` and the MAC, in hex, of the timestamp, a dot and the body.
    fn signature(&self, timestamp: &str, body: &str) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [timestamp, ".", body] {
            context.update(part.as_bytes());
        }
        format!("v1={}", data_encoding::HEXLOWER.encode(context.sign().as_ref()))
    }
}
