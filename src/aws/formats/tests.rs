use std::collections::BTreeMap;
use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::arn::RoleArn;

const NAMES: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

struct Owned(String, SecretString, SecretString);

impl Owned {
    fn keys(&self) -> Keys<'_> {
        let expires = "2026-11-24T12:00:00Z".parse().unwrap();
        Keys { access_key_id: &self.0, secret_access_key: &self.1, session_token: &self.2, expires }
    }
}

fn credentials(key: &str, secret: &str, token: &str) -> Owned {
    Owned(key.into(), secret.to_owned().into(), token.to_owned().into())
}

fn usual() -> Owned {
    credentials("ASIAEXAMPLE", "abc/+=", "tok/+en==")
}

fn text(format: Format, credentials: &Owned) -> Result<String, UnsafeValue> {
    let region = "eu-central-1".parse().unwrap();
    format.render(credentials.keys(), "Production-Dev", Some(&region)).map(|text| text.expose_secret().to_owned())
}

#[test]
fn each_format_is_what_its_reader_expects() {
    let expected = [
        (
            Format::Bash,
            "export AWS_ACCESS_KEY_ID='ASIAEXAMPLE'\nexport AWS_SECRET_ACCESS_KEY='abc/+='\nexport AWS_SESSION_TOKEN='tok/+en=='\nexport AWS_CREDENTIAL_EXPIRATION='2026-11-24T12:00:00Z'\nexport AWS_REGION='eu-central-1'\nexport AWS_DEFAULT_REGION='eu-central-1'\n",
        ),
        (
            Format::Fish,
            "set -gx AWS_ACCESS_KEY_ID 'ASIAEXAMPLE'\nset -gx AWS_SECRET_ACCESS_KEY 'abc/+='\nset -gx AWS_SESSION_TOKEN 'tok/+en=='\nset -gx AWS_CREDENTIAL_EXPIRATION '2026-11-24T12:00:00Z'\nset -gx AWS_REGION 'eu-central-1'\nset -gx AWS_DEFAULT_REGION 'eu-central-1'\n",
        ),
        (
            Format::PowerShell,
            "$env:AWS_ACCESS_KEY_ID = 'ASIAEXAMPLE'\r\n$env:AWS_SECRET_ACCESS_KEY = 'abc/+='\r\n$env:AWS_SESSION_TOKEN = 'tok/+en=='\r\n$env:AWS_CREDENTIAL_EXPIRATION = '2026-11-24T12:00:00Z'\r\n$env:AWS_REGION = 'eu-central-1'\r\n$env:AWS_DEFAULT_REGION = 'eu-central-1'\r\n",
        ),
        (
            Format::Cmd,
            "set \"AWS_ACCESS_KEY_ID=ASIAEXAMPLE\"\r\nset \"AWS_SECRET_ACCESS_KEY=abc/+=\"\r\nset \"AWS_SESSION_TOKEN=tok/+en==\"\r\nset \"AWS_CREDENTIAL_EXPIRATION=2026-11-24T12:00:00Z\"\r\nset \"AWS_REGION=eu-central-1\"\r\nset \"AWS_DEFAULT_REGION=eu-central-1\"\r\n",
        ),
        (
            Format::Profile,
            "[Production-Dev]\n# valid until 2026-11-24T12:00:00Z\naws_access_key_id = ASIAEXAMPLE\naws_secret_access_key = abc/+=\naws_session_token = tok/+en==\nregion = eu-central-1\n",
        ),
        (
            Format::ProcessJson,
            "{\n  \"Version\": 1,\n  \"AccessKeyId\": \"ASIAEXAMPLE\",\n  \"SecretAccessKey\": \"abc/+=\",\n  \"SessionToken\": \"tok/+en==\",\n  \"Expiration\": \"2026-11-24T12:00:00Z\"\n}\n",
        ),
    ];
    assert_eq!(expected.len(), Format::ALL.len());
    for (format, expected) in expected {
        assert_eq!(text(format, &usual()).unwrap(), expected);
        assert_eq!(Format::from_id(format.id()), Some(format));
    }
}

#[test]
fn without_a_region_none_is_set() {
    for format in Format::ALL {
        let rendered = format.render(usual().keys(), "p", None).unwrap();
        assert!(!rendered.expose_secret().to_ascii_lowercase().contains("region"), "{format:?}");
        assert!(!format!("{rendered:?}").contains("tok/"), "what is rendered prints nothing");
    }
}

