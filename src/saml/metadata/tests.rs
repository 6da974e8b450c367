use chrono::{TimeDelta, TimeZone};
use data_encoding::BASE64;

use super::*;
use crate::saml::Refused;
use crate::saml::sign::SamlSigner;
use crate::saml::sign::tests::{SigningAlgorithm, fixed_signer, new_signer};
use crate::saml::verify::NoVerifier;
use crate::saml::write::metadata::{IdpMetadata, SpMetadata};

fn short() -> Certificate {
    Certificate::from_pem(include_str!("testdata/rsa1024.cert.pem")).unwrap()
}

fn key(usage: &str, certificate: &Certificate) -> String {
    let text = BASE64.encode(certificate.der());
    format!(
        "<KeyDescriptor{usage}><KeyInfo xmlns='{DS}'><X509Data><X509Certificate>\n{text}\n</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
    )
}

fn signing() -> String {
    key(" use='signing'", fixed_signer().certificate())
}

fn idp(id: &str, entity: &str, role: &str, keys: &str) -> String {
    let bindings = "urn:oasis:names:tc:SAML:2.0:bindings";
    format!(
        "<EntityDescriptor xmlns='{MD}' entityID='{id}' {entity}>\
         <RoleDescriptor xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xmlns:fed='http://docs.oasis-open.org/wsfed/federation/200706' xsi:type='fed:SecurityTokenServiceType' protocolSupportEnumeration='http://docs.oasis-open.org/wsfed/federation/200706'>{}</RoleDescriptor>\
         <IDPSSODescriptor protocolSupportEnumeration='urn:x {PROTOCOL}' {role}>\
         <Extensions><mdui:UIInfo xmlns:mdui='urn:oasis:names:tc:SAML:metadata:ui'><mdui:DisplayName xml:lang='en'>IdP</mdui:DisplayName></mdui:UIInfo></Extensions>{keys}\
         <SingleLogoutService Binding='{bindings}:HTTP-Redirect' Location='https://idp/slo' ResponseLocation='https://idp/slo/r'/>\
         <NameIDFormat> urn:f1 </NameIDFormat><NameIDFormat>urn:f2</NameIDFormat>\
         <SingleSignOnService Binding='{bindings}:HTTP-Redirect' Location='https://idp/sso'/>\
         <SingleSignOnService Binding='{bindings}:HTTP-Artifact' Location='https://idp/artifact'/>\
         <SingleSignOnService Binding='{bindings}:HTTP-POST' Location='javascript:alert(1)'/>\
         <SingleLogoutService Binding='{bindings}:SOAP' Location='https://idp/soap'/>\
         </IDPSSODescriptor></EntityDescriptor>",
        key("", &short()),
    )
}

fn parse(text: &str) -> Result<IdpDescription, MetadataRefused> {
    IdpDescription::parse(text.as_bytes(), None)
}

fn noon() -> Moment {
    Utc.with_ymd_and_hms(2026, 11, 24, 12, 0, 0).unwrap()
}

#[test]
fn a_description_is_read_and_what_we_do_not_use_is_passed_over() {
    let second = new_signer(SigningAlgorithm::Es256);
    let keys = [signing(), key("", second.certificate()), key(" use='encryption'", &short()), signing()].concat();
    let found = parse(&idp("urn:idp", "", "WantAuthnRequestsSigned='true' cacheDuration='PT1H'", &keys)).unwrap();
    assert_eq!(found.entity_id, "urn:idp");
    assert_eq!(found.signing(noon()).unwrap(), [fixed_signer().certificate().clone(), second.certificate().clone()]);
    assert_eq!(found.single_sign_on.len(), 1, "no artifact, no script");
    assert_eq!(found.sign_on_by(Binding::Redirect).unwrap().location, "https://idp/sso");
    assert_eq!(found.logout_by(Binding::Redirect).unwrap().response_location.as_deref(), Some("https://idp/slo/r"));
    assert_eq!(found.logout_by(Binding::Soap).unwrap().location, "https://idp/soap");
    assert_eq!(found.name_id_formats, ["urn:f1", "urn:f2"]);
    assert!(found.wants_signed_requests && found.findings.is_empty() && found.valid_until.is_none());
    assert_eq!(found.cache_duration, Some(Duration::from_hours(1)));
}

