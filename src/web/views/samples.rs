//! Realistic and hostile fillings of every page, for the tests and for looking at the pages.

use std::time::Duration;

use super::*;

/// What somebody who writes claims, tags or URLs may try to break out of a page with.
pub(super) const HOSTILE: &str = "\"><script>alert(1)</script>'{{ 7*7 }}{% if %}\n\u{202e}&amp;<img src=x onerror=alert(2)> style=x";

const HOUR: Duration = Duration::from_hours(1);

fn at(seconds: i64) -> At {
    // 2 March 2026, 14:30 UTC, and some seconds.
    At(DateTime::from_timestamp(1_772_461_800 + seconds, 0).unwrap())
}

fn shell(signed_in: bool) -> Shell<'static> {
    let who = Who { username: "ana.duarte@example.org".into(), provider: "Okta".into(), provider_logout: true, ends: at(15_000) };
    Shell {
        brand: "Rolegate".into(),
        banner: None,
        contact: Some("#aws-access on chat, or cloud-team@example.org".into()),
        csrf: "q4Yx0vC2mB8sJ1nLr7Tz5Kd9Wf3HgPaEuViOyXcMbNk".into(),
        explains: true,
        who: signed_in.then_some(who),
    }
}

fn hostile_shell() -> Shell<'static> {
    let who = Who { username: HOSTILE.into(), provider: HOSTILE.into(), provider_logout: true, ends: at(15_000) };
    let contact = Some(HOSTILE.into());
    Shell { brand: HOSTILE.into(), banner: Some(HOSTILE.into()), contact, csrf: HOSTILE.into(), explains: true, who: Some(who) }
}

fn role(account: &str, name: &str, hours: u32) -> Role<'static> {
    Role {
        name: name.to_owned().into(),
        link: name.to_owned().into(),
        kind: None,
        mfa_code: false,
        arn: format!("arn:aws:iam::{account}:role/{name}").into(),
        console: true,
        credentials: true,
        longest: HOUR * hours,
        chained: false,
        step_up: None,
        reason: None,
        obstacle: None,
    }
}

fn account(id: &'static str, name: &'static str, env: Option<&'static str>, roles: &[(&str, u32)]) -> Account<'static> {
    let tags = vec![("team".into(), "payments".into()), ("cost-center".into(), "4711".into())];
    let roles = roles.iter().map(|(name, hours)| role(id, name, *hours)).collect();
    Account { id: id.into(), name: name.into(), env: env.map(Into::into), tags, roles }
}

fn hostile_account() -> Account<'static> {
    let free = Role {
        name: HOSTILE.into(),
        link: HOSTILE.into(),
        kind: Some(HOSTILE.into()),
        mfa_code: true,
        arn: HOSTILE.into(),
        reason: Some(HOSTILE.into()),
        ..role("111122223333", "X", 1)
    };
    let blocked = Role { obstacle: Some(HOSTILE.into()), ..free.clone() };
    let step_up = Some(StepUp { fresh: false, wanted: HOSTILE.into(), came: HOSTILE.into() });
    let elsewhere = Role { step_up, ..free.clone() };
    let tags = vec![(HOSTILE.into(), HOSTILE.into())];
    Account { id: HOSTILE.into(), name: HOSTILE.into(), env: Some(HOSTILE.into()), tags, roles: vec![free, blocked, elsewhere] }
}

fn few() -> Vec<Account<'static>> {
    vec![
        account("111122223333", "Production", Some("prod"), &[("PlatformAdmin", 1), ("ReadOnly", 12)]),
        account("222233334444", "Staging", Some("staging"), &[("Developer", 8), ("PlatformAdmin", 4), ("ReadOnly", 12)]),
        account("333344445555", "Shared services", None, &[("NetworkViewer", 12)]),
    ]
}

