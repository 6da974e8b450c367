//! The command line of people who want roles: the built binary, with the AWS CLI and boto3 using what it writes and serves.
//!
//! What a gateway seldom does on purpose (to fail, to lie, to end a session) is played by a double, which says so in its name.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a failed step is a failed test")]

mod agent;
mod configure;
mod double;
mod handbook;
mod hurried;
mod issue;
mod login;
mod person;
mod real;

#[path = "../support/mod.rs"]
mod support;
