//! The lists of roles, and what asks about roles.

use super::*;
use crate::arn::Partition;

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
        break_glass: false,
        emergency: false,
    }
}

fn account(id: &'static str, name: &'static str, env: Option<&'static str>, roles: &[(&str, u32)]) -> Group<'static> {
    let tags = vec![("team".into(), "payments".into()), ("cost-center".into(), "4711".into())];
    let account = Account {
        id: id.into(),
        name: name.into(),
        alias: Some("example-alias".into()),
        env: env.map(Into::into),
        tags,
        unit: Some("/Workloads".into()),
    };
    let rows = roles.iter().map(|(name, hours)| Row { role: role(id, name, *hours), account: None, until: None }).collect();
    Group { head: Head::Account { account, unit: None }, rows }
}

/// The account of a group that has one.
fn account_of(group: &Group<'static>) -> Account<'static> {
    let Head::Account { account, .. } = &group.head else { panic!("not by account") };
    account.clone()
}

fn hostile_account() -> Group<'static> {
    let free = Role {
        name: HOSTILE.into(),
        link: HOSTILE.into(),
        kind: Some(HOSTILE),
        mfa_code: true,
        arn: HOSTILE.into(),
        reason: Some(HOSTILE.into()),
        ..role("111122223333", "X", 1)
    };
    let plain = Role { reason: None, mfa_code: false, ..free.clone() };
    let blocked = Role { obstacle: Some(HOSTILE.into()), ..free.clone() };
    let step_up = Some(Box::new(StepUp { fresh: false, wanted: HOSTILE.into(), came: HOSTILE.into() }));
    let elsewhere = Role { step_up, ..free.clone() };
    let tags = vec![(HOSTILE.into(), HOSTILE.into())];
    let account = Account {
        id: HOSTILE.into(),
        name: HOSTILE.into(),
        alias: Some(HOSTILE.into()),
        env: Some(HOSTILE.into()),
        tags,
        unit: Some(HOSTILE.into()),
    };
    let rows = [free, blocked, elsewhere, plain].map(|role| Row { role, account: None, until: None }).into();
    Group { head: Head::Account { account, unit: Some(HOSTILE.into()) }, rows }
}

fn few() -> Vec<Group<'static>> {
    vec![
        account("111122223333", "Production", Some("prod"), &[("PlatformAdmin", 1), ("ReadOnly", 12)]),
        account("222233334444", "Staging", Some("staging"), &[("Developer", 8), ("PlatformAdmin", 4), ("ReadOnly", 12)]),
        account("333344445555", "Shared services", None, &[("NetworkViewer", 12)]),
    ]
}

fn ask(account: Account<'static>, name: &'static str, waits: bool, in_place: bool) -> AskRow<'static> {
    let hint = if name == HOSTILE { HOSTILE } else { "the ticket, such as OPS-123" };
    let (name, arn, link) = (name.into(), format!("arn:aws:iam::111122223333:role/{name}").into(), name.into());
    AskRow { account, name, link, arn, hint: hint.into(), purpose: None, longest: HOUR * 4, in_place, waits }
}

fn asks() -> Vec<AskRow<'static>> {
    let place = || account_of(&few()[0]);
    vec![
        ask(place(), "DatabaseAdmin", false, true),
        ask(place(), "NetworkAdmin", true, true),
        ask(account_of(&few()[1]), "PlatformAdmin", false, false),
    ]
}

fn emergency(place: &Account<'static>) -> Row<'static> {
    let reason = Some("what you need it for".into());
    let role = Role { break_glass: true, reason, ..role("111122223333", "BreakGlass", 1) };
    Row { role, account: Some(Box::new(place.clone())), until: None }
}

/// So many accounts of ten units in four stages, with one to three roles each, or with as many as are named.
fn organisation(accounts: usize, names: &[&str]) -> Vec<Group<'static>> {
    const UNITS: [&str; 10] =
        ["Billing", "Checkout", "Data lake", "Fraud", "Identity", "Ledger", "Mobile", "Payments", "Search", "Warehouse"];
    const STAGES: [(&str, Option<&str>); 4] =
        [("prod", Some("prod")), ("staging", Some("staging")), ("dev", Some("dev")), ("sandbox", None)];
    let one = |n: usize| {
        let ((unit, (stage, env)), round) = ((UNITS[n / 4 % 10], STAGES[n % 4]), n / 40);
        let id = format!("{:012}", 100_000_000_000 + (n as u64) * 7_310_123);
        let few = ["Developer", "ReadOnly", "PlatformAdmin"];
        let names = if names.is_empty() { &few[..=(n / 4 + n) % 3] } else { names };
        let rows = names.iter().map(|name| Row { role: role(&id, name, 8), account: None, until: None }).collect();
        let name = if round == 0 { format!("{unit} {stage}") } else { format!("{unit} {stage} {round}") };
        let tags = vec![("team".into(), unit.to_lowercase().into())];
        let unit = Some(format!("/Workloads/{stage}").into());
        Group {
            head: Head::Account {
                account: Account { id: id.into(), name: name.into(), alias: None, env: env.map(Into::into), tags, unit },
                unit: None,
            },
            rows,
        }
    };
    (0..accounts).map(one).collect()
}

