//! Ids that are secrets: 256 random bits, base64url on the outside, a hash in the store.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::BASE64URL_NOPAD;

use super::{Key, Purpose};

const BYTES: usize = 32;
/// Characters of an id's text: 256 bits in base64url without padding.
const TEXT: usize = 43;

/// Bytes that nobody can guess.
#[expect(clippy::expect_used, reason = "a gateway without randomness must stop, not go on")]
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
    bytes
}

macro_rules! secret_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 256 random bits. Prints nothing in `Debug`.
        #[derive(Clone)]
        pub struct $name([u8; BYTES]);

        impl $name {
            /// A new id.
            #[must_use]
            pub fn random() -> Self {
                Self(random())
            }

            /// Reads an id as a browser sends it; none if it has not exactly the shape that [`Self::expose`] writes.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let mut bytes = [0; BYTES];
                if text.len() != TEXT {
                    return None;
                }
                BASE64URL_NOPAD.decode_mut(text.as_bytes(), &mut bytes).ok()?;
                Some(Self(bytes))
            }

            /// The id as text (43 characters of base64url), for the one place that carries it.
            #[must_use]
            pub fn expose(&self) -> String {
                BASE64URL_NOPAD.encode(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

secret_id! {
    /// Names a signed-in session; stands in the session cookie and nowhere else.
    SessionId
}
secret_id! {
    /// Names a browser before anybody signed in; binds a pending login to it.
    BrowserId
}
secret_id! {
    /// The `state` of an authorization request (RFC 6749 section 4.1.1): names a pending login, and is what its ticket opens for.
    State
}
secret_id! {
    /// Names something on its short way from the click to the page; of use only together with the session.
    HandoverId
}

secret_id! {
    /// Names a device grant (RFC 8628): sealed into its device code and into its record, known to nobody.
    GrantId
}

/// What the text of an access token begins with, so that scanners for leaked secrets know one.
const BEARER: &str = "rgs_";

impl SessionId {
    /// The id as the access token of a command line (RFC 6750), for the one answer that carries it.
    #[must_use]
    pub fn expose_bearer(&self) -> String {
        format!("{BEARER}{}", self.expose())
    }

    /// Reads an access token; none if it has not exactly the shape that [`Self::expose_bearer`] writes.
    #[must_use]
    pub fn parse_bearer(text: &str) -> Option<Self> {
        text.strip_prefix(BEARER).and_then(Self::parse)
    }

    pub(super) fn key(&self) -> Key {
        Key::of(Purpose::Session, &self.0)
    }

    /// The key of what this session laid down under an id: of one purpose, so that nothing is taken for another thing, or used up by it.
    pub(super) fn laid_down_key(&self, purpose: Purpose, id: &HandoverId) -> Key {
        Key::of(purpose, &[self.0, id.0].concat())
    }

    /// A key that follows from this session and what it keeps: nobody finds it who has not the id.
    pub(super) fn keeping_key(&self, purpose: Purpose, what: &[&[u8]]) -> Key {
        Key::of(purpose, &[&self.0, what.concat().as_slice()].concat())
    }
}

impl GrantId {
    /// Where the verdict about the grant lies.
    pub(super) fn verdict_key(&self) -> Key {
        Key::of(Purpose::Verdict, &self.0)
    }

    /// The mark that the device asked a moment ago.
    pub(super) fn asked_key(&self) -> Key {
        Key::of(Purpose::Device, &self.0)
    }
}

impl State {
    pub(super) fn key(&self) -> Key {
        Key::of(Purpose::Login, &self.0)
    }
}

impl BrowserId {
    /// What a pending login remembers of its browser: a hash from which the cookie cannot be made again.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut context = Context::new(&SHA256);
        context.update(b"rolegate browser\0");
        context.update(&self.0);
        BASE64URL_NOPAD.encode(context.finish().as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_in_no_other_shape() {
        let id = SessionId::random();
        let text = id.expose();
        assert_eq!(text.len(), TEXT);
        assert_eq!(SessionId::parse(&text).unwrap().expose(), text);
        // The last character carries four bits only: another spelling of the same bytes must not pass.
        let twin = format!("{}{}", &"A".repeat(42), "B");
        for bad in ["", &text[1..], &format!("{text}A"), &format!("{text}="), &"é".repeat(21), &"+".repeat(43), &twin] {
            assert!(SessionId::parse(bad).is_none(), "{bad}");
        }
        assert!(SessionId::parse(&"A".repeat(43)).is_some());
    }

    #[test]
    fn an_access_token_is_read_as_it_is_written_and_no_cookie_is_one() {
        let id = SessionId::random();
        let token = id.expose_bearer();
        assert_eq!(SessionId::parse_bearer(&token).unwrap().expose(), id.expose());
        for bad in [&id.expose(), &format!("RGS_{}", id.expose()), &format!("rgs_{token}"), &token[..46], "rgs_", ""] {
            assert!(SessionId::parse_bearer(bad).is_none(), "{bad}");
        }
        assert!(SessionId::parse(&token).is_none());
    }

    #[test]
    fn c3_ids_differ_and_print_nothing() {
        let (a, b) = (State::random(), State::random());
        assert_ne!(a.expose(), b.expose());
        assert_eq!(format!("{a:?}"), "State(…)");
        let browser = BrowserId::random();
        assert_ne!(browser.digest(), browser.expose());
        assert_eq!(browser.digest(), BrowserId::parse(&browser.expose()).unwrap().digest());
    }

    #[test]
    fn a_handover_is_named_by_session_and_id_together() {
        let (session, other, id) = (SessionId::random(), SessionId::random(), HandoverId::random());
        assert_eq!(session.laid_down_key(Purpose::Handover, &id), session.laid_down_key(Purpose::Handover, &id));
        assert_ne!(session.laid_down_key(Purpose::Handover, &id), other.laid_down_key(Purpose::Handover, &id));
        assert_ne!(session.laid_down_key(Purpose::Handover, &id), session.laid_down_key(Purpose::Question, &id));
        assert!(!session.key().as_str().contains(&session.expose()));
    }
}
