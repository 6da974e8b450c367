//! Each operation's own parameters.

use aws_sdk_sts::config::Credentials as SdkIdentity;
use aws_sdk_sts::types::{PolicyDescriptorType, Tag};
use secrecy::ExposeSecret;

use std::time::Duration;

use super::{Answer, Deadline, Issued, Sts, StsError};
use crate::access::{AssumeRequest, MfaCode, USUAL_SESSION};
use crate::arn::{RoleArn, SamlProviderArn};
use crate::aws::Credentials;
use crate::trust::Proof;

impl Sts {
    /// Exchanges a proof for credentials of the request's role, by the operation that the proof is for.
    ///
    /// # Errors
    /// [`StsError`], after the retries that its kind deserves and never later than the deadline. The proof is in none of them.
    pub async fn assume(&self, request: &AssumeRequest, proof: &Proof, deadline: Deadline) -> Result<Issued, StsError> {
        match proof.provider() {
            Some(provider) => self.assume_role_with_saml(request, provider, proof, deadline).await,
            None => self.assume_role_with_web_identity(request, proof, deadline).await,
        }
    }

    /// `AssumeRoleWithSAML`. The session's name, tags and source identity stand in the signed assertion; the call has no parameter for them.
    ///
    /// The response names an address of AWS's sign-in page as its Recipient, which is what trust policies see as `saml:aud`. STS does not compare it
    /// with the endpoint that is asked, so that the same response is right for each of them.
    async fn assume_role_with_saml(
        &self,
        request: &AssumeRequest,
        provider: &SamlProviderArn,
        proof: &Proof,
        deadline: Deadline,
    ) -> Result<Issued, StsError> {
        let role = role_of(request)?;
        let secrets = [proof.expose()];
        let answer = self.call(role.partition(), None, &secrets, deadline, |client, config| {
            client
                .assume_role_with_saml()
                .role_arn(role.as_str())
                .principal_arn(provider.as_str())
                .saml_assertion(proof.expose())
                .set_duration_seconds(duration_seconds(request.duration()))
                .set_policy(inline_policy(request))
                .set_policy_arns(managed_policies(request))
                .customize()
                .config_override(config)
                .send()
        });
        answer.await?.issued(request.target())
    }

    /// `AssumeRoleWithWebIdentity`.
    async fn assume_role_with_web_identity(&self, request: &AssumeRequest, proof: &Proof, deadline: Deadline) -> Result<Issued, StsError> {
        let role = role_of(request)?;
        let secrets = [proof.expose()];
        let answer = self.call(role.partition(), None, &secrets, deadline, |client, config| {
            client
                .assume_role_with_web_identity()
                .role_arn(role.as_str())
                .role_session_name(request.session_name())
                .web_identity_token(proof.expose())
                .set_duration_seconds(duration_seconds(request.duration()))
                .set_policy(inline_policy(request))
                .set_policy_arns(managed_policies(request))
                .customize()
                .config_override(config)
                .send()
        });
        answer.await?.issued(request.target())
    }

    /// `AssumeRole`, with the credentials of the role on the way, or else with the gateway's own AWS identity.
    ///
    /// # Errors
    /// As [`Self::assume`], and [`StsError::NoIdentity`]. The external id is in none of them.
    pub async fn assume_role(&self, request: &AssumeRequest, hub: Option<&Credentials>, deadline: Deadline) -> Result<Issued, StsError> {
        let role = role_of(request)?;
        let keys = match hub {
            Some(hub) => session_keys(hub),
            None => self.own.credentials(deadline).await?,
        };
        let external_id = request.external_id().map(crate::access::ExternalId::expose);
        // A source identity stays with a session that has one, so the first hop alone says it.
        let source_identity = if hub.is_some() { None } else { request.source_identity() };
        let answer = self.call(role.partition(), Some(keys), external_id.as_slice(), deadline, |client, config| {
            client
                .assume_role()
                .role_arn(role.as_str())
                .role_session_name(request.session_name())
                .set_external_id(external_id.map(str::to_owned))
                .set_source_identity(source_identity.map(str::to_owned))
                .set_tags(tags(request))
                .set_transitive_tag_keys(transitive_keys(request))
                .set_duration_seconds(duration_seconds(request.duration()))
                .set_policy(inline_policy(request))
                .set_policy_arns(managed_policies(request))
                .customize()
                .config_override(config)
                .send()
        });
        let issued = answer.await.and_then(|answer| answer.issued(request.target()));
        if hub.is_none() && matches!(issued, Err(StsError::ExpiredToken(_) | StsError::UnknownKeys(_))) {
            self.own.forget();
        }
        issued
    }

