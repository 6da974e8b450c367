//! Workloads: programs that prove who they are by an ID token of the platform that runs them, and get credentials for it without a session.
//!
//! The token is verified as a person's is ([`jwt`]), and known from one: it names an audience of its own and carries no nonce.
//! How often one token was used is the gateway's to see to.

mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::TimeDelta;
use data_encoding::HEXLOWER;
use jsonwebtoken::Algorithm;
use serde_json::Value;
use url::Url;

pub use settings::WorkloadProviderSettings;

use super::cache::{Cache, PACE};
use super::check::{self, Findings};
use super::claims::Claims;
use super::health::{Health, KeptDocument};
use super::http::{Http, Reach};
use super::jwt::{self, Expected, KeySet, LEEWAY, Unverified, date};
use super::oidc::{email_is_verified, groups_of};
use super::words::presentable;
use super::{Authentication, Identity, ProviderHealth, ProviderId, Rejected, Upstream};
use crate::clock::Moment;
use crate::settings::{Problem, is_loopback};

/// The longest `sub` (OpenID Connect Core section 2).
const LONGEST_SUBJECT: usize = 255;
/// The longest `jti` that is repeated, in bytes.
const LONGEST_ID: usize = 255;
/// How old a token may be at most: so long its uses must be remembered.
const LONGEST_AGE: Duration = Duration::from_hours(24);

/// A platform that vouches for workloads. Cheap to clone: all clones share what was fetched from it.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

struct Inner {
    id: ProviderId,
    issuer: String,
    audience: String,
    algorithms: Vec<Algorithm>,
    required_claims: BTreeMap<String, String>,
    groups_claim: String,
    username_claim: String,
    uses: u32,
    max_age: Duration,
    reach: Reach,
    http: Http,
    /// Where the key set stands, as the discovery document says.
    discovered: Cache<Url>,
    keys: Cache<KeySet>,
    health: Health,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("workload::Provider").field(&self.0.id).finish()
    }
}

/// A workload whose token was verified. It may be one that was used before.
#[derive(Debug)]
pub struct Workload {
    /// Who it is.
    pub identity: Identity,
    /// What its token is called in the audit trail: the `jti`, or else the digest of what is signed. No secret.
    pub token_id: String,
    /// What tells the token from all others of this platform.
    pub mark: Vec<u8>,
    /// How often the token may be used.
    pub uses: u32,
    /// How long its uses must be remembered.
    pub remember: Duration,
}

/// The issuer that a token claims, to find who could vouch for it. Nothing of it is believed.
///
/// # Errors
/// [`Rejected::Malformed`] for what is no token, [`Rejected::MissingClaim`] for one without an issuer.
pub fn unverified_issuer(token: &str) -> Result<String, Rejected> {
    Unverified::parse(token)?.unverified_text("iss").ok_or(Rejected::MissingClaim("iss"))
}

impl Provider {
    /// A platform by its settings. `path` is the settings' place in the configuration (`workload_provider[0]`), and `base` the folder that
    /// relative file names start at.
    ///
    /// # Errors
    /// Every [`Problem`] that was found.
    pub fn new(settings: &WorkloadProviderSettings, path: &str, base: &Path) -> Result<Self, Vec<Problem>> {
        let mut findings = Findings::below(path);
        let id = check::id(&settings.id, &mut findings);
        let reach = Reach {
            private: settings.private_network,
            plain_loopback: Url::parse(&settings.issuer).is_ok_and(|url| url.scheme() == "http" && is_loopback(&url)),
        };
        check_issuer(&settings.issuer, reach, &mut findings);
        for (key, value) in [("audience", &settings.audience), ("username_claim", &settings.username_claim)] {
            if value.trim().is_empty() || value.chars().any(char::is_control) {
                findings.add(key, "it is empty or has control characters in it", "for example the gateway's public URL, and `sub`");
            }
        }
        check::claim_name("groups_claim", &settings.groups_claim, &mut findings);
        for name in settings.required_claims.keys() {
            check::claim_name("required_claims", name, &mut findings);
        }
        let algorithms = check::algorithms(&settings.algorithms, &mut findings);
        if !(1..=1000).contains(&settings.uses) {
            findings.add("uses", "a token may be used 1 to 1000 times", "leave it out for 10");
        }
        if settings.max_age.0 > LONGEST_AGE || settings.max_age.0 < Duration::from_mins(1) {
            findings.add("max_age", "it is not from 1m to 24h", "leave it out for a day");
        }
        let authority = check::authority(settings.ca_file.as_deref(), base, &mut findings);
        let http = findings.keep(Http::new(reach, authority.as_deref()).map_err(|error| {
            let hint = "name a PEM file with certificates, or install the system's ca-certificates";
            Problem::new(format!("{path}.ca_file"), format!("the certificates to trust cannot be used: {error}"), hint)
        }));
        match (id, http, findings.list) {
            (Some(id), Some(http), list) if list.is_empty() => Ok(Self(Arc::new(Inner {
                id,
                issuer: settings.issuer.clone(),
                audience: settings.audience.clone(),
                algorithms,
                required_claims: settings.required_claims.clone(),
                groups_claim: settings.groups_claim.clone(),
                username_claim: settings.username_claim.clone(),
                uses: settings.uses,
                max_age: settings.max_age.0,
                reach,
                http,
                discovered: Cache::new(PACE),
                keys: Cache::new(PACE),
                health: Health::default(),
            }))),
            (.., list) => Err(list),
        }
    }

