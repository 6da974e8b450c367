//! `login`, `logout`, `whoami`, `roles`.

use std::process::ExitCode;

use chrono::SecondsFormat;

use super::api::{Me, Role};
use super::cache::Cache;
use super::cli::{Ended, LoginArguments, RolesArguments};
use super::desk::{Common, Desk};
use super::keeper::Token;
use super::login;
use super::trouble::{Kind, Trouble};
use super::{pick, settings};
use crate::clock::Moment;
use crate::terminal::harmless_name;

pub(super) fn login(arguments: &LoginArguments) -> Ended {
    let desk = Desk::open(&arguments.common)?;
    login::anew(&desk, &arguments.way)?;
    // What the environment names is named there every time.
    if std::env::var_os("ROLEGATE_GATEWAY").is_none() {
        settings::remember_gateway(&desk.places, &desk.gateway)?;
    }
    tell_who(&desk)
}

pub(super) fn logout(common: &Common) -> Ended {
    let desk = Desk::open(common)?;
    let given = desk.session();
    // With ROLEGATE_TOKEN set that is another one, and it is forgotten below: it must not live on unseen.
    let kept = desk.keeper.read();
    Cache::clear(&desk.places, &desk.gateway);
    let mut sessions: Vec<&Token> = [&given, &kept].into_iter().flatten().flatten().collect();
    sessions.dedup();
    let ended = if sessions.is_empty() {
        Ok("Nobody was signed in.")
    } else {
        let ends: Vec<_> = sessions.iter().map(|token| desk.api().and_then(|api| login::end(api, token))).collect();
        ends.into_iter().collect::<Result<(), Trouble>>().map(|()| "The session has ended.")
    };
    // Forgotten here in any case: who wants out must not stay because the gateway cannot be reached.
    desk.keeper.forget()?;
    match ended {
        Ok(told) => desk.voice.notice(told),
        Err(mut trouble) => {
            trouble.happened =
                format!("The session is forgotten here, but may live on at the gateway until it ends by itself. {}", trouble.happened);
            return Err(trouble);
        }
    }
    given.and(kept).map(|_| ExitCode::SUCCESS)
}

pub(super) fn whoami(common: &Common) -> Ended {
    tell_who(&Desk::open(common)?)
}

fn tell_who(desk: &Desk) -> Ended {
    let token = desk.session()?.ok_or_else(|| {
        let happened = format!("You are not signed in at {}.", desk.gateway);
        Trouble::yours(Kind::SignIn, happened, format!("rolegate login --gateway {}", desk.gateway))
    })?;
    let me = desk.api()?.me(&token).map_err(|refusal| refusal.trouble)?;
    if desk.voice.json {
        let mut value = serde_json::json!(me);
        if let Some(members) = value.as_object_mut() {
            members.insert("gateway".to_owned(), desk.gateway.as_str().into());
        }
        desk.voice.result_json(&value)?;
    } else {
        desk.voice.result(&described(&me, desk))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn described(me: &Me, desk: &Desk) -> String {
    let mut lines = vec![format!("{} at {}", harmless_name(&me.username), desk.gateway)];
    if !me.provider.is_empty() {
        lines.push(format!("signed in with {}", me.provider));
    }
    lines.push(format!("until {}", written(me.session.ends)));
    if let Some(idle) = me.session.idle_ends {
        lines.push(format!("or, unused, until {}", written(idle)));
    }
    lines.push(format!("groups: {}", if me.groups.is_empty() { "none".to_owned() } else { harmless_name(&me.groups.join(", ")) }));
    lines.join("\n")
}

fn written(moment: Moment) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

pub(super) fn roles(arguments: &RolesArguments) -> Ended {
    let desk = Desk::open(&arguments.common)?;
    let filter = arguments.filter.join(" ");
    let all = desk.roles()?;
    let count = all.len();
    let mut roles: Vec<Role> = all.into_iter().filter(|role| pick::matches_all(role, &filter)).collect();
    roles.sort_by_cached_key(|role| (pick::short_name(role).to_lowercase(), role.arn.clone()));
    if desk.voice.json {
        desk.voice.result_json(&serde_json::json!({ "roles": roles }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if roles.is_empty() {
        desk.voice.notice(&match count {
            0 => "You have no roles. Ask the administrator of this gateway for a rule that gives you some.".to_owned(),
            _ => format!("None of your {count} roles has all of `{filter}`."),
        });
    } else {
        desk.voice.result(&table(&roles))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Roles under each other, each column as wide as its widest cell.
fn table(roles: &[Role]) -> String {
    let mut rows = vec![["ACCOUNT", "ID", "ROLE", "FOR", "WANTS"].map(str::to_owned)];
    rows.extend(roles.iter().map(|role| {
        [
            harmless_name(&role.account.name),
            role.account.id.to_string(),
            role.arn.path_and_name().to_owned(),
            role.way.purposes.join(", "),
            wants(role),
        ]
    }));
    let mut widths = [0; 5];
    for (width, index) in widths.iter_mut().zip(0..) {
        *width = rows.iter().filter_map(|row| row.get::<usize>(index)).map(|cell| cell.chars().count()).max().unwrap_or_default();
    }
    let line = |row: &[String; 5]| row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect::<Vec<_>>().join("  ");
    rows.iter().map(|row| line(row).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn wants(role: &Role) -> String {
    let needs = &role.way.needs;
    let wanted = [
        (needs.reason.is_some(), "reason"),
        (needs.fresh_sign_in, "fresh sign-in"),
        (needs.mfa_code, "code"),
        (role.way.obstacle.is_some(), "mending by the administrator"),
        (role.break_glass, "an emergency"),
    ];
    let usually = wanted.iter().filter(|(is, _)| *is).map(|(_, what)| *what).collect::<Vec<_>>().join(", ");
    let in_emergency = role.emergency.as_ref().map(|way| format!("in an emergency: {}", way.purposes.join(", ")));
    [usually].into_iter().filter(|text| !text.is_empty()).chain(in_emergency).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_stand_under_each_other() {
        let role = |account: &str, name: &str, needs: serde_json::Value| -> Role {
            serde_json::from_value(serde_json::json!({
                "arn": format!("arn:aws:iam::111122223333:role/{name}"), "account": {"id": "111122223333", "name": account},
                "purposes": ["console", "credentials"], "needs": needs,
            }))
            .unwrap()
        };
        let mut two_ways = role("Two\nlines", "Dev", serde_json::json!({"fresh_sign_in": true}));
        two_ways.emergency = Some(serde_json::from_value(serde_json::json!({"purposes": ["console", "credentials"]})).unwrap());
        let alarm = Role { break_glass: true, ..role("Prod", "Emergency", serde_json::json!({"reason": {"kind": "text"}})) };
        let roles = [
            role("Prod", "Admin", serde_json::json!({"reason": {"kind": "ticket"}, "mfa_code": true})),
            role("Straße", "team/Dev", serde_json::json!({})),
            two_ways,
            alarm,
        ];
        let expected = "\
ACCOUNT     ID            ROLE       FOR                   WANTS
Prod        111122223333  Admin      console, credentials  reason, code
Straße      111122223333  team/Dev   console, credentials
Two\\nlines  111122223333  Dev        console, credentials  fresh sign-in; in an emergency: console, credentials
Prod        111122223333  Emergency  console, credentials  reason, an emergency";
        assert_eq!(table(&roles), expected);
    }
}
