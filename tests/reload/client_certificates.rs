//! Administrators prove themselves by a client certificate too: made and shown by OpenSSL, and by a client that others wrote.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::World;
use super::support::{Plan, Scratch, Visitor};
use super::tls::{handshake, make_pair};

/// Makes a certificate and its key, both in one file: an authority's where nobody signs it, a client's otherwise.
fn certificate(folder: &Path, name: &str, signer: Option<&str>, purpose: &str) {
    let file = folder.join(format!("{name}.pem"));
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj"]);
    command.arg(format!("/CN={name}")).arg("-keyout").arg(folder.join("new.key")).arg("-out").arg(folder.join("new.crt"));
    if let Some(signer) = signer {
        let signer = folder.join(format!("{signer}.pem"));
        command.arg("-CA").arg(&signer).arg("-CAkey").arg(&signer).args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        command.args(["-addext", &format!("extendedKeyUsage={purpose}")]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let both = ["new.crt", "new.key"].map(|file| fs::read_to_string(folder.join(file)).unwrap());
    fs::write(file, both.concat()).unwrap();
}

/// What OpenSSL calls the certificate of a file.
fn fingerprint(file: &Path) -> String {
    let output = Command::new("openssl").args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(file).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase()
}

/// Ana, who is an administrator of a gateway that wants a certificate of those.
async fn world() -> (World, Plan, String) {
    let (plan, folder) = (Plan::new().with_tls(), Scratch::new());
    make_pair(folder.path(), "90");
    certificate(folder.path(), "authority", None, "");
    certificate(folder.path(), "other", None, "");
    certificate(folder.path(), "laptop", Some("authority"), "clientAuth");
    certificate(folder.path(), "server", Some("authority"), "serverAuth");
    certificate(folder.path(), "stranger", Some("other"), "clientAuth");
    let trusted = fs::read_to_string(folder.path().join("tls.crt")).unwrap();
    let change = |config: String| {
        let wanted = config.replacen("tls = { ", "tls = { administrator_ca_file = \"authority.pem\", ", 1);
        assert_ne!(wanted, config);
        format!("{wanted}\n[[rule]]\nid = \"gateway\"\ngroups = [\"aws-platform-admins\"]\ngateway = [\"administrator\"]\n")
    };
    let world = World::start_as(Visitor::trusting(&trusted), folder, &plan, "http://127.0.0.1:9", change).await;
    (world, plan, trusted)
}

#[tokio::test(flavor = "multi_thread")]
async fn w20_a_stolen_session_without_the_certificate_opens_no_room_of_administrators() {
    let (mut world, plan, trusted) = world().await;
    let (folder, url) = (world.gateway.folder().to_owned(), format!("{}/admin", plan.url()));
    let refused = world.ana.open(&url).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("Administrators show a certificate here"), "{}", refused.body);
    let event = world.events("administration", 1).await.remove(0);
    assert_eq!((event["outcome"].as_str(), event["client_certificate"].as_str()), (Some("refused"), None), "{event}");
    assert!(event["reason"].as_str().unwrap().contains("without a client certificate"), "{event}");
    // Everybody has the pages for everybody.
    assert!(world.portal().await.body.contains("Your AWS roles"));
    // The same session, with the proof.
    let laptop = fs::read_to_string(folder.join("laptop.pem")).unwrap();
    let mut shows = world.ana.clone().and_showing(&laptop, &trusted);
    let room = shows.open(&url).await.or_fail();
    assert!(room.body.contains("Endpoints of STS"), "{}", room.body);
    // What she does then is on record with the certificate by which she did it.
    shows.post(&room, "/logout", &[("scope", "here")]).await;
    let ended = world.events("sign_out", 1).await.remove(0);
    assert_eq!(ended["client_certificate"].as_str(), Some(fingerprint(&folder.join("laptop.pem")).as_str()), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn w20_a_certificate_that_is_no_good_ends_the_connection() {
    let (world, plan, _) = world().await;
    let connects = |name: &str| {
        let file = world.gateway.folder().join(format!("{name}.pem"));
        let file = file.to_str().unwrap();
        // In TLS 1.3 a client is done before the server has judged it.
        handshake(&plan.url(), &["-tls1_2", "-cert", file, "-key", file])
    };
    let (made, said) = connects("laptop");
    assert!(made && said.contains("CN = authority"), "the gateway names whose certificates it wants: {said}");
    for (name, why) in [("stranger", "another authority's"), ("server", "not for clients"), ("authority", "the authority's own")] {
        let (made, said) = connects(name);
        assert!(!made && said.contains("alert"), "{why}: {said}");
    }
    assert!(handshake(&plan.url(), &[]).0, "none is no matter");
}

#[tokio::test(flavor = "multi_thread")]
async fn authorities_that_cannot_be_read_keep_the_gateway_from_starting() {
    let (world, ..) = world().await;
    let folder = world.gateway.folder();
    fs::write(folder.join("no.pem"), "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n").unwrap();
    for (file, why) in [("missing.pem", "cannot be read"), ("audit.jsonl", "has no certificate"), ("no.pem", "holds what is no authority")]
    {
        let other = folder.join("other.toml");
        fs::write(&other, world.config.replace("authority.pem", file)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rolegate"));
        command.args(["check", "--config"]).arg(&other).current_dir(folder).env_clear().envs(Plan::env());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && said.contains(why), "{said}");
    }
}
