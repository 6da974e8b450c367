//! The operations of STS: what was decided in, temporary credentials out.
//!
//! `AssumeRoleWithWebIdentity` and `AssumeRoleWithSAML` are unsigned, and a proof authorises them. The others are signed: by the gateway's own
//! AWS identity, which is looked for when the first rule needs it, or by the session of a role on the way. Limits, errors and retries follow the
//! STS API reference.
//!
//! A call goes to the endpoints of the role's partition in their order, one after the other. None is asked beside another, to take what comes
//! first: these are not reads. Each call that AWS answers makes a session, counts towards the account's rate and stands in CloudTrail, and a code of an
//! MFA device is good once.

mod breaker;
mod calls;
mod error;
mod explain;
mod own;
mod retry;
mod route;
#[cfg(test)]
mod tests;
mod users;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_sts::Client;
use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{
    AppName, BehaviorVersion, Builder as ConfigBuilder, Config, Credentials as SdkIdentity, IdentityCache, Region as SdkRegion,
};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::RequestId;
use aws_sdk_sts::operation::assume_role::AssumeRoleOutput;
use aws_sdk_sts::operation::assume_role_with_saml::AssumeRoleWithSamlOutput;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityOutput;
use aws_sdk_sts::operation::get_federation_token::GetFederationTokenOutput;
use aws_sdk_sts::operation::get_session_token::GetSessionTokenOutput;
use aws_sdk_sts::types::Credentials as SdkCredentials;
use secrecy::SecretString;
use tokio::time::Instant;
use tracing::instrument::WithSubscriber;
use tracing::{Dispatch, Instrument};

pub use breaker::EndpointState;
pub use error::{Answer, StsError};
pub use explain::{Hop, session_too_long};

/// Why no role can be had with a SAML response that is longer than STS takes; nobody needs to be asked.
pub const RESPONSE_TOO_LARGE: Explanation = explain::RESPONSE_TOO_LARGE;
/// Why a role cannot be had with a forwarded response that does not name it.
pub const NOT_OFFERED: Explanation = explain::NOT_OFFERED;

use super::http::Http;
use super::{AwsSettings, Credentials, Explanation};
use crate::access::Target;
use crate::arn::{Partition, Region};
use crate::clock::Moment;
use crate::lasting::Lasting;
use crate::settings::Problem;
use crate::spans;
use own::OwnIdentity;
use retry::RetryRules;
use route::{Regional, Route};
use users::UserKeys;

/// The longest pause before the first other try; it doubles each time, and each pause is a random part of it.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// All tries of one call; the deadline usually ends them first.
const TRIES: u32 = 9;
/// A try takes a quarter of the deadline, so that servers which hang leave time to ask again, but at least so long (if the deadline is twice as
/// long) and at most so long. STS answers within a second, and later only when it must fetch the issuer's keys.
const TRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(5));
/// How long a connection may take to come about, TLS and all.
const CONNECT: Duration = Duration::from_secs(2);

/// What STS handed out, and what the audit trail wants to know about it.
#[derive(Debug)]
pub struct Issued {
    /// The credentials.
    pub credentials: Credentials,
    /// AWS's id of the request, which AWS support asks for and CloudTrail shows.
    pub request_id: Option<String>,
    /// How full the packed session tags and policies are, in percent of AWS's limit. Over 100 AWS refuses; warn from 80 on.
    pub packed_policy_percent: Option<i32>,
}

/// The Security Token Service of every partition.
#[derive(Debug)]
pub struct Sts {
    deadline: Duration,
    lasting: Lasting,
    own: OwnIdentity,
    users: UserKeys,
    aws: Door,
    aws_cn: Door,
    aws_us_gov: Door,
    aws_eusc: Door,
}

/// One endpoint of STS, and how it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointHealth {
    /// The partition that it serves.
    pub partition: Partition,
    /// Its region.
    pub region: Region,
    /// Its address.
    pub url: String,
    /// How it does.
    pub state: EndpointState,
    /// How many tries it answered since the start, by whatever it had to say, and how many it did not, or by an error of its own.
    pub calls: (u64, u64),
}

/// When an assumption must be over, with all the calls and tries that it takes.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

/// One partition's STS: the client is made when the first role of the partition is asked for, as most gateways serve one partition.
#[derive(Debug)]
struct Door {
    region: Region,
    /// In the order in which they are asked. Never empty.
    endpoints: Arc<[Regional]>,
    client: OnceLock<Client>,
}

