use proptest::prelude::*;

use super::*;
use crate::audit::{AuditLog, Event, Kind, Outcome};

fn event(incident: &str) -> Event {
    Event::new(chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap(), incident, Kind::Issue, Outcome::Ok)
}

/// A trail of so many events, rotated behind some of them, as the gateway writes it: the texts of its files, the oldest first, and its head.
fn written(events: usize, rotated_after: &[usize]) -> (Vec<String>, Head) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let log = AuditLog::open(&path).unwrap();
    let mut texts = Vec::new();
    for n in 1..=events {
        runtime.block_on(log.record(&event(&format!("incident-{n}")))).unwrap();
        if rotated_after.contains(&n) {
            let moved = folder.path().join(format!("audit.jsonl.{n}"));
            std::fs::rename(&path, &moved).unwrap();
            runtime.block_on(log.reopen()).unwrap();
            texts.push(std::fs::read_to_string(moved).unwrap());
        }
    }
    texts.push(std::fs::read_to_string(&path).unwrap());
    let (_files, paths) = files_of(&texts);
    let head = verify(&paths, Begin::Start, &[], &|_| ()).unwrap().head.unwrap();
    (texts, head)
}

/// Opens a trail that was just closed: its thread ends a moment later.
fn opened(path: &Path) -> AuditLog {
    let opened = (0..500).find_map(|_| AuditLog::open(path).inspect_err(|_| std::thread::sleep(std::time::Duration::from_millis(10))).ok());
    opened.expect("the trail is free in the end")
}

fn files_of(texts: &[impl AsRef<[u8]>]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let write = |(number, text): (usize, &_)| {
        let path = folder.path().join(format!("audit.jsonl.{number}"));
        std::fs::write(&path, AsRef::<[u8]>::as_ref(text)).unwrap();
        path
    };
    let paths = texts.iter().enumerate().map(write).collect();
    (folder, paths)
}

fn judged(texts: &[impl AsRef<[u8]>], from: Begin, expect: &[Head]) -> Verdict {
    let (_folder, paths) = files_of(texts);
    verify(&paths, from, expect, &|_| ()).unwrap()
}

fn words(verdict: &Verdict) -> String {
    let place = |finding: &Finding| {
        let file = finding.file.as_ref().and_then(|file| file.extension()).map(|number| number.to_string_lossy().into_owned());
        format!("{}:{}: {}", file.unwrap_or_default(), finding.line.unwrap_or_default(), finding.what)
    };
    verdict.findings.iter().map(place).collect::<Vec<_>>().join("\n")
}

fn lines_of(text: &str) -> Vec<&str> {
    text.lines().collect()
}

fn text_of(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [*line, "\n"]).collect()
}

#[test]
fn a_trail_over_several_files_is_whole_in_whatever_order_they_are_named() {
    let (texts, head) = written(7, &[2, 5]);
    assert_eq!(texts.len(), 3);
    let verdict = judged(&texts, Begin::Start, &[head]);
    assert!(verdict.is_whole(), "{}", words(&verdict));
    assert_eq!((verdict.chained, verdict.first, verdict.head), (7, Some(1), Some(head)));
    let spans: Vec<_> = verdict.files.iter().map(|file| (file.lines, file.first, file.last)).collect();
    assert_eq!(spans, [(2, Some(1), Some(2)), (3, Some(3), Some(5)), (2, Some(6), Some(7))]);
    let turned: Vec<_> = [2, 0, 1].map(|at: usize| texts[at].clone()).into();
    assert!(judged(&turned, Begin::Start, &[head]).is_whole());
    // A part of it, by what is known of what was before.
    assert!(words(&judged(&texts[1..], Begin::Start, &[head])).starts_with("0:1: the trail begins with the event 3"));
    assert!(judged(&texts[1..], Begin::Anywhere, &[head]).is_whole());
    let first = judged(&texts[..1], Begin::Start, &[]).head.unwrap();
    assert!(judged(&texts[1..], Begin::Head(first), &[head]).is_whole());
    let other = Head { digest: [1; 32], ..first };
    assert!(words(&judged(&texts[1..], Begin::Head(other), &[])).contains("does not follow on the head 2:0101"));
    // A file in between that is gone, and one that is packed.
    assert_eq!(
        words(&judged(&[&texts[0], &texts[2]], Begin::Start, &[])),
        "1:1: the events 3 to 5 are missing before it: taken out, or moved"
    );
}