#[test]
fn w8_a_line_break_or_control_character_is_refused_everywhere() {
    for format in Format::ALL {
        for hostile in ["a\nb", "a\rb", "a\0b", "a\u{1b}[2Jb", "a\tb", "a\u{2028}b", "a\u{2019}b", "a\u{85}b", "ü", ""] {
            for [key, secret, token] in [[hostile, "s", "t"], ["k", hostile, "t"], ["k", "s", hostile]] {
                assert!(text(format, &credentials(key, secret, token)).is_err(), "{format:?} {hostile:?}");
            }
        }
    }
}

#[test]
fn w8_the_command_prompt_refuses_what_it_cannot_quote() {
    for hostile in ["%PATH%", "a!b!", "a\"&calc&\"", "a^b"] {
        assert_eq!(text(Format::Cmd, &credentials("k", "s", hostile)), Err(UnsafeValue("AWS_SESSION_TOKEN")));
    }
    assert!(text(Format::Cmd, &credentials("k", "a&calc|<>()", "t")).unwrap().contains("set \"AWS_SECRET_ACCESS_KEY=a&calc|<>()\"\r\n"));
}

#[test]
fn w8_a_profile_is_one_section_and_nothing_in_it_is_open_to_reading() {
    for profile in ["", "a]\n[default", "a b", "a]", "ü", "a#b", &"x".repeat(129)] {
        assert_eq!(Format::Profile.render(usual().keys(), profile, None).unwrap_err(), UnsafeValue("the profile's name"), "{profile:?}");
    }
    for hostile in ["a b", " a", "a;b", "a#b", "\"a\"", "a'b", "a\\b"] {
        assert!(text(Format::Profile, &credentials("k", "s", hostile)).is_err(), "{hostile}");
    }
}

#[test]
fn a_profiles_name_is_in_the_alphabet_and_tells_accounts_apart() {
    let role: RoleArn = "arn:aws:iam::111122223333:role/team/Dev+x".parse().unwrap();
    let name = |account: &str| profile_name(account, role.account(), role.name());
    assert_eq!(name("production"), "production-Dev+x");
    assert_eq!(name("Pröd / EU"), "Pr-d-EU-111122223333-Dev+x");
    assert_eq!(name("Pr-d-EU"), "Pr-d-EU-Dev+x");
    assert_eq!(profile_name("production", role.account(), "federated:billing"), "production-federated.billing");
    assert_eq!(name("本番"), "111122223333-Dev+x");
    assert_eq!(name("]\n[default"), "default-111122223333-Dev+x");
    assert!(Format::Profile.render(usual().keys(), &name(&"n ".repeat(500)), None).is_ok());
}

