//! What AWS is asked for: one role out of those that a person has.

use std::sync::Arc;

use secrecy::ExposeSecret;

use super::settings::{Carry, Operation};
use super::{
    AssumeRequest, Denied, Entitlement, Entitlements, Fault, Requestable, SHORTEST_SESSION, USUAL_SESSION, Wish, encode_federated_name,
    encode_name,
};

impl Entitlements {
    /// Every role, ordered by account name and role.
    #[must_use]
    pub fn roles(&self) -> &[Entitlement] {
        &self.roles
    }

    /// Conditions that could not be evaluated for this person.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The digest of the policy that was asked.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// Compares a wish with what the rules grant, and makes the request that AWS is asked with.
    ///
    /// # Errors
    /// [`Denied`], when no rule grants the role, the length is outside the limits, or the rules cannot be fulfilled.
    pub fn choose(&self, wish: &Wish) -> Result<AssumeRequest, Denied> {
        let held = self.roles.iter().find(|entitlement| entitlement.target.as_str() == wish.role);
        let entitlement = held.ok_or_else(|| self.not_held(&wish.role))?.way_for(wish.purpose, wish.break_glass);
        if let Some(obstacle) = &entitlement.obstacle {
            return Err(obstacle.clone());
        }
        if !entitlement.purposes.has(wish.purpose) {
            let may_ask = |it: &Requestable| it.target.as_str() == wish.role && it.purposes.has(wish.purpose);
            return Err(if self.requestable.iter().any(may_ask) { Denied::OnRequest } else { Denied::Purpose(wish.purpose) });
        }
        if entitlement.break_glass && !wish.break_glass {
            return Err(Denied::BreakGlass);
        }
        if let Some(step_up) = &entitlement.step_up {
            return Err(Denied::StepUp(step_up.clone()));
        }
        let longest = entitlement.max_session;
        let duration = wish.duration.unwrap_or_else(|| USUAL_SESSION.min(longest));
        if !(SHORTEST_SESSION..=longest).contains(&duration) {
            return Err(Denied::Duration(longest));
        }
        // Time goes by between a page and its click, so that what a grant leaves is a limit and no reason to refuse.
        let duration = entitlement.within_grant(duration, wish.purpose);
        let operation = entitlement.operation;
        let source_identity = match entitlement.carry_source_identity {
            carry if carry != Carry::Off && operation.carries_attributes() => Some((self.names.source_identity.clone()?, carry)),
            _ => None,
        };
        let reason = entitlement.heard(wish.reason.as_deref(), wish.purpose)?;
        let mut tags = Vec::new();
        if entitlement.carry_tags != Carry::Off && operation.carries_tags() {
            tags.extend(entitlement.tags.iter().cloned().chain(entitlement.reason_tags(reason.as_ref())));
            tags.sort_by(|a, b| a.key.cmp(&b.key));
        }
        let name = self.names.session_name.as_deref().map_err(Clone::clone)?;
        Ok(AssumeRequest {
            target: entitlement.target.clone(),
            account: Arc::clone(&entitlement.account),
            session_policy: entitlement.session_policy.clone(),
            operation,
            hub: entitlement.hub.clone(),
            external_id: entitlement.external_id.clone(),
            iam_user: entitlement.iam_user.clone(),
            mfa_code: entitlement.mfa_code(wish.mfa_code.as_ref().map(ExposeSecret::expose_secret))?,
            chained: entitlement.chained,
            console: entitlement.console,
            duration,
            purpose: wish.purpose,
            reason,
            session_name: if operation == Operation::FederationToken { encode_federated_name(name) } else { encode_name(name) },
            subject: self.names.subject.clone(),
            source_identity,
            tags,
            carry_tags: entitlement.carry_tags,
            evidence: entitlement.evidence.clone(),
            elevations: entitlement.elevations_for(wish.purpose).cloned().collect(),
            break_glass: entitlement.break_glass,
            reuse: entitlement.reuse,
            policy: Arc::clone(&self.policy),
        })
    }

    fn not_held(&self, role: &str) -> Denied {
        let may_ask = self.requestable.iter().any(|requestable| requestable.target.as_str() == role);
        if may_ask { Denied::OnRequest } else { Denied::NotGranted }
    }
}
