//! `rolegate diff`: who gains and who loses which role when one configuration replaces another.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use regex::Regex;
use rolegate::access::{Account, Context, Policy, Target};
use rolegate::config::Config;
use rolegate::identity::{ProviderId, Reading, Supposed};
use rolegate::{cores, startup};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Circumstances, Stopped, choose, is_watched, load, print, print_json, read};

/// How many people the table names for each role; JSON names all.
const NAMED: usize = 5;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The configuration in force
    old: PathBuf,
    /// The configuration that is to replace it
    new: PathBuf,
    /// A file with one JSON object of claims in each line, or {"provider": …, "claims": {…}}; `-` reads standard input
    #[arg(long)]
    people: PathBuf,
    /// Exit with 1 if anybody gains a role whose ARN matches this pattern
    #[arg(long, value_name = "PATTERN")]
    protect: Option<Regex>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    circumstances: Circumstances,
}

/// What changes for one role.
#[derive(Debug, Default, Serialize)]
struct Change {
    account: String,
    gains: Vec<String>,
    loses: Vec<String>,
    protected: bool,
}

impl Change {
    fn in_account(account: &Account) -> Self {
        Self { account: account.name.clone(), ..Self::default() }
    }
}

#[derive(Debug, Serialize)]
struct Report {
    people: usize,
    roles: Changes,
}

/// What changes, by role.
type Changes = BTreeMap<String, Change>;
/// A role, and where it lives.
type Role = (Target, Arc<Account>);

/// One of the two configurations.
struct Side {
    policy: Arc<Policy>,
    providers: Vec<(ProviderId, Reading)>,
}

/// One line of the file of people.
struct Line {
    number: usize,
    provider: Option<String>,
    claims: Map<String, Value>,
}

/// How many people are asked about at a time.
const AT_A_TIME: usize = 100;

pub(crate) fn run(arguments: &Arguments) -> Result<(), Stopped> {
    let (old, new) = (load(&arguments.old)?, load(&arguments.new)?);
    let mut report = compare(&Side::of(old), &Side::of(new), &read(&arguments.people)?, &arguments.circumstances)?;
    let protects = |role: &str| arguments.protect.as_ref().is_some_and(|pattern| pattern.is_match(role));
    for (role, change) in &mut report.roles {
        change.protected = !change.gains.is_empty() && protects(role);
    }
    if arguments.json {
        print_json(&report)?;
    } else {
        print(&in_words(&report))?;
    }
    let alarming: Vec<_> = report.roles.iter().filter(|(_, change)| change.protected).map(|(role, _)| role.as_str()).collect();
    if alarming.is_empty() { Ok(()) } else { Err(Stopped::No(format!("somebody gains a protected role: {}", alarming.join(", ")))) }
}

impl Side {
    fn of((config, policy): (Config, Arc<Policy>)) -> Self {
        Self { policy, providers: startup::readings(&config) }
    }

    /// How the sign-in of a line would be read; none if its provider is not there.
    fn reading(&self, line: &Line, circumstances: &Circumstances) -> Result<Option<&(ProviderId, Reading)>, Stopped> {
        match &line.provider {
            None => choose(&self.providers, circumstances.provider.as_deref()).map(Some),
            Some(id) => Ok(self.providers.iter().find(|(known, _)| known.as_str() == id)),
        }
    }
}

impl Line {
    fn of(text: &str, number: usize) -> Result<Self, Stopped> {
        let mut claims = super::claims(text, &format!("line {number}"))?;
        let wrapped = matches!(claims.get("claims"), Some(Value::Object(_)));
        let provider = if wrapped { claims.get("provider").and_then(Value::as_str).map(str::to_owned) } else { None };
        if let Some(Value::Object(inner)) = claims.remove("claims").filter(|_| wrapped) {
            claims = inner;
        }
        Ok(Self { number, provider, claims })
    }

    /// The person as a sign-in would make them.
    fn person(&self, (id, reading): &(ProviderId, Reading), circumstances: &Circumstances) -> Result<Supposed, Stopped> {
        if self.provider.is_none() {
            return circumstances.person_at(id, reading, self.claims.clone());
        }
        Supposed::new(id.clone(), reading, self.claims.clone()).map_err(|rejected| Stopped::Unusable(rejected.to_string()))
    }
}

