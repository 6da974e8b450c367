//! The plan as CloudFormation templates, one for each account.

use super::doors::Door;
use super::federation::{Federation, is_built_in, saml_provider_arn};
use super::needs::{AccountNeeds, Needs, RoleNeed, SamlSource};
use super::node::{Node, Parameter};
use super::plan::{assuming, digest, federating, notes, path_of, trust_policy};
use crate::trust::SamlIssuer;

/// The template of the only account in a plan; none if there are several, or none.
#[must_use]
pub fn cloudformation(needs: &Needs, federation: &Federation<'_>, people_are_known: bool) -> Option<String> {
    match needs.accounts.as_slice() {
        [account] => Some(template(needs, account, federation, people_are_known)),
        _ => None,
    }
}

/// The template of one account.
#[must_use]
pub fn template(needs: &Needs, account: &AccountNeeds, federation: &Federation<'_>, people_are_known: bool) -> String {
    let mut parameters = Vec::new();
    let mut resources = Vec::new();
    for (issuer, oidc) in &account.oidc {
        let properties = Node::object([("Url", Node::text(issuer)), ("ClientIdList", Node::texts(oidc.clients.iter().cloned()))]);
        resources.push((logical_id("Oidc", issuer), resource("AWS::IAM::OIDCProvider", properties, Vec::new())));
    }
    for (name, saml) in &account.saml {
        let own = federation.issuer.saml().filter(|saml| !saml.is_ephemeral()).map(SamlIssuer::metadata);
        let document = if let (SamlSource::Rolegate, Some(metadata)) = (&saml.source, own) {
            Node::text(metadata)
        } else {
            let id = logical_id("Metadata", name);
            let description = format!("The metadata document of the SAML provider {name}, which must not exceed 4096 bytes here");
            parameters.push((id.clone(), Node::object([("Type", Node::text("String")), ("Description", Node::text(description))])));
            Node::object([("Ref", Node::text(id))])
        };
        let properties = Node::object([("Name", Node::text(name)), ("SamlMetadataDocument", document)]);
        resources.push((logical_id("Saml", name), resource("AWS::IAM::SAMLProvider", properties, Vec::new())));
    }
    for need in account.roles.values() {
        resources.push((logical_id("Role", need.role.path_and_name()), role(account, need, federation)));
    }
    for (id, user) in account.users.iter().filter(|(_, user)| user.federates) {
        let name = format!("RolegateFederation-{id}");
        let properties = Node::object([("ManagedPolicyName", Node::text(&name)), ("PolicyDocument", federating(&account.account, user))]);
        resources.push((logical_id("Federation", id), resource("AWS::IAM::ManagedPolicy", properties, Vec::new())));
    }
    let resources = Node::Object(resources);
    if resources.has_parameter() {
        let parameter = Parameter::OwnIdentity;
        let kind = Node::object([("Type", Node::text("CommaDelimitedList")), ("Description", Node::text(parameter.description()))]);
        parameters.push((parameter.logical_id().into(), kind));
    }
    let reference = |parameter: Parameter| Node::object([("Ref", Node::text(parameter.logical_id()))]);
    let mut about = vec![
        ("Account", Node::text(account.account.id.as_str())),
        ("Notes", Node::texts(all_notes(needs, account, federation, people_are_known))),
    ];
    if !needs.own.is_empty() {
        about.push(("RolegateIdentityPolicy", assuming(&needs.own)));
    }
    let mut members = vec![
        ("AWSTemplateFormatVersion".to_owned(), Node::text("2010-09-09")),
        ("Description".to_owned(), Node::text(description(account))),
        ("Metadata".to_owned(), Node::object([("Rolegate", Node::object(about))])),
    ];
    if !parameters.is_empty() {
        members.push(("Parameters".to_owned(), Node::Object(parameters)));
    }
    members.push(("Resources".to_owned(), resources.with_parameters(&reference)));
    Node::Object(members).pretty()
}

/// At most 1024 bytes (CloudFormation User Guide, "Template anatomy").
fn description(account: &AccountNeeds) -> String {
    let name: String = account.account.name.chars().take(128).collect();
    format!("What IAM must be told for Rolegate in the account {} ({name}); wants CAPABILITY_NAMED_IAM", account.account.id)
}

fn all_notes(needs: &Needs, account: &AccountNeeds, federation: &Federation<'_>, people_are_known: bool) -> Vec<String> {
    needs.notes(people_are_known).into_iter().chain(notes(account, federation)).collect()
}

fn resource(kind: &str, properties: Node, depends_on: Vec<String>) -> Node {
    let mut members = vec![("Type", Node::text(kind))];
    if !depends_on.is_empty() {
        members.push(("DependsOn", Node::texts(depends_on)));
    }
    members.push(("Properties", properties));
    Node::object(members)
}

fn role(account: &AccountNeeds, need: &RoleNeed, federation: &Federation<'_>) -> Node {
    let mut properties = vec![("RoleName", Node::text(need.role.name()))];
    if path_of(&need.role) != "/" {
        properties.push(("Path", Node::text(path_of(&need.role))));
    }
    let rules = need.rules.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    // At most 1000 characters (IAM API reference, `CreateRole`).
    let description: String = format!("For Rolegate, by the rules: {rules}").chars().take(1000).collect();
    properties.push(("Description", Node::text(description)));
    properties.push(("MaxSessionDuration", Node::Number(need.max_session)));
    properties.push(("AssumeRolePolicyDocument", trust_policy(&account.account, need, federation)));
    if !need.leads_to.is_empty() {
        let policy = Node::object([("PolicyName", Node::text("RolegateHub")), ("PolicyDocument", assuming(&need.leads_to))]);
        properties.push(("Policies", Node::List(vec![policy])));
    }
    let mut behind: Vec<_> = need.doors.keys().filter_map(|door| depends_on(account, door, federation)).collect();
    behind.sort();
    behind.dedup();
    resource("AWS::IAM::Role", Node::object(properties), behind)
}

/// What of the same template must be there before the role.
fn depends_on(account: &AccountNeeds, door: &Door, federation: &Federation<'_>) -> Option<String> {
    match door {
        Door::Minted => Some(logical_id("Oidc", federation.issuer.url())),
        Door::Forwarded(issuer) if !is_built_in(issuer) => Some(logical_id("Oidc", issuer)),
        Door::Saml => {
            let arn = federation.saml_provider(&account.account)?;
            let name = account.saml.keys().find(|name| saml_provider_arn(&account.account, name) == arn)?;
            Some(logical_id("Saml", name))
        }
        Door::ForwardedSaml(id) => Some(logical_id("Saml", id.as_str())),
        Door::Hub(hub) if hub.account() == account.account.id => Some(logical_id("Role", hub.path_and_name())),
        Door::Forwarded(_) | Door::OwnIdentity | Door::Hub(_) => None,
    }
}

/// A logical id has letters and digits alone; a digest tells those apart that this would make equal.
fn logical_id(kind: &str, of: &str) -> String {
    let plain: String = of.chars().filter(char::is_ascii_alphanumeric).collect();
    let cut = plain.get(..plain.len().min(160)).unwrap_or_default();
    if plain == of && cut == of { format!("{kind}{of}") } else { format!("{kind}{cut}{}", digest(of)) }
}
