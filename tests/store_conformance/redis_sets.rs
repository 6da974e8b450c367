//! Several real Redis servers for tests: a primary with replicas that Sentinels watch, and a cluster.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rolegate::store::{Store, StoreSettings};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ports::free_port;
use crate::redis_server::Redis;

/// Without the pause before a replica gets its first copy: one that never had it would take over with nothing.
const AT_ONCE: [&str; 2] = ["--repl-diskless-sync-delay", "0"];

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn text(redis: &Redis, arguments: &[&str]) -> String {
    String::from_utf8_lossy(&redis.cli(arguments)).into_owned()
}

/// Whether so many replicas have their copy and are known to: what is written is confirmed from then on.
fn has_replicas(primary: &Redis, count: usize) -> bool {
    text(primary, &["INFO", "replication"]).matches("state=online").count() == count
}

fn settings(settings: &Value, more: &Value) -> StoreSettings {
    let mut settings = settings.clone();
    settings.as_object_mut().unwrap().insert("seal_keys".into(), json!([{ "file": "seal" }]));
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(settings).unwrap()
}

/// A primary, two replicas, and three Sentinels, two of which must agree. The primary counts as down after a second.
pub(crate) struct Watched {
    pub(crate) primary: Redis,
    pub(crate) replicas: Vec<Redis>,
    sentinels: Vec<(u16, Child)>,
    folder: TempDir,
}

impl Watched {
    pub(crate) fn start() -> Self {
        let primary = Redis::start(&AT_ONCE);
        let port = primary.port().to_string();
        let follow: Vec<&str> = AT_ONCE.into_iter().chain(["--replicaof", "127.0.0.1", &port]).collect();
        let replicas: Vec<Redis> = (0..2).map(|_| Redis::start(&follow)).collect();
        until("the replicas have their copy", || has_replicas(&primary, 2));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("seal"), "5e".repeat(32)).unwrap();
        let sentinels = (0..3).map(|_| sentinel(folder.path(), &port)).collect();
        let watched = Self { primary, replicas, sentinels, folder };
        until("the Sentinels know each other", || watched.ask(&["SENTINEL", "CKQUORUM", "gate"]).contains("OK 3 usable"));
        watched
    }

    /// Asks the first Sentinel.
    fn ask(&self, arguments: &[&str]) -> String {
        let port = self.sentinels[0].0.to_string();
        let output = Command::new("redis-cli").args(["-p", &port]).args(arguments).stderr(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn store(&self, more: &Value) -> Arc<dyn Store> {
        let urls: Vec<String> = self.sentinels.iter().map(|(port, _)| format!("redis://127.0.0.1:{port}")).collect();
        settings(&json!({ "sentinels": urls, "primary": "gate" }), more).open(self.folder.path()).unwrap()
    }

    /// Lets the Sentinels name the primary of another set.
    pub(crate) fn name_another(&self, other: &Self) {
        let port = other.primary.port().to_string();
        for (own, _) in &self.sentinels {
            let ask = |arguments: &[&str]| {
                let output = Command::new("redis-cli").args(["-p", &own.to_string()]).args(arguments).output().unwrap();
                assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "OK", "{arguments:?}");
            };
            ask(&["SENTINEL", "REMOVE", "gate"]);
            ask(&["SENTINEL", "MONITOR", "gate", "127.0.0.1", &port, "2"]);
        }
    }

    /// Waits until the Sentinels name another primary, and it takes writes.
    pub(crate) fn wait_for_another(&self) {
        until("another primary is named", || {
            let named = self.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "gate"]);
            let port = named.lines().nth(1).and_then(|port| port.parse().ok()).unwrap_or_else(|| self.primary.port());
            port != self.primary.port() && self.replicas.iter().any(|one| one.port() == port && text(one, &["ROLE"]).starts_with("master"))
        });
    }
}

