//! Names of people in AWS's narrow alphabet, without two people ever sharing one.

use data_encoding::BASE32_NOPAD;

use crate::arn::is_name_byte;

/// The longest `RoleSessionName` and `SourceIdentity` that STS takes.
const LONGEST: usize = 64;
/// The longest `Name` of a federated session that STS takes.
const LONGEST_FEDERATED: usize = 32;
/// What no plain encoding contains: `=` is always followed by two hex digits there.
const MARK: &str = "==";

/// Writes any text within `[A-Za-z0-9_+=,.@-]`, 2–64 characters, so that different texts stay different.
///
/// A byte that STS does not allow, and `=` itself, becomes `=` and two hex digits. What would be too long is cut at its end and closed
/// with `==` and 128 bits of the whole text's SHA-256; what is too short is closed with `==` alone. So nothing is cut silently, and the
/// beginning stays readable. (STS `AssumeRole*` request parameters.)
#[must_use]
pub fn encode_name(text: &str) -> String {
    encode_within(text, LONGEST)
}

/// [`encode_name`] for the `Name` of `GetFederationToken`: 2–32 characters.
#[must_use]
pub fn encode_federated_name(text: &str) -> String {
    encode_within(text, LONGEST_FEDERATED)
}

fn encode_within(text: &str, longest: usize) -> String {
    let mut name = String::with_capacity(LONGEST);
    // Where the text may be cut if it proves too long: never inside an escape.
    let mut last_fit = 0;
    let room = longest - MARK.len() - 26;
    for byte in text.bytes() {
        if is_name_byte(byte) && byte != b'=' {
            name.push(char::from(byte));
        } else {
            name.push('=');
            name.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
        }
        if name.len() <= room {
            last_fit = name.len();
        }
    }
    if name.len() > longest {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        name.truncate(last_fit);
        name.push_str(MARK);
        name.push_str(&BASE32_NOPAD.encode(digest.as_ref().get(..16).unwrap_or_default()));
    } else if name.len() < 2 {
        name.push_str(MARK);
    }
    name
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn readable_names_stay_as_they_are() {
        assert_eq!(encode_name("ana@example.org"), "ana@example.org");
        assert_eq!(encode_name("okta+00u1"), "okta+00u1");
    }

    #[test]
    fn a02_names_that_look_alike_stay_apart() {
        let texts = ["alice@a", "alice_a", "alice a", "alice=20a", "alice=a", "a", "", "a==", "ä", "aws:root"];
        let mut seen = HashMap::new();
        for text in texts {
            if let Some(other) = seen.insert(encode_name(text), text) {
                panic!("{text:?} and {other:?} share a name");
            }
        }
        assert_eq!(encode_name("aws:root"), "aws=3Aroot", "nobody gets a name with AWS's own prefix");
    }

    #[test]
    fn a02_a_long_name_is_closed_with_a_digest_and_never_cut_silently() {
        let one = format!("{}1", "x".repeat(80));
        let other = format!("{}2", "x".repeat(80));
        assert_ne!(encode_name(&one), encode_name(&other));
        assert_eq!(encode_name(&one).len(), 64);
        assert!(encode_name(&one).contains("=="));
        assert_eq!(encode_name(&"x".repeat(64)), "x".repeat(64));
    }

    proptest! {
        #[test]
        fn every_name_is_one_that_sts_takes(text in "\\PC{0,100}") {
            let name = encode_name(&text);
            prop_assert!((2..=64).contains(&name.len()));
            prop_assert!(name.bytes().all(is_name_byte));
            prop_assert!(!name.starts_with("aws:"));
            let federated = encode_federated_name(&text);
            prop_assert!((2..=32).contains(&federated.len()));
            prop_assert!(federated.bytes().all(is_name_byte));
        }

        #[test]
        fn different_texts_have_different_names(one in "[a-z=@ ä]{0,70}", other in "[a-z=@ ä]{0,70}") {
            prop_assert_eq!(one == other, encode_name(&one) == encode_name(&other));
            prop_assert_eq!(one == other, encode_federated_name(&one) == encode_federated_name(&other));
        }
    }
}
