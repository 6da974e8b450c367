//! From the author's rules to an immutable [`Policy`]: everything that can be known before somebody signs in is settled here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::settings::{AccountSettings, Carry, Effect, NamingSettings, Operation, RuleSettings};
use super::template::{Placeholder, Template};
use super::{Account, LONGEST_SESSION, SHORTEST_SESSION};
use crate::arn::{AccountId, RoleArn};
use crate::identity::ProviderId;
use crate::settings::Problem;

/// The longest group pattern, in bytes, and the largest compiled one: an administrator's slip must not cost a gigabyte.
const LONGEST_PATTERN: usize = 512;
const LARGEST_PROGRAM: usize = 256 * 1024;
/// What an AWS session may carry.
const MOST_TAGS: usize = 50;

/// Accounts and rules, compiled: immutable, and asked for each decision.
#[derive(Debug)]
pub struct Policy {
    pub(super) digest: Arc<str>,
    pub(super) accounts: Accounts,
    pub(super) rules: Vec<Rule>,
    /// Exact group name → the rules that name it.
    pub(super) exact: HashMap<Box<str>, Vec<usize>>,
    /// All patterns as one automaton, and one by one for their captures; same order.
    pub(super) patterns: RegexSet,
    pub(super) pattern_rules: Vec<(Regex, usize)>,
    /// Rules that are about everyone.
    pub(super) everyone: Vec<usize>,
    pub(super) session_name: Template,
    pub(super) source_identity: Template,
}

/// The known accounts: what is not in here cannot be reached.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    all: Vec<Arc<Account>>,
    by_id: HashMap<AccountId, usize>,
    by_name: HashMap<String, usize>,
}

/// One compiled rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: Arc<str>,
    pub(super) providers: Vec<ProviderId>,
    pub(super) body: Body,
}

/// What a rule does.
#[derive(Debug)]
pub(super) enum Body {
    Allow { roles: Roles, terms: Terms },
    Deny { accounts: Option<Vec<AccountSelector>>, roles: Option<Vec<Template>> },
}

/// The roles of an allowing rule: known beforehand, or only with a group's captures.
#[derive(Debug)]
pub(super) enum Roles {
    Fixed(Vec<(RoleArn, Arc<Account>)>),
    Captured { accounts: Vec<AccountSelector>, roles: Vec<Template> },
}

/// The limits and attributes that a rule attaches to what it grants; none means no opinion.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) max_session: Option<Duration>,
    pub(super) operation: Option<Operation>,
    pub(super) tags: Vec<(String, Template, bool)>,
    pub(super) carry_tags: Option<Carry>,
    pub(super) carry_source_identity: Option<Carry>,
}

/// One entry of a rule's `accounts`.
#[derive(Debug)]
pub(super) enum AccountSelector {
    /// Accounts known beforehand.
    These(Vec<Arc<Account>>),
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
        let account = self.all.get(*self.by_id.get(&role.account())?)?;
        (account.partition == role.partition()).then_some(account)
    }

    fn compile(settings: &[AccountSettings], problems: &mut Vec<Problem>) -> Self {
        let mut accounts = Self::default();
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
            accounts.by_id.insert(id, accounts.all.len());
            accounts.by_name.insert(name.to_owned(), accounts.all.len());
            let tags = account.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            accounts.all.push(Arc::new(Account { id, name: name.to_owned(), partition: account.partition, tags }));
        }
        accounts
    }

    fn select(&self, selector: &str) -> Result<Vec<Arc<Account>>, String> {
        if selector == "*" {
            return Ok(self.all.clone());
        }
        if let Some(tag) = selector.strip_prefix("tag:") {
            let (key, value) = tag.split_once('=').ok_or_else(|| format!("`{selector}` lacks its value"))?;
            let found: Vec<_> =
                self.all.iter().filter(|account| account.tags.iter().any(|(k, v)| k == key && v == value)).cloned().collect();
            return if found.is_empty() { Err(format!("no account has the tag {key}={value}")) } else { Ok(found) };
        }
        self.find(selector).map(|account| vec![Arc::clone(account)]).ok_or_else(|| format!("there is no account `{selector}`"))
    }
}

