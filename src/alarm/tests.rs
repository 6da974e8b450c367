use secrecy::SecretString;
use serde_json::json;
use tokio::io::AsyncReadExt;

use super::*;
use crate::clock::ManualClock;
use crate::settings::Problem;

fn event(kind: Kind, outcome: Outcome) -> Event {
    Event::new(chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap(), "ABCDEFGHIJ", kind, outcome)
}

fn problems(settings: Value) -> Vec<Problem> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "0123456789abcdef").unwrap();
    std::fs::write(folder.path().join("short"), "0123456789abcde").unwrap();
    let settings: WebhookSettings = serde_json::from_value(settings).unwrap();
    settings.load("webhook[0]", folder.path()).err().unwrap_or_default()
}

#[test]
fn a_webhook_is_https_signed_and_told_of_something() {
    let key = json!({ "file": "key" });
    for url in ["https://hooks.example.org/a?b=c", "http://127.0.0.1:9/x", "http://[::1]/", "http://localhost/"] {
        assert_eq!(problems(json!({ "url": url, "secret": key })), [], "{url}");
    }
    for (settings, path, words) in [
        (json!({ "url": "http://hooks.example.org/", "secret": key }), "webhook[0].url", "in the clear"),
        (json!({ "url": "ftp://localhost/", "secret": key }), "webhook[0].url", "in the clear"),
        (json!({ "url": "hooks", "secret": key }), "webhook[0].url", "no web address"),
        (json!({ "url": "https://a:b@hooks.example.org/", "secret": key }), "webhook[0].url", "user name"),
        (json!({ "url": "https://h/", "secret": key, "events": [] }), "webhook[0].events", "told of nothing"),
        (json!({ "url": "https://h/", "secret": { "file": "short" } }), "webhook[0].secret", "shorter than 16"),
        (json!({ "url": "https://h/", "secret": { "file": "none" } }), "webhook[0].secret", "cannot be read"),
    ] {
        let found = problems(settings);
        assert!(found.len() == 1 && found[0].path == path && found[0].message.contains(words), "{words}: {found:?}");
    }
}

#[test]
fn an_emergency_is_an_alarm_however_it_went_and_a_request_if_it_was_made() {
    let emergency = |outcome| Event { break_glass: true, ..event(Kind::Issue, outcome) };
    for outcome in [Outcome::Ok, Outcome::Failed, Outcome::Refused] {
        assert_eq!(WebhookEvent::of(&emergency(outcome)), Some(WebhookEvent::BreakGlass));
    }
    assert_eq!(WebhookEvent::of(&event(Kind::Issue, Outcome::Ok)), None);
    assert_eq!(WebhookEvent::of(&event(Kind::RequestMade, Outcome::Ok)), Some(WebhookEvent::RequestMade));
    assert_eq!(WebhookEvent::of(&event(Kind::RequestMade, Outcome::Refused)), None);
    assert_eq!(WebhookEvent::of(&event(Kind::SignIn, Outcome::Ok)), None);
}

#[test]
fn an_alarm_is_called_as_the_event_that_it_follows_from() {
    for one in WebhookEvent::ALL {
        assert_eq!(json!(one), one.as_str());
        assert_eq!(serde_json::from_value::<WebhookEvent>(json!(one.as_str())).unwrap(), one);
        match one.kind() {
            Some(kind) => {
                assert_eq!(json!(kind), one.as_str());
                assert_eq!(WebhookEvent::of(&event(kind, Outcome::Ok)), Some(one));
            }
            None => assert_eq!(one, WebhookEvent::BreakGlass),
        }
    }
}

#[test]
fn two_events_of_one_incident_are_two_deliveries() {
    let alarms = Alarms { webhooks: Vec::new(), portal: "https://gate.example.org".into() };
    let message = |outcome| alarms.message(WebhookEvent::BreakGlass, &Event { break_glass: true, ..event(Kind::Issue, outcome) });
    let (issued, failed) = (message(Outcome::Ok), message(Outcome::Failed));
    assert_eq!(issued.incident, failed.incident);
    assert_ne!(issued.delivery, failed.delivery);
    assert!(issued.delivery.starts_with("ABCDEFGHIJ-") && issued.delivery.len() == 21, "{}", issued.delivery);
}

