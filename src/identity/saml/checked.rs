//! Settings of one SAML provider, checked as far as that goes without asking it: all findings at once.

use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use secrecy::SecretString;
use url::Url;

use super::settings::{RequestBinding, SamlProviderSettings};
use crate::identity::ProviderId;
use crate::identity::check::{self, Findings};
use crate::identity::http::Reach;
use crate::saml::Certificate;
use crate::saml::encryption::DecryptionKey;
use crate::saml::sign::SamlSigner;
use crate::saml::write::Binding;
use crate::settings::{Problem, is_loopback};

/// The furthest that a provider's clock may be off.
const MOST_SKEW_SECONDS: u64 = 180;
/// The longest entity ID (SAML Metadata section 2.2.1).
const LONGEST_ENTITY_ID: usize = 1024;

/// Where the metadata comes from.
#[derive(Debug)]
pub(super) enum Source {
    File(PathBuf),
    Url(Url),
}

/// A provider's settings, parsed.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own in the file")]
pub(super) struct Checked {
    pub(super) id: ProviderId,
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) pinned: Option<Certificate>,
    pub(super) entity_id: Option<String>,
    pub(super) addresses: Addresses,
    pub(super) binding: Binding,
    pub(super) signer: Option<SamlSigner>,
    pub(super) signs_requests: bool,
    /// The signing certificates that our metadata shows, the current one first, each with its key in the settings.
    pub(super) signing: Vec<(&'static str, Certificate)>,
    pub(super) decryption: Vec<DecryptionKey>,
    pub(super) encryption: Vec<Certificate>,
    pub(super) want_encrypted: bool,
    pub(super) allow_cbc: bool,
    pub(super) force_authn: bool,
    pub(super) authn_context: Vec<String>,
    pub(super) name_id_format: Option<String>,
    pub(super) subject_attribute: Option<String>,
    pub(super) groups_attribute: String,
    pub(super) username_attribute: Option<String>,
    pub(super) email_domains: Vec<String>,
    pub(super) mfa: Vec<String>,
    pub(super) aws_recipient: Option<String>,
    pub(super) idp_initiated: bool,
    pub(super) skew: TimeDelta,
    pub(super) single_logout: bool,
    /// Which addresses may be asked for metadata.
    pub(super) reach: Reach,
    /// Which addresses browsers may be sent to.
    pub(super) visits: Reach,
    pub(super) authority: Option<Vec<u8>>,
}

/// Who we are at this provider, and where it sends what.
#[derive(Debug)]
pub(super) struct Addresses {
    pub(super) entity_id: String,
    pub(super) acs: String,
    pub(super) slo: String,
}

impl Addresses {
    fn new(public_url: &Url, id: &str, entity_id: Option<&str>) -> Self {
        let own = |path: &str| {
            let mut url = public_url.clone();
            url.set_path(&format!("/saml/{id}{path}"));
            url.to_string()
        };
        Self { entity_id: entity_id.map_or_else(|| own(""), str::to_owned), acs: own("/acs"), slo: own("/slo") }
    }
}

