//! What links each line of the trail to the one before, so that nobody changes one unseen.
//!
//! A line begins with its number, `seq`, and with `prev`: the SHA-256 of the line before, byte for byte without its end, and of whatever stands
//! behind that one and is no line of the chain, as the half line that a crash leaves. The first line of a chain has number 1; its `prev` covers what an
//! earlier version left in the file, and is all zeros where there is nothing. Files do not count: the chain goes on from one to the next.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize, Serializer};

/// A SHA-256 digest.
pub(super) type Digest = [u8; 32];

/// How a line of a chain begins.
const BEGINNING: &[u8] = b"{\"seq\":";

/// The end of a chain: the number of its last line, and the digest that the next one will name. Written `42:9f86…`; noted where nobody who can change
/// the trail can change it too, it shows that the trail is the one that it was, up to there.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The number of the last line; 0 where there is none yet.
    pub seq: u64,
    /// What the next line names.
    pub(super) digest: Digest,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, HEXLOWER.encode(&self.digest))
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Head({self})")
    }
}

impl Serialize for Head {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.trim().split_once(':').and_then(|(seq, digest)| Some((seq.parse().ok()?, from_hex(digest)?)));
        let (seq, digest) = parts.ok_or("write a head as the log has it: a number, a colon and 64 hexadecimal digits")?;
        Ok(Self { seq, digest })
    }
}

impl Head {
    /// Makes the next line of an event, a JSON object, and adds it with its end to `lines`: the chain's members are put before the event's own.
    pub(super) fn chain(&mut self, event: &[u8], lines: &mut Vec<u8>) {
        let begin = lines.len();
        let seq = self.seq + 1;
        lines.extend_from_slice(BEGINNING);
        lines.extend_from_slice(seq.to_string().as_bytes());
        lines.extend_from_slice(b",\"prev\":\"");
        let at = lines.len();
        lines.resize(at + 2 * self.digest.len(), 0);
        if let Some(place) = lines.get_mut(at..) {
            HEXLOWER.encode_mut(&self.digest, place);
        }
        lines.extend_from_slice(b"\",");
        lines.extend_from_slice(event.strip_prefix(b"{").unwrap_or(event));
        *self = Self { seq, digest: digest_of(lines.get(begin..).unwrap_or_default()) };
        lines.push(b'\n');
    }
}

/// What a line of a chain says of its place in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Its number.
    pub(super) seq: u64,
    /// What stood before it.
    pub(super) prev: Digest,
}

impl Link {
    /// Of a line without its end; none where it is not a whole one of a chain.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Members<'a> {
            seq: u64,
            #[serde(borrow)]
            prev: Cow<'a, str>,
        }
        // Most of what is none is told by its beginning.
        if !line.starts_with(BEGINNING) {
            return None;
        }
        let members: Members<'_> = serde_json::from_slice(line).ok()?;
        Some(Self { seq: members.seq, prev: from_hex(&members.prev)? })
    }
}

/// Whether a line is an event, of whatever version.
pub(super) fn is_event(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

/// The digest of a line of a chain and of what stands behind it, as it is read.
#[derive(Clone)]
pub(super) struct Running {
    context: digest::Context,
    is_empty: bool,
}

impl Running {
    pub(super) fn new() -> Self {
        Self { context: digest::Context::new(&digest::SHA256), is_empty: true }
    }

    /// Nothing but this line.
    pub(super) fn of(line: &[u8]) -> Self {
        let mut running = Self::new();
        running.add_line(line);
        running
    }

    /// Whether there was no line.
    pub(super) const fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// A line, without its end, behind what there was.
    pub(super) fn add_line(&mut self, line: &[u8]) {
        if !self.is_empty {
            self.context.update(b"\n");
        }
        self.is_empty = false;
        self.context.update(line);
    }

    /// What the next line names; zeros where there was none.
    pub(super) fn digest(&self) -> Digest {
        if self.is_empty { Digest::default() } else { bytes(&self.context.clone().finish()) }
    }
}

fn digest_of(line: &[u8]) -> Digest {
    bytes(&digest::digest(&digest::SHA256, line))
}

fn bytes(digest: &digest::Digest) -> Digest {
    // A SHA-256 has 32 bytes.
    digest.as_ref().try_into().unwrap_or_default()
}

fn from_hex(text: &str) -> Option<Digest> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_number_and_the_digest_of_the_line_before() {
        let (mut head, mut lines) = (Head::default(), Vec::new());
        head.chain(br#"{"time":"2026-01-14T12:00:00Z","kind":"issue"}"#, &mut lines);
        head.chain(br#"{"kind":"sign_in"}"#, &mut lines);
        let text = String::from_utf8(lines).unwrap();
        let [first, second] = &text.lines().collect::<Vec<_>>()[..] else { panic!("two lines") };
        assert_eq!(*first, format!(r#"{{"seq":1,"prev":"{}","time":"2026-01-14T12:00:00Z","kind":"issue"}}"#, "0".repeat(64)));
        let digest = HEXLOWER.encode(&digest_of(first.as_bytes()));
        assert_eq!(*second, format!(r#"{{"seq":2,"prev":"{digest}","kind":"sign_in"}}"#));
        assert_eq!(Link::of(second.as_bytes()), Some(Link { seq: 2, prev: digest_of(first.as_bytes()) }));
        assert_eq!(head, Head { seq: 2, digest: digest_of(second.as_bytes()) });
        assert_eq!(head.to_string().parse(), Ok(head));
        for wrong in ["", "2", "2:", "x:00", "2:00", &format!("-1:{}", "0".repeat(64)), &format!("1:{}", "G".repeat(64))] {
            assert!(wrong.parse::<Head>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_whole_line_of_a_chain_has_no_link() {
        let whole = format!(r#"{{"seq":7,"prev":"{}","kind":"issue"}}"#, "a".repeat(64));
        assert_eq!(Link::of(whole.as_bytes()).unwrap().seq, 7);
        for other in [
            whole.trim_end_matches('}'),
            &whole.replace(":7", ":-7"),
            &whole.replace("\"prev\"", "\"previous\""),
            &whole.replacen('a', "A", 1),
            &whole.replace("\"kind\"", "\"seq\""),
            r#"{"kind":"issue"}"#,
            "",
        ] {
            assert_eq!(Link::of(other.as_bytes()), None, "{other}");
        }
        assert!(is_event(br#"{"kind":"issue"}"#) && !is_event(b"[]") && !is_event(br#"{"kind":"#) && !is_event(b""));
    }
}
