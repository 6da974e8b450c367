//! `AssumeRoleWithSAML` and the sign-in page: each response that AWS refuses is refused for its own reason, beside its sibling that is good.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta};
use data_encoding::BASE64;
use rolegate::clock::Moment;
use rolegate::saml::encryption::{EncryptionKey, write_encrypted};
use rolegate::saml::sign::{Certificate, Position, SamlSigner, self_signed};
use rolegate::saml::write::aws::{AwsResponse, Tag, UNSPECIFIED_CONTEXT};
use rolegate::saml::write::metadata::IdpMetadata;
use rolegate::saml::write::{Element, Ns, name_id_format};
use rolegate::sandbox::{SamlMetadata, SamlTrust, TrustedSamlProvider};
use rolegate::trust::{SigningAlgorithm, keys};
use secrecy::{ExposeSecret, SecretString};

use crate::world::{Answer, DEVELOPER, FOREIGN, NOW, PLAIN, World, element, form, world};

const ISSUER: &str = "https://roles.example.org/saml/idp";
const PROVIDER: &str = "arn:aws:iam::111122223333:saml-provider/Rolegate";
const ENCRYPTING: &str = "arn:aws:iam::111122223333:saml-provider/Encrypting";
const PREFIX: &str = "https://aws.amazon.com/SAML/Attributes/";

/// The keys of the identity provider, of a stranger, and of IAM's decryption.
struct Keys {
    signer: SamlSigner,
    stranger: SamlSigner,
    decryption: SecretString,
    encryption: Certificate,
    metadata: String,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let pair = |name: &str| {
        let key = keys::generate(SigningAlgorithm::Rs256).unwrap();
        let certificate = self_signed(&key, name, at(0), TimeDelta::days(30)).unwrap();
        (key, certificate)
    };
    let signer = |name: &str| {
        let (key, certificate) = pair(name);
        SamlSigner::from_pem(&key, &certificate).unwrap()
    };
    let (decryption, certificate) = pair("AWS");
    let own = signer("Rolegate");
    let signing = [own.certificate().clone()];
    let metadata = IdpMetadata { entity_id: ISSUER, signing: &signing, single_sign_on_service: "https://roles.example.org/" }.write();
    Keys {
        metadata: metadata.unwrap(),
        signer: own,
        stranger: signer("Stranger"),
        decryption,
        encryption: Certificate::from_pem(&certificate).unwrap(),
    }
});

fn at(offset: i64) -> Moment {
    DateTime::from_timestamp(NOW + offset, 0).unwrap()
}

