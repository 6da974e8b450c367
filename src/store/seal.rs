//! Seals records, so that who reads the store learns nothing and who writes to it forges nothing.
//!
//! AES-256-GCM under a key derived for each record (HMAC-SHA-256 of the store key under the master key), so that random nonces
//! never come near their limit. The format's version and the store key, purpose included, are bound in: a value opens under the key
//! it was sealed for and nowhere else. What this cannot see is an *older* value of the same key put back by somebody who can write
//! to the store; a session never changes, but one that ended can come back until its own end, to whom has its id too, and a single-use one
//! within minutes.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use secrecy::{ExposeSecret, SecretString};
use zeroize::{Zeroize, Zeroizing};

use super::Key;
use super::ids::random;

const VERSION: u8 = 1;
const KEY: usize = 32;
const KEY_ID: usize = 4;
const HEADER: usize = 1 + KEY_ID + NONCE_LEN;

/// A value does not open: altered, moved to another key, cut, or sealed by a key that is not in the ring. Counts as absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored value does not open: altered, moved, or sealed with a key that is not in use any more")]
pub struct Unsealed;

/// A seal key is not 32 bytes in hexadecimal or base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a seal key is 32 bytes, written in hexadecimal (64 characters) or base64")]
pub struct InvalidSealKey;

/// One master key. Prints nothing.
pub struct SealKey {
    id: [u8; KEY_ID],
    master: hmac::Key,
}

impl SealKey {
    fn new(mut bytes: [u8; KEY]) -> Self {
        let master = hmac::Key::new(HMAC_SHA256, &bytes);
        bytes.zeroize();
        let mut id = [0; KEY_ID];
        for (to, from) in id.iter_mut().zip(hmac::sign(&master, b"rolegate seal key id").as_ref()) {
            *to = *from;
        }
        Self { id, master }
    }

    /// Reads a key: 32 bytes in hexadecimal, base64 or base64url.
    ///
    /// # Errors
    /// [`InvalidSealKey`] when it is anything else.
    pub fn parse(secret: &SecretString) -> Result<Self, InvalidSealKey> {
        let text = secret.expose_secret().trim();
        let decoded = if text.len() == 2 * KEY {
            HEXLOWER_PERMISSIVE.decode(text.as_bytes())
        } else {
            let text = text.trim_end_matches('=').as_bytes();
            BASE64_NOPAD.decode(text).or_else(|_| BASE64URL_NOPAD.decode(text))
        };
        let bytes = Zeroizing::new(decoded.map_err(|_| InvalidSealKey)?);
        Ok(Self::new(bytes.as_slice().try_into().map_err(|_| InvalidSealKey)?))
    }

