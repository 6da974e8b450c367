//! Who makes a request, as far as its cookies tell.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, HttpRequest, web};
use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;

use super::cookies::Jar;
use super::site::Site;
use super::trouble::PageError;
use crate::gateway::{Caller, LocalPath};
use crate::store::{BrowserId, Session, SessionId, SessionKind};

/// The cookies of a request, parsed; nothing is looked up yet.
pub(super) struct Visitor {
    pub(super) site: web::Data<Site>,
    pub(super) caller: Caller,
    pub(super) session_id: Option<SessionId>,
    /// The browser's own id; a new one where the browser had none.
    pub(super) browser: BrowserId,
    pub(super) browser_is_new: bool,
    /// All cookies, among them the pending logins.
    pub(super) jar: Jar,
    /// The path and query that were asked for, to come back to after a sign-in.
    asked_for: String,
}

/// A visitor with a living session.
pub(super) struct SignedInVisitor {
    pub(super) visitor: Visitor,
    pub(super) id: SessionId,
    pub(super) session: Session,
}

impl FromRequest for Visitor {
    type Error = PageError;
    type Future = Ready<Result<Self, PageError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(site) = request.app_data::<web::Data<Site>>().cloned() else {
            return ready(Err(PageError::NotFound));
        };
        let jar = site.cookies.read(request);
        let session_id = jar.session.as_deref().and_then(SessionId::parse);
        let known = jar.browser.as_deref().and_then(BrowserId::parse);
        // A form cannot be sent again after a sign-in, and its address shows nothing to who comes by GET. HEAD is told what GET is.
        let is_page = matches!(*request.method(), Method::GET | Method::HEAD);
        let asked_for = request.uri().path_and_query().filter(|_| is_page).map(ToString::to_string).unwrap_or_default();
        ready(Ok(Self {
            caller: site.caller(request),
            session_id,
            browser_is_new: known.is_none(),
            browser: known.unwrap_or_else(BrowserId::random),
            jar,
            asked_for,
            site,
        }))
    }
}

impl Visitor {
    /// The living session, if there is one. A command line's is none here: its token is no cookie.
    pub(super) async fn session(&self) -> Result<Option<Session>, PageError> {
        let Some(id) = &self.session_id else { return Ok(None) };
        let session = self.site.gateway.session(id).await?;
        Ok(session.filter(|session| session.kind == SessionKind::Browser))
    }

    /// Insists on a living session; a GET comes back to where it wanted to go.
    pub(super) async fn signed_in(self) -> Result<SignedInVisitor, PageError> {
        let session = self.session().await?;
        match (self.session_id.clone(), session) {
            (Some(id), Some(session)) => Ok(SignedInVisitor { visitor: self, id, session }),
            (had, _) => Err(PageError::SignInFirst { next: LocalPath::parse_or_home(Some(&self.asked_for)), had_session: had.is_some() }),
        }
    }

    /// The token for forms of people who are not signed in.
    pub(super) fn csrf(&self) -> String {
        csrf(&self.browser.expose())
    }
}

impl SignedInVisitor {
    /// The token for this session's forms.
    pub(super) fn csrf(&self) -> String {
        csrf(&self.id.expose())
    }

    /// Compares a form's token in constant time.
    pub(super) fn check(&self, token: &str) -> Result<(), PageError> {
        check(&self.id.expose(), token)
    }
}

const PURPOSE: &[u8] = b"rolegate csrf 1";

/// A synchronizer token that needs no storage: a MAC under the secret that the cookie carries, so only who holds the cookie's page has it.
pub(super) fn csrf(secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    BASE64URL_NOPAD.encode(hmac::sign(&key, PURPOSE).as_ref())
}

/// Compares a form's token with the secret's, in constant time.
pub(super) fn check(secret: &str, token: &str) -> Result<(), PageError> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| PageError::Forged)?;
    hmac::verify(&key, PURPOSE, &tag).map_err(|_| PageError::Forged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w02_a_token_is_good_for_its_own_secret_alone() {
        let (mine, other) = (SessionId::random().expose(), SessionId::random().expose());
        assert!(check(&mine, &csrf(&mine)).is_ok());
        for forged in [csrf(&other), String::new(), "x".into(), csrf(&mine)[1..].to_owned()] {
            assert!(check(&mine, &forged).is_err());
        }
    }
}
