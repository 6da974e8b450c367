//! Attacks on sign-in by SAML over HTTP: what the corpus, which knows no browser and no store, cannot express.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a step that fails is a test that fails")]

#[path = "../support/forging_idp.rs"]
#[expect(dead_code, reason = "of the forging provider only its tokens are needed here")]
mod forging_idp;
mod forwarded;
mod idp;
mod logout;
#[path = "../support/mod.rs"]
mod support;
mod unasked;
mod world;

use chrono::TimeDelta;
use data_encoding::BASE64;
use idp::Says;
use rolegate::clock::Clock;
use world::{Browser, World};

/// A sign-in whose response is changed; says how it ends.
async fn with(world: &World, change: impl FnOnce(Says) -> Says) -> (u16, String) {
    let mut ana = Browser::new(world);
    let begun = ana.begin("/login/corp?next=/go").await;
    let says = change(world.says(Some(&begun.request)));
    let answer = ana.respond(&world.corp.respond(&says), &begun.state).await;
    (answer.status, if answer.status == 303 { answer.location } else { world.last_reason() })
}

#[actix_web::test]
async fn an_honest_response_signs_in_and_leads_where_the_person_wanted() {
    let world = World::new("").await;
    assert_eq!(with(&world, |says| says).await, (303, "/go".into()));
    let mut ana = Browser::signed_in(&world, "ana", "s1").await;
    let portal = ana.get("/").await;
    assert!(portal.status == 200 && portal.body.contains("Developer"), "{}", portal.body);
}

#[actix_web::test]
async fn s16_an_assertion_for_somebody_else_or_somewhere_else_is_refused() {
    let world = World::new("").await;
    let elsewhere = || "https://elsewhere.example/saml/acs".to_owned();
    let other_acs = format!("{}/saml/other/acs", world.base);
    for (reason, says) in [
        ("audience is not us", Says { audience: elsewhere(), ..world.says(None) }),
        ("audience is not us", Says { audience: format!("{}/saml/other", world.base), ..world.says(None) }),
        ("Recipient is not our address", Says { recipient: elsewhere(), ..world.says(None) }),
        ("Recipient is not our address", Says { recipient: other_acs, ..world.says(None) }),
        ("Destination is not our address", Says { destination: elsewhere(), ..world.says(None) }),
    ] {
        let (status, found) = with(&world, |honest| Says { in_response_to: honest.in_response_to, ..says }).await;
        assert!(status == 403 && found.contains(reason), "{status} {found}");
    }
}

#[actix_web::test]
async fn s17_a_response_answers_the_request_of_this_browser_and_no_other() {
    let world = World::new("idp_initiated = true").await;
    // The answer to somebody else's request, to none, and to one of another login of the same browser.
    for case in 0..3 {
        let mut ana = Browser::new(&world);
        let (first, second) = (ana.begin("/login/corp?next=/").await, ana.begin("/login/corp?next=/").await);
        let request = [Some("_somebody_elses"), None, Some(second.request.as_str())][case];
        let answer = ana.respond(&world.corp.respond(&world.says(request)), &first.state).await;
        assert_eq!(answer.status, 403, "{}", answer.body);
        assert!(world.last_reason().contains("does not answer our request"), "{case}: {}", world.last_reason());
        assert!(!ana.is_signed_in().await);
        // It used up the login that it was posted for, and not the other one.
        for (begun, status) in [(&first, 403), (&second, 303)] {
            let honest = world.corp.respond(&world.says(Some(&begun.request)));
            assert_eq!(ana.respond(&honest, &begun.state).await.status, status);
        }
    }
    // An attacker's own genuine response, in the victim's browser: it is to a request that this browser never made.
    let mut attacker = Browser::new(&world);
    let begun = attacker.begin("/login/corp?next=/").await;
    let response = world.corp.respond(&world.says(Some(&begun.request)));
    let mut with_a_login = Browser::new(&world);
    with_a_login.begin("/login/corp?next=/").await;
    for mut victim in [Browser::new(&world), with_a_login] {
        let answer = victim.respond(&response, &begun.state).await;
        assert_eq!(answer.status, 403, "{}", answer.body);
        assert!(!victim.is_signed_in().await);
    }
    assert_eq!(attacker.respond(&response, &begun.state).await.status, 303, "it is good where it belongs");
    let before = world.sign_ins();
    // A ticket that was taken to another browser, without the cookie that names the first one.
    let begun = attacker.begin("/login/corp?next=/").await;
    let mut thief = attacker.clone();
    thief.cookies.remove("rolegate-browser");
    thief.cookies.insert("rolegate-browser".into(), "B".repeat(42) + "A");
    let answer = thief.respond(&world.corp.respond(&world.says(Some(&begun.request))), &begun.state).await;
    assert_eq!(answer.status, 403);
    assert_eq!(world.sign_ins(), before, "nobody was signed in by it");
}