#[test]
fn what_is_said_is_text_and_no_markup() {
    let alarms = Alarms { webhooks: Vec::new(), portal: "https://gate.example.org".into() };
    let said = "<script>alert(1)</script> & \"more\"";
    let message = alarms.message(
        WebhookEvent::BreakGlass,
        &Event { break_glass: true, stated_reason: Some(said.into()), ..event(Kind::Issue, Outcome::Ok) },
    );
    assert!(!message.body.contains(['<', '>', '&']), "{}", message.body);
    let body: Value = serde_json::from_str(&message.body).unwrap();
    assert_eq!((body["reason"].as_str(), body["event"].as_str()), (Some(said), Some("break_glass")));
    assert_eq!(body["link"], "https://gate.example.org/audit/event/ABCDEFGHIJ");
}

#[tokio::test]
async fn a23_an_emergency_does_not_stand_behind_requests() {
    let (key, seen) = (SecretString::from("0123456789abcdef"), std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap());
    let url = format!("http://{}/", seen.local_addr().unwrap()).parse().unwrap();
    let webhook = Checked { url, secret: key, events: vec![WebhookEvent::BreakGlass, WebhookEvent::RequestMade] };
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap()));
    let alarms = Alarms::start(vec![webhook], &"https://gate.example.org".parse().unwrap(), &clock);
    for _ in 0..QUEUE + 10 {
        alarms.follow(&event(Kind::RequestMade, Outcome::Ok));
    }
    let given_up = alarms.health()[0].given_up;
    assert!(given_up >= 9, "{given_up}");
    alarms.follow(&Event { break_glass: true, ..event(Kind::Issue, Outcome::Ok) });
    assert_eq!(alarms.health()[0].given_up, given_up, "there is room for it");
    // What stands first there is asked for at once, whatever waits in the other queue: two connections, one for each.
    seen.set_nonblocking(true).unwrap();
    let seen = tokio::net::TcpListener::from_std(seen).unwrap();
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let (mut stream, _) = tokio::time::timeout(Duration::from_secs(20), seen.accept()).await.unwrap().unwrap();
        let mut head = vec![0; 4096];
        let read = stream.read(&mut head).await.unwrap();
        let head = String::from_utf8_lossy(&head[..read]).into_owned();
        kinds.push(if head.contains("x-rolegate-event: break_glass") { "emergency" } else { "request" });
    }
    kinds.sort_unstable();
    assert_eq!(kinds, ["emergency", "request"]);
}

#[tokio::test]
async fn a24_a_webhook_that_does_not_answer_holds_up_nobody_and_what_is_given_up_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "0123456789abcdef").unwrap();
    // It listens and never answers.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let settings: WebhookSettings = serde_json::from_value(json!({ "url": url, "secret": { "file": "key" } })).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap()));
    let webhook = settings.load("webhook[0]", folder.path()).ok().unwrap();
    let alarms = Alarms::start(vec![webhook], &"https://gate.example.org".parse().unwrap(), &clock);
    let emergency = Event { break_glass: true, ..event(Kind::Issue, Outcome::Ok) };
    let before = std::time::Instant::now();
    for _ in 0..QUEUE + 10 {
        alarms.follow(&emergency);
    }
    assert!(before.elapsed() < Duration::from_secs(2));
    let health = &alarms.health()[0];
    assert!(health.given_up >= 9 && health.waiting <= QUEUE + 1 && health.sent == 0, "{health:?}");
    let before = std::time::Instant::now();
    alarms.drain(Duration::from_millis(200)).await;
    assert!(before.elapsed() < Duration::from_secs(2));
}
