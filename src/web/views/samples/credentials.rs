//! Credentials, and what stands in their place.

use super::*;

fn sample_formats() -> Vec<Format<'static>> {
    const NAMES: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    const SHELLS: [(&str, &str, &str, [&str; 3]); 4] = [
        ("bash", "bash, zsh", "sh", ["export ", "='", "'\n"]),
        ("fish", "fish", "fish", ["set -gx ", " '", "'\n"]),
        ("powershell", "PowerShell", "ps1", ["$Env:", " = '", "'\n"]),
        ("cmd", "Windows cmd", "cmd", ["set \"", "=", "\"\r\n"]),
    ];
    let shells = SHELLS.into_iter().map(|(key, label, extension, [set, is, end])| {
        let text = [0, 1, 2].map(|i| format!("{set}{}{is}{}{end}", NAMES[i], sample_secrets(i))).concat();
        let hint = "Paste into a terminal, or run the file there.".into();
        Format { key, label: label.into(), hint, file: format!("PlatformAdmin-111122223333.{extension}").into(), text: text.into() }
    });
    let others = [
        ("profile", "AWS profile", "Add to ~/.aws/credentials.", "credentials", "[production-platform-admin]\n"),
        (
            "process",
            "credential_process",
            "The JSON that AWS tools read from a program.",
            "PlatformAdmin-111122223333.json",
            "{\n  \"Version\": 1\n}\n",
        ),
    ];
    let others = others.into_iter().map(|(key, label, hint, file, text)| Format {
        key,
        label: label.into(),
        hint: hint.into(),
        file: file.into(),
        text: text.into(),
    });
    shells.chain(others).collect()
}

impl Credentials<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let named = [("Access key ID", sample_secrets(0)), ("Secret access key", sample_secrets(1)), ("Session token", sample_secrets(2))];
        let values = named.into_iter().map(|(label, text)| Value { label: label.into(), text: text.into() }).collect();
        let page = Self {
            shell: shell(true),
            role: "PlatformAdmin".into(),
            role_arn: "arn:aws:iam::111122223333:role/PlatformAdmin".into(),
            kind: None,
            needs_mfa_code: false,
            account_id: "111122223333".into(),
            account_name: "Production".into(),
            env: Some("prod".into()),
            expires: at(3600),
            duration: 3600,
            reason: Some("OPS-4711".into()),
            break_glass: false,
            formats: sample_formats(),
            values,
        };
        vec![("credentials", page), ("credentials-hostile", Self::hostile())]
    }

    fn hostile() -> Self {
        Self {
            shell: hostile_shell(),
            role: HOSTILE.into(),
            role_arn: HOSTILE.into(),
            kind: Some(HOSTILE.into()),
            needs_mfa_code: true,
            account_id: HOSTILE.into(),
            account_name: HOSTILE.into(),
            env: Some(HOSTILE.into()),
            expires: at(3600),
            duration: 3600,
            reason: Some(HOSTILE.into()),
            break_glass: false,
            formats: vec![Format { key: "bash", label: HOSTILE.into(), hint: HOSTILE.into(), file: HOSTILE.into(), text: HOSTILE.into() }],
            values: vec![Value { label: HOSTILE.into(), text: HOSTILE.into() }],
        }
    }
}

impl ConsolePost<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let page = |region: Option<&'static str>, next: Option<&'static str>| Self {
            shell: shell(true),
            account: "Production".into(),
            role: "PlatformAdmin".into(),
            role_arn: "arn:aws:iam::111122223333:role/PlatformAdmin".into(),
            duration: 3600,
            reason: None,
            break_glass: false,
            destination: Some("https://console.aws.amazon.com/s3".into()),
            endpoint: "https://eu-central-1.signin.aws.amazon.com/saml".into(),
            region: region.map(Into::into),
            response: "PHNhbWxwOlJlc3BvbnNlPlNBTVBMRQ==".into(),
            relay_state: "https://console.aws.amazon.com/s3".into(),
            next_attempt: 1,
            next_region: next.map(Into::into),
        };
        let hostile = Self {
            shell: hostile_shell(),
            account: HOSTILE.into(),
            role: HOSTILE.into(),
            role_arn: HOSTILE.into(),
            reason: Some(HOSTILE.into()),
            break_glass: false,
            destination: Some(HOSTILE.into()),
            endpoint: HOSTILE.into(),
            region: Some(HOSTILE.into()),
            response: HOSTILE.into(),
            relay_state: HOSTILE.into(),
            next_region: Some(HOSTILE.into()),
            ..page(None, None)
        };
        let regional = page(Some("eu-central-1"), Some("eu-west-1"));
        vec![("console-post", page(None, None)), ("console-post-regional", regional), ("console-post-hostile", hostile)]
    }
}

impl CredentialsGone<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        vec![("credentials-gone", Self { shell: shell(true) }), ("credentials-gone-hostile", Self { shell: hostile_shell() })]
    }
}

impl ErrorPage<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let trust = Self {
            shell: shell(true),
            title: "AWS did not accept the sign-in".into(),
            happened: "AWS refused PlatformAdmin in Production: the role's trust policy does not name Rolegate.".into(),
            mender: Mender::Administrator,
            next: "Send the incident id to your administrator. Other roles may still work.".into(),
            incident: Some("7Q4K-M2XP".into()),
            action: Some(Link { label: "Back to your roles".into(), href: "/".into() }),
        };
        let down = Self {
            shell: shell(false),
            title: "Okta is not answering".into(),
            happened: "Rolegate asked Okta to sign you in and got no answer within 5 seconds.".into(),
            mender: Mender::Provider("Okta".into()),
            next: "Try again in a minute, or choose another provider.".into(),
            incident: Some("9D1C-V7RW".into()),
            action: Some(Link { label: "Choose a provider".into(), href: "/login".into() }),
        };
        let hostile = Self {
            shell: hostile_shell(),
            title: HOSTILE.into(),
            happened: HOSTILE.into(),
            mender: Mender::Provider(HOSTILE.into()),
            next: HOSTILE.into(),
            incident: Some(HOSTILE.into()),
            action: Some(Link { label: HOSTILE.into(), href: HOSTILE.into() }),
        };
        vec![("error", trust), ("error-provider", down), ("error-hostile", hostile)]
    }
}