#[actix_web::test]
async fn s17_an_unasked_response_is_refused_unless_the_provider_may_start() {
    let world = World::new("").await;
    let answer = Browser::new(&world).respond(&world.corp.respond(&world.says(None)), "").await;
    assert!(answer.status == 403 && answer.body.contains("no longer valid"), "{}", answer.body);
    assert_eq!(world.sign_ins(), 0);
    let world = World::new("idp_initiated = true").await;
    let answer = Browser::new(&world).respond(&world.corp.respond(&world.says(Some("_r"))), "").await;
    assert_eq!(answer.status, 403, "one that claims to answer a request is none that comes unasked");
    assert_eq!(Browser::new(&world).respond(&world.corp.respond(&world.says(None)), "").await.status, 303);
}

#[actix_web::test]
async fn s17_a_post_without_cookies_bounces_once_and_changes_nothing() {
    let world = World::new("").await;
    let mut ana = Browser::new(&world);
    let begun = ana.begin("/login/corp?next=/").await;
    let response = world.corp.respond(&world.says(Some(&begun.request)));
    let fields = [("SAMLResponse", response.as_str()), ("RelayState", begun.state.as_str())];
    // As browsers send it from another site: without cookies.
    let mut bare = Browser::new(&world);
    let page = bare.post("/saml/corp/acs", &fields).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(bare.cookies.is_empty(), "it must not get another browser's name: {:?}", bare.cookies);
    for expected in ["action=\"/saml/corp/acs\"", "data-onward", "name=\"bounced\"", &begun.state] {
        assert!(page.body.contains(expected), "{expected}: {}", page.body);
    }
    // The page's form comes from us, with cookies.
    assert_eq!(ana.respond(&response, &begun.state).await.status, 303);
    // Without cookies a second time there is no second page.
    let again = bare.respond(&response, &begun.state).await;
    assert!(again.status == 403 && !again.body.contains("data-onward"), "{}", again.body);
    // What is posted stands on the page as text, and at no provider's address nothing comes back.
    let hostile = bare.post("/saml/corp/acs", &[("SAMLResponse", "\"><script>alert(1)</script>"), ("RelayState", "'\"><img src=x>")]).await;
    assert!(!hostile.body.contains("<script>alert") && !hostile.body.contains("<img src=x"), "{}", hostile.body);
    assert_eq!(bare.post("/saml/nobody/acs", &fields).await.status, 404);
}

#[actix_web::test]
async fn s18_time_counts_by_our_clock_and_the_session_ends_when_the_provider_says() {
    let world = World::new("clock_skew = \"60s\"").await;
    let now = world.clock.now();
    let at = |seconds: i64| now + TimeDelta::seconds(seconds);
    for (reason, seconds) in
        [("expired", -360), ("too long ago", -365), ("not valid yet, for another 61 s", 61), ("for another 181 s", 181)]
    {
        let (status, found) = with(&world, |says| Says { now: at(seconds), ..says }).await;
        assert!(status == 403 && (found.contains(reason) || seconds < 0 && found.contains("expired")), "{seconds}: {status} {found}");
    }
    assert_eq!(with(&world, |says| Says { now: at(-200), ..says }).await.0, 303);
    let (status, found) = with(&world, |says| Says { session_end: Some(at(0)), ..says }).await;
    assert!(status == 403 && found.contains("session at the identity provider is over"), "{found}");

    let mut ana = Browser::new(&world);
    let begun = ana.begin("/login/corp?next=/").await;
    let says = Says { session_end: Some(at(600)), ..world.says(Some(&begun.request)) };
    assert_eq!(ana.respond(&world.corp.respond(&says), &begun.state).await.status, 303);
    world.advance(599);
    assert!(ana.is_signed_in().await);
    world.advance(2);
    assert!(!ana.is_signed_in().await, "SessionNotOnOrAfter ends it, hours before our own limit");
}

