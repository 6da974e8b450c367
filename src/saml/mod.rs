//! SAML 2.0 in both directions. Knows SAML, not us.
//!
//! What a stranger posts rises through types, and none can be skipped: [`prescreen`] looks at the bytes before any C library does and
//! gives [`Screened`](prescreen::Screened); [`verify`] has two independent verifiers agree on the signed bytes and gives
//! [`Verified`](verify::Verified); [`response`] reads those bytes and nothing else.

pub mod xml;
