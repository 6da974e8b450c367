//! The plan as a Terraform module: one file, one provider configuration for each account, which the caller passes in.

use std::collections::BTreeSet;

use super::doors::Door;
use super::federation::{Federation, bare, is_built_in, saml_provider_arn};
use super::hcl::{Expression, Line, one_line, write};
use super::needs::{AccountNeeds, Needs, RoleNeed, SamlSource};
use super::node::{Node, Parameter};
use super::plan::{assuming, digest, federating, notes, path_of, trust_policy};

/// The Terraform that creates what is needed. Resources stand under `aws.account_ID`, and a wrong account behind such a name is refused
/// when Terraform plans.
#[must_use]
pub fn terraform(needs: &Needs, federation: &Federation<'_>, people_are_known: bool) -> String {
    let mut lines = head(needs, federation, people_are_known);
    for account in &needs.accounts {
        lines.extend(account_lines(account, federation));
    }
    if !needs.own.is_empty() {
        lines.extend([
            Line::Gap,
            Line::Comment("What the AWS identity that Rolegate runs under must be allowed: attach it there.".into()),
            Line::Block(
                "output",
                vec!["rolegate_identity_policy".into()],
                vec![Line::Argument("value", Expression::Json(assuming(&needs.own)))],
            ),
        ]);
    }
    let mut out = String::new();
    write(&lines, 0, &mut out);
    out
}

fn alias(needs: &AccountNeeds) -> String {
    format!("account_{}", needs.account.id)
}

fn head(needs: &Needs, federation: &Federation<'_>, people_are_known: bool) -> Vec<Line> {
    let aliases = needs.accounts.iter().map(|account| format!("aws.{}", alias(account))).collect::<Vec<_>>().join(", ");
    let mut lines = vec![
        Line::Comment("What IAM must be told for Rolegate, made by `rolegate aws plan`. Make it anew when the rules change.".into()),
        Line::Comment("Put it into a folder of its own and call it as a module, with a provider for each account:".into()),
        Line::Comment("  module \"rolegate\" {".into()),
        Line::Comment("    source    = \"./rolegate\"".into()),
    ];
    let passed = needs.accounts.iter().map(|account| format!("aws.{0} = aws.YOURS", alias(account))).collect::<Vec<_>>().join(", ");
    lines.push(Line::Comment(format!("    providers = {{ {passed} }}")));
    lines.push(Line::Comment("  }".into()));
    lines.push(Line::Comment("Roles that are there already: terraform import 'module.rolegate.aws_iam_role.NAME' ROLE".into()));
    lines.extend(needs.notes(people_are_known).into_iter().map(|note| Line::Comment(format!("NOTE: {note}"))));
    lines.push(Line::Gap);
    let provider = vec![
        Line::Argument("source", Expression::Value(Node::text("hashicorp/aws"))),
        // Since then a provider needs no thumbprints.
        Line::Argument("version", Expression::Value(Node::text(">= 5.81"))),
        Line::Argument("configuration_aliases", Expression::Code(format!("[{aliases}]"))),
    ];
    let mut required = String::from("{\n");
    write(&provider, 3, &mut required);
    required.push_str("    }");
    let requirements = vec![Line::Argument("aws", Expression::Code(required))];
    lines.push(Line::Block(
        "terraform",
        Vec::new(),
        vec![Line::text("required_version", ">= 1.2"), Line::Block("required_providers", Vec::new(), requirements)],
    ));
    let has_parameter = federation.identities.is_empty()
        && needs.accounts.iter().any(|account| account.roles.values().any(|role| role.doors.contains_key(&Door::OwnIdentity)));
    if has_parameter {
        let parameter = Parameter::OwnIdentity;
        lines.push(Line::Gap);
        lines.push(Line::Block(
            "variable",
            vec![parameter.variable().into()],
            vec![Line::Argument("type", Expression::Code("list(string)".into())), Line::text("description", parameter.description())],
        ));
    }
    lines
}

fn account_lines(needs: &AccountNeeds, federation: &Federation<'_>) -> Vec<Line> {
    let account = &needs.account;
    let alias = alias(needs);
    let mut lines = vec![Line::Gap, Line::Comment(format!("Account {} ({})", account.id, account.name))];
    lines.extend(notes(needs, federation).into_iter().map(|note| Line::Comment(format!("NOTE: {note}"))));
    let guard = Line::Block(
        "postcondition",
        Vec::new(),
        vec![
            Line::Argument("condition", Expression::Code(format!("self.account_id == \"{}\"", account.id))),
            Line::text("error_message", format!("aws.{alias} must be a provider for the account {}.", account.id)),
        ],
    );
    lines.push(Line::Block(
        "data",
        vec!["aws_caller_identity".into(), alias.clone()],
        vec![provider(&alias), Line::Block("lifecycle", Vec::new(), vec![guard])],
    ));
    lines.extend(needs.oidc.iter().flat_map(|(issuer, oidc)| {
        let resource = vec![
            provider(&alias),
            Line::text("url", issuer),
            Line::Argument("client_id_list", Expression::Value(Node::texts(oidc.clients.iter().cloned()))),
        ];
        [Line::Gap, Line::Block("resource", vec!["aws_iam_openid_connect_provider".into(), name(&alias, bare(issuer))], resource)]
    }));
    lines.extend(needs.saml.iter().flat_map(|(name, saml)| saml_lines(name, &saml.source, &alias)));
    for need in needs.roles.values() {
        lines.push(Line::Gap);
        lines.extend(role_lines(needs, need, federation, &alias));
    }
    for (id, user) in needs.users.iter().filter(|(_, user)| user.federates) {
        let resource = vec![
            provider(&alias),
            Line::text("name", format!("RolegateFederation-{id}")),
            Line::Argument("policy", Expression::Json(federating(account, user))),
        ];
        lines.push(Line::Gap);
        lines.push(Line::Block("resource", vec!["aws_iam_policy".into(), name(&alias, &format!("federation-{id}"))], resource));
    }
    lines
}

