//! `[[webhook]]`, as it stands in the configuration file.

use std::path::Path;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::settings::{Problem, SecretRef, post_address};

/// The shortest secret, in bytes: who guesses it can send alarms of their own.
const SHORTEST_SECRET: usize = 16;

/// What a webhook may be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookEvent {
    /// A role for emergencies was taken, or it was tried.
    BreakGlass,
    /// Somebody asks for a role.
    #[serde(rename = "request.made")]
    RequestMade,
    /// A request was granted.
    #[serde(rename = "request.approved")]
    RequestApproved,
    /// A request was refused.
    #[serde(rename = "request.refused")]
    RequestRefused,
    /// A request was taken back, or a grant given back.
    #[serde(rename = "request.withdrawn")]
    RequestWithdrawn,
    /// An administrator ended a grant.
    #[serde(rename = "grant.revoked")]
    GrantRevoked,
    /// A sink of the audit trail does not take events.
    #[serde(rename = "audit.degraded")]
    AuditDegraded,
}

impl WebhookEvent {
    /// Every one of them.
    pub(super) const ALL: [Self; 7] = [
        Self::BreakGlass,
        Self::RequestMade,
        Self::RequestApproved,
        Self::RequestRefused,
        Self::RequestWithdrawn,
        Self::GrantRevoked,
        Self::AuditDegraded,
    ];

    /// The word for it in settings and alarms.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BreakGlass => "break_glass",
            Self::RequestMade => "request.made",
            Self::RequestApproved => "request.approved",
            Self::RequestRefused => "request.refused",
            Self::RequestWithdrawn => "request.withdrawn",
            Self::GrantRevoked => "grant.revoked",
            Self::AuditDegraded => "audit.degraded",
        }
    }
}

/// Somebody who is told of events at once.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Where alarms are posted: https, or http at a loopback address.
    pub url: String,
    /// The key with which alarms are signed (HMAC-SHA256), 16 bytes at least.
    pub secret: SecretRef,
    /// What it is told of.
    #[serde(default = "usual_events")]
    pub events: Vec<WebhookEvent>,
}

fn usual_events() -> Vec<WebhookEvent> {
    vec![WebhookEvent::BreakGlass]
}

/// A webhook that can be sent to. Prints nothing.
#[derive(Clone)]
pub struct Checked {
    pub(super) url: Url,
    pub(super) secret: SecretString,
    pub(super) events: Vec<WebhookEvent>,
}

impl WebhookSettings {
    /// Reads the secret and checks the rest. `path` is where the settings stand, `base` the configuration file's folder.
    ///
    /// # Errors
    /// Every [`Problem`].
    pub fn load(&self, path: &str, base: &Path) -> Result<Checked, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut wrong = |key: &str, message: &str, hint: &str| problems.push(Problem::new(format!("{path}.{key}"), message, hint));
        let url = post_address(&self.url, "alarms", "alarms are signed with `secret`");
        let url = url.map_err(|(message, hint)| wrong("url", &message, &hint)).ok();
        if self.events.is_empty() {
            wrong("events", "it is told of nothing", "name events, or take the webhook out");
        }
        let secret = self.secret.read(base, &format!("{path}.secret")).map_err(|problem| problems.push(problem)).ok();
        if secret.as_ref().is_some_and(|secret| secret.expose_secret().len() < SHORTEST_SECRET) {
            problems.push(Problem::new(format!("{path}.secret"), "the secret is shorter than 16 bytes", "make one: openssl rand -hex 32"));
        }
        match (url, secret) {
            (Some(url), Some(secret)) if problems.is_empty() => Ok(Checked { url, secret, events: self.events.clone() }),
            _ => Err(problems),
        }
    }
}
