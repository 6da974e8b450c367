//! S26: logout messages that nobody, or somebody else, signed, or that are not for us.

use chrono::TimeDelta;
use rolegate::saml::Refused;
use rolegate::saml::logout::LogoutRefused;
use rolegate::saml::redirect::RedirectRefused;
use rolegate::saml::response::moment;
use rolegate::saml::sign::SamlSigner;
use rolegate::saml::write::messages::{Envelope, LogoutRequest, NameId};
use rolegate::saml::xml::XmlRefused;

use crate::carried::{deflate, message, query, signed_query};
use crate::cases::{Case, Door, signature_of, swap};
use crate::keys::Keys;
use crate::sibling::{IDP, NOW, SLO};

/// The parameter of a query.
pub(crate) const NAME: &str = "SAMLRequest";

pub(crate) fn request(signer: Option<&SamlSigner>) -> String {
    about("alice@example.org", "_l1", IDP, SLO, NOW, signer)
}

fn about(person: &str, id: &str, issuer: &str, destination: &str, instant: &str, signer: Option<&SamlSigner>) -> String {
    let instant = moment(instant).unwrap();
    let envelope = Envelope { id, issuer, destination, issued: instant };
    let name_id = NameId { value: person, format: None, name_qualifier: None, sp_name_qualifier: None };
    let expires = instant + TimeDelta::minutes(5);
    LogoutRequest { envelope, expires, name_id, session_indexes: &["_s1"] }.write(signer).unwrap()
}

pub(crate) fn soap(inside: &str) -> String {
    format!("<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{inside}</s:Body></s:Envelope>")
}

pub(crate) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, document, reason) in s26_logout_documents(keys) {
        cases.push(Case::at(Door::Post, "S26", format!("by POST: {name}"), document.clone(), reason));
        // What makes a document of its own wrong may be another wrong inside an envelope.
        if !document.starts_with("<!") && !name.starts_with("two roots") {
            cases.push(Case::at(Door::Soap, "S26", format!("by SOAP: {name}"), soap(&document), reason));
        }
    }
    cases.extend(s26_logout_envelopes(keys));
    cases.extend(s26_logout_queries(keys));
    cases
}

fn s26_logout_documents(keys: &Keys) -> Vec<(&'static str, String, Refused)> {
    let (idp, stranger, next) = (keys.idp.signer(), keys.stranger.signer(), keys.next.signer());
    let good = request(Some(&idp));
    let signature = signature_of(&good);
    let by = |issuer, destination, instant| about("alice@example.org", "_l1", issuer, destination, instant, Some(&idp));
    let evil = about("bob@example.org", "_l9", IDP, SLO, NOW, None);
    let carrying = |inside: &str| swap(&evil, "</saml:Issuer>", &format!("</saml:Issuer>{inside}"));
    let object = |inside: &str| swap(&signature, "</ds:Signature>", &format!("<ds:Object>{inside}</ds:Object></ds:Signature>"));
    let sha1 = swap(&good, "xmldsig-more#rsa-sha256", "xmldsig-more#rsa-sha1");
    vec![
        ("not signed", request(None), Refused::Unsigned),
        ("signed by a stranger", request(Some(&stranger)), Refused::Signature),
        ("signed by another provider", request(Some(&next)), Refused::Signature),
        ("name changed", swap(&good, "alice@", "bob@"), Refused::Signature),
        ("session changed", swap(&good, ">_s1<", ">_s2<"), Refused::Signature),
        ("session removed", swap(&good, "<samlp:SessionIndex>_s1</samlp:SessionIndex>", ""), Refused::Signature),
        ("time prolonged", swap(&good, "12:05:00Z", "13:05:00Z"), Refused::Signature),
        ("signature moved to another", carrying(&signature), Refused::ReferenceTarget),
        ("original in Extensions", carrying(&format!("<samlp:Extensions>{good}</samlp:Extensions>")), Refused::MisplacedSignature),
        ("original in an Object", carrying(&object(&good)), Refused::MisplacedSignature),
        ("signature twice", swap(&good, &signature, &signature.repeat(2)), Refused::SeveralSignatures),
        ("a response inside", carrying("<samlp:Extensions><samlp:Response/></samlp:Extensions>"), Refused::Hidden),
        ("comment in the name", swap(&good, "alice@", "<!-- -->alice@"), XmlRefused::Comment.into()),
        ("algorithm with SHA-1", sha1, Refused::SignatureAlgorithm),
        ("reference to all", swap(&good, "URI=\"#_l1\"", "URI=\"\""), Refused::ReferenceTarget),
        ("same ID twice", swap(&good, "<saml:NameID ", "<saml:NameID Id=\"_l1\" "), XmlRefused::DuplicateId.into()),
        ("of another provider", by("https://other.example", SLO, NOW), Refused::Issuer),
        ("for another service", by(IDP, "https://other.example/slo", NOW), Refused::Destination),
        ("for the response's address", by(IDP, crate::sibling::ACS, NOW), Refused::Destination),
        ("of last week", by(IDP, SLO, "2029-12-25T12:00:00Z"), Refused::TooOld),
        ("of tomorrow", by(IDP, SLO, "2030-01-02T12:00:00Z"), Refused::NotYetValid(86_395)),
        ("expired", by(IDP, SLO, "2030-01-01T11:54:00Z"), Refused::Expired(65)),
        ("about nobody", about(" ", "_l1", IDP, SLO, NOW, Some(&idp)), Refused::Subject),
        ("a DOCTYPE", format!("<!DOCTYPE r>{good}"), XmlRefused::Doctype.into()),
        ("two roots", format!("{good}{evil}"), XmlRefused::Malformed("it has a second root").into()),
    ]
}

