//! Roles that are had by `AssumeRole`: the external id, and the role on the way to them.

use std::fmt;
use std::sync::Arc;

use super::patterns::Pattern;
use super::rule::{Roles, RuleCompiler};
use super::settings::Operation;
use super::template::Template;
use super::{Account, CHAINED_SESSION, Denied, Entitlement, Entitlements, OwnExplanation};
use crate::arn::RoleArn;

/// What `AssumeRole` takes as `ExternalId` (STS API reference).
const LENGTHS: std::ops::RangeInclusive<usize> = 2..=1224;

/// What a role's trust policy demands of who is let in on behalf of others (`sts:ExternalId`). No password, and still nobody's business: it
/// prints nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalId(Arc<str>);

impl ExternalId {
    /// An external id, if STS takes it: 2 to 1224 of `[A-Za-z0-9_+=,.@:/-]`.
    pub(super) fn new(text: &str) -> Option<Self> {
        (LENGTHS.contains(&text.len()) && is_external_text(text)).then(|| Self(text.into()))
    }

    /// The id, for the one call to STS.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExternalId(…)")
    }
}

fn is_external_text(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte))
}

/// A role that is taken on the way to another one, whose session asks for it (role chaining).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hub {
    /// The role on the way.
    pub role: RoleArn,
    /// The account it lives in.
    pub account: Arc<Account>,
    /// How AWS is asked for it.
    pub operation: Operation,
}

impl RuleCompiler<'_, '_> {
    /// What the rule sends as external id, if it has one.
    pub(super) fn external_id(&mut self, pattern: Option<&Pattern>) -> Option<Template> {
        const HINT: &str = "use 2 to 1224 of A-Z a-z 0-9 _ + = , . @ : / -, and ${claims.NAME}, ${username}, ${subject} or a capture";
        let text = self.settings.external_id.as_deref()?;
        if !self.settings.operation.is_some_and(Operation::takes_external_id) {
            let hint = "add operation = \"assume_role\", or take the external id out: a trust policy that demands one lets no token in";
            self.problem("external_id", "only AssumeRole has an external id", hint);
        }
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(message) => {
                self.problem("external_id", message, HINT);
                return None;
            }
        };
        let is_whole = template.literal().is_none_or(|text| ExternalId::new(text).is_some());
        if !is_whole || !is_external_text(&template.texts()) {
            self.problem("external_id", "AWS does not take this external id", HINT);
            return None;
        }
        self.known_captures("external_id", &template, pattern).then_some(template)
    }

    /// The role on the way, if the rule has one.
    pub(super) fn hub(&mut self) -> Option<Arc<Hub>> {
        let settings = self.settings;
        let operation = settings.via_operation.unwrap_or_default();
        let Some(text) = settings.via.as_deref() else {
            if settings.via_operation.is_some() {
                self.problem("via_operation", "there is no role on the way", "name it: via = \"arn:aws:iam::ACCOUNT:role/NAME\"");
            }
            return None;
        };
        if settings.operation != Some(Operation::AssumeRole) {
            let hint = "add operation = \"assume_role\"; how AWS is asked for the role on the way is said by via_operation";
            self.problem("via", "a role is reached from another one by AssumeRole alone", hint);
        }
        if !operation.reaches_a_hub() {
            let hint = "use \"web_identity\", \"saml\" or \"assume_role\"";
            self.problem("via_operation", "the role on the way cannot be reached so", hint);
        }
        if settings.max_session.is_some_and(|span| span.0 > CHAINED_SESSION) {
            let hint = "write max_session = \"1h\" or less: AWS refuses more for a role that is taken from another one (role chaining)";
            self.problem("max_session", "a session that comes by way of another role lasts an hour at most", hint);
        }
        let role: RoleArn = match text.parse() {
            Ok(role) => role,
            Err(error) => {
                self.problem("via", format!("`{text}` is not a role's ARN: {error}"), "write arn:aws:iam::ACCOUNT:role/NAME");
                return None;
            }
        };
        if operation == Operation::Saml && text.contains(',') {
            let message = format!("`{text}` has a comma in it, so that no SAML response can name it");
            self.problem("via", message, "use via_operation = \"web_identity\", or rename the role");
        }
        let Some(account) = self.accounts.of_role(&role).cloned() else {
            // Who may come later cannot be told from a slip: a second look warns of it, and until then the rule gives nothing.
            if self.accounts.may_grow {
                return None;
            }
            let hint = "list its account as an [[account]]: what is not listed cannot be reached, on the way neither";
            self.problem("via", format!("`{text}` is in no known account of its partition"), hint);
            return None;
        };
        Some(Arc::new(Hub { role, account, operation }))
    }

    /// A role of another partition would only be found out by AWS, at the click.
    pub(super) fn check_hub_fits(&mut self, hub: Option<&Hub>, roles: &Roles) {
        let (Some(hub), Roles::Fixed(roles)) = (hub, roles) else { return };
        let granted = roles.iter().filter_map(|number| self.shared.roles.get(*number));
        if let Some(place) = granted.into_iter().find(|place| place.target.partition() != hub.role.partition()) {
            let message = format!("{} is in another partition, and no role of one is taken from another", place.target);
            self.problem("via", message, "split the rule by partition");
        }
    }
}

impl Entitlements {
    /// The same, for a gateway whose own AWS identity is itself a role's session: what is had with it is chained, and lasts an hour at most.
    #[must_use]
    pub fn chained_by_own_identity(mut self) -> Self {
        self.roles.iter_mut().for_each(Entitlement::chain_by_own_identity);
        self
    }
}

impl Entitlement {
    fn chain_by_own_identity(&mut self) {
        if self.operation == Operation::AssumeRole {
            self.chained = true;
            self.max_session = self.max_session.min(CHAINED_SESSION);
        }
    }
}

impl OwnExplanation {
    /// As [`Entitlements::chained_by_own_identity`].
    #[must_use]
    pub fn chained_by_own_identity(mut self) -> Self {
        if let Self::Granted(grant) = &mut self {
            grant.entitlement.chain_by_own_identity();
        }
        self
    }
}

/// The external id of one rule for one person.
///
/// # Errors
/// [`Denied::MissingClaim`], or [`Denied::ExternalId`] where the claims make one that AWS does not take.
pub(super) fn filled(template: &Template, who: &super::Person<'_>, captures: &super::template::Captures<'_>) -> Result<ExternalId, Denied> {
    ExternalId::new(&template.fill(who, captures)?).ok_or(Denied::ExternalId)
}
