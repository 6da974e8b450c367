//! Signing in with a SAML 2.0 identity provider (SAML Profiles section 4.1, web browser single sign-on).
//!
//! One [`Provider`] for each configured one. [`Provider::begin`] makes the request that the browser carries; [`Provider::complete`] turns a
//! posted response into an [`Identity`]. Whose browser it is, that a request is answered once and that an assertion serves once, is the
//! gateway's to see to.

mod aside;
mod checked;
mod logout;
mod person;
mod settings;
mod source;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use data_encoding::{BASE64, HEXLOWER};
use url::Url;

use self::checked::{Checked, Source};
use self::source::{Loaded, PACE};
use super::cache::Cache;
use super::health::{Health, KeptDocument, ProviderHealth};
use super::http::Http;
use super::provider::{Departure, PostForm};
use super::{Forwardable, Identity, ProviderId, Rejected, StepUp, UpstreamToken};
use crate::clock::Moment;
use crate::saml::encryption::{Policy, decrypt};
use crate::saml::prescreen::prescreen;
use crate::saml::redirect::{self, MessageKind};
use crate::saml::response::{Assertion, Expected, UnverifiedEnvelope, read};
use crate::saml::sign::SamlSigner;
use crate::saml::verify::Verified;
use crate::saml::write::messages::{AuthnRequest, Comparison, Envelope};
use crate::saml::write::metadata::SpMetadata;
use crate::saml::write::{Binding, Unwritable, name_id_format};
use crate::saml::xml::{Document, Limits};
use crate::saml::{Certificate, Refused, SAMLP_NS, decode_posted};
use crate::settings::Problem;

pub use logout::{LogoutAnswer, LogoutDemand, Travelled};
pub use settings::{EncryptionKeySettings, MetadataSource, RequestBinding, SamlProviderSettings};

/// How old an assertion may be when it arrives, whatever it says itself.
const LONGEST_AGE: TimeDelta = TimeDelta::minutes(5);
/// How much longer than it could serve an assertion is remembered, because instances' clocks may differ.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(1);
/// How often the background looks whether the metadata is due.
const LOOK: Duration = Duration::from_mins(5);

/// A configured provider. Cheap to clone: all clones share what was fetched from it.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    checked: Arc<Checked>,
    http: Http,
    metadata: Cache<Loaded>,
    health: Health,
    disagreements: AtomicU64,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Provider").field(&self.0.checked.id).finish()
    }
}

/// What a browser posts to the assertion consumer service.
#[derive(Clone, Default)]
pub struct Posted {
    /// The form field `SAMLResponse`.
    pub response: String,
    /// The form field `RelayState`.
    pub relay_state: String,
}

impl fmt::Debug for Posted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Posted").field("response", &self.response.len()).finish_non_exhaustive()
    }
}

/// The request that a response must answer.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its ID.
    pub request: &'a str,
    /// When it was sent.
    pub at: Moment,
}

/// A response that was accepted, if its assertion was not used before.
#[derive(Debug)]
pub struct Accepted {
    /// Who signs in.
    pub identity: Identity,
    /// What tells the assertion from all others.
    pub assertion: Vec<u8>,
    /// How long it must be remembered that it was used.
    pub remember: Duration,
    /// When the provider wants the session to end at the latest.
    pub session_end: Option<Moment>,
}

