//! The formats that credentials are handed over in, each quoted for the program that reads it.
//!
//! What is written here is pasted into shells, so one rule stands before all quoting: every value is printable ASCII, which all that AWS
//! issues is. A value with a line break, a control character or a look-alike quotation mark is refused, not escaped.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use chrono::SecondsFormat;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::arn::{AccountId, Region, is_name_byte};
use crate::clock::Moment;

/// What every format writes of temporary credentials.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    /// The access key id.
    pub access_key_id: &'a str,
    /// The secret access key.
    pub secret_access_key: &'a SecretString,
    /// The session token.
    pub session_token: &'a SecretString,
    /// When AWS stops accepting them.
    pub expires: Moment,
}

/// A form of credentials that some program reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Environment variables for bash, zsh and other POSIX shells.
    Bash,
    /// Environment variables for fish.
    Fish,
    /// Environment variables for PowerShell.
    PowerShell,
    /// Environment variables for the Windows command prompt.
    Cmd,
    /// A profile for the file `~/.aws/credentials`.
    Profile,
    /// What a `credential_process` prints (AWS SDKs and Tools Reference Guide, "Process credential provider"), version 1.
    ProcessJson,
}

/// A value that the format cannot hold safely. The value itself is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value of {0} has characters that cannot be written safely in this format")]
pub struct UnsafeValue(pub &'static str);

/// The credentials as `credential_process` prints them.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Process<'a> {
    version: u8,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    expiration: &'a str,
}

impl Format {
    /// Every format, in the order in which they are offered.
    pub const ALL: [Self; 6] = [Self::Bash, Self::Fish, Self::PowerShell, Self::Cmd, Self::Profile, Self::ProcessJson];

    /// The format's short name in forms and addresses.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Fish => "fish",
            Self::PowerShell => "powershell",
            Self::Cmd => "cmd",
            Self::Profile => "profile",
            Self::ProcessJson => "json",
        }
    }

    /// The format of that short name.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.id() == id)
    }

    /// The format's name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Bash => "bash, zsh",
            Self::Fish => "fish",
            Self::PowerShell => "PowerShell",
            Self::Cmd => "Command Prompt",
            Self::Profile => "~/.aws/credentials",
            Self::ProcessJson => "credential_process",
        }
    }

    /// The name that a download is given: fixed words, nothing that came from outside.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Bash => "aws-credentials.sh",
            Self::Fish => "aws-credentials.fish",
            Self::PowerShell => "aws-credentials.ps1",
            Self::Cmd => "aws-credentials.cmd",
            Self::Profile => "aws-credentials.ini",
            Self::ProcessJson => "aws-credentials.json",
        }
    }

    /// The MIME type of a download. Shell text is plain text, so that no browser offers to run it.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::ProcessJson => "application/json",
            _ => "text/plain; charset=utf-8",
        }
    }

    /// Writes the credentials. `profile` names the section of [`Format::Profile`] (see [`profile_name`]); `region`, if there is one, becomes
    /// the default region in all formats but [`Format::ProcessJson`], which has no place for it.
    ///
    /// # Errors
    /// [`UnsafeValue`] when a value has characters that the format cannot hold safely.
    pub fn render(self, keys: Keys<'_>, profile: &str, region: Option<&Region>) -> Result<SecretString, UnsafeValue> {
        let expires = keys.expires.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (key, secret, token) = (keys.access_key_id, keys.secret_access_key.expose_secret(), keys.session_token.expose_secret());
        for (name, value) in [("the access key id", key), ("the secret access key", secret), ("the session token", token)] {
            if value.is_empty() || !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                return Err(UnsafeValue(name));
            }
        }
        let text = match self {
            Self::Profile => ini(
                profile,
                &[("aws_access_key_id", key), ("aws_secret_access_key", secret), ("aws_session_token", token)],
                region,
                &expires,
            )?,
            Self::ProcessJson => {
                json(&Process { version: 1, access_key_id: key, secret_access_key: secret, session_token: token, expiration: &expires })?
            }
            _ => {
                let mut variables = vec![("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret), ("AWS_SESSION_TOKEN", token)];
                variables.push(("AWS_CREDENTIAL_EXPIRATION", &expires));
                for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
                    variables.extend(region.map(|region| (name, region.as_str())));
                }
                self.assignments(&variables)?
            }
        };
        Ok(SecretString::from(text))
    }

    /// One line for a shell that sets each variable. The names are ours.
    ///
    /// # Errors
    /// [`UnsafeValue`] when a value has characters that the shell cannot be given safely, or the format is none of a shell's.
    pub fn assignments(self, variables: &[(&'static str, &str)]) -> Result<String, UnsafeValue> {
        let mut text = String::with_capacity(4096);
        for &(name, value) in variables {
            if !value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                return Err(UnsafeValue(name));
            }
            let line = match self {
                // Nothing but the quote itself is special between single quotes (POSIX 2.2.2).
                Self::Bash => format!("export {name}='{}'\n", value.replace('\'', r"'\''")),
                Self::Fish => format!("set -gx {name} '{}'\n", value.replace('\\', r"\\").replace('\'', r"\'")),
                Self::PowerShell => format!("$env:{name} = '{}'\r\n", value.replace('\'', "''")),
                // The command prompt expands these even between quotes, and has no way to write them that works both at the prompt and
                // in a file.
                Self::Cmd if value.contains(['%', '!', '"', '^']) => return Err(UnsafeValue(name)),
                Self::Profile | Self::ProcessJson => return Err(UnsafeValue(name)),
                Self::Cmd => format!("set \"{name}={value}\"\r\n"),
            };
            text.push_str(&line);
        }
        Ok(text)
    }
}

/// A section of an INI file. Readers differ in what they take for a comment, a quote or an escape, so values have none of these.
fn ini(profile: &str, entries: &[(&'static str, &str)], region: Option<&Region>, expires: &str) -> Result<String, UnsafeValue> {
    if profile.is_empty() || profile.len() > 128 || !profile.bytes().all(is_name_byte) {
        return Err(UnsafeValue("the profile's name"));
    }
    let mut text = String::with_capacity(4096);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "[{profile}]\n# valid until {expires}");
    for (key, value) in entries {
        if !value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b';' | b'"' | b'\'' | b'\\')) {
            return Err(UnsafeValue(key));
        }
        let _ = writeln!(text, "{key} = {value}");
    }
    if let Some(region) = region {
        let _ = writeln!(text, "region = {region}");
    }
    Ok(text)
}

fn json(process: &Process<'_>) -> Result<String, UnsafeValue> {
    serde_json::to_string_pretty(process).map(|text| text + "\n").map_err(|_| UnsafeValue("the credentials"))
}

/// The profile's name for what an account has, a role mostly: the account's name (see [`account_word`]) and its own. What is no role has a
/// colon in its name, which no role has and no profile may have: it becomes a dot.
#[must_use]
pub fn profile_name(account: &str, id: AccountId, own: &str) -> String {
    format!("{}-{}", account_word(account, id), own.replace(':', "."))
}

/// An account's name in the alphabet of role names. Where it does not fit into that alphabet, the account's id stands beside what is left of
/// it, so that two accounts never share a word unless they share their name.
#[must_use]
pub fn account_word(account: &str, id: AccountId) -> String {
    let mut name = String::new();
    for c in account.chars().take(48) {
        let fits = u8::try_from(c).is_ok_and(is_name_byte);
        if fits {
            name.push(c);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_matches('-');
    if name.is_empty() {
        id.to_string()
    } else if name == account {
        name.to_owned()
    } else {
        format!("{name}-{id}")
    }
}
