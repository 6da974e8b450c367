//! The configuration against files that people get wrong, and the example and the reference against the configuration.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that goes wrong should stop; the helpers stand outside of test functions"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;
use rolegate::config::{self, Config, Findings, Severity};
use rolegate::settings::Problem;
use serde_json::Value;

const DEMO: &str = include_str!("../demo/rolegate.toml");
const REFERENCE: &str = include_str!("../docs/configuration.md");

/// The least that is a configuration.
const LEAST: &str = r#"public_url = "https://roles.example.org"
[[provider]]
id = "okta"
name = "Okta"
issuer = "https://example.okta.com"
client_id = "abc"
"#;

fn parse(text: &str) -> Result<Config, Findings> {
    config::parse(text, "rolegate.toml", Path::new("."))
}

/// Each expectation is a line, a part of the message and a part of the hint; there may be no other finding.
#[track_caller]
fn assert_findings(text: &str, expected: &[(usize, &str, &str)]) {
    let findings = parse(text).expect_err("this file is wrong");
    assert_eq!(findings.len(), expected.len(), "{text}\n{findings}");
    for (finding, (line, message, hint)) in findings.iter().zip(expected) {
        let found = finding.to_string();
        assert!(
            finding.line == *line && finding.message.contains(message) && finding.hint.contains(hint),
            "{found}\nis not {line}: {message} ({hint})"
        );
    }
}

#[test]
fn the_least_configuration_has_the_defaults() {
    let config = parse(LEAST).unwrap();
    assert_eq!(config.file.server.listen.to_string(), "127.0.0.1:8700");
    assert_eq!(config.issuer(), "https://roles.example.org");
    assert!(config.warnings.is_empty());
}

#[test]
fn the_public_url_comes_in_its_normal_form() {
    let config = parse(&LEAST.replace("https://roles.example.org", "https://ROLES.Example.org:443/")).unwrap();
    assert_eq!((config.file.public_url.as_str(), config.issuer()), ("https://roles.example.org", "https://roles.example.org"));
    let config =
        parse(&LEAST.replace("https://roles.example.org\"", "https://ROLES.Example.org/\"\ntrust.issuer = \"https://i.example.org/x\""))
            .unwrap();
    assert_eq!(config.file.public_url, "https://roles.example.org");
    assert_eq!(config.issuer(), "https://i.example.org/x");
}

#[test]
fn each_single_mistake_has_one_finding() {
    let table: &[(&str, usize, &str, &str)] = &[
        ("[servr]\nlisten = '127.0.0.1:1'", 7, "unknown key `servr` at the top", "did you mean `server`?"),
        ("[server]\nlisten_on = '127.0.0.1:1'", 8, "unknown key `listen_on` in [server]", "did you mean `listen`?"),
        ("[server]\ncolour = 'red'", 8, "unknown key `colour` in [server]", "known are: listen, tls, trusted_proxies"),
        ("[server]\nlisten = 8700", 8, "`listen` must be text in quotes, not a number", "such as `127.0.0.1:8700`"),
        ("[server]\nlisten = '127.0.0.1'", 8, "`listen` has no port", "listen = \"127.0.0.1:8700\""),
        ("[server]\nlisten = '::1'", 8, "`listen` has no port", "listen = \"[::1]:8700\""),
        ("[server]\nlisten = 'localhost'", 8, "`listen`: invalid socket address", "such as `127.0.0.1:8700`"),
        ("[server]\nrequest_timeout = 30", 8, "must be a span of time", "request_timeout = \"15m\""),
        ("[server]\nrequest_timeout = 'soon'", 8, "`soon` is not a span of time", "How long one request may take"),
        ("[server]\nrequest_timeout = '1h'", 8, "out of range", "\"5m\""),
        ("[server]\nbody_limit = -1", 8, "`body_limit` is a number out of range", "in bytes"),
        ("[server]\nbody_limit = '64k'", 8, "`body_limit` must be a whole number, not text", "without quotes"),
        ("[server]\nworkers = 0", 8, "the number of workers is out of range", "between 1 and 512"),
        ("[server]\ntrusted_proxies = '10.0.0.0/8'", 8, "`trusted_proxies` must be a list", "trusted_proxies = [\"…\"]"),
        ("[server]\ntrusted_proxies = ['10.0.0.0/8',\n'10.0.0']", 9, "item 2 of `trusted_proxies`", ""),
        ("[server]\ntrusted_proxies = ['0.0.0.0/0']", 8, "believes everybody's", "the proxies' own networks"),
        ("[[server]]\nworkers = 1", 7, "`server` must be a section, not a list", "write [server] once"),
        ("[account]\nid = '111122223333'", 7, "`account` must be a list of sections", "write [[account]]"),
        ("[[account]]\nid = 111122223333\nname = 'P'", 8, "`id` must be text in quotes", "id = \"111122223333\""),
        ("[[account]]\nid = '111122223333'", 7, "`name` is missing in [[account]]", "The name that people and rules use"),
        ("[[account]]\nid = '1'\nname = 'P'\npartition = 'aws-gov'", 10, "`partition` cannot be `aws-gov`", "did you mean `aws-us-gov`?"),
        ("[[rule]]\nid = 'r'\neffect = 'forbid'", 9, "`effect` cannot be `forbid`", "known are: allow, deny"),
        ("[[rule]]\nid = 'r'\ntags = { Team = 3 }", 9, "`Team` must be text in quotes", "Team = \"3\""),
        ("[trust]\nissuer = 'https://a.example:8443'", 8, "may not have a port", "IAM"),
        ("[trust]\nissuer = 'https://a.example/?x=1'", 8, "may not have a query", "leave out"),
        ("[trust]\nissuer = 'http://a.example'", 8, "plain http", "https"),
        ("[trust]\nissuer = 'a.example'", 8, "not a URL", "absolute URL"),
        ("[trust]\nsigning_key = 'hush'", 8, "`signing_key` is written into the file", "{ env = \"NAME\" }"),
        ("[trust]\nretiring_keys = [{ env = 'A' }, 'hush']", 8, "item 2 of `retiring_keys` is written into the file", "replace it"),
        ("[trust]\nsigning_key = { env = 'hush-hush' }", 8, "not the name of an environment variable", "never the secret itself"),
        ("[store]\npassword = 'hush'", 8, "`password` is written into the file", "{ file = \"PATH\" }"),
        ("[store]\npassword = { env = 'A', file = 'hush' }", 8, "`password` must say in one way", "{ env = \"NAME\" }"),
        ("[aws]\ndeadline = true", 8, "must be a span of time in quotes, not true or false", "deadline = \"15m\""),
        ("[provider.mfa]\namr = 'mfa'", 8, "`amr` must be a list, not text", "amr = [\"…\"]"),
        ("mfa = 'otp'", 7, "`mfa` must be a section, not text", "write [provider.mfa] once"),
        ("id = 'x'", 7, "there twice", "keep one"),
    ];
    for (more, line, message, hint) in table {
        assert_findings(&format!("{LEAST}{more}\n"), &[(*line, message, hint)]);
    }
}

