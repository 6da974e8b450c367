//! `rolegate aws plan`: what IAM must be told.

use clap::{Args, ValueEnum};
use rolegate::clock::{Clock, SystemClock};
use rolegate::iam::{self, Needs};

use super::super::{Stopped, load, print};
use super::{Known, Subject, federation, issuer, note, people};

pub(super) const EXAMPLES: &str = "Examples:
  rolegate aws plan --config rolegate.toml > iam/rolegate.tf
  rolegate aws plan --config rolegate.toml --format cloudformation --account Production > production.json
  rolegate aws plan --config rolegate.toml --format json --people people.jsonl

Terraform: one module for all accounts, with a provider for each passed in. CloudFormation: one template, so one account at a time.";

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// For what it is written
    #[arg(long, value_enum, default_value_t = Format::Terraform)]
    format: Format,
    #[command(flatten)]
    known: Known,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Terraform,
    Cloudformation,
    Json,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Stopped> {
    let (config, policy) = load(&arguments.subject.config)?;
    let accounts = arguments.subject.accounts(&policy)?;
    let issuer = issuer(&config)?;
    let federation = federation(&config, &issuer, &arguments.known);
    let built = arguments.known.people.as_deref().map(|path| people::built(path, &config, &policy)).transpose()?;
    let people_are_known = built.is_some();
    let needs = Needs::of(&policy, &federation, &built.unwrap_or_default(), SystemClock.now()).only(&accounts).without_idle_accounts();
    let text = match arguments.format {
        Format::Terraform => iam::terraform(&needs, &federation, people_are_known),
        Format::Json => iam::json(&needs, &federation, people_are_known),
        Format::Cloudformation => iam::cloudformation(&needs, &federation, people_are_known).ok_or_else(|| one_account(&needs))?,
    };
    for text in needs.notes(people_are_known) {
        note(&text);
    }
    print(&text)
}

/// A stack stands in one account.
fn one_account(needs: &Needs) -> Stopped {
    let names: Vec<_> = needs.accounts.iter().map(|needs| format!("{} ({})", needs.account.id, needs.account.name)).collect();
    Stopped::Unusable(if names.is_empty() {
        "no rule needs anything in these accounts".into()
    } else {
        format!("a CloudFormation template is for one account: choose one by --account: {}", names.join(", "))
    })
}
