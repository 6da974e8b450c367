use std::sync::atomic::AtomicU8;
use std::time::Instant;

use super::super::{Begin, Kind, Outcome, Verdict, verify};
use super::*;

mod streams;

const OK: u8 = 0;
const FAILS: u8 = 1;
const HANGS: u8 = 2;

/// A disk that does as it is told: its flush fails, or lasts until it is told otherwise.
#[derive(Clone, Default)]
struct Disk(Arc<AtomicU8>);

impl Disk {
    fn is(&self, state: u8) {
        self.0.store(state, Ordering::SeqCst);
    }

    fn sink(&self, path: &Path) -> FileSink {
        self.sink_with(path, Half::Cut)
    }

    fn sink_with(&self, path: &Path, half: Half) -> FileSink {
        let state = Arc::clone(&self.0);
        FileSink::open(path.to_owned(), half).unwrap().flushed_by(Box::new(move |file| {
            while state.load(Ordering::SeqCst) == HANGS {
                std::thread::sleep(Duration::from_millis(2));
            }
            if state.load(Ordering::SeqCst) == FAILS { Err(io::Error::other("the disk fails")) } else { file.sync_data() }
        }))
    }
}

fn event(incident: &str) -> Event {
    Event::new(chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap(), incident, Kind::Issue, Outcome::Ok)
}

fn whole(path: &Path) -> Verdict {
    let verdict = verify(&[path.to_owned()], Begin::Start, &[], &|_| ()).unwrap();
    assert!(verdict.is_whole(), "{:?}", verdict.findings);
    verdict
}

/// Two files, their disks, and the trail in both.
struct Pair {
    _folder: tempfile::TempDir,
    paths: [PathBuf; 2],
    disks: [Disk; 2],
    log: AuditLog,
}

impl Pair {
    fn new(require: Require) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a.jsonl", "b.jsonl"].map(|name| folder.path().join(name));
        let disks = [Disk::default(), Disk::default()];
        let sinks = disks.iter().zip(&paths).map(|(disk, path)| Box::new(disk.sink(path)) as Box<dyn Sink>).collect();
        let several = Several::start(sinks, require, Duration::from_secs(1)).unwrap();
        let log = AuditLog::start(&paths[0], Writer::Several(several), require, Duration::from_secs(20)).unwrap();
        Self { _folder: folder, paths, disks, log }
    }

    async fn record(&self, incident: &str) -> bool {
        self.log.record(&event(incident)).await.is_ok()
    }

    /// Until both have all, which must be the same.
    async fn same(&self) -> Verdict {
        for _ in 0..500 {
            self.log.catch_up().await;
            if self.log.behind() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(self.log.behind(), 0);
        let [a, b] = self.paths.each_ref().map(|path| std::fs::read(path).unwrap());
        assert_eq!(String::from_utf8_lossy(&a), String::from_utf8_lossy(&b));
        whole(&self.paths[0])
    }
}

#[tokio::test]
async fn a_disk_that_fails_to_flush_leaves_nothing_and_the_next_event_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let (path, disk) = (folder.path().join("audit.jsonl"), Disk::default());
    let log = AuditLog::start(&path, Writer::One(disk.sink_with(&path, Half::Keep)), Require::All, AuditLog::DEADLINE).unwrap();
    log.record(&event("1")).await.unwrap();
    disk.is(FAILS);
    for _ in 0..3 {
        log.record(&event("2")).await.unwrap_err();
        assert!(!log.is_healthy());
    }
    disk.is(OK);
    log.record(&event("3")).await.unwrap();
    assert!(log.is_healthy() && log.behind() == 0);
    assert_eq!(whole(&path).chained, 2);
    // What is counted is what is in the file.
    assert_eq!((log.counts(), log.missed()), (vec![((&event("1")).into(), 2)], 3));
}

#[tokio::test]
async fn a25_a_disk_that_hangs_lets_nothing_out_and_is_not_waited_for_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let (path, disk) = (folder.path().join("audit.jsonl"), Disk::default());
    let deadline = Duration::from_millis(100);
    let log = AuditLog::start(&path, Writer::One(disk.sink_with(&path, Half::Keep)), Require::All, deadline).unwrap();
    disk.is(HANGS);
    let begin = Instant::now();
    let (one, other) = tokio::join!(async { log.record(&event("1")).await }, async { log.record(&event("2")).await });
    assert!(begin.elapsed() >= deadline && begin.elapsed() < Duration::from_secs(5));
    for error in [one.unwrap_err(), other.unwrap_err()] {
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("does not answer within 100ms"), "{error:?}");
    }
    assert!(!log.is_healthy());
    disk.is(OK);
    for _ in 0..100 {
        if log.record(&event("3")).await.is_ok() {
            break;
        }
    }
    // What was given up may be there: an event too many is no harm.
    assert!(whole(&path).chained >= 3);
}

