//! The author's form of accounts and rules, as it stands in the configuration file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GatewayRole, Purpose, ReasonSettings, RequestableSettings};
use crate::arn::Partition;
use crate::clock::Moment;
use crate::settings::Span;

/// An AWS account that rules may grant roles in. An account that is not known cannot be reached, whatever a rule says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountSettings {
    /// Twelve digits, as a string: leading zeros count.
    pub id: String,
    /// The name that people and rules use.
    pub name: String,
    /// Its alias in IAM, which people know from the address of its sign-in page: they find and name the account by it. Rules do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The partition that the account lives in.
    #[serde(default)]
    pub partition: Partition,
    /// Labels that rules select by (`tag:env=prod`) and that the portal shows.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The path of its organizational unit, such as `/Workloads/Prod`, for rules that select by it (`ou:/Workloads/**`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ou: Option<String>,
    /// IAM's SAML provider in this account, by name or as a whole ARN, where it is not called as `trust.saml.provider_name` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saml_provider: Option<String>,
    /// The id that AWS gave to the SAML provider of this account for its own sign-in address (`…/saml/acs/ID`), which an account that
    /// demands encrypted assertions must use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saml_acs_id: Option<String>,
    /// Whether the organization, which would tell its unit and tags, does not tell of it. Never read from a file.
    #[serde(skip_deserializing, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(skip)]
    pub unplaced: bool,
}

/// Whether a rule gives or takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The rule grants its roles.
    #[default]
    Allow,
    /// The rule takes its roles away, whatever else grants them.
    Deny,
}

/// How AWS is asked for a role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `AssumeRoleWithWebIdentity` with a token that Rolegate mints.
    #[default]
    WebIdentity,
    /// `AssumeRoleWithWebIdentity` with the person's own ID token, passed on as it came.
    ForwardedWebIdentity,
    /// `AssumeRoleWithSAML` with a response that Rolegate mints. Needs `[trust.saml]`.
    Saml,
    /// `AssumeRoleWithSAML` with the response of the person's own provider, passed on as it came within its five minutes. Needs a
    /// `[[saml_provider]]` with an `aws_recipient`.
    ForwardedSaml,
    /// `AssumeRole` with the AWS identity that Rolegate runs under, or, with `via`, with that of a role on the way.
    AssumeRole,
    /// `GetFederationToken` with an IAM user's keys that Rolegate holds: a session without a role, always with a session policy.
    FederationToken,
    /// `GetSessionToken` with an IAM user's keys that Rolegate holds, and the code of the user's MFA device.
    SessionToken,
}

impl Operation {
    /// Whether Rolegate says itself what a role's session carries, so that session tags and a source identity can be in it.
    #[must_use]
    pub const fn carries_attributes(self) -> bool {
        matches!(self, Self::WebIdentity | Self::Saml | Self::AssumeRole)
    }

    /// Whether session tags can be in the session.
    #[must_use]
    pub const fn carries_tags(self) -> bool {
        self.carries_attributes() || matches!(self, Self::FederationToken)
    }

    /// Whether the keys of an IAM user ask, and no role is reached.
    #[must_use]
    pub const fn needs_iam_user(self) -> bool {
        matches!(self, Self::FederationToken | Self::SessionToken)
    }

    /// Whether the code of an MFA device must come along.
    #[must_use]
    pub const fn needs_mfa_code(self) -> bool {
        matches!(self, Self::SessionToken)
    }

    /// Whether AWS lets the session into the console (IAM User Guide, "Compare AWS STS credentials").
    #[must_use]
    pub const fn enters_console(self) -> bool {
        !matches!(self, Self::SessionToken)
    }

    /// Whether a proof of the person authorises the call. Every other one is signed with AWS credentials.
    #[must_use]
    pub const fn needs_proof(self) -> bool {
        matches!(self, Self::WebIdentity | Self::ForwardedWebIdentity | Self::Saml | Self::ForwardedSaml)
    }

    /// Whether a role on the way (`via`) can be reached so: by what Rolegate says itself.
    #[must_use]
    pub const fn reaches_a_hub(self) -> bool {
        self.carries_attributes()
    }

    /// Whether the call has the parameter `ExternalId` (STS API reference, `AssumeRole`).
    #[must_use]
    pub const fn takes_external_id(self) -> bool {
        matches!(self, Self::AssumeRole)
    }

    /// The name under which STS and CloudTrail know the call.
    #[must_use]
    pub const fn sts_name(self) -> &'static str {
        match self {
            Self::WebIdentity | Self::ForwardedWebIdentity => "AssumeRoleWithWebIdentity",
            Self::Saml | Self::ForwardedSaml => "AssumeRoleWithSAML",
            Self::AssumeRole => "AssumeRole",
            Self::FederationToken => "GetFederationToken",
            Self::SessionToken => "GetSessionToken",
        }
    }
}

/// How people get into the console.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsoleWay {
    /// Rolegate takes credentials from STS and trades them for a sign-in address. The only way for an operation other than `saml`.
    #[default]
    Federation,
    /// The browser posts the SAML response to AWS's sign-in page; STS is not called. The usual way for the operation `saml`.
    Post,
}

/// Whether something travels into the AWS session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Carry {
    /// It is sent; a role whose trust policy does not allow it refuses, and the person is told whose it is to mend.
    #[default]
    Required,
    /// It is sent; where the role's trust policy does not allow it, the call is made once more without it, and the audit event says so.
    IfAllowed,
    /// It is not sent.
    Off,
}

