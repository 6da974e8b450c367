//! What an administrator says about the audit trail.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::files::is_rotation;
use super::log::AuditLog;
use super::stream::{Target, position_of};
use crate::settings::{Problem, SecretRef, Span};

/// Where the audit trail is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// The file that gets one JSON line for each sign-in, sign-out and issuance. A relative path starts at the configuration file's
    /// folder. Made with mode 0600 if it is not there; every instance needs its own. After a rotation send SIGHUP.
    pub file: PathBuf,
    /// Further sinks that get the same lines: files on other disks, standard output, a syslog collector, an HTTP receiver.
    pub sink: Vec<SinkSettings>,
    /// In which of the sinks an event must be before anything is handed over.
    pub require: Require,
    /// How long an event is waited for; then nothing is handed over. From a second to a minute.
    pub deadline: Span,
}

/// A further sink: exactly one of `file`, `stdout`, `syslog` and `webhook`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SinkSettings {
    /// A file, on another disk. A relative path starts at the configuration file's folder.
    pub file: Option<PathBuf>,
    /// Whether the lines go to standard output.
    pub stdout: bool,
    /// A syslog collector: `tls://host:port`, `tcp://host:port` or `unix:/dev/log`.
    pub syslog: Option<String>,
    /// An HTTP receiver that the lines are posted to: https, or http at a loopback address.
    pub webhook: Option<String>,
    /// The bearer token that the HTTP receiver wants.
    pub token: Option<SecretRef>,
    /// The certificate authority (PEM) that signed the certificate of the collector or receiver, if it is not a public one.
    pub ca_file: Option<PathBuf>,
}

/// How many sinks must have an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Require {
    /// All of them.
    #[default]
    All,
    /// Any one; the others have it afterwards.
    Any,
}

impl Default for AuditSettings {
    fn default() -> Self {
        let file = PathBuf::from("audit.jsonl");
        Self { file, sink: Vec::new(), require: Require::All, deadline: Span(AuditLog::DEADLINE) }
    }
}

impl AuditSettings {
    /// Finds what would hinder the writing. `path` is where the settings stand, `base` the folder of the configuration file.
    pub fn check(&self, path: &str, base: &Path, problems: &mut Vec<Problem>) {
        check_file(&self.file, &format!("{path}.file"), base, problems);
        let mut known = vec![base.join(&self.file)];
        for (path, file) in self.further_files(path) {
            check_file(file, &path, base, problems);
            let file = base.join(file);
            check_name(&file, &path, &known, problems);
            known.push(file);
        }
        match self.each_stream(|sink, at| sink.named(&format!("{path}.sink[{at}]"))) {
            Ok(streams) => self.check_streams(&streams, path, base, problems),
            Err(mut found) => problems.append(&mut found),
        }
        if self.require == Require::Any && self.sink.is_empty() {
            let hint = "name a further sink in [[audit.sink]], or take `require` out";
            problems.push(Problem::new(format!("{path}.require"), "there is one file alone", hint));
        }
        if !(1..=60).contains(&self.deadline.as_secs()) {
            let hint = "write a span from \"1s\" to \"60s\"";
            problems.push(Problem::new(format!("{path}.deadline"), format!("{} is out of bounds", self.deadline), hint));
        }
    }

    /// The files, the one that is looked into first.
    pub fn files<'a>(&'a self, base: &'a Path) -> impl Iterator<Item = PathBuf> + 'a {
        std::iter::once(&self.file).chain(self.sink.iter().filter_map(|sink| sink.file.as_ref())).map(|file| base.join(file))
    }

    /// Whether standard output is one of the sinks.
    #[must_use]
    pub fn is_on_stdout(&self) -> bool {
        self.sink.iter().any(|sink| sink.stdout)
    }

    /// The streams. Reads their tokens and certificates.
    ///
    /// # Errors
    /// Every [`Problem`] with one of them.
    pub fn targets(&self, path: &str, base: &Path) -> Result<Vec<Target>, Vec<Problem>> {
        self.each_stream(|sink, at| sink.target(&format!("{path}.sink[{at}]"), base))
    }

    fn each_stream<T>(&self, of: impl Fn(&SinkSettings, usize) -> Result<Option<T>, Vec<Problem>>) -> Result<Vec<T>, Vec<Problem>> {
        let (mut streams, mut problems) = (Vec::new(), Vec::new());
        for (at, sink) in self.sink.iter().enumerate() {
            match of(sink, at) {
                Ok(stream) => streams.extend(stream),
                Err(mut found) => problems.append(&mut found),
            }
        }
        if problems.is_empty() { Ok(streams) } else { Err(problems) }
    }

