//! A provider that addresses its assertions to AWS: they sign people in here, and are passed on to a sandbox STS that trusts that provider.

use std::net::TcpListener;
use std::sync::Arc;

use rolegate::clock::Clock;
use rolegate::sandbox::{SamlMetadata, SamlTrust, Sandbox, SandboxRole, SandboxSettings, TrustedSamlProvider};

use crate::idp::Says;
use crate::world::{Answer, Browser, World};

const RECIPIENT: &str = "https://signin.aws.amazon.com/saml";
const ROLE: &str = "arn:aws:iam::111122223333:role/Developer";
const PAIR: &str = "arn:aws:iam::111122223333:role/Developer,arn:aws:iam::111122223333:saml-provider/Corp";

/// A gateway whose only rule forwards, before a sandbox STS that knows corp's metadata.
async fn worlds() -> (World, Sandbox) {
    let listen = || TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (idp, aws) = (listen(), listen());
    let sections = format!("[aws]\nsts_endpoint = \"http://{}\"\n", aws.local_addr().unwrap());
    let world = World::with_operation(&format!("aws_recipient = \"{RECIPIENT}\""), &sections, "forwarded_saml").await;
    let trust = SamlTrust { provider: "Corp".into(), audiences: vec![RECIPIENT.into()], issuer: Some(world.corp.entity_id.clone()) };
    let settings = SandboxSettings {
        gateway: world.base.parse().unwrap(),
        redirect_uris: Vec::new(),
        post_logout_uris: Vec::new(),
        client_secret: None,
        saml_partners: Vec::new(),
        issuers: Vec::new(),
        saml_providers: vec![TrustedSamlProvider {
            name: "Corp".into(),
            metadata: SamlMetadata::Document(world.corp.metadata()),
            decryption_key: None,
            requires_encryption: false,
        }],
        users: Vec::new(),
        roles: vec![SandboxRole { issuers: Vec::new(), ..SandboxRole::pinned(ROLE.parse().unwrap(), "") }.trusting_saml(trust)],
    };
    let clock: Arc<dyn Clock> = world.clock.clone();
    let sandbox = Sandbox::start(settings, idp, aws, clock).await.unwrap();
    (world, sandbox)
}

/// What corp says when it speaks to AWS.
fn to_aws(world: &World, request: &str, role: &'static str) -> Says {
    let session = ("https://aws.amazon.com/SAML/Attributes/RoleSessionName", vec!["ana"]);
    let attributes = vec![("groups", vec!["staff"]), ("https://aws.amazon.com/SAML/Attributes/Role", vec![role]), session];
    Says { audience: "urn:amazon:webservices".into(), recipient: RECIPIENT.into(), attributes, ..world.says(Some(request)) }
}

async fn signed_in(world: &World, role: &'static str) -> Browser {
    let mut ana = Browser::new(world);
    let begun = ana.begin("/login/corp?next=/").await;
    let answer = ana.respond(&world.corp.respond(&to_aws(world, &begun.request, role)), &begun.state).await;
    assert_eq!(answer.status, 303, "{}", world.last_reason());
    ana
}

async fn take(ana: &mut Browser) -> Answer {
    let portal = ana.get("/").await;
    let (_, rest) = portal.body.split_once("name=\"csrf\" value=\"").unwrap();
    let csrf = rest.split('"').next().unwrap().to_owned();
    ana.own_post("/credentials", &[("csrf", &csrf), ("role", ROLE)]).await
}

#[actix_web::test]
async fn o18_what_is_addressed_to_aws_is_passed_on_for_five_minutes_and_then_the_person_goes_round() {
    let (world, sandbox) = worlds().await;
    let mut ana = signed_in(&world, PAIR).await;
    let taken = take(&mut ana).await;
    assert_eq!(taken.status, 303, "{}", taken.body);
    assert!(taken.location.starts_with("/credentials/"));
    assert_eq!(sandbox.ledger().len(), 1);
    assert_eq!(sandbox.ledger()[0].role.as_ref().unwrap().to_string(), ROLE);
    world.advance(295);
    let late = take(&mut ana).await;
    assert_eq!((late.status, sandbox.ledger().len()), (200, 1), "{}", late.body);
    assert!(late.body.contains("Continuing to") && late.body.contains("/login/corp?next=%2Fgo%3Faccount%3D111122223333"), "{}", late.body);
    assert!(world.last_reason().contains("expired"), "{}", world.last_reason());
}

#[actix_web::test]
async fn o18_a_role_that_the_response_does_not_offer_is_not_asked_for() {
    let (world, sandbox) = worlds().await;
    let mut ana = signed_in(&world, "arn:aws:iam::111122223333:role/Other,arn:aws:iam::111122223333:saml-provider/Corp").await;
    let refused = take(&mut ana).await;
    assert_eq!((refused.status, sandbox.ledger().len()), (502, 0), "{}", refused.body);
    assert!(refused.body.contains("does not offer this role"), "{}", refused.body);
}

#[actix_web::test]
async fn s16_what_is_addressed_to_us_is_refused_where_aws_is_expected_and_the_other_way_round() {
    let (world, _sandbox) = worlds().await;
    let mut ana = Browser::new(&world);
    let begun = ana.begin("/login/corp?next=/").await;
    let answer = ana.respond(&world.corp.respond(&world.says(Some(&begun.request))), &begun.state).await;
    assert!(answer.status == 403 && world.last_reason().contains("Recipient is not our address"), "{}", world.last_reason());
    let plain = World::new("").await;
    let mut ana = Browser::new(&plain);
    let begun = ana.begin("/login/corp?next=/").await;
    let answer = ana.respond(&plain.corp.respond(&to_aws(&plain, &begun.request, PAIR)), &begun.state).await;
    assert!(answer.status == 403 && plain.last_reason().contains("Recipient is not our address"), "{}", plain.last_reason());
}
