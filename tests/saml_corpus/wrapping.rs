//! S1, S2, S4, S5, S6, S13: forged content beside, around or inside what is signed; nothing signed; keys of strangers.

use rolegate::saml::Refused;
use rolegate::saml::xml::XmlRefused;

use crate::cases::{Case, assertion_of, piece, resigned, signature_of, swap, swap_last, valid};
use crate::keys::Keys;
use crate::sibling::{ALL, RSA_SHA256, Sign, assertion, response, signed, unsigned};

fn evil() -> String {
    assertion("_evil", "mallory@example.org", "")
}

pub(crate) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = s01_s02_wrapped_around_the_response(&valid(keys, Sign::Response));
    for sign in [Sign::Assertion, Sign::Both] {
        cases.extend(s01_s02_wrapped_around_the_assertion(&format!("{sign:?} signed"), &valid(keys, sign)));
    }
    for sign in ALL {
        cases.extend(s04_s05_content_injected_or_signatures_removed(sign, &valid(keys, sign)));
        cases.extend(s04_s06_changed_content_and_keys_of_strangers(keys, sign, &valid(keys, sign)));
    }
    cases.extend(s13_ids_that_occur_twice_or_are_ambiguous(keys));
    cases
}

/// The names are those of the SAML Raider tool.
fn s01_s02_wrapped_around_the_response(good: &str) -> Vec<Case> {
    let signature = signature_of(good);
    let original = swap(&piece(good, "<samlp:Response", "</samlp:Response>"), &signature, "");
    let within = |signature: &str, extra: &str| swap(&response(&format!("{signature}{extra}"), &evil()), "_r1", "_evil_r");
    let inside = |wrapped: &str| swap(&signature, "</ds:Signature>", &format!("{wrapped}</ds:Signature>"));
    let object = format!("<ds:Object>{original}</ds:Object>");
    vec![
        Case::new("S1", "XSW1: original response inside the signature of a forged one", within(&inside(&original), ""), Refused::Hidden),
        Case::new("S1", "XSW2: original response beside the signature in a forged one", within(&original, &signature), Refused::Unexpected),
        Case::new("S1", "original response after the signature in a forged one", within(&signature, &original), Refused::Unexpected),
        Case::new("S1", "original response in an Object", within(&inside(&object), ""), Refused::Hidden),
        Case::new(
            "S1",
            "a forged response around the original as a whole",
            within(good.split_once('\n').unwrap().1, ""),
            Refused::Unexpected,
        ),
        Case::new(
            "S1",
            "original response in Extensions",
            within(&signature, &format!("<samlp:Extensions>{original}</samlp:Extensions>")),
            Refused::Hidden,
        ),
        Case::new("S2", "signature moved into Status", moved(good, &signature, "</samlp:Status>"), Refused::MisplacedSignature),
        Case::new("S2", "signature moved into Subject", moved(good, &signature, "</saml:Subject>"), Refused::MisplacedSignature),
        Case::new(
            "S2",
            "response's signature moved into the assertion",
            moved(good, &signature, "<saml:Subject>"),
            Refused::ReferenceTarget,
        ),
        Case::new("S2", "root in another namespace", good.replace("SAML:2.0:protocol\"", "SAML:2.0:protocol2\""), Refused::Root),
        Case::new("S2", "envelope around the response", format!("<e>{}</e>", good.split_once('\n').unwrap().1), Refused::Root),
    ]
}

fn moved(document: &str, what: &str, before: &str) -> String {
    swap_last(&swap(document, what, ""), before, &format!("{what}{before}"))
}

