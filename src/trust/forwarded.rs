//! A SAML response of the person's own identity provider, passed on to AWS as it came.

use std::fmt;

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};

use super::{Proof, SigningFailed};
use crate::access::AssumeRequest;
use crate::arn::{RoleArn, SamlProviderArn};
use crate::clock::Moment;
use crate::saml::write::aws::LONGEST_WINDOW;

/// What the way to AWS may take: a response with less life than this left would come too late.
const ON_THE_WAY: TimeDelta = TimeDelta::seconds(10);

/// A response that is addressed to AWS, of which the sign-in verified everything that it says: whoever makes one vouches for that.
#[derive(Debug, Clone, Copy)]
pub struct AddressedToAws<'a> {
    /// The whole response in base64, as the browser brought it.
    pub encoded: &'a Encoded,
    /// The assertion's ID.
    pub assertion_id: &'a str,
    /// When the assertion was issued.
    pub issued: Moment,
    /// From when on AWS does not take it: the earliest `NotOnOrAfter` of the assertion.
    pub expires: Moment,
    /// The `Role` values: roles, each with the SAML provider that vouches for it.
    pub roles: &'a [(RoleArn, SamlProviderArn)],
}

/// A response in base64. Worth credentials: it prints nothing.
pub struct Encoded(SecretString);

impl Encoded {
    /// Takes it out of the form.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encoded(…)")
    }
}

/// Makes the proof for a request out of the person's own response: byte for byte, for a role that it offers, while AWS takes it.
///
/// # Errors
/// [`SigningFailed::UpstreamExpired`] when the five minutes are over or about to be: the person goes round by their provider again.
/// [`SigningFailed::NotOffered`] for a role that the response does not offer with a provider of the role's own account;
/// [`SigningFailed::TooLarge`].
pub fn forward_saml(response: &AddressedToAws<'_>, request: &AssumeRequest, now: Moment) -> Result<Proof, SigningFailed> {
    let role = request.role();
    let fits = |provider: &SamlProviderArn| provider.account() == role.account() && provider.partition() == role.partition();
    let offered = response.roles.iter().find(|(offered, provider)| offered == role && fits(provider));
    let (_, provider) = offered.ok_or(SigningFailed::NotOffered)?;
    let until = response.expires.min(response.issued + LONGEST_WINDOW);
    if until - now < ON_THE_WAY || response.issued > now + ON_THE_WAY {
        return Err(SigningFailed::UpstreamExpired);
    }
    let text = response.encoded.0.expose_secret();
    if text.len() > super::saml::LONGEST_ASSERTION {
        return Err(SigningFailed::TooLarge);
    }
    Ok(Proof::of_saml(text.to_owned(), response.assertion_id.to_owned(), provider.clone()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;

    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/Dev";

    fn moment(offset: i64) -> Moment {
        DateTime::from_timestamp(1_800_000_000 + offset, 0).unwrap()
    }

    fn pair(role: &str, provider: &str) -> (RoleArn, SamlProviderArn) {
        (role.parse().unwrap(), provider.parse().unwrap())
    }

    #[test]
    fn o18_a_response_is_passed_on_as_it_came_while_aws_takes_it() {
        let encoded = Encoded::new("PHNhbWxwOlJlc3BvbnNlPg==".into());
        let roles = [
            pair("arn:aws:iam::111122223333:role/Other", "arn:aws:iam::111122223333:saml-provider/Okta"),
            pair(ROLE, "arn:aws:iam::111122223333:saml-provider/Okta"),
        ];
        let response = AddressedToAws { encoded: &encoded, assertion_id: "_a", issued: moment(0), expires: moment(600), roles: &roles };
        let request = AssumeRequest::for_tests(ROLE, Duration::from_hours(1));
        let proof = forward_saml(&response, &request, moment(290)).unwrap();
        assert_eq!((proof.expose(), proof.id()), ("PHNhbWxwOlJlc3BvbnNlPg==", "_a"));
        assert_eq!(proof.provider().unwrap().name(), "Okta");
        assert!(!format!("{response:?}{proof:?}").contains("PHNh"));
        // Its own end may come sooner; and what is from the future is no fresher for that.
        let short = AddressedToAws { expires: moment(60), ..response };
        let future = AddressedToAws { issued: moment(300), ..response };
        for (response, now) in [(response, 291), (response, 3600), (short, 51), (future, 0)] {
            assert_eq!(forward_saml(&response, &request, moment(now)).unwrap_err(), SigningFailed::UpstreamExpired, "{now}");
        }
    }

    #[test]
    fn o18_a_response_opens_only_what_it_offers() {
        let encoded = Encoded::new("PHNhbWxwOlJlc3BvbnNlPg==".into());
        let request = AssumeRequest::for_tests(ROLE, Duration::from_hours(1));
        for roles in [
            vec![],
            vec![pair("arn:aws:iam::111122223333:role/Other", "arn:aws:iam::111122223333:saml-provider/Okta")],
            vec![pair(ROLE, "arn:aws:iam::444455556666:saml-provider/Okta")],
            vec![pair(ROLE, "arn:aws-cn:iam::111122223333:saml-provider/Okta")],
        ] {
            let response = AddressedToAws { encoded: &encoded, assertion_id: "_a", issued: moment(0), expires: moment(600), roles: &roles };
            assert_eq!(forward_saml(&response, &request, moment(0)).unwrap_err(), SigningFailed::NotOffered);
        }
        let long = Encoded::new("A".repeat(100_001));
        let roles = [pair(ROLE, "arn:aws:iam::111122223333:saml-provider/Okta")];
        let response = AddressedToAws { encoded: &long, assertion_id: "_a", issued: moment(0), expires: moment(600), roles: &roles };
        assert_eq!(forward_saml(&response, &request, moment(0)).unwrap_err(), SigningFailed::TooLarge);
    }
}
