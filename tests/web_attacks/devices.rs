//! W10: the codes of machines without a browser (RFC 8628 section 5).

use std::time::Duration;

use serde_json::Value;

use crate::cli::{Cli, assert_error, decide, hidden, session, token};
use crate::world::{Browser, World};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

struct Device {
    cli: Cli,
    code: String,
    user_code: String,
}

impl Device {
    async fn asks(world: &World) -> Self {
        let cli = Cli::new(world);
        let (status, answer) =
            cli.post("/oauth2/device_authorization", &[("client_id", "rolegate-cli"), ("device_name", "build-host")]).await;
        assert_eq!(status, 200, "{answer}");
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        assert_eq!((answer["expires_in"].as_u64(), answer["interval"].as_u64()), (Some(600), Some(5)));
        assert_eq!(text("verification_uri"), format!("{}/device", world.base));
        assert_eq!(text("verification_uri_complete"), format!("{}/device?user_code={}", world.base, text("user_code")));
        Self { cli, code: text("device_code"), user_code: text("user_code") }
    }

    async fn polls(&self) -> (u16, Value) {
        self.cli.post("/oauth2/token", &[("grant_type", GRANT), ("client_id", "rolegate-cli"), ("device_code", &self.code)]).await
    }
}

/// As long as a device waits between two questions, in the store's own time.
async fn a_pause() {
    tokio::time::sleep(Duration::from_millis(4200)).await;
}

#[actix_web::test]
async fn w10_a_device_is_let_in_by_who_compares_its_code_and_once() {
    let world = World::new().await;
    let (device, other) = (Device::asks(&world).await, Device::asks(&world).await);
    assert_error(&device.polls().await, 400, "authorization_pending");
    assert_error(&device.polls().await, 400, "slow_down");
    let mut ana = Browser::signed_in(&world, "ana").await;
    ana.get("/device").await.assert_page(200, "Enter the code");
    let page = ana.get(&format!("/device?user_code={}", device.user_code.replace('-', "").to_lowercase())).await;
    page.assert_page(200, &device.user_code);
    for words in [
        "build-host",
        "anybody can choose any name",
        "127.0.0.1",
        "shows exactly this code",
        "by mail, chat or telephone",
        "datetime=\"2027-01-15T08:00:00Z\"",
    ] {
        assert!(page.body.contains(words), "no `{words}` in\n{}", page.body);
    }
    assert!(!page.body.contains("not the address that you are at now"), "{}", page.body);
    assert_eq!(page.header("x-frame-options"), "DENY");
    // Looking is no answer.
    assert_error(&device.polls().await, 400, "slow_down");
    decide(&mut ana, &page, "/device", "allow").await.assert_page(200, "The command line may act for you");
    let answer = device.polls().await;
    let opened = session(&world, &token(&answer)).await.unwrap();
    assert_eq!((opened.identity.username(), opened.kind.name().unwrap().as_str()), ("ana@example.com", "build-host"));
    // Neither code serves again, and the other device has heard nothing.
    assert_error(&device.polls().await, 400, "slow_down");
    decide(&mut ana, &page, "/device", "allow").await.assert_page(200, "No command line waits under this code");
    ana.get(&format!("/device?user_code={}", device.user_code)).await.assert_page(200, "No command line waits under this code");
    assert_error(&other.polls().await, 400, "authorization_pending");
    a_pause().await;
    assert_error(&device.polls().await, 400, "authorization_pending");
    let trail = world.audit();
    let brief: Vec<_> = trail.iter().skip(1).map(|event| format!("{} {}", event["kind"], event["outcome"]).replace('"', "")).collect();
    assert_eq!(brief, ["command_line ok", "sign_in ok"]);
    assert_eq!((trail[1]["asked_from"].as_str(), trail[1]["command_line"].as_str()), (Some("127.0.0.1"), Some("build-host")));
    let trail = serde_json::to_string(&trail).unwrap();
    assert!(!trail.contains(&device.user_code) && !trail.contains(&device.code));
}

#[actix_web::test]
async fn w10_a_device_that_is_refused_late_or_left_alone_gets_nothing() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let refused = Device::asks(&world).await;
    let page = ana.get(&format!("/device?user_code={}", refused.user_code)).await;
    decide(&mut ana, &page, "/device", "refuse").await.assert_page(200, "The command line was refused");
    assert_error(&refused.polls().await, 400, "access_denied");
    // The person signs out before the device has asked.
    let device = Device::asks(&world).await;
    let page = ana.get(&format!("/device?user_code={}", device.user_code)).await;
    decide(&mut ana, &page, "/device", "allow").await.assert_page(200, "The command line may act for you");
    let csrf = ana.csrf().await;
    ana.post("/logout", &[("scope", "here"), ("csrf", &csrf)]).await;
    assert_error(&device.polls().await, 400, "invalid_grant");
    // Nobody answers in ten minutes, or the answer comes too late.
    let mut ana = Browser::signed_in(&world, "ana").await;
    let device = Device::asks(&world).await;
    let page = ana.get(&format!("/device?user_code={}", device.user_code)).await;
    world.advance(600);
    decide(&mut ana, &page, "/device", "allow").await.assert_page(200, "No command line waits under this code");
    assert_error(&device.polls().await, 400, "expired_token");
}

