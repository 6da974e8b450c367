//! The counterparts: rsyslogd, as a process of the test's own, and a receiver of posts in Python.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::once;
use super::support::{Running, Scratch, free_port};

/// Waits until a text is as it should be, and fails with what it is otherwise.
async fn until_equal(read: impl Fn() -> String, wanted: &str) {
    for _ in 0..1000 {
        if read() == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(read(), wanted);
}

pub(crate) struct Rsyslog {
    folder: Scratch,
    url: String,
    port: u16,
    running: Option<Running>,
}

impl Rsyslog {
    pub(crate) async fn tcp() -> Self {
        let port = free_port();
        let input = format!("module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")");
        Self::with(Scratch::new(), format!("tcp://127.0.0.1:{port}"), port, &input, "").await
    }

    /// With the certificate that [`make_authority`] left in a folder.
    pub(crate) async fn tls(keys: &Path) -> Self {
        Self::tls_for(keys, "anon").await
    }

    /// One that wants a certificate of whoever sends to it, too.
    pub(crate) async fn tls_with_certificates(keys: &Path) -> Self {
        Self::tls_for(keys, "x509/certvalid").await
    }

    async fn tls_for(keys: &Path, mode: &str) -> Self {
        let port = free_port();
        let keys = keys.display();
        let driver = format!("StreamDriver.Name=\"ossl\" StreamDriver.Mode=\"1\" StreamDriver.AuthMode=\"{mode}\"");
        let input = format!("module(load=\"imtcp\" {driver})\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")");
        let global = format!(
            "DefaultNetstreamDriver=\"ossl\" DefaultNetstreamDriverCAFile=\"{keys}/ca.crt\" \
             DefaultNetstreamDriverCertFile=\"{keys}/tls.crt\" DefaultNetstreamDriverKeyFile=\"{keys}/tls.key\""
        );
        Self::with(Scratch::new(), format!("tls://127.0.0.1:{port}"), port, &input, &global).await
    }

    pub(crate) async fn local() -> Self {
        let folder = Scratch::new();
        // The path of a socket may not be long.
        let socket = std::env::temp_dir().join(format!("rolegate-{}-{}.sock", std::process::id(), free_port()));
        let input = format!("module(load=\"imuxsock\" SysSock.Use=\"off\")\ninput(type=\"imuxsock\" Socket=\"{}\")", socket.display());
        Self::with(folder, format!("unix:{}", socket.display()), 0, &input, "").await
    }

    async fn with(folder: Scratch, url: String, port: u16, input: &str, global: &str) -> Self {
        let place = folder.path().display();
        let head = ["syslogfacility-text", "syslogseverity-text", "app-name", "msgid", "timereported\" dateFormat=\"rfc3339", "procid"];
        let head = head.map(|name| format!("property(name=\"{name}\") constant(value=\"|\") ")).concat();
        let config = format!(
            "global(workDirectory=\"{place}\" maxMessageSize=\"1m\" {global})\n{input}\n\
             template(name=\"lines\" type=\"string\" string=\"%msg:::drop-last-lf%\\n\")\n\
             template(name=\"messages\" type=\"list\") {{ {head} property(name=\"hostname\") constant(value=\"\\n\") }}\n\
             action(type=\"omfile\" file=\"{place}/lines\" template=\"lines\")\n\
             action(type=\"omfile\" file=\"{place}/messages\" template=\"messages\")\n"
        );
        folder.write("rsyslog.conf", config);
        let mut rsyslog = Self { folder, url, port, running: None };
        rsyslog.start().await;
        rsyslog
    }

    pub(crate) async fn start(&mut self) {
        let pid = self.folder.path().join("pid");
        drop(std::fs::remove_file(&pid));
        let mut command = Command::new("/usr/sbin/rsyslogd");
        command.args(["-n", "-f"]).arg(self.folder.path().join("rsyslog.conf")).arg("-i").arg(&pid);
        let mut running = Running::spawn("rsyslogd", &mut command);
        let (port, socket) = (self.port, self.url.strip_prefix("unix:").map(PathBuf::from));
        running
            .until(async |_| {
                let is_there = match &socket {
                    Some(path) => path.exists(),
                    None => std::net::TcpStream::connect(("127.0.0.1", port)).is_ok(),
                };
                is_there.then_some(())
            })
            .await;
        self.running = Some(running);
    }

    pub(crate) async fn stop(&mut self) {
        self.running.take().unwrap().stop().await;
    }

    pub(crate) async fn kill(&mut self) {
        let mut running = self.running.take().unwrap();
        running.signal("KILL");
        running.finish().await;
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    fn text(&self) -> String {
        let text = std::fs::read_to_string(self.folder.path().join("lines")).unwrap_or_default();
        // Some of its parsers keep the space before the text, and some do not.
        text.lines().flat_map(|line| [line.trim_start(), "\n"]).collect()
    }

    /// Waits until it has these lines, each once.
    pub(crate) async fn has(&self, lines: &str) {
        until_equal(|| self.text(), lines).await;
    }

    /// Waits until it has these lines, some of them perhaps a second time.
    pub(crate) async fn has_once(&self, lines: &str) {
        until_equal(|| once(&self.text()), lines).await;
    }

    /// What it makes of the heads: facility, severity, app, kind, time, process, machine.
    pub(crate) fn messages(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("messages")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        if let Some(path) = self.url.strip_prefix("unix:") {
            drop(std::fs::remove_file(path));
        }
    }
}

pub(crate) struct Receiver {
    folder: Scratch,
    arguments: Vec<String>,
    scheme: &'static str,
    running: Running,
}

impl Receiver {
    pub(crate) async fn start(token: &str) -> Self {
        Self::with("http", token, &[]).await
    }

    /// With the certificate that [`make_authority`] left in a folder.
    pub(crate) async fn start_tls(token: &str, keys: &Path) -> Self {
        Self::with("https", token, &[keys.join("tls.crt"), keys.join("tls.key")]).await
    }

    async fn with(scheme: &'static str, token: &str, keys: &[PathBuf]) -> Self {
        let folder = Scratch::new();
        let mut arguments = vec![free_port().to_string(), token.to_owned(), folder.path().join("lines").display().to_string()];
        arguments.extend(keys.iter().map(|key| key.display().to_string()));
        let running = Self::spawn(&arguments).await;
        Self { folder, arguments, scheme, running }
    }

    async fn spawn(arguments: &[String]) -> Running {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/counterparts/receive_lines.py");
        let mut running = Running::spawn("receive_lines", Command::new("python3").arg(script).args(arguments));
        running.until_line("ready").await;
        running
    }

    pub(crate) async fn kill(&mut self) {
        self.running.signal("KILL");
        self.running.finish().await;
    }

    pub(crate) async fn again(&mut self) {
        self.running = Self::spawn(&self.arguments).await;
    }

    pub(crate) fn origin(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.arguments.first().unwrap())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The trail's settings. Of the address only the beginning may be told to people.
    pub(crate) fn settings(&self, require: &str) -> String {
        format!("require = \"{require}\"\n[[sink]]\nwebhook = \"{}/hush?hush\"\ntoken = {{ file = \"token\" }}\n", self.origin())
    }

    /// A folder for a trail, with a token in it.
    #[expect(clippy::unused_self, reason = "it reads as what the receiver wants")]
    pub(crate) fn folder_with_token(&self, token: &str) -> Scratch {
        let folder = Scratch::new();
        folder.write("token", format!("{token}\n"));
        folder
    }

    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("lines")).unwrap_or_default()
    }

    pub(crate) fn fails(&self, fails: bool) {
        self.mark("fail", fails);
    }

    pub(crate) fn hangs(&self, hangs: bool) {
        self.mark("hang", hangs);
    }

    pub(crate) fn leads_elsewhere(&self, does: bool) {
        self.mark("elsewhere", does);
    }

    fn mark(&self, name: &str, there: bool) {
        let path = self.folder.path().join(name);
        if there { std::fs::write(path, "").unwrap() } else { std::fs::remove_file(path).unwrap() }
    }
}

/// An authority, another one, and a certificate of the first for this machine.
pub(crate) fn make_authority(folder: &Path) {
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    for name in ["ca", "other"] {
        let (subject, key_file, file) = (format!("/CN={name}"), format!("{name}.key"), format!("{name}.crt"));
        let own = ["-subj", &subject, "-keyout", &key_file, "-out", &file];
        openssl(&[&["req", "-x509"][..], &key, &own].concat());
    }
    let signed = ["-subj", "/CN=collector", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
    let files = ["-CA", "ca.crt", "-CAkey", "ca.key", "-keyout", "tls.key", "-out", "tls.crt"];
    openssl(&[&["req", "-x509"][..], &key, &signed, &files].concat());
}
