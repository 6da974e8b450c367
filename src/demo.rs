//! `rolegate demo`: the gateway and its sandbox in one process, on loopback, by a configuration that anybody may copy.

use std::fs::Permissions;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rolegate::arn::RoleArn;
use rolegate::clock::SystemClock;
use rolegate::config::{self, Config};
use rolegate::sandbox::{PEOPLE, SamlPartner, SamlTrust, Sandbox, SandboxRole, SandboxSettings, TrustedIssuer, TrustedSamlProvider};
use rolegate::startup::{self, RunError};
use tempfile::TempDir;
use url::Url;

/// The configuration that runs, as it stands in the repository.
const CONFIGURATION: &str = include_str!("../demo/rolegate.toml");
const NAME: &str = "demo/rolegate.toml";
/// The roles that exist in the sandbox's accounts, and the longest session that each allows, in hours.
const ROLES: [(&str, u64); 7] =
    [("PlatformAdmin", 1), ("ReadOnly", 12), ("Developer", 4), ("Auditor", 12), ("Deployer", 1), ("Operator", 1), ("BreakGlass", 1)];
/// The role on the way, by account and name, and the one behind it, with the external id that it demands.
const HUB: (&str, &str) = ("444455556666", "FederationHub");
const SPOKE: (&str, &str, &str) = ("777788889999", "SpokeOperator", "demo-4711");
/// The line behind which the limits are lifted, and those on how much one address and one person may ask for as high as they go.
const LIMITS: (&str, &str) =
    ("[server]\n", "[server]\nsign_in_rate = 10000\nsign_in_burst = 100000\nperson_rate = 10000\nperson_burst = 100000\n");
/// Every page says it.
const BANNER: &str =
    "Demonstration: the identity provider and the AWS behind this page are a sandbox, and its credentials are worth nothing.";

/// Runs until it is stopped. Measurements play many people by few names: `without_limits` is for them.
pub(crate) async fn run(without_limits: bool) -> Result<(), RunError> {
    let folder = own_folder(&std::env::temp_dir())?;
    let text = if without_limits { CONFIGURATION.replacen(LIMITS.0, LIMITS.1, 1) } else { CONFIGURATION.to_owned() };
    let config = config::parse(&text, NAME, folder.path())?;
    let _log = startup::log::begin(&config);
    let gateway = bind(config.file.server.listen)?;
    let issuer = config.file.provider.first().map(|provider| provider.issuer.clone()).unwrap_or_default();
    let idp = bind(loopback_port(&issuer)?)?;
    let aws = bind(loopback_port(config.file.aws.sts_endpoint.as_deref().unwrap_or_default())?)?;
    let sandbox = Sandbox::start(settings(&config, &issuer)?, idp, aws, Arc::new(SystemClock)).await?;
    let audit = folder.path().join(&config.file.audit.file);
    let url = config.file.public_url.clone();
    let apps = format!("{issuer}/apps");
    let greeting = move || greet(&url, &apps, &audit.display().to_string());
    startup::run(&config, gateway, Some(BANNER.to_owned()), |_| greeting(), crate::commands::server::stop_signal).await?;
    sandbox.stop().await;
    folder.close()?;
    Ok(())
}

