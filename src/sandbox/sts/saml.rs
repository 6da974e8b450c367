//! What STS and the sign-in page check of a SAML response. Pure: metadata and time are arguments.
//!
//! As strict as AWS's documentation and what was observed of the real STS, whichever is stricter.

use std::time::Duration;

use chrono::TimeDelta;
use data_encoding::BASE64;

use super::error::StsError;
use super::tags::{self, SessionTag};
use crate::arn::{RoleArn, SamlProviderArn, is_name_byte};
use crate::clock::Moment;
use crate::saml::Refused;
use crate::saml::encryption::{self, DecryptionKey};
use crate::saml::metadata::IdpDescription;
use crate::saml::prescreen::{Over, prescreen};
use crate::saml::response::{Assertion, SUCCESS, UnverifiedEnvelope, read};
use crate::saml::verify::{Verified, Verifier};

/// How long after its issue a response is taken.
const REDEEM_WITHIN: TimeDelta = TimeDelta::minutes(5);
/// How far the issuer's clock may be ahead.
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);
const PREFIX: &str = "https://aws.amazon.com/SAML/Attributes/";
/// IAM takes metadata of this many characters.
const METADATA: std::ops::RangeInclusive<usize> = 1_000..=10_000_000;

/// A SAML provider as IAM holds it.
pub(super) struct IamSamlProvider {
    entity_id: String,
    verifier: Verifier,
}

impl IamSamlProvider {
    /// Reads the metadata, with IAM's limits; one sentence if it is not taken.
    pub(super) fn read(metadata: &str, now: Moment) -> Result<Self, String> {
        if !METADATA.contains(&metadata.chars().count()) {
            return Err("metadata has 1000 to 10000000 characters".into());
        }
        let description = IdpDescription::parse(metadata.as_bytes(), None).map_err(|error| error.to_string())?;
        let signing = description.signing(now).map_err(|error| error.to_string())?;
        if signing.len() > 10 {
            return Err("metadata has ten keys at most".into());
        }
        let verifier = Verifier::new(signing).map_err(|error| error.to_string())?;
        Ok(Self { entity_id: description.entity_id, verifier })
    }
}

/// How a provider wants its assertions.
#[derive(Debug, Default)]
pub(super) struct Encryption {
    pub(super) key: Option<DecryptionKey>,
    pub(super) required: bool,
}

/// What a checked response says.
#[derive(Debug)]
pub(super) struct SamlIdentity {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) subject_type: String,
    /// The Recipient: what trust policies see as `saml:aud`.
    pub(super) recipient: String,
    pub(super) assertion_id: String,
    pub(super) session_name: String,
    pub(super) session_duration: Option<Duration>,
    pub(super) session_ends: Option<Moment>,
    pub(super) tags: Vec<SessionTag>,
    pub(super) source_identity: Option<String>,
    roles: Vec<(RoleArn, SamlProviderArn)>,
}

impl SamlIdentity {
    /// Whether the response offers this role with this provider.
    pub(super) fn offers(&self, role: &RoleArn, provider: &SamlProviderArn) -> Result<(), StsError> {
        const MISSING: &str = "SAML Assertion doesn't contain the requested Role and Metadata in the attributes";
        let offered = self.roles.iter().any(|(offered, by)| offered == role && by == provider);
        if offered { Ok(()) } else { Err(StsError::invalid_token(MISSING)) }
    }

    /// The roles that it offers.
    pub(super) fn roles(&self) -> &[(RoleArn, SamlProviderArn)] {
        &self.roles
    }

    /// How long the session lasts when so much is asked for: what the assertion says can only make it shorter.
    pub(super) fn shorten(&self, asked: Duration, now: Moment) -> Duration {
        let until = self.session_ends.map(|end| (end - now).to_std().unwrap_or_default());
        [self.session_duration, until].into_iter().flatten().fold(asked, Duration::min)
    }
}

