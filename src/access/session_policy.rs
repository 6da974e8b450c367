//! What narrows a session below its role (STS `Policy` and `PolicyArns`): read and checked when the policy is compiled.
//!
//! AWS unites the session policies of one call, and intersects them with what the role may do. So those of two rules are never sent together:
//! each rule meant its own to be the limit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Target;
use super::rule::{Roles, RuleCompiler};
use super::settings::{ConsoleWay, Operation, RuleSettings};
use crate::arn::ManagedPolicyArn;
use crate::identity::jwt;
use crate::settings::{read_file, text};

/// The most characters of a session policy in plain text, and the most managed ones (STS `AssumeRole*` request parameters).
const MOST_CHARACTERS: usize = 2048;
const MOST_ARNS: usize = 10;
/// The most bytes of a file: blanks and line ends do not count against AWS's limit, because they are not sent.
const LARGEST_FILE: u64 = 64 * 1024;

/// What a session may do at most, beside what its role may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionPolicy {
    /// A policy document, as it is sent: JSON without blanks.
    pub document: Option<Arc<str>>,
    /// Managed policies, ordered.
    pub arns: Vec<ManagedPolicyArn>,
}

impl SessionPolicy {
    /// Whether STS takes it for a role.
    pub(super) fn fits(&self, target: &Target) -> bool {
        self.arns.iter().all(|arn| arn.fits(target.partition(), target.account()))
    }
}

/// The files that rules name as `session_policy`, by name: what is in them, or why they cannot be read.
pub type PolicyFiles = BTreeMap<String, Result<String, String>>;

/// Reads the files that rules name. Relative paths start at `base`.
#[must_use]
pub fn read_policies(rules: &[RuleSettings], base: &Path) -> PolicyFiles {
    let names = rules.iter().filter_map(|rule| rule.session_policy.as_ref());
    names
        .map(|name| {
            let path = base.join(name);
            let read = read_file(&path, LARGEST_FILE).map_err(|error| format!("cannot be read: {error}"));
            let read = read.and_then(|bytes| text(bytes).map_err(|(wrong, _)| wrong));
            (name.clone(), read.map_err(|wrong| format!("the file {} {wrong}", path.display())))
        })
        .collect()
}

impl RuleCompiler<'_, '_> {
    /// The rule's session policy, if it has one.
    pub(super) fn session_policy(&mut self) -> Option<Arc<SessionPolicy>> {
        let settings = self.settings;
        let document = settings.session_policy.as_ref().and_then(|name| self.document(name));
        let mut arns = Vec::new();
        for (index, text) in settings.policy_arns.iter().enumerate() {
            match text.parse::<ManagedPolicyArn>() {
                Ok(arn) => arns.push(arn),
                Err(error) => {
                    let hint = "write arn:aws:iam::aws:policy/NAME, or the policy of an account: arn:aws:iam::ACCOUNT:policy/NAME";
                    self.problem(&format!("policy_arns[{index}]"), format!("`{text}` is not a managed policy: {error}"), hint);
                }
            }
        }
        arns.sort();
        arns.dedup();
        if arns.len() > MOST_ARNS {
            self.problem("policy_arns", format!("AWS takes {MOST_ARNS} managed policies at most"), "put them together in one");
        }
        let wanted = settings.session_policy.is_some() || !settings.policy_arns.is_empty();
        let posts = settings.operation == Some(Operation::Saml) && settings.console == Some(ConsoleWay::Post);
        if wanted && posts {
            let hint = "use console = \"federation\", which asks STS first";
            self.problem("console", "AWS's sign-in page takes no session policy, so nothing would limit the session", hint);
        }
        wanted.then(|| Arc::new(SessionPolicy { document, arns }))
    }

    fn document(&mut self, name: &str) -> Option<Arc<str>> {
        let read = match self.policies.get(name) {
            Some(Ok(text)) => compact(text),
            Some(Err(wrong)) => Err(wrong.clone()),
            None => Err(format!("the file {name} was not read")),
        };
        match read {
            Ok(document) => Some(document.into()),
            Err(wrong) => {
                let hint = "name a file with a policy document: { \"Version\": \"2012-10-17\", \"Statement\": [ … ] }";
                self.problem("session_policy", wrong, hint);
                None
            }
        }
    }

    /// A policy of another account would only be found out by AWS, at the click.
    pub(super) fn check_policy_fits(&mut self, policy: Option<&SessionPolicy>, roles: &Roles) {
        let (Some(policy), Roles::Fixed(roles)) = (policy, roles) else { return };
        let granted = roles.iter().filter_map(|number| self.shared.roles.get(*number));
        if let Some(place) = granted.into_iter().find(|place| !policy.fits(&place.target)) {
            let message = format!("{} cannot be limited by a policy of another account or partition", place.target);
            self.problem("policy_arns", message, "split the rule by account, or use a policy of AWS's own in the partition");
        }
    }
}

/// A policy document without blanks.
///
/// # Errors
/// What keeps it from being one, as a sentence.
fn compact(text: &str) -> Result<String, String> {
    // A member that stands twice would be read in one way here and perhaps in another by AWS.
    let document = jwt::object(text.as_bytes()).map_err(|_| "it is not one JSON object, or repeats a member".to_owned())?;
    if !matches!(document.get("Version").and_then(Value::as_str), Some("2012-10-17" | "2008-10-17")) {
        return Err("the policy has no `Version`, or one that AWS does not know".into());
    }
    let statements: Vec<&Value> = match document.get("Statement") {
        Some(Value::Array(statements)) => statements.iter().collect(),
        Some(statement @ Value::Object(_)) => vec![statement],
        _ => Vec::new(),
    };
    if statements.is_empty() {
        return Err("the policy has no `Statement`".into());
    }
    for (index, statement) in statements.iter().enumerate() {
        let fault = statement.as_object().map_or(Some("is no object"), statement_fault);
        if let Some(fault) = fault {
            return Err(format!("statement {} of the policy {fault}", index + 1));
        }
    }
    let compact = serde_json::to_string(&document).map_err(|error| error.to_string())?;
    match compact.chars().count() {
        _ if compact.chars().any(|c| c > '\u{ff}') => Err("AWS takes characters up to U+00FF in a session policy".into()),
        count if count > MOST_CHARACTERS => Err(format!("the policy has {count} characters without blanks; AWS takes {MOST_CHARACTERS}")),
        _ => Ok(compact),
    }
}

/// What is wrong with a statement of an identity-based policy (IAM JSON policy reference), as the end of a sentence.
fn statement_fault(statement: &Map<String, Value>) -> Option<&'static str> {
    let one_of = |names: [&str; 2]| names.iter().filter(|name| statement.contains_key(**name)).count() == 1;
    if !matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
        return Some("has no `Effect`: Allow or Deny");
    }
    if statement.contains_key("Principal") || statement.contains_key("NotPrincipal") {
        return Some("has a `Principal`, which session policies cannot have");
    }
    if !one_of(["Action", "NotAction"]) {
        return Some("has neither or both of `Action` and `NotAction`");
    }
    if one_of(["Resource", "NotResource"]) { None } else { Some("has neither or both of `Resource` and `NotResource`") }
}
