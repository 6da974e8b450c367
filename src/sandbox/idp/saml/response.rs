//! Writes the provider's metadata and its responses (SAML core sections 2 and 3.3.3, profiles section 4.1.4.2).

use chrono::TimeDelta;
use data_encoding::{BASE64, HEXLOWER};

use super::{Asked, Idp, Session};
use crate::clock::Moment;
use crate::saml::sign::Position;
use crate::saml::write::{Binding, Element, Ns, Unwritable, name_id_format};
use crate::sandbox::people::Person;
use crate::sandbox::shelf::random;

const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const STATUS: &str = "urn:oasis:names:tc:SAML:2.0:status:";
const BASIC: &str = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic";
/// How REFEDS calls a sign-in with a second factor.
pub(super) const MFA: &str = "https://refeds.org/profile/mfa";
const PASSWORD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";
/// How long a response may be on its way.
const WINDOW: TimeDelta = TimeDelta::minutes(5);

const fn saml<'a>(local: &'static str) -> Element<'a> {
    Element::new(Ns::Saml, local)
}

fn instant(moment: Moment) -> String {
    moment.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn new_id() -> String {
    format!("_{}", HEXLOWER.encode(&random::<16>()))
}

impl Idp {
    pub(super) fn saml_entity_id(&self) -> String {
        format!("{}/saml/metadata", self.issuer)
    }

    pub(super) fn saml_metadata(&self) -> Result<String, Unwritable> {
        let md = |local| Element::new(Ns::Md, local);
        let endpoint =
            |binding: Binding| md("SingleSignOnService").attribute("Binding", binding.uri()).attribute("Location", self.saml_sso());
        let key = md("KeyDescriptor").attribute("use", "signing").child(self.saml_signer.certificate().key_info());
        let descriptor = md("IDPSSODescriptor")
            .attribute("WantAuthnRequestsSigned", "false")
            .attribute("protocolSupportEnumeration", PROTOCOL)
            .child(key)
            .child(md("NameIDFormat").text(name_id_format::PERSISTENT))
            .child(endpoint(Binding::Redirect))
            .child(endpoint(Binding::Post));
        md("EntityDescriptor").attribute("entityID", self.saml_entity_id()).child(descriptor).to_canonical()
    }

    /// The response in base64: with a signed assertion, or the news that nobody signed in.
    pub(super) fn write_response(&self, asked: &Asked, session: Option<&Session>) -> Result<String, Unwritable> {
        let now = self.clock.now();
        let partner = self.partners.get(asked.partner).ok_or(Unwritable::Value { field: "partner", why: "there is no such partner" })?;
        let answers = asked.request.as_ref().map(|request| request.id.as_str());
        let code = |value: &str| Element::new(Ns::Samlp, "StatusCode").attribute("Value", format!("{STATUS}{value}"));
        let status = if session.is_some() { code("Success") } else { code("Responder").child(code("AuthnFailed")) };
        let response = Element::new(Ns::Samlp, "Response")
            .attribute("ID", new_id())
            .attribute("Version", "2.0")
            .attribute("IssueInstant", instant(now))
            .attribute("Destination", partner.consumer.as_str())
            .optional("InResponseTo", answers)
            .child(saml("Issuer").text(self.saml_entity_id()))
            .child(Element::new(Ns::Samlp, "Status").child(status));
        let Some(session) = session else { return Ok(BASE64.encode(response.to_canonical()?.as_bytes())) };
        let id = new_id();
        let subject = subject(session.person, &partner.consumer, answers, now);
        let audience = saml("AudienceRestriction").child(saml("Audience").text(partner.entity_id.as_str()));
        let assertion = saml("Assertion")
            .attribute("ID", id.clone())
            .attribute("Version", "2.0")
            .attribute("IssueInstant", instant(now))
            .child(saml("Issuer").text(self.saml_entity_id()))
            .child(subject)
            .child(
                saml("Conditions")
                    .attribute("NotBefore", instant(now - TimeDelta::minutes(1)))
                    .attribute("NotOnOrAfter", instant(now + WINDOW))
                    .child(audience),
            )
            .child(authn(session))
            .child(attributes(session.person));
        let signed = self.saml_signer.write_signed(assertion, &id, Position::AfterIssuer)?;
        Ok(BASE64.encode(response.written(signed).to_canonical()?.as_bytes()))
    }
}

fn subject<'a>(person: &'a Person, consumer: &'a str, answers: Option<&'a str>, now: Moment) -> Element<'a> {
    let data = saml("SubjectConfirmationData")
        .optional("InResponseTo", answers)
        .attribute("NotOnOrAfter", instant(now + WINDOW))
        .attribute("Recipient", consumer);
    let name = saml("NameID").attribute("Format", name_id_format::PERSISTENT).text(person.id);
    saml("Subject").child(name).child(saml("SubjectConfirmation").attribute("Method", BEARER).child(data))
}

fn authn(session: &Session) -> Element<'_> {
    let class = if session.mfa { MFA } else { PASSWORD };
    saml("AuthnStatement")
        .attribute("AuthnInstant", instant(session.since))
        .attribute("SessionIndex", session.sid.as_str())
        .child(saml("AuthnContext").child(saml("AuthnContextClassRef").text(class)))
}

fn attributes(person: &Person) -> Element<'_> {
    let attribute = |name: &'static str, values: Vec<String>| {
        let values = values.into_iter().map(|value| saml("AttributeValue").text(value));
        saml("Attribute").attribute("Name", name).attribute("NameFormat", BASIC).children(values)
    };
    saml("AttributeStatement")
        .child(attribute("uid", vec![person.id.into()]))
        .child(attribute("displayName", vec![person.name.into()]))
        .child(attribute("mail", vec![person.email()]))
        .child(attribute("groups", person.groups.iter().map(|&group| group.to_owned()).collect()))
        .child(attribute("cost_center", vec![person.cost_center.into()]))
}
