//! The architecture as a test: which module may import which, and which library may be used where. ARCHITECTURE.md tells the reasons.
//!
//! It reads the sources as tokens, so that comments and texts do not count, and resolves `crate`, `super` and `use` groups.

#![expect(clippy::expect_used, reason = "a test that goes wrong should stop; the helpers stand outside of test functions")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A module imports only what stands to its left; what shares a place does not import each other.
const ORDER: [&[&str]; 11] = [
    &["arn", "clock", "cores", "posting", "request_id", "settings", "spans", "terminal"],
    &["lasting", "saml"],
    &["identity"],
    &["access"],
    &["trust"],
    &["iam"],
    &["aws"],
    &["store", "audit"],
    &["alarm"],
    &["gateway"],
    &["web"],
];
/// They put the rest together, so they see all of it.
const COMPOSERS: [&str; 6] = ["commands", "config", "demo", "lib", "main", "startup"];

/// A library, and the only places that may use it. A `*` at the end of a name stands for any rest.
const FENCES: [(&str, &[&str]); 33] = [
    ("actix_*", &["web", "sandbox"]),
    ("aws_sdk_*", &["aws"]),
    ("aws_smithy_*", &["aws"]),
    ("aws_config", &["aws"]),
    ("aws_credential_types", &["sandbox"]),
    ("aws_sigv4", &["sandbox"]),
    ("cel", &["access"]),
    ("redis", &["store::redis"]),
    ("futures_util", &["store::redis"]),
    ("opentelemetry", &["startup::traces"]),
    ("opentelemetry_*", &["startup::traces"]),
    ("tracing_opentelemetry", &["startup::traces"]),
    ("governor", &["web"]),
    ("rustls", &["web::tls", "audit::stream::net"]),
    ("rustls_native_certs", &["audit::stream::net"]),
    ("prometheus_client", &["web::metrics"]),
    ("openidconnect", &["identity"]),
    ("oauth2", &["identity"]),
    ("jsonwebtoken", &["identity", "trust", "sandbox"]),
    ("samael", &["saml"]),
    ("libxml", &["saml"]),
    ("bergshamra", &["saml"]),
    ("askama", &["web", "sandbox"]),
    ("clap_complete", &["client"]),
    ("clap_mangen", &["client"]),
    ("etcetera", &["client::places"]),
    ("hyper", &["client"]),
    ("hyper_util", &["client::loopback"]),
    ("keyring", &["client::keeper"]),
    ("rustix", &["audit::stream::net", "client", "commands::server", "config::checks"]),
    ("similar", &["client::configure"]),
    ("procfs", &["client::same_user"]),
    ("webbrowser", &["client::login"]),
];
/// The only places that may go around the compiler's guarantees: a C library's tables can be reached in no other way.
const UNSAFE: [&str; 3] = ["saml::hardening", "saml::known_keys", "saml::known_keys::tests"];
/// Modules that decide, mint and render: a value in, a value out.
const PURE: [&str; 9] = ["arn", "access", "trust", "iam", "saml", "aws::formats", "settings", "terminal", "client::pick"];
/// What has no place in them: runtimes, clients, servers.
const IMPURE: [&str; 5] = ["tokio", "reqwest", "actix_*", "hyper", "redis"];

/// Words that may stand before a path that begins with `::`.
const KEYWORDS: [&str; 18] = [
    "as", "box", "break", "const", "dyn", "else", "for", "if", "impl", "in", "let", "match", "move", "mut", "ref", "return", "use", "where",
];

/// A path in the source, resolved as far as the source itself tells.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    /// Something of this crate: the top module.
    Ours(String),
    /// Something else: a library, a type, a local name; all segments.
    Other(Vec<String>),
}

/// All paths of one file, found by walking its tokens.
struct Finder {
    /// The module that the walk is in.
    module: Vec<String>,
    /// Modules that the file declares: a path that begins with one is local, whatever library has the same name.
    declared: BTreeSet<String>,
    found: Vec<Named>,
}

impl Finder {
    fn read(source: &str, module: &[String]) -> Vec<Named> {
        let tokens: TokenStream = source.parse().expect("the source is Rust");
        let mut finder = Self { module: module.to_vec(), declared: BTreeSet::new(), found: Vec::new() };
        finder.declarations(&tokens);
        finder.walk(tokens);
        finder.found
    }

    fn declarations(&mut self, tokens: &TokenStream) {
        let tokens: Vec<_> = tokens.clone().into_iter().collect();
        for pair in tokens.windows(2) {
            if let [TokenTree::Ident(word), TokenTree::Ident(name)] = pair
                && word == "mod"
            {
                self.declared.insert(name.to_string());
            }
        }
    }