fn s01_s02_wrapped_around_the_assertion(kind: &str, good: &str) -> Vec<Case> {
    let original = assertion_of(good);
    let signature = signature_of(&original);
    let bare = swap(&original, &signature, "");
    let evil = evil();
    let evil_with = |signature: &str| swap(&evil, "</saml:Issuer>", &format!("</saml:Issuer>{signature}"));
    let inside = |wrapped: &str| swap(&signature, "</ds:Signature>", &format!("{wrapped}</ds:Signature>"));
    let instead = |with: String| swap(good, &original, &with);
    let hidden = |name: &str, document| Case::new("S1", format!("{kind}: {name}"), document, Refused::Hidden);
    let several = |name: &str, document| Case::new("S1", format!("{kind}: {name}"), document, Refused::SeveralAssertions);
    let carried = |tag: &str, what: &str| format!("<{tag}>{what}</{tag}>");
    let encrypted = carried("saml:EncryptedAssertion", "<x/>");
    vec![
        several("XSW3: forged assertion before the original", instead(format!("{evil}{original}"))),
        several("forged assertion after the original", instead(format!("{original}{evil}"))),
        hidden("XSW4: forged assertion around the original", instead(swap(&evil, "<saml:Subject>", &format!("{original}<saml:Subject>")))),
        several("XSW5: signature moved to a forged assertion, original after it", instead(format!("{}{bare}", evil_with(&signature)))),
        hidden("XSW6: original inside the signature of a forged assertion", instead(evil_with(&inside(&bare)))),
        hidden(
            "XSW7: forged assertion in Extensions",
            swap(good, "<samlp:Status>", &format!("{}<samlp:Status>", carried("samlp:Extensions", &evil))),
        ),
        hidden("XSW8: original in an Object of the moved signature", instead(evil_with(&inside(&carried("ds:Object", &bare))))),
        hidden("XSW9: forged assertion in an Object", instead(swap(&original, &signature, &inside(&carried("ds:Object", &evil))))),
        hidden("XSW10: original in Extensions, forged one outside", {
            let evil_outside = instead(evil.clone());
            swap(&evil_outside, "<samlp:Status>", &format!("{}<samlp:Status>", carried("samlp:Extensions", &original)))
        }),
        hidden(
            "original in Advice",
            instead(swap(&evil, "<saml:AuthnStatement", &format!("{}<saml:AuthnStatement", carried("saml:Advice", &original)))),
        ),
        hidden("original in an attribute value", instead(swap(&evil, ">ops<", &format!(">{original}<")))),
        hidden("original in Status", {
            let evil_outside = instead(evil.clone());
            swap(&evil_outside, "</samlp:Status>", &format!("{}</samlp:Status>", carried("samlp:StatusDetail", &original)))
        }),
        hidden("original in KeyInfo", instead(evil_with(&inside(&carried("ds:KeyInfo", &bare))))),
        several("encrypted assertion beside the original", instead(format!("{original}{encrypted}"))),
        several("encrypted assertion before the original", instead(format!("{encrypted}{original}"))),
        Case::new(
            "S1",
            format!("{kind}: the only assertion deep in Extensions"),
            instead(carried("samlp:Extensions", &original)),
            Refused::Hidden,
        ),
        Case::new("S1", format!("{kind}: signature kept, assertion forged"), instead(evil_with(&signature)), Refused::ReferenceTarget),
        Case::new(
            "S2",
            format!("{kind}: signature twice"),
            instead(swap(&original, &signature, &format!("{signature}{signature}"))),
            Refused::SeveralSignatures,
        ),
        Case::new(
            "S2",
            format!("{kind}: signature in Conditions"),
            instead(moved(&original, &signature, "</saml:Conditions>")),
            Refused::MisplacedSignature,
        ),
        Case::new(
            "S2",
            format!("{kind}: assertion in another namespace"),
            instead(original.replace("SAML:2.0:assertion\"", "SAML:2.0:other\"")),
            Refused::Hidden,
        ),
    ]
}

fn s04_s05_content_injected_or_signatures_removed(sign: Sign, good: &str) -> Vec<Case> {
    let case = |attack, name: &str, document, expected: Refused| Case::new(attack, format!("{sign:?} signed: {name}"), document, expected);
    let end = "</samlp:Response>";
    let mut cases = vec![
        case("S5", "assertion removed", swap(good, &assertion_of(good), ""), Refused::NoAssertion),
        case("S5", "foreign element added", swap(good, end, &format!("<x xmlns=\"urn:x\"/>{end}")), Refused::Unexpected),
        case("S5", "text added", swap(good, end, &format!("mallory{end}")), Refused::Unexpected),
        case(
            "S4",
            "signature in another namespace",
            good.replace("2000/09/xmldsig#\">", "2000/09/xmldsig\">"),
            Refused::MisplacedSignature,
        ),
        case(
            "S4",
            "signature value emptied",
            swap(good, &piece(good, "<ds:SignatureValue>", "</ds:SignatureValue>"), "<ds:SignatureValue/>"),
            Refused::Base64,
        ),
        case(
            "S4",
            "signature value removed",
            swap(good, &piece(good, "<ds:SignatureValue>", "</ds:SignatureValue>"), ""),
            Refused::SignatureForm,
        ),
    ];
    // Without its signature every sibling is the same; and the other two have had an assertion added already.
    if sign == Sign::Response {
        cases.extend([
            case("S5", "unsigned assertion added", swap(good, end, &format!("{}{end}", evil())), Refused::SeveralAssertions),
            case("S4", "signatures removed", without_signatures(good), Refused::Unsigned),
            case(
                "S4",
                "signature emptied",
                swap(
                    &without_signatures(good),
                    "</saml:Issuer>",
                    "</saml:Issuer><ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"/>",
                ),
                Refused::SignatureForm,
            ),
        ]);
    }
    cases
}

