//! S22: encrypted assertions. Whatever is wrong with one, the sender learns the same.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use data_encoding::BASE64;
use rolegate::saml::Refused;
use rolegate::saml::xml::XmlRefused;

use crate::alive::Sibling;
use crate::cases::{Case, Door, assertion_of, resigned, swap, valid};
use crate::keys::{Keys, Pair};
use crate::sibling::{RSA_SHA256, SP, Sign, assertion, response, signed, template};

const GCM: Door = Door::Encrypted { cbc: false };
const CBC: Door = Door::Encrypted { cbc: true };
const OAEP: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
const OAEP_11: &str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";
const PKCS1: &str = "http://www.w3.org/2001/04/xmlenc#rsa-1_5";
const AES128_GCM: &str = "http://www.w3.org/2009/xmlenc11#aes128-gcm";
const AES256_GCM: &str = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
const AES128_CBC: &str = "http://www.w3.org/2001/04/xmlenc#aes128-cbc";
const AES256_CBC: &str = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";

/// Fixed keys and nonces: nothing here is secret.
fn seal(cipher: &str, plain: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let key = vec![7; if cipher.contains("128") { 16 } else { 32 }];
    if cipher.contains("gcm") {
        let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
        let mut sealed = plain.to_vec();
        let aead = LessSafeKey::new(UnboundKey::new(algorithm, &key).unwrap());
        aead.seal_in_place_append_tag(Nonce::assume_unique_for_key([9; 12]), Aad::empty(), &mut sealed).unwrap();
        return (key, [[9; 12].as_slice(), &sealed].concat());
    }
    let padding = 16 - plain.len() % 16;
    let mut padded = [plain, vec![0; padding].as_slice()].concat();
    *padded.last_mut().unwrap() = u8::try_from(padding).unwrap();
    let sealed = seal_blocks(&key, padded);
    (key, sealed)
}

/// CBC without any padding of its own.
fn seal_blocks(key: &[u8], mut blocks: Vec<u8>) -> Vec<u8> {
    let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
    let chain = EncryptingKey::cbc(UnboundCipherKey::new(algorithm, key).unwrap()).unwrap();
    chain.less_safe_encrypt(&mut blocks, EncryptionContext::Iv128(FixedLength::from([9; 16]))).unwrap();
    [[9; 16].as_slice(), &blocks].concat()
}

fn wrap(transport: &str, recipient: &Pair, key: &[u8]) -> Vec<u8> {
    let public = PublicEncryptingKey::from_der(recipient.parsed().public_key_info()).unwrap();
    let mut wrapped = vec![0; public.key_size_bytes()];
    if transport == PKCS1 {
        Pkcs1PublicEncryptingKey::new(public).unwrap().encrypt(key, &mut wrapped).unwrap();
    } else {
        let algorithm = if transport == OAEP { &OAEP_SHA1_MGF1SHA1 } else { &OAEP_SHA256_MGF1SHA256 };
        OaepPublicEncryptingKey::new(public).unwrap().encrypt(algorithm, key, &mut wrapped, None).unwrap();
    }
    wrapped
}

fn element(cipher: &str, transport: &str, wrapped: &[u8], content: &[u8]) -> String {
    let hashes = if transport == OAEP_11 {
        "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>\
         <e11:MGF xmlns:e11=\"http://www.w3.org/2009/xmlenc11#\" Algorithm=\"http://www.w3.org/2009/xmlenc11#mgf1sha256\"/>"
    } else {
        ""
    };
    let [wrapped, content] = [wrapped, content].map(|bytes| BASE64.encode(bytes));
    format!(
        "<saml:EncryptedAssertion><xenc:EncryptedData xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\" \
         xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" Type=\"http://www.w3.org/2001/04/xmlenc#Element\">\
         <xenc:EncryptionMethod Algorithm=\"{cipher}\"/><ds:KeyInfo><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm=\"{transport}\">\
         {hashes}</xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue>{wrapped}</xenc:CipherValue></xenc:CipherData>\
         </xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>{content}</xenc:CipherValue></xenc:CipherData>\
         </xenc:EncryptedData></saml:EncryptedAssertion>"
    )
}

fn encrypted(keys: &Keys, cipher: &str, transport: &str, plain: &[u8]) -> String {
    let (key, content) = seal(cipher, plain);
    element(cipher, transport, &wrap(transport, &keys.gate, &key), &content)
}

