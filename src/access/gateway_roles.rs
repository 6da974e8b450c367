//! Roles of the gateway itself: who may look into the audit trail, and who may see how the gateway runs.
//!
//! Rules give them and take them away as they do AWS's, by the same matchers; one rule speaks of one kind. They are decided at every use like
//! all else, and beside the roles in AWS: nobody who has one of these may take a role in AWS by it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Facts;
use super::decide::{Faults, Match};
use super::rule::{Body, RuleCompiler};
use super::{Context, Effect, Entitlements, Evidence, Person, Policy, Purposes, RuleSettings};

/// A role of the gateway itself. Neither includes the other: who runs a gateway need not read what everybody did, and the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GatewayRole {
    /// Sees how the gateway runs, tries rules, and ends people's sessions.
    Administrator,
    /// Searches and exports the audit trail.
    Auditor,
}

impl GatewayRole {
    /// Every role.
    pub const ALL: [Self; 2] = [Self::Administrator, Self::Auditor];

    /// The word for it in rules.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Auditor => "auditor",
        }
    }

    /// The text that stands for it where roles in AWS have their ARN: no ARN begins so.
    #[must_use]
    pub fn target(self) -> String {
        format!("gateway:{self}")
    }
}

impl fmt::Display for GatewayRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A role of the gateway that somebody has, and the rules that give it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GatewayGrant {
    /// The role.
    pub role: GatewayRole,
    /// The rules, and the groups that matched them; ordered by both.
    pub evidence: Vec<Evidence>,
}

/// What rules of the gateway's own roles come to, while a person's matches are gone through.
#[derive(Default)]
pub(super) struct Draft {
    given: BTreeMap<GatewayRole, Vec<Evidence>>,
    taken: Vec<GatewayRole>,
}

impl Draft {
    /// Adds what one rule gives or takes, if it holds. `in_time` is whether it has not ended.
    pub(super) fn add(
        &mut self,
        matched: &Match<'_>,
        (effect, roles): (Effect, &[GatewayRole]),
        in_time: bool,
        facts: &Facts<'_>,
        faults: &mut Faults,
    ) {
        let rule = matched.rule;
        let mut holds = |instead| !rule.purposes(facts, None).unwrap_or_else(|why| faults.note(rule, why, instead)).is_empty();
        match effect {
            Effect::Deny => {
                if holds(rule.purposes) {
                    self.taken.extend(roles);
                }
            }
            // As with roles in AWS, a capture of odd characters is an attempt at something, and makes no match.
            Effect::Allow if in_time && matched.captures.is_some() => {
                if holds(Purposes::NONE) {
                    let evidence =
                        Evidence { rule: Arc::clone(&rule.id), group: matched.group.map(str::to_owned), also: matched.also.clone() };
                    for role in roles {
                        self.given.entry(*role).or_default().push(evidence.clone());
                    }
                }
            }
            Effect::Allow => {}
        }
    }

    pub(super) fn finish(self) -> Vec<GatewayGrant> {
        let Self { given, taken } = self;
        let left = given.into_iter().filter(|(role, _)| !taken.contains(role));
        left.map(|(role, mut evidence)| {
            evidence.sort_by(|a, b| (&a.rule, &a.group).cmp(&(&b.rule, &b.group)));
            evidence.dedup();
            GatewayGrant { role, evidence }
        })
        .collect()
    }
}

impl Entitlements {
    /// The roles of the gateway itself that the person has, and why.
    #[must_use]
    pub fn gateway_roles(&self) -> &[GatewayGrant] {
        &self.gateway
    }

    /// Whether the person has a role of the gateway itself.
    #[must_use]
    pub fn has_gateway_role(&self, role: GatewayRole) -> bool {
        self.gateway.iter().any(|grant| grant.role == role)
    }
}

impl Policy {
    /// The roles of the gateway itself that somebody would have, who need not exist: for tests, explanations and comparisons.
    #[must_use]
    pub fn gateway_roles(&self, who: &Person<'_>, context: &Context) -> Vec<GatewayGrant> {
        self.decide(who, context, None).gateway
    }
}

impl RuleCompiler<'_, '_> {
    /// A rule about the gateway's own roles: it has matchers, an end and a condition, and nothing that is about a session in AWS.
    pub(super) fn of_gateway(&mut self) -> Body {
        let settings = self.settings;
        for (key, is_there) in [
            ("accounts", !settings.accounts.is_empty()),
            ("roles", !settings.roles.is_empty()),
            ("purposes", !settings.purposes.is_empty()),
        ] {
            if is_there {
                let message = "the rule is about roles of the gateway itself, which are in no account and for no purpose";
                self.problem(key, message, "make two rules of it: one with `gateway`, one with `accounts` and `roles`");
            }
        }
        if settings.has_terms() {
            let hint = "take what is about the session in AWS out of it; for a second factor write when = \"auth.mfa\"";
            self.problem("gateway", "a role of the gateway itself is no session in AWS", hint);
        }
        if settings.effect == Effect::Deny && settings.until.is_some() {
            self.problem("until", "a deny rule does not run out", "take it out, and take the rule out when its time has come");
        }
        let mut roles = settings.gateway.clone();
        roles.sort_unstable();
        roles.dedup();
        Body::Gateway { effect: settings.effect, roles }
    }

    /// A condition on what only a role in AWS has cannot hold for one of the gateway.
    pub(super) fn check_gateway_condition(&mut self, about_role: bool, about_purpose: bool) {
        if !self.settings.gateway.is_empty() && (about_role || about_purpose) {
            let message = "the condition looks at an account, a role or a purpose, and a role of the gateway itself has none";
            self.problem("when", message, "go by groups, claims, the sign-in, the address or the time");
        }
    }
}

impl RuleSettings {
    /// Whether it says anything about a session in AWS.
    pub(super) fn has_terms(&self) -> bool {
        self.max_session.is_some()
            || self.session_policy.is_some()
            || !self.policy_arns.is_empty()
            || self.reason.is_some()
            || self.max_auth_age.is_some()
            || !self.require_acr.is_empty()
            || self.require_mfa
            || self.requestable.is_some()
            || self.break_glass
            || self.operation.is_some()
            || self.external_id.is_some()
            || self.via.is_some()
            || self.via_operation.is_some()
            || self.iam_user.is_some()
            || self.federated.is_some()
            || self.console.is_some()
            || self.reuse_credentials
            || !self.tags.is_empty()
            || self.carry_tags.is_some()
            || self.carry_source_identity.is_some()
    }
}
