use super::*;
use crate::access::{AssumeRequest, IamUserSettings, Operation, SessionPolicy, USUAL_SESSION};
use crate::aws::Mender;
use crate::aws::scripted_http::{ScriptedHttp, Step};
use crate::settings::{SecretRef, Span};
use crate::trust::Proof;

const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl";

fn success() -> Step {
    Step::Answer(
        200,
        "content-type: text/xml\r\nx-amzn-requestid: req-ok\r\n",
        r#"<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<AssumedRoleUser><Arn>arn:aws:sts::111122223333:assumed-role/Dev/ana@example.org</Arn><AssumedRoleId>AROAX:ana</AssumedRoleId></AssumedRoleUser>
<Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>very/secret</SecretAccessKey><SessionToken>session+token</SessionToken>
<Expiration>2026-11-24T12:00:00Z</Expiration></Credentials><PackedPolicySize>81</PackedPolicySize></AssumeRoleWithWebIdentityResult>
<ResponseMetadata><RequestId>req-ok</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>"#
            .into(),
    )
}

fn refusal(status: u16, code: &str, message: &str) -> Step {
    Step::Answer(
        status,
        "content-type: text/xml\r\nx-amzn-requestid: req-no\r\n",
        format!(
            r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>{code}</Code>
<Message>{message}</Message></Error><RequestId>req-no</RequestId></ErrorResponse>"#
        ),
    )
}

fn idp_down() -> Step {
    refusal(400, "IDPCommunicationError", "the identity provider could not be reached")
}

fn keys_down() -> Step {
    refusal(400, "InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider, please reference the docs")
}

async fn ask_for(script: Vec<Step>, deadline: Span, duration: Duration) -> (Result<Issued, StsError>, ScriptedHttp) {
    let double = ScriptedHttp::start(script).await;
    let settings = AwsSettings { sts_endpoint: Some(double.url.clone()), deadline, ..AwsSettings::default() };
    let sts = Sts::new(&settings).unwrap();
    let request = AssumeRequest::for_tests("arn:aws:iam::111122223333:role/Dev", duration);
    let result = sts.assume(&request, &Proof::new(TOKEN.into(), "jti".into()), sts.deadline()).await;
    (result, double)
}

/// Asks once, with a deadline that no test of retries comes near.
async fn ask(script: Vec<Step>) -> (Result<Issued, StsError>, usize) {
    let (result, double) = ask_for(script, Span::seconds(30), USUAL_SESSION).await;
    (result, double.requests().len())
}

#[tokio::test]
async fn credentials_come_back_with_what_the_audit_trail_wants() {
    let (result, double) = ask_for(vec![success()], Span::seconds(30), Duration::from_hours(2)).await;
    let issued = result.unwrap();
    assert_eq!(issued.credentials.access_key_id, "ASIAEXAMPLE");
    assert_eq!(issued.credentials.assumed_role.as_deref(), Some("arn:aws:sts::111122223333:assumed-role/Dev/ana@example.org"));
    assert_eq!(issued.credentials.expires.to_rfc3339(), "2026-11-24T12:00:00+00:00");
    assert_eq!(issued.request_id.as_deref(), Some("req-ok"));
    assert_eq!(issued.packed_policy_percent, Some(81));
    let printed = format!("{issued:?}");
    assert!(!printed.contains("very/secret") && !printed.contains("session+token"));

    let request = &double.requests()[0];
    assert!(request.head.starts_with("POST / "), "{}", request.head);
    assert!(!request.head.to_ascii_lowercase().contains("authorization"), "the call is unsigned");
    assert!(!request.head.contains(TOKEN));
    for part in ["Action=AssumeRoleWithWebIdentity", "DurationSeconds=7200", "RoleSessionName=ana%40example.org", TOKEN] {
        assert!(request.body.contains(part), "{part} in {}", request.body);
    }
}

