//! Where things stand in the file: from a path of keys and indexes to a line.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::document;
use super::pieces::{self, Piece};

/// Where everything in a file stands. Of what is right it is looked up when somebody asks, for that is seldom; of what is not, the reader
/// knows it.
#[derive(Debug, Clone)]
pub(super) struct Places {
    text: Arc<str>,
    pieces: Arc<[Piece]>,
    /// One for each piece of rules, in their order.
    sheets: Vec<Sheet>,
    /// All but the rules.
    rest: Survey,
}

/// A piece of rules.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    piece: usize,
    rules: Range<usize>,
    lines_before: usize,
    survey: Survey,
}

/// The places of one piece.
#[derive(Debug, Clone)]
struct Survey {
    place: OnceLock<Place>,
    /// Whether something in it is wrong; then it cannot be looked up again.
    is_mended: bool,
}

impl Survey {
    fn new(mended: Option<Place>) -> Self {
        Self { is_mended: mended.is_some(), place: mended.map_or_else(OnceLock::new, OnceLock::from) }
    }

    fn mended(&self) -> Option<&Place> {
        self.place.get().filter(|_| self.is_mended)
    }

    fn forget(&mut self) {
        if !self.is_mended {
            self.place.take();
        }
    }
}

impl Sheet {
    /// The rules with these numbers, as they stand in a piece.
    pub(super) fn new(piece: usize, rules: Range<usize>, lines_before: usize, mended: Option<Place>) -> Self {
        Self { piece, rules, lines_before, survey: Survey::new(mended) }
    }
}

/// Where a path leads.
enum Way<'a> {
    /// To a rule, by another path in its sheet.
    Rule(&'a Sheet, String),
    /// To the list of rules, or behind its end, by the same path in every sheet; this is the first.
    Rules(&'a Sheet),
    /// To anything else.
    Rest,
}

impl Places {
    pub(super) fn new(text: &Arc<str>, pieces: Vec<Piece>, sheets: Vec<Sheet>, rest: Option<Place>) -> Self {
        Self { text: Arc::clone(text), pieces: pieces.into(), sheets, rest: Survey::new(rest) }
    }

    /// The places of a file that was read as a whole.
    pub(super) fn whole(text: &Arc<str>, place: Place) -> Self {
        Self::new(text, vec![Piece { range: 0..text.len(), is_rules: false, lines: 0 }], Vec::new(), Some(place))
    }

    fn way<'a>(&'a self, path: &str) -> Way<'a> {
        let (Some(rest), Some(first)) = (strip_key(path, "rule"), self.sheets.first()) else { return Way::Rest };
        let Some((index, rest)) = strip_index(rest) else { return Way::Rules(first) };
        let sheet = self.sheets.get(self.sheets.partition_point(|sheet| sheet.rules.end <= index));
        sheet.map_or(Way::Rules(first), |sheet| Way::Rule(sheet, format!("rule[{}]{rest}", index - sheet.rules.start)))
    }

    /// As [`Place::line_of`].
    pub(super) fn line_of(&self, path: &str) -> usize {
        match self.way(path) {
            Way::Rule(sheet, path) => {
                let text = || self.pieces.get(sheet.piece).and_then(|piece| self.text.get(piece.range.clone())).unwrap_or_default();
                sheet.lines_before + sheet.survey.place.get_or_init(|| document::places(text())).line_of(&path)
            }
            Way::Rules(first) => first.lines_before + 1,
            Way::Rest => self.rest.place.get_or_init(|| document::places(&pieces::blanked(&self.text, &self.pieces))).line_of(path),
        }
    }

    /// As [`Place::is_spoilt`].
    pub(super) fn is_spoilt(&self, path: &str) -> bool {
        match self.way(path) {
            Way::Rule(sheet, path) => sheet.survey.mended().is_some_and(|place| place.is_spoilt(&path)),
            Way::Rules(_) => self.sheets.iter().filter_map(|sheet| sheet.survey.mended()).any(|place| place.is_spoilt(path)),
            Way::Rest => self.rest.mended().is_some_and(|place| place.is_spoilt(path)),
        }
    }

    /// As [`Place::is_whole`].
    pub(super) fn is_whole(&self, path: &str) -> bool {
        match self.way(path) {
            Way::Rule(sheet, path) => sheet.survey.mended().is_none_or(|place| place.is_whole(&path)),
            Way::Rules(_) => self.sheets.iter().filter_map(|sheet| sheet.survey.mended()).all(|place| place.is_whole(path)),
            Way::Rest => self.rest.mended().is_none_or(|place| place.is_whole(path)),
        }
    }

    /// The file's text without its rules, or with them if it was read as a whole.
    pub(super) fn all_but_rules(&self) -> Cow<'_, str> {
        pieces::rest(&self.text, &self.pieces)
    }

    /// Forgets what was looked up: it takes more room than the rules themselves.
    pub(super) fn forget(&mut self) {
        self.rest.forget();
        self.sheets.iter_mut().for_each(|sheet| sheet.survey.forget());
    }
}

