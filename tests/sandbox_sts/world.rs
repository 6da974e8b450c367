//! A sandbox with a test issuer beside it, both in virtual time.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use aws_lc_rs::encoding::AsDer;
use chrono::DateTime;
use data_encoding::BASE64;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::redirect::Policy;
use rolegate::clock::{Clock, ManualClock};
use rolegate::sandbox::{Sandbox, SandboxRole, SandboxSettings, TrustedIssuer};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const AUDIENCE: &str = "sts.amazonaws.com";
pub(crate) const DEVELOPER: &str = "arn:aws:iam::111122223333:role/Developer";
/// Trusts tokens that name no role, and allows neither tags nor a source identity.
pub(crate) const PLAIN: &str = "arn:aws:iam::111122223333:role/team/Plain";
/// Trusts the other issuer only.
pub(crate) const FOREIGN: &str = "arn:aws:iam::444455556666:role/Foreign";
pub(crate) const ROLES: &str = "https://aws.amazon.com/roles";
pub(crate) const TAGS: &str = "https://aws.amazon.com/tags";
pub(crate) const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";

/// A key pair of the test issuer.
pub(crate) struct Key {
    pub(crate) signing: EncodingKey,
    pub(crate) public: Value,
    pub(crate) algorithm: Algorithm,
}

impl Key {
    pub(crate) fn ec(kid: &str) -> Self {
        let pair = aws_lc_rs::signature::EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self::of(EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref()), Algorithm::ES256, kid)
    }

    pub(crate) fn rsa(kid: &str) -> Self {
        let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(der.as_ref()));
        Self::of(EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(), Algorithm::RS256, kid)
    }

    pub(crate) fn of(signing: EncodingKey, algorithm: Algorithm, kid: &str) -> Self {
        let mut public = serde_json::to_value(Jwk::from_encoding_key(&signing, algorithm).unwrap()).unwrap();
        public["kid"] = json!(kid);
        public["use"] = json!("sig");
        Self { signing, public, algorithm }
    }

    pub(crate) fn sign(&self, kid: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(self.algorithm) };
        jsonwebtoken::encode(&header, claims, &self.signing).unwrap()
    }
}

/// What the test issuer answers; a test may change it while it runs.
#[derive(Clone, Default)]
pub(crate) struct Published(Arc<Mutex<(Value, Value)>>);

impl Published {
    pub(crate) fn set(&self, discovery: Value, keys: Value) {
        *self.0.lock().unwrap() = (discovery, keys);
    }
}

fn issuer_server(listener: TcpListener, published: Published) {
    let app = move || {
        let (first, second) = (published.clone(), published.clone());
        let discovery = move || std::future::ready(HttpResponse::Ok().json(&first.0.lock().unwrap().0));
        let keys = move || std::future::ready(HttpResponse::Ok().json(&second.0.lock().unwrap().1));
        App::new().route("/.well-known/openid-configuration", web::get().to(discovery)).route("/keys", web::get().to(keys))
    };
    tokio::spawn(HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run());
}

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) http: reqwest::Client,
    pub(crate) issuer: String,
    pub(crate) unreachable: String,
    pub(crate) published: Published,
    pub(crate) ec: Key,
}

