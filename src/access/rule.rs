//! One rule, from the author's form to the compiled one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::accounts::{AccountSelector, Accounts, Selected, roles_named};
use super::chain::Hub;
use super::condition::{Condition, Refused};
use super::elevation::OnRequest;
use super::groups::{self, Groups, Wanted};
use super::iam_user::{IamUser, IamUsers};
use super::patterns::{self, Pattern};
use super::purposes::Purposes;
use super::reason::Reason;
use super::roles::{RoleNumber, RoleNumbers};
use super::session_policy::{PolicyFiles, SessionPolicy};
use super::settings::{Carry, ConsoleWay, Effect, Operation, RuleSettings};
use super::template::{Placeholder, Template};
use super::{GatewayRole, LONGEST_SESSION, SHORTEST_SESSION, Target};
use crate::arn::{AccountId, Partition, RoleArn};
use crate::clock::Moment;
use crate::identity::{Demand, ProviderId};
use crate::settings::Problem;

/// What an AWS session may carry.
pub(super) const MOST_TAGS: usize = 50;

/// One compiled rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: Arc<str>,
    pub(super) providers: Box<[ProviderId]>,
    /// Groups by name. Decisions find a rule by the policy's index, and ask here for what else it wants.
    pub(super) wanted: Wanted,
    pub(super) pattern: Option<Arc<str>>,
    pub(super) everyone: bool,
    pub(super) condition: Option<Arc<Condition>>,
    pub(super) purposes: Purposes,
    /// From when on an allowing rule gives nothing any more.
    pub(super) until: Option<Moment>,
    pub(super) body: Body,
}

/// What a rule does.
#[derive(Debug)]
pub(super) enum Body {
    Allow {
        roles: Roles,
        terms: Terms,
    },
    Deny {
        accounts: Option<Vec<AccountSelector>>,
        roles: Option<Vec<Template>>,
    },
    /// About roles of the gateway itself, each once.
    Gateway {
        effect: Effect,
        roles: Vec<GatewayRole>,
    },
}

/// The roles of an allowing rule: known beforehand, or only with a group's captures.
#[derive(Debug)]
pub(super) enum Roles {
    Fixed(Box<[RoleNumber]>),
    Captured { accounts: Vec<AccountSelector>, roles: Vec<Template> },
}

/// The limits and attributes that a rule attaches to what it grants; none means no opinion.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) max_session: Option<Duration>,
    pub(super) session_policy: Option<Arc<SessionPolicy>>,
    pub(super) reason: Option<Arc<Reason>>,
    /// Set where the roles are had on request alone.
    pub(super) on_request: Option<Arc<OnRequest>>,
    pub(super) break_glass: bool,
    pub(super) demand: Demand,
    pub(super) operation: Option<Operation>,
    pub(super) hub: Option<Arc<Hub>>,
    pub(super) external_id: Option<Template>,
    pub(super) iam_user: Option<Arc<IamUser>>,
    pub(super) console: Option<ConsoleWay>,
    pub(super) reuse: bool,
    pub(super) tags: Tags,
    pub(super) carry_tags: Option<Carry>,
    pub(super) carry_source_identity: Option<Carry>,
}

/// Keys, values, and whether they are transitive.
type Tags = Arc<[(String, Template, bool)]>;

/// Compiles one rule and collects what is wrong with it.
pub(super) struct RuleCompiler<'a, 'b> {
    /// Where the rule stands: `rule[3]`.
    pub(super) at: String,
    pub(super) settings: &'a RuleSettings,
    pub(super) accounts: &'b Accounts,
    pub(super) groups: &'b Groups,
    pub(super) users: &'b IamUsers,
    pub(super) policies: &'b PolicyFiles,
    pub(super) shared: &'b mut Shared<'a>,
    pub(super) problems: Vec<Problem>,
}

/// What rules have in common, made once.
#[derive(Default)]
pub(super) struct Shared<'a> {
    pub(super) roles: RoleNumbers,
    /// Those in which nothing is wrong.
    tags: HashMap<(&'a BTreeMap<String, String>, &'a [String]), Tags>,
    conditions: HashMap<&'a str, Result<Arc<Condition>, Refused>>,
    /// What a selector stands for, in an allow or in a deny: one by tag looks at every account.
    pub(super) selected: HashMap<(Effect, &'a str), Selected>,
}

