//! Why a response or another document is refused.

use thiserror::Error;

use super::xml::XmlRefused;

/// The reason, one for each thing that can be wrong with a response, a logout message or signed metadata. Its text is for operators; users are told less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// The document is not taken as XML, or lacks an element or has it twice.
    #[error(transparent)]
    Xml(#[from] XmlRefused),
    /// The form field that should carry the message is not base64.
    #[error("the form field is not base64")]
    Field,
    /// The outermost element is not the one that was expected.
    #[error("the document is not of the kind that is expected here")]
    Root,
    /// The message or the assertion is not SAML 2.0.
    #[error("it is not SAML version 2.0")]
    Version,
    /// An ID is missing, is no plain name, or could be taken for another attribute's.
    #[error("an ID is missing, not a plain name, or ambiguous")]
    Id,
    /// An element stands where the schema knows none of its kind.
    #[error("an element stands where it does not belong")]
    Unexpected,
    /// There is no assertion.
    #[error("there is no assertion")]
    NoAssertion,
    /// There are several assertions.
    #[error("there is more than one assertion")]
    SeveralAssertions,
    /// An assertion or a response hides inside another element.
    #[error("an assertion or a response hides inside another element")]
    Hidden,
    /// An element carries several signatures.
    #[error("an element carries more than one signature")]
    SeveralSignatures,
    /// A signature stands elsewhere than directly in the response or the assertion.
    #[error("a signature stands where it does not belong")]
    MisplacedSignature,
    /// Nothing is signed.
    #[error("it is not signed")]
    Unsigned,
    /// A signature's parts are not exactly those that it must have.
    #[error("the signature has not exactly its parts")]
    SignatureForm,
    /// A signature carries an `Object`.
    #[error("the signature carries an object")]
    SignatureObject,
    /// A signature covers several things, or none.
    #[error("the signature has not exactly one reference")]
    References,
    /// A reference points elsewhere than to its own parent.
    #[error("the signature refers to something else than its parent")]
    ReferenceTarget,
    /// The transforms are not `enveloped-signature`, then exclusive canonicalisation.
    #[error("the signature's transforms are not enveloped-signature and exclusive canonicalisation")]
    Transforms,
    /// The canonicalisation is not the exclusive one without comments.
    #[error("the signature's canonicalisation is not the exclusive one")]
    Canonicalization,
    /// The signature algorithm is not RSA or ECDSA with SHA-256, 384 or 512.
    #[error("the signature algorithm is not allowed")]
    SignatureAlgorithm,
    /// The digest algorithm is not SHA-256, 384 or 512.
    #[error("the digest algorithm is not allowed")]
    DigestAlgorithm,
    /// A digest or a signature value is not plain base64.
    #[error("a digest or signature value is not plain base64")]
    Base64,
    /// The key information refers elsewhere or holds what it should not.
    #[error("the signature's key information is not harmless")]
    KeyInfo,
    /// No trusted key made a signature, or what it covers was changed.
    #[error("a signature is not by a trusted key, or what it covers was changed")]
    Signature,
    /// The two verifiers do not agree. That is never honest, or a fault of ours: look at it.
    #[error("the two signature verifiers do not agree")]
    Disagreement,
    /// The assertion is encrypted, and cannot be decrypted to a good one. No more is said, on purpose.
    #[error("the encrypted assertion cannot be read")]
    Decryption,
    /// The assertion is encrypted, and nothing is there to decrypt it.
    #[error("the assertion is encrypted, and no key is configured to decrypt it")]
    Encrypted,
    /// An attribute that must be there is not.
    #[error("the attribute {0} is missing")]
    MissingAttribute(&'static str),
    /// A time is not written as SAML wants it: UTC, with a Z.
    #[error("{0} is not a time in UTC")]
    Time(&'static str),
    /// The identity provider reports that it did not sign the user in.
    #[error("the identity provider reports a failure")]
    Status,
    /// The message is sent to another address.
    #[error("the message's Destination is not our address, or is missing")]
    Destination,
    /// The response or the assertion is by another identity provider.
    #[error("the issuer is not the identity provider that was expected")]
    Issuer,
    /// It answers another request, or none although it should.
    #[error("it does not answer our request")]
    InResponseTo,
    /// It claims to answer a request although none was made.
    #[error("it claims to answer a request, but comes unasked")]
    Unsolicited,
    /// The subject confirmation is not a bearer's, or holds what it should not.
    #[error("the subject confirmation is not a plain bearer confirmation")]
    Confirmation,
    /// The subject's confirmation is for another address.
    #[error("the confirmation's Recipient is not our address")]
    Recipient,
    /// The assertion is not for us.
    #[error("the audience is not us")]
    Audience,
    /// A condition is not known, and so cannot be met.
    #[error("a condition is not known")]
    Condition,
    /// The assertion's time is over, since so many seconds.
    #[error("the assertion expired {0} s ago by our clock")]
    Expired(i64),
    /// The assertion's time has not come, or it was issued in the future: so many seconds ahead.
    #[error("the assertion is not valid yet, for another {0} s by our clock: check both clocks")]
    NotYetValid(i64),
    /// The assertion was issued too long ago.
    #[error("the assertion was issued too long ago")]
    TooOld,
    /// The identity provider's session is over.
    #[error("the session at the identity provider is over")]
    SessionOver,
    /// The subject's name is empty or qualified for another service.
    #[error("the subject's name is empty or meant for another service")]
    Subject,
    /// A logout request names its subject in encrypted form only.
    #[error("the logout request encrypts whom it means, which is not supported: have the identity provider send the NameID in the clear")]
    EncryptedName,
}

impl Refused {
    /// The kind of attack that a refusal for this reason wards off, for the audit.
    #[must_use]
    pub const fn attack(self) -> &'static str {
        match self {
            Self::Xml(XmlRefused::Comment | XmlRefused::ProcessingInstruction | XmlRefused::CData) => "text splitting",
            Self::Xml(XmlRefused::Doctype | XmlRefused::Entity) => "entity or document type trick",
            Self::Xml(XmlRefused::DuplicateId) | Self::Id => "duplicate or ambiguous ID",
            Self::Xml(XmlRefused::DuplicateAttribute | XmlRefused::Namespace(_)) => "namespace confusion",
            Self::Xml(XmlRefused::Encoding | XmlRefused::Malformed(_)) | Self::Disagreement => "parser differential",
            Self::Xml(
                XmlRefused::TooLong
                | XmlRefused::TooDeep
                | XmlRefused::TooManyElements
                | XmlRefused::TooManyAttributes
                | XmlRefused::AttributeTooLong
                | XmlRefused::TooManyNamespaces,
            ) => "resource exhaustion",
            Self::Xml(XmlRefused::Missing(_) | XmlRefused::Repeated(_) | XmlRefused::NotText)
            | Self::Root
            | Self::EncryptedName
            | Self::Field
            | Self::Version
            | Self::Unexpected
            | Self::MissingAttribute(_)
            | Self::Time(_) => "malformed message",
            Self::NoAssertion | Self::SeveralAssertions | Self::Hidden => "assertion injection",
            Self::SeveralSignatures | Self::MisplacedSignature | Self::SignatureObject | Self::ReferenceTarget => "signature wrapping",
            Self::Unsigned => "signature exclusion",
            Self::SignatureForm | Self::References | Self::Base64 => "signature structure",
            Self::Transforms | Self::Canonicalization => "transform trick",
            Self::SignatureAlgorithm | Self::DigestAlgorithm => "algorithm downgrade",
            Self::KeyInfo => "foreign key",
            Self::Signature => "forgery",
            Self::Decryption | Self::Encrypted => "decryption oracle",
            Self::Status => "failed sign-in passed off",
            Self::Destination | Self::Recipient | Self::Audience | Self::Condition | Self::Confirmation => "misdirected assertion",
            Self::Issuer => "issuer confusion",
            Self::InResponseTo | Self::Unsolicited => "login forgery",
            Self::Expired(_) | Self::NotYetValid(_) | Self::TooOld | Self::SessionOver => "stale assertion",
            Self::Subject => "subject confusion",
        }
    }
}
