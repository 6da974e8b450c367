//! `rolegate configure`: a profile for each role in `~/.aws/config`, in a block of its own.

mod block;
mod profiles;

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use similar::TextDiff;

use super::api::Role;
use super::cli::{ConfigureArguments, Ended};
use super::desk::Desk;
use super::trouble::{Kind, Trouble};
use super::{aws_files, pick, places};

/// The most links that are followed, as on Linux.
const LINKS: usize = 40;

pub(super) fn run(arguments: &ConfigureArguments) -> Ended {
    let desk = Desk::open(&arguments.common)?;
    let path = aws_files::file(aws_files::CONFIG, &desk.places.home, "config");
    let roles = if arguments.remove { None } else { Some(roles(arguments, &desk)?) };
    // From reading to writing, so that of two at once neither takes away what the other wrote.
    let waiting = || desk.voice.notice("Another command is writing profiles; waiting for it.");
    let _lock = places::lock(&desk.places.state.join("configure.lock"), waiting)?;
    let old = text(&path)?;
    let content = roles.map(|roles| content(arguments, &desk, &old, &roles)).transpose()?;
    let new = block::replace(&old, desk.gateway.as_str(), content.as_deref()).map_err(|damaged| untouched(&path, &damaged))?;
    if desk.voice.json {
        desk.voice.result_json(&serde_json::json!({ "file": path, "changes": new != old, "content": content }))?;
    } else if new == old {
        desk.voice.notice(&format!("{} is as it should be.", path.display()));
    } else {
        desk.voice.result(&difference(&path, &old, &new))?;
    }
    if new == old {
        return Ok(ExitCode::SUCCESS);
    }
    if !arguments.yes && !is_wanted(&desk) {
        return Err(Trouble::yours(Kind::MoreNeeded, "Nothing was written.", "say yes when asked, or use --yes"));
    }
    write(&path, &old, &new)?;
    desk.voice.notice(&format!("{} is written.", path.display()));
    Ok(ExitCode::SUCCESS)
}

fn roles(arguments: &ConfigureArguments, desk: &Desk) -> Result<Vec<Role>, Trouble> {
    let filter = arguments.filter.as_deref().unwrap_or_default();
    let all = desk.roles()?;
    let roles: Vec<Role> = all.into_iter().filter(|role| role.is_for("credentials") && pick::matches_all(role, filter)).collect();
    if roles.is_empty() {
        return Err(Trouble::yours(
            Kind::Usage,
            "There is no role to write a profile for.",
            "rolegate roles lists what you have; mend the filter, or use --remove",
        ));
    }
    Ok(roles)
}

fn content(arguments: &ConfigureArguments, desk: &Desk, old: &str, roles: &[Role]) -> Result<String, Trouble> {
    let profiles = profiles::name(roles, arguments.name.as_deref().unwrap_or(profiles::USUAL))?;
    let config = aws_files::file(aws_files::CONFIG, &desk.places.home, "config");
    let credentials = aws_files::file(aws_files::CREDENTIALS, &desk.places.home, "credentials");
    let others = block::others(old, desk.gateway.as_str()).map_err(|damaged| untouched(&config, &damaged))?;
    let stored = block::sections(&text(&credentials)?);
    for name in profiles.keys() {
        for (taken, path) in [(&others, &config), (&stored, &credentials)] {
            if taken.contains(name) {
                let happened = format!("There is a profile `{name}` in {} already, and it is not Rolegate's.", path.display());
                return Err(Trouble::yours(Kind::Usage, happened, "rename or remove it, or choose another --name or --filter"));
            }
        }
    }
    Ok(profiles::write(&profiles, &program()?, &desk.gateway, arguments.region.as_ref()))
}

fn text(path: &Path) -> Result<String, Trouble> {
    let bytes = places::read(path)?.unwrap_or_default();
    String::from_utf8(bytes).map_err(|_| {
        Trouble::yours(Kind::Other, format!("{} is not UTF-8 text, and is left as it is.", path.display()), "save it as UTF-8")
    })
}

