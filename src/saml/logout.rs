//! Reads logout messages (SAML Core section 3.7, SAML Profiles section 4.4), which come by POST, by Redirect, or in a SOAP envelope.
//!
//! A forged one would end other people's sessions, or keep one alive that its owner believes ended: only what the identity provider signed
//! is read, by the rules that responses are held to.

#[cfg(test)]
mod tests;

use chrono::TimeDelta;
use thiserror::Error;

use super::prescreen::{in_soap, message, unsigned_message};
use super::redirect::{MessageKind, RedirectRefused, Unverified};
use super::response::read::{issuer, name_id, required, required_time, time};
use super::response::{NameId, SUCCESS};
use super::verify::Verifier;
use super::write::Binding;
use super::xml::Element;
use super::{Certificate, Refused, SAML_NS, SAMLP_NS};
use crate::clock::Moment;

/// How old a message may be: nobody waits at a sign-out for longer.
const LONGEST_AGE: TimeDelta = TimeDelta::minutes(10);
const PARTIAL: &str = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout";

/// Why a logout message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LogoutRefused {
    /// The message itself.
    #[error(transparent)]
    Message(#[from] Refused),
    /// The query that carries it.
    #[error(transparent)]
    Query(#[from] RedirectRefused),
}

/// A logout message that the identity provider signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogoutMessage {
    /// It asks to end sessions.
    Request(LogoutRequest),
    /// It answers our own request.
    Response(LogoutResponse),
}

/// A request to end sessions. Until [`LogoutRequest::check`] passes it may be old, or not for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutRequest {
    /// Its ID, which our answer names.
    pub id: String,
    /// The entity ID of the identity provider.
    pub issuer: String,
    /// Where it was sent to.
    pub destination: Option<String>,
    /// When it was made.
    pub issue_instant: Moment,
    /// From when on it means nothing, if that is said.
    pub not_on_or_after: Option<Moment>,
    /// Whose sessions.
    pub name_id: NameId,
    /// Which of them; with none, all.
    pub session_indexes: Vec<String>,
    /// How it came.
    pub binding: Binding,
}

/// The answer to a request of ours. Until [`LogoutResponse::check`] passes it may be old, not for us, or of another request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutResponse {
    /// Its ID.
    pub id: String,
    /// The request that it answers.
    pub in_response_to: Option<String>,
    /// The entity ID of the identity provider.
    pub issuer: String,
    /// Where it was sent to.
    pub destination: Option<String>,
    /// When it was made.
    pub issue_instant: Moment,
    /// Whether every session is over, elsewhere too.
    pub success: bool,
}

/// What a logout message must say for us to act on it.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The entity ID of the identity provider whose certificates verified it.
    pub issuer: &'a str,
    /// Our own entity ID at this provider.
    pub sp_entity_id: &'a str,
    /// The configured address that takes logout messages by this binding: never taken from the request.
    pub destination: &'a str,
    /// The time.
    pub now: Moment,
    /// How far the identity provider's clock may be off ours.
    pub skew: TimeDelta,
}

/// Reads a message by the POST binding: the decoded `SAMLRequest` or `SAMLResponse`, as `kind` says.
///
/// # Errors
/// The first [`Refused`] met.
pub fn posted(kind: MessageKind, bytes: &[u8], verifier: &Verifier) -> Result<LogoutMessage, Refused> {
    let signed = verifier.verify(&message(bytes)?)?;
    read(&signed.document()?.root, kind, Binding::Post)
}

/// Reads a message by the Redirect binding, whose query is signed; returns its `RelayState` too.
///
/// # Errors
/// [`LogoutRefused`]; without a certificate, always.
pub fn redirected(query: &Unverified<'_>, certificates: &[Certificate]) -> Result<(LogoutMessage, Option<String>), LogoutRefused> {
    let verified = query.verify(certificates)?;
    let message = read(&unsigned_message(&verified.xml)?.root, verified.kind, Binding::Redirect)?;
    Ok((message, verified.relay_state))
}

/// Reads a request in a SOAP 1.1 envelope, posted by the identity provider itself.
///
/// # Errors
/// The first [`Refused`] met.
pub fn enveloped(bytes: &[u8], verifier: &Verifier) -> Result<LogoutRequest, Refused> {
    let signed = verifier.verify(&in_soap(bytes)?)?;
    match read(&signed.document()?.root, MessageKind::Request, Binding::Soap)? {
        LogoutMessage::Request(request) => Ok(request),
        LogoutMessage::Response(_) => Err(Refused::Root),
    }
}