fn saml_lines(provider_name: &str, source: &SamlSource, alias: &str) -> Vec<Line> {
    let (file, whence) = match source {
        SamlSource::Rolegate => {
            ("rolegate-metadata.xml".to_owned(), "rolegate metadata idp --config FILE > rolegate-metadata.xml".to_owned())
        }
        SamlSource::Upstream { id, place } => (format!("{id}-metadata.xml"), format!("{id}-metadata.xml is a copy of {place}")),
    };
    let resource = vec![
        provider(alias),
        Line::text("name", provider_name),
        // The name has letters, digits and - alone.
        Line::Argument("saml_metadata_document", Expression::Code(format!("file(\"${{path.module}}/{file}\")"))),
    ];
    let labels = vec!["aws_iam_saml_provider".into(), name(alias, provider_name)];
    vec![Line::Gap, Line::Comment(whence), Line::Block("resource", labels, resource)]
}

fn provider(alias: &str) -> Line {
    Line::Argument("provider", Expression::Code(format!("aws.{alias}")))
}

/// A resource's name: what an identifier does not take is left out, and a digest tells those apart that it would make equal.
fn name(alias: &str, of: &str) -> String {
    let plain: String = of.chars().map(|character| if is_plain(character) { character } else { '_' }).collect();
    if plain == of { format!("{alias}_{plain}") } else { format!("{alias}_{plain}_{}", digest(of)) }
}

const fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || character == '-'
}

fn role_name(need: &RoleNeed) -> String {
    name(&format!("account_{}", need.role.account()), need.role.path_and_name())
}

fn role_lines(needs: &AccountNeeds, need: &RoleNeed, federation: &Federation<'_>, alias: &str) -> Vec<Line> {
    let rules = need.rules.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", ");
    let mut resource = vec![provider(alias), Line::text("name", need.role.name())];
    if path_of(&need.role) != "/" {
        resource.push(Line::text("path", path_of(&need.role)));
    }
    resource.push(Line::Argument("max_session_duration", Expression::Value(Node::Number(need.max_session))));
    resource.push(Line::Argument("assume_role_policy", Expression::Json(trust_policy(&needs.account, need, federation))));
    let behind: BTreeSet<_> = need.doors.keys().filter_map(|door| reference(needs, door, federation)).collect();
    if !behind.is_empty() {
        let list = behind.into_iter().collect::<Vec<_>>().join(", ");
        resource.push(Line::Argument("depends_on", Expression::Code(format!("[{list}]"))));
    }
    let mut lines = vec![Line::Comment(one_line(&format!("by the rules: {rules}")))];
    lines.push(Line::Block("resource", vec!["aws_iam_role".into(), role_name(need)], resource));
    if !need.leads_to.is_empty() {
        let policy = vec![
            provider(alias),
            Line::text("name", "RolegateHub"),
            Line::Argument("role", Expression::Code(format!("aws_iam_role.{}.name", role_name(need)))),
            Line::Argument("policy", Expression::Json(assuming(&need.leads_to))),
        ];
        lines.push(Line::Gap);
        lines.push(Line::Block("resource", vec!["aws_iam_role_policy".into(), role_name(need)], policy));
    }
    lines
}

/// What must be there before the role.
fn reference(needs: &AccountNeeds, door: &Door, federation: &Federation<'_>) -> Option<String> {
    let alias = alias(needs);
    let oidc = |issuer: &str| format!("aws_iam_openid_connect_provider.{}", name(&alias, bare(issuer)));
    match door {
        Door::Minted => Some(oidc(federation.issuer.url())),
        Door::Forwarded(issuer) if !is_built_in(issuer) => Some(oidc(issuer)),
        Door::Saml => {
            let named = needs
                .saml
                .keys()
                .find(|named| federation.saml_provider(&needs.account).is_some_and(|arn| arn == saml_provider_arn(&needs.account, named)));
            named.map(|named| format!("aws_iam_saml_provider.{}", name(&alias, named)))
        }
        Door::ForwardedSaml(id) => Some(format!("aws_iam_saml_provider.{}", name(&alias, id.as_str()))),
        Door::Hub(hub) => Some(format!("aws_iam_role.{}", name(&format!("account_{}", hub.account()), hub.path_and_name()))),
        Door::Forwarded(_) | Door::OwnIdentity => None,
    }
}
