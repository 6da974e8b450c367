//! Rolegate: a federation gateway for AWS.
//!
//! People prove who they are to an identity provider they already have; rules turn their groups into IAM roles; Rolegate makes AWS
//! believe it, calls STS, and hands over a console sign-in URL or temporary credentials.
//!
//! A module imports only what stands above it in this list:
//!
//! | module | does |
//! | --- | --- |
//! | [`arn`], [`clock`], [`cores`], [`settings`] | names, time, work on all cores, and configuration words that all others use |
//! | [`saml`] | SAML 2.0 documents: screened, verified, read, written |
//! | [`identity`] | proves who is there, by any protocol, and afterwards speaks only `Identity` |
//! | [`access`] | which roles, under what limits, and why |
//! | [`trust`] | makes AWS believe it |
//! | [`iam`] | what IAM must be told for it, whether it was, and what ends sessions |
//! | [`aws`] | the STS operations, console sign-in, credential formats |
//! | [`store`], [`audit`] | remembers; records |
//! | [`gateway`] | the product in a few verbs |
//! | [`web`] | HTTP in, HTTP out |
//! | [`config`] | composes each module's settings into one checked configuration |
//! | [`sandbox`] | a make-believe identity provider and AWS for trials, on loopback only |

pub mod access;
pub mod arn;
pub mod audit;
pub mod aws;
pub mod clock;
pub mod config;
pub mod cores;
pub mod gateway;
pub mod iam;
pub mod identity;
pub mod saml;
pub mod sandbox;
pub mod settings;
pub mod startup;
pub mod store;
pub mod trust;
pub mod web;
