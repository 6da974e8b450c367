//! From a checked configuration to a running gateway.

mod examination;
mod expiry;
mod listen;
pub mod log;
mod organization;
mod reload;
mod run;
#[cfg(feature = "otlp")]
mod traces;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;
use url::Url;

pub use examination::{Examined, Verdict, examine};
pub use listen::listen;
pub use run::{RunError, Stopping, run};

use crate::access::{Policy, Sources, read_policies, run_tests, run_tests_within};
use crate::alarm::{self, Alarms};
use crate::aws::console::Console;
use crate::aws::sts::Sts;
use crate::clock::{Clock, Moment, SystemClock};
use crate::config::{self, Config, Discovered, Findings};
use crate::gateway::{Changing, Flights, Gateway, Lengths, MOST_ROLES, Reloads, Rooms, TryRules, Vetted};
use crate::identity::{self, Provider, ProviderId, Reading, oidc, workload};
use crate::settings::Problem;
use crate::trust::keys::KeyRing;
use crate::trust::{Issuer, SamlIssuer, SamlPlace};
use crate::web::{BrandSettings, ServerOptions, Site, SiteSettings, Tls};

/// What is made from the configuration alone, before anything is opened or asked.
struct Parts {
    public_url: Url,
    providers: Vec<Provider>,
    workload_providers: Vec<workload::Provider>,
    policy: Arc<Policy>,
    issuer: Issuer,
    sts: Sts,
    console: Console,
    webhooks: Vec<alarm::Checked>,
}

/// Makes every part that the configuration describes, opens nothing, and tells what is wrong: what a check does beyond reading the file.
#[must_use]
pub fn problems(config: &Config) -> Vec<Problem> {
    let mut problems = problems_beside_tls(config);
    problems.extend(tls(config).err());
    problems
}

/// [`problems`] for a gateway that runs: its TLS looks after itself, and a certificate that is being renewed must not keep the rules from changing.
fn problems_beside_tls(config: &Config) -> Vec<Problem> {
    parts(config, SystemClock.now()).err().unwrap_or_default()
}

/// What is good for now, and needs somebody soon: certificates of ours that end.
fn ahead(config: &Config, now: Moment) -> Vec<Problem> {
    let own = parts(config, now).map(|parts| expiry::own_certificates(&parts.providers, &parts.issuer)).unwrap_or_default();
    let tls = tls(config).ok().flatten();
    let of_tls = tls.as_deref().map(expiry::of_tls).unwrap_or_default();
    let mut ahead = expiry::ending(&own.into_iter().chain(of_tls).collect::<Vec<_>>(), now);
    ahead.extend(tls.as_deref().and_then(|tls| misnamed(tls, config)));
    ahead
}

/// Browsers go to the public URL, and believe a certificate for its host alone. A balancer may have another name.
fn misnamed(tls: &Tls, config: &Config) -> Option<Problem> {
    let url = Url::parse(&config.file.public_url).ok()?;
    let host = url.host_str().filter(|host| !tls.is_for(host))?;
    let message = format!("the certificate is not for {host}, where public_url sends browsers");
    Some(Problem::new(expiry::TLS, message, "have one made for this name, unless something before Rolegate shows browsers another one"))
}

/// Reads a configuration file, checks it with every part that it describes, and adds what deserves a second look.
///
/// # Errors
/// Everything that is wrong with it, in the order of its lines.
pub fn load(path: &Path) -> Result<Config, Findings> {
    config::load_with(path, Discovered::Kept, problems).map(look_twice)
}

/// [`load`] for a gateway that runs, with these accounts of the organization.
///
/// # Errors
/// As [`load`].
pub fn load_again(path: &Path, discovered: Discovered) -> Result<Config, Findings> {
    config::load_with(path, discovered, problems_beside_tls).map(look_twice)
}

