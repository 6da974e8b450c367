//! Rolegate as the SAML identity provider that IAM trusts: the minted response and the metadata.

use std::fmt;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::TimeDelta;
use data_encoding::{BASE64, HEXLOWER};
use secrecy::{ExposeSecret, SecretString};

use super::keys::KeyAge;
use super::settings::SamlTrustSettings;
use super::{Proof, SigningAlgorithm, SigningFailed, keys};
use crate::access::{Account, AssumeRequest};
use crate::arn::{Region, SamlProviderArn};
use crate::clock::Moment;
use crate::identity::Identity;
use crate::saml::encryption::{EncryptionKey, write_encrypted};
use crate::saml::sign::{Certificate, KeyKind, SamlSigner, self_signed};
use crate::saml::write::aws::{AwsResponse, LONGEST_WINDOW, Tag, UNSPECIFIED_CONTEXT};
use crate::saml::write::metadata::IdpMetadata;
use crate::settings::{Problem, SecretRef};

/// STS takes no longer `SAMLAssertion`, in characters of base64 (API reference, `AssumeRoleWithSAML`).
pub(super) const LONGEST_ASSERTION: usize = 100_000;

const KEY_HINT: &str =
    "make both: openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=Rolegate -keyout saml-key.pem -out saml-certificate.pem";
const CERTIFICATE_HINT: &str = "write a PEM (BEGIN CERTIFICATE) of the key that it is about";

/// Where the gateway and AWS's sign-in page stand: what the settings of SAML follow from.
#[derive(Debug, Clone, Copy)]
pub struct SamlPlace<'a> {
    /// The gateway's public URL, without a slash at the end.
    pub public_url: &'a str,
    /// A stand-in for AWS's sign-in pages, if there is one.
    pub signin_endpoint: Option<&'a str>,
}

/// Mints the SAML responses that AWS accepts, and describes itself to IAM.
pub struct SamlIssuer {
    entity_id: String,
    provider_name: String,
    signer: SamlSigner,
    encryption: Option<EncryptionKey>,
    regions: Vec<Region>,
    stand_in: Option<String>,
    metadata: String,
    /// The current certificate and the next ones, with their places in the configuration.
    own: Vec<(String, Certificate)>,
    ages: Vec<(KeyAge, Certificate)>,
    ephemeral: bool,
}

/// A sign-in address of AWS that takes SAML responses: at once the address, the response's Recipient, and what trust policies see as
/// `saml:aud`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInEndpoint {
    /// The address.
    pub url: String,
    /// Its region; none for the partition's own.
    pub region: Option<Region>,
}

/// A response for the browser to post, with the address that it is good for and no other.
#[derive(Debug)]
pub struct SignInPost {
    /// Where it is posted to.
    pub endpoint: SignInEndpoint,
    /// The response.
    pub proof: Proof,
    /// How many endpoints there are, and which of them the next try should take.
    pub next: NextEndpoint,
}

/// The endpoint to try when the first does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextEndpoint {
    /// Its place in the list.
    pub attempt: usize,
    /// The endpoint; the same one again where there is only one.
    pub endpoint: SignInEndpoint,
}

