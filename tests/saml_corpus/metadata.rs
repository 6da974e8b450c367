//! S25: metadata that would have us believe the wrong keys.

use rolegate::saml::Refused;
use rolegate::saml::metadata::{MetadataRefused, SignatureRefused};
use rolegate::saml::response::moment;
use rolegate::saml::xml::XmlRefused;

use crate::alive::Sibling;
use crate::cases::{Case, Door, piece, signature_of, swap};
use crate::keys::{Keys, Pair};
use crate::sibling::{Algorithms, IDP, RSA_SHA256, template};

const MD: &str = "urn:oasis:names:tc:SAML:2.0:metadata";

fn key(usage: &str, pair: &Pair) -> String {
    format!(
        "<md:KeyDescriptor use=\"{usage}\"><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data><ds:X509Certificate>{}\
         </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
        pair.base64
    )
}

fn entity(id: &str, entity_id: &str, signature: &str, keys: &str) -> String {
    format!(
        "<md:EntityDescriptor xmlns:md=\"{MD}\" ID=\"{id}\" entityID=\"{entity_id}\" validUntil=\"2030-02-01T00:00:00Z\">{signature}\
         <md:IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">{keys}\
         <md:SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Location=\"https://idp.example/sso\"/>\
         </md:IDPSSODescriptor></md:EntityDescriptor>"
    )
}

fn group(signature: &str, inside: &str) -> String {
    format!("<md:EntitiesDescriptor xmlns:md=\"{MD}\" ID=\"_g1\">{signature}{inside}</md:EntitiesDescriptor>")
}

fn one(keys: &Keys, algorithms: Algorithms) -> String {
    entity("_m1", IDP, &template("_m1", algorithms), &key("signing", &keys.next))
}

fn signed(keys: &Keys, pair: &Pair, parent: &str, document: &str) -> String {
    let secret = format!("{},{}", pair.key.display(), pair.certificate.display());
    keys.sign(&["--privkey-pem", &secret], parent, document)
}

pub(crate) fn siblings(keys: &Keys) -> Vec<Sibling> {
    let plain = one(keys, RSA_SHA256);
    let bare = entity("_m1", IDP, "", &key("signing", &keys.next));
    let groups = group(&template("_g1", RSA_SHA256), &format!("<!-- ours -->{bare}"));
    let sibling = |name: &str, door, document| Sibling { name: name.to_owned(), document, door };
    vec![
        sibling("metadata of an entity, signed", Door::SignedMetadata, signed(keys, &keys.idp, "EntityDescriptor", &plain)),
        sibling(
            "metadata of a group, signed, with a comment",
            Door::SignedMetadata,
            signed(keys, &keys.idp, "EntitiesDescriptor", &groups),
        ),
        sibling("metadata, unsigned, from its own place", Door::Metadata, bare),
    ]
}

pub(crate) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = s25_signatures_of_metadata(keys);
    cases.extend(s25_contents_of_metadata(keys));
    cases
}

fn s25_signatures_of_metadata(keys: &Keys) -> Vec<Case> {
    let case =
        |name: &str, document, reason: Refused| Case::at(Door::SignedMetadata, "S25", name, document, SignatureRefused::Document(reason));
    let plain = one(keys, RSA_SHA256);
    let good = signed(keys, &keys.idp, "EntityDescriptor", &plain);
    let body = good.split_once('\n').unwrap().1;
    let signature = signature_of(&good);
    let certificate = &keys.next.base64;
    let evil = entity("_evil", IDP, "", &key("signing", &keys.stranger));
    let sha1 = Algorithms { signature: "http://www.w3.org/2000/09/xmldsig#rsa-sha1", digest: RSA_SHA256.digest };
    let object = swap(&signature, "</ds:Signature>", &format!("<ds:Object>{body}</ds:Object></ds:Signature>"));
    let wrapped = |inside: &str| swap(&evil, "<md:IDPSSODescriptor", &format!("{inside}<md:IDPSSODescriptor"));
    vec![
        case("not signed", swap(&good, &signature, ""), Refused::Unsigned),
        case("signed by a stranger", signed(keys, &keys.stranger, "EntityDescriptor", &plain), Refused::Signature),
        case("signed by the key that it brings", signed(keys, &keys.next, "EntityDescriptor", &plain), Refused::Signature),
        case("key replaced", swap(&good, certificate, &keys.stranger.base64), Refused::Signature),
        case(
            "key added",
            swap(&good, "<md:KeyDescriptor", &format!("{}<md:KeyDescriptor", key("signing", &keys.stranger))),
            Refused::Signature,
        ),
        case("time prolonged", swap(&good, "2030-02-01", "2040-02-01"), Refused::Signature),
        case("address replaced", swap(&good, "https://idp.example/sso", "https://evil.example/sso"), Refused::Signature),
        case("SHA-1", signed(keys, &keys.idp, "EntityDescriptor", &one(keys, sha1)), Refused::SignatureAlgorithm),
        case("signature on a forged one", wrapped(&signature), Refused::ReferenceTarget),
        case("original in an Object", wrapped(&object), Refused::MisplacedSignature),
        case("original in Extensions", wrapped(&format!("<md:Extensions>{body}</md:Extensions>")), Refused::MisplacedSignature),
        case("signed one beside a forged one", group("", &format!("{body}{evil}")), Refused::MisplacedSignature),
        case("signature inside a signed group", signed_group_with_signature(keys), Refused::MisplacedSignature),
        case("signature twice", swap(&good, &signature, &signature.repeat(2)), Refused::SeveralSignatures),
        case("reference to all", swap(&good, "URI=\"#_m1\"", "URI=\"\""), Refused::ReferenceTarget),
        case("same ID twice", swap(&good, "<md:IDPSSODescriptor", "<md:IDPSSODescriptor ID=\"_m1\""), XmlRefused::DuplicateId.into()),
        case("comment in the digest", swap(&good, "<ds:DigestValue>", "<ds:DigestValue><!-- x -->"), XmlRefused::Comment.into()),
        case("instruction", format!("<?xml-stylesheet href=\"x\"?>{body}"), XmlRefused::ProcessingInstruction.into()),
        case("DOCTYPE", format!("<!DOCTYPE r>{body}"), XmlRefused::Doctype.into()),
        case("something else", crate::cases::valid(keys, crate::sibling::Sign::Both), Refused::Root),
        case("two roots", format!("{good}{evil}"), XmlRefused::Malformed("it has a second root").into()),
    ]
}

