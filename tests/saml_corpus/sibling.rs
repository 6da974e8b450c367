//! Valid responses, written here and signed by xmlsec1: what every attack starts from.

use crate::keys::{Keys, Pair};

pub(crate) const IDP: &str = "https://idp.example/metadata";
pub(crate) const SP: &str = "https://gate.example/saml/metadata";
pub(crate) const ACS: &str = "https://gate.example/saml/acs";
/// Where logout messages go.
pub(crate) const SLO: &str = "https://gate.example/saml/slo";
pub(crate) const REQUEST: &str = "_req-1";
pub(crate) const NOW: &str = "2030-01-01T12:00:00Z";

/// Which elements are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Response,
    Assertion,
    Both,
}

pub(crate) const ALL: [Sign; 3] = [Sign::Response, Sign::Assertion, Sign::Both];

/// An algorithm's URI and its digest's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Algorithms {
    pub(crate) signature: &'static str,
    pub(crate) digest: &'static str,
}

pub(crate) const RSA_SHA256: Algorithms =
    Algorithms { signature: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", digest: "http://www.w3.org/2001/04/xmlenc#sha256" };

/// The template that xmlsec1 fills in.
pub(crate) fn template(id: &str, algorithms: Algorithms) -> String {
    let Algorithms { signature, digest } = algorithms;
    format!(
        "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo>\
         <ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>\
         <ds:SignatureMethod Algorithm=\"{signature}\"/><ds:Reference URI=\"#{id}\"><ds:Transforms>\
         <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\
         <ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"{digest}\"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/></ds:Signature>"
    )
}

/// An assertion for the given person; `signature` stands where one belongs.
pub(crate) fn assertion(id: &str, person: &str, signature: &str) -> String {
    format!(
        "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"{id}\" Version=\"2.0\" IssueInstant=\"{NOW}\">\
         <saml:Issuer>{IDP}</saml:Issuer>{signature}<saml:Subject>\
         <saml:NameID Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress\">{person}</saml:NameID>\
         <saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\">\
         <saml:SubjectConfirmationData InResponseTo=\"{REQUEST}\" NotOnOrAfter=\"2030-01-01T12:05:00Z\" Recipient=\"{ACS}\"/>\
         </saml:SubjectConfirmation></saml:Subject>\
         <saml:Conditions NotBefore=\"2030-01-01T11:59:30Z\" NotOnOrAfter=\"2030-01-01T12:05:00Z\">\
         <saml:AudienceRestriction><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction></saml:Conditions>\
         <saml:AuthnStatement AuthnInstant=\"2030-01-01T11:59:00Z\" SessionIndex=\"_s1\" SessionNotOnOrAfter=\"2030-01-01T20:00:00Z\">\
         <saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport\
         </saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>\
         <saml:AttributeStatement><saml:Attribute Name=\"groups\" NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:basic\">\
         <saml:AttributeValue xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:type=\"xs:string\">staff &amp; more</saml:AttributeValue><saml:AttributeValue>ops</saml:AttributeValue></saml:Attribute>\
         </saml:AttributeStatement></saml:Assertion>"
    )
}

/// A response around an assertion.
pub(crate) fn response(signature: &str, assertion: &str) -> String {
    format!(
        "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" \
         ID=\"_r1\" Version=\"2.0\" IssueInstant=\"{NOW}\" Destination=\"{ACS}\" InResponseTo=\"{REQUEST}\">\
         <saml:Issuer>{IDP}</saml:Issuer>{signature}<samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/>\
         </samlp:Status>{assertion}</samlp:Response>"
    )
}

/// The response, unsigned, with templates where signatures will be.
pub(crate) fn unsigned(sign: Sign, algorithms: Algorithms) -> String {
    let when = |wanted, id| if sign == wanted || sign == Sign::Both { template(id, algorithms) } else { String::new() };
    response(&when(Sign::Response, "_r1"), &assertion("_a1", "alice@example.org", &when(Sign::Assertion, "_a1")))
}

/// Signs the templates in a document, the inner one first.
pub(crate) fn signed(keys: &Keys, pair: &Pair, sign: Sign, document: &str) -> String {
    let mut document = document.to_owned();
    for (wanted, parent) in [(Sign::Assertion, "Assertion"), (Sign::Response, "Response")] {
        if sign == wanted || sign == Sign::Both {
            let secret = format!("{},{}", pair.key.display(), pair.certificate.display());
            document = keys.sign(&["--privkey-pem", &secret], parent, &document);
        }
    }
    document
}
