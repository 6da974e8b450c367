//! What an event says.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::access::{Elevation, Purpose, SessionTag};
use crate::arn::AccountId;
use crate::clock::Moment;
use crate::identity::{Authentication, Identity, ProviderId};

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Whether somebody is signed in.
    SignIn,
    /// Whether credentials or a console sign-in are handed over.
    Issue,
    /// The end of one session or of all of a person's.
    SignOut,
    /// Whether somebody lets a command line act for them.
    CommandLine,
    /// Whether somebody looks into the trail.
    #[serde(rename = "audit.read")]
    AuditRead,
    /// Whether somebody sees and does what administrators of the gateway may; sessions that they end are sign-outs.
    Administration,
    /// Whether somebody asks for a role that is had on request.
    #[serde(rename = "request.made")]
    RequestMade,
    /// Whether somebody grants what another one asked for.
    #[serde(rename = "request.approved")]
    RequestApproved,
    /// Whether somebody refuses it.
    #[serde(rename = "request.refused")]
    RequestRefused,
    /// Whether who asked takes it back, or gives back what was granted.
    #[serde(rename = "request.withdrawn")]
    RequestWithdrawn,
    /// Whether an administrator ends what was granted.
    #[serde(rename = "grant.revoked")]
    GrantRevoked,
    /// That the trail can be written again after it could not.
    Recovery,
    /// That one of several sinks does not take events.
    #[serde(rename = "audit.degraded")]
    AuditDegraded,
    /// That another policy is in force.
    #[serde(rename = "policy.reloaded")]
    PolicyReloaded,
    /// That a policy was not taken, and the one in force stays.
    #[serde(rename = "policy.refused")]
    PolicyRefused,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As wanted.
    Ok,
    /// By decision: the rules, the protocol or AWS said no.
    Refused,
    /// By accident: something did not work.
    Failed,
}

/// Who it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The provider that vouches.
    pub provider: ProviderId,
    /// The provider's own, stable name for the person.
    pub subject: String,
    /// The name that people recognise.
    pub username: String,
}

impl From<&Identity> for Person {
    fn from(identity: &Identity) -> Self {
        Self { provider: identity.provider().clone(), subject: identity.subject().to_owned(), username: identity.username().to_owned() }
    }
}

/// How and when somebody signed in, without the provider's own session id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HowSignedIn {
    /// When the person last proved themselves to the provider, if it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Moment>,
    /// Whether a second factor was used.
    pub mfa: bool,
    /// The authentication context class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// The methods used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
}

impl From<&Authentication> for HowSignedIn {
    fn from(came: &Authentication) -> Self {
        Self { time: came.time, mfa: came.mfa, acr: came.acr.clone(), amr: came.amr.clone() }
    }
}

/// A request, or what was granted on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrantNote {
    /// What names it in all events about it.
    pub id: String,
    /// The rule that made the role requestable.
    pub rule: String,
    /// The stable key of who granted it, where it was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
    /// When it ends, where it was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
}

impl From<&Elevation> for GrantNote {
    fn from(used: &Elevation) -> Self {
        Self { id: used.id.clone(), rule: used.rule.clone(), approver: Some(used.approver.0.clone()), until: Some(used.until) }
    }
}

/// One decision. Begun with [`Event::new`], filled as the request goes on, recorded however it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a member of its own in the line")]
pub struct Event {
    /// When it was decided.
    pub time: Moment,
    /// The random id that the page shows and the log's lines carry.
    pub incident: String,
    /// What was decided.
    pub kind: Kind,
    /// How it went.
    pub outcome: Outcome,
    /// Why it did not go as wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether a sign-in was begun by the provider, and not in the browser that it ended in.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unasked: bool,
    /// Who it is about, once that is proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
    /// Who did it, where that is not who it is about: an administrator who ends a session of theirs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Person>,
    /// What was looked for in the trail, or whose sessions, cut to [`LONGEST_TEXT`](super::LONGEST_TEXT).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_for: Option<String>,
    /// The groups that a sign-in brought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// Of the claims that a sign-in brought those that the rules in force look at, null for those that it did not bring.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String, Value>,
    /// How and when the person of a sign-in proved themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<HowSignedIn>,
    /// The provider whose answer was refused, when nobody is proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderId>,
    /// The address it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// What the browser calls itself, cut to [`LONGEST_TEXT`](super::LONGEST_TEXT).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The SHA-256 fingerprint of the certificate by which the client proved itself in TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<String>,
    /// What a command line's machine calls itself, when it acts or is let act for the person, cut to [`LONGEST_TEXT`](super::LONGEST_TEXT).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command_line: Option<String>,
    /// The address that a command line asked from to be let in by another machine's browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_from: Option<IpAddr>,
    /// The role's ARN, or the text of what was granted without a role: granted, or, in a refusal, as it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The role's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The STS operation, by the name that CloudTrail has for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<&'static str>,
    /// The IAM user whose keys asked, where no role was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iam_user: Option<String>,
    /// The role on the way, whose credentials asked for the role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<String>,
    /// The STS operation that reached the role on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub_operation: Option<&'static str>,
    /// The id of the access key that asked for the role: that of the session on the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub_access_key_id: Option<String>,
    /// Whether an external id was sent. Which one is nobody's business.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub external_id: bool,
    /// Whether a role's credentials asked for the role, so that AWS ends the session after an hour.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub chained: bool,
    /// What the role was wanted for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The AWS session's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_name: Option<String>,
    /// The AWS session's source identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_identity: Option<String>,
    /// The AWS session's tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<SessionTag>,
    /// The SHA-256 digest, in hex, of the policy document that limits the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_policy: Option<String>,
    /// The managed policies that limit the session.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policy_arns: Vec<String>,
    /// What the person said that they need the role for, where the rules want to be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stated_reason: Option<String>,
    /// Whether the role is for emergencies, and was taken without asking anybody.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// The request that it is about, or the grants by which a role was had.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantNote>,
    /// The ids of the rules that granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// The digest of the policy that was asked; where nothing is asked of it, of the one in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The digest of the policy that was in force before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_policy: Option<String>,
    /// What a workload's own token is called: its `jti`, or the digest of what was signed. Never the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// The `jti` of the minted token, or the digest of the forwarded one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof_id: Option<String>,
    /// The id of the access key that was issued: no secret, and CloudTrail's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// Whether it was issued before, within the same session, and is handed out again: AWS was not asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
    /// The ARN of the assumed role, or of the federated user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assumed_role: Option<String>,
    /// STS's own id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sts_request_id: Option<String>,
    /// When what was issued, or the session, ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Moment>,
    /// The AWS session's wanted length, in seconds.
    #[serde(rename = "duration_seconds", skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
}
