//! The grants by which people let command lines in: authorization code and device code.

use serde_json::{Value, json};

use super::{OAuthError, Parameters};
use crate::gateway::{GrantRefused, Granted, Redemption};
use crate::web::visitor::Visitor;

/// `grant_type=authorization_code` (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
pub(super) async fn code(visitor: &Visitor, parameters: &Parameters) -> Result<Value, OAuthError> {
    let gateway = &visitor.site.gateway;
    if !gateway.command_line.enabled {
        return Err(switched_off());
    }
    parameters.of_our_client()?;
    let redemption = Redemption {
        client: parameters.required("client_id")?,
        code: parameters.required("code")?,
        redirect: parameters.required("redirect_uri")?,
        verifier: parameters.required("code_verifier")?,
    };
    gateway.redeem(redemption, &visitor.caller).await.map(|granted| token(&granted)).map_err(refused)
}

/// `grant_type=urn:ietf:params:oauth:grant-type:device_code` (RFC 8628 section 3.4).
pub(super) async fn device(visitor: &Visitor, parameters: &Parameters) -> Result<Value, OAuthError> {
    let gateway = &visitor.site.gateway;
    if !(gateway.command_line.enabled && gateway.command_line.device_codes) {
        return Err(switched_off());
    }
    parameters.of_our_client()?;
    let granted = gateway.poll_device(parameters.required("device_code")?, &visitor.caller).await;
    granted.map(|granted| token(&granted)).map_err(refused)
}

fn switched_off() -> OAuthError {
    OAuthError::new("unauthorized_client", "this way in is switched off here")
}

fn token(granted: &Granted) -> Value {
    json!({ "access_token": granted.session.expose_bearer(), "token_type": "Bearer", "expires_in": granted.life.as_secs() })
}

/// RFC 6749 section 5.2 and RFC 8628 section 3.5.
pub(super) fn refused(why: GrantRefused) -> OAuthError {
    match why {
        GrantRefused::Invalid(why) => OAuthError::new("invalid_grant", why),
        GrantRefused::Pending => OAuthError::new("authorization_pending", "nobody has answered yet"),
        GrantRefused::TooSoon => OAuthError::new("slow_down", "nobody has answered yet, and this was asked a moment ago"),
        GrantRefused::Denied => OAuthError::new("access_denied", "it was refused"),
        GrantRefused::Expired => OAuthError::new("expired_token", "nobody answered in time"),
        GrantRefused::TooMany => OAuthError::too_many("very many devices wait to be let in, here or at this address", 60),
        GrantRefused::Failed(failure) => failure.into(),
    }
}
