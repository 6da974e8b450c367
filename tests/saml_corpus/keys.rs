//! Keys and certificates of the corpus, made by OpenSSL when the test runs.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use rolegate::saml::Certificate;
use rolegate::saml::sign::SamlSigner;
use tempfile::TempDir;

/// A private key and its certificate, as files that xmlsec1 reads.
pub(crate) struct Pair {
    pub(crate) key: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) base64: String,
}

impl Pair {
    fn make(folder: &Path, name: &str, algorithm: &[&str]) -> Self {
        let [key, certificate] = ["key", "crt"].map(|kind| folder.join(format!("{name}.{kind}")));
        let mut command = Command::new("openssl");
        command.args(["req", "-x509", "-nodes", "-days", "30", "-subj"]).arg(format!("/CN={name}")).args(algorithm);
        command.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
        run(&mut command);
        let pem = std::fs::read_to_string(&certificate).unwrap();
        let base64 = pem.lines().filter(|line| !line.starts_with('-')).collect();
        Self { key, certificate, base64 }
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        data_encoding::BASE64.decode(self.base64.as_bytes()).unwrap()
    }

    /// A bare signature, RSA PKCS #1 v1.5.
    pub(crate) fn openssl_sign(&self, digest: &str, bytes: &[u8]) -> Vec<u8> {
        let file = self.key.with_extension("bytes");
        std::fs::write(&file, bytes).unwrap();
        let mut command = Command::new("openssl");
        command.arg("dgst").arg(format!("-{digest}")).arg("-sign").arg(&self.key).arg(file);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Signs what this program writes itself.
    pub(crate) fn signer(&self) -> SamlSigner {
        let [key, certificate] = [&self.key, &self.certificate].map(|path| std::fs::read_to_string(path).unwrap());
        SamlSigner::from_pem(&key.into(), &certificate).unwrap()
    }

    pub(crate) fn parsed(&self) -> Certificate {
        Certificate::from_der(&self.der()).unwrap()
    }
}

pub(crate) struct Keys {
    pub(crate) folder: TempDir,
    pub(crate) idp: Pair,
    pub(crate) next: Pair,
    pub(crate) ec: Pair,
    pub(crate) stranger: Pair,
    pub(crate) weak: Pair,
    pub(crate) brainpool: Pair,
    /// The gateway's own, which assertions are encrypted for.
    pub(crate) gate: Pair,
    /// What was signed already, by the command and the document: starting xmlsec1 takes most of the test's time.
    done: RefCell<HashMap<(String, String), String>>,
}

impl Keys {
    pub(crate) fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let make = |name, algorithm: &[&str]| Pair::make(folder.path(), name, algorithm);
        let rsa = ["-newkey", "rsa:2048"];
        let [idp, next, stranger, gate] = ["idp", "next", "stranger", "gate"].map(|name| make(name, &rsa));
        let ec = make("ec", &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        let weak = make("weak", &["-newkey", "rsa:1024"]);
        let brainpool = make("brainpool", &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"]);
        Self { folder, idp, next, ec, stranger, weak, brainpool, gate, done: RefCell::default() }
    }

    /// Has xmlsec1 fill in the signature template that is a child of the named element. `secret` says with which key.
    pub(crate) fn sign(&self, secret: &[&str], parent: &str, document: &str) -> String {
        let place = (format!("{secret:?} {parent}"), document.to_owned());
        if let Some(found) = self.done.borrow().get(&place) {
            return found.clone();
        }
        let file = self.folder.path().join("document.xml");
        std::fs::write(&file, document).unwrap();
        let mut command = Command::new("xmlsec1");
        command.arg("--sign").args(secret);
        command.args(["--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion"]);
        command.args(["--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:protocol:Response"]);
        for metadata in ["EntityDescriptor", "EntitiesDescriptor"] {
            command.arg("--id-attr:ID").arg(format!("urn:oasis:names:tc:SAML:2.0:metadata:{metadata}"));
        }
        command.arg("--node-xpath");
        command.arg(format!("//*[local-name()='{parent}']/*[local-name()='Signature']")).arg(&file);
        let signed = run(&mut command).trim_end().to_owned();
        self.done.borrow_mut().insert(place, signed.clone());
        signed
    }
}

/// Runs a command that must succeed, and returns what it prints.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; scripts/setup.sh test installs it"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
