use std::io::Write;
use std::net::TcpListener;
use std::sync::Mutex;

use chrono::DateTime;
use serde_json::{Value, json};

use super::*;
use crate::identity::{Authentication, Demand};
use crate::saml::response::{Assertion, Attribute, Authn, Conditions, Confirmation, NameId};
use crate::saml::sign::self_signed;
use crate::saml::write::messages::{LogoutRequest, NameId as NameIdToWrite};

/// A folder with a key, its certificate, and metadata that carries it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let (key, certificate) = pair();
    put("a.key", &key);
    put("a.crt", &certificate);
    put("b.crt", &pair().1);
    put("idp.xml", &metadata(&certificate, ""));
    folder
}

fn pair() -> (String, String) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap().serialize_der();
    let key = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(&key));
    let certificate = self_signed(&key.clone().into(), "test", noon(), TimeDelta::days(3650)).unwrap();
    (key, certificate)
}

fn metadata(certificate: &str, attributes: &str) -> String {
    let base64: String = certificate.lines().filter(|line| !line.starts_with('-')).collect();
    format!(
        "<EntityDescriptor xmlns='urn:oasis:names:tc:SAML:2.0:metadata' entityID='https://idp.example' {attributes}><IDPSSODescriptor \
         protocolSupportEnumeration='urn:oasis:names:tc:SAML:2.0:protocol'><KeyDescriptor><KeyInfo xmlns='http://www.w3.org/2000/09/xmldsig#'>\
         <X509Data><X509Certificate>{base64}</X509Certificate></X509Data></KeyInfo></KeyDescriptor><SingleSignOnService \
         Binding='urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect' Location='https://idp.example/sso'/></IDPSSODescriptor></EntityDescriptor>"
    )
}

