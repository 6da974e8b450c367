//! What is said of a store and of sessions, well and badly.

use serde_json::{Value, json};

use super::*;

fn problems(settings: Value, base: &Path) -> Vec<Problem> {
    let settings: StoreSettings = serde_json::from_value(settings).unwrap();
    let mut problems = Vec::new();
    settings.check("store", base, &mut problems);
    problems
}

#[test]
fn what_stands_in_the_readme_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("k"), format!("{}\n", "ab".repeat(32))).unwrap();
    let keys = json!([{ "file": "k" }]);
    for settings in [
        json!({}),
        json!({ "url": "memory", "seal_keys": keys }),
        json!({ "url": "redis://127.0.0.1:6379", "seal_keys": keys }),
        json!({ "url": "redis://redis/1", "username": "gate", "password": { "file": "k" }, "seal_keys": keys }),
        json!({ "url": "rediss://[::1]:6380/", "ca_file": "k", "seal_keys": keys }),
        json!({ "url": "redis://h", "replicas": 2, "seal_keys": keys }),
        json!({ "sentinels": ["redis://s1:26379/1", "redis://s2:26379/1"], "primary": "gate", "seal_keys": keys }),
        json!({ "sentinels": ["rediss://s1"], "primary": "gate", "sentinel_password": { "file": "k" }, "ca_file": "k", "seal_keys": keys }),
        json!({ "cluster": ["redis://n1:6379", "redis://n2:6379/"], "password": { "file": "k" }, "replicas": 0, "seal_keys": keys }),
    ] {
        assert_eq!(problems(settings.clone(), folder.path()), vec![], "{settings}");
    }
}

#[test]
fn each_mistake_is_named_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("k"), "ab".repeat(32)).unwrap();
    std::fs::write(folder.path().join("short"), "abc").unwrap();
    let keys = json!([{ "file": "k" }]);
    for (settings, path, message) in [
        (json!({ "url": "redis://h" }), "store.seal_keys", "needs keys"),
        (json!({ "url": "redis://:hush@h", "seal_keys": keys }), "store.url", "a password stands in the URL"),
        (json!({ "url": "redis://ana@h", "seal_keys": keys }), "store.url", "user name"),
        (json!({ "url": "rediss://h/#insecure", "seal_keys": keys }), "store.url", "options"),
        (json!({ "url": "redis://h/?protocol=resp2", "seal_keys": keys }), "store.url", "options"),
        (json!({ "url": "redis://h/x", "seal_keys": keys }), "store.url", "database"),
        (json!({ "url": "http://h", "seal_keys": keys }), "store.url", "neither"),
        (json!({ "url": "Memory", "seal_keys": keys }), "store.url", "neither"),
        (json!({ "url": "redis://h", "ca_file": "k", "seal_keys": keys }), "store.url", "without TLS"),
        (json!({ "url": "rediss://h", "ca_file": "none", "seal_keys": keys }), "store.ca_file", "cannot be read"),
        (json!({ "url": "redis://h", "seal_keys": [{ "file": "k" }, { "file": "short" }] }), "store.seal_keys[1]", "32 bytes"),
        (json!({ "url": "redis://h", "password": { "file": "none" }, "seal_keys": keys }), "store.password", "cannot be read"),
        (json!({ "password": { "file": "k" } }), "store.password", "no use"),
        (json!({ "replicas": 1 }), "store.replicas", "no use"),
        (json!({ "url": "redis://h", "primary": "gate", "seal_keys": keys }), "store.primary", "without Sentinels"),
        (json!({ "url": "redis://h", "sentinels": ["redis://s"], "primary": "gate", "seal_keys": keys }), "store.sentinels", "both say"),
        (
            json!({ "sentinels": ["redis://s"], "primary": "gate", "cluster": ["redis://n"], "seal_keys": keys }),
            "store.cluster",
            "both say",
        ),
        (json!({ "sentinels": ["redis://s"], "seal_keys": keys }), "store.primary", "name of a Redis"),
        (json!({ "sentinels": ["redis://s"], "primary": "gate" }), "store.seal_keys", "needs keys"),
        (json!({ "sentinels": ["redis://s", "rediss://t"], "primary": "gate", "seal_keys": keys }), "store.sentinels[1]", "first one says"),
        (
            json!({ "sentinels": ["redis://s/1", "redis://t"], "primary": "gate", "seal_keys": keys }),
            "store.sentinels[1]",
            "first one says",
        ),
        (json!({ "sentinels": ["redis://:hush@s"], "primary": "gate", "seal_keys": keys }), "store.sentinels[0]", "a password stands"),
        (json!({ "cluster": ["redis://n/1"], "seal_keys": keys }), "store.cluster[0]", "one database"),
        (json!({ "cluster": ["redis://n", "n:6379"], "seal_keys": keys }), "store.cluster[1]", "neither"),
        (json!({ "cluster": ["redis://n"], "ca_file": "k", "seal_keys": keys }), "store.cluster", "without TLS"),
    ] {
        let found = problems(settings.clone(), folder.path());
        assert_eq!(found.len(), 1, "{settings}: {found:?}");
        assert_eq!(found[0].path, path, "{settings}");
        assert!(found[0].message.contains(message), "{settings}: {}", found[0]);
        assert!(!found[0].to_string().contains("hush"));
    }
    assert!(serde_json::from_value::<StoreSettings>(json!({ "uri": "memory" })).is_err());
}

#[test]
fn session_limits_are_checked() {
    let check = |settings: Value| {
        let settings: SessionSettings = serde_json::from_value(settings).unwrap();
        let mut problems = Vec::new();
        settings.check("session", &mut problems);
        problems.into_iter().map(|problem| problem.path).collect::<Vec<_>>()
    };
    assert_eq!(check(json!({})), Vec::<String>::new());
    assert_eq!(check(json!({ "idle": "1h", "absolute": "1h" })), Vec::<String>::new());
    assert_eq!(check(json!({ "idle": "9h" })), ["session.idle"]);
    assert_eq!(check(json!({ "idle": "5s" })), ["session.idle"]);
    assert_eq!(check(json!({ "absolute": "8days" })), ["session.absolute"]);
}
