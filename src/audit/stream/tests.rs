use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::super::SinkSettings;
use super::*;

fn lines(head: &mut Head, count: usize, length: usize) -> Vec<u8> {
    let mut lines = Vec::new();
    for _ in 0..count {
        head.chain(json!({ "text": "x".repeat(length) }).to_string().as_bytes(), &mut lines);
    }
    lines
}

#[test]
fn many_lines_are_sent_in_pieces_and_one_that_fails_is_sent_again_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let trail = folder.path().join("audit.jsonl");
    let (mut after, pieces) = (Head::default(), Arc::new(Mutex::new(Vec::new())));
    let text = lines(&mut after, 30, 100_000);
    let (seen, mut calls) = (Arc::clone(&pieces), 0);
    let medium = move |piece: &[u8]| {
        calls += 1;
        if calls == 2 {
            return Err(io::Error::other("it fails"));
        }
        seen.lock().unwrap().push(piece.to_vec());
        Ok(())
    };
    let mut stream = Stream::with(medium, &trail).unwrap();
    assert!(stream.is_new());
    assert!(stream.append(&text, after).is_err() && stream.is_torn() && !stream.is_new());
    let first = pieces.lock().unwrap()[0].len();
    assert!(first <= MOST && first > MOST - 200_000 && text[first - 1] == b'\n');
    let had = stream.head();
    assert!(had.seq > 0 && had.seq < after.seq && Some(had) == head_of(&text[..first]));
    stream.append(&text[first..], after).unwrap();
    assert!(!stream.is_torn() && stream.head() == after);
    assert_eq!(pieces.lock().unwrap().concat(), text);
    // And it is where it was.
    drop(stream);
    let stream = Stream::with(|_| Ok(()), &trail).unwrap();
    assert!(stream.head() == after && !stream.is_new());
}

#[test]
fn who_fails_slowly_is_not_tried_all_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut after = Head::default();
    let text = lines(&mut after, 1, 10);
    for (lasts, is_tried) in [(Duration::ZERO, true), (Duration::from_millis(200), false)] {
        let medium = move |_: &[u8]| {
            std::thread::sleep(lasts);
            Err(io::Error::other("it fails"))
        };
        let mut stream = Stream::with(medium, &folder.path().join(format!("{is_tried}.jsonl"))).unwrap();
        stream.mend().unwrap();
        stream.append(&text, after).unwrap_err();
        assert_eq!(stream.mend().map_err(|error| error.to_string()), if is_tried { Ok(()) } else { Err("it fails".to_owned()) });
        assert!(stream.rest.until <= Instant::now() + LONGEST_REST);
    }
}

#[test]
fn a_line_longer_than_a_piece_is_sent_alone() {
    let mut head = Head::default();
    let long = lines(&mut head, 1, 100);
    let text = [b"{}\n".as_slice(), &long, b"{}\n{}\n"].concat();
    assert_eq!(first_lines(&text, 50), 3);
    assert_eq!(first_lines(&text[3..], 50), long.len());
    assert_eq!(first_lines(&text[3 + long.len()..], 50), 6);
    assert_eq!(first_lines(b"half", 2), 4);
}

fn target(settings: Value, base: &Path) -> Result<Option<Target>, String> {
    let settings: SinkSettings = serde_json::from_value(settings).unwrap();
    settings.target("audit.sink[0]", base).map_err(|problems| {
        let [problem] = &problems[..] else { panic!("{problems:?}") };
        problem.to_string()
    })
}

