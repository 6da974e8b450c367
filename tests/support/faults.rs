//! A proxy before an STS that fails as networks and servers do: for what no real STS does on demand. What it lets through, it passes on as it is.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::random::Random;

/// How long what hangs does so: longer than anybody waits for one try, and shorter than for a whole assumption.
const HANG: Duration = Duration::from_secs(6);

/// One way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// A server's own error.
    Error500,
    /// A server that is overloaded, or a balancer before it.
    Error503,
    /// AWS's request to slow down.
    Throttling,
    /// AWS could not reach the issuer of the token.
    IdpCommunication,
    /// The connection breaks.
    Reset,
    /// No answer comes.
    Hang,
    /// The answer begins and does not go on.
    SlowBody,
    /// An answer that no STS gives.
    Garbage,
    /// Throttling that says for how many seconds.
    RetryAfter(u32),
    /// STS is switched off in this region, for this account.
    RegionDisabled,
    /// The proof, or the keys, have expired.
    Expired,
    /// A refusal with this code, which would be the same again.
    Refusal(&'static str),
}

impl Fault {
    /// What passes by itself.
    pub(crate) const PASSING: [Self; 8] =
        [Self::Error500, Self::Error503, Self::Throttling, Self::IdpCommunication, Self::Reset, Self::Hang, Self::SlowBody, Self::Garbage];

    /// What is sent; nothing for a fault that sends nothing.
    fn answer(self) -> Option<String> {
        match self {
            Self::Error500 => Some(error("500 Internal Server Error", "InternalFailure")),
            Self::Error503 => Some(http("503 Service Unavailable", "", "<html>busy</html>")),
            Self::Throttling => Some(error("400 Bad Request", "Throttling")),
            Self::RetryAfter(seconds) => {
                Some(error("400 Bad Request", "Throttling").replacen("\r\n", &format!("\r\nretry-after: {seconds}\r\n"), 1))
            }
            Self::IdpCommunication => Some(error("400 Bad Request", "IDPCommunicationError")),
            Self::RegionDisabled => Some(error("403 Forbidden", "RegionDisabledException")),
            Self::Expired => Some(error("400 Bad Request", "ExpiredTokenException")),
            Self::Refusal(code) => Some(error("400 Bad Request", code)),
            Self::Garbage => Some(http("200 OK", "", "<html>this is no STS</html>")),
            Self::SlowBody => Some("HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: 2000\r\n\r\n<AssumeRole".into()),
            Self::Reset | Self::Hang => None,
        }
    }
}

fn error(status: &str, code: &str) -> String {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>a fault of the test's</Message></Error><RequestId>fault</RequestId></ErrorResponse>"
    );
    http(status, "content-type: text/xml\r\n", &body)
}

fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

/// When the proxy fails.
pub(crate) enum Faults {
    /// Request by request, and then no more.
    Script(VecDeque<Option<Fault>>),
    /// Always in this way.
    Always(Fault),
    /// So many of a hundred requests, each in one of the ways that pass by themselves.
    Some(usize, Random),
}

impl Faults {
    fn next(&mut self) -> Option<Fault> {
        match self {
            Self::Script(faults) => faults.pop_front().flatten(),
            Self::Always(fault) => Some(*fault),
            Self::Some(percent, random) => random.chance(*percent).then(|| random.one_of(&Fault::PASSING)),
        }
    }
}

/// A request that came, and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Its headers.
    pub(crate) head: String,
    /// Its body.
    pub(crate) body: String,
    /// How it failed; none was passed on.
    pub(crate) fault: Option<Fault>,
}

/// The proxy, on a port of its own.
pub(crate) struct FaultProxy {
    /// Where it listens, without a slash at the end.
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl FaultProxy {
    /// Starts a proxy before `sts`.
    pub(crate) async fn start(sts: &str, faults: Faults) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (noted, faults, sts) = (Arc::clone(&seen), Arc::new(Mutex::new(faults)), Arc::<str>::from(sts));
        let client = reqwest::Client::builder().no_proxy().build().expect("an HTTP client can be made");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, client.clone(), Arc::clone(&sts), Arc::clone(&faults), Arc::clone(&noted)));
            }
        });
        Self { url, seen }
    }

    /// A proxy that fails so, request by request, and then no more.
    pub(crate) async fn scripted(sts: &str, faults: impl IntoIterator<Item = Option<Fault>>) -> Self {
        Self::start(sts, Faults::Script(faults.into_iter().collect())).await
    }

    /// The requests that came so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no test panics here").clone()
    }

    /// How many requests came.
    pub(crate) fn requests(&self) -> usize {
        self.seen().len()
    }
}

async fn serve(mut stream: TcpStream, client: reqwest::Client, sts: Arc<str>, faults: Arc<Mutex<Faults>>, seen: Arc<Mutex<Vec<Seen>>>) {
    let Some((head, body)) = read(&mut stream).await else { return };
    let fault = faults.lock().expect("no test panics here").next();
    seen.lock().expect("no test panics here").push(Seen { head, body: body.clone(), fault });
    if let Some(fault) = fault {
        fail(stream, fault).await;
    } else {
        pass_on(stream, &client, &sts, body).await;
    }
}

async fn fail(mut stream: TcpStream, fault: Fault) {
    if let Some(answer) = fault.answer() {
        drop(stream.write_all(answer.as_bytes()).await);
    }
    match fault {
        // Whoever closes with this set sends a reset, not an end.
        Fault::Reset => drop(stream.set_zero_linger()),
        Fault::Hang | Fault::SlowBody => tokio::time::sleep(HANG).await,
        _ => drop(stream.shutdown().await),
    }
}

/// Passes on what was asked; it may not be signed, as a signature is for one host.
async fn pass_on(mut stream: TcpStream, client: &reqwest::Client, sts: &str, body: String) {
    let request = client.post(format!("{sts}/")).header("content-type", "application/x-www-form-urlencoded").body(body);
    let answer = request.send().await.expect("the STS behind the proxy answers");
    let status = format!("{} X", answer.status().as_u16());
    let text = answer.text().await.expect("the STS behind the proxy answers whole");
    drop(stream.write_all(http(&status, "content-type: text/xml\r\n", &text).as_bytes()).await);
    drop(stream.shutdown().await);
}

/// Head and body of one request. None if its sender went away.
async fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(read.get(..end)?).into_owned();
            let small = head.to_ascii_lowercase();
            let length = small.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
            if let Some(body) = read.get(end + 4..end + 4 + length) {
                return Some((head, String::from_utf8_lossy(body).into_owned()));
            }
        }
        let mut some = [0; 8192];
        let count = stream.read(&mut some).await.ok().filter(|count| *count > 0)?;
        read.extend_from_slice(some.get(..count)?);
    }
}
