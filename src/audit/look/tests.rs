use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::*;

const ALL: Reach<'static> = Reach { bytes: u64::MAX, is_wanted: &|| true };

fn at(seconds: i64) -> Moment {
    Moment::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn line(seconds: i64, user: &str) -> String {
    let person = json!({ "provider": "okta", "subject": format!("00{user}"), "username": format!("{user}@example.org") });
    let event = json!({ "time": at(seconds), "incident": format!("I{seconds}"), "kind": "issue", "outcome": "ok", "person": person,
        "role": "arn:aws:iam::111122223333:role/Dev", "account": "111122223333", "rules": ["devs", "all"], "access_key_id": format!("ASIA{seconds}"),
        "session_name": format!("{user}@example.org"), "source_identity": format!("okta+00{user}") });
    format!("{event}\n")
}

fn trail(lines: &[String]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    std::fs::write(&path, lines.concat()).unwrap();
    (folder, path)
}

/// The incidents that a look finds, at most so many, and how far it came.
fn found(path: &Path, from: Option<Place>, query: &Query, budget: u64, most: usize) -> (Vec<String>, Looked) {
    let mut all = Vec::new();
    let looked = look(path, from, query, Reach { bytes: budget, is_wanted: &|| true }, |found| {
        all.push(found.text("incident").to_owned());
        if all.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (all, looked.unwrap())
}

#[test]
fn the_newest_is_found_first_and_each_page_goes_on_where_the_last_one_ended() {
    let lines: Vec<_> = (0..3000).map(|n| line(n, "ana")).collect();
    let (_folder, path) = trail(&lines);
    let (mut from, mut all) = (None, Vec::new());
    loop {
        let (page, looked) = found(&path, from, &Query::default(), u64::MAX, 700);
        all.extend(page);
        from = looked.next;
        if from.is_none() {
            break;
        }
        assert_eq!(from.unwrap().to_string().parse(), Ok(from.unwrap()));
    }
    let expected: Vec<_> = (0..3000).rev().map(|n| format!("I{n}")).collect();
    assert_eq!(all, expected);
}

#[test]
fn a_look_reads_no_more_than_it_may_and_says_where_it_stopped() {
    let lines: Vec<_> = (0..3000).map(|n| line(n, "ana")).collect();
    let (_folder, path) = trail(&lines);
    let nobody = Query { person: Some("nobody".into()), ..Query::default() };
    let (none, looked) = found(&path, None, &nobody, 200_000, 10);
    assert!(none.is_empty() && looked.bytes >= 200_000 && looked.bytes < 300_000, "{looked:?}");
    assert!(looked.oldest.unwrap() > at(2000));
    let (rest, looked) = found(&path, looked.next, &Query::default(), u64::MAX, 1);
    assert_eq!(rest.len(), 1);
    assert!(looked.oldest.unwrap() > at(2000) && looked.bytes <= BLOCK);
}

#[test]
fn a_moment_is_found_without_reading_what_is_later() {
    let lines: Vec<_> = (0..20_000).map(|n| line(n * 60, "ana")).collect();
    let (_folder, path) = trail(&lines);
    for until in [1, 700, 12_345, 19_999, 30_000] {
        let query = Query { until: Some(at(until * 60)), since: Some(at((until - 3) * 60)), ..Query::default() };
        let (all, looked) = found(&path, None, &query, u64::MAX, usize::MAX);
        let expected: Vec<_> = (until - 3..until).rev().filter(|n| (0..20_000).contains(n)).map(|n| format!("I{}", n * 60)).collect();
        assert_eq!(all, expected, "{until}");
        assert!(looked.bytes <= 3 * BLOCK && looked.next.is_none(), "{until}: {looked:?}");
    }
}

#[test]
fn rotated_files_are_read_on_and_what_cannot_be_unpacked_is_counted() {
    let (folder, path) = trail(&[]);
    std::fs::write(folder.path().join("audit.jsonl.1"), [line(20, "ana"), line(21, "ben")].concat()).unwrap();
    std::fs::write(&path, [line(30, "ana"), line(31, "ben")].concat()).unwrap();
    std::fs::write(folder.path().join("audit.jsonl.2.gz"), "x").unwrap();
    std::fs::write(folder.path().join("audit.jsonl.3.zst"), "x").unwrap();
    std::fs::write(folder.path().join("audit.jsonlike"), line(1, "mallory")).unwrap();
    std::fs::write(folder.path().join("other.jsonl"), line(1, "mallory")).unwrap();
    let (all, looked) = found(&path, None, &Query::default(), u64::MAX, usize::MAX);
    assert_eq!(all, ["I31", "I30", "I21", "I20"]);
    assert_eq!((looked.unread, looked.unreadable), (2, 0));
    let (_, looked) = found(&path, None, &Query::default(), u64::MAX, 1);
    // A rotation in between changes nothing.
    std::fs::rename(&path, folder.path().join("audit.jsonl.0")).unwrap();
    std::fs::write(&path, line(40, "ana")).unwrap();
    let (rest, _) = found(&path, looked.next, &Query::default(), u64::MAX, usize::MAX);
    assert_eq!(rest, ["I30", "I21", "I20"]);
    let gone = Some(Place { file: 1, offset: 0 });
    assert_eq!(look(&path, gone, &Query::default(), ALL, |_| ControlFlow::Continue(())).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn half_a_line_at_the_end_is_not_there_yet_and_one_in_between_is_counted() {
    let (_folder, path) = trail(&[line(1, "ana"), "{\"time\":\"20".into(), "\n".into(), line(2, "ben"), "{\"time\":".into()]);
    let (all, looked) = found(&path, None, &Query::default(), u64::MAX, usize::MAX);
    assert_eq!((all, looked.unreadable), (vec!["I2".to_owned(), "I1".to_owned()], 1));
    let (empty_folder, empty) = trail(&[]);
    assert!(found(&empty, None, &Query::default(), u64::MAX, 1).0.is_empty());
    drop(empty_folder);
    let (_folder, long) = trail(&[line(1, "ana"), line(2, &"x".repeat(500_000)), line(3, "ben")]);
    assert_eq!(found(&long, None, &Query::default(), u64::MAX, 9).0, ["I3", "I2", "I1"]);
}

#[test]
fn each_thing_that_is_looked_for_counts() {
    let other = line(5, "ben").replace("\"ok\"", "\"refused\"").replace("111122223333", "444455556666").replace("\"devs\"", "\"ops\"");
    let (_folder, path) = trail(&[line(1, "ana"), other]);
    let query = |change: fn(&mut Query)| {
        let mut query = Query::default();
        change(&mut query);
        found(&path, None, &query, u64::MAX, 9).0
    };
    assert_eq!(query(|q| q.person = Some("ANA@".into())), ["I1"]);
    assert_eq!(query(|q| q.person = Some("okta+00ben".into())), ["I5"]);
    assert_eq!(query(|q| q.account = Some("444455556666".into())), ["I5"]);
    assert_eq!(query(|q| q.role = Some("role/dev".into())), ["I5", "I1"]);
    assert_eq!(query(|q| q.rule = Some("devs".into())), ["I1"]);
    assert_eq!(query(|q| q.id = Some("ASIA5".into())), ["I5"]);
    assert_eq!(query(|q| q.id = Some("okta+00ana".into())), ["I1"]);
    assert_eq!(query(|q| q.id = Some("I1".into())), ["I1"]);
    assert_eq!(query(|q| q.outcome = Some("refused".into())), ["I5"]);
    assert!(query(|q| q.kind = Some("sign_in".into())).is_empty());
    assert_eq!(query(|q| q.since = Some(at(2))), ["I5"]);
    assert_eq!(query(|q| q.until = Some(at(5))), ["I1"]);
}

#[test]
fn a_place_leads_to_its_event_and_to_nothing_between_two() {
    let (_folder, path) = trail(&[line(1, "ana"), line(2, "ben")]);
    let mut places = Vec::new();
    look(&path, None, &Query::default(), ALL, |found| {
        places.push(found.place);
        ControlFlow::Continue(())
    })
    .unwrap();
    let incident = |place| event_at(&path, place, ALL).unwrap().map(|found| found.text("incident").to_owned());
    assert_eq!(places.iter().map(|place| incident(*place)).collect::<Vec<_>>(), [Some("I2".to_owned()), Some("I1".to_owned())]);
    let first = places[1];
    for offset in [1, places[0].offset + 1, 1_000_000] {
        assert_eq!(incident(Place { offset, ..first }), None);
    }
}

#[test]
fn w20_a_look_that_nobody_waits_for_stops_at_the_next_block() {
    let lines: Vec<_> = (0..3000).map(|n| line(n, "ana")).collect();
    let (_folder, path) = trail(&lines);
    let asked = std::cell::Cell::new(0);
    let is_wanted = || {
        asked.set(asked.get() + 1);
        asked.get() < 3
    };
    let mut seen = 0;
    let stopped = look(&path, None, &Query::default(), Reach { bytes: u64::MAX, is_wanted: &is_wanted }, |_| {
        seen += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(stopped.unwrap_err().kind(), io::ErrorKind::Interrupted);
    assert!(asked.get() == 3 && seen > 0 && seen < 1000, "{seen}");
}

#[test]
fn w20_moments_at_the_end_of_time_are_looked_for_and_end_nothing() {
    let (_folder, path) = trail(&[line(0, "ana")]);
    let query = Query { until: Some(Moment::MAX_UTC), since: Some(Moment::MIN_UTC), ..Query::default() };
    assert_eq!(found(&path, None, &query, u64::MAX, 10).0, ["I0"]);
    let query = Query { since: Some(Moment::MAX_UTC), ..Query::default() };
    assert!(found(&path, None, &query, u64::MAX, 10).0.is_empty());
}

/// A packed file beside a trail, last written to so many seconds after the first event.
fn packed(path: &Path, name: &str, text: &str, seconds: u64) {
    let file = File::create(path.with_file_name(name)).unwrap();
    let mut encoder = GzEncoder::new(&file, Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)).unwrap();
}

#[test]
fn packed_files_are_looked_into_as_others_are() {
    let (_folder, path) = trail(&[line(5000, "ana"), line(5001, "ben")]);
    packed(&path, "audit.jsonl.2.gz", &[line(20, "ana"), line(21, "ben")].concat(), 21);
    packed(&path, "audit.jsonl.1.gz", &[line(3000, "ana"), line(3001, "ben")].concat(), 3001);
    let (all, looked) = found(&path, None, &Query::default(), u64::MAX, usize::MAX);
    assert_eq!((all.join(" ").as_str(), looked.unread), ("I5001 I5000 I3001 I3000 I21 I20", 0));
    // Page by page, through places in packed files.
    let (mut from, mut pages) = (None, Vec::new());
    while pages.is_empty() || from.is_some() {
        let (page, looked) = found(&path, from, &Query { person: Some("ben".into()), ..Query::default() }, u64::MAX, 1);
        pages.extend(page);
        from = looked.next;
    }
    assert_eq!(pages, ["I5001", "I3001", "I21"]);
    let mut places = Vec::new();
    look(&path, None, &Query { until: Some(at(100)), ..Query::default() }, ALL, |found| {
        places.push(found.place);
        ControlFlow::Continue(())
    })
    .unwrap();
    let incidents: Vec<_> = places.iter().map(|place| event_at(&path, *place, ALL).unwrap().unwrap().text("incident").to_owned()).collect();
    assert_eq!(incidents, ["I21", "I20"]);
    // What is older than what is looked for is not unpacked: the oldest one is damaged, and nobody learns of it.
    std::fs::write(path.with_file_name("audit.jsonl.2.gz"), "x").unwrap();
    let old = File::options().write(true).open(path.with_file_name("audit.jsonl.2.gz")).unwrap();
    old.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_800_000_021)).unwrap();
    let (all, looked) = found(&path, None, &Query { since: Some(at(2999)), ..Query::default() }, u64::MAX, usize::MAX);
    assert_eq!((all.len(), looked.unread), (4, 0));
    assert_eq!(found(&path, None, &Query::default(), u64::MAX, usize::MAX).1.unread, 1);
}

#[test]
fn w20_a_look_unpacks_so_much_and_goes_on_from_there() {
    let (_folder, path) = trail(&[line(50_000, "ana")]);
    let text: String = (0..300).map(|n| line(n, "ana")).collect();
    packed(&path, "audit.jsonl.2.gz", &text, 300);
    packed(&path, "audit.jsonl.1.gz", &text, 1000);
    // Room for one and a half.
    let budget = text.len() as u64 * 3 / 2 / UNPACKED;
    let nobody = Query { person: Some("nobody".into()), ..Query::default() };
    let (_, first) = found(&path, None, &nobody, budget, usize::MAX);
    let place = first.next.expect("there is more");
    let (all, looked) = found(&path, Some(Place { offset: u64::MAX, ..place }), &Query::default(), u64::MAX, usize::MAX);
    assert!(all.len() >= 300 && looked.unread == 0);
    // Too large for any look of this size: passed over, and said.
    let (_, looked) = found(&path, None, &nobody, budget / 2, usize::MAX);
    assert_eq!((looked.unread, looked.next), (2, None));
    // A file that is small when it is packed.
    packed(&path, "audit.jsonl.1.gz", &"x".repeat(50_000_000), 1000);
    assert!(path.with_file_name("audit.jsonl.1.gz").metadata().unwrap().len() < 1_000_000);
    assert_eq!(found(&path, None, &nobody, 1_000_000, usize::MAX).1.unread, 1);
    let stopped = look(&path, None, &nobody, Reach { bytes: u64::MAX, is_wanted: &|| false }, |_| ControlFlow::Continue(()));
    assert_eq!(stopped.unwrap_err().kind(), io::ErrorKind::Interrupted);
}
