//! Checks signatures, twice: by xmlsec and by an independent verifier in Rust. Both must agree on the very bytes that are read afterwards.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bergshamra::keys::loader::load_x509_cert_der;
use bergshamra::{DsigContext, KeysManager, VerifyResult, verify_all};
use samael::crypto::{AllowedSignatureAlgorithm, CertificateDer, Crypto, CryptoProvider, ReduceMode};
use thiserror::Error;

use super::hardening::{self, NotHardened};
use super::prescreen::{Over, Screened, prescreen_assertion};
use super::xml::{Document, Element, Limits, XmlRefused, root_tag};
use super::{Certificate, Refused, SAML_NS, SAMLP_NS};

const ALGORITHMS: [AllowedSignatureAlgorithm; 6] = [
    AllowedSignatureAlgorithm::RsaSha256,
    AllowedSignatureAlgorithm::RsaSha384,
    AllowedSignatureAlgorithm::RsaSha512,
    AllowedSignatureAlgorithm::EcdsaSha256,
    AllowedSignatureAlgorithm::EcdsaSha384,
    AllowedSignatureAlgorithm::EcdsaSha512,
];

/// Why there is no verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoVerifier {
    /// An identity provider without a signing certificate cannot be trusted with anything.
    #[error("there is no signing certificate")]
    NoCertificate,
    /// A key that could be broken or that we do not verify with.
    #[error("a signing certificate's key is neither RSA of 2048 to 8192 bits nor P-256 nor P-384")]
    WeakKey,
    /// The second verifier cannot read a certificate that we could.
    #[error("a signing certificate cannot be read")]
    Certificate,
    /// xmlsec could not be made safe.
    #[error(transparent)]
    NotHardened(#[from] NotHardened),
}

/// Verifies what one identity provider signs, with the keys that its metadata names and no others.
pub struct Verifier {
    certificates: Vec<CertificateDer>,
    second: DsigContext,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("certificates", &self.certificates.len()).finish_non_exhaustive()
    }
}

/// Bytes that the identity provider signed, in canonical form. Reading an assertion, or another signed document, starts here and nowhere
/// else.
#[derive(Clone, PartialEq, Eq)]
pub struct Verified {
    bytes: String,
    over: Over,
    limits: Limits,
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("over", &self.over).field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Verified {
    /// The signed bytes: of the whole response or document where that is signed, else of the assertion.
    #[must_use]
    pub fn bytes(&self) -> &str {
        &self.bytes
    }

    /// What the bytes are of.
    #[must_use]
    pub const fn over(&self) -> Over {
        self.over
    }

    /// Hands the element of a name in the signed response, or the signed assertion itself, to a reader.
    pub(super) fn read<T>(&self, local: &'static str, reader: impl FnOnce(&Element<'_>) -> Result<T, Refused>) -> Result<T, Refused> {
        let document = self.document()?;
        match self.over {
            Over::Response if document.root.is(SAMLP_NS, "Response") => reader(document.root.only_child(SAML_NS, local)?),
            Over::Assertion if document.root.is(SAML_NS, local) => reader(&document.root),
            _ => Err(Refused::Root),
        }
    }

    /// The signed document itself: the response, the assertion, the message.
    pub(super) fn document(&self) -> Result<Document<'_>, XmlRefused> {
        Document::parse(self.bytes.as_bytes(), &self.limits)
    }
}

impl Verifier {
    /// A verifier for an identity provider's certificates, parsed once.
    ///
    /// # Errors
    /// [`NoVerifier`].
    pub fn new(certificates: &[Certificate]) -> Result<Self, NoVerifier> {
        if certificates.is_empty() {
            return Err(NoVerifier::NoCertificate);
        }
        if !certificates.iter().all(|certificate| certificate.kind().is_strong()) {
            return Err(NoVerifier::WeakKey);
        }
        hardening::harden()?;
        let mut keys = KeysManager::new();
        for certificate in certificates {
            keys.add_key(load_x509_cert_der(certificate.der()).map_err(|_| NoVerifier::Certificate)?);
        }
        let certificates = certificates.iter().map(|certificate| certificate.der().to_vec().into()).collect();
        Ok(Self { certificates, second: DsigContext::new(keys) })
    }

    /// Verifies every signature of a response whose assertion is in the clear, or of another signed document.
    ///
    /// # Errors
    /// [`Refused::Signature`] if both verifiers refuse, [`Refused::Disagreement`] if one does or they see different bytes;
    /// [`Refused::Encrypted`] for an encrypted assertion.
    pub fn verify(&self, screened: &Screened<'_>) -> Result<Verified, Refused> {
        if screened.encrypted { Err(Refused::Encrypted) } else { self.check(screened) }
    }