fn noon() -> Moment {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// Tries settings that are good but for the changes; null takes one away.
fn try_with(changes: &Value) -> Result<Provider, Vec<Problem>> {
    try_in(folder().path(), changes)
}

fn try_in(base: &Path, changes: &Value) -> Result<Provider, Vec<Problem>> {
    let mut settings = json!({ "id": "corp", "name": "Corp", "metadata": { "file": "idp.xml" } });
    for (name, value) in changes.as_object().unwrap() {
        settings[name] = value.clone();
    }
    let settings: SamlProviderSettings = serde_json::from_value(settings).unwrap();
    Provider::new(&settings, "saml_provider[0]", &"https://gate.example".parse().unwrap(), base)
}

#[test]
fn good_settings_make_a_provider() {
    let keys = json!({ "signing_key": { "file": "a.key" }, "signing_certificate": "a.crt", "next_signing_certificate": "b.crt" });
    let provider = try_with(&keys).unwrap();
    let checked = &provider.0.checked;
    assert_eq!(checked.addresses.entity_id, "https://gate.example/saml/corp");
    assert_eq!(checked.addresses.acs, "https://gate.example/saml/corp/acs");
    assert!(checked.signs_requests && !provider.may_start());
    let metadata = provider.sp_metadata().unwrap();
    assert_eq!(metadata.matches("use=\"signing\"").count(), 2, "in a change of keys both are there: {metadata}");
    assert!(metadata.contains("https://gate.example/saml/corp/acs") && metadata.contains("<ds:Signature"), "{metadata}");
    assert!(!try_with(&json!({})).unwrap().0.checked.signs_requests);
}

#[test]
fn each_finding_has_its_place() {
    for (changes, place) in [
        (json!({ "id": "Corp" }), "id"),
        (json!({ "id": "idp" }), "id"),
        (json!({ "id": "initiate" }), "id"),
        (json!({ "name": " " }), "name"),
        (json!({ "metadata": {} }), "metadata"),
        (json!({ "metadata": { "file": "idp.xml", "url": "https://idp.example" } }), "metadata"),
        (json!({ "metadata": { "file": "none.xml" } }), "metadata.file"),
        (json!({ "metadata": { "file": "a.crt" } }), "metadata.file"),
        (json!({ "metadata": { "url": "idp.example" } }), "metadata.url"),
        (json!({ "metadata": { "url": "http://idp.example" } }), "metadata.url"),
        (json!({ "metadata": { "url": "https://10.0.0.1/" } }), "metadata.url"),
        (json!({ "metadata": { "url": "http://127.0.0.1/" } }), "metadata.url"),
        (json!({ "entity_id": "https://other.example" }), "metadata.file"),
        (json!({ "metadata_certificate": "b.crt" }), "metadata.file"),
        (json!({ "metadata_certificate": "a.key" }), "metadata_certificate"),
        (json!({ "sp_entity_id": "two words" }), "sp_entity_id"),
        (json!({ "signing_key": { "file": "a.key" } }), "signing_certificate"),
        (json!({ "signing_certificate": "a.crt" }), "signing_certificate"),
        (json!({ "signing_key": { "file": "a.key" }, "signing_certificate": "b.crt" }), "signing_key"),
        (json!({ "sign_requests": true }), "sign_requests"),
        (json!({ "encryption_keys": [{ "key": { "file": "a.key" } }] }), "encryption_keys[0].key"),
        (json!({ "want_encrypted": true }), "want_encrypted"),
        (json!({ "clock_skew": "181s" }), "clock_skew"),
        (json!({ "authn_context": ["a b"] }), "authn_context[0]"),
        (json!({ "groups_attribute": "" }), "groups_attribute"),
        (json!({ "email_domains": ["nowhere"] }), "email_domains[0]"),
        (json!({ "ca_file": "none.pem" }), "ca_file"),
    ] {
        let problems = try_with(&changes).err().unwrap_or_default();
        let places: Vec<_> = problems.iter().map(|problem| problem.path.trim_start_matches("saml_provider[0].")).collect();
        assert_eq!(places, [place], "{changes}: {problems:?}");
        assert!(problems.iter().all(|problem| !problem.message.is_empty() && !problem.hint.is_empty()));
    }
}

fn assertion(attributes: &[(&str, Option<&str>, &[&str])]) -> Assertion {
    let attribute = |(name, friendly, values): &(&str, Option<&str>, &[&str])| Attribute {
        name: (*name).into(),
        name_format: None,
        friendly_name: friendly.map(str::to_owned),
        values: values.iter().map(|&value| value.into()).collect(),
    };
    Assertion {
        id: "_a".into(),
        issuer: "https://idp.example".into(),
        issue_instant: noon(),
        subject: NameId { value: "ana".into(), format: None, name_qualifier: None, sp_name_qualifier: None },
        confirmation: Confirmation { recipient: String::new(), not_on_or_after: noon(), in_response_to: None },
        conditions: Conditions { not_before: None, not_on_or_after: None, audiences: Vec::new(), one_time_use: false },
        authn: Authn {
            instant: noon(),
            session_index: Some("s".into()),
            session_not_on_or_after: None,
            context_class: Some("urn:weak".into()),
        },
        attributes: attributes.iter().map(attribute).collect(),
    }
}

fn identity(changes: &Value, assertion: Assertion) -> Result<Identity, Rejected> {
    person::identity(&try_with(changes).unwrap().0.checked, assertion)
}

#[test]
fn s29_attributes_are_found_by_their_name_alone_and_a_friendly_name_decides_nothing() {
    let list: &[(&str, Option<&str>, &[&str])] = &[
        ("urn:oid:1", Some("isMemberOf"), &["one", "", "two"]),
        ("urn:oid:2", Some("mail"), &["ana@example.org"]),
        ("twice", None, &["x"]),
        ("urn:nick", Some("groups"), &["admins"]),
        ("urn:oid:5", Some("urn:oid:2"), &["liar"]),
    ];
    let found = identity(&json!({ "groups_attribute": "urn:oid:1", "username_attribute": "urn:oid:2" }), assertion(list)).unwrap();
    assert_eq!((found.groups(), found.username()), (&["one".to_owned(), "two".to_owned()][..], "ana@example.org"));
    assert_eq!(found.claims().text("urn:oid:2"), Some("ana@example.org"), "a name is no other attribute's friendly name");
    for friendly in ["isMemberOf", "mail", "groups"] {
        assert_eq!(found.claims().find(friendly), None, "{friendly}: nor a claim that a rule could ask for");
        assert!(identity(&json!({ "groups_attribute": friendly }), assertion(list)).unwrap().groups().is_empty(), "{friendly}");
        let nameless = identity(&json!({ "username_attribute": friendly }), assertion(list)).unwrap();
        assert_eq!(nameless.username(), "ana", "{friendly}");
        let subject = identity(&json!({ "subject_attribute": friendly }), assertion(list)).unwrap_err();
        assert_eq!(subject, Rejected::SubjectAttribute(friendly.into()));
    }
    assert_eq!(found.authentication().sid.as_deref(), Some("s"));
    let twice = [list, &[("twice", None, &["y"])]].concat();
    assert_eq!(identity(&json!({ "groups_attribute": "twice" }), assertion(&twice)).unwrap_err(), Rejected::GroupsMalformed);
    assert!(identity(&json!({}), assertion(list)).unwrap().groups().is_empty());
    let long = "x".repeat(257);
    let huge: &[&str] = &[&long];
    assert_eq!(identity(&json!({}), assertion(&[("groups", None, huge)])).unwrap_err(), Rejected::GroupsMalformed);
}

#[test]
fn the_subject_is_a_name_that_stays() {
    let with = |name: NameId| Assertion { subject: name, ..assertion(&[("uid", None, &["u1"]), ("two", None, &["a", "b"])]) };
    let plain = NameId { value: "n1".into(), format: None, name_qualifier: None, sp_name_qualifier: None };
    let qualified = |by: &str| NameId { name_qualifier: Some(by.into()), ..plain.clone() };
    let transient = NameId { format: Some(name_id_format::TRANSIENT.into()), ..plain.clone() };
    let subject = |changes: Value, name: NameId| identity(&changes, with(name)).map(|identity| identity.subject().to_owned());
    assert_eq!(subject(json!({}), plain.clone()), Ok("n1".into()));
    assert_eq!(subject(json!({}), qualified("https://idp.example")), Ok("n1".into()));
    assert_eq!(subject(json!({}), qualified("https://behind.example")), Ok("https://behind.example!n1".into()));
    // Two people are never one: not by a `!` in a name, nor by one in a qualifier, nor by what stands for one.
    let named = |by: Option<&str>, value: &str| NameId { value: value.into(), name_qualifier: by.map(str::to_owned), ..plain.clone() };
    let alike = [(None, "a!b!c"), (Some("a"), "b!c"), (Some("a!b"), "c"), (None, "!a!b!c"), (Some("a%21b"), "c"), (Some("a%2521b"), "c")];
    let alike: std::collections::BTreeSet<_> = alike.iter().map(|(by, value)| subject(json!({}), named(*by, value)).unwrap()).collect();
    assert_eq!(alike.len(), 6, "{alike:?}");
    assert_eq!(subject(json!({}), transient.clone()), Err(Rejected::TransientSubject));
    assert_eq!(subject(json!({ "subject_attribute": "uid" }), transient), Ok("u1".into()));
    for missing in ["none", "two"] {
        let refused = subject(json!({ "subject_attribute": missing }), plain.clone());
        assert_eq!(refused, Err(Rejected::SubjectAttribute(missing.into())));
    }
    let odd = NameId { value: "a\nb".into(), ..plain };
    assert_eq!(subject(json!({ "subject_attribute": "uid" }), odd), Err(Rejected::Saml(Refused::Subject)));
}

#[test]
fn a_second_factor_is_proven_by_class_or_by_entra_ids_methods() {
    const METHODS: &str = "http://schemas.microsoft.com/claims/authnmethodsreferences";
    const MULTIPLE: &str = "http://schemas.microsoft.com/claims/multipleauthn";
    let mfa = |changes: Value, methods: &[&str]| identity(&changes, assertion(&[(METHODS, None, methods)])).unwrap().authentication().mfa;
    assert!(!mfa(json!({}), &["urn:password"]));
    assert!(mfa(json!({}), &["urn:password", MULTIPLE]));
    assert!(mfa(json!({ "mfa": ["urn:weak"] }), &[]));
    assert_eq!(identity(&json!({ "authn_context": ["urn:strong"] }), assertion(&[])).unwrap_err(), Rejected::Acr);
}

#[test]
fn groups_that_entra_id_left_out_are_never_none() {
    const LINK: &str = "http://schemas.microsoft.com/claims/groups.link";
    const ROLES: &str = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role";
    let link: (&str, Option<&str>, &[&str]) = (LINK, None, &["https://graph.example"]);
    assert_eq!(identity(&json!({}), assertion(&[link])).unwrap_err(), Rejected::GroupsOverage);
    assert_eq!(identity(&json!({}), assertion(&[link, ("groups", None, &["g"])])).unwrap().groups(), ["g"]);
    let roles = json!({ "groups_attribute": ROLES });
    assert_eq!(identity(&roles, assertion(&[link, (ROLES, None, &["Admin"])])).unwrap().groups(), ["Admin"]);
    assert!(identity(&roles, assertion(&[link])).unwrap().groups().is_empty(), "roles are not left out");
}

/// A server that answers each request with what is there, and counts them.
struct Server {
    url: String,
    state: Arc<Mutex<(usize, Option<String>)>>,
}

impl Server {
    fn start(document: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/metadata", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new((0, Some(document))));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
                let mut state = shared.lock().unwrap();
                state.0 += 1;
                let answer = match &state.1 {
                    Some(body) => format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()),
                    None => "HTTP/1.1 503 Down\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned(),
                };
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, state }
    }

    fn serve(&self, document: Option<String>) {
        self.state.lock().unwrap().1 = document;
    }

    fn asked(&self) -> usize {
        self.state.lock().unwrap().0
    }
}

