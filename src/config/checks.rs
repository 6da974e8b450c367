//! What no module can check alone: values against each other, and the URLs that all of them use.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use url::Url;

use super::places::Places;
use super::{ConfigFile, urls, workloads};
use crate::access::{Operation, RuleSettings};
use crate::aws::organization::{self, OrganizationSettings};
use crate::settings::{Problem, SecretRef, is_loopback};
use crate::trust::SamlTrustSettings;

/// Adds everything that is wrong with a file whose form is right, and brings its public URL into the normal form.
pub(super) fn check(file: &mut ConfigFile, places: &Places, base: &Path, problems: &mut Vec<Problem>) {
    check_addresses(file, problems);
    file.server.check("server", problems);
    file.log.check("log", problems);
    if let Some(traces) = &file.traces {
        traces.check("traces", base, problems);
    }
    if let Some(metrics) = &file.metrics {
        metrics.check("metrics", file.server.listen, problems);
    }
    file.store.check("store", base, problems);
    file.session.check("session", problems);
    file.command_line.check("command_line", file.session.absolute, problems);
    file.audit.check("audit", base, problems);
    file.help.check("help", problems);
    file.portal.brand.check("portal.brand", base, problems);
    file.organization.check("organization", problems);
    check_secret_names(file, problems);
    if file.provider.is_empty() && file.saml_provider.is_empty() {
        problems.push(Problem::new(
            "provider",
            "there is no identity provider",
            "add a [[provider]] or a [[saml_provider]]: nobody can sign in without one",
        ));
    }
    let saml_ids = at("saml_provider", file.saml_provider.iter().map(|provider| provider.id.as_str()));
    let workload_ids = at("workload_provider", file.workload_provider.iter().map(|provider| provider.id.as_str()));
    let ids = at("provider", file.provider.iter().map(|provider| provider.id.as_str())).chain(saml_ids).chain(workload_ids);
    check_unique(("provider", "id"), ids, places, problems);
    check_unique(("account", "id"), at("account", file.account.iter().map(|account| account.id.as_str())), places, problems);
    check_unique(("account", "name"), at("account", file.account.iter().map(|account| account.name.as_str())), places, problems);
    let aliases = file.account.iter().map(|account| account.alias.as_deref().unwrap_or_default());
    check_unique(("account", "alias"), at("account", aliases), places, problems);
    check_aliases(file, places, problems);
    check_unique(("iam_user", "id"), at("iam_user", file.iam_user.iter().map(|user| user.id.as_str())), places, problems);
    check_unique(("rule", "id"), at("rule", file.rule.iter().map(|rule| rule.id.as_str())), places, problems);
    check_email_domains(file, places, problems);
    workloads::check(file, places, problems);
    check_saml_rules(file, problems);
    check_saml_audiences(file, places, problems);
}

/// An alias that is another account's name would mean both.
fn check_aliases(file: &ConfigFile, places: &Places, problems: &mut Vec<Problem>) {
    for (index, account) in file.account.iter().enumerate() {
        let Some(alias) = &account.alias else { continue };
        if let Some(other) = file.account.iter().position(|other| other.id != account.id && other.name.trim().eq_ignore_ascii_case(alias)) {
            let line = places.line_of(&format!("account[{other}].name"));
            problems.push(Problem::new(
                format!("account[{index}].alias"),
                format!("the alias `{alias}` is the name of another account, in line {line}"),
                "give that account another name, or leave the alias out",
            ));
        }
    }
}

/// Two providers of the same metadata with the same entity ID of ours would take each other's assertions and logout messages.
fn check_saml_audiences(file: &ConfigFile, places: &Places, problems: &mut Vec<Problem>) {
    let mut seen: BTreeMap<_, String> = BTreeMap::new();
    for (index, provider) in file.saml_provider.iter().enumerate() {
        let own = || format!("{}/saml/{}", file.public_url, provider.id);
        let audience = provider.sp_entity_id.clone().unwrap_or_else(own);
        let path = format!("saml_provider[{index}].sp_entity_id");
        let key = (&provider.metadata.url, &provider.metadata.file, &provider.entity_id, audience);
        if let Some(first) = seen.get(&key) {
            let line = places.line_of(first);
            problems.push(Problem::new(
                path,
                format!("the provider of line {line} has the same metadata and the same entity ID of ours: what is meant for one is taken by both"),
                "give each its own sp_entity_id and register both at the provider, or make one of them",
            ));
        } else {
            seen.insert(key, path);
        }
    }
}

