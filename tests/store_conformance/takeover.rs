//! A replica takes over, or keys move: what was used stays used, and what was ended stays ended.

use super::redis_sets::{Cluster, Watched};
use rolegate::store::StoreUnavailable;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_redis_that_sentinels_name_does_what_every_store_must() {
    conformance(Watched::start().store(&json!({}))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_does_what_every_store_must() {
    conformance(Cluster::start().store(&json!({}))).await;
}

/// Uses one thing after the other, has a server killed after fifty, and goes on until the store fails: gives back what certainly was used.
async fn used_until_it_fails(store: &Arc<dyn Store>, pid: &str) -> Vec<Key> {
    let mut done = Vec::new();
    loop {
        if done.len() == 50 {
            assert!(Command::new("kill").args(["-9", pid]).status().unwrap().success());
        }
        let mark = key(&format!("used {}", done.len()));
        match store.claim(&mark, HOUR).await {
            Ok(fresh) => {
                assert!(fresh, "nobody else claims it");
                done.push(mark);
            }
            Err(_) if done.len() >= 50 => return done,
            Err(error) => panic!("nothing is killed yet, and: {error}"),
        }
    }
}

/// How long writing may take to begin again after another Redis is the primary; benchmarks tell how long it does.
async fn writes_again(attempt: impl AsyncFn() -> Result<(), StoreUnavailable>) {
    let end = Instant::now() + Duration::from_secs(20);
    while let Err(error) = attempt().await {
        assert!(Instant::now() < end, "another Redis is there, and: {error}");
        sleep(millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_used_stays_used_when_sentinels_name_another_redis() {
    let mut watched = Watched::start();
    let store = watched.store(&json!({}));
    store.put(&key("stays"), b"session".into(), HOUR).await.unwrap();
    store.put(&key("ended"), b"session".into(), HOUR).await.unwrap();
    assert_eq!(store.delete(&[key("ended")]).await.unwrap(), 1);
    let pid = watched.primary.pid();
    let done = used_until_it_fails(&store, &pid).await;
    watched.primary.kill();
    watched.wait_for_another();
    writes_again(async || store.ping().await).await;
    for mark in &done {
        assert!(store.is_claimed(mark).await.unwrap(), "{mark:?} was used, and the new primary does not know");
        assert!(!store.claim(mark, HOUR).await.unwrap(), "{mark:?} is accepted a second time");
    }
    assert_eq!(store.get(&key("stays")).await.unwrap(), Some(b"session".into()));
    assert_eq!(store.get(&key("ended")).await.unwrap(), None);
    assert!(store.claim(&key("fresh"), HOUR).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_used_stays_used_when_a_replica_takes_over_in_a_cluster() {
    let mut cluster = Cluster::start();
    let store = cluster.store(&json!({}));
    store.put(&key("stays"), b"session".into(), HOUR).await.unwrap();
    let (index, _) = cluster.of(key("written").as_str());
    let pid = cluster.nodes[index].pid();
    let done = used_until_it_fails(&store, &pid).await;
    cluster.nodes[index].kill();
    cluster.wait_for_replica_of(index);
    writes_again(async || store.put(&key("written"), b"x".into(), HOUR).await).await;
    // One shard has no replica any more, so that nothing of its is confirmed: marks are refused there until it has one, and reading goes on.
    for mark in &done {
        assert!(store.is_claimed(mark).await.unwrap(), "{mark:?} was used, and its new primary does not know");
        assert!(!matches!(store.claim(mark, HOUR).await, Ok(true)), "{mark:?} is accepted a second time");
    }
    assert_eq!(store.get(&key("stays")).await.unwrap(), Some(b"session".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_mark_is_set_once_while_its_slot_moves() {
    let cluster = Cluster::start();
    let store = cluster.store(&json!({}));
    let mark = key("moves");
    let (from, slot) = cluster.of(mark.as_str());
    let to = (from + 1) % 3;
    let (slot, from_id, to_id) = (slot.to_string(), cluster.id(from), cluster.id(to));
    let set = |at: usize, how: &str, whom: &str| {
        let answer = cluster.nodes[at].cli(&["CLUSTER", "SETSLOT", &slot, how, whom]);
        assert_eq!(String::from_utf8_lossy(&answer).trim(), "OK");
    };
    assert!(store.claim(&mark, HOUR).await.unwrap());
    set(to, "IMPORTING", &from_id);
    set(from, "MIGRATING", &to_id);
    assert!(!store.claim(&mark, HOUR).await.unwrap(), "it is where it was");
    let port = cluster.nodes[to].port().to_string();
    let moved = cluster.nodes[from].cli(&["MIGRATE", "127.0.0.1", &port, mark.as_str(), "0", "5000"]);
    assert_eq!(String::from_utf8_lossy(&moved).trim(), "OK");
    assert!(!store.claim(&mark, HOUR).await.unwrap(), "it is asked for where it went");
    assert!(store.is_claimed(&mark).await.unwrap());
    for at in [to, from, (from + 2) % 3] {
        set(at, "NODE", &to_id);
    }
    assert!(!store.claim(&mark, HOUR).await.unwrap(), "it has moved");
    assert_eq!(store.delete(std::slice::from_ref(&mark)).await.unwrap(), 1);
    assert!(store.claim(&mark, HOUR).await.unwrap(), "and is free again where it is now");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_replica_nothing_counts_as_used() {
    let mut watched = Watched::start();
    let store = watched.store(&json!({}));
    let carefree = watched.store(&json!({ "replicas": 0 }));
    assert!(store.claim(&key("with"), HOUR).await.unwrap());
    store.put(&key("session"), b"x".into(), HOUR).await.unwrap();
    for replica in &mut watched.replicas {
        replica.kill();
    }
    let error = store.claim(&key("without"), HOUR).await.unwrap_err();
    assert!(error.to_string().contains("0 of 1 replicas"), "{error}");
    assert!(store.take(&key("session")).await.is_err());
    let listed = store.put_listed(&key("new session"), b"x".into(), HOUR, &[key("of a person")], HOUR).await;
    assert!(listed.is_err(), "a session whose index entry could be lost would be found by no sign-out");
    assert!(store.ping().await.is_err(), "a gateway that can let nobody in is not ready");
    assert_eq!(store.get(&key("other")).await.unwrap(), None, "what is read needs no replica");
    assert!(carefree.claim(&key("other"), HOUR).await.unwrap(), "where nobody asks for replicas, none is waited for");
}

#[tokio::test]
async fn who_reads_does_not_wait_behind_those_who_wait_for_replicas() {
    let mut watched = Watched::start();
    let store = watched.store(&json!({}));
    store.put(&key("session"), b"x".into(), HOUR).await.unwrap();
    for replica in &mut watched.replicas {
        replica.kill();
    }
    // On one thread, which has the connections: each of these waits for half a second, one after the other.
    let waiting: Vec<_> = (0..20)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.claim(&key(&format!("waits {n}")), HOUR).await })
        })
        .collect();
    sleep(millis(100)).await;
    assert_eq!(store.get(&key("session")).await.unwrap(), Some(b"x".into()));
    assert_eq!(store.get_and_touch(&key("session"), HOUR).await.unwrap(), Some(b"x".into()));
    assert!(waiting.iter().any(|one| !one.is_finished()), "nobody waited, so that this proves nothing");
    for one in waiting {
        assert!(one.await.unwrap().is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_was_replaced_is_left_although_it_answers() {
    let mut old = Watched::start();
    let new = Watched::start();
    let store = old.store(&json!({}));
    assert!(store.claim(&key("before"), HOUR).await.unwrap());
    // As when the old one is cut off from everybody but from us: it has no replicas, and the Sentinels name another.
    for replica in &mut old.replicas {
        replica.kill();
    }
    old.name_another(&new);
    assert!(store.claim(&key("cut off"), HOUR).await.is_err());
    writes_again(async || store.ping().await).await;
    assert!(store.claim(&key("after"), HOUR).await.unwrap());
    assert!(!new.store(&json!({})).claim(&key("after"), HOUR).await.unwrap(), "it is the new one that took it");
    assert!(!has_it(&old.primary, key("after").as_str()), "and not the old one");
}

fn has_it(redis: &Redis, key: &str) -> bool {
    String::from_utf8_lossy(&redis.cli(&["EXISTS", key])).trim() == "1"
}
