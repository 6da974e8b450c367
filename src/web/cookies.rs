//! The cookies, and nothing else in the browser.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::COOKIE;

use crate::identity::PendingLogin;
use crate::store::LoginTicket;

/// How long a browser remembers which provider was used last, in days.
const REMEMBER_DAYS: i64 = 180;
/// How many logins one browser may have pending, as somebody with several tabs has: each is a cookie.
const SLOTS: usize = 4;

/// Names and attributes of the cookies. On https all are `__Host-` cookies (RFC 6265bis section 4.1.3.2): no subdomain and no plain
/// connection can set them. Plain http is for loopback alone, where browsers do not take that prefix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cookies {
    pub(super) is_https: bool,
}

/// What a cookie is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// The signed-in session's id.
    Session,
    /// Names the browser before anybody signed in; pending logins are bound to it.
    Browser,
    /// The provider that was used last. No secret, and believed in nothing.
    LastProvider,
    /// Where the store keeps what the person chose. No secret, and believed in nothing.
    Choices,
    /// A pending login, sealed.
    Login(Slot),
}

/// One of the places for pending logins, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(usize);

/// The cookies of ours that a request brought along, none of them believed yet.
#[derive(Debug, Default)]
pub(super) struct Jar {
    pub(super) session: Option<String>,
    pub(super) browser: Option<String>,
    pub(super) last_provider: Option<String>,
    pub(super) choices: Option<String>,
    logins: [Option<String>; SLOTS],
}

impl Jar {
    /// The pending logins that have the form of one.
    pub(super) fn logins(&self) -> (Vec<Slot>, Vec<LoginTicket>) {
        let tickets = self.logins.iter().map(|text| text.as_deref().and_then(LoginTicket::parse));
        tickets.enumerate().filter_map(|(index, ticket)| Some((Slot(index), ticket?))).unzip()
    }

    /// Where a new login goes: to the first free place, else to that of the oldest one.
    pub(super) fn slot(&self) -> Slot {
        let (slots, tickets) = self.logins();
        let free = (0..SLOTS).map(Slot).find(|slot| !slots.contains(slot));
        let oldest = || slots.iter().zip(&tickets).min_by_key(|(_, ticket)| ticket.claimed_begin()).map(|(slot, _)| *slot);
        free.or_else(oldest).unwrap_or(Slot(0))
    }
}

/// What was found under one name: of two, one is an attacker's, so neither counts.
#[derive(Debug, Clone, Copy, Default)]
enum Found<'a> {
    #[default]
    Nothing,
    One(&'a [u8]),
    Several,
}

impl<'a> Found<'a> {
    const fn add(&mut self, value: &'a [u8]) {
        *self = match self {
            Self::Nothing => Self::One(value),
            Self::One(_) | Self::Several => Self::Several,
        };
    }

    fn text(self) -> Option<String> {
        match self {
            Self::One(value) => std::str::from_utf8(value).ok().map(str::to_owned),
            Self::Nothing | Self::Several => None,
        }
    }
}

impl Cookies {
    /// Reads the cookies of ours, in one pass over all `Cookie` headers. Bytes, because what others set for this host may be anything, and
    /// must not cost anybody the sign-in.
    pub(super) fn read(self, request: &HttpRequest) -> Jar {
        let (mut session, mut browser, mut last, mut choices) = (Found::Nothing, Found::Nothing, Found::Nothing, Found::Nothing);
        let mut logins = [Found::Nothing; SLOTS];
        let pairs = request.headers().get_all(COOKIE).flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
        for pair in pairs {
            let Some(equals) = pair.iter().position(|byte| *byte == b'=') else { continue };
            let (name, value) = pair.split_at(equals);
            let Some(kind) = self.kind(name.trim_ascii()) else { continue };
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            match kind {
                Kind::Session => session.add(value),
                Kind::Browser => browser.add(value),
                Kind::LastProvider => last.add(value),
                Kind::Choices => choices.add(value),
                Kind::Login(Slot(index)) => logins.iter_mut().skip(index).take(1).for_each(|found| found.add(value)),
            }
        }
        Jar {
            session: session.text(),
            browser: browser.text(),
            last_provider: last.text(),
            choices: choices.text(),
            logins: logins.map(Found::text),
        }
    }

    /// A cookie's kind by its name, if it is one of ours: the other way round than [`Self::name`].
    fn kind(self, name: &[u8]) -> Option<Kind> {
        let name = if self.is_https { name.strip_prefix(b"__Host-")? } else { name };
        match name.strip_prefix(b"rolegate-")? {
            b"session" => Some(Kind::Session),
            b"browser" => Some(Kind::Browser),
            b"last" => Some(Kind::LastProvider),
            b"choices" => Some(Kind::Choices),
            [b'l', b'o', b'g', b'i', b'n', b'-', digit] => {
                let index = usize::from(digit.checked_sub(b'1')?);
                (index < SLOTS).then_some(Kind::Login(Slot(index)))
            }
            _ => None,
        }
    }