#[tokio::test]
async fn session_policies_are_sent_by_both_operations() {
    let arns = vec!["arn:aws:iam::aws:policy/ReadOnlyAccess".parse().unwrap()];
    for operation in [Operation::WebIdentity, Operation::Saml] {
        let double = ScriptedHttp::start(vec![if operation == Operation::Saml { saml_success() } else { success() }]).await;
        let settings = AwsSettings { sts_endpoint: Some(double.url.clone()), ..AwsSettings::default() };
        let mut request = AssumeRequest::for_tests("arn:aws:iam::111122223333:role/Dev", USUAL_SESSION);
        request.set_operation_for_tests(operation);
        request.set_session_policy_for_tests(SessionPolicy { document: Some("{\"Version\":\"2012-10-17\"}".into()), arns: arns.clone() });
        let proof = match operation {
            Operation::Saml => {
                Proof::of_saml(RESPONSE.into(), "_id".into(), "arn:aws:iam::111122223333:saml-provider/Rolegate".parse().unwrap())
            }
            _ => Proof::new(TOKEN.into(), "jti".into()),
        };
        let sts = Sts::new(&settings).unwrap();
        sts.assume(&request, &proof, sts.deadline()).await.unwrap();
        let requests = double.requests();
        let sent: std::collections::BTreeMap<_, _> = url::form_urlencoded::parse(requests[0].body.as_bytes()).into_owned().collect();
        assert_eq!(sent.get("Action").map(String::as_str), Some(operation.sts_name()));
        assert_eq!(sent.get("Policy").map(String::as_str), Some("{\"Version\":\"2012-10-17\"}"));
        assert_eq!(sent.get("PolicyArns.member.1.arn").map(String::as_str), Some("arn:aws:iam::aws:policy/ReadOnlyAccess"));
    }
}

fn saml_success() -> Step {
    let Step::Answer(status, head, body) = success() else { unreachable!() };
    Step::Answer(status, head, body.replace("WithWebIdentity", "WithSAML"))
}

const RESPONSE: &str = "PHNhbWxwOlJlc3BvbnNlIHhtbG5zOnNhbWxwPSJ1cm46b2FzaXMiLz4=";

async fn ask_by_saml(script: Vec<Step>) -> (Result<Issued, StsError>, ScriptedHttp) {
    let double = ScriptedHttp::start(script).await;
    let settings = AwsSettings { sts_endpoint: Some(double.url.clone()), deadline: Span::seconds(30), ..AwsSettings::default() };
    let mut request = AssumeRequest::for_tests("arn:aws:iam::111122223333:role/Dev", Duration::from_mins(15));
    request.set_operation_for_tests(Operation::Saml);
    let provider = "arn:aws:iam::111122223333:saml-provider/Rolegate".parse().unwrap();
    let sts = Sts::new(&settings).unwrap();
    let result = sts.assume(&request, &Proof::of_saml(RESPONSE.into(), "_id".into(), provider), sts.deadline()).await;
    (result, double)
}

