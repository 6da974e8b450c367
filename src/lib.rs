//! Rolegate: a federation gateway for AWS.

pub mod arn;
pub mod clock;
pub mod identity;
pub mod settings;
