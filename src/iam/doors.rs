//! How roles are entered, and what comes through.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::federation::Federation;
use crate::access::{Carry, ExternalIdMask, Operation, Purpose, Use};
use crate::arn::RoleArn;
use crate::identity::ProviderId;

/// How a role is entered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// With tokens that Rolegate mints.
    Minted,
    /// With ID tokens of an issuer, passed on.
    Forwarded(String),
    /// With SAML responses that Rolegate mints.
    Saml,
    /// With SAML responses of a provider, passed on.
    ForwardedSaml(ProviderId),
    /// With the AWS identity that Rolegate runs under.
    OwnIdentity,
    /// With the credentials of a role on the way.
    Hub(RoleArn),
}

/// What comes through a door.
#[derive(Debug, Clone, Default)]
pub struct Way {
    /// Whether people of every provider come.
    pub everybody: bool,
    /// The providers whose people or workloads come; beside everybody, those of workloads at least.
    pub providers: BTreeSet<ProviderId>,
    /// The audiences of forwarded tokens.
    pub clients: BTreeSet<String>,
    /// What the session carries.
    pub carries: Carries,
    /// The external ids that are sent.
    pub external: ExternalIds,
}

/// External ids, where rules send one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExternalIds {
    /// Those that are sent.
    pub sent: BTreeSet<ExternalIdMask>,
    /// The rules that send none, so that the role cannot demand one.
    pub without: BTreeSet<Arc<str>>,
}

/// What a session carries that the trust policy must allow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carries {
    /// The keys of session tags.
    pub tag_keys: BTreeSet<String>,
    /// Whether tags must be let in; none if there are none.
    pub tags: Option<Need>,
    /// Whether a source identity must be let in; none if there is none.
    pub source_identity: Option<Need>,
}

/// How much something is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Without it Rolegate asks once more, for less.
    Wanted,
    /// Without it the role is refused.
    Required,
}

impl Way {
    /// Adds those whom a rule is about, and its external id. What is for people is not for workloads, nor the other way round.
    pub(super) fn add(&mut self, given: &Use<'_>, federation: &Federation<'_>) {
        let for_workloads = given.purposes.has(Purpose::Workload);
        let for_people = given.purposes.has(Purpose::Console) || given.purposes.has(Purpose::Credentials);
        let is_for = |id: &ProviderId| if federation.workloads().any(|workload| workload == id) { for_workloads } else { for_people };
        if given.providers.is_empty() {
            self.everybody |= for_people;
            self.providers.extend(federation.workloads().filter(|_| for_workloads).cloned());
        } else {
            self.providers.extend(given.providers.iter().filter(|id| is_for(id)).cloned());
        }
        match &given.external_id {
            Some(mask) => self.external.sent.insert(mask.clone()),
            None => self.external.without.insert(Arc::clone(given.rule)),
        };
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.everybody |= other.everybody;
        self.providers.extend(other.providers.iter().cloned());
        self.clients.extend(other.clients.iter().cloned());
        self.carries.add(&other.carries);
        self.external.sent.extend(other.external.sent.iter().cloned());
        self.external.without.extend(other.external.without.iter().cloned());
    }
}

impl ExternalIds {
    /// Whether the role can demand one of these.
    #[must_use]
    pub fn can_be_demanded(&self) -> bool {
        !self.sent.is_empty() && self.without.is_empty()
    }
}

impl Carries {
    /// What the rules of one role bring through a door. Rules meet in people where their operations do not contradict each other.
    pub(super) fn of(door: &Door, uses: &[Arc<Use<'_>>]) -> Self {
        let Some(operation) = door.operation() else { return Self::default() };
        let meeting: Vec<_> = uses.iter().filter(|given| given.operation.is_none_or(|own| own == operation)).collect();
        // Each alone with no opinion carries; one that switches it off counts for nothing beside one that does not.
        let need = |of: fn(&Use<'_>) -> Option<Carry>, count: &dyn Fn(&Use<'_>) -> bool| {
            let said = meeting.iter().filter(|given| count(given)).filter_map(|given| match of(given).unwrap_or_default() {
                Carry::Required => Some(Need::Required),
                Carry::IfAllowed => Some(Need::Wanted),
                Carry::Off => None,
            });
            said.max()
        };
        let anybody_sends = meeting.iter().any(|given| given.carry_tags.is_some_and(|carry| carry != Carry::Off));
        let sent = |given: &Use<'_>| !given.tag_keys.is_empty() && (anybody_sends || given.carry_tags != Some(Carry::Off));
        let tag_keys: BTreeSet<_> =
            meeting.iter().filter(|given| sent(given)).flat_map(|given| given.tag_keys.iter().map(|key| (*key).to_owned())).collect();
        let opinion = need(|given| given.carry_tags, &|given| !given.tag_keys.is_empty() || given.carry_tags.is_some());
        let tags = if tag_keys.is_empty() { None } else { opinion };
        Self { tag_keys, tags, source_identity: need(|given| given.carry_source_identity, &|_| true) }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.tag_keys.extend(other.tag_keys.iter().cloned());
        self.tags = self.tags.max(other.tags);
        self.source_identity = self.source_identity.max(other.source_identity);
    }
}

impl Door {
    /// The operation of rules that use it; none where Rolegate says nothing of what the session carries.
    const fn operation(&self) -> Option<Operation> {
        match self {
            Self::Minted => Some(Operation::WebIdentity),
            Self::Saml => Some(Operation::Saml),
            Self::OwnIdentity | Self::Hub(_) => Some(Operation::AssumeRole),
            Self::Forwarded(_) | Self::ForwardedSaml(_) => None,
        }
    }

    /// The action that a trust policy allows for it.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Minted | Self::Forwarded(_) => "sts:AssumeRoleWithWebIdentity",
            Self::Saml | Self::ForwardedSaml(_) => "sts:AssumeRoleWithSAML",
            Self::OwnIdentity | Self::Hub(_) => "sts:AssumeRole",
        }
    }
}
