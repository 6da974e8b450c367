//! The audit trail in further sinks: real rsyslogd over TCP, TLS and its local socket, an HTTP receiver that others wrote, and standard output.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a failed step is a failed test")]

#[path = "audit_sinks/collectors.rs"]
mod collectors;
#[path = "audit_sinks/served.rs"]
mod served;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use collectors::{Receiver, Rsyslog, make_authority};
use rolegate::audit::{AuditLog, AuditSettings, Begin, Event, Kind, Outcome, verify};
use serde_json::Value;
use support::Scratch;

fn event(incident: &str) -> Event {
    Event::new(chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap(), incident, Kind::Issue, Outcome::Ok)
}

/// A trail in a folder of its own.
struct Trail {
    folder: Scratch,
    settings: AuditSettings,
    log: Option<AuditLog>,
}

impl Trail {
    /// With sinks as TOML has them.
    async fn open(settings: &str) -> Self {
        Self::open_in(Scratch::new(), settings).await
    }

    async fn open_in(folder: Scratch, settings: &str) -> Self {
        let settings: AuditSettings = toml::from_str(settings).unwrap();
        let mut problems = Vec::new();
        settings.check("audit", folder.path(), &mut problems);
        assert_eq!(problems, []);
        let mut trail = Self { folder, settings, log: None };
        trail.begin().await;
        trail
    }

