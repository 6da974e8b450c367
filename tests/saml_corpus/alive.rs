//! Valid responses of every shape that honest identity providers send.

use crate::cases::{Door, resigned, swap, valid};
use crate::keys::Keys;
use crate::sibling::{ALL, Algorithms, REQUEST, RSA_SHA256, Sign, signed, unsigned};

/// A document that must be accepted, and is about alice or her identity provider.
pub(crate) struct Sibling {
    pub(crate) name: String,
    pub(crate) document: String,
    pub(crate) door: Door,
}

pub(crate) fn siblings(keys: &Keys) -> Vec<Sibling> {
    let mut found = Vec::new();
    let mut add = |name: String, document: String| found.push(Sibling { name, document, door: Door::Response(Some(REQUEST)) });
    for sign in ALL {
        add(format!("{sign:?} signed"), valid(keys, sign));
        add(format!("{sign:?} signed, no declaration"), swap(&valid(keys, sign), "<?xml version=\"1.0\"?>\n", ""));
        add(format!("{sign:?} signed, blanks between elements"), resigned(keys, sign, "</saml:Subject>", "</saml:Subject>\n  "));
        let bits = |algorithm: &'static str| {
            [
                ("256", "http://www.w3.org/2001/04/xmlenc#sha256"),
                ("384", "http://www.w3.org/2001/04/xmldsig-more#sha384"),
                ("512", "http://www.w3.org/2001/04/xmlenc#sha512"),
            ]
            .map(|(bits, digest)| {
                let signature: &str = Box::leak(format!("http://www.w3.org/2001/04/xmldsig-more#{algorithm}-sha{bits}").into_boxed_str());
                (bits, Algorithms { signature, digest })
            })
        };
        for (bits, algorithms) in bits("rsa") {
            add(format!("{sign:?} signed, RSA with SHA-{bits}"), signed(keys, &keys.idp, sign, &unsigned(sign, algorithms)));
        }
        for (bits, algorithms) in bits("ecdsa") {
            add(format!("{sign:?} signed, ECDSA with SHA-{bits}"), signed(keys, &keys.ec, sign, &unsigned(sign, algorithms)));
        }
        let info = "<ds:KeyInfo><ds:X509Data><ds:X509Certificate/></ds:X509Data></ds:KeyInfo></ds:Signature>";
        add(format!("{sign:?} signed, certificate inside"), resigned(keys, sign, "</ds:Signature>", info));
        let exclusive = "Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>";
        let prefixes = "Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"><ec:InclusiveNamespaces \
            xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"xs saml\"/></ds:Transform></ds:Transforms>";
        add(format!("{sign:?} signed, inclusive prefixes"), resigned(keys, sign, exclusive, prefixes));
        let target = "<saml:AttributeValue><saml:NameID>x</saml:NameID></saml:AttributeValue></saml:Attribute>";
        add(format!("{sign:?} signed, a NameID as a value"), resigned(keys, sign, "</saml:Attribute>", target));
        add(format!("{sign:?} signed, fractions of seconds"), resigned(keys, sign, "12:05:00Z", "12:05:00.1234567Z"));
        add(format!("{sign:?} signed, one-time use"), resigned(keys, sign, "</saml:Conditions>", "<saml:OneTimeUse/></saml:Conditions>"));
        let unasked = unsigned(sign, RSA_SHA256).replace(&format!("InResponseTo=\"{REQUEST}\""), "");
        found_unasked(&mut add, sign, signed(keys, &keys.idp, sign, &unasked));
    }
    let bare = swap(&valid(keys, Sign::Assertion), "Destination=\"https://gate.example/saml/acs\"", "");
    add("Assertion signed, no Destination".into(), swap(&bare, "<saml:Issuer>https://idp.example/metadata</saml:Issuer>", ""));
    for sibling in &mut found {
        if sibling.name.ends_with("unasked") {
            sibling.door = Door::Response(None);
        }
    }
    found
}

fn found_unasked(add: &mut impl FnMut(String, String), sign: Sign, document: String) {
    add(format!("{sign:?} signed, unasked"), document);
}
