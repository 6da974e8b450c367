//! `credentials`, `env`, `exec`, `console`.

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use super::api::{Api, Asked, Credentials};
use super::cli::{ConsoleArguments, Ended, EnvArguments, ExecArguments, RoleArguments, Shell};
use super::desk::{Desk, Percent};
use super::login;
use super::loopback::{self, Ask, Body, Reply};
use super::same_user::is_same_user;
use super::trouble::{Kind, Trouble};
use super::voice::print;
use crate::arn::Region;
use crate::aws::formats::{Format, UnsafeValue};

/// Variables by which AWS's programs would find other credentials than ours, and our own token, which is no business of theirs.
const REMOVED: [&str; 16] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CREDENTIAL_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "ROLEGATE_TOKEN",
];
/// How long the browser may take to fetch the address of the console.
const FETCH: Duration = Duration::from_secs(30);

pub(super) fn credentials(arguments: &RoleArguments) -> Ended {
    let desk = Desk::open(&arguments.common)?;
    let credentials = obtained(&desk, arguments)?;
    print(Format::ProcessJson.render(credentials.keys(), "", None).map_err(unsafe_value)?.expose_secret().trim_end())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn env(arguments: &EnvArguments) -> Ended {
    let desk = Desk::open(&arguments.role.common)?;
    let credentials = obtained(&desk, &arguments.role)?;
    let format = Shell::or_usual(arguments.shell).format();
    print(format.render(credentials.keys(), "", arguments.region.as_ref()).map_err(unsafe_value)?.expose_secret().trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Becomes the command: signals reach it and its exit code is ours, since there is no other process.
pub(super) fn exec(arguments: &ExecArguments) -> Ended {
    let desk = Desk::open(&arguments.role.common)?;
    let credentials = obtained(&desk, &arguments.role)?;
    let mut command = prepared(&arguments.command, arguments.region.as_ref())?;
    command.env("AWS_ACCESS_KEY_ID", &credentials.access_key_id);
    command.env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.expose_secret());
    command.env("AWS_SESSION_TOKEN", credentials.session_token.expose_secret());
    command.env("AWS_CREDENTIAL_EXPIRATION", credentials.expires.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    let error = command.exec();
    Err(not_started(&command, &error))
}

/// A command that will see no credentials but those that it is given.
pub(super) fn prepared(words: &[OsString], region: Option<&Region>) -> Result<Command, Trouble> {
    let (program, rest) = words.split_first().ok_or_else(|| Trouble::yours(Kind::Usage, "There is no command.", "write it after --"))?;
    let mut command = Command::new(program);
    command.args(rest);
    for name in REMOVED {
        command.env_remove(name);
    }
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        if let Some(region) = region {
            command.env(name, region.as_str());
        }
    }
    Ok(command)
}

pub(super) fn not_started(command: &Command, error: &io::Error) -> Trouble {
    let kind = if error.kind() == io::ErrorKind::NotFound { Kind::NotFound } else { Kind::NotRunnable };
    let happened = format!("{} cannot be started: {error}.", command.get_program().display());
    Trouble::yours(kind, happened, "check the command's name and the variable PATH")
}

fn obtained(desk: &Desk, arguments: &RoleArguments) -> Result<Credentials, Trouble> {
    let role = desk.role(&arguments.role, "credentials")?;
    desk.credentials(&role, &arguments.wish, Percent::KEPT)
}

pub(super) fn unsafe_value(error: UnsafeValue) -> Trouble {
    Trouble::yours(Kind::Other, format!("The credentials cannot be written: {error}."), "choose another format")
}

pub(super) fn console(arguments: &ConsoleArguments) -> Ended {
    let desk = Desk::open(&arguments.role.common)?;
    let role = desk.role(&arguments.role.role, "console")?;
    // What wants a code of a device has no way into the console, so the API reads none here.
    let asked = Asked { destination: arguments.destination.clone(), mfa_code: None, ..Asked::of(&role, &arguments.role.wish) };
    let (_, answer, _) = desk.insist(desk.token()?, asked, Api::console)?;
    let Some(url) = answer.into_url() else { return Err(desk.api()?.odd("an address")) };
    if !arguments.open {
        desk.voice.notice("Who opens this address is signed in as you: it is a secret.");
        print(url.expose_secret())?;
    } else if !opened(&url)? {
        return Err(Trouble::yours(
            Kind::Other,
            "The browser did not fetch the address.",
            "once more without --open, and open what is printed",
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens a secret address in the browser. What a browser is started with can be seen by everybody on the machine, so it is started with an
/// address of ours that leads there, once, and no other user of the machine.
fn opened(secret: &SecretString) -> Result<bool, Trouble> {
    let no_port = |error: io::Error| Trouble::yours(Kind::Other, format!("No port for the browser: {error}."), "leave out --open");
    let target = HeaderValue::from_str(secret.expose_secret()).ok();
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(no_port)?;
    let path = format!("/{}", login::random()?);
    let url = format!("http://{}{path}", listener.local_addr().map_err(no_port)?);
    let (sender, fetched) = mpsc::channel();
    let once = Mutex::new(target);
    let answer = Arc::new(move |ask: Ask| {
        let is_meant = ask.path == path && is_same_user(&ask.connection);
        let target = if is_meant { once.lock().ok().and_then(|mut once| once.take()) } else { None };
        let Some(target) = target else {
            return Reply::page(StatusCode::NOT_FOUND, "Not here", "This address led to the console once, and leads nowhere any more.");
        };
        // Nobody listens any more when it took too long.
        let _ = sender.send(());
        Reply { status: StatusCode::SEE_OTHER, body: Body::GoTo(target) }
    });
    let runtime = loopback::runtime().map_err(no_port)?;
    let server = runtime.spawn(loopback::serve(listener, answer));
    login::open(&url)?;
    let fetched = runtime.block_on(async {
        let fetched = tokio::task::spawn_blocking(move || fetched.recv_timeout(FETCH).is_ok()).await.unwrap_or(false);
        // The answer is still on its way to the browser.
        tokio::time::sleep(Duration::from_millis(200)).await;
        fetched
    });
    server.abort();
    runtime.shutdown_background();
    Ok(fetched)
}
