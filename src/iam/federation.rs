//! How Rolegate proves people to AWS, as far as IAM must know of it.

use std::collections::BTreeMap;

use crate::access::Account;
use crate::identity::ProviderId;
use crate::trust::{Issuer, SamlIssuer};

/// Everything beside the rules that IAM's half follows from.
#[derive(Debug)]
pub struct Federation<'a> {
    /// What mints tokens and SAML responses.
    pub issuer: &'a Issuer,
    /// The identity providers of people and of workloads, in the order of the configuration.
    pub upstreams: Vec<Upstream>,
    /// The ARNs of the AWS identity that Rolegate runs under, if they are told.
    pub identities: Vec<String>,
    /// Principals that may take roles beside Rolegate, where whoever asks says so; `*` stands for any rest.
    pub also: Vec<String>,
    /// The ids of the access keys of IAM users, by the id under which Rolegate holds them.
    pub access_keys: BTreeMap<String, String>,
}

/// An identity provider, whose own proofs may be passed on where it is people's.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Its id.
    pub id: ProviderId,
    /// By which protocol.
    pub kind: UpstreamKind,
}

/// What IAM must know of a provider whose proofs are passed on.
#[derive(Debug, Clone)]
pub enum UpstreamKind {
    /// ID tokens of these issuers, several where each tenant has one.
    Oidc {
        /// The issuers.
        issuers: Vec<String>,
        /// Rolegate's client id there: the tokens' audience.
        client_id: String,
    },
    /// ID tokens of workloads, which are never passed on.
    Workload,
    /// SAML responses.
    Saml {
        /// The Recipient that they have for AWS; none if they are not for AWS.
        recipient: Option<String>,
        /// The provider's entity ID, if the configuration tells it.
        entity_id: Option<String>,
        /// Where its metadata is.
        metadata: String,
    },
}

impl Federation<'_> {
    /// Providers of these ids, or all.
    pub(super) fn upstreams_of<'s>(&'s self, ids: &'s [ProviderId]) -> impl Iterator<Item = &'s Upstream> {
        self.upstreams.iter().filter(move |upstream| ids.is_empty() || ids.contains(&upstream.id))
    }

    /// The platforms of workloads.
    pub(super) fn workloads(&self) -> impl Iterator<Item = &ProviderId> {
        self.upstreams.iter().filter(|upstream| upstream.is_for_workloads()).map(|upstream| &upstream.id)
    }

    /// IAM's name of the provider for minted tokens in an account.
    pub(super) fn minted_provider(&self, account: &Account) -> String {
        oidc_provider_arn(account, self.issuer.url())
    }

    /// IAM's name of the provider for minted SAML responses in an account; none without SAML.
    pub(super) fn saml_provider(&self, account: &Account) -> Option<String> {
        self.issuer.saml().and_then(|saml| saml.provider(account).ok()).map(|arn| arn.to_string())
    }

    /// The values of `saml:aud` that minted responses have in an account.
    pub(super) fn saml_audiences(&self, account: &Account) -> Vec<String> {
        let endpoints = self.issuer.saml().map(|saml: &SamlIssuer| saml.endpoints(account));
        endpoints.unwrap_or_default().into_iter().map(|endpoint| endpoint.url).collect()
    }
}

impl Upstream {
    /// Whether it vouches for workloads, and not for people.
    pub(super) const fn is_for_workloads(&self) -> bool {
        matches!(self.kind, UpstreamKind::Workload)
    }
}

/// What IAM calls an issuer: its URL without the scheme. ARNs end with it, and condition keys begin with it.
pub(super) fn bare(issuer: &str) -> &str {
    issuer.split_once("://").map_or(issuer, |(_, rest)| rest)
}

/// Google's issuer is built into AWS: it needs no provider, and is a principal by its own name (IAM User Guide, "OIDC federation").
const BUILT_IN: &str = "accounts.google.com";

/// Whether AWS knows an issuer without a provider in IAM.
pub(super) fn is_built_in(issuer: &str) -> bool {
    bare(issuer) == BUILT_IN
}

/// IAM's name of the OpenID Connect provider of an issuer.
pub(super) fn oidc_provider_arn(account: &Account, issuer: &str) -> String {
    format!("arn:{}:iam::{}:oidc-provider/{}", account.partition, account.id, bare(issuer))
}

/// What a trust policy names as principal for tokens of an issuer.
pub(super) fn oidc_principal(account: &Account, issuer: &str) -> String {
    if is_built_in(issuer) { BUILT_IN.to_owned() } else { oidc_provider_arn(account, issuer) }
}

/// IAM's name of a SAML provider.
pub(super) fn saml_provider_arn(account: &Account, name: &str) -> String {
    format!("arn:{}:iam::{}:saml-provider/{name}", account.partition, account.id)
}
