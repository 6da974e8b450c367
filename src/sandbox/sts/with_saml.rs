//! `AssumeRoleWithSAML`, and the same by the sign-in page: the provider, the response, the role and its trust policy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use chrono::TimeDelta;
use data_encoding::BASE64;

use super::error::StsError;
use super::request::SamlInput;
use super::saml::{self, Encryption, IamSamlProvider, SamlIdentity};
use super::session::{Holder, Issued, StsSession};
use super::{Sts, packed_percent};
use crate::arn::{RoleArn, SamlProviderArn};
use crate::clock::Moment;
use crate::saml::encryption::DecryptionKey;
use crate::sandbox::http::Params;
use crate::sandbox::settings::{SamlMetadata, SandboxRole, TrustedSamlProvider};

/// How long fetched metadata is used without asking again.
const FRESH: TimeDelta = TimeDelta::seconds(60);
/// The federated session of an application that names no length.
const USUAL: Duration = Duration::from_hours(1);

/// IAM's SAML providers, and what was read of their metadata.
pub(super) struct SamlProviders {
    known: Vec<(TrustedSamlProvider, Encryption)>,
    kept: Mutex<HashMap<String, (Moment, Arc<IamSamlProvider>)>>,
}

/// What came of it.
pub(super) struct AssumedBySaml {
    pub(super) session: Arc<StsSession>,
    pub(super) identity: SamlIdentity,
    pub(super) name_qualifier: String,
    pub(super) packed: Option<usize>,
}

impl SamlProviders {
    /// Fails with one sentence if a private key is none.
    pub(super) fn new(settings: &[TrustedSamlProvider]) -> Result<Self, &'static str> {
        let known = settings.iter().map(|provider| {
            let key = provider.decryption_key.as_ref().map(DecryptionKey::from_pem).transpose()?;
            Ok((provider.clone(), Encryption { key, required: provider.requires_encryption }))
        });
        Ok(Self { known: known.collect::<Result<_, &'static str>>()?, kept: Mutex::default() })
    }
}

impl Sts {
    pub(super) async fn assume_with_saml(&self, params: &Params) -> Result<AssumedBySaml, StsError> {
        let input = SamlInput::read(params)?;
        let identity = self.identity_by(input.unverified_assertion, input.provider.name()).await?;
        identity.offers(&input.role, &input.provider)?;
        self.grant(identity, &input.role, &input.provider, input.duration, input.policy_size)
    }

    /// What the sign-in page does with a posted response. `address` is where it was posted to.
    pub(in crate::sandbox) async fn enter_by_saml(&self, response: &str, address: &str) -> Result<Arc<StsSession>, StsError> {
        // The page has no PrincipalArn: the response's own pair says which provider is meant, and its keys decide.
        let mut refusal = StsError::invalid_token("Specified provider doesn't exist");
        for (provider, _) in &self.saml.known {
            let identity = match self.identity_by(response, &provider.name).await {
                Ok(identity) => identity,
                Err(error) => {
                    refusal = error;
                    continue;
                }
            };
            if identity.recipient != address {
                return Err(StsError::invalid_token("The response is for another sign-in address (Recipient) than this one."));
            }
            let [(role, by)] = identity.roles() else {
                return Err(StsError::invalid_token("The response offers several roles; this sandbox has no page to choose one."));
            };
            if by.name() != provider.name {
                refusal = StsError::invalid_token("The response names another SAML provider than the one that it was signed for.");
                continue;
            }
            let (role, by) = (role.clone(), by.clone());
            let asked = identity.session_duration.unwrap_or(USUAL);
            return self.grant(identity, &role, &by, asked, 0).map(|assumed| assumed.session);
        }
        Err(refusal)
    }

    async fn identity_by(&self, unverified: &str, name: &str) -> Result<SamlIdentity, StsError> {
        let known = self.saml.known.iter().find(|(known, _)| known.name == name);
        let (settings, encryption) = known.ok_or_else(|| StsError::invalid_token("Specified provider doesn't exist"))?;
        let document = saml::decode(unverified)?;
        let provider = self.provider(settings).await?;
        saml::check(&document, &provider, encryption, self.clock.now())
    }

    async fn provider(&self, settings: &TrustedSamlProvider) -> Result<Arc<IamSamlProvider>, StsError> {
        let now = self.clock.now();
        let kept = self.saml.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&settings.name).cloned();
        if let Some((_, provider)) = kept.filter(|(since, _)| now - *since < FRESH) {
            return Ok(provider);
        }
        let text = match &settings.metadata {
            SamlMetadata::Document(text) => text.clone(),
            SamlMetadata::At(url) => self.keys.text(url.as_str()).await?,
        };
        let read = IamSamlProvider::read(&text, now);
        let provider = Arc::new(read.map_err(|error| StsError::invalid_token(format!("Could not parse metadata: {error}")))?);
        self.saml.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(settings.name.clone(), (now, Arc::clone(&provider)));
        Ok(provider)
    }

    /// The role and its trust policy, then the session.
    fn grant(
        &self,
        identity: SamlIdentity,
        role: &RoleArn,
        provider: &SamlProviderArn,
        asked: Duration,
        policy_size: usize,
    ) -> Result<AssumedBySaml, StsError> {
        let known = self.trusting_role(&identity, role, provider)?;
        if !identity.tags.is_empty() && !known.allows_tags {
            return Err(StsError::access_denied("sts:TagSession"));
        }
        if identity.source_identity.is_some() && !known.allows_source_identity {
            return Err(StsError::access_denied("sts:SetSourceIdentity"));
        }
        if asked > known.max_session {
            return Err(StsError::validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."));
        }
        let packed = packed_percent(policy_size, &identity.tags);
        if let Some(percent) = packed.filter(|percent| *percent > 100) {
            return Err(StsError::packed_too_large(percent));
        }
        let now = self.clock.now();
        let expires = now + identity.shorten(asked, now);
        let (name, source) = (identity.session_name.as_str(), identity.source_identity.clone());
        let session = StsSession {
            source_identity: source,
            tags: identity.tags.clone(),
            ..StsSession::new(Holder::Role(role.clone()), name, expires)
        };
        let session = Arc::new(session);
        self.note(&session, |session| Issued {
            issuer: identity.issuer.clone(),
            subject: identity.subject.clone(),
            jti: Some(identity.assertion_id.clone()),
            ..Issued::of(session, "AssumeRoleWithSAML", now)
        });
        let qualified = format!("{}{}/{}", identity.issuer, provider.account(), provider.name());
        let name_qualifier = BASE64.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, qualified.as_bytes()).as_ref());
        Ok(AssumedBySaml { session, identity, name_qualifier, packed })
    }

    fn trusting_role(&self, identity: &SamlIdentity, role: &RoleArn, provider: &SamlProviderArn) -> Result<&SandboxRole, StsError> {
        let denied = || StsError::access_denied("sts:AssumeRoleWithSAML");
        if provider.account() != role.account() || provider.partition() != role.partition() || role.name().starts_with("AWSReservedSSO_") {
            return Err(denied());
        }
        let known = self.roles.iter().find(|known| known.arn == *role).ok_or_else(denied)?;
        let trust = known.saml.as_ref().filter(|trust| trust.provider == provider.name()).ok_or_else(denied)?;
        let audience = trust.audiences.is_empty() || trust.audiences.contains(&identity.recipient);
        let issuer = trust.issuer.as_ref().is_none_or(|issuer| *issuer == identity.issuer);
        if audience && issuer { Ok(known) } else { Err(denied()) }
    }
}