impl Sts {
    /// STS as the settings say. Nothing is asked yet.
    ///
    /// # Errors
    /// Everything in the settings that must be mended, with paths that start at `aws`.
    pub fn new(settings: &AwsSettings) -> Result<Self, Vec<Problem>> {
        settings.checked()?;
        let door = |partition| Door::new(settings, partition).map_err(|problem| vec![problem]);
        let own = OwnIdentity::new(
            settings.own_profile.clone(),
            settings.own_region.clone(),
            settings.region(Partition::Aws).map_err(|problem| vec![problem])?.to_string(),
        );
        Ok(Self {
            deadline: settings.deadline.0,
            lasting: Lasting::here(),
            own,
            users: UserKeys::default(),
            aws: door(Partition::Aws)?,
            aws_cn: door(Partition::AwsCn)?,
            aws_us_gov: door(Partition::AwsUsGov)?,
            aws_eusc: door(Partition::AwsEusc)?,
        })
    }

    /// The deadline of an assumption that begins now.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        Deadline(Instant::now() + self.deadline)
    }

    /// Every call to STS goes through here, whatever its operation and whoever signs it. `secrets` must not show in an error, even if AWS
    /// repeats them; `send` may be asked more than once.
    async fn call<O, E, F>(
        &self,
        partition: Partition,
        signed_with: Option<SdkIdentity>,
        secrets: &[&str],
        deadline: Deadline,
        send: impl Fn(Client, ConfigBuilder) -> F,
    ) -> Result<Answered, StsError>
    where
        Answered: From<O>,
        E: ProvideErrorMetadata + RequestId + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    {
        let left = deadline.left().ok_or(StsError::TimedOut)?;
        let door = self.door(partition);
        // Each call has its own way through the endpoints; what is learnt of them on it is shared.
        let route = Route::new(door.endpoints.clone(), deadline.0);
        let rules = RetryRules::new(route.clone());
        let mut for_this_call = Config::builder()
            .endpoint_resolver(route.clone())
            .interceptor(rules.clone())
            .retry_classifier(rules)
            .timeout_config(TimeoutConfig::builder().operation_timeout(left).build());
        if let Some(keys) = signed_with {
            for_this_call = for_this_call.credentials_provider(keys);
        }
        let call = send(door.client(self.deadline, &self.lasting), for_this_call);
        // The SDK traces requests with their bodies: what it would log holds the proof, so it logs nothing, whatever the level.
        let span = tracing::trace_span!(target: spans::TARGET, "sts", otel.kind = "client", otel.name = "STS", rpc.system.name = "aws-api");
        let answer = call.with_subscriber(Dispatch::none()).instrument(span).await;
        route.tell();
        answer.map(Answered::from).map_err(|error| StsError::new(error, route.passing_refusal(), secrets))
    }

    /// The region whose STS is asked first for roles of a partition: also the default region of credentials that are handed over.
    #[must_use]
    pub const fn region(&self, partition: Partition) -> &Region {
        &self.door(partition).region
    }

    /// How the endpoints of these partitions do, in the order in which they are asked. Nobody is asked for it.
    #[must_use]
    pub fn endpoints(&self, partitions: &[Partition]) -> Vec<EndpointHealth> {
        let now = Instant::now();
        let of = |partition: &Partition| {
            let endpoints = self.door(*partition).endpoints.iter();
            let partition = *partition;
            endpoints.map(move |endpoint| EndpointHealth {
                partition,
                region: endpoint.region.clone(),
                url: endpoint.url.clone(),
                state: endpoint.state(now),
                calls: endpoint.calls(),
            })
        };
        partitions.iter().flat_map(of).collect()
    }

    const fn door(&self, partition: Partition) -> &Door {
        match partition {
            Partition::Aws => &self.aws,
            Partition::AwsCn => &self.aws_cn,
            Partition::AwsUsGov => &self.aws_us_gov,
            Partition::AwsEusc => &self.aws_eusc,
        }
    }
}

impl Deadline {
    /// What is left of it; none when it is over.
    fn left(self) -> Option<Duration> {
        self.0.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}

impl Door {
    fn new(settings: &AwsSettings, partition: Partition) -> Result<Self, Problem> {
        let region = settings.region(partition)?;
        let endpoints = settings.sts_endpoints(partition)?.into_iter().map(|(region, url)| Regional::new(region, url)).collect();
        Ok(Self { region, endpoints, client: OnceLock::new() })
    }