#[test]
fn public_urls_that_are_none_are_refused() {
    for (url, message, hint) in [
        ("http://roles.example.org", "plain http", "TLS"),
        ("https://roles.example.org/sso", "may not have a path", "https://roles.example.org"),
        ("https://roles.example.org/?a=b", "a query", "host name of its own"),
        ("https://me:pw@roles.example.org", "a user name or a password", "before the @"),
        ("roles.example.org", "not a URL", "absolute URL"),
        ("https://roles.example.org:8443", "the issuer may not have a port", "set trust.issuer"),
    ] {
        assert_findings(&LEAST.replace("https://roles.example.org", url), &[(1, message, hint)]);
    }
}

#[test]
fn plain_http_stays_on_loopback() {
    let text = LEAST.replace("https://roles.example.org", "http://127.0.0.1:8700") + "[server]\nlisten = '0.0.0.0:8700'\n";
    assert_findings(&text, &[(1, "AWS cannot fetch keys", "sts_endpoint"), (8, "can be reached from other machines", "127.0.0.1")]);
}

#[test]
fn metrics_are_off_or_have_an_address_of_their_own_that_few_reach() {
    assert_eq!(parse(LEAST).unwrap().file.metrics, None);
    let on = parse(&format!("{LEAST}[metrics]\n")).unwrap();
    assert_eq!(on.file.metrics.map(|metrics| metrics.listen.to_string()).as_deref(), Some("127.0.0.1:9464"));
    assert_eq!(on.warnings.iter().count(), 0);
    let text = format!("{LEAST}[metrics]\nlisten = '127.0.0.1:8700'\n");
    assert_findings(&text, &[(8, "where server.listen is", "another port")]);
    let far = parse(&format!("{LEAST}[metrics]\nlisten = '0.0.0.0:9464'\n")).unwrap();
    let warnings: Vec<_> = far.warnings.iter().map(|warning| (warning.line, warning.severity)).collect();
    assert_eq!(warnings, [(8, Severity::Warning)]);
}

#[test]
fn an_issuer_that_aws_cannot_reach_is_a_warning() {
    let config = parse(&LEAST.replace("https://roles.example.org", "http://127.0.0.1:8700")).unwrap();
    let warning = config.warnings.iter().next().unwrap();
    assert_eq!((warning.line, warning.severity), (1, Severity::Warning));
    assert!(!config.warnings.has_errors());
}

