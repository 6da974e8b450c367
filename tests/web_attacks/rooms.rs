//! The rooms for administrators and auditors: who gets in, what forged forms do there, and what hostile text does to pages and exports.

use crate::world::{Browser, World};

pub(crate) const RULES: &str = r#"
[[rule]]
id = "gateway-admins"
groups = ["aws-platform-admins"]
gateway = ["administrator"]
[[rule]]
id = "gateway-auditors"
groups = ["auditors"]
gateway = ["auditor"]
"#;

const FOR_AUDITORS: [&str; 4] = ["/audit", "/audit/chart", "/audit/export?format=csv", "/audit/event/ABCDEFGHIJ"];
const FOR_ADMINISTRATORS: [&str; 4] = ["/admin", "/admin/sessions", "/admin/sessions?who=ana", "/admin/playground"];
/// Fields beside the token.
const POSTS: [(&str, &[(&str, &str)]); 5] = [
    ("/admin/sessions/end", &[("person", "sandbox+dev"), ("who", "dev")]),
    ("/admin/sessions/end", &[("person", "sandbox+dev"), ("session", "x"), ("who", "dev")]),
    ("/admin/playground", &[("provider", "sandbox"), ("claims", "{}")]),
    ("/admin/playground/sign-in", &[("place", "1-0")]),
    ("/admin/playground/candidate", &[("rules", "")]),
];

pub(crate) async fn world() -> World {
    World::with(|config| format!("{config}\n{RULES}")).await
}

#[actix_web::test]
async fn w20_each_room_is_for_its_role_alone_and_a_try_is_recorded() {
    let world = world().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let mut odile = Browser::signed_in(&world, "odile").await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    for path in FOR_AUDITORS {
        let answer = odile.get(path).await;
        let own = if path.contains("event") { 404 } else { 200 };
        assert_eq!(answer.status, own, "{path}: {}", answer.body);
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        for other in [&mut ana, &mut dev] {
            other.get(path).await.assert_page(403, "This page is for auditors");
        }
    }
    for path in FOR_ADMINISTRATORS {
        let answer = ana.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        for other in [&mut odile, &mut dev] {
            other.get(path).await.assert_page(403, "administrators of the gateway");
        }
    }
    let stranger = Browser::new(&world).get("/audit?person=ana").await;
    assert!(stranger.location().starts_with("/login?next="), "{}", stranger.location());
    let csrf = dev.csrf().await;
    for (path, fields) in POSTS {
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", csrf.as_str())]).collect();
        dev.post(path, &fields).await.assert_page(403, "administrators of the gateway");
    }
    let refused = |kind: &str| world.audit().iter().filter(|event| event["kind"] == kind && event["outcome"] == "refused").count();
    assert_eq!((refused("audit.read"), refused("administration")), (8, 8 + POSTS.len()));
    // The start page leads those there who may enter.
    assert!(ana.get("/").await.body.contains("href=\"/admin\"") && !ana.get("/").await.body.contains("href=\"/audit\""));
    assert!(odile.get("/").await.body.contains("href=\"/audit\""));
    let devs = dev.get("/").await.body;
    assert!(devs.contains("aria-label=\"Pages\"") && !devs.contains("href=\"/audit\"") && !devs.contains("href=\"/admin\""));
}

