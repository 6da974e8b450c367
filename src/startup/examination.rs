//! What `rolegate doctor` looks at: everything that a gateway depends on, asked for from where it will run, without being one.

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta};
use reqwest::Client;
use reqwest::header::DATE;
use reqwest::redirect::Policy as Redirects;
use serde::Serialize;

use super::{Parts, parts};
use crate::audit::Target;
use crate::clock::{Clock, Moment};
use crate::config::{Config, Findings};
use crate::settings::Problem;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes: a set of keys has some thousand.
const LONGEST: usize = 64 * 1024;
/// Clocks that differ by more than this fail sign-ins: what verifies tokens allows a minute.
const SKEW: TimeDelta = TimeDelta::seconds(60);
/// By more than this a clock deserves a look. Dates on the wire have whole seconds.
const DRIFT: TimeDelta = TimeDelta::seconds(5);

/// How something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It may be meant so, or could not be told.
    Unsure,
    /// People cannot be served as they should.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Examined {
    /// What it is.
    pub part: String,
    /// How it was found.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
    /// What to do about it, where something is to be done.
    pub mend: Option<String>,
}

impl Examined {
    fn good(part: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { part: part.into(), verdict: Verdict::Good, seen: seen.into(), mend: None }
    }

    fn other(verdict: Verdict, part: impl Into<String>, seen: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { part: part.into(), verdict, seen: seen.into(), mend: Some(mend.into()) }
    }
}

/// Looks at one thing after the other, and tells each as it is known.
///
/// # Errors
/// What is wrong with the configuration: then nothing else is looked at.
pub async fn examine(config: &Config, clock: Arc<dyn Clock>, mut tell: impl FnMut(Examined)) -> Result<(), Findings> {
    let parts = parts(config, clock.now()).map_err(|problems| config.locate(problems))?;
    let mut surroundings = Surroundings::new(clock);
    tell(configuration(config));
    config.file.audit.files(&config.base).for_each(|file| tell(trail(&file)));
    for stream in config.file.audit.targets("audit", &config.base).unwrap_or_default() {
        tell(stream_of_trail(stream).await);
    }
    tell(store(config).await);
    for provider in &parts.providers {
        tell(answered(format!("provider {}", provider.id()), provider.look(surroundings.clock.now()).await));
    }
    for platform in &parts.workload_providers {
        tell(answered(format!("platform {}", platform.id()), platform.look(surroundings.clock.now()).await));
    }
    for endpoint in parts.sts.endpoints(parts.policy.partitions()) {
        let knocked = surroundings.knock(&endpoint.url).await.map(|knocked| knocked.seen);
        tell(reached(format!("STS in {}", endpoint.region), &endpoint.url, knocked));
    }
    for partition in parts.policy.partitions() {
        let url = parts.console.federation(*partition);
        let knocked = surroundings.knock(&url).await.map(|knocked| knocked.seen);
        tell(reached("console sign-in".into(), &url, knocked));
    }
    if parts.policy.needs_own_identity() {
        tell(own_identity(&parts).await);
    }
    tell(public_url(&parts, &mut surroundings).await);
    if !parts.issuer.is_ephemeral() {
        tell(issuer(&parts, &mut surroundings).await);
    }
    tell(surroundings.time());
    Ok(())
}

fn configuration(config: &Config) -> Examined {
    match config.warnings.iter().count() {
        0 => Examined::good("configuration", "nothing to say about it"),
        count => Examined::other(Verdict::Unsure, "configuration", format!("{count} warning(s)"), "read them: `rolegate check`"),
    }
}

/// That the file can be opened was checked with the configuration. Whether its disk takes more is tried beside it: it may be in use.
fn trail(file: &Path) -> Examined {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (part, shown) = ("audit trail", file.display());
    match takes_more(folder) {
        Ok(()) => Examined::good(part, format!("{shown} can be opened, and its disk takes more")),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Examined::other(
            Verdict::Unsure,
            part,
            format!("{shown} can be opened; whether its disk takes more could not be tried"),
            "see that there is room on it: no file may be made in that folder",
        ),
        Err(error) => Examined::other(
            Verdict::Bad,
            part,
            format!("the disk of {shown} takes no more: {error}"),
            "make room: nothing is handed out that cannot be recorded",
        ),
    }
}

