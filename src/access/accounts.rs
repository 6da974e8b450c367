//! The known accounts, and how a rule selects among them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::discovered::is_in;
use super::patterns::Pattern;
use super::rule::RuleCompiler;
use super::settings::{AccountSettings, Effect};
use super::template::{Captures, Template};
use super::{Account, Target};
use crate::arn::{AccountId, Partition, RoleArn, SamlProviderArn};
use crate::settings::Problem;

/// The known accounts: what is not in here cannot be reached.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    pub(super) all: Vec<Arc<Account>>,
    by_id: HashMap<AccountId, usize>,
    by_name: HashMap<String, usize>,
    /// Where each of `all` stands when they are ordered by name.
    order: Vec<u32>,
    /// Whether others may become known later: a rule may name them beforehand.
    pub(super) may_grow: bool,
    /// Those whose unit and tags are not known, because the organization does not tell of them.
    unplaced: HashSet<AccountId>,
}

/// One entry of a rule's `accounts`.
#[derive(Debug)]
pub(super) enum AccountSelector {
    /// Accounts known beforehand, ordered by id.
    These(Arc<[Arc<Account>]>),
    /// An account's id or name with captures in it.
    Captured(Template),
}

impl Accounts {
    /// An account by its id or its name.
    pub(super) fn find(&self, id_or_name: &str) -> Option<&Arc<Account>> {
        let index = match id_or_name.parse::<AccountId>() {
            Ok(id) => self.by_id.get(&id),
            Err(_) => self.by_name.get(id_or_name),
        };
        index.and_then(|index| self.all.get(*index))
    }

    /// The account that a role lives in, if it is known and of the role's partition.
    pub(super) fn of_role(&self, role: &RoleArn) -> Option<&Arc<Account>> {
        self.known(role.partition(), role.account())
    }

    /// The account of what rules grant, if it is known and of the same partition.
    pub(super) fn of_target(&self, target: &Target) -> Option<&Arc<Account>> {
        self.known(target.partition(), target.account())
    }

    fn known(&self, partition: Partition, id: AccountId) -> Option<&Arc<Account>> {
        let account = self.all.get(*self.by_id.get(&id)?)?;
        (account.partition == partition).then_some(account)
    }

    /// Where an account stands when all are ordered by name.
    pub(super) fn order_of(&self, id: AccountId) -> u32 {
        self.by_id.get(&id).and_then(|index| self.order.get(*index)).copied().unwrap_or(u32::MAX)
    }