fn sentinel(folder: &Path, primary: &str) -> (u16, Child) {
    let port = free_port();
    let file = folder.join(format!("sentinel-{port}.conf"));
    let lines = [
        format!("port {port}"),
        "bind 127.0.0.1".into(),
        format!("dir {}", folder.display()),
        format!("sentinel monitor gate 127.0.0.1 {primary} 2"),
        "sentinel down-after-milliseconds gate 1000".into(),
        "sentinel failover-timeout gate 5000".into(),
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    let child = Command::new("redis-server").arg(&file).arg("--sentinel").stdout(Stdio::null()).spawn().unwrap();
    (port, child)
}

impl Drop for Watched {
    fn drop(&mut self) {
        for (_, child) in &mut self.sentinels {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Three primaries that share the slots, each with a replica. A node counts as down after two seconds.
pub(crate) struct Cluster {
    /// The primaries, then the replica of each in the same order.
    pub(crate) nodes: Vec<Redis>,
    folder: TempDir,
}

/// The slots of each of three primaries.
const SLOTS: [(&str, &str); 3] = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];

impl Cluster {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("seal"), "5e".repeat(32)).unwrap();
        let nodes: Vec<(Redis, u16)> = (0..6).map(|number| node(folder.path(), number)).collect();
        for ((node, _), (first, last)) in nodes.iter().zip(SLOTS) {
            assert!(text(node, &["CLUSTER", "ADDSLOTSRANGE", first, last]).contains("OK"));
        }
        for (node, bus) in &nodes[1..] {
            nodes[0].0.cli(&["CLUSTER", "MEET", "127.0.0.1", &node.port().to_string(), &bus.to_string()]);
        }
        let cluster = Self { nodes: nodes.into_iter().map(|(node, _)| node).collect(), folder };
        until("the nodes know each other", || {
            cluster.nodes.iter().all(|node| text(node, &["CLUSTER", "INFO"]).contains("cluster_known_nodes:6"))
        });
        for index in 0..3 {
            let followed = cluster.id(index);
            until("a replica follows", || text(&cluster.nodes[3 + index], &["CLUSTER", "REPLICATE", &followed]).contains("OK"));
        }
        until("the replicas have their copy", || cluster.nodes[..3].iter().all(|primary| has_replicas(primary, 1)));
        until("the cluster is well", || {
            cluster.nodes.iter().all(|node| {
                let info = text(node, &["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok") && info.contains("cluster_size:3")
            })
        });
        cluster
    }

    pub(crate) fn id(&self, index: usize) -> String {
        text(&self.nodes[index], &["CLUSTER", "MYID"]).trim().to_owned()
    }

    pub(crate) fn store(&self, more: &Value) -> Arc<dyn Store> {
        let urls: Vec<String> = self.nodes[..2].iter().map(|node| format!("redis://127.0.0.1:{}", node.port())).collect();
        settings(&json!({ "cluster": urls }), more).open(self.folder.path()).unwrap()
    }

    /// Which of the primaries a key belongs to at first, and its slot.
    pub(crate) fn of(&self, key: &str) -> (usize, u16) {
        let slot: u16 = text(&self.nodes[0], &["CLUSTER", "KEYSLOT", key]).trim().parse().unwrap();
        let has = |(first, last): &(&str, &str)| (first.parse().unwrap()..=last.parse().unwrap()).contains(&slot);
        (SLOTS.iter().position(has).unwrap(), slot)
    }

    /// Waits until the replica of a primary has taken over, and the other nodes know.
    pub(crate) fn wait_for_replica_of(&self, index: usize) {
        until("a replica takes over", || text(&self.nodes[3 + index], &["ROLE"]).starts_with("master"));
        let others = (0..3).filter(|other| *other != index);
        until("the cluster is well again", || {
            others.clone().all(|other| text(&self.nodes[other], &["CLUSTER", "INFO"]).contains("cluster_state:ok"))
        });
    }
}

fn node(folder: &Path, number: usize) -> (Redis, u16) {
    let own = folder.join(number.to_string());
    std::fs::create_dir(&own).unwrap();
    let bus = free_port();
    let arguments = ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "2000"];
    let more = ["--cluster-port", &bus.to_string(), "--dir", own.to_str().unwrap()].map(ToOwned::to_owned);
    let all: Vec<&str> = AT_ONCE.into_iter().chain(arguments).chain(more.iter().map(String::as_str)).collect();
    (Redis::start(&all), bus)
}
