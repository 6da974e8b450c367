//! Hostile SAML responses, each made from a valid sibling when the test runs. Every sibling is accepted, every attack refused for its
//! named reason, and none of them makes the process print anything.

mod alive;
mod cases;
mod keys;
mod meaning;
mod sibling;
mod structure;
mod trust;
mod wrapping;

use cases::{Case, judge};
use rolegate::saml::verify::{NoVerifier, Verifier};
use rolegate::saml::{Certificate, CertificateRefused};

use crate::keys::Keys;

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
    let verifier = Verifier::new(&[keys.idp.parsed(), keys.ec.parsed()]).unwrap();
    let mut wrong = Vec::new();
    for sibling in alive::siblings(&keys) {
        match judge(&verifier, &sibling.document, sibling.request) {
            Ok(assertion) if assertion.subject.value == "alice@example.org" => println!("{:4} accepted  {}", "-", sibling.name),
            other => wrong.push(format!("sibling {}: {other:?}\n{}", sibling.name, sibling.document)),
        }
    }
    let mut cases = wrapping::cases(&keys);
    cases.extend(structure::cases(&keys));
    cases.extend(meaning::cases(&keys));
    for Case { attack, name, document, expected, request } in &cases {
        match judge(&verifier, document, *request) {
            Err(reason) if reason == *expected => println!("{attack:4} {:36} {name}", format!("{reason:?}")),
            other => wrong.push(format!("{attack} {name}: expected {expected:?}, got {:?}", other.map(|found| found.subject.value))),
        }
    }
    println!("{} attacks", cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= 120);
    let mut names: Vec<_> = cases.iter().map(|case| (case.attack, &case.name)).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), cases.len(), "two attacks have the same name");
    let mut seen = std::collections::HashMap::new();
    for case in &cases {
        if let Some(twin) = seen.insert((&case.document, case.request), &case.name) {
            panic!("{} is the same as {twin}", case.name);
        }
    }
}

#[test]
fn a_verifier_needs_a_certificate_with_a_strong_key() {
    let keys = Keys::make();
    assert_eq!(Verifier::new(&[]).unwrap_err(), NoVerifier::NoCertificate);
    assert_eq!(Certificate::from_der(&keys.weak.der()).unwrap_err(), CertificateRefused::Size);
    assert_eq!(Certificate::from_der(b"0").unwrap_err(), CertificateRefused::Form);
}
