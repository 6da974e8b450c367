//! W3 to W7: what surrounds every page.

use reqwest::Method;

use crate::world::{ADMIN, Answer, Browser, World};

/// One answer of every kind, with its name.
async fn every_kind(world: &World) -> Vec<(&'static str, Answer)> {
    let mut ana = Browser::signed_in(world, "ana").await;
    let csrf = ana.csrf().await;
    let mut nobody = Browser::new(world);
    let handed = ana.post("/credentials", &[("role", ADMIN), ("csrf", &csrf)]).await;
    let place = handed.location().to_owned();
    vec![
        ("picker", nobody.get("/login").await),
        ("portal", ana.get("/").await),
        ("no roles", Browser::signed_in(world, "nora").await.get("/").await),
        ("deep link", ana.get("/go?account=Production").await),
        ("explained", ana.get("/explain?role=Production/ReadOnly").await),
        ("hand-over", handed),
        ("credentials", ana.get(&place).await),
        ("credentials gone", ana.get(&place).await),
        ("several", ana.get("/several").await),
        ("several handed over", ana.post("/several", &[("role", ADMIN), ("csrf", &csrf)]).await),
        ("choice", ana.post("/choices", &[("group", "role"), ("csrf", &csrf)]).await),
        ("console", ana.post("/console", &[("role", ADMIN), ("csrf", &csrf)]).await),
        ("download", ana.post("/credentials/download", &[("role", ADMIN), ("csrf", &csrf), ("format", "json")]).await),
        ("not found", nobody.get("/nowhere").await),
        ("forged", nobody.post("/console", &[("role", ADMIN)]).await),
        ("callback refused", nobody.get("/callback/sandbox").await),
        ("to the provider", nobody.get("/login/sandbox").await),
        ("health", nobody.get("/healthz").await),
        ("signed out", ana.post("/logout", &[("scope", "here"), ("csrf", &csrf)]).await),
    ]
}

#[actix_web::test]
async fn w03_every_answer_has_a_strict_policy() {
    let world = World::new().await;
    for (name, answer) in every_kind(&world).await {
        let policy = answer.header("content-security-policy");
        for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "script-src 'self'", "style-src 'self'"] {
            assert!(policy.contains(part), "{name}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("data:"), "{name}: {policy}");
        let leads = policy.split("form-action ").nth(1).unwrap().split(';').next().unwrap();
        let to_aws = ["portal", "deep link"].contains(&name);
        assert_eq!(leads != "'self'", to_aws, "only pages with a button into the console may lead there: {name}: {policy}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{name}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{name}");
        for needle in ["<script>", "style=\"", " onclick", " onload", "javascript:", "https://"] {
            assert!(!answer.body.contains(needle), "{name} contains {needle}:\n{}", answer.body);
        }
    }
}

#[actix_web::test]
async fn w07_no_answer_about_a_person_is_kept() {
    let world = World::new().await;
    for (name, answer) in every_kind(&world).await {
        assert_eq!(answer.header("cache-control"), "no-store", "{name}");
        let referrer = answer.header("referrer-policy");
        let expected = if ["credentials", "console"].contains(&name) { "no-referrer" } else { "same-origin" };
        assert_eq!(referrer, expected, "{name}");
    }
    let keys = Browser::new(&world).get("/.well-known/jwks.json").await;
    assert_eq!(keys.header("cache-control"), "public, max-age=300", "the sibling that may be kept");
}

#[actix_web::test]
async fn w07_credentials_are_shown_once_and_to_their_own_session() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    let place = ana.post("/credentials", &[("role", ADMIN), ("csrf", &csrf)]).await.location().to_owned();
    let mut dev = Browser::signed_in(&world, "dev").await;
    let stolen = dev.get(&place).await;
    stolen.assert_page(410, "These credentials were shown once");
    assert!(!stolen.body.contains("ASIA"));
    assert_eq!(Browser::new(&world).get(&place).await.status, 303, "nobody without a session sees anything");
    ana.get(&place).await.assert_page(200, "ASIA");
    let again = ana.get(&place).await;
    again.assert_page(410, "These credentials were shown once");
    assert!(!again.body.contains("ASIA"));
    ana.get("/credentials/nonsense").await.assert_page(410, "These credentials were shown once");
}

