//! docs/attacks.md against the tests: what it names must be there, and every attack test must be in it.

use std::collections::BTreeSet;
use std::path::Path;

/// Every `fn` of the sources and tests.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
            found.extend(names.map(str::to_owned));
        }
    }
}

#[test]
fn the_catalogue_names_tests_that_exist_and_all_of_them() {
    let mut functions_there = BTreeSet::new();
    functions(Path::new("src"), &mut functions_there);
    functions(Path::new("tests"), &mut functions_there);
    let catalogue = include_str!("../../docs/attacks.md");
    let named: BTreeSet<String> = catalogue
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.contains('_') && code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
        .map(str::to_owned)
        .collect();
    let missing: Vec<_> = named.difference(&functions_there).collect();
    assert!(missing.is_empty(), "docs/attacks.md names tests that are not there: {missing:?}");
    let is_attack = |name: &&String| {
        let mut bytes = name.bytes();
        bytes.next().is_some_and(|b| b"oswca".contains(&b)) && bytes.next().is_some_and(|b| b.is_ascii_digit()) && name.contains('_')
    };
    let forgotten: Vec<_> = functions_there.iter().filter(is_attack).filter(|name| !named.contains(*name)).collect();
    assert!(forgotten.is_empty(), "docs/attacks.md does not name these: {forgotten:?}");
}