fn read(element: &Element<'_>, kind: MessageKind, binding: Binding) -> Result<LogoutMessage, Refused> {
    match kind {
        MessageKind::Request if element.is(SAMLP_NS, "LogoutRequest") => request(element, binding).map(LogoutMessage::Request),
        MessageKind::Response if element.is(SAMLP_NS, "LogoutResponse") => response(element).map(LogoutMessage::Response),
        _ => Err(Refused::Root),
    }
}

fn request(element: &Element<'_>, binding: Binding) -> Result<LogoutRequest, Refused> {
    if element.children(SAML_NS, "EncryptedID").next().is_some() {
        return Err(Refused::EncryptedName);
    }
    let index = |index: &Element<'_>| Ok(index.text()?.to_owned());
    Ok(LogoutRequest {
        id: required(element, "ID")?,
        issuer: issuer(element.only_child(SAML_NS, "Issuer")?)?,
        destination: element.attribute("Destination").map(str::to_owned),
        issue_instant: required_time(element, "IssueInstant")?,
        not_on_or_after: time(element, "NotOnOrAfter")?,
        name_id: name_id(element.only_child(SAML_NS, "NameID")?)?,
        session_indexes: element.children(SAMLP_NS, "SessionIndex").map(index).collect::<Result<_, Refused>>()?,
        binding,
    })
}

fn response(element: &Element<'_>) -> Result<LogoutResponse, Refused> {
    let code = element.only_child(SAMLP_NS, "Status")?.only_child(SAMLP_NS, "StatusCode")?;
    let partial = code.optional_child(SAMLP_NS, "StatusCode")?.is_some_and(|code| code.attribute("Value") == Some(PARTIAL));
    Ok(LogoutResponse {
        id: required(element, "ID")?,
        in_response_to: element.attribute("InResponseTo").map(str::to_owned),
        issuer: issuer(element.only_child(SAML_NS, "Issuer")?)?,
        destination: element.attribute("Destination").map(str::to_owned),
        issue_instant: required_time(element, "IssueInstant")?,
        success: required(code, "Value")? == SUCCESS && !partial,
    })
}

impl LogoutRequest {
    /// Checks issuer, address and times. That it was not used before is the caller's to see to, until [`Self::replayable_until`].
    ///
    /// # Errors
    /// The first [`Refused`] met.
    pub fn check(&self, expected: &Expected<'_>) -> Result<(), Refused> {
        // A browser carries a message anywhere, so there the address must be named (SAML Bindings 3.4.5.2 and 3.5.5.2). In an envelope it
        // may be left out (section 3.2); but another service that got one could pass it on to us. So then the name must say that it was
        // made for us.
        let by_name = self.binding == Binding::Soap && self.name_id.sp_name_qualifier.as_deref() == Some(expected.sp_entity_id);
        expected.check(&self.issuer, self.destination.as_deref(), !by_name, self.issue_instant)?;
        let over = self.not_on_or_after.map(|end| expected.now.signed_duration_since(end)).filter(|over| *over >= expected.skew);
        over.map_or(Ok(()), |over| Err(Refused::Expired(over.num_seconds())))
    }
}

impl LogoutRequest {
    /// Until when a replay of it could still be accepted, so how long it must be remembered.
    #[must_use]
    pub fn replayable_until(&self, skew: TimeDelta) -> Moment {
        let oldest = self.issue_instant + LONGEST_AGE;
        self.not_on_or_after.map_or(oldest, |end| end.min(oldest)) + skew
    }
}

impl LogoutResponse {
    /// Checks issuer, address and time, and that it answers `request_id`.
    ///
    /// # Errors
    /// The first [`Refused`] met.
    pub fn check(&self, expected: &Expected<'_>, request_id: &str) -> Result<(), Refused> {
        expected.check(&self.issuer, self.destination.as_deref(), true, self.issue_instant)?;
        if self.in_response_to.as_deref() == Some(request_id) { Ok(()) } else { Err(Refused::InResponseTo) }
    }
}

impl Expected<'_> {
    fn check(&self, issuer: &str, destination: Option<&str>, must_name_us: bool, instant: Moment) -> Result<(), Refused> {
        if issuer != self.issuer {
            return Err(Refused::Issuer);
        }
        if destination.map_or(must_name_us, |destination| destination != self.destination) {
            return Err(Refused::Destination);
        }
        let age = self.now.signed_duration_since(instant);
        if age < -self.skew {
            return Err(Refused::NotYetValid(-age.num_seconds()));
        }
        if age >= LONGEST_AGE + self.skew { Err(Refused::TooOld) } else { Ok(()) }
    }
}