/// Asks both policies about everybody, on all cores.
fn compare(old: &Side, new: &Side, people: &str, circumstances: &Circumstances) -> Result<Report, Stopped> {
    let context = circumstances.context();
    let lines: Vec<_> = (1..).zip(people.lines()).filter(|(_, line)| !line.trim().is_empty()).collect();
    let bar = progress(lines.len());
    let parts = cores::map(&lines.chunks(AT_A_TIME).collect::<Vec<_>>(), |lines| {
        let mut changes = Changes::new();
        for (number, text) in *lines {
            let line = Line::of(text, *number)?;
            note(old, new, &line, (circumstances, &context), &mut changes).map_err(|stopped| at_line(*number, stopped))?;
        }
        bar.inc(lines.len() as u64);
        Ok(changes)
    });
    bar.finish_and_clear();
    let mut roles = Changes::new();
    for part in parts {
        for (role, change) in part? {
            let whole = roles.entry(role).or_default();
            whole.account = change.account;
            whole.gains.extend(change.gains);
            whole.loses.extend(change.loses);
        }
    }
    Ok(Report { people: lines.len(), roles })
}

fn progress(length: usize) -> ProgressBar {
    if !is_watched() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} people, {eta} left");
    ProgressBar::new(length as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Notes what changes for one person. Where the provider is gone, or not there yet, they have no role.
fn note(
    old: &Side,
    new: &Side,
    line: &Line,
    (circumstances, context): (&Circumstances, &Context),
    changes: &mut Changes,
) -> Result<(), Stopped> {
    let (old_reading, new_reading) = (old.reading(line, circumstances)?, new.reading(line, circumstances)?);
    let before = old_reading.map(|reading| line.person(reading, circumstances)).transpose()?;
    // Providers seldom change: then the person is the same.
    let after =
        if new_reading == old_reading { None } else { new_reading.map(|reading| line.person(reading, circumstances)).transpose()? };
    let after = if new_reading == old_reading { before.as_ref() } else { after.as_ref() };
    let roles = |side: &Side, person: Option<&Supposed>| person.map(|who| side.policy.roles_of(&who.into(), context)).unwrap_or_default();
    let (had, has) = (roles(old, before.as_ref()), roles(new, after));
    let name = || before.as_ref().or(after).map_or_else(|| format!("line {}", line.number), |person| person.username().to_owned());
    for (role, account) in only_in(&had, &has) {
        changes.entry(role.to_string()).or_insert_with(|| Change::in_account(account)).loses.push(name());
    }
    for (role, account) in only_in(&has, &had) {
        changes.entry(role.to_string()).or_insert_with(|| Change::in_account(account)).gains.push(name());
    }
    Ok(())
}

fn at_line(number: usize, stopped: Stopped) -> Stopped {
    match stopped {
        Stopped::Unusable(why) => Stopped::Unusable(format!("line {number}: {why}")),
        other @ Stopped::No(_) => other,
    }
}

/// What of one list is not in the other; both are in the order of the roles.
fn only_in<'a>(one: &'a [Role], other: &'a [Role]) -> impl Iterator<Item = &'a Role> {
    one.iter().filter(|(role, _)| other.binary_search_by(|(known, _)| known.cmp(role)).is_err())
}

fn in_words(report: &Report) -> String {
    let mut text = String::new();
    let people = |names: &[String]| {
        let more = names.len().saturating_sub(NAMED);
        let named = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        if more == 0 { named } else { format!("{named} and {more} more") }
    };
    // Writing to a String cannot fail.
    for (role, change) in &report.roles {
        let mark = if change.protected { "  (protected)" } else { "" };
        let _ = writeln!(text, "{role}  in {}{mark}", change.account);
        if !change.gains.is_empty() {
            let _ = writeln!(text, "  + {:>6}  {}", change.gains.len(), people(&change.gains));
        }
        if !change.loses.is_empty() {
            let _ = writeln!(text, "  - {:>6}  {}", change.loses.len(), people(&change.loses));
        }
    }
    let gains: usize = report.roles.values().map(|change| change.gains.len()).sum();
    let losses: usize = report.roles.values().map(|change| change.loses.len()).sum();
    let _ = writeln!(text, "{} people: {gains} role(s) gained, {losses} lost, in {} role(s)", report.people, report.roles.len());
    text
}
