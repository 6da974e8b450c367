//! The SAML side as a browser and a service provider meet it. What it signs is verified by the gateway's own wall.

use std::net::TcpListener;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use data_encoding::BASE64;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use url::form_urlencoded::Serializer;

use crate::clock::ManualClock;
use crate::saml::metadata::IdpDescription;
use crate::saml::prescreen::prescreen;
use crate::saml::redirect::{MessageKind, write_url};
use crate::saml::response::{Assertion, Expected, UnverifiedEnvelope, read};
use crate::saml::verify::Verifier;
use crate::saml::write::Binding;
use crate::sandbox::{SamlPartner, Sandbox, SandboxSettings};

const ENTITY: &str = "http://127.0.0.1:8700/saml/sandbox-saml";
const CONSUMER: &str = "http://127.0.0.1:8700/saml/sandbox-saml/acs";

struct World {
    sandbox: Sandbox,
    http: Client,
    now: DateTime<chrono::Utc>,
}

async fn world() -> World {
    let partner = SamlPartner {
        name: "Rolegate".into(),
        entity_id: ENTITY.into(),
        consumer: CONSUMER.into(),
        deep_link: Some(("Production".into(), "/go?account=Production".into())),
    };
    let settings = SandboxSettings {
        gateway: "http://127.0.0.1:8700/".parse().unwrap(),
        redirect_uris: Vec::new(),
        post_logout_uris: Vec::new(),
        client_secret: None,
        saml_partners: vec![partner],
        issuers: Vec::new(),
        saml_providers: Vec::new(),
        users: Vec::new(),
        roles: Vec::new(),
    };
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let sandbox = Sandbox::start(settings, listen(), listen(), Arc::new(ManualClock::at(now))).await.unwrap();
    World { sandbox, http: Client::builder().no_proxy().redirect(Policy::none()).build().unwrap(), now }
}

fn form(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The value of a hidden field of a page.
fn field(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\""))?;
    rest.split_once('"').map(|(value, _)| value.replace("&#38;", "&").replace("&#61;", "="))
}

impl World {
    fn request(&self, id: &str, issuer: &str, consumer: &str) -> String {
        let to = format!("{}/saml/sso", self.sandbox.issuer);
        let xml = format!(
            "<samlp:AuthnRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" \
             ID=\"{id}\" Version=\"2.0\" IssueInstant=\"2027-01-15T08:00:00Z\" Destination=\"{to}\" AssertionConsumerServiceURL=\"{consumer}\">\
             <saml:Issuer>{issuer}</saml:Issuer></samlp:AuthnRequest>"
        );
        write_url(&to, MessageKind::Request, &xml, Some("state"), None).unwrap()
    }

    async fn get(&self, url: &str) -> Response {
        self.http.get(url).send().await.unwrap()
    }

    async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> String {
        let url = format!("{}{path}", self.sandbox.issuer);
        let request = self.http.post(url).header("content-type", "application/x-www-form-urlencoded").body(form(pairs));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.text().await.unwrap()
    }

    /// Clicks on a person, and reads the response as a service provider does.
    async fn sign_in(&self, page: &str, person: &str) -> (String, Vec<u8>) {
        let handle = field(page, "request").unwrap();
        let page = self.post("/saml/sign-in", &[("request", &handle), ("person", person)]).await;
        assert!(page.contains(&format!("action=\"{CONSUMER}\"")) && page.contains("Sandbox: nothing here is real"));
        let response = BASE64.decode(field(&page, "SAMLResponse").unwrap().as_bytes()).unwrap();
        (page, response)
    }

    async fn accepted(&self, response: &[u8], request: Option<&str>) -> Assertion {
        let metadata = self.get(&format!("{}/saml/metadata", self.sandbox.issuer)).await.bytes().await.unwrap();
        let idp = IdpDescription::parse(&metadata, None).unwrap();
        assert!(idp.sign_on_by(Binding::Redirect).is_some() && idp.sign_on_by(Binding::Post).is_some());
        let verifier = Verifier::new(idp.signing(self.now).unwrap()).unwrap();
        let screened = prescreen(response).unwrap();
        let assertion = read(&verifier.verify(&screened).unwrap()).unwrap();
        let expected = Expected {
            idp_entity_id: &idp.entity_id,
            sp_entity_id: ENTITY,
            acs_url: CONSUMER,
            aws_recipient: None,
            request_id: request,
            max_age: TimeDelta::minutes(5),
        };
        let outer = UnverifiedEnvelope::read(&screened).unwrap();
        assertion.check(&outer, &expected, self.now, TimeDelta::seconds(60)).unwrap();
        assertion
    }
}

#[tokio::test]
async fn a_request_is_answered_by_a_signed_assertion_about_the_person() {
    let world = world().await;
    let page = world.get(&world.request("_r1", ENTITY, CONSUMER)).await.text().await.unwrap();
    let (page, response) = world.sign_in(&page, "ana").await;
    assert_eq!(field(&page, "RelayState").as_deref(), Some("state"));
    let assertion = world.accepted(&response, Some("_r1")).await;
    assert_eq!(assertion.subject.value, "ana");
    assert_eq!(assertion.authn.context_class.as_deref(), Some("https://refeds.org/profile/mfa"));
    let groups = assertion.attributes.iter().find(|attribute| attribute.name == "groups").unwrap();
    assert!(groups.values.contains(&"aws-platform-admins".to_owned()));
}

#[tokio::test]
async fn a_tile_sends_a_response_that_nobody_asked_for() {
    let world = world().await;
    let tiles = world.get(&format!("{}/apps", world.sandbox.issuer)).await.text().await.unwrap();
    assert!(tiles.contains("Rolegate") && tiles.contains("deep link"));
    let page = world.post("/apps", &[("tile", "1")]).await;
    let (page, response) = world.sign_in(&page, "dev").await;
    assert!(page.contains("/go?account"));
    let assertion = world.accepted(&response, None).await;
    assert_eq!(assertion.confirmation.in_response_to, None);
}

#[tokio::test]
async fn who_cancels_is_told_of_as_a_failure() {
    let world = world().await;
    let page = world.get(&world.request("_r1", ENTITY, CONSUMER)).await.text().await.unwrap();
    let handle = field(&page, "request").unwrap();
    let page = world.post("/saml/sign-in", &[("request", &handle), ("cancel", "1")]).await;
    let response = BASE64.decode(field(&page, "SAMLResponse").unwrap().as_bytes()).unwrap();
    let text = String::from_utf8(response).unwrap();
    assert!(text.contains("status:AuthnFailed") && !text.contains("Assertion>"), "{text}");
}

#[tokio::test]
async fn strangers_and_other_addresses_are_refused() {
    let world = world().await;
    let stranger = world.get(&world.request("_r1", "http://stranger.example", CONSUMER)).await;
    assert_eq!(stranger.status(), 400);
    let elsewhere = world.get(&world.request("_r1", ENTITY, "http://127.0.0.1:8700/other")).await;
    assert_eq!(elsewhere.status(), 400);
    let garbage = world.get(&format!("{}/saml/sso?SAMLRequest=%41", world.sandbox.issuer)).await;
    assert_eq!(garbage.status(), 400);
}
