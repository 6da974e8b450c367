//! A trail in a file and a stream.

use super::super::super::kept::Kept;
use super::*;

/// A receiver that does as it is told, and keeps what it took.
#[derive(Clone, Default)]
struct Receiver {
    disk: Disk,
    took: Arc<Mutex<Vec<u8>>>,
}

impl Receiver {
    fn stream(&self, trail: &Path) -> Stream {
        let Self { disk, took } = self.clone();
        let medium = move |lines: &[u8]| {
            while disk.0.load(Ordering::SeqCst) == HANGS {
                std::thread::sleep(Duration::from_millis(2));
            }
            if disk.0.load(Ordering::SeqCst) == FAILS {
                return Err(io::Error::other("the receiver fails"));
            }
            took.lock().unwrap().extend_from_slice(lines);
            Ok(())
        };
        Stream::with(medium, trail).unwrap()
    }

    /// The numbers of the lines that it took.
    fn numbers(&self) -> Vec<u64> {
        let took = self.took.lock().unwrap();
        let number = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap();
        String::from_utf8_lossy(&took).lines().map(number).collect()
    }

    fn text(&self) -> String {
        String::from_utf8(self.took.lock().unwrap().clone()).unwrap()
    }
}

/// A file, and a stream beside it.
struct Streamed {
    folder: tempfile::TempDir,
    disk: Disk,
    receiver: Receiver,
    log: AuditLog,
}

impl Streamed {
    fn new(require: Require) -> Self {
        Self::keeping(require, Kept::new())
    }

    fn keeping(require: Require, kept: Kept) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (disk, receiver) = (Disk::default(), Receiver::default());
        let log = Self::open(folder.path(), &disk, &receiver, require, kept);
        Self { folder, disk, receiver, log }
    }

    fn open(folder: &Path, disk: &Disk, receiver: &Receiver, require: Require, kept: Kept) -> AuditLog {
        let path = folder.join("audit.jsonl");
        let mut tries = 0..500;
        // The thread of who had the file before ends a moment later.
        while tries.next().is_some() && FileSink::open(path.clone(), Half::Cut).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let sinks: Vec<Box<dyn Sink>> = vec![Box::new(disk.sink(&path)), Box::new(receiver.stream(&path))];
        let several = Several::start(sinks, require, Duration::from_secs(1)).unwrap().keeping(kept);
        AuditLog::start(&path, Writer::Several(several), require, Duration::from_secs(20)).unwrap()
    }

    /// Ends as a process does that is killed, and begins again.
    async fn restarted(self, require: Require) -> Self {
        let Self { folder, disk, receiver, log } = self;
        drop(log);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let log = Self::open(folder.path(), &disk, &receiver, require, Kept::new());
        Self { folder, disk, receiver, log }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    async fn record(&self, incident: &str) -> bool {
        self.log.record(&event(incident)).await.is_ok()
    }

    async fn caught_up(&self) {
        for _ in 0..500 {
            self.log.catch_up().await;
            if self.log.behind() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("still behind")
    }

    /// Both have the same.
    fn same(&self) -> u64 {
        assert_eq!(std::fs::read_to_string(self.path()).unwrap(), self.receiver.text());
        whole(&self.path()).chained
    }
}

#[tokio::test]
async fn a_stream_gets_the_lines_of_the_file_and_what_it_missed_afterwards() {
    let trail = Streamed::new(Require::Any);
    assert!(trail.record("1").await && trail.record("2").await);
    assert_eq!(trail.same(), 2);
    trail.receiver.disk.is(FAILS);
    for n in 3..20 {
        assert!(trail.record(&n.to_string()).await);
    }
    let news = trail.log.take_news().unwrap();
    assert!(trail.log.behind() == 1 && news == "played: the receiver fails", "{news}");
    assert_eq!(trail.receiver.numbers(), [1, 2]);
    // Over an end of the process, and with a rotation.
    std::fs::rename(trail.path(), trail.path().with_extension("jsonl.1")).unwrap();
    trail.log.reopen().await.unwrap();
    assert!(trail.record("20").await);
    let trail = trail.restarted(Require::Any).await;
    trail.receiver.disk.is(OK);
    trail.caught_up().await;
    assert!(trail.record("21").await);
    assert_eq!(trail.receiver.numbers(), (1..=21).collect::<Vec<_>>());
    let both = [trail.path().with_extension("jsonl.1"), trail.path()].map(|path| std::fs::read_to_string(path).unwrap()).concat();
    assert_eq!(both, trail.receiver.text());
}

#[tokio::test]
async fn where_all_must_have_it_a_stream_that_fails_lets_nothing_out() {
    let trail = Streamed::new(Require::All);
    assert!(trail.record("1").await);
    trail.receiver.disk.is(FAILS);
    assert!(!trail.record("2").await && !trail.log.is_healthy());
    trail.receiver.disk.is(OK);
    assert!(trail.record("3").await);
    assert_eq!(trail.same(), 3);
    trail.disk.is(FAILS);
    assert!(!trail.record("4").await && !trail.record("5").await);
    trail.disk.is(OK);
    assert!(trail.record("6").await);
    assert_eq!(trail.same(), 6);
}

#[tokio::test]
async fn what_a_stream_has_and_no_file_is_kept_until_the_file_has_it() {
    let trail = Streamed::new(Require::Any);
    assert!(trail.record("1").await);
    trail.disk.is(FAILS);
    for n in 2..40 {
        assert!(trail.record(&n.to_string()).await, "{n}");
    }
    assert_eq!((whole(&trail.path()).chained, trail.receiver.numbers().len(), trail.log.behind()), (1, 39, 1));
    // Both for a while: nothing is recorded, and nothing is there twice that differs.
    trail.receiver.disk.is(FAILS);
    assert!(!trail.record("40").await);
    trail.receiver.disk.is(OK);
    assert!(trail.record("41").await);
    trail.disk.is(OK);
    trail.caught_up().await;
    assert!(trail.record("42").await);
    assert_eq!(trail.same(), 42);
    // The stream fails while the file is behind: it gets from the file what that has, and the rest from memory.
    trail.disk.is(FAILS);
    assert!(trail.record("43").await);
    trail.receiver.disk.is(FAILS);
    trail.disk.is(OK);
    assert!(trail.record("44").await);
    trail.disk.is(FAILS);
    trail.receiver.disk.is(OK);
    assert!(trail.record("45").await);
    trail.disk.is(OK);
    trail.caught_up().await;
    assert_eq!(trail.same(), 45);
}

#[tokio::test]
async fn what_no_file_has_is_kept_within_a_bound_beyond_which_nothing_is_recorded() {
    let trail = Streamed::keeping(Require::Any, Kept::at_most(2000));
    trail.disk.is(FAILS);
    let mut recorded = 0;
    while trail.record("more").await {
        recorded += 1;
        assert!(recorded < 100, "there is no bound");
    }
    assert!(recorded >= 5 && trail.receiver.numbers().len() == recorded, "{recorded}");
    let error = trail.log.record(&event("x")).await.unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("no room for more"), "{error:?}");
    trail.disk.is(OK);
    assert!(trail.record("after").await);
    assert_eq!(trail.same(), recorded as u64 + 1);
}

