//! Keys, the sample response and the programs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use chrono::TimeDelta;
use rolegate::clock::{Clock, Moment, SystemClock};
use rolegate::saml::sign::{Certificate, SamlSigner, self_signed};
use rolegate::saml::write::aws::{AwsResponse, LONGEST_WINDOW, Tag, UNSPECIFIED_CONTEXT};
use rolegate::trust::SigningAlgorithm;
use rolegate::trust::keys::generate;
use secrecy::{ExposeSecret, SecretString};

use crate::support::{Finished, Scratch, run};

pub(crate) const ISSUER: &str = "https://rolegate.example.org/saml/aws";
pub(crate) const RECIPIENT: &str = "https://eu-central-1.signin.aws.amazon.com/saml";
pub(crate) const AUDIENCE: &str = "urn:amazon:webservices";
/// Texts that would be markup if they could, and what canonical form spells in its own way.
pub(crate) const NASTY: &str = "a&b<c>\"d'\r\n\teü]]>&amp;<!--x-->\u{1F600}";
/// Plain characters in XML 1.0, line ends in XML 1.1. npm's xmldom, under node-saml, takes them for line ends and so finds every signature
/// over them wrong; the others are right about them.
pub(crate) const LINE_ENDS_OF_XML_1_1: &str = "a\u{85}b\u{2028}c";

/// A key pair in files and in hand.
pub(crate) struct Keys {
    pub(crate) folder: Scratch,
    pub(crate) private: SecretString,
    pub(crate) signer: SamlSigner,
}

impl Keys {
    pub(crate) fn new(algorithm: SigningAlgorithm) -> Self {
        let (folder, private) = (Scratch::new(), generate(algorithm).unwrap());
        let certificate = self_signed(&private, "rolegate test", now(), TimeDelta::days(30)).unwrap();
        folder.write("key.pem", private.expose_secret());
        folder.write("cert.pem", &certificate);
        let signer = SamlSigner::from_pem(&private, &certificate).unwrap();
        Self { folder, private, signer }
    }

    pub(crate) fn certificate(&self) -> Certificate {
        self.signer.certificate().clone()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        text_of(&self.folder.write(name, text))
    }
}

pub(crate) fn now() -> Moment {
    SystemClock.now()
}

pub(crate) fn text_of(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

pub(crate) async fn program(name: &str, args: &[&str]) -> Finished {
    run(name, Command::new(name).args(args), Duration::from_mins(1)).await
}

/// `xmlsec1 --verify` with one certificate's key and no other.
pub(crate) async fn xmlsec1_verifies(element: &str, certificate: &Path, file: &str) -> bool {
    program("xmlsec1", &["--verify", "--id-attr:ID", element, "--pubkey-cert-pem", certificate.to_str().unwrap(), file]).await.success
}

pub(crate) fn response() -> AwsResponse<'static> {
    const TAGS: &[Tag<'static>] =
        &[Tag { key: "Department", value: "R+D / Süd", transitive: true }, Tag { key: "Cost Center", value: "4711", transitive: false }];
    let issued = now();
    AwsResponse {
        response_id: "_r0001",
        assertion_id: "_a0001",
        issuer: ISSUER,
        name_id: NASTY,
        recipient: RECIPIENT,
        audience: AUDIENCE,
        issued,
        expires: issued + LONGEST_WINDOW,
        authenticated: issued - TimeDelta::minutes(7),
        authn_context: UNSPECIFIED_CONTEXT,
        session_index: "_s0001",
        session_expires: issued + TimeDelta::hours(8),
        role_arn: "arn:aws:iam::111122223333:role/team/Reader",
        provider_arn: "arn:aws:iam::111122223333:saml-provider/rolegate",
        role_session_name: "ana@example.org",
        session_duration: 3600,
        tags: TAGS,
        source_identity: Some("main+ana"),
    }
}