    /// Verifies a response whose assertion may be encrypted. `decrypt` gets the `EncryptedAssertion` and returns the assertion's bytes. An
    /// assertion that came inside a signed response may be unsigned; any other must be signed itself.
    ///
    /// # Errors
    /// As [`Verifier::verify`]. Whatever is wrong with the decrypted assertion is [`Refused::Decryption`]: a sender who can tell more can
    /// have us decrypt for him, bit by bit.
    pub fn verify_encrypted(
        &self,
        screened: &Screened<'_>,
        decrypt: impl FnOnce(&Element<'_>) -> Option<Vec<u8>>,
    ) -> Result<Verified, Refused> {
        if !screened.encrypted {
            return self.check(screened);
        }
        let outer_signed = !screened.signatures.is_empty();
        let decrypted = if outer_signed {
            // The ciphertext, too, is taken from the verified bytes alone.
            self.check(screened)?.read("EncryptedAssertion", |element| decrypt(element).ok_or(Refused::Decryption))
        } else {
            let element = screened.root.only_child(SAML_NS, "EncryptedAssertion")?;
            decrypt(element).ok_or(Refused::Decryption)
        }?;
        self.accept_decrypted(&decrypted, outer_signed).map_err(|_| Refused::Decryption)
    }

    fn accept_decrypted(&self, bytes: &[u8], outer_signed: bool) -> Result<Verified, Refused> {
        let inner = prescreen_assertion(bytes)?;
        if inner.signatures.is_empty() && outer_signed {
            return Ok(Verified { bytes: inner.text.to_owned(), over: Over::Assertion, limits: inner.verified });
        }
        self.check(&inner)
    }

    fn check(&self, screened: &Screened<'_>) -> Result<Verified, Refused> {
        let outermost = screened.signatures.first().ok_or(Refused::Unsigned)?;
        let Some(signers) = self.by_bergshamra(screened) else {
            // Refused in any case; but where the other one accepts, somebody must look at it. It gives up at the first key of the wrong
            // kind, so each key is tried alone.
            let accepted = self.certificates.iter().any(|signer| by_xmlsec(screened.text, std::slice::from_ref(signer)).is_some());
            return Err(if accepted { Refused::Disagreement } else { Refused::Signature });
        };
        let bytes = by_xmlsec(screened.text, &signers).ok_or(Refused::Disagreement)?;
        // The second verifier found this digest in the bytes that it saw: only the same bytes have it too.
        let verified = Verified { bytes, over: outermost.over, limits: screened.verified };
        let names_itself = root_tag(&verified.bytes, &verified.limits).is_ok_and(|root| root.attribute("ID") == Some(&outermost.id));
        let same = names_itself && outermost.digest.is_of(verified.bytes.as_bytes());
        if same { Ok(verified) } else { Err(Refused::Disagreement) }
    }

    /// The certificates whose keys made the signatures that were screened, if all are valid, and no others are there.
    fn by_bergshamra(&self, screened: &Screened<'_>) -> Option<Vec<CertificateDer>> {
        let results = catch_unwind(AssertUnwindSafe(|| verify_all(&self.second, screened.text))).ok()?.ok()?;
        if results.len() != screened.signatures.len() {
            return None;
        }
        let mut signers = Vec::with_capacity(results.len());
        for result in &results {
            let VerifyResult::Valid { references, key_info, .. } = result else { return None };
            let [reference] = references.as_slice() else { return None };
            let id = reference.uri.strip_prefix('#').filter(|_| reference.digest_verified)?;
            screened.signatures.iter().find(|signature| signature.id == id)?;
            let signer = self.certificates.iter().find(|known| Some(known.der_data()) == key_info.x509_chain.first().map(Vec::as_slice))?;
            if !signers.contains(signer) {
                signers.push(signer.clone());
            }
        }
        Some(signers)
    }
}

/// The canonical bytes that xmlsec verified: of the response if that is signed, else of the assertion. A crash is a refusal.
fn by_xmlsec(text: &str, signers: &[CertificateDer]) -> Option<String> {
    let run = || Crypto::reduce_xml_to_signed_with_allowed_algorithms(text, signers, ReduceMode::PreDigest, Some(&ALGORITHMS)).ok();
    catch_unwind(AssertUnwindSafe(run)).ok().flatten().filter(|bytes| !bytes.is_empty())
}
