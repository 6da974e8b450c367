//! By authorization code (RFC 6749 section 4.1) with PKCE (RFC 7636), to a command line on the same machine as the browser (RFC 8252).

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::request::{CLIENT_ID, Challenge, LoopbackUri};
use super::{GrantRefused, Granted};
use crate::audit::{Kind, Outcome};
use crate::clock::Moment;
use crate::gateway::{Caller, Failure, Gateway, Trouble};
use crate::store::{AuthorizationCode, DeviceName, Session, SessionId, SessionRef};

/// How long a code may be on its way from the browser to the command line.
const LIFE: TimeDelta = TimeDelta::minutes(1);
/// How long it is remembered that a code was used: longer than it lives, because instances' clocks may differ.
const REMEMBERED: Duration = Duration::from_mins(2);

/// What a command line asks a person for.
#[derive(Debug, Clone)]
pub struct CodeRequest {
    /// Where the code goes.
    pub redirect: LoopbackUri,
    /// What the command line must know to redeem it.
    pub challenge: Challenge,
    /// What its machine calls itself.
    pub name: DeviceName,
}

/// What a command line sends to redeem a code.
#[derive(Clone, Copy)]
pub struct Redemption<'a> {
    /// Its client id.
    pub client: &'a str,
    /// The code.
    pub code: &'a str,
    /// Where the code came to.
    pub redirect: &'a str,
    /// The secret behind the challenge.
    pub verifier: &'a str,
}

/// What a code stands for. It holds no secret but that it is genuine.
#[derive(Serialize, Deserialize)]
struct CodeGrant {
    client: String,
    redirect: LoopbackUri,
    challenge: Challenge,
    name: DeviceName,
    /// The browser's session in which the person said yes.
    session: SessionRef,
    given: Moment,
}

impl Gateway {
    /// Lets a command line in: records it, and gives the code. The store is not asked: it learns of a code when it is redeemed.
    ///
    /// # Errors
    /// [`Trouble::Audit`], [`Trouble::Signing`].
    pub async fn allow_by_code(
        &self,
        id: &SessionId,
        session: &Session,
        request: CodeRequest,
        caller: &Caller,
    ) -> Result<AuthorizationCode, Failure> {
        self.record(&self.consent(Outcome::Ok, session, &request.name, caller)).await?;
        let CodeRequest { redirect, challenge, name } = request;
        let grant = CodeGrant { client: CLIENT_ID.into(), redirect, challenge, name, session: id.reference(), given: self.now() };
        self.vault.authorization_code(&grant).map_err(|error| Failure::logged(Trouble::Signing, &error))
    }

    /// Redeems a code, once. A second try, whoever makes it and whatever it brings, ends the session that the first one opened (RFC 6749
    /// section 4.1.2): one of the two was a thief.
    ///
    /// # Errors
    /// [`GrantRefused::Invalid`], [`GrantRefused::Failed`].
    pub async fn redeem(&self, redemption: Redemption<'_>, caller: &Caller) -> Result<Granted, GrantRefused> {
        let read = |code: AuthorizationCode| Some((self.vault.authorized::<CodeGrant>(&code)?, code));
        let found = AuthorizationCode::parse(redemption.code).and_then(read);
        let (grant, code) = found.ok_or_else(|| GrantRefused::invalid("there is no such code"))?;
        if self.now() >= grant.given + LIFE {
            // It may have been used in time, and be used again now.
            self.end_opened(&code, &grant, caller).await?;
            return Err(GrantRefused::invalid("the code has expired"));
        }
        // A session is opened on record: one that would be ended at once is not to stand there.
        if self.vault.is_code_used(&code).await.map_err(|error| GrantRefused::store(&error))? {
            self.end_opened(&code, &grant, caller).await?;
            return Err(GrantRefused::invalid("the code was used before"));
        }
        // First the session, then the claim. Of two at once, whoever claims second sees the session of whoever claimed first.
        let opened = match grant.check(redemption) {
            Ok(()) => self.open_by_code(&code, &grant, caller).await,
            Err(refused) => Err(refused),
        };
        let first = self.vault.claim_code(&code, REMEMBERED).await.map_err(|error| GrantRefused::store(&error))?;
        if first {
            return opened;
        }
        self.end_opened(&code, &grant, caller).await?;
        Err(GrantRefused::invalid("the code was used before"))
    }

    async fn open_by_code(&self, code: &AuthorizationCode, grant: &CodeGrant, caller: &Caller) -> Result<Granted, GrantRefused> {
        let approver = self.approver(&grant.session).await?;
        self.open_command_line(approver, grant.name.clone(), Some(code), caller).await
    }

    /// Ends what a code opened before, and records that it did.
    async fn end_opened(&self, code: &AuthorizationCode, grant: &CodeGrant, caller: &Caller) -> Result<(), GrantRefused> {
        let ended = self.vault.close_opened(code).await.map_err(|error| GrantRefused::store(&error))?;
        if ended == 0 {
            return Ok(());
        }
        let event = self.event(Kind::SignOut, Outcome::Ok, caller).by_command_line(grant.name.as_str());
        let event = event.because(format!("its authorization code was used again: {ended} of its sessions were alive"));
        tracing::warn!(incident = %event.incident, ended, "an authorization code was used again");
        Ok(self.record(&event).await?)
    }
}

impl CodeGrant {
    /// Whether a redemption is the one that the code was given for (RFC 6749 section 4.1.3, RFC 7636 section 4.6).
    fn check(&self, redemption: Redemption<'_>) -> Result<(), GrantRefused> {
        let wrong = [
            (redemption.client != self.client, "the code was given to another client"),
            (redemption.redirect != self.redirect.as_str(), "the code was sent to another address"),
            (!self.challenge.matches(redemption.verifier), "the verifier does not belong to the code"),
        ];
        wrong.iter().find(|(wrong, _)| *wrong).map_or(Ok(()), |(_, why)| Err(GrantRefused::invalid(why)))
    }
}