    /// `GetFederationToken`, with the keys of the request's IAM user.
    ///
    /// # Errors
    /// As [`Self::assume`], and [`StsError::NoIdentity`] if the user's keys are not held.
    pub async fn federation_token(&self, request: &AssumeRequest, deadline: Deadline) -> Result<Issued, StsError> {
        let keys = self.users.keys(request)?;
        let answer = self.call(request.target().partition(), Some(keys), &[], deadline, |client, config| {
            client
                .get_federation_token()
                .name(request.session_name())
                .set_tags(tags(request))
                .duration_seconds(seconds(request.duration()))
                .set_policy(inline_policy(request))
                .set_policy_arns(managed_policies(request))
                .customize()
                .config_override(config)
                .send()
        });
        answer.await?.issued(request.target())
    }

    /// `GetSessionToken`, with the keys of the request's IAM user and the code of the user's MFA device.
    ///
    /// # Errors
    /// As [`Self::federation_token`], [`StsError::WrongMfaCode`] and [`StsError::UnknownMfaDevice`]. The code is in none of them.
    pub async fn session_token(&self, request: &AssumeRequest, deadline: Deadline) -> Result<Issued, StsError> {
        let keys = self.users.keys(request)?;
        let code = request.mfa_code().map(MfaCode::expose);
        let serial = request.iam_user().and_then(|user| user.mfa_serial.clone());
        let answer = self.call(request.target().partition(), Some(keys), code.as_slice(), deadline, |client, config| {
            client
                .get_session_token()
                .duration_seconds(seconds(request.duration()))
                .set_serial_number(serial.clone())
                .set_token_code(code.map(str::to_owned))
                .customize()
                .config_override(config)
                .send()
        });
        answer.await?.issued(request.target())
    }

    /// Looks for the gateway's own AWS identity, and says whether it is itself a session: what is assumed with it is chained then.
    ///
    /// # Errors
    /// [`StsError::NoIdentity`].
    pub async fn own_identity_is_session(&self, deadline: Deadline) -> Result<bool, StsError> {
        self.own.credentials(deadline).await.map(|keys| keys.session_token().is_some())
    }

    /// Whether the gateway's own AWS identity is known to be a session. Nobody is asked.
    #[must_use]
    pub fn knows_own_session(&self) -> bool {
        self.own.is_session()
    }
}

/// The role, for an operation that reaches one.
fn role_of(request: &AssumeRequest) -> Result<&RoleArn, StsError> {
    request.role().ok_or_else(|| StsError::Garbled(Answer::without_code(None, "the operation reaches a role, and none was decided")))
}

fn session_keys(credentials: &Credentials) -> SdkIdentity {
    SdkIdentity::new(
        credentials.access_key_id.clone(),
        credentials.secret_access_key.expose_secret(),
        Some(credentials.session_token.expose_secret().to_owned()),
        None,
        "hub",
    )
}

/// The usual length is AWS's own default and is left out: the console's federation endpoint documents a refusal of credentials whose
/// length was asked for by anyone but an IAM user.
fn duration_seconds(duration: Duration) -> Option<i32> {
    (duration != USUAL_SESSION).then(|| seconds(duration))
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

/// The session policy that stands in the call.
fn inline_policy(request: &AssumeRequest) -> Option<String> {
    request.session_policy()?.document.as_deref().map(str::to_owned)
}

/// The managed policies that limit the session.
fn managed_policies(request: &AssumeRequest) -> Option<Vec<PolicyDescriptorType>> {
    let arns = &request.session_policy()?.arns;
    (!arns.is_empty()).then(|| arns.iter().map(|arn| PolicyDescriptorType::builder().arn(arn.as_str()).build()).collect())
}

/// The session tags, where the call has a parameter for them.
fn tags(request: &AssumeRequest) -> Option<Vec<Tag>> {
    // A builder that has key and value builds.
    let tags = request.tags().iter().filter_map(|tag| Tag::builder().key(&tag.key).value(&tag.value).build().ok());
    Some(tags.collect::<Vec<_>>()).filter(|tags| !tags.is_empty())
}

fn transitive_keys(request: &AssumeRequest) -> Option<Vec<String>> {
    let keys = request.tags().iter().filter(|tag| tag.transitive).map(|tag| tag.key.clone());
    Some(keys.collect::<Vec<_>>()).filter(|keys| !keys.is_empty())
}
