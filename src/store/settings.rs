//! What an administrator says about the store and about sessions.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::Store;
use super::memory::MemoryStore;
use super::redis::{RedisSettings, RedisStore};
use super::seal::{SealKey, SealKeys};
use super::vault::Vault;
use crate::settings::{LARGEST_FILE, Problem, SecretRef, Span, read_file};

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
    /// A file with the certificate authority (PEM) that signed Redis's TLS certificate, if it is not a public one.
    pub ca_file: Option<PathBuf>,
    /// Where the keys are that seal every record: 32 bytes each, in hexadecimal or base64, for example by `openssl rand -hex 32`. The
    /// first one seals, all of them open. To rotate, add a new one at the end on every instance, then move it to the front, and drop
    /// the old one when the longest session has ended. Needed for Redis; the memory store makes its own.
    pub seal_keys: Vec<SecretRef>,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { url: MEMORY.into(), username: None, password: None, ca_file: None, seal_keys: Vec::new() }
    }
}

const MEMORY: &str = "memory";

impl StoreSettings {
    /// Finds everything that must be mended before a start, secrets and files included. `path` is where the settings stand, `base` the
    /// folder of the configuration file.
    pub fn check(&self, path: &str, base: &Path, problems: &mut Vec<Problem>) {
        self.check_url(path, problems);
        if let Err(problem) = self.keys(path, base) {
            problems.push(problem);
        }
        if self.url == MEMORY {
            let stray = [("username", self.username.is_some()), ("password", self.password.is_some()), ("ca_file", self.ca_file.is_some())];
            for (field, _) in stray.into_iter().filter(|(_, given)| *given) {
                problems.push(Problem::new(
                    format!("{path}.{field}"),
                    "the memory store has no use for this",
                    "remove it, or set `url` to a Redis",
                ));
            }
        } else if let Err(problem) = self.redis(path, base) {
            problems.push(problem);
        }
    }

