//! Calls that AWS credentials sign: `AssumeRole`, `GetFederationToken`, `GetSessionToken`.

use super::*;

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
