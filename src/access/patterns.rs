//! Group patterns, indexed by the text that they begin with: a group is compared only with the patterns whose beginning it has.
//!
//! One automaton for all patterns would be simpler, and would grow with the organisation: thousands of patterns have more states than any
//! cache holds, and each group would pay for them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::groups::GroupNames;
use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::Extractor;

/// The longest group pattern, in bytes, and the largest compiled one: an administrator's slip must not cost a gigabyte.
pub(super) const LONGEST: usize = 512;
pub(super) const LARGEST_PROGRAM: usize = 256 * 1024;
/// How deep brackets may nest.
const DEEPEST: u32 = 32;
/// How many patterns with the same beginning are tried one by one; more are matched as one automaton first, so many at a time.
const FEW: usize = 4;
const MANY: usize = 32;

/// A pattern that matches a whole group name.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    regex: Regex,
    beginning: Box<[u8]>,
}

impl Pattern {
    /// Reads a pattern and anchors it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str, names: GroupNames) -> Result<Self, String> {
        let folds = names == GroupNames::NfcCasefold;
        // Read alone first: a stray parenthesis or alternation must not slip out of the anchors that go around it.
        let parsed = ParserBuilder::new().unicode(false).utf8(false).case_insensitive(folds).nest_limit(DEEPEST).build().parse(text);
        let parsed = parsed.map_err(|error| last_line(&error.to_string()))?;
        let beginnings = Extractor::new().extract(&parsed);
        let beginning = beginnings.longest_common_prefix().unwrap_or_default().into();
        let regex = regex(&anchored(text, folds)).map_err(|error| last_line(&error.to_string()))?;
        Ok(Self { regex, beginning })
    }

    /// The names of its captures.
    pub(super) fn capture_names(&self) -> impl Iterator<Item = &str> {
        self.regex.capture_names().flatten()
    }
}

fn regex(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).unicode(false).size_limit(LARGEST_PROGRAM).nest_limit(DEEPEST + 2).build()
}

/// People's groups are in small letters where case does not count: then a pattern's must not count either.
fn anchored(text: &str, folds: bool) -> String {
    let case = if folds { "i" } else { "" };
    format!(r"\A(?{case}:{text})\z")
}

pub(super) fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or(text).trim().to_owned()
}

/// All patterns of a policy.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    /// Ordered by beginning.
    nodes: Vec<Node>,
    /// The [`key`] of each node, close together: most of a search is here.
    keys: Vec<u128>,
}

/// The patterns with one beginning.
#[derive(Debug)]
struct Node {
    beginning: Box<[u8]>,
    /// The node with the longest other beginning that this one begins with.
    parent: Option<usize>,
    chunks: Vec<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    /// All of `patterns` as one automaton, where there are more than a few.
    set: Option<RegexSet>,
    patterns: Vec<Kept>,
}

/// A pattern that has been tried, and is made again when the first group begins as it does: an automaton takes many kilobytes, and of
/// thousands of patterns a day's people have few.
#[derive(Debug)]
struct Kept {
    text: Box<str>,
    regex: OnceLock<Regex>,
    rule: u32,
}

impl Kept {
    fn regex(&self) -> &Regex {
        self.regex.get_or_init(|| regex(&self.text).unwrap_or_else(|_| unreachable!("the same text was compiled before")))
    }
}

impl Patterns {
    /// Indexes patterns, each with the number of its rule.
    ///
    /// # Errors
    /// If they are too large together.
    pub(super) fn new(patterns: Vec<(Pattern, u32)>) -> Result<Self, String> {
        let mut by_beginning = BTreeMap::<Box<[u8]>, Vec<Kept>>::new();
        for (Pattern { regex, beginning }, rule) in patterns {
            by_beginning.entry(beginning).or_default().push(Kept { text: regex.as_str().into(), regex: OnceLock::new(), rule });
        }
        let mut nodes: Vec<Node> = Vec::with_capacity(by_beginning.len());
        for (beginning, patterns) in by_beginning {
            // The beginnings of this one come before it, and whatever stands between them and it begins with them too.
            let mut parent = nodes.len().checked_sub(1);
            while let Some(node) = parent.and_then(|index| nodes.get(index)).filter(|node| !beginning.starts_with(&node.beginning)) {
                parent = node.parent;
            }
            let mut patterns = patterns.into_iter().peekable();
            let mut chunks = Vec::new();
            while patterns.peek().is_some() {
                chunks.push(Chunk::new(patterns.by_ref().take(MANY).collect())?);
            }
            nodes.push(Node { beginning, parent, chunks });
        }
        Ok(Self { keys: nodes.iter().map(|node| key(&node.beginning)).collect(), nodes })
    }

    /// The patterns that match a whole group name, each with the number of its rule.
    pub(super) fn matches<'a>(&'a self, group: &str, mut each: impl FnMut(&'a Regex, u32)) {
        let group = group.as_bytes();
        let own = key(group);
        // Keys order as texts do, but for those that begin alike.
        let before = self.keys.partition_point(|key| *key < own);
        let alike = self.keys.iter().skip(before).take_while(|key| **key == own).count();
        let alike = self.nodes.get(before..before + alike).unwrap_or_default();
        let mut next = (before + alike.partition_point(|node| *node.beginning <= *group)).checked_sub(1);
        while let Some(node) = next.and_then(|index| self.nodes.get(index)) {
            if group.starts_with(&node.beginning) {
                node.chunks.iter().for_each(|chunk| chunk.matches(group, &mut each));
            }
            next = node.parent;
        }
    }
}

