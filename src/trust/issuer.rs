//! Rolegate as the OpenID provider that IAM trusts: the minted token, the discovery document and the key set.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde_json::json;

use super::Proof;
use super::forwarded::forward_saml;
use super::keys::{KeyRing, PublishedKey};
use super::saml::{SamlIssuer, SignInPost};
use crate::access::{AssumeRequest, Operation};
use crate::clock::Moment;
use crate::identity::Identity;

/// How long a minted token may be redeemed. STS lets a token with a minute left buy hours, so its life is short and it is never kept.
const LIFETIME_SECONDS: i64 = 300;
/// A forwarded token with less life than this would expire on the way.
const SHORTEST_FORWARD_SECONDS: i64 = 30;

/// Why no proof can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningFailed {
    /// The key does not sign.
    #[error("the signing key does not sign")]
    Key,
    /// The machine has no randomness to give.
    #[error("no randomness for a token id")]
    Random,
    /// The claims cannot be written.
    #[error("the claims cannot be written")]
    Claims,
    /// The person's own token is too old to be forwarded: they must sign in again.
    #[error("the person's own token has expired or is about to")]
    UpstreamExpired,
    /// A rule wants a SAML response, and `[trust.saml]` is missing.
    #[error("SAML is not configured")]
    NoSaml,
    /// The person's own response does not offer the role.
    #[error("the person's own SAML response does not offer this role")]
    NotOffered,
    /// The operation is authorised by AWS credentials, so there is nothing to prove.
    #[error("the operation needs no proof")]
    NotNeeded,
    /// The SAML response is longer than STS takes.
    #[error("the SAML response has more than 100000 characters, and STS takes no longer one")]
    TooLarge,
}

/// Mints the tokens that AWS accepts, and tells the world with which keys.
#[derive(Debug)]
pub struct Issuer {
    url: String,
    audience: String,
    keys: KeyRing,
    header: String,
    discovery: String,
    key_set: String,
    saml: Option<SamlIssuer>,
}

/// The claims of a minted token, named as STS reads them.
#[derive(Serialize)]
struct Minted<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: &'a str,
    /// STS refuses any other role than the pinned one, before it looks at the trust policy.
    #[serde(rename = "https://aws.amazon.com/roles")]
    roles: [&'a str; 1],
    #[serde(rename = "https://aws.amazon.com/source_identity", skip_serializing_if = "Option::is_none")]
    source_identity: Option<&'a str>,
    #[serde(rename = "https://aws.amazon.com/tags", skip_serializing_if = "Option::is_none")]
    tags: Option<Tags<'a>>,
}

#[derive(Serialize)]
struct Tags<'a> {
    principal_tags: BTreeMap<&'a str, [&'a str; 1]>,
    transitive_tag_keys: Vec<&'a str>,
}

impl Issuer {
    /// An issuer of a URL (as IAM knows it), for an audience, with keys.
    #[must_use]
    pub fn new(url: &str, audience: &str, keys: KeyRing) -> Self {
        let header = json!({ "alg": keys.signing.algorithm(), "typ": "JWT", "kid": keys.signing.id() });
        let discovery = json!({
            "issuer": url,
            "jwks_uri": format!("{url}/.well-known/jwks.json"),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256", "RS256"],
            "claims_supported": ["iss", "sub", "aud", "iat", "nbf", "exp", "jti"],
        });
        let key_set = json!({ "keys": keys.published });
        Self {
            url: url.to_owned(),
            audience: audience.to_owned(),
            header: BASE64URL_NOPAD.encode(header.to_string().as_bytes()),
            discovery: discovery.to_string(),
            key_set: key_set.to_string(),
            keys,
            saml: None,
        }
    }

    /// The same issuer, which can speak SAML too.
    #[must_use]
    pub fn with_saml(self, saml: Option<SamlIssuer>) -> Self {
        Self { saml, ..self }
    }

    /// The SAML side, if it is configured.
    #[must_use]
    pub const fn saml(&self) -> Option<&SamlIssuer> {
        self.saml.as_ref()
    }

    /// The issuer's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The audience of what is minted: the client id that IAM's provider lists.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The discovery document (OpenID Connect Discovery 1.0 section 3; what AWS reads of it).
    #[must_use]
    pub fn discovery(&self) -> &str {
        &self.discovery
    }

    /// The key set (RFC 7517): public halves alone, the next key ahead of its time and retiring ones still there.
    #[must_use]
    pub fn key_set(&self) -> &str {
        &self.key_set
    }

    /// The keys that are published, the one that signs first.
    #[must_use]
    pub fn keys(&self) -> &[PublishedKey] {
        &self.keys.ages
    }

    /// Whether the signing key does not outlive the process.
    #[must_use]
    pub const fn is_ephemeral(&self) -> bool {
        self.keys.ephemeral
    }

