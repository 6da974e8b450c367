//! What an attack is, and the whole way that each kind of document goes.

use std::fmt::Debug;

use chrono::TimeDelta;
use rolegate::clock::Moment;
use rolegate::saml::encryption::{DecryptionKey, Policy, decrypt};
use rolegate::saml::logout::{self, LogoutMessage, LogoutRequest};
use rolegate::saml::metadata::{IdpDescription, verify_signed};
use rolegate::saml::prescreen::prescreen;
use rolegate::saml::redirect::{MessageKind, Unverified};
use rolegate::saml::response::{Assertion, Expected, UnverifiedEnvelope, moment, read};
use rolegate::saml::verify::Verifier;
use rolegate::saml::{Certificate, Refused, decode_posted};
use secrecy::SecretString;

use crate::keys::Keys;
use crate::sibling::{ACS, IDP, NOW, REQUEST, RSA_SHA256, SLO, SP, Sign, signed, unsigned};

/// Where a document comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Door {
    /// A response that answers this request, or comes unasked.
    Response(Option<&'static str>),
    /// A response, still in its form field.
    Field,
    /// A response whose assertion may be encrypted; with CBC allowed or not.
    Encrypted { cbc: bool },
    /// A logout request by POST.
    Post,
    /// A logout message in a query.
    Query,
    /// A logout request in a SOAP envelope.
    Soap,
    /// Metadata that a pinned certificate vouches for.
    SignedMetadata,
    /// Metadata that is believed for where it came from.
    Metadata,
}

/// A document, and why it must be refused.
pub(crate) struct Case {
    pub(crate) attack: &'static str,
    pub(crate) name: String,
    pub(crate) document: String,
    pub(crate) expected: String,
    pub(crate) door: Door,
}

impl Case {
    pub(crate) fn new(attack: &'static str, name: impl Into<String>, document: String, expected: impl Into<Refused>) -> Self {
        Self::at(Door::Response(Some(REQUEST)), attack, name, document, expected.into())
    }

    pub(crate) fn at(door: Door, attack: &'static str, name: impl Into<String>, document: String, expected: impl Debug) -> Self {
        Self { attack, name: name.into(), document, expected: format!("{expected:?}"), door }
    }

    pub(crate) fn unasked(mut self) -> Self {
        self.door = Door::Response(None);
        self
    }
}

/// What the gateway knows of itself and its identity provider.
pub(crate) struct Gate {
    certificates: Vec<Certificate>,
    pub(crate) verifier: Verifier,
    decryption: Vec<DecryptionKey>,
}

pub(crate) fn now() -> Moment {
    moment(NOW).unwrap() + TimeDelta::seconds(5)
}

impl Gate {
    pub(crate) fn new(keys: &Keys) -> Self {
        let certificates = vec![keys.idp.parsed(), keys.ec.parsed()];
        let pem = SecretString::from(std::fs::read_to_string(&keys.gate.key).unwrap());
        let verifier = Verifier::new(&certificates).unwrap();
        Self { certificates, verifier, decryption: vec![DecryptionKey::from_pem(&pem).unwrap()] }
    }

    /// Whom the document names, if it is accepted, or the first refusal on the way.
    pub(crate) fn judge(&self, door: Door, document: &str) -> Result<String, String> {
        let person = |assertion: Assertion| assertion.subject.value;
        match door {
            Door::Response(request) => self.response(document.as_bytes(), request).map(person).map_err(shown),
            Door::Field => decode_posted(document).and_then(|bytes| self.response(&bytes, Some(REQUEST))).map(person).map_err(shown),
            Door::Encrypted { cbc } => self.encrypted(document, cbc).map(person).map_err(shown),
            Door::Post => {
                let read = logout::posted(MessageKind::Request, document.as_bytes(), &self.verifier);
                read.and_then(logout).map_err(shown)
            }
            Door::Query => {
                let query = Unverified::parse(document).map_err(shown)?;
                let (message, _) = logout::redirected(&query, &self.certificates).map_err(shown)?;
                logout(message).map_err(shown)
            }
            Door::Soap => logout::enveloped(document.as_bytes(), &self.verifier).and_then(|request| checked(&request)).map_err(shown),
            Door::SignedMetadata => {
                let signed = verify_signed(document.as_bytes(), &self.certificates).map_err(shown)?;
                let found = signed.describe(None).map_err(shown)?;
                found.signing(now()).map_err(shown).map(|_| found.entity_id.clone())
            }
            Door::Metadata => {
                let found = IdpDescription::parse(document.as_bytes(), None).map_err(shown)?;
                found.signing(now()).map_err(shown).map(|_| found.entity_id.clone())
            }
        }
    }

    /// From posted bytes to an assertion that is accepted.
    pub(crate) fn response(&self, document: &[u8], request: Option<&str>) -> Result<Assertion, Refused> {
        let screened = prescreen(document)?;
        let assertion = read(&self.verifier.verify(&screened)?)?;
        check(&assertion, &UnverifiedEnvelope::read(&screened)?, request)?;
        Ok(assertion)
    }

    fn encrypted(&self, document: &str, allow_cbc: bool) -> Result<Assertion, Refused> {
        let screened = prescreen(document.as_bytes())?;
        let open = |element: &rolegate::saml::xml::Element<'_>| {
            decrypt(element, &self.decryption, Policy { allow_cbc }).ok().map(|bytes| bytes.to_vec())
        };
        let assertion = read(&self.verifier.verify_encrypted(&screened, open)?)?;
        check(&assertion, &UnverifiedEnvelope::read(&screened)?, Some(REQUEST))?;
        Ok(assertion)
    }
}

fn check(assertion: &Assertion, outer: &UnverifiedEnvelope, request: Option<&str>) -> Result<(), Refused> {
    assertion.check(outer, &expected(request), now(), TimeDelta::seconds(60))
}

pub(crate) fn expected(request: Option<&str>) -> Expected<'_> {
    Expected {
        idp_entity_id: IDP,
        sp_entity_id: SP,
        acs_url: ACS,
        aws_recipient: None,
        request_id: request,
        max_age: TimeDelta::minutes(10),
    }
}

fn logout(message: LogoutMessage) -> Result<String, Refused> {
    match message {
        LogoutMessage::Request(request) => checked(&request),
        LogoutMessage::Response(_) => panic!("every case is a request"),
    }
}

fn checked(request: &LogoutRequest) -> Result<String, Refused> {
    let expected = logout::Expected { issuer: IDP, sp_entity_id: SP, destination: SLO, now: now(), skew: TimeDelta::seconds(60) };
    request.check(&expected).map(|()| request.name_id.value.clone())
}

fn shown(reason: impl Debug) -> String {
    format!("{reason:?}")
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
