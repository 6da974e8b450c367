//! The authorization code grant with PKCE and a redirect to this machine (RFC 8252, section 7.3; RFC 7636).

use std::cell::Cell;
use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use url::{Url, form_urlencoded};

use super::super::api::Api;
use super::super::keeper::Token;
use super::super::loopback::{self, Ask, Body, Reply};
use super::super::same_user::is_same_user;
use super::super::trouble::{Kind, Trouble};
use super::super::voice::Voice;
use super::Way;
use super::oauth::{CLIENT_ID, Endpoints, OAuthError, refused};

/// How long the person may take: a password, a second factor, a cup of coffee.
const PATIENCE: Duration = Duration::from_mins(5);

/// Whether a browser could show something here.
pub(super) fn has_screen() -> bool {
    cfg!(target_os = "macos")
        || ["BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Opens an address in the person's browser. Every user of the machine can read it in the list of processes: it must be of no use to them.
pub(in crate::client) fn open(url: &str) -> Result<(), Trouble> {
    let mut options = webbrowser::BrowserOptions::new();
    options.with_suppress_output(true);
    webbrowser::open_browser_with_options(webbrowser::Browser::Default, url, &options).map_err(|error| {
        Trouble::yours(Kind::Other, format!("No browser can be started: {error}."), "set the environment variable BROWSER")
    })
}

/// What the browser comes back with.
enum Outcome {
    Code(String),
    /// The gateway's word for why not (RFC 6749, section 4.1.2.1).
    Refused(String),
    /// It names another gateway than the one that was asked (RFC 9207).
    Stranger,
}

pub(super) fn sign_in(api: &Api, endpoints: &Endpoints, way: &Way, voice: Voice, asked: &Cell<bool>) -> Result<Token, Trouble> {
    let no_port = |error| {
        Trouble::yours(Kind::Other, format!("This machine has no port for the browser's way back: {error}."), "rolegate login --device")
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(no_port)?;
    let redirect = format!("http://{}/callback", listener.local_addr().map_err(no_port)?);
    let (state, verifier) = (super::random()?, super::random()?);
    let mut url = endpoints.authorization_endpoint.clone();
    url.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", &redirect),
        ("state", &state),
        ("code_challenge", &BASE64URL_NOPAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref())),
        ("code_challenge_method", "S256"),
        ("device_name", &super::device_name()),
    ]);
    // As OpenID Connect has them (Core 1.0, section 3.1.2.1).
    url.query_pairs_mut()
        .extend_pairs(way.fresh.then_some(("prompt", "login")))
        .extend_pairs(way.acr.as_ref().map(|acr| ("acr_values", acr)));
    voice.notice(&format!("Sign in in the browser. If none opens, go to\n{url}"));
    let start = Start::new(&listener, &url).map_err(no_port)?;
    match open(&start.address) {
        Err(trouble) if !voice.is_attended() => return Err(trouble),
        Err(trouble) => voice.notice(&trouble.happened),
        Ok(()) => {}
    }
    asked.set(true);
    let code = match wait(listener, start, state, endpoints.issuer.clone()).map_err(no_port)? {
        Some(Outcome::Code(code)) => code,
        Some(Outcome::Refused(error)) => return Err(refused(api, &OAuthError::of(error))),
        Some(Outcome::Stranger) => {
            return Err(Trouble::yours(
                Kind::SignIn,
                "The browser came back from another gateway than the one that was asked.",
                again(api),
            ));
        }
        None => return Err(Trouble::yours(Kind::SignIn, "Nobody signed in in the browser within five minutes.", again(api))),
    };
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", &redirect),
        ("client_id", CLIENT_ID),
        ("code_verifier", &verifier),
    ];
    endpoints.token(api, &fields)?.map_err(|error| refused(api, &error))
}

fn again(api: &Api) -> String {
    format!("rolegate login --gateway {}", api.gateway())
}

/// What the browser is started with: an address of ours that leads to the gateway's. Who knows the latter could sign the command line in as
/// themselves, and the person would work in another's name.
struct Start {
    address: String,
    path: String,
    leads_to: HeaderValue,
}

impl Start {
    fn new(listener: &TcpListener, url: &Url) -> std::io::Result<Self> {
        let path = format!("/{}", super::random().map_err(|trouble| std::io::Error::other(trouble.happened))?);
        let leads_to = HeaderValue::from_str(url.as_str()).map_err(std::io::Error::other)?;
        Ok(Self { address: format!("http://{}{path}", listener.local_addr()?), path, leads_to })
    }