fn s26_logout_envelopes(keys: &Keys) -> Vec<Case> {
    let good = request(Some(&keys.idp.signer()));
    let evil = about("bob@example.org", "_l9", IDP, SLO, NOW, None);
    let signature = signature_of(&good);
    let case = |name: &str, document, reason: Refused| Case::at(Door::Soap, "S26", format!("by SOAP: {name}"), document, reason);
    let header = |inside: &str| format!("<s:Header>{inside}</s:Header><s:Body>");
    vec![
        case("two requests", soap(&format!("{good}{evil}")), Refused::Unexpected),
        case("original in the header", swap(&soap(&evil), "<s:Body>", &header(&good)), Refused::Unexpected),
        case("a demand in the header", swap(&soap(&good), "<s:Body>", &header("<x s:mustUnderstand=\"1\"/>")), Refused::Unexpected),
        case("original behind the body", swap(&soap(&evil), "</s:Envelope>", &format!("{good}</s:Envelope>")), Refused::Unexpected),
        case("signature of the envelope", swap(&soap(&evil), "<s:Body>", &format!("{signature}<s:Body>")), Refused::Unexpected),
        case(
            "two bodies",
            swap(&soap(&evil), "<s:Body>", &format!("<s:Body>{good}</s:Body><s:Body>")),
            XmlRefused::Repeated("Body").into(),
        ),
        case("an empty body", soap(""), Refused::Unexpected),
        case("no body", swap(&soap(""), "<s:Body></s:Body>", ""), XmlRefused::Missing("Body").into()),
        case("no envelope", good.clone(), Refused::Root),
        case(
            "the envelope of SOAP 1.2",
            swap(&soap(&good), "schemas.xmlsoap.org/soap/envelope/", "www.w3.org/2003/05/soap-envelope"),
            Refused::Root,
        ),
        Case::at(Door::Post, "S26", "by POST: an envelope", soap(&good), Refused::Root),
        Case::at(Door::Post, "S26", "by POST: a response", crate::cases::valid(keys, crate::sibling::Sign::Both), Refused::Root),
    ]
}