/// The groups once more, by role or by unit.
fn regrouped(groups: &[Group<'static>], grouping: Grouping) -> Vec<Group<'static>> {
    let mut named: std::collections::BTreeMap<String, Vec<Row<'static>>> = std::collections::BTreeMap::new();
    for group in groups {
        for row in &group.rows {
            let row = Row { account: Some(Box::new(account_of(group))), ..row.clone() };
            named.entry(row.role.name.clone().into_plain()).or_default().push(row);
        }
    }
    if grouping == Grouping::Role {
        return named.into_iter().map(|(name, rows)| Group { head: Head::Role(name.into()), rows }).collect();
    }
    let mut groups = groups.to_vec();
    groups.sort_by_key(|group| account_of(group).unit);
    let mut before = None;
    for group in &mut groups {
        let Head::Account { account, unit } = &mut group.head else { continue };
        *unit = (before != account.unit).then(|| account.unit.clone().unwrap_or_default());
        before.clone_from(&account.unit);
    }
    groups
}

fn long() -> Group<'static> {
    let mut group = account(
        "444455556666",
        "Customer-facing-platform-for-the-northern-european-region-disaster-recovery",
        Some("pre-production-eu-north-1"),
        &[("teams/platform/OrganizationAccountAccessRoleForIncidentResponseAndRecoveryNN", 12), ("A", 1)],
    );
    let Head::Account { account, .. } = &mut group.head else { panic!("not by account") };
    account.tags.push(("a-rather-long-tag-key".into(), "and-a-value-that-goes-on-and-on-without-any-place-to-break-it-anywhere".into()));
    let mut more = |role| group.rows.push(Row { role, account: None, until: None });
    let mut blocked = role("444455556666", "BillingAuditor", 1);
    blocked.obstacle =
        Some("The rule needs your cost centre, and Okta did not send the claim “cost_center”. Ask whoever runs Okta to add it.".into());
    more(blocked);
    let mut ticketed = role("444455556666", "BreakGlass", 1);
    ticketed.reason = Some("the ticket, such as OPS-123; who knows that you are in here".into());
    more(ticketed);
    let mut stale = role("444455556666", "Deployer", 1);
    let came = "a sign-in 3h 12m 5s old, without a second factor".into();
    stale.step_up = Some(Box::new(StepUp { fresh: false, wanted: "a sign-in at most 15m old, with a second factor".into(), came }));
    more(stale);
    group
}

fn tools(hours: u32) -> Tools<'static> {
    Tools { longest: HOUR * hours, length: Some(28_800), region: Some("eu-central-1".into()), partitions: vec![Partition::Aws] }
}

