//! A store in Redis 6.2 or later (GETDEL, GETEX), shared by any number of instances: one server, the primary that Sentinels name, or a cluster.

mod batch;
mod scripts;
mod servers;

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use redis::{FromRedisValue, RedisError, Value, from_redis_value};
use secrecy::SecretString;
use tokio::sync::OnceCell;
use tracing::Instrument;

use super::{Allowance, Kept, Key, Placed, Purpose, Store, StoreUnavailable, millis};
use crate::spans;
use batch::{Batch, Nature};
use scripts::{COUNT, INDEX_ADD_WITHIN, INDEX_KEEP_WITHIN, INDEX_MEMBERS, SPEND, SWAP};
use servers::{Link, Servers};

/// How long an operation may take in all, a second attempt included.
const DEADLINE: Duration = Duration::from_millis(2500);

/// How long what tries whether Redis takes something is kept.
const PROBE_MILLIS: u64 = 1000;

/// What is needed to reach a Redis.
pub struct RedisSettings {
    /// Where it is.
    pub place: Place,
    /// As whom.
    pub access: Access,
    /// The certificate authority (PEM) to trust instead of the system's, for `rediss://`.
    pub ca: Option<Vec<u8>>,
    /// How many replicas must have confirmed what must not be forgotten before it counts as done: with one, no single server that is lost takes
    /// it along.
    pub replicas: u8,
}

/// Where a Redis is. URLs are `redis://` or `rediss://`, host, port and database; no name and no password.
pub enum Place {
    /// One server.
    One {
        /// Its URL.
        url: String,
    },
    /// Where Sentinels say.
    Sentinels {
        /// Their URLs. The database that the first one names is that of the Redis.
        urls: Vec<String>,
        /// What they call the primary.
        primary: String,
        /// As whom they are asked.
        access: Access,
    },
    /// In a cluster.
    Cluster {
        /// URLs of some of its nodes; they know the others.
        urls: Vec<String>,
    },
}

/// As whom a server is spoken to.
#[derive(Default)]
pub struct Access {
    /// The ACL user; none for the default one.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
}

/// A store in Redis. Reconnects by itself, and fails rather than waits.
///
/// Each thread has a connection of its own, whose driver runs on the thread's own runtime: a worker that shared one with others would
/// wake another thread for each command, and be woken by it, which costs more than the command.
pub struct RedisStore {
    servers: Servers,
    replicas: u8,
    number: u64,
    generation: AtomicU64,
    renewed: Mutex<Instant>,
}

/// A thread's connection to the store of a number, of a generation.
///
/// What waits for replicas has another one than what does not: Redis goes on with nothing else of a connection while it waits, and where replicas are
/// missing that would keep people from reading.
struct Own {
    store: u64,
    waits: bool,
    generation: u64,
    link: Arc<OnceCell<Link>>,
}

thread_local! {
    static OWN: RefCell<Vec<Own>> = const { RefCell::new(Vec::new()) };
}

impl RedisStore {
    /// A store at that Redis. Connects at the first use.
    ///
    /// # Errors
    /// The settings cannot be those of a Redis: a URL or the certificate does not parse.
    pub fn new(settings: &RedisSettings) -> Result<Self, StoreUnavailable> {
        static STORES: AtomicU64 = AtomicU64::new(0);
        let servers = Servers::new(settings).map_err(|error| unavailable(&error))?;
        let number = STORES.fetch_add(1, Ordering::Relaxed);
        Ok(Self { servers, replicas: settings.replicas, number, generation: AtomicU64::new(0), renewed: Mutex::new(Instant::now()) })
    }

    async fn run<T: FromRedisValue + Send>(&self, commands: &Batch) -> Result<T, StoreUnavailable> {
        let span = tracing::trace_span!(target: spans::TARGET, "redis", otel.kind = "client", db.system.name = "redis");
        self.send(commands).instrument(span).await
    }