/// Adds to the warnings of a checked configuration what deserves a second look: in its rules, and of what ends soon.
#[must_use]
pub fn look_twice(mut config: Config) -> Config {
    let now = SystemClock.now();
    if let Ok(policy) = policy(&config) {
        let providers: Vec<_> = readings(&config).into_iter().map(|(id, _)| id).collect();
        config.warn(policy.second_looks(&config.file.rule, &providers, now));
    }
    config.warn(ahead(&config, now));
    config.forget_places();
    config
}

fn parts(config: &Config, now: Moment) -> Result<Parts, Vec<Problem>> {
    let file = &config.file;
    let mut problems = Vec::new();
    let public_url = keep(
        Url::parse(&file.public_url).map_err(|error| vec![Problem::new("public_url", error.to_string(), "write an absolute URL")]),
        &mut problems,
    );
    let policy = keep(policy(config), &mut problems);
    let keys = keep(KeyRing::load(&file.trust, &config.base, "trust"), &mut problems);
    let saml = file.trust.saml.as_ref().and_then(|settings| {
        let place = SamlPlace { public_url: &file.public_url, signin_endpoint: file.aws.signin_endpoint.as_deref() };
        keep(SamlIssuer::load(settings, &place, &config.base, "trust.saml", now), &mut problems)
    });
    let issuer = keys.map(|keys| Issuer::new(config.issuer(), &file.trust.audience, keys).with_saml(saml));
    let sts = keep(Sts::new(&file.aws).and_then(|sts| sts.with_users(&file.iam_user, &config.base, "iam_user")), &mut problems);
    let mut providers = Vec::new();
    let mut workload_providers = Vec::new();
    let webhooks = file.webhook.iter().enumerate();
    let webhooks: Vec<_> =
        webhooks.filter_map(|(index, webhook)| keep(webhook.load(&format!("webhook[{index}]"), &config.base), &mut problems)).collect();
    // They are opened with the trail, and must be usable before.
    drop(keep(file.audit.targets("audit", &config.base), &mut problems));
    for (index, settings) in file.workload_provider.iter().enumerate() {
        let provider = workload::Provider::new(settings, &format!("workload_provider[{index}]"), &config.base);
        workload_providers.extend(keep(provider, &mut problems));
    }
    let mut console = None;
    if let Some(public_url) = &public_url {
        for (index, settings) in file.provider.iter().enumerate() {
            let redirect = redirect_uri(public_url, &settings.id);
            let provider = oidc::Provider::new(settings, &format!("provider[{index}]"), redirect, &config.base);
            providers.extend(keep(provider, &mut problems).map(Provider::Oidc));
        }
        for (index, settings) in file.saml_provider.iter().enumerate() {
            let provider = identity::saml::Provider::new(settings, &format!("saml_provider[{index}]"), public_url, &config.base);
            providers.extend(keep(provider, &mut problems).map(Provider::Saml));
        }
        // Where AWS sends people whose console session has ended.
        console = keep(Console::new(&file.aws, public_url.clone()), &mut problems);
    }
    match (public_url, policy, issuer, sts, console) {
        (Some(public_url), Some(policy), Some(issuer), Some(sts), Some(console)) if problems.is_empty() => {
            Ok(Parts { public_url, providers, workload_providers, policy, issuer, sts, console, webhooks })
        }
        _ => Err(problems),
    }
}

/// What mints tokens and SAML responses, without a server: for what IAM must know of it.
///
/// # Errors
/// Every finding about the configuration.
pub fn issuer(config: &Config) -> Result<Issuer, Findings> {
    parts(config, SystemClock.now()).map(|parts| parts.issuer).map_err(|problems| config.locate(problems))
}

/// The metadata for IAM, without a server.
///
/// # Errors
/// Every finding; and one for a key that is made at each start, because IAM would know it and nobody would sign with it.
pub fn idp_metadata(config: &Config) -> Result<String, Findings> {
    let issuer = parts(config, SystemClock.now()).map_err(|problems| config.locate(problems))?.issuer;
    match issuer.saml() {
        Some(saml) if !saml.is_ephemeral() => Ok(saml.metadata().to_owned()),
        found => {
            let path = if found.is_some() { "trust.saml" } else { "trust" };
            let hint = "give [trust.saml] a signing_key and a certificate: docs/getting-started-aws.md tells how they are made";
            Err(config.locate(vec![Problem::new(path, "there is no SAML key that would still sign tomorrow", hint)]))
        }
    }
}

