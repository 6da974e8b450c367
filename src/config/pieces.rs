//! Reads a file in pieces, on all cores, because a file of a hundred thousand rules has millions of words.
//!
//! A piece is some rules, from one line `[[rule]]` to another. Such a line could stand in a text of several lines as well, so a cut there is
//! a guess, and this is how it proves right: the first piece begins where the file does, and a piece that is whole TOML by itself ends where
//! the next one may begin. A text or list that was cut in two is not closed in the first of its pieces, which then is no TOML.
//!
//! A piece with something wrong in it is read once more, by [`document`], which tells what it is. A file that is no TOML, or written in a way
//! that is not known here, is read by it as a whole.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::document::{self, MOST};
use super::places::{Place, Places, Sheet};
use super::schema::{Guide, Sections};
use super::{ConfigFile, Finding, Reading};
use crate::access::RuleSettings;
use crate::cores;

/// How long pieces are, in bytes: what the parser makes of one should fit into a processor's cache.
const LENGTH: usize = 16 * 1024;
/// The line that a piece of rules begins with.
const RULE: &str = "[[rule]]";

/// A part of a file's text: rules and nothing else, or no rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where it stands in the text.
    pub(super) range: Range<usize>,
    /// Whether it is rules.
    pub(super) is_rules: bool,
    /// How many lines it has.
    pub(super) lines: usize,
}

/// A piece of rules, as a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rules {
    rule: Vec<RuleSettings>,
}

/// Reads a file. None if it is no TOML, or written in a way that is not known here. `name` stands in findings.
pub(super) fn read(text: &Arc<str>, name: &str) -> Option<Reading> {
    let sections = Guide::to::<ConfigFile>().sections()?;
    let read = cores::map(&cut(text), |(range, is_rules)| piece(text, range, *is_rules, &sections));
    let read: Vec<_> = read.into_iter().collect::<Option<_>>()?;
    let (pieces, parts): (Vec<Piece>, Vec<_>) = read.into_iter().unzip();
    let Rest { mut file, places: rest, mut findings } = Rest::read(text, &pieces, &sections, name)?;
    let (mut rules, mut sheets, mut lines_before) = (Vec::new(), Vec::new(), 0);
    for (index, (piece, part)) in pieces.iter().zip(parts).enumerate() {
        if piece.is_rules {
            let (mut found, places) = part.map_or_else(|| mended(text, piece, lines_before, name, &mut findings), |rules| (rules, None));
            if findings.len() >= MOST {
                file = None;
                break;
            }
            sheets.push(Sheet::new(index, rules.len()..rules.len() + found.len(), lines_before, places));
            rules.append(&mut found);
        }
        lines_before += piece.lines;
    }
    if let Some(file) = file.as_mut().filter(|_| !sheets.is_empty()) {
        file.rule = rules;
    }
    Some(Reading { file, places: Places::new(text, pieces, sheets, rest), findings })
}

/// Reads one piece, and its rules if it is right. None if it is no TOML, or has rules and something else.
fn piece(text: &str, range: &Range<usize>, is_rules: bool, sections: &Sections) -> Option<(Piece, Option<Vec<RuleSettings>>)> {
    let piece = text.get(range.clone())?;
    let (table, errors) = DeTable::parse_recoverable(piece);
    if document::syntax_error(&errors).is_some() || (is_rules && table.get_ref().keys().any(|key| key.get_ref() != "rule")) {
        return None;
    }
    let rules = if is_rules && errors.is_empty() { settings::<Rules>(table, sections) } else { None };
    let lines = piece.bytes().filter(|byte| *byte == b'\n').count();
    Some((Piece { range: range.clone(), is_rules, lines }, rules.map(|rules| rules.rule)))
}

/// The rules of a piece with something wrong in it, as far as they can be read, and their places.
fn mended(text: &str, piece: &Piece, lines_before: usize, name: &str, findings: &mut Vec<Finding>) -> (Vec<RuleSettings>, Option<Place>) {
    let reading = document::read::<Rules>(text.get(piece.range.clone()).unwrap_or_default(), name);
    findings.extend(reading.findings.into_iter().map(|finding| Finding { line: finding.line + lines_before, ..finding }));
    (reading.value.map(|rules| rules.rule).unwrap_or_default(), Some(reading.places))
}

/// A file but for its rules.
struct Rest {
    file: Option<ConfigFile>,
    /// If there is something wrong.
    places: Option<Place>,
    findings: Vec<Finding>,
}