    fn walk(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Group(group) => self.walk(group.stream()),
                TokenTree::Ident(word) if word == "mod" => {
                    if let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) = (tokens.get(at), tokens.get(at + 1)) {
                        self.module.push(name.to_string());
                        self.walk(body.stream());
                        self.module.pop();
                        at += 2;
                    }
                }
                // `use ::redis` is no path that begins with `use`.
                TokenTree::Ident(word) if KEYWORDS.iter().any(|keyword| word == keyword) => {}
                TokenTree::Ident(_) => {
                    let is_import = at >= 2 && matches!(tokens.get(at - 2), Some(TokenTree::Ident(word)) if word == "use");
                    at = self.path(&tokens, at - 1, Vec::new(), is_import);
                }
                _ => {}
            }
        }
    }

    /// Reads a path that begins at a word; says where it ends.
    fn path(&mut self, tokens: &[TokenTree], mut at: usize, mut segments: Vec<String>, is_import: bool) -> usize {
        while let Some(TokenTree::Ident(word)) = tokens.get(at) {
            segments.push(word.to_string());
            at += 1;
            if !(is_colon(tokens.get(at)) && is_colon(tokens.get(at + 1))) {
                break;
            }
            if let Some(TokenTree::Group(group)) = tokens.get(at + 2)
                && group.delimiter() == Delimiter::Brace
            {
                self.group(group.stream(), &segments);
                return at + 3;
            }
            at += 2;
        }
        // A word alone is a variable or a keyword, unless it is imported.
        if segments.len() > 1 || is_import {
            self.add(segments);
        }
        at
    }

    /// `use prefix::{…}`.
    fn group(&mut self, inside: TokenStream, prefix: &[String]) {
        let tokens: Vec<_> = inside.into_iter().collect();
        for item in tokens.split(|token| matches!(token, TokenTree::Punct(comma) if comma.as_char() == ',')) {
            match item.first() {
                Some(TokenTree::Ident(_)) => {
                    self.path(item, 0, prefix.to_vec(), true);
                }
                Some(_) => self.add(prefix.to_vec()),
                None => {}
            }
        }
    }

    fn add(&mut self, segments: Vec<String>) {
        let mut base = match segments.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self" | "super") => self.module.clone(),
            Some(first) if self.declared.contains(first) => return,
            _ => return self.found.push(Named::Other(segments)),
        };
        for segment in segments {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => {
                    base.pop();
                }
                _ => base.push(segment),
            }
        }
        if let Some(top) = base.into_iter().next() {
            self.found.push(Named::Ours(top));
        }
    }
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(colon)) if colon.as_char() == ':')
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|place| place.contains(&module))
}

fn may_import(from: &str, to: &str) -> bool {
    match (rank(from), rank(to)) {
        _ if from == to || COMPOSERS.contains(&from) => true,
        (Some(from), Some(to)) => to < from,
        // The sandbox plays the others' counterparts: it must not share their mistakes. It verifies SAML by two foreign verifiers, and those
        // are `saml`'s.
        (None, Some(0)) => from == "sandbox" || from == "client",
        // Of `aws` only what is built without the gateway: the formats of credentials.
        (None, _) if from == "client" => to == "aws",
        (None, _) => from == "sandbox" && to == "saml",
        _ => false,
    }
}

fn matches_name(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix))
}

fn is_within(module: &str, place: &str) -> bool {
    module.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// What a source in a module may not do; empty when all is well.
fn violations(source: &str, module: &str) -> Vec<String> {
    let segments: Vec<String> = module.split("::").map(str::to_owned).collect();
    let top = segments.first().map(String::as_str).unwrap_or_default();
    let mut wrong = BTreeSet::new();
    for named in Finder::read(source, &segments) {
        match named {
            Named::Ours(to) if !may_import(top, &to) => {
                wrong.insert(format!("{module} imports {to}, which does not stand to its left"));
            }
            Named::Ours(_) => {}
            Named::Other(path) => {
                let library = path.first().map(String::as_str).unwrap_or_default();
                for (fenced, places) in FENCES {
                    if matches_name(fenced, library) && !places.iter().any(|place| is_within(module, place)) {
                        wrong.insert(format!("{module} uses {library}, which belongs in {} alone", places.join(", ")));
                    }
                }
                if PURE.iter().any(|pure| is_within(module, pure)) && IMPURE.iter().any(|impure| matches_name(impure, library)) {
                    wrong.insert(format!("{module} uses {library}, and is one of the pure modules"));
                }
                let reads_time = ["Utc::now", "Local::now", "SystemTime::now"].iter().any(|call| path.join("::").ends_with(call));
                if reads_time && module != "clock" {
                    wrong.insert(format!("{module} reads the time, which only clock may"));
                }
            }
        }
    }
    wrong.into_iter().collect()
}

/// Whether `unsafe` or a lint of that name stands anywhere in a source.
fn mentions_unsafe(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions_unsafe(group.stream()),
        TokenTree::Ident(word) => word == "unsafe" || word == "unsafe_code",
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Every source file with its module's path.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut sources) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder is there") {
            let path = entry.expect("the entry can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(&root).expect("it lies below").with_extension("");
                let mut module: Vec<_> = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
                if module.last().is_some_and(|last| last == "mod") {
                    module.pop();
                }
                // By `#[path]` the tests of a large file stand beside it.
                if let Some(parent) = module.last().and_then(|last| last.strip_suffix("_tests")).map(str::to_owned) {
                    module.pop();
                    module.extend([parent, "tests".to_owned()]);
                }
                sources.push((path, module.join("::")));
            }
        }
    }
    sources
}

