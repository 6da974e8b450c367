//! Roles that are had on request, and for emergencies: what an approver may do, and what nobody may.

use std::io::BufRead;
use std::process::{Command, Stdio};
use std::sync::Arc;

use reqwest::Method;
use rolegate::store::BookRef;
use rolegate::{config, startup};
use serde_json::Value;

use crate::world::{ADMIN, Answer, Browser, READER, World, form};

const RULES: &str = r#"
[[rule]]
id = "admin-on-request"
groups = ["developers", "auditors"]
accounts = ["*"]
roles = ["PlatformAdmin"]
requestable = { approvers = ["aws-platform-admins", "auditors"], max_duration = "2h" }
reason = { pattern = 'OPS-[0-9]+', hint = "the ticket" }
[[rule]]
id = "emergency"
groups = ["auditors"]
accounts = ["*"]
roles = ["ReadOnly"]
break_glass = true
[[rule]]
id = "gateway-admins"
groups = ["aws-platform-admins"]
gateway = ["administrator"]
[[rule]]
id = "gateway-auditors"
groups = ["auditors"]
gateway = ["auditor"]
"#;

async fn world() -> World {
    World::with(|config| format!("{config}\n{RULES}")).await
}

async fn ask(browser: &mut Browser, seconds: &str) -> Answer {
    let csrf = browser.csrf().await;
    browser.post("/requests", &[("csrf", &csrf), ("role", ADMIN), ("reason", "OPS-7"), ("duration", seconds)]).await
}