#[tokio::test]
async fn a_step_up_asks_for_what_the_role_wants() {
    let asked = async |changes: Value, wanted: Demand, came: Authentication| {
        let folder = folder();
        let provider = try_in(folder.path(), &changes).unwrap();
        let step_up = wanted.missing(&came, noon()).unwrap();
        let (departure, _) = provider.begin_for("state", Some(&step_up), noon()).await.unwrap();
        let Departure::Visit(url) = departure else { panic!("{departure:?}") };
        let (_, message) = url.query_pairs().find(|(name, _)| name == "SAMLRequest").unwrap();
        let mut xml = String::new();
        let bytes = BASE64.decode(message.as_bytes()).unwrap();
        std::io::Read::read_to_string(&mut flate2::read::DeflateDecoder::new(&*bytes), &mut xml).unwrap();
        let (ends, named) = (xml.matches("</saml:AuthnContextClassRef>").count(), xml.split("</saml:AuthnContextClassRef>"));
        let classes = named.take(ends).map(|before| before.rsplit('>').next().unwrap().to_owned());
        (xml.contains("ForceAuthn=\"true\""), classes.collect::<Vec<_>>().join(" "))
    };
    let old = || Authentication { time: Some(noon() - TimeDelta::hours(1)), ..Authentication::default() };
    let fresh = Demand { max_age: Some(Duration::from_mins(15)), ..Demand::default() };
    let factor = Demand { mfa: true, ..Demand::default() };
    let class = |name: &str| Demand { classes: vec![name.into()], ..Demand::default() };
    assert_eq!(asked(json!({}), fresh.clone(), old()).await, (true, String::new()));
    assert_eq!(asked(json!({ "authn_context": ["urn:a"] }), fresh, old()).await, (true, "urn:a".into()));
    assert_eq!(asked(json!({}), class("urn:b"), old()).await, (false, "urn:b".into()));
    assert_eq!(asked(json!({ "mfa": ["urn:mfa"] }), factor.clone(), old()).await, (false, "urn:mfa".into()));
    assert_eq!(asked(json!({ "mfa": [] }), factor, old()).await, (true, String::new()), "a factor without a class: once more, all of it");
    let strict = json!({ "authn_context": ["urn:a"] });
    assert_eq!(asked(strict, class("urn:b"), old()).await, (false, "urn:a".into()), "a class that the settings refuse is not asked for");
}

