//! What a provider says when its own session with somebody has ended (OpenID Connect Back-Channel Logout 1.0).

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::Value;

use super::Provider;
use crate::clock::Moment;
use crate::identity::jwt::{LEEWAY, date};
use crate::identity::{Claims, Rejected};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// How old a token may be. Providers send it at once, and again for a while if it did not arrive.
const LONGEST_AGE: TimeDelta = TimeDelta::minutes(10);
/// The longest `sid`, `sub` or `jti`, in bytes.
const LONGEST_WORD: usize = 256;

/// A logout token that is genuine, for us, and of now. It must not have been used before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutToken {
    /// The session that ended at the provider; without one, all of the person's.
    pub sid: Option<String>,
    /// Whose.
    pub sub: Option<String>,
    /// What tells the token from all others.
    pub mark: Vec<u8>,
    /// How long it must be remembered that it was used.
    pub remember: Duration,
}

impl Provider {
    /// Reads a logout token (section 2.6): algorithm, key, issuer, audience and times as those of an ID token, and that it is none.
    ///
    /// # Errors
    /// The [`Rejected`] that says why it is not believed: nothing may be ended.
    pub async fn read_logout_token(&self, token: &str, now: Moment) -> Result<LogoutToken, Rejected> {
        let metadata = self.metadata(now).await?;
        let is_logout =
            |kind: Option<&str>| kind.is_none_or(|kind| ["jwt", "logout+jwt"].iter().any(|known| kind.eq_ignore_ascii_case(known)));
        let claims = self.accepted_claims(token, &metadata, is_logout, now).await?;
        // An ID token has a nonce: none can be played here.
        if claims.find("nonce").is_some() {
            return Err(Rejected::Malformed("a logout token has no nonce"));
        }
        let announces = |events: &Value| events.get(EVENT).is_some_and(Value::is_object);
        if !claims.find("events").is_some_and(announces) {
            return Err(Rejected::MissingClaim("events"));
        }
        let issued = date(&claims, "iat")?.ok_or(Rejected::MissingClaim("iat"))?;
        let age = now.timestamp().saturating_sub(issued);
        if age > LONGEST_AGE.num_seconds() {
            return Err(Rejected::Expired(age - LONGEST_AGE.num_seconds()));
        }
        let jti = word(&claims, "jti")?.ok_or(Rejected::MissingClaim("jti"))?;
        let (sid, sub) = (word(&claims, "sid")?, word(&claims, "sub")?);
        // Of several tenants a subject is told by more than `sub`, so only a session can be named.
        if sid.is_none() && (sub.is_none() || self.0.checked.issuer.has_tenants()) {
            return Err(Rejected::MissingClaim("sid"));
        }
        let from = claims.text("iss").unwrap_or_default();
        let mark = format!("logout token\0{from}\0{jti}").into_bytes();
        // From its future end to its past one, by anybody's clock.
        let remember = Duration::from_secs((LONGEST_AGE.num_seconds() + 3 * LEEWAY).unsigned_abs());
        Ok(LogoutToken { sid, sub, mark, remember })
    }
}

fn word(claims: &Claims, name: &'static str) -> Result<Option<String>, Rejected> {
    match claims.find(name) {
        None => Ok(None),
        Some(Value::String(word)) if (1..=LONGEST_WORD).contains(&word.len()) => Ok(Some(word.clone())),
        Some(_) => Err(Rejected::MissingClaim(name)),
    }
}