/// The configuration's policy: its rules compiled, and their own tests passed. That is done once, however often it is asked for.
///
/// # Errors
/// Every problem, each with its place.
pub fn policy(config: &Config) -> Result<Arc<Policy>, Vec<Problem>> {
    config.policy(|| {
        let policy = compile(config)?;
        let failed = run_tests(&policy, &readings(config), &config.file.test);
        if failed.is_empty() { Ok(policy) } else { Err(failed) }
    })
}

fn compile(config: &Config) -> Result<Policy, Vec<Problem>> {
    let file = &config.file;
    let ids: Vec<_> = readings(config).into_iter().map(|(id, _)| id).collect();
    let (groups, policies) = (file.group_settings(), &read_policies(&file.rule, &config.base));
    let (accounts, accounts_may_grow) = (&config.accounts(), file.organization.enabled);
    let iam_users = &file.iam_user;
    let sources = Sources { accounts, accounts_may_grow, iam_users, rules: &file.rule, naming: &file.naming, groups, policies };
    Policy::of(&sources, &ids)
}

/// The providers by their ids, with where each has a person's groups and name.
#[must_use]
pub fn readings(config: &Config) -> Vec<(ProviderId, Reading)> {
    let oidc = config.file.provider.iter().map(|provider| (&provider.id, Reading::from(provider)));
    let saml = config.file.saml_provider.iter().map(|provider| (&provider.id, Reading::from(provider)));
    let workload = config.file.workload_provider.iter().map(|provider| (&provider.id, Reading::from(provider)));
    oidc.chain(saml).chain(workload).filter_map(|(id, reading)| Some((id.parse().ok()?, reading))).collect()
}

/// What the listener does TLS with, if the configuration wants it to.
fn tls(config: &Config) -> Result<Option<Arc<Tls>>, Problem> {
    config.file.server.tls.as_ref().map(|tls| tls.load("server.tls", &config.base)).transpose()
}

fn keep<T>(made: Result<T, Vec<Problem>>, problems: &mut Vec<Problem>) -> Option<T> {
    made.map_err(|mut found| problems.append(&mut found)).ok()
}

/// The redirect URI of a provider: one for each, so that an answer meant for one cannot be played to another (RFC 9700 section 4.4).
#[must_use]
pub fn redirect_uri(public_url: &Url, provider: &str) -> Url {
    let mut url = public_url.clone();
    url.set_path(&format!("/callback/{provider}"));
    url
}

/// Our metadata as service provider for one of the SAML providers; none if there is no such provider.
///
/// # Errors
/// Every finding about the configuration, and why the metadata cannot be written.
pub fn sp_metadata(config: &Config, provider: &str) -> Result<Option<String>, Findings> {
    let parts = parts(config, SystemClock.now()).map_err(|problems| config.locate(problems))?;
    let found = parts.providers.iter().filter_map(Provider::as_saml).find(|known| known.id().as_str() == provider);
    let written = found.map(identity::saml::Provider::sp_metadata).transpose();
    written.map_err(|error| config.locate(vec![Problem::new("saml_provider", error.to_string(), "change what it is about")]))
}

