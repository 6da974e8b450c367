//! Redis, the identity provider, moto's AWS, and the programs that check from outside.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::ports::free_port;
use super::process::{Finished, Running, Scratch, repository, run};

/// How long a checking program may take: the browser's whole tour is the longest of them.
const LIMIT: Duration = Duration::from_mins(8);

/// A program that `make test` installs under `target/counterparts`.
pub(crate) fn installed(path: &str) -> PathBuf {
    let path = repository().join("target/counterparts").join(path);
    assert!(path.exists(), "{} is missing: run `make test`, which installs it", path.display());
    path
}

/// The browser: Debian's, or the one that `ROLEGATE_TEST_CHROMIUM` names.
pub(crate) fn chromium() -> PathBuf {
    let path = std::env::var_os("ROLEGATE_TEST_CHROMIUM").map_or_else(|| PathBuf::from("/usr/bin/chromium"), PathBuf::from);
    assert!(path.exists(), "{} is missing: run `make test`, which installs it", path.display());
    path
}

/// Runs a script of the tests with Node.js; `script` is a path in the repository.
pub(crate) async fn node(script: &str, args: &[&str], env: &[(&str, &str)]) -> Finished {
    let mut command = Command::new(installed("bin/node"));
    installed("node/node_modules");
    command.arg(repository().join(script)).args(args).envs(env.iter().copied());
    run("node", &mut command, LIMIT).await
}

/// Runs a script of the tests with Python; `script` is a path in the repository.
pub(crate) async fn python(script: &str, args: &[&str]) -> Finished {
    let mut command = Command::new(installed("venv/bin/python"));
    command.arg(repository().join(script)).args(args);
    run("python", &mut command, LIMIT).await
}

/// The AWS CLI with a home folder of its own and nothing of this machine's AWS configuration: no environment variable, no profile, no
/// instance metadata.
pub(crate) async fn aws_cli(home: &Path, args: &[&str], env: &[(&str, &str)]) -> Finished {
    AwsCli::V1.run(home, args, env).await
}

/// The AWS CLI in one of its two lines. They read profiles, processes and endpoints by code of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AwsCli {
    /// Version 1, from Python's index.
    V1,
    /// Version 2, as Debian has it (2.9.19): it knows neither `AWS_ENDPOINT_URL` nor a token file of an agent.
    V2,
}

impl AwsCli {
    /// Both.
    pub(crate) const BOTH: [Self; 2] = [Self::V1, Self::V2];

    /// Runs it. What asks AWS must say where that is: nothing leaves this machine.
    pub(crate) async fn run(self, home: &Path, args: &[&str], env: &[(&str, &str)]) -> Finished {
        assert!(args.contains(&"--endpoint-url") || args[0] == "configure" || args[0] == "--version", "{args:?} would ask AWS itself");
        let mut command = match self {
            Self::V1 => {
                let mut command = Command::new(installed("venv/bin/python"));
                command.arg(installed("venv/bin/aws"));
                command
            }
            Self::V2 => Command::new("/usr/bin/aws"),
        };
        command.args(args).current_dir(home);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home).env("LC_ALL", "C.UTF-8");
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_MAX_ATTEMPTS", "1").env("AWS_PAGER", "");
        // And if it did not say so: a proxy that is not there.
        command.env("HTTP_PROXY", "http://127.0.0.1:9").env("HTTPS_PROXY", "http://127.0.0.1:9").env("NO_PROXY", "127.0.0.1,localhost,::1");
        command.envs(env.iter().copied());
        run("aws", &mut command, LIMIT).await
    }
}

/// A Redis of the test's own: one server in memory, without persistence.
#[derive(Debug)]
pub(crate) struct Redis {
    running: Running,
    port: u16,
    folder: Scratch,
}

impl Redis {
    /// Starts it and waits until it answers.
    pub(crate) async fn start() -> Self {
        let (port, folder) = (free_port(), Scratch::new());
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
        // Uncompressed, so that `everything` can be searched.
        command.args(["--rdbcompression", "no", "--dir"]).arg(folder.path());
        let mut running = Running::spawn("redis-server", &mut command);
        running.until(async |_| (ask(port, "PING")? == "+PONG").then_some(())).await;
        Self { running, port, folder }
    }

    /// Its URL, without a database.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// All that it holds, keys and values, as the bytes of an uncompressed snapshot: for searching, not for reading.
    pub(crate) fn everything(&self) -> Vec<u8> {
        assert_eq!(ask(self.port, "SAVE").as_deref(), Some("+OK"), "redis-server cannot write a snapshot");
        std::fs::read(self.folder.path().join("dump.rdb")).expect("the snapshot can be read")
    }

