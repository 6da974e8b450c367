//! A gateway in this process with two SAML providers whose keys the tests hold, and somebody with a browser.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use data_encoding::BASE64;
use reqwest::{Client, redirect};
use rolegate::clock::{Clock, ManualClock};
use rolegate::web::{Running, serve};
use rolegate::{config, startup};
use url::Url;

use crate::idp::{Idp, PERSISTENT, Says};

pub(crate) struct World {
    /// Where it listens.
    pub(crate) base: String,
    /// What it believes to be its address.
    public_url: String,
    text: String,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) corp: Arc<Idp>,
    pub(crate) other: Arc<Idp>,
    folder: Arc<tempfile::TempDir>,
    audit: &'static str,
    _running: Running,
}

/// The table that makes the gateway sign, and so exchange logout messages.
pub(crate) const KEY: &str = "signing_key = { file = \"gate.key\" }\nsigning_certificate = \"gate.crt\"\n";

impl World {
    /// `more` stands in both providers' tables.
    pub(crate) async fn new(more: &str) -> Self {
        Self::with(more, "").await
    }

    /// The same with other sections.
    pub(crate) async fn with(more: &str, sections: &str) -> Self {
        Self::with_operation(more, sections, "web_identity").await
    }

    /// The same, and AWS is asked in another way.
    pub(crate) async fn with_operation(more: &str, sections: &str, operation: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let [corp, other, _gate] = ["corp", "other", "gate"].map(|name| Arc::new(Idp::new(folder.path(), name)));
        std::fs::write(folder.path().join("seal"), "ab".repeat(32)).unwrap();
        let mut text = format!(
            "public_url = \"{base}\"\n[server]\nlisten = \"127.0.0.1:1\"\nworkers = 1\nsign_in_burst = 10000\n[audit]\nfile = \"audit.jsonl\"\n\
             [[account]]\nid = \"111122223333\"\nname = \"Production\"\n[[rule]]\nid = \"all\"\ngroups = [\"staff\"]\naccounts = [\"*\"]\n\
             roles = [\"Developer\"]\noperation = \"{operation}\"\n{sections}\n"
        );
        for (id, idp) in [("corp", &corp), ("other", &other)] {
            std::fs::write(folder.path().join(format!("{id}.xml")), idp.metadata()).unwrap();
            text = format!(
                "{text}[[saml_provider]]\nid = \"{id}\"\nname = \"The {id} provider\"\nmetadata = {{ file = \"{id}.xml\" }}\n{more}\n"
            );
        }
        let clock = Arc::new(ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap()));
        let running = run(&text, &folder, &clock, listener).await;
        Self { public_url: base.clone(), base, text, clock, corp, other, folder, audit: "audit.jsonl", _running: running }
    }

    /// A second gateway with the same configuration; where that names a store, it shares it.
    pub(crate) async fn replica(&self) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let text = self.text.replace("audit.jsonl", "audit-of-replica.jsonl");
        let running = run(&text, &self.folder, &self.clock, listener).await;
        Self {
            base,
            public_url: self.public_url.clone(),
            text,
            clock: Arc::clone(&self.clock),
            corp: Arc::clone(&self.corp),
            other: Arc::clone(&self.other),
            folder: Arc::clone(&self.folder),
            audit: "audit-of-replica.jsonl",
            _running: running,
        }
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// What an honest response of corp says; to no request without one.
    pub(crate) fn says(&self, request: Option<&str>) -> Says {
        let now = self.clock.now();
        let mut random = [0; 8];
        aws_lc_rs::rand::fill(&mut random).unwrap();
        let acs = format!("{}/saml/corp/acs", self.public_url);
        Says {
            issuer: self.corp.entity_id.clone(),
            id: format!("_{}", data_encoding::HEXLOWER.encode(&random)),
            now,
            audience: format!("{}/saml/corp", self.public_url),
            recipient: acs.clone(),
            destination: acs,
            in_response_to: request.map(str::to_owned),
            name: "ana".into(),
            format: PERSISTENT,
            status: "Success",
            sp_name_qualifier: None,
            context: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
            authenticated: now,
            session_index: Some("s1".into()),
            name_qualifier: None,
            session_end: None,
            attributes: vec![("groups", vec!["staff"])],
        }
    }

    /// Why the last decision did not go as wanted.
    pub(crate) fn last_reason(&self) -> String {
        let text = std::fs::read_to_string(self.folder.path().join(self.audit)).unwrap_or_default();
        let event: serde_json::Value = text.lines().last().map(|line| serde_json::from_str(line).unwrap()).unwrap_or_default();
        event["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// The events of the audit trail.
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.folder.path().join(self.audit)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// How many sign-ins the audit trail has.
    pub(crate) fn sign_ins(&self) -> usize {
        let text = std::fs::read_to_string(self.folder.path().join(self.audit)).unwrap_or_default();
        text.lines().filter(|line| line.contains("\"kind\":\"sign_in\"") && line.contains("\"outcome\":\"ok\"")).count()
    }
}

async fn run(text: &str, folder: &tempfile::TempDir, clock: &Arc<ManualClock>, listener: TcpListener) -> Running {
    let config = config::parse_with(text, "test.toml", folder.path(), startup::problems).unwrap_or_else(|f| panic!("{f}"));
    let made = startup::gateway(&config, Arc::clone(clock) as Arc<dyn Clock>).await.unwrap_or_else(|f| panic!("{f}"));
    let site = startup::site(&config, made, None);
    serve(site, listener, &startup::server_options(&config)).unwrap()
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) body: String,
}