fn instant(offset: i64) -> String {
    at(offset).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The SAML providers that IAM of the world knows.
pub(crate) fn providers() -> Vec<TrustedSamlProvider> {
    let plain = TrustedSamlProvider {
        name: "Rolegate".into(),
        metadata: SamlMetadata::Document(KEYS.metadata.clone()),
        decryption_key: None,
        requires_encryption: false,
    };
    let encrypting = TrustedSamlProvider {
        name: "Encrypting".into(),
        decryption_key: Some(KEYS.decryption.clone()),
        requires_encryption: true,
        ..plain.clone()
    };
    vec![plain, encrypting]
}

/// A trust policy as the documentation shows it.
pub(crate) fn trust(provider: &str, aws: &str) -> SamlTrust {
    let audiences = vec![format!("{aws}/saml"), format!("{aws}/eu-west-1/saml")];
    SamlTrust { provider: provider.into(), audiences, issuer: Some(ISSUER.into()) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Signed {
    Assertion,
    Response,
    Nothing,
    ByStranger,
}

/// A response in its parts; each test changes one.
#[derive(Clone)]
struct Response {
    signed: Signed,
    issuer: String,
    envelope_issuer: String,
    status: &'static str,
    name_format: Option<&'static str>,
    confirmations: usize,
    recipient: String,
    audiences: Vec<String>,
    issued: i64,
    not_before: i64,
    conditions_end: Option<i64>,
    confirmation_end: Option<i64>,
    session_end: Option<i64>,
    has_conditions: bool,
    has_authn: bool,
    attributes: BTreeMap<String, Vec<String>>,
}

impl Response {
    fn good(world: &World) -> Self {
        let recipient = format!("{}/saml", world.aws());
        let attributes = [
            ("Role", vec![format!("{DEVELOPER},{PROVIDER}")]),
            ("RoleSessionName", vec!["ana@example.com".into()]),
            ("SessionDuration", vec!["3600".into()]),
            ("PrincipalTag:Team", vec!["blue + green".into()]),
            ("TransitiveTagKeys", vec!["Team".into()]),
            ("SourceIdentity", vec!["okta+ana".into()]),
        ];
        Self {
            signed: Signed::Assertion,
            issuer: ISSUER.into(),
            envelope_issuer: ISSUER.into(),
            status: "urn:oasis:names:tc:SAML:2.0:status:Success",
            name_format: Some(name_id_format::PERSISTENT),
            confirmations: 1,
            audiences: vec![recipient.clone()],
            recipient,
            issued: 0,
            not_before: -60,
            conditions_end: Some(300),
            confirmation_end: Some(300),
            session_end: Some(7200),
            has_conditions: true,
            has_authn: true,
            attributes: attributes.into_iter().map(|(name, values)| (name.to_owned(), values)).collect(),
        }
    }

    /// The same for the role that takes nothing beside the identity.
    fn plain(world: &World) -> Self {
        Self::good(world)
            .with("Role", &[&format!("{PLAIN},{PROVIDER}")])
            .with("PrincipalTag:Team", &[])
            .with("TransitiveTagKeys", &[])
            .with("SourceIdentity", &[])
    }

    fn with(mut self, name: &str, values: &[&str]) -> Self {
        self.attributes.remove(name);
        if !values.is_empty() {
            self.attributes.insert(name.into(), values.iter().map(|value| (*value).to_owned()).collect());
        }
        self
    }

    fn assertion(&self) -> Element<'_> {
        let saml = |local| Element::new(Ns::Saml, local);
        let data = saml("SubjectConfirmationData")
            .optional("NotOnOrAfter", self.confirmation_end.map(instant))
            .attribute("Recipient", self.recipient.as_str());
        let confirmation = saml("SubjectConfirmation").attribute("Method", "urn:oasis:names:tc:SAML:2.0:cm:bearer").child(data);
        let name = saml("NameID").optional("Format", self.name_format).text("0123456789abcdef");
        let subject = saml("Subject").child(name).children(std::iter::repeat_n(confirmation, self.confirmations));
        let restriction = self.audiences.iter().map(|audience| saml("AudienceRestriction").child(saml("Audience").text(audience.as_str())));
        let conditions = saml("Conditions")
            .attribute("NotBefore", instant(self.not_before))
            .optional("NotOnOrAfter", self.conditions_end.map(instant))
            .children(restriction);
        let context = saml("AuthnContext").child(saml("AuthnContextClassRef").text(UNSPECIFIED_CONTEXT));
        let authn = saml("AuthnStatement")
            .attribute("AuthnInstant", instant(self.issued.min(0)))
            .attribute("SessionIndex", "_s")
            .optional("SessionNotOnOrAfter", self.session_end.map(instant))
            .child(context);
        let attribute = |(name, values): (&String, &Vec<String>)| {
            let values = values.iter().map(|value| saml("AttributeValue").text(value.clone()));
            let full = if name.contains("://") { name.clone() } else { format!("{PREFIX}{name}") };
            saml("Attribute").attribute("Name", full).children(values)
        };
        saml("Assertion")
            .attribute("ID", "_assertion")
            .attribute("Version", "2.0")
            .attribute("IssueInstant", instant(self.issued))
            .child(saml("Issuer").text(self.issuer.as_str()))
            .child(subject)
            .children(self.has_conditions.then_some(conditions))
            .children(self.has_authn.then_some(authn))
            .child(saml("AttributeStatement").children(self.attributes.iter().map(attribute)))
    }

    fn xml(&self) -> String {
        let code = Element::new(Ns::Samlp, "StatusCode").attribute("Value", self.status);
        let response = Element::new(Ns::Samlp, "Response")
            .attribute("ID", "_response")
            .attribute("Version", "2.0")
            .attribute("IssueInstant", instant(self.issued))
            .attribute("Destination", self.recipient.as_str())
            .child(Element::new(Ns::Saml, "Issuer").text(self.envelope_issuer.as_str()))
            .child(Element::new(Ns::Samlp, "Status").child(code));
        let sign = |signer: &SamlSigner| signer.write_signed(self.assertion(), "_assertion", Position::AfterIssuer).unwrap();
        let assertion = match self.signed {
            Signed::Response => {
                return KEYS.signer.write_signed(response.child(self.assertion()), "_response", Position::AfterIssuer).unwrap();
            }
            Signed::Nothing => self.assertion().to_canonical().unwrap(),
            Signed::Assertion => sign(&KEYS.signer),
            Signed::ByStranger => sign(&KEYS.stranger),
        };
        response.to_canonical().unwrap().replace("</samlp:Response>", &format!("{assertion}</samlp:Response>"))
    }
}

async fn call(world: &World, role: &str, provider: &str, assertion: &str, extra: &[(&str, &str)]) -> Answer {
    let mut pairs = vec![
        ("Action", "AssumeRoleWithSAML"),
        ("Version", "2011-06-15"),
        ("RoleArn", role),
        ("PrincipalArn", provider),
        ("SAMLAssertion", assertion),
    ];
    pairs.retain(|(name, _)| !extra.iter().any(|(other, _)| other == name));
    pairs.extend(extra);
    world.post(form(pairs), &[]).await
}

async fn assume(world: &World, response: &Response) -> Answer {
    call(world, DEVELOPER, PROVIDER, &BASE64.encode(response.xml().as_bytes()), &[]).await
}

#[tokio::test]
async fn a_valid_response_buys_credentials_and_the_ledger_shows_it() {
    let world = world().await;
    let answer = assume(&world, &Response::good(&world)).await;
    assert_eq!(answer.status, 200, "{}", answer.xml);
    let text = |name: &str| element(&answer.xml, name).unwrap_or_else(|| panic!("no {name} in {}", answer.xml));
    assert_eq!(text("Arn"), "arn:aws:sts::111122223333:assumed-role/Developer/ana@example.com");
    assert_eq!(text("Expiration"), "2027-01-15T09:00:00Z");
    assert_eq!((text("Issuer"), text("Subject"), text("SubjectType")), (ISSUER, "0123456789abcdef", "persistent"));
    assert_eq!(text("Audience"), format!("{}/saml", world.aws()), "the Recipient");
    assert_eq!(text("SourceIdentity"), "okta+ana");
    // The digest of issuer, account and provider: computed with Python.
    assert_eq!(text("NameQualifier"), "3Plmk/v2AAmiOSS/1HQxhtyYiYQ=");
    let ledger = world.sandbox.ledger();
    let [issued] = &ledger[..] else { panic!("{ledger:?}") };
    assert_eq!((issued.jti.as_deref(), issued.subject.as_str()), (Some("_assertion"), "0123456789abcdef"));
    assert_eq!(issued.access_key_id, text("AccessKeyId"));
    let tags: Vec<_> = issued.tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str(), tag.transitive)).collect();
    assert_eq!(tags, [("Team", "blue + green", true)]);
    // As was seen at AWS: the same response buys twice, so a leaked one is good for five minutes.
    assert_eq!(assume(&world, &Response::good(&world)).await.status, 200);
    world.sandbox.stop().await;
}

