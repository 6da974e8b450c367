//! The parameters of `AssumeRoleWithWebIdentity` and `AssumeRoleWithSAML`, with the patterns and limits of the STS service model.

use std::time::Duration;

use serde_json::Value;

use super::error::StsError;
use crate::arn::{AccountId, Partition, RoleArn, SamlProviderArn, is_name_byte};
use crate::sandbox::http::Params;

/// Policies in plain text: this many characters together (STS API reference).
const POLICY_LIMIT: usize = 2048;

/// A call whose every parameter has its form; nothing is known yet about the token.
pub(super) struct AssumeInput<'a> {
    pub(super) role: RoleArn,
    pub(super) session_name: &'a str,
    pub(super) unverified_token: &'a str,
    pub(super) duration: Duration,
    /// Characters of the session policy and of the managed policies' ARNs.
    pub(super) policy_size: usize,
}

impl<'a> AssumeInput<'a> {
    pub(super) fn read(params: &'a Params) -> Result<Self, StsError> {
        let role = sized(params, "RoleArn", 20..=2048)?;
        let role: RoleArn = role.parse().map_err(|error| StsError::validation(format!("{role} is invalid: {error}")))?;
        let session_name = name(params, "RoleSessionName", 64)?;
        let unverified_token = sized(params, "WebIdentityToken", 4..=20_000)?;
        if params.get("ProviderId").is_some() {
            return Err(StsError::validation("ProviderId is for OAuth 2.0 access tokens; it must not come with an OpenID Connect token."));
        }
        Ok(Self {
            policy_size: policies(params, role.partition(), role.account())?,
            role,
            session_name,
            unverified_token,
            duration: duration(params)?,
        })
    }
}

/// A call with a SAML response, whose every parameter has its form; nothing is known yet about the response.
pub(super) struct SamlInput<'a> {
    pub(super) role: RoleArn,
    pub(super) provider: SamlProviderArn,
    pub(super) unverified_assertion: &'a str,
    pub(super) duration: Duration,
    /// Characters of the session policy and of the managed policies' ARNs.
    pub(super) policy_size: usize,
}

impl<'a> SamlInput<'a> {
    pub(super) fn read(params: &'a Params) -> Result<Self, StsError> {
        let role = sized(params, "RoleArn", 20..=2048)?;
        let role: RoleArn = role.parse().map_err(|error| StsError::validation(format!("{role} is invalid: {error}")))?;
        let provider = sized(params, "PrincipalArn", 20..=2048)?;
        let provider = provider.parse().map_err(|error| StsError::validation(format!("{provider} is invalid: {error}")))?;
        let unverified_assertion = sized(params, "SAMLAssertion", 4..=100_000)?;
        Ok(Self {
            policy_size: policies(params, role.partition(), role.account())?,
            role,
            provider,
            unverified_assertion,
            duration: duration(params)?,
        })
    }
}

/// A name within STS's alphabet, of 2 characters at least.
pub(super) fn name<'a>(params: &'a Params, parameter: &str, longest: usize) -> Result<&'a str, StsError> {
    let name = sized(params, parameter, 2..=longest)?;
    if name.bytes().all(is_name_byte) {
        Ok(name)
    } else {
        Err(StsError::constraint(&camel(parameter), r"Member must satisfy regular expression pattern: [\w+=,.@-]*"))
    }
}

pub(super) fn sized<'a>(params: &'a Params, name: &str, limits: std::ops::RangeInclusive<usize>) -> Result<&'a str, StsError> {
    let value = params.get(name).ok_or_else(|| StsError::constraint(&camel(name), "Member must not be null"))?;
    if limits.contains(&value.chars().count()) {
        Ok(value)
    } else {
        Err(StsError::constraint(&camel(name), &format!("Member must have length between {} and {}", limits.start(), limits.end())))
    }
}

fn camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

pub(super) fn duration(params: &Params) -> Result<Duration, StsError> {
    duration_up_to(params, 43_200, Duration::from_hours(1))
}

/// A length of at least 900 seconds, or the usual one.
pub(super) fn duration_up_to(params: &Params, longest: u64, usual: Duration) -> Result<Duration, StsError> {
    let Some(text) = params.get("DurationSeconds") else { return Ok(usual) };
    match text.parse::<u64>() {
        Ok(seconds) if (900..=longest).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(StsError::constraint("durationSeconds", &format!("Member must be a number between 900 and {longest}"))),
    }
}