impl Policy {
    /// Compiles accounts and rules.
    ///
    /// # Errors
    /// Every [`Problem`] at once, each with its place in the configuration.
    pub fn compile(
        accounts: &[AccountSettings],
        rules: &[RuleSettings],
        naming: &NamingSettings,
        providers: &[ProviderId],
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut policy = Self {
            digest: digest(accounts, rules, naming),
            accounts: Accounts::compile(accounts, &mut problems),
            rules: Vec::with_capacity(rules.len()),
            exact: HashMap::new(),
            patterns: RegexSet::empty(),
            pattern_rules: Vec::new(),
            everyone: Vec::new(),
            session_name: naming_template(&naming.session_name, "naming.session_name", &mut problems),
            source_identity: naming_template(&naming.source_identity, "naming.source_identity", &mut problems),
        };
        let mut ids = BTreeSet::new();
        for (index, settings) in rules.iter().enumerate() {
            let mut compiler = RuleCompiler { at: format!("rule[{index}]"), settings, accounts: &policy.accounts, problems: Vec::new() };
            if !ids.insert(settings.id.as_str()) {
                compiler.problem("id", format!("two rules have the id `{}`", settings.id), "give each rule an id of its own");
            }
            let (pattern, rule) = compiler.compile(providers);
            problems.append(&mut compiler.problems);
            policy.index(settings, pattern, rule);
        }
        policy.patterns =
            match RegexSetBuilder::new(policy.pattern_rules.iter().map(|(pattern, _)| pattern.as_str())).unicode(false).build() {
                Ok(set) => set,
                Err(error) => {
                    problems.push(Problem::new(
                        "rule",
                        format!("the group patterns are too large together: {error}"),
                        "use fewer or simpler ones",
                    ));
                    RegexSet::empty()
                }
            };
        if problems.is_empty() { Ok(policy) } else { Err(problems) }
    }

    /// The digest of accounts, rules and naming: two policies with the same digest decide alike.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The known accounts, in the order of the configuration.
    #[must_use]
    pub fn accounts(&self) -> &[Arc<Account>] {
        &self.accounts.all
    }

    /// An account by its id or its name.
    #[must_use]
    pub fn account(&self, id_or_name: &str) -> Option<&Account> {
        self.accounts.find(id_or_name).map(AsRef::as_ref)
    }

    fn index(&mut self, settings: &RuleSettings, pattern: Option<Regex>, rule: Rule) {
        let index = self.rules.len();
        for group in settings.groups.iter().collect::<BTreeSet<_>>() {
            self.exact.entry(group.as_str().into()).or_default().push(index);
        }
        if let Some(pattern) = pattern {
            self.pattern_rules.push((pattern, index));
        }
        if settings.everyone {
            self.everyone.push(index);
        }
        self.rules.push(rule);
    }
}

/// The digest covers the author's form, so a comment or a blank line does not change it.
fn digest(accounts: &[AccountSettings], rules: &[RuleSettings], naming: &NamingSettings) -> Arc<str> {
    let text = serde_json::to_vec(&(accounts, rules, naming)).unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &text);
    data_encoding::HEXLOWER.encode(digest.as_ref()).into()
}

fn naming_template(text: &str, path: &str, problems: &mut Vec<Problem>) -> Template {
    const HINT: &str = "use ${username}, ${subject}, ${provider} or ${claims.NAME}";
    match Template::parse(text) {
        Ok(template) => {
            if template.placeholders().any(|p| matches!(p, Placeholder::Capture(_))) || template.placeholders().next().is_none() {
                problems.push(Problem::new(path, format!("`{text}` does not name a person"), HINT));
            }
            template
        }
        Err(message) => {
            problems.push(Problem::new(path, message, HINT));
            Template::parse("").unwrap_or_else(|_| unreachable!("an empty template parses"))
        }
    }
}