/// What a shell's environment holds after it has read `script`. The shell starts with nothing else in it.
fn environment_after(script: &str) -> BTreeMap<String, String> {
    let script = format!("{script}\nenv -0");
    let output =
        Command::new("bash").args(["--norc", "--noprofile", "-c", &script]).env_clear().env("PATH", "/usr/bin:/bin").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\0').map(|entry| entry.split_once('=').unwrap()).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Reads fish's single quotes: `\\` and `\'` are the only escapes in them (fish documentation, "Quotes").
fn read_fish(quoted: &str) -> String {
    let inner = quoted.strip_prefix('\'').unwrap();
    let (mut value, mut characters) = (String::new(), inner.chars());
    loop {
        match characters.next().unwrap() {
            '\'' => break,
            '\\' => match characters.next().unwrap() {
                escaped @ ('\\' | '\'') => value.push(escaped),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    assert_eq!(characters.as_str(), "", "nothing follows the closing quote");
    value
}

/// Reads PowerShell's single quotes: a doubled quote is one (`about_Quoting_Rules`).
fn read_powershell(quoted: &str) -> String {
    let inner = quoted.strip_prefix('\'').unwrap().strip_suffix('\'').unwrap();
    assert!(inner.split("''").all(|part| !part.contains('\'')), "no quote stands alone");
    inner.replace("''", "'")
}

fn lines_of(format: Format, credentials: &Owned, separator: &str, prefix: &str, joint: &str) -> Vec<String> {
    let text = text(format, credentials).unwrap();
    let lines: Vec<&str> = text.split_terminator(separator).collect();
    assert_eq!(lines.len(), 6);
    NAMES.iter().zip(lines).map(|(name, line)| line.strip_prefix(&format!("{prefix}{name}{joint}")).unwrap().to_owned()).collect()
}

/// Printable ASCII, leaning towards what is special to some shell.
fn printable() -> impl Strategy<Value = String> {
    prop_oneof![r"[ -~]{1,80}", r#"['"\\$`!%^&|;<>(){}\[\]*?~# ]{1,40}"#]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn w8_bash_reads_exactly_the_values(key in printable(), secret in printable(), token in printable()) {
        let environment = environment_after(&text(Format::Bash, &credentials(&key, &secret, &token)).unwrap());
        for (name, value) in NAMES.iter().zip([&key, &secret, &token]) {
            prop_assert_eq!(environment.get(*name), Some(value));
        }
        prop_assert_eq!(environment.get("AWS_REGION").map(String::as_str), Some("eu-central-1"));
    }

    #[test]
    fn w8_fish_and_powershell_read_exactly_the_values(key in printable(), secret in printable(), token in printable()) {
        let credentials = credentials(&key, &secret, &token);
        let values = [key, secret, token];
        let fish: Vec<String> = lines_of(Format::Fish, &credentials, "\n", "set -gx ", " ").iter().map(|line| read_fish(line)).collect();
        prop_assert_eq!(&fish[..], &values[..]);
        let powershell: Vec<String> =
            lines_of(Format::PowerShell, &credentials, "\r\n", "$env:", " = ").iter().map(|line| read_powershell(line)).collect();
        prop_assert_eq!(&powershell[..], &values[..]);
    }

    #[test]
    fn w8_json_reads_exactly_the_values(key in printable(), secret in printable(), token in printable()) {
        let rendered = text(Format::ProcessJson, &credentials(&key, &secret, &token)).unwrap();
        let value: serde_json::Value = serde_json::from_str(&rendered).unwrap();
        let expected = serde_json::json!({
            "Version": 1, "AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": token, "Expiration": "2026-11-24T12:00:00Z"
        });
        prop_assert_eq!(value, expected);
    }

    #[test]
    fn w8_a_profile_or_a_command_reads_exactly_the_values_or_is_refused(secret in printable(), token in printable()) {
        let credentials = credentials("ASIAEXAMPLE", &secret, &token);
        if let Ok(rendered) = text(Format::Profile, &credentials) {
            let lines: Vec<&str> = rendered.lines().collect();
            let expected = [
                "[Production-Dev]".to_owned(),
                "# valid until 2026-11-24T12:00:00Z".into(),
                "aws_access_key_id = ASIAEXAMPLE".into(),
                format!("aws_secret_access_key = {secret}"),
                format!("aws_session_token = {token}"),
                "region = eu-central-1".into(),
            ];
            prop_assert_eq!(&lines[..], &expected[..]);
            let plain = |value: &str| !value.contains([' ', '#', ';', '"', '\'', '\\']);
            prop_assert!(plain(&secret) && plain(&token));
        }
        if let Ok(rendered) = text(Format::Cmd, &credentials) {
            prop_assert!(!rendered.contains(['%', '!', '^']));
            prop_assert_eq!(rendered.matches('"').count(), 2 * 6);
        }
    }

    #[test]
    fn what_aws_issues_is_never_refused(secret in "[A-Za-z0-9/+]{40}", token in "[A-Za-z0-9/+=]{100,400}") {
        for format in Format::ALL {
            prop_assert!(text(format, &credentials("ASIAQWERTYUIOP", &secret, &token)).is_ok());
        }
    }
}

#[test]
fn pythons_configparser_which_the_aws_cli_uses_reads_the_profile() {
    // Python is on every developer's machine that has the AWS CLI, but not on every build machine.
    let Ok(version) = Command::new("python3").arg("--version").output() else { return };
    assert!(version.status.success());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    let token = "%(x)s=[a]:{b}$`!*?~|&<>,.@^";
    std::fs::write(&file, text(Format::Profile, &credentials("ASIAEXAMPLE", "=a=", token)).unwrap()).unwrap();
    let script = "import configparser, sys\np = configparser.RawConfigParser()\np.read(sys.argv[1])\n\
                  s = p['Production-Dev']\nprint(p.sections(), *[s[k] for k in s], sep='\\n')";
    let output = Command::new("python3").args(["-c", script]).arg(&file).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().collect::<Vec<_>>(), ["['Production-Dev']", "ASIAEXAMPLE", "=a=", token, "eu-central-1"]);
}
