//! Starts the real counterparts of the tests on loopback, each on a port of its own, and ends them by their own process ids.
//!
//! `make test` installs what is started here. What is missing fails the test: nothing is skipped.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(unused_imports, reason = "each test file uses its own part")]
#![allow(clippy::panic, clippy::expect_used, reason = "a counterpart that does not start must fail the test, with its output")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "chance is taken out of what was just counted")]

mod counterparts;
mod faults;
mod gateway;
mod plan;
mod ports;
mod process;
mod random;
mod sandbox;
mod simplesamlphp;
mod visitor;

pub(crate) use counterparts::{AwsCli, Moto, OidcOptions, OidcProvider, Redis, aws_cli, chromium, installed, node, python};
pub(crate) use faults::{Fault, FaultProxy, Faults};
pub(crate) use gateway::Gateway;
pub(crate) use plan::{PRODUCTION, Plan, ROLES, STAGING};
pub(crate) use ports::free_port;
pub(crate) use process::{Finished, Running, Scratch, repository, run};
pub(crate) use random::Random;
pub(crate) use sandbox::SandboxAws;
pub(crate) use simplesamlphp::{SamlOptions, SimpleSaml, make_key};
pub(crate) use visitor::{Page, Visitor};
