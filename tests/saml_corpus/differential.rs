//! Mutants of valid responses, judged by us, by xmlsec1 and by signxml: what we accept they accept too, and read the same of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use data_encoding::BASE64;
use rolegate::saml::Refused;
use rolegate::saml::prescreen::prescreen;
use rolegate::saml::response::{Assertion, read};
use rolegate::saml::verify::Verifier;
use serde_json::{Value, json};

use crate::cases::{resigned, valid};
use crate::keys::{Keys, run};
use crate::mutate::mutant;
use crate::random::Random;
use crate::sibling::{ALL, RSA_SHA256, Sign, signed, unsigned};

/// A mutant that we accepted.
struct Accepted {
    sign: Sign,
    bytes: Vec<u8>,
    read: Value,
}

/// Nothing is checked but who signed it: who it is for does not matter to the others.
fn verify(verifier: &Verifier, bytes: &[u8]) -> Result<Assertion, Refused> {
    read(&verifier.verify(&prescreen(bytes)?)?)
}

fn seen(assertion: &Assertion) -> Value {
    let attributes: Vec<_> = assertion.attributes.iter().map(|one| json!([one.name, one.values])).collect();
    json!({ "name": assertion.subject.value, "attributes": attributes })
}

fn seeds(keys: &Keys) -> Vec<(Sign, String)> {
    let info = "<ds:KeyInfo><ds:X509Data><ds:X509Certificate/></ds:X509Data></ds:KeyInfo></ds:Signature>";
    let mut seeds = Vec::new();
    for sign in ALL {
        seeds.push((sign, valid(keys, sign)));
        seeds.push((sign, resigned(keys, sign, "</ds:Signature>", info)));
        let spaced = unsigned(sign, RSA_SHA256).replace("><saml:", ">\n  <saml:");
        seeds.push((sign, signed(keys, &keys.idp, sign, &spaced)));
    }
    seeds
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// `SAML_MUTANTS` says how many, `SAML_MUTANTS_SEED` which; a few hundred without.
#[test]
fn whatever_we_accept_xmlsec1_and_signxml_accept_and_read_alike() {
    let (count, seed) = (number("SAML_MUTANTS", 600), number("SAML_MUTANTS_SEED", 1));
    let keys = Keys::make();
    let verifier = Verifier::new(&[keys.idp.parsed()]).unwrap();
    let seeds = seeds(&keys);
    let mut random = Random(seed.try_into().unwrap());
    let (mut accepted, mut documents, mut reasons) = (Vec::new(), Vec::new(), BTreeMap::<&str, usize>::new());
    for index in 0..count {
        let (sign, sibling) = &seeds[index % seeds.len()];
        let bytes = mutant(sibling, &mut random);
        match verify(&verifier, &bytes) {
            Ok(assertion) => accepted.push((index, Accepted { sign: *sign, bytes: bytes.clone(), read: seen(&assertion) })),
            // They disagree where somebody must look: here that would be a find of its own.
            Err(Refused::Disagreement) => panic!("the verifiers disagree:\n{}", String::from_utf8_lossy(&bytes)),
            Err(reason) => *reasons.entry(reason.attack()).or_default() += 1,
        }
        documents.push(bytes);
    }
    let theirs = by_signxml(&keys, &documents);
    for (index, one) in &accepted {
        assert_eq!(theirs[*index], one.read, "signxml:\n{}", String::from_utf8_lossy(&one.bytes));
    }
    for sign in ALL {
        let files: Vec<_> = accepted.iter().filter(|(_, one)| one.sign == sign).map(|(_, one)| one.bytes.as_slice()).collect();
        check_by_xmlsec1(&keys, sign, &files);
    }
    let lenient = theirs.iter().filter(|one| !one.is_null()).count();
    println!("{count} mutants: we accept {}, signxml {lenient}; xmlsec1 accepts all that we do. We refuse:", accepted.len());
    for (reason, count) in &reasons {
        println!("{count:8} {reason}");
    }
    // Mutants that change nothing of meaning must get through, and others must not.
    assert!(accepted.len() * 50 > count && accepted.len() * 2 < count, "{} of {count}", accepted.len());
}

fn by_signxml(keys: &Keys, documents: &[Vec<u8>]) -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lines: Vec<_> = documents.iter().map(|bytes| BASE64.encode(bytes)).collect();
    let input = keys.folder.path().join("documents");
    std::fs::write(&input, lines.join("\n")).unwrap();
    let mut command = Command::new(root.join("target/counterparts/venv/bin/python"));
    command.arg(root.join("tests/counterparts/read_signed.py")).arg(&keys.idp.certificate);
    let printed = run(command.stdin(Stdio::from(File::open(input).unwrap())));
    let found: Vec<_> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found.len(), documents.len());
    found
}

/// xmlsec1 stops at the first file that it refuses, and says which.
fn check_by_xmlsec1(keys: &Keys, sign: Sign, documents: &[&[u8]]) {
    let places = [
        (Sign::Response, "/*/*[local-name()='Signature']"),
        (Sign::Assertion, "/*/*[local-name()='Assertion']/*[local-name()='Signature']"),
    ];
    let folder = keys.folder.path().join(format!("{sign:?}"));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |(index, bytes): (usize, &&[u8])| {
        let path = folder.join(format!("{index}.xml"));
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let files: Vec<PathBuf> = documents.iter().enumerate().map(write).collect();
    for (_, place) in places.iter().filter(|(wanted, _)| sign == Sign::Both || sign == *wanted) {
        for some in files.chunks(200) {
            let mut command = Command::new("xmlsec1");
            command.args(["--verify", "--enabled-reference-uris", "same-doc", "--pubkey-cert-pem"]).arg(&keys.idp.certificate);
            // As for us, the keys that a message brings are none: a damaged certificate in it changes nothing.
            command.args(["--enabled-key-data", "key-name"]);
            command.args(["--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion"]);
            command.args(["--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:protocol:Response", "--node-xpath", place]);
            run(command.args(some));
        }
    }
}
