//! The documentation as a test: links lead somewhere, examples of the configuration are accepted, commands exist, paths exist.
//!
//! A `toml` block is a configuration: a whole one if it sets `public_url`, otherwise a part that is completed here with the least that is
//! missing. Files that it names below `secrets/` are made for the test; folders of a server are replaced by one of the test.

#![expect(clippy::expect_used, reason = "a test that goes wrong should stop; the helpers stand outside of test functions")]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, OnceLock};

use chrono::TimeDelta;
use regex::Regex;
use rolegate::clock::{Clock, SystemClock};
use rolegate::saml::sign::self_signed;
use rolegate::trust::{SigningAlgorithm, keys};
use rolegate::{config, startup};
use secrecy::{ExposeSecret, SecretString};

/// One page of the documentation.
struct Page {
    path: PathBuf,
    name: String,
    /// The text outside of fenced blocks.
    prose: String,
    blocks: Vec<Block>,
}

/// A fenced block.
struct Block {
    language: String,
    line: usize,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    for folder in [root(), root().join("docs")] {
        for entry in std::fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("the entry can be read").path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(Page::read(path));
            }
        }
    }
    pages.sort_by(|one, other| one.name.cmp(&other.name));
    pages
}

impl Page {
    fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).expect("the page can be read");
        let name = path.strip_prefix(root()).expect("it lies below").display().to_string();
        let mut page = Self { path, name, prose: String::new(), blocks: Vec::new() };
        let mut open: Option<Block> = None;
        for (index, line) in text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), &mut open) {
                (Some(language), None) => open = Some(Block { language: language.trim().into(), line: index + 1, text: String::new() }),
                (Some(_), Some(_)) => page.blocks.extend(open.take()),
                (None, Some(block)) => block.text.extend([line, "\n"]),
                (None, None) => page.prose.extend([line, "\n"]),
            }
        }
        assert!(open.is_none(), "{}: a fenced block has no end", page.name);
        page
    }

    fn blocks(&self, language: &str) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(move |block| block.language == language)
    }

    /// Where links with a `#` may lead, by GitHub's rule for headings.
    fn anchors(&self) -> BTreeSet<String> {
        let headings = self.prose.lines().filter(|line| line.starts_with('#'));
        headings
            .map(|line| {
                let text = line.trim_start_matches('#').trim().to_lowercase();
                text.chars()
                    .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                    .map(|c| if c == ' ' { '-' } else { c })
                    .collect()
            })
            .collect()
    }
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is one")
}

