//! SAML 2.0: what we write, sign, encrypt and read.

pub mod encryption;
pub mod metadata;
pub mod redirect;
pub mod sign;
pub mod write;
pub mod xml;