    pub(super) fn compile(settings: &[AccountSettings], may_grow: bool, problems: &mut Vec<Problem>) -> Self {
        let mut accounts = Self { may_grow, ..Self::default() };
        let names: HashSet<_> = settings.iter().map(|account| account.name.trim().to_lowercase()).collect();
        for (index, account) in settings.iter().enumerate() {
            let at = format!("account[{index}]");
            let Ok(id) = account.id.parse::<AccountId>() else {
                problems.push(Problem::new(
                    format!("{at}.id"),
                    format!("`{}` is not an account id", account.id),
                    "write the twelve digits as a string",
                ));
                continue;
            };
            let name = account.name.trim();
            if name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) || name.parse::<AccountId>().is_ok() {
                problems.push(Problem::new(
                    format!("{at}.name"),
                    format!("`{name}` is not a good name for an account"),
                    "use 1 to 128 printable characters that are not an account id",
                ));
                continue;
            }
            if accounts.by_id.contains_key(&id) || accounts.by_name.contains_key(name) {
                problems.push(Problem::new(
                    at,
                    format!("the account {id} or the name `{name}` stands here twice"),
                    "keep one of the two, or name them apart",
                ));
                continue;
            }
            if account.ou.as_ref().is_some_and(|ou| !ou.starts_with('/') || (ou.len() > 1 && ou.ends_with('/')) || ou.contains("//")) {
                problems.push(Problem::new(
                    format!("{at}.ou"),
                    "this is no path of an organizational unit",
                    "begin at the root, as /Workloads/Prod; an account in the root itself is in /",
                ));
            }
            let alias = own_alias(account, &names, &at, problems);
            let saml_provider = own_saml_provider(account, id, &at, problems);
            accounts.by_id.insert(id, accounts.all.len());
            accounts.by_name.insert(name.to_owned(), accounts.all.len());
            let tags = account.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            if account.unplaced {
                accounts.unplaced.insert(id);
            }
            accounts.all.push(Arc::new(Account {
                id,
                name: name.to_owned(),
                alias,
                partition: account.partition,
                tags,
                ou: account.ou.clone(),
                saml_provider,
                saml_acs_id: account.saml_acs_id.clone(),
            }));
        }
        let mut by_name: Vec<_> = accounts.by_name.iter().collect();
        by_name.sort_unstable();
        accounts.order = vec![u32::MAX; accounts.all.len()];
        for (order, (_, index)) in (0..).zip(by_name) {
            if let Some(place) = accounts.order.get_mut(*index) {
                *place = order;
            }
        }
        accounts
    }

    /// The accounts that a deny's selector without captures stands for, ordered by id. Where accounts are discovered, what is not known must
    /// not let through: a selector that finds nothing stands for all, and one by unit or tag for those too whose unit and tags nobody told.
    /// An id is an id: it stands for nothing else.
    pub(super) fn select_denied(&self, selector: &str) -> Result<Vec<Arc<Account>>, String> {
        if !self.may_grow {
            return self.select(selector);
        }
        malformed(selector)?;
        let mut found = match self.select(selector) {
            Ok(found) => found,
            Err(_) if selector.parse::<AccountId>().is_ok() => return Ok(Vec::new()),
            Err(_) => return self.select("*"),
        };
        let untold = |account: &&Arc<Account>| match selector.split_once(':') {
            Some(("ou", _)) => account.ou.is_none(),
            Some(("tag", tag)) => !tag.split_once('=').is_some_and(|(key, _)| account.tags.iter().any(|(known, _)| known == key)),
            _ => false,
        };
        found.extend(self.all.iter().filter(|account| self.unplaced.contains(&account.id)).filter(untold).cloned());
        found.sort_unstable_by_key(|account| account.id);
        found.dedup_by_key(|account| account.id);
        Ok(found)
    }

    /// The accounts that a selector without captures stands for, ordered by id.
    pub(super) fn select(&self, selector: &str) -> Result<Vec<Arc<Account>>, String> {
        malformed(selector)?;
        let ordered = |mut accounts: Vec<Arc<Account>>| {
            accounts.sort_unstable_by_key(|account| account.id);
            accounts
        };
        if selector == "*" {
            return Ok(ordered(self.all.clone()));
        }
        if let Some(tag) = selector.strip_prefix("tag:") {
            let (key, value) = tag.split_once('=').unwrap_or_default();
            let found: Vec<_> =
                self.all.iter().filter(|account| account.tags.iter().any(|(k, v)| k == key && v == value)).cloned().collect();
            return if found.is_empty() { Err(format!("no account has the tag {key}={value}")) } else { Ok(ordered(found)) };
        }
        if let Some(wanted) = selector.strip_prefix("ou:") {
            let is_there = |account: &&Arc<Account>| account.ou.as_deref().is_some_and(|ou| is_in(ou, wanted));
            let found: Vec<_> = self.all.iter().filter(is_there).cloned().collect();
            return if found.is_empty() { Err(format!("no account is in the organizational unit {wanted}")) } else { Ok(ordered(found)) };
        }
        self.find(selector).map(|account| vec![Arc::clone(account)]).ok_or_else(|| format!("there is no account `{selector}`"))
    }
}

/// What a selector without captures stands for, or why it stands for nothing.
pub(super) type Selected = Result<Arc<[Arc<Account>]>, String>;

impl RuleCompiler<'_, '_> {
    /// The accounts that the rule names.
    pub(super) fn selectors(&mut self, pattern: Option<&Pattern>) -> Vec<AccountSelector> {
        let (settings, accounts) = (self.settings, self.accounts);
        let denies = settings.effect == Effect::Deny;
        let mut selectors = Vec::new();
        for (index, text) in settings.accounts.iter().enumerate() {
            let key = format!("accounts[{index}]");
            let Some(template) = self.captured(&key, text, pattern) else { continue };
            match template.literal() {
                None => selectors.push(AccountSelector::Captured(template)),
                Some(literal) => {
                    let select = || if denies { accounts.select_denied(literal) } else { accounts.select(literal) }.map(Into::into);
                    match self.shared.selected.entry((settings.effect, text)).or_insert_with(select).clone() {
                        Ok(accounts) => selectors.push(AccountSelector::These(accounts)),
                        // Who may come later cannot be told from a slip: a second look warns of it.
                        Err(_) if accounts.may_grow && !denies && malformed(literal).is_ok() => {
                            selectors.push(AccountSelector::These(Arc::default()));
                        }
                        Err(message) => self.problem(&key, message, "use an [[account]]'s id or name, `tag:key=value`, `ou:/path`, or `*`"),
                    }
                }
            }
        }
        selectors
    }
}

