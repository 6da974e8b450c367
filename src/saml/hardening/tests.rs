//! All of these go to xmlsec directly, around the prescreen.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use super::*;
use crate::saml::Certificate;
use samael::crypto::ReduceMode;

const TEMPLATE: &str = "<r ID=\"_r\"><ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo>\
     <ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>\
     <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"/><ds:Reference URI=\"#_r\"><ds:Transforms>\
     <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\
     <ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>\
     <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/><ds:DigestValue/></ds:Reference></ds:SignedInfo>\
     <ds:SignatureValue/></ds:Signature></r>";

const XSLT: &str = "http://www.w3.org/TR/1999/REC-xslt-19991116";
const COPY: &str = "<xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\">\
     <xsl:template match=\"/\"><xsl:copy-of select=\".\"/></xsl:template></xsl:stylesheet>";

struct Signer {
    folder: tempfile::TempDir,
    certificate: Certificate,
}

impl Signer {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [key, der] = ["key", "der"].map(|name| folder.path().join(name));
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=test", "-outform", "DER"]);
        assert!(command.arg("-keyout").arg(key).arg("-out").arg(&der).output().unwrap().status.success());
        let certificate = Certificate::from_der(&std::fs::read(der).unwrap()).unwrap();
        harden().unwrap();
        Self { folder, certificate }
    }

    /// Really signed, by xmlsec1 with its tables whole.
    fn sign(&self, template: &str) -> String {
        let file = self.folder.path().join("document");
        std::fs::write(&file, template).unwrap();
        let mut command = Command::new("xmlsec1");
        command.args(["--sign", "--id-attr:ID", "r", "--privkey-pem"]).arg(self.folder.path().join("key")).arg(file);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn accepts(&self, document: &str) -> bool {
        let certificates = [CertificateDer::from(self.certificate.der().to_vec())];
        Crypto::reduce_xml_to_signed_with_allowed_algorithms(document, &certificates, ReduceMode::PreDigest, None).is_ok()
    }
}

/// The template with one algorithm or address replaced.
fn with(from: &str, to: &str) -> String {
    assert!(TEMPLATE.contains(from));
    TEMPLATE.replacen(from, to, 1)
}

#[test]
fn the_good_signature_is_still_accepted_and_changes_to_it_are_not() {
    let signer = Signer::new();
    let good = signer.sign(TEMPLATE);
    assert!(signer.accepts(&good));
    assert!(!signer.accepts(&good.replace("<r ID", "<r a=\"\" ID")));
}

#[test]
fn sha_1_is_refused_without_any_list_of_allowed_algorithms() {
    let signer = Signer::new();
    for (from, to) in [
        ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        ("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1"),
    ] {
        assert!(!signer.accepts(&signer.sign(&with(from, to))), "{to}");
    }
}

#[test]
fn other_transforms_are_refused_even_when_well_signed() {
    let signer = Signer::new();
    let exclusive = "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>";
    for (algorithm, inside) in [
        ("http://www.w3.org/TR/2001/REC-xml-c14n-20010315", ""),
        ("http://www.w3.org/2001/10/xml-exc-c14n#WithComments", ""),
        (XSLT, COPY),
        ("http://www.w3.org/TR/1999/REC-xpath-19991116", "<ds:XPath>true()</ds:XPath>"),
    ] {
        let transform = format!("<ds:Transform Algorithm=\"{algorithm}\">{inside}</ds:Transform></ds:Transforms>");
        assert!(!signer.accepts(&signer.sign(&with(exclusive, &transform))), "{algorithm}");
    }
}

#[test]
fn a_reference_to_the_network_makes_no_connection() {
    let signer = Signer::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let document = signer.sign(TEMPLATE).replace("URI=\"#_r\"", &format!("URI=\"http://{address}/x\""));
    assert!(!signer.accepts(&document));
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_reference_to_a_file_is_not_read() {
    let signer = Signer::new();
    let file = signer.folder.path().join("secret");
    std::fs::write(&file, "<r/>").unwrap();
    // xmlsec1 reads it, and signs it well.
    let uri = format!("URI=\"file://{}\"", file.display());
    let document = signer.sign(
        &with("URI=\"#_r\"", &uri).replace("<ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>", ""),
    );
    assert!(!signer.accepts(&document));
}

#[test]
fn a_stylesheet_that_runs_for_ever_is_refused_at_once() {
    let signer = Signer::new();
    // Ten templates, each of which calls the next ten times.
    let template = |level: usize| {
        let call = format!("<xsl:call-template name=\"t{}\"/>", level + 1);
        format!("<xsl:template name=\"t{level}\">{}</xsl:template>", call.repeat(10))
    };
    let templates: String = (0..10).map(template).collect();
    let xslt = format!(
        "<ds:Transform Algorithm=\"{XSLT}\"><xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\">\
         <xsl:template match=\"/\"><xsl:call-template name=\"t0\"/></xsl:template>{templates}<xsl:template name=\"t10\"/>\
         </xsl:stylesheet></ds:Transform></ds:Transforms>"
    );
    let document = signer.sign(TEMPLATE).replacen("</ds:Transforms>", &xslt, 1);
    let start = Instant::now();
    assert!(!signer.accepts(&document));
    assert!(start.elapsed() < Duration::from_secs(1));
}
