//! Which role somebody means by a word.

use std::collections::BTreeMap;

use super::api::Role;
use super::trouble::{Kind, Trouble};
use crate::terminal::harmless_name;

/// The most candidates that are listed.
const LISTED: usize = 20;

/// A role's short name: account and role, as people type it.
pub(super) fn short_name(role: &Role) -> String {
    format!("{}/{}", role.account.name, role.arn.name())
}

/// The word behind an alias, or the word itself.
pub(super) fn unalias<'a>(word: &'a str, aliases: &'a BTreeMap<String, String>) -> &'a str {
    aliases.get(word).map_or(word, String::as_str)
}

/// Whether part of a name will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guess {
    ByPart,
    Never,
}

/// The one role that a word means: its ARN, `account/role` (the account by name or id, the role with or without its path), or a part that only
/// one role has, where that may be guessed. Case does not matter.
pub(super) fn pick<'a>(word: &str, roles: &'a [Role], purpose: &str, guess: Guess) -> Result<&'a Role, Trouble> {
    if word.trim().is_empty() {
        // Every role has it, and somebody with one role would be given that.
        return Err(Trouble::yours(Kind::Usage, "No role is named.", "rolegate roles lists those you have"));
    }
    let fitting: Vec<&Role> = roles.iter().filter(|role| role.is_for(purpose)).collect();
    let exact: Vec<&Role> = fitting.iter().copied().filter(|role| is_named(role, word)).collect();
    let exact_is_needed = exact.is_empty() && guess == Guess::Never;
    let found: Vec<&Role> = if exact.is_empty() { fitting.iter().copied().filter(|role| matches_all(role, word)).collect() } else { exact };
    match found.as_slice() {
        [_, ..] if exact_is_needed => Err(Trouble::yours(
            Kind::Usage,
            format!("`{word}` is part of a name, and nobody is here to see which role that means. It could be\n{}", list(&found)),
            "write ACCOUNT/ROLE, an ARN or an alias for one of them",
        )),
        [role] => Ok(role),
        [] => Err(Trouble::yours(
            Kind::Usage,
            format!("You have no role for {purpose} that `{word}` could mean, of {}.", fitting.len()),
            "rolegate roles lists those you have",
        )),
        several => Err(Trouble::yours(
            Kind::Usage,
            format!("`{word}` could mean {} roles:\n{}", several.len(), list(several)),
            "say more of the one you mean",
        )),
    }
}

/// Whether all words of a filter are found somewhere in what describes a role.
pub(super) fn matches_all(role: &Role, filter: &str) -> bool {
    let tags = role.account.tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ");
    let account = [role.account.alias.as_deref(), role.account.ou.as_deref()].map(Option::unwrap_or_default).join(" ");
    let described = format!("{} {} {account} {tags}", short_name(role), role.arn).to_lowercase();
    filter.to_lowercase().split_whitespace().all(|word| described.contains(word))
}

fn is_named(role: &Role, word: &str) -> bool {
    if word == role.arn.as_str() {
        return true;
    }
    // A role's path may have slashes, an account's name as well.
    let accounts = [role.account.name.as_str(), role.account.id.as_str()].into_iter().chain(role.account.alias.as_deref());
    let names = [role.arn.name(), role.arn.path_and_name()];
    accounts.into_iter().any(|account| names.iter().any(|name| word.to_lowercase() == format!("{account}/{name}").to_lowercase()))
}

fn list(roles: &[&Role]) -> String {
    let mut lines: Vec<_> =
        roles.iter().take(LISTED).map(|role| format!("  {}  ({})", harmless_name(&short_name(role)), role.arn)).collect();
    if roles.len() > LISTED {
        lines.push(format!("  and {} more", roles.len() - LISTED));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick<'a>(word: &str, roles: &'a [Role], purpose: &str) -> Result<&'a Role, Trouble> {
        super::pick(word, roles, purpose, Guess::ByPart)
    }

    pub(crate) fn role(account: &str, id: &str, name: &str) -> Role {
        let arn = format!("arn:aws:iam::{id}:role/{name}");
        serde_json::from_value(serde_json::json!({
            "arn": arn, "account": {"id": id, "name": account, "alias": format!("acme-{}", &id[..3]), "tags": {"env": "prod"}, "ou": "/Workloads"}, "purposes": ["console", "credentials"],
        }))
        .unwrap()
    }

    #[test]
    fn a_role_is_meant_by_its_arn_its_names_or_a_part_that_is_its_own() {
        let mut roles = vec![
            role("Production", "111122223333", "ReadOnly"),
            role("Production", "111122223333", "team/ReadOnlyPlus"),
            role("Staging", "444455556666", "ReadOnly"),
            role("Production EU", "777788889999", "Admin"),
        ];
        for (word, index) in [
            ("arn:aws:iam::111122223333:role/ReadOnly", 0),
            ("production/readonly", 0),
            ("111122223333/ReadOnly", 0),
            ("acme-111/readonly", 0),
            ("acme-4 readonly", 2),
            ("Production/team/ReadOnlyPlus", 1),
            ("Production/ReadOnlyPlus", 1),
            ("plus", 1),
            ("Staging", 2),
            ("production eu/admin", 3),
            ("admin eu", 3),
        ] {
            assert_eq!(pick(word, &roles, "credentials").unwrap().arn, roles[index].arn, "{word}");
        }
        let trouble = pick("readonly", &roles, "credentials").unwrap_err();
        assert_eq!(trouble.kind, Kind::Usage);
        for candidate in ["Production/ReadOnly ", "Production/ReadOnlyPlus ", "Staging/ReadOnly "] {
            assert!(trouble.happened.contains(candidate), "{trouble}");
        }
        assert!(pick("nothing", &roles, "credentials").unwrap_err().happened.contains("no role"));
        for blank in ["", " ", "\t"] {
            assert!(pick(blank, &roles[..1], "credentials").unwrap_err().happened.contains("No role is named"));
        }
        for (word, is_named) in
            [("production/readonly", true), ("arn:aws:iam::111122223333:role/ReadOnly", true), ("plus", false), ("e", false)]
        {
            assert_eq!(super::pick(word, &roles, "credentials", Guess::Never).is_ok(), is_named, "{word}");
        }
        roles[2].way.purposes = vec!["console".into()];
        assert!(pick("Staging", &roles, "credentials").is_err());
        assert!(pick("Staging", &roles, "console").is_ok());
        let twice = vec![role("Production", "111122223333", "ReadOnly"), role("Production", "444455556666", "ReadOnly")];
        assert!(pick("Production/ReadOnly", &twice, "credentials").unwrap_err().happened.contains("could mean 2 roles"));
        assert_eq!(pick("444455556666/ReadOnly", &twice, "credentials").unwrap().account.id.as_str(), "444455556666");
    }

    #[test]
    fn many_candidates_are_cut_short_and_aliases_are_followed_once() {
        let roles: Vec<_> = (0..50).map(|n| role("Production", "111122223333", &format!("Role{n}"))).collect();
        let told = pick("role", &roles, "credentials").unwrap_err().happened;
        assert!(told.contains("and 30 more") && told.lines().count() == 22, "{told}");
        let aliases = BTreeMap::from([("p".to_owned(), "q".to_owned()), ("q".to_owned(), "Production/X".to_owned())]);
        assert_eq!((unalias("p", &aliases), unalias("q", &aliases), unalias("r", &aliases)), ("q", "Production/X", "r"));
        assert!(matches_all(&roles[0], "PROD env=prod workloads") && !matches_all(&roles[0], "prod staging"));
    }
}