#[actix_web::test]
async fn w05_the_host_header_changes_nothing() {
    let world = World::new().await;
    let mut honest = Browser::new(&world);
    let expected = honest.get("/login/sandbox").await.location().to_owned();
    let redirect = |location: &str| location.split_once("redirect_uri=").unwrap().1.split('&').next().unwrap().to_owned();
    for (name, value) in
        [("host", "evil.example"), ("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "https"), ("forwarded", "host=evil.example")]
    {
        let mut poisoned = Browser::new(&world);
        let answer = poisoned.send(poisoned.request(Method::GET, "/login/sandbox").header(name, value)).await;
        assert_eq!(redirect(answer.location()), redirect(&expected), "{name}");
        assert!(answer.headers.get_all("set-cookie").iter().all(|cookie| !cookie.to_str().unwrap().contains("evil")), "{name}");
        let page = poisoned.send(poisoned.request(Method::GET, "/login").header(name, value)).await;
        assert!(!page.body.contains("evil.example"), "{name}");
    }
}

#[actix_web::test]
async fn w05_a_forwarded_address_is_believed_from_trusted_proxies_alone() {
    for (trusted, recorded) in [("", "127.0.0.1"), ("trusted_proxies = [\"127.0.0.0/8\"]", "203.0.113.9")] {
        let world = World::with(|config| config.replace("workers = 1", &format!("workers = 1\n{trusted}"))).await;
        let mut ana = Browser::new(&world);
        let callback = ana.up_to_callback("/login/sandbox?next=/", "ana").await;
        let request = ana.request(Method::GET, &callback).header("x-forwarded-for", "198.51.100.1, 203.0.113.9, 127.0.0.2");
        assert_eq!(ana.send(request).await.status, 303);
        assert_eq!(world.audit()[0]["ip"], recorded);
    }
}

#[actix_web::test]
async fn w06_cookies_are_hardened() {
    let plain = World::new().await;
    let cookies = |answer: &Answer| -> Vec<String> {
        answer.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap().to_owned()).collect()
    };
    let mut ana = Browser::new(&plain);
    let callback = ana.up_to_callback("/login/sandbox?next=/", "ana").await;
    let set = cookies(&ana.get(&callback).await);
    assert_eq!(set.len(), 2);
    for (cookie, start) in set.iter().zip(["rolegate-session=", "rolegate-login-1=;"]) {
        assert!(cookie.starts_with(start), "{set:?}");
        for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(part), "{set:?}");
        }
        assert!(!cookie.contains("Domain"), "{set:?}");
    }
    assert_eq!(ana.session().len(), 43, "256 bits");

    let https =
        World::with(|config| config.replacen("public_url = \"http://127.0.0.1", "public_url = \"https://gate.example\" #", 1)).await;
    let set = cookies(&Browser::new(&https).get("/login/sandbox").await);
    assert_eq!(set.len(), 3, "{set:?}");
    assert!(set.iter().any(|cookie| cookie.starts_with("__Host-rolegate-login-1=") && cookie.contains("Max-Age=600")), "{set:?}");
    for cookie in set {
        assert!(cookie.starts_with("__Host-rolegate-"), "{cookie}");
        for part in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
    let answer = Browser::new(&https).get("/login").await;
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
}

#[actix_web::test]
async fn w06_what_others_set_for_this_host_locks_nobody_out() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let mut cookie = b"theme=caf\xe9; ".to_vec();
    cookie.extend(format!("rolegate-session={}", ana.session()).bytes());
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
    let header = reqwest::header::HeaderValue::from_bytes(&cookie).unwrap();
    let answer = ana.send(client.get(&world.base).header("cookie", header)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[actix_web::test]
async fn w06_of_two_cookies_of_one_name_none_counts() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    assert_eq!(ana.get("/").await.status, 200);
    let twice = format!("rolegate-session={}; rolegate-session={}", ana.session(), "A".repeat(43));
    let mut bare = Browser::new(&world);
    let request = bare.request(Method::GET, "/").header("cookie", twice);
    assert_eq!(bare.send(request).await.status, 303);
}

#[actix_web::test]
async fn w04_a_console_destination_is_one_of_the_consoles_pages() {
    let world = World::new().await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let csrf = ana.csrf().await;
    let honest = ana.post("/console", &[("role", ADMIN), ("csrf", &csrf), ("destination", "s3")]).await;
    assert!(honest.location().contains("federation") && honest.location().contains("s3"), "{}", honest.location());
    let issued = world.issued();
    for hostile in [
        "//evil.example",
        "https://evil.example/console",
        "javascript:alert(1)",
        "s3\r\nSet-Cookie: a=b",
        "https://console.aws.amazon.com@evil.example/",
    ] {
        let answer = ana.post("/console", &[("role", ADMIN), ("csrf", &csrf), ("destination", hostile)]).await;
        answer.assert_page(400, "The console page is not allowed");
        let event = world.audit().last().unwrap().clone();
        assert_eq!(
            (event["kind"].as_str(), event["outcome"].as_str(), event["role"].as_str()),
            (Some("issue"), Some("refused"), Some(ADMIN))
        );
        assert!(answer.body.contains(event["incident"].as_str().unwrap()), "the page's id finds the event: {event}");
        let query = crate::world::form(&[("account", "Production"), ("destination", hostile)]);
        ana.get(&format!("/go?{query}")).await.assert_page(400, "The console page is not allowed");
    }
    assert_eq!(world.issued(), issued, "nothing was issued for a bad destination");
}

#[actix_web::test]
async fn w08_what_people_are_called_is_text_everywhere() {
    let hostile = r#"Prod"><script>alert(1)</script> & {{x}}"#;
    let quoted = format!("name = '{hostile}'");
    let world = World::with(|config| config.replace("name = \"Production\"", &quoted)).await;
    let mut ana = Browser::signed_in(&world, "ana").await;
    let portal = ana.get("/").await;
    portal.assert_page(200, "Prod&#34;&#62;&#60;script&#62;alert(1)");
    assert!(!portal.body.contains("<script>alert"), "{}", portal.body);
    let csrf = portal.csrf();
    for format in ["bash", "fish", "powershell", "cmd", "profile", "json"] {
        let file = ana.post("/credentials/download", &[("role", ADMIN), ("csrf", &csrf), ("format", format)]).await;
        assert_eq!(file.status, 200, "{format}: {}", file.body);
        // The name reaches the files through the profile's name alone, in that name's own narrow alphabet.
        assert!(!file.body.contains(['<', '>', '(']) && !file.body.contains("{{"), "{format}:\n{}", file.body);
        assert!(file.header("content-disposition").starts_with("attachment; filename=\"aws-credentials."), "{format}");
    }
}
