//! The make-believe STS: `AssumeRoleWithWebIdentity` and `AssumeRoleWithSAML` with AWS's checks, and the signed operations, whose signatures are
//! verified.
//!
//! The query protocol, version 2011-06-15. Not checked: certificates in key sets; what callers' own policies and session policies allow. The
//! packed size is an estimate.

mod error;
mod keys;
mod ledger;
mod request;
mod saml;
mod session;
mod signature;
mod signed;
mod signed_request;
mod tags;
mod token;
mod with_saml;

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::TimeDelta;
use secrecy::ExposeSecret;

pub(super) use self::ledger::show;
pub use self::session::Issued;
pub(super) use self::session::{Holder, StsSession};
pub use self::tags::SessionTag;

use self::error::StsError;
use self::keys::KeyFetcher;
use self::ledger::Ledger;
use self::request::AssumeInput;
use self::saml::SamlIdentity;
use self::signed::{Caller, Granted};
use self::token::{UnverifiedToken, WebIdentity};
use self::with_saml::{AssumedBySaml, SamlProviders};
use super::http::Params;
use super::settings::{SandboxRole, SandboxSettings, SandboxUser, TrustedIssuer};
use super::shelf::Shelf;
use crate::clock::Clock;

/// How long an expired access key is still known as expired.
const REMEMBERED: TimeDelta = TimeDelta::days(1);
/// What policies and tags may need together. AWS packs them in a way it does not tell; this stands for it.
const ESTIMATED_PACKED_BYTES: usize = 2048;

/// STS and the part of IAM that it asks.
pub(super) struct Sts {
    issuers: Vec<TrustedIssuer>,
    pub(super) roles: Vec<SandboxRole>,
    pub(super) users: Vec<SandboxUser>,
    /// Codes of MFA devices that were used: the device's serial number, and the step of time.
    used_codes: Mutex<HashSet<(String, i64)>>,
    keys: KeyFetcher,
    saml: SamlProviders,
    clock: Arc<dyn Clock>,
    issued: Shelf<Arc<StsSession>>,
    ledger: Mutex<Ledger>,
}

/// What came of `AssumeRoleWithWebIdentity`.
struct Assumed {
    session: Arc<StsSession>,
    identity: WebIdentity,
    provider: String,
    packed: Option<usize>,
}

impl Sts {
    pub(super) fn new(settings: &SandboxSettings, clock: Arc<dyn Clock>) -> io::Result<Self> {
        Ok(Self {
            issuers: settings.issuers.clone(),
            roles: settings.roles.clone(),
            users: settings.users.clone(),
            used_codes: Mutex::default(),
            keys: KeyFetcher::new().map_err(io::Error::other)?,
            saml: SamlProviders::new(&settings.saml_providers).map_err(|fault| io::Error::new(io::ErrorKind::InvalidInput, fault))?,
            clock,
            issued: Shelf::new(),
            ledger: Mutex::default(),
        })
    }

    pub(super) fn ledger(&self) -> Vec<Issued> {
        self.lock_ledger().lines().cloned().collect()
    }

    fn lock_ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session that credentials belong to, if they are known and not expired.
    pub(super) fn session(&self, access_key_id: &str, session_token: &str) -> Result<Arc<StsSession>, StsError> {
        let now = self.clock.now();
        let session = self.issued.get(now, access_key_id).filter(|session| session.has_token(session_token));
        let session = session.ok_or_else(StsError::unknown_credentials)?;
        if session.expires <= now { Err(StsError::expired_credentials()) } else { Ok(session) }
    }

    async fn assume(&self, params: &Params) -> Result<Assumed, StsError> {
        let input = AssumeInput::read(params)?;
        let token = UnverifiedToken::read(input.unverified_token)?;
        let issuer = self.issuers.iter().find(|known| known.issuer == token.issuer);
        let issuer = issuer
            .ok_or_else(|| StsError::invalid_token(format!("No OpenIDConnect provider found in your account for {}", token.issuer)))?;
        let keys = self.keys.keys(&issuer.issuer, &token.kid, self.clock.now()).await?;
        let identity = token.verify(&keys, issuer, self.clock.now())?;
        self.authorize(&input, issuer, &identity)?;
        let packed = packed_percent(input.policy_size, &identity.tags);
        if let Some(percent) = packed.filter(|percent| *percent > 100) {
            return Err(StsError::packed_too_large(percent));
        }
        let host = issuer.issuer.split_once("://").map_or(issuer.issuer.as_str(), |(_, rest)| rest);
        let provider = format!("arn:{}:iam::{}:oidc-provider/{host}", input.role.partition(), input.role.account());
        Ok(Assumed { session: self.issue(&input, issuer, &identity), identity, provider, packed })
    }