impl Rest {
    /// None if there are rules here too.
    fn read(text: &str, pieces: &[Piece], sections: &Sections, name: &str) -> Option<Self> {
        let rest = rest(text, pieces);
        let (table, errors) = DeTable::parse_recoverable(&rest);
        if table.get_ref().contains_key("rule") && pieces.iter().any(|piece| piece.is_rules) {
            return None;
        }
        if errors.is_empty()
            && let Some(file) = settings(table, sections)
        {
            return Some(Self { file: Some(file), places: None, findings: Vec::new() });
        }
        let document::Reading { value, places, findings } = document::read(&blanked(text, pieces), name);
        Some(Self { file: value, places: Some(places), findings })
    }
}

fn settings<'t, T: Deserialize<'t>>(table: Spanned<DeTable<'t>>, sections: &Sections) -> Option<T> {
    let root = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
    // Serde would read a list as a section, value by value in the order of the keys. Nobody means that.
    if sections.forbid(root.get_ref()) {
        return None;
    }
    T::deserialize(ValueDeserializer::from(root)).ok()
}

/// The text without its rules.
pub(super) fn rest<'t>(text: &'t str, pieces: &[Piece]) -> Cow<'t, str> {
    let rest: Vec<_> = pieces.iter().filter(|piece| !piece.is_rules).filter_map(|piece| text.get(piece.range.clone())).collect();
    if let [only] = rest.as_slice() { Cow::Borrowed(only) } else { Cow::Owned(rest.concat()) }
}

/// The text with empty lines in the place of its rules, so that everything else stands on its line.
pub(super) fn blanked(text: &str, pieces: &[Piece]) -> String {
    let of = |piece: &Piece| {
        if piece.is_rules { Cow::Owned("\n".repeat(piece.lines)) } else { Cow::Borrowed(text.get(piece.range.clone()).unwrap_or_default()) }
    };
    pieces.iter().map(of).collect()
}