    /// Opens the trail.
    ///
    /// # Errors
    /// Every [`Problem`] with it, and what is to be done about it, at `path`.
    pub fn open(&self, path: &str, base: &Path) -> Result<AuditLog, Vec<Problem>> {
        let targets = self.targets(path, base)?;
        AuditLog::of_sinks(self.files(base).collect(), targets, self.require, self.deadline.0).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::InvalidData => {
                    "keep both for the record, and move the one with fewer events away: it begins anew. Of a stream move its `.position` beside the file"
                }
                io::ErrorKind::ResourceBusy => "another Rolegate writes to it: every process needs files of its own",
                _ => "see that its folder is there, and that the gateway's user may write to it",
            };
            vec![Problem::new(format!("{path}.file"), format!("the audit trail cannot be opened: {error}"), hint)]
        })
    }

    /// The files beside the first one, and where each stands.
    fn further_files(&self, path: &str) -> impl Iterator<Item = (String, &PathBuf)> {
        let files = self.sink.iter().enumerate();
        files.filter_map(move |(at, sink)| Some((format!("{path}.sink[{at}].file"), sink.file.as_ref()?)))
    }

    /// Finds streams that are named twice, or whose position would be taken for something else.
    fn check_streams(&self, streams: &[(String, String)], path: &str, base: &Path, problems: &mut Vec<Problem>) {
        for (at, (name, identity)) in streams.iter().enumerate() {
            if streams.iter().take(at).any(|(_, other)| other == identity) {
                problems.push(Problem::new(format!("{path}.sink"), format!("{name} is named twice"), "name it once"));
            }
            let position = position_of(&base.join(&self.file), identity);
            if let Some(file) = self.files(base).find(|file| *file == position || passes_for_rotated(&position, file)) {
                let message = format!("{} would look like a part of {}", position.display(), file.display());
                problems.push(Problem::new(format!("{path}.file"), message, "give the file a name without a dot at its begin"));
            }
        }
    }
}

/// Finds whether a file is another one of the trail as well, or would be taken for what a rotation left of one.
fn check_name(file: &Path, path: &str, known: &[PathBuf], problems: &mut Vec<Problem>) {
    if known.iter().any(|other| other == file) {
        problems.push(Problem::new(path, format!("{} is named twice", file.display()), "name a file on another disk"));
    } else if let Some(other) = known.iter().find(|other| passes_for_rotated(file, other) || passes_for_rotated(other, file)) {
        let message = format!("{} and {} look like one trail that was rotated", other.display(), file.display());
        problems.push(Problem::new(path, message, "name a file in another folder, or one whose name does not begin with the other's"));
    }
}

/// Whether a file would be taken for what a rotation left of another one.
fn passes_for_rotated(file: &Path, other: &Path) -> bool {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    file.parent() == other.parent() && is_rotation(&name(file), &name(other))
}

/// Finds what would hinder the writing to a file.
fn check_file(named: &Path, path: &str, base: &Path, problems: &mut Vec<Problem>) {
    let file = base.join(named);
    let mut problem = |message: String, hint: &str| problems.push(Problem::new(path, message, hint));
    if file.is_dir() || named.as_os_str().is_empty() {
        return problem(format!("{} is a folder", file.display()), "name a file in it");
    }
    // Opened as the trail opens it, but neither made nor locked: the gateway may be running on it.
    let opened = OpenOptions::new().read(true).append(true).open(&file);
    let missing = opened.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    if !missing {
        if let Err(error) = opened {
            problem(format!("the file {} cannot be opened: {error}", file.display()), "let the gateway's user read and write it");
        }
        return;
    }
    // A link to a file that is to be made.
    let target = std::fs::read_link(&file).map_or_else(|_| file.clone(), |to| file.parent().unwrap_or(base).join(to));
    let folder = target.parent().unwrap_or(base);
    if !folder.is_dir() {
        problem(format!("the folder {} is not there", folder.display()), "make it, writable for the gateway's user");
    } else if let Err(error) = tempfile::Builder::new().prefix(".rolegate-check-").tempfile_in(folder) {
        let message = format!("no file can be made in the folder {}: {error}", folder.display());
        problem(message, "let the gateway's user write to the folder");
    }
}