/// The document in a `SAMLAssertion` or `SAMLResponse`.
pub(super) fn decode(unverified: &str) -> Result<Vec<u8>, StsError> {
    BASE64.decode(unverified.as_bytes()).map_err(|_| StsError::invalid_token("Invalid base64 SAMLResponse"))
}

/// The pair of ARNs in a `Role` value, in either order.
fn role_pair(value: &str) -> Result<(RoleArn, SamlProviderArn), StsError> {
    let pair = value.split_once(',').map(|(one, other)| (one.trim(), other.trim()));
    let parse = |role: &str, provider: &str| Some((role.parse().ok()?, provider.parse().ok()?));
    let pair = pair.and_then(|(one, other)| parse(one, other).or_else(|| parse(other, one)));
    pair.ok_or_else(|| invalid("a Role value is not the ARN of a role and the ARN of a SAML provider with a comma between them"))
}

fn invalid(what: &str) -> StsError {
    StsError::invalid_token(format!("The SAML response is not valid: {what}."))
}

fn refused(why: Refused) -> StsError {
    match why {
        Refused::Signature | Refused::Disagreement => StsError::invalid_token("Response signature invalid"),
        why => invalid(&why.to_string()),
    }
}

/// Signature, then issuer, addresses and times, then the attributes.
pub(super) fn check(document: &[u8], provider: &IamSamlProvider, encryption: &Encryption, now: Moment) -> Result<SamlIdentity, StsError> {
    let screened = prescreen(document).map_err(refused)?;
    let envelope = UnverifiedEnvelope::read(&screened).map_err(refused)?;
    let verified = if screened.is_encrypted() {
        decrypted(&screened, provider, encryption)?
    } else if encryption.required {
        return Err(invalid("the provider takes encrypted assertions only"));
    } else if !screened.has_signature(Over::Assertion) {
        return Err(invalid("the assertion itself is not signed"));
    } else {
        provider.verifier.verify(&screened).map_err(refused)?
    };
    let assertion = read(&verified).map_err(refused)?;
    if envelope.status != SUCCESS {
        return Err(invalid("its status is not Success"));
    }
    let from_another = envelope.issuer.as_ref().is_some_and(|issuer| *issuer != provider.entity_id);
    if assertion.issuer != provider.entity_id || from_another {
        return Err(StsError::invalid_token("Issuer not present in specified provider"));
    }
    check_times(&assertion, now)?;
    check_audience(&assertion)?;
    identity(assertion)
}

fn decrypted(
    screened: &crate::saml::prescreen::Screened<'_>,
    provider: &IamSamlProvider,
    encryption: &Encryption,
) -> Result<Verified, StsError> {
    let key = encryption.key.as_ref().ok_or_else(|| invalid("the assertion is encrypted, and the provider has no private key"))?;
    if screened.has_signature(Over::Response) {
        return Err(invalid("this sandbox does not read a signed response around an encrypted assertion"));
    }
    let keys = std::slice::from_ref(key);
    let open = provider.verifier.verify_encrypted(screened, |element| {
        encryption::decrypt(element, keys, encryption::Policy { allow_cbc: true }).ok().map(|text| text.to_vec())
    });
    open.map_err(|_| invalid("the assertion cannot be decrypted, or is not signed by the provider"))
}

fn check_times(assertion: &Assertion, now: Moment) -> Result<(), StsError> {
    if now - assertion.issue_instant > REDEEM_WITHIN {
        return Err(StsError::expired_token("Token must be redeemed within 5 minutes of issuance"));
    }
    if assertion.issue_instant - now > TOLERANCE {
        return Err(invalid("it was issued in the future"));
    }
    let conditions = assertion.conditions.not_on_or_after.ok_or_else(|| invalid("Conditions have no NotOnOrAfter"))?;
    if conditions <= now || assertion.confirmation.not_on_or_after <= now {
        return Err(StsError::expired_token("The SAML assertion has expired"));
    }
    if assertion.conditions.not_before.is_some_and(|start| start > now) {
        return Err(invalid("it is not valid yet"));
    }
    if assertion.authn.session_not_on_or_after.is_some_and(|end| end <= now) {
        return Err(StsError::expired_token("The SAML assertion's session has ended"));
    }
    Ok(())
}