#[tokio::test]
async fn s25_metadata_is_asked_for_where_the_settings_allow_and_kept_while_it_cannot_be_had() {
    let (_, certificate) = pair();
    let server = Server::start(metadata(&certificate, "cacheDuration='PT1H'"));
    let provider = try_with(&json!({ "metadata": { "url": server.url }, "private_network": true })).unwrap();
    let at = |seconds: i64| noon() + TimeDelta::seconds(seconds);
    let begin = async |seconds: i64| provider.begin("state", at(seconds)).await;
    let (departure, id) = begin(0).await.unwrap();
    let Departure::Visit(url) = &departure else { panic!("{departure:?}") };
    assert!(url.as_str().starts_with("https://idp.example/sso?SAMLRequest=") && url.as_str().ends_with("&RelayState=state"), "{url}");
    assert_eq!(format!("{departure:?}"), "Visit(https://idp.example/sso)", "the state is not printed");
    assert!(id.len() == 41 && id.starts_with('_') && id != begin(1).await.unwrap().1, "{id}");
    begin(3599).await.unwrap();
    assert_eq!(server.asked(), 1, "an hour is its own wish");
    server.serve(None);
    begin(3600).await.unwrap();
    assert!(server.asked() == 2 && provider.health().is_down());
    begin(29 * 86_400).await.unwrap();
    assert!(matches!(begin(30 * 86_400).await, Err(Rejected::Unavailable(why)) if why.contains("503")));

    // What runs out, carries no key, or leads to where nobody may be sent.
    let odd = |from: &str, to: &str| metadata(&certificate, "").replace(from, to);
    for (document, why) in [
        (metadata(&certificate, "validUntil='2027-01-15T08:00:00Z'"), "was valid until"),
        (odd("<KeyDescriptor>", "<KeyDescriptor use='encryption'>"), "no usable signing certificate"),
        (odd("https://idp.example/sso", "http://idp.example/sso"), "not https"),
        ("<html/>".into(), "not SAML metadata"),
        ("x".repeat(source::MOST_BYTES + 1), "longer than 4 MiB"),
    ] {
        server.serve(Some(document));
        let fresh = try_with(&json!({ "metadata": { "url": server.url }, "private_network": true })).unwrap();
        let refused = fresh.begin("state", noon() + TimeDelta::days(365)).await.unwrap_err();
        assert!(matches!(&refused, Rejected::Unavailable(found) if found.contains(why)), "{why}: {refused}");
    }
}