/// The copy of the organization's accounts that was in force last; a broken one is warned of and does without.
pub(super) fn kept(settings: &OrganizationSettings, base: &Path, problems: &mut Vec<Problem>) -> Option<organization::Copy> {
    let path = base.join(&settings.cache);
    organization::Copy::read(&path).unwrap_or_else(|error| {
        let message = format!("the copy of the organization's accounts {} cannot be used: {error}", path.display());
        problems.push(Problem::new("organization.cache", message, "take it away, and it is made anew when AWS answers"));
        None
    })
}

/// A rule must not ask for what nobody can sign.
pub(super) fn check_saml_rules(file: &ConfigFile, problems: &mut Vec<Problem>) {
    let forwards = file.saml_provider.iter().any(|provider| provider.aws_recipient.is_some());
    for (index, rule) in file.rule.iter().enumerate() {
        if rule.operation == Some(Operation::Saml) && file.trust.saml.is_none() {
            problems.push(Problem::new(
                format!("rule[{index}].operation"),
                "SAML towards AWS is not configured",
                "add a [trust.saml] table: docs/getting-started-aws.md tells what IAM needs",
            ));
        }
        if rule.via_operation == Some(Operation::Saml) && file.trust.saml.is_none() {
            problems.push(Problem::new(
                format!("rule[{index}].via_operation"),
                "SAML towards AWS is not configured",
                "add a [trust.saml] table: docs/getting-started-aws.md tells what IAM needs",
            ));
        }
        if rule.operation == Some(Operation::ForwardedSaml) && !forwards {
            problems.push(Problem::new(
                format!("rule[{index}].operation"),
                "no SAML provider addresses its assertions to AWS, so nothing can be forwarded",
                "give the [[saml_provider]] an `aws_recipient`, or use operation = \"saml\"",
            ));
        }
    }
}

/// What is allowed, but deserves a second look.
pub(super) fn second_looks(file: &ConfigFile, base: &Path) -> Vec<Problem> {
    let (issuer, path) = issuer(file);
    let unreachable = urls::issuer(issuer).is_ok_and(|url| is_loopback(&url)) && file.aws.sts_endpoint.is_none();
    let warning = || {
        Problem::new(
            path,
            format!("AWS cannot fetch keys from {issuer}, so it will refuse the tokens that are minted here"),
            "set trust.issuer to an https URL that AWS can reach, or aws.sts_endpoint to a sandbox",
        )
    };
    unreachable
        .then(warning)
        .into_iter()
        .chain(nameless_proxy(file))
        .chain(requests_of_any_provider(file))
        .chain(file.metrics.and_then(|metrics| metrics.second_look("metrics")))
        .chain(workloads::second_looks(file))
        .chain(secrets(file).into_iter().filter_map(|(path, secret)| open_to_others(path, secret, base)))
        .collect()
}

/// Nobody decides about themselves: but who is a person's other self at another provider, the gateway cannot always tell.
fn requests_of_any_provider(file: &ConfigFile) -> Vec<Problem> {
    if file.provider.len() + file.saml_provider.len() < 2 {
        return Vec::new();
    }
    let open = |(index, rule): (usize, &RuleSettings)| {
        (rule.requestable.is_some() && rule.providers.is_empty()).then(|| {
            Problem::new(
                format!("rule[{index}].requestable"),
                "several providers vouch for those who ask and decide: who has accounts at two may grant their own request",
                "name one provider in `providers`",
            )
        })
    };
    file.rule.iter().enumerate().filter_map(open).collect()
}

/// An https URL on a plain listener means a proxy in between. Rules that ask for the client's address need to know it.
fn nameless_proxy(file: &ConfigFile) -> Option<Problem> {
    let asks = |when: &str| when.contains("request.ip");
    let index = file.rule.iter().position(|rule| rule.when.as_deref().is_some_and(asks))?;
    let has_proxy = file.public_url.starts_with("https://") && file.server.tls.is_none();
    (has_proxy && file.server.trusted_proxies.is_empty()).then(|| {
        Problem::new(
            format!("rule[{index}].when"),
            "the rule asks for `request.ip`, and the proxy that does TLS is not named: everybody seems to come from its address",
            "name its network, such as trusted_proxies = [\"127.0.0.1/32\"] under [server] for a proxy on this machine",
        )
    })
}