impl Provider {
    /// A provider by its settings. Checks everything that can be checked without asking it, and reads secrets and files.
    ///
    /// `path` is the settings' place in the configuration (`saml_provider[0]`), and `base` the folder that relative file names start at.
    ///
    /// # Errors
    /// Every [`Problem`] that was found.
    pub fn new(settings: &SamlProviderSettings, path: &str, public_url: &Url, base: &Path) -> Result<Self, Vec<Problem>> {
        let checked = Checked::read(settings, path, public_url, base)?;
        if let Source::File(file) = &checked.source {
            let read = source::read_file(file);
            let loaded = read.and_then(|bytes| source::read(&bytes, checked.pinned.as_ref(), checked.entity_id.as_deref()));
            loaded.map_err(|why| {
                let hint = "put the provider's metadata there; where it describes several providers, name one by `entity_id`";
                vec![Problem::new(format!("{path}.metadata.file"), why, hint)]
            })?;
        }
        let http = Http::new(checked.reach, checked.authority.as_deref()).map_err(|error| {
            let message = format!("the certificates to trust cannot be used: {error}");
            let hint = "name a PEM file with certificates, or install the system's ca-certificates";
            vec![Problem::new(format!("{path}.ca_file"), message, hint)]
        })?;
        Ok(Self(Arc::new(Inner {
            checked: Arc::new(checked),
            http: http.up_to(source::MOST_BYTES),
            metadata: Cache::with_own_spans(PACE, Loaded::own_span),
            health: Health::default(),
            disagreements: AtomicU64::new(0),
        })))
    }

    /// The provider's short name.
    #[must_use]
    pub fn id(&self) -> &ProviderId {
        &self.0.checked.id
    }

