//! One small organisation that the tests of the whole gateway share: its accounts, its rules, and the configuration that says so.

use super::counterparts::{OidcOptions, OidcProvider};
use super::ports::free_port;

/// The account that is called Production.
pub(crate) const PRODUCTION: &str = "111122223333";
/// The account that is called Staging.
pub(crate) const STAGING: &str = "444455556666";
/// Every role there is, by account and name.
pub(crate) const ROLES: &[(&str, &str)] =
    &[(PRODUCTION, "PlatformAdmin"), (PRODUCTION, "Developer"), (STAGING, "PlatformAdmin"), (STAGING, "Developer")];

/// Where a gateway will stand, before it or anything else is started: each of them must know the other's address.
#[derive(Debug)]
pub(crate) struct Plan {
    port: u16,
    /// The `[store]` table; memory without one.
    pub(crate) store: String,
    tls: bool,
}

impl Plan {
    /// A gateway on a free port with its store in memory.
    pub(crate) fn new() -> Self {
        Self { port: free_port(), store: String::new(), tls: false }
    }

    /// The same that does TLS, with `tls.crt` and `tls.key` in its folder.
    pub(crate) fn with_tls(self) -> Self {
        Self { tls: true, ..self }
    }

    /// The gateway's public URL, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", if self.tls { "https" } else { "http" }, self.port)
    }

    /// How the identity provider must be for this gateway.
    pub(crate) fn provider(&self) -> OidcOptions {
        let url = self.url();
        OidcOptions {
            redirect_uris: vec![format!("{url}/callback/main")],
            post_logout_uris: vec![format!("{url}/"), format!("{url}/signed-out")],
            ..OidcOptions::default()
        }
    }

    /// The gateway's configuration. The audit trail is `audit.jsonl` in the gateway's folder.
    pub(crate) fn config(&self, provider: &OidcProvider, aws: &str) -> String {
        self.config_with(&provider.table("main"), aws)
    }

    /// The same with other providers.
    pub(crate) fn config_with(&self, provider: &str, aws: &str) -> String {
        let (port, url, store) = (self.port, self.url(), &self.store);
        let tls = if self.tls { "tls = { certificate = \"tls.crt\", key = { file = \"tls.key\" } }" } else { "" };
        format!(
            r#"
public_url = "{url}"

[server]
listen = "127.0.0.1:{port}"
workers = 1
{tls}

{store}

[audit]
file = "audit.jsonl"

[aws]
sts_endpoint = "{aws}"
signin_endpoint = "{aws}"
console_endpoint = "{aws}/console/"
{provider}
[[account]]
id = "{PRODUCTION}"
name = "Production"
alias = "example-prod"
tags = {{ env = "prod" }}

[[account]]
id = "{STAGING}"
name = "Staging"
tags = {{ env = "staging" }}

[[rule]]
id = "platform-admins"
groups = ["aws-platform-admins"]
accounts = ["*"]
roles = ["PlatformAdmin"]

[[rule]]
id = "developers"
groups = ["developers"]
accounts = ["*"]
roles = ["Developer"]

[[rule]]
id = "contractors-never-in-production"
effect = "deny"
groups = ["contractors"]
accounts = ["Production"]
"#
        )
    }

    /// The environment that the configuration refers to, and a log that leaves nothing out: what may be in no log is in none of its levels.
    pub(crate) const fn env() -> [(&'static str, &'static str); 2] {
        [("ROLEGATE_TEST_CLIENT_SECRET", OidcProvider::CLIENT_SECRET), ("ROLEGATE_LOG", "trace")]
    }
}
