//! The gateway's commands: which there are, and what each is run by.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use rolegate::config;
use rolegate::startup::{self, RunError, Stopping};
use rolegate::terminal::harmless;
use rolegate::trust::{SigningAlgorithm, keys};
use secrecy::ExposeSecret;

use super::audit::{self, AuditCommand};
use super::aws::{self, AwsCommand};
use super::{Stopped, check, diff, doctor, explain, test};
use crate::demo;

/// The configuration has findings.
const FINDINGS: u8 = 2;

/// The commands of those who run a gateway.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the gateway
    Serve {
        /// The configuration file
        #[arg(long, env = "ROLEGATE_CONFIG")]
        config: PathBuf,
    },
    /// Check a configuration without starting anything; exit code 2 if something must be mended
    Check {
        /// Let warnings count as errors, for a pipeline
        #[arg(long)]
        deny_warnings: bool,
        /// Print the findings as JSON
        #[arg(long)]
        json: bool,
        /// The configuration file
        #[arg(long, env = "ROLEGATE_CONFIG")]
        config: PathBuf,
    },
    /// Look from here at all that a gateway depends on: clock, store, audit trail, providers, AWS; exit code 1 if something is to mend
    Doctor {
        /// Print what was found as JSON
        #[arg(long)]
        json: bool,
        /// The configuration file
        #[arg(long, env = "ROLEGATE_CONFIG")]
        config: PathBuf,
    },
    /// Try everything on this machine, with a make-believe identity provider and a make-believe AWS
    Demo {
        /// Lift the limits on how much one address and one person may ask for: measurements play many people by few names
        #[arg(long)]
        without_limits: bool,
    },
    /// Run the rules' own tests, the [[test]] sections of a configuration
    Test {
        /// The configuration file
        #[arg(long, env = "ROLEGATE_CONFIG")]
        config: PathBuf,
        /// Run them again whenever the file changes
        #[arg(long)]
        watch: bool,
    },
    /// Say which roles a person gets, and why; or what is missing for a role (exit code 1)
    Explain(explain::Arguments),
    /// Say who gains and who loses which role when one configuration replaces another
    Diff(diff::Arguments),
    /// Plan and verify what IAM must know, and revoke sessions: it prints, and changes nothing in AWS
    Aws {
        #[command(subcommand)]
        command: AwsCommand,
    },
    /// Verify the audit trail
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Print the JSON Schema of the configuration, for editors
    Schema,
    /// Work with the keys that sign for AWS
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Print the metadata that others are to know Rolegate by
    Metadata {
        #[command(subcommand)]
        command: MetadataCommand,
    },
}

#[derive(Subcommand)]
pub(crate) enum MetadataCommand {
    /// As SAML identity provider: what IAM's SAML provider is made from
    Idp {
        /// The configuration file
        #[arg(long, env = "ROLEGATE_CONFIG")]
        config: PathBuf,
    },
    /// Print Rolegate's metadata as service provider, for a SAML identity provider's administrator
    Sp {
        /// The provider's id in the configuration
        #[arg(long)]
        provider: String,
        /// The configuration file
        #[arg(long, env = "ROLEGATE_CONFIG")]
        config: PathBuf,
    },
}

#[derive(Subcommand)]
pub(crate) enum KeysCommand {
    /// Print a new private key (PKCS#8 PEM)
    New {
        /// The signature algorithm
        #[arg(long, value_enum, default_value = "ES256")]
        algorithm: SigningAlgorithm,
    },
}

/// Runs a command of the gateway's to its end.
pub(crate) fn run(command: Command) -> ExitCode {
    match command {
        Command::Check { config, deny_warnings, json } => answer(check::run(&config, deny_warnings, json)),
        Command::Doctor { json, config } => answer(doctor::run(&config, json)),
        Command::Serve { config } => start(serve(&config)),
        Command::Metadata { command: MetadataCommand::Idp { config } } => idp_metadata(&config),
        Command::Demo { without_limits } => start(demo::run(without_limits)),
        Command::Test { config, watch } => answer(test::run(&config, watch)),
        Command::Explain(arguments) => answer(explain::run(&arguments)),
        Command::Diff(arguments) => answer(diff::run(&arguments)),
        Command::Aws { command } => answer(aws::run(&command)),
        Command::Audit { command } => answer(audit::run(&command)),
        Command::Schema => print(&config::schema()),
        Command::Metadata { command: MetadataCommand::Sp { provider, config } } => sp_metadata(&config, &provider),
        Command::Keys { command: KeysCommand::New { algorithm } } => match keys::generate(algorithm) {
            Ok(pem) => print(pem.expose_secret()),
            Err(error) => fail(&error.to_string(), 1),
        },
    }
}

