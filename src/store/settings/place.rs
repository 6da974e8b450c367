//! Where the store is: in memory, or in a Redis that is one server, that Sentinels know, or that is a cluster.

use std::path::Path;

use url::Url;

use super::super::redis::{Access, Place, RedisSettings};
use super::{MEMORY, StoreSettings};
use crate::settings::{LARGEST_FILE, Problem, read_file};

impl StoreSettings {
    /// Whether nothing is kept but in this process.
    pub(super) const fn is_memory(&self) -> bool {
        self.sentinels.is_empty() && self.cluster.is_empty() && matches!(self.url.as_bytes(), b"memory")
    }

    /// Where it is, in words for administrators.
    #[must_use]
    pub fn whereabouts(&self) -> String {
        match (self.sentinels.first(), self.cluster.first()) {
            (Some(first), _) => format!("the Redis that the Sentinel at {first} calls {:?}", self.primary.as_deref().unwrap_or_default()),
            (None, Some(first)) => format!("the Redis Cluster of {first}"),
            (None, None) => self.url.clone(),
        }
    }

    /// Finds what is wrong with the place, without a look at secrets and files.
    pub(super) fn check_place(&self, path: &str, problems: &mut Vec<Problem>) {
        let given = [("url", self.url != MEMORY), ("sentinels", !self.sentinels.is_empty()), ("cluster", !self.cluster.is_empty())];
        let mut given = given.into_iter().filter(|(_, given)| *given).map(|(field, _)| field);
        if let (Some(first), Some(second)) = (given.next(), given.next()) {
            let message = format!("`{first}` and `{second}` both say where the store is");
            problems.push(Problem::new(format!("{path}.{second}"), message, "keep one of them"));
        }
        if self.url != MEMORY {
            check_url(&self.url, &format!("{path}.url"), Database::May, problems);
        }
        for (index, url) in self.sentinels.iter().enumerate() {
            check_url(url, &format!("{path}.sentinels[{index}]"), Database::May, problems);
        }
        for (index, url) in self.cluster.iter().enumerate() {
            check_url(url, &format!("{path}.cluster[{index}]"), Database::MayNot, problems);
        }
        self.check_alike(path, problems);
        self.check_strays(path, problems);
        if !self.sentinels.is_empty() && self.primary.as_deref().is_none_or(str::is_empty) {
            let hint = "set `primary` to the name in their `sentinel monitor NAME …`";
            problems.push(Problem::new(format!("{path}.primary"), "the Sentinels need the name of a Redis", hint));
        }
    }

    fn urls(&self) -> impl Iterator<Item = &String> {
        let url = (self.url != MEMORY).then_some(&self.url);
        url.into_iter().chain(&self.sentinels).chain(&self.cluster)
    }

