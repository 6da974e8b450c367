//! A gateway with its sandbox in this process, and somebody signed in: the benches measure with what a real sign-in left behind.

#![allow(dead_code, reason = "each bench uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that cannot be set up must stop"
)]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, redirect};
use rolegate::clock::SystemClock;
use rolegate::sandbox::{Sandbox, SandboxSettings};
use rolegate::store::SessionId;
use rolegate::web::{Site, serve};
use rolegate::{config, startup};
use tokio::runtime::Runtime;
use url::Url;

/// The signed-in scene. The runtime keeps the servers alive.
pub(crate) struct Scene {
    pub(crate) runtime: Runtime,
    pub(crate) site: Arc<Site>,
    pub(crate) session: SessionId,
    pub(crate) base: String,
    pub(crate) idp: String,
    _redis: Option<Redis>,
}

struct Redis(Child);

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Scene {
    /// Somebody with nine roles in three accounts, as the demonstration's rules give them, with the store in memory or in Redis.
    pub(crate) fn new(in_redis: bool) -> Self {
        Self::with(in_redis, "")
    }

    /// The same with more tables in the configuration.
    pub(crate) fn with(in_redis: bool, more: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listen = || TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (gateway, idp, aws) = (listen(), listen(), listen());
        let origin = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let (base, idp_url) = (origin(&gateway), origin(&idp));
        let mut text = include_str!("../../demo/rolegate.toml").replace("http://127.0.0.1:8700", &base);
        text = text.replace("http://127.0.0.1:8701", &idp_url).replace("http://127.0.0.1:8702", &origin(&aws));
        text.push_str(more);
        let folder = tempfile::tempdir().unwrap().keep();
        let redis = in_redis.then(|| {
            let port = listen().local_addr().unwrap().port();
            std::fs::write(folder.join("seal"), "ab".repeat(32)).unwrap();
            text = text.replace("url = \"memory\"", &format!("url = \"redis://127.0.0.1:{port}\"\nseal_keys = [{{ file = \"seal\" }}]"));
            let arguments = ["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""];
            Redis(
                Command::new("redis-server")
                    .args(arguments)
                    .stdout(Stdio::null())
                    .spawn()
                    .expect("redis-server is installed by `make test`"),
            )
        });
        let config = config::parse_with(&text, "demo.toml", &folder, startup::problems).unwrap_or_else(|findings| panic!("{findings}"));
        let settings = SandboxSettings {
            gateway: base.parse().unwrap(),
            redirect_uris: vec![format!("{base}/callback/sandbox")],
            post_logout_uris: Vec::new(),
            client_secret: None,
            saml_partners: Vec::new(),
            issuers: Vec::new(),
            saml_providers: Vec::new(),
            users: Vec::new(),
            roles: Vec::new(),
        };
        let (site, session) = runtime.block_on(async {
            Sandbox::start(settings, idp, aws, Arc::new(SystemClock)).await.unwrap();
            let made = startup::gateway(&config, Arc::new(SystemClock)).await.unwrap_or_else(|findings| panic!("{findings}"));
            let site = Arc::new(startup::site(&config, made, None));
            serve(Arc::clone(&site), gateway, &startup::server_options(&config)).unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
            let session = sign_in(&base).await;
            (site, session)
        });
        Self { runtime, site, session, base, idp: idp_url, _redis: redis }
    }
}

/// Goes through the sandbox's pages as the administrator; the id of the session that it ends with.
async fn sign_in(base: &str) -> SessionId {
    let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().build().unwrap();
    let cookie = |answer: &reqwest::Response, name: &str| {
        let cookies = answer.headers().get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
        cookies.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    };
    let location = |answer: &reqwest::Response| answer.headers()["location"].to_str().unwrap().to_owned();
    let begun = client.get(format!("{base}/login/sandbox?next=/")).send().await.unwrap();
    // The browser's own id, and the login that it keeps, sealed.
    let set = begun.headers().get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    let cookies = set.collect::<Vec<_>>().join("; ");
    let to_provider = location(&begun);
    let page = client.get(&to_provider).send().await.unwrap().text().await.unwrap();
    let (_, form) = page.split_once("<form").unwrap();
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.append_pair("person", "ana");
    for input in form.split("<input").skip(1) {
        let attribute =
            |name: &str| input.split_once(&format!("{name}=\"")).and_then(|(_, rest)| rest.split_once('"')).map(|(value, _)| value);
        if let (Some(name), Some(value)) = (attribute("name"), attribute("value")) {
            body.append_pair(name, &value.replace("&#38;", "&"));
        }
    }
    let provider = Url::parse(&to_provider).unwrap().origin().ascii_serialization();
    let request = client.post(format!("{provider}/sign-in")).header("origin", &provider).header("sec-fetch-site", "same-origin");
    let answer = request.header("content-type", "application/x-www-form-urlencoded").body(body.finish()).send().await.unwrap();
    let callback = client.get(location(&answer)).header("cookie", cookies).send().await.unwrap();
    SessionId::parse(&cookie(&callback, "rolegate-session").expect("the sign-in opened a session")).unwrap()
}