#[actix_web::test]
async fn s18_fresh_and_strong_authentication_is_checked_where_it_is_demanded() {
    const STRONG: &str = "https://refeds.org/profile/mfa";
    let world = World::new(&format!("force_authn = true\nauthn_context = [\"{STRONG}\"]")).await;
    let begun = Browser::new(&world).begin("/login/corp").await;
    assert!(begun.xml.contains("ForceAuthn=\"true\"") && begun.xml.contains(STRONG), "{}", begun.xml);
    assert_eq!(with(&world, |says| Says { context: STRONG, ..says }).await.0, 303);
    let (status, found) = with(&world, |says| says).await;
    assert!(status == 403 && found.contains("authentication context"), "{found}");
    let hour_ago = world.clock.now() - TimeDelta::hours(1);
    let (status, found) = with(&world, |says| Says { context: STRONG, authenticated: hour_ago, ..says }).await;
    assert!(status == 403 && found.contains("too old"), "{found}");
}

#[actix_web::test]
async fn s19_one_assertion_opens_one_session_however_often_and_wherever_it_is_posted() {
    let redis = support::Redis::start().await;
    let store = format!("[store]\nurl = \"{}\"\nseal_keys = [{{ file = \"seal\" }}]\n", redis.url());
    let world = World::with("idp_initiated = true", &store).await;
    let response = world.corp.respond(&world.says(None));
    // Two hundred browsers at once, each without anything of another.
    let posts = (0..200).map(|_| {
        let (mut one, response) = (Browser::new(&world), response.clone());
        actix_web::rt::spawn(async move { one.respond(&response, "").await.status })
    });
    let mut opened = 0;
    for post in posts.collect::<Vec<_>>() {
        opened += usize::from(post.await.unwrap() == 303);
    }
    assert_eq!((opened, world.sign_ins()), (1, 1));
    world.advance(60);
    // Another replica, which shares the store and nothing else.
    let replica = world.replica().await;
    let answer = Browser::new(&replica).respond(&response, "").await;
    assert_eq!((answer.status, replica.last_reason().as_str()), (403, "the assertion was used before"), "{}", answer.body);
    let answer = Browser::new(&world).respond(&response, "").await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert_eq!(world.last_reason(), "the assertion was used before");
    // An asked one: the answer uses up the request too.
    let mut ana = Browser::new(&world);
    let begun = ana.begin("/login/corp?next=/").await;
    let response = world.corp.respond(&world.says(Some(&begun.request)));
    let before = ana.clone();
    assert_eq!(ana.respond(&response, &begun.state).await.status, 303);
    assert_eq!(before.clone().respond(&response, &begun.state).await.status, 403);
}

#[actix_web::test]
async fn s19_without_the_store_nobody_is_signed_in() {
    let mut redis = support::Redis::start().await;
    let store = format!("[store]\nurl = \"{}\"\nseal_keys = [{{ file = \"seal\" }}]\n", redis.url());
    let world = World::with("idp_initiated = true", &store).await;
    let mut ana = Browser::new(&world);
    let begun = ana.begin("/login/corp?next=/").await;
    redis.process().signal("KILL");
    let answers = [
        ana.respond(&world.corp.respond(&world.says(Some(&begun.request))), &begun.state).await,
        Browser::new(&world).respond(&world.corp.respond(&world.says(None)), "").await,
    ];
    for answer in answers {
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(answer.body.contains("memory does not answer"), "{}", answer.body);
    }
    assert_eq!(world.sign_ins(), 0);
}

