//! `rolegate aws revoke`: what ends one person's AWS sessions.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::TimeDelta;
use clap::Args;
use rolegate::access::{Context, Operation, Person, Policy, Target};
use rolegate::arn::AccountId;
use rolegate::audit::{self, Issued};
use rolegate::aws::iam::Iam;
use rolegate::clock::{Clock, Moment, SystemClock};
use rolegate::config::Config;
use rolegate::iam::{Revocation, Session, revocations};
use rolegate::identity::Supposed;
use rolegate::startup;
use rolegate::terminal::harmless_name;
use serde_json::json;

use super::super::{Stopped, choose, claims, load, print, print_json, read};
use super::{Subject, asked, note};

pub(super) const EXAMPLES: &str = "Examples:
  rolegate aws revoke --config rolegate.toml --person ana@example.org
  rolegate aws revoke --config rolegate.toml --person okta+00u1abcd --audit /var/log/rolegate > revoke.sh
  rolegate aws revoke --config rolegate.toml --claims ana.json

  rolegate aws revoke --config rolegate.toml --person ana@example.org --apply

Only sessions that were issued before the moment are ended. First take the person's groups away and sign them out, or they just come again.
Without --apply nothing is changed: read what is printed, then run each command with credentials of its account.

Exit code 0: done; 1: some roles could not be denied; 2: nothing was done.";

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// The person, by the name that people recognise or as PROVIDER+SUBJECT: their sessions are looked up in the audit trail
    #[arg(long, required_unless_present = "claims", conflicts_with = "claims")]
    person: Option<String>,
    /// Instead of the trail: a JSON object with the person's claims; every role that the rules give them is revoked
    #[arg(long)]
    claims: Option<PathBuf>,
    /// The provider of the claims (the first one of the file)
    #[arg(long, requires = "claims")]
    provider: Option<String>,
    /// The audit trail, or a folder with rotated ones (audit.file of the configuration)
    #[arg(long, value_name = "FILE|FOLDER", conflicts_with = "claims")]
    audit: Option<PathBuf>,
    /// End what was issued before this moment, as 2026-01-14T12:00:00Z (now)
    #[arg(long, value_name = "TIME")]
    before: Option<Moment>,
    /// Put the policies on the roles now, in the account of the AWS credentials at hand (environment, profile, container, instance)
    #[arg(long, conflicts_with = "json")]
    apply: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Stopped> {
    let (config, policy) = load(&arguments.subject.config)?;
    let accounts = arguments.subject.accounts(&policy)?;
    let now = SystemClock.now();
    // AWS compares whole seconds, and what was issued in this one is meant too.
    let before = arguments.before.or_else(|| now.checked_add_signed(TimeDelta::seconds(1))).unwrap_or(now);
    let (person, sessions) = match (&arguments.person, &arguments.claims) {
        (Some(person), _) => from_trail(arguments, person, &config, now)?,
        (None, Some(claims)) => from_rules(arguments, claims, &config, &policy, now)?,
        (None, None) => return Err(Stopped::Unusable("say whose sessions: --person, or --claims".into())),
    };
    let sessions: Vec<_> = sessions.into_iter().filter(|session| is_in(&accounts, &session.target)).collect();
    let made = revocations(&sessions, &person, before);
    if arguments.apply {
        return apply(&person, &made, &accounts);
    }
    if arguments.json {
        return print_json(&json!({ "person": person, "before": before, "revocations": made }));
    }
    print(&script(&person, &made, before, &policy))
}

/// Puts the policies on what one account has of it, as far as AWS lets; what belongs to other accounts is named.
fn apply(person: &str, made: &[Revocation], chosen: &[AccountId]) -> Result<(), Stopped> {
    let account_of = |revocation: &Revocation| revocation.target.account();
    let (account, outcomes) = asked(async {
        let iam = Iam::open().await?;
        let mut outcomes = Vec::new();
        // Nothing is touched where --account chose another account than the credentials are of.
        let is_chosen = chosen.is_empty() || chosen.contains(&iam.account());
        for revocation in made.iter().filter(|revocation| is_chosen && account_of(revocation) == iam.account()) {
            outcomes.push((revocation, iam.apply(revocation).await));
        }
        Ok((iam.account(), outcomes))
    })?;
    let mut failed = 0;
    for (revocation, outcome) in &outcomes {
        print(&match outcome {
            Ok(()) => format!("denied: {} has {}. To take it off: {}", revocation.target, revocation.policy_name, revocation.undo),
            Err(trouble) => {
                failed += 1;
                format!("NOT denied: {}: {trouble}", revocation.target)
            }
        })?;
        revocation.notes.iter().for_each(|text| note(text));
    }
    let others: BTreeSet<_> = made.iter().map(account_of).filter(|other| *other != account).map(|other| other.to_string()).collect();
    if !others.is_empty() {
        let others = others.into_iter().collect::<Vec<_>>().join(", ");
        note(&format!("{person} has sessions in other accounts too: run this again with credentials of {others}"));
    }
    match (outcomes.len(), failed) {
        (0, _) => Err(Stopped::Unusable(format!("{person} has no session to end in the account {account}, whose credentials are at hand"))),
        (_, 0) => Ok(()),
        (all, failed) => Err(Stopped::No(format!("{failed} of {all} were not denied"))),
    }
}

