//! The reader against files that are wrong in every way at once.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use crate::settings::{SecretRef, Span};

/// A file in small.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Small {
    /// The title. More about it.
    title: String,
    #[serde(default)]
    server: Section,
    #[serde(default)]
    item: Vec<Item>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Section {
    port: u16,
    names: Vec<String>,
    open: bool,
    wait: Option<Span>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Item {
    /// The item's id.
    id: String,
    /// The item's count.
    count: u16,
    secret: Option<SecretRef>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// The item's owner.
    owner: Option<Owner>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Owner {
    /// The owner's address.
    address: Address,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Address {
    street: String,
}

fn complaints(text: &str) -> Vec<(usize, String, String)> {
    let reading = read::<Small>(text, "small.toml");
    reading.findings.into_iter().map(|finding| (finding.line, finding.message, finding.hint)).collect()
}

#[track_caller]
fn assert_complaints(text: &str, expected: &[(usize, &str, &str)]) {
    let mut found = complaints(text);
    found.sort();
    let expected: Vec<_> = expected.iter().map(|(line, message, hint)| (*line, (*message).to_owned(), (*hint).to_owned())).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_right_file_is_read_with_its_places() {
    let reading = read::<Small>("title = 'T'\nserver.port = 1\n[[item]]\nid = 'a'\ncount = 1\n[item.tags]\nx = 'y'\n", "small.toml");
    assert_eq!(reading.findings, []);
    let value = reading.value.unwrap();
    assert_eq!((value.title.as_str(), value.server.port, value.item.len()), ("T", 1, 1));
    assert_eq!((value.item[0].count, value.item[0].secret.is_some(), value.item[0].tags["x"].as_str()), (1, false, "y"));
    assert_eq!((value.server.open, value.server.names.len(), value.server.wait), (false, 0, None));
    for (path, line) in
        [("title", 1), ("server.port", 2), ("item[0]", 3), ("item[0].count", 5), ("item[0].tags.x", 7), ("item[0].secret", 3)]
    {
        assert_eq!(reading.places.line_of(path), line, "{path}");
    }
}

#[test]
fn what_is_missing_is_told_once_each_with_what_it_is() {
    assert_complaints(
        "[[item]]\n\n[[item]]\nid = 'b'\ncount = 2\n",
        &[
            (1, "`count` is missing in [[item]]", "The item's count"),
            (1, "`id` is missing in [[item]]", "The item's id"),
            (1, "`title` is missing at the top of the file", "The title"),
        ],
    );
}

#[test]
fn a_missing_section_is_told_once_and_the_rest_is_read() {
    let text = "title = 'T'\n[[item]]\nid = 'a'\ncount = 1\nowner = {}\n";
    assert_complaints(text, &[(5, "`address` is missing in [item.owner]", "The owner's address")]);
    let item = read::<Small>(text, "small.toml").value.unwrap().item.remove(0);
    assert_eq!(item.owner.map(|owner| owner.address.street), Some(String::new()));
}

#[test]
fn a_misspelt_key_is_not_missing_too_and_its_value_is_read() {
    assert_complaints(
        "titel = 3\n[[item]]\nid = 'a'\ncount = 1\n",
        &[
            (1, "`title` must be text in quotes, not a number", "put it in quotes: title = \"3\""),
            (1, "unknown key `titel` at the top of the file", "did you mean `title`?"),
        ],
    );
}

#[test]
fn what_was_taken_out_is_not_missing_and_is_spoilt() {
    let text = "title = 'T'\n[[item]]\nid = 1\ncount = 2\n[[item]]\nid = 'b'\ncount = 'x'\n[[item]]\nid = 'c'\ncount = 3\n";
    assert_complaints(
        text,
        &[
            (3, "`id` must be text in quotes, not a number", "put it in quotes: id = \"1\""),
            (7, "`count` must be a whole number, not text", "write the number without quotes"),
        ],
    );
    let reading = read::<Small>(text, "small.toml");
    // The second item lost its count, and a made-up text is no number: the item is gone, and the third has moved up.
    assert_eq!(reading.value.unwrap().item.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["", "c"]);
    assert!(reading.places.is_spoilt("item[0].id"));
    assert_eq!(reading.places.line_of("item[1].id"), 9);
    assert!(!reading.places.is_spoilt("item[1].id"));
    assert!(reading.places.is_spoilt("item"));
}

#[test]
fn each_wrong_type_has_its_own_hint() {
    assert_complaints(
        "title = ['T']\n[server]\nport = '1'\nnames = 'a'\nopen = 'yes'\nwait = 30\n[[item]]\nid = 'a'\ncount = 70000\ntags = 'x'\n",
        &[
            (1, "`title` must be text in quotes, not a list", "The title"),
            (3, "`port` must be a whole number, not text", "write the number without quotes"),
            (4, "`names` must be a list, not text", "write names = [\"…\"]"),
            (5, "`open` must be true or false, not text", "write true or false, without quotes"),
            (6, "`wait` must be a span of time in quotes, not a number", "write wait = \"15m\""),
            (9, "`count` is a number out of range", "The item's count"),
            (10, "`tags` must be a section, not text", "write [item.tags] once, with its keys below it"),
        ],
    );
}

#[test]
fn sections_and_lists_of_sections_are_not_confused() {
    assert_complaints(
        "title = 'T'\n[[server]]\nport = 1\n[item]\nid = 'a'\n",
        &[
            (2, "`server` must be a section, not a list", "write [server] once, with its keys below it"),
            (4, "`item` must be a list of sections, not a section", "write [[item]] with two brackets: there can be several"),
        ],
    );
    assert_complaints(
        "title = 'T'\nserver = [1]\nitem = [3, ['a', 4]]\n",
        &[
            (2, "`server` must be a section, not a list", "write [server] once, with its keys below it"),
            (3, "item 1 of `item` must be a section, not a number", "write [item] once, with its keys below it"),
            (3, "item 2 of `item` must be a section, not a list", "write [item] once, with its keys below it"),
        ],
    );
}

#[test]
fn a_secret_in_the_file_is_refused_and_never_repeated() {
    for value in [
        "'hush'",
        "'env'",
        "5",
        "true",
        "{ value = 'hush' }",
        "{ env = 'A', file = 'hush' }",
        "{}",
        "['hush']",
        "{ env = ['hush'] }",
        "{ env = 5 }",
        "{ valu = 'hush' }",
    ] {
        let found = complaints(&format!("title = 'T'\n[[item]]\nid = 'a'\ncount = 1\nsecret = {value}\n"));
        let [(line, message, hint)] = found.as_slice() else { panic!("{value}: {found:?}") };
        assert_eq!(*line, 5, "{value}");
        assert!(!format!("{message}{hint}").contains("hush"), "{value}: {message} {hint}");
        assert!(message.starts_with("`secret` "), "{value}: {message}");
        assert!(hint.starts_with("write secret = { env ="), "{value}: {hint}");
    }
}

#[test]
fn text_that_is_no_toml_gives_one_finding_with_line_and_column() {
    let reading = read::<Small>("title = 'T'\n[server]\nport 1\nnames = [\n", "small.toml");
    let [finding] = reading.findings.as_slice() else { panic!("{:?}", reading.findings) };
    assert_eq!((finding.line, finding.column), (3, Some(6)));
    assert_eq!(finding.hint, "write key = value");
    assert!(reading.value.is_none());
}

#[test]
fn a_key_that_is_there_twice_leaves_the_rest_readable() {
    assert_complaints(
        "title = 'T'\ntitle = 'U'\n[server]\n[server]\nprot = 1\n",
        &[
            (2, "the key or section is there twice", "keep one of the two"),
            (4, "the key or section is there twice", "keep one of the two"),
            (5, "unknown key `prot` in [server]", "did you mean `port`?"),
        ],
    );
}

#[test]
fn nonsense_comes_to_an_end() {
    let text = format!("title = 'T'\n[server]\nnames = [{}]\n", "1,".repeat(5000));
    let reading = read::<Small>(&text, "small.toml");
    assert!(reading.value.is_none());
    assert_eq!(reading.findings.len(), MOST);
}