#[actix_web::test]
async fn s20_one_providers_word_counts_for_nothing_at_anothers_address() {
    let world = World::new("idp_initiated = true").await;
    // The other provider's key, and its own or corp's name.
    for issuer in [&world.other.entity_id, &world.corp.entity_id] {
        let mut ana = Browser::new(&world);
        let begun = ana.begin("/login/corp?next=/").await;
        let says = Says { issuer: issuer.clone(), ..world.says(Some(&begun.request)) };
        let answer = ana.respond(&world.other.respond(&says), &begun.state).await;
        assert_eq!(answer.status, 403, "{}", answer.body);
        assert!(world.last_reason().contains("not by a trusted key"), "{}", world.last_reason());
        let unasked = Says { in_response_to: None, id: "_unasked".into(), ..says };
        assert_eq!(Browser::new(&world).respond(&world.other.respond(&unasked), "").await.status, 403);
    }
    // Corp's key, and the other's name.
    let (status, found) = with(&world, |says| Says { issuer: world.other.entity_id.clone(), ..says }).await;
    assert!(status == 403 && found.contains("issuer is not"), "{found}");
    // A login that was begun with corp, answered at the other's address.
    let mut ana = Browser::new(&world);
    let begun = ana.begin("/login/corp?next=/").await;
    let response = world.corp.respond(&world.says(Some(&begun.request)));
    let fields = [("SAMLResponse", response.as_str()), ("RelayState", begun.state.as_str())];
    assert_eq!(ana.post("/saml/other/acs", &fields).await.status, 403);
    assert!(!ana.is_signed_in().await);
    // And at an OpenID Connect provider's kind of address.
    assert_eq!(ana.get(&format!("/callback/corp?state={}&code=x", begun.state)).await.status, 403);
}

#[actix_web::test]
async fn s21_a_second_assertion_beside_the_signed_one_is_refused() {
    let world = World::new("").await;
    let mut ana = Browser::new(&world);
    let begun = ana.begin("/login/corp?next=/").await;
    let text = |says: &Says| String::from_utf8(BASE64.decode(world.corp.respond(says).as_bytes()).unwrap()).unwrap();
    let (one, two) = (text(&world.says(Some(&begun.request))), text(&Says { name: "admin".into(), ..world.says(Some(&begun.request)) }));
    let start = two.find("<saml:Assertion").unwrap();
    let second = &two[start..two.find("</samlp:Response>").unwrap()];
    let both = one.replace("</samlp:Response>", &format!("{second}</samlp:Response>"));
    assert_eq!(ana.respond(&BASE64.encode(both.as_bytes()), &begun.state).await.status, 403);
    assert!(world.last_reason().contains("more than one assertion"), "{}", world.last_reason());
}