#[test]
fn every_link_leads_somewhere() {
    let links = pattern(r#"\]\(([^)\s]+)\)|src="([^"]+)""#);
    let mut dead = Vec::new();
    let mut followed = 0;
    for page in pages() {
        for found in links.captures_iter(&page.prose) {
            let link = found.get(1).or_else(|| found.get(2)).map(|link| link.as_str()).unwrap_or_default();
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { page.path.clone() } else { page.path.parent().expect("it has one").join(file) };
            let leads = target.exists() && anchor.is_none_or(|anchor| Page::read(target).anchors().contains(anchor));
            if !leads {
                dead.push(format!("{}: {link}", page.name));
            }
            followed += 1;
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
    assert!(followed > 20, "only {followed} links were found");
}

#[test]
fn every_path_of_the_repository_that_is_named_exists() {
    let paths = pattern(r"`((?:src|tests|docs|demo|templates|static|scripts|benches|packaging)/[A-Za-z0-9_./-]*)`");
    let mut named = 0;
    for page in pages() {
        for found in paths.captures_iter(&page.prose) {
            assert!(root().join(&found[1]).exists(), "{} names {}, which is not there", page.name, &found[1]);
            named += 1;
        }
    }
    assert!(named > 20, "only {named} paths were found");
}

/// What a part of a configuration is completed with.
const PROVIDER: &str =
    "[[provider]]\nid = 'okta'\nname = 'Okta'\nissuer = 'https://example.okta.com'\nclient_id = 'abc'\nclient_auth = 'none'\n";
const ACCOUNTS: &str = "[[account]]\nid = '111122223333'\nname = 'Production'\ntags = { env = 'prod' }\n\
    [[account]]\nid = '444455556666'\nname = 'Staging'\ntags = { env = 'staging' }\n\
    [[account]]\nid = '777788889999'\nname = 'Sandbox'\ntags = { env = 'dev' }\n";

fn whole(part: &str) -> String {
    let has = |table: &str| part.lines().any(|line| line.trim() == table);
    if part.contains("public_url") {
        return part.to_owned();
    }
    let mut text = format!("public_url = 'https://roles.example.org'\n{part}\n");
    if !has("[[provider]]") && !has("[[saml_provider]]") {
        text.push_str(PROVIDER);
    }
    if !has("[[account]]") {
        text.push_str(ACCOUNTS);
    }
    text
}

/// A key and its certificate, for examples that name both.
static SAML: LazyLock<(SecretString, String)> = LazyLock::new(|| {
    let key = keys::generate(SigningAlgorithm::Rs256).expect("a key can be made");
    let certificate = self_signed(&key, "Rolegate", SystemClock.now(), TimeDelta::days(365)).expect("a certificate can be made");
    (key, certificate)
});

/// A key and a certificate for the host of the examples.
static TLS: LazyLock<(String, String)> = LazyLock::new(|| {
    let pair = rcgen::generate_simple_self_signed(["roles.example.org".to_owned()]).expect("a certificate can be made");
    let pem = |label: &str, der: &[u8]| format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", data_encoding::BASE64.encode(der));
    (pem("PRIVATE KEY", &pair.signing_key.serialize_der()), pem("CERTIFICATE", pair.cert.der()))
});

/// The certificate of an authority.
static AUTHORITY: LazyLock<String> = LazyLock::new(|| {
    let key = rcgen::KeyPair::generate().expect("a key can be made");
    let mut wanted = rcgen::CertificateParams::default();
    wanted.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let made = wanted.self_signed(&key).expect("a certificate can be made");
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", data_encoding::BASE64.encode(made.der()))
});

fn first_id(text: &str) -> String {
    text.lines().find_map(|line| line.strip_prefix("id = \"")).map(|rest| rest.trim_end_matches('"').to_owned()).unwrap_or_default()
}

/// Makes the files that a configuration names, each with what belongs in it.
fn make_secrets(text: &str, folder: &Path) {
    std::fs::create_dir_all(folder.join("secrets")).expect("the folder can be made");
    for found in pattern(r#"(?:file|certificate) = "(secrets/[a-z0-9.-]+)""#).captures_iter(text) {
        let content = match &found[1] {
            name if name.contains("saml-certificate") => SAML.1.clone(),
            name if name.contains("saml-key") => SAML.0.expose_secret().to_owned(),
            name if name.contains("seal") => "ab".repeat(32),
            name if name.contains("administrators") => AUTHORITY.clone(),
            name if name.ends_with("tls.key.pem") => TLS.0.clone(),
            name if name.ends_with("tls.crt.pem") => TLS.1.clone(),
            name if name.ends_with(".key.pem") => saml_pair().0.clone(),
            name if name.ends_with(".crt.pem") => saml_pair().1.clone(),
            name if name.ends_with("-metadata.xml") => saml_metadata(),
            name if name.contains(".pem") => {
                let made = keys::generate(SigningAlgorithm::Es256).expect("a key can be made");
                made.expose_secret().to_owned()
            }
            _ => "a secret of the test".to_owned(),
        };
        let path = folder.join(&found[1]);
        std::fs::write(&path, content).expect("the file can be written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("it is the test's own");
    }
}

/// An RSA key with its certificate, both in PEM, for what SAML signs and decrypts.
fn saml_pair() -> &'static (String, String) {
    static PAIR: OnceLock<(String, String)> = OnceLock::new();
    PAIR.get_or_init(|| {
        let key = keys::generate(SigningAlgorithm::Rs256).expect("a key can be made");
        let certificate = self_signed(&key, "docs", SystemClock.now(), TimeDelta::days(365)).expect("a certificate can be made");
        (key.expose_secret().to_owned(), certificate)
    })
}

/// The metadata of some identity provider.
fn saml_metadata() -> String {
    let certificate = saml_pair().1.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    format!(
        "<EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"https://idp.example/\"><IDPSSODescriptor \
         protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\"><KeyDescriptor use=\"signing\">\
         <KeyInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><X509Data><X509Certificate>{certificate}</X509Certificate></X509Data></KeyInfo>\
         </KeyDescriptor><SingleSignOnService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"https://idp.example/\"/>\
         </IDPSSODescriptor></EntityDescriptor>"
    )
}

/// What is wrong with a configuration or a part of one; nothing when it could run.
fn findings(part: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let place = format!("{}/", folder.path().display());
    let text = whole(part).replace("/var/log/rolegate/", &place).replace("/var/lib/rolegate/", &place);
    make_secrets(&text, folder.path());
    match config::parse_with(&text, "block", folder.path(), startup::problems).map(startup::look_twice) {
        Ok(config) => config.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Err(findings) => findings.to_string(),
    }
}

#[test]
fn every_example_of_the_configuration_is_accepted() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        for block in page.blocks("toml") {
            let found = findings(&block.text);
            if !found.is_empty() {
                wrong.push(format!("{}:{}\n{found}", page.name, block.line));
            }
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(count >= 10, "only {count} examples were found");
    let examples = pages().into_iter().find(|page| page.name.ends_with("rule-examples.md")).expect("the page is there");
    let tested = examples.blocks("toml").filter(|block| block.text.contains("[[test]]")).count();
    assert!(tested >= 20 && tested == examples.blocks("toml").count(), "{tested} examples of rules have tests");
    // Each provider that the page has steps for by SAML has its own configuration.
    let page = pages().into_iter().find(|page| page.name.ends_with("identity-providers.md")).expect("the page is there");
    let ids: BTreeSet<_> =
        page.blocks("toml").filter(|block| block.text.contains("[[saml_provider]]")).map(|block| first_id(&block.text)).collect();
    for id in ["okta", "entra", "adfs", "google", "keycloak", "shibboleth"] {
        assert!(ids.contains(id), "{id} has no example: {ids:?}");
    }
}

/// What packages bring to begin with is a configuration that could run.
#[test]
fn the_configurations_of_packages_are_accepted() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).expect("it is there");
    assert_eq!(findings(&read("packaging/deb/rolegate.toml")), "");
    let values = read("packaging/helm/rolegate/values.yaml");
    let config = values.lines().skip_while(|line| *line != "config: |").skip(1);
    let config: Vec<_> = config.take_while(|line| line.is_empty() || line.starts_with("  ")).map(str::trim_start).collect();
    assert!(config.contains(&"[audit]"), "{config:?}");
    assert_eq!(findings(&config.join("\n").replace("/run/secrets/rolegate/", "secrets/")), "");
}

/// The book has every page, and no other.
#[test]
fn the_book_has_every_page() {
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).expect("the book has one");
    let listed: Vec<String> = pattern(r"\]\(([^)]+)\)").captures_iter(&summary).map(|found| found[1].to_owned()).collect();
    let pages = pages().into_iter().filter_map(|page| page.name.strip_prefix("docs/").map(ToOwned::to_owned));
    let pages: BTreeSet<_> = pages.filter(|page| page != "SUMMARY.md").collect();
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), pages);
    assert_eq!(listed.len(), pages.len(), "a page is listed twice");
}