impl RuleCompiler<'_, '_> {
    pub(super) fn problem(&mut self, key: &str, message: impl Into<String>, hint: &str) {
        let path = if key.is_empty() { self.at.clone() } else { format!("{}.{key}", self.at) };
        self.problems.push(Problem::new(path, message, hint));
    }

    pub(super) fn compile(&mut self, known_providers: &[ProviderId]) -> (Option<Pattern>, Rule) {
        let settings = self.settings;
        let id_is_valid =
            (1..=64).contains(&settings.id.len()) && settings.id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !id_is_valid {
            self.problem("id", format!("`{}` is not a good id for a rule", settings.id), "use 1 to 64 of A-Z a-z 0-9 - _ .");
        }
        let wanted = self.wanted();
        let providers = self.providers(known_providers);
        let pattern = settings.group_pattern.as_deref().and_then(|text| self.pattern(text));
        let body = match settings.effect {
            _ if !settings.gateway.is_empty() => self.of_gateway(),
            Effect::Allow => self.allow(pattern.as_ref()),
            Effect::Deny => self.deny(pattern.as_ref()),
        };
        let rule = Rule {
            id: settings.id.as_str().into(),
            providers: providers.into(),
            wanted,
            pattern: settings.group_pattern.as_deref().map(Into::into),
            everyone: settings.everyone,
            condition: self.condition(),
            purposes: self.listed_purposes(),
            until: settings.until,
            body,
        };
        (pattern, rule)
    }

    /// The groups that the rule asks for by name.
    fn wanted(&mut self) -> Wanted {
        let settings = self.settings;
        let is_narrowed = settings.groups_all.is_empty() && !settings.groups_none.is_empty();
        if settings.groups.is_empty() && settings.groups_all.is_empty() && settings.group_pattern.is_none() && !settings.everyone {
            let hint = if is_narrowed {
                "`groups_none` only narrows: add `everyone = true` to speak of all the others"
            } else {
                "give it `groups`, `groups_all`, a `group_pattern`, or `everyone = true`"
            };
            self.problem("", "the rule matches nobody", hint);
        }
        for (key, names) in [("groups", &settings.groups), ("groups_all", &settings.groups_all), ("groups_none", &settings.groups_none)] {
            if !names.iter().all(|name| groups::is_name(name)) {
                let hint = "write the name as the provider sends it, or an alias of [groups]";
                self.problem(key, "a group name has 1 to 256 bytes and no control characters", hint);
            }
        }
        let meant = |names: &[String]| names.iter().map(|name| self.groups.meant(name)).collect::<Vec<_>>();
        let wanted =
            Wanted { any: meant(&settings.groups).concat(), all: meant(&settings.groups_all), none: meant(&settings.groups_none).concat() };
        if let Some(why) = wanted.contradiction() {
            self.problem("groups_none", format!("nobody can match: {why}"), "take the group out of one of the two");
        }
        wanted
    }

