//! The metadata that we publish: as service provider for identity providers, and as identity provider for IAM. The order of children is the
//! schema's.

use chrono::TimeDelta;

use super::aws::ATTRIBUTE_PREFIX;
use super::canonical::{Element, Ns, Unwritable};
use super::{Binding, check_id, instant, name_id_format};
use crate::clock::Moment;
use crate::saml::encryption;
use crate::saml::sign::{self, Certificate, Position, SamlSigner};

const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
/// IAM takes no shorter document (API reference, `CreateSAMLProvider`).
const SHORTEST_FOR_IAM: usize = 1000;
/// IAM takes no more keys for one provider.
const MOST_KEYS_FOR_IAM: usize = 10;

/// Our metadata as service provider (SAML metadata section 2.4.4).
#[derive(Debug, Clone, Copy)]
pub struct SpMetadata<'a> {
    /// The document's ID: what a signature refers to.
    pub id: &'a str,
    /// Our entity ID.
    pub entity_id: &'a str,
    /// Until when the document may be used, if it is limited.
    pub valid_until: Option<Moment>,
    /// How long a copy may be used before it is fetched again.
    pub cache_duration: Option<TimeDelta>,
    /// The certificates of the keys that sign, the current one first; the next one ahead of its use.
    pub signing: &'a [Certificate],
    /// The certificates of the keys that decrypt; the first is preferred.
    pub encryption: &'a [Certificate],
    /// Whether our requests are signed.
    pub signs_requests: bool,
    /// Where responses go, by HTTP-POST.
    pub assertion_consumer_service: &'a str,
    /// Where logout messages go.
    pub single_logout_services: &'a [(Binding, &'a str)],
    /// The `NameID` formats that are understood.
    pub name_id_formats: &'a [&'a str],
}

impl SpMetadata<'_> {
    /// Writes it, signed if there is a signer.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub fn write(&self, signer: Option<&SamlSigner>) -> Result<String, Unwritable> {
        check_id("ID", self.id)?;
        let service = |(binding, location): &(Binding, &str)| endpoint("SingleLogoutService", *binding, location);
        let format = |format: &&str| md("NameIDFormat").text((*format).to_owned());
        let consumer = endpoint("AssertionConsumerService", Binding::Post, self.assertion_consumer_service);
        let descriptor = md("SPSSODescriptor")
            .attribute("AuthnRequestsSigned", if self.signs_requests { "true" } else { "false" })
            .attribute("WantAssertionsSigned", "true")
            .attribute("protocolSupportEnumeration", PROTOCOL)
            .children(self.signing.iter().map(|certificate| key_descriptor("signing", certificate)))
            .children(self.encryption.iter().map(encryption_key))
            .children(self.single_logout_services.iter().map(service))
            .children(self.name_id_formats.iter().map(format))
            .child(consumer.attribute("index", "0").attribute("isDefault", "true"));
        let cache = self.cache_duration.map(|span| format!("PT{}S", span.num_seconds().max(0)));
        let mut entity = md("EntityDescriptor").attribute("ID", self.id).attribute("entityID", self.entity_id);
        entity = entity.optional("validUntil", self.valid_until.map(instant)).optional("cacheDuration", cache);
        // In metadata the signature comes first (section 2.3.2).
        sign::write(entity.child(descriptor), self.id, signer, Position::First)
    }
}

/// Our metadata as identity provider, as IAM's SAML provider takes it.
#[derive(Debug, Clone, Copy)]
pub struct IdpMetadata<'a> {
    /// Our entity ID: the Issuer of what we mint for AWS.
    pub entity_id: &'a str,
    /// The certificates of the keys that sign: in a change of keys the old one and the new one.
    pub signing: &'a [Certificate],
    /// Where AWS may send people to sign in.
    pub single_sign_on_service: &'a str,
}

impl IdpMetadata<'_> {
    /// Writes it: UTF-8 without byte order mark, no `validUntil`, so that IAM's copy does not run out.
    ///
    /// # Errors
    /// [`Unwritable`], also for what IAM would refuse.
    pub fn write(&self) -> Result<String, Unwritable> {
        let refuse = |why| Err(Unwritable::Value { field: "IDPSSODescriptor", why });
        if self.signing.is_empty() || self.signing.len() > MOST_KEYS_FOR_IAM {
            return refuse("IAM wants one to ten signing certificates");
        }
        let attribute = |name: &str| Element::new(Ns::Saml, "Attribute").attribute("Name", format!("{ATTRIBUTE_PREFIX}{name}"));
        let names = ["Role", "RoleSessionName", "SessionDuration", "TransitiveTagKeys", "SourceIdentity"];
        let descriptor = md("IDPSSODescriptor")
            .attribute("WantAuthnRequestsSigned", "false")
            .attribute("protocolSupportEnumeration", PROTOCOL)
            .children(self.signing.iter().map(|certificate| key_descriptor("signing", certificate)))
            .child(md("NameIDFormat").text(name_id_format::PERSISTENT))
            .child(endpoint("SingleSignOnService", Binding::Redirect, self.single_sign_on_service))
            .child(endpoint("SingleSignOnService", Binding::Post, self.single_sign_on_service))
            .children(names.into_iter().map(attribute));
        let text = md("EntityDescriptor").attribute("entityID", self.entity_id).child(descriptor).to_canonical()?;
        if text.chars().count() < SHORTEST_FOR_IAM {
            return refuse("IAM takes no document of less than 1000 characters");
        }
        Ok(text)
    }
}

const fn md<'a>(local: &'static str) -> Element<'a> {
    Element::new(Ns::Md, local)
}

fn endpoint<'a>(local: &'static str, binding: Binding, location: &str) -> Element<'a> {
    md(local).attribute("Binding", binding.uri()).attribute("Location", location.to_owned())
}

fn key_descriptor<'a>(usage: &'static str, certificate: &Certificate) -> Element<'a> {
    md("KeyDescriptor").attribute("use", usage).child(certificate.key_info())
}

/// With the algorithms that we decrypt, the preferred one first.
fn encryption_key<'a>(certificate: &Certificate) -> Element<'a> {
    let method = |algorithm: &&'static str| md("EncryptionMethod").attribute("Algorithm", *algorithm);
    key_descriptor("encryption", certificate).children(encryption::PUBLISHED.iter().map(method))
}
