//! What all processes with one Redis share: how much somebody has of something.

use std::time::Duration;

use rolegate::store::Allowance;
use serde_json::json;

use super::{Redis, key, millis};

/// While a test runs, none comes back.
const SLOW: Allowance = Allowance { each: Duration::from_hours(1), burst: 10 };
const OF: Allowance = Allowance { each: Duration::from_millis(100), burst: 10 };

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn w09_an_allowance_is_used_once_by_all_processes_together_and_comes_back() {
    let redis = Redis::start(&[]);
    let stores = [redis.store(&json!({})), redis.store(&json!({}))];
    let tasks: Vec<_> = (0..100)
        .map(|number: usize| {
            let store = stores[number % 2].clone();
            tokio::spawn(async move { store.spend(&key("ana"), 1, SLOW).await.unwrap() })
        })
        .collect();
    let mut had = 0;
    for task in tasks {
        had += usize::from(task.await.unwrap().is_none());
    }
    assert_eq!(had, 10, "two that count for themselves would give twenty");
    assert_eq!(stores[0].spend(&key("ben"), 10, OF).await.unwrap(), None, "others have their own");
    while let Some(wait) = stores[1].spend(&key("ben"), 1, OF).await.unwrap() {
        assert!(wait <= millis(100), "{wait:?}");
        tokio::time::sleep(wait).await;
    }
}

/// As after a change of the settings, or where a replica with a slower clock took over.
#[tokio::test(flavor = "multi_thread")]
async fn w09_nobody_waits_longer_than_the_settings_of_today_want() {
    let redis = Redis::start(&[]);
    let store = redis.store(&json!({}));
    assert_eq!(store.spend(&key("ana"), 10, SLOW).await.unwrap(), None);
    let wait = store.spend(&key("ana"), 1, OF).await.unwrap().unwrap();
    assert!(wait <= millis(100), "{wait:?}");
    redis.cli(&["SET", key("broken").as_str(), "no number", "PX", "60000"]);
    assert_eq!(store.spend(&key("broken"), 1, OF).await.unwrap(), None);
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