impl Portal<'static> {
    fn sample(shell: Shell<'static>, groups: Vec<Group<'static>>) -> Self {
        Self {
            shell: shell.of(Room::Roles),
            notice: None,
            filter: "".into(),
            tools: tools(12),
            grouping: Grouping::Account,
            has_units: true,
            favourites: Vec::new(),
            recents: Vec::new(),
            emergency: Vec::new(),
            requestable: Vec::new(),
            roles: groups.iter().map(|group| group.rows.len()).sum(),
            accounts: groups.len(),
            groups,
        }
    }

    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let page = |groups| Self::sample(shell(true), groups);
        let demo = Shell { banner: Some("A demonstration: the identity provider and AWS are make-believe.".into()), ..shell(true) };
        let many = || organisation(40, &[]);
        let pick = |group: &Group<'static>, row: usize, until| Row {
            account: Some(Box::new(account_of(group))),
            until,
            ..group.rows[row].clone()
        };
        let (few, few_more) = (few(), few());
        let (favourites, recents) =
            (vec![pick(&few[0], 1, None), pick(&few[1], 0, None)], vec![pick(&few[0], 0, Some(at(1800))), pick(&few[2], 0, None)]);
        let hostile = hostile_account();
        let hostile_picks = vec![pick(&hostile, 3, Some(at(0))), pick(&hostile, 0, None)];
        vec![
            ("portal", page(few.clone())),
            ("portal-many", page(many())),
            ("portal-long", Self { notice: Some("Your groups changed: you lost one role.".into()), ..page(vec![long()]) }),
            ("portal-demo", Self::sample(demo, few.clone())),
            ("portal-picks", Self { favourites, recents, ..page(few) }),
            ("portal-on-request", Self { requestable: asks(), emergency: vec![emergency(&account_of(&few_more[0]))], ..page(few_more) }),
            ("portal-on-request-alone", Self { requestable: asks(), ..page(Vec::new()) }),
            ("portal-by-role", Self { grouping: Grouping::Role, ..page(regrouped(&many(), Grouping::Role)) }),
            ("portal-by-unit", Self { grouping: Grouping::Unit, ..page(regrouped(&many(), Grouping::Unit)) }),
            ("portal-filtered-away", Self { filter: "nowhere".into(), ..page(Vec::new()) }),
            (
                "portal-hostile",
                Self {
                    notice: Some(HOSTILE.into()),
                    filter: HOSTILE.into(),
                    favourites: hostile_picks.clone(),
                    recents: hostile_picks,
                    emergency: vec![emergency(&account_of(&hostile))],
                    requestable: vec![ask(account_of(&hostile), HOSTILE, false, true), ask(account_of(&hostile), HOSTILE, false, false)],
                    tools: Tools { region: Some(HOSTILE.into()), ..tools(1) },
                    ..Self::sample(hostile_shell(), vec![hostile.clone()])
                },
            ),
            (
                "portal-by-role-hostile",
                Self { grouping: Grouping::Role, ..Self::sample(hostile_shell(), regrouped(&[hostile], Grouping::Role)) },
            ),
        ]
    }

    /// Somebody with five roles in each of so many accounts.
    pub(crate) fn of_size(accounts: usize, by_role: bool) -> Self {
        let groups = organisation(accounts, &["AdministratorAccess", "Developer", "PlatformAdmin", "ReadOnly", "SecurityAudit"]);
        let page = Self::sample(shell(true), groups);
        if by_role { Self { grouping: Grouping::Role, groups: regrouped(&page.groups, Grouping::Role), ..page } } else { page }
    }
}

impl NoRoles<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let groups: Vec<Text<'static>> = ["everyone", "engineering", "payments-developers", "vpn-users"].map(Into::into).into();
        let page = |groups: Vec<Text<'static>>, total| Self {
            shell: shell(true).of(Room::Roles),
            provider: "Okta".into(),
            groups,
            total,
            nearest: Vec::new(),
            report: "Report: ABCDEFGHIJ\nTime: 2026-03-02 14:30:00 UTC\nPerson: ana.duarte@example.org\nAnswer: no roles at all".into(),
        };
        let nearest = vec![
            "Your group payments-developers would give you roles. What is missing: a condition that does not hold now; it looks at the time.".into(),
            "Your group engineering would give you roles. What is missing: a sign-in with Partner access.".into(),
        ];
        vec![
            ("no-roles", Self { nearest, ..page(groups, 37) }),
            ("no-roles-no-groups", Self { shell: Shell { contact: None, ..shell(true) }, ..page(vec![], 0) }),
            (
                "no-roles-hostile",
                Self {
                    shell: hostile_shell(),
                    provider: HOSTILE.into(),
                    nearest: vec![HOSTILE.into()],
                    report: HOSTILE.into(),
                    ..page(vec![HOSTILE.into()], 2)
                },
            ),
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
        let role = |group: &Group<'static>, row: usize, favourite| Target::Role {
            role: group.rows[row].role.clone(),
            account: account_of(group),
            favourite,
            ask: None,
        };
        let (long, hostile) = (long(), hostile_account());
        let hostile_asks = vec![ask(account_of(&hostile), HOSTILE, false, true)];
        let missing = Target::Missing { account: "999988887777".into(), role: Some("PlatformAdmin".into()) };
        let place = account_of(&few()[0]);
        let alarming = Target::Role { role: emergency(&place).role, account: place, favourite: false, ask: None };
        let mut two_ways = role(&long, 4, false);
        let mut partly = role(&production, 0, false);
        if let (Target::Role { role, .. }, Target::Role { role: console_alone, ask: other, .. }) = (&mut two_ways, &mut partly) {
            role.emergency = true;
            console_alone.credentials = false;
            *other = Some(Box::new(AskRow { purpose: Some("for credentials"), ..asks().remove(0) }));
        }
        let nothing_held = Group { rows: Vec::new(), ..production.clone() };
        let hostile_missing = Target::Missing { account: HOSTILE.into(), role: Some(HOSTILE.into()) };
        let page = |target, destination| Self { shell: shell(true), target, destination, tools: tools(8), tried: true };
        let attack = |target| Self { shell: hostile_shell(), target, destination: Some(HOSTILE.into()), tools: tools(1), tried: true };
        vec![
            ("go", page(role(&production, 0, false), destination.clone())),
            ("go-favourite", page(role(&production, 1, true), None)),
            ("go-account", page(Target::Account { group: staging.clone(), asks: asks() }, destination)),
            ("go-account-bare", page(Target::Account { group: staging, asks: Vec::new() }, None)),
            ("go-blocked", page(role(&long, 2, false), None)),
            ("go-step-up", page(role(&long, 4, false), None)),
            ("go-step-up-hostile", attack(role(&hostile, 2, false))),
            ("go-missing", page(missing, None)),
            ("go-on-request", page(Target::OnRequest(ask(account_of(&few()[0]), "DatabaseAdmin", false, true)), None)),
            ("go-on-request-waits", page(Target::OnRequest(ask(account_of(&few()[0]), "DatabaseAdmin", true, true)), None)),
            ("go-break-glass", page(alarming, None)),
            ("go-step-up-or-break-glass", page(two_ways, None)),
            ("go-for-one-purpose", page(partly, None)),
            ("go-account-on-request-alone", page(Target::Account { group: nothing_held, asks: asks() }, None)),
            ("go-on-request-hostile", attack(Target::OnRequest(ask(account_of(&hostile), HOSTILE, false, true)))),
            ("go-hostile", attack(role(&hostile, 0, true))),
            ("go-account-hostile", attack(Target::Account { group: hostile, asks: hostile_asks })),
            ("go-missing-hostile", attack(hostile_missing)),
        ]
    }
}

