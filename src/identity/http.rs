//! Requests to identity providers, kept on a short lead: https only, no redirects, no proxy, time-outs, bounded bodies, and no way into
//! networks that the provider has no business in (server-side request forgery by a discovery document).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use openidconnect::{HttpRequest, HttpResponse};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tracing::Instrument;
use tracing::field::Empty;
use url::{Host, Url};

use crate::lasting::Lasting;
use crate::settings::{is_loopback, with_causes};
use crate::spans;

/// An answer longer than this, in bytes, is not read to its end, unless something else is said.
const MAX_BODY: usize = 1024 * 1024;
const CONNECT: Duration = Duration::from_secs(5);
const TOTAL: Duration = Duration::from_secs(10);
/// Where AWS keeps instance metadata over IPv6, in the midst of the unique local range.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// Which addresses a provider may be found at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// Private and loopback addresses too, by the administrator's word (`private_network`).
    pub(super) private: bool,
    /// Loopback, and plain http there: the issuer itself is written as `http://` at a loopback address.
    pub(super) plain_loopback: bool,
}

impl Reach {
    /// Whether a URL may be asked at all, before any name is resolved.
    ///
    /// # Errors
    /// [`HttpError::NotHttps`], [`HttpError::OddUrl`] or [`HttpError::Address`].
    pub(super) fn check(self, url: &Url) -> Result<(), HttpError> {
        self.check_scheme(url)?;
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(HttpError::OddUrl(url.to_string())),
        };
        if self.allows(address) { Ok(()) } else { Err(HttpError::Address(url.to_string())) }
    }

    /// Whether a URL that a browser will visit is https, or http at a loopback host where that is allowed.
    ///
    /// # Errors
    /// [`HttpError::NotHttps`], or [`HttpError::OddUrl`] for credentials in the URL.
    pub(super) fn check_scheme(self, url: &Url) -> Result<(), HttpError> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(HttpError::OddUrl("a URL with a user name in it".into()));
        }
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.plain_loopback && is_loopback(url) => Ok(()),
            _ => Err(HttpError::NotHttps(url.to_string())),
        }
    }

    /// Whether a provider may be found at the address.
    fn allows(self, address: IpAddr) -> bool {
        match place(address) {
            Place::Public => true,
            Place::Private => self.private,
            Place::Loopback => self.private || self.plain_loopback,
            Place::Never => false,
        }
    }
}

/// Why a request was not made, or brought nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// The URL is not one that may be asked.
    #[error("{0} is not https")]
    NotHttps(String),
    /// The URL carries a user name or password, or no host.
    #[error("{0} is not a plain URL of a host")]
    OddUrl(String),
    /// The address is not one that this provider may be found at.
    #[error("{0} is at an address that is not public: set `private_network = true` if the provider really stands there")]
    Address(String),
    /// The answer is longer than any honest one.
    #[error("the answer is longer than {0} MiB")]
    TooLong(usize),
    /// The connection failed, or took too long.
    #[error("{0}")]
    Transport(String),
}

/// The one client that all requests to a provider go through. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    lasting: Lasting,
    reach: Reach,
    longest: usize,
}

impl Http {
    /// A client for one provider; with `authority` (PEM) only certificates that it signed are trusted.
    ///
    /// # Errors
    /// When the certificates cannot be read, or the system's own cannot be found.
    pub(super) fn new(reach: Reach, authority: Option<&[u8]>) -> Result<Self, String> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .pool_idle_timeout(Duration::from_secs(30))
            .https_only(!reach.plain_loopback)
            .user_agent(concat!("rolegate/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Guarded(reach)));
        if let Some(pem) = authority {
            let roots = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| error.to_string())?;
            if roots.is_empty() {
                return Err("it has no certificate in it".into());
            }
            builder = builder.tls_certs_only(roots);
        } else if reach.plain_loopback {
            // Nothing at a plain loopback issuer needs the system's certificates, which take long to load.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| with_causes(&error))?;
        Ok(Self { client, lasting: Lasting::here(), reach, longest: MAX_BODY })
    }

    /// Sends a request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// [`HttpError`], without anything of the request's body or headers in it.
    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = reqwest::Request::try_from(request).map_err(|error| HttpError::Transport(with_causes(&error)))?;
        self.reach.check(request.url())?;
        let span = tracing::trace_span!(
            target: spans::TARGET,
            "provider",
            otel.kind = "client",
            otel.name = request.method().as_str(),
            http.request.method = request.method().as_str(),
            server.address = request.url().host_str(),
            http.response.status_code = Empty,
        );
        let exchanged = self.lasting.run(exchange(self.client.clone(), request, self.longest)).instrument(span.clone()).await;
        if let Ok(answer) = &exchanged {
            span.record("http.response.status_code", i64::from(answer.status().as_u16()));
        }
        exchanged
    }

    /// The same client for answers of up to so many bytes.
    pub(super) fn up_to(self, longest: usize) -> Self {
        Self { longest, ..self }
    }

    /// Fetches a JSON document; anything but status 200 is an error.
    ///
    /// # Errors
    /// A sentence that names the URL and what is wrong.
    pub(super) async fn get(&self, url: &Url, bearer: Option<&str>) -> Result<Vec<u8>, String> {
        self.get_as("application/json", url, bearer).await
    }

