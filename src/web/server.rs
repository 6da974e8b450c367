//! The HTTP server: limits, time-outs, and an orderly end.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};

use super::connection::{Connection, KEEP_ALIVE};
use super::guard::guard;
use super::site::Site;
use super::trouble::PageError;
use super::unfit::unread;

/// How the server takes care of itself.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Worker threads; none for one a core.
    pub workers: Option<usize>,
    /// How long a client may take to send a request's head.
    pub request_timeout: Duration,
    /// How long requests in flight may take when the server stops.
    pub shutdown_grace: Duration,
}

/// How many clients may be saying hello by TLS at once, for each worker. While so many do, nobody else's connection is taken, and one who says nothing
/// is waited for three seconds: the framework's 256 would let a single address keep everybody out.
const HANDSHAKES: usize = 16_384;

/// A server that runs until it is told to stop.
pub struct Running {
    handle: ServerHandle,
    task: tokio::task::JoinHandle<io::Result<()>>,
    address: SocketAddr,
}

impl Running {
    /// Runs a server beside what is done.
    pub(super) fn start(server: Server, address: SocketAddr) -> Self {
        Self { handle: server.handle(), task: tokio::spawn(server), address }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets requests in flight finish, and stops.
    ///
    /// # Errors
    /// What the server ended with.
    pub async fn stop(self) -> io::Result<()> {
        self.handle.stop(true).await;
        self.task.await.unwrap_or(Ok(()))
    }
}

/// Serves a site on a listener. Who keeps a share of it can look at its gateway while it runs, and give it another policy.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(site: impl Into<Arc<Site>>, listener: TcpListener, options: &ServerOptions) -> io::Result<Running> {
    let address = listener.local_addr()?;
    let site: web::Data<Site> = web::Data::from(site.into());
    let (body_limit, tls) = (site.settings.body_limit, site.tls.clone());
    let head = options.request_timeout;
    let mut server = HttpServer::new(move || {
        App::new()
            .app_data(site.clone())
            .app_data(web::FormConfig::default().limit(body_limit).error_handler(|error, _| unread(&error).into()))
            .app_data(web::QueryConfig::default().error_handler(|_, _| PageError::Unreadable.into()))
            .app_data(web::PathConfig::default().error_handler(|_, _| PageError::NotFound.into()))
            .app_data(web::PayloadConfig::new(body_limit))
            .wrap(from_fn(guard))
            .configure(|config| super::routes(config, &site))
    })
    .client_request_timeout(head)
    .keep_alive(KEEP_ALIVE)
    .on_connect(move |wire, data| {
        if let Some(connection) = Connection::opened(wire, head) {
            data.insert(connection);
        }
    })
    .max_connection_rate(HANDSHAKES)
    .shutdown_timeout(options.shutdown_grace.as_secs())
    .disable_signals();
    if let Some(workers) = options.workers {
        server = server.workers(workers);
    }
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls.server_config().map_err(io::Error::other)?)?,
        None => server.listen(listener)?,
    };
    Ok(Running::start(server.run(), address))
}