struct RuleCompiler<'a> {
    at: String,
    settings: &'a RuleSettings,
    accounts: &'a Accounts,
    problems: Vec<Problem>,
}

impl RuleCompiler<'_> {
    fn problem(&mut self, key: &str, message: impl Into<String>, hint: &str) {
        let path = if key.is_empty() { self.at.clone() } else { format!("{}.{key}", self.at) };
        self.problems.push(Problem::new(path, message, hint));
    }

    fn compile(&mut self, known_providers: &[ProviderId]) -> (Option<Regex>, Rule) {
        let settings = self.settings;
        let id_is_valid =
            (1..=64).contains(&settings.id.len()) && settings.id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !id_is_valid {
            self.problem("id", format!("`{}` is not a good id for a rule", settings.id), "use 1 to 64 of A-Z a-z 0-9 - _ .");
        }
        if settings.groups.is_empty() && settings.group_pattern.is_none() && !settings.everyone {
            self.problem("", "the rule matches nobody", "give it `groups`, a `group_pattern`, or `everyone = true`");
        }
        if settings.groups.iter().any(|group| group.is_empty() || group.len() > 256) {
            self.problem("groups", "a group name has 1 to 256 bytes", "write the name as the provider sends it");
        }
        let providers = self.providers(known_providers);
        let pattern = settings.group_pattern.as_deref().and_then(|text| self.pattern(text));
        let body = match settings.effect {
            Effect::Allow => self.allow(pattern.as_ref()),
            Effect::Deny => self.deny(pattern.as_ref()),
        };
        (pattern, Rule { id: settings.id.as_str().into(), providers, body })
    }

    fn providers(&mut self, known: &[ProviderId]) -> Vec<ProviderId> {
        let mut found = Vec::new();
        for (index, name) in self.settings.providers.iter().enumerate() {
            match known.iter().find(|provider| provider.as_str() == name) {
                Some(provider) => found.push(provider.clone()),
                None => {
                    self.problem(&format!("providers[{index}]"), format!("there is no provider `{name}`"), "use the id of a [[provider]]");
                }
            }
        }
        found
    }

    /// Compiles the raw pattern alone first: a stray parenthesis or alternation must not slip out of the anchors that go around it.
    fn pattern(&mut self, text: &str) -> Option<Regex> {
        const HINT: &str = "the pattern is anchored by itself and must match a whole group name";
        if text.len() > LONGEST_PATTERN {
            self.problem("group_pattern", format!("the pattern is longer than {LONGEST_PATTERN} bytes"), HINT);
            return None;
        }
        let build = |text: &str| RegexBuilder::new(text).unicode(false).size_limit(LARGEST_PROGRAM).nest_limit(32).build();
        match build(text).and_then(|_| build(&format!(r"\A(?:{text})\z"))) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                self.problem("group_pattern", format!("the pattern cannot be read: {}", last_line(&error.to_string())), HINT);
                None
            }
        }
    }

    /// Parses a text whose placeholders may be captures alone.
    fn captured(&mut self, key: &str, text: &str, pattern: Option<&Regex>) -> Option<Template> {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(message) => {
                self.problem(key, message, "write captures as ${name}");
                return None;
            }
        };
        if template.placeholders().any(|p| !matches!(p, Placeholder::Capture(_))) {
            self.problem(key, "only captures of the group pattern may choose accounts and roles", "claims may fill `tags`, never roles");
            return None;
        }
        self.known_captures(key, &template, pattern).then_some(template)
    }

    /// A capture must be one of the pattern's, and the pattern must be the only way to match: a plain group has no captures.
    fn known_captures(&mut self, key: &str, template: &Template, pattern: Option<&Regex>) -> bool {
        for placeholder in template.placeholders() {
            let Placeholder::Capture(name) = placeholder else { continue };
            let known = pattern.is_some_and(|pattern| pattern.capture_names().flatten().any(|capture| capture == name));
            if !known {
                self.problem(key, format!("the group pattern has no capture `{name}`"), "name it in the pattern: (?<name>…)");
                return false;
            }
            if !self.settings.groups.is_empty() || self.settings.everyone {
                self.problem(key, format!("`${{{name}}}` is empty when the rule matches without its pattern"), "split the rule in two");
                return false;
            }
        }
        true
    }

    fn selectors(&mut self, pattern: Option<&Regex>) -> Vec<AccountSelector> {
        let mut selectors = Vec::new();
        for (index, text) in self.settings.accounts.iter().enumerate() {
            let key = format!("accounts[{index}]");
            let Some(template) = self.captured(&key, text, pattern) else { continue };
            match template.literal() {
                None => selectors.push(AccountSelector::Captured(template)),
                Some(literal) => match self.accounts.select(literal) {
                    Ok(accounts) => selectors.push(AccountSelector::These(accounts)),
                    Err(message) => self.problem(&key, message, "use an [[account]]'s id or name, `tag:key=value`, or `*`"),
                },
            }
        }
        selectors
    }

    fn role_templates(&mut self, pattern: Option<&Regex>) -> Vec<Template> {
        let roles = self.settings.roles.iter().enumerate();
        roles.filter_map(|(index, text)| self.captured(&format!("roles[{index}]"), text, pattern)).collect()
    }

    fn deny(&mut self, pattern: Option<&Regex>) -> Body {
        let settings = self.settings;
        let has_terms = settings.max_session.is_some()
            || settings.operation.is_some()
            || !settings.tags.is_empty()
            || settings.carry_tags.is_some()
            || settings.carry_source_identity.is_some();
        if has_terms {
            self.problem("", "a deny rule grants no session", "take `max_session`, `operation`, `tags` and `carry_…` out of it");
        }
        let accounts = self.selectors(pattern);
        let roles = self.role_templates(pattern);
        Body::Deny { accounts: (!settings.accounts.is_empty()).then_some(accounts), roles: (!settings.roles.is_empty()).then_some(roles) }
    }

    fn allow(&mut self, pattern: Option<&Regex>) -> Body {
        if self.settings.roles.is_empty() {
            self.problem("", "the rule grants no role", "give it `roles`");
        }
        let terms = self.terms(pattern);
        let accounts = self.selectors(pattern);
        let roles = self.role_templates(pattern);
        let captured = accounts.iter().any(|selector| matches!(selector, AccountSelector::Captured(_)))
            || roles.iter().any(|role| role.literal().is_none());
        if roles.iter().any(|role| !role.begins_with("arn:")) && self.settings.accounts.is_empty() {
            self.problem("roles", "a role without an account", "add `accounts`, or write the role's whole ARN");
        }
        let roles = if captured { Roles::Captured { accounts, roles } } else { Roles::Fixed(self.fixed(&accounts, &roles)) };
        Body::Allow { roles, terms }
    }

    fn fixed(&mut self, accounts: &[AccountSelector], roles: &[Template]) -> Vec<(RoleArn, Arc<Account>)> {
        let mut fixed = BTreeMap::new();
        for (index, role) in roles.iter().filter_map(Template::literal).enumerate() {
            let key = format!("roles[{index}]");
            for granted in roles_named(self.accounts, accounts, role, &[]) {
                match granted {
                    Ok((role, account)) => {
                        fixed.insert(role, account);
                    }
                    Err(message) => self.problem(&key, message, "use a role's name, or the whole ARN of a role in an [[account]]"),
                }
            }
        }
        fixed.into_iter().collect()
    }

    fn terms(&mut self, pattern: Option<&Regex>) -> Terms {
        let settings = self.settings;
        let max_session = settings.max_session.map(|span| span.0);
        if max_session.is_some_and(|span| !(SHORTEST_SESSION..=LONGEST_SESSION).contains(&span)) {
            self.problem("max_session", "AWS sessions last from 15 minutes to 12 hours", "write for example \"1h\"");
        }
        let attributes = !settings.tags.is_empty() || settings.carry_tags.is_some() || settings.carry_source_identity.is_some();
        if attributes && settings.operation.is_some_and(|operation| !operation.carries_attributes()) {
            self.problem(
                "operation",
                "a forwarded token is the provider's own: it carries no tags and no source identity of ours",
                "take them out of the rule, or use operation = \"web_identity\"",
            );
        }
        let mut lower_keys = BTreeSet::new();
        let mut tags = Vec::new();
        for (key, value) in &settings.tags {
            let place = format!("tags.{key}");
            if !is_tag_text(key, 1, 128) || key.to_ascii_lowercase().starts_with("aws:") {
                self.problem(
                    &place,
                    format!("`{key}` is not a key for a session tag"),
                    "use 1 to 128 letters, digits, spaces and _.:/=+-@, without the prefix aws:",
                );
            }
            if !lower_keys.insert(key.to_lowercase()) {
                self.problem(&place, format!("two tags differ from `{key}` only in case"), "AWS compares tag keys without case");
            }
            match Template::parse(value) {
                Err(message) => self.problem(&place, message, "use ${claims.NAME}, ${username}, ${subject}, ${provider} or a capture"),
                Ok(template) => {
                    if self.known_captures(&place, &template, pattern) {
                        tags.push((key.clone(), template, settings.transitive_tags.contains(key)));
                    }
                }
            }
        }
        if settings.tags.len() > MOST_TAGS {
            self.problem("tags", format!("an AWS session carries {MOST_TAGS} tags at most"), "leave some out");
        }
        for (index, key) in settings.transitive_tags.iter().enumerate() {
            if !settings.tags.contains_key(key) {
                self.problem(&format!("transitive_tags[{index}]"), format!("`{key}` is no key of `tags`"), "name a tag of this rule");
            }
        }
        Terms {
            max_session,
            operation: settings.operation,
            tags,
            carry_tags: settings.carry_tags,
            carry_source_identity: settings.carry_source_identity,
        }
    }
}

