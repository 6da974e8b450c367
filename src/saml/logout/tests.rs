use chrono::{TimeZone, Utc};

use super::*;
use crate::saml::redirect::write_url;
use crate::saml::sign::SamlSigner;
use crate::saml::sign::tests::{SigningAlgorithm, fixed_signer, new_signer};
use crate::saml::write::messages::{self, Envelope, LogoutStatus};
use crate::saml::xml::XmlRefused;

const IDP: &str = "https://idp.example/metadata";
const SLO: &str = "https://gate.example/saml/slo";

fn noon() -> Moment {
    Utc.with_ymd_and_hms(2030, 1, 1, 12, 0, 0).unwrap()
}

fn envelope() -> Envelope<'static> {
    Envelope { id: "_l1", issuer: IDP, destination: SLO, issued: noon() }
}

fn request(signer: Option<&SamlSigner>) -> String {
    let name_id = messages::NameId { value: "alice", format: Some("urn:f"), name_qualifier: Some("urn:q"), sp_name_qualifier: None };
    let expires = noon() + TimeDelta::minutes(5);
    messages::LogoutRequest { envelope: envelope(), expires, name_id, session_indexes: &["s1", "s2"] }.write(signer).unwrap()
}

fn response(status: LogoutStatus, signer: Option<&SamlSigner>) -> String {
    messages::LogoutResponse { envelope: envelope(), in_response_to: "_q1", status }.write(signer).unwrap()
}

fn soap(inside: &str) -> String {
    format!("<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header/><s:Body>\n{inside}</s:Body></s:Envelope>")
}

fn expected() -> Expected<'static> {
    Expected {
        issuer: IDP,
        sp_entity_id: "https://gate.example/saml",
        destination: SLO,
        now: noon() + TimeDelta::seconds(5),
        skew: TimeDelta::seconds(60),
    }
}

/// The identity provider's key, and a verifier of it.
struct World {
    signer: SamlSigner,
    stranger: SamlSigner,
    verifier: Verifier,
}

impl World {
    fn new() -> Self {
        let signer = fixed_signer();
        let verifier = Verifier::new(&[signer.certificate().clone()]).unwrap();
        Self { signer, stranger: new_signer(SigningAlgorithm::Rs256), verifier }
    }

    fn posted(&self, text: &str) -> Result<LogoutRequest, Refused> {
        match posted(MessageKind::Request, text.as_bytes(), &self.verifier)? {
            LogoutMessage::Request(request) => request.check(&expected()).map(|()| request),
            LogoutMessage::Response(_) => panic!("a response was read as a request"),
        }
    }

    fn enveloped(&self, text: &str) -> Result<LogoutRequest, Refused> {
        let request = enveloped(text.as_bytes(), &self.verifier)?;
        request.check(&expected()).map(|()| request)
    }

    fn redirected(&self, kind: MessageKind, xml: &str, signer: Option<&SamlSigner>) -> Result<LogoutMessage, LogoutRefused> {
        let url = write_url(SLO, kind, xml, Some("state"), signer).unwrap();
        let query = url.strip_prefix(SLO).unwrap().strip_prefix('?').unwrap();
        let (message, state) = redirected(&Unverified::parse(query)?, &[self.signer.certificate().clone()])?;
        assert_eq!(state.as_deref(), Some("state"));
        Ok(message)
    }
}

#[test]
fn a_request_is_read_by_every_binding() {
    let world = World::new();
    let signed = request(Some(&world.signer));
    let found = world.posted(&signed).unwrap();
    assert_eq!((found.id.as_str(), found.name_id.value.as_str()), ("_l1", "alice"));
    assert_eq!(found.name_id.format.as_deref(), Some("urn:f"));
    assert_eq!((found.name_id.name_qualifier.as_deref(), found.name_id.sp_name_qualifier.as_deref()), (Some("urn:q"), None));
    assert_eq!(found.session_indexes, ["s1", "s2"]);
    assert_eq!((found.not_on_or_after, found.issue_instant), (Some(noon() + TimeDelta::minutes(5)), noon()));
    let other = LogoutRequest { binding: Binding::Soap, ..found.clone() };
    assert_eq!(world.enveloped(&soap(&signed)).unwrap(), other);
    let message = world.redirected(MessageKind::Request, &request(None), Some(&world.signer)).unwrap();
    assert_eq!(message, LogoutMessage::Request(LogoutRequest { binding: Binding::Redirect, ..found }));
}

