//! What a rule wants beyond its groups, through the pages: a reason, a fresh sign-in.

use crate::world::{ADMIN, Browser, World};

const REASON: &str = "reason = { pattern = 'OPS-[0-9]+', hint = \"the ticket, such as OPS-123\", tag = \"Ticket\" }";

/// A world in which the rule `admins` has this key.
async fn world(key: &str) -> World {
    World::with(|config| config.replace("id = \"admins\"\n", &format!("id = \"admins\"\n{key}\n"))).await
}

#[actix_web::test]
async fn a_reason_is_asked_for_in_place_and_recorded() {
    let world = world(REASON).await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    for page in ["/", "/go?account=Production&role=PlatformAdmin"] {
        let page = ana.get(page).await;
        page.assert_page(200, "the ticket, such as OPS-123");
        assert!(page.body.contains("name=\"reason\"") && page.body.contains("required"), "{}", page.body);
        assert!(!page.body.contains("OPS-["), "the text of rules stays here");
    }
    for path in ["/credentials", "/console", "/credentials/download"] {
        for reason in [None, Some("because"), Some("OPS-1; OPS-2")] {
            let mut form = vec![("role", ADMIN), ("csrf", &csrf), ("format", "bash")];
            form.extend(reason.map(|reason| ("reason", reason)));
            ana.post(path, &form).await.assert_page(400, "the ticket, such as OPS-123");
            assert_eq!(world.last_reason(), "the rules want a reason that was not given: the ticket, such as OPS-123");
        }
    }
    assert_eq!(world.issued(), 0);
    let form = [("role", ADMIN), ("csrf", &csrf), ("reason", "OPS-7"), ("format", "bash")];
    let laid_down = ana.post("/credentials", &form).await;
    assert_eq!(laid_down.status, 303, "{}", laid_down.body);
    let event = world.audit().last().unwrap().clone();
    assert_eq!((event["stated_reason"].as_str(), event["tags"][0]["value"].as_str()), (Some("OPS-7"), Some("OPS-7")), "{event}");
    let shown = ana.get(laid_down.location()).await;
    assert!(shown.body.contains("name=\"reason\" value=\"OPS-7\""), "a download needs it again");
    assert_eq!(ana.post("/credentials/download", &form).await.status, 200);
    assert_eq!(ana.post("/console", &form).await.status, 302);
    assert_eq!(world.issued(), 3);
}
