//! Credentials that may be handed out again: where the rules allow it, and what makes two requests the same one.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;

use super::rule::RuleCompiler;
use super::settings::{Carry, ConsoleWay, Operation};
use super::{Account, AssumeRequest, Purpose, SessionPolicy, SessionTag, Target};
use crate::arn::{AccountId, Partition, SamlProviderArn};

/// All that AWS would be told by a request, as a digest: two requests that differ in anything have two. It says nothing of what is in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The digest (SHA-256).
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

impl Operation {
    /// Whether what came of one call may be handed out for a later one. Not where each call uses something up that is good once, or proves
    /// anew: the person's own token or response, and the code of an MFA device.
    #[must_use]
    pub const fn may_be_reused(self) -> bool {
        matches!(self, Self::WebIdentity | Self::Saml | Self::AssumeRole | Self::FederationToken)
    }
}

impl RuleCompiler<'_, '_> {
    /// Whether the rule lets credentials be handed out again.
    pub(super) fn reuse(&mut self) -> bool {
        let settings = self.settings;
        if !settings.reuse_credentials {
            return false;
        }
        if settings.operation.is_some_and(|operation| !operation.may_be_reused()) {
            let message = "what this operation uses up is good for one call, so nothing of it is handed out again";
            self.problem("reuse_credentials", message, "take it out, or use another `operation`");
        }
        if !settings.purposes.is_empty() && !settings.purposes.contains(&Purpose::Credentials) {
            let message = "the rule gives no credentials to people, and nothing else is handed out again";
            self.problem("reuse_credentials", message, "take it out, or add \"credentials\" to `purposes`");
        }
        true
    }
}

/// What a request says, in the order of its fields.
#[derive(Serialize)]
struct Said<'a> {
    target: &'a Target,
    account: Place<'a>,
    session_policy: Option<&'a SessionPolicy>,
    operation: Operation,
    hub: Option<(&'a str, Place<'a>, Operation)>,
    external_id: Option<&'a str>,
    iam_user: Option<(&'a str, AccountId, Partition, Option<&'a str>)>,
    chained: bool,
    console: ConsoleWay,
    duration: (u64, u32),
    purpose: Purpose,
    reason: Option<&'a str>,
    session_name: &'a str,
    subject: &'a str,
    source_identity: Option<&'a (String, Carry)>,
    tags: &'a [SessionTag],
    carry_tags: Carry,
    policy: &'a str,
}

/// An account, and the SAML provider in it that a call names.
type Place<'a> = (&'a Account, Option<String>);

fn place(account: &Account) -> Place<'_> {
    (account, account.saml_provider.as_ref().map(SamlProviderArn::to_string))
}

impl AssumeRequest {
    /// What tells this request from others, where its credentials may be handed out again. None where they may not be: a rule that grants it
    /// does not say so, it is not for credentials that a person takes, or the call is good once.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let may = self.reuse && self.purpose == Purpose::Credentials && self.operation.may_be_reused();
        if !may || self.mfa_code.is_some() {
            return None;
        }
        // Taken apart whole: who adds a field is asked here whether AWS would see it.
        let Self {
            target,
            account,
            session_policy,
            operation,
            hub,
            external_id,
            iam_user,
            mfa_code: _,
            chained,
            console,
            duration,
            purpose,
            reason,
            session_name,
            subject,
            source_identity,
            tags,
            carry_tags,
            // Why it is granted may differ from one moment to the next, and AWS does not hear of it. Each hand-over is recorded with its own.
            evidence: _,
            elevations: _,
            break_glass: _,
            reuse: _,
            // Other rules are another decision, even where they come to the same: what was decided under the former ones stays with them.
            policy,
        } = self;
        let said = Said {
            target,
            account: place(account),
            session_policy: session_policy.as_deref(),
            operation: *operation,
            hub: hub.as_deref().map(|hub| (hub.role.as_str(), place(&hub.account), hub.operation)),
            external_id: external_id.as_ref().map(super::ExternalId::expose),
            iam_user: iam_user.as_deref().map(|user| (user.id.as_str(), user.account, user.partition, user.mfa_serial.as_deref())),
            chained: *chained,
            console: *console,
            duration: (duration.as_secs(), duration.subsec_nanos()),
            purpose: *purpose,
            reason: reason.as_deref(),
            session_name,
            subject,
            source_identity: source_identity.as_ref(),
            tags,
            carry_tags: *carry_tags,
            policy,
        };
        // JSON keeps members and texts apart, so that no two requests are written alike.
        let written = serde_json::to_vec(&said).ok()?;
        let digest = digest(&SHA256, &written);
        digest.as_ref().try_into().ok().map(Fingerprint)
    }
}