/// Whom it concerns when a file with a secret can be read by more than its owner.
fn open_to_others(path: String, secret: &SecretRef, base: &Path) -> Option<Problem> {
    let SecretRef::File(file) = secret else { return None };
    let file = base.join(file);
    let metadata = std::fs::metadata(&file).ok()?;
    let whom = other_readers(metadata.mode(), metadata.uid(), rustix::process::geteuid().as_raw())?;
    let hint = format!("chmod 600 {}", file.display());
    Some(Problem::new(path, format!("the file {} can be read by {whom}", file.display()), hint))
}

/// Who can read a file of this mode and owner beside the user that this process runs as.
const fn other_readers(mode: u32, owner: u32, user: u32) -> Option<&'static str> {
    // Root's file is the gateway's to read by its group alone, as Kubernetes' `fsGroup` arranges it.
    let is_lent = owner == 0 && user != 0;
    match (mode & 0o040, mode & 0o004) {
        (0, 0) => None,
        (_, 0) if is_lent => None,
        (_, 0) => Some("its group"),
        _ => Some("everybody on this machine"),
    }
}

fn issuer(file: &ConfigFile) -> (&str, &'static str) {
    file.trust.issuer.as_deref().map_or((file.public_url.as_str(), "public_url"), |issuer| (issuer, "trust.issuer"))
}

fn check_addresses(file: &mut ConfigFile, problems: &mut Vec<Problem>) {
    let public_url = urls::public_url(&file.public_url);
    match &public_url {
        Ok(url) => {
            file.public_url = url.origin().ascii_serialization();
            check_listener(file, url, problems);
        }
        Err((message, hint)) => problems.push(Problem::new("public_url", message, hint)),
    }
    // A public URL that is wrong in itself need not be told a second time that it is no issuer.
    if file.trust.issuer.is_some() || public_url.is_ok() {
        let (issuer, path) = issuer(file);
        if let Err((message, hint)) = urls::issuer(issuer) {
            problems.push(Problem::new(path, message, hint));
        }
    }
}

fn check_listener(file: &ConfigFile, public_url: &Url, problems: &mut Vec<Problem>) {
    let listen = file.server.listen;
    if public_url.scheme() == "http" && !listen.ip().is_loopback() {
        problems.push(Problem::new(
            "server.listen",
            format!("{listen} can be reached from other machines, and public_url is plain http"),
            "listen on 127.0.0.1 for a trial, or give public_url an https URL, and [server.tls] a certificate or Rolegate a proxy with TLS",
        ));
    }
    if public_url.scheme() == "http" && file.server.tls.is_some() {
        problems.push(Problem::new(
            "public_url",
            "the listener does TLS, and public_url is plain http: browsers would be sent to a page that does not answer",
            "begin it with https://",
        ));
    }
}

/// Every reference to a secret, with its path.
fn secrets(file: &ConfigFile) -> Vec<(String, &SecretRef)> {
    let mut secrets: Vec<(String, &SecretRef)> = Vec::new();
    for (index, provider) in file.provider.iter().enumerate() {
        secrets.extend(provider.client_secret.iter().map(|secret| (format!("provider[{index}].client_secret"), secret)));
        secrets.extend(provider.client_key.iter().map(|secret| (format!("provider[{index}].client_key"), secret)));
    }
    for (index, provider) in file.saml_provider.iter().enumerate() {
        let place = format!("saml_provider[{index}]");
        secrets.extend(provider.signing_key.iter().map(|secret| (format!("{place}.signing_key"), secret)));
        let keys = provider.encryption_keys.iter().enumerate();
        secrets.extend(keys.map(|(at, entry)| (format!("{place}.encryption_keys[{at}].key"), &entry.key)));
    }
    secrets.extend(file.server.tls.iter().map(|tls| ("server.tls.key".to_owned(), &tls.key)));
    let tokens = file.audit.sink.iter().enumerate().filter_map(|(index, sink)| Some((index, sink.token.as_ref()?)));
    secrets.extend(tokens.map(|(index, token)| (format!("audit.sink[{index}].token"), token)));
    secrets.extend(file.webhook.iter().enumerate().map(|(index, webhook)| (format!("webhook[{index}].secret"), &webhook.secret)));
    let users = file.iam_user.iter().enumerate();
    secrets.extend(users.map(|(index, user)| (format!("iam_user[{index}].secret_access_key"), &user.secret_access_key)));
    let headers = file.traces.iter().flat_map(|traces| &traces.headers);
    secrets.extend(headers.map(|(name, secret)| (format!("traces.headers.{name}"), secret)));
    secrets.extend(file.store.password.iter().map(|secret| ("store.password".to_owned(), secret)));
    secrets.extend(file.store.sentinel_password.iter().map(|secret| ("store.sentinel_password".to_owned(), secret)));
    secrets.extend(file.store.seal_keys.iter().enumerate().map(|(index, secret)| (format!("store.seal_keys[{index}]"), secret)));
    secrets.extend(file.trust.signing_key.iter().map(|secret| ("trust.signing_key".to_owned(), secret)));
    secrets.extend(file.trust.next_key.iter().map(|secret| ("trust.next_key".to_owned(), secret)));
    secrets.extend(file.trust.retiring_keys.iter().enumerate().map(|(index, secret)| (format!("trust.retiring_keys[{index}]"), secret)));
    let saml = file.trust.saml.iter().flat_map(SamlTrustSettings::references);
    secrets.extend(saml.map(|(key, secret)| (format!("trust.saml.{key}"), secret)));
    secrets
}