#[tokio::test]
async fn after_an_end_with_lines_that_no_file_has_one_chain_goes_on_and_the_gap_is_told() {
    let trail = Streamed::new(Require::Any);
    assert!(trail.record("1").await);
    trail.disk.is(FAILS);
    assert!(trail.record("2").await && trail.record("3").await);
    let trail = trail.restarted(Require::Any).await;
    trail.disk.is(OK);
    assert!(trail.record("4").await);
    assert_eq!(trail.receiver.numbers(), [1, 2, 3, 4]);
    let verdict = verify(&[trail.path()], Begin::Start, &[], &|_| ()).unwrap();
    assert!(verdict.findings.len() == 1 && verdict.chained == 2, "{:?}", verdict.findings);
    // What the stream got is whole.
    let got = trail.folder.path().join("got");
    std::fs::write(&got, trail.receiver.text()).unwrap();
    assert_eq!(whole(&got).chained, 4);
    let trail = trail.restarted(Require::All).await;
    assert!(trail.record("5").await && trail.log.behind() == 0);
}

#[tokio::test]
async fn a25_a_stream_that_hangs_holds_up_nobody_for_long_and_has_all_in_the_end() {
    let trail = Streamed::new(Require::Any);
    trail.receiver.disk.is(HANGS);
    let begin = Instant::now();
    for n in 1..30 {
        assert!(trail.record(&n.to_string()).await);
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "each waited for it: {:?}", begin.elapsed());
    trail.receiver.disk.is(OK);
    trail.caught_up().await;
    assert_eq!(trail.same(), 29);
}

#[tokio::test]
async fn a_stream_of_another_trail_is_not_joined() {
    let trail = Streamed::new(Require::All);
    assert!(trail.record("1").await);
    let Streamed { folder, disk, receiver, log } = trail;
    drop(log);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let path = folder.path().join("audit.jsonl");
    std::fs::remove_file(&path).unwrap();
    let other = AuditLog::of_files(vec![path.clone()], Require::All, AuditLog::DEADLINE).unwrap();
    for incident in ["a", "b"] {
        other.record(&event(incident)).await.unwrap();
    }
    drop(other);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let sinks: Vec<Box<dyn Sink>> = vec![Box::new(disk.sink(&path)), Box::new(receiver.stream(&path))];
    let refused = Several::start(sinks, Require::All, Duration::from_secs(1)).err().unwrap().to_string();
    assert!(refused.starts_with("played and ") && refused.contains("are not one trail"), "{refused}");
}