    /// The name that people see.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.checked.name
    }

    /// Whether people with addresses of this e-mail domain sign in here.
    #[must_use]
    pub fn serves_domain(&self, domain: &str) -> bool {
        self.0.checked.email_domains.iter().any(|served| served.eq_ignore_ascii_case(domain))
    }

    /// Whether people are sent here by the domain of their e-mail address.
    #[must_use]
    pub fn has_domains(&self) -> bool {
        !self.0.checked.email_domains.is_empty()
    }

    /// How the provider did lately.
    #[must_use]
    pub fn health(&self) -> ProviderHealth {
        self.0.health.read()
    }

    /// The provider's metadata, as it is kept here, with the keys in it.
    #[must_use]
    pub fn documents(&self, now: Moment) -> Vec<KeptDocument> {
        let metadata = &self.0.metadata;
        let mut kept = KeptDocument::new("metadata", metadata.fetched());
        if let Some(loaded) = metadata.peek() {
            kept.ends = loaded.description.valid_until;
            kept.warnings = loaded.warnings(now);
        }
        vec![kept]
    }

    /// Whether the provider may start sign-ins.
    #[must_use]
    pub fn may_start(&self) -> bool {
        self.0.checked.idp_initiated
    }

    /// The certificates of ours that the metadata shows, each with its key in the settings.
    #[must_use]
    pub fn own_certificates(&self) -> Vec<(&'static str, &Certificate)> {
        let Checked { signing, encryption, .. } = &*self.0.checked;
        let signing = signing.iter().map(|(key, certificate)| (*key, certificate));
        signing.chain(encryption.iter().map(|certificate| ("encryption_keys", certificate))).collect()
    }

    /// Looks at the provider's metadata now.
    ///
    /// # Errors
    /// Why they are not to be had, or are of no use.
    pub async fn look(&self, now: Moment) -> Result<String, String> {
        let loaded = self.loaded(now).await.map_err(|rejected| rejected.to_string())?;
        let warnings: Vec<_> = loaded.warnings(now).iter().map(|warning| format!("; {warning}")).collect();
        Ok(format!("its metadata is in order, of {}{}", loaded.description.entity_id, warnings.concat()))
    }

    /// Looks for newer metadata for as long as it is polled, and warns ahead of what will end. `now` tells the time.
    pub async fn keep_fresh(self, now: impl Fn() -> Moment) {
        let (mut seen, mut told): (Option<Arc<Loaded>>, Option<Moment>) = (None, None);
        loop {
            let moment = now();
            match self.loaded(moment).await {
                Ok(loaded) => {
                    if !seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &loaded)) {
                        let entity_id = &loaded.description.entity_id;
                        tracing::info!(provider = %self.id(), entity_id, "the provider's metadata was read");
                        for warning in loaded.warnings(moment) {
                            tracing::warn!(provider = %self.id(), warning, "about the provider's metadata");
                        }
                    }
                    seen = Some(loaded);
                    // The old copy serves on: somebody should look before it is too old.
                    if let Some((at, why)) = self.health().failure
                        && told.replace(at) != Some(at)
                    {
                        tracing::warn!(provider = %self.id(), reason = %why, "the provider's metadata was not renewed: the old copy serves");
                    }
                }
                Err(rejected) => tracing::warn!(provider = %self.id(), reason = %rejected, "the provider's metadata is not to be had"),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Begins a login. `state` is the caller's, and comes back as `RelayState`. Returns how the browser leaves, and the request's ID.
    ///
    /// # Errors
    /// [`Rejected::Unavailable`] when the provider's metadata is not to be had, or offers no way to it.
    pub async fn begin(&self, state: &str, now: Moment) -> Result<(Departure, String), Rejected> {
        self.begin_for(state, None, now).await
    }

    /// [`Self::begin`], with a demand that an earlier sign-in did not meet: `RequestedAuthnContext`, and `ForceAuthn` where only proving
    /// oneself anew can help.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn begin_for(&self, state: &str, step_up: Option<&StepUp>, now: Moment) -> Result<(Departure, String), Rejected> {
        let checked = &self.0.checked;
        let loaded = self.loaded(now).await?;
        let endpoint = loaded.description.sign_on_by(checked.binding).ok_or_else(|| {
            let other = if checked.binding == Binding::Redirect { "post" } else { "redirect" };
            Rejected::Unavailable(format!("its metadata has no SingleSignOnService by this binding: set binding = \"{other}\""))
        })?;
        let id = new_id()?;
        let (classes, anew) = wishes(checked, step_up);
        let request = AuthnRequest {
            envelope: Envelope { id: &id, issuer: &checked.addresses.entity_id, destination: &endpoint.location, issued: now },
            assertion_consumer_service: &checked.addresses.acs,
            force_authn: checked.force_authn || anew,
            name_id_format: checked.name_id_format.as_deref(),
            authn_context: (!classes.is_empty()).then_some((Comparison::Exact, &classes)),
        };
        let signer = checked.signer.as_ref().filter(|_| checked.signs_requests);
        let write = |signer: Option<&SamlSigner>| request.write(signer);
        let departure = leave(checked.binding, &endpoint.location, MessageKind::Request, write, Some(state), signer);
        Ok((departure.map_err(|error| Rejected::Unavailable(error.to_string()))?, id))
    }

    /// Completes a login with a posted response; `asked` is the request that it must answer, none if the provider started.
    ///
    /// # Errors
    /// The [`Rejected`] that says why nobody is signed in.
    pub async fn complete(&self, posted: &Posted, asked: Option<Asked<'_>>, now: Moment) -> Result<Accepted, Rejected> {
        let checked = &self.0.checked;
        let bytes = Arc::new(decode_posted(&posted.response)?);
        let loaded = self.loaded(now).await?;
        let (verified, envelope) = match self.verify(&loaded, &bytes, now).await {
            // A key that is not known yet. Of an encrypted assertion nobody learns which of all reasons it was, we included.
            Err(Rejected::Saml(refused @ (Refused::Signature | Refused::Decryption))) => {
                let newer = self.0.metadata.newer(&loaded, now, self.fetch(now)).await;
                match newer {
                    Some(newer) => self.verify(&newer, &bytes, now).await,
                    None => Err(refused.into()),
                }
            }
            verified => verified,
        }?;
        let assertion = read(&verified)?;
        let expected = Expected {
            idp_entity_id: &loaded.description.entity_id,
            sp_entity_id: &checked.addresses.entity_id,
            acs_url: &checked.addresses.acs,
            aws_recipient: checked.aws_recipient.as_deref(),
            request_id: asked.map(|asked| asked.request),
            max_age: LONGEST_AGE,
        };
        assertion.check(&envelope, &expected, now, checked.skew)?;
        let asked_at = asked.map_or_else(|| now - LONGEST_AGE, |asked| asked.at);
        if checked.force_authn && assertion.authn.instant < asked_at - checked.skew {
            return Err(Rejected::TooOld);
        }
        let remember = assertion.replayable_until(LONGEST_AGE, checked.skew) + CLOCKS_APART - now;
        let forwardable = checked.aws_recipient.is_some().then(|| Box::new(forwardable(&assertion, &bytes)));
        Ok(Accepted {
            assertion: format!("saml assertion\0{}\0{}", assertion.issuer, assertion.id).into_bytes(),
            remember: remember.to_std().unwrap_or_default(),
            session_end: assertion.authn.session_not_on_or_after,
            identity: Identity { forwardable, ..person::identity(checked, assertion)? },
        })
    }

    /// Our metadata as service provider, for the identity provider's administrator.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub fn sp_metadata(&self) -> Result<String, Unwritable> {
        let checked = &self.0.checked;
        let addresses = &checked.addresses;
        let services = [Binding::Redirect, Binding::Post, Binding::Soap].map(|binding| (binding, addresses.slo.as_str()));
        let signing: Vec<_> = checked.signing.iter().map(|(_, certificate)| certificate.clone()).collect();
        let metadata = SpMetadata {
            id: "rolegate-sp",
            entity_id: &addresses.entity_id,
            valid_until: None,
            cache_duration: Some(TimeDelta::days(1)),
            signing: &signing,
            encryption: &checked.encryption,
            signs_requests: checked.signs_requests,
            assertion_consumer_service: &addresses.acs,
            single_logout_services: if checked.single_logout { &services } else { &[] },
            name_id_formats: &[name_id_format::PERSISTENT, name_id_format::EMAIL, name_id_format::UNSPECIFIED],
        };
        metadata.write(checked.signer.as_ref())
    }

    /// The signed bytes of a response, with what stands around them.
    async fn verify(&self, loaded: &Arc<Loaded>, bytes: &Arc<Vec<u8>>, now: Moment) -> Result<(Verified, UnverifiedEnvelope), Rejected> {
        let (length, provider, loaded, bytes) = (bytes.len(), self.clone(), Arc::clone(loaded), Arc::clone(bytes));
        aside::by_length(length, move || provider.verify_here(&loaded, &bytes, now)).await?
    }

    fn verify_here(&self, loaded: &Loaded, bytes: &[u8], now: Moment) -> Result<(Verified, UnverifiedEnvelope), Rejected> {
        let checked = &self.0.checked;
        // Metadata that has run out vouches for no key.
        loaded.description.signing(now).map_err(|error| Rejected::Unavailable(error.to_string()))?;
        let screened = prescreen(bytes).map_err(|refused| told_failure(bytes).unwrap_or(Rejected::Saml(refused)))?;
        let envelope = UnverifiedEnvelope::read(&screened)?;
        let verified = if screened.is_encrypted() && !checked.decryption.is_empty() {
            // Without a signature around it, AES-CBC would let anybody change what is decrypted.
            let policy = Policy { allow_cbc: checked.allow_cbc && envelope.signed };
            let open = |element: &crate::saml::xml::Element<'_>| {
                decrypt(element, &checked.decryption, policy).ok().map(|plaintext| plaintext.to_vec())
            };
            loaded.verifier.verify_encrypted(&screened, open)
        } else if checked.want_encrypted && !screened.is_encrypted() {
            return Err(Rejected::NotEncrypted);
        } else {
            loaded.verifier.verify(&screened)
        };
        if verified == Err(Refused::Disagreement) {
            let total = self.0.disagreements.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::error!(provider = %self.id(), total, "the two signature verifiers do not agree on a response: look at it");
        }
        Ok((verified?, envelope))
    }

    async fn loaded(&self, now: Moment) -> Result<Arc<Loaded>, Rejected> {
        self.0.metadata.get(now, self.fetch(now)).await.map_err(Rejected::Unavailable)
    }

    async fn fetch(&self, now: Moment) -> Result<Loaded, String> {
        let fetched = source::fetch(&self.0.checked, &self.0.http, now).await;
        self.0.health.noting(fetched.and_then(|fetched| source::of_the_same(self.0.metadata.peek().as_deref(), fetched)), now)
    }
}

