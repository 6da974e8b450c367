//! What an attack is, and the whole way that a response goes.

use chrono::TimeDelta;
use rolegate::saml::Refused;
use rolegate::saml::prescreen::prescreen;
use rolegate::saml::response::{Assertion, Expected, UnverifiedEnvelope, moment, read};
use rolegate::saml::verify::Verifier;

use crate::keys::Keys;
use crate::sibling::{ACS, IDP, NOW, REQUEST, RSA_SHA256, SP, Sign, signed, unsigned};

/// A document, and why it must be refused.
pub(crate) struct Case {
    pub(crate) attack: &'static str,
    pub(crate) name: String,
    pub(crate) document: String,
    pub(crate) expected: Refused,
    pub(crate) request: Option<&'static str>,
}

impl Case {
    pub(crate) fn new(attack: &'static str, name: impl Into<String>, document: String, expected: impl Into<Refused>) -> Self {
        Self { attack, name: name.into(), document, expected: expected.into(), request: Some(REQUEST) }
    }

    pub(crate) fn unasked(mut self) -> Self {
        self.request = None;
        self
    }
}

/// From posted bytes to an assertion that is accepted, or the first refusal on the way.
pub(crate) fn judge(verifier: &Verifier, document: &str, request: Option<&str>) -> Result<Assertion, Refused> {
    let screened = prescreen(document.as_bytes())?;
    let assertion = read(&verifier.verify(&screened)?)?;
    let expected = Expected { idp_entity_id: IDP, sp_entity_id: SP, acs_url: ACS, request_id: request, max_age: TimeDelta::minutes(10) };
    let now = moment(NOW).unwrap() + TimeDelta::seconds(5);
    assertion.check(&UnverifiedEnvelope::read(&screened)?, &expected, now, TimeDelta::seconds(60))?;
    Ok(assertion)
}

/// A sibling signed as it stands.
pub(crate) fn valid(keys: &Keys, sign: Sign) -> String {
    signed(keys, &keys.idp, sign, &unsigned(sign, RSA_SHA256))
}

/// A sibling changed before the identity provider signs it.
pub(crate) fn resigned(keys: &Keys, sign: Sign, from: &str, to: &str) -> String {
    signed(keys, &keys.idp, sign, &swap(&unsigned(sign, RSA_SHA256), from, to))
}

/// Replaces the first occurrence, which must be there.
pub(crate) fn swap(document: &str, from: &str, to: &str) -> String {
    assert!(document.contains(from), "{from} is not in {document}");
    document.replacen(from, to, 1)
}

/// Replaces the last occurrence, which must be there.
pub(crate) fn swap_last(document: &str, from: &str, to: &str) -> String {
    let place = document.rfind(from).unwrap_or_else(|| panic!("{from} is not in {document}"));
    format!("{}{to}{}", &document[..place], &document[place + from.len()..])
}

/// The first stretch from one mark to the end of another.
pub(crate) fn piece(document: &str, from: &str, to: &str) -> String {
    let start = document.find(from).unwrap_or_else(|| panic!("{from} is not in {document}"));
    let end = start + document[start..].find(to).unwrap() + to.len();
    document[start..end].to_owned()
}

pub(crate) fn assertion_of(document: &str) -> String {
    piece(document, "<saml:Assertion", "</saml:Assertion>")
}

pub(crate) fn signature_of(document: &str) -> String {
    piece(document, "<ds:Signature ", "</ds:Signature>")
}