    fn check_url(&self, path: &str, problems: &mut Vec<Problem>) {
        if self.url == MEMORY {
            return;
        }
        let path = format!("{path}.url");
        // The text is never repeated in a message: it may hold a password.
        let Some(url) = Url::parse(&self.url).ok().filter(|url| matches!(url.scheme(), "redis" | "rediss") && url.host().is_some()) else {
            problems.push(Problem::new(
                path,
                "neither \"memory\" nor the URL of a Redis",
                "write \"memory\", \"redis://host:6379\" or \"rediss://host:6379\"",
            ));
            return;
        };
        if url.password().is_some() {
            let hint = "take it out of the URL and set `password = { env = \"REDIS_PASSWORD\" }` or `{ file = … }`";
            problems.push(Problem::new(&path, "a password stands in the URL", hint));
        } else if !url.username().is_empty() {
            problems.push(Problem::new(&path, "a user name stands in the URL", "take it out of the URL and set `username`"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            problems.push(Problem::new(&path, "options stand in the URL", "leave out everything from `?` or `#` on"));
        }
        let database = url.path().trim_start_matches('/');
        if !database.is_empty() && database.parse::<u16>().is_err() {
            problems.push(Problem::new(
                &path,
                "what follows the host is not a database number",
                "write redis://host:6379 or redis://host:6379/1",
            ));
        }
        if self.ca_file.is_some() && url.scheme() != "rediss" {
            problems.push(Problem::new(&path, "`ca_file` is set, and the URL is one without TLS", "write rediss:// or remove `ca_file`"));
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
            if self.url == MEMORY {
                return Ok(SealKeys::random());
            }
            let hint = "make one with `openssl rand -hex 32` and set `seal_keys = [{ file = … }]`, the same on every instance";
            return Err(Problem::new(format!("{path}.seal_keys"), "a Redis needs keys that seal what is kept there", hint));
        }
        let first = ring.remove(0);
        Ok(SealKeys::new(first, ring))
    }

    fn redis(&self, path: &str, base: &Path) -> Result<RedisSettings, Problem> {
        let password = self.password.as_ref().map(|reference| reference.read(base, &format!("{path}.password"))).transpose()?;
        let ca = self.ca_file.as_ref().map(|file| {
            let file = base.join(file);
            read_file(&file, LARGEST_FILE).map_err(|error| {
                let message = format!("the file {} cannot be read: {error}", file.display());
                Problem::new(format!("{path}.ca_file"), message, "check the path and who may read it")
            })
        });
        Ok(RedisSettings { url: self.url.clone(), username: self.username.clone(), password, ca: ca.transpose()? })
    }

    /// Opens the store below the [`Vault`]: a Redis that does not answer yet is no error, because it is asked again at every use.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// What [`Self::check`] finds, as far as it hinders; paths begin with `store`.
    pub fn open(&self, base: &Path) -> Result<Arc<dyn Store>, Problem> {
        let mut problems = Vec::new();
        self.check_url(PATH, &mut problems);
        if let Some(problem) = problems.into_iter().next() {
            return Err(problem);
        }
        if self.url == MEMORY {
            return Ok(Arc::new(MemoryStore::new(MEMORY_BYTES)));
        }
        let store = RedisStore::new(&self.redis(PATH, base)?)
            .map_err(|error| Problem::new(format!("{PATH}.url"), error.to_string(), "check `url` and `ca_file`"))?;
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
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn problems(settings: Value, base: &Path) -> Vec<Problem> {
        let settings: StoreSettings = serde_json::from_value(settings).unwrap();
        let mut problems = Vec::new();
        settings.check("store", base, &mut problems);
        problems
    }

    #[test]
    fn what_stands_in_the_readme_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("k"), format!("{}\n", "ab".repeat(32))).unwrap();
        let keys = json!([{ "file": "k" }]);
        for settings in [
            json!({}),
            json!({ "url": "memory", "seal_keys": keys }),
            json!({ "url": "redis://127.0.0.1:6379", "seal_keys": keys }),
            json!({ "url": "redis://redis/1", "username": "gate", "password": { "file": "k" }, "seal_keys": keys }),
            json!({ "url": "rediss://[::1]:6380/", "ca_file": "k", "seal_keys": keys }),
        ] {
            assert_eq!(problems(settings.clone(), folder.path()), vec![], "{settings}");
        }
    }

    #[test]
    fn each_mistake_is_named_at_its_place() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("k"), "ab".repeat(32)).unwrap();
        std::fs::write(folder.path().join("short"), "abc").unwrap();
        let keys = json!([{ "file": "k" }]);
        for (settings, path, message) in [
            (json!({ "url": "redis://h" }), "store.seal_keys", "needs keys"),
            (json!({ "url": "redis://:hush@h", "seal_keys": keys }), "store.url", "a password stands in the URL"),
            (json!({ "url": "redis://ana@h", "seal_keys": keys }), "store.url", "user name"),
            (json!({ "url": "rediss://h/#insecure", "seal_keys": keys }), "store.url", "options"),
            (json!({ "url": "redis://h/?protocol=resp2", "seal_keys": keys }), "store.url", "options"),
            (json!({ "url": "redis://h/x", "seal_keys": keys }), "store.url", "database"),
            (json!({ "url": "http://h", "seal_keys": keys }), "store.url", "neither"),
            (json!({ "url": "Memory", "seal_keys": keys }), "store.url", "neither"),
            (json!({ "url": "redis://h", "ca_file": "k", "seal_keys": keys }), "store.url", "without TLS"),
            (json!({ "url": "rediss://h", "ca_file": "none", "seal_keys": keys }), "store.ca_file", "cannot be read"),
            (json!({ "url": "redis://h", "seal_keys": [{ "file": "k" }, { "file": "short" }] }), "store.seal_keys[1]", "32 bytes"),
            (json!({ "url": "redis://h", "password": { "file": "none" }, "seal_keys": keys }), "store.password", "cannot be read"),
            (json!({ "password": { "file": "k" } }), "store.password", "no use"),
        ] {
            let found = problems(settings.clone(), folder.path());
            assert_eq!(found.len(), 1, "{settings}: {found:?}");
            assert_eq!(found[0].path, path, "{settings}");
            assert!(found[0].message.contains(message), "{settings}: {}", found[0]);
            assert!(!found[0].to_string().contains("hush"));
        }
        assert!(serde_json::from_value::<StoreSettings>(json!({ "uri": "memory" })).is_err());
    }

    #[test]
    fn session_limits_are_checked() {
        let check = |settings: Value| {
            let settings: SessionSettings = serde_json::from_value(settings).unwrap();
            let mut problems = Vec::new();
            settings.check("session", &mut problems);
            problems.into_iter().map(|problem| problem.path).collect::<Vec<_>>()
        };
        assert_eq!(check(json!({})), Vec::<String>::new());
        assert_eq!(check(json!({ "idle": "1h", "absolute": "1h" })), Vec::<String>::new());
        assert_eq!(check(json!({ "idle": "9h" })), ["session.idle"]);
        assert_eq!(check(json!({ "idle": "5s" })), ["session.idle"]);
        assert_eq!(check(json!({ "absolute": "8days" })), ["session.absolute"]);
    }
}