/// Whether a stream of the trail can be connected to. No event is sent: it would be one that nobody caused.
async fn stream_of_trail(stream: Target) -> Examined {
    let (part, name) = ("audit trail", stream.name());
    let probed = tokio::task::spawn_blocking(move || stream.probe(PATIENCE)).await.map_err(io::Error::other);
    match probed.and_then(|probed| probed) {
        Ok(()) => Examined::good(part, format!("{name} can be reached; no event was sent")),
        Err(error) => Examined::other(
            Verdict::Bad,
            part,
            format!("{name} cannot be reached: {error}"),
            "check the way to it (DNS, firewall, certificates): it gets later what it misses, and with `require = \"all\"` nothing is handed out",
        ),
    }
}

/// Writes some thousand bytes to a file that is gone afterwards, and waits for the disk.
fn takes_more(folder: &Path) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(&[b'\n'; 4096])?;
    file.sync_all()
}

async fn store(config: &Config) -> Examined {
    let vault = match config.file.store.connect(&config.base).await {
        Ok(vault) => vault,
        Err(Problem { message, hint, .. }) => return Examined::other(Verdict::Bad, "store", message, hint),
    };
    let begun = Instant::now();
    match vault.ping().await {
        Ok(()) => {
            Examined::good("store", format!("{} takes sessions, in {} ms", config.file.store.whereabouts(), begun.elapsed().as_millis()))
        }
        Err(error) => Examined::other(
            Verdict::Bad,
            "store",
            format!("{} does not take sessions: {error}", config.file.store.whereabouts()),
            "nobody can sign in until it does: check its address, its password, its certificate and its memory",
        ),
    }
}

fn answered(part: String, looked: Result<String, String>) -> Examined {
    match looked {
        Ok(seen) => Examined::good(part, seen),
        Err(why) => Examined::other(
            Verdict::Bad,
            part,
            why,
            "nobody can sign in there: check the address in the configuration, and the way to it (DNS, firewall, certificates)",
        ),
    }
}

fn reached(part: String, url: &str, knocked: Result<String, String>) -> Examined {
    match knocked {
        Ok(seen) => Examined::good(part, format!("{url}: {seen}")),
        Err(why) => Examined::other(Verdict::Bad, part, format!("{url}: {why}"), "check the way from here to AWS (DNS, firewall, proxy)"),
    }
}

async fn own_identity(parts: &Parts) -> Examined {
    match parts.sts.own_identity_is_session(parts.sts.deadline()).await {
        Ok(true) => Examined::good("own AWS identity", "a role or another session: what it assumes lasts an hour at most"),
        Ok(false) => Examined::good("own AWS identity", "a user's"),
        Err(error) => Examined::other(
            Verdict::Bad,
            "own AWS identity",
            error.to_string(),
            "a rule needs one: give the process credentials that the AWS SDK finds",
        ),
    }
}

async fn public_url(parts: &Parts, surroundings: &mut Surroundings) -> Examined {
    let url = format!("{}/healthz", parts.public_url.as_str().trim_end_matches('/'));
    match surroundings.knock(&url).await {
        Ok(Knocked { status: 200, body, .. }) if body == "ok\n" => Examined::good("public URL", format!("a gateway answers at {url}")),
        Ok(knocked) => Examined::other(
            Verdict::Bad,
            "public URL",
            format!("{url}: {}, and it is no gateway's", knocked.seen),
            "check where the proxy sends this address, and `public_url`",
        ),
        Err(why) => Examined::other(
            Verdict::Unsure,
            "public URL",
            format!("{url}: {why}"),
            "no matter if the gateway is not started yet, or cannot reach its own address; else check the proxy",
        ),
    }
}

/// AWS reads the issuer's key set by itself: what stands there must be what signs here.
async fn issuer(parts: &Parts, surroundings: &mut Surroundings) -> Examined {
    let url = format!("{}/.well-known/jwks.json", parts.issuer.url());
    match surroundings.knock(&url).await {
        Ok(Knocked { status: 200, body, .. }) if body == parts.issuer.key_set() => {
            Examined::good("issuer", format!("{url} has the keys of this configuration"))
        }
        Ok(Knocked { status: 200, .. }) => Examined::other(
            Verdict::Bad,
            "issuer",
            format!("{url} has other keys than this configuration"),
            "AWS refuses what is signed here: do all replicas have the same keys, and were they restarted?",
        ),
        Ok(knocked) => Examined::other(Verdict::Bad, "issuer", format!("{url}: {}", knocked.seen), "AWS must be able to read this address"),
        Err(why) => Examined::other(
            Verdict::Unsure,
            "issuer",
            format!("{url}: {why}"),
            "no matter if the gateway is not started yet; AWS must be able to read this address",
        ),
    }
}

