//! What STS checks of a web identity token. Pure: keys and time are arguments.

use chrono::TimeDelta;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::error::StsError;
use super::keys::{KeySet, no_key};
use super::tags::{self, SessionTag};
use crate::arn::{RoleArn, is_name_byte};
use crate::clock::Moment;
use crate::sandbox::settings::TrustedIssuer;

/// How far the issuer's clock may be from STS's, for `iat` and `nbf`.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);
const ROLES: &str = "https://aws.amazon.com/roles";
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";

/// A token whose parts can be read and of which nothing is believed.
pub(super) struct UnverifiedToken<'a> {
    pub(super) kid: String,
    pub(super) issuer: String,
    algorithm: Algorithm,
    signed: &'a str,
    signature: &'a str,
    claims: Map<String, Value>,
}

/// What a checked token says.
#[derive(Debug)]
pub(super) struct WebIdentity {
    pub(super) subject: String,
    pub(super) audience: String,
    pub(super) jti: Option<String>,
    pub(super) tags: Vec<SessionTag>,
    pub(super) source_identity: Option<String>,
    pinned: Option<Vec<String>>,
}

impl<'a> UnverifiedToken<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, StsError> {
        let malformed = || StsError::invalid_token("The web identity token that was passed is not a signed JWT.");
        let (signed, signature) = text.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or_else(malformed)?;
        let header = object(header).ok_or_else(malformed)?;
        let claims = object(payload).ok_or_else(malformed)?;
        let algorithm = match header.get("alg").and_then(Value::as_str) {
            Some("RS256") => Algorithm::RS256,
            Some("RS384") => Algorithm::RS384,
            Some("RS512") => Algorithm::RS512,
            Some("ES256") => Algorithm::ES256,
            Some("ES384") => Algorithm::ES384,
            Some("ES512") => return Err(StsError::invalid_token("AWS takes ES512, but this sandbox cannot check it.")),
            _ => {
                return Err(StsError::invalid_token(
                    "The token's signature algorithm is not one of RS256, RS384, RS512, ES256, ES384, ES512.",
                ));
            }
        };
        if header.contains_key("crit") {
            return Err(StsError::invalid_token("The token's header demands extensions (crit) that are not known."));
        }
        let kid =
            header.get("kid").and_then(Value::as_str).ok_or_else(|| StsError::invalid_token("The token's header has no kid."))?.to_owned();
        let issuer = text_claim(&claims, "iss")?;
        Ok(Self { kid, issuer, algorithm, signed, signature, claims })
    }

    /// Signature, then times, then for whom; everything else is read afterwards.
    pub(super) fn verify(self, keys: &KeySet, issuer: &TrustedIssuer, now: Moment) -> Result<WebIdentity, StsError> {
        let key = keys.find(&self.kid, self.algorithm).ok_or_else(no_key)?;
        let genuine = jsonwebtoken::crypto::verify(self.signature, self.signed.as_bytes(), &key, self.algorithm);
        if !genuine.unwrap_or(false) || self.issuer != issuer.issuer {
            return Err(StsError::invalid_token("The token's signature is not valid."));
        }
        let claims = &self.claims;
        check_times(claims, now)?;
        let subject = text_claim(claims, "sub")?;
        if subject.is_empty() || subject.chars().count() > 255 {
            return Err(StsError::invalid_token("The sub claim must have 1 to 255 characters."));
        }
        let audience = audience(claims)?;
        if !issuer.audiences.contains(&audience) {
            return Err(StsError::invalid_token("Incorrect token audience"));
        }
        Ok(WebIdentity {
            subject,
            audience,
            jti: claims.get("jti").and_then(Value::as_str).map(str::to_owned),
            tags: tags::read(claims)?,
            source_identity: source_identity(claims)?,
            pinned: pinned_roles(claims)?,
        })
    }
}

impl WebIdentity {
    /// Whether the token names roles, and this one among them. A token that names others only is refused whatever the role thinks.
    pub(super) fn pins(&self, role: &RoleArn) -> Result<bool, StsError> {
        match &self.pinned {
            None => Ok(false),
            Some(roles) if roles.iter().any(|named| named == role.as_str()) => Ok(true),
            Some(_) => Err(StsError::invalid_token("The requested role is not among the roles that the token names.")),
        }
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).ok()?).ok()
}

fn text_claim(claims: &Map<String, Value>, name: &str) -> Result<String, StsError> {
    let text = claims.get(name).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| StsError::invalid_token(format!("The token has no {name} claim, or it is not a string.")))
}

fn check_times(claims: &Map<String, Value>, now: Moment) -> Result<(), StsError> {
    // Fractions of a second fail at AWS too.
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => {
            value.as_i64().map(Some).ok_or_else(|| StsError::invalid_token(format!("The {name} claim is not a whole number of seconds.")))
        }
    };
    let missing = |name: &str| StsError::invalid_token(format!("The token has no {name} claim."));
    let expires = time("exp")?.ok_or_else(|| missing("exp"))?;
    let issued = time("iat")?.ok_or_else(|| missing("iat"))?;
    let soon = (now + TOLERANCE).timestamp();
    // The real STS was seen to forgive five minutes here; its documentation promises none, so none is given.
    if expires <= now.timestamp() {
        return Err(StsError::expired_token(format!(
            "Token expired: current date/time {} must be before the expiration date/time {expires}",
            now.timestamp()
        )));
    }
    if issued > soon || time("nbf")?.is_some_and(|not_before| not_before > soon) {
        return Err(StsError::invalid_token("The token is from the future: iat or nbf is more than 5 minutes ahead."));
    }
    Ok(())
}

/// Whom the token is for: `azp` where there is one, and there must be one beside several audiences.
fn audience(claims: &Map<String, Value>) -> Result<String, StsError> {
    let unreadable = || StsError::invalid_token("The token has no aud claim, or it is neither a string nor a list of strings.");
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(unreadable)?,
        _ => return Err(unreadable()),
    };
    match (claims.get("azp"), &audiences[..]) {
        (Some(Value::String(party)), [_, ..]) => Ok(party.clone()),
        (None, [one]) => Ok((*one).to_owned()),
        (None, [_, _, ..]) => Err(StsError::invalid_token("A token for several audiences needs an azp claim.")),
        _ => Err(unreadable()),
    }
}

fn pinned_roles(claims: &Map<String, Value>) -> Result<Option<Vec<String>>, StsError> {
    let unreadable = || StsError::invalid_token(format!("{ROLES} is neither a role ARN nor a list of them."));
    match claims.get(ROLES) {
        None => Ok(None),
        Some(Value::String(one)) => Ok(Some(vec![one.clone()])),
        Some(Value::Array(many)) => {
            many.iter().map(|role| role.as_str().map(str::to_owned)).collect::<Option<_>>().map(Some).ok_or_else(unreadable)
        }
        Some(_) => Err(unreadable()),
    }
}

fn source_identity(claims: &Map<String, Value>) -> Result<Option<String>, StsError> {
    let Some(value) = claims.get(SOURCE_IDENTITY) else {
        return Ok(None);
    };
    let text = value.as_str().filter(|text| (2..=64).contains(&text.len()) && text.bytes().all(is_name_byte) && !text.starts_with("aws:"));
    text.map(|text| Some(text.to_owned()))
        .ok_or_else(|| StsError::invalid_token(format!(r"{SOURCE_IDENTITY} must be 2 to 64 characters of [\w+=,.@-]")))
}
