//! Composes each module's settings into one checked configuration.
//!
//! Each module owns its settings type; here they become one TOML file. Everything that is wrong with a file is reported at once, each
//! finding with its line and what to do about it. A secret never stands in the file: it holds references only.

mod checks;
mod document;
mod findings;
mod log;
mod metrics;
mod pieces;
mod places;
mod reload;
mod schema;
mod server;
mod stamp;
mod traces;
mod urls;
mod wording;
mod workloads;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use schemars::JsonSchema;
use serde::Deserialize;

pub use findings::{Finding, Findings, Severity};
pub use log::LogSettings;
pub use metrics::MetricsSettings;
pub use schema::schema;
pub use server::{BrandSettings, HelpSettings, PortalSettings, ServerSettings};
pub use stamp::{Stamp, Watch};
pub use traces::{TracesSettings, TracesTarget};

use crate::access::{
    AccountSettings, GroupIds, GroupNames, GroupSettings, IamUserSettings, NamingSettings, Policy, RuleSettings, TestSettings,
    with_discovered,
};
use crate::alarm::WebhookSettings;
use crate::audit::AuditSettings;
use crate::aws::AwsSettings;
use crate::aws::organization::{self, OrganizationSettings};
use crate::gateway::CommandLineSettings;
use crate::identity::{ProviderSettings, SamlProviderSettings, WorkloadProviderSettings};
use crate::settings::{Problem, read_file, text};
use crate::store::{SessionSettings, StoreSettings};
use crate::trust::TrustSettings;
use places::Places;

/// The largest configuration, in bytes: two hundred thousand rules. What is larger is no configuration.
const LARGEST_CONFIGURATION: u64 = 64 * 1024 * 1024;

/// The whole configuration as its author writes it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Rolegate configuration")]
pub struct ConfigFile {
    /// The URL under which browsers reach Rolegate, without a path: `https://roles.example.org`. Plain http is for loopback hosts only.
    pub public_url: String,
    /// The HTTP server.
    #[serde(default)]
    pub server: ServerSettings,
    /// Where monitors get numbers; nowhere without this table.
    #[serde(default)]
    pub metrics: Option<MetricsSettings>,
    /// What is written to the log.
    #[serde(default)]
    pub log: LogSettings,
    /// Where traces go; nowhere without this table.
    #[serde(default)]
    pub traces: Option<TracesSettings>,
    /// Where sessions are kept.
    #[serde(default)]
    pub store: StoreSettings,
    /// How long people stay signed in to Rolegate.
    #[serde(default)]
    pub session: SessionSettings,
    /// Whether and for how long command lines may act for people.
    #[serde(default)]
    pub command_line: CommandLineSettings,
    /// Where the audit trail is written.
    #[serde(default)]
    pub audit: AuditSettings,
    /// Who is told of emergencies and requests at once.
    #[serde(default)]
    pub webhook: Vec<WebhookSettings>,
    /// The tokens that AWS is shown.
    #[serde(default)]
    pub trust: TrustSettings,
    /// How AWS is reached.
    #[serde(default)]
    pub aws: AwsSettings,
    /// Whether accounts are discovered through AWS Organizations.
    #[serde(default)]
    pub organization: OrganizationSettings,
    /// How the names of groups are compared.
    #[serde(default)]
    pub group_names: GroupNames,
    /// Readable names for groups, by alias: rules say `admins` and mean the id that the provider sends.
    #[serde(default)]
    pub groups: BTreeMap<String, GroupIds>,
    /// How people are named in AWS sessions.
    #[serde(default)]
    pub naming: NamingSettings,
    /// What people are told when they are stuck.
    #[serde(default)]
    pub help: HelpSettings,
    /// What the pages offer.
    #[serde(default)]
    pub portal: PortalSettings,
    /// The identity providers that people sign in with by OpenID Connect; at least one of these or of `saml_provider`.
    #[serde(default)]
    pub provider: Vec<ProviderSettings>,
    /// The identity providers that people sign in with by SAML 2.0.
    #[serde(default)]
    pub saml_provider: Vec<SamlProviderSettings>,
    /// The platforms whose workloads get credentials for an ID token of theirs.
    #[serde(default)]
    pub workload_provider: Vec<WorkloadProviderSettings>,
    /// The AWS accounts that rules may grant roles in.
    #[serde(default)]
    pub account: Vec<AccountSettings>,
    /// IAM users whose access keys Rolegate holds, for what needs one: sessions without a role, and AWS's own MFA.
    #[serde(default)]
    pub iam_user: Vec<IamUserSettings>,
    /// The rules: who gets which roles.
    #[serde(default)]
    pub rule: Vec<RuleSettings>,
    /// Tests of the rules: a person, and the roles that they must have.
    #[serde(default)]
    pub test: Vec<TestSettings>,
}

