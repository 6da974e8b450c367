//! Who asks the API: by a bearer token (RFC 6750), or by the cookie of a page's session.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};
use secrecy::SecretString;

use super::describe::{Described, Documented};
use crate::gateway::Caller;
use crate::store::{Session, SessionId, SessionKind};
use crate::web::guard::is_own_form;
use crate::web::site::Site;
use crate::web::trouble::PageError;

/// What a request with a cookie must carry beside it. A page of another site cannot have it sent without asking first, and is told no.
const OWN_HEADER: (&str, &str) = ("x-requested-with", "rolegate");

/// A request to the API; nothing is looked up yet.
pub(in crate::web) struct Client {
    pub(super) site: web::Data<Site>,
    pub(super) caller: Caller,
    shown: Shown,
}

/// What a request shows to be let in.
enum Shown {
    Nothing,
    /// The cookie of a session, in a request that may go by it.
    Cookie(SessionId),
    /// The same in one that would change something, and could be another site's.
    ForeignCookie,
    /// The token of a session.
    Token(SessionId),
    /// A bearer token that is no session's: a workload's, perhaps.
    Foreign(SecretString),
    /// A bearer token that is nobody's.
    Unknown,
    /// More than one header that says who asks: of two, one is not the client's.
    Several,
}

/// A client with a living session.
pub(in crate::web) struct Me {
    pub(super) client: Client,
    pub(super) id: SessionId,
    pub(super) session: Session,
}

impl FromRequest for Client {
    type Error = PageError;
    type Future = Ready<Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(site) = request.app_data::<web::Data<Site>>().cloned() else {
            return ready(Err(PageError::NotFound));
        };
        ready(Ok(Self { caller: site.caller(request), shown: shown(&site, request), site }))
    }
}

/// A bearer token stands for itself, and no cookie counts beside it. A cookie is sent along by browsers of themselves, so what changes
/// something by one must come from a page of ours.
fn shown(site: &Site, request: &HttpRequest) -> Shown {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let header = headers.next();
    if headers.next().is_some() {
        return Shown::Several;
    }
    if let Some(token) = header.and_then(|header| bearer(header.as_bytes())) {
        return match SessionId::parse_bearer(token) {
            Some(id) => Shown::Token(id),
            // Three parts between dots: what it says is the gateway's to find out.
            None if token.contains('.') => Shown::Foreign(SecretString::from(token)),
            None => Shown::Unknown,
        };
    }
    let Some(id) = site.cookies.read(request).session.as_deref().and_then(SessionId::parse) else { return Shown::Nothing };
    let own_header = request.headers().get(OWN_HEADER.0).is_some_and(|value| value == OWN_HEADER.1);
    if request.method().is_safe() || (own_header && is_own_form(site, request.headers())) {
        Shown::Cookie(id)
    } else {
        Shown::ForeignCookie
    }
}

/// The token of an `Authorization` header of the scheme `Bearer`; none for another scheme, which says nothing to us.
fn bearer(header: &[u8]) -> Option<&str> {
    let at = header.iter().position(|byte| *byte == b' ').unwrap_or(header.len());
    let (scheme, token) = header.split_at(at);
    // What is not text is a bearer token all the same, and nobody's.
    scheme.eq_ignore_ascii_case(b"bearer").then(|| std::str::from_utf8(token).unwrap_or_default().trim())
}

impl Client {
    /// The token of another's making that the request shows, if it shows one. It is no session, and opens nothing by itself.
    pub(super) const fn foreign_token(&self) -> Option<&SecretString> {
        if let Shown::Foreign(token) = &self.shown { Some(token) } else { None }
    }

    /// Insists on a living session. Nothing else of the API gives one, so nothing can forget to look where a request comes from.
    pub(super) async fn signed_in(self) -> Result<Me, PageError> {
        let id = match &self.shown {
            Shown::Cookie(id) | Shown::Token(id) => id.clone(),
            Shown::Nothing | Shown::Foreign(_) => return Err(PageError::NotSignedIn { had_session: false }),
            Shown::Unknown => return Err(PageError::NotSignedIn { had_session: true }),
            Shown::ForeignCookie => return Err(PageError::Forged),
            Shown::Several => return Err(PageError::Unreadable),
        };
        let session = self.site.gateway.session(&id).await?;
        // A browser's session travels in a cookie, a command line's as a token: neither is taken for the other.
        let by_cookie = matches!(self.shown, Shown::Cookie(_));
        let session = session.filter(|session| (session.kind == SessionKind::Browser) == by_cookie);
        Ok(Me { client: self, id, session: session.ok_or(PageError::NotSignedIn { had_session: true })? })
    }
}

impl Documented for Client {
    fn describe(described: &mut Described<'_>) {
        described.wants_session();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_in_any_case_of_its_scheme_and_no_other_scheme_is_one() {
        for (header, token) in [
            (&b"Bearer rgs_x"[..], Some("rgs_x")),
            (b"bEaReR   rgs_x ", Some("rgs_x")),
            (b"Bearer \xff", Some("")),
            (b"Bearer ", Some("")),
            (b"Bearer", Some("")),
            (b"Basic cmdzOng=", None),
            (b"", None),
        ] {
            assert_eq!(bearer(header), token, "{header:?}");
        }
    }
}
