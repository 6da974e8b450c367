//! What AWS is asked for on behalf of somebody.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Account, CHAINED_SESSION, Carry, ConsoleWay, Elevation, Evidence, ExternalId, Hub, IamUser, MfaCode, Operation, Purpose,
    SHORTEST_SESSION, SessionPolicy, SessionTag, Target,
};
use crate::arn::RoleArn;

/// A role that rules granted, with all that AWS is to be told about the session. Built by [`Entitlements::choose`](super::Entitlements::choose) alone.
#[derive(Debug, Clone)]
pub struct AssumeRequest {
    pub(super) target: Target,
    pub(super) account: Arc<Account>,
    pub(super) session_policy: Option<Arc<SessionPolicy>>,
    pub(super) operation: Operation,
    pub(super) hub: Option<Arc<Hub>>,
    pub(super) external_id: Option<ExternalId>,
    pub(super) iam_user: Option<Arc<IamUser>>,
    pub(super) mfa_code: Option<MfaCode>,
    pub(super) chained: bool,
    pub(super) console: ConsoleWay,
    pub(super) duration: Duration,
    pub(super) purpose: Purpose,
    pub(super) reason: Option<String>,
    pub(super) session_name: String,
    pub(super) subject: String,
    pub(super) source_identity: Option<(String, Carry)>,
    pub(super) tags: Vec<SessionTag>,
    pub(super) carry_tags: Carry,
    pub(super) evidence: Vec<Evidence>,
    pub(super) elevations: Vec<Elevation>,
    pub(super) break_glass: bool,
    pub(super) reuse: bool,
    pub(super) policy: Arc<str>,
}

impl AssumeRequest {
    /// What the session acts as.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// The role to assume, if it is a role.
    #[must_use]
    pub const fn role(&self) -> Option<&RoleArn> {
        self.target.role()
    }

    /// The IAM user whose keys ask, where no role is reached.
    #[must_use]
    pub fn iam_user(&self) -> Option<&IamUser> {
        self.iam_user.as_deref()
    }

    /// The code of the person's MFA device, where one is needed.
    #[must_use]
    pub const fn mfa_code(&self) -> Option<&MfaCode> {
        self.mfa_code.as_ref()
    }

    /// The account that the role lives in.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// What limits the session below what the role may do.
    #[must_use]
    pub fn session_policy(&self) -> Option<&SessionPolicy> {
        self.session_policy.as_deref()
    }

    /// How AWS is asked.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// The role on the way to the role.
    #[must_use]
    pub fn hub(&self) -> Option<&Hub> {
        self.hub.as_deref()
    }

    /// What is sent as external id.
    #[must_use]
    pub const fn external_id(&self) -> Option<&ExternalId> {
        self.external_id.as_ref()
    }

    /// Whether the role is taken with another role's credentials.
    #[must_use]
    pub const fn is_chained(&self) -> bool {
        self.chained
    }

    /// The request for the role on the way, if there is one: for the shortest time, as the person, with the source identity, which stays with
    /// the session. Tags and session policy are those of the last role, so they go with its own call: a transitive tag that came from the first
    /// one could not be sent again.
    #[must_use]
    pub fn first_hop(&self) -> Option<Self> {
        let hub = self.hub.as_deref()?;
        Some(Self {
            target: Target::Role(hub.role.clone()),
            account: Arc::clone(&hub.account),
            operation: hub.operation,
            hub: None,
            external_id: None,
            iam_user: None,
            mfa_code: None,
            chained: false,
            session_policy: None,
            tags: Vec::new(),
            duration: SHORTEST_SESSION,
            ..self.clone()
        })
    }

    /// The same request, for a gateway whose own AWS identity is itself a role's session.
    #[must_use]
    pub fn chained_by_own_identity(self) -> Self {
        Self { duration: self.duration.min(CHAINED_SESSION), chained: true, ..self }
    }

    /// How one gets into the console.
    #[must_use]
    pub const fn console(&self) -> ConsoleWay {
        self.console
    }

    /// How long the AWS session is to last.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// What it is wanted for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// What the person said that they need it for, where the rules want to be told.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The role session's name, within STS's alphabet and length.
    #[must_use]
    pub fn session_name(&self) -> &str {
        &self.session_name
    }

    /// The person's stable key, `provider+subject`: what a minted proof names as its subject.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The source identity, unless the rules switch it off.
    #[must_use]
    pub fn source_identity(&self) -> Option<&str> {
        self.source_identity.as_ref().map(|(value, _)| value.as_str())
    }

