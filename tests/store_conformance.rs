//! What every store must do, asked of each store there is: memory, and a real Redis that the test starts.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "store_conformance/allowance.rs"]
mod allowance;
#[path = "support/ports.rs"]
mod ports;
#[path = "store_conformance/redis_server.rs"]
mod redis_server;
#[path = "store_conformance/redis_sets.rs"]
mod redis_sets;
#[path = "store_conformance/takeover.rs"]
mod takeover;

use std::future::Future;
use std::io::Read;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use ports::free_port;
use redis_server::Redis;
use rolegate::store::seal::SealKeys;
use rolegate::store::{GrantId, Kept, Key, MemoryStore, Placed, Purpose, SessionId, State, Store, UserCode, Vault};
use serde_json::{Value, json};
use tokio::time::sleep;

const HOUR: Duration = Duration::from_hours(1);

type Case = fn(Arc<dyn Store>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! cases {
    ($($name:ident),+ $(,)?) => {
        &[$((stringify!($name), |store| Box::pin($name(store)))),+]
    };
}

const CASES: &[(&str, Case)] = cases![
    a_value_comes_back_as_it_went_in,
    a_second_put_replaces_value_and_life,
    a_value_expires,
    reading_does_not_prolong,
    several_values_are_read_in_one_with_what_they_have_left,
    touching_prolongs,
    touching_reads_another_value_beside_it_and_leaves_that_alone,
    touching_does_not_bring_back_what_is_gone,
    take_is_exclusive,
    claim_is_exclusive,
    a_claim_expires,
    a_count_counts_everybody_and_ends_as_it_began,
    delete_tells_how_many_there_were,
    an_index_keeps_its_members_apart,
    an_index_gives_those_first_that_stay_longest,
    the_newest_sessions_are_found_among_thousands_and_the_dead_hide_none,
    a_record_is_stored_and_listed_in_one,
    a_member_expires_alone,
    members_of_an_index_can_be_added_at_once,
    w10_a_budget_holds_whoever_asks_at_once,
    w10_what_a_budget_refuses_leaves_nothing_behind,
    what_is_taken_is_taken_whether_a_mark_is_free_or_not,
    a20_a_value_is_swapped_for_what_was_read_and_by_one_alone,
    a24_an_index_lets_those_stay_who_are_in_it,
    the_store_answers_a_ping,
];

async fn conformance(store: Arc<dyn Store>) {
    let mut failed = Vec::new();
    for (name, case) in CASES {
        if tokio::spawn(case(store.clone())).await.is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "not as every store must be: {failed:?} (the panics above say why)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_does_what_every_store_must() {
    conformance(Arc::new(MemoryStore::new(1 << 24))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_does_what_every_store_must() {
    let redis = Redis::start(&[]);
    conformance(redis.store(&json!({}))).await;
}

/// What the documentation says that Redis's ACL must allow is enough for everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redis_needs_no_other_command_than_the_documentation_names() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md")).unwrap();
    let list = page.split("Commands that its ACL must allow").nth(1).unwrap().split("for the connection").next().unwrap();
    let is_command = |word: &&str| word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    let allowed: Vec<String> =
        list.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_command).map(|word| format!("+{}", word.to_lowercase())).collect();
    assert!(allowed.contains(&"+getex".to_owned()) && !allowed.contains(&"+keys".to_owned()), "{allowed:?}");
    let redis = Redis::start(&[]);
    let mut user = vec!["ACL", "SETUSER", "gate", "on", "nopass", "~rolegate:*"];
    user.extend(allowed.iter().map(String::as_str).filter(|word| *word != "+acl"));
    assert_eq!(String::from_utf8_lossy(&redis.cli(&user)).trim(), "OK");
    conformance(redis.store(&json!({ "username": "gate", "password": { "file": "seal" } }))).await;
}

fn key(name: &str) -> Key {
    Key::of(Purpose::Session, name.as_bytes())
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

async fn a_value_comes_back_as_it_went_in(store: Arc<dyn Store>) {
    let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
    store.put(&key("round"), bytes.clone(), HOUR).await.unwrap();
    assert_eq!(store.get(&key("round")).await.unwrap(), Some(bytes.clone()));
    assert_eq!(store.get_and_touch(&key("round"), HOUR).await.unwrap(), Some(bytes.clone()));
    assert_eq!(store.get(&key("square")).await.unwrap(), None);
    assert_eq!(store.take(&key("round")).await.unwrap(), Some(bytes));
    assert_eq!(store.take(&key("round")).await.unwrap(), None);
    assert_eq!(store.get(&key("round")).await.unwrap(), None);
    store.put(&key("empty"), Vec::new(), HOUR).await.unwrap();
    assert_eq!(store.get(&key("empty")).await.unwrap(), Some(Vec::new()));
}

async fn a_second_put_replaces_value_and_life(store: Arc<dyn Store>) {
    store.put(&key("twice"), b"old".into(), millis(80)).await.unwrap();
    store.put(&key("twice"), b"new".into(), HOUR).await.unwrap();
    sleep(millis(160)).await;
    assert_eq!(store.get(&key("twice")).await.unwrap(), Some(b"new".into()));
}

async fn a_value_expires(store: Arc<dyn Store>) {
    for name in ["get", "touch", "take", "delete"] {
        store.put(&key(name), b"x".into(), millis(400)).await.unwrap();
    }
    assert!(store.get(&key("get")).await.unwrap().is_some());
    sleep(millis(500)).await;
    assert_eq!(store.get(&key("get")).await.unwrap(), None);
    assert_eq!(store.get_and_touch(&key("touch"), HOUR).await.unwrap(), None);
    assert_eq!(store.take(&key("take")).await.unwrap(), None);
    assert_eq!(store.delete(&[key("delete")]).await.unwrap(), 0);
    store.put(&key("zero"), b"x".into(), Duration::ZERO).await.unwrap();
    sleep(millis(50)).await;
    assert_eq!(store.get(&key("zero")).await.unwrap(), None);
}

async fn reading_does_not_prolong(store: Arc<dyn Store>) {
    store.put(&key("read"), b"x".into(), millis(200)).await.unwrap();
    for _ in 0..3 {
        sleep(millis(50)).await;
        store.get(&key("read")).await.unwrap();
    }
    sleep(millis(120)).await;
    assert_eq!(store.get(&key("read")).await.unwrap(), None);
}

async fn several_values_are_read_in_one_with_what_they_have_left(store: Arc<dyn Store>) {
    store.put(&key("several 1"), b"one".into(), millis(60_000)).await.unwrap();
    store.put(&key("several 2"), b"two".into(), millis(100)).await.unwrap();
    store.put(&key("several 3"), Vec::new(), HOUR).await.unwrap();
    let keys = ["several 3", "never there", "several 1", "several 2"].map(key);
    let names = |kept: &[Kept]| kept.iter().map(|one| (one.key.clone(), one.value.clone())).collect::<Vec<_>>();
    let first = store.get_all(&keys).await.unwrap();
    assert_eq!(names(&first), [(key("several 3"), Vec::new()), (key("several 1"), b"one".into()), (key("several 2"), b"two".into())]);
    assert!(first[1].left > millis(50_000) && first[1].left <= millis(60_000), "{:?}", first[1].left);
    sleep(millis(200)).await;
    let second = store.get_all(&keys).await.unwrap();
    assert_eq!(names(&second), [(key("several 3"), Vec::new()), (key("several 1"), b"one".into())]);
    assert!(second[1].left < first[1].left, "looking prolongs nothing");
    store.get_and_touch(&key("several 1"), HOUR).await.unwrap();
    assert!(store.get_all(&keys).await.unwrap()[1].left > millis(3_500_000));
    assert_eq!(store.get_all(&[]).await.unwrap(), []);
}

async fn touching_prolongs(store: Arc<dyn Store>) {
    store.put(&key("touched"), b"x".into(), millis(800)).await.unwrap();
    for _ in 0..8 {
        sleep(millis(200)).await;
        assert!(store.get_and_touch(&key("touched"), millis(800)).await.unwrap().is_some());
    }
    // It may shorten, too.
    assert!(store.get_and_touch(&key("touched"), millis(50)).await.unwrap().is_some());
    sleep(millis(120)).await;
    assert_eq!(store.get_and_touch(&key("touched"), HOUR).await.unwrap(), None);
    assert_eq!(store.get(&key("touched")).await.unwrap(), None);
}

async fn touching_reads_another_value_beside_it_and_leaves_that_alone(store: Arc<dyn Store>) {
    store.put(&key("pair"), b"one".into(), millis(60_000)).await.unwrap();
    store.put(&key("beside"), b"two".into(), millis(60_000)).await.unwrap();
    let both = store.get_and_touch_with(&key("pair"), HOUR, &[key("beside")]).await.unwrap();
    assert_eq!(both, (Some(b"one".into()), vec![Some(b"two".into())]));
    let kept = store.get_all(&["pair", "beside"].map(key)).await.unwrap();
    assert!(kept[0].left > millis(3_500_000) && kept[1].left <= millis(60_000), "{kept:?}");
    let one = store.get_and_touch_with(&key("never there"), HOUR, &[key("beside")]).await.unwrap();
    assert_eq!(one, (None, vec![Some(b"two".into())]));
    assert_eq!(store.get_and_touch_with(&key("pair"), HOUR, &[key("nor this")]).await.unwrap(), (Some(b"one".into()), vec![None]));
    let several = store.get_and_touch_with(&key("pair"), HOUR, &[key("nor this"), key("beside")]).await.unwrap();
    assert_eq!(several, (Some(b"one".into()), vec![None, Some(b"two".into())]));
    assert_eq!(store.get_and_touch_with(&key("pair"), HOUR, &[]).await.unwrap(), (Some(b"one".into()), vec![]));
}

async fn touching_does_not_bring_back_what_is_gone(store: Arc<dyn Store>) {
    for round in 0..50 {
        let name = key(&format!("gone {round}"));
        store.put(&name, b"x".into(), HOUR).await.unwrap();
        let mut touchers = Vec::new();
        for _ in 0..8 {
            let (store, name) = (store.clone(), name.clone());
            touchers.push(tokio::spawn(async move { store.get_and_touch(&name, HOUR).await.unwrap() }));
        }
        assert_eq!(store.delete(std::slice::from_ref(&name)).await.unwrap(), 1);
        for toucher in touchers {
            toucher.await.unwrap();
        }
        assert_eq!(store.get(&name).await.unwrap(), None);
    }
}

async fn take_is_exclusive(store: Arc<dyn Store>) {
    for round in 0..10 {
        let name = key(&format!("take {round}"));
        store.put(&name, b"only one".into(), HOUR).await.unwrap();
        let takers: Vec<_> = (0..200)
            .map(|_| {
                let (store, name) = (store.clone(), name.clone());
                tokio::spawn(async move { store.take(&name).await.unwrap() })
            })
            .collect();
        let mut taken = 0;
        for taker in takers {
            taken += usize::from(taker.await.unwrap().is_some());
        }
        assert_eq!(taken, 1);
    }
}

async fn claim_is_exclusive(store: Arc<dyn Store>) {
    for round in 0..10 {
        let name = Key::of(Purpose::Used, format!("claim {round}").as_bytes());
        let claimers: Vec<_> = (0..200)
            .map(|_| {
                let (store, name) = (store.clone(), name.clone());
                tokio::spawn(async move { store.claim(&name, HOUR).await.unwrap() })
            })
            .collect();
        let mut claimed = 0;
        for claimer in claimers {
            claimed += usize::from(claimer.await.unwrap());
        }
        assert_eq!(claimed, 1);
        assert!(store.is_claimed(&name).await.unwrap());
        assert!(!store.is_claimed(&Key::of(Purpose::Used, format!("no claim {round}").as_bytes())).await.unwrap());
    }
}

async fn a_claim_expires(store: Arc<dyn Store>) {
    let name = Key::of(Purpose::Used, b"for a while");
    assert!(store.claim(&name, millis(500)).await.unwrap());
    sleep(millis(50)).await;
    assert!(!store.claim(&name, HOUR).await.unwrap(), "a refused claim must not prolong the mark");
    assert!(store.is_claimed(&name).await.unwrap());
    sleep(millis(600)).await;
    assert!(!store.is_claimed(&name).await.unwrap());
    assert!(store.claim(&name, HOUR).await.unwrap());
}

async fn a_count_counts_everybody_and_ends_as_it_began(store: Arc<dyn Store>) {
    let name = Key::of(Purpose::Uses, b"counted");
    let counters: Vec<_> = (0..200)
        .map(|_| {
            let (store, name) = (store.clone(), name.clone());
            tokio::spawn(async move { store.count(&name, HOUR).await.unwrap() })
        })
        .collect();
    let mut counts = Vec::new();
    for counter in counters {
        counts.push(counter.await.unwrap());
    }
    counts.sort_unstable();
    assert_eq!(counts, (1..=200).collect::<Vec<_>>(), "each use has its own number");
    let brief = Key::of(Purpose::Uses, b"counted for a while");
    assert_eq!(store.count(&brief, millis(600)).await.unwrap(), 1);
    sleep(millis(300)).await;
    assert_eq!(store.count(&brief, HOUR).await.unwrap(), 2);
    sleep(millis(500)).await;
    assert_eq!(store.count(&brief, HOUR).await.unwrap(), 1, "a second use prolongs nothing");
}

async fn delete_tells_how_many_there_were(store: Arc<dyn Store>) {
    for name in ["d1", "d2", "d3"] {
        store.put(&key(name), b"x".into(), HOUR).await.unwrap();
    }
    assert_eq!(store.delete(&[]).await.unwrap(), 0);
    assert_eq!(store.delete(&[key("d1"), key("d2"), key("d4")]).await.unwrap(), 2);
    assert_eq!(store.get(&key("d1")).await.unwrap(), None);
    assert!(store.get(&key("d3")).await.unwrap().is_some());
}

async fn members(store: &Arc<dyn Store>, index: &Key) -> Vec<Key> {
    let mut members = store.index_members(index).await.unwrap();
    members.sort();
    members
}

async fn list(store: &Arc<dyn Store>, index: &Key, member: &Key, life: Duration) {
    store.put_listed(member, b"listed".to_vec(), life, std::slice::from_ref(index), life).await.unwrap();
}

fn sorted(mut keys: Vec<Key>) -> Vec<Key> {
    keys.sort();
    keys
}

async fn an_index_keeps_its_members_apart(store: Arc<dyn Store>) {
    let (ana, ben) = (Key::of(Purpose::Person, b"ana"), Key::of(Purpose::Person, b"ben"));
    list(&store, &ana, &key("a1"), HOUR).await;
    list(&store, &ana, &key("a2"), HOUR).await;
    list(&store, &ana, &key("a2"), HOUR).await;
    list(&store, &ben, &key("b1"), HOUR).await;
    assert_eq!(members(&store, &ana).await, sorted(vec![key("a1"), key("a2")]));
    store.index_remove(&[(ana.clone(), key("a1")), (ana.clone(), key("never there"))]).await.unwrap();
    store.index_remove(&[]).await.unwrap();
    assert_eq!(members(&store, &ana).await, [key("a2")]);
    store.index_remove(&[(ana.clone(), key("a2"))]).await.unwrap();
    assert_eq!(members(&store, &ana).await, []);
    assert_eq!(members(&store, &ben).await, [key("b1")]);
}

async fn an_index_gives_those_first_that_stay_longest(store: Arc<dyn Store>) {
    let index = Key::of(Purpose::Person, b"in order");
    for (name, hours) in [("two", 2), ("four", 4), ("one", 1), ("three", 3)] {
        list(&store, &index, &key(name), HOUR * hours).await;
    }
    assert_eq!(store.index_members(&index).await.unwrap(), ["four", "three", "two", "one"].map(key));
    // Listed anew, it stays longer.
    list(&store, &index, &key("one"), HOUR * 5).await;
    assert_eq!(store.index_members(&index).await.unwrap(), ["one", "four", "three", "two"].map(key));
}

async fn the_newest_sessions_are_found_among_thousands_and_the_dead_hide_none(store: Arc<dyn Store>) {
    let vault = Vault::new(store, SealKeys::random());
    let named = |subject: &str, username: &str, hours: i64| {
        let mut session = session();
        let mut identity = serde_json::to_value(&session.identity).unwrap();
        (identity["subject"], identity["username"]) = (json!(subject), json!(username));
        session.identity = serde_json::from_value(identity).unwrap();
        session.expires = session.created + TimeDelta::hours(hours);
        session
    };
    let now = session().created;
    let find = async |who: &str| {
        let found = vault.find_sessions(who, now, HOUR).await.unwrap();
        let mut names: Vec<_> = found.sessions.iter().map(|live| live.session.identity.username().to_owned()).collect();
        names.sort();
        names.dedup();
        (names.join(" "), found.sessions.len(), found.more)
    };
    // More than are looked at, of a longer life than the one that is looked for by its whole name, and of a shorter one than the newest.
    vault.open_session(&named("first", "emp-first", 1), HOUR).await.unwrap();
    for _ in 0..2600 {
        vault.open_session(&named("many", "emp-many", 2), HOUR).await.unwrap();
    }
    vault.open_session(&named("newest", "Emp-Newest", 3), HOUR).await.unwrap();
    assert_eq!(find("emp-n").await, ("Emp-Newest".into(), 1, true));
    assert_eq!(find("EMP-first").await, ("emp-first".into(), 1, true));
    assert_eq!(find("emp-f").await, (String::new(), 0, true), "it was not looked at, which is said");
    assert_eq!(find("canaryprovider+first").await, ("emp-first".into(), 1, false));
    // What has ended is not listed any more.
    assert_eq!(vault.close_all("canaryprovider+many").await, Ok(2600));
    assert_eq!(find("emp-f").await, ("emp-first".into(), 1, false));
    assert_eq!(find("emp-many").await, (String::new(), 0, false));
    // What has idled out is listed and takes nobody's place.
    for _ in 0..2100 {
        vault.open_session(&named("idle", "emp-idle", 5), millis(1500)).await.unwrap();
    }
    sleep(millis(1600)).await;
    assert_eq!(find("emp").await, ("Emp-Newest emp-first".into(), 2, false));
    let (own, twice) = (named("own", "Emp-own", 9), [HOUR, HOUR]);
    let mut ids = Vec::new();
    for idle in twice {
        ids.push(vault.open_session(&own, idle).await.unwrap());
    }
    vault.close_session(&ids[0], &own.identity).await.unwrap();
    let left = vault.handle(&ids[1], "canaryprovider+own");
    assert_eq!(find("emp-own").await.1, 1);
    assert!(vault.close_called(&left, "canaryprovider+own").await.unwrap());
    assert_eq!(find("emp-own").await.1, 0);
}

async fn a_record_is_stored_and_listed_in_one(store: Arc<dyn Store>) {
    let (ana, team) = (Key::of(Purpose::Person, b"listed ana"), Key::of(Purpose::Upstream, b"listed team"));
    store.put_listed(&key("listed"), b"value".to_vec(), millis(2000), &[ana.clone(), team.clone()], HOUR).await.unwrap();
    assert_eq!(store.get(&key("listed")).await.unwrap().as_deref(), Some(&b"value"[..]));
    sleep(millis(2100)).await;
    assert_eq!(store.get(&key("listed")).await.unwrap(), None);
    for index in [ana, team] {
        assert_eq!(members(&store, &index).await, [key("listed")], "an index keeps its member for as long as it was told");
    }
}

async fn a_member_expires_alone(store: Arc<dyn Store>) {
    let index = Key::of(Purpose::Person, b"two lives");
    list(&store, &index, &key("long"), HOUR).await;
    list(&store, &index, &key("short"), millis(500)).await;
    assert_eq!(members(&store, &index).await, sorted(vec![key("long"), key("short")]));
    sleep(millis(600)).await;
    assert_eq!(members(&store, &index).await, [key("long")], "a short-lived member must not take the index with it");
    let brief = Key::of(Purpose::Person, b"one short life");
    list(&store, &brief, &key("short"), millis(50)).await;
    sleep(millis(120)).await;
    assert_eq!(members(&store, &brief).await, []);
}

async fn members_of_an_index_can_be_added_at_once(store: Arc<dyn Store>) {
    let index = Key::of(Purpose::Person, b"busy");
    let adders: Vec<_> = (0..100)
        .map(|n| {
            let (store, index) = (store.clone(), index.clone());
            tokio::spawn(async move { list(&store, &index, &key(&format!("busy {n}")), HOUR).await })
        })
        .collect();
    for adder in adders {
        adder.await.unwrap();
    }
    assert_eq!(members(&store, &index).await.len(), 100);
}

fn budget(name: &str) -> Key {
    Key::of(Purpose::Asked, name.as_bytes())
}

async fn w10_a_budget_holds_whoever_asks_at_once(store: Arc<dyn Store>) {
    let askers: Vec<_> = (0..60)
        .map(|n| {
            let store = store.clone();
            let budgets = [(budget("all of them"), 40), (budget(&format!("address {}", n % 2)), 25)];
            tokio::spawn(async move { store.put_within(&key(&format!("asked {n}")), b"x".into(), HOUR, &budgets).await.unwrap() })
        })
        .collect();
    let mut stored = 0;
    for asker in askers {
        stored += usize::from(asker.await.unwrap() == Placed::Stored);
    }
    // One that the second budget refuses has a place in the first for a moment, in which another may find that full.
    assert!((30..=40).contains(&stored), "{stored} of at most 40");
    let mut there = 0;
    for n in 0..60 {
        there += usize::from(store.get(&key(&format!("asked {n}"))).await.unwrap().is_some());
    }
    assert_eq!(there, stored, "what was refused is not there");
    let late = async |n: usize, most| {
        store.put_within(&key(&format!("late {n}")), b"x".into(), HOUR, &[(budget("all of them"), most)]).await.unwrap()
    };
    for n in stored..40 {
        assert_eq!(late(n, 40).await, Placed::Stored);
    }
    assert_eq!(late(40, 40).await, Placed::Full(0));
    assert_eq!(late(40, 41).await, Placed::Stored);
}

async fn w10_what_a_budget_refuses_leaves_nothing_behind(store: Arc<dyn Store>) {
    let (wide, narrow) = (budget("wide"), budget("narrow"));
    let budgets = [(wide.clone(), 9), (narrow.clone(), 1)];
    let put = async |name: &str, ttl| store.put_within(&key(name), name.as_bytes().to_vec(), ttl, &budgets).await.unwrap();
    assert_eq!(put("first", millis(1500)).await, Placed::Stored);
    assert_eq!(put("second", HOUR).await, Placed::Full(1));
    assert_eq!(store.get(&key("second")).await.unwrap(), None);
    assert_eq!(members(&store, &wide).await, [key("first")], "the wider budget has its room back");
    // A key that is taken keeps its value, and costs no room.
    let taken = store.put_within(&key("first"), b"other".into(), HOUR, &[(wide.clone(), 9)]).await.unwrap();
    assert_eq!(taken, Placed::Taken);
    assert_eq!(store.get(&key("first")).await.unwrap().as_deref(), Some(&b"first"[..]));
    assert_eq!(members(&store, &wide).await.len(), 1);
    sleep(millis(1600)).await;
    assert_eq!(put("second", HOUR).await, Placed::Stored, "what has expired makes room");
    assert_eq!(put("first", HOUR).await, Placed::Full(1), "a key that has expired is free, and the budget still counts");
}

async fn what_is_taken_is_taken_whether_a_mark_is_free_or_not(store: Arc<dyn Store>) {
    let mark = Key::of(Purpose::Device, b"a mark");
    let ask = async || store.take_and_claim(&key("verdict"), &mark, millis(700)).await.unwrap();
    assert_eq!(ask().await, (None, true));
    assert_eq!(ask().await, (None, false));
    store.put(&key("verdict"), b"yes".into(), HOUR).await.unwrap();
    assert_eq!(ask().await, (Some(b"yes".into()), false));
    assert_eq!(ask().await, (None, false));
    sleep(millis(800)).await;
    assert_eq!(ask().await, (None, true));
}

async fn a20_a_value_is_swapped_for_what_was_read_and_by_one_alone(store: Arc<dyn Store>) {
    let swap = async |was: Option<&[u8]>, to: &str, ttl| store.swap(&key("swapped"), was, to.into(), ttl).await.unwrap();
    assert!(!swap(Some(b"one"), "two", HOUR).await, "nothing is there");
    assert!(swap(None, "one", HOUR).await);
    assert!(!swap(None, "two", HOUR).await && !swap(Some(b"One"), "two", HOUR).await && !swap(Some(b""), "two", HOUR).await);
    assert_eq!(store.get(&key("swapped")).await.unwrap().as_deref(), Some(&b"one"[..]));
    let all: Vec<_> = (0..16)
        .map(|n: u8| {
            let store = store.clone();
            tokio::spawn(async move { store.swap(&key("swapped"), Some(b"one"), vec![n; 300], HOUR).await.unwrap() })
        })
        .collect();
    let mut swapped = 0;
    for one in all {
        swapped += usize::from(one.await.unwrap());
    }
    assert_eq!(swapped, 1);
    let is = store.get(&key("swapped")).await.unwrap().unwrap();
    assert!(swap(Some(&is), "", millis(200)).await);
    assert!(swap(Some(b""), "short", millis(200)).await, "an empty value is one");
    sleep(millis(300)).await;
    assert!(!swap(Some(b"short"), "late", HOUR).await && swap(None, "late", HOUR).await, "what has expired is not there");
}

async fn a24_an_index_lets_those_stay_who_are_in_it(store: Arc<dyn Store>) {
    let index = budget("kept");
    let add = async |name: &str, ttl| store.index_add_within(&index, &key(name), ttl, 2).await.unwrap();
    assert!(add("one", millis(400)).await && add("two", HOUR).await);
    assert!(!add("three", HOUR).await && add("one", millis(400)).await, "it takes no other, and puts none out");
    assert_eq!(members(&store, &index).await.len(), 2);
    sleep(millis(500)).await;
    assert!(add("three", HOUR).await, "who has expired makes room");
    assert!(!add("one", HOUR).await);
}

async fn the_store_answers_a_ping(store: Arc<dyn Store>) {
    store.ping().await.unwrap();
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

fn session() -> rolegate::store::Session {
    serde_json::from_value(json!({
        "identity": {
            "provider": "canaryprovider",
            "subject": "canary-subject",
            "username": "canary-username@example.org",
            "groups": ["canary-group"],
            "claims": { "sub": "canary-subject", "department": "canary-claim" },
            "authentication": { "time": null, "mfa": true, "acr": null, "amr": ["canary-amr"], "sid": "canary-sid" },
            "upstream": { "id_token": "eyJ.canary-token.sig" }
        },
        "created": "2026-01-01T08:00:00Z",
        "expires": "2026-01-01T16:00:00Z"
    }))
    .unwrap()
}

/// Attack C2: who dumps Redis, or listens to its commands, learns nothing.
#[tokio::test(flavor = "multi_thread")]
async fn c2_nothing_in_redis_is_readable() {
    let redis = Redis::start(&[]);
    let mut monitor = redis.command().arg("MONITOR").stdout(Stdio::piped()).spawn().unwrap();
    sleep(millis(200)).await;

    let vault = redis.vault().await;
    let state = State::random();
    let login = json!({ "provider": "canaryprovider", "browser": "canary-browser", "return_to": "/canary-return",
        "begun": "2026-01-01T08:00:00Z", "secrets": { "oidc": { "nonce": "canary-nonce", "verifier": "canary-verifier" } } });
    let ticket = vault.ticket(&state, &serde_json::from_value(login).unwrap()).unwrap();
    assert!(vault.pending(&state, &ticket).is_some());
    assert!(vault.claim_login(&state, TimeDelta::minutes(10)).await.unwrap());
    let session = session();
    let id = vault.open_session(&session, HOUR).await.unwrap();
    assert!(vault.session(&id, session.created, HOUR).await.unwrap().is_some());
    let handover = vault.hand_over(&id, &json!({ "secret_access_key": "canary-secret" })).await.unwrap();
    vault.claim_once(Purpose::Used, b"canary-jti", HOUR).await.unwrap();
    let (code, user_code, grant) = (vault.authorization_code(&"canary-grant").unwrap(), UserCode::random(), GrantId::random());
    assert!(vault.claim_code(&code, HOUR).await.unwrap());
    vault.open_session_by(&session, HOUR, Some(&code)).await.unwrap();
    assert_eq!(vault.let_wait(&user_code, &"canary-device", HOUR, &[("canary-address", 9)]).await.unwrap(), Placed::Stored);
    assert!(vault.poll::<Value>(&grant, HOUR).await.is_ok());
    vault.judge(&grant, &"canary-verdict", HOUR).await.unwrap();

    let dump = redis.dump();
    // The taking is listened to as well.
    assert!(vault.take_handover::<Value>(&id, &handover).await.unwrap().is_some());
    assert_eq!(vault.close_all("canaryprovider+canary-subject").await, Ok(2));
    sleep(millis(200)).await;
    monitor.kill().unwrap();
    let mut heard = Vec::new();
    monitor.stdout.take().unwrap().read_to_end(&mut heard).unwrap();
    monitor.wait().unwrap();

    for (name, sink) in [("the dump", &dump), ("the monitor", &heard)] {
        for purpose in ["login", "session", "handover", "person", "used", "code", "opened", "user-code", "asked", "device", "verdict"] {
            assert!(
                contains(sink, &format!("rolegate:{purpose}:")),
                "{name} does not show the {purpose} record: the test looks in the wrong place"
            );
        }
        for secret in [
            &state.expose(),
            &ticket.expose(),
            &id.expose(),
            &handover.expose(),
            "canary",
            "subject",
            "department",
            "secret_access_key",
            &code.expose(),
            &user_code.to_string(),
            &user_code.to_string().replace('-', ""),
            &grant.expose(),
        ] {
            assert!(!contains(sink, secret), "{name} shows {secret}");
        }
    }
    // The search itself finds what is there in the clear.
    redis.store(&json!({})).put(&key("clear"), b"a canary in the clear".into(), HOUR).await.unwrap();
    assert!(contains(&redis.dump(), "canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_redis_fails_fast_and_a_new_one_is_used_without_a_new_store() {
    let mut redis = Redis::start(&[]);
    let store = redis.store(&json!({}));
    store.put(&key("a"), b"x".into(), HOUR).await.unwrap();
    redis.kill();
    for _ in 0..5 {
        let start = Instant::now();
        let error = store.get_and_touch(&key("a"), HOUR).await.unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(3), "took {:?}", start.elapsed());
        assert!(error.to_string().starts_with("the store is unavailable: Redis"), "{error}");
        assert!(store.take(&key("a")).await.is_err());
        assert!(store.claim(&key("used"), HOUR).await.is_err());
        assert!(store.ping().await.is_err());
    }
    redis.restart();
    // The very first operation works, whether it may be done twice or not.
    assert!(store.claim(&key("used"), HOUR).await.unwrap());
    store.put(&key("a"), b"y".into(), HOUR).await.unwrap();
    assert_eq!(store.take(&key("a")).await.unwrap(), Some(b"y".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_full_is_not_good() {
    let redis = Redis::start(&["--maxmemory-policy", "noeviction"]);
    let store = redis.store(&json!({}));
    store.ping().await.unwrap();
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(store.put(&key("a"), b"x".into(), HOUR).await.is_err());
    assert!(store.ping().await.is_err(), "what takes no session must not say that it is good");
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    store.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_hangs_fails_in_time_and_is_used_again_when_it_wakes() {
    let redis = Redis::start(&[]);
    let store = redis.store(&json!({}));
    store.put(&key("a"), b"x".into(), HOUR).await.unwrap();
    redis.signal("-STOP");
    for _ in 0..2 {
        let start = Instant::now();
        assert!(store.get(&key("a")).await.is_err());
        assert!(start.elapsed() < Duration::from_secs(3), "took {:?}", start.elapsed());
    }
    redis.signal("-CONT");
    assert_eq!(store.get(&key("a")).await.unwrap(), Some(b"x".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_may_be_opened_before_its_redis_is_up() {
    let mut redis = Redis::start(&[]);
    redis.kill();
    let vault = redis.vault().await;
    assert!(vault.ping().await.is_err());
    assert!(vault.session(&SessionId::random(), session().created, HOUR).await.is_err());
    redis.restart();
    vault.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_and_works_once_redis_knows_it() {
    let redis = Redis::start(&["--requirepass", "old-password"]);
    std::fs::write(redis.base().join("password"), "hush-hush\n").unwrap();
    let store = redis.store(&json!({ "password": { "file": "password" } }));
    let error = store.ping().await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
    redis.cli(&["CONFIG", "SET", "requirepass", "hush-hush"]);
    sleep(millis(1100)).await;
    // The first failure after the pause makes the store begin anew.
    drop(store.ping().await);
    store.ping().await.unwrap();
    assert!(redis.store(&json!({})).ping().await.is_err(), "without the password Redis must refuse");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_with_the_authority_that_is_named_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["right", "wrong"] {
        let script = format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}-ca.key -out {name}-ca.pem -days 2 -subj /CN={name}
             openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr -subj /CN=redis
             printf 'subjectAltName=IP:127.0.0.1\\n' > san
             openssl x509 -req -in {name}.csr -CA {name}-ca.pem -CAkey {name}-ca.key -CAcreateserial -out {name}.pem -days 2 -extfile san"
        );
        let made = Command::new("sh").args(["-ec", &script]).current_dir(folder.path()).output().unwrap();
        assert!(made.status.success(), "this test needs `openssl`: {}", String::from_utf8_lossy(&made.stderr));
    }
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let tls_port = free_port().to_string();
    let (certificate, private, authority) = (file("right.pem"), file("right.key"), file("right-ca.pem"));
    let arguments =
        ["--tls-port", &tls_port, "--tls-cert-file", &certificate, "--tls-key-file", &private, "--tls-ca-cert-file", &authority];
    let redis = Redis::start(&[&arguments[..], &["--tls-auth-clients", "no"]].concat());

    let url = format!("rediss://127.0.0.1:{tls_port}");
    redis.store(&json!({ "url": url, "ca_file": authority })).ping().await.unwrap();
    assert!(redis.store(&json!({ "url": url, "ca_file": file("wrong-ca.pem") })).ping().await.is_err());
    assert!(redis.store(&json!({ "url": url })).ping().await.is_err(), "the system's authorities do not vouch for it");
}
