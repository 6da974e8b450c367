//! What of a changed file can be taken over while the gateway runs, and what needs a restart.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;
use toml::{Table, Value};

use super::{Config, ConfigFile, Findings, Severity, checks, locate};
use crate::access::{AccountSettings, GroupIds, GroupNames, NamingSettings, RuleSettings, TestSettings};
use crate::settings::Problem;

/// What can be taken over: who gets what, and what the log tells. Everything else stands for something that is open or in use.
const RELOADABLE: [&str; 7] = ["account", "group_names", "groups", "log", "rule", "naming", "test"];

/// How many roles and groups the rules of a pasted text may come to, those of each rule counted; or twice as many as the rules in force.
const MOST_ENTRIES: usize = 500_000;
/// How many group patterns it may bring: each may compile to a quarter of a megabyte, and to as much again together with others.
const MOST_PATTERNS: usize = 256;

/// The files that rules refer to, each once; none from a text that is no TOML.
pub(super) fn rule_files(text: &str, base: &Path) -> Vec<PathBuf> {
    if !text.contains("session_policy") {
        return Vec::new();
    }
    let table = text.parse::<Table>().unwrap_or_default();
    let rules = table.get("rule").and_then(Value::as_array).into_iter().flatten();
    let files: BTreeSet<_> = rules.filter_map(|rule| rule.get("session_policy")?.as_str()).map(|file| base.join(file)).collect();
    files.into_iter().collect()
}

/// The same from rules that were read.
pub(super) fn rule_files_of(rules: &[RuleSettings], base: &Path) -> Vec<PathBuf> {
    let files: BTreeSet<_> = rules.iter().filter_map(|rule| rule.session_policy.as_ref()).map(|file| base.join(file)).collect();
    files.into_iter().collect()
}

impl Config {
    /// This configuration with the accounts, groups, rules, naming and tests of a newer one, and with their lines. Providers and all else stay as
    /// they are, because they are what runs: rules must hold with them.
    ///
    /// # Errors
    /// What the new rules ask for and what runs does not have, although the newer file by itself is right.
    pub fn with_rules_of(&self, newer: &Self) -> Result<Self, Findings> {
        if self.needs_restart_for(newer).is_empty() {
            // Nothing else differs, so the newer one is it, with the policy that it may have by now.
            return Ok(newer.clone());
        }
        let file = ConfigFile {
            account: newer.file.account.clone(),
            group_names: newer.file.group_names,
            groups: newer.file.groups.clone(),
            rule: newer.file.rule.clone(),
            naming: newer.file.naming.clone(),
            test: newer.file.test.clone(),
            ..ConfigFile::clone(&self.file)
        };
        let mut problems = Vec::new();
        checks::check_saml_rules(&file, &mut problems);
        if problems.is_empty() {
            // Which organization is asked is not among what is taken over.
            let discovered = if self.file.organization.enabled { newer.discovered.clone() } else { None };
            return Ok(Self { file: file.into(), discovered, policy: OnceLock::new(), ..newer.clone() });
        }
        Err(locate(problems, Severity::Error, &newer.name, &newer.places).into_iter().collect())
    }

    /// This configuration with the accounts, groups, rules, naming and tests of a text that is in no file. All else in the text is passed over,
    /// and no file is read for it but those that this configuration's own rules name.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn with_rules_of_text(&self, text: &str) -> Result<Self, Vec<Problem>> {
        /// What of a file can be taken over.
        #[derive(Deserialize)]
        struct Rules {
            #[serde(default)]
            account: Vec<AccountSettings>,
            #[serde(default)]
            group_names: GroupNames,
            #[serde(default)]
            groups: BTreeMap<String, GroupIds>,
            #[serde(default)]
            rule: Vec<RuleSettings>,
            #[serde(default)]
            naming: NamingSettings,
            #[serde(default)]
            test: Vec<TestSettings>,
        }
        let read: Rules =
            toml::from_str(text).map_err(|error| vec![Problem::new("the text", error.to_string(), "it is TOML, as the file is")])?;
        let known: HashSet<_> = self.file.rule.iter().filter_map(|rule| rule.session_policy.as_deref()).collect();
        let stranger = |rule: &(usize, &RuleSettings)| rule.1.session_policy.as_deref().is_some_and(|file| !known.contains(file));
        let strangers = read.rule.iter().enumerate().filter(stranger).map(|(index, _)| {
            let hint = "put the rule into the file itself to try it, or leave the session policy out here";
            Problem::new(format!("rule[{index}].session_policy"), "no rule in force names this file, so it is not read here", hint)
        });
        let mut problems: Vec<_> = strangers.collect();
        let Rules { account, group_names, groups, rule, naming, test } = read;
        let file = ConfigFile { group_names, groups, naming, account, rule, test, ..ConfigFile::clone(&self.file) };
        checks::check_saml_rules(&file, &mut problems);
        let newer = Self { file: file.into(), policy: OnceLock::new(), ..self.clone() };
        problems.extend(self.too_much_of(&newer));
        if problems.is_empty() { Ok(newer) } else { Err(problems) }
    }

    /// What a pasted text has too much of to be compiled beside what runs, in comparison with it: nobody vetted what few words come to.
    fn too_much_of(&self, pasted: &Self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut limit = |found: usize, most: usize, what: &str| {
            if found > most {
                let message = format!("its rules come to {found} {what}: more than {most} are not tried here");
                problems.push(Problem::new("rule", message, "`rolegate diff` takes larger ones"));
            }
        };
        limit(
            pasted.most_entries(),
            MOST_ENTRIES.max(self.most_entries().saturating_mul(2)),
            "roles and groups, those of each rule counted",
        );
        let patterns =
            |config: &Self| -> HashSet<String> { config.file.rule.iter().filter_map(|rule| rule.group_pattern.clone()).collect() };
        limit(patterns(pasted).difference(&patterns(self)).count(), MOST_PATTERNS, "group patterns that no rule in force has");
        problems
    }

    /// How many roles and groups the rules come to at most, those of each rule counted: a few words stand for all accounts, or for an alias of
    /// many groups.
    fn most_entries(&self) -> usize {
        let (file, accounts) = (&self.file, self.accounts().len());
        let groups = |name: &String| file.groups.get(name).map_or(1, |alias| alias.ids().len());
        let chosen = |selector: &String| if selector == "*" || selector.contains(':') { accounts } else { 1 };
        let of_rule = |rule: &RuleSettings| {
            let named = rule.groups.iter().chain(&rule.groups_all).chain(&rule.groups_none).map(groups).sum::<usize>();
            rule.accounts.iter().map(chosen).sum::<usize>().saturating_mul(rule.roles.len().max(1)).saturating_add(named)
        };
        file.rule.iter().map(of_rule).fold(0, usize::saturating_add)
    }

    /// The keys whose values differ from a newer file's and that only a restart takes over, such as `server.listen`.
    #[must_use]
    pub fn needs_restart_for(&self, newer: &Self) -> Vec<String> {
        let lasting = |config: &Self| {
            let mut table = config.places.all_but_rules().parse::<Table>().unwrap_or_default();
            table.retain(|key, _| !RELOADABLE.contains(&key));
            table
        };
        let mut keys = Vec::new();
        differences("", &lasting(self), &lasting(newer), &mut keys);
        keys
    }
}

