//! Who somebody is, which roles they may have, and why.

use std::collections::BTreeMap;

use actix_web::web;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::describe::Answer;
use super::who::Client;
use crate::access::{Entitlement, Operation, Purpose, Target};
use crate::clock::Moment;
use crate::store;
use crate::web::trouble::PageError;

/// How a session was begun.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SessionKind {
    /// By a sign-in in a browser.
    Browser,
    /// By a command line that the person let in.
    CommandLine,
}

impl From<&store::SessionKind> for SessionKind {
    fn from(kind: &store::SessionKind) -> Self {
        match kind {
            store::SessionKind::Browser => Self::Browser,
            store::SessionKind::CommandLine { .. } => Self::CommandLine,
        }
    }
}

/// Who is signed in.
#[derive(Serialize, JsonSchema)]
pub(in crate::web) struct Me {
    /// A name that people recognise; it decides nothing.
    username: String,
    /// The provider's own, never re-assigned name for the person.
    subject: String,
    /// The id of the identity provider that vouches.
    provider: String,
    /// The groups, exactly as the provider sent them.
    groups: Vec<String>,
    /// The session that this request came in.
    session: MySession,
}

/// The session that a request came in.
#[derive(Serialize, JsonSchema)]
struct MySession {
    /// When the person signed in.
    began: Moment,
    /// When it ends if it is not used before.
    idle_ends: Moment,
    /// When it ends however much it is used.
    ends: Moment,
    /// How it was begun.
    kind: SessionKind,
    /// What the machine calls itself that it was begun for; none for a browser's.
    name: Option<String>,
}

/// `GET /api/v1/me`.
pub(super) async fn me(client: Client) -> Result<Answer<Me>, PageError> {
    let me = client.signed_in().await?;
    let (gateway, session) = (&me.client.site.gateway, &me.session);
    let identity = &session.identity;
    let idle_ends = (gateway.now() + gateway.limits.idle.0).min(session.expires);
    Ok(Answer(Me {
        username: identity.username().to_owned(),
        subject: identity.subject().to_owned(),
        provider: identity.provider().to_string(),
        groups: identity.groups().to_vec(),
        session: MySession {
            began: session.created,
            idle_ends,
            ends: session.expires,
            kind: (&session.kind).into(),
            name: session.kind.name().map(ToString::to_string),
        },
    }))
}

/// The roles that somebody may have.
#[derive(Serialize, JsonSchema)]
pub(in crate::web) struct Roles {
    /// Ordered by account and role.
    roles: Vec<OwnRole>,
}

/// A role that somebody may have.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Role")]
struct OwnRole {
    /// The role's ARN, or the text of what is no role.
    arn: String,
    /// What it is.
    kind: RoleKind,
    /// The account it lives in.
    account: Account,
    /// Its name, with its path if it has one.
    role: String,
    /// How AWS is asked for it.
    operation: Operation,
    #[serde(flatten)]
    way: Way,
    /// Whether it is for emergencies: who asks for it says so with `break_glass`, and it is an alarm.
    break_glass: bool,
    /// How it can be had in an emergency, with `break_glass` and as an alarm, where it cannot be had otherwise for that purpose, or not at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    emergency: Option<Way>,
}

/// A way to have a role.
#[derive(Serialize, JsonSchema)]
struct Way {
    /// What the role may be taken for.
    purposes: Vec<Purpose>,
    /// The longest session to ask for, in seconds: what the rules allow, or less, where AWS refused it of late and less is worth a try. It may
    /// still allow less than this.
    max_session_seconds: u64,
    /// What must be brought before it is handed out.
    needs: Needs,
    /// Why it cannot be taken although it is granted; an administrator must mend that.
    #[serde(skip_serializing_if = "Option::is_none")]
    obstacle: Option<String>,
}

impl From<&Entitlement> for Way {
    fn from(way: &Entitlement) -> Self {
        Self {
            purposes: way.purposes.list(),
            max_session_seconds: way.longest_offered().as_secs(),
            needs: way.into(),
            obstacle: way.obstacle.as_ref().map(crate::web::trouble::denial),
        }
    }
}

/// What a session acts as.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RoleKind {
    /// A role.
    Role,
    /// A federated session without a role.
    FederatedSession,
    /// An IAM user whose keys the gateway holds.
    IamUser,
}

impl From<&Target> for RoleKind {
    fn from(target: &Target) -> Self {
        match target {
            Target::Role(_) => Self::Role,
            Target::Federated(_) => Self::FederatedSession,
            Target::IamUser(_) => Self::IamUser,
        }
    }
}

