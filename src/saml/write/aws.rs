//! The response that signs a person in to AWS: what `AssumeRoleWithSAML` and the AWS sign-in page take.
//!
//! One assertion, itself signed, with exactly one role in it, so that whoever holds the response can take this role and no other. The order
//! of everything is fixed.

use chrono::TimeDelta;
use secrecy::SecretString;

use super::canonical::{Element, Ns, Unwritable};
use super::{check_id, instant, name_id_format};
use crate::clock::Moment;
use crate::saml::sign::{Position, SamlSigner};

/// What the names of the attributes begin with (IAM User Guide, "Configure SAML assertions for the authentication response").
pub const ATTRIBUTE_PREFIX: &str = "https://aws.amazon.com/SAML/Attributes/";
/// AWS wants the response redeemed within five minutes of its issue.
pub const LONGEST_WINDOW: TimeDelta = TimeDelta::minutes(5);
/// How far before its issue a response is valid already: the receiver's clock may be behind.
const CLOCK_ALLOWANCE: TimeDelta = TimeDelta::minutes(1);

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
/// The authentication context where nothing better is known (SAML authentication context 3.4.25).
pub const UNSPECIFIED_CONTEXT: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified";

/// One session tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag<'a> {
    /// 1 to 128 characters.
    pub key: &'a str,
    /// At most 256 characters.
    pub value: &'a str,
    /// Whether it goes along when the session takes another role.
    pub transitive: bool,
}

/// All that stands in the response.
#[derive(Debug, Clone, Copy)]
pub struct AwsResponse<'a> {
    /// The ID of the response.
    pub response_id: &'a str,
    /// The ID of the assertion: CloudTrail's `sAMLAssertionID`.
    pub assertion_id: &'a str,
    /// Our entity ID, as in the metadata that IAM has.
    pub issuer: &'a str,
    /// The person's persistent opaque name. CloudTrail shows it.
    pub name_id: &'a str,
    /// The sign-in endpoint that takes the response; trust policies see it as `saml:aud`.
    pub recipient: &'a str,
    /// Whom it is for: the recipient again, or `urn:amazon:webservices`.
    pub audience: &'a str,
    /// When it is made.
    pub issued: Moment,
    /// Until when it can be redeemed: at most [`LONGEST_WINDOW`] after `issued`.
    pub expires: Moment,
    /// When the person proved who they are.
    pub authenticated: Moment,
    /// How they did: an authentication context class, or [`UNSPECIFIED_CONTEXT`].
    pub authn_context: &'a str,
    /// Names the session here.
    pub session_index: &'a str,
    /// When the session in AWS ends at the latest.
    pub session_expires: Moment,
    /// The one role.
    pub role_arn: &'a str,
    /// IAM's SAML provider, in the role's account.
    pub provider_arn: &'a str,
    /// 2 to 64 characters.
    pub role_session_name: &'a str,
    /// Seconds, 900 to 43200: the console session's length, and no credentials live longer.
    pub session_duration: u32,
    /// Session tags, at most 50.
    pub tags: &'a [Tag<'a>],
    /// 2 to 64 characters, not beginning with `aws:`.
    pub source_identity: Option<&'a str>,
}

impl<'a> AwsResponse<'a> {
    /// Writes the response with its assertion signed. It is worth credentials until it expires: keep it secret.
    ///
    /// # Errors
    /// [`Unwritable`], also for what AWS would refuse.
    pub fn write(&self, signer: &SamlSigner) -> Result<SecretString, Unwritable> {
        Ok(self.response().written(self.signed_assertion(signer)?).to_canonical()?.into())
    }

    /// The signed assertion alone, as it goes into an `EncryptedAssertion`.
    pub(in crate::saml) fn signed_assertion(&self, signer: &SamlSigner) -> Result<String, Unwritable> {
        self.check()?;
        signer.write_signed(self.assertion(), self.assertion_id, Position::AfterIssuer)
    }

