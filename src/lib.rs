//! Rolegate: a federation gateway for AWS.

pub mod arn;
pub mod clock;
pub mod settings;
