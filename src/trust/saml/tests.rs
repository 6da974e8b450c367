use std::time::Duration;

use chrono::DateTime;
use serde_json::json;

use super::*;
use crate::access::{Operation, SessionTag};
use crate::saml::encryption::{self, DecryptionKey};
use crate::saml::prescreen::{Over, prescreen};
use crate::saml::response::{Assertion, UnverifiedEnvelope, read};
use crate::saml::verify::{Verified, Verifier};
use crate::trust::Issuer;
use crate::trust::TrustSettings;
use crate::trust::keys::KeyRing;

const ROLE: &str = "arn:aws:iam::111122223333:role/team/Dev";
const PLACE: SamlPlace<'_> = SamlPlace { public_url: "https://roles.example.org", signin_endpoint: None };

fn moment() -> Moment {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn load(settings: &SamlTrustSettings, base: &Path) -> Result<SamlIssuer, Vec<Problem>> {
    SamlIssuer::load(settings, &PLACE, base, "trust.saml", moment())
}

fn issuer(saml: SamlIssuer) -> Issuer {
    let keys = KeyRing::load(&TrustSettings::default(), Path::new("."), "trust").unwrap();
    Issuer::new("https://roles.example.org", "sts.amazonaws.com", keys).with_saml(Some(saml))
}

fn request() -> AssumeRequest {
    let mut request = AssumeRequest::for_tests(ROLE, Duration::from_mins(15));
    request.set_operation_for_tests(Operation::Saml);
    request
}

/// The way of any response that we accept: screened, verified by both verifiers, read.
fn accepted(issuer: &Issuer, proof: &Proof) -> (Assertion, UnverifiedEnvelope, Verified) {
    let bytes = BASE64.decode(proof.expose().as_bytes()).unwrap();
    let screened = prescreen(&bytes).unwrap();
    let verifier = Verifier::new(&[issuer.saml().unwrap().signer.certificate().clone()]).unwrap();
    let signed = verifier.verify(&screened).unwrap();
    (read(&signed).unwrap(), UnverifiedEnvelope::read(&screened).unwrap(), signed)
}

fn attribute<'a>(assertion: &'a Assertion, name: &str) -> &'a [String] {
    let full = format!("https://aws.amazon.com/SAML/Attributes/{name}");
    assertion.attributes.iter().find(|attribute| attribute.name == full).map_or(&[], |attribute| &attribute.values)
}

#[test]
fn a_minted_response_names_one_role_and_is_signed_in_its_assertion() {
    let issuer = issuer(load(&SamlTrustSettings::default(), Path::new(".")).unwrap());
    let mut request = request();
    let tag = |key: &str, value: &str, transitive| SessionTag { key: key.into(), value: value.into(), transitive };
    request.set_tags_for_tests(vec![tag("Cost Centre", "CC-1 / Zürich", false), tag("Team", "blue+green", true)]);
    let mut who = Identity::for_tests("ana", &[]);
    who.authentication.time = Some(moment() - TimeDelta::minutes(7));
    who.authentication.acr = Some("urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken".into());
    let proof = issuer.prove(&request, &who, moment()).unwrap();
    let (assertion, envelope, verified) = accepted(&issuer, &proof);
    assert_eq!(verified.over(), Over::Assertion);
    assert!(!envelope.signed, "AWS wants the assertion signed; a second signature would only cost");
    assert_eq!(assertion.id, proof.id(), "CloudTrail's sAMLAssertionID");
    assert_eq!(proof.provider().unwrap().as_str(), "arn:aws:iam::111122223333:saml-provider/Rolegate");
    assert_eq!(assertion.issuer, "https://roles.example.org/saml/idp");
    assert_eq!(assertion.subject.format.as_deref(), Some("urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"));
    assert!(!assertion.subject.value.contains("ana"), "CloudTrail shows it: {}", assertion.subject.value);
    assert_eq!(assertion.confirmation.recipient, "https://signin.aws.amazon.com/saml");
    assert_eq!(assertion.conditions.audiences, [["https://signin.aws.amazon.com/saml"]]);
    assert_eq!(assertion.confirmation.not_on_or_after - assertion.issue_instant, TimeDelta::minutes(5));
    assert_eq!(assertion.authn.instant, moment() - TimeDelta::minutes(7));
    assert_eq!(assertion.authn.context_class.as_deref(), Some("urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken"));
    assert!(
        assertion.authn.session_not_on_or_after.unwrap() >= moment() + TimeDelta::minutes(20),
        "a late redemption still buys 15 minutes"
    );
    assert_eq!(attribute(&assertion, "Role"), [format!("{ROLE},arn:aws:iam::111122223333:saml-provider/Rolegate")]);
    assert_eq!(attribute(&assertion, "RoleSessionName"), ["ana@example.org"]);
    assert_eq!(attribute(&assertion, "SessionDuration"), ["900"]);
    assert_eq!(attribute(&assertion, "PrincipalTag:Cost Centre"), ["CC-1 / Zürich"]);
    assert_eq!(attribute(&assertion, "PrincipalTag:Team"), ["blue+green"]);
    assert_eq!(attribute(&assertion, "TransitiveTagKeys"), ["Team"]);
    assert_eq!(attribute(&assertion, "SourceIdentity"), ["okta+ana"]);
    let again = accepted(&issuer, &issuer.prove(&request, &who, moment()).unwrap()).0;
    assert_eq!(again.subject, assertion.subject, "persistent");
    assert_ne!(again.id, assertion.id);
    assert!(!format!("{proof:?}{issuer:?}").contains(proof.expose()));
}

