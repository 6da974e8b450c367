//! Writes XML that is already in canonical form (Exclusive XML Canonicalization 1.0, without comments).
//!
//! Because the bytes are canonical as they leave, a digest is taken over them directly: no XML library stands between what is signed and
//! what is sent. A value can never become markup: names are constants of this program, and every value is escaped where it is written.

pub mod aws;
mod canonical;
pub mod messages;
pub mod metadata;

pub use canonical::{Element, Ns, Unwritable};

use crate::clock::Moment;

/// `NameID` formats that are written here (SAML core section 8.3).
pub mod name_id_format {
    /// An opaque name that stays the same (8.3.7).
    pub const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
    /// An opaque name for one sign-in (8.3.8).
    pub const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
    /// An e-mail address (8.3.2).
    pub const EMAIL: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
    /// Whatever the identity provider prefers (8.3.1).
    pub const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";
}

/// How a message travels (SAML bindings section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binding {
    /// HTTP-Redirect (3.4).
    Redirect,
    /// HTTP-POST (3.5).
    Post,
    /// SOAP, for the back channel (3.2).
    Soap,
}

impl Binding {
    /// Its name on the wire.
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Redirect => "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect",
            Self::Post => "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST",
            Self::Soap => "urn:oasis:names:tc:SAML:2.0:bindings:SOAP",
        }
    }

    /// The binding of that name, if it is one of these.
    #[must_use]
    pub fn of_uri(uri: &str) -> Option<Self> {
        [Self::Redirect, Self::Post, Self::Soap].into_iter().find(|binding| binding.uri() == uri)
    }
}

/// A moment as SAML writes it: UTC, whole seconds (core section 1.3.3). Fractions are cut.
pub(super) fn instant(moment: Moment) -> String {
    moment.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Refuses an ID that is no `xs:ID` of plain ASCII: letters, digits, `_`, `-` and `.`, with a letter or `_` first.
pub(super) fn check_id(field: &'static str, id: &str) -> Result<(), Unwritable> {
    let mut bytes = id.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if first && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) {
        Ok(())
    } else {
        Err(Unwritable::Value { field, why: "an ID is letters, digits, `_`, `-` and `.`, and begins with a letter or `_`" })
    }
}

#[cfg(test)]
pub(super) mod tests;