    /// Makes the proof that a request needs: a minted token or SAML response, or the person's own token as it came.
    ///
    /// # Errors
    /// [`SigningFailed`], and nothing is handed out; also for an operation that needs no proof ([`Operation::needs_proof`]).
    pub fn prove(&self, request: &AssumeRequest, who: &Identity, now: Moment) -> Result<Proof, SigningFailed> {
        match request.operation() {
            Operation::WebIdentity => self.mint(request, now),
            Operation::ForwardedWebIdentity => forward(who, now),
            Operation::ForwardedSaml => forward_saml(who, request, now),
            Operation::Saml => self.saml.as_ref().ok_or(SigningFailed::NoSaml)?.prove(request, who, now),
            Operation::AssumeRole | Operation::FederationToken | Operation::SessionToken => Err(SigningFailed::NotNeeded),
        }
    }

    /// Makes the SAML response that the browser posts to AWS's sign-in page. `attempt` 0 is the preferred endpoint, 1 the next one, and so on.
    ///
    /// # Errors
    /// [`SigningFailed`], also for a request whose operation is not SAML.
    pub fn sign_in(&self, request: &AssumeRequest, who: &Identity, attempt: usize, now: Moment) -> Result<SignInPost, SigningFailed> {
        match (request.operation(), &self.saml) {
            (Operation::Saml, Some(saml)) => saml.sign_in(request, who, attempt, now),
            _ => Err(SigningFailed::NoSaml),
        }
    }

    fn mint(&self, request: &AssumeRequest, now: Moment) -> Result<Proof, SigningFailed> {
        let mut random = [0; 16];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| SigningFailed::Random)?;
        let id = BASE64URL_NOPAD.encode(&random);
        let tags = (!request.tags().is_empty()).then(|| Tags {
            principal_tags: request.tags().iter().map(|tag| (tag.key.as_str(), [tag.value.as_str()])).collect(),
            transitive_tag_keys: request.tags().iter().filter(|tag| tag.transitive).map(|tag| tag.key.as_str()).collect(),
        });
        let issued = now.timestamp();
        let claims = Minted {
            iss: &self.url,
            sub: request.subject(),
            aud: &self.audience,
            iat: issued,
            nbf: issued,
            exp: issued + LIFETIME_SECONDS,
            jti: &id,
            roles: [request.role().ok_or(SigningFailed::NotNeeded)?.as_str()],
            source_identity: request.source_identity(),
            tags,
        };
        let claims = serde_json::to_vec(&claims).map_err(|_| SigningFailed::Claims)?;
        let mut token = String::with_capacity(self.header.len() + claims.len() * 4 / 3 + 400);
        token.push_str(&self.header);
        token.push('.');
        BASE64URL_NOPAD.encode_append(&claims, &mut token);
        let signature = self.keys.signing.sign(token.as_bytes())?;
        token.push('.');
        BASE64URL_NOPAD.encode_append(&signature, &mut token);
        Ok(Proof::new(token, id))
    }
}