#[test]
fn another_person_has_another_name_and_a_new_key_changes_none() {
    let one = load(&SamlTrustSettings::default(), Path::new(".")).unwrap();
    let other = load(&SamlTrustSettings::default(), Path::new(".")).unwrap();
    assert_ne!(one.name_id("okta+ana"), one.name_id("okta+ben"));
    assert_eq!(one.name_id("okta+ana"), other.name_id("okta+ana"));
    assert!(one.is_ephemeral() && one.metadata() != other.metadata());
}

/// Whatever a person, a provider or an administrator managed to bring in: it stays text, or nothing is minted.
#[test]
fn w8_a_hostile_value_cannot_become_markup() {
    let hostile = [
        "</saml:AttributeValue><saml:AttributeValue>x",
        "\"/><saml:Attribute Name=\"https://aws.amazon.com/SAML/Attributes/Role\">",
        "a,arn:aws:iam::111122223333:role/Admin",
        "<!--x-->",
        "<![CDATA[x]]>",
        "&lt;b&gt; &amp; &#x41;",
        "]]>",
        "<?xml version=\"1.0\"?>",
        "line\nbreak\ttab\rreturn",
        "nul\u{0}",
        "\u{fffe}",
        "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>&e;",
    ];
    let issuer_of = |settings: &SamlTrustSettings| load(settings, Path::new(".")).map(issuer);
    let plain = issuer_of(&SamlTrustSettings::default()).unwrap();
    let who = Identity::for_tests("ana", &[]);
    let mut written = 0;
    for text in hostile {
        // The subject may be anything: only its digest leaves.
        let mut request = request();
        request.set_names_for_tests("ana@example.org", text, Some("okta+ana"));
        let assertion = accepted(&plain, &plain.prove(&request, &who, moment()).unwrap()).0;
        assert!(assertion.subject.value.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(assertion.attributes.len(), 5);
        // Names and tags have AWS's alphabets; whatever else got so far is not written at all.
        for (session, source, key, value) in
            [(text, "okta+ana", "k", "v"), ("ana", text, "k", "v"), ("ana", "okta+ana", text, "v"), ("ana", "okta+ana", "k", text)]
        {
            request.set_names_for_tests(session, "okta+ana", Some(source));
            request.set_tags_for_tests(vec![SessionTag { key: key.into(), value: value.into(), transitive: true }]);
            assert_eq!(plain.prove(&request, &who, moment()).unwrap_err(), SigningFailed::Claims, "{text:?}");
        }
        // The context class comes from the provider.
        let mut who = Identity::for_tests("ana", &[]);
        who.authentication.acr = Some(format!("urn:x:{text}"));
        if let Ok(proof) = plain.prove(&self::request(), &who, moment()) {
            let class = accepted(&plain, &proof).0.authn.context_class.unwrap();
            assert!(class == format!("urn:x:{text}") || class == UNSPECIFIED_CONTEXT, "{class}");
        }
        // The entity ID is the administrator's: refused, or exactly the same text for who reads it.
        let entity_id = format!("urn:x:{text}");
        if let Ok(named) = issuer_of(&SamlTrustSettings { entity_id: Some(entity_id.clone()), ..Default::default() }) {
            written += 1;
            assert_eq!(accepted(&named, &named.prove(&self::request(), &who, moment()).unwrap()).0.issuer, entity_id);
        }
    }
    assert!(written >= 4, "only {written} hostile entity IDs were tried in full");
}

#[test]
fn the_next_and_the_retiring_certificate_are_published_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut pems = Vec::new();
    for name in ["now", "next", "old"] {
        let key = keys::generate(SigningAlgorithm::Rs256).unwrap();
        let certificate = self_signed(&key, name, moment(), TimeDelta::days(30)).unwrap();
        std::fs::write(folder.path().join(format!("{name}.key")), key.expose_secret()).unwrap();
        std::fs::write(folder.path().join(format!("{name}.crt")), &certificate).unwrap();
        pems.push(certificate);
    }
    let file = |name: &str| SecretRef::File(name.into());
    let pair = |name: &str| (Some(file(&format!("{name}.key"))), Some(file(&format!("{name}.crt"))));
    let (signing_key, certificate) = pair("now");
    let good = SamlTrustSettings {
        signing_key,
        certificate,
        next_certificates: vec![file("next.crt")],
        retiring_certificates: vec![file("old.crt")],
        ..Default::default()
    };
    let saml = load(&good, folder.path()).unwrap();
    assert!(!saml.is_ephemeral());
    let description = crate::saml::metadata::IdpDescription::parse(saml.metadata().as_bytes(), None).unwrap();
    assert_eq!(description.entity_id, "https://roles.example.org/saml/idp");
    let published = description.signing(moment()).unwrap();
    let expected: Vec<_> = pems.iter().map(|pem| Certificate::from_pem(pem).unwrap()).collect();
    assert_eq!(published, expected);

    std::fs::write(folder.path().join("ec.key"), keys::generate(SigningAlgorithm::Es256).unwrap().expose_secret()).unwrap();
    let ec = self_signed(&keys::generate(SigningAlgorithm::Es256).unwrap(), "ec", moment(), TimeDelta::days(30)).unwrap();
    std::fs::write(folder.path().join("ec.crt"), ec).unwrap();
    let at = |settings: SamlTrustSettings| load(&settings, folder.path()).unwrap_err().remove(0);
    for (settings, path, words) in [
        (SamlTrustSettings { certificate: None, ..good.clone() }, "trust.saml.certificate", "belong together"),
        (SamlTrustSettings { signing_key: None, ..good.clone() }, "trust.saml.signing_key", "belong together"),
        (SamlTrustSettings { certificate: Some(file("old.crt")), ..good.clone() }, "trust.saml.signing_key", "another key"),
        (SamlTrustSettings { next_certificates: vec![file("now.crt")], ..good.clone() }, "trust.saml.next_certificates[0]", "twice"),
        (SamlTrustSettings { next_certificates: vec![file("ec.crt")], ..good.clone() }, "trust.saml.next_certificates[0]", "RSA"),
        (SamlTrustSettings { retiring_certificates: vec![file("now.key")], ..good.clone() }, "trust.saml.retiring_certificates[0]", "PEM"),
        (SamlTrustSettings { encryption_certificate: Some(file("none")), ..good.clone() }, "trust.saml.encryption_certificate", ""),
        (SamlTrustSettings { provider_name: "a/b".into(), ..good.clone() }, "trust.saml.provider_name", "1 to 128"),
        (SamlTrustSettings { regions: vec!["Frankfurt".into()], ..good.clone() }, "trust.saml.regions[0]", "eu-central-1"),
        (SamlTrustSettings { entity_id: Some("a b".into()), ..good }, "trust.saml.entity_id", "entity ID"),
    ] {
        let problem = at(settings);
        assert_eq!(problem.path, path);
        assert!(problem.message.contains(words), "{problem}");
    }
}