#[tokio::test]
async fn responses_that_aws_refuses_are_refused() {
    let world = world().await;
    let good = Response::good(&world);
    let (invalid, expired, denied) = ("InvalidIdentityToken", "ExpiredTokenException", "AccessDenied");
    let change = |change: &dyn Fn(&mut Response)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    let long = "a".repeat(65);
    let cases = [
        ("response signed alone", change(&|it| it.signed = Signed::Response), invalid, "itself is not signed"),
        ("unsigned", change(&|it| it.signed = Signed::Nothing), invalid, "signed"),
        ("another's key", change(&|it| it.signed = Signed::ByStranger), invalid, "Response signature invalid"),
        ("issuer", change(&|it| it.issuer = "urn:x".into()), invalid, "Issuer not present"),
        ("issuer of the response", change(&|it| it.envelope_issuer = "urn:x".into()), invalid, "Issuer not present"),
        ("status", change(&|it| it.status = "urn:oasis:names:tc:SAML:2.0:status:Requester"), invalid, "Success"),
        ("no NameID format", change(&|it| it.name_format = None), invalid, "Format"),
        ("no confirmation", change(&|it| it.confirmations = 0), invalid, ""),
        ("two confirmations", change(&|it| it.confirmations = 2), invalid, ""),
        ("no recipient's time", change(&|it| it.confirmation_end = None), invalid, ""),
        ("no conditions", change(&|it| it.has_conditions = false), invalid, ""),
        ("conditions without an end", change(&|it| it.conditions_end = None), invalid, "NotOnOrAfter"),
        ("no authentication", change(&|it| it.has_authn = false), invalid, ""),
        ("audience", change(&|it| it.audiences = vec!["https://roles.example.org".into()]), invalid, "required audience"),
        ("a second restriction", change(&|it| it.audiences.push("urn:x".into())), invalid, "required audience"),
        ("no audience", change(&|it| it.audiences.clear()), invalid, "required audience"),
        ("over five minutes", change(&|it| it.issued = -301), expired, "within 5 minutes"),
        ("from the future", change(&|it| (it.issued, it.not_before) = (301, 0)), invalid, "future"),
        ("not yet", change(&|it| it.not_before = 1), invalid, "not valid yet"),
        ("conditions over", change(&|it| it.conditions_end = Some(0)), expired, ""),
        ("confirmation over", change(&|it| it.confirmation_end = Some(0)), expired, ""),
        ("session over", change(&|it| it.session_end = Some(0)), expired, ""),
        ("no role", good.clone().with("Role", &[]), invalid, "no Role"),
        ("another role", good.clone().with("Role", &[&format!("{PLAIN},{PROVIDER}")]), invalid, "requested Role"),
        ("another provider", good.clone().with("Role", &[&format!("{DEVELOPER},{ENCRYPTING}")]), invalid, "requested Role"),
        ("half a role", good.clone().with("Role", &[DEVELOPER]), invalid, "Role value"),
        ("no ARN", good.clone().with("Role", &["a,b"]), invalid, "Role value"),
        ("a name in lower case", good.clone().with("Role", &[]).with("role", &[&format!("{DEVELOPER},{PROVIDER}")]), invalid, "no Role"),
        ("no session name", good.clone().with("RoleSessionName", &[]), invalid, "RoleSessionName"),
        ("two session names", good.clone().with("RoleSessionName", &["ana", "ben"]), invalid, "more than one"),
        ("a short session name", good.clone().with("RoleSessionName", &["a"]), invalid, "2 to 64"),
        ("a long session name", good.clone().with("RoleSessionName", &[&long]), invalid, "2 to 64"),
        ("a space in the session name", good.clone().with("RoleSessionName", &["a b"]), invalid, "2 to 64"),
        ("a short duration", good.clone().with("SessionDuration", &["899"]), invalid, "900"),
        ("a long duration", good.clone().with("SessionDuration", &["43201"]), invalid, "900"),
        ("a duration in words", good.clone().with("SessionDuration", &["1h"]), invalid, "900"),
        ("a tag with two values", good.clone().with("PrincipalTag:Team", &["a", "b"]), invalid, "exactly one value"),
        ("a reserved tag", good.clone().with("PrincipalTag:aws:x", &["a"]), invalid, "reserved"),
        ("tags that differ in case", good.clone().with("PrincipalTag:TEAM", &["a"]), invalid, "twice"),
        ("a transitive key without a tag", good.clone().with("TransitiveTagKeys", &["Cost"]), invalid, "has no tag"),
        ("a reserved source identity", good.clone().with("SourceIdentity", &["aws:x"]), invalid, "SourceIdentity"),
        ("two source identities", good.clone().with("SourceIdentity", &["ana", "ben"]), invalid, "more than one"),
        (
            "a recipient that the trust policy does not name",
            change(&|it| {
                it.recipient = format!("{}/us-west-2/saml", world.aws());
                it.audiences = vec![it.recipient.clone()];
            }),
            denied,
            "sts:AssumeRoleWithSAML",
        ),
    ];
    assert_eq!(assume(&world, &good).await.status, 200);
    for (what, response, code, words) in cases {
        let answer = assume(&world, &response).await;
        assert_eq!(answer.code(), (if code == denied { 403 } else { 400 }, code), "{what}: {}", answer.xml);
        assert!(answer.xml.replace("&#39;", "'").contains(words), "{what}: {}", answer.xml);
    }
    for (what, response) in [
        ("exactly five minutes", change(&|it| it.issued = -300)),
        ("AWS by its own name", change(&|it| it.audiences = vec!["urn:amazon:webservices".into()])),
        ("the pair in the other order", good.clone().with("Role", &[&format!("{PROVIDER},{DEVELOPER}")])),
        ("several roles", good.clone().with("Role", &[&format!("{PLAIN},{PROVIDER}"), &format!("{DEVELOPER},{PROVIDER}")])),
    ] {
        let answer = assume(&world, &response).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.xml);
    }
    let tampered = good.xml().replace("Developer", "Deve1oper");
    let answer = call(&world, DEVELOPER, PROVIDER, &BASE64.encode(tampered.as_bytes()), &[]).await;
    assert_eq!(answer.code(), (400, invalid), "{}", answer.xml);
    world.sandbox.stop().await;
}