#[test]
fn nothing_is_named_twice() {
    let text = LEAST.to_owned()
        + r#"email_domains = ["a.example", "b.example"]
[[provider]]
id = "okta"
name = "Again"
issuer = "https://b.example"
client_id = "x"
email_domains = ["c.example", "B.example"]
[[account]]
id = "111122223333"
name = "Production"
[[account]]
id = "111122223333"
name = "Production"
[[rule]]
id = "r"
[[rule]]
id = "r"
"#;
    assert_findings(
        &text,
        &[
            (9, "the provider id `okta` is taken by line 3", "its own id"),
            (13, "the e-mail domain `B.example` already leads to the provider of line 7", "one provider only"),
            (18, "the account id `111122223333` is taken by line 15", "its own id"),
            (19, "the account name `Production` is taken by line 16", "its own name"),
            (23, "the rule id `r` is taken by line 21", "its own id"),
        ],
    );
}

/// Asserts that a start finds this wrong at a line behind [`LEAST`], and nothing else there: of that itself it misses the client's secret.
#[track_caller]
fn refused_by_a_start(rest: &str, line: usize, words: &str) {
    let found = config::parse_with(&format!("{LEAST}{rest}"), "rolegate.toml", Path::new("."), rolegate::startup::problems).unwrap_err();
    let behind: Vec<_> = found.iter().filter(|finding| finding.line > LEAST.lines().count()).collect();
    assert!(behind.len() == 1 && behind[0].line == line && behind[0].message.contains(words), "{found}");
}

#[test]
fn tls_needs_a_pair_and_an_https_address() {
    let tls = "[server.tls]\ncertificate = 'nowhere.crt'\nkey = { file = 'nowhere.key' }\n";
    refused_by_a_start(tls, 8, "nowhere.crt cannot be read");
    let plain = LEAST.replace("https://roles.example.org", "http://127.0.0.1:8700");
    assert_ne!(plain, LEAST);
    let found = parse(&format!("{plain}{tls}")).expect_err("this file is wrong").to_string();
    assert!(found.contains("the listener does TLS, and public_url is plain http"), "{found}");
}

#[test]
fn an_alias_means_one_account() {
    let text = LEAST.to_owned()
        + r#"[[account]]
id = "111122223333"
name = "Production"
alias = "acme-prod"
[[account]]
id = "222233334444"
name = "staging"
alias = "acme-prod"
[[account]]
id = "333344445555"
name = "Other"
alias = "staging"
[[account]]
id = "444455556666"
name = "tools"
alias = "tools"
"#;
    assert_findings(
        &text,
        &[
            (14, "the account alias `acme-prod` is taken by line 10", "its own alias"),
            (18, "the alias `staging` is the name of another account, in line 13", "leave the alias out"),
        ],
    );
    refused_by_a_start("[[account]]\nid = \"555566667777\"\nname = \"Odd\"\nalias = \"-Odd\"\n", 10, "`-Odd` is no alias");
}

#[test]
fn somebody_must_be_able_to_sign_in() {
    assert_findings("public_url = 'https://a.example'\n", &[(1, "there is no identity provider", "[[provider]]")]);
    assert_findings("", &[(1, "`public_url` is missing", "browsers reach Rolegate"), (1, "there is no identity provider", "")]);
}

#[test]
fn everything_is_reported_at_once() {
    let text = r#"public_url = "http://roles.example.org"
theme = "dark"

[server]
listen = 8700
body_limit = "64k"

[store]
password = "hush"

[trust]
issuer = "https://issuer.example.org:8443"

[[provider]]
id = "okta"
name = "Okta"
isuer = "https://example.okta.com"
client_secret = "hush"
client_auth = "bsic"

[[account]]
id = 111122223333

[[rule]]
id = "r"
grups = ["a"]
max_session = "1 fortnight"

[[rule]]
id = "r"
roles = ["A", 7]
"#;
    assert_findings(
        text,
        &[
            (1, "plain http", "https"),
            (2, "unknown key `theme`", "known are:"),
            (5, "`listen` must be text in quotes", "8700"),
            (6, "`body_limit` must be a whole number", "without quotes"),
            (9, "`password` is written into the file", "{ env = \"NAME\" }"),
            (12, "may not have a port", "trust.issuer"),
            (14, "`client_id` is missing in [[provider]]", "The client id"),
            (17, "unknown key `isuer` in [[provider]]", "did you mean `issuer`?"),
            (18, "`client_secret` is written into the file", "replace it"),
            (19, "`client_auth` cannot be `bsic`", "did you mean `basic`?"),
            (21, "`name` is missing in [[account]]", "people and rules use"),
            (22, "`id` must be text in quotes", "id = \"111122223333\""),
            (26, "unknown key `grups` in [[rule]]", "did you mean `groups`?"),
            (27, "not a span of time", "longest AWS session"),
            (30, "the rule id `r` is taken by line 25", "its own id"),
            (31, "item 2 of `roles` must be text in quotes", "7"),
        ],
    );
    let printed = parse(text).unwrap_err().to_string();
    assert!(printed.starts_with("rolegate.toml:1: error: public_url is plain http"), "{printed}");
    assert!(
        printed.contains("\nrolegate.toml:17: error: unknown key `isuer` in [[provider]]\n    hint: did you mean `issuer`?\n"),
        "{printed}"
    );
    assert!(printed.ends_with("\n16 errors"), "{printed}");
    assert!(!printed.contains("hush"), "{printed}");
}

