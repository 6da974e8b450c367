//! The files of AWS's own programs: where they are, and how a command is kept from finding other credentials in them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::places;
use super::trouble::Trouble;

/// The variable that says where the settings are.
pub(super) const CONFIG: &str = "AWS_CONFIG_FILE";
/// The variable that says where long-lived credentials are.
pub(super) const CREDENTIALS: &str = "AWS_SHARED_CREDENTIALS_FILE";
/// A file of boto's, which botocore still asks for credentials.
const BOTO: &str = "BOTO_CONFIG";
/// Variables of the region, the first that is set.
const REGION: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
/// A file in which nothing stands, and in which nothing can be put.
const EMPTY: &str = "/dev/null";

/// A file of AWS's programs: where a variable says, or below the home folder.
pub(super) fn file(variable: &str, home: &Path, name: &str) -> PathBuf {
    match std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from) {
        // AWS's programs expand it themselves, so it may have come without a shell.
        Some(path) => path.strip_prefix("~").map_or_else(|_| path.clone(), |rest| home.join(rest)),
        None => home.join(".aws").join(name),
    }
}

/// Keeps a command from the person's own files: credentials of a container, which an agent's are, come after all that is in them. Of what else
/// stands there, the region of the default profile goes with it, where the environment names none.
pub(super) fn hide(command: &mut Command, home: &Path) -> Result<(), Trouble> {
    let is_set = |name: &&str| command.get_envs().any(|(set, value)| *set == **name && value.is_some()) || std::env::var_os(name).is_some();
    let names_region = REGION.iter().any(is_set);
    if !names_region
        && let Some(bytes) = places::read(&file(CONFIG, home, "config"))?
        && let Some(region) = default_region(&String::from_utf8_lossy(&bytes))
    {
        command.envs(REGION.map(|name| (name, region.as_str())));
    }
    for variable in [CONFIG, CREDENTIALS, BOTO] {
        command.env(variable, EMPTY);
    }
    Ok(())
}

/// The region of the default profile.
fn default_region(text: &str) -> Option<String> {
    let mut is_default = false;
    for line in text.lines() {
        if let Some(title) = line.trim_end().strip_prefix('[').and_then(|line| line.split(']').next()) {
            is_default = title.split_whitespace().collect::<Vec<_>>().join(" ").trim_start_matches("profile ") == "default";
        } else if is_default && let Some((key, value)) = line.split_once('=').filter(|(key, _)| !key.starts_with(char::is_whitespace)) {
            let value = value.split([' ', '\t', '#', ';']).find(|part| !part.is_empty());
            if key.trim() == "region" {
                return value.filter(|value| value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')).map(str::to_owned);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_that_of_the_default_profile() {
        for (text, region) in [
            ("[default]\nregion = eu-west-1\n", Some("eu-west-1")),
            ("[profile default]\noutput=json\nregion=eu-west-1 # home\n", Some("eu-west-1")),
            ("[default]\noutput = json\n[profile a]\nregion = eu-west-1\n", None),
            ("[default]\ns3 =\n  region = eu-west-1\n", None),
            ("[default]\nregion =\n", None),
            ("region = eu-west-1\n", None),
            ("", None),
        ] {
            assert_eq!(default_region(text).as_deref(), region, "{text}");
        }
    }
}
