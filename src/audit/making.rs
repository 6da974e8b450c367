//! How an event is made: what was decided, and then, one after the other, what is known of it.

use std::net::IpAddr;

use serde_json::Map;

use super::event::{Event, GrantNote, Kind, Outcome};
use crate::access::{AssumeRequest, Policy};
use crate::aws::Credentials;
use crate::clock::Moment;
use crate::identity::{Identity, ProviderId};
use crate::trust::Proof;

/// The most bytes of a text that a stranger chose (a browser's name, a posted role, a provider's error) in one event.
pub const LONGEST_TEXT: usize = 512;

impl Event {
    /// An event that says nothing yet but what was decided, how, and under which incident.
    pub fn new(time: Moment, incident: impl Into<String>, kind: Kind, outcome: Outcome) -> Self {
        Self {
            time,
            incident: incident.into(),
            kind,
            outcome,
            reason: None,
            unasked: false,
            person: None,
            by: None,
            looked_for: None,
            groups: None,
            claims: Map::new(),
            authentication: None,
            provider: None,
            ip: None,
            user_agent: None,
            client_certificate: None,
            command_line: None,
            asked_from: None,
            role: None,
            account: None,
            operation: None,
            iam_user: None,
            hub: None,
            hub_operation: None,
            hub_access_key_id: None,
            external_id: false,
            chained: false,
            purpose: None,
            session_name: None,
            source_identity: None,
            tags: Vec::new(),
            session_policy: None,
            policy_arns: Vec::new(),
            stated_reason: None,
            break_glass: false,
            grants: Vec::new(),
            rules: Vec::new(),
            policy: None,
            previous_policy: None,
            token_id: None,
            proof_id: None,
            access_key_id: None,
            reused: false,
            assumed_role: None,
            sts_request_id: None,
            expires: None,
            duration: None,
        }
    }

    /// Where the request came from.
    #[must_use]
    pub fn from_browser(mut self, ip: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        self.ip = ip;
        self.user_agent = user_agent.map(cut);
        self
    }

    /// Who it is about.
    #[must_use]
    pub fn about(mut self, identity: &Identity) -> Self {
        self.person = Some(identity.into());
        self
    }

    /// Who did it, where that is somebody else.
    #[must_use]
    pub fn done_by(mut self, identity: &Identity) -> Self {
        self.by = Some(identity.into());
        self
    }

    /// What was looked for in the trail, or whose sessions.
    #[must_use]
    pub fn looking_for(mut self, what: &str) -> Self {
        self.looked_for = Some(cut(what));
        self
    }

    /// The command line that acts, by the name that its machine claims.
    #[must_use]
    pub fn by_command_line(mut self, name: &str) -> Self {
        self.command_line = Some(cut(name));
        self
    }

    /// What the rules go by of a sign-in: groups, how it was done, and the claims that they look at, and no others.
    #[must_use]
    pub fn judged_by(mut self, policy: &Policy, identity: &Identity) -> Self {
        self.groups = Some(identity.groups().to_vec());
        self.claims = policy.claims_looked_at(identity.claims());
        self.authentication = Some(identity.authentication().into());
        self
    }

    /// The provider whose answer it is about, when nobody is proven.
    #[must_use]
    pub fn at_provider(mut self, provider: &ProviderId) -> Self {
        self.provider = Some(provider.clone());
        self
    }

    /// Whether the provider began the sign-in.
    #[must_use]
    pub const fn begun_by_provider(mut self, unasked: bool) -> Self {
        self.unasked = unasked;
        self
    }

    /// The role as it was asked for, when no rule grants it.
    #[must_use]
    pub fn wished(mut self, role: &str) -> Self {
        self.role = Some(cut(role));
        self
    }

    /// What AWS is asked for, and by which rules.
    #[must_use]
    pub fn asked(mut self, request: &AssumeRequest) -> Self {
        self.role = Some(request.target().to_string());
        self.account = Some(request.target().account());
        self.iam_user = request.iam_user().map(|user| user.id.clone());
        self.operation = Some(request.operation().sts_name());
        self.hub = request.hub().map(|hub| hub.role.to_string());
        self.hub_operation = request.hub().map(|hub| hub.operation.sts_name());
        self.external_id = request.external_id().is_some();
        self.chained = request.is_chained();
        self.purpose = Some(request.purpose());
        // A user's own session has the user's name.
        self.session_name = (!request.operation().needs_mfa_code()).then(|| request.session_name().to_owned());
        self.source_identity = request.source_identity().map(str::to_owned);
        self.tags = request.tags().to_vec();
        self.stated_reason = request.reason().map(str::to_owned);
        self.break_glass = request.is_break_glass();
        self.grants = request.elevations().iter().map(GrantNote::from).collect();
        if let Some(policy) = request.session_policy() {
            self.session_policy = policy.document.as_ref().map(|document| {
                data_encoding::HEXLOWER.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, document.as_bytes()).as_ref())
            });
            self.policy_arns = policy.arns.iter().map(ToString::to_string).collect();
        }
        for evidence in request.evidence() {
            // One rule may have matched by several groups.
            if !self.rules.iter().any(|rule| **rule == *evidence.rule) {
                self.rules.push(evidence.rule.as_ref().to_owned());
            }
        }
        self.policy = Some(request.policy().to_owned());
        self.duration = Some(request.duration().as_secs());
        self
    }

    /// What AWS was shown.
    #[must_use]
    pub fn proven_by(mut self, proof: &Proof) -> Self {
        self.proof_id = Some(proof.id().to_owned());
        self
    }

    /// The session on the way, without its secrets.
    #[must_use]
    pub fn reached(mut self, hub: &Credentials) -> Self {
        self.hub_access_key_id = Some(hub.access_key_id.clone());
        self
    }

    /// What AWS gave, without its secrets.
    #[must_use]
    pub fn issued(mut self, credentials: &Credentials) -> Self {
        self.access_key_id = Some(credentials.access_key_id.clone());
        self.assumed_role.clone_from(&credentials.assumed_role);
        self.expires = Some(credentials.expires);
        self
    }

    /// Why it did not go as wanted.
    #[must_use]
    pub fn because(mut self, reason: impl std::fmt::Display) -> Self {
        self.reason = Some(cut(&reason.to_string()));
        self
    }
}

/// A text's beginning, at most [`LONGEST_TEXT`] bytes, whole characters; an ellipsis shows a cut.
pub(super) fn cut(text: &str) -> String {
    if text.len() <= LONGEST_TEXT {
        return text.to_owned();
    }
    format!("{}…", text.get(..text.floor_char_boundary(LONGEST_TEXT - '…'.len_utf8())).unwrap_or_default())
}
