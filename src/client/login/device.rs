//! The device authorization grant (RFC 8628): a code to type into a browser, on any machine.

use std::cell::Cell;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde::Deserialize;
use url::Url;

use super::super::api::Api;
use super::super::keeper::Token;
use super::super::trouble::{Kind, Trouble};
use super::super::voice::Voice;
use super::oauth::{CLIENT_ID, Endpoints, error_of, refused};
use crate::aws::Mender;

/// What is added to the pause when the gateway says that it is asked too often (section 3.5).
const SLOWER: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Begun {
    device_code: String,
    user_code: String,
    verification_uri: Url,
    verification_uri_complete: Option<Url>,
    expires_in: u64,
    /// Seconds between two questions; 5 where none is given.
    #[serde(default = "five")]
    interval: u64,
}

const fn five() -> u64 {
    5
}

pub(super) fn sign_in(api: &Api, endpoints: &Endpoints, voice: Voice, asked: &Cell<bool>) -> Result<Token, Trouble> {
    let Some(endpoint) = endpoints.device_authorization_endpoint.clone() else {
        let happened = format!("The gateway {} lets nobody sign in by a code.", api.gateway());
        return Err(Trouble::new(
            Kind::SignIn,
            Mender::GatewayAdministrator,
            happened,
            "sign in on a machine with a browser, or ask them to allow codes",
        ));
    };
    let name = super::device_name();
    let answer = api.form(endpoint, &[("client_id", CLIENT_ID), ("device_name", &name)])?;
    if answer.status != StatusCode::OK {
        return Err(refused(api, &error_of(&answer)));
    }
    let begun: Begun = serde_json::from_slice(&answer.body).map_err(|_| api.odd("a code"))?;
    if !api.gateway().has(&begun.verification_uri) {
        return Err(api.odd("an address"));
    }
    let direct = begun.verification_uri_complete.filter(|url| api.gateway().has(url));
    let direct = direct.map(|url| format!("\nOr open {url} and compare the code.")).unwrap_or_default();
    // Without it nobody could sign in, so it is said even when little is to be said.
    Voice { quiet: false, ..voice }
        .notice(&format!("In a browser, open {} and enter the code {}{direct}", begun.verification_uri, begun.user_code));
    asked.set(true);
    let mut pause = Duration::from_secs(begun.interval.clamp(1, 60));
    let end = Instant::now() + Duration::from_secs(begun.expires_in.min(3600));
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", begun.device_code.as_str()),
        ("client_id", CLIENT_ID),
    ];
    while Instant::now() < end {
        std::thread::sleep(pause);
        match endpoints.token(api, &fields) {
            Ok(Ok(token)) => return Ok(token),
            Ok(Err(error)) if error.error == "authorization_pending" => {}
            Ok(Err(error)) if error.error == "slow_down" => pause += SLOWER,
            // A network that fails for a moment is no answer (section 3.5).
            Err(trouble) if trouble.kind == Kind::Unavailable => pause += SLOWER,
            Ok(Err(error)) => return Err(refused(api, &error)),
            Err(trouble) => return Err(trouble),
        }
    }
    Err(Trouble::yours(Kind::SignIn, "The code was not entered in time.", format!("rolegate login --device --gateway {}", api.gateway())))
}
