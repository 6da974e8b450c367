//! `rolegate agent`: credentials for programs of this machine, over the protocol of a container's credentials (AWS SDKs and Tools Reference
//! Guide, "Container credential provider"), renewed as they are asked for.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitCode, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use chrono::SecondsFormat;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use rustix::process::{Pid, Signal, kill_process};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::api::Credentials;
use super::cli::{AgentArguments, Ended, Shell};
use super::desk::{Common, Desk, Percent, Wish};
use super::loopback::{self, Ask, Reply};
use super::places::{self, Places};
use super::target::Target;
use super::trouble::{Kind, Trouble};
use super::voice::{Voice, print};
use super::{aws_files, issue, login};

const PATH: &str = "/credentials";
const URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// What answers requests.
struct Agent {
    common: Common,
    role: Target,
    wish: Wish,
    /// What who asks must know.
    token: SecretString,
    /// Whether the credentials are being renewed while those of before are handed out.
    renewing: AtomicBool,
}

/// An agent that is ready to answer.
struct Ready {
    listener: TcpListener,
    address: SocketAddr,
    agent: Arc<Agent>,
}

impl Ready {
    /// Gets the first credentials, so that what is wrong is known before anybody asks, and a port.
    fn prepare(arguments: &AgentArguments) -> Result<Self, Trouble> {
        let ip = arguments.listen.ip();
        if ip != Ipv4Addr::LOCALHOST && ip != Ipv6Addr::LOCALHOST {
            let happened = format!("{ip} is not 127.0.0.1 or [::1]: other machines could ask for your credentials.");
            return Err(Trouble::yours(Kind::Usage, happened, "leave --listen out, or name one of these"));
        }
        let role = &arguments.role;
        let desk = Desk::open(&role.common)?;
        let arn = desk.role(&role.role, "credentials")?;
        let (_, reason) = desk.credentials_and_reason(&arn, &role.wish, Percent::AGENT)?;
        let busy = |error: io::Error| {
            Trouble::yours(
                Kind::Other,
                format!("{} cannot be listened on: {error}.", arguments.listen),
                "choose another port with --listen, or 0 for any",
            )
        };
        let listener = TcpListener::bind(arguments.listen).map_err(busy)?;
        let address = listener.local_addr().map_err(busy)?;
        // A code is good for once, and what is renewed is new anyway.
        let wish = Wish { mfa_code: None, fresh: false, reason, ..role.wish.clone() };
        // What is typed while a command runs is that command's.
        let voice = Voice { asks_nobody: !arguments.command.is_empty(), ..role.common.voice };
        let common = Common { voice, ..role.common.clone() };
        let agent = Agent { common, role: arn, wish, token: login::random()?.into(), renewing: AtomicBool::new(false) };
        Ok(Self { listener, address, agent: Arc::new(agent) })
    }