    /// Fetches a document of some type; anything but status 200 is an error.
    ///
    /// # Errors
    /// As [`Http::get`].
    pub(super) async fn get_as(&self, accept: &str, url: &Url, bearer: Option<&str>) -> Result<Vec<u8>, String> {
        let mut request = openidconnect::http::Request::get(url.as_str()).header("accept", accept);
        if let Some(token) = bearer {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Vec::new()).map_err(|_| format!("{url} cannot be asked"))?;
        let answer = self.send(request).await.map_err(|error| format!("{url}: {error}"))?;
        match answer.status().as_u16() {
            200 => Ok(answer.into_body()),
            301..=308 => Err(format!("{url} answered with a redirect, which is not followed")),
            status => Err(format!("{url} answered with status {status}")),
        }
    }
}

async fn exchange(client: reqwest::Client, request: reqwest::Request, longest: usize) -> Result<HttpResponse, HttpError> {
    let broken = |error: reqwest::Error| HttpError::Transport(with_causes(&error.without_url()));
    let mut response = client.execute(request).await.map_err(broken)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > longest {
            return Err(HttpError::TooLong(longest >> 20));
        }
        body.extend_from_slice(&chunk);
    }
    let mut answer = HttpResponse::new(body);
    *answer.status_mut() = response.status();
    std::mem::swap(answer.headers_mut(), response.headers_mut());
    Ok(answer)
}

/// Resolves names, and keeps silent about addresses that are out of reach. It stands between name and connection, so a name that
/// changes its address between a check and its use gains nothing.
#[derive(Debug, Clone, Copy)]
struct Guarded(Reach);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            // `localhost` is a promise that the hosts file could break.
            let allowed = |address: &SocketAddr| reach.allows(address.ip()) && (host != "localhost" || address.ip().is_loopback());
            let kept: Vec<SocketAddr> = found.into_iter().filter(allowed).collect();
            if kept.is_empty() {
                return Err(HttpError::Address(host).into());
            }
            Ok(Box::new(kept.into_iter()) as Addrs)
        })
    }
}

/// Where an address lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Public,
    Private,
    Loopback,
    /// No provider stands there: link-local (where clouds keep instance metadata), multicast, documentation, reserved.
    Never,
}

fn place(address: IpAddr) -> Place {
    match address {
        IpAddr::V4(v4) => place_v4(v4),
        IpAddr::V6(v6) => place_v6(v6),
    }
}

/// By the IANA special-purpose registry for IPv4 (RFC 6890).
fn place_v4(address: Ipv4Addr) -> Place {
    match address.octets() {
        [127, ..] => Place::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Place::Private,
        [0 | 224..=255, ..]
        | [169, 254, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Place::Never,
        _ => Place::Public,
    }
}

/// By the IANA special-purpose registry for IPv6. Addresses that carry an IPv4 one are judged by what they carry.
fn place_v6(address: Ipv6Addr) -> Place {
    let carried = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        place_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Place::Loopback,
        // Mapped addresses, and those of DNS64 (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => carried(high, low),
        // Unique local addresses, but for the metadata service of AWS.
        [0xfc00..=0xfdff, ..] if address != METADATA_V6 => Place::Private,
        // Teredo and other protocol assignments, documentation, 6to4.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => Place::Never,
        [0x2000..=0x3fff, ..] => Place::Public,
        _ => Place::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn addresses_are_sorted_by_where_they_lie() {
        for public in ["8.8.8.8", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"] {
            assert_eq!(place(public.parse().unwrap()), Place::Public, "{public}");
        }
        for private in ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd12::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"] {
            assert_eq!(place(private.parse().unwrap()), Place::Private, "{private}");
        }
        for loopback in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(place(loopback.parse().unwrap()), Place::Loopback, "{loopback}");
        }
        for never in [
            "169.254.169.254",
            "fd00:ec2::254",
            "fe80::1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "fec0::1",
            "::ffff:169.254.169.254",
            "198.18.0.1",
        ] {
            assert_eq!(place(never.parse().unwrap()), Place::Never, "{never}");
        }
    }

    #[test]
    fn o10_only_public_https_is_asked_unless_the_settings_say_otherwise() {
        let strict = Reach::default();
        assert!(strict.check(&url("https://login.example.org/x")).is_ok());
        assert!(matches!(strict.check(&url("http://login.example.org/x")), Err(HttpError::NotHttps(_))));
        assert!(matches!(strict.check(&url("file:///etc/passwd")), Err(HttpError::NotHttps(_))));
        assert!(matches!(strict.check(&url("https://user:pw@example.org/")), Err(HttpError::OddUrl(_))));
        for inside in ["https://127.0.0.1/", "https://10.0.0.1/", "https://[::1]/", "https://0x7f.1/", "https://2130706433/"] {
            assert!(matches!(strict.check(&url(inside)), Err(HttpError::Address(_))), "{inside}");
        }
        let private = Reach { private: true, plain_loopback: false };
        assert!(private.check(&url("https://10.0.0.1/")).is_ok());
        assert!(matches!(private.check(&url("http://127.0.0.1/")), Err(HttpError::NotHttps(_))));
        assert!(matches!(private.check(&url("https://169.254.169.254/")), Err(HttpError::Address(_))));
        let plain = Reach { private: false, plain_loopback: true };
        assert!(plain.check(&url("http://localhost:8080/")).is_ok());
        assert!(matches!(plain.check(&url("http://10.0.0.1/")), Err(HttpError::NotHttps(_))));
        assert!(matches!(plain.check(&url("http://example.org/")), Err(HttpError::NotHttps(_))));
    }

    #[tokio::test]
    async fn o10_a_name_that_leads_inside_is_not_connected_to() {
        let name = || "localhost".parse::<Name>().unwrap();
        assert!(Guarded(Reach { private: true, plain_loopback: false }).resolve(name()).await.is_ok());
        let refused = Guarded(Reach::default()).resolve(name()).await.err().unwrap();
        assert!(refused.to_string().contains("not public"), "{refused}");
    }
}