#[actix_web::test]
async fn w20_a_forged_form_ends_nobodys_session_and_tries_nothing() {
    let world = world().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    let others = dev.csrf().await;
    for (path, fields) in POSTS {
        for token in ["", others.as_str()] {
            let fields: Vec<_> = fields.iter().copied().chain([("csrf", token)]).collect();
            ana.post(path, &fields).await.assert_page(403, "This form has expired");
        }
        let csrf = ana.csrf().await;
        let body = crate::world::form(&fields.iter().copied().chain([("csrf", csrf.as_str())]).collect::<Vec<_>>());
        let request =
            ana.request(reqwest::Method::POST, path).header("origin", "https://evil.example").header("sec-fetch-site", "cross-site");
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        ana.send(request).await.assert_page(403, "This form has expired");
    }
    dev.get("/").await.assert_page(200, "ReadOnly");
    // The honest sibling.
    let page = ana.get("/admin/sessions?who=DEV").await;
    page.assert_page(200, "End all of this person");
    let csrf = page.csrf();
    let answer = ana.post("/admin/sessions/end", &[("csrf", &csrf), ("person", "sandbox+dev"), ("who", "dev")]).await;
    assert_eq!(answer.location(), "/admin/sessions?who=dev&ended=1");
    ana.get(answer.location()).await.assert_page(200, "One session was ended.");
    assert!(dev.get("/").await.location().starts_with("/login"));
    let last = world.audit().into_iter().rfind(|event| event["kind"] == "sign_out").unwrap();
    assert_eq!(
        (last["kind"].as_str(), last["person"]["subject"].as_str(), last["by"]["subject"].as_str()),
        (Some("sign_out"), Some("dev"), Some("ana"))
    );
    ana.get("/").await.assert_page(200, "PlatformAdmin");
}

#[actix_web::test]
async fn an_administrator_ends_one_session_and_leaves_the_other() {
    let world = world().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let (mut first, mut second) = (Browser::signed_in(&world, "dev").await, Browser::signed_in(&world, "dev").await);
    let page = ana.get("/admin/sessions?who=dev%40exam").await;
    let handles: Vec<_> =
        page.body.split("name=\"session\" value=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
    assert_eq!(handles.len(), 2, "{}", page.body);
    let csrf = page.csrf();
    let end = [("csrf", csrf.as_str()), ("person", "sandbox+dev"), ("session", &handles[0]), ("who", "dev")];
    assert_eq!(ana.post("/admin/sessions/end", &end).await.location(), "/admin/sessions?who=dev&ended=1");
    let alive = [first.get("/").await.status, second.get("/").await.status].iter().filter(|status| **status == 200).count();
    assert_eq!(alive, 1);
    // Another person's handle finds nothing.
    let stranger = [("csrf", csrf.as_str()), ("person", "sandbox+ana"), ("session", &handles[1]), ("who", "dev")];
    assert_eq!(ana.post("/admin/sessions/end", &stranger).await.location(), "/admin/sessions?who=dev&ended=0");
    assert!(ana.get("/admin/sessions?who=dev").await.body.matches("name=\"session\"").count() == 1);
    ana.get("/admin/sessions?who=sandbox%2Bdev").await.assert_page(200, "dev@example.com");
    ana.get("/admin/sessions?who=nobody").await.assert_page(200, "Nobody has a living session");
}

#[actix_web::test]
async fn w20_hostile_names_stay_text_in_pages_and_cells_in_exports() {
    let world = world().await;
    let mut odile = Browser::signed_in(&world, "odile").await;
    // A browser may call itself anything, and a role that nobody has is recorded as it was asked for.
    let mut dev = Browser::signed_in(&world, "dev").await;
    let csrf = dev.csrf().await;
    for role in ["=HYPERLINK(\"http://evil.example\")", "<script>alert(1)</script>"] {
        let body = crate::world::form(&[("csrf", &csrf), ("role", role), ("duration", "3600")]);
        let request = dev.request(reqwest::Method::POST, "/credentials").header("sec-fetch-site", "same-origin");
        let request = request.header("user-agent", "=cmd|' /C calc'!A0").header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(dev.send(request.body(body)).await.status, 403);
    }
    let page = odile.get("/audit?kind=issue&outcome=refused").await;
    page.assert_page(200, "2 events");
    assert!(!page.body.contains("<script>alert") && page.body.contains("&#60;script&#62;alert(1)"), "{}", page.body);
    let link = page.body.split("href=\"/audit/event/").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
    let event = odile.get(&format!("/audit/event/{link}")).await;
    event.assert_page(200, "All that is recorded");
    assert!(!event.body.contains("<script>alert"), "{}", event.body);
    event.assert_page(200, "By the sign-in of");
    event.assert_page(200, "aws-444455556666-Developer");
    let csv = odile.get("/audit/export?format=csv&kind=issue").await;
    assert!(csv.header("content-disposition").starts_with("attachment; filename=\"rolegate-audit-"), "{csv:?}", csv = csv.headers);
    assert!(csv.header("content-type").starts_with("text/csv"));
    assert_eq!(csv.body.lines().count(), 3, "{}", csv.body);
    for cell in csv.body.lines().skip(1).flat_map(|line| line.split("\",\"")) {
        assert!(!cell.trim_start_matches('"').starts_with(['=', '+', '-', '@']), "{cell}");
    }
    assert!(
        csv.body.contains("\"'=HYPERLINK(\"\"http://evil.example\"\")\"") && csv.body.contains("\"'=cmd|' /C calc'!A0\""),
        "{}",
        csv.body
    );
    let jsonl = odile.get("/audit/export?format=jsonl&kind=issue").await;
    let roles: Vec<serde_json::Value> =
        jsonl.body.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["role"].clone()).collect();
    assert_eq!(roles, ["<script>alert(1)</script>", "=HYPERLINK(\"http://evil.example\")"]);
    odile.get("/audit/export?format=xls").await.assert_page(400, "cannot be read");
    // Each look is an event of its own, written before its outcome left.
    let looks: Vec<_> = world.audit().into_iter().filter(|event| event["kind"] == "audit.read").collect();
    assert_eq!(looks.len(), 4, "{looks:#?}");
    assert_eq!(looks[0]["looked_for"], "kind=\"issue\" outcome=\"refused\"");
    assert_eq!(looks[0]["person"]["subject"], "odile");
}