fn without_signatures(good: &str) -> String {
    let mut document = good.to_owned();
    while document.contains("<ds:Signature ") {
        document = swap(&document, &signature_of(&document), "");
    }
    document
}

fn s04_s06_changed_content_and_keys_of_strangers(keys: &Keys, sign: Sign, good: &str) -> Vec<Case> {
    let case = |attack, name: &str, document| Case::new(attack, format!("{sign:?} signed: {name}"), document, Refused::Signature);
    let info = format!(
        "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>",
        keys.stranger.base64
    );
    let by_stranger = |document: &str| signed(keys, &keys.stranger, sign, document);
    let plain = unsigned(sign, RSA_SHA256);
    let value = piece(good, "<ds:SignatureValue>", "</ds:SignatureValue>");
    vec![
        case("S4", "name changed", swap(good, "alice@", "mallory@")),
        case("S4", "attribute value changed", swap(good, ">ops<", ">admin<")),
        case(
            "S4",
            "attribute added",
            swap(good, "</saml:AttributeStatement>", "<saml:Attribute Name=\"admin\"/></saml:AttributeStatement>"),
        ),
        case("S4", "time prolonged", good.replace("12:05:00Z", "23:05:00Z")),
        case(
            "S4",
            "digest replaced",
            swap(
                good,
                &piece(good, "<ds:DigestValue>", "</ds:DigestValue>"),
                "<ds:DigestValue>AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=</ds:DigestValue>",
            ),
        ),
        case("S4", "signature value replaced", swap(good, &value, "<ds:SignatureValue>AAAA</ds:SignatureValue>")),
        case("S6", "signed by a stranger", by_stranger(&plain)),
        case("S6", "signed by a stranger, certificate inside", by_stranger(&plain.replace("</ds:Signature>", &info))),
        case("S6", "signed by a key of another provider", signed(keys, &keys.next, sign, &plain)),
    ]
}

fn s13_ids_that_occur_twice_or_are_ambiguous(keys: &Keys) -> Vec<Case> {
    let mut cases = Vec::new();
    let double = XmlRefused::DuplicateId;
    for sign in ALL {
        let good = valid(keys, sign);
        let mut case =
            |name: &str, document, expected: Refused| cases.push(Case::new("S13", format!("{sign:?} signed: {name}"), document, expected));
        for (name, spelling) in [("ID", "ID"), ("Id", "Id"), ("id", "id"), ("xml:id", "xml:id")] {
            case(
                &format!("the assertion's ID again as {name}"),
                swap(&good, "<samlp:Status>", &format!("<samlp:Status {spelling}=\"_a1\">")),
                double.into(),
            );
        }
        case("the response's ID again", swap(&good, "<saml:Subject>", "<saml:Subject ID=\"_r1\">"), double.into());
        case("both the same ID", good.replace("_a1", "_r1"), double.into());
        for former in ["AssertionID", "assertionid", "RequestID", "ResponseID", "samlp:AssertionID"] {
            let status = |value: &str| format!("<samlp:Status {former}=\"{value}\">");
            case(&format!("the assertion's ID again as {former}"), swap(&good, "<samlp:Status>", &status("_a1")), Refused::Id);
            case(&format!("one more ID as {former}"), swap(&good, "<samlp:Status>", &status("_x")), Refused::Id);
        }
        case("an ID in a namespace", swap(&good, "<samlp:Status>", "<samlp:Status samlp:ID=\"_x\">"), Refused::Id);
        case("two spellings on the assertion", swap(&good, " ID=\"_a1\"", " ID=\"_a1\" Id=\"_b\""), Refused::Id);
        case("an ID that is an expression", swap(&good, "<samlp:Status>", "<samlp:Status ID=\"element(/1/2)\">"), Refused::Id);
        case("no ID on the assertion", swap(&good, " ID=\"_a1\"", ""), Refused::Id);
        case("no ID on the response", swap(&good, " ID=\"_r1\"", ""), Refused::Id);
        case("empty ID", resigned_id(keys, sign), Refused::Id);
    }
    cases
}

fn resigned_id(keys: &Keys, sign: Sign) -> String {
    swap(&resigned(keys, sign, "<samlp:Status>", "<samlp:Status >"), "<samlp:Status>", "<samlp:Status ID=\"\">")
}
