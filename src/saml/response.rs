//! Reads a verified assertion and checks all that it says against what was expected (SAML Core section 2, SAML Profiles section 4.1.4).

mod check;
pub(super) mod read;
#[cfg(test)]
mod tests;
mod time;

use chrono::TimeDelta;

pub use check::{AWS_AUDIENCE, Expected, UnverifiedEnvelope};
pub use read::read;
pub use time::moment;

use crate::clock::Moment;

/// The status of a sign-in that went well.
pub const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";

/// An assertion that the identity provider signed. Until [`Assertion::check`] passes it may be old, or not for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// Its ID, unique at the issuer: what replay protection remembers.
    pub id: String,
    /// The entity ID of the identity provider.
    pub issuer: String,
    /// When it was issued.
    pub issue_instant: Moment,
    /// Who it is about.
    pub subject: NameId,
    /// The one bearer confirmation.
    pub confirmation: Confirmation,
    /// When and for whom it counts.
    pub conditions: Conditions,
    /// How the subject signed in.
    pub authn: Authn,
    /// What else it says of the subject. Attributes of the same name are one, with all values in order.
    pub attributes: Vec<Attribute>,
}

/// A `NameID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameId {
    /// The name, exactly as written.
    pub value: String,
    /// What kind of name it is, if that is said.
    pub format: Option<String>,
    /// `NameQualifier`: who names the subject so.
    pub name_qualifier: Option<String>,
    /// `SPNameQualifier`: for which service.
    pub sp_name_qualifier: Option<String>,
}

/// The bearer `SubjectConfirmationData`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// The address that it may be posted to.
    pub recipient: String,
    /// From when on it is too late.
    pub not_on_or_after: Moment,
    /// The request that it answers, if any.
    pub in_response_to: Option<String>,
}

/// `Conditions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions {
    /// From when on it counts.
    pub not_before: Option<Moment>,
    /// Until when.
    pub not_on_or_after: Option<Moment>,
    /// Each restriction's audiences: we must be in every one of the lists.
    pub audiences: Vec<Vec<String>>,
    /// Whether it may be used once only. We use every assertion once only.
    pub one_time_use: bool,
}

/// `AuthnStatement`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authn {
    /// When the subject signed in at the identity provider.
    pub instant: Moment,
    /// The identity provider's session, for single logout.
    pub session_index: Option<String>,
    /// When that session ends.
    pub session_not_on_or_after: Option<Moment>,
    /// How the subject signed in (`AuthnContextClassRef`).
    pub context_class: Option<String>,
}

/// An attribute of the subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// What kind of name that is.
    pub name_format: Option<String>,
    /// A name for people to read, which decides nothing.
    pub friendly_name: Option<String>,
    /// Its values as text. A value that is no text, nor a single `NameID`, is left out.
    pub values: Vec<String>,
}

impl Assertion {
    /// Until when a replay of it could still be accepted, so how long it must be remembered.
    #[must_use]
    pub fn replayable_until(&self, max_age: TimeDelta, skew: TimeDelta) -> Moment {
        let aged = self.issue_instant.checked_add_signed(max_age).unwrap_or(Moment::MAX_UTC);
        let last = self.confirmation.not_on_or_after.min(aged);
        last.checked_add_signed(skew).unwrap_or(Moment::MAX_UTC)
    }
}