/// A place in the file, and the places in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// The line, from 1.
    pub(super) line: usize,
    /// Whether it was put there by the reader, in the stead of something that the author left out.
    pub(super) assumed: bool,
    /// Keys whose values were taken out because they are wrong; [`ITEM`] for items of a list.
    pub(super) lost: Vec<String>,
    /// What is in it.
    pub(super) inner: Inner,
}

/// What is in a [`Place`].
#[derive(Debug, Clone, Default)]
pub(super) enum Inner {
    /// A value without parts.
    #[default]
    Value,
    /// A table.
    Keys(BTreeMap<String, Place>),
    /// A list.
    Items(Vec<Place>),
}

/// Stands for "some item" in [`Place::lost`].
pub(super) const ITEM: &str = "[]";

impl Place {
    /// The line of what stands at the path, or of the nearest that is there.
    pub(super) fn line_of(&self, path: &str) -> usize {
        self.follow(path).0.line.max(1)
    }

    /// Whether what the path leads to was taken out or made up by the reader. Its author has been told already.
    pub(super) fn is_spoilt(&self, path: &str) -> bool {
        let (place, rest) = self.follow(path);
        if place.assumed {
            return true;
        }
        match &place.inner {
            Inner::Items(_) => place.lost.iter().any(|key| key == ITEM),
            // What is said of the whole table may be said because of the part that is gone.
            Inner::Keys(keys) if rest.is_empty() => !place.lost.is_empty() || keys.values().any(|inner| inner.assumed),
            _ => place.lost.iter().any(|key| strip_key(rest, key).is_some()),
        }
    }

    /// Whether nothing at the path or below it was taken out or made up.
    pub(super) fn is_whole(&self, path: &str) -> bool {
        let (place, rest) = self.follow(path);
        if rest.is_empty() { place.is_complete() } else { !self.is_spoilt(path) }
    }

    fn is_complete(&self) -> bool {
        let inner = match &self.inner {
            Inner::Value => true,
            Inner::Items(items) => items.iter().all(Self::is_complete),
            Inner::Keys(keys) => keys.values().all(Self::is_complete),
        };
        inner && !self.assumed && self.lost.is_empty()
    }

    /// Goes as far as the path leads: the last place that is there, and the rest of the path.
    fn follow<'p>(&self, path: &'p str) -> (&Self, &'p str) {
        let mut place = self;
        let mut rest = path;
        loop {
            let next = match &place.inner {
                Inner::Value => None,
                Inner::Items(items) => strip_index(rest).and_then(|(index, after)| items.get(index).map(|inner| (inner, after))),
                // A key may have dots in it (`tags.a.b`): the longest that fits is meant.
                Inner::Keys(keys) => keys
                    .iter()
                    .filter_map(|(key, inner)| strip_key(rest, key).map(|after| (inner, after)))
                    .min_by_key(|(_, after)| after.len()),
            };
            let Some((inner, after)) = next else { return (place, rest) };
            place = inner;
            rest = after;
        }
    }
}

/// `[3].rest` → 3 and `.rest`.
fn strip_index(path: &str) -> Option<(usize, &str)> {
    let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, rest))
}