#[actix_web::test]
async fn w10_a_device_code_is_known_to_its_device_alone() {
    let world = World::new().await;
    let device = Device::asks(&world).await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let page = ana.get(&format!("/device?user_code={}", device.user_code)).await;
    decide(&mut ana, &page, "/device", "allow").await.assert_page(200, "may act for you");
    let code = crate::cli::code(&mut ana).await;
    for (client, wrong, error) in [
        ("another", device.code.clone(), "invalid_client"),
        ("rolegate-cli", device.user_code.clone(), "invalid_grant"),
        ("rolegate-cli", code, "invalid_grant"),
        ("rolegate-cli", "A".repeat(device.code.len()), "invalid_grant"),
        ("rolegate-cli", format!("{}A", device.code), "invalid_grant"),
        ("rolegate-cli", String::new(), "invalid_request"),
    ] {
        let fields = [("grant_type", GRANT), ("client_id", client), ("device_code", &wrong)];
        assert_error(&device.cli.post("/oauth2/token", &fields).await, 400, error);
    }
    assert_error(&device.cli.redeem(&device.code, &[]).await, 400, "invalid_grant");
    drop(token(&device.polls().await));
}

#[actix_web::test]
async fn w10_an_answer_to_a_device_comes_from_the_persons_own_page() {
    let world = World::new().await;
    let device = Device::asks(&world).await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let page = ana.get(&format!("/device?user_code={}", device.user_code)).await;
    let fields = hidden(&page.body, "/device");
    // Another person's token, none, and nobody at all.
    let mut dev = Browser::signed_in(&world, "dev").await;
    decide(&mut dev, &page, "/device", "allow").await.assert_page(403, "This form has expired");
    ana.post("/device", &[("user_code", &device.user_code), ("decision", "allow")]).await.assert_page(400, "cannot be read");
    assert_eq!(decide(&mut Browser::new(&world), &page, "/device", "allow").await.status, 303);
    let csrf = &fields.iter().find(|(name, _)| name == "csrf").unwrap().1;
    let query = format!("/device?user_code={}&csrf={csrf}&decision=allow", device.user_code);
    ana.get(&query).await.assert_page(200, "Let a command line on another machine act for you?");
    assert_error(&device.polls().await, 400, "authorization_pending");
    decide(&mut ana, &page, "/device", "allow").await.assert_page(200, "may act for you");
    drop(token(&device.polls().await));
}

#[actix_web::test]
async fn w10_codes_of_devices_cannot_be_guessed() {
    let world = World::new().await;
    let device = Device::asks(&world).await;
    let nobody = Browser::new(&world).get(&format!("/device?user_code={}", device.user_code)).await;
    assert!(nobody.location().starts_with("/login?next=%2Fdevice%3Fuser_code"), "who guesses is signed in: {}", nobody.location());
    let mut dev = Browser::signed_in(&world, "dev").await;
    let csrf = dev.csrf().await;
    let letters = "BCDFGHJKLMNP";
    for (tried, letter) in letters.chars().enumerate() {
        let guess = format!("{}-BBBB", letter.to_string().repeat(4));
        let answer = match tried % 2 {
            0 => dev.get(&format!("/device?user_code={guess}")).await,
            _ => dev.post("/device", &[("user_code", &guess), ("decision", "refuse"), ("csrf", &csrf)]).await,
        };
        if tried < 10 {
            answer.assert_page(200, "No command line waits under this code");
        } else {
            answer.assert_page(429, "Too many codes at once");
            assert!(answer.header("retry-after").parse::<u64>().unwrap() <= 7);
        }
    }
    // The right one is not looked at either, and what is no code costs no try.
    dev.get(&format!("/device?user_code={}", device.user_code)).await.assert_page(429, "Too many codes at once");
    dev.get("/device?user_code=AEIO-UAEI").await.assert_page(200, "No command line waits under this code");
}

#[actix_web::test]
async fn w10_strangers_cannot_fill_the_store_with_devices() {
    let world = World::with(|config| config.replace("workers = 1", "workers = 1\ntrusted_proxies = [\"127.0.0.0/8\"]")).await;
    let cli = Cli::new(&world);
    let ask =
        async |ip: &str| cli.post_with("/oauth2/device_authorization", &[("client_id", "rolegate-cli")], &[("x-forwarded-for", ip)]).await;
    for n in 0..64 {
        assert_eq!(ask(&format!("2001:db8:1:2::{n:x}")).await.0, 200, "{n}");
    }
    assert_error(&ask("2001:db8:1:2:ffff::1").await, 429, "temporarily_unavailable");
    let other = ask("2001:db8:1:3::1").await;
    assert_eq!(other.0, 200, "others are let in");
    // Somebody at another address than the device's is told so.
    let mut ana = Browser::signed_in(&world, "ana").await;
    let page = ana.get(&format!("/device?user_code={}", other.1["user_code"].as_str().unwrap())).await;
    page.assert_page(200, "2001:db8:1:3::1");
    assert!(page.body.contains("not the address that you are at now") && page.body.contains("a machine without a name"), "{}", page.body);
}
