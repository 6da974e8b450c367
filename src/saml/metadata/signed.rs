//! Metadata that somebody vouches for.

use thiserror::Error;

use super::{IdpDescription, MetadataRefused};
use crate::saml::verify::{NoVerifier, Verified, Verifier};
use crate::saml::{Certificate, Refused, prescreen};

/// Why signed metadata is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureRefused {
    /// There is nobody to vouch for it.
    #[error("the certificates that vouch for metadata: {0}")]
    Certificates(#[from] NoVerifier),
    /// Not signed, not by the pinned certificates, or not in the form that is taken.
    #[error("the metadata's signature: {0}")]
    Document(#[from] Refused),
}

/// Metadata that a pinned certificate vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedMetadata(Verified);

/// Verifies the signature of an `EntityDescriptor` or `EntitiesDescriptor` by one of the pinned certificates, twice, as responses are
/// verified. The signature is over the whole document; entities inside a group carry none of their own.
///
/// # Errors
/// [`SignatureRefused`]; without a certificate, always.
pub fn verify_signed(bytes: &[u8], pinned: &[Certificate]) -> Result<SignedMetadata, SignatureRefused> {
    let verifier = Verifier::new(pinned)?;
    Ok(SignedMetadata(verifier.verify(&prescreen::metadata(bytes)?)?))
}

impl SignedMetadata {
    /// The signed bytes, in canonical form.
    #[must_use]
    pub fn bytes(&self) -> &str {
        self.0.bytes()
    }

    /// Reads an identity provider out of it, as [`IdpDescription::parse`] does, and from the signed bytes alone.
    ///
    /// # Errors
    /// [`MetadataRefused`].
    pub fn describe(&self, entity_id: Option<&str>) -> Result<IdpDescription, MetadataRefused> {
        IdpDescription::of_document(&self.0.document()?, entity_id)
    }
}
