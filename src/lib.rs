//! Rolegate: a federation gateway for AWS.
//!
//! People prove who they are to an identity provider they already have; rules turn their groups into IAM roles; Rolegate makes AWS
//! believe it, calls STS, and hands over a console sign-in URL or temporary credentials.
//!
//! A module imports only what stands above it in this list:
//!
//! | module | does |
//! | --- | --- |
//! | [`arn`], [`clock`], `cores`, `posting`, [`request_id`], [`settings`], `spans`, [`terminal`] | names, time, work on all cores, how others are posted to, ids of requests, configuration words and what may be written to a terminal; all others use them |
//! | [`saml`] | SAML 2.0 documents: screened, verified, read, written |
//! | [`identity`] | proves who is there, by any protocol, and afterwards speaks only `Identity` |
//! | [`access`] | which roles, under what limits, and why |
//! | [`trust`] | makes AWS believe it |
//! | [`iam`] | what IAM must be told for it, whether it was, and what ends sessions |
//! | [`aws`] | the STS operations, console sign-in, credential formats |
//! | [`store`], [`audit`] | remembers; records |
//! | [`alarm`] | tells others of recorded events at once, by webhooks |
//! | [`gateway`] | the product in a few verbs |
//! | [`web`] | HTTP in, HTTP out |
//! | [`client`] | the commands of people who want roles; it talks to a gateway by its API and shares with it the names and formats above |
//! | [`config`] | composes each module's settings into one checked configuration |
//! | [`sandbox`] | a make-believe identity provider and AWS for trials, on loopback only |

#[cfg(not(any(feature = "server", feature = "client")))]
compile_error!("choose at least one of the features `server` and `client`");

#[cfg(feature = "server")]
pub mod access;
#[cfg(feature = "server")]
pub mod alarm;
pub mod arn;
#[cfg(feature = "server")]
pub mod audit;
pub mod aws;
#[cfg(feature = "client")]
pub mod client;
pub mod clock;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod cores;
#[cfg(feature = "server")]
pub mod gateway;
#[cfg(feature = "server")]
pub mod iam;
#[cfg(feature = "server")]
pub mod identity;
#[cfg(feature = "server")]
pub mod lasting;
#[cfg(feature = "server")]
mod posting;
#[cfg(feature = "server")]
pub mod request_id;
#[cfg(feature = "server")]
pub mod saml;
#[cfg(feature = "server")]
pub mod sandbox;
pub mod settings;
#[cfg(feature = "server")]
mod spans;
#[cfg(feature = "server")]
pub mod startup;
#[cfg(feature = "server")]
pub mod store;
pub mod terminal;
#[cfg(feature = "server")]
pub mod trust;
#[cfg(feature = "server")]
pub mod web;
