//! TLS by the gateway itself, looked at by OpenSSL, and its certificate while the gateway runs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::World;
use super::support::{Plan, Scratch, Visitor, free_port};

/// A certificate for the gateway's address and its key, in the place of those that are there.
pub(super) fn make_pair(folder: &Path, days: &str) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", days, "-subj", "/CN=gateway"]);
    command
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(folder.join("new.key"))
        .arg("-out")
        .arg(folder.join("new.crt"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for file in ["key", "crt"] {
        std::fs::rename(folder.join(format!("new.{file}")), folder.join(format!("tls.{file}"))).unwrap();
    }
}

/// What OpenSSL says of a connection to the gateway, and whether there is one.
pub(super) fn handshake(url: &str, more: &[&str]) -> (bool, String) {
    let address = url.trim_start_matches("https://");
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", address]).args(more).stdin(Stdio::null());
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// Ana before a gateway with TLS, and where that has its metrics.
async fn world(days: &str) -> (World, Plan, String) {
    let (plan, folder, monitors) = (Plan::new().with_tls(), Scratch::new(), format!("127.0.0.1:{}", free_port()));
    make_pair(folder.path(), days);
    let ana = Visitor::trusting(&std::fs::read_to_string(folder.path().join("tls.crt")).unwrap());
    let change = |config: String| {
        let impatient = config.replace("workers = 1", "workers = 1\nrequest_timeout = \"3s\"");
        format!("{impatient}\n[metrics]\nlisten = \"{monitors}\"\n")
    };
    let world = World::start_as(ana, folder, &plan, "http://127.0.0.1:9", change).await;
    (world, plan, monitors)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_over_tls_of_today_and_nothing_else_is_answered() {
    // That somebody got to the portal is in how the world starts.
    let (world, plan, monitors) = world("90").await;
    let url = plan.url();
    let (made, said) = handshake(&url, &["-alpn", "h2,http/1.1"]);
    // Of HTTP/2 the framework limits neither the streams nor the heads.
    assert!(made && said.contains("TLSv1.3") && said.contains("ALPN protocol: http/1.1"), "{said}");
    let (made, said) = handshake(&url, &["-tls1_2"]);
    assert!(made && said.contains("TLSv1.2") && said.contains("ECDHE"), "{said}");
    for old in [
        &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"][..],
        &["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "AES128-SHA"],
    ] {
        assert!(!handshake(&url, old).0, "{old:?}");
    }
    let plain = reqwest::Client::builder().no_proxy().build().unwrap().get(url.replace("https", "http")).send().await;
    assert!(plain.is_err(), "{plain:?}");
    // Monitors are told when it ends, where they look, which is not over TLS.
    let metrics = reqwest::get(format!("http://{monitors}/metrics")).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("rolegate_certificate_expiry_timestamp_seconds{towards=\"browsers\""), "{metrics}");
    let cookies = world.ana.names_of_cookies();
    assert!(cookies.iter().any(|name| name.starts_with("__Host-")), "{cookies:?}");
    assert!(!world.gateway.output().contains("trusted_proxies is empty"), "there is no proxy");
}

/// What the gateway answers to requests that OpenSSL sends over one connection, one after the other.
fn answers(url: &str, requests: &[&str]) -> String {
    let address = url.trim_start_matches("https://");
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-connect", address]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut client = command.spawn().unwrap();
    client.stdin.as_mut().unwrap().write_all(requests.concat().as_bytes()).unwrap();
    // What is read to its end was ended by the gateway.
    let mut answers = String::new();
    client.stdout.take().unwrap().read_to_string(&mut answers).unwrap();
    client.kill().unwrap();
    client.wait().unwrap();
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn w09_a_client_that_stalls_over_tls_is_cut_off_as_any_other() {
    let (world, plan, _) = world("90").await;
    let whole = "GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n";
    // One that goes on is served on the connection that it has.
    assert_eq!(
        answers(&plan.url(), &[whole, whole, "GET /healthz HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"])
            .matches("HTTP/1.1 200")
            .count(),
        3
    );
    let half = answers(&plan.url(), &[whole, "GET /healthz HTTP/1.1\r\nHo"]);
    assert_eq!(half.matches("HTTP/1.1 200").count(), 1, "{half}");
    // Nor does one hold a place who never says hello.
    let mut mute = TcpStream::connect(plan.url().trim_start_matches("https://")).unwrap();
    mute.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert_eq!(mute.read(&mut [0; 1]).unwrap_or_default(), 0);
    drop(world);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_is_taken_over_and_a_wrong_one_is_not() {
    let (mut world, plan, _) = world("1").await;
    let shown = || {
        handshake(&plan.url(), &[])
            .1
            .lines()
            .filter(|line| line.starts_with("NotAfter") || line.contains("v:NotBefore"))
            .collect::<String>()
    };
    let first = shown();
    assert!(!first.is_empty(), "OpenSSL tells when a certificate ends");
    // A key that belongs to another certificate: half a renewal.
    let (folder, key) = (world.gateway.folder().to_owned(), std::fs::read(world.gateway.folder().join("tls.key")).unwrap());
    make_pair(&folder, "400");
    let renewed = std::fs::read(folder.join("tls.key")).unwrap();
    std::fs::write(folder.join("tls.key"), key).unwrap();
    // The rules change all the same.
    world.gateway.configure(&super::with_breakglass(&world.config));
    world.gateway.process().signal("HUP");
    world.logged("the key does not belong to the certificate").await;
    assert_eq!(world.in_force(1).await.len(), 1);
    assert_eq!(shown(), first);
    std::fs::write(folder.join("tls.key"), renewed).unwrap();
    world.gateway.process().signal("HUP");
    world.logged("TLS goes on with another certificate").await;
    assert_ne!(shown(), first);
    // Her session goes on, over connections to whoever can prove to be the same place.
    world.ana = world.ana.clone().and_trusting(&std::fs::read_to_string(folder.join("tls.crt")).unwrap());
    assert!(world.portal().await.body.contains("Your AWS roles"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_host_is_warned_of() {
    let (world, plan, _) = world("90").await;
    assert!(!world.gateway.output().contains("the certificate is not for"));
    let other = world.gateway.folder().join("other.toml");
    std::fs::write(&other, world.config.replace(&plan.url(), "https://gateway.example")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rolegate"));
    command.args(["check", "--deny-warnings", "--config"]).arg(&other).current_dir(world.gateway.folder()).env_clear().envs(Plan::env());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success() && said.contains("the certificate is not for gateway.example"), "{said}");
}
