//! Rolegate: a federation gateway for AWS.

pub mod access;
pub mod arn;
pub mod audit;
pub mod aws;
pub mod clock;
pub mod config;
pub mod gateway;
pub mod identity;
pub mod settings;
pub mod startup;
pub mod store;
pub mod trust;
pub mod web;
