//! The one shape of signature that is let through.

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512, digest};

use super::Over;
use crate::saml::xml::{Element, Node, is_ncname};
use crate::saml::{Certificate, DS_NS, Refused};

const DS11_NS: &str = "http://www.w3.org/2009/xmldsig11#";
const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const MAX_PREFIXES: usize = 32;

/// What a signature says that it covers, its shape checked.
#[derive(Debug)]
pub struct Signature {
    pub(in crate::saml) over: Over,
    /// The ID of its parent, to which its one reference points.
    pub(in crate::saml) id: String,
    pub(in crate::saml) digest: Digest,
}

/// The digest that a signature's reference states.
#[derive(Debug)]
pub struct Digest {
    algorithm: &'static Algorithm,
    value: Vec<u8>,
}

impl Digest {
    /// Whether it is the digest of these bytes.
    #[must_use]
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        digest(self.algorithm, bytes).as_ref() == self.value
    }
}

/// The signature that is a direct child of an element, if there is one.
pub(super) fn of(parent: &Element<'_>, over: Over) -> Result<Option<Signature>, Refused> {
    let Some(signature) = parent.optional_child(DS_NS, "Signature").map_err(|_| Refused::SeveralSignatures)? else { return Ok(None) };
    if signature.elements().any(|child| child.is(DS_NS, "Object")) {
        return Err(Refused::SignatureObject);
    }
    let parts = parts(signature)?;
    let (info, value) = match parts.as_slice() {
        [info, value] => (info, value),
        [info, value, key] if key.is(DS_NS, "KeyInfo") => {
            check_key_info(key)?;
            (info, value)
        }
        _ => return Err(Refused::SignatureForm),
    };
    if !info.is(DS_NS, "SignedInfo") || !value.is(DS_NS, "SignatureValue") {
        return Err(Refused::SignatureForm);
    }
    let id = parent.attribute("ID").ok_or(Refused::Id)?;
    let digest = signed_info(info, id)?;
    base64(value)?;
    check_attributes(signature)?;
    Ok(Some(Signature { over, id: id.to_owned(), digest }))
}

fn signed_info(info: &Element<'_>, id: &str) -> Result<Digest, Refused> {
    let parts = parts(info)?;
    let named = |part: &Element<'_>, local| if part.is(DS_NS, local) { Ok(()) } else { Err(Refused::SignatureForm) };
    let [canonicalization, method, references @ ..] = parts.as_slice() else { return Err(Refused::SignatureForm) };
    named(canonicalization, "CanonicalizationMethod")?;
    named(method, "SignatureMethod")?;
    let [reference] = references else { return Err(Refused::References) };
    named(reference, "Reference")?;
    check_exclusive(canonicalization).map_err(|()| Refused::Canonicalization)?;
    let known = algorithm(method)
        .and_then(|name| name.strip_prefix("http://www.w3.org/2001/04/xmldsig-more#"))
        .is_some_and(|name| matches!(name, "rsa-sha256" | "rsa-sha384" | "rsa-sha512" | "ecdsa-sha256" | "ecdsa-sha384" | "ecdsa-sha512"));
    if !known || !method.children.is_empty() {
        return Err(Refused::SignatureAlgorithm);
    }
    check_target(reference, id)?;
    let parts = self::parts(reference)?;
    let [transforms, method, value] = parts.as_slice() else { return Err(Refused::SignatureForm) };
    named(transforms, "Transforms")?;
    named(method, "DigestMethod")?;
    named(value, "DigestValue")?;
    check_transforms(transforms)?;
    let algorithm = match algorithm(method) {
        Some("http://www.w3.org/2001/04/xmlenc#sha256") => &SHA256,
        Some("http://www.w3.org/2001/04/xmldsig-more#sha384") => &SHA384,
        Some("http://www.w3.org/2001/04/xmlenc#sha512") => &SHA512,
        _ => return Err(Refused::DigestAlgorithm),
    };
    if !method.children.is_empty() {
        return Err(Refused::DigestAlgorithm);
    }
    let value = base64(value)?;
    if value.len() == algorithm.output_len() { Ok(Digest { algorithm, value }) } else { Err(Refused::Base64) }
}

fn check_target(reference: &Element<'_>, id: &str) -> Result<(), Refused> {
    let own = reference.attribute("URI").and_then(|uri| uri.strip_prefix('#')) == Some(id);
    let known = |name: &str| matches!(name, "URI" | "Id");
    let plain = reference.attributes.iter().all(|attribute| attribute.name.ns.is_empty() && known(attribute.name.local));
    if own && plain { Ok(()) } else { Err(Refused::ReferenceTarget) }
}

fn check_transforms(transforms: &Element<'_>) -> Result<(), Refused> {
    let parts = parts(transforms).map_err(|_| Refused::Transforms)?;
    let [enveloped, exclusive] = parts.as_slice() else { return Err(Refused::Transforms) };
    let named = enveloped.is(DS_NS, "Transform") && exclusive.is(DS_NS, "Transform");
    let right = algorithm(enveloped) == Some(ENVELOPED) && enveloped.children.is_empty() && check_exclusive(exclusive).is_ok();
    if named && right { Ok(()) } else { Err(Refused::Transforms) }
}

