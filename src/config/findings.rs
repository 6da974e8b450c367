//! What is wrong with a configuration file, and where.

use std::collections::HashSet;
use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The configuration is not used.
    Error,
    /// The configuration is used; somebody should look.
    Warning,
}

/// One thing that should be mended, and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Finding {
    /// The file's name, as people know it.
    pub file: String,
    /// The line, counted from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// The column, counted in characters from 1; only where the text is no TOML.
    pub column: Option<usize>,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Finding {
    pub(super) fn at(file: &str, line: usize, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, column: None, severity: Severity::Error, message: message.into(), hint: hint.into() }
    }

    pub(super) fn of_file(file: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::at(file, 0, message, hint)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
        }
        if let Some(column) = self.column {
            write!(f, "{column}:")?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, " {severity}: {}", self.message)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "\n    hint: {}", self.hint) }
    }
}

/// Findings in the order of their lines. Printed one after another, with their number at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// The findings one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them forbids the configuration's use.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }
}

impl FromIterator<Finding> for Findings {
    fn from_iter<I: IntoIterator<Item = Finding>>(findings: I) -> Self {
        let mut all = Self::default();
        all.extend(findings);
        all
    }
}

impl Extend<Finding> for Findings {
    fn extend<I: IntoIterator<Item = Finding>>(&mut self, findings: I) {
        self.0.extend(findings);
        // A rule that is compiled for each of its accounts complains once for each.
        let mut seen = HashSet::with_capacity(self.0.len());
        let is_new: Vec<_> = self.0.iter().map(|finding| seen.insert(finding)).collect();
        let mut is_new = is_new.into_iter();
        self.0.retain(|_| is_new.next().unwrap_or(true));
        self.0.sort_by_key(|finding| (finding.line, finding.column));
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.0 {
            writeln!(f, "{finding}")?;
        }
        let errors = self.0.iter().filter(|finding| finding.severity == Severity::Error).count();
        let warnings = self.0.len() - errors;
        match (errors, warnings) {
            (_, 0) => f.write_str(&count(errors, "error")),
            (0, _) => f.write_str(&count(warnings, "warning")),
            _ => write!(f, "{} and {}", count(errors, "error"), count(warnings, "warning")),
        }
    }
}

impl std::error::Error for Findings {}

fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_printed_in_the_order_of_their_lines_with_their_number_last() {
        let warning = Finding { severity: Severity::Warning, ..Finding::at("c.toml", 3, "odd", "look") };
        let syntax = Finding { column: Some(7), ..Finding::at("c.toml", 1, "no TOML", "") };
        let all: Findings =
            [Finding::at("c.toml", 12, "bad", "mend"), warning, syntax, Finding::at("c.toml", 12, "bad", "mend")].into_iter().collect();
        let expected = "c.toml:1:7: error: no TOML\nc.toml:3: warning: odd\n    hint: look\nc.toml:12: error: bad\n    hint: mend\n2 errors and 1 warning";
        assert_eq!(all.to_string(), expected);
        assert!(all.has_errors());
    }

    #[test]
    fn what_concerns_the_whole_file_has_no_line() {
        let all: Findings = [Finding::of_file("c.toml", "gone", "")].into_iter().collect();
        assert_eq!(all.to_string(), "c.toml: error: gone\n1 error");
    }
}
