//! A gateway from its start to its end: what it looks after meanwhile, and how it stops.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::organization::Discovery;
use super::reload::Reloader;
use super::{expiry, gateway, listen, server_options, site, tls};
use crate::aws::sts::Sts;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Findings};
use crate::identity::Provider;
use crate::saml;
use crate::trust::SamlIssuer;
use crate::web::{Site, serve, serve_metrics};

/// How long alarms that wait may take when the gateway stops.
const ALARMS_GRACE: Duration = Duration::from_secs(5);

/// Serves until it is `asked` to stop, then lets requests in flight finish. `ready` is called once the server listens.
///
/// # Errors
/// What keeps the gateway from starting, or what the server ended with.
pub async fn run(
    config: &Config,
    listener: TcpListener,
    banner: Option<String>,
    ready: impl FnOnce(&Site),
    asked: impl AsyncFn() -> Stopping,
) -> Result<(), RunError> {
    // Process-wide tables of a C library are cut down, which must be over before a worker could use them.
    saml::hardening::harden()?;
    let monitors = listen::for_monitors(config)?;
    let gateway = gateway(config, Arc::new(SystemClock)).await?;
    if gateway.issuer.is_ephemeral() {
        tracing::warn!("the signing key is made at each start: good for a trial, useless behind IAM and with several replicas");
    }
    if gateway.issuer.saml().is_some_and(SamlIssuer::is_ephemeral) {
        tracing::warn!("the SAML signing key is made at each start: good for a trial, useless behind IAM and with several replicas");
    }
    let tls = tls(config).map_err(|problem| config.locate(vec![problem]))?;
    if config.file.public_url.starts_with("https://") && config.file.server.trusted_proxies.is_empty() && tls.is_none() {
        tracing::warn!(
            "server.trusted_proxies is empty: behind a proxy, all people seem to come from its address and share one limit on sign-ins"
        );
    }
    let saml_providers: Vec<_> = gateway.providers.iter().filter_map(Provider::as_saml).cloned().collect();
    let own_certificates = expiry::own_certificates(&gateway.providers, &gateway.issuer);
    tracing::info!(policy = gateway.policy.load().digest(), "the rules in force");
    let site = Arc::new(site(config, gateway, banner).with_tls(tls.clone()));
    ready(&site);
    let running = serve(Arc::clone(&site), listener, &server_options(config))?;
    tracing::info!(address = %running.address(), "listening");
    let metrics = monitors.map(|listener| serve_metrics(Arc::clone(&site), listener)).transpose()?;
    if let Some(metrics) = &metrics {
        tracing::info!(address = %metrics.address(), "listening for monitors: /metrics");
    }
    // They end with the runtime.
    let (said, news) = mpsc::channel(1);
    if let Some(discovery) = Discovery::new(config, Arc::new(SystemClock), said) {
        tokio::spawn(discovery.run());
    }
    for provider in saml_providers {
        tokio::spawn(provider.keep_fresh(|| SystemClock.now()));
    }
    if site.gateway.policy.load().needs_own_identity() {
        let site = Arc::clone(&site);
        tokio::spawn(async move { look_for_own_identity(&site.gateway.sts).await });
    }
    tokio::spawn(Reloader::new(Arc::clone(&site), config, news).run());
    tokio::spawn(tidy(Arc::clone(&site)));
    if let Some(tls) = &tls {
        tokio::spawn(Arc::clone(tls).keep_fresh());
    }
    let own = move || own_certificates.iter().cloned().chain(tls.as_deref().map(expiry::of_tls).unwrap_or_default()).collect();
    tokio::spawn(expiry::watch(own, || SystemClock.now()));
    if asked().await == Stopping::Announced {
        let delay = config.file.server.shutdown_delay;
        tracing::info!(%delay, "stopping soon: /readyz says so to whoever sends people here");
        site.leave();
        // Who asks once more does not want to wait.
        let _ = tokio::time::timeout(delay.0, asked()).await;
    }
    tracing::info!("stopping: requests in flight may finish");
    running.stop().await?;
    if let Some(metrics) = metrics {
        metrics.stop().await?;
    }
    site.gateway.alarms.drain(ALARMS_GRACE).await;
    Ok(())
}

/// Keeps nothing of people longer than is said, also where nobody comes any more.
async fn tidy(site: Arc<Site>) {
    loop {
        tokio::time::sleep(Duration::from_mins(1)).await;
        site.gateway.vault.tidy();
    }
}

/// Looks for the gateway's own AWS identity before anybody waits for it: pages offer no longer sessions than it can get. Without one only the
/// rules that need it fail, each time with what to do about it.
async fn look_for_own_identity(sts: &Sts) {
    match sts.own_identity_is_session(sts.deadline()).await {
        Ok(true) => tracing::info!("the gateway's own AWS identity is a role or another session: what it assumes lasts an hour at most"),
        Ok(false) => tracing::info!("the gateway's own AWS identity is a user's"),
        Err(error) => tracing::warn!(reason = ?error, "no AWS identity of the gateway's own was found, and a rule needs one"),
    }
}

/// In what manner the gateway is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopping {
    /// As a supervisor does it: there may be others who serve, and someone who sends people to them.
    Announced,
    /// As who sits before it does it.
    AtOnce,
}

/// Why the gateway does not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration is not one that can run.
    #[error("{0}")]
    Findings(Findings),
    /// The library that verifies XML signatures cannot be made safe.
    #[error(transparent)]
    Xml(#[from] saml::hardening::NotHardened),
    /// The server ended.
    #[error("the server cannot go on: {0}")]
    Server(#[from] io::Error),
}

impl From<Findings> for RunError {
    fn from(findings: Findings) -> Self {
        Self::Findings(findings)
    }
}
