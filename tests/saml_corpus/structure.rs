//! S3, S7 to S12, S14: text splitting, downgrades, odd signatures, transforms, and XML tricks.

use rolegate::saml::Refused;
use rolegate::saml::xml::XmlRefused;

use crate::cases::{Case, piece, resigned, signature_of, swap, valid};
use crate::keys::Keys;
use crate::sibling::{ALL, Algorithms, RSA_SHA256, Sign, signed, unsigned};

pub(crate) fn cases(keys: &Keys) -> Vec<Case> {
    let mut cases = Vec::new();
    for sign in ALL {
        let good = valid(keys, sign);
        let named = |case: Case| Case { name: format!("{sign:?} signed: {}", case.name), ..case };
        let made = [
            s03_text_that_is_split(&good),
            s10_s11_s14_tricks_with_xml(&good),
            s05_s09_s12_signatures_of_odd_structure(&good),
            s11_s12_transforms_and_canonicalisation(&good),
            s06_key_information_that_points_elsewhere(&good),
            s07_s08_weak_algorithms(keys, sign),
        ];
        cases.extend(made.into_iter().flatten().map(named));
    }
    cases
}

fn s03_text_that_is_split(good: &str) -> Vec<Case> {
    let case = |name, to, expected: XmlRefused| Case::new("S3", name, swap(good, "alice@example.org", to), expected);
    vec![
        case("comment in the name", "alice@example.org<!-- -->.evil.example", XmlRefused::Comment),
        case("comment at the name's end", "alice@example.org<!---->", XmlRefused::Comment),
        case("instruction in the name", "alice@example.org<?x y?>.evil.example", XmlRefused::ProcessingInstruction),
        case("CDATA around the name", "<![CDATA[alice@example.org]]>", XmlRefused::CData),
        case("CDATA in the name", "alice@<![CDATA[example.org]]>", XmlRefused::CData),
        Case::new("S3", "comment in an attribute value", swap(good, ">ops<", ">ops<!-- --><"), XmlRefused::Comment),
        Case::new("S3", "comment in the audience", swap(good, "</saml:Audience>", "<!-- --></saml:Audience>"), XmlRefused::Comment),
        Case::new("S3", "comment after the root", format!("{good}<!-- -->"), XmlRefused::Comment),
    ]
}