/// The id of the last request on somebody's own page.
async fn own_id(browser: &mut Browser) -> String {
    let page = browser.get("/requests").await;
    let (_, own) = page.body.split_once("id=\"h-own\"").unwrap();
    own.split("name=\"id\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

fn of(person: &str) -> String {
    BookRef::of(&format!("sandbox+{person}")).as_str().to_owned()
}

async fn decide(browser: &mut Browser, of: &str, id: &str, verdict: &str) -> Answer {
    let csrf = browser.get("/requests").await.csrf();
    browser.post("/requests/decide", &[("csrf", &csrf), ("of", of), ("id", id), ("verdict", verdict)]).await
}

async fn take(browser: &mut Browser, role: &str, reason: &str) -> Answer {
    let csrf = browser.csrf().await;
    browser.post("/credentials", &[("csrf", &csrf), ("role", role), ("reason", reason)]).await
}

async fn break_glass(browser: &mut Browser, role: &str, reason: &str) -> Answer {
    let csrf = browser.csrf().await;
    browser.post("/credentials", &[("csrf", &csrf), ("role", role), ("reason", reason), ("break_glass", "1")]).await
}

fn of_kind(world: &World, kind: &str) -> Vec<Value> {
    world.audit().into_iter().filter(|event| event["kind"] == kind).collect()
}

fn outcomes(world: &World, kind: &str) -> Vec<String> {
    of_kind(world, kind).iter().map(|event| event["outcome"].as_str().unwrap().to_owned()).collect()
}

/// Dev asks, and Odile grants it.
async fn granted(world: &World) -> (Browser, Browser, String) {
    let mut dev = Browser::signed_in(world, "dev").await;
    let mut odile = Browser::signed_in(world, "odile").await;
    assert_eq!(ask(&mut dev, "3600").await.location(), "/requests?done=asked");
    let id = own_id(&mut dev).await;
    let answer = decide(&mut odile, &of("dev"), &id, "grant").await;
    assert_eq!(answer.location(), "/requests?done=granted", "{}", answer.body);
    (dev, odile, id)
}

#[actix_web::test]
async fn a19_a_role_is_asked_for_granted_taken_and_over() {
    let world = world().await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    let mut odile = Browser::signed_in(&world, "odile").await;
    let home = dev.get("/").await;
    home.assert_page(200, "On request");
    home.assert_page(200, "placeholder=\"the ticket\"");
    take(&mut dev, ADMIN, "OPS-7").await.assert_page(403, "This role is had on request");
    assert_eq!(world.issued(), 0);
    dev.get("/go?account=111122223333&role=PlatformAdmin").await.assert_page(200, "You do not hold this role");
    let csrf = dev.csrf().await;
    let asking = |reason, duration| [("csrf", csrf.as_str()), ("role", ADMIN), ("reason", reason), ("duration", duration)];
    dev.post("/requests", &asking("because", "3600")).await.assert_page(400, "the ticket");
    dev.post("/requests", &asking("OPS-7", "7201")).await.assert_page(400, "15 minutes to 2h");
    dev.post("/requests", &[("csrf", csrf.as_str()), ("role", READER), ("reason", "OPS-7")]).await.assert_page(403, "No rule gives");
    assert_eq!(ask(&mut dev, "3600").await.location(), "/requests?done=asked");
    ask(&mut dev, "3600").await.assert_page(409, "asked for this role already");
    dev.get("/").await.assert_page(200, "Waits for a decision");
    take(&mut dev, ADMIN, "OPS-7").await.assert_page(403, "This role is had on request");
    let waiting = odile.get("/requests").await;
    let details = ["by the rule <code>admin-on-request</code>", "for the console and credentials"];
    for words in ["Waiting for your decision", "dev@example.com", "PlatformAdmin", "OPS-7", "1 h"].into_iter().chain(details) {
        waiting.assert_page(200, words);
    }
    let id = own_id(&mut dev).await;
    assert_eq!(decide(&mut odile, &of("dev"), &id, "grant").await.location(), "/requests?done=granted");
    dev.get("/requests").await.assert_page(200, "To the role");
    dev.get("/explain?role=Production%2FPlatformAdmin").await.assert_page(200, "granted on your request by odile@example.com");
    // It was said in the request, and goes along.
    assert_eq!(take(&mut dev, ADMIN, "").await.status, 303);
    assert_eq!(world.issued(), 1);
    let issue = of_kind(&world, "issue").pop().unwrap();
    assert_eq!((issue["outcome"].as_str(), issue["stated_reason"].as_str()), (Some("ok"), Some("OPS-7")));
    let grant = &issue["grants"][0];
    assert_eq!(
        (grant["id"].as_str(), grant["approver"].as_str(), grant["rule"].as_str()),
        (Some(id.as_str()), Some("sandbox+odile"), Some("admin-on-request"))
    );
    let approved = of_kind(&world, "request.approved").pop().unwrap();
    assert_eq!((approved["person"]["subject"].as_str(), approved["by"]["subject"].as_str()), (Some("dev"), Some("odile")));
    assert_eq!((approved["grants"][0]["id"].as_str(), approved["expires"].as_str()), (Some(id.as_str()), grant["until"].as_str()));
    assert_eq!(outcomes(&world, "request.made"), ["refused", "refused", "refused", "ok", "refused"]);
    // By the grant's id an auditor finds each step and each use.
    odile.get(&format!("/audit?id={id}")).await.assert_page(200, "3 events");
    world.advance(3599);
    assert_eq!(take(&mut dev, ADMIN, "").await.status, 303);
    // What is shown as recent ends when it does, and not an hour after.
    let ends = of_kind(&world, "issue").pop().unwrap()["expires"].as_str().unwrap().to_owned();
    dev.get("/").await.assert_page(200, &format!("<time datetime=\"{ends}\" data-until>"));
    world.advance(1);
    take(&mut dev, ADMIN, "OPS-7").await.assert_page(403, "This role is had on request");
    assert_eq!(world.issued(), 2);
    dev.get("/").await.assert_page(200, "Request…");
}

#[actix_web::test]
async fn a21_nobody_decides_about_themselves_by_whatever_session() {
    let world = world().await;
    let mut odile = Browser::signed_in(&world, "odile").await;
    assert_eq!(ask(&mut odile, "3600").await.location(), "/requests?done=asked");
    let id = own_id(&mut odile).await;
    assert!(
        odile.get("/requests").await.body.contains("Nothing waits for your decision"),
        "an approver's own request is not theirs to see"
    );
    let mut other_session = Browser::signed_in(&world, "odile").await;
    let mut by_another_provider = Browser::new(&world);
    let callback = by_another_provider.up_to_callback("/login/other?next=/", "odile").await;
    assert_eq!(by_another_provider.get(&callback).await.status, 303);
    for browser in [&mut odile, &mut other_session, &mut by_another_provider] {
        for verdict in ["grant", "refuse"] {
            decide(browser, &of("odile"), &id, verdict).await.assert_page(403, "Nobody decides about themselves");
        }
    }
    assert_eq!(outcomes(&world, "request.approved"), ["refused"; 3]);
    assert_eq!(outcomes(&world, "request.refused"), ["refused"; 3]);
    take(&mut odile, ADMIN, "OPS-7").await.assert_page(403, "This role is had on request");
    // The honest sibling: somebody else does.
    let mut ana = Browser::signed_in(&world, "ana").await;
    assert_eq!(decide(&mut ana, &of("odile"), &id, "grant").await.location(), "/requests?done=granted");
    assert_eq!(take(&mut odile, ADMIN, "OPS-7").await.status, 303);
}

#[actix_web::test]
async fn a21_who_is_no_approver_decides_nothing_and_forged_ids_find_nothing() {
    let world = world().await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    let mut cory = Browser::signed_in(&world, "cory").await;
    let mut odile = Browser::signed_in(&world, "odile").await;
    ask(&mut dev, "3600").await;
    let id = own_id(&mut dev).await;
    assert!(!cory.get("/requests").await.body.contains("Waiting for your decision"));
    decide(&mut cory, &of("dev"), &id, "grant").await.assert_page(403, "This is not yours to decide");
    for (of, id) in [(of("dev"), "AAAAAAAAAAAAAAAA"), (of("dev"), ""), (of("cory"), id.as_str()), (of("nobody"), &id)] {
        decide(&mut odile, &of, id, "grant").await.assert_page(404, "not there any more");
    }
    for of in ["", "dev", "../session", &"A".repeat(44)] {
        decide(&mut odile, of, &id, "grant").await.assert_page(400, "cannot be read");
    }
    decide(&mut odile, &of("dev"), &id, "maybe").await.assert_page(400, "cannot be read");
    // Another person's request is not taken back either.
    let csrf = cory.get("/requests").await.csrf();
    cory.post("/requests/withdraw", &[("csrf", &csrf), ("id", &id)]).await.assert_page(404, "not there any more");
    take(&mut dev, ADMIN, "OPS-7").await.assert_page(403, "This role is had on request");
    assert_eq!(world.issued(), 0);
    assert!(outcomes(&world, "request.approved").iter().all(|outcome| outcome == "refused"));
    assert_eq!(decide(&mut odile, &of("dev"), &id, "refuse").await.location(), "/requests?done=refused");
    dev.get("/requests").await.assert_page(200, "refused");
}

#[actix_web::test]
async fn a20_a_decision_is_made_once_and_is_not_replayed() {
    let world = world().await;
    let (mut dev, mut odile, id) = granted(&world).await;
    for verdict in ["grant", "refuse"] {
        decide(&mut odile, &of("dev"), &id, verdict).await.assert_page(404, "not there any more");
    }
    let csrf = dev.get("/requests").await.csrf();
    let back = dev.post("/requests/withdraw", &[("csrf", &csrf), ("id", &id)]).await;
    assert_eq!(back.location(), "/requests?done=withdrawn");
    take(&mut dev, ADMIN, "OPS-7").await.assert_page(403, "This role is had on request");
    decide(&mut odile, &of("dev"), &id, "grant").await.assert_page(404, "not there any more");
    // Two approvers at once: one decides.
    ask(&mut dev, "900").await;
    let id = own_id(&mut dev).await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let his = of("dev");
    let (one, other) = tokio::join!(decide(&mut odile, &his, &id, "grant"), decide(&mut ana, &his, &id, "refuse"));
    let done = [&one, &other].iter().filter(|answer| answer.status == 303).count();
    assert_eq!(done, 1, "{} {}\n{}\n{}", one.status, other.status, one.body, other.body);
    let may = take(&mut dev, ADMIN, "OPS-7").await.status == 303;
    assert_eq!(may, one.status == 303);
    // Six at once: one grants, and the trail has one who did.
    let csrf = dev.get("/requests").await.csrf();
    dev.post("/requests/withdraw", &[("csrf", &csrf), ("id", &id)]).await;
    ask(&mut dev, "900").await;
    let id = own_id(&mut dev).await;
    let before = of_kind(&world, "request.approved").len();
    let (mut b, mut c, mut d, mut e) = (odile.clone(), odile.clone(), ana.clone(), ana.clone());
    let all = tokio::join!(
        decide(&mut odile, &his, &id, "grant"),
        decide(&mut ana, &his, &id, "grant"),
        decide(&mut b, &his, &id, "grant"),
        decide(&mut c, &his, &id, "grant"),
        decide(&mut d, &his, &id, "grant"),
        decide(&mut e, &his, &id, "grant"),
    );
    let all = <[Answer; 6]>::from(all);
    assert_eq!(all.iter().filter(|answer| answer.status == 303).count(), 1);
    let recorded = outcomes(&world, "request.approved").split_off(before);
    assert_eq!((recorded.len(), recorded.iter().filter(|outcome| *outcome == "ok").count()), (6, 1), "{recorded:?}");
}

#[actix_web::test]
async fn a21_who_grants_signs_in_as_who_holds_must() {
    let rules = RULES.replace("reason = { pattern", "max_auth_age = \"10m\"\nreason = { pattern");
    let world = World::with(|config| format!("{config}\n{rules}")).await;
    let (mut dev, mut odile) = (Browser::signed_in(&world, "dev").await, Browser::signed_in(&world, "odile").await);
    ask(&mut dev, "3600").await;
    let id = own_id(&mut dev).await;
    assert!(!odile.get("/requests").await.body.contains("To grant it you need"));
    world.advance(601);
    odile.get("/requests").await.assert_page(200, "To grant it you need a sign-in at most 10m old");
    decide(&mut odile, &of("dev"), &id, "grant").await.assert_page(200, "Continu");
    assert_eq!(outcomes(&world, "request.approved"), ["refused"]);
    let mut fresh = Browser::signed_in(&world, "odile").await;
    assert_eq!(decide(&mut fresh, &of("dev"), &id, "grant").await.location(), "/requests?done=granted");
    // To say no, any sign-in does.
    let csrf = dev.get("/requests").await.csrf();
    dev.post("/requests/withdraw", &[("csrf", &csrf), ("id", &id)]).await;
    ask(&mut dev, "900").await;
    let id = own_id(&mut dev).await;
    assert_eq!(decide(&mut odile, &of("dev"), &id, "refuse").await.location(), "/requests?done=refused");
}

#[actix_web::test]
async fn a22_without_a_trail_nothing_of_others_is_revoked_and_ones_own_is_given_back() {
    crate::log::listen();
    let world = world().await;
    let (mut dev, _, id) = granted(&world).await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let (csrf, own) = (ana.csrf().await, dev.get("/requests").await.csrf());
    // Administrators try who may ask for what, too.
    let claims = r#"{ "sub": "x", "groups": ["developers"] }"#;
    let tried = ana.post("/admin/playground", &[("csrf", csrf.as_str()), ("provider", "sandbox"), ("claims", claims)]).await;
    tried.assert_page(200, "What may be asked for");
    tried.assert_page(200, "by the rule admin-on-request, for up to 2h");
    world.break_trail();
    let his = of("dev");
    let revoking = [("csrf", csrf.as_str()), ("of", his.as_str()), ("id", id.as_str())];
    ana.post("/admin/requests/revoke", &revoking).await.assert_page(503, "Nothing was ended");
    dev.get("/requests").await.assert_page(200, "Give back");
    let back = dev.post("/requests/withdraw", &[("csrf", &own), ("id", &id)]).await;
    assert_eq!(back.location(), "/requests?done=withdrawn", "{}", back.body);
    dev.get("/requests").await.assert_page(200, "taken back");
    let log = crate::log::heard();
    for (words, names) in [
        ("not done, because it cannot be recorded", &["sandbox+dev", "sandbox+ana", "GrantRevoked", "PlatformAdmin"][..]),
        ("done, and not in the audit trail", &["sandbox+dev", "RequestWithdrawn", id.as_str()]),
    ] {
        let is_told = |line: &str| line.contains(words) && names.iter().all(|name| line.contains(name));
        assert!(log.lines().any(is_told), "{words}");
    }
    world.mend_trail();
    ana.post("/admin/requests/revoke", &revoking).await.assert_page(404, "not there any more");
    take(&mut dev, ADMIN, "OPS-7").await.assert_page(403, "This role is had on request");
}

#[actix_web::test]
async fn a22_a_grant_is_nothing_once_its_rule_is_gone_or_it_is_revoked() {
    let mut text = String::new();
    let world = World::with(|config| {
        text = format!("{config}\n{RULES}");
        text.clone()
    })
    .await;
    let (mut dev, _, id) = granted(&world).await;
    assert_eq!(take(&mut dev, ADMIN, "").await.status, 303);
    let folder = tempfile::tempdir().unwrap();
    let policy = |text: &str| {
        let config = config::parse_with(text, "test.toml", folder.path(), startup::problems).unwrap_or_else(|f| panic!("{f}"));
        startup::policy(&config).unwrap()
    };
    let before = world.site.gateway.policy.load_full();
    for other in [
        text.replace("id = \"admin-on-request\"", "id = \"another\""),
        text.replace("groups = [\"developers\", \"auditors\"]", "groups = [\"auditors\"]"),
        format!("{text}\n[[rule]]\nid = \"no\"\neffect = \"deny\"\ngroups = [\"developers\"]\nroles = [\"PlatformAdmin\"]\n"),
    ] {
        assert_ne!(other, text);
        world.site.gateway.policy.store(policy(&other));
        assert_eq!(take(&mut dev, ADMIN, "OPS-7").await.status, 403);
        world.site.gateway.policy.store(Arc::clone(&before));
        assert_eq!(take(&mut dev, ADMIN, "").await.status, 303, "the rules are back, and the grant lives");
    }
    // Where the rule is gone, the list of administrators says that the grant gives nothing.
    let mut ana = Browser::signed_in(&world, "ana").await;
    assert!(!ana.get("/admin/requests").await.body.contains("gives nothing"));
    world.site.gateway.policy.store(policy(&text.replace("id = \"admin-on-request\"", "id = \"another\"")));
    ana.get("/admin/requests").await.assert_page(200, "gives nothing");
    dev.get("/requests").await.assert_page(200, "and gives nothing");
    world.site.gateway.policy.store(Arc::clone(&before));
    // Revoked: at once, and by administrators alone.
    let revoke = async |browser: &mut Browser| {
        let csrf = browser.csrf().await;
        browser.post("/admin/requests/revoke", &[("csrf", &csrf), ("of", &of("dev")), ("id", &id)]).await
    };
    revoke(&mut dev).await.assert_page(403, "administrators of the gateway");
    ana.get("/admin/requests").await.assert_page(200, "granted by <bdi>odile@example.com");
    assert_eq!(revoke(&mut ana).await.location(), "/admin/requests?done=revoked");
    let issued = world.issued();
    take(&mut dev, ADMIN, "OPS-7").await.assert_page(403, "This role is had on request");
    assert_eq!(world.issued(), issued);
    revoke(&mut ana).await.assert_page(404, "not there any more");
    dev.get("/requests").await.assert_page(200, "revoked");
    let revoked = &of_kind(&world, "grant.revoked")[0];
    assert_eq!(
        (revoked["outcome"].as_str(), revoked["person"]["subject"].as_str(), revoked["by"]["subject"].as_str()),
        (Some("ok"), Some("dev"), Some("ana"))
    );
}

#[actix_web::test]
async fn w02_a_forged_form_asks_decides_and_revokes_nothing() {
    let world = world().await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    ask(&mut dev, "3600").await;
    let (id, his) = (own_id(&mut dev).await, of("dev"));
    let others = dev.csrf().await;
    let posts: [(&str, Vec<(&str, &str)>); 4] = [
        ("/requests", vec![("role", ADMIN), ("reason", "OPS-7")]),
        ("/requests/decide", vec![("of", his.as_str()), ("id", id.as_str()), ("verdict", "grant")]),
        ("/requests/withdraw", vec![("id", id.as_str())]),
        ("/admin/requests/revoke", vec![("of", his.as_str()), ("id", id.as_str())]),
    ];
    let before = world.audit().len();
    for (path, fields) in posts {
        let csrf = ana.csrf().await;
        for token in ["", "x", others.as_str(), &csrf[1..], &format!("{csrf}A")] {
            let fields: Vec<_> = fields.iter().copied().chain([("csrf", token)]).collect();
            ana.post(path, &fields).await.assert_page(403, "This form has expired");
        }
        ana.post(path, &fields).await.assert_page(400, "The request cannot be read");
        let by_get = ana.get(&format!("{path}?{}", form(&fields))).await.status;
        assert!(by_get == 405 || path == "/requests" && by_get == 200, "{path}: {by_get}");
        let body = form(&fields.iter().copied().chain([("csrf", csrf.as_str())]).collect::<Vec<_>>());
        let request = ana.request(Method::POST, path).header("origin", "https://evil.example").header("sec-fetch-site", "cross-site");
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        ana.send(request).await.assert_page(403, "This form has expired");
    }
    assert_eq!(world.audit().len(), before, "nothing was decided, so nothing is recorded");
    let stranger = Browser::new(&world).get("/requests").await;
    assert!(stranger.location().starts_with("/login?next="), "{}", stranger.location());
}

#[actix_web::test]
async fn a23_breaking_glass_needs_a_reason_and_stands_out() {
    let world = world().await;
    let mut odile = Browser::signed_in(&world, "odile").await;
    let home = odile.get("/").await;
    home.assert_page(200, "Break-glass");
    assert!(!home.body.contains(&format!("value=\"{READER}\"")), "no single click breaks glass");
    odile.get("/go?account=111122223333&role=ReadOnly").await.assert_page(200, "to take it is an alarm");
    assert!(!odile.get("/several").await.body.contains("ReadOnly"));
    for nothing in ["", "  ", "--"] {
        break_glass(&mut odile, READER, nothing).await.assert_page(400, "wants a reason");
    }
    take(&mut odile, READER, "the site is down").await.assert_page(403, "This role is for emergencies");
    assert_eq!(world.issued(), 0);
    assert_eq!(break_glass(&mut odile, READER, "the site is down").await.status, 303);
    let issue = of_kind(&world, "issue").pop().unwrap();
    assert_eq!((issue["break_glass"].as_bool(), issue["stated_reason"].as_str()), (Some(true), Some("the site is down")));
    odile.get("/audit?kind=issue").await.assert_page(200, "break-glass</span>");
    // Who holds the role breaks no glass.
    let mut dev = Browser::signed_in(&world, "dev").await;
    assert_eq!(take(&mut dev, READER, "").await.status, 303);
    assert!(of_kind(&world, "issue").pop().unwrap()["break_glass"].is_null());
}

#[actix_web::test]
async fn a23_an_emergency_stands_beside_a_way_that_wants_what_is_not_at_hand() {
    const MORE: &str = r#"
[[account]]
id = "777788889999"
name = "Sandbox"
[[rule]]
id = "ticketed"
groups = ["auditors"]
accounts = ["Production"]
roles = ["ReadOnly"]
reason = { pattern = 'OPS-[0-9]+', hint = "the ticket" }
[[rule]]
id = "asked"
groups = ["auditors"]
accounts = ["Production"]
roles = ["Operator"]
purposes = ["console"]
[[rule]]
id = "asked-for-credentials"
groups = ["auditors"]
accounts = ["Production"]
roles = ["Operator"]
requestable = { approvers = ["aws-platform-admins"] }
[[rule]]
id = "dispatchers"
groups = ["auditors", "book-club"]
accounts = ["Sandbox"]
roles = ["Dispatcher"]
requestable = { approvers = ["aws-platform-admins"] }
"#;
    let world = World::with(|config| format!("{config}\n{RULES}\n{MORE}")).await;
    let mut odile = Browser::signed_in(&world, "odile").await;
    odile.get("/").await.assert_page(200, "&amp;break_glass=1\">");
    let usual = odile.get("/go?account=111122223333&role=ReadOnly").await;
    usual.assert_page(200, "In an emergency there is another way");
    assert!(!usual.body.contains("name=\"break_glass\""));
    let page = odile.get("/go?account=111122223333&role=ReadOnly&break_glass=1").await;
    page.assert_page(200, "to take it is an alarm");
    page.assert_page(200, "The usual way</a> is no alarm");
    page.assert_page(200, "name=\"break_glass\" value=\"1\"");
    take(&mut odile, READER, "the site is down").await.assert_page(400, "the ticket");
    assert_eq!(take(&mut odile, READER, "OPS-7").await.status, 303);
    assert!(of_kind(&world, "issue").pop().unwrap()["break_glass"].is_null());
    assert_eq!(break_glass(&mut odile, READER, "the site is down").await.status, 303);
    assert_eq!(of_kind(&world, "issue").pop().unwrap()["break_glass"], true);
    // A role that is held for one thing may be asked for another, on its own page; and an account's page has what may be asked for.
    let page = odile.get("/go?account=111122223333&role=Operator").await;
    page.assert_page(200, "You do not hold it for credentials");
    page.assert_page(200, "action=\"/requests\"");
    let mut nora = Browser::signed_in(&world, "nora").await;
    for (browser, words) in [(&mut odile, "Pick the role to enter with"), (&mut nora, "You hold no role here, and may ask for some")] {
        let sandbox = browser.get("/go?account=777788889999").await;
        sandbox.assert_page(200, "· Dispatcher</a>");
        sandbox.assert_page(200, words);
    }
    // What is found among what may be asked for is something.
    let found = odile.get("/?q=dispatcher").await;
    found.assert_page(200, "· Dispatcher</a>");
    assert!(found.body.contains("id=\"nothing\" class=\"empty\" hidden"), "{}", found.body);
    assert!(!odile.get("/?q=nowhere").await.body.contains("class=\"empty\" hidden"));
}

/// The receiver in Python, which ends with this.
struct Receiver {
    child: std::process::Child,
    lines: tokio::sync::mpsc::UnboundedReceiver<String>,
}

impl Receiver {
    async fn start(key: &str) -> (Self, String) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/web_attacks/webhook.py");
        let mut child = Command::new("python3").args([script, key]).stdout(Stdio::piped()).spawn().unwrap();
        let printed = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let (said, lines) = tokio::sync::mpsc::unbounded_channel();
        // What sends alarms is on this thread's runtime: nobody may hold it up.
        std::thread::spawn(move || printed.map_while(Result::ok).try_for_each(|line| said.send(line)));
        let mut receiver = Self { child, lines };
        let port = receiver.line().await;
        (receiver, format!("http://127.0.0.1:{port}/hook"))
    }

    async fn line(&mut self) -> String {
        tokio::time::timeout(std::time::Duration::from_secs(20), self.lines.recv()).await.unwrap().unwrap()
    }

    async fn next(&mut self) -> Value {
        serde_json::from_str(&self.line().await).unwrap()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[actix_web::test]
async fn a23_a_foreign_receiver_verifies_the_alarms_and_hears_them_again_until_it_takes_them() {
    const KEY: &str = "a key of the tests, for nobody else";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), KEY).unwrap();
    let (mut receiver, url) = Receiver::start(KEY).await;
    let key = folder.path().join("key").display().to_string();
    let webhook = format!(
        "[[webhook]]\nurl = \"{url}\"\nsecret = {{ file = \"{key}\" }}\nevents = [\"break_glass\", \"request.made\", \"request.approved\"]\n"
    );
    let world = World::with(|config| format!("{config}\n{RULES}\n{webhook}")).await;
    let mut odile = Browser::signed_in(&world, "odile").await;
    // Who is in an emergency waits for no webhook: this one refuses the first time.
    assert_eq!(break_glass(&mut odile, READER, "the site is down <b>now</b>").await.status, 303);
    let issue = of_kind(&world, "issue").pop().unwrap();
    let (refused, alarm) = (receiver.next().await, receiver.next().await);
    assert_eq!((refused["status"].as_u64(), alarm["status"].as_u64()), (Some(503), Some(204)));
    assert_eq!(refused["body"], alarm["body"]);
    assert_eq!((alarm["event"].as_str(), alarm["type"].as_str()), (Some("break_glass"), Some("application/json")));
    let (delivery, incident) = (alarm["delivery"].as_str().unwrap(), issue["incident"].as_str().unwrap());
    assert!(delivery.starts_with(incident) && delivery.len() > incident.len() && refused["delivery"] == delivery, "{delivery}");
    assert_eq!(alarm["timestamp"].as_i64(), Some(1_800_000_000));
    let body = &alarm["body"];
    assert_eq!((body["reason"].as_str(), body["role"].as_str()), (Some("the site is down <b>now</b>"), Some(READER)));
    assert_eq!((body["person"]["username"].as_str(), &body["incident"]), (Some("odile@example.com"), &issue["incident"]));
    let members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let documented = ["account", "event", "incident", "link", "outcome", "person", "reason", "role", "seconds", "text", "time", "until"];
    assert_eq!(members, documented, "a member more is a promise more");
    assert!(!body.to_string().contains(issue["access_key_id"].as_str().unwrap()), "{body}");
    // A request, and its grant.
    let mut dev = Browser::signed_in(&world, "dev").await;
    ask(&mut dev, "3600").await;
    let id = own_id(&mut dev).await;
    decide(&mut odile, &of("dev"), &id, "grant").await;
    let (made, approved) = (receiver.next().await, receiver.next().await);
    assert_eq!((made["event"].as_str(), made["body"]["grant"].as_str()), (Some("request.made"), Some(id.as_str())));
    assert_eq!(
        (approved["event"].as_str(), approved["body"]["by"]["username"].as_str()),
        (Some("request.approved"), Some("odile@example.com"))
    );
    // What it was not asked to be told of it does not hear; and nothing is left over.
    let csrf = dev.get("/requests").await.csrf();
    dev.post("/requests/withdraw", &[("csrf", &csrf), ("id", &id)]).await;
    world.site.gateway.alarms.drain(std::time::Duration::from_secs(5)).await;
    let health = &world.site.gateway.alarms.health()[0];
    assert_eq!((health.sent, health.given_up, health.waiting), (3, 0, 0));
}
