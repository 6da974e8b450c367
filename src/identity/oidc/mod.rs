//! Signing in with an OpenID Connect provider (OpenID Connect Core 1.0, authorization code flow with PKCE).
//!
//! One [`Provider`] for each configured one. [`Provider::begin`] makes the URL that the browser is sent to; [`Provider::complete`] turns
//! the answer into an [`Identity`]. Whose browser it is, and that a state serves once, is the gateway's to see to.

mod checked;
mod exchange;
mod issuer;
mod logout;
mod metadata;
mod person;
#[cfg(test)]
mod tests;
mod wishes;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use url::Url;

use self::checked::Checked;
use self::exchange::Tokens;
use self::metadata::Metadata;
pub(super) use self::person::{email_is_verified, groups as groups_of};
use self::wishes::Wishes;
use super::cache::{Cache, PACE};
use super::health::{Health, KeptDocument, ProviderHealth};
use super::http::Http;
use super::jwt::{Expected, KeySet, Signed, Unverified};
use super::words;
use super::{Claims, Identity, LoginSecrets, PendingLogin, ProviderId, ProviderSettings, Rejected, StepUp};
use crate::clock::Moment;
use crate::settings::Problem;

pub use logout::LogoutToken;

/// A code longer than this, in bytes, is nobody's.
const MAX_CODE: usize = 4096;
/// The longest ID token that is put into a logout URL; servers refuse longer ones.
const MAX_HINT_TOKEN: usize = 6 * 1024;
/// The longest `login_hint`: an e-mail address (RFC 5321 section 4.5.3.1).
const MAX_HINT: usize = 254;

/// A configured provider. Cheap to clone: all clones share what was fetched from it.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    checked: Checked,
    http: Http,
    metadata: Cache<Metadata>,
    keys: Cache<KeySet>,
    health: Health,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Provider").field(&self.0.checked.id).finish()
    }
}

/// A login that was begun: where to send the browser, and what to remember until it comes back.
pub struct Begun {
    /// The authorization request.
    pub url: Url,
    /// The nonce, for [`LoginSecrets::Oidc`].
    pub nonce: String,
    /// The PKCE verifier, for [`LoginSecrets::Oidc`].
    pub verifier: String,
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Begun(…)")
    }
}

/// The query of the browser's return from a provider (RFC 6749 section 4.1.2).
#[derive(Clone, Default, serde::Deserialize)]
pub struct Callback {
    /// The state; it has served once the pending login was taken by it.
    #[serde(default)]
    pub state: String,
    /// The code to redeem.
    #[serde(default)]
    pub code: Option<String>,
    /// Who answers (RFC 9207).
    #[serde(default)]
    pub iss: Option<String>,
    /// The error code, if the provider refused.
    #[serde(default)]
    pub error: Option<String>,
    /// The provider's explanation. Anybody can write such a link, so it is never shown.
    #[serde(default)]
    pub error_description: Option<String>,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").field("has_code", &self.code.is_some()).field("error", &self.error).finish_non_exhaustive()
    }
}

impl Provider {
    /// A provider by its settings. Checks everything that can be checked without asking it, and reads the secrets.
    ///
    /// `path` is the settings' place in the configuration (`provider[0]`), `redirect_uri` the address that is this provider's alone, and
    /// `base` the folder that relative file names start at.
    ///
    /// # Errors
    /// Every [`Problem`] that was found.
    pub fn new(settings: &ProviderSettings, path: &str, redirect_uri: Url, base: &Path) -> Result<Self, Vec<Problem>> {
        let checked = Checked::read(settings, path, redirect_uri, base)?;
        let http = Http::new(checked.reach, checked.authority.as_deref()).map_err(|error| {
            let message = format!("the certificates to trust cannot be used: {error}");
            vec![Problem::new(
                format!("{path}.ca_file"),
                message,
                "name a PEM file with certificates, or install the system's ca-certificates",
            )]
        })?;
        Ok(Self(Arc::new(Inner { checked, http, metadata: Cache::new(PACE), keys: Cache::new(PACE), health: Health::default() })))
    }

    /// The provider's short name.
    #[must_use]
    pub fn id(&self) -> &ProviderId {
        &self.0.checked.id
    }

