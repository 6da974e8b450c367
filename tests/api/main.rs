//! The JSON API of the running product: what it answers, what it refuses and how, and that its document tells the truth.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "the helpers stand outside of test functions")]

#[expect(dead_code, reason = "the attacks on the pages need more of it")]
#[path = "../web_attacks/world.rs"]
mod world;

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod client;
mod cookies;
mod document;
mod foreign;
mod lengths;
mod problems;
mod reuse;
mod sessions;