#[test]
fn a_provider_whose_signature_nobody_could_verify_is_refused() {
    let broken = signing().replace("MII", "MIJ");
    for keys in [
        "",
        &key(" use='encryption'", fixed_signer().certificate()),
        &key(" use='signing'", &short()),
        &key(" use='Signing'", fixed_signer().certificate()),
        &broken,
    ] {
        assert_eq!(parse(&idp("urn:idp", "", "", keys)), Err(MetadataRefused::NoSigningCertificate), "{keys}");
    }
}

#[test]
fn bad_keys_are_reported_and_left_out() {
    let keys = [key(" use='signing'", &short()), signing(), signing().replace("MII", "MIJ")].concat();
    let found = parse(&idp("urn:idp", "", "", &keys)).unwrap();
    assert_eq!(found.signing(noon()).unwrap().len(), 1);
    assert_eq!(found.findings[0], Finding::ShortKey(short().fingerprint(), 1024));
    assert!(matches!(found.findings[1], Finding::UnreadableCertificate(_)));
    assert_eq!(found.findings.len(), 2);
}

#[test]
fn expired_metadata_gives_no_key() {
    let until = noon() + TimeDelta::hours(1);
    for (entity, role) in
        [("validUntil='2026-11-24T13:00:00Z'", ""), ("validUntil='2027-01-01T00:00:00'", "validUntil='2026-11-24T14:00:00.000+01:00'")]
    {
        let found = parse(&idp("urn:idp", entity, role, &signing())).unwrap();
        assert_eq!(found.valid_until, Some(until));
        assert!(found.signing(until - TimeDelta::seconds(1)).is_ok());
        assert_eq!(found.signing(until), Err(MetadataRefused::Expired(until)));
    }
    for wrong in ["validUntil='tomorrow'", "cacheDuration='1h'", "cacheDuration='-PT1H'"] {
        assert!(matches!(parse(&idp("urn:idp", wrong, "", &signing())), Err(MetadataRefused::Malformed(_))), "{wrong}");
    }
}

#[test]
fn one_entity_of_many_is_chosen_by_its_id() {
    let group = |inner: &str| format!("<EntitiesDescriptor xmlns='{MD}' validUntil='2026-11-24T13:00:00Z'>{inner}</EntitiesDescriptor>");
    let sp = format!("<EntityDescriptor xmlns='{MD}' entityID='urn:sp'/>");
    let one = group(&[sp.as_str(), &group(&idp("urn:a", "", "", &signing()))].concat());
    assert_eq!(parse(&one).unwrap().entity_id, "urn:a");
    let two = group(&[idp("urn:a", "", "", &signing()), idp("urn:b", "", "", &signing())].concat());
    assert_eq!(parse(&two), Err(MetadataRefused::Ambiguous));
    let chosen = |text: &str, id| IdpDescription::parse(text.as_bytes(), Some(id));
    let found = chosen(&two, "urn:b").unwrap();
    assert_eq!(found.entity_id, "urn:b");
    assert!(found.signing(noon() + TimeDelta::hours(1)).is_err(), "the group's lifetime holds for its members");
    assert_eq!(chosen(&two, "urn:c"), Err(MetadataRefused::NoSuchEntity("urn:c".into())));
    assert_eq!(chosen(&one, "urn:sp"), Err(MetadataRefused::NotAnIdp));
    let twins = group(&[idp("urn:a", "", "", &signing()), idp("urn:a", "", "", &signing())].concat());
    assert_eq!(chosen(&twins, "urn:a"), Err(MetadataRefused::Ambiguous));
}

