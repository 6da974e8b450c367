//! Settings of one provider, checked as far as that goes without asking it: all findings at once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use secrecy::SecretString;
use url::Url;

use super::exchange::ClientKey;
use super::issuer::{Issuer, TENANT};
use crate::identity::check::{self, Findings};
use crate::identity::http::Reach;
use crate::identity::{ClientAuth, MfaSettings, ProviderId, ProviderSettings};
use crate::settings::{Problem, SecretRef, is_loopback};

/// Parameters of the authorization request that the gateway writes itself.
const RESERVED: [&str; 15] = [
    "acr_values",
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "id_token_hint",
    "login_hint",
    "max_age",
    "nonce",
    "redirect_uri",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// How the gateway proves itself, with what it needs for that.
#[derive(Debug)]
pub(super) enum ClientProof {
    Basic(SecretString),
    Post(SecretString),
    None,
    Key(ClientKey),
}

/// A provider's settings, parsed.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) id: ProviderId,
    pub(super) name: String,
    pub(super) issuer: Issuer,
    pub(super) client_id: String,
    pub(super) proof: ClientProof,
    pub(super) redirect_uri: Url,
    pub(super) scopes: Vec<String>,
    pub(super) groups_claim: String,
    pub(super) username_claim: String,
    pub(super) trust_unverified_email: bool,
    pub(super) email_domains: Vec<String>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) mfa: MfaSettings,
    pub(super) max_age: Option<Duration>,
    pub(super) acr_values: Vec<String>,
    pub(super) userinfo: bool,
    pub(super) reach: Reach,
    /// The certificate authority (PEM) to trust instead of the system's.
    pub(super) authority: Option<Vec<u8>>,
    pub(super) authorize_parameters: BTreeMap<String, String>,
}

impl Checked {
    /// Checks the settings, and reads the secrets and files that they name.
    ///
    /// # Errors
    /// Every finding, each with its place below `path`.
    pub(super) fn read(settings: &ProviderSettings, path: &str, redirect_uri: Url, base: &Path) -> Result<Self, Vec<Problem>> {
        let mut findings = Findings::below(path);
        let id = check::id(&settings.id, &mut findings);
        for (key, value) in [("name", &settings.name), ("client_id", &settings.client_id), ("username_claim", &settings.username_claim)] {
            if value.trim().is_empty() || value.chars().any(char::is_control) {
                findings.add(key, "it is empty or has control characters in it", "write what the provider shows");
            }
        }
        let reach = Reach {
            private: settings.private_network,
            plain_loopback: Url::parse(&settings.issuer).is_ok_and(|url| url.scheme() == "http" && is_loopback(&url)),
        };
        let issuer = issuer(settings, reach, &mut findings);
        let algorithms = check::algorithms(&settings.algorithms, &mut findings);
        let proof = proof(settings, base, &mut findings);
        let authority = check::authority(settings.ca_file.as_deref(), base, &mut findings);
        let email_domains = check::email_domains(&settings.email_domains, &mut findings);
        words(settings, &mut findings);
        match (id, issuer, proof, findings.list) {
            (Some(id), Some(issuer), Some(proof), list) if list.is_empty() => Ok(Self {
                id,
                name: settings.name.clone(),
                issuer,
                client_id: settings.client_id.clone(),
                proof,
                redirect_uri,
                scopes: settings.scopes.iter().filter(|scope| *scope != "openid").cloned().collect(),
                groups_claim: settings.groups_claim.clone(),
                username_claim: settings.username_claim.clone(),
                trust_unverified_email: settings.trust_unverified_email,
                email_domains,
                algorithms,
                mfa: settings.mfa.clone(),
                max_age: settings.max_age.map(|span| span.0),
                acr_values: settings.acr_values.clone(),
                userinfo: settings.userinfo,
                reach,
                authority,
                authorize_parameters: settings.authorize_parameters.clone(),
            }),
            (.., list) => Err(list),
        }
    }
}

fn issuer(settings: &ProviderSettings, reach: Reach, findings: &mut Findings<'_>) -> Option<Issuer> {
    let before = findings.list.len();
    let text = settings.issuer.as_str();
    let without_tenant = text.replace(TENANT, "tenantid");
    match Url::parse(&without_tenant) {
        Err(error) => findings.add("issuer", format!("it is not a URL: {error}"), "write it as the discovery document's `issuer` has it"),
        Ok(url) => {
            if let Err(error) = reach.check(&url) {
                let hint =
                    "an issuer is an https URL; plain http is accepted from http://localhost, http://127.0.0.1 and http://[::1] only";
                findings.add("issuer", error.to_string(), hint);
            }
            if url.query().is_some() || url.fragment().is_some() {
                findings.add("issuer", "it has a query or fragment", "an issuer has neither (OpenID Connect Discovery 1.0, section 3)");
            }
        }
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        findings.add("issuer", "it has blanks in it", "remove them");
    }
    if text.contains("/.well-known/") {
        findings.add("issuer", "it is the address of a discovery document", "leave out /.well-known/openid-configuration");
    }
    if ["/common/", "/organizations/", "/consumers/"].iter().any(|shared| text.contains(&format!("login.microsoftonline.com{shared}"))) {
        let hint = format!("write https://login.microsoftonline.com/{TENANT}/v2.0 and list the `tenants`, or name one tenant's id");
        findings.add("issuer", "Entra ID never issues a token under this name", hint);
    }
    let templated = match text.matches(TENANT).count() {
        _ if without_tenant.contains(['{', '}']) => None,
        0 => Some(false),
        1 => Some(true),
        _ => None,
    };
    let Some(templated) = templated else {
        findings.add("issuer", "it has braces that mean nothing", format!("only one {TENANT} is understood"));
        return None;
    };
    let tenants = tenants(settings, templated, findings);
    (findings.list.len() == before).then(|| {
        let text = text.to_owned();
        if templated { Issuer::Tenants { template: text, allowed: tenants } } else { Issuer::One(text) }
    })
}

