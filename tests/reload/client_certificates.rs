//! Administrators prove themselves by a client certificate too: made and shown by OpenSSL, and by a client that others wrote.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chrono::TimeDelta;
use rolegate::clock::{Clock, SystemClock};

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

/// A client's certificate that is good for so many seconds from now on.
fn short_lived(folder: &Path, name: &str, seconds: i64) {
    let run = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let subject = format!("/CN={name}");
    run(&[
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        &subject,
        "-keyout",
        "new.key",
        "-out",
        "new.csr",
    ]);
    let config = "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\nrand_serial = yes\nnew_certs_dir = .\ndefault_md = sha256\npolicy = p\n\
                  x509_extensions = e\n[p]\ncommonName = supplied\n[e]\nbasicConstraints = critical,CA:FALSE\nextendedKeyUsage = clientAuth\n";
    fs::write(folder.join("ca.conf"), config).unwrap();
    fs::write(folder.join("index.txt"), "").unwrap();
    let end = (SystemClock.now() + TimeDelta::seconds(seconds)).format("%y%m%d%H%M%SZ").to_string();
    let signer = ["-cert", "authority.pem", "-keyfile", "authority.pem", "-in", "new.csr", "-out", "new.crt"];
    run(&[&["ca", "-batch", "-notext", "-config", "ca.conf", "-enddate", &end], &signer[..]].concat());
    let both = ["new.crt", "new.key"].map(|file| fs::read_to_string(folder.join(file)).unwrap());
    fs::write(folder.join(format!("{name}.pem")), both.concat()).unwrap();
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
async fn w20_a_session_of_tls_is_not_taken_up_again_without_the_certificate() {
    let (world, plan, _) = world().await;
    let folder = world.gateway.folder();
    let (laptop, session) = (folder.join("laptop.pem"), folder.join("session"));
    let (laptop, session) = (laptop.to_str().unwrap(), session.to_str().unwrap());
    for version in ["-tls1_2", "-tls1_3"] {
        let (made, said) = handshake(&plan.url(), &[version, "-cert", laptop, "-key", laptop, "-sess_out", session]);
        assert!(made && said.contains("New, "), "{said}");
        // Where the gateway offers nothing to take up, there may be nothing to save.
        if Path::new(session).exists() {
            let (made, said) = handshake(&plan.url(), &[version, "-sess_in", session]);
            assert!(made && said.contains("New, ") && !said.contains("Reused, "), "{said}");
            fs::remove_file(session).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w20_a_connection_that_outlives_its_certificate_has_none() {
    let (world, plan, trusted) = world().await;
    short_lived(world.gateway.folder(), "visitor", 8);
    let visitor = fs::read_to_string(world.gateway.folder().join("visitor.pem")).unwrap();
    let mut shows = world.ana.clone().and_showing(&visitor, &trusted);
    let url = format!("{}/admin", plan.url());
    assert_eq!(shows.open(&url).await.status, 200);
    // Over the connection that is there: for a new one it would be no good.
    let mut looks = 0;
    while shows.open(&url).await.status == 200 {
        looks += 1;
        assert!(looks < 60, "it is good for ever");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn authorities_that_cannot_be_read_keep_the_gateway_from_starting() {
    let (world, ..) = world().await;
    let folder = world.gateway.folder();
    fs::write(folder.join("no.pem"), "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n").unwrap();
    let check = |config: String| {
        let other = folder.join("other.toml");
        fs::write(&other, config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rolegate"));
        command.args(["check", "--config"]).arg(&other).current_dir(folder).env_clear().envs(Plan::env());
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    for (file, why) in [
        ("missing.pem", "cannot be read"),
        ("audit.jsonl", "has no certificate"),
        ("no.pem", "holds what is no authority"),
        ("laptop.pem", "CA:FALSE"),
    ] {
        let (good, said) = check(world.config.replace("authority.pem", file));
        assert!(!good && said.contains(why), "{said}");
    }
    let (good, said) = check(world.config.replace("workers = 1", "workers = 1\ntrusted_proxies = [\"10.0.0.0/8\"]"));
    assert!(!good && said.contains("behind a proxy"), "{said}");
}
