//! `rolegate audit`: whether the audit trail is what was written.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use rolegate::audit::{self, Begin, Finding, Head, Verdict};
use rolegate::startup;
use serde_json::json;

use super::{Stopped, is_watched, print, print_json};

const EXAMPLES: &str = "Examples:
  rolegate audit verify --config rolegate.toml
  rolegate audit verify /var/log/rolegate/audit.jsonl.2.gz /var/log/rolegate/audit.jsonl.1 /var/log/rolegate/audit.jsonl
  rolegate audit verify --config rolegate.toml --expect 4711:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  rolegate audit verify --config rolegate.toml --from any

The gateway's log has the chain's head at the start, at each rotation and every thousand events. A head that was noted where nobody who can change
the trail can change it too shows that the trail is the same up to there; without one, what is missing at its end is not found, and neither is a
trail that was written anew as a whole.

Exit code 0: the trail is whole; 1: findings; 2: a file or an argument is not usable.";

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Follow the chain of the trail over all its files: says what was changed, put in or taken out (exit code 1)
    #[command(after_help = EXAMPLES)]
    Verify(Arguments),
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// The configuration file, for the trail that it names and the files that rotations left beside it
    #[arg(long, env = "ROLEGATE_CONFIG")]
    config: Option<PathBuf>,
    /// Instead: the files of one trail, packed ones (.gz) too, in any order
    files: Vec<PathBuf>,
    /// The head that the oldest line must follow; `any` where older files were removed on purpose
    #[arg(long, value_name = "HEAD|any", value_parser = begin)]
    from: Option<Begin>,
    /// A head that was noted: the event must be there, and the same; may be given several times
    #[arg(long, value_name = "HEAD")]
    expect: Vec<Head>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn begin(text: &str) -> Result<Begin, String> {
    if text == "any" { Ok(Begin::Anywhere) } else { text.parse().map(Begin::Head) }
}

pub(crate) fn run(command: &AuditCommand) -> Result<(), Stopped> {
    let AuditCommand::Verify(arguments) = command;
    let (files, unread) = arguments.trail()?;
    let unusable = |error: std::io::Error| Stopped::Unusable(error.to_string());
    let sizes = files.iter().map(|file| std::fs::metadata(file).map_or(0, |metadata| metadata.len()));
    let bar = progress(sizes.sum());
    let verdict = audit::verify(&files, arguments.from.unwrap_or(Begin::Start), &arguments.expect, &|read| bar.inc(read));
    bar.finish_and_clear();
    let verdict = verdict.map_err(unusable)?;
    if arguments.json {
        print_json(&json!({ "whole": verdict.is_whole(), "unread_files": unread, "trail": verdict }))?;
    } else {
        print(&in_words(&verdict, &unread))?;
    }
    if verdict.is_whole() { Ok(()) } else { Err(Stopped::No(String::new())) }
}

impl Arguments {
    /// The files that are read, and those beside them that are packed in another way.
    fn trail(&self) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Stopped> {
        if !self.files.is_empty() {
            return Ok((self.files.clone(), Vec::new()));
        }
        let config = self.config.as_deref().ok_or_else(|| Stopped::Unusable("name the trail's files, or --config FILE".to_owned()))?;
        let config = startup::load(config).map_err(|findings| Stopped::Unusable(findings.to_string()))?;
        let path = config.base.join(&config.file.audit.file);
        audit::rotated_files(&path).map_err(|error| Stopped::Unusable(format!("{}: {error}", path.display())))
    }
}

fn progress(length: u64) -> ProgressBar {
    if !is_watched() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// What was found, one line each, and the sum of it. Writing to a String cannot fail.
fn in_words(verdict: &Verdict, unread: &[PathBuf]) -> String {
    let mut text = String::new();
    for file in &verdict.files {
        let span =
            file.first.zip(file.last).map_or_else(|| "none of the chain".to_owned(), |(first, last)| format!("events {first} to {last}"));
        let _ = writeln!(text, "{}: {} lines, {span}", file.file.display(), file.lines);
    }
    for path in unread {
        let _ = writeln!(text, "{}: not read: it is packed in a way that is not known here; unpack it first", path.display());
    }
    for finding in &verdict.findings {
        let _ = writeln!(text, "{}{}", place(finding), finding.what);
    }
    if verdict.more_findings > 0 {
        let _ = writeln!(text, "and {} more", verdict.more_findings);
    }
    if verdict.before_the_chain > 0 {
        let _ = writeln!(text, "{} event(s) of an earlier version stand before the chain", verdict.before_the_chain);
    }
    if verdict.no_events > 0 {
        let _ = writeln!(text, "{} line(s) are no events: a crash may leave half a one", verdict.no_events);
    }
    if verdict.half_at_the_end {
        text.push_str("the last line is half a one: it is just being written, or a crash left it\n");
    }
    let head = verdict.head.map_or_else(|| "there is no head".to_owned(), |head| format!("head {head}"));
    let count = verdict.findings.len() as u64 + verdict.more_findings;
    let state = if verdict.is_whole() { "whole".to_owned() } else { format!("{count} finding(s)") };
    let _ = write!(text, "{state}: {} event(s) in the chain, {head}", verdict.chained);
    text
}

fn place(finding: &Finding) -> String {
    let file = finding.file.as_deref().map(Path::display);
    match (file, finding.line) {
        (Some(file), Some(line)) => format!("{file}:{line}: "),
        (Some(file), None) => format!("{file}: "),
        _ => String::new(),
    }
}