/// Who writes a secret where the name of its variable belongs must not read it again in a log.
fn check_secret_names(file: &ConfigFile, problems: &mut Vec<Problem>) {
    for (path, secret) in secrets(file) {
        if let SecretRef::Env(name) = secret
            && !is_variable_name(name)
        {
            problems.push(Problem::new(
                path,
                "`env` is not the name of an environment variable",
                "write the variable's name, such as \"OKTA_CLIENT_SECRET\", never the secret itself",
            ));
        }
    }
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Values of a list's sections, each with its list and its place in it.
pub(super) fn at<'a>(list: &'static str, values: impl Iterator<Item = &'a str>) -> impl Iterator<Item = (&'static str, usize, &'a str)> {
    values.enumerate().map(move |(index, value)| (list, index, value))
}

/// Refuses a value that stands under the key more than once. `what` names the values: the list's word, and the key.
pub(super) fn check_unique<'a>(
    what: (&str, &str),
    values: impl Iterator<Item = (&'static str, usize, &'a str)>,
    places: &Places,
    problems: &mut Vec<Problem>,
) {
    let (thing, key) = what;
    let path = |list: &str, index: usize| format!("{list}[{index}].{key}");
    let mut seen = HashMap::new();
    for (list, index, value) in values {
        // An empty one may be made up for one that is missing; that it is empty is its module's to say.
        if value.is_empty() {
            continue;
        }
        match seen.entry(value) {
            Entry::Vacant(free) => drop(free.insert((list, index))),
            Entry::Occupied(taken) => {
                let (first_list, first) = taken.get();
                let line = places.line_of(&path(first_list, *first));
                problems.push(Problem::new(
                    path(list, index),
                    format!("the {thing} {key} `{value}` is taken by line {line}"),
                    format!("give each {thing} its own {key}"),
                ));
            }
        }
    }
}

fn check_email_domains(file: &ConfigFile, places: &Places, problems: &mut Vec<Problem>) {
    let oidc = file.provider.iter().enumerate().map(|(index, provider)| (format!("provider[{index}]"), &provider.email_domains));
    let saml = file.saml_provider.iter().enumerate().map(|(index, provider)| (format!("saml_provider[{index}]"), &provider.email_domains));
    let mut seen: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (provider, domains) in oidc.chain(saml) {
        for (at, domain) in domains.iter().enumerate() {
            let path = format!("{provider}.email_domains[{at}]");
            let (owner, first) = seen.entry(domain.to_lowercase()).or_insert_with(|| (provider.clone(), path.clone())).clone();
            if owner != provider {
                let line = places.line_of(&first);
                problems.push(Problem::new(
                    path,
                    format!("the e-mail domain `{domain}` already leads to the provider of line {line}"),
                    "an address can lead to one provider only: leave the domain to one of them",
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_root_lends_by_its_group_is_no_finding() {
        assert_eq!(other_readers(0o440, 0, 10_001), None, "how Kubernetes hands secrets to who is not root");
        assert_eq!(other_readers(0o440, 0, 0), Some("its group"));
        assert_eq!(other_readers(0o440, 10_001, 10_001), Some("its group"));
        assert_eq!(other_readers(0o444, 0, 10_001), Some("everybody on this machine"));
        assert_eq!(other_readers(0o400, 0, 10_001), None);
    }
}
