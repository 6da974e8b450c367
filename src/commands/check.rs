//! `rolegate check`: everything that is wrong with a configuration, or deserves a second look.

use std::path::Path;

use rolegate::config::{Config, Finding, Findings, Severity};
use rolegate::startup;
use serde_json::{Value, json};

use super::{Stopped, print, print_json};

pub(crate) fn run(path: &Path, deny_warnings: bool, as_json: bool) -> Result<(), Stopped> {
    let (findings, config) = match startup::load(path) {
        Ok(config) => (config.warnings.clone(), Some(config)),
        Err(findings) => (findings, None),
    };
    let is_good = config.is_some() && (findings.is_empty() || !deny_warnings);
    if as_json {
        print_json(&report(&findings, is_good))?;
        return if is_good { Ok(()) } else { Err(Stopped::Unusable(String::new())) };
    }
    match config {
        Some(config) if is_good => {
            if !findings.is_empty() {
                complain(&findings);
            }
            print(&summary(path, &config))
        }
        _ => Err(Stopped::Unusable(findings.to_string())),
    }
}

fn summary(path: &Path, config: &Config) -> String {
    let file = &config.file;
    format!(
        "{}: good: {} provider(s), {} account(s), {} rule(s)",
        path.display(),
        file.provider.len() + file.saml_provider.len(),
        file.account.len(),
        file.rule.len()
    )
}

#[expect(clippy::print_stderr, reason = "warnings go to stderr")]
fn complain(findings: &Findings) {
    eprintln!("{findings}");
}

fn report(findings: &Findings, is_good: bool) -> Value {
    json!({ "good": is_good, "findings": findings.iter().map(finding).collect::<Vec<_>>() })
}

/// A place that a finding does not have is null.
fn finding(finding: &Finding) -> Value {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "file": finding.file,
        "line": (finding.line > 0).then_some(finding.line),
        "column": finding.column,
        "severity": severity,
        "message": finding.message,
        "hint": finding.hint,
    })
}
