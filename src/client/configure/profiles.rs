//! The profiles for a person's roles: their names, and what stands in them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::api::Role;
use super::super::gateway_url::GatewayUrl;
use super::super::trouble::{Kind, Trouble};
use crate::arn::{Region, is_name_byte};
use crate::aws::formats::account_word;

/// How profiles are named if nothing else is said.
pub(super) const USUAL: &str = "{account}-{role}";

/// Profiles by name.
pub(super) fn name<'a>(roles: &'a [Role], template: &str) -> Result<BTreeMap<String, &'a Role>, Trouble> {
    let names: Vec<String> = roles.iter().map(|role| named(role, template)).collect();
    let mut profiles = BTreeMap::new();
    for (role, name) in roles.iter().zip(&names) {
        // Two accounts may have one name; their ids differ.
        let is_shared = names.iter().filter(|other| *other == name).count() > 1;
        let is_empty = name.is_empty();
        let name = if is_shared { format!("{name}-{}", role.account.id) } else { name.clone() };
        if is_empty || name.len() > 128 || !name.bytes().all(is_name_byte) {
            let advice =
                format!("a profile's name has letters, digits and _ + = , . @ -; the placeholders are those of {USUAL} and {{account_id}}");
            return Err(Trouble::yours(Kind::Usage, format!("`{name}` cannot be a profile's name."), advice));
        }
        if let Some(other) = profiles.insert(name.clone(), role) {
            let happened = format!("The profile `{name}` would be for {} and for {}.", other.arn, role.arn);
            return Err(Trouble::yours(Kind::Usage, happened, "use a --name with {account_id} and {role}"));
        }
    }
    Ok(profiles)
}

fn named(role: &Role, template: &str) -> String {
    let account = account_word(&role.account.name, role.account.id);
    // The placeholders' values have no braces.
    template
        .replace("{account_id}", role.account.id.as_str())
        .replace("{account}", &account)
        .replace("{role}", &role.arn.name().replace(':', "."))
}

/// The block's content.
pub(super) fn write(profiles: &BTreeMap<String, &Role>, program: &str, gateway: &GatewayUrl, region: Option<&Region>) -> String {
    let mut text = String::new();
    for (name, role) in profiles {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "[profile {name}]");
        if role.way.needs.reason.is_some() || role.way.needs.mfa_code {
            let _ = writeln!(
                text,
                "# first: rolegate credentials {} --{}",
                role.arn,
                match (role.way.needs.mfa_code, role.break_glass) {
                    (_, true) => "break-glass --reason TEXT",
                    (true, _) => "mfa-code CODE",
                    _ => "reason TEXT",
                }
            );
        }
        let _ = writeln!(text, "credential_process = {program} credentials {} --gateway {gateway}", role.arn);
        if let Some(region) = region {
            let _ = writeln!(text, "region = {region}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(account: &str, id: &str, name: &str) -> Role {
        let arn = format!("arn:aws:iam::{id}:role/{name}");
        serde_json::from_value(serde_json::json!({ "arn": arn, "account": {"id": id, "name": account} })).unwrap()
    }

    #[test]
    fn names_follow_the_template_and_tell_accounts_apart() {
        let roles = [
            role("Production", "111122223333", "team/ReadOnly"),
            role("Pröd / EU", "444455556666", "Dev"),
            role("Twin", "777788889999", "Dev"),
            role("Twin", "777788880000", "Dev"),
        ];
        let names = |template: &str| name(&roles, template).map(|profiles| profiles.into_keys().collect::<Vec<_>>());
        assert_eq!(
            names(USUAL).unwrap(),
            ["Pr-d-EU-444455556666-Dev", "Production-ReadOnly", "Twin-Dev-777788880000", "Twin-Dev-777788889999"]
        );
        assert_eq!(names("aws.{account_id}.{role}").unwrap()[0], "aws.111122223333.ReadOnly");
        for bad in ["", "{account}]\n[default", "{acount}", "a b-{role}", &"x".repeat(129)] {
            assert_eq!(names(bad).unwrap_err().kind, Kind::Usage, "{bad}");
        }
        let same = [role("A", "111122223333", "One"), role("A", "111122223333", "Two")];
        assert!(name(&same, "{account}").unwrap_err().happened.contains("would be for"));
    }

    #[test]
    fn a_profile_runs_the_command_line_and_says_what_a_role_wants_first() {
        let mut role = role("Production", "111122223333", "ReadOnly");
        role.way.needs.reason = Some(serde_json::json!({"kind": "ticket"}));
        let text = write(
            &BTreeMap::from([("p".to_owned(), &role)]),
            "/usr/bin/rolegate",
            &"https://roles.example.org".parse().unwrap(),
            Some(&"eu-central-1".parse().unwrap()),
        );
        let expected = "[profile p]\n# first: rolegate credentials arn:aws:iam::111122223333:role/ReadOnly --reason TEXT\n\
            credential_process = /usr/bin/rolegate credentials arn:aws:iam::111122223333:role/ReadOnly --gateway https://roles.example.org\n\
            region = eu-central-1\n";
        assert_eq!(text, expected);
    }
}