/// A configuration without a known error, which still knows the lines that it came from.
#[derive(Debug, Clone)]
pub struct Config {
    /// What the file says. `public_url` is an origin in its normal form: lower case, no default port, no slash at the end.
    pub file: Arc<ConfigFile>,
    /// The folder that relative paths in the file start at.
    pub base: PathBuf,
    /// What is allowed, but deserves a second look.
    pub warnings: Findings,
    /// Where it was read from; none for a text that was in no file.
    pub origin: Option<Origin>,
    /// The accounts that AWS Organizations knows, or knew when a policy with them was last in force; none unless the file asks for them.
    pub discovered: Option<Arc<organization::Copy>>,
    name: String,
    places: Places,
    /// What its rules were compiled into.
    policy: OnceLock<Arc<Policy>>,
}

/// The files that a configuration was read from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The configuration file.
    pub path: PathBuf,
    /// It and those that its rules are made from.
    pub files: Vec<PathBuf>,
    /// How they looked before they were read.
    pub stamp: Stamp,
}

impl ConfigFile {
    /// How groups are named in rules.
    #[must_use]
    pub const fn group_settings(&self) -> GroupSettings<'_> {
        GroupSettings { names: self.group_names, aliases: Some(&self.groups) }
    }
}

impl Config {
    /// Every account that rules may grant roles in: those of the file, and those that were discovered.
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountSettings> {
        if !self.file.organization.enabled {
            return self.file.account.clone();
        }
        let discovered = self.discovered.as_ref().map(|copy| copy.accounts.as_slice());
        with_discovered(&self.file.account, discovered.unwrap_or_default())
    }

    /// The policy of these accounts and rules, which `compile` makes when it is asked for the first time.
    ///
    /// # Errors
    /// Those of `compile`.
    pub fn policy<E>(&self, compile: impl FnOnce() -> Result<Policy, E>) -> Result<Arc<Policy>, E> {
        if let Some(policy) = self.policy.get() {
            return Ok(Arc::clone(policy));
        }
        let policy = Arc::new(compile()?);
        Ok(Arc::clone(self.policy.get_or_init(|| policy)))
    }

    /// The issuer of minted tokens: `trust.issuer`, or else the public URL.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.file.trust.issuer.as_deref().unwrap_or(&self.file.public_url)
    }

    /// The line of the file that a path such as `provider[0].issuer` stands on; for what the file leaves out, the line of what it would
    /// belong to.
    #[must_use]
    pub fn line_of(&self, path: &str) -> usize {
        self.places.line_of(path)
    }

    /// Adds warnings that other modules found in this configuration.
    pub fn warn(&mut self, problems: Vec<Problem>) {
        self.warnings.extend(locate(problems, Severity::Warning, &self.name, &self.places));
    }

    /// Forgets which lines were looked up; they can be looked up again.
    pub fn forget_places(&mut self) {
        self.places.forget();
    }

    /// Turns problems that other modules found in this configuration into findings with lines.
    #[must_use]
    pub fn locate(&self, problems: Vec<Problem>) -> Findings {
        locate(problems, Severity::Error, &self.name, &self.places).into_iter().collect()
    }
}

/// Reads and checks a configuration file.
///
/// # Errors
/// Everything that is wrong with it, in the order of its lines; one finding if it cannot be read at all.
pub fn load(path: &Path) -> Result<Config, Findings> {
    load_with(path, Discovered::Kept, |_| Vec::new())
}

/// Which accounts of the organization a configuration has that asks for them.
#[derive(Debug, Clone)]
pub enum Discovered {
    /// Those of the copy on disk.
    Kept,
    /// These, or none.
    These(Option<Arc<organization::Copy>>),
}

/// [`load`] with these accounts of the organization, and with what else somebody finds wrong reported in one go with the rest: see
/// [`parse_with`].
///
/// # Errors
/// As [`load`].
pub fn load_with(path: &Path, discovered: Discovered, more: impl FnOnce(&Config) -> Vec<Problem>) -> Result<Config, Findings> {
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    let unreadable =
        |wrong: String, hint: &str| Findings::from_iter([Finding::of_file(&name, format!("{} {wrong}", path.display()), hint)]);
    let before = Stamp::of([path]);
    let bytes = read_file(path, LARGEST_CONFIGURATION)
        .map_err(|error| unreadable(format!("cannot be read: {error}"), "check the path, and who may read the file"))?;
    let text = text(bytes).map_err(|(wrong, hint)| unreadable(wrong, hint))?;
    let reading = read(&text.into(), &name);
    let files = reading.file.iter().flat_map(|file| reload::rule_files_of(&file.rule, folder_of(path)));
    let files: Vec<_> = std::iter::once(path.to_owned()).chain(files).collect();
    let stamp = before.with(Stamp::of(files.iter().skip(1)));
    let config = check(reading, name, folder_of(path), discovered, more)?;
    Ok(Config { origin: Some(Origin { path: path.to_owned(), files, stamp }), ..config })
}