#[test]
fn what_a_chain_cannot_tell_is_told_by_a_head_that_was_noted() {
    let (texts, head) = written(4, &[]);
    let lines = lines_of(&texts[0]);
    let shorter = [text_of(&lines[..3])];
    assert!(judged(&shorter, Begin::Start, &[]).is_whole(), "nothing in the file tells of a line that is gone at its end");
    assert!(words(&judged(&shorter, Begin::Start, &[head])).contains("the trail ends with 3: what was behind is missing"));
    let changed = [texts[0].replace("incident-4", "incident-x")];
    assert!(judged(&changed, Begin::Start, &[]).is_whole(), "nothing vouches for the last line yet");
    assert!(words(&judged(&changed, Begin::Start, &[head])).starts_with("0:4: it is the event 4, and not the one that was noted"));
    // Somebody writes all of it anew.
    let (mut forged, mut anew) = (Head::default(), Vec::new());
    for n in 1..=4 {
        forged.chain(&serde_json::to_vec(&event(&format!("forged-{n}"))).unwrap(), &mut anew);
    }
    assert!(judged(&[&anew], Begin::Start, &[]).is_whole());
    let early = judged(&[text_of(&lines[..2])], Begin::Start, &[]).head.unwrap();
    assert!(words(&judged(&[&anew], Begin::Start, &[early])).starts_with("0:2: it is the event 2"));
    assert!(judged(&texts, Begin::Start, &[early, head]).is_whole(), "an early head stays good");
    let unknown = Head { seq: 0, ..head };
    assert!(words(&judged(&texts, Begin::Start, &[unknown])).contains("is not in these files"));
}

#[test]
fn lines_of_an_earlier_version_may_stand_before_the_chain_and_not_behind() {
    let old = |n: usize| serde_json::to_string(&event(&format!("old-{n}"))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    std::fs::write(&path, text_of(&[&old(1), &old(2), &old(3)])).unwrap();
    let log = AuditLog::open(&path).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(log.record(&event("new-1"))).unwrap();
    runtime.block_on(log.record(&event("new-2"))).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let verdict = judged(&[&text], Begin::Start, &[]);
    assert!(verdict.is_whole(), "{}", words(&verdict));
    assert_eq!((verdict.before_the_chain, verdict.chained), (3, 2));
    // Older files without a chain are no matter, and the first line vouches for those in its own file.
    assert!(judged(&[text_of(&[&old(0)]), text.clone()], Begin::Start, &[]).is_whole());
    let lines = lines_of(&text);
    for gone in 0..3 {
        let rest: Vec<_> = lines.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, line)| *line).collect();
        let found = words(&judged(&[text_of(&rest)], Begin::Start, &[]));
        assert!(found.contains("what stands before it is not what it was"), "{gone}: {found}");
    }
    let forged = old(9);
    let put_in = [&lines[..4], &[forged.as_str()], &lines[4..]].concat();
    let found = words(&judged(&[text_of(&put_in)], Begin::Start, &[]));
    assert!(
        found.contains("0:5: it has no place in the chain") && found.contains("0:4: it is the event 1, and not what it was"),
        "{found}"
    );
    let at_the_end = [&lines[..], &[forged.as_str()]].concat();
    assert!(words(&judged(&[text_of(&at_the_end)], Begin::Start, &[])).starts_with("0:6: it has no place in the chain"));
    // Nothing is verified where there is no chain.
    assert!(words(&judged(&[text_of(&[&old(1)])], Begin::Start, &[])).contains("no line is in a chain"));
    assert!(!judged(&[""], Begin::Start, &[]).is_whole());
}

