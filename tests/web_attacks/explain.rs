//! A11: who asks why they lack a role learns about themselves, and nothing about the rules.

use crate::world::{Browser, World, form};

/// Stands in everything that belongs to the rules alone, or to other people.
const CANARY: &str = "canary";

const RULES: &str = r#"
[[rule]]
id = "canary-secret"
groups = ["canary-team"]
accounts = ["*"]
roles = ["Secret"]
[[rule]]
id = "canary-conditioned"
groups = ["developers"]
accounts = ["*"]
roles = ["Conditioned"]
when = 'claims.canary_claim == "canary-value" && request.ip.within("10.99.0.0/16")'
tags = { CanaryTag = "canary-tag" }
[[rule]]
id = "canary-pattern"
group_pattern = 'canary-(?<role>[A-Z][A-Za-z]*)'
accounts = ["*"]
roles = ["${role}"]
[[rule]]
id = "canary-deny"
effect = "deny"
groups = ["developers"]
accounts = ["*"]
roles = ["ReadOnly"]
"#;

async fn world(explain: &str) -> World {
    World::with(|config| format!("{config}\n{RULES}\n[portal]\nexplain = \"{explain}\"\n")).await
}

async fn ask(browser: &mut Browser, role: &str) -> String {
    let answer = browser.get(&format!("/explain?{}", form(&[("role", role)]))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

/// The sentences of an answer: what the page says between headline and buttons.
fn sentences(page: &str) -> &str {
    let (_, rest) = page.split_once("<h2>Why").unwrap();
    rest.split_once("</ul>").unwrap().0
}

#[actix_web::test]
async fn a11_the_page_tells_about_the_person_and_nothing_of_the_rules() {
    let world = world("reasons").await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    // The honest sibling: what is about the person is told.
    let conditioned = ask(&mut dev, "Production/Conditioned").await;
    assert!(conditioned.contains("what your identity provider says about you"), "{conditioned}");
    assert!(conditioned.contains("developers"), "the report lists the groups that arrived: {conditioned}");
    let denied = ask(&mut dev, "Production/ReadOnly").await;
    assert!(denied.contains("A rule says no to this role for you"), "{denied}");
    let absent = ask(&mut dev, "Production/NoSuchRole").await;
    let mut pages = vec![conditioned, denied];
    for role in ["Production/Secret", "Nowhere/Secret", "arn:aws:iam::999999999999:role/Secret", "Production/PlatformAdmin"] {
        let page = ask(&mut dev, role).await;
        assert_eq!(sentences(&page), sentences(&absent), "{role} must look like a role that is not there");
        pages.push(page);
    }
    for page in &pages {
        for secret in [CANARY, "CanaryTag", "10.99", "aws-platform-admins"] {
            assert!(!page.contains(secret), "{secret} stands in\n{page}");
        }
    }
    // Asking is no decision: the trail has the sign-in alone.
    assert_eq!(world.audit().len(), 1);
}

#[actix_web::test]
async fn a11_groups_are_named_where_the_configuration_says_so_and_conditions_never() {
    let world = world("groups").await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    assert!(
        ask(&mut dev, "Production/Secret").await.contains("one of the groups canary-team or canary-Secret")
            || ask(&mut dev, "Production/Secret").await.contains("the group canary-team")
    );
    let conditioned = ask(&mut dev, "Production/Conditioned").await;
    for secret in ["canary_claim", "canary-value", "10.99", "canary-conditioned", "canary-deny", "[A-Z]"] {
        assert!(!conditioned.contains(secret), "{secret} stands in\n{conditioned}");
    }
}

#[actix_web::test]
async fn a11_where_it_is_off_there_is_no_page_and_no_way_to_it() {
    let world = world("off").await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    dev.get("/explain").await.assert_page(404, "There is no such page");
    dev.get("/explain?role=Production/Secret").await.assert_page(404, "There is no such page");
    for page in ["/", "/go?account=Production&role=Secret"] {
        assert!(!dev.get(page).await.body.contains("/explain"), "{page}");
    }
}

#[actix_web::test]
async fn a11_nobody_asks_who_is_not_signed_in_and_a_question_survives_the_sign_in() {
    let world = World::new().await;
    let asked = "/explain?role=Production%2FSecret";
    assert_eq!(Browser::new(&world).get(asked).await.location(), "/login?next=%2Fexplain%3Frole%3DProduction%252FSecret");
    let mut dev = Browser::signed_in(&world, "dev").await;
    let page = dev.get(asked).await;
    page.assert_page(200, "You do not have this role");
    assert!(page.body.contains("value=\"Production/Secret\""), "{}", page.body);
    dev.get("/go?account=Production&role=Secret").await.assert_page(200, "/explain?role=Production%2FSecret");
    let granted = dev.get("/explain?role=Production/ReadOnly").await;
    granted.assert_page(200, "Your group developers gives it.");
    granted.assert_page(200, "/go?account=111122223333");
}

#[actix_web::test]
async fn w08_what_is_asked_is_text_on_the_page_and_one_line_in_the_report() {
    let world = World::new().await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    let hostile = "<script>alert(1)</script>/x";
    let page = dev.get(&format!("/explain?{}", form(&[("role", hostile)]))).await;
    assert!(!page.body.contains("<script>alert"), "{}", page.body);
    let lines = dev.get(&format!("/explain?{}", form(&[("role", "Nowhere\nAnswer: granted/Role")]))).await;
    lines.assert_page(200, "This is no role");
    let turned = dev.get(&format!("/explain?{}", form(&[("role", "Now\u{202e}here<b>x/Role")]))).await;
    turned.assert_page(200, "Role: Now\u{fffd}here&#60;b&#62;x/Role");
    assert!(!turned.body.contains("<b>x"), "{}", turned.body);
    let long = dev.get(&format!("/explain?role=Production/{}", "x".repeat(3000))).await;
    long.assert_page(200, "This is no role");
}
