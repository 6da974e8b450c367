//! An issuer's verification keys, fetched as AWS fetches them: discovery document, then key set, over loopback http only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use url::Url;

use super::error::StsError;
use crate::clock::Moment;
use crate::sandbox::settings::is_loopback;

/// How long fetched keys are used without asking again. A `kid` that is not among them makes STS ask at once.
const FRESH: TimeDelta = TimeDelta::seconds(60);
/// Documents above this are not read.
const DOCUMENT_LIMIT: usize = 256 * 1024;
/// With more RSA keys than this in a set, AWS accepts none of them.
const RSA_KEYS: usize = 100;

/// An issuer's keys by `kid`; of two with the same one, the later wins.
pub(super) struct KeySet {
    keys: HashMap<String, Value>,
    too_many_rsa: bool,
}

impl KeySet {
    pub(super) fn read(document: &Value) -> Option<Self> {
        let listed = document.get("keys")?.as_array()?;
        let rsa = listed.iter().filter(|key| key.get("kty").is_some_and(|kind| kind == "RSA")).count();
        let keys = listed.iter().filter_map(|key| Some((key.get("kid")?.as_str()?.to_owned(), key.clone()))).collect();
        Some(Self { keys, too_many_rsa: rsa > RSA_KEYS })
    }

    pub(super) fn has(&self, kid: &str) -> bool {
        self.keys.contains_key(kid)
    }

    /// The key that this token must be checked with, if AWS would use it for that. Certificates in the set (`x5c`) are not looked at.
    pub(super) fn find(&self, kid: &str, algorithm: Algorithm) -> Option<DecodingKey> {
        let key = self.keys.get(kid)?;
        let member = |name: &str| key.get(name).and_then(Value::as_str);
        let usable = key.get("key_ops").is_none() && member("use").is_none_or(|used_for| used_for == "sig");
        let fits = member("alg").is_none_or(|named| named.parse::<Algorithm>().is_ok_and(|named| named == algorithm));
        if !usable || !fits {
            return None;
        }
        match (member("kty")?, member("crv"), algorithm) {
            ("RSA", _, Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512) if !self.too_many_rsa => {
                DecodingKey::from_rsa_components(member("n")?, member("e")?).ok()
            }
            ("EC", Some("P-256"), Algorithm::ES256) | ("EC", Some("P-384"), Algorithm::ES384) => {
                DecodingKey::from_ec_components(member("x")?, member("y")?).ok()
            }
            _ => None,
        }
    }
}

/// Fetches key sets and keeps them a little while.
pub(super) struct KeyFetcher {
    http: reqwest::Client,
    kept: Mutex<HashMap<String, (Moment, Arc<KeySet>)>>,
}

impl KeyFetcher {
    pub(super) fn new() -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(2))
            .timeout(Duration::from_secs(5))
            .build()?;
        Ok(Self { http, kept: Mutex::default() })
    }

    /// The issuer's keys, fetched anew when they are old or do not have this `kid`.
    pub(super) async fn keys(&self, issuer: &str, kid: &str, now: Moment) -> Result<Arc<KeySet>, StsError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(issuer).cloned();
        if let Some((_, keys)) = kept.filter(|(since, keys)| now - *since < FRESH && keys.has(kid)) {
            return Ok(keys);
        }
        let discovery = self.document(&format!("{issuer}/.well-known/openid-configuration")).await?;
        if discovery.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err(no_key());
        }
        let place = discovery.get("jwks_uri").and_then(Value::as_str).ok_or_else(no_key)?;
        let keys = Arc::new(KeySet::read(&self.document(place).await?).ok_or_else(no_key)?);
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(issuer.to_owned(), (now, Arc::clone(&keys)));
        Ok(keys)
    }

    async fn document(&self, url: &str) -> Result<Value, StsError> {
        serde_json::from_slice(&self.fetch(url).await?).map_err(|_| no_key())
    }

    /// A document that is text, such as metadata.
    pub(super) async fn text(&self, url: &str) -> Result<String, StsError> {
        String::from_utf8(self.fetch(url).await?).map_err(|_| no_key())
    }

    async fn fetch(&self, url: &str) -> Result<Vec<u8>, StsError> {
        let url = Url::parse(url).ok().filter(is_loopback).ok_or_else(no_key)?;
        let unreachable = |error: reqwest::Error| {
            StsError::idp_communication(format!("The identity provider cannot be reached: {}", error.without_url()))
        };
        let mut response = self.http.get(url).send().await.map_err(unreachable)?;
        if response.status().is_server_error() {
            return Err(StsError::idp_communication(format!("The identity provider answered {}.", response.status())));
        }
        if !response.status().is_success() {
            return Err(no_key());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > DOCUMENT_LIMIT {
                return Err(no_key());
            }
        }
        Ok(body)
    }
}

/// The provider answered, but with nothing that a token can be checked with.
pub(super) fn no_key() -> StsError {
    StsError::invalid_token("Couldn't retrieve verification key from your identity provider")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_that_aws_does_not_use_are_not_used() {
        let key = json!({"kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB"});
        let with = |name: &str, value: Value| {
            let mut key = key.clone();
            key[name] = value;
            KeySet::read(&json!({ "keys": [key] })).unwrap()
        };
        assert!(with("use", json!("sig")).find("a", Algorithm::RS256).is_some());
        assert!(with("use", json!("sig")).find("b", Algorithm::RS256).is_none());
        assert!(with("use", json!("enc")).find("a", Algorithm::RS256).is_none());
        assert!(with("key_ops", json!(["verify"])).find("a", Algorithm::RS256).is_none());
        assert!(with("alg", json!("RS512")).find("a", Algorithm::RS256).is_none());
        assert!(with("kty", json!("EC")).find("a", Algorithm::RS256).is_none());
        assert!(with("use", json!("sig")).find("a", Algorithm::ES256).is_none());
        let many: Vec<Value> = (0..=RSA_KEYS).map(|_| key.clone()).collect();
        assert!(KeySet::read(&json!({ "keys": many })).unwrap().find("a", Algorithm::RS256).is_none());
    }
}