/// Cuts a text at lines that look like the beginning of a section: into rules, and what stands between them.
fn cut(text: &str) -> Vec<(Range<usize>, bool)> {
    let mut pieces = Vec::new();
    let (mut start, mut in_rules) = (0, false);
    let headers = text.match_indices("\n[").map(|(at, _)| at + 1);
    for at in text.starts_with('[').then_some(0).into_iter().chain(headers) {
        let header = text.get(at..).unwrap_or_default();
        let is_rule = header.starts_with(RULE);
        let belongs = if in_rules {
            if is_rule { at - start < LENGTH } else { header.starts_with("[rule.") || header.starts_with("[[rule.") }
        } else {
            !is_rule
        };
        if !belongs {
            pieces.push((start..at, in_rules));
            (start, in_rules) = (at, is_rule);
        }
    }
    pieces.push((start..text.len(), in_rules));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "public_url = 'https://roles.example.org'\n[[provider]]\nid = 'okta'\nname = 'Okta'\nissuer = 'https://example.okta.com'\nclient_id = 'abc'\n";

    fn rule(id: &str, more: &str) -> String {
        format!("[[rule]]\nid = '{id}'\neveryone = true\nroles = ['R']\naccounts = ['*']\n{more}")
    }

    fn rules(numbers: Range<usize>) -> String {
        numbers.map(|number| rule(&number.to_string(), "[rule.tags]\nx = 'y'\n\n")).collect()
    }

    fn read(text: &str) -> Option<Reading> {
        super::read(&text.into(), "c.toml")
    }

    #[test]
    fn a_right_file_is_read_in_pieces_in_the_order_of_its_rules() {
        let account = |id: &str| format!("[[account]]\nid = '{id}'\nname = 'Production'\n");
        for text in [
            format!("{HEAD}{}", rules(0..2000)),
            format!("{HEAD}{}{}[help]\ncontact = 'us'\n", account("111122223333"), rules(0..2000)),
            format!("{HEAD}{}{}{}{}", rules(0..1000), account("1"), rules(1000..2000), account("2")),
            format!("{HEAD}{}", rules(0..2000)).replace('\n', "\r\n"),
        ] {
            let reading = read(&text).unwrap();
            assert_eq!(reading.findings, []);
            let file = reading.file.unwrap();
            let ids: Vec<_> = file.rule.iter().map(|rule| rule.id.parse::<usize>().unwrap()).collect();
            assert_eq!(ids, (0..2000).collect::<Vec<_>>());
            assert!(cut(&text).len() > 5);
            assert_eq!(cut(&text).into_iter().map(|(range, _)| &text[range]).collect::<String>(), text);
            assert_eq!(format!("{file:?}"), format!("{:?}", toml::from_str::<ConfigFile>(&text).unwrap()));
        }
    }

    #[test]
    fn what_looks_like_a_section_inside_of_a_text_or_a_list_is_none() {
        let smuggled = "[[rule]]\nid = 'smuggled'\neveryone = true\nroles = ['Admin']\naccounts = ['*']\n";
        let is_rule = |reading: &Reading| reading.file.as_ref().unwrap().rule.iter().any(|rule| rule.id == "smuggled");
        assert!(is_rule(&read(&format!("{HEAD}{smuggled}")).unwrap()));
        for quotes in ["'''", "\"\"\""] {
            let help = format!("[help]\ncontact = {quotes}\n{smuggled}[help]\nx = 'y'\n{quotes}\n");
            let three = rules(0..3);
            for text in [&format!("{help}{three}"), &format!("{three}{help}"), &help].map(|text| format!("{HEAD}{text}")) {
                assert!(read(&text).is_none(), "{text}");
            }
            // Wherever the cut falls: what comes before grows by a comment.
            let condition = rule("r", &format!("when = {quotes}\n{smuggled}{quotes}\n{three}"));
            let before = rules(0..(LENGTH - 200) / three.len() * 3);
            let (mut whole, mut cut) = (0, 0);
            for length in (0..LENGTH - before.len()).step_by(10) {
                match read(&format!("{HEAD}{before}#{}\n{condition}", "x".repeat(length))) {
                    None => cut += 1,
                    Some(reading) if is_rule(&reading) => panic!("behind a comment of {length}"),
                    Some(_) => whole += 1,
                }
            }
            assert!(whole > 0 && cut > 0, "{whole} {cut}");
        }
        assert!(read(&format!("{HEAD}{}", rule("r", "groups = [\n[[rule]]\n]\n"))).is_none());
    }

    #[test]
    fn what_is_written_otherwise_is_left_to_the_other_reader() {
        for more in ["[ rule . tags ]\nx = 'y'\n", "[ rule ]\nid = 's'\n", "  [server]\nworkers = 2\n", "x\n"] {
            assert!(read(&format!("{HEAD}{}{more}", rule("r", ""))).is_none(), "{more}");
        }
        assert_eq!(read(&format!("rule = []\n{HEAD}")).unwrap().file.unwrap().rule.len(), 0);
        assert!(read(&format!("rule = []\n{HEAD}{}", rule("r", ""))).is_none());
    }

    /// Each kind of slip, first among few rules, then in a file of many pieces: the same findings, so many lines further down.
    #[test]
    fn what_is_wrong_in_one_piece_is_told_with_its_line_and_what_it_spoils_is_spoilt() {
        for more in [
            rule("r", "idd = 'x'\n"),
            rule("r", "tags = [1]\n"),
            rule("r", "reason = []\n"),
            rule("r", "id = 's'\n"),
            rule("r", "max_session = 1\n").replace("id = 'r'\n", ""),
            format!("{}[rule.tags]\nx = 'y'\n[rule.tags]\nz = 'y'\n", rule("r", "")),
            format!("{}[server]\n[server]\nlisten = 1\n", rule("r", "")),
            format!("[server]\n{}[server]\n", rule("r", "")),
            format!("{}[[server]]\n", rule("r", "")),
        ] {
            let whole = document::read::<ConfigFile>(&format!("{HEAD}{}{more}", rules(0..3)), "c.toml");
            let told = |findings: &[Finding], further: usize| {
                let mut told: Vec<_> =
                    findings.iter().map(|finding| (finding.line + further, finding.message.clone(), finding.hint.clone())).collect();
                told.sort();
                told
            };
            assert!(!whole.findings.is_empty());
            for (before, after) in [(3, 0), (3, 3), (2000, 3), (3, 2000)] {
                let reading = read(&format!("{HEAD}{}{more}{}", rules(0..before), rules(before..before + after))).unwrap();
                assert_eq!(told(&reading.findings, 0), told(&whole.findings, 8 * (before - 3)), "{more}");
                for key in ["", ".id", ".tags", ".max_session", ".roles"] {
                    let (here, there) = (format!("rule[{before}]{key}"), format!("rule[3]{key}"));
                    assert_eq!(reading.places.is_spoilt(&here), whole.places.is_spoilt(&there), "{key} of {more}");
                    assert_eq!(reading.places.is_whole(&here), whole.places.is_whole(&there), "{key} of {more}");
                }
                for path in ["server", "server.listen", "server.workers", "rule", "rule[5000]", "provider"] {
                    assert_eq!(reading.places.is_spoilt(path), whole.places.is_spoilt(path), "{path} of {more}");
                    assert_eq!(reading.places.is_whole(path), whole.places.is_whole(path), "{path} of {more}");
                }
                assert!(!reading.places.is_spoilt("rule[1].id") && reading.places.is_whole("rule[1]"));
            }
        }
    }

    #[test]
    fn many_errors_come_to_an_end() {
        let text = format!("{HEAD}{}", rules(0..20_000).replace("everyone", "everyman"));
        let reading = read(&text).unwrap();
        assert!(reading.file.is_none() && (MOST..2 * MOST).contains(&reading.findings.len()), "{}", reading.findings.len());
    }
}
