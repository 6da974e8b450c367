//! What rules may look at about somebody, whether a provider vouches for them or they are only supposed to exist.

use super::{Elevation, Purposes};
use crate::identity::{Authentication, Claims, Identity, ProviderId, Supposed};

/// Somebody as the rules see them. It proves nothing: what is handed out needs an [`Identity`].
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    pub(super) provider: &'a ProviderId,
    pub(super) subject: &'a str,
    pub(super) username: &'a str,
    pub(super) groups: &'a [String],
    pub(super) claims: &'a Claims,
    pub(super) authentication: &'a Authentication,
    /// Whether it is a workload, which takes roles for purposes of its own.
    pub(super) workload: bool,
    /// What they were granted on request.
    pub(super) elevations: &'a [Elevation],
}

impl<'a> Person<'a> {
    /// The same person with these groups instead, if there are any.
    pub(super) fn with_groups(&self, groups: Option<&'a [String]>) -> Self {
        Self { groups: groups.unwrap_or(self.groups), ..*self }
    }

    /// The same person with what they were granted on request. What ended of it gives nothing.
    #[must_use]
    pub const fn with_elevations(self, elevations: &'a [Elevation]) -> Self {
        Self { elevations, ..self }
    }

    /// What such as these may take roles for at all.
    pub(super) const fn purposes(&self) -> Purposes {
        if self.workload { Purposes::OF_WORKLOADS } else { Purposes::OF_PEOPLE }
    }

    /// The stable key of the person: provider and subject.
    pub(super) fn key(&self) -> String {
        format!("{}+{}", self.provider, self.subject)
    }
}

impl<'a> From<&'a Identity> for Person<'a> {
    fn from(who: &'a Identity) -> Self {
        Self {
            provider: who.provider(),
            subject: who.subject(),
            username: who.username(),
            groups: who.groups(),
            claims: who.claims(),
            authentication: who.authentication(),
            workload: who.is_workload(),
            elevations: &[],
        }
    }
}

impl<'a> From<&'a Supposed> for Person<'a> {
    fn from(who: &'a Supposed) -> Self {
        Self {
            provider: &who.provider,
            subject: &who.subject,
            username: &who.username,
            groups: &who.groups,
            claims: &who.claims,
            authentication: &who.authentication,
            workload: who.workload,
            elevations: &[],
        }
    }
}
