//! The product's own sandbox AWS, in this process: unlike moto's it checks tokens, limits and trust policies as AWS does.

use std::net::TcpListener;
use std::sync::Arc;

use rolegate::clock::SystemClock;
use rolegate::sandbox::{SamlTrust, Sandbox, SandboxRole, SandboxSettings, TrustedIssuer, TrustedSamlProvider};

use super::plan::ROLES;

/// The sandbox's STS, sign-in and console on a free port. Its identity provider runs too, and nobody uses it.
pub(crate) struct SandboxAws {
    sandbox: Sandbox,
}

impl SandboxAws {
    /// Starts it with the roles of the plan, which trust the tokens and SAML responses that a gateway at `gateway` mints.
    pub(crate) async fn start(gateway: &str) -> Self {
        Self::start_with(gateway, |_| {}).await
    }

    /// The same, with an IAM that is changed before.
    pub(crate) async fn start_with(gateway: &str, change: impl FnOnce(&mut SandboxSettings)) -> Self {
        let listen = || TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let aws = listen();
        let origin = format!("http://{}", aws.local_addr().expect("it listens"));
        let trust = SamlTrust {
            provider: "Rolegate".into(),
            audiences: ["/saml", "/eu-central-1/saml", "/eu-west-1/saml"].map(|path| format!("{origin}{path}")).into(),
            issuer: Some(format!("{gateway}/saml/idp")),
        };
        let role =
            |arn: &String| SandboxRole::pinned(arn.parse().expect("the plan's roles are role ARNs"), gateway).trusting_saml(trust.clone());
        let metadata = format!("{gateway}/saml/idp/metadata").parse().expect("the gateway's URL is one");
        let mut settings = SandboxSettings {
            gateway: gateway.parse().expect("the gateway's URL is one"),
            redirect_uris: Vec::new(),
            post_logout_uris: Vec::new(),
            client_secret: None,
            saml_partners: Vec::new(),
            issuers: vec![TrustedIssuer { issuer: gateway.to_owned(), audiences: vec!["sts.amazonaws.com".into()] }],
            saml_providers: vec![TrustedSamlProvider::published("Rolegate", metadata)],
            users: Vec::new(),
            roles: ROLES.iter().map(|(account, name)| role(&format!("arn:aws:iam::{account}:role/{name}"))).collect(),
        };
        change(&mut settings);
        let sandbox = Sandbox::start(settings, listen(), aws, Arc::new(SystemClock)).await.expect("the sandbox starts");
        Self { sandbox }
    }

    /// The one origin of STS, sign-in and console, without a slash at the end.
    pub(crate) fn url(&self) -> &str {
        self.sandbox.sts.as_str().trim_end_matches('/')
    }

    /// The sandbox itself, for its ledger.
    pub(crate) const fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }
}