fn s10_s11_s14_tricks_with_xml(good: &str) -> Vec<Case> {
    let body = good.split_once('\n').unwrap().1;
    let case = |attack, name, document, expected: XmlRefused| Case::new(attack, name, document, expected);
    let root = |with: &str| swap(good, "<samlp:Response ", &format!("<samlp:Response {with} "));
    let many = |count: usize, make: &dyn Fn(usize) -> String| (0..count).map(make).collect::<String>();
    let deep = format!("{}{}", "<samlp:Status>".repeat(40), "</samlp:Status>".repeat(40));
    let laughs = "<!DOCTYPE r [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]>";
    vec![
        case("S14", "DOCTYPE", format!("<!DOCTYPE r>{body}"), XmlRefused::Doctype),
        case(
            "S14",
            "external entity",
            swap(&format!("<!DOCTYPE r [<!ENTITY e SYSTEM \"file:///etc/hostname\">]>{body}"), "alice", "&e;"),
            XmlRefused::Doctype,
        ),
        case("S14", "billion laughs", swap(&format!("{laughs}{body}"), "alice", "&c;"), XmlRefused::Doctype),
        case("S14", "ID declared by a DTD", format!("<!DOCTYPE r [<!ATTLIST r x ID #IMPLIED>]>{body}"), XmlRefused::Doctype),
        case("S14", "unknown entity", swap(good, "alice", "&alice;"), XmlRefused::Entity),
        case("S14", "too long", swap(good, ">ops<", &format!(">{}<", "x".repeat(256 * 1024))), XmlRefused::TooLong),
        case("S14", "too deep", swap(good, "<samlp:Status>", &format!("{deep}<samlp:Status>")), XmlRefused::TooDeep),
        case("S14", "too many attributes", root(&many(70, &|index| format!("a{index}=\"\" "))), XmlRefused::TooManyAttributes),
        case(
            "S14",
            "too many elements",
            swap(good, "<samlp:Status>", &format!("{}<samlp:Status>", "<a/>".repeat(17_000))),
            XmlRefused::TooManyElements,
        ),
        case("S14", "an attribute too long", root(&format!("a=\"{}\"", "x".repeat(20_000))), XmlRefused::AttributeTooLong),
        case("S10", "second root", format!("{good}<r/>"), XmlRefused::Malformed("it has a second root")),
        case("S10", "text after the root", format!("{good}x"), XmlRefused::Malformed("text stands outside the root")),
        case("S10", "cut off", good[..good.len() - 1].to_owned(), XmlRefused::Malformed("its markup is broken")),
        case("S10", "last tag missing", swap(good, "</samlp:Response>", ""), XmlRefused::Malformed("it ends too early")),
        case("S10", "byte order mark", format!("\u{FEFF}{body}"), XmlRefused::Encoding),
        case("S10", "declared as UTF-16", swap(good, "version=\"1.0\"", "version=\"1.0\" encoding=\"UTF-16\""), XmlRefused::Encoding),
        case("S10", "declared as UTF-7", swap(good, "version=\"1.0\"", "version=\"1.0\" encoding=\"UTF-7\""), XmlRefused::Encoding),
        case("S10", "XML 1.1", swap(good, "version=\"1.0\"", "version=\"1.1\""), XmlRefused::Malformed("it is not XML 1.0")),
        case("S10", "instruction before the root", format!("<?xml-stylesheet href=\"x\"?>{body}"), XmlRefused::ProcessingInstruction),
        case("S10", "NUL in the name", swap(good, "alice", "ali\0ce"), XmlRefused::Malformed("it holds a forbidden character")),
        case("S10", "NUL by reference", swap(good, "alice", "ali&#0;ce"), XmlRefused::Entity),
        case("S10", "name outside ASCII", swap(good, "<samlp:Status>", "<é/><samlp:Status>"), XmlRefused::Malformed("a name is not plain")),
        case("S11", "relative namespace", root("xmlns:x=\"1\""), XmlRefused::Namespace("a namespace name is not an absolute URI")),
        case(
            "S11",
            "namespace with a reference",
            root("xmlns:x=\"urn:&#97;\""),
            XmlRefused::Namespace("a namespace name is not an absolute URI"),
        ),
        case(
            "S11",
            "prefix undeclared",
            swap(good, "<samlp:Status>", "<q:x/><samlp:Status>"),
            XmlRefused::Namespace("a prefix is not declared"),
        ),
        case("S11", "xml prefix bound anew", root("xmlns:xml=\"urn:x\""), XmlRefused::Namespace("xml and xmlns cannot be bound anew")),
        case("S11", "attribute twice", root("Destination=\"https://evil.example\""), XmlRefused::DuplicateAttribute),
        case(
            "S11",
            "attribute twice under two prefixes",
            root("xmlns:p=\"urn:p\" xmlns:q=\"urn:p\" p:a=\"1\" q:a=\"2\""),
            XmlRefused::DuplicateAttribute,
        ),
    ]
}

