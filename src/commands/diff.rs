//! `rolegate diff`: who gains and who loses which role when one configuration replaces another.

mod people;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::TimeDelta;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use regex::Regex;
use rolegate::access::{ByHand, Context, Difference, Entitlement, GatewayRole, Person, Policy, Target};
use rolegate::clock::Moment;
use rolegate::config::Config;
use rolegate::identity::{ProviderId, Reading, Supposed};
use rolegate::{cores, startup};

use self::people::{People, Somebody, Trail};
use self::report::{Change, Judge, Report};
use super::{Circumstances, Stopped, choose, is_watched, load, print, print_json};

/// How far back the audit trail is read by itself, in days.
const USUAL_DAYS: u32 = 30;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The configuration in force
    old: PathBuf,
    /// The configuration that is to replace it
    new: PathBuf,
    /// A file with one JSON object of claims in each line, or {"provider": …, "claims": {…}}; `-` reads standard input
    #[arg(long, required_unless_present = "audit", conflicts_with = "audit")]
    people: Option<PathBuf>,
    /// An audit trail, or a folder with some: who signed in of late, with what they brought at their latest sign-in
    #[arg(long, value_name = "FILE|FOLDER")]
    audit: Option<PathBuf>,
    /// How many days of the audit trail are read, back from now (30)
    #[arg(long, requires = "audit")]
    days: Option<u32>,
    /// From when on the audit trail is read, as 2026-01-14T00:00:00Z
    #[arg(long, requires = "audit", conflicts_with = "days")]
    since: Option<Moment>,
    /// Exit with 1 if anybody gains a role whose ARN matches this pattern, or more of it than before, or if that cannot be told
    #[arg(long, value_name = "PATTERN")]
    protect: Option<Regex>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    circumstances: Circumstances,
}

/// One of the two configurations.
struct Side {
    policy: Arc<Policy>,
    providers: Vec<(ProviderId, Reading)>,
}

/// How many people are asked about at a time.
const AT_A_TIME: usize = 100;

impl Arguments {
    fn since(&self) -> Moment {
        let days = TimeDelta::days(self.days.unwrap_or(USUAL_DAYS).into());
        self.since.or_else(|| self.circumstances.context().now.checked_sub_signed(days)).unwrap_or_default()
    }