    /// What IAM says: the token's own list of roles first, then the role and its trust policy.
    fn authorize(&self, input: &AssumeInput<'_>, issuer: &TrustedIssuer, identity: &WebIdentity) -> Result<(), StsError> {
        let pinned = identity.pins(&input.role)?;
        let role = self.roles.iter().find(|role| role.arn == input.role && role.issuers.contains(&issuer.issuer));
        let role =
            role.filter(|role| pinned || !role.requires_pinning).ok_or_else(|| StsError::access_denied("sts:AssumeRoleWithWebIdentity"))?;
        if !identity.tags.is_empty() && !role.allows_tags {
            return Err(StsError::access_denied("sts:TagSession"));
        }
        if identity.source_identity.is_some() && !role.allows_source_identity {
            return Err(StsError::access_denied("sts:SetSourceIdentity"));
        }
        if input.duration > role.max_session {
            return Err(StsError::validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."));
        }
        Ok(())
    }

    fn issue(&self, input: &AssumeInput<'_>, issuer: &TrustedIssuer, identity: &WebIdentity) -> Arc<StsSession> {
        let now = self.clock.now();
        let expires = now + input.duration;
        let session = Arc::new(StsSession {
            source_identity: identity.source_identity.clone(),
            tags: identity.tags.clone(),
            ..StsSession::new(Holder::Role(input.role.clone()), input.session_name, expires)
        });
        self.note(&session, |session| Issued {
            issuer: issuer.issuer.clone(),
            subject: identity.subject.clone(),
            jti: identity.jti.clone(),
            ..Issued::of(session, "AssumeRoleWithWebIdentity", now)
        });
        session
    }

    /// Remembers a session and writes it into the ledger.
    fn note(&self, session: &Arc<StsSession>, line: impl FnOnce(&StsSession) -> Issued) {
        self.issued.put_as(session.access_key_id.clone(), self.clock.now(), session.expires + REMEMBERED, Arc::clone(session));
        self.lock_ledger().note(line(session));
    }
}

/// A rough percentage of the room for policies and tags; none if there are neither.
fn packed_percent(policy_size: usize, tags: &[SessionTag]) -> Option<usize> {
    let bytes = policy_size + tags.iter().map(|tag| tag.key.len() + tag.value.len() + 2).sum::<usize>();
    (bytes > 0).then(|| (bytes * 100).div_ceil(ESTIMATED_PACKED_BYTES))
}

/// The one address of the query protocol.
pub(super) async fn query(sts: web::Data<Sts>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let request_id = session::request_id();
    let outcome = match Params::of_form(&request, &body) {
        Ok(params) => answer(&sts, &request, &body, &params, &request_id).await,
        Err(error) => Err(StsError::validation(error.to_string())),
    };
    let (status, body) = match outcome {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => (error.status, ErrorXml { error: &error, request_id: &request_id }.render()),
    };
    let Ok(body) = body else {
        return HttpResponse::InternalServerError().finish();
    };
    HttpResponse::build(status)
        .content_type("text/xml")
        .insert_header(("x-amzn-RequestId", request_id))
        .insert_header(("x-sandbox-note", "a sandbox: the packed policy size is an estimate"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body)
}

async fn answer(
    sts: &Sts,
    request: &HttpRequest,
    body: &[u8],
    params: &Params,
    request_id: &str,
) -> Result<askama::Result<String>, StsError> {
    let (action, version) = (params.get("Action").unwrap_or_default(), params.get("Version").unwrap_or_default());
    match (action, version) {
        ("AssumeRoleWithWebIdentity", "2011-06-15") => {
            let Assumed { session, identity, provider, packed } = sts.assume(params).await?;
            let (subject, audience) = (&identity.subject, &identity.audience);
            Ok(AssumeRoleXml { session: &session, subject, audience, provider: &provider, packed, request_id }.render())
        }
        ("AssumeRoleWithSAML", "2011-06-15") => {
            let AssumedBySaml { session, identity, name_qualifier, packed } = sts.assume_with_saml(params).await?;
            Ok(AssumeRoleSamlXml { session: &session, identity: &identity, name_qualifier: &name_qualifier, packed, request_id }.render())
        }
        ("GetCallerIdentity", "2011-06-15") => {
            let caller = sts.caller(request, body)?;
            Ok(CallerIdentityXml { caller: &caller, request_id }.render())
        }
        ("AssumeRole" | "GetFederationToken" | "GetSessionToken", "2011-06-15") => {
            let caller = sts.caller(request, body)?;
            let Granted { session, packed } = match action {
                "AssumeRole" => sts.assume_role(&caller, params)?,
                "GetFederationToken" => sts.federation_token(&caller, params)?,
                _ => sts.session_token(&caller, params)?,
            };
            Ok(SignedXml { action, session: &session, packed, request_id }.render())
        }
        _ => Err(StsError::invalid_action(format!("Could not find operation {action} for version {version}"))),
    }
}

#[derive(Template)]
#[template(path = "sandbox/assume_role.xml")]
struct AssumeRoleXml<'a> {
    session: &'a StsSession,
    subject: &'a str,
    audience: &'a str,
    provider: &'a str,
    packed: Option<usize>,
    request_id: &'a str,
}

#[derive(Template)]
#[template(path = "sandbox/assume_role_saml.xml")]
struct AssumeRoleSamlXml<'a> {
    session: &'a StsSession,
    identity: &'a SamlIdentity,
    name_qualifier: &'a str,
    packed: Option<usize>,
    request_id: &'a str,
}

#[derive(Template)]
#[template(path = "sandbox/signed.xml")]
struct SignedXml<'a> {
    action: &'a str,
    session: &'a StsSession,
    packed: Option<usize>,
    request_id: &'a str,
}

#[derive(Template)]
#[template(path = "sandbox/caller_identity.xml")]
struct CallerIdentityXml<'a> {
    caller: &'a Caller<'a>,
    request_id: &'a str,
}

#[derive(Template)]
#[template(path = "sandbox/error.xml")]
struct ErrorXml<'a> {
    error: &'a StsError,
    request_id: &'a str,
}
