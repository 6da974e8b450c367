//! What `rolegate demo` stands up on loopback: a make-believe identity provider and a make-believe AWS, as strict as the real ones.
//!
//! Nothing in it is real and every page says so. Two servers: the identity provider on one port; STS, the federation endpoint and the
//! console on another. Browsers share cookies between the ports of one host, so the cookies have names of their own. Listeners that are not
//! on a loopback address are refused: whoever reaches the sandbox can be anybody.

mod http;
mod idp;
mod people;
mod settings;
mod shelf;
mod signin;
mod sts;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpServer, middleware, web};
use url::Url;

pub use people::{PEOPLE, Person};
pub use settings::{
    CONFIDENTIAL_CLIENT, PUBLIC_CLIENT, SamlMetadata, SamlPartner, SamlTrust, SandboxMfa, SandboxRole, SandboxSettings, SandboxUser,
    TrustedIssuer, TrustedSamlProvider,
};
pub use sts::{Issued, SessionTag};

use crate::clock::Clock;
use idp::{Idp, Signer};
use signin::SignIn;
use sts::Sts;

/// A running sandbox. It runs until [`Sandbox::stop`] is called or the runtime ends.
pub struct Sandbox {
    /// The identity provider's issuer: no slash at its end, as the discovery document and the tokens have it.
    pub issuer: String,
    /// The STS endpoint.
    pub sts: Url,
    /// The federation endpoint.
    pub signin: Url,
    /// The console: every address below it is one of its pages, except the federation endpoint.
    pub console: Url,
    ledger: Arc<Sts>,
    servers: [ServerHandle; 2],
}

impl Sandbox {
    /// Starts the sandbox on two listeners. The gateway may start later: its keys are fetched when its first token comes.
    ///
    /// # Errors
    /// `PermissionDenied` when a listener is not on a loopback address; `InvalidInput` when the settings contradict themselves or AWS's
    /// limits; whatever the operating system says when a server cannot start.
    pub async fn start(settings: SandboxSettings, idp: TcpListener, aws: TcpListener, clock: Arc<dyn Clock>) -> io::Result<Self> {
        if let Some(fault) = settings.fault() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, fault));
        }
        let (idp_origin, aws_origin) = (loopback_origin(&idp)?, loopback_origin(&aws)?);
        let signer = tokio::task::spawn_blocking(Signer::generate).await.map_err(io::Error::other)?.map_err(io::Error::other)?;
        let provider = web::Data::new(Idp::new(&settings, &idp_origin, Arc::clone(&clock), signer).map_err(io::Error::other)?);
        let ledger = Arc::new(Sts::new(&settings, Arc::clone(&clock))?);
        let console = web::Data::new(SignIn::new(&settings.gateway, &aws_origin, clock));
        let sts = web::Data::from(Arc::clone(&ledger));
        let servers = [
            spawn(serve(idp, &idp_origin, move |config| {
                config.app_data(provider.clone()).configure(idp::routes);
            })?),
            spawn(serve(aws, &aws_origin, move |config| {
                config.app_data(sts.clone()).app_data(console.clone()).configure(signin::routes);
            })?),
        ];
        let at = |path: &str| aws_origin.join(path).map_err(io::Error::other);
        let issuer = idp_origin.as_str().trim_end_matches('/').to_owned();
        Ok(Self { issuer, sts: at("/")?, signin: at("/federation")?, console: at("/console/")?, ledger, servers })
    }

    /// What STS has issued so far, oldest first; the last ten thousand.
    #[must_use]
    pub fn ledger(&self) -> Vec<Issued> {
        self.ledger.ledger()
    }

    /// Stops both servers; requests under way have a second to end.
    pub async fn stop(self) {
        for server in self.servers {
            server.stop(true).await;
        }
    }
}

fn loopback_origin(listener: &TcpListener) -> io::Result<Url> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        let message = format!("the sandbox lets anybody in as anybody, so it listens on loopback only, and {address} is not loopback");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    format!("http://{address}/").parse().map_err(io::Error::other)
}

fn serve(listener: TcpListener, origin: &Url, routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static) -> io::Result<Server> {
    let names = web::Data::new(http::Names::of(origin));
    let app = move || {
        App::new()
            .wrap(middleware::from_fn(http::guard))
            .app_data(names.clone())
            .app_data(web::PayloadConfig::new(http::BODY_LIMIT))
            .route("/sandbox.css", web::get().to(http::stylesheet))
            .route("/sandbox.js", web::get().to(http::script))
            .configure(routes.clone())
    };
    Ok(HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}

fn spawn(server: Server) -> ServerHandle {
    let handle = server.handle();
    tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "a sandbox server has ended");
        }
    });
    handle
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::SystemClock;

    fn settings() -> SandboxSettings {
        SandboxSettings {
            gateway: "http://127.0.0.1:8700/".parse().unwrap(),
            redirect_uris: Vec::new(),
            post_logout_uris: Vec::new(),
            client_secret: None,
            saml_partners: Vec::new(),
            issuers: vec![TrustedIssuer { issuer: "http://127.0.0.1:8700".into(), audiences: vec!["sts.amazonaws.com".into()] }],
            saml_providers: Vec::new(),
            users: Vec::new(),
            roles: vec![SandboxRole::pinned("arn:aws:iam::111122223333:role/Developer".parse().unwrap(), "http://127.0.0.1:8700")],
        }
    }

    async fn start(settings: SandboxSettings, idp: &str, aws: &str) -> io::Result<Sandbox> {
        let listen = |address: &str| TcpListener::bind(address).unwrap();
        Sandbox::start(settings, listen(idp), listen(aws), Arc::new(SystemClock)).await
    }

    #[tokio::test]
    async fn only_loopback_listeners_are_taken() {
        for (idp, aws) in [("0.0.0.0:0", "127.0.0.1:0"), ("127.0.0.1:0", "0.0.0.0:0")] {
            let error = start(settings(), idp, aws).await.err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            assert!(error.to_string().contains("0.0.0.0"), "{error}");
        }
        let sandbox = start(settings(), "127.0.0.1:0", "127.0.0.1:0").await.unwrap();
        assert!(sandbox.issuer.starts_with("http://127.0.0.1:") && !sandbox.issuer.ends_with('/'));
        sandbox.stop().await;
    }

    #[tokio::test]
    async fn settings_that_no_aws_could_have_are_refused() {
        let (mut long, mut stray, mut remote) = (settings(), settings(), settings());
        long.roles[0].max_session = Duration::from_secs(43_201);
        stray.roles[0].issuers = vec!["http://127.0.0.1:1".into()];
        remote.issuers.push(TrustedIssuer { issuer: "https://example.com".into(), audiences: Vec::new() });
        for wrong in [long, stray, remote] {
            let error = start(wrong, "127.0.0.1:0", "127.0.0.1:0").await.err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
        }
    }

    #[tokio::test]
    async fn a_request_under_another_host_name_is_refused() {
        let sandbox = start(settings(), "127.0.0.1:0", "127.0.0.1:0").await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let with = |host: &'static str| http.get(sandbox.console.clone()).header("host", host).send();
        assert_eq!(with("rebound.example").await.unwrap().status(), 421);
        let own = http.get(sandbox.sts.clone()).send().await.unwrap();
        assert_eq!(own.status(), 200);
        assert!(own.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        assert!(own.text().await.unwrap().contains("Sandbox: nothing here is real"));
        sandbox.stop().await;
    }
}