#[tokio::test]
async fn w09_a_long_message_is_verified_aside_and_nobody_waits_for_it() {
    let keys = json!({ "signing_key": { "file": "a.key" }, "signing_certificate": "a.crt" });
    let folder = folder();
    let provider = try_in(folder.path(), &keys).unwrap();
    provider.begin("state", noon()).await.unwrap();
    for (length, aside) in [(100, false), (100_000, true)] {
        let message = format!("<a>{}</a>", "x".repeat(length));
        let posted = Posted { response: BASE64.encode(message.as_bytes()), relay_state: String::new() };
        let form = Travelled::Form { kind: MessageKind::Request, message: &posted.response, relay_state: None };
        // Whoever is ready while it is verified gets their turn, or does not.
        let found = tokio::select! { biased; _ = provider.complete(&posted, None, noon()) => false, () = std::future::ready(()) => true };
        assert_eq!(found, aside, "a response of {length} bytes");
        for travelled in [form, Travelled::Envelope(message.as_bytes())] {
            let found =
                tokio::select! { biased; _ = provider.read_logout(travelled, noon()) => false, () = std::future::ready(()) => true };
            assert_eq!(found, aside, "a logout message of {length} bytes");
        }
    }
}

/// A signed document of a provider, and whether it is taken for one.
async fn takes(provider: &Provider, signer: &SamlSigner, now: Moment) -> bool {
    let envelope = Envelope { id: "_l", issuer: "https://idp.example", destination: "https://gate.example/saml/corp/slo", issued: now };
    let name_id = NameIdToWrite { value: "ana", format: None, name_qualifier: None, sp_name_qualifier: None };
    let request = LogoutRequest { envelope, expires: now + TimeDelta::minutes(1), name_id, session_indexes: &[] };
    let message = BASE64.encode(request.write(Some(signer)).unwrap().as_bytes());
    let form = Travelled::Form { kind: MessageKind::Request, message: &message, relay_state: None };
    match provider.read_logout(form, now).await {
        Ok(_) => true,
        Err(Rejected::Saml(Refused::Signature)) => false,
        Err(other) => panic!("{other}"),
    }
}

