//! The operations that are signed: `AssumeRole`, `GetFederationToken`, `GetSessionToken`, and `GetCallerIdentity`.
//!
//! What the callers' own policies allow is not modelled: who is let in by a role's trust policy may call.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use actix_web::HttpRequest;

use super::error::StsError;
use super::session::{Holder, Issued, StsSession, unique_id};
use super::signature::Unverified;
use super::signed_request::{FederationInput, RoleInput, SessionInput};
use super::tags::SessionTag;
use super::{Sts, packed_percent};
use crate::arn::AccountId;
use crate::clock::Moment;
use crate::sandbox::http::Params;
use crate::sandbox::settings::{SandboxMfa, SandboxUser};

/// The longest chained session.
const CHAINED: Duration = Duration::from_hours(1);

/// Who signed a request, verified.
pub(super) enum Caller<'a> {
    User(&'a SandboxUser),
    Session(Arc<StsSession>),
}

impl Caller<'_> {
    pub(super) fn arn(&self) -> String {
        match self {
            Self::User(user) => user.arn(),
            Self::Session(session) => session.arn(),
        }
    }

    pub(super) fn id(&self) -> String {
        match self {
            Self::User(user) => unique_id("AIDA", &user.arn()),
            Self::Session(session) => session.id(),
        }
    }

    pub(super) fn account(&self) -> AccountId {
        match self {
            Self::User(user) => user.account,
            Self::Session(session) => session.account(),
        }
    }

    /// The session, if it is one.
    fn session(&self) -> Option<&StsSession> {
        if let Self::Session(session) = self { Some(session) } else { None }
    }

    fn principal(&self) -> String {
        self.session().map_or_else(|| self.arn(), StsSession::principal)
    }

    /// The user, who must have signed with an access key of their own.
    fn user(&self, operation: &str) -> Result<&SandboxUser, StsError> {
        match self {
            Self::User(user) => Ok(user),
            Self::Session(_) => Err(StsError::denied(format!("Cannot call {operation} with session credentials"))),
        }
    }
}

/// A session and how full its packed policies and tags are.
pub(super) struct Granted {
    pub(super) session: Arc<StsSession>,
    pub(super) packed: Option<usize>,
}