/// `.key.rest` or `key[0]` → what stands after the key.
fn strip_key<'p>(path: &'p str, key: &str) -> Option<&'p str> {
    let rest = path.strip_prefix('.').unwrap_or(path).strip_prefix(key)?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(line: usize) -> Place {
        Place { line, ..Place::default() }
    }

    fn table(line: usize, keys: impl IntoIterator<Item = (&'static str, Place)>) -> Place {
        let keys = keys.into_iter().map(|(key, place)| (key.to_owned(), place)).collect();
        Place { inner: Inner::Keys(keys), ..value(line) }
    }

    #[test]
    fn a_path_leads_to_the_nearest_line() {
        let rule = table(4, [("id", value(5)), ("tags", table(6, [("a", value(7)), ("a.b", value(8))]))]);
        let root = table(1, [("rule", Place { inner: Inner::Items(vec![value(2), rule]), ..value(2) })]);
        for (path, line) in [
            ("rule[1].id", 5),
            ("rule[1].roles[0]", 4),
            ("rule[1].tags.a", 7),
            ("rule[1].tags.a.b", 8),
            ("rule[1].tags.ab", 6),
            ("rule[9].id", 2),
            ("rules", 1),
            ("", 1),
        ] {
            assert_eq!(root.line_of(path), line, "{path}");
        }
    }

    #[test]
    fn a_file_in_pieces_has_the_places_that_it_has_as_a_whole() {
        let head = "public_url = 'https://roles.example.org'\n\n[[provider]]\nid = 'okta'\nname = 'Okta'\nissuer = 'https://example.okta.com'\nclient_id = 'abc'\n";
        let rule = |number: usize| {
            format!(
                "[[rule]]\n# {number}\nid = 'r{number}'\neveryone = true\nroles = [\n'R',\n]\naccounts = ['*']\n[rule.tags]\n'a.b' = 'c'\n"
            )
        };
        let rules = |from: usize, to: usize| (from..to).map(rule).collect::<String>();
        for text in [
            format!("{head}{}[help]\ncontact = 'us'\n{}[session]\nidle = '1h'\n", rules(0, 900), rules(900, 1000)),
            format!("{head}[help]\ncontact = 'us'\n"),
            head.replace('\n', "\r\n"),
        ] {
            let whole = document::places(&text);
            let mut places = pieces::read(&text.as_str().into(), "c.toml").unwrap().places;
            let mut paths: Vec<_> =
                ["", "public_url", "provider[0].name", "provider[0].x", "help.contact", "session", "session.idle", "rule", "rules"]
                    .map(str::to_owned)
                    .into();
            for index in [0, 1, 7, 899, 900, 901, 999, 1000, 5000] {
                paths.extend(["", ".id", ".roles", ".roles[0]", ".tags", ".tags.a.b", ".nothing"].map(|key| format!("rule[{index}]{key}")));
            }
            for _ in 0..2 {
                for path in &paths {
                    assert_eq!(places.line_of(path), whole.line_of(path), "{path} of {text}");
                    assert!(!places.is_spoilt(path) && places.is_whole(path));
                }
                places.forget();
            }
        }
    }

    #[test]
    fn what_was_taken_out_or_made_up_is_spoilt() {
        let provider = table(2, [("id", Place { assumed: true, ..value(2) }), ("name", value(3))]);
        let provider = Place { lost: vec!["issuer".into()], ..provider };
        let list = Place { lost: vec![ITEM.into()], inner: Inner::Items(vec![provider]), ..value(2) };
        let root = table(1, [("provider", list)]);
        for (path, spoilt) in [
            ("provider", true),
            ("provider[0].id", true),
            ("provider[0].issuer", true),
            ("provider[0].issuers", false),
            ("provider[0].name", false),
            ("provider[0]", true),
            ("account", false),
        ] {
            assert_eq!(root.is_spoilt(path), spoilt, "{path}");
        }
        assert!(!root.is_whole("provider") && root.is_whole("provider[0].name") && root.is_whole("account"));
    }
}
