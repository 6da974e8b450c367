//! From the author's rules to an immutable [`Policy`]: everything that can be known before somebody signs in is settled here.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use aws_lc_rs::digest;
use serde::Serialize;

use super::accounts::Accounts;
use super::groups::{GroupSettings, Groups};
use super::iam_user::{IamUserSettings, IamUsers};
use super::patterns::{Pattern, Patterns};
use super::roles::{KnownRoles, RoleNumbers};
use super::rule::{Body, Roles, Rule, RuleCompiler, Shared, Terms};
use super::session_policy::PolicyFiles;
use super::settings::{AccountSettings, NamingSettings, Operation, RuleSettings};
use super::template::{Placeholder, Template};
use super::{Account, elevation};
use crate::arn::Partition;
use crate::cores;
use crate::identity::ProviderId;
use crate::settings::Problem;

/// Accounts and rules, compiled: immutable, and asked for each decision.
#[derive(Debug)]
pub struct Policy {
    pub(super) digest: Arc<str>,
    partitions: Vec<Partition>,
    pub(super) accounts: Accounts,
    pub(super) groups: Groups,
    pub(super) rules: Vec<Rule>,
    pub(super) roles: KnownRoles,
    /// Group name as it is compared → the rules that name it.
    pub(super) exact: HashMap<Arc<str>, Vec<u32>>,
    pub(super) patterns: Patterns,
    /// Rules that are about everyone.
    pub(super) everyone: Vec<u32>,
    /// Rules whose roles are had on request.
    pub(super) on_request: Vec<u32>,
    pub(super) session_name: Template,
    pub(super) source_identity: Template,
    /// The claims that the rules look at, by their first name.
    pub(super) reads: BTreeSet<String>,
}

/// What a policy is compiled from.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Sources<'a> {
    /// The accounts that rules may grant roles in.
    pub accounts: &'a [AccountSettings],
    /// Whether others may become known later, so that rules may name them beforehand.
    #[serde(skip)]
    pub accounts_may_grow: bool,
    /// The IAM users whose keys are held.
    pub iam_users: &'a [IamUserSettings],
    /// The rules.
    pub rules: &'a [RuleSettings],
    /// How people are named in AWS sessions.
    pub naming: &'a NamingSettings,
    /// How groups are named in rules.
    pub groups: GroupSettings<'a>,
    /// The files that rules name as `session_policy`.
    pub policies: &'a PolicyFiles,
}

impl Policy {
    /// Compiles accounts and rules that need nothing beside them: no aliases, and no files with session policies.
    ///
    /// # Errors
    /// Every [`Problem`] at once, each with its place in the configuration.
    pub fn compile(
        accounts: &[AccountSettings],
        rules: &[RuleSettings],
        naming: &NamingSettings,
        providers: &[ProviderId],
    ) -> Result<Self, Vec<Problem>> {
        let policies = &PolicyFiles::default();
        let groups = GroupSettings::default();
        Self::of(&Sources { accounts, accounts_may_grow: false, iam_users: &[], rules, naming, groups, policies }, providers)
    }

    /// Compiles a policy from all that belongs to it.
    ///
    /// # Errors
    /// Every [`Problem`] at once, each with its place in the configuration.
    pub fn of(sources: &Sources<'_>, providers: &[ProviderId]) -> Result<Self, Vec<Problem>> {
        let Sources { accounts, rules, naming, groups, .. } = *sources;
        let mut problems = Vec::new();
        let partitions: BTreeSet<_> = accounts.iter().map(|account| account.partition).collect();
        let mut policy = Self {
            digest: Arc::default(),
            partitions: partitions.into_iter().collect(),
            accounts: Accounts::compile(accounts, sources.accounts_may_grow, &mut problems),
            groups: Groups::compile(&groups, &mut problems),
            rules: Vec::with_capacity(rules.len()),
            roles: KnownRoles::default(),
            exact: HashMap::new(),
            patterns: Patterns::default(),
            everyone: Vec::new(),
            on_request: Vec::new(),
            session_name: naming_template(&naming.session_name, "naming.session_name", &mut problems),
            source_identity: naming_template(&naming.source_identity, "naming.source_identity", &mut problems),
            reads: BTreeSet::new(),
        };
        let users = IamUsers::compile(sources.iam_users, &policy.accounts, &mut problems);
        problems.extend(repeated_ids(rules));
        let jobs: Vec<_> = std::iter::once(Job::Digest).chain(Job::rules(rules)).collect();
        let run = |job: &Job<'_>| job.run(sources, &policy, &users, providers);
        let results = if rules.len() > WORTH_A_THREAD { cores::map(&jobs, run) } else { jobs.iter().map(run).collect() };
        let (mut roles, mut patterns) = (RoleNumbers::default(), Vec::new());
        for result in results {
            match result {
                Made::Digest(digest) => policy.digest = digest,
                Made::Rules(part) => policy.take_in(part, &mut roles, &mut patterns, &mut problems),
            }
        }
        policy.number_roles(roles);
        let too_large = |error| Problem::new("rule", format!("the group patterns are too large together: {error}"), "use simpler ones");
        policy.patterns = Patterns::new(patterns).map_err(|error| problems.push(too_large(error))).unwrap_or_default();
        if problems.is_empty() { Ok(policy) } else { Err(problems) }
    }

    /// The digest of accounts, rules and naming: two policies with the same digest decide alike.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// [`Self::digest`], shared.
    #[must_use]
    pub const fn shared_digest(&self) -> &Arc<str> {
        &self.digest
    }

