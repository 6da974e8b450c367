//! Arguments to command to exit code; nothing else.

#[cfg(feature = "server")]
mod commands;
#[cfg(feature = "server")]
mod demo;

use std::process::ExitCode;

#[cfg(feature = "client")]
use clap::CommandFactory as _;
use clap::{Parser, Subcommand};

/// Pages are made of many small strings: measured a sixth cheaper than with the system's allocator.
#[cfg(feature = "server")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A federation gateway for AWS: sign in with your OpenID Connect or SAML identity provider, get the IAM roles that rules give you
#[derive(Parser)]
#[command(name = "rolegate", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[cfg(feature = "server")]
    #[command(flatten)]
    Server(commands::server::Command),
    #[cfg(feature = "client")]
    #[command(flatten)]
    Client(rolegate::client::Command),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        #[cfg(feature = "server")]
        Command::Server(command) => commands::server::run(command),
        #[cfg(feature = "client")]
        Command::Client(command) => rolegate::client::run(command, Arguments::command()),
    }
}