/// A configuration file and those that its rules are made from, as far as they can be told from a file that may be wrong.
#[must_use]
pub fn files(path: &Path) -> Vec<PathBuf> {
    let text = read_file(path, LARGEST_CONFIGURATION).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    std::iter::once(path.to_owned()).chain(reload::rule_files(&text, folder_of(path))).collect()
}

/// The folder that relative paths start at; a bare file name stands in the current one.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Checks the text of a configuration file. `name` stands in findings; relative paths start at `base`.
///
/// # Errors
/// Everything that is wrong with it, in the order of its lines.
pub fn parse(text: &str, name: &str, base: &Path) -> Result<Config, Findings> {
    parse_with(text, name, base, |_| Vec::new())
}

/// [`parse`], with what `more` finds wrong reported in one go with the rest.
///
/// `more` sees a configuration that may still have errors and lack what could not be read: it may look, and must not act on it. It is not
/// asked when an account or a provider could not be read, because every rule that names it would be blamed.
///
/// # Errors
/// As [`parse`].
pub fn parse_with(text: &str, name: &str, base: &Path, more: impl FnOnce(&Config) -> Vec<Problem>) -> Result<Config, Findings> {
    check(read(&text.into(), name), name.to_owned(), base, Discovered::Kept, more)
}

/// What came of reading a text.
struct Reading {
    /// What it says; with findings beside it, parts of it are missing or made up. None if it is beyond repair.
    file: Option<ConfigFile>,
    places: Places,
    findings: Vec<Finding>,
}

fn read(text: &Arc<str>, name: &str) -> Reading {
    pieces::read(text, name).unwrap_or_else(|| {
        let document::Reading { value, places, findings } = document::read(text, name);
        Reading { file: value, places: Places::whole(text, places), findings }
    })
}

fn check(
    reading: Reading,
    name: String,
    base: &Path,
    discovered: Discovered,
    more: impl FnOnce(&Config) -> Vec<Problem>,
) -> Result<Config, Findings> {
    let Reading { file, places, mut findings } = reading;
    let Some(mut file) = file else { return Err(findings.into_iter().collect()) };
    let mut problems = Vec::new();
    checks::check(&mut file, &places, base, &mut problems);
    let mut second_looks = checks::second_looks(&file, base);
    let discovered = match discovered {
        _ if !file.organization.enabled => None,
        Discovered::These(copy) => copy,
        Discovered::Kept => checks::kept(&file.organization, base, &mut second_looks).map(Arc::new),
    };
    let warnings = locate(second_looks, Severity::Warning, &name, &places).into_iter().collect();
    let (file, base, policy) = (Arc::new(file), base.to_path_buf(), OnceLock::new());
    let config = Config { file, base, warnings, origin: None, discovered, name, places, policy };
    if ["account", "provider", "workload_provider"].iter().all(|path| config.places.is_whole(path)) {
        let news = more(&config);
        let told: HashSet<_> = problems.iter().flat_map(|problem| ways_to(&problem.path)).collect();
        let news: Vec<_> = news.into_iter().filter(|new| !told.contains(new.path.as_str())).collect();
        problems.extend(news);
    }
    findings.extend(locate(problems, Severity::Error, &config.name, &config.places));
    if findings.is_empty() {
        return Ok(config);
    }
    findings.extend(config.warnings);
    Err(findings.into_iter().collect())
}

/// A path, and every path that leads there: what is wrong inside has been told more exactly than what is wrong around it.
fn ways_to(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices(['.', '[']).filter_map(|(end, _)| path.get(..end)).chain([path])
}

/// Gives problems their lines. What follows only from an error that is already reported is left out.
fn locate(problems: Vec<Problem>, severity: Severity, name: &str, places: &Places) -> Vec<Finding> {
    problems
        .into_iter()
        .filter(|problem| !places.is_spoilt(&problem.path))
        .map(|problem| Finding {
            file: name.to_owned(),
            line: places.line_of(&problem.path),
            column: None,
            severity,
            message: problem.message,
            hint: problem.hint,
        })
        .collect()
}