#[tokio::test]
async fn the_role_and_its_trust_policy_have_the_last_word() {
    let world = world().await;
    let denied = (403, "AccessDenied");
    let plain = Response::plain(&world);
    let ask = async |response: &Response, role: &str, extra: &[(&str, &str)]| {
        call(&world, role, PROVIDER, &BASE64.encode(response.xml().as_bytes()), extra).await
    };
    assert_eq!(ask(&plain, PLAIN, &[]).await.status, 200);
    let tagged = plain.clone().with("PrincipalTag:Team", &["blue"]);
    assert!(ask(&tagged, PLAIN, &[]).await.xml.contains("sts:TagSession"));
    let named = plain.clone().with("SourceIdentity", &["okta+ana"]);
    assert!(ask(&named, PLAIN, &[]).await.xml.contains("sts:SetSourceIdentity"));
    let reserved = "arn:aws:iam::111122223333:role/AWSReservedSSO_Admin_0123";
    for role in [FOREIGN, "arn:aws:iam::111122223333:role/Nobody", reserved] {
        let response = plain.clone().with("Role", &[&format!("{role},{PROVIDER}")]);
        assert_eq!(ask(&response, role, &[]).await.code(), denied, "{role}");
    }
    let elsewhere = "arn:aws:iam::444455556666:saml-provider/Rolegate";
    let response = plain.clone().with("Role", &[&format!("{PLAIN},{elsewhere}")]);
    let answer = call(&world, PLAIN, elsewhere, &BASE64.encode(response.xml().as_bytes()), &[]).await;
    assert_eq!(answer.code(), denied, "a provider of another account");
    world.sandbox.stop().await;
}

