mod connections;
mod patience;
mod signed;

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

#[tokio::test]
async fn the_usual_length_is_left_to_aws() {
    let (result, double) = ask_for(vec![success()], Span::seconds(30), USUAL_SESSION).await;
    assert!(result.is_ok());
    assert!(!double.requests()[0].body.contains("DurationSeconds"));
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