impl SamlIssuer {
    /// Reads the keys and certificates that the settings refer to, or makes a pair for a trial.
    ///
    /// # Errors
    /// Every [`Problem`], with paths that start at `path`.
    pub fn load(settings: &SamlTrustSettings, place: &SamlPlace<'_>, base: &Path, path: &str, now: Moment) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let entity_id = settings.entity_id.clone().unwrap_or_else(|| format!("{}/saml/idp", place.public_url));
        settings.check(&entity_id, path, &mut problems);
        let mut reader = Reader { base, path, problems };
        let signer = reader.signer(settings, now);
        let lists = [("next_certificates", &settings.next_certificates), ("retiring_certificates", &settings.retiring_certificates)];
        let others: Vec<_> = lists.into_iter().flat_map(|(key, list)| reader.list(key, list)).collect();
        let encryption = settings.encryption_certificate.as_ref().and_then(|reference| reader.encryption(reference));
        let Reader { mut problems, .. } = reader;
        let regions = settings.regions.iter().filter_map(|name| name.parse().ok()).collect();
        let Some(signer) = signer.filter(|_| problems.is_empty()) else { return Err(problems) };
        let age = |at: &str| if at.contains(".next_certificates") { KeyAge::Next } else { KeyAge::Retiring };
        let mut ages = vec![(KeyAge::Active, signer.certificate().clone())];
        ages.extend(others.iter().map(|(at, certificate)| (age(at), certificate.clone())));
        let mut signing = vec![signer.certificate().clone()];
        // One that is made for a trial, or on its way out, may end.
        let next = others.iter().filter(|(at, _)| at.contains(".next_certificates")).cloned();
        let current = settings.certificate.iter().map(|_| (format!("{path}.certificate"), signer.certificate().clone()));
        let own = current.chain(next).collect();
        for (at, certificate) in others {
            if signing.contains(&certificate) {
                problems.push(Problem::new(at, "the certificate stands here twice", "each age needs a key of its own"));
            }
            signing.push(certificate);
        }
        let front = format!("{}/", place.public_url);
        let metadata = IdpMetadata { entity_id: &entity_id, signing: &signing, single_sign_on_service: &front }.write();
        let metadata = metadata.map_err(|error| problems.push(Problem::new(path, error.to_string(), "IAM takes one to ten certificates")));
        let (Ok(metadata), true) = (metadata, problems.is_empty()) else { return Err(problems) };
        Ok(Self {
            entity_id,
            provider_name: settings.provider_name.clone(),
            signer,
            encryption,
            regions,
            stand_in: place.signin_endpoint.map(|url| url.trim_end_matches('/').to_owned()),
            metadata,
            own,
            ages,
            ephemeral: settings.signing_key.is_none(),
        })
    }

    /// The entity ID: the Issuer of what is minted, and `saml:iss` in trust policies.
    #[must_use]
    pub fn entity_id(&self) -> &str {
        &self.entity_id
    }

    /// The metadata for IAM, with all certificates: the next one ahead of its time and retiring ones still there.
    #[must_use]
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// The certificates of ours that are in use or will be, with their places in the configuration.
    #[must_use]
    pub fn own_certificates(&self) -> &[(String, Certificate)] {
        &self.own
    }

    /// The certificates that the metadata shows, the one whose key signs first.
    #[must_use]
    pub fn certificates(&self) -> &[(KeyAge, Certificate)] {
        &self.ages
    }

    /// Whether the signing key does not outlive the process.
    #[must_use]
    pub const fn is_ephemeral(&self) -> bool {
        self.ephemeral
    }

    /// IAM's SAML provider in an account.
    ///
    /// # Errors
    /// [`SigningFailed::Claims`], which the check of the settings has ruled out.
    pub fn provider(&self, account: &Account) -> Result<SamlProviderArn, SigningFailed> {
        let own = account.saml_provider.clone().map(Ok);
        own.unwrap_or_else(|| SamlProviderArn::new(account.partition, account.id, &self.provider_name)).map_err(|_| SigningFailed::Claims)
    }

    /// The sign-in addresses for an account, the first one preferred: never empty.
    #[must_use]
    pub fn endpoints(&self, account: &Account) -> Vec<SignInEndpoint> {
        let regions = self.regions.iter().filter(|region| account.partition.has_region(region)).map(Some);
        let mut endpoints: Vec<_> = regions.map(|region| self.endpoint(account, region)).collect();
        if endpoints.is_empty() {
            endpoints.push(self.endpoint(account, None));
        }
        endpoints
    }

    fn endpoint(&self, account: &Account, region: Option<&Region>) -> SignInEndpoint {
        let mut url = match (&self.stand_in, region) {
            (None, region) => account.partition.saml_endpoint(region),
            (Some(base), None) => format!("{base}/saml"),
            (Some(base), Some(region)) => format!("{base}/{region}/saml"),
        };
        if let Some(id) = &account.saml_acs_id {
            url.push_str("/acs/");
            url.push_str(id);
        }
        SignInEndpoint { url, region: region.cloned() }
    }

