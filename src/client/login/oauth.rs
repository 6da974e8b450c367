//! The gateway's OAuth face: its metadata (RFC 8414), its token endpoint (RFC 6749) and its revocation endpoint (RFC 7009).

use reqwest::StatusCode;
use serde::Deserialize;
use url::Url;

use super::super::api::{Answer, Api};
use super::super::keeper::Token;
use super::super::trouble::{Kind, Trouble};
use crate::aws::Mender;
use crate::terminal::harmless_name;

/// The command line's own client id: public, without a secret.
pub(super) const CLIENT_ID: &str = "rolegate-cli";

/// The addresses of one gateway, each its own.
#[derive(Debug, Deserialize)]
pub(in crate::client) struct Endpoints {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    /// None where codes are switched off.
    pub(super) device_authorization_endpoint: Option<Url>,
    revocation_endpoint: Url,
}

/// An error of OAuth's endpoints (RFC 6749, section 5.2).
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OAuthError {
    pub(super) error: String,
    error_description: String,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    token_type: String,
}

impl OAuthError {
    pub(super) const fn of(error: String) -> Self {
        Self { error, error_description: String::new() }
    }
}

impl Endpoints {
    pub(in crate::client) fn discover(api: &Api) -> Result<Self, Trouble> {
        let answer = api.document("/.well-known/oauth-authorization-server")?;
        let found: Option<Self> = (answer.status == StatusCode::OK).then(|| serde_json::from_slice(&answer.body).ok()).flatten();
        let found = found.ok_or_else(|| {
            let happened = format!("{} does not answer as a Rolegate gateway that lets command lines sign in.", api.gateway());
            Trouble::yours(Kind::Other, happened, "check the address; if it is right, the gateway may be older than the command line")
        })?;
        let mut endpoints = vec![&found.authorization_endpoint, &found.token_endpoint, &found.revocation_endpoint];
        endpoints.extend(&found.device_authorization_endpoint);
        if found.issuer.trim_end_matches('/') != api.gateway().as_str() || !endpoints.iter().all(|endpoint| api.gateway().has(endpoint)) {
            let happened = format!("The gateway at {} says that it is {}.", api.gateway(), found.issuer);
            return Err(Trouble::yours(Kind::Other, happened, "use the address that it has by its own account, if you trust it"));
        }
        Ok(found)
    }

    /// Ends a session. A token that is known no more is no error.
    pub(in crate::client) fn revoke(&self, api: &Api, token: &Token) -> Result<(), Trouble> {
        let answer = api.form(self.revocation_endpoint.clone(), &[("token", token.expose()), ("client_id", CLIENT_ID)])?;
        if answer.status == StatusCode::OK { Ok(()) } else { Err(refused(api, &error_of(&answer))) }
    }

    /// Asks the token endpoint once.
    pub(super) fn token(&self, api: &Api, fields: &[(&str, &str)]) -> Result<Result<Token, OAuthError>, Trouble> {
        let answer = api.form(self.token_endpoint.clone(), fields)?;
        if answer.status != StatusCode::OK {
            return Ok(Err(error_of(&answer)));
        }
        let token =
            serde_json::from_slice::<TokenAnswer>(&answer.body).ok().filter(|answer| answer.token_type.eq_ignore_ascii_case("bearer"));
        token.and_then(|answer| Token::parse(&answer.access_token)).map(Ok).ok_or_else(|| api.odd("a token"))
    }
}

pub(super) fn error_of(answer: &Answer) -> OAuthError {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// What an error of the token endpoint means for the person.
pub(super) fn refused(api: &Api, error: &OAuthError) -> Trouble {
    let said = harmless_name(if error.error_description.is_empty() { &error.error } else { &error.error_description });
    let advice = format!("rolegate login --gateway {}, once more", api.gateway());
    match error.error.as_str() {
        "access_denied" => Trouble::yours(Kind::SignIn, "The sign-in was refused on the page.", advice),
        "expired_token" => Trouble::yours(Kind::SignIn, "The code was not entered in time.", advice),
        "unmet_authentication_requirements" => {
            let happened = "The identity provider did not bring the kind of sign-in that was asked for.";
            Trouble::new(
                Kind::SignIn,
                Mender::GatewayAdministrator,
                happened,
                "ask them which kind the role wants, and how you can have it",
            )
        }
        "" => api.odd("a refusal"),
        _ => Trouble::new(Kind::SignIn, Mender::Person, format!("The gateway does not complete the sign-in: {said}."), advice),
    }
}