fn signer((key, certificate): &(String, String)) -> SamlSigner {
    SamlSigner::from_pem(&key.clone().into(), certificate).unwrap()
}

#[tokio::test]
async fn s25_a_key_that_left_the_metadata_counts_no_more_once_that_was_read() {
    let (old, new) = (pair(), pair());
    let server = Server::start(metadata(&old.1, "cacheDuration='P30D'"));
    let provider = try_with(&json!({ "metadata": { "url": server.url }, "private_network": true })).unwrap();
    let day = TimeDelta::days(1);
    assert!(takes(&provider, &signer(&old), noon()).await);
    server.serve(Some(metadata(&new.1, "")));
    // It is found at the latest after a day, whatever the provider said of its cache.
    assert!(!takes(&provider, &signer(&old), noon() + day).await);
    assert!(takes(&provider, &signer(&new), noon() + day).await);
    // Or when the new key is met.
    server.serve(Some(metadata(&old.1, "")));
    let later = noon() + day + TimeDelta::hours(1);
    assert!(takes(&provider, &signer(&new), later).await, "nobody looks before there is a reason");
    assert!(takes(&provider, &signer(&old), later).await);
    assert!(!takes(&provider, &signer(&new), later).await);
}

#[tokio::test]
async fn s25_metadata_that_becomes_another_providers_is_not_taken() {
    let (honest, other) = (pair(), pair());
    let server = Server::start(metadata(&honest.1, "cacheDuration='PT1H'"));
    let provider = try_with(&json!({ "metadata": { "url": server.url }, "private_network": true })).unwrap();
    assert!(takes(&provider, &signer(&honest), noon()).await);
    server.serve(Some(metadata(&other.1, "").replace("https://idp.example'", "https://evil.example'")));
    let later = noon() + TimeDelta::hours(2);
    assert!(takes(&provider, &signer(&honest), later).await && !takes(&provider, &signer(&other), later).await);
    let failure = provider.health().failure.unwrap().1;
    assert!(failure.contains("is of `https://evil.example` now, and was of `https://idp.example`"), "{failure}");
    // The same provider with a new key is taken.
    server.serve(Some(metadata(&other.1, "")));
    let later = later + TimeDelta::minutes(1);
    assert!(takes(&provider, &signer(&other), later).await && !takes(&provider, &signer(&honest), later).await);
    assert!(!provider.health().is_down());
}