fn untouched(path: &Path, damaged: &block::Damaged) -> Trouble {
    let happened = format!("In {}, {damaged}. It is left as it is.", path.display());
    Trouble::yours(Kind::Other, happened, "remove these lines, and what is ours between them, by hand; then ask again")
}

fn difference(path: &Path, old: &str, new: &str) -> String {
    let name = path.display().to_string();
    TextDiff::from_lines(old, new).unified_diff().context_radius(3).header(&name, &name).to_string()
}

fn is_wanted(desk: &Desk) -> bool {
    std::io::stdin().is_terminal()
        && desk.voice.ask("Write this? [y/N]").is_some_and(|answer| matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}

/// Where links lead, even if nothing is there yet.
fn end_of_links(path: &Path) -> PathBuf {
    let mut end = path.to_owned();
    for _ in 0..LINKS {
        let Ok(next) = fs::read_link(&end) else { break };
        end = end.parent().map_or_else(|| next.clone(), |folder| folder.join(&next));
    }
    end
}

/// Writes the file, and what was in it before we first did beside it. A link stays a link, and who may read the file does not change.
fn write(path: &Path, old: &str, new: &str) -> Result<(), Trouble> {
    let target = end_of_links(path);
    if text(&target)? != old {
        let happened = format!("{} was changed by another program meanwhile, and is left as it is.", path.display());
        return Err(Trouble::yours(Kind::Other, happened, "ask again"));
    }
    let permissions = fs::metadata(&target).map(|metadata| metadata.permissions()).ok();
    let backup = target.with_added_extension("rolegate-backup");
    // The first one is what was there before us.
    if permissions.is_some() && !backup.exists() {
        places::write(&backup, old.as_bytes())?;
    }
    places::write(&target, new.as_bytes())?;
    match permissions {
        Some(permissions) => {
            fs::set_permissions(&target, permissions).map_err(|error| Trouble::file("given its permissions", &target, &error))
        }
        None => Ok(()),
    }
}

/// This program, as profiles name it: as it is found by its name, if that leads here, so that an update in another folder does not break them.
fn program() -> Result<String, Trouble> {
    let unknown = |error: std::io::Error| {
        Trouble::yours(Kind::Other, format!("This program does not know where it is: {error}."), "start it by its path")
    };
    let own = std::env::current_exe().map_err(unknown)?;
    let own = fs::canonicalize(&own).unwrap_or(own);
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut named = std::env::split_paths(&folders).filter(|folder| folder.is_absolute()).map(|folder| folder.join("rolegate"));
    let path = named.find(|path| fs::canonicalize(path).is_ok_and(|found| found == own)).unwrap_or_else(|| own.clone());
    quoted(&path.to_string_lossy()).ok_or_else(|| {
        let happened = format!("The path {} has characters that AWS's programs read in different ways.", path.display());
        Trouble::yours(Kind::Other, happened, "install this program in a folder with a plain name")
    })
}

/// A path as all of AWS's programs take it apart: some by a shell's rules, some by giving it to a shell.
fn quoted(path: &str) -> Option<String> {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@,=:".contains(c);
    match path {
        _ if path.chars().all(is_plain) => Some(path.to_owned()),
        _ if path.chars().all(|c| is_plain(c) || " ()&~".contains(c)) => Some(format!("\"{path}\"")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_it_must_be_and_refused_where_that_does_not_help() {
        assert_eq!(quoted("/usr/bin/rolegate").unwrap(), "/usr/bin/rolegate");
        assert_eq!(quoted("/Users/ana b/rolegate").unwrap(), "\"/Users/ana b/rolegate\"");
        for odd in ["/a$b", "/a\"b", "/a`b", "/a\nb", "/a\\b", "/a'b", "/a;b"] {
            assert_eq!(quoted(odd), None, "{odd}");
        }
    }
}
