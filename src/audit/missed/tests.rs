use super::super::settings::Require;
use super::super::{AuditLog, Begin, Event, Kind, Outcome, Verdict, verify};
use super::*;

fn event(incident: &str) -> Event {
    Event::new(chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap(), incident, Kind::Issue, Outcome::Ok)
}

/// Records events in files, and closes them. The thread of who had them before ends a moment later.
async fn record(files: &[&Path], events: &[&str]) -> io::Result<()> {
    let open = || AuditLog::of_files(files.iter().map(|path| path.to_path_buf()).collect(), Require::All, AuditLog::DEADLINE);
    let mut log = open();
    for _ in 0..500 {
        if !log.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        log = open();
    }
    let log = log?;
    for incident in events {
        log.record(&event(incident)).await.unwrap();
    }
    Ok(())
}

fn judged(path: &Path, from: Begin) -> Verdict {
    verify(&[path.to_owned()], from, &[], &|_| ()).unwrap()
}

#[tokio::test]
async fn a25_files_that_each_went_on_alone_are_not_joined() {
    for (more_of_a, more_of_b) in [(&["4", "5"][..], &["6"][..]), (&["4"], &["5", "6"]), (&["4"], &["5"])] {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a.jsonl", "b.jsonl"].map(|name| folder.path().join(name));
        record(&[&a, &b], &["1", "2", "3"]).await.unwrap();
        record(&[&a], more_of_a).await.unwrap();
        record(&[&b], more_of_b).await.unwrap();
        let before = [&a, &b].map(|path| std::fs::read(path).unwrap());
        let refused = record(&[&a, &b], &["7"]).await.unwrap_err().to_string();
        assert!(refused.contains("are not one trail") && refused.contains("a.jsonl") && refused.contains("b.jsonl"), "{refused}");
        assert_eq!([&a, &b].map(|path| std::fs::read(path).unwrap()), before, "neither is touched");
        // As it says: the shorter one away, and a new one begins there.
        let shorter = if more_of_a.len() < more_of_b.len() { &a } else { &b };
        std::fs::rename(shorter, folder.path().join("away")).unwrap();
        record(&[&a, &b], &["7"]).await.unwrap();
        assert!(judged(&a, Begin::Anywhere).is_whole() && judged(&b, Begin::Anywhere).is_whole());
    }
}

#[tokio::test]
async fn a_file_that_was_left_out_for_a_while_gets_what_it_missed() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.jsonl", "b.jsonl"].map(|name| folder.path().join(name));
    record(&[&a, &b], &["1", "2"]).await.unwrap();
    record(&[&a], &["3", "4", "5"]).await.unwrap();
    record(&[&a, &b], &["6"]).await.unwrap();
    assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
    assert_eq!(judged(&b, Begin::Start).chained, 6);
}

#[tokio::test]
async fn lines_of_an_earlier_version_are_vouched_for_with_a_second_file_too() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a.jsonl", "b.jsonl"].map(|name| folder.path().join(name));
    std::fs::write(&a, "{\"kind\":\"issue\"}\n{\"kind\":\"sign_in\"}\n").unwrap();
    for files in [[&a, &b], [&b, &a]] {
        record(&files.map(PathBuf::as_path), &["1", "2"]).await.unwrap();
    }
    let (of_a, of_b) = (judged(&a, Begin::Start), judged(&b, Begin::Anywhere));
    assert!(of_a.is_whole() && of_b.is_whole(), "{:?} {:?}", of_a.findings, of_b.findings);
    assert_eq!((of_a.chained, of_b.chained), (4, 4));
}

#[test]
fn a_line_is_found_by_halving_and_never_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let (mut head, mut lines, mut begins) = (Head::default(), b"{\"kind\":\"of an earlier version\"}\n".to_vec(), Vec::new());
    for n in 0..4000 {
        begins.push(lines.len() as u64);
        head.chain(format!("{{\"text\":\"{}\"}}", "x".repeat(n % 700)).as_bytes(), &mut lines);
        if n % 100 == 0 {
            lines.extend_from_slice(b"half a li\n");
        }
    }
    std::fs::write(&path, &lines).unwrap();
    for (n, begin) in begins.iter().enumerate().step_by(37).chain([(3999, &begins[3999])]) {
        let found = near(&path, n as u64 + 1).unwrap();
        assert!(found <= *begin && begin - found <= NEAR + 2000, "{n}: {found} of {begin}");
    }
    assert!(near(&path, 9000).unwrap() <= begins[3999]);
    // What is beside the halves is not lost: a file whose lines are in no order is read from its beginning.
    let mut text: Vec<&[u8]> = lines.split_inclusive(|byte| *byte == b'\n').collect();
    text.reverse();
    std::fs::write(&path, text.concat()).unwrap();
    near(&path, 2000).unwrap();
    std::fs::write(&path, "").unwrap();
    assert_eq!(near(&path, 1).unwrap(), 0);
}
