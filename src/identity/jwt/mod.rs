//! Verifies signed tokens (JWS compact form, RFC 7515; claims, RFC 7519; hardened as RFC 8725 says).
//!
//! Trust rises in three steps, each its own type: [`Unverified`] was only taken apart, [`Signed`] was signed by a key of the issuer's
//! set, and what [`Signed::accept`] returns is also from the right issuer, for us, and valid now. Nothing can be skipped.

mod json;
mod keys;
#[cfg(test)]
mod tests;

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

pub use json::{NotStrictJson, object};
pub use keys::{ASYMMETRIC, Key, KeySet, NoKey, asymmetric};

use super::Rejected;
use super::claims::Claims;
use crate::clock::Moment;

/// A token longer than this, in bytes, is not looked at.
pub const MAX_TOKEN: usize = 64 * 1024;
/// How far the signer's clock may be off ours, in seconds.
pub const LEEWAY: i64 = 60;

/// A token taken apart, its signature not looked at yet.
pub struct Unverified<'t> {
    algorithm: Option<Algorithm>,
    kid: Option<String>,
    kind: Option<String>,
    signed_part: &'t str,
    payload: &'t str,
    signature: &'t str,
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").field("algorithm", &self.algorithm).field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl<'t> Unverified<'t> {
    /// Takes a token apart. Of the header only `alg`, `kid` and `typ` are kept: keys that a token brings along (`jwk`, `jku`, `x5c`,
    /// `x5u`) are nobody's word but its own.
    ///
    /// # Errors
    /// [`Rejected::Malformed`] for what is no compact JWS, repeats a header member, or names extensions that must be understood (`crit`).
    pub fn parse(token: &'t str) -> Result<Self, Rejected> {
        if token.len() > MAX_TOKEN {
            return Err(Rejected::Malformed("it is too long"));
        }
        let (signed_part, signature) = token.rsplit_once('.').ok_or(Rejected::Malformed("it has not three parts"))?;
        let (header, payload) = signed_part.split_once('.').ok_or(Rejected::Malformed("it has not three parts"))?;
        if payload.contains('.') {
            return Err(Rejected::Malformed("it has not three parts"));
        }
        let header = part(header, Rejected::Malformed("the header is not strict JSON"))?;
        if header.contains_key("crit") {
            return Err(Rejected::Malformed("the header demands extensions"));
        }
        let word = |name: &str, refusal| match header.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Rejected::Malformed(refusal)),
        };
        let algorithm = word("alg", "alg is not a string")?.ok_or(Rejected::Malformed("the header has no alg"))?;
        Ok(Self {
            algorithm: asymmetric(&algorithm),
            kid: word("kid", "kid is not a string")?,
            kind: word("typ", "typ is not a string")?,
            signed_part,
            payload,
            signature,
        })
    }

    /// The `typ` that the header claims (RFC 8725 section 3.11).
    #[must_use]
    pub fn unverified_type(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// A claim that the payload makes, to choose who could vouch for it. Nobody vouches for it yet.
    #[must_use]
    pub fn unverified_text(&self, claim: &str) -> Option<String> {
        let payload = part(self.payload, Rejected::Malformed("the payload is not strict JSON")).ok()?;
        payload.get(claim)?.as_str().map(str::to_owned)
    }

    /// What the signature is over: header and payload as they came.
    #[must_use]
    pub const fn signed_part(&self) -> &str {
        self.signed_part
    }

    /// Checks the signature against a key set, with one of the allowed algorithms.
    ///
    /// # Errors
    /// [`Rejected::Algorithm`], [`Rejected::UnknownKey`] (a fresh key set may cure it), [`Rejected::Signature`], or [`Rejected::Malformed`]
    /// when the signed payload is no strict JSON object.
    pub fn verify(&self, keys: &KeySet, allowed: &[Algorithm]) -> Result<Signed, Rejected> {
        let algorithm = self.algorithm.filter(|algorithm| allowed.contains(algorithm)).ok_or(Rejected::Algorithm)?;
        let candidates = keys.choose(self.kid.as_deref(), algorithm).map_err(|reason| match reason {
            NoKey::Unknown => Rejected::UnknownKey,
            NoKey::Misfit => Rejected::Algorithm,
        })?;
        let verifies = |key: &&Key| {
            jsonwebtoken::crypto::verify(self.signature, self.signed_part.as_bytes(), &key.public, algorithm).is_ok_and(|valid| valid)
        };
        let key = candidates.into_iter().find(verifies).ok_or(Rejected::Signature)?;
        let claims = part(self.payload, Rejected::Malformed("the payload is not strict JSON"))?;
        Ok(Signed { claims: Claims::new(claims), key_issuer: key.issuer().map(str::to_owned) })
    }
}

