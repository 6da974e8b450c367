//! Who makes a request, as far as its cookies tell.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use askama::Template;
use aws_lc_rs::{hmac, rand};
use data_encoding::BASE64URL_NOPAD;

use super::compression;
use super::cookies::{Jar, Kind};
use super::site::Site;
use super::trouble::{PageError, html};
use super::views::Shell;
use crate::access::Entitlements;
use crate::gateway::{Caller, LocalPath};
use crate::store::{BrowserId, Choices, ChoicesRef, Known, Session, SessionId, SessionKind};

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
    /// Whether the browser takes answers in gzip.
    takes_gzip: bool,
}

/// A visitor with a living session.
pub(super) struct SignedInVisitor {
    pub(super) visitor: Visitor,
    pub(super) id: SessionId,
    pub(super) session: Session,
}

/// A visitor with a living session, and what they chose before.
pub(super) struct Chooser {
    pub(super) me: SignedInVisitor,
    pub(super) choices: Choices,
    reference: ChoicesRef,
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
            takes_gzip: compression::takes_gzip(request.headers()),
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
            (had, _) => Err(self.sign_in_first(had.is_some())),
        }
    }

    /// [`Self::signed_in`], with what the person chose, in one round trip where the browser remembers whose it is.
    pub(super) async fn chooser(self) -> Result<Chooser, PageError> {
        let known = match &self.session_id {
            Some(id) => self.site.gateway.session_with_choices(id, self.hint().as_ref()).await?,
            None => None,
        };
        let known = known.filter(|known| known.session.kind == SessionKind::Browser);
        match (self.session_id.clone(), known) {
            (Some(id), Some(Known { session, choices, reference })) => {
                Ok(Chooser { me: SignedInVisitor { visitor: self, id, session }, choices, reference })
            }
            (had, _) => Err(self.sign_in_first(had.is_some())),
        }
    }

    fn hint(&self) -> Option<ChoicesRef> {
        self.jar.choices.as_deref().and_then(ChoicesRef::parse)
    }

    fn sign_in_first(&self, had_session: bool) -> PageError {
        PageError::SignInFirst { next: LocalPath::parse_or_home(Some(&self.asked_for)), had_session }
    }

    /// A page that repeats nothing of the request, compressed where that is worth it ([`compression`]).
    pub(super) fn compressed(&self, page: &impl Template) -> HttpResponse {
        if self.takes_gzip { compression::page(page) } else { html(page) }
    }

    /// The token for forms of people who are not signed in.
    pub(super) fn csrf(&self) -> String {
        csrf(&self.browser.expose())
    }
}

impl Chooser {
    /// The answer, with what saves a round trip the next time, if the browser does not have it yet.
    pub(super) fn remembered(&self, mut response: HttpResponse) -> HttpResponse {
        let visitor = &self.me.visitor;
        if visitor.hint().as_ref() != Some(&self.reference) {
            let _ = response.add_cookie(&visitor.site.cookies.write(Kind::Choices, self.reference.as_str().to_owned()));
        }
        response
    }
}

impl SignedInVisitor {
    /// What surrounds a page of theirs.
    pub(super) fn shell(&self) -> Shell<'_> {
        self.shell_by(&self.visitor.site.gateway.entitlements(&self.session, &self.visitor.caller))
    }

    /// The same where it was looked up already what they may have.
    pub(super) fn shell_by(&self, entitlements: &Entitlements) -> Shell<'_> {
        Shell { offices: entitlements.into(), ..self.visitor.site.shell(self.csrf(), Some(&self.session)) }
    }

    /// The token for this session's forms.
    pub(super) fn csrf(&self) -> String {
        csrf(&self.id.expose())
    }

    /// Compares a form's token in constant time.
    pub(super) fn check(&self, token: &str) -> Result<(), PageError> {
        check(&self.id.expose(), token)
    }
}

const PURPOSE: &[u8] = b"rolegate csrf 2";

/// The bytes of a MAC, and of what masks it.
const TAG: usize = 32;

/// A synchronizer token that needs no storage: a MAC under the secret that the cookie carries, so only who holds the cookie's page has it.
///
/// It is written anew for each page, under a random mask that stands before it. Pages are compressed, by us or by a proxy, and what is the same
/// each time could be guessed letter by letter from how long they are (BREACH).
pub(super) fn csrf(secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, PURPOSE);
    let mut token = [0; 2 * TAG];
    let (mask, masked) = token.split_at_mut(TAG);
    // Without randomness no id could be made either, so nobody would be here.
    let _ = rand::fill(mask);
    for ((to, mask), tag) in masked.iter_mut().zip(&*mask).zip(tag.as_ref()) {
        *to = mask ^ tag;
    }
    BASE64URL_NOPAD.encode(&token)
}

/// Compares a form's token with the secret's, in constant time.
pub(super) fn check(secret: &str, token: &str) -> Result<(), PageError> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let token = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| PageError::Forged)?;
    let (mask, masked) = token.split_at_checked(TAG).ok_or(PageError::Forged)?;
    if masked.len() != TAG {
        return Err(PageError::Forged);
    }
    let tag: Vec<u8> = mask.iter().zip(masked).map(|(mask, masked)| mask ^ masked).collect();
    hmac::verify(&key, PURPOSE, &tag).map_err(|_| PageError::Forged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w02_a_token_is_good_for_its_own_secret_alone() {
        let (mine, other) = (SessionId::random().expose(), SessionId::random().expose());
        let token = csrf(&mine);
        assert!(check(&mine, &token).is_ok());
        for forged in [csrf(&other), String::new(), "x".into(), token[1..].to_owned(), token[..43].to_owned(), format!("{token}AAAA")] {
            assert!(check(&mine, &forged).is_err(), "{forged}");
        }
    }

    #[test]
    fn w02_a_token_is_written_otherwise_each_time() {
        let mine = SessionId::random().expose();
        let (one, other) = (csrf(&mine), csrf(&mine));
        assert!(check(&mine, &one).is_ok() && check(&mine, &other).is_ok());
        let same = one.bytes().zip(other.bytes()).filter(|(a, b)| a == b).count();
        assert!(same < 12, "{same} of {} letters are the same", one.len());
    }
}