fn many() -> Vec<Account<'static>> {
    const UNITS: [&str; 10] =
        ["Billing", "Checkout", "Data lake", "Fraud", "Identity", "Ledger", "Mobile", "Payments", "Search", "Warehouse"];
    const STAGES: [(&str, Option<&str>); 4] =
        [("prod", Some("prod")), ("staging", Some("staging")), ("dev", Some("dev")), ("sandbox", None)];
    let pairs = UNITS.iter().enumerate().flat_map(|(u, unit)| STAGES.iter().enumerate().map(move |(s, stage)| (u, unit, s, stage)));
    pairs
        .map(|(u, unit, s, (stage, env))| {
            let id = format!("{:012}", 100_000_000_000 + u * 7_310_000_123 + s * 11_101);
            let roles = ["Developer", "ReadOnly", "PlatformAdmin"].iter().take(1 + (u + s) % 3).map(|name| role(&id, name, 8)).collect();
            let tags = vec![("team".into(), unit.to_lowercase().into())];
            Account { id: id.into(), name: format!("{unit} {stage}").into(), env: env.map(Into::into), tags, roles }
        })
        .collect()
}

fn long() -> Vec<Account<'static>> {
    let mut account = account(
        "444455556666",
        "Customer-facing-platform-for-the-northern-european-region-disaster-recovery",
        Some("pre-production-eu-north-1"),
        &[("teams/platform/OrganizationAccountAccessRoleForIncidentResponseAndRecoveryNN", 12), ("A", 1)],
    );
    account.tags.push(("a-rather-long-tag-key".into(), "and-a-value-that-goes-on-and-on-without-any-place-to-break-it-anywhere".into()));
    let mut blocked = role("444455556666", "BillingAuditor", 1);
    blocked.obstacle =
        Some("The rule needs your cost centre, and Okta did not send the claim “cost_center”. Ask whoever runs Okta to add it.".into());
    account.roles.push(blocked);
    let mut ticketed = role("444455556666", "BreakGlass", 1);
    ticketed.reason = Some("the ticket, such as OPS-123; who knows that you are in here".into());
    account.roles.push(ticketed);
    let mut stale = role("444455556666", "Deployer", 1);
    let came = "a sign-in 3h 12m 5s old, without a second factor".into();
    stale.step_up = Some(StepUp { fresh: false, wanted: "a sign-in at most 15m old, with a second factor".into(), came });
    account.roles.push(stale);
    vec![account]
}

impl Portal<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let page = |accounts| Self { shell: shell(true), notice: None, accounts };
        let demo = Shell { banner: Some("A demonstration: the identity provider and AWS are make-believe.".into()), ..shell(true) };
        vec![
            ("portal", page(few())),
            ("portal-many", page(many())),
            ("portal-long", Self { notice: Some("Your groups changed: you lost one role.".into()), ..page(long()) }),
            ("portal-demo", Self { shell: demo, ..page(few()) }),
            ("portal-hostile", Self { shell: hostile_shell(), notice: Some(HOSTILE.into()), accounts: vec![hostile_account()] }),
        ]
    }
}

impl NoRoles<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let groups: Vec<Text<'static>> = ["everyone", "engineering", "payments-developers", "vpn-users"].map(Into::into).into();
        vec![
            ("no-roles", Self { shell: shell(true), provider: "Okta".into(), groups, total: 37 }),
            (
                "no-roles-no-groups",
                Self { shell: Shell { contact: None, ..shell(true) }, provider: "Okta".into(), groups: vec![], total: 0 },
            ),
            ("no-roles-hostile", Self { shell: hostile_shell(), provider: HOSTILE.into(), groups: vec![HOSTILE.into()], total: 2 }),
        ]
    }
}

impl Explain<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let told =
            |role: &'static str, link: Option<&'static str>, by: &[&'static str], limits: &[&'static str], missing: &[&'static str]| {
                let texts = |list: &[&'static str]| list.iter().map(|text| (*text).into()).collect();
                let report = "Report: ABCDEFGHIJ\nTime: 2026-03-02 14:30:00 UTC\nPerson: ana.duarte@example.org\nRole: ".to_owned() + role;
                Told {
                    role: role.into(),
                    link: link.map(Into::into),
                    by: texts(by),
                    limits: texts(limits),
                    missing: texts(missing),
                    report: report.into(),
                }
            };
        let page = |asked: &'static str, problem: Option<&'static str>, told: Option<Told<'static>>| Self {
            shell: shell(true),
            asked: asked.into(),
            problem: problem.map(Into::into),
            told,
        };
        let granted = told(
            "arn:aws:iam::111122223333:role/ReadOnly",
            Some("/go?account=111122223333&role=ReadOnly"),
            &["Your group developers gives it."],
            &["It is for the console and for credentials.", "A session lasts at most 4h."],
            &[],
        );
        let refused = told(
            "Production/PlatformAdmin",
            None,
            &[],
            &[],
            &["What is missing: a sign-in with Okta.", "What is missing: a condition that does not hold now; it looks at the time."],
        );
        let hostile = told(HOSTILE, Some(HOSTILE), &[HOSTILE], &[HOSTILE], &[HOSTILE]);
        vec![
            ("explain", page("", None, None)),
            ("explain-granted", page("Production/ReadOnly", None, Some(granted))),
            ("explain-refused", page("Production/PlatformAdmin", None, Some(refused))),
            ("explain-unreadable", page("PlatformAdmin", Some("This is no role's name: write ACCOUNT/ROLE."), None)),
            ("explain-hostile", Self { shell: hostile_shell(), asked: HOSTILE.into(), problem: Some(HOSTILE.into()), told: Some(hostile) }),
        ]
    }
}

