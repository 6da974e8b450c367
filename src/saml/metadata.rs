//! Reads an identity provider's metadata (SAML metadata, OASIS 2005): who it is, where it takes messages, and whose signature to believe.
//!
//! [`verify_signed`] verifies the document's own signature where somebody vouches for it; else it is believed for where it came from, which
//! is not decided here. What we do not use is passed over: WS-Federation's role descriptors, extensions, organisations, contacts.

mod signed;

use std::time::Duration;

use chrono::{DateTime, Utc};
use thiserror::Error;

pub use signed::{SignatureRefused, SignedMetadata, verify_signed};

use super::sign::{Certificate, KeyKind};
use super::write::Binding;
use super::xml::{Document, Element, Limits, XmlRefused};
use crate::clock::Moment;

const MD: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
/// RSA keys below are reported, and verify nothing.
const SHORTEST_RSA: usize = 2048;

/// Why metadata is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MetadataRefused {
    /// Not the XML that we read.
    #[error("{0}")]
    Xml(#[from] XmlRefused),
    /// The root is neither `EntityDescriptor` nor `EntitiesDescriptor`.
    #[error("the document is not SAML metadata")]
    NotMetadata,
    /// The entity that was asked for is not in it.
    #[error("the metadata has no entity `{0}`")]
    NoSuchEntity(String),
    /// Several entities, and none was asked for; or the one that was asked for more than once.
    #[error("the metadata has several entities to choose from; name one by its entity ID")]
    Ambiguous,
    /// No `IDPSSODescriptor` for SAML 2.0, or several.
    #[error("the entity has not exactly one IDPSSODescriptor for SAML 2.0")]
    NotAnIdp,
    /// Nobody could verify a signature of this provider.
    #[error("the identity provider has no usable signing certificate")]
    NoSigningCertificate,
    /// No sign-in endpoint by Redirect or POST.
    #[error("the identity provider has no SingleSignOnService by HTTP-Redirect or HTTP-POST")]
    NoSignIn,
    /// An attribute has not the form that it must have.
    #[error("the metadata's {0} is malformed")]
    Malformed(&'static str),
    /// `validUntil` has passed.
    #[error("the metadata was valid until {0} only")]
    Expired(Moment),
}

/// What to tell an administrator about metadata that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// An RSA key is too short to be trusted; the certificate's fingerprint and the bits. It verifies nothing.
    ShortKey(String, usize),
    /// A signing certificate carries a key of a kind that verifies nothing here; its fingerprint.
    UnknownKey(String),
    /// A signing certificate cannot be read; why.
    UnreadableCertificate(&'static str),
}

/// Where an identity provider takes a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// By which binding.
    pub binding: Binding,
    /// The URL.
    pub location: String,
    /// Where answers go, if elsewhere.
    pub response_location: Option<String>,
}

/// An identity provider as its metadata describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdpDescription {
    /// Its entity ID: the Issuer of what it sends.
    pub entity_id: String,
    /// Where it takes requests for authentication.
    pub single_sign_on: Vec<Endpoint>,
    /// Where it takes logout messages.
    pub single_logout: Vec<Endpoint>,
    /// The certificates of its signing keys, at least one, each of which verifies.
    signing: Vec<Certificate>,
    /// The `NameID` formats that it offers.
    pub name_id_formats: Vec<String>,
    /// Whether it wants requests signed.
    pub wants_signed_requests: bool,
    /// Until when the description may be used: the earliest `validUntil` on the way to it.
    pub valid_until: Option<Moment>,
    /// How long a copy may be used before it is fetched again: the shortest on the way to it.
    pub cache_duration: Option<Duration>,
    /// What to tell an administrator.
    pub findings: Vec<Finding>,
}

impl IdpDescription {
    /// Reads metadata. With `entity_id`, that entity is taken; without, there must be only one.
    ///
    /// # Errors
    /// [`MetadataRefused`].
    pub fn parse(bytes: &[u8], entity_id: Option<&str>) -> Result<Self, MetadataRefused> {
        Self::of_document(&Document::parse(bytes, &Limits::METADATA)?, entity_id)
    }

