//! Responses that nobody asked for, in the browser of somebody who is signed in (login CSRF).

use crate::idp::Says;
use crate::world::{Answer, Browser, World};

/// The provider's genuine response about somebody, to no request.
fn about(world: &World, name: &str) -> String {
    world.corp.respond(&Says { name: name.into(), session_index: Some(format!("of-{name}")), ..world.says(None) })
}

/// The value of a field on a page.
fn field(page: &Answer, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    page.body.split_once(&start).unwrap_or_else(|| panic!("no {name}: {}", page.body)).1.split('"').next().unwrap().to_owned()
}

async fn is(browser: &mut Browser, name: &str) -> bool {
    let page = browser.get("/").await;
    page.status == 200 && page.body.contains(&format!(">{name}<"))
}

#[actix_web::test]
async fn s28_an_unasked_response_asks_before_it_replaces_another_persons_session() {
    let world = World::new("idp_initiated = true").await;
    let mut ana = Browser::signed_in(&world, "ana", "s1").await;
    let before = ana.cookies.clone();
    let response = about(&world, "mallory");
    let page = ana.respond(&response, "/go?role=x").await;
    assert!(page.status == 200 && page.body.contains("Sign in as somebody else?"), "{}", page.body);
    assert!(page.body.contains(">ana<") && page.body.contains(">mallory<") && page.body.contains("The corp provider"), "{}", page.body);
    assert!(!page.body.contains("data-onward"), "no script answers");
    assert_eq!(ana.cookies, before, "nothing has changed in the browser");
    assert!(is(&mut ana, "ana").await);
    assert_eq!(world.sign_ins(), 1);
    // The assertion is used up by the question: it opens no session anywhere else.
    assert_eq!(Browser::new(&world).respond(&response, "").await.status, 403);
    assert_eq!(world.last_reason(), "the assertion was used before");

    let (csrf, waiting) = (field(&page, "csrf"), field(&page, "waiting"));
    // Neither without the token, nor in another session, nor from another site.
    let mut bob = Browser::signed_in(&world, "bob", "s2").await;
    let bobs = field(&bob.get("/").await, "csrf");
    for csrf in ["", "x", &bobs] {
        assert_eq!(ana.own_post("/switch", &[("csrf", csrf), ("waiting", &waiting)]).await.status, 403);
    }
    assert_eq!(bob.own_post("/switch", &[("csrf", &bobs), ("waiting", &waiting)]).await.status, 403);
    assert_eq!(ana.post("/switch", &[("csrf", &csrf), ("waiting", &waiting)]).await.status, 403);
    assert!(is(&mut ana, "ana").await && is(&mut bob, "bob").await);
    // With it: once.
    let mut old = ana.clone();
    let answer = ana.own_post("/switch", &[("csrf", &csrf), ("waiting", &waiting)]).await;
    assert_eq!((answer.status, answer.location.as_str()), (303, "/go?role=x"), "{}", answer.body);
    assert!(is(&mut ana, "mallory").await);
    assert!(!old.is_signed_in().await, "the session before has ended");
    let csrf = field(&ana.get("/").await, "csrf");
    assert_eq!(ana.own_post("/switch", &[("csrf", &csrf), ("waiting", &waiting)]).await.status, 403, "the answer counts once");

    let unasked: Vec<_> = world.events().iter().map(|event| event["unasked"].as_bool()).collect();
    assert_eq!(unasked, [None, None, None, Some(true)], "ana's, the used one, bob's, mallory's: {:?}", world.events());
}

#[actix_web::test]
async fn s28_the_question_waits_five_minutes_and_only_for_another_person() {
    let world = World::new("idp_initiated = true").await;
    let mut ana = Browser::signed_in(&world, "ana", "s1").await;
    let mut old = ana.clone();
    // The same person is not asked, and nobody is where nobody is signed in.
    assert_eq!(ana.respond(&about(&world, "ana"), "").await.status, 303);
    assert!(is(&mut ana, "ana").await && !old.is_signed_in().await);
    let mut new = Browser::new(&world);
    assert_eq!(new.respond(&about(&world, "bob"), "").await.status, 303);
    assert!(is(&mut new, "bob").await);
    // A session that has ended does not ask either.
    let csrf = field(&new.get("/").await, "csrf");
    let stale = new.cookies.clone();
    new.logout(&csrf, "here").await;
    new.cookies = stale;
    assert_eq!(new.respond(&about(&world, "cleo"), "").await.status, 303);
    assert!(is(&mut new, "cleo").await);

    let page = ana.respond(&about(&world, "mallory"), "").await;
    let (csrf, waiting) = (field(&page, "csrf"), field(&page, "waiting"));
    world.advance(301);
    let answer = ana.own_post("/switch", &[("csrf", &csrf), ("waiting", &waiting)]).await;
    assert!(answer.status == 403 && is(&mut ana, "ana").await, "{}", answer.body);
}

#[actix_web::test]
async fn s28_another_site_cannot_skip_the_page_in_between() {
    let world = World::new("idp_initiated = true").await;
    let response = about(&world, "mallory");
    let fields = [("SAMLResponse", response.as_str()), ("bounced", "1")];
    // As another site's form comes: without ana's cookies, so that nobody seems to be signed in.
    for headers in [
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")][..],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "cross-site"), ("origin", &world.base)],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[],
    ] {
        let mut bare = Browser::new(&world);
        let answer = bare.post_with("/saml/corp/acs", &fields, headers).await;
        assert!(answer.status == 403 && answer.body.contains("This form has expired"), "{headers:?}: {} {}", answer.status, answer.body);
        assert!(bare.cookies.is_empty(), "{headers:?}: a cookie would take the place of ana's");
    }
    assert_eq!(world.sign_ins(), 0);
    // Our own page, in an older browser and in a newer one.
    assert_eq!(Browser::new(&world).post_with("/saml/corp/acs", &fields, &[("origin", &world.base)]).await.status, 303);
    let response = about(&world, "ana");
    let fields = [("SAMLResponse", response.as_str()), ("bounced", "1")];
    let newer = [("sec-fetch-site", "same-origin"), ("origin", "null")];
    assert_eq!(Browser::new(&world).post_with("/saml/corp/acs", &fields, &newer).await.status, 303);
}
