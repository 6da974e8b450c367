//! A store in Redis 6.2 or later (GETDEL, GETEX), shared by any number of instances.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{
    Client, ConnectionInfo, FromRedisValue, IntoConnectionInfo, Pipeline, ProtocolVersion, RedisError, TlsCertificates, Value,
    from_redis_value,
};
use secrecy::{ExposeSecret, SecretString};

use super::{Kept, Key, Placed, Purpose, Store, StoreUnavailable, millis};

/// How long one attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(1);
/// How long the answer to one command may take.
const RESPONSE: Duration = Duration::from_secs(2);
/// How long an operation may take in all, a second attempt included.
const DEADLINE: Duration = Duration::from_millis(2500);
/// How often the connection may be built anew because the server refuses it.
const REBUILD_PAUSE: Duration = Duration::from_secs(1);

/// How long what tries whether Redis takes something is kept.
const PROBE_MILLIS: u64 = 1000;

/// Adds a member, drops expired ones, and lets the set live as long as its last member. Scores are milliseconds of Redis's own clock.
const INDEX_ADD: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last[2]))
return 1";

/// [`INDEX_ADD`], unless there are so many members that have not expired: says whether it is one now.
const INDEX_ADD_WITHIN: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last[2]))
return 1";

/// [`INDEX_ADD`], unless there are so many others that have not expired: says whether it is one now.
const INDEX_KEEP_WITHIN: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last[2]))
return 1";

/// Sets a value if what is there is what was read, or nothing where nothing was: says whether it did.
const SWAP: &str = r"
local is = redis.call('GET', KEYS[1])
if ARGV[3] == '1' then
  if is ~= ARGV[4] then return 0 end
elseif is then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

/// The members whose score lies ahead, the farthest first.
const INDEX_MEMBERS: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
return redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', '(' .. string.format('%.0f', now))";

/// Adds one, and lets the count live from its first one on.
const COUNT: &str = r"
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count";

/// What is needed to reach a Redis.
pub struct RedisSettings {
    /// `redis://` or `rediss://`, host, port and database; no name and no password.
    pub url: String,
    /// The ACL user; none for the default one.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
    /// The certificate authority (PEM) to trust instead of the system's, for `rediss://`.
    pub ca: Option<Vec<u8>>,
}

/// A store in Redis. Reconnects by itself, and fails rather than waits.
///
/// Each thread has a connection of its own, whose driver runs on the thread's own runtime: a worker that shared one with others would
/// wake another thread for each command, and be woken by it, which costs more than the command.
pub struct RedisStore {
    client: Client,
    number: u64,
    generation: AtomicU64,
    rebuilt: Mutex<Instant>,
}

/// A thread's connection to the store of a number, of a generation.
struct Own {
    store: u64,
    generation: u64,
    manager: ConnectionManager,
}

thread_local! {
    static OWN: RefCell<Vec<Own>> = const { RefCell::new(Vec::new()) };
}

/// Whether doing a command twice does the same as doing it once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Twice {
    Same,
    Differs,
}

impl RedisStore {
    /// A store at that Redis. Must be called within a tokio runtime; connects at the first use.
    ///
    /// # Errors
    /// The settings cannot be those of a Redis: the URL or the certificate does not parse.
    pub fn new(settings: &RedisSettings) -> Result<Self, StoreUnavailable> {
        static STORES: AtomicU64 = AtomicU64::new(0);
        let client = client(settings).map_err(|error| unavailable(&error))?;
        let number = STORES.fetch_add(1, Ordering::Relaxed);
        let store = Self { client, number, generation: AtomicU64::new(0), rebuilt: Mutex::new(Instant::now()) };
        store.connection().map_err(|error| unavailable(&error))?;
        Ok(store)
    }

