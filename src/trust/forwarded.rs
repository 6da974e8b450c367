//! A SAML response of the person's own identity provider, passed on to AWS as it came.

use chrono::TimeDelta;

use super::{Proof, SigningFailed};
use crate::access::AssumeRequest;
use crate::clock::Moment;
use crate::identity::Identity;
use crate::saml::write::aws::LONGEST_WINDOW;

/// What the way to AWS may take: a response with less life than this left would come too late.
const ON_THE_WAY: TimeDelta = TimeDelta::seconds(10);

/// Makes the proof for a request out of the person's own response: byte for byte, for a role that it offers, while AWS takes it.
///
/// # Errors
/// [`SigningFailed::UpstreamExpired`] when the five minutes are over or about to be: the person goes round by their provider again.
/// [`SigningFailed::NotOffered`] for a role that the response does not offer with a provider of the role's own account, and for who signed
/// in otherwise; [`SigningFailed::TooLarge`].
pub(super) fn forward_saml(who: &Identity, request: &AssumeRequest, now: Moment) -> Result<Proof, SigningFailed> {
    let response = who.forwardable().ok_or(SigningFailed::NotOffered)?;
    let provider = request.role().and_then(|role| response.provider_of(role)).ok_or(SigningFailed::NotOffered)?;
    let until = response.expires.min(response.issued + LONGEST_WINDOW);
    if until - now < ON_THE_WAY || response.issued > now + ON_THE_WAY {
        return Err(SigningFailed::UpstreamExpired);
    }
    let text = response.response.expose();
    if text.len() > super::saml::LONGEST_ASSERTION {
        return Err(SigningFailed::TooLarge);
    }
    Ok(Proof::of_saml(text.to_owned(), response.assertion_id.clone(), provider))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;

    use super::*;
    use crate::identity::{Forwardable, UpstreamToken};

    const ROLE: &str = "arn:aws:iam::111122223333:role/Dev";
    const RESPONSE: &str = "PHNhbWxwOlJlc3BvbnNlPg==";

    fn moment(offset: i64) -> Moment {
        DateTime::from_timestamp(1_800_000_000 + offset, 0).unwrap()
    }

    fn who(issued: i64, expires: i64, roles: &[(&str, &str)], response: &str) -> Identity {
        let roles = roles.iter().map(|(role, provider)| ((*role).to_owned(), (*provider).to_owned())).collect();
        let forwardable = Forwardable {
            response: UpstreamToken::new(response.into()),
            assertion_id: "_a".into(),
            issued: moment(issued),
            expires: moment(expires),
            roles,
        };
        Identity { forwardable: Some(Box::new(forwardable)), ..Identity::for_tests("ana", &[]) }
    }

    const OURS: (&str, &str) = (ROLE, "arn:aws:iam::111122223333:saml-provider/Okta");

    #[test]
    fn o18_a_response_is_passed_on_as_it_came_while_aws_takes_it() {
        let request = AssumeRequest::for_tests(ROLE, Duration::from_hours(1));
        let other = ("arn:aws:iam::111122223333:role/Other", OURS.1);
        let ana = who(0, 600, &[other, OURS], RESPONSE);
        let proof = forward_saml(&ana, &request, moment(290)).unwrap();
        assert_eq!((proof.expose(), proof.id()), (RESPONSE, "_a"));
        assert_eq!(proof.provider().unwrap().name(), "Okta");
        assert!(!format!("{ana:?}{proof:?}").contains("PHNh"));
        // Its own end may come sooner; and what is from the future is no fresher for that.
        let (short, future) = (who(0, 60, &[OURS], RESPONSE), who(300, 900, &[OURS], RESPONSE));
        for (who, now) in [(&ana, 291), (&ana, 3600), (&short, 51), (&future, 0)] {
            assert_eq!(forward_saml(who, &request, moment(now)).unwrap_err(), SigningFailed::UpstreamExpired, "{now}");
        }
    }

    #[test]
    fn o18_a_response_opens_only_what_it_offers() {
        let request = AssumeRequest::for_tests(ROLE, Duration::from_hours(1));
        for roles in [
            &[][..],
            &[("arn:aws:iam::111122223333:role/Other", OURS.1)],
            &[(ROLE, "arn:aws:iam::444455556666:saml-provider/Okta")],
            &[(ROLE, "arn:aws-cn:iam::111122223333:saml-provider/Okta")],
        ] {
            let failed = forward_saml(&who(0, 600, roles, RESPONSE), &request, moment(1)).unwrap_err();
            assert_eq!(failed, SigningFailed::NotOffered, "{roles:?}");
        }
        let otherwise = Identity::for_tests("ana", &[]);
        assert_eq!(forward_saml(&otherwise, &request, moment(1)).unwrap_err(), SigningFailed::NotOffered);
        let long = who(0, 600, &[OURS], &"A".repeat(100_001));
        assert_eq!(forward_saml(&long, &request, moment(1)).unwrap_err(), SigningFailed::TooLarge);
    }
}