/// A failure that the provider reports instead of an assertion. Nobody signed it, so it refuses, with a word of a fixed list.
fn told_failure(bytes: &[u8]) -> Option<Rejected> {
    const STATUS: &str = "urn:oasis:names:tc:SAML:2.0:status:";
    const KNOWN: [&str; 9] = [
        "AuthnFailed",
        "InvalidNameIDPolicy",
        "NoAuthnContext",
        "NoPassive",
        "RequestDenied",
        "RequestUnsupported",
        "UnknownPrincipal",
        "Requester",
        "Responder",
    ];
    let root = Document::parse(bytes, &Limits::RESPONSE).ok()?.root;
    let outer = root.only_child(SAMLP_NS, "Status").ok()?.only_child(SAMLP_NS, "StatusCode").ok()?;
    let inner = outer.optional_child(SAMLP_NS, "StatusCode").ok()?;
    let known = |value: &str| KNOWN.into_iter().find(|known| value.strip_prefix(STATUS) == Some(*known));
    let word = inner.into_iter().chain([outer]).find_map(|code| known(code.attribute("Value")?))?;
    Some(Rejected::ProviderError(word.to_owned()))
}

/// The context classes to ask for, and whether the person must prove themselves anew.
fn wishes<'a>(checked: &'a Checked, step_up: Option<&'a StepUp>) -> (Vec<&'a str>, bool) {
    let wanted = step_up.map(|step_up| &step_up.wanted);
    let classes = match wanted {
        Some(wanted) if !wanted.classes.is_empty() => wanted.classes.as_slice(),
        Some(wanted) if wanted.mfa => checked.mfa.as_slice(),
        _ => &[],
    };
    // A class that the settings refuse would end the sign-in.
    let accepted = |class: &&String| checked.authn_context.is_empty() || checked.authn_context.contains(class);
    let mut classes: Vec<&str> = classes.iter().filter(accepted).map(String::as_str).collect();
    let nameless_factor = step_up.is_some_and(StepUp::lacks_factor) && classes.is_empty();
    if classes.is_empty() {
        classes = checked.authn_context.iter().map(String::as_str).collect();
    }
    (classes, step_up.is_some_and(StepUp::is_stale) || nameless_factor)
}

