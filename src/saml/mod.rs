//! SAML 2.0 in both directions. Knows SAML, not us.
//!
//! What a stranger posts rises through types, and none can be skipped: [`prescreen`] looks at the bytes before any C library does and
//! gives [`Screened`](prescreen::Screened); [`verify`] has two independent verifiers agree on the signed bytes and gives
//! [`Verified`](verify::Verified); [`response`] reads those bytes and nothing else. What leaves is written in canonical form by
//! [`mod@write`] and signed by [`sign`].

mod base64;
pub mod encryption;
pub mod hardening;
mod known_keys;
pub mod logout;
pub mod metadata;
pub mod prescreen;
pub mod redirect;
mod refused;
pub mod response;
pub mod sign;
pub mod verify;
pub mod write;
pub mod xml;

pub use base64::decode_posted;
pub use refused::Refused;
pub use sign::Certificate;

/// The namespace of assertions.
pub const SAML_NS: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
/// The namespace of protocol messages.
pub const SAMLP_NS: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
/// The namespace of XML signatures.
pub const DS_NS: &str = "http://www.w3.org/2000/09/xmldsig#";