/// Somebody with a browser that follows nothing by itself.
#[derive(Clone)]
pub(crate) struct Browser {
    client: Client,
    base: String,
    /// What the gateway believes to be its origin, as its pages' forms have it.
    origin: String,
    pub(crate) cookies: BTreeMap<String, String>,
}

/// A login under way: the request's ID and the state that comes back.
pub(crate) struct Begun {
    pub(crate) request: String,
    pub(crate) xml: String,
    pub(crate) state: String,
}

impl Browser {
    pub(crate) fn new(world: &World) -> Self {
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().build().unwrap();
        Self { client, base: world.base.clone(), origin: world.public_url.clone(), cookies: BTreeMap::new() }
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let answer = request.header("cookie", cookies).send().await.unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if value.is_empty() {
                self.cookies.remove(name)
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned())
            };
        }
        let location = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
        Answer { status: answer.status().as_u16(), location, body: answer.text().await.unwrap() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        self.send(self.client.get(url)).await
    }

    /// Posts a form as another site's page does, but with cookies.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request =
            self.client.post(format!("{}{path}", self.base)).header("origin", "https://idp.example").header("sec-fetch-site", "cross-site");
        self.send(request.header("content-type", "application/x-www-form-urlencoded").body(body)).await
    }

    /// Sends a form of one of our own pages.
    pub(crate) async fn own_post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request =
            self.client.post(format!("{}{path}", self.base)).header("origin", &self.origin).header("sec-fetch-site", "same-origin");
        self.send(request.header("content-type", "application/x-www-form-urlencoded").body(body)).await
    }

    /// Posts a form with these headers.
    pub(crate) async fn post_with(&mut self, path: &str, fields: &[(&str, &str)], headers: &[(&'static str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.client.post(format!("{}{path}", self.base)).header("content-type", "application/x-www-form-urlencoded");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request.body(body)).await
    }

    /// Signs out on one of our own pages.
    pub(crate) async fn logout(&mut self, csrf: &str, scope: &str) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs([("csrf", csrf), ("scope", scope)]).finish();
        let request = self.client.post(format!("{}/logout", self.base)).header("origin", &self.origin);
        self.send(request.header("content-type", "application/x-www-form-urlencoded").body(body)).await
    }

    pub(crate) async fn post_xml(&mut self, path: &str, body: String) -> Answer {
        self.send(self.client.post(format!("{}{path}", self.base)).header("content-type", "text/xml").body(body)).await
    }

    /// Begins a sign-in.
    pub(crate) async fn begin(&mut self, path: &str) -> Begun {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let url = Url::parse(&answer.location).unwrap();
        let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap();
        let deflated = BASE64.decode(value("SAMLRequest").as_bytes()).unwrap();
        let mut xml = String::new();
        flate2::read::DeflateDecoder::new(deflated.as_slice()).read_to_string(&mut xml).unwrap();
        let request = xml.split_once(" ID=\"").unwrap().1.split('"').next().unwrap().to_owned();
        Begun { request, xml, state: value("RelayState") }
    }

    /// Posts a response to corp's address, from our page in between.
    pub(crate) async fn respond(&mut self, response: &str, state: &str) -> Answer {
        self.own_post("/saml/corp/acs", &[("SAMLResponse", response), ("RelayState", state), ("bounced", "1")]).await
    }

    /// A whole honest sign-in at corp, with another session index.
    pub(crate) async fn signed_in(world: &World, name: &str, session_index: &str) -> Self {
        Self::signed_in_as(world, |says| Says { name: name.into(), session_index: Some(session_index.into()), ..says }).await
    }

    /// The same, and a test chooses what the response says.
    pub(crate) async fn signed_in_as(world: &World, change: impl FnOnce(Says) -> Says) -> Self {
        let mut browser = Self::new(world);
        let begun = browser.begin("/login/corp?next=/").await;
        let says = change(world.says(Some(&begun.request)));
        let answer = browser.respond(&world.corp.respond(&says), &begun.state).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        browser
    }

    pub(crate) async fn is_signed_in(&mut self) -> bool {
        self.get("/").await.status == 200
    }
}

/// A message as it stands in a query.
pub(crate) fn inflated(value: &str) -> String {
    let (_, value) =
        url::form_urlencoded::parse(format!("x={value}").as_bytes()).next().map(|(k, v)| (k.into_owned(), v.into_owned())).unwrap();
    let mut xml = String::new();
    let deflated = BASE64.decode(value.as_bytes()).unwrap();
    flate2::read::DeflateDecoder::new(deflated.as_slice()).read_to_string(&mut xml).unwrap();
    xml
}