/// Passes on the token that the sign-in verified for our own client, if enough of its life is left.
fn forward(who: &Identity, now: Moment) -> Result<Proof, SigningFailed> {
    let expires = who.claims().find("exp").and_then(serde_json::Value::as_i64).ok_or(SigningFailed::UpstreamExpired)?;
    if expires - now.timestamp() < SHORTEST_FORWARD_SECONDS {
        return Err(SigningFailed::UpstreamExpired);
    }
    let token = who.token().ok_or(SigningFailed::UpstreamExpired)?.expose();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    Ok(Proof::new(token.to_owned(), format!("sha256:{}", data_encoding::HEXLOWER.encode(digest.as_ref()))))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use chrono::DateTime;
    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
    use serde_json::Value;

    use super::*;
    use crate::settings::SecretRef;
    use crate::trust::keys::generate;
    use crate::trust::{SigningAlgorithm, TrustSettings};

    const ROLE: &str = "arn:aws:iam::111122223333:role/Dev";

    fn moment() -> Moment {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn issuer(settings: &TrustSettings) -> Issuer {
        let keys = KeyRing::load(settings, Path::new("."), "trust").unwrap();
        Issuer::new("https://aws.example.com", "sts.amazonaws.com", keys)
    }

    fn verified(issuer: &Issuer, token: &str, algorithm: Algorithm) -> Value {
        let kid = decode_header(token).unwrap().kid.unwrap();
        let keys: JwkSet = serde_json::from_str(issuer.key_set()).unwrap();
        let mut rules = Validation::new(algorithm);
        rules.set_audience(&["sts.amazonaws.com"]);
        rules.validate_exp = false;
        decode::<Value>(token, &DecodingKey::from_jwk(keys.find(&kid).unwrap()).unwrap(), &rules).unwrap().claims
    }

    #[test]
    fn o19_a_minted_token_pins_one_role_lives_minutes_and_has_its_own_id() {
        for (algorithm, alg) in [(SigningAlgorithm::Es256, Algorithm::ES256), (SigningAlgorithm::Rs256, Algorithm::RS256)] {
            let issuer = issuer(&TrustSettings { algorithm, ..Default::default() });
            let request = AssumeRequest::for_tests(ROLE, Duration::from_hours(1));
            let who = Identity::for_tests("ana", &[]);
            let proof = issuer.prove(&request, &who, moment()).unwrap();
            let claims = verified(&issuer, proof.expose(), alg);
            assert_eq!(claims["https://aws.amazon.com/roles"], json!([ROLE]));
            assert_eq!(claims["https://aws.amazon.com/source_identity"], json!("okta+ana"));
            assert_eq!(claims["https://aws.amazon.com/tags"], json!({ "principal_tags": { "Team": ["blue"] }, "transitive_tag_keys": [] }));
            assert_eq!(claims["sub"], json!("okta+ana"));
            assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
            assert_eq!(claims["jti"], json!(proof.id()));
            let again = issuer.prove(&request, &who, moment()).unwrap();
            assert_ne!(proof.id(), again.id());
        }
    }

    #[test]
    fn o19_the_key_set_has_public_members_alone() {
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
            let issuer = issuer(&TrustSettings { algorithm, ..Default::default() });
            let set: Value = serde_json::from_str(issuer.key_set()).unwrap();
            for key in set["keys"].as_array().unwrap() {
                for (member, _) in key.as_object().unwrap() {
                    assert!(["kty", "crv", "x", "y", "n", "e", "use", "alg", "kid"].contains(&member.as_str()), "{member}");
                }
                assert_eq!(key["use"], "sig");
                assert!(key.get("key_ops").is_none(), "AWS refuses a key with key_ops");
            }
        }
    }

    #[test]
    fn the_next_key_is_published_before_it_signs() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["now.pem", "next.pem", "old.pem"] {
            let pem = generate(SigningAlgorithm::Es256).unwrap();
            std::fs::write(folder.path().join(name), secrecy::ExposeSecret::expose_secret(&pem)).unwrap();
        }
        let file = |name: &str| SecretRef::File(name.into());
        let before = TrustSettings { signing_key: Some(file("now.pem")), next_key: Some(file("next.pem")), ..Default::default() };
        let after = TrustSettings {
            signing_key: Some(file("next.pem")),
            retiring_keys: vec![file("now.pem"), file("old.pem")],
            ..Default::default()
        };
        let load = |settings| Issuer::new("https://i", "a", KeyRing::load(settings, folder.path(), "trust").unwrap());
        let (before, after) = (load(&before), load(&after));
        assert!(before.key_set().contains(after.keys.signing.id()), "the key that signs tomorrow is known today");
        assert!(after.key_set().contains(before.keys.signing.id()), "the key that signed yesterday is still known");
        assert!(!before.is_ephemeral());
        let twice = TrustSettings { signing_key: Some(file("now.pem")), next_key: Some(file("now.pem")), ..Default::default() };
        assert!(KeyRing::load(&twice, folder.path(), "trust").unwrap_err()[0].message.contains("twice"));
    }

    #[test]
    fn c3_a_bad_key_is_named_with_its_place_and_never_printed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("k"), "-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----\n").unwrap();
        let settings = TrustSettings { signing_key: Some(SecretRef::File("k".into())), ..Default::default() };
        let problems = KeyRing::load(&settings, folder.path(), "trust").unwrap_err();
        assert_eq!(problems[0].path, "trust.signing_key");
        assert!(!format!("{problems:?}").contains("hush"));
    }

    #[test]
    fn o18_a_forwarded_token_needs_life_left() {
        let issuer = issuer(&TrustSettings::default());
        let mut request = AssumeRequest::for_tests(ROLE, Duration::from_hours(1));
        request.set_operation_for_tests(Operation::ForwardedWebIdentity);
        let mut who = Identity::for_tests("ana", &[]);
        assert_eq!(issuer.prove(&request, &who, moment()).unwrap_err(), SigningFailed::UpstreamExpired);
        who.claims.add("exp".into(), json!(moment().timestamp() + 29));
        assert_eq!(issuer.prove(&request, &who, moment()).unwrap_err(), SigningFailed::UpstreamExpired);
        let mut who = Identity::for_tests("ana", &[]);
        who.claims.add("exp".into(), json!(moment().timestamp() + 600));
        let proof = issuer.prove(&request, &who, moment()).unwrap();
        assert_eq!(proof.expose(), who.token().unwrap().expose(), "byte for byte as it came");
        assert!(proof.id().starts_with("sha256:"));
        assert!(!format!("{proof:?}").contains(who.token().unwrap().expose()));
    }
}