impl Go<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let [production, staging] = few().into_iter().take(2).collect::<Vec<_>>().try_into().unwrap();
        let destination = Some("https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups".into());
        let target = Target::Role { role: production.roles[0].clone(), account: production };
        let blocked = long().remove(0);
        let blocked = Target::Role { role: blocked.roles[2].clone(), account: blocked };
        let stale = long().remove(0);
        let stale = Target::Role { role: stale.roles[4].clone(), account: stale };
        let hostile = hostile_account();
        let hostile_role = Target::Role { role: hostile.roles[0].clone(), account: hostile.clone() };
        let hostile_step = Target::Role { role: hostile.roles[2].clone(), account: hostile.clone() };
        let missing = Target::Missing { account: "999988887777".into(), role: Some("PlatformAdmin".into()) };
        let hostile_missing = Target::Missing { account: HOSTILE.into(), role: Some(HOSTILE.into()) };
        let page = |target, destination| Self { shell: shell(true), target, destination, tried: true };
        let attack = |target| Self { shell: hostile_shell(), target, destination: Some(HOSTILE.into()), tried: true };
        vec![
            ("go", page(target, destination.clone())),
            ("go-account", page(Target::Account { account: staging }, destination)),
            ("go-blocked", page(blocked, None)),
            ("go-step-up", page(stale, None)),
            ("go-step-up-hostile", attack(hostile_step)),
            ("go-missing", page(missing, None)),
            ("go-hostile", attack(hostile_role)),
            ("go-account-hostile", attack(Target::Account { account: hostile })),
            ("go-missing-hostile", attack(hostile_missing)),
        ]
    }
}

impl SignIn<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let provider = |id: &'static str, name: &'static str, last_used, unavailable| Provider {
            id: id.into(),
            name: name.into(),
            last_used,
            unavailable,
        };
        let providers = vec![
            provider("okta", "Okta", true, false),
            provider("entra", "Microsoft Entra ID", false, false),
            provider("partners", "Partner access (Keycloak)", false, true),
        ];
        let page = |providers, email| Self { shell: shell(false), notice: None, providers, email, next: "/go?account=1&role=A".into() };
        let expired = Notice { warning: true, text: "Your session has expired. Sign in to go on where you were.".into() };
        let problem = EmailForm {
            value: "ana@example.net".into(),
            problem: Some("No provider here serves example.net. Check the spelling, or choose above.".into()),
        };
        let hostile = EmailForm { value: HOSTILE.into(), problem: Some(HOSTILE.into()) };
        vec![
            ("sign-in", page(providers.clone(), Some(EmailForm::default()))),
            ("sign-in-expired", Self { notice: Some(expired), ..page(providers, Some(problem)) }),
            ("sign-in-one", page(vec![provider("okta", "Okta", false, false)], None)),
            (
                "sign-in-hostile",
                Self {
                    shell: hostile_shell(),
                    notice: Some(Notice { warning: true, text: HOSTILE.into() }),
                    providers: vec![provider(HOSTILE, HOSTILE, true, true)],
                    email: Some(hostile),
                    next: HOSTILE.into(),
                },
            ),
        ]
    }
}