    async fn send<T: FromRedisValue + Send>(&self, commands: &Batch) -> Result<T, StoreUnavailable> {
        let attempts = async {
            match self.attempt(commands).await {
                Err(error) if worth_a_second_attempt(&error, commands.nature()) => self.attempt(commands).await,
                first => first,
            }
        };
        let answers = match tokio::time::timeout(DEADLINE, attempts).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(error)) => {
                self.renew(self.servers.renewed_after(&error));
                return Err(unavailable(&error));
            }
            Err(_) => {
                self.renew(self.servers.renewed_after_silence());
                return Err(StoreUnavailable::new("Redis did not answer in time"));
            }
        };
        if let Some(confirmed) = answers.confirmed.filter(|confirmed| *confirmed < u64::from(self.replicas)) {
            // Sentinels may have named another primary, of which this one does not know.
            self.renew(self.servers.renewed_in_doubt());
            return Err(StoreUnavailable::new(format!("Redis: {confirmed} of {} replicas confirmed what was written", self.replicas)));
        }
        from_redis_value(Value::Array(answers.values)).map_err(|error| unavailable(&error.into()))
    }

    async fn attempt(&self, commands: &Batch) -> Result<servers::Answers, RedisError> {
        let replicas = if commands.nature().must_last() { self.replicas } else { 0 };
        self.link(replicas > 0).await?.send(commands, replicas).await
    }

    /// This thread's connection, made when it is first wanted, by whoever wants it first.
    async fn link(&self, waits: bool) -> Result<Link, RedisError> {
        let generation = self.generation.load(Ordering::Relaxed);
        let is_for_this = |own: &Own| own.store == self.number && own.waits == waits;
        let link = OWN.with_borrow_mut(|own| {
            if let Some(known) = own.iter().find(|own| is_for_this(own) && own.generation >= generation) {
                return Arc::clone(&known.link);
            }
            let link = Arc::new(OnceCell::new());
            own.retain(|own| !is_for_this(own));
            own.push(Own { store: self.number, waits, generation, link: Arc::clone(&link) });
            link
        });
        link.get_or_try_init(|| self.servers.link(generation)).await.cloned()
    }

    /// Lets new links take the place of all, if none did within the pause.
    fn renew(&self, pause: Option<Duration>) {
        let Some(pause) = pause else { return };
        let mut renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        if renewed.elapsed() >= pause {
            *renewed = Instant::now();
            self.generation.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// After a restart the first command meets the old connection's error. It is worth another attempt if it was certainly not done, or
/// if doing it twice is no harm; a timeout is not, because the time is gone.
///
/// A cluster's connections look for another node by themselves, and then may do a second time what was done: a mark is found to be set, what
/// is to be taken to be gone, so that who sent it begins anew; a swap finds its own value.
fn worth_a_second_attempt(error: &RedisError, nature: Nature) -> bool {
    error.is_connection_refusal() || (nature.is_repeatable() && error.is_io_error() && !error.is_timeout())
}

/// What may be told of an error. A server's own words are left out: Redis repeats parts of the command in them.
fn unavailable(error: &RedisError) -> StoreUnavailable {
    if error.is_io_error() {
        return StoreUnavailable::new(format!("Redis: {error}"));
    }
    StoreUnavailable::new(format!("Redis: {} {}", error.category(), error.code().unwrap_or_default()))
}

#[async_trait]
impl Store for RedisStore {
    async fn put(&self, key: &Key, value: Vec<u8>, ttl: Duration) -> Result<(), StoreUnavailable> {
        self.run(&Batch::of(Nature::Repeatable, "SET", key).arg(value).for_as_long(ttl)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        let (value,) = self.run(&Batch::of(Nature::Repeatable, "GET", key)).await?;
        Ok(value)
    }

    async fn get_all(&self, keys: &[Key]) -> Result<Vec<Kept>, StoreUnavailable> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        // Commands of one key each: they lie in different slots of a cluster.
        let commands = keys.iter().fold(Batch::new(Nature::Repeatable), |commands, key| commands.and("PTTL", key).and("GET", key));
        let answers: Vec<(i64, Option<Vec<u8>>)> = self.run(&commands).await?;
        // A key that is gone has -2 left; between the two commands it may go.
        let kept = |(key, (left, value)): (&Key, (i64, Option<Vec<u8>>))| {
            let left = Duration::from_millis(u64::try_from(left).ok()?);
            Some(Kept { key: key.clone(), value: value?, left })
        };
        Ok(keys.iter().zip(answers).filter_map(kept).collect())
    }

    async fn get_and_touch(&self, key: &Key, ttl: Duration) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        let (value,) = self.run(&Batch::of(Nature::Repeatable, "GETEX", key).for_as_long(ttl)).await?;
        Ok(value)
    }

    async fn get_and_touch_with(
        &self,
        key: &Key,
        ttl: Duration,
        beside: &[Key],
    ) -> Result<(Option<Vec<u8>>, Vec<Option<Vec<u8>>>), StoreUnavailable> {
        let touched = Batch::of(Nature::Repeatable, "GETEX", key).for_as_long(ttl);
        let commands = beside.iter().fold(touched, |commands, key| commands.and("GET", key));
        let mut answers: Vec<Option<Vec<u8>>> = self.run(&commands).await?;
        if answers.len() != beside.len() + 1 {
            return Err(StoreUnavailable::new("Redis did not answer each command"));
        }
        Ok((answers.remove(0), answers))
    }

    async fn swap(&self, key: &Key, was: Option<&[u8]>, value: Vec<u8>, ttl: Duration) -> Result<bool, StoreUnavailable> {
        let commands = Batch::script(Nature::Once, SWAP, key).arg(value).arg(millis(ttl));
        let (swapped,) = self.run(&commands.arg(u8::from(was.is_some())).arg(was.unwrap_or_default())).await?;
        Ok(swapped)
    }

    async fn take(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreUnavailable> {
        let (value,) = self.run(&Batch::of(Nature::Once, "GETDEL", key)).await?;
        Ok(value)
    }

    async fn claim(&self, key: &Key, ttl: Duration) -> Result<bool, StoreUnavailable> {
        let (set,): (Option<String>,) = self.run(&Batch::of(Nature::Once, "SET", key).arg("1").arg("NX").for_as_long(ttl)).await?;
        Ok(set.is_some())
    }

    async fn is_claimed(&self, key: &Key) -> Result<bool, StoreUnavailable> {
        let (there,) = self.run(&Batch::of(Nature::Repeatable, "EXISTS", key)).await?;
        Ok(there)
    }

    async fn count(&self, key: &Key, ttl: Duration) -> Result<u64, StoreUnavailable> {
        let (count,) = self.run(&Batch::script(Nature::Once, COUNT, key).arg(millis(ttl))).await?;
        Ok(count)
    }

    async fn spend(&self, key: &Key, count: u32, of: Allowance) -> Result<Option<Duration>, StoreUnavailable> {
        let each = u64::try_from(of.each.as_micros()).unwrap_or(u64::MAX);
        let (wait,) = self.run(&Batch::script(Nature::Single, SPEND, key).arg(each).arg(of.burst).arg(count)).await?;
        Ok(Some(Duration::from_micros(wait)).filter(|wait| !wait.is_zero()))
    }

    async fn delete(&self, keys: &[Key]) -> Result<usize, StoreUnavailable> {
        if keys.is_empty() {
            return Ok(0);
        }
        // One command for each key: they lie in different slots of a cluster.
        let commands = keys.iter().fold(Batch::new(Nature::Lasting), |commands, key| commands.and("DEL", key));
        let deleted: Vec<usize> = self.run(&commands).await?;
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
        // In a cluster the indexes lie on other servers than the record: one that lost an entry would leave a session that no sign-out finds.
        let listing = Batch::new(Nature::Lasting);
        let listing = indexes.iter().fold(listing, |commands, index| commands.and_list(index, key, listed));
        // Last: on one server, when it is there, the indexes have it.
        self.run(&listing.and("SET", key).arg(value).for_as_long(ttl)).await
    }

    async fn put_within(&self, key: &Key, value: Vec<u8>, ttl: Duration, budgets: &[(Key, usize)]) -> Result<Placed, StoreUnavailable> {
        let mut commands = Batch::of(Nature::Single, "SET", key).arg(value).arg("NX").for_as_long(ttl);
        for (index, most) in budgets {
            commands = commands.and_script(INDEX_ADD_WITHIN, index).arg(key.as_str()).arg(millis(ttl)).arg(*most);
        }
        let answers: Vec<Value> = self.run(&commands).await?;
        let mut answers = answers.into_iter();
        let stored = !matches!(answers.next(), Some(Value::Nil) | None);
        let added: Vec<bool> = answers.map(|answer| from_redis_value(answer).unwrap_or(false)).collect();
        let Some(full) = added.iter().position(|added| !added) else {
            return Ok(if stored { Placed::Stored } else { Placed::Taken });
        };
        if stored {
            // The usual answer takes one round trip, so this one takes two: nobody has heard of the key in between.
            let mut undo = Batch::of(Nature::Repeatable, "DEL", key);
            for ((index, _), _) in budgets.iter().zip(added).filter(|(_, added)| *added) {
                undo = undo.and("ZREM", index).arg(key.as_str());
            }
            self.run::<()>(&undo).await?;
        }
        Ok(Placed::Full(full))
    }

    async fn take_and_claim(&self, key: &Key, mark: &Key, ttl: Duration) -> Result<(Option<Vec<u8>>, bool), StoreUnavailable> {
        let commands = Batch::of(Nature::Once, "SET", mark).arg("1").arg("NX").for_as_long(ttl).and("GETDEL", key);
        let (free, taken): (Option<String>, Option<Vec<u8>>) = self.run(&commands).await?;
        Ok((taken, free.is_some()))
    }

    async fn index_members(&self, index: &Key) -> Result<Vec<Key>, StoreUnavailable> {
        let (members,): (Vec<String>,) = self.run(&Batch::script(Nature::Repeatable, INDEX_MEMBERS, index)).await?;
        Ok(members.iter().filter_map(|member| Key::stored(member)).collect())
    }

    async fn index_add_within(&self, index: &Key, member: &Key, ttl: Duration, most: usize) -> Result<bool, StoreUnavailable> {
        let commands = Batch::script(Nature::Lasting, INDEX_KEEP_WITHIN, index).arg(member.as_str()).arg(millis(ttl)).arg(most);
        let (added,) = self.run(&commands).await?;
        Ok(added)
    }

    async fn index_remove(&self, listed: &[(Key, Key)]) -> Result<(), StoreUnavailable> {
        let mut commands = Batch::new(Nature::Repeatable);
        for (index, member) in listed {
            commands = commands.and("ZREM", index).arg(member.as_str());
        }
        if commands.is_empty() { Ok(()) } else { self.run(&commands).await }
    }

    async fn ping(&self) -> Result<(), StoreUnavailable> {
        // A write, because a Redis that is full, or a replica, answers and takes nothing; one that must last, because replicas may be missing.
        let probe = Key::of(Purpose::Used, b"is anybody there");
        self.run(&Batch::of(Nature::Lasting, "SET", &probe).arg("1").arg("PX").arg(PROBE_MILLIS)).await
    }
}
