//! `rolegate explain`: who gets what, and why.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use rolegate::access::{Explanation, GatewayGrant, Grant, Miss, Purpose, Requestable};

use super::{Circumstances, Stopped, claims, load, print, print_json, read};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The configuration file
    #[arg(long, env = "ROLEGATE_CONFIG")]
    config: PathBuf,
    /// A JSON object with the person's claims; `-` reads standard input
    #[arg(long)]
    claims: PathBuf,
    /// The role to explain: an ARN or ACCOUNT/ROLE. Without it, every role that is granted
    #[arg(long)]
    role: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    circumstances: Circumstances,
}

/// Exit code 1 when a role was named and is not granted.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Stopped> {
    let (config, policy) = load(&arguments.config)?;
    let claims = claims(&read(&arguments.claims)?, &arguments.claims.display().to_string())?;
    let person = arguments.circumstances.person(&config, claims)?;
    let context = arguments.circumstances.context();
    let Some(role) = &arguments.role else {
        let granted = policy.granted(&(&person).into(), &context);
        let grants: Vec<Grant> = granted.iter().map(|entitlement| policy.grant_of(entitlement)).collect();
        if arguments.json {
            return print_json(&grants);
        }
        let in_gateway = policy.gateway_roles(&(&person).into(), &context);
        let on_request = policy.requestable(&(&person).into(), &context);
        let on_request = on_request.iter().map(requestable_line);
        let lines = grants.iter().map(granted_line).chain(in_gateway.iter().map(gateway_line)).chain(on_request);
        let lines = lines.collect::<Vec<_>>().join("\n");
        let groups = person.groups().len();
        return print(&format!("{}, with {groups} group(s), has {} role(s)\n{lines}", person.username(), grants.len()));
    };
    let role = policy.role_named(role).map_err(Stopped::Unusable)?;
    let explanation = policy.explain(&(&person).into(), &context, &role);
    if arguments.json {
        print_json(&explanation)?;
    } else {
        print(&in_words(&explanation))?;
    }
    if explanation.granted.is_some() { Ok(()) } else { Err(Stopped::No(String::new())) }
}

fn granted_line(grant: &Grant) -> String {
    let why: Vec<_> = grant
        .evidence
        .iter()
        .map(|because| match because.groups.as_slice() {
            [] => format!("{} (everyone)", because.rule),
            groups => format!("{} (group {})", because.rule, groups.iter().map(ToString::to_string).collect::<Vec<_>>().join(" with ")),
        })
        .collect();
    let mut text = format!("  {} in {}\n    by {}", grant.role, grant.account, why.join(", "));
    for words in limits(grant) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n    {words}");
    }
    text
}

fn requestable_line(requestable: &Requestable) -> String {
    let longest = humantime::format_duration(requestable.max_duration);
    let (role, account, rule) = (&requestable.target, &requestable.account.name, &requestable.rule);
    format!("  {role} in {account}: not held, and may be asked for\n    by {rule}, for up to {longest}")
}

fn gateway_line(grant: &GatewayGrant) -> String {
    let why: Vec<_> = grant
        .evidence
        .iter()
        .map(|evidence| match &evidence.group {
            None => evidence.rule.to_string(),
            Some(group) => format!("{} (group {group})", evidence.rule),
        })
        .collect();
    format!("  {} of the gateway itself\n    by {}", grant.role, why.join(", "))
}

/// What limits a granted role, a line each.
fn limits(grant: &Grant) -> Vec<String> {
    let mut lines = Vec::new();
    match grant.purposes.as_slice() {
        [Purpose::Console] => lines.push("for the console only".to_owned()),
        [Purpose::Credentials] => lines.push("for credentials only".to_owned()),
        [Purpose::Workload] => lines.push("as a workload".to_owned()),
        _ => {}
    }
    match &grant.via {
        Some(hub) => lines.push(format!("by way of {hub}")),
        None if grant.operation.needs_iam_user() => lines.push(format!("by {}", grant.operation.sts_name())),
        None => {}
    }
    for because in &grant.evidence {
        lines.extend(because.until.map(|until| format!("{} ends on {}", because.rule, until.format("%Y-%m-%d %H:%M UTC"))));
    }
    if let Some(policy) = &grant.session_policy {
        let inline = policy.document.as_ref().map(|_| "a policy document".to_owned());
        let all: Vec<_> = inline.into_iter().chain(policy.arns.iter().map(ToString::to_string)).collect();
        lines.push(format!("limited by {}", all.join(", ")));
    }
    if !grant.demand.is_empty() {
        lines.push(format!("wants {}", grant.demand));
    }
    lines.extend(grant.step_up.as_ref().map(|step_up| format!("and needs another one first: this is {}", step_up.came())));
    lines.extend(grant.reason.as_ref().map(|hint| format!("wants to be told: {hint}")));
    if grant.break_glass {
        lines.push("for emergencies: to take it is an alarm".to_owned());
    }
    lines.extend(grant.obstacle.as_ref().map(|why| format!("but cannot be taken: {why}")));
    if let Some(way) = &grant.emergency {
        let rules: Vec<_> = way.evidence.iter().map(|because| because.rule.as_str()).collect();
        lines.push(format!("in an emergency, by {}: {}", rules.join(", "), limits(way).join("; ")));
    }
    lines
}

fn in_words(explanation: &Explanation) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{words}");
    };
    match &explanation.granted {
        Some(grant) => line(format!("granted\n{}", granted_line(grant))),
        None => line(format!("not granted: {}", explanation.role)),
    }
    for rule in &explanation.denied_by {
        line(format!("  the rule {rule} denies it, and a deny always wins"));
    }
    if explanation.granted.is_none() {
        for Miss { rule, missing } in &explanation.missed {
            let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
            line(format!("  the rule {rule} would grant it; missing: {}", missing.join("; and ")));
        }
        if explanation.missed.is_empty() && explanation.denied_by.is_empty() {
            line("  no rule grants it to anybody".to_owned());
        }
    }
    text
}
