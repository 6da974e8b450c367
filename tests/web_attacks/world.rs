//! The running product in this process: a gateway, its sandbox, and somebody with a browser that follows nothing by itself.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect};
use rolegate::clock::{Clock, ManualClock};
use rolegate::config;
use rolegate::sandbox::{PUBLIC_CLIENT, Sandbox, SandboxRole, SandboxSettings, TrustedIssuer};
use rolegate::startup;
use rolegate::web::{Running, Site, serve};
use url::Url;

pub(crate) const ADMIN: &str = "arn:aws:iam::111122223333:role/PlatformAdmin";
pub(crate) const READER: &str = "arn:aws:iam::111122223333:role/ReadOnly";
/// A role that trusts the identity provider itself, and so takes people's own tokens.
pub(crate) const FORWARDED: &str = "arn:aws:iam::111122223333:role/Forwarded";

pub(crate) struct World {
    pub(crate) base: String,
    pub(crate) site: Arc<Site>,
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) folder: tempfile::TempDir,
    running: Running,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|config| config).await
    }

    /// A world whose configuration is changed before it starts.
    pub(crate) async fn with(change: impl FnOnce(String) -> String) -> Self {
        let listen = || TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (gateway, idp, aws) = (listen(), listen(), listen());
        let base = format!("http://{}", gateway.local_addr().unwrap());
        let origin = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let text = change(configuration(&base, &origin(&idp), &origin(&aws)));
        let folder = tempfile::tempdir().unwrap();
        let config = config::parse_with(&text, "test.toml", folder.path(), startup::problems).unwrap_or_else(|f| panic!("{f}"));
        let clock = Arc::new(ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap()));
        let role = |arn: &str| SandboxRole { max_session: Duration::from_hours(4), ..SandboxRole::pinned(arn.parse().unwrap(), &base) };
        let provider = origin(&idp);
        let forwarded = SandboxRole { issuers: vec![provider.clone()], requires_pinning: false, ..role(FORWARDED) };
        let settings = SandboxSettings {
            gateway: base.parse().unwrap(),
            redirect_uris: ["sandbox", "other"].map(|id| format!("{base}/callback/{id}")).into(),
            post_logout_uris: vec![format!("{base}/signed-out")],
            client_secret: None,
            saml_partners: Vec::new(),
            issuers: vec![
                TrustedIssuer { issuer: base.clone(), audiences: vec!["sts.amazonaws.com".into()] },
                TrustedIssuer { issuer: provider, audiences: vec![PUBLIC_CLIENT.into()] },
            ],
            saml_providers: Vec::new(),
            users: Vec::new(),
            roles: [ADMIN, READER].map(role).into_iter().chain([forwarded]).collect(),
        };
        let sandbox = Sandbox::start(settings, idp, aws, Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let made = startup::gateway(&config, Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap_or_else(|f| panic!("{f}"));
        let site = Arc::new(startup::site(&config, made, None));
        let running = serve(Arc::clone(&site), gateway, &startup::server_options(&config)).unwrap();
        Self { base, site, sandbox, clock, folder, running }
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// The audit trail, one JSON object a line.
    pub(crate) fn audit(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Makes the audit trail unwritable: its file is gone, and something else has its place. What is in it is lost.
    pub(crate) fn break_trail(&self) {
        let path = self.folder.path().join("audit.jsonl");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
    }

    /// Lets it be written again, from its beginning.
    pub(crate) fn mend_trail(&self) {
        std::fs::remove_dir(self.folder.path().join("audit.jsonl")).unwrap();
    }

    /// Puts lines into the audit trail that nobody decided.
    pub(crate) fn add_to_trail(&self, lines: &str) {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().append(true).open(self.folder.path().join("audit.jsonl")).unwrap();
        file.write_all(lines.as_bytes()).unwrap();
    }

    /// Why the last decision did not go as wanted.
    pub(crate) fn last_reason(&self) -> String {
        self.audit().last().and_then(|event| event["reason"].as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// How often STS issued something.
    pub(crate) fn issued(&self) -> usize {
        self.sandbox.ledger().len()
    }

    pub(crate) async fn stop(self) -> std::io::Result<()> {
        self.running.stop().await
    }
}

fn configuration(base: &str, idp: &str, aws: &str) -> String {
    let listen = base.trim_start_matches("http://");
    let provider = |id: &str, issuer: &str| {
        format!(
            "[[provider]]\nid = \"{id}\"\nname = \"The {id} provider\"\nissuer = \"{issuer}\"\nclient_id = \"{PUBLIC_CLIENT}\"\n\
             client_auth = \"none\"\nprivate_network = true\n"
        )
    };
    format!(
        r#"public_url = "{base}"
[server]
listen = "{listen}"
workers = 1
[audit]
file = "audit.jsonl"
[aws]
sts_endpoint = "{aws}"
signin_endpoint = "{aws}"
console_endpoint = "{aws}/console"
{}{}{}
[[account]]
id = "111122223333"
name = "Production"
tags = {{ env = "prod" }}
[[rule]]
id = "admins"
groups = ["aws-platform-admins"]
accounts = ["*"]
roles = ["PlatformAdmin"]
max_session = "2h"
[[rule]]
id = "readers"
groups = ["developers"]
accounts = ["*"]
roles = ["ReadOnly"]
[[rule]]
id = "own-token"
groups = ["aws-platform-admins"]
accounts = ["*"]
roles = ["Forwarded"]
operation = "forwarded_web_identity"
"#,
        provider("sandbox", idp) + "email_domains = [\"example.com\"]\n",
        provider("other", idp),
        provider("down", "http://127.0.0.1:9"),
    )
}

/// Somebody with a browser. Cookies are kept by name; nothing is followed.
#[derive(Clone)]
pub(crate) struct Browser {
    client: Client,
    base: String,
    pub(crate) cookies: BTreeMap<String, String>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn location(&self) -> &str {
        self.header("location")
    }

    /// The first token for forms in the page.
    pub(crate) fn csrf(&self) -> String {
        let (_, rest) = self.body.split_once("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("no form in\n{}", self.body));
        rest.split_once('"').unwrap().0.to_owned()
    }

    #[track_caller]
    pub(crate) fn assert_page(&self, status: u16, words: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert!(self.body.contains(words), "no `{words}` in\n{}", self.body);
    }
}

impl Browser {
    pub(crate) fn new(world: &World) -> Self {
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().build().unwrap();
        Self { client, base: world.base.clone(), cookies: BTreeMap::new() }
    }

    pub(crate) fn session(&self) -> &str {
        self.cookies.get("rolegate-session").map(String::as_str).unwrap_or_default()
    }

    /// A request to a path of the gateway or to an absolute URL, with the cookies.
    pub(crate) fn request(&self, method: Method, to: &str) -> RequestBuilder {
        let url = Url::parse(&self.base).unwrap().join(to).unwrap();
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        self.client.request(method, url).header("cookie", cookies)
    }

    pub(crate) async fn send(&mut self, request: RequestBuilder) -> Answer {
        let response: Response = request.send().await.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            let text = cookie.to_str().unwrap();
            let (name, value) = text.split(';').next().and_then(|pair| pair.split_once('=')).unwrap();
            if value.is_empty() || text.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }

    pub(crate) async fn get(&mut self, to: &str) -> Answer {
        self.send(self.request(Method::GET, to)).await
    }

    /// A form of the gateway's own pages, as a browser sends it.
    pub(crate) async fn post(&mut self, to: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self.request(Method::POST, to).header("sec-fetch-site", "same-origin").header("origin", &self.base);
        self.send(request.header("content-type", "application/x-www-form-urlencoded").body(form(fields))).await
    }

    /// Goes through the provider's pages and stops before the gateway's callback: its URL.
    pub(crate) async fn up_to_callback(&mut self, login: &str, person: &str) -> String {
        let to_provider = self.get(login).await.location().to_owned();
        self.through_provider(&to_provider, person).await
    }

    /// Signs in at the provider's page and stops before the gateway's callback: its URL.
    pub(crate) async fn through_provider(&mut self, to_provider: &str, person: &str) -> String {
        let page = self.get(to_provider).await;
        if page.status.is_redirection() {
            // The provider knows them already, and that is enough for it.
            return page.location().to_owned();
        }
        let (_, rest) = page.body.split_once("<form").unwrap_or_else(|| panic!("no form in\n{}", page.body));
        let mut fields = vec![("person".to_owned(), person.to_owned())];
        for input in rest.split("<input").skip(1) {
            let attribute = |name: &str| {
                let (_, rest) = input.split_once(&format!("{name}=\""))?;
                rest.split_once('"').map(|(value, _)| value.replace("&#38;", "&").replace("&#x2F;", "/"))
            };
            fields.extend(attribute("name").zip(attribute("value")));
        }
        let provider = Url::parse(to_provider).unwrap().origin().ascii_serialization();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = self.request(Method::POST, &format!("{provider}/sign-in")).header("sec-fetch-site", "same-origin");
        let request = request.header("origin", provider).header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(form(&fields))).await.location().to_owned()
    }

    /// Signs in as somebody.
    pub(crate) async fn signed_in(world: &World, person: &str) -> Self {
        let mut browser = Self::new(world);
        let callback = browser.up_to_callback("/login/sandbox?next=/", person).await;
        let answer = browser.get(&callback).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        browser
    }

    /// The token for forms of the portal.
    pub(crate) async fn csrf(&mut self) -> String {
        self.get("/").await.csrf()
    }
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