    /// The platform's short name.
    #[must_use]
    pub fn id(&self) -> &ProviderId {
        &self.0.id
    }

    /// The audience that its tokens must be made for: no secret, and what a workload has to ask for.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.0.audience
    }

    /// Whether a text is the platform's issuer.
    #[must_use]
    pub fn is_named_by(&self, issuer: &str) -> bool {
        self.0.issuer == issuer
    }

    /// How the platform did lately.
    #[must_use]
    pub fn health(&self) -> ProviderHealth {
        self.0.health.read()
    }

    /// Looks at the platform's documents now.
    ///
    /// # Errors
    /// Why they are not to be had, or are of no use.
    pub async fn look(&self, now: Moment) -> Result<String, String> {
        let keys = self.0.keys.get(now, self.fetch_keys(now)).await?;
        Ok(format!("its documents are in order, with {} key(s)", keys.len()))
    }

    /// The platform's documents, as they are kept here.
    #[must_use]
    pub fn documents(&self) -> Vec<KeptDocument> {
        let inner = &*self.0;
        vec![KeptDocument::new("metadata", inner.discovered.fetched()), KeptDocument::new("key set", inner.keys.fetched())]
    }

    /// Verifies a workload's token.
    ///
    /// # Errors
    /// The [`Rejected`] that says why it is not believed.
    pub async fn verify(&self, token: &str, now: Moment) -> Result<Workload, Rejected> {
        let inner = &*self.0;
        let unverified = Unverified::parse(token)?;
        // RFC 8725 section 3.11: an explicit type says what the token is, and an access token or a logout token is no ID token.
        if unverified.unverified_type().is_some_and(|kind| kind.to_ascii_lowercase().ends_with("+jwt")) {
            return Err(Rejected::Malformed("its type says that it is another kind of token"));
        }
        let keys = inner.keys.get(now, self.fetch_keys(now)).await.map_err(Rejected::Unavailable)?;
        let signed = match unverified.verify(&keys, &inner.algorithms) {
            Err(Rejected::UnknownKey) => match inner.keys.newer(&keys, now, self.fetch_keys(now)).await {
                Some(newer) => unverified.verify(&newer, &inner.algorithms)?,
                None => return Err(Rejected::UnknownKey),
            },
            verified => verified?,
        };
        let claims = signed.accept(&Expected { issuer: &inner.issuer, audience: &inner.audience }, now)?;
        // What a person's sign-in at this very issuer brought must not pass, whatever its audience.
        if claims.find("nonce").is_some() {
            return Err(Rejected::Malformed("it has a nonce, so it was made for a person's sign-in"));
        }
        for (name, wanted) in &inner.required_claims {
            if claims.text(name) != Some(wanted) {
                return Err(Rejected::UnmetClaim(name.clone()));
            }
        }
        let issued = date(&claims, "iat")?.ok_or(Rejected::MissingClaim("iat"))?;
        let oldest = TimeDelta::from_std(inner.max_age).map_or(0, |age| (now - age).timestamp());
        if issued.saturating_add(LEEWAY) < oldest {
            return Err(Rejected::TooOld);
        }
        let token_id = token_id(&claims, unverified.signed_part());
        let identity = self.identity(claims)?;
        // With the subject, because a platform may let its workloads choose a `jti`: none can use up another's.
        let mark = format!("workload token\0{}\0{}\0{token_id}", inner.issuer, identity.subject()).into_bytes();
        // From its future end to its past one, by anybody's clock.
        let remember = inner.max_age.saturating_add(Duration::from_secs((3 * LEEWAY).unsigned_abs()));
        Ok(Workload { identity, token_id, mark, uses: inner.uses, remember })
    }

    fn identity(&self, mut claims: Claims) -> Result<Identity, Rejected> {
        let inner = &*self.0;
        let is_subject = |text: &&str| presentable(text) && text.len() <= LONGEST_SUBJECT;
        let subject = claims.text("sub").filter(is_subject).ok_or(Rejected::MissingClaim("sub"))?.to_owned();
        let groups = groups_of(&inner.groups_claim, &claims)?;
        if !email_is_verified(&claims) {
            claims.remove("email");
        }
        let username = claims.text(&inner.username_claim).filter(|name| presentable(name)).unwrap_or(&subject).to_owned();
        Ok(Identity {
            provider: inner.id.clone(),
            subject,
            username,
            groups,
            claims,
            // Nobody proved themselves just now, and no second factor was used, whatever a claim says.
            authentication: Authentication::default(),
            upstream: Upstream::Workload,
            forwardable: None,
        })
    }

    async fn fetch_keys(&self, now: Moment) -> Result<KeySet, String> {
        let inner = &*self.0;
        let fetched = async {
            let url = inner.discovered.get(now, self.discover()).await?;
            let set = inner.http.get(&url, None).await?;
            let keys = KeySet::read(&set).map_err(|error| format!("{url}: {error}"))?;
            if keys.is_empty() { Err(format!("{url} has no usable key")) } else { Ok(keys) }
        };
        inner.health.noting(Box::pin(fetched).await, now)
    }

    /// Where the key set stands (OpenID Connect Discovery 1.0). Platforms of workloads announce little else.
    async fn discover(&self) -> Result<Url, String> {
        let inner = &*self.0;
        let url = format!("{}/.well-known/openid-configuration", inner.issuer.trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|error| format!("the issuer is not a URL: {error}"))?;
        let body = inner.http.get(&url, None).await?;
        let document = jwt::object(&body).map_err(|_| format!("{url} is not a discovery document"))?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        match text("issuer") {
            Some(issuer) if issuer == inner.issuer => {}
            found => {
                let (found, wanted) = (found.unwrap_or_default(), &inner.issuer);
                return Err(format!("{url} is the document of the issuer `{found}`, not of `{wanted}`"));
            }
        }
        let keys = text("jwks_uri").and_then(|text| Url::parse(text).ok()).ok_or_else(|| format!("{url} names no jwks_uri"))?;
        inner.reach.check(&keys).map_err(|error| format!("{url} names a URL that is refused: {error}"))?;
        Ok(keys)
    }
}