    /// How many rules there are.
    #[must_use]
    pub const fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// The partitions that the known accounts live in, each once.
    #[must_use]
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// Whether a rule needs an AWS identity of the gateway's own.
    #[must_use]
    pub fn needs_own_identity(&self) -> bool {
        let needs = |terms: &Terms| match &terms.hub {
            Some(hub) => hub.operation == Operation::AssumeRole,
            None => terms.operation == Some(Operation::AssumeRole),
        };
        self.rules.iter().any(|rule| matches!(&rule.body, Body::Allow { terms, .. } if needs(terms)))
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

    /// Puts rules that were compiled together behind those that are there.
    fn take_in(&mut self, part: Part, roles: &mut RoleNumbers, patterns: &mut Vec<(Pattern, u32)>, problems: &mut Vec<Problem>) {
        let numbers = roles.take_in(part.roles, &self.accounts);
        for (number, (pattern, mut rule)) in (part.first..).zip(part.rules) {
            if let Body::Allow { roles: Roles::Fixed(fixed), .. } = &mut rule.body {
                *fixed = numbers.of(fixed);
            }
            patterns.extend(pattern.map(|pattern| (pattern, number)));
            self.index(number, rule);
        }
        problems.extend(part.problems);
    }

    /// Gives the roles their last numbers, now that all are known.
    fn number_roles(&mut self, roles: RoleNumbers) {
        let (roles, numbers) = roles.finish();
        self.roles = roles;
        for rule in &mut self.rules {
            if let Body::Allow { roles: Roles::Fixed(fixed), .. } = &mut rule.body {
                *fixed = numbers.of(fixed);
            }
        }
    }

    fn index(&mut self, number: u32, rule: Rule) {
        let matches_by_all = rule.wanted.any.is_empty() && rule.pattern.is_none() && !rule.everyone;
        let needed = rule.wanted.all.first().filter(|_| matches_by_all);
        for group in rule.wanted.any.iter().chain(needed.into_iter().flatten()) {
            let rules = self.exact.entry(Arc::clone(group)).or_default();
            if rules.last() != Some(&number) {
                rules.push(number);
            }
        }
        if rule.everyone {
            self.everyone.push(number);
        }
        if elevation::on_request(&rule).is_some() {
            self.on_request.push(number);
        }
        self.reads.extend(rule.claims_read());
        self.rules.push(rule);
    }
}

fn repeated_ids(rules: &[RuleSettings]) -> Vec<Problem> {
    let mut ids = HashSet::with_capacity(rules.len());
    let repeated = rules.iter().enumerate().filter(|(_, settings)| !ids.insert(settings.id.as_str()));
    let problem = |(number, settings): (usize, &RuleSettings)| {
        let message = format!("two rules have the id `{}`", settings.id);
        Problem::new(format!("rule[{number}].id"), message, "give each rule an id of its own")
    };
    repeated.map(problem).collect()
}

/// Work that can be done beside other such work.
enum Job<'a> {
    /// The digest of all sources.
    Digest,
    /// Some of the rules, and the number of the first.
    Rules(u32, &'a [RuleSettings]),
}

enum Made {
    Digest(Arc<str>),
    Rules(Part),
}

/// Rules that were compiled together. They number roles among themselves.
struct Part {
    first: u32,
    rules: Vec<(Option<Pattern>, Rule)>,
    roles: RoleNumbers,
    problems: Vec<Problem>,
}

/// Fewer rules than this are not worth another thread.
const WORTH_A_THREAD: usize = 1000;

impl<'a> Job<'a> {
    /// Some for each core: patterns and conditions take longer than names, and may stand together.
    fn rules(rules: &'a [RuleSettings]) -> impl Iterator<Item = Self> {
        let length = rules.len().div_ceil(4 * cores::count()).max(WORTH_A_THREAD);
        let firsts = (0..).step_by(length).map_while(|first| u32::try_from(first).ok());
        firsts.zip(rules.chunks(length)).map(|(first, rules)| Self::Rules(first, rules))
    }

    fn run(&self, sources: &Sources<'_>, policy: &Policy, users: &IamUsers, providers: &[ProviderId]) -> Made {
        let Self::Rules(first, rules) = *self else { return Made::Digest(digest_of(sources)) };
        let (mut shared, mut problems) = (Shared::default(), Vec::new());
        let rules = (first..).zip(rules).map(|(number, settings)| {
            let (at, accounts, groups) = (format!("rule[{number}]"), &policy.accounts, &policy.groups);
            let policies = sources.policies;
            let mut compiler = RuleCompiler { at, settings, accounts, groups, users, policies, shared: &mut shared, problems: Vec::new() };
            let rule = compiler.compile(providers);
            problems.append(&mut compiler.problems);
            rule
        });
        Made::Rules(Part { first, rules: rules.collect(), roles: shared.roles, problems })
    }
}

/// The digest covers the author's form, so a comment or a blank line does not change it.
fn digest_of(sources: &Sources<'_>) -> Arc<str> {
    let mut text = BufWriter::new(Digest(digest::Context::new(&digest::SHA256)));
    // Settings are texts, numbers and lists of them: JSON can say them all, and a digest takes whatever comes.
    let _ = serde_json::to_writer(&mut text, sources);
    let digest = text.into_inner().map(|digest| digest.0.finish());
    digest.map(|digest| data_encoding::HEXLOWER.encode(digest.as_ref())).unwrap_or_default().into()
}

/// The text of a large policy need not be in memory to be digested.
struct Digest(digest::Context);

impl Write for Digest {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