#[test]
fn half_lines_of_a_crash_are_no_finding_and_cannot_be_taken_out() {
    let (texts, _) = written(2, &[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    // Twice: the first time amid a line, the second time behind its members of the chain.
    for half in ["{\"seq\":3,\"prev\":\"00", &lines_of(&texts[0])[1][..120]] {
        let before = std::fs::read_to_string(&path).unwrap_or_else(|_| texts[0].clone());
        std::fs::write(&path, before + half).unwrap();
        let verdict = judged(&[std::fs::read(&path).unwrap()], Begin::Start, &[]);
        assert!(verdict.is_whole() && verdict.half_at_the_end, "{}", words(&verdict));
        drop(opened(&path));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(opened(&path).record(&event("after"))).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let verdict = judged(&[&text], Begin::Start, &[]);
    assert!(verdict.is_whole() && !verdict.half_at_the_end, "{}", words(&verdict));
    assert_eq!((verdict.chained, verdict.no_events, verdict.head.unwrap().seq), (3, 2, 3));
    let lines = lines_of(&text);
    for gone in 2..4 {
        let rest: Vec<_> = lines.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, line)| *line).collect();
        assert!(words(&judged(&[text_of(&rest)], Begin::Start, &[])).contains("something behind it was"));
    }
}

/// What somebody may do to one line, or to a byte.
#[derive(Debug, Clone)]
enum Mutation {
    Delete(usize),
    Swap(usize, usize),
    Double(usize, usize),
    Move(usize, usize),
    Byte(usize, u8),
    Insert(usize, String),
}

impl Mutation {
    fn of(&self, text: &str) -> Vec<u8> {
        let mut lines: Vec<_> = text.split_inclusive('\n').map(|line| line.as_bytes().to_vec()).collect();
        let count = lines.len();
        match self {
            Self::Delete(at) => drop(lines.remove(at % count)),
            Self::Swap(one, other) => lines.swap(one % count, other % count),
            Self::Double(at, to) => lines.insert(to % (count + 1), lines[at % count].clone()),
            Self::Move(at, to) => {
                let line = lines.remove(at % count);
                lines.insert(to % count, line);
            }
            Self::Byte(at, byte) => {
                let mut all = lines.concat();
                let length = all.len();
                all[at % length] = *byte;
                return all;
            }
            Self::Insert(at, line) => lines.insert(at % (count + 1), format!("{line}\n").into_bytes()),
        }
        lines.concat()
    }
}

fn mutations() -> impl Strategy<Value = Mutation> {
    let at = || any::<usize>();
    let line = prop_oneof![Just(String::new()), Just("{\"kind\":\"issue\"}".to_owned()), "[ -~]{1,40}"];
    prop_oneof![
        at().prop_map(Mutation::Delete),
        (at(), at()).prop_map(|(one, other)| Mutation::Swap(one, other)),
        (at(), at()).prop_map(|(at, to)| Mutation::Double(at, to)),
        (at(), at()).prop_map(|(at, to)| Mutation::Move(at, to)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
        (at(), line).prop_map(|(at, line)| Mutation::Insert(at, line)),
    ]
}

/// Where lines end without a finding although something was added: behind the last event nothing vouches for the trail yet, and what is no event is
/// what a crash may leave.
fn is_only_rubble_at_the_end(whole: &[String], changed: &[Vec<u8>]) -> bool {
    let (whole, changed) = (whole.concat().into_bytes(), changed.concat());
    let rest = changed.strip_prefix(whole.as_slice());
    rest.is_some_and(|rest| rest.split(|byte| *byte == b'\n').all(|line| !is_event(line)))
        || whole.strip_suffix(b"\n") == Some(changed.as_slice())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn w21_whatever_is_done_to_a_trail_is_found(file in 0_usize..3, mutation in mutations()) {
        static WRITTEN: std::sync::OnceLock<(Vec<String>, Head)> = std::sync::OnceLock::new();
        let (texts, head) = WRITTEN.get_or_init(|| written(9, &[3, 6]));
        let mut changed: Vec<_> = texts.iter().map(|text| text.clone().into_bytes()).collect();
        changed[file] = mutation.of(&texts[file]);
        let is_same = changed.concat() == texts.concat().into_bytes() || is_only_rubble_at_the_end(texts, &changed);
        let verdict = judged(&changed, Begin::Start, &[*head]);
        prop_assert_eq!(verdict.is_whole(), is_same, "{:?}\n{}", mutation, words(&verdict));
        // Without a head all is found but what is done to the last line, and rubble behind it.
        let last_line = texts[2].trim_end().rfind('\n').unwrap();
        // The end of the line before it, too: without that the last two are one, and rubble.
        let is_before = file < 2 || changed[2].get(..last_line) != texts[2].as_bytes().get(..last_line);
        if is_before && !is_same {
            prop_assert!(!judged(&changed, Begin::Start, &[]).is_whole(), "{:?}", mutation);
        }
    }
}

#[test]
fn w21_every_line_and_byte_of_a_small_trail_is_looked_at() {
    let (texts, head) = written(4, &[2]);
    let whole = texts.concat();
    let verdict = |texts: &[Vec<u8>]| judged(texts, Begin::Start, &[head]);
    for (file, text) in texts.iter().enumerate() {
        let with = |changed: Vec<u8>| {
            let mut all: Vec<_> = texts.iter().map(|text| text.clone().into_bytes()).collect();
            all[file] = changed;
            all
        };
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            // The end of the last line is no part of it.
            let is_end = file == 1 && at == text.len() - 1;
            assert!(!verdict(&with(changed)).is_whole() || is_end, "{file}:{at}");
        }
        for line in 0..2 {
            for mutation in [Mutation::Delete(line), Mutation::Swap(0, 1), Mutation::Double(line, 1), Mutation::Double(line, 2)] {
                let all = with(mutation.of(text));
                assert!(!verdict(&all).is_whole(), "{file}:{line} {mutation:?}");
            }
        }
    }
    assert!(verdict(&texts.iter().map(|text| text.clone().into_bytes()).collect::<Vec<_>>()).is_whole() && !whole.is_empty());
}

#[test]
fn a_walk_around_an_event_goes_so_far_and_says_where_it_was() {
    let (texts, head) = written(40, &[20]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let older = folder.path().join("audit.jsonl.1");
    std::fs::write(&older, &texts[0]).unwrap();
    std::fs::write(&path, &texts[1]).unwrap();
    std::fs::File::options().append(true).open(&older).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let number = files(&path).unwrap()[1].number;
    let line = texts[0].find('\n').unwrap() as u64 + 1;
    let place = |line_number: u64| {
        format!("{number}-{}", texts[0].lines().take(usize::try_from(line_number).unwrap()).map(|line| line.len() + 1).sum::<usize>())
    };
    let around = |at: u64, before, most| verify_around(&path, place(at).parse().unwrap(), (before, most), &|| true).unwrap().unwrap();
    let all = around(10, u64::MAX, u64::MAX);
    assert!(all.is_whole() && !all.stopped);
    assert_eq!((all.first, all.head), (Some(1), Some(head)));
    let near = around(10, 3 * line, 6 * line);
    assert!(near.is_whole() && near.stopped, "{}", words(&near));
    assert!(near.first.unwrap() >= 7 && near.first.unwrap() <= 9 && near.head.unwrap().seq < 20, "{near:?}");
    // Lines of an earlier version before it, of which not all are read, are no matter.
    let (old, _) = written(30, &[]);
    let unchained: String = old[0].lines().flat_map(|line| ["{", line.split_once("\",").unwrap().1, "\n"]).collect();
    let upgraded = folder.path().join("upgraded.jsonl");
    std::fs::write(&upgraded, &unchained).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(AuditLog::open(&upgraded).unwrap().record(&event("new"))).unwrap();
    let at_new = Place { file: files(&upgraded).unwrap()[0].number, offset: unchained.len() as u64 };
    let verdict = verify_around(&upgraded, at_new, (3 * line, u64::MAX), &|| true).unwrap().unwrap();
    assert!(verdict.is_whole() && (1..30).contains(&verdict.before_the_chain), "{verdict:?}");
    // A packed file is followed too, and where one cannot be read the walk ends.
    let mut packed =
        flate2::write::GzEncoder::new(std::fs::File::create(folder.path().join("audit.jsonl.0.gz")).unwrap(), flate2::Compression::fast());
    io::Write::write_all(&mut packed, texts[0].as_bytes()).unwrap();
    packed.finish().unwrap().set_modified(std::time::UNIX_EPOCH - std::time::Duration::from_secs(9)).unwrap();
    let of_packed = Place { file: files(&path).unwrap()[2].number, offset: place(10).parse::<Place>().unwrap().offset };
    std::fs::rename(&older, folder.path().join("elsewhere")).unwrap();
    let through = |before| verify_around(&path, of_packed, (before, u64::MAX), &|| true).unwrap().unwrap();
    assert_eq!((through(0).is_whole(), through(0).first, through(u64::MAX).first), (true, Some(11), Some(1)));
    assert_eq!(through(0).head, Some(head));
    std::fs::write(folder.path().join("audit.jsonl.0.zst"), "x").unwrap();
    let until = through(0);
    assert_eq!((until.is_whole(), until.stopped, until.head.unwrap().seq), (true, true, 20));
    std::fs::remove_file(folder.path().join("audit.jsonl.0.zst")).unwrap();
    std::fs::rename(folder.path().join("elsewhere"), &older).unwrap();
    // What was changed is found where it is near enough.
    std::fs::write(&older, texts[0].replace("incident-12\"", "incident-xx\"")).unwrap();
    assert!(!around(10, 3 * line, 6 * line).is_whole());
    assert!(around(18, line, u64::MAX).is_whole());
    assert!(verify_around(&path, "1-0".parse().unwrap(), (0, 1), &|| true).unwrap().is_none());
    let gone = verify_around(&path, place(10).parse().unwrap(), (0, u64::MAX), &|| false);
    assert_eq!(gone.unwrap_err().kind(), io::ErrorKind::Interrupted);
}