/// The first bytes of a text as a number that orders as they do.
fn key(text: &[u8]) -> u128 {
    let mut first = [0; 16];
    first.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
    u128::from_be_bytes(first)
}

impl Chunk {
    fn new(patterns: Vec<Kept>) -> Result<Self, String> {
        let set = || {
            let texts = patterns.iter().map(|kept| &*kept.text);
            RegexSetBuilder::new(texts).unicode(false).size_limit(MANY * LARGEST_PROGRAM).nest_limit(DEEPEST + 2).build()
        };
        let set = (patterns.len() > FEW).then(set).transpose().map_err(|error| last_line(&error.to_string()))?;
        Ok(Self { set, patterns })
    }

    fn matches<'a>(&'a self, group: &[u8], each: &mut impl FnMut(&'a Regex, u32)) {
        match &self.set {
            None => self.patterns.iter().filter(|kept| kept.regex().is_match(group)).for_each(|kept| each(kept.regex(), kept.rule)),
            Some(set) => {
                for kept in set.matches(group).iter().filter_map(|index| self.patterns.get(index)) {
                    each(kept.regex(), kept.rule);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(patterns: &[&str], group: &str) -> Vec<u32> {
        let parsed = patterns.iter().zip(0..).map(|(text, index)| (Pattern::parse(text, GroupNames::Exact).unwrap(), index)).collect();
        let mut found = Vec::new();
        Patterns::new(parsed).unwrap().matches(group, |_, rule| found.push(rule));
        found.sort_unstable();
        found
    }

    #[test]
    fn the_beginning_is_what_every_match_begins_with() {
        for (pattern, beginning) in [
            ("aws-(?<account>[0-9]{12})-x", "aws-"),
            ("(?<all>team-[a-z]+)", "team-"),
            ("abc|abd", "ab"),
            ("abc|xyz", ""),
            ("(?i)aws-.*", ""),
            (".*-aws", ""),
            ("ab?c", "a"),
            ("a{3}b*", "aaa"),
            ("", ""),
            (r"\x61ws", "aws"),
        ] {
            assert_eq!(*Pattern::parse(pattern, GroupNames::Exact).unwrap().beginning, *beginning.as_bytes(), "{pattern}");
        }
    }

    #[test]
    fn every_pattern_is_found_however_beginnings_nest() {
        let long = "0123456789abcdef";
        let patterns = [
            "a.*",
            "ab.*",
            "abc.*",
            "abd.*",
            ".*",
            "b.*",
            "ab",
            "abcd?",
            "",
            "x{2,}",
            "0123456789abcdef.*",
            "0123456789abcdefg.*",
            "0123456789abcdef0",
        ];
        for group in [
            long,
            &format!("{long}0"),
            &format!("{long}g"),
            &format!("{long}gh"),
            &format!("{long}z"),
            "0123456789abcde",
            "a\0",
            "",
            "a",
            "ab",
            "abc",
            "abcd",
            "abd",
            "abe",
            "ac",
            "b",
            "xx",
            "zz",
            "ab\u{e9}",
        ] {
            let expected: Vec<u32> = (0..)
                .zip(patterns)
                .filter(|(_, text)| {
                    let regex = RegexBuilder::new(&anchored(text, false)).unicode(false).build().unwrap();
                    regex.is_match(group.as_bytes())
                })
                .map(|(index, _)| index)
                .collect();
            assert_eq!(matching(&patterns, group), expected, "{group}");
        }
    }

    #[test]
    fn many_patterns_with_one_beginning_are_matched_together() {
        let patterns: Vec<String> = (0..100).map(|n| format!("team-(?<kind>[a-z]+)-{n}")).collect();
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        assert_eq!(matching(&patterns, "team-blue-77"), [77]);
        assert_eq!(matching(&patterns, "team-blue-100"), [] as [u32; 0]);
        assert_eq!(matching(&patterns, "a-team-blue-77"), [] as [u32; 0]);
    }

    #[test]
    fn nothing_slips_out_of_the_anchors() {
        for pattern in ["a)|(?:b", "(", ")", "a)(b", "[", "(?<x>a)(?<x>b)", "a(?#", "(?P<"] {
            assert!(Pattern::parse(pattern, GroupNames::Exact).is_err(), "{pattern}");
        }
        assert!(Pattern::parse(&"(".repeat(40), GroupNames::Exact).is_err());
        assert!(Pattern::parse("[a-z]{1,64}{1,64}{1,64}", GroupNames::Exact).is_err());
        assert_eq!(matching(&["a|b"], "ab"), [] as [u32; 0]);
        assert!(Pattern::parse("a)|(?:b", GroupNames::NfcCasefold).is_err());
        // A comment must not swallow the anchor behind it.
        assert!(Pattern::parse("(?x)a #b", GroupNames::Exact).is_err());
    }
}