#[test]
fn an_example_that_is_wrong_is_found() {
    for (part, word) in [
        ("[server]\nlisen = '127.0.0.1:1'\n", "lisen"),
        ("[[rule]]\nid = 'r'\ngroups = ['g']\naccounts = ['Nowhere']\nroles = ['R']\n", "Nowhere"),
        ("[[rule]]\nid = 'r'\ngroup_pattern = '('\naccounts = ['*']\nroles = ['R']\n", "pattern"),
        ("[trust]\nsigning_key = { file = \"missing.pem\" }\n", "missing.pem"),
        ("public_url = 'http://roles.example.org'\n", "plain http"),
        ("[[rule]]\nid = 'r'\ngroups = ['g']\naccounts = ['*']\nroles = ['R']\noperation = 'saml'\n", "[trust.saml]"),
    ] {
        assert!(findings(part).contains(word), "{part}\n{}", findings(part));
    }
    assert_eq!(findings(""), "");
}

/// The help of a command.
fn help(command: &[&str]) -> String {
    let mut rolegate = Command::new(env!("CARGO_BIN_EXE_rolegate"));
    let output = rolegate.args(command).arg("--help").output().expect("rolegate starts");
    assert!(output.status.success(), "`rolegate {} --help` is refused: there is no such command", command.join(" "));
    String::from_utf8(output.stdout).expect("help is text")
}