fn s05_s09_s12_signatures_of_odd_structure(good: &str) -> Vec<Case> {
    let case = |attack, name, document, expected: Refused| Case::new(attack, name, document, expected);
    let info = piece(good, "<ds:SignedInfo>", "</ds:SignedInfo>");
    let reference = piece(good, "<ds:Reference ", "</ds:Reference>");
    let value = piece(good, "<ds:SignatureValue>", "</ds:SignatureValue>");
    let uri = piece(good, "URI=\"", "\">");
    let aimed = |to: &str| swap(good, &uri, &format!("URI=\"{to}\">"));
    let object = |inside: &str| swap(good, "</ds:Signature>", &format!("<ds:Object>{inside}</ds:Object></ds:Signature>"));
    vec![
        case("S9", "second SignedInfo", swap(good, &info, &format!("{info}{info}")), Refused::SignatureForm),
        case("S9", "SignedInfo wrapped", swap(good, &info, &format!("<ds:W>{info}</ds:W>")), Refused::SignatureForm),
        case("S9", "SignedInfo last", swap(good, &format!("{info}{value}"), &format!("{value}{info}")), Refused::SignatureForm),
        case("S9", "two references", swap(good, &reference, &format!("{reference}{reference}")), Refused::References),
        case("S9", "no reference", swap(good, &reference, ""), Refused::References),
        case("S9", "text in SignedInfo", swap(good, "<ds:SignedInfo>", "<ds:SignedInfo>x"), Refused::SignatureForm),
        case("S9", "element in the digest", swap(good, "<ds:DigestValue>", "<ds:DigestValue><x/>"), Refused::Base64),
        case("S9", "comment in the digest", swap(good, "<ds:DigestValue>", "<ds:DigestValue><!--x-->"), XmlRefused::Comment.into()),
        case("S9", "digest not base64", swap(good, "<ds:DigestValue>", "<ds:DigestValue>*"), Refused::Base64),
        case("S9", "digest empty", swap(good, &piece(good, "<ds:DigestValue>", "</ds:DigestValue>"), "<ds:DigestValue/>"), Refused::Base64),
        case(
            "S9",
            "two digests",
            swap(good, "</ds:DigestValue>", "</ds:DigestValue><ds:DigestValue>AA==</ds:DigestValue>"),
            Refused::SignatureForm,
        ),
        case("S9", "signature value not base64", swap(good, "<ds:SignatureValue>", "<ds:SignatureValue>-"), Refused::Base64),
        case("S9", "foreign attribute", swap(good, "<ds:SignedInfo>", "<ds:SignedInfo x=\"\">"), Refused::SignatureForm),
        case(
            "S9",
            "foreign attribute of the signature",
            swap(good, "<ds:SignatureValue>", "<ds:SignatureValue id=\"_v\">"),
            Refused::SignatureForm,
        ),
        case("S9", "foreign part", swap(good, "</ds:SignatureValue>", "</ds:SignatureValue><x/>"), Refused::SignatureForm),
        case("S5", "empty Object", object(""), Refused::SignatureObject),
        case("S5", "Object with a manifest", object("<ds:Manifest/>"), Refused::SignatureObject),
        case("S12", "empty URI", aimed(""), Refused::ReferenceTarget),
        case("S12", "no URI", swap(good, &uri, ">"), Refused::ReferenceTarget),
        case("S12", "URI to the network", aimed("http://127.0.0.1:9/x"), Refused::ReferenceTarget),
        case("S12", "URI to a file", aimed("file:///etc/passwd"), Refused::ReferenceTarget),
        case("S12", "XPointer to the root", aimed("#xpointer(/)"), Refused::ReferenceTarget),
        case("S12", "XPointer to an ID", aimed("#xpointer(id('_a1'))"), Refused::ReferenceTarget),
        case("S12", "URI without a mark", aimed("_a1"), Refused::ReferenceTarget),
        case("S12", "URI elsewhere", aimed("#_other"), Refused::ReferenceTarget),
        case(
            "S12",
            "URI with a Type",
            swap(good, "<ds:Reference ", "<ds:Reference Type=\"http://www.w3.org/2000/09/xmldsig#Manifest\" "),
            Refused::ReferenceTarget,
        ),
    ]
}

