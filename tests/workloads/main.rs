//! Workloads: a platform's token for a role's credentials. The attacks by their ids, each beside its honest sibling, on the running product; the
//! platform forges what the tests script, and once more it is the certified `oidc-provider`.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "the helpers stand outside of test functions")]

#[expect(dead_code, reason = "the attacks on people's sign-ins need more of it")]
#[path = "../support/forging_idp.rs"]
mod forging_idp;
#[path = "../support/mod.rs"]
mod support;
#[expect(dead_code, reason = "the attacks on the pages need more of it")]
#[path = "../web_attacks/world.rs"]
mod world;

mod exchange;
mod platform;
mod real;
mod tokens;
mod uses;
