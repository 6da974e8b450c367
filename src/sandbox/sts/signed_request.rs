//! The parameters of the signed operations, with the patterns and limits of the STS service model.

use std::time::Duration;

use super::error::StsError;
use super::request::{duration, duration_up_to, name, policies, sized};
use super::tags::{self, SessionTag};
use crate::arn::RoleArn;
use crate::sandbox::http::Params;
use crate::sandbox::settings::SandboxUser;

/// The longest session of an IAM user (`GetFederationToken`, `GetSessionToken`), in seconds, and the usual one.
const LONGEST_OF_A_USER: u64 = 129_600;
const USUAL_OF_A_USER: Duration = Duration::from_hours(12);

/// The parameters of `AssumeRole`.
pub(super) struct RoleInput<'a> {
    pub(super) role: RoleArn,
    pub(super) session_name: &'a str,
    pub(super) external_id: Option<&'a str>,
    pub(super) source_identity: Option<&'a str>,
    pub(super) mfa: Option<(&'a str, &'a str)>,
    pub(super) tags: Vec<SessionTag>,
    pub(super) duration: Duration,
    /// Characters of the session policy and of the managed policies' ARNs.
    pub(super) policy_size: usize,
}

impl<'a> RoleInput<'a> {
    pub(super) fn read(params: &'a Params) -> Result<Self, StsError> {
        let role = sized(params, "RoleArn", 20..=2048)?;
        let role: RoleArn = role.parse().map_err(|error| StsError::validation(format!("{role} is invalid: {error}")))?;
        let session_name = name(params, "RoleSessionName", 64)?;
        let external_id = params.get("ExternalId").map(|_| sized(params, "ExternalId", 2..=1224)).transpose()?;
        let is_external = |text: &&str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte));
        if !external_id.iter().all(is_external) {
            return Err(StsError::constraint("externalId", r"Member must satisfy regular expression pattern: [\w+=,.@:\/-]*"));
        }
        let source_identity = params.get("SourceIdentity").map(|_| name(params, "SourceIdentity", 64)).transpose()?;
        if source_identity.is_some_and(|name| name.starts_with("aws:")) {
            return Err(StsError::validation("SourceIdentity must not begin with aws:"));
        }
        let tags = read_tags(params, &members(params, "TransitiveTagKeys.member.", ""))?;
        let (policy_size, duration) = (policies(params, role.partition(), role.account())?, duration(params)?);
        Ok(Self { role, session_name, external_id, source_identity, mfa: mfa(params)?, tags, duration, policy_size })
    }
}

/// The parameters of `GetFederationToken`.
pub(super) struct FederationInput<'a> {
    pub(super) name: &'a str,
    pub(super) tags: Vec<SessionTag>,
    pub(super) duration: Duration,
    pub(super) policy_size: usize,
}

impl<'a> FederationInput<'a> {
    pub(super) fn read(params: &'a Params, user: &SandboxUser) -> Result<Self, StsError> {
        Ok(Self {
            name: name(params, "Name", 32)?,
            tags: read_tags(params, &[])?,
            duration: duration_up_to(params, LONGEST_OF_A_USER, USUAL_OF_A_USER)?,
            policy_size: policies(params, user.partition, user.account)?,
        })
    }
}

/// The parameters of `GetSessionToken`.
pub(super) struct SessionInput<'a> {
    pub(super) mfa: Option<(&'a str, &'a str)>,
    pub(super) duration: Duration,
}

impl<'a> SessionInput<'a> {
    pub(super) fn read(params: &'a Params) -> Result<Self, StsError> {
        Ok(Self { mfa: mfa(params)?, duration: duration_up_to(params, LONGEST_OF_A_USER, USUAL_OF_A_USER)? })
    }
}

/// An MFA device's serial number and code, which come together or not at all.
fn mfa(params: &Params) -> Result<Option<(&str, &str)>, StsError> {
    if params.get("SerialNumber").is_none() && params.get("TokenCode").is_none() {
        return Ok(None);
    }
    let serial = sized(params, "SerialNumber", 9..=256)?;
    let code = sized(params, "TokenCode", 6..=6)?;
    if code.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(Some((serial, code)))
    } else {
        Err(StsError::constraint("tokenCode", r"Member must satisfy regular expression pattern: [\d]*"))
    }
}

/// A list of the query protocol, in its order.
fn members(params: &Params, before: &str, after: &str) -> Vec<String> {
    (1..).map_while(|number| params.get(&format!("{before}{number}{after}"))).map(str::to_owned).collect()
}

fn read_tags(params: &Params, transitive: &[String]) -> Result<Vec<SessionTag>, StsError> {
    let (keys, values) = (members(params, "Tags.member.", ".Key"), members(params, "Tags.member.", ".Value"));
    if keys.len() != values.len() {
        return Err(StsError::validation("Each tag has a Key and a Value."));
    }
    // The limits are those of tags in a token; the code is another one.
    tags::check(keys.into_iter().zip(values).collect(), transitive).map_err(|error| StsError::validation(error.message))
}
