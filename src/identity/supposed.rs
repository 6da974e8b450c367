//! Somebody who is only supposed to exist, to try rules with.

use serde_json::{Map, Value};

use super::oidc::groups_of;
use super::words::presentable;
use super::{Authentication, Claims, ProviderId, ProviderSettings, Rejected, SamlProviderSettings, WorkloadProviderSettings};
use crate::clock::Moment;

/// Where a provider's settings say that a person's groups, name and second factor stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    groups: String,
    username: Option<String>,
    methods: Vec<String>,
    classes: Vec<String>,
    workload: bool,
}

impl Reading {
    /// The claim or attribute that lists the groups.
    #[must_use]
    pub fn groups(&self) -> &str {
        &self.groups
    }

    /// Whether a second factor was used, by the methods and the class of a sign-in.
    fn proves_factor(&self, amr: &[String], acr: Option<&String>) -> bool {
        amr.iter().any(|method| self.methods.contains(method)) || acr.is_some_and(|acr| self.classes.contains(acr))
    }
}

impl From<&ProviderSettings> for Reading {
    fn from(settings: &ProviderSettings) -> Self {
        Self {
            groups: settings.groups_claim.clone(),
            username: Some(settings.username_claim.clone()),
            methods: settings.mfa.amr.clone(),
            classes: settings.mfa.acr.clone(),
            workload: false,
        }
    }
}

impl From<&SamlProviderSettings> for Reading {
    fn from(settings: &SamlProviderSettings) -> Self {
        Self {
            groups: settings.groups_attribute.clone(),
            username: settings.username_attribute.clone(),
            methods: settings.mfa.clone(),
            classes: settings.mfa.clone(),
            workload: false,
        }
    }
}

impl From<&WorkloadProviderSettings> for Reading {
    fn from(settings: &WorkloadProviderSettings) -> Self {
        Self {
            groups: settings.groups_claim.clone(),
            username: Some(settings.username_claim.clone()),
            // A workload has no second factor, whatever its claims say.
            methods: Vec::new(),
            classes: Vec::new(),
            workload: true,
        }
    }
}

impl Reading {
    /// How the person signed in. A workload did not: nobody proved themselves, whatever its claims say.
    fn authentication(&self, claims: &Claims) -> Authentication {
        let acr = claims.text("acr").map(str::to_owned);
        let amr = claims.strings("amr").unwrap_or_default();
        let mfa = self.proves_factor(&amr, acr.as_ref());
        let time = claims.find("auth_time").and_then(Value::as_i64).and_then(|time| Moment::from_timestamp(time, 0));
        Authentication { time, mfa, acr, amr, sid: None }
    }
}

/// A person whom no signature vouches for: rules can be tried with them, and nothing can be handed to them. Never becomes an
/// [`Identity`](super::Identity).
#[derive(Debug, Clone)]
pub struct Supposed {
    pub(crate) provider: ProviderId,
    pub(crate) subject: String,
    pub(crate) username: String,
    pub(crate) groups: Vec<String>,
    pub(crate) claims: Claims,
    pub(crate) authentication: Authentication,
    /// Whether it is supposed to be a workload.
    pub(crate) workload: bool,
}

impl Supposed {
    /// Reads claims as a sign-in at the provider would: subject, name, groups and second factor by the provider's settings. Without `sub`
    /// the subject is `somebody`.
    ///
    /// # Errors
    /// [`Rejected`] where the sign-in itself would be refused: a subject with control characters, too many groups, groups of a wrong type.
    pub fn new(provider: ProviderId, reading: &Reading, claims: Map<String, Value>) -> Result<Self, Rejected> {
        let claims = Claims::new(claims);
        let groups = groups_of(&reading.groups, &claims)?;
        let subject = claims.text("sub").unwrap_or("somebody").to_owned();
        if !presentable(&subject) {
            return Err(Rejected::MissingClaim("sub"));
        }
        let username = reading.username.as_deref().and_then(|name| claims.text(name)).filter(|name| presentable(name));
        let username = username.unwrap_or(&subject).to_owned();
        let authentication = if reading.workload { Authentication::default() } else { reading.authentication(&claims) };
        Ok(Self { provider, subject, username, groups, claims, authentication, workload: reading.workload })
    }

    /// Somebody as an earlier sign-in brought them. Whether a second factor was used follows from the methods and the class that came then, by
    /// the provider's settings now.
    #[must_use]
    pub fn recorded(
        (provider, reading): (ProviderId, &Reading),
        (subject, username): (String, String),
        groups: Vec<String>,
        claims: Map<String, Value>,
        authentication: Authentication,
    ) -> Self {
        let mfa = reading.proves_factor(&authentication.amr, authentication.acr.as_ref());
        let authentication = Authentication { mfa, ..authentication };
        Self { provider, subject, username, groups, claims: Claims::new(claims), authentication, workload: reading.workload }
    }

    /// The same person, who signed in with or without a second factor, and at that time; none for what the claims say. A workload did neither.
    #[must_use]
    pub fn under(mut self, mfa: Option<bool>, since: Option<Moment>) -> Self {
        if self.workload {
            return self;
        }
        self.authentication.mfa = mfa.unwrap_or(self.authentication.mfa);
        self.authentication.time = since.or(self.authentication.time);
        self
    }

    /// The provider.
    #[must_use]
    pub const fn provider(&self) -> &ProviderId {
        &self.provider
    }

    /// The name that people recognise.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The groups.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.groups
    }
}
