//! IAM users whose keys the gateway holds: for sessions without a role, and for those that AWS's own MFA must open.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::accounts::Accounts;
use super::roles::RoleNumber;
use super::rule::{Roles, RuleCompiler};
use super::settings::Operation;
use super::target::{self, Target};
use super::{Denied, Entitlement, Purpose, Purposes, SHORTEST_SESSION};
use crate::arn::{AccountId, Partition};
use crate::settings::{Problem, SecretRef};

/// The longest session of an IAM user (STS `GetFederationToken`, `GetSessionToken`): 36 hours.
pub const LONGEST_USER_SESSION: Duration = Duration::from_hours(36);

/// An IAM user whose access key Rolegate holds. Long-lived keys are the last resort: prefer roles.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IamUserSettings {
    /// The name that rules use: 1 to 32 of A-Z a-z 0-9 . _ -.
    pub id: String,
    /// The account that the user lives in, by id or name.
    pub account: String,
    /// The id of its access key, which begins with AKIA.
    pub access_key_id: String,
    /// The secret of its access key.
    #[serde(skip_serializing)]
    pub secret_access_key: SecretRef,
    /// Its MFA device, by serial number or ARN. Needed for `operation = "session_token"`.
    #[serde(default)]
    pub mfa_serial: Option<String>,
}

/// A compiled [`IamUserSettings`]; the secret is with STS alone.
#[derive(Debug, PartialEq, Eq)]
pub struct IamUser {
    /// The name that rules use.
    pub id: String,
    /// The account that it lives in.
    pub account: AccountId,
    /// The partition of the account.
    pub partition: Partition,
    /// The MFA device.
    pub mfa_serial: Option<String>,
}

/// The six digits that an MFA device shows. They print nothing.
#[derive(Clone)]
pub struct MfaCode(SecretString);

impl MfaCode {
    /// The code in a text, which may have blanks around it and in its middle, as devices show it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| Self(digits.into()))
    }

    /// The digits, for the one call to STS.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for MfaCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MfaCode(…)")
    }
}

/// The users by their ids.
#[derive(Debug, Default)]
pub(super) struct IamUsers(BTreeMap<String, Arc<IamUser>>);

impl IamUsers {
    pub(super) fn compile(settings: &[IamUserSettings], accounts: &Accounts, problems: &mut Vec<Problem>) -> Self {
        let mut users = BTreeMap::new();
        for (index, user) in settings.iter().enumerate() {
            let mut problem =
                |key: &str, message: String, hint: &str| problems.push(Problem::new(format!("iam_user[{index}].{key}"), message, hint));
            if !target::is_name(&user.id) {
                problem("id", format!("`{}` is not a good id for a user", user.id), "use 1 to 32 of A-Z a-z 0-9 . _ -");
            }
            check_keys(user, &mut problem);
            let Some(account) = accounts.find(&user.account) else {
                if !(accounts.may_grow && user.account.parse::<AccountId>().is_ok()) {
                    problem("account", format!("there is no account `{}`", user.account), "use the id or the name of an [[account]]");
                }
                continue;
            };
            let foreign = user
                .mfa_serial
                .as_ref()
                .filter(|serial| serial.starts_with("arn:"))
                .is_some_and(|serial| !serial.starts_with(&format!("arn:{}:iam::{}:", account.partition, account.id)));
            if foreign {
                problem(
                    "mfa_serial",
                    "this is a device of another account".to_owned(),
                    "write the device's ARN as IAM shows it for the user",
                );
            }
            let known =
                IamUser { id: user.id.clone(), account: account.id, partition: account.partition, mfa_serial: user.mfa_serial.clone() };
            users.insert(user.id.clone(), Arc::new(known));
        }
        Self(users)
    }
}

/// What AWS would refuse of a user's keys and device.
fn check_keys(user: &IamUserSettings, problem: &mut impl FnMut(&str, String, &str)) {
    let key = user.access_key_id.as_str();
    if key.starts_with("ASIA") {
        let message = "this key belongs to a session, and GetFederationToken and GetSessionToken are for users' own keys alone";
        problem("access_key_id", message.to_owned(), "use an access key of the user, which begins with AKIA");
    } else if !(16..=128).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
        problem(
            "access_key_id",
            "this is no id of an access key".to_owned(),
            "write the id, such as AKIAIOSFODNN7EXAMPLE, and never the secret",
        );
    }
    let is_serial = |serial: &String| {
        (9..=256).contains(&serial.len()) && serial.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=/:,.@-".contains(&byte))
    };
    if user.mfa_serial.as_ref().is_some_and(|serial| !is_serial(serial)) {
        let hint = "write arn:aws:iam::ACCOUNT:mfa/NAME for a virtual device, or a hardware device's serial number";
        problem("mfa_serial", "this is no MFA device's serial number".to_owned(), hint);
    }
}

impl RuleCompiler<'_, '_> {
    /// What the rule may be taken for: what a user's own session may not do is not in it.
    pub(super) fn listed_purposes(&self) -> Purposes {
        let listed = Purposes::listed(&self.settings.purposes, self.settings.effect);
        let enters = self.settings.operation.is_none_or(Operation::enters_console);
        if enters { listed } else { listed.without(Purposes::CONSOLE) }
    }