/// Writes a command's result. Who reads no further, as `head` does, has what it wanted.
fn print(text: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

#[expect(clippy::print_stderr, reason = "a command's errors go to stderr")]
fn fail(text: &str, code: u8) -> ExitCode {
    eprintln!("{}", harmless(text));
    ExitCode::from(code)
}

fn answer(outcome: Result<(), Stopped>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stopped::Unusable(text)) if text.is_empty() => ExitCode::from(FINDINGS),
        Err(Stopped::Unusable(text)) => fail(&text, FINDINGS),
        Err(Stopped::No(text)) if text.is_empty() => ExitCode::FAILURE,
        Err(Stopped::No(text)) => fail(&text, 1),
    }
}

fn idp_metadata(path: &std::path::Path) -> ExitCode {
    let made = startup::load(path).and_then(|config| startup::idp_metadata(&config));
    match made {
        Ok(metadata) => print(&metadata),
        Err(findings) => fail(&findings.to_string(), FINDINGS),
    }
}

fn sp_metadata(path: &std::path::Path, provider: &str) -> ExitCode {
    match config::load(path).and_then(|config| startup::sp_metadata(&config, provider)) {
        Err(findings) => fail(&findings.to_string(), FINDINGS),
        Ok(None) => fail(&format!("{}: there is no saml_provider with the id `{provider}`", path.display()), FINDINGS),
        Ok(Some(metadata)) => print(&metadata),
    }
}

/// Runs a long-lived command to its end.
fn start(command: impl Future<Output = Result<(), RunError>>) -> ExitCode {
    // Before there are threads, whose first allocations count already.
    without_huge_pages();
    without_core_dumps();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime.map_err(RunError::from).and_then(|runtime| runtime.block_on(command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(RunError::Findings(findings)) => fail(&findings.to_string(), FINDINGS),
        Err(error) => fail(&error.to_string(), 1),
    }
}

/// Asks the system for small pages. mimalloc asks for transparent huge pages, of which an idle gateway touches a little each: measured 42 MiB
/// resident with them and 32 MiB without (release build, `scripts/measure.py`).
#[cfg(target_os = "linux")]
fn without_huge_pages() {
    // An older kernel, or a sandbox that forbids it, costs memory and nothing else.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Keys, tokens and credentials are in the memory of the process: a crash must not write them to a disk.
fn without_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // To lower a limit is allowed to everybody.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // A system that hands dumps to a program does not ask for the limit. And nobody of the same user looks into the memory.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Only Linux has transparent huge pages.
#[cfg(not(target_os = "linux"))]
const fn without_huge_pages() {}

async fn serve(path: &std::path::Path) -> Result<(), RunError> {
    let config = startup::load(path)?;
    let _log = startup::log::begin(&config);
    for warning in &config.warnings {
        tracing::warn!(line = warning.line, hint = warning.hint, "{}", warning.message);
    }
    let listener = startup::listen(&config)?;
    let address = listener.local_addr()?;
    let scheme = if config.file.server.tls.is_some() { "https" } else { "http" };
    startup::run(
        &config,
        listener,
        None,
        |_| {
            let ready = format!("ready {scheme}://{address}");
            if config.file.audit.is_on_stdout() {
                // There are lines of JSON alone. Who does not read it has the log.
                drop(writeln!(std::io::stderr(), "{ready}"));
            } else {
                print(&ready);
            }
        },
        stop_signal,
    )
    .await
}

/// Done when the process is asked to stop.
pub(crate) async fn stop_signal() -> Stopping {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return Stopping::AtOnce };
    tokio::select! {
        _ = terminate.recv() => Stopping::Announced,
        _ = tokio::signal::ctrl_c() => Stopping::AtOnce,
    }
}