    /// The key of one record.
    fn record_key(&self, key: &Key) -> Result<LessSafeKey, Unsealed> {
        let mut context = hmac::Context::with_key(&self.master);
        context.update(b"rolegate record\0");
        context.update(key.as_str().as_bytes());
        UnboundKey::new(&AES_256_GCM, context.sign().as_ref()).map(LessSafeKey::new).map_err(|_| Unsealed)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

/// The ring of keys: the first one seals, every one opens. To rotate without a gap, every instance must know the new key before any
/// one seals with it; the old one goes when the longest session sealed with it has ended.
#[derive(Debug)]
pub struct SealKeys {
    first: SealKey,
    others: Vec<SealKey>,
}

impl SealKeys {
    /// A ring whose first key seals.
    #[must_use]
    pub const fn new(first: SealKey, others: Vec<SealKey>) -> Self {
        Self { first, others }
    }

    /// A ring of one key that nobody knows and that ends with the process: for the memory store.
    #[must_use]
    pub fn random() -> Self {
        Self::new(SealKey::new(random()), Vec::new())
    }

    /// Seals a value for one store key.
    ///
    /// # Errors
    /// The cipher refuses, which it does only for values of many gigabytes.
    pub fn seal(&self, key: &Key, plaintext: &[u8]) -> Result<Vec<u8>, Unsealed> {
        let nonce: [u8; NONCE_LEN] = random();
        let mut sealed = Vec::with_capacity(HEADER + plaintext.len() + AES_256_GCM.tag_len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.first.id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let text = sealed.get_mut(HEADER..).ok_or(Unsealed)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.first.record_key(key)?.seal_in_place_separate_tag(nonce, aad(VERSION, key), text).map_err(|_| Unsealed)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what [`Self::seal`] sealed for the same store key.
    ///
    /// # Errors
    /// [`Unsealed`], whatever the reason.
    pub fn open(&self, key: &Key, sealed: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, Unsealed> {
        let mut buffer = Zeroizing::new(sealed);
        let (version, id, nonce) = header(&buffer).ok_or(Unsealed)?;
        if version != VERSION {
            return Err(Unsealed);
        }
        let ring = std::iter::once(&self.first).chain(&self.others);
        let seal_key = ring.into_iter().find(|candidate| candidate.id == id).ok_or(Unsealed)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let length = seal_key.record_key(key)?.open_within(nonce, aad(version, key), &mut buffer, HEADER..).map_err(|_| Unsealed)?.len();
        buffer.truncate(length);
        Ok(buffer)
    }
}

fn aad(version: u8, key: &Key) -> Aad<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1 + key.as_str().len());
    bytes.push(version);
    bytes.extend_from_slice(key.as_str().as_bytes());
    Aad::from(bytes)
}

fn header(sealed: &[u8]) -> Option<(u8, [u8; KEY_ID], [u8; NONCE_LEN])> {
    let (version, rest) = sealed.split_first()?;
    let (id, rest) = rest.split_first_chunk()?;
    let (nonce, _) = rest.split_first_chunk()?;
    Some((*version, *id, *nonce))
}

#[cfg(test)]
mod tests {
    use super::super::Purpose;
    use super::*;

    fn key(name: &str) -> Key {
        Key::of(Purpose::Session, name.as_bytes())
    }

    fn seal_key(byte: u8) -> SealKey {
        SealKey::new([byte; KEY])
    }

    #[test]
    fn a_sealed_value_opens_again_and_shows_nothing() {
        let keys = SealKeys::random();
        let sealed = keys.seal(&key("a"), b"plain and simple").unwrap();
        assert!(!sealed.windows(5).any(|window| window == b"plain"));
        assert_ne!(sealed, keys.seal(&key("a"), b"plain and simple").unwrap());
        assert_eq!(keys.open(&key("a"), sealed).unwrap().as_slice(), b"plain and simple");
        assert_eq!(keys.open(&key("a"), keys.seal(&key("a"), b"").unwrap()).unwrap().as_slice(), b"");
    }

    /// Attack C4.
    #[test]
    fn c4_ten_thousand_mutations_are_refused() {
        let keys = SealKeys::random();
        let sealed = keys.seal(&key("a"), &[42; 300]).unwrap();
        let mut refused = 0;
        while refused < 10_000 {
            let [kind, a, b, value]: [u8; 4] = random();
            let at = usize::from(u16::from_be_bytes([a, b])) % sealed.len();
            let mut mutated = sealed.clone();
            match kind % 5 {
                0 => mutated[at] ^= 1 << (value % 8),
                1 => mutated[at] = value,
                2 => mutated.truncate(at),
                3 => mutated.insert(at, value),
                _ => drop(mutated.remove(at)),
            }
            if mutated == sealed {
                continue;
            }
            assert_eq!(keys.open(&key("a"), mutated), Err(Unsealed), "kind {} at {at}", kind % 5);
            refused += 1;
        }
        assert!(keys.open(&key("a"), sealed).is_ok());
    }

    /// Attack C4.
    #[test]
    fn c4_a_value_moved_to_another_key_or_purpose_is_refused() {
        let keys = SealKeys::random();
        let sealed = keys.seal(&key("a"), b"x").unwrap();
        assert!(keys.open(&key("a"), sealed.clone()).is_ok());
        assert_eq!(keys.open(&key("b"), sealed.clone()), Err(Unsealed));
        assert_eq!(keys.open(&Key::of(Purpose::Login, b"a"), sealed), Err(Unsealed));
    }

    #[test]
    fn an_old_key_opens_until_it_is_dropped_and_the_first_one_seals() {
        let record = key("a");
        let old = SealKeys::new(seal_key(1), vec![]).seal(&record, b"x").unwrap();
        let rotated = SealKeys::new(seal_key(2), vec![seal_key(1)]);
        assert_eq!(rotated.open(&record, old.clone()).unwrap().as_slice(), b"x");
        let new = rotated.seal(&record, b"y").unwrap();
        let after = SealKeys::new(seal_key(2), vec![]);
        assert_eq!(after.open(&record, new.clone()).unwrap().as_slice(), b"y");
        assert_eq!(after.open(&record, old), Err(Unsealed));
        assert_eq!(SealKeys::new(seal_key(1), vec![]).open(&record, new), Err(Unsealed));
    }

    #[test]
    fn a_key_is_read_in_every_usual_spelling_and_nothing_shorter() {
        let bytes = [0xfb; KEY];
        let record = key("a");
        let sealed = SealKeys::new(SealKey::new(bytes), vec![]).seal(&record, b"x").unwrap();
        for text in [
            data_encoding::HEXLOWER.encode(&bytes),
            data_encoding::HEXUPPER.encode(&bytes),
            data_encoding::BASE64.encode(&bytes),
            BASE64URL_NOPAD.encode(&bytes),
        ] {
            let ring = SealKeys::new(SealKey::parse(&text.clone().into()).unwrap(), vec![]);
            assert!(ring.open(&record, sealed.clone()).is_ok(), "{text}");
        }
        for bad in
            [String::new(), "hush".into(), "f".repeat(62), BASE64_NOPAD.encode(&[1; 31]), BASE64_NOPAD.encode(&[1; 33]), "g".repeat(64)]
        {
            assert_eq!(SealKey::parse(&bad.clone().into()).err(), Some(InvalidSealKey), "{bad}");
        }
        assert_eq!(format!("{:?}", seal_key(1)), "SealKey(…)");
    }
}
