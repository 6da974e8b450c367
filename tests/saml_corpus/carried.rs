//! S15, S23: how messages are carried, in form fields and queries, and the state beside them.

use data_encoding::BASE64;
use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};
use rolegate::saml::Refused;
use rolegate::saml::logout::LogoutRefused;
use rolegate::saml::redirect::RedirectRefused;
use rolegate::saml::xml::XmlRefused;
use std::io::Write;

use crate::alive::Sibling;
use crate::cases::{Case, Door, swap, valid};
use crate::keys::{Keys, Pair};
use crate::logout::{NAME, request};
use crate::sibling::Sign;

pub(crate) fn siblings(keys: &Keys) -> Vec<Sibling> {
    let request = request(None);
    let field = BASE64.encode(valid(keys, Sign::Both).as_bytes());
    let lines: Vec<_> = field.as_bytes().chunks(60).map(String::from_utf8_lossy).collect();
    let sibling = |name: &str, door, document| Sibling { name: name.to_owned(), document, door };
    let posted = |signer: &Pair| crate::logout::request(Some(&signer.signer()));
    vec![
        sibling("response in a field", Door::Field, field.clone()),
        sibling("response in a field, in lines", Door::Field, lines.join("\r\n")),
        sibling("logout request by POST", Door::Post, posted(&keys.idp)),
        sibling("logout request by POST, ECDSA", Door::Post, posted(&keys.ec)),
        sibling("logout request by SOAP", Door::Soap, crate::logout::soap(&posted(&keys.idp))),
        sibling("logout request in a query", Door::Query, query(keys, &deflate(&request), "state")),
        sibling("logout request in a query, state of 80 bytes", Door::Query, query(keys, &deflate(&request), &"s".repeat(80))),
        sibling("logout request in a query, not compressed", Door::Query, query(keys, &stored(&request), "state")),
    ]
}

pub(crate) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = s10_s15_form_fields(keys);
    cases.extend(s15_deflated_messages(keys));
    cases.extend(s23_relay_states(keys));
    cases
}

fn s10_s15_form_fields(keys: &Keys) -> Vec<Case> {
    let good = valid(keys, Sign::Both);
    let field = BASE64.encode(good.as_bytes());
    let case = |attack, name, document, reason: Refused| Case::at(Door::Field, attack, name, document, reason);
    vec![
        case("S15", "a field of a megabyte", "A".repeat(1 << 20), XmlRefused::TooLong.into()),
        case("S15", "a field of blanks", " ".repeat(1 << 20), XmlRefused::TooLong.into()),
        case("S15", "a response too long by a byte", BASE64.encode(padded(&good, 256 * 1024 + 1).as_bytes()), XmlRefused::TooLong.into()),
        case("S10", "field in the alphabet of URLs", format!("{}-_", &field[..field.len() - 4]), Refused::Field),
        case("S10", "field with an end in its middle", format!("PHI+PA=={field}"), Refused::Field),
        case("S10", "field cut off", field[..field.len() - 1].to_owned(), Refused::Field),
        case("S10", "field with bits behind its end", "PHI+Ph==".to_owned(), Refused::Field),
        case("S10", "field that is no base64", good.clone(), Refused::Field),
        case("S15", "deflated response in a field", BASE64.encode(&deflate(&good)), XmlRefused::Encoding.into()),
    ]
}

/// Blanks behind the root, up to a length.
fn padded(document: &str, length: usize) -> String {
    format!("{document}{}", " ".repeat(length - document.len()))
}

fn s15_deflated_messages(keys: &Keys) -> Vec<Case> {
    let request = request(None);
    let good = deflate(&request);
    let case = |name, bytes: &[u8], reason| Case::at(Door::Query, "S15", name, query(keys, bytes, "state"), LogoutRefused::Query(reason));
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(request.as_bytes()).unwrap();
    vec![
        // Such a query is not even taken apart.
        Case::at(
            Door::Query,
            "S15",
            "bomb of 64 megabytes",
            query(keys, &deflate(&" ".repeat(64 << 20)), "state"),
            RedirectRefused::QueryTooLong,
        ),
        case("bomb of 20 megabytes", &deflate(&" ".repeat(20 << 20)), RedirectRefused::MessageTooLong),
        case("too long by a byte", &deflate(&padded(&request, 256 * 1024 + 1)), RedirectRefused::MessageTooLong),
        case("cut off", &good[..good.len() - 1], RedirectRefused::Inflate),
        case("bytes behind the end", &[&good, b"x".as_slice()].concat(), RedirectRefused::Inflate),
        case("a second message behind the end", &[good.clone(), good.clone()].concat(), RedirectRefused::Inflate),
        case("not compressed at all", request.as_bytes(), RedirectRefused::Inflate),
        case("with zlib's header", &zlib.finish().unwrap(), RedirectRefused::Inflate),
        case("nothing", &[], RedirectRefused::Inflate),
        case("an empty stream", &deflate(""), RedirectRefused::Inflate),
    ]
}

fn s23_relay_states(keys: &Keys) -> Vec<Case> {
    let message = deflate(&request(None));
    let good = query(keys, &message, "state");
    let case = |name, document, reason| Case::at(Door::Query, "S23", name, document, LogoutRefused::Query(reason));
    let signed = |state: &str| query(keys, &message, state);
    vec![
        case("state of 81 bytes", signed(&"s".repeat(81)), RedirectRefused::RelayState),
        case("state of 27 long characters", signed(&"%E2%82%AC".repeat(27)), RedirectRefused::RelayState),
        case("state with a broken escape", signed("%zz"), RedirectRefused::Broken("RelayState")),
        case("state that is no UTF-8", signed("%ff"), RedirectRefused::Broken("RelayState")),
        case("state changed", swap(&good, "=state", "=javascript:alert(1)"), RedirectRefused::Signature),
        case("state removed", swap(&good, "&RelayState=state", ""), RedirectRefused::Signature),
        case("state spelled otherwise", swap(&good, "=state", "=%73tate"), RedirectRefused::Signature),
        Case::at(Door::Query, "S23", "state twice", format!("{good}&RelayState=other"), RedirectRefused::Repeated("RelayState")),
        Case::at(
            Door::Query,
            "S23",
            "state under an escaped name",
            swap(&good, "&RelayState", "&Relay%53tate"),
            RedirectRefused::HiddenName,
        ),
    ]
}

pub(crate) fn deflate(text: &str) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn stored(text: &str) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A query well signed by the identity provider, whatever its message is. The state stands there as it is given.
pub(crate) fn query(keys: &Keys, message: &[u8], state: &str) -> String {
    let message = BASE64.encode(message).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let algorithm = "http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256";
    signed_query(&keys.idp, "sha256", &format!("{NAME}={message}&RelayState={state}&SigAlg={algorithm}"))
}

pub(crate) fn signed_query(pair: &Pair, digest: &str, signed: &str) -> String {
    let signature = BASE64.encode(&pair.openssl_sign(digest, signed.as_bytes()));
    format!("{signed}&Signature={}", signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"))
}

pub(crate) fn message() -> String {
    BASE64.encode(&deflate(&request(None))).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}