#[test]
fn what_other_modules_find_is_reported_with_the_rest() {
    let text = LEAST.to_owned() + "[[rule]]\nid = \"r\"\nmax_sesion = \"1h\"\n[[rule]]\nid = \"r\"\nroles = 3\n";
    let more = |_: &Config| {
        ["naming.session_name", "rule[1].id", "rule[1]", "rule[1].roles", "rule[0].roles"].map(|path| Problem::new(path, path, "")).to_vec()
    };
    let findings = config::parse_with(&text, "rolegate.toml", Path::new("."), more).unwrap_err();
    let found: Vec<_> = findings.iter().map(|finding| (finding.line, finding.message.as_str())).collect();
    assert_eq!(
        found,
        [
            (1, "naming.session_name"),
            (7, "rule[0].roles"),
            (9, "unknown key `max_sesion` in [[rule]]"),
            (11, "the rule id `r` is taken by line 8"),
            (12, "`roles` must be a list, not a number"),
        ]
    );
}

#[test]
fn rules_are_not_blamed_for_an_account_that_could_not_be_read() {
    let text = LEAST.to_owned() + "[[account]]\nid = 111122223333\nname = \"Production\"\n";
    let findings = config::parse_with(&text, "rolegate.toml", Path::new("."), |_| vec![Problem::new("rule[0]", "no such account", "")]);
    assert_eq!(findings.unwrap_err().len(), 1);
}

#[test]
fn what_is_no_toml_has_one_finding_with_its_column() {
    for (text, line, column, hint) in [
        ("public_url = https://a.example\n", 1, 14, "quotes"),
        ("public_url = \"https://a.example\n", 1, 32, "quote"),
        ("[server]\nlisten\n", 2, 7, "key = value"),
        ("[[account]]\nid = 012345678901\n", 2, 6, "account id is text"),
        ("[[rule]]\ngroup_pattern = \"a\\d\"\n", 2, 20, "single quotes"),
    ] {
        let findings = parse(text).unwrap_err();
        let finding = findings.iter().next().unwrap();
        assert_eq!((findings.len(), finding.line, finding.column), (1, line, Some(column)), "{findings}");
        assert!(finding.message.starts_with("this is not TOML") && finding.hint.contains(hint), "{findings}");
    }
}

#[test]
fn a_file_that_cannot_be_read_says_so() {
    let findings = config::load(Path::new("no/such/rolegate.toml")).unwrap_err();
    assert!(findings.to_string().starts_with("rolegate.toml: error: no/such/rolegate.toml cannot be read"), "{findings}");
}

#[test]
fn a_configuration_is_a_small_regular_file_of_utf8() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rolegate.toml");
    let load = |content: &[u8]| {
        std::fs::write(&path, content).unwrap();
        config::load(&path).map(|_| ()).map_err(|findings| findings.to_string())
    };
    let padded = |length: usize| format!("{LEAST}#{}", "x".repeat(length - LEAST.len() - 1)).into_bytes();
    assert_eq!(load(&padded(1 << 20)), Ok(()));
    assert_eq!(load(format!("\u{feff}{LEAST}").as_bytes()), Ok(()), "a mark that editors put in front is no reason to refuse");
    let utf16 = LEAST.encode_utf16().flat_map(u16::to_le_bytes);
    for (content, message, hint) in [
        (padded((64 << 20) + 1), "it is larger than 67108864 bytes", "check the path"),
        ([0xff, 0xfe].into_iter().chain(utf16).collect(), "is UTF-16 text", "save it as UTF-8"),
        ([LEAST.as_bytes(), b"# caf\xe9\n"].concat(), "is not UTF-8 text: see line 7", "save it as UTF-8"),
    ] {
        let found = load(&content).unwrap_err();
        assert!(found.contains(message) && found.contains(hint), "{found}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let found = config::load(&path).unwrap_err().to_string();
    assert!(found.contains("it is no regular file"), "{found}");
}

#[test]
fn a_file_with_a_secret_that_others_can_read_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rolegate.toml");
    std::fs::write(&path, format!("{LEAST}client_secret = {{ file = 'secret' }}\n")).unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hush").unwrap();
    let warnings = |mode: u32| {
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(mode)).unwrap();
        config::load(&path).unwrap().warnings.iter().map(|finding| (finding.line, finding.message.clone(), finding.hint.clone())).collect()
    };
    let none: Vec<(usize, String, String)> = warnings(0o600);
    assert_eq!(none, []);
    assert_eq!(warnings(0o400), []);
    for (mode, whom) in [(0o640, "its group"), (0o604, "everybody"), (0o644, "everybody")] {
        let found = warnings(mode);
        assert!(matches!(&found[..], [(7, message, hint)] if message.contains(whom) && hint.contains("chmod 600")), "{found:?}");
    }
}