#[tokio::test]
async fn the_assertion_can_only_shorten_the_session() {
    let world = world().await;
    let plain = Response::plain(&world);
    for (attribute, session_end, asked, expiration) in [
        (Some("900"), Some(7200), None, "2027-01-15T08:15:00Z"),
        (Some("7200"), Some(9000), None, "2027-01-15T09:00:00Z"),
        (None, Some(1800), None, "2027-01-15T08:30:00Z"),
        (None, None, Some("7200"), "2027-01-15T10:00:00Z"),
        (Some("3600"), None, Some("7200"), "2027-01-15T09:00:00Z"),
    ] {
        let response = Response { session_end, ..plain.clone().with("SessionDuration", attribute.as_slice()) };
        let extra: Vec<_> = asked.map(|asked| ("DurationSeconds", asked)).into_iter().collect();
        let answer = call(&world, PLAIN, PROVIDER, &BASE64.encode(response.xml().as_bytes()), &extra).await;
        assert_eq!(element(&answer.xml, "Expiration"), Some(expiration), "{attribute:?} {session_end:?} {asked:?}: {}", answer.xml);
    }
    let good = BASE64.encode(Response::good(&world).xml().as_bytes());
    let answer = call(&world, DEVELOPER, PROVIDER, &good, &[("DurationSeconds", "3601")]).await;
    assert_eq!(answer.code(), (400, "ValidationError"));
    assert!(answer.xml.contains("MaxSessionDuration"));
    world.sandbox.stop().await;
}

#[tokio::test]
async fn parameters_have_their_limits() {
    let world = world().await;
    let good = BASE64.encode(Response::good(&world).xml().as_bytes());
    let (validation, invalid) = ("ValidationError", "InvalidIdentityToken");
    let long = "A".repeat(100_001);
    for (name, value, code) in [
        ("SAMLAssertion", "AAA", validation),
        ("SAMLAssertion", long.as_str(), validation),
        ("SAMLAssertion", "not base64!", invalid),
        ("SAMLAssertion", "PHg+", invalid),
        ("PrincipalArn", "arn:aws:iam::111122223333:oidc-provider/x", validation),
        ("PrincipalArn", "arn:aws:iam::111122223333:saml-provider/Nobody", invalid),
        ("RoleArn", "arn:aws:iam::111122223333:user/ana", validation),
        ("DurationSeconds", "899", validation),
    ] {
        let answer = call(&world, DEVELOPER, PROVIDER, &good, &[(name, value)]).await;
        assert_eq!(answer.code(), (400, code), "{name}: {}", answer.xml);
    }
    world.sandbox.stop().await;
}

