//! What an administrator says about the store and about sessions.

mod place;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Store;
use super::memory::MemoryStore;
use super::redis::RedisStore;
use super::seal::{SealKey, SealKeys};
use super::vault::Vault;
use crate::settings::{Problem, SecretRef, Span};

/// How much a memory store may hold before it refuses.
const MEMORY_BYTES: u64 = 256 * 1024 * 1024;

/// Where sessions are kept.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// `"memory"` for one instance that forgets everything at a restart, or `"redis://host:6379"` (`"rediss://…"` for TLS) for any
    /// number of instances. Redis 6.2 or later, with `maxmemory-policy noeviction`. A database number may follow: `redis://host/1`.
    pub url: String,
    /// The Redis ACL user, if it is not the default one.
    pub username: Option<String>,
    /// Where the Redis password is.
    pub password: Option<SecretRef>,
    /// The URLs of Redis Sentinels, in place of `url`, for a Redis that another one takes over from: `["redis://sentinel-1:26379", …]`. With
    /// `rediss://`, Sentinels and Redis speak TLS. A database number of the Redis may follow each: `redis://sentinel-1:26379/1`.
    pub sentinels: Vec<String>,
    /// What the Sentinels call the Redis.
    pub primary: Option<String>,
    /// The ACL user at the Sentinels, if it is not the default one.
    pub sentinel_username: Option<String>,
    /// Where the password for the Sentinels is, if they ask for one.
    pub sentinel_password: Option<SecretRef>,
    /// The URLs of some nodes of a Redis Cluster, in place of `url`: `["redis://node-1:6379", …]`. They know the others.
    pub cluster: Vec<String>,
    /// How many replicas of the Redis must have confirmed that something was used or has ended before it counts as done. So nothing is accepted a
    /// second time, and nobody signed out is signed in again, when the replica that knows most takes over from one server that is lost; a network that is
    /// cut in two is not covered. 1 with `sentinels` or `cluster`, else 0.
    pub replicas: Option<u8>,
    /// A file with the certificate authority (PEM) that signed Redis's TLS certificate, if it is not a public one.
    pub ca_file: Option<PathBuf>,
    /// Where the keys are that seal every record: 32 bytes each, in hexadecimal or base64, for example by `openssl rand -hex 32`. The
    /// first one seals, all of them open. To rotate, add a new one at the end on every instance, then move it to the front, and drop
    /// the old one when the longest session has ended. Needed for Redis; the memory store makes its own.
    pub seal_keys: Vec<SecretRef>,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            url: MEMORY.into(),
            username: None,
            password: None,
            sentinels: Vec::new(),
            primary: None,
            sentinel_username: None,
            sentinel_password: None,
            cluster: Vec::new(),
            replicas: None,
            ca_file: None,
            seal_keys: Vec::new(),
        }
    }
}

const MEMORY: &str = "memory";

impl StoreSettings {
    /// Finds everything that must be mended before a start, secrets and files included. `path` is where the settings stand, `base` the
    /// folder of the configuration file.
    pub fn check(&self, path: &str, base: &Path, problems: &mut Vec<Problem>) {
        self.check_place(path, problems);
        if let Err(problem) = self.keys(path, base) {
            problems.push(problem);
        }
        if !self.is_memory()
            && let Err(problem) = self.redis(path, base)
        {
            problems.push(problem);
        }
    }

    fn keys(&self, path: &str, base: &Path) -> Result<SealKeys, Problem> {
        let mut ring = Vec::with_capacity(self.seal_keys.len());
        for (index, reference) in self.seal_keys.iter().enumerate() {
            let path = format!("{path}.seal_keys[{index}]");
            let secret = reference.read(base, &path)?;
            let key = SealKey::parse(&secret).map_err(|error| Problem::new(path, error.to_string(), "make one: openssl rand -hex 32"))?;
            ring.push(key);
        }
        if ring.is_empty() {
            if self.is_memory() {
                return Ok(SealKeys::random());
            }
            let hint = "make one with `openssl rand -hex 32` and set `seal_keys = [{ file = … }]`, the same on every instance";
            return Err(Problem::new(format!("{path}.seal_keys"), "a Redis needs keys that seal what is kept there", hint));
        }
        let first = ring.remove(0);
        Ok(SealKeys::new(first, ring))
    }

    /// Opens the store below the [`Vault`]: a Redis that does not answer yet is no error, because it is asked again at every use.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// What [`Self::check`] finds, as far as it hinders; paths begin with `store`.
    pub fn open(&self, base: &Path) -> Result<Arc<dyn Store>, Problem> {
        let mut problems = Vec::new();
        self.check_place(PATH, &mut problems);
        if let Some(problem) = problems.into_iter().next() {
            return Err(problem);
        }
        if self.is_memory() {
            return Ok(Arc::new(MemoryStore::new(MEMORY_BYTES)));
        }
        let store = RedisStore::new(&self.redis(PATH, base)?)
            .map_err(|error| Problem::new(format!("{PATH}.url"), error.to_string(), "check the URLs and `ca_file`"))?;
        Ok(Arc::new(store))
    }

    /// Opens the store with its keys. Says in the log when the store does not answer at the first try, and goes on: `ping` tells when
    /// it does.
    ///
    /// # Errors
    /// What [`Self::check`] finds, as far as it hinders; paths begin with `store`.
    pub async fn connect(&self, base: &Path) -> Result<Vault, Problem> {
        let vault = Vault::new(self.open(base)?, self.keys(PATH, base)?);
        if let Err(error) = vault.ping().await {
            tracing::warn!(%error, "the store does not answer yet; nobody can sign in until it does");
        }
        Ok(vault)
    }
}

/// Where the settings stand in the configuration file.
const PATH: &str = "store";

/// How long people stay signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SessionSettings {
    /// How long a session lives without being used.
    pub idle: Span,
    /// How long a session lives at most, however much it is used. Groups are as old as the session: shorter is safer.
    pub absolute: Span,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self { idle: Span::seconds(3600), absolute: Span::seconds(8 * 3600) }
    }
}

const SHORTEST_IDLE: Span = Span(Duration::from_mins(1));
const LONGEST_ABSOLUTE: Span = Span(Duration::from_hours(7 * 24));

impl SessionSettings {
    /// Finds limits that make no sense. `path` is where the settings stand.
    pub fn check(&self, path: &str, problems: &mut Vec<Problem>) {
        if self.idle < SHORTEST_IDLE {
            problems.push(Problem::new(format!("{path}.idle"), format!("shorter than {SHORTEST_IDLE}"), "15m to 1h is usual"));
        }
        if self.absolute > LONGEST_ABSOLUTE {
            problems.push(Problem::new(format!("{path}.absolute"), format!("longer than {LONGEST_ABSOLUTE}"), "8h to 12h is usual"));
        }
        if self.idle > self.absolute {
            let message = format!("the idle limit ({}) is longer than the absolute one ({})", self.idle, self.absolute);
            problems.push(Problem::new(format!("{path}.idle"), message, "make it the shorter one"));
        }
    }
}

#[cfg(test)]
mod tests;