fn tenants(settings: &ProviderSettings, templated: bool, findings: &mut Findings<'_>) -> Vec<String> {
    match (templated, settings.tenants.is_empty()) {
        (true, true) => findings.add("tenants", format!("the issuer has {TENANT} in it, and no tenant is listed"), "list the tenant ids"),
        (false, false) => findings.add("tenants", format!("the issuer has no {TENANT} in it"), "put it there, or leave `tenants` out"),
        _ => (),
    }
    for (index, tenant) in settings.tenants.iter().enumerate() {
        let groups: Vec<&str> = tenant.split('-').collect();
        let is_guid = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
            && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if !is_guid {
            let hint = "the directory (tenant) id is a GUID such as 3b1f8a2c-…; a domain name is not enough";
            findings.add(&format!("tenants[{index}]"), format!("`{tenant}` is not a tenant id"), hint);
        }
    }
    settings.tenants.iter().map(|tenant| tenant.to_ascii_lowercase()).collect()
}

fn proof(settings: &ProviderSettings, base: &Path, findings: &mut Findings<'_>) -> Option<ClientProof> {
    let wants_secret = matches!(settings.client_auth, ClientAuth::Basic | ClientAuth::Post);
    let wants_key = settings.client_auth == ClientAuth::PrivateKeyJwt;
    let given = [
        ("client_secret", settings.client_secret.is_some(), wants_secret),
        ("client_key", settings.client_key.is_some(), wants_key),
        ("client_key_id", settings.client_key_id.is_some(), settings.client_key_id.is_some() && wants_key),
    ];
    for (key, is_there, is_wanted) in given {
        match (is_there, is_wanted) {
            (false, true) => findings.add(
                key,
                format!("`{key}` is missing, and client_auth = \"{}\" needs it", settings.client_auth.as_str()),
                format!("add {key} = {{ env = \"…\" }} or {{ file = \"…\" }}, or choose another client_auth"),
            ),
            (true, false) => findings.add(
                key,
                format!("`{key}` is given, and client_auth = \"{}\" does not use it", settings.client_auth.as_str()),
                "remove it, or choose the client_auth that uses it",
            ),
            _ => (),
        }
    }
    let mut read = |reference: &Option<SecretRef>, key: &str| {
        let path = findings.at(key);
        reference.as_ref().and_then(|reference| findings.keep(reference.read(base, &path)))
    };
    match settings.client_auth {
        ClientAuth::None => Some(ClientProof::None),
        ClientAuth::Basic => read(&settings.client_secret, "client_secret").map(ClientProof::Basic),
        ClientAuth::Post => read(&settings.client_secret, "client_secret").map(ClientProof::Post),
        ClientAuth::PrivateKeyJwt => {
            let pem = read(&settings.client_key, "client_key")?;
            let key = ClientKey::read(&pem, settings.client_key_id.as_deref());
            if key.is_none() {
                let hint = "make one: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out client.pem";
                findings.add("client_key", "it is not a private key in PKCS#8 PEM form, RSA of 2048 bits or more or P-256", hint);
            }
            key.map(ClientProof::Key)
        }
    }
}

fn words(settings: &ProviderSettings, findings: &mut Findings<'_>) {
    check::claim_name("groups_claim", &settings.groups_claim, findings);
    let is_scope = |scope: &str| !scope.is_empty() && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    for (index, scope) in settings.scopes.iter().enumerate().filter(|(_, scope)| !is_scope(scope)) {
        findings.add(&format!("scopes[{index}]"), format!("`{scope}` is not a scope"), "one word for each scope, without blanks");
    }
    for (index, class) in settings.acr_values.iter().enumerate() {
        if class.is_empty() || class.contains(char::is_whitespace) {
            findings.add(&format!("acr_values[{index}]"), "it is empty or has blanks in it", "one class for each entry");
        }
    }
    for name in settings.authorize_parameters.keys() {
        if name.is_empty() || RESERVED.contains(&name.as_str()) {
            let hint = "remove it: the gateway sets it itself (see `scopes`, `max_age`, `acr_values`)";
            findings.add(&format!("authorize_parameters.{name}"), format!("`{name}` may not be set here"), hint);
        }
    }
}