/// The network around this machine, and what it says of the time.
struct Surroundings {
    client: Result<Client, String>,
    clock: Arc<dyn Clock>,
    /// How far this machine's clock is ahead of others', where somebody told the time.
    ahead: Option<(String, TimeDelta)>,
}

struct Knocked {
    status: u16,
    seen: String,
    body: String,
}

impl Surroundings {
    fn new(clock: Arc<dyn Clock>) -> Self {
        let client = Client::builder().redirect(Redirects::none()).timeout(PATIENCE).user_agent("rolegate-doctor").build();
        Self { client: client.map_err(|error| error.to_string()), clock, ahead: None }
    }

    /// Whether somebody answers there, whatever they say; and what time it is there.
    async fn knock(&mut self, url: &str) -> Result<Knocked, String> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        let begun = Instant::now();
        let answer = client.get(url).send().await.map_err(|error| crate::settings::with_causes(&error.without_url()))?;
        let (status, took) = (answer.status().as_u16(), begun.elapsed());
        let now = self.clock.now();
        let date = answer.headers().get(DATE).and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
        // The nearest of those who told is believed: it is us who are wrong only if all of them say so.
        if let (Some(date), Some(host)) = (date, answer.url().host_str()) {
            let ahead = ahead(now, date.to_utc(), took);
            if self.ahead.as_ref().is_none_or(|(_, before)| ahead.abs() < before.abs()) {
                self.ahead = Some((host.to_owned(), ahead));
            }
        }
        let body = beginning(answer).await;
        Ok(Knocked { status, seen: format!("status {status} in {} ms", took.as_millis()), body })
    }

    fn time(&self) -> Examined {
        let Some((host, ahead)) = &self.ahead else {
            return Examined::other(Verdict::Unsure, "clock", "nobody told the time", "see that the machine's clock is set by NTP");
        };
        let way = if *ahead < TimeDelta::zero() { "behind" } else { "ahead of" };
        let seen = format!("{} s {way} the one of {host}", ahead.abs().num_seconds());
        let verdict = match ahead.abs() {
            small if small <= DRIFT => return Examined::good("clock", "right within five seconds"),
            large if large > SKEW => Verdict::Bad,
            _ => Verdict::Unsure,
        };
        Examined::other(verdict, "clock", seen, "let NTP set the machine's clock: tokens are good within a minute of their time")
    }
}

/// The answer's text, as far as anything that is looked for here is long.
async fn beginning(mut answer: reqwest::Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            return String::new();
        }
    }
    String::from_utf8(body).unwrap_or_default()
}

/// How far a clock is ahead that shows `now` when an answer of `date` has come, which was under way for a part of `took`. A date says which second
/// it was, and not when in it.
fn ahead(now: Moment, date: Moment, took: Duration) -> TimeDelta {
    let took = TimeDelta::from_std(took).unwrap_or(TimeDelta::zero());
    let (latest, earliest) = (date + TimeDelta::seconds(1) + took, date);
    if now > latest {
        now - latest
    } else if now < earliest {
        now - earliest
    } else {
        TimeDelta::zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_wrong_by_what_the_second_and_the_way_do_not_explain() {
        let at = |text: &str| text.parse::<Moment>().unwrap();
        let date = at("2026-11-30T12:00:00Z");
        for (now, seconds) in [("12:00:00.2", 0), ("12:00:02.9", 0), ("12:00:33", 30), ("11:59:50", -10), ("11:58:00", -120)] {
            let ahead = ahead(at(&format!("2026-11-30T{now}Z")), date, Duration::from_secs(2));
            assert_eq!(ahead.num_seconds(), seconds, "{now}");
        }
    }

    #[test]
    fn of_several_who_tell_the_time_the_nearest_is_believed() {
        let clock: Arc<dyn Clock> = Arc::new(crate::clock::SystemClock);
        let with = |ahead: Option<i64>| Surroundings {
            client: Err(String::new()),
            clock: Arc::clone(&clock),
            ahead: ahead.map(|seconds| ("sts.example".to_owned(), TimeDelta::seconds(seconds))),
        };
        let verdicts = [None, Some(0), Some(-5), Some(6), Some(-61)].map(|ahead| with(ahead).time().verdict);
        assert_eq!(verdicts, [Verdict::Unsure, Verdict::Good, Verdict::Good, Verdict::Unsure, Verdict::Bad]);
        assert_eq!(with(Some(-61)).time().seen, "61 s behind the one of sts.example");
    }
}