    fn condition(&mut self) -> Option<Arc<Condition>> {
        let text = self.settings.when.as_deref()?;
        let parse = || Condition::parse(text).map(Arc::new);
        match self.shared.conditions.entry(text).or_insert_with(parse).clone() {
            Ok(condition) => {
                self.check_gateway_condition(condition.about_role, condition.about_purpose);
                Some(condition)
            }
            Err(refused) => {
                let message = format!("column {} of the condition: {}", refused.column, refused.message);
                self.problem("when", message, "docs/rules.md lists every word that a condition may use");
                None
            }
        }
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

    fn pattern(&mut self, text: &str) -> Option<Pattern> {
        const HINT: &str = "the pattern is anchored by itself and must match a whole group name";
        if text.len() > patterns::LONGEST {
            self.problem("group_pattern", format!("the pattern is longer than {} bytes", patterns::LONGEST), HINT);
            return None;
        }
        Pattern::parse(text, self.groups.names)
            .map_err(|error| self.problem("group_pattern", format!("the pattern cannot be read: {error}"), HINT))
            .ok()
    }

    /// Parses a text whose placeholders may be captures alone.
    pub(super) fn captured(&mut self, key: &str, text: &str, pattern: Option<&Pattern>) -> Option<Template> {
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
    pub(super) fn known_captures(&mut self, key: &str, template: &Template, pattern: Option<&Pattern>) -> bool {
        for placeholder in template.placeholders() {
            let Placeholder::Capture(name) = placeholder else { continue };
            let known = pattern.is_some_and(|pattern| pattern.capture_names().any(|capture| capture == name));
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

    fn role_templates(&mut self, pattern: Option<&Pattern>) -> Vec<Template> {
        let roles = self.settings.roles.iter().enumerate();
        roles.filter_map(|(index, text)| self.captured(&format!("roles[{index}]"), text, pattern)).collect()
    }

    fn deny(&mut self, pattern: Option<&Pattern>) -> Body {
        let settings = self.settings;
        if settings.has_terms() {
            let hint = "take what is about the session out of it: `max_session`, `require_mfa`, `reason`, `tags` and their like";
            self.problem("", "a deny rule grants no session", hint);
        }
        if settings.until.is_some() {
            self.problem("until", "a deny rule does not run out", "take it out, and take the rule out when its time has come");
        }
        let accounts = self.selectors(pattern);
        let roles = self.role_templates(pattern);
        // A name that no role can have would make a deny that takes nothing away, and nobody would notice.
        for (index, name) in roles.iter().enumerate().filter_map(|(index, role)| Some((index, role.literal()?))) {
            let nobody = AccountId::default();
            let whole = || name.parse::<Target>().map_err(|error| error.to_string());
            if let Err(error) = Target::in_account(Partition::Aws, nobody, name).or_else(|error| whole().map_err(|_| error)) {
                let message = format!("`{name}` is not a role's name: {error}");
                self.problem(&format!("roles[{index}]"), message, "leave `roles` out to deny every role");
            }
        }
        Body::Deny { accounts: (!settings.accounts.is_empty()).then_some(accounts), roles: (!settings.roles.is_empty()).then_some(roles) }
    }

    fn allow(&mut self, pattern: Option<&Pattern>) -> Body {
        let user = self.iam_user();
        if let Some(roles) = self.without_role(user.as_ref()) {
            let terms = Terms { iam_user: user, ..self.terms(pattern) };
            self.check_policy_fits(terms.session_policy.as_deref(), &roles);
            return Body::Allow { roles, terms };
        }
        if self.settings.roles.is_empty() {
            self.problem("", "the rule grants no role", "give it `roles`, or `gateway` for a role of the gateway itself");
        }
        self.paired_roles();
        let terms = self.terms(pattern);
        let accounts = self.selectors(pattern);
        let roles = self.role_templates(pattern);
        let captured = accounts.iter().any(|selector| matches!(selector, AccountSelector::Captured(_)))
            || roles.iter().any(|role| role.literal().is_none());
        if roles.iter().any(|role| !role.begins_with("arn:")) && self.settings.accounts.is_empty() {
            self.problem("roles", "a role without an account", "add `accounts`, or write the role's whole ARN");
        }
        let hub_is_missing = self.settings.via.is_some() && terms.hub.is_none();
        let roles = if hub_is_missing {
            Roles::Fixed(Box::default())
        } else if captured {
            Roles::Captured { accounts, roles }
        } else {
            Roles::Fixed(self.fixed(&accounts, &roles))
        };
        self.check_policy_fits(terms.session_policy.as_deref(), &roles);
        self.check_hub_fits(terms.hub.as_deref(), &roles);
        Body::Allow { roles, terms }
    }

    /// In a SAML response a role stands beside its provider, with a comma between (AWS's attribute Role).
    fn paired_roles(&mut self) {
        let settings = self.settings;
        if !matches!(settings.operation, Some(Operation::Saml | Operation::ForwardedSaml)) {
            return;
        }
        for (index, role) in settings.roles.iter().enumerate().filter(|(_, role)| role.contains(',')) {
            let message = format!("`{role}` has a comma in it, so that no SAML response can name it");
            self.problem(&format!("roles[{index}]"), message, "use operation = \"web_identity\" for it, or rename the role");
        }
    }

    fn fixed(&mut self, accounts: &[AccountSelector], roles: &[Template]) -> Box<[RoleNumber]> {
        let mut fixed = BTreeSet::new();
        for (index, role) in roles.iter().filter_map(Template::literal).enumerate() {
            let key = format!("roles[{index}]");
            for granted in roles_named(self.accounts, accounts, role, &[]) {
                match granted {
                    Ok((role, account)) => fixed.extend(self.shared.roles.number(Target::Role(role), account, self.accounts)),
                    Err(_) if self.accounts.may_grow && role.parse::<RoleArn>().is_ok() => {}
                    Err(message) => self.problem(&key, message, "use a role's name, or the whole ARN of a role in an [[account]]"),
                }
            }
        }
        fixed.into_iter().collect()
    }

    fn terms(&mut self, pattern: Option<&Pattern>) -> Terms {
        let settings = self.settings;
        let max_session = settings.max_session.map(|span| span.0);
        let of_a_role = !settings.operation.is_some_and(Operation::needs_iam_user);
        if of_a_role && max_session.is_some_and(|span| !(SHORTEST_SESSION..=LONGEST_SESSION).contains(&span)) {
            self.problem("max_session", "AWS sessions last from 15 minutes to 12 hours", "write for example \"1h\"");
        }
        let has_tag = settings.reason.as_ref().is_some_and(|reason| reason.tag.is_some());
        let has_tags = has_tag || !settings.tags.is_empty() || settings.carry_tags.is_some();
        let (tags, source) =
            settings.operation.map_or((true, true), |operation| (operation.carries_tags(), operation.carries_attributes()));
        if (has_tags && !tags) || (settings.carry_source_identity.is_some() && !source) {
            let message = match settings.operation {
                Some(Operation::FederationToken) => "a federated session carries no source identity",
                Some(Operation::SessionToken) => "a user's own session carries no tags and no source identity",
                _ => "a forwarded token is the provider's own: it carries no tags and no source identity of ours",
            };
            self.problem(
                "operation",
                message,
                "take them out of the rule, or use operation = \"web_identity\", \"saml\" or \"assume_role\"",
            );
        }
        if settings.console == Some(ConsoleWay::Post) && settings.operation != Some(Operation::Saml) {
            self.problem("console", "only a SAML response can be posted to AWS's sign-in page", "add operation = \"saml\" to the rule");
        }
        let tags = self.tags(pattern);
        let reason = self.reason();
        let (on_request, break_glass) = (self.on_request(reason.as_ref()), self.break_glass());
        Terms {
            max_session,
            session_policy: self.session_policy(),
            // In an emergency nobody else is asked, so it is always said why.
            reason: reason.or_else(|| break_glass.then(Reason::any)),
            on_request,
            break_glass,
            demand: self.demand(),
            operation: settings.operation,
            hub: self.hub(),
            external_id: self.external_id(pattern),
            iam_user: None,
            console: settings.console,
            reuse: self.reuse(),
            tags,
            carry_tags: settings.carry_tags,
            carry_source_identity: settings.carry_source_identity,
        }
    }

    fn tags(&mut self, pattern: Option<&Pattern>) -> Tags {
        let settings = self.settings;
        let own = (&settings.tags, settings.transitive_tags.as_slice());
        let captures = |template: &Template| template.placeholders().any(|p| matches!(p, Placeholder::Capture(_)));
        if let Some(tags) = self.shared.tags.get(&own).filter(|tags| !tags.iter().any(|(_, template, _)| captures(template))) {
            return Arc::clone(tags);
        }
        let problems_before = self.problems.len();
        let mut lower_keys = BTreeSet::new();
        let mut tags = Vec::new();
        for (key, value) in &settings.tags {
            let place = format!("tags.{key}");
            if !is_tag_key(key) {
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
        if self.problems.len() > problems_before {
            return tags.into();
        }
        Arc::clone(self.shared.tags.entry(own).or_insert_with(|| tags.into()))
    }
}

/// Whether a text is within the alphabet of session tags (STS `Tag`: letters, separators, numbers and `_.:/=+-@`).
pub(super) fn is_tag_text(text: &str, shortest: usize, longest: usize) -> bool {
    static ALPHABET: LazyLock<Option<regex::Regex>> = LazyLock::new(|| regex::Regex::new(r"\A[\p{L}\p{Z}\p{N}_.:/=+\-@]*\z").ok());
    let usual = || text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" _.:/=+-@".contains(&byte));
    (shortest..=longest).contains(&text.chars().count()) && (usual() || ALPHABET.as_ref().is_some_and(|alphabet| alphabet.is_match(text)))
}

/// Whether a text can be the key of a session tag.
pub(super) fn is_tag_key(text: &str) -> bool {
    is_tag_text(text, 1, 128) && !text.to_ascii_lowercase().starts_with("aws:")
}