/// Opens the store and the audit trail, and puts the gateway together.
///
/// # Errors
/// Every finding, when something cannot be made or opened.
pub async fn gateway(config: &Config, clock: Arc<dyn Clock>) -> Result<Gateway, Findings> {
    let parts = parts(config, clock.now()).map_err(|problems| config.locate(problems))?;
    let vault = config.file.store.connect(&config.base).await.map_err(|problem| config.locate(vec![problem]))?;
    let audit = config.file.audit.open("audit", &config.base).map_err(|problems| config.locate(problems))?;
    let wants_certificate = config.file.server.tls.as_ref().is_some_and(|tls| tls.administrator_ca_file.is_some());
    Ok(Gateway {
        providers: parts.providers,
        workload_providers: parts.workload_providers,
        policy: ArcSwap::from(parts.policy),
        disclosure: config.file.portal.explain,
        reloads: ArcSwap::from_pointee(Reloads::none(clock.now(), vetted(config))),
        vault,
        rooms: Rooms::new(readings(config), wants_certificate, try_rules(config)),
        changing: Changing::default(),
        issuer: parts.issuer,
        sts: parts.sts,
        flights: Flights::default(),
        lengths: Lengths::default(),
        console: parts.console,
        alarms: Alarms::start(parts.webhooks, &parts.public_url, &clock),
        audit,
        clock,
        limits: config.file.session,
        command_line: config.file.command_line,
        public_url: parts.public_url,
        unsolicited: AtomicU64::new(0),
    })
}

/// How a configuration's rules were looked over.
fn vetted(config: &Config) -> Vetted {
    Vetted { tests: config.file.test.len(), findings: config.warnings.iter().map(ToString::to_string).collect() }
}

/// What tries other rules in place of a configuration's.
fn try_rules(config: &Config) -> TryRules {
    let running = config.clone();
    TryRules::new(move |text, goes_on| candidate(&running, text, goes_on))
}

/// The policy of rules that stand in no file, with what runs beside them. Nobody vetted them, so their own tests are bounded as they are.
fn candidate(running: &Config, text: &str, goes_on: &dyn Fn() -> bool) -> Result<Arc<Policy>, Vec<String>> {
    let in_words = |problems: Vec<Problem>| {
        problems.iter().map(|problem| format!("{}: {} ({})", problem.path, problem.message, problem.hint)).collect::<Vec<_>>()
    };
    let config = running.with_rules_of_text(text).map_err(in_words)?;
    let policy = compile(&config).map_err(in_words)?;
    let failed = run_tests_within(&policy, &readings(&config), &config.file.test, MOST_ROLES, goes_on);
    if failed.is_empty() { Ok(Arc::new(policy)) } else { Err(in_words(failed)) }
}

/// The pages of a gateway, as the configuration has them.
#[must_use]
pub fn site(config: &Config, gateway: Gateway, banner: Option<String>) -> Site {
    let server = &config.file.server;
    let settings = SiteSettings {
        contact: config.file.help.contact.clone(),
        help_link: config.file.help.link.clone(),
        brand: brand(config),
        banner,
        trusted_proxies: server.trusted_proxies.clone(),
        body_limit: server.body_limit,
        request_timeout: server.request_timeout.0,
        sign_in_rate: server.sign_in_rate,
        sign_in_burst: server.sign_in_burst,
        person_rate: server.person_rate,
        person_burst: server.person_burst,
        workload_rate: server.workload_rate,
        workload_burst: server.workload_burst,
        metrics: config.file.metrics.is_some(),
    };
    Site::new(gateway, settings)
}

/// The brand, with its logo read. One that has gone since the configuration was checked is left out, and the log says so.
fn brand(config: &Config) -> BrandSettings {
    let settings = &config.file.portal.brand;
    let read = |path: &PathBuf| {
        let bytes = std::fs::read(config.base.join(path)).inspect_err(|error| tracing::warn!(%error, "the logo cannot be read"));
        Some((bytes.ok()?, path.extension().is_some_and(|extension| extension == "svg")))
    };
    BrandSettings {
        name: settings.name.clone(),
        logo: settings.logo.as_ref().and_then(read),
        color: settings.color.clone(),
        color_dark: settings.color_dark.clone(),
    }
}

/// How the configuration wants the server.
#[must_use]
pub fn server_options(config: &Config) -> ServerOptions {
    let server = &config.file.server;
    ServerOptions { workers: server.workers, request_timeout: server.request_timeout.0, shutdown_grace: server.shutdown_grace.0 }
}
