//! What is tried again, how often, and what is not.

use super::*;

#[tokio::test]
async fn unreachable_keys_are_tried_three_times_more() {
    let (result, requests) = ask(vec![idp_down(), idp_down(), idp_down(), success()]).await;
    assert!(result.is_ok());
    assert_eq!(requests, 4);
    let (result, requests) = ask(vec![keys_down(), success()]).await;
    assert!(result.is_ok());
    assert_eq!(requests, 2);
}

#[tokio::test]
async fn unreachable_keys_are_not_tried_for_ever() {
    let three = [idp_down(), keys_down(), idp_down()];
    for script in [vec![idp_down()], vec![keys_down()], [&three[..], &[idp_down(), success()]].concat()] {
        let (result, requests) = ask(script).await;
        assert!(matches!(result, Err(StsError::KeysUnreachable(_))), "{result:?}");
        assert_eq!(requests, retry::KEY_FETCH_TRIES as usize);
    }
    // Other faults between them are not counted as such.
    let (result, requests) = ask([&three[..], &[Step::HangUp, refusal(400, "SlowDown", ""), success()]].concat()).await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(requests, 6);
}

#[tokio::test]
async fn throttling_and_server_errors_are_tried_again() {
    let moments_of_weakness = [
        refusal(400, "Throttling", "Rate exceeded"),
        refusal(400, "RequestLimitExceeded", "Rate exceeded"),
        refusal(503, "SlowDown", "Reduce your request rate"),
        refusal(429, "TooManyRequests", "slow down"),
        Step::Answer(429, "", String::new()),
        Step::Answer(503, "", "<html>down</html>".into()),
        Step::Answer(500, "", String::new()),
        Step::HangUp,
    ];
    for weakness in moments_of_weakness {
        let (result, requests) = ask(vec![weakness, success()]).await;
        assert!(result.is_ok(), "{result:?}");
        assert_eq!(requests, 2);
    }
}

#[tokio::test]
async fn endless_server_errors_end() {
    let (result, double) = ask_for(vec![Step::Answer(503, "", String::new())], Span::seconds(2), USUAL_SESSION).await;
    assert!(matches!(result, Err(StsError::Unavailable(_))), "also when the time ends before the tries: {result:?}");
    assert!((3..=TRIES as usize).contains(&double.requests().len()));
}

#[tokio::test]
async fn a_refusal_that_cannot_change_is_asked_for_once() {
    type Meaning = fn(&StsError) -> bool;
    let refusals: [(u16, &str, &str, Meaning); 12] = [
        (403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", |e| matches!(e, StsError::AccessDenied(_))),
        (400, "ExpiredTokenException", "Token expired", |e| matches!(e, StsError::ExpiredToken(_))),
        (400, "InvalidIdentityToken", "Token signature invalid", |e| matches!(e, StsError::InvalidToken(_))),
        (400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://x", |e| {
            matches!(e, StsError::NoIdentityProvider(_))
        }),
        (400, "InvalidIdentityToken", "Incorrect token audience", |e| matches!(e, StsError::WrongAudience(_))),
        (403, "IDPRejectedClaim", "rejected", |e| matches!(e, StsError::RejectedClaim(_))),
        (400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", |e| {
            matches!(e, StsError::SessionTooLong(_))
        }),
        (400, "ValidationError", "1 validation error detected", |e| matches!(e, StsError::InvalidRequest(_))),
        (400, "PackedPolicyTooLarge", "Packed size 113%", |e| matches!(e, StsError::PackedPolicyTooLarge(_))),
        (400, "MalformedPolicyDocument", "Syntax", |e| matches!(e, StsError::MalformedPolicy(_))),
        (403, "RegionDisabledException", "not activated", |e| matches!(e, StsError::RegionDisabled(_))),
        (400, "SomethingNew", "?", |e| matches!(e, StsError::Other(_))),
    ];
    for (status, code, message, means) in refusals {
        let (result, requests) = ask(vec![refusal(status, code, message), success()]).await;
        let error = result.unwrap_err();
        assert!(means(&error), "{code}: {error:?}");
        assert_eq!((requests, error.code(), error.request_id()), (1, Some(code), Some("req-no")));
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_asked_again_and_the_deadline_ends_it() {
    let (result, double) = ask_for(vec![Step::Hang], Span::seconds(2), USUAL_SESSION).await;
    assert_eq!(result.unwrap_err(), StsError::TimedOut);
    assert_eq!(double.requests().len(), 2);
}

#[tokio::test]
async fn nobody_at_the_endpoint_is_told_as_unreachable() {
    // The port is the test's own, so that nobody else takes it meanwhile, and nobody listens there.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = taken.local_addr().unwrap().port();
    let settings = AwsSettings { sts_endpoint: Some(format!("http://127.0.0.1:{port}")), ..AwsSettings::default() };
    let request = AssumeRequest::for_tests("arn:aws:iam::111122223333:role/Dev", USUAL_SESSION);
    let proof = Proof::new(TOKEN.into(), "jti".into());
    let sts = Sts::new(&settings).unwrap();
    let error = sts.assume(&request, &proof, sts.deadline()).await.unwrap_err();
    assert!(matches!(error, StsError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn garbage_is_no_answer() {
    let half = "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult>\
                </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
    for (status, body) in [(200, "garbage"), (200, ""), (200, half), (400, "garbage"), (302, "")] {
        let step = Step::Answer(status, "location: http://127.0.0.1:1/\r\n", body.into());
        let (result, _) = ask_for(vec![step], Span::seconds(1), USUAL_SESSION).await;
        assert!(matches!(result, Err(StsError::Garbled(_))), "{status} {body}: {result:?}");
    }
}