    fn client(&self, deadline: Duration, lasting: &Lasting) -> Client {
        self.client.get_or_init(|| client(&self.region, deadline, lasting)).clone()
    }
}

/// How much may be asked again, by all calls to a partition together, so that a STS which is down is not asked many times as much for it: a
/// hundred tries at once, and then one in a second and one for each two calls that succeed.
fn budget() -> RetryPartition {
    const COST: u32 = 10;
    let bucket = TokenBucket::builder()
        .capacity(1000)
        .retry_cost(COST)
        .timeout_retry_cost(COST)
        .throttling_retry_cost(COST)
        .success_reward(5.0)
        .refill_rate(10.0);
    RetryPartition::custom("rolegate-sts").token_bucket(bucket.build()).build()
}

fn client(region: &Region, deadline: Duration, lasting: &Lasting) -> Client {
    let (least, most) = TRY;
    let attempt = (deadline / 4).clamp(least.min(deadline / 2), most);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(attempt.min(CONNECT))
        .read_timeout(attempt)
        .operation_attempt_timeout(attempt)
        .operation_timeout(deadline)
        .build();
    // The longest pause bounds what an endpoint may ask for as well; the deadline bounds both.
    let retries = RetryConfig::standard().with_max_attempts(TRIES).with_initial_backoff(FIRST_PAUSE).with_max_backoff(deadline);
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(SdkRegion::new(region.to_string()))
        .http_client(Http::new(lasting.clone()))
        .allow_no_auth()
        // Who signs is said anew at each call: a cache of the SDK's would grow by each of them.
        .identity_cache(IdentityCache::no_cache())
        .timeout_config(timeouts)
        .retry_config(retries)
        .retry_partition(budget());
    config.set_app_name(AppName::new("rolegate").ok());
    Client::from_conf(config.build())
}

/// What the answers of all operations have in common.
struct Answered {
    credentials: Option<SdkCredentials>,
    /// The ARN of who the session acts as; `GetSessionToken` tells none.
    arn: Option<String>,
    request_id: Option<String>,
    /// Two limits, one after the other in AWS's history: the one that is nearer counts. `None` is less than any.
    fill_level: Option<i32>,
}

/// Takes the common members out of an answer: the SDK has a type for each operation and no trait for what they share.
macro_rules! answered_from {
    ($output:ty, $user:ident) => {
        impl From<$output> for Answered {
            #[expect(deprecated, reason = "older answers, and every stand-in for STS, have `packed_policy_size` only")]
            fn from(answer: $output) -> Self {
                Self {
                    request_id: answer.request_id().map(str::to_owned),
                    fill_level: answer.session_token_utilization().max(answer.packed_policy_size()),
                    credentials: answer.credentials,
                    arn: answer.$user.map(|user| user.arn),
                }
            }
        }
    };
}

answered_from!(AssumeRoleOutput, assumed_role_user);
answered_from!(AssumeRoleWithWebIdentityOutput, assumed_role_user);
answered_from!(AssumeRoleWithSamlOutput, assumed_role_user);
answered_from!(GetFederationTokenOutput, federated_user);

impl From<GetSessionTokenOutput> for Answered {
    fn from(answer: GetSessionTokenOutput) -> Self {
        Self {
            request_id: answer.request_id().map(str::to_owned),
            fill_level: answer.session_token_utilization(),
            credentials: answer.credentials,
            arn: None,
        }
    }
}

impl Answered {
    fn issued(self, target: &Target) -> Result<Issued, StsError> {
        let garbled = || StsError::Garbled(Answer::without_code(self.request_id.clone(), "the answer lacks credentials or their expiry"));
        let is_told = self.arn.is_some() || matches!(target, Target::IamUser(_));
        let Some(credentials) = self.credentials.filter(|_| is_told) else { return Err(garbled()) };
        let expires = Moment::from_timestamp(credentials.expiration.secs(), 0).ok_or_else(garbled)?;
        if credentials.access_key_id.is_empty() || credentials.secret_access_key.is_empty() || credentials.session_token.is_empty() {
            return Err(garbled());
        }
        Ok(Issued {
            credentials: Credentials {
                access_key_id: credentials.access_key_id,
                secret_access_key: SecretString::from(credentials.secret_access_key),
                session_token: SecretString::from(credentials.session_token),
                expires,
                target: target.clone(),
                assumed_role: self.arn,
            },
            request_id: self.request_id,
            packed_policy_percent: self.fill_level,
        })
    }
}