impl Sts {
    /// Who signed a request.
    pub(super) fn caller(&self, request: &HttpRequest, body: &[u8]) -> Result<Caller<'_>, StsError> {
        let signed = Unverified::read(request)?;
        let now = self.clock.now();
        if let Some(user) = self.users.iter().find(|user| user.access_key_id == signed.access_key_id) {
            if signed.session_token.is_some() {
                return Err(StsError::unknown_credentials());
            }
            signed.verify(request, body, &user.secret_access_key, now)?;
            return Ok(Caller::User(user));
        }
        let session = self.session(signed.access_key_id, signed.session_token.unwrap_or_default())?;
        signed.verify(request, body, &session.secret_access_key, now)?;
        Ok(Caller::Session(session))
    }

    pub(super) fn assume_role(&self, caller: &Caller<'_>, params: &Params) -> Result<Granted, StsError> {
        const ACTION: &str = "sts:AssumeRole";
        let input = RoleInput::read(params)?;
        let asking = caller.session();
        if asking.is_some_and(|session| matches!(session.holder, Holder::Federated(..))) {
            return Err(StsError::access_denied(ACTION));
        }
        let role = self.roles.iter().find(|role| role.arn == input.role && role.assumed_by.contains(&caller.principal()));
        let role = role.filter(|role| role.external_id.is_none() || role.external_id.as_deref() == input.external_id);
        let role = role.ok_or_else(|| StsError::access_denied(ACTION))?;
        if let Some((serial, code)) = input.mfa {
            self.check_mfa(caller.user("AssumeRole with MFA")?, serial, code)?;
        }
        let tags = with_inherited(input.tags, asking)?;
        if !tags.is_empty() && !role.allows_tags {
            return Err(StsError::access_denied("sts:TagSession"));
        }
        let inherited = asking.and_then(|session| session.source_identity.clone());
        let is_changed = input.source_identity.is_some_and(|wanted| inherited.as_ref().is_some_and(|had| had != wanted));
        let source_identity = inherited.or_else(|| input.source_identity.map(str::to_owned));
        if is_changed || (source_identity.is_some() && !role.allows_source_identity) {
            return Err(StsError::access_denied("sts:SetSourceIdentity"));
        }
        if asking.is_some() && input.duration > CHAINED {
            let message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.";
            return Err(StsError::validation(message));
        }
        if input.duration > role.max_session {
            return Err(StsError::validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."));
        }
        let packed = packed(input.policy_size, &tags)?;
        let now = self.clock.now();
        let expires = now + input.duration;
        let session = StsSession {
            source_identity,
            tags,
            chained: asking.is_some(),
            ..StsSession::new(Holder::Role(input.role), input.session_name, expires)
        };
        Ok(Granted { session: self.issued_to(caller, "AssumeRole", session, now), packed })
    }

    pub(super) fn federation_token(&self, caller: &Caller<'_>, params: &Params) -> Result<Granted, StsError> {
        let user = caller.user("GetFederationToken")?;
        let input = FederationInput::read(params, user)?;
        let packed = packed(input.policy_size, &input.tags)?;
        let (holder, now) = (Holder::Federated(user.partition, user.account), self.clock.now());
        let session = StsSession { tags: input.tags, ..StsSession::new(holder, input.name, now + input.duration) };
        Ok(Granted { session: self.issued_to(caller, "GetFederationToken", session, now), packed })
    }

    pub(super) fn session_token(&self, caller: &Caller<'_>, params: &Params) -> Result<Granted, StsError> {
        let user = caller.user("GetSessionToken")?;
        let input = SessionInput::read(params)?;
        if let Some((serial, code)) = input.mfa {
            self.check_mfa(user, serial, code)?;
        }
        let (holder, now) = (Holder::User { arn: user.arn(), account: user.account }, self.clock.now());
        let session = StsSession::new(holder, &user.name, now + input.duration);
        Ok(Granted { session: self.issued_to(caller, "GetSessionToken", session, now), packed: None })
    }

    /// The code of the present thirty seconds, or of those before or after, and each once.
    fn check_mfa(&self, user: &SandboxUser, serial: &str, code: &str) -> Result<(), StsError> {
        let device = user.mfa.as_ref().filter(|device| device.serial == serial).ok_or_else(|| {
            StsError::denied(
                "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated \
                 with this user.",
            )
        })?;
        let now = self.clock.now().timestamp() / SandboxMfa::STEP;
        let mut spent = self.used_codes.lock().unwrap_or_else(PoisonError::into_inner);
        spent.retain(|(_, step)| *step >= now - 1);
        let step = (now - 1..=now + 1).find(|step| device.code_of(*step) == code && !spent.contains(&(serial.to_owned(), *step)));
        let step = step.ok_or_else(|| StsError::denied("MultiFactorAuthentication failed with invalid MFA one time pass code. "))?;
        spent.insert((serial.to_owned(), step));
        Ok(())
    }

    fn issued_to(&self, caller: &Caller<'_>, operation: &'static str, session: StsSession, now: Moment) -> Arc<StsSession> {
        let session = Arc::new(session);
        self.note(&session, |session| Issued { issuer: caller.arn(), ..Issued::of(session, operation, now) });
        session
    }
}

fn packed(policy_size: usize, tags: &[SessionTag]) -> Result<Option<usize>, StsError> {
    let packed = packed_percent(policy_size, tags);
    match packed {
        Some(percent) if percent > 100 => Err(StsError::packed_too_large(percent)),
        _ => Ok(packed),
    }
}

/// The transitive tags of the session that asks come along, and none of them may be said again (STS API reference, `AssumeRole`).
fn with_inherited(tags: Vec<SessionTag>, asking: Option<&StsSession>) -> Result<Vec<SessionTag>, StsError> {
    let mut all: Vec<SessionTag> =
        asking.into_iter().flat_map(|session| session.tags.iter().filter(|tag| tag.transitive).cloned()).collect();
    for tag in tags {
        if all.iter().any(|known| known.key.to_lowercase() == tag.key.to_lowercase()) {
            return Err(StsError::validation(format!("The tag {} is inherited as a transitive one and cannot be overwritten.", tag.key)));
        }
        all.push(tag);
    }
    all.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(all)
}