impl Checked {
    /// Checks the settings, and reads the secrets and files that they name, but for the metadata.
    ///
    /// # Errors
    /// Every finding, each with its place below `path`.
    pub(super) fn read(settings: &SamlProviderSettings, path: &str, public_url: &Url, base: &Path) -> Result<Self, Vec<Problem>> {
        let mut findings = Findings::below(path);
        let id = check::id(&settings.id, &mut findings);
        words(settings, &mut findings);
        let plain = settings.private_network;
        let source = source(settings, base, &mut findings);
        let reach = Reach {
            private: settings.private_network,
            plain_loopback: plain && matches!(&source, Some(Source::Url(url)) if url.scheme() == "http" && is_loopback(url)),
        };
        if let Some(Source::Url(url)) = &source
            && let Err(error) = reach.check(url)
        {
            let hint = "metadata is fetched by https; plain http is accepted from loopback, with `private_network = true`";
            findings.add("metadata.url", error.to_string(), hint);
        }
        let pinned = certificate("metadata_certificate", settings.metadata_certificate.as_deref(), base, &mut findings);
        let (signer, signing) = signer(settings, base, &mut findings);
        let (decryption, encryption) = decryption(settings, base, &mut findings);
        let authority = check::authority(settings.ca_file.as_deref(), base, &mut findings);
        let email_domains = check::email_domains(&settings.email_domains, &mut findings);
        let signs_requests = settings.sign_requests.unwrap_or(signer.is_some());
        if signs_requests && settings.signing_key.is_none() {
            findings.add("sign_requests", "requests cannot be signed without a `signing_key`", "add the key and its certificate");
        }
        if let Some(recipient) = &settings.aws_recipient
            && (!recipient.starts_with("https://") && !settings.private_network || !recipient.ends_with("/saml"))
        {
            let hint = "https://signin.aws.amazon.com/saml, or a region's own: https://eu-central-1.signin.aws.amazon.com/saml";
            findings.add("aws_recipient", format!("`{recipient}` is not an address of AWS's sign-in"), hint);
        }
        if settings.aws_recipient.is_some() && settings.want_encrypted {
            findings.add("want_encrypted", "what is encrypted for us cannot be passed on to AWS", "take it out, or take out aws_recipient");
        }
        let skew = settings.clock_skew.as_secs();
        if skew > MOST_SKEW_SECONDS {
            findings.add("clock_skew", format!("{} is too much", settings.clock_skew), "at most \"3m\"; mend the clocks instead");
        }
        match (id, source, findings.list) {
            (Some(id), Some(source), list) if list.is_empty() => Ok(Self {
                id,
                name: settings.name.clone(),
                source,
                pinned,
                entity_id: settings.entity_id.clone(),
                addresses: Addresses::new(public_url, &settings.id, settings.sp_entity_id.as_deref()),
                binding: match settings.binding {
                    RequestBinding::Redirect => Binding::Redirect,
                    RequestBinding::Post => Binding::Post,
                },
                signer,
                signs_requests,
                signing,
                decryption,
                encryption,
                want_encrypted: settings.want_encrypted,
                allow_cbc: settings.allow_cbc,
                force_authn: settings.force_authn,
                authn_context: settings.authn_context.clone(),
                name_id_format: settings.name_id_format.clone(),
                subject_attribute: settings.subject_attribute.clone(),
                groups_attribute: settings.groups_attribute.clone(),
                username_attribute: settings.username_attribute.clone(),
                email_domains,
                mfa: settings.mfa.clone(),
                aws_recipient: settings.aws_recipient.clone(),
                idp_initiated: settings.idp_initiated,
                skew: TimeDelta::seconds(i64::try_from(skew).unwrap_or_default()),
                single_logout: settings.single_logout,
                reach,
                visits: Reach { private: true, plain_loopback: plain },
                authority,
            }),
            (.., list) => Err(list),
        }
    }
}

fn words(settings: &SamlProviderSettings, findings: &mut Findings<'_>) {
    let odd = |text: &str| text.trim().is_empty() || text.chars().any(char::is_control);
    let optional = [
        ("subject_attribute", &settings.subject_attribute),
        ("username_attribute", &settings.username_attribute),
        ("name_id_format", &settings.name_id_format),
    ];
    let given = optional.iter().filter_map(|(key, value)| Some((*key, value.as_ref()?)));
    for (key, value) in [("name", &settings.name), ("groups_attribute", &settings.groups_attribute)].into_iter().chain(given) {
        if odd(value) {
            findings.add(key, "it is empty or has control characters in it", "write what the provider shows");
        }
    }
    for (key, value) in [("entity_id", &settings.entity_id), ("sp_entity_id", &settings.sp_entity_id)] {
        let fits = |id: &String| !odd(id) && !id.contains(char::is_whitespace) && id.len() <= LONGEST_ENTITY_ID;
        if value.as_ref().is_some_and(|id| !fits(id)) {
            findings.add(key, "it is not an entity ID", "a URI of at most 1024 characters, without blanks");
        }
    }
    for (key, list) in [("authn_context", &settings.authn_context), ("mfa", &settings.mfa)] {
        for (index, class) in list.iter().enumerate().filter(|(_, class)| odd(class) || class.contains(char::is_whitespace)) {
            findings.add(&format!("{key}[{index}]"), format!("`{class}` is not a class"), "one URI for each entry");
        }
    }
    if settings.want_encrypted && settings.encryption_keys.is_empty() {
        findings.add("want_encrypted", "nothing could decrypt the assertions", "add a key to `encryption_keys`");
    }
}