#[actix_web::test]
async fn s23_relay_state_leads_to_local_places_alone() {
    let world = World::new("idp_initiated = true").await;
    let inside = format!("{}/go?role=x", world.base);
    let beside = format!("{}.evil.example/", world.base);
    let user = format!("{}@evil.example/", world.base);
    for (relay_state, lands) in [
        ("", "/"),
        ("/go?account=Production", "/go?account=Production"),
        (inside.as_str(), "/go?role=x"),
        (world.base.as_str(), "/"),
        (beside.as_str(), "/"),
        (user.as_str(), "/"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
        ("/saml/corp/slo", "/"),
        ("/logout", "/"),
        (&"/x".repeat(2000), "/"),
    ] {
        let answer = Browser::new(&world).respond(&world.corp.respond(&world.says(None)), relay_state).await;
        assert_eq!((answer.status, answer.location.as_str()), (303, lands), "{relay_state}");
    }
}

#[actix_web::test]
async fn s24_a_failure_and_a_name_that_is_none_sign_nobody_in() {
    let world = World::new("").await;
    for (reason, says) in [
        ("reports a failure", Says { status: "Responder", ..world.says(None) }),
        ("subject's name", Says { name: " ".into(), ..world.says(None) }),
        ("subject's name", Says { name: "a\tb".into(), ..world.says(None) }),
        ("meant for another service", Says { sp_name_qualifier: Some("https://other.example".into()), ..world.says(None) }),
        ("transient", Says { format: "urn:oasis:names:tc:SAML:2.0:nameid-format:transient", ..world.says(None) }),
    ] {
        let (status, found) = with(&world, |honest| Says { in_response_to: honest.in_response_to, ..says }).await;
        assert!(status == 403 && found.contains(reason), "{reason}: {status} {found}");
    }
    // A failure without an assertion, as providers send it.
    let mut ana = Browser::new(&world);
    let begun = ana.begin("/login/corp?next=/").await;
    let failure = "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_f\" Version=\"2.0\" IssueInstant=\"2027-01-15T08:00:00Z\">\
        <samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Responder\"><samlp:StatusCode \
        Value=\"urn:oasis:names:tc:SAML:2.0:status:AuthnFailed\"/></samlp:StatusCode></samlp:Status></samlp:Response>";
    let answer = ana.respond(&BASE64.encode(failure.as_bytes()), &begun.state).await;
    assert!(answer.status == 403 && answer.body.contains("cancelled or denied there"), "{}", answer.body);
    assert!(world.last_reason().contains("AuthnFailed"), "{}", world.last_reason());
}

#[actix_web::test]
async fn entra_ids_overage_is_refused_and_explained() {
    const GROUPS: &str = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups";
    const LINK: &str = "http://schemas.microsoft.com/claims/groups.link";
    let world = World::new(&format!("groups_attribute = \"{GROUPS}\"")).await;
    let mut ana = Browser::new(&world);
    let begun = ana.begin("/login/corp?next=/").await;
    let says = Says { attributes: vec![(LINK, vec!["https://graph.windows.net/x"])], ..world.says(Some(&begun.request)) };
    let answer = ana.respond(&world.corp.respond(&says), &begun.state).await;
    assert!(answer.status == 403 && answer.body.contains("not the same as having none"), "{}", answer.body);
    let (status, _) = with(&world, |says| Says { attributes: vec![(GROUPS, vec!["staff"])], ..says }).await;
    assert_eq!(status, 303);
}

#[actix_web::test]
async fn o16_who_starts_a_sign_in_from_outside_chooses_among_what_is_configured() {
    let world = World::with(
        "",
        "[[provider]]\nid = \"op\"\nname = \"OP\"\nissuer = \"https://op.example\"\nclient_id = \"x\"\nclient_auth = \"none\"\n",
    )
    .await;
    for iss in ["", "https://evil.example", "https://op.example/", "op"] {
        let answer = Browser::new(&world).get(&format!("/login/initiate?iss={iss}&target_link_uri=/go")).await;
        assert!(answer.status == 404 && answer.body.contains("no such identity provider"), "{iss}: {}", answer.body);
    }
    // By a form of another site the same, in a second step, where the browser sends its cookies.
    let mut ana = Browser::new(&world);
    for (iss, query) in
        [("https://evil.example", "iss=https%3A%2F%2Fevil.example&target_link_uri=%2Fgo"), ("x\r\ny", "iss=x%0D%0Ay&target_link_uri=%2Fgo")]
    {
        let answer = ana.post("/login/initiate", &[("iss", iss), ("target_link_uri", "/go"), ("other", "x")]).await;
        assert_eq!((answer.status, answer.location.as_str()), (303, format!("/login/initiate?{query}").as_str()), "{}", answer.body);
        assert!(ana.cookies.is_empty(), "the browser's own name must not be replaced: {:?}", ana.cookies);
        assert_eq!(ana.get(&answer.location).await.status, 404);
    }
    assert_eq!(ana.post("/login/initiate", &[("iss", "x"), ("target_link_uri", &"/x".repeat(3000))]).await.status, 400);
    // The right one is asked: it does not answer here, and that is what the page says.
    let answer = Browser::new(&world).get("/login/initiate?iss=https%3A%2F%2Fop.example&login_hint=ana").await;
    assert_eq!(answer.status, 502, "{}", answer.body);
}
