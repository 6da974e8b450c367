//! A pending login as its browser carries it, so that a login which nobody finishes costs the store nothing.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;

/// The longest ticket that is looked at, in characters: browsers keep no longer cookie.
const LONGEST: usize = 4096;

/// A sealed [`PendingLogin`](crate::identity::PendingLogin). It opens for the state that it was begun with, and for nothing else.
///
/// As text it is `{seconds}.{sealed}`: when it was begun (Unix time), so that the oldest of several is known without a state, and the
/// sealed login in base64url. The seconds in the clear decide nothing else: the moment that counts is sealed. Prints nothing.
#[derive(Clone)]
pub struct LoginTicket {
    begun: i64,
    sealed: Vec<u8>,
}

impl LoginTicket {
    pub(super) const fn new(begun: i64, sealed: Vec<u8>) -> Self {
        Self { begun, sealed }
    }

    /// Reads a ticket as a browser sends it; none if it has not the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (begun, sealed) = text.split_once('.').filter(|_| text.len() <= LONGEST)?;
        Some(Self { begun: begun.parse().ok()?, sealed: BASE64URL_NOPAD.decode(sealed.as_bytes()).ok()? })
    }

    /// The ticket as text, for the one cookie that carries it.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{}.{}", self.begun, BASE64URL_NOPAD.encode(&self.sealed))
    }

    /// When it says that it was begun, in seconds of Unix time: anybody may have written that.
    #[must_use]
    pub const fn claimed_begin(&self) -> i64 {
        self.begun
    }

    pub(super) fn sealed(&self) -> Vec<u8> {
        self.sealed.clone()
    }
}

impl fmt::Debug for LoginTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginTicket(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_read_as_it_is_written_and_in_no_other_form() {
        let ticket = LoginTicket::new(1_800_000_000, vec![7; 50]);
        let read = LoginTicket::parse(&ticket.expose()).unwrap();
        assert_eq!((read.claimed_begin(), read.sealed(), read.expose()), (1_800_000_000, vec![7; 50], ticket.expose()));
        assert_eq!(format!("{ticket:?}"), "LoginTicket(…)");
        for bad in ["", ".", "1800000000", "x.AAAA", "1.A=", "1.A A", "1.\u{e9}", &format!("1.{}", "A".repeat(LONGEST))] {
            assert!(LoginTicket::parse(bad).is_none(), "{bad}");
        }
    }
}
