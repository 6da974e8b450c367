//! What we write in SAML, before others: `xmlsec1`, Python's signxml and cryptography, pysaml2's schemas, npm's node-saml, openssl. And what
//! others encrypt, before us.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../support/mod.rs"]
mod support;

mod encryption;
mod messages;
mod response;
mod world;
