//! From a checked assertion to an [`Identity`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::checked::Checked;
use crate::identity::claims::Claims;
use crate::identity::words::presentable;
use crate::identity::{Authentication, Identity, Rejected, SamlName, Upstream, check};
use crate::saml::Refused;
use crate::saml::response::{Assertion, Attribute, NameId};
use crate::saml::write::name_id_format::TRANSIENT;

/// The attribute by which Entra ID says that it left more than 150 groups out.
const ENTRA_OVERAGE: &str = "http://schemas.microsoft.com/claims/groups.link";
/// Entra ID's and ADFS's attribute for roles, which has nothing to do with groups.
const ENTRA_ROLES: &str = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role";
/// Entra ID's attribute for the methods that were used.
const ENTRA_METHODS: &str = "http://schemas.microsoft.com/claims/authnmethodsreferences";

/// The attributes of an assertion by their names, where a name means one of them alone.
struct Attributes<'a>(BTreeMap<&'a str, Option<&'a Attribute>>);

impl<'a> Attributes<'a> {
    /// By `Name` alone. A `FriendlyName` is for people to read and must decide nothing (SAML Core section 2.7.3.1): providers let others
    /// choose it who may not choose what the attribute of that `Name` says. What two attributes share means neither.
    fn of(list: &'a [Attribute]) -> Self {
        let mut by_name = BTreeMap::new();
        for attribute in list {
            by_name.entry(attribute.name.as_str()).and_modify(|found| *found = None).or_insert(Some(attribute));
        }
        Self(by_name)
    }

    /// The values of an attribute; none if it is not there, an error if the name means several.
    fn values(&self, name: &str) -> Result<Option<&'a [String]>, Rejected> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Some(attribute)) => Ok(Some(&attribute.values)),
            Some(None) => Err(Rejected::GroupsMalformed),
        }
    }

    /// The only value of an attribute.
    fn one(&self, name: &str) -> Option<&'a str> {
        match (*self.0.get(name)?)?.values.as_slice() {
            [value] => Some(value),
            _ => None,
        }
    }

    /// One value as a text, several as a list.
    fn claims(&self) -> Claims {
        let mut map = Map::new();
        for (name, attribute) in &self.0 {
            let Some(attribute) = attribute else { continue };
            let value = match attribute.values.as_slice() {
                [] => continue,
                [value] => Value::String(value.clone()),
                several => Value::Array(several.iter().cloned().map(Value::String).collect()),
            };
            map.insert((*name).to_owned(), value);
        }
        Claims::new(map)
    }
}

/// Puts the identity together. The assertion was verified and checked.
///
/// # Errors
/// [`Rejected::TransientSubject`], [`Rejected::SubjectAttribute`], [`Rejected::GroupsOverage`], [`Rejected::GroupsMalformed`],
/// [`Rejected::Acr`], or [`Refused::Subject`] for a name that nobody could bear.
pub(super) fn identity(checked: &Checked, assertion: Assertion) -> Result<Identity, Rejected> {
    let attributes = Attributes::of(&assertion.attributes);
    let class = assertion.authn.context_class.clone();
    if !checked.authn_context.is_empty() && !class.as_ref().is_some_and(|class| checked.authn_context.contains(class)) {
        return Err(Rejected::Acr);
    }
    let subject = subject(checked, &assertion, &attributes)?;
    let groups = groups(checked, &attributes)?;
    let username = checked.username_attribute.as_deref().and_then(|name| attributes.one(name)).filter(|name| presentable(name));
    let amr = attributes.values(ENTRA_METHODS).ok().flatten().unwrap_or_default().to_vec();
    let proves = |word: &String| checked.mfa.contains(word);
    let authentication = Authentication {
        time: Some(assertion.authn.instant),
        mfa: class.as_ref().is_some_and(proves) || amr.iter().any(proves),
        acr: class,
        amr,
        sid: assertion.authn.session_index.clone(),
    };
    Ok(Identity {
        provider: checked.id.clone(),
        username: username.unwrap_or(&assertion.subject.value).to_owned(),
        groups,
        claims: attributes.claims(),
        authentication,
        subject,
        upstream: Upstream::Saml(assertion.subject.into()),
        forwardable: None,
    })
}

impl From<NameId> for SamlName {
    fn from(name: NameId) -> Self {
        let NameId { value, format, name_qualifier, sp_name_qualifier } = name;
        Self { value, format, name_qualifier, sp_name_qualifier }
    }
}

/// The stable name. A `NameID` that somebody else than the provider gave is told apart by who gave it.
fn subject(checked: &Checked, assertion: &Assertion, attributes: &Attributes<'_>) -> Result<String, Rejected> {
    let name = &assertion.subject;
    let subject = match &checked.subject_attribute {
        Some(attribute) => attributes.one(attribute).ok_or_else(|| Rejected::SubjectAttribute(attribute.clone()))?.to_owned(),
        None if name.format.as_deref() == Some(TRANSIENT) => return Err(Rejected::TransientSubject),
        None => qualified(name, &assertion.issuer),
    };
    // The name itself stands on pages and in names too, whatever the subject is.
    if presentable(&subject) && presentable(&name.value) { Ok(subject) } else { Err(Refused::Subject.into()) }
}

/// A name with who gave it, if that is not the issuer, as `qualifier!name`. No two names are written alike: a qualifier has no `!` in it
/// then, and a name of the issuer's own with one in it begins with another.
fn qualified(name: &NameId, issuer: &str) -> String {
    match name.name_qualifier.as_deref().filter(|qualifier| !qualifier.is_empty() && *qualifier != issuer) {
        Some(qualifier) => format!("{}!{}", qualifier.replace('%', "%25").replace('!', "%21"), name.value),
        None if name.value.contains('!') => format!("!{}", name.value),
        None => name.value.clone(),
    }
}

fn groups(checked: &Checked, attributes: &Attributes<'_>) -> Result<Vec<String>, Rejected> {
    let found = attributes.values(&checked.groups_attribute)?;
    if found.is_none() && checked.groups_attribute != ENTRA_ROLES && attributes.0.contains_key(ENTRA_OVERAGE) {
        return Err(Rejected::GroupsOverage);
    }
    // Some providers write nobody's groups as one empty value.
    let groups: Vec<String> = found.unwrap_or_default().iter().filter(|group| !group.is_empty()).cloned().collect();
    if check::sound_groups(&groups) { Ok(groups) } else { Err(Rejected::GroupsMalformed) }
}