#[test]
fn what_is_no_idps_metadata_is_refused() {
    assert_eq!(parse("<x/>"), Err(MetadataRefused::NotMetadata));
    assert!(matches!(parse("<!DOCTYPE x><x/>"), Err(MetadataRefused::Xml(_))));
    let good = idp("urn:idp", "", "", &signing());
    assert!(parse(&good).is_ok());
    assert_eq!(parse(&good.replace(PROTOCOL, "urn:oasis:names:tc:SAML:1.1:protocol")), Err(MetadataRefused::NotAnIdp));
    assert_eq!(parse(&good.replace("bindings:HTTP-Redirect", "bindings:PAOS")), Err(MetadataRefused::NoSignIn));
    assert_eq!(parse(&good.replace("entityID='urn:idp'", "entityID=' '")), Err(MetadataRefused::Malformed("entityID")));
}

#[test]
fn our_own_metadata_can_be_read() {
    let signing = [fixed_signer().certificate().clone(), new_signer(SigningAlgorithm::Rs256).certificate().clone()];
    let written = IdpMetadata { entity_id: "https://r/aws", signing: &signing, single_sign_on_service: "https://r/sso" }.write().unwrap();
    let found = parse(&written).unwrap();
    assert_eq!(found.signing(noon()).unwrap(), signing);
    assert_eq!(found.sign_on_by(Binding::Post).unwrap().location, "https://r/sso");
}

#[test]
fn durations() {
    for (text, seconds) in
        [("PT1H", 3600), ("P1D", 86_400), ("P1DT1M", 86_460), ("PT1.9S", 1), ("P1Y2M3D", 365 * 86_400 + 63 * 86_400), ("PT0S", 0)]
    {
        assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
    }
    for text in [
        "",
        "P",
        "PT",
        "P1",
        "1D",
        "-P1D",
        "P1H",
        "PT1D",
        "P1DT",
        "PT1S1H",
        "PT1.5H",
        "PT.S",
        "P99999999999999999999D",
        "P999999999999999999D",
    ] {
        assert_eq!(duration(text), None, "{text}");
    }
}

fn signed(signer: &SamlSigner) -> String {
    let certificates = [signer.certificate().clone()];
    // What is written for IAM is unsigned, and what we sign is a service provider's: the signer is the same.
    let metadata = SpMetadata {
        id: "_m1",
        entity_id: "urn:sp",
        valid_until: None,
        cache_duration: None,
        signing: &certificates,
        encryption: &[],
        signs_requests: true,
        assertion_consumer_service: "https://sp/acs",
        single_logout_services: &[],
        name_id_formats: &[],
    };
    metadata.write(Some(signer)).unwrap()
}

