//! Accounts that the file lists, and those that AWS Organizations knows, as one list.

use std::collections::BTreeSet;

use super::settings::AccountSettings;
use crate::arn::AccountId;

/// The accounts of the file, and behind them, by id, the discovered ones that it does not list.
///
/// Where both know an account, the file's name and partition count, its tags win over those of the same key, and so does its `ou`. A
/// discovered name that is taken, or that would be none here, gets the id: names decide about grants, so they must not be confused.
#[must_use]
pub fn with_discovered(file: &[AccountSettings], discovered: &[AccountSettings]) -> Vec<AccountSettings> {
    let mut accounts = file.to_vec();
    for account in &mut accounts {
        account.unplaced = true;
        if let Some(found) = discovered.iter().find(|found| found.id == account.id) {
            account.unplaced = false;
            account.ou = account.ou.take().or_else(|| found.ou.clone());
            for (key, value) in &found.tags {
                account.tags.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    let known: BTreeSet<String> = accounts.iter().map(|account| account.id.clone()).collect();
    let mut fresh: Vec<_> = discovered.iter().filter(|account| !known.contains(&account.id)).cloned().collect();
    fresh.sort_by(|one, other| one.id.cmp(&other.id));
    fresh.dedup_by(|one, other| one.id == other.id);
    let mut counted = std::collections::BTreeMap::<String, usize>::new();
    for account in accounts.iter().chain(&fresh) {
        *counted.entry(account.name.trim().to_owned()).or_default() += 1;
    }
    // Whoever names an account in the organization must not take over what people call another one.
    let aliases: BTreeSet<String> = accounts.iter().filter_map(|account| account.alias.clone()).collect();
    for mut account in fresh {
        let name = account.name.trim();
        // What looks like a name that is made here could pass for another account's.
        let made = name.starts_with("Account ") || name.strip_suffix(')').is_some_and(|name| name.rsplit('(').next().is_some_and(is_id));
        let odd = made || name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) || is_id(name);
        if odd {
            account.name = format!("Account {}", account.id);
        } else if counted.get(name).is_some_and(|count| *count > 1) || aliases.contains(&name.to_lowercase()) {
            account.name = format!("{name} ({})", account.id);
        }
        accounts.push(account);
    }
    accounts
}

pub(super) fn is_id(text: &str) -> bool {
    text.parse::<AccountId>().is_ok()
}

/// Whether an organizational unit's path is what a selector asks for: `/A/B` that unit, `/A/**` the unit and all below it.
pub(super) fn is_in(ou: &str, wanted: &str) -> bool {
    match wanted.strip_suffix("/**") {
        Some(above) => ou == above || ou.strip_prefix(above).is_some_and(|rest| rest.starts_with('/')),
        None => ou == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str, name: &str, ou: Option<&str>, env: Option<&str>) -> AccountSettings {
        let tags = env.map(|env| ("env".to_owned(), env.to_owned())).into_iter().collect();
        let ou = ou.map(str::to_owned);
        AccountSettings { id: id.into(), name: name.into(), ou, tags, ..AccountSettings::default() }
    }

    #[test]
    fn the_file_wins_and_names_stay_apart() {
        let file = [account("111122223333", "Production", None, Some("prod"))];
        let discovered = [
            account("444455556666", "Twice", Some("/A"), None),
            account("222233334444", "Production", Some("/A"), None),
            account("111122223333", "acme-prod-1", Some("/Workloads/Prod"), Some("other")),
            account("333344445555", "Twice", Some("/B"), Some("dev")),
            account("555566667777", "111122223333", Some("/"), None),
            account("666677778888", "Twice (333344445555)", Some("/"), None),
            account("777788889999", "Account 666677778888", Some("/"), None),
        ];
        let all = with_discovered(&file, &discovered);
        let shown: Vec<_> = all.iter().map(|a| format!("{} {} {:?} {:?}", a.id, a.name, a.ou.as_deref(), a.tags.get("env"))).collect();
        assert_eq!(
            shown,
            [
                "111122223333 Production Some(\"/Workloads/Prod\") Some(\"prod\")",
                "222233334444 Production (222233334444) Some(\"/A\") None",
                "333344445555 Twice (333344445555) Some(\"/B\") Some(\"dev\")",
                "444455556666 Twice (444455556666) Some(\"/A\") None",
                "555566667777 Account 555566667777 Some(\"/\") None",
                "666677778888 Account 666677778888 Some(\"/\") None",
                "777788889999 Account 777788889999 Some(\"/\") None",
            ]
        );
    }

    #[test]
    fn who_names_an_account_takes_over_no_other_ones_alias() {
        let production = AccountSettings { alias: Some("acme-prod".into()), ..account("111122223333", "Production", None, None) };
        let all = with_discovered(&[production], &[account("222233334444", "Acme-Prod", Some("/A"), None)]);
        let names: Vec<_> = all.iter().map(|account| account.name.as_str()).collect();
        assert_eq!(names, ["Production", "Acme-Prod (222233334444)"]);
    }

    #[test]
    fn a_unit_is_itself_and_with_two_stars_all_below_it() {
        for (ou, wanted, is) in [
            ("/A/B", "/A/B", true),
            ("/A/B", "/A", false),
            ("/A/B", "/A/**", true),
            ("/A/B/C", "/A/**", true),
            ("/A", "/A/**", true),
            ("/AB", "/A/**", false),
            ("/A", "/a", false),
            ("/A", "/**", true),
            ("/", "/**", true),
            ("/", "/", true),
        ] {
            assert_eq!(is_in(ou, wanted), is, "{ou} in {wanted}");
        }
    }
}
