//! Connections whose next request does not come to its end.
//!
//! The framework limits the time for a connection's first head, and closes a connection on which nothing arrives. Between the two is a gap:
//! who was answered once, and then sends the next head a byte at a time, is never cut off. Neither is a body that goes on after its answer.
//! So each answer starts a watch, and the next whole head ends it.

use std::any::Any;
use std::cell::Cell;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::net::TcpStream as Wire;
use actix_web::rt::task::JoinHandle;

/// How long a connection may idle after an answer before the framework closes it.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A connection under watch. It ends with the connection, and the watch with it.
pub(super) struct Connection {
    /// A handle of our own on the socket: the framework lends the connection only while it opens.
    socket: Rc<TcpStream>,
    /// How long a head may take.
    head: Duration,
    watch: Cell<Option<JoinHandle<()>>>,
}

impl Connection {
    /// Takes a connection that was just opened. None when the process may not open another handle: then it must not be kept.
    pub(super) fn opened(wire: &dyn Any, head: Duration) -> Option<Self> {
        let handle = wire.downcast_ref::<Wire>()?.as_fd().try_clone_to_owned().ok()?;
        Some(Self { socket: Rc::new(handle.into()), head, watch: Cell::new(None) })
    }

    /// A whole head is here: whoever answers it has limits of their own.
    pub(super) fn asked(&self) {
        if let Some(watch) = self.watch.take() {
            watch.abort();
        }
    }

    /// It was answered: from now on the client has to go on, or to go. Who was refused may still be sending what nobody wants, and gets no
    /// more than the idle time.
    pub(super) fn answered(&self, refused: bool) {
        let allowed = if refused { KEEP_ALIVE } else { KEEP_ALIVE.saturating_add(self.head) };
        let socket = Rc::clone(&self.socket);
        let watch = actix_web::rt::spawn(async move {
            tokio::time::sleep(allowed).await;
            // The framework reads the end of the stream, and drops the connection. It may have gone just now: nothing is left to do then.
            let _ = socket.shutdown(Shutdown::Both);
        });
        self.watch.set(Some(watch));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.asked();
    }
}
