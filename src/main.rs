//! Rolegate.
fn main() {}
