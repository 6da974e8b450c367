//! Which servers there are, how they are reached, and how commands are sent to them.

use std::time::Duration;

use futures_util::future::try_join_all;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, SingleNodeRoutingInfo, SlotAddr};
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, Pipeline, ProtocolVersion, RedisError, ServerErrorKind,
    TlsCertificates, TlsMode, Value, from_redis_value,
};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;

use super::batch::Batch;
use super::{Access, Place, RedisSettings};

/// How long one attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(1);
/// How long the answer to one command may take.
const RESPONSE: Duration = Duration::from_secs(2);
/// How long replicas may take to confirm what must not be forgotten.
const CONFIRMED: Duration = Duration::from_millis(500);
/// How often a node of a cluster may send a command to another one, or a slot be looked for anew.
const CLUSTER_RETRIES: u32 = 4;
/// The shortest and the longest pause before another attempt at a cluster, in milliseconds.
const CLUSTER_PAUSE: (u64, u64) = (20, 250);
/// How often the way to the servers may be built anew: a server that refuses will refuse for a while.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);
/// How often the Sentinels may be asked: another Redis takes over in a moment, and everybody waits for it.
const SENTINELS_PAUSE: Duration = Duration::from_millis(200);

/// Where the keys are.
pub(super) enum Servers {
    /// On one server.
    One(Client),
    /// On the server that Sentinels call the primary one.
    Sentinels(Sentinels),
    /// Shared by the nodes of a cluster.
    Cluster(ClusterClient),
}

/// Those who know the primary, and whom they named last, with the generation of links for which they were asked.
pub(super) struct Sentinels(Mutex<Asked>);

struct Asked {
    sentinels: SentinelClient,
    named: Option<(u64, Client)>,
}

impl Servers {
    /// The servers of the settings. Nothing is connected yet.
    pub(super) fn new(settings: &RedisSettings) -> Result<Self, RedisError> {
        match &settings.place {
            Place::One { url } => one(url, settings).map(Self::One),
            Place::Sentinels { urls, primary, access } => {
                let sentinels = sentinels(urls, primary, access, settings)?;
                Ok(Self::Sentinels(Sentinels(Mutex::new(Asked { sentinels, named: None }))))
            }
            Place::Cluster { urls } => cluster(urls, settings).map(Self::Cluster),
        }
    }

    /// A connection of the calling thread's own, for a generation of links.
    pub(super) async fn link(&self, generation: u64) -> Result<Link, RedisError> {
        match self {
            Self::One(client) => manager(client).map(Link::One),
            Self::Sentinels(sentinels) => manager(&sentinels.primary(generation).await?).map(Link::One),
            Self::Cluster(client) => client.get_async_connection().await.map(Link::Cluster),
        }
    }

    /// Whether links are of no use any more after an error, if none was built anew within a pause.
    ///
    /// A link reconnects by itself after I/O errors, to where it was connected; one whose handshake was refused (a password not set yet, a
    /// server still loading) would fail forever. Where Sentinels are, an I/O error too may mean that another server is the primary now.
    pub(super) fn renewed_after(&self, error: &RedisError) -> Option<Duration> {
        match self {
            Self::Sentinels(_) if may_be_deposed(error) => Some(SENTINELS_PAUSE),
            Self::Sentinels(_) => Some(REFUSED_PAUSE),
            Self::One(_) | Self::Cluster(_) => (!error.is_io_error()).then_some(REFUSED_PAUSE),
        }
    }

    /// The same, where too few replicas confirmed: seldom, because it may stay so, and links that only read are well.
    pub(super) const fn renewed_in_doubt(&self) -> Option<Duration> {
        match self {
            Self::Sentinels(_) => Some(REFUSED_PAUSE),
            Self::One(_) | Self::Cluster(_) => None,
        }
    }

    /// The same, after no answer came in time.
    pub(super) const fn renewed_after_silence(&self) -> Option<Duration> {
        match self {
            Self::Sentinels(_) => Some(SENTINELS_PAUSE),
            Self::One(_) | Self::Cluster(_) => None,
        }
    }
}

/// Whether an error may mean that another server is the primary now.
fn may_be_deposed(error: &RedisError) -> bool {
    use ServerErrorKind::{BusyLoading, MasterDown, ReadOnly};
    error.is_io_error() || matches!(error.kind(), ErrorKind::Server(BusyLoading | MasterDown | ReadOnly))
}

impl Sentinels {
    /// Whoever comes first for a generation asks; the others wait for the answer.
    async fn primary(&self, generation: u64) -> Result<Client, RedisError> {
        let mut asked = self.0.lock().await;
        if let Some((of, client)) = &asked.named
            && *of >= generation
        {
            return Ok(client.clone());
        }
        let client = asked.sentinels.async_get_client().await?;
        asked.named = Some((generation, client.clone()));
        Ok(client)
    }
}

/// A thread's connection to the servers.
#[derive(Clone)]
pub(super) enum Link {
    /// To one server.
    One(ConnectionManager),
    /// To each node of a cluster.
    Cluster(ClusterConnection),
}

/// What servers answered.
pub(super) struct Answers {
    /// To each command.
    pub(super) values: Vec<Value>,
    /// How many replicas have what was written, where that was asked.
    pub(super) confirmed: Option<u64>,
}