/// One rule: who it matches, and which roles it gives or takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own in the file")]
pub struct RuleSettings {
    /// A name for audit events and explanations.
    pub id: String,
    /// Whether the rule gives or takes.
    #[serde(default)]
    pub effect: Effect,
    /// Names or aliases of groups; having any one of them matches.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Groups that are needed beside the other matchers, all of them. Alone they match by themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups_all: Vec<String>,
    /// Groups none of which may be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups_none: Vec<String>,
    /// A pattern that a whole group name must match; its named captures (`(?<account>…)`) can be used in `accounts`, `roles` and `tags`.
    #[serde(default)]
    pub group_pattern: Option<String>,
    /// Matches everyone whom a provider vouches for.
    #[serde(default)]
    pub everyone: bool,
    /// Providers whose people the rule is about; without it, those of all.
    #[serde(default)]
    pub providers: Vec<String>,
    /// A condition in CEL beside the groups: `auth.mfa && request.ip.within("10.0.0.0/8")`. One that cannot be evaluated for somebody lets an
    /// allow not hold, and a deny hold.
    #[serde(default)]
    pub when: Option<String>,
    /// What the roles may be taken for: by people `"console"` and `"credentials"`, which is what an allow without it means; by workloads
    /// `"workload"`, which must be said. A deny takes them for these alone, and for every purpose without it.
    #[serde(default)]
    pub purposes: Vec<Purpose>,
    /// From when on the rule gives nothing any more, as `2026-12-31T00:00:00Z`.
    #[serde(default)]
    pub until: Option<Moment>,
    /// Accounts by id, by name, by tag (`tag:env=prod`), by organizational unit (`ou:/Workloads/**`), by capture (`${account}`), or all (`*`). Not needed where `roles` are whole ARNs.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Roles by name (a path may stand before it) or as whole ARNs; captures may be used. In a deny rule, none means all.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Roles of the gateway itself: `"administrator"`, `"auditor"`. Such a rule gives, or takes, these alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gateway: Vec<GatewayRole>,
    /// The longest AWS session that the rule allows, 15 minutes to 12 hours. Where several rules grant a role, the shortest wins.
    #[serde(default)]
    pub max_session: Option<Span>,
    /// A file with a policy document (JSON) that limits the session below what the role may do. A relative path starts at the
    /// configuration file's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_policy: Option<String>,
    /// ARNs of managed policies that limit the session in the same way, at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_arns: Vec<String>,
    /// How long ago people may have proved themselves to their provider. Whose sign-in is older is sent there, and comes back to the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_auth_age: Option<Span>,
    /// Authentication context classes one of which the sign-in must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require_acr: Vec<String>,
    /// Whether a second factor must have been used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_mfa: bool,
    /// What people must say before they get the roles: a reason, or a ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonSettings>,
    /// Makes the roles requestable: who matches does not hold them, and may ask for them for a while. Members of the groups `approvers` grant it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requestable: Option<RequestableSettings>,
    /// Whether the roles are for emergencies: who matches takes them at once, always with a reason, and it is an alarm.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub break_glass: bool,
    /// How AWS is asked for the role.
    #[serde(default)]
    pub operation: Option<Operation>,
    /// The `[[iam_user]]` whose keys ask AWS. For `operation = "federation_token"` and `"session_token"` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam_user: Option<String>,
    /// The name of the session without a role, for rules, links and pages. For `operation = "federation_token"` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federated: Option<String>,
    /// What the role's trust policy demands as `sts:ExternalId`, with placeholders as in `tags`. For `operation = "assume_role"` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The whole ARN of a role on the way: it is taken first, and the rule's roles with its credentials. For `operation = "assume_role"` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// How AWS is asked for the role on the way: `web_identity` (without it), `saml` or `assume_role`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via_operation: Option<Operation>,
    /// How people get into the console. Without it, `post` for the operation `saml` and `federation` for every other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<ConsoleWay>,
    /// Whether credentials that were issued may be handed out again, in the same session and to the same request, until 80 % of their life.
    /// Where several rules grant a role, all of them must say so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reuse_credentials: bool,
    /// Session tags: AWS tag key to value, with `${claims.NAME}`, `${username}`, `${subject}`, `${provider}` or captures in it.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Keys of `tags` that stay with the session through role chaining.
    #[serde(default)]
    pub transitive_tags: Vec<String>,
    /// Claims that people cannot edit at the provider although they often can elsewhere: rules that go by them are not warned of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_claims: Vec<String>,
    /// Whether the session tags travel into the AWS session.
    #[serde(default)]
    pub carry_tags: Option<Carry>,
    /// Whether the source identity travels into the AWS session.
    #[serde(default)]
    pub carry_source_identity: Option<Carry>,
}

/// How people are named in AWS sessions.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NamingSettings {
    /// The role session's name. What AWS does not allow in it is written as `=` and two hex digits; what is too long ends in `==` and a digest.
    pub session_name: String,
    /// The source identity: the person's stable key, which CloudTrail shows for every call, also after role chaining.
    pub source_identity: String,
}

impl Default for NamingSettings {
    fn default() -> Self {
        Self { session_name: "${username}".into(), source_identity: "${provider}+${subject}".into() }
    }
}