    fn of_document(document: &Document<'_>, entity_id: Option<&str>) -> Result<Self, MetadataRefused> {
        let mut entities = Vec::new();
        collect(&document.root, Lifetime::default(), &mut entities)?;
        let mut chosen = entities.into_iter().filter(|(entity, _)| match entity_id {
            Some(wanted) => entity.attribute("entityID") == Some(wanted),
            None => idp_descriptors(entity).next().is_some(),
        });
        let Some((entity, lifetime)) = chosen.next() else {
            return Err(entity_id.map_or(MetadataRefused::NotAnIdp, |id| MetadataRefused::NoSuchEntity(id.to_owned())));
        };
        if chosen.next().is_some() {
            return Err(MetadataRefused::Ambiguous);
        }
        Self::of(entity, lifetime)
    }

    fn of(entity: &Element<'_>, lifetime: Lifetime) -> Result<Self, MetadataRefused> {
        let entity_id = entity.attribute("entityID").map(str::trim).filter(|id| !id.is_empty() && id.len() <= 1024);
        let entity_id = entity_id.ok_or(MetadataRefused::Malformed("entityID"))?.to_owned();
        let mut descriptors = idp_descriptors(entity);
        let (Some(descriptor), None) = (descriptors.next(), descriptors.next()) else { return Err(MetadataRefused::NotAnIdp) };
        let lifetime = lifetime.within(descriptor)?;
        let (signing, findings) = signing_certificates(descriptor);
        if signing.is_empty() {
            return Err(MetadataRefused::NoSigningCertificate);
        }
        let single_sign_on = endpoints(descriptor, "SingleSignOnService");
        if !single_sign_on.iter().any(|endpoint| endpoint.binding != Binding::Soap) {
            return Err(MetadataRefused::NoSignIn);
        }
        let formats = descriptor.children(MD, "NameIDFormat").filter_map(|format| format.text().ok());
        Ok(Self {
            entity_id,
            single_sign_on,
            single_logout: endpoints(descriptor, "SingleLogoutService"),
            signing,
            name_id_formats: formats.map(|format| format.trim().to_owned()).collect(),
            wants_signed_requests: matches!(descriptor.attribute("WantAuthnRequestsSigned").map(str::trim), Some("true" | "1")),
            valid_until: lifetime.valid_until,
            cache_duration: lifetime.cache_duration,
            findings,
        })
    }

    /// The certificates that the provider's signatures may be verified by, at least one, as long as the metadata is valid.
    ///
    /// # Errors
    /// [`MetadataRefused::Expired`].
    pub fn signing(&self, now: Moment) -> Result<&[Certificate], MetadataRefused> {
        match self.valid_until {
            Some(until) if now >= until => Err(MetadataRefused::Expired(until)),
            _ => Ok(&self.signing),
        }
    }

    /// The endpoint for requests for authentication by a binding.
    #[must_use]
    pub fn sign_on_by(&self, binding: Binding) -> Option<&Endpoint> {
        self.single_sign_on.iter().find(|endpoint| endpoint.binding == binding)
    }

    /// The endpoint for logout messages by a binding.
    #[must_use]
    pub fn logout_by(&self, binding: Binding) -> Option<&Endpoint> {
        self.single_logout.iter().find(|endpoint| endpoint.binding == binding)
    }
}

/// How long something may be used. An inner element cannot outlive the one around it (section 2.3.1).
#[derive(Debug, Clone, Copy, Default)]
struct Lifetime {
    valid_until: Option<Moment>,
    cache_duration: Option<Duration>,
}

impl Lifetime {
    fn within(self, element: &Element<'_>) -> Result<Self, MetadataRefused> {
        let until =
            element.attribute("validUntil").map(|text| instant(text).ok_or(MetadataRefused::Malformed("validUntil"))).transpose()?;
        let cache = element.attribute("cacheDuration");
        let cache = cache.map(|text| duration(text).ok_or(MetadataRefused::Malformed("cacheDuration"))).transpose()?;
        Ok(Self {
            valid_until: self.valid_until.into_iter().chain(until).min(),
            cache_duration: self.cache_duration.into_iter().chain(cache).min(),
        })
    }
}

/// All entities of a document. The parser has bounded its depth.
fn collect<'a, 'x>(element: &'a Element<'x>, outer: Lifetime, found: &mut Vec<(&'a Element<'x>, Lifetime)>) -> Result<(), MetadataRefused> {
    if element.is(MD, "EntityDescriptor") {
        found.push((element, outer.within(element)?));
        return Ok(());
    }
    if !element.is(MD, "EntitiesDescriptor") {
        return Err(MetadataRefused::NotMetadata);
    }
    let lifetime = outer.within(element)?;
    let groups = element.elements().filter(|child| child.is(MD, "EntityDescriptor") || child.is(MD, "EntitiesDescriptor"));
    for child in groups {
        collect(child, lifetime, found)?;
    }
    Ok(())
}

