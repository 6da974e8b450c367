//! The commands that check and try rules (`check`, `test`, `explain`, `diff`), that look after IAM's half (`aws`) and that verify the trail (`audit`).
//! They read files and print; the rules decide.

pub(crate) mod audit;
pub(crate) mod aws;
pub(crate) mod check;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
mod line;
pub(crate) mod server;
pub(crate) mod test;

use std::io::{IsTerminal, Read, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use clap::Args;
use rolegate::access::{Context, Policy};
use rolegate::clock::{Clock, Moment, SystemClock};
use rolegate::config::Config;
use rolegate::identity::{ProviderId, Reading, Supposed};
use rolegate::settings::{self, read_file};
use rolegate::startup;
use rolegate::terminal::{harmless, harmless_json};
use serde_json::{Map, Value};

/// Why a command did not do its work.
pub(crate) enum Stopped {
    /// The configuration has findings, or what was asked for is not there: exit code 2.
    Unusable(String),
    /// The answer is no: exit code 1.
    No(String),
}

/// The circumstances that rules may look at.
#[derive(Args, Default)]
pub(crate) struct Circumstances {
    /// The provider that the person signs in with (the first one of the file)
    #[arg(long)]
    provider: Option<String>,
    /// Whether a second factor was used (what the claims say)
    #[arg(long)]
    mfa: Option<bool>,
    /// How long ago the person proved themselves to the provider, as 10m (what the claims say)
    #[arg(long, value_parser = humantime::parse_duration)]
    auth_age: Option<Duration>,
    /// The address that the request comes from
    #[arg(long)]
    ip: Option<IpAddr>,
    /// When, as 2026-01-14T12:00:00Z (now)
    #[arg(long)]
    at: Option<Moment>,
}

impl Circumstances {
    pub(crate) fn context(&self) -> Context {
        Context { now: self.at.unwrap_or_else(|| SystemClock.now()), ip: self.ip }
    }

    /// Somebody who signs in with these claims.
    pub(crate) fn person(&self, config: &Config, claims: Map<String, Value>) -> Result<Supposed, Stopped> {
        let known = startup::readings(config);
        let (id, reading) = choose(&known, self.provider.as_deref())?;
        self.person_at(id, reading, claims)
    }

    /// The same where the provider is known.
    pub(crate) fn person_at(&self, id: &ProviderId, reading: &Reading, claims: Map<String, Value>) -> Result<Supposed, Stopped> {
        let person = Supposed::new(id.clone(), reading, claims);
        let person = person.map_err(|rejected| Stopped::Unusable(format!("the sign-in itself would be refused: {rejected}")))?;
        Ok(self.change(person))
    }

    /// The person with what the circumstances say of their sign-in.
    pub(crate) fn change(&self, person: Supposed) -> Supposed {
        let since = self.auth_age.and_then(|age| self.context().now.checked_sub_signed(TimeDelta::from_std(age).ok()?));
        person.under(self.mfa, since)
    }
}

/// The provider of an id, or the first one, and where it has a person's groups and name.
pub(crate) fn choose<'k>(known: &'k [(ProviderId, Reading)], id: Option<&str>) -> Result<&'k (ProviderId, Reading), Stopped> {
    let found = known.iter().find(|(known, _)| id.is_none_or(|id| known.as_str() == id));
    found.ok_or_else(|| {
        let names = known.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(", ");
        Stopped::Unusable(format!("there is no provider `{}`: use {names}", id.unwrap_or_default()))
    })
}

/// A configuration that has passed all checks, and its policy.
pub(crate) fn load(path: &Path) -> Result<(Config, Arc<Policy>), Stopped> {
    let config = startup::load(path).map_err(|findings| Stopped::Unusable(findings.to_string()))?;
    let policy = startup::policy(&config).map_err(|problems| Stopped::Unusable(config.locate(problems).to_string()))?;
    Ok((config, policy))
}

/// What stands in a file, or comes by standard input where the name is `-`.
pub(crate) fn read(path: &Path) -> Result<String, Stopped> {
    let unusable = |wrong: String| Stopped::Unusable(format!("{} {wrong}", path.display()));
    let bytes = if path.as_os_str() == "-" { read_input() } else { read_file(path, LARGEST_INPUT) };
    let bytes = bytes.map_err(|error| unusable(format!("cannot be read: {error}")))?;
    settings::text(bytes).map_err(|(wrong, hint)| unusable(format!("{wrong}: {hint}")))
}

/// Standard input, which may be a pipe, and no more of it than of a file.
fn read_input() -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(LARGEST_INPUT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_INPUT {
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, format!("it is larger than {LARGEST_INPUT} bytes")));
    }
    Ok(bytes)
}

/// The most that is read of claims or people, in bytes: a hundred thousand people with a hundred groups each.
const LARGEST_INPUT: u64 = 1024 * 1024 * 1024;

/// One JSON object of claims.
pub(crate) fn claims(text: &str, from: &str) -> Result<Map<String, Value>, Stopped> {
    serde_json::from_str(text).map_err(|error| Stopped::Unusable(format!("{from}: not a JSON object of claims: {error}")))
}

/// Writes a result. Who reads no further, as `head` does, has what it wanted.
pub(crate) fn print(text: &str) -> Result<(), Stopped> {
    write(&harmless(text.trim_end()))
}

fn write(text: &str) -> Result<(), Stopped> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Stopped::No(error.to_string())),
        _ => Ok(()),
    }
}

pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Stopped> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Stopped::No(error.to_string()))?;
    write(&harmless_json(&text))
}

/// Whether somebody watches who wants to see progress.
pub(crate) fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}