#[test]
fn problems_of_other_modules_find_their_lines() {
    let config = parse(DEMO).unwrap();
    let line = DEMO.lines().position(|line| line.starts_with("group_pattern")).unwrap() + 1;
    let findings = config.locate(vec![
        Problem::new("rule[3].group_pattern", "m", "h"),
        Problem::new("rule[3].accounts", "not there: the rule's own line", ""),
        Problem::new("provider[0].mfa.amr[0]", "not there either", ""),
    ]);
    let lines: Vec<_> = findings.iter().map(|finding| finding.line).collect();
    let provider = DEMO.lines().position(|line| line == "[[provider]]").unwrap() + 1;
    assert_eq!(lines, [provider, line - 2, line]);
}

#[test]
fn the_example_is_right_and_so_is_all_that_it_comments_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rolegate.toml");
    std::fs::write(&path, DEMO).unwrap();
    let config = config::load(&path).unwrap();
    assert_eq!(config.base, folder.path());
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    assert_eq!((config.file.provider.len(), config.file.account.len(), config.file.rule.len()), (1, 3, 12));

    let uncommented: String = DEMO
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| rest.starts_with(|first: char| !first.is_whitespace())).unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    let config = parse(&uncommented).map_err(|findings| findings.to_string()).unwrap();
    let ids: Vec<_> = config.file.provider.iter().map(|provider| provider.id.as_str()).collect();
    assert_eq!(ids, ["sandbox", "okta", "entra", "keycloak"]);
    assert!(schema_errors(&uncommented).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a slip of the hand makes of a file, it is read or refused with lines that exist.
    #[test]
    fn a_damaged_file_is_read_or_refused(cuts in proptest::collection::vec((0..DEMO.len(), 0..40_usize, "[\\[\\]{}=\"'#.,a-z0-9\n ]{0,6}"), 1..4)) {
        let mut text = DEMO.to_owned();
        for (start, length, put) in cuts {
            // The example is ASCII, so every byte is a boundary.
            let start = start.min(text.len());
            let end = (start + length).min(text.len());
            text.replace_range(start..end, &put);
        }
        if let Err(findings) = parse(&text) {
            prop_assert!(findings.has_errors());
            prop_assert!(findings.iter().all(|finding| finding.line <= text.lines().count() + 1 && !finding.message.is_empty()), "{}", findings);
        }
    }
}