    /// TLS and the database are those of the Redis, whoever names it.
    fn check_alike(&self, path: &str, problems: &mut Vec<Problem>) {
        for (field, urls) in [("sentinels", &self.sentinels), ("cluster", &self.cluster)] {
            // What is no URL of a Redis is told of by itself.
            let of = |url: &String| {
                let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "redis" | "rediss"))?;
                Some((url.scheme().to_owned(), url.path().trim_matches('/').to_owned()))
            };
            let Some(first) = urls.first().and_then(of) else { continue };
            let unlike = urls.iter().position(|url| of(url).is_some_and(|other| other != first));
            if let Some(index) = unlike {
                let message = "not with TLS, or not of the database, that the first one says";
                problems.push(Problem::new(format!("{path}.{field}[{index}]"), message, "write all of them alike but for host and port"));
            }
        }
        if self.ca_file.is_some() && self.urls().any(|url| url.starts_with("redis:")) {
            let field = if self.url != MEMORY {
                "url"
            } else if self.cluster.is_empty() {
                "sentinels"
            } else {
                "cluster"
            };
            let message = "`ca_file` is set, and the URL is one without TLS";
            problems.push(Problem::new(format!("{path}.{field}"), message, "write rediss:// or remove `ca_file`"));
        }
    }

    /// What the place has no use for.
    fn check_strays(&self, path: &str, problems: &mut Vec<Problem>) {
        let of_redis = [
            ("username", self.username.is_some()),
            ("password", self.password.is_some()),
            ("ca_file", self.ca_file.is_some()),
            ("replicas", self.replicas.is_some()),
        ];
        let of_sentinels = [
            ("primary", self.primary.is_some()),
            ("sentinel_username", self.sentinel_username.is_some()),
            ("sentinel_password", self.sentinel_password.is_some()),
        ];
        let mut stray = |fields: &[(&str, bool)], message: &str, hint: &str| {
            for (field, _) in fields.iter().filter(|(_, given)| *given) {
                problems.push(Problem::new(format!("{path}.{field}"), message.to_owned(), hint.to_owned()));
            }
        };
        if self.is_memory() {
            stray(&of_redis, "the memory store has no use for this", "remove it, or set `url` to a Redis");
        }
        if self.sentinels.is_empty() {
            stray(&of_sentinels, "nothing has use for this without Sentinels", "remove it, or set `sentinels`");
        }
    }

    /// What is needed to reach the Redis.
    pub(super) fn redis(&self, path: &str, base: &Path) -> Result<RedisSettings, Problem> {
        let secret = |secret: &Option<crate::settings::SecretRef>, field: &str| {
            secret.as_ref().map(|reference| reference.read(base, &format!("{path}.{field}"))).transpose()
        };
        let ca = self.ca_file.as_ref().map(|file| {
            let file = base.join(file);
            read_file(&file, LARGEST_FILE).map_err(|error| {
                let message = format!("the file {} cannot be read: {error}", file.display());
                Problem::new(format!("{path}.ca_file"), message, "check the path and who may read it")
            })
        });
        let access = Access { username: self.username.clone(), password: secret(&self.password, "password")? };
        let asked = Access { username: self.sentinel_username.clone(), password: secret(&self.sentinel_password, "sentinel_password")? };
        let place = if !self.sentinels.is_empty() {
            let primary = self.primary.clone().unwrap_or_default();
            Place::Sentinels { urls: self.sentinels.clone(), primary, access: asked }
        } else if !self.cluster.is_empty() {
            Place::Cluster { urls: self.cluster.clone() }
        } else {
            Place::One { url: self.url.clone() }
        };
        let usual = u8::from(!matches!(place, Place::One { .. }));
        Ok(RedisSettings { place, access, ca: ca.transpose()?, replicas: self.replicas.unwrap_or(usual) })
    }
}

/// Whether a URL may name a database: a cluster has one alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Database {
    May,
    MayNot,
}

fn check_url(text: &str, path: &str, database: Database, problems: &mut Vec<Problem>) {
    // The text is never repeated in a message: it may hold a password.
    let Some(url) = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "redis" | "rediss") && url.host().is_some()) else {
        problems.push(Problem::new(
            path,
            "neither \"memory\" nor the URL of a Redis",
            "write \"memory\", \"redis://host:6379\" or \"rediss://host:6379\"",
        ));
        return;
    };
    if url.password().is_some() {
        let hint = "take it out of the URL and set `password = { env = \"REDIS_PASSWORD\" }` or `{ file = … }`";
        problems.push(Problem::new(path, "a password stands in the URL", hint));
    } else if !url.username().is_empty() {
        problems.push(Problem::new(path, "a user name stands in the URL", "take it out of the URL and set `username`"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        problems.push(Problem::new(path, "options stand in the URL", "leave out everything from `?` or `#` on"));
    }
    let named = url.path().trim_start_matches('/');
    if database == Database::MayNot && !named.is_empty() {
        problems.push(Problem::new(path, "a cluster has one database alone", "write redis://host:6379"));
    } else if !named.is_empty() && named.parse::<u16>().is_err() {
        let hint = "write redis://host:6379 or redis://host:6379/1";
        problems.push(Problem::new(path, "what follows the host is not a database number", hint));
    }
}