    /// The answer, if it is this that is asked for.
    fn answer(&self, ask: &Ask) -> Option<Reply> {
        if ask.path != self.path {
            return None;
        }
        Some(if is_same_user(&ask.connection) {
            Reply { status: StatusCode::SEE_OTHER, body: Body::GoTo(self.leads_to.clone()) }
        } else {
            Reply::page(
                StatusCode::FORBIDDEN,
                "Not yours",
                "This sign-in belongs to another user of the machine. Open what the command line shows.",
            )
        })
    }
}

/// Waits until the browser comes back with the state that it was sent away with.
fn wait(listener: TcpListener, start: Start, state: String, issuer: String) -> std::io::Result<Option<Outcome>> {
    let (sender, outcomes) = mpsc::channel();
    let answer = Arc::new(move |ask: Ask| {
        if let Some(reply) = start.answer(&ask) {
            return reply;
        }
        let Some(outcome) = read(&ask, &state, &issuer) else {
            return Reply::page(StatusCode::BAD_REQUEST, "Not expected", "This is not the answer that the command line waits for.");
        };
        let page = match outcome {
            Outcome::Code(_) => Reply::page(StatusCode::OK, "Back to the command line", "It has its answer; this tab can be closed."),
            _ => Reply::page(StatusCode::OK, "Not signed in", "The command line says more; this tab can be closed."),
        };
        // After the first answer nobody listens any more.
        let _ = sender.send(outcome);
        page
    });
    let runtime = loopback::runtime()?;
    let server = runtime.spawn(loopback::serve(listener, answer));
    let waited = runtime.spawn_blocking(move || outcomes.recv_timeout(PATIENCE).ok());
    let outcome = runtime.block_on(async {
        let outcome = waited.await.ok().flatten();
        // The page is still on its way to the browser.
        tokio::time::sleep(Duration::from_millis(200)).await;
        outcome
    });
    server.abort();
    runtime.shutdown_background();
    Ok(outcome)
}

/// What a request to the redirect URI says; nothing if it has not our state: then anybody may have sent it, and it ends nothing.
fn read(ask: &Ask, state: &str, issuer: &str) -> Option<Outcome> {
    if ask.path != "/callback" {
        return None;
    }
    let one = |name: &str| {
        let mut values = form_urlencoded::parse(ask.query.as_bytes()).filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        values.next().filter(|_| values.next().is_none())
    };
    verify_slices_are_equal(one("state")?.as_bytes(), state.as_bytes()).ok()?;
    match (one("iss"), one("code"), one("error")) {
        (Some(iss), _, _) if iss != issuer => Some(Outcome::Stranger),
        (Some(_), Some(code), None) => Some(Outcome::Code(code)),
        (Some(_), None, Some(error)) => Some(Outcome::Refused(error)),
        _ => Some(Outcome::Stranger),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::loopback::Connection;
    use super::*;

    #[test]
    fn only_an_answer_with_our_state_and_our_gateway_is_taken() {
        let told = |path: &str, query: &str| {
            let here = ([127, 0, 0, 1], 1).into();
            let connection = Connection { theirs: here, ours: here };
            let ask = Ask { path: path.into(), query: query.into(), authorization: None, connection };
            match read(&ask, "our-state", "https://roles.example.org") {
                None => "nothing".to_owned(),
                Some(Outcome::Code(code)) => code,
                Some(Outcome::Refused(error)) => error,
                Some(Outcome::Stranger) => "stranger".to_owned(),
            }
        };
        let iss = "iss=https%3A%2F%2Froles.example.org";
        assert_eq!(told("/callback", &format!("code=c&state=our-state&{iss}")), "c");
        assert_eq!(told("/callback", &format!("error=access_denied&state=our-state&{iss}")), "access_denied");
        for query in [
            "code=c&state=our-state",
            "code=c&state=our-state&iss=https%3A%2F%2Fevil.example",
            &format!("code=c&error=x&state=our-state&{iss}"),
        ] {
            assert_eq!(told("/callback", query), "stranger", "{query}");
        }
        assert_eq!(told("/callback", &format!("code=c&code=d&state=our-state&{iss}")), "stranger", "a repeated parameter is none");
        for query in [
            format!("code=c&{iss}"),
            format!("code=c&state=&{iss}"),
            format!("code=c&state=other-state&{iss}"),
            format!("code=c&state=our-state&state=our-state&{iss}"),
            format!("error=x&{iss}"),
        ] {
            assert_eq!(told("/callback", &query), "nothing", "{query}");
        }
        assert_eq!(told("/", &format!("code=c&state=our-state&{iss}")), "nothing");
    }
}