/// An ID of a message: 160 random bits.
fn new_id() -> Result<String, Rejected> {
    let mut random = [0; 20];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| Rejected::Unavailable("the machine gives no random bytes".into()))?;
    Ok(format!("_{}", HEXLOWER.encode(&random)))
}

/// How a browser carries a message: by Redirect the query is signed, by POST the message itself.
fn leave(
    binding: Binding,
    location: &str,
    kind: MessageKind,
    write: impl FnOnce(Option<&SamlSigner>) -> Result<String, Unwritable>,
    relay_state: Option<&str>,
    signer: Option<&SamlSigner>,
) -> Result<Departure, Unwritable> {
    let odd = || Unwritable::Value { field: "Location", why: "it is not a URL" };
    if binding == Binding::Redirect {
        let url = redirect::write_url(location, kind, &write(None)?, relay_state, signer)?;
        return Ok(Departure::Visit(Url::parse(&url).map_err(|_| odd())?));
    }
    let name = match kind {
        MessageKind::Request => "SAMLRequest",
        MessageKind::Response => "SAMLResponse",
    };
    let mut fields = vec![(name, BASE64.encode(write(signer)?.as_bytes()))];
    fields.extend(relay_state.map(|state| ("RelayState", state.to_owned())));
    Ok(Departure::Post(PostForm { action: Url::parse(location).map_err(|_| odd())?, fields }))
}

/// What of an assertion that is addressed to AWS is kept, to be passed on.
fn forwardable(assertion: &Assertion, response: &[u8]) -> Forwardable {
    let ends = [Some(assertion.confirmation.not_on_or_after), assertion.conditions.not_on_or_after];
    Forwardable {
        response: UpstreamToken::new(BASE64.encode(response)),
        assertion_id: assertion.id.clone(),
        issued: assertion.issue_instant,
        expires: ends.into_iter().flatten().min().unwrap_or(assertion.issue_instant),
        roles: Forwardable::pairs(assertion.attributes.iter().map(|attribute| (attribute.name.as_str(), attribute.values.as_slice()))),
    }
}