/// The plain-text size of the session policies, which must be policies.
pub(super) fn policies(params: &Params, partition: Partition, account: AccountId) -> Result<usize, StsError> {
    let managed: Vec<&str> =
        params.names().filter(|name| name.starts_with("PolicyArns.member.")).filter_map(|name| params.get(name)).collect();
    if managed.len() > 10 {
        return Err(StsError::validation("No more than 10 managed policies may be passed as session policies."));
    }
    let owners = [format!("arn:{partition}:iam::{account}:policy/"), format!("arn:{partition}:iam::aws:policy/")];
    if let Some(foreign) = managed.iter().find(|arn| !owners.iter().any(|owner| arn.len() > owner.len() && arn.starts_with(owner.as_str())))
    {
        return Err(StsError::validation(format!("{foreign} is not a managed policy of the account.")));
    }
    let mut inline = 0;
    if params.get("Policy").is_some() {
        let text = sized(params, "Policy", 1..=POLICY_LIMIT)?;
        let document = serde_json::from_str::<Value>(text).unwrap_or_default();
        if !document.get("Statement").is_some_and(|statement| statement.is_array() || statement.is_object()) {
            return Err(StsError::malformed_policy("The session policy is not JSON with a Statement."));
        }
        inline = text.chars().count();
    }
    let size = inline + managed.iter().map(|arn| arn.len()).sum::<usize>();
    if size > POLICY_LIMIT {
        Err(StsError::validation(format!("Session policies may have {POLICY_LIMIT} characters together.")))
    } else {
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use url::form_urlencoded::Serializer;

    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/Developer";

    fn read(extra: &[(&str, &str)]) -> Result<(Duration, usize), StsError> {
        let mut all = vec![("RoleArn", ROLE), ("RoleSessionName", "ana@example.com"), ("WebIdentityToken", "a.b.c")];
        all.retain(|(name, _)| !extra.iter().any(|(other, _)| other == name));
        all.extend(extra);
        let params = Params::parse(Serializer::new(String::new()).extend_pairs(all).finish().as_bytes()).unwrap();
        AssumeInput::read(&params).map(|input| (input.duration, input.policy_size))
    }

    #[test]
    fn usual_parameters_are_read() {
        assert_eq!(read(&[]), Ok((Duration::from_hours(1), 0)));
        let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
        assert_eq!(read(&[("DurationSeconds", "900"), ("Policy", policy)]), Ok((Duration::from_mins(15), policy.len())));
        assert!(read(&[("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/ReadOnlyAccess")]).is_ok());
    }

    #[test]
    fn every_parameter_has_its_limits() {
        let long = "a".repeat(65);
        let token = "a".repeat(20_001);
        let policy = format!(r#"{{"Statement":[],"x":"{}"}}"#, "a".repeat(2048));
        for (name, value, code) in [
            ("RoleArn", "arn:aws:iam::1:role/x", "ValidationError"),
            ("RoleArn", "arn:aws:iam::111122223333:user/x", "ValidationError"),
            ("RoleSessionName", "a", "ValidationError"),
            ("RoleSessionName", &long, "ValidationError"),
            ("RoleSessionName", "a b", "ValidationError"),
            ("RoleSessionName", "änne", "ValidationError"),
            ("WebIdentityToken", "abc", "ValidationError"),
            ("WebIdentityToken", &token, "ValidationError"),
            ("DurationSeconds", "899", "ValidationError"),
            ("DurationSeconds", "43201", "ValidationError"),
            ("DurationSeconds", "1h", "ValidationError"),
            ("ProviderId", "www.example.com", "ValidationError"),
            ("Policy", "", "ValidationError"),
            ("Policy", &policy, "ValidationError"),
            ("Policy", "{", "MalformedPolicyDocument"),
            ("Policy", "{}", "MalformedPolicyDocument"),
            ("PolicyArns.member.1.arn", "arn:aws:iam::444455556666:policy/x", "ValidationError"),
        ] {
            assert_eq!(read(&[(name, value)]).map_err(|error| error.code), Err(code), "{name}={value}");
        }
        let missing = Params::parse(b"RoleArn=arn:aws:iam::111122223333:role/x").unwrap();
        let error = AssumeInput::read(&missing).err().unwrap();
        assert!(error.message.contains("'roleSessionName'") && error.message.contains("must not be null"), "{error:?}");
    }
}
