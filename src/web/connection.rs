//! Connections whose next request does not come to its end.
//!
//! The framework limits the time for a connection's first head, and closes a connection on which nothing arrives. Between the two is a gap:
//! who was answered once, and then sends the next head a byte at a time, is never cut off. Neither is a body that goes on after its answer.
//! So each answer sets a deadline, and the next whole head takes it back.

use std::any::Any;
use std::cell::Cell;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::rt::net::TcpStream as Wire;
use actix_web::rt::task::JoinHandle;
use tokio::time::Instant;

use crate::clock::Moment;
use crate::saml::Certificate;

/// How long a connection may idle after an answer before the framework closes it.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How often a connection is looked at: what stalls is cut off this much late at most.
const TICK: Duration = Duration::from_secs(1);

/// A connection under watch. It ends with the connection, and the watch with it.
pub(super) struct Connection {
    /// How long a head may take.
    head: Duration,
    /// When the client must have gone on; none while a request is being answered, which has limits of its own.
    deadline: Rc<Cell<Option<Instant>>>,
    /// The SHA-256 fingerprint of the certificate by which the client proved itself, if it did, and when that ends.
    certificate: Option<(String, Moment)>,
    /// One task for the whole connection: one for each answer would cost more than many an answer.
    watch: JoinHandle<()>,
}

impl Connection {
    /// Takes a connection that was just opened. None when the process may not open another handle: then it must not be kept.
    pub(super) fn opened(wire: &dyn Any, head: Duration) -> Option<Self> {
        // A handle of our own on the socket: the framework lends the connection only while it opens.
        let tls = wire.downcast_ref::<TlsStream<Wire>>().map(|stream| stream.get_ref());
        // It was verified before the connection was there.
        let certificate = tls.and_then(|(_, session)| session.peer_certificates()?.first());
        let certificate = certificate.and_then(|der| Certificate::from_der(der).ok());
        let certificate = certificate.map(|certificate| (certificate.fingerprint(), certificate.not_after()));
        let wire = wire.downcast_ref::<Wire>().or(tls.map(|(wire, _)| wire))?;
        let handle = wire.as_fd().try_clone_to_owned().ok()?;
        let socket = TcpStream::from(handle);
        let deadline = Rc::new(Cell::new(None::<Instant>));
        let watched = Rc::clone(&deadline);
        let watch = actix_web::rt::spawn(async move {
            while watched.get().is_none_or(|deadline| Instant::now() < deadline) {
                tokio::time::sleep(TICK).await;
            }
            // The framework reads the end of the stream, and drops the connection. It may have gone just now: nothing is left to do then.
            let _ = socket.shutdown(Shutdown::Both);
        });
        Some(Self { head, deadline, certificate, watch })
    }

    /// The SHA-256 fingerprint of the certificate by which the client proved itself, if it did. A connection may outlive it.
    pub(super) fn certificate(&self, now: Moment) -> Option<String> {
        self.certificate.as_ref().filter(|(_, ends)| now < *ends).map(|(fingerprint, _)| fingerprint.clone())
    }

    /// A whole head is here: whoever answers it has limits of their own.
    pub(super) fn asked(&self) {
        self.deadline.set(None);
    }

    /// It was answered: from now on the client has to go on, or to go. Who was refused may still be sending what nobody wants, and gets no
    /// more than the idle time.
    pub(super) fn answered(&self, refused: bool) {
        let allowed = if refused { KEEP_ALIVE } else { KEEP_ALIVE.saturating_add(self.head) };
        self.deadline.set(Some(Instant::now() + allowed));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.watch.abort();
    }
}