/// The assertion's own signature and nobody else's vouches for it.
fn inside(keys: &Keys, plain: &str) -> String {
    response("", &encrypted(keys, AES256_GCM, OAEP, plain.as_bytes()))
}

/// The response is signed around what is encrypted.
fn outside(keys: &Keys, encrypted: &str) -> String {
    signed(keys, &keys.idp, Sign::Response, &response(&template("_r1", RSA_SHA256), encrypted))
}

pub(crate) fn siblings(keys: &Keys) -> Vec<Sibling> {
    let signed = assertion_of(&valid(keys, Sign::Assertion));
    let unsigned = assertion("_a1", "alice@example.org", "");
    let mut found = Vec::new();
    for (name, cipher, transport, door) in [
        ("AES-128-GCM", AES128_GCM, OAEP, GCM),
        ("AES-256-GCM", AES256_GCM, OAEP, GCM),
        ("AES-256-GCM, OAEP with SHA-256", AES256_GCM, OAEP_11, GCM),
        ("AES-128-CBC, allowed", AES128_CBC, OAEP, CBC),
        ("AES-256-CBC, allowed", AES256_CBC, OAEP, CBC),
    ] {
        let mut add = |kind, document| found.push(Sibling { name: format!("{name}: {kind}"), document, door });
        add("assertion signed", response("", &encrypted(keys, cipher, transport, signed.as_bytes())));
        add("response signed", outside(keys, &encrypted(keys, cipher, transport, unsigned.as_bytes())));
        add("both signed", outside(keys, &encrypted(keys, cipher, transport, signed.as_bytes())));
    }
    found.push(Sibling { name: "not encrypted, though it may be".into(), document: valid(keys, Sign::Both), door: GCM });
    found
}

pub(crate) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = s22_keys_and_ciphertexts(keys);
    cases.extend(s22_shapes_of_encryption(keys));
    cases.extend(s22_what_is_inside(keys));
    cases.extend(s22_who_signed_it(keys));
    cases
}

fn uniform(door: Door, name: impl Into<String>, document: String) -> Case {
    Case::at(door, "S22", name, document, Refused::Decryption)
}

fn s22_keys_and_ciphertexts(keys: &Keys) -> Vec<Case> {
    let plain = assertion_of(&valid(keys, Sign::Assertion));
    let bytes = plain.as_bytes();
    let (key, content) = seal(AES256_GCM, bytes);
    let wrapped = wrap(OAEP, &keys.gate, &key);
    let by = |name: &str, wrapped: &[u8], content: &[u8]| uniform(GCM, name, response("", &element(AES256_GCM, OAEP, wrapped, content)));
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    let padded = |name: &str, last: u8| {
        let mut blocks = [bytes, &[0; 16][..16 - bytes.len() % 16]].concat();
        *blocks.last_mut().unwrap() = last;
        uniform(CBC, name, response("", &element(AES256_CBC, OAEP, &wrap(OAEP, &keys.gate, &[7; 32]), &seal_blocks(&[7; 32], blocks))))
    };
    let (_, chained) = seal(AES256_CBC, bytes);
    let cbc = |name: &str, content: &[u8]| uniform(CBC, name, response("", &element(AES256_CBC, OAEP, &wrapped, content)));
    vec![
        uniform(GCM, "AES-CBC that nobody allowed", response("", &encrypted(keys, AES256_CBC, OAEP, bytes))),
        uniform(GCM, "AES-CBC in a signed response", outside(keys, &encrypted(keys, AES128_CBC, OAEP, bytes))),
        uniform(GCM, "key by RSA PKCS #1 v1.5", response("", &encrypted(keys, AES256_GCM, PKCS1, bytes))),
        uniform(CBC, "key by RSA PKCS #1 v1.5, with CBC", response("", &encrypted(keys, AES256_CBC, PKCS1, bytes))),
        uniform(GCM, "PKCS #1 v1.5 named OAEP", response("", &element(AES256_GCM, OAEP, &wrap(PKCS1, &keys.gate, &key), &content))),
        by("key for somebody else", &wrap(OAEP, &keys.stranger, &key), &content),
        by("another key", &wrap(OAEP, &keys.gate, &[8; 32]), &content),
        by("a key too short", &wrap(OAEP, &keys.gate, &[7; 16]), &content),
        by("a key too long", &wrap(OAEP, &keys.gate, &[7; 33]), &content),
        by("an empty key", &wrap(OAEP, &keys.gate, &[]), &content),
        by("key changed", &flipped(&wrapped, 100), &content),
        by("key cut off", &wrapped[..200], &content),
        by("key larger than the modulus", &[0xff; 256], &content),
        by("no key", &[], &content),
        by("tag changed", &wrapped, &flipped(&content, content.len() - 1)),
        by("nonce changed", &wrapped, &flipped(&content, 0)),
        by("text changed", &wrapped, &flipped(&content, 40)),
        by("tag cut off", &wrapped, &content[..content.len() - 16]),
        by("nonce alone", &wrapped, &content[..12]),
        by("shorter than a nonce", &wrapped, &content[..5]),
        by("no text", &wrapped, &[]),
        uniform(GCM, "the other key length named", response("", &element(AES128_GCM, OAEP, &wrapped, &content))),
        uniform(CBC, "GCM named CBC", response("", &element(AES256_CBC, OAEP, &wrapped, &content))),
        uniform(CBC, "CBC named GCM", response("", &element(AES256_GCM, OAEP, &wrapped, &chained))),
        padded("CBC with a padding of 0", 0),
        padded("CBC with a padding of 17", 17),
        padded("CBC with a padding of 255", 255),
        cbc("CBC with half a block", &chained[..chained.len() - 8]),
        cbc("CBC with its start alone", &chained[..16]),
        cbc("CBC with a bit of its start changed", &flipped(&chained, 3)),
        // Not the last one: where that is padding alone, one change in 256 is none to the text.
        cbc("CBC with its last block but one changed", &flipped(&chained, chained.len() - 17)),
    ]
}