/// An AWS account.
#[derive(Serialize, JsonSchema)]
struct Account {
    /// Its twelve digits.
    id: String,
    /// The name that people use.
    name: String,
    /// Its alias in IAM, if it is known.
    alias: Option<String>,
    /// Its labels.
    tags: BTreeMap<String, String>,
    /// The path of its organizational unit, if it is known.
    ou: Option<String>,
}

/// What must be brought before a role is handed out.
#[derive(Serialize, JsonSchema)]
struct Needs {
    /// What must be said.
    reason: Option<Reason>,
    /// Whether another sign-in is wanted than this session's.
    fresh_sign_in: bool,
    /// Whether the code of an AWS MFA device is wanted.
    mfa_code: bool,
}

/// What must be said before a role is handed out.
#[derive(Serialize, JsonSchema)]
struct Reason {
    /// How it is said.
    kind: ReasonKind,
    /// The pattern that the whole text must match, in the syntax of Rust's crate `regex`. None if any text will do, or if several rules each
    /// have their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    /// What to write, as the rules put it for people.
    hint: String,
}

/// How a reason is said.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ReasonKind {
    /// In one line of text.
    Text,
}

/// `GET /api/v1/roles`.
pub(super) async fn roles(client: Client) -> Result<Answer<Roles>, PageError> {
    let me = client.signed_in().await?;
    let entitlements = me.client.site.gateway.entitlements(&me.session, &me.client.caller);
    Ok(Answer(Roles { roles: entitlements.roles().iter().map(OwnRole::from).collect() }))
}

impl From<&Entitlement> for OwnRole {
    fn from(entitlement: &Entitlement) -> Self {
        let account = &entitlement.account;
        Self {
            arn: entitlement.target.to_string(),
            kind: (&entitlement.target).into(),
            account: Account {
                id: account.id.to_string(),
                name: account.name.clone(),
                alias: account.alias.clone(),
                tags: account.tags.iter().cloned().collect(),
                ou: account.ou.clone(),
            },
            role: entitlement.target.path_and_name().to_owned(),
            operation: entitlement.operation,
            way: entitlement.into(),
            break_glass: entitlement.break_glass,
            emergency: entitlement.emergency.as_deref().map(Way::from),
        }
    }
}

impl From<&Entitlement> for Needs {
    fn from(entitlement: &Entitlement) -> Self {
        Self {
            reason: entitlement.wanted_reason().map(|hint| {
                let pattern = entitlement.reason_pattern().map(str::to_owned);
                Reason { kind: ReasonKind::Text, pattern, hint }
            }),
            fresh_sign_in: entitlement.step_up.is_some(),
            mfa_code: entitlement.needs_mfa_code(),
        }
    }
}

/// Which role is to be explained.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct Which {
    /// The role's ARN, or `ACCOUNT/ROLE` with the account's name or its twelve digits.
    role: String,
}

/// Why somebody has a role, or what is missing: what the page `/explain` says, as far as the configuration lets people know.
#[derive(Serialize, JsonSchema)]
pub(in crate::web) struct Explained {
    /// The role: its ARN where it is granted, else as it was asked for.
    role: String,
    /// Whether it may be had now.
    granted: bool,
    /// What gives it, as sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<Vec<String>>,
    /// What limits it, as sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<Vec<String>>,
    /// What is missing, as a sentence for each way to the role, the nearest first. They say nothing of what rules look like.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<String>>,
    /// The id that finds the gateway's log line, which names the rules. It helps administrators.
    incident: String,
}

/// `GET /api/v1/explain`. It is not there where the configuration lets people know nothing.
pub(super) async fn explain(client: Client, which: web::Query<Which>) -> Result<Answer<Explained>, PageError> {
    let me = client.signed_in().await?;
    let told = me.client.site.gateway.explain(&me.session, &me.client.caller, &which.role);
    let told = told.ok_or(PageError::NotFound)?.map_err(|_| PageError::Unreadable)?;
    let (granted, role) = (told.granted.is_some(), told.granted.map_or(told.asked, |role| role.to_string()));
    let (of_granted, of_refused) = (|texts| granted.then_some(texts), |texts| (!granted).then_some(texts));
    Ok(Answer(Explained {
        role,
        granted,
        by: of_granted(told.by),
        limits: of_granted(told.limits),
        missing: of_refused(told.missing),
        incident: told.incident,
    }))
}