#[test]
fn endpoint_and_recipient_are_chosen_together() {
    let regions = ["eu-central-1", "us-gov-east-1", "eu-west-1"].map(str::to_owned).into();
    let issuer = issuer(load(&SamlTrustSettings { regions, ..Default::default() }, Path::new(".")).unwrap());
    let who = Identity::for_tests("ana", &[]);
    let mut request = request();
    for (attempt, region, next) in [(0, "eu-central-1", 1), (1, "eu-west-1", 0), (2, "eu-central-1", 1), (usize::MAX, "eu-west-1", 0)] {
        let post = issuer.sign_in(&request, &who, attempt, moment()).unwrap();
        assert_eq!(post.endpoint.url, format!("https://{region}.signin.aws.amazon.com/saml"));
        assert_eq!(post.next.attempt, next);
        let assertion = accepted(&issuer, &post.proof).0;
        assert_eq!(assertion.confirmation.recipient, post.endpoint.url);
        assert_eq!(assertion.conditions.audiences, [[post.endpoint.url]]);
    }
    request.set_account_for_tests(|account| {
        account.saml_acs_id = Some("SAMLX1".into());
        account.saml_provider = Some("arn:aws:iam::111122223333:saml-provider/Other".parse().unwrap());
    });
    let post = issuer.sign_in(&request, &who, 0, moment()).unwrap();
    assert_eq!(post.endpoint.url, "https://eu-central-1.signin.aws.amazon.com/saml/acs/SAMLX1");
    assert_eq!(attribute(&accepted(&issuer, &post.proof).0, "Role"), [format!("{ROLE},arn:aws:iam::111122223333:saml-provider/Other")]);

    let place = SamlPlace { signin_endpoint: Some("http://127.0.0.1:8702/"), ..PLACE };
    let sandboxed = SamlIssuer::load(&SamlTrustSettings::default(), &place, Path::new("."), "trust.saml", moment()).unwrap();
    assert_eq!(sandboxed.endpoints(self::request().account())[0].url, "http://127.0.0.1:8702/saml");
}