/// Refuses a selector that can never find anything.
pub(super) fn malformed(selector: &str) -> Result<(), String> {
    if selector.is_empty() {
        return Err("there is no account without a name".into());
    }
    if selector.strip_prefix("tag:").is_some_and(|tag| !tag.contains('=')) {
        return Err(format!("`{selector}` lacks its value"));
    }
    let is_path = |wanted: &str| wanted.starts_with('/') && (wanted.len() == 1 || !wanted.ends_with('/')) && !wanted.contains("//");
    if selector.strip_prefix("ou:").is_some_and(|wanted| !is_path(wanted)) {
        return Err(format!("`{selector}` is no path of an organizational unit: write ou:/Workloads/Prod or ou:/Workloads/**"));
    }
    Ok(())
}

/// The alias of an account, as IAM allows it (API reference, `CreateAccountAlias`). A name means the account of that name: where the organization
/// tells of one that is called as another one's alias, the alias is left out.
fn own_alias(account: &AccountSettings, names: &HashSet<String>, at: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let alias = account.alias.as_deref()?;
    let letters = alias.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let hyphens = !alias.starts_with('-') && !alias.ends_with('-') && !alias.contains("--");
    if !letters || !hyphens || !(3..=63).contains(&alias.len()) || alias.parse::<AccountId>().is_ok() {
        let hint = "write what stands before .signin.aws.amazon.com: 3 to 63 lower-case letters, digits and single hyphens";
        problems.push(Problem::new(format!("{at}.alias"), format!("`{alias}` is no alias of an account"), hint));
    }
    (account.name.trim().eq_ignore_ascii_case(alias) || !names.contains(alias)).then(|| alias.to_owned())
}

/// The account's own SAML provider: a role must not be paired with one of another account or partition.
fn own_saml_provider(account: &AccountSettings, id: AccountId, at: &str, problems: &mut Vec<Problem>) -> Option<SamlProviderArn> {
    let acs_id_fits = |id: &String| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if account.saml_acs_id.as_ref().is_some_and(|id| !acs_id_fits(id)) {
        problems.push(Problem::new(
            format!("{at}.saml_acs_id"),
            "this is not the id of a SAML provider's sign-in address",
            "write what stands behind /saml/acs/ in the address that IAM shows for the provider",
        ));
    }
    let text = account.saml_provider.as_deref()?;
    let parsed = if text.starts_with("arn:") { text.parse() } else { SamlProviderArn::new(account.partition, id, text) };
    let message = match parsed {
        Ok(provider) if provider.account() == id && provider.partition() == account.partition => return Some(provider),
        Ok(_) => format!("`{text}` is the SAML provider of another account or partition"),
        Err(error) => format!("`{text}` is not a SAML provider: {error}"),
    };
    let hint = "write its name in IAM, or its whole ARN: arn:aws:iam::ACCOUNT:saml-provider/NAME";
    problems.push(Problem::new(format!("{at}.saml_provider"), message, hint));
    None
}

/// The roles that one role text names in the selected accounts. A whole ARN names its account itself, and it must be a known one.
pub(super) fn roles_named<'a>(
    known: &'a Accounts,
    selectors: &'a [AccountSelector],
    role: &str,
    captures: &Captures<'_>,
) -> Vec<Result<(RoleArn, &'a Arc<Account>), String>> {
    if role.starts_with("arn:") {
        let parsed = role.parse::<RoleArn>().map_err(|error| format!("`{role}` is not a role's ARN: {error}"));
        return vec![parsed.and_then(|role| {
            let account = known.of_role(&role);
            account.map(|account| (role.clone(), account)).ok_or_else(|| format!("`{role}` is in no known account of its partition"))
        })];
    }
    let mut roles = Vec::new();
    for account in selected(known, selectors, captures) {
        roles.push(
            RoleArn::new(account.partition, account.id, role)
                .map(|arn| (arn, account))
                .map_err(|error| format!("`{role}` is not a role's name: {error}")),
        );
    }
    roles
}

/// The accounts that selectors stand for, captures filled in; a captured account that is not known stands for none.
fn selected<'a>(known: &'a Accounts, selectors: &'a [AccountSelector], captures: &Captures<'_>) -> Vec<&'a Arc<Account>> {
    let mut accounts = Vec::new();
    for selector in selectors {
        match selector {
            AccountSelector::These(these) => accounts.extend(these.iter()),
            AccountSelector::Captured(template) => {
                accounts.extend(template.fill_captures(captures).and_then(|text| known.find(&text)));
            }
        }
    }
    accounts
}
