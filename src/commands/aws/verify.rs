//! `rolegate aws verify`: whether IAM was told what the rules need.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use rolegate::access::Policy;
use rolegate::arn::AccountId;
use rolegate::aws::iam::Iam;
use rolegate::clock::{Clock, SystemClock};
use rolegate::iam::{Federation, Finding, Needs, Place, Severity, Snapshot, account_in, verify};
use serde_json::{Value, json};

use super::super::{Stopped, load, print, print_json, read};
use super::{Known, Subject, asked, federation, issuer, note, people};

pub(super) const EXAMPLES: &str = "Examples, for one account after the other, with credentials that may read its IAM:
  rolegate exec Production/ReadOnly -- rolegate aws verify --config rolegate.toml --live

  mkdir -p iam/111122223333 && cd iam/111122223333
  aws iam list-roles --output json > roles.json
  aws iam list-saml-providers --output json > saml.json
  aws iam list-open-id-connect-providers --output json > oidc.json
  aws iam get-open-id-connect-provider --open-id-connect-provider-arn ARN --output json > oidc-rolegate.json

  rolegate aws verify --config rolegate.toml --from iam
  rolegate aws verify --config rolegate.toml --from iam --account Production --json

Exit code 0: nothing to mend; 1: findings; 2: the configuration or the arguments are not usable.";

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Files that the AWS CLI wrote as JSON, or folders with such (*.json). What does not name its account is of the one whose id stands in the path
    #[arg(long, value_name = "FILE|FOLDER", required_unless_present = "live", num_args = 1..)]
    from: Vec<PathBuf>,
    /// Ask IAM itself, in the account of the AWS credentials at hand (environment, profile, container, instance)
    #[arg(long, conflicts_with = "from")]
    live: bool,
    #[command(flatten)]
    known: Known,
    /// A principal that may take roles beside Rolegate, as the trust policy names it; `*` stands for any rest; may be given several times
    #[arg(long, value_name = "PRINCIPAL")]
    also: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Folders within folders are looked through so far.
const DEPTH: usize = 8;

pub(super) fn run(arguments: &Arguments) -> Result<(), Stopped> {
    let (config, policy) = load(&arguments.subject.config)?;
    let mut accounts = arguments.subject.accounts(&policy)?;
    let issuer = issuer(&config)?;
    let federation = Federation { also: arguments.also.clone(), ..federation(&config, &issuer, &arguments.known) };
    let snapshot = if arguments.live {
        let (account, snapshot) = live(&policy, &accounts)?;
        accounts = vec![account];
        snapshot
    } else {
        from_files(&arguments.from, &policy, &accounts)?
    };
    let mut built = snapshot.built(&policy, &federation);
    if let Some(path) = &arguments.known.people {
        built.extend(people::built(path, &config, &policy)?);
    }
    let now = SystemClock.now();
    let needs = Needs::of(&policy, &federation, &built, now).only(&accounts);
    let findings = verify(&needs, &snapshot, &federation, now);
    for (rule, _) in needs.open.iter().filter(|_| arguments.known.people.is_none()) {
        note(&format!(
            "the rule {rule} makes its roles from names of groups: those that are there were judged; which are missing is told with --people FILE"
        ));
    }
    let roles = needs.accounts.iter().map(|needs| needs.roles.len()).sum();
    report(&findings, roles, arguments.json)?;
    if findings.is_empty() { Ok(()) } else { Err(Stopped::No(String::new())) }
}

fn report(findings: &[Finding], roles: usize, as_json: bool) -> Result<(), Stopped> {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    if as_json {
        let findings: Vec<Value> = findings.iter().map(|finding| json!(finding)).collect();
        return print_json(&json!({ "roles": roles, "errors": errors, "warnings": findings.len() - errors, "findings": findings }));
    }
    if findings.is_empty() {
        return print(&format!("good: IAM has what the rules need, {roles} role(s)"));
    }
    print(&findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// Asks IAM, in the account whose credentials are at hand.
fn live(policy: &Policy, chosen: &[AccountId]) -> Result<(AccountId, Snapshot), Stopped> {
    let (id, documents) = asked(async {
        let iam = Iam::open().await?;
        Ok((iam.account(), iam.documents().await?))
    })?;
    let known = policy.accounts().iter().find(|account| account.id == id);
    let Some(account) = known.filter(|_| chosen.is_empty() || chosen.contains(&id)) else {
        let whose = if known.is_some() { "not the one that --account chose" } else { "none of the configuration's" };
        return Err(Stopped::Unusable(format!("the AWS credentials at hand are of the account {id}, {whose}")));
    };
    let mut snapshot = Snapshot::default();
    for document in documents {
        snapshot.add(&document.to_string(), Place { name: "IAM", account: Some((id, account.partition)) });
    }
    Ok((id, snapshot))
}

fn from_files(from: &[PathBuf], policy: &Policy, chosen: &[AccountId]) -> Result<Snapshot, Stopped> {
    let partitions: BTreeMap<_, _> = policy.accounts().iter().map(|account| (account.id, account.partition)).collect();
    let only = match (chosen, policy.accounts()) {
        ([only], _) => Some(*only),
        ([], [only]) => Some(only.id),
        _ => None,
    };
    let mut files = Vec::new();
    for path in from {
        if path.is_dir() {
            let before = files.len();
            collect(path, DEPTH, &mut files)?;
            if files.len() == before {
                return Err(Stopped::Unusable(format!("{} has no file whose name ends in .json", path.display())));
            }
        } else {
            files.push(path.clone());
        }
    }
    let mut snapshot = Snapshot::default();
    for file in files {
        let text = read(&file)?;
        let name = file.display().to_string();
        let account = account_in(&name).filter(|id| partitions.contains_key(id)).or(only);
        let account = account.and_then(|id| Some((id, *partitions.get(&id)?)));
        snapshot.add(&text, Place { name: &name, account });
    }
    Ok(snapshot)
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Stopped> {
    let unusable = |error: std::io::Error| Stopped::Unusable(format!("{} cannot be read: {error}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(unusable)?.collect::<Result<Vec<_>, _>>().map_err(unusable)?;
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() && depth > 0 {
            collect(&path, depth - 1, files)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    Ok(())
}