#[test]
fn an_encrypted_assertion_is_for_aws_alone_and_must_fit() {
    let folder = tempfile::tempdir().unwrap();
    let key = keys::generate(SigningAlgorithm::Rs256).unwrap();
    let certificate = self_signed(&key, "AWS", moment(), TimeDelta::days(30)).unwrap();
    std::fs::write(folder.path().join("aws.crt"), certificate).unwrap();
    let settings = SamlTrustSettings { encryption_certificate: Some(SecretRef::File("aws.crt".into())), ..Default::default() };
    let issuer = issuer(load(&settings, folder.path()).unwrap());
    let who = Identity::for_tests("ana", &[]);
    let proof = issuer.prove(&request(), &who, moment()).unwrap();
    let bytes = BASE64.decode(proof.expose().as_bytes()).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains(ROLE));
    let screened = prescreen(&bytes).unwrap();
    assert!(screened.is_encrypted());
    let verifier = Verifier::new(&[issuer.saml().unwrap().signer.certificate().clone()]).unwrap();
    let decryption = DecryptionKey::from_pem(&key).unwrap();
    let policy = encryption::Policy::default();
    let signed = verifier
        .verify_encrypted(&screened, |element| encryption::decrypt(element, &[decryption], policy).ok().map(|text| text.to_vec()))
        .unwrap();
    assert_eq!(read(&signed).unwrap().id, proof.id());

    let mut large = request();
    let tag = |n: usize| SessionTag { key: format!("{n}{}", "ü".repeat(126)), value: "𝐚".repeat(256), transitive: true };
    large.set_tags_for_tests((10..60).map(tag).collect());
    assert_eq!(issuer.prove(&large, &who, moment()).unwrap_err(), SigningFailed::TooLarge);
}

#[test]
fn without_saml_in_the_configuration_nothing_is_minted() {
    let keys = KeyRing::load(&TrustSettings::default(), Path::new("."), "trust").unwrap();
    let issuer = Issuer::new("https://roles.example.org", "sts.amazonaws.com", keys);
    let mut who = Identity::for_tests("ana", &[]);
    who.claims.add("exp".into(), json!(moment().timestamp() + 600));
    assert_eq!(issuer.prove(&request(), &who, moment()).unwrap_err(), SigningFailed::NoSaml);
    assert_eq!(issuer.sign_in(&request(), &who, 0, moment()).unwrap_err(), SigningFailed::NoSaml);
}
