use super::*;
use crate::aws::scripted_http::{ScriptedHttp, Step};
use crate::clock::Moment;
use crate::settings::Span;

const SECRET: &str = "very/secret+key";
const SESSION: &str = "session+token/==";
const ISSUER: &str = "https://gate.example.org/login?a=b&c=d";

fn credentials(partition: Partition) -> Credentials {
    Credentials {
        access_key_id: "ASIAEXAMPLE".into(),
        secret_access_key: SECRET.to_owned().into(),
        session_token: SESSION.to_owned().into(),
        expires: Moment::default(),
        target: format!("arn:{partition}:iam::111122223333:role/Dev").parse().unwrap(),
        assumed_role: None,
    }
}

fn console(settings: &AwsSettings) -> Console {
    Console::new(settings, ISSUER.parse().unwrap()).unwrap()
}

async fn enter(step: Step, duration: Option<Duration>) -> (Result<ConsoleUrl, ConsoleUnavailable>, ScriptedHttp) {
    let double = ScriptedHttp::start(vec![step]).await;
    let settings = AwsSettings { signin_endpoint: Some(double.url.clone()), deadline: Span::seconds(2), ..AwsSettings::default() };
    let console = console(&settings);
    let destination = console.destination(Partition::Aws, Some("s3@eu-west-1")).unwrap();
    let result = console.sign_in_url(&credentials(Partition::Aws), &destination, duration).await;
    (result, double)
}

