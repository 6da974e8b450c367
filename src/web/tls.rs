//! TLS on the gateway's own listener, where no proxy does it: one certificate, which is replaced while the gateway runs.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoServerSessionStorage, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::saml::Certificate;
use crate::settings::{LARGEST_FILE, Problem, SecretRef, read_file};

/// How often the files are read again: a pair that was renewed is in use this much later at most.
const LOOK: Duration = Duration::from_secs(10);

/// TLS by the gateway itself.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The file with the certificate (PEM), those of the authorities between it and the root behind it.
    pub certificate: PathBuf,
    /// Its private key (PEM), RSA or ECDSA.
    pub key: SecretRef,
    /// A file with the certificates (PEM) of the authorities that issue client certificates to administrators of the gateway: they show one beside
    /// their sign-in, or stay out of their rooms. Nobody else has to. Read at the start.
    #[serde(default)]
    pub administrator_ca_file: Option<PathBuf>,
}

impl TlsSettings {
    /// Reads certificate and key, and checks that they belong to each other.
    ///
    /// # Errors
    /// A [`Problem`] at the key of `path` that is wrong.
    pub fn load(&self, path: &str, base: &Path) -> Result<Arc<Tls>, Problem> {
        let pair = ArcSwap::new(self.pair(path, base)?);
        let at = format!("{path}.administrator_ca_file");
        let clients = self.administrator_ca_file.as_ref().map(|file| Clients::of(&base.join(file), &at)).transpose()?;
        Ok(Arc::new(Tls { settings: self.clone(), path: path.to_owned(), base: base.to_owned(), pair, clients }))
    }

    fn pair(&self, path: &str, base: &Path) -> Result<Arc<CertifiedKey>, Problem> {
        let (at_certificate, at_key) = (format!("{path}.certificate"), format!("{path}.key"));
        let chain = certificates(&base.join(&self.certificate), &at_certificate)?;
        let secret = self.key.read(base, &at_key)?;
        let key = PrivateKeyDer::from_pem_slice(secret.expose_secret().as_bytes()).map_err(|_| {
            Problem::new(at_key.clone(), "this is no private key", "write it as PEM (BEGIN PRIVATE KEY), without a passphrase")
        })?;
        match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
            Ok(pair) => Ok(Arc::new(pair)),
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                let hint = "name the key with which this certificate was asked for, alone in its file";
                Err(Problem::new(at_key, "the key does not belong to the certificate", hint))
            }
            Err(error) => {
                let hint = "use an RSA key of 2048 bits or more, or an ECDSA key on P-256 or P-384";
                Err(Problem::new(at_key, format!("certificate and key cannot be used: {error}"), hint))
            }
        }
    }
}

/// The certificates of a file, of which it has one at least.
fn certificates(file: &Path, at: &str) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let pem = read_file(file, LARGEST_FILE).map_err(|error| {
        Problem::new(at, format!("the file {} cannot be read: {error}", file.display()), "check the path and who may read it")
    })?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().unwrap_or_default();
    if found.is_empty() {
        let message = format!("the file {} has no certificate that can be read", file.display());
        return Err(Problem::new(at, message, "write the certificate as PEM (BEGIN CERTIFICATE), others behind it"));
    }
    Ok(found)
}

/// Verifies the certificates of clients who show one. Who shows none is let in as far as anybody is.
#[derive(Debug)]
struct Clients {
    authorities: Vec<Certificate>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Clients {
    /// By the authorities of a file.
    fn of(file: &Path, at: &str) -> Result<Self, Problem> {
        const HINT: &str = "name the certificates of the authorities that sign client certificates, not those certificates themselves";
        let unfit =
            |error: &dyn Display| Problem::new(at, format!("the file {} holds what is no authority: {error}", file.display()), HINT);
        let (mut roots, mut authorities) = (RootCertStore::empty(), Vec::new());
        for certificate in certificates(file, at)? {
            let read = Certificate::from_der(&certificate).map_err(|error| unfit(&error))?;
            if !read.is_authority() {
                return Err(unfit(&"one of its certificates may sign no others (CA:FALSE)"));
            }
            roots.add(certificate).map_err(|error| unfit(&error))?;
            authorities.push(read);
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(aws_lc_rs::default_provider()));
        let verifier = verifier.allow_unauthenticated().build().map_err(|error| unfit(&error))?;
        Ok(Self { authorities, verifier })
    }
}

/// What a listener proves itself with, and what it asks of others.
#[derive(Debug)]
pub struct Tls {
    settings: TlsSettings,
    path: String,
    base: PathBuf,
    pair: ArcSwap<CertifiedKey>,
    clients: Option<Clients>,
}

impl Tls {
    /// How connections are made: TLS 1.2 and 1.3, with the suites of rustls, all of which keep what was said secret if the key is lost later.
    ///
    /// # Errors
    /// None that could be caused from outside.
    pub(super) fn server_config(self: &Arc<Self>) -> Result<ServerConfig, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_protocol_versions(&[&TLS13, &TLS12])?;
        let Some(clients) = &self.clients else {
            return Ok(builder.with_no_client_auth().with_cert_resolver(Arc::<Self>::clone(self)));
        };
        let mut config = builder.with_client_cert_verifier(Arc::clone(&clients.verifier)).with_cert_resolver(Arc::<Self>::clone(self));
        // A session that is taken up again would bring its certificate along: not verified anew, past its end, and without the key.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// The certificate in use. None for one that cannot be read as X.509.
    #[must_use]
    pub fn certificate(&self) -> Option<Certificate> {
        Certificate::from_der(self.pair.load().cert.first()?).ok()
    }

    /// The authorities by which administrators prove themselves.
    pub fn authorities(&self) -> impl Iterator<Item = &Certificate> {
        self.clients.iter().flat_map(|clients| &clients.authorities)
    }

    /// Whether the certificate is for a host: browsers believe no other.
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        let pair = self.pair.load();
        let parsed = pair.cert.first().and_then(|certificate| ParsedCertificate::try_from(certificate).ok());
        // An IPv6 address stands in brackets in a URL.
        let name = ServerName::try_from(host.trim_matches(['[', ']'])).ok();
        parsed.zip(name).is_some_and(|(certificate, name)| verify_server_name(&certificate, &name).is_ok())
    }

    /// Takes over what the files hold now. Connections that are there go on. Whether it is another pair.
    fn renew(&self) -> Result<bool, Problem> {
        let pair = self.settings.pair(&self.path, &self.base)?;
        let is_another = pair.cert != self.pair.load().cert;
        if is_another {
            self.pair.store(pair);
        }
        Ok(is_another)
    }

    /// Looks for another pair for as long as it is polled: every few seconds, and at once on SIGHUP. One that is wrong, or half written, leaves
    /// the one in use where it is; the log says so once.
    pub async fn keep_fresh(self: Arc<Self>) {
        let Ok(mut hangups) = signal(SignalKind::hangup()) else { return };
        let mut said = None;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                Some(()) = hangups.recv() => said = None,
            }
            let own = Arc::clone(&self);
            let Ok(renewed) = tokio::task::spawn_blocking(move || own.renew()).await else { continue };
            let problem = renewed
                .inspect(|another| {
                    if *another {
                        tracing::info!("TLS goes on with another certificate");
                    }
                })
                .err();
            if let Some(Problem { path, message, hint, .. }) = problem.as_ref().filter(|problem| said.as_ref() != Some(&problem.message)) {
                tracing::error!(place = path, hint, "the TLS certificate in use stays: {message}");
            }
            said = problem.map(|problem| problem.message);
        }
    }
}

impl ResolvesServerCert for Tls {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.pair.load_full())
    }
}
