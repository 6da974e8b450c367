//! A provider of any protocol, as the gateway and the pages see it.

use std::fmt;

use url::Url;

use super::pending::LoginSecrets;
use super::{Identity, KeptDocument, ProviderHealth, ProviderId, Rejected, StepUp, oidc, saml};
use crate::clock::Moment;

/// A configured identity provider. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Provider {
    /// By OpenID Connect.
    Oidc(oidc::Provider),
    /// By SAML 2.0.
    Saml(saml::Provider),
}

/// How a browser leaves for a provider.
#[derive(Clone, PartialEq, Eq)]
pub enum Departure {
    /// By opening an address.
    Visit(Url),
    /// By sending a form.
    Post(PostForm),
}

// The query holds the state, which only the browser may know.
impl fmt::Debug for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Visit(url) => write!(f, "Visit({}{})", url.origin().ascii_serialization(), url.path()),
            Self::Post(form) => form.fmt(f),
        }
    }
}

/// A form that a browser sends to a provider.
#[derive(Clone, PartialEq, Eq)]
pub struct PostForm {
    /// Where to.
    pub action: Url,
    /// Its hidden fields.
    pub fields: Vec<(&'static str, String)>,
}

impl fmt::Debug for PostForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostForm").field("action", &self.action.path()).finish_non_exhaustive()
    }
}

/// A login that was begun: where the browser goes, and what its answer must match.
pub struct Begun {
    /// How to leave.
    pub departure: Departure,
    /// What to remember.
    pub secrets: LoginSecrets,
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Begun(…)")
    }
}

impl Provider {
    /// The provider's short name.
    #[must_use]
    pub fn id(&self) -> &ProviderId {
        match self {
            Self::Oidc(provider) => provider.id(),
            Self::Saml(provider) => provider.id(),
        }
    }

    /// The name that people see.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Oidc(provider) => provider.name(),
            Self::Saml(provider) => provider.name(),
        }
    }

    /// Looks at the provider's documents now, and says what they are.
    ///
    /// # Errors
    /// Why they are not to be had, or are of no use.
    pub async fn look(&self, now: Moment) -> Result<String, String> {
        match self {
            Self::Oidc(provider) => provider.look(now).await,
            Self::Saml(provider) => provider.look(now).await,
        }
    }

    /// How the provider did lately.
    #[must_use]
    pub fn health(&self) -> ProviderHealth {
        match self {
            Self::Oidc(provider) => provider.health(),
            Self::Saml(provider) => provider.health(),
        }
    }

    /// The provider's documents, as they are kept here.
    #[must_use]
    pub fn documents(&self, now: Moment) -> Vec<KeptDocument> {
        match self {
            Self::Oidc(provider) => provider.documents(),
            Self::Saml(provider) => provider.documents(now),
        }
    }

    /// Whether people with addresses of this e-mail domain sign in here.
    #[must_use]
    pub fn serves_domain(&self, domain: &str) -> bool {
        match self {
            Self::Oidc(provider) => provider.serves_domain(domain),
            Self::Saml(provider) => provider.serves_domain(domain),
        }
    }

    /// Whether people are sent here by the domain of their e-mail address.
    #[must_use]
    pub fn has_domains(&self) -> bool {
        match self {
            Self::Oidc(provider) => provider.has_domains(),
            Self::Saml(provider) => provider.has_domains(),
        }
    }

    /// Whether the provider can be asked to sign people out, as far as is known.
    #[must_use]
    pub fn offers_logout(&self) -> bool {
        match self {
            Self::Oidc(provider) => provider.offers_logout(),
            Self::Saml(provider) => provider.offers_logout(),
        }
    }

    /// Begins a login. `state` is the caller's: 256 random bits that come back with the answer. `hint` is what the person typed to say who
    /// they are.
    ///
    /// # Errors
    /// [`Rejected::Unavailable`] when the provider cannot be found out about.
    pub async fn begin(&self, state: &str, hint: Option<&str>, now: Moment) -> Result<Begun, Rejected> {
        self.begin_for(state, hint, None, now).await
    }

    /// [`Self::begin`], with a demand that an earlier sign-in did not meet. Whether the new one meets it is not checked here: a provider may
    /// know better, and the rules look at what came.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub async fn begin_for(&self, state: &str, hint: Option<&str>, step_up: Option<&StepUp>, now: Moment) -> Result<Begun, Rejected> {
        match self {
            Self::Oidc(provider) => {
                let oidc::Begun { url, nonce, verifier } = provider.begin_for(state, hint, step_up, now).await?;
                Ok(Begun { departure: Departure::Visit(url), secrets: LoginSecrets::Oidc { nonce, verifier } })
            }
            Self::Saml(provider) => {
                let (departure, request) = provider.begin_for(state, step_up, now).await?;
                Ok(Begun { departure, secrets: LoginSecrets::Saml { request } })
            }
        }
    }

    /// How the browser leaves to sign out at the provider too; none if the provider takes nobody, or did not vouch for this identity.
    /// `signed_out` is where an OpenID Connect provider sends the browser afterwards; a SAML provider answers at its own address here.
    pub async fn logout(&self, identity: &Identity, signed_out: &Url, now: Moment) -> Option<Departure> {
        match self {
            Self::Oidc(provider) => provider.logout_url(identity, signed_out, now).await.map(Departure::Visit),
            Self::Saml(provider) => provider.logout(identity, now).await,
        }
    }

    /// The provider, if it speaks SAML.
    #[must_use]
    pub const fn as_saml(&self) -> Option<&saml::Provider> {
        match self {
            Self::Saml(provider) => Some(provider),
            Self::Oidc(_) => None,
        }
    }

    /// The provider, if it speaks OpenID Connect.
    #[must_use]
    pub const fn as_oidc(&self) -> Option<&oidc::Provider> {
        match self {
            Self::Oidc(provider) => Some(provider),
            Self::Saml(_) => None,
        }
    }
}