    fn uri(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    async fn serve(self) -> io::Result<()> {
        let agent = self.agent;
        loopback::serve(self.listener, Arc::new(move |ask| agent.answer(&ask))).await
    }
}

impl Agent {
    fn answer(self: &Arc<Self>, ask: &Ask) -> Reply {
        if ask.path != PATH {
            return refusal(StatusCode::NOT_FOUND, "NotFound", &format!("credentials are at {PATH}"));
        }
        let given = ask.authorization.as_ref().map(HeaderValue::as_bytes).unwrap_or_default();
        if verify_slices_are_equal(given, self.token.expose_secret().as_bytes()).is_err() {
            return refusal(StatusCode::UNAUTHORIZED, "Unauthorized", &format!("the header Authorization must be what {TOKEN} says"));
        }
        match self.credentials() {
            Ok(credentials) => handed(&credentials, &self.role),
            Err(trouble) => {
                self.common.voice.error(&trouble);
                let status = match trouble.kind {
                    Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                    Kind::Refused | Kind::SignIn | Kind::MoreNeeded => StatusCode::FORBIDDEN,
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                refusal(status, "CredentialsUnavailable", &trouble.to_string())
            }
        }
    }

    /// Programs wait some seconds and then give up, and a renewal may want a person: while the credentials of before are good, they are handed
    /// out and renewed beside.
    fn credentials(self: &Arc<Self>) -> Result<Credentials, Trouble> {
        let desk = Desk::open(&self.common)?;
        if let Some(kept) = desk.kept(&self.role, &self.wish, Percent::AGENT) {
            return Ok(kept);
        }
        let Some(old) = desk.kept(&self.role, &self.wish, Percent::LAST_RESORT) else { return self.renew() };
        if !self.renewing.swap(true, Ordering::AcqRel) {
            let agent = Arc::clone(self);
            std::thread::spawn(move || {
                if let Err(trouble) = agent.renew() {
                    agent.common.voice.error(&trouble);
                }
                agent.renewing.store(false, Ordering::Release);
            });
        }
        Ok(old)
    }

    fn renew(&self) -> Result<Credentials, Trouble> {
        Desk::open(&self.common)?.credentials(&self.role, &self.wish, Percent::AGENT)
    }
}

fn handed(credentials: &Credentials, role: &Target) -> Reply {
    let mut told = json!({
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key.expose_secret(),
        "Token": credentials.session_token.expose_secret(),
        "Expiration": credentials.expires.to_rfc3339_opts(SecondsFormat::Secs, true),
    });
    // What is no role has no ARN.
    if let Some(members) = told.as_object_mut().filter(|_| role.as_str().starts_with("arn:")) {
        members.insert("RoleArn".to_owned(), role.as_str().into());
    }
    Reply::json(StatusCode::OK, &told)
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({ "code": code, "message": message }))
}

/// Answers until it is asked to stop.
pub(super) fn serve(arguments: &AgentArguments) -> Ended {
    if let Some(path) = &arguments.token_file
        && places::read(path)?.is_some_and(|bytes| !login::is_random(&bytes))
    {
        let happened = format!("{} is there already, and holds no token of an agent's.", path.display());
        return Err(Trouble::yours(Kind::Usage, happened, "name another file, or remove it"));
    }
    let ready = Ready::prepare(arguments)?;
    let uri = ready.uri();
    let token = ready.agent.token.clone();
    let voice = arguments.role.common.voice;
    if let Some(path) = &arguments.token_file {
        places::write(path, token.expose_secret().as_bytes())?;
    }
    if voice.json {
        let mut told = json!({ "uri": uri });
        let (name, value) = match &arguments.token_file {
            Some(path) => ("token_file", path.display().to_string()),
            None => ("token", token.expose_secret().to_owned()),
        };
        told.as_object_mut().and_then(|told| told.insert(name.to_owned(), value.into()));
        voice.result_json(&told)?;
    } else {
        let path = arguments.token_file.as_deref().map(std::path::absolute).transpose().map_err(no_runtime)?;
        let path = path.map(|path| path.display().to_string());
        let proof = path.as_deref().map_or((TOKEN, token.expose_secret()), |path| (TOKEN_FILE, path));
        let lines = Shell::or_usual(arguments.shell).format().assignments(&[(URI, uri.as_str()), proof]).map_err(issue::unsafe_value)?;
        print(lines.trim_end())?;
    }
    voice.notice("Credentials are handed out until this is stopped with Ctrl-C.");
    let runtime = loopback::runtime().map_err(no_runtime)?;
    let served = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            served = ready.serve() => served,
            _ = terminate.recv() => Ok(()),
            interrupted = tokio::signal::ctrl_c() => interrupted,
        }
    });
    runtime.shutdown_background();
    if let Some(path) = &arguments.token_file {
        places::remove(path)?;
    }
    served.map_err(no_runtime)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs a command with an agent of its own, which ends with it.
pub(super) fn run(arguments: &AgentArguments) -> Ended {
    let ready = Ready::prepare(arguments)?;
    let mut command = issue::prepared(&arguments.command, arguments.region.as_ref())?;
    aws_files::hide(&mut command, &Places::find()?.home)?;
    command.env(URI, ready.uri()).env(TOKEN, ready.agent.token.expose_secret());
    let runtime = loopback::runtime().map_err(no_runtime)?;
    let status = runtime.block_on(async {
        // Before the command begins, so that no signal is lost.
        let signals = Signals::catch().map_err(no_runtime)?;
        let child = command.spawn().map_err(|error| issue::not_started(&command, &error))?;
        tokio::spawn(ready.serve());
        wait(child, signals).await.map_err(no_runtime)
    });
    runtime.shutdown_background();
    let status = status?;
    // As shells say it: 128 and the signal that ended it.
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code & 0xff).unwrap_or(1)))
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
fn no_runtime(error: io::Error) -> Trouble {
    Trouble::yours(Kind::Other, format!("The agent cannot run: {error}."), "see what the system is short of")
}

/// Signals that are passed on.
struct Signals(Vec<(tokio::signal::unix::Signal, Signal)>);

impl Signals {
    fn catch() -> io::Result<Self> {
        let kinds = [
            (SignalKind::terminate(), Signal::TERM),
            (SignalKind::hangup(), Signal::HUP),
            (SignalKind::interrupt(), Signal::INT),
            (SignalKind::quit(), Signal::QUIT),
            (SignalKind::user_defined1(), Signal::USR1),
            (SignalKind::user_defined2(), Signal::USR2),
        ];
        kinds.into_iter().map(|(kind, number)| Ok((signal(kind)?, number))).collect::<io::Result<_>>().map(Self)
    }

    /// The next one that came.
    async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            let came = self.0.iter_mut().find_map(|(signal, number)| signal.poll_recv(context).is_ready().then_some(*number));
            came.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
        })
        .await
    }
}

/// Waits for a command's end and passes signals on.
async fn wait(mut child: Child, mut signals: Signals) -> io::Result<ExitStatus> {
    let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // What is typed at a terminal (Ctrl-C, Ctrl-\) reaches the command from there as well: twice would be once too often.
    let has_terminal = File::open("/dev/tty").is_ok();
    let ended = tokio::task::spawn_blocking(move || child.wait());
    tokio::pin!(ended);
    loop {
        tokio::select! {
            ended = &mut ended => return ended.map_err(io::Error::other)?,
            came = signals.next() => {
                let is_typed = has_terminal && matches!(came, Signal::INT | Signal::QUIT);
                if let Some(process) = process.filter(|_| !is_typed) {
                    // It may have ended just now.
                    let _ = kill_process(process, came);
                }
            }
        }
    }
}