#[test]
fn a_response_is_read_and_only_a_whole_success_is_one() {
    let world = World::new();
    for (status, success) in [(LogoutStatus::Success, true), (LogoutStatus::Partial, false), (LogoutStatus::Responder, false)] {
        let by_post = posted(MessageKind::Response, response(status, Some(&world.signer)).as_bytes(), &world.verifier).unwrap();
        let by_query = world.redirected(MessageKind::Response, &response(status, None), Some(&world.signer)).unwrap();
        assert_eq!(by_post, by_query);
        let LogoutMessage::Response(found) = by_post else { panic!("it is a response") };
        assert_eq!(found.success, success);
        assert_eq!(found.check(&expected(), "_q1"), Ok(()));
        assert_eq!(found.check(&expected(), "_q2"), Err(Refused::InResponseTo));
        assert_eq!(LogoutResponse { in_response_to: None, ..found }.check(&expected(), "_q1"), Err(Refused::InResponseTo));
    }
}

#[test]
fn s26_a_logout_message_that_the_provider_did_not_sign_is_refused() {
    let world = World::new();
    let good = request(Some(&world.signer));
    assert!(world.posted(&good).is_ok() && world.enveloped(&soap(&good)).is_ok());
    let foreign = request(Some(&world.stranger));
    for (document, reason) in [
        (request(None), Refused::Unsigned),
        (foreign, Refused::Signature),
        (good.replace("alice", "carol"), Refused::Signature),
        (good.replace("s2", "s3"), Refused::Signature),
        (good.replace("_l1", "_l2"), Refused::Signature),
    ] {
        assert_eq!(world.posted(&document), Err(reason), "{document}");
        assert_eq!(world.enveloped(&soap(&document)), Err(reason), "{document}");
    }
    let by = |kind, xml: &str, signer| world.redirected(kind, xml, signer).unwrap_err();
    assert_eq!(by(MessageKind::Request, &request(None), None), RedirectRefused::Unsigned.into());
    assert_eq!(by(MessageKind::Request, &request(None), Some(&world.stranger)), RedirectRefused::Signature.into());
    assert_eq!(by(MessageKind::Response, &request(None), Some(&world.signer)), Refused::Root.into());
    assert_eq!(by(MessageKind::Request, &response(LogoutStatus::Success, None), Some(&world.signer)), Refused::Root.into());
    // A signature inside the message says nothing about a query that is not signed, and has no place in one that is.
    assert_eq!(by(MessageKind::Request, &good, None), RedirectRefused::Unsigned.into());
    assert_eq!(by(MessageKind::Request, &good, Some(&world.signer)), Refused::MisplacedSignature.into());
    let swapped = posted(MessageKind::Response, good.as_bytes(), &world.verifier);
    assert_eq!(swapped, Err(Refused::Root), "a request posted as a response");
}

#[test]
fn s26_a_wrapped_logout_request_is_refused() {
    let world = World::new();
    let good = request(Some(&world.signer));
    let signature = &good[good.find("<ds:Signature ").unwrap()..good.find("</ds:Signature>").unwrap() + "</ds:Signature>".len()];
    let evil = request(None).replace("alice", "carol").replace("_l1", "_evil");
    let carried = |inside: &str| evil.replace("</saml:Issuer>", &format!("</saml:Issuer>{inside}"));
    let extensions = format!("<samlp:Extensions>{good}</samlp:Extensions>");
    for (name, document, reason) in [
        ("original in Extensions", carried(&extensions), Refused::MisplacedSignature),
        ("signature moved to another request", carried(signature), Refused::ReferenceTarget),
        ("signature twice", good.replace(signature, &signature.repeat(2)), Refused::SeveralSignatures),
        (
            "original in the signature",
            carried(&signature.replace("</ds:Signature>", &format!("<ds:Object>{good}</ds:Object></ds:Signature>"))),
            Refused::MisplacedSignature,
        ),
        ("two requests", format!("{good}{evil}"), XmlRefused::Malformed("it has a second root").into()),
        ("the same ID twice", carried(&extensions).replace("_evil", "_l1"), XmlRefused::DuplicateId.into()),
        ("an assertion inside", carried("<samlp:Extensions><Assertion/></samlp:Extensions>"), Refused::Hidden),
        ("a comment in the name", good.replace("alice", "alice<!-- -->.evil"), XmlRefused::Comment.into()),
        ("a DOCTYPE", format!("<!DOCTYPE r>{good}"), XmlRefused::Doctype.into()),
        ("an unknown child", good.replace("</saml:NameID>", "</saml:NameID><x/>"), Refused::Unexpected),
        ("version 1.1", good.replace("Version=\"2.0\"", "Version=\"1.1\""), Refused::Version),
    ] {
        assert_eq!(world.posted(&document), Err(reason), "{name}");
    }
    let inside_twice = soap(&format!("{good}{evil}"));
    let behind = soap(&good).replace("</s:Envelope>", &format!("{evil}</s:Envelope>"));
    let moved = soap(&evil).replace("<s:Body>", &format!("{signature}<s:Body>"));
    let header = soap(&evil).replace("<s:Header/>", &format!("<s:Header>{good}</s:Header>"));
    for (name, document, reason) in [
        ("two requests in the body", inside_twice, Refused::Unexpected),
        ("a request behind the body", behind, Refused::Unexpected),
        ("a signature of the envelope", moved, Refused::Unexpected),
        ("the original in a header", header, Refused::Unexpected),
        ("two bodies", soap(&good).replace("<s:Header/>", "<s:Body/>"), XmlRefused::Repeated("Body").into()),
        ("an empty body", soap(""), Refused::Unexpected),
        ("text in the body", soap(&format!("x{good}")), Refused::Unexpected),
        ("no envelope", good.clone(), Refused::Root),
        (
            "SOAP 1.2",
            soap(&good).replace("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"),
            Refused::Root,
        ),
        ("a response in the body", soap(&response(LogoutStatus::Success, Some(&world.signer))), Refused::Root),
    ] {
        assert_eq!(world.enveloped(&document), Err(reason), "{name}");
    }
    assert_eq!(world.posted(&soap(&good)), Err(Refused::Root), "an envelope by POST");
}

