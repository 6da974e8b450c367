//! Which roles, under what limits, and why: a pure function of policy, identity and context.
//!
//! Rules are written in an author's form ([`RuleSettings`]) and compiled into an immutable [`Policy`]. [`Policy::entitlements`] is
//! computed anew at every use and never stored, and [`Entitlements::choose`] is the only maker of [`AssumeRequest`]: STS cannot be
//! asked for a role that no rule granted.

mod accounts;
mod chain;
mod choose;
mod compare;
mod compile;
mod condition;
mod decide;
mod demands;
mod deny;
mod discovered;
mod draft;
mod elevation;
mod explain;
mod findings;
mod gateway_roles;
mod groups;
mod iam_user;
mod inventory;
mod length;
mod listed;
mod meter;
mod naming;
mod patterns;
mod person;
mod purposes;
mod reads;
mod reason;
mod request;
mod reuse;
mod roles;
mod rule;
mod session_policy;
mod settings;
mod target;
mod template;
#[cfg(test)]
mod tests;
mod trial;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use chain::{ExternalId, Hub};
pub use compare::{Became, ByHand, Difference, MoreAsked, Widening};
pub use compile::{Policy, Sources};
pub use condition::{Concern, Failed as ConditionFailed};
pub use decide::{Given, SessionNames};
pub use discovered::with_discovered;
pub use elevation::{Asked, Asking, Elevation, LONGEST_ELEVATION, Requestable, RequestableSettings, SHORTEST_ELEVATION, USUAL_ELEVATION};
pub use explain::{
    Because, Called, Disclosure, Explanation, Grant, Lack, Miss, Missing, NearMiss, NotARole, OwnExplanation, OwnGrant, Refusal, Way,
};
pub use findings::EDITABLE_CLAIMS;
pub use gateway_roles::{GatewayGrant, GatewayRole};
pub use groups::{GroupIds, GroupNames, GroupSettings};
pub use iam_user::{IamUser, IamUserSettings, LONGEST_USER_SESSION, MfaCode};
pub use inventory::{Built, ExternalIdMask, Gives, RoleMask, Use};
pub use length::next_shorter;
pub use listed::listed;
pub use meter::{Meter, Stopped};
pub use naming::{encode_federated_name, encode_name};
pub use person::Person;
pub use purposes::Purposes;
pub use reason::{Reason, ReasonSettings};
pub use request::AssumeRequest;
pub use reuse::Fingerprint;
pub use session_policy::{PolicyFiles, SessionPolicy, read_policies};
pub use settings::{AccountSettings, Carry, ConsoleWay, Effect, NamingSettings, Operation, RuleSettings};
pub use target::{Named, NoTarget, Target};
pub use trial::{TestSettings, run_tests, run_tests_within};

use crate::arn::{AccountId, Partition, SamlProviderArn};
use crate::clock::Moment;
use crate::identity::{Demand, StepUp};

/// The longest session that STS grants to a federated role (12 hours).
pub const LONGEST_SESSION: Duration = Duration::from_hours(12);
/// The shortest session that STS grants (15 minutes).
pub const SHORTEST_SESSION: Duration = Duration::from_mins(15);
/// What STS grants when nothing is asked for, and every role allows (1 hour).
pub const USUAL_SESSION: Duration = Duration::from_hours(1);

/// The longest session of a role that is taken with another role's credentials (role chaining; STS API reference, `AssumeRole`).
pub const CHAINED_SESSION: Duration = Duration::from_hours(1);

/// An account that rules may grant roles in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Its twelve digits.
    pub id: AccountId,
    /// The name that people use.
    pub name: String,
    /// Its alias in IAM, by which people may name it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The partition it lives in.
    pub partition: Partition,
    /// Labels for rules and pages, by key.
    pub tags: Vec<(String, String)>,
    /// The path of its organizational unit, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ou: Option<String>,
    /// IAM's SAML provider in it, where it has a name of its own.
    #[serde(skip)]
    pub saml_provider: Option<SamlProviderArn>,
    /// The id in the SAML provider's own sign-in address.
    #[serde(skip)]
    pub saml_acs_id: Option<String>,
}