    /// Has it do something behind the gateway's back; the first line of its answer.
    pub(crate) fn command(&self, command: &str) -> String {
        ask(self.port, command).unwrap_or_else(|| panic!("redis-server does not answer {command}"))
    }

    /// The process, to stop or to halt it.
    pub(crate) fn process(&mut self) -> &mut Running {
        &mut self.running
    }
}

/// One inline command to a Redis, and the first line of the answer.
fn ask(port: u16, command: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
    let mut answer = [0; 256];
    let length = stream.read(&mut answer).ok()?;
    String::from_utf8_lossy(answer.get(..length)?).lines().next().map(str::to_owned)
}

/// How the identity provider is to be: see `tests/counterparts/oidc-provider.mjs`.
#[derive(Debug, Default)]
pub(crate) struct OidcOptions {
    /// The redirect URIs of its one client.
    pub(crate) redirect_uris: Vec<String>,
    /// Where it may send a browser after its own sign-out.
    pub(crate) post_logout_uris: Vec<String>,
    /// Whether everybody is signed in at once, without a page.
    pub(crate) auto: bool,
    /// Any other of the script's variables: `CLIENT_AUTH`, `CLIENT_JWKS`, `ALG`, `GROUPS_IN`, `PEOPLE`, `BACKCHANNEL_URI`, `AUTO_USER`.
    pub(crate) env: Vec<(&'static str, String)>,
}

/// The certified npm `oidc-provider`, with the people `ana` (administrator, second factor), `dev`, `cory` (contractor), `nora` (no groups)
/// and `many` (200 groups). Any password will do.
#[derive(Debug)]
pub(crate) struct OidcProvider {
    running: Running,
    issuer: String,
}

impl OidcProvider {
    /// The client's id.
    pub(crate) const CLIENT_ID: &'static str = "rolegate";
    /// The client's secret, and a canary: it may be found nowhere else.
    pub(crate) const CLIENT_SECRET: &'static str = "canary-client-secret-8c1f5e";

    /// Starts it on a free port and waits until it listens.
    pub(crate) async fn start(options: &OidcOptions) -> Self {
        Self::start_at(free_port(), options).await
    }

    /// Starts it on a port that was chosen before, for what must know the issuer ahead or for a second start of the same one.
    pub(crate) async fn start_at(port: u16, options: &OidcOptions) -> Self {
        installed("node/node_modules");
        let mut command = Command::new(installed("bin/node"));
        command.arg(repository().join("tests/counterparts/oidc-provider.mjs"));
        command.env("PORT", port.to_string()).env("EXIT_WITH_STDIN", "1");
        command.env("CLIENT_ID", Self::CLIENT_ID).env("CLIENT_SECRET", Self::CLIENT_SECRET);
        command.env("REDIRECT_URIS", options.redirect_uris.join(" ")).env("POST_LOGOUT_URIS", options.post_logout_uris.join(" "));
        command.env("AUTO", if options.auto { "1" } else { "0" });
        command.envs(options.env.iter().map(|(name, value)| (name, value)));
        let mut running = Running::spawn("oidc-provider", &mut command);
        let issuer = running.until_line("ready ").await;
        Self { running, issuer }
    }

    /// The issuer, as it stands in the tokens.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What it has logged.
    pub(crate) fn output(&self) -> String {
        self.running.output()
    }

    /// The `[[provider]]` table that makes it the gateway's provider `id`, with the client secret in `ROLEGATE_TEST_CLIENT_SECRET`.
    pub(crate) fn table(&self, id: &str) -> String {
        format!(
            r#"
[[provider]]
id = "{id}"
name = "Example IdP"
issuer = "{}"
client_id = "{}"
client_secret = {{ env = "ROLEGATE_TEST_CLIENT_SECRET" }}
scopes = ["profile", "email", "groups"]
private_network = true
email_domains = ["example.org"]
"#,
            self.issuer,
            Self::CLIENT_ID
        )
    }

    /// The process, to stop or to halt it.
    pub(crate) fn process(&mut self) -> &mut Running {
        &mut self.running
    }
}

/// moto's AWS. It checks nothing that matters here (any token is good to it): it proves the wire format and serves the AWS CLI.
#[derive(Debug)]
pub(crate) struct Moto {
    running: Running,
    url: String,
}

impl Moto {
    /// Starts it on a free port and waits until it answers.
    pub(crate) async fn start() -> Self {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(installed("venv/bin/python"));
        command.arg(installed("venv/bin/moto_server")).args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let mut running = Running::spawn("moto_server", &mut command);
        let ready = format!("{url}/moto-api/");
        running.until(async |_| reqwest::get(&ready).await.ok()?.status().is_success().then_some(())).await;
        Self { running, url }
    }

    /// The endpoint of every AWS service.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}
