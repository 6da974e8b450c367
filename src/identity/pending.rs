//! A login between its beginning and its answer.

use std::fmt;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::ProviderId;
use crate::clock::Moment;

/// A login that was begun and waits for the provider's answer. Single use, bound to one browser, [`PendingLogin::LIFE`] old at most.
#[derive(Serialize, Deserialize)]
pub struct PendingLogin {
    /// The provider that was asked; an answer by any other is refused.
    pub provider: ProviderId,
    /// The hash of the browser's own cookie: another browser cannot finish this login.
    pub browser: String,
    /// Where in the gateway the person wanted to go: a local path, checked.
    pub return_to: String,
    /// When it was begun.
    pub begun: Moment,
    /// What the answer must match, by the protocol that was spoken.
    pub secrets: LoginSecrets,
}

/// What a login's answer must match. An answer of one protocol is never held against the secrets of another.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginSecrets {
    /// OpenID Connect.
    Oidc {
        /// The nonce that the ID token must carry (OpenID Connect Core 3.1.2.1).
        nonce: String,
        /// The PKCE verifier (RFC 7636) that redeems the code.
        verifier: String,
    },
    /// SAML.
    Saml {
        /// The ID of our request, which the response must answer.
        request: String,
    },
}

impl PendingLogin {
    /// How long a login may wait for its answer.
    pub const LIFE: TimeDelta = TimeDelta::minutes(10);

    /// How long the login may still wait; none if it has waited too long.
    #[must_use]
    pub fn left(&self, now: Moment) -> Option<TimeDelta> {
        let left = Self::LIFE - (now - self.begun);
        (left >= TimeDelta::zero()).then_some(left)
    }
}

impl fmt::Debug for PendingLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its secrets are what an attacker who saw the code still lacks.
        f.debug_struct("PendingLogin").field("provider", &self.provider).field("begun", &self.begun).finish_non_exhaustive()
    }
}
