//! Messages that end sessions: forged ones end nothing, genuine ones end exactly what they name.

use std::sync::atomic::{AtomicU32, Ordering};

use rolegate::clock::Clock;
use rolegate::identity::{saml_handle, sid_handle};
use rolegate::saml::redirect::{MessageKind, write_url};
use rolegate::saml::sign::SamlSigner;
use rolegate::saml::write::messages::{Envelope, LogoutRequest, LogoutResponse, LogoutStatus, NameId};

use rolegate::store::{Key, Purpose};

use crate::forging_idp::{ForgingIdp, Signer};
use crate::idp::{Idp, PERSISTENT, Says};
use crate::world::{Answer, Browser, KEY, World};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A logout request as a provider writes it, with an ID of its own.
fn request(world: &World, idp: &Idp, name: &str, indexes: &[&str], signer: Option<&SamlSigner>) -> String {
    let name_id = NameId { value: name, format: Some(PERSISTENT), name_qualifier: None, sp_name_qualifier: None };
    request_about(world, idp, name_id, indexes, signer)
}

fn request_about(world: &World, idp: &Idp, name_id: NameId<'_>, indexes: &[&str], signer: Option<&SamlSigner>) -> String {
    let destination = format!("{}/saml/corp/slo", world.base);
    let now = world.clock.now();
    let id = format!("_logout{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let envelope = Envelope { id: &id, issuer: &idp.entity_id, destination: &destination, issued: now };
    LogoutRequest { envelope, expires: now + chrono::TimeDelta::minutes(5), name_id, session_indexes: indexes }.write(signer).unwrap()
}

async fn by_redirect(world: &World, xml: &str, signer: Option<&SamlSigner>) -> Answer {
    let url = write_url(&format!("{}/saml/corp/slo", world.base), MessageKind::Request, xml, Some("their-state"), signer).unwrap();
    Browser::new(world).get(&url).await
}

async fn by_post(world: &World, xml: &str) -> Answer {
    let encoded = data_encoding::BASE64.encode(xml.as_bytes());
    Browser::new(world).post("/saml/corp/slo", &[("SAMLRequest", &encoded), ("RelayState", "their-state")]).await
}

async fn by_soap(world: &World, xml: &str) -> Answer {
    let envelope = format!("<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{xml}</s:Body></s:Envelope>");
    Browser::new(world).post_xml("/saml/corp/slo", envelope).await
}

#[actix_web::test]
async fn s26_a_forged_logout_request_ends_nothing() {
    let world = World::new(KEY).await;
    let mut ana = Browser::signed_in(&world, "ana", "s1").await;
    let (corp, other) = (&world.corp, &world.other);
    let unsigned = request(&world, corp, "ana", &[], None);
    let foreign = request(&world, corp, "ana", &[], Some(other.signer()));
    let foreign_issuer = request(&world, other, "ana", &[], Some(corp.signer()));
    let answers = [
        by_redirect(&world, &unsigned, None).await,
        by_redirect(&world, &unsigned, Some(other.signer())).await,
        by_redirect(&world, &request(&world, other, "ana", &[], None), Some(corp.signer())).await,
        by_post(&world, &unsigned).await,
        by_post(&world, &foreign).await,
        by_post(&world, &foreign_issuer).await,
    ];
    for answer in answers {
        assert!(answer.status == 400 && answer.body.contains("sign-out message was refused"), "{} {}", answer.status, answer.body);
    }
    for forged in [&unsigned, &foreign, &foreign_issuer] {
        let answer = by_soap(&world, forged).await;
        assert!(answer.status == 500 && answer.body.contains("Fault"), "{}", answer.body);
    }
    // One that was genuine an hour ago.
    let old = request(&world, corp, "ana", &[], Some(corp.signer()));
    world.advance(3600);
    assert_eq!(by_post(&world, &old).await.status, 400);
    assert!(ana.is_signed_in().await);
    // Where logout messages are off, nobody's counts.
    let off = World::new(&format!("{KEY}single_logout = false")).await;
    let mut ana = Browser::signed_in(&off, "ana", "s1").await;
    assert_eq!(by_post(&off, &request(&off, &off.corp, "ana", &[], Some(off.corp.signer()))).await.status, 400);
    assert!(ana.is_signed_in().await);
}

#[actix_web::test]
async fn s26_a_genuine_request_ends_exactly_the_sessions_that_it_names() {
    let world = World::new(KEY).await;
    let corp = world.corp.signer();
    let mut sessions = Vec::new();
    for (name, index) in [("ana", "s1"), ("ana", "s2"), ("ana", "s3"), ("bob", "s1"), ("bob", "s4")] {
        sessions.push(Browser::signed_in(&world, name, index).await);
    }
    let alive = async |sessions: &mut Vec<Browser>| {
        let mut list = Vec::new();
        for session in sessions {
            list.push(session.is_signed_in().await);
        }
        list
    };
    let answer = by_redirect(&world, &request(&world, &world.corp, "ana", &["s1"], None), Some(corp)).await;
    assert!(answer.status == 303 && answer.location.starts_with("https://corp.example/saml/slo?SAMLResponse="), "{}", answer.location);
    assert!(answer.location.contains("RelayState=their-state") && answer.location.contains("&Signature="), "{}", answer.location);
    assert_eq!(alive(&mut sessions).await, [false, true, true, true, true], "bob's index of the same name is bob's");

    let answer = by_post(&world, &request(&world, &world.corp, "ana", &["s2", "unknown"], Some(corp))).await;
    assert!(answer.status == 303 || answer.body.contains("data-onward"), "{}", answer.body);
    assert_eq!(alive(&mut sessions).await, [false, false, true, true, true]);

    let answer = by_soap(&world, &request(&world, &world.corp, "bob", &["s4"], Some(corp))).await;
    assert!(answer.status == 200 && answer.body.contains("status:Success") && answer.body.contains("Envelope"), "{}", answer.body);
    assert_eq!(alive(&mut sessions).await, [false, false, true, true, false]);

    // Without an index, all of the person's.
    sessions.push(Browser::signed_in(&world, "ana", "s5").await);
    by_post(&world, &request(&world, &world.corp, "ana", &[], Some(corp))).await;
    assert_eq!(alive(&mut sessions).await, [false, false, false, true, false, false]);
}

#[actix_web::test]
async fn s26_a_session_without_an_index_ends_whichever_of_its_persons_is_named() {
    let world = World::new(KEY).await;
    let corp = world.corp.signer();
    let without = async |name: &str| Browser::signed_in_as(&world, |says| Says { name: name.into(), session_index: None, ..says }).await;
    let (mut ana, mut bob, mut other) = (without("ana").await, without("bob").await, Browser::signed_in(&world, "ana", "s1").await);
    let answer = by_soap(&world, &request(&world, &world.corp, "ana", &["s9"], Some(corp))).await;
    assert!(answer.status == 200 && answer.body.contains("status:Success"), "{}", answer.body);
    assert!(!ana.is_signed_in().await, "which of the person's it is was never said");
    assert!(bob.is_signed_in().await && other.is_signed_in().await);
    assert_eq!(world.last_reason(), "the provider ended its session: 1 of ours were alive, 1 of them opened without a SessionIndex");
}

#[actix_web::test]
async fn s26_a_name_that_is_qualified_otherwise_means_somebody_else() {
    let world = World::new(KEY).await;
    let corp = world.corp.signer();
    let (idp, sp) = (world.corp.entity_id.clone(), format!("{}/saml/corp", world.base));
    let as_ana =
        |by: Option<&'static str>| Browser::signed_in_as(&world, move |says| Says { name_qualifier: by.map(str::to_owned), ..says });
    let name = |by: Option<&'static str>, format: Option<&'static str>| NameId {
        value: "ana",
        format,
        name_qualifier: by,
        sp_name_qualifier: None,
    };
    let (mut plain, mut behind) = (as_ana(None).await, as_ana(Some("https://behind.example")).await);
    for strange in
        [name(Some("https://elsewhere.example"), None), name(None, Some("urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"))]
    {
        by_post(&world, &request_about(&world, &world.corp, strange, &[], Some(corp))).await;
        assert!(plain.is_signed_in().await && behind.is_signed_in().await, "{strange:?}");
    }
    by_post(&world, &request_about(&world, &world.corp, name(Some("https://behind.example"), None), &[], Some(corp))).await;
    assert!(plain.is_signed_in().await && !behind.is_signed_in().await);
    // The defaults, spelled out: the name is the provider's own, and made for us.
    let default = NameId { value: "ana", format: Some(PERSISTENT), name_qualifier: Some(&idp), sp_name_qualifier: Some(&sp) };
    by_post(&world, &request_about(&world, &world.corp, default, &[], Some(corp))).await;
    assert!(!plain.is_signed_in().await);
}

#[actix_web::test]
async fn s26_a_logout_request_serves_once() {
    let redis = crate::support::Redis::start().await;
    let store = format!("[store]\nurl = \"{}\"\nseal_keys = [{{ file = \"seal\" }}]\n", redis.url());
    let world = World::with(KEY, &store).await;
    let replica = world.replica().await;
    let corp = world.corp.signer();
    let in_query = request(&world, &world.corp, "ana", &[], None);
    let signed = || request(&world, &world.corp, "ana", &[], Some(corp));
    let (posted, enveloped) = (signed(), signed());
    let mut ana = Browser::signed_in(&world, "ana", "s1").await;
    by_redirect(&world, &in_query, Some(corp)).await;
    assert!(!ana.is_signed_in().await);
    let mut ana = Browser::signed_in(&world, "ana", "s1").await;
    by_post(&world, &posted).await;
    assert!(!ana.is_signed_in().await);
    let mut ana = Browser::signed_in(&world, "ana", "s1").await;
    by_soap(&world, &enveloped).await;
    assert!(!ana.is_signed_in().await);
    // Ana is back, and whoever saw the messages plays them again, by any binding and at any replica.
    let mut ana = Browser::signed_in(&world, "ana", "s1").await;
    world.advance(60);
    let answers = [
        by_redirect(&world, &in_query, Some(corp)).await,
        by_post(&world, &posted).await,
        by_post(&world, &enveloped).await,
        by_post(&replica, &posted).await,
    ];
    for answer in answers {
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    assert!(by_soap(&world, &posted).await.body.contains("Fault"));
    assert!(ana.is_signed_in().await);
}

#[actix_web::test]
async fn s26_o15_a_message_that_met_a_failing_store_can_be_sent_again() {
    let signer = Signer::rsa("rsa-1");
    let op = ForgingIdp::start(&[&signer]);
    let redis = crate::support::Redis::start().await;
    let sections = format!(
        "[store]\nurl = \"{}\"\nseal_keys = [{{ file = \"seal\" }}]\n[[provider]]\nid = \"op\"\nname = \"OP\"\nissuer = \"{}\"\n\
         client_id = \"us\"\nclient_auth = \"none\"\n",
        redis.url(),
        op.base
    );
    let world = World::with(KEY, &sections).await;
    let mut ana = Browser::signed_in(&world, "ana", "s1").await;
    let index = |handle: String| Key::of(Purpose::Upstream, handle.as_bytes()).as_str().to_owned();
    let (by_name, by_sid) = (index(saml_handle(&"corp".parse().unwrap(), "ana")), index(sid_handle(&"op".parse().unwrap(), "s")));
    // The store answers, but for the one thing that is needed to end the sessions.
    assert_eq!(redis.command(&format!("RENAME {by_name} aside")), "+OK");
    for key in [&by_name, &by_sid] {
        redis.command(&format!("SET {key} x"));
    }
    let request = request(&world, &world.corp, "ana", &[], Some(world.corp.signer()));
    let now = world.clock.now().timestamp();
    let events = serde_json::json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let token = signer
        .sign(&serde_json::json!({ "iss": op.base, "aud": "us", "iat": now, "exp": now + 120, "jti": "j", "sid": "s", "events": events }));
    let mut provider = Browser::new(&world);
    let mut tell = async || provider.post("/logout/backchannel/op", &[("logout_token", &token)]).await.status;
    assert!(by_soap(&world, &request).await.body.contains("status:Responder"));
    assert_eq!(tell().await, 503);
    assert!(ana.is_signed_in().await);

    redis.command(&format!("DEL {by_name} {by_sid}"));
    redis.command(&format!("RENAME aside {by_name}"));
    assert!(by_soap(&world, &request).await.body.contains("status:Success"));
    assert_eq!(tell().await, 200);
    assert!(!ana.is_signed_in().await);
    // And then they are used up.
    assert!(by_soap(&world, &request).await.body.contains("Fault"));
    assert_eq!(tell().await, 400);
}

#[actix_web::test]
async fn s26_where_the_store_fails_the_provider_does_not_hear_of_success() {
    let mut redis = crate::support::Redis::start().await;
    let store = format!("[store]\nurl = \"{}\"\nseal_keys = [{{ file = \"seal\" }}]\n", redis.url());
    let world = World::with(KEY, &store).await;
    let corp = world.corp.signer();
    redis.process().signal("KILL");
    let answer = by_redirect(&world, &request(&world, &world.corp, "ana", &[], None), Some(corp)).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let xml = crate::world::inflated(answer.location.split_once("SAMLResponse=").unwrap().1.split('&').next().unwrap());
    let behind = by_soap(&world, &request(&world, &world.corp, "ana", &[], Some(corp))).await;
    for said in [xml, behind.body] {
        assert!(said.contains("status:Responder") && !said.contains("status:Success"), "{said}");
    }
    assert!(world.last_reason().contains("the store is unavailable"), "{}", world.last_reason());
}

#[actix_web::test]
async fn signing_out_at_the_provider_goes_round_and_its_answer_must_be_ours() {
    let world = World::new(KEY).await;
    let mut ana = Browser::signed_in(&world, "ana", "s1").await;
    let portal = ana.get("/").await;
    assert!(portal.body.contains("value=\"provider\""), "{}", portal.body);
    let csrf = portal.body.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
    let page = ana.logout(&csrf, "provider").await;
    let url = page.body.split_once("url=https://corp.example/saml/slo?").map(|(_, rest)| rest.split('"').next().unwrap().to_owned());
    let query = url.unwrap_or_else(|| panic!("{}", page.body)).replace("&#38;", "&");
    assert!(query.contains("SAMLRequest=") && query.contains("Signature="), "{query}");
    assert!(!ana.is_signed_in().await, "ours ended at once");
    let state = query.split_once("RelayState=").unwrap().1.split('&').next().unwrap().to_owned();
    let xml = crate::world::inflated(query.split_once("SAMLRequest=").unwrap().1.split('&').next().unwrap());
    let id = xml.split_once(" ID=\"").unwrap().1.split('"').next().unwrap().to_owned();
    assert!(xml.contains("<samlp:SessionIndex>s1</samlp:SessionIndex>") && xml.contains(">ana</saml:NameID>"), "{xml}");

    let destination = format!("{}/saml/corp/slo", world.base);
    let answer = |id: &str, status| {
        let envelope = Envelope { id: "_answer", issuer: &world.corp.entity_id, destination: &destination, issued: world.clock.now() };
        let xml = LogoutResponse { envelope, in_response_to: id, status }.write(None).unwrap();
        write_url(&destination, MessageKind::Response, &xml, Some(&state), Some(world.corp.signer())).unwrap()
    };
    let page = ana.get(&answer(&id, LogoutStatus::Success)).await;
    assert!(page.status == 200 && page.body.contains("You are signed out") && !page.body.contains("still be signed in"), "{}", page.body);
    let page = ana.get(&answer(&id, LogoutStatus::Partial)).await;
    assert!(page.status == 200 && page.body.contains("still be signed in"), "{}", page.body);
    assert_eq!(ana.get(&answer("_another", LogoutStatus::Success)).await.status, 400);
}

#[actix_web::test]
async fn o15_a_logout_token_serves_once() {
    let signer = Signer::rsa("rsa-1");
    let op = ForgingIdp::start(&[&signer]);
    let section =
        format!("[[provider]]\nid = \"op\"\nname = \"OP\"\nissuer = \"{}\"\nclient_id = \"us\"\nclient_auth = \"none\"\n", op.base);
    let world = World::with("", &section).await;
    let now = world.clock.now().timestamp();
    let claims = |jti: &str| {
        let events = serde_json::json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
        serde_json::json!({ "iss": op.base, "aud": "us", "iat": now, "exp": now + 120, "jti": jti, "sid": "s", "events": events })
    };
    let token = signer.sign(&claims("one"));
    let mut provider = Browser::new(&world);
    for (token, status) in [(&token, 200), (&token, 400), (&signer.sign(&claims("two")), 200)] {
        let answer = provider.post("/logout/backchannel/op", &[("logout_token", token)]).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    // Nor where no such provider is, or one that speaks otherwise.
    for id in ["nobody", "corp"] {
        assert_eq!(provider.post(&format!("/logout/backchannel/{id}"), &[("logout_token", &token)]).await.status, 404);
    }
}