fn differences(at: &str, old: &Table, new: &Table, keys: &mut Vec<String>) {
    let added = new.keys().filter(|key| !old.contains_key(*key));
    for key in old.keys().chain(added) {
        let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        match (old.get(key), new.get(key)) {
            (old, new) if old == new => {}
            (Some(Value::Table(old)), Some(Value::Table(new))) => differences(&path, old, new, keys),
            (Some(Value::Array(old)), Some(Value::Array(new))) if tables(old) && tables(new) && old.len() == new.len() => {
                for (index, (old, new)) in old.iter().zip(new).enumerate() {
                    if let (Value::Table(old), Value::Table(new)) = (old, new) {
                        differences(&format!("{path}[{index}]"), old, new, keys);
                    }
                }
            }
            _ => keys.push(path),
        }
    }
}

fn tables(array: &[Value]) -> bool {
    array.iter().all(Value::is_table)
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const OLD: &str = "public_url = 'https://roles.example.org'\n[server]\nlisten = '127.0.0.1:8700'\n[[provider]]\nid = 'okta'\nname = 'Okta'\n\
        issuer = 'https://example.okta.com'\nclient_id = 'abc'\n[[account]]\nid = '111122223333'\nname = 'Production'\n";

    fn config(text: &str) -> Config {
        parse(text, "c.toml", Path::new(".")).unwrap()
    }

    #[test]
    fn what_needs_a_restart_is_named_and_what_does_not_is_taken() {
        let old = config(OLD);
        let second = "[[provider]]\nid = 'b'\nname = 'B'\nissuer = 'https://b.example.org'\nclient_id = 'b'\n";
        for (from, to, keys) in [
            ("8700", "8701", &["server.listen"][..]),
            ("[server]", "[server]\nworkers = 2", &["server.workers"]),
            ("[server]", "[metrics]\n[server]", &["metrics"]),
            ("'abc'", "'def'", &["provider[0].client_id"]),
            ("[[account]]", &format!("{second}[[account]]"), &["provider"]),
            ("[[account]]", "[help]\ncontact = 'us'\n[[account]]", &["help"]),
            (
                "'Production'",
                "'Prod'\n[naming]\nsession_name = '${subject}'\n[[rule]]\nid = 'r'\neveryone = true\nroles = ['R']\naccounts = ['*']",
                &[],
            ),
            ("[[account]]", "# a comment\n[[account]]", &[]),
        ] {
            let new = config(&OLD.replace(from, to));
            assert_eq!(old.needs_restart_for(&new), keys, "{to}");
            let taken = old.with_rules_of(&new).unwrap();
            assert_eq!(taken.file.server.listen.port(), 8700);
            assert_eq!(taken.file.provider.len(), 1);
            assert_eq!(taken.file.account[0].name, new.file.account[0].name);
            assert_eq!(taken.file.rule.len(), new.file.rule.len());
        }
    }

    #[test]
    fn rules_that_need_what_does_not_run_yet_are_refused_at_their_line() {
        let rule = "[trust.saml]\nprovider_name = 'Rolegate'\n[[rule]]\nid = 'r'\neveryone = true\nroles = ['R']\naccounts = ['*']\noperation = 'saml'\n";
        let new = config(&format!("{OLD}{rule}"));
        let findings = config(OLD).with_rules_of(&new).unwrap_err().to_string();
        assert!(findings.starts_with("c.toml:19: error: SAML towards AWS is not configured"), "{findings}");
    }
}
