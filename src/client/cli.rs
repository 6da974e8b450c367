//! The commands as they are typed.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use super::agent;
use super::configure;
use super::desk::{Common, Wish};
use super::login::Way;
use super::trouble::{Kind, Trouble};
use super::voice::Voice;
use super::{handbook, issue, show};
use crate::arn::Region;
use crate::aws::formats::Format;

/// The commands of people who want roles.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sign in at a gateway, in the browser or by a code
    Login(LoginArguments),
    /// End the session here and at the gateway, and forget what was kept
    Logout(OnlyCommon),
    /// Say who is signed in, and until when
    Whoami(OnlyCommon),
    /// List your roles
    Roles(RolesArguments),
    /// Print credentials as a `credential_process` does
    Credentials(CredentialsArguments),
    /// Print credentials as environment variables, to be evaluated by a shell
    Env(EnvArguments),
    /// Run a command with credentials in its environment, and in no other place
    Exec(ExecArguments),
    /// Print an address that signs in to the AWS console, or open it
    Console(ConsoleArguments),
    /// Write a profile for each of your roles into ~/.aws/config
    Configure(ConfigureArguments),
    /// Hand credentials to programs of this machine, and renew them, as a container's agent does
    Agent(AgentArguments),
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command into a folder
    Man {
        /// The folder
        #[arg(long)]
        folder: Option<PathBuf>,
    },
}

/// A command with nothing of its own.
#[derive(Debug, Args)]
pub struct OnlyCommon {
    #[command(flatten)]
    pub(super) common: Common,
}

/// `rolegate login`.
#[derive(Debug, Args)]
pub struct LoginArguments {
    #[command(flatten)]
    pub(super) way: Way,
    #[command(flatten)]
    pub(super) common: Common,
}

/// `rolegate roles`.
#[derive(Debug, Args)]
pub struct RolesArguments {
    /// Words that must all be found in the account's name, id, unit or tags, or in the role's name
    pub(super) filter: Vec<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

/// A role, and how its credentials are wanted.
#[derive(Debug, Args)]
pub(super) struct RoleArguments {
    /// The role: its ARN, ACCOUNT/ROLE, an alias of client.toml, or a part that only one role has
    pub(super) role: String,
    #[command(flatten)]
    pub(super) wish: Wish,
    #[command(flatten)]
    pub(super) common: Common,
}

/// `rolegate credentials`.
#[derive(Debug, Args)]
pub struct CredentialsArguments {
    #[command(flatten)]
    pub(super) role: RoleArguments,
}

/// `rolegate env`.
#[derive(Debug, Args)]
pub struct EnvArguments {
    #[command(flatten)]
    pub(super) role: RoleArguments,
    /// The shell that is to understand it (the one that SHELL names)
    #[arg(long, value_enum)]
    pub(super) shell: Option<Shell>,
    /// Also set the region
    #[arg(long)]
    pub(super) region: Option<Region>,
}

/// `rolegate exec`.
#[derive(Debug, Args)]
pub struct ExecArguments {
    #[command(flatten)]
    pub(super) role: RoleArguments,
    /// Also set the region
    #[arg(long)]
    pub(super) region: Option<Region>,
    /// The command, after --
    #[arg(last = true, required = true)]
    pub(super) command: Vec<std::ffi::OsString>,
}

/// `rolegate console`.
#[derive(Debug, Args)]
pub struct ConsoleArguments {
    #[command(flatten)]
    pub(super) role: RoleArguments,
    /// The service or the page that opens, as s3 or an address of the console
    #[arg(long)]
    pub(super) destination: Option<String>,
    /// Open it in the browser instead of printing it
    #[arg(long)]
    pub(super) open: bool,
}

/// `rolegate configure`.
#[derive(Debug, Args)]
pub struct ConfigureArguments {
    /// Words that must all be found in a role, as for `rolegate roles`
    #[arg(long, value_name = "WORDS")]
    pub(super) filter: Option<String>,
    /// How profiles are named; `{account}`, `{account_id}` and `{role}` stand for themselves (`{account}-{role}`)
    #[arg(long, value_name = "TEMPLATE")]
    pub(super) name: Option<String>,
    /// The region of each profile
    #[arg(long)]
    pub(super) region: Option<Region>,
    /// Take the block of this gateway out again
    #[arg(long)]
    pub(super) remove: bool,
    /// Write without asking
    #[arg(long, short)]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// `rolegate agent`.
#[derive(Debug, Args)]
pub struct AgentArguments {
    #[command(flatten)]
    pub(super) role: RoleArguments,
    /// Where to listen: 127.0.0.1 or `[::1]`, and a port
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    pub(super) listen: std::net::SocketAddr,
    /// Write the token into a file that only you may read, instead of printing it
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// The shell that is to understand what is printed (the one that SHELL names)
    #[arg(long, value_enum)]
    pub(super) shell: Option<Shell>,
    /// Also set the region, where a command is run
    #[arg(long)]
    pub(super) region: Option<Region>,
    /// A command to run with the agent, after --; the agent ends with it
    #[arg(last = true)]
    pub(super) command: Vec<std::ffi::OsString>,
}

/// A shell that evaluates environment variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    /// bash, or any POSIX shell
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
    /// PowerShell
    Powershell,
    /// The Windows command prompt
    Cmd,
}

impl Shell {
    /// The shell that was named, or the one that the person uses, or a POSIX shell.
    pub(super) fn or_usual(named: Option<Self>) -> Self {
        let usual = || {
            let path = std::env::var("SHELL").unwrap_or_default();
            path.rsplit('/').next().and_then(|name| Self::from_str(if name == "pwsh" { "powershell" } else { name }, false).ok())
        };
        named.or_else(usual).unwrap_or(Self::Bash)
    }