/// What the gateway's own writer makes, encrypted for the provider that demands it.
#[tokio::test]
async fn encrypted_assertions_are_for_a_provider_with_a_key() {
    let world = world().await;
    let recipient = format!("{}/saml", world.aws());
    let role = "arn:aws:iam::111122223333:role/Encrypted";
    let write = |provider: &str, encrypted: bool| {
        let response = AwsResponse {
            response_id: "_r",
            assertion_id: "_a",
            issuer: ISSUER,
            name_id: "0123456789",
            recipient: &recipient,
            audience: &recipient,
            issued: at(0),
            expires: at(300),
            authenticated: at(0),
            authn_context: UNSPECIFIED_CONTEXT,
            session_index: "_s",
            session_expires: at(3600),
            role_arn: role,
            provider_arn: provider,
            role_session_name: "ana",
            session_duration: 3600,
            tags: &[Tag { key: "Team", value: "blue", transitive: false }],
            source_identity: Some("okta+ana"),
        };
        let text = if encrypted {
            write_encrypted(&response, &KEYS.signer, &EncryptionKey::new(KEYS.encryption.clone()).unwrap()).unwrap()
        } else {
            response.write(&KEYS.signer).unwrap()
        };
        BASE64.encode(text.expose_secret().as_bytes())
    };
    let answer = call(&world, role, ENCRYPTING, &write(ENCRYPTING, true), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.xml);
    for (provider, encrypted, words) in [(ENCRYPTING, false, "encrypted assertions only"), (PROVIDER, true, "no private key")] {
        let answer = call(&world, role, provider, &write(provider, encrypted), &[]).await;
        assert_eq!(answer.code(), (400, "InvalidIdentityToken"));
        assert!(answer.xml.contains(words), "{}", answer.xml);
    }
    world.sandbox.stop().await;
}

#[tokio::test]
async fn the_sign_in_page_takes_a_response_for_its_own_address() {
    let world = world().await;
    let post = async |path: &str, response: &Response, relay: &str| {
        let encoded = BASE64.encode(response.xml().as_bytes());
        let request = world.http.post(format!("{}{path}", world.aws())).header("content-type", "application/x-www-form-urlencoded");
        request.body(form([("SAMLResponse", encoded.as_str()), ("RelayState", relay)])).send().await.unwrap()
    };
    let good = Response::good(&world);
    let regional = format!("{}/eu-west-1/saml", world.aws());
    let regional = Response { recipient: regional.clone(), audiences: vec![regional], ..good.clone() };
    let deep = format!("{}/console/s3?region=eu-west-1", world.aws());
    for (path, response) in [("/saml", &good), ("/eu-west-1/saml", &regional)] {
        let entered = post(path, response, &deep).await;
        assert_eq!((entered.status().as_u16(), entered.headers()["location"].to_str().unwrap()), (302, deep.as_str()), "{path}");
        let cookie = entered.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let page = world.http.get(&deep).header("cookie", cookie).send().await.unwrap().text().await.unwrap();
        for shown in [DEVELOPER, "ana@example.com", "okta+ana", "blue + green", "2027-01-15 09:00:00"] {
            assert!(page.contains(shown), "{shown}");
        }
    }
    assert_eq!(post("/saml", &good, "").await.headers()["location"].to_str().unwrap(), format!("{}/console/", world.aws()));
    assert_eq!(world.sandbox.ledger().len(), 3);
    let several = good.clone().with("Role", &[&format!("{PLAIN},{PROVIDER}"), &format!("{DEVELOPER},{PROVIDER}")]);
    for (what, path, response, relay) in [
        ("an address that it is not for", "/eu-west-1/saml", &good, ""),
        ("the same the other way round", "/saml", &regional, ""),
        ("somewhere else afterwards", "/saml", &good, "https://evil.example/"),
        ("an endpoint as destination", "/saml", &good, &format!("{}/saml", world.aws())),
        ("several roles", "/saml", &several, ""),
        ("longer than the role allows", "/saml", &good.clone().with("SessionDuration", &["3601"]), ""),
        ("another's key", "/saml", &Response { signed: Signed::ByStranger, ..good.clone() }, ""),
        ("too late", "/saml", &Response { issued: -301, ..good.clone() }, ""),
    ] {
        assert_eq!(post(path, response, relay).await.status(), 400, "{what}");
    }
    assert_eq!(world.sandbox.ledger().len(), 3, "nothing was issued for a refusal");
    world.sandbox.stop().await;
}