    /// The user whose keys ask AWS, for an operation that needs one.
    pub(super) fn iam_user(&mut self) -> Option<Arc<IamUser>> {
        let settings = self.settings;
        let wanted = settings.operation.is_some_and(Operation::needs_iam_user);
        let Some(id) = &settings.iam_user else {
            if wanted {
                self.problem("operation", "it needs the keys of an IAM user", "name an [[iam_user]]: iam_user = \"ID\"");
            }
            return None;
        };
        if !wanted {
            let hint = "add operation = \"federation_token\" or \"session_token\", or take the user out";
            self.problem("iam_user", "no other operation is asked for with a user's keys", hint);
        }
        let user = self.users.0.get(id).cloned();
        if user.is_none() && !self.accounts.may_grow {
            self.problem("iam_user", format!("there is no user `{id}`"), "use the id of an [[iam_user]]");
        }
        user
    }

    /// What is granted without a role: a federated session, or the user's own. None for a rule that is about roles.
    pub(super) fn without_role(&mut self, user: Option<&Arc<IamUser>>) -> Option<Roles> {
        let settings = self.settings;
        let operation = settings.operation.filter(|operation| operation.needs_iam_user());
        if settings.federated.is_some() && operation != Some(Operation::FederationToken) {
            let hint = "add operation = \"federation_token\", or take the name out";
            self.problem("federated", "only GetFederationToken makes a session without a role", hint);
        }
        let operation = operation?;
        for (key, list) in [("roles", &settings.roles), ("accounts", &settings.accounts)] {
            if !list.is_empty() {
                self.problem(key, "this operation reaches no role, but the account of its user", "take it out of the rule");
            }
        }
        let longest = LONGEST_USER_SESSION;
        if settings.max_session.is_some_and(|span| !(SHORTEST_SESSION..=longest).contains(&span.0)) {
            self.problem("max_session", "sessions of an IAM user last from 15 minutes to 36 hours", "write for example \"12h\"");
        }
        let fixed = |target: Option<Target>, compiler: &mut Self| -> Box<[RoleNumber]> {
            let number = target.and_then(|target| {
                let account = compiler.accounts.of_target(&target)?;
                compiler.shared.roles.number(target, account, compiler.accounts)
            });
            number.into_iter().collect()
        };
        let target = if operation == Operation::FederationToken { self.federated(user) } else { self.own_session(user) };
        Some(Roles::Fixed(fixed(target, self)))
    }

    fn federated(&mut self, user: Option<&Arc<IamUser>>) -> Option<Target> {
        let settings = self.settings;
        if settings.session_policy.is_none() && settings.policy_arns.is_empty() {
            let hint = "give it a session_policy or policy_arns: the session may do what both they and the user's own policies allow";
            self.problem("operation", "without a session policy a federated session may do nothing", hint);
        }
        if !settings.transitive_tags.is_empty() {
            self.problem("transitive_tags", "a federated session assumes no role, so no tag can stay", "take them out");
        }
        let name = settings.federated.as_deref().unwrap_or_default();
        if !target::is_name(name) {
            let hint = "name the session for rules and pages: federated = \"billing-reader\" (1 to 32 of A-Z a-z 0-9 . _ -)";
            let key = if settings.federated.is_some() { "federated" } else { "operation" };
            self.problem(key, "a session without a role needs a name", hint);
        }
        user.and_then(|user| Target::federated(user.partition, user.account, name))
    }

    fn own_session(&mut self, user: Option<&Arc<IamUser>>) -> Option<Target> {
        let settings = self.settings;
        if user.is_some_and(|user| user.mfa_serial.is_none()) {
            let hint = "give the [[iam_user]] its mfa_serial: without a code AWS opens nothing that the user's keys do not open themselves";
            self.problem("iam_user", "the user has no MFA device, and this operation is for the code of one", hint);
        }
        if settings.purposes.contains(&Purpose::Console) || settings.console.is_some() {
            let key = if settings.console.is_some() { "console" } else { "purposes" };
            let hint = "take it out: people get the credentials alone; for the console use a role or operation = \"federation_token\"";
            self.problem(key, "AWS lets no session of GetSessionToken into the console", hint);
        }
        if settings.session_policy.is_some() || !settings.policy_arns.is_empty() {
            let key = if settings.session_policy.is_some() { "session_policy" } else { "policy_arns" };
            self.problem(key, "GetSessionToken takes no session policy", "limit the user itself, or use operation = \"federation_token\"");
        }
        user.and_then(|user| Target::iam_user(user.partition, user.account, &user.id))
    }
}

impl Entitlement {
    /// Whether the code of an MFA device must come along.
    #[must_use]
    pub const fn needs_mfa_code(&self) -> bool {
        self.operation.needs_mfa_code()
    }

    /// The code that came along, where one must.
    ///
    /// # Errors
    /// [`Denied::MfaCode`] if it is missing, or no code.
    pub(super) fn mfa_code(&self, said: Option<&str>) -> Result<Option<MfaCode>, Denied> {
        if !self.needs_mfa_code() {
            return Ok(None);
        }
        said.and_then(MfaCode::parse).map(Some).ok_or(Denied::MfaCode)
    }
}