fn token() -> Step {
    Step::Answer(200, "content-type: application/json\r\n", r#"{"SigninToken":"to&k=en"}"#.into())
}

#[tokio::test]
async fn c1_credentials_travel_in_the_body_and_the_token_in_the_address_alone() {
    let (result, double) = enter(token(), None).await;
    let url = result.unwrap();
    assert!(!format!("{url:?}").contains("to&k") && !format!("{url:?}").contains("http"));

    let request = &double.requests()[0];
    assert!(request.head.starts_with("POST /federation HTTP/1.1"), "{}", request.head);
    assert!(!request.head.contains("secret") && !request.head.contains("ASIA"));
    let form: Vec<(String, String)> = url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
    assert_eq!(form[0], ("Action".into(), "getSigninToken".into()));
    assert_eq!(form[1].0, "Session");
    let session: serde_json::Value = serde_json::from_str(&form[1].1).unwrap();
    assert_eq!(session, serde_json::json!({"sessionId": "ASIAEXAMPLE", "sessionKey": SECRET, "sessionToken": SESSION}));
    assert_eq!(form.len(), 2, "no SessionDuration unless it is asked for");

    let url = Url::parse(url.expose()).unwrap();
    assert_eq!((url.origin().ascii_serialization().as_str(), url.path()), (double.url.as_str(), "/federation"));
    let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let expected = [
        ("Action", "login"),
        ("Issuer", ISSUER),
        ("Destination", "https://eu-west-1.console.aws.amazon.com/s3/home?region=eu-west-1"),
        ("SigninToken", "to&k=en"),
    ];
    assert_eq!(query, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn a_console_session_may_have_its_own_length_within_awss_limits() {
    let (result, double) = enter(token(), Some(LONGEST_SESSION)).await;
    assert!(result.is_ok());
    assert!(double.requests()[0].body.ends_with("&SessionDuration=43200"));
    for seconds in [0, 899, 43_201] {
        let (result, double) = enter(token(), Some(Duration::from_secs(seconds))).await;
        assert!(matches!(result, Err(ConsoleUnavailable::SessionDuration)));
        assert!(double.requests().is_empty());
    }
}

#[tokio::test]
async fn what_is_no_token_opens_nothing() {
    type Meaning = fn(&ConsoleUnavailable) -> bool;
    let garbled: Meaning = |e| matches!(e, ConsoleUnavailable::Garbled(_));
    let redirect = "location: http://127.0.0.1:1/steal\r\n";
    let cases: [(Step, Meaning); 10] = [
        (Step::Answer(400, "", "<html>bad</html>".into()), |e| matches!(e, ConsoleUnavailable::Refused(400))),
        (Step::Answer(403, "", String::new()), |e| matches!(e, ConsoleUnavailable::Refused(403))),
        (Step::Answer(503, "", String::new()), |e| matches!(e, ConsoleUnavailable::OutOfOrder(503))),
        (Step::Answer(302, redirect, String::new()), garbled),
        (Step::Answer(307, redirect, String::new()), garbled),
        (Step::Answer(200, "", "garbage".into()), garbled),
        (Step::Answer(200, "", r#"{"SigninToken":""}"#.into()), garbled),
        (Step::Answer(200, "", format!(r#"{{"SigninToken":"{}"}}"#, "x".repeat(LONGEST_ANSWER))), garbled),
        (Step::HangUp, |e| matches!(e, ConsoleUnavailable::Unreachable(_))),
        (Step::Hang, |e| matches!(e, ConsoleUnavailable::TimedOut)),
    ];
    for (step, means) in cases {
        let (result, double) = enter(step, None).await;
        let error = result.unwrap_err();
        assert!(means(&error), "{error:?}");
        assert_eq!(double.requests().len(), 1);
        let printed = format!("{error:?} {error} {}", error.explain());
        assert!(!printed.contains("secret") && !printed.contains("session+token"), "{printed}");
    }
}

#[tokio::test]
async fn a_role_never_enters_another_partitions_console() {
    let console = console(&AwsSettings::default());
    let destination = console.destination(Partition::AwsCn, None).unwrap();
    let result = console.sign_in_url(&credentials(Partition::Aws), &destination, None).await;
    assert!(matches!(result, Err(ConsoleUnavailable::OtherPartition)));
}

#[test]
fn every_host_follows_from_the_partition() {
    let console = console(&AwsSettings::default());
    let table = [
        (Partition::Aws, "https://signin.aws.amazon.com", "https://console.aws.amazon.com/", "https://*.aws.amazon.com"),
        (Partition::AwsCn, "https://signin.amazonaws.cn", "https://console.amazonaws.cn/", "https://*.amazonaws.cn"),
        (
            Partition::AwsUsGov,
            "https://signin.amazonaws-us-gov.com",
            "https://console.amazonaws-us-gov.com/",
            "https://*.amazonaws-us-gov.com",
        ),
        (
            Partition::AwsEusc,
            "https://eusc-de-east-1.signin.amazonaws-eusc.eu",
            "https://console.amazonaws-eusc.eu/",
            "https://*.amazonaws-eusc.eu",
        ),
    ];
    for (partition, signin, home, wildcard) in table {
        assert_eq!(console.signin_origin(partition), signin);
        assert_eq!(console.federation(partition), format!("{signin}/federation"));
        assert_eq!(console.destination(partition, None).unwrap().as_str(), home);
        assert_eq!(console.destination(partition, Some("ec2")).unwrap().as_str(), format!("{home}ec2/home"));
        let regional = console.destination(partition, Some(&format!("ec2@{}", partition.default_region()))).unwrap();
        assert!(regional.as_str().ends_with(&format!("/ec2/home?region={}", partition.default_region())), "{regional:?}");
        assert!(console.destination(partition, Some(regional.as_str())).is_ok(), "what is built here is allowed here");
        let sources = console.form_action_sources([partition, partition]);
        assert_eq!(sources.len(), 3);
        assert!(sources.contains(&wildcard.to_owned()) && sources.contains(&signin.to_owned()));
        for other in Partition::ALL.into_iter().filter(|other| *other != partition) {
            assert_eq!(console.destination(other, Some(home)), Err(DestinationRefused::Elsewhere), "{home} is not in {other}");
            let region = format!("ec2@{}", other.default_region());
            assert_eq!(console.destination(partition, Some(&region)), Err(DestinationRefused::Region));
        }
    }
}

#[test]
fn a_deep_link_into_the_console_stays_as_it_is() {
    let console = console(&AwsSettings::default());
    for link in [
        "https://console.aws.amazon.com/",
        "https://eu-central-1.console.aws.amazon.com/ec2/home?region=eu-central-1#Instances:v=3;$case=tags:true",
        "https://111122223333-abcdefgh.eu-central-1.console.aws.amazon.com/s3/buckets/x?prefix=a/b/",
    ] {
        assert_eq!(console.destination(Partition::Aws, Some(link)).unwrap().as_str(), link);
    }
}

#[test]
fn w4_nobody_is_sent_anywhere_else() {
    let console = console(&AwsSettings::default());
    for attack in [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https:evil.example",
        "https:/console.aws.amazon.com",
        "https:///console.aws.amazon.com",
        "http://console.aws.amazon.com/",
        "HTTPS://console.aws.amazon.com.evil.example/",
        "https://console.aws.amazon.com.evil.example/",
        "https://console.aws.amazon.com./",
        "https://evilconsole.aws.amazon.com/",
        "https://.console.aws.amazon.com/",
        "https://aws.amazon.com/",
        "https://signin.aws.amazon.com/oauth?redirect_uri=https://evil.example",
        "https://console.aws.amazon.com@evil.example/",
        "https://evil.example@console.aws.amazon.com/",
        "https://evil.example#.console.aws.amazon.com/",
        "https://evil.example?.console.aws.amazon.com/",
        "https://evil.example\\.console.aws.amazon.com/",
        "https://console.aws.amazon.com:8443/",
        "https://console.aws.amazon.com%2eevil.example/",
        "https://console.aws.amazon.com/\r\nSet-Cookie: x=y",
        "https://con\tsole.aws.amazon.com/",
        " https://console.aws.amazon.com/",
        "https://cönsole.aws.amazon.com/",
        "javascript:alert(1)",
        "data:text/html,x",
        "ec2/../../x",
        "ec2?x",
        "EC2",
        "-ec2",
        "ec2@",
        "ec2@evil.example",
        "ec2@eu-central-1@evil",
        "ec2@../x-1",
    ] {
        assert!(console.destination(Partition::Aws, Some(attack)).is_err(), "{attack}");
    }
    let long = format!("https://console.aws.amazon.com/{}", "x".repeat(LONGEST_ANSWER));
    assert!(console.destination(Partition::Aws, Some(&long)).is_err());
}

#[test]
fn a_stand_in_console_is_the_only_console() {
    let settings = AwsSettings {
        signin_endpoint: Some("http://127.0.0.1:9/signin/".into()),
        console_endpoint: Some("http://127.0.0.1:9/console/".into()),
        ..AwsSettings::default()
    };
    let console = console(&settings);
    assert_eq!(console.federation(Partition::Aws), "http://127.0.0.1:9/signin/federation");
    assert_eq!(console.destination(Partition::Aws, None).unwrap().as_str(), "http://127.0.0.1:9/console/");
    assert_eq!(console.destination(Partition::Aws, Some("s3")).unwrap().as_str(), "http://127.0.0.1:9/console/s3/home");
    assert!(console.destination(Partition::Aws, Some("http://127.0.0.1:9/console/x")).is_ok());
    for elsewhere in ["https://console.aws.amazon.com/", "http://127.0.0.1:10/", "http://u@127.0.0.1:9/", "https://127.0.0.1:9/"] {
        assert_eq!(console.destination(Partition::Aws, Some(elsewhere)), Err(DestinationRefused::Elsewhere), "{elsewhere}");
    }
    assert_eq!(console.form_action_sources(Partition::ALL), ["http://127.0.0.1:9"]);
}