    /// The session tags, none if the rules switch them off.
    #[must_use]
    pub fn tags(&self) -> &[SessionTag] {
        &self.tags
    }

    /// The rules that granted it.
    #[must_use]
    pub fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    /// What was granted on request and is used by it.
    #[must_use]
    pub fn elevations(&self) -> &[Elevation] {
        &self.elevations
    }

    /// Whether it is an emergency.
    #[must_use]
    pub const fn is_break_glass(&self) -> bool {
        self.break_glass
    }

    /// The digest of the policy that granted it.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// The same request without what the rules send only where the role allows it; none if there is nothing to leave out.
    #[must_use]
    pub fn without_optional_attributes(&self) -> Option<Self> {
        let mut lesser = self.clone();
        if lesser.carry_tags == Carry::IfAllowed {
            lesser.tags.clear();
        }
        if matches!(lesser.source_identity, Some((_, Carry::IfAllowed))) {
            lesser.source_identity = None;
        }
        let changed = lesser.tags.len() != self.tags.len() || lesser.source_identity.is_some() != self.source_identity.is_some();
        changed.then_some(lesser)
    }
}

#[cfg(test)]
impl AssumeRequest {
    /// A request that no rule granted, for the tests of what comes after a decision.
    pub(crate) fn for_tests(role: &str, duration: Duration) -> Self {
        let role: RoleArn = role.parse().unwrap();
        let account = Account {
            id: role.account(),
            name: "Test".into(),
            partition: role.partition(),
            tags: Vec::new(),
            alias: None,
            ou: None,
            saml_provider: None,
            saml_acs_id: None,
        };
        Self {
            target: Target::Role(role),
            account: Arc::new(account),
            session_policy: None,
            operation: Operation::WebIdentity,
            hub: None,
            external_id: None,
            iam_user: None,
            mfa_code: None,
            chained: false,
            console: ConsoleWay::Federation,
            duration,
            purpose: Purpose::Credentials,
            reason: None,
            session_name: "ana@example.org".into(),
            subject: "okta+ana".into(),
            source_identity: Some(("okta+ana".into(), Carry::IfAllowed)),
            tags: vec![SessionTag { key: "Team".into(), value: "blue".into(), transitive: false }],
            carry_tags: Carry::IfAllowed,
            evidence: vec![Evidence { rule: "r".into(), group: Some("g".into()), also: Vec::new() }],
            elevations: Vec::new(),
            break_glass: false,
            reuse: false,
            policy: "digest".into(),
        }
    }

    pub(crate) fn set_session_policy_for_tests(&mut self, policy: SessionPolicy) {
        self.session_policy = Some(Arc::new(policy));
    }

    pub(crate) const fn set_operation_for_tests(&mut self, operation: Operation) {
        self.operation = operation;
    }

    /// Makes it a request with a user's keys: a federated session, or, with a code, the user's own.
    pub(crate) fn set_iam_user_for_tests(&mut self, id: &str, code: Option<&str>) {
        let (account, partition) = (self.account.id, self.account.partition);
        let mfa_serial = Some(format!("arn:{partition}:iam::{account}:mfa/{id}"));
        self.iam_user = Some(Arc::new(IamUser { id: id.to_owned(), account, partition, mfa_serial }));
        self.mfa_code = code.and_then(MfaCode::parse);
        let federated = Target::federated(partition, account, "billing-reader");
        self.target = if code.is_some() { Target::iam_user(partition, account, id) } else { federated }.unwrap();
        self.operation = if code.is_some() { Operation::SessionToken } else { Operation::FederationToken };
    }

    pub(crate) fn set_external_id_for_tests(&mut self, text: &str) {
        self.external_id = ExternalId::new(text);
    }

    pub(crate) fn set_account_for_tests(&mut self, change: impl FnOnce(&mut Account)) {
        change(Arc::make_mut(&mut self.account));
    }

    pub(crate) fn set_tags_for_tests(&mut self, tags: Vec<SessionTag>) {
        self.tags = tags;
    }

    pub(crate) fn set_names_for_tests(&mut self, session_name: &str, subject: &str, source_identity: Option<&str>) {
        self.session_name = session_name.to_owned();
        self.subject = subject.to_owned();
        self.source_identity = source_identity.map(|name| (name.to_owned(), Carry::Required));
    }
}
