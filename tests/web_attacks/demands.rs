//! What a rule wants beyond its groups, through the pages: a reason, a fresh sign-in.

use crate::world::{ADMIN, Browser, READER, World};

const REASON: &str = "reason = { pattern = 'OPS-[0-9]+', hint = \"the ticket, such as OPS-123\", tag = \"Ticket\" }";

/// A world in which the rule `admins` has this key.
async fn world(key: &str) -> World {
    World::with(|config| config.replace("id = \"admins\"\n", &format!("id = \"admins\"\n{key}\n"))).await
}

#[actix_web::test]
async fn a_reason_is_asked_for_on_the_roles_page_and_recorded() {
    let world = world(REASON).await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    for page in ["/", "/go?account=Production&role=PlatformAdmin"] {
        let page = ana.get(page).await;
        page.assert_page(200, "the ticket, such as OPS-123");
        assert!(!page.body.contains("OPS-["), "the text of rules stays here");
    }
    let page = ana.get("/go?account=Production&role=PlatformAdmin").await;
    assert!(page.body.contains("name=\"reason\"") && page.body.contains("required"), "{}", page.body);
    ana.get("/").await.assert_page(200, ">Continue</a>");
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

/// The address that a page in between leads to.
fn onward(page: &str) -> String {
    let (_, rest) = page.split_once("If nothing happens, <a href=\"").unwrap_or_else(|| panic!("no way on in\n{page}"));
    rest.split_once('"').unwrap().0.replace("&#38;", "&").replace("&amp;", "&")
}

/// Goes by a click to the provider, signs in there once more, and comes back: where to.
async fn round(browser: &mut Browser, csrf: &str, role: &str, person: &str) -> (String, String) {
    let page = browser.post("/step-up", &[("role", role), ("csrf", csrf), ("destination", "")]).await;
    page.assert_page(200, "Continuing to");
    let asked = onward(&page.body);
    let callback = browser.through_provider(&asked, person).await;
    let back = browser.get(&callback).await;
    assert_eq!(back.status, 303, "{}", back.body);
    (asked, back.location().to_owned())
}

const BACK: &str = "/go?account=111122223333&role=PlatformAdmin&after=step-up";

#[actix_web::test]
async fn a_sign_in_that_is_too_old_is_renewed_by_a_click() {
    let world = world("max_auth_age = \"15m\"").await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    assert_eq!(ana.post("/credentials", &[("role", ADMIN), ("csrf", &csrf)]).await.status, 303, "it is fresh");
    world.advance(901);
    ana.get("/").await.assert_page(200, "Needs a fresh sign-in");
    // A click on a page that is older than that leads to the provider too, and nothing is issued.
    for path in ["/credentials", "/console"] {
        let page = ana.post(path, &[("role", ADMIN), ("csrf", &csrf)]).await;
        page.assert_page(200, "Continuing to");
        assert!(world.last_reason().contains("wanted: a sign-in at most 15m old; came: a sign-in 15m 1s old"), "{}", world.last_reason());
    }
    let file = ana.post("/credentials/download", &[("role", ADMIN), ("csrf", &csrf), ("format", "bash")]).await;
    file.assert_page(403, "This role wants another sign-in");
    assert_eq!(world.issued(), 1);
    let (asked, back) = round(&mut ana, &csrf, ADMIN, "ana").await;
    assert!(asked.contains("max_age=900") && asked.contains("prompt=login"), "{asked}");
    assert_eq!(back, BACK);
    let page = ana.get(&back).await;
    page.assert_page(200, "Open the console");
    assert!(!page.body.contains("did not bring it"));
    assert_eq!(ana.post("/credentials", &[("role", ADMIN), ("csrf", &page.csrf())]).await.status, 303);
    let csrf = page.csrf();
    let needless = ana.post("/step-up", &[("role", ADMIN), ("csrf", &csrf)]).await;
    assert_eq!((needless.status.as_u16(), needless.location()), (303, "/go?account=111122223333&role=PlatformAdmin"));
}

#[actix_web::test]
async fn a_second_factor_is_asked_for_by_its_class() {
    let world = World::with(|config| {
        let config = config.replace("private_network = true\n", "private_network = true\nmfa = { acr = [\"urn:rolegate:sandbox:mfa\"] }\n");
        config.replace("id = \"readers\"\n", "id = \"readers\"\nrequire_mfa = true\n")
    })
    .await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    let page = dev.get("/").await;
    page.assert_page(200, "Needs a stronger sign-in");
    let (asked, back) = round(&mut dev, &page.csrf(), READER, "dev").await;
    assert!(asked.contains("acr_values=urn%3Arolegate%3Asandbox%3Amfa") && !asked.contains("prompt="), "{asked}");
    let page = dev.get(&back).await;
    page.assert_page(200, "Open the console");
    assert_eq!(dev.post("/credentials", &[("role", READER), ("csrf", &page.csrf())]).await.status, 303);
}

#[actix_web::test]
async fn what_the_provider_does_not_bring_is_told_and_goes_round_no_further() {
    let world = world("require_acr = [\"urn:example:gold\"]").await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    let (asked, back) = round(&mut ana, &csrf, ADMIN, "ana").await;
    assert!(asked.contains("acr_values=urn%3Aexample%3Agold"), "{asked}");
    let page = ana.get(&back).await;
    page.assert_page(200, "did not bring it");
    for words in ["a sign-in of the class urn:example:gold", "of the class urn:rolegate:sandbox:mfa", "action=\"/step-up\""] {
        assert!(page.body.contains(words), "no `{words}` in\n{}", page.body);
    }
    assert!(!page.body.contains("action=\"/console\""), "{}", page.body);
    assert_eq!(world.issued(), 0);
}

#[actix_web::test]
async fn a_step_up_is_for_roles_that_one_has_and_forms_of_ones_own() {
    let world = world("require_acr = [\"urn:example:gold\"]").await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    let csrf = dev.csrf().await;
    dev.post("/step-up", &[("role", ADMIN), ("csrf", &csrf)]).await.assert_page(403, "No rule gives you this role");
    dev.post("/step-up", &[("role", "Admin"), ("csrf", &csrf)]).await.assert_page(400, "cannot be read");
    dev.post("/step-up", &[("role", READER), ("csrf", "AAAA")]).await.assert_page(403, "This form has expired");
    let long = format!("https://console.aws.amazon.com/{}", "x".repeat(600));
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    let page = ana.post("/step-up", &[("role", ADMIN), ("csrf", &csrf), ("destination", &long)]).await;
    let callback = ana.through_provider(&onward(&page.body), "ana").await;
    assert_eq!(ana.get(&callback).await.location(), BACK, "a destination that is too long to come back to is left out");
}