impl Several<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let page = |shell: Shell<'static>, groups: Vec<Group<'static>>| Self {
            shell: shell.of(Room::Several),
            problem: None,
            filter: "".into(),
            tools: tools(12),
            ticked: Vec::new(),
            reason: None,
            roles: groups.iter().map(|group| group.rows.len()).sum(),
            accounts: groups.len(),
            others: 2,
            most: 25,
            command: "rolegate configure --gateway https://roles.example.org".into(),
            groups,
        };
        let ticked = vec!["arn:aws:iam::111122223333:role/ReadOnly".into()];
        vec![
            ("several", page(shell(true), few())),
            (
                "several-problem",
                Self {
                    problem: Some("Tick the roles first.".into()),
                    reason: Some("the ticket".into()),
                    ticked,
                    ..page(shell(true), few())
                },
            ),
            ("several-none", Self { filter: "nowhere".into(), others: 0, ..page(shell(true), Vec::new()) }),
            (
                "several-hostile",
                Self {
                    problem: Some(HOSTILE.into()),
                    filter: HOSTILE.into(),
                    ticked: vec![HOSTILE.into()],
                    reason: Some(HOSTILE.into()),
                    command: HOSTILE.into(),
                    ..page(hostile_shell(), vec![hostile_account()])
                },
            ),
        ]
    }
}

impl SeveralTaken<'static> {
    pub(crate) fn samples() -> Vec<(&'static str, Self)> {
        let had = |account: &'static str, role: &'static str, profile: &'static str| Had {
            account: account.into(),
            role: role.into(),
            profile: profile.into(),
            expires: at(3600),
        };
        let missed = |role: &'static str, why: &'static str| Missed { role: role.into(), why: why.into(), incident: "ABCDEFGHIJ".into() };
        let profile = |name: &str| {
            format!(
                "[{name}]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
                sample_secrets(0),
                sample_secrets(1),
                sample_secrets(2)
            )
        };
        let all = vec![had("Production", "ReadOnly", "Production-ReadOnly"), had("Staging", "Developer", "Staging-Developer")];
        let text = profile("Production-ReadOnly") + "\n" + &profile("Staging-Developer");
        let fields = vec![("role", "arn:aws:iam::111122223333:role/ReadOnly".into()), ("at_most", "3600".into())];
        let refused = || missed("Shared services/NetworkViewer", "AWS did not accept the role\u{2019}s trust policy.");
        vec![
            ("several-taken", Self { shell: shell(true), had: all, missed: vec![refused()], text: text.into(), fields }),
            (
                "several-taken-none",
                Self { shell: shell(true), had: Vec::new(), missed: vec![refused()], text: "".into(), fields: Vec::new() },
            ),
            (
                "several-taken-hostile",
                Self {
                    shell: hostile_shell(),
                    had: vec![had(HOSTILE, HOSTILE, HOSTILE)],
                    missed: vec![missed(HOSTILE, HOSTILE)],
                    text: HOSTILE.into(),
                    fields: vec![("role", HOSTILE.into())],
                },
            ),
        ]
    }
}