fn settings(config: &Config, issuer: &str) -> Result<SandboxSettings, RunError> {
    let file = &config.file;
    let gateway = Url::parse(&file.public_url).map_err(std::io::Error::other)?;
    let mut signed_out = gateway.clone();
    signed_out.set_path("/signed-out");
    let console = file.aws.signin_endpoint.as_deref().unwrap_or_default().trim_end_matches('/');
    let name = file.trust.saml.as_ref().map(|saml| saml.provider_name.clone()).unwrap_or_default();
    let trust = SamlTrust {
        provider: name.clone(),
        audiences: vec![format!("{console}/saml")],
        issuer: Some(format!("{}/saml/idp", file.public_url)),
    };
    let metadata = gateway.join("/saml/idp/metadata").map_err(std::io::Error::other)?;
    let mut roles = Vec::new();
    for account in &file.account {
        for (name, hours) in ROLES {
            let arn = format!("arn:{}:iam::{}:role/{name}", account.partition, account.id).parse::<RoleArn>();
            let role = SandboxRole::pinned(arn.map_err(std::io::Error::other)?, config.issuer()).trusting_saml(trust.clone());
            roles.push(SandboxRole { max_session: Duration::from_secs(hours * 3600), ..role });
        }
    }
    let role =
        |(account, name): (&str, &str)| format!("arn:aws:iam::{account}:role/{name}").parse::<RoleArn>().map_err(std::io::Error::other);
    let hub = role(HUB)?;
    let spoke =
        SandboxRole { issuers: Vec::new(), external_id: Some(SPOKE.2.into()), ..SandboxRole::pinned(role((SPOKE.0, SPOKE.1))?, "") };
    roles.push(spoke.assumed_by(hub.as_str()));
    roles.push(SandboxRole::pinned(hub, config.issuer()));
    Ok(SandboxSettings {
        redirect_uris: file.provider.iter().map(|provider| startup::redirect_uri(&gateway, &provider.id).to_string()).collect(),
        post_logout_uris: vec![signed_out.to_string()],
        client_secret: None,
        saml_partners: file.saml_provider.iter().map(|provider| partner(&gateway, &provider.id)).collect(),
        issuers: vec![TrustedIssuer { issuer: config.issuer().to_owned(), audiences: vec![file.trust.audience.clone()] }],
        saml_providers: vec![TrustedSamlProvider::published(&name, metadata)],
        users: Vec::new(),
        roles,
        gateway,
    })
    .inspect(|_| tracing::debug!(issuer, "the sandbox is the identity provider"))
}

/// The gateway as the sandbox's identity provider knows it, by the addresses that the gateway has for a SAML provider.
fn partner(gateway: &Url, id: &str) -> SamlPartner {
    let entity_id = format!("{}/saml/{id}", gateway.as_str().trim_end_matches('/'));
    SamlPartner {
        name: "Rolegate".into(),
        consumer: format!("{entity_id}/acs"),
        entity_id,
        deep_link: Some(("Rolegate: Production".into(), "/go?account=Production".into())),
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).map_err(|error| {
        std::io::Error::new(error.kind(), format!("{address} cannot be used ({error}): is another demonstration running?")).into()
    })
}

/// The socket address in a loopback URL of the configuration.
fn loopback_port(url: &str) -> Result<SocketAddr, RunError> {
    let parsed = Url::parse(url).map_err(std::io::Error::other)?;
    let addresses = parsed.socket_addrs(|| None)?;
    addresses.into_iter().next().ok_or_else(|| std::io::Error::other(format!("{url} names no address")).into())
}

#[expect(clippy::print_stdout, reason = "the one thing that the person who typed the command wants to know")]
fn greet(url: &str, apps: &str, audit: &str) {
    println!("\nOpen {url} in a browser. Nothing behind it is real: a sandbox plays the identity provider and AWS.\n");
    println!("Sign in as");
    for person in PEOPLE {
        println!("  {:<8}{}", person.name, person.role);
    }
    println!("\nSign-in can start at the identity provider too, by a tile: {apps}");
    println!("\nThe configuration is {NAME} in the repository; the audit trail is {audit}, until it stops.");
    println!("Stop with Ctrl-C.\n");
}

/// A folder for the trail: with a name that nobody can know beforehand, so that nobody can lay a link there, and for its owner alone. It
/// goes away with its guard.
fn own_folder(parent: &Path) -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix("rolegate-demo-").permissions(Permissions::from_mode(0o700)).tempdir_in(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_lifted_where_that_is_wanted() {
        let rate = |text: &str| config::parse(text, NAME, Path::new("/")).unwrap_or_else(|found| panic!("{found}")).file.server.person_rate;
        assert_eq!((rate(CONFIGURATION), rate(&CONFIGURATION.replacen(LIMITS.0, LIMITS.1, 1))), (2, 10_000));
    }

    #[test]
    fn the_folder_is_new_for_its_owner_alone_and_goes_away() {
        let parent = own_folder(&std::env::temp_dir()).unwrap();
        let (one, other) = (own_folder(parent.path()).unwrap(), own_folder(parent.path()).unwrap());
        assert_ne!(one.path(), other.path());
        let random = one.path().file_name().unwrap().to_str().unwrap().strip_prefix("rolegate-demo-").unwrap();
        assert!(random.len() >= 6, "{random}");
        assert_eq!(one.path().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::write(one.path().join("audit.jsonl"), "{}").unwrap();
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists());
    }
}