fn s26_logout_queries(keys: &Keys) -> Vec<Case> {
    const MORE: &str = "http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23";
    let message = message();
    let plain = format!("{NAME}={message}&RelayState=state&SigAlg={MORE}rsa-sha256");
    let good = signed_query(&keys.idp, "sha256", &plain);
    let signature = good.rsplit_once('&').unwrap().1;
    let case =
        |name: &str, document, reason| Case::at(Door::Query, "S26", format!("in a query: {name}"), document, LogoutRefused::Query(reason));
    let inside = |name: &str, xml: &str, reason: Refused| {
        let deflated = deflate(xml);
        Case::at(Door::Query, "S26", format!("in a query: {name}"), query(keys, &deflated, "state"), LogoutRefused::Message(reason))
    };
    let named = |name: &str, document: String, reason: RedirectRefused| {
        Case::at(Door::Query, "S26", format!("in a query: {name}"), document, reason)
    };
    let sha1 = plain.replace("2001%2F04%2Fxmldsig-more%23rsa-sha256", "2000%2F09%2Fxmldsig%23rsa-sha1");
    vec![
        case("not signed", plain.clone(), RedirectRefused::Unsigned),
        case("no algorithm", format!("{NAME}={message}&{signature}"), RedirectRefused::Unsigned),
        case("neither", format!("{NAME}={message}"), RedirectRefused::Unsigned),
        case("signed by a stranger", signed_query(&keys.stranger, "sha256", &plain), RedirectRefused::Signature),
        case("signed with SHA-1", signed_query(&keys.idp, "sha1", &sha1), RedirectRefused::Algorithm),
        case("HMAC named", swap(&good, "rsa-sha256", "hmac-sha256"), RedirectRefused::Algorithm),
        case("another algorithm named", swap(&good, "rsa-sha256", "rsa-sha512"), RedirectRefused::Signature),
        case("algorithm of another key", swap(&good, "rsa-sha256", "ecdsa-sha256"), RedirectRefused::Signature),
        case("signature empty", format!("{plain}&Signature="), RedirectRefused::Signature),
        case("signature not base64", format!("{plain}&Signature=*"), RedirectRefused::Broken("Signature")),
        case("escapes spelled otherwise", swap(&good, "%3A%2F%2F", "%3a%2f%2f"), RedirectRefused::Signature),
        case("as a response", good.replace(NAME, "SAMLResponse"), RedirectRefused::Signature),
        named("both kinds", format!("{good}&SAMLResponse={message}"), RedirectRefused::NotOneMessage),
        named("two messages", format!("{NAME}={message}&{good}"), RedirectRefused::Repeated("SAMLRequest")),
        named("two signatures", format!("{good}&{signature}"), RedirectRefused::Repeated("Signature")),
        named("name escaped", swap(&good, "&Signature", "&%53ignature"), RedirectRefused::HiddenName),
        named("another encoding", format!("{good}&SAMLEncoding=urn:x"), RedirectRefused::Encoding),
        inside("signed inside too", &request(Some(&keys.idp.signer())), Refused::MisplacedSignature),
        inside("a response", &crate::cases::valid(keys, crate::sibling::Sign::Assertion), Refused::Root),
        inside("a DOCTYPE", &format!("<!DOCTYPE r>{}", request(None)), XmlRefused::Doctype.into()),
    ]
    .into_iter()
    .chain(s26_logout_queries_for_others(keys))
    .collect()
}

/// Well signed in its query, yet not for us or not now.
fn s26_logout_queries_for_others(keys: &Keys) -> Vec<Case> {
    let by = |name: &str, issuer, destination, instant, reason: Refused| {
        let deflated = deflate(&about("alice@example.org", "_l1", issuer, destination, instant, None));
        Case::at(Door::Query, "S26", format!("in a query: {name}"), query(keys, &deflated, "state"), reason)
    };
    vec![
        by("of another provider", "https://other.example", SLO, NOW, Refused::Issuer),
        by("for another service", IDP, "https://other.example/slo", NOW, Refused::Destination),
        by("of last week", IDP, SLO, "2029-12-25T12:00:00Z", Refused::TooOld),
        by("expired", IDP, SLO, "2030-01-01T11:54:00Z", Refused::Expired(65)),
    ]
}
