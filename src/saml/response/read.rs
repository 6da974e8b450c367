//! From verified bytes to an [`Assertion`].

use std::collections::HashMap;

use super::{Assertion, Attribute, Authn, Conditions, Confirmation, NameId, moment};
use crate::clock::Moment;
use crate::saml::verify::Verified;
use crate::saml::xml::{Element, Node};
use crate::saml::{Refused, SAML_NS};

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const ENTITY: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";
const XSI_NS: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Reads the assertion that was verified: exactly one subject, confirmation, set of conditions and authentication statement.
///
/// # Errors
/// The first [`Refused`] met.
pub fn read(verified: &Verified) -> Result<Assertion, Refused> {
    verified.read("Assertion", assertion)
}

fn assertion(element: &Element<'_>) -> Result<Assertion, Refused> {
    if element.attribute("Version") != Some("2.0") {
        return Err(Refused::Version);
    }
    let subject = element.only_child(SAML_NS, "Subject")?;
    let attributes = match element.optional_child(SAML_NS, "AttributeStatement")? {
        Some(statement) => attributes(statement)?,
        None => Vec::new(),
    };
    Ok(Assertion {
        id: required(element, "ID")?,
        issuer: issuer(element.only_child(SAML_NS, "Issuer")?)?,
        issue_instant: required_time(element, "IssueInstant")?,
        subject: name_id(subject.only_child(SAML_NS, "NameID")?)?,
        confirmation: confirmation(subject.only_child(SAML_NS, "SubjectConfirmation")?)?,
        conditions: conditions(element.only_child(SAML_NS, "Conditions")?)?,
        authn: authn(element.only_child(SAML_NS, "AuthnStatement")?)?,
        attributes,
    })
}

/// An `Issuer` that is an entity ID.
pub(in crate::saml) fn issuer(element: &Element<'_>) -> Result<String, Refused> {
    if element.attribute("Format").is_some_and(|format| format != ENTITY) {
        return Err(Refused::Issuer);
    }
    Ok(element.text()?.to_owned())
}

pub(in crate::saml) fn name_id(element: &Element<'_>) -> Result<NameId, Refused> {
    let value = element.text()?.to_owned();
    if value.trim().is_empty() {
        return Err(Refused::Subject);
    }
    // A URI has no blanks. With one in it, a transient name would not be known for what it is.
    if element.attribute("Format").is_some_and(|format| format.chars().any(char::is_whitespace)) {
        return Err(Refused::Subject);
    }
    let word = |name| element.attribute(name).map(str::to_owned);
    Ok(NameId { value, format: word("Format"), name_qualifier: word("NameQualifier"), sp_name_qualifier: word("SPNameQualifier") })
}

fn confirmation(element: &Element<'_>) -> Result<Confirmation, Refused> {
    let data = element.only_child(SAML_NS, "SubjectConfirmationData")?;
    // A bearer's confirmation has no start (SAML Profiles section 4.1.4.2), and nobody else's name in it.
    let plain = element.elements().count() == 1 && data.attribute("NotBefore").is_none();
    if element.attribute("Method") != Some(BEARER) || !plain {
        return Err(Refused::Confirmation);
    }
    Ok(Confirmation {
        recipient: required(data, "Recipient")?,
        not_on_or_after: required_time(data, "NotOnOrAfter")?,
        in_response_to: data.attribute("InResponseTo").map(str::to_owned),
    })
}

fn conditions(element: &Element<'_>) -> Result<Conditions, Refused> {
    let mut audiences = Vec::new();
    for child in element.elements() {
        match (child.name.ns, child.name.local) {
            (SAML_NS, "AudienceRestriction") => {
                let uris = child.children(SAML_NS, "Audience").map(|audience| Ok(uri(audience.text()?)));
                audiences.push(uris.collect::<Result<Vec<_>, Refused>>()?);
            }
            // Who else the assertion may be handed on to: we hand it to nobody.
            (SAML_NS, "OneTimeUse" | "ProxyRestriction") => {}
            _ => return Err(Refused::Condition),
        }
    }
    Ok(Conditions {
        not_before: time(element, "NotBefore")?,
        not_on_or_after: time(element, "NotOnOrAfter")?,
        audiences,
        one_time_use: element.optional_child(SAML_NS, "OneTimeUse")?.is_some(),
    })
}

fn authn(element: &Element<'_>) -> Result<Authn, Refused> {
    let context = element.only_child(SAML_NS, "AuthnContext")?;
    let class = context.optional_child(SAML_NS, "AuthnContextClassRef")?;
    Ok(Authn {
        instant: required_time(element, "AuthnInstant")?,
        session_index: element.attribute("SessionIndex").map(str::to_owned),
        session_not_on_or_after: time(element, "SessionNotOnOrAfter")?,
        context_class: class.map(|class| class.text().map(uri)).transpose()?,
    })
}

fn attributes(statement: &Element<'_>) -> Result<Vec<Attribute>, Refused> {
    let mut found: Vec<Attribute> = Vec::new();
    let mut places = HashMap::new();
    for element in statement.elements() {
        if !element.is(SAML_NS, "Attribute") {
            return Err(Refused::Unexpected);
        }
        let name = required(element, "Name")?;
        let word = |name| element.attribute(name).map(str::to_owned);
        let place = *places.entry((name.clone(), word("NameFormat"))).or_insert(found.len());
        if place == found.len() {
            found.push(Attribute { name, name_format: word("NameFormat"), friendly_name: word("FriendlyName"), values: Vec::new() });
        }
        if let Some(attribute) = found.get_mut(place) {
            attribute.values.extend(element.children(SAML_NS, "AttributeValue").filter_map(value));
        }
    }
    Ok(found)
}

/// The text of a value, or of the one `NameID` in it (`eduPersonTargetedID` is written so).
fn value(element: &Element<'_>) -> Option<String> {
    let nil = |attribute: &&super::super::xml::Attribute<'_>| attribute.name.ns == XSI_NS && attribute.name.local == "nil";
    if element.attributes.iter().find(nil).is_some_and(|nil| matches!(&*nil.value, "true" | "1")) {
        return None;
    }
    if let Ok(text) = element.text() {
        return Some(text.to_owned());
    }
    let blank = |node: &Node<'_>| matches!(node, Node::Text(text) if !text.trim().is_empty());
    let name = element.only_child(SAML_NS, "NameID").ok()?;
    if element.elements().count() > 1 || element.children.iter().any(blank) { None } else { name.text().ok().map(str::to_owned) }
}

pub(in crate::saml) fn required(element: &Element<'_>, name: &'static str) -> Result<String, Refused> {
    element.attribute(name).filter(|value| !value.is_empty()).map(str::to_owned).ok_or(Refused::MissingAttribute(name))
}

pub(in crate::saml) fn time(element: &Element<'_>, name: &'static str) -> Result<Option<Moment>, Refused> {
    element.attribute(name).map(|text| moment(text).ok_or(Refused::Time(name))).transpose()
}

pub(in crate::saml) fn required_time(element: &Element<'_>, name: &'static str) -> Result<Moment, Refused> {
    time(element, name)?.ok_or(Refused::MissingAttribute(name))
}

/// An `xs:anyURI`: blanks around it do not count.
fn uri(text: &str) -> String {
    text.trim_matches([' ', '\t', '\r', '\n']).to_owned()
}
