//! IAM of one account, read and changed with credentials of that account.
//!
//! The credentials are those of the SDK's usual chain where the command runs (environment, profile, container, instance): they are asked for
//! when somebody types `--live` or `--apply`, and never by the gateway.

use std::time::Duration;

use aws_config::meta::region::RegionProviderChain;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_iam::Client;
use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::config::timeout::TimeoutConfig;
use aws_sdk_iam::config::{AppName, Region};
use aws_sdk_iam::error::{DisplayErrorContext, SdkError};
use serde_json::{Value, json};
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

use crate::arn::AccountId;
use crate::iam::{PolicyHolder, Revocation};

/// All tries of one call: IAM throttles early.
const TRIES: u32 = 5;
/// How long one call may take, all tries together.
const DEADLINE: Duration = Duration::from_mins(1);
/// The most roles that are taken: five times the highest quota of an account, so that a wrong endpoint cannot fill the memory.
const MOST_ROLES: usize = 25_000;

/// Why IAM cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum IamTrouble {
    /// AWS refused or did not answer; what it said.
    #[error("AWS did not answer {call}: {reason}")]
    Call {
        /// The operation.
        call: &'static str,
        /// The SDK's words for it.
        reason: String,
    },
    /// More than is believed.
    #[error("the account seems to have more than {MOST_ROLES} roles")]
    TooMany,
    /// A user who is known by an access key alone, and whose key is not known.
    #[error("the configuration has no [[iam_user]] for it any more, so that its name cannot be asked for")]
    NoKey,
    /// An answer without what it always has.
    #[error("AWS answered {0} without what such an answer has")]
    Odd(&'static str),
}

fn unanswered<E, R>(call: &'static str) -> impl Fn(SdkError<E, R>) -> IamTrouble
where
    E: std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    move |error| IamTrouble::Call { call, reason: DisplayErrorContext(&error).to_string() }
}

/// IAM of the account that the credentials at hand are of.
pub struct Iam {
    client: Client,
    account: AccountId,
}

impl Iam {
    /// Finds credentials, and asks STS whose they are.
    ///
    /// # Errors
    /// [`IamTrouble`] if there are none, or AWS does not take them.
    pub async fn open() -> Result<Self, IamTrouble> {
        // Credentials stand in what the SDK logs.
        async {
            let config = config().await;
            let caller = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await.map_err(unanswered("GetCallerIdentity"))?;
            let account = caller.account.and_then(|id| id.parse().ok()).ok_or(IamTrouble::Odd("GetCallerIdentity"))?;
            Ok(Self { client: Client::new(&config), account })
        }
        .with_subscriber(Dispatch::none())
        .await
    }

    /// The account.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// What [`crate::iam::Snapshot`] reads: all roles and providers, each call's answer as the AWS CLI prints it.
    ///
    /// # Errors
    /// [`IamTrouble`]; half an account is none.
    pub async fn documents(&self) -> Result<Vec<Value>, IamTrouble> {
        async { Ok([self.roles().await?, self.oidc().await?, self.saml().await?].concat()) }.with_subscriber(Dispatch::none()).await
    }

    async fn roles(&self) -> Result<Vec<Value>, IamTrouble> {
        let mut roles = Vec::new();
        let mut pages = self.client.list_roles().into_paginator().send();
        while let Some(page) = pages.next().await {
            for role in page.map_err(unanswered("ListRoles"))?.roles {
                roles.push(json!({
                    "RoleName": role.role_name,
                    "Arn": role.arn,
                    "MaxSessionDuration": role.max_session_duration,
                    "AssumeRolePolicyDocument": role.assume_role_policy_document,
                }));
            }
            if roles.len() > MOST_ROLES {
                return Err(IamTrouble::TooMany);
            }
        }
        Ok(vec![json!({ "Roles": roles })])
    }

    /// The list first: what one provider's document says belongs to a provider that is on it.
    async fn oidc(&self) -> Result<Vec<Value>, IamTrouble> {
        const CALL: &str = "ListOpenIDConnectProviders";
        let list = self.client.list_open_id_connect_providers().send().await.map_err(unanswered(CALL))?;
        let arns: Vec<_> = list.open_id_connect_provider_list.unwrap_or_default().into_iter().filter_map(|provider| provider.arn).collect();
        let named: Vec<_> = arns.iter().map(|arn| json!({ "Arn": arn })).collect();
        let mut documents = vec![json!({ "OpenIDConnectProviderList": named })];
        for arn in arns {
            let call = self.client.get_open_id_connect_provider().open_id_connect_provider_arn(arn).send().await;
            let provider = call.map_err(unanswered("GetOpenIDConnectProvider"))?;
            documents.push(json!({ "Url": provider.url, "ClientIDList": provider.client_id_list.unwrap_or_default() }));
        }
        Ok(documents)
    }

    async fn saml(&self) -> Result<Vec<Value>, IamTrouble> {
        let list = self.client.list_saml_providers().send().await.map_err(unanswered("ListSAMLProviders"))?;
        let providers = list.saml_provider_list.unwrap_or_default().into_iter().map(|provider| {
            let until = provider.valid_until.and_then(|until| chrono::DateTime::from_timestamp(until.secs(), 0));
            json!({ "Arn": provider.arn, "ValidUntil": until })
        });
        Ok(vec![json!({ "SAMLProviderList": providers.collect::<Vec<_>>() })])
    }

    /// Puts the policy of a revocation on its role or user. A policy of the same name, from an earlier revocation of the same person, is
    /// replaced by it.
    ///
    /// # Errors
    /// [`IamTrouble`]
    pub async fn apply(&self, revocation: &Revocation) -> Result<(), IamTrouble> {
        async {
            let (name, policy) = (&revocation.policy_name, revocation.policy.to_string());
            match &revocation.holder {
                PolicyHolder::Role(role) => {
                    let call = self.client.put_role_policy().role_name(role).policy_name(name).policy_document(policy);
                    call.send().await.map_err(unanswered("PutRolePolicy")).map(drop)
                }
                PolicyHolder::UserOf(access_key) => {
                    const CALL: &str = "GetAccessKeyLastUsed";
                    let access_key = access_key.as_deref().ok_or(IamTrouble::NoKey)?;
                    let known = self.client.get_access_key_last_used().access_key_id(access_key).send().await.map_err(unanswered(CALL))?;
                    let user = known.user_name.ok_or(IamTrouble::Odd(CALL))?;
                    let call = self.client.put_user_policy().user_name(user).policy_name(name).policy_document(policy);
                    call.send().await.map_err(unanswered("PutUserPolicy")).map(drop)
                }
            }
        }
        .with_subscriber(Dispatch::none())
        .await
    }
}

async fn config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).operation_timeout(DEADLINE).build();
    let retries = RetryConfig::standard().with_max_attempts(TRIES);
    // IAM has one endpoint for each partition, and any region of it leads there.
    let region = RegionProviderChain::default_provider().or_else(Region::new("us-east-1"));
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(region).timeout_config(timeouts).retry_config(retries);
    if let Ok(name) = AppName::new("rolegate") {
        loader = loader.app_name(name);
    }
    loader.load().await
}