#[tokio::test]
async fn with_a_second_healthy_file_it_goes_on_and_afterwards_there_is_no_gap() {
    for failing in 0..2 {
        let pair = Pair::new(Require::Any);
        assert!(pair.record("1").await && pair.log.take_news().is_none());
        pair.disks[failing].is(FAILS);
        for n in 2..20 {
            assert!(pair.record(&n.to_string()).await, "{n}");
        }
        assert_eq!(pair.log.behind(), 1);
        let news = pair.log.take_news().unwrap();
        assert!(news.ends_with("the disk fails") && pair.log.take_news().is_none(), "{news}");
        pair.disks[failing].is(OK);
        assert!(pair.record("20").await);
        assert_eq!(pair.same().await.chained, 20);
    }
}

#[tokio::test]
async fn where_all_must_have_it_one_that_fails_lets_nothing_out() {
    let pair = Pair::new(Require::All);
    assert!(pair.record("1").await);
    pair.disks[1].is(FAILS);
    assert!(!pair.record("2").await && !pair.record("3").await);
    pair.disks[1].is(OK);
    assert!(pair.record("4").await);
    // The healthy file has had them all, and the other one has them now.
    assert_eq!(pair.same().await.chained, 4);
    // Both: nothing is there of what failed.
    pair.disks.iter().for_each(|disk| disk.is(FAILS));
    assert!(!pair.record("5").await);
    pair.disks.iter().for_each(|disk| disk.is(OK));
    assert!(pair.record("6").await);
    assert_eq!(pair.same().await.chained, 5);
}

#[tokio::test]
async fn a25_a_file_that_hangs_holds_up_the_other_once_and_has_all_in_the_end() {
    let pair = Pair::new(Require::Any);
    assert!(pair.record("1").await);
    pair.disks[0].is(HANGS);
    assert!(pair.record("2").await);
    let begin = Instant::now();
    for n in 3..30 {
        assert!(pair.record(&n.to_string()).await);
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "each waited for it: {:?}", begin.elapsed());
    assert_eq!(pair.log.behind(), 1);
    pair.disks[0].is(OK);
    assert_eq!(pair.same().await.chained, 29);
    // The hanging one had the lines that nobody else could take: they come first everywhere.
    pair.disks[0].is(HANGS);
    pair.disks[1].is(FAILS);
    assert!(!pair.record("30").await);
    pair.disks[1].is(OK);
    assert!(pair.record("31").await);
    pair.disks[0].is(OK);
    assert_eq!(pair.same().await.chained, 31);
}

#[tokio::test]
async fn a_file_has_what_it_missed_over_restarts_and_rotations() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a.jsonl", "b.jsonl"].map(|name| folder.path().join(name));
    let opened = async |files: &[PathBuf]| {
        for _ in 0..500 {
            match AuditLog::of_files(files.to_vec(), Require::Any, AuditLog::DEADLINE) {
                Ok(log) => return log,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        panic!("the trail is not free")
    };
    let log = opened(&paths).await;
    log.record(&event("1")).await.unwrap();
    drop(log);
    // Without the second one, as after its disk was taken out of the configuration; and with a crash that left half a line in it.
    let log = opened(&paths[..1]).await;
    log.record(&event("2")).await.unwrap();
    std::fs::rename(&paths[0], folder.path().join("a.jsonl.1")).unwrap();
    log.reopen().await.unwrap();
    log.record(&event("3")).await.unwrap();
    drop(log);
    let mut second = std::fs::read(&paths[1]).unwrap();
    second.extend_from_slice(b"{\"seq\":2,\"pr");
    std::fs::write(&paths[1], second).unwrap();
    let log = opened(&paths).await;
    log.record(&event("4")).await.unwrap();
    assert_eq!(whole(&paths[1]).chained, 4);
    // A new file begins where the others are.
    drop(log);
    let third = folder.path().join("c.jsonl");
    let log = opened(&[&paths[..], std::slice::from_ref(&third)].concat()).await;
    log.record(&event("5")).await.unwrap();
    let begun = verify(&[third], Begin::Anywhere, &[], &|_| ()).unwrap();
    assert_eq!((begun.first, begun.is_whole(), whole(&paths[1]).chained), (Some(5), true, 5));
}

/// A failed write whose rest could not be cut off, as on a disk that is failing: whole lines of it, and half a one.
#[test]
fn what_a_failed_write_left_behind_stays_and_the_chain_goes_on_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut sink = FileSink::open(path.clone(), Half::Keep).unwrap();
    let mut lines = Vec::new();
    let mut head = Head::default();
    head.chain(br#"{"incident":"1"}"#, &mut lines);
    sink.append(&lines, head).unwrap();
    let (mut unknown, mut left) = (head, Vec::new());
    unknown.chain(br#"{"incident":"2"}"#, &mut left);
    left.extend_from_slice(b"{\"seq\":3,");
    sink.tear(&left);
    let mut writer = Writer::One(sink);
    writer.write(&[br#"{"incident":"3"}"#.to_vec()]).unwrap();
    writer.write(&[br#"{"incident":"4"}"#.to_vec()]).unwrap();
    let verdict = whole(&path);
    assert_eq!((verdict.chained, verdict.no_events, verdict.head), (4, 1, Some(writer.head())));
}