/// A group with a comment in it, signed by xmlsec1.
fn signed_group(folder: &std::path::Path, certificate: &str) -> String {
    let template = "<ds:Signature xmlns:ds='http://www.w3.org/2000/09/xmldsig#'><ds:SignedInfo>\
         <ds:CanonicalizationMethod Algorithm='http://www.w3.org/2001/10/xml-exc-c14n#'/>\
         <ds:SignatureMethod Algorithm='http://www.w3.org/2001/04/xmldsig-more#rsa-sha256'/><ds:Reference URI='#_g1'><ds:Transforms>\
         <ds:Transform Algorithm='http://www.w3.org/2000/09/xmldsig#enveloped-signature'/>\
         <ds:Transform Algorithm='http://www.w3.org/2001/10/xml-exc-c14n#'/></ds:Transforms>\
         <ds:DigestMethod Algorithm='http://www.w3.org/2001/04/xmlenc#sha256'/><ds:DigestValue/></ds:Reference></ds:SignedInfo>\
         <ds:SignatureValue/></ds:Signature>";
    let entities = idp("urn:idp", "", "", &signing()) + &idp("urn:other", "", "", &signing());
    let text = format!(
        "<!-- made by hand --><EntitiesDescriptor xmlns='{MD}' ID='_g1' validUntil='2026-12-01T00:00:00Z'>{template}<!-- two -->{entities}</EntitiesDescriptor>"
    );
    let [document, key] = ["group.xml", "key.pem"].map(|name| folder.join(name));
    std::fs::write(&document, text).unwrap();
    std::fs::write(&key, include_str!("../sign/testdata/rsa.key.pem")).unwrap();
    std::fs::write(folder.join("certificate.pem"), certificate).unwrap();
    let mut command = std::process::Command::new("xmlsec1");
    command.args(["--sign", "--id-attr:ID", &format!("{MD}:EntitiesDescriptor"), "--privkey-pem"]).arg(&key).arg(&document);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn signed_metadata_is_believed_by_its_pinned_certificate() {
    let signer = fixed_signer();
    let pinned = [new_signer(SigningAlgorithm::Es256).certificate().clone(), signer.certificate().clone()];
    let found = verify_signed(signed(&signer).as_bytes(), &pinned).unwrap();
    assert!(found.bytes().contains("urn:sp") && !found.bytes().contains("Signature"));
    let folder = tempfile::tempdir().unwrap();
    let group = signed_group(folder.path(), &signer.certificate().to_pem());
    let found = verify_signed(group.as_bytes(), &pinned).unwrap();
    assert!(!found.bytes().contains("<!--"));
    let description = found.describe(Some("urn:idp")).unwrap();
    assert_eq!(description.entity_id, "urn:idp");
    assert_eq!(description.valid_until.unwrap().to_rfc3339(), "2026-12-01T00:00:00+00:00");
    assert_eq!(found.describe(None).unwrap_err(), MetadataRefused::Ambiguous);
    assert!(verify_signed(group.replace("<!-- two -->", "<!-- other -->").as_bytes(), &pinned).is_ok(), "comments are not signed");
}

#[test]
fn s25_metadata_that_the_pinned_certificate_did_not_sign_is_refused() {
    let signer = fixed_signer();
    let pinned = [signer.certificate().clone()];
    let refused = |text: &str| verify_signed(text.as_bytes(), &pinned).unwrap_err();
    let by = |reason: Refused| SignatureRefused::Document(reason);
    let good = signed(&signer);
    assert!(verify_signed(good.as_bytes(), &pinned).is_ok());
    assert_eq!(verify_signed(good.as_bytes(), &[]).unwrap_err(), NoVerifier::NoCertificate.into());
    assert_eq!(verify_signed(good.as_bytes(), &[short()]).unwrap_err(), NoVerifier::WeakKey.into());
    assert_eq!(refused(&signed(&new_signer(SigningAlgorithm::Rs256))), by(Refused::Signature), "with its certificate inside");
    assert_eq!(refused(&good.replace("https://sp/acs", "https://evil/acs")), by(Refused::Signature));
    assert_eq!(refused(&idp("urn:idp", "ID='_m1'", "", &signing())), by(Refused::Unsigned));
    let signature = &good[good.find("<ds:Signature ").unwrap()..good.find("</ds:Signature>").unwrap() + "</ds:Signature>".len()];
    let evil = good.replace("urn:sp", "urn:evil").replace("_m1", "_m2");
    let group = format!("<md:EntitiesDescriptor xmlns:md='{MD}' ID='_g'>{good}{}</md:EntitiesDescriptor>", evil.replace(signature, ""));
    assert_eq!(refused(&group), by(Refused::MisplacedSignature), "a signed entity beside a forged one");
    assert_eq!(refused(&evil), by(Refused::Signature), "another ID, and the reference with it");
    assert_eq!(refused(&good.replacen("_m1", "_m2", 1)), by(Refused::ReferenceTarget));
    assert_eq!(refused(&good.replace("<ds:DigestValue>", "<ds:DigestValue><!-- -->")), by(XmlRefused::Comment.into()));
    assert_eq!(refused(&format!("<!DOCTYPE x>{good}")), by(XmlRefused::Doctype.into()));
    assert_eq!(refused(&good.replace("EntityDescriptor", "Descriptor")), by(Refused::Root));
}

#[test]
fn s25_metadata_that_is_over_or_whose_keys_are_weak_gives_no_keys() {
    let found = parse(&idp("urn:idp", "validUntil='2026-11-24T12:00:00Z'", "", &signing())).unwrap();
    assert!(found.signing(noon() - TimeDelta::seconds(1)).is_ok());
    assert!(matches!(found.signing(noon()), Err(MetadataRefused::Expired(_))));
    let weak = parse(&idp("urn:idp", "", "", &key(" use='signing'", &short())));
    assert_eq!(weak, Err(MetadataRefused::NoSigningCertificate));
}