fn source(settings: &SamlProviderSettings, base: &Path, findings: &mut Findings<'_>) -> Option<Source> {
    match (&settings.metadata.url, &settings.metadata.file) {
        (Some(url), None) => match Url::parse(url) {
            Ok(url) => Some(Source::Url(url)),
            Err(error) => {
                findings.add("metadata.url", format!("it is not a URL: {error}"), "write the address of the provider's metadata");
                None
            }
        },
        (None, Some(file)) => Some(Source::File(base.join(file))),
        _ => {
            let hint = "metadata = { url = \"https://…\" } or metadata = { file = \"…\" }";
            findings.add("metadata", "it names not exactly one place", hint);
            None
        }
    }
}

fn text(key: &str, file: Option<&Path>, base: &Path, findings: &mut Findings<'_>) -> Option<String> {
    let bytes = findings.file(key, file?, base)?;
    String::from_utf8(bytes).map_err(|_| findings.add(key, "the file is not a text", "a certificate in PEM form")).ok()
}

fn certificate(key: &str, file: Option<&Path>, base: &Path, findings: &mut Findings<'_>) -> Option<Certificate> {
    let pem = text(key, file, base, findings)?;
    match Certificate::from_pem(&pem) {
        Ok(certificate) if certificate.kind().is_strong() => Some(certificate),
        Ok(_) => {
            findings.add(key, "its key is neither RSA of 2048 to 8192 bits nor P-256 nor P-384", "have another one made");
            None
        }
        Err(why) => {
            findings.add(key, why, "a certificate in PEM form");
            None
        }
    }
}

/// The key that signs, with the certificates that our metadata shows.
fn signer(
    settings: &SamlProviderSettings,
    base: &Path,
    findings: &mut Findings<'_>,
) -> (Option<SamlSigner>, Vec<(&'static str, Certificate)>) {
    let key = settings.signing_key.as_ref().and_then(|key| {
        let path = findings.at("signing_key");
        findings.keep(key.read(base, &path))
    });
    let pem = text("signing_certificate", settings.signing_certificate.as_deref(), base, findings);
    if settings.signing_key.is_some() != settings.signing_certificate.is_some() {
        let hint = "openssl req -x509 -newkey rsa:3072 -nodes -days 3650 -subj /CN=rolegate -keyout saml.key.pem -out saml.crt.pem";
        findings.add("signing_certificate", "`signing_key` and `signing_certificate` belong together", hint);
    }
    let signer = match (key, pem) {
        (Some(key), Some(pem)) => pair("signing_key", &key, &pem, findings),
        _ => None,
    };
    let next = certificate("next_signing_certificate", settings.next_signing_certificate.as_deref(), base, findings);
    let current = signer.as_ref().map(|signer| ("signing_certificate", signer.certificate().clone()));
    let signing = current.into_iter().chain(next.map(|next| ("next_signing_certificate", next))).collect();
    (signer, signing)
}

fn pair(place: &str, key: &SecretString, certificate: &str, findings: &mut Findings<'_>) -> Option<SamlSigner> {
    SamlSigner::from_pem(key, certificate).map_err(|why| findings.add(place, why, "the key and its certificate, both in PEM form")).ok()
}

fn decryption(settings: &SamlProviderSettings, base: &Path, findings: &mut Findings<'_>) -> (Vec<DecryptionKey>, Vec<Certificate>) {
    let (mut keys, mut certificates) = (Vec::new(), Vec::new());
    for (index, entry) in settings.encryption_keys.iter().enumerate() {
        let place = format!("encryption_keys[{index}].key");
        let path = findings.at(&place);
        let Some(key) = findings.keep(entry.key.read(base, &path)) else { continue };
        match DecryptionKey::from_pem(&key) {
            Ok(read) => keys.push(read),
            Err(why) => findings.add(&place, why, "an RSA key of 2048 bits and more in PKCS#8 PEM form"),
        }
        let pem = text(&format!("encryption_keys[{index}].certificate"), entry.certificate.as_deref(), base, findings);
        certificates.extend(pem.and_then(|pem| pair(&place, &key, &pem, findings)).map(|pair| pair.certificate().clone()));
    }
    (keys, certificates)
}
