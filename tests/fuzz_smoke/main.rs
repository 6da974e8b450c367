//! A short smoke of the fuzz targets (`fuzz/`, CONTRIBUTING.md): each door with the committed seeds, and with a few hundred mutants of them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step is a failed test")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use random::Random;

#[path = "../../fuzz/doors.rs"]
mod doors;
#[path = "../support/random.rs"]
#[expect(dead_code, reason = "each test uses its own part")]
mod random;
#[path = "../../fuzz/rules.rs"]
mod rules;
mod seeds;

type Door = fn(&[u8]) -> bool;

const DOORS: [(&str, Door); 7] = [
    ("response", doors::response),
    ("metadata", doors::metadata),
    ("redirect", doors::redirect),
    ("decryption", doors::decryption),
    ("rule_file", rules::rule_file),
    ("group_pattern", rules::group_pattern),
    ("condition", rules::condition),
];

fn folder(door: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(door)
}

fn seeds(door: &str) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = std::fs::read_dir(folder(door))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    found.sort();
    found
}

/// A byte changed, a stretch removed, repeated or moved.
fn mutant(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    let (from, to) = (random.below(bytes.len()), random.below(bytes.len()));
    let end = bytes.len().min(from + 1 + random.below(40));
    let stretch = bytes[from..end].to_vec();
    match random.below(4) {
        0 => bytes[from] ^= 1 << random.below(8),
        1 => drop(bytes.splice(from..end, [])),
        2 => drop(bytes.splice(from..from, stretch)),
        _ => drop(bytes.splice(to..to, stretch)),
    }
    bytes
}

#[test]
fn seeds_and_their_mutants_go_through_every_door() {
    for (door, enter) in DOORS {
        let seeds = seeds(door);
        assert!(seeds.len() >= 3, "{door} has too few seeds");
        let mut random = Random(1);
        for (name, seed) in &seeds {
            // Those that must be accepted are so: a door that refuses everything proves nothing.
            assert_eq!(enter(seed), name.starts_with("good"), "{door} {name}");
            for _ in 0..100 {
                let bytes = mutant(seed, &mut random);
                let start = Instant::now();
                enter(&bytes);
                assert!(start.elapsed() < Duration::from_secs(1), "{door}: a mutant of {name} hangs");
            }
        }
    }
}

#[test]
fn no_seed_is_forgotten_and_together_they_are_small() {
    let mut total = 0;
    for entry in std::fs::read_dir(folder("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(DOORS.iter().any(|(door, _)| *door == name), "nobody reads fuzz/corpus/{name}");
        total += seeds(&name).iter().map(|(_, seed)| seed.len()).sum::<usize>();
    }
    assert!(total < 100 * 1024, "{total} bytes");
}
