//! The signed operations: signatures, external ids, role chaining, MFA codes, and what each kind of credentials may not ask for.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use chrono::TimeDelta;
use rolegate::arn::Partition;
use rolegate::clock::Clock;
use rolegate::sandbox::{SandboxMfa, SandboxRole, SandboxUser};

use crate::world::{Answer, World, element, form, world};

pub(crate) const USER: &str = "arn:aws:iam::111122223333:user/ana";
const KEY: &str = "AKIASANDBOXUSER00000";
const SECRET: &str = "the secret of the user";
const SERIAL: &str = "arn:aws:iam::111122223333:mfa/ana";
/// Lets the user and the hub in.
const PARTNER: &str = "arn:aws:iam::444455556666:role/Partner";
const HUB: &str = "arn:aws:iam::111122223333:role/Hub";
/// Demands an external id, and allows neither tags nor a source identity.
const STRICT: &str = "arn:aws:iam::444455556666:role/Strict";
const EXTERNAL_ID: &str = "tenant:4711";

pub(crate) fn user() -> SandboxUser {
    SandboxUser {
        name: "ana".into(),
        partition: Partition::Aws,
        account: "111122223333".parse().unwrap(),
        access_key_id: KEY.into(),
        secret_access_key: SECRET.to_owned().into(),
        mfa: Some(SandboxMfa { serial: SERIAL.into(), seed: "seed of the device".to_owned().into() }),
    }
}

pub(crate) fn roles() -> Vec<SandboxRole> {
    let role = |arn: &str| SandboxRole { issuers: Vec::new(), ..SandboxRole::pinned(arn.parse().unwrap(), "") };
    vec![
        SandboxRole { max_session: Duration::from_hours(12), ..role(PARTNER).assumed_by(USER).assumed_by(HUB) },
        role(HUB).assumed_by(USER),
        SandboxRole { external_id: Some(EXTERNAL_ID.into()), allows_tags: false, allows_source_identity: false, ..role(STRICT) }
            .assumed_by(USER)
            .assumed_by(HUB),
    ]
}

/// An access key, with its session token if it belongs to a session.
#[derive(Clone)]
struct Keys(String, String, Option<String>);

impl Keys {
    fn of_the_user() -> Self {
        Self(KEY.into(), SECRET.into(), None)
    }

    fn issued(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.xml);
        let text = |name: &str| element(&answer.xml, name).unwrap().to_owned();
        Self(text("AccessKeyId"), text("SecretAccessKey"), Some(text("SessionToken")))
    }
}

