//! The vocabulary that every module's settings share: spans of time, references to secrets, and findings that know their place.
//!
//! A module owns its settings type and the check of it; `config` composes them, and turns a [`Problem`]'s path into a line of the file.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use url::{Host, Url};

/// Whether the URL's host is written as this machine and no other: `localhost` (which no server resolves, RFC 6761 section 6.3), `127.0.0.0/8` or
/// `[::1]`.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// An address that something is posted to: https, or http at this machine, and nothing secret in it that a log or a page would show. `what` is posted,
/// and `proof` is what shows who posts.
///
/// # Errors
/// What is wrong with it, and what to do about it.
pub fn post_address(text: &str, what: &str, proof: &str) -> Result<Url, (String, String)> {
    let Some(url) = Url::parse(text).ok().filter(|url| url.host().is_some()) else {
        return Err(("this is no web address".to_owned(), "write it as https://host/path".to_owned()));
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(("a user name or password stands in the address".to_owned(), format!("take it out: {proof}")));
    }
    if url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url) {
        Ok(url)
    } else {
        Err((format!("{what} would travel in the clear"), "use https; http is for loopback addresses alone".to_owned()))
    }
}

/// Something in the configuration that must be mended, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place, as a path of keys and indexes: `provider[0].issuer`.
    pub path: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Problem {
    /// A finding at a path.
    pub fn new(path: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), hint: hint.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.path, self.message, self.hint)
    }
}

/// A span of time written for people: `"90s"`, `"15m"`, `"8h"`, `"1h 30m"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    /// A span of whole seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The span in whole seconds.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text)
            .map(Self)
            .map_err(|_| serde::de::Error::custom(format!("`{text}` is not a span of time such as \"15m\", \"8h\" or \"1h 30m\"")))
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A span of time: \"90s\", \"15m\", \"8h\" or \"1h 30m\".",
            "examples": ["15m", "8h"]
        })
    }
}

/// Where a secret is to be had. Never the secret itself: a configuration file is read by too many people.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecretRef {
    /// The name of an environment variable that holds it.
    Env(String),
    /// The path of a file that holds it; a relative path starts at the configuration file's folder. A trailing newline is not part of it.
    File(PathBuf),
}

impl SecretRef {
    /// Reads the secret.
    ///
    /// # Errors
    /// A [`Problem`] at `path` when the variable is not set, the file cannot be read, or what is there is empty or not UTF-8.
    pub fn read(&self, base: &Path, path: &str) -> Result<SecretString, Problem> {
        let secret = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| {
                Problem::new(
                    path,
                    format!("the environment variable {name} is not set"),
                    format!("set it before the start: export {name}=…"),
                )
            })?,
            Self::File(file) => {
                let file = base.join(file);
                let problem = |error: io::Error| {
                    Problem::new(path, format!("the file {} cannot be read: {error}", file.display()), "check the path and who may read it")
                };
                let bytes = read_file(&file, SECRET_FILE).map_err(problem)?;
                text(bytes).map_err(|(wrong, hint)| Problem::new(path, format!("the file {} {wrong}", file.display()), hint))?
            }
        };
        if secret.starts_with(BYTE_ORDER_MARK) {
            return Err(Problem::new(path, "the secret begins with a byte order mark", "save it as UTF-8 without a byte order mark (BOM)"));
        }
        let trimmed = secret.trim_end_matches(['\r', '\n']);
        if trimmed.is_empty() {
            return Err(Problem::new(path, "the secret is empty", "put the secret where the reference points"));
        }
        Ok(SecretString::from(trimmed.to_owned()))
    }
}

/// The most that a file with a secret or a key may hold, in bytes.
const SECRET_FILE: u64 = 64 * 1024;
/// The most that a configuration, or a file with certificates, may hold, in bytes: a system's whole list of authorities is a fifth of it.
pub const LARGEST_FILE: u64 = 1024 * 1024;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads a file that a configuration names, or a configuration. Only a regular file of at most `most` bytes: a pipe would hold up the
/// start until somebody writes to it, and a device may have no end.
///
/// # Errors
/// It is not there or may not be read, is no regular file, or is too large.
pub fn read_file(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {most} bytes")));
    }
    Ok(bytes)
}

/// Bytes as text.
///
/// # Errors
/// What is wrong with them, as the end of a sentence, and what to do about it.
pub fn text(bytes: Vec<u8>) -> Result<String, (String, &'static str)> {
    const HINT: &str = "save it as UTF-8";
    if matches!(bytes.as_slice(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        return Err(("is UTF-16 text, not UTF-8".to_owned(), HINT));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = good.split(|byte| *byte == b'\n').count();
        (format!("is not UTF-8 text: see line {line}"), HINT)
    })
}

/// An error with its causes in one line: what libraries say of themselves alone is often little.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_span_is_read_and_written_for_people() {
        let span: Span = serde_json::from_str("\"1h 30m\"").unwrap();
        assert_eq!(span.as_secs(), 5400);
        assert_eq!(span.to_string(), "1h 30m");
        assert!(serde_json::from_str::<Span>("\"soon\"").unwrap_err().to_string().contains("not a span of time"));
    }

    #[test]
    fn a_secret_comes_from_a_file_without_its_newline_and_prints_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("s"), "hush\n").unwrap();
        let secret = SecretRef::File("s".into()).read(folder.path(), "x").unwrap();
        assert_eq!(secret.expose_secret(), "hush");
        assert!(!format!("{secret:?}").contains("hush"));
    }

    #[test]
    fn a_missing_secret_names_its_place_and_the_mend() {
        let problem = SecretRef::Env("ROLEGATE_TEST_NOT_SET".into()).read(Path::new("."), "provider[0].client_secret").unwrap_err();
        assert_eq!(problem.path, "provider[0].client_secret");
        assert!(problem.hint.contains("export ROLEGATE_TEST_NOT_SET"));
    }

    #[test]
    fn a_secret_file_is_a_small_regular_file_of_utf8() {
        let folder = tempfile::tempdir().unwrap();
        let read = |content: &[u8]| {
            std::fs::write(folder.path().join("s"), content).unwrap();
            SecretRef::File("s".into()).read(folder.path(), "x").map_err(|problem| format!("{problem}"))
        };
        assert!(read(&vec![b'x'; 64 * 1024]).is_ok());
        for (content, message) in [
            (&vec![b'x'; 64 * 1024 + 1][..], "is larger than 65536 bytes"),
            (b"\xff\xfeh\0", "is UTF-16 text"),
            (b"one\ntw\xe9", "is not UTF-8 text: see line 2"),
            (b"\xef\xbb\xbfhush", "byte order mark"),
            (b"\n", "is empty"),
        ] {
            let problem = read(content).unwrap_err();
            assert!(problem.contains(message) && !problem.contains("hush"), "{problem}");
        }
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for odd in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
            let problem = SecretRef::File(odd.into()).read(folder.path(), "x").unwrap_err();
            assert!(problem.message.contains("no regular file"), "{problem}");
        }
    }
}