#[actix_web::test]
async fn an_auditor_gets_from_cloudtrail_to_the_rule_and_back_and_through_long_trails() {
    let world = world().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let mut odile = Browser::signed_in(&world, "odile").await;
    let csrf = ana.csrf().await;
    for _ in 0..3 {
        let taken = ana.post("/credentials", &[("csrf", &csrf), ("role", crate::world::ADMIN), ("duration", "3600")]).await;
        assert_eq!(taken.status, 303, "{}", taken.body);
    }
    let issued = world.audit().into_iter().rfind(|event| event["kind"] == "issue").unwrap();
    let key = issued["access_key_id"].as_str().unwrap();
    odile.get(&format!("/audit?id={key}")).await.assert_page(200, "1 event,");
    let event = odile.get(&format!("/audit/event/{}", issued["incident"].as_str().unwrap())).await;
    for words in ["userIdentity.accessKeyId", key, "admins", "in force now", "aws-platform-admins", "lookup-events"] {
        event.assert_page(200, words);
    }
    event.assert_page(200, "Nothing was changed, put in or taken out from the event 1 to");
    odile.get("/audit?rule=admins").await.assert_page(200, "3 events");
    odile.get("/audit?account=Production&role=PlatformAdmin&person=ANA").await.assert_page(200, "3 events");
    odile.get("/audit?account=444455556666").await.assert_page(200, "Nothing was found");
    odile.get("/audit?since=2027-01-15&until=2027-01-15&kind=issue").await.assert_page(200, "3 events");
    odile.get("/audit?since=2027-01-16").await.assert_page(200, "Nothing was found");
    odile.get("/audit?since=yesterday").await.assert_page(200, "Write a day as");
    let chart = odile.get("/audit/chart?step=hour").await;
    chart.assert_page(200, "<svg class=\"plot\"");
    chart.assert_page(200, "Production 111122223333");
    assert!(!chart.body.contains("style="), "{}", chart.body);
    // More than one page.
    for _ in 0..60 {
        odile.get("/audit?rule=none").await;
    }
    let first = odile.get("/audit").await;
    first.assert_page(200, "50 events");
    let older = first.body.split("href=\"/audit?from=").nth(1).unwrap().split('"').next().unwrap().to_owned();
    odile.get(&format!("/audit?from={older}")).await.assert_page(200, "Sign-in");
    odile.get("/audit?from=1-0").await.assert_page(404, "rotated meanwhile");
}