#[test]
fn s26_a_signed_logout_message_for_others_or_of_another_time_is_refused() {
    let world = World::new();
    let good = world.posted(&request(Some(&world.signer))).unwrap();
    let at = |seconds| Expected { now: noon() + TimeDelta::seconds(seconds), ..expected() };
    assert_eq!(good.check(&Expected { issuer: "https://other.example", ..expected() }), Err(Refused::Issuer));
    assert_eq!(good.check(&Expected { destination: "https://gate.example/saml/slo/", ..expected() }), Err(Refused::Destination));
    assert_eq!(good.check(&at(359)), Ok(()));
    assert_eq!(good.check(&at(360)), Err(Refused::Expired(60)));
    assert_eq!(good.check(&at(-60)), Ok(()));
    assert_eq!(good.check(&at(-61)), Err(Refused::NotYetValid(61)));
    let endless = LogoutRequest { not_on_or_after: None, ..good.clone() };
    assert_eq!(endless.check(&at(659)), Ok(()));
    assert_eq!(endless.check(&at(660)), Err(Refused::TooOld));
    let nowhere = LogoutRequest { destination: None, ..good };
    assert_eq!(nowhere.check(&expected()), Err(Refused::Destination));
    let enveloped = LogoutRequest { binding: Binding::Soap, ..nowhere.clone() };
    assert_eq!(enveloped.check(&expected()), Err(Refused::Destination), "another service could have passed it on");
    let made_for = |sp: &str| NameId { sp_name_qualifier: Some(sp.into()), ..enveloped.name_id.clone() };
    let about = |sp| LogoutRequest { name_id: made_for(sp), ..enveloped.clone() };
    assert_eq!(about("https://other.example/saml").check(&expected()), Err(Refused::Destination));
    assert_eq!(about("https://gate.example/saml").check(&expected()), Ok(()));
    let by_browser = LogoutRequest { name_id: made_for("https://gate.example/saml"), ..nowhere };
    assert_eq!(by_browser.check(&expected()), Err(Refused::Destination));
}

#[test]
fn a_request_that_does_not_say_whom_it_means_is_refused() {
    let world = World::new();
    let plain = request(None);
    let name = &plain[plain.find("<saml:NameID").unwrap()..plain.find("</saml:NameID>").unwrap() + "</saml:NameID>".len()];
    let judge = |to: &str| world.redirected(MessageKind::Request, &plain.replace(name, to), Some(&world.signer)).unwrap_err();
    assert_eq!(judge("<saml:EncryptedID xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>"), Refused::EncryptedName.into());
    assert_eq!(
        judge("<saml:BaseID xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>"),
        Refused::Xml(XmlRefused::Missing("NameID")).into()
    );
    assert_eq!(judge("<saml:NameID xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"> </saml:NameID>"), Refused::Subject.into());
    assert_eq!(judge(&name.repeat(2)), Refused::Xml(XmlRefused::Repeated("NameID")).into());
    assert_eq!(judge(&name.replace("alice", "<x/>")), Refused::Xml(XmlRefused::NotText).into());
}
