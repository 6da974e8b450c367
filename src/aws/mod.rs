//! AWS itself: the STS operations, the organization's accounts, an account's IAM, the console sign-in, and the formats that credentials are handed over in.

#[cfg(feature = "server")]
pub mod console;
#[cfg(feature = "server")]
mod credentials;
mod explanation;
pub mod formats;
#[cfg(feature = "server")]
mod http;
#[cfg(feature = "server")]
pub mod iam;
#[cfg(feature = "server")]
pub mod organization;
#[cfg(feature = "server")]
#[cfg(test)]
mod scripted_http;
#[cfg(feature = "server")]
mod settings;
#[cfg(feature = "server")]
pub mod sts;

#[cfg(feature = "server")]
pub use credentials::Credentials;
#[cfg(feature = "server")]
pub(crate) use credentials::SealableCredentials;
pub use explanation::{Explanation, Mender};
#[cfg(feature = "server")]
pub use settings::AwsSettings;
