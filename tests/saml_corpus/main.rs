//! Hostile SAML documents, each made from a valid sibling when the test runs. Every sibling is accepted, every attack refused for its
//! named reason, and none of them makes the process print anything.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a corpus prints its table and fails loudly"
)]

mod alive;
mod carried;
mod cases;
mod differential;
mod encrypted;
mod keys;
mod logout;
mod meaning;
mod metadata;
mod mutate;
#[path = "../support/random.rs"]
#[expect(dead_code, reason = "each test uses its own part")]
mod random;
mod replay;
mod sibling;
mod structure;
mod trust;
mod wrapping;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use alive::Sibling;
use cases::{Case, Gate};
use keys::Keys;
use rolegate::saml::Certificate;
use rolegate::saml::verify::{NoVerifier, Verifier};
use sibling::IDP;

/// The corpus runs in a process of its own, so that what the C libraries print can be seen.
#[test]
fn the_corpus_holds_and_nothing_is_printed_to_stderr() {
    let name = "every_sibling_is_accepted_and_every_attack_is_refused_for_its_named_reason";
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--ignored", "--exact", "--nocapture", name]).env_remove("RUST_BACKTRACE").output().unwrap();
    let [printed, noise] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    println!("{printed}");
    assert!(output.status.success() && printed.contains("1 passed"), "{noise}");
    assert_eq!(noise, "");
}

#[test]
#[ignore = "the_corpus_holds_and_nothing_is_printed_to_stderr runs it"]
fn every_sibling_is_accepted_and_every_attack_is_refused_for_its_named_reason() {
    let keys = Keys::make();
    let gate = Gate::new(&keys);
    let mut wrong = Vec::new();
    let mut siblings = alive::siblings(&keys);
    siblings.extend(encrypted::siblings(&keys));
    siblings.extend(carried::siblings(&keys));
    siblings.extend(metadata::siblings(&keys));
    for Sibling { name, document, door } in &siblings {
        match gate.judge(*door, document) {
            Ok(found) if found == "alice@example.org" || found == IDP => println!("{:4} {:44} {name}", "-", "accepted"),
            other => wrong.push(format!("sibling {name}: {other:?}\n{document}")),
        }
    }
    let mut cases = wrapping::cases(&keys);
    for more in [structure::cases, meaning::cases, encrypted::cases, carried::cases, logout::cases, metadata::cases] {
        cases.extend(more(&keys));
    }
    for Case { attack, name, document, expected, door } in &cases {
        match gate.judge(*door, document) {
            Err(reason) if reason == *expected => println!("{attack:4} {reason:44} {name}"),
            other => wrong.push(format!("{attack} {name}: expected {expected}, got {other:?}")),
        }
    }
    print_table(&cases);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    check_that_cases_differ(&cases);
}

/// What no single document can be: S19 is the same one twice, S27 a stolen key.
const BEYOND_DOCUMENTS: [usize; 2] = [19, 27];

/// The ids with the number of attacks and the reasons of their refusals.
fn print_table(cases: &[Case]) {
    let mut table: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for case in cases {
        table.entry(case.attack.trim_start_matches('S').parse().unwrap()).or_default().push(&case.expected);
    }
    println!("\nid   attacks  reasons");
    for (id, reasons) in &table {
        let distinct: BTreeSet<_> = reasons.iter().collect();
        let distinct: Vec<_> = distinct.into_iter().copied().collect();
        println!("S{id:<3} {:7}  {}", reasons.len(), distinct.join(", "));
    }
    println!("{} attacks", cases.len());
    assert!(cases.len() >= 250, "the corpus has shrunk");
    let missing: Vec<_> = (1..=27).filter(|id| !BEYOND_DOCUMENTS.contains(id) && !table.contains_key(id)).collect();
    assert!(missing.is_empty(), "no attack for {missing:?}");
}

fn check_that_cases_differ(cases: &[Case]) {
    let (mut names, mut documents) = (HashSet::new(), HashMap::new());
    for case in cases {
        assert!(names.insert((case.attack, &case.name)), "two attacks have the name {}", case.name);
        if let Some(twin) = documents.insert((&case.document, case.door), &case.name) {
            panic!("{} is the same as {twin}", case.name);
        }
    }
}

#[test]
fn a_verifier_needs_a_certificate_with_a_strong_key() {
    let keys = Keys::make();
    assert_eq!(Verifier::new(&[]).unwrap_err(), NoVerifier::NoCertificate);
    assert_eq!(Verifier::new(&[keys.idp.parsed(), keys.weak.parsed()]).unwrap_err(), NoVerifier::WeakKey);
    assert_eq!(Verifier::new(&[keys.brainpool.parsed()]).unwrap_err(), NoVerifier::WeakKey);
    assert_eq!(Certificate::from_der(b"0").unwrap_err(), "the certificate is not X.509");
}