#[test]
fn a_large_file_is_read_in_no_time() {
    let rule = |n: usize| format!("[[rule]]\nid = \"r{n}\"\ngroups = [\"g{n}\"]\naccounts = [\"*\"]\nroles = [\"R\"]\n");
    let text: String = std::iter::once(LEAST.to_owned()).chain((0..10_000).map(rule)).collect();
    let start = std::time::Instant::now();
    assert_eq!(parse(&text).unwrap().line_of("rule[9999].id"), 6 + 9999 * 5 + 2);
    // Time that grows with the square of the length would be minutes.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

fn schema() -> Value {
    serde_json::from_str(&config::schema()).unwrap()
}

fn schema_errors(text: &str) -> Vec<String> {
    let file: Value = serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap();
    jsonschema::validator_for(&schema()).unwrap().iter_errors(&file).map(|error| error.to_string()).collect()
}

#[test]
fn the_schema_takes_the_example_and_refuses_what_the_loader_refuses() {
    assert_eq!(schema()["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema()["title"], "Rolegate configuration");
    assert_eq!(schema_errors(DEMO), [""; 0]);
    for wrong in [
        "colour = 'red'\n".to_owned() + LEAST,
        LEAST.replace("issuer = ", "isuer = "),
        LEAST.to_owned() + "client_secret = 'hush'\n",
        LEAST.to_owned() + "client_auth = 'bsic'\n",
        LEAST.to_owned() + "max_age = 30\n",
        LEAST.to_owned() + "[[account]]\nid = 1\nname = 'P'\n",
    ] {
        assert!(!schema_errors(&wrong).is_empty(), "{wrong}");
        assert!(parse(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn every_key_of_the_schema_is_described() {
    fn visit(schema: &Value, node: &Value, path: &str, missing: &mut Vec<String>) {
        for (key, inner) in node["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{key}");
            let target = target(schema, inner);
            if inner["description"].as_str().or(target["description"].as_str()).is_none_or(str::is_empty) {
                missing.push(path.clone());
            }
            visit(schema, target, &path, missing);
        }
    }
    let (schema, mut missing) = (schema(), Vec::new());
    visit(&schema, &schema, "", &mut missing);
    assert_eq!(missing, [""; 0]);
}

/// What a property is, behind references, lists and choices with null.
fn target<'v>(schema: &'v Value, node: &'v Value) -> &'v Value {
    if let Some(choices) = node["anyOf"].as_array() {
        return target(schema, choices.iter().find(|choice| choice["type"] != "null").unwrap());
    }
    match (node["$ref"].as_str(), node["items"].is_object()) {
        (Some(to), _) => target(schema, &schema["$defs"][to.trim_start_matches("#/$defs/")]),
        (_, true) => target(schema, &node["items"]),
        _ => node,
    }
}

/// The keys of each section, by the schema. A reference to a secret is a value, not a section.
fn sections_of_schema() -> BTreeMap<String, BTreeSet<String>> {
    fn visit(schema: &Value, node: &Value, path: &str, sections: &mut BTreeMap<String, BTreeSet<String>>) {
        let Some(properties) = node["properties"].as_object() else { return };
        sections.insert(path.to_owned(), properties.keys().cloned().collect());
        for (key, inner) in properties {
            let list = inner["items"].is_object();
            let name = if path.is_empty() { key.clone() } else { format!("{}.{key}", path.trim_matches(['[', ']'])) };
            visit(schema, target(schema, inner), &if list { format!("[[{name}]]") } else { format!("[{name}]") }, sections);
        }
    }
    let (schema, mut sections) = (schema(), BTreeMap::new());
    visit(&schema, &schema, "", &mut sections);
    sections
}

/// The rows of the reference: section, key and default.
fn rows_of_reference() -> Vec<(String, String, String)> {
    let mut section = String::new();
    let mut rows = Vec::new();
    for line in REFERENCE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = if heading == "Top level" { String::new() } else { heading.trim_matches('`').to_owned() };
        } else if line.starts_with("| `") {
            let cells: Vec<_> = line.split(" | ").map(|cell| cell.trim_matches(['|', ' ', '`'])).collect();
            rows.push((section.clone(), cells[0].to_owned(), cells[1].to_owned()));
        }
    }
    rows
}

#[test]
fn the_reference_has_every_key_and_no_other() {
    let mut described: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (section, key, _) in rows_of_reference() {
        assert!(described.entry(section.clone()).or_default().insert(key.clone()), "{section} {key} is there twice");
    }
    assert_eq!(described, sections_of_schema());
}

#[test]
fn the_reference_tells_the_true_defaults() {
    let rows = rows_of_reference();
    let told = |section: &str, key: &str| rows.iter().find(|row| row.0 == section && row.1 == key).map(|row| row.2.clone()).expect(key);
    let least = "[[saml_provider]]\nid = \"corp\"\nname = \"Corp\"\nmetadata = { url = \"https://idp.example\" }\n";
    let workload = "[[workload_provider]]\nid = \"ci\"\nissuer = \"https://ci.example\"\naudience = \"https://roles.example.org\"\n";
    let file = parse(&format!("{LEAST}{least}{workload}")).unwrap().file;
    let (provider, saml, workload) = (&file.provider[0], &file.saml_provider[0], &file.workload_provider[0]);
    for (section, key, value) in [
        ("[server]", "listen", file.server.listen.to_string()),
        ("[server]", "request_timeout", file.server.request_timeout.to_string()),
        ("[server]", "body_limit", file.server.body_limit.to_string()),
        ("[server]", "shutdown_delay", file.server.shutdown_delay.to_string()),
        ("[server]", "shutdown_grace", file.server.shutdown_grace.to_string()),
        ("[server]", "sign_in_rate", file.server.sign_in_rate.to_string()),
        ("[server]", "sign_in_burst", file.server.sign_in_burst.to_string()),
        ("[server]", "person_rate", file.server.person_rate.to_string()),
        ("[server]", "person_burst", file.server.person_burst.to_string()),
        ("[server]", "workload_rate", file.server.workload_rate.to_string()),
        ("[server]", "workload_burst", file.server.workload_burst.to_string()),
        ("[log]", "level", file.log.level.clone()),
        ("[store]", "url", file.store.url.clone()),
        ("[audit]", "file", file.audit.file.display().to_string()),
        ("[audit]", "require", format!("{:?}", file.audit.require).to_lowercase()),
        ("[audit]", "deadline", file.audit.deadline.to_string()),
        ("[session]", "idle", file.session.idle.to_string()),
        ("[session]", "absolute", file.session.absolute.to_string()),
        ("[trust]", "audience", file.trust.audience.clone()),
        ("[trust.saml]", "provider_name", rolegate::trust::SamlTrustSettings::default().provider_name),
        ("[aws]", "deadline", file.aws.deadline.to_string()),
        ("[naming]", "session_name", file.naming.session_name.clone()),
        ("[naming]", "source_identity", file.naming.source_identity.clone()),
        ("[[provider]]", "scopes", format!("{:?}", provider.scopes)),
        ("[[provider]]", "groups_claim", provider.groups_claim.clone()),
        ("[[provider]]", "username_claim", provider.username_claim.clone()),
        ("[[provider]]", "algorithms", format!("{:?}", provider.algorithms)),
        ("[[provider]]", "userinfo", provider.userinfo.to_string()),
        ("[[provider]]", "private_network", provider.private_network.to_string()),
        ("[provider.mfa]", "amr", format!("{:?}", provider.mfa.amr)),
        ("[[saml_provider]]", "binding", format!("{:?}", saml.binding).to_lowercase()),
        ("[[saml_provider]]", "groups_attribute", saml.groups_attribute.clone()),
        ("[[saml_provider]]", "mfa", format!("{:?}", saml.mfa)),
        ("[[saml_provider]]", "clock_skew", saml.clock_skew.to_string()),
        ("[[saml_provider]]", "single_logout", saml.single_logout.to_string()),
        ("[[saml_provider]]", "idp_initiated", saml.idp_initiated.to_string()),
        ("[[saml_provider]]", "want_encrypted", saml.want_encrypted.to_string()),
        ("[[saml_provider]]", "allow_cbc", saml.allow_cbc.to_string()),
        ("[[saml_provider]]", "force_authn", saml.force_authn.to_string()),
        ("[[saml_provider]]", "authn_context", format!("{:?}", saml.authn_context)),
        ("[[saml_provider]]", "email_domains", format!("{:?}", saml.email_domains)),
        ("[[saml_provider]]", "private_network", saml.private_network.to_string()),
        ("[[workload_provider]]", "algorithms", format!("{:?}", workload.algorithms)),
        ("[[workload_provider]]", "groups_claim", workload.groups_claim.clone()),
        ("[[workload_provider]]", "username_claim", workload.username_claim.clone()),
        ("[[workload_provider]]", "uses", workload.uses.to_string()),
        ("[[workload_provider]]", "max_age", format!("{}h", workload.max_age.as_secs() / 3600)),
        ("[[workload_provider]]", "private_network", workload.private_network.to_string()),
    ] {
        assert_eq!(told(section, key), value, "{section} {key}");
    }
    for (section, keys) in sections_of_schema() {
        let node = rows.iter().filter(|row| row.0 == section && row.2 == "*required*").map(|row| row.1.clone()).collect::<BTreeSet<_>>();
        let required: &[&str] = match section.as_str() {
            "" => &["public_url"],
            "[[provider]]" => &["client_id", "id", "issuer", "name"],
            "[[saml_provider]]" => &["id", "metadata", "name"],
            "[[saml_provider.encryption_keys]]" => &["key"],
            "[[workload_provider]]" => &["audience", "id", "issuer"],
            "[[account]]" => &["id", "name"],
            "[[iam_user]]" => &["access_key_id", "account", "id", "secret_access_key"],
            "[[rule]]" => &["id"],
            "[rule.requestable]" => &["approvers"],
            "[[webhook]]" => &["secret", "url"],
            "[server.tls]" => &["certificate", "key"],
            "[traces]" => &["endpoint"],
            _ => &[],
        };
        assert_eq!(node.iter().map(String::as_str).collect::<Vec<_>>(), required, "{section} {keys:?}");
    }
}

#[test]
fn a_rule_by_saml_needs_what_signs_or_what_is_forwarded() {
    let rule = |operation: &str| {
        format!(
            "{DEMO}\n[[rule]]\nid = \"by-saml\"\ngroups = [\"g\"]\naccounts = [\"Staging\"]\nroles = [\"R\"]\noperation = \"{operation}\"\n"
        )
    };
    let told = |text: &str| config::parse(text, "c.toml", Path::new(".")).err().map(|findings| findings.to_string()).unwrap_or_default();
    assert!(told(&rule("saml")).is_empty());
    let without = rule("saml").replace("[trust.saml]", "[help]").replace("provider_name = \"Rolegate\"", "").replacen(
        "[help]\n# Shown",
        "# Shown",
        1,
    );
    assert!(told(&without).contains("SAML towards AWS is not configured"), "{}", told(&without));
    assert!(told(&rule("forwarded_saml")).contains("no SAML provider addresses its assertions to AWS"));
    let forwards = rule("forwarded_saml").replace("idp_initiated = true", "aws_recipient = \"https://signin.aws.amazon.com/saml\"");
    assert!(told(&forwards).is_empty(), "{}", told(&forwards));
}

#[test]
fn s16_two_providers_that_would_take_each_others_assertions_are_refused() {
    let provider = |id: &str, more: &str| {
        format!("[[saml_provider]]\nid = \"{id}\"\nname = \"{id}\"\nmetadata = {{ url = \"https://idp.example/metadata\" }}\n{more}\n")
    };
    let told = |one: &str, other: &str| {
        let text = format!("{LEAST}{}{}", provider("one", one), provider("two", other));
        parse(&text).err().map(|findings| findings.to_string()).unwrap_or_default()
    };
    let same = "the same metadata and the same entity ID of ours";
    assert!(told("sp_entity_id = \"urn:us\"", "sp_entity_id = \"urn:us\"").contains(same));
    assert!(told("", "sp_entity_id = \"https://roles.example.org/saml/one\"").contains(same), "the default of the other counts");
    for (one, other) in [
        ("", ""),
        ("sp_entity_id = \"urn:us\"", ""),
        ("sp_entity_id = \"urn:us\"", "sp_entity_id = \"urn:them\""),
        ("sp_entity_id = \"urn:us\"\nentity_id = \"urn:idp1\"", "sp_entity_id = \"urn:us\"\nentity_id = \"urn:idp2\""),
    ] {
        assert_eq!(told(one, other), "", "{one} {other}");
    }
}

#[test]
fn a_role_that_no_saml_response_can_name_is_refused_for_saml() {
    let told = |operation: &str, role: &str| {
        let rule = format!(
            "\n[[rule]]\nid = \"r\"\ngroup_pattern = \"x-(?<r>.+)\"\naccounts = [\"Staging\"]\nroles = [\"{role}\"]\noperation = \"{operation}\"\n"
        );
        let text = format!("{DEMO}{rule}").replace("idp_initiated = true", "aws_recipient = \"https://signin.aws.amazon.com/saml\"");
        let checked =
            config::parse_with(&text, "c.toml", Path::new("."), |config| rolegate::startup::policy(config).err().unwrap_or_default());
        checked.err().map(|findings| findings.to_string()).unwrap_or_default()
    };
    for (operation, role) in [("saml", "a,b"), ("saml", "a,${r}"), ("forwarded_saml", "a,b")] {
        assert!(told(operation, role).contains(&format!("`{role}` has a comma in it")), "{operation} {role}: {}", told(operation, role));
    }
    for (operation, role) in [("saml", "ab"), ("web_identity", "a,b")] {
        assert_eq!(told(operation, role), "", "{operation} {role}");
    }
}

#[test]
fn a_rule_that_asks_for_an_address_wants_the_proxy_named() {
    let rule = "[[account]]\nid = \"111122223333\"\nname = \"A\"\n[[rule]]\nid = \"r\"\ngroups = [\"g\"]\naccounts = [\"A\"]\nroles = [\"R\"]\n\
                when = 'request.ip.within(\"10.0.0.0/8\")'\n";
    let text = format!("{LEAST}{rule}");
    let warned =
        |text: &str| parse(text).unwrap().warnings.iter().map(|finding| (finding.line, finding.message.clone())).collect::<Vec<_>>();
    let found = warned(&text);
    assert!(matches!(found.as_slice(), [(15, message)] if message.contains("the proxy that does TLS is not named")), "{found:?}");
    assert!(warned(&format!("{text}[server]\ntrusted_proxies = [\"127.0.0.1/32\"]\n")).is_empty());
}

#[test]
fn what_an_operation_cannot_do_is_found_at_its_line() {
    const HEAD: &str = "[[account]]\nid = \"111122223333\"\nname = \"A\"\n[[iam_user]]\nid = \"u\"\naccount = \"A\"\naccess_key_id = \"AKIAIOSFODNN7EXAMPLE\"\nsecret_access_key = { env = \"S\" }\n[[rule]]\nid = \"r\"\ngroups = [\"g\"]\n";
    const ROLE: &str = "accounts = [\"A\"]\nroles = [\"R\"]\n";
    let found = |rule: &str| {
        let policy = |config: &Config| rolegate::startup::policy(config).err().unwrap_or_default();
        let checked = config::parse_with(&format!("{LEAST}{HEAD}{rule}"), "c.toml", Path::new("."), policy);
        checked.err().map(|findings| findings.to_string()).unwrap_or_default()
    };
    // LEAST has 6 lines and HEAD 11: what a rule says begins at line 18.
    for (rule, finding, hint) in [
        (format!("{ROLE}external_id = \"abc\"\n"), "c.toml:20: error: only AssumeRole has an external id", "operation = \"assume_role\""),
        (
            format!("{ROLE}operation = \"assume_role\"\nvia = \"arn:aws:iam::111122223333:role/H\"\nmax_session = \"2h\"\n"),
            "c.toml:22: error: a session that comes by way of another role lasts an hour at most",
            "max_session = \"1h\"",
        ),
        (
            "operation = \"federation_token\"\niam_user = \"u\"\nfederated = \"f\"\n".into(),
            "c.toml:18: error: without a session policy a federated session may do nothing",
            "session_policy or policy_arns",
        ),
        (
            "operation = \"session_token\"\niam_user = \"u\"\npurposes = [\"console\"]\n".into(),
            "c.toml:20: error: AWS lets no session of GetSessionToken into the console",
            "for the console use a role",
        ),
        ("operation = \"session_token\"\niam_user = \"u\"\n".into(), "c.toml:19: error: the user has no MFA device", "mfa_serial"),
        (
            format!("{ROLE}operation = \"assume_role\"\nvia = \"arn:aws:iam::111122223333:role/H\"\nvia_operation = \"saml\"\n"),
            "c.toml:22: error: SAML towards AWS is not configured",
            "[trust.saml]",
        ),
    ] {
        let told = found(&rule);
        assert!(told.contains(finding) && told.contains(hint), "no `{finding}` with `{hint}` in\n{told}");
    }
    assert_eq!(found(&format!("{ROLE}operation = \"assume_role\"\nexternal_id = \"abc\"\nmax_session = \"12h\"\n")), "");
}