/// AWS is the audience by the address that the response is for, or by its own name.
fn check_audience(assertion: &Assertion) -> Result<(), StsError> {
    let is_aws = |audience: &String| *audience == assertion.confirmation.recipient || audience == "urn:amazon:webservices";
    let restrictions = &assertion.conditions.audiences;
    if !restrictions.is_empty() && restrictions.iter().all(|list| list.iter().any(is_aws)) {
        Ok(())
    } else {
        Err(invalid("Response does not contain the required audience"))
    }
}

fn identity(assertion: Assertion) -> Result<SamlIdentity, StsError> {
    let attributes = Attributes(&assertion);
    let format = assertion.subject.format.as_deref().ok_or_else(|| invalid("NameID has no Format"))?;
    let session_name = attributes.single("RoleSessionName")?.ok_or_else(|| invalid("there is no RoleSessionName"))?;
    if !is_name(session_name) {
        return Err(invalid(r"RoleSessionName is not 2 to 64 characters of [\w+=,.@-]"));
    }
    let source_identity = attributes.single("SourceIdentity")?;
    if source_identity.is_some_and(|name| !is_name(name) || name.starts_with("aws:")) {
        return Err(invalid(r"SourceIdentity is not 2 to 64 characters of [\w+=,.@-] without the prefix aws:"));
    }
    let session_duration = attributes.single("SessionDuration")?.map(|text| match text.parse::<u64>() {
        Ok(seconds @ 900..=43_200) => Ok(Duration::from_secs(seconds)),
        _ => Err(invalid("SessionDuration is not a number from 900 to 43200")),
    });
    let roles = attributes.all("Role").iter().map(|value| role_pair(value)).collect::<Result<Vec<_>, _>>()?;
    if roles.is_empty() {
        return Err(invalid("there is no Role attribute"));
    }
    Ok(SamlIdentity {
        tags: attributes.tags()?,
        session_name: session_name.to_owned(),
        source_identity: source_identity.map(str::to_owned),
        session_duration: session_duration.transpose()?,
        subject_type: format.rsplit_once("nameid-format:").map_or(format, |(_, kind)| kind).to_owned(),
        roles,
        session_ends: assertion.authn.session_not_on_or_after,
        issuer: assertion.issuer,
        subject: assertion.subject.value,
        recipient: assertion.confirmation.recipient,
        assertion_id: assertion.id,
    })
}

fn is_name(text: &str) -> bool {
    (2..=64).contains(&text.len()) && text.bytes().all(is_name_byte)
}

/// The attributes, by the part of the name behind AWS's prefix; case counts.
struct Attributes<'a>(&'a Assertion);

impl<'a> Attributes<'a> {
    fn all(&self, name: &str) -> &'a [String] {
        let found = self.0.attributes.iter().find(|attribute| attribute.name.strip_prefix(PREFIX) == Some(name));
        found.map_or(&[], |attribute| &attribute.values)
    }

    fn single(&self, name: &str) -> Result<Option<&'a str>, StsError> {
        match self.all(name) {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => Err(invalid(&format!("{name} has more than one value"))),
        }
    }

    fn tags(&self) -> Result<Vec<SessionTag>, StsError> {
        let mut tags = Vec::new();
        for attribute in &self.0.attributes {
            let Some(key) = attribute.name.strip_prefix(PREFIX).and_then(|name| name.strip_prefix("PrincipalTag:")) else { continue };
            let [value] = attribute.values.as_slice() else { return Err(invalid("a PrincipalTag has not exactly one value")) };
            tags.push((key.to_owned(), value.clone()));
        }
        tags::check(tags, self.all("TransitiveTagKeys"))
    }
}