fn is_in(accounts: &[AccountId], target: &Target) -> bool {
    accounts.is_empty() || accounts.contains(&target.account())
}

/// The sessions that the trail knows to live.
fn from_trail(arguments: &Arguments, person: &str, config: &Config, now: Moment) -> Result<(String, Vec<Session>), Stopped> {
    let path = arguments.audit.clone().unwrap_or_else(|| config.base.join(&config.file.audit.file));
    let found = audit::issued(&path, now).map_err(|error| Stopped::Unusable(format!("{}: {error}", path.display())))?;
    if found.unreadable > 0 {
        note(&format!("{} line(s) of the trail are no events and were passed over", found.unreadable));
    }
    let theirs: Vec<_> = found.living.iter().filter(|issued| issued.person == person || issued.username == person).collect();
    // A key is one person's; a name may be anybody's, even one that looks like another's key.
    let by_key: Vec<_> = theirs.iter().copied().filter(|issued| issued.person == person).collect();
    let theirs = if by_key.is_empty() { theirs } else { by_key };
    let keys: BTreeSet<_> = theirs.iter().map(|issued| issued.person.as_str()).collect();
    let keys: Vec<_> = keys.into_iter().collect();
    match keys.as_slice() {
        [] => {
            let message = format!(
                "{} knows of no AWS session of `{person}` that still lives; a trail of another replica, or an older file, may (--audit), \
                 and --claims goes by the rules instead",
                path.display()
            );
            Err(Stopped::Unusable(message))
        }
        [key] if *key != person && person.contains('+') => Err(Stopped::Unusable(format!(
            "nobody with the key `{person}` has an AWS session that still lives; `{key}` is called so: say --person {key} if they are meant"
        ))),
        [key] => Ok(((*key).to_owned(), theirs.iter().map(|issued| session(issued, config)).collect())),
        several => Err(Stopped::Unusable(format!("`{person}` is several people: say which one by --person {}", several.join(", or ")))),
    }
}

fn session(issued: &Issued, config: &Config) -> Session {
    let user = issued.iam_user.as_ref().and_then(|id| config.file.iam_user.iter().find(|user| user.id == *id));
    Session {
        target: issued.target.clone(),
        session_name: issued.session_name.clone(),
        source_identity: issued.source_identity.clone(),
        ends: Some(issued.ends),
        user_access_key: user.map(|user| user.access_key_id.clone()),
    }
}

/// A session of every role that the rules give now.
fn from_rules(
    arguments: &Arguments,
    path: &std::path::Path,
    config: &Config,
    policy: &Policy,
    now: Moment,
) -> Result<(String, Vec<Session>), Stopped> {
    let claims = claims(&read(path)?, &path.display().to_string())?;
    let readings = startup::readings(config);
    let (id, reading) = choose(&readings, arguments.provider.as_deref())?;
    let person = Supposed::new(id.clone(), reading, claims);
    let person = person.map_err(|rejected| Stopped::Unusable(format!("the sign-in itself would be refused: {rejected}")))?;
    let who = Person::from(&person);
    let names = policy.session_names(&who);
    let granted = policy.granted(&who, &Context { now, ip: None });
    let sessions = granted.iter().map(|granted| {
        let forwarded = matches!(granted.operation, Operation::ForwardedSaml | Operation::ForwardedWebIdentity);
        if granted.operation == Operation::ForwardedSaml {
            note(&format!("{}: the provider's own response names its sessions, so that these may have another name", granted.target));
        }
        let carries = granted.carry_source_identity != rolegate::access::Carry::Off && !forwarded;
        Session {
            target: granted.target.clone(),
            session_name: names.session_name_for(granted.operation),
            source_identity: names.source_identity.clone().filter(|_| carries && granted.operation.carries_attributes()),
            ends: None,
            user_access_key: granted
                .iam_user
                .as_ref()
                .and_then(|user| config.file.iam_user.iter().find(|known| known.id == user.id).map(|known| known.access_key_id.clone())),
        }
    });
    Ok((names.key.clone(), sessions.collect()))
}

/// A script whose comments say what it does; it can be read before it is run. A name with a line end in it must not become a command.
fn script(person: &str, made: &[Revocation], before: Moment, policy: &Policy) -> String {
    let comment = |text: &str| format!("# {}", harmless_name(text));
    let head = format!("Ends the AWS sessions of {person} that were issued before {}.", before.format("%Y-%m-%d %H:%M:%S UTC"));
    let mut lines = vec![comment(&head)];
    if made.is_empty() {
        lines.push(comment("There is none in these accounts."));
    }
    for revocation in made {
        let name = policy.account(&revocation.account).map(|account| account.name.as_str()).unwrap_or_default();
        lines.push(String::new());
        lines.push(comment(&format!("{} in account {} ({name})", revocation.target, revocation.account)));
        lines.extend(revocation.notes.iter().map(|note| comment(note)));
        lines.push(revocation.command.clone());
        let until = revocation
            .until
            .map_or_else(|| "when the last of them has ended".to_owned(), |until| until.format("after %Y-%m-%d %H:%M UTC").to_string());
        lines.push(comment(&format!("{until}: {}", revocation.undo)));
    }
    lines.join("\n")
}