#[tokio::test]
async fn a_saml_response_is_exchanged_by_its_own_operation() {
    let (result, double) = ask_by_saml(vec![refusal(400, "Throttling", "Rate exceeded"), saml_success()]).await;
    let issued = result.unwrap();
    assert_eq!((issued.credentials.access_key_id.as_str(), issued.packed_policy_percent), ("ASIAEXAMPLE", Some(81)));
    assert_eq!(issued.request_id.as_deref(), Some("req-ok"));
    let requests = double.requests();
    assert_eq!(requests.len(), 2);
    assert!(!requests[1].head.to_ascii_lowercase().contains("authorization"), "the call is unsigned");
    let sent: std::collections::BTreeMap<_, _> = url::form_urlencoded::parse(requests[1].body.as_bytes()).into_owned().collect();
    let expected = [
        ("Action", "AssumeRoleWithSAML"),
        ("Version", "2011-06-15"),
        ("RoleArn", "arn:aws:iam::111122223333:role/Dev"),
        ("PrincipalArn", "arn:aws:iam::111122223333:saml-provider/Rolegate"),
        ("SAMLAssertion", RESPONSE),
        ("DurationSeconds", "900"),
    ];
    assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[tokio::test]
async fn refusals_of_a_saml_response_are_told_apart_and_leak_nothing() {
    let echo = format!("bad {RESPONSE} and {}", &RESPONSE[..20]);
    for (code, message, mender) in [
        ("ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance", Mender::GatewayAdministrator),
        ("InvalidIdentityToken", "Specified provider doesn't exist", Mender::AccountAdministrator),
        ("InvalidIdentityToken", "Issuer not present in specified provider", Mender::AccountAdministrator),
        ("InvalidIdentityToken", "Response signature invalid", Mender::GatewayAdministrator),
        ("InvalidIdentityToken", echo.as_str(), Mender::GatewayAdministrator),
        ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML", Mender::AccountAdministrator),
        ("PackedPolicyTooLarge", "123%", Mender::GatewayAdministrator),
    ] {
        let (result, double) = ask_by_saml(vec![refusal(400, code, message)]).await;
        let error = result.unwrap_err();
        assert_eq!(double.requests().len(), 1, "{code}");
        let explanation = error.explain(Hop::Direct(Operation::Saml));
        assert_eq!(explanation.mender, mender, "{message}");
        assert!(explanation.happened.contains("SAML") || !message.contains("provider"), "{}", explanation.happened);
        assert!(!format!("{error:?}").contains("PHNhbWxw"), "{error:?}");
    }
}

fn assume_role_success() -> Step {
    let Step::Answer(status, head, body) = success() else { unreachable!() };
    Step::Answer(status, head, body.replace("WithWebIdentity", ""))
}

fn own_keys(session_token: Option<&str>) -> OwnIdentity {
    OwnIdentity::of_keys(SdkIdentity::new("AKIAOWN", "own/secret", session_token.map(str::to_owned), None, "test"))
}

fn role_request(duration: Duration) -> AssumeRequest {
    let mut request = AssumeRequest::for_tests("arn:aws:iam::111122223333:role/Dev", duration);
    request.set_operation_for_tests(Operation::AssumeRole);
    request.set_external_id_for_tests("tenant-4711");
    request
}

async fn ask_by_assume_role(
    script: Vec<Step>,
    own: OwnIdentity,
    hub: Option<&Credentials>,
    duration: Duration,
) -> (Result<Issued, StsError>, ScriptedHttp, Sts) {
    let double = ScriptedHttp::start(script).await;
    let settings = AwsSettings { sts_endpoint: Some(double.url.clone()), deadline: Span::seconds(30), ..AwsSettings::default() };
    let sts = Sts { own, ..Sts::new(&settings).unwrap() };
    let result = sts.assume_role(&role_request(duration), hub, sts.deadline()).await;
    (result, double, sts)
}

fn user_success(operation: &str) -> Step {
    let Step::Answer(status, head, body) = success() else { unreachable!() };
    let user = body.find("<AssumedRoleUser>").unwrap()..body.find("</AssumedRoleUser>").unwrap() + "</AssumedRoleUser>".len();
    let told = "<FederatedUser><Arn>arn:aws:sts::111122223333:federated-user/ana</Arn><FederatedUserId>111122223333:ana</FederatedUserId></FederatedUser>";
    let body = body.replace(&body[user], if operation == "GetFederationToken" { told } else { "" });
    Step::Answer(status, head, body.replace("AssumeRoleWithWebIdentity", operation))
}

/// Asks with the keys of a user: by its code, or without one for a federated session.
async fn ask_by_user(script: Vec<Step>, code: Option<&str>) -> (Result<Issued, StsError>, ScriptedHttp) {
    let double = ScriptedHttp::start(script).await;
    let settings = AwsSettings { sts_endpoint: Some(double.url.clone()), deadline: Span::seconds(30), ..AwsSettings::default() };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "user/secret").unwrap();
    let user = IamUserSettings {
        id: "ana".into(),
        account: "111122223333".into(),
        access_key_id: "AKIAANA".into(),
        secret_access_key: SecretRef::File("secret".into()),
        mfa_serial: None,
    };
    let sts = Sts::new(&settings).unwrap().with_users(&[user], folder.path(), "iam_user").unwrap();
    assert!(!format!("{sts:?}").contains("user/secret"));
    let mut request = AssumeRequest::for_tests("arn:aws:iam::111122223333:role/Dev", USUAL_SESSION);
    request.set_iam_user_for_tests("ana", code);
    let result = if code.is_some() {
        sts.session_token(&request, sts.deadline()).await
    } else {
        sts.federation_token(&request, sts.deadline()).await
    };
    (result, double)
}