impl Account {
    /// Whether people mean it by a word: its id, its name or its alias.
    #[must_use]
    pub fn is_called(&self, word: &str) -> bool {
        word.parse::<AccountId>().map_or_else(|_| self.name == word || self.alias.as_deref() == Some(word), |id| self.id == id)
    }
}

/// What a role is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To enter the console in a browser.
    Console,
    /// To take credentials, from a page or with the command line.
    Credentials,
    /// To run as: a workload's credentials, for its platform's token.
    Workload,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::Console, Self::Credentials, Self::Workload];

    /// The word for it in rules.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Credentials => "credentials",
            Self::Workload => "workload",
        }
    }
}

/// What a decision may depend on beside the person.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// The moment of the decision.
    pub now: Moment,
    /// The address the request came from, if it is known.
    pub ip: Option<IpAddr>,
}

/// Every role that one person may have in one context, with its limits and its reasons.
#[derive(Debug, Clone)]
pub struct Entitlements {
    /// Ordered by account name, account id and role name.
    pub(crate) roles: Vec<Entitlement>,
    /// How the person is named in AWS sessions.
    pub(crate) names: Names,
    /// The digest of the policy that was asked.
    pub(crate) policy: Arc<str>,
    /// Conditions that could not be evaluated for this person.
    pub(crate) faults: Vec<Fault>,
    /// Roles of the gateway itself, ordered.
    pub(crate) gateway: Vec<GatewayGrant>,
    /// Roles that are not held and may be asked for, ordered as the others.
    pub(crate) requestable: Vec<Requestable>,
}

/// A condition that could not be evaluated for somebody: an allow gave nothing, a deny took all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The rule.
    pub rule: Arc<str>,
    /// Why, without any claim's value.
    pub why: ConditionFailed,
}

/// How a person is named in AWS sessions, or why they cannot be.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// As the rules fill it in: each operation has a length of its own.
    pub(crate) session_name: Result<String, Denied>,
    pub(crate) source_identity: Result<String, Denied>,
    pub(crate) subject: String,
}

/// One role that a person may have, or what else rules grant.
#[derive(Debug, Clone)]
pub struct Entitlement {
    /// The role, or what the session acts as without one.
    pub target: Target,
    /// The account it lives in.
    pub account: Arc<Account>,
    /// What it may be taken for.
    pub purposes: Purposes,
    /// The longest session that the rules allow; AWS may allow less.
    pub max_session: Duration,
    /// What AWS was found to allow, where it refused more of late.
    pub learnt: Option<Duration>,
    /// From when on no rule of today gives it any more; none where one gives it without an end.
    pub until: Option<Moment>,
    /// What limits the session below what the role may do.
    pub session_policy: Option<Arc<SessionPolicy>>,
    /// What is wanted of the sign-in.
    pub demand: Demand,
    /// What this sign-in lacks of it: the role can be had after another one.
    pub step_up: Option<Box<StepUp>>,
    /// What people must say before they get it: all of these.
    pub reasons: Vec<Arc<Reason>>,
    /// How AWS is asked for it.
    pub operation: Operation,
    /// The role on the way to it.
    pub hub: Option<Arc<Hub>>,
    /// What is sent as external id.
    pub external_id: Option<ExternalId>,
    /// The IAM user whose keys ask, where no role is reached.
    pub iam_user: Option<Arc<IamUser>>,
    /// Whether it is taken with a role's credentials, so that AWS ends its sessions after [`CHAINED_SESSION`].
    pub chained: bool,
    /// How one gets into the console with it.
    pub console: ConsoleWay,
    /// Whether credentials that were issued may be handed out again in the same session: every rule that grants it says so.
    pub reuse: bool,
    /// Session tags, values filled in, ordered by key.
    pub tags: Vec<SessionTag>,
    /// Whether the tags travel into the AWS session.
    pub carry_tags: Carry,
    /// Whether the source identity travels into the AWS session.
    pub carry_source_identity: Carry,
    /// The rules that grant it, and the groups that matched them.
    pub evidence: Vec<Evidence>,
    /// Whether it is for emergencies: to take it is an alarm.
    pub break_glass: bool,
    /// The way to it in an emergency, for what this one does not give or cannot give at once. None beside one that is for emergencies itself.
    pub emergency: Option<Box<Entitlement>>,
    /// For what it is held without a grant: another rule gives it for that.
    held_anyway: Purposes,
    /// What was granted on request and makes those of the rules hold that want it, each with what it gives the role for; ordered by id.
    granted_for: Vec<elevation::GrantedFor>,
    /// Why it cannot be taken although it is granted: rules that contradict each other, or a tag without its claim.
    pub obstacle: Option<Denied>,
}

