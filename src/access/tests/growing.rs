//! Accounts that an organization tells of: what it does not tell must not let through.

use super::*;
use crate::access::with_discovered;

fn growing(discovered: &str, deny: &str) -> Result<Vec<String>, Vec<Problem>> {
    let allow = "[[rule]]\nid = \"a\"\neveryone = true\naccounts = [\"*\"]\nroles = [\"Dev\"]\n";
    let deny = format!("[[rule]]\nid = \"d\"\neffect = \"deny\"\neveryone = true\naccounts = [{deny}]\n");
    let file: File = toml::from_str(&format!("{ACCOUNTS}\n{allow}{deny}")).unwrap();
    let found: File = toml::from_str(discovered).unwrap();
    let accounts = with_discovered(&file.account, &found.account);
    let (groups, policies) = (GroupSettings::default(), PolicyFiles::default());
    let sources = Sources {
        accounts: &accounts,
        accounts_may_grow: true,
        iam_users: &[],
        rules: &file.rule,
        naming: &file.naming,
        groups,
        policies: &policies,
    };
    let policy = Policy::of(&sources, &[])?;
    let context = Context { now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(), ip: None };
    let granted = policy.granted(&Person::from(&Identity::for_tests("u1", &[])), &context);
    Ok(granted.iter().map(|entitlement| entitlement.account.name.clone()).collect())
}

fn account(id: &str, name: &str, ou: &str) -> String {
    format!("[[account]]\nid = \"{id}\"\nname = \"{name}\"\nou = \"{ou}\"\n")
}

#[test]
fn a06_a_deny_that_finds_no_account_takes_all_of_them() {
    let known = ["111122223333", "444455556666", "012345678901"].map(|id| account(id, "x", "/A")).concat();
    for (selector, left) in [
        ("\"Production\"", 2),
        ("\"Prodcution\"", 0),
        ("\"tag:env=prd\"", 0),
        ("\"ou:/B\"", 0),
        ("\"ou:/A\"", 0),
        // Nothing can be granted in an account that nobody knows.
        ("\"999999999999\"", 3),
    ] {
        assert_eq!(growing(&known, selector).unwrap().len(), left, "{selector}");
    }
    for malformed in ["\"ou:B\"", "\"ou:/B/\"", "\"tag:env\"", "\"\""] {
        assert_eq!(growing(&known, malformed).unwrap_err()[0].path, "rule[1].accounts[0]", "{malformed}");
    }
}

#[test]
fn a06_a_deny_by_unit_or_tag_takes_accounts_that_nobody_tells_of() {
    let two = account("111122223333", "x", "/A") + &account("444455556666", "x", "/B");
    // Gov is in no copy; the file tells the tag of the other two.
    assert_eq!(growing(&two, "\"ou:/A\"").unwrap(), ["Staging"]);
    assert_eq!(growing(&two, "\"tag:env=prod\"").unwrap(), ["Staging"]);
    assert_eq!(growing("", "\"ou:/A\"").unwrap(), [] as [&str; 0]);
    assert_eq!(growing("", "\"tag:env=prod\"").unwrap(), ["Staging"]);
    assert_eq!(growing("", "\"Production\"").unwrap(), ["Gov", "Staging"]);
}

#[test]
fn a06_a_name_that_two_accounts_have_denies_them_both() {
    let twins = account("222233334444", "Vault", "/A") + &account("333344445555", "Vault", "/A");
    let left = growing(&twins, "\"Vault\"").unwrap();
    assert!(!left.iter().any(|name| name.starts_with("Vault")), "{left:?}");
}

#[test]
fn a_role_on_the_way_that_is_not_known_yet_lets_nothing_through() {
    let rule = |hub: &str| {
        format!(
            "[[rule]]\nid = \"a\"\neveryone = true\naccounts = [\"Production\", \"Staging\"]\nroles = [\"Dev\"]\noperation = \"assume_role\"\nvia = \"arn:aws:iam::{hub}:role/Hub\"\n"
        )
    };
    let granted = |hub: &str| {
        let file: File = toml::from_str(&format!("{ACCOUNTS}\n{}", rule(hub))).unwrap();
        let (groups, policies, accounts) = (GroupSettings::default(), PolicyFiles::default(), &file.account);
        let (rules, naming) = (&file.rule, &file.naming);
        let sources = Sources { accounts, accounts_may_grow: true, iam_users: &[], rules, naming, groups, policies: &policies };
        let policy = Policy::of(&sources, &[]).unwrap();
        let context = Context { now: DateTime::from_timestamp(1_800_000_000, 0).unwrap(), ip: None };
        let looks = policy.second_looks(rules, &[], context.now);
        let warned = looks.iter().any(|look| look.path == "rule[0].via");
        (policy.granted(&Person::from(&Identity::for_tests("u1", &[])), &context).len(), warned)
    };
    assert_eq!(granted("444455556666"), (2, false));
    assert_eq!(granted("999999999999"), (0, true));
}