fn s11_s12_transforms_and_canonicalisation(good: &str) -> Vec<Case> {
    let whole = piece(good, "<ds:Transforms>", "</ds:Transforms>");
    let transform = |algorithm: &str, inside: &str| format!("<ds:Transform Algorithm=\"{algorithm}\">{inside}</ds:Transform>");
    let enveloped = transform("http://www.w3.org/2000/09/xmldsig#enveloped-signature", "");
    let exclusive = transform("http://www.w3.org/2001/10/xml-exc-c14n#", "");
    let with = |name, parts: &str| {
        let document = swap(good, &whole, &format!("<ds:Transforms>{parts}</ds:Transforms>"));
        Case::new("S12", name, document, Refused::Transforms)
    };
    let third = |name, algorithm: &str, inside: &str| with(name, &format!("{enveloped}{exclusive}{}", transform(algorithm, inside)));
    let xslt = "<xsl:stylesheet xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\" version=\"1.0\"/>";
    let listed =
        |list: &str| format!("<ec:InclusiveNamespaces xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" PrefixList=\"{list}\"/>");
    let method = "<ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>";
    let canonical = |name, algorithm: &str, inside: &str| {
        let other = format!("<ds:CanonicalizationMethod Algorithm=\"{algorithm}\">{inside}</ds:CanonicalizationMethod>");
        Case::new("S11", name, swap(good, method, &other), Refused::Canonicalization)
    };
    vec![
        third("XSLT", "http://www.w3.org/TR/1999/REC-xslt-19991116", xslt),
        third("XPath", "http://www.w3.org/TR/1999/REC-xpath-19991116", "<ds:XPath>not(here())</ds:XPath>"),
        third("XPath filter", "http://www.w3.org/2002/06/xmldsig-filter2", ""),
        third("XPointer", "http://www.w3.org/2001/04/xmldsig-more/xptr", ""),
        third("base64", "http://www.w3.org/2000/09/xmldsig#base64", ""),
        third("decryption", "http://www.w3.org/2002/07/decrypt#XML", ""),
        third("canonicalised twice", "http://www.w3.org/2001/10/xml-exc-c14n#", ""),
        with("none", ""),
        with("enveloped alone", &enveloped),
        with("exclusive alone", &exclusive),
        with("wrong order", &format!("{exclusive}{enveloped}")),
        with("inclusive", &format!("{enveloped}{}", transform("http://www.w3.org/TR/2001/REC-xml-c14n-20010315", ""))),
        with("with comments", &format!("{enveloped}{}", transform("http://www.w3.org/2001/10/xml-exc-c14n#WithComments", ""))),
        with("prefixes that are none", &format!("{enveloped}{}", transform("http://www.w3.org/2001/10/xml-exc-c14n#", &listed("a:b")))),
        with(
            "too many prefixes",
            &format!("{enveloped}{}", transform("http://www.w3.org/2001/10/xml-exc-c14n#", &listed(&"p ".repeat(40)))),
        ),
        with(
            "an element in enveloped",
            &format!("{}{exclusive}", transform("http://www.w3.org/2000/09/xmldsig#enveloped-signature", "<x/>")),
        ),
        Case::new("S12", "no Transforms", swap(good, &whole, ""), Refused::SignatureForm),
        canonical("inclusive canonicalisation", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315", ""),
        canonical("canonicalisation with comments", "http://www.w3.org/2001/10/xml-exc-c14n#WithComments", ""),
        canonical("unknown canonicalisation", "urn:none", ""),
        canonical("no canonicalisation", "", ""),
        canonical("an element in the canonicalisation", "http://www.w3.org/2001/10/xml-exc-c14n#", "<x/>"),
    ]
}

fn s06_key_information_that_points_elsewhere(good: &str) -> Vec<Case> {
    let with = |name, inside: &str| {
        let document = swap(good, "</ds:Signature>", &format!("<ds:KeyInfo>{inside}</ds:KeyInfo></ds:Signature>"));
        Case::new("S6", name, document, Refused::KeyInfo)
    };
    let two = swap(good, "</ds:Signature>", "<ds:KeyInfo><ds:KeyName/></ds:KeyInfo><ds:KeyInfo><ds:KeyName/></ds:KeyInfo></ds:Signature>");
    vec![
        with("RetrievalMethod to the network", "<ds:RetrievalMethod URI=\"http://127.0.0.1:9/key\"/>"),
        with("RetrievalMethod within", "<ds:RetrievalMethod URI=\"#_r1\"/>"),
        with("KeyInfoReference", "<d:KeyInfoReference xmlns:d=\"http://www.w3.org/2009/xmldsig11#\" URI=\"#_r1\"/>"),
        with("MgmtData", "<ds:MgmtData>x</ds:MgmtData>"),
        with("encrypted key", "<xenc:EncryptedKey xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\"/>"),
        with("foreign element", "<x/>"),
        with("certificate that is no base64", "<ds:X509Data><ds:X509Certificate>*</ds:X509Certificate></ds:X509Data>"),
        with("nothing", ""),
        with("X509Data with nothing", "<ds:X509Data/>"),
        with("text", "x"),
        with("a name in a name", "<ds:KeyName><ds:KeyName/></ds:KeyName>"),
        with("half a key", "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AAAA</ds:Modulus></ds:RSAKeyValue></ds:KeyValue>"),
        with("certificate that is none", "<ds:X509Data><ds:X509Certificate>AAAA</ds:X509Certificate></ds:X509Data>"),
        Case::new("S6", "two KeyInfo", two, Refused::SignatureForm),
    ]
}

fn s07_s08_weak_algorithms(keys: &Keys, sign: Sign) -> Vec<Case> {
    const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
    let by = |algorithm: &'static str, digest| signed(keys, &keys.idp, sign, &unsigned(sign, Algorithms { signature: algorithm, digest }));
    let case = |attack, name, document, expected| Case::new(attack, name, document, expected);
    let rsa = RSA_SHA256.signature;
    let renamed = |algorithm: &str| swap(&resigned(keys, sign, "<samlp:Status>", "<samlp:Status>"), rsa, algorithm);
    let short = "<ds:HMACOutputLength>8</ds:HMACOutputLength>";
    let method = format!("<ds:SignatureMethod Algorithm=\"{rsa}\"/>");
    let long = format!("<ds:SignatureMethod Algorithm=\"{rsa}\">{short}</ds:SignatureMethod>");
    vec![
        case("S7", "RSA with SHA-1", by("http://www.w3.org/2000/09/xmldsig#rsa-sha1", SHA256), Refused::SignatureAlgorithm),
        case("S7", "digest by SHA-1", by(rsa, "http://www.w3.org/2000/09/xmldsig#sha1"), Refused::DigestAlgorithm),
        case("S7", "RSA with SHA-224", by("http://www.w3.org/2001/04/xmldsig-more#rsa-sha224", SHA256), Refused::SignatureAlgorithm),
        case("S7", "digest by MD5", renamed_digest(keys, sign), Refused::DigestAlgorithm),
        case("S7", "RSA with MD5", renamed("http://www.w3.org/2001/04/xmldsig-more#rsa-md5"), Refused::SignatureAlgorithm),
        case("S7", "DSA with SHA-1", renamed("http://www.w3.org/2000/09/xmldsig#dsa-sha1"), Refused::SignatureAlgorithm),
        case("S7", "no algorithm", renamed(""), Refused::SignatureAlgorithm),
        case("S7", "ECDSA named over an RSA signature", renamed("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"), Refused::Signature),
        case("S8", "HMAC with the certificate as its secret", hmac(keys, sign), Refused::SignatureAlgorithm),
        case(
            "S8",
            "HMAC cut to one byte",
            hmac(keys, sign).replace(&format!("{HMAC}\"/>"), &format!("{HMAC}\">{short}</ds:SignatureMethod>")),
            Refused::SignatureAlgorithm,
        ),
        case("S8", "a length on RSA", swap(&valid(keys, sign), &method, &long), Refused::SignatureAlgorithm),
        case("S8", "HMAC with SHA-1 named", renamed("http://www.w3.org/2000/09/xmldsig#hmac-sha1"), Refused::SignatureAlgorithm),
    ]
}

fn renamed_digest(keys: &Keys, sign: Sign) -> String {
    let good = valid(keys, sign);
    let signature = signature_of(&good);
    let other = swap(&signature, "http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#md5");
    swap(&good, &signature, &other)
}

const HMAC: &str = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256";

/// Signed with a secret that everybody knows: the provider's certificate.
fn hmac(keys: &Keys, sign: Sign) -> String {
    let secret = keys.folder.path().join("secret");
    std::fs::write(&secret, keys.idp.der()).unwrap();
    let mut document = unsigned(sign, Algorithms { signature: HMAC, digest: RSA_SHA256.digest });
    for (wanted, parent) in [(Sign::Assertion, "Assertion"), (Sign::Response, "Response")] {
        if sign == wanted || sign == Sign::Both {
            document = keys.sign(&["--hmackey", secret.to_str().unwrap()], parent, &document);
        }
    }
    document
}
