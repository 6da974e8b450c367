//! Connections to a collector: TCP, with TLS or without.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_tcp_user_timeout;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

/// How long it is listened, at most, after a handshake for a collector that does not want us.
const HEAR: Duration = Duration::from_millis(500);

/// Where a collector listens.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Option<Tls>,
}

/// How the other side proves that it is the one that is meant.
#[derive(Clone)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// For a host, whose certificate one of these authorities (PEM) must have signed, or one that the system trusts.
    ///
    /// # Errors
    /// What is wrong with the certificates, or with the name of the host.
    pub(super) fn new(host: &str, authority: Option<&[u8]>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        if let Some(pem) = authority {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                roots.add(certificate.map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
            }
        } else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if roots.is_empty() {
            return Err("there is no certificate of an authority".to_owned());
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        Ok(Self { config: Arc::new(builder.with_root_certificates(roots).with_no_client_auth()), name })
    }
}

/// A connection.
pub(super) enum Link {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Place {
    /// Connects, and knows by then who is there if there is TLS. Neither this nor a write lasts much longer than `patience` without anything going on.
    pub(super) fn connect(&self, patience: Duration) -> io::Result<Link> {
        let stream = reach(&self.host, self.port, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        // A line is wanted there at once, and not with the next one.
        stream.set_nodelay(true)?;
        // Where nothing is acknowledged any more, the system would go on taking lines for a quarter of an hour.
        set_tcp_user_timeout(&stream, u32::try_from(patience.as_millis()).unwrap_or(u32::MAX))?;
        let Some(tls) = &self.tls else { return Ok(Link::Plain(stream)) };
        let connection = ClientConnection::new(Arc::clone(&tls.config), tls.name.clone()).map_err(io::Error::other)?;
        let mut link = StreamOwned::new(connection, stream);
        while link.conn.is_handshaking() {
            link.conn.complete_io(&mut link.sock).map_err(in_time)?;
        }
        hear(&mut link, HEAR.min(patience / 4))?;
        link.sock.set_read_timeout(Some(patience))?;
        Ok(Link::Tls(Box::new(link)))
    }
}

impl Link {
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
        .map_err(in_time)
    }

    /// Whether the other side is known to have closed it. Nothing is waited for; what it says otherwise is not of interest.
    pub(super) fn is_closed(&mut self) -> bool {
        let socket = match self {
            Self::Plain(stream) => &*stream,
            Self::Tls(stream) => &stream.sock,
        };
        if socket.set_nonblocking(true).is_err() {
            return true;
        }
        let is_closed = match self {
            Self::Plain(stream) => is_at_its_end(stream),
            Self::Tls(stream) => is_at_its_end(&mut **stream),
        };
        let socket = match self {
            Self::Plain(stream) => &*stream,
            Self::Tls(stream) => &stream.sock,
        };
        socket.set_nonblocking(false).is_err() || is_closed
    }
}

/// Hears whether the other side is content, where TLS 1.3 lets us be the first to be: one that wants a certificate of ours says no only afterwards. What
/// was written by then would be lost, and nobody told. Most servers say something at once in either case: a ticket, or the alert.
fn hear(link: &mut StreamOwned<ClientConnection, TcpStream>, how_long: Duration) -> io::Result<()> {
    if link.conn.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return Ok(());
    }
    while link.conn.wants_write() {
        link.conn.write_tls(&mut link.sock).map_err(in_time)?;
    }
    link.sock.set_read_timeout(Some(how_long))?;
    match link.conn.read_tls(&mut link.sock) {
        Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection after the handshake")),
        Ok(_) => link.conn.process_new_packets().map(|_| ()).map_err(io::Error::other),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(()),
        Err(error) => Err(error),
    }
}

fn is_at_its_end(stream: &mut impl Read) -> bool {
    let mut said = [0; 512];
    // A collector has little to say; one that talks without end is none.
    for _ in 0..64 {
        match stream.read(&mut said) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
    true
}

/// The first of a host's addresses that somebody listens at.
fn reach(host: &str, port: u16, patience: Duration) -> io::Result<TcpStream> {
    let until = Instant::now() + patience;
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for address in (host, port).to_socket_addrs()? {
        let rest = until.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not answer in time"));
        }
        match TcpStream::connect_timeout(&address, rest) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// A socket says of an end of its patience that it would block.
fn in_time(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "it does not answer in time"),
        _ => error,
    }
}
