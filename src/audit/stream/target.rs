//! A stream as an administrator names it, checked.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::net::{Place, Tls};
use super::syslog::Collector;
use super::webhook::Post;
use crate::audit::SinkSettings;
use crate::posting;
use crate::settings::{LARGEST_FILE, Problem, post_address, read_file};

/// A stream that lines can be sent to. Prints nothing.
#[derive(Clone)]
pub struct Target {
    pub(super) way: Way,
    /// Scheme and host, for people: the path of a webhook may be a secret.
    shown: String,
    /// All of the address.
    address: String,
}

#[derive(Clone)]
pub(super) enum Way {
    Stdout,
    Syslog(Collector),
    Webhook(Post),
}

impl Target {
    /// What it is called: `stdout`, `syslog tls://host:port`, `webhook https://host`.
    #[must_use]
    pub fn name(&self) -> String {
        match self.way {
            Way::Stdout => "stdout".to_owned(),
            Way::Syslog(_) => format!("syslog {}", self.shown),
            Way::Webhook(_) => format!("webhook {}", self.shown),
        }
    }

    /// What no two streams of a trail have in common.
    pub(in super::super) fn identity(&self) -> String {
        format!("{} {}", self.name(), self.address)
    }

    /// Whether it can be connected to. Nothing is sent.
    ///
    /// # Errors
    /// Why not.
    pub fn probe(&self, patience: Duration) -> io::Result<()> {
        match &self.way {
            Way::Stdout => Ok(()),
            Way::Syslog(collector) => collector.probe(patience),
            Way::Webhook(post) => {
                let host = post.url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
                let tls = (post.url.scheme() == "https").then(|| Tls::new(&host, post.authority.as_deref()));
                let place =
                    Place { host, port: post.url.port_or_known_default().unwrap_or(443), tls: tls.transpose().map_err(io::Error::other)? };
                place.connect(patience).map(drop)
            }
        }
    }
}

/// Finds what is wrong at one place of the configuration.
struct Check<'a> {
    settings: &'a SinkSettings,
    path: &'a str,
    /// Where files are read from, if they are.
    base: Option<&'a Path>,
    problems: Vec<Problem>,
}

impl SinkSettings {
    /// The stream that is named; none for a file. Reads the token and the certificates. `path` is where the settings stand, `base` the configuration
    /// file's folder.
    ///
    /// # Errors
    /// Every [`Problem`].
    pub fn target(&self, path: &str, base: &Path) -> Result<Option<Target>, Vec<Problem>> {
        self.checked(path, Some(base))
    }

    /// What the stream is called, and what no other has in common with it, without a look at secrets and files.
    pub(in super::super) fn named(&self, path: &str) -> Result<Option<(String, String)>, Vec<Problem>> {
        Ok(self.checked(path, None)?.map(|target| (target.name(), target.identity())))
    }

    fn checked(&self, path: &str, base: Option<&Path>) -> Result<Option<Target>, Vec<Problem>> {
        let mut check = Check { settings: self, path, base, problems: Vec::new() };
        let given = [
            ("file", self.file.is_some()),
            ("stdout", self.stdout),
            ("syslog", self.syslog.is_some()),
            ("webhook", self.webhook.is_some()),
        ];
        let given: Vec<_> = given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect();
        match given.as_slice() {
            [] => check.wrong("", "it does not say where the lines go", "set one of `file`, `stdout`, `syslog` and `webhook`"),
            [_] => {}
            [_, second, ..] => {
                check.wrong(second, "one sink goes to one place", "keep one of them, and make another [[audit.sink]] for the other");
            }
        }
        check.strays();
        let target = if !check.problems.is_empty() {
            None
        } else if let Some(url) = &self.syslog {
            check.syslog(url)
        } else if let Some(url) = &self.webhook {
            check.webhook(url)
        } else if self.stdout {
            Some(Target { way: Way::Stdout, shown: String::new(), address: String::new() })
        } else {
            None
        };
        if check.problems.is_empty() { Ok(target) } else { Err(check.problems) }
    }
}