    fn people(&self) -> Result<(People, Option<Trail>), Stopped> {
        match (&self.people, &self.audit) {
            (Some(file), _) => Ok((People::of_file(file)?, None)),
            (None, Some(trail)) => People::of_trail(trail, self.since()).map(|(people, trail)| (people, Some(trail))),
            (None, None) => Ok((People::Lines(String::new()), None)),
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Stopped> {
    let (old, new) = (Side::of(load(&arguments.old)?), Side::of(load(&arguments.new)?));
    let (people, audit) = arguments.people()?;
    let sides = Sides { old: &old, new: &new, difference: new.policy.difference_from(&old.policy) };
    let mut report = compare(&sides, &people, &arguments.circumstances)?;
    report.audit = audit;
    let protects = |role: &str| arguments.protect.as_ref().is_some_and(|pattern| pattern.is_match(role));
    for (role, change) in &mut report.roles {
        change.protected = change.gives() && protects(role);
    }
    let judge = |rule: ByHand| Judge { protected: rule.may_touch(protects), rule };
    report.judge_by_hand = sides.difference.to_judge_by_hand().into_iter().map(judge).collect();
    let hiding: Vec<_> = report.unjudged.new.keys().filter(|rule| sides.difference.may_hide_a_gain(rule, protects)).cloned().collect();
    if arguments.json {
        print_json(&report)?;
    } else {
        print(&report.in_words())?;
    }
    if arguments.protect.is_some() { guard(&report, &hiding) } else { Ok(()) }
}

/// Whether a protected role stays with those who have it, as they have it. What nobody can tell is no.
fn guard(report: &Report, hiding: &[String]) -> Result<(), Stopped> {
    let of = |is_so: fn(&Change) -> bool| {
        let roles = report.roles.iter().filter(|(_, change)| change.protected && is_so(change));
        roles.map(|(role, _)| role.as_str()).collect::<Vec<_>>()
    };
    let by_hand = report.judge_by_hand.iter().filter(|judge| judge.protected).map(|judge| judge.rule.rule.as_str());
    let mut alarms = Vec::new();
    for (words, what) in [
        ("somebody gains a protected role", of(|change| !change.gains.is_empty())),
        ("a protected role is widened", of(|change| !change.widened.is_empty())),
        ("a rule about a protected role must be judged by hand", by_hand.collect()),
        ("a rule about a protected role could not be judged", hiding.iter().map(String::as_str).collect()),
    ] {
        if !what.is_empty() {
            alarms.push(format!("{words}: {}", what.join(", ")));
        }
    }
    if alarms.is_empty() { Ok(()) } else { Err(Stopped::No(alarms.join("\n"))) }
}

impl Side {
    fn of((config, policy): (Config, Arc<Policy>)) -> Self {
        Self { policy, providers: startup::readings(&config) }
    }

    /// How somebody's sign-in would be read; none if their provider is not there.
    fn reading(&self, somebody: &Somebody<'_>, circumstances: &Circumstances) -> Result<Option<&(ProviderId, Reading)>, Stopped> {
        match somebody.provider() {
            None => choose(&self.providers, circumstances.provider.as_deref()).map(Some),
            Some(id) => Ok(self.providers.iter().find(|(known, _)| known.as_str() == id)),
        }
    }
}

/// Asks both policies about everybody, on all cores.
fn compare(sides: &Sides<'_>, people: &People, circumstances: &Circumstances) -> Result<Report, Stopped> {
    let (context, entries) = (circumstances.context(), people.entries());
    let bar = progress(entries.len());
    let parts = cores::map(&entries.chunks(AT_A_TIME).collect::<Vec<_>>(), |entries| {
        let mut part = Report::default();
        for entry in *entries {
            note(sides, &entry.read()?, (circumstances, &context), &mut part)?;
        }
        bar.inc(entries.len() as u64);
        Ok::<_, Stopped>(part)
    });
    bar.finish_and_clear();
    let mut report = Report { people: entries.len(), ..Report::default() };
    for part in parts {
        report.add(part?);
    }
    Ok(report)
}

fn progress(length: usize) -> ProgressBar {
    if !is_watched() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} people, {eta} left");
    ProgressBar::new(length as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The two of them, and in what their rules differ.
struct Sides<'a> {
    old: &'a Side,
    new: &'a Side,
    difference: Difference<'a>,
}

/// Notes what changes for one person. Where the provider is gone, or not there yet, they have no role.
fn note(
    sides: &Sides<'_>,
    somebody: &Somebody<'_>,
    (circumstances, context): (&Circumstances, &Context),
    report: &mut Report,
) -> Result<(), Stopped> {
    let (old, new, difference) = (sides.old, sides.new, &sides.difference);
    let (old_reading, new_reading) = (old.reading(somebody, circumstances)?, new.reading(somebody, circumstances)?);
    let person = |reading: Option<&(ProviderId, Reading)>| reading.map(|reading| somebody.person(reading, circumstances)).transpose();
    let before = person(old_reading)?;
    // Providers seldom change: then the person is the same.
    let is_same = new_reading == old_reading;
    let after = if is_same { None } else { person(new_reading)? };
    let (before, after) = (before.as_ref(), if is_same { before.as_ref() } else { after.as_ref() });
    let unjudged = |side: &Side, person: Option<&Supposed>| person.map(|who| somebody.unjudged(&side.policy, who)).unwrap_or_default();
    report.unjudged.add(unjudged(old, before), unjudged(new, after));
    if is_same && before.is_none_or(|who| !difference.touches(&Person::from(who))) {
        return Ok(());
    }
    let (had, has) = (granted(old, before, context), granted(new, after, context));
    let name = || before.or(after).map_or_else(|| somebody.name(), |person| person.username().to_owned());
    let (had_here, has_here) = (in_gateway(old, before, context), in_gateway(new, after, context));
    for role in had_here.symmetric_difference(&has_here) {
        let change = report.roles.entry(role.target()).or_insert_with(Change::in_gateway);
        if has_here.contains(role) { change.gains.push(name()) } else { change.loses.push(name()) }
    }
    let mut change = |entitlement: &Entitlement, note: &dyn Fn(&mut Change)| {
        let change = report.roles.entry(entitlement.target.to_string()).or_insert_with(|| Change::in_account(&entitlement.account));
        note(change);
    };
    for (_, entitlement) in had.iter().filter(|(role, _)| !has.contains_key(*role)) {
        change(entitlement, &|change| change.loses.push(name()));
    }
    for (role, entitlement) in &has {
        let Some(was) = had.get(role) else {
            change(entitlement, &|change| change.gains.push(name()));
            continue;
        };
        for what in entitlement.wider_than(was) {
            change(entitlement, &|change| change.widen(what.clone(), vec![name()]));
        }
    }
    Ok(())
}

/// The roles of the gateway itself that one configuration gives to somebody.
fn in_gateway(side: &Side, person: Option<&Supposed>, context: &Context) -> BTreeSet<GatewayRole> {
    let grants = person.map(|who| side.policy.gateway_roles(&who.into(), context)).unwrap_or_default();
    grants.into_iter().map(|grant| grant.role).collect()
}

/// The roles that one configuration gives to somebody, with their limits.
fn granted(side: &Side, person: Option<&Supposed>, context: &Context) -> BTreeMap<Target, Entitlement> {
    let granted = person.map(|who| side.policy.granted(&who.into(), context)).unwrap_or_default();
    granted.into_iter().map(|entitlement| (entitlement.target.clone(), entitlement)).collect()
}