fn s22_shapes_of_encryption(keys: &Keys) -> Vec<Case> {
    let plain = assertion_of(&valid(keys, Sign::Assertion));
    let good = inside(keys, &plain);
    let case = |name: &str, from: &str, to: &str| uniform(GCM, name, swap(&good, from, to));
    let key = crate::cases::piece(&good, "<xenc:EncryptedKey>", "</xenc:EncryptedKey>");
    let data = crate::cases::piece(&good, "<xenc:EncryptedData ", "</xenc:EncryptedData>");
    let value = crate::cases::piece(&good, "<xenc:CipherValue>", "</xenc:CipherValue>");
    let reference = "<xenc:CipherReference URI=\"http://127.0.0.1:9/x\"/>";
    let method = format!("<xenc:EncryptionMethod Algorithm=\"{OAEP}\">");
    let with = |name: &str, inside: &str| case(name, &method, &format!("{method}{inside}"));
    let sha512 = "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha512\"/>";
    let ripemd = "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#ripemd160\"/>";
    vec![
        case("two keys", &key, &key.repeat(2)),
        case("no key at all", &key, ""),
        case("two ciphertexts", &data, &data.repeat(2)),
        case("no ciphertext", &data, ""),
        case("ciphertext elsewhere", &value, reference),
        case("key by its name alone", &key, "<ds:KeyName>k</ds:KeyName>"),
        case("key by a RetrievalMethod", &key, "<ds:RetrievalMethod URI=\"http://127.0.0.1:9/key\"/>"),
        case("ciphertext not base64", "<xenc:CipherValue>", "<xenc:CipherValue>*"),
        case("element in the ciphertext", "<xenc:CipherValue>", "<xenc:CipherValue><x/>"),
        case("3DES named", AES256_GCM, "http://www.w3.org/2001/04/xmlenc#tripledes-cbc"),
        case("AES key wrap named", OAEP, "http://www.w3.org/2001/04/xmlenc#kw-aes256"),
        case("no cipher named", &format!("<xenc:EncryptionMethod Algorithm=\"{AES256_GCM}\"/>"), ""),
        with("a label", "<xenc:OAEPparams>AAAA</xenc:OAEPparams>"),
        with("digest by SHA-512", sha512),
        with("digest by RIPEMD-160", ripemd),
        with("two digests", &sha512.repeat(2)),
        with("digest without a name", "<ds:DigestMethod/>"),
    ]
}

