//! Attack W20 once more: what one administrator or auditor asks for has bounds, and costs the others nothing.

use crate::rooms::{RULES, world};
use crate::world::{Browser, World};

#[actix_web::test]
async fn w20_rules_that_grant_without_end_are_given_up_and_hold_up_nobody() {
    let world = world().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let mut odile = Browser::signed_in(&world, "odile").await;
    let groups: Vec<_> = (0..2000).map(|n| format!("group-{n}")).collect();
    let sign_in = |n: usize| {
        let person = serde_json::json!({ "provider": "sandbox", "subject": format!("s{n}"), "username": format!("s{n}@example.com") });
        let event = serde_json::json!({ "time": "2027-01-15T08:00:00Z", "incident": "i", "kind": "sign_in", "outcome": "ok", "person": person,
            "groups": groups });
        format!("{event}\n")
    };
    world.add_to_trail(&(0..20).map(sign_in).collect::<String>());
    let csrf = ana.csrf().await;
    let account = "[[account]]\nid = \"111122223333\"\nname = \"Production\"\n";
    let rule = |n: usize| format!("[[rule]]\nid = \"r{n}\"\ngroup_pattern = '(?<g>group-.*)'\naccounts = ['*']\nroles = ['x{n}-${{g}}']\n");
    let rules = account.to_owned() + &(0..100).map(rule).collect::<String>();
    let mut twice = ana.clone();
    let fields = [("csrf", csrf.as_str()), ("rules", rules.as_str())];
    let began = std::time::Instant::now();
    let (first, second, trail) = tokio::join!(
        ana.post("/admin/playground/candidate", &fields),
        twice.post("/admin/playground/candidate", &fields),
        odile.get("/audit?kind=sign_in")
    );
    trail.assert_page(200, "22 events");
    for tried in [first, second] {
        // The three who signed in here are tried; if the machine is slow, fewer are come to.
        assert!(tried.body.contains("20 were left out") || tried.body.contains("were not tried: it was broken off"), "{}", tried.body);
        tried.assert_page(200, "rolegate diff");
    }
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    // The same person, pasted, and rules that a few words make endless.
    let claims = serde_json::json!({ "sub": "x", "groups": groups }).to_string();
    let fields = [("csrf", csrf.as_str()), ("provider", "sandbox"), ("claims", claims.as_str())];
    ana.post("/admin/playground", &fields).await.assert_page(200, "with 2000 groups");
    let roles = (0..90_000).map(|n| format!("'{n}'")).collect::<Vec<_>>().join(",");
    let everywhere = format!("{account}[[rule]]\nid = 'r'\neveryone = true\naccounts = ['*','*','*','*','*','*']\nroles = [{roles}]\n");
    let fields = [("csrf", csrf.as_str()), ("rules", everywhere.as_str())];
    ana.post("/admin/playground/candidate", &fields).await.assert_page(200, "more than 500000 are not tried here");
    let pattern =
        |n: usize| format!("[[rule]]\nid = 'p{n}'\ngroup_pattern = '(?<g>[a-z]{{1,99}}{n})'\naccounts = ['*']\nroles = ['${{g}}']\n");
    let patterns = account.to_owned() + &(0..257).map(pattern).collect::<String>();
    let fields = [("csrf", csrf.as_str()), ("rules", patterns.as_str())];
    ana.post("/admin/playground/candidate", &fields).await.assert_page(200, "more than 256 are not tried here");
}

#[actix_web::test]
async fn w20_moments_beyond_all_years_and_large_forms_are_answered_with_a_sentence() {
    let world = world().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let mut odile = Browser::signed_in(&world, "odile").await;
    for moment in ["-262143-01-01T00:00:00Z", "%2B262142-12-31T23:59:59Z", "1999-12-31", "%2B10000-01-01"] {
        for (field, page) in [("until", "/audit"), ("since", "/audit"), ("until", "/audit/chart"), ("since", "/audit/chart")] {
            odile.get(&format!("{page}?{field}={moment}")).await.assert_page(200, "of the years 2000 to 9999");
        }
        odile.get(&format!("/audit/export?format=csv&until={moment}")).await.assert_page(400, "cannot be read");
    }
    odile.get("/audit/chart?until=9999-12-31&step=hour").await.assert_page(200, "Nothing was issued");
    odile.get("/audit/chart?since=2000-01-01&until=2000-01-01").await.assert_page(200, "Nothing was issued");
    // What is nearly 1 MiB of text is three times as much in a form.
    let csrf = ana.csrf().await;
    let line = "# \u{e4}\u{f6}\u{fc} [\"=\"]\r\n";
    let most = line.repeat(1024 * 1024 / (line.len() - 1));
    for (rules, words) in [(most.clone(), "Nothing changes for these people"), (most + line, "more than 1 MiB of text")] {
        let answer = ana.post("/admin/playground/candidate", &[("csrf", &csrf), ("rules", &rules)]).await;
        assert!(answer.status == 200 && (answer.body.contains(words) || answer.body.contains("What would change")), "{}", answer.status);
        assert_eq!(answer.body.contains("more than 1 MiB"), words.contains("more than 1 MiB"));
        let claims = format!("{{ \"sub\": \"x\", \"note\": \"{}\" }}", "\u{e4}".repeat(rules.len() / 2 - 40));
        ana.post("/admin/playground", &[("csrf", &csrf), ("provider", "sandbox"), ("claims", &claims)]).await;
    }
}

#[actix_web::test]
async fn w20_one_auditors_many_looks_leave_room_for_anothers() {
    let world =
        World::with(|config| format!("{config}\n{RULES}").replace("groups = [\"auditors\"]", "groups = [\"auditors\", \"developers\"]"))
            .await;
    let odile = Browser::signed_in(&world, "odile").await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    let event = r#"{"time":"2027-01-15T07:00:00Z","incident":"i","kind":"issue","outcome":"ok","account":"111122223333","person":{"provider":"sandbox","subject":"x","username":"x"}}"#;
    world.add_to_trail(&format!("{event}\n").repeat(10_000));
    let charts: Vec<_> = (0..8)
        .map(|_| {
            let mut odile = odile.clone();
            actix_web::rt::spawn(async move { odile.get("/audit/chart").await.status })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let began = std::time::Instant::now();
    dev.get("/audit?kind=sign_in&person=nobody").await.assert_page(200, "Nothing was found");
    let own = began.elapsed();
    for chart in charts {
        assert_eq!(chart.await.unwrap(), 200);
    }
    let all = began.elapsed();
    assert!(own * 2 < all, "{own:?} of {all:?}: it had a place of its own");
    // An export lasts as long as its reader takes, and nobody has two at a time.
    world.add_to_trail(&format!("{event}\n").repeat(100_000));
    let half = odile.request(reqwest::Method::GET, "/audit/export?format=jsonl").send().await.unwrap();
    let mut other = odile.clone();
    let refused = other.get("/audit/export?format=csv").await;
    refused.assert_page(429, "An export of yours goes on already");
    assert_eq!(refused.header("retry-after"), "30");
    dev.get("/audit/export?format=csv&until=2026-12-31").await.assert_page(200, "time,incident");
    drop(half);
    for _ in 0..100 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        if other.get("/audit/export?format=csv&until=2026-12-31").await.status == 200 {
            return;
        }
    }
    panic!("whoever has gone away keeps their place");
}