    /// The response, before its assertion.
    pub(in crate::saml) fn response(&self) -> Element<'a> {
        let code = Element::new(Ns::Samlp, "StatusCode").attribute("Value", SUCCESS);
        Element::new(Ns::Samlp, "Response")
            .attribute("ID", self.response_id)
            .attribute("Version", "2.0")
            .attribute("IssueInstant", instant(self.issued))
            .attribute("Destination", self.recipient)
            .child(Element::new(Ns::Saml, "Issuer").text(self.issuer))
            .child(Element::new(Ns::Samlp, "Status").child(code))
    }

    fn assertion(&self) -> Element<'a> {
        let saml = |local| Element::new(Ns::Saml, local);
        let restriction = saml("AudienceRestriction").child(saml("Audience").text(self.audience));
        let conditions = saml("Conditions")
            .attribute("NotBefore", instant(self.issued - CLOCK_ALLOWANCE))
            .attribute("NotOnOrAfter", instant(self.expires))
            .child(restriction);
        let context = saml("AuthnContext").child(saml("AuthnContextClassRef").text(self.authn_context));
        let statement = saml("AuthnStatement")
            .attribute("AuthnInstant", instant(self.authenticated))
            .attribute("SessionIndex", self.session_index)
            .attribute("SessionNotOnOrAfter", instant(self.session_expires))
            .child(context);
        saml("Assertion")
            .attribute("ID", self.assertion_id)
            .attribute("Version", "2.0")
            .attribute("IssueInstant", instant(self.issued))
            .child(saml("Issuer").text(self.issuer))
            .child(self.subject())
            .child(conditions)
            .child(statement)
            .child(self.attributes())
    }

    fn subject(&self) -> Element<'a> {
        let data = Element::new(Ns::Saml, "SubjectConfirmationData")
            .attribute("NotOnOrAfter", instant(self.expires))
            .attribute("Recipient", self.recipient);
        let confirmation = Element::new(Ns::Saml, "SubjectConfirmation").attribute("Method", BEARER).child(data);
        let name = Element::new(Ns::Saml, "NameID").attribute("Format", name_id_format::PERSISTENT).text(self.name_id);
        Element::new(Ns::Saml, "Subject").child(name).child(confirmation)
    }

    fn attributes(&self) -> Element<'a> {
        let value = |text: String| Element::new(Ns::Saml, "AttributeValue").text(text);
        let attribute = |name: &str| Element::new(Ns::Saml, "Attribute").attribute("Name", format!("{ATTRIBUTE_PREFIX}{name}"));
        let single = |name: &str, text: String| attribute(name).child(value(text));
        let mut statement = Element::new(Ns::Saml, "AttributeStatement")
            .child(single("Role", format!("{},{}", self.role_arn, self.provider_arn)))
            .child(single("RoleSessionName", self.role_session_name.to_owned()))
            .child(single("SessionDuration", self.session_duration.to_string()));
        for tag in self.tags {
            statement = statement.child(single(&format!("PrincipalTag:{}", tag.key), tag.value.to_owned()));
        }
        let mut transitive = self.tags.iter().filter(|tag| tag.transitive).map(|tag| value(tag.key.to_owned())).peekable();
        if transitive.peek().is_some() {
            statement = statement.child(attribute("TransitiveTagKeys").children(transitive));
        }
        if let Some(source) = self.source_identity {
            statement = statement.child(single("SourceIdentity", source.to_owned()));
        }
        statement
    }

    /// Refuses what AWS would refuse, or read otherwise than it is meant.
    fn check(&self) -> Result<(), Unwritable> {
        let must = |held: bool, field, why| if held { Ok(()) } else { Err(Unwritable::Value { field, why }) };
        check_id("ID of the response", self.response_id)?;
        check_id("ID of the assertion", self.assertion_id)?;
        must(self.response_id != self.assertion_id, "ID of the assertion", "it must not be that of the response")?;
        let texts = [
            ("Issuer", self.issuer),
            ("NameID", self.name_id),
            ("Recipient", self.recipient),
            ("Audience", self.audience),
            ("AuthnContextClassRef", self.authn_context),
            ("SessionIndex", self.session_index),
        ];
        for (field, text) in texts {
            must(!text.trim().is_empty() && text.trim() == text, field, "it must not be empty, nor begin or end with white space")?;
        }
        let window = self.expires - self.issued;
        must(window > TimeDelta::zero() && window <= LONGEST_WINDOW, "NotOnOrAfter", "AWS wants a response redeemed within five minutes")?;
        must(self.authenticated <= self.issued, "AuthnInstant", "it must not be after the issue")?;
        must(self.session_expires > self.issued, "SessionNotOnOrAfter", "it must be after the issue")?;
        for (field, arn) in [("role ARN", self.role_arn), ("SAML provider ARN", self.provider_arn)] {
            let plain = arn.starts_with("arn:") && arn.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
            must(plain && (20..=2048).contains(&arn.len()), field, "an ARN of 20 to 2048 characters without comma or white space")?;
        }
        must(is_name(self.role_session_name), "RoleSessionName", NAME)?;
        must((900..=43200).contains(&self.session_duration), "SessionDuration", "900 to 43200 seconds")?;
        if let Some(source) = self.source_identity {
            must(is_name(source), "SourceIdentity", NAME)?;
            must(!source.to_ascii_lowercase().starts_with("aws:"), "SourceIdentity", "it must not begin with `aws:`")?;
        }
        self.check_tags()
    }

    fn check_tags(&self) -> Result<(), Unwritable> {
        let refuse = |why| Err(Unwritable::Value { field: "PrincipalTag", why });
        if self.tags.len() > 50 {
            return refuse("at most 50 tags");
        }
        let mut keys: Vec<_> = self.tags.iter().map(|tag| tag.key.to_lowercase()).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
            return refuse("two keys differ at most in their case, and AWS sees no difference");
        }
        if keys.iter().any(|key| key.starts_with("aws:")) {
            return refuse("a key must not begin with `aws:`");
        }
        for Tag { key, value, .. } in self.tags {
            if !(1..=128).contains(&key.chars().count()) || value.chars().count() > 256 {
                return refuse("a key has 1 to 128 characters, a value at most 256");
            }
            if !key.chars().chain(value.chars()).all(is_tag_character) {
                return refuse("letters, digits, spaces and _.:/=+-@ only");
            }
        }
        Ok(())
    }
}

const NAME: &str = "2 to 64 of the characters A-Z a-z 0-9 _ + = , . @ -";

fn is_name(text: &str) -> bool {
    (2..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

/// IAM's `[\p{L}\p{Z}\p{N}_.:/=+\-@]`. Of the spaces only the plain one: the others invite mistakes and nobody misses them.
fn is_tag_character(character: char) -> bool {
    character.is_alphanumeric() || character == ' ' || "_.:/=+-@".contains(character)
}