/// Each signature is good.
fn signed_group_with_signature(keys: &Keys) -> String {
    let inner = signed(keys, &keys.idp, "EntityDescriptor", &group(&template("_g1", RSA_SHA256), &one(keys, RSA_SHA256)));
    signed(keys, &keys.idp, "EntitiesDescriptor", &inner)
}

fn s25_contents_of_metadata(keys: &Keys) -> Vec<Case> {
    let good = entity("_m1", IDP, "", &key("signing", &keys.next));
    let case =
        |name: &str, document, reason: MetadataRefused| Case::at(Door::Metadata, "S25", format!("unsigned: {name}"), document, reason);
    let with = |inside: &str| swap(&good, &piece(&good, "<md:KeyDescriptor", "</md:KeyDescriptor>"), inside);
    let until = "validUntil=\"2030-02-01T00:00:00Z\"";
    let expired = moment("2030-01-01T12:00:05Z").unwrap();
    let descriptor = piece(&good, "<md:IDPSSODescriptor", "</md:IDPSSODescriptor>");
    let place = "Location=\"https://idp.example/sso\"";
    let none = MetadataRefused::NoSigningCertificate;
    let malformed = MetadataRefused::Malformed;
    vec![
        case("over", swap(&good, until, "validUntil=\"2030-01-01T12:00:05Z\""), MetadataRefused::Expired(expired)),
        case(
            "group over",
            group("", &good).replace("ID=\"_g1\"", "validUntil=\"2030-01-01T12:00:05Z\""),
            MetadataRefused::Expired(expired),
        ),
        case("end that is no time", swap(&good, until, "validUntil=\"never\""), malformed("validUntil")),
        case("negative duration", swap(&good, until, "cacheDuration=\"-PT1H\""), malformed("cacheDuration")),
        case("no key", with(""), none.clone()),
        case("a key for encryption alone", with(&key("encryption", &keys.next)), none.clone()),
        case("a key of 1024 bits", with(&key("signing", &keys.weak)), none.clone()),
        case("a key of another curve", with(&key("signing", &keys.brainpool)), none.clone()),
        case("a certificate that is none", swap(&good, "MII", "MIJ"), none),
        case("nobody in particular", swap(&good, IDP, ""), malformed("entityID")),
        case(
            "two providers",
            group("", &format!("{good}{}", entity("_m2", "urn:b", "", &key("signing", &keys.next)))),
            MetadataRefused::Ambiguous,
        ),
        case("two roles", swap(&good, &descriptor, &descriptor.repeat(2)), MetadataRefused::NotAnIdp),
        case("another protocol", swap(&good, "SAML:2.0:protocol", "SAML:1.1:protocol"), MetadataRefused::NotAnIdp),
        case("an address that is a script", swap(&good, place, "Location=\"javascript:alert(1)\""), MetadataRefused::NoSignIn),
        case("an address that is a file", swap(&good, place, "Location=\"file:///etc/passwd\""), MetadataRefused::NoSignIn),
        case("another namespace", swap(&good, MD, "urn:x"), MetadataRefused::NotMetadata),
        case(
            "external entity",
            swap(&format!("<!DOCTYPE r [<!ENTITY e SYSTEM \"http://127.0.0.1:9/x\">]>{good}"), IDP, "&e;"),
            XmlRefused::Doctype.into(),
        ),
        case("too long", format!("{good}{}", " ".repeat(4 << 20)), XmlRefused::TooLong.into()),
        case(
            "too deep",
            group("", &format!("{}{}", "<md:EntitiesDescriptor>".repeat(40), "</md:EntitiesDescriptor>".repeat(40))),
            XmlRefused::TooDeep.into(),
        ),
        case("too many elements", group("", &"<x/>".repeat(66_000)), XmlRefused::TooManyElements.into()),
    ]
}