/// What stands behind `rolegate` in a line: the command, and the options given to it.
fn parse_command(line: &str) -> Option<(Vec<&str>, Vec<&str>)> {
    let words: Vec<_> = line.split(" #").next()?.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "rolegate" || word.ends_with("/rolegate"))?;
    let is_word = |word: &&&str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') && !word.starts_with('-');
    let command = words.iter().skip(at + 1).take_while(is_word).copied().collect();
    let ours = words.iter().skip(at + 1).take_while(|word| !matches!(**word, "|" | ">" | "&&"));
    Some((command, ours.filter(|word| word.starts_with("--")).copied().collect()))
}

#[test]
fn every_command_exists_with_its_options() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).expect("the Makefile can be read");
    let mut helps: BTreeMap<String, String> = BTreeMap::new();
    let mut count = 0;
    for page in pages() {
        for (block, line) in page.blocks("sh").flat_map(|block| block.text.lines().map(move |line| (block, line))) {
            let at = format!("{}:{}: {line}", page.name, block.line);
            if let Some(target) = line.strip_prefix("make ").and_then(|rest| rest.split_whitespace().next()) {
                assert!(makefile.lines().any(|line| line.starts_with(&format!("{target}:"))), "{at}: there is no such target");
                count += 1;
            }
            let is_command = ["rolegate ", "./target/", "target/"].iter().any(|start| line.starts_with(start));
            let Some((command, options)) = parse_command(line).filter(|_| is_command) else { continue };
            assert!(!command.is_empty(), "{at}: no command");
            let text = helps.entry(command.join(" ")).or_insert_with(|| help(&command));
            for option in options {
                let name = option.split('=').next().unwrap_or(option);
                assert!(text.contains(name), "{at}: `{}` has no option {name}", command.join(" "));
            }
            count += 1;
        }
    }
    assert!(count >= 6, "only {count} commands were found");
}

#[test]
fn a_command_is_read_as_a_shell_would() {
    assert_eq!(parse_command("rolegate serve --config rolegate.toml"), Some((vec!["serve"], vec!["--config"])));
    assert_eq!(parse_command("./target/release/rolegate keys new > key.pem  # a key"), Some((vec!["keys", "new"], vec![])));
    assert_eq!(parse_command("ls -l"), None);
}

#[test]
fn every_json_block_is_json() {
    let mut count = 0;
    for page in pages() {
        for block in page.blocks("json") {
            if let Err(error) = serde_json::from_str::<serde_json::Value>(&block.text) {
                panic!("{}:{}: {error}", page.name, block.line);
            }
            count += 1;
        }
    }
    assert!(count >= 2, "only {count} blocks were found");
}
