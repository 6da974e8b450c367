//! Where things stand in the file: from a path of keys and indexes to a line.

use std::collections::BTreeMap;

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