#[test]
fn imports_point_to_the_left_and_libraries_stay_in_their_fences() {
    let sources = sources();
    let mut wrong = Vec::new();
    for (path, module) in &sources {
        wrong.extend(violations(&std::fs::read_to_string(path).expect("the source can be read"), module));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A test that read nothing would pass too.
    for place in ORDER.iter().copied().flatten().chain(&["sandbox", "client", "config"]) {
        assert!(sources.iter().any(|(_, module)| is_within(module, place)), "there is no module {place} any more: mend this test");
    }
}

#[test]
fn every_module_of_the_crate_has_a_place() {
    for (_, module) in sources() {
        let top = module.split("::").next().unwrap_or_default();
        assert!(rank(top).is_some() || ["sandbox", "client"].contains(&top) || COMPOSERS.contains(&top), "{top} has no place in the order");
    }
}

#[test]
fn unsafe_code_stands_in_its_one_place() {
    let mut found = BTreeSet::new();
    for (path, module) in sources() {
        let source = std::fs::read_to_string(path).expect("the source can be read");
        if mentions_unsafe(source.parse().expect("the source is Rust")) {
            found.insert(module);
        }
    }
    assert_eq!(found, UNSAFE.map(str::to_owned).into());
    // Without the lint the places above would need no leave.
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).expect("it can be read");
    assert!(manifest.contains("\nunsafe_code = \"deny\"\n"));
    assert!(mentions_unsafe("fn f() { g(|| unsafe { h() }) }".parse().expect("it is Rust")));
    assert!(!mentions_unsafe("/// unsafe\nconst A: &str = \"unsafe\";".parse().expect("it is Rust")));
}

/// Each planted violation is found, and the same words where they are allowed are not.
#[test]
fn planted_violations_are_found() {
    for (source, wrong_in, right_in) in [
        ("use crate::web::Site;", "gateway::issue", "startup"),
        ("use crate::{arn::RoleArn, gateway::{self, Gateway}};", "audit", "web::portal"),
        ("fn f() { let _ = crate::store::Vault::new(); }", "access::decide", "gateway"),
        ("use super::super::aws::Credentials;", "trust::issuer", "aws::sts"),
        ("mod tests { use super::super::web::Site; }", "gateway", "web"),
        ("use crate::store::Store;", "audit::log", "store::memory"),
        ("use crate::identity::Identity;", "sandbox::idp", "access"),
        ("use crate::sandbox::PEOPLE;", "web", "demo"),
        ("use crate::config::Config;", "gateway", "startup"),
        ("use crate::client::Command;", "gateway", "main"),
        ("use crate::identity::Identity;", "client::desk", "access"),
        ("use crate::{aws::formats::Format, store::Vault};", "client::issue", "gateway"),
        ("use keyring::Entry;", "client::cache", "client::keeper"),
        ("use crate::aws::Mender;", "identity", "client::trouble"),
        ("use actix_web::web;", "gateway", "web::login"),
        ("use actix_rt;", "aws", "sandbox"),
        ("use prometheus_client::registry::Registry;", "audit::counts", "web::metrics::sheet"),
        ("type C = aws_sdk_sts::Client;", "gateway", "aws::sts"),
        ("use ::redis::Client;", "store::settings", "store::redis"),
        ("fn f() -> openidconnect::Nonce { loop {} }", "gateway", "identity::oidc"),
        ("use samael::crypto::Crypto;", "identity::saml", "saml::verify"),
        ("fn f() { bergshamra::verify_all(); }", "web::login", "saml::verify"),
        ("use libxml::parser::Parser;", "gateway", "saml"),
        ("use crate::identity::Identity;", "saml::read", "access"),
        ("use {std::fmt, jsonwebtoken::jwk};", "access", "trust::keys"),
        ("fn f() { tokio::spawn(g()); }", "access::decide", "store"),
        ("use reqwest::Client;", "aws::formats", "aws::console"),
        ("fn f() { chrono::Utc::now(); }", "store::memory", "clock"),
        ("m! { std::time::SystemTime::now() }", "web::site", "clock"),
    ] {
        assert_ne!(violations(source, wrong_in), [""; 0], "{source} in {wrong_in}");
        assert_eq!(violations(source, right_in), [""; 0], "{source} in {right_in}");
    }
}

#[test]
fn what_is_no_import_is_not_taken_for_one() {
    for source in [
        "// use crate::web::Site;",
        "/// [`Gateway`](crate::gateway::Gateway)\nfn f() {}",
        "const TEXT: &str = \"use crate::web::Site; tokio::spawn\";",
        "const TEXT: &str = r#\"actix_web::web\"#;",
        "use self::web::Own; mod web;",
        "mod redis; pub use redis::RedisStore;",
        "mod tests { use super::*; }",
    ] {
        assert_eq!(violations(source, "access"), [""; 0], "{source}");
    }
}
