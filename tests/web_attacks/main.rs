//! The attacks on the running product, over HTTP, by their ids. Each test first shows that the honest sibling works, then that the attack
//! fails for its reason and that nothing happened.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the helpers stand outside of test functions"
)]

mod catalogue;
mod cli;
mod command_line;
mod demands;
mod devices;
mod explain;
mod forms;
mod fresh_sign_in;
mod grants;
mod hygiene;
mod log;
mod login;
mod pages;
#[path = "../support/ports.rs"]
mod ports;
mod redis;
mod requests;
mod roles;
mod rooms;
mod rooms_bounds;
mod shared_limits;
mod world;