    /// Mints the response for a call to STS.
    pub(super) fn prove(&self, request: &AssumeRequest, who: &Identity, now: Moment) -> Result<Proof, SigningFailed> {
        self.sign_in(request, who, 0, now).map(|post| post.proof)
    }

    /// Mints the response for the browser to post. `attempt` chooses among the endpoints and starts anew behind the last.
    pub(super) fn sign_in(
        &self,
        request: &AssumeRequest,
        who: &Identity,
        attempt: usize,
        now: Moment,
    ) -> Result<SignInPost, SigningFailed> {
        let endpoints = self.endpoints(request.account());
        let at = |attempt: usize| {
            let attempt = attempt.checked_rem(endpoints.len()).unwrap_or_default();
            endpoints.get(attempt).cloned().map(|endpoint| NextEndpoint { attempt, endpoint }).ok_or(SigningFailed::Claims)
        };
        let chosen = at(attempt)?;
        let next = at(chosen.attempt + 1)?;
        let proof = self.mint(request, who, &chosen.endpoint.url, now)?;
        Ok(SignInPost { endpoint: chosen.endpoint, proof, next })
    }

    fn mint(&self, request: &AssumeRequest, who: &Identity, recipient: &str, now: Moment) -> Result<Proof, SigningFailed> {
        let (response_id, assertion_id, session_index) = (random_id()?, random_id()?, random_id()?);
        let provider = self.provider(request.account())?;
        let tags: Vec<_> = request.tags().iter().map(|tag| Tag { key: &tag.key, value: &tag.value, transitive: tag.transitive }).collect();
        let duration = u32::try_from(request.duration().as_secs()).map_err(|_| SigningFailed::Claims)?;
        let name_id = self.name_id(request.subject());
        let authentication = who.authentication();
        let response = AwsResponse {
            response_id: &response_id,
            assertion_id: &assertion_id,
            issuer: &self.entity_id,
            name_id: &name_id,
            recipient,
            // The narrowest audience there is: the one address.
            audience: recipient,
            issued: now,
            expires: now + LONGEST_WINDOW,
            authenticated: authentication.time.map_or(now, |time| time.min(now)),
            authn_context: authentication.acr.as_deref().filter(|acr| is_context_class(acr)).unwrap_or(UNSPECIFIED_CONTEXT),
            session_index: &session_index,
            // `SessionDuration` gives the length. The lesser of the two counts from the redemption on, so this one must not be a few seconds
            // shorter: at 15 minutes that would be less than AWS grants.
            session_expires: now + TimeDelta::seconds(i64::from(duration)) + LONGEST_WINDOW,
            role_arn: request.role().ok_or(SigningFailed::NotNeeded)?.as_str(),
            provider_arn: provider.as_str(),
            role_session_name: request.session_name(),
            session_duration: duration,
            tags: &tags,
            source_identity: request.source_identity(),
        };
        let written = match &self.encryption {
            None => response.write(&self.signer),
            Some(key) => write_encrypted(&response, &self.signer, key),
        };
        let written = written.map_err(|error| {
            tracing::warn!(reason = %error, "a SAML response was not written");
            SigningFailed::Claims
        })?;
        let encoded = BASE64.encode(written.expose_secret().as_bytes());
        if encoded.len() > LONGEST_ASSERTION {
            return Err(SigningFailed::TooLarge);
        }
        Ok(Proof::of_saml(encoded, assertion_id, provider))
    }

    /// A name that stays the same for a person and tells nothing: CloudTrail shows it. It does not hang on the key, so that it outlives
    /// a rotation.
    fn name_id(&self, person: &str) -> String {
        let digest = digest(&SHA256, format!("{}\0{person}", self.entity_id).as_bytes());
        HEXLOWER.encode(digest.as_ref().get(..20).unwrap_or_default())
    }
}

impl fmt::Debug for SamlIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SamlIssuer").field("entity_id", &self.entity_id).field("signer", &self.signer).finish_non_exhaustive()
    }
}

