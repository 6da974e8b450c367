//! How others are posted to: whom alarms and the audit trail go to is the configuration's to say, and nobody else may lead them astray.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use url::Url;

/// How long a connection is waited for at most.
const CONNECT: Duration = Duration::from_secs(5);

/// A client for one address that was checked: it follows nobody elsewhere, asks no proxy, and gives up. With `authority` (PEM) only certificates that
/// it signed are trusted.
///
/// # Errors
/// The certificates cannot be read, or the system's own cannot be found.
pub(crate) fn client(url: &Url, authority: Option<&[u8]>, total: Duration) -> Result<Client, String> {
    let is_plain = url.scheme() == "http";
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT.min(total))
        .timeout(total)
        .https_only(!is_plain)
        .user_agent(concat!("rolegate/", env!("CARGO_PKG_VERSION")));
    if let Some(pem) = authority {
        builder = builder.tls_certs_only(authorities(pem)?);
    } else if is_plain {
        // The system's certificates take long to load, and are of no use here.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| error.to_string())
}

/// The certificates of a PEM file, one at least.
///
/// # Errors
/// They cannot be read, or there is none.
pub(crate) fn authorities(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    let roots = Certificate::from_pem_bundle(pem).map_err(|error| error.to_string())?;
    if roots.is_empty() { Err("it has no certificate in it".into()) } else { Ok(roots) }
}
