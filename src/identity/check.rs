//! What the settings of all providers have in common, and the findings about them.

use std::path::Path;

use jsonwebtoken::Algorithm;

use super::ProviderId;
use super::jwt::{ASYMMETRIC, asymmetric};
use crate::settings::{LARGEST_FILE, Problem, read_file};

/// More groups than this, or longer ones, are not from a sound provider: a token of that size would hardly reach us.
const MOST_GROUPS: usize = 5_000;
const LONGEST_GROUP: usize = 256;

/// Collects findings below one path.
pub(super) struct Findings<'a> {
    path: &'a str,
    pub(super) list: Vec<Problem>,
}

impl<'a> Findings<'a> {
    pub(super) const fn below(path: &'a str) -> Self {
        Self { path, list: Vec::new() }
    }

    pub(super) fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    pub(super) fn add(&mut self, key: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.list.push(Problem::new(self.at(key), message, hint));
    }

    pub(super) fn keep<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.list.push(problem)).ok()
    }

    /// Reads a file that is no secret.
    pub(super) fn file(&mut self, key: &str, file: &Path, base: &Path) -> Option<Vec<u8>> {
        let file = base.join(file);
        let unreadable = |error: std::io::Error| format!("the file {} cannot be read: {error}", file.display());
        let read = read_file(&file, LARGEST_FILE).map_err(unreadable);
        read.map_err(|message| self.add(key, message, "check the path and who may read it")).ok()
    }
}

/// Ids that are parts of addresses already: `/login/initiate`, `/saml/idp/metadata`.
const RESERVED: [&str; 2] = ["initiate", "idp"];

/// A provider's id.
pub(super) fn id(text: &str, findings: &mut Findings<'_>) -> Option<ProviderId> {
    if RESERVED.contains(&text) {
        findings.add("id", format!("`{text}` is taken by an address of Rolegate's own"), "choose another id");
    }
    text.parse().map_err(|error| findings.add("id", format!("{error}"), "for example \"okta\" or \"entra-id\"")).ok()
}

/// The signature algorithms that a provider's tokens may have.
pub(super) fn algorithms(names: &[String], findings: &mut Findings<'_>) -> Vec<Algorithm> {
    let known = ASYMMETRIC.map(|(name, _)| name).join(", ");
    if names.is_empty() {
        findings.add("algorithms", "no algorithm is listed, so no token could be accepted", format!("choose from {known}"));
    }
    let mut list = Vec::new();
    for (index, name) in names.iter().enumerate() {
        if let Some(algorithm) = asymmetric(name) {
            list.push(algorithm);
        } else {
            let why = if name == "none" || name.starts_with("HS") { "proves nothing about who signed" } else { "is not known" };
            findings.add(&format!("algorithms[{index}]"), format!("`{name}` {why}"), format!("choose from {known}"));
        }
    }
    list
}

/// The name of a claim, or a JSON pointer to one.
pub(super) fn claim_name(key: &str, claim: &str, findings: &mut Findings<'_>) {
    let escapes_are_whole = claim.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if claim.is_empty() || claim.chars().any(char::is_control) || (claim.starts_with('/') && (claim == "/" || !escapes_are_whole)) {
        findings.add(key, "it is neither a name nor a JSON pointer", "for example \"groups\" or \"/realm_access/roles\"");
    }
}

/// The certificate authority to trust instead of the system's.
pub(super) fn authority(file: Option<&Path>, base: &Path, findings: &mut Findings<'_>) -> Option<Vec<u8>> {
    findings.file("ca_file", file?, base)
}

/// The domains in lower case.
pub(super) fn email_domains(domains: &[String], findings: &mut Findings<'_>) -> Vec<String> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    for (index, domain) in domains.iter().enumerate() {
        if domain.len() > 253 || !domain.contains('.') || !domain.split('.').all(is_label) {
            let hint = "write the part after the @, for example \"example.org\"; international names in their xn-- form";
            findings.add(&format!("email_domains[{index}]"), format!("`{domain}` is not a domain"), hint);
        }
    }
    domains.iter().map(|domain| domain.to_ascii_lowercase()).collect()
}

/// Whether groups are such as a sound provider sends.
pub(super) fn sound_groups(groups: &[String]) -> bool {
    groups.len() <= MOST_GROUPS && groups.iter().all(|group| !group.is_empty() && group.len() <= LONGEST_GROUP)
}
