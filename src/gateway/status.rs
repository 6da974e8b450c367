//! How the gateway runs, for its administrators: read from what is known already, asking nobody but the store.

use std::sync::Arc;

use super::rooms::Administrator;
use super::{Gateway, Readiness, Reloads};
use crate::alarm::WebhookHealth;
use crate::aws::sts::EndpointHealth;
use crate::clock::Moment;
use crate::identity::{KeptDocument, Provider, ProviderHealth, ProviderId};
use crate::trust::SamlIssuer;
use crate::trust::keys::{KeyAge, PublishedKey};

/// How the gateway runs at a moment.
#[derive(Debug, Clone)]
pub struct Status {
    /// The moment.
    pub now: Moment,
    /// Store and trail.
    pub readiness: Readiness,
    /// The digest of the policy in force.
    pub policy: Arc<str>,
    /// How many rules it has, and how many accounts.
    pub sizes: (usize, usize),
    /// How it came into force, and what became of later ones.
    pub reloads: Arc<Reloads>,
    /// The identity providers and platforms.
    pub providers: Vec<ProviderStatus>,
    /// The keys of minted tokens.
    pub keys: Vec<PublishedKey>,
    /// Whether the key that signs is made at each start.
    pub ephemeral: bool,
    /// The certificates of ours in SAML towards AWS.
    pub certificates: Vec<OwnCertificate>,
    /// The endpoints of STS, for the partitions of the known accounts.
    pub endpoints: Vec<EndpointHealth>,
    /// How many answers belonged to no login that was begun in their browser.
    pub unsolicited: u64,
    /// How the webhooks do.
    pub webhooks: Vec<WebhookHealth>,
}

/// A provider or a platform.
#[derive(Debug, Clone)]
pub struct ProviderStatus {
    /// Its short name.
    pub id: String,
    /// The name that people see.
    pub name: String,
    /// Whether it speaks for workloads, and not for people.
    pub is_platform: bool,
    /// What it speaks, for people.
    pub protocol: &'static str,
    /// How it did lately.
    pub health: ProviderHealth,
    /// Its documents.
    pub documents: Vec<KeptDocument>,
}

/// A certificate of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCertificate {
    /// Its SHA-256.
    pub fingerprint: String,
    /// Its age; none for one towards a provider.
    pub age: KeyAge,
    /// Whom it is shown to.
    pub towards: Towards,
    /// When it ends.
    pub ends: Moment,
}

/// Whom a certificate of ours is shown to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Towards {
    /// AWS, by SAML.
    Aws,
    /// An identity provider, by SAML: its short name, and the one that people see.
    Provider(ProviderId, String),
    /// Whoever opens a page, by TLS.
    Browsers,
}

impl Gateway {
    /// How the gateway runs. One round trip to the store.
    pub async fn status(&self, _: Administrator<'_>) -> Status {
        self.status_with(self.readiness().await)
    }

    /// The same for monitors, which are told numbers and closed words of it and nothing else. Store and trail were asked before.
    #[must_use]
    pub fn status_with(&self, readiness: Readiness) -> Status {
        let (now, policy) = (self.now(), self.policy.load());
        let providers = self.providers.iter().map(|provider| ProviderStatus {
            id: provider.id().to_string(),
            name: provider.name().to_owned(),
            is_platform: false,
            protocol: if provider.as_saml().is_some() { "SAML 2.0" } else { "OpenID Connect" },
            health: provider.health(),
            documents: provider.documents(now),
        });
        let platforms = self.workload_providers.iter().map(|provider| ProviderStatus {
            id: provider.id().to_string(),
            name: provider.id().to_string(),
            is_platform: true,
            protocol: "tokens of workloads",
            health: provider.health(),
            documents: provider.documents(),
        });
        Status {
            now,
            readiness,
            policy: Arc::clone(policy.shared_digest()),
            sizes: (policy.rule_count(), policy.accounts().len()),
            reloads: self.reloads.load_full(),
            providers: providers.chain(platforms).collect(),
            keys: self.issuer.keys().to_vec(),
            ephemeral: self.issuer.is_ephemeral(),
            certificates: self.own_certificates(),
            endpoints: self.sts.endpoints(policy.partitions()),
            unsolicited: self.unsolicited.load(std::sync::atomic::Ordering::Relaxed),
            webhooks: self.alarms.health(),
        }
    }

    fn own_certificates(&self) -> Vec<OwnCertificate> {
        let towards_aws = self.issuer.saml().into_iter().flat_map(SamlIssuer::certificates).map(|(age, certificate)| OwnCertificate {
            fingerprint: certificate.fingerprint(),
            age: *age,
            towards: Towards::Aws,
            ends: certificate.not_after(),
        });
        let towards_providers = self.providers.iter().filter_map(Provider::as_saml).flat_map(|provider| {
            provider.own_certificates().into_iter().map(|(_, certificate)| OwnCertificate {
                fingerprint: certificate.fingerprint(),
                age: KeyAge::Active,
                towards: Towards::Provider(provider.id().clone(), provider.name().to_owned()),
                ends: certificate.not_after(),
            })
        });
        towards_aws.chain(towards_providers).collect()
    }
}
