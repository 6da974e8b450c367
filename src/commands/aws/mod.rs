//! `rolegate aws`: IAM's half of the federation. It prints; only `revoke --apply` changes anything in AWS.

mod people;
mod plan;
mod revoke;
mod verify;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use rolegate::access::Policy;
use rolegate::arn::AccountId;
use rolegate::aws::iam::IamTrouble;
use rolegate::config::Config;
use rolegate::iam::{Federation, Upstream, UpstreamKind};
use rolegate::startup;
use rolegate::trust::Issuer;

use super::{Stopped, harmless};

#[derive(Subcommand)]
pub(crate) enum AwsCommand {
    /// Print the identity providers and the roles' trust policies that the rules need, for Terraform, CloudFormation or as JSON
    #[command(after_help = plan::EXAMPLES)]
    Plan(plan::Arguments),
    /// Compare what IAM has with what the rules need; exit code 1 if anything is to be mended
    #[command(after_help = verify::EXAMPLES)]
    Verify(verify::Arguments),
    /// Print the policies, and the commands, that end one person's AWS sessions; or put them on the roles of one account
    #[command(after_help = revoke::EXAMPLES)]
    Revoke(revoke::Arguments),
}

pub(crate) fn run(command: &AwsCommand) -> Result<(), Stopped> {
    match command {
        AwsCommand::Plan(arguments) => plan::run(arguments),
        AwsCommand::Verify(arguments) => verify::run(arguments),
        AwsCommand::Revoke(arguments) => revoke::run(arguments),
    }
}

/// What the rules are about.
#[derive(Args)]
struct Subject {
    /// The configuration file
    #[arg(long, env = "ROLEGATE_CONFIG")]
    config: PathBuf,
    /// An account, by id or name; may be given several times (all accounts)
    #[arg(long, value_name = "ID|NAME")]
    account: Vec<String>,
}

/// What the rules and the configuration do not tell.
#[derive(Args)]
struct Known {
    /// A file with one JSON object of claims in each line, or {"provider": …, "claims": {…}}: roles that are named after groups become known by it; `-` reads standard input
    #[arg(long)]
    people: Option<PathBuf>,
    /// The ARN of the role or user that Rolegate runs under, for rules by `assume_role`; may be given several times
    #[arg(long, value_name = "ARN", value_parser = identity)]
    identity: Vec<String>,
}

/// The ARN of a role or of a user. That of a session is none that a trust policy should name: it changes with each instance.
fn identity(text: &str) -> Result<String, String> {
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    let is_one = match fields.as_slice() {
        ["arn", _, "iam", "", account, resource] => {
            account.parse::<AccountId>().is_ok() && ["role/", "user/"].iter().any(|kind| resource.starts_with(kind))
        }
        _ => false,
    };
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"*?$\"\\".contains(&byte));
    if is_one && is_plain { Ok(text.to_owned()) } else { Err("write arn:aws:iam::ACCOUNT:role/NAME, or …:user/NAME".into()) }
}

impl Subject {
    /// The accounts that were named.
    fn accounts(&self, policy: &Policy) -> Result<Vec<AccountId>, Stopped> {
        let found = self.account.iter().map(|name| {
            let account = policy.account(name).map(|account| account.id);
            account.ok_or_else(|| Stopped::Unusable(format!("there is no account `{name}`: use the id or the name of an [[account]]")))
        });
        found.collect()
    }
}

/// What mints.
fn issuer(config: &Config) -> Result<Issuer, Stopped> {
    startup::issuer(config).map_err(|findings| Stopped::Unusable(findings.to_string()))
}

/// How people are proven to AWS.
fn federation<'a>(config: &Config, issuer: &'a Issuer, known: &Known) -> Federation<'a> {
    let file = &config.file;
    let oidc = file.provider.iter().map(|provider| {
        const TENANT: &str = "{tenantid}";
        let issuers = if provider.issuer.contains(TENANT) {
            provider.tenants.iter().map(|tenant| provider.issuer.replace(TENANT, tenant)).collect()
        } else {
            vec![provider.issuer.clone()]
        };
        (&provider.id, UpstreamKind::Oidc { issuers, client_id: provider.client_id.clone() })
    });
    let saml = file.saml_provider.iter().map(|provider| {
        let place = provider.metadata.url.clone().or_else(|| provider.metadata.file.as_ref().map(|file| file.display().to_string()));
        let kind = UpstreamKind::Saml {
            recipient: provider.aws_recipient.clone(),
            entity_id: provider.entity_id.clone(),
            metadata: place.unwrap_or_default(),
        };
        (&provider.id, kind)
    });
    let workloads = file.workload_provider.iter().map(|provider| (&provider.id, UpstreamKind::Workload));
    let upstreams = oidc.chain(saml).chain(workloads).filter_map(|(id, kind)| Some(Upstream { id: id.parse().ok()?, kind })).collect();
    let access_keys: BTreeMap<_, _> = file.iam_user.iter().map(|user| (user.id.clone(), user.access_key_id.clone())).collect();
    Federation { issuer, upstreams, identities: known.identity.clone(), also: Vec::new(), access_keys }
}

/// Waits for what is asked of AWS.
fn asked<T>(question: impl Future<Output = Result<T, IamTrouble>>) -> Result<T, Stopped> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Stopped::Unusable(format!("the system lets no requests be made: {error}")))?;
    runtime.block_on(question).map_err(|trouble| {
        let mend = "give this command AWS credentials of the account (AWS_PROFILE, environment, `rolegate exec ROLE -- …`) that may do it";
        Stopped::Unusable(format!("{trouble}; {mend}"))
    })
}

/// Says something beside the result.
#[expect(clippy::print_stderr, reason = "what a pipeline must not read as result goes to stderr")]
fn note(text: &str) {
    eprintln!("note: {}", harmless(text));
}