impl HandOn<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let fields = |value: &'static str| vec![("SAMLResponse", value.into()), ("RelayState", value.into())];
        let page = |shell, destination: &'static str, action: &'static str, value| Self {
            shell,
            destination: destination.into(),
            action: action.into(),
            fields: fields(value),
        };
        vec![
            ("hand-on-bounce", page(shell(false), "Rolegate", "/saml/okta/acs", "PHNhbWxwOlJlc3BvbnNlLz4=")),
            ("hand-on-away", page(shell(false), "Okta", "https://idp.example/sso?a=b&c=d", "PHNhbWxwOlJlc3BvbnNlLz4=")),
            ("hand-on-hostile", page(hostile_shell(), HOSTILE, "https://idp.example/\"><script>alert(1)</script>", HOSTILE)),
            ("hand-on-script", page(shell(false), "Okta", "javascript:alert(1)", "x")),
        ]
    }
}

impl Continue<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let url = "https://example.okta.com/oauth2/v1/authorize?client_id=abc&state=x%22y";
        vec![
            ("continue", Self { shell: shell(false), destination: "Okta".into(), url: url.into() }),
            ("continue-script", Self { shell: shell(false), destination: "Okta".into(), url: "javascript:alert(1)".into() }),
            ("continue-hostile", Self { shell: hostile_shell(), destination: HOSTILE.into(), url: HOSTILE.into() }),
        ]
    }
}

impl OtherPerson<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let waiting = "Zk3Yx0vC2mB8sJ1nLr7Tz5Kd9Wf3HgPaEuViOyXcMbN";
        let page = |shell, one: &'static str, other: &'static str| Self {
            shell,
            present: (one.into(), "Okta".into()),
            other: (other.into(), "Okta".into()),
            waiting: waiting.into(),
        };
        vec![
            ("other-person", page(shell(true), "ana.duarte@example.org", "bela.kovacs@example.org")),
            ("other-person-hostile", page(hostile_shell(), HOSTILE, HOSTILE)),
        ]
    }
}

impl Consent<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let page = |shell, text: &'static str| Self {
            shell,
            device: text.into(),
            ends: at(15_000),
            fields: vec![("redirect_uri", "http://127.0.0.1:49152/callback".into()), ("state", text.into())],
        };
        let long = "a-build-host-with-a-rather-long-name.eu-north-1.compute.internal";
        let samples = [("consent", page(shell(true), "ana-laptop")), ("consent-long", page(shell(true), long))];
        samples.into_iter().chain([("consent-hostile", page(hostile_shell(), HOSTILE))]).collect()
    }
}

impl DeviceEntry<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let page = |shell, value: &'static str| Self { shell, value: value.into(), wrong: !value.is_empty() };
        vec![
            ("device", page(shell(true), "")),
            ("device-wrong", page(shell(true), "BCDF-GHJK")),
            ("device-hostile", page(hostile_shell(), HOSTILE)),
        ]
    }
}

impl DeviceConsent<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let page = |shell, text: &'static str, elsewhere: bool| Self {
            shell,
            code: "WDJB-MJHT".into(),
            device: text.into(),
            address: elsewhere.then(|| "2001:db8:85a3:8d3:1319:8a2e:370:7348".into()),
            elsewhere,
            asked: at(-40),
            ends: at(15_000),
        };
        let hostile = Self { code: HOSTILE.into(), address: Some(HOSTILE.into()), ..page(hostile_shell(), HOSTILE, true) };
        vec![
            ("device-consent", page(shell(true), "build-host", false)),
            ("device-consent-elsewhere", page(shell(true), "build-host", true)),
            ("device-consent-hostile", hostile),
        ]
    }
}

impl DeviceAnswered<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let page = |shell, device: &'static str, allowed| Self { shell, device: device.into(), allowed };
        vec![
            ("device-allowed", page(shell(true), "build-host", true)),
            ("device-refused", page(shell(true), "build-host", false)),
            ("device-answered-hostile", page(hostile_shell(), HOSTILE, false)),
        ]
    }
}

impl SignedOut<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        vec![
            ("signed-out", Self { shell: shell(false), everywhere: true, still_at: Some("Okta".into()) }),
            ("signed-out-hostile", Self { shell: hostile_shell(), everywhere: false, still_at: Some(HOSTILE.into()) }),
        ]
    }
}

/// One of the three values: made up, and as long as real ones are.
fn sample_secrets(which: usize) -> String {
    let token = format!("SAMPLE-TOKEN-{}", "Fwo0ZXIvYXdzEJr2hT9kQ1x".repeat(28));
    ["ASIASAMPLESAMPLE0001", "SAMPLE/secret/0000000000000000000000000", &token][which].to_owned()
}

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