    /// As a process begins that finds what another one left. The file is free a moment after that has ended.
    async fn begin(&mut self) {
        self.log = None;
        for _ in 0..500 {
            match self.settings.open("audit", self.folder.path()) {
                Ok(log) => {
                    self.log = Some(log);
                    return;
                }
                Err(problems) => assert!(problems[0].hint.contains("another Rolegate"), "{problems:?}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the trail is not free");
    }

    fn log(&self) -> &AuditLog {
        self.log.as_ref().unwrap()
    }

    async fn record(&self, incident: usize) -> bool {
        self.log().record(&event(&incident.to_string())).await.is_ok()
    }

    async fn record_all(&self, incidents: std::ops::RangeInclusive<usize>) {
        for incident in incidents {
            assert!(self.record(incident).await, "{incident}");
        }
    }

    async fn caught_up(&self) {
        for _ in 0..1000 {
            if self.log().behind() == 0 {
                return;
            }
            self.log().catch_up().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("still behind: {:?}", self.log().take_news());
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap()
    }
}

/// The lines of a text, with those left out that are there a second time, as a stream may send them: each must be the same.
fn once(text: &str) -> String {
    let mut seen = std::collections::BTreeMap::new();
    let number = |line: &str| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap();
    let mut told = String::new();
    for line in text.lines() {
        match seen.insert(number(line), line.to_owned()) {
            Some(before) => assert_eq!(before, line),
            None => told.extend([line, "\n"]),
        }
    }
    told
}

fn syslog(url: &str, more: &str) -> String {
    format!("require = \"any\"\n{more}\n[[sink]]\nsyslog = \"{url}\"\n")
}

#[tokio::test]
async fn a_syslog_collector_has_the_lines_of_the_file_and_no_gap_after_it_was_away() {
    let mut collector = Rsyslog::tcp().await;
    let mut trail = Trail::open(&syslog(&collector.url(), "")).await;
    trail.record_all(1..=20).await;
    collector.has(&trail.text()).await;
    let messages = collector.messages();
    assert!(messages[0].starts_with("authpriv|info|rolegate|issue|2027-01-15T08:00:00"), "{}", messages[0]);
    assert!(messages[0].contains(&format!("|{}|", std::process::id())), "{}", messages[0]);
    collector.stop().await;
    trail.record_all(21..=40).await;
    assert_eq!(trail.log().behind(), 1);
    let news = trail.log().take_news().unwrap();
    assert!(news.starts_with(&format!("syslog {}: ", collector.url())), "{news}");
    // Over an end of this process, too.
    trail.begin().await;
    trail.record_all(41..=45).await;
    collector.start().await;
    trail.caught_up().await;
    trail.record_all(46..=50).await;
    collector.has_once(&trail.text()).await;
    // One that is killed may have what it was given just before twice.
    collector.kill().await;
    trail.record_all(51..=55).await;
    collector.start().await;
    trail.caught_up().await;
    trail.record_all(56..=60).await;
    collector.has_once(&trail.text()).await;
    assert_eq!(trail.text().lines().count(), 60);
}

#[tokio::test]
async fn a_collector_over_tls_must_be_the_one_that_is_meant() {
    let folder = Scratch::new();
    make_authority(folder.path());
    let mut collector = Rsyslog::tls(folder.path()).await;
    let url = collector.url();
    let settings = |ca: &str| format!("{}ca_file = \"{}\"\n", syslog(&url, ""), folder.path().join(ca).display());
    let trail = Trail::open(&settings("ca.crt")).await;
    trail.record_all(1..=10).await;
    collector.has(&trail.text()).await;
    // An idle connection is found closed.
    collector.stop().await;
    collector.start().await;
    trail.record_all(11..=12).await;
    collector.has_once(&trail.text()).await;
    // Another authority, as that of somebody in between.
    let stranger = Trail::open(&settings("other.crt")).await;
    assert!(stranger.record(1).await);
    let news = stranger.log().take_news().unwrap();
    assert!(news.contains("certificate"), "{news}");
    // And plain text to who wants TLS is nothing that he takes.
    let all = settings("other.crt").replace("\"any\"", "\"all\"");
    let stranger = Trail::open(&all).await;
    assert!(!stranger.record(1).await && !stranger.log().is_healthy());
    collector.has_once(&trail.text()).await;
}

/// By TLS 1.3 the client is content before such a collector has said no.
#[tokio::test]
async fn a_collector_that_wants_a_certificate_of_ours_has_taken_nothing() {
    let folder = Scratch::new();
    make_authority(folder.path());
    let collector = Rsyslog::tls_with_certificates(folder.path()).await;
    let ca = format!("ca_file = \"{}\"\n", folder.path().join("ca.crt").display());
    let trail = Trail::open(&format!("{}{ca}", syslog(&collector.url(), "")).replace("\"any\"", "\"all\"")).await;
    for incident in 1..=3 {
        assert!(!trail.record(incident).await, "{incident}");
    }
    assert_eq!(trail.log().behind(), 1);
    collector.has("").await;
}

#[tokio::test]
async fn the_machines_own_daemon_has_the_lines_and_what_it_missed() {
    let mut collector = Rsyslog::local().await;
    let trail = Trail::open(&syslog(&collector.url(), "")).await;
    trail.record_all(1..=10).await;
    collector.has(&trail.text()).await;
    assert!(collector.messages()[0].starts_with("authpriv|info|rolegate|"), "{}", collector.messages()[0]);
    collector.stop().await;
    trail.record_all(11..=20).await;
    assert_eq!(trail.log().behind(), 1);
    collector.start().await;
    trail.caught_up().await;
    trail.record_all(21..=22).await;
    collector.has_once(&trail.text()).await;
}

#[tokio::test]
async fn a_receiver_has_the_lines_of_the_file_each_once() {
    let mut receiver = Receiver::start("the-token").await;
    let mut trail = Trail::open_in(receiver.folder_with_token("the-token"), &receiver.settings("any")).await;
    trail.record_all(1..=20).await;
    assert_eq!(receiver.text(), trail.text());
    receiver.fails(true);
    trail.record_all(21..=40).await;
    let news = trail.log().take_news().unwrap();
    assert!(news.ends_with("it answered with status 503") && !news.contains("hush"), "{news}");
    trail.begin().await;
    trail.record_all(41..=45).await;
    receiver.fails(false);
    trail.caught_up().await;
    trail.record_all(46..=50).await;
    assert_eq!(receiver.text(), trail.text());
    // Away altogether, and back at the same address.
    receiver.kill().await;
    trail.record_all(51..=60).await;
    assert_eq!(trail.log().behind(), 1);
    receiver.again().await;
    trail.caught_up().await;
    trail.record_all(61..=62).await;
    assert_eq!(receiver.text(), trail.text());
    assert_eq!(trail.text().lines().count(), 62);
}

#[tokio::test]
async fn under_all_nothing_is_recorded_that_a_receiver_does_not_take() {
    let mut receiver = Receiver::start("the-token").await;
    let trail = Trail::open_in(receiver.folder_with_token("the-token"), &receiver.settings("all")).await;
    trail.record_all(1..=3).await;
    receiver.fails(true);
    assert!(!trail.record(4).await && !trail.log().is_healthy());
    receiver.fails(false);
    receiver.leads_elsewhere(true);
    assert!(!trail.record(5).await, "a redirection is not followed");
    receiver.leads_elsewhere(false);
    trail.record_all(6..=7).await;
    // What was refused may be there: an event too many, and no gap.
    assert_eq!(once(&receiver.text()), trail.text());
    receiver.kill().await;
    assert!(!trail.record(8).await);
    let wrong = Receiver::start("the-token").await;
    let trail = Trail::open_in(wrong.folder_with_token("another"), &wrong.settings("all")).await;
    let error = trail.log().record(&event("1")).await.unwrap_err();
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains("it answered with status 401") && !why.contains("another") && !why.contains("hush"), "{why}");
    assert_eq!(wrong.text(), "");
}

#[tokio::test]
async fn a25_a_receiver_that_hangs_holds_up_nobody_for_long() {
    let receiver = Receiver::start("the-token").await;
    let settings = format!("deadline = \"2s\"\n{}", receiver.settings("any"));
    let trail = Trail::open_in(receiver.folder_with_token("the-token"), &settings).await;
    receiver.hangs(true);
    let begin = std::time::Instant::now();
    trail.record_all(1..=200).await;
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    assert_eq!(trail.log().behind(), 1);
    receiver.hangs(false);
    trail.caught_up().await;
    // What timed out may have been taken.
    assert_eq!(once(&receiver.text()), trail.text());
}

#[tokio::test]
async fn a_receiver_over_tls_must_be_the_one_that_is_meant() {
    let folder = Scratch::new();
    make_authority(folder.path());
    let receiver = Receiver::start_tls("the-token", folder.path()).await;
    let settings = |ca: &str| format!("{}ca_file = \"{}\"\n", receiver.settings("all"), folder.path().join(ca).display());
    let trail = Trail::open_in(receiver.folder_with_token("the-token"), &settings("ca.crt")).await;
    trail.record_all(1..=10).await;
    assert_eq!(receiver.text(), trail.text());
    let stranger = Trail::open_in(receiver.folder_with_token("the-token"), &settings("other.crt")).await;
    assert!(!stranger.record(1).await);
    assert_eq!(receiver.text(), trail.text());
}

/// A file on a disk that is full: a file system of its own in memory. Who is not root has one where they are root for themselves.
#[tokio::test]
async fn while_the_disk_is_full_a_receiver_has_the_events_and_afterwards_the_file_has_them_too() {
    const AGAIN: &str = "ROLEGATE_TEST_AS_ROOT";
    let receiver = Receiver::start("the-token").await;
    let folder = receiver.folder_with_token("the-token");
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk")) else {
        assert!(std::env::var_os(AGAIN).is_none(), "a file system in memory cannot be mounted here: run this test as root");
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount"]).arg(std::env::current_exe().unwrap());
        command.args(["--exact", "while_the_disk_is_full_a_receiver_has_the_events_and_afterwards_the_file_has_them_too"]).env(AGAIN, "1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
        return;
    };
    let settings = format!("file = \"disk/audit.jsonl\"\n{}", receiver.settings("any"));
    let mut trail = Trail::open_in(folder, &settings).await;
    trail.record_all(1..=5).await;
    let filler = disk.fill();
    trail.record_all(6..=60).await;
    let news = trail.log().take_news().unwrap();
    assert!(trail.log().behind() == 1 && news.contains("No space left"), "{news}");
    let text = || std::fs::read_to_string(disk.path.join("audit.jsonl")).unwrap();
    assert!(text().lines().count() < 60 && receiver.text().lines().count() == 60);
    std::fs::remove_file(&filler).unwrap();
    trail.caught_up().await;
    trail.record_all(61..=62).await;
    assert_eq!(receiver.text(), text());
    let verdict = verify(&[disk.path.join("audit.jsonl")], Begin::Start, &[], &|_| ()).unwrap();
    assert!(verdict.is_whole() && verdict.chained == 62, "{:?}", verdict.findings);
    // It ends while the file is behind: one chain goes on, and what the file lacks is told.
    disk.fill();
    trail.record_all(63..=90).await;
    trail.log = None;
    std::fs::remove_file(&filler).unwrap();
    trail.begin().await;
    trail.record_all(91..=92).await;
    let seen = receiver.folder().join("seen.jsonl");
    std::fs::write(&seen, once(&receiver.text())).unwrap();
    let verdict = verify(&[seen], Begin::Start, &[], &|_| ()).unwrap();
    assert!(verdict.is_whole() && verdict.chained == 92, "{:?}", verdict.findings);
    let verdict = verify(&[disk.path.join("audit.jsonl")], Begin::Start, &[], &|_| ()).unwrap();
    assert_eq!(verdict.findings.len(), 1, "{:?}", verdict.findings);
}

struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// None where that may not be done.
    fn mount(path: &Path) -> Option<Self> {
        std::fs::create_dir(path).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(path).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self { path: path.to_owned() })
    }

    /// Takes all the room that is left.
    fn fill(&self) -> PathBuf {
        let filler = self.path.join("filler");
        assert!(std::fs::write(&filler, vec![0; 1 << 20]).is_err());
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever writes to it ends a moment later: it goes with him.
        drop(Command::new("umount").arg("-l").arg(&self.path).status());
    }
}