/// What a token is called. Without a usable `jti` it is the digest of what was signed: a signature may have several spellings, and that has one.
fn token_id(claims: &Claims, signed_part: &str) -> String {
    let is_id = |id: &&str| (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    let by_digest = || format!("sha256:{}", HEXLOWER.encode(digest(&SHA256, signed_part.as_bytes()).as_ref()));
    claims.text("jti").filter(is_id).map_or_else(by_digest, |id| format!("jti:{id}"))
}

fn check_issuer(text: &str, reach: Reach, findings: &mut Findings<'_>) {
    let https = "an issuer is an https URL; plain http is accepted from http://localhost, http://127.0.0.1 and http://[::1] only";
    match Url::parse(text) {
        Err(error) => findings.add("issuer", format!("it is not a URL: {error}"), "write it as it stands in the tokens' `iss`"),
        Ok(url) => {
            if let Err(error) = reach.check(&url) {
                findings.add("issuer", error.to_string(), https);
            }
            if url.query().is_some() || url.fragment().is_some() {
                findings.add("issuer", "it has a query or fragment", "an issuer has neither (OpenID Connect Discovery 1.0, section 3)");
            }
        }
    }
    if text.contains("/.well-known/") || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        findings.add("issuer", "it is not an issuer", "leave out /.well-known/openid-configuration, and blanks");
    }
}