fn part(text: &str, refusal: Rejected) -> Result<Map<String, Value>, Rejected> {
    BASE64URL_NOPAD.decode(text.as_bytes()).ok().and_then(|bytes| object(&bytes).ok()).ok_or(refusal)
}

/// Claims that a key of the issuer's set signed. Who they are for, and when, is still unchecked.
#[derive(Debug)]
pub struct Signed {
    claims: Claims,
    key_issuer: Option<String>,
}

/// What a token must say for us to accept it.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The exact `iss`.
    pub issuer: &'a str,
    /// The audience that is us.
    pub audience: &'a str,
}

impl Signed {
    /// A signed claim that is a string, for choosing what to expect; the token is not accepted yet.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.claims.text(name)
    }

    /// The issuer that the signing key is confined to, if the key set says so.
    #[must_use]
    pub fn key_issuer(&self) -> Option<&str> {
        self.key_issuer.as_deref()
    }

    /// Checks issuer, audience, authorised party and the times, as OpenID Connect Core 3.1.3.7 says, with [`LEEWAY`] for clocks.
    ///
    /// # Errors
    /// The [`Rejected`] of the first claim that is missing or wrong.
    pub fn accept(self, expected: &Expected<'_>, now: Moment) -> Result<Claims, Rejected> {
        let claims = self.claims;
        if claims.text("iss").ok_or(Rejected::MissingClaim("iss"))? != expected.issuer {
            return Err(Rejected::Issuer);
        }
        check_audience(&claims, expected.audience)?;
        let now = now.timestamp();
        let over = now.saturating_sub(date(&claims, "exp")?.ok_or(Rejected::MissingClaim("exp"))?);
        if over >= LEEWAY {
            return Err(Rejected::Expired(over));
        }
        let issued = date(&claims, "iat")?.ok_or(Rejected::MissingClaim("iat"))?;
        let ahead = date(&claims, "nbf")?.map_or(issued, |begins| begins.max(issued)).saturating_sub(now);
        if ahead > LEEWAY {
            return Err(Rejected::NotYetValid(ahead));
        }
        Ok(claims)
    }
}

fn check_audience(claims: &Claims, us: &str) -> Result<(), Rejected> {
    let audiences = claims.strings("aud").map_err(|_| Rejected::MissingClaim("aud"))?;
    let authorised = match claims.find("azp") {
        None => None,
        Some(azp) => Some(azp.as_str().ok_or(Rejected::MissingClaim("azp"))?),
    };
    let named = audiences.iter().any(|audience| audience == us);
    // Several audiences share a token; only `azp` says which of them it was issued to.
    if !named || authorised.map_or(audiences.len() > 1, |azp| azp != us) {
        return Err(Rejected::Audience);
    }
    Ok(())
}

/// A `NumericDate` claim (RFC 7519 section 2) in whole seconds; none if the claim is absent.
///
/// # Errors
/// [`Rejected::MissingClaim`] when the claim is there but is not a date.
pub fn date(claims: &Claims, name: &'static str) -> Result<Option<i64>, Rejected> {
    let Some(value) = claims.find(name) else { return Ok(None) };
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked, and fractions of a second do not matter")]
    let seconds = value.as_i64().or_else(|| value.as_f64().filter(|date| (0.0..1e12).contains(date)).map(|date| date as i64));
    seconds.filter(|date| (0..1_000_000_000_000).contains(date)).map(Some).ok_or(Rejected::MissingClaim(name))
}

/// Compares two secrets in a time that tells nothing about where they differ.
#[must_use]
pub fn same_secret(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}