fn s22_what_is_inside(keys: &Keys) -> Vec<Case> {
    let plain = assertion_of(&valid(keys, Sign::Assertion));
    let unsigned = assertion("_a1", "alice@example.org", "");
    let stranger = assertion_of(&signed(keys, &keys.stranger, Sign::Assertion, &crate::sibling::unsigned(Sign::Assertion, RSA_SHA256)));
    let advice = swap(&unsigned, "<saml:AuthnStatement", &format!("<saml:Advice>{plain}</saml:Advice><saml:AuthnStatement"));
    let mut cases = Vec::new();
    for (name, content) in [
        ("unsigned", unsigned.clone()),
        ("signed by a stranger", stranger),
        ("changed after it was signed", swap(&plain, "alice@", "mallory@")),
        ("signature emptied", swap(&plain, &crate::cases::signature_of(&plain), "")),
        ("a whole response", valid(keys, Sign::Both)),
        ("two assertions", plain.repeat(2)),
        ("one inside another", advice),
        ("encrypted again", encrypted(keys, AES256_GCM, OAEP, plain.as_bytes())),
        ("nothing", String::new()),
        ("text", "alice@example.org".into()),
        ("a DOCTYPE", format!("<!DOCTYPE r>{plain}")),
        ("an external entity", format!("<!DOCTYPE r [<!ENTITY e SYSTEM \"file:///etc/hostname\">]>{}", swap(&plain, "alice", "&e;"))),
        ("a comment in the name", swap(&plain, "alice@", "alice<!-- -->@")),
        ("too long", swap(&plain, ">ops<", &format!(">{}<", "x".repeat(256 * 1024)))),
        ("SHA-1", swap(&plain, "xmldsig-more#rsa-sha256", "xmldsig-more#rsa-sha1")),
        ("XSLT", swap(&plain, "http://www.w3.org/2000/09/xmldsig#enveloped-signature", "http://www.w3.org/TR/1999/REC-xslt-19991116")),
    ] {
        // Too long once encrypted is too long before.
        let expected = if name == "too long" { Refused::Xml(XmlRefused::TooLong) } else { Refused::Decryption };
        cases.push(Case::at(GCM, "S22", format!("encrypted: {name}"), inside(keys, &content), expected));
        // A provider that signs around it vouches for an unsigned one.
        if !["unsigned", "signature emptied", "too long"].contains(&name) {
            let document = outside(keys, &encrypted(keys, AES256_GCM, OAEP, content.as_bytes()));
            cases.push(uniform(GCM, format!("encrypted in a signed response: {name}"), document));
        }
    }
    let latin = [plain.as_bytes(), b"\xff"].concat();
    cases.push(uniform(GCM, "encrypted: not UTF-8", response("", &encrypted(keys, AES256_GCM, OAEP, &latin))));
    cases
}

fn s22_who_signed_it(keys: &Keys) -> Vec<Case> {
    let plain = assertion("_a1", "alice@example.org", "");
    let mallory = plain.replace("alice", "mallory");
    let good = encrypted(keys, AES256_GCM, OAEP, plain.as_bytes());
    // Under the same key, so that it would decrypt.
    let [content, evil] = [&plain, &mallory].map(|text| BASE64.encode(&seal(AES256_GCM, text.as_bytes()).1));
    let around = response(&template("_r1", RSA_SHA256), &good);
    let at = |name: &str, document, reason: Refused| Case::at(GCM, "S22", name, document, reason);
    let elsewhere = assertion_of(&resigned(keys, Sign::Assertion, SP, "https://other.example"));
    vec![
        at("ciphertext swapped in a signed response", swap(&outside(keys, &good), &content, &evil), Refused::Signature),
        at("ciphertext in a response signed by a stranger", signed(keys, &keys.stranger, Sign::Response, &around), Refused::Signature),
        at("ciphertext beside another", response("", &good.repeat(2)), Refused::SeveralAssertions),
        at("ciphertext beside an assertion", response("", &format!("{good}{mallory}")), Refused::SeveralAssertions),
        at("ciphertext in Extensions", response("", &format!("<samlp:Extensions>{good}</samlp:Extensions>")), Refused::Hidden),
        at(
            "ciphertext with a signature in it",
            swap(&inside(keys, &plain), "<ds:KeyInfo>", "<ds:Signature/><ds:KeyInfo>"),
            Refused::MisplacedSignature,
        ),
        at("well encrypted, for another service", inside(keys, &elsewhere), Refused::Audience),
        Case::new("S22", "encrypted, and nothing to decrypt it with", inside(keys, &plain), Refused::Encrypted),
    ]
}
