//! Whether a verified assertion is the one that was asked for.

use chrono::TimeDelta;

use super::{Assertion, SUCCESS, read};
use crate::clock::Moment;
use crate::saml::prescreen::{Over, Screened};
use crate::saml::{Refused, SAML_NS, SAMLP_NS};

/// What the response around the assertion says. Nobody may have signed it, so it serves to refuse and for nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedEnvelope {
    /// The outermost `StatusCode`.
    pub status: String,
    /// The `StatusCode` inside that one, which says more of a failure.
    pub substatus: Option<String>,
    /// Where the response was sent to.
    pub destination: Option<String>,
    /// The request that it answers.
    pub in_response_to: Option<String>,
    /// Who sent it.
    pub issuer: Option<String>,
    /// When.
    pub issue_instant: Moment,
    /// Whether the response itself carries a signature, which obliges it to name more.
    pub signed: bool,
}

impl UnverifiedEnvelope {
    /// Reads the envelope of a response.
    ///
    /// # Errors
    /// A [`Refused`] where it has not one status, or more than one issuer, or no time.
    pub fn read(screened: &Screened<'_>) -> Result<Self, Refused> {
        let root = &screened.root;
        let code = root.only_child(SAMLP_NS, "Status")?.only_child(SAMLP_NS, "StatusCode")?;
        let substatus = code.optional_child(SAMLP_NS, "StatusCode")?.and_then(|code| code.attribute("Value"));
        let issuer = root.optional_child(SAML_NS, "Issuer")?.map(read::issuer).transpose()?;
        let word = |name| root.attribute(name).map(str::to_owned);
        Ok(Self {
            status: code.attribute("Value").ok_or(Refused::MissingAttribute("Value"))?.to_owned(),
            substatus: substatus.map(str::to_owned),
            destination: word("Destination"),
            in_response_to: word("InResponseTo"),
            issuer,
            issue_instant: read::required_time(root, "IssueInstant")?,
            signed: screened.signatures.iter().any(|signature| signature.over == Over::Response),
        })
    }
}

/// How AWS is named as an audience, whatever the address (IAM User Guide, "Configure SAML assertions").
pub const AWS_AUDIENCE: &str = "urn:amazon:webservices";

/// What an assertion must say for us to accept it.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The entity ID of the identity provider that this sign-in went to.
    pub idp_entity_id: &'a str,
    /// Our entity ID at that provider.
    pub sp_entity_id: &'a str,
    /// The configured address of our assertion consumer service: never taken from the request.
    pub acs_url: &'a str,
    /// Where the assertion is addressed to AWS and not to us: the Recipient that it must name; its audience is that address or
    /// [`AWS_AUDIENCE`]. The response itself is posted to `acs_url` all the same.
    pub aws_recipient: Option<&'a str>,
    /// The ID of our request, or none where the identity provider may start: it must answer no request then.
    pub request_id: Option<&'a str>,
    /// How long ago the assertion may have been issued.
    pub max_age: TimeDelta,
}

impl Assertion {
    /// Checks issuer, address, audience, request and all times, `skew` being how far the identity provider's clock may be off ours.
    /// Replay is not checked here: remember [`Assertion::id`] until [`Assertion::replayable_until`].
    ///
    /// # Errors
    /// The first [`Refused`] met.
    pub fn check(&self, outer: &UnverifiedEnvelope, expected: &Expected<'_>, now: Moment, skew: TimeDelta) -> Result<(), Refused> {
        if outer.status != SUCCESS {
            return Err(Refused::Status);
        }
        self.check_parties(outer, expected)?;
        self.check_request(outer, expected)?;
        self.check_times(outer, expected, now, skew)
    }

    fn check_parties(&self, outer: &UnverifiedEnvelope, expected: &Expected<'_>) -> Result<(), Refused> {
        // A signed message must say who sent it and where to (SAML Bindings 3.5.5.2, SAML Profiles 4.1.4.2); an unsigned one may.
        let agrees = |said: Option<&str>, right: &str| said.map_or(!outer.signed, |said| said == right);
        if self.issuer != expected.idp_entity_id || !agrees(outer.issuer.as_deref(), expected.idp_entity_id) {
            return Err(Refused::Issuer);
        }
        let to_us = agrees(outer.destination.as_deref(), expected.acs_url);
        let to_aws = expected.aws_recipient.is_some_and(|aws| agrees(outer.destination.as_deref(), aws));
        if !to_us && !to_aws {
            return Err(Refused::Destination);
        }
        if self.confirmation.recipient != expected.aws_recipient.unwrap_or(expected.acs_url) {
            return Err(Refused::Recipient);
        }
        let is_meant = |audience: &String| match expected.aws_recipient {
            Some(aws) => audience == aws || audience == AWS_AUDIENCE,
            None => audience == expected.sp_entity_id,
        };
        let names_us = |list: &Vec<String>| list.iter().any(is_meant);
        if self.conditions.audiences.is_empty() || !self.conditions.audiences.iter().all(names_us) {
            return Err(Refused::Audience);
        }
        if self.subject.sp_name_qualifier.as_ref().is_some_and(|qualifier| !is_meant(qualifier)) {
            return Err(Refused::Subject);
        }
        Ok(())
    }

    fn check_request(&self, outer: &UnverifiedEnvelope, expected: &Expected<'_>) -> Result<(), Refused> {
        let said = [self.confirmation.in_response_to.as_deref(), outer.in_response_to.as_deref()];
        match expected.request_id {
            Some(_) if said.iter().any(|said| *said != expected.request_id) => Err(Refused::InResponseTo),
            None if said.iter().any(Option::is_some) => Err(Refused::Unsolicited),
            _ => Ok(()),
        }
    }

    fn check_times(&self, outer: &UnverifiedEnvelope, expected: &Expected<'_>, now: Moment, skew: TimeDelta) -> Result<(), Refused> {
        let ends = [Some(self.confirmation.not_on_or_after), self.conditions.not_on_or_after];
        let over = ends.into_iter().flatten().map(|end| now.signed_duration_since(end)).max();
        if let Some(over) = over.filter(|over| *over >= skew) {
            return Err(Refused::Expired(over.num_seconds()));
        }
        let starts = [Some(self.issue_instant), Some(self.authn.instant), Some(outer.issue_instant), self.conditions.not_before];
        let ahead = starts.into_iter().flatten().map(|start| start.signed_duration_since(now)).max();
        if let Some(ahead) = ahead.filter(|ahead| *ahead > skew) {
            return Err(Refused::NotYetValid(ahead.num_seconds()));
        }
        if now.signed_duration_since(self.issue_instant) >= expected.max_age + skew {
            return Err(Refused::TooOld);
        }
        // No skew: the session is the identity provider's own word for the end.
        if self.authn.session_not_on_or_after.is_some_and(|end| end <= now) {
            return Err(Refused::SessionOver);
        }
        Ok(())
    }
}