#[tokio::test]
async fn a_federation_token_names_the_person_and_says_its_length() {
    let (result, double) = ask_by_user(vec![user_success("GetFederationToken")], None).await;
    let issued = result.unwrap();
    assert_eq!(issued.credentials.assumed_role.as_deref(), Some("arn:aws:sts::111122223333:federated-user/ana"));
    assert_eq!(issued.credentials.target.as_str(), "federated:aws:111122223333:billing-reader");
    let request = &double.requests()[0];
    assert!(request.head.to_ascii_lowercase().contains("credential=akiaana/"), "{}", request.head);
    let expected = [
        ("Action", "GetFederationToken"),
        ("Version", "2011-06-15"),
        ("Name", "ana@example.org"),
        ("Tags.member.1.Key", "Team"),
        ("Tags.member.1.Value", "blue"),
        // AWS's own default would be twelve hours.
        ("DurationSeconds", "3600"),
    ];
    assert_eq!(sent(request), expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[tokio::test]
async fn a_session_token_takes_the_code_along_and_leaks_it_nowhere() {
    let (result, double) = ask_by_user(vec![user_success("GetSessionToken")], Some("123456")).await;
    assert_eq!(result.unwrap().credentials.assumed_role, None);
    let sent = sent(&double.requests()[0]);
    assert_eq!(sent.get("SerialNumber").map(String::as_str), Some("arn:aws:iam::111122223333:mfa/ana"));
    assert_eq!(
        (sent.get("TokenCode").map(String::as_str), sent.get("DurationSeconds").map(String::as_str)),
        (Some("123456"), Some("3600"))
    );
    assert!(!sent.contains_key("Tags.member.1.Key") && !sent.contains_key("Policy"));

    for (message, mender, words) in [
        ("MultiFactorAuthentication failed with invalid MFA one time pass code. 123456", Mender::Person, "next code"),
        ("MultiFactorAuthentication failed, unable to validate MFA code.", Mender::GatewayAdministrator, "mfa_serial"),
        ("User: arn:aws:iam::1:user/ana is not authorized", Mender::AccountAdministrator, "GetFederationToken"),
    ] {
        let (result, double) = ask_by_user(vec![refusal(403, "AccessDenied", message)], Some("123456")).await;
        let error = result.unwrap_err();
        assert_eq!(double.requests().len(), 1, "a code is good once, so nothing is tried again");
        let explanation = error.explain(Hop::Direct(Operation::SessionToken));
        assert_eq!(explanation.mender, mender, "{message}");
        assert!(explanation.advice.contains(words), "{}", explanation.advice);
        assert!(!format!("{error:?}").contains("123456"), "{error:?}");
    }
}

#[tokio::test]
async fn keys_that_are_not_held_ask_nobody() {
    let mut request = AssumeRequest::for_tests("arn:aws:iam::111122223333:role/Dev", USUAL_SESSION);
    request.set_iam_user_for_tests("nobody", None);
    let sts = Sts::new(&AwsSettings::default()).unwrap();
    let error = sts.federation_token(&request, sts.deadline()).await.unwrap_err();
    assert!(matches!(error, StsError::NoIdentity(_)), "{error:?}");
    assert!(error.explain(Hop::Direct(Operation::FederationToken)).happened.contains("IAM user"));
}

fn sent(request: &crate::aws::scripted_http::Seen) -> std::collections::BTreeMap<String, String> {
    url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect()
}

#[tokio::test]
async fn assume_role_is_signed_and_says_all_that_the_rules_say() {
    let script = vec![refusal(400, "Throttling", "Rate exceeded"), assume_role_success()];
    let (result, double, sts) = ask_by_assume_role(script, own_keys(None), None, Duration::from_hours(2)).await;
    assert_eq!(result.unwrap().credentials.access_key_id, "ASIAEXAMPLE");
    assert!(!sts.knows_own_session());
    let requests = double.requests();
    assert_eq!(requests.len(), 2, "throttling is tried again");
    let head = requests[1].head.to_ascii_lowercase();
    assert!(head.contains("authorization: aws4-hmac-sha256 credential=akiaown/") && !head.contains("x-amz-security-token"), "{head}");
    let expected = [
        ("Action", "AssumeRole"),
        ("Version", "2011-06-15"),
        ("RoleArn", "arn:aws:iam::111122223333:role/Dev"),
        ("RoleSessionName", "ana@example.org"),
        ("ExternalId", "tenant-4711"),
        ("SourceIdentity", "okta+ana"),
        ("Tags.member.1.Key", "Team"),
        ("Tags.member.1.Value", "blue"),
        ("DurationSeconds", "7200"),
    ];
    assert_eq!(sent(&requests[1]), expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[tokio::test]
async fn from_a_hub_it_is_signed_by_the_hubs_session_and_says_no_source_identity_again() {
    let hub = Credentials {
        access_key_id: "ASIAHUB".into(),
        secret_access_key: "hub/secret".to_owned().into(),
        session_token: "hub+token".to_owned().into(),
        expires: Moment::default(),
        target: "arn:aws:iam::111122223333:role/Hub".parse().unwrap(),
        assumed_role: None,
    };
    let (result, double, _) = ask_by_assume_role(vec![assume_role_success()], own_keys(None), Some(&hub), USUAL_SESSION).await;
    assert!(result.is_ok());
    let request = &double.requests()[0];
    let head = request.head.to_ascii_lowercase();
    assert!(head.contains("credential=asiahub/") && head.contains("x-amz-security-token: hub+token"), "{head}");
    let sent = sent(request);
    assert!(!sent.contains_key("SourceIdentity") && !sent.contains_key("DurationSeconds"), "{sent:?}");
    assert_eq!(sent.get("ExternalId").map(String::as_str), Some("tenant-4711"));
}

#[tokio::test]
async fn a_gateway_that_runs_as_a_role_knows_that_it_chains() {
    let (result, _, sts) = ask_by_assume_role(vec![assume_role_success()], own_keys(Some("token")), None, USUAL_SESSION).await;
    assert!(result.is_ok() && sts.knows_own_session());
    assert!(sts.own_identity_is_session(sts.deadline()).await.unwrap());
    let nobody = Sts { own: OwnIdentity::of_nobody(), ..Sts::new(&AwsSettings::default()).unwrap() };
    let error = nobody.assume_role(&role_request(USUAL_SESSION), None, nobody.deadline()).await.unwrap_err();
    assert!(matches!(error, StsError::NoIdentity(_)), "{error:?}");
    assert_eq!(error.explain(Hop::Direct(Operation::AssumeRole)).mender, Mender::GatewayAdministrator);
}

#[tokio::test]
async fn a01_refusals_of_assume_role_are_told_apart_by_hop_and_leak_no_external_id() {
    type Meaning = fn(&StsError) -> bool;
    let echo = "User: x is not authorized; external id tenant-4711";
    let cases: [(u16, &str, &str, Meaning); 5] = [
        (403, "AccessDenied", echo, |e| matches!(e, StsError::AccessDenied(_))),
        (403, "ExpiredToken", "The security token included in the request is expired", |e| matches!(e, StsError::ExpiredToken(_))),
        (403, "InvalidClientTokenId", "invalid", |e| matches!(e, StsError::UnknownKeys(_))),
        (403, "SignatureDoesNotMatch", "no", |e| matches!(e, StsError::UnknownKeys(_))),
        (
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
            |e| matches!(e, StsError::SessionTooLong(_)),
        ),
    ];
    for (status, code, message, means) in cases {
        let (result, double, _) = ask_by_assume_role(vec![refusal(status, code, message)], own_keys(None), None, USUAL_SESSION).await;
        let error = result.unwrap_err();
        assert!(means(&error), "{code}: {error:?}");
        assert_eq!(double.requests().len(), 1, "{code}");
        assert!(!format!("{error:?}").contains("4711"), "{error:?}");
    }
    let denied = StsError::AccessDenied(Answer::without_code(None, ""));
    let words = |hop| denied.explain(hop).to_string();
    assert!(words(Hop::Direct(Operation::AssumeRole)).contains("AWS identity of this gateway"));
    assert!(words(Hop::ToHub(Operation::Saml)).contains("role on the way to this one"));
    assert!(words(Hop::FromHub).contains("external id") && words(Hop::FromHub).contains("was taken"));
}

#[tokio::test]
async fn the_usual_length_is_left_to_aws() {
    let (result, double) = ask_for(vec![success()], Span::seconds(30), USUAL_SESSION).await;
    assert!(result.is_ok());
    assert!(!double.requests()[0].body.contains("DurationSeconds"));
}

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
    // The port was free a moment ago and is closed now.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
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

#[tokio::test]
async fn c1_the_token_is_in_no_error() {
    let echo = format!("Value '{TOKEN}' at 'webIdentityToken' failed; it began {}\n", &TOKEN[..30]);
    for step in [refusal(400, "ValidationError", &echo), refusal(400, TOKEN, "x"), Step::Answer(400, "", echo.clone()), Step::HangUp] {
        let (result, _) = ask_for(vec![step], Span::seconds(1), USUAL_SESSION).await;
        let error = result.unwrap_err();
        let printed = format!("{error:?} {error} {}", error.explain(Hop::Direct(Operation::WebIdentity)));
        assert!(!printed.contains("eyJ") && !printed.contains("c2lnbmF0dXJl"), "{printed}");
    }
}

#[tokio::test]
async fn awss_own_words_are_capped_and_stay_out_of_what_people_read() {
    let long = format!("&lt;script&gt;{}", "x".repeat(5000));
    let (result, _) = ask(vec![refusal(400, "ValidationError", &long)]).await;
    let error = result.unwrap_err();
    assert!(format!("{error:?}").contains("<script>"), "the log has AWS's words");
    assert!(format!("{error:?}").len() < 1000);
    assert!(!error.to_string().contains("script"));
    assert!(!error.explain(Hop::Direct(Operation::WebIdentity)).to_string().contains("script"));
}

#[test]
fn whose_it_is_to_mend_depends_on_whose_token_it_was() {
    let answer = Answer::without_code(None, "");
    let expired = StsError::ExpiredToken(answer.clone());
    assert_eq!(expired.explain(Hop::Direct(Operation::WebIdentity)).mender, Mender::GatewayAdministrator);
    assert_eq!(expired.explain(Hop::Direct(Operation::ForwardedWebIdentity)).mender, Mender::Person);
    let denied = StsError::AccessDenied(answer).explain(Hop::Direct(Operation::WebIdentity));
    assert_eq!(denied.mender, Mender::AccountAdministrator);
    for word in ["sts:TagSession", "sts:SetSourceIdentity", "audience"] {
        assert!(denied.advice.contains(word));
    }
}

#[test]
fn every_partition_has_its_own_sts() {
    let sts = Sts::new(&AwsSettings { regions: vec!["eu-central-1".into()], ..AwsSettings::default() }).unwrap();
    assert_eq!(sts.aws.endpoints[0].url, "https://sts.eu-central-1.amazonaws.com");
    assert_eq!(sts.aws_cn.endpoints[0].url, "https://sts.cn-north-1.amazonaws.com.cn");
    assert_eq!(sts.aws_us_gov.endpoints[0].url, "https://sts.us-gov-west-1.amazonaws.com");
    assert_eq!(sts.aws_eusc.endpoints[0].url, "https://sts.eusc-de-east-1.amazonaws.eu");
}

#[test]
fn unsound_settings_make_no_client() {
    let problems = Sts::new(&AwsSettings { sts_endpoint: Some("http://10.0.0.1".into()), ..AwsSettings::default() }).unwrap_err();
    assert_eq!(problems[0].path, "aws.sts_endpoint");
}

/// A log that keeps everything that is written to it.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn c1_no_log_level_makes_the_sdk_write_the_token_or_the_credentials() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let (_, requests) = ask(vec![refusal(503, "Busy", TOKEN), success()]).await;
    tracing::trace!("the end");
    drop(guard);
    let written = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(requests, 2);
    assert!(written.contains("the end"), "the log was on");
    for secret in [TOKEN, "very/secret", "session+token"] {
        assert!(!written.contains(secret), "{secret}");
    }
}
