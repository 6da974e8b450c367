//! Looks at a document's bytes before any C library does, and lets through only what has exactly the expected shape.
//!
//! What is left for the verifiers afterwards is small: one assertion, one or two signatures, each over its own parent; or, of other
//! documents, one signature over the whole.

mod message;
mod signature;

use std::fmt;

use super::xml::{Attribute, Document, Element, Limits, is_ncname};
use super::{DS_NS, Refused, SAML_NS, SAMLP_NS};
pub(super) use message::{in_soap, message, metadata, unsigned_message};
pub use signature::{Digest, Signature};

/// What a signature covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The whole response, and so the assertion in it.
    Response,
    /// The assertion alone.
    Assertion,
    /// The whole of another document: a logout message, metadata.
    Message,
}

/// A response or another signed document that has the right shape. Nothing in it is proven.
pub struct Screened<'x> {
    pub(super) text: &'x str,
    pub(super) root: Element<'x>,
    pub(super) signatures: Vec<Signature>,
    pub(super) encrypted: bool,
    /// For the bytes that verifiers give back.
    pub(super) verified: Limits,
}

// A response is a key to a session while it is fresh: it is not printed.
impl fmt::Debug for Screened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screened").field("signatures", &self.signatures).field("encrypted", &self.encrypted).finish_non_exhaustive()
    }
}

impl Screened<'_> {
    /// Whether the assertion is encrypted.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Whether there is a signature over this. That it is a good one is not said.
    #[must_use]
    pub fn has_signature(&self, over: Over) -> bool {
        self.signatures.iter().any(|signature| signature.over == over)
    }
}

/// Screens a posted response.
///
/// # Errors
/// The first [`Refused`] met.
pub fn prescreen(bytes: &[u8]) -> Result<Screened<'_>, Refused> {
    let (text, root) = parse(bytes, &Limits::RESPONSE)?;
    if !root.is(SAMLP_NS, "Response") {
        return Err(Refused::Root);
    }
    let assertion = one_assertion(&root)?;
    let encrypted = assertion.name.local == "EncryptedAssertion";
    check_envelope(&root, |child| {
        let assertion = matches!(child.name.local, "Issuer" | "Assertion" | "EncryptedAssertion") && child.name.ns == SAML_NS;
        assertion || child.is(SAMLP_NS, "Status") || child.is(SAMLP_NS, "Extensions")
    })?;
    if !encrypted {
        check_assertion(assertion)?;
    }
    let inner = (!encrypted).then_some(assertion);
    check_places(&root, Some(assertion), inner)?;
    let mut signatures = Vec::with_capacity(2);
    signatures.extend(signature::of(&root, Over::Response)?);
    if let Some(assertion) = inner {
        signatures.extend(signature::of(assertion, Over::Assertion)?);
        if signatures.is_empty() {
            return Err(Refused::Unsigned);
        }
    }
    Ok(Screened { text, root, signatures, encrypted, verified: Limits::RESPONSE.verified() })
}

/// Screens an assertion that was encrypted. It may be unsigned: whether it must not be depends on what it came in.
pub(super) fn prescreen_assertion(bytes: &[u8]) -> Result<Screened<'_>, Refused> {
    let (text, root) = parse(bytes, &Limits::RESPONSE)?;
    if !root.is(SAML_NS, "Assertion") {
        return Err(Refused::Root);
    }
    check_assertion(&root)?;
    check_places(&root, None, Some(&root))?;
    let signatures = signature::of(&root, Over::Assertion)?.into_iter().collect();
    Ok(Screened { text, root, signatures, encrypted: false, verified: Limits::RESPONSE.verified() })
}

fn parse<'x>(bytes: &'x [u8], limits: &Limits) -> Result<(&'x str, Element<'x>), Refused> {
    let root = Document::parse(bytes, limits)?.root;
    let text = std::str::from_utf8(bytes).map_err(|_| super::xml::XmlRefused::Encoding)?;
    check_ids(&root)?;
    Ok((text, root))
}

