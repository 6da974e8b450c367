//! A forging identity provider on loopback: it serves whatever a test scripts, signed with real keys, well or ill.
//!
//! It is honest in one thing: like a real provider it redeems a code only for the PKCE verifier that fits the code's challenge.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test helper fails loudly")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, mpsc};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// What one address answers.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Answer {
    pub(crate) fn json(value: &Value) -> Self {
        Self { status: 200, body: value.to_string().into_bytes(), headers: vec![("content-type", "application/json".into())] }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, body: Vec::new(), headers: Vec::new() }
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) authorization: Option<String>,
    pub(crate) form: HashMap<String, String>,
}

#[derive(Default)]
struct Script {
    answers: Mutex<HashMap<String, Answer>>,
    arrived: Mutex<HashMap<String, Vec<Arrived>>>,
    /// By code, the challenge of the authorization request that it was issued for.
    challenges: Mutex<HashMap<String, String>>,
}

pub(crate) struct ForgingIdp {
    pub(crate) base: String,
    script: Arc<Script>,
    server: ServerHandle,
}

impl ForgingIdp {
    /// A provider with an honest discovery document, and `keys` in its key set.
    pub(crate) fn start(keys: &[&Signer]) -> Self {
        let script = Arc::new(Script::default());
        let (sender, receiver) = mpsc::channel();
        let told = Arc::clone(&script);
        std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let app = move || App::new().app_data(web::Data::from(Arc::clone(&told))).default_service(web::to(answer));
                let server = HttpServer::new(app).workers(1).bind(("127.0.0.1", 0)).unwrap();
                let port = server.addrs()[0].port();
                let server = server.disable_signals().run();
                sender.send((port, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (port, server) = receiver.recv().unwrap();
        let idp = Self { base: format!("http://127.0.0.1:{port}"), script, server };
        idp.set("/.well-known/openid-configuration", Answer::json(&idp.discovery()));
        idp.set_keys(keys);
        idp
    }

    /// An honest discovery document, for a test to tamper with.
    pub(crate) fn discovery(&self) -> Value {
        let base = &self.base;
        json!({
            "issuer": base,
            "authorization_endpoint": format!("{base}/authorize"),
            "token_endpoint": format!("{base}/token"),
            "jwks_uri": format!("{base}/jwks"),
            "userinfo_endpoint": format!("{base}/userinfo"),
            "end_session_endpoint": format!("{base}/logout"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        })
    }

    pub(crate) fn set(&self, path: &str, answer: Answer) {
        self.script.answers.lock().unwrap().insert(path.into(), answer);
    }

    pub(crate) fn set_keys(&self, keys: &[&Signer]) {
        self.set("/jwks", Answer::json(&json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() })));
    }

    /// Issues a code for an authorization request, as its S256 challenge binds it.
    pub(crate) fn issue(&self, code: &str, request: &url::Url) {
        let parameters: HashMap<_, _> = request.query_pairs().into_owned().collect();
        assert_eq!(parameters.get("code_challenge_method").map(String::as_str), Some("S256"));
        self.script.challenges.lock().unwrap().insert(code.into(), parameters["code_challenge"].clone());
    }

    /// What the token endpoint gives for a good code.
    pub(crate) fn set_id_token(&self, id_token: &str) {
        self.set(
            "/token",
            Answer::json(&json!({ "access_token": "at-1", "token_type": "Bearer", "expires_in": 60, "id_token": id_token })),
        );
    }

    pub(crate) fn arrived(&self, path: &str) -> Vec<Arrived> {
        self.script.arrived.lock().unwrap().get(path).cloned().unwrap_or_default()
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        self.arrived(path).len()
    }
}

impl Drop for ForgingIdp {
    fn drop(&mut self) {
        // The message is sent when the future is made; nobody needs to wait for the end.
        drop(self.server.stop(false));
    }
}

async fn answer(script: web::Data<Script>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let path = request.path().to_owned();
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let authorization = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let code_is_good = {
        let challenges = script.challenges.lock().unwrap();
        let challenge = form.get("code").and_then(|code| challenges.get(code)).cloned();
        let presented = form.get("code_verifier").map(|verifier| BASE64URL_NOPAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref()));
        challenge.is_some() && challenge == presented
    };
    script.arrived.lock().unwrap().entry(path.clone()).or_default().push(Arrived { authorization, form });
    let scripted = script.answers.lock().unwrap().get(&path).cloned().unwrap_or_else(|| Answer::status(404));
    let answer = if path == "/token" && scripted.status == 200 && !code_is_good {
        Answer { status: 400, ..Answer::json(&json!({ "error": "invalid_grant" })) }
    } else {
        scripted
    };
    let mut response = HttpResponse::build(actix_web::http::StatusCode::from_u16(answer.status).unwrap());
    for header in answer.headers {
        response.insert_header(header);
    }
    response.body(answer.body)
}

enum Private {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A key of the provider, or of an attacker.
pub(crate) struct Signer {
    pub(crate) kid: String,
    private: Private,
}

impl Signer {
    pub(crate) fn rsa(kid: &str) -> Self {
        let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let pkcs8 = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key).unwrap();
        Self { kid: kid.into(), private: Private::Rsa(RsaKeyPair::from_pkcs8(pkcs8.as_ref()).unwrap()) }
    }

    pub(crate) fn p256(kid: &str) -> Self {
        Self { kid: kid.into(), private: Private::P256(EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()) }
    }

    pub(crate) fn p384(kid: &str) -> Self {
        Self { kid: kid.into(), private: Private::P384(EcdsaKeyPair::generate(&signature::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()) }
    }

    pub(crate) fn ed25519(kid: &str) -> Self {
        Self { kid: kid.into(), private: Private::Ed25519(Ed25519KeyPair::generate().unwrap()) }
    }

    /// The algorithm that the key is used with unless a test says otherwise.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self.private {
            Private::Rsa(_) => "RS256",
            Private::P256(_) => "ES256",
            Private::P384(_) => "ES384",
            Private::Ed25519(_) => "EdDSA",
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        let b64 = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let point = |key: &EcdsaKeyPair, crv: &str| {
            let (x, y) = key.public_key().as_ref()[1..].split_at((key.public_key().as_ref().len() - 1) / 2);
            json!({ "kty": "EC", "crv": crv, "x": b64(x), "y": b64(y) })
        };
        let mut jwk = match &self.private {
            Private::Rsa(key) => {
                let public = key.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                json!({ "kty": "RSA", "n": b64(n.big_endian_without_leading_zero()), "e": b64(e.big_endian_without_leading_zero()) })
            }
            Private::P256(key) => point(key, "P-256"),
            Private::P384(key) => point(key, "P-384"),
            Private::Ed25519(key) => json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().as_ref()) }),
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// Signs a header and a payload exactly as they are written. `algorithm` chooses the padding and digest of RSA.
    pub(crate) fn sign_raw(&self, header: &str, payload: &str, algorithm: &str) -> String {
        let message = format!("{}.{}", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(payload.as_bytes()));
        let random = SystemRandom::new();
        let signature = match &self.private {
            Private::Rsa(key) => {
                let padding: &'static dyn signature::RsaEncoding = match algorithm {
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, message.as_bytes(), &mut signature).unwrap();
                signature
            }
            Private::P256(key) | Private::P384(key) => key.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
            Private::Ed25519(key) => key.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    /// Signs claims under a header that is as it should be.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": self.algorithm(), "kid": self.kid, "typ": "JWT" });
        self.sign_raw(&header.to_string(), &claims.to_string(), self.algorithm())
    }
}
