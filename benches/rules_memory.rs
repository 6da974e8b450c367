//! What the rules of a large organisation cost in memory, as the operating system counts it: resident pages after compiling less those
//! before, with the allocator of the product. Pages that the allocator keeps for later count too.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench that cannot be set up must stop, and prints"
)]

#[path = "rules/organisation.rs"]
mod organisation;

use std::time::Instant;

use mimalloc::MiMalloc;
use organisation::{Kind, Organisation};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const RULES: usize = 100_000;
/// More than this for each rule is too much, in bytes.
const MOST: usize = 1024;

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

fn main() {
    let organisation = Organisation::of(Kind::Mixed, RULES);
    // What all policies share, such as the library of conditions, is there before.
    drop(Organisation::of(Kind::Mixed, 100).compile());
    let (before, start) = (resident(), Instant::now());
    let policy = organisation.compile();
    let (took, each) = (start.elapsed(), (resident() - before) / RULES);
    println!("rules/memory: {RULES} rules in {} accounts: {each} bytes a rule, compiled in {took:?}", policy.accounts().len());
    assert!(each <= MOST, "{each} bytes a rule");
}