    /// The name that people see.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.checked.name
    }

    /// Whether people with addresses of this e-mail domain sign in here.
    #[must_use]
    pub fn serves_domain(&self, domain: &str) -> bool {
        self.0.checked.email_domains.iter().any(|served| served.eq_ignore_ascii_case(domain))
    }

    /// Begins a login. `state` is the caller's: 256 random bits that the [`PendingLogin`] is sealed for. `hint` is what the person
    /// typed to say who they are; the provider may prefill it.
    ///
    /// # Errors
    /// [`Rejected::Unavailable`] when the provider cannot be found out about.
    pub async fn begin(&self, state: &str, hint: Option<&str>, now: Moment) -> Result<Begun, Rejected> {
        self.begin_for(state, hint, None, now).await
    }

    /// [`Self::begin`], with a demand that an earlier sign-in did not meet: `max_age`, `acr_values`, and `prompt=login` where only proving
    /// oneself anew can help.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn begin_for(&self, state: &str, hint: Option<&str>, step_up: Option<&StepUp>, now: Moment) -> Result<Begun, Rejected> {
        let metadata = self.metadata(now).await?;
        let (nonce, verifier) = (exchange::random_word()?, exchange::random_word()?);
        let hint = hint.filter(|hint| words::presentable(hint) && hint.len() <= MAX_HINT);
        let wishes = Wishes::of(&self.0.checked, step_up);
        let url = exchange::authorization_url(&self.0.checked, &metadata, state, &nonce, &verifier, hint, &wishes);
        Ok(Begun { url, nonce, verifier })
    }

    /// Completes a login with the provider's answer and the pending login that its state led to.
    ///
    /// # Errors
    /// The [`Rejected`] that says why nobody is signed in.
    pub async fn complete(&self, callback: &Callback, pending: &PendingLogin, now: Moment) -> Result<Identity, Rejected> {
        if pending.provider != *self.id() {
            return Err(Rejected::OtherProvider);
        }
        if pending.left(now).is_none() {
            return Err(Rejected::Stale);
        }
        let LoginSecrets::Oidc { nonce, verifier } = &pending.secrets else { return Err(Rejected::OtherProvider) };
        let code = self.unverified_code(callback)?;
        let metadata = self.metadata(now).await?;
        if metadata.names_itself && callback.iss.is_none() {
            return Err(Rejected::WrongIssuerParameter);
        }
        let redeemed = exchange::redeem(&self.0.http, &self.0.checked, &metadata, code, verifier, now).await;
        let mut tokens = self.noting(redeemed, now)?;
        let token = tokens.id_token.take().ok_or(Rejected::Malformed("the provider sent none: is `openid` among the client's scopes?"))?;
        // RFC 8725 section 3.11: an explicit type says what the token is, and none of those is an ID token.
        let is_id_token = |kind: Option<&str>| kind.is_none_or(|kind| !kind.to_ascii_lowercase().ends_with("+jwt"));
        let mut claims = self.accepted_claims(token.expose(), &metadata, is_id_token, now).await?;
        let authentication = person::authentication(&self.0.checked, &claims, nonce, now)?;
        if self.0.checked.userinfo {
            let userinfo = self.userinfo(&metadata, &tokens, &claims).await;
            person::add_userinfo(&mut claims, self.noting(userinfo, now)?);
        }
        person::identity(&self.0.checked, claims, authentication, token)
    }

    /// Where to send the browser to sign out at the provider too (OpenID Connect RP-Initiated Logout 1.0); none if the provider has
    /// no such place, cannot be found out about, or did not vouch for this identity. `post_logout` must be registered with it.
    pub async fn logout_url(&self, identity: &Identity, post_logout: &Url, now: Moment) -> Option<Url> {
        if identity.provider() != self.id() {
            return None;
        }
        let mut url = self.metadata(now).await.ok()?.end_session.clone()?;
        let token = identity.token().map(super::UpstreamToken::expose).unwrap_or_default();
        let mut query = url.query_pairs_mut();
        if (1..=MAX_HINT_TOKEN).contains(&token.len()) {
            query.append_pair("id_token_hint", token);
        }
        query.append_pair("client_id", &self.0.checked.client_id).append_pair("post_logout_redirect_uri", post_logout.as_str());
        drop(query);
        Some(url)
    }

    /// Whether a text is the provider's issuer, or one of its tenants'.
    #[must_use]
    pub fn is_named_by(&self, issuer: &str) -> bool {
        self.0.checked.issuer.is_named_by(issuer)
    }

    /// How the provider did lately.
    #[must_use]
    pub fn health(&self) -> ProviderHealth {
        self.0.health.read()
    }

    /// Looks at the provider's discovery document and its key set now.
    ///
    /// # Errors
    /// Why they are not to be had, or are of no use.
    pub async fn look(&self, now: Moment) -> Result<String, String> {
        let metadata = self.metadata(now).await.map_err(|rejected| rejected.to_string())?;
        let keys = self.0.keys.get(now, self.fetch_keys(&metadata.jwks, now)).await?;
        Ok(format!(
            "its documents are in order, with {} key(s); people sign in at {}",
            keys.len(),
            metadata.authorization.url().origin().ascii_serialization()
        ))
    }

    /// The provider's documents, as they are kept here.
    #[must_use]
    pub fn documents(&self) -> Vec<KeptDocument> {
        let inner = &*self.0;
        vec![KeptDocument::new("metadata", inner.metadata.fetched()), KeptDocument::new("key set", inner.keys.fetched())]
    }

    /// Whether people are sent here by the domain of their e-mail address.
    #[must_use]
    pub fn has_domains(&self) -> bool {
        !self.0.checked.email_domains.is_empty()
    }

    /// Whether the provider says that it can be asked to sign people out; not known before its documents were read once.
    #[must_use]
    pub fn offers_logout(&self) -> bool {
        self.0.metadata.peek().is_some_and(|metadata| metadata.end_session.is_some())
    }

    /// The origin of the provider's sign-in pages, once it is known: forms that lead there need leave by the content security policy.
    #[must_use]
    pub fn authorization_origin(&self) -> Option<String> {
        Some(self.0.metadata.peek()?.authorization.url().origin().ascii_serialization())
    }

    /// The code of an answer that is not somebody else's, as far as the answer alone tells.
    fn unverified_code<'c>(&self, callback: &'c Callback) -> Result<&'c str, Rejected> {
        if callback.iss.as_deref().is_some_and(|iss| !self.0.checked.issuer.is_named_by(iss)) {
            return Err(Rejected::WrongIssuerParameter);
        }
        if let Some(error) = &callback.error {
            return Err(Rejected::ProviderError(words::oauth_error(error)));
        }
        callback.code.as_deref().filter(|code| !code.is_empty() && code.len() <= MAX_CODE).ok_or(Rejected::NoCode)
    }

    async fn metadata(&self, now: Moment) -> Result<Arc<Metadata>, Rejected> {
        let Inner { checked, http, metadata, .. } = &*self.0;
        let fetch = async { self.fetched(metadata::discover(http, &checked.issuer, checked.reach).await, now) };
        metadata.get(now, fetch).await.map_err(Rejected::Unavailable)
    }

    async fn fetch_keys(&self, url: &Url, now: Moment) -> Result<KeySet, String> {
        let fetch = async {
            let keys = KeySet::read(&self.0.http.get(url, None).await?).map_err(|error| format!("{url}: {error}"))?;
            if keys.is_empty() { Err(format!("{url} has no key that can verify a signature")) } else { Ok(keys) }
        };
        self.fetched(fetch.await, now)
    }

    /// The claims of a token of the right kind that is genuine, from this provider, for us, and valid now. An unknown key id is worth one look
    /// whether the provider has new keys.
    async fn accepted_claims(
        &self,
        token: &str,
        metadata: &Metadata,
        is_kind: impl Fn(Option<&str>) -> bool,
        now: Moment,
    ) -> Result<Claims, Rejected> {
        let unverified = Unverified::parse(token)?;
        if !is_kind(unverified.unverified_type()) {
            return Err(Rejected::Malformed("it is a token of another type"));
        }
        let algorithms = &self.0.checked.algorithms;
        let keys = self.0.keys.get(now, self.fetch_keys(&metadata.jwks, now)).await.map_err(Rejected::Unavailable)?;
        let signed: Signed = match unverified.verify(&keys, algorithms) {
            Err(Rejected::UnknownKey) => match self.0.keys.newer(&keys, now, self.fetch_keys(&metadata.jwks, now)).await {
                Some(newer) => unverified.verify(&newer, algorithms)?,
                None => return Err(Rejected::UnknownKey),
            },
            verified => verified?,
        };
        let issuer = self.0.checked.issuer.expected_of(&signed)?;
        signed.accept(&Expected { issuer: &issuer, audience: &self.0.checked.client_id }, now)
    }

    /// What userinfo says about the same person (OpenID Connect Core 5.3).
    async fn userinfo(
        &self,
        metadata: &Metadata,
        tokens: &Tokens,
        claims: &Claims,
    ) -> Result<serde_json::Map<String, serde_json::Value>, Rejected> {
        let missing = || Rejected::Unavailable("the provider names no userinfo_endpoint: set `userinfo = false`".into());
        let url = metadata.userinfo.as_ref().ok_or_else(missing)?;
        let body = self.0.http.get(url, Some(tokens.access_token.secret())).await.map_err(Rejected::Unavailable)?;
        let not_json = |_| Rejected::Unavailable(format!("{url} does not answer with strict JSON; signed userinfo is not understood"));
        let userinfo = super::jwt::object(&body).map_err(not_json)?;
        match (userinfo.get("sub").and_then(serde_json::Value::as_str), claims.text("sub")) {
            (Some(theirs), Some(signed)) if theirs == signed => Ok(userinfo),
            _ => Err(Rejected::UserinfoSubject),
        }
    }

    fn fetched<T>(&self, result: Result<T, String>, now: Moment) -> Result<T, String> {
        self.0.health.noting(result, now)
    }

    fn noting<T>(&self, result: Result<T, Rejected>, now: Moment) -> Result<T, Rejected> {
        match &result {
            Err(Rejected::Unavailable(failure)) => self.0.health.note(Some(failure), now),
            Err(_) => (),
            Ok(_) => self.0.health.note(None, now),
        }
        result
    }
}
