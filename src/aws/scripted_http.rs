//! A scripted HTTP server on loopback: the double that stands in for STS and the sign-in endpoint in unit tests. It checks nothing and
//! answers each connection with the next line of its script; the last line repeats.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One line of the script.
#[derive(Clone)]
pub(super) enum Step {
    /// Answers with a status, extra header lines and a body.
    Answer(u16, &'static str, String),
    /// Answers after a while and keeps the connection for the next request.
    Keep(Duration, String),
    /// Takes the request and never answers.
    Hang,
    /// Takes the request and hangs up.
    HangUp,
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Request line and headers.
    pub(super) head: String,
    /// The body.
    pub(super) body: String,
}

/// The running double.
pub(super) struct ScriptedHttp {
    /// Its origin, `http://127.0.0.1:PORT`.
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
}

impl ScriptedHttp {
    /// Starts it with a script of at least one step.
    pub(super) async fn start(script: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, script.clone(), Arc::clone(&log)));
            }
        });
        Self { url, seen, connections }
    }

    /// How many connections were made so far.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The requests that came in so far.
    pub(super) fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, script: Vec<Step>, log: Arc<Mutex<Vec<Seen>>>) {
    let step = loop {
        let Some(request) = read(&mut stream).await else { return };
        let number = {
            let mut log = log.lock().unwrap();
            log.push(request);
            log.len() - 1
        };
        let step = script[number.min(script.len() - 1)].clone();
        let Step::Keep(after, body) = step else { break step };
        tokio::time::sleep(after).await;
        let answer = format!("HTTP/1.1 200 Scripted\r\ncontent-type: text/xml\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    };
    match step {
        Step::Answer(status, headers, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 {status} Scripted\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n");
            // The client may hang up first (a body over its cap); that is its right.
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(body.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Step::Hang => tokio::time::sleep(Duration::from_hours(1)).await,
        Step::Keep(..) | Step::HangUp => {}
    }
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.ok()?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Some(Seen { head: head.to_owned(), body: body.to_owned() });
            }
        }
        if count == 0 {
            return None;
        }
    }
}