#[test]
fn a_sink_says_where_its_lines_go() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "hush\n").unwrap();
    std::fs::write(folder.path().join("odd"), "hu\u{1}sh\n").unwrap();
    std::fs::write(folder.path().join("ca.pem"), authority()).unwrap();
    std::fs::write(folder.path().join("empty.pem"), "nothing\n").unwrap();
    let secret = |name: &str| json!({ "file": name });
    let name = |settings: Value| target(settings, folder.path()).unwrap().map(|target| target.name());
    assert_eq!(name(json!({ "file": "b.jsonl" })), None);
    for (settings, called) in [
        (json!({ "stdout": true }), "stdout"),
        (json!({ "syslog": "tcp://logs.example.org:514" }), "syslog tcp://logs.example.org:514"),
        (json!({ "syslog": "tcp://[::1]:514/" }), "syslog tcp://[::1]:514"),
        (json!({ "syslog": "tls://logs.example.org:6514", "ca_file": "ca.pem" }), "syslog tls://logs.example.org:6514"),
        (json!({ "syslog": "tls://192.0.2.1:6514", "ca_file": "ca.pem" }), "syslog tls://192.0.2.1:6514"),
        (json!({ "syslog": "unix:/dev/log" }), "syslog unix:/dev/log"),
        (json!({ "syslog": "unix:///dev/log" }), "syslog unix:/dev/log"),
        (json!({ "webhook": "https://h.example/secret?key=secret", "token": secret("token") }), "webhook https://h.example"),
        (json!({ "webhook": "https://h.example:8088/", "ca_file": "ca.pem" }), "webhook https://h.example:8088"),
        (json!({ "webhook": "http://127.0.0.1:9/x" }), "webhook http://127.0.0.1:9"),
    ] {
        assert_eq!(name(settings), Some(called.to_owned()));
    }
    for (settings, words) in [
        (json!({}), "audit.sink[0]: it does not say where"),
        (json!({ "stdout": false }), "audit.sink[0]: it does not say where"),
        (json!({ "file": "a", "stdout": true }), "audit.sink[0].stdout: one sink goes to one place"),
        (json!({ "syslog": "tcp://h:1", "webhook": "https://h/" }), "audit.sink[0].webhook: one sink"),
        (json!({ "syslog": "udp://h:514" }), "audit.sink[0].syslog: this is no address"),
        (json!({ "syslog": "tcp://h" }), "audit.sink[0].syslog: this is no address"),
        (json!({ "syslog": "tcp://u:p@h:1" }), "audit.sink[0].syslog: this is no address"),
        (json!({ "syslog": "tcp://h:1/x" }), "audit.sink[0].syslog: this is no address"),
        (json!({ "syslog": "tcp://h:1?x" }), "audit.sink[0].syslog: this is no address"),
        (json!({ "syslog": "unix:dev/log" }), "audit.sink[0].syslog: the path"),
        (json!({ "syslog": "tcp://h:1", "ca_file": "ca.pem" }), "audit.sink[0].ca_file: nothing has use"),
        (json!({ "syslog": "tls://h:1", "ca_file": "none.pem" }), "cannot be read"),
        (json!({ "syslog": "tls://h:1", "ca_file": "empty.pem" }), "audit.sink[0].ca_file: "),
        (json!({ "syslog": "tcp://h:1", "token": secret("token") }), "audit.sink[0].token: nothing but a webhook"),
        (json!({ "stdout": true, "token": secret("token") }), "audit.sink[0].token: nothing but a webhook"),
        (json!({ "webhook": "http://h/" }), "audit.sink[0].webhook: the audit trail would travel in the clear"),
        (json!({ "webhook": "https://u:p@h/" }), "audit.sink[0].webhook: a user name"),
        (json!({ "webhook": "h" }), "audit.sink[0].webhook: this is no web address"),
        (json!({ "webhook": "https://h/", "token": secret("none") }), "audit.sink[0].token: the file"),
        (json!({ "webhook": "https://h/", "token": secret("odd") }), "audit.sink[0].token: it has characters"),
        (json!({ "webhook": "http://127.0.0.1/", "ca_file": "ca.pem" }), "audit.sink[0].ca_file: nothing has use"),
    ] {
        let told = target(settings.clone(), folder.path()).err().unwrap_or_default();
        assert!(told.contains(words) && !told.contains("hush") && !told.contains("hu\u{1}sh"), "{settings}: {told}");
    }
}

fn authority() -> String {
    let made = rcgen::generate_simple_self_signed(["authority".to_owned()]).unwrap();
    let text = data_encoding::BASE64.encode(made.cert.der());
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

#[test]
fn streams_of_different_addresses_are_different() {
    let base = Path::new(".");
    let identity = |url: &str| target(json!({ "webhook": url }), base).unwrap().unwrap().identity();
    assert_ne!(identity("https://h/a?b"), identity("https://h/a?c"));
    let (one, other) = (identity("https://h/a"), identity("https://h/b"));
    let names = [one, other].map(|identity| position_of(Path::new("/t/audit.jsonl"), &identity));
    assert_ne!(names[0], names[1]);
    assert!(names[0].to_string_lossy().starts_with("/t/.audit_jsonl.webhook-"), "{names:?}");
}