    pub(super) const fn format(self) -> Format {
        match self {
            Self::Bash | Self::Zsh => Format::Bash,
            Self::Fish => Format::Fish,
            Self::Powershell => Format::PowerShell,
            Self::Cmd => Format::Cmd,
        }
    }
}

/// How a command ended.
pub(super) type Ended = Result<ExitCode, Trouble>;

/// Runs a command to its end.
#[must_use]
pub fn run(command: Command, whole: clap::Command) -> ExitCode {
    match command {
        Command::Login(arguments) => told(arguments.common.voice, show::login(&arguments)),
        Command::Logout(arguments) => told(arguments.common.voice, show::logout(&arguments.common)),
        Command::Whoami(arguments) => told(arguments.common.voice, show::whoami(&arguments.common)),
        Command::Roles(arguments) => told(arguments.common.voice, show::roles(&arguments)),
        Command::Credentials(arguments) => told(arguments.role.common.voice, issue::credentials(&arguments.role)),
        Command::Env(arguments) => told(arguments.role.common.voice, issue::env(&arguments)),
        Command::Exec(arguments) => told_by_runner(arguments.role.common.voice, issue::exec(&arguments)),
        Command::Console(arguments) => told(arguments.role.common.voice, issue::console(&arguments)),
        Command::Configure(arguments) => told(arguments.common.voice, configure::run(&arguments)),
        Command::Agent(arguments) if arguments.command.is_empty() => told(arguments.role.common.voice, agent::serve(&arguments)),
        Command::Agent(arguments) => told_by_runner(arguments.role.common.voice, agent::run(&arguments)),
        Command::Completions { shell } => told(Voice::default(), handbook::completions(shell, whole)),
        Command::Man { folder } => told(Voice::default(), handbook::man(folder.as_deref(), whole)),
    }
}

fn told(voice: Voice, ended: Ended) -> ExitCode {
    ended.unwrap_or_else(|trouble| {
        voice.error(&trouble);
        trouble.exit_code()
    })
}

/// The same where the exit code is that of another program: our own failures have one that such programs seldom use (as `env` and `timeout`).
fn told_by_runner(voice: Voice, ended: Ended) -> ExitCode {
    ended.unwrap_or_else(|trouble| {
        voice.error(&trouble);
        ExitCode::from(match trouble.kind {
            Kind::NotFound => 127,
            Kind::NotRunnable => 126,
            _ => 125,
        })
    })
}
