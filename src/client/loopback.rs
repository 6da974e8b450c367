//! A small HTTP server that only this machine can reach: for the browser's way back after a sign-in, and for `rolegate agent`.
//!
//! A page of any site may send requests to this machine's addresses, so each request must name the address itself as its host: under a name of
//! its own that a page had resolve to this machine (DNS rebinding), it is refused.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, LOCATION, REFERRER_POLICY};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;

/// Connections at a time.
const CONNECTIONS: usize = 64;
/// How long the head of a request may take: all users of this machine can open connections, and take all the places.
const HEAD: Duration = Duration::from_secs(2);

/// A request: all are GET, and what they send along is not read.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) path: String,
    pub(super) query: String,
    pub(super) authorization: Option<HeaderValue>,
    /// The connection it came by.
    pub(super) connection: Connection,
}

/// The two ends of a connection over loopback.
#[derive(Debug, Clone, Copy)]
pub(super) struct Connection {
    pub(super) theirs: SocketAddr,
    pub(super) ours: SocketAddr,
}

/// What is answered.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Body,
}

/// What an answer holds.
pub(super) enum Body {
    /// A page; it loads nothing.
    Html(String),
    Json(String),
    /// The way to another address.
    GoTo(HeaderValue),
}

impl Reply {
    pub(super) fn page(status: StatusCode, title: &str, text: &str) -> Self {
        let html = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><body><h1>{title}</h1><p>{text}</p></body></html>\n"
        );
        Self { status, body: Body::Html(html) }
    }

    pub(super) fn json(status: StatusCode, value: &serde_json::Value) -> Self {
        Self { status, body: Body::Json(value.to_string()) }
    }
}

/// A runtime on this thread, for what waits for requests.
pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Answers requests until it is dropped. Each is answered on a thread of its own, since it may wait for the gateway or for a person.
pub(super) async fn serve(listener: TcpListener, answer: Arc<dyn Fn(Ask) -> Reply + Send + Sync>) -> io::Result<()> {
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
        let Ok((stream, theirs)) = listener.accept().await else { continue };
        let answer = Arc::clone(&answer);
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(request, Connection { theirs, ours: address }, Arc::clone(&answer)));
            // A connection that breaks off is its client's affair.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(place);
        });
    }
}

async fn respond(
    request: Request<Incoming>,
    connection: Connection,
    answer: Arc<dyn Fn(Ask) -> Reply + Send + Sync>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let reply = match read(&request, connection) {
        Err(refused) => refused,
        Ok(ask) => tokio::task::spawn_blocking(move || answer(ask)).await.unwrap_or_else(|_| failed()),
    };
    Ok(render(reply))
}

fn read(request: &Request<Incoming>, connection: Connection) -> Result<Ask, Reply> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_our_host(host, connection.ours) || request.headers().get_all(HOST).iter().count() != 1 {
        return Err(Reply::page(StatusCode::MISDIRECTED_REQUEST, "Not here", "This address is for programs of this machine."));
    }
    if request.method() != Method::GET {
        return Err(Reply::page(StatusCode::METHOD_NOT_ALLOWED, "Not so", "Only GET is answered."));
    }
    let headers: Vec<_> = request.headers().get_all(AUTHORIZATION).iter().collect();
    Ok(Ask {
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        authorization: if let [one] = headers.as_slice() { Some((*one).clone()) } else { None },
        connection,
    })
}

/// Whether a `Host` header names the address itself. `localhost` is never resolved by a stranger's server (RFC 6761, section 6.3).
fn is_our_host(host: &str, address: SocketAddr) -> bool {
    host == address.to_string() || host.eq_ignore_ascii_case(&format!("localhost:{}", address.port()))
}

fn failed() -> Reply {
    Reply::page(StatusCode::INTERNAL_SERVER_ERROR, "That went wrong", "The command line says more.")
}

fn render(reply: Reply) -> Response<Full<Bytes>> {
    let mut location = None;
    let (kind, body) = match reply.body {
        Body::Html(body) => ("text/html; charset=utf-8", body),
        Body::Json(body) => ("application/json", body),
        Body::GoTo(address) => {
            location = Some(address);
            ("text/plain; charset=utf-8", String::new())
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    headers.extend(location.map(|location| (LOCATION, location)));
    response
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    /// What a server that echoes the path and the authorization answers to raw bytes.
    fn answer_to(request: &str) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(|ask: Ask| Reply {
            status: StatusCode::OK,
            body: Body::Json(format!("{}?{} {:?}", ask.path, ask.query, ask.authorization)),
        });
        std::thread::spawn(move || runtime().unwrap().block_on(serve(listener, answer)));
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.replace("HERE", &address.to_string()).replace("PORT", &address.port().to_string()).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn only_requests_to_the_address_itself_are_answered() {
        for host in ["HERE", "localhost:PORT", "LOCALHOST:PORT"] {
            let answer = answer_to(&format!("GET /a?b HTTP/1.1\r\nHost: {host}\r\nAuthorization: x\r\nConnection: close\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("/a?b Some(\"x\")"), "{answer}");
            assert!(
                answer.contains("cache-control: no-store") && answer.contains("content-security-policy: default-src 'none'"),
                "{answer}"
            );
        }
        for host in
            ["Host: evil.example:PORT", "Host: 127.0.0.1", "Host: 127.0.0.1.evil.example:PORT", "Host:", "X: y", "Host: HERE\r\nHost: HERE"]
        {
            let answer = answer_to(&format!("GET / HTTP/1.1\r\n{host}\r\nConnection: close\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 421") || answer.starts_with("HTTP/1.1 400"), "{host}: {answer}");
        }
        let answer = answer_to("POST / HTTP/1.1\r\nHost: HERE\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
        let twice = answer_to("GET / HTTP/1.1\r\nHost: HERE\r\nAuthorization: x\r\nAuthorization: y\r\nConnection: close\r\n\r\n");
        assert!(twice.ends_with("None"), "{twice}");
    }

    #[test]
    fn who_does_not_end_a_request_does_not_keep_a_place() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(|_: Ask| Reply::page(StatusCode::OK, "", ""));
        std::thread::spawn(move || runtime().unwrap().block_on(serve(listener, answer)));
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(6))).unwrap();
        stream.read_to_end(&mut Vec::new()).expect("the connection is closed within six seconds");
    }
}
