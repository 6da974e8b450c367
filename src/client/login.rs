//! Signing in: by the browser of this machine (RFC 8252), or by a code that is typed into any browser (RFC 8628).
//!
//! Ten programs may find at once that there is no session. One of them asks the person; the others wait for it and use what it got, or give up
//! with it. And a tab that nobody answered is not opened again by programs, only by people: there would be dozens after a night.

mod browser;
mod device;
mod oauth;

use std::cell::Cell;

use chrono::SecondsFormat;
use clap::Args;
use data_encoding::BASE64URL_NOPAD;

use super::api::Api;
use super::desk::Desk;
use super::keeper::{Kept, Token, short_hash};
use super::places;
use super::trouble::{Kind, Trouble};
use crate::clock::{Clock, Moment, SystemClock};

pub(super) use browser::open;

/// How the person is to sign in.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Way {
    /// Show a code to type into a browser on any machine, instead of opening one here
    #[arg(long)]
    device: bool,
    /// Sign in at the identity provider once more, even if the browser is signed in
    #[arg(long, conflicts_with = "device")]
    fresh: bool,
    /// The kind of sign-in that a role wants (an authentication context class of the identity provider's)
    #[arg(long, value_name = "VALUE", conflicts_with = "device")]
    acr: Option<String>,
}

/// Signs in, whether there is a session or not, as `rolegate login` does.
pub(super) fn anew(desk: &Desk, way: &Way) -> Result<(), Trouble> {
    let _lock = lock(desk)?;
    let old = desk.keeper.read().ok().flatten();
    obtain(desk, way, &Cell::new(false))?;
    if let Some(old) = old {
        // It would live on until it ends by itself; that the gateway cannot be told is no reason to fail.
        let _ = end(desk.api()?, &old);
    }
    Ok(())
}

/// A session to use, when `ended` is none (any more).
pub(super) fn when_needed(desk: &Desk, ended: Option<&Token>) -> Result<Token, Trouble> {
    let asked = SystemClock.now();
    let marker = desk.places.state.join(format!("unanswered-{}", short_hash(desk.gateway.as_str())));
    let _lock = lock(desk)?;
    if let Some(token) = desk.keeper.read()?.filter(|token| Some(token) != ended) {
        return Ok(token);
    }
    if let Some(since) = unanswered(&marker).filter(|since| *since >= asked || !desk.voice.is_attended()) {
        let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        let happened = format!("You are not signed in at {}, and the browser asked you to at {since} without an answer.", desk.gateway);
        return Err(Trouble::yours(Kind::SignIn, happened, format!("rolegate login --gateway {}", desk.gateway)));
    }
    let asked = Cell::new(false);
    let obtained = obtain(desk, &Way::default(), &asked);
    // Who was not asked cannot have left it unanswered: the network may have been down.
    if obtained.is_err() && asked.get() {
        places::write(&marker, SystemClock.now().to_rfc3339().as_bytes())?;
    }
    obtained
}

/// Ends a session at the gateway (RFC 7009).
pub(super) fn end(api: &Api, token: &Token) -> Result<(), Trouble> {
    oauth::Endpoints::discover(api)?.revoke(api, token)
}

/// Signs in. `asked` becomes true when the person has something to answer.
fn obtain(desk: &Desk, way: &Way, asked: &Cell<bool>) -> Result<Token, Trouble> {
    let api = desk.api()?;
    let endpoints = oauth::Endpoints::discover(api)?;
    let token = if way.device {
        device::sign_in(api, &endpoints, desk.voice, asked)
    } else if browser::has_screen() || way.fresh || way.acr.is_some() {
        browser::sign_in(api, &endpoints, way, desk.voice, asked)
    } else if desk.voice.is_attended() {
        device::sign_in(api, &endpoints, desk.voice, asked)
    } else {
        // A program that nobody watches cannot show a code to anybody.
        let happened = format!("You are not signed in at {}, and there is no browser here.", desk.gateway);
        Err(Trouble::yours(Kind::SignIn, happened, format!("rolegate login --device --gateway {}", desk.gateway)))
    }?;
    super::cache::Cache::clear(&desk.places, &desk.gateway);
    let kept = desk.keeper.write(&token)?;
    places::remove(&desk.places.state.join(format!("unanswered-{}", short_hash(desk.gateway.as_str()))))?;
    if let Kept::InFile { path, why } = kept {
        desk.voice.notice(&format!("The session is kept in {}, which only you may read, because {why}.", path.display()));
    }
    Ok(token)
}

fn lock(desk: &Desk) -> Result<std::fs::File, Trouble> {
    let path = desk.places.state.join(format!("login-{}.lock", short_hash(desk.gateway.as_str())));
    places::lock(&path, || desk.voice.notice("Another command is signing you in; waiting for it."))
}

/// When a sign-in was asked for last that nobody answered.
fn unanswered(marker: &std::path::Path) -> Option<Moment> {
    String::from_utf8(places::read(marker).ok()??).ok()?.parse().ok()
}

/// 256 random bits in base64url.
pub(super) fn random() -> Result<String, Trouble> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Trouble::yours(Kind::Other, "The system gives no random numbers.", "restart the machine"))?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

/// Whether bytes have the shape of what [`random`] gives.
pub(super) fn is_random(bytes: &[u8]) -> bool {
    BASE64URL_NOPAD.decode(bytes).is_ok_and(|bytes| bytes.len() == 32)
}

/// What this machine is called, for the page that asks whether it may have a session.
fn device_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name: String = name.chars().filter(char::is_ascii_graphic).take(64).collect();
    if name.is_empty() { "a computer".to_owned() } else { name }
}
