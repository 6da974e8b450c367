//! What spans for traces are told apart by: a target of their own, which the log does not have unless it is asked for everything.
//!
//! They are named and described by OpenTelemetry's semantic conventions, with nothing personal in them: which page and which AWS operation, never
//! whose.

/// The target of every span that is meant for traces.
pub(crate) const TARGET: &str = "rolegate::spans";
