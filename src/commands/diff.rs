//! `rolegate diff`: who gains and who loses which role when one configuration replaces another.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use regex::Regex;
use rolegate::access::{Context, Policy};
use rolegate::config::Config;
use rolegate::identity::Supposed;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Circumstances, Stopped, is_watched, load, print, print_json, provider, read};

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

#[derive(Debug, Serialize)]
struct Report {
    people: usize,
    roles: BTreeMap<String, Change>,
}

/// One line of the file of people.
struct Line {
    number: usize,
    provider: Option<String>,
    claims: Map<String, Value>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Stopped> {
    let (old, new) = (load(&arguments.old)?, load(&arguments.new)?);
    let lines = lines(&read(&arguments.people)?)?;
    let mut report = compare(&old, &new, &lines, &arguments.circumstances)?;
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

fn lines(text: &str) -> Result<Vec<Line>, Stopped> {
    let numbered = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    numbered
        .map(|(index, line)| {
            let mut claims = super::claims(line, &format!("line {}", index + 1))?;
            let wrapped = matches!(claims.get("claims"), Some(Value::Object(_)));
            let provider = if wrapped { claims.get("provider").and_then(Value::as_str).map(str::to_owned) } else { None };
            if let Some(Value::Object(inner)) = claims.remove("claims").filter(|_| wrapped) {
                claims = inner;
            }
            Ok(Line { number: index + 1, provider, claims })
        })
        .collect()
}

/// Asks both policies about everybody, on all cores.
fn compare(
    old: &(Config, Arc<Policy>),
    new: &(Config, Arc<Policy>),
    lines: &[Line],
    circumstances: &Circumstances,
) -> Result<Report, Stopped> {
    let (context, done) = (circumstances.context(), AtomicUsize::new(0));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = lines.len().div_ceil(cores).max(1);
    let work = |lines: &[Line]| {
        let mut roles = BTreeMap::new();
        for line in lines {
            note(old, new, line, (circumstances, &context), &mut roles)?;
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok::<_, Stopped>(roles)
    };
    let parts = thread::scope(|scope| {
        let workers: Vec<_> = lines.chunks(share).map(|lines| scope.spawn(|| work(lines))).collect();
        let bar = progress(lines.len());
        while workers.iter().any(|worker| !worker.is_finished()) {
            bar.set_position(done.load(Ordering::Relaxed) as u64);
            thread::sleep(Duration::from_millis(20));
        }
        bar.finish_and_clear();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect::<Vec<_>>()
    });
    let mut roles: BTreeMap<String, Change> = BTreeMap::new();
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

fn note(
    old: &(Config, Arc<Policy>),
    new: &(Config, Arc<Policy>),
    line: &Line,
    (circumstances, context): (&Circumstances, &Context),
    roles: &mut BTreeMap<String, Change>,
) -> Result<(), Stopped> {
    let (who, before) = granted(old, line, circumstances, context)?;
    let (_, after) = granted(new, line, circumstances, context)?;
    for (role, account) in before.iter().filter(|(role, _)| !after.contains_key(*role)) {
        let change = roles.entry(role.clone()).or_default();
        change.account.clone_from(account);
        change.loses.push(who.clone());
    }
    for (role, account) in after.iter().filter(|(role, _)| !before.contains_key(*role)) {
        let change = roles.entry(role.clone()).or_default();
        change.account.clone_from(account);
        change.gains.push(who.clone());
    }
    Ok(())
}

/// The person's name, and each role with the name of its account. Where the provider is gone, or the sign-in would be refused, none.
fn granted(
    (config, policy): &(Config, Arc<Policy>),
    line: &Line,
    circumstances: &Circumstances,
    context: &Context,
) -> Result<(String, BTreeMap<String, String>), Stopped> {
    let known = |id: &str| provider(config, Some(id)).is_ok();
    if line.provider.as_deref().is_some_and(|id| !known(id)) {
        return Ok((format!("line {}", line.number), BTreeMap::new()));
    }
    let person = match &line.provider {
        None => circumstances.person(config, line.claims.clone()),
        Some(id) => {
            let (id, reading) = provider(config, Some(id))?;
            Supposed::new(id, &reading, line.claims.clone()).map_err(|rejected| Stopped::Unusable(rejected.to_string()))
        }
    };
    let person = match person {
        Ok(person) => person,
        Err(Stopped::Unusable(why)) => return Err(Stopped::Unusable(format!("line {}: {why}", line.number))),
        Err(other) => return Err(other),
    };
    let roles = policy.granted(&(&person).into(), context);
    let roles = roles.into_iter().map(|entitlement| (entitlement.role.to_string(), entitlement.account.name.clone()));
    Ok((person.username().to_owned(), roles.collect()))
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