impl Check<'_> {
    fn wrong(&mut self, key: &str, message: impl Into<String>, hint: &str) {
        let path = if key.is_empty() { self.path.to_owned() } else { format!("{}.{key}", self.path) };
        self.problems.push(Problem::new(path, message, hint));
    }

    /// What the kind of sink has no use for.
    fn strays(&mut self) {
        if self.settings.token.is_some() && self.settings.webhook.is_none() {
            self.wrong("token", "nothing but a webhook has use for a token", "remove it");
        }
        let is_tls = |url: &Option<String>, scheme: &str| url.as_ref().is_some_and(|url| url.starts_with(scheme));
        if self.settings.ca_file.is_some() && !is_tls(&self.settings.syslog, "tls:") && !is_tls(&self.settings.webhook, "https:") {
            self.wrong("ca_file", "nothing has use for this without TLS", "remove it, or write tls:// or https://");
        }
    }

    fn authority(&mut self) -> Option<Vec<u8>> {
        let file = self.base?.join(self.settings.ca_file.as_ref()?);
        let read = read_file(&file, LARGEST_FILE).map_err(|error| format!("the file {} cannot be read: {error}", file.display()));
        let usable = |pem: Vec<u8>| {
            let parsed = posting::authorities(&pem).map_err(|why| format!("the file {} cannot be used: {why}", file.display()));
            parsed.map(|_| pem)
        };
        read.and_then(usable)
            .map_err(|why| self.wrong("ca_file", why, "name a PEM file with certificates, which the gateway's user may read"))
            .ok()
    }

    fn syslog(&mut self, text: &str) -> Option<Target> {
        const HINT: &str = "write tcp://host:port, tls://host:port or unix:/dev/log";
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            if !path.is_absolute() {
                self.wrong("syslog", "the path of the socket must begin with a slash", HINT);
                return None;
            }
            let shown = format!("unix:{}", path.display());
            return Some(Target { way: Way::Syslog(Collector::Local(path)), address: shown.clone(), shown });
        }
        let Some((scheme, host, port)) = parts(text) else {
            self.wrong("syslog", "this is no address of a collector", HINT);
            return None;
        };
        let authority = self.authority();
        let tls = if scheme == "tls" && self.base.is_some() && self.problems.is_empty() {
            match Tls::new(&host, authority.as_deref()) {
                Ok(tls) => Some(tls),
                Err(why) => {
                    self.wrong(
                        "syslog",
                        format!("there is no way to TLS: {why}"),
                        "name a `ca_file`, or install the system's ca-certificates",
                    );
                    None
                }
            }
        } else {
            None
        };
        let shown = text.trim_end_matches('/').to_owned();
        Some(Target { way: Way::Syslog(Collector::Net(Place { host, port, tls })), address: shown.clone(), shown })
    }

    fn webhook(&mut self, text: &str) -> Option<Target> {
        let url = post_address(text, "the audit trail", "a receiver knows the gateway by `token`");
        let url = url.map_err(|(message, hint)| self.wrong("webhook", message, &hint)).ok();
        let authority = self.authority();
        let token = self.settings.token.as_ref().zip(self.base).map(|(token, base)| token.read(base, &format!("{}.token", self.path)));
        let token = token.transpose().map_err(|problem| self.problems.push(problem)).ok().flatten();
        let url = url?;
        let (shown, address) = (url.origin().ascii_serialization(), url.to_string());
        let post = Post { url, token, authority };
        if let Some(Err(why)) = post.authorization() {
            self.wrong("token", why, "write it as the receiver gave it");
        }
        Some(Target { way: Way::Webhook(post), shown, address })
    }
}

/// Scheme, host and port of an address that has nothing else.
fn parts(text: &str) -> Option<(String, String, u16)> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "tcp" | "tls"))?;
    let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let host = url.host_str().filter(|host| !host.is_empty())?.trim_matches(['[', ']']).to_owned();
    (is_bare && matches!(url.path(), "" | "/")).then_some((url.scheme().to_owned(), host, url.port()?))
}