    async fn run<T: FromRedisValue + Send>(&self, commands: &Pipeline, twice: Twice) -> Result<T, StoreUnavailable> {
        let attempts = async {
            match commands.query_async(&mut self.connection()?).await {
                Err(error) if worth_a_second_attempt(&error, twice) => commands.query_async(&mut self.connection()?).await,
                first => first,
            }
        };
        match tokio::time::timeout(DEADLINE, attempts).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                self.rebuild_after(&error);
                Err(unavailable(&error))
            }
            Err(_) => Err(StoreUnavailable::new("Redis did not answer in time")),
        }
    }

    /// This thread's connection, made when it is first wanted.
    fn connection(&self) -> Result<ConnectionManager, RedisError> {
        let generation = self.generation.load(Ordering::Relaxed);
        OWN.with_borrow_mut(|own| {
            if let Some(known) = own.iter().find(|own| own.store == self.number && own.generation == generation) {
                return Ok(known.manager.clone());
            }
            let manager = manager(&self.client)?;
            own.retain(|own| own.store != self.number);
            own.push(Own { store: self.number, generation, manager: manager.clone() });
            Ok(manager)
        })
    }

    /// The manager reconnects after I/O errors only; one whose handshake was refused (a password not set yet, a server still loading)
    /// would fail forever. So after a refusal new ones take the place of all.
    fn rebuild_after(&self, error: &RedisError) {
        if error.is_io_error() {
            return;
        }
        let mut rebuilt = self.rebuilt.lock().unwrap_or_else(PoisonError::into_inner);
        if rebuilt.elapsed() >= REBUILD_PAUSE {
            *rebuilt = Instant::now();
            self.generation.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn client(settings: &RedisSettings) -> Result<Client, RedisError> {
    let info: ConnectionInfo = settings.url.as_str().into_connection_info()?;
    // With RESP3 the manager hears of a lost connection at once, not at the next command.
    let mut access = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    if let Some(username) = &settings.username {
        access = access.set_username(username);
    }
    if let Some(password) = &settings.password {
        access = access.set_password(password.expose_secret());
    }
    let info = info.set_redis_settings(access);
    match &settings.ca {
        Some(ca) => Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(ca.clone()) }),
        None => Client::open(info),
    }
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

/// After a restart the first command meets the old connection's error. It is worth another attempt if it was certainly not done, or
/// if doing it twice is no harm; a timeout is not, because the time is gone.
fn worth_a_second_attempt(error: &RedisError, twice: Twice) -> bool {
    error.is_connection_refusal() || (twice == Twice::Same && error.is_io_error() && !error.is_timeout())
}

/// What may be told of an error. A server's own words are left out: Redis repeats parts of the command in them.
fn unavailable(error: &RedisError) -> StoreUnavailable {
    if error.is_io_error() {
        return StoreUnavailable::new(format!("Redis: {error}"));
    }
    StoreUnavailable::new(format!("Redis: {} {}", error.category(), error.code().unwrap_or_default()))
}

fn pipe(name: &str, key: &Key) -> Pipeline {
    let mut pipe = redis::pipe();
    pipe.cmd(name).arg(key.as_str());
    pipe
}

fn script(code: &str, key: &Key) -> Pipeline {
    let mut pipe = redis::pipe();
    pipe.cmd("EVAL").arg(code).arg(1).arg(key.as_str());
    pipe
}

fn list(commands: &mut Pipeline, index: &Key, member: &Key, ttl: Duration) {
    commands.cmd("EVAL").arg(INDEX_ADD).arg(1).arg(index.as_str()).arg(member.as_str()).arg(millis(ttl)).ignore();
}

#[async_trait]
impl Store for RedisStore {
    async fn put(&self, key: &Key, value: Vec<u8>, ttl: Duration) -> Result<(), StoreUnavailable> {
        self.run(pipe("SET", key).arg(value).arg("PX").arg(millis(ttl)).ignore(), Twice::Same).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        let (value,) = self.run(&pipe("GET", key), Twice::Same).await?;
        Ok(value)
    }

    async fn get_all(&self, keys: &[Key]) -> Result<Vec<Kept>, StoreUnavailable> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        // Commands of one key each: they lie in different slots of a cluster.
        let mut commands = redis::pipe();
        for key in keys {
            commands.cmd("PTTL").arg(key.as_str()).cmd("GET").arg(key.as_str());
        }
        let answers: Vec<(i64, Option<Vec<u8>>)> = self.run(&commands, Twice::Same).await?;
        // A key that is gone has -2 left; between the two commands it may go.
        let kept = |(key, (left, value)): (&Key, (i64, Option<Vec<u8>>))| {
            let left = Duration::from_millis(u64::try_from(left).ok()?);
            Some(Kept { key: key.clone(), value: value?, left })
        };
        Ok(keys.iter().zip(answers).filter_map(kept).collect())
    }

    async fn get_and_touch(&self, key: &Key, ttl: Duration) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        let (value,) = self.run(pipe("GETEX", key).arg("PX").arg(millis(ttl)), Twice::Same).await?;
        Ok(value)
    }

    async fn get_and_touch_with(
        &self,
        key: &Key,
        ttl: Duration,
        beside: &[Key],
    ) -> Result<(Option<Vec<u8>>, Vec<Option<Vec<u8>>>), StoreUnavailable> {
        let mut commands = pipe("GETEX", key);
        commands.arg("PX").arg(millis(ttl));
        for key in beside {
            commands.cmd("GET").arg(key.as_str());
        }
        let mut answers: Vec<Option<Vec<u8>>> = self.run(&commands, Twice::Same).await?;
        if answers.len() != beside.len() + 1 {
            return Err(StoreUnavailable::new("Redis did not answer each command"));
        }
        Ok((answers.remove(0), answers))
    }

    async fn swap(&self, key: &Key, was: Option<&[u8]>, value: Vec<u8>, ttl: Duration) -> Result<bool, StoreUnavailable> {
        let mut commands = script(SWAP, key);
        commands.arg(value).arg(millis(ttl)).arg(u8::from(was.is_some())).arg(was.unwrap_or_default());
        let (swapped,) = self.run(&commands, Twice::Differs).await?;
        Ok(swapped)
    }

    async fn take(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        let (value,) = self.run(&pipe("GETDEL", key), Twice::Differs).await?;
        Ok(value)
    }

    async fn claim(&self, key: &Key, ttl: Duration) -> Result<bool, StoreUnavailable> {
        let (set,): (Option<String>,) = self.run(pipe("SET", key).arg("1").arg("NX").arg("PX").arg(millis(ttl)), Twice::Differs).await?;
        Ok(set.is_some())
    }

    async fn is_claimed(&self, key: &Key) -> Result<bool, StoreUnavailable> {
        let (there,) = self.run(&pipe("EXISTS", key), Twice::Same).await?;
        Ok(there)
    }

    async fn count(&self, key: &Key, ttl: Duration) -> Result<u64, StoreUnavailable> {
        let mut commands = script(COUNT, key);
        commands.arg(millis(ttl));
        let (count,) = self.run(&commands, Twice::Differs).await?;
        Ok(count)
    }

    async fn delete(&self, keys: &[Key]) -> Result<usize, StoreUnavailable> {
        if keys.is_empty() {
            return Ok(0);
        }
        // One command for each key: they lie in different slots of a cluster.
        let mut commands = redis::pipe();
        for key in keys {
            commands.cmd("DEL").arg(key.as_str());
        }
        let deleted: Vec<usize> = self.run(&commands, Twice::Same).await?;
        Ok(deleted.into_iter().sum())
    }

    async fn put_listed(
        &self,
        key: &Key,
        value: Vec<u8>,
        ttl: Duration,
        indexes: &[Key],
        listed: Duration,
    ) -> Result<(), StoreUnavailable> {
        let mut commands = redis::pipe();
        for index in indexes {
            list(&mut commands, index, key, listed);
        }
        // Last: when it is there, the indexes have it.
        commands.cmd("SET").arg(key.as_str()).arg(value).arg("PX").arg(millis(ttl)).ignore();
        self.run(&commands, Twice::Same).await
    }

    async fn put_within(&self, key: &Key, value: Vec<u8>, ttl: Duration, budgets: &[(Key, usize)]) -> Result<Placed, StoreUnavailable> {
        let mut commands = pipe("SET", key);
        commands.arg(value).arg("NX").arg("PX").arg(millis(ttl));
        for (index, most) in budgets {
            commands.cmd("EVAL").arg(INDEX_ADD_WITHIN).arg(1).arg(index.as_str()).arg(key.as_str()).arg(millis(ttl)).arg(*most);
        }
        let answers: Vec<Value> = self.run(&commands, Twice::Differs).await?;
        let mut answers = answers.into_iter();
        let stored = !matches!(answers.next(), Some(Value::Nil) | None);
        let added: Vec<bool> = answers.map(|answer| from_redis_value(answer).unwrap_or(false)).collect();
        let Some(full) = added.iter().position(|added| !added) else {
            return Ok(if stored { Placed::Stored } else { Placed::Taken });
        };
        if stored {
            // The usual answer takes one round trip, so this one takes two: nobody has heard of the key in between.
            let mut undo = pipe("DEL", key);
            undo.ignore();
            for ((index, _), _) in budgets.iter().zip(added).filter(|(_, added)| *added) {
                undo.cmd("ZREM").arg(index.as_str()).arg(key.as_str()).ignore();
            }
            self.run::<()>(&undo, Twice::Same).await?;
        }
        Ok(Placed::Full(full))
    }

    async fn take_and_claim(&self, key: &Key, mark: &Key, ttl: Duration) -> Result<(Option<Vec<u8>>, bool), StoreUnavailable> {
        let mut commands = pipe("SET", mark);
        commands.arg("1").arg("NX").arg("PX").arg(millis(ttl)).cmd("GETDEL").arg(key.as_str());
        let (free, taken): (Option<String>, Option<Vec<u8>>) = self.run(&commands, Twice::Differs).await?;
        Ok((taken, free.is_some()))
    }

    async fn index_members(&self, index: &Key) -> Result<Vec<Key>, StoreUnavailable> {
        let (members,): (Vec<String>,) = self.run(&script(INDEX_MEMBERS, index), Twice::Same).await?;
        Ok(members.iter().filter_map(|member| Key::stored(member)).collect())
    }

    async fn index_add_within(&self, index: &Key, member: &Key, ttl: Duration, most: usize) -> Result<bool, StoreUnavailable> {
        let mut commands = script(INDEX_KEEP_WITHIN, index);
        commands.arg(member.as_str()).arg(millis(ttl)).arg(most);
        let (added,) = self.run(&commands, Twice::Same).await?;
        Ok(added)
    }

    async fn index_remove(&self, listed: &[(Key, Key)]) -> Result<(), StoreUnavailable> {
        if listed.is_empty() {
            return Ok(());
        }
        let mut commands = redis::pipe();
        for (index, member) in listed {
            commands.cmd("ZREM").arg(index.as_str()).arg(member.as_str()).ignore();
        }
        self.run(&commands, Twice::Same).await
    }

    async fn ping(&self) -> Result<(), StoreUnavailable> {
        // A write, because a Redis that is full, or a replica, answers and takes nothing.
        let probe = Key::of(Purpose::Used, b"is anybody there");
        self.run(pipe("SET", &probe).arg("1").arg("PX").arg(PROBE_MILLIS).ignore(), Twice::Same).await
    }
}
