//! The addresses that the gateway listens on.

use std::io;
use std::net::{SocketAddr, TcpListener};

use crate::config::{Config, Findings};
use crate::settings::Problem;

/// Opens the address that the configuration names.
///
/// # Errors
/// A finding at `server.listen` that says why it cannot be had.
pub fn listen(config: &Config) -> Result<TcpListener, Findings> {
    bind(config, "server.listen", config.file.server.listen)
}

/// Opens the address for monitors, if there is one.
pub(super) fn for_monitors(config: &Config) -> Result<Option<TcpListener>, Findings> {
    config.file.metrics.map(|metrics| bind(config, "metrics.listen", metrics.listen)).transpose()
}

fn bind(config: &Config, path: &str, address: SocketAddr) -> Result<TcpListener, Findings> {
    TcpListener::bind(address).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "another process listens there, perhaps another Rolegate: stop it, or choose another port",
            io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege: choose a higher one, and let the proxy have the low one",
            io::ErrorKind::AddrNotAvailable => "no network interface of this machine has this address: 127.0.0.1 and 0.0.0.0 always work",
            _ => "choose another address or port",
        };
        config.locate(vec![Problem::new(path, format!("{address} cannot be listened on: {error}"), hint)])
    })
}