impl Link {
    /// Sends commands, and waits until so many replicas have what they wrote, if there are to be any.
    pub(super) async fn send(self, batch: &Batch, replicas: u8) -> Result<Answers, RedisError> {
        let replicas = (replicas > 0).then_some(replicas);
        match self {
            Self::One(mut manager) => {
                let values: Vec<Value> = match replicas {
                    None => batch.pipeline().query_async(&mut manager).await?,
                    Some(replicas) => confirmed_by(batch.pipeline().clone(), replicas).query_async(&mut manager).await?,
                };
                answers(values, replicas.is_some())
            }
            Self::Cluster(connection) => {
                // Each goes to the node that has its key, all at once: no operation needs one of them to be done before another.
                let each = batch.each().map(|(key, command)| {
                    let mut connection = connection.clone();
                    let mut alone = Pipeline::new();
                    alone.add_command(command.clone());
                    let alone = replicas.map_or_else(|| alone.clone(), |replicas| confirmed_by(alone.clone(), replicas));
                    let route = SingleNodeRoutingInfo::SpecificNode(Route::with_key(key.as_str(), SlotAddr::Master));
                    async move {
                        let count = alone.len();
                        let values = connection.route_pipeline(alone, 0, count, route).await?;
                        let values = values.into_iter().map(Value::extract_error).collect::<Result<_, _>>()?;
                        answers(values, replicas.is_some())
                    }
                });
                let each = try_join_all(each).await?;
                let confirmed = each.iter().filter_map(|one| one.confirmed).min();
                Ok(Answers { values: each.into_iter().flat_map(|one| one.values).collect(), confirmed })
            }
        }
    }
}

/// The commands, and behind them one that waits for replicas.
fn confirmed_by(mut commands: Pipeline, replicas: u8) -> Pipeline {
    commands.cmd("WAIT").arg(replicas).arg(u64::try_from(CONFIRMED.as_millis()).unwrap_or(u64::MAX));
    commands
}

/// Takes the last value for what replicas confirmed, if they were waited for.
fn answers(mut values: Vec<Value>, waited: bool) -> Result<Answers, RedisError> {
    if !waited {
        return Ok(Answers { values, confirmed: None });
    }
    let Some(last) = values.pop() else {
        return Err((ErrorKind::UnexpectedReturnType, "no answer to WAIT").into());
    };
    Ok(Answers { values, confirmed: Some(from_redis_value(last)?) })
}

fn one(url: &str, settings: &RedisSettings) -> Result<Client, RedisError> {
    let info: ConnectionInfo = url.into_connection_info()?;
    // With RESP3 the manager hears of a lost connection at once, not at the next command.
    let mut access = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    if let Some(username) = &settings.access.username {
        access = access.set_username(username);
    }
    if let Some(password) = &settings.access.password {
        access = access.set_password(password.expose_secret());
    }
    let info = info.set_redis_settings(access);
    match certificates(settings) {
        Some(certificates) => Client::build_with_tls(info, certificates),
        None => Client::open(info),
    }
}

fn certificates(settings: &RedisSettings) -> Option<TlsCertificates> {
    settings.ca.clone().map(|ca| TlsCertificates { client_tls: None, root_cert: Some(ca) })
}

/// The Sentinels' TLS is Redis's, too: both by one authority, or both without.
fn sentinels(urls: &[String], primary: &str, access: &Access, settings: &RedisSettings) -> Result<SentinelClient, RedisError> {
    let infos = urls.iter().map(|url| url.as_str().into_connection_info()).collect::<Result<Vec<_>, _>>()?;
    let tls = infos.iter().any(|info| matches!(info.addr(), ConnectionAddr::TcpTls { .. }));
    let database = infos.first().map_or(0, |info| info.redis_settings().db());
    let addresses: Vec<ConnectionAddr> = infos.iter().map(|info| info.addr().clone()).collect();
    let mut builder = SentinelClientBuilder::new(addresses, primary, SentinelServerType::Master)?
        .set_client_to_redis_protocol(ProtocolVersion::RESP3)
        .set_client_to_redis_db(database);
    if let Some(username) = &settings.access.username {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = &settings.access.password {
        builder = builder.set_client_to_redis_password(password.expose_secret());
    }
    if let Some(username) = &access.username {
        builder = builder.set_client_to_sentinel_username(username);
    }
    if let Some(password) = &access.password {
        builder = builder.set_client_to_sentinel_password(password.expose_secret());
    }
    if tls {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure).set_client_to_sentinel_tls_mode(TlsMode::Secure);
        if let Some(certificates) = certificates(settings) {
            builder = builder.set_client_to_redis_certificates(certificates.clone()).set_client_to_sentinel_certificates(certificates);
        }
    }
    builder.build()
}

fn cluster(urls: &[String], settings: &RedisSettings) -> Result<ClusterClient, RedisError> {
    let mut builder = ClusterClientBuilder::new(urls.iter().map(String::as_str))
        .use_protocol(ProtocolVersion::RESP3)
        .retries(CLUSTER_RETRIES)
        .min_retry_wait(CLUSTER_PAUSE.0)
        .max_retry_wait(CLUSTER_PAUSE.1)
        .connection_timeout(CONNECT)
        .response_timeout(RESPONSE)
        // All attempts together have the store's deadline.
        .overall_response_timeout(None);
    if let Some(username) = &settings.access.username {
        builder = builder.username(username);
    }
    if let Some(password) = &settings.access.password {
        builder = builder.password(password.expose_secret());
    }
    if let Some(certificates) = certificates(settings) {
        builder = builder.certs(certificates);
    }
    builder.build()
}

fn manager(client: &Client) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(RESPONSE))
        // A request waits for one attempt, not for a ladder of them; the next request is the next attempt.
        .set_number_of_retries(0)
        .set_pipeline_buffer_size(1024);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}