/// The roles that one role text names in the selected accounts. A whole ARN names its account itself, and it must be a known one.
pub(super) fn roles_named<'a>(
    known: &'a Accounts,
    selectors: &'a [AccountSelector],
    role: &'a str,
    captures: &super::template::Captures<'_>,
) -> Vec<Result<(RoleArn, Arc<Account>), String>> {
    if role.starts_with("arn:") {
        let parsed = role.parse::<RoleArn>().map_err(|error| format!("`{role}` is not a role's ARN: {error}"));
        return vec![parsed.and_then(|role| {
            let account = known.of_role(&role).map(Arc::clone);
            account.map(|account| (role.clone(), account)).ok_or_else(|| format!("`{role}` is in no known account of its partition"))
        })];
    }
    let mut roles = Vec::new();
    for account in selected(known, selectors, captures) {
        roles.push(
            RoleArn::new(account.partition, account.id, role)
                .map(|arn| (arn, Arc::clone(account)))
                .map_err(|error| format!("`{role}` is not a role's name: {error}")),
        );
    }
    roles
}

/// The accounts that selectors stand for, captures filled in; a captured account that is not known stands for none.
pub(super) fn selected<'a>(
    known: &'a Accounts,
    selectors: &'a [AccountSelector],
    captures: &super::template::Captures<'_>,
) -> Vec<&'a Arc<Account>> {
    let mut accounts = Vec::new();
    for selector in selectors {
        match selector {
            AccountSelector::These(these) => accounts.extend(these),
            AccountSelector::Captured(template) => {
                accounts.extend(template.fill_captures(captures).and_then(|text| known.find(&text)));
            }
        }
    }
    accounts
}

/// Whether a text is within the alphabet of session tags (STS `Tag`: letters, separators, numbers and `_.:/=+-@`).
pub(super) fn is_tag_text(text: &str, shortest: usize, longest: usize) -> bool {
    static ALPHABET: LazyLock<Option<regex::Regex>> = LazyLock::new(|| regex::Regex::new(r"\A[\p{L}\p{Z}\p{N}_.:/=+\-@]*\z").ok());
    (shortest..=longest).contains(&text.chars().count()) && ALPHABET.as_ref().is_some_and(|alphabet| alphabet.is_match(text))
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or(text).trim()
}