fn one_assertion<'a, 'x>(response: &'a Element<'x>) -> Result<&'a Element<'x>, Refused> {
    let is_assertion = |child: &&Element<'x>| child.is(SAML_NS, "Assertion") || child.is(SAML_NS, "EncryptedAssertion");
    let mut assertions = response.elements().filter(is_assertion);
    let assertion = assertions.next();
    if assertions.next().is_some() {
        return Err(Refused::SeveralAssertions);
    }
    // One that hides deeper is another attack than none at all.
    let hides = || if response.descendants().any(is_carrier) { Refused::Hidden } else { Refused::NoAssertion };
    assertion.ok_or_else(hides)
}

fn is_carrier(element: &Element<'_>) -> bool {
    ["Assertion", "EncryptedAssertion"].iter().any(|name| element.name.local.eq_ignore_ascii_case(name))
}

fn check_assertion(assertion: &Element<'_>) -> Result<(), Refused> {
    const KNOWN: [&str; 6] = ["Issuer", "Subject", "Conditions", "Advice", "AuthnStatement", "AttributeStatement"];
    check_envelope(assertion, |child| child.name.ns == SAML_NS && KNOWN.contains(&child.name.local))
}

/// What a response and an assertion have in common: version, ID, and no children but known ones and signatures.
fn check_envelope(element: &Element<'_>, known: impl Fn(&Element<'_>) -> bool) -> Result<(), Refused> {
    if element.attribute("Version") != Some("2.0") {
        return Err(Refused::Version);
    }
    if element.attribute("ID").is_none() || element.attributes.iter().filter(|attribute| is_id(attribute.name.local)).count() > 1 {
        return Err(Refused::Id);
    }
    let fits = |child: &Element<'_>| known(child) || is_signature(child) || is_carrier(child);
    if element.elements().all(fits) && signature::only_blanks(element) { Ok(()) } else { Err(Refused::Unexpected) }
}

fn is_id(name: &str) -> bool {
    name.eq_ignore_ascii_case("id")
}

/// What SAML 1.1 called an ID, and libraries that know it still take for one: one verifier does, the other does not. SAML 2.0 has no such
/// attributes.
const FORMER_IDS: [&str; 3] = ["AssertionID", "RequestID", "ResponseID"];

/// Whatever a library might take for an ID must be a plain name in no namespace, and nothing else be one.
fn check_ids(root: &Element<'_>) -> Result<(), Refused> {
    let plain = |attribute: &Attribute<'_>| match attribute.name.local {
        name if is_id(name) => attribute.name.ns.is_empty() && is_ncname(&attribute.value),
        name => !FORMER_IDS.iter().any(|former| name.eq_ignore_ascii_case(former)),
    };
    if root.descendants().flat_map(|element| &element.attributes).all(plain) { Ok(()) } else { Err(Refused::Id) }
}

fn is_signature(element: &Element<'_>) -> bool {
    element.name.local.eq_ignore_ascii_case("Signature")
}

/// No assertion, response or signature anywhere but in its one place.
fn check_places(root: &Element<'_>, assertion: Option<&Element<'_>>, inner: Option<&Element<'_>>) -> Result<(), Refused> {
    let place = |element: &Element<'_>| element.span.start;
    let mut signed = Vec::with_capacity(2);
    for parent in std::iter::once(root).chain(inner.filter(|inner| place(inner) != place(root))) {
        let mut own = parent.children(DS_NS, "Signature").map(place);
        signed.extend(own.next());
        if own.next().is_some() {
            return Err(Refused::SeveralSignatures);
        }
    }
    for element in root.descendants().skip(1) {
        let here = place(element);
        if is_carrier(element) && assertion.map(place) != Some(here) || element.is(SAMLP_NS, "Response") {
            return Err(Refused::Hidden);
        }
        if is_signature(element) && !signed.contains(&here) {
            return Err(Refused::MisplacedSignature);
        }
    }
    Ok(())
}