/// The headers that sign a body, at a time.
fn signature(world: &World, keys: &Keys, body: &str, at: SystemTime) -> Vec<(&'static str, String)> {
    let identity = Credentials::new(&keys.0, &keys.1, keys.2.clone(), None, "test").into();
    let builder = v4::SigningParams::builder().identity(&identity).region("eu-central-1").name("sts").time(at);
    let params = builder.settings(SigningSettings::default()).build().unwrap().into();
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let request = SignableRequest::new("POST", world.sandbox.sts.as_str(), kind.into_iter(), SignableBody::Bytes(body.as_bytes())).unwrap();
    let (instructions, _) = sign(request, &params).unwrap().into_parts();
    instructions.headers().map(|(name, value)| (name.to_owned().leak() as &'static str, value.to_owned())).collect()
}

async fn ask(world: &World, keys: &Keys, action: &str, fields: &[(&str, &str)]) -> Answer {
    let body = form([("Action", action), ("Version", "2011-06-15")].into_iter().chain(fields.iter().copied()));
    let headers = signature(world, keys, &body, SystemTime::from(world.clock.now()));
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    world.post(body, &headers).await
}

async fn assume(world: &World, keys: &Keys, role: &str, more: &[(&str, &str)]) -> Answer {
    let mut fields = vec![("RoleArn", role), ("RoleSessionName", "ana")];
    fields.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    fields.extend(more);
    ask(world, keys, "AssumeRole", &fields).await
}

const DENIED: (u16, &str) = (403, "AccessDenied");
const INVALID: (u16, &str) = (400, "ValidationError");

#[tokio::test]
async fn signatures_are_verified() {
    let world = world().await;
    let keys = Keys::of_the_user();
    let known = ask(&world, &keys, "GetCallerIdentity", &[]).await;
    assert_eq!((known.status, element(&known.xml, "Arn")), (200, Some(USER)), "{}", known.xml);

    let body = form([("Action", "GetCallerIdentity"), ("Version", "2011-06-15")]);
    let now = SystemTime::from(world.clock.now());
    let post = async |body: &str, headers: &[(&'static str, String)]| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.post(body.to_owned(), &headers).await.code().to_owned_pair()
    };
    let good = signature(&world, &keys, &body, now);
    assert_eq!(post(&body, &good).await, (200, "none".into()));
    let mismatch = (403, "SignatureDoesNotMatch".to_owned());
    assert_eq!(post(&body.replace("2011-06-15", "2011-06-16"), &good).await.0, 400, "another version is refused before");
    let other = form([("Action", "GetSessionToken"), ("Version", "2011-06-15")]);
    assert_eq!(post(&other, &good).await, mismatch, "another body");
    for seconds in [301, -301] {
        let at = if seconds > 0 { now + Duration::from_secs(301) } else { now - Duration::from_secs(301) };
        assert_eq!(post(&body, &signature(&world, &keys, &body, at)).await, mismatch, "{seconds} seconds off");
    }
    let wrong = Keys(KEY.into(), "another secret".into(), None);
    assert_eq!(post(&body, &signature(&world, &wrong, &body, now)).await, mismatch);
    let nobody = Keys("AKIANOBODY0000000000".into(), SECRET.into(), None);
    assert_eq!(post(&body, &signature(&world, &nobody, &body, now)).await, (403, "InvalidClientTokenId".into()));
    let with_token = Keys(KEY.into(), SECRET.into(), Some("token".into()));
    assert_eq!(post(&body, &signature(&world, &with_token, &body, now)).await, (403, "InvalidClientTokenId".into()));
    let changed = |name: &str, from: &str, to: &str| {
        good.iter().map(|(known, value)| (*known, if *known == name { value.replace(from, to) } else { value.clone() })).collect::<Vec<_>>()
    };
    for (from, to) in [("Signature=", "Signature=0"), ("/sts/", "/iam/"), ("host;", ""), ("/2027", "/2026"), ("eu-central-1", "eu-west-1")]
    {
        assert_eq!(post(&body, &changed("authorization", from, to)).await, mismatch, "{from} to {to}");
    }
    let mut unsigned_token = good.clone();
    unsigned_token.push(("x-amz-security-token", "t".into()));
    assert_eq!(post(&body, &unsigned_token).await, mismatch);
    assert_eq!(post(&body, &changed("authorization", "Signature=", "Nothing=")).await.1, "IncompleteSignature");
    assert_eq!(post(&body, &[]).await.1, "MissingAuthenticationToken");
    world.sandbox.stop().await;
}

trait Owned {
    fn to_owned_pair(&self) -> (u16, String);
}

impl Owned for (u16, &str) {
    fn to_owned_pair(&self) -> (u16, String) {
        (self.0, self.1.to_owned())
    }
}

#[tokio::test]
async fn a01_assume_role_lets_in_whom_the_trust_policy_names_with_the_external_id_that_it_demands() {
    let world = world().await;
    let keys = Keys::of_the_user();
    let id = [("ExternalId", EXTERNAL_ID)];
    assert_eq!(assume(&world, &keys, STRICT, &id).await.status, 200);
    for (role, more, code) in [
        (STRICT, &[][..], DENIED),
        (STRICT, &[("ExternalId", "another")], DENIED),
        (STRICT, &[("ExternalId", "tenant:4711 ")], INVALID),
        (STRICT, &[("ExternalId", "x")], INVALID),
        (STRICT, &[("ExternalId", EXTERNAL_ID), ("SourceIdentity", "okta+ana")], DENIED),
        (STRICT, &[("ExternalId", EXTERNAL_ID), ("Tags.member.1.Key", "Team"), ("Tags.member.1.Value", "blue")], DENIED),
        ("arn:aws:iam::111122223333:role/Developer", &[], DENIED),
        ("arn:aws:iam::111122223333:role/Nobody", &[], DENIED),
        (PARTNER, &[("SourceIdentity", "aws:x")], INVALID),
        (PARTNER, &[("SourceIdentity", "x")], INVALID),
        (PARTNER, &[("RoleSessionName", "a b")], INVALID),
        (PARTNER, &[("DurationSeconds", "43201")], INVALID),
        (PARTNER, &[("DurationSeconds", "899")], INVALID),
        (HUB, &[("DurationSeconds", "3601")], INVALID),
        (PARTNER, &[("TransitiveTagKeys.member.1", "Team")], INVALID),
        (PARTNER, &[("Tags.member.1.Key", "aws:x"), ("Tags.member.1.Value", "y")], INVALID),
        (PARTNER, &[("Tags.member.1.Key", "Team")], INVALID),
        (PARTNER, &[("SerialNumber", SERIAL), ("TokenCode", "12345a")], INVALID),
        (PARTNER, &[("SerialNumber", SERIAL)], INVALID),
        (PARTNER, &[("Policy", "{")], (400, "MalformedPolicyDocument")),
    ] {
        let answer = assume(&world, &keys, role, more).await;
        assert_eq!(answer.code(), code, "{role} {more:?}: {}", answer.xml);
    }
    let long = assume(&world, &keys, PARTNER, &[("DurationSeconds", "43200")]).await;
    assert_eq!(element(&long.xml, "Expiration"), Some("2027-01-15T20:00:00Z"), "a user's own keys are no chaining");
    world.sandbox.stop().await;
}

#[tokio::test]
async fn role_chaining_ends_after_an_hour_and_keeps_what_was_set_before() {
    let world = world().await;
    let user = Keys::of_the_user();
    let tags = [("Tags.member.1.Key", "Team"), ("Tags.member.1.Value", "blue"), ("TransitiveTagKeys.member.1", "Team")];
    let set: Vec<_> = tags.into_iter().chain([("SourceIdentity", "okta+ana")]).collect();
    let hub = Keys::issued(&assume(&world, &user, HUB, &set).await);
    let answer = assume(&world, &hub, PARTNER, &[("DurationSeconds", "3600")]).await;
    assert_eq!(answer.status, 200, "{}", answer.xml);
    assert_eq!(element(&answer.xml, "SourceIdentity"), Some("okta+ana"), "inherited");
    let ledger = world.sandbox.ledger();
    let last = ledger.last().unwrap();
    assert_eq!((last.tags[0].key.as_str(), last.tags[0].transitive, last.operation), ("Team", true, "AssumeRole"));
    assert!(last.issuer.ends_with("assumed-role/Hub/ana"));
    let too_long = assume(&world, &hub, PARTNER, &[("DurationSeconds", "3601")]).await;
    assert_eq!(too_long.code(), INVALID);
    assert!(too_long.xml.contains("role chaining"), "{}", too_long.xml);
    let again = [("Tags.member.1.Key", "TEAM"), ("Tags.member.1.Value", "red")];
    assert_eq!(assume(&world, &hub, PARTNER, &again).await.code(), INVALID, "an inherited transitive tag");
    assert_eq!(assume(&world, &hub, PARTNER, &[("SourceIdentity", "okta+ben")]).await.code(), DENIED);
    assert_eq!(assume(&world, &hub, PARTNER, &[("SourceIdentity", "okta+ana")]).await.status, 200, "the same one");
    assert_eq!(assume(&world, &hub, STRICT, &[("ExternalId", EXTERNAL_ID)]).await.code(), DENIED, "what was inherited must be allowed too");
    // A user's own session chains as well.
    let session = Keys::issued(&ask(&world, &user, "GetSessionToken", &[]).await);
    assert_eq!(assume(&world, &session, PARTNER, &[("DurationSeconds", "3600")]).await.status, 200);
    assert_eq!(assume(&world, &session, PARTNER, &[("DurationSeconds", "7200")]).await.code(), INVALID);
    world.clock.advance(TimeDelta::seconds(3600));
    assert_eq!(assume(&world, &hub, PARTNER, &[]).await.code(), (403, "ExpiredToken"));
    world.sandbox.stop().await;
}

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}"#;

#[tokio::test]
async fn a_federation_token_is_for_users_alone_and_has_its_own_limits() {
    let world = world().await;
    let user = Keys::of_the_user();
    let federate = async |keys: &Keys, more: &[(&str, &str)]| {
        let mut fields = vec![("Name", "ana"), ("Policy", POLICY)];
        fields.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        fields.extend(more);
        ask(&world, keys, "GetFederationToken", &fields).await
    };
    let answer = federate(&user, &[]).await;
    let keys = Keys::issued(&answer);
    assert_eq!(element(&answer.xml, "Arn"), Some("arn:aws:sts::111122223333:federated-user/ana"));
    assert_eq!(element(&answer.xml, "Expiration"), Some("2027-01-15T20:00:00Z"), "twelve hours are usual");
    assert_eq!(federate(&user, &[("DurationSeconds", "129600")]).await.status, 200);
    let long = "x".repeat(33);
    for (more, code) in [
        (("DurationSeconds", "129601"), INVALID),
        (("DurationSeconds", "899"), INVALID),
        (("Name", "x"), INVALID),
        (("Name", &long), INVALID),
        (("Name", "a b"), INVALID),
        (("Policy", "{"), (400, "MalformedPolicyDocument")),
    ] {
        assert_eq!(federate(&user, &[more]).await.code(), code, "{more:?}");
    }
    // What came of it may ask STS for nothing but who it is.
    let identity = ask(&world, &keys, "GetCallerIdentity", &[]).await;
    assert_eq!(element(&identity.xml, "Arn"), Some("arn:aws:sts::111122223333:federated-user/ana"));
    assert_eq!(assume(&world, &keys, PARTNER, &[]).await.code(), DENIED);
    assert_eq!(federate(&keys, &[]).await.code(), DENIED);
    assert_eq!(ask(&world, &keys, "GetSessionToken", &[]).await.code(), DENIED);
    let hub = Keys::issued(&assume(&world, &user, HUB, &[]).await);
    assert_eq!(federate(&hub, &[]).await.code(), DENIED, "no role's session");
    assert_eq!(ask(&world, &hub, "GetSessionToken", &[]).await.code(), DENIED);
    world.sandbox.stop().await;
}

#[tokio::test]
async fn an_mfa_code_is_good_for_its_minute_and_once() {
    let world = world().await;
    let user = Keys::of_the_user();
    let device = crate::signed::user().mfa.unwrap();
    let code_at = |seconds: i64| device.code(world.clock.now() + TimeDelta::seconds(seconds));
    let with =
        async |serial: &str, code: &str| ask(&world, &user, "GetSessionToken", &[("SerialNumber", serial), ("TokenCode", code)]).await;
    let answer = with(SERIAL, &code_at(0)).await;
    let session = Keys::issued(&answer);
    assert_eq!(element(&answer.xml, "AssumedRoleUser"), None);
    let again = with(SERIAL, &code_at(0)).await;
    assert_eq!(again.code(), DENIED);
    assert!(again.xml.contains("invalid MFA one time pass code"), "{}", again.xml);
    assert_eq!(with(SERIAL, &code_at(30)).await.status, 200, "the next one is on the device already, where its clock is ahead");
    assert_eq!(with(SERIAL, &code_at(90)).await.code(), DENIED);
    let other = with("arn:aws:iam::111122223333:mfa/ben", &code_at(-30)).await;
    assert!(other.code() == DENIED && other.xml.contains("serial number"), "{}", other.xml);
    assert_eq!(with(SERIAL, &code_at(-30)).await.status, 200);
    let identity = ask(&world, &session, "GetCallerIdentity", &[]).await;
    assert_eq!(element(&identity.xml, "Arn"), Some(USER));
    world.sandbox.stop().await;
}
