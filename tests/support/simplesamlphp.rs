//! Debian's SimpleSAMLphp as a SAML identity provider: see `tests/counterparts/simplesamlphp.sh`.

use std::path::PathBuf;
use std::process::Command;

use super::ports::free_port;
use super::process::{Running, Scratch, repository};

/// How it is to be.
#[derive(Debug, Default)]
pub(crate) struct SamlOptions {
    /// The gateway's public URL.
    pub(crate) gateway: String,
    /// What else its script takes from the environment.
    pub(crate) env: Vec<(&'static str, String)>,
}

/// A running identity provider. Its people are ana, bob and carol; passwords `NAMEpass`.
#[derive(Debug)]
pub(crate) struct SimpleSaml {
    running: Running,
    folder: Scratch,
    url: String,
}

impl SimpleSaml {
    /// Starts it, for the provider with the id `corp`, and waits until it answers.
    pub(crate) async fn start(options: &SamlOptions) -> Self {
        let (port, folder) = (free_port(), Scratch::new());
        let (url, sp) = (format!("http://localhost:{port}"), format!("{}/saml/corp", options.gateway));
        let mut command = Command::new(repository().join("tests/counterparts/simplesamlphp.sh"));
        command.arg(folder.path()).arg(port.to_string());
        command.env("SP_ENTITY_ID", &sp).env("SP_ACS", format!("{sp}/acs")).env("SP_SLO", format!("{sp}/slo"));
        command.envs(options.env.iter().map(|(name, value)| (name, value)));
        let mut running = Running::spawn("simplesamlphp", &mut command);
        let ready = format!("{url}/saml2/idp/metadata.php");
        running.until(async |_| reqwest::get(&ready).await.ok()?.status().is_success().then_some(())).await;
        Self { running, folder, url }
    }

    /// Its origin.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where its metadata is, which is its entity ID too.
    pub(crate) fn metadata(&self) -> String {
        format!("{}/saml2/idp/metadata.php", self.url)
    }

    /// Where an app tile of the gateway leads.
    pub(crate) fn tile(&self, gateway: &str, relay_state: &str) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("spentityid", &format!("{gateway}/saml/corp"))
            .append_pair("RelayState", relay_state)
            .finish();
        format!("{}/saml2/idp/SSOService.php?{query}", self.url)
    }

    /// The gateway's table for it.
    pub(crate) fn table(&self, more: &str) -> String {
        let metadata = self.metadata();
        format!(
            "[[saml_provider]]\nid = \"corp\"\nname = \"Corporate SAML\"\nmetadata = {{ url = \"{metadata}\" }}\nprivate_network = true\n\
             username_attribute = \"mail\"\n{more}\n"
        )
    }

    /// Puts another key in place of the one that signs.
    pub(crate) fn roll_key(&self) {
        let cert = self.folder.path().join("cert");
        make_key(&cert.join("new"), "rolled");
        std::fs::rename(cert.join("new.key"), cert.join("idp.key")).expect("the key can be replaced");
        std::fs::rename(cert.join("new.crt"), cert.join("idp.crt")).expect("the certificate can be replaced");
    }

    /// What it wrote.
    pub(crate) fn output(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log/simplesamlphp.log")).unwrap_or_default();
        format!("{}\n{log}", self.running.output())
    }
}

/// Makes an RSA key with a certificate: `{path}.key` and `{path}.crt`.
pub(crate) fn make_key(path: &std::path::Path, name: &str) -> (PathBuf, PathBuf) {
    let (key, certificate) = (path.with_extension("key"), path.with_extension("crt"));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "30", "-subj", &format!("/CN={name}")]);
    let output = command.arg("-keyout").arg(&key).arg("-out").arg(&certificate).output().expect("openssl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (key, certificate)
}
