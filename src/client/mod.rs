//! The command line of people who want roles: it signs in at a gateway, and hands what the gateway gives to programs of this machine.
//!
//! | module | does |
//! | --- | --- |
//! | `cli`, `handbook` | what can be typed; completions and manual pages |
//! | `show`, `issue`, `configure`, `agent` | the commands |
//! | `desk` | what they work with: a gateway, a session, and what was fetched before |
//! | `login` | the browser or a code |
//! | `api`, `loopback` | asks the gateway; is asked by this machine |
//! | `aws_files` | where AWS's programs keep what they are told, and how that is kept from a command |
//! | `keeper`, `cache`, `places`, `settings` | the session in the keyring, sealed credentials, the person's own files |
//! | `pick`, `target`, `gateway_url`, `trouble`, `voice` | which role is meant, what a role is, where a gateway can be, what went wrong, who is told |
//!
//! Of the rest of the crate it uses the names (`arn`), the formats of credentials (`aws::formats`), the clock, and what they stand on: the
//! gateway is asked over HTTP alone. docs/command-line.md is its reference.

mod agent;
mod api;
mod aws_files;
mod cache;
mod cli;
mod configure;
mod desk;
mod gateway_url;
mod handbook;
mod issue;
mod keeper;
mod login;
mod loopback;
mod pick;
mod places;
mod same_user;
mod settings;
mod show;
mod target;
mod trouble;
mod voice;

pub use cli::{Command, run};