/// Exclusive canonicalisation without comments, with at most a list of plain prefixes.
fn check_exclusive(method: &Element<'_>) -> Result<(), ()> {
    if algorithm(method) != Some(EXC_C14N) {
        return Err(());
    }
    let parts = parts(method).map_err(|_| ())?;
    match parts.as_slice() {
        [] => Ok(()),
        [list] if list.is(EXC_C14N, "InclusiveNamespaces") && list.children.is_empty() && list.attributes.len() == 1 => {
            let mut prefixes = list.attribute("PrefixList").ok_or(())?.split(' ').filter(|prefix| !prefix.is_empty());
            let few = prefixes.clone().count() <= MAX_PREFIXES;
            if few && prefixes.all(|prefix| prefix == "#default" || is_ncname(prefix)) { Ok(()) } else { Err(()) }
        }
        _ => Err(()),
    }
}

/// The `Algorithm` of an element that has no other attribute.
fn algorithm<'a>(method: &'a Element<'_>) -> Option<&'a str> {
    if method.attributes.len() == 1 { method.attribute("Algorithm") } else { None }
}

/// The key a message brings along is nobody's word but its own and is never used; yet it must be a whole key, and not point anywhere: other
/// verifiers stumble over a broken one, and nobody honest sends it.
fn check_key_info(info: &Element<'_>) -> Result<(), Refused> {
    let hints = parts(info).map_err(|_| Refused::KeyInfo)?;
    let fits = |hint: &&Element<'_>| match (hint.name.ns, hint.name.local) {
        (DS_NS, "KeyName") => hint.text().is_ok(),
        (DS_NS, "KeyValue") => parts(hint).is_ok_and(|values| matches!(values.as_slice(), [value] if is_key(value))),
        (DS_NS, "X509Data") => parts(hint).is_ok_and(|data| !data.is_empty() && data.into_iter().all(is_x509)),
        _ => false,
    };
    if !hints.is_empty() && hints.iter().all(fits) { Ok(()) } else { Err(Refused::KeyInfo) }
}

fn is_key(value: &Element<'_>) -> bool {
    let (ns, names) = match (value.name.ns, value.name.local) {
        (DS_NS, "RSAKeyValue") => (DS_NS, ["Modulus", "Exponent"]),
        (DS11_NS, "ECKeyValue") => (DS11_NS, ["NamedCurve", "PublicKey"]),
        _ => return false,
    };
    let whole = |part: &Element<'_>| part.name.local == "NamedCurve" && part.children.is_empty() || base64(part).is_ok();
    match parts(value).as_deref() {
        Ok([first, second]) => first.is(ns, names[0]) && second.is(ns, names[1]) && whole(first) && whole(second),
        _ => false,
    }
}

fn is_x509(data: &Element<'_>) -> bool {
    let named = |parts: &[&Element<'_>]| match parts {
        [name, number] => {
            let digits = |text: &str| text.trim().bytes().all(|byte| byte.is_ascii_digit()) && !text.trim().is_empty();
            name.is(DS_NS, "X509IssuerName")
                && name.text().is_ok()
                && number.is(DS_NS, "X509SerialNumber")
                && number.text().is_ok_and(digits)
        }
        _ => false,
    };
    match (data.name.ns, data.name.local) {
        (DS_NS, "X509Certificate") => data.text().is_ok_and(|text| Certificate::from_base64(text).is_ok()),
        (DS_NS, "X509SubjectName") => data.text().is_ok(),
        (DS_NS, "X509SKI") => base64(data).is_ok(),
        (DS_NS, "X509IssuerSerial") => parts(data).is_ok_and(|parts| named(&parts)),
        _ => false,
    }
}

/// Only the schema's attributes: another could mean something to somebody.
fn check_attributes(signature: &Element<'_>) -> Result<(), Refused> {
    let known = |element: &str, attribute: &str| match attribute {
        "Algorithm" => matches!(element, "CanonicalizationMethod" | "SignatureMethod" | "Transform" | "DigestMethod"),
        "Id" => matches!(element, "Signature" | "SignedInfo" | "Reference" | "SignatureValue" | "KeyInfo" | "ECKeyValue"),
        "URI" => matches!(element, "Reference" | "NamedCurve"),
        "Type" => element == "Reference",
        "PrefixList" => element == "InclusiveNamespaces",
        _ => false,
    };
    let fits = |element: &Element<'_>| {
        element.attributes.iter().all(|attribute| attribute.name.ns.is_empty() && known(element.name.local, attribute.name.local))
    };
    if signature.descendants().all(fits) { Ok(()) } else { Err(Refused::SignatureForm) }
}

/// The child elements of an element that holds nothing else.
fn parts<'a, 'x>(element: &'a Element<'x>) -> Result<Vec<&'a Element<'x>>, Refused> {
    if only_blanks(element) { Ok(element.elements().collect()) } else { Err(Refused::SignatureForm) }
}

/// Whether all text directly in an element is blank.
pub(super) fn only_blanks(element: &Element<'_>) -> bool {
    element.children.iter().all(|node| match node {
        Node::Text(text) => text.bytes().all(|byte| byte.is_ascii_whitespace()),
        Node::Element(_) => true,
    })
}

/// Strict base64; honest signers wrap its lines.
fn base64(element: &Element<'_>) -> Result<Vec<u8>, Refused> {
    let text = element.text().map_err(|_| Refused::Base64)?;
    crate::saml::base64::decode(text).filter(|bytes| !bytes.is_empty()).ok_or(Refused::Base64)
}