    /// A cookie's name.
    pub(super) fn name(self, kind: Kind) -> String {
        let prefix = if self.is_https { "__Host-" } else { "" };
        match kind {
            Kind::Session => format!("{prefix}rolegate-session"),
            Kind::Browser => format!("{prefix}rolegate-browser"),
            Kind::LastProvider => format!("{prefix}rolegate-last"),
            Kind::Choices => format!("{prefix}rolegate-choices"),
            Kind::Login(Slot(index)) => format!("{prefix}rolegate-login-{}", index + 1),
        }
    }

    /// A cookie to set. Lax, because a provider's answer arrives as a navigation from another site.
    pub(super) fn write(self, kind: Kind, value: String) -> Cookie<'static> {
        let mut cookie = Cookie::new(self.name(kind), value);
        cookie.set_path("/");
        cookie.set_http_only(true);
        cookie.set_secure(self.is_https);
        cookie.set_same_site(SameSite::Lax);
        match kind {
            Kind::LastProvider => cookie.set_max_age(Duration::days(REMEMBER_DAYS)),
            Kind::Login(_) => cookie.set_max_age(Duration::seconds(PendingLogin::LIFE.num_seconds())),
            Kind::Session | Kind::Browser | Kind::Choices => {}
        }
        cookie
    }

    /// A cookie that takes one back.
    pub(super) fn clear(self, kind: Kind) -> Cookie<'static> {
        let mut cookie = self.write(kind, String::new());
        cookie.set_max_age(Duration::ZERO);
        cookie
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;

    use super::*;

    const PLAIN: Cookies = Cookies { is_https: false };
    const SECURE: Cookies = Cookies { is_https: true };

    fn jar(cookies: Cookies, headers: &[&[u8]]) -> Jar {
        let mut request = TestRequest::default();
        for header in headers {
            request = request.append_header((COOKIE, HeaderValue::from_bytes(header).unwrap()));
        }
        cookies.read(&request.to_http_request())
    }

    #[test]
    fn w06_a_strangers_cookie_costs_nobody_the_sign_in() {
        for header in [
            &b"rolegate-session=mine"[..],
            b"theme=caf\xe9; rolegate-session=mine",
            b"rolegate-session=mine; \xff\xfe",
            b"=; ;;; a; rolegate-session = mine ;b==",
            b"x=\"a; rolegate-session=mine; y=\"",
        ] {
            assert_eq!(jar(PLAIN, &[header]).session.as_deref(), Some("mine"), "{header:?}");
        }
        let several = jar(PLAIN, &[b"rolegate-session=mine", b"rolegate-browser=b; a=\xff", b"rolegate-last=okta"]);
        assert_eq!(
            (several.session.as_deref(), several.browser.as_deref(), several.last_provider.as_deref()),
            (Some("mine"), Some("b"), Some("okta"))
        );
    }

    #[test]
    fn w06_of_two_with_one_name_or_with_a_foreign_name_none_counts() {
        for headers in [&[&b"rolegate-session=a; rolegate-session=a"[..]][..], &[b"rolegate-session=a", b"rolegate-session=b"]] {
            assert_eq!(jar(PLAIN, headers).session, None);
        }
        for name in ["rolegate-session", "__Secure-rolegate-session", "__host-rolegate-session", "__Host-rolegate-sessions"] {
            assert_eq!(jar(SECURE, &[format!("{name}=a").as_bytes()]).session, None, "{name}");
        }
        assert_eq!(jar(SECURE, &[b"__Host-rolegate-session=a"]).session.as_deref(), Some("a"));
        assert_eq!(jar(PLAIN, &[b"rolegate-session=\xff"]).session, None);
    }

    #[test]
    fn every_name_that_is_written_is_read() {
        for cookies in [PLAIN, SECURE] {
            for slot in 0..SLOTS {
                let cookie = cookies.write(Kind::Login(Slot(slot)), format!("{slot}.AAAA"));
                assert_eq!(cookie.max_age(), Some(Duration::minutes(10)));
                let (slots, tickets) = jar(cookies, &[cookie.stripped().to_string().as_bytes()]).logins();
                assert_eq!((slots, tickets.len()), (vec![Slot(slot)], 1));
            }
            for kind in [Kind::Session, Kind::Browser, Kind::LastProvider, Kind::Choices] {
                assert!(cookies.kind(cookies.name(kind).as_bytes()).is_some());
            }
        }
        for name in ["rolegate-login-0", "rolegate-login-5", "rolegate-login-", "rolegate-login-11"] {
            assert!(PLAIN.kind(name.as_bytes()).is_none(), "{name}");
        }
    }

    #[test]
    fn a_new_login_takes_a_free_place_or_the_oldest_ones() {
        assert_eq!(jar(PLAIN, &[]).slot(), Slot(0));
        assert_eq!(jar(PLAIN, &[b"rolegate-login-1=5.AAAA; rolegate-login-2=rubbish; rolegate-login-3=7.AAAA"]).slot(), Slot(1));
        let full = b"rolegate-login-1=5.AAAA; rolegate-login-2=9.AAAA; rolegate-login-3=3.AAAA; rolegate-login-4=7.AAAA";
        assert_eq!(jar(PLAIN, &[full]).slot(), Slot(2));
    }
}