fn idp_descriptors<'a, 'x>(entity: &'a Element<'x>) -> impl Iterator<Item = &'a Element<'x>> + use<'a, 'x> {
    entity.children(MD, "IDPSSODescriptor").filter(|descriptor| {
        descriptor.attribute("protocolSupportEnumeration").is_some_and(|list| list.split_ascii_whitespace().any(|name| name == PROTOCOL))
    })
}

/// The certificates that can verify, each once, and what is odd about the others. A key without `use` is for everything (section 2.4.1.1).
fn signing_certificates(descriptor: &Element<'_>) -> (Vec<Certificate>, Vec<Finding>) {
    let (mut certificates, mut findings) = (Vec::new(), Vec::new());
    let signs = |key: &&Element<'_>| key.attribute("use").is_none_or(|usage| usage == "signing");
    let infos = descriptor.children(MD, "KeyDescriptor").filter(signs).flat_map(|key| key.children(DS, "KeyInfo"));
    // Of a chain only the first certificate is the signer's (XML Signature section 4.5.4 leaves the order open; in SAML it is this).
    let first = infos.flat_map(|info| info.children(DS, "X509Data")).filter_map(|data| data.children(DS, "X509Certificate").next());
    for element in first {
        let text = element.text().map_err(|_| "it holds elements");
        match text.and_then(Certificate::from_base64) {
            Err(why) => findings.push(Finding::UnreadableCertificate(why)),
            Ok(certificate) => match certificate.kind() {
                KeyKind::Rsa(bits) if bits < SHORTEST_RSA => findings.push(Finding::ShortKey(certificate.fingerprint(), bits)),
                kind if !kind.is_strong() => findings.push(Finding::UnknownKey(certificate.fingerprint())),
                _ if certificates.contains(&certificate) => {}
                _ => certificates.push(certificate),
            },
        }
    }
    (certificates, findings)
}

/// The endpoints by bindings that we speak; http and https only, so that none can be a script.
fn endpoints(descriptor: &Element<'_>, local: &str) -> Vec<Endpoint> {
    let web = |text: &&str| text.starts_with("https://") || text.starts_with("http://");
    let read = |element: &Element<'_>| {
        Some(Endpoint {
            binding: Binding::of_uri(element.attribute("Binding")?.trim())?,
            location: element.attribute("Location").map(str::trim).filter(web)?.to_owned(),
            response_location: element.attribute("ResponseLocation").map(str::trim).filter(web).map(str::to_owned),
        })
    };
    descriptor.elements().filter(|element| element.is(MD, local)).filter_map(read).collect()
}

/// An `xs:dateTime`; without a zone it is UTC, as SAML says (core section 1.3.3).
fn instant(text: &str) -> Option<Moment> {
    let text = text.trim();
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_rfc3339(&format!("{text}Z")))
        .ok()
        .map(|time| time.with_timezone(&Utc))
}

/// An `xs:duration` such as `P1D` or `PT1H30M`. A month counts 30 days and a year 365; a negative one is nothing.
fn duration(text: &str) -> Option<Duration> {
    let rest = text.trim().strip_prefix('P')?;
    let (days, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None if rest.is_empty() => return None,
        None => (rest, ""),
    };
    let days = sum(days, &[('Y', 365 * 86_400), ('M', 30 * 86_400), ('D', 86_400)])?;
    days.checked_add(sum(time, &[('H', 3600), ('M', 60), ('S', 1)])?).map(Duration::from_secs)
}

/// Numbers with units, in this order, each at most once. Fractions of seconds are cut.
fn sum(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut total: u64 = 0;
    for (unit, seconds) in units {
        let Some((number, rest)) = text.split_once(*unit) else { continue };
        let whole = match number.split_once('.') {
            Some((whole, fraction)) if *unit == 'S' && fraction.bytes().all(|byte| byte.is_ascii_digit()) => whole,
            Some(_) => return None,
            None => number,
        };
        if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        total = total.checked_add(whole.parse::<u64>().ok()?.checked_mul(*seconds)?)?;
        text = rest;
    }
    text.is_empty().then_some(total)
}

#[cfg(test)]
mod tests;
