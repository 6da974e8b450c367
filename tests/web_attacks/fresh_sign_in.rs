//! A command line that wants a fresh or a stronger sign-in of its person.

use crate::cli::{Cli, application, decide, session, token, told};
use crate::world::{ADMIN, Browser, READER, World};

#[actix_web::test]
async fn a_fresh_sign_in_is_had_where_a_command_line_wants_one() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    ana.get(&application(&[("max_age", "900")])).await.assert_page(200, "Let a command line act for you?");
    world.advance(901);
    for (name, value) in [("max_age", "900"), ("prompt", "login")] {
        let before = ana.session().to_owned();
        let asked = ana.get(&application(&[(name, value)])).await.location().to_owned();
        assert!(asked.contains("prompt=login") && asked.contains("max_age="), "{asked}");
        let callback = ana.through_provider(&asked, "ana").await;
        let back = ana.get(&callback).await.location().to_owned();
        assert_ne!(ana.session(), before);
        let page = ana.get(&back).await;
        page.assert_page(200, "Let a command line act for you?");
        let answer = decide(&mut ana, &page, "/oauth2/authorize", "allow").await;
        let token = token(&Cli::new(&world).redeem(&told(&answer, "code").unwrap(), &[]).await);
        let opened = session(&world, &token).await.unwrap();
        assert_eq!(opened.identity.authentication().time.unwrap(), world.site.gateway.now());
        world.advance(1000);
    }
    // Who was sent and comes back without having signed in is sent again.
    let since = world.site.gateway.now().timestamp().to_string();
    let asked = ana.get(&application(&[("since", &since)])).await.location().to_owned();
    assert!(asked.contains("prompt=login"), "{asked}");
    // A form that has become too old meanwhile leads there, too.
    let page = ana.get(&application(&[("max_age", "2000")])).await;
    world.advance(1001);
    decide(&mut ana, &page, "/oauth2/authorize", "allow").await.assert_page(200, "Continuing to");
    // What the provider does not bring is told, and nobody goes round.
    let asked = ana.get(&application(&[("acr_values", "urn:example:gold")])).await.location().to_owned();
    assert!(asked.contains("acr_values=urn%3Aexample%3Agold"), "{asked}");
    let callback = ana.through_provider(&asked, "ana").await;
    let back = ana.get(&callback).await.location().to_owned();
    assert_eq!(told(&ana.get(&back).await, "error").as_deref(), Some("unmet_authentication_requirements"));
}

#[actix_web::test]
async fn a_sign_in_that_is_good_enough_for_a_role_is_had_by_its_name() {
    let world = World::with(|config| {
        let config = config.replace("private_network = true\n", "private_network = true\nmfa = { acr = [\"urn:rolegate:sandbox:mfa\"] }\n");
        config.replace("id = \"readers\"\n", "id = \"readers\"\nrequire_mfa = true\nmax_auth_age = \"15m\"\n")
    })
    .await;
    let mut dev = Browser::signed_in(&world, "dev").await;
    let asked = dev.get(&application(&[("resource", READER)])).await.location().to_owned();
    assert!(asked.contains("acr_values=urn%3Arolegate%3Asandbox%3Amfa") && asked.contains("max_age=900"), "{asked}");
    let callback = dev.through_provider(&asked, "dev").await;
    let back = dev.get(&callback).await.location().to_owned();
    let page = dev.get(&back).await;
    let answer = decide(&mut dev, &page, "/oauth2/authorize", "allow").await;
    let token = token(&Cli::new(&world).redeem(&told(&answer, "code").unwrap(), &[]).await);
    assert!(session(&world, &token).await.unwrap().identity.authentication().mfa);
    for (role, error) in [(ADMIN, "invalid_target"), ("everything", "invalid_target")] {
        assert_eq!(told(&dev.get(&application(&[("resource", role)])).await, "error").as_deref(), Some(error), "{role}");
    }
}