/// A session tag (STS: key 1–128, value 0–256 characters).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionTag {
    /// The tag's key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Whether it stays with the session through role chaining.
    pub transitive: bool,
}

/// A rule that granted, and what made it match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The rule's id.
    pub rule: Arc<str>,
    /// The group that matched; none for a rule that is about everyone.
    pub group: Option<String>,
    /// The groups that fulfilled the rule's `groups_all`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Arc<str>>,
}

/// What somebody asks for. Nothing in it is trusted: [`Entitlements::choose`] compares it with what the rules grant.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The role's ARN, or the text of another [`Target`], as it was posted.
    pub role: String,
    /// The session length wanted; none for the usual one.
    pub duration: Option<Duration>,
    /// What it is wanted for.
    pub purpose: Purpose,
    /// What the person says that they need it for.
    pub reason: Option<String>,
    /// The code of their MFA device, where one is needed.
    pub mfa_code: Option<SecretString>,
    /// Whether it is wanted as in an emergency. It says nothing where the role can be had without one.
    pub break_glass: bool,
}

/// Why a role is not handed out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No rule grants this role to this person.
    #[error("no rule grants this role")]
    NotGranted,
    /// The rules give this role for other purposes only.
    #[error("the rules do not give this role for that purpose")]
    Purpose(Purpose),
    /// The wanted length is outside 15 minutes and what the rules allow.
    #[error("the session may last from 15 minutes to {0:?}")]
    Duration(Duration),
    /// The rules want another sign-in than this one.
    #[error("the rules want another sign-in; {0}")]
    StepUp(Box<StepUp>),
    /// The role is for emergencies, or for that purpose it is, and the wish does not say that this is one.
    #[error("the role is for emergencies, and it was not said that this is one")]
    BreakGlass,
    /// The person does not hold the role, and may ask for it.
    #[error("the role is had on request, and none of the person's was granted")]
    OnRequest,
    /// A grant may be asked for from 15 minutes to so long.
    #[error("the role may be asked for from 15 minutes to {0:?}")]
    RequestLength(Duration),
    /// The rules want to be told why, and what was said is not what they want.
    #[error("the rules want a reason that was not given: {0}")]
    Reason(String),
    /// AWS wants the code of an MFA device, and six digits did not come.
    #[error("the code of an MFA device is needed")]
    MfaCode,
    /// Rules that grant the same role contradict each other.
    #[error("rules that grant this role contradict each other: {0}")]
    Contradiction(String),
    /// A session tag or a name cannot be made from the person's claims.
    #[error("the rule needs the claim `{0}`, and the sign-in did not bring it")]
    MissingClaim(String),
    /// A session tag's value is not one that AWS accepts.
    #[error("the value for the session tag `{0}` is not one that AWS accepts")]
    TagValue(String),
    /// The external id that the person's claims make is not one that AWS accepts.
    #[error("the external id for this role is not one that AWS accepts")]
    ExternalId,
}