pub(crate) async fn world() -> World {
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let (own, closed) = (listen(), listen());
    let (issuer, unreachable) = (origin(&own), origin(&closed));
    drop(closed);
    let ec = Key::ec("ec");
    let published = Published::default();
    published.set(json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")}), json!({"keys": [ec.public]}));
    issuer_server(own, published.clone());

    let trusted = |issuer: &str| TrustedIssuer { issuer: issuer.to_owned(), audiences: vec![AUDIENCE.to_owned()] };
    let role = |arn: &str, issuer: &str| SandboxRole::pinned(arn.parse().unwrap(), issuer);
    let aws_listener = listen();
    let aws = origin(&aws_listener);
    let saml = |provider: &str| crate::saml::trust(provider, &aws);
    let encrypted = role("arn:aws:iam::111122223333:role/Encrypted", &issuer).trusting_saml(saml("Encrypting"));
    let plain = SandboxRole {
        max_session: Duration::from_hours(12),
        allows_tags: false,
        allows_source_identity: false,
        requires_pinning: false,
        ..role(PLAIN, &issuer).trusting_saml(saml("Rolegate"))
    };
    let settings = SandboxSettings {
        gateway: "http://127.0.0.1:8700/".parse().unwrap(),
        redirect_uris: Vec::new(),
        post_logout_uris: Vec::new(),
        client_secret: None,
        saml_partners: Vec::new(),
        issuers: vec![trusted(&issuer), trusted(&unreachable)],
        saml_providers: crate::saml::providers(),
        users: vec![crate::signed::user()],
        roles: vec![role(DEVELOPER, &issuer).trusting_saml(saml("Rolegate")), plain, role(FOREIGN, &unreachable), encrypted]
            .into_iter()
            .chain(crate::signed::roles())
            .collect(),
    };
    let clock = Arc::new(ManualClock::at(DateTime::from_timestamp(NOW, 0).unwrap()));
    let shared: Arc<dyn Clock> = clock.clone();
    let sandbox = Sandbox::start(settings, listen(), aws_listener, shared).await.unwrap();
    let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    World { sandbox, clock, http, issuer, unreachable, published, ec }
}

pub(crate) fn form<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The text of the first element of that name.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    xml.split_once(&format!("<{name}>"))?.1.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

pub(crate) fn with(mut claims: Value, name: &str, value: Value) -> Value {
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) xml: String,
}

impl Answer {
    pub(crate) fn code(&self) -> (u16, &str) {
        (self.status, element(&self.xml, "Code").unwrap_or("none"))
    }
}

impl World {
    /// The origin of STS, sign-in and console.
    pub(crate) fn aws(&self) -> &str {
        self.sandbox.sts.as_str().trim_end_matches('/')
    }

    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": self.issuer, "sub": "okta+ana", "aud": AUDIENCE, "iat": NOW, "nbf": NOW, "exp": NOW + 300, "jti": "j-1",
            ROLES: DEVELOPER,
            SOURCE_IDENTITY: "okta+ana",
            TAGS: {"principal_tags": {"CostCenter": ["CC-100"], "Team": ["blue + green"]}, "transitive_tag_keys": ["Team"]},
        })
    }

    /// A token for the role that takes nothing beside the identity.
    pub(crate) fn plain_claims(&self) -> Value {
        json!({"iss": self.issuer, "sub": "okta+ana", "aud": AUDIENCE, "iat": NOW, "exp": NOW + 300})
    }

    pub(crate) async fn post(&self, body: String, headers: &[(&'static str, &str)]) -> Answer {
        let mut request = self.http.post(self.sandbox.sts.clone()).header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(body).send().await.unwrap();
        assert!(response.headers().contains_key("x-amzn-requestid") && response.headers().contains_key("x-sandbox-note"));
        Answer { status: response.status().as_u16(), xml: response.text().await.unwrap() }
    }

    pub(crate) async fn assume(&self, role: &str, token: &str, extra: &[(&str, &str)]) -> Answer {
        let mut pairs = vec![
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", role),
            ("RoleSessionName", "ana@example.com"),
            ("WebIdentityToken", token),
        ];
        pairs.retain(|(name, _)| !extra.iter().any(|(other, _)| other == name));
        pairs.extend(extra);
        self.post(form(pairs), &[]).await
    }

    pub(crate) async fn assume_claims(&self, role: &str, claims: &Value) -> Answer {
        self.assume(role, &self.ec.sign(Some("ec"), claims), &[]).await
    }

    /// Asserts that each changed claim set is refused with its code, and that the unchanged one is accepted.
    pub(crate) async fn refuses(&self, role: &str, good: &Value, cases: &[(&str, Value, &str)]) {
        assert_eq!(self.assume_claims(role, good).await.status, 200);
        for (name, value, code) in cases {
            let answer = self.assume_claims(role, &with(good.clone(), name, value.clone())).await;
            let status = if *code == "AccessDenied" { 403 } else { 400 };
            assert_eq!(answer.code(), (status, *code), "{name} = {value}: {}", answer.xml);
        }
    }

    pub(crate) async fn session(&self) -> (String, String, String) {
        let xml = self.assume_claims(DEVELOPER, &self.claims()).await.xml;
        let text = |name: &str| element(&xml, name).unwrap().to_owned();
        (text("AccessKeyId"), text("SecretAccessKey"), text("SessionToken"))
    }
}
