use chrono::{TimeDelta, TimeZone};
use data_encoding::BASE64;

use super::*;
use crate::saml::sign::tests::{fixed_signer, new_signer};
use crate::saml::write::metadata::IdpMetadata;
use crate::trust::SigningAlgorithm;

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
