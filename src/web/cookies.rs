//! The three cookies, and nothing else in the browser.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

/// How long a browser remembers which provider was used last, in days.
const REMEMBER_DAYS: i64 = 180;

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
}

impl Cookies {
    const fn name(self, kind: Kind) -> &'static str {
        match (self.is_https, kind) {
            (true, Kind::Session) => "__Host-rolegate-session",
            (true, Kind::Browser) => "__Host-rolegate-browser",
            (true, Kind::LastProvider) => "__Host-rolegate-last",
            (false, Kind::Session) => "rolegate-session",
            (false, Kind::Browser) => "rolegate-browser",
            (false, Kind::LastProvider) => "rolegate-last",
        }
    }

    /// A cookie's value, if the browser sent exactly one of that name: of two, one is an attacker's.
    pub(super) fn read(self, request: &HttpRequest, kind: Kind) -> Option<String> {
        let cookies = request.cookies().ok()?;
        let mut named = cookies.iter().filter(|cookie| cookie.name() == self.name(kind));
        let value = named.next()?.value().to_owned();
        named.next().is_none().then_some(value)
    }

    /// A cookie to set. Lax, because a provider's answer arrives as a navigation from another site.
    pub(super) fn write(self, kind: Kind, value: String) -> Cookie<'static> {
        let mut cookie = Cookie::new(self.name(kind), value);
        cookie.set_path("/");
        cookie.set_http_only(true);
        cookie.set_secure(self.is_https);
        cookie.set_same_site(SameSite::Lax);
        if matches!(kind, Kind::LastProvider) {
            cookie.set_max_age(Duration::days(REMEMBER_DAYS));
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
