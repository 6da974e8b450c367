//! What all processes with one Redis share: how much somebody has of something.

use std::time::Duration;

use rolegate::store::Allowance;
use serde_json::json;

use super::{Redis, key, millis};

const OF: Allowance = Allowance { each: Duration::from_millis(100), burst: 10 };

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn w09_an_allowance_is_used_once_by_all_processes_together_and_comes_back() {
    let redis = Redis::start(&[]);
    let stores = [redis.store(&json!({})), redis.store(&json!({}))];
    let tasks: Vec<_> = (0..100)
        .map(|number: usize| {
            let store = stores[number % 2].clone();
            tokio::spawn(async move { store.spend(&key("ana"), 1, OF).await.unwrap() })
        })
        .collect();
    let (mut had, mut longest) = (0, Duration::ZERO);
    for task in tasks {
        match task.await.unwrap() {
            None => had += 1,
            Some(wait) => longest = longest.max(wait),
        }
    }
    // It comes back while this runs: one in a tenth of a second.
    assert!((10..30).contains(&had), "{had}");
    assert!(longest > Duration::ZERO && longest <= millis(100), "{longest:?}");
    assert_eq!(stores[0].spend(&key("ben"), 1, OF).await.unwrap(), None, "others have their own");
    tokio::time::sleep(longest).await;
    assert_eq!(stores[1].spend(&key("ana"), 1, OF).await.unwrap(), None, "whoever waits as long as they are told has one");
}

#[tokio::test(flavor = "multi_thread")]
async fn w09_several_count_as_several_and_nothing_stays() {
    let redis = Redis::start(&[]);
    let store = redis.store(&json!({}));
    assert_eq!(store.spend(&key("whole"), 1000, OF).await.unwrap(), None, "what is worth more than all takes all");
    assert!(store.spend(&key("whole"), 1, OF).await.unwrap().is_some());
    let slow = Allowance { each: Duration::from_hours(1), burst: 4 };
    assert_eq!(store.spend(&key("slow"), 3, slow).await.unwrap(), None);
    let wait = store.spend(&key("slow"), 2, slow).await.unwrap().unwrap();
    assert!(wait > Duration::from_mins(59) && wait <= Duration::from_hours(1), "{wait:?}");
    assert_eq!(store.spend(&key("slow"), 1, slow).await.unwrap(), None, "what was refused took nothing");
    // When an allowance is whole again, nothing is left of it.
    tokio::time::sleep(millis(1200)).await;
    let left = String::from_utf8(redis.cli(&["KEYS", "*"])).unwrap();
    assert_eq!(left.trim(), key("slow").as_str());
}