#[actix_web::test]
async fn w21_an_event_that_was_changed_afterwards_is_shown_as_that() {
    let world = world().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let mut odile = Browser::signed_in(&world, "odile").await;
    let csrf = ana.csrf().await;
    ana.post("/credentials", &[("csrf", &csrf), ("role", crate::world::ADMIN), ("duration", "3600")]).await;
    let issued = world.audit().into_iter().rfind(|event| event["kind"] == "issue").unwrap();
    let page = format!("/audit/event/{}", issued["incident"].as_str().unwrap());
    odile.get(&page).await.assert_page(200, ">whole<");
    let path = world.folder.path().join("audit.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches("PlatformAdmin").count(), 2, "{text}");
    std::fs::write(&path, text.replace("PlatformAdmin", "PlatformGuest")).unwrap();
    let changed = odile.get(&page).await;
    changed.assert_page(200, ">broken<");
    changed.assert_page(200, &format!("it is the event {}, and not what it was", issued["seq"]));
}

#[actix_web::test]
async fn an_administrator_sees_how_the_gateway_runs_and_tries_rules() {
    let world = world().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    Browser::signed_in(&world, "dev").await;
    let status = ana.get("/admin").await;
    for words in
        ["Policy in force", "The sandbox provider", "not asked yet", "minted tokens, ES256", "Endpoints of STS", "made at each start"]
    {
        status.assert_page(200, words);
    }
    let csrf = ana.csrf().await;
    let claims = r#"{ "sub": "x", "groups": ["developers"], "canary": "canary-value" }"#;
    let try_claims =
        [("csrf", csrf.as_str()), ("provider", "sandbox"), ("claims", claims), ("role", "Production/PlatformAdmin"), ("ip", "192.0.2.1")];
    let tried = ana.post("/admin/playground", &try_claims).await;
    for words in ["not granted", "the group aws-platform-admins", "the rule readers, by developers", "Production"] {
        tried.assert_page(200, words);
    }
    assert_eq!(tried.header("cache-control"), "no-store");
    for (claims, words) in [("[]", "This is no JSON object"), ("{", "This is no JSON object"), ("{\"groups\": 7}", "would be refused")] {
        let fields = [("csrf", csrf.as_str()), ("provider", "sandbox"), ("claims", claims)];
        ana.post("/admin/playground", &fields).await.assert_page(200, words);
    }
    let list = ana.get("/admin/playground?recent=1").await;
    list.assert_page(200, "dev@example.com, ");
    let place = list
        .body
        .split("<option value=\"")
        .map(|rest| rest.split('"').next().unwrap())
        .find(|value| value.contains('-') && list.body.contains(&format!("<option value=\"{value}\">dev@example.com")));
    let fields = [("csrf", csrf.as_str()), ("place", place.unwrap()), ("role", "")];
    ana.post("/admin/playground/sign-in", &fields).await.assert_page(200, "the rule readers, by developers");
    let rules = |text: &str| format!("[[account]]\nid = \"111122223333\"\nname = \"Production\"\n{text}");
    let candidate = rules(
        "[[rule]]\nid = \"admins\"\ngroups = [\"developers\"]\naccounts = [\"*\"]\nroles = [\"PlatformAdmin\"]\n[[rule]]\nid = \"g\"\ngroups = [\"developers\"]\ngateway = [\"auditor\"]\n",
    );
    let compared = ana.post("/admin/playground/candidate", &[("csrf", &csrf), ("rules", &candidate)]).await;
    for words in ["What would change", "Tried with 2 people", "dev@example.com", "gateway:auditor", "gateway:administrator"] {
        compared.assert_page(200, words);
    }
    let wrong = rules("[[rule]]\nid = \"r\"\neveryone = true\naccounts = [\"Nowhere\"]\nroles = [\"X\"]\n");
    ana.post("/admin/playground/candidate", &[("csrf", &csrf), ("rules", &wrong)]).await.assert_page(200, "rule[0].accounts[0]");
    let reads = rules("[[rule]]\nid = \"r\"\neveryone = true\naccounts = [\"*\"]\nroles = [\"X\"]\nsession_policy = \"/etc/passwd\"\n");
    ana.post("/admin/playground/candidate", &[("csrf", &csrf), ("rules", &reads)]).await.assert_page(200, "not read here");
    // Nothing of what was pasted is kept, and nothing came in force.
    assert!(!format!("{:?}", world.audit()).contains("canary"));
    ana.get("/").await.assert_page(200, "PlatformAdmin");
}

#[actix_web::test]
async fn w20_nobodys_session_is_ended_by_another_without_a_record_and_everybody_gets_out() {
    crate::log::listen();
    let world = world().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let (mut dev, mut second) = (Browser::signed_in(&world, "dev").await, Browser::signed_in(&world, "dev").await);
    let (csrf, own) = (ana.csrf().await, dev.csrf().await);
    world.break_trail();
    for ending in [&[("person", "sandbox+dev"), ("who", "dev")][..], &[("person", "sandbox+dev"), ("session", "x"), ("who", "dev")]] {
        let fields: Vec<_> = ending.iter().copied().chain([("csrf", csrf.as_str())]).collect();
        let answer = ana.post("/admin/sessions/end", &fields).await;
        if ending.len() == 2 {
            answer.assert_page(503, "Nothing was ended");
        } else {
            assert_eq!(answer.location(), "/admin/sessions?who=dev&ended=0", "there is none of that name");
        }
    }
    assert_eq!(dev.get("/").await.status, 200, "it lives");
    // Their own way out waits for no disk.
    let out = dev.post("/logout", &[("csrf", &own), ("scope", "here")]).await;
    assert_eq!(out.status, 303, "{}", out.body);
    assert!(dev.get("/").await.location().starts_with("/login"));
    assert_eq!(second.get("/").await.status, 200);
    // The log has who and what.
    let log = crate::log::heard();
    for (words, names) in [
        ("not done, because it cannot be recorded", &["sandbox+dev", "sandbox+ana", "every session of the person: 2 are alive"][..]),
        ("done, and not in the audit trail", &["sandbox+dev", "SignOut"]),
    ] {
        let is_told = |line: &str| line.contains(words) && names.iter().all(|name| line.contains(name));
        assert!(log.lines().any(is_told), "{words}");
    }
    world.mend_trail();
    let answer = ana.post("/admin/sessions/end", &[("csrf", &csrf), ("person", "sandbox+dev"), ("who", "dev")]).await;
    assert_eq!(answer.location(), "/admin/sessions?who=dev&ended=1");
    assert!(second.get("/").await.location().starts_with("/login"));
    let ended = world.audit().into_iter().rfind(|event| event["kind"] == "sign_out").unwrap();
    assert_eq!((ended["by"]["subject"].as_str(), ended["person"]["subject"].as_str()), (Some("ana"), Some("dev")));
    assert_eq!(ended["reason"], "an administrator ends every session of the person: 1 are alive");
}

#[actix_web::test]
async fn w20_what_administrators_look_for_and_whose_sign_in_they_try_is_recorded() {
    let world = world().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    Browser::signed_in(&world, "dev").await;
    ana.get("/admin/sessions").await;
    ana.get("/admin/sessions?who=dev%20kind%3Dissue").await.assert_page(200, "Nobody has a living session");
    ana.get("/admin/sessions?who=de").await.assert_page(200, "three characters at least to find longer names");
    let list = ana.get("/admin/playground?recent=1").await;
    let place = list.body.split("<option value=\"").map(|rest| rest.split('"').next().unwrap());
    let place =
        place.into_iter().find(|value| list.body.contains(&format!("<option value=\"{value}\">dev@example.com"))).unwrap().to_owned();
    let csrf = list.csrf();
    ana.post("/admin/playground/sign-in", &[("csrf", &csrf), ("place", &place)]).await.assert_page(200, "readers");
    ana.post("/admin/playground/sign-in", &[("csrf", &csrf), ("place", "1-0")]).await.assert_page(200, "There is no such sign-in");
    let looked_for: Vec<_> = world.audit().iter().filter_map(|event| event["looked_for"].as_str().map(str::to_owned)).collect();
    assert_eq!(
        looked_for,
        [
            "living sessions of \"dev kind=issue\"",
            "living sessions of \"de\"",
            "recent sign-ins, to try rules with",
            &format!("the sign-in at {place}, to try rules with, which is of \"sandbox+dev\""),
            "the sign-in at 1-0, to try rules with, which is of nobody: there is none",
        ]
    );
}

#[actix_web::test]
async fn a25_with_a_second_file_people_are_served_and_told_of_the_first() {
    let world = World::with(|config| {
        let config = config.replace("[audit]\n", "[audit]\nrequire = \"any\"\n");
        format!("{config}\n{RULES}\n[[audit.sink]]\nfile = \"second.jsonl\"\n")
    })
    .await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let second = world.folder.path().join("second.jsonl");
    let first = world.folder.path().join("audit.jsonl");
    let text = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
    assert!(text(&first).lines().count() >= 1);
    assert_eq!(text(&first), text(&second));
    let ready = Browser::new(&world).get("/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.body.as_str()), (200, "store: ok\naudit: ok\n"));
    // Its file is gone, and something else has its place.
    std::fs::remove_file(&second).unwrap();
    std::fs::create_dir(&second).unwrap();
    let csrf = ana.csrf().await;
    let form = [("csrf", csrf.as_str()), ("role", crate::world::ADMIN), ("duration", "3600")];
    assert_eq!(ana.post("/credentials", &form).await.status, 303);
    let ready = Browser::new(&world).get("/readyz").await;
    assert_eq!((ready.status.as_u16(), ready.body.as_str()), (200, "store: ok\naudit: ok, 1 of its sinks behind\n"));
    ana.get("/admin").await.assert_page(200, "A sink of the audit trail does not take events");
    let told: Vec<_> = world.audit().into_iter().filter(|event| event["kind"] == "audit.degraded").collect();
    assert!(told.len() == 1 && told[0]["reason"].as_str().unwrap().contains("second.jsonl"), "{told:?}");
    // It has what it missed once it can be written, without an event.
    std::fs::remove_dir(&second).unwrap();
    let mut ready = Browser::new(&world).get("/readyz").await;
    // Asked for, it gets a chance once a second.
    for _ in 0..50 {
        if !ready.body.contains("behind") {
            break;
        }
        actix_web::rt::time::sleep(std::time::Duration::from_millis(100)).await;
        ready = Browser::new(&world).get("/readyz").await;
    }
    assert_eq!((ready.status.as_u16(), ready.body.as_str()), (200, "store: ok\naudit: ok\n"));
    let missed = text(&second);
    assert!(missed.lines().count() >= 2 && text(&first).ends_with(&missed), "{missed}");
    // Both: nothing is handed out.
    for path in [&first, &second] {
        std::fs::remove_file(path).unwrap();
        std::fs::create_dir(path).unwrap();
    }
    ana.post("/credentials", &form).await.assert_page(503, "The audit trail cannot be written");
}