/// 128 random bits as an `xs:ID`.
fn random_id() -> Result<String, SigningFailed> {
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| SigningFailed::Random)?;
    Ok(format!("_{}", HEXLOWER.encode(&random)))
}

/// Whether an `acr` has the form of an authentication context class, which is a URI. OpenID Connect allows others, such as `2`.
fn is_context_class(acr: &str) -> bool {
    acr.len() <= 255 && acr.bytes().all(|byte| byte.is_ascii_graphic()) && (acr.starts_with("urn:") || acr.starts_with("https://"))
}

/// Reads what the settings refer to, and collects what is wrong with it.
struct Reader<'a> {
    base: &'a Path,
    path: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn secret(&mut self, key: &str, reference: &SecretRef) -> Option<SecretString> {
        reference.read(self.base, &format!("{}.{key}", self.path)).map_err(|problem| self.problems.push(problem)).ok()
    }

    fn refuse(&mut self, key: &str, message: &str, hint: &str) {
        self.problems.push(Problem::new(format!("{}.{key}", self.path), message, hint));
    }

    fn certificate(&mut self, key: &str, reference: &SecretRef) -> Option<Certificate> {
        let pem = self.secret(key, reference)?;
        match Certificate::from_pem(pem.expose_secret()) {
            Ok(certificate) if is_for_aws(&certificate) => return Some(certificate),
            Ok(_) => self.refuse(key, "AWS wants an RSA key of 2048 to 8192 bits", KEY_HINT),
            Err(message) => self.refuse(key, message, CERTIFICATE_HINT),
        }
        None
    }

    fn list(&mut self, key: &str, references: &[SecretRef]) -> Vec<(String, Certificate)> {
        let mut found = Vec::new();
        for (index, reference) in references.iter().enumerate() {
            let key = format!("{key}[{index}]");
            let at = format!("{}.{key}", self.path);
            found.extend(self.certificate(&key, reference).map(|certificate| (at, certificate)));
        }
        found
    }

    fn encryption(&mut self, reference: &SecretRef) -> Option<EncryptionKey> {
        const KEY: &str = "encryption_certificate";
        let certificate = self.certificate(KEY, reference)?;
        EncryptionKey::new(certificate).map_err(|message| self.refuse(KEY, message, CERTIFICATE_HINT)).ok()
    }

    fn signer(&mut self, settings: &SamlTrustSettings, now: Moment) -> Option<SamlSigner> {
        let (key, certificate) = match (&settings.signing_key, &settings.certificate) {
            (Some(key), Some(certificate)) => {
                let (key, certificate) = (self.secret("signing_key", key), self.secret("certificate", certificate));
                (key?, certificate?.expose_secret().to_owned())
            }
            (None, None) => {
                let made = keys::generate(SigningAlgorithm::Rs256).map_err(|_| "no key could be made").and_then(|key| {
                    let certificate = self_signed(&key, "Rolegate (made at its start)", now, TimeDelta::days(3650))?;
                    Ok((key, certificate))
                });
                made.map_err(|message| self.refuse("signing_key", message, KEY_HINT)).ok()?
            }
            (Some(_), None) => return self.incomplete("certificate"),
            (None, Some(_)) => return self.incomplete("signing_key"),
        };
        match SamlSigner::from_pem(&key, &certificate) {
            Ok(signer) if is_for_aws(signer.certificate()) => return Some(signer),
            Ok(_) => self.refuse("certificate", "AWS wants an RSA key of 2048 to 8192 bits", KEY_HINT),
            Err(message) => self.refuse("signing_key", message, KEY_HINT),
        }
        None
    }

    fn incomplete(&mut self, missing: &str) -> Option<SamlSigner> {
        self.refuse(missing, "the signing key and its certificate belong together", KEY_HINT);
        None
    }
}

fn is_for_aws(certificate: &Certificate) -> bool {
    matches!(certificate.kind(), KeyKind::Rsa(2048..=8192))
}

#[cfg(test)]
mod tests;
